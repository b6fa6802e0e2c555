"""canSAS 1-D XML, versions 1.0 and 1.1.

Read with defusedxml instead of sasdata's reader: that one converts silently to 1/angstrom, and files must keep their
unit attributes, several entries and NaN points until the unit resolver has seen them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nanostrata.constants import HC_KEV_NM
from nanostrata.errors import DataError
from nanostrata.io import units
from nanostrata.io.curves import RawCurve

_LENGTH_NM = {"a": 0.1, "å": 0.1, "ang": 0.1, "angstrom": 0.1, "nm": 1.0, "m": 1e9, "pm": 1e-3}


def read_cansas(name: str, data: bytes) -> list[RawCurve]:
    """Read every SASdata of every SASentry.

    Raises
    ------
    DataError
        For XML that is broken, holds entity definitions or external references, or is not canSAS.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise DataError(f"{name}: the XML defines entities or refers to other files ({type(error).__name__}); this is refused for safety") from None
    except (ParseError, ValueError) as error:
        raise DataError(f"{name}: not valid XML ({error}); export it again") from None
    entries = [e for e in root.iter() if _tag(e) == "SASentry"]
    if not entries:
        raise DataError(f"{name}: XML without a SASentry; expected canSAS 1-D XML (version 1.0 or 1.1)")
    out = []
    for i, entry in enumerate(entries):
        blocks = [b for b in entry if _tag(b) == "SASdata"]
        title = entry.get("name") or _text(entry, "Title") or f"entry{i}"
        for j, block in enumerate(blocks):
            label = block.get("name") or title if len(blocks) > 1 else title
            out.append(_curve(name, label if len(blocks) == 1 else f"{label}#{j}", entry, block))
    if not out:
        raise DataError(f"{name}: canSAS XML without a SASdata; there is no curve in it")
    seen: dict[str, int] = {}
    for k, curve in enumerate(out):
        seen[curve.entry] = seen.get(curve.entry, 0) + 1
        if seen[curve.entry] > 1:
            out[k] = RawCurve(**{**curve.__dict__, "entry": f"{curve.entry}#{seen[curve.entry] - 1}"})
    return out


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _child(element: Any, *path: str) -> Any | None:
    for step in path:
        element = next((c for c in element if _tag(c) == step), None)
        if element is None:
            return None
    return element


def _text(element: Any, *path: str) -> str:
    found = _child(element, *path)
    return "" if found is None or found.text is None else str(found.text).strip()


def _number(element: Any | None) -> float:
    if element is None or element.text is None or not str(element.text).strip():
        return math.nan
    try:
        return float(str(element.text).strip())
    except ValueError:
        return math.nan


def _curve(name: str, label: str, entry: Any, block: Any) -> RawCurve:
    points = [p for p in block if _tag(p) == "Idata"]
    if not points:
        raise DataError(f"{name}, entry {label!r}: SASdata without points")
    columns: dict[str, list[float]] = {k: [] for k in ("Q", "I", "Idev", "Qdev", "dQl", "dQw")}
    stated_text: set[str] = set()
    unit_i = ""
    for p in points:
        by = {_tag(c): c for c in p}
        for key, values in columns.items():
            values.append(_number(by.get(key)))
        if "Q" in by:
            stated_text.add((by["Q"].get("unit") or "").strip())
        if not unit_i and "I" in by:
            unit_i = (by["I"].get("unit") or "").strip()
    stated: set[str] = set()
    notes = []
    for text in stated_text:
        unit = units.parse_unit(text) if text else None
        if unit is None:
            notes.append(f"the unit attribute of Q is {text!r}, which is not a unit of q")
        else:
            stated.add(unit)
    sigma = np.array(columns["Idev"])
    dq = np.array(columns["Qdev"])
    for key in ("dQl", "dQw"):
        values = np.array(columns[key])
        if np.any(np.isfinite(values) & (values > 0)):
            notes.append(f"the file gives {key} = {np.nanmax(values):g}: slit-smeared data; write smearing = {{ slit_inv_nm = ... }}")
    has_dq = bool(np.any(np.isfinite(dq) & (dq > 0)))
    return RawCurve(
        name=name, entry=label, rows=np.arange(1, len(points) + 1), row_word="points", q=np.array(columns["Q"]),
        intensity=np.array(columns["I"]), sigma=sigma if np.any(np.isfinite(sigma)) else None,
        dq=np.where(np.isfinite(dq), dq, 0.0) if has_dq else None, stated=stated, energy_kev=_energy(entry, notes),
        intensity_unit="1/cm" if unit_i.replace(" ", "").lower() in ("1/cm", "cm-1", "cm^-1") else "arb", notes=notes,
    )  # fmt: skip


def _energy(entry: Any, notes: list[str]) -> float | None:
    source = _child(entry, "SASinstrument", "SASsource")
    if source is None:
        return None
    radiation = _text(source, "radiation").lower()
    wavelength = _child(source, "wavelength")
    value = _number(wavelength)
    if wavelength is None or not math.isfinite(value) or value <= 0:
        return None
    factor = _LENGTH_NM.get((wavelength.get("unit") or "").strip().lower())
    if "neutron" in radiation or "spallation" in radiation:
        notes.append(f"neutrons of wavelength {value:g} {wavelength.get('unit')}")
        return None
    if factor is None or not ("x-ray" in radiation or "xray" in radiation or "synchrotron" in radiation):
        notes.append(f"wavelength {value:g} {wavelength.get('unit')} of {radiation or 'unstated radiation'} is not taken as a photon energy")
        return None
    return HC_KEV_NM / (value * factor)
