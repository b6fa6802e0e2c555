"""From readings of particles in micrographs to a size and aspect distribution, errors of reading taken off."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import FloatArray, Origin, SizeDistribution
from nanostrata.domain.base import frozen_array
from nanostrata.errors import DataError

__all__ = ["VERSION", "Shape", "size_distribution", "stated_sizes"]

VERSION = "1"
Shape: TypeAlias = Literal["sphere", "prolate", "oblate"]
_STAGE = f"measure_particles {VERSION}"
_FEW = 20
_GRID = 33
_DRAWS = 48

_PROJECTION = {
    "sphere": "",
    "prolate": (
        "a micrograph shows projections: a prolate particle that does not lie flat shows less than its length, so the "
        "aspect ratio and the diameter are lower limits where particles lie at random"
    ),
    "oblate": (
        "a micrograph shows projections: an oblate particle that lies flat shows a circle, so the flattening is a "
        "lower limit and the diameter an upper limit where particles do not stand on edge"
    ),
}


def size_distribution(
    major_nm: ArrayLike,
    minor_nm: ArrayLike | None = None,
    *,
    shape: Shape = "sphere",
    reading_error_nm: float = 0.0,
    origin: Origin | None = None,
) -> SizeDistribution:
    r"""Size and aspect distribution of single particles, corrected for errors of reading and for sorting.

    Volume-equivalent diameters: prolate :math:`(M m^2)^{1/3}`, oblate :math:`(M^2 m)^{1/3}`, sphere
    :math:`\sqrt{M m}` for the longer axis M and the shorter axis m.

    Two noisy readings sorted into longer and shorter make round particles look elongated. With independent errors of
    equal size :math:`\sigma` on both readings, their mean :math:`s = (M + m)/2` is free of this bias, has the error
    :math:`\sigma/\sqrt 2`, and is independent of their difference. The relative difference :math:`t = (M-m)/(M+m)`
    follows a folded normal distribution,

    .. math:: t = |\,t_\mathrm{true} + e\,|, \quad t_\mathrm{true} \sim N(\mu, \tau^2), \quad
              e \sim N(0, \sigma^2 / 2 s^2),

    whose :math:`\mu` and :math:`\tau` are found by maximum likelihood. The diameter is
    :math:`D = s\,g(|t_\mathrm{true}|)` with :math:`g = [(1+t)(1-t)^2]^{1/3}` (prolate), :math:`[(1+t)^2(1-t)]^{1/3}`
    (oblate), :math:`\sqrt{1-t^2}` (sphere), averaged over what t_true can be for each particle. The variance that the
    reading error adds is taken off that of the diameters.

    Parameters
    ----------
    major_nm, minor_nm : (n,) axes of each particle, nm, major >= minor > 0. Without ``minor_nm`` (or with both equal
        everywhere) each particle has one diameter and the aspect ratio stays unknown.
    shape : which axis is the unique one
    reading_error_nm : one standard deviation of a single reading, nm
    origin : of the readings; its notes are kept

    Returns
    -------
    SizeDistribution
        ``mean_sigma_nm`` and ``std_sigma_nm`` hold counting (sd/sqrt(n), sd/sqrt(2(n-1)), with the reading error in
        sd) and the uncertainty of the sorting correction. ``aspect_ratio`` is the number mean of the unique axis over
        the other two as seen in projection (sphere: longer over shorter), ``aspect_std`` its spread between particles. ``origin.notes`` says what was assumed.

    Raises
    ------
    DataError
        When there are fewer than two particles, or axes are not finite, not positive, or sorted wrongly.

    Notes
    -----
    **Assumes** independent, unbiased readings of equal error and a spread of sizes that is small against the mean. An
    error that all readings share (scale bar, where the edge is drawn) does not average out and is not included.

    References
    ----------
    Leone, Nelson & Nottingham, The folded normal distribution, Technometrics 3, 543 (1961).
    """
    major, minor = _axes(major_nm, minor_nm)
    if not math.isfinite(reading_error_nm) or reading_error_nm < 0:
        raise DataError(f"reading_error_nm: expected a length >= 0 in nm, got {reading_error_nm!r}")
    if shape not in _PROJECTION:
        raise DataError(f"shape: expected sphere, prolate or oblate, got {shape!r}")
    n = len(major)
    notes: list[str] = []
    aspect = aspect_sigma = aspect_std = None
    if minor is None:
        diameters, shift_sigma, unseen = major, 0.0, 0.0
        reading_variance = reading_error_nm**2
    else:
        s, t = 0.5 * (major + minor), (major - minor) / (major + minor)
        fit = _unsort(s, t, reading_error_nm)
        notes += _sorting_notes(s, t, reading_error_nm)
        factor, variance, shift_sigma = _diameter_factor(s, t, fit, shape)
        diameters = s * factor
        unseen = float(np.mean(s**2 * variance))
        reading_variance = 0.5 * reading_error_nm**2 * float(np.mean(factor**2))
        aspect, aspect_sigma = _aspect(fit, shape)
        aspect_std = _aspect_spread(fit)
        if _PROJECTION[shape]:
            notes.append(_PROJECTION[shape])
    total = float(np.var(diameters, ddof=1)) + unseen
    std, std_sigma, note = _corrected_std(total, reading_variance, n)
    mean = float(np.mean(diameters))
    notes += note
    notes += _general_notes(n, reading_error_nm, origin)
    return SizeDistribution(
        mean_nm=mean,
        std_nm=std,
        mean_sigma_nm=min(math.hypot(math.sqrt(total / n), shift_sigma), mean),
        std_sigma_nm=min(std_sigma, mean),
        n_counted=n,
        aspect_ratio=aspect,
        aspect_sigma=aspect_sigma,
        aspect_std=aspect_std,
        diameters_nm=diameters,
        origin=dataclasses.replace(origin or Origin(), stage=_STAGE, notes=(*(origin.notes if origin else ()), *notes)),
    )


def stated_sizes(
    mean_diameter_nm: float,
    std_diameter_nm: float,
    particles: int | None = None,
    reading_error_nm: float = 0.0,
) -> SizeDistribution:
    """Size distribution from three numbers: mean, standard deviation, particles counted.

    Parameters
    ----------
    mean_diameter_nm, std_diameter_nm : of the volume-equivalent diameter as counted, nm
    particles : how many were counted; without it the mean is taken to be known to 5 % and the spread to 15 %
    reading_error_nm : one standard deviation of a single diameter, nm; its square is taken off the variance

    Raises
    ------
    DataError
        With every number that is impossible.
    """
    problems = []
    if not math.isfinite(mean_diameter_nm) or mean_diameter_nm <= 0:
        problems.append(f"mean_diameter_nm: expected a diameter > 0 in nm, got {mean_diameter_nm!r}")
    if not math.isfinite(std_diameter_nm) or not 0 < std_diameter_nm:
        problems.append(f"std_diameter_nm: expected a standard deviation > 0 in nm, got {std_diameter_nm!r}")
    elif not problems and std_diameter_nm > mean_diameter_nm:
        problems.append(f"std_diameter_nm: {std_diameter_nm:g} is larger than the mean; were the two swapped?")
    if particles is not None and particles < 2:
        problems.append(f"particles: expected the number of particles counted, at least 2, got {particles!r}")
    if not math.isfinite(reading_error_nm) or reading_error_nm < 0:
        problems.append(f"reading_error_nm: expected a length >= 0 in nm, got {reading_error_nm!r}")
    if problems:
        raise DataError(*problems)
    if particles is None:
        # 0.15 = 1/sqrt(2 (n - 1)) is what about 23 particles give.
        std, std_sigma, notes = _corrected_std(std_diameter_nm**2, reading_error_nm**2, 23)
        mean_sigma, std_sigma = 0.05 * mean_diameter_nm, max(std_sigma, 0.15 * std)
        notes.append(
            "the number of particles counted is not stated: the mean is taken to be known to 5 % and the standard "
            "deviation to 15 %; write particles = ... for what the counting gives"
        )
    else:
        std, std_sigma, notes = _corrected_std(std_diameter_nm**2, reading_error_nm**2, particles)
        mean_sigma = std_diameter_nm / math.sqrt(particles)
        notes += _general_notes(particles, reading_error_nm, None)
    notes.append("only mean and standard deviation are stated: nothing is known of the aspect ratio")
    return SizeDistribution(
        mean_nm=mean_diameter_nm,
        std_nm=std,
        mean_sigma_nm=mean_sigma,
        std_sigma_nm=min(std_sigma, mean_diameter_nm),
        n_counted=particles or 0,
        origin=Origin(stage=_STAGE, notes=tuple(notes)),
    )


# ------------------------------------------------------------------------------------------- checks and notes


def _axes(major_nm: ArrayLike, minor_nm: ArrayLike | None) -> tuple[FloatArray, FloatArray | None]:
    """Axes as arrays; None for the minor one when there is one diameter per particle."""
    major = frozen_array("major_nm", major_nm, positive=True)
    if len(major) < 2:
        raise DataError(f"expected at least two particles to take a spread from, got {len(major)}; measure more")
    if minor_nm is None:
        return major, None
    minor = frozen_array("minor_nm", minor_nm, positive=True, length=len(major))
    wrong = np.flatnonzero(minor > major)
    if wrong.size:
        raise DataError(f"minor_nm is larger than major_nm for {wrong.size} particle(s), first at index {wrong[0]}")
    return major, None if np.array_equal(major, minor) else minor


def _general_notes(n: int, reading_error_nm: float, origin: Origin | None) -> list[str]:
    notes = []
    if n < _FEW:
        notes.append(f"only {n} particles were counted: mean and spread are weak")
    if reading_error_nm == 0:
        notes.append("no reading error is stated: nothing was taken off the spread")
    else:
        notes.append(
            f"reading error {reading_error_nm:g} nm taken off the spread; an error common to all readings (scale bar, "
            "where the edge is drawn) is not included"
        )
    return notes


def _sorting_notes(s: FloatArray, t: FloatArray, error: float) -> list[str]:
    """Test the stated reading error against the differences: they cannot scatter less than it says."""
    if error == 0:
        return ["no reading error is stated: the elongation that sorting two readings makes is not corrected"]
    ratio = np.mean(2.0 * (s * t) ** 2) / error**2  # mean (M - m)^2 / 2 sigma^2, at least 1 up to chance
    if ratio < 1.0 - 3.0 * math.sqrt(2.0 / len(s)):
        return [
            f"major and minor axes differ by less than a reading error of {error:g} nm makes them differ "
            f"({math.sqrt(ratio) * error:.2g} nm would do): the reading error is stated too large, or the two readings "
            "of a particle are not independent"
        ]
    return []


# ------------------------------------------------------------------------------------------- sorting


@dataclasses.dataclass(frozen=True, slots=True)
class _Unsorted:
    """Likelihood of mean mu and spread tau of the true relative difference, on a grid; reading variance of t."""

    mu: FloatArray  # (g,) flattened grid
    tau: FloatArray  # (g,)
    weight: FloatArray  # (g,) sums to 1
    best: int
    noise: FloatArray  # (n,) variance of t from reading
    above_round: float  # log likelihood at the best above that of round particles


def _unsort(s: FloatArray, t: FloatArray, error: float) -> _Unsorted:
    """Likelihood of (mu, tau) on a grid that is narrowed twice to where it matters."""
    noise = 0.5 * (error / s) ** 2
    top = float(np.max(t)) + 1e-6
    scale = math.sqrt(float(np.mean(t**2)))
    # Without a reading error and without a spread the likelihood would be infinite; 1e-6 of a radius is no spread.
    floor = 1e-6
    mu_range, tau_range = (0.0, top), (floor, max(2.5 * scale, 2 * floor))
    for _ in range(4):
        mu, tau = (g.ravel() for g in np.meshgrid(np.linspace(*mu_range, _GRID), np.linspace(*tau_range, _GRID)))
        log_l = np.array([_log_folded(t, m, noise + w**2) for m, w in zip(mu, tau, strict=True)])
        inside = log_l > log_l.max() - 10.0
        step_mu, step_tau = (mu_range[1] - mu_range[0]) / (_GRID - 1), (tau_range[1] - tau_range[0]) / (_GRID - 1)
        new_mu = max(mu[inside].min() - step_mu, 0.0), min(mu[inside].max() + step_mu, top)
        new_tau = max(tau[inside].min() - step_tau, floor), tau[inside].max() + step_tau
        done = np.ptp(new_mu) > 0.6 * np.ptp(mu_range) and np.ptp(new_tau) > 0.6 * np.ptp(tau_range)
        mu_range, tau_range = new_mu, new_tau
        if done:
            break
    weight = np.exp(log_l - log_l.max())
    return _Unsorted(
        mu=mu,
        tau=tau,
        weight=weight / weight.sum(),
        best=int(np.argmax(log_l)),
        noise=noise,
        above_round=max(float(log_l.max()) - _log_folded(t, 0.0, noise + floor**2), 0.0),
    )


def _log_folded(t: FloatArray, mu: float, variance: FloatArray) -> float:
    """Log likelihood of |N(mu, variance)| at t >= 0."""
    return float(
        np.sum(-0.5 * (t - mu) ** 2 / variance - 0.5 * np.log(variance) + np.log1p(np.exp(-2.0 * t * mu / variance)))
    )


def _shrunk_moments(t: FloatArray, noise: FloatArray, mu: float, tau: float, shape: Shape) -> tuple[FloatArray, ...]:
    """Mean and variance of g(|t_true|) of each particle, given its reading."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    total = noise + tau**2
    sd = np.sqrt(tau**2 * noise / total)
    # |t + e| came from +t or from -t; their odds under N(mu, total).
    minus = 1.0 / (1.0 + np.exp(np.clip(2.0 * t * mu / total, None, 500.0)))
    first, second = np.zeros_like(t), np.zeros_like(t)
    for odds, y in ((1.0 - minus, t), (minus, -t)):
        centre = (mu * noise + y * tau**2) / total
        g = _factor(np.abs(centre[:, None] + sd[:, None] * nodes), shape)
        first += odds * (g @ weights)
        second += odds * (g**2 @ weights)
    return first, np.maximum(second - first**2, 0.0)


def _factor(t: FloatArray, shape: Shape) -> FloatArray:
    """Volume-equivalent diameter over the mean of the two axes."""
    t = np.minimum(t, 0.99)
    if shape == "prolate":
        return np.asarray(np.cbrt((1.0 + t) * (1.0 - t) ** 2))
    if shape == "oblate":
        return np.asarray(np.cbrt((1.0 + t) ** 2 * (1.0 - t)))
    return np.asarray(np.sqrt(1.0 - t**2))


def _diameter_factor(
    s: FloatArray, t: FloatArray, fit: _Unsorted, shape: Shape
) -> tuple[FloatArray, FloatArray, float]:
    """Return g per particle and its variance at the best (mu, tau); sigma of the mean diameter from (mu, tau)."""
    g, variance = _shrunk_moments(t, fit.noise, fit.mu[fit.best], fit.tau[fit.best], shape)
    # Equal steps along the cumulative weight: draws without chance.
    at = np.searchsorted(np.cumsum(fit.weight), (np.arange(_DRAWS) + 0.5) / _DRAWS)
    means = [
        float(np.mean(s * _shrunk_moments(t, fit.noise, fit.mu[i], fit.tau[i], shape)[0]))
        for i in np.minimum(at, len(fit.mu) - 1)
    ]
    return g, variance, float(np.sqrt(np.mean((np.array(means) - np.mean(s * g)) ** 2)))


def _folded_mean(mu: FloatArray, tau: FloatArray) -> FloatArray:
    from scipy.special import erf

    z = mu / tau
    return np.asarray(tau * math.sqrt(2.0 / math.pi) * np.exp(-0.5 * z**2) + mu * erf(z / math.sqrt(2.0)))


def _aspect(fit: _Unsorted, shape: Shape) -> tuple[float, float]:
    """Mean aspect ratio at the best (mu, tau), and the root mean square distance of the likelihood from it."""
    m = _folded_mean(fit.mu, fit.tau)
    variance = np.maximum(fit.mu**2 + fit.tau**2 - m**2, 0.0)
    # Second-order expansion of <(1 + t)/(1 - t)> about the mean.
    aspect = (1.0 + m) / (1.0 - m) + 2.0 * variance / (1.0 - m) ** 3
    if shape == "oblate":
        aspect = (1.0 - m) / (1.0 + m) + 2.0 * variance / (1.0 + m) ** 3
    best = float(aspect[fit.best])
    sigma = float(np.sqrt(np.sum(fit.weight * (aspect - best) ** 2)))
    # Near round the likelihood is flat down to 1 on one side of a maximum that looks narrow from the other.
    if 0.0 < fit.above_round < 4.5:
        sigma = max(sigma, abs(best - 1.0) / math.sqrt(2.0 * fit.above_round))
    return best, sigma


def _aspect_spread(fit: _Unsorted) -> float:
    """Likelihood mean of the spread of the aspect ratio; tau is that of t, and (1 + t)/(1 - t) has the slope 2/(1-t)^2."""
    m = _folded_mean(fit.mu, fit.tau)
    spread = 2.0 * np.sqrt(np.maximum(fit.mu**2 + fit.tau**2 - m**2, 0.0)) / (1.0 - m) ** 2
    return float(np.sum(fit.weight * spread))


def _corrected_std(total: float, reading: float, n: int) -> tuple[float, float, list[str]]:
    """Return the standard deviation without the reading error, its sigma, and a note where nearly nothing is left."""
    left = total - reading
    sigma = total * math.sqrt(2.0 / (n - 1))  # of the variance
    if reading == 0 or left > 5.0 * sigma:
        std = math.sqrt(left)
        return std, 0.5 * sigma / std if std > 0 else 0.0, []
    notes = []
    if left <= 0:
        notes.append(
            f"the reading error explains the whole spread of the diameters ({math.sqrt(total):.2g} nm read, "
            f"{math.sqrt(reading):.2g} nm of it reading error): the spread of the particles is known as a limit only; "
            "is the reading error stated too large?"
        )
    # What is left is known to be >= 0: mean and sd of its root under the truncated normal distribution. A centre below
    # zero would only make a wrongly stated reading error look like knowledge.
    left = max(left, 0.0)
    v = np.linspace(0.0, left + 6.0 * sigma, 4001)
    w = np.exp(-0.5 * ((v - left) / sigma) ** 2)
    w /= w.sum()
    std = float(np.sum(w * np.sqrt(v)))
    return std, float(np.sqrt(np.sum(w * v) - std**2)), notes
