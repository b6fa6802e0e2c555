"""Absorption scans: formats, units, every way in which they can be wrong, and what a project makes of them."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nanostrata.errors import DataError
from nanostrata.interfaces.cli import app
from nanostrata.io.absorption import read_absorption
from nanostrata.pipeline import gather
from nanostrata.pipeline.factor_sources import factor_warnings
from nanostrata.pipeline.recipe import load_recipe

SCANS = Path(__file__).parents[1] / "reference" / "xas"
FOIL, SELENIDE = SCANS / "Chorover13BM_Znfoil_rt_01.xdi", SCANS / "zn_znse_rt.xdi"
DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick"


def foil() -> np.ndarray:
    """Energy (eV), i1, i0."""
    return np.loadtxt(FOIL)


def write(path: Path, header: str, columns: np.ndarray) -> Path:
    rows = "\n".join(" ".join(f"{v:.8g}" for v in row) for row in columns)
    path.write_text(f"{header}\n{rows}\n" if header else f"{rows}\n", encoding="utf-8")
    return path


def refused(path: Path, edge: str = "Zn K") -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read_absorption(path, edge)
    return caught.value.problems


def test_xdi_columns_are_found_by_name() -> None:
    """i0 stands before or behind itrans; other columns are passed over."""
    data = foil()
    scan = read_absorption(FOIL, "Zn K")
    assert (scan.element, scan.shell, len(scan.mu)) == ("Zn", "K", 415)
    assert scan.mu == pytest.approx(np.log(data[:, 2] / data[:, 1]))
    assert scan.energy_ev == pytest.approx(data[:, 0])
    assert scan.origin.unit_read == "eV"
    data = np.loadtxt(SELENIDE)
    assert read_absorption(SELENIDE, "Zn K").mu == pytest.approx(np.log(data[:, 2] / data[:, 3]))


@pytest.mark.parametrize(
    ("header", "kind", "how"),
    [
        ("# energy_ev mu", "mu", "mu"),
        ("# energy_kev mu", "mu kev", "mu"),
        ("Energy (eV), xmu", "mu", "xmu"),
        ("# measured in eV", "mu", "mu"),
        ("# energy_ev i0 i1", "i0 i1", "transmission"),
        ("# energy[eV] i1 i0", "i1 i0", "transmission"),
        ("# energy_ev i0 ifluor", "fluorescence", "fluorescence"),
        ("# XDI/1.0\n# Column.1: energy keV\n# Column.2: mutrans\n# ---", "mu kev", "transmission"),
        (
            "# XDI/1.0\n# Column.1: energy eV\n# Column.2: i0\n# Column.3: ifluor || MCA4\n# ---",
            "fluorescence",
            "if/i0",
        ),
    ],
)
def test_every_form_gives_the_same_absorption(tmp_path: Path, header: str, kind: str, how: str) -> None:
    e, i1, i0 = foil().T
    mu = np.log(i0 / i1)
    columns = {
        "mu": (e, mu), "mu kev": (e * 1e-3, mu), "i0 i1": (e, i0, i1), "i1 i0": (e, i1, i0), "fluorescence": (e, i0, i0 * mu),
    }[kind]  # fmt: skip
    scan = read_absorption(write(tmp_path / "zn.dat", header, np.column_stack(columns)), "Zn K")
    assert how in scan.how
    assert scan.mu == pytest.approx(mu, rel=1e-5)
    assert scan.energy_ev == pytest.approx(e, rel=1e-6)


def test_garbage_has_one_clear_message(tmp_path: Path) -> None:
    file = tmp_path / "x.xdi"
    assert "no such file" in refused(file)[0]
    for content, said in (
        (b"", "no numbers"),
        (b"hello world\nthis is no scan\n", "no numbers"),
        (b"\x00\x01\x02", "binary"),
        (b"# energy_ev mu\n1 2\n", "1 row(s)"),
        (b"1\n2\n3\n", "1 number(s)"),
    ):
        file.write_bytes(content)
        (problem,) = refused(file)
        assert said in problem


def test_all_problems_of_a_scan_come_at_once(tmp_path: Path) -> None:
    data = foil()[:, [0, 2, 1]]
    data = data[(data[:, 0] > 9620) & (data[:, 0] < 9750)]
    data[3, 1] = -1.0
    data[[10, 11]] = data[[11, 10]]
    head = "# XDI/1.0\n# Column.1: energy eV\n# Column.2: i0\n# Column.3: itrans\n# Element.symbol: Ga\n# ---"
    problems = refused(write(tmp_path / "zn.xdi", head, data))
    for said in (
        "scan of Ga K",
        "not positive, the first at row 4",
        "must increase",
        "too short before",
        "too short after",
    ):
        assert sum(said in p for p in problems) == 1, said
    assert len(problems) == 5


def test_a_scan_needs_its_edge_its_unit_its_names_and_fine_steps(tmp_path: Path) -> None:
    data = foil()
    pair = np.column_stack([data[:, 0], np.log(data[:, 2] / data[:, 1])])
    (problem,) = refused(write(tmp_path / "a.dat", "", pair))
    assert "does not say whether energies are in eV or keV" in problem
    (problem,) = refused(write(tmp_path / "a.dat", "# energy_kev mu", pair))
    assert "not between 1 and 200 keV" in problem
    (problem,) = refused(write(tmp_path / "a.dat", "# energy_ev in keV, mu", pair))
    assert "both eV and keV" in problem
    (problem,) = refused(write(tmp_path / "a.dat", "# energy_ev mu", pair), "Ga K")
    assert "do not hold the Ga K edge" in problem
    problems = refused(write(tmp_path / "a.dat", "# measured yesterday by us, eV", data))
    assert any("no column of energies is named" in p for p in problems)
    problems = refused(write(tmp_path / "a.dat", "# energy_ev iref i2", data))
    assert any("no absorption among the columns (energy, iref, i2)" in p for p in problems)
    coarse = pair[(abs(pair[:, 0] - 9660) > 3.0)]
    (problem,) = refused(write(tmp_path / "a.dat", "# energy_ev mu", coarse))
    assert "steps below 2 eV are needed" in problem
    text = FOIL.read_text().replace("9500", "95OO") + "\n1 2\n"
    (tmp_path / "a.xdi").write_text(text)
    (problem,) = refused(tmp_path / "a.xdi")
    assert "2 columns, the rows above have 3" in problem
    angle = "# XDI/1.0\n# Column.1: angle degrees\n# Column.2: mutrans\n# ---"
    assert "an angle is not converted" in refused(write(tmp_path / "a.xdi", angle, pair))[0]


# ---- in a project -----------------------------------------------------------------------------------------------------
def project(folder: Path, scan: Path) -> Path:
    """The bundled thick-shell sample with a measured absorption edge."""
    shutil.copytree(DEMO, folder)
    shutil.copy(scan, folder / "zn.xdi")
    text = (folder / "project.toml").read_text(encoding="utf-8")
    assert 'factors = "chantler"' in text
    text = text.replace('factors = "chantler"', 'factors = { absorption = "zn.xdi" }')
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder / "project.toml"


def test_a_project_takes_f_prime_from_its_scan(tmp_path: Path) -> None:
    recipe = load_recipe(project(tmp_path / "p", FOIL))
    chosen, other = gather.factor_tables(recipe)
    assert other is not None
    assert (chosen.name, other.name) == ("chantler + measured Zn", "cromer-liberman + measured Zn")
    assert chosen.f_prime("Zn", 9.63) == pytest.approx(-5.44, abs=0.02)
    # each is matched to its own table, and both to the same scan
    assert chosen.f_prime("Zn", 9.63) != other.f_prime("Zn", 9.63)
    assert chosen.f_prime("Zn", 9.63) == pytest.approx(other.f_prime("Zn", 9.63), abs=0.02)
    sigma = chosen.sigma_f_prime("Zn", 9.63)
    assert sigma is not None
    assert 0.0 < sigma < 0.05
    assert chosen.sigma_f_prime("Se", 9.63) is None
    assert factor_warnings(recipe) == []


def test_the_uncertainty_holds_the_choice_of_the_table(tmp_path: Path) -> None:
    """Far above the edge the scan tells nothing: there the two tables' own difference is what f' is known to."""
    recipe = load_recipe(project(tmp_path / "p", FOIL))
    chosen, other = gather.factor_tables(recipe)
    assert other is not None
    for energy in (16.0, 9.63):
        apart = abs(chosen.f_prime("Zn", energy) - other.f_prime("Zn", energy)) / np.sqrt(2.0)
        stated = [t.sigma_f_prime("Zn", energy) for t in (chosen, other)]
        assert all(s is not None and s >= 0.99 * apart for s in stated)
    assert chosen.sigma_f_prime("Zn", 16.0) == pytest.approx(0.037, abs=0.005)


def test_check_tells_the_edge_and_the_uncertainty(tmp_path: Path) -> None:
    file = project(tmp_path / "p", FOIL)
    result = CliRunner().invoke(app, ["check", str(file), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    notes = " ".join(found["notes"])
    assert "rises fastest at 9659.5 eV, the tabulated Zn K edge lies at 9659.0 eV (+0.5 eV)" in notes
    assert "at 9.63 keV" in notes
    assert "±" in notes
    assert str(tmp_path) not in notes
    (row,) = [f for f in found["inputs"] if f["role"] == "factors"]
    assert (row["file"], row["unit_read"], row["points_kept"]) == ("zn.xdi", "eV", 415)
    assert "edge_position" not in [w["code"] for w in found["warnings"]]


def test_an_edge_more_than_5_ev_off_is_a_warning(tmp_path: Path) -> None:
    file = project(tmp_path / "p", SELENIDE)

    def warned() -> list[str]:
        found = json.loads(CliRunner().invoke(app, ["check", str(file), "--json"]).stdout)
        return [w["message"] for w in found["warnings"] if w["code"] == "edge_position"]

    assert warned() == []  # 4.8 eV
    data = np.loadtxt(SELENIDE)
    write(file.parent / "zn.xdi", "# energy_ev i0 i1", data[:, [0, 2, 3]] + [1.0, 0.0, 0.0])
    (text,) = warned()
    assert "zn.xdi: the Zn K edge lies +5.8 eV from the tabulated one (9664.8 against 9659.0 eV)" in text
    shown = CliRunner().invoke(app, ["check", str(file)])
    assert shown.exit_code == 0
    assert "+5.8 eV" in shown.stderr


def test_a_bad_scan_stops_check_and_run(tmp_path: Path) -> None:
    file = project(tmp_path / "p", FOIL)
    data = foil()[:, [0, 2, 1]]
    write(file.parent / "zn.xdi", "# energy i0 i1", data[data[:, 0] < 9700])
    for command in (["check", str(file)], ["run", str(file), "--only", "read"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert "does not say whether energies are in eV or keV" in result.stderr
    write(file.parent / "zn.xdi", "# energy_ev i0 i1", data[:, [0, 2, 1]])
    for command in (["check", str(file)], ["run", str(file), "--only", "read"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert "counters exchanged" in result.stderr
