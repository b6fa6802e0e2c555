"""Evidence of a profile family: the probability of the data with all its parameters integrated out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.hmc import sample
from nanostrata.kernels.statistics import probabilities
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

BATCH = 2000
"""Draws between two looks at how many are effective."""

PARTS = (4, 12)
"""Where one t for each maximum would need more than ``GOOD`` batches, pieces of a bent density are covered by so many."""

GOOD = 4
"""A mixture is taken as it is when a batch gives more than this share (one over it) of what is wanted."""


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


def evidence(
    posterior: Posterior, modes: Sequence[FloatArray], seed: np.random.SeedSequence, *, wanted: float = WANTED, most: int = MOST
) -> Evidence:  # fmt: skip
    """Evidence of a posterior whose maxima are given, up to the constant of the data.

    Parameters
    ----------
    posterior : made :func:`comparable` with the others
    modes : its maxima (:func:`nanostrata.models.explore.local_maxima`), all parameters each
    wanted, most : effective draws asked for, and the most draws spent on them
    """
    collapsed = CollapsedPosterior(posterior=posterior, anchor=modes[0])
    kept = collapsed.kept
    at = np.searchsorted(np.flatnonzero(posterior.free), kept)
    cov = laplace_covariance(posterior, modes[0])[np.ix_(at, at)]
    out = integrate(
        collapsed.log_density, [m[kept] for m in modes], cov, posterior.lower[kept], posterior.upper[kept], seed,
        wanted=wanted, most=most,
    )  # fmt: skip
    return replace(out, ln_z=out.ln_z + log_prior_constant(posterior))


def integrate(
    log_density: Callable[[FloatArray], tuple[float, FloatArray]], modes: Sequence[FloatArray], cov: FloatArray, lower: FloatArray,
    upper: FloatArray, seed: np.random.SeedSequence, *, wanted: float = WANTED, most: int = MOST,
) -> Evidence:  # fmt: skip
    r"""Integrate a density over a box by importance sampling.

    A short Hamiltonian run from each maximum gives a mean and a covariance; draws come from the mixture of t
    distributions with these, and are weighed with

    .. math:: Z = \frac{1}{N} \sum_i p(z_i) / q(z_i), \qquad w = 0 \text{ outside the box.}

    Where few of them are effective, the density is bent: the first draws are cut into pieces (k-means), each piece gets a t
    of its own, and the best of the mixtures is kept. Every mixture is judged and used on new draws, so that the estimate
    stays unbiased. The number of draws doubles until ``wanted`` effective ones are there or ``most`` are spent; the stated
    error does not know of a maximum that no run found.

    Parameters
    ----------
    log_density : ln p and its gradient
    modes : its maxima, (n,) each
    cov : (n, n) first guess of the covariance
    lower, upper : (n,) the box; infinite where open
    """
    rng = np.random.default_rng(seed)
    width = np.where(np.isfinite(upper - lower), upper - lower, 1.0)
    parts: list[_Part] = []
    for mode in modes:
        start = np.clip(mode, lower + 1e-3 * width, upper - 1e-3 * width)
        pilot = sample(log_density, start, cov, lower, upper, draws=150, warmup=150, rng=rng, most_steps=12).draws
        run = sample(
            log_density, pilot[-1], _covariance(pilot, cov), lower, upper, draws=300, warmup=60, rng=rng, most_steps=24
        )
        parts.append(_Part.around(run.draws, _covariance(run.draws, cov), 1.0 / len(modes)))

    def drawn(mixture: list[_Part], count: int) -> tuple[FloatArray, FloatArray]:
        z = _draw(mixture, count, rng)
        inside = np.all((z >= lower) & (z <= upper), axis=1)
        value = np.full(count, -np.inf)
        value[inside] = [log_density(p)[0] for p in z[inside]]
        return z, value - _log_mixture(z, mixture)

    batch = min(BATCH, most)
    points, ratio = drawn(parts, batch)
    if _effective(ratio) < min(wanted, batch) / GOOD and most > batch:
        first = points[resample(probabilities(ratio), batch // 2, rng)]
        for count in PARTS:
            cut = _cut(first, count, cov, rng)
            tried = drawn(cut, batch)
            if _effective(tried[1]) > _effective(ratio):
                parts, (points, ratio) = cut, tried
    while _effective(ratio) < wanted and 2 * len(ratio) <= most:
        z, more = drawn(parts, len(ratio))
        points, ratio = np.concatenate([points, z]), np.concatenate([ratio, more])
    w, effective = probabilities(ratio), _effective(ratio)
    error = np.sqrt(max(0.0, 1.0 / effective - 1.0 / len(points)))
    used = w > 0
    top = float(ratio.max())
    return Evidence(
        ln_z=top + float(np.log(np.mean(np.exp(ratio - top)))), ln_z_sigma=float(error), effective=effective,
        points=points[used], weights=w[used],
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One t distribution of a mixture: its share, centre, and the Cholesky root of its covariance."""

    share: float
    centre: FloatArray
    root: FloatArray

    @classmethod
    def around(cls, draws: FloatArray, cov: FloatArray, share: float) -> _Part:
        return cls(share=share, centre=draws.mean(axis=0), root=np.asarray(np.linalg.cholesky(cov)))


def _covariance(draws: FloatArray, first: FloatArray) -> FloatArray:
    share = len(draws) / (len(draws) + 10.0)
    return np.asarray(share * np.atleast_2d(np.cov(draws.T)) + (1.0 - share) * first)


def _effective(ratio: FloatArray) -> float:
    w = probabilities(ratio)
    return float(1.0 / np.sum(w * w))


def resample(weights: FloatArray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return indices of ``count`` draws by systematic resampling."""
    at = (rng.uniform() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), at), len(weights) - 1)


def _cut(draws: FloatArray, count: int, first: FloatArray, rng: np.random.Generator) -> list[_Part]:
    """Cut draws into pieces that lie together, each with its own mean and covariance."""
    from scipy.cluster.vq import kmeans2

    whole = _covariance(draws, first)
    white = np.linalg.solve(np.linalg.cholesky(whole), (draws - draws.mean(axis=0)).T).T
    _, label = kmeans2(white, count, minit="++", rng=rng)
    pieces = [draws[label == k] for k in range(count)]
    enough = [p for p in pieces if len(np.unique(p, axis=0)) > 2]
    total = sum(len(p) for p in enough)
    # a small piece alone would give a flat covariance: the whole counts as much as twice its dimensions
    n = 2.0 * draws.shape[1]
    return [
        _Part.around(p, (len(p) * np.cov(p.T) + n * whole / count ** (2.0 / draws.shape[1])) / (len(p) + n), len(p) / total)
        for p in enough
    ]  # fmt: skip


def _draw(mixture: Sequence[_Part], count: int, rng: np.random.Generator) -> FloatArray:
    n = len(mixture[0].centre)
    which = rng.choice(len(mixture), size=count, p=np.array([p.share for p in mixture]))
    stretch = np.where(rng.uniform(size=count) < WIDE_SHARE, 2.0, 1.0)
    stretch *= np.sqrt(DEGREES_OF_FREEDOM / rng.chisquare(DEGREES_OF_FREEDOM, size=count))
    noise = rng.standard_normal((count, n)) * stretch[:, None]
    return np.stack([mixture[k].centre + mixture[k].root @ e for k, e in zip(which, noise, strict=True)])


def _log_mixture(z: FloatArray, mixture: Sequence[_Part]) -> FloatArray:
    from scipy.special import gammaln, logsumexp

    n, nu = z.shape[1], DEGREES_OF_FREEDOM
    constant = gammaln(0.5 * (nu + n)) - gammaln(0.5 * nu) - 0.5 * n * np.log(nu * np.pi)
    terms = []
    for p in mixture:
        square = np.sum(np.linalg.solve(p.root, (z - p.centre).T) ** 2, axis=0)
        for share, stretch in ((1.0 - WIDE_SHARE, 1.0), (WIDE_SHARE, 2.0)):
            scale = float(np.log(np.diag(p.root)).sum()) + n * np.log(stretch)
            tail = -0.5 * (nu + n) * np.log1p(square / (nu * stretch**2))
            terms.append(np.log(share * p.share) + constant - scale + tail)
    return np.asarray(logsumexp(np.stack(terms), axis=0))
