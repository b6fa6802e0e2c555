"""The energies of an absorption scan: a stated shift, and their error in f'."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nanostrata.errors import RecipeError
from nanostrata.interfaces.cli import app
from nanostrata.io.absorption import read_absorption
from nanostrata.models.kramers_kronig import edge_factors
from nanostrata.pipeline import gather
from nanostrata.pipeline.factor_sources import factor_warnings
from nanostrata.pipeline.recipe import Recipe, load_recipe
from nanostrata.tables.factors import load_factors

SCAN = Path(__file__).parents[1] / "reference" / "xas" / "zn_znse_rt.xdi"
DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick"


def project(folder: Path, keys: str = "", source: str = 'absorption = "zn.xdi"') -> Path:
    shutil.copytree(DEMO, folder, dirs_exist_ok=True)
    shutil.copy(SCAN, folder / "zn.xdi")
    text = (folder / "project.toml").read_text(encoding="utf-8")
    text = text.replace('factors = "chantler"', f"factors = {{ {source}{keys} }}")
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder / "project.toml"


def recipe_with(folder: Path, keys: str) -> Recipe:
    return load_recipe(project(folder, keys))


def test_a_stated_shift_moves_the_scan_before_all_else(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, ", energy_shift_ev = -4.25")
    table = gather.factor_tables(recipe)[0]
    # independent of the pipeline: the same file with other numbers in it
    scan = read_absorption(SCAN, "Zn K")
    moved = edge_factors(scan.energy_ev - 4.25, scan.mu, load_factors("chantler"), "Zn", "K")
    assert table.f_prime("Zn", 9.63) == pytest.approx(np.interp(9630.0, moved.energy_ev, moved.f_prime), abs=2e-3)
    notes: list[str] = []
    gather.read_factors(recipe, [], notes)
    assert "The scan rises fastest at 9659.5 eV" in notes[0]
    assert "-4.25 eV were added to the energies of the scan first" in notes[0]


def test_a_shift_settles_or_raises_the_warning_about_the_edge(tmp_path: Path) -> None:
    assert factor_warnings(recipe_with(tmp_path / "a", "")) == []  # 4.8 eV above the tabulated edge
    ((code, text),) = factor_warnings(recipe_with(tmp_path / "b", ", energy_shift_ev = 1.0"))
    assert code == "edge_position"
    assert "+5.8 eV" in text
    assert factor_warnings(recipe_with(tmp_path / "c", ", energy_shift_ev = -4.8")) == []


def test_the_error_of_the_energies_is_in_that_of_f_prime(tmp_path: Path) -> None:
    """In quadrature: the change of f' when the scan is moved, found here from two shifted projects."""
    exact = gather.factor_tables(recipe_with(tmp_path / "exact", ", energy_uncertainty_ev = 0"))[0]
    loose = gather.factor_tables(recipe_with(tmp_path / "loose", ", energy_uncertainty_ev = 1"))[0]
    up = gather.factor_tables(recipe_with(tmp_path / "up", ", energy_shift_ev = 1"))[0]
    down = gather.factor_tables(recipe_with(tmp_path / "down", ", energy_shift_ev = -1"))[0]
    for kev in (8.9, 9.3, 9.63, 9.65):
        one, other = exact.sigma_f_prime("Zn", kev), loose.sigma_f_prime("Zn", kev)
        assert one is not None
        assert other is not None
        moved = 0.5 * abs(up.f_prime("Zn", kev) - down.f_prime("Zn", kev))
        assert np.sqrt(other**2 - one**2) == pytest.approx(moved, rel=0.05, abs=2e-4)
    # 29 eV below the edge the energies matter more than all else
    found = loose.sigma_f_prime("Zn", 9.63)
    assert found is not None
    assert found > 3 * (exact.sigma_f_prime("Zn", 9.63) or 0.0)
    assert loose.f_prime("Zn", 9.63) == exact.f_prime("Zn", 9.63)


def test_keys_of_a_scan_do_not_go_with_a_file_of_factors(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(project(tmp_path, ", energy_shift_ev = 1", 'file = "zn.xdi"'))
    assert "energy_shift_ev belongs to an absorption scan" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (", energy_shift_ev = 1000", "a number of eV, -100 to 100"),
        (", energy_uncertainty_ev = -1", "one standard deviation in eV, 0 to 20"),
        (", energy_shift = 1", "energy_shift"),
        (', file = "f1f2.dat"', "write either"),
    ],
)
def test_impossible_keys_are_refused_with_what_is_expected(tmp_path: Path, keys: str, said: str) -> None:
    result = CliRunner().invoke(app, ["check", str(project(tmp_path, keys))])
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
