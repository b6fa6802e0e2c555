"""Shapes that are asked to be prolate or oblate."""

from __future__ import annotations

import numpy as np
import pytest
from tests.shapes import spheroid_curve, with_noise

from nanostrata.kernels import bead_anneal, bead_lattice
from nanostrata.models.beads import misfit, prepare_search, retrieve_beads
from nanostrata.models.shape_reading import aspect_ratio, second_moments

Q = np.linspace(0.3, 5.0, 120)


def sums(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = points.T
    return points.sum(axis=0), np.array([(a * b).sum() for a, b in ((x, x), (y, y), (z, z), (x, y), (x, z), (y, z))])


@pytest.mark.parametrize("axes", [(1, 1, 1.6), (1, 1, 0.6), (0.8, 1.0, 1.5)])
def test_uneven_axes_are_those_of_the_moments(axes: tuple[float, ...]) -> None:
    rng = np.random.default_rng(2)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    points = rng.normal(size=(4000, 3)) * np.array(axes) @ turn + np.array([3.0, -1.0, 2.0])
    centred = points - points.mean(axis=0)
    low, middle, high = np.linalg.eigvalsh(centred.T @ centred / len(points))
    mean = (low + middle + high) / 3.0
    given = (float(len(points)), *sums(points))
    assert bead_anneal.uneven_axes(*given, 1.0) == pytest.approx(((middle - low) / mean) ** 2, rel=1e-6)
    assert bead_anneal.uneven_axes(*given, -1.0) == pytest.approx(((high - middle) / mean) ** 2, rel=1e-6)


def found(aspect: float, anisometry: str) -> tuple[float, float]:
    y, s = with_noise(spheroid_curve(Q, 2.0, aspect, 0.0), 3)
    search = prepare_search(Q, y, s, dmax_nm=5.6, rg_nm=1.6, i_zero=1.0, bead_nm=0.45, anisometry=anisometry)
    model = retrieve_beads(search, np.random.default_rng(4), 80_000, weight=8.0)
    return aspect_ratio(second_moments(model)), misfit(search, model)


def test_the_side_asked_for_is_found() -> None:
    free, chi2_free = found(0.7, "any")
    assert free < 0.85
    same, chi2_same = found(0.7, "oblate")
    assert same == pytest.approx(0.7, abs=0.05)
    assert chi2_same < 1.1 * chi2_free
    # a long body explains the curve of a flat one nearly as well: the other side is a finding, not a failure
    other, chi2_other = found(0.7, "prolate")
    assert 1.2 < other < 1.5
    assert chi2_other > chi2_same


def test_sums_are_kept_through_refused_and_accepted_moves() -> None:
    """The same flips with and without a side that costs nothing give the same beads."""
    y, s = with_noise(spheroid_curve(Q, 2.0, 1.5, 0.0), 3)
    search = prepare_search(Q, y, s, dmax_nm=6.0, rg_nm=1.7, i_zero=1.0, bead_nm=0.7)
    sites, contacts, pieces = search.sites, bead_lattice.contact_table(search.sites), bead_lattice.local_pieces()
    around = bead_lattice.contact_table(sites, bead_lattice.AROUND)
    share = bead_lattice.AROUND_WEIGHT / bead_lattice.AROUND_WEIGHT.sum()
    out = []
    for side in (0.0, 1e-12):
        filled = ((sites**2).sum(axis=1) < 18).astype(np.int64)
        field, total = bead_anneal.field_of(sites, search.values, filled)
        edge_list, place, edges = bead_anneal.surface_of(filled, contacts)
        touching = bead_anneal.filled_share(filled, around, share)
        room = [np.zeros(len(sites), dtype=np.int64) for _ in range(2)]
        counters = np.array([filled.sum(), edges, 0])
        bead_anneal.move_beads(
            sites, contacts, pieces, search.values, search.target, search.square, 1 / len(Q), around, share, filled, field, total,
            touching, edge_list, place, *room, counters, 1.0, 0.1, np.random.default_rng(0).random((5000, 2)), 10, len(sites), 0.1, side,
        )  # fmt: skip
        out.append(filled)
    np.testing.assert_array_equal(*out)
