"""Pair distances from a curve: a linear, regularised indirect transform whose smoothness the evidence decides."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain.base import FloatArray, check_range, frozen_array
from nanostrata.domain.separation import PairDistances
from nanostrata.errors import PhysicsError

_STEPS_PER_PERIOD = 12
_FEWEST, _MOST = 40, 160
_SPAN, _TRIED = (10.0, 2.0), 61
"""Decades of smoothness weights below and above the one that balances the data, and how many are tried."""


_SEEN = 3.0
"""I(0) over its error below which no radius of gyration is given."""


def transform_matrix(q_inv_nm: FloatArray, r_nm: FloatArray) -> FloatArray:
    r"""Matrix of :math:`4\pi \int p(r) \sin(qr)/(qr)\, dr`, trapezoidal rule on equal steps, (n_q, n_r)."""
    step = r_nm[1] - r_nm[0]
    return np.asarray(4.0 * np.pi * step * np.sinc(np.outer(q_inv_nm, r_nm) / np.pi))


def pair_distances(
    q_inv_nm: ArrayLike, intensity: ArrayLike, covariance: ArrayLike, largest_distance_nm: float
) -> PairDistances:
    r"""Most probable p(r) between 0 and the largest distance D, with p(0) = p(D) = 0.

    .. math:: p = k\, p_{ball} + u, \qquad \chi^2 + \lambda \sum_j (u_{j-1} - 2 u_j + u_{j+1})^2 \to \min

    with k free, so that a weak curve is not drawn towards zero; p_ball is that of a ball of diameter D. The answer is
    averaged over :math:`\lambda` with the evidence of each as its weight (all is linear and Gaussian, in closed form).
    p(r) may come out negative: nothing is imposed but smoothness and the two zeros.

    Parameters
    ----------
    q_inv_nm, intensity : (n,) curve
    covariance : (n, n) of the intensity; or (n,) variances
    largest_distance_nm : D; of the largest particles, not of the mean one

    Returns
    -------
    PairDistances
        Its errors hold for the given D.

    Raises
    ------
    PhysicsError
        When arrays do not fit together, the covariance is not one, or D is larger than the smallest q can tell
        (2 pi / q_min) by more than a factor of two.

    References
    ----------
    Glatter, J. Appl. Cryst. 10, 415 (1977), doi:10.1107/S0021889877013879; Hansen, J. Appl. Cryst. 33, 1415 (2000),
    doi:10.1107/S0021889800012930 (evidence).
    """
    q = frozen_array("q_inv_nm", q_inv_nm, positive=True, increasing=True)
    y = frozen_array("intensity", intensity, length=len(q))
    cov = np.asarray(covariance, dtype=np.float64)
    cov = frozen_array("covariance", np.diag(cov) if cov.ndim == 1 else cov, ndim=2, length=len(q))
    d = check_range("largest_distance_nm", largest_distance_nm, 0.1, 1e4)
    if d > 4.0 * math.pi / q[0]:
        raise PhysicsError(
            f"largest_distance_nm: {d:g} nm cannot be told from a curve that starts at {q[0]:.3g} 1/nm; at most "
            f"{4.0 * math.pi / q[0]:.3g} nm is taken"
        )
    try:
        lower = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise PhysicsError("covariance: expected a positive definite matrix; a point without any error?") from None
    steps = int(np.clip(math.ceil(_STEPS_PER_PERIOD * q[-1] * d / (2.0 * math.pi)), _FEWEST, _MOST))
    r = np.linspace(0.0, d, steps + 1)
    matrix = transform_matrix(q, r)[:, 1:-1]
    white, target = np.linalg.solve(lower, matrix), np.linalg.solve(lower, y)
    second = -2.0 * np.eye(steps - 1) + np.eye(steps - 1, k=1) + np.eye(steps - 1, k=-1)
    smooth = np.linalg.inv(second.T @ second)
    ball = (r**2 * (1.0 - 1.5 * r / d + 0.5 * (r / d) ** 3))[1:-1]
    seen = white @ ball
    # wide enough to be flat: a hundred times what could explain the data
    free = np.outer(ball, ball) * (1e2 * (1.0 + float(np.linalg.norm(target))) / float(np.linalg.norm(seen))) ** 2
    top = math.log10(float(np.linalg.eigvalsh(white @ smooth @ white.T)[-1]))
    weights = 10.0 ** np.linspace(top - _SPAN[0], top + _SPAN[1], _TRIED)
    tried = [_posterior(white, target, smooth / w + free) for w in weights]
    evidence = np.array([t[2] for t in tried])
    best = int(np.argmax(evidence))
    chance = np.exp(evidence - evidence[best])
    chance /= chance.sum()
    p = np.asarray(sum(c * t[0] for c, t in zip(chance, tried, strict=True)))
    p_cov = np.asarray(
        sum(c * (t[1] + np.outer(t[0] - p, t[0] - p)) for c, t in zip(chance, tried, strict=True) if c > 1e-9)
    )
    fit = matrix @ p
    full, full_cov = np.zeros(steps + 1), np.zeros((steps + 1, steps + 1))
    full[1:-1], full_cov[1:-1, 1:-1] = p, p_cov
    zero, zero_sigma, rg, rg_sigma = _moments(r, full, full_cov)
    return PairDistances(
        r_nm=r, p=full, covariance=full_cov, fit=fit, chi2=float(((target - white @ p) ** 2).sum()), smoothness=float(weights[best]),
        at_limit=best in (0, _TRIED - 1), rg_nm=rg, rg_sigma_nm=rg_sigma, i_zero=zero, i_zero_sigma=zero_sigma,
    )  # fmt: skip


def _posterior(white: FloatArray, target: FloatArray, prior: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Mean, covariance and log evidence of p for unit errors and a prior covariance."""
    carried = white @ prior
    lower = np.linalg.cholesky(np.eye(len(target)) + carried @ white.T)
    pulled, residual = np.linalg.solve(lower, carried), np.linalg.solve(lower, target)
    evidence = -0.5 * float(residual @ residual) - float(np.log(np.diagonal(lower)).sum())
    return pulled.T @ residual, prior - pulled.T @ pulled, evidence


def _moments(r: FloatArray, p: FloatArray, cov: FloatArray) -> tuple[float, float, float, float]:
    r"""Return I(0), its error, :math:`R_g = \sqrt{\int r^2 p / 2 \int p}` and its error to first order."""
    step = r[1] - r[0]
    zeroth, second = float(p.sum()), float((r**2 * p).sum())
    i_zero = 4.0 * math.pi * step * zeroth
    i_sigma = 4.0 * math.pi * step * math.sqrt(max(float(cov.sum()), 0.0))
    if i_zero < _SEEN * i_sigma or second <= 0:
        return i_zero, i_sigma, math.nan, math.nan
    rg = math.sqrt(second / zeroth / 2.0)
    slope = 0.5 * rg * (r**2 / second - 1.0 / zeroth)
    return i_zero, i_sigma, rg, math.sqrt(max(float(slope @ cov @ slope), 0.0))
