"""A run whose atoms are cut to the shape found without a model."""

from __future__ import annotations

from dataclasses import replace
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


def test_a_shape_of_even_density_under_graded_atoms_is_warned_of(tmp_path: Path) -> None:
    import numpy as np

    from nanostrata.models.ensemble import build_ensemble, plan_sizes
    from nanostrata.pipeline.gather import materials
    from nanostrata.pipeline.summary_atoms import map_warnings

    recipe = load_recipe(project(tmp_path, '\n[atoms]\nbody = "map"\n'))
    solid = materials(recipe)
    assert solid is not None
    spheroids = build_ensemble(
        solid, plan_sizes(2.0, 0.0, 1, q_max_inv_nm=2.0), mean_nm=2.0, std_nm=0.0, aspect_ratio=np.ones(1),
        shell_fraction=np.ones((1, 1)), shells=1, seed=np.random.SeedSequence(1),
    )  # fmt: skip
    cut = replace(spheroids, body="map")
    assert [w["code"] for w in map_warnings(recipe, cut, solid)] == ["map_of_even_density"]
    assert map_warnings(recipe, spheroids, solid) == []
    assert map_warnings(recipe, cut, None) == []
    (tmp_path / "other").mkdir()
    even = load_recipe(project(tmp_path / "other", '\n[atoms]\nbody = "map"\n[shape]\ndensity = "profile"\n'))
    assert map_warnings(even, cut, solid) == []
