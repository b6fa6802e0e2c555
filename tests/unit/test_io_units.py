"""The unit of q is declared or stated, or the curve is refused."""

import pytest

from nanostrata.io.units import (
    StatedUnit,
    canonical_q_unit,
    header_intensity_unit,
    header_q_unit,
    intensity_factor,
    length_nm,
    q_factor,
    resolve_q_unit,
)

NM = [
    "1/nm",
    "nm^-1",
    "nm-1",
    "nm⁻¹",
    "nm**-1",
    "1 / nm",
    "(nm^-1)",
    "inv_nm",
    "nm^{-1}",
    "nm$^{-1}$",
    "1/nanometer",
    "NM-1",
    "per nm",
]
ANGSTROM = [
    "1/angstrom",
    "1/A",
    "A^-1",
    "A-1",
    "Å⁻¹",
    "Å-1",
    "1/\u00c5",
    "1/\u212b",
    "A\u030a^-1",
    "angstrom^-1",
    "Angstrom-1",
    "inv_angstrom",
    "inv_A",
    "1/Ang",
    r"\AA^{-1}",
    r"$\mathrm{\AA}^{-1}$",
    "A−1",
]


@pytest.mark.parametrize("text", NM)
def test_spellings_of_inverse_nanometres(text):
    assert canonical_q_unit(text) == "1/nm"


@pytest.mark.parametrize("text", ANGSTROM)
def test_spellings_of_inverse_angstroms(text):
    assert canonical_q_unit(text) == "1/angstrom"


@pytest.mark.parametrize("text", ["", "nm", "A", "furlong", "1/furlong", "1/a", "nm^-2", "1/nm^2", "deg", "none", "1"])
def test_other_words_are_no_unit_of_q(text):
    assert canonical_q_unit(text) is None


def test_factors_follow_from_the_size_of_the_units():
    # q = 2 pi / d: d = 1 angstrom = 0.1 nm gives 10 times the number in 1/nm; lengths go the other way.
    assert q_factor("1/angstrom") == 10.0
    assert q_factor("1/nm") == 1.0
    assert q_factor("1/pm") == 1000.0
    assert length_nm(6.0, "A") == pytest.approx(0.6)
    assert length_nm(600.0, "pm") == pytest.approx(0.6)
    assert length_nm(6e-10, "m") == pytest.approx(0.6)
    assert length_nm(1.0, "furlong") is None
    assert intensity_factor("1/cm") == (1.0, "1/cm")
    assert intensity_factor("1/m") == (pytest.approx(0.01), "1/cm")
    assert intensity_factor("1/mm") == (pytest.approx(10.0), "1/cm")
    assert intensity_factor("cm^-1 sr^-1") == (1.0, "1/cm")
    assert intensity_factor("1/cm/sr") == (1.0, "1/cm")
    assert intensity_factor("Counts") == (1.0, "arb")


@pytest.mark.parametrize(
    "line, unit",
    [
        ("q(nm^-1) I sigma", "1/nm"),
        ("# q(nm^-1), intensity, error", "1/nm"),
        ("q (1/A)   I(q)", "1/angstrom"),
        ("q(A-1)    I(q)Sub    Sig(q)", "1/angstrom"),
        ("q Å-1\tI(q) cm-1\tSig cm-1", "1/angstrom"),
        ("q [Å⁻¹];I;sigma", "1/angstrom"),
        ("q_inv_nm,intensity,sigma", "1/nm"),
        ("q_inv_angstrom intensity", "1/angstrom"),
        ("Q [1/nm] I [1/cm]", "1/nm"),
        ("#Q (Angs^-1) I (cm^-1)  I_err(cm^-1)", "1/angstrom"),
        ("q/nm^-1 I/cm^-1", "1/nm"),
        ("scattering vector (1/nm)", "1/nm"),
        ("# units: nm^-1, cm^-1", "1/nm"),
        ("|q| in nm⁻¹", "1/nm"),
        ("q_A^-1 I", "1/angstrom"),
    ],
)
def test_the_header_names_the_unit(line, unit):
    assert header_q_unit([(1, "a title"), (2, line)]) == StatedUnit(names=(unit,), where=("header line 2",))


@pytest.mark.parametrize(
    "line",
    [
        "q I sigma",
        "q I(q) cm-1",
        "sample A-1, run 12",
        "wavelength 1.5 A",
        "lambda = 0.1 nm",
        "Q(x) of ZnSe",
        "detector 1 m, I in 1/cm",
        "EIGER-1 nm -1.5",
    ],
)
def test_other_numbers_and_units_of_a_header_do_not_count(line):
    assert header_q_unit([(1, line)]).names == ()


def test_the_unit_behind_q_wins_over_others():
    found = header_q_unit([(1, "resolution 0.01 1/A"), (2, "q(nm^-1) I")])
    assert found.names == ("1/nm",)
    both = header_q_unit([(1, "q in 1/A"), (2, "q(nm^-1) I")])
    assert both.names == ("1/angstrom", "1/nm")
    assert both.where == ("header line 1", "header line 2")


def test_intensity_unit_of_a_header():
    assert header_intensity_unit([(1, "q Å-1\tI(q) cm-1")]) == ("1/cm", "header line 1")
    assert header_intensity_unit([(1, "q(nm^-1) I (a.u.)")]) == ("arb", "")


def resolve(declared, stated):
    problems, notes = [], []
    unit = resolve_q_unit(declared, stated, "f.dat", "0.01 to 0.4", problems, notes)
    return unit, problems, notes


STATED_A = StatedUnit(names=("1/angstrom",), where=("header line 1",))


def test_a_stated_unit_is_taken_and_its_conversion_reported():
    unit, problems, notes = resolve(None, STATED_A)
    assert (unit, problems) == ("1/angstrom", [])
    assert notes == ["q is in 1/angstrom (header line 1); multiplied by 10 to 1/nm"]


def test_without_any_unit_the_curve_is_refused_and_told_what_to_write():
    unit, problems, _ = resolve(None, StatedUnit())
    assert unit is None
    assert 'write q_unit = "1/nm" or q_unit = "1/angstrom"' in problems[0]
    assert "0.01 to 0.4" in problems[0]


def test_declared_against_stated_stops():
    unit, problems, _ = resolve("nm^-1", STATED_A)
    assert unit is None
    assert 'q_unit = "1/nm" is declared, but the file says 1/angstrom (header line 1)' in problems[0]


def test_declared_and_stated_may_be_spelled_differently():
    unit, problems, notes = resolve("Å⁻¹", STATED_A)
    assert (unit, problems) == ("1/angstrom", [])
    assert "declared, and header line 1" in notes[0]


def test_a_unit_that_is_not_understood_needs_a_declaration():
    unit, problems, _ = resolve(None, StatedUnit(text="'furlong'"))
    assert unit is None
    assert "'furlong'" in problems[0]
    unit, problems, notes = resolve("1/nm", StatedUnit(text="'furlong'"))
    assert (unit, problems) == ("1/nm", [])
    assert "'furlong'" in notes[0]


def test_two_stated_units_need_a_declaration():
    both = StatedUnit(names=("1/angstrom", "1/nm"), where=("header line 1", "header line 2"))
    unit, problems, _ = resolve(None, both)
    assert unit is None
    assert "1/angstrom (header line 1), 1/nm (header line 2)" in problems[0]
    assert resolve("1/nm", both)[0] == "1/nm"


def test_a_declared_word_that_is_no_unit_is_refused():
    unit, problems, _ = resolve("furlong", STATED_A)
    assert unit is None
    assert "q_unit = 'furlong'" in problems[0]
