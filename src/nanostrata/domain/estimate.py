"""A number with its interval."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from nanostrata.domain.base import FloatArray

Quantity: TypeAlias = dict[str, Any]


def quantity(draws: FloatArray) -> Quantity:
    """Mean, standard deviation and central intervals of posterior draws.

    Parameters
    ----------
    draws : (n,) for a scalar, (n, m) for an array of m numbers

    Returns
    -------
    dict with value, sigma, interval68, interval95; for arrays lists with one entry per number
    """
    a = np.asarray(draws, dtype=np.float64)
    q = np.quantile(a, [0.16, 0.84, 0.025, 0.975], axis=0)
    if a.ndim == 1:
        return {
            "value": float(a.mean()),
            "sigma": float(a.std(ddof=1)),
            "interval68": [float(q[0]), float(q[1])],
            "interval95": [float(q[2]), float(q[3])],
        }
    return {
        "value": a.mean(axis=0).tolist(),
        "sigma": a.std(axis=0, ddof=1).tolist(),
        "interval68": q[:2].T.tolist(),
        "interval95": q[2:].T.tolist(),
    }


def gaussian_quantity(value: float, sigma: float) -> Quantity:
    """A number with a Gaussian error."""
    return {
        "value": float(value),
        "sigma": float(sigma),
        "interval68": [float(value - sigma), float(value + sigma)],
        "interval95": [float(value - 1.96 * sigma), float(value + 1.96 * sigma)],
    }
