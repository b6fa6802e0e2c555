"""A second, finer search around beads that a first one found: sites only where a particle can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.domain.shape import BeadModel
from nanostrata.kernels import bead_lattice
from nanostrata.models.beads import BeadSearch, anneal, misfit, prepare_search

REACH = 1.5
"""How far from the centre of a first bead the finer sites go, in diameters of a first bead: one beyond its own volume."""

HOT, COOL = 50.0, 0.5
"""First temperature in units of one point's share of chi^2: of a second search, in which surface and form may move, and of one
that starts from a body that explains the curve already and is to stay near it."""


def finer_sites(model: BeadModel, bead_nm: float) -> IntArray:
    """Sites of a lattice within :data:`REACH` beads, the larger of both, of the beads found, (n, 3)."""
    from scipy.spatial import cKDTree

    reach = REACH * max(model.bead_nm, bead_nm)
    p = model.positions_nm
    far = float(np.sqrt((p**2).sum(axis=1).max())) + reach
    sites = bead_lattice.lattice_sites(far / bead_nm)
    distance = cKDTree(p).query(bead_lattice.positions(sites, bead_nm), distance_upper_bound=reach)[0]
    return np.ascontiguousarray(sites[np.isfinite(distance)])


def refine_beads(
    first: BeadModel, q_inv_nm: ArrayLike, intensity: ArrayLike, sigma: ArrayLike, rng: np.random.Generator, *,
    dmax_nm: float, rg_nm: float, i_zero: float, bead_nm: float, moves_per_site: int, weight: float,
    spread: float = 0.0, spread_shape: str = "gaussian", with_constant: bool = True, label: str = "", anisometry: str = "any",
    hot: float = HOT,
) -> tuple[BeadModel, float]:  # fmt: skip
    """Anneal finer beads from a set of coarser ones, at sites near them only.

    A ball that holds a long particle is mostly empty: for an aspect ratio of 2 the particle fills an eighth of it, and a
    lattice of a given number of sites in it is coarse. Near beads already found, the same number of sites is finer.
    The first beads are turned and shifted at random against the finer lattice.

    Parameters
    ----------
    first : of a search with larger beads
    q_inv_nm, intensity, sigma : (n_q,) the points to explain
    rng : all random numbers come from it
    dmax_nm, rg_nm, i_zero, spread, spread_shape, with_constant, anisometry : see :func:`nanostrata.models.beads.prepare_search`
    bead_nm : distance of neighbouring sites of the finer lattice
    moves_per_site : flips tried per site
    weight, label : see :func:`nanostrata.models.beads.retrieve_beads`
    hot : first temperature, :data:`HOT` or :data:`COOL`

    Returns
    -------
    the beads, and their chi^2 per point against errors that include the lattice's
    """
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    turned = (first.positions_nm - first.positions_nm.mean(axis=0)) @ turn + rng.uniform(-0.5, 0.5, 3) * bead_nm
    moved = replace(first, positions_nm=turned)
    sites = finer_sites(moved, bead_nm)
    search = prepare_search(
        q_inv_nm, intensity, sigma, dmax_nm=dmax_nm, rg_nm=rg_nm, i_zero=i_zero, bead_nm=bead_nm, spread=spread,
        with_constant=with_constant, spread_shape=spread_shape, sites=sites, anisometry=anisometry,
    )  # fmt: skip
    model = anneal(
        search, _same_body(search, moved), rng, moves_per_site * len(sites), label=label, weight=weight,
        hot=hot / len(search.q_inv_nm),
    )  # fmt: skip
    return model, misfit(search, model)


def _same_body(search: BeadSearch, model: BeadModel) -> IntArray:
    """Fill the sites where the first beads are densest, as many as hold their volume; the largest piece of them."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    place = bead_lattice.positions(search.sites, search.bead_nm)
    density: FloatArray = np.concatenate(
        [
            np.exp(-2.5 * ((part[:, None] - model.positions_nm) ** 2).sum(axis=2) / model.bead_nm**2).sum(axis=1)
            for part in np.array_split(place, len(place) // 200 + 1)
        ]
    )
    wanted = min(round(model.volume_nm3 / bead_lattice.cell_volume(search.bead_nm)), len(density))
    filled = np.zeros(len(density), dtype=np.int64)
    filled[np.argsort(-density, kind="stable")[:wanted]] = 1
    contacts = bead_lattice.contact_table(search.sites)
    i, k = np.nonzero((contacts >= 0) & (filled[:, None] == 1) & (filled[contacts] == 1))
    graph = coo_matrix((np.ones(len(i)), (i, contacts[i, k])), shape=(len(filled), len(filled)))
    piece = connected_components(graph, directed=False)[1]
    largest = np.bincount(piece[filled == 1]).argmax()
    return np.asarray(filled * (piece == largest))
