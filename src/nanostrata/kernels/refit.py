"""Many bounded fits of shell compositions with sizes held: the paper's resampled refits, fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit
from nanostrata.kernels.multishell import form_and_gradient

FloatArray = NDArray[np.float64]


@jit()
def _normal_equations(residual: Any, jac: Any, normal: Any, slope: Any) -> float:
    """Fill J^T J and J^T r in place and return r^T r."""
    points, size = jac.shape
    total = 0.0
    for a in range(size):
        slope[a] = 0.0
        for b in range(size):
            normal[a, b] = 0.0
    for p in range(points):
        total += residual[p] * residual[p]
        for a in range(size):
            slope[a] += jac[p, a] * residual[p]
            for b in range(a, size):
                normal[a, b] += jac[p, a] * jac[p, b]
    for a in range(size):
        for b in range(a):
            normal[a, b] = normal[b, a]
    return total


@jit()
def bounded_refits(
    data: Any, sigma: Any, start: Any, lower: Any, upper: Any, poly: Any, dpoly: Any, core: Any, shell: Any, medium: Any,
    d_core: float, d_shell: float, column: Any, table: Any, factor: Any, curve: Any, offset: Any, n_shell: int, fit_scale: bool,
    fit_constant: bool, prior: Any, max_iterations: int, out: Any, chi2: Any,
) -> int:  # fmt: skip
    r"""Bounded Levenberg-Marquardt for every row of ``data`` (d, p); returns the number of model evaluations.

    Model: factor_p s A_p(x) + offset_p + b_curve, with x in [lower, upper] and, where asked for, s and one b per curve
    free. ``poly``, ``dpoly``: v(x) and its slope as polynomials (np.polyval order). ``table`` (1, c, n_pair) is fixed.
    ``prior`` (m, n_shell) rows are added as residuals (smoothness). Results: out (d, n_parameter), chi2 (d,).
    """
    n_data, points = data.shape
    n_par = start.shape[0]
    rows = prior.shape[0]
    value = np.empty(points)
    gx = np.empty((points, n_shell))
    gt = np.empty((points, 0))
    gd = np.empty((points, 2))
    vol = np.empty(n_shell)
    dvol = np.empty(n_shell)
    residual = np.empty(points + rows)
    jac = np.zeros((points + rows, n_par))
    normal = np.empty((n_par, n_par))
    slope = np.empty(n_par)
    trial = np.empty(n_par)
    evaluations = 0
    for r in range(rows):
        for k in range(n_shell):
            jac[points + r, k] = prior[r, k]
    for d in range(n_data):
        theta = start.copy()
        best = np.inf
        damping = 1e-3
        stale = True
        candidate = theta.copy()
        for _ in range(max_iterations):
            for k in range(n_shell):
                v = 0.0
                dv = 0.0
                for c in range(poly.shape[0]):
                    v = v * candidate[k] + poly[c]
                for c in range(dpoly.shape[0]):
                    dv = dv * candidate[k] + dpoly[c]
                vol[k] = v
                dvol[k] = dv
            form_and_gradient(
                candidate[:n_shell], vol, dvol, core, shell, medium, d_core, d_shell, column, table, value, gx, gt, gd
            )
            evaluations += 1
            scale = candidate[n_shell] if fit_scale else 1.0
            first_constant = n_shell + (1 if fit_scale else 0)
            for p in range(points):
                w = 1.0 / sigma[p]
                f = factor[p] * value[p]
                total = scale * f + offset[p]
                for k in range(n_shell):
                    jac[p, k] = scale * factor[p] * gx[p, k] * w
                if fit_scale:
                    jac[p, n_shell] = f * w
                if fit_constant:
                    for c in range(first_constant, n_par):
                        jac[p, c] = 0.0
                    jac[p, first_constant + curve[p]] = w
                    total += candidate[first_constant + curve[p]]
                residual[p] = (total - data[d, p]) * w
            for r in range(rows):
                s = 0.0
                for k in range(n_shell):
                    s += prior[r, k] * candidate[k]
                residual[points + r] = s
            cost = 0.0
            for p in range(points + rows):
                cost += residual[p] * residual[p]
            if cost < best:
                small = best - cost < 1e-9 * (1.0 + cost)
                best = cost
                theta[:] = candidate
                _normal_equations(residual, jac, normal, slope)
                damping = max(damping * 0.2, 1e-12)
                if small:
                    break
            else:
                damping *= 6.0
                if damping > 1e8:
                    break
            # variables on a wall whose slope points outwards stay there for this step
            held = np.zeros(n_par, dtype=np.bool_)
            for a in range(n_par):
                held[a] = (theta[a] <= lower[a] and slope[a] > 0) or (theta[a] >= upper[a] and slope[a] < 0)
            system = normal.copy()
            for a in range(n_par):
                system[a, a] = normal[a, a] * (1.0 + damping) + 1e-300
                if held[a]:
                    for b in range(n_par):
                        system[a, b] = 0.0
                        system[b, a] = 0.0
                    system[a, a] = 1.0
            right = -slope
            for a in range(n_par):
                if held[a]:
                    right[a] = 0.0
            move = np.linalg.solve(system, right)
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
