"""Two landmarks of a form factor that need no model: the knee of Guinier's law and the first minimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels.local_polynomial import weighted_polynomial, window_smooth

FloatArray = NDArray[np.float64]

__all__ = ["guinier_knee", "mean_log_ratio", "porod_minimum"]

_STEP = 0.04  # of ln q
_HALF = 0.12  # of ln q: a quarter of the distance between the first maximum and minimum of a sphere's I q^4


def guinier_knee(q: FloatArray, intensity: FloatArray, sigma: FloatArray) -> float | None:
    r"""Position of the first peak of :math:`q^2 I(q)`, 1/nm; None when there is no peak inside the range.

    For Guinier's law the peak lies at :math:`q = \sqrt 3 / R_g`, for a sphere at 2.08 / R. An upturn at low q or a
    background at high q ends in no peak, so that both are passed over.

    Parameters
    ----------
    q, intensity, sigma : (n,) curve; q in 1/nm, positive, increasing
    """
    grid, y, error = _smooth(q, q**2 * intensity, q**2 * sigma)
    best, height = None, 0.0
    for i in range(1, len(grid) - 1):
        if y[i] >= y[i - 1] and y[i] > y[i + 1] and y[i] > 0:
            left, right = int(np.argmin(y[:i])), i + 1 + int(np.argmin(y[i + 1 :]))
            side = max(y[left], y[right])
            clear = y[i] - side > 4.0 * error[i] and side < 0.93 * y[i]
            # The knee is the highest of the peaks: those of the oscillations fall as q^-2.
            if clear and y[i] > height and not _past_the_flank(grid[: i + 1], y[: i + 1]):
                best, height = float(np.exp(grid[i])), float(y[i])
    return best


def _past_the_flank(u: FloatArray, y: FloatArray) -> bool:
    """Whether the last of these points is a side peak: q^2 I starts above it and falls faster than any power law does.

    Surfaces and aggregates fall at most as q^-4, i.e. q^2 I as q^-2; the flank towards a form factor's minimum is
    steeper.
    """
    positive = y[:-1] > 0
    if y[0] <= y[-1] or np.count_nonzero(positive) < 5:
        return False
    v, ln_y = u[:-1][positive], np.log(y[:-1][positive])
    return bool(np.min((ln_y[4:] - ln_y[:-4]) / (v[4:] - v[:-4])) < -2.6)


def porod_minimum(q: FloatArray, intensity: FloatArray, sigma: FloatArray) -> tuple[float, float] | None:
    r"""Position of the first minimum of :math:`I q^4` and its standard deviation, 1/nm; None when there is none.

    A cubic in ln q through the neighbourhood gives the root of the derivative, :math:`y'(u) = 0`, with
    :math:`\sigma_u = \sigma(y'(u)) / y''(u)`; sigma is enlarged by the root of the reduced chi2 where that is above 1.
    The minimum counts when the curve rises from it to both sides by more than 3 standard deviations and 2 %.

    Parameters
    ----------
    q, intensity, sigma : (n,) curve; q in 1/nm, positive, increasing
    """
    y, error = intensity * q**4, sigma * q**4
    grid, smooth, smooth_error = _smooth(q, y, error)
    for i in range(1, len(grid) - 1):
        if not (smooth[i] <= smooth[i - 1] and smooth[i] < smooth[i + 1]):
            continue
        before = int(np.argmax(smooth[:i]))
        reach = grid <= grid[i] + 0.5
        after = i + int(np.argmax(smooth[reach][i:]))
        if all(
            smooth[j] - smooth[i] > max(3.0 * np.hypot(smooth_error[j], smooth_error[i]), 0.02 * smooth[j])
            for j in (before, after)
        ):
            found = _vertex(np.log(q), y, error, float(grid[i]))
            if found is not None:
                u, sigma_u = found
                return float(np.exp(u)), float(np.exp(u) * sigma_u)
    return None


def mean_log_ratio(
    q: FloatArray,
    intensity: FloatArray,
    sigma: FloatArray,
    q_ref: FloatArray,
    intensity_ref: FloatArray,
    sigma_ref: FloatArray,
    q_max: float = np.inf,
) -> tuple[float, float, tuple[float, float]] | None:
    """Weighted mean of ln(I / I_ref), its sigma, and the range of q used; None with fewer than two shared points.

    ln I_ref is interpolated linearly in q; points without positive intensity are left out.
    """
    ref = intensity_ref > 0
    if np.count_nonzero(ref) < 2:
        return None
    q_ref, relative_ref, log_ref = q_ref[ref], sigma_ref[ref] / intensity_ref[ref], np.log(intensity_ref[ref])
    shared = (q >= q_ref[0]) & (q <= min(float(q_ref[-1]), q_max)) & (intensity > 0)
    if np.count_nonzero(shared) < 2:
        return None
    at = q[shared]
    d = np.log(intensity[shared]) - np.interp(at, q_ref, log_ref)
    w = 1.0 / ((sigma[shared] / intensity[shared]) ** 2 + np.interp(at, q_ref, relative_ref) ** 2)
    return float(np.sum(w * d) / w.sum()), float(1.0 / np.sqrt(w.sum())), (float(at[0]), float(at[-1]))


def _smooth(q: FloatArray, y: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Smoothed y on an even grid of ln q, points without neighbours left out."""
    u = np.log(q)
    grid = np.arange(u[0] + 0.5 * _HALF, u[-1] - 0.5 * _HALF, _STEP)
    value, error = window_smooth(u, y, sigma, grid, _HALF)
    ok = np.isfinite(value)
    return grid[ok], value[ok], error[ok]


def _vertex(u: FloatArray, y: FloatArray, sigma: FloatArray, start: float) -> tuple[float, float] | None:
    """Minimum of a cubic through the points near ``start``, and its standard deviation, in u."""
    centre = start
    for _ in range(4):
        width = 0.2
        while np.count_nonzero(np.abs(u - centre) <= width) < 8 and width < 0.4:
            width *= 1.2
        near = np.abs(u - centre) <= width
        if np.count_nonzero(near) < 6:
            return None
        c, covariance = weighted_polynomial(u[near] - centre, y[near], sigma[near], 3)
        # Root of c1 + 2 c2 d + 3 c3 d^2 with upward curvature, written so that c3 -> 0 is harmless.
        discriminant = c[2] ** 2 - 3.0 * c[3] * c[1]
        if discriminant <= 0 or c[2] + np.sqrt(discriminant) <= 0:
            return None
        d = -c[1] / (c[2] + np.sqrt(discriminant))
        if abs(d) > width:
            return None
        if abs(d) < 1e-3:
            break
        centre += d
    gradient = np.array([0.0, 1.0, 2.0 * d, 3.0 * d**2])
    curvature = 2.0 * c[2] + 6.0 * c[3] * d
    residual = (y[near] - np.polynomial.polynomial.polyval(u[near] - centre, c)) / sigma[near]
    free = np.count_nonzero(near) - 4
    factor = max(1.0, float(residual @ residual) / free) if free > 0 else 1.0
    s = float(np.sqrt(gradient @ covariance @ gradient * factor) / curvature)
    return (centre + d, s) if s < width else None
