"""A curve as it stands in a file, before anything is judged or converted to 1/nm."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nanostrata.domain import FloatArray, IntArray
from nanostrata.errors import DataError
from nanostrata.io.units import StatedUnit

__all__ = ["EntryInfo", "RawCurve", "file_digest", "pick_entry", "places", "read_bytes"]

MAX_TEXT_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInfo:
    """One curve in a file that may hold several.

    Attributes
    ----------
    number : 1, 2, … in the order of the file
    name : what ``entry=`` takes
    title : what the file calls it
    points : number of points
    q_unit : canonical unit of q as the file states it, "" if it does not
    energy_kev : photon energy that the file states, or None
    """

    number: int
    name: str
    title: str = ""
    points: int = 0
    q_unit: str = ""
    energy_kev: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawCurve:
    """Columns of one curve as read; NaN where a number is missing.

    Attributes
    ----------
    file : name for messages
    q, intensity : (n,) q in the unit of the file
    sigma, dq : (n,) or None where the file has no such column; ``dq`` in the unit of ``q``
    place : (n,) line (or number of the point) of each row
    place_word : what ``place`` counts: "line" or "point"
    unreadable : rows that gave no numbers: what is wrong, and their places
    stated_unit : what the file says about the unit of q
    intensity_unit : "1/cm" or "arb"
    energy_kev, energy_uncertainty_ev, energy_source : photon energy that the file states, how far its printed digits
        determine it, and where it stands
    entry : name of the entry, "" when the file holds one curve
    notes, problems : sentences; a problem here is one that cannot be left out
    """

    file: str
    q: FloatArray
    intensity: FloatArray
    sigma: FloatArray | None
    dq: FloatArray | None
    place: IntArray
    place_word: str = "line"
    unreadable: tuple[tuple[str, tuple[int, ...]], ...] = ()
    stated_unit: StatedUnit = field(default_factory=StatedUnit)
    intensity_unit: str = "arb"
    energy_kev: float | None = None
    energy_uncertainty_ev: float = 0.0
    energy_source: str = ""
    entry: str = ""
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def places(numbers: Sequence[int], word: str = "line") -> str:
    """Return "line 3" or "lines 12-14, 20"; beyond eight ranges the rest is counted.

    Examples
    --------
    >>> places([20, 12, 13, 14])
    'lines 12-14, 20'
    """
    ordered = sorted(set(numbers))
    ranges: list[list[int]] = []
    for n in ordered:
        if ranges and n == ranges[-1][1] + 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges[:8])
    more = f", … ({len(ordered)} in all)" if len(ranges) > 8 else ""
    return f"{word}{'s' if len(ordered) > 1 else ''} {shown}{more}"


def file_digest(path: Path, name: str) -> tuple[bytes, str]:
    """Return the first bytes of a file and its SHA-256.

    Raises
    ------
    DataError
        When the file is missing, a folder, empty or unreadable.
    """
    digest = hashlib.sha256()
    head = b""
    try:
        if path.is_dir():
            raise DataError(f"{name}: is a folder; a file with one scattering curve is expected")
        with path.open("rb") as stream:
            while block := stream.read(2**20):
                head = head or block[:4096]
                digest.update(block)
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; check the path (relative to the project file)") from None
    except OSError as e:
        raise DataError(f"{name}: cannot be read ({e.strerror}); check the permissions of the file") from e
    if not head:
        raise DataError(f"{name}: the file is empty; a curve with columns q, intensity, sigma is expected")
    return head, digest.hexdigest()


def read_bytes(path: Path, name: str) -> bytes:
    """Return the bytes of a text file of sane size.

    Raises
    ------
    DataError
        When it is too large to be a curve.
    """
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise DataError(
            f"{name}: {size / 2**20:.0f} MiB is no scattering curve; at most {MAX_TEXT_BYTES >> 20} MiB are read"
        )
    return path.read_bytes()


def pick_entry(entries: Sequence[EntryInfo], entry: str | int | None, file: str, default: int | None = None) -> int:
    """Return the index of the entry that is meant.

    Parameters
    ----------
    entries : all of them, at least one
    entry : name, title or number (from 1); None where there is only one
    file : name for messages
    default : index that the file itself marks as the one to take

    Raises
    ------
    DataError
        When none or several fit, listing what there is.
    """
    listed = ", ".join(f"{e.number}: {e.name!r}" + (f" ({e.points} points)" if e.points else "") for e in entries)
    if entry is None:
        if len(entries) == 1:
            return 0
        if default is not None:
            return default
        raise DataError(f'{file}: holds {len(entries)} curves; write entry = "<name or number>"; there are {listed}')
    wanted = str(entry)
    for same in (lambda e: e.name == wanted, lambda e: e.title == wanted, lambda e: str(e.number) == wanted):
        fitting = [i for i, e in enumerate(entries) if same(e)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise DataError(
                f"{file}: entry = {entry!r} fits {len(fitting)} curves; take the number; there are {listed}"
            )
    within = [i for i, e in enumerate(entries) if e.name.split("/")[0] == wanted]
    if default in within and default is not None:
        return default
    raise DataError(f"{file}: there is no single curve entry = {entry!r}; there are {listed}")
