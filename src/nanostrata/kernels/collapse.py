"""Gaussian integral over everything in which the model of a set of curves is linear, and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.kernels._jit import jit


@jit()
def collapsed_density(
    form: Any, reference: Any, gram: Any, pull: Any, square: float, modes: Any, template_pull: Any, template_gram: Any,
    template_target: Any, sd: Any, slope: Any, mean: Any, factor: Any,
) -> float:  # fmt: skip
    r"""Return ln of the density of the data with the linear coefficients b integrated out.

    .. math:: y = g\,(1 + \epsilon_c + \textstyle\sum_j c_j m_j) + T t + \text{noise}, \qquad b = (\epsilon, c, t) \sim N(0, \mathrm{sd}^2)

    With C the columns of b times their standard deviations, r the residual at b = 0 and M = 1 + C^T C,

    .. math:: \ln p = -\tfrac{1}{2}\,(r^T r - r^T C M^{-1} C^T r) - \tfrac{1}{2} \ln |M|

    and its derivative by g is the mean over b given the data of the derivative at fixed b (Fisher's identity).
    Curves enter through their normal equations on N nodes, which carry g from the nodes to the data: no data here.

    Parameters
    ----------
    form : (n_curve, N) g at the nodes
    reference : (n_curve, N) form that was subtracted from the data before ``pull`` and ``square`` were made, so that no
        digits are lost
    gram : (n_curve, N, N) B^T B, with B from nodes to data over sigma
    pull : (n_curve, N) B^T y
    square : y^T y
    modes : (n_curve, N, n_mode) m_j at the nodes
    template_pull : (n_curve, N, n_template) B^T T
    template_gram : (n_template, n_template) T^T T
    template_target : (n_template,) T^T y
    sd : (n_curve + n_mode + n_template,) prior standard deviations; 0 holds a coefficient at 0
    slope : (n_curve, N) filled with the derivative of ln p by g
    mean, factor : (L,) and (L, L), filled with the mean of b given the data and F with covariance of b = F F^T
    """
    n_curve, n = form.shape
    n_mode = modes.shape[2]
    n_template = template_gram.shape[0]
    first, length = n_curve + n_mode, n_curve + n_mode + n_template
    m = np.zeros((length, length))
    w = np.zeros(length)
    columns = np.zeros((n_curve, n, 1 + n_mode))
    carried = np.zeros((n_curve, n, 1 + n_mode))
    rest = np.zeros((n_curve, n))
    total = square
    for c in range(n_curve):
        g = form[c]
        columns[c, :, 0] = g
        for j in range(n_mode):
            columns[c, :, 1 + j] = g * modes[c, :, j]
        carried[c] = np.dot(gram[c], columns[c])
        delta = g - reference[c]
        back = np.dot(gram[c], delta)
        rest[c] = back - pull[c]
        total += np.dot(delta, back) - 2.0 * np.dot(delta, pull[c])
        inner = np.dot(columns[c].T, carried[c])
        against = np.dot(columns[c].T, rest[c])
        m[c, c] += inner[0, 0]
        w[c] += against[0]
        for j in range(n_mode):
            m[c, n_curve + j] += inner[0, 1 + j]
            w[n_curve + j] += against[1 + j]
            for k in range(j, n_mode):
                m[n_curve + j, n_curve + k] += inner[1 + j, 1 + k]
        if n_template > 0:
            cross = np.dot(columns[c].T, template_pull[c])
            left = np.dot(delta, template_pull[c])
            for t in range(n_template):
                m[c, first + t] += cross[0, t]
                w[first + t] += left[t]
                for j in range(n_mode):
                    m[n_curve + j, first + t] += cross[1 + j, t]
    for s in range(n_template):
        w[first + s] -= template_target[s]
        for t in range(s, n_template):
            m[first + s, first + t] = template_gram[s, t]
    for i in range(length):
        w[i] *= sd[i]
        for k in range(i, length):
            m[i, k] *= sd[i] * sd[k]
            m[k, i] = m[i, k]
        m[i, i] += 1.0
    root = np.linalg.cholesky(m)
    # covariance of the scaled coefficients; small and well conditioned (eigenvalues of m are at least 1)
    inverse_root = np.linalg.inv(root)
    covariance = np.dot(inverse_root.T, inverse_root)
    half = np.dot(inverse_root, w)
    log_density = -0.5 * (total - np.dot(half, half))
    for i in range(length):
        log_density -= np.log(root[i, i])
    scaled = -np.dot(covariance, w)
    for i in range(length):
        mean[i] = sd[i] * scaled[i]
        for k in range(length):
            factor[i, k] = sd[i] * inverse_root[k, i]
    for c in range(n_curve):
        relative = np.full(n, 1.0 + mean[c])
        for j in range(n_mode):
            relative += mean[n_curve + j] * modes[c, :, j]
        back = rest[c] + mean[c] * carried[c, :, 0]
        for j in range(n_mode):
            back += mean[n_curve + j] * carried[c, :, 1 + j]
        if n_template > 0:
            back += np.dot(template_pull[c], mean[first:])
        own = np.empty((n, 1 + n_mode + n_template))
        own[:, : 1 + n_mode] = carried[c]
        own[:, 1 + n_mode :] = template_pull[c]
        index = np.empty(1 + n_mode + n_template, dtype=np.int64)
        index[0] = c
        for j in range(n_mode + n_template):
            index[1 + j] = n_curve + j
        part = np.empty((len(index), 1 + n_mode))
        for a in range(len(index)):
            for k in range(1 + n_mode):
                part[a, k] = sd[index[a]] * covariance[index[a], index[k]] * sd[index[k]]
        spread = np.dot(own, part)
        slope[c] = -back * relative - spread[:, 0]
        for j in range(n_mode):
            slope[c] -= spread[:, 1 + j] * modes[c, :, j]
    return float(log_density)
