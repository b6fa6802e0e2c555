"""Evidence of a profile family: the probability of the data with all its parameters integrated out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.hmc import sample
from nanostrata.models.collapsed import CollapsedPosterior
from nanostrata.models.explore import laplace_covariance
from nanostrata.models.families import ProfileFamily, Shells
from nanostrata.models.posterior import Gaussian, Posterior

DEGREES_OF_FREEDOM = 5.0
"""Of the multivariate t: heavier tails than the density's, so that the weights have a finite variance."""

WIDE_SHARE = 0.2
"""Share of the draws from twice as wide a t, for tails that the pilot missed."""

WANTED, MOST = 1000.0, 64_000
"""Effective draws asked for, and the most draws spent on them."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """ln of an integral and how well it is known.

    Attributes
    ----------
    ln_z : up to the constant that all models on the same data share
    ln_z_sigma : its standard error from the spread of the weights
    effective : (sum w)^2 / sum w^2
    points, weights : (n, n_kept) and (n,) the draws inside the box and their weights, which add up to 1
    """

    ln_z: float
    ln_z_sigma: float
    effective: float
    points: FloatArray
    weights: FloatArray


def log_prior_volume(family: ProfileFamily) -> float:
    r"""Return ln of the integral over the box of exp(-rows^2/2), the family's prior without its constant.

    A box without rows gives the product of its widths. The steps of :class:`Shells` are a Markov chain, summed exactly
    shell by shell on Gauss-Legendre nodes; second differences make it one of pairs of neighbours.

    Raises
    ------
    PhysicsError
        For a family with a prior of another form.
    """
    if not isinstance(family, Shells):
        if len(family.prior_rows(np.asarray(family.lower, dtype=float))[0]):
            raise PhysicsError(
                f"the prior of {type(family).__name__} has no known constant; add it to log_prior_volume"
            )
        return float(np.log(family.upper - family.lower).sum())
    n = family.n
    if n == 1:
        return 0.0
    nodes, weights = np.polynomial.legendre.leggauss(96 if family.curvature_sd is None else 48)
    x, w = 0.5 * (nodes + 1.0), 0.5 * weights
    tau = np.full(n - 1, np.inf)
    if family.smooth_sd is not None:
        tau = family.smooth_sd * np.sqrt(np.arange(1, n) / (n - 1))
    step = x[None, :] - x[:, None]
    if family.curvature_sd is None:
        f = np.ones(len(x))
        for t in tau:
            f = (w * f) @ np.exp(-0.5 * (step / t) ** 2)
        return float(np.log(w @ f))
    bend = np.exp(-0.5 * ((step[None] - step[:, :, None]) / family.curvature_sd) ** 2)
    pair = np.exp(-0.5 * (step / tau[0]) ** 2)
    for t in tau[1:]:
        pair = np.einsum("a,ab,abc->bc", w, pair, bend) * np.exp(-0.5 * (step / t) ** 2)
    return float(np.log(w @ pair @ w))


def log_prior_constant(posterior: Posterior) -> float:
    """Return ln of the constant that makes the prior of the kept parameters integrate to 1 inside the box.

    The common scale has the improper prior d ln(scale) in every model; the linear coefficients are normalised in the
    collapsed density already.
    """
    total = -log_prior_volume(posterior.family)
    first = len(posterior.family.names)
    scalar = (*posterior.size_prior, *posterior.density_prior)
    for i, g in enumerate(scalar, start=first):
        if g.sd != 0:
            total -= _log_mass(g, float(posterior.lower[i]), float(posterior.upper[i]))
    return float(total - 0.5 * np.log(2.0 * np.pi) * len(posterior.particle.contrast_errors))


def _log_mass(prior: Gaussian, low: float, high: float) -> float:
    """Ln of the integral of exp(-r^2/2) over the interval."""
    from scipy.stats import norm

    if not np.isfinite(prior.sd):
        return float(np.log(high - low))
    share = norm.cdf((high - prior.mean) / prior.sd) - norm.cdf((low - prior.mean) / prior.sd)
    return float(np.log(prior.sd * np.sqrt(2.0 * np.pi) * share))


def comparable(posterior: Posterior, reference: Posterior) -> Posterior:
    """Give a posterior the constants' priors and the scale of another one on the same data.

    Both come from a guess with the family's own first profile: left alone, families would differ in priors that have
    nothing to do with the profile.

    Raises
    ------
    PhysicsError
        When the two are not about the same data.
    """
    same = np.array_equal(posterior.intensity, reference.intensity) and np.array_equal(posterior.sigma, reference.sigma)
    if not same:
        raise PhysicsError("evidences compare models on the same data with the same sigma; these two differ in them")
    return replace(posterior, templates=reference.templates, log_scale0=reference.log_scale0)


def evidence(posterior: Posterior, modes: Sequence[FloatArray], seed: np.random.SeedSequence) -> Evidence:
    """Evidence of a posterior whose maxima are given, up to the constant of the data.

    Parameters
    ----------
    posterior : made :func:`comparable` with the others
    modes : its maxima (:func:`nanostrata.models.explore.local_maxima`), all parameters each
    """
    collapsed = CollapsedPosterior(posterior=posterior, anchor=modes[0])
    kept = collapsed.kept
    at = np.searchsorted(np.flatnonzero(posterior.free), kept)
    cov = laplace_covariance(posterior, modes[0])[np.ix_(at, at)]
    out = integrate(
        collapsed.log_density, [m[kept] for m in modes], cov, posterior.lower[kept], posterior.upper[kept], seed
    )
    return replace(out, ln_z=out.ln_z + log_prior_constant(posterior))


def integrate(
    log_density: Callable[[FloatArray], tuple[float, FloatArray]], modes: Sequence[FloatArray], cov: FloatArray, lower: FloatArray,
    upper: FloatArray, seed: np.random.SeedSequence,
) -> Evidence:  # fmt: skip
    r"""Integrate a density over a box by importance sampling.

    A short Hamiltonian run from each maximum gives a mean and a covariance; draws come from the mixture of t
    distributions with these, and are weighed with

    .. math:: Z = \frac{1}{N} \sum_i p(z_i) / q(z_i), \qquad w = 0 \text{ outside the box.}

    The number of draws doubles until ``WANTED`` effective ones are there or ``MOST`` are spent; the stated error does not
    know of a maximum that no run found.

    Parameters
    ----------
    log_density : ln p and its gradient
    modes : its maxima, (n,) each
    cov : (n, n) first guess of the covariance
    lower, upper : (n,) the box; infinite where open
    """
    from scipy.special import logsumexp

    rng = np.random.default_rng(seed)
    width = np.where(np.isfinite(upper - lower), upper - lower, 1.0)
    centres: list[FloatArray] = []
    roots: list[FloatArray] = []
    for mode in modes:
        start = np.clip(mode, lower + 1e-3 * width, upper - 1e-3 * width)
        pilot = sample(log_density, start, cov, lower, upper, draws=150, warmup=150, rng=rng, most_steps=12).draws
        run = sample(
            log_density, pilot[-1], _covariance(pilot, cov), lower, upper, draws=300, warmup=60, rng=rng, most_steps=24
        )
        centres.append(run.draws.mean(axis=0))
        roots.append(np.asarray(np.linalg.cholesky(_covariance(run.draws, cov)), dtype=np.float64))
    points, ratio = np.empty((0, len(lower))), np.empty(0)
    batch = 2000
    while True:
        z = _draw(centres, roots, batch, rng)
        inside = np.all((z >= lower) & (z <= upper), axis=1)
        value = np.full(batch, -np.inf)
        value[inside] = [log_density(p)[0] for p in z[inside]]
        points, ratio = np.concatenate([points, z]), np.concatenate([ratio, value - _log_mixture(z, centres, roots)])
        total = logsumexp(ratio)
        w = np.exp(ratio - total)
        effective = float(1.0 / np.sum(w * w))
        batch = len(points)
        if effective >= WANTED or 2 * batch > MOST:
            break
    error = np.sqrt(max(0.0, 1.0 / effective - 1.0 / len(points)))
    used = w > 0
    return Evidence(
        ln_z=float(total - np.log(len(points))), ln_z_sigma=float(error), effective=effective, points=points[used],
        weights=w[used],
    )  # fmt: skip


def probabilities(ln_z: FloatArray) -> FloatArray:
    """Probability of each model where all are equally likely beforehand."""
    p = np.exp(ln_z - np.max(ln_z))
    return np.asarray(p / p.sum())


def _covariance(draws: FloatArray, first: FloatArray) -> FloatArray:
    share = len(draws) / (len(draws) + 10.0)
    return np.asarray(share * np.atleast_2d(np.cov(draws.T)) + (1.0 - share) * first)


def _draw(
    centres: Sequence[FloatArray], roots: Sequence[FloatArray], count: int, rng: np.random.Generator
) -> FloatArray:
    n = len(centres[0])
    which = rng.integers(len(centres), size=count)
    stretch = np.where(rng.uniform(size=count) < WIDE_SHARE, 2.0, 1.0)
    stretch *= np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, size=count))
    noise = rng.standard_normal((count, n)) * stretch[:, None]
    return np.stack([centres[k] + roots[k] @ e for k, e in zip(which, noise, strict=True)])


def _log_mixture(z: FloatArray, centres: Sequence[FloatArray], roots: Sequence[FloatArray]) -> FloatArray:
    from scipy.special import gammaln, logsumexp

    n, nu = z.shape[1], DEGREES_OF_FREEDOM
    constant = gammaln(0.5 * (nu + n)) - gammaln(0.5 * nu) - 0.5 * n * np.log(nu * np.pi)
    parts = []
    for centre, root in zip(centres, roots, strict=True):
        square = np.sum(np.linalg.solve(root, (z - centre).T) ** 2, axis=0)
        for share, stretch in ((1.0 - WIDE_SHARE, 1.0), (WIDE_SHARE, 2.0)):
            scale = float(np.log(np.diag(root)).sum()) + n * np.log(stretch)
            tail = -0.5 * (nu + n) * np.log1p(square / (nu * stretch**2))
            parts.append(np.log(share / len(centres)) + constant - scale + tail)
    return np.asarray(logsumexp(np.stack(parts), axis=0))
