"""Weights of the nodes of effective radius and their derivatives by mean, width and aspect ratio, in one pass."""

from __future__ import annotations

import math
from typing import Any

from nanostrata.kernels._jit import jit

_FAR = 40.0  # exp(-40) = 4e-18: nothing is lost beyond


@jit()
def gaussian_weights(nodes: Any, mu: Any, mu_weights: Any, mean: float, std: float, aspect: float, out: Any) -> None:
    r"""Fill ``out`` with W and its derivatives for a Gaussian density of the volume-equivalent radius.

    .. math:: W(t) = \Delta t \sum_\mu w_\mu \frac{N(r)}{h_\mu} \left(\tfrac{4}{3}\pi r^3\right)^2, \qquad r = t / h_\mu

    With :math:`r N'/N = -r (r - m)/s^2` all derivatives share the one exponential of each term,

    .. math:: \partial_m = \frac{r - m}{s^2} - \partial_m \ln c, \quad
              \partial_s = \frac{(r - m)^2}{s^3} - \frac{1}{s} - \partial_s \ln c, \quad
              \partial_b = -\frac{h'}{h}\Big(7 - \frac{r (r - m)}{s^2}\Big)

    Parameters
    ----------
    nodes : (n_t,) equidistant, nm
    mu, mu_weights : (n_mu,)
    mean, std : of the radius, nm; c is the share of the Gaussian above 0
    aspect : unique axis over the other two
    out : (m, n_t), m = 3 (sphere) or 4: W, by mean, by standard deviation, by aspect ratio
    """
    step = nodes[1] - nodes[0]
    u = mean / (std * math.sqrt(2.0))
    share = 0.5 * (1.0 + math.erf(u))
    slope = math.exp(-u * u) / (math.sqrt(2.0 * math.pi) * std * share)
    norm = step / (std * math.sqrt(2.0 * math.pi) * share) * (4.0 / 3.0 * math.pi) ** 2
    by_aspect = out.shape[0] > 3
    for i in range(nodes.shape[0]):
        for a in range(out.shape[0]):
            out[a, i] = 0.0
    for j in range(mu.shape[0]):
        m2 = mu[j] * mu[j]
        body = 1.0 + (aspect * aspect - 1.0) * m2
        h = aspect ** (-1.0 / 3.0) * math.sqrt(body)
        dlog_h = -1.0 / (3.0 * aspect) + aspect * m2 / body
        factor = norm * mu_weights[j] / h
        for i in range(nodes.shape[0]):
            r = nodes[i] / h
            z = (r - mean) / std
            e = 0.5 * z * z
            if e > _FAR:
                continue
            cube = r * r * r
            w = factor * math.exp(-e) * cube * cube
            out[0, i] += w
            out[1, i] += w * (z / std - slope)
            out[2, i] += w * ((z * z - 1.0) / std + slope * mean / std)
            if by_aspect:
                out[3, i] -= w * dlog_h * (7.0 - r * z / std)


@jit()
def lognormal_weights(nodes: Any, mu: Any, mu_weights: Any, mean: float, std: float, aspect: float, out: Any) -> None:
    r"""Like :func:`gaussian_weights` for a log-normal density of this mean and standard deviation.

    .. math:: N(r) = \frac{e^{-z^2/2}}{r s \sqrt{2\pi}}, \quad z = \frac{\ln r - \ln m + s^2/2}{s}, \quad s^2 = \ln(1 + \sigma^2/m^2)
    """
    step = nodes[1] - nodes[0]
    ratio = std / mean
    s2 = math.log1p(ratio * ratio)
    s = math.sqrt(s2)
    # s depends on both moments
    common = ratio / (s * (1.0 + ratio * ratio))
    s_by_mean, s_by_std = -common * ratio / mean, common / mean
    norm = step / (s * math.sqrt(2.0 * math.pi)) * (4.0 / 3.0 * math.pi) ** 2
    by_aspect = out.shape[0] > 3
    for i in range(nodes.shape[0]):
        for a in range(out.shape[0]):
            out[a, i] = 0.0
    log_mean = math.log(mean)
    for j in range(mu.shape[0]):
        m2 = mu[j] * mu[j]
        body = 1.0 + (aspect * aspect - 1.0) * m2
        h = aspect ** (-1.0 / 3.0) * math.sqrt(body)
        dlog_h = -1.0 / (3.0 * aspect) + aspect * m2 / body
        factor = norm * mu_weights[j] / h
        for i in range(nodes.shape[0]):
            if nodes[i] <= 0.0:
                continue
            r = nodes[i] / h
            z = (math.log(r) - log_mean + 0.5 * s2) / s
            e = 0.5 * z * z
            if e > _FAR:
                continue
            r2 = r * r
            w = factor * math.exp(-e) * r2 * r2 * r
            by_s = -z * (1.0 - z / s) - 1.0 / s
            out[0, i] += w
            out[1, i] += w * (z / (s * mean) + by_s * s_by_mean)
            out[2, i] += w * by_s * s_by_std
            if by_aspect:
                out[3, i] -= w * dlog_h * (6.0 - z / s)
