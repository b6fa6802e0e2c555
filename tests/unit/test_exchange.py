"""Exchange units: what changes places between core and shell material, checked by hand and by brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nanostrata.domain import Medium
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.models.exchange import ExchangeUnit, element_states, exchange_scheme, member_states
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.materials import make_material
from nanostrata.tables.oxidation import ion_text, oxidation_states

VACUUM = Medium(name="vacuum", electron_density_e_nm3=0.0)
ZB = "zincblende"


def solid(core, shell=None) -> SolidSolution:
    first = make_material(*core, partner=shell[0] if shell else None)
    second = make_material(*shell, partner=core[0]) if shell else None
    return SolidSolution(core=first, shell=second, medium=VACUUM)


SYSTEMS = {
    "AgInSe/ZnSe": solid(("Ag2In4Se7", "wurtzite", 0.426, 0.702), ("ZnSe", "wurtzite", 0.400, 0.655)),
    "CuInS2/ZnS": solid(("CuInS2", ZB, 0.5523), ("ZnS", ZB, 0.5409)),
    "CdSe/CdS": solid(("CdSe", "wurtzite", 0.430, 0.701), ("CdS", "wurtzite", 0.4136, 0.6713)),
    "CdSe/ZnSe": solid(("CdSe", "wurtzite", 0.430, 0.701), ("ZnSe", "wurtzite", 0.400, 0.655)),
    "PbS/CdS": solid(("PbS", "rocksalt", 0.5936), ("CdS", ZB, 0.5818)),
    "InP/ZnS": solid(("InP", ZB, 0.5869), ("ZnS", ZB, 0.5409)),
}

# by hand: entering, leaving as (sublattice, symbol, count, state); charge of a side; sites of a side
BY_HAND = {
    "AgInSe/ZnSe": (
        [("cation", "Zn", 7, 2)],
        [("cation", "Ag", 2, 1), ("cation", "In", 4, 3), ("cation", "X", 1, 0)],
        14, {"cation": 7}, 7,
    ),
    "CuInS2/ZnS": ([("cation", "Zn", 2, 2)], [("cation", "Cu", 1, 1), ("cation", "In", 1, 3)], 4, {"cation": 2}, 2),
    "CdSe/CdS": ([("anion", "S", 1, -2)], [("anion", "Se", 1, -2)], -2, {"anion": 1}, 1),
    "CdSe/ZnSe": ([("cation", "Zn", 1, 2)], [("cation", "Cd", 1, 2)], 2, {"cation": 1}, 1),
    "PbS/CdS": ([("cation", "Cd", 1, 2)], [("cation", "Pb", 1, 2)], 2, {"cation": 1}, 1),
    "InP/ZnS": (
        [("cation", "Zn", 1, 2), ("anion", "S", 1, -2)],
        [("cation", "In", 1, 3), ("anion", "P", 1, -3)],
        0, {"cation": 1, "anion": 1}, 1,
    ),
}  # fmt: skip


def _rows(ions):
    return [(i.sublattice, i.symbol, i.count, i.state) for i in ions]


@pytest.mark.parametrize("name", BY_HAND)
def test_units_are_those_found_by_hand(name):
    entering, leaving, charge, sites, shared = BY_HAND[name]
    scheme = exchange_scheme(SYSTEMS[name])
    unit = scheme.unit
    assert _rows(unit.entering) == entering
    assert _rows(unit.leaving) == leaving
    assert unit.charge_entering == unit.charge_leaving == charge
    assert unit.sites_entering == unit.sites_leaving == sites
    assert scheme.shared_sites == shared
    assert scheme.neutral
    assert scheme.message == ""


def test_the_paper_s_exchange_in_words():
    scheme = exchange_scheme(SYSTEMS["AgInSe/ZnSe"])
    assert scheme.unit.formula() == "7 Zn²⁺ ↔ 2 Ag⁺ + 4 In³⁺ + 1 vacancy"
    assert scheme.unit.sentence().endswith("charge +14 and 7 cation sites on each side")
    assert [m.formula() for m in scheme.moves] == ["2 Zn²⁺ ↔ 1 Ag⁺ + 1 In³⁺", "3 Zn²⁺ ↔ 2 In³⁺ + 1 vacancy"]
    assert (scheme.unit.vacancies_entering, scheme.unit.vacancies_leaving) == (0, 1)
    for move in scheme.moves:
        assert move.formula() in scheme.sentence()


def test_smaller_moves_are_all_that_brute_force_finds():
    """Every balanced exchange of up to 7 Zn is a sum of the two moves, and none of the two is one itself."""
    moves = {(2, 1, 1, 0), (3, 0, 2, 1)}
    balanced = {
        (z, a, i, v)
        for z, a, i, v in itertools.product(range(8), repeat=4)
        if z == a + i + v and 2 * z == a + 3 * i and z > 0
    }
    sums = {
        tuple(p * np.array((2, 1, 1, 0)) + r * np.array((3, 0, 2, 1))) for p in range(5) for r in range(4) if p + r
    }  # fmt: skip
    assert balanced == {s for s in sums if max(s) <= 7}
    found = {
        tuple(
            {(i.symbol): i.count for i in (*m.entering, *m.leaving)}.get(s, 0) for s in ("Zn", "Ag", "In", "X")
        )
        for m in exchange_scheme(SYSTEMS["AgInSe/ZnSe"]).moves
    }  # fmt: skip
    assert found == moves


def test_two_sublattices_that_are_neutral_alone_exchange_alone():
    both = exchange_scheme(solid(("CdSe", ZB, 0.605), ("ZnS", ZB, 0.541)))
    assert both.unit.formula() == "1 Zn²⁺ + 1 S²⁻ ↔ 1 Cd²⁺ + 1 Se²⁻"
    assert {m.formula() for m in both.moves} == {"1 Zn²⁺ ↔ 1 Cd²⁺", "1 S²⁻ ↔ 1 Se²⁻"}
    assert exchange_scheme(SYSTEMS["InP/ZnS"]).moves == ()


def test_a_shared_element_does_not_take_part():
    scheme = exchange_scheme(solid(("Cd0.5Zn0.5Se", ZB, 0.59), ("ZnSe", ZB, 0.567)))
    assert scheme.unit.formula() == "1 Zn²⁺ ↔ 1 Cd²⁺"
    assert scheme.shared_sites == 2


def test_metals_have_no_charge():
    scheme = exchange_scheme(solid(("Pt", "fcc", 0.3924), ("Ni", "fcc", 0.3524)))
    assert scheme.unit.formula() == "1 Ni ↔ 1 Pt"
    assert not scheme.neutral
    assert "no ions" in scheme.message
    assert "no charge" in scheme.unit.sentence()


def test_a_material_that_is_not_neutral_is_said_and_kept():
    scheme = exchange_scheme(solid(("AgIn2Se3", ZB, 0.60), ("ZnSe", ZB, 0.567)))
    assert not scheme.unit.charge_neutral
    assert scheme.unit.site_neutral
    assert (scheme.unit.charge_entering, scheme.unit.charge_leaving) == (6, 7)
    assert scheme.charge_per_site == (pytest.approx(1 / 3), 0.0)
    assert "AgIn2Se3 is not neutral with Ag⁺, In³⁺, Se²⁻: +0.333" in scheme.message
    assert "6 enters for +7" in scheme.unit.sentence()


def test_states_can_be_given():
    pair = solid(("SnTe", "rocksalt", 0.632), ("PbTe", "rocksalt", 0.646))
    assert "SnTe is not neutral with Sn⁴⁺, Te²⁻: +2" in exchange_scheme(pair).message
    scheme = exchange_scheme(pair, {"Sn": 2})
    assert scheme.message == ""
    assert scheme.unit.formula() == "1 Pb²⁺ ↔ 1 Sn²⁺"


def test_elements_that_are_both_are_judged_by_formula():
    assert oxidation_states({"Cu": 1, "Sb": 1, "S": 2}) == ({"Cu": 1, "Sb": 3}, {"S": -2})
    assert oxidation_states({"In": 1, "Sb": 1}) == ({"In": 3}, {"Sb": -3})
    assert oxidation_states({"Pt": 1, "Ni": 1}) == ({}, {})
    assert member_states(SYSTEMS["InP/ZnS"].core)["anion", "P"] == -3
    rng = np.random.default_rng(1)
    famatinite = solid(("CuSbS2", ZB, 0.56))
    built = build_particle(famatinite, semi_axes_nm=(1.5, 1.5, 1.5), x_of_s=np.zeros_like, rng=rng)
    n = built.counts
    assert built.info["charge_e"] == n["Cu"] + 3 * n["Sb"] - 2 * n["S"]


def test_what_cannot_be_exchanged_is_refused_in_words():
    with pytest.raises(PhysicsError, match="one material only"):
        exchange_scheme(solid(("ZnSe", ZB, 0.567)))
    with pytest.raises(PhysicsError, match="no state of W as a cation; give one"):
        exchange_scheme(solid(("WS", ZB, 0.55), ("ZnS", ZB, 0.541)))
    with pytest.raises(PhysicsError, match=r"Zn is a cation of this formula, expected a positive state, got -2"):
        exchange_scheme(SYSTEMS["CdSe/ZnSe"], {"Zn": -2})
    with pytest.raises(PhysicsError, match="no ratio of whole numbers"):
        exchange_scheme(solid(("Cd0.31415927Zn0.1Se", ZB, 0.59), ("ZnSe", ZB, 0.567)))
    with pytest.raises(PhysicsError, match="same atoms"):
        exchange_scheme(solid(("ZnS", "wurtzite", 0.382, 0.626), ("ZnS", ZB, 0.541)))


def test_unknown_ions_are_named_in_the_particle():
    rng = np.random.default_rng(1)
    built = build_particle(solid(("WS", ZB, 0.55)), semi_axes_nm=(1.2, 1.2, 1.2), x_of_s=np.zeros_like, rng=rng)
    assert built.info["charge_unknown"] == "W"
    known = build_particle(solid(("ZnS", ZB, 0.541)), semi_axes_nm=(1.2, 1.2, 1.2), x_of_s=np.zeros_like, rng=rng)
    assert "charge_unknown" not in known.info


@pytest.mark.parametrize(
    ("element", "state", "text"), [("Zn", 2, "Zn²⁺"), ("Ag", 1, "Ag⁺"), ("P", -3, "P³⁻"), ("Pt", 0, "Pt")]
)
def test_ions_in_print(element, state, text):
    assert ion_text(element, state) == text


def test_units_are_values():
    first, second = (exchange_scheme(SYSTEMS["CdSe/CdS"]).unit for _ in range(2))
    assert isinstance(first, ExchangeUnit)
    assert first == second


def test_one_state_for_each_element():
    assert element_states(SYSTEMS["AgInSe/ZnSe"]) == {"Ag": 1, "In": 3, "Zn": 2, "Se": -2}
    assert element_states(solid(("Pt", "fcc", 0.3924), ("Ni", "fcc", 0.3524))) == {}
    with pytest.raises(PhysicsError, match=r"Sb is \+3 in one material and -3 in the other"):
        element_states(solid(("CuSbS2", ZB, 0.56), ("InSb", ZB, 0.648)))
