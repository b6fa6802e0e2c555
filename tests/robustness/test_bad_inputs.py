"""Every bad input ends with exit status 2 and a message that a person can act on; never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nanostrata.interfaces.cli import app

from .bad_inputs import CASES, DATA, TOGETHER, Case, command, good_project

DOCS = Path(__file__).parents[2] / "docs" / "bad-inputs.md"


def refused(argv: list[str]) -> str:
    result = CliRunner().invoke(app, argv)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.stderr


def test_the_sound_project_is_not_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(good_project(tmp_path))])
    assert result.exit_code == 0, result.output
    assert "ready: nanostrata run" in result.stdout


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_bad_input_is_refused_with_place_and_remedy(case: Case, tmp_path: Path) -> None:
    said = refused(command(case, tmp_path / "data"))
    assert case.place.format(folder=tmp_path / "data") in said
    assert case.remedy in said


@pytest.mark.parametrize(
    ("case", "stage"),
    [*((c, "read") for c in DATA), *((c, "profile") for c in TOGETHER)],
    ids=lambda c: getattr(c, "name", c),
)
def test_what_check_refuses_run_refuses_too(case: Case, stage: str, tmp_path: Path) -> None:
    """Before any time is spent: files when they are read, what does not go together before the fit."""
    argv = command(case, tmp_path / "data")
    said = refused(["run", *argv[1:], "--only", stage, "--out", str(tmp_path / "run")])
    assert (case.run_says or case.remedy) in said


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """One wrong file does not hide the others: curve, TEM and EDX are all named in one go."""
    project = good_project(tmp_path)
    (tmp_path / "asaxs_9630eV.dat").write_text("", encoding="utf-8")
    (tmp_path / "tem.csv").write_text("", encoding="utf-8")
    (tmp_path / "edx.csv").write_text("", encoding="utf-8")
    said = refused(["check", str(project)])
    for name in ("asaxs_9630eV.dat", "tem.csv", "edx.csv"):
        assert name in said


def test_the_printed_list_names_every_case() -> None:
    listed = DOCS.read_text(encoding="utf-8")
    for case in CASES:
        assert f"| {case.name} |" in listed
