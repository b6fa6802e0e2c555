"""Differences annihilate what they should; weighted polynomials agree with numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from nanostrata.kernels.curve_features import mean_log_ratio
from nanostrata.kernels.local_polynomial import (
    divided_differences,
    local_slope,
    weighted_polynomial,
    window_smooth,
)

X = np.sort(np.random.default_rng(1).uniform(0.1, 5.0, 60))  # uneven spacing


@pytest.mark.parametrize("order", [1, 3, 5])
@pytest.mark.parametrize("power", [0.0, 4.0])
def test_differences_are_zero_for_power_laws_times_polynomials_of_lower_degree(order: int, power: float) -> None:
    at, powers = X**-power, np.full(60 - order, power)
    lower = at * np.polynomial.polynomial.polyval(np.log(X), np.arange(1, order + 1))
    assert np.abs(divided_differences(X, lower, 1e-6 * at, order, powers)).max() < 1e-3
    one_more = at * np.log(X) ** order
    assert np.abs(divided_differences(X, one_more, 1e-12 * at, order, powers)).min() > 1


@pytest.mark.parametrize("order", [3, 7])
def test_differences_of_noise_have_unit_variance(order: int) -> None:
    rng = np.random.default_rng(2)
    sigma = rng.uniform(0.5, 2.0, 60)
    z = [
        divided_differences(X, sigma * rng.normal(size=60), sigma, order, np.full(60 - order, 2.0)) for _ in range(500)
    ]
    np.testing.assert_allclose(np.var(z, axis=0), 1.0, atol=0.3)
    assert np.var(z) == pytest.approx(1.0, abs=0.03)


def test_local_slope_is_that_of_a_straight_line_everywhere() -> None:
    np.testing.assert_allclose(local_slope(X, 3.0 - 2.0 * X, 5), -2.0, rtol=1e-8)


def test_weighted_polynomial_agrees_with_numpy_and_with_redrawn_data() -> None:
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.5, 2.0, 60)
    truth = 1.0 + 2.0 * X - 0.5 * X**2
    c, covariance = weighted_polynomial(X, truth + sigma * rng.normal(size=60), sigma, 2)
    redrawn = [weighted_polynomial(X, truth + sigma * rng.normal(size=60), sigma, 2)[0] for _ in range(3000)]
    np.testing.assert_allclose(np.cov(np.array(redrawn).T), covariance, rtol=0.15)
    y = truth + sigma * rng.normal(size=60)
    reference = np.polynomial.polynomial.polyfit(X, y, 2, w=1 / sigma)
    np.testing.assert_allclose(weighted_polynomial(X, y, sigma, 2)[0], reference, rtol=1e-8)
    assert abs(c[1] - 2.0) < 5 * np.sqrt(covariance[1, 1])


def test_smoothing_keeps_parabolas_and_says_where_there_are_no_points() -> None:
    x = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 9.0])
    value, error = window_smooth(x, 1 + x**2, np.ones(7), np.array([0.25, 5.0]), 0.2)
    assert value[0] == pytest.approx(1.0625)
    assert error[0] > 0
    assert np.isnan(value[1])


def test_ratio_needs_shared_positive_points() -> None:
    q, one = np.linspace(1, 2, 5), np.ones(5)
    assert mean_log_ratio(q, one, one, q, -one, one) is None
    assert mean_log_ratio(q, one, one, q + 5, one, one) is None
    found = mean_log_ratio(q, 2 * one, 0.2 * one, q, one, 0.1 * one)
    assert found is not None
    assert found[0] == pytest.approx(np.log(2))
    assert found[1] == pytest.approx(np.hypot(0.1, 0.1) / np.sqrt(5))
