"""NXcanSAS curves in HDF5; nothing outside the file is ever opened.

Every group and dataset is reached link by link: an external link, a dataset stored in another file and a virtual
dataset are refused before HDF5 would follow them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import FloatArray
from nanostrata.errors import DataError
from nanostrata.io.raw_curve import EntryInfo, RawCurve, pick_entry
from nanostrata.io.source_energy import FileEnergy, photon_energy
from nanostrata.io.units import StatedUnit, canonical_q_unit, intensity_factor, q_factor

__all__ = ["nexus_entries", "read_nexus"]

MAX_POINTS = 1_000_000
_MAX_DEPTH = 4  # of groups to an entry, and of soft links to their end


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    entry: Any
    data: Any
    is_default: bool
    info: EntryInfo


def nexus_entries(path: Path, file: str) -> list[EntryInfo]:
    """List the curves in an NXcanSAS file."""
    with _opened(path, file) as h5:
        return [c.info for c in _curves(h5, file)]


def read_nexus(path: Path, file: str, entry: str | int | None = None) -> tuple[RawCurve, FileEnergy]:
    """Read one curve of an NXcanSAS file.

    Parameters
    ----------
    path, file : the file, and its name for messages
    entry : name or number of the curve where there are several

    Raises
    ------
    DataError
        When it is no NXcanSAS file, leads out of the file, or ``entry`` does not name one curve.

    References
    ----------
    NXcanSAS application definition, https://manual.nexusformat.org/classes/applications/NXcanSAS.html
    """
    with _opened(path, file) as h5:
        curves = _curves(h5, file)
        entries = {c.info.name.split("/")[0] for c in curves}
        marked = [i for i, c in enumerate(curves) if c.is_default and len(entries) == 1]
        chosen = pick_entry([c.info for c in curves], entry, file, marked[0] if len(marked) == 1 else None)
        curve = curves[chosen]
        raw = _raw(file, curve, curve.info.name if len(curves) > 1 else curve.info.name.split("/")[0])
        return raw, _energy(curve.entry, file)


@contextmanager
def _opened(path: Path, file: str) -> Iterator[Any]:
    import h5py

    try:
        with h5py.File(path, "r") as h5:
            yield h5
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as e:
        # All that HDF5 raises on damaged bytes, at any access, closing included.
        raise DataError(
            f"{file}: the HDF5 file cannot be opened or is damaged ({e}); was it cut off while copying? export it again"
        ) from e


# ---- reaching things without leaving the file ----------------------------------------------------------------------
def _outside(file: str, where: str, target: str) -> DataError:
    return DataError(
        f"{file}: {where} leads to another file ({target}), which is refused; copy the reduced data into one file "
        "(h5repack or the exporting program do it)"
    )


def _child(group: Any, name: str, file: str, depth: int = 0) -> Any:
    """Return a member of a group, or None; refuses what lies outside the file."""
    import h5py

    link = group.get(name, getlink=True)
    if link is None:
        return None
    where = f"{group.name.rstrip('/')}/{name}"
    if isinstance(link, h5py.ExternalLink):
        raise _outside(file, where, f"{link.filename}:{link.path}")
    if isinstance(link, h5py.SoftLink):
        if depth >= _MAX_DEPTH:
            raise DataError(f"{file}: {where} is a link to a link to a link …; write the data in place")
        found: Any = group.file["/"] if link.path.startswith("/") else group
        for part in (p for p in link.path.split("/") if p and p != "."):
            if not isinstance(found, h5py.Group):
                return None
            found = _child(found, part, file, depth + 1)
        return found
    found = group.get(name)
    if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
        raise _outside(file, where, "virtual or external dataset")
    return found


def _groups(group: Any, file: str, refused: list[str]) -> Iterator[Any]:
    """Groups inside; members that lead out of the file are passed over and listed, since they may be raw frames."""
    import h5py

    for name in group:
        try:
            found = _child(group, name, file)
        except DataError as e:
            refused.extend(e.problems)
            continue
        if isinstance(found, h5py.Group):
            yield found


def _text(value: Any) -> str:
    if value is None:
        return ""
    flat = np.ravel(np.asarray(value))
    if flat.size == 0:
        return ""
    first = flat[0]
    return first.decode("utf-8", errors="replace").strip() if isinstance(first, bytes) else str(first).strip()


def _texts(value: Any) -> list[str]:
    return [] if value is None else [t for v in np.ravel(np.asarray(value)) for t in _text(v).replace(",", " ").split()]


def _is_class(group: Any, name: str) -> bool:
    return name in (_text(group.attrs.get("canSAS_class")), _text(group.attrs.get("NX_class")))


def _find(group: Any, name: str, file: str, refused: list[str]) -> list[Any]:
    """Groups of that class below, each once, however many links lead to it."""
    import h5py

    seen: set[int] = set()
    found: list[Any] = []
    level = [group]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for parent in level:
            for member in _groups(parent, file, refused):
                address = int(h5py.h5o.get_info(member.id).addr)
                if address in seen:
                    continue
                seen.add(address)
                (found if _is_class(member, name) else below).append(member)
        level = below
    return found


def _curves(h5: Any, file: str) -> list[_Curve]:
    import h5py

    curves: list[_Curve] = []
    refused: list[str] = []
    for entry in _find(h5, "SASentry", file, refused):
        blocks = [g for g in _groups(entry, file, refused) if _is_class(g, "SASdata")]
        default = _text(entry.attrs.get("default"))
        title = _child(entry, "title", file)
        for block in blocks:
            q = _child(block, _q_name(block), file)
            own = block.name.rsplit("/", 1)[-1]
            info = EntryInfo(
                number=len(curves) + 1,
                name=f"{entry.name.strip('/')}/{own}" if len(blocks) > 1 else entry.name.strip("/"),
                title=_text(title[()]) if isinstance(title, h5py.Dataset) else "",
                points=int(q.size) if isinstance(q, h5py.Dataset) else 0,
                q_unit=(canonical_q_unit(_text(q.attrs.get("units"))) or "") if isinstance(q, h5py.Dataset) else "",
                energy_kev=_energy(entry, file).kev,
            )
            curves.append(_Curve(entry=entry, data=block, is_default=own == default, info=info))
    if not curves:
        if refused:
            raise DataError(*dict.fromkeys(refused))
        raise DataError(
            f"{file}: no SASentry with SASdata found; NXcanSAS is expected "
            "(groups whose canSAS_class or NX_class has that name)"
        )
    return curves


# ---- one curve -----------------------------------------------------------------------------------------------------
def _q_name(data: Any) -> str:
    axes = _texts(data.attrs.get("I_axes"))
    return axes[-1] if axes else "Q"


def _dataset(data: Any, name: str, file: str, notes: list[str]) -> tuple[FloatArray, str]:
    """Return the numbers of a dataset as one row, and its unit."""
    import h5py

    found = _child(data, name, file)
    where = f"{file}: {data.name}/{name}"
    if not isinstance(found, h5py.Dataset):
        raise DataError(f"{where} is not there; a dataset is expected")
    if found.dtype.kind not in "fiu":
        raise DataError(f"{where}: numbers are expected, found {found.dtype}")
    if found.size > MAX_POINTS or found.size == 0:
        raise DataError(f"{where}: {found.size} values are no scattering curve; 1 to {MAX_POINTS} are expected")
    if found.size != max(found.shape, default=1):
        raise DataError(
            f"{where}: shape {found.shape}; one curve I(q) is expected, not an image or a series; export one curve"
        )
    if found.ndim != 1:
        notes.append(f"{data.name}/{name} has shape {found.shape} and was taken as one row")
    return np.asarray(found[()], dtype=np.float64).ravel(), _text(found.attrs.get("units"))


def _named(owner: Any, data: Any, file: str, *attributes: str, fallback: str) -> list[str]:
    """Names of the datasets that hold the uncertainties of another; the usual name where no attribute says so."""
    for attribute in attributes:
        if names := _texts(owner.attrs.get(attribute)):
            return names
    return [fallback] if _child(data, fallback, file) is not None else []


def _raw(file: str, curve: _Curve, name: str) -> RawCurve:
    data = curve.data
    notes: list[str] = []
    problems: list[str] = []
    q_name, i_name = _q_name(data), _text(data.attrs.get("signal")) or "I"
    q, q_text = _dataset(data, q_name, file, notes)
    intensity, i_text = _dataset(data, i_name, file, notes)
    if len(q) != len(intensity):
        hint = "; q seems to hold the edges of bins, write their centres" if len(q) == len(intensity) + 1 else ""
        raise DataError(f"{file}: {data.name}: {len(q)} values of {q_name}, but {len(intensity)} of {i_name}{hint}")
    q_set, i_set = _child(data, q_name, file), _child(data, i_name, file)
    unit_name = canonical_q_unit(q_text)
    stated = (
        StatedUnit(names=(unit_name,), where=(f"units of {data.name}/{q_name}",))
        if unit_name
        else StatedUnit(text=repr(q_text) if q_text else "")
    )
    factor, unit = intensity_factor(i_text)
    if factor != 1.0:
        notes.append(f"intensity is in {i_text}; multiplied by {factor:g} to 1/cm")
    if unit == "arb":
        notes.append(f"the unit of the intensity is {i_text or 'not stated'}; taken as arbitrary")
    if scaling := _texts(i_set.attrs.get("scaling_factor")):
        value, _ = _dataset(data, scaling[0], file, notes)
        factor *= float(value[0])
        notes.append(f"intensity multiplied by the file's scaling factor {value[0]:g} ({scaling[0]})")
    sigma = None
    if names := _named(i_set, data, file, "uncertainties", "uncertainty", fallback="Idev"):
        sigma, s_text = _dataset(data, names[0], file, notes)
        if s_text and intensity_factor(s_text) != intensity_factor(i_text):
            problems.append(f"{file}: {data.name}/{names[0]} is in {s_text!r}, {i_name} in {i_text!r}; they must agree")
        sigma = sigma * factor
    dq = _resolution(data, q_set, stated, file, notes, problems)
    for column, what in ((sigma, "errors"), (dq, "resolutions")):
        if column is not None and len(column) != len(q):
            raise DataError(f"{file}: {data.name}: {len(q)} values of {q_name}, but {len(column)} {what}")
    if any(n.lower() == "mask" for n in data):
        notes.append(f"{data.name} holds a mask, which is not applied; use mask_inv_nm")
    return RawCurve(
        file=file,
        q=q,
        intensity=intensity * factor,
        sigma=sigma,
        dq=dq,
        place=np.arange(1, len(q) + 1, dtype=np.int64),
        place_word="point",
        stated_unit=stated,
        intensity_unit=unit,
        entry=name,
        notes=tuple(notes),
        problems=tuple(problems),
    )


def _resolution(
    data: Any, q_set: Any, stated: StatedUnit, file: str, notes: list[str], problems: list[str]
) -> FloatArray | None:
    names = _named(q_set, data, file, "resolutions", "resolution", fallback="Qdev")
    if not names:
        return None
    if len(names) > 1:
        said = []
        for n in names:
            values, text = _dataset(data, n, file, notes)
            said.append(f"{n} = {values.min():g} to {values.max():g} {text}".rstrip())
        notes.append(
            f"the file states a slit ({', '.join(said)}); it is not applied unless the project says "
            "smearing = { slit_inv_nm = … }"
        )
        return None
    dq, text = _dataset(data, names[0], file, notes)
    shape = _text(q_set.attrs.get("resolutions_description"))
    if shape and shape.lower() != "gaussian":
        notes.append(f"the resolution {names[0]} is described as {shape!r}; it is taken as one standard deviation")
    own = canonical_q_unit(text)
    if own and stated.names:
        return dq * (q_factor(own) / q_factor(stated.names[0]))
    if text and own is None and np.any(dq > 0):
        problems.append(f"{file}: {data.name}/{names[0]}: the unit is {text!r}; 1/nm or 1/A is expected")
    return dq


def _energy(entry: Any, file: str) -> FileEnergy:
    """Photon energy from the source (or monochromator) group of an entry."""
    import h5py

    classes = ("SASsource", "NXsource", "NXmonochromator", "NXbeam")
    groups = [g for name in classes for g in _find(entry, name, file, [])]
    told = [_child(g, n, file) for g in groups for n in ("probe", "radiation")]
    probe = " ".join(dict.fromkeys(_text(d[()]) for d in told if isinstance(d, h5py.Dataset) and d.size == 1))
    for group in groups:
        for name, kind in (
            ("incident_energy", "energy"),
            ("energy", "energy"),
            ("incident_wavelength", "wavelength"),
            ("wavelength", "wavelength"),
        ):
            found = _child(group, name, file)
            if name == "energy" and (_is_class(group, "NXsource") or _is_class(group, "SASsource")):
                continue  # of a source it is the energy of the stored electrons
            if not isinstance(found, h5py.Dataset) or found.size != 1 or found.dtype.kind not in "fiu":
                continue
            value = np.ravel(found[()])[0]
            if not math.isfinite(float(value)):
                continue
            # Shortest decimal that gives this number: its digits tell how precisely it was meant.
            printed = np.format_float_positional(value, trim="-") if found.dtype.kind == "f" else str(value)
            return photon_energy(probe, kind, printed, _text(found.attrs.get("units")), f"{group.name}/{name}")
    return FileEnergy()
