"""Design rules: scores, verdicts by the interval, width of a gradient, thickness of a monolayer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nanostrata.errors import PhysicsError
from nanostrata.models.design_rules import (
    CAVEAT,
    gradient_score,
    gradient_width,
    mismatch_score,
    monolayer_nm,
    outer_layer_score,
)


def test_an_abrupt_interface_is_one_step_wide_and_a_straight_line_as_wide_as_the_particle() -> None:
    assert gradient_width(np.array([0, 0, 0, 1.0, 1.0])) == pytest.approx(1)
    assert gradient_width(np.linspace(0, 1, 6)) == pytest.approx(5)
    assert gradient_width(np.array([0, 0, 0.5, 1.0, 1.0])) == pytest.approx(2)
    assert math.isnan(gradient_width(np.full(5, 0.3)))


def test_width_does_not_depend_on_direction_or_height_of_the_change() -> None:
    x = np.array([0.02, 0.10, 0.30, 0.65, 0.98])
    assert gradient_width(1 - x) == pytest.approx(float(gradient_width(x)))
    assert gradient_width(0.1 * x) == pytest.approx(float(gradient_width(x)))
    by_hand = (0.08 + 0.20 + 0.35 + 0.33) ** 2 / (0.08**2 + 0.20**2 + 0.35**2 + 0.33**2)
    assert gradient_width(x) == pytest.approx(by_hand, rel=1e-12)


def test_a_single_shell_has_no_gradient() -> None:
    with pytest.raises(PhysicsError, match="at least 2 shells"):
        gradient_width(np.array([0.5]))


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [((0.96, 0.99), "met"), ((0.5, 0.9), "not met"), ((0.9, 0.99), "not determined"), ((math.nan, math.nan), "not determined")],
)  # fmt: skip
def test_verdict_needs_the_whole_interval_on_one_side(interval: tuple[float, float], verdict: str) -> None:
    assert outer_layer_score(0.95, interval, interval, rests_on="x").verdict == verdict


@pytest.mark.parametrize(
    ("interval", "verdict"), [((1.0, 2.9), "met"), ((3.1, 5.0), "not met"), ((2.0, 4.0), "not determined")]
)
def test_small_mismatch_is_the_good_side(interval: tuple[float, float], verdict: str) -> None:
    score = mismatch_score(sum(interval) / 2, interval, interval, rests_on="x")
    assert score.verdict == verdict
    assert score.score_low95 <= score.score <= score.score_high95


def test_scores() -> None:
    assert outer_layer_score(0.475, rests_on="x").score == pytest.approx(0.5)
    assert mismatch_score(6.0, (5.0, 7.0), (4.0, 8.0), rests_on="x").score == pytest.approx(0.5)
    assert mismatch_score(6.0, (5.0, 7.0), (4.0, 8.0), rests_on="x").score_low95 == pytest.approx(3 / 8)
    assert mismatch_score(-6.0, (-7.0, -5.0), (-8.0, -4.0), rests_on="x").score_high95 == pytest.approx(3 / 4)
    assert mismatch_score(0.5, (-1.0, 2.0), (-2.5, 2.0), rests_on="x").high95 == 2.5
    assert gradient_score(1.5, rests_on="x").score == pytest.approx(0.5)
    assert gradient_score(9.0, rests_on="x").score == 1.0


def test_gradient_interval_comes_from_the_draws() -> None:
    draws = np.random.default_rng(1).normal(5.0, 0.5, 5000)
    score = gradient_score(draws, rests_on="x")
    assert (score.low95, score.high95) == pytest.approx((5 - 0.98, 5 + 0.98), abs=0.05)
    assert score.verdict == "met"
    assert gradient_score(5.0, rests_on="x").verdict == "not determined"  # no interval, no verdict


def test_monolayers() -> None:
    assert monolayer_nm("wurtzite", 0.400, 0.655) == pytest.approx(0.04538 ** (1 / 3), rel=1e-4)
    assert monolayer_nm("zincblende", 0.5668) == pytest.approx((1 / 21.97) ** (1 / 3), rel=1e-3)
    for structure, c in (("fcc", None), ("wurtzite", None)):
        with pytest.raises(PhysicsError, match="monolayers"):
            monolayer_nm(structure, 0.4, c)


def test_caveat_says_what_the_rules_rest_on() -> None:
    assert "two samples" in CAVEAT
    assert "no quantum yield" in CAVEAT
