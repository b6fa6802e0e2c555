"""Any curve file to a :class:`ScatteringCurve`: one function, whatever the format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nanostrata.domain import Origin, ScatteringCurve
from nanostrata.errors import DataError
from nanostrata.io.ascii import read_text_curve
from nanostrata.io.cansas import cansas_entries, read_cansas
from nanostrata.io.gnom import is_gnom, read_gnom_curve
from nanostrata.io.nexus import nexus_entries, read_nexus
from nanostrata.io.raw_curve import EntryInfo, RawCurve, file_digest, read_bytes
from nanostrata.io.sound_points import OnBadPoints, sound_points
from nanostrata.io.source_energy import FileEnergy, check_energy
from nanostrata.io.units import q_factor, resolve_q_unit

__all__ = ["EntryInfo", "list_entries", "read_curve"]

_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_curve(
    path: str | Path,
    *,
    q_unit: str | None = None,
    energy_kev: float | None = None,
    entry: str | int | None = None,
    q_range_inv_nm: Sequence[float] | None = None,
    mask_inv_nm: Sequence[Sequence[float]] = (),
    on_bad_points: OnBadPoints = "stop",
    relative_sigma: float | None = None,
    label: str = "",
) -> ScatteringCurve:
    r"""Read one scattering curve from text columns, canSAS 1-D XML, NXcanSAS or the output of GNOM.

    The format is told by the content. What was converted, left out or masked stands in ``curve.origin.notes``, one
    sentence each.

    Parameters
    ----------
    path : the file
    q_unit : "1/nm", "1/angstrom" or another spelling; needed where the file does not state the unit of q. It must not
        contradict the file
    energy_kev : photon energy, keV; must agree with the file's, if it has one. None for neutrons
    entry : name, title or number (from 1) of the curve in a file that holds several
    q_range_inv_nm : [low, high], 1/nm; points outside are not used and not judged
    mask_inv_nm : ranges [low, high], 1/nm, to leave out
    on_bad_points : "stop" refuses a curve with defects; "drop" leaves the points out and goes on
    relative_sigma : sigma over intensity, for a file without errors
    label : short name for tables; default the name of the file, or of the entry

    Returns
    -------
    ScatteringCurve
        q in 1/nm, increasing.

    Raises
    ------
    DataError
        With every problem of the file, each with its lines, what was expected, what came and what to do.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "curve.dat"
    >>> _ = file.write_text("q(A^-1) I sigma\n0.01 5.0 0.1\n0.02 4.0 0.1\n0.03 3.0 0.2\n", encoding="utf-8")
    >>> curve = read_curve(file)
    >>> curve.q_inv_nm.tolist(), curve.origin.unit_read
    ([0.1, 0.2, 0.3], '1/angstrom')
    """
    file = str(path)
    raw, stated_energy, digest = _read(Path(path), file, entry)
    problems = list(raw.problems)
    notes = list(raw.notes)
    if on_bad_points not in ("stop", "drop"):
        problems.append(f'{file}: on_bad_points = {on_bad_points!r}; "stop" or "drop" is expected')
        on_bad_points = "stop"
    finite = raw.q[np.isfinite(raw.q)]
    span = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "no number to no number"
    unit = resolve_q_unit(q_unit, raw.stated_unit, file, span, problems, notes)
    notes += stated_energy.notes
    energy = check_energy(energy_kev, stated_energy, file, problems, notes)
    # Without a unit the defects are reported all the same, but a range in 1/nm means nothing.
    points = sound_points(
        raw,
        q_factor(unit) if unit else 1.0,
        q_range_inv_nm=q_range_inv_nm if unit else None,
        mask_inv_nm=mask_inv_nm if unit else (),
        on_bad_points=on_bad_points,
        relative_sigma=relative_sigma,
        problems=problems,
        notes=notes,
    )
    if problems or points is None or unit is None:
        raise DataError(*problems)
    return ScatteringCurve(
        q_inv_nm=points.q_inv_nm,
        intensity=points.intensity,
        sigma=points.sigma,
        dq_inv_nm=points.dq_inv_nm,
        energy_kev=energy,
        label=label or raw.entry or Path(path).stem,
        intensity_unit=raw.intensity_unit,
        origin=Origin(
            file=file,
            sha256=digest,
            entry=raw.entry,
            unit_read=unit,
            stage="read",
            notes=tuple(notes),
            points_read=len(raw.q) + sum(len(p) for _, p in raw.unreadable),
            points_kept=len(points.q_inv_nm),
        ),
    )


def list_entries(path: str | Path) -> list[EntryInfo]:
    """List the curves that a file holds, as ``entry`` of :func:`read_curve` takes them.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    file, path = str(path), Path(path)
    head, _ = file_digest(path, file)
    if head.startswith(_HDF5):
        return nexus_entries(path, file)
    data = read_bytes(path, file)
    if _is_xml(head):
        return cansas_entries(file, data)
    raw = read_gnom_curve(file, data) if is_gnom(head) else read_text_curve(file, data)
    units = raw.stated_unit.names
    return [EntryInfo(number=1, name=path.stem, points=len(raw.q), q_unit=units[0] if len(units) == 1 else "")]


def _read(path: Path, file: str, entry: str | int | None) -> tuple[RawCurve, FileEnergy, str]:
    head, digest = file_digest(path, file)
    if head.startswith(_HDF5):
        return *read_nexus(path, file, entry), digest
    data = read_bytes(path, file)
    if _is_xml(head):
        return *read_cansas(file, data, entry), digest
    if entry is not None:
        raise DataError(f"{file}: entry = {entry!r}, but a file of text columns holds one curve; leave entry out")
    raw = read_gnom_curve(file, data) if is_gnom(head) else read_text_curve(file, data)
    return raw, FileEnergy(), digest


def _is_xml(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
