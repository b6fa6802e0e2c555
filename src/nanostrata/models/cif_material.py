"""An end member whose lattice comes from a CIF."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.domain import Material
from nanostrata.errors import RecipeError
from nanostrata.models.materials import check_density, normalisation, per_site
from nanostrata.tables.formulas import parse_formula, split_ions

RATIO_TOLERANCE = 0.03
"""By which atoms per shared site in the CIF and in the formula may differ."""

SAME_SITE_NM = 0.02
"""Atoms closer than this share a site."""

# space group, cation positions, anion positions (or all, 0) of the conventional cell
_KNOWN = {
    (186, 2, 2): "wurtzite",
    (216, 4, 4): "zincblende",
    (225, 4, 4): "rocksalt",
    (227, 8, 0): "diamond",
    (225, 4, 0): "fcc",
    (229, 2, 0): "bcc",
    (194, 2, 0): "hcp",
}


def material_from_cif(
    text: str, formula: str, *, partner: str | None = None, density_uncertainty: float = 0.01, key: str = "materials"
) -> Material:
    """Return an end member whose cell comes from a CIF (read with gemmi).

    The cell's volume is shared among the positions of its full sublattice; occupancies must agree with the formula,
    which remains the word on the composition. A lattice that we know by name is recognised, so that Vegard's rule and
    the building of atoms work as with stated constants.

    Parameters
    ----------
    text : content of the file
    formula : of the material
    partner : formula of the other end member; it decides what the shared site is
    key : place in the project file, for messages

    Raises
    ------
    RecipeError
        When the CIF holds no cell, no symmetry or no atoms, or other atoms than the formula says.
    """
    at = f"{key}.lattice.cif"
    small = read_small_structure(text, at)
    counts = parse_formula(formula)
    per = normalisation(formula, partner)
    composition = per_site(formula, counts, per, key, full=False)
    atoms = _atoms(small, at)
    _check_composition(atoms, formula, composition, per, at)
    cations, anions = split_ions(composition)
    first = _positions(small, [p for e in (cations or atoms) for p in atoms[e][1]])
    second = _positions(small, [p for e in anions for p in atoms[e][1]])
    shared = second if per == "anion" else first
    cell = small.cell
    structure = _KNOWN.get((small.spacegroup.number, first, second), "cif")
    volume = cell.volume * 1e-3 / shared
    check_density(formula, composition, volume, at)
    return Material(
        name=formula,
        composition=composition,
        site_volume_nm3=volume,
        structure=structure,
        lattice_nm=(cell.a / 10, cell.b / 10, cell.c / 10),
        density_uncertainty=density_uncertainty,
        sublattice_sites=(first / shared, second / shared) if second else (1.0, 1.0),
    )


def read_small_structure(text: str, at: str) -> Any:
    """Return gemmi's small structure of the one block of a CIF that holds a cell, symmetry and atoms.

    Raises
    ------
    RecipeError
        With the key ``at`` when one of these is missing.
    """
    import gemmi

    try:
        document = gemmi.cif.read_string(text)
        blocks = [b for b in document if b.find_value("_cell_length_a")]
        if len(blocks) != 1:
            raise RecipeError(f"{at}: expected one structure with _cell_length_a, found {len(blocks)}; split the file")
        small = gemmi.make_small_structure_from_block(blocks[0])
    except (RuntimeError, ValueError, IndexError) as error:
        raise RecipeError(f"{at}: not a readable CIF ({error})") from error
    if not small.cell.is_crystal() or not small.cell.volume > 1.0:
        raise RecipeError(f"{at}: no unit cell (_cell_length_a ... _cell_angle_gamma)")
    if small.spacegroup is None:
        # gemmi would take the listed atoms for all atoms of the cell
        raise RecipeError(
            f"{at}: no symmetry that can be read (_space_group_name_H-M_alt, or _space_group_symop_operation_xyz); "
            "without it the atoms of the cell are not known. For a structure without symmetry write 'P 1'"
        )
    if not small.sites:
        raise RecipeError(f"{at}: no atoms (_atom_site_fract_x, _y, _z)")
    return small


def _atoms(small: Any, at: str) -> dict[str, tuple[float, list[tuple[float, float, float]]]]:
    """Return element -> (atoms per cell, positions)."""
    bad = [s.label for s in small.sites if not np.isfinite(s.fract.tolist()).all() or s.element.atomic_number == 0]
    if bad:
        raise RecipeError(f"{at}: {', '.join(bad)}: no element or no position; correct these atoms")
    found: dict[str, tuple[float, list[tuple[float, float, float]]]] = {}
    for site in small.get_all_unit_cell_sites():
        n, places = found.get(site.element.name, (0.0, []))
        x, y, z = site.fract.tolist()
        found[site.element.name] = (n + site.occ, [*places, (x, y, z)])
    return found


def _check_composition(
    atoms: dict[str, tuple[float, list[tuple[float, float, float]]]],
    formula: str,
    composition: dict[str, float],
    per: str,
    at: str,
) -> None:
    in_cell = {e: n for e, (n, _) in atoms.items()}
    if set(in_cell) != set(composition):
        raise RecipeError(
            f"{at}: holds {', '.join(sorted(in_cell))}; the formula {formula} says {', '.join(sorted(composition))}"
        )
    cations, anions = split_ions(composition)
    shared = anions if per == "anion" else cations if per == "cation" else composition
    norm = sum(in_cell[e] for e in shared)
    if norm <= 0.0:
        raise RecipeError(f"{at}: the sites of {', '.join(shared)} are empty (_atom_site_occupancy)")
    wrong = [
        f"{e} {in_cell[e] / norm:.3f} in the CIF, {n:.3f} by the formula"
        for e, n in composition.items()
        if abs(in_cell[e] / norm - n) > RATIO_TOLERANCE
    ]
    if wrong:
        raise RecipeError(
            f"{at}: per {per} {'; '.join(wrong)}. Write the formula {formula} as the CIF has it, or correct the "
            "occupancies of the CIF"
        )


def _positions(small: Any, places: list[tuple[float, float, float]]) -> int:
    """Count the different positions: elements that share a site (a disordered alloy) count once."""
    orthogonal = np.array(small.cell.orth.mat.tolist()) / 10.0
    kept: list[tuple[float, float, float]] = []
    for place in places:
        apart = np.array(kept).reshape(-1, 3) - place
        apart -= np.round(apart)
        if not np.any(np.linalg.norm(apart @ orthogonal.T, axis=1) < SAME_SITE_NM):
            kept.append(place)
    return len(kept)
