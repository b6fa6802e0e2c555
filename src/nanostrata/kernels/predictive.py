"""Chi2 of data against a prediction whose own errors are known as patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Predictive:
    """Result of :func:`predictive_chi2`.

    Attributes
    ----------
    chi2, dof : for the law of chi2
    free : (k,) best coefficients of the patterns without prior
    bound : (m,) best coefficients of the patterns with prior, in standard deviations
    fit : (n,) prediction after these corrections
    """

    chi2: float
    dof: int
    free: FloatArray
    bound: FloatArray
    fit: FloatArray


def predictive_chi2(
    data: FloatArray, sigma: FloatArray, fixed: FloatArray, free: FloatArray, bound: FloatArray
) -> Predictive:
    r"""Smallest chi2 over corrections of a prediction, each with its prior.

    .. math:: \chi^2 = \min_{a, b} \sum_i \left(\frac{y_i - p_i - (A a)_i - (B b)_i}{\sigma_i}\right)^2 + \sum_j b_j^2
              = r^T (\Sigma + B B^T)^{-1} r \quad (A = 0)

    It follows the law of chi2 with n - k degrees of freedom when the data are Gaussian round p + A a + B b with
    independent standard normal b: patterns with a prior cost no degree of freedom.

    Parameters
    ----------
    data, sigma, fixed : (n,) measured values, their standard deviations, and the part p that is not scaled
    free : (n, k) patterns A without prior (a scale)
    bound : (n, m) patterns B, each times its prior standard deviation
    """
    k, m = free.shape[1], bound.shape[1]
    design = np.zeros((len(data) + m, k + m))
    design[: len(data), :k] = free / sigma[:, None]
    design[: len(data), k:] = bound / sigma[:, None]
    design[len(data) :, k:] = np.eye(m)
    target = np.concatenate([(data - fixed) / sigma, np.zeros(m)])
    # columns of very different size: bring each to length 1
    length = np.sqrt((design**2).sum(axis=0))
    length[length == 0] = 1.0
    solution = np.linalg.lstsq(design / length, target, rcond=None)[0] / length
    rest = target - design @ solution
    fit = fixed + free @ solution[:k] + bound @ solution[k:]
    return Predictive(
        chi2=float(rest @ rest), dof=len(data) - k, free=solution[:k], bound=solution[k:], fit=np.asarray(fit)
    )
