"""Small statistics of residuals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def runs_p(residual: FloatArray) -> float:
    """Probability of as few or fewer runs of equal sign among independent residuals (Wald & Wolfowitz 1940)."""
    sign = residual > 0
    n1, n2 = int(sign.sum()), int((~sign).sum())
    if n1 == 0 or n2 == 0:
        return 0.0 if len(residual) > 8 else 1.0
    runs = 1 + int(np.count_nonzero(sign[1:] != sign[:-1]))
    n = n1 + n2
    mean = 2.0 * n1 * n2 / n + 1.0
    var = (mean - 1.0) * (mean - 2.0) / (n - 1.0)
    if var <= 0:
        return 1.0
    return 0.5 * math.erfc(-(runs + 0.5 - mean) / math.sqrt(2.0 * var))


def slow_residuals(residual: FloatArray) -> float:
    """Variance inflation 1 + 2 sum rho_k of residuals that are like their neighbours; 1 for white ones."""
    r = residual - residual.mean()
    power = float(r @ r)
    total = 1.0
    for k in range(1, max(2, len(r) // 10)):
        rho = float(r[:-k] @ r[k:]) / max(power, 1e-300)
        if rho < 2.0 / np.sqrt(len(r)):
            break
        total += 2.0 * rho
    return total


def probabilities(ln_weight: FloatArray) -> FloatArray:
    """Return weights that add up to 1 from their logarithms, which may lack a common constant."""
    p = np.exp(ln_weight - np.max(ln_weight))
    return np.asarray(p / p.sum())
