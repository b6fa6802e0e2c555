"""Curves in text columns: any separator, any header, decimal point or comma, any line ends."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from nanostrata.errors import DataError
from nanostrata.io.raw_curve import RawCurve, places
from nanostrata.io.units import header_intensity_unit, header_q_unit

__all__ = ["read_text_curve"]

Dialect: TypeAlias = tuple[str, str]
# Separator ("" = white space) and decimal sign. Where two explain a file equally well they give the same numbers.
_DIALECTS: Final[tuple[Dialect, ...]] = (
    (";", "."),
    (";", ","),
    ("\t", "."),
    ("\t", ","),
    (",", "."),
    ("", "."),
    ("", ","),
)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_NOT_FINITE: Final = re.compile(r"[+-]?(?:nan(?:\(.*\))?|inf(?:inity)?|1\.#(?:qnan|snan|ind|inf)\d*)", re.IGNORECASE)
_COMMENT: Final = ("#", "%", "!", "//")
# Enough of the end of the file to tell the separator; headers stand at the beginning.
_SAMPLE_LINES: Final = 400

_OTHER_FILES: Final = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"%PDF": "a PDF",
}

# The names that columns have in practice, each pattern for the whole cell with its unit cut off.
_ROLES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "dq",
        re.compile(
            r"(?:d|delta_?|sigma_?|sig_?|res_?)q\b.*|q_?(?:dev|err|error|res|sigma|resolution)\b.*", re.IGNORECASE
        ),
    ),
    ("q", re.compile(r"q(?:\b|_).*", re.IGNORECASE)),
    (
        "sigma",
        re.compile(
            r"(?:d|delta_?|err_?|sigma_?|sig_?)i\b.*|i_?(?:dev|err|error|sigma)\b.*|(?:sigma|sig|err|error|std|stdev|unc)\w*\b.*",
            re.IGNORECASE,
        ),
    ),
    ("intensity", re.compile(r"i\b.*|int\w*\b.*|counts?\b.*", re.IGNORECASE)),
)
_ORDER: Final = ("q", "intensity", "sigma", "dq")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    comment: bool
    cells: tuple[float | None, ...]

    @property
    def numeric(self) -> bool:
        return len(self.cells) >= 2 and None not in self.cells


def read_text_curve(file: str, data: bytes) -> RawCurve:
    """Read 2 to 4 columns q, intensity, sigma, dq under any number of header lines.

    The data begin where lines with equally many numbers follow each other; what stands before is header. A row that
    cannot be read is kept as such, with its line number.

    Parameters
    ----------
    file : name for messages
    data : the bytes of the file

    Raises
    ------
    DataError
        When there are no columns of numbers, more than four, or their separator cannot be told.
    """
    numbered = [(i, s.strip()) for i, s in enumerate(re.split(r"\r\n|\n|\r", _decode(file, data)), 1)]
    content = [(i, s) for i, s in numbered if s]
    dialect = _dialect([s for _, s in content if not s.startswith(_COMMENT)])
    lines = [_parse(i, s, dialect) for i, s in content]
    columns, start = _data_block(file, lines)
    header = [(x.number, x.text) for x in lines[:start]]
    body = [x for x in lines[start:] if not x.comment]
    if columns > 4:
        raise DataError(
            f"{file}: {columns} columns from line {lines[start].number} on; 2 to 4 are expected "
            "(q, intensity, sigma, dq); leave out the others. Numbers with a decimal comma "
            "must be separated by semicolon, tab or space"
        )
    _refuse_ambiguous_commas(file, dialect, columns, body)
    notes, problems = _header_remarks(file, lines[:start], columns, dialect)
    rows = [x for x in body if x.numeric and len(x.cells) == columns]
    short = tuple(x.number for x in body if x.numeric and len(x.cells) != columns)
    text = tuple(x.number for x in body if not x.numeric)
    table = np.array([x.cells for x in rows], dtype=np.float64)
    if dialect[1] == "," and any("," in x.text for x in rows):
        notes.append("numbers have a decimal comma")
    intensity_unit, where = header_intensity_unit(header)
    if where:
        notes.append(f"intensity is in {intensity_unit} ({where})")
    return RawCurve(
        file=file,
        q=table[:, 0],
        intensity=table[:, 1],
        sigma=table[:, 2] if columns > 2 else None,
        dq=table[:, 3] if columns > 3 else None,
        place=np.array([x.number for x in rows], dtype=np.int64),
        unreadable=tuple((w, p) for w, p in ((f"{columns} numbers are expected", short), ("not numbers", text)) if p),
        stated_unit=header_q_unit(header),
        intensity_unit=intensity_unit,
        notes=tuple(notes),
        problems=tuple(problems),
    )


def _decode(file: str, data: bytes) -> str:
    kind = next((k for magic, k in _OTHER_FILES.items() if data.startswith(magic)), None)
    what = "text columns, canSAS XML or NXcanSAS are expected"
    if kind:
        raise DataError(f"{file}: this is {kind}; {what}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as e:
            raise DataError(f"{file}: starts like UTF-16 text but is none ({e.reason}); {what}") from e
    control = sum(data.count(bytes([c])) for c in range(32) if c not in (9, 10, 12, 13, 26))
    if b"\0" in data or control > 0.01 * len(data):
        raise DataError(f"{file}: binary data; {what}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _cells(text: str, separator: str) -> list[str]:
    parts = text.split(separator) if separator else text.split()
    cells = [p.strip().strip('"').strip() for p in parts]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _number(cell: str, decimal: str) -> float | None:
    if not cell:
        return float("nan")  # an empty cell between separators: the number is missing
    if decimal == ",":
        if "." in cell and "#" not in cell:
            return None
        cell = cell.replace(",", ".", 1)
    if _NUMBER.fullmatch(cell):
        return float(cell.replace("D", "e").replace("d", "e"))
    if _NOT_FINITE.fullmatch(cell):
        sign = -1.0 if cell.startswith("-") else 1.0
        return sign * float("inf") if "inf" in cell.lower() else float("nan")
    return None


def _parse(number: int, text: str, dialect: Dialect) -> _Line:
    comment = text.startswith(_COMMENT)
    # "#" inside a number is what some compilers print for NaN: 1.#QNAN
    bare = re.sub(r"\s+#.*$", "", text)
    cells = () if comment else tuple(_number(c, dialect[1]) for c in _cells(bare, dialect[0]))
    return _Line(number, text, comment, cells)


def _dialect(lines: list[str]) -> Dialect:
    sample = lines[-_SAMPLE_LINES:]
    return max(_DIALECTS, key=lambda d: sum(_parse(0, s, d).numeric for s in sample))


def _data_block(file: str, lines: list[_Line]) -> tuple[int, int]:
    """Return the number of columns and the index of the first line of data."""
    runs: list[tuple[int, int, int]] = []  # columns, first index, rows
    broken = True
    for i, x in enumerate(lines):
        if x.comment:
            continue
        if not x.numeric:
            broken = True
        elif broken or len(x.cells) != runs[-1][0]:
            runs.append((len(x.cells), i, 1))
            broken = False
        else:
            runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + 1)
    if not runs:
        first = next((x.text for x in lines if not x.comment), lines[0].text if lines else "")
        single = any(len(x.cells) == 1 and x.cells[0] is not None for x in lines)
        found = "one column of numbers" if single else f"no columns of numbers (it begins with {first[:40]!r})"
        raise DataError(f"{file}: found {found}; 2 to 4 are expected (q, intensity, sigma, dq)")
    by_columns = Counter[int]()
    for columns, _, rows in runs:
        by_columns[columns] = max(by_columns[columns], rows)
    columns = max(by_columns, key=lambda c: by_columns[c])
    enough = min(3, by_columns[columns])
    start = next(i for c, i, rows in runs if c == columns and rows >= enough)
    # Rows before it belong to the data as long as each has that many cells and begins with a number; so one damaged
    # row near the top does not turn its neighbours into header.
    for i in range(start - 1, -1, -1):
        x = lines[i]
        if x.comment:
            continue
        if len(x.cells) != columns or x.cells[0] is None or np.isnan(x.cells[0]):
            break
        start = i
    return columns, start


def _refuse_ambiguous_commas(file: str, dialect: Dialect, columns: int, body: list[_Line]) -> None:
    """0,1,5,0 may be four integers or two numbers with a decimal comma."""
    if dialect != (",", ".") or columns % 2:
        return
    if not any(re.search(r"[.eEdD]", x.text) for x in body if x.numeric):
        raise DataError(
            f"{file}: cannot tell whether the commas in {body[0].text[:40]!r} separate columns or are decimal commas; "
            "separate the columns by semicolon, tab or space"
        )


def _header_remarks(file: str, header: list[_Line], columns: int, dialect: Dialect) -> tuple[list[str], list[str]]:
    notes: list[str] = []
    problems: list[str] = []
    if header:
        notes.append(f"{places([x.number for x in header])} read as header")
    alike = [x.number for x in header if x.numeric and len(x.cells) == columns]
    if alike:
        notes.append(
            f"{places(alike)} of the header also {'hold' if len(alike) > 1 else 'holds'} {columns} numbers; "
            "not taken as data"
        )
    if not header:
        return notes, problems
    last = header[-1]
    names = _cells(last.text.lstrip("#%!/ \t"), dialect[0])
    if len(names) != columns:
        return notes, problems
    where = f"{file}, line {last.number}"
    if re.match(r"(?:2|two)?[\s_-]*(?:theta|th|θ)(?![^\W_])|tth(?![^\W_])|angle", names[0], re.IGNORECASE):
        problems.append(f"{where}: the first column is named {names[0]!r}; q is expected, not an angle; convert it")
    if re.fullmatch(r"s\b.*", names[0]):
        notes.append(
            f"the first column is named {names[0]!r} and taken as q = 4 pi sin(theta)/lambda; "
            "if it is 2 sin(theta)/lambda, multiply it by 2 pi first"
        )
    roles = [next((role for role, pattern in _ROLES if pattern.fullmatch(n)), None) for n in names]
    for k, (role, name) in enumerate(zip(roles, names, strict=True)):
        if role is not None and role != _ORDER[k]:
            problems.append(
                f"{where}: column {k + 1} is named {name!r}, but {_ORDER[k]} is expected there; "
                "put the columns in the order q, intensity, sigma, dq"
            )
    return notes, problems
