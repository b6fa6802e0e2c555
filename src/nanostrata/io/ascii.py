"""Columns of numbers in a text file, whatever separates them."""

from __future__ import annotations

import re

import numpy as np

from nanostrata.errors import DataError
from nanostrata.io import units
from nanostrata.io.curves import RawCurve

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?"
_POINT = re.compile(rf"^(?:{_NUMBER}|[+-]?(?:nan|inf|infinity)|[-–]{{2,}}|n/?a)$", re.IGNORECASE)


def decode(name: str, data: bytes) -> tuple[str, str | None]:
    """Return the text and a note when it was not UTF-8.

    Raises
    ------
    DataError
        When the bytes are not text.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16"), "read as UTF-16"
    if b"\x00" in data[:4096]:
        raise DataError(f"{name}: is not a text file, canSAS XML or NXcanSAS HDF5; export the curve as columns q, intensity, sigma")
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        return data.decode("latin-1"), "not UTF-8; read as Latin-1"


def _split(line: str, decimal_comma: bool, separator: str | None) -> list[str]:
    cells = line.split(separator) if separator else line.split()
    cells = [c.strip() for c in cells]
    while cells and cells[-1] == "":
        cells.pop()
    return [c.replace(",", ".") for c in cells] if decimal_comma else cells


def _layout(lines: list[str]) -> tuple[bool, str | None]:
    """Decide separator and decimal comma by which reading turns most lines into 2 to 4 numbers."""
    ways: list[tuple[bool, str | None]] = [
        (False, None), (False, ";"), (False, "\t"), (False, ","), (True, ";"), (True, "\t"), (True, None)
    ]  # fmt: skip

    def score(way: tuple[bool, str | None]) -> int:
        return sum(_is_row(_split(line, *way)) for line in lines)

    return max(ways, key=score)


def _is_row(cells: list[str]) -> bool:
    return 2 <= len(cells) <= 4 and all(_POINT.match(c) for c in cells)


def _value(cell: str) -> float:
    low = cell.lower()
    if low in ("na", "n/a") or set(cell) <= {"-", "–"}:
        return float("nan")
    return float(low.replace("d", "e")) if re.fullmatch(_NUMBER, cell) else float(low)


def read_ascii(name: str, data: bytes) -> RawCurve:
    """Read 2 to 4 columns q, intensity, sigma, dq after any number of header lines.

    Raises
    ------
    DataError
        When no block of numbers is found, or rows of the block are broken (all of them are named).
    """
    text, note = decode(name, data)
    lines = re.split(r"\r\n|\r|\n", text)
    candidates = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "%", "!", "//"))]
    way = _layout(candidates)
    cells = [_split(line, *way) if line.strip() and not line.lstrip().startswith(("#", "%", "!", "//")) else [] for line in lines]
    is_row = [_is_row(c) for c in cells]
    count = _columns(cells, is_row)
    # the block starts at the first of three rows in a line of the common width: headers may hold numbers too
    good = [r and len(c) == count for r, c in zip(is_row, cells, strict=True)]
    rows = [i for i, g in enumerate(good) if g]
    if len(rows) < 3:
        raise DataError(
            f"{name}: no columns of numbers were found (expected 2 to 4: q, intensity, sigma, dq, separated by space, tab, comma or "
            "semicolon); export the curve as text"
        )
    start = next((i for i in rows if all(i + k < len(good) and (good[i + k] or not lines[i + k].strip()) for k in range(3))), rows[0])
    broken = [i + 1 for i in range(start, len(lines)) if lines[i].strip() and not good[i] and cells[i]]
    if broken:
        tail_only = broken[0] > max(rows) + 1
        if not tail_only:
            raise DataError(
                f"{name}, lines {', '.join(map(str, broken[:12]))}{' …' if len(broken) > 12 else ''}: expected {count} numbers as in the "
                f"rows around, got for example {lines[broken[0] - 1].strip()[:40]!r}; correct or remove these lines"
            )
    used = [i for i in rows if i >= start]
    table = np.array([[_value(c) for c in cells[i]] for i in used])
    header = lines[:start] + [line for line in lines if line.lstrip().startswith(("#", "%", "!", "//"))]
    notes = [note] if note else []
    if way[0]:
        notes.append("read with decimal commas")
    if start:
        notes.append(f"{start} header lines passed over")
    return RawCurve(
        name=name, entry="", rows=np.array(used) + 1, row_word="lines", q=table[:, 0], intensity=table[:, 1],
        sigma=table[:, 2] if count > 2 else None, dq=table[:, 3] if count > 3 else None,
        stated=units.unit_in_header(header), notes=notes,
    )  # fmt: skip


def _columns(cells: list[list[str]], is_row: list[bool]) -> int:
    widths = [len(c) for c, r in zip(cells, is_row, strict=True) if r]
    return max(set(widths), key=widths.count) if widths else 0
