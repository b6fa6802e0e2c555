"""Diffusion into a sphere whose surface is held at a fixed concentration: profile, content of shells, uptake."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Method = Literal["auto", "modes", "images"]

SWITCH_TAU = 0.05
"""Below it the images are summed, above it the modes; there both need few terms and agree to rounding."""

_TINY_EXPONENT = 45.0
_CENTRE = 1e-7


def fick_profile(s: ArrayLike, tau: float, method: Method = "auto") -> tuple[FloatArray, FloatArray]:
    r"""Concentration in a sphere, empty at the start, whose surface is held at 1.

    .. math:: c(s, \tau) &= 1 + \frac{2}{\pi s} \sum_{n \ge 1} \frac{(-1)^n}{n} \sin(n \pi s)\, e^{-n^2 \pi^2 \tau} \\
              &= \frac{1}{s} \sum_{n \ge 0} \left[ \mathrm{erfc}\frac{2n + 1 - s}{2\sqrt{\tau}}
                 - \mathrm{erfc}\frac{2n + 1 + s}{2\sqrt{\tau}} \right]

    Parameters
    ----------
    s : (n,)
        r / R, 0 (centre) to 1 (surface).
    tau : float
        D t / R^2, >= 0.
    method : "auto", "modes" (first sum) or "images" (second)
        Both are exact; "auto" takes the one with fewer terms.

    Returns
    -------
    c, dc/dtau : (n,)
        At tau = 0 c is 0 inside and 1 on the surface, and the derivative is given as 0.

    Raises
    ------
    ValueError
        s outside 0..1 or tau < 0.

    Notes
    -----
    Constant diffusivity, no sources, a surface held from the start, a sphere that does not grow.

    References
    ----------
    Crank, The Mathematics of Diffusion, 2nd ed., Oxford 1975, section 6.3.1.
    """
    s = _checked(s, tau)
    if tau == 0.0:
        return (s >= 1.0).astype(np.float64), np.zeros_like(s)
    if _use_modes(tau, method):
        return _profile_modes(s, tau)
    return _profile_images(s, tau)


def fick_content(s: ArrayLike, tau: float, method: Method = "auto") -> tuple[FloatArray, FloatArray]:
    r"""Content inside radius s over that of the whole sphere when it is full, and its derivative by tau.

    .. math:: M(s, \tau) &= 3 \int_0^s u^2 c(u, \tau)\, du
              = s^3 + \frac{6}{\pi^3} \sum_n \frac{(-1)^n}{n^3} \left[ \sin n\pi s - n \pi s \cos n \pi s \right]
                e^{-n^2 \pi^2 \tau} \\
              &= 3 h \sum_{n \ge 0} \left\{ s\,[\mathrm{ierfc}\, z_- + \mathrm{ierfc}\, z_+]
                 + h\,[\mathrm{i^2erfc}\, z_+ - \mathrm{i^2erfc}\, z_-] \right\}, \qquad
                 z_\pm = \frac{2n + 1 \pm s}{h}, \; h = 2 \sqrt{\tau}

    The derivative is the flux through s, :math:`\partial M / \partial \tau = 3 s^2\, \partial c / \partial s`. M(1, tau) is
    the uptake; for small tau it is :math:`6 \sqrt{\tau / \pi} - 3 \tau`.

    Parameters
    ----------
    s, tau, method : as in :func:`fick_profile`

    Returns
    -------
    M, dM/dtau : (n,)
        At tau = 0 both are 0, but the derivative at s = 1, which is infinite.

    Raises
    ------
    ValueError
        s outside 0..1, or tau < 0.

    References
    ----------
    Crank, The Mathematics of Diffusion, 2nd ed., Oxford 1975, section 6.3.1 (uptake); the content inside s follows by
    integration.
    """
    s = _checked(s, tau)
    if tau == 0.0:
        return np.zeros_like(s), np.where(s < 1.0, 0.0, np.inf)
    if _use_modes(tau, method):
        return _content_modes(s, tau)
    return _content_images(s, tau)


def fick_shell_means(edges: ArrayLike, tau: float, method: Method = "auto") -> tuple[FloatArray, FloatArray]:
    r"""Volume averages of c over spherical shells, and their derivatives by tau.

    .. math:: \bar c_k = \frac{M(s_k) - M(s_{k-1})}{s_k^3 - s_{k-1}^3}

    Parameters
    ----------
    edges : (n + 1,)
        Radii of the boundaries over that of the sphere, increasing, within 0..1.
    tau : float
        D t / R^2, > 0 for a finite derivative of the outermost shell.

    Returns
    -------
    means, derivatives : (n,)
    """
    edges = np.asarray(edges, dtype=np.float64)
    content, flux = fick_content(edges, tau, method)
    volume = np.diff(edges**3)
    return np.diff(content) / volume, np.diff(flux) / volume


def fick_uptake(tau: float, method: Method = "auto") -> float:
    """Content of the whole sphere over that when it is full."""
    return float(fick_content(np.array([1.0]), tau, method)[0][0])


# ------------------------------------------------------------------------------------------------------- inner


def _checked(s: ArrayLike, tau: float) -> FloatArray:
    a = np.atleast_1d(np.asarray(s, dtype=np.float64))
    if a.size and (a.min() < 0.0 or a.max() > 1.0 + 1e-12):
        raise ValueError(f"s: expected r/R in 0..1, got {a.min():g}..{a.max():g}")
    if not tau >= 0.0 or not math.isfinite(tau):
        raise ValueError(f"tau: expected a finite number >= 0, got {tau!r}")
    return a


def _use_modes(tau: float, method: Method) -> bool:
    if method not in ("auto", "modes", "images"):
        raise ValueError(f'method: expected "auto", "modes" or "images", got {method!r}')
    return method == "modes" or (method == "auto" and tau >= SWITCH_TAU)


def _modes(tau: float) -> tuple[FloatArray, FloatArray]:
    """Numbers n as a column, and (-1)^n exp(-n^2 pi^2 tau), until the exponential is below 1e-19."""
    n = np.arange(1.0, math.ceil(math.sqrt(_TINY_EXPONENT / (math.pi**2 * tau))) + 2.0)[:, None]
    return n, (1.0 - 2.0 * (n % 2.0)) * np.exp(-((n * math.pi) ** 2) * tau)


def _images(tau: float) -> FloatArray:
    """Places 2n + 1 of the images as a column, until their contribution is below 1e-19."""
    return 1.0 + 2.0 * np.arange(math.ceil(math.sqrt(_TINY_EXPONENT * tau)) + 2.0)[:, None]


def _profile_modes(s: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    n, decay = _modes(tau)
    # sin(n pi s) / (n pi s), which is 1 in the centre
    terms = 2.0 * decay * np.sinc(n * s)
    return 1.0 + terms.sum(axis=0), -((terms * (n * math.pi) ** 2).sum(axis=0))


def _profile_images(s: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    from scipy.special import erfc

    m = _images(tau)
    h = 2.0 * math.sqrt(tau)
    root = math.sqrt(math.pi)
    safe = np.where(s > _CENTRE, s, 1.0)
    near, far = (m - safe) / h, (m + safe) / h
    c = (erfc(near) - erfc(far)).sum(axis=0) / safe
    slope = (near * np.exp(-(near**2)) - far * np.exp(-(far**2))).sum(axis=0) / (safe * root * tau)
    # limits in the centre: the derivative of erfc takes the place of the difference quotient
    w = m[:, 0] / h
    centre = float((4.0 / (root * h) * np.exp(-(w**2))).sum())
    centre_slope = float((4.0 / (root * h) * np.exp(-(w**2)) * (w**2 - 0.5)).sum() / tau)
    return np.where(s > _CENTRE, c, centre), np.where(s > _CENTRE, slope, centre_slope)


def _content_modes(s: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    n, decay = _modes(tau)
    angle = n * math.pi * s
    terms = decay * (np.sin(angle) - angle * np.cos(angle))
    content = s**3 + 6.0 / math.pi**3 * (terms / n**3).sum(axis=0)
    return content, -6.0 / math.pi * (terms / n).sum(axis=0)


def _content_images(s: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    from scipy.special import erfc

    m = _images(tau)
    h = 2.0 * math.sqrt(tau)
    near, far = (m - s) / h, (m + s) / h
    first_near, first_far = _ierfc(near), _ierfc(far)
    second_near, second_far = (0.25 * (erfc(z) - 2.0 * z * i) for z, i in ((near, first_near), (far, first_far)))
    content = 3.0 * h * (s * (first_near + first_far) + h * (second_far - second_near)).sum(axis=0)
    gaussians = (np.exp(-(near**2)) + np.exp(-(far**2))).sum(axis=0) / math.sqrt(math.pi * tau)
    flux = 3.0 * s * gaussians - 3.0 * (erfc(near) - erfc(far)).sum(axis=0)
    return content, flux


def _ierfc(z: FloatArray) -> FloatArray:
    """Integral of erfc from z to infinity."""
    from scipy.special import erfc

    return np.asarray(np.exp(-(z**2)) / math.sqrt(math.pi) - z * erfc(z))
