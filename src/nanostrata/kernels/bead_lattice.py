"""Sites of a close-packed (face-centred cubic) lattice in a ball, and who touches whom."""

from __future__ import annotations

import numpy as np

from nanostrata.kernels.sizes import FloatArray

CONTACTS = np.array(
    [(a, b, 0) for a in (-1, 1) for b in (-1, 1)] + [(a, 0, b) for a in (-1, 1) for b in (-1, 1)]
    + [(0, a, b) for a in (-1, 1) for b in (-1, 1)],
    dtype=np.int64,
)  # fmt: skip
"""The twelve neighbours of a site in units of d / sqrt(2); site i is opposite to no particular one."""


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


def contact_table(sites: np.ndarray) -> np.ndarray:
    """Index of the twelve neighbours of every site, (n, 12) int64; -1 where the neighbour is outside."""
    m = int(np.abs(sites).max()) + 1
    size = 2 * m + 1
    where = np.full((size, size, size), -1, dtype=np.int64)
    where[tuple((sites + m).T)] = np.arange(len(sites))
    around = sites[:, None, :] + CONTACTS[None] + m
    return where[around[..., 0], around[..., 1], around[..., 2]]


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
