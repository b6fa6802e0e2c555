"""Crystals of any lattice and body: what is kept of the parent, of the volume, of the bonds."""

import math

import numpy as np
import pytest
from scipy.spatial import cKDTree
from tests.waxs_particles import VACUUM, solid_of, waxs_intensity, waxs_particles

from nanostrata.errors import PhysicsError
from nanostrata.kernels.stacking import hexagonal_layers, stacking_sequence
from nanostrata.models.bond_graph import bond_reach
from nanostrata.models.cif_material import material_from_cif
from nanostrata.models.crystal_body import InsideTest, Polyhedron, Spheroid, polyhedron
from nanostrata.models.crystal_builder import Faults, build_crystal
from nanostrata.models.crystal_cells import cell_from_cif, cell_of_structure, equivalent_planes
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_particle import build_particle

PAIR = solid_of("Ag2In4Se7", "wurtzite", 0.426, 0.702, shell=("ZnSe", "wurtzite", 0.400, 0.655))
ZINCBLENDE = solid_of("ZnSe", "zincblende", 0.5668)
BALL = Spheroid(semi_axes_nm=(1.6, 1.6, 1.6))

CHALCOPYRITE = """
data_AgInSe2
_cell_length_a 6.104
_cell_length_b 6.104
_cell_length_c 11.712
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'I -4 2 d'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Ag1 Ag 0 0 0 1
In1 In 0 0 0.5 1
Se1 Se 0.25 0.25 0.125 1
"""


def graded(s):
    return 0.02 + 0.9 * s**4


def bonds_of(model, factor=1.2):
    tree = cKDTree(model.positions_nm)
    d, _ = tree.query(model.positions_nm, k=2)
    pairs = tree.query_pairs(factor * np.median(d[:, 1]), output_type="ndarray")
    return np.bincount(pairs.ravel(), minlength=len(model)), pairs


@pytest.mark.parametrize("structure", ["wurtzite", "zincblende"])
@pytest.mark.parametrize(("axis", "aspect"), [("001", 1.0), ("110", 1.4), ("(101)", 0.8)])
@pytest.mark.parametrize("lattice", ["graded", "mean"])
def test_a_spheroid_without_faults_is_the_particle_of_the_short_way(structure, axis, aspect, lattice):
    axes = (1.6, 1.6, 1.6 * aspect)
    keys = {"x_of_s": graded, "structure": structure, "axis": axis, "lattice": lattice}
    short = build_particle(PAIR, semi_axes_nm=axes, rng=np.random.default_rng(3), **keys)
    long = build_crystal(PAIR, body=Spheroid(semi_axes_nm=axes), rng=np.random.default_rng(3), **keys)
    assert long.symbols == short.symbols
    np.testing.assert_array_equal(long.positions_nm, short.positions_nm)
    np.testing.assert_allclose(long.site_volume_nm3, short.site_volume_nm3, rtol=1e-12)
    assert {k: v for k, v in long.info.items() if not isinstance(v, float)} == {
        k: v for k, v in short.info.items() if not isinstance(v, float)
    }


@pytest.mark.parametrize("kind", ["growth", "deformation"])
@pytest.mark.parametrize("parent", ["cubic", "hexagonal"])
def test_faults_come_as_often_as_asked(parent, kind):
    n, p = 40_000, 0.13
    positions, faulted = stacking_sequence(n, parent, p, kind, np.random.default_rng(1))
    assert (positions[1:] != positions[:-1]).all()
    assert faulted.mean() == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n))
    # a growth fault makes one layer of the other kind, a deformation fault two (fewer where two of them touch)
    share = hexagonal_layers(positions).mean()
    wrong = share if parent == "cubic" else 1 - share
    assert wrong == pytest.approx(p if kind == "growth" else 2 * p * (1 - p), abs=0.01)


@pytest.mark.parametrize(
    ("solid", "bonds"),
    [
        (solid_of(), 4), (ZINCBLENDE, 4), (solid_of("Si", "diamond", 0.5431), 4), (solid_of("Pt", "fcc", 0.3924), 12),
        (solid_of("Co", "hcp", 0.2507, 0.2507 * math.sqrt(8 / 3)), 12),
    ],
    ids=["wurtzite", "zincblende", "diamond", "fcc", "hcp"],
)  # fmt: skip
def test_faults_keep_every_bond(solid, bonds):
    perfect = build_crystal(solid, body=BALL, x_of_s=np.zeros_like, rng=np.random.default_rng(2))
    none = build_crystal(solid, body=BALL, x_of_s=np.zeros_like, rng=np.random.default_rng(2), faults=Faults())
    gap, _ = cKDTree(perfect.positions_nm).query(none.positions_nm)
    assert len(none) == len(perfect)
    assert gap.max() < 1e-9
    assert none.info["faults"] == 0
    faulted = build_crystal(
        solid, body=BALL, x_of_s=np.zeros_like, rng=np.random.default_rng(2), faults=Faults(probability=0.4)
    )
    assert faulted.info["faults"] > 0
    count, pairs = bonds_of(faulted, 1.1)
    assert set(count[faulted.radius_fraction < 0.7]) == {bonds}
    if bonds == 4 and solid.core.name == "ZnSe":
        assert {frozenset((faulted.symbols[a], faulted.symbols[b])) for a, b in pairs} == {frozenset(("Zn", "Se"))}
    # the same density: volume by sites is that of the body
    assert len(faulted) == pytest.approx(len(perfect), rel=0.01)


def test_a_written_sequence_turns_zinc_blende_into_wurtzite():
    """ABAB on the spacing of zinc blende: wurtzite of the same bond length, with its powder pattern."""
    turned = build_crystal(
        ZINCBLENDE, body=Spheroid(semi_axes_nm=(2.0,) * 3), x_of_s=np.zeros_like, axis="111",
        rng=np.random.default_rng(2), faults=Faults(sequence="AB"),
    )  # fmt: skip
    a = 0.5668 / math.sqrt(2)
    wurtzite = build_crystal(
        solid_of("ZnSe", "wurtzite", a, a * math.sqrt(8 / 3)), body=Spheroid(semi_axes_nm=(2.0,) * 3),
        x_of_s=np.zeros_like, rng=np.random.default_rng(2),
    )  # fmt: skip
    assert turned.info["hexagonality"] == 1.0
    assert set(str(turned.info["stacking"])) == {"A", "B"}
    q = np.linspace(14, 38, 200)
    first, second = waxs_intensity([turned], q), waxs_intensity([wurtzite], q)
    # another centre in the cell: a few surface atoms differ
    assert np.corrcoef(first, second)[0, 1] > 0.998
    cubic = waxs_intensity([build_crystal(
        ZINCBLENDE, body=Spheroid(semi_axes_nm=(2.0,) * 3), x_of_s=np.zeros_like, rng=np.random.default_rng(2)
    )], q)  # fmt: skip
    assert np.corrcoef(cubic, second)[0, 1] < 0.95


def test_faults_weaken_the_reflections_that_feel_them():
    """In wurtzite (102) and (103) feel the stacking, (110) and (002) do not (h - k = 3n)."""
    perfect = waxs_particles(6, diameter_nm=5.0, std_nm=0.3)
    faulted = waxs_particles(6, diameter_nm=5.0, std_nm=0.3, fault_probability=0.15)
    at = {"102": 26.40, "103": 34.02, "110": 31.42}
    q = np.array([*at.values()])
    ratio = dict(zip(at, waxs_intensity(faulted, q) / waxs_intensity(perfect, q), strict=True))
    assert ratio["110"] == pytest.approx(1.0, abs=0.06)
    assert ratio["102"] < 0.85
    assert ratio["103"] < 0.9


@pytest.mark.parametrize("termination", ["cation", "anion"])
@pytest.mark.parametrize("structure", ["wurtzite", "zincblende", "rocksalt"])
def test_only_the_chosen_species_lies_outside(termination, structure):
    formula = "PbS" if structure == "rocksalt" else "ZnSe"
    solid = solid_of(formula, structure, 0.5936 if structure != "wurtzite" else 0.4, 0.655)
    model = build_crystal(
        solid, body=Spheroid(semi_axes_nm=(2.0, 2.0, 2.6)), x_of_s=np.zeros_like, rng=np.random.default_rng(7),
        termination=termination,
    )  # fmt: skip
    count, _ = bonds_of(model)
    full = 6 if structure == "rocksalt" else 4
    cation = np.array([s in ("Zn", "Pb") for s in model.symbols])
    inner = ~cation if termination == "cation" else cation
    assert (count[inner] == full).all()
    assert (count[~inner] < full).any()
    assert count.min() >= 1
    wanted = 4 / 3 * math.pi * 2.0 * 2.0 * 2.6
    assert model.site_volume_nm3.sum() == pytest.approx(wanted, rel=0.04)
    assert (float(model.info["charge_e"]) > 0) == (termination == "cation")


@pytest.mark.parametrize(("formula", "least"), [("ZnSe", 1), ("ZnSe", 2), ("PbS", 3)])
def test_sites_with_few_bonds_are_dropped(formula, least):
    solid = solid_of() if formula == "ZnSe" else solid_of("PbS", "rocksalt", 0.5936)
    model = build_crystal(solid, body=BALL, x_of_s=np.zeros_like, rng=np.random.default_rng(7), min_bonds=least)
    assert bonds_of(model)[0].min() >= least
    assert model.site_volume_nm3.sum() == pytest.approx(BALL.volume_nm3, rel=0.03)


def test_polyhedra_have_their_volume_and_their_faces():
    cell = cell_of_structure(ZINCBLENDE, "zincblende", 0.0, 0.5668**3 / 4)
    cube = polyhedron(cell, "001", {"{100}": 1.5})
    assert cube.volume_nm3 == pytest.approx(27.0)
    assert cube.reach_nm == pytest.approx(1.5 * math.sqrt(3))
    octahedron = polyhedron(cell, "001", {"111": 1.0})
    assert octahedron.volume_nm3 == pytest.approx(4 * math.sqrt(3))
    assert octahedron.scaled_to(20.0).volume_nm3 == pytest.approx(20.0)
    tetrahedron = polyhedron(cell, "001", {"(111)": 1.0, "(1 -1 -1)": 1.0, "(-1 1 -1)": 1.0, "(-1 -1 1)": 1.0})
    assert tetrahedron.volume_nm3 == pytest.approx(8 * math.sqrt(3))
    built = build_crystal(ZINCBLENDE, body=cube, x_of_s=np.zeros_like, axis="001", rng=np.random.default_rng(3))
    assert built.site_volume_nm3.sum() == pytest.approx(27.0, rel=0.03)
    assert np.abs(built.positions_nm).max() < 1.5 * 1.12
    # the faces lie where they should for any direction of the axis
    turned = polyhedron(cell, "111", {"{100}": 1.5})
    assert np.abs(turned.normals[:, 2]) == pytest.approx(np.full(6, 1 / math.sqrt(3)))
    with pytest.raises(PhysicsError, match="open"):
        Polyhedron(normals=np.eye(3)[[0, 1, 2, 2]] * [[1], [1], [1], [-1]], distances_nm=np.ones(4))


def test_equivalent_planes_of_a_hexagonal_lattice():
    cell = cell_of_structure(solid_of(), "wurtzite", 0.0, solid_of().core.site_volume_nm3)
    assert equivalent_planes(cell.vectors_nm, (1, 0, 0)) == [
        (-1, 0, 0), (-1, 1, 0), (0, -1, 0), (0, 1, 0), (1, -1, 0), (1, 0, 0),
    ]  # fmt: skip
    assert len(equivalent_planes(cell.vectors_nm, (0, 0, 1))) == 2
    assert len(equivalent_planes(cell.vectors_nm, (1, 0, 1))) == 12


def test_a_hexagonal_prism_is_bounded_by_its_planes():
    solid = solid_of()
    cell = cell_of_structure(solid, "wurtzite", 0.0, solid.core.site_volume_nm3)
    prism = polyhedron(cell, "001", {"{100}": 1.5, "{001}": 2.0})
    assert prism.volume_nm3 == pytest.approx(2 * math.sqrt(3) * 1.5**2 * 4.0)
    built = build_crystal(solid, body=prism, x_of_s=np.zeros_like, rng=np.random.default_rng(1))
    assert built.site_volume_nm3.sum() == pytest.approx(prism.volume_nm3, rel=0.03)


def test_an_inside_test_of_a_spheroid_is_the_spheroid():
    axes = np.array([1.4, 1.4, 1.9])
    spheroid = Spheroid(semi_axes_nm=tuple(axes))
    inside = InsideTest(
        inside=lambda p: ((p / axes) ** 2).sum(axis=-1) <= 1.0, reach_nm=2.0, volume_nm3=spheroid.volume_nm3
    )
    points = np.random.default_rng(0).uniform(-2, 2, (500, 3))
    np.testing.assert_allclose(inside.radius_fraction(points), spheroid.radius_fraction(points), rtol=1e-6)
    keys = {"x_of_s": graded, "axis": "110"}
    a = build_crystal(PAIR, body=spheroid, rng=np.random.default_rng(3), **keys)
    b = build_crystal(PAIR, body=inside, rng=np.random.default_rng(3), **keys)
    assert a.symbols == b.symbols
    np.testing.assert_allclose(a.positions_nm, b.positions_nm, atol=1e-6)
    # semi-axes of a body that has none of its own come from its moments; trimming moves them a little
    np.testing.assert_allclose(b.semi_axes_nm, axes, rtol=0.03)


def test_a_hole_is_outside():
    body = InsideTest(
        inside=lambda p: (np.abs(np.sqrt((p**2).sum(axis=-1)) - 1.5) < 0.5), reach_nm=2.1,
        volume_nm3=4 / 3 * math.pi * (8 - 1),
    )  # fmt: skip
    hollow = build_crystal(ZINCBLENDE, body=body, x_of_s=np.zeros_like, rng=np.random.default_rng(3))
    r = np.sqrt((hollow.positions_nm**2).sum(axis=1))
    assert r.min() > 0.95
    assert hollow.site_volume_nm3.sum() == pytest.approx(body.volume_nm3, rel=0.04)


def test_a_cif_keeps_its_order():
    """Chalcopyrite: every selenium has two silver and two indium neighbours."""
    material = material_from_cif(CHALCOPYRITE, "AgInSe2")
    cell = cell_from_cif(CHALCOPYRITE)
    assert len(cell.basis) == 16
    assert cell.volume_nm3 == pytest.approx(0.6104**2 * 1.1712)
    solid = SolidSolution(core=material, shell=None, medium=VACUUM)
    model = build_crystal(
        solid, cell=cell, body=Spheroid(semi_axes_nm=(1.8,) * 3), x_of_s=np.zeros_like, rng=np.random.default_rng(1)
    )
    assert model.info["structure"] == "cif"
    assert float(model.info["a_nm"]) == pytest.approx(0.6104)
    assert model.site_volume_nm3.sum() == pytest.approx(4 / 3 * math.pi * 1.8**3, rel=0.02)
    # per anion one cation, each taking half of the volume of a pair
    assert model.site_volume_nm3[0] == pytest.approx(material.site_volume_nm3 / 2)
    count, pairs = bonds_of(model, 1.15)
    neighbours = {k: [] for k in range(len(model))}
    for a, b in pairs:
        neighbours[a].append(model.symbols[b])
        neighbours[b].append(model.symbols[a])
    whole = [k for k in range(len(model)) if model.symbols[k] == "Se" and count[k] == 4]
    assert len(whole) > 100
    assert {tuple(sorted(neighbours[k])) for k in whole} == {("Ag", "Ag", "In", "In")}


def test_shell_material_enters_all_sites_of_a_cif_alike():
    core = material_from_cif(CHALCOPYRITE, "AgInSe2", partner="ZnSe")
    shell = solid_of("ZnSe", "zincblende", 0.5668).core
    solid = SolidSolution(core=core, shell=shell, medium=VACUUM)
    model = build_crystal(
        solid, cell=cell_from_cif(CHALCOPYRITE), body=Spheroid(semi_axes_nm=(2.0,) * 3),
        x_of_s=lambda s: np.full_like(s, 0.4), rng=np.random.default_rng(1),
    )  # fmt: skip
    counts = model.counts
    cations = counts["Ag"] + counts["In"] + counts["Zn"]
    assert counts["Zn"] / cations == pytest.approx(0.4, abs=0.01)
    assert counts["Ag"] / cations == pytest.approx(0.3, abs=0.01)


def test_occupancies_of_a_cif_become_vacancies():
    text = CHALCOPYRITE.replace("Ag1 Ag 0 0 0 1", "Ag1 Ag 0 0 0 0.5")
    material = material_from_cif(text, "Ag0.5InSe2")
    solid = SolidSolution(core=material, shell=None, medium=VACUUM)
    model = build_crystal(
        solid, cell=cell_from_cif(text), body=Spheroid(semi_axes_nm=(2.0,) * 3), x_of_s=np.zeros_like,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert model.counts["Ag"] / model.counts["In"] == pytest.approx(0.5, abs=0.02)
    assert model.info["vacancies"] == pytest.approx(model.counts["Ag"], abs=6)


def test_bonds_of_every_cell_reach_a_quarter_further_than_the_shortest():
    cell = cell_of_structure(ZINCBLENDE, "zincblende", 0.0, 0.5668**3 / 4)
    np.testing.assert_allclose(bond_reach(cell), 1.25 * 0.5668 * math.sqrt(3) / 4)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"faults": Faults(probability=0.1), "structure": "rocksalt"}, "rocksalt is not made of close-packed layers"),
        ({"termination": "metal"}, 'expected "any", "cation" or "anion"'),
        ({"min_bonds": 3}, "after trimming"),
    ],
)
def test_what_cannot_be_built_is_refused(keys, message):
    with pytest.raises(PhysicsError, match=message):
        build_crystal(ZINCBLENDE, body=BALL, x_of_s=np.zeros_like, rng=np.random.default_rng(1), **keys)


def test_a_metal_has_no_termination():
    with pytest.raises(PhysicsError, match="one kind of site"):
        build_crystal(
            solid_of("Pt", "fcc", 0.3924), body=BALL, x_of_s=np.zeros_like, rng=np.random.default_rng(1),
            termination="cation",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"probability": 1.2}, r"0\.\.1"), ({"sequence": "ABD"}, "A, B and C"), ({"sequence": "ABA"}, "same position")],
)
def test_faults_that_make_no_sense_are_refused(keys, message):
    with pytest.raises(PhysicsError, match=message):
        Faults(**keys)
