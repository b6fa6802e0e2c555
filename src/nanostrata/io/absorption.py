"""Absorption scans of one edge: XDI files, and columns with a header that names them."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nanostrata.domain import Origin
from nanostrata.domain.base import Domain, FloatArray
from nanostrata.errors import DataError
from nanostrata.io.factor_file import LARGEST_STEP_EV
from nanostrata.tables.edges import parse_edge

__all__ = ["AFTER_EV", "BEFORE_EV", "AbsorptionScan", "read_absorption"]

BEFORE_EV, AFTER_EV = 60.0, 200.0
"""A scan must reach so far below and above the edge: less does not hold the background and the height."""

_FINE_EV = (8.0, 20.0)
"""Distances below and above the edge between which steps must be fine: there f'' rises."""

_FAR_BELOW_EV, _FAR_ABOVE_EV = 35.0, 80.0
_POINTS_BELOW, _POINTS_ABOVE = 5, 20

_COMMENT = ("#", "%", "!", "//", ";")
_XDI = re.compile(r"^#\s*XDI/", re.IGNORECASE)
_FIELD = re.compile(r"^#\s*([A-Za-z_]+\.[A-Za-z0-9_]+)\s*:\s*(.*)$")
_UNIT = re.compile(r"(?<![a-z])k?ev(?![a-z])", re.IGNORECASE)
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_']*")
_DIRECT = {
    "mutrans": "transmission", "normtrans": "transmission", "mufluor": "fluorescence", "normfluor": "fluorescence",
    "mu": "absorption", "xmu": "absorption", "norm": "absorption", "absorption": "absorption",
}  # fmt: skip
_BEHIND = ("itrans", "i1", "it", "i_trans")
_FLUORESCENCE = ("ifluor", "if", "iff", "i_fluor", "fluor", "fluorescence")
_HOW = (
    'name the columns in the line above the numbers, for example "# energy_ev mu" or "# energy_ev i0 i1" (i1: behind '
    'the sample) or "# energy_ev i0 ifluor"'
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AbsorptionScan(Domain):
    """Absorption against energy round one edge.

    Attributes
    ----------
    element, shell : of the edge
    energy_ev, mu : (n,) increasing energies, eV, and absorption in any unit, with whatever smooth background it has
    how : how mu was made, in words
    origin : file and digest
    """

    element: str
    shell: str
    energy_ev: FloatArray
    mu: FloatArray
    how: str
    origin: Origin


def read_absorption(path: str | Path, edge: str) -> AbsorptionScan:
    """Read an absorption scan.

    XDI files (fields ``# Column.1: energy eV``), or text columns under a line that names them. The absorption is taken
    from a column mutrans, mufluor or mu; else it is ln(i0/itrans) or ifluor/i0. The unit of the energy must be stated.

    Parameters
    ----------
    path : the file
    edge : such as "Zn K"

    Returns
    -------
    AbsorptionScan

    Raises
    ------
    DataError
        With every problem: no numbers, unknown columns, no unit, another element, energies that do not increase,
        counts that are not positive, a scan without the edge, too short or too coarse.
    """
    file = str(path)
    element, shell, edge_kev = parse_edge(edge)
    data = _bytes(Path(path), file)
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    header, rows, problems = _rows(lines, file)
    fields = {m[1].lower(): m[2].strip() for m in map(_FIELD.match, header) if m}
    xdi = bool(header) and bool(_XDI.match(header[0]))
    names, units = _names(fields, header, rows.shape[1], xdi)
    problems += _other_edge(fields, element, shell, file)
    energy, unit = _energy(names, units, header, rows, file, xdi, problems)
    mu, how = _absorption(names, rows, file, problems)
    if energy is not None:
        problems += _shape(energy, element, shell, 1e3 * edge_kev, file)
    if problems or energy is None or mu is None:
        raise DataError(*problems)
    origin = Origin(
        file=file, sha256=hashlib.sha256(data).hexdigest(), unit_read=unit, stage="read", points_read=len(rows),
        points_kept=len(rows),
    )  # fmt: skip
    return AbsorptionScan(element=element, shell=shell, energy_ev=energy, mu=mu, how=how, origin=origin)


def _bytes(path: Path, file: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file; check the path (relative to the project file)") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); expected an absorption scan") from error
    if b"\0" in data:
        raise DataError(f"{file}: binary data; expected an absorption scan as text (XDI, or columns with a header)")
    return data


def _rows(lines: Sequence[str], file: str) -> tuple[list[str], FloatArray, list[str]]:
    """Return the lines above the numbers, the numbers, and what is wrong with single rows."""
    header: list[str] = []
    rows: list[list[float]] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        cells = [_number(c) for c in re.split(r"\s*[,;]\s*|\s+", text.strip(",; "))]
        if text.startswith(_COMMENT) or (not rows and any(math.isnan(v) for v in cells)):
            if not rows:
                header.append(text)
        elif rows and len(cells) != len(rows[0]):
            problems.append(f"{file}, line {number}: {len(cells)} columns, the rows above have {len(rows[0])}")
        elif not all(math.isfinite(v) for v in cells):
            problems.append(f"{file}, line {number}: expected finite numbers, got {text[:60]!r}")
        else:
            rows.append(cells)
    if len(rows) < 2 or len(rows[0]) < 2:
        found = "no numbers" if not rows else f"{len(rows)} row(s) of {len(rows[0])} number(s)"
        raise DataError(f"{file}: {found}; expected an absorption scan: energy and absorption, one row per energy")
    if len(problems) > 5:
        problems = [*problems[:5], f"{file}: {len(problems)} such lines in all"]
    return header, np.array(rows), problems


def _number(cell: str) -> float:
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def _names(fields: dict[str, str], header: Sequence[str], columns: int, xdi: bool) -> tuple[list[str], list[str]]:
    """Return the name and the unit of each column, lower case; names are empty where nothing tells them."""
    if xdi:
        stated = [fields.get(f"column.{i + 1}", "").split("||")[0].split() for i in range(columns)]
        return [s[0].lower() if s else "" for s in stated], [" ".join(s[1:]) for s in stated]
    words: list[str] = []
    for line in reversed(header):
        # brackets hold units, in any spelling; what is left are the names
        bare = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", line)
        words = [w.lower() for w in _WORDS.findall(bare)]
        if len(words) == columns:
            break
    if len(words) != columns:
        # two columns can only be energy and absorption
        words = ["energy", "mu"] if columns == 2 else [""] * columns
    return ["energy" if re.match(r"(energy|e$|k?ev$|e_k?ev$)", w) else w for w in words], [""] * columns


def _other_edge(fields: dict[str, str], element: str, shell: str, file: str) -> list[str]:
    stated = [fields.get("element.symbol", element), fields.get("element.edge", shell)]
    if [s.lower() for s in stated] == [element.lower(), shell.lower()]:
        return []
    return [
        f"{file}: the file says it is a scan of {' '.join(stated)}, asaxs.edge is {element} {shell}; give the scan of "
        "that edge, or correct asaxs.edge"
    ]


def _energy(
    names: Sequence[str], units: Sequence[str], header: Sequence[str], rows: FloatArray, file: str, xdi: bool,
    problems: list[str],
) -> tuple[FloatArray | None, str]:  # fmt: skip
    """Return the energies in eV and the unit that the file states."""
    if "energy" not in names:
        angle = " (an angle is not converted)" if "angle" in names else ""
        where = 'a field "# Column.1: energy eV"' if xdi else _HOW
        problems.append(f"{file}: no column of energies is named{angle}; expected {where}")
        return None, ""
    at = names.index("energy")
    text = units[at] if xdi else " ".join(header[-3:])
    said = {w.lower() for w in _UNIT.findall(text.replace("_", " "))}
    if len(said) != 1:
        what = "does not say whether energies are in eV or keV" if not said else "names both eV and keV"
        expected = '"# Column.1: energy eV"' if xdi else '"# energy_ev mu"'
        problems.append(f"{file}: the header {what}; write the unit beside the name, as in {expected}")
        return None, ""
    unit = "keV" if "kev" in said else "eV"
    energy = rows[:, at] * (1e3 if unit == "keV" else 1.0)
    if not 1e3 <= float(np.median(energy)) <= 2e5:
        problems.append(
            f"{file}: the header says {unit}, but energies of {rows[0, at]:g} to {rows[-1, at]:g} are not between 1 and "
            "200 keV then; correct the header or the numbers"
        )
        return None, unit
    return energy, unit


def _absorption(
    names: Sequence[str], rows: FloatArray, file: str, problems: list[str]
) -> tuple[FloatArray | None, str]:
    """Return mu and how it was made; transmission before fluorescence where a file has both."""

    def column(*wanted: str) -> FloatArray | None:
        found = next((n for n in wanted if n in names), None)
        return None if found is None else rows[:, names.index(found)]

    for name, kind in _DIRECT.items():
        mu = column(name)
        if mu is not None:
            return mu, f"column {name}" + ("" if kind == "absorption" else f", {kind}")
    before, behind, fluorescence = column("i0"), column(*_BEHIND), column(*_FLUORESCENCE)
    if before is None or (behind is None and fluorescence is None):
        named = ", ".join(n or "?" for n in names)
        problems.append(
            f"{file}: no absorption among the columns ({named}); expected mu, or i0 with itrans or ifluor. For a file "
            f"without names, {_HOW}"
        )
        return None, ""
    other = behind if behind is not None else fluorescence
    assert other is not None
    bad = np.flatnonzero((before <= 0) | (other <= 0))
    if bad.size:
        problems.append(
            f"{file}: {bad.size} row(s) with counts that are not positive, the first at row {bad[0] + 1} of the numbers; "
            "take them out"
        )
        return None, ""
    return (np.log(before / other), "ln(i0/i1), transmission") if behind is not None else (
        other / before, "if/i0, fluorescence",
    )  # fmt: skip


def _shape(energy: FloatArray, element: str, shell: str, edge: float, file: str) -> list[str]:
    """Name what the energies of the scan lack."""
    problems = []
    if np.any(np.diff(energy) <= 0):
        row = int(np.argmax(np.diff(energy) <= 0)) + 2
        problems.append(f"{file}: energies must increase, row {row} of the numbers does not; sort them, one per energy")
        energy = np.unique(energy)
    low, high = float(energy[0]), float(energy[-1])
    name = f"the {element} {shell} edge ({edge:.1f} eV)"
    if not low < edge < high:
        return [*problems, f"{file}: {low:.1f} to {high:.1f} eV do not hold {name}; give a scan of this edge"]
    below, above = int(np.sum(energy < edge - _FAR_BELOW_EV)), int(np.sum(energy > edge + _FAR_ABOVE_EV))
    if edge - low < BEFORE_EV or below < _POINTS_BELOW:
        problems.append(
            f"{file}: too short before {name}: begins {edge - low:.0f} eV below it, {below} points farther than "
            f"{_FAR_BELOW_EV:g} eV; needed are {BEFORE_EV:g} eV and {_POINTS_BELOW} points"
        )
    if high - edge < AFTER_EV or above < _POINTS_ABOVE:
        problems.append(
            f"{file}: too short after {name}: ends {high - edge:.0f} eV above it, {above} points farther than "
            f"{_FAR_ABOVE_EV:g} eV; needed are {AFTER_EV:g} eV and {_POINTS_ABOVE} points"
        )
    inside = (energy[1:] > edge - _FINE_EV[0]) & (energy[:-1] < edge + _FINE_EV[1])
    steps = np.where(inside, np.diff(energy), 0.0)
    worst = int(np.argmax(steps))
    return problems + (
        []
        if steps[worst] < LARGEST_STEP_EV
        else [
            f"{file}: the step from {energy[worst]:.1f} to {energy[worst + 1]:.1f} eV is {steps[worst]:.3g} eV wide; round {name} "
            f"steps below {LARGEST_STEP_EV:g} eV are needed. Give a finer scan"
        ]
    )
