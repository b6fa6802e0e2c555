"""What a measured pair distribution function says by itself: the shortest distance, and the size of the particles."""

from __future__ import annotations

import math

import numpy as np

from nanostrata.domain import FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.pair_distribution import sine_transform

__all__ = ["bond_length_nm", "envelope_diameter_nm"]

_Q_STEP = 0.1
_STRETCH = np.linspace(0.98, 1.01, 13)
_BROADENING_NM = np.array([0.0, 0.007, 0.014, 0.022, 0.032])


def bond_length_nm(
    r_nm: FloatArray, observed: FloatArray, *, q_min: float, q_max: float, window_nm: tuple[float, float] = (0.22, 0.30)
) -> float:
    r"""Shortest distance, from the first peak of G(r).

    The peak is that of one distance with a Gaussian spread, cut off at q_min and q_max as the measurement was, on a
    straight line: termination ripples move the maximum of the raw curve by 0.0005 nm and more.

    .. math:: G(r) = a \int_{q_{min}}^{q_{max}} \frac{\sin q d}{d} e^{-(q s)^2/2} \sin(q r)\, dq + b r + c

    Parameters
    ----------
    r_nm, observed : (n,)
        nm, and G in any unit.
    q_min, q_max : float
        1/nm, of the measurement.
    window_nm : (low, high)
        Range of r that holds the peak and no other.

    Raises
    ------
    PhysicsError
        When the window holds fewer than eight points.
    """
    from scipy.optimize import least_squares

    inside = (r_nm >= window_nm[0]) & (r_nm <= window_nm[1])
    x, y = np.asarray(r_nm[inside], dtype=np.float64), np.asarray(observed[inside], dtype=np.float64)
    if len(x) < 8:
        raise PhysicsError(
            f"window_nm: {window_nm[0]:g} to {window_nm[1]:g} nm holds {len(x)} points; at least 8 are needed"
        )
    q = np.arange(0.0, q_max + _Q_STEP, _Q_STEP)

    def rest(p: FloatArray) -> FloatArray:
        peak = sine_transform(q, np.sin(q * p[0]) / p[0] * np.exp(-0.5 * (p[1] * q) ** 2), x, q_min, q_max)
        columns = np.stack([peak, x, np.ones_like(x)], axis=1)
        return np.asarray(columns @ np.linalg.lstsq(columns, y, rcond=None)[0] - y)

    start = [float(x[np.argmax(y)]), 0.01]
    return float(least_squares(rest, start, x_scale=[0.01, 0.01]).x[0])


def envelope_diameter_nm(
    r_nm: FloatArray, observed: FloatArray, bulk: FloatArray, *, low_nm: float = 0.35, high_nm: float = 4.0
) -> float:
    r"""Diameter of the spheres in which the order of the bulk ends.

    .. math:: G(r) = s\, G_{bulk}(r / e) \Big[1 - \frac{3}{2}\frac{r}{D} + \frac12 \Big(\frac{r}{D}\Big)^3\Big]

    with the peaks of the bulk stretched by e and broadened, both found on a grid, and D by least squares. It is the
    diameter of the coherent crystal: what lies outside, disordered or faulted, does not count.

    Parameters
    ----------
    r_nm : (n,)
        Equispaced, nm.
    observed, bulk : (n,)
        G of the particles and of the bulk from the same instrument and range of q, any unit.
    low_nm, high_nm : float
        Range of r that is compared; the first shell is left out, because its peak is broadened least.
    """
    from scipy.optimize import minimize_scalar

    step = float(r_nm[1] - r_nm[0])
    inside = (r_nm >= low_nm) & (r_nm <= high_nm)
    x, y = r_nm[inside], observed[inside]

    def misfit(diameter: float, peaks: FloatArray) -> float:
        u = np.minimum(x / diameter, 1.0)
        m = peaks * (1.0 - 1.5 * u + 0.5 * u**3)
        return float(np.sum(((m @ y) / (m @ m) * m - y) ** 2))

    best, found = math.inf, 0.0
    for width in _BROADENING_NM:
        half = math.ceil(5.0 * width / step)
        t = np.arange(-half, half + 1) * step
        kernel = np.exp(-0.5 * (t / max(width, 1e-9)) ** 2) if width > 0 else np.ones(1)
        blurred = np.convolve(bulk, kernel / kernel.sum(), mode="same")
        for stretch in _STRETCH:
            peaks = np.interp(x / stretch, r_nm, blurred)
            fit = minimize_scalar(misfit, bounds=(0.8, 12.0), args=(peaks,), method="bounded")
            if fit.fun < best:
                best, found = float(fit.fun), float(fit.x)
    return found
