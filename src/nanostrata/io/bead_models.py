"""Bead models as files: mmCIF and PDB in the habit of the field, and what other programs wrote."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import DataError
from nanostrata.io.raw_curve import file_digest, read_bytes
from nanostrata.io.text_out import write_text

_ANGSTROM_PER_NM = 10.0
_PDB_MOST = 99_999


def write_bead_pdb(
    path: Path, positions_nm: FloatArray, bead_nm: float, *, occupancy: FloatArray | None = None,
    remarks: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Write beads as CA atoms of ASP, one residue each, lengths in angstrom; the radius stands in REMARK 265.

    Parameters
    ----------
    path : file
    positions_nm : (n, 3)
    bead_nm : diameter of a bead; half of it is the packing radius
    occupancy : (n,) 0 to 1; default 1
    remarks : lines for REMARK 265

    Raises
    ------
    DataError
        For more beads than the format counts (mmCIF has no such limit).
    """
    if len(positions_nm) > _PDB_MOST:
        raise DataError(f"{path}: {len(positions_nm)} beads; PDB counts to {_PDB_MOST}; write mmCIF")
    radius = 0.5 * bead_nm * _ANGSTROM_PER_NM
    lines = [f"REMARK 265 {r}" for r in remarks]
    lines.append(f"REMARK 265  Dummy atom radius (A) ............................. : {radius:.4f}")
    share = np.ones(len(positions_nm)) if occupancy is None else occupancy
    for i, ((x, y, z), o) in enumerate(zip(positions_nm * _ANGSTROM_PER_NM, share, strict=True), start=1):
        chain, residue = "ABCDEFGHIJKL"[(i - 1) // 9999 % 12], (i - 1) % 9999 + 1
        lines.append(
            f"ATOM  {i:5d}  CA  ASP {chain}{residue:4d}    {x:8.3f}{y:8.3f}{z:8.3f}{o:6.2f}{20.0:6.2f}           C"
        )
    return write_text(path, "\n".join([*lines, "END"]) + "\n")


def write_bead_cif(
    path: Path, positions_nm: FloatArray, bead_nm: float, *, occupancy: FloatArray | None = None, name: str = "beads",
    remarks: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Write beads as mmCIF with the items of the small-angle scattering dictionary for the model's radius.

    Parameters
    ----------
    path, positions_nm, bead_nm, occupancy : see :func:`write_bead_pdb`
    name : of the data block
    remarks : comment lines
    """
    radius = 0.5 * bead_nm * _ANGSTROM_PER_NM
    share = np.ones(len(positions_nm)) if occupancy is None else occupancy
    lines = [f"data_{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}", *(f"# {r}" for r in remarks), "#"]
    lines += [
        "_sas_model.id 1", "_sas_model.type_of_model 'dummy atoms'", f"_sas_model.radius {radius:.4f}", "#", "loop_",
        *(f"_atom_site.{k}" for k in _COLUMNS),
    ]  # fmt: skip
    for i, ((x, y, z), o) in enumerate(zip(positions_nm * _ANGSTROM_PER_NM, share, strict=True), start=1):
        lines.append(f"ATOM {i} C CA . ASP A 1 {i} ? {x:.4f} {y:.4f} {z:.4f} {o:.3f} 20.00 {i} ASP A CA 1")
    return write_text(path, "\n".join([*lines, "#"]) + "\n")


_COLUMNS = (
    "group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id",
    "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy",
    "B_iso_or_equiv", "auth_seq_id", "auth_comp_id", "auth_asym_id", "auth_atom_id", "pdbx_PDB_model_num",
)  # fmt: skip


_RADIUS = re.compile(r"(?i)(?:dummy atom|atomic|packing)\s+radius[^:\n]*:\s*([0-9.]+(?:[eE][-+]?\d+)?)")
_RADIUS_CIF = re.compile(r"_sas_model\.radius\s+([0-9.]+)")
_COUNT = re.compile(
    r"(?i)(?:dummy atoms in output phase|number of particle atoms|filtered number of atoms|number of atoms written)[ .]*:\s*(\d+)"
)
_RG = re.compile(r"(?i)radius of gyration[^:\n]*:\s*([0-9.]+(?:[eE][-+]?\d+)?)")
_VOLUME = re.compile(r"(?i)(?:total excluded DAM volume|filtered volume)[^:\n]*:\s*([0-9.]+(?:[eE][-+]?\d+)?)")
_SOFTWARE = re.compile(r"(?im)(?:software used[ .]*:\s*|_sas_model\.software\s+)(\S[^\n]*?)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadFile(Domain):
    """A bead model as its file has it, in the unit of length of the file (angstrom by the format; nm by some hands).

    Attributes
    ----------
    file, software : name; the program that wrote it, "" when it does not say
    positions : (n, 3)
    bead : diameter of a bead
    bead_stated : whether the file gives it; otherwise it is the median distance of a bead to the nearest other one
    occupancy : (n,) as written; above 1 in files of averages
    rg, volume : as stated in the header; nan when not
    """

    file: str
    software: str
    positions: FloatArray
    bead: float
    bead_stated: bool
    occupancy: FloatArray
    rg: float
    volume: float

    def __post_init__(self) -> None:
        freeze(self, "positions", frozen_array("positions", self.positions, ndim=2))
        freeze(self, "occupancy", frozen_array("occupancy", self.occupancy, length=len(self.positions)))

    def scaled(self, nm: float) -> BeadFile:
        """Return the same in nm, for ``nm`` nanometres to the unit of the file."""
        return replace(
            self, positions=self.positions * nm, bead=self.bead * nm, rg=self.rg * nm, volume=self.volume * nm**3
        )


def read_bead_file(path: Path) -> BeadFile:
    """Read a bead model of DAMMIN, DAMMIF, DAMAVER and the like, or ours, from PDB or mmCIF.

    Every ATOM and HETATM is a bead. The header is read where it says more: size, number of beads, radius of gyration.

    Parameters
    ----------
    path : file

    Returns
    -------
    BeadFile
        In the unit of the file.

    Raises
    ------
    DataError
        When there are no atoms, a line cannot be read, the file holds several models or fewer beads than it says.
    """
    name, path = str(path), Path(path)
    file_digest(path, name)  # says what is wrong with a path
    text = read_bytes(path, name).decode("utf-8", "replace")
    lines = text.splitlines()
    cif = any(line.startswith("_atom_site.") for line in lines)
    places, occupancy = _from_cif(name, lines) if cif else _from_pdb(name, lines)
    if len(places) < 2:
        raise DataError(
            f"{name}: expected beads as ATOM lines of PDB or mmCIF, found {'one' if places else 'none'}; give a bead model"
        )
    count = _number(_COUNT, text)
    if count > len(places):
        raise DataError(
            f"{name}, line {len(lines)}: the header says {count:.0f} beads, {len(places)} stand in the file; it is cut "
            "short, copy it again"
        )
    positions = np.array(places)
    radius = _number(_RADIUS_CIF, text)
    radius = radius if radius > 0.0 else _number(_RADIUS, text)
    software = _SOFTWARE.search(text)
    return BeadFile(
        file=name, software=software.group(1).strip("'\" ") if software else "", positions=positions,
        bead=2.0 * radius if radius > 0.0 else _spacing(name, positions), bead_stated=radius > 0.0,
        occupancy=np.array(occupancy), rg=_number(_RG, text), volume=_number(_VOLUME, text),
    )  # fmt: skip


def read_beads(path: Path) -> tuple[FloatArray, float | None]:
    """Read a bead model whose lengths are in angstrom: positions (n, 3) and bead diameter, nm; see :func:`read_bead_file`.

    Returns
    -------
    positions (n, 3), nm; bead diameter, nm, or None when the file does not say
    """
    found = read_bead_file(path).scaled(1.0 / _ANGSTROM_PER_NM)
    return found.positions, found.bead if found.bead_stated else None


def _number(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    return float(found.group(1)) if found else math.nan


def _spacing(name: str, positions: FloatArray) -> float:
    """Median distance of a bead to the nearest other one."""
    from scipy.spatial import cKDTree

    near = float(np.median(cKDTree(positions).query(positions, k=2)[0][:, 1]))
    if near <= 0.0:
        raise DataError(f"{name}: most beads lie on top of each other; expected one bead per place")
    return near


def _from_pdb(name: str, lines: Sequence[str]) -> tuple[list[tuple[float, ...]], list[float]]:
    places, occupancy, models = [], [], 0
    for number, line in enumerate(lines, start=1):
        if line.startswith("MODEL "):
            models += 1
            if models > 1:
                raise DataError(f"{name}, line {number}: a second model begins; give a file with one")
        if line.startswith(("ATOM", "HETATM")):
            try:
                place = tuple(float(line[a : a + 8]) for a in (30, 38, 46))
                share = float(line[54:60]) if line[54:60].strip() else 1.0
                if not all(map(math.isfinite, (*place, share))):
                    raise ValueError
            except ValueError:
                raise DataError(
                    f"{name}, line {number}: expected coordinates in columns 31 to 54 and an occupancy in 55 to 60, "
                    f"got {line!r}"
                ) from None
            places.append(place)
            occupancy.append(share)
    return places, occupancy


def _from_cif(name: str, lines: Sequence[str]) -> tuple[list[tuple[float, ...]], list[float]]:
    names = [line.split()[0].removeprefix("_atom_site.") for line in lines if line.startswith("_atom_site.")]
    try:
        place = [names.index(f"Cartn_{a}") for a in "xyz"]
    except ValueError:
        raise DataError(f"{name}: expected the items _atom_site.Cartn_x, _y and _z") from None
    share = names.index("occupancy") if "occupancy" in names else None
    model = names.index("pdbx_PDB_model_num") if "pdbx_PDB_model_num" in names else None
    places, occupancy, models = [], [], set()
    for number, line in enumerate(lines, start=1):
        if line.startswith(("ATOM", "HETATM")):
            cells = line.split()
            try:
                if len(cells) != len(names):
                    raise ValueError
                found = tuple(float(cells[k]) for k in place)
                weight = float(cells[share]) if share is not None and cells[share] not in ".?" else 1.0
                if not all(map(math.isfinite, (*found, weight))):
                    raise ValueError
            except ValueError:
                raise DataError(
                    f"{name}, line {number}: expected {len(names)} values of an atom, got {line!r}"
                ) from None
            if model is not None:
                models.add(cells[model])
                if len(models) > 1:
                    raise DataError(f"{name}, line {number}: a second model begins; give a file with one")
            places.append(found)
            occupancy.append(weight)
    return places, occupancy
