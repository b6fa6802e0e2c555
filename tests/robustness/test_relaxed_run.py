"""A whole run whose particles are cut from a CIF and relaxed."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from nanostrata.pipeline.run import run_project
from tests.physics.test_crystal_builder import CHALCOPYRITE


@pytest.mark.slow
def test_a_crystal_from_a_cif_runs_to_the_end_and_is_relaxed(tmp_path: Path) -> None:
    with as_file(files("nanostrata") / "data" / "demo" / "thick") as source:
        shutil.copytree(source, tmp_path / "data")
    (tmp_path / "data" / "core.cif").write_text(CHALCOPYRITE, encoding="utf-8")
    project = tmp_path / "data" / "project.toml"
    text = project.read_text(encoding="utf-8")
    before = 'formula = "Ag2In4Se7"\nlattice = { structure = "wurtzite", a_nm = 0.426, c_nm = 0.702 }'
    assert before in text
    text = text.replace(before, 'formula = "AgInSe2"\nlattice = { cif = "core.cif" }')
    text += '\n[atoms]\nparticles = 3\nrelax = "keating"\nelastic = { core = { c11_gpa = 60.0, c12_gpa = 40.0 } }\n'
    project.write_text(text, encoding="utf-8")
    result = run_project(project, out=tmp_path / "run", preset="quick", only=("verify",))
    atoms = result.summary["atoms"]
    assert atoms["relax"]["method"] == "keating"
    assert atoms["relax"]["max_force_nn"] <= atoms["relax"]["tolerance_nn"]
    assert {b["bond"] for b in atoms["relax"]["bonds"]} == {"Ag-Se", "In-Se", "Zn-Se"}
    # the order of chalcopyrite: as many silver as indium atoms
    assert atoms["counts"]["Ag"] == pytest.approx(atoms["counts"]["In"], abs=6)
    assert "coverage" not in atoms
    assert "CIF" in atoms["coverage_message"]
    assert (tmp_path / "run" / "tables" / "strain.csv").is_file()
    # both sizes and composition stay what they were: the atoms moved, none was added
    assert result.summary["verification"]["tem"]["verdict"] == "agrees"
