"""Runs of the shape on two processes, interrupted in the middle: what was finished is kept, and the end is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.shapes import spheroid_curve, with_noise

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture(scope="module")
def curve_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    q = np.linspace(0.3, 5.0, 100)
    y, s = with_noise(50 * spheroid_curve(q, 2.0, 1.4, 0.12), 1, floor=1e-3)
    file = tmp_path_factory.mktemp("curve") / "particles.dat"
    rows = "\n".join(f"{a:.6f} {b:.6e} {c:.4e}" for a, b, c in zip(q, y, s, strict=True))
    file.write_text(f"# q(nm^-1) I sigma\n{rows}\n", encoding="utf-8")
    return file


def command(curve: Path, out: Path, *, runs: int, workers: int) -> list[str]:
    more = ["--spread", "0.12", "--preset", "quick", "--runs", str(runs), "--workers", str(workers), "--out", str(out)]
    return [sys.executable, "-m", "nanostrata", "shape", str(curve), *more]


def stored(out: Path) -> dict[str, int]:
    """Finished runs with their inodes: a run that is made again is a new file."""
    return {f.name: f.stat().st_ino for f in (out / ".store").glob("shape-run-*.npz")}


@pytest.fixture(scope="module")
def whole(curve_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run(command(curve_file, out, runs=8, workers=1), check=True, capture_output=True)
    return out


@pytest.mark.parametrize("with_signal", ["SIGINT", "SIGKILL"])
def test_finished_runs_are_kept_and_the_end_is_the_same(
    curve_file: Path, whole: Path, tmp_path: Path, with_signal: str
) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(
        command(curve_file, out, runs=8, workers=2), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=_hear_ctrl_c,
    )  # fmt: skip
    limit = time.monotonic() + 120
    while len(stored(out)) < 2 and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    os.kill(process.pid, getattr(signal, with_signal))
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == (130 if with_signal == "SIGINT" else -9), stderr.decode()
    if with_signal == "SIGINT":
        assert b"Traceback" not in stderr
        assert b"interrupted" in stderr.lower()
        assert stdout == b""
    assert not (out / "summary.json").exists(), "the runs ended before they could be interrupted"
    for _ in range(500):  # workers of a killed process notice it when their run is done
        kept = stored(out)
        time.sleep(0.02)
        if not _children_of_session(process.pid) and kept == stored(out):
            break
    kept = stored(out)
    assert 2 <= len(kept) < 16
    assert not list((out / ".store").glob("*.tmp*")) or with_signal == "SIGKILL"

    again = subprocess.run(
        command(curve_file, out, runs=8, workers=2), check=True, capture_output=True, encoding="utf-8"
    )
    assert f"{sum(1 for _ in kept)} of them done before" in again.stderr
    now = stored(out)
    assert all(now[name] == node for name, node in kept.items()), "a finished run was made again"
    ours, theirs = (json.loads((f / "summary.json").read_text("utf-8")) for f in (out, whole))
    assert ours["shape"] == theirs["shape"]
    assert (out / "shape" / "average.mrc").read_bytes() == (whole / "shape" / "average.mrc").read_bytes()


def _children_of_session(session: int) -> bool:
    """Whether a process of the session still runs."""
    try:
        os.killpg(session, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@pytest.mark.slow
def test_a_second_call_with_more_runs_keeps_the_first_ones(curve_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    subprocess.run(command(curve_file, out, runs=3, workers=2), check=True, capture_output=True)
    first = stored(out)
    said = subprocess.run(
        command(curve_file, out, runs=5, workers=2), check=True, capture_output=True, encoding="utf-8"
    )
    now = stored(out)
    assert all(now[name] == node for name, node in first.items())
    assert len(now) == len(first) + 2
    assert f"{len(first)} of them done before" in said.stderr
    # one line of progress for every run
    assert sum("runs:" in line and "done" in line for line in said.stderr.splitlines()) >= 2
    assert json.loads((out / "summary.json").read_text("utf-8"))["shape"]["runs"]["done"] == 5


def _hear_ctrl_c() -> None:
    """Take the signal in the child even where the tests were started with it ignored, as jobs in the background are."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
