"""Output files of GNOM, of its first layout (version 4) and its second (version 5, ATSAS 2.8 and later)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import DataError
from nanostrata.io.raw_curve import RawCurve, file_digest, read_bytes

__all__ = ["GnomFile", "is_gnom", "read_gnom", "read_gnom_curve"]

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?)"
_PARTICLE = re.compile(r"distance\s+distribution\s+function\s+of\s+particle", re.IGNORECASE)
_DISTRIBUTION = re.compile(
    r"(?:distance|characteristic|length|surface)\s+(?:distribution\s+)?function\s+of", re.IGNORECASE
)
_CURVE_HEAD = re.compile(r"^\s*S\s+J EXP\s+ERROR\s+J REG\s+I REG\s*$")
_PAIRS_HEAD = re.compile(r"^\s*R\s+P\(R\)\s+ERROR\s*$")
_RANGE = (
    re.compile(r"Real space range\s*:\s*(?:from)?\s*" + _NUMBER + r"\s+to\s+" + _NUMBER),
    re.compile(r"Maximum characteristic size:()\s*" + _NUMBER),
)
_RG = (
    re.compile(r"Real space Rg:\s*" + _NUMBER + r"\s*\+-\s*" + _NUMBER),
    re.compile(r"Real space:\s*Rg\s*=\s*" + _NUMBER + r"\s*\+-\s*" + _NUMBER),
)
_I_ZERO = (
    re.compile(r"Real space I\(0\):\s*" + _NUMBER + r"\s*\+-\s*" + _NUMBER),
    re.compile(r"Real space:.*I\(0\)\s*=\s*" + _NUMBER + r"\s*\+-\s*" + _NUMBER),
)
_ESTIMATE = re.compile(r"Total\s+estimate\s*:\s*" + _NUMBER, re.IGNORECASE)
_WORST_RG = 0.03
"""Relative difference of the stated radius of gyration to that of the table above which the file is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GnomFile(Domain):
    r"""What a GNOM file holds, in the units of the file (which it does not name).

    Attributes
    ----------
    file, sha256, version : name, digest, "4.6" or "5.0 (r12593)"
    q, intensity, sigma, fit : (n,) experimental points and the regularised curve at them
    q_fit, intensity_fit : (m,) the regularised curve from q = 0 on
    r, p, p_sigma : (k,) pair distances, :math:`4\pi\int p\,dr = I(0)`; empty when the file is not of whole particles
    rg, rg_sigma, i_zero, i_zero_sigma : as stated, from p(r); nan when they are not
    dmax : the largest distance that was allowed
    estimate : quality of the solution as the program rates it, 0 to 1; nan when not stated
    kind : title of the table of p(r)
    """

    file: str
    sha256: str
    version: str
    q: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    fit: FloatArray
    q_fit: FloatArray
    intensity_fit: FloatArray
    r: FloatArray
    p: FloatArray
    p_sigma: FloatArray
    rg: float
    rg_sigma: float
    i_zero: float
    i_zero_sigma: float
    dmax: float
    estimate: float
    kind: str

    def __post_init__(self) -> None:
        for names in (("q", "intensity", "sigma", "fit"), ("q_fit", "intensity_fit"), ("r", "p", "p_sigma")):
            n = len(getattr(self, names[0]))
            for name in names:
                freeze(self, name, frozen_array(name, getattr(self, name), length=n))

    @property
    def rg_of_table(self) -> float:
        r"""Radius of gyration of the table, :math:`R_g^2 = \int r^2 p\,dr / (2\int p\,dr)`."""
        return math.sqrt(0.5 * _integral(self.r**2 * self.p, self.r) / _integral(self.p, self.r))

    def scaled(self, nm: float) -> GnomFile:
        """Return the same with lengths in nm, for ``nm`` nanometres to the unit of length of the file."""
        return replace(
            self, q=self.q / nm, q_fit=self.q_fit / nm, r=self.r * nm, p=self.p / nm, p_sigma=self.p_sigma / nm,
            rg=self.rg * nm, rg_sigma=self.rg_sigma * nm, dmax=self.dmax * nm,
        )  # fmt: skip


def _integral(y: FloatArray, x: FloatArray) -> float:
    """Trapezoidal rule."""
    return float(0.5 * (y[1:] + y[:-1]) @ np.diff(x))


def is_gnom(head: bytes) -> bool:
    """Whether a file that begins like this was written by GNOM."""
    return b"G N O M" in head[:400]


def read_gnom(path: Path | str) -> GnomFile:
    """Read a GNOM file; where it holds several runs, the last one.

    Parameters
    ----------
    path : file

    Returns
    -------
    GnomFile
        In the units of the file.

    Raises
    ------
    DataError
        When the file is not one, a line cannot be read, or the tables do not go as far as the file says.
    """
    name, path = str(path), Path(path)
    head, digest = file_digest(path, name)
    if not is_gnom(head):
        raise DataError(
            f'{name}: expected the words "G N O M" in the first lines of a GNOM output file, found none; give the .out file'
        )
    return _parse(name, digest, read_bytes(path, name).decode("utf-8", "replace"))


def read_gnom_curve(file: str, data: bytes) -> RawCurve:
    """Return the experimental points of a GNOM file as a curve; see :func:`nanostrata.io.curves.read_curve`."""
    lines = data.decode("utf-8", "replace").splitlines()
    rows, _ = _curve(file, lines, _last_run(lines))
    note = "experimental points of a GNOM file (J EXP, ERROR), as that program was given them"
    table = np.array([values for _, values in rows if len(values) == 5])
    return RawCurve(
        file=file, q=table[:, 0], intensity=table[:, 1], sigma=table[:, 2], dq=None,
        place=np.array([number for number, values in rows if len(values) == 5], dtype=np.int64), notes=(note,),
    )  # fmt: skip


def _parse(name: str, digest: str, text: str) -> GnomFile:
    lines = text.splitlines()
    first = _last_run(lines)
    version = re.search(r"Version\s+(\S+(?:\s+\(r\d+\))?)", lines[first])
    rows, end = _curve(name, lines, first)
    points = np.array([v for _, v in rows if len(v) == 5])
    both = np.array([(v[0], v[-1]) for _, v in rows])
    kind, pairs = _pairs(name, lines, end)
    body = "\n".join(lines[first:])
    dmax = _stated(_RANGE, body)[1]
    if len(pairs):
        if math.isnan(dmax):
            dmax = float(pairs[-1, 0])
        if pairs[-1, 0] < 0.999 * dmax:
            raise DataError(
                f"{name}, line {len(lines)}: p(r) ends at {pairs[-1, 0]:g}, the file says it goes to {dmax:g}; the file "
                "is cut short, copy it again"
            )
    elif not kind:
        raise DataError(
            f'{name}, line {len(lines)}: the file ends without "Distance distribution function of particle"; it is cut '
            "short, copy it again"
        )
    rg, rg_sigma = _stated(_RG, body)
    i_zero, i_zero_sigma = _stated(_I_ZERO, body)
    found = _ESTIMATE.search(body)
    out = GnomFile(
        file=name, sha256=digest, version=version.group(1) if version else "", q=points[:, 0], intensity=points[:, 1],
        sigma=points[:, 2], fit=points[:, 3], q_fit=both[:, 0], intensity_fit=both[:, 1], r=pairs[:, 0], p=pairs[:, 1],
        p_sigma=pairs[:, 2], rg=rg, rg_sigma=rg_sigma, i_zero=i_zero, i_zero_sigma=i_zero_sigma, dmax=dmax,
        estimate=float(found.group(1)) if found else math.nan, kind=kind,
    )  # fmt: skip
    if len(pairs) and rg > 0.0 and abs(out.rg_of_table / rg - 1.0) > _WORST_RG:
        raise DataError(
            f"{name}: its table of p(r) has a radius of gyration of {out.rg_of_table:.4g}, the file says {rg:.4g}; one of "
            "the two was changed, take the file as the program wrote it"
        )
    return out


def _last_run(lines: Sequence[str]) -> int:
    """Index of the line with the name of the program from which on the last run stands."""
    return max(i for i, line in enumerate(lines) if "G N O M" in line)


def _curve(name: str, lines: Sequence[str], first: int) -> tuple[list[tuple[int, list[float]]], int]:
    """Rows (line, values) of the curve's table, and the index of the line after it."""
    start = next((i for i in range(first, len(lines)) if _CURVE_HEAD.match(lines[i])), None)
    if start is None:
        raise DataError(
            f'{name}: expected the line "S  J EXP  ERROR  J REG  I REG" before the curve, found none after line '
            f"{first + 1}; the file is cut short or was changed"
        )
    rows, end = _rows(name, lines, start + 1, (2, 5), "q and I REG, or q, J EXP, ERROR, J REG and I REG")
    if sum(len(v) == 5 for _, v in rows) < 3:
        raise DataError(f"{name}, line {start + 1}: fewer than 3 experimental points follow; the file is cut short")
    q = np.array([v[0] for _, v in rows])
    back = np.flatnonzero(np.diff(q) < 0.0)
    if back.size:
        raise DataError(
            f"{name}, line {rows[back[0] + 1][0]}: q goes back from {q[back[0]]:g} to {q[back[0] + 1]:g}; points of one "
            "increasing curve are expected (join several detectors' curves before GNOM)"
        )
    return rows, end


def _pairs(name: str, lines: Sequence[str], first: int) -> tuple[str, FloatArray]:
    """Title and table (k, 3) of the pair distances; an empty table when the title is of another function."""
    title = next((i for i in range(first, len(lines)) if _DISTRIBUTION.search(lines[i])), None)
    if title is None:
        return "", np.empty((0, 3))
    kind = " ".join(lines[title].split())
    if not _PARTICLE.search(kind):
        return kind, np.empty((0, 3))
    head = next((i for i in range(title, len(lines)) if _PAIRS_HEAD.match(lines[i])), None)
    if head is None:
        raise DataError(f'{name}, line {title + 1}: expected the line "R  P(R)  ERROR" after it, found none')
    rows, _ = _rows(name, lines, head + 1, (3,), "r, p(r) and its error")
    table = np.array([v for _, v in rows])
    if len(table) < 3 or (np.diff(table[:, 0]) <= 0.0).any() or _integral(table[:, 1], table[:, 0]) <= 0.0:
        raise DataError(
            f"{name}, line {head + 1}: expected a table of increasing r with a positive sum of p(r) after it"
        )
    return kind, table


def _rows(
    name: str, lines: Sequence[str], start: int, counts: tuple[int, ...], expected: str
) -> tuple[list[tuple[int, list[float]]], int]:
    """Rows of numbers from a line on, to the first line of words."""
    rows: list[tuple[int, list[float]]] = []
    for index in range(start, len(lines)):
        cells = lines[index].split()
        if not cells:
            continue
        if re.match(r"[A-Za-z#]", cells[0]):
            return rows, index
        try:
            values = [float(c.replace("D", "E").replace("d", "e")) for c in cells]
        except ValueError:
            values = []
        if len(values) not in counts or not all(map(math.isfinite, values)):
            raise DataError(f"{name}, line {index + 1}: expected {expected}, got {lines[index].strip()!r}")
        rows.append((index + 1, values))
    return rows, len(lines)


def _stated(patterns: Sequence[re.Pattern[str]], text: str) -> tuple[float, float]:
    """Both numbers of the first pattern that is found; nan where there is none."""
    for pattern in patterns:
        found = pattern.search(text)
        if found:
            return float(found.group(1) or "nan"), float(found.group(2))
    return math.nan, math.nan
