"""Which sites of a crystal are bonded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nanostrata.domain.base import Domain, FloatArray, IntArray, freeze, frozen_array

if TYPE_CHECKING:
    from nanostrata.models.crystal_cells import CrystalCell

__all__ = ["BondGraph", "bond_reach", "bonds_between"]

BOND_TOLERANCE = 1.25
"""A bond is at most this much longer than the shortest one of a site; next neighbours lie above 1.41 (bcc: 8 + 6 count)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BondGraph(Domain):
    """Bonds between numbered sites.

    Attributes
    ----------
    sites : number of sites
    pairs : (n, 2) site numbers, each bond once
    """

    sites: int
    pairs: IntArray

    def __post_init__(self) -> None:
        freeze(self, "pairs", frozen_array("pairs", self.pairs, ndim=2, dtype=np.int64))

    def degree(self, kept: NDArray[np.bool_]) -> IntArray:
        """Bonds of each site to sites that are kept."""
        a, b = self.pairs[:, 0], self.pairs[:, 1]
        both = kept[a] & kept[b]
        return np.bincount(np.concatenate([a[both], b[both]]), minlength=self.sites).astype(np.int64)

    def neighbours(self, of: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Sites bonded to one of the given sites."""
        out = np.zeros(self.sites, dtype=bool)
        out[self.pairs[of[self.pairs[:, 0]], 1]] = True
        out[self.pairs[of[self.pairs[:, 1]], 0]] = True
        return out

    def trimmed(self, inside: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
        """Drop sites with fewer than ``least`` bonds until none is left."""
        kept = np.array(inside, dtype=bool)
        while True:
            loose = kept & (self.degree(kept) < least)
            if not loose.any():
                return kept
            kept &= ~loose


def bond_reach(cell: CrystalCell) -> FloatArray:
    """Largest length of a bond of each basis site, nm: 1.25 times the distance of the nearest site it can bond to.

    Bonds of crystals with two sublattices run between them.
    """
    from itertools import product

    shifts = np.array(list(product(range(-2, 3), repeat=3)), dtype=np.float64)
    points = (cell.basis[None, :, :] + shifts[:, None, :]) @ cell.vectors_nm
    out = np.empty(len(cell.basis))
    for k, place in enumerate(cell.basis @ cell.vectors_nm):
        d = np.sqrt(((points - place) ** 2).sum(axis=2))
        allowed = d > 1e-9
        if cell.sublattices > 1:
            allowed &= (cell.sublattice != cell.sublattice[k])[None, :]
        out[k] = BOND_TOLERANCE * d[allowed].min()
    return out


def bonds_between(positions_nm: FloatArray, sublattice: IntArray, reach_nm: FloatArray) -> BondGraph:
    """Bonds of sites on an undistorted lattice.

    Parameters
    ----------
    positions_nm : (n, 3)
    sublattice : (n,) bonds run between different ones, or anywhere when there is one only
    reach_nm : (n,) largest bond of each site; of two sites the larger one counts

    Returns
    -------
    BondGraph
        Pairs in rising order.
    """
    from scipy.spatial import cKDTree

    if not len(positions_nm):
        return BondGraph(sites=0, pairs=np.empty((0, 2), dtype=np.int64))
    pairs = cKDTree(positions_nm).query_pairs(float(reach_nm.max()), output_type="ndarray").astype(np.int64)
    gap = positions_nm[pairs[:, 0]] - positions_nm[pairs[:, 1]]
    length = np.sqrt((gap**2).sum(axis=1))
    bonded = length < np.maximum(reach_nm[pairs[:, 0]], reach_nm[pairs[:, 1]])
    if sublattice.min() != sublattice.max():
        bonded &= sublattice[pairs[:, 0]] != sublattice[pairs[:, 1]]
    pairs = pairs[bonded]
    return BondGraph(sites=len(positions_nm), pairs=pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])
