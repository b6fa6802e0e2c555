"""All tables side by side: what ``check`` says, draws and hands to scripts."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nanostrata.interfaces.cli import app
from nanostrata.interfaces.figures_factors import draw_factors
from nanostrata.pipeline import gather
from nanostrata.pipeline.check_factors import TableSpread, available_tables, factor_curves, factor_picture, table_spread
from nanostrata.pipeline.recipe import Recipe, load_recipe
from nanostrata.tables.factors import load_factors

DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick"
SCAN = Path(__file__).parents[1] / "reference" / "xas" / "zn_znse_rt.xdi"
ENERGIES = [16.0, 9.63, 9.3, 8.9]


def project(folder: Path, *, measured: bool = False, without: str = "") -> Path:
    shutil.copytree(DEMO, folder, dirs_exist_ok=True)
    file = folder / "project.toml"
    text = file.read_text(encoding="utf-8")
    if measured:
        shutil.copy(SCAN, folder / SCAN.name)
        text = text.replace('factors = "chantler"', f'factors = {{ absorption = "{SCAN.name}" }}')
    file.write_text(text.replace(without, "") if without else text, encoding="utf-8")
    return file


def known(file: Path) -> tuple[Recipe, object, object]:
    recipe = load_recipe(file)
    return recipe, gather.materials(recipe), gather.factor_tables(recipe)[0]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("scanned"), measured=True)


def test_every_table_is_there_and_the_chosen_one_first(scanned: Path, tmp_path: Path) -> None:
    recipe, _, chosen = known(scanned)
    assert list(available_tables(recipe, chosen)) == ["measured, zn_znse_rt.xdi", "chantler", "cromer-liberman"]
    recipe, _, chosen = known(project(tmp_path))
    assert list(available_tables(recipe, chosen)) == ["chantler", "cromer-liberman"]


def test_the_spread_is_that_of_the_tables_themselves(scanned: Path) -> None:
    recipe, solid, chosen = known(scanned)
    rows = table_spread(recipe, solid, chosen, ENERGIES)
    assert [r.energy_kev for r in rows] == sorted(ENERGIES)
    row = rows[2]
    values = {name: value for name, value, _ in row.f_prime}
    sharp = load_factors("cromer-liberman", energy_resolution_ev=1.5)
    assert values["cromer-liberman"] == sharp.f_prime("Zn", 9.63)
    assert values["measured, zn_znse_rt.xdi"] == chosen.f_prime("Zn", 9.63)
    assert row.range_f_prime == pytest.approx(max(values.values()) - min(values.values()))
    # only Zn differs between Chantler's table and the measurement that rests on it: x = 1 has 22.04 Zn/nm3, x = 0 none
    steps = dict(zip(values, row.step, strict=True))
    expected = 22.036 * (values["measured, zn_znse_rt.xdi"] - values["chantler"])
    assert steps["measured, zn_znse_rt.xdi"] - steps["chantler"] == pytest.approx(expected, rel=1e-3)


def test_a_table_that_says_nothing_is_named_with_its_reason(scanned: Path) -> None:
    recipe, solid, chosen = known(scanned)
    (row,) = table_spread(recipe, solid, chosen, [9.6585])
    assert [name for name, _, _ in row.f_prime] == ["measured, zn_znse_rt.xdi"]
    assert [name for name, _ in row.left_out] == ["chantler", "cromer-liberman"]
    assert "within 5 eV" in row.left_out[0][1]
    assert "chantler says nothing here" in row.text


def test_a_sentence_gives_values_errors_and_what_they_do_to_the_contrast() -> None:
    row = TableSpread(
        energy_kev=9.63, element="Zn", f_prime=(("a", -5.3, 0.01), ("b", -5.4, None)), step=(-80.0, -82.0), left_out=()
    )
    assert row.text == (
        "9.6300 keV: f' of Zn is -5.300 ± 0.010 (a), -5.400 (b): 0.100 electrons apart, so that shell minus core is "
        "-81.0 e/nm3 give or take 1.0 (2.5 %)."
    )


def test_the_drawn_curves_are_the_tables_and_the_contrast_follows_the_densities(scanned: Path) -> None:
    recipe, solid, chosen = known(scanned)
    curves = factor_curves(recipe, solid, chosen, ENERGIES)
    assert curves.names[0].startswith("measured")
    assert (curves.element, curves.shell) == ("Zn", "K")
    for tables in (curves.whole, curves.zoom):
        measured, plain = tables[0], tables[1]
        assert len(measured.sigma_f_prime) == len(measured.energy_kev)
        assert len(plain.sigma_f_prime) == 0
        for t, source in ((measured, chosen), (plain, load_factors("chantler", energy_resolution_ev=1.5))):
            i = len(t.energy_kev) // 3
            kev = float(t.energy_kev[i])
            assert t.f_prime[i] == pytest.approx(source.f_prime("Zn", kev), abs=2e-3)
            rho = solid.electron_density(np.array([0.0, 1.0]), source, kev).real - solid.medium.electron_density_e_nm3
            assert [t.core_excess[i], t.shell_excess[i]] == pytest.approx(rho, abs=0.05)
    low, high = curves.whole[0].energy_kev[[0, -1]]
    assert low < min(ENERGIES)
    assert high > max(ENERGIES)
    # no point of the scan is skipped where f'' jumps
    steps = np.diff(curves.zoom[0].energy_kev[np.abs(curves.zoom[0].energy_kev - curves.edge_kev) < 0.01])
    assert steps.max() < 0.0011


def test_the_picture_names_tables_energies_and_panels(scanned: Path) -> None:
    recipe, solid, chosen = known(scanned)
    svg = draw_factors(factor_curves(recipe, solid, chosen, ENERGIES))
    for text in ("measured, zn_znse_rt.xdi (used)", "chantler", "cromer-liberman", "f′ of Zn (e)", "f″ of Zn (e)",
                 "excess density (e/nm³)", "8.9", "9.3", "9.63", "16", "core", "shell", "through the Zn K edge"):  # fmt: skip
        assert re.search(f">{re.escape(text)}<", svg), text
    assert svg == draw_factors(factor_curves(recipe, solid, chosen, ENERGIES))


def test_one_material_has_no_shell_to_draw(tmp_path: Path) -> None:
    text = (DEMO / "project.toml").read_text(encoding="utf-8")
    shell = text[text.index("[materials.shell]") : text.index("[asaxs]")]
    file = project(tmp_path, without=shell)
    file.write_text(file.read_text().replace('edge = "Zn K"', 'edge = "Se K"'), encoding="utf-8")
    recipe, solid, chosen = known(file)
    curves = factor_curves(recipe, solid, chosen, ENERGIES)
    assert all(len(t.shell_excess) == 0 for t in curves.whole)
    assert ">shell<" not in draw_factors(curves)
    assert table_spread(recipe, solid, chosen, [9.3])[0].step == ()


def test_without_an_edge_the_nearest_one_is_drawn(tmp_path: Path) -> None:
    recipe, _, _ = known(project(tmp_path, without='edge = "Zn K"\n'))
    found = factor_picture(recipe, ENERGIES)
    assert found is not None
    assert (found.element, found.shell) == ("Zn", "K")
    assert factor_picture(recipe, []) is None


def test_check_shows_picture_sentences_and_numbers(scanned: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(scanned), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "tables: 9.6300 keV: f' of Zn is" in result.stdout
    page = (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert "Factors through the edge" in page
    assert "give or take" in page
    assert (tmp_path / "out" / "check_factors.svg").read_text(encoding="utf-8").startswith("<svg")
    shown = json.loads(CliRunner().invoke(app, ["check", str(scanned), "--json"]).stdout)
    row = next(r for r in shown["table_spread"] if r["energy_kev"] == 9.63)
    assert set(row["f_prime"]) == {"measured, zn_znse_rt.xdi", "chantler", "cromer-liberman"}
    assert list(row["f_prime_sigma"]) == ["measured, zn_znse_rt.xdi"]
    assert set(row["shell_minus_core_e_nm3"]) == set(row["f_prime"])
