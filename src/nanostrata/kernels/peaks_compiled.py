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
def _dot(a: FloatArray, b: FloatArray, low: int, high: int) -> float:
    s = 0.0
    for i in range(low, high):
        s += a[i] * b[i]
    return s


@jit
def _evaluate(
    q: FloatArray, y: FloatArray, weight: FloatArray, metric: FloatArray, wgroup: IntArray, agroup: IntArray,
    share: FloatArray, basis: FloatArray, lorentzian: bool, theta: FloatArray, jac: FloatArray, low: IntArray,
    high: IntArray, residual: FloatArray,
) -> float:  # fmt: skip
    """Fill weighted Jacobian, its row ranges and the residual; renew the linear parameters. Return the sum of squares."""
    n_q, n_lines, n_cell = len(q), len(share), metric.shape[1]
    n_pos = n_cell if n_cell else n_lines
    n_wid = wgroup.max() + 1
    n_non = n_pos + n_wid + (1 if lorentzian else 0)
    n_amp = agroup.max() + 1
    n_lin = n_amp + len(basis)
    for r in range(n_non + n_amp):
        jac[r, :] = 0.0
        low[r] = n_q
        high[r] = 0
    mixing = 1.0 / (1.0 + math.exp(-theta[n_pos + n_wid])) if lorentzian else 0.0
    first = np.empty(n_lines, dtype=np.int64)
    last = np.empty(n_lines, dtype=np.int64)
    centre = np.empty(n_lines)
    width = np.empty(n_lines)
    gauss = np.zeros((n_lines, n_q))
    for i in range(n_lines):
        if n_cell:
            s = 0.0
            for k in range(n_cell):
                s += metric[i, k] * theta[k]
            centre[i] = math.sqrt(s)
        else:
            centre[i] = theta[i]
        width[i] = math.exp(theta[n_pos + wgroup[i]])
        if lorentzian:
            first[i], last[i] = 0, n_q
        else:
            first[i] = np.searchsorted(q, centre[i] - REACH * width[i])
            last[i] = np.searchsorted(q, centre[i] + REACH * width[i])
        row = n_non + agroup[i]
        low[row], high[row] = min(low[row], first[i]), max(high[row], last[i])
        inverse = 1.0 / width[i]
        for j in range(first[i], last[i]):
            z = (q[j] - centre[i]) * inverse
            g = math.exp(-FOUR_LN2 * z * z)
            gauss[i, j] = g
            if lorentzian:
                jac[row, j] += share[i] * weight[j] * ((1.0 - mixing) * g + mixing / (1.0 + 4.0 * z * z))
            else:
                jac[row, j] += share[i] * weight[j] * g
    normal = np.empty((n_lin, n_lin))
    right = np.empty(n_lin)
    for j in range(n_q):
        residual[j] = weight[j] * y[j]
    for a in range(n_lin):
        ra = n_non + a
        right[a] = _dot(jac[ra], residual, low[ra], high[ra])
        for b in range(a + 1):
            rb = n_non + b
            normal[a, b] = _dot(jac[ra], jac[rb], max(low[ra], low[rb]), min(high[ra], high[rb]))
    if not _cholesky(normal, right):
        return np.inf
    for a in range(n_lin):
        theta[n_non + a] = right[a]
        ra = n_non + a
        for j in range(low[ra], high[ra]):
            residual[j] -= right[a] * jac[ra, j]
    for i in range(n_lines):
        height = theta[n_non + agroup[i]] * share[i]
        wrow = n_pos + wgroup[i]
        low[wrow], high[wrow] = min(low[wrow], first[i]), max(high[wrow], last[i])
        inverse = 1.0 / width[i]
        for k in range(n_cell if n_cell else 1):
            prow = k if n_cell else i
            low[prow], high[prow] = min(low[prow], first[i]), max(high[prow], last[i])
        for j in range(first[i], last[i]):
            z = (q[j] - centre[i]) * inverse
            slope = -2.0 * FOUR_LN2 * z * gauss[i, j]
            if lorentzian:
                c = 1.0 / (1.0 + 4.0 * z * z)
                slope = (1.0 - mixing) * slope - mixing * 8.0 * z * c * c
                jac[n_non - 1, j] += mixing * (1.0 - mixing) * height * (c - gauss[i, j]) * weight[j]
            part = -height * slope * weight[j]
            jac[wrow, j] += part * z
            part *= inverse
            if n_cell:
                part *= 0.5 / centre[i]
                for k in range(n_cell):
                    jac[k, j] += metric[i, k] * part
            else:
                jac[i, j] += part
    if lorentzian:
        low[n_non - 1], high[n_non - 1] = 0, n_q
    total = 0.0
    for j in range(n_q):
        total += residual[j] * residual[j]
    return total


@jit
def _normal_equations(
    jac: FloatArray, low: IntArray, high: IntArray, residual: FloatArray, spread: FloatArray, off: FloatArray,
    normal: FloatArray, gradient: FloatArray,
) -> None:  # fmt: skip
    n = len(gradient)
    for a in range(n):
        gradient[a] = _dot(jac[a], residual, low[a], high[a]) - spread[a] * off[a]
        for b in range(a + 1):
            s = _dot(jac[a], jac[b], max(low[a], low[b]), min(high[a], high[b]))
            normal[a, b] = s
            normal[b, a] = s
        normal[a, a] += spread[a]


@jit
def fit_compiled(
    q: FloatArray, y: FloatArray, weight: FloatArray, metric: FloatArray, wgroup: IntArray, agroup: IntArray,
    share: FloatArray, basis: FloatArray, lorentzian: bool, theta: FloatArray, mean: FloatArray, precision: FloatArray,
    iterations: int,
) -> tuple[Any, ...]:  # fmt: skip
    """Fit as :func:`nanostrata.kernels.peaks.fit_lines` does; return parameters, normal matrix, chi2, steps, converged."""
    n_q, n, n_non = len(q), len(theta), len(mean)
    n_pos = metric.shape[1] if metric.shape[1] else len(share)
    jac, trial_jac = np.zeros((n, n_q)), np.zeros((n, n_q))
    low, high = np.zeros(n, dtype=np.int64), np.full(n, n_q)
    for m in range(len(basis)):
        row = n - len(basis) + m
        for j in range(n_q):
            jac[row, j] = basis[m, j] * weight[j]
            trial_jac[row, j] = jac[row, j]
    trial_low, trial_high = low.copy(), high.copy()
    residual, trial_residual = np.empty(n_q), np.empty(n_q)
    normal, damped = np.empty((n, n)), np.empty((n, n))
    gradient, step = np.empty(n), np.empty(n)
    spread, off = np.zeros(n), np.zeros(n)
    spread[:n_non] = precision
    cost = _evaluate(q, y, weight, metric, wgroup, agroup, share, basis, lorentzian, theta, jac, low, high, residual)
    for i in range(n_non):
        off[i] = theta[i] - mean[i]
        cost += spread[i] * off[i] ** 2
    damping, converged, count = 1e-3, False, 0
    trial = theta.copy()
    while count < iterations:
        count += 1
        _normal_equations(jac, low, high, residual, spread, off, normal, gradient)
        accepted = False
        new = cost
        while damping < 1e12:
            damped[:] = normal
            step[:] = gradient
            for i in range(n_non):
                damped[i, i] += damping * normal[i, i]
            possible = _cholesky(damped, step)
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
                    q, y, weight, metric, wgroup, agroup, share, basis, lorentzian, trial, trial_jac, trial_low,
                    trial_high, trial_residual,
                )  # fmt: skip
                for i in range(n_non):
                    new += spread[i] * (trial[i] - mean[i]) ** 2
                if new <= cost:
                    accepted = True
                    break
            damping *= 8.0
        if not accepted:
            converged = damping >= 1e12
            break
        gain = cost - new
        cost = new
        theta[:] = trial
        jac, trial_jac = trial_jac, jac
        low, trial_low = trial_low, low
        high, trial_high = trial_high, high
        residual, trial_residual = trial_residual, residual
        for i in range(n_non):
            off[i] = theta[i] - mean[i]
        damping = max(damping * 0.1, 1e-12)
        if gain <= ENOUGH * (1.0 + cost):
            converged = True
            break
    _normal_equations(jac, low, high, residual, spread, off, normal, gradient)
    chi2 = 0.0
    for j in range(n_q):
        chi2 += residual[j] * residual[j]
    return theta, normal, chi2, count, converged
