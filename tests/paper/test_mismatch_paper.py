"""Mismatch as printed in 10.1038/s41598-017-11996-2: 6.1 and 6.7 % abrupt, about 3 % thick, below 5 % thin."""

from __future__ import annotations

import numpy as np
import pytest

from nanostrata.domain import Medium
from nanostrata.models.density import SolidSolution
from nanostrata.models.materials import make_material
from nanostrata.models.mismatch import abrupt_mismatch, shell_fraction_of_density, step_mismatch
from nanostrata.stages.derive_mismatch import derive_mismatch

CORE = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe")
SHELL = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7")
PAIR = SolidSolution(core=CORE, shell=SHELL, medium=Medium(name="vacuum", electron_density_e_nm3=0.0))


def test_abrupt_interface():
    along_a, along_c = abrupt_mismatch(PAIR)
    assert along_a == pytest.approx(6.10, abs=0.005)
    assert along_c == pytest.approx(6.70, abs=0.005)


@pytest.mark.parametrize("x4", [0.48, 0.5, 0.52])
def test_thick_shell_about_three_percent(x4):
    """The fourth shell near 1/2 and the fifth near 1 give the printed value."""
    for m in step_mismatch(PAIR, [0.0, 0.2, 0.35, x4, 0.98]):
        assert 2.7 <= m.max() <= 3.5
    assert step_mismatch(PAIR, [x4, 0.98])[0][0] == pytest.approx(6.10 * (0.98 - x4) / (1 - 0.061 * x4), rel=1e-3)


def test_thin_shell_stays_below_five_percent():
    """x = 1/2 outside: at most 3.1 % along a and 3.4 % along c between shells, whatever lies below."""
    a, c = (m[0] for m in step_mismatch(PAIR, [0.0, 0.5]))
    assert a == pytest.approx(3.05, abs=0.01)
    assert c == pytest.approx(3.35, abs=0.01)


def test_thin_shell_at_four_percent_needs_the_extrapolated_exponential():
    """exp(2.98 - 3.46 depth): 19.7 Zn per nm^3 at the surface, a step of 0.64 in x over one shell, 3.9 % along a."""
    x = shell_fraction_of_density(PAIR, np.exp(2.98 - 3.46 * np.array([0.39, 0.0])))
    assert x[1] - x[0] == pytest.approx(0.64, abs=0.01)
    assert step_mismatch(PAIR, x)[0][0] == pytest.approx(3.9, abs=0.1)
    thin = np.array([0.0, 0.0, 0.02, 0.15, 0.50])
    draws = np.clip(thin + 0.01 * np.random.default_rng(1).normal(size=(300, 5)), 0.0, 1.0)
    m = derive_mismatch(PAIR, draws, 0.39 * np.arange(1, 6))
    shells = np.median(m.maximum_percent(0))
    surface = np.median(m.layers[-1].maximum_percent(0))
    assert m.layers[-1].source == "exponential from the surface"
    assert shells < 2.5 < surface < 5.0
