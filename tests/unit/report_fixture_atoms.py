"""The part of the synthetic run that comes after the profile: ensemble, verification, diffusion, mismatch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]
EDGES = np.array([0.41, 0.82, 1.23, 1.64, 2.05])
COUNTS = {"Ag": 64, "In": 123, "Se": 760, "Zn": 493}
EXCHANGE = "7 Zn(2+) take the sites of 2 Ag(+), 4 In(3+) and 1 vacancy: 7 sites and a charge of +14 e on either side."
VERDICTS = {
    "asaxs": (471.3, 483, 0.64, "ASAXS agrees with the atoms: chi2 471.3 for 483 degrees of freedom (p = 0.64)."),
    "saxs": (118.2, 120, 0.53, "SAXS agrees with the atoms: chi2 118.2 for 120 degrees of freedom (p = 0.53)."),
    "tem": (3.1, 3, 0.38, "TEM agrees with the atoms: chi2 3.1 for 3 degrees of freedom (p = 0.38)."),
    "edx": (1.9, 3, 0.59, "EDX agrees with the atoms: chi2 1.9 for 3 degrees of freedom (p = 0.59)."),
}


def q(value: float, sigma: float) -> dict[str, Any]:
    half = 1.96 * sigma
    return {
        "value": value,
        "sigma": sigma,
        "interval68": [value - sigma, value + sigma],
        "interval95": [value - half, value + half],
    }


def qs(values: Any, sigmas: Any) -> dict[str, Any]:
    each = [q(float(v), float(s)) for v, s in zip(values, sigmas, strict=True)]
    return {k: [e[k] for e in each] for k in each[0]}


def atoms_part() -> dict[str, Any]:
    return {
        "counts": COUNTS,
        "counts_mean": {"Ag": 66.2, "In": 131.5, "Se": 778.0, "Zn": 541.3},
        "charge_e": 12.0,
        "charge_mean_e": -1.4,
        "shell_fraction": [0.0, 0.2, 0.31, 0.58, 1.02],
        "shell_fraction_mean": [0.18, 0.2, 0.3, 0.61, 0.93],
        "particles": 6,
        "diameter_mean_nm": 4.09,
        "diameter_std_nm": 0.48,
        "quadrature_error": 2.3e-4,
        "coverage": q(0.93, 0.02),
        "exchange_unit": EXCHANGE,
        "charge_balance": ["2 of 1440 sites were changed; the charge that is left lies at the surface."],
    }


def verification_part(failing: tuple[str, ...] = ()) -> dict[str, Any]:
    out: dict[str, Any] = {
        "passed": not failing,
        "threshold_p": 0.01,
        "notes": [
            "6 particles of 6 diameters, weighted so that they stand for all sizes to 0.023 % of the intensity",
            "asaxs: the atoms' curve is known to 0.6 % (median over q)",
        ],
    }
    for name, (chi2, dof, p, sentence) in VERDICTS.items():
        if name in failing:
            chi2, p = chi2 + 30 * dof, 0.0
            sentence = f"{name.upper()} speaks AGAINST the atoms: chi2 {chi2:.1f} for {dof} degrees of freedom."
        out[name] = {
            "chi2": chi2,
            "degrees_of_freedom": dof,
            "chi2_reduced": chi2 / dof,
            "p": p,
            "verdict": "fails" if name in failing else "agrees",
            "sentence": sentence,
            "numbers": {},
            "corrections": [],
            "per_curve": [],
        }
    out["asaxs"]["corrections"] = [
        {"name": "scale of 9630 eV", "in_prior_sigma": -1.4625},
        {"name": "shape error 3", "in_prior_sigma": 0.66},
        {"name": "constant of 8900 eV", "in_prior_sigma": 0.2},
    ]
    out["saxs"]["corrections"] = [{"name": "shape error 4", "in_prior_sigma": -0.2246}]
    out["asaxs"]["per_curve"] = [{"label": "9630 eV", "energy_kev": 9.63, "chi2_reduced": 0.97}]
    out["saxs"]["per_curve"] = [{"label": "SAXS", "energy_kev": 16.0, "chi2_reduced": 0.98}]
    return out


def verification_rows(curves: Rows) -> Rows:
    rows = []
    for data_set in ("asaxs", "saxs"):
        for row in curves:
            if data_set == "saxs" and row["energy_kev"] != 16.0:
                continue
            atoms = row["fit"] * (1 + 0.004 * np.sin(3 * row["q_inv_nm"]))
            rows.append(
                {
                    "data_set": data_set,
                    "curve": row["curve"] if data_set == "asaxs" else "SAXS",
                    "energy_kev": row["energy_kev"],
                    "q_inv_nm": row["q_inv_nm"],
                    "intensity": row["intensity"],
                    "sigma": row["sigma"],
                    "atoms": float(atoms),
                    "atoms_scale_only": float(atoms * 1.01),
                    "model_error": float(row["fit"] * 0.002 * row["q_inv_nm"]),
                }
            )
    return rows


def ensemble_rows() -> Rows:
    rows = []
    for i, (diameter, weight) in enumerate(
        zip((2.9, 3.4, 3.9, 4.3, 4.8, 5.5), (0.03, 0.2, 0.3, 0.3, 0.14, 0.03), strict=True)
    ):
        scale = (diameter / 4.07) ** 3
        counts = COUNTS if i == 2 else {e: round(n * scale) for e, n in COUNTS.items()}
        rows.append(
            {
                "particle": i + 1,
                "weight": weight,
                "diameter_nm": diameter,
                "aspect_ratio": 1.02 + 0.02 * (i % 3),
                "charge_e": [3, -14, 12, -8, 20, -27][i],
                "posterior_draw": 40 * i + 7,
                **counts,
            }
        )
    return rows


def diffusion_part() -> dict[str, Any]:
    radius2 = 2.05**2 * 1e-14
    return {
        "diffusivity_cm2_s": q(3.1e-18, 0.6e-18),
        "definition": "spherical Fick-2: constant D, surface at a constant value since t = 0",
        "element": "Zn",
        "time_s": 600.0,
        "temperature_c": 150.0,
        "verdict": "determined",
        "depth_fit": {"c1": q(3.05, 0.06), "c2_inv_nm": q(-1.02, 0.11)},
        "fick": {"sentence": "Spherical Fick-2 describes the curves as well as free shells do (p = 0.21)."},
        "notes": ["C becomes R^2/(3 t) for every homogeneous particle, whatever its diffusivity is."],
        "alternatives": [
            {
                "name": "A",
                "formula": "1/(C2^2 t)",
                "label": "planar: all of the fit through the surface",
                "diffusivity_cm2_s": q(1.6e-17, 0.3e-17),
            },
            {
                "name": "C",
                "formula": "J R/F_n",
                "label": "our reading of the paper: mean flux over the outer shell's density across the radius",
                "diffusivity_cm2_s": q(1.7e-17, 0.1e-17),
            },
            {
                "name": "E",
                "formula": "J (R - R/n)/(F(d_n) - F(d_1))",
                "label": "mean flux over the chord of the fit",
                "diffusivity_cm2_s": None,
                "reason": "in 12 % of the draws the density does not fall towards the centre",
            },
            {
                "name": "F",
                "formula": "R^2/(4 t)",
                "label": "depth of diffusion set equal to the radius; uses no composition",
                "diffusivity_cm2_s": q(radius2 / 2400, radius2 / 2400 * 0.02),
            },
        ],
    }


def depth_rows(best: np.ndarray, sigma: np.ndarray, truth: np.ndarray | None) -> Rows:
    rows = []
    for r in np.linspace(0, EDGES[-1], 206):
        k = min(int(np.searchsorted(EDGES, r, side="right")), len(EDGES) - 1)
        depth = float(EDGES[-1] - r)
        value, half = 22.0 * best[k], 22.0 * sigma[k]
        row = {
            "depth_nm": depth,
            "density_inv_nm3": float(value),
            "low68": float(max(value - half, 0)),
            "high68": float(min(value + half, 22.0)),
            "low95": float(max(value - 2 * half, 0)),
            "high95": float(min(value + 2 * half, 22.0)),
            "exponential": float(np.exp(3.05 - 1.02 * depth)),
            "fick": float(22.0 * np.exp(-((depth / 1.1) ** 2))),
        }
        rows.append(row if truth is None else row | {"truth": float(22.0 * truth[k])})
    return rows[::-1]


def mismatch_part(best: np.ndarray, sigma: np.ndarray) -> list[dict[str, Any]]:
    entries = []
    for direction, inner, outer in (("a", 0.426, 0.400), ("c", 0.702, 0.655)):
        lattice = inner + (outer - inner) * best
        steps = 100 * (lattice[:-1] - lattice[1:]) / lattice[:-1]
        spread = 100 * (inner - outer) / inner * np.hypot(sigma[:-1], sigma[1:])
        depth = np.arange(0.17, 2.05, 0.34)[::-1]
        count = len(depth) - 1
        entries.append(
            {
                "direction": direction,
                "percent": qs(steps, spread),
                "maximum_percent": q(float(steps.max()), 0.4),
                "maximum_supported_percent": q(float(steps.max()), 0.4),
                "abrupt_percent": 100 * (inner - outer) / inner,
                "layers": [
                    {
                        "source": "fitted profile",
                        "planes": "(001), c/2",
                        "spacing_nm": 0.34,
                        "depth_nm": depth.tolist(),
                        "percent": qs(np.linspace(0.1, 1.4, count), np.full(count, 0.3)),
                        "maximum_percent": q(1.4, 0.3),
                    }
                ],
                "notes": ["lattices of the free materials; a coherent particle shares the strain"],
            }
        )
    return entries


def mismatch_rows(entries: list[dict[str, Any]]) -> Rows:
    return [
        {
            "direction": entry["direction"],
            "between": f"shells {k + 1} and {k + 2}",
            "percent": entry["percent"]["value"][k],
            "low95": entry["percent"]["interval95"][k][0],
            "high95": entry["percent"]["interval95"][k][1],
        }
        for entry in entries
        for k in range(len(entry["percent"]["value"]))
    ]


def add_atoms(
    root: Path,
    summary: dict[str, Any],
    curves: Rows,
    write: Callable[[Path, Rows], None],
    profile: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    failing: tuple[str, ...] = (),
) -> None:
    """Put the keys of atoms, verification, diffusion and mismatch into a summary and write their tables."""
    best, sigma, truth = profile
    summary |= {
        "atoms": atoms_part(),
        "verification": verification_part(failing),
        "diffusion": diffusion_part(),
        "mismatch": mismatch_part(best, sigma),
    }
    rows = [
        {"data_set": n, **{k: v for k, v in e.items() if not isinstance(v, (dict, list))}}
        for n, e in summary["verification"].items()
        if isinstance(e, dict)
    ]
    write(root / "tables/verification.csv", rows)
    write(root / "tables/verification_curves.csv", verification_rows(curves))
    write(root / "tables/ensemble.csv", ensemble_rows())
    write(root / "tables/depth_profile.csv", depth_rows(best, sigma, truth))
    write(root / "tables/mismatch.csv", mismatch_rows(summary["mismatch"]))
