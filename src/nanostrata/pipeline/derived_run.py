"""What follows from the profile: diffusion and lattice mismatch, and the sentences about them and about the atoms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import SizeDistribution
from nanostrata.domain.diffusion import Diffusion
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.mismatch import Mismatch
from nanostrata.domain.particle import ParticleDraws
from nanostrata.domain.verification import Verification
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe

_CURVE = 61


def mismatch(recipe: Recipe, solid: SolidSolution, fit: ProfileFit, particle: ParticleDraws) -> Mismatch:
    """Lattice mismatch between shells and between crystal layers, for every posterior draw."""
    from nanostrata.stages.derive_mismatch import derive_mismatch

    return derive_mismatch(
        solid, fit.main_shells, particle.profile.edges_nm, structure=recipe.particle.structure or solid.core.structure,
        profile=(particle.band_radius_nm, np.clip(particle.band_x, 0.0, 1.0)), informed_by=fit.informed_by,
    )  # fmt: skip


def diffusion(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, sizes: SizeDistribution, fit: ProfileFit,
    effort: dict[str, int], seed: int, progress: Callable[[str], None],
) -> Diffusion | None:  # fmt: skip
    """Diffusivity of the exchanged element; None where the shell material brings no element that the core lacks."""
    from nanostrata.models.diffusion import diffusing_elements
    from nanostrata.pipeline.fit_recipe import fit_setup
    from nanostrata.stages.derive_diffusion import DiffusionSettings, derive_diffusion

    assert recipe.growth is not None
    try:
        diffusing_elements(solid)
    except PhysicsError as error:
        progress(f"no diffusivity: {error.problems[0]}")
        return None
    # two parameters in place of a profile: half of the chains tell them as well
    settings = DiffusionSettings(draws=effort["draws"], warmup=effort["warmup"], chains=max(2, effort["chains"] // 2))
    return derive_diffusion(
        fit_setup(recipe, inputs, solid, sizes), fit, settings,
        growth_time_s=recipe.growth.time_s, temperature_c=recipe.growth.temperature_c, seed=seed, progress=progress,
    )  # fmt: skip


def findings(
    recipe: Recipe, verification: Verification | None, found: Diffusion | None, steps: Mismatch | None
) -> tuple[Finding, ...]:
    """Return the sentences of the first page about atoms, diffusion and mismatch."""
    out: list[Finding] = []
    if verification is not None:
        out.append(_atoms(verification))
    if found is not None:
        out.append(_diffusion(found))
    elif steps is not None and recipe.growth is not None:
        out.append(
            Finding(
                text="Nothing is said about diffusion: the shell material brings no element that the core lacks.",
                grade="not determined", numbers={},
            )
        )  # fmt: skip
    if steps is not None:
        out.append(_mismatch(steps))
    return tuple(out)


def _atoms(v: Verification) -> Finding:
    against = [d for d in v.data_sets if d.verdict == "fails"]
    numbers = {f"verification.{d.name}.p": d.p for d in v.data_sets}
    if not against:
        names = ", ".join(d.name.upper() for d in v.data_sets)
        lowest = min(v.data_sets, key=lambda d: d.p)
        return Finding(
            text=f"Particles of atoms built from the profile reproduce every measurement ({names}); the least likely is "
            f"{lowest.name.upper()} with p = {lowest.p:.2g}.",
            grade="strong", numbers=numbers,
        )  # fmt: skip
    return Finding(
        text="Particles of atoms built from the profile do NOT reproduce the measurements. "
        + " ".join(d.sentence for d in against),
        grade="strong", numbers=numbers,
        improve="the model, a stated error or a file is wrong: look at the section on verification",
    )  # fmt: skip


def _diffusion(d: Diffusion) -> Finding:
    low, high = np.quantile(d.diffusivity_cm2_s, [0.025, 0.975])
    where = f"{d.time_s:g} s" + ("" if d.temperature_c is None else f" at {d.temperature_c:g} °C")
    numbers = {"diffusion.diffusivity_cm2_s": float(d.diffusivity_cm2_s.mean()), "p": d.fick.p}
    if d.verdict == "determined":
        return Finding(
            text=f"{d.elements[0]} diffuses with D = {d.diffusivity_cm2_s.mean():.2g} cm²/s (95 %: {low:.2g} to {high:.2g}; spherical "
            f"Fick-2, {where}). Other definitions of D give other numbers; they stand beside it.",
            grade="moderate", numbers=numbers,
        )  # fmt: skip
    return Finding(
        text=f"The diffusivity of {d.elements[0]} is {d.verdict}.", grade="not determined", numbers=numbers,
        improve="a gradient that ends inside the particle: a shorter or longer growth",
    )  # fmt: skip


def _mismatch(m: Mismatch) -> Finding:
    parts, numbers = [], {}
    for i, direction in enumerate(m.directions):
        draws = m.maximum_supported_percent(i)
        if draws is None:
            continue
        low, high = np.quantile(draws, [0.025, 0.975])
        along = "" if direction == "cubic" else f" along {direction}"
        parts.append(
            f"{draws.mean():.1f} %{along} (95 %: {low:.1f} to {high:.1f}; abrupt interface {m.abrupt_percent[i]:.1f})"
        )
        numbers[f"mismatch.{direction}.maximum_supported_percent"] = float(draws.mean())
    if not parts:
        return Finding(
            text="The largest step of the lattice constants is not determined: no two neighbouring shells are informed by the data.",
            grade="not determined", numbers={}, improve="better data for the inner shells",
        )  # fmt: skip
    return Finding(
        text="The largest lattice mismatch between neighbouring shells that the data inform is " + " and ".join(parts) + ".",
        grade="moderate", numbers=numbers,
    )  # fmt: skip


def write_derived(
    folder: Path,
    solid: SolidSolution,
    fit: ProfileFit,
    found: Diffusion | None,
    steps: Mismatch | None,
    truth: Mapping[str, Any],
) -> None:
    """Write ``depth_profile.csv`` and ``mismatch.csv``."""
    from nanostrata.io.text_out import write_csv

    if found is not None:
        write_csv(
            folder / "depth_profile.csv",
            ["depth_nm", "density_inv_nm3", "low68", "high68", "low95", "high95", "exponential", "fick", "truth"],
            _depth_rows(solid, fit, found, truth),
        )
    if steps is not None:
        rows = []
        for i, direction in enumerate(steps.directions):
            percent = steps.percent[i]
            low, high = np.quantile(percent, [0.025, 0.975], axis=0)
            for k in range(percent.shape[1]):
                supported = bool(steps.supported[k]) if len(steps.supported) else None
                rows.append(
                    [
                        direction,
                        f"{k + 1} and {k + 2}",
                        float(percent[:, k].mean()),
                        float(low[k]),
                        float(high[k]),
                        supported,
                    ]
                )
        write_csv(
            folder / "mismatch.csv", ["direction", "between", "percent", "low95", "high95", "informed_by_data"], rows
        )


def _depth_rows(solid: SolidSolution, fit: ProfileFit, d: Diffusion, truth: Mapping[str, Any]) -> list[list[float]]:
    from nanostrata.kernels.fick import fick_profile
    from nanostrata.models.diffusion import number_density_nm3

    names, theta = fit.main.names, fit.main.theta
    core, shell = theta[:, names.index("density_core")], theta[:, names.index("density_shell")]
    x = fit.main.shell_fraction
    radius = float(d.radius_nm.mean())
    s = np.linspace(1.0, 0.0, _CURVE)
    index = np.clip(np.ceil(s * x.shape[1] - 1e-9).astype(int) - 1, 0, x.shape[1] - 1)
    density = number_density_nm3(solid, d.elements[0], x[:, index], core, shell)
    bands = np.quantile(density, [0.16, 0.84, 0.025, 0.975], axis=0)
    depth = radius * (1.0 - s)
    good = np.isfinite(d.c1)
    exponential = (
        np.median(np.exp(d.c1[good, None] + d.c2_inv_nm[good, None] * depth), axis=0)
        if good.any()
        else np.full(len(s), np.nan)
    )
    draws = d.fick.draws
    surface = draws.theta[:, draws.names.index("x_surface")]
    tau = 10.0 ** draws.theta[:, draws.names.index("log10_tau")]
    pick = np.linspace(0, len(tau) - 1, min(len(tau), 100)).astype(int)
    fick_x = np.stack([surface[i] * fick_profile(s, float(tau[i]))[0] for i in pick])
    zero = np.zeros(len(pick))
    fick = np.median(number_density_nm3(solid, d.elements[0], np.clip(fick_x, 0.0, 1.0), zero, zero), axis=0)
    true = np.full(len(s), np.nan)
    if "x_of_s" in truth:
        known = np.interp(s, truth["x_of_s"]["s"], truth["x_of_s"]["x"])
        true = number_density_nm3(solid, d.elements[0], known[None], zero[:1], zero[:1])[0]
    columns = (depth, density.mean(axis=0), *bands, exponential, fick, true)
    return [[float(c[i]) for c in columns] for i in range(len(s))]
