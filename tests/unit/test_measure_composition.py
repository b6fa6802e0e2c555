"""Closure of EDX tables, and mean x by generalised least squares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import ArrayLike

from nanostrata.domain import FloatArray
from nanostrata.errors import DataError, PhysicsError
from nanostrata.stages.measure_composition import composition, element_ratio, mean_shell_fraction

ELEMENTS = ("Ag", "In", "Se", "Zn")


class AgInSeZnSe:
    """(Ag2/7 In4/7 Se)_{1-x} (ZnSe)_x per anion."""

    def elements_per_site(self, x: ArrayLike) -> Mapping[str, FloatArray]:
        x = np.asarray(x, dtype=float)
        return {"Ag": 2 / 7 * (1 - x), "In": 4 / 7 * (1 - x), "Zn": x, "Se": np.ones_like(x)}


class PtNi:
    def elements_per_site(self, x: ArrayLike) -> Mapping[str, FloatArray]:
        x = np.asarray(x, dtype=float)
        return {"Pt": x, "Ni": 1 - x}


class OneMaterial:
    def elements_per_site(self, x: ArrayLike) -> Mapping[str, FloatArray]:
        one = np.ones_like(np.asarray(x, dtype=float))
        return {"Zn": one, "Se": one}


def percent(x: float) -> FloatArray:
    n = AgInSeZnSe().elements_per_site(np.array([x]))
    p = np.array([n[k][0] for k in ELEMENTS])
    return np.asarray(100 * p / p.sum())


def test_closure_covariance_has_rows_that_sum_to_zero_and_agrees_with_simulation() -> None:
    p, e = np.array([20.0, 30.0, 45.0]), np.array([1.0, 2.0, 0.5])
    c = composition(("Ag", "In", "Se"), p, e)
    cov = np.array(c.covariance)
    assert sum(c.atomic_fraction) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(cov.sum(axis=1), 0, atol=1e-15)
    draws = p + np.random.default_rng(1).normal(size=(200_000, 3)) * e
    np.testing.assert_allclose(cov, np.cov((draws / draws.sum(axis=1, keepdims=True)).T), atol=4e-6)


def test_a_sum_off_100_is_renormalised_aloud_and_a_rounded_one_silently() -> None:
    assert any("sum to 95" in n for n in composition(("Zn", "Se"), [45.0, 50.0], [1.0, 1.0]).origin.notes)
    assert composition(("Zn", "Se"), [49.7, 49.9], [1.0, 1.0]).origin.notes == ()


def test_foreign_elements_are_left_out_and_lacking_ones_are_unknown_not_zero() -> None:
    p = percent(0.4)
    c = composition(("C", "Ag", "Se", "Zn"), [50.0, *(p[[0, 2, 3]] / 2)], [1.0] * 4, expected_elements=ELEMENTS)
    assert c.elements == ("Ag", "Se", "Zn")
    text = " ".join(c.origin.notes)
    assert "C 50 %" in text
    assert "In of the materials is not in the table: taken as unknown" in text
    # x from the ratios of what is there is right, which it would not be with In taken as zero.
    assert mean_shell_fraction(c, AgInSeZnSe()).value == pytest.approx(0.4, abs=1e-9)


def test_nothing_left_to_compare_is_refused() -> None:
    with pytest.raises(DataError, match="at least two"):
        composition(("C", "O", "Zn"), [50.0, 30.0, 20.0], [1.0] * 3, expected_elements=ELEMENTS)
    with pytest.raises(DataError, match="as many of each"):
        composition(("C", "O"), [50.0, 30.0, 20.0], [1.0] * 3)


def test_ratio_of_elements_knows_that_closure_cancels() -> None:
    c = composition(("Ag", "In", "Se"), [20.0, 30.0, 50.0], [1.0, 2.0, 3.0])
    ratio, sigma = element_ratio(c, "In", "Ag")
    assert ratio == pytest.approx(1.5)
    # A ratio of two independent readings, whatever the third element was.
    assert sigma == pytest.approx(1.5 * np.hypot(2 / 30, 1 / 20))
    with pytest.raises(DataError, match="no Zn"):
        element_ratio(c, "Zn", "Ag")


@pytest.mark.parametrize("x", [0.0, 0.13, 0.5, 0.87, 1.0])
@pytest.mark.parametrize("elements", ["all", "exchanged"])
def test_exact_fractions_give_exact_x(x: float, elements: str) -> None:
    c = composition(ELEMENTS, percent(x), [1.5] * 4)
    r = mean_shell_fraction(c, AgInSeZnSe(), elements=elements)  # type: ignore[arg-type]
    assert r.value == pytest.approx(x, abs=1e-8)
    assert r.notes == ()


def test_two_elements_give_x_and_sigma_by_hand() -> None:
    r = mean_shell_fraction(composition(("Pt", "Ni"), [30.0, 70.0], [1.0, 2.0]), PtNi())
    assert r.value == pytest.approx(0.3)
    # d(a/(a+b)) = (b da - a db)/(a+b)^2
    assert r.sigma == pytest.approx(np.hypot(70 * 1.0, 30 * 2.0) / 100**2)


def test_sigma_agrees_with_a_refit_of_redrawn_tables() -> None:
    rng = np.random.default_rng(5)
    values = [
        mean_shell_fraction(
            composition(ELEMENTS, np.abs(percent(0.4) + rng.normal(0, 1.0, 4)), [1.0] * 4), AgInSeZnSe()
        ).value
        for _ in range(400)
    ]
    stated = mean_shell_fraction(composition(ELEMENTS, percent(0.4), [1.0] * 4), AgInSeZnSe()).sigma
    assert np.std(values) == pytest.approx(stated, rel=0.12)
    assert np.mean(values) == pytest.approx(0.4, abs=4 * stated / 20)


def test_more_error_or_less_known_stoichiometry_widens_sigma() -> None:
    solid = AgInSeZnSe()
    narrow = mean_shell_fraction(composition(ELEMENTS, percent(0.4), [1.0] * 4), solid).sigma
    wide = mean_shell_fraction(composition(ELEMENTS, percent(0.4), [2.0] * 4), solid).sigma
    vague = mean_shell_fraction(composition(ELEMENTS, percent(0.4), [1.0] * 4), solid, stoichiometry_error=0.1).sigma
    assert wide == pytest.approx(2 * narrow, rel=1e-6)
    assert vague > 1.5 * narrow


def test_the_measured_cation_rich_core_is_said_to_be_off_the_line() -> None:
    # Core of the paper: Ag 19.8, In 31.5, Se 48.7 (10.1038/s41598-017-11996-2), 20 % of the sites exchanged.
    core = np.array([19.8, 31.5, 48.7]) / 48.7
    n = np.array([*(core[:2] * 0.8), 1.0, 0.2])
    r = mean_shell_fraction(composition(ELEMENTS, 100 * n / n.sum(), [1.0] * 4), AgInSeZnSe())
    on_line = mean_shell_fraction(composition(ELEMENTS, percent(0.2), [1.0] * 4), AgInSeZnSe())
    assert any("not a mixture of the two end members" in m and "Se measured 49.0 %" in m for m in r.notes)
    assert any("exchanged elements alone (Ag, In, Zn)" in m for m in r.notes)
    assert r.sigma > 2 * on_line.sigma
    assert abs(r.value - 0.2) < 2 * r.sigma


def test_x_outside_its_range_is_returned_and_said() -> None:
    c = composition(ELEMENTS, percent(0.0) + np.array([0.8, -0.4, 0.4, 0.0]), [1.0] * 4)
    assert mean_shell_fraction(c, AgInSeZnSe()).value == pytest.approx(0.0, abs=0.05)
    # More Ag per Se than the core itself has.
    r = mean_shell_fraction(composition(("Ag", "Se"), [18.0, 60.0], [0.1, 0.1]), AgInSeZnSe())
    assert r.value == pytest.approx(1 - 0.3 * 7 / 2)
    assert any("outside 0..1" in n and "check the formulas" in n for n in r.notes)
    loose = mean_shell_fraction(composition(("Ag", "Se"), [18.0, 60.0], [2.0, 2.0]), AgInSeZnSe())
    assert any("outside 0..1" in n and "errors allow that" in n for n in loose.notes)


def test_compositions_that_cannot_tell_x_are_refused() -> None:
    with pytest.raises(DataError, match="do not tell x"):
        mean_shell_fraction(composition(("Ag", "In"), [30.0, 70.0], [1.0, 1.0]), AgInSeZnSe())
    with pytest.raises(PhysicsError, match="one material only"):
        mean_shell_fraction(composition(("Zn", "Se"), [50.0, 50.0], [1.0, 1.0]), OneMaterial())
    with pytest.raises(DataError, match="exchanged"):
        mean_shell_fraction(composition(("Pt", "Ni"), [30.0, 70.0], [1.0, 2.0]), PtNi(), elements="some")  # type: ignore[arg-type]


def test_foreign_elements_in_a_composition_do_not_move_x() -> None:
    p = percent(0.4)
    c = composition(("Cu", *ELEMENTS), [20.0, *p], [1.0] * 5)
    r = mean_shell_fraction(c, AgInSeZnSe())
    assert r.value == pytest.approx(0.4, abs=1e-9)
    assert any("Cu" in n for n in r.notes)
