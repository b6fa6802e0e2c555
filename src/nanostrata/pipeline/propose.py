"""What file names and headers say about measured files: role, energy, unit. Proposals for a person to look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from nanostrata.errors import NanostrataError

__all__ = ["Proposal", "energy_from_name", "propose", "role_from_name"]

Role: TypeAlias = Literal["asaxs", "saxs", "waxs", "tem", "edx", "background", "cif", "other"]

_EV = re.compile(r"(?<![\d.])(\d{4,6})(?:[._p](\d+))?[ _-]?eV", re.IGNORECASE)
_KEV = re.compile(r"(?<![\d.])(\d{1,3}(?:[.,p]\d+)?)[ _-]?keV", re.IGNORECASE)
_HEADER_LINES = 60
_DATA = (".dat", ".txt", ".csv", ".asc", ".chi", ".xy", ".tsv", ".abs", ".ses", ".xml", ".h5", ".hdf5", ".hdf", ".nxs")
_ROLES: tuple[tuple[Role, str], ...] = (
    ("waxs", r"waxs|wide.?angle|xrd|diffr"),
    ("edx", r"edx|eds|composition|elements"),
    ("tem", r"tem(?![a-z]{2})|diameter|particles|imagej|results|sizes"),
    ("background", r"background|backgr|bkg|bgd|solvent|buffer|empty|capillary|blank"),
    ("asaxs", r"asaxs|anomalous|resonant"),
    ("saxs", r"saxs|small.?angle"),
)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What one curve or table seems to be.

    Attributes
    ----------
    file : name relative to the folder
    entry : entry of a file that holds several curves, "" otherwise
    energy_kev, energy_source : photon energy and where it was found, None and "" if nowhere
    q_unit, unit_stated : unit of q if the file states it
    points : number of points
    unknown : what a person has to fill in, one sentence each
    """

    file: str
    role: Role
    entry: str = ""
    energy_kev: float | None = None
    energy_source: str = ""
    q_unit: str = ""
    points: int = 0
    unknown: tuple[str, ...] = ()


def energy_from_name(name: str) -> float | None:
    """Photon energy in keV that a file name states ("asaxs_9630eV.dat", "run7_9.63keV.txt"), else None.

    Examples
    --------
    >>> energy_from_name("asaxs_9630eV.dat"), energy_from_name("s_9.63keV.csv"), energy_from_name("curve_12.dat")
    (9.63, 9.63, None)
    """
    if match := _KEV.search(name):
        value = float(re.sub("[,p]", ".", match[1]))
    elif match := _EV.search(name):
        value = float(f"{match[1]}.{match[2] or 0}") / 1000.0
    else:
        return None
    return round(value, 7) if 1.0 <= value <= 200.0 else None


def role_from_name(name: str) -> Role:
    """Role that a file name suggests; "other" when it suggests none."""
    stem = name.lower()
    if stem.endswith(".cif"):
        return "cif"
    found = next((role for role, words in _ROLES if re.search(words, stem)), None)
    if found is not None:
        return found
    return "asaxs" if energy_from_name(name) is not None else "other"


def propose(folder: Path) -> tuple[list[Proposal], list[str]]:
    """Look at every data file of a folder.

    Returns
    -------
    proposals, and sentences on files that were not understood

    Raises
    ------
    DataError
        Never for a single file: those that cannot be read are named in the sentences.
    """
    proposals: list[Proposal] = []
    unread: list[str] = []
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        role = role_from_name(path.name)
        if role == "cif":
            proposals.append(Proposal(file=path.name, role=role))
        elif path.suffix.lower() not in _DATA:
            continue
        elif role in ("tem", "edx"):
            proposals.append(_table(path, role, unread))
        else:
            proposals += _curves(path, role, unread)
    return proposals, unread


def _table(path: Path, role: Role, unread: list[str]) -> Proposal:
    from nanostrata.io.tables_in import read_edx, read_tem_readings

    try:
        if role == "tem":
            return Proposal(file=path.name, role=role, points=len(read_tem_readings(path)))
        return Proposal(file=path.name, role=role, points=len(read_edx(path).elements))
    except NanostrataError as error:
        unread += error.problems
        return Proposal(file=path.name, role=role, unknown=tuple(error.problems))


def _curves(path: Path, role: Role, unread: list[str]) -> list[Proposal]:
    from nanostrata.io.curves import list_entries

    try:
        entries = list_entries(path)
    except NanostrataError as error:
        unread += error.problems
        return []
    out = []
    for entry in entries:
        energy, source = entry.energy_kev, "in the file"
        if energy is None:
            energy, source = _guessed_energy(path, entry.name if len(entries) > 1 else "")
        seen: Role = "asaxs" if role == "other" and energy is not None else role
        unknown = (
            [] if entry.q_unit else [f'{path.name}: the unit of q is not stated; write q_unit = "1/nm" or "1/angstrom"']
        )
        if energy is None and seen in ("asaxs", "other"):
            unknown.append(f"{path.name}: the photon energy is not stated; write energy_kev")
        if seen == "other":
            unknown.append(f"{path.name}: its role is not clear from the name; keep it, or take it out")
        out.append(
            Proposal(
                file=path.name,
                role=seen,
                entry=entry.name if len(entries) > 1 else "",
                energy_kev=energy,
                energy_source=source if energy is not None else "",
                q_unit=entry.q_unit,
                points=entry.points,
                unknown=tuple(unknown),
            )
        )
    return out


def _guessed_energy(path: Path, entry: str) -> tuple[float | None, str]:
    """Energy from the entry's name, the file's name, or the head of a text file, with the place."""
    for text, place in ((entry, "in the name of the entry"), (path.name, "in the file's name")):
        if text and (found := energy_from_name(text)) is not None:
            return found, place
    if path.suffix.lower() in (".h5", ".hdf5", ".hdf", ".nxs"):
        return None, ""
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            if number > _HEADER_LINES:
                break
            match = re.search(r"energy\D{0,12}?(\d[\d.]*)\s*(k?eV)\b", line, re.IGNORECASE)
            if match and (found := energy_from_name(f"{float(match[1]):g}{match[2]}")) is not None:
                return found, f"in header line {number}"
    return None, ""
