"""Pair distribution function of atoms, and its fit to a measured one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import Domain, FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.debye import intensity_from_pairs
from nanostrata.kernels.pair_distribution import reduced_structure_function, sine_transform

if TYPE_CHECKING:
    from nanostrata.domain import AtomicModel
    from nanostrata.models.atom_cloud import PairSums
    from nanostrata.tables.factors import FactorTable

__all__ = [
    "NearPairs",
    "PdfFit",
    "correlated_motion",
    "fit_pdf",
    "near_pairs",
    "pair_distribution",
    "structure_function",
]


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
class NearPairs(Domain):
    """Distances between near atoms, gathered in narrow bins.

    Attributes
    ----------
    pair : (n, 2) names of the two elements
    distance_nm : (n,)
    count : (n,) pairs, each counted once
    n_atoms : of the particle
    mean_of : share of each element in it
    """

    pair: tuple[tuple[str, str], ...]
    distance_nm: FloatArray
    count: FloatArray
    n_atoms: int
    mean_of: Mapping[str, float]


def near_pairs(model: AtomicModel, r_max_nm: float, bin_nm: float = 5e-4) -> NearPairs:
    """Gather the pairs of atoms that are at most ``r_max_nm`` apart; each bin stands at the mean of its distances.

    Raises
    ------
    PhysicsError
        When no two atoms are as near as that.
    """
    from scipy.spatial import cKDTree

    found = cKDTree(model.positions_nm).query_pairs(r_max_nm, output_type="ndarray")
    if not len(found):
        raise PhysicsError(f"r_max_nm: no two atoms are within {r_max_nm:g} nm")
    names = sorted(set(model.symbols))
    kind = np.array([names.index(s) for s in model.symbols])
    d = np.linalg.norm(model.positions_nm[found[:, 0]] - model.positions_nm[found[:, 1]], axis=1)
    ends = np.sort(kind[found], axis=1)
    key = (ends[:, 0] * len(names) + ends[:, 1]) * (int(r_max_nm / bin_nm) + 2) + (d / bin_nm).astype(int)
    _, first, at, count = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    return NearPairs(
        pair=tuple((names[a], names[b]) for a, b in ends[first]),
        distance_nm=np.bincount(at, weights=d) / count,
        count=count.astype(np.float64),
        n_atoms=len(model.symbols),
        mean_of={n: float(np.mean(kind == i)) for i, n in enumerate(names)},
    )


def correlated_motion(
    near: NearPairs, factors: FactorTable, q: FloatArray, energy_kev: float | None = None
) -> Callable[[float, float], FloatArray]:
    r"""Change of F(q) because near atoms move together, as a function of B and delta2, 1/nm.

    .. math:: \sigma_{ij}^2 = \frac{B}{4\pi^2}\left(1 - \frac{\delta_2}{r_{ij}^2}\right), \qquad
              e^{-q^2\sigma_{ij}^2/2}\ \text{in place of}\ e^{-q^2 B/8\pi^2}

    A bond is stiff: its ends swing with the whole neighbourhood, and its length varies by much less than their places do.
    Where :math:`\delta_2` exceeds r^2 the width is taken as 0.

    Parameters
    ----------
    near : NearPairs
    q : (n_q,) 1/nm

    References
    ----------
    Jeong, Proffen, Mohiuddin-Jacobs & Billinge, J. Phys. Chem. A 103, 921 (1999), doi:10.1021/jp9836978;
    Proffen & Billinge, J. Appl. Cryst. 32, 572 (1999).
    """
    bare = {
        e: factors.f0(e, q) + (factors.anomalous(e, energy_kev) if energy_kev is not None else 0.0)
        for e in near.mean_of
    }
    mean = np.abs(np.sum([share * bare[e] for e, share in near.mean_of.items()], axis=0)) ** 2
    waves = np.sin(np.outer(near.distance_nm, q)) * (near.count / near.distance_nm)[:, None]
    for kind in set(near.pair):
        rows = [i for i, k in enumerate(near.pair) if k == kind]
        waves[rows] *= 2.0 * np.real(np.conj(bare[kind[0]]) * bare[kind[1]]) / (near.n_atoms * mean)
    square = q * q / (8.0 * math.pi**2)

    def change(b_factor_nm2: float, delta2_nm2: float) -> FloatArray:
        width = b_factor_nm2 * np.clip(1.0 - delta2_nm2 / near.distance_nm**2, 0.0, None)
        damped = np.exp(-np.outer(width, square))
        damped -= np.exp(-b_factor_nm2 * square)
        return np.asarray(np.einsum("ij,ij->j", waves, damped))

    return change


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PdfFit(Domain):
    """Atoms held against a measured pair distribution function.

    Attributes
    ----------
    r_w : sqrt(sum (G_obs - G)^2 / sum G_obs^2)
    scale, b_factor_nm2, q_max, damping_inv_nm : as fitted
    delta2_nm2 : of the correlated motion; 0 where it was not fitted
    curve : (n_r,) G(r) of the atoms, 1/nm^2
    """

    r_w: float
    scale: float
    b_factor_nm2: float
    q_max: float
    damping_inv_nm: float
    delta2_nm2: float
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
    near: NearPairs | None = None,
) -> PdfFit:
    """Fit scale, one B, q_max and damping of the calculated G(r); positions stay as they are.

    One B for all pairs makes bonds as blurred as far distances, which no crystal does. With ``near`` the parameter delta2 of
    :func:`correlated_motion` is fitted too.

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
    near : NearPairs, optional
        Pairs of the same atoms; they should reach at least as far as r.
    """
    from scipy.optimize import least_squares, minimize_scalar

    r, g = np.asarray(r_nm, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    bare = structure_function(sums, factors, energy_kev)
    q = sums.q_inv_nm
    squared = (q / (4.0 * math.pi)) ** 2

    waves = np.sin(np.outer(r, q)) * (2.0 / math.pi)
    together = None if near is None else correlated_motion(near, factors, q, energy_kev)

    def reduced(p: FloatArray) -> FloatArray:
        f = bare * np.exp(-2.0 * p[0] * squared)
        return np.asarray(f if together is None or len(p) < 3 else f + together(float(p[0]), float(p[2])))

    def rest(p: FloatArray, q_max: float) -> FloatArray:
        y = np.exp(-0.5 * (r * p[1]) ** 2) * (waves @ (reduced(p) * _weights(q, q_min, q_max)))
        return np.asarray((y @ g) / (y @ y) * y - g)

    def best(q_max: float, start: FloatArray) -> tuple[FloatArray, float]:
        high = [0.2, 10.0, 0.2][: len(start)]
        found = least_squares(rest, start, bounds=([0.0] * len(start), high), args=(q_max,))
        return found.x, math.sqrt(2.0 * float(found.cost) / float(g @ g))

    # R_w ripples with q_max: the best point of a grid first
    first = np.array([0.01, 0.5])
    grid = np.linspace(*q_max_range, 13)
    start = int(np.argmin([best(float(x), first)[1] for x in grid]))
    step = float(grid[1] - grid[0])
    low, high = max(float(grid[start]) - step, float(grid[0])), min(float(grid[start]) + step, float(grid[-1]))
    if together is not None:
        first = np.append(best(float(grid[start]), first)[0], 0.5 * float(np.min(near.distance_nm)) ** 2)  # type: ignore[union-attr]
        first = best(float(grid[start]), first)[0]
    chosen = minimize_scalar(
        lambda x: best(float(x), first)[1], bounds=(low, high), method="bounded", options={"xatol": 0.05}
    )
    p, r_w = best(float(chosen.x), first)
    y = sine_transform(q, reduced(p), r, q_min, float(chosen.x), float(p[1]))
    scale = float((y @ g) / (y @ y))
    return PdfFit(
        r_w=r_w, scale=scale, b_factor_nm2=float(p[0]), q_max=float(chosen.x), damping_inv_nm=float(p[1]),
        delta2_nm2=float(p[2]) if len(p) > 2 else 0.0, curve=scale * y,
    )  # fmt: skip


def _weights(q: FloatArray, q_min: float, q_max: float) -> FloatArray:
    """Weight of each point of an equispaced grid in an integral whose ends may lie between points."""
    step = float(q[1] - q[0])
    return np.asarray(np.clip((q - q_min) / step + 0.5, 0.0, 1.0) * np.clip((q_max - q) / step + 0.5, 0.0, 1.0) * step)
