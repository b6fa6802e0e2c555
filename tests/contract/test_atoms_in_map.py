"""A run whose atoms are cut to the shape found without a model."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from nanostrata.domain.shape import OccupancyMap
from nanostrata.errors import RecipeError
from nanostrata.io.mrc import read_mrc
from nanostrata.models.map_outline import outline_of
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.run import run_project


def project(folder: Path, more: str) -> Path:
    demo = files("nanostrata") / "data" / "demo" / "thick"
    for item in demo.iterdir():
        if item.is_file():
            (folder / item.name).write_bytes(item.read_bytes())
    file = folder / "project.toml"
    text = file.read_text(encoding="utf-8")
    assert "[atoms]" not in text
    assert "[shape]" not in text
    file.write_text(text + more, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('\n[atoms]\nbody = "map"\nfacets = { "{100}" = 1.0 }\n', "contradict each other"),
        ('\n[atoms]\nbody = "map"\n[shape]\nruns = 0\n', "runs = 0"),
        ('\n[atoms]\nbody = "cube"\n', "spheroid"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe(project(tmp_path, more))


@pytest.mark.slow
def test_atoms_fill_the_map(tmp_path: Path) -> None:
    file = project(tmp_path, '\n[atoms]\nbody = "map"\nparticles = 12\n[shape]\nruns = 2\n')
    summary = run_project(file, out=tmp_path / "run", preset="quick", only=("verify",)).summary
    occupancy, voxel, _ = read_mrc(tmp_path / "run" / "shape" / "average.mrc")
    shape = OccupancyMap(occupancy=occupancy, voxel_nm=voxel, cutoff=summary["shape"]["cutoff"])
    outline = outline_of(shape)
    tem = summary["verification"]["tem"]["numbers"]
    assert tem["atoms.aspect_ratio"] == pytest.approx(outline.aspect_ratio, rel=1e-3)
    assert summary["atoms"]["diameter_mean_nm"] == pytest.approx(
        summary["particle"]["diameter_mean_nm"]["value"], rel=0.02
    )
    assert {"asaxs", "tem", "edx"} <= set(summary["verification"])


@pytest.mark.slow
def test_gradient_is_taken_out_of_the_curve_before_the_shape_is_looked_for(tmp_path: Path) -> None:
    file = project(tmp_path, '\n[shape]\nruns = 2\ndensity = "profile"\n')
    shape = run_project(file, out=tmp_path / "run", preset="quick", only=("shape",)).summary["shape"]
    assert shape["density"] == "profile"
    assert any("uneven density" in note for note in shape["notes"])
    diameter = shape["diameter_nm"]["value"]
    assert diameter == pytest.approx(4.1, rel=0.06)  # of the truth
