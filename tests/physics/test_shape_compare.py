"""Another program's model beside ours: its figures against a ball's, and the overlay against a known motion."""

import numpy as np
import pytest
from tests.others_files import ball_pairs, lattice_ball

from nanostrata.domain.shape import BeadModel
from nanostrata.models.shape_average import average_models
from nanostrata.models.shape_compare import compare_beads, pair_distances_of_beads, rg_of_points, unit_that_fits

DIAMETER, BEAD = 4.0, 0.3


def model(places, label="x"):
    return BeadModel(
        positions_nm=places, bead_nm=BEAD, chi2_reduced=1.0, scale=1.0, constant=0.0, fit=np.ones(3), label=label
    )


def spheroid(aspect, bead=BEAD, seed=0):
    """Lattice beads in a spheroid of the volume of the ball, long axis z, the lattice turned and moved at random."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    sites = lattice_ball(2.5 * DIAMETER, bead) @ turn.T + rng.uniform(-0.5, 0.5, 3) * bead
    minor = DIAMETER / 2 * aspect ** (-1 / 3)
    return sites[((sites / [minor, minor, minor * aspect]) ** 2).sum(axis=1) <= 1]


def test_pair_distances_of_beads_are_those_of_the_ball():
    places = lattice_ball(DIAMETER, BEAD)
    r, p, largest = pair_distances_of_beads(places, BEAD)
    step = r[1] - r[0]
    assert p.sum() * step == pytest.approx(1.0)
    exact = ball_pairs(r, DIAMETER, 4 * np.pi)
    np.testing.assert_allclose(p, exact, atol=0.06 * exact.max())
    brute = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=-1))
    assert largest == pytest.approx(brute.max())
    # mean square distance is twice the square of Rg, but for the smoothing over a third of a bead and for the pairs of a
    # bead with itself, which are left out
    n = len(places)
    expected = 2 * rg_of_points(places) ** 2 * n / (n - 1) + (BEAD / 3) ** 2
    assert (p * r**2).sum() * step == pytest.approx(expected, rel=2e-3)
    assert rg_of_points(places) == pytest.approx(np.sqrt(0.6) * DIAMETER / 2, rel=5e-3)


def test_blocks_of_pairs_are_all_counted(monkeypatch):
    from nanostrata.models import shape_compare

    places = lattice_ball(DIAMETER, BEAD)
    whole = pair_distances_of_beads(places, BEAD)
    monkeypatch.setattr(shape_compare, "_BLOCK", 170)
    parts = pair_distances_of_beads(places, BEAD)
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-12)
    assert parts[2] == pytest.approx(whole[2])


def test_a_turned_moved_mirror_image_comes_back_onto_the_average():
    average = average_models([model(spheroid(1.6, seed=s), f"run-{s}") for s in range(3)])
    ours = average.models[int(np.flatnonzero(average.kept == average.reference)[0])]
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert abs(np.linalg.det(turn)) == pytest.approx(1.0)
    elsewhere = ours.positions_nm @ turn.T + np.array([3.0, -2.0, 7.0])
    found = compare_beads(average, elsewhere, BEAD)
    assert found.nsd_reference < 0.05
    assert found.shared_volume > 0.85
    np.testing.assert_allclose(found.positions_nm.mean(axis=0), ours.positions_nm.mean(axis=0), atol=0.02)
    assert found.density.shape == average.map.occupancy.shape
    # a filled lattice is 1 inside, and its volume is that of the beads
    voxel = average.map.voxel_nm
    assert found.density.sum() * voxel**3 == pytest.approx(ours.volume_nm3, rel=1e-3)


def test_an_unlike_body_is_told_by_discrepancy_and_by_volume():
    average = average_models([model(spheroid(1.6, seed=s), f"run-{s}") for s in range(3)])
    like, unlike = (compare_beads(average, spheroid(a, 0.4, seed=9), 0.4) for a in (1.6, 0.6))
    # the discrepancy that is told is that of the beads as they were moved, counted pair by pair
    ours = average.models[int(np.flatnonzero(average.kept == average.reference)[0])].positions_nm
    for found in (like, unlike):
        distance = ((ours[:, None] - found.positions_nm[None]) ** 2).sum(axis=-1)
        fine = [
            np.partition(((x[:, None] - x[None]) ** 2).sum(axis=-1), 1, axis=1)[:, 1].mean()
            for x in (ours, found.positions_nm)
        ]
        expected = np.sqrt(0.5 * (distance.min(axis=1).mean() / fine[1] + distance.min(axis=0).mean() / fine[0]))
        assert found.nsd_reference == pytest.approx(expected, rel=1e-6)
    assert like.nsd_reference < unlike.nsd_reference
    # volumes in common of concentric spheroids of 1.6 and 0.6, long axis across, by counting points
    points = np.random.default_rng(1).uniform(-3, 3, (400_000, 3))

    def inside(aspect, axis):
        half = np.full(3, DIAMETER / 2 * aspect ** (-1 / 3))
        half[axis] *= aspect
        return ((points / half) ** 2).sum(axis=1) <= 1

    ours = inside(1.6, 0)
    possible = [(ours & o).sum() / (ours | o).sum() for o in (inside(0.6, 0), inside(0.6, 2))]
    assert unlike.shared_volume == pytest.approx(max(possible), abs=0.06)
    assert like.shared_volume > 0.85


def test_the_unit_is_told_by_the_size_and_only_then():
    assert unit_that_fits(15.5, 1.6) == "angstrom"
    assert unit_that_fits(1.55, 1.6) == "nm"
    assert unit_that_fits(5.0, 1.6) is None
    assert unit_that_fits(150.0, 1.6) is None
