"""Information on a profile: which combinations of shells the measurements fix, and how sharply each radius is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.resolution import ProfileResolution
from nanostrata.models.families import UNIFORM_SD, Shells
from nanostrata.models.posterior import Posterior

CORRELATION = 0.2
"""Correlation length over the radius of the prior of thin layers: one shell of five, so that it hides little."""

LAYERS = 20
"""Thin layers on which the resolution function is computed."""

_LEAST = 1e-8
SEEN = 0.20
"""Standard deviation above which a layer counts as not seen: that of the label "prior"."""


def profile_information(posterior: Posterior, theta: FloatArray) -> FloatArray:
    r"""Fisher information on the shells' x with all else unknown under its prior, (n_shell, n_shell).

    .. math:: F = J_x^T J_x - J_x^T J_n (J_n^T J_n)^{-1} J_n^T J_x

    with the derivatives of the residuals (data, priors of nuisances, EDX) by the shells (x) and by everything else (n);
    the family's own prior is left out. Walls play no part.

    Parameters
    ----------
    posterior : of a family whose parameters are the shells' x
    theta : where to linearise
    """
    n = len(posterior.family.names)
    prior = len(posterior.family.prior_rows(theta[:n])[0])
    _, j = posterior.residuals(theta)
    data = len(posterior.intensity)
    j = np.concatenate([j[:data], j[data + prior :]])
    by_x, others = j[:, :n], j[:, n:]
    scale = np.linalg.norm(others, axis=0)
    others = others[:, scale > 0] / scale[scale > 0]
    cross = others.T @ by_x
    hidden = np.linalg.lstsq(others.T @ others, cross, rcond=1e-14)[0]
    f = by_x.T @ by_x - cross.T @ hidden
    return np.asarray(0.5 * (f + f.T))


def eigen_profiles(information: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Combinations of length 1 (rows), best determined first, and their standard deviations; signs: outermost positive."""
    values, vectors = np.linalg.eigh(information)
    order = np.argsort(values)[::-1]
    values = np.maximum(values[order], _LEAST)
    rows = vectors[:, order].T
    rows = rows * np.where(rows[np.arange(len(rows)), np.argmax(np.abs(rows), axis=1)] < 0, -1.0, 1.0)[:, None]
    return rows, 1.0 / np.sqrt(values)


def averaging_matrix(information: FloatArray, prior: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""Rows by which the estimate averages over the truth, and its covariance, for a Gaussian prior.

    .. math:: A = (F + C_0^{-1})^{-1} F, \qquad C = (F + C_0^{-1})^{-1}

    Parameters
    ----------
    information : (n, n)
    prior : (n, n) covariance C_0

    References
    ----------
    Backus & Gilbert, Geophys. J. Int. 16, 169 (1968), doi:10.1111/j.1365-246X.1968.tb00216.x; Rodgers, Inverse Methods for
    Atmospheric Sounding, World Scientific 2000 (averaging kernels).
    """
    # C0 (1 + F C0)^-1 needs no inverse of C0
    covariance = prior @ np.linalg.inv(np.eye(len(prior)) + information @ prior)
    covariance = 0.5 * (covariance + covariance.T)
    return np.asarray(covariance @ information), np.asarray(covariance)


def uniform_prior(n: int) -> FloatArray:
    """Covariance of independent shells, each with the standard deviation of the uniform prior."""
    return np.asarray(np.eye(n) * UNIFORM_SD**2)


def layered_prior(middle: FloatArray) -> FloatArray:
    """Covariance of thin layers with the same standard deviation and exponential correlation along the radius."""
    return np.asarray(UNIFORM_SD**2 * np.exp(-np.abs(middle[:, None] - middle) / CORRELATION))


def full_widths(kernels: FloatArray, middle: FloatArray, sd: FloatArray) -> FloatArray:
    """Full width at half maximum of each row round its largest value, in units of the radius; nan where sd > ``SEEN``."""
    step = middle[1] - middle[0]
    out = np.full(len(kernels), np.nan)
    for i, row in enumerate(kernels):
        peak = int(np.argmax(row))
        if sd[i] > SEEN or row[peak] <= 0:
            continue
        half = 0.5 * row[peak]
        ends = []
        for side in (-1, 1):
            k = peak
            while 0 <= k + side < len(row) and row[k + side] > half:
                k += side
            if 0 <= k + side < len(row):
                ends.append(abs(k - peak) + (row[k] - half) / (row[k] - row[k + side]))
            else:
                ends.append(abs(k - peak) + 0.5)
        out[i] = step * sum(ends)
    return out


def measure_resolution(
    build: Callable[[Shells], Posterior], x: FloatArray, nuisances: Mapping[str, float]
) -> ProfileResolution:
    """Eigen-profiles of equispaced shells and the resolution function on thin layers.

    Parameters
    ----------
    build : posterior of the measurements for shells that nothing couples
    x : (n_shell,) composition at which the model is linearised
    nuisances : values of the other parameters, by name; those that are not named stay at their prior means

    Notes
    -----
    Walls play no part: where x lies at 0 or 1, the posterior is narrower than this says.
    """
    n = len(x)
    coarse = _information(build, x, nuisances)
    rows, sd = eigen_profiles(coarse)
    averaging, _ = averaging_matrix(coarse, uniform_prior(n))
    middle = (np.arange(LAYERS) + 0.5) / LAYERS
    fine = _information(build, np.interp(middle, (np.arange(n) + 0.5) / n, x), nuisances)
    kernels, covariance = averaging_matrix(fine, layered_prior(middle))
    layer_sd = np.sqrt(np.diag(covariance))
    per_radius = kernels * LAYERS
    return ProfileResolution(
        eigen_profiles=rows, eigen_sd=sd, averaging=averaging, radius_fraction=middle, kernels=per_radius, layer_sd=layer_sd,
        width_fraction=full_widths(per_radius, middle, layer_sd),
    )  # fmt: skip


def _information(build: Callable[[Shells], Posterior], x: FloatArray, nuisances: Mapping[str, float]) -> FloatArray:
    posterior = build(Shells(n=len(x), smooth_sd=None))
    theta = posterior.start(np.asarray(x, dtype=np.float64))
    for i, name in enumerate(posterior.names[len(x) :], start=len(x)):
        theta[i] = nuisances.get(name, theta[i])
    return profile_information(posterior, theta)
