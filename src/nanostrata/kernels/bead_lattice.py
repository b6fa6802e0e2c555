"""Sites of a close-packed (face-centred cubic) lattice in a ball, and who touches whom."""

from __future__ import annotations

import numpy as np

from nanostrata.kernels.sizes import FloatArray

CONTACTS = np.array(
    [(a, b, 0) for a in (-1, 1) for b in (-1, 1)] + [(a, 0, b) for a in (-1, 1) for b in (-1, 1)]
    + [(0, a, b) for a in (-1, 1) for b in (-1, 1)],
    dtype=np.int64,
)  # fmt: skip
"""The twelve neighbours of a site in units of d / sqrt(2)."""


def _shells() -> tuple[np.ndarray, np.ndarray]:
    """Sites at squared lattice distance 1, 2 and 3, and their weights 5, 5, 3."""
    axis = np.arange(-2, 3)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    n = (grid**2).sum(axis=1) // 2
    keep = (grid.sum(axis=1) % 2 == 0) & (n >= 1) & (n <= 3)
    order = np.argsort(n[keep], kind="stable")
    return grid[keep][order].astype(np.int64), np.array([0, 5, 5, 3], dtype=np.int64)[n[keep][order]]


AROUND, AROUND_WEIGHT = _shells()
"""The 42 sites within sqrt(3) d of a site, and how much each counts for looseness.

With the twelve nearest alone the tension of a surface depends on its direction by 22 % (between the extremes), and beads
form facets that the particle does not have; with these weights by 5.5 %.
"""


def lattice_sites(radius: float) -> np.ndarray:
    r"""Integer coordinates of the sites within a ball around a site, sorted by distance.

    .. math:: \mathbf r = \frac{d}{\sqrt 2}\,(x, y, z), \quad x + y + z \text{ even}, \qquad r_{ij}^2 = d^2 n_{ij},
              \quad n_{ij} = \tfrac{1}{2}\,|\Delta(x, y, z)|^2 \in \mathbb N

    Parameters
    ----------
    radius : radius of the ball in units of the nearest-neighbour distance d

    Returns
    -------
    (n, 3) int64
    """
    m = int(np.ceil(radius * np.sqrt(2.0)))
    axis = np.arange(-m, m + 1)
    x, y, z = (g.ravel() for g in np.meshgrid(axis, axis, axis, indexing="ij"))
    keep = ((x + y + z) % 2 == 0) & (x * x + y * y + z * z <= 2.0 * radius * radius * (1.0 + 1e-12))
    sites = np.stack([x[keep], y[keep], z[keep]], axis=1).astype(np.int64)
    return np.ascontiguousarray(sites[np.argsort((sites**2).sum(axis=1), kind="stable")])


def contact_table(sites: np.ndarray, vectors: np.ndarray = CONTACTS) -> np.ndarray:
    """Index of the neighbours of every site, (n, n_vector) int64; -1 where the neighbour is outside."""
    m = int(np.abs(sites).max()) + int(np.abs(vectors).max())
    size = 2 * m + 1
    where = np.full((size, size, size), -1, dtype=np.int64)
    where[tuple((sites + m).T)] = np.arange(len(sites))
    around = sites[:, None, :] + vectors[None] + m
    return np.asarray(where[around[..., 0], around[..., 1], around[..., 2]])


def local_pieces() -> np.ndarray:
    """For each of the 4096 sets of filled neighbours: how many pieces they form among themselves, (4096,) int64.

    A set in one piece stays joined when the site in the middle is emptied.
    """
    touch = ((CONTACTS[:, None] - CONTACTS[None]) ** 2).sum(axis=2) == 2
    links = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in touch]
    out = np.zeros(4096, dtype=np.int64)
    for code in range(1, 4096):
        rest, pieces = code, 0
        while rest:
            front = rest & -rest
            pieces += 1
            while front:
                rest &= ~front
                grown = 0
                for i in range(12):
                    if front >> i & 1:
                        grown |= links[i]
                front = grown & rest
        out[code] = pieces
    return out


def cell_volume(bead_nm: float) -> float:
    r"""Volume per site, :math:`d^3/\sqrt 2`, nm^3."""
    return float(bead_nm**3 / np.sqrt(2.0))


def equal_volume_radius(bead_nm: float) -> float:
    """Radius of the ball with the volume of a site: beads that fill space, nm."""
    return float((3.0 * cell_volume(bead_nm) / (4.0 * np.pi)) ** (1.0 / 3.0))


def positions(sites: np.ndarray, bead_nm: float) -> FloatArray:
    """Positions of sites, nm."""
    return np.asarray(sites * (bead_nm / np.sqrt(2.0)), dtype=np.float64)
