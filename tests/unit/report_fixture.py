"""A plausible finished run, clearly synthetic: what the core writes, made here from a few formulas.

The numbers are consistent with each other (fit, residuals, chi2, intervals) but nothing here was fitted.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from report_fixture_atoms import add_atoms

RHO = {  # real electron density in e/nm^3 at x = 0, 0.25, 0.5, 0.75, 1 (Ag-In-Se to ZnSe, Chantler)
    8.9: [1350.3, 1351.0, 1349.7, 1346.0, 1339.5],
    9.3: [1348.4, 1345.9, 1340.9, 1333.2, 1322.3],
    9.63: [1346.5, 1331.7, 1313.3, 1290.8, 1263.7],
    16.0: [1348.8, 1363.8, 1378.1, 1391.5, 1404.0],
}
FACTORS = {  # element -> per energy (chantler f', f''), (cromer-liberman f', f'')
    "Zn": [
        (-2.207, 0.566, -2.199, 0.565),
        (-2.894, 0.521, -2.885, 0.521),
        (-5.462, 0.515, -5.438, 0.489),
        (0.172, 1.659, 0.225, 1.667),
    ],
    "Se": [
        (-1.004, 0.950, -0.99, 0.95),
        (-1.100, 0.871, -1.09, 0.87),
        (-1.191, 0.814, -1.18, 0.81),
        (-0.459, 2.557, -0.44, 2.56),
    ],
    "Ag": [
        (0.043, 3.606, 0.05, 3.62),
        (0.023, 3.332, 0.03, 3.34),
        (-0.006, 3.130, 0.0, 3.14),
        (-0.751, 1.279, -0.74, 1.28),
    ],
    "In": [
        (0.086, 4.256, 0.09, 4.27),
        (0.088, 3.931, 0.09, 3.94),
        (0.072, 3.692, 0.08, 3.70),
        (-0.608, 1.518, -0.60, 1.52),
    ],
}
TRUTH = np.array([0.08, 0.15, 0.32, 0.62, 0.90])
BEST = np.array([0.17, 0.21, 0.30, 0.60, 0.915])
SIGMA = np.array([0.19, 0.15, 0.10, 0.052, 0.026])
BARE = np.array([0.43, 0.22, 0.33, 0.57, 0.925])
BARE_SIGMA = np.array([0.285, 0.26, 0.155, 0.083, 0.034])
INFORMED = ["prior", "prior", "weak", "data", "data"]
GRID = np.linspace(0.5, 4.5, 121)
MEDIUM = 283.3


def quantity(value: float, sigma: float, low: float = -np.inf, high: float = np.inf) -> dict[str, Any]:
    inside = [float(np.clip(value + k * sigma, low, high)) for k in (-1, 1, -1.96, 1.96)]
    return {"value": value, "sigma": sigma, "interval68": inside[:2], "interval95": inside[2:]}


def array_quantity(values: np.ndarray, sigmas: np.ndarray) -> dict[str, Any]:
    each = [quantity(float(v), float(s), 0, 1) for v, s in zip(values, sigmas, strict=True)]
    return {k: [e[k] for e in each] for k in each[0]}


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {k: f"{v:.7g}" if isinstance(v, float) else ("" if v is None else v) for k, v in row.items()}
            )


def sphere(u: np.ndarray) -> np.ndarray:
    return 3 * (np.sin(u) - u * np.cos(u)) / u**3


def intensity(q: np.ndarray, contrast: np.ndarray, radius: float = 2.05, width: float = 0.245) -> np.ndarray:
    nodes = radius + width * np.linspace(-4, 4, 33)
    weights = np.exp(-0.5 * ((nodes - radius) / width) ** 2)
    steps = contrast - np.append(contrast[1:], 0.0)
    total = np.zeros_like(q)
    for r, w in zip(nodes, weights / weights.sum(), strict=True):
        edges = r * np.arange(1, len(contrast) + 1) / len(contrast)
        amplitude = sum(d * 4 / 3 * np.pi * e**3 * sphere(q * e) for d, e in zip(steps, edges, strict=True))
        total += w * amplitude**2
    return total * 2e-9


def write_curves(
    root: Path, rng: np.random.Generator, contrasts: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows, energies = [], []
    cases = {"D2O": -250.0, "50/50": 40.0, "H2O": 330.0} if contrasts else {f"{e * 1000:.0f} eV": e for e in RHO}
    for label, number in cases.items():
        if contrasts:
            contrast = np.array([number * 0.4, number])
        else:
            contrast = np.interp(TRUTH, [0, 0.25, 0.5, 0.75, 1], RHO[number]) - MEDIUM
        fit = intensity(GRID, contrast) + 2e-5
        sigma = fit * (0.008 + 0.012 * (GRID / 4.5) ** 2) + 4e-6
        residual = rng.standard_normal(GRID.size)
        energy = None if contrasts else number
        for q, f, s, z in zip(GRID, fit, sigma, residual, strict=True):
            rows.append(
                {
                    "curve": label,
                    "energy_kev": energy,
                    "q_inv_nm": float(q),
                    "intensity": float(f + z * s),
                    "sigma": float(s),
                    "fit": float(f),
                    "residual_sigma": float(z),
                }
            )
        energies.append(
            {
                "curve": label,
                "energy_kev": energy,
                "chi2_reduced": float(np.mean(residual**2)),
                "runs_p": float(rng.uniform(0.1, 0.9)),
                "scale": float(1 + 0.008 * rng.standard_normal()),
                "scale_lo68": 0.988,
                "scale_hi68": 1.012,
                "background": 2.0e-5,
                "background_laue": 1.8e-5,
                "f_prime": None if contrasts else FACTORS["Zn"][len(energies)][0],
                "f_double_prime": None if contrasts else FACTORS["Zn"][len(energies)][1],
                "points": GRID.size,
                "q_min": 0.5,
                "q_max": 4.5,
            }
        )
    write_table(root / "tables/curves.csv", rows)
    write_table(root / "tables/energies.csv", energies)
    if not contrasts:
        write_consistency(root, energies, rows)
    return energies, rows


def write_consistency(root: Path, energies: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    minima = [
        {
            "curve": e["curve"], "energy_kev": e["energy_kev"], "first_minimum_inv_nm": 2.2 + 0.02 * k, "first_minimum_sigma": 0.01,
            "predicted_inv_nm": 2.205 + 0.02 * k, "predicted_low95": 2.19 + 0.02 * k, "predicted_high95": 2.22 + 0.02 * k,
            "pure_core_inv_nm": 2.25, "pure_shell_inv_nm": 2.18,
        }
        for k, e in enumerate(energies)
    ]  # fmt: skip
    write_table(root / "tables/energy_consistency.csv", minima)
    left_out = [
        {
            "curve": r["curve"], "energy_kev": r["energy_kev"], "q_inv_nm": r["q_inv_nm"], "intensity": r["intensity"],
            "sigma": r["sigma"], "predicted": r["fit"], "predicted_low95": 0.99 * r["fit"], "predicted_high95": 1.01 * r["fit"],
        }
        for r in rows
    ]  # fmt: skip
    write_table(root / "tables/left_out_curves.csv", left_out)


def write_profile(root: Path, simulated: bool) -> None:
    edges = 4.1 / 2 * np.arange(6) / 5
    rows = []
    for k in range(5):
        lo, hi = (
            np.clip(BEST[k] + SIGMA[k] * np.array([-1, 1]), 0, 1),
            np.clip(BEST[k] + SIGMA[k] * np.array([-1.96, 1.96]), 0, 1),
        )
        blo = np.clip(BARE[k] + BARE_SIGMA[k] * np.array([-1, 1, -1.96, 1.96]), 0, 1)
        rows.append(
            {
                "shell": k + 1,
                "r_inner_nm": edges[k],
                "r_outer_nm": edges[k + 1],
                "x": BEST[k],
                "sigma": SIGMA[k],
                "lo68": lo[0],
                "hi68": lo[1],
                "lo95": hi[0],
                "hi95": hi[1],
                "unsmoothed": BARE[k],
                "unsmoothed_lo68": blo[0],
                "unsmoothed_hi68": blo[1],
                "unsmoothed_lo95": blo[2],
                "unsmoothed_hi95": blo[3],
                "refit_uniform_mean": BEST[k] + 0.01,
                "refit_uniform_sd": 0.45 * SIGMA[k],
                "refit_gaussian_mean": BEST[k] - 0.01,
                "refit_gaussian_sd": 0.75 * SIGMA[k],
                "informed_by": INFORMED[k],
                "truth": TRUTH[k] if simulated else None,
            }
        )
    write_table(
        root / "tables/profile.csv",
        [{k: float(v) if isinstance(v, np.floating) else v for k, v in r.items()} for r in rows],
    )
    fine = []
    for r in np.linspace(0, edges[-1], 206):
        k = min(int(np.searchsorted(edges, r, side="right")) - 1, 4)
        z = np.clip(BEST[k] + SIGMA[k] * np.array([-1.96, -1, 0, 1, 1.96]), 0, 1)
        smooth_truth = np.interp(r, (edges[1:] + edges[:-1]) / 2, TRUTH) if simulated else None
        fine.append(
            {
                "r_nm": float(r),
                "lo95": float(z[0]),
                "lo68": float(z[1]),
                "median": float(z[2]),
                "hi68": float(z[3]),
                "hi95": float(z[4]),
                "prior_lo68": 0.16,
                "prior_hi68": 0.84,
                "truth": None if smooth_truth is None else float(smooth_truth),
            }
        )
    write_table(root / "tables/profile_bands.csv", fine)
    write_resolution_tables(root, float(edges[-1]))
    write_separation_tables(root)


def write_separation_tables(root: Path) -> None:
    q = np.linspace(0.5, 4.5, 40)
    shape = sphere(2.0 * q) ** 2 + 1e-3
    rows = []
    for k, value in enumerate(q):
        row = {"q_inv_nm": float(value), "condition": 600.0}
        for name, size in (("i_0", 1e8), ("i_0r", 4e6), ("i_rr", 2e5)):
            row |= {
                name: float(size * shape[k]),
                f"{name}_sigma": float(0.1 * size * shape[k]),
                f"model_{name}": float(size * shape[k]),
            }
        rows.append(row)
    write_table(root / "tables/separated_terms.csv", rows)
    r = np.linspace(0, 4.5, 40)
    p = r**2 * (4.5 - r) ** 2
    write_table(
        root / "tables/resonant_pair_distances.csv",
        [{"r_nm": float(a), "p": float(b), "sigma": float(0.05 * p.max())} for a, b in zip(r, p, strict=True)],
    )


def write_resolution_tables(root: Path, radius: float) -> None:
    turn = np.linalg.qr(np.vander(np.linspace(-1, 1, 5)))[0].T
    rows = [
        {"combination": i + 1, "sd": sd, **{f"shell_{k + 1}": float(v) for k, v in enumerate(turn[i])}}
        for i, sd in enumerate((0.01, 0.03, 0.08, 0.17, 4.0))
    ]
    write_table(root / "tables/eigen_profiles.csv", rows)
    r = (np.arange(20) + 0.5) / 20 * radius
    kernels = np.exp(-0.5 * ((r[:, None] - r) / 0.25) ** 2) / 0.63
    write_table(
        root / "tables/resolution.csv",
        [
            {"r_nm": float(r[i]), "sd": 0.26 - 0.008 * i, "width_nm": 0.59 if i > 5 else float("nan"),
             **{f"kernel_{k + 1}": float(v) for k, v in enumerate(kernels[i])}}
            for i in range(20)
        ],
    )  # fmt: skip


def write_sizes(root: Path, rng: np.random.Generator) -> None:
    readings = rng.normal(4.1, 0.5, 120)
    grid = np.linspace(2, 6.2, 85)
    fit = np.exp(-0.5 * ((grid - 4.08) / 0.49) ** 2) / (0.49 * np.sqrt(2 * np.pi))
    counts, bins = np.histogram(readings, bins=np.linspace(2, 6.2, 15), density=True)
    tem = counts[np.clip(np.searchsorted(bins, grid, side="right") - 1, 0, len(counts) - 1)]
    write_table(
        root / "tables/size.csv",
        [
            {
                "diameter_nm": float(d),
                "fit": float(f),
                "lo68": float(f * 0.94),
                "hi68": float(f * 1.06),
                "tem": float(t),
            }
            for d, f, t in zip(grid, fit, tem, strict=True)
        ],
    )
    write_table(root / "tables/tem_readings.csv", [{"diameter_nm": float(v)} for v in readings])


def write_factors(root: Path) -> None:
    rows, contrast = [], []
    for element, values in FACTORS.items():
        for energy, (fp, fpp, gp, gpp) in zip(RHO, values, strict=True):
            rows.append(
                {
                    "element": element,
                    "energy_kev": energy,
                    "table": "chantler",
                    "f_prime": fp,
                    "f_double_prime": fpp,
                    "used": "true",
                }
            )
            rows.append(
                {
                    "element": element,
                    "energy_kev": energy,
                    "table": "cromer-liberman",
                    "f_prime": gp,
                    "f_double_prime": gpp,
                    "used": "false",
                }
            )
    for energy, values in RHO.items():
        for x in np.linspace(0, 1, 21):
            rho = float(np.interp(x, [0, 0.25, 0.5, 0.75, 1], values)) - MEDIUM
            contrast.append(
                {
                    "energy_kev": energy,
                    "x": float(x),
                    "excess_density_real_e_nm3": rho,
                    "excess_density_imag_e_nm3": 40.0,
                }
            )
    write_table(root / "tables/factors.csv", rows)
    write_table(root / "tables/contrast.csv", contrast)


def write_small_tables(root: Path, simulated: bool) -> None:
    measured = {"Ag": (4.6, 1.5), "In": (9.1, 1.5), "Zn": (36.0, 1.5), "Se": (50.3, 1.5)}
    model = {"Ag": (4.9, 0.5), "In": (9.8, 1.0), "Zn": (35.6, 1.8), "Se": (49.7, 0.4)}
    write_table(
        root / "tables/composition.csv",
        [
            {
                "element": e,
                "measured_percent": m,
                "measured_sigma": s,
                "model_percent": model[e][0],
                "model_lo68": model[e][0] - model[e][1],
                "model_hi68": model[e][0] + model[e][1],
                "truth_percent": model[e][0] + 0.4 if simulated else None,
            }
            for e, (m, s) in measured.items()
        ],
    )
    minima = {8.9: 2.205, 9.3: 2.212, 9.63: 2.231, 16.0: 2.188}
    write_table(
        root / "tables/first_minimum.csv",
        [
            {"energy_kev": e, "q_min_inv_nm": m + d, "sigma_inv_nm": 0.006, "model_q_min_inv_nm": m}
            for (e, m), d in zip(minima.items(), (0.004, -0.005, 0.003, -0.002), strict=True)
        ],
    )
    write_table(
        root / "tables/shapes.csv",
        [
            {
                "shape": "sphere",
                "chi2": 481.2,
                "n_data": 484,
                "aspect_ratio": 1.0,
                "aspect_lo95": None,
                "aspect_hi95": None,
                "delta_chi2": 3.1,
            },
            {
                "shape": "prolate",
                "chi2": 478.1,
                "n_data": 484,
                "aspect_ratio": 1.07,
                "aspect_lo95": 1.0,
                "aspect_hi95": 1.16,
                "delta_chi2": 0.0,
            },
            {
                "shape": "oblate",
                "chi2": 480.6,
                "n_data": 484,
                "aspect_ratio": 0.97,
                "aspect_lo95": 0.88,
                "aspect_hi95": 1.0,
                "delta_chi2": 2.5,
            },
        ],
    )


def write_inputs(root: Path, names: list[str]) -> list[dict[str, Any]]:
    rows = [
        {
            "file": f"data/{n.replace(' ', '').replace('/', '-')}.dat",
            "role": f"ASAXS curve, {n}",
            "sha256": hashlib.sha256(n.encode()).hexdigest(),
            "unit_read": "1/nm",
            "points_read": 131,
            "points_kept": 121,
            "notes": "10 points outside q = 0.5 to 4.5 1/nm left out",
        }
        for n in names
    ]
    rows[0] |= {
        "unit_read": "1/angstrom",
        "notes": "q converted from 1/angstrom to 1/nm (x 10); 10 points outside q = 0.5 to 4.5 1/nm left out",
    }
    rows.append(
        {
            "file": "data/tem_diameters.csv",
            "role": "TEM diameters",
            "sha256": hashlib.sha256(b"tem").hexdigest(),
            "unit_read": "nm",
            "points_read": 122,
            "points_kept": 120,
            "notes": "2 rows without a number left out (lines 14, 77)",
        }
    )
    write_table(root / "tables/inputs.csv", rows)
    return rows


def write_particle(root: Path, rng: np.random.Generator) -> None:
    a, radius = 0.575, 2.05
    fcc = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    cells = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    lines, shells = [], 5
    for is_anion, shift in ((True, 0.0), (False, 0.25)):
        xyz = ((cells + fcc + shift) * a).reshape(-1, 3)
        r = np.linalg.norm(xyz - 0.1, axis=1)
        for p, d in zip(xyz[r < radius], r[r < radius], strict=True):
            k = min(int(d / radius * shells), shells - 1)
            species = "Se" if is_anion else ("Zn" if rng.random() < TRUTH[k] else rng.choice(["Ag", "In", "In", "X"]))
            lines.append(f"{species} {p[0] * 10:.4f} {p[1] * 10:.4f} {p[2] * 10:.4f} {k + 1} {radius - d:.4f}")
    file = root / "structures/particle.xyz"
    file.parent.mkdir(parents=True, exist_ok=True)
    head = f'{len(lines)}\nProperties=species:S:1:pos:R:3:shell:I:1:depth_nm:R:1 title="synthetic particle" pbc="F F F"'
    file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


FINDINGS = [
    {
        "text": (
            "The composition changes from the inside to the outside: a homogeneous particle is worse by chi2 412 "
            "(p = 1e-80). 3 of 5 shells are supported by the data; shells 1 and 2 (from the centre) rest on the prior."
        ),
        "grade": "strong",
        "numbers": {"profile.supported_shells": 3.0, "delta_chi2": 412.3, "p": 1e-80},
        "improve": "a larger q range for the inner shells",
    },
    {
        "text": "The outermost shell (20 % of the radius) holds x = 0.92 (95 %: 0.86 to 0.97) of ZnSe.",
        "grade": "moderate",
        "numbers": {"profile.shell_fraction[4]": 0.915},
        "improve": "",
    },
    {
        "text": "Shells of one composition each are steps; on a gradient the outermost comes out somewhat high.",
        "grade": "weak",
        "numbers": {},
        "improve": "run again with another profile",
    },
    {
        "text": (
            "Small-angle scattering does not tell a sphere from a prolate spheroid here (chi2 differs by 3.1; "
            "aspect ratio 1.07 ± 0.05)."
        ),
        "grade": "not determined",
        "numbers": {"delta_chi2": 3.1, "aspect_ratio": 1.07},
        "improve": "aspect ratios from TEM",
    },
]


def base_summary(
    title: str, energies: list[dict[str, Any]], inputs: list[dict[str, Any]], contrasts: bool
) -> dict[str, Any]:
    """Keys as the pipeline writes them."""
    rows = [
        {
            "label": e["curve"],
            "energy_kev": e["energy_kev"],
            "chi2_reduced": e["chi2_reduced"],
            "runs_p": e["runs_p"],
            "points": e["points"],
            "scale": e["scale"] if contrasts else quantity(e["scale"], 0.012),
            "background": e["background"] if contrasts else quantity(2e-5, 3e-6),
            **({} if contrasts else {"laue": 1.8e-5, "f_prime": e["f_prime"], "f_double_prime": e["f_double_prime"]}),
        }
        for e in energies
    ]
    libraries = {
        "numpy": "2.1.0",
        "scipy": "1.14.0",
        "numba": "0.60.0",
        "xraydb": "4.5.8",
        "gemmi": "0.7.5",
        "ase": "3.23.0",
        "sasdata": "not installed",
    }
    summary = {
        "software": {"name": "nanostrata", "version": "0.1.0", "libraries": libraries},
        "seed": 1,
        "preset": "quick",
        "sample": {"title": title, "medium": "water" if contrasts else "toluene"},
        "inputs": inputs,
        "notes": [],
        "particle": {
            "shape": "sphere",
            "diameter_mean_nm": quantity(4.083, 0.038),
            "diameter_std_nm": quantity(0.487, 0.021),
            "aspect_ratio": quantity(1.0, 0.0),
        },
        "findings": CONTRAST_FINDINGS if contrasts else FINDINGS,
        "warnings": [
            {
                "code": "low-q-upturn",
                "message": "9630 eV: the first 3 points lie 2.1 sigma above a Guinier line; q >= 0.55 1/nm is sound.",
                "stage": "read",
            },
            {"code": "bound_touched", "message": "x of shell 1 touches 0 in 11 % of the refits.", "stage": "profile"},
        ],
    }
    if contrasts:
        parameters = {
            "radius_mean_nm": quantity(4.5, 0.03),
            "radius_std_nm": quantity(0.8, 0.02),
            "shell_thickness_nm": quantity(0.9, 0.05),
            "core_radius_nm": quantity(3.6, 0.04),
            "outer_radius_nm": quantity(4.5, 0.03),
        }
        summary["contrasts"] = {
            "chi2_reduced": 1.12,
            "verdict": "acceptable",
            "parameters": parameters,
            "per_curve": rows,
        }
    else:
        together = [
            {"label": e["curve"], "file": "", "energy_kev": e["energy_kev"], "scale": 1.0, "scale_sigma": 0.01, "scale_z": 0.3,
             "constant_share": 0.02, "left_out_chi2_reduced": 1.02, "p": 0.4, "left_out_sigma_factor": 1.0,
             "first_minimum_inv_nm": {"measured": 2.2, "measured_sigma": 0.01, "predicted": 2.205}}
            for e in energies
        ]  # fmt: skip
        consistency = {
            "per_energy": together,
            "exchanges": [],
            "exchanged": [],
            "margin": 14.0,
            "scale": None,
            "energy_shift_ev": None,
        }
        summary["asaxs"] = {"chi2_reduced": 1.01, "factors": "chantler", "per_energy": rows, "consistency": consistency}
        summary["separation"] = {
            "verdict": "agrees", "element": "Zn", "agreement_chi2": 41.0, "agreement_p": 0.4, "rg_nm": quantity(1.62, 0.03), "positivity": [],
        }  # fmt: skip
        summary["materials"] = {"core": "Ag2In4Se7", "shell": "ZnSe", "structure": "wurtzite"}
        summary["tem"] = {
            "diameter_mean_nm": quantity(4.1, 0.05),
            "diameter_std_nm": quantity(0.5, 0.03),
            "particles": 120,
        }
        summary["edx"] = {"mean_shell_fraction": quantity(0.70, 0.03)}
    return summary


CONTRAST_FINDINGS = [
    {
        "text": "Dilute core + shell spheres describe 3 curves at once: chi2 per degree of freedom is 1.12.",
        "grade": "strong",
        "numbers": {"chi2_reduced": 1.12},
        "improve": "",
    },
    {
        "text": "Core radius 3.600 nm and shell thickness 0.900 ± 0.050 nm.",
        "grade": "moderate",
        "numbers": {"shell_thickness_nm": 0.9},
        "improve": "",
    },
]


def write_run_folder(
    root: Path,
    *,
    simulated: bool = True,
    contrasts: bool = False,
    with_recipe: bool = True,
    title: str = "thick ZnSe shell, 150 °C",
    seed: int = 1,
    failing: tuple[str, ...] = (),
) -> Path:
    """Write a run folder; ``contrasts`` gives one of explicit contrasts (no profile, no composition, no particle).

    ``failing`` names data sets that speak against the atoms.
    """
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    energies, curves = write_curves(root, rng, contrasts)
    if contrasts:
        (root / "tables/energies.csv").unlink()
    inputs = write_inputs(root, [str(e["curve"]) for e in energies])
    summary = base_summary(title, energies, inputs, contrasts)
    if not contrasts:
        write_profile(root, simulated)
        write_sizes(root, rng)
        write_factors(root)
        write_small_tables(root, simulated)
        write_particle(root, rng)
        summary |= {
            "simulated": simulated,
            "profile": profile_summary(),
        }
        add_atoms(root, summary, curves, write_table, (BEST, SIGMA, TRUTH if simulated else None), failing)
        if with_recipe:
            summary["recipe"] = RECIPE
        if simulated:
            (root / "truth.json").write_text(json.dumps(TRUTH_RECORD), encoding="utf-8")
    (root / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    return root


def profile_summary() -> dict[str, Any]:
    counts = {"Ag": (64.0, 5.0), "In": (128.0, 10.0), "Zn": (531.0, 21.0), "Se": (752.0, 20.0)}
    return {
        "family": "shells",
        "edges_nm": [0.41, 0.82, 1.23, 1.64, 2.05],
        "shell_fraction": array_quantity(BEST, SIGMA),
        "unsmoothed": {"shell_fraction": array_quantity(BARE, BARE_SIGMA)},
        "mean_shell_fraction": quantity(0.705, 0.019),
        "mean_shell_fraction_volume": quantity(0.672, 0.020),
        "informed_by": INFORMED,
        "supported_shells": 3,
        "gradient": "resolved",
        "element_counts": {e: quantity(*v) for e, v in counts.items()},
        "table_systematic": [0.02, 0.01, -0.01, -0.004, 0.003],
        "table_systematic_table": "cromer-liberman",
        "resolution": {"eigen_sd": [0.01, 0.03, 0.08, 0.17, 4.0], "width_nm": [None] * 6 + [0.59] * 14},
        "refits": {"count": 200, "held": "sizes, end-member densities"},
        "prior": "uniform in 0..1, steps between neighbours Gaussian with standard deviation 0.3",
        "sampler": {"r_hat": 1.004, "effective_draws": 812.0, "acceptance": 0.83},
    }


TRUTH_RECORD = {
    "diameter_mean_nm": 4.10,
    "diameter_std_nm": 0.49,
    "aspect_ratio": 1.0,
    "shell_fraction": TRUTH.tolist(),
    "mean_shell_fraction": 0.70,
    "element_counts": {"Ag": 66, "In": 131, "Zn": 528, "Se": 755},
}
RECIPE = {
    "sample": {"title": "as written", "medium": "toluene"},
    "particle": {
        "shells": 5,
        "shape": "sphere",
        "structure": "wurtzite",
        "profile": "shells",
        "sizes": "gaussian",
        "size": "fit",
    },
    "materials": {
        "core": {
            "formula": "Ag2In4Se7",
            "lattice": {"structure": "wurtzite", "a_nm": 0.426, "c_nm": 0.702},
            "density_uncertainty": 0.01,
        },
        "shell": {"formula": "ZnSe", "lattice": {"structure": "wurtzite", "a_nm": 0.400, "c_nm": 0.655}},
    },
    "asaxs": {
        "edge": "Zn K",
        "factors": "chantler",
        "energy_resolution_ev": 1.5,
        "scale": "common",
        "scale_uncertainty": 0.015,
        "background": "constant",
        "q_range_inv_nm": [0.5, 4.5],
    },
    "tem": {"diameters": "tem_diameters.csv", "reading_error_nm": 0.1},
    "edx": {"file": "edx.csv"},
}


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_run_folder(target / "thick")
    write_run_folder(target / "thin", title="thin ZnSe shell, 50 °C", seed=2, with_recipe=False)
    write_run_folder(target / "contrasts", contrasts=True, title="AOT micro-emulsion, three contrasts")
    write_run_folder(target / "real", simulated=False, title="measured sample")
    write_run_folder(target / "failed", title="failed verification", failing=("tem", "edx"))
