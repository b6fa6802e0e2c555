"""``nanostrata shape --compare``: what other programs found stands in summary, tables, folder and page; wrong files are told first."""

import csv
import json

import numpy as np
import pytest
from tests.others_files import dammif_text, gnom_text, lattice_ball
from typer.testing import CliRunner

from nanostrata.errors import DataError
from nanostrata.interfaces.cli import app
from nanostrata.io.bead_models import read_beads
from nanostrata.pipeline import shape_run

DIAMETER = 4.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A curve of balls as a GNOM file in angstrom, and two models of it: p(r) in nm, beads in angstrom."""
    folder = tmp_path_factory.mktemp("others")
    (folder / "balls.out").write_text(gnom_text(5, diameter=DIAMETER, unit=10.0, points=80))
    (folder / "old.out").write_text(gnom_text(4, diameter=DIAMETER))
    (folder / "dammif-1.pdb").write_text(dammif_text(10 * lattice_ball(DIAMETER, 0.4) + 30.0, 2.0))
    return folder


@pytest.fixture(scope="module")
def compared(files):
    out = files / "run"
    argv = [
        "shape",
        str(files / "balls.out"),
        "--q-unit",
        "1/angstrom",
        "--runs",
        "3",
        "--preset",
        "quick",
        "--out",
        str(out),
    ]
    argv += ["--compare", str(files / "old.out"), "--compare", str(files / "dammif-1.pdb")]
    result = CliRunner().invoke(app, argv)
    assert result.exit_code == 0, result.stderr
    return out, result, argv


def test_both_stand_in_the_summary(compared):
    out, result, _ = compared
    shape = json.loads((out / "summary.json").read_text(encoding="utf-8"))["shape"]
    distances, beads = shape["compared"]
    rg = np.sqrt(0.6) * DIAMETER / 2
    assert distances["kind"] == "pair distances"
    assert distances["software"] == "GNOM 4.6"
    assert distances["unit_read"] == "nm"
    assert distances["rg_nm"] == pytest.approx(rg, rel=2e-3)
    assert distances["dmax_nm"] == pytest.approx(DIAMETER)
    assert 0.5 < distances["chi2_reduced"] < 1.6
    assert distances["volume_nm3"] is None
    assert beads["kind"] == "bead model"
    assert beads["unit_read"] == "angstrom"
    assert beads["rg_nm"] == pytest.approx(rg, rel=0.01)
    assert beads["volume_nm3"] == pytest.approx(np.pi / 6 * DIAMETER**3, rel=0.03)
    assert beads["nsd_reference"] < 1.0
    assert beads["shared_volume"] > 0.8
    assert shape["compared_here"][0]["rg_nm"] == pytest.approx(shape["rg_nm"]["value"])
    for word in ("GNOM 4.6", "dammif", "NSD"):
        assert word in result.stdout


def test_tables_and_moved_beads_are_written(compared):
    out, *_ = compared
    with (out / "tables" / "shape_compared.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [r["kind"] for r in rows] == ["this run", "pair distances", "bead model"]
    with (out / "tables" / "shape_compared_pair_distances.csv").open(encoding="utf-8") as stream:
        pairs = list(csv.DictReader(stream))
    for name in ("particle", "old", "dammif-1"):
        r, p = (np.array([float(row[k]) for row in pairs if row["name"] == name]) for k in ("r_nm", "p_per_nm"))
        assert 0.5 * (p[1:] + p[:-1]) @ np.diff(r) == pytest.approx(1.0, abs=2e-3)
    moved, bead = read_beads(out / "shape" / "compared" / "dammif-1.cif")
    assert bead == pytest.approx(0.4)
    assert np.abs(moved.mean(axis=0)).max() < 0.1  # it stood at 3 nm in each direction


def test_the_page_shows_them(compared):
    out, *_ = compared
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'id="figure-shape_compared"' in page
    assert "dammif-1" in page
    svg = (out / "figures" / "shape_compared.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    before = (out / "report.html").read_bytes()
    assert CliRunner().invoke(app, ["report", str(out)]).exit_code == 0
    assert (out / "report.html").read_bytes() == before


def test_a_second_call_without_takes_them_away_and_runs_nothing(compared, monkeypatch):
    out, _, argv = compared
    monkeypatch.setattr(shape_run, "retrieve_shape", lambda task: pytest.fail("a finished run was made again"))
    result = CliRunner().invoke(app, argv[: argv.index("--compare")])
    assert result.exit_code == 0, result.stderr
    assert "compared" not in json.loads((out / "summary.json").read_text(encoding="utf-8"))["shape"]
    assert not (out / "tables" / "shape_compared.csv").exists()
    assert not (out / "shape" / "compared").exists()
    assert 'id="figure-shape_compared"' not in (out / "report.html").read_text(encoding="utf-8")
    assert not (out / "figures" / "shape_compared.svg").exists()
    assert CliRunner().invoke(app, argv).exit_code == 0


def test_wrong_files_are_told_before_any_run(files, tmp_path, monkeypatch):
    monkeypatch.setattr(shape_run, "retrieve_shape", lambda task: pytest.fail("a run was made"))

    def refused(words, *paths, **more):
        with pytest.raises(DataError, match=words) as caught:
            shape_run.shape_file(
                files / "balls.out",
                q_unit="1/angstrom",
                runs=2,
                preset="quick",
                out=tmp_path / "run",
                compare=paths,
                **more,
            )
        return caught.value.problems

    (tmp_path / "cut.out").write_text(gnom_text(4, diameter=DIAMETER)[:3000])
    (tmp_path / "no.pdb").write_text("HEADER\n")
    assert len(refused("cut short", tmp_path / "cut.out", tmp_path / "no.pdb", tmp_path / "none.out")) == 3
    (tmp_path / "section.out").write_text(
        gnom_text(4, diameter=DIAMETER).replace(
            "distribution  function of particle", "distribution function of cross-section"
        )
    )
    refused(r"whole particles \(job 0\)", tmp_path / "section.out")
    (tmp_path / "large.out").write_text(gnom_text(4, diameter=14.0, q_first=0.1))
    refused("not of one particle", tmp_path / "large.out")
    result = CliRunner().invoke(
        app,
        [
            "shape",
            str(files / "balls.out"),
            "--q-unit",
            "1/angstrom",
            "--compare",
            str(files / "old.out"),
            "--compare-unit",
            "m",
        ],
    )
    assert result.exit_code != 0
