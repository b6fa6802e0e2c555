"""Measured data with known answers, through the same pipeline that users call."""

import json
from pathlib import Path

import pytest

from nanostrata.pipeline.run import run_project

EXAMPLES = Path(__file__).parents[2] / "examples"


def _run(name: str, out: Path) -> dict:
    result = run_project(EXAMPLES / name / "project.toml", out=out, preset="quick")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary == result.summary
    return summary


def test_iron_oxide_has_its_median_radius_and_width(tmp_path: Path) -> None:
    p = _run("iron-oxide", tmp_path)["contrasts"]["parameters"]
    assert p["radius_median_nm"]["value"] == pytest.approx(10.37, abs=0.1)
    assert p["lognormal_width"]["value"] == pytest.approx(0.150, abs=0.01)


def test_apoferritin_is_hollow(tmp_path: Path) -> None:
    p = _run("apoferritin", tmp_path)["contrasts"]["parameters"]
    assert 10 * p["outer_radius_nm"]["value"] == pytest.approx(59.7, abs=1.5)
    assert 10 * p["core_radius_nm"]["value"] == pytest.approx(42.2, abs=1.5)


def test_one_drop_explains_three_contrasts_and_the_misfit_is_said(tmp_path: Path) -> None:
    summary = _run("aot-microemulsion", tmp_path)
    c = summary["contrasts"]
    # a water core of about 2.2 nm in a surfactant shell shorter than the AOT molecule; one scale within 10 % for all
    assert 2.0 < c["parameters"]["core_radius_nm"]["value"] < 2.5
    assert 0.5 < c["parameters"]["shell_thickness_nm"]["value"] < 1.1
    scales = [row["scale"] for row in c["per_curve"]]
    assert max(scales) / min(scales) < 1.25
    assert [i["points_dropped"] for i in summary["inputs"]] == pytest.approx(
        [i["points_read"] - i["points_kept"] for i in summary["inputs"]]
    )
    assert c["verdict"] == "bad fit"


def test_concentrated_silica_is_loudly_called_a_bad_fit(tmp_path: Path) -> None:
    summary = _run("ludox", tmp_path)
    assert summary["contrasts"]["verdict"] == "bad fit"
    assert summary["findings"][0]["text"].startswith("BAD FIT")
    assert {w["code"] for w in summary["warnings"]} >= {"bad_fit", "interactions"}
