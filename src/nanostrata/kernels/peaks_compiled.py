"""Compiled twin of the fit in :mod:`nanostrata.kernels.peaks`: rows of the Jacobian know where they are not zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit
from nanostrata.kernels.peaks import ENOUGH, FOUR_LN2, LARGEST_STEP, REACH

__all__ = ["fit_compiled"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@jit
def _cholesky(matrix: FloatArray, right: FloatArray) -> bool:
    """Solve in place (answer in ``right``); False when the matrix is not positive."""
    n = len(right)
    scale = np.empty(n)
    for i in range(n):
        scale[i] = 1.0 / math.sqrt(max(matrix[i, i], 1e-300))
    for i in range(n):
        right[i] *= scale[i]
        for j in range(i + 1):
            matrix[i, j] *= scale[i] * scale[j]
        matrix[i, i] += 1e-14
    for i in range(n):
        for j in range(i + 1):
            s = matrix[i, j]
            for k in range(j):
                s -= matrix[i, k] * matrix[j, k]
            if i == j:
                if s <= 0.0:
                    return False
                matrix[i, i] = math.sqrt(s)
            else:
                matrix[i, j] = s / matrix[j, j]
    for i in range(n):
        s = right[i]
        for k in range(i):
            s -= matrix[i, k] * right[k]
        right[i] = s / matrix[i, i]
    for i in range(n - 1, -1, -1):
        s = right[i]
        for k in range(i + 1, n):
            s -= matrix[k, i] * right[k]
        right[i] = s / matrix[i, i]
    for i in range(n):
        right[i] *= scale[i]
    return True


@jit(fastmath={"reassoc", "contract"})
def _gaussian(q: FloatArray, centre: float, inverse: float, first: int, last: int, out: FloatArray) -> None:
    """Gaussian of full width 1 / inverse; exp(-u) = exp(-u / 256)^256 by a series, to 1e-12, in a loop without branches."""
    c = -FOUR_LN2 * inverse * inverse / 256.0
    for j in range(first, last):
        d = q[j] - centre
        v = c * d * d
        p = 1.0 + v * (1.0 / 7.0) * (1.0 + v * (1.0 / 8.0))
        p = 1.0 + v * (1.0 / 4.0) * (1.0 + v * (1.0 / 5.0) * (1.0 + v * (1.0 / 6.0) * p))
        p = 1.0 + v * (1.0 + v * 0.5 * (1.0 + v * (1.0 / 3.0) * p))
        p *= p
        p *= p
        p *= p
        p *= p
        p *= p
        p *= p
        p *= p
        p *= p
        out[j] = p


@jit(fastmath={"reassoc", "contract"})
def _add(out: FloatArray, factor: float, a: FloatArray, b: FloatArray, first: int, last: int) -> None:
    for j in range(first, last):
        out[j] += factor * a[j] * b[j]


@jit(fastmath={"reassoc", "contract"})
def _gaussian_slopes(
    q: FloatArray, centre: float, inverse: float, factor: float, gauss: FloatArray, on_lines: FloatArray,
    by_width: FloatArray, by_centre: FloatArray, first: int, last: int,
) -> None:  # fmt: skip
    """Add the derivative by the logarithm of the width; write that by the centre."""
    for j in range(first, last):
        z = (q[j] - centre) * inverse
        part = factor * z * gauss[j] * on_lines[j]
        by_width[j] += part * z
        by_centre[j] = part * inverse


@jit(fastmath={"reassoc", "contract"})
def _mixed_slopes(
    q: FloatArray, centre: float, inverse: float, height: float, mixing: float, gauss: FloatArray, on_lines: FloatArray,
    by_width: FloatArray, by_centre: FloatArray, by_mixing: FloatArray,
) -> None:  # fmt: skip
    for j in range(len(q)):
        z = (q[j] - centre) * inverse
        c = 1.0 / (1.0 + 4.0 * z * z)
        slope = (1.0 - mixing) * -2.0 * FOUR_LN2 * z * gauss[j] - mixing * 8.0 * z * c * c
        by_mixing[j] += mixing * (1.0 - mixing) * height * (c - gauss[j]) * on_lines[j]
        part = -height * slope * on_lines[j]
        by_width[j] += part * z
        by_centre[j] = part * inverse


@jit
def _evaluate(
    q: FloatArray, y: FloatArray, weight: FloatArray, metric: FloatArray, wgroup: IntArray, agroup: IntArray,
    share: FloatArray, basis: FloatArray, lorentzian: bool, envelope: FloatArray, theta: FloatArray, jac: FloatArray,
    gauss: FloatArray, used: IntArray, residual: FloatArray,
) -> float:  # fmt: skip
    """Fill weighted Jacobian and residual; renew the linear parameters. Return the sum of squares."""
    n_q, n_lines, n_cell = len(q), len(share), metric.shape[1]
    n_pos = n_cell if n_cell else n_lines
    n_wid = wgroup.max() + 1
    n_non = n_pos + n_wid + (1 if lorentzian else 0)
    if n_cell or lorentzian or n_wid < n_lines or agroup.max() + 1 < n_lines:
        jac[: len(theta) - len(basis)] = 0.0  # rows are shared: sums start at 0
    else:
        for i in range(n_lines):
            # each row belongs to one line: what it does not write anew is cleared
            low, high = used[i, 0], used[i, 1]
            jac[i, low:high] = 0.0
            jac[n_pos + wgroup[i], low:high] = 0.0
            jac[n_non + agroup[i], low:high] = 0.0
    on_lines = weight * envelope
    mixing = 1.0 / (1.0 + math.exp(-theta[n_pos + n_wid])) if lorentzian else 0.0
    first, last = np.zeros(n_lines, dtype=np.int64), np.full(n_lines, n_q)
    centre, inverse = np.empty(n_lines), np.empty(n_lines)
    for i in range(n_lines):
        if n_cell:
            s = 0.0
            for k in range(n_cell):
                s += metric[i, k] * theta[k]
            centre[i] = math.sqrt(s)
        else:
            centre[i] = theta[i]
        width = math.exp(theta[n_pos + wgroup[i]])
        inverse[i] = 1.0 / width
        first[i] = np.searchsorted(q, centre[i] - REACH * width)
        last[i] = np.searchsorted(q, centre[i] + REACH * width)
        used[i, 0], used[i, 1] = first[i], last[i]
        _gaussian(q, centre[i], inverse[i], first[i], last[i], gauss[i])
        row = jac[n_non + agroup[i]]
        if lorentzian:
            gauss[i, : first[i]] = 0.0
            gauss[i, last[i] :] = 0.0
            for j in range(n_q):
                z = (q[j] - centre[i]) * inverse[i]
                row[j] += share[i] * on_lines[j] * ((1.0 - mixing) * gauss[i, j] + mixing / (1.0 + 4.0 * z * z))
        else:
            _add(row, share[i], gauss[i], on_lines, first[i], last[i])
    residual[:] = weight * y
    linear = jac[n_non:]
    normal = np.dot(linear, linear.T)
    right = np.dot(linear, residual)
    if not _cholesky(normal, right):
        return np.inf
    theta[n_non:] = right
    residual -= np.dot(right, linear)
    slope = np.empty(n_q)
    for i in range(n_lines):
        height = theta[n_non + agroup[i]] * share[i]
        by_width = jac[n_pos + wgroup[i]]
        by_centre = slope if n_cell else jac[i]
        if lorentzian:
            first[i], last[i] = 0, n_q
            _mixed_slopes(
                q, centre[i], inverse[i], height, mixing, gauss[i], on_lines, by_width, by_centre, jac[n_non - 1]
            )
        else:
            _gaussian_slopes(
                q,
                centre[i],
                inverse[i],
                2.0 * FOUR_LN2 * height,
                gauss[i],
                on_lines,
                by_width,
                by_centre,
                first[i],
                last[i],
            )
        for k in range(n_cell):
            factor = 0.5 * metric[i, k] / centre[i]
            row = jac[k]
            for j in range(first[i], last[i]):
                row[j] += factor * slope[j]
    return float(np.dot(residual, residual))


@jit
def _normal_equations(
    jac: FloatArray, residual: FloatArray, spread: FloatArray, off: FloatArray, normal: FloatArray, gradient: FloatArray
) -> None:
    normal[:] = np.dot(jac, jac.T)
    gradient[:] = np.dot(jac, residual)
    for a in range(len(gradient)):
        gradient[a] -= spread[a] * off[a]
        normal[a, a] += spread[a]


@jit
def fit_compiled(
    q: FloatArray, y: FloatArray, weight: FloatArray, metric: FloatArray, wgroup: IntArray, agroup: IntArray,
    share: FloatArray, basis: FloatArray, lorentzian: bool, envelope: FloatArray, theta: FloatArray, mean: FloatArray, precision: FloatArray,
    iterations: int,
) -> tuple[Any, ...]:  # fmt: skip
    """Fit as :func:`nanostrata.kernels.peaks.fit_lines` does; return parameters, normal matrix, chi2, curve, steps, converged."""
    n_q, n, n_non = len(q), len(theta), len(mean)
    n_pos = metric.shape[1] if metric.shape[1] else len(share)
    jac, trial_jac = np.zeros((n, n_q)), np.zeros((n, n_q))
    gauss = np.zeros((len(share), n_q))
    used, trial_used = np.zeros((len(share), 2), dtype=np.int64), np.zeros((len(share), 2), dtype=np.int64)
    for m in range(len(basis)):
        row = n - len(basis) + m
        for j in range(n_q):
            jac[row, j] = basis[m, j] * weight[j]
            trial_jac[row, j] = jac[row, j]
    residual, trial_residual = np.empty(n_q), np.empty(n_q)
    normal, damped = np.empty((n, n)), np.empty((n, n))
    gradient, step = np.empty(n), np.empty(n)
    spread, off = np.zeros(n), np.zeros(n)
    spread[:n_non] = precision
    cost = _evaluate(
        q, y, weight, metric, wgroup, agroup, share, basis, lorentzian, envelope, theta, jac, gauss, used, residual
    )  # fmt: skip
    for i in range(n_non):
        off[i] = theta[i] - mean[i]
        cost += spread[i] * off[i] ** 2
    damping, converged, count = 1e-3, False, 0
    trial, accepted = theta.copy(), False
    while count < iterations:
        count += 1
        _normal_equations(jac, residual, spread, off, normal, gradient)
        accepted = False
        new = cost
        while damping < 1e12:
            damped[:] = normal
            step[:] = gradient
            for i in range(n_non):
                damped[i, i] += damping * normal[i, i]
            possible = _cholesky(damped, step)
            if possible and damping < 1e-2 and np.dot(step, gradient) <= ENOUGH * (1.0 + cost):
                converged = True  # nothing is left to gain
                break
            trial[:] = theta
            for i in range(n_non):
                trial[i] += min(max(step[i], -LARGEST_STEP), LARGEST_STEP)
                possible = possible and math.isfinite(trial[i]) and (i < n_pos or abs(trial[i]) <= 25.0)
            if metric.shape[1]:
                for i in range(len(share)):
                    s = 0.0
                    for k in range(metric.shape[1]):
                        s += metric[i, k] * trial[k]
                    possible = possible and s > 0.0
            if possible:
                new = _evaluate(
                    q, y, weight, metric, wgroup, agroup, share, basis, lorentzian, envelope, trial, trial_jac, gauss, trial_used, trial_residual,
                )  # fmt: skip
                for i in range(n_non):
                    new += spread[i] * (trial[i] - mean[i]) ** 2
                if new <= cost:
                    accepted = True
                    break
            damping *= 8.0
        if not accepted:
            converged = converged or damping >= 1e12
            break
        gain = cost - new
        cost = new
        theta[:] = trial
        jac, trial_jac = trial_jac, jac
        used, trial_used = trial_used, used
        residual, trial_residual = trial_residual, residual
        for i in range(n_non):
            off[i] = theta[i] - mean[i]
        damping = max(damping * 0.1, 1e-12)
        if gain <= ENOUGH * (1.0 + cost):
            converged = True
            break
    if not converged or accepted:
        _normal_equations(jac, residual, spread, off, normal, gradient)
    return theta, normal, np.dot(residual, residual), y - residual / weight, count, converged
