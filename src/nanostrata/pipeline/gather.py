"""From a recipe to domain objects: everything that is read from files, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nanostrata.domain import Composition, Medium, Origin, ScatteringCurve, SizeDistribution
from nanostrata.domain.base import Domain, FloatArray
from nanostrata.errors import DataError, NanostrataError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.recipe import Recipe
from nanostrata.pipeline.waxs_read import WaxsInput, read_waxs
from nanostrata.tables.factors import FactorTable

MIN_POINTS = 10
"""A curve with fewer points says nothing about a shape."""

MIN_READINGS = 10
"""Fewer diameters are no histogram."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs(Domain):
    """Everything that was read.

    Attributes
    ----------
    curves : ASAXS (or contrast) curves in the order of the project file
    rows : for each curve, which entry of ``asaxs.curves`` (or ``contrasts.curves``) it is, from 0; entries whose file
        cannot be read are missing where bad points are to be dropped
    left_out : one sentence for each entry that is missing
    subtract : for each curve, fitted backgrounds: (values on the curve's q, scale, its sigma)
    saxs : the curve for the shape, or None
    waxs : the wide-angle pattern and what belongs to it, or None
    factors : where measured f' and f'' come from, or None
    sizes, composition : from TEM and EDX, or None
    composition_x : mean x per site and its sigma from EDX, or None
    notes : sentences about what was converted, dropped or assumed
    """

    curves: tuple[ScatteringCurve, ...]
    rows: tuple[int, ...]
    left_out: tuple[str, ...]
    subtract: tuple[tuple[tuple[FloatArray, float, float], ...], ...]
    saxs: ScatteringCurve | None
    factors: Origin | None
    sizes: SizeDistribution | None
    composition: Composition | None
    composition_x: tuple[float, float] | None
    notes: tuple[str, ...]
    waxs: WaxsInput | None = None


def materials(recipe: Recipe) -> SolidSolution | None:
    """Return the solid solution that the project file describes; None when only contrasts are given.

    Raises
    ------
    RecipeError
        For impossible formulas, lattices or media, all problems at once.
    """
    from nanostrata.models.density import make_solid_solution
    from nanostrata.models.materials import load_medium

    if recipe.materials is None:
        return None
    medium: Medium = load_medium(recipe.sample.medium)
    return make_solid_solution(recipe.materials.core, recipe.materials.shell, medium, root=recipe.root)


def factor_tables(recipe: Recipe) -> tuple[FactorTable, FactorTable | None]:
    """Return the chosen table of f', f'' and the second opinion.

    Measured factors of the resonant element stand in both: the second opinion is one on the other elements then.

    Raises
    ------
    DataError
        When measured factors cannot be read.
    """
    from nanostrata.pipeline.factor_sources import with_factors_of
    from nanostrata.tables.factors import TABLES, load_factors

    assert recipe.asaxs is not None
    asaxs = recipe.asaxs
    first = asaxs.factors if isinstance(asaxs.factors, str) else "chantler"
    names = (first, *(name for name in TABLES if name != first))
    chosen, other = (load_factors(name, energy_resolution_ev=asaxs.energy_resolution_ev) for name in names)
    if isinstance(asaxs.factors, str):
        return chosen, other
    return with_factors_of(recipe, chosen), with_factors_of(recipe, other)


def read_factors(recipe: Recipe, problems: list[str], notes: list[str]) -> Origin | None:
    """Read measured factors and say aloud where those of the other elements come from; None without such a file."""
    if recipe.asaxs is None or isinstance(recipe.asaxs.factors, str):
        return None
    from nanostrata.pipeline.factor_sources import measured, said_of

    try:
        found, origin = measured(recipe, "chantler")
    except NanostrataError as error:
        problems += error.problems
        return None
    stated = [c.energy_kev for c in recipe.asaxs.curves if c.energy_kev is not None]
    said = [*origin.notes, *said_of(found, stated), "f' and f'' of all other elements are Chantler's"]
    if recipe.asaxs.energy_resolution_ev > 0:
        said.append("energy_resolution_ev acts on the other elements only: measured factors carry their own resolution")
    origin = replace(_origin_as_written(origin, recipe), notes=as_written(said, recipe))
    notes += origin.notes
    return origin


def read_inputs(recipe: Recipe, solid: SolidSolution | None) -> Inputs:
    """Read every file that the recipe names; all problems of all files at once.

    Raises
    ------
    DataError
        Carrying every problem of every file.
    """
    problems: list[str] = []
    notes: list[str] = []
    read = read_curves(recipe, problems, notes)
    saxs = read_saxs(recipe, problems)
    waxs = read_waxs(recipe, problems, notes)
    factors = read_factors(recipe, problems, notes)
    sizes = read_sizes(recipe, problems, notes)
    composition, composition_x = read_composition(recipe, solid, problems, notes)
    from nanostrata.pipeline.usable import unusable

    problems += unusable(recipe, solid, read.curves)
    if problems:
        raise DataError(*problems)
    return Inputs(
        curves=tuple(read.curves),
        rows=tuple(read.rows),
        left_out=tuple(read.left_out),
        subtract=tuple(read.subtract),
        saxs=saxs,
        factors=factors,
        sizes=sizes,
        composition=composition,
        composition_x=composition_x,
        notes=tuple(notes),
        waxs=waxs,
    )


@dataclass(frozen=True, kw_only=True)
class CurvesRead:
    """Curves that could be read: for each one its row in the project file and its fitted backgrounds; see Inputs."""

    curves: list[ScatteringCurve]
    rows: list[int]
    subtract: list[tuple[Any, ...]]
    left_out: list[str]


def read_curves(recipe: Recipe, problems: list[str], notes: list[str]) -> CurvesRead:
    """Read all curves and their backgrounds; problems and notes are appended."""
    from nanostrata.io.curves import read_curve

    table: Any = recipe.asaxs if recipe.asaxs is not None else recipe.contrasts
    if table is None:
        return CurvesRead(curves=[], rows=[], subtract=[], left_out=[])
    key = "asaxs" if recipe.asaxs is not None else "contrasts"
    out = CurvesRead(curves=[], rows=[], subtract=[], left_out=[])
    for row, entry in enumerate(table.curves):
        energy = getattr(entry, "energy_kev", None)
        try:
            curve = read_curve(
                recipe.root / entry.file,
                q_unit=entry.q_unit,
                energy_kev=energy,
                entry=entry.entry,
                q_range_inv_nm=entry.q_range_inv_nm or table.q_range_inv_nm,
                mask_inv_nm=tuple(entry.mask_inv_nm or ()) + tuple(table.mask_inv_nm or ()),
                on_bad_points=table.on_bad_points,
                relative_sigma=entry.relative_sigma,
                label=_label(entry, energy),
            )
            curve, fitted, said = _background(recipe, entry, curve)
        except NanostrataError as error:
            if table.on_bad_points == "drop" and isinstance(error, DataError):
                out.left_out.extend(
                    f"{key}.curves[{row}] is left out, because it cannot be read: {p}"
                    for p in as_written(error.problems, recipe)
                )
                continue
            problems += error.problems
            continue
        if len(curve) < MIN_POINTS:
            problems.append(
                f"{entry.file}: {len(curve)} usable points, a fit needs at least {MIN_POINTS}; check q_range_inv_nm, mask_inv_nm and the unit"
            )
            continue
        out.curves.append(replace(curve, origin=_origin_as_written(curve.origin, recipe)))
        out.rows.append(row)
        out.subtract.append(tuple(fitted))
        notes += said
    notes += out.left_out
    if not out.curves and not problems:
        problems += ["no curve is left to fit", *out.left_out]
    return out


def as_written(texts: Iterable[str], recipe: Recipe) -> tuple[str, ...]:
    """Name files as the project file does: results must not depend on where the project's folder lies."""
    # longest first: no name may be replaced by one that it ends with
    names = sorted(((str(recipe.root / n), n) for n in recipe.files()), key=lambda pair: -len(pair[0]))
    out = []
    for text in texts:
        for full, name in names:
            text = text.replace(full, name)
        out.append(text)
    return tuple(out)


def _origin_as_written(origin: Origin, recipe: Recipe) -> Origin:
    return replace(origin, file=as_written((origin.file,), recipe)[0], notes=as_written(origin.notes, recipe))


def _label(entry: Any, energy: float | None) -> str:
    from pathlib import PurePath

    name = PurePath(entry.file).name
    if energy is not None:
        return f"{energy:.3f} keV"
    return name + (f":{entry.entry}" if entry.entry else "")


def _background(recipe: Recipe, entry: Any, curve: ScatteringCurve) -> tuple[ScatteringCurve, list[Any], list[str]]:
    """Subtract measured backgrounds of given scale; hand those with scale = "fit" on to the fit."""
    from nanostrata.io.curves import read_curve

    fitted, said = [], []
    intensity, variance = np.array(curve.intensity), np.array(curve.sigma) ** 2
    for b in entry.background_files or ():
        other = read_curve(
            recipe.root / b.file,
            q_unit=b.q_unit or entry.q_unit,
            energy_kev=curve.energy_kev,
            entry=b.entry,
            on_bad_points=(recipe.asaxs or recipe.contrasts).on_bad_points,  # type: ignore[union-attr]
            relative_sigma=b.relative_sigma,
            label=b.file,
        )
        if other.q_inv_nm[0] > curve.q_inv_nm[0] * 1.001 or other.q_inv_nm[-1] < curve.q_inv_nm[-1] * 0.999:
            raise DataError(
                f"{b.file}: the background covers q = {other.q_inv_nm[0]:.4g} to {other.q_inv_nm[-1]:.4g} 1/nm, the curve "
                f"{entry.file} needs {curve.q_inv_nm[0]:.4g} to {curve.q_inv_nm[-1]:.4g}; set q_range_inv_nm of the curve"
            )
        values = np.interp(curve.q_inv_nm, other.q_inv_nm, other.intensity)
        errors = np.interp(curve.q_inv_nm, other.q_inv_nm, other.sigma)
        transmission = b.transmission if b.transmission is not None else 1.0
        if b.scale == "fit":
            fitted.append((values * transmission, 1.0, 0.5))
            variance += (transmission * errors) ** 2
            said.append(f"{entry.file}: background {b.file} is fitted (scale 1 ± 0.5 as prior)")
        else:
            factor = float(b.scale) * transmission
            intensity -= factor * values
            variance += (factor * errors) ** 2
            said.append(f"{entry.file}: {factor:g} times the background {b.file} subtracted, its errors carried")
    if not (entry.background_files or ()):
        return curve, [], []
    new = ScatteringCurve(
        q_inv_nm=curve.q_inv_nm, intensity=intensity, sigma=np.sqrt(variance), energy_kev=curve.energy_kev,
        dq_inv_nm=curve.dq_inv_nm, label=curve.label, intensity_unit=curve.intensity_unit, origin=curve.origin,
    )  # fmt: skip
    return new, fitted, said


def read_saxs(recipe: Recipe, problems: list[str]) -> ScatteringCurve | None:
    """Read the curve of ``[saxs]``, if there is one."""
    if recipe.saxs is None:
        return None
    from nanostrata.io.curves import read_curve

    try:
        curve = read_curve(
            recipe.root / recipe.saxs.file, q_unit=recipe.saxs.q_unit, energy_kev=recipe.saxs.energy_kev,
            entry=recipe.saxs.entry, relative_sigma=recipe.saxs.relative_sigma, label="SAXS",
        )  # fmt: skip
        return replace(curve, origin=_origin_as_written(curve.origin, recipe))
    except NanostrataError as error:
        problems += error.problems
        return None


def read_sizes(recipe: Recipe, problems: list[str], notes: list[str]) -> SizeDistribution | None:
    """Read ``[tem]`` and turn it into a size distribution, if there is one."""
    if recipe.tem is None:
        return None
    from nanostrata.io.tables_in import read_tem_readings
    from nanostrata.stages.measure_particles import size_distribution, stated_sizes

    tem = recipe.tem
    try:
        if tem.diameters is not None:
            readings = read_tem_readings(recipe.root / tem.diameters, unit=tem.unit, nm_per_pixel=tem.nm_per_pixel)
            sizes = size_distribution(
                readings.major_nm, readings.minor_nm, shape=recipe.particle.shape, reading_error_nm=tem.reading_error_nm,
                origin=readings.origin,
            )  # fmt: skip
            if recipe.particle.sizes == "tem" and len(readings) < MIN_READINGS:
                problems.append(
                    f'{tem.diameters}: particle.sizes = "tem" needs at least {MIN_READINGS} measured particles, there '
                    f'are {len(readings)}; write sizes = "gaussian"'
                )
        else:
            # the recipe has checked that both are there; a stated spread is taken as corrected for reading errors
            assert tem.mean_diameter_nm is not None
            assert tem.std_diameter_nm is not None
            sizes = stated_sizes(tem.mean_diameter_nm, tem.std_diameter_nm, tem.particles)
    except NanostrataError as error:
        problems += error.problems
        return None
    sizes = replace(sizes, origin=_origin_as_written(sizes.origin, recipe))
    notes += sizes.origin.notes
    return sizes


def read_composition(
    recipe: Recipe, solid: SolidSolution | None, problems: list[str], notes: list[str]
) -> tuple[Composition | None, tuple[float, float] | None]:
    """Read ``[edx]`` and turn it into fractions and a mean x, if there is one."""
    if recipe.edx is None or solid is None:
        return None, None
    from nanostrata.io.tables_in import read_edx
    from nanostrata.stages.measure_composition import composition, mean_shell_fraction

    try:
        source = recipe.root / recipe.edx.file if recipe.edx.file is not None else recipe.edx.atomic_percent or {}
        table = read_edx(source, error=recipe.edx.error)
        own = recipe.edx.sensitivity_uncertainty * table.atomic_percent
        measured = composition(
            table.elements,
            table.atomic_percent,
            np.hypot(table.error, own),
            expected_elements=solid.elements,
            origin=table.origin,
        )
        found = mean_shell_fraction(measured, solid) if solid.shell is not None else None
    except NanostrataError as error:
        problems += error.problems
        return None, None
    if isinstance(measured.origin, Origin):
        measured = replace(measured, origin=_origin_as_written(measured.origin, recipe))
        notes += getattr(measured.origin, "notes", ())
    if found is None:
        return measured, None
    notes += as_written(found.notes, recipe)
    return measured, (float(found.value), float(found.sigma))


def energies(curves: Sequence[ScatteringCurve]) -> list[float]:
    """Return the energies of all curves that have one."""
    return [c.energy_kev for c in curves if c.energy_kev is not None]
