"""Formulas, lattices, CIF and media: what they mean, and what is refused."""

import math
from types import SimpleNamespace

import pytest

from nanostrata.errors import NanostrataError, PhysicsError, RecipeError
from nanostrata.models.cif_material import material_from_cif
from nanostrata.models.density import make_solid_solution
from nanostrata.models.materials import load_medium, make_material, mass_density_g_cm3, normalisation
from nanostrata.tables.formulas import parse_formula, split_ions
from nanostrata.tables.media import MEDIA


def approx(counts: dict[str, float]) -> object:
    return pytest.approx(counts, rel=1e-12)


# --- formulas


@pytest.mark.parametrize(
    ("formula", "counts"),
    [
        ("ZnSe", {"Zn": 1, "Se": 1}),
        ("Ag2In4Se7", {"Ag": 2, "In": 4, "Se": 7}),
        (" Cd0.5Zn.5Se ", {"Cd": 0.5, "Zn": 0.5, "Se": 1}),
        ("(Cd0.25(ZnMg)0.5)2Se2", {"Cd": 0.5, "Zn": 1, "Mg": 1, "Se": 2}),
        ("CH3CH2OH", {"C": 2, "H": 6, "O": 1}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
    ],
)
def test_formulas(formula: str, counts: dict[str, float]) -> None:
    assert parse_formula(formula) == approx(counts)


@pytest.mark.parametrize(
    ("formula", "word"),
    [
        ("Xx2Se", "'Xx' is not an element"),
        ("znSe", "capital letter"),
        ("(ZnSe", "not closed"),
        ("ZnSe)", "not opened"),
        ("2ZnSe", "follows no element"),
        ("Zn0Se", "count of 0"),
        ("Zn-Se", "'-' at place 3"),
        ("Zn²Se", "not understood"),
        ("", "no element"),
        ("()", "no element"),
    ],
)
def test_nonsense_formulas_are_refused(formula: str, word: str) -> None:
    with pytest.raises(RecipeError, match=word):
        parse_formula(formula)


@pytest.mark.parametrize(
    ("formula", "anions"),
    [
        ("ZnSe", "Se"), ("CdSe0.5S0.5", "S Se"), ("InP", "P"), ("InAs0.5Sb0.5", "As Sb"),
        ("In0.5Zn0.5P0.5Se0.5", "P Se"), ("CuSbS2", "S"), ("Sb2Te3", "Te"), ("AgSbTe2", "Te"),
        ("As2S3", "S"), ("SiC", "C"), ("CsPbBr3", "Br"),
        ("PtNi3", ""), ("Si", ""), ("Si0.5Ge0.5", ""), ("Sb", ""), ("C", ""),
    ],
)  # fmt: skip
def test_anions(formula: str, anions: str) -> None:
    assert " ".join(sorted(split_ions(parse_formula(formula))[1])) == anions


# --- what x counts


@pytest.mark.parametrize(
    ("one", "other", "per"),
    [
        ("Ag2In4Se7", "ZnSe", "anion"),
        ("CdSe", "CdS", "cation"),
        ("CdSe", "CdS0.3Se0.7", "cation"),
        ("CdSe", "ZnS", "anion"),
        ("InP", "ZnS", "anion"),
        ("PbS", "CdS", "anion"),
        ("In2Se3", "In2S3", "anion"),  # only the anions differ, but it is they that fill their sublattice
        ("Pt", "Ni", "atom"),
        ("Si", "Ge", "atom"),
        ("ZnSe", None, "anion"),
        ("PtNi3", None, "atom"),
    ],
)
def test_the_shared_site(one: str, other: str | None, per: str) -> None:
    assert normalisation(one, other) == per
    if other is not None:
        assert normalisation(other, one) == per


def test_a_compound_and_a_metal_share_nothing() -> None:
    with pytest.raises(RecipeError, match="share no sublattice"):
        make_material("Au", "fcc", 0.408, partner="CdSe")


def test_atoms_per_shared_site() -> None:
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe")
    assert dict(core.composition) == approx({"Ag": 2 / 7, "In": 4 / 7, "Se": 1.0})
    assert dict(make_material("Cd2Se2", "zincblende", 0.6077, partner="CdS").composition) == approx({"Cd": 1, "Se": 1})
    assert dict(make_material("PtNi3", "fcc", 0.3646, partner="Ni").composition) == approx({"Pt": 0.25, "Ni": 0.75})
    assert dict(make_material("CuInS2", "zincblende", 0.5523).composition) == approx({"Cu": 0.5, "In": 0.5, "S": 1})


# --- lattices: constants and densities of handbooks, an independent check of atoms and volume per site


@pytest.mark.parametrize(
    ("formula", "structure", "a_nm", "c_nm", "g_cm3"),
    [
        ("ZnSe", "zincblende", 0.5668, None, 5.27),
        ("CdSe", "wurtzite", 0.4299, 0.7011, 5.66),
        ("ZnO", "wurtzite", 0.3250, 0.5207, 5.61),
        ("InP", "zincblende", 0.5869, None, 4.79),
        ("PbS", "rocksalt", 0.5936, None, 7.60),
        ("NaCl", "rocksalt", 0.5640, None, 2.165),
        ("Si", "diamond", 0.5431, None, 2.329),
        ("Pt", "fcc", 0.3924, None, 21.45),
        ("Ni", "fcc", 0.3524, None, 8.90),
        ("Fe", "bcc", 0.28665, None, 7.87),
        ("Co", "hcp", 0.2507, 0.4069, 8.84),
    ],
)
def test_densities_of_handbooks(formula: str, structure: str, a_nm: float, c_nm: float | None, g_cm3: float) -> None:
    assert mass_density_g_cm3(make_material(formula, structure, a_nm, c_nm)) == pytest.approx(
        g_cm3, rel=1.5e-2
    )  # real ones hold pores


@pytest.mark.parametrize(
    ("formula", "structure", "a_nm", "c_nm", "word"),
    [
        ("ZnSe", "wurtzite", None, 0.655, "a_nm: missing"),
        ("ZnSe", "wurtzite", 0.400, None, "c_nm: missing"),
        ("ZnSe", "wurtzite", 4.00, 6.55, r"was angstrom meant\? write 0.4\)"),
        ("ZnSe", "wurtzite", 0.655, 0.400, "swapped"),
        ("ZnSe", "zincblende", 0.5668, 0.6, "is cubic; take c_nm out"),
        ("ZnSe", "zincblende", 0.2, None, "weighs"),
        ("ZnSe", "zincblende", 1.9, None, "weighs"),
        ("ZnSe", "wurzite", 0.4, 0.655, "'wurzite' is not known"),
        ("ZnSe", "fcc", 0.4, None, "has cations and anions, and fcc has one kind of site"),
        ("Pt", "zincblende", 0.4, None, "has no anion"),
        ("Cu2Se", "zincblende", 0.576, None, "2 cations for each anion"),
        ("Ag3In5Se7", "wurtzite", 0.426, 0.702, "1.143 cations for each anion"),
    ],
)
def test_impossible_materials_are_refused(formula, structure, a_nm, c_nm, word: str) -> None:
    with pytest.raises(RecipeError, match=word) as caught:
        make_material(formula, structure, a_nm, c_nm, key="materials.shell")
    assert all(p.startswith("materials.shell") for p in caught.value.problems)


def test_all_problems_of_a_material_are_named() -> None:
    with pytest.raises(RecipeError) as caught:
        make_material("Xx2Se", "wurtzite", 4.26, None, key="materials.core")
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "Xx" in text
    assert "a_nm" in text
    assert "c_nm: missing" in text


def part(formula: str, density_uncertainty: float = 0.01, **lattice: object) -> SimpleNamespace:
    full = {"structure": None, "a_nm": None, "c_nm": None, "cif": None, **lattice}
    return SimpleNamespace(formula=formula, density_uncertainty=density_uncertainty, lattice=SimpleNamespace(**full))


def test_problems_of_both_end_members_are_named() -> None:
    core = part("Xx2Se", structure="wurtzite", a_nm=0.4, c_nm=0.655)
    shell = part("ZnSe", structure="wurtzite", a_nm=4.0, c_nm=0.655)
    with pytest.raises(RecipeError) as caught:
        make_solid_solution(core, shell, load_medium("toluene"))
    text = str(caught.value)
    assert "Xx" in text
    assert "was angstrom meant" in text


def test_core_and_shell_must_differ() -> None:
    same = part("ZnSe", structure="zincblende", a_nm=0.5668)
    with pytest.raises(RecipeError, match="are the same"):
        make_solid_solution(same, same, load_medium("toluene"))


# --- CIF

HEAD = """data_{name}
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma {gamma}
_space_group_name_H-M_alt '{group}'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
ZNSE = HEAD.format(name="ZnSe", a="4.00(1)", c="6.55(2)", gamma=120, group="P 63 m c") + (
    "Zn1 Zn2+ 0.3333333 0.6666667 0 1\nSe1 Se2- 0.3333333 0.6666667 0.375 1\n"
)
ALLOY = ZNSE.replace(
    "Zn1 Zn2+ 0.3333333 0.6666667 0 1", "Zn1 Zn 0.3333333 0.6666667 0 0.6\nCd1 Cd 0.3333333 0.6666667 0 .4"
)
ROCKSALT = HEAD.format(name="PbS", a=5.936, c=5.936, gamma=90, group="F m -3 m") + "Pb Pb 0 0 0 1\nS S 0.5 0.5 0.5 1\n"
BERZELIANITE = HEAD.format(name="Cu2Se", a=5.76, c=5.76, gamma=90, group="F m -3 m") + (
    "Cu Cu 0.25 0.25 0.25 1\nSe Se 0 0 0 1\n"
)
CHALCOPYRITE = HEAD.format(name="CuInS2", a=5.523, c=11.12, gamma=90, group="I -4 2 d") + (
    "Cu Cu 0 0 0 1\nIn In 0 0 0.5 1\nS S 0.229 0.25 0.125 1\n"
)
PLATINUM = HEAD.format(name="Pt", a=3.924, c=3.924, gamma=90, group="F m -3 m") + "Pt Pt 0 0 0 1\n"


def test_a_cif_equals_the_stated_lattice_and_is_recognised() -> None:
    from_cif = material_from_cif(ZNSE, "ZnSe")
    stated = make_material("ZnSe", "wurtzite", 0.400, 0.655)
    assert from_cif.structure == "wurtzite"
    assert from_cif.site_volume_nm3 == pytest.approx(stated.site_volume_nm3, rel=1e-9)
    assert from_cif.lattice_nm == pytest.approx(stated.lattice_nm)
    assert dict(from_cif.composition) == dict(stated.composition)


@pytest.mark.parametrize(
    ("text", "formula", "structure", "site_nm3"),
    [
        (ALLOY, "Zn0.6Cd0.4Se", "wurtzite", math.sqrt(3) / 4 * 0.16 * 0.655),
        (ROCKSALT, "PbS", "rocksalt", 0.5936**3 / 4),
        (PLATINUM, "Pt", "fcc", 0.3924**3 / 4),
        (BERZELIANITE, "Cu2Se", "cif", 0.576**3 / 4),
        (CHALCOPYRITE, "CuInS2", "cif", 0.5523**2 * 1.112 / 8),
    ],
)
def test_cifs(text: str, formula: str, structure: str, site_nm3: float) -> None:
    material = material_from_cif(text, formula)
    assert material.structure == structure
    assert material.site_volume_nm3 == pytest.approx(site_nm3, rel=1e-6)


def test_a_cif_of_a_chalcogenide_with_two_cations_per_anion_counts_its_sites() -> None:
    material = material_from_cif(BERZELIANITE, "Cu2Se", partner="ZnSe")
    assert dict(material.composition) == approx({"Cu": 2.0, "Se": 1.0})
    assert material.sublattice_sites == pytest.approx((2.0, 1.0))
    assert mass_density_g_cm3(material) == pytest.approx(7.15, rel=0.01)


@pytest.mark.parametrize(
    ("text", "formula", "word"),
    [
        ("", "ZnSe", "found 0"),
        ("hello", "ZnSe", "not a readable CIF"),
        (ZNSE + ROCKSALT, "ZnSe", "found 2"),
        (ZNSE.replace("_cell_length_a", "_nonsense"), "ZnSe", "found 0"),
        (ZNSE.replace("_cell_length_c 6.55(2)", "_cell_length_c ?"), "ZnSe", "no unit cell"),
        (ZNSE.replace("P 63 m c", "?"), "ZnSe", "no symmetry"),
        (ZNSE[: ZNSE.index("loop_")], "ZnSe", "no atoms"),
        (ZNSE.replace("0.375", "?"), "ZnSe", "Se1: no element or no position"),
        (ZNSE.replace("Zn1 Zn2+", "Q1 Q"), "ZnSe", "Q1: no element"),
        (ZNSE, "CdSe", "holds Se, Zn; the formula CdSe says Cd, Se"),
        (ALLOY, "Zn0.5Cd0.5Se", "Zn 0.600 in the CIF, 0.500 by the formula"),
        (ZNSE.replace("0.375 1", "0.375 0"), "ZnSe", "are empty"),
        (ZNSE.replace("4.00(1)", "40.0").replace("6.55(2)", "65.5"), "ZnSe", "weighs"),
    ],
)
def test_impossible_cifs_are_refused(text: str, formula: str, word: str) -> None:
    with pytest.raises(RecipeError, match=word) as caught:
        material_from_cif(text, formula, key="materials.shell")
    assert all(p.startswith("materials.shell") for p in caught.value.problems)


def test_a_cif_file_beside_the_project(tmp_path) -> None:
    (tmp_path / "znse.cif").write_bytes(ZNSE.replace("data_ZnSe", "data_ZnSe\n# Café").encode("latin-1"))
    solid = make_solid_solution(part("ZnSe", cif="znse.cif"), None, load_medium("toluene"), root=tmp_path)
    assert solid.core.structure == "wurtzite"
    with pytest.raises(RecipeError, match="no file"):
        make_solid_solution(part("ZnSe", cif="other.cif"), None, load_medium("toluene"), root=tmp_path)


# --- media


def test_media_by_name_formula_and_density() -> None:
    assert load_medium("toluene").electron_density_e_nm3 == pytest.approx(283.33, abs=0.005)
    assert load_medium(" Toluene ") == load_medium("toluene")
    assert load_medium({"formula": "C7H8", "density_g_cm3": 0.867}).electron_density_e_nm3 == pytest.approx(
        283.33, abs=0.005
    )
    assert load_medium({"electron_density_e_nm3": 284.5}).electron_density_e_nm3 == 284.5
    assert load_medium("vacuum").electron_density_e_nm3 == 0.0
    assert load_medium({"electron_density_e_nm3": 0}).electron_density_e_nm3 == 0.0


def test_water_and_heavy_water_have_the_same_electrons_per_molecule() -> None:
    water, heavy = (load_medium(n).electron_density_e_nm3 for n in ("water", "D2O"))
    assert water == pytest.approx(333.3, rel=1e-3)  # 10 electrons in 0.0300 nm^3
    assert heavy == pytest.approx(water, rel=5e-3)


def test_every_named_medium_is_possible() -> None:
    for name, liquid in MEDIA.items():
        assert name == name.lower()
        assert 15.0 <= liquid.temperature_c <= 25.0
        assert 200.0 < load_medium(name).electron_density_e_nm3 < 500.0


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("tolunee", "not a known medium"),
        ({"formula": "C7H8"}, "expected a name"),
        ({}, "expected a name"),
        ({"formula": "Xx", "density_g_cm3": 0.9}, "'Xx' is not an element"),
        ({"formula": "C7H8", "density_g_cm3": 867.0}, r"was kg/m3 meant\? write 0.867"),
        ({"formula": "C7H8", "density_g_cm3": -1.0}, "expected 0.05 to 20"),
        ({"electron_density_e_nm3": 0.2833}, r"was e/angstrom\^3 meant\? write 283.3"),
        ({"electron_density_e_nm3": -5.0}, "expected 0"),
        ({"electron_density_e_nm3": float("nan")}, "got nan"),
    ],
)
def test_impossible_media_are_refused(value: object, word: str) -> None:
    with pytest.raises(NanostrataError, match=word) as caught:
        load_medium(value)
    assert isinstance(caught.value, (RecipeError, PhysicsError))
