"""Known spheroids come back from simulated curves, also when their sizes are spread; the naive reading does not."""

import numpy as np
import pytest

from nanostrata.domain import ScatteringCurve
from nanostrata.models.shape_reading import aspect_ratio, radius_of_gyration, second_moments
from nanostrata.stages.retrieve_shape import EFFORTS, ShapeTask, plan_shape, retrieve_shape
from tests.shapes import spheroid_curve, with_noise

pytestmark = pytest.mark.slow
Q = np.linspace(0.3, 6.0, 200)


def retrieved(aspect, spread, told, seed, runs=1):
    """Mean aspect ratio, Rg and volume over the truth of a few runs at preset standard, told this spread."""
    y, s = with_noise(spheroid_curve(Q, 2.0, aspect, spread), seed)
    plan = plan_shape(
        ScatteringCurve(q_inv_nm=Q, intensity=y, sigma=s), spread=told, effort=EFFORTS["standard"], seed=seed
    )
    rg, volume = 2.0 * aspect ** (-1 / 3) * np.sqrt((2 + aspect**2) / 5), 4 / 3 * np.pi * 8
    found = []
    for k in range(runs):
        task = ShapeTask(plan=plan, intensity=plan.intensity, spread=told, seed=seed, kind="data", index=k)
        model = retrieve_shape(task)
        found.append((aspect_ratio(second_moments(model)), radius_of_gyration(model) / rg, model.volume_nm3 / volume))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("aspect, tolerance", [(1.0, 0.07), (1.2, 0.07), (1.4, 0.07), (1.6, 0.1), (0.6, 0.1)])
def test_particles_of_one_size(aspect, tolerance):
    found, rg, volume = retrieved(aspect, 0.0, 0.0, 11)
    assert found == pytest.approx(aspect, abs=tolerance)
    assert volume == pytest.approx(1.0, abs=0.05)
    assert rg == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("seed", [11, 12, 13, 14, 15])
def test_a_long_particle(seed):
    """Most of its ball is empty: a second, finer search near what the first found keeps Rg right in every noise draw."""
    found, rg, volume = retrieved(2.0, 0.0, 0.0, seed, runs=3)
    assert found == pytest.approx(2.0, abs=0.1)
    assert rg == pytest.approx(1.0, abs=0.01)
    assert volume == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("aspect", [1.0, 1.2, 1.4])
def test_particles_that_differ_in_size(aspect):
    found, rg, volume = retrieved(aspect, 0.12, 0.12, 11)
    assert found == pytest.approx(aspect, abs=0.12)
    assert rg == pytest.approx(1.0, abs=0.01)
    assert volume ** (1 / 3) == pytest.approx(1.0, abs=0.03)


def test_a_log_normal_spread_is_told_from_a_gaussian_one():
    """Balls of log-normal sizes, drawn by scipy: round for the true law."""
    from scipy.stats import lognorm

    u = np.sqrt(np.log1p(0.15**2))
    law = lognorm(u, scale=np.exp(-0.5 * u * u))
    lam = np.linspace(0.3, 3.0, 1201)
    weight = law.pdf(lam) * lam**6
    curve = sum(
        w * spheroid_curve(m * Q, 2.0, 1.0, 0.0, n_mu=1) for m, w in zip(lam, weight / weight.sum(), strict=True)
    )
    y, s = with_noise(curve, 11)
    plan = plan_shape(
        ScatteringCurve(q_inv_nm=Q, intensity=y, sigma=s), spread=0.15, effort=EFFORTS["standard"], seed=11,
        spread_shape="lognormal",
    )  # fmt: skip
    model = retrieve_shape(ShapeTask(plan=plan, intensity=plan.intensity, spread=0.15, seed=11, kind="data", index=0))
    found = aspect_ratio(second_moments(model))
    assert max(found, 1 / found) < 1.12
    assert (model.volume_nm3 / (4 / 3 * np.pi * 8)) ** (1 / 3) == pytest.approx(1.0, abs=0.03)


def test_a_spread_taken_for_one_size_makes_balls_long_and_large():
    found, _, volume = retrieved(1.0, 0.12, 0.0, 11)
    assert max(found, 1 / found) > 1.15
    assert volume > 1.1
