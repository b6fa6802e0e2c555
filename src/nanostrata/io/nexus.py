"""NXcanSAS HDF5."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.constants import HC_KEV_NM
from nanostrata.errors import DataError
from nanostrata.io import units
from nanostrata.io.curves import RawCurve

MAX_POINTS = 2_000_000
_LENGTH_NM = {"a": 0.1, "å": 0.1, "ang": 0.1, "angstrom": 0.1, "nm": 1.0, "m": 1e9, "pm": 1e-3}


def read_nexus(path: Path) -> list[RawCurve]:
    """Read every SASdata group of every SASentry.

    Raises
    ------
    DataError
        For a damaged file, links to other files, or no NXcanSAS data.
    """
    import h5py

    name = str(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{name}: a damaged or truncated HDF5 file ({error}); copy it again") from None
    with file:
        _refuse_external(name, file, "/")
        out: list[RawCurve] = []
        for entry_name, entry in _groups(file, "SASentry", "NXentry"):
            for data_name, data in _groups(entry, "SASdata", "NXdata"):
                curve = _curve(name, f"{entry_name}/{data_name}", entry, data)
                if curve is not None:
                    out.append(curve)
    if not out:
        raise DataError(f"{name}: an HDF5 file without NXcanSAS data (no SASentry with a SASdata of Q and I)")
    # one SASdata per entry is the rule: then the entry's name is enough
    short = [c.entry.split("/")[0] for c in out]
    if len(set(short)) == len(short):
        out = [RawCurve(**{**c.__dict__, "entry": s}) for c, s in zip(out, short, strict=True)]
    return out


def _refuse_external(name: str, group: Any, where: str) -> None:
    import h5py

    for key in group:
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise DataError(f"{name}: {where}{key} is a link to another file ({link.filename}); this is refused. Store the data in one file")
        if isinstance(link, h5py.SoftLink):
            continue
        item = group.get(key)
        if isinstance(item, h5py.Group):
            _refuse_external(name, item, f"{where}{key}/")
        elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            raise DataError(f"{name}: {where}{key} keeps its numbers in another file; this is refused. Store the data in one file")


def _class(item: Any, *names: str) -> bool:
    for key in ("canSAS_class", "NX_class"):
        value = item.attrs.get(key)
        if value is not None and _string(value) in names:
            return True
    return False


def _string(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray) and value.size:
        return _string(value.ravel()[0])
    return str(value)


def _groups(parent: Any, cansas: str, nexus: str) -> list[tuple[str, Any]]:
    import h5py

    out = []
    for key in parent:
        item = parent.get(key)
        if isinstance(item, h5py.Group) and _class(item, cansas, nexus):
            out.append((key, item))
    return out


def _column(name: str, data: Any, key: str) -> tuple[Any, Any] | None:
    item = data.get(key)
    if item is None:
        return None
    if item.size > MAX_POINTS:
        raise DataError(f"{name}: {item.name} has {item.size} values, more than the {MAX_POINTS} of any curve; is it an image?")
    return np.asarray(item[()], dtype=np.float64).ravel(), item


def _curve(name: str, label: str, entry: Any, data: Any) -> RawCurve | None:
    q, i = _column(name, data, "Q"), _column(name, data, "I")
    if q is None or i is None:
        return None
    if len(q[0]) != len(i[0]):
        raise DataError(f"{name}: {label}: Q has {len(q[0])} values and I has {len(i[0])}; only one-dimensional curves are read")
    notes: list[str] = []
    unit_text = _string(q[1].attrs.get("units", q[1].attrs.get("unit", ""))).strip()
    unit = units.parse_unit(unit_text) if unit_text else None
    if unit is None:
        notes.append(f"the unit attribute of Q is {unit_text!r}, which is not a unit of q")
    named = _string(i[1].attrs.get("uncertainties", i[1].attrs.get("uncertainty", "Idev")))
    sigma = _column(name, data, named) or _column(name, data, "Idev")
    resolution = _string(q[1].attrs.get("resolutions", q[1].attrs.get("uncertainties", "Qdev"))).split(",")[0]
    dq = _column(name, data, resolution) or _column(name, data, "Qdev")
    unit_i = _string(i[1].attrs.get("units", "")).replace(" ", "").lower()
    return RawCurve(
        name=name, entry=label, rows=np.arange(1, len(q[0]) + 1), row_word="points", q=q[0], intensity=i[0],
        sigma=None if sigma is None else sigma[0], dq=None if dq is None or not np.any(dq[0] > 0) else dq[0],
        stated=set() if unit is None else {unit}, energy_kev=_energy(entry, notes),
        intensity_unit="1/cm" if unit_i in ("1/cm", "cm-1", "cm^-1") else "arb", notes=notes,
    )  # fmt: skip


def _energy(entry: Any, notes: list[str]) -> float | None:
    for _, instrument in _groups(entry, "SASinstrument", "NXinstrument"):
        for _, source in _groups(instrument, "SASsource", "NXsource"):
            item = source.get("incident_wavelength")
            if item is None:
                continue
            value = float(np.asarray(item[()]).ravel()[0])
            unit = _string(item.attrs.get("units", item.attrs.get("unit", ""))).strip().lower()
            radiation = " ".join(_string(source[k][()]) for k in ("radiation", "type", "probe") if k in source).lower()
            if "neutron" in radiation:
                notes.append(f"neutrons of wavelength {value:g} {unit}")
                return None
            if unit in _LENGTH_NM and math.isfinite(value) and value > 0 and ("x-ray" in radiation or "xray" in radiation or "synchrotron" in radiation):
                return HC_KEV_NM / (value * _LENGTH_NM[unit])
            notes.append(f"wavelength {value:g} {unit} of {radiation or 'unstated radiation'} is not taken as a photon energy")
    return None
