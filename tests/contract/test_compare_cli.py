"""The command `compare`: exit statuses, streams, the keys that the outside holds on to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nanostrata.interfaces.cli import app
from tests.unit.compare_fixture import summary, thin_and_thick, write_run

MAIN = "from nanostrata.interfaces.cli import main; main()"


def command(*argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(str(files("nanostrata"))).parent), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", MAIN, *argv],
        capture_output=True, text=True, env=env, encoding="utf-8", check=False, timeout=120,
    )  # fmt: skip


def test_two_runs_end_with_a_page(tmp_path: Path) -> None:
    runs = thin_and_thick(tmp_path)
    done = command("compare", *map(str, runs), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().split("\n")[-1] == str(tmp_path / "out" / "compare.html")
    assert done.stderr == ""
    assert "Activation energy" in done.stdout
    assert "synthetic thick shell" in done.stdout
    written = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {"comparison.json", "compare.html", "tables/samples.csv", "figures/profiles.svg"} <= written
    assert not any(".part" in name for name in written)


def test_json_is_on_stdout_alone_and_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    runs = thin_and_thick(tmp_path)
    result = CliRunner().invoke(app, ["compare", *map(str, runs), "--out", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown == json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    energy = shown["activation_energy_kj_mol"]
    assert {"value", "sigma", "interval68", "interval95", "verdict"} <= set(energy)
    assert energy["verdict"] in ("determined", "not determined")
    assert shown["arrhenius"]["verdict"] == energy["verdict"]
    assert len(shown["samples"]) == 2
    for sample in shown["samples"]:
        assert {"value", "sigma", "interval68", "interval95"} <= set(sample["profile"]["shell_fraction"])
        assert sample["diffusion"]["diffusivity_cm2_s"]["value"] > 0
    for finding in shown["findings"]:
        assert finding["grade"] in ("strong", "moderate", "weak", "not determined")
        assert {"text", "numbers", "improve"} <= set(finding)
    assert all({"code", "message", "stage"} <= set(w) for w in shown["warnings"])


def test_one_run_is_enough_to_be_shown(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", summary())
    result = CliRunner().invoke(app, ["compare", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert "nothing to compare it with" in result.stdout


def test_a_bare_run_is_shown_too(tmp_path: Path) -> None:
    content = summary(diffusivity=None, mismatch=False, temperature=None)
    for part in ("profile", "particle", "atoms", "asaxs"):
        del content[part]
    path = write_run(tmp_path / "a", content)
    result = CliRunner().invoke(app, ["compare", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.stderr
    assert "has no mean diameter, composition profile" in result.stdout


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_a_wrong_folder_ends_with_2_and_no_traceback(tmp_path: Path, extra: list[str]) -> None:
    done = command("compare", str(tmp_path / "nothing"), "--out", str(tmp_path / "out"), *extra)
    assert done.returncode == 2
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_no_folder_at_all_ends_with_2() -> None:
    assert CliRunner().invoke(app, ["compare"]).exit_code == 2


def test_warnings_go_to_stderr(tmp_path: Path) -> None:
    content = summary("bad")
    content["asaxs"]["chi2_reduced"] = 9.0
    paths = [write_run(tmp_path / "a", summary("good")), write_run(tmp_path / "b", content)]
    result = CliRunner().invoke(app, ["compare", *map(str, paths), "--out", str(tmp_path / "out")])
    assert "warning: bad: the model does not describe its curves" in result.stderr
    assert "warning:" not in result.stdout


def test_common_error_is_an_option(tmp_path: Path) -> None:
    runs = [str(p) for p in thin_and_thick(tmp_path)]
    result = CliRunner().invoke(
        app, ["compare", *runs, "--out", str(tmp_path / "out"), "--common-error", "0.1", "--json"]
    )
    assert json.loads(result.stdout)["arrhenius"]["common_relative_error"] == 0.1
    result = CliRunner().invoke(app, ["compare", *runs, "--out", str(tmp_path / "out"), "--common-error", "-0.1"])
    assert result.exit_code == 2
