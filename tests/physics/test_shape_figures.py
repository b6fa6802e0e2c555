"""What a curve says before the beads, against bodies whose figures are known in closed form."""

import numpy as np
import pytest
from tests.shapes import spheroid_curve, with_noise

from nanostrata.errors import PhysicsError
from nanostrata.models.shape_figures import figures_of_curve, guinier

Q = np.linspace(0.3, 6.0, 200)


def test_guinier_of_an_exact_exponential():
    q = np.linspace(0.05, 3.0, 120)
    y = 7.0 * np.exp(-((q * 1.5) ** 2) / 3)
    rg, sigma, first, last, note = guinier(q, y, 0.01 * y)
    assert rg == pytest.approx(1.5, rel=1e-9)
    assert first == 0
    assert q[last] * rg <= 1.3 < q[last + 1] * rg
    assert note == ""
    # error of the slope by the textbook formula
    x = q[: last + 1] ** 2
    slope_sigma = 0.01 / np.sqrt(((x - x.mean()) ** 2).sum())
    assert sigma == pytest.approx(1.5 / rg * slope_sigma, rel=1e-6)


def test_guinier_says_when_the_range_is_too_short():
    q = np.linspace(0.75, 6.0, 400)
    y = spheroid_curve(q, 2.0, 1.0, 0.0)
    *_, note = guinier(q, y, 0.02 * y)
    assert "too short" in note


def test_guinier_leaves_out_an_upturn():
    q = np.linspace(0.05, 3.0, 200)
    y = np.exp(-((q * 1.5) ** 2) / 3) + 0.4 * np.exp(-((q / 0.08) ** 2))
    rg, sigma, first, _, note = guinier(q, y, 0.01 * y)
    assert first > 0
    assert "left out" in note
    assert rg == pytest.approx(1.5, abs=4 * sigma + 0.03)


@pytest.mark.parametrize("spread", [0.0, 0.12])
def test_pair_distances_of_a_ball(spread):
    y, s = with_noise(100.0 * spheroid_curve(Q, 2.0, 1.0, spread), 3, floor=2e-3)
    f = figures_of_curve(Q, y, s, np.random.default_rng(0), spread=spread, resampled=12)
    assert f.chi2_reduced < 1.3
    assert f.dmax_nm == pytest.approx(4.0, abs=0.2)
    assert f.rg_real_nm == pytest.approx(np.sqrt(0.6) * 2.0, rel=0.02)
    assert f.i_zero == pytest.approx(100.0, rel=0.03)
    # p(r) of a ball in closed form
    x = np.clip(f.r_nm / 4.0, 0, 1)
    exact = x**2 * (1 - 1.5 * x + 0.5 * x**3)
    scale = (f.p @ exact) / (exact @ exact)
    assert np.abs(f.p - scale * exact).max() < 0.06 * (scale * exact).max()
    if spread == 0:
        assert f.porod_volume_nm3 == pytest.approx(4 / 3 * np.pi * 8, rel=0.06)
    else:
        # volume of the ensemble: <V^2> over <V>, by direct average
        lam = 1 + spread * np.linspace(-6, 6, 400)
        w = np.exp(-0.5 * np.linspace(-6, 6, 400) ** 2)
        ratio = (w @ lam**6) / (w @ lam**3)
        assert f.porod_volume_nm3 == pytest.approx(4 / 3 * np.pi * 8 * ratio, rel=0.06)


def test_stated_errors_are_of_the_size_of_the_actual_ones():
    exact = spheroid_curve(Q, 2.0, 1.4, 0.12)
    found = []
    for seed in range(8):
        y, s = with_noise(exact, seed)
        f = figures_of_curve(Q, y, s, np.random.default_rng(seed), spread=0.12, resampled=10)
        found.append((f.rg_real_nm, f.rg_real_sigma_nm, f.porod_volume_nm3, f.porod_volume_sigma_nm3))
    rg, rg_sigma, volume, volume_sigma = np.array(found).T
    assert 0.4 < rg.std(ddof=1) / rg_sigma.mean() < 2.5
    assert 0.4 < volume.std(ddof=1) / volume_sigma.mean() < 2.5
    minor = 2.0 * 1.4 ** (-1 / 3)
    assert rg.mean() == pytest.approx(np.sqrt((2 + 1.4**2) / 5) * minor, rel=0.01)


def test_a_curve_without_a_particle_is_refused():
    with pytest.raises(PhysicsError, match="no particle is seen"):
        figures_of_curve(Q, np.ones(200), np.full(200, 0.01), np.random.default_rng(0))


def test_checking_curves_are_those_of_spheroids():
    from nanostrata.models.shape_check import spheroid_intensity

    for aspect, spread in ((1.0, 0.0), (1.6, 0.12), (0.6, 0.12)):
        # sizes are cut at 5 standard deviations here and at 8 in the other route
        exact = spheroid_curve(Q, 2.0, aspect, spread)
        np.testing.assert_allclose(spheroid_intensity(Q, 4.0, aspect, spread), exact, rtol=2e-3, atol=1e-9)
