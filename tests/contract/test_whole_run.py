"""One run with everything: wide angles, the number of shells left open, the shape, relaxed atoms; and its report."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from nanostrata.interfaces.figures import FIGURES
from nanostrata.interfaces.report import render_report
from nanostrata.pipeline.run import run_project
from nanostrata.pipeline.simulate_run import simulate_run

NOT_HERE = {"first_minimum", "separation", "strain", "waxs_whole_pattern", "waxs_pair_distribution"}
"""Figures of runs without several energies, with scales known well enough to separate terms, with relaxed atoms, and with the whole
wide-angle pattern (drawn in tests/recovery/test_waxs_recovery.py)."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Run the thick demo sample, measured with few particles, and a wide-angle pattern."""
    root = tmp_path_factory.mktemp("whole")
    truth = (files("nanostrata") / "data" / "demo" / "thick" / "truth.toml").read_text(encoding="utf-8")
    truth = truth.replace("points = 120", "points = 60\nwaxs_particles = 60").replace(
        "particles = 400", "particles = 120", 1
    )
    (root / "truth.toml").write_text(truth, encoding="utf-8")
    simulate_run(root / "truth.toml", root / "data", seed=3)
    project = root / "data" / "project.toml"
    text = project.read_text(encoding="utf-8").replace("shells = 5", 'shells = "auto"')
    if "[waxs]" not in text:
        text += '\n[waxs]\nfile = "waxs.dat"\naxis = "q_inv_nm"\nenergy_kev = 16.0\ninstrument_sigma_inv_nm = 0.0\n'
    text += "\n[shape]\nruns = 2\n\n[atoms]\nrefine_weights = true\n"
    project.write_text(text, encoding="utf-8")
    out = root / "run"
    result = run_project(project, out=out, preset="quick", render=render_report)
    return out, result.summary


def test_every_stage_left_its_part(run: tuple[Path, dict[str, Any]]) -> None:
    out, summary = run
    assert summary == json.loads((out / "summary.json").read_text(encoding="utf-8"))
    for key in ("particle", "profile", "asaxs", "shape", "waxs", "atoms", "verification", "diffusion", "mismatch"):
        assert summary[key], key
    assert {"asaxs", "saxs", "waxs", "tem", "edx"} <= set(summary["verification"])
    assert (out / "shape" / "average.mrc").is_file()


def test_number_of_shells_is_averaged_over(run: tuple[Path, dict[str, Any]]) -> None:
    profile = run[1]["profile"]
    numbers = profile["shell_numbers"]
    assert [n["shells"] for n in numbers] == [1, 2, 3, 4, 5, 6]
    assert sum(n["probability"] for n in numbers) == pytest.approx(1.0)
    best = max(numbers, key=lambda n: n["probability"])["shells"]
    assert len(profile["shell_fraction"]["value"]) == best == len(profile["edges_nm"])
    assert "averaged over 1 to 6 shells" in profile["prior"]
    assert "families" not in profile


def test_other_weights_are_told_and_the_verdicts_stay(run: tuple[Path, dict[str, Any]]) -> None:
    out, summary = run
    weights = summary["verification"]["weights"]
    for entry in weights["data_sets"]:
        stated = summary["verification"][entry["name"]]
        assert entry["chi2_before"] == pytest.approx(stated["chi2"], rel=0.03)
        assert entry["degrees_of_freedom"] == stated["degrees_of_freedom"]
    table = (out / "tables" / "refined_weights.csv").read_text(encoding="utf-8").splitlines()
    rows = [[float(v) for v in line.split(",")] for line in table if line[:1].isdigit()]
    assert len(rows) == summary["atoms"]["particles"]
    assert sum(r[1] for r in rows) == pytest.approx(1.0)
    assert sum(r[2] for r in rows) == pytest.approx(1.0)
    assert ("NO weights" in weights["sentence"]) == bool(weights["disagreeing"])
    assert "<h3>Refined weights</h3>" in (out / "report.html").read_text(encoding="utf-8")


def test_shape_speaks_in_the_keys_of_the_contract(run: tuple[Path, dict[str, Any]]) -> None:
    shape = run[1]["shape"]
    keys = "rg_nm dmax_nm aspect_ratio nsd_mean resolution_nm diameter_histogram size_against_cutoff runs apparent_rg"
    assert set(keys.split()) <= set(shape)
    assert shape["runs"]["done"] == 2
    # a gradient changes the apparent size with the energy, by less than its outer form
    assert all(0.8 < row["over_true"] < 1.2 for row in shape["apparent_rg"])
    diameter = run[1]["particle"]["diameter_mean_nm"]["value"]
    assert shape["diameter_nm"]["value"] == pytest.approx(diameter, rel=0.08)


def test_every_figure_of_the_report_is_drawn(run: tuple[Path, dict[str, Any]]) -> None:
    out, _ = run
    page = (out / "report.html").read_text(encoding="utf-8")
    for name in FIGURES.keys() - NOT_HERE - {"particle"}:
        assert f'id="figure-{name}"' in page, name
        root = ET.fromstring((out / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
        assert len(list(root.iter())) > 30, name
    assert re.search(r'id="shape-viewer"', page)


def test_the_same_run_again_takes_everything_from_its_store(run: tuple[Path, dict[str, Any]]) -> None:
    out, summary = run
    before = (out / "run.log").read_text(encoding="utf-8").count("computed in")
    again = run_project(out.parent / "data" / "project.toml", out=out, preset="quick")
    assert again.summary == summary
    assert (out / "run.log").read_text(encoding="utf-8").count("computed in") == before
