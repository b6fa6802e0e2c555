"""Folders that cannot be compared: each is refused with a message that names it and says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nanostrata.errors import DataError, NanostrataError, RecipeError
from nanostrata.pipeline.compare import compare_runs
from tests.unit.compare_fixture import summary, write_run


def raw(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "summary.json").write_text(text, encoding="utf-8")
    return folder


def older(folder: Path) -> Path:
    content = summary()
    content["profile"]["shell_fraction"] = content["profile"]["shell_fraction"]["value"]
    return write_run(folder, content)


def without_version(folder: Path) -> Path:
    content = summary()
    del content["software"]
    return write_run(folder, content)


def ragged(folder: Path) -> Path:
    content = summary()
    content["profile"]["edges_nm"] = [1.0]
    return write_run(folder, content)


def plain_mismatch(folder: Path) -> Path:
    content = summary()
    content["mismatch"] = {"a": 3.0}
    return write_run(folder, content)


def broken_h5(folder: Path) -> Path:
    write_run(folder, summary())
    (folder / "results.h5").write_bytes(b"not HDF5")
    return folder


def broken_bands(folder: Path) -> Path:
    write_run(folder, summary())
    (folder / "tables").mkdir()
    (folder / "tables" / "profile_bands.csv").write_text("r,x\n1,2\n", encoding="utf-8")
    return folder


def a_file(folder: Path) -> Path:
    folder.write_text("x", encoding="utf-8")
    return folder


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def comparison(folder: Path) -> Path:
    folder.mkdir()
    (folder / "comparison.json").write_text("{}", encoding="utf-8")
    return folder


CASES: list[tuple[Callable[[Path], Path], str]] = [
    (lambda p: p, "no such folder"),
    (empty, "there is none; run `nanostrata run` first"),
    (a_file, "is a file; give the folder"),
    (comparison, "is a comparison, not a run"),
    (lambda p: raw(p, "{"), "expected JSON"),
    (lambda p: raw(p, "[]"), "expected a JSON object, got list"),
    (without_version, r"software\.version is missing"),
    (older, "wrote an older layout"),
    (ragged, "one number per shell"),
    (plain_mismatch, "one entry per direction"),
    (broken_h5, "cannot be read as HDF5"),
    (broken_bands, "expected columns"),
]


@pytest.mark.parametrize(("make", "message"), CASES, ids=[c[1] for c in CASES])
def test_bad_folders_are_refused_by_name(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    good, bad = write_run(tmp_path / "good", summary("good")), make(tmp_path / "bad")
    with pytest.raises(DataError, match=message) as caught:
        compare_runs([good, bad], tmp_path / "out")
    assert "bad" in str(caught.value)
    assert "good" not in str(caught.value).replace("wrote", "")
    assert not (tmp_path / "out").exists()


def test_all_bad_folders_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        compare_runs([tmp_path / "one", tmp_path / "two"], tmp_path / "out")
    assert len(caught.value.problems) == 2


def test_draws_with_another_number_of_shells_are_refused(tmp_path: Path) -> None:
    import numpy as np

    folder = write_run(tmp_path / "a", summary(), draws=np.zeros((10, 3)))
    with pytest.raises(DataError, match="3 shells"):
        compare_runs([folder], tmp_path / "out")


def test_mixed_materials_are_refused_by_name(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / "a", summary("a")), write_run(tmp_path / "b", summary("b", core="CdSe"))]
    with pytest.raises(RecipeError, match="different materials") as caught:
        compare_runs(paths, tmp_path / "out")
    assert "Ag2In4Se7 / ZnSe" in str(caught.value)
    assert "CdSe / ZnSe" in str(caught.value)


def test_one_run_given_twice_is_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", summary())
    with pytest.raises(RecipeError, match="given twice"):
        compare_runs([path, tmp_path / "." / "a"], tmp_path / "out")


def test_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="at least one"):
        compare_runs([], tmp_path / "out")


@pytest.mark.parametrize("place", ["file", "run"])
def test_a_folder_that_cannot_hold_the_comparison_is_refused(tmp_path: Path, place: str) -> None:
    path = write_run(tmp_path / "a", summary())
    out = path if place == "run" else tmp_path / "out"
    if place == "file":
        out.write_text("x", encoding="utf-8")
    before = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    with pytest.raises(NanostrataError, match="--out"):
        compare_runs([path], out)
    assert json.loads((path / "summary.json").read_text(encoding="utf-8")) == before
