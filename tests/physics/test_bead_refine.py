"""A finer search near beads already found: where its sites lie, that it starts from the same body, and what it gains."""

import numpy as np
import pytest
from tests.shapes import spheroid_curve, with_noise

from nanostrata.domain.shape import BeadModel
from nanostrata.kernels import bead_lattice
from nanostrata.models.bead_refine import REACH, _same_body, finer_sites, refine_beads
from nanostrata.models.beads import describe_beads, prepare_search
from nanostrata.models.shape_reading import aspect_ratio, radius_of_gyration, second_moments

Q = np.linspace(0.3, 6.0, 120)
RG = 2.0 * 2.0 ** (-1 / 3) * np.sqrt(6 / 5)


@pytest.fixture(scope="module")
def curve():
    return with_noise(spheroid_curve(Q, 2.0, 2.0, 0.0), 3)


def cut(bead: float, stretch: float = 1.0) -> BeadModel:
    """Beads of a spheroid of aspect ratio 2 cut from a lattice, its long axis stretched."""
    place = bead_lattice.positions(bead_lattice.lattice_sites(4.5 / bead), bead) + 0.3 * bead
    a = 2.0 * 2.0 ** (-1 / 3)
    inside = (place[:, 0] ** 2 + place[:, 1] ** 2) / a**2 + place[:, 2] ** 2 / (2 * a * stretch) ** 2 <= 1
    p = place[inside]
    return BeadModel(
        positions_nm=p - p.mean(axis=0), bead_nm=bead, chi2_reduced=1.0, scale=1.0, constant=0.0, fit=np.ones(2),
        spread=0.0, looseness=0.0, label="",
    )  # fmt: skip


def search_near(model, curve, bead):
    return prepare_search(
        Q, *curve, dmax_nm=6.4, rg_nm=RG, i_zero=1.0, bead_nm=bead, sites=finer_sites(model, bead)
    )  # fmt: skip


def test_finer_sites_lie_near_beads_and_hold_the_same_body(curve):
    model = cut(0.6)
    search = search_near(model, curve, 0.4)
    place = bead_lattice.positions(search.sites, 0.4)
    # every site by brute force: near a bead if and only if listed
    every = bead_lattice.positions(bead_lattice.lattice_sites(14.0), 0.4)
    distance = np.sqrt(((every[:, None] - model.positions_nm) ** 2).sum(axis=2)).min(axis=1)
    assert len(place) == (distance <= REACH * 0.6).sum()
    assert len(place) < 0.5 * len(bead_lattice.lattice_sites(0.5 * (1.15 * 6.4 + 0.4) / 0.4))  # of the whole ball
    same = place[_same_body(search, model) == 1]
    assert len(same) * bead_lattice.cell_volume(0.4) == pytest.approx(model.volume_nm3, rel=0.01)
    found = describe_beads(search, same)
    assert radius_of_gyration(found) == pytest.approx(radius_of_gyration(model), rel=0.02)
    assert aspect_ratio(second_moments(found)) == pytest.approx(aspect_ratio(second_moments(model)), rel=0.03)


def test_a_first_body_in_two_pieces_leaves_one(curve):
    model = cut(0.6)
    far = model.positions_nm[:5] - model.positions_nm[:5].mean(axis=0) + [4.0, 4.0, 0.0]
    both = BeadModel(
        positions_nm=np.concatenate([model.positions_nm, far]), bead_nm=0.6, chi2_reduced=1.0, scale=1.0, constant=0.0,
        fit=np.ones(2), spread=0.0, looseness=0.0, label="",
    )  # fmt: skip
    search = search_near(both, curve, 0.4)
    place = bead_lattice.positions(search.sites, 0.4)[_same_body(search, both) == 1]
    assert (place[:, 0] < 3.0).all()


def test_a_first_body_that_is_too_long_is_put_right(curve):
    first = cut(0.6, stretch=1.12)
    assert radius_of_gyration(first) / RG > 1.05
    found, misfit = refine_beads(
        first, Q, *curve, np.random.default_rng(0), dmax_nm=6.4, rg_nm=RG, i_zero=1.0, bead_nm=0.45, moves_per_site=100,
        weight=4.0,
    )  # fmt: skip
    assert radius_of_gyration(found) == pytest.approx(RG, rel=0.015)
    assert aspect_ratio(second_moments(found)) == pytest.approx(2.0, abs=0.12)
    assert 0.5 < misfit < 1.4
    again, _ = refine_beads(
        first, Q, *curve, np.random.default_rng(0), dmax_nm=6.4, rg_nm=RG, i_zero=1.0, bead_nm=0.45, moves_per_site=100,
        weight=4.0,
    )  # fmt: skip
    np.testing.assert_array_equal(found.positions_nm, again.positions_nm)
