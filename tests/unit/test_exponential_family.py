"""Families that are functions of the radius, against sums over fine shells and differences."""

from typing import Literal

import numpy as np
import pytest
from scipy.stats import norm

from nanostrata.models.families import Exponential, Transition, make_family


@pytest.mark.parametrize("decay", [0.02, 0.15, 1.0])
def test_shell_averages_against_the_closed_integral(decay: float) -> None:
    x, _ = Exponential(n=10).composition(np.array([0.1, 0.9, decay]))
    s = np.arange(11) / 10
    # antiderivative of s^2 exp(-(1 - s)/decay)
    whole = decay * np.exp(-(1 - s) / decay) * (s**2 - 2 * decay * s + 2 * decay**2)
    assert x == pytest.approx(0.1 + 0.8 * np.diff(whole) / np.diff(s**3 / 3), abs=1e-8)


def test_derivatives_against_differences() -> None:
    family, p = Exponential(n=10), np.array([0.2, 0.7, 0.3])
    _, slope = family.composition(p)
    for i, h in enumerate(1e-6 * np.eye(3)):
        expected = (family.composition(p + h)[0] - family.composition(p - h)[0]) / 2e-6
        assert slope[:, i] == pytest.approx(expected, abs=1e-7)


def test_named_in_the_project_file() -> None:
    family = make_family("exponential", 5)
    assert family.names == ("x_in", "x_out", "decay")
    assert len(family.fractions) == 10
    for start in family.starts(0.5):
        assert np.all((start >= family.lower) & (start <= family.upper))


STEPS = [
    ("erf", (0.1, 0.9, 0.63, 0.057)),
    ("erf", (0.1, 0.9, 1.15, 0.02)),
    ("erf", (0.8, 0.2, 0.4, 0.6)),
    ("core_shell", (0.1, 0.9, 0.63)),
]


@pytest.mark.parametrize(("kind", "p"), STEPS)
def test_steps_against_a_fine_sum(kind: Literal["erf", "core_shell"], p: tuple[float, ...]) -> None:
    family, theta = Transition(n=10, kind=kind), np.array(p)
    x, slopes = family.composition(theta)
    s = (np.arange(200_000) + 0.5) / 200_000
    step = norm.cdf((s - p[2]) / p[3]) if kind == "erf" else (s >= p[2]).astype(float)
    fine = p[0] + (p[1] - p[0]) * step
    assert x == pytest.approx((fine * s**2).reshape(10, -1).sum(axis=1) / (s**2).reshape(10, -1).sum(axis=1), abs=1e-5)
    for i, h in enumerate(np.eye(len(p)) * 1e-6):
        numeric = (family.composition(theta + h)[0] - family.composition(theta - h)[0]) / 2e-6
        assert slopes[:, i] == pytest.approx(numeric, abs=1e-6)
