"""Scattering of one spheroid of homogeneous shells: the shell model of a single particle of atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain.base import ComplexArray, FloatArray
from nanostrata.kernels import sizes as size_kernels
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.density import SolidSolution

if TYPE_CHECKING:
    from nanostrata.tables.factors import FactorTable

_ORIENTATIONS = 48


def spheroid_curve(
    q_inv_nm: FloatArray,
    solid: SolidSolution,
    factors: FactorTable,
    energy_kev: float,
    *,
    diameter_nm: float,
    aspect_ratio: float = 1.0,
    shell_fraction: FloatArray,
    laue: bool = True,
) -> FloatArray:
    r"""Orientation average of a spheroid of equispaced homothetic shells, electrons squared.

    .. math:: F(q,\mu) = \sum_k (\Delta\rho_k - \Delta\rho_{k+1}) V f_k^3\, \Phi(q R f_k h_\mu), \qquad
              I(q) = \int_0^1 |F|^2 d\mu + \sum_k V_k L(x_k) / v(x_k)

    with R the volume-equivalent radius, :math:`h_\mu` the stretch of the spheroid along :math:`\mu`, and L the Laue
    scattering of the random alloy per shared site.

    Parameters
    ----------
    q_inv_nm : (n_q,)
    diameter_nm : volume-equivalent
    aspect_ratio : unique axis over the other two
    shell_fraction : (n,) inner to outer
    laue : add the Laue scattering
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    x = np.asarray(shell_fraction, dtype=np.float64)
    fractions = np.arange(1, len(x) + 1) / len(x)
    volume = np.pi / 6.0 * diameter_nm**3
    core, shell = solid.numerators(factors, energy_kev, q)
    v = solid.site_volume_nm3(x)
    rho: ComplexArray = ((1.0 - x) * core[:, None] + x * shell[:, None]) / v - solid.medium.electron_density_e_nm3
    steps = rho - np.concatenate([rho[:, 1:], np.zeros((len(q), 1))], axis=1)
    mu, weights = size_kernels.orientation_nodes(1 if aspect_ratio == 1.0 else _ORIENTATIONS)
    stretch = size_kernels.stretch(mu, aspect_ratio)
    total = np.zeros(len(q))
    for h, w in zip(stretch, weights, strict=True):
        amplitude = (steps * fractions**3 * sphere_phi(0.5 * diameter_nm * h * np.outer(q, fractions))).sum(axis=1)
        total += w * volume**2 * np.abs(amplitude) ** 2
    if laue:
        shares = np.diff(fractions**3, prepend=0.0) * volume / v
        total += shares @ solid.laue_per_site(x, factors, energy_kev, q)
    return total
