"""What another table of f', f'' does to the profile: against linear response, and on the demo's thick sample."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from nanostrata.domain.table_changes import TableChanges
from nanostrata.models.explore import best_point
from nanostrata.models.families import make_family
from nanostrata.pipeline import gather
from nanostrata.pipeline.check_factors import available_tables
from nanostrata.pipeline.fit_recipe import fit_setup
from nanostrata.pipeline.known import stated_or_guessed_sizes
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.tables_run import summary_of
from nanostrata.stages.compare_tables import compare_tables, with_moved_f_prime
from nanostrata.tables.factors import FactorTable, load_factors, with_measured

DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick"
SCANS = Path(__file__).parents[1] / "reference" / "xas"
PAGE = Path(__file__).parents[2] / "docs" / "theory-factors.md"
FIVE = make_family("shells", 5)


class Thick:
    """The demo's thick sample with its tables."""

    def __init__(self, folder: Path, factors: str = '"chantler"') -> None:
        shutil.copytree(DEMO, folder, dirs_exist_ok=True)
        for scan in SCANS.glob("*.xdi"):
            shutil.copy(scan, folder / scan.name)
        file = folder / "project.toml"
        file.write_text(file.read_text(encoding="utf-8").replace('"chantler"', factors), encoding="utf-8")
        recipe = load_recipe(file)
        self.solid = gather.materials(recipe)
        self.inputs = gather.read_inputs(recipe, self.solid)
        self.setup = fit_setup(recipe, self.inputs, self.solid, stated_or_guessed_sizes(self.inputs))
        (self.used, *others) = available_tables(recipe, gather.factor_tables(recipe)[0]).items()
        self.others = dict(others)

    def compare(self, others: dict[str, FactorTable]) -> TableChanges:
        return self.compare_from(*self.used, others)

    def compare_from(self, name: str, table: FactorTable, others: dict[str, FactorTable]) -> TableChanges:
        return compare_tables(replace(self.setup, factors=table), FIVE, name, others, shells=5)


@pytest.fixture(scope="module")
def thick(tmp_path_factory: pytest.TempPathFactory) -> Thick:
    return Thick(tmp_path_factory.mktemp("thick"))


def test_the_same_table_changes_nothing(thick: Thick) -> None:
    out = thick.compare({"again": thick.used[1]})
    assert np.abs(out.changes).max() < 1e-4
    assert abs(out.chi2_changes[0]) < 1e-3
    assert len(out.sigma) == 0  # a table states no error


def moved_zn(table: FactorTable, step: float, known_to: float | None = None) -> FactorTable:
    """Chantler's zinc as a measurement, f' higher by ``step`` at every energy, with its standard deviation."""
    plain = load_factors(table.table)
    energy = np.unique(np.concatenate([np.arange(8.8, 9.64, 0.005), np.arange(9.7, 16.2, 0.05)]))
    values = np.array([plain.anomalous("Zn", float(e)) for e in energy])
    sigma = np.full(len(energy), abs(step) if known_to is None else known_to)
    return with_measured(table, "Zn", energy, values.real + step, values.imag, sigma)


def test_a_small_change_is_that_of_linear_response(thick: Thick) -> None:
    """One Gauss-Newton step at the old best point, from residuals and derivatives alone, without any search."""
    table = moved_zn(thick.used[1], 0.0, known_to=0.1)
    other = with_moved_f_prime(table, 9.63)
    found = thick.compare_from("m", table, {"moved": other})

    old = replace(thick.setup, factors=table).posterior(FIVE)
    new = replace(thick.setup, factors=other).posterior(FIVE)
    theta = best_point(old)
    assert theta[:5].min() > 1e-3  # no wall in the way of a straight line
    assert theta[:5].max() < 1 - 1e-3
    residuals, derivative = new.residuals(theta)
    step = np.zeros(len(theta))
    step[old.free] = -np.linalg.lstsq(derivative, residuals, rcond=None)[0]
    assert np.abs(step[:5]).max() > 0.003  # there is something to compare
    assert found.changes[0] == pytest.approx(step[:5], rel=0.05, abs=4e-4)


def test_the_error_of_a_measurement_is_the_larger_of_together_and_one_by_one(thick: Thick) -> None:
    table = moved_zn(thick.used[1], 0.03)
    known = thick.compare_from("m", table, {})
    assert known.names == ()
    assert known.sigma.shape == (5,)
    energies = [c.energy_kev for c in thick.inputs.curves]
    tables = {"together": with_moved_f_prime(table, None)} | {str(e): with_moved_f_prime(table, e) for e in energies}
    refitted = thick.compare_from("m", table, tables)
    together, single = refitted.changes[0], refitted.changes[1:]
    assert known.sigma == pytest.approx(np.maximum(np.abs(together), np.sqrt((single**2).sum(axis=0))), abs=2e-4)
    # twice the error of the measurement is twice that of the composition: nothing else stands in this number
    double = thick.compare_from("m", _twice(table), {})
    assert double.sigma == pytest.approx(2 * known.sigma, rel=0.1, abs=2e-4)


def _twice(table: FactorTable) -> FactorTable:
    m = table.measured[0]
    return with_measured(table, "Zn", m.energy_kev, m.f_prime, m.f_double_prime, 2 * np.array(m.sigma_f_prime))


def test_moving_one_energy_leaves_the_others(thick: Thick) -> None:
    table = moved_zn(thick.used[1], 0.05)
    moved = with_moved_f_prime(table, 9.3)
    for kev, expected in ((9.3, 0.05), (9.3005, 0.05), (9.2995, 0.05), (9.63, 0.0), (8.9, 0.0), (16.0, 0.0)):
        change = moved.anomalous("Zn", kev) - table.anomalous("Zn", kev)
        assert change == pytest.approx(expected, abs=2e-3 if expected == 0 else 1e-5), kev
    everywhere = with_moved_f_prime(table, None)
    for kev in (8.9, 9.63, 16.0):
        assert everywhere.anomalous("Zn", kev) - table.anomalous("Zn", kev) == pytest.approx(0.05, abs=1e-9)


def test_a_table_without_one_of_the_energies_is_left_out_with_its_reason(thick: Thick) -> None:
    short = with_measured(load_factors("chantler"), "Zn", [9.0, 9.7], [-2.4, -5.0], [0.5, 0.5])
    out = thick.compare({"short": short})
    assert out.names == ()
    ((name, reason),) = out.left_out
    assert name == "short"
    assert "outside the measured factors of Zn (9.0000 to 9.7000 keV)" in reason
    assert summary_of(out)["table_left_out"] == {"short": reason}


def _printed() -> dict[str, list[float]]:
    found = re.findall(r"^\| `([^`]+)` \|((?: [-+]\d\.\d{3} \|){5})", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: [float(v) for v in cells.strip(" |").split(" | ")] for name, cells in found}


@pytest.mark.slow
def test_the_printed_table_is_what_the_demo_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/theory-factors.md shows the change of x per shell by each table; the demo's truth is Chantler's."""
    printed = _printed()
    plain = Thick(tmp_path / "plain")
    tables = dict(plain.others)
    for scan in ("Chorover13BM_Znfoil_rt_01.xdi", "Chorover13BM_ZnS_aldrich_rt_01.xdi", "zn_znse_rt.xdi"):
        tables[scan] = Thick(tmp_path / scan, f'{{ absorption = "{scan}" }}').used[1]
    out = plain.compare(tables)
    with capsys.disabled():
        for name, row, chi2 in zip(out.names, out.changes, out.chi2_changes, strict=True):
            print(f"\n| `{name}` | " + " | ".join(f"{v:+.3f}" for v in row) + f" | {chi2:+.1f} |", end="")
    assert set(printed) == set(out.names)
    for name, row in zip(out.names, out.changes, strict=True):
        assert row == pytest.approx(printed[name], abs=2e-3)
