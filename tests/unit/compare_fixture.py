"""Small synthetic run folders for tests of `compare`: plainly invented numbers in the layout of summary.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

X_THIN = (0.02, 0.05, 0.04, 0.16, 0.50)
X_THICK = (0.15, 0.12, 0.28, 0.64, 0.97)


def quantity(value: float, sigma: float) -> dict[str, Any]:
    return {
        "value": value,
        "sigma": sigma,
        "interval68": [value - sigma, value + sigma],
        "interval95": [value - 1.96 * sigma, value + 1.96 * sigma],
    }


def array(values: Any, sigmas: Any) -> dict[str, Any]:
    parts = [quantity(float(v), float(s)) for v, s in zip(values, sigmas, strict=True)]
    return {k: [p[k] for p in parts] for k in parts[0]}


def summary(
    title: str = "synthetic sample A",
    *,
    x: tuple[float, ...] = X_THIN,
    diameter: float = 3.9,
    temperature: float | None = 50.0,
    diffusivity: float | None = 1.18e-17,
    relative: float = 0.05,
    mismatch: bool = True,
    coverage: float | None = None,
    core: str = "Ag2In4Se7",
) -> dict[str, Any]:
    n = len(x)
    out: dict[str, Any] = {
        "software": {"name": "nanostrata", "version": "0.1.0"},
        "seed": 1,
        "preset": "quick",
        "sample": {"title": title, "medium": "toluene"},
        "simulated": False,
        "materials": {"core": core, "shell": "ZnSe", "structure": "wurtzite"},
        "recipe": {
            "materials": {
                "core": {"formula": core, "lattice": {"structure": "wurtzite", "a_nm": 0.426, "c_nm": 0.702}},
                "shell": {"formula": "ZnSe", "lattice": {"structure": "wurtzite", "a_nm": 0.400, "c_nm": 0.655}},
            }
        },
        "particle": {
            "diameter_mean_nm": quantity(diameter, 0.012),
            "diameter_std_nm": quantity(0.45, 0.007),
            "aspect_ratio": quantity(1.15, 0.015),
        },
        "profile": {
            "family": "shells",
            "edges_nm": [diameter / 2 * (k + 1) / n for k in range(n)],
            "shell_fraction": array(x, [0.11, 0.08, 0.07, 0.05, 0.025][-n:]),
            "mean_shell_fraction": quantity(float(np.dot(x, np.diff((np.arange(n + 1) / n) ** 3))), 0.017),
            "informed_by": ["prior", "weak", "data", "data", "data"][-n:],
            "supported_shells": min(n, 4),
            "gradient": "resolved",
        },
        "asaxs": {"chi2_reduced": 0.98},
        "atoms": {"counts": {"Zn": 100}},
        "findings": [],
        "warnings": [],
    }
    if temperature is not None:
        out["growth"] = {"temperature_c": temperature, "time_s": 600.0}
    if diffusivity is not None:
        out["diffusion"] = {
            "diffusivity_cm2_s": quantity(diffusivity, relative * diffusivity),
            "definition": "spherical Fick-2",
            "element": "Zn",
            "time_s": 600.0,
            "temperature_c": temperature,
            "verdict": "determined",
            "alternatives": [
                {"name": "C", "formula": "J R / F_outer", "label": "mean gradient; our reading, unconfirmed",
                 "diffusivity_cm2_s": quantity(1.1 * diffusivity, relative * diffusivity)},
                {"name": "A", "formula": "1 / (C2^2 t)", "label": "local gradient",
                 "diffusivity_cm2_s": quantity(diffusivity * (0.12 if x[-1] < 0.7 else 0.45), relative * diffusivity)},
            ],
            "depth_fit": {"c1": quantity(2.98, 0.05), "c2_inv_nm": quantity(-3.4, 0.2)},
        }  # fmt: skip
    if mismatch and n > 1:
        for direction, abrupt in (("a", 6.1), ("c", 6.7)):
            steps = abrupt * np.diff(x)
            out.setdefault("mismatch", []).append(
                {"direction": direction, "percent": array(steps, np.full(n - 1, 0.3)), "maximum_percent": quantity(float(steps.max()), 0.3),
                 "abrupt_percent": abrupt}
            )  # fmt: skip
    if coverage is not None:
        out["atoms"]["coverage"] = quantity(coverage, 0.02)
    return out


def write_run(
    folder: Path, content: dict[str, Any], *, draws: np.ndarray | None = None, d_draws: np.ndarray | None = None
) -> Path:
    """Write a run folder; ``draws`` of x (n, shells) and of D go to results.h5."""
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(content), encoding="utf-8")
    if draws is not None or d_draws is not None:
        import h5py

        with h5py.File(folder / "results.h5", "w") as h5:
            if draws is not None:
                h5["process/profile/shell_fraction_draws"] = draws
            if d_draws is not None:
                h5["process/diffusion/diffusivity_cm2_s"] = d_draws
    return folder


def thin_and_thick(parent: Path, **more: Any) -> list[Path]:
    """Two samples whose outer composition differs and whose diffusivities are those that the method's paper prints."""
    rng = np.random.default_rng(7)
    out = []
    for name, x, diameter, temperature, d in (
        ("thin", X_THIN, 3.9, 50.0, 1.18e-17),
        ("thick", X_THICK, 4.1, 150.0, 1.57e-17),
    ):
        content = summary(f"synthetic {name} shell, {temperature:g} °C", x=x, diameter=diameter, temperature=temperature,
                          diffusivity=d, coverage=0.95 * x[-1], **more)  # fmt: skip
        spread = np.array([0.11, 0.08, 0.07, 0.05, 0.025])
        draws = np.clip(np.array(x) + spread * rng.standard_normal((800, 5)), 0, 1)
        out.append(write_run(parent / name, content, draws=draws))
    return out
