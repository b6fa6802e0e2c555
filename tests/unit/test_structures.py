"""Structure files: every format is read back by another program, and nothing is lost on the way."""

from __future__ import annotations

from dataclasses import replace

import ase.io
import gemmi
import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from nanostrata.domain import AtomicModel, Medium
from nanostrata.errors import PhysicsError
from nanostrata.io.structures import (
    FORMATS,
    depth_nm,
    read_structure,
    to_ase,
    write_extxyz,
    write_format,
    write_structures,
)
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.materials import make_material

VACUUM = Medium(name="vacuum", electron_density_e_nm3=0.0)
STATES = {"Ag": 1, "In": 3, "Zn": 2, "Se": -2}


def built(seed=1, radius=1.3) -> AtomicModel:
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe")
    shell = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7")
    pair = SolidSolution(core=core, shell=shell, medium=VACUUM)
    return build_particle(
        pair,
        semi_axes_nm=(radius, radius, 1.3 * radius),
        x_of_s=lambda s: 0.7 * np.asarray(s) ** 2,
        axis="110",
        rng=np.random.default_rng(seed),
    )


MODEL = built()
ATOMS = np.array([s != "X" for s in MODEL.symbols])
POSITIONS = MODEL.positions_nm[ATOMS] * 10
SYMBOLS = np.array(MODEL.symbols)[ATOMS]


def _check(symbols, positions, tolerance):
    """Every atom once, of the same element, at the same distances to all others."""
    mine, theirs = POSITIONS - POSITIONS.mean(axis=0), np.asarray(positions) - np.mean(positions, axis=0)
    distance, order = cKDTree(theirs).query(mine)
    assert len(theirs) == len(mine)
    assert sorted(order) == list(range(len(mine)))
    assert distance.max() < 2 * tolerance
    np.testing.assert_array_equal(np.array(symbols)[order], SYMBOLS)
    np.testing.assert_allclose(pdist(theirs[order]), pdist(mine), atol=tolerance)


@pytest.mark.parametrize(
    ("format", "reader", "tolerance"),
    [("cif", "cif", 1e-4), ("lammps", "lammps-data", 1e-6), ("poscar", "vasp", 1e-6), ("pdb", "proteindatabank", 4e-3)],
)
def test_ase_reads_every_format_back(tmp_path, format, reader, tolerance):
    path = write_format(tmp_path / f"p.{FORMATS[format]}", MODEL, format, oxidation=STATES)
    again = ase.io.read(path, format=reader)
    assert isinstance(again, ase.Atoms)
    _check(again.get_chemical_symbols(), again.get_positions(), tolerance)
    low, high = again.get_positions().min(axis=0), again.get_positions().max(axis=0)
    np.testing.assert_allclose(low, 5.0, atol=2e-3)
    np.testing.assert_allclose(np.diag(again.cell), high + 5.0, atol=2e-3)


def test_gemmi_reads_the_cif(tmp_path):
    path = write_format(tmp_path / "p.cif", MODEL, "cif")
    small = gemmi.read_small_structure(str(path))
    assert small.spacegroup.number == 1
    assert {s.occ for s in small.sites} == {1.0}
    positions = [list(small.cell.orthogonalize(s.fract)) for s in small.sites]
    _check([s.element.name for s in small.sites], np.array(positions), 1e-4)


def test_gemmi_reads_the_pdb_with_shells_and_depths(tmp_path):
    path = write_format(tmp_path / "p.pdb", MODEL, "pdb")
    structure = gemmi.read_structure(str(path))
    rows = [(a.element.name, list(a.pos), r.seqid.num, a.b_iso) for c in structure[0] for r in c for a in r]
    _check([r[0] for r in rows], np.array([r[1] for r in rows]), 4e-3)
    assert sorted(r[2] for r in rows) == sorted(MODEL.shell_index[ATOMS])
    np.testing.assert_allclose(sorted(r[3] for r in rows), np.sort(10 * depth_nm(MODEL)[ATOMS]), atol=0.0051)


def test_lammps_data_holds_charges_and_masses(tmp_path):
    text = write_format(tmp_path / "p.data", MODEL, "lammps", oxidation=STATES).read_text()
    again = ase.io.read(tmp_path / "p.data", format="lammps-data")
    expected = [float(STATES[s]) for s in again.get_chemical_symbols()]
    np.testing.assert_allclose(again.get_initial_charges(), expected)
    assert "Atoms # charge" in text
    masses = [float(l.split()[1]) for l in text.split("Masses")[1].split("Atoms")[0].split("\n") if l.strip()]
    np.testing.assert_allclose(masses, [107.868, 114.818, 78.971, 65.38], rtol=1e-4)
    plain = write_format(tmp_path / "q.data", MODEL, "lammps").read_text()
    assert "Atoms # atomic" in plain


def test_extended_xyz_gains_a_depth(tmp_path):
    path = write_extxyz(tmp_path / "p.extxyz", MODEL)
    atoms = ase.io.read(path)
    np.testing.assert_allclose(atoms.get_array("depth_nm"), depth_nm(MODEL), atol=1e-5)
    np.testing.assert_array_equal(atoms.get_array("shell"), MODEL.shell_index)
    again = read_structure(path)
    assert again.symbols == MODEL.symbols
    np.testing.assert_allclose(again.positions_nm, MODEL.positions_nm, atol=1e-7)
    np.testing.assert_allclose(again.site_volume_nm3, MODEL.site_volume_nm3, atol=1e-9)
    np.testing.assert_allclose(again.semi_axes_nm, MODEL.semi_axes_nm, atol=1e-7)
    assert again.info == dict(MODEL.info)


def test_depth_by_hand():
    """In a sphere it is the distance to the surface; in a spheroid of axes 1, 1, 8 nm the radius is that of 2 nm."""
    sphere = AtomicModel(
        symbols=("Zn", "Zn"), positions_nm=[[0, 0, 0.5], [0, 0, -1.9]], radius_fraction=[0.25, 0.95],
        site_volume_nm3=[0.02, 0.02], semi_axes_nm=(2.0, 2.0, 2.0),
    )  # fmt: skip
    np.testing.assert_allclose(depth_nm(sphere), [1.5, 0.1])
    np.testing.assert_allclose(depth_nm(replace(sphere, semi_axes_nm=(1.0, 1.0, 8.0))), [1.5, 0.1])
    foreign = replace(sphere, semi_axes_nm=(0.0, 0.0, 0.0), radius_fraction=[0.5 / 1.9, 1.0])
    np.testing.assert_allclose(depth_nm(foreign), [1.4, 0.0], atol=1e-12)


def test_files_without_depth_are_still_read(tmp_path):
    new = write_extxyz(tmp_path / "new.xyz", MODEL).read_text().splitlines()
    old = [new[0], new[1].replace(":depth_nm:R:1", ""), *(l.rsplit(" ", 1)[0] for l in new[2:])]
    (tmp_path / "old.xyz").write_text("\n".join(old) + "\n")
    first, second = read_structure(tmp_path / "new.xyz"), read_structure(tmp_path / "old.xyz")
    assert first.symbols == second.symbols
    for name in ("positions_nm", "site_volume_nm3", "radius_fraction", "shell_index"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_ase_object_with_and_without_vacancies():
    assert "X" in MODEL.symbols
    plain, full = to_ase(MODEL), to_ase(MODEL, vacancies=True)
    assert len(full) == len(MODEL)
    assert plain.get_chemical_symbols() == SYMBOLS.tolist()
    assert not plain.pbc.any()
    np.testing.assert_allclose(plain.get_positions(), POSITIONS)
    np.testing.assert_allclose(full.get_array("site_volume").sum(), 1000 * MODEL.site_volume_nm3.sum())
    charged = to_ase(MODEL, oxidation=STATES)
    assert charged.get_initial_charges().sum() == MODEL.info["charge_e"]
    with pytest.raises(PhysicsError, match="no state for Zn"):
        to_ase(MODEL, oxidation={"Ag": 1, "In": 3, "Se": -2})


def test_an_ensemble_in_a_folder(tmp_path):
    models = [built(k, 1.0) for k in range(3)]
    paths = write_structures(tmp_path / "s", models, oxidation=STATES, weights=[0.5, 0.3, 0.2], title="thick shell")
    assert [p.name for p in paths] == [
        "particle_001.extxyz", "particle_001.cif", "particle_001.data", "particle_001.POSCAR", "particle_001.pdb",
        "particle_002.extxyz", "particle_003.extxyz", "README.txt",
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == sorted(p.name for p in paths)
    for model, path in zip(models, [paths[0], *paths[5:7]], strict=True):
        assert read_structure(path).counts == model.counts
    readme = paths[-1].read_text(encoding="utf-8")
    for word in ("thick shell", "*.extxyz", "*.cif", "*.data", "*.POSCAR", "*.pdb", "angstrom", "depth_nm", "Ag +1"):
        assert word in readme
    table = readme[readme.index("file,") :].splitlines()[1:]
    assert [r.split(",")[0] for r in table] == ["particle_001.extxyz", "particle_002.extxyz", "particle_003.extxyz"]
    assert [float(r.split(",")[4]) for r in table] == [0.5, 0.3, 0.2]
    assert [int(r.split(",")[1]) for r in table] == [sum(m.counts.values()) for m in models]


def test_same_particles_same_bytes_and_no_stale_files(tmp_path):
    models = [built(k, 1.0) for k in range(3)]
    first = {p.name: p.read_bytes() for p in write_structures(tmp_path / "a", models, all_in_all_formats=True)}
    second = {p.name: p.read_bytes() for p in write_structures(tmp_path / "b", models, all_in_all_formats=True)}
    assert first == second
    assert len(first) == 16
    (tmp_path / "a" / "mine.cif").write_text("kept")
    fewer = write_structures(tmp_path / "a", models[:2], formats=("cif",))
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(["mine.cif", *(p.name for p in fewer)])
    assert "*.pdb" not in fewer[-1].read_text()


def test_bad_requests_are_refused(tmp_path):
    with pytest.raises(PhysicsError, match="expected one of cif, lammps, poscar, pdb, got 'docx'"):
        write_format(tmp_path / "p.docx", MODEL, "docx")
    with pytest.raises(PhysicsError, match="got 'docx'"):
        write_structures(tmp_path / "s", [MODEL], formats=("docx",))
    with pytest.raises(PhysicsError, match="at least one particle"):
        write_structures(tmp_path / "s", [])
    with pytest.raises(PhysicsError, match="one for each of 1 particles, got 2"):
        write_structures(tmp_path / "s", [MODEL], weights=[0.5, 0.5])
    empty = replace(MODEL, symbols=("X",) * len(MODEL))
    with pytest.raises(PhysicsError, match="no atoms"):
        write_format(tmp_path / "p.cif", empty, "cif")
    assert not (tmp_path / "p.docx").exists()
