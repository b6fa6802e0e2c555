"""The tutorial on planning, executed: its project file, its commands, and what it says of their answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nanostrata.interfaces import console
from nanostrata.interfaces.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-beamtime.md"
BLOCKS = re.findall(r"```(toml add|toml|sh)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)


@pytest.mark.slow
def test_the_tutorial_runs_and_says_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.state, "quiet", False)
    printed: list[str] = []
    for kind, text in BLOCKS:
        if kind == "toml":
            Path("beamtime.toml").write_text(text, encoding="utf-8")
        elif kind == "toml add":
            with Path("beamtime.toml").open("a", encoding="utf-8") as file:
                file.write(text)
        for line in text.splitlines() if kind == "sh" else ():
            words = line.split()
            assert words[0] == "nanostrata"
            result = CliRunner().invoke(app, words[1:])
            assert result.exit_code == 0, (line, result.stderr)
            printed.append(result.stdout)
    assert [kind for kind, _ in BLOCKS] == ["toml", "sh", "sh", "toml add", "sh", "sh", "sh"]
    assert json.loads(printed[-1])["planned"]["energies_kev"] == [16.0, 9.63, 9.3, 8.9]

    def answer(name: str) -> Any:
        assert (tmp_path / name / "plan.html").is_file()
        return json.loads((tmp_path / name / "plan.json").read_text(encoding="utf-8"))

    first, three, edx, pair, below = (answer(n) for n in ("first", "three", "edx", "pair", "below"))
    # 2: the sentence that is quoted, and the centre that stays grey
    quoted = re.search(r"\*(resolves .*?)\*", PAGE.read_text(encoding="utf-8"), flags=re.S)
    assert quoted is not None
    assert " ".join(quoted.group(1).split()) in printed[0]
    assert first["planned"]["informed_by"][0] == "prior"
    # 3: EDX comes first and the far energy is repeated; then EDX narrows every shell by more than 1.5
    steps = [v["name"] for v in three["levers"] if v["kind"] == "step"]
    assert steps[0] == "EDX"
    assert any("is a repeat" in w["message"] for w in three["warnings"])
    gains = [a / b for a, b in zip(*(p["planned"]["shell_fraction"]["sigma"] for p in (three, edx)), strict=True)]
    assert min(gains) > 1.5
    next_steps = [v["name"] for v in edx["levers"] if v["kind"] == "step" and v["name"] != "energies"]
    assert next_steps[:3] == ["EDX", "q range", "exposure"]
    # 4: one energy far, one near; the pair a tenth better than four, two below the edge several times worse inside
    far, near = edx["proposed"]["energies_kev"]
    assert far > 13.0
    assert 9.6 < near < 9.66

    def ratio(other: Any) -> list[float]:
        key = "sigma_without_walls"
        return [
            a / b
            for a, b in zip(
                other["planned"]["without_coupling"][key], edx["planned"]["without_coupling"][key], strict=True
            )
        ]

    typical = 1.0
    for r in ratio(pair):
        typical *= r ** (1 / 3)
    assert 0.84 < typical < 0.90
    assert min(ratio(below)[:2]) > 3.0
