"""Small text tables with a header: cells and line numbers, nothing interpreted."""

from __future__ import annotations

import csv
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from nanostrata.domain.origin import Origin
from nanostrata.errors import DataError

__all__ = ["TextTable", "checked_number", "read_table"]


@dataclass(frozen=True, slots=True)
class TextTable:
    """Cells of a text table.

    Attributes
    ----------
    name : path as the user wrote it
    header : column names, lower case
    header_line : line number of the header, counted from 1
    rows : line number and cells of each row
    decimal_comma : numbers may have a decimal comma (the cells are not separated by commas)
    origin : file and digest
    """

    name: str
    header: tuple[str, ...]
    header_line: int
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    decimal_comma: bool
    origin: Origin

    def column(self, *names: str) -> int | None:
        """Place of the first of these columns that is there."""
        for name in names:
            if name in self.header:
                return self.header.index(name)
        return None

    def too_wide(self, cells: tuple[str, ...], where: str, problems: list[str]) -> bool:
        """Note a problem when a row has more cells than the header (a decimal comma between commas does that)."""
        extra = any(c.strip() for c in cells[len(self.header) :])
        if extra:
            problems.append(
                f"{where}: {len(cells)} cells under a header of {len(self.header)}; with decimal commas, separate the "
                "cells by semicolon or tab"
            )
        return extra

    def number(
        self, cells: tuple[str, ...], at: int, where: str, problems: list[str], *, positive: bool = False
    ) -> float | None:
        """Return the number in one cell; where it is none (or not positive), note a problem and return None."""
        what = self.header[at]
        text = cells[at].strip() if at < len(cells) else ""
        plain = text.replace(",", ".") if self.decimal_comma else text
        try:
            # Python would read 1_000 as a number; a table never means that.
            value = math.nan if "_" in plain else float(plain)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            problems.append(f"{where}: {what}: expected a finite number, got {text!r}")
            return None
        if positive and value <= 0:
            problems.append(f"{where}: {what}: expected a length > 0, got {value:g}")
            return None
        return value


def checked_number(value: object, where: str, what: str, problems: list[str]) -> float | None:
    """Return a number that did not come from text as float; where it is none, note a problem and return None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        problems.append(f"{where}: {what}: expected a finite number, got {value!r}")
        return None
    return float(value)


def read_table(path: str | Path) -> TextTable:
    """Split a text table; the first line that is neither blank nor a comment (#) is the header.

    Cells are separated by tab, else semicolon, else comma, whichever the header has. UTF-8, else Latin-1.

    Raises
    ------
    DataError
        When the file is missing, cannot be read, is binary or empty, or names a column twice.
    """
    name = str(path)
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; check the path (relative to the project file)") from None
    except OSError as e:
        raise DataError(f"{name}: cannot be read ({e.strerror}); expected a text table") from e
    if b"\0" in data:
        raise DataError(f"{name}: expected a text table, found binary data; export it as CSV in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = [(i, s) for i, s in enumerate(text.splitlines(), 1) if s.strip() and not s.lstrip().startswith("#")]
    if not lines:
        raise DataError(f"{name}: the file is empty; expected a header line and one row per entry")
    header_line, head = lines[0]
    separator = next((c for c in "\t;," if c in head), ",")
    header = tuple(c.strip().lower() for c in _cells(head, separator))
    doubled = sorted({h for h in header if h and header.count(h) > 1})
    if doubled:
        raise DataError(f"{name}, line {header_line}: column(s) {', '.join(doubled)} stand twice; keep one of each")
    return TextTable(
        name=name,
        header=header,
        header_line=header_line,
        rows=tuple((n, _cells(s, separator)) for n, s in lines[1:]),
        # With tab or semicolon between cells, a comma can only be a decimal comma.
        decimal_comma=separator != ",",
        origin=Origin(file=name, sha256=hashlib.sha256(data).hexdigest()),
    )


def _cells(line: str, separator: str) -> tuple[str, ...]:
    # One line at a time: a stray quote must not swallow the lines below it.
    return tuple(next(csv.reader([line], delimiter=separator, skipinitialspace=True)))
