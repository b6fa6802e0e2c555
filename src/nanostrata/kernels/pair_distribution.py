r"""The reduced pair distribution function G(r) of a scattering curve: a sine transform with its cut-offs."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]


def reduced_structure_function(
    pair_intensity: FloatArray, mean_factor: FloatArray | NDArray[np.complex128], n_atoms: float, q: FloatArray
) -> FloatArray:
    r"""Reduced structure function of the scattering of pairs.

    .. math:: F(q) = q\, [S(q) - 1] = q\, \frac{I_{i \ne j}(q)}{N |\langle f(q) \rangle|^2}

    Parameters
    ----------
    pair_intensity : (n_q,)
        Intensity less the scattering of each atom with itself, electrons squared.
    mean_factor : (n_q,) complex or float
        Mean atomic factor, electrons.
    n_atoms : float
    q : (n_q,)
        1/nm.

    Returns
    -------
    (n_q,) float, 1/nm
    """
    return np.asarray(q * pair_intensity / (n_atoms * np.abs(mean_factor) ** 2))


def sine_transform(
    q: FloatArray, reduced: FloatArray, r: FloatArray, q_min: float = 0.0, q_max: float = math.inf, damping: float = 0.0
) -> FloatArray:
    r"""Reduced pair distribution function.

    .. math:: G(r) = e^{-(r Q_{damp})^2/2}\, \frac{2}{\pi} \int_{q_{min}}^{q_{max}} F(q) \sin(q r)\, dq

    Trapezoids; the ends of the range may lie between points. Without the small q below q_min, G carries the baseline
    :math:`-4 \pi r \rho_0 \gamma_0(r)` of the particle's shape, as measured ones do.

    Parameters
    ----------
    q : (n_q,)
        1/nm, increasing; steps well below pi / (r_max + size of the particle).
    reduced : (n_q,)
        F(q), 1/nm.
    r : (n_r,)
        nm.
    q_min, q_max : float
        1/nm; beyond the points of q nothing is added.
    damping : float
        Q_damp of the instrument, 1/nm.

    Returns
    -------
    (n_r,) float, 1/nm^2

    References
    ----------
    Farrow & Billinge, Acta Cryst. A 65, 232 (2009), doi:10.1107/S0108767309009714.
    """
    low, high = max(q_min, float(q[0])), min(q_max, float(q[-1]))
    inside = q[(q > low) & (q < high)]
    points = np.concatenate([[low], inside, [high]])
    values = np.interp(points, q, reduced)
    steps = np.diff(points)
    weights = np.zeros(len(points))
    weights[:-1] += 0.5 * steps
    weights[1:] += 0.5 * steps
    found = np.sin(np.outer(r, points)) @ (values * weights)
    return np.asarray(2.0 / math.pi * np.exp(-0.5 * (r * damping) ** 2) * found)
