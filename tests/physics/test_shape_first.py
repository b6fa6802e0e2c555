"""First points that carry an elongation alone are told from those of a long particle."""

from pathlib import Path

import numpy as np
import pytest
from tests.shapes import spheroid_curve, with_noise

from nanostrata.domain import ScatteringCurve
from nanostrata.io.curves import read_curve
from nanostrata.models.shape_points import choose_points, points_from

Q = np.linspace(0.3, 6.0, 200)
IRON = Path(__file__).parents[2] / "examples" / "iron-oxide"


def chosen(q, y, s, spread, shape="gaussian"):
    curve = ScatteringCurve(q_inv_nm=q, intensity=y, sigma=s)
    seed = np.random.SeedSequence(1)
    return choose_points(curve, np.random.default_rng(0), spread=spread, spread_shape=shape, seed=seed)


@pytest.mark.parametrize("aspect, spread", [(1.0, 0.0), (2.0, 0.0), (0.5, 0.0)])
def test_points_of_a_good_curve_stay(aspect, spread):
    points = chosen(Q, *with_noise(spheroid_curve(Q, 2.0, aspect, spread), 4), spread)
    assert points.curve.q_inv_nm[0] == Q[0]
    assert not points.notes


@pytest.mark.slow
@pytest.mark.parametrize("aspect, spread", [(2.0, 0.0), (3.0, 0.0), (2.0, 0.12)])
def test_a_long_particle_keeps_its_first_points_in_every_draw(aspect, spread):
    exact = spheroid_curve(Q, 2.0, aspect, spread)
    for seed in range(20, 24):
        assert chosen(Q, *with_noise(exact, seed), spread).curve.q_inv_nm[0] == Q[0]


def test_clusters_beside_round_particles_are_left_out_and_said():
    """A twentieth of the particles in compact clusters of eight: in this noise draw they read as a length."""
    q = np.arange(0.0624, 2.4, 0.0267)
    one, many = spheroid_curve(q, 10.0, 1.0, 0.15), spheroid_curve(q, 22.0, 1.0, 0.25)
    points = chosen(q, *with_noise(0.95 * one + 0.05 * 8 * many, 3, relative=0.033), 0.15)
    left = np.searchsorted(q, points.curve.q_inv_nm[0])
    assert left > 0
    assert "the elongation rests on the first" in points.notes[-1]
    assert q[left - 1] < points.from_inv_nm < q[left]
    assert points_from(points.curve, 0.0) is points.curve
    measured = ScatteringCurve(q_inv_nm=q, intensity=q, sigma=q)
    np.testing.assert_array_equal(points_from(measured, points.from_inv_nm).q_inv_nm, q[left:])
    # Rg of the particle of mean size comes back without them
    assert points.figures.rg_real_nm == pytest.approx(np.sqrt(0.6) * 10.0, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("q_min", [0.0, 0.08])
def test_iron_oxide_is_not_long_because_of_its_first_points(q_min):
    """Real particles: log-normal spheres of 20.97 nm and 0.151 explain all but the first points."""
    whole = read_curve(IRON / "SC-SAXS_data.txt", q_unit="1/nm")
    use = whole.q_inv_nm >= q_min
    points = chosen(whole.q_inv_nm[use], whole.intensity[use], whole.sigma[use], 0.151, "lognormal")
    note = next(n for n in points.notes if "rests on the first" in n)
    assert f"{points.figures.rg_real_nm:.3g} nm" in note
    assert points.figures.rg_real_nm == pytest.approx(np.sqrt(0.6) * 20.97 / 2, rel=0.04)
    assert 0.1 < points.curve.q_inv_nm[0] < 0.13
