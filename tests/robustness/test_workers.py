"""The number of worker processes changes nothing but the time."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from nanostrata.pipeline.run import run_project

ENDS_WITH_TIME = {"run.log"}


def _run(folder: Path, workers: int) -> Path:
    with as_file(files("nanostrata") / "data" / "demo" / "thick") as source:
        shutil.copytree(source, folder / "data")
    text = (folder / "data" / "project.toml").read_text(encoding="utf-8")
    (folder / "data" / "project.toml").write_text(text + "\n[atoms]\nparticles = 4\n", encoding="utf-8")
    return run_project(
        folder / "data" / "project.toml", out=folder / "run", preset="quick", only=("explain",), workers=workers
    ).run_dir


@pytest.mark.slow
def test_one_and_two_workers_write_identical_files(tmp_path: Path) -> None:
    one, two = _run(tmp_path / "one", 1), _run(tmp_path / "two", 2)
    names = sorted(str(p.relative_to(one)) for p in one.rglob("*") if p.is_file() and ".store" not in p.parts)
    assert names == sorted(str(p.relative_to(two)) for p in two.rglob("*") if p.is_file() and ".store" not in p.parts)
    assert any(n.endswith(".extxyz") for n in names)
    assert any(n.endswith("verification.csv") for n in names)
    for name in names:
        if name not in ENDS_WITH_TIME:
            assert (one / name).read_bytes() == (two / name).read_bytes(), name
