"""Draws inside a box against closed forms, plain rejection and numerical integration."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from nanostrata.kernels.truncated_gaussian import sample_truncated, truncated_normal

ZERO_ONE = (np.zeros(1), np.ones(1))


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.05), (0.02, 0.2), (0.5, 5.0), (-0.3, 0.2), (1.4, 0.1)])
def test_one_dimension_has_the_moments_of_the_closed_form(mean: float, sd: float) -> None:
    draws = sample_truncated(
        np.array([mean]), np.array([[sd**2]]), *ZERO_ONE, chains=20000, warmup=1, sweeps=1, rng=np.random.default_rng(1)
    )
    law = truncnorm((0 - mean) / sd, (1 - mean) / sd, loc=mean, scale=sd)
    assert draws.mean() == pytest.approx(law.mean(), abs=4 * law.std() / np.sqrt(20000))
    assert draws.std() == pytest.approx(law.std(), rel=0.02)
    assert np.quantile(draws, [0.16, 0.84]) == pytest.approx(law.ppf([0.16, 0.84]), abs=0.03 * law.std())


def test_quantiles_in_the_far_tails() -> None:
    u = np.array([0.1, 0.5, 0.9])
    for low, high in ((8.0, 9.0), (-9.0, -8.0), (20.0, np.inf), (-np.inf, 1.0), (-1.0, 2.0)):
        found = truncated_normal(np.full(3, low), np.full(3, high), u)
        assert found == pytest.approx(truncnorm(low, high).ppf(u), rel=1e-6)
        assert (found >= low).all()
        assert (found <= high).all()


def test_two_correlated_dimensions_agree_with_rejection() -> None:
    rng = np.random.default_rng(2)
    mean = np.array([0.1, 0.8])
    covariance = np.array([[0.09, -0.054], [-0.054, 0.04]])
    plain = rng.multivariate_normal(mean, covariance, size=400000)
    plain = plain[((plain >= 0) & (plain <= 1)).all(axis=1)]
    draws = sample_truncated(mean, covariance, np.zeros(2), np.ones(2), chains=4000, warmup=20, sweeps=10, rng=rng)
    np.testing.assert_allclose(draws.mean(axis=0), plain.mean(axis=0), atol=0.004)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(plain.T), atol=0.0006)


def test_a_narrow_long_ridge_is_crossed() -> None:
    """Five shells as at q up to 4.5 1/nm: 6 along the ridge, 0.03 across; against weighted draws along it."""
    direction = np.array([0.92, -0.33, 0.17, -0.1, 0.05])
    direction /= np.linalg.norm(direction)
    covariance = 36.0 * np.outer(direction, direction) + 0.03**2 * np.eye(5)
    mean = np.array([0.05, 0.12, 0.30, 0.62, 0.93])
    draws = sample_truncated(
        mean, covariance, np.zeros(5), np.ones(5), chains=2000, warmup=10, sweeps=10, rng=np.random.default_rng(3)
    )
    # importance sampling: uniform along the ridge where it can touch the box at all, Gaussian across
    rng = np.random.default_rng(4)
    s = rng.uniform(-1.3, 1.3, 400000)
    across = 0.03 * rng.standard_normal((400000, 5))
    trial = mean + s[:, None] * direction + across - (across @ direction)[:, None] * direction
    inside = ((trial >= 0) & (trial <= 1)).all(axis=1)
    trial, weight = trial[inside], np.exp(-0.5 * (s[inside] / 6.0) ** 2)
    middle = np.average(trial, axis=0, weights=weight)
    sd = np.sqrt(np.average((trial - middle) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.04)
    np.testing.assert_allclose(draws.mean(axis=0), middle, atol=0.01)


def test_draws_stay_inside_and_repeat() -> None:
    args = (np.array([2.0, -1.0]), np.array([[0.5, 0.3], [0.3, 0.4]]), np.zeros(2), np.ones(2))
    first = sample_truncated(*args, chains=50, warmup=2, sweeps=3, rng=np.random.default_rng(5))
    second = sample_truncated(*args, chains=50, warmup=2, sweeps=3, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (150, 2)
    assert first.min() >= 0
    assert first.max() <= 1
