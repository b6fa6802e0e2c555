"""Weigh families of profiles, and numbers of shells, by the probability of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.fit import Draws
from nanostrata.domain.profile_weights import ProfileWeights, WeighedProfile, shares
from nanostrata.models.collapsed import CollapsedPosterior
from nanostrata.models.evidence import MOST, comparable, evidence, resample
from nanostrata.models.explore import best_point, local_maxima
from nanostrata.models.families import Homogeneous, ProfileFamily, Shells, make_family, shell_averages
from nanostrata.models.fit_setup import FitSetup, enlarged_sigma
from nanostrata.models.posterior import Posterior

VERSION = "1"

FAMILIES = ("homogeneous", "core_shell", "exponential", "erf", "smooth")
"""Families beside the equispaced shells."""

MOST_SHELLS = 6

HOPELESS = 40.0
"""In ln p at the highest point: families so far below the best are weighed roughly, with ``ROUGHLY`` draws."""

ROUGHLY = 2000

_RADII = 60

_DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class WeighSettings:
    """What is weighed.

    Attributes
    ----------
    shells : number of shells of the fit; sets how finely the other families are divided
    families : names beside the equispaced shells; empty: numbers only
    most_shells : numbers 1 to this one are weighed; 0: families only
    smoothness, smoothness_sd : the weak prior between neighbouring shells
    draws : of the mixture of numbers; 0: none
    """

    shells: int = 5
    families: tuple[str, ...] = FAMILIES
    most_shells: int = MOST_SHELLS
    smoothness: bool = True
    smoothness_sd: float = 0.35
    draws: int = 0


@dataclass(frozen=True, kw_only=True)
class _Job:
    setup: FitSetup
    family: ProfileFamily
    sigma_factors: FloatArray
    reference: Posterior
    draws: int
    seed: np.random.SeedSequence

    def posterior(self) -> Posterior:
        return comparable(self.setup.posterior(self.family, list(self.sigma_factors)), self.reference)


@dataclass(frozen=True, kw_only=True)
class _Weighing:
    job: _Job
    modes: tuple[FloatArray, ...]
    most: int


@dataclass(frozen=True, kw_only=True)
class _Done:
    evidence: tuple[float, float, float]
    chi2: float
    theta: FloatArray
    names: tuple[str, ...]
    best: FloatArray
    chi2_total: float
    profile: tuple[FloatArray, FloatArray, FloatArray]
    draws: FloatArray


def weigh_profiles(
    setup: FitSetup,
    settings: WeighSettings,
    *,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
    spread: Callable[[Callable[[Any], Any], list[Any]], list[Any]] | None = None,
) -> ProfileWeights:
    """Evidence of every family and number of shells on the same data with the same priors of all that is no profile.

    Parameters
    ----------
    setup : curves, materials and what is known
    seed : all random numbers come from it; a model's do not depend on which others are weighed
    spread : maps a function over independent jobs, for example a pool's ``map``; the answer does not depend on it

    Returns
    -------
    ProfileWeights

    Raises
    ------
    ConvergenceError
        When no start of the search reaches a finite minimum.

    Notes
    -----
    Stated sigmas are enlarged where free shells do not describe a curve; by the same factors for every model. A homogeneous
    particle is one shell and is weighed once.
    """
    count = settings.most_shells
    progress("looking for the errors that the most flexible profile leaves")
    free = setup.posterior(Shells(n=max(count, settings.shells), smooth_sd=None))
    factors = enlarged_sigma(free, best_point(free))
    reference = setup.posterior(Homogeneous(), list(factors))

    smooth_sd = settings.smoothness_sd if settings.smoothness else None
    wanted: dict[str, ProfileFamily] = {f"shells {n}": Shells(n=n, smooth_sd=smooth_sd) for n in range(1, count + 1)}
    if settings.families:
        wanted[f"shells {settings.shells}"] = Shells(n=settings.shells, smooth_sd=smooth_sd)
        for name in settings.families:
            if name == "homogeneous":
                wanted["shells 1"] = Shells(n=1, smooth_sd=smooth_sd)
            else:
                wanted[name] = make_family(name, settings.shells, smooth_sd=settings.smoothness_sd)
    jobs = [
        _Job(
            setup=setup, family=family, sigma_factors=factors, reference=reference, draws=settings.draws,
            seed=np.random.SeedSequence([seed, *name.encode()]),
        )
        for name, family in wanted.items()
    ]  # fmt: skip
    progress(f"weighing {len(jobs)} kinds of profiles")
    each = spread if spread is not None else _one_by_one
    found = each(_search, jobs)
    best = max(height for height, _ in found)
    weighings = [
        _Weighing(job=job, modes=modes, most=MOST if height > best - HOPELESS else ROUGHLY)
        for job, (height, modes) in zip(jobs, found, strict=True)
    ]
    results = each(_weigh, weighings)
    done = dict(zip(wanted, results, strict=True))

    numbers = tuple(_weighed("shells", n, done[f"shells {n}"]) for n in range(1, count + 1))
    families: tuple[WeighedProfile, ...] = ()
    if settings.families:
        families = (
            _weighed("shells", settings.shells, done[f"shells {settings.shells}"]),
            *(_weighed(n, 0, done["shells 1" if n == "homogeneous" else n]) for n in settings.families),
        )
    draws = None
    if settings.draws and numbers:
        draws = _mixture(numbers, [done[f"shells {w.shells}"] for w in numbers], settings.draws)
    return ProfileWeights(
        families=families, numbers=numbers, radius_fraction=_radii(), sigma_factors=factors, draws=draws
    )


def _one_by_one(function: Callable[[Any], Any], jobs: list[Any]) -> list[Any]:
    return [function(job) for job in jobs]


def _search(job: _Job) -> tuple[float, tuple[FloatArray, ...]]:
    """Return ln p at the highest point, with everything linear integrated out, and the maxima."""
    posterior = job.posterior()
    modes = tuple(local_maxima(posterior))
    collapsed = CollapsedPosterior(posterior=posterior, anchor=modes[0])
    return collapsed.log_density(modes[0][collapsed.kept])[0], modes


def _weigh(weighing: _Weighing) -> _Done:
    job, modes = weighing.job, weighing.modes
    posterior = job.posterior()
    first, second = job.seed.spawn(2)
    quick = job.setup.on_nodes(posterior)
    found = evidence(quick, modes, first, most=weighing.most)
    collapsed = CollapsedPosterior(posterior=quick, anchor=modes[0])
    rng = np.random.default_rng(second)
    n = len(job.family.names)
    kept = list(collapsed.kept[:n])
    assert kept == list(range(n)), "the parameters of the profile come first and are never integrated out"
    p = found.points[:, :n]
    x = np.array([job.family.composition(z)[0] for z in p])
    at = np.searchsorted(job.family.fractions, _radii() - 1e-9)
    r, _ = posterior.residuals(modes[0])
    n_data = len(posterior.intensity)
    theta = np.empty((0, len(posterior.names)))
    if job.draws:
        chosen = rng.permutation(resample(found.weights, job.draws, rng))
        theta = np.stack([collapsed.complete(found.points[i], rng) for i in chosen])
    return _Done(
        evidence=(found.ln_z, found.ln_z_sigma, found.effective), chi2=float(r[:n_data] @ r[:n_data]), theta=theta,
        names=posterior.names, best=modes[0], chi2_total=float(r @ r), profile=_band(x[:, at], found.weights),
        draws=p[resample(found.weights, _DRAWS, rng)],
    )  # fmt: skip


def _weighed(family: str, shells: int, done: _Done) -> WeighedProfile:
    mean, lower, upper = done.profile
    ln_z, ln_z_sigma, effective = done.evidence
    return WeighedProfile(
        family=family, shells=shells, ln_z=ln_z, ln_z_sigma=ln_z_sigma, effective=effective, chi2=done.chi2,
        names=done.names[: done.draws.shape[1]], draws=done.draws, profile=mean, lower=lower, upper=upper,
    )  # fmt: skip


def _mixture(numbers: tuple[WeighedProfile, ...], done: Sequence[_Done], total: int) -> Draws:
    """Draws of every number of shells in proportion to its probability, averaged over the shells of the best one."""
    p = shares(numbers)
    best = int(np.argmax(p))
    n = numbers[best].shells
    counts = np.round(p * total).astype(int)
    theta = []
    for w, d, count in zip(numbers, done, counts, strict=True):
        if count == 0:
            continue
        x = shell_averages(d.theta[:count, : w.shells], np.arange(1, w.shells + 1) / w.shells, n)
        theta.append(np.column_stack([x, d.theta[:count, w.shells :]]))
    stacked = np.concatenate(theta)
    d = done[best]
    used = [w.effective for w, count in zip(numbers, counts, strict=True) if count]
    return Draws(
        names=d.names, theta=stacked, shell_fraction=stacked[:, :n], best=d.best, chi2=d.chi2, chi2_total=d.chi2_total,
        # independent, weighed draws: there are no chains to compare
        r_hat=1.0, effective=float(min(*used, len(stacked))), acceptance=1.0,
    )  # fmt: skip


def _radii() -> FloatArray:
    return (np.arange(_RADII) + 0.5) / _RADII


def _band(x: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return weighted mean, 16 % and 84 % quantile of each column."""
    order = np.argsort(x, axis=0)
    below = np.cumsum(weights[order], axis=0)
    column = np.arange(x.shape[1])

    def quantile(p: float) -> FloatArray:
        row = np.argmax(below >= p * below[-1], axis=0)
        return np.asarray(x[order[row, column], column])

    return weights @ x, quantile(0.16), quantile(0.84)
