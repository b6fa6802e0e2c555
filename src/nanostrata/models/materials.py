"""From formulas and lattices to materials on a common site, and from names to media."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nanostrata.constants import AVOGADRO
from nanostrata.domain import Material, Medium
from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.tables.factors import atomic_number
from nanostrata.tables.formulas import atomic_mass, parse_formula, split_ions
from nanostrata.tables.media import EMPTY, MEDIA

STRUCTURES = ("wurtzite", "zincblende", "rocksalt", "diamond", "fcc", "bcc", "hcp")
"""Lattices that need only constants."""

HEXAGONAL = ("wurtzite", "hcp")
COMPOUND = ("wurtzite", "zincblende", "rocksalt")


def site_volume_nm3(structure: str, a_nm: float, c_nm: float) -> float:
    """Volume per shared site: per anion (or cation) of a compound, per atom of a metal, nm^3."""
    return {
        "wurtzite": math.sqrt(3.0) / 4.0 * a_nm**2 * c_nm,
        "hcp": math.sqrt(3.0) / 4.0 * a_nm**2 * c_nm,
        "zincblende": a_nm**3 / 4.0,
        "rocksalt": a_nm**3 / 4.0,
        "fcc": a_nm**3 / 4.0,
        "bcc": a_nm**3 / 2.0,
        "diamond": a_nm**3 / 8.0,
    }[structure]


def normalisation(formula: str, partner: str | None) -> str:
    """Decide what x counts: "anion" (also for one material), "cation" when only the anions differ, "atom" for metals.

    Raises
    ------
    RecipeError
        When one is a compound and the other is not.
    """
    cations, anions = split_ions(parse_formula(formula))
    if partner is None:
        return "anion" if anions else "atom"
    other_cations, other_anions = split_ions(parse_formula(partner))
    if bool(anions) != bool(other_anions):
        raise RecipeError(
            f"materials: {formula} and {partner} share no sublattice (one has anions, the other has none); "
            "a solid solution needs two compounds or two metals"
        )
    if not anions:
        return "atom"
    same_cations = set(cations) == set(other_cations)
    same_anions = set(anions) == set(other_anions)
    return "cation" if same_cations and not same_anions else "anion"


def make_material(
    formula: str,
    structure: str,
    a_nm: float | None,
    c_nm: float | None = None,
    *,
    partner: str | None = None,
    density_uncertainty: float = 0.01,
    key: str = "materials",
) -> Material:
    """Return an end member per shared site.

    Parameters
    ----------
    formula : for example "Ag2In4Se7"
    structure : one of :data:`STRUCTURES`
    a_nm, c_nm : lattice constants, nm
    partner : formula of the other end member; it decides what the shared site is
    key : place in the project file, for messages

    Raises
    ------
    RecipeError
        All problems of this material at once.
    """
    problems: list[str] = []
    counts: dict[str, float] = {}
    per = "anion"
    try:
        counts = parse_formula(formula)
        per = normalisation(formula, partner)
    except NanostrataError as error:
        problems += [f"{key}.formula: {p}" for p in error.problems]
    if structure not in STRUCTURES:
        problems.append(f"{key}.lattice.structure: {structure!r} is not known; write one of {', '.join(STRUCTURES)}, or {{ cif = ... }}")
    for name, value in (("a_nm", a_nm), ("c_nm", c_nm)):
        if value is None:
            if name == "a_nm" or structure in HEXAGONAL:
                problems.append(f"{key}.lattice.{name}: missing; a {structure} lattice needs it, in nm")
        elif not 0.15 <= value <= 2.0:
            hint = f" (was angstrom meant? write {value / 10:.4g})" if 2.0 < value < 20 else ""
            problems.append(f"{key}.lattice.{name}: expected 0.15 to 2 nm, got {value:g}{hint}")
    if counts and structure in COMPOUND and per == "atom":
        problems.append(f"{key}: {formula} has no anion, but {structure} is the lattice of a compound; write fcc, bcc, hcp or diamond")
    if counts and structure not in COMPOUND and structure in STRUCTURES and per != "atom":
        problems.append(f"{key}: {formula} is a compound; {structure} is a lattice of one kind of site. Write wurtzite, zincblende or rocksalt")
    if problems:
        raise RecipeError(*problems)
    composition = _per_site(formula, counts, per, key)
    a = float(a_nm or 0.0)
    c = float(c_nm) if c_nm is not None and structure in HEXAGONAL else a
    return Material(
        name=formula, composition=composition, site_volume_nm3=site_volume_nm3(structure, a, c), structure=structure,
        lattice_nm=(a, a, c), density_uncertainty=density_uncertainty,
    )  # fmt: skip


def _per_site(formula: str, counts: dict[str, float], per: str, key: str) -> dict[str, float]:
    if per == "atom":
        total = sum(counts.values())
        return {e: n / total for e, n in counts.items()}
    cations, anions = split_ions(counts)
    n_cation, n_anion = sum(cations.values()), sum(anions.values())
    over = n_cation / n_anion if per == "anion" else n_anion / n_cation
    if over > 1.0 + 1e-9:
        what, sites = ("cations", "cation") if per == "anion" else ("anions", "anion")
        raise RecipeError(
            f"{key}.formula: {formula} has {over:.3g} {what} for each {sites} site of its lattice; "
            "these lattices have one cation site for each anion site"
        )
    norm = n_anion if per == "anion" else n_cation
    return {e: n / norm for e, n in counts.items()}


def material_from_cif(text: str, formula: str, *, partner: str | None, density_uncertainty: float, key: str) -> Material:
    """Return an end member whose cell comes from a CIF (read with gemmi); the formula says what fills it.

    Raises
    ------
    RecipeError
        When the CIF holds no cell with atoms, or its atoms do not match the formula.
    """
    import gemmi

    try:
        block = gemmi.cif.read_string(text).sole_block()
        small = gemmi.make_small_structure_from_block(block)
    except (RuntimeError, ValueError) as error:
        raise RecipeError(f"{key}.lattice.cif: not a readable CIF with one structure ({error})") from error
    found: dict[str, float] = {}
    for site in small.get_all_unit_cell_sites():
        found[site.element.name] = found.get(site.element.name, 0.0) + site.occ
    if not found or small.cell.volume <= 1.0:
        raise RecipeError(f"{key}.lattice.cif: holds no unit cell with atoms")
    counts = parse_formula(formula)
    per = normalisation(formula, partner)
    composition = _per_site(formula, counts, per, key)
    anions = split_ions(found)[1]
    cations = split_ions(found)[0]
    sites = sum((anions if per == "anion" else cations if per == "cation" else found).values())
    if set(found) != set(counts) or sites <= 0:
        raise RecipeError(
            f"{key}.lattice.cif: holds {', '.join(sorted(found))}, the formula {formula} says {', '.join(sorted(counts))}"
        )
    cell = small.cell
    return Material(
        name=formula, composition=composition, site_volume_nm3=cell.volume * 1e-3 / sites, structure="cif",
        lattice_nm=(cell.a / 10, cell.b / 10, cell.c / 10), density_uncertainty=density_uncertainty,
    )  # fmt: skip


def from_recipe(part: Any, partner: Any | None, root: Path, key: str) -> Material:
    """Return the material that one table of the project file describes."""
    lattice = part.lattice
    other = None if partner is None else partner.formula
    cif = getattr(lattice, "cif", None)
    if cif is not None:
        path = root / cif
        if not path.is_file():
            raise RecipeError(f"{key}.lattice.cif: no file {path}; give a path relative to the project file")
        text = path.read_text(encoding="utf-8", errors="replace")
        return material_from_cif(text, part.formula, partner=other, density_uncertainty=part.density_uncertainty, key=key)
    return make_material(
        part.formula, lattice.structure, lattice.a_nm, lattice.c_nm, partner=other,
        density_uncertainty=part.density_uncertainty, key=key,
    )  # fmt: skip


def electron_density(formula: str, density_g_cm3: float) -> float:
    """Electrons per nm^3 of a substance of given formula and density."""
    counts = parse_formula(formula)
    electrons = sum(n * atomic_number(e) for e, n in counts.items())
    mass = sum(n * atomic_mass(e) for e, n in counts.items())
    return density_g_cm3 * AVOGADRO / mass * electrons * 1e-21


def load_medium(value: str | Mapping[str, Any] | Any) -> Medium:
    """Return the medium that a project file names.

    Parameters
    ----------
    value : a known name, or a mapping (or object) with ``formula`` and ``density_g_cm3``, or ``electron_density_e_nm3``

    Raises
    ------
    RecipeError
        For an unknown name or an incomplete table.
    """
    if isinstance(value, str):
        key = value.strip().lower()
        if key in EMPTY:
            return Medium(name=key, electron_density_e_nm3=0.0)
        if key not in MEDIA:
            raise RecipeError(
                f"sample.medium: {value!r} is not a known medium; write one of {', '.join(sorted([*MEDIA, *EMPTY]))}, or "
                '{ formula = "C7H8", density_g_cm3 = 0.867 }, or { electron_density_e_nm3 = 283.3 }'
            )
        formula, density = MEDIA[key]
        return Medium(name=key, electron_density_e_nm3=electron_density(formula, density))
    table = dict(value) if isinstance(value, Mapping) else value.model_dump(exclude_none=True)
    if table.get("electron_density_e_nm3") is not None:
        return Medium(name="given density", electron_density_e_nm3=float(table["electron_density_e_nm3"]))
    if table.get("formula") and table.get("density_g_cm3"):
        rho = electron_density(table["formula"], float(table["density_g_cm3"]))
        return Medium(name=str(table["formula"]), electron_density_e_nm3=rho)
    raise RecipeError(
        "sample.medium: expected a name, { formula, density_g_cm3 } or { electron_density_e_nm3 }, got " + repr(table)
    )
