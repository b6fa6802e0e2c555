"""A run whose atoms do not answer to a measurement ends with status 3, keeps its results and says which one."""

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from typer.testing import CliRunner

from nanostrata.interfaces.cli import app


def test_exchanged_entries_of_edx_end_with_status_3(tmp_path: Path) -> None:
    with as_file(files("nanostrata") / "data" / "demo" / "thick") as source:
        shutil.copytree(source, tmp_path / "data")
    project = tmp_path / "data" / "project.toml"
    text = project.read_text(encoding="utf-8").replace("[growth]\ntemperature_c = 150\ntime_s = 600\n", "")
    project.write_text(text, encoding="utf-8")
    edx = tmp_path / "data" / "edx.csv"
    lines = edx.read_text(encoding="utf-8").splitlines()
    values = {line.split(",")[0]: line.split(",")[1] for line in lines if line[:3] in ("Ag,", "In,")}
    swapped = [
        line.replace(values["Ag"], values["In"]) if line.startswith("Ag,")
        else line.replace(values["In"], values["Ag"]) if line.startswith("In,")
        else line
        for line in lines
    ]  # fmt: skip
    edx.write_text("\n".join(swapped) + "\n", encoding="utf-8")
    out = tmp_path / "run"
    result = CliRunner().invoke(app, ["run", str(project), "--out", str(out), "--preset", "quick"])
    assert result.exit_code == 3, result.output
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["verification"]["passed"] is False
    assert summary["verification"]["edx"]["verdict"] == "fails"
    assert "AGAINST" in result.output
    assert "FAIL" in result.output
    assert "EDX" in (out / "report.html").read_text(encoding="utf-8")
