"""Many bounded fits of shell compositions with sizes held: the paper's resampled refits, fast."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.kernels._jit import jit

_BLOCK = 160
"""Points worked on at a time: the work arrays of five shells (4 x 5 x 160 numbers) stay in a core's own cache."""

_REORDER = {"reassoc", "contract", "nsz"}
"""Allow sums in another order (vector lanes); NaN and infinity keep their meaning."""


@jit(fastmath=_REORDER)
def _normal_equations(residual: Any, jac_t: Any, normal: Any, slope: Any) -> None:
    """Fill J^T J and J^T r in place; jac_t (n_parameter, points)."""
    size, points = jac_t.shape
    for a in range(size):
        left = jac_t[a]
        total = 0.0
        for p in range(points):
            total += left[p] * residual[p]
        slope[a] = total
        for b in range(a, size):
            right = jac_t[b]
            total = 0.0
            for p in range(points):
                total += left[p] * right[p]
            normal[a, b] = total
            normal[b, a] = total


@jit(fastmath=_REORDER)
def _square(residual: Any) -> float:
    total = 0.0
    for p in range(residual.shape[0]):
        total += residual[p] * residual[p]
    return total


@jit(fastmath=_REORDER)
def _form(
    x: Any, vol: Any, dvol: Any, ends: Any, medium: Any, d_core: float, d_shell: float, table_t: Any, work: Any,
    value: Any, grad_t: Any,
) -> None:  # fmt: skip
    r"""The form of :func:`multishell.form_and_gradient` with points last, so that every inner loop vectorises.

    The contrast and its slope are linear in the two end members: with s = 1 + (1-x) d_c + x d_s, a = (1-x)/v, b = x/v
    and h = d_s - d_c - s v'/v,

    .. math:: \Delta\rho = s (a f_c + b f_s) - \rho_m, \qquad
              \partial\Delta\rho/\partial x = (a h - s/v) f_c + (b h + s/v) f_s

    ends (4, p): real and imaginary part of core, then of shell; table_t (n_pair, p); work (4, n, block). Results:
    value (p,), grad_t (at least n, p).
    """
    n = x.shape[0]
    points = medium.shape[0]
    block = work.shape[2]
    for first in range(0, points, block):
        last = min(first + block, points)
        count = last - first
        core_re, core_im = ends[0, first:last], ends[1, first:last]
        shell_re, shell_im = ends[2, first:last], ends[3, first:last]
        solvent = medium[first:last]
        total = value[first:last]
        for k in range(n):
            s = 1.0 + (1.0 - x[k]) * d_core + x[k] * d_shell
            a = s * (1.0 - x[k]) / vol[k]
            b = s * x[k] / vol[k]
            re, im, yre, yim = work[0, k], work[1, k], work[2, k], work[3, k]
            # one written array for each loop: with more, the compiler cannot rule out overlaps and gives up on vectors
            for p in range(count):
                re[p] = a * core_re[p] + b * shell_re[p] - solvent[p]
            for p in range(count):
                im[p] = a * core_im[p] + b * shell_im[p]
            for p in range(count):
                yre[p] = 0.0
            for p in range(count):
                yim[p] = 0.0
        i = 0
        for k in range(n):
            re, im, yre, yim = work[0, k], work[1, k], work[2, k], work[3, k]
            for m in range(k, n):
                row = table_t[i, first:last]
                i += 1
                re2, im2, yre2, yim2 = work[0, m], work[1, m], work[2, m], work[3, m]
                # off-diagonal pairs are stored doubled: half for each of the two shells
                share = 1.0 if k == m else 0.5
                for p in range(count):
                    yre[p] += share * row[p] * re2[p]
                for p in range(count):
                    yim[p] += share * row[p] * im2[p]
                if k != m:
                    for p in range(count):
                        yre2[p] += share * row[p] * re[p]
                    for p in range(count):
                        yim2[p] += share * row[p] * im[p]
        for p in range(count):
            total[p] = 0.0
        for k in range(n):
            s = 1.0 + (1.0 - x[k]) * d_core + x[k] * d_shell
            h = (d_shell - d_core) - s * dvol[k] / vol[k]
            c = 2.0 * ((1.0 - x[k]) * h - s) / vol[k]
            d = 2.0 * (x[k] * h + s) / vol[k]
            re, im, yre, yim = work[0, k], work[1, k], work[2, k], work[3, k]
            grad = grad_t[k, first:last]
            for p in range(count):
                total[p] += re[p] * yre[p] + im[p] * yim[p]
            for p in range(count):
                grad[p] = yre[p] * (c * core_re[p] + d * shell_re[p]) + yim[p] * (c * core_im[p] + d * shell_im[p])


@jit()
def _solve(matrix: Any, right: Any) -> bool:
    """Solve a symmetric positive definite system in place (Cholesky); False when it is not positive definite."""
    n = right.shape[0]
    for a in range(n):
        for b in range(a + 1):
            total = matrix[a, b]
            for c in range(b):
                total -= matrix[a, c] * matrix[b, c]
            if a == b:
                if not total > 0.0:
                    return False
                matrix[a, a] = np.sqrt(total)
            else:
                matrix[a, b] = total / matrix[b, b]
    for a in range(n):
        for c in range(a):
            right[a] -= matrix[a, c] * right[c]
        right[a] /= matrix[a, a]
    for a in range(n - 1, -1, -1):
        for c in range(a + 1, n):
            right[a] -= matrix[c, a] * right[c]
        right[a] /= matrix[a, a]
    return True


@jit()
def _polynomials(x: Any, poly: Any, dpoly: Any, vol: Any, dvol: Any) -> None:
    """Volume per site and its slope at every x, np.polyval order."""
    for k in range(vol.shape[0]):
        v = 0.0
        dv = 0.0
        for c in range(poly.shape[0]):
            v = v * x[k] + poly[c]
        for c in range(dpoly.shape[0]):
            dv = dv * x[k] + dpoly[c]
        vol[k] = v
        dvol[k] = dv


@jit()
def _weigh(
    data: Any, weight: Any, value: Any, factor: Any, curve: Any, offset: Any, prior: Any, theta: Any, n_shell: int,
    fit_scale: bool, fit_constant: bool, residual: Any, jac_t: Any,
) -> None:  # fmt: skip
    """Turn values and slopes of the form (in jac_t) into residuals and their derivatives, in place."""
    points = value.shape[0]
    scale = theta[n_shell] if fit_scale else 1.0
    for p in range(points):
        residual[p] = (scale * factor[p] * value[p] + offset[p] - data[p]) * weight[p]
    for k in range(n_shell):
        column = jac_t[k]
        for p in range(points):
            column[p] *= scale * factor[p] * weight[p]
    if fit_scale:
        column = jac_t[n_shell]
        for p in range(points):
            column[p] = factor[p] * value[p] * weight[p]
    if fit_constant:
        first = n_shell + (1 if fit_scale else 0)
        for p in range(points):
            residual[p] += theta[first + curve[p]] * weight[p]
    for r in range(prior.shape[0]):
        s = 0.0
        for k in range(n_shell):
            s += prior[r, k] * theta[k]
        residual[points + r] = s


@jit()
def bounded_refits(
    data: Any, sigma: Any, start: Any, lower: Any, upper: Any, poly: Any, dpoly: Any, core: Any, shell: Any,
    medium: Any, d_core: float, d_shell: float, column: Any, table: Any, factor: Any, curve: Any, offset: Any,
    n_shell: int, fit_scale: bool, fit_constant: bool, prior: Any, max_iterations: int, out: Any, chi2: Any,
) -> int:  # fmt: skip
    r"""Bounded Levenberg-Marquardt for every row of ``data`` (d, p); returns the number of model evaluations.

    Model: factor_p s A_p(x) + offset_p + b_curve, with x in [lower, upper] and, where asked for, s and one b per curve
    free. ``poly``, ``dpoly``: v(x) and its slope as polynomials (np.polyval order). ``table`` (1, c, n_pair) is fixed.
    ``prior`` (m, n_shell) rows are added as residuals (smoothness). Results: out (d, n_parameter), chi2 (d,).
    """
    n_data, points = data.shape
    n_par = start.shape[0]
    rows = prior.shape[0]
    # everything that all fits share, laid out once with points last
    table_t = np.empty((table.shape[2], points))
    ends = np.empty((4, points))
    weight = np.empty(points)
    for p in range(points):
        for i in range(table.shape[2]):
            table_t[i, p] = table[0, column[p], i]
        ends[0, p] = core[p].real
        ends[1, p] = core[p].imag
        ends[2, p] = shell[p].real
        ends[3, p] = shell[p].imag
        weight[p] = 1.0 / sigma[p]
    work = np.empty((4, n_shell, _BLOCK))
    value = np.empty(points)
    vol = np.empty(n_shell)
    dvol = np.empty(n_shell)
    residual = np.empty(points + rows)
    jac_t = np.zeros((n_par, points + rows))
    normal = np.empty((n_par, n_par))
    system = np.empty((n_par, n_par))
    slope = np.empty(n_par)
    move = np.empty(n_par)
    trial = np.empty(n_par)
    held = np.zeros(n_par, dtype=np.bool_)
    evaluations = 0
    for r in range(rows):
        for k in range(n_shell):
            jac_t[k, points + r] = prior[r, k]
    if fit_constant:
        for p in range(points):
            jac_t[n_shell + (1 if fit_scale else 0) + curve[p], p] = weight[p]
    for d in range(n_data):
        theta = start.copy()
        best = np.inf
        damping = 1e-3
        candidate = theta.copy()
        for _ in range(max_iterations):
            _polynomials(candidate, poly, dpoly, vol, dvol)
            _form(candidate[:n_shell], vol, dvol, ends, medium, d_core, d_shell, table_t, work, value, jac_t)
            evaluations += 1
            _weigh(
                data[d], weight, value, factor, curve, offset, prior, candidate, n_shell, fit_scale, fit_constant,
                residual, jac_t,
            )  # fmt: skip
            cost = _square(residual)
            if cost < best:
                small = best - cost < 1e-9 * (1.0 + cost)
                best = cost
                theta[:] = candidate
                _normal_equations(residual, jac_t, normal, slope)
                damping = max(damping * 0.2, 1e-12)
                if small:
                    break
            else:
                damping *= 6.0
                if damping > 1e8:
                    break
            # variables on a wall whose slope points outwards stay there for this step
            for a in range(n_par):
                held[a] = (theta[a] <= lower[a] and slope[a] > 0) or (theta[a] >= upper[a] and slope[a] < 0)
            for a in range(n_par):
                for b in range(n_par):
                    system[a, b] = 0.0 if held[a] or held[b] else normal[a, b]
                system[a, a] = 1.0 if held[a] else normal[a, a] * (1.0 + damping) + 1e-300
                move[a] = 0.0 if held[a] else -slope[a]
            if not _solve(system, move):
                damping = max(damping * 10.0, 1e-12)
                continue
            largest = 0.0
            for a in range(n_par):
                trial[a] = min(max(theta[a] + move[a], lower[a]), upper[a])
                largest = max(largest, abs(trial[a] - theta[a]) / (abs(theta[a]) + 1e-3))
            if largest < 1e-7:
                break
            candidate[:] = trial
        out[d] = theta
        chi2[d] = best
    return evaluations
