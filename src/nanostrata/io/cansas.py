"""canSAS 1-D XML, versions 1.0 and 1.1, one or several curves per file.

Read here and not through sasdata, because sasdata (0.11) converts what it understands well but leaves out points that
are not finite without a word, keeps no line numbers to report, hands a file that its schema check dislikes (entries
without a schema location, unknown units) to other readers until none fits, and does not tell a unit that the file
states from one that it assumed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import FloatArray
from nanostrata.errors import DataError
from nanostrata.io.raw_curve import EntryInfo, RawCurve, pick_entry, places
from nanostrata.io.source_energy import FileEnergy, photon_energy
from nanostrata.io.units import StatedUnit, canonical_q_unit, intensity_factor, q_factor
from nanostrata.io.xml_tree import Node, parse_xml

__all__ = ["cansas_entries", "read_cansas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    entry: Node
    data: Node
    info: EntryInfo


def cansas_entries(file: str, data: bytes) -> list[EntryInfo]:
    """List the curves in a canSAS XML file."""
    return [c.info for c in _curves(file, data)]


def read_cansas(file: str, data: bytes, entry: str | int | None = None) -> tuple[RawCurve, FileEnergy]:
    """Read one curve of a canSAS 1-D XML file.

    Parameters
    ----------
    file : name for messages
    data : the bytes of the file
    entry : name, title or number of the curve where there are several

    Raises
    ------
    DataError
        When it is not canSAS XML, holds no points, or ``entry`` does not name one curve.
    """
    curves = _curves(file, data)
    curve = curves[pick_entry([c.info for c in curves], entry, file)]
    energy = _energy(curve.entry)
    several = len(curves) > 1
    return _raw(file, curve, curve.info.name if several else curve.entry.attributes.get("name", "")), energy


def _curves(file: str, data: bytes) -> list[_Curve]:
    root = parse_xml(file, data)
    if root.tag != "SASroot":
        raise DataError(
            f"{file}, line {root.line}: the root element is <{root.tag}>; <SASroot> of canSAS 1-D XML is expected"
        )
    curves: list[_Curve] = []
    for i, entry in enumerate(root.all("SASentry"), 1):
        title = entry.first("Title")
        name = entry.attributes.get("name", "").strip() or (title.text if title else "") or f"entry {i}"
        blocks = list(entry.all("SASdata"))
        for k, block in enumerate(blocks, 1):
            own = block.attributes.get("name", "").strip() or str(k)
            points = list(block.all("Idata"))
            q = points[0].first("Q") if points else None
            info = EntryInfo(
                number=len(curves) + 1,
                name=name if len(blocks) == 1 else f"{name}/{own}",
                title=title.text if title else "",
                points=len(points),
                q_unit=canonical_q_unit(q.attributes.get("unit", "")) or "" if q else "",
                energy_kev=_energy(entry).kev,
            )
            curves.append(_Curve(entry=entry, data=block, info=info))
    if not curves:
        raise DataError(f"{file}: no <SASentry> with <SASdata> found; canSAS 1-D XML has at least one")
    return curves


def _energy(entry: Node) -> FileEnergy:
    source = entry.first("SASinstrument", "SASsource")
    wavelength = source.first("wavelength") if source else None
    if source is None or wavelength is None or not wavelength.text:
        return FileEnergy()
    radiation = source.first("radiation")
    return photon_energy(
        radiation.text if radiation else "",
        "wavelength",
        wavelength.text,
        wavelength.attributes.get("unit", ""),
        f"line {wavelength.line}",
    )


def _value(point: Node, tag: str, bad: dict[str, list[int]]) -> float:
    node = point.first(tag)
    if node is None or not node.text:
        return float("nan")
    try:
        return float(node.text)
    except ValueError:
        bad.setdefault(f"<{tag}> is not a number", []).append(node.line)
        return float("nan")


def _unit(points: list[Node], tag: str, file: str, problems: list[str]) -> tuple[str | None, int]:
    """Unit attribute of the elements of that name that hold a value (None: there are none), and its first line."""
    texts: Counter[str] = Counter()
    lines: dict[str, list[int]] = {}
    for p in points:
        node = p.first(tag)
        if node is not None and node.text:
            text = node.attributes.get("unit", "").strip()
            texts[text] += 1
            lines.setdefault(text, []).append(node.line)
    if not texts:
        return None, 0
    common = texts.most_common(1)[0][0]
    for text, where in lines.items():
        if text != common:
            problems.append(
                f"{file}, {places(where)}: the unit of <{tag}> is {text!r}, elsewhere {common!r}; "
                "give all points the same unit"
            )
    return common, lines[common][0]


def _raw(file: str, curve: _Curve, name: str) -> RawCurve:
    points = list(curve.data.all("Idata"))
    if not points:
        raise DataError(f"{file}, line {curve.data.line}: <SASdata> holds no <Idata>; a curve has at least one point")
    problems: list[str] = []
    notes: list[str] = []
    bad: dict[str, list[int]] = {}
    columns = {tag: np.array([_value(p, tag, bad) for p in points]) for tag in ("Q", "I", "Idev", "Qdev")}
    q_text, q_line = _unit(points, "Q", file, problems)
    stated = _stated(q_text, q_line)
    sigma = _column(columns["Idev"], points, "Idev")
    dq = _column(columns["Qdev"], points, "Qdev")
    if dq is not None:
        dq = _same_unit(dq, points, stated, file, problems)
    i_text, _ = _unit(points, "I", file, problems)
    factor, unit = intensity_factor(i_text or "")
    if factor != 1.0:
        notes.append(f"intensity is in {i_text}; multiplied by {factor:g} to 1/cm")
    if unit == "arb":
        notes.append(f"the unit of the intensity is {i_text or 'not stated'}; taken as arbitrary")
    if sigma is not None:
        s_text, s_line = _unit(points, "Idev", file, problems)
        s_factor, s_unit = intensity_factor(s_text or "")
        if s_text and s_unit != unit:
            problems.append(
                f"{file}, line {s_line}: the unit of <Idev> is {s_text!r}, of <I> {i_text!r}; they must agree"
            )
        sigma = sigma * (s_factor if s_text else factor)
    notes += _slit_notes(points)
    return RawCurve(
        file=file,
        q=columns["Q"],
        intensity=columns["I"] * factor,
        sigma=sigma,
        dq=dq,
        place=np.array([p.line for p in points], dtype=np.int64),
        stated_unit=stated,
        intensity_unit=unit,
        entry=name,
        notes=tuple(notes),
        problems=tuple(problems + [f"{file}, {places(where)}: {what}" for what, where in bad.items()]),
    )


def _stated(text: str | None, line: int) -> StatedUnit:
    name = canonical_q_unit(text or "")
    if name:
        return StatedUnit(names=(name,), where=(f"unit of <Q>, line {line}",))
    return StatedUnit(text=repr(text) if text else "")


def _column(values: FloatArray, points: list[Node], tag: str) -> FloatArray | None:
    return values if any((n := p.first(tag)) is not None and n.text for p in points) else None


def _same_unit(dq: FloatArray, points: list[Node], stated: StatedUnit, file: str, problems: list[str]) -> FloatArray:
    """Return dq in the unit of q; the two elements have units of their own."""
    text, line = _unit(points, "Qdev", file, problems)
    own = canonical_q_unit(text or "")
    if own and stated.names:
        return dq * (q_factor(own) / q_factor(stated.names[0]))
    if text and own is None and np.any(dq > 0):
        problems.append(
            f"{file}, line {line}: the unit of <Qdev> is {text!r}, which is no unit of q; 1/nm or 1/A is expected"
        )
    return dq


def _slit_notes(points: list[Node]) -> list[str]:
    notes = []
    for tag, meaning in (("dQw", "width"), ("dQl", "length")):
        nodes = [n for p in points if (n := p.first(tag)) is not None and n.text]
        if nodes:
            values = sorted({n.text for n in nodes})
            said = values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
            notes.append(
                f"the file states a slit {meaning} {tag} = {said} {nodes[0].attributes.get('unit', '')}; "
                "it is not applied unless the project says smearing = { slit_inv_nm = … }"
            )
    return notes
