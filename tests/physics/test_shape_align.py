"""Discrepancy and overlay of bead models, against freesas (where installed) and against motions that are known."""

import numpy as np
import pytest

from nanostrata.domain.shape import BeadModel
from nanostrata.kernels import bead_lattice
from nanostrata.models.shape_align import align_models, fineness, nsd


def body(inside, bead=0.5, seed=0):
    """Beads of a lattice, with its origin at a random place, that lie in a body."""
    sites = bead_lattice.lattice_sites(7.0)
    p = bead_lattice.positions(sites + np.random.default_rng(seed).uniform(-1, 1, 3), bead)
    p = p[inside(*p.T)]
    return BeadModel(
        positions_nm=p - p.mean(axis=0), bead_nm=bead, chi2_reduced=1.0, scale=1.0, constant=0.0, fit=[0.0]
    )


def ellipsoid(x, y, z):
    return (x / 2.4) ** 2 + (y / 1.8) ** 2 + (z / 1.3) ** 2 < 1


def handed(x, y, z):
    """A body that is not its own mirror image: three arms of unlike length, the third off the plane of two."""
    arm = 0.75
    return (
        ((np.abs(y) < arm) & (np.abs(z) < arm) & (x > -arm) & (x < 2.8))
        | ((np.abs(x) < arm) & (np.abs(z) < arm) & (y > -arm) & (y < 2.1))
        | ((np.abs(x - 2.1) < arm) & (np.abs(y) < arm) & (z > -arm) & (z < 2.0))
    )


def turned(model, matrix, shift=(0.3, -0.2, 0.5)):
    return BeadModel(
        positions_nm=model.positions_nm @ matrix.T + np.array(shift), bead_nm=model.bead_nm, chi2_reduced=1.0, scale=1.0,
        constant=0.0, fit=[0.0],
    )  # fmt: skip


def random_rotation(seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def test_nsd_by_hand():
    first = np.array([[0.0, 0, 0], [1, 0, 0]])
    second = np.array([[0.0, 0.5, 0], [1, 0.5, 0], [2, 0.5, 0]])
    # squared ways: 0.25, 0.25 | 0.25, 0.25, 1.25; both fineness 1
    assert nsd(first, second) == pytest.approx(np.sqrt(0.5 * (0.25 + 1.75 / 3)))
    assert fineness(first) == pytest.approx(1.0)


def test_nsd_equals_freesas():
    model = pytest.importorskip("freesas.model")
    rng = np.random.default_rng(1)
    first, second = rng.random((80, 3)) * 6, rng.random((95, 3)) * 6
    one = model.SASModel(np.c_[first, np.ones(80)])
    two = model.SASModel(np.c_[second, np.ones(95)])
    # compiled code of freesas for both; in its plain code (2026.10) the two directions of dist are exchanged
    fine = [m.calc_invariants()[0] for m in (one, two)]
    assert [fineness(first), fineness(second)] == pytest.approx(fine, rel=1e-6)
    assert nsd(first, second) == pytest.approx(one.dist(two, one.atoms, two.atoms), rel=1e-6)


def test_a_moved_copy_is_brought_back():
    model = body(ellipsoid)
    for seed in range(3):
        copy = turned(model, random_rotation(seed))
        found = align_models(model, copy)
        assert found.nsd < 0.03
        back = found.moved(copy).positions_nm
        # beads lie where beads were, also by another measure
        assert nsd(model.positions_nm, back) == pytest.approx(found.nsd, abs=1e-9)


def test_mirror_images_are_told_and_brought_back_only_when_allowed():
    model = body(handed)
    mirrored = turned(model, random_rotation(3) @ np.diag([1.0, 1.0, -1.0]))
    assert align_models(model, mirrored, mirrored=True).nsd < 0.05
    found = align_models(model, mirrored, mirrored=True)
    assert np.linalg.det(found.matrix) == pytest.approx(-1.0)
    assert align_models(model, mirrored, mirrored=False).nsd > 0.3


def test_another_lattice_of_the_same_body_is_near_and_another_body_is_far():
    model = body(ellipsoid, seed=0)
    same = turned(body(ellipsoid, seed=1), random_rotation(4))
    other = body(lambda x, y, z: (np.hypot(x, y) < 0.9) & (np.abs(z) < 3.4), seed=2)
    near, far = align_models(model, same).nsd, align_models(model, other).nsd
    assert near < 0.65
    assert far > 1.3 * near
