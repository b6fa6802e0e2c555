"""Draws from a multivariate Gaussian that is cut off by the walls of a box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def sample_truncated(
    mean: FloatArray,
    covariance: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    *,
    chains: int,
    warmup: int,
    sweeps: int,
    rng: np.random.Generator,
) -> FloatArray:
    r"""Draws of N(mean, covariance) inside lower <= x <= upper, (chains * sweeps, d).

    Every move draws exactly along one principal axis of the covariance, on which the density is a one-dimensional
    Gaussian between two walls. In units of their standard deviations the axes are independent but for the walls, so that
    narrow ridges, on which moves along coordinates creep, cost nothing.

    Parameters
    ----------
    mean : (d,) or (chains, d) centre of the Gaussian; it may lie outside the box
    covariance : (d, d) positive definite
    lower, upper : (d,) walls
    chains : independent chains, all moved at once
    warmup, sweeps : sweeps over all axes before the first kept draw, and kept ones

    References
    ----------
    Belisle, Romeijn & Smith, Math. Oper. Res. 18, 255 (1993), doi:10.1287/moor.18.2.255 (moves along given directions
    leave the density unchanged).
    """
    variance, axes = np.linalg.eigh(covariance)
    sd = np.sqrt(np.maximum(variance, 1e-300))
    centre = np.broadcast_to(mean, (chains, len(covariance)))
    x = np.array(np.clip(centre, lower, upper))
    kept = np.empty((sweeps, chains, len(covariance)))
    for sweep in range(warmup + sweeps):
        for k in range(len(sd)):
            step = sd[k] * axes[:, k]
            here = (x - centre) @ axes[:, k] / sd[k]
            with np.errstate(divide="ignore", invalid="ignore"):
                first, second = (lower - x) / step, (upper - x) / step
            # a coordinate that the step does not move sets no limit
            moves = np.abs(step) > 1e-14
            low = np.where(moves, np.minimum(first, second), -np.inf).max(axis=1)
            high = np.where(moves, np.maximum(first, second), np.inf).min(axis=1)
            new = truncated_normal(here + np.minimum(low, 0.0), here + np.maximum(high, 0.0), rng.random(chains))
            x += (new - here)[:, None] * step
            np.clip(x, lower, upper, out=x)
        if sweep >= warmup:
            kept[sweep - warmup] = x
    return kept.reshape(-1, len(covariance))


def truncated_normal(low: FloatArray, high: FloatArray, uniform: FloatArray) -> FloatArray:
    """Quantiles of the standard normal between low and high; accurate in both tails to 37 standard deviations."""
    from scipy.special import ndtr, ndtri

    # mirrored where both limits are positive: the lower tail keeps its digits, the upper one is lost against 1
    mirror = low > 0
    a, b = np.where(mirror, -high, low), np.where(mirror, -low, high)
    inner, outer = ndtr(a), ndtr(b)
    share = np.where(mirror, 1.0 - uniform, uniform)
    value = np.clip(ndtri(inner + share * (outer - inner)), a, b)
    # farther out than that both probabilities are 0 and the density falls within a hundredth: take the near limit
    value = np.where(outer > 0, value, b)
    return np.asarray(np.where(mirror, -value, value))
