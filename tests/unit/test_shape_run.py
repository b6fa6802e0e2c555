"""The command ``shape``: runs are kept, added to and the same for any number of workers; what is wrong is refused."""

import json

import numpy as np
import pytest
from tests.shapes import spheroid_curve, with_noise
from typer.testing import CliRunner

from nanostrata.errors import RecipeError
from nanostrata.interfaces.cli import app
from nanostrata.io.bead_models import read_beads
from nanostrata.io.mrc import read_mrc
from nanostrata.pipeline import shape_run


@pytest.fixture(scope="module")
def curve_file(tmp_path_factory):
    q = np.linspace(0.3, 4.0, 80)
    y, s = with_noise(50 * spheroid_curve(q, 2.0, 1.4, 0.12), 1, floor=1e-3)
    file = tmp_path_factory.mktemp("curve") / "particles.dat"
    rows = "\n".join(f"{a:.6f} {b:.6e} {c:.4e}" for a, b, c in zip(q, y, s, strict=True))
    file.write_text(f"# q(nm^-1) I sigma\n{rows}\n")
    return file


@pytest.fixture(scope="module")
def finished(curve_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shape") / "run"
    said: list[str] = []
    _, summary = shape_run.shape_file(curve_file, spread=0.12, runs=3, preset="quick", out=folder, progress=said.append)
    return folder, summary, said


def test_summary_files_and_progress(finished):
    folder, summary, said = finished
    shape = summary["shape"]
    for key in ("rg_nm", "dmax_nm", "aspect_ratio", "diameter_nm", "volume_nm3", "aspect_ratio_without_spread"):
        assert shape[key]["interval95"][0] < shape[key]["value"] < shape[key]["interval95"][1]
    assert shape["aspect_ratio"]["value"] == pytest.approx(1.4, abs=0.15)
    assert shape["aspect_ratio_without_spread"]["value"] > shape["aspect_ratio"]["value"]
    assert shape["runs"]["done"] == 3
    assert sum(shape["diameter_histogram"]["counts"]) == 10_000
    size = shape["size_against_cutoff"]
    assert np.all(np.diff(size["diameter_nm"]) <= 0)
    assert "come from the spread" in shape["real"]
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(summary))
    occupancy, voxel, _ = read_mrc(folder / "shape" / "average.mrc")
    assert occupancy.max() == 1.0
    # volume of the map, every voxel by its occupancy, is that of the runs that were averaged
    kept = [r for r in shape["runs"]["each"] if r["kept"]]
    volume = np.mean([np.pi / 6 * r["diameter_nm"] ** 3 for r in kept])
    assert occupancy.sum() * voxel**3 == pytest.approx(volume, rel=5e-3)
    for run in kept:
        places, bead = read_beads(folder / "shape" / "beads" / f"{run['run']}.cif")
        assert len(places) == run["beads"]
        assert bead == pytest.approx(shape["bead_nm"], abs=1e-4)
    assert any("runs: 1 of" in line for line in said)


def test_a_second_call_takes_what_is_there_and_adds_runs(curve_file, finished, monkeypatch):
    folder, summary, _ = finished
    computed = []
    true = shape_run.retrieve_shape

    def counted(task):
        computed.append(task.label)
        return true(task)

    monkeypatch.setattr(shape_run, "retrieve_shape", counted)
    again = shape_run.shape_file(curve_file, spread=0.12, runs=3, preset="quick", out=folder)[1]
    assert computed == []
    assert again["shape"] == summary["shape"]
    more = shape_run.shape_file(curve_file, spread=0.12, runs=4, preset="quick", out=folder)[1]
    assert computed == ["data-04"]
    assert more["shape"]["runs"]["done"] == 4


def test_an_interruption_keeps_the_finished_runs(curve_file, tmp_path, monkeypatch):
    true, computed = shape_run.retrieve_shape, []

    def broken(task):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(task.label)
        return true(task)

    monkeypatch.setattr(shape_run, "retrieve_shape", broken)
    with pytest.raises(KeyboardInterrupt):
        shape_run.shape_file(curve_file, runs=3, preset="quick", out=tmp_path / "run")
    assert len(list((tmp_path / "run" / ".store").glob("shape-run-*.npz"))) == 2
    computed.clear()
    monkeypatch.setattr(shape_run, "retrieve_shape", lambda t: computed.append(t.label) or true(t))
    shape_run.shape_file(curve_file, runs=3, preset="quick", out=tmp_path / "run")
    assert "data-01" not in computed
    assert "data-03" in computed


@pytest.mark.slow
def test_two_workers_write_the_same(curve_file, finished, tmp_path):
    folder, *_ = finished
    shape_run.shape_file(curve_file, spread=0.12, runs=3, preset="quick", out=tmp_path / "run", workers=2)
    one = shape_run.shape_file(curve_file, spread=0.12, runs=3, preset="quick", out=folder)[0]
    for name in ("summary.json", "shape/average.mrc", "tables/shape_runs.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (one / name).read_bytes()


def test_all_wrong_wishes_are_told_at_once(curve_file, tmp_path):
    with pytest.raises(RecipeError) as refused:
        shape_run.shape_file(
            curve_file, spread=12.0, runs=1, bead_nm=-1.0, spread_shape="flat", anisometry="flat", out=tmp_path / "x"
        )
    assert len(refused.value.problems) == 5
    assert "0.12 for 12 %" in refused.value.problems[0]


def test_command_writes_a_page(curve_file, finished):
    folder, *_ = finished
    argv = ["shape", str(curve_file), "--spread", "0.12", "--runs", "4", "--preset", "quick", "--out", str(folder)]
    result = CliRunner().invoke(app, argv)
    assert result.exit_code == 0, result.stderr
    assert "aspect ratio" in result.stdout
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert "default-src 'none'" in page
    assert 'id="shape-data"' in page
    for name in ("shape_curve", "shape_runs", "shape_cuts", "shape_sections"):
        assert (folder / "figures" / f"{name}.svg").read_text().startswith("<svg")
    before = (folder / "report.html").read_bytes()
    assert CliRunner().invoke(app, ["report", str(folder)]).exit_code == 0
    assert (folder / "report.html").read_bytes() == before
