"""A block of lattice sites cut by an ellipsoid, trimmed by coordination, and shared out among species by quota."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

_BOND_TOLERANCE = 1.25


def bond_offsets(cell_nm: FloatArray, basis: FloatArray) -> list[IntArray]:
    """Nearest neighbours of each basis site.

    Parameters
    ----------
    cell_nm : (3, 3)
        Rows are the lattice vectors.
    basis : (n, 3)
        Fractional coordinates.

    Returns
    -------
    list of (z, 4) int
        Per basis site its neighbours as (basis site, cell offset i, j, k). A neighbour is a site within 1.25 times the
        shortest distance, which covers the slightly unequal bonds of wurtzite away from the ideal c/a. Second
        neighbours of the lattices here lie above 1.41, except in bcc (1.15), where 8 + 6 are counted.
    """
    shifts = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)], dtype=np.int64)
    points = (basis[:, None, :] + shifts[None, :, :]) @ cell_nm
    found = []
    for b, here in enumerate(basis @ cell_nm):
        d = np.sqrt(((points - here) ** 2).sum(axis=2))
        d[b, 13] = np.inf
        site, shift = np.nonzero(d < _BOND_TOLERANCE * d.min())
        found.append(np.column_stack([site, shifts[shift]]).astype(np.int64))
    return found


def block(cell_nm: FloatArray, basis: FloatArray, origin: FloatArray, reach_nm: float) -> FloatArray:
    """Sites of all cells that a sphere round the origin can touch.

    Parameters
    ----------
    cell_nm, basis
        As in :func:`bond_offsets`.
    origin : (3,)
        Fractional coordinates of the particle's centre.
    reach_nm : float
        Radius of the sphere.

    Returns
    -------
    (n_i, n_j, n_k, n_basis, 3)
        Positions, nm, from the centre.
    """
    # a sphere of radius R spans R |b_i| cells along i, with b_i the reciprocal vector (no factor 2 pi)
    span = reach_nm * np.sqrt((np.linalg.inv(cell_nm) ** 2).sum(axis=0))
    axes = [np.arange(np.floor(o - s) - 1, np.ceil(o + s) + 1) for o, s in zip(origin, span, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    frac = grid[..., None, :] + basis - origin
    return np.asarray(frac @ cell_nm)


def trim(inside: BoolArray, bonds: list[IntArray], least: int = 2) -> BoolArray:
    """Drop sites with fewer than ``least`` neighbours until none is left.

    Parameters
    ----------
    inside : (n_i, n_j, n_k, n_basis) bool
        Sites of the body; it must not touch the faces of the block.
    bonds : list of (z, 4) int
        From :func:`bond_offsets`.
    """
    kept = np.pad(inside, ((1, 1), (1, 1), (1, 1), (0, 0)))
    core = (slice(1, -1),) * 3
    while True:
        count = np.zeros(inside.shape, dtype=np.int64)
        for b, neighbours in enumerate(bonds):
            for site, i, j, k in neighbours:
                count[..., b] += kept[
                    1 + i : kept.shape[0] - 1 + i, 1 + j : kept.shape[1] - 1 + j, 1 + k : kept.shape[2] - 1 + k, site
                ]
        loose = kept[core] & (count < least)
        if not loose.any():
            return np.asarray(kept[core])
        kept[core] &= ~loose


def share_out(probability: FloatArray, depth: FloatArray, rng: np.random.Generator, per_bin: int = 24) -> IntArray:
    """Random species for sites, with a quota per thin radial bin.

    Sites are taken in order of depth, ``per_bin`` at a time. Each bin gets the species that are missing most from the
    running total (largest remainder), in random order inside the bin: the profile is followed to within one atom of
    each kind at every radius, and neighbours stay random.

    Parameters
    ----------
    probability : (m, n)
        Expected share of each species at each site; rows sum to 1.
    depth : (m,)
        Radius fraction.
    rng : numpy.random.Generator
    per_bin : int

    Returns
    -------
    (m,) int
        Species of each site.
    """
    m, n = probability.shape
    tie_break = np.asarray(rng.random(m))
    order = np.lexsort((tie_break, depth))
    wanted = np.cumsum(probability[order], axis=0)
    chosen = np.empty(m, dtype=np.int64)
    given = np.zeros(n, dtype=np.int64)
    for start in range(0, m, per_bin):
        stop = min(start + per_bin, m)
        missing = np.maximum(wanted[stop - 1] - given, 0.0)
        quota = np.floor(missing + 1e-9).astype(np.int64)
        rest = missing - quota
        while quota.sum() > stop - start:
            k = int(np.argmin(np.where(quota > 0, rest, np.inf)))
            quota[k] -= 1
        while quota.sum() < stop - start:
            k = int(np.argmax(rest))
            quota[k] += 1
            rest[k] -= 1.0
        given += quota
        chosen[order[start:stop]] = rng.permutation(np.repeat(np.arange(n), quota))
    return chosen
