"""Read a scattering curve from any of the known kinds of file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nanostrata.domain import Origin, ScatteringCurve
from nanostrata.domain.base import BoolArray, FloatArray
from nanostrata.errors import DataError
from nanostrata.io import units


@dataclass(frozen=True, kw_only=True)
class RawCurve:
    """Columns of one entry as they stand in the file, with what the file says about them.

    Attributes
    ----------
    rows : place of each row in the file, for messages ("line" number in text, point number elsewhere)
    dq, sigma : None when there is no such column
    stated : units of q that the file states
    energy_kev : from the file, None if it does not say
    """

    name: str
    entry: str
    rows: FloatArray
    row_word: str
    q: FloatArray
    intensity: FloatArray
    sigma: FloatArray | None
    dq: FloatArray | None
    stated: set[str]
    energy_kev: float | None = None
    intensity_unit: str = "arb"
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class EntryInfo:
    """One entry of a file: name, number of points, energy and unit if stated."""

    name: str
    points: int
    energy_kev: float | None
    unit: str | None


def _raw_entries(path: Path) -> tuple[list[RawCurve], str]:
    name = str(path)
    if path.is_dir():
        raise DataError(f"{name}: is a folder; give a file in it")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; check the path (relative to the project file)") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror})") from error
    if not data.strip():
        raise DataError(f"{name}: the file is empty; expected columns q, intensity, sigma")
    digest = hashlib.sha256(data).hexdigest()
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        from nanostrata.io.nexus import read_nexus

        return read_nexus(path), digest
    start = data[:400].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        from nanostrata.io.cansas import read_cansas

        return read_cansas(name, data), digest
    from nanostrata.io.ascii import read_ascii

    return [read_ascii(name, data)], digest


def list_entries(path: str | Path) -> list[EntryInfo]:
    """Return what a file holds, without judging the points."""
    entries, _ = _raw_entries(Path(path))
    return [
        EntryInfo(name=e.entry, points=len(e.q), energy_kev=e.energy_kev, unit=next(iter(e.stated)) if len(e.stated) == 1 else None)
        for e in entries
    ]


def read_curve(
    path: str | Path,
    *,
    q_unit: str | None = None,
    energy_kev: float | None = None,
    entry: str | int | None = None,
    q_range_inv_nm: tuple[float, float] | None = None,
    mask_inv_nm: tuple[tuple[float, float], ...] = (),
    on_bad_points: str = "stop",
    label: str = "",
    relative_sigma: float | None = None,
) -> ScatteringCurve:
    """Read one curve; q comes out in 1/nm.

    Parameters
    ----------
    path : ASCII (2 to 4 columns), canSAS 1-D XML, or NXcanSAS HDF5
    q_unit : declared unit; needed where the file does not state it, a contradiction stops
    energy_kev : declared energy; checked against the file's
    entry : name or number (from 0) of one of several entries
    q_range_inv_nm, mask_inv_nm : what to use, and what to leave out
    on_bad_points : "stop", or "drop": go on with what is sound; every dropped point is reported
    relative_sigma : use this share of the intensity where the file has no sigma; said aloud

    Raises
    ------
    DataError
        With every problem of the file.
    """
    path = Path(path)
    entries, digest = _raw_entries(path)
    raw = _pick(str(path), entries, entry)
    factor, unit = units.resolve(raw.name, q_unit, raw.stated, where="file")
    energy = _energy(raw, energy_kev)
    notes = list(raw.notes)
    if factor != 1.0:
        notes.append(f"q converted from {unit} to 1/nm (times {factor:g})")
    q = raw.q * factor
    dq = None if raw.dq is None else raw.dq * factor
    sigma = _sigma(raw, relative_sigma, notes)
    keep = _sound(raw, q, sigma, dq, on_bad_points, notes)
    q, intensity, sigma = q[keep], raw.intensity[keep], sigma[keep]
    dq = None if dq is None else dq[keep]
    sequence = np.argsort(q, kind="stable")
    q, intensity, sigma = q[sequence], intensity[sequence], sigma[sequence]
    dq = None if dq is None else dq[sequence]
    use = np.ones(len(q), dtype=bool)
    if q_range_inv_nm is not None:
        use &= (q >= q_range_inv_nm[0]) & (q <= q_range_inv_nm[1])
        notes.append(f"{int(use.sum())} of {len(q)} points lie in the q range {q_range_inv_nm[0]:g} to {q_range_inv_nm[1]:g} 1/nm")
    for low, high in mask_inv_nm:
        hit = (q >= low) & (q <= high)
        use &= ~hit
        notes.append(f"{int(hit.sum())} points masked in {low:g} to {high:g} 1/nm")
    if not use.any():
        raise DataError(
            f"{raw.name}: no usable point is left (q goes from {q.min() if len(q) else 0:.4g} to {q.max() if len(q) else 0:.4g} 1/nm); "
            "check q_range_inv_nm, mask_inv_nm and the unit"
        )
    negative = int(np.sum(intensity[use] < 0))
    if negative:
        notes.append(f"{negative} points have a negative intensity and are kept (a subtracted background does that)")
    if len(np.unique(sigma[use] / np.maximum(np.abs(sigma[use]).max(), 1e-300))) == 1:
        notes.append("sigma is the same for every point: look whether it is real")
    return ScatteringCurve(
        q_inv_nm=q[use], intensity=intensity[use], sigma=sigma[use], energy_kev=energy,
        dq_inv_nm=None if dq is None or not np.any(dq > 0) else dq[use], label=label or path.name, intensity_unit=raw.intensity_unit,
        origin=Origin(
            file=str(path), sha256=digest, entry=raw.entry, unit_read=unit, notes=tuple(notes), points_read=len(raw.q),
            points_kept=int(use.sum()),
        ),
    )  # fmt: skip


def _pick(name: str, entries: list[RawCurve], entry: str | int | None) -> RawCurve:
    listed = ", ".join(f"{i}: {e.entry!r} ({len(e.q)} points)" for i, e in enumerate(entries))
    if entry is None:
        if len(entries) > 1:
            raise DataError(f"{name}: holds {len(entries)} entries ({listed}); write entry = NAME or its number")
        return entries[0]
    if isinstance(entry, int) or (isinstance(entry, str) and entry.isdigit() and entry not in {e.entry for e in entries}):
        if not 0 <= int(entry) < len(entries):
            raise DataError(f"{name}: has no entry number {entry}; it holds {listed}")
        return entries[int(entry)]
    found = [e for e in entries if e.entry == entry]
    if len(found) != 1:
        raise DataError(f"{name}: {'no' if not found else 'more than one'} entry is named {entry!r}; it holds {listed}")
    return found[0]


def _energy(raw: RawCurve, declared: float | None) -> float | None:
    if declared is not None and declared > 200:
        raise DataError(f"{raw.name}: energy_kev = {declared:g}: was eV meant? write energy_kev = {declared / 1000:g}")
    if declared is not None and raw.energy_kev is not None and abs(declared - raw.energy_kev) > 5e-4 * max(1.0, declared / 10):
        raise DataError(
            f"{raw.name}: energy_kev = {declared:g} contradicts the file, which says {raw.energy_kev:.5g} keV; correct one of them"
        )
    return declared if declared is not None else raw.energy_kev


def _sigma(raw: RawCurve, relative: float | None, notes: list[str]) -> FloatArray:
    missing = raw.sigma is None or not np.any(np.isfinite(raw.sigma) & (raw.sigma != 0))
    if not missing:
        assert raw.sigma is not None
        return raw.sigma
    if relative is None:
        what = "no column of sigma" if raw.sigma is None else "sigma is 0 or not a number everywhere"
        raise DataError(
            f"{raw.name}: {what}; without errors nothing can be weighed. Give a third column, or write relative_sigma = 0.02 for "
            "this curve (2 % of the intensity)"
        )
    notes.append(f"the file has no sigma: {100 * relative:g} % of the intensity was taken, as relative_sigma says")
    return np.maximum(relative * np.abs(raw.intensity), 1e-12 * float(np.nanmax(np.abs(raw.intensity))))


def _ranges(rows: FloatArray) -> str:
    """Return "12-14, 20" for row numbers."""
    numbers = sorted({int(r) for r in rows})
    out: list[str] = []
    start = previous = None
    for n in [*numbers, None]:
        if previous is not None and n is not None and n == previous + 1:
            previous = n
            continue
        if start is not None:
            out.append(str(start) if start == previous else f"{start}-{previous}")
        start = previous = n
    return ", ".join(out[:12]) + (f" and {len(out) - 12} more ranges" if len(out) > 12 else "")


def _sound(
    raw: RawCurve, q: FloatArray, sigma: FloatArray, dq: FloatArray | None, on_bad: str, notes: list[str]
) -> BoolArray:
    """Return a mask of usable points; stop, or say what was dropped."""
    tests = [
        (~np.isfinite(q), "q is not a number", "remove these rows"),
        (np.isfinite(q) & (q == 0), "q is 0", "remove these rows (the direct beam is not scattering)"),
        (np.isfinite(q) & (q < 0), "q is negative", "remove these rows or fold them by hand"),
        (~np.isfinite(raw.intensity), "the intensity is not a number", "remove these rows"),
        (~np.isfinite(sigma), "sigma is not a number", "give an error for these points or remove them"),
        (np.isfinite(sigma) & (sigma <= 0), "sigma is 0 or negative", "give an error for these points or remove them"),
    ]
    if dq is not None:
        tests.append((~np.isfinite(dq) | (dq < 0), "dq is negative or not a number", "correct the fourth column or remove it"))
    bad = np.zeros(len(q), dtype=bool)
    problems = []
    for hit, what, todo in tests:
        if hit.any():
            problems.append(f"{raw.name}, {raw.row_word} {_ranges(raw.rows[hit])}: {what} ({int(hit.sum())} points); {todo}")
            bad |= hit
    sound = np.flatnonzero(~bad)
    _, first = np.unique(q[sound], return_index=True)
    repeated = np.setdiff1d(sound, sound[first])
    if repeated.size:
        problems.append(
            f"{raw.name}, {raw.row_word} {_ranges(raw.rows[repeated])}: q repeats an earlier row ({repeated.size} points); merge overlapping "
            "frames before, or keep one of each"
        )
        bad[repeated] = True
    sound = np.flatnonzero(~bad)
    falls = sound[1:][np.diff(q[sound]) < 0]
    if falls.size:
        problems.append(f"{raw.name}, {raw.row_word} {_ranges(raw.rows[falls])}: q does not increase here; sort the rows by q")
    if problems and on_bad != "drop":
        raise DataError(*problems, f'{raw.name}: or write on_bad_points = "drop" to go on with the {len(sound)} sound points')
    notes += [f"dropped or repaired because on_bad_points = \"drop\": {p}" for p in problems]
    return ~bad
