"""Tables of TEM readings and of element percentages: from files to plain frozen columns, units settled at the door."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.domain.origin import Origin
from nanostrata.errors import DataError
from nanostrata.io.text_table import TextTable, checked_number, read_table

__all__ = ["EdxTable", "TemReadings", "read_edx", "read_tem_readings"]

_SYMBOLS = frozenset(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr "
    "Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W "
    "Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf".split()
)
# ImageJ's "Summarize" appends these rows to the table of particles.
_SUMMARY_ROWS = frozenset({"mean", "sd", "min", "max"})
_NOT_KEPT = frozenset({"0", "false", "no"})
_KEPT = frozenset({"1", "true", "yes"})
_UNITS = ("nm", "px")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TemReadings(Domain):
    """Axes of single particles as read off micrographs.

    Attributes
    ----------
    major_nm : (n,) longer axis, nm
    minor_nm : (n,) shorter axis, nm; equal to ``major_nm`` when the file has one diameter per particle
    one_diameter : the file has one diameter per particle, so that nothing is known of the aspect ratio
    notes : what was converted, left out or assumed, one sentence each
    origin : file, digest, unit; the same notes
    """

    major_nm: FloatArray
    minor_nm: FloatArray
    one_diameter: bool = False
    notes: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        major = frozen_array("major_nm", self.major_nm, positive=True)
        freeze(self, "major_nm", major)
        freeze(self, "minor_nm", frozen_array("minor_nm", self.minor_nm, positive=True, length=len(major)))

    def __len__(self) -> int:
        return len(self.major_nm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdxTable(Domain):
    """Element percentages as measured, before any closure.

    Attributes
    ----------
    elements : symbols, in the order of the file
    atomic_percent : (n,) atomic per cent, >= 0, not renormalised
    error : (n,) one standard deviation, atomic per cent, > 0
    notes : what was assumed, one sentence each
    origin : file, digest; the same notes
    """

    elements: tuple[str, ...]
    atomic_percent: FloatArray
    error: FloatArray
    notes: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        n = len(self.elements)
        freeze(self, "atomic_percent", frozen_array("atomic_percent", self.atomic_percent, nonnegative=True, length=n))
        freeze(self, "error", frozen_array("error", self.error, positive=True, length=n))


def read_tem_readings(path: str | Path, *, unit: str | None = None, nm_per_pixel: float | None = None) -> TemReadings:
    """Read the axes of single particles from a table.

    Understood are ``major_nm,minor_nm`` (or one column ``diameter_nm``; a column ``kept`` leaves particles out), and
    ImageJ's Results table with ``Major``/``Minor`` (axes of the fitted ellipse) or ``Feret``/``MinFeret`` (longest and
    shortest calliper), separated by comma, tab or semicolon.

    Parameters
    ----------
    path : file
    unit : "nm" or "px"; needed for an ImageJ table, which does not state the unit of its numbers
    nm_per_pixel : scale of the image, nm; needed with ``unit="px"``

    Returns
    -------
    TemReadings
        In nm.

    Raises
    ------
    DataError
        With every problem of the file, each with its line: unreadable, columns not understood, unit not stated,
        not a number, not positive, minor larger than major.
    """
    table = read_table(path)
    major_at, minor_at, imagej, notes = _tem_columns(table)
    factor = _tem_factor(table, imagej, unit, nm_per_pixel)
    if imagej:
        notes.append(
            f"unit declared as nm (the table is taken to come from a calibrated image): {table.name}"
            if unit == "nm"
            else f"pixels converted with {nm_per_pixel:g} nm per pixel: {table.name}"
        )
    kept_at = table.column("kept")
    problems: list[str] = []
    major: list[float] = []
    minor: list[float] = []
    left_out = summary = 0
    for line, cells in table.rows:
        if imagej and _is_summary(table, cells):
            summary += 1
            continue
        kept = cells[kept_at].strip().lower() if kept_at is not None and kept_at < len(cells) else "1"
        if kept in _NOT_KEPT:
            left_out += 1
            continue
        where = f"{table.name}, line {line}"
        if table.too_wide(cells, where, problems):
            continue
        if kept not in _KEPT:
            problems.append(f"{where}: column kept: expected 1 or 0 (true or false), got {kept!r}")
        a = table.number(cells, major_at, where, problems, positive=True)
        b = table.number(cells, minor_at, where, problems, positive=True) if minor_at is not None else a
        if a is None or b is None:
            continue
        if b > a:
            problems.append(
                f"{where}: minor axis {b:g} is larger than major axis {a:g}; were the columns swapped? "
                "Correct the row or take it out"
            )
            continue
        major.append(a * factor)
        minor.append(b * factor)
    if summary:
        notes.append(f"{summary} summary row(s) (Mean, SD, Min, Max) of ImageJ are not particles and were left out")
    if left_out:
        notes.append(f"{left_out} particle(s) marked kept = 0 were left out")
    if not problems and not major:
        problems.append(f"{table.name}: a header but no particle; expected one row per particle")
    if problems:
        raise DataError(*problems)
    origin = Origin(
        file=table.origin.file, sha256=table.origin.sha256, unit_read=unit or "nm", stage="read", notes=tuple(notes)
    )
    return TemReadings(
        major_nm=np.array(major),
        minor_nm=np.array(minor),
        one_diameter=minor_at is None,
        notes=tuple(notes),
        origin=origin,
    )


def read_edx(source: str | Path | Mapping[str, float], error: float | Mapping[str, float] | None = None) -> EdxTable:
    """Read atomic percentages with their errors.

    Parameters
    ----------
    source : file with the columns ``element,atomic_percent,error``, or a mapping from element to atomic per cent
    error : one standard deviation, atomic per cent: common to all elements or by element. Needed for a mapping and
        for a file without the column ``error``; refused beside that column.

    Raises
    ------
    DataError
        With every problem, each with its line or element: unreadable, unknown element or twice the same, negative,
        above 100, no error stated, weight per cent, fractions instead of per cent.
    """
    if isinstance(source, Mapping):
        name, origin = "edx.atomic_percent", Origin(unit_read="atomic %", stage="read")
        entries = [(f"{name}.{k}", str(k), v) for k, v in source.items()]
        problems: list[str] = []
        values = [checked_number(v, where, "atomic_percent", problems) for where, _, v in entries]
        errors = [_error_of(symbol, error, where, problems) for where, symbol, _ in entries]
        rows = [(where, symbol) for where, symbol, _ in entries]
    else:
        table = read_table(source)
        name = table.name
        origin = Origin(file=table.origin.file, sha256=table.origin.sha256, unit_read="atomic %", stage="read")
        rows, values, errors, problems, notes = _edx_rows(table, error)
        origin = dataclasses.replace(origin, notes=tuple(notes))
    problems += _edx_problems(name, rows, values, errors)
    if problems:
        raise DataError(*problems)
    return EdxTable(
        elements=tuple(symbol for _, symbol in rows),
        atomic_percent=np.array(values, dtype=float),
        error=np.array(errors, dtype=float),
        notes=origin.notes,
        origin=origin,
    )


# --------------------------------------------------------------------------------------------------- TEM


def _tem_columns(table: TextTable) -> tuple[int, int | None, bool, list[str]]:
    """Columns of the axes; whether the table is ImageJ's; notes."""
    both = table.column("major_nm"), table.column("minor_nm")
    if both[0] is not None and both[1] is not None:
        return both[0], both[1], False, []
    single = table.column("diameter_nm")
    if single is not None and both == (None, None):
        return single, None, False, ["one diameter per particle: nothing is known of the aspect ratio"]
    ellipse = table.column("major"), table.column("minor")
    if ellipse[0] is not None and ellipse[1] is not None:
        return ellipse[0], ellipse[1], True, ["ImageJ table: axes of the fitted ellipse (Major, Minor)"]
    feret = table.column("feret"), table.column("minferet")
    if feret[0] is not None and feret[1] is not None:
        note = "ImageJ table: longest and shortest calliper (Feret, MinFeret), which noise of the outline makes larger"
        return feret[0], feret[1], True, [note]
    found = ", ".join(h or "(empty)" for h in table.header)
    raise DataError(
        f"{table.name}, line {table.header_line}: expected a header with major_nm,minor_nm or diameter_nm, or ImageJ's "
        f"Major and Minor (Set Measurements: Fit ellipse) or Feret and MinFeret; found: {found}. "
        "Name the columns in the first line"
    )


def _tem_factor(table: TextTable, imagej: bool, unit: str | None, nm_per_pixel: float | None) -> float:
    """Factor to nm."""
    if unit is not None and unit not in _UNITS:
        raise DataError(f"{table.name}: unit must be one of {', '.join(_UNITS)}, got {unit!r}")
    if not imagej:
        if unit == "px" or nm_per_pixel is not None:
            raise DataError(
                f"{table.name}: the header says nm, but pixels were declared; take out unit and nm_per_pixel, or "
                "rename the columns to Major and Minor"
            )
        return 1.0
    if unit is None:
        raise DataError(
            f'{table.name}: ImageJ\'s table does not state the unit of its lengths; write unit = "nm" (the image was '
            'calibrated with Set Scale) or unit = "px" and nm_per_pixel = ...'
        )
    if unit == "nm":
        if nm_per_pixel is not None:
            raise DataError(f'{table.name}: unit = "nm" and nm_per_pixel contradict each other; keep one of them')
        return 1.0
    if nm_per_pixel is None or not math.isfinite(nm_per_pixel) or nm_per_pixel <= 0:
        raise DataError(f'{table.name}: unit = "px" needs nm_per_pixel > 0, got {nm_per_pixel!r}')
    return float(nm_per_pixel)


def _is_summary(table: TextTable, cells: tuple[str, ...]) -> bool:
    """Whether a row of an ImageJ table is one of its summary rows: named in the index or in the Label column."""
    label = table.column("label")
    names = [cells[0]] + ([cells[label]] if label is not None and label < len(cells) else [])
    return any(n.strip().lower() in _SUMMARY_ROWS for n in names)


# --------------------------------------------------------------------------------------------------- EDX


def _edx_rows(
    table: TextTable, error: float | Mapping[str, float] | None
) -> tuple[list[tuple[str, str]], list[float | None], list[float | None], list[str], list[str]]:
    """Places and symbols, values, errors, problems and notes of a file."""
    element_at, percent_at, error_at = (
        table.column("element"),
        table.column("atomic_percent"),
        table.column("error", "sigma"),
    )
    if element_at is None or percent_at is None:
        hint = " Weight per cent must be converted to atomic per cent first." if _speaks_of_weight(table) else ""
        raise DataError(
            f"{table.name}, line {table.header_line}: expected the columns element,atomic_percent,error; found: "
            f"{', '.join(h or '(empty)' for h in table.header)}.{hint} Name the columns in the first line"
        )
    if error_at is not None and error is not None:
        raise DataError(f"{table.name}: the file has a column {table.header[error_at]}; take out the common error")
    problems: list[str] = []
    notes: list[str] = []
    rows: list[tuple[str, str]] = []
    values: list[float | None] = []
    errors: list[float | None] = []
    for line, cells in table.rows:
        where = f"{table.name}, line {line}"
        symbol = cells[element_at].strip() if element_at < len(cells) else ""
        if symbol.lower() in {"total", "sum"}:
            notes.append(f"{where}: the row {symbol} is no element and was left out")
            continue
        if table.too_wide(cells, where, problems):
            continue
        rows.append((where, symbol))
        values.append(table.number(cells, percent_at, where, problems))
        errors.append(
            table.number(cells, error_at, where, problems)
            if error_at is not None
            else _error_of(symbol, error, where, problems)
        )
    return rows, values, errors, problems, notes


def _speaks_of_weight(table: TextTable) -> bool:
    return any("weight" in h or "wt" in h or "mass" in h for h in table.header)


def _edx_problems(
    name: str, rows: list[tuple[str, str]], values: list[float | None], errors: list[float | None]
) -> list[str]:
    """What is wrong with the columns, beyond cells that are not numbers."""
    problems: list[str] = []
    seen: dict[str, str] = {}
    for (where, symbol), value, err in zip(rows, values, errors, strict=True):
        if symbol not in _SYMBOLS:
            problems.append(
                f"{where}: element: expected a symbol such as Zn (no line name, right case), got {symbol!r}"
            )
        elif symbol in seen:
            problems.append(f"{where}: element {symbol} stands in the table twice (first: {seen[symbol]}); keep one")
        seen.setdefault(symbol, where)
        if value is not None and not 0.0 <= value <= 100.0:
            problems.append(f"{where}: atomic_percent of {symbol}: expected 0 to 100, got {value:g}")
        if err is not None and not 0.0 < err <= 100.0:
            problems.append(
                f"{where}: error of {symbol}: expected one standard deviation > 0 in atomic per cent, got {err:g}"
            )
    if not rows:
        return [f"{name}: no element; expected one per row"]
    total = sum(v for v in values if v is not None)
    if None not in values and not problems and total <= 1.5:
        problems.append(
            f"{name}: the values sum to {total:g}: these look like fractions; write atomic per cent (sum near 100)"
        )
    return problems


def _error_of(symbol: str, error: float | Mapping[str, float] | None, where: str, problems: list[str]) -> float | None:
    value = error.get(symbol) if isinstance(error, Mapping) else error
    if value is None:
        problems.append(
            f"{where}: no error stated for {symbol}; write error = ... (one standard deviation, atomic per cent)"
        )
        return None
    return checked_number(value, where, "error", problems)
