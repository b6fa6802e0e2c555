"""Local polynomials through noisy points: differences that annihilate smooth curves, weighted fits of windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

__all__ = ["divided_differences", "local_slope", "scatter_ratio", "weighted_polynomial", "window_smooth"]


def local_slope(x: FloatArray, y: FloatArray, half: int) -> FloatArray:
    r"""Slope of the straight line through 2 half + 1 neighbours of each point, equal weights.

    Parameters
    ----------
    x, y : (n,) abscissa, increasing, and ordinate
    half : neighbours to each side; fewer at the ends

    Returns
    -------
    (n,) slope dy/dx
    """
    n = len(x)
    sums = [np.concatenate([[0.0], np.cumsum(v)]) for v in (np.ones(n), x, y, x * x, x * y)]
    low, high = np.maximum(np.arange(n) - half, 0), np.minimum(np.arange(n) + half + 1, n)
    m, sx, sy, sxx, sxy = (s[high] - s[low] for s in sums)
    return np.asarray((m * sxy - sx * sy) / (m * sxx - sx**2))


def divided_differences(x: FloatArray, y: FloatArray, sigma: FloatArray, order: int, power: FloatArray) -> FloatArray:
    r"""Differences of neighbouring points in units of their standard deviation; a smooth curve gives about zero.

    .. math:: z_i = \frac{\sum_j w_j y_j}{\sqrt{\sum_j w_j^2 \sigma_j^2}}, \qquad
              w_j = (x_j / x_i)^{p_i} \prod_{k \ne j} \frac{1}{u_j - u_k}, \quad u = \ln x

    over order + 1 neighbours: exactly zero for x^{-p} times a polynomial of degree order - 1 in ln x, and normal with
    unit variance for independent normal errors of the stated sigma. Linear in y, so that no logarithm of a noisy
    intensity is taken.

    Parameters
    ----------
    x : (n,) positive, increasing
    y, sigma : (n,) values and one standard deviation of each
    order : order of the difference, >= 1
    power : (n - order,) local power p of y ~ x^-p, taken out before the difference

    Returns
    -------
    (n - order,) z
    """
    window = np.lib.stride_tricks.sliding_window_view
    u = window(np.log(x), order + 1)
    gaps = u[:, :, None] - u[:, None, :]
    gaps[:, np.arange(order + 1), np.arange(order + 1)] = 1.0
    # Scaled to the mean step, so that high orders neither overflow nor vanish.
    step = (u[:, -1:] - u[:, :1]) / order
    w = 1.0 / np.prod(gaps / step[:, :, None], axis=2)
    w = w * np.exp(power[:, None] * (u - u[:, :1]))
    top = np.sum(w * window(y, order + 1), axis=1)
    return np.asarray(top / np.sqrt(np.sum((w * window(sigma, order + 1)) ** 2, axis=1)))


def scatter_ratio(x: FloatArray, y: FloatArray, sigma: FloatArray, order: int) -> float:
    """Robust scatter of neighbouring points over their sigma: 1 for independent normal errors on a smooth curve.

    Median size of `divided_differences` over that of a unit normal deviate, with the local power law (straight line
    through 11 neighbours in ln y against ln x) taken out first.
    """
    positive = y > 0
    power = np.zeros(len(x))
    if np.count_nonzero(positive) >= 11:
        slope = -local_slope(np.log(x[positive]), np.log(y[positive]), 5)
        power = np.clip(np.interp(x, x[positive], slope), 0.0, 8.0)
    mean_power = np.lib.stride_tricks.sliding_window_view(power, order + 1).mean(axis=1)
    z = divided_differences(x, y, sigma, order, mean_power)
    return float(np.median(np.abs(z))) / 0.674489750196  # the median of |N(0, 1)|


def weighted_polynomial(x: FloatArray, y: FloatArray, sigma: FloatArray, degree: int) -> tuple[FloatArray, FloatArray]:
    """Coefficients (constant first) of a weighted least-squares polynomial, and their covariance."""
    design = np.vander(x, degree + 1, increasing=True) / sigma[:, None]
    q, r = np.linalg.qr(design)
    inverse = np.linalg.inv(r)
    return np.asarray(inverse @ (q.T @ (y / sigma))), np.asarray(inverse @ inverse.T)


def window_smooth(
    x: FloatArray, y: FloatArray, sigma: FloatArray, at: FloatArray, half_width: float
) -> tuple[FloatArray, FloatArray]:
    """Values and sigma at ``at`` of weighted parabolas through the points near.

    Near is within ``half_width``, widened to at most six times as much where that holds fewer than five points;
    nan where five are not found even so.
    """
    value, error = np.full(len(at), np.nan), np.full(len(at), np.nan)
    for i, c in enumerate(at):
        for width in half_width * np.array([1.0, 1.5, 2.0, 3.0, 4.5, 6.0]):
            low, high = np.searchsorted(x, [c - width, c + width], side="left")
            if high - low >= 5:
                near = slice(low, high)
                k, covariance = weighted_polynomial(x[near] - c, y[near], sigma[near], 2)
                value[i], error[i] = k[0], np.sqrt(covariance[0, 0])
                break
    return value, error
