"""Comparison of runs: differences with their correction, activation energy, missing parts, the page; synthetic folders."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.unit.compare_fixture import X_THICK, X_THIN, quantity, summary, thin_and_thick, write_run

from nanostrata.errors import DataError, PhysicsError, RecipeError
from nanostrata.interfaces.compare_page import read_comparison, render_compare
from nanostrata.models.differences import corrected, difference, holm
from nanostrata.pipeline.compare import CompareResult, compare_runs


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> CompareResult:
    folder = tmp_path_factory.mktemp("compare")
    return compare_runs(thin_and_thick(folder), folder / "out", render=render_compare)


def rows_of(result: CompareResult, name: str) -> list[dict[str, str]]:
    with (result.out_dir / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def texts(result: CompareResult) -> str:
    return "\n".join(f["text"] for f in result.summary["findings"])


# ---- differences and their correction --------------------------------------------------------------------------------
def test_difference_of_two_numbers() -> None:
    d = difference("x", ("a", 0.50, 0.03), ("b", 0.97, 0.04))
    assert (d.difference, d.sigma) == pytest.approx((0.47, 0.05))
    assert d.p == pytest.approx(2 * stats.norm.sf(0.47 / 0.05), rel=1e-9)


@pytest.mark.parametrize("second", [("b", math.nan, 0.1), ("b", 1.0, math.nan), ("b", 1.0, -0.1)])
def test_differences_without_errors_are_refused(second: tuple[str, float, float]) -> None:
    with pytest.raises(PhysicsError, match="finite"):
        difference("x", ("a", 1.0, 0.1), second)
    with pytest.raises(PhysicsError, match="errors > 0"):
        difference("x", ("a", 1.0, 0.0), ("b", 2.0, 0.0))


def test_holm_against_a_hand_calculation() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_holm_rejects_what_the_step_down_procedure_rejects() -> None:
    """The definition: go up the sorted p values and stop at the first above level / (m - i)."""
    rng = np.random.default_rng(2)
    for _ in range(300):
        p = rng.uniform(0, 1, rng.integers(1, 9)) ** 3
        rejected = np.zeros(len(p), dtype=bool)
        for i, k in enumerate(np.argsort(p)):
            if p[k] >= 0.05 / (len(p) - i):
                break
            rejected[k] = True
        assert [v < 0.05 for v in holm(list(p))] == rejected.tolist()


def test_no_difference_is_found_more_often_than_promised() -> None:
    rng = np.random.default_rng(6)
    false = 0
    for _ in range(1000):
        tested = [
            difference(str(k), ("a", v, 1.0), ("b", w, 1.0)) for k, (v, w) in enumerate(rng.standard_normal((10, 2)))
        ]
        false += any(d.significant for d in corrected(tested))
    assert false / 1000 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
    assert false > 10


# ---- two samples -----------------------------------------------------------------------------------------------------
def test_differences_are_those_of_the_summaries(both: CompareResult) -> None:
    by = {d["quantity"]: d for d in both.summary["differences"]}
    outer = by["profile.shell_fraction[-1]"]
    assert outer["difference"] == pytest.approx(X_THICK[-1] - X_THIN[-1])
    assert outer["sigma"] == pytest.approx(0.025 * math.sqrt(2))
    assert outer["significant"]
    assert not by["particle.aspect_ratio"]["significant"]
    d = by["diffusion.diffusivity_cm2_s"]
    assert d["ratio"]
    assert math.exp(d["difference"]) == pytest.approx(1.57 / 1.18)
    assert "larger in synthetic thick shell, 150 °C" in texts(both)


def test_shells_that_the_data_do_not_inform_are_not_tested(both: CompareResult) -> None:
    assert "profile.shell_fraction[-5]" not in {d["quantity"] for d in both.summary["differences"]}
    assert "Not compared, because the data of at least one sample do not inform it: x of shell 5 from outside" in texts(
        both
    )
    assert {r["quantity"]: r["compared"] for r in rows_of(both, "samples")}["x of shell 5 from outside"] == "no"


def test_activation_energy_of_the_printed_diffusivities(both: CompareResult) -> None:
    energy = both.summary["activation_energy_kj_mol"]
    assert energy["value"] == pytest.approx(3.247, abs=1e-3)
    assert energy["verdict"] == both.summary["arrhenius"]["verdict"] == "determined"
    assert energy["interval95"][0] < 3.247 < energy["interval95"][1]
    assert both.summary["arrhenius"]["d0_cm2_s"]["value"] == pytest.approx(3.95e-17, rel=2e-3)
    assert "of the order of RT" in texts(both)


def test_other_definitions_give_their_own_energy(both: CompareResult) -> None:
    found = {d["name"]: d["activation_energy_kj_mol"]["value"] for d in both.summary["arrhenius"]["by_definition"]}
    assert found["C"] == pytest.approx(3.247, abs=1e-3)
    assert found["A"] == pytest.approx(
        3.2466 + 8.314462618e-3 * math.log(0.45 / 0.12) / (1 / 323.15 - 1 / 423.15), abs=1e-3
    )
    assert "depends on how a diffusivity is defined" in texts(both)


def test_twenty_percent_errors_are_not_enough(tmp_path: Path) -> None:
    result = compare_runs(thin_and_thick(tmp_path, relative=0.2), tmp_path / "out")
    assert result.summary["activation_energy_kj_mol"]["verdict"] == "not determined"
    first = next(f for f in result.summary["findings"] if "activation energy" in f["text"])
    assert first["grade"] == "not determined"


def test_draws_of_the_diffusivity_are_used_when_they_are_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    paths = []
    for name, t, d in (("a", 50.0, 1.18e-17), ("b", 150.0, 1.57e-17)):
        content = summary(f"synthetic {name}", temperature=t, diffusivity=d, relative=0.01)
        paths.append(write_run(tmp_path / name, content, d_draws=d * np.exp(0.3 * rng.standard_normal(2000))))
    result = compare_runs(paths, tmp_path / "out")
    assert result.summary["arrhenius"]["interval_from"] == "draws of the diffusivities"
    # the draws are thirty times as wide as the stated sigma
    assert result.summary["activation_energy_kj_mol"]["sigma"] == pytest.approx(4.824, rel=0.06)


def test_the_common_error_is_stated_and_moves_d0_only(both: CompareResult, tmp_path: Path) -> None:
    shared = compare_runs(thin_and_thick(tmp_path), tmp_path / "out", common_relative_error=0.3)
    assert shared.summary["arrhenius"]["common_relative_error"] == 0.3
    assert shared.summary["activation_energy_kj_mol"]["sigma"] == pytest.approx(
        both.summary["activation_energy_kj_mol"]["sigma"]
    )
    assert shared.summary["arrhenius"]["d0_cm2_s"]["log_sigma"] > both.summary["arrhenius"]["d0_cm2_s"]["log_sigma"]
    with pytest.raises(RecipeError, match="common-error"):
        compare_runs(thin_and_thick(tmp_path / "again"), tmp_path / "out", common_relative_error=-1)


def test_design_rules_say_what_they_rest_on(both: CompareResult) -> None:
    thin, thick = ({r["rule"]: r for r in s["design_rules"]} for s in both.summary["samples"])
    assert thin["outer_layer_full"]["value"] == pytest.approx(0.475)
    assert thin["outer_layer_full"]["verdict"] == "not met"
    assert thin["mismatch_small"]["value"] == pytest.approx(6.7 * 0.34, rel=1e-6)
    assert thin["gradient_spread"]["value"] < thick["gradient_spread"]["value"]
    assert "predict no quantum yield" in texts(both)


def test_tables_hold_what_the_page_draws(both: CompareResult) -> None:
    assert {r["sample"] for r in rows_of(both, "profiles")} == {s["label"] for s in both.summary["samples"]}
    assert len(rows_of(both, "profiles")) == 10
    assert len(rows_of(both, "mismatch")) == 2 * 2 * 4
    line = rows_of(both, "arrhenius_line")
    at50 = np.interp(
        1e3 / 323.15,
        [float(r["inverse_temperature_1000_k"]) for r in line],
        [math.log(float(r["diffusivity_cm2_s"])) for r in line],
    )
    assert math.exp(at50) == pytest.approx(1.18e-17, rel=1e-4)


def test_json_is_strict_and_the_same_each_time(both: CompareResult, tmp_path: Path) -> None:
    text = (both.out_dir / "comparison.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    again = compare_runs([both.out_dir.parent / n for n in ("thin", "thick")], both.out_dir.parent / "again")
    assert (again.out_dir / "comparison.json").read_text(encoding="utf-8") == text


# ---- other numbers of samples ----------------------------------------------------------------------------------------
def test_one_run_is_shown_and_compared_with_nothing(tmp_path: Path) -> None:
    result = compare_runs([write_run(tmp_path / "a", summary())], tmp_path / "out", render=render_compare)
    assert "nothing to compare it with" in texts(result)
    assert result.summary["differences"] == []
    assert result.summary["activation_energy_kj_mol"]["value"] is None
    assert "single sample" in result.summary["arrhenius"]["reason"]
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert 'id="figure-profiles"' in page
    assert 'id="figure-arrhenius"' in page


def test_three_runs_test_the_line(tmp_path: Path) -> None:
    paths = [
        write_run(tmp_path / n, summary(f"synthetic {n}", x=x, temperature=t, diffusivity=3e-17 * math.exp(-20 / (8.314462618e-3 * (t + 273.15)) + 6.5)))
        for n, x, t in (("a", X_THIN, 50.0), ("b", X_THICK, 100.0), ("c", X_THICK, 150.0))
    ]  # fmt: skip
    result = compare_runs(paths, tmp_path / "out", render=render_compare)
    assert result.summary["activation_energy_kj_mol"]["value"] == pytest.approx(20, rel=1e-6)
    assert result.summary["arrhenius"]["degrees_of_freedom"] == 1
    assert "x of the outermost shell differs in 2 of 3 pairs of samples" in texts(result)
    assert "No difference was found between synthetic b and synthetic c." in texts(result)
    pairs = {(d["first"], d["second"]) for d in result.summary["differences"]}
    assert len(pairs) == 3


def test_same_titles_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / n / "run", summary("one title")) for n in ("a", "b")]
    labels = [s["label"] for s in compare_runs(paths, tmp_path / "out").summary["samples"]]
    assert labels == ["one title (a/run)", "one title (b/run)"]


# ---- what a run does not have ----------------------------------------------------------------------------------------
def test_missing_parts_are_named_and_not_invented(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "a", summary("whole", coverage=0.5))
    bare = write_run(tmp_path / "b", summary("bare", diffusivity=None, mismatch=False, temperature=None))
    result = compare_runs([whole, bare], tmp_path / "out", render=render_compare)
    assert "bare has no growth temperature and time, diffusivity, lattice mismatch or coverage of the surface" in texts(
        result
    )
    tested = {d["quantity"] for d in result.summary["differences"]}
    assert "profile.shell_fraction[-1]" in tested
    assert not any(q.startswith(("diffusion", "mismatch", "atoms")) for q in tested)
    assert result.summary["samples"][1]["missing"][0] == "growth temperature and time"


def test_runs_without_any_diffusivity_have_no_arrhenius_plot(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / n, summary(n, diffusivity=None)) for n in ("a", "b")]
    result = compare_runs(paths, tmp_path / "out", render=render_compare)
    assert result.summary["activation_energy_kj_mol"]["verdict"] == "not determined"
    assert 'id="figure-arrhenius"' not in (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert not (tmp_path / "out" / "tables" / "arrhenius_line.csv").exists()


def test_a_diffusivity_without_growth_temperature_is_left_out_with_a_word(tmp_path: Path) -> None:
    content = summary("cold")
    del content["growth"]
    content["diffusion"]["temperature_c"] = None
    paths = [write_run(tmp_path / "a", summary("warm")), write_run(tmp_path / "b", content)]
    result = compare_runs(paths, tmp_path / "out", render=render_compare)
    assert result.summary["arrhenius"]["left_out"] == [
        {
            "label": "cold",
            "why": "has no growth temperature: give [growth] temperature_c and time_s in its project file",
        }
    ]
    assert any(w["code"] == "arrhenius_left_out" for w in result.summary["warnings"])


def edited(path: Path, name: str, **changes: Any) -> Path:
    content = summary(name, temperature=150.0, diffusivity=1.57e-17)
    content["diffusion"].update(changes)
    return write_run(path, content)


@pytest.mark.parametrize(
    ("key", "value", "word"), [("element", "Cd", "elements"), ("definition", "planar", "definitions")]
)
def test_unlike_diffusivities_are_not_put_on_one_line(tmp_path: Path, key: str, value: str, word: str) -> None:
    paths = [write_run(tmp_path / "a", summary("a")), edited(tmp_path / "b", "b", **{key: value})]
    result = compare_runs(paths, tmp_path / "out", render=render_compare)
    assert f"different {word}" in result.summary["arrhenius"]["reason"]
    assert result.summary["activation_energy_kj_mol"]["value"] is None


def test_an_undetermined_diffusivity_does_not_determine_an_energy(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / "a", summary("a")), edited(tmp_path / "b", "b", verdict="not determined")]
    energy = compare_runs(paths, tmp_path / "out").summary["activation_energy_kj_mol"]
    assert energy["verdict"] == "not determined"
    assert "not determined in b" in energy["reason"]


def test_bad_fits_and_failed_verifications_weaken_every_difference(tmp_path: Path) -> None:
    content = summary("bad", x=X_THICK)
    content["asaxs"]["chi2_reduced"] = 7.0
    content["verification"] = {"passed": False}
    result = compare_runs(
        [write_run(tmp_path / "a", summary("good")), write_run(tmp_path / "b", content)], tmp_path / "out"
    )
    outer = next(f for f in result.summary["findings"] if f["text"].startswith("x of the outermost"))
    assert outer["grade"] == "weak"
    assert {"bad_fit", "not_verified"} <= {w["code"] for w in result.summary["warnings"]}


def test_different_numbers_of_shells_compare_the_outermost_only(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / "a", summary("a")), write_run(tmp_path / "b", summary("b", x=X_THICK[1:]))]
    result = compare_runs(paths, tmp_path / "out", render=render_compare)
    shells = [d["quantity"] for d in result.summary["differences"] if "shell_fraction[" in d["quantity"]]
    assert shells == ["profile.shell_fraction[-1]"]
    assert "4 and 5 shells" in texts(result)


def test_sphere_and_sphere_have_no_tested_aspect_ratio(tmp_path: Path) -> None:
    contents = [summary(n) for n in ("a", "b")]
    for c in contents:
        c["particle"]["aspect_ratio"] = quantity(1.0, 0.0)
    result = compare_runs([write_run(tmp_path / c["sample"]["title"], c) for c in contents], tmp_path / "out")
    assert "particle.aspect_ratio" not in {d["quantity"] for d in result.summary["differences"]}


# ---- the page --------------------------------------------------------------------------------------------------------
def test_page_is_complete_and_asks_for_nothing_outside(both: CompareResult) -> None:
    page = (both.out_dir / "compare.html").read_text(encoding="utf-8")
    for name in ("profiles", "quantities", "arrhenius", "activation_energies", "mismatch", "design_rules"):
        assert f'id="figure-{name}"' in page
        assert (both.out_dir / "figures" / f"{name}.svg").is_file()
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert "default-src 'none'" in page
    for address in re.findall(r'href="((?:tables|figures)/[^"]+)"', page):
        assert (both.out_dir / address).is_file(), address
    for ident in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{ident}"' in page, ident


def test_page_is_the_same_each_time(both: CompareResult) -> None:
    before = (both.out_dir / "compare.html").read_bytes()
    render_compare(both.out_dir)
    assert (both.out_dir / "compare.html").read_bytes() == before


def test_titles_cannot_inject_markup(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / n, summary(f"<script>alert('{n}')</script> & {n}")) for n in ("a", "b")]
    compare_runs(paths, tmp_path / "out", render=render_compare)
    assert "<script>alert" not in (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")


def test_simulated_runs_show_their_truth_and_say_so(tmp_path: Path) -> None:
    paths = []
    for n in ("a", "b"):
        content = summary(f"synthetic {n} (simulated)")
        content["simulated"] = True
        folder = write_run(tmp_path / n, content)
        (folder / "truth.json").write_text(
            json.dumps({"diameter_mean_nm": 3.91, "shell_fraction": [0.0, 0.0, 0.02, 0.15, 0.5]}), encoding="utf-8"
        )
        paths.append(folder)
    result = compare_runs(paths, tmp_path / "out", render=render_compare)
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert "Simulated data" in page
    assert [s["label"] for s in result.summary["samples"]] == ["synthetic a", "synthetic b"]
    assert {r["truth"] for r in rows_of(result, "samples") if r["key"] == "particle.diameter_mean_nm"} == {"3.91"}
    assert rows_of(result, "profiles")[4]["truth"] == "0.5"


def test_a_second_comparison_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    compare_runs(thin_and_thick(tmp_path), tmp_path / "out", render=render_compare)
    bare = [write_run(tmp_path / n, summary(n, diffusivity=None, mismatch=False)) for n in ("c", "d")]
    compare_runs(bare, tmp_path / "out", render=render_compare)
    left = {p.name for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert not left & {"arrhenius_line.csv", "mismatch.csv", "arrhenius.svg", "mismatch.svg"}


def test_reading_a_folder_without_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"comparison\.json"):
        read_comparison(tmp_path)


def test_smooth_profiles_are_drawn_from_their_bands_and_the_difference_is_said(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / n, summary(f"synthetic {n}")) for n in ("a", "b")]
    content = json.loads((paths[1] / "summary.json").read_text(encoding="utf-8"))
    content["profile"]["family"] = "smooth"
    (paths[1] / "summary.json").write_text(json.dumps(content), encoding="utf-8")
    for path in paths:
        (path / "tables").mkdir()
        rows = [
            f"{r},{x - 0.1},{x - 0.05},{x},{x + 0.05},{x + 0.1},{x}"
            for r, x in zip(np.linspace(0, 1.95, 40), np.linspace(0, 0.6, 40), strict=True)
        ]
        (path / "tables" / "profile_bands.csv").write_text(
            "\n".join(["r_nm,lo95,lo68,median,hi68,hi95,truth", *rows]) + "\n", encoding="utf-8"
        )
    result = compare_runs(paths, tmp_path / "out", render=render_compare)
    assert "different_family" in {w["code"] for w in result.summary["warnings"]}
    bands = rows_of(result, "profile_bands")
    assert len(bands) == 80
    assert float(bands[0]["depth_nm"]) == pytest.approx(1.95)
    assert 'id="figure-profiles"' in (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
