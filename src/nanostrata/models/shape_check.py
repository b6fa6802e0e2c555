"""Curves of particles of known shape with the errors of a measured curve: what the retrieval is checked with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain.base import FloatArray, check_range
from nanostrata.kernels import bead_field


def spheroid_intensity(
    q_inv_nm: ArrayLike, diameter_nm: float, aspect: float, spread: float = 0.0, spread_shape: str = "gaussian"
) -> FloatArray:
    r"""Scattering of homogeneous spheroids of like shape whose sizes are spread, 1 at q = 0.

    .. math:: \langle I\rangle = \frac{\sum_m w_m \lambda_m^6 \int_0^1 \Phi(\lambda_m q R(\mu))^2 d\mu}{\sum_m w_m \lambda_m^6},
              \qquad R(\mu) = a\sqrt{1 + (b^2 - 1)\mu^2}

    Parameters
    ----------
    q_inv_nm : (n_q,)
    diameter_nm : of the ball of the same volume, at lambda = 1
    aspect : b, unique axis over the other two
    spread, spread_shape : relative standard deviation of the size, "gaussian" or "lognormal"

    Returns
    -------
    (n_q,)
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    check_range("aspect", aspect, 0.05, 20.0)
    nodes, weight = np.polynomial.legendre.leggauss(60)
    mu, weight = 0.5 * (nodes + 1.0), 0.5 * weight
    radius = 0.5 * diameter_nm * aspect ** (-1.0 / 3.0) * np.sqrt(1.0 + (aspect**2 - 1.0) * mu**2)
    lam, share = bead_field.relative_sizes(spread, shape=spread_shape)
    total = np.zeros(len(q))
    for m, w in zip(lam, share, strict=True):
        total += w * m**6 * (bead_field.sphere_form(m * q[:, None] * radius) ** 2 @ weight)
    return np.asarray(total / (share * lam**6).sum())


def like_measured(
    exact: FloatArray, intensity: FloatArray, sigma: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Bring an exact curve to the scale of a measured one and give it noise with the measured one's errors.

    Parameters
    ----------
    exact : (n_q,) curve on any scale
    intensity, sigma : (n_q,) the measured curve and its errors
    rng : for the noise

    Returns
    -------
    intensity, sigma (n_q,): the errors are the measured ones, and no smaller a share of the intensity than their median
    """
    w = 1.0 / sigma
    scale = float(((exact * w) @ (intensity * w)) / ((exact * w) @ (exact * w)))
    return scale * exact + sigma * rng.standard_normal(len(exact)), sigma
