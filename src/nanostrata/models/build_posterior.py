"""From curves and prior knowledge to the posterior that the fit explores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nanostrata.domain import ScatteringCurve, SizeDistribution
from nanostrata.domain.base import FloatArray
from nanostrata.errors import RecipeError
from nanostrata.models.contrast_errors import NO_ERRORS, ContrastErrors
from nanostrata.models.families import ProfileFamily
from nanostrata.models.graded_particle import GradedParticle
from nanostrata.models.posterior import SHAPE_DEGREE, Gaussian, Posterior, Template

FREE_FACTOR_SD = 3.0
"""Prior standard deviation of the relative scale of a curve whose scale is free: round the best scale of a homogeneous
particle, so that it does not bind."""


@dataclass(frozen=True, kw_only=True)
class PriorKnowledge:
    """What is known besides the curves.

    Attributes
    ----------
    sizes : size distribution from TEM
    size_fixed : take TEM at its word
    composition : mean x per shared site and its sigma (EDX), or None
    scale : "common" or "per_energy"
    scale_uncertainty : one relative standard deviation per curve
    background : "none", "constant" or "constant+power"
    shape_error : relative deviation of real particles from the ideal body, smooth in q and common to all energies
    shape_degree : degree up to which it may vary in q
    contrast_errors : what is not known exactly about medium, stoichiometry and photon energy
    subtract : for each curve, measured backgrounds that are fitted: (values on the curve's q, scale, its sigma)
    """

    sizes: SizeDistribution
    size_fixed: bool = False
    composition: tuple[float, float] | None = None
    scale: str = "common"
    scale_uncertainty: float = 0.015
    background: str = "constant"
    shape_error: float = 0.007
    shape_degree: int = SHAPE_DEGREE
    contrast_errors: ContrastErrors = NO_ERRORS
    subtract: tuple[tuple[tuple[FloatArray, float, float], ...], ...] = ()


def build_posterior(
    curves: Sequence[ScatteringCurve],
    particle: GradedParticle,
    family: ProfileFamily,
    known: PriorKnowledge,
    *,
    sigma_factors: Sequence[float] | None = None,
    nodes: GradedParticle | None = None,
) -> Posterior:
    """Assemble data, priors and nuisance templates.

    Parameters
    ----------
    curves : in the order in which ``particle`` was prepared
    sigma_factors : stated sigmas of each curve are multiplied by these
    nodes : the particle at few q values that carry all curves (see :func:`nanostrata.models.nodes.prepare_nodes`)

    Raises
    ------
    RecipeError
        For an unknown kind of scale or background.
    """
    if known.scale not in ("common", "per_energy", "absolute"):
        raise RecipeError(f'asaxs.scale: {known.scale!r} is not known; write "common", "per_energy" or "absolute"')
    if known.background not in ("none", "constant", "constant+power"):
        raise RecipeError(
            f'asaxs.background: {known.background!r} is not known; write "none", "constant" or "constant+power"'
        )
    intensity = np.concatenate([c.intensity for c in curves])
    factors = np.ones(len(curves)) if sigma_factors is None else np.asarray(sigma_factors)
    sigma = np.concatenate([c.sigma * f for c, f in zip(curves, factors, strict=True)])
    own_scales = known.scale == "per_energy" and len(curves) > 1
    factor_sd = FREE_FACTOR_SD if own_scales else known.scale_uncertainty
    # one curve, or no uncertainty: the factor would repeat the common scale
    scale_prior = tuple(Gaussian(mean=0.0, sd=0.0 if len(curves) == 1 else factor_sd) for _ in curves)
    log_scale0, laue = _first_scale(curves, particle, family, known, own_scales)
    templates = [
        t for i, c in enumerate(curves) for t in nuisance_templates(i, c, known, float(np.exp(log_scale0[i])) * laue[i])
    ]
    return Posterior(
        particle=particle,
        family=family,
        intensity=intensity,
        sigma=sigma,
        size_prior=_size_prior(particle, known),
        density_prior=(
            Gaussian(mean=0.0, sd=particle.solid.core.density_uncertainty),
            Gaussian(mean=0.0, sd=0.0 if particle.solid.shell is None else particle.solid.shell.density_uncertainty),
        ),
        scale_prior=scale_prior,
        templates=tuple(templates),
        composition=None if known.composition is None else Gaussian(mean=known.composition[0], sd=known.composition[1]),
        log_scale0=log_scale0,
        scale_free=not own_scales,
        nodes=nodes,
        shape_error=known.shape_error,
        shape_degree=known.shape_degree,
    )


def _size_prior(particle: GradedParticle, known: PriorKnowledge) -> tuple[Gaussian, ...]:
    s = known.sizes
    prior = [
        Gaussian(mean=s.mean_nm, sd=0.0 if known.size_fixed else s.mean_sigma_nm),
        Gaussian(mean=s.std_nm, sd=0.0 if known.size_fixed else s.std_sigma_nm),
    ]
    if particle.shape != "sphere":
        sign = 1.0 if particle.shape == "prolate" else -1.0
        if s.aspect_ratio is not None and s.aspect_sigma is not None and (s.aspect_ratio - 1.0) * sign > 0:
            # a micrograph shows projections: its aspect ratio is a lower bound in kind, so its weight is halved
            prior.append(Gaussian(mean=s.aspect_ratio, sd=2.0 * max(s.aspect_sigma, 0.05)))
        else:
            prior.append(Gaussian(mean=1.0 + 0.2 * sign, sd=0.3))
    return tuple(prior)


def _first_scale(
    curves: Sequence[ScatteringCurve], particle: GradedParticle, family: ProfileFamily, known: PriorKnowledge, own: bool
) -> tuple[FloatArray, FloatArray]:
    """ln of each curve's scale for a homogeneous particle (its own, or one for all), and its Laue scattering, e^2."""
    mean = 0.5 if known.composition is None else known.composition[0]
    x, _ = family.composition(family.starts(mean)[0])
    size = np.array([g.mean for g in _size_prior(particle, known)])
    e = particle.evaluate(x, size)
    intensity = np.concatenate([c.intensity for c in curves])
    sigma = np.concatenate([c.sigma for c in curves])
    form = e.value + e.laue

    def scale(part: Any) -> float:
        f, i, s = form[part], intensity[part], sigma[part]
        best = float(np.sum(f * i / s**2) / np.sum(f**2 / s**2))
        return best if best > 0 else float(np.median(np.abs(i)) / np.median(f))

    parts = [particle.curve_index == i for i in range(len(curves))]
    scales = [scale(p) for p in parts] if own else [scale(slice(None))] * len(curves)
    laue = np.array([e.laue[p][0] for p in parts])
    return np.log(scales), laue


def nuisance_templates(index: int, curve: ScatteringCurve, known: PriorKnowledge, laue: float) -> list[Template]:
    """Return what is added to one curve with unknown height: constant, power law, measured backgrounds; see Template.

    ``laue`` is the Laue scattering expected for the curve, in data units.
    """
    out = []
    if known.background != "none":
        tail = curve.intensity[-max(3, len(curve) // 6) :]
        # fluorescence is not known beforehand: the constant may be as large as the signal at the end of the curve
        sd = max(3.0 * laue, float(np.median(np.abs(tail))))
        out.append(Template(name=f"constant_{index}", curve=index, values=np.ones(len(curve)), mean=0.0, sd=sd))
    if known.background == "constant+power":
        values = (curve.q_inv_nm / curve.q_inv_nm[0]) ** -4.0
        sd = 0.3 * float(np.abs(curve.intensity[:5]).mean())
        out.append(Template(name=f"power_{index}", curve=index, values=values, mean=0.0, sd=sd))
    for j, (values, mean, sd) in enumerate(known.subtract[index] if known.subtract else ()):
        out.append(Template(name=f"background_{index}_{j}", curve=index, values=values, mean=mean, sd=sd))
    return out
