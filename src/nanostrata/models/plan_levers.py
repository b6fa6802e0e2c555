"""Single improvements of a plan, each as the plan would be with it alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nanostrata.domain import Material
from nanostrata.domain.base import FloatArray
from nanostrata.domain.plan import EnergyPlan
from nanostrata.models.information import PlanSetup

__all__ = ["ADDED_COMPOSITION_SD", "Improvement", "improvements", "with_density_sd", "with_scale_sd"]

ADDED_COMPOSITION_SD = 0.02
"""Standard deviation of the mean x that careful EDX of many particles gives; tried where none is planned."""

_PERFECT_COMPOSITION = 1e-5
_EVER = 1e9


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """What is improved, to what, and the setup and plan with it; ``kind`` is "step" or "perfect"."""

    name: str
    change: str
    kind: str
    setup: PlanSetup
    plan: EnergyPlan


def with_density_sd(setup: PlanSetup, core: float, shell: float) -> PlanSetup:
    """The setup with other relative standard deviations of the end members' electron densities."""
    solid = setup.solid
    member: Material | None = None if solid.shell is None else replace(solid.shell, density_uncertainty=shell)
    return replace(setup, solid=replace(solid, core=replace(solid.core, density_uncertainty=core), shell=member))


def with_scale_sd(setup: PlanSetup, sd: float) -> PlanSetup:
    """The setup with another relative error of the flux normalisation at each energy; infinite = free."""
    if not np.isfinite(sd):
        return replace(setup, known=replace(setup.known, scale="per_energy"))
    return replace(setup, known=replace(setup.known, scale="common", scale_uncertainty=sd))


def improvements(setup: PlanSetup, plan: EnergyPlan) -> Iterator[Improvement]:
    """Yield every improvement that applies: exposure, q range, normalisation, EDX, TEM, densities and the rest."""

    def one(name: str, change: str, kind: str, new: PlanSetup, exposure: float = 1.0) -> Improvement:
        return Improvement(
            name=name, change=change, kind=kind, setup=new, plan=replace(plan, exposure_s=plan.exposure_s * exposure)
        )

    yield one("exposure", "doubled at each energy", "step", setup, 2.0)
    if setup.noise.floor > 0:
        # without a floor the points would be known exactly, which is no experiment
        yield one("exposure", "no counting noise at all", "perfect", setup, _EVER)
    longer = extended(setup.q_inv_nm, 2.0)
    yield one(
        "q range",
        f"twice as long, up to {longer[-1]:.3g} 1/nm",
        "step",
        replace(setup, q_inv_nm=longer, dq_inv_nm=_longer(setup, longer)),
    )
    yield from _normalisation(setup, one)
    yield from _composition(setup, one)
    yield from _sizes(setup, one)
    core = setup.solid.core.density_uncertainty
    shell = 0.0 if setup.solid.shell is None else setup.solid.shell.density_uncertainty
    if core > 0 or shell > 0:
        said = f"{100 * core / 2:.2g} %" if core == shell else f"{100 * core / 2:.2g} and {100 * shell / 2:.2g} %"
        yield one("densities", f"end members known to {said}", "step", with_density_sd(setup, core / 2, shell / 2))
        yield one("densities", "end members known exactly", "perfect", with_density_sd(setup, 0.0, 0.0))
    if setup.noise.floor > 0:
        floor = setup.noise.floor / 2
        yield one("noise floor", f"{100 * floor:.2g} % of each point", "step", _floor(setup, floor))
        yield one("noise floor", "none", "perfect", _floor(setup, 0.0))
    if setup.known.shape_error > 0:
        error = setup.known.shape_error / 2
        yield one(
            "particle model",
            f"shape and facets described to {100 * error:.2g} %",
            "step",
            _known(setup, shape_error=error),
        )
        yield one("particle model", "exact", "perfect", _known(setup, shape_error=0.0))
    if setup.known.background != "none":
        yield one("backgrounds", "constants known exactly", "perfect", _known(setup, background="none"))
    yield from _contrasts(setup, one)


def _known(setup: PlanSetup, **changes: object) -> PlanSetup:
    return replace(setup, known=replace(setup.known, **changes))  # type: ignore[arg-type]


def _floor(setup: PlanSetup, floor: float) -> PlanSetup:
    return replace(setup, noise=replace(setup.noise, floor=floor))


def _longer(setup: PlanSetup, q: FloatArray) -> FloatArray | None:
    return None if setup.dq_inv_nm is None else np.interp(q, setup.q_inv_nm, setup.dq_inv_nm)


def _normalisation(setup: PlanSetup, one: object) -> Iterator[Improvement]:
    assert callable(one)
    sd = setup.known.scale_uncertainty
    if setup.known.scale == "per_energy":
        yield one("flux normalisation", f"energies on one scale to {100 * sd:.2g} %", "step", with_scale_sd(setup, sd))
    else:
        yield one("flux normalisation", f"{100 * sd / 2:.2g} % at each energy", "step", with_scale_sd(setup, sd / 2))
    yield one("flux normalisation", "exact", "perfect", with_scale_sd(setup, 0.0))


def _composition(setup: PlanSetup, one: object) -> Iterator[Improvement]:
    assert callable(one)
    edx = setup.known.composition
    sd = ADDED_COMPOSITION_SD if edx is None else edx[1] / 2
    word = "added, " if edx is None else ""
    yield one("EDX", f"{word}mean x known to ±{sd:.2g}", "step", _known(setup, composition=(0.5, sd)))
    if setup.shells > 1:
        # of one shell the mean is all there is
        yield one("EDX", "mean x known exactly", "perfect", _known(setup, composition=(0.5, _PERFECT_COMPOSITION)))


def _sizes(setup: PlanSetup, one: object) -> Iterator[Improvement]:
    assert callable(one)
    if setup.known.size_fixed:
        return
    s = setup.known.sizes
    better = replace(s, mean_sigma_nm=s.mean_sigma_nm / 2, std_sigma_nm=s.std_sigma_nm / 2)
    said = f"mean diameter to ±{better.mean_sigma_nm:.2g} nm, spread to ±{better.std_sigma_nm:.2g} nm"
    yield one("TEM", said, "step", _known(setup, sizes=better))
    yield one("TEM", "sizes known exactly", "perfect", _known(setup, size_fixed=True))


def _contrasts(setup: PlanSetup, one: object) -> Iterator[Improvement]:
    assert callable(one)
    errors = setup.known.contrast_errors
    rows = (
        ("medium_density", "density of the medium", f"{50 * errors.medium_density:.2g} %"),
        ("energy_ev", "energy calibration", f"{errors.energy_ev / 2:.2g} eV"),
        ("core_cations", "stoichiometry of the core", f"{50 * errors.core_cations:.2g} %"),
        ("shell_cations", "stoichiometry of the shell", f"{50 * errors.shell_cations:.2g} %"),
    )
    for field, name, half in rows:
        sd = getattr(errors, field)
        if sd > 0:
            better: tuple[dict[str, Any], dict[str, Any]] = ({field: sd / 2}, {field: 0.0})
            yield one(name, f"known to {half}", "step", _known(setup, contrast_errors=replace(errors, **better[0])))
            yield one(name, "known exactly", "perfect", _known(setup, contrast_errors=replace(errors, **better[1])))


def extended(q: FloatArray, factor: float) -> FloatArray:
    """The same points and more of them with the last spacing, up to ``factor`` times the largest q."""
    step = float(q[-1] - q[-2])
    more = np.arange(1, int(np.floor((factor - 1.0) * q[-1] / step + 1e-9)) + 1)
    return np.asarray(np.concatenate([q, q[-1] + step * more]))
