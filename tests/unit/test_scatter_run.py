"""The command ``scatter``: formats, Debye-Waller factors by element, which way the pairs were summed, refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from nanostrata.domain import AtomicModel
from nanostrata.errors import MissingExtraError, RecipeError
from nanostrata.io.structures import read_structure, write_extxyz
from nanostrata.kernels.debye import debye_brute_force
from nanostrata.pipeline import scatter_run
from nanostrata.pipeline.scatter_run import scatter_file
from nanostrata.tables.factors import load_factors

FACTORS = load_factors("chantler")


@pytest.fixture
def rock_salt() -> AtomicModel:
    grid = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[(grid**2).sum(axis=1) <= 17]
    names = np.where(grid.sum(axis=1) % 2 == 0, "Pb", "S")
    return AtomicModel(
        symbols=tuple(names.tolist()), positions_nm=grid * 0.2968, radius_fraction=np.ones(len(grid)),
        site_volume_nm3=np.full(len(grid), 0.2968**3), semi_axes_nm=(1.2, 1.2, 1.2),
    )  # fmt: skip


def columns(text: object) -> np.ndarray:
    return np.array([[float(v) for v in line.split(",")] for line in str(text).splitlines()[1:]])


def expected(model: AtomicModel, energy: float, q: np.ndarray, b: dict[str, float]) -> np.ndarray:
    amplitudes = np.array([
        (FACTORS.f0(s, q) + FACTORS.anomalous(s, energy)) * np.exp(-b[s] * (q / (4 * np.pi)) ** 2) for s in model.symbols
    ])  # fmt: skip
    return debye_brute_force(model.positions_nm, amplitudes, q)


@pytest.mark.parametrize("suffix", ["xyz", "cif", "pdb", "POSCAR", "extxyz"])
def test_files_of_other_programs_scatter_alike(rock_salt: AtomicModel, tmp_path: Path, suffix: str) -> None:
    import ase
    import ase.io

    path = tmp_path / (suffix if suffix == "POSCAR" else f"atoms.{suffix}")
    if suffix == "extxyz":
        write_extxyz(path, rock_salt)
    else:
        atoms = ase.Atoms(
            list(rock_salt.symbols), positions=rock_salt.positions_nm * 10.0 + 30.0, cell=[60, 60, 60], pbc=True
        )
        ase.io.write(
            str(path), atoms, format={"xyz": "xyz", "cif": "cif", "pdb": "proteindatabank", "POSCAR": "vasp"}[suffix]
        )
    b = {"Pb": 0.012, "S": 0.02}
    got = columns(scatter_file(path, "12.5,20", q_max=40.0, points=9, b_factor_nm2="Pb=0.012, S=0.02"))
    for k, energy in ((1, 12.5), (2, 20.0)):
        # PDB keeps three digits of an angstrom
        np.testing.assert_allclose(
            got[:, k], expected(rock_salt, energy, got[:, 0], b), rtol=5e-3 if suffix == "pdb" else 2e-6
        )


def test_how_the_pairs_were_summed_is_told(rock_salt: AtomicModel, tmp_path: Path) -> None:
    path = write_extxyz(tmp_path / "a.extxyz", rock_salt)
    told: list[str] = []
    scatter_file(path, "16", points=4, tell=told.append)
    assert told[0].startswith(f"{len(rock_salt)} sites: every pair summed; relative error")
    assert 0.0 <= float(told[0].rsplit(" ", 1)[1]) < 1e-4


def test_more_sites_than_pairs_allow_go_to_the_lattice(
    rock_salt: AtomicModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_extxyz(tmp_path / "a.extxyz", rock_salt)
    pairs = columns(scatter_file(path, "16", q_max=30.0, points=7, medium="toluene"))
    monkeypatch.setattr(scatter_run, "MAX_SITES", 100)
    told: list[str] = []
    lattice = columns(scatter_file(path, "16", q_max=30.0, points=7, medium="toluene", tell=told.append))
    assert "on a lattice" in told[0]
    np.testing.assert_allclose(lattice, pairs, rtol=1e-6)
    rng = np.random.default_rng(1)
    from dataclasses import replace

    loose = replace(rock_salt, positions_nm=rock_salt.positions_nm + rng.normal(size=(len(rock_salt), 3)) * 0.005)
    path = write_extxyz(tmp_path / "b.extxyz", loose)
    with pytest.raises(RecipeError, match="more than 100 can only be summed on a lattice"):
        scatter_file(path, "16", points=4)
    monkeypatch.setattr(scatter_run, "MAX_LATTICE_SITES", 200)
    with pytest.raises(RecipeError, match="at most 200"):
        scatter_file(path, "16", points=4)


def test_different_volumes_of_too_many_sites_are_refused(
    rock_salt: AtomicModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    graded = replace(rock_salt, site_volume_nm3=rock_salt.site_volume_nm3 * np.linspace(0.9, 1.1, len(rock_salt)))
    path = write_extxyz(tmp_path / "a.extxyz", graded)
    monkeypatch.setattr(scatter_run, "MAX_GRADED_SITES", 100)
    with pytest.raises(RecipeError, match="different volumes"):
        scatter_file(path, "16", points=4, medium="toluene")
    assert len(columns(scatter_file(path, "16", points=4))) == 4
    assert len(columns(scatter_file(path, "16", points=4, medium="toluene", volume_per_site=0.026))) == 4


def test_thermal_diffuse_scattering_is_added_on_request(rock_salt: AtomicModel, tmp_path: Path) -> None:
    path = write_extxyz(tmp_path / "a.extxyz", rock_salt)
    bare = columns(scatter_file(path, "16", q_max=40.0, points=5, b_factor_nm2=0.02))
    full = columns(scatter_file(path, "16", q_max=40.0, points=5, b_factor_nm2=0.02, thermal_diffuse=True))
    q = bare[:, 0]
    lost = sum(
        n * np.abs(FACTORS.f0(e, q) + FACTORS.anomalous(e, 16.0)) ** 2 * (1 - np.exp(-0.04 * (q / (4 * np.pi)) ** 2))
        for e, n in rock_salt.counts.items()
    )
    np.testing.assert_allclose(full[:, 1] - bare[:, 1], lost, rtol=1e-4, atol=1e-3 * lost.max())


@pytest.mark.parametrize(
    ("b", "message"),
    [("Pb=0.012", "no value for S"), ("much", "got 'much'"), ("Pb=0.01,S=7", "got 'S=7'"), (1.5, "got '1.5'"), ("Pb=,S=1", "'Pb='")],
)  # fmt: skip
def test_debye_waller_factors_that_make_no_sense_are_named(
    rock_salt: AtomicModel, tmp_path: Path, b: float | str, message: str
) -> None:
    path = write_extxyz(tmp_path / "a.extxyz", rock_salt)
    with pytest.raises(RecipeError, match=r"--b-factor.*") as caught:
        scatter_file(path, "16", points=4, b_factor_nm2=b)
    assert message in str(caught.value)


def test_a_missing_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pdb"
    path.write_text("ATOM\n", "utf-8")
    monkeypatch.setitem(sys.modules, "ase", None)
    monkeypatch.setitem(sys.modules, "ase.io", None)
    with pytest.raises(MissingExtraError, match="pip install ase"):
        read_structure(path)
