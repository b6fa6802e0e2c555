"""Text files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nanostrata.io.text_out import write_text


def test_text_is_utf8_with_unix_line_ends_in_folders_that_are_made(tmp_path: Path) -> None:
    file = write_text(tmp_path / "a" / "b" / "t.csv", "x\n50 °C\n")
    assert file.read_bytes() == b"x\n50 \xc2\xb0C\n"
    assert [p.name for p in file.parent.iterdir()] == ["t.csv"]


def test_a_failure_keeps_the_old_file_and_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "t.csv", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_text(tmp_path / "t.csv", "new")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
