"""Factor tables: choice, edges, energy resolution, measured replacements."""

import pickle

import numpy as np
import pytest

from nanostrata.errors import PhysicsError, RecipeError
from nanostrata.tables import factors as module
from nanostrata.tables.edges import edges_kev
from nanostrata.tables.factors import (
    FactorTable,
    check_energies,
    load_factors,
    nearest_edge,
    parse_edge,
    with_measured,
)

CHANTLER = load_factors("chantler")
CROMER = load_factors("cromer-liberman")
ENERGY = np.array([9.60, 9.65, 9.655, 9.66, 9.67, 9.70])
F_PRIME = np.array([-4.7, -6.8, -8.1, -11.0, -6.4, -5.1])
F_DOUBLE_PRIME = np.array([0.5, 0.55, 1.2, 5.1, 3.9, 3.8])
MEASURED = with_measured(CHANTLER, "Zn", ENERGY, F_PRIME, F_DOUBLE_PRIME)


def test_the_choice_is_in_the_name() -> None:
    assert (CHANTLER.name, CROMER.name) == ("chantler", "cromer-liberman")
    assert MEASURED.name == "chantler + measured Zn"
    with pytest.raises(RecipeError, match="'henke' is not a table"):
        load_factors("henke")


@pytest.mark.parametrize("resolution", [-1.0, 51.0, float("nan")])
def test_resolution_must_be_possible(resolution: float) -> None:
    with pytest.raises(RecipeError, match="energy_resolution_ev"):
        load_factors("chantler", energy_resolution_ev=resolution)


def test_tables_survive_pickling_and_tell_measurements_apart() -> None:
    again = pickle.loads(pickle.dumps(MEASURED))
    assert again == MEASURED
    assert hash(again) == hash(MEASURED)
    assert again.anomalous("Zn", 9.657) == MEASURED.anomalous("Zn", 9.657)
    assert with_measured(CHANTLER, "Zn", ENERGY, F_PRIME - 0.01, F_DOUBLE_PRIME) != MEASURED


def test_energies_in_ev_are_refused() -> None:
    for table in (CHANTLER, CROMER):
        with pytest.raises(PhysicsError, match="was eV meant"):
            table.f_prime("Zn", 9630.0)


def test_elements_beyond_the_tables_are_refused() -> None:
    for table in (CHANTLER, CROMER):
        with pytest.raises(PhysicsError, match="at U"):
            table.anomalous("Am", 12.0)


# --- edges


def test_edges_are_read() -> None:
    assert parse_edge("Zn K") == ("Zn", "K", pytest.approx(9.659, abs=5e-4))
    assert parse_edge("Pb L3") == ("Pb", "L3", pytest.approx(13.035, abs=5e-4))
    assert parse_edge(" Cd_K ")[:2] == ("Cd", "K")


@pytest.mark.parametrize("text", ["zink", "Zn", "Zn Q", "Zn L9", "Xx K", "K", ""])
def test_nonsense_edges_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=r"asaxs\.edge"):
        parse_edge(text)


def test_nearest_edge() -> None:
    element, shell, distance = nearest_edge(9.630, ("Zn", "Se", "Ag", "In"))
    assert (element, shell) == ("Zn", "K")
    assert distance == pytest.approx(-29.0, abs=0.5)
    with pytest.raises(PhysicsError, match="at least one element"):
        nearest_edge(9.63, ())


@pytest.mark.parametrize("offset_ev", [-5.0, -4.9, 0.0, 4.9, 5.0])
@pytest.mark.parametrize("table", [CHANTLER, CROMER])
def test_energies_within_5_ev_of_any_elements_edge_are_refused(table: FactorTable, offset_ev: float) -> None:
    selenium = dict(edges_kev("Se"))["K"]
    energy = selenium + offset_ev * 1e-3
    with pytest.raises(PhysicsError) as caught:
        check_energies(("Zn", "Se"), (8.9, energy), table)
    assert len(caught.value.problems) == 1
    message = str(caught.value)
    assert f"{energy:.4f} keV" in message
    assert "Se K edge" in message
    assert f"{offset_ev:+.1f} eV" in message
    assert "measured factors of Se" in message


def refused(energies_kev: tuple[float, ...], table: FactorTable) -> list[float]:
    """Those of the energies that a particle of Zn, Se, Ag and In must not be measured at."""
    out = []
    for energy in energies_kev:
        try:
            check_energies(("Zn", "Se", "Ag", "In"), (energy,), table)
        except PhysicsError:
            out.append(energy)
    return out


@pytest.mark.parametrize("table", [CHANTLER, CROMER])
def test_of_the_energies_round_an_edge_only_those_within_5_ev_are_refused(table: FactorTable) -> None:
    zinc = dict(edges_kev("Zn"))["K"]
    near, far = (zinc - 0.0049, zinc + 0.0049), (zinc - 0.0051, zinc + 0.0051)
    assert refused((16.0, 9.63, *near, 9.3, 8.9, *far), table) == list(near)


def test_all_bad_energies_are_named_at_once() -> None:
    with pytest.raises(PhysicsError) as caught:
        check_energies(("Zn", "Se"), (9.658, 9.66, 12.657, 16.0), CROMER)
    assert len(caught.value.problems) == 3


def test_chantlers_gap_across_an_edge_is_refused_and_cromer_liberman_has_none() -> None:
    # Cd K: table points 13.7 eV below and 14.1 eV above the edge, 28 eV apart
    cadmium = dict(edges_kev("Cd"))["K"]
    for offset in (-0.012, -0.006, 0.006, 0.012):
        with pytest.raises(PhysicsError, match=r"no point from .*cromer-liberman"):
            check_energies(("Cd",), (cadmium + offset,), CHANTLER)
        check_energies(("Cd",), (cadmium + offset,), CROMER)
    check_energies(("Cd",), (cadmium - 0.015, cadmium + 0.015), CHANTLER)


def test_a_chantler_gap_is_no_matter_of_taste() -> None:
    # what the guard keeps out: inside the gap the two tables part, outside they agree to their usual offset
    cadmium = dict(edges_kev("Cd"))["K"]
    usual = abs(CHANTLER.f_prime("Cd", cadmium - 0.1) - CROMER.f_prime("Cd", cadmium - 0.1))
    inside = abs(CHANTLER.f_prime("Cd", cadmium - 0.006) - CROMER.f_prime("Cd", cadmium - 0.006))
    outside = abs(CHANTLER.f_prime("Cd", cadmium - 0.016) - CROMER.f_prime("Cd", cadmium - 0.016))
    assert outside < usual + 0.05
    assert inside > usual + 0.3


# --- energy resolution


@pytest.mark.parametrize("sigma_ev", [0.5, 1.5, 10.0])
def test_resolution_leaves_constants_and_adds_the_variance_to_squares(monkeypatch, sigma_ev: float) -> None:
    average = module._averaged.__wrapped__
    monkeypatch.setattr(module, "_tabulated", lambda table, element, energy: 3.0 + 2.0j)
    assert average("chantler", "Zn", 9.63, sigma_ev) == pytest.approx(3.0 + 2.0j, rel=1e-14)
    monkeypatch.setattr(module, "_tabulated", lambda table, element, energy: complex((energy - 9.0) ** 2, energy))
    value = average("chantler", "Zn", 9.63, sigma_ev)
    assert value.real - 0.63**2 == pytest.approx((sigma_ev * 1e-3) ** 2, rel=1e-5)
    assert value.imag == pytest.approx(9.63, rel=1e-12)


@pytest.mark.parametrize("offset_ev", [-8.0, -3.0, 1.0])
def test_resolution_across_the_step_against_a_fine_sum(offset_ev: float) -> None:
    sigma = 2.0
    energy = dict(edges_kev("Zn"))["K"] + offset_ev * 1e-3
    z = np.linspace(-6, 6, 24001)
    w = np.exp(-0.5 * z**2)
    values = np.array([CROMER.anomalous("Zn", float(energy + t * sigma * 1e-3)) for t in z])
    fine = complex(w @ values / w.sum())
    quick = load_factors("cromer-liberman", energy_resolution_ev=sigma).anomalous("Zn", float(energy))
    # gemmi's own edge lies 0.12 eV from XrayDB's, so its step falls inside one panel
    assert quick.real == pytest.approx(fine.real, abs=0.02)
    assert quick.imag == pytest.approx(fine.imag, abs=0.03)


def test_resolution_acts_near_the_edge_only() -> None:
    wide = load_factors("chantler", energy_resolution_ev=1.5)
    assert 5e-4 < abs(wide.anomalous("Zn", 9.63) - CHANTLER.anomalous("Zn", 9.63)) < 5e-3
    assert abs(wide.anomalous("Ag", 16.0) - CHANTLER.anomalous("Ag", 16.0)) < 1e-6
    assert load_factors("chantler", energy_resolution_ev=0.0).anomalous("Zn", 9.63) == CHANTLER.anomalous("Zn", 9.63)


# --- measured factors


def test_measured_factors_replace_one_element_and_run_through_the_points() -> None:
    for e, a, b in zip(ENERGY, F_PRIME, F_DOUBLE_PRIME, strict=True):
        assert MEASURED.anomalous("Zn", float(e)) == pytest.approx(complex(a, b), abs=1e-12)
    assert MEASURED.anomalous("Se", 9.66) == CHANTLER.anomalous("Se", 9.66)
    assert with_measured(MEASURED, "Zn", ENERGY, F_PRIME + 1, F_DOUBLE_PRIME).f_prime("Zn", 9.65) == -5.8


def test_measured_factors_do_not_overshoot() -> None:
    fine = np.linspace(ENERGY[0], ENERGY[-1], 501)
    values = np.array([MEASURED.anomalous("Zn", float(e)) for e in fine])
    assert values.imag.min() >= F_DOUBLE_PRIME.min()
    assert values.imag.max() <= F_DOUBLE_PRIME.max()
    assert values.real.min() >= F_PRIME.min()


def test_measured_factors_allow_the_edge_but_nothing_outside_their_range() -> None:
    check_energies(("Zn", "Se"), (9.659, 9.65), MEASURED)
    with pytest.raises(PhysicsError, match=r"8\.9000 keV lies outside the measured factors of Zn"):
        check_energies(("Zn", "Se"), (9.65, 8.9), MEASURED)
    with pytest.raises(PhysicsError, match=r"cover 9\.6000 to 9\.7000 keV"):
        MEASURED.anomalous("Zn", 9.5999)


def test_measured_factors_carry_the_resolution_already() -> None:
    wide = with_measured(load_factors("chantler", 2.0), "Zn", ENERGY, F_PRIME, F_DOUBLE_PRIME)
    assert wide.anomalous("Zn", 9.661) == MEASURED.anomalous("Zn", 9.661)


def test_a_user_table_stands_on_chantler() -> None:
    table = load_factors({"Zn": (ENERGY, F_PRIME, F_DOUBLE_PRIME)})
    assert table == MEASURED


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ((ENERGY[::-1], F_PRIME, F_DOUBLE_PRIME), "must increase"),
        ((ENERGY * 1e3, F_PRIME, F_DOUBLE_PRIME), "was eV meant"),
        ((ENERGY, F_PRIME + 30, F_DOUBLE_PRIME), "subtract Z = 30"),
        ((ENERGY, F_PRIME, -F_DOUBLE_PRIME), "must be >= 0"),
        ((ENERGY, F_PRIME[:-1], F_DOUBLE_PRIME), "got 6, 5 and 6"),
        ((ENERGY, F_PRIME * np.nan, F_DOUBLE_PRIME), "not finite"),
        (([9.6], [-4.0], [0.5]), "at least 2"),
    ],
)
def test_impossible_measurements_are_refused(columns, word: str) -> None:
    with pytest.raises(PhysicsError, match=word):
        with_measured(CHANTLER, "Zn", *columns)


def test_all_problems_of_a_measurement_are_named() -> None:
    with pytest.raises(PhysicsError) as caught:
        with_measured(CHANTLER, "Zn", ENERGY[::-1] * 1e3, F_PRIME + 30, -F_DOUBLE_PRIME)
    assert len(caught.value.problems) == 4
