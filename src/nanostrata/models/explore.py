"""Find the best point of a posterior, draw from it, and refit redrawn data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.fit import Draws
from nanostrata.errors import ConvergenceError
from nanostrata.kernels.hmc import effective_size, sample, split_r_hat
from nanostrata.models.collapsed import CollapsedPosterior
from nanostrata.models.extended_particle import ExtendedParticle
from nanostrata.models.posterior import Posterior, solve_linear

PILOT_STEPS = 12
"""Most steps of a trajectory while the covariance is learnt: where the first guess of it is bad, long ones are wasted."""


NEARLY_AS_HIGH = 10.0
"""In -2 ln p: maxima lower than the best by more hold less than 1 % of the probability."""

_SAME = 0.05
"""Two maxima whose profiles differ by less than this share of the range of every parameter are one."""


class SamplerSettings(Protocol):
    """How long to sample."""

    @property
    def draws(self) -> int:
        """Kept draws of each chain."""

    @property
    def warmup(self) -> int:
        """Steps of adaptation before them."""

    @property
    def chains(self) -> int:
        """Number of chains."""


def best_point(posterior: Posterior, extra: Sequence[FloatArray] = ()) -> FloatArray:
    """Highest density inside the bounds: the first of :func:`local_maxima`."""
    return local_maxima(posterior, extra)[0]


def local_maxima(posterior: Posterior, extra: Sequence[FloatArray] = ()) -> list[FloatArray]:
    """Maxima of the density inside the bounds, from several starts (scipy's trust-region reflective least squares).

    Returns
    -------
    list
        The highest first, then those that are lower by less than ``NEARLY_AS_HIGH`` and not the same point.

    Raises
    ------
    ConvergenceError
        When no start ends at a finite value.
    """
    from scipy.optimize import least_squares

    free = posterior.free
    low, high = posterior.lower, posterior.upper
    mean = 0.5 if posterior.composition is None else posterior.composition.mean
    found: list[tuple[float, FloatArray]] = []
    starts = [solve_linear(posterior, posterior.start(p)) for p in posterior.family.starts(mean)]
    for theta0 in [*starts, *extra]:
        inside = _into_box(theta0, low, high)
        template = inside.copy()

        def unpack(z: FloatArray, template: FloatArray = template) -> FloatArray:
            theta = template.copy()
            theta[free] = z
            return theta

        result = least_squares(
            lambda z, unpack=unpack: posterior.residuals(unpack(z))[0],
            inside[free],
            jac=lambda z, unpack=unpack: posterior.residuals(unpack(z))[1],
            bounds=(low[free], high[free]),
            x_scale="jac",
            ftol=1e-9,
            xtol=1e-9,
            max_nfev=100,
        )
        if np.isfinite(result.cost):
            found.append((2.0 * float(result.cost), unpack(result.x)))
    if not found:
        raise ConvergenceError(
            "the fit did not reach a finite chi2 from any start; look at the curves with `nanostrata check`"
        )
    found.sort(key=lambda pair: pair[0])
    out: list[tuple[float, FloatArray]] = []
    profile = slice(0, len(posterior.family.names))
    span = (high - low)[profile]
    for cost, theta in found:
        apart = all(np.max(np.abs(theta[profile] - other[profile]) / span) > _SAME for _, other in out)
        if cost < found[0][0] + NEARLY_AS_HIGH and apart:
            out.append((cost, theta))
    return [theta for _, theta in out]


def _into_box(theta: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Move strictly inside the bounds, as the search needs."""
    span = np.where(np.isfinite(high - low), high - low, 1.0)
    return np.clip(theta, low + 1e-3 * span, high - 1e-3 * span)


def laplace_covariance(posterior: Posterior, theta: FloatArray) -> FloatArray:
    """Covariance of the free parameters from the curvature at theta, with each box as a Gaussian of its width."""
    _, j = posterior.residuals(theta)
    hessian = j.T @ j
    width = (posterior.upper - posterior.lower)[posterior.free]
    hessian += np.diag(np.where(np.isfinite(width), 12.0 / np.maximum(width, 1e-12) ** 2, 0.0))
    cov = np.linalg.inv(hessian)
    return 0.5 * (cov + cov.T)


def laplace_sd(posterior: Posterior, theta: FloatArray) -> FloatArray:
    """Standard deviation of every parameter from the curvature; 0 for those that are held."""
    out = np.zeros(len(theta))
    out[posterior.free] = np.sqrt(np.diag(laplace_covariance(posterior, theta)))
    return out


def draw(
    posterior: Posterior,
    best: FloatArray,
    settings: SamplerSettings,
    seed: np.random.SeedSequence,
    modes: Sequence[FloatArray] = (),
) -> Draws:
    """Sample the posterior by Hamiltonian Monte Carlo with walls.

    All coefficients in which the model is linear are integrated out, and drawn from their Gaussian afterwards. Two rounds:
    short chains learn the covariance, longer ones with that covariance are kept.

    Parameters
    ----------
    best : point of the highest density
    modes : further local maxima: chains start at them in turn, so that R-hat shows when they are not connected
    """
    collapsed = CollapsedPosterior(posterior=posterior, anchor=best)
    kept = collapsed.kept
    low, high = posterior.lower[kept], posterior.upper[kept]
    rngs = [np.random.default_rng(s) for s in seed.spawn(settings.chains)]
    position = np.searchsorted(np.flatnonzero(posterior.free), kept)
    cov = laplace_covariance(posterior, best)[np.ix_(position, position)]
    root = np.linalg.cholesky(cov)
    begin = [_into_box(m, posterior.lower, posterior.upper)[kept] for m in (best, *modes)]
    margin = 1e-3 * np.where(np.isfinite(high - low), high - low, 1.0)
    starts = [
        np.clip(begin[i % len(begin)] + 0.7 * (root @ rng.standard_normal(len(kept))), low + margin, high - margin)
        for i, rng in enumerate(rngs)
    ]
    first = settings.warmup // 2
    pilot = [
        sample(collapsed.log_density, s, cov, low, high, draws=first, warmup=first, rng=rng, most_steps=PILOT_STEPS)
        for s, rng in zip(starts, rngs, strict=True)
    ]
    pooled = np.concatenate([c.draws for c in pilot])
    weight = len(pooled) / (len(pooled) + 25.0)
    cov = weight * np.cov(pooled.T) + (1 - weight) * cov
    chains = [
        sample(collapsed.log_density, c.draws[-1], cov, low, high, draws=settings.draws, warmup=settings.warmup // 2, rng=rng)
        for c, rng in zip(pilot, rngs, strict=True)
    ]  # fmt: skip
    stacked = np.stack([c.draws for c in chains])
    theta = np.stack([collapsed.complete(z, rng) for c, rng in zip(stacked, rngs, strict=True) for z in c])
    n_profile = len(posterior.family.names)
    shells = np.stack([posterior.family.composition(t[:n_profile])[0] for t in theta])
    r, _ = posterior.residuals(best)
    n_data = len(posterior.intensity)
    return Draws(
        names=posterior.names,
        theta=theta,
        shell_fraction=shells,
        best=best,
        chi2=float(r[:n_data] @ r[:n_data]),
        chi2_total=float(r @ r),
        r_hat=float(split_r_hat(stacked).max()),
        effective=float(effective_size(stacked).min()),
        acceptance=float(np.mean([c.acceptance for c in chains])),
    )


def resampled_fits(
    posterior: Posterior, best: FloatArray, count: int, seed: np.random.SeedSequence
) -> tuple[FloatArray, FloatArray]:
    """Refits of data redrawn inside the error bars (Yarema et al. 2017), Gaussian and uniform, (count, n_shell) each.

    Sizes, densities, relative scales are held at ``best``; the compositions, the common scale and the constants are free.
    The uniform variant redraws within +-sigma, so its bars are 0.58 of the Gaussian's. Bound to equispaced shells. What a
    ligand shell and a spread of composition add to the curves is held at ``best``, too.
    """
    from nanostrata.kernels.refit import bounded_refits

    particle = posterior.particle
    profile, size, density, _, _, coefficients = posterior.split(best)
    n, n_curve = len(profile), len(posterior.scale_prior)
    constants = [i for i, t in enumerate(posterior.templates) if t.name.startswith("constant_")]
    evaluation = posterior.evaluate(best)
    index = particle.curve_index
    factor = posterior.factor(best)
    core, shell, medium = particle.contrasts(posterior.contrast(best))
    other = np.array(coefficients, copy=True)
    other[constants] = 0.0
    offset = factor * evaluation.laue + posterior.template_matrix @ other
    tables = particle.tables(size)
    if isinstance(particle, ExtendedParticle):
        x, _ = posterior.family.composition(profile)
        tables, alone = particle.shells_alone(x, (density[0], density[1]), tables, posterior.contrast(best))
        offset += factor * (evaluation.value - alone)
    grid = np.linspace(0, 1, 41)
    poly = np.polyfit(grid, particle.solid.site_volume_nm3(grid), 4)
    start = np.concatenate([profile, [1.0], coefficients[constants] if constants else []])
    lower = np.concatenate([np.zeros(n), np.full(len(start) - n, -np.inf)])
    upper = np.concatenate([np.ones(n), np.full(len(start) - n, np.inf)])
    rng = np.random.default_rng(seed)
    model, _ = posterior.model(best, gradient=False)
    results = []
    for noise in (rng.standard_normal((count, len(model))), rng.uniform(-1.0, 1.0, (count, len(model)))):
        out, chi2 = np.empty((count, len(start))), np.empty(count)
        bounded_refits(
            posterior.intensity + posterior.sigma * noise, posterior.sigma, start, lower, upper, poly, np.polyder(poly),
            core, shell, medium, float(density[0]), float(density[1]), particle.column,
            tables[:1].copy(), factor, index, offset, n, True, len(constants) == n_curve, np.zeros((0, n)), 60,
            out, chi2,
        )  # fmt: skip
        results.append(out[:, :n])
    return results[0], results[1]
