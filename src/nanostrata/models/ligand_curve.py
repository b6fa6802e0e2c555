"""What a ligand shell adds to the scattering of one particle of homogeneous shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.kernels import sizes as size_kernels
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.density import SolidSolution
from nanostrata.models.particle_options import Ligand

if TYPE_CHECKING:
    from nanostrata.tables.factors import FactorTable

_ORIENTATIONS = 48


def ligand_excess(
    q_inv_nm: FloatArray,
    solid: SolidSolution,
    factors: FactorTable,
    energy_kev: float,
    ligand: Ligand,
    *,
    diameter_nm: float,
    aspect_ratio: float = 1.0,
    shell_fraction: FloatArray,
) -> FloatArray:
    r"""Orientation average of a spheroid with its ligand minus that without, electrons squared.

    .. math:: \int_0^1 \big( 2\, \mathrm{Re}(F^* F_L) + |F_L|^2 \big)\, d\mu, \qquad
              F_L = \Delta\rho_L\, [V_+ \Phi(q t_+) - V \Phi(q t)]

    with t the effective radius along :math:`\mu` and the outer body the spheroid whose semi-axes are longer by the
    thickness. Thickness and density are the means of ``ligand``.

    Parameters
    ----------
    q_inv_nm : (n_q,)
    diameter_nm : volume-equivalent, without ligand
    aspect_ratio : unique axis over the other two
    shell_fraction : (n,) inner to outer
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    x = np.asarray(shell_fraction, dtype=np.float64)
    fractions = np.arange(1, len(x) + 1) / len(x)
    volume = np.pi / 6.0 * diameter_nm**3
    medium = solid.medium.electron_density_e_nm3
    core, shell = solid.numerators(factors, energy_kev, q)
    rho = ((1.0 - x) * core[:, None] + x * shell[:, None]) / solid.site_volume_nm3(x) - medium
    steps = (rho - np.concatenate([rho[:, 1:], np.zeros((len(q), 1))], axis=1)) * volume * fractions**3
    outside = ligand.electron_density(factors, energy_kev) - medium
    across = 0.5 * diameter_nm * aspect_ratio ** (-1.0 / 3.0)
    along = across * aspect_ratio
    wide, long = across + ligand.thickness_nm, along + ligand.thickness_nm
    whole = 4.0 / 3.0 * np.pi * wide**2 * long
    mu, weights = size_kernels.orientation_nodes(1 if aspect_ratio == 1.0 else _ORIENTATIONS)
    total = np.zeros(len(q))
    for m, w in zip(mu, weights, strict=True):
        t = float(np.sqrt(across**2 * (1.0 - m * m) + along**2 * m * m))
        outer = float(np.sqrt(wide**2 * (1.0 - m * m) + long**2 * m * m))
        f = (steps * sphere_phi(t * np.outer(q, fractions))).sum(axis=1)
        f_ligand = outside * (whole * sphere_phi(q * outer) - volume * sphere_phi(q * t))
        total += w * (2.0 * (f.conj() * f_ligand).real + np.abs(f_ligand) ** 2)
    return total
