"""Measured f' and f'' of one element from text columns: energy, f', f''."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path

import numpy as np

from nanostrata.domain import Origin
from nanostrata.domain.base import FloatArray
from nanostrata.errors import DataError, PhysicsError
from nanostrata.tables.edges import edges_kev, parse_edge
from nanostrata.tables.factors import MeasuredFactors

__all__ = ["EDGE_REACH_EV", "LARGEST_STEP_EV", "read_measured_factors"]

EDGE_REACH_EV = 30.0
LARGEST_STEP_EV = 2.0
"""So near an edge the steps of a table must be smaller than this: a line across the edge means nothing."""

_KEV_RANGE = (1.0, 200.0)
_EV_RANGE = (1000.0, 200000.0)
_COMMENT = ("#", "%", "!", "//", ";")
_HOW = "name the columns in the first line: # energy_ev f_prime f_double_prime"


def read_measured_factors(path: str | Path, edge: str) -> tuple[MeasuredFactors, Origin]:
    """Read f' and f'' of the resonant element.

    Three columns of numbers, separated by white space, commas or semicolons, under any header: energy, f' (without Z), f''.
    Energies are in eV or keV: as the line above the numbers says, else by their size, where that leaves no doubt.

    Parameters
    ----------
    path : the file
    edge : such as "Zn K"; its element is the one whose factors these are

    Returns
    -------
    MeasuredFactors, Origin
        Energies in keV.

    Raises
    ------
    DataError
        With every problem: unreadable rows, a unit that is not clear or contradicts the numbers, columns in another
        order, energies that do not increase, steps of 2 eV or more within 30 eV of an edge of the element.
    """
    file = str(path)
    element, _, edge_kev = parse_edge(edge)
    data = _bytes(Path(path), file)
    header, numbers = _columns(data, file)
    unit, how = _unit(header, numbers[:, 0], file)
    energy = numbers[:, 0] * (1e-3 if unit == "eV" else 1.0)
    f_prime, f_double_prime = numbers[:, 1], numbers[:, 2]
    if f_double_prime.min() < 0 <= f_prime.min():
        raise DataError(
            f"{file}: the second column is never negative and the third is: these look like energy, f'', f'; write the "
            "columns in the order energy, f', f''"
        )
    try:
        measured = MeasuredFactors(element, *(tuple(v.tolist()) for v in (energy, f_prime, f_double_prime)))
    except PhysicsError as error:
        raise DataError(*(f"{file}: {p}" for p in error.problems)) from None
    problems = _coarse(energy, element, edge_kev, file)
    if problems:
        raise DataError(*problems)
    notes = (
        f"f' and f'' of {element} are those of {file} ({energy[0]:.4f} to {energy[-1]:.4f} keV, {len(energy)} points, "
        f"energies in {unit} {how})",
    )
    origin = Origin(
        file=file, sha256=hashlib.sha256(data).hexdigest(), unit_read=unit, stage="read", notes=notes,
        points_read=len(energy), points_kept=len(energy),
    )  # fmt: skip
    return measured, origin


def _bytes(path: Path, file: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file; check the path (relative to the project file)") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); expected columns energy, f', f''") from error
    if b"\0" in data:
        raise DataError(f"{file}: binary data; expected text with the columns energy, f', f''")
    return data


def _columns(data: bytes, file: str) -> tuple[str, FloatArray]:
    """Return the line above the numbers, and the numbers (n, 3)."""
    header = ""
    rows: list[list[float]] = []
    problems = []
    for number, line in enumerate(data.decode("utf-8-sig", errors="replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(_COMMENT):
            header = text if text and not rows else header
            continue
        values = [_number(c) for c in re.split(r"\s*[,;]\s*|\s+", text.strip(",; "))]
        if not rows and any(math.isnan(v) for v in values):
            header = text
        elif len(values) != 3:
            problems.append(f"{file}, line {number}: {len(values)} columns; expected three: energy, f', f''")
        elif not all(math.isfinite(v) for v in values):
            problems.append(f"{file}, line {number}: expected three finite numbers, got {text[:60]!r}")
        else:
            rows.append(values)
    if problems:
        raise DataError(*problems[:5], *([f"{file}: {len(problems)} such lines in all"] if len(problems) > 5 else []))
    if len(rows) < 2:
        raise DataError(f"{file}: {len(rows)} rows of numbers; expected the columns energy, f', f''")
    return header, np.array(rows)


def _number(cell: str) -> float:
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def _unit(header: str, energy: FloatArray, file: str) -> tuple[str, str]:
    """Return "eV" or "keV" and how it is known."""
    low, high = float(energy.min()), float(energy.max())
    words = {w.lower() for w in re.findall(r"(?<![a-z])k?ev(?![a-z])", header, flags=re.IGNORECASE)}
    by_size = [unit for unit, (a, b) in (("eV", _EV_RANGE), ("keV", _KEV_RANGE)) if a <= float(np.median(energy)) <= b]
    if len(words) > 1:
        raise DataError(f"{file}: the header names both eV and keV ({header[:80]!r}); {_HOW}")
    if words:
        stated = "keV" if "kev" in words else "eV"
        if by_size and by_size != [stated]:
            raise DataError(
                f"{file}: the header says {stated}, but energies of {low:g} to {high:g} look like {by_size[0]}; correct "
                "the header or the numbers"
            )
        return stated, "as its header says"
    for unit, (a, b) in (("eV", _EV_RANGE), ("keV", _KEV_RANGE)):
        if a <= low and high <= b:
            return unit, "by their size"
    raise DataError(
        f"{file}: energies of {low:g} to {high:g} may be eV or keV, and the header does not say which; {_HOW}"
    )


def _coarse(energy_kev: FloatArray, element: str, edge_kev: float, file: str) -> list[str]:
    """Name the edges that the table crosses, or comes near, in steps that are too large."""
    problems = []
    # edges of shells further out lie at less than half the energy; no curve of this project is measured there
    near = [(shell, at) for shell, at in edges_kev(element) if at > 0.5 * edge_kev]
    for shell, at in near:
        reach = EDGE_REACH_EV * 1e-3
        inside = (energy_kev[1:] > at - reach) & (energy_kev[:-1] < at + reach)
        steps = np.where(inside, np.diff(energy_kev), 0.0) * 1e3
        worst = int(np.argmax(steps))
        # 2.000 eV counts as 2 eV: 9.661 - 9.659 is a little less in binary
        if steps[worst] >= LARGEST_STEP_EV - 1e-6:
            problems.append(
                f"{file}: the step from {energy_kev[worst]:.4f} to {energy_kev[worst + 1]:.4f} keV is {steps[worst]:.3g} eV "
                f"wide; within {EDGE_REACH_EV:g} eV of the {element} {shell} edge ({at:.4f} keV) steps below "
                f"{LARGEST_STEP_EV:g} eV are needed. Give a finer table"
            )
    return problems
