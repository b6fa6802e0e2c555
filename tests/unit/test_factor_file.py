"""Measured f' and f'' from a file: units, order, fineness, and what a project makes of them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nanostrata.errors import DataError, RecipeError
from nanostrata.interfaces.cli import app
from nanostrata.interfaces.methods import methods_text
from nanostrata.io.factor_file import read_measured_factors
from nanostrata.pipeline import gather
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.run import run_project
from nanostrata.pipeline.simulate_run import example_truth, simulate_run
from nanostrata.tables.edges import edges_kev
from nanostrata.tables.factors import load_factors

CHANTLER = load_factors("chantler")
EDGE = dict(edges_kev("Zn"))["K"]
DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thin"
HEADER = "# energy_ev f_prime f_double_prime"
Spoil = Callable[[np.ndarray], np.ndarray]


def grid_ev(low: float = 8800.0, high: float = 16100.0, fine_ev: float = 0.5) -> np.ndarray:
    """Energies as such files have them: fine round the edge, coarse elsewhere."""
    near = EDGE * 1e3 + np.arange(-40.0, 40.0, fine_ev)
    far = np.arange(low, high, 20.0)
    return np.sort(np.concatenate([far[(far < near[0] - 0.5) | (far > near[-1] + 0.5)], near]))


def table_of(shift: float = 0.0, **grid: float) -> np.ndarray:
    """Energy (eV), f', f'' of zinc: Chantler's, with f' shifted so that it can be told from the table."""
    energy = grid_ev(**grid)
    values = np.array([CHANTLER.anomalous("Zn", e * 1e-3) for e in energy])
    return np.column_stack([energy, values.real + shift, values.imag])


def write(path: Path, table: np.ndarray, header: str = HEADER, separator: str = " ") -> Path:
    lines = [header, *(separator.join(f"{v:.6f}" for v in row) for row in table)]
    path.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "factor", "unit"),
    [
        (HEADER, 1.0, "eV"),
        ("", 1.0, "eV"),
        ("", 1e-3, "keV"),
        ("Energy (keV), f1, f2", 1e-3, "keV"),
        ("% measured at a beamline\n% E[eV]  f'  f''", 1.0, "eV"),
    ],
)
@pytest.mark.parametrize("separator", [" ", ", ", ";", "\t"])
def test_energies_are_understood_from_the_header_or_their_size(
    tmp_path: Path, header: str, factor: float, unit: str, separator: str
) -> None:
    table = table_of()
    file = write(tmp_path / "zn.dat", table * [factor, 1, 1], header, separator)
    measured, origin = read_measured_factors(file, "Zn K")
    assert measured.element == "Zn"
    assert measured.energy_kev == pytest.approx(table[:, 0] * 1e-3, abs=1e-6)
    assert measured.f_prime == pytest.approx(table[:, 1], abs=1e-6)
    assert measured.f_double_prime == pytest.approx(table[:, 2], abs=1e-6)
    assert origin.unit_read == unit
    assert origin.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert origin.points_read == len(table)
    # between the points of the file, near the edge and far from it
    for energy in (9.6300003, 9.651, 15.9991):
        assert measured.at(energy) == pytest.approx(CHANTLER.anomalous("Zn", energy), abs=0.01)


SWAP: Spoil = lambda t: t[:, [0, 2, 1]]  # noqa: E731


@pytest.mark.parametrize(
    ("spoil", "header", "says"),
    [
        (lambda t: t * [0.05, 1, 1], "", "may be eV or keV"),
        (lambda t: t * [1e-3, 1, 1], HEADER, "the header says eV, but energies of 8.8 to .* look like keV"),
        (lambda t: t, "# energy (keV) f1 f2", "the header says keV, but energies of 8800 to .* look like eV"),
        (lambda t: t, "# energy in eV (not keV) f1 f2", "names both eV and keV"),
        (SWAP, HEADER, "look like energy, f'', f'"),
        (lambda t: t + np.array([0, 30, 0]), HEADER, "subtract Z = 30"),
        (lambda t: t * [1, 1, -1], HEADER, "must be >= 0"),
        (lambda t: t[::-1], HEADER, "energies must increase"),
        (lambda t: t[:, :2], HEADER, "line 2: 2 columns; expected three"),
        (lambda t: np.column_stack([t, t[:, 1]]), HEADER, "line 2: 4 columns; expected three"),
        (lambda t: t[:1], HEADER, "1 rows of numbers"),
        (lambda t: np.where(t == t[7, 1], np.nan, t), HEADER, "line 9: expected three finite numbers"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, spoil: Spoil, header: str, says: str) -> None:
    file = write(tmp_path / "zn.dat", spoil(table_of()), header)
    with pytest.raises(DataError, match=says) as caught:
        read_measured_factors(file, "Zn K")
    assert all(p.startswith(str(file)) for p in caught.value.problems)


@pytest.mark.parametrize(("step", "refused"), [(1.9, False), (1.0, False), (2.0, True), (3.0, True)])
def test_an_edge_is_crossed_in_steps_below_2_ev_only(tmp_path: Path, step: float, refused: bool) -> None:
    file = write(tmp_path / "zn.dat", table_of(fine_ev=step))
    if refused:
        with pytest.raises(DataError, match=rf"is {step:g} eV wide; within 30 eV of the Zn K edge \(9\.6590 keV\)"):
            read_measured_factors(file, "Zn K")
    else:
        assert len(read_measured_factors(file, "Zn K")[0].energy_kev) > 100


def test_one_step_across_the_whole_edge_is_refused(tmp_path: Path) -> None:
    table = table_of()
    far = table[np.abs(table[:, 0] - EDGE * 1e3) > 35.0]
    with pytest.raises(DataError, match="Give a finer table"):
        read_measured_factors(write(tmp_path / "zn.dat", far), "Zn K")
    below = far[far[:, 0] < EDGE * 1e3]  # a table that ends before the edge crosses nothing
    assert read_measured_factors(write(tmp_path / "zn.dat", below), "Zn K")[0].energy_kev[-1] < EDGE - 0.030


def test_the_neighbouring_edges_of_a_shell_count_too(tmp_path: Path) -> None:
    """Pb L3 is crossed finely, L2 at 15.2 keV in steps of 20 eV."""
    l3 = dict(edges_kev("Pb"))["L3"] * 1e3
    energy = np.concatenate(
        [np.arange(12900.0, l3 - 31, 20), l3 + np.arange(-31.0, 31.0, 0.5), np.arange(l3 + 31, 15500, 20)]
    )
    table = np.column_stack([energy, np.full_like(energy, -8.0), np.full_like(energy, 5.0)])
    with pytest.raises(DataError, match="Pb L2 edge") as caught:
        read_measured_factors(write(tmp_path / "pb.dat", table), "Pb L3")
    assert len(caught.value.problems) == 1
    short = table[table[:, 0] < 15100.0]
    assert read_measured_factors(write(tmp_path / "pb.dat", short), "Pb L3")[0].element == "Pb"


@pytest.mark.parametrize("content", [b"", b"energy f1 f2\n", b"\0\1\2"])
def test_a_file_without_numbers_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "zn.dat").write_bytes(content)
    with pytest.raises(DataError, match="energy, f', f''"):
        read_measured_factors(tmp_path / "zn.dat", "Zn K")
    with pytest.raises(DataError, match="no such file"):
        read_measured_factors(tmp_path / "none.dat", "Zn K")


# ---- in a project -----------------------------------------------------------------------------------------------------
def project(folder: Path, table: np.ndarray, *changes: tuple[str, str]) -> Path:
    """The bundled thin-shell sample with factors from a file."""
    shutil.copytree(DEMO, folder)
    (folder / "factors").mkdir()
    write(folder / "factors" / "zn.dat", table)
    text = (folder / "project.toml").read_text(encoding="utf-8")
    for old, new in (('factors = "chantler"', 'factors = { file = "factors/zn.dat" }'), *changes):
        assert old in text
        text = text.replace(old, new)
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder / "project.toml"


def test_the_element_of_the_edge_is_measured_and_the_others_are_chantlers(tmp_path: Path) -> None:
    recipe = load_recipe(project(tmp_path / "p", table_of(shift=-0.7)))
    chosen, other = gather.factor_tables(recipe)
    assert other is not None
    assert (chosen.name, other.name) == ("chantler + measured Zn", "cromer-liberman + measured Zn")
    for table in (chosen, other):
        assert table.f_prime("Zn", 9.63) == pytest.approx(CHANTLER.f_prime("Zn", 9.63) - 0.7, abs=0.01)
    plain = load_factors("chantler", recipe.asaxs.energy_resolution_ev if recipe.asaxs else 0.0)
    assert chosen.anomalous("Se", 9.63) == plain.anomalous("Se", 9.63)
    assert other.anomalous("Se", 9.63) != plain.anomalous("Se", 9.63)


def test_check_shows_measured_factors_beside_both_tables(tmp_path: Path) -> None:
    file = project(tmp_path / "p", table_of(shift=-0.7))
    result = CliRunner().invoke(app, ["check", str(file), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    rows = {(r["element"], r["energy_kev"]): r for r in found["factors"]}
    assert rows["Zn", 9.63]["measured"][0] == pytest.approx(-5.462 - 0.7, abs=0.01)
    assert rows["Zn", 9.63]["chantler"][0] == pytest.approx(-5.462, abs=0.01)
    assert rows["Se", 9.63]["measured"] is None
    (row,) = [f for f in found["inputs"] if f["role"] == "factors"]
    assert row["file"] == "factors/zn.dat"
    assert row["sha256"] == hashlib.sha256((file.parent / "factors" / "zn.dat").read_bytes()).hexdigest()
    assert "f' and f'' of all other elements are Chantler's" in found["notes"]
    shown = CliRunner().invoke(app, ["check", str(file)]).stdout
    assert "f' measured" in shown
    assert str(tmp_path) not in "".join(found["notes"])


def test_energies_at_the_edge_are_open_and_those_outside_the_file_are_not(tmp_path: Path) -> None:
    near = project(tmp_path / "near", table_of(), ("energy_kev = 9.63", "energy_kev = 9.657"))
    result = CliRunner().invoke(app, ["check", str(near)])
    assert result.exit_code == 0, result.output
    short = project(tmp_path / "short", table_of(high=10000.0))
    for command in (["check", str(short)], ["run", str(short), "--only", "read"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert "16.0000 keV lies outside the measured factors of Zn (8.8000 to 9.9" in result.stderr
    # other elements keep their guard
    near_se = project(tmp_path / "se", table_of(), ("energy_kev = 9.63", "energy_kev = 12.657"))
    assert "Se K edge" in CliRunner().invoke(app, ["check", str(near_se)]).stderr


def test_a_bad_file_is_one_of_all_problems(tmp_path: Path) -> None:
    file = project(tmp_path / "p", table_of(fine_ev=3.0))
    (file.parent / "edx.csv").write_text("", encoding="utf-8")
    for command in (["check", str(file)], ["run", str(file), "--only", "read"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert result.stderr.count("Give a finer table") == 1
        assert "edx.csv" in result.stderr
    (file.parent / "factors" / "zn.dat").unlink()
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.stderr.count("factors/zn.dat") == 1
    assert "asaxs.factors.file: the file factors/zn.dat does not exist" in result.stderr


def test_a_file_of_factors_needs_the_edge_and_one_known_key(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="edge missing"):
        load_recipe(project(tmp_path / "a", table_of(), ('edge = "Zn K"', "")))
    file = project(tmp_path / "b", table_of(), ('{ file = "factors/zn.dat" }', '{ absorption = "zn.xdi" }'))
    with pytest.raises(RecipeError, match=r"asaxs\.factors\.absorption: the file zn\.xdi does not exist"):
        load_recipe(file)
    file = project(tmp_path / "c", table_of(), ('{ file = "factors/zn.dat" }', '{ fiel = "factors/zn.dat" }'))
    with pytest.raises(RecipeError, match="did you mean 'file'"):
        load_recipe(file)
    both = '{ file = "factors/zn.dat", absorption = "factors/zn.dat" }'
    file = project(tmp_path / "d", table_of(), ('{ file = "factors/zn.dat" }', both))
    with pytest.raises(RecipeError, match=r"asaxs\.factors: write either"):
        load_recipe(file)


def test_a_run_uses_the_file_and_says_so(tmp_path: Path) -> None:
    """With Chantler's own values in the file the answer is that of the table."""
    text = (DEMO / "project.toml").read_text(encoding="utf-8")
    (particle,) = re.findall(r"\[particle\]\n.*?\n\n", text, flags=re.DOTALL)
    file = project(
        tmp_path / "p", table_of(), (particle, '[particle]\nprofile = "homogeneous"\n\n'),
        ("energy_resolution_ev = 1.5", "energy_resolution_ev = 0.0"),
    )  # fmt: skip
    plain = file.with_name("plain.toml")
    plain.write_text(file.read_text(encoding="utf-8").replace('{ file = "factors/zn.dat" }', '"chantler"'))
    measured, table = (
        run_project(f, preset="quick", only=("profile",), out=tmp_path / f.stem).summary for f in (file, plain)
    )
    assert measured["asaxs"]["chi2_reduced"] == pytest.approx(table["asaxs"]["chi2_reduced"], rel=0.02)
    assert (measured["asaxs"]["factors"], table["asaxs"]["factors"]) == ("chantler + measured Zn", "chantler")
    assert measured["profile"]["table_systematic_table"] == "cromer-liberman + measured Zn"
    for a, b in zip(measured["asaxs"]["per_energy"], table["asaxs"]["per_energy"], strict=True):
        assert a["f_prime"] == pytest.approx(b["f_prime"], abs=0.01)
    (row,) = [i for i in measured["inputs"] if i["role"] == "factors"]
    assert (row["file"], row["unit_read"]) == ("factors/zn.dat", "eV")
    assert row["sha256"] == hashlib.sha256((file.parent / "factors" / "zn.dat").read_bytes()).hexdigest()
    assert "f' and f'' of all other elements are Chantler's" in measured["notes"]
    assert "factors" not in [i["role"] for i in table["inputs"]]
    written = methods_text(measured)
    assert "as given by XrayDB" in written
    assert "for Zn measured ones" in written
    assert "The same fit with the factors of Cromer and Liberman" in written
    assert "for the other elements shows" in written


def test_simulated_projects_take_their_factors_along(tmp_path: Path) -> None:
    """Also into another folder: the file is copied to where the project file says."""
    text = re.sub(r"(?m)^particles = \d+", "particles = 4\nsaxs_points = 20\nwaxs_points = 20", example_truth())
    text = text.replace('factors = "chantler"', 'factors = { file = "factors/zn.dat" }')
    (tmp_path / "factors").mkdir()
    source = write(tmp_path / "factors" / "zn.dat", table_of(shift=-0.7))
    (tmp_path / "truth.toml").write_text(text, encoding="utf-8")
    made = simulate_run(tmp_path / "truth.toml", tmp_path / "out", seed=1)
    assert (made.parent / "factors" / "zn.dat").read_bytes() == source.read_bytes()
    assert json.loads((made.parent / "truth.json").read_text("utf-8"))["factors"] == "chantler + measured Zn"
    assert gather.factor_tables(load_recipe(made))[0].f_prime("Zn", 9.63) == pytest.approx(-6.162, abs=0.01)
