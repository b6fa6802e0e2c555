"""The main job on bundled, simulated input: two samples, no questions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from nanostrata.pipeline.run import RunResult, run_project

SAMPLES = ("thin", "thick")


def _named(name: str, progress: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: progress(f"{name} shell: {text}")


def run_demo(
    out: Path,
    *,
    seed: int = 1,
    fresh: bool = False,
    progress: Callable[[str], None] = lambda _: None,
    render: Callable[[Path], Any] | None = None,
) -> list[RunResult]:
    """Copy the bundled measurements to ``out`` and run both samples at preset quick.

    Parameters
    ----------
    out : folder for input and run folders; made when it is missing
    render : renders the report of a finished run folder

    Returns
    -------
    list of RunResult
        Thin shell, then thick shell.
    """
    results = []
    for name in SAMPLES:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        with as_file(files("nanostrata") / "data" / "demo" / name) as source:
            for file in sorted(source.iterdir()):
                if file.is_file():
                    shutil.copyfile(file, folder / file.name)
        results.append(
            run_project(
                folder / "project.toml",
                out=folder / "run",
                preset="quick",
                seed=seed,
                fresh=fresh,
                progress=_named(name, progress),
                render=render,
            )
        )
    return results
