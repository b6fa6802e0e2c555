"""The stage ``shape`` of ``run``, interrupted and killed on two processes: the second call goes on and ends the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"), pytest.mark.slow]

PROJECT = Path(__file__).parents[2] / "src" / "nanostrata" / "data" / "demo" / "thick" / "project.toml"


def command(out: Path, stage: str, workers: int) -> list[str]:
    more = ["--preset", "quick", "--only", stage, "--workers", str(workers), "--out", str(out)]
    return [sys.executable, "-m", "nanostrata", "run", str(PROJECT), *more]


def stored(out: Path) -> dict[str, int]:
    """Finished runs of the beads with their inodes: a run that is made again is a new file."""
    return {f.name: f.stat().st_ino for f in (out / ".store" / "shape" / ".store").glob("shape-run-*.npz")}


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as far as the profile: what comes before the shape."""
    out = tmp_path_factory.mktemp("profile") / "run"
    subprocess.run(command(out, "profile", 1), check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def whole(profile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    shutil.copytree(profile, out)
    subprocess.run(command(out, "shape", 1), check=True, capture_output=True)
    return out


@pytest.mark.parametrize("with_signal", ["SIGINT", "SIGKILL"])
def test_the_second_call_goes_on_and_ends_the_same(
    profile: Path, whole: Path, tmp_path: Path, with_signal: str
) -> None:
    out = tmp_path / "run"
    shutil.copytree(profile, out)
    (out / "summary.json").unlink()  # of the profile alone
    process = subprocess.Popen(
        command(out, "shape", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_hear_ctrl_c,
    )
    limit = time.monotonic() + 300
    while len(stored(out)) < 2 and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(getattr(signal, with_signal))
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == (130 if with_signal == "SIGINT" else -9), stderr.decode()
    if with_signal == "SIGINT":
        assert b"Traceback" not in stderr
        assert b"interrupted" in stderr.lower()
        assert stdout == b""
    assert not (out / "summary.json").exists(), "the run ended before it could be interrupted"
    while _running(process.pid) and time.monotonic() < limit:  # workers of a killed process end with it
        time.sleep(0.05)
    kept = stored(out)
    assert 2 <= len(kept) < 8

    again = subprocess.run(command(out, "shape", 2), check=True, capture_output=True, encoding="utf-8")
    assert f"{len(kept)} of them done before" in again.stderr
    now = stored(out)
    assert all(now[name] == node for name, node in kept.items()), "a finished run was made again"
    ours, theirs = (json.loads((f / "summary.json").read_text("utf-8"))["shape"] for f in (out, whole))
    assert ours == theirs
    assert (out / "shape" / "average.mrc").read_bytes() == (whole / "shape" / "average.mrc").read_bytes()


def _running(session: int) -> bool:
    """Whether a process of the session still runs."""
    try:
        os.killpg(session, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _hear_ctrl_c() -> None:
    """Take the signal in the child even where the tests were started with it ignored, as jobs in the background are."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
