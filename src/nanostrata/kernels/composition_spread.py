"""Compositions of the particles of an ensemble whose mean is given, shell by shell."""

from __future__ import annotations

import math
from typing import Any

from nanostrata.kernels._jit import jit

_MOST_STEPS = 60


@jit()
def shifted_compositions(mean: Any, shift: Any, weights: Any, own: Any, by_mean: Any, by_spread: Any) -> None:
    r"""Solve :math:`\sum_j w_j\, \sigma(b_k + \delta_j) = x_k` for every shell, with the logistic :math:`\sigma`.

    Newton's method in b, steps of at most 1; derivatives by the implicit function theorem.

    Parameters
    ----------
    mean : (n_shell,) x, strictly inside 0..1
    shift : (n_node,) :math:`\delta_j`
    weights : (n_node,) sum to 1
    own : (n_node, n_shell) filled with the compositions
    by_mean : (n_node, n_shell) filled with their derivatives by x_k
    by_spread : (n_node, n_shell) on entry :math:`\partial\delta_j/\partial s`, filled with the derivatives by s
    """
    for k in range(mean.shape[0]):
        b = math.log(mean[k] / (1.0 - mean[k]))
        for _ in range(_MOST_STEPS):
            total = -mean[k]
            slope = 0.0
            for j in range(shift.shape[0]):
                x = 1.0 / (1.0 + math.exp(-(b + shift[j])))
                total += weights[j] * x
                slope += weights[j] * x * (1.0 - x)
            step = min(1.0, max(-1.0, total / slope))
            b -= step
            if abs(step) < 1e-13 * max(1.0, abs(b)):
                break
        slope = 0.0
        moved = 0.0
        for j in range(shift.shape[0]):
            x = 1.0 / (1.0 + math.exp(-(b + shift[j])))
            own[j, k] = x
            slope += weights[j] * x * (1.0 - x)
            moved += weights[j] * x * (1.0 - x) * by_spread[j, k]
        for j in range(shift.shape[0]):
            steep = own[j, k] * (1.0 - own[j, k])
            by_mean[j, k] = steep / slope
            by_spread[j, k] = steep * (by_spread[j, k] - moved / slope)
