"""Derive the diffusivity of the exchanged element from the curves and from the profile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.diffusion import Diffusion, FickFit
from nanostrata.domain.fit import ProfileFit
from nanostrata.errors import PhysicsError
from nanostrata.models.diffusion import (
    defined_diffusivities,
    depth_fractions,
    diffusing_elements,
    diffusivity_cm2_s,
    fit_exponential,
    number_density_nm3,
    own_tau_excess,
)
from nanostrata.models.explore import best_point, draw
from nanostrata.models.families import Fick
from nanostrata.models.fit_setup import FitSetup
from nanostrata.models.posterior import Posterior

VERSION = "1"

FICK_SHELLS = 10
"""Shells of the Fick family; what 10 shells miss of the profile is added by the step to particles with their own tau."""

_STEPS = 15
_CLOSE = 2e-3
_AT_BOUND = 1e-3


@dataclass(frozen=True, kw_only=True)
class DiffusionSettings:
    """``draws``, ``warmup``, ``chains`` of the sampler."""

    draws: int = 300
    warmup: int = 250
    chains: int = 4


def derive_diffusion(
    setup: FitSetup,
    fit: ProfileFit,
    settings: DiffusionSettings,
    *,
    growth_time_s: float,
    temperature_c: float | None,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Diffusion:
    """Diffusivity from Fick's second law fitted to the curves, and from the profile by every named definition.

    Parameters
    ----------
    setup : as for the fit of the profile, curves in the same order
    fit : the fitted profile; its sigma factors and free shells are used
    growth_time_s : how long the shell material was supplied
    temperature_c : of the growth, for the record; None when it is not stated
    seed : all random numbers come from it

    Returns
    -------
    Diffusion

    Raises
    ------
    PhysicsError
        When no element of the shell material is new, the time is not above 0, or the curves are not those of the fit.
    ConvergenceError
        When no start of the search reaches a finite minimum.

    Notes
    -----
    Assumes a constant diffusivity, a surface at a constant composition since t = 0, a core free of shell material at
    t = 0, a size that does not change, and, for spheroids, the profile of the sphere of the same volume against the
    ellipsoidal radius.
    """
    curves, solid = setup.curves, setup.solid
    elements = diffusing_elements(solid)
    if not (math.isfinite(growth_time_s) and growth_time_s > 0.0):
        raise PhysicsError(f"growth.time_s: expected a time above 0 s, got {growth_time_s!r}")
    if len(curves) != len(fit.curves) or any(
        len(c) != len(f.intensity) for c, f in zip(curves, fit.curves, strict=False)
    ):
        raise PhysicsError(
            f"diffusion: the profile was fitted to {len(fit.curves)} curves of {[len(f.intensity) for f in fit.curves]} points, "
            f"but {len(curves)} of {[len(c) for c in curves]} were given; pass the same curves in the same order"
        )
    progress("fitting Fick's second law to the curves")
    fick = _fit_fick(setup, fit, settings, growth_time_s, np.random.SeedSequence(seed))

    names, theta, x = fit.main.names, fit.main.theta, fit.main_shells
    radius = 0.5 * theta[:, names.index("diameter_mean_nm")]
    density = number_density_nm3(
        solid, elements[0], x, theta[:, names.index("density_core")], theta[:, names.index("density_shell")]
    )
    depth = depth_fractions(x.shape[1])
    c1, slope, at_limit = fit_exponential(depth, density, density.std(axis=0, ddof=1))
    c2 = slope / radius
    return Diffusion(
        elements=elements,
        time_s=float(growth_time_s),
        temperature_c=None if temperature_c is None else float(temperature_c),
        depth_fraction=depth,
        radius_nm=radius,
        density_nm3=density,
        c1=c1,
        c2_inv_nm=c2,
        at_limit=at_limit,
        definitions=defined_diffusivities(density, c1, c2, radius, growth_time_s),
        fick=fick,
    )


def _fit_fick(
    setup: FitSetup, fit: ProfileFit, settings: DiffusionSettings, time_s: float, seed: np.random.SeedSequence
) -> FickFit:
    from scipy.stats import chi2 as chi2_law

    family = Fick(n=FICK_SHELLS)
    base = setup.posterior(family, [c.sigma_factor for c in fit.curves])
    common = best_point(base)
    posterior, best, step = _own_tau(base, common)
    cost = _cost(posterior, best)
    low, high = family.log10_tau
    rises = []
    for ends in ((low, low + _AT_BOUND), (high - _AT_BOUND, high)):
        held = replace(base, family=Fick(n=FICK_SHELLS, log10_tau=ends, guesses=(0.5 * (ends[0] + ends[1]),)))
        at_end, there, _ = _own_tau(held, best_point(held))
        rises.append(_cost(at_end, there) - cost)
    draws = draw(setup.on_nodes(posterior), best, settings, seed)
    names = draws.names
    radius = 0.5 * draws.theta[:, names.index("diameter_mean_nm")]
    tau = 10.0 ** draws.theta[:, names.index("log10_tau")]
    shells = len(fit.fractions)
    return FickFit(
        draws=draws,
        radius_nm=radius,
        diffusivity_cm2_s=diffusivity_cm2_s(tau, radius, time_s),
        chi2=cost,
        shells_chi2=fit.shells_chi2,
        shells=shells,
        n_data=len(base.intensity),
        p=float(chi2_law.sf(max(0.0, cost - fit.shells_chi2), max(1, shells - len(family.names)))),
        log10_tau_bounds=family.log10_tau,
        chi2_at_bounds=(float(rises[0]), float(rises[1])),
        common_tau_shift=float(best[names.index("log10_tau")] - common[names.index("log10_tau")]),
        correction_step=step,
    )


def _own_tau(base: Posterior, start: FloatArray) -> tuple[Posterior, FloatArray, float]:
    """Move from one tau for all particles to their own: subtract from the data what the latter add to the model, refit.

    Each step shrinks the change of log10(tau) by about five to ten (up to 20 % spread of the sizes); where it does not,
    as in nearly full particles of wide spread, only half of the change is made. The result is a best point of the model
    with own tau, with the derivatives of the one with a common tau.
    """
    at = base.names.index("log10_tau")
    family = base.family
    assert isinstance(family, Fick)
    low, high = family.log10_tau
    best, step, posterior = start, np.inf, base
    applied, share = np.zeros(len(base.intensity)), 1.0
    for _ in range(_STEPS):
        profile, size, density, _, _, _ = base.split(best)
        excess = own_tau_excess(
            base.particle, float(profile[0]), 10.0 ** float(profile[1]), size, (float(density[0]), float(density[1]))
        )
        applied = share * base.factor(best) * excess + (1.0 - share) * applied
        near = replace(family, guesses=(float(np.clip(profile[1], low, high)),))
        posterior = replace(base, family=near, intensity=base.intensity - applied)
        after = best_point(posterior, extra=[best])
        before, step, best = step, abs(float(after[at] - best[at])), after
        if step < _CLOSE * share:
            break
        if step > 0.5 * before:
            share = max(0.5 * share, 0.125)
    return posterior, best, step


def _cost(posterior: Posterior, theta: FloatArray) -> float:
    r, _ = posterior.residuals(theta)
    return float(r @ r)


__all__ = ["VERSION", "DiffusionSettings", "derive_diffusion", "diffusing_elements"]
