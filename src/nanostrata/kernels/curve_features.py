"""Two landmarks of a form factor that need no model: the knee of Guinier's law and the first minimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels.local_polynomial import weighted_polynomial, window_smooth

FloatArray = NDArray[np.float64]

__all__ = ["guinier_knee", "mean_log_ratio", "porod_minimum", "porod_minimum_near"]

_STEP = 0.04  # of ln q
_REACH = 0.26  # of ln q, half of the distance between the first maximum and minimum
_ENOUGH = 12  # points in the window for degree 5
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

    A polynomial in ln q through the neighbourhood, with weights that fall to 0 at its edge, gives the root of the
    derivative, :math:`y'(u) = 0`, with :math:`\sigma_u = \sigma(y'(u)) / y''(u)`; sigma is enlarged by the root of the reduced chi2 where that is above 1.
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


def porod_minimum_near(
    q: FloatArray, intensity: FloatArray, sigma: FloatArray, start: float
) -> tuple[float, float] | None:
    """:func:`porod_minimum` where it is known to lie near ``start``, 1/nm, and need not be told from noise."""
    found = _vertex(np.log(q), intensity * q**4, sigma * q**4, float(np.log(start)))
    return None if found is None else (float(np.exp(found[0])), float(np.exp(found[0]) * found[1]))


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
    """Minimum of a polynomial through the points near ``start``, and its standard deviation, in u.

    Degree 5, or 3 where there are few points: over the window a cubic misses a form factor by more than errors of 1 %.
    Weights fall smoothly to 0 at the edge of the window (tricube; Cleveland, J. Am. Stat. Assoc. 74, 829 (1979)): with a sharp
    edge points jump in and out as the centre moves, and the answer depends on where the search began.
    """
    centre = start
    for _ in range(12):
        width = _REACH
        while np.count_nonzero(np.abs(u - centre) < width) < 8 and width < 2.0 * _REACH:
            width *= 1.2
        near = np.abs(u - centre) < width
        count = np.count_nonzero(near)
        if count < 6:
            return None
        degree = 5 if count >= _ENOUGH else 3
        v, error = u[near] - centre, sigma[near]
        taper = np.sqrt((1.0 - np.abs(v / width) ** 3) ** 3)
        c, inverse = weighted_polynomial(v, y[near], error / taper, degree)
        found = _nearest_minimum(c, width)
        if found is None:
            return None
        d, curvature = found
        if abs(d) < 1e-4:
            break
        centre += d
    design = np.vander(v, degree + 1, increasing=True) / error[:, None]
    # the weights are not those of the errors: the covariance is that of a linear map of the data
    to_coefficients = inverse @ (design * taper[:, None] ** 2).T
    order = np.arange(1, degree + 1)
    slope_of = np.concatenate([[0.0], order * d ** (order - 1.0)]) @ to_coefficients
    to_residual = np.eye(len(v)) - design @ to_coefficients
    residual = y[near] / error - design @ c
    expected = float(taper**2 @ (to_residual**2).sum(axis=1))
    factor = max(1.0, float(taper**2 @ residual**2) / expected)
    s = float(np.sqrt(slope_of @ slope_of * factor) / curvature)
    return (centre + d, s) if s < width else None


def _nearest_minimum(c: FloatArray, width: float) -> tuple[float, float] | None:
    """Minimum of a polynomial (constant first) nearest to 0 inside the window, and the second derivative there."""
    slope = np.polynomial.polynomial.polyder(c)
    bend = np.polynomial.polynomial.polyder(slope)
    roots = np.polynomial.polynomial.polyroots(slope)
    real = roots.real[np.abs(roots.imag) < 1e-9]
    curvature = np.polynomial.polynomial.polyval(real, bend)
    good = (curvature > 0) & (np.abs(real) <= width)
    if not good.any():
        return None
    k = int(np.argmin(np.where(good, np.abs(real), np.inf)))
    return float(real[k]), float(curvature[k])
