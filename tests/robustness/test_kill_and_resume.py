"""A run that is killed goes on where it was, and ends with the same result."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "iron-oxide" / "project.toml"


def _command(out: Path) -> list[str]:
    return [sys.executable, "-m", "nanostrata", "run", str(EXAMPLE), "--out", str(out), "--preset", "quick"]


def _log(out: Path) -> str:
    path = out / "run.log"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX signal")
def test_kill_9_in_the_middle_loses_nothing_and_changes_nothing(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_command(whole), check=True, capture_output=True)
    process = subprocess.Popen(_command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(1500):
        if "fitting radii" in _log(killed) or process.poll() is not None:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "summary.json").exists(), "the run ended before it could be killed"
    subprocess.run(_command(killed), check=True, capture_output=True)
    assert "stage read: taken from the store" in _log(killed)
    assert json.loads((killed / "summary.json").read_text("utf-8")) == json.loads(
        (whole / "summary.json").read_text("utf-8")
    )
    before = _log(killed).count("fitting radii")
    subprocess.run(_command(killed), check=True, capture_output=True)
    assert _log(killed).count("fitting radii") == before, "a finished stage was run again"
