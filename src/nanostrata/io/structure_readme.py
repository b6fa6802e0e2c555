"""The text beside structure files: what each is for, its units and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.io.text_out import write_text

PURPOSE: Mapping[str, str] = {
    "extxyz": (
        "extended XYZ (ASE, OVITO); the complete record, read back by nanostrata. Centred on 0. Columns: species (X = vacant "
        "site), pos (3 columns, angstrom), shell (1 = centre), radius_fraction (0 = centre, 1 = surface), site_volume "
        "(angstrom^3 of medium displaced), depth_nm (nm below the surface: (1 - radius_fraction) (A B C)^(1/3), with the "
        "semi-axes A, B, C on line 2 in angstrom). Line 2 also holds what is known of the particle as nanostrata_... entries"
    ),
    "cif": "CIF (VESTA, Mercury, gemmi); one cell in P 1 holding one particle, occupancies 1, fractional coordinates",
    "data": "LAMMPS data; metal units (angstrom, e, g/mol), box with empty space, types in alphabetic order of the elements",
    "POSCAR": "VASP POSCAR (VESTA, OVITO); direct coordinates in a box (angstrom), elements in alphabetic order",
    "pdb": "PDB (PyMOL, ChimeraX); angstrom, residue number = shell (1 = centre), B column = depth below the surface in angstrom",
}


def write_readme(
    folder: Path,
    models: Sequence[AtomicModel],
    paths: Sequence[Path],
    weights: Sequence[float] | FloatArray | None,
    oxidation: Mapping[str, int] | None,
    title: str,
    *,
    margin_angstrom: float,
) -> Path:
    """Write README.txt beside the files of an ensemble: purpose, units and columns of each, and one line per particle.

    Raises
    ------
    PhysicsError
        When there is not one weight for each particle.
    """
    if weights is not None and len(weights) != len(models):
        raise PhysicsError(f"weights: expected one for each of {len(models)} particles, got {len(weights)}")
    lines = [f"Atoms of {title}" if title else "Atoms", ""]
    lines += [f"{len(models)} particle(s). Lengths in the files are in angstrom unless the name says nm.", ""]
    for suffix in dict.fromkeys(p.suffix[1:] for p in paths):
        lines.append(f"*.{suffix}: {PURPOSE[suffix]}.")
    lines.append("")
    if any(p.suffix != ".extxyz" for p in paths):
        lines += [
            "Only extended XYZ holds vacant sites; the other formats leave them out, and put the particle into a box with "
            f"{margin_angstrom:g} angstrom of empty space on each side. The box is no crystal cell.",
            "",
        ]
    if oxidation is not None:
        states = ", ".join(f"{e} {n:+d}" for e, n in sorted(oxidation.items()))
        lines += [f"Charges in LAMMPS data are oxidation states ({states}), not a force field's.", ""]
    lines.append("file,atoms,vacant_sites,diameter_nm,weight,composition")
    share = None if weights is None else [float(w) for w in weights]
    for k, (model, path) in enumerate(zip(models, (p for p in paths if p.suffix == ".extxyz"), strict=True)):
        atoms = sum(model.counts.values())
        content = " ".join(f"{e}{n}" for e, n in sorted(model.counts.items()))
        diameter = model.info.get("diameter_nm")
        size = f"{diameter:.4f}" if isinstance(diameter, float) else ""
        weight = "" if share is None else f"{share[k]:.6g}"
        lines.append(f"{path.name},{atoms},{len(model) - atoms},{size},{weight},{content}")
    return write_text(folder / "README.txt", "\n".join(lines) + "\n")
