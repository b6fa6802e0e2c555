"""Bead models as files: mmCIF and PDB in the habit of the field, and what other programs wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.errors import DataError
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


def read_beads(path: Path) -> tuple[FloatArray, float | None]:
    """Read the beads of a PDB or mmCIF model (DAMMIN, DAMMIF, ours): positions (n, 3) and bead diameter, nm.

    Solvent beads (element O of some writers, or segment names other than the particle's) do not occur in the files that
    are meant here; everything that is an atom is a bead.

    Returns
    -------
    positions (n, 3), nm; bead diameter, nm, or None when the file does not say

    Raises
    ------
    DataError
        When there are no atoms in it or a line cannot be read.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    cif = any(line.startswith("_atom_site.") for line in lines)
    places = _from_cif(path, lines) if cif else _from_pdb(path, lines)
    if not places:
        raise DataError(f"{path}: expected beads as ATOM lines of PDB or mmCIF, found none")
    found = re.search(
        r"_sas_model\.radius\s+([0-9.]+)" if cif else r"(?i)(?:dummy )?atom radius[^:\n]*:\s*([0-9.]+)", text
    )
    bead = 2.0 * float(found.group(1)) / _ANGSTROM_PER_NM if found else None
    return np.array(places) / _ANGSTROM_PER_NM, bead


def _from_pdb(path: Path, lines: Sequence[str]) -> list[tuple[float, float, float]]:
    out = []
    for number, line in enumerate(lines, start=1):
        if line.startswith(("ATOM", "HETATM")):
            try:
                out.append((float(line[30:38]), float(line[38:46]), float(line[46:54])))
            except ValueError:
                raise DataError(
                    f"{path}, line {number}: expected coordinates in columns 31 to 54, got {line!r}"
                ) from None
    return out


def _from_cif(path: Path, lines: Sequence[str]) -> list[tuple[float, float, float]]:
    names = [line.strip().removeprefix("_atom_site.") for line in lines if line.startswith("_atom_site.")]
    try:
        place = [names.index(f"Cartn_{a}") for a in "xyz"]
    except ValueError:
        raise DataError(f"{path}: expected the items _atom_site.Cartn_x, _y and _z") from None
    out = []
    for number, line in enumerate(lines, start=1):
        if line.startswith(("ATOM", "HETATM")):
            cells = line.split()
            try:
                x, y, z = (float(cells[k]) for k in place)
            except (ValueError, IndexError):
                raise DataError(
                    f"{path}, line {number}: expected {len(names)} values of an atom, got {line!r}"
                ) from None
            out.append((x, y, z))
    return out
