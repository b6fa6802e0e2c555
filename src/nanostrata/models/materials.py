"""From formulas and lattices to materials on a common site, and from names to media."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nanostrata.constants import AVOGADRO
from nanostrata.domain import Material, Medium
from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.tables.elements import atomic_mass, atomic_number
from nanostrata.tables.formulas import parse_formula, split_ions
from nanostrata.tables.media import EMPTY, MEDIA

STRUCTURES = ("wurtzite", "zincblende", "rocksalt", "diamond", "fcc", "bcc", "hcp")
"""Lattices that need only constants."""

HEXAGONAL = ("wurtzite", "hcp")
COMPOUND = ("wurtzite", "zincblende", "rocksalt")

DENSITY_RANGE_G_CM3 = (0.3, 25.0)
"""Solids lie between lithium (0.53) and osmium (22.6)."""

LIQUID_RANGE_G_CM3 = (0.05, 20.0)


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

    With one cation for each anion "anion" and "cation" are the same. Where only the anions differ but cations are
    missing (In2S3 on In2Se3), the anion sites are the full ones, and x is counted on them.

    Raises
    ------
    RecipeError
        When one has anions and the other has none.
    """
    cations, anions = split_ions(parse_formula(formula))
    if partner is None:
        return "anion" if anions else "atom"
    other_cations, other_anions = split_ions(parse_formula(partner))
    if bool(anions) != bool(other_anions):
        raise RecipeError(
            f"materials: {formula} and {partner} share no sublattice (one has anions, the other has none); "
            "x mixes two materials with anions, or two without"
        )
    if not anions:
        return "atom"
    only_anions_differ = set(cations) == set(other_cations) and set(anions) != set(other_anions)
    full = all(sum(a.values()) <= sum(c.values()) for c, a in ((cations, anions), (other_cations, other_anions)))
    return "cation" if only_anions_differ and full else "anion"


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

    Examples
    --------
    >>> znse = make_material("ZnSe", "wurtzite", 0.400, 0.655)
    >>> round(1 / znse.site_volume_nm3, 2)
    22.04
    """
    problems: list[str] = []
    counts: dict[str, float] = {}
    composition: dict[str, float] = {}
    per = ""
    try:
        counts = parse_formula(formula)
        per = normalisation(formula, partner)
        composition = per_site(formula, counts, per, key, full=structure in COMPOUND)
    except NanostrataError as error:
        problems += [p if p.startswith(key) else f"{key}.formula: {p}" for p in error.problems]
    problems += _lattice_problems(structure, a_nm, c_nm, key)
    if per == "atom" and structure in COMPOUND:
        problems.append(
            f"{key}: {formula} has no anion, and {structure} has sites for cations and for anions; write fcc, bcc, hcp "
            "or diamond"
        )
    if per in ("anion", "cation") and structure in STRUCTURES and structure not in COMPOUND:
        problems.append(
            f"{key}: {formula} has cations and anions, and {structure} has one kind of site; write {', '.join(COMPOUND)}"
        )
    if problems:
        raise RecipeError(*problems)
    a = float(a_nm or 0.0)
    c = float(c_nm) if c_nm is not None and structure in HEXAGONAL else a
    volume = site_volume_nm3(structure, a, c)
    check_density(formula, composition, volume, key)
    return Material(
        name=formula,
        composition=composition,
        site_volume_nm3=volume,
        structure=structure,
        lattice_nm=(a, a, c),
        density_uncertainty=density_uncertainty,
    )


def _lattice_problems(structure: str, a_nm: float | None, c_nm: float | None, key: str) -> list[str]:
    if structure not in STRUCTURES:
        known = ", ".join(STRUCTURES)
        return [f"{key}.lattice.structure: {structure!r} is not known; write one of {known}, or {{ cif = ... }}"]
    problems = []
    for name, value in (("a_nm", a_nm), ("c_nm", c_nm)):
        if value is None:
            if name == "a_nm" or structure in HEXAGONAL:
                problems.append(f"{key}.lattice.{name}: missing; a {structure} lattice needs it, in nm")
        elif not 0.15 <= value <= 2.0:
            hint = f" (was angstrom meant? write {value / 10:.4g})" if 2.0 < value < 20 else ""
            problems.append(f"{key}.lattice.{name}: expected 0.15 to 2 nm, got {value:g}{hint}")
    if problems or a_nm is None or c_nm is None:
        return problems
    if structure not in HEXAGONAL and not math.isclose(a_nm, c_nm):
        problems.append(f"{key}.lattice.c_nm: {c_nm:g} given, but {structure} is cubic; take c_nm out")
    if structure in HEXAGONAL and not 1.2 <= c_nm / a_nm <= 2.2:
        swapped = "; are they swapped?" if 1.2 <= a_nm / c_nm <= 2.2 else ""
        problems.append(
            f"{key}.lattice: c/a = {c_nm / a_nm:.3f}, expected 1.2 to 2.2 for {structure} (ideal 1.633){swapped}"
        )
    return problems


def per_site(formula: str, counts: Mapping[str, float], per: str, key: str, *, full: bool) -> dict[str, float]:
    """Return atoms of each element per shared site.

    Parameters
    ----------
    per : what the shared site is, see :func:`normalisation`
    full : the lattice has one cation site for each anion site; more atoms than sites are refused

    Raises
    ------
    RecipeError
        When the sites do not suffice.
    """
    if per == "atom":
        total = sum(counts.values())
        return {e: n / total for e, n in counts.items()}
    cations, anions = split_ions(counts)
    n_cation, n_anion = sum(cations.values()), sum(anions.values())
    over = n_cation / n_anion if per == "anion" else n_anion / n_cation
    if full and over > 1.0 + 1e-9:
        what, one = ("cations", "anion") if per == "anion" else ("anions", "cation")
        raise RecipeError(
            f"{key}.formula: {formula} has {over:.4g} {what} for each {one}; this lattice has one site of each kind. "
            f"Vacancies are written by smaller numbers, so at most one of the {what} to one {one}; for another lattice "
            "write lattice = { cif = ... }"
        )
    norm = n_anion if per == "anion" else n_cation
    return {e: n / norm for e, n in counts.items()}


def mass_density_g_cm3(material: Material) -> float:
    """Mass density that composition and lattice imply, g/cm^3."""
    return _mass_density(material.composition, material.site_volume_nm3)


def _mass_density(composition: Mapping[str, float], volume_nm3: float) -> float:
    return sum(n * atomic_mass(e) for e, n in composition.items()) / AVOGADRO / (volume_nm3 * 1e-21)


def check_density(formula: str, composition: Mapping[str, float], volume_nm3: float, key: str) -> None:
    """Refuse a lattice that gives a density no solid has.

    Raises
    ------
    RecipeError
        With the density, and the lattice it came from.
    """
    density = _mass_density(composition, volume_nm3)
    low, high = DENSITY_RANGE_G_CM3
    if not low <= density <= high:
        raise RecipeError(
            f"{key}: {formula} in this lattice weighs {density:.3g} g/cm3; solids weigh {low:g} to {high:g}. "
            "Check structure, a_nm and c_nm"
        )


def from_recipe(part: Any, partner: Any | None, root: Path, key: str) -> Material:
    """Return the material that one table of the project file describes.

    Raises
    ------
    RecipeError
        All problems of this material.
    """
    from nanostrata.models.cif_material import material_from_cif

    lattice = part.lattice
    other = None if partner is None else partner.formula
    cif = getattr(lattice, "cif", None)
    if cif is None:
        return make_material(
            part.formula,
            lattice.structure,
            lattice.a_nm,
            lattice.c_nm,
            partner=other,
            density_uncertainty=part.density_uncertainty,
            key=key,
        )
    path = root / cif
    if not path.is_file():
        raise RecipeError(f"{key}.lattice.cif: no file {path}; give a path relative to the project file")
    # numbers and symbols of a CIF are ASCII; authors' names in an older encoding must not stop the reading
    text = path.read_text(encoding="utf-8", errors="replace")
    return material_from_cif(text, part.formula, partner=other, density_uncertainty=part.density_uncertainty, key=key)


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
        For an unknown name, an incomplete table, or a density that no liquid has.

    Examples
    --------
    >>> round(load_medium("toluene").electron_density_e_nm3, 2)
    283.33
    """
    if isinstance(value, str):
        key = value.strip().lower()
        if key in EMPTY:
            return Medium(name=key, electron_density_e_nm3=0.0)
        if key not in MEDIA:
            raise RecipeError(
                f"sample.medium: {value!r} is not a known medium; write one of {', '.join(sorted([*MEDIA, *EMPTY]))}, "
                'or { formula = "C7H8", density_g_cm3 = 0.867 }, or { electron_density_e_nm3 = 283.3 }'
            )
        liquid = MEDIA[key]
        return Medium(name=key, electron_density_e_nm3=electron_density(liquid.formula, liquid.density_g_cm3))
    table = dict(value) if isinstance(value, Mapping) else value.model_dump(exclude_none=True)
    if table.get("electron_density_e_nm3") is not None:
        return Medium(name="given density", electron_density_e_nm3=_given(float(table["electron_density_e_nm3"])))
    if table.get("formula") and table.get("density_g_cm3"):
        density = float(table["density_g_cm3"])
        low, high = LIQUID_RANGE_G_CM3
        if not low <= density <= high:
            hint = f" (was kg/m3 meant? write {density / 1000:g})" if 300.0 < density < 20000.0 else ""
            raise RecipeError(f"sample.medium.density_g_cm3: expected {low:g} to {high:g} g/cm3, got {density:g}{hint}")
        return Medium(name=str(table["formula"]), electron_density_e_nm3=electron_density(table["formula"], density))
    raise RecipeError(
        "sample.medium: expected a name, { formula, density_g_cm3 } or { electron_density_e_nm3 }, got " + repr(table)
    )


def _given(value_e_nm3: float) -> float:
    if value_e_nm3 != 0.0 and not 10.0 <= value_e_nm3 <= 5000.0:
        hint = f" (was e/angstrom^3 meant? write {value_e_nm3 * 1000:.4g})" if 0.01 <= value_e_nm3 < 5.0 else ""
        raise RecipeError(
            f"sample.medium.electron_density_e_nm3: expected 0 (vacuum) or 10 to 5000, got {value_e_nm3:g}{hint}"
        )
    return value_e_nm3
