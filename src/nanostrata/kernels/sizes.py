"""Number distributions of particle size, as weights on nodes of effective radius."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def gaussian_density(r: FloatArray, mean: float, std: float) -> FloatArray:
    """Gaussian number density of the radius, truncated at r > 0 and normalised there (1/nm)."""
    z = (r - mean) / std
    norm = 0.5 * (1.0 + math.erf(mean / (std * math.sqrt(2.0))))
    return np.where(r > 0, np.exp(-0.5 * z * z) / (std * math.sqrt(2.0 * math.pi) * norm), 0.0)


def lognormal_parameters(mean: float, std: float) -> tuple[float, float]:
    r"""Median and logarithmic width of the log-normal with this mean and standard deviation.

    .. math:: s = \sqrt{\ln(1 + \sigma^2/\mu^2)}, \qquad m = \mu e^{-s^2/2}
    """
    s2 = math.log1p((std / mean) ** 2)
    return mean * math.exp(-0.5 * s2), math.sqrt(s2)


def lognormal_density(r: FloatArray, mean: float, std: float) -> FloatArray:
    """Log-normal number density of the radius with this mean and standard deviation (1/nm)."""
    median, s = lognormal_parameters(mean, std)
    safe = np.where(r > 0, r, 1.0)
    z = np.log(safe / median) / s
    return np.where(r > 0, np.exp(-0.5 * z * z) / (safe * s * math.sqrt(2.0 * math.pi)), 0.0)


def sampled_density(r: FloatArray, mean: float, std: float, scores: FloatArray, kernel: float = 0.35) -> FloatArray:
    """Density with the shape of measured readings: a sum of Gaussians at standardised readings.

    Parameters
    ----------
    r : any shape, nm
    mean, std : mean and standard deviation of the density, nm
    scores : (n,) readings with mean 0 and standard deviation 1
    kernel : width of each Gaussian in units of std; the readings are drawn together so that std is kept
    """
    centres = mean + std * math.sqrt(1.0 - kernel**2) * scores
    z = (np.asarray(r)[..., None] - centres) / (kernel * std)
    return np.asarray(np.exp(-0.5 * z * z).sum(-1) / (len(scores) * kernel * std * math.sqrt(2.0 * math.pi)))


def number_density(kind: str, r: FloatArray, mean: float, std: float, scores: FloatArray | None = None) -> FloatArray:
    """Number density of the radius (1/nm) of this mean and standard deviation, nm.

    Parameters
    ----------
    kind : "gaussian", "lognormal" or "tem", the shape of measured readings
    scores : of "tem": (n,) readings with mean 0 and standard deviation 1

    Raises
    ------
    ValueError
        For another kind, or "tem" without readings.
    """
    if kind == "gaussian":
        return gaussian_density(r, mean, std)
    if kind == "lognormal":
        return lognormal_density(r, mean, std)
    if kind == "tem" and scores is not None:
        return sampled_density(r, mean, std, scores)
    raise ValueError(f'kind: "gaussian", "lognormal" or "tem" with scores is expected, got {kind!r}')


def radius_nodes(low_nm: float, high_nm: float, narrowest_std_nm: float, q_max_inv_nm: float) -> FloatArray:
    r"""Equidistant nodes on which the trapezoid rule is exact to about 1e-6.

    For a smooth density of width s and an integrand that oscillates with 2 q r, the error of the trapezoid rule is the
    density's Fourier transform at 2 pi / h - 2 q; below 1e-6 for h = 2 pi / (2 q + 6 / s).
    """
    step = 2.0 * math.pi / (2.0 * q_max_inv_nm + 6.0 / narrowest_std_nm)
    low = max(low_nm, 0.25 * step)
    count = max(3, math.ceil((high_nm - low) / step) + 1)
    return np.linspace(low, high_nm, count)


def orientation_nodes(n: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights in mu = cos(angle to the unique axis) over 0..1."""
    mu, w = np.polynomial.legendre.leggauss(n)
    return 0.5 * (mu + 1.0), 0.5 * w


def stretch(mu: FloatArray, aspect: float) -> FloatArray:
    r"""Effective radius of a spheroid of unit volume-equivalent radius.

    .. math:: h(\mu) = b^{-1/3} \sqrt{1 + (b^2 - 1)\mu^2}
    """
    return np.asarray(aspect ** (-1.0 / 3.0) * np.sqrt(1.0 + (aspect * aspect - 1.0) * mu * mu))


def node_weights(
    nodes: FloatArray, density: FloatArray, stretch_factors: FloatArray, mu_weights: FloatArray
) -> FloatArray:
    r"""Weights W_i with sum_i W_i T(t_i) = < V^2 T(t) > over sizes and orientations.

    A spheroid of volume-equivalent radius r seen along mu scatters like a sphere of radius t = r h(mu) with the
    spheroid's volume, so the orientation average only changes the density of t:

    .. math:: W(t) = \Delta t \sum_\mu w_\mu \frac{N(t/h_\mu)}{h_\mu} \left(\tfrac{4}{3}\pi (t/h_\mu)^3\right)^2

    Parameters
    ----------
    nodes : (n_t,) equidistant effective radii, nm
    density : (n_t, n_mu) number density at t / h_mu, 1/nm
    stretch_factors, mu_weights : (n_mu,)

    Returns
    -------
    (n_t,) nm^6
    """
    r = nodes[:, None] / stretch_factors
    step = nodes[1] - nodes[0]
    inner = density / stretch_factors * (4.0 / 3.0 * np.pi * r**3) ** 2
    return np.asarray(step * (inner @ mu_weights))
