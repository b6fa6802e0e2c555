"""Pair distribution function of atoms, and its fit to a measured one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import Domain, FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.debye import intensity_from_pairs
from nanostrata.kernels.pair_distribution import reduced_structure_function, sine_transform

if TYPE_CHECKING:
    from nanostrata.models.atom_cloud import PairSums
    from nanostrata.tables.factors import FactorTable

__all__ = ["PdfFit", "fit_pdf", "pair_distribution", "structure_function"]


def structure_function(
    sums: PairSums,
    factors: FactorTable,
    energy_kev: float | None = None,
    b_factor_nm2: float | Mapping[str, float] = 0.0,
) -> FloatArray:
    r"""Reduced structure function F(q) = q [S(q) - 1] of atoms in vacuum, 1/nm.

    .. math:: S(q) - 1 = \frac{1}{N |\langle f \rangle|^2} \sum_{i \ne j} \mathrm{Re}(f_i^* f_j)
              e^{-(B_i + B_j)(q/4\pi)^2} \frac{\sin q r_{ij}}{q r_{ij}}

    Parameters
    ----------
    sums : PairSums
        Made without a medium; its q should start at 0 and end at or beyond the largest q that was measured.
    factors : FactorTable
    energy_kev : float, optional
        For f' and f''; left out: far from all edges, f0 alone.
    b_factor_nm2 : float, or element -> float
        Debye-Waller factor B, nm^2.
    """
    from nanostrata.models.atom_cloud import b_of

    if len(sums.site_size_nm2):
        raise PhysicsError("sums: a pair distribution is that of atoms alone; make the sums with medium_model=None")
    q = sums.q_inv_nm
    bare = np.array([
        factors.f0(e, q) + (factors.anomalous(e, energy_kev) if energy_kev is not None else 0.0) for e in sums.elements
    ], dtype=np.complex128)  # fmt: skip
    damped = bare * np.array([np.exp(-b_of(b_factor_nm2, e) * (q / (4.0 * math.pi)) ** 2) for e in sums.elements])
    pairs = sums.pairs - np.diag(sums.counts)[:, :, None]
    n = float(sums.counts.sum())
    return reduced_structure_function(intensity_from_pairs(pairs, damped), sums.counts @ bare / n, n, q)


def pair_distribution(
    sums: PairSums,
    factors: FactorTable,
    r_nm: FloatArray,
    *,
    energy_kev: float | None = None,
    b_factor_nm2: float | Mapping[str, float] = 0.0,
    q_min: float = 0.0,
    q_max: float = math.inf,
    damping_inv_nm: float = 0.0,
) -> FloatArray:
    """Reduced pair distribution function G(r), 1/nm^2; see :func:`structure_function` and ``sine_transform``."""
    reduced = structure_function(sums, factors, energy_kev, b_factor_nm2)
    return sine_transform(sums.q_inv_nm, reduced, np.asarray(r_nm, dtype=np.float64), q_min, q_max, damping_inv_nm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PdfFit(Domain):
    """Atoms held against a measured pair distribution function.

    Attributes
    ----------
    r_w : sqrt(sum (G_obs - G)^2 / sum G_obs^2)
    scale, b_factor_nm2, q_max, damping_inv_nm : as fitted
    curve : (n_r,) G(r) of the atoms, 1/nm^2
    """

    r_w: float
    scale: float
    b_factor_nm2: float
    q_max: float
    damping_inv_nm: float
    curve: FloatArray


def fit_pdf(
    sums: PairSums,
    factors: FactorTable,
    r_nm: FloatArray,
    observed: FloatArray,
    *,
    q_min: float,
    q_max_range: tuple[float, float],
    energy_kev: float | None = None,
) -> PdfFit:
    """Fit scale, one B, q_max and damping of the calculated G(r); positions stay as they are.

    Parameters
    ----------
    sums : PairSums
        Made without a medium, at equispaced q from 0 to at least the upper end of ``q_max_range``.
    factors : FactorTable
    r_nm, observed : (n_r,)
        nm, and G in 1/nm^2 (100 times that in 1/angstrom^2).
    q_min : float
        1/nm, below which nothing was measured.
    q_max_range : (low, high)
        1/nm.
    energy_kev : float, optional
    """
    from scipy.optimize import least_squares, minimize_scalar

    r, g = np.asarray(r_nm, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    bare = structure_function(sums, factors, energy_kev)
    q = sums.q_inv_nm
    squared = (q / (4.0 * math.pi)) ** 2

    waves = np.sin(np.outer(r, q)) * (2.0 / math.pi)

    def shape(p: FloatArray, q_max: float) -> FloatArray:
        reduced = bare * np.exp(-2.0 * p[0] * squared) * _weights(q, q_min, q_max)
        return np.asarray(np.exp(-0.5 * (r * p[1]) ** 2) * (waves @ reduced))

    def rest(p: FloatArray, q_max: float) -> FloatArray:
        y = shape(p, q_max)
        return np.asarray((y @ g) / (y @ y) * y - g)

    def best(q_max: float) -> tuple[FloatArray, float]:
        found = least_squares(rest, [0.01, 0.5], bounds=([0.0, 0.0], [0.2, 10.0]), args=(q_max,))
        return found.x, math.sqrt(2.0 * float(found.cost) / float(g @ g))

    # R_w ripples with q_max: the best point of a grid first
    grid = np.linspace(*q_max_range, 13)
    start = int(np.argmin([best(float(x))[1] for x in grid]))
    step = float(grid[1] - grid[0])
    low, high = max(float(grid[start]) - step, float(grid[0])), min(float(grid[start]) + step, float(grid[-1]))
    chosen = minimize_scalar(lambda x: best(float(x))[1], bounds=(low, high), method="bounded", options={"xatol": 0.05})
    p, r_w = best(float(chosen.x))
    y = sine_transform(q, bare * np.exp(-2.0 * p[0] * squared), r, q_min, float(chosen.x), float(p[1]))
    scale = float((y @ g) / (y @ y))
    return PdfFit(
        r_w=r_w, scale=scale, b_factor_nm2=float(p[0]), q_max=float(chosen.x), damping_inv_nm=float(p[1]), curve=scale * y
    )  # fmt: skip


def _weights(q: FloatArray, q_min: float, q_max: float) -> FloatArray:
    """Weight of each point of an equispaced grid in an integral whose ends may lie between points."""
    step = float(q[1] - q[0])
    return np.asarray(np.clip((q - q_min) / step + 0.5, 0.0, 1.0) * np.clip((q_max - q) / step + 0.5, 0.0, 1.0) * step)
