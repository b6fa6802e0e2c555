"""The exponential family against its closed form and differences."""

import numpy as np
import pytest

from nanostrata.models.families import Exponential, make_family


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
