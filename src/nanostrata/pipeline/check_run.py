"""The command ``check``: read everything that a project names, fit nothing, find every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import Origin, ScatteringCurve, SizeDistribution
from nanostrata.errors import DataError, NanostrataError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline import gather
from nanostrata.pipeline.check_factors import TableSpread, table_spread
from nanostrata.pipeline.crystal_run import check_crystal
from nanostrata.pipeline.propose import energy_from_name
from nanostrata.pipeline.recipe import Recipe, read_recipe
from nanostrata.pipeline.usable import curve_energies, unusable
from nanostrata.pipeline.waxs_read import WaxsInput, read_waxs

__all__ = ["CheckReport", "ContrastRow", "FactorRow", "FileRow", "MinimumRow", "inspect_project"]

_FIRST_MINIMUM = 4.4934  # first root of tan u = u: q R at the first minimum of a sphere


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """What was understood of one file; q in 1/nm, energy in keV."""

    role: str
    file: str
    label: str
    entry: str
    unit_read: str
    q_min_inv_nm: float | None
    q_max_inv_nm: float | None
    energy_kev: float | None
    points_read: int
    points_kept: int
    resolution: bool
    sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FactorRow:
    """f' and f'' of one element at one energy from both tables, and as measured where it is, electrons."""

    element: str
    energy_kev: float
    chantler: complex
    cromer_liberman: complex
    measured: complex | None


@dataclass(frozen=True, kw_only=True)
class ContrastRow:
    """Excess electron densities at one energy, e/nm^3."""

    energy_kev: float
    core_excess: complex
    shell_excess: complex | None
    medium: float


@dataclass(frozen=True, kw_only=True)
class MinimumRow:
    """First minimum of I q^4 of one curve, 1/nm."""

    label: str
    energy_kev: float | None
    q_inv_nm: float
    sigma_inv_nm: float


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """Everything that was understood, and everything that is wrong.

    Attributes
    ----------
    problems : stop a run
    warnings : do not stop it: (code, sentence)
    notes : what was converted, left out or assumed
    """

    recipe: Recipe | None = None
    files: tuple[FileRow, ...] = ()
    factors: tuple[FactorRow, ...] = ()
    contrasts: tuple[ContrastRow, ...] = ()
    spread: tuple[TableSpread, ...] = ()
    minima: tuple[MinimumRow, ...] = ()
    curves: tuple[ScatteringCurve, ...] = ()
    sizes: SizeDistribution | None = None
    mean_x: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


def inspect_project(path: Path) -> CheckReport:
    """Read a project and all its files.

    Returns
    -------
    CheckReport
        Never raises for what is wrong with the project: every problem is in it.
    """
    try:
        recipe, problems = read_recipe(path)
    except NanostrataError as error:
        return CheckReport(problems=error.problems)
    notes: list[str] = []
    missing = {name for _, name in recipe.named_files() if not (recipe.root / name).is_file()}
    solid = _solid(recipe, problems)
    read_problems: list[str] = []
    curves = gather.read_curves(recipe, read_problems, notes).curves
    saxs = gather.read_saxs(recipe, read_problems)
    waxs = read_waxs(recipe, read_problems, notes)
    measured = gather.read_factors(recipe, read_problems, notes)
    sizes = gather.read_sizes(recipe, read_problems, notes)
    composition, mean_x = gather.read_composition(recipe, solid, read_problems, notes)
    # files that do not exist were named with their line before; their readers need not say it again
    problems += [p for p in read_problems if not any(p.startswith(f"{recipe.root / name}:") for name in missing)]
    problems += unusable(recipe, solid, curves)
    energies = curve_energies(recipe, curves)[0] if recipe.asaxs is not None else []
    factors, contrasts = _physics(recipe, solid, energies)
    minima, seen = _look_at(recipe, curves)
    warnings = [
        *_about_energies(recipe, energies),
        *_about_factors(recipe),
        *seen,
        *_against_tem(recipe, minima, sizes),
    ]
    return CheckReport(
        recipe=recipe,
        files=(
            *(_curve_row(_role(recipe), c) for c in curves),
            *_waxs_rows(waxs),
            *_other_rows(saxs, measured, sizes, composition),
        ),
        factors=factors,
        contrasts=contrasts,
        spread=_spread(recipe, solid, energies),
        minima=minima,
        curves=tuple(curves),
        sizes=sizes,
        mean_x=mean_x,
        notes=tuple(dict.fromkeys(notes)),
        warnings=tuple(dict.fromkeys(warnings)),
        problems=tuple(dict.fromkeys(problems)),
    )


def _solid(recipe: Recipe, problems: list[str]) -> SolidSolution | None:
    try:
        solid = gather.materials(recipe)
    except NanostrataError as error:
        problems += [f"{recipe.file}: {p}" for p in error.problems]
        return None
    try:
        check_crystal(recipe, solid)
    except NanostrataError as error:
        problems += [f"{recipe.file}: {p}" for p in error.problems]
    return solid


def _role(recipe: Recipe) -> str:
    return "asaxs" if recipe.asaxs is not None else "contrast"


def _curve_row(role: str, c: ScatteringCurve) -> FileRow:
    return FileRow(
        role=role, file=c.origin.file, label=c.label, entry=c.origin.entry, unit_read=c.origin.unit_read,
        q_min_inv_nm=float(c.q_inv_nm[0]), q_max_inv_nm=float(c.q_inv_nm[-1]), energy_kev=c.energy_kev,
        points_read=c.origin.points_read, points_kept=c.origin.points_kept, resolution=c.dq_inv_nm is not None,
        sha256=c.origin.sha256, notes=c.origin.notes,
    )  # fmt: skip


def _waxs_rows(waxs: WaxsInput | None) -> list[FileRow]:
    if waxs is None:
        return []
    standard = [] if waxs.standard is None else [_curve_row("waxs standard", waxs.standard)]
    return [_curve_row("waxs", waxs.curve), *standard]


def _other_rows(saxs: ScatteringCurve | None, factors: Origin | None, sizes: Any, composition: Any) -> list[FileRow]:
    rows = [] if saxs is None else [_curve_row("saxs", saxs)]
    origins = [(role, getattr(thing, "origin", None)) for role, thing in (("tem", sizes), ("edx", composition))]
    for role, origin in [("factors", factors), *origins]:
        if origin is not None and origin.file:
            rows.append(
                FileRow(
                    role=role,
                    file=origin.file,
                    label=role,
                    entry="",
                    unit_read=origin.unit_read,
                    q_min_inv_nm=None,
                    q_max_inv_nm=None,
                    energy_kev=None,
                    points_read=origin.points_read,
                    points_kept=origin.points_kept,
                    resolution=False,
                    sha256=origin.sha256,
                    notes=origin.notes,
                )
            )
    return rows


def _physics(
    recipe: Recipe, solid: SolidSolution | None, energies: Sequence[float]
) -> tuple[tuple[FactorRow, ...], tuple[ContrastRow, ...]]:
    """Factors of both tables and excess densities at the energies of the project."""
    if recipe.asaxs is None or solid is None or not energies:
        return (), ()
    from nanostrata.tables.factors import load_factors

    try:
        chosen, _ = gather.factor_tables(recipe)
    except DataError:
        return (), ()  # the file of factors is among the problems
    resolution = recipe.asaxs.energy_resolution_ev
    chantler, other = (load_factors(n, energy_resolution_ev=resolution) for n in ("chantler", "cromer-liberman"))
    energies = [e for e in energies if all(m.energy_kev[0] <= e <= m.energy_kev[-1] for m in chosen.measured)]
    own = {m.element for m in chosen.measured}
    factors = tuple(
        FactorRow(
            element=e, energy_kev=kev, chantler=chantler.anomalous(e, kev), cromer_liberman=other.anomalous(e, kev),
            measured=chosen.anomalous(e, kev) if e in own else None,
        )
        for kev in energies
        for e in solid.elements
    )  # fmt: skip
    medium = solid.medium.electron_density_e_nm3
    contrasts = []
    for kev in energies:
        core, shell = (complex(v) - medium for v in solid.electron_density(np.array([0.0, 1.0]), chosen, kev))
        excess = None if solid.shell is None else shell
        contrasts.append(ContrastRow(energy_kev=kev, core_excess=core, shell_excess=excess, medium=medium))
    return factors, tuple(contrasts)


def _spread(recipe: Recipe, solid: SolidSolution | None, energies: Sequence[float]) -> tuple[TableSpread, ...]:
    """How far the tables are apart at each energy."""
    if recipe.asaxs is None or solid is None or not energies:
        return ()
    try:
        return table_spread(recipe, solid, gather.factor_tables(recipe)[0], energies)
    except NanostrataError:
        return ()  # what is wrong with the file of factors is among the problems


def _about_energies(recipe: Recipe, energies: Sequence[float]) -> list[tuple[str, str]]:
    """Warn of energies that cannot tell much, and of those that a file name contradicts."""
    if recipe.asaxs is None or not energies:
        return []
    from nanostrata.tables.factors import parse_edge

    warnings = []
    for i, entry in enumerate(recipe.asaxs.curves):
        named = energy_from_name(Path(entry.file).name)
        if named is not None and entry.energy_kev is not None and abs(named - entry.energy_kev) > 0.002 * named:
            key = f"{recipe.file}: asaxs.curves[{i}].energy_kev"
            text = f"{key}: {entry.energy_kev:g} keV, but the name of {entry.file} says {named:g} keV"
            warnings.append(("energy_name", text))
    if len(energies) == 1:
        text = f"{recipe.file}: asaxs.curves: one energy only; what its contrast does not tell, TEM and EDX must"
        warnings.append(("one_energy", text))
    if recipe.asaxs.edge is not None:
        element, shell, edge = parse_edge(recipe.asaxs.edge)
        near = min(energies, key=lambda e: abs(e - edge))
        if abs(near - edge) > 0.3:
            text = (
                f"{recipe.file}: asaxs.edge: {element} {shell} is at {edge:.4f} keV, the nearest energy {near:g} keV: "
                "hardly any resonance"
            )
            warnings.append(("far_from_edge", text))
    return warnings


def _about_factors(recipe: Recipe) -> list[tuple[str, str]]:
    from nanostrata.pipeline.factor_sources import factor_warnings

    try:
        return factor_warnings(recipe)
    except DataError:
        return []  # the scan is among the problems


def _look_at(recipe: Recipe, curves: Sequence[ScatteringCurve]) -> tuple[tuple[MinimumRow, ...], list[tuple[str, str]]]:
    """First minima; warnings on stated errors against scatter, on low q, and on scales that differ."""
    from nanostrata.stages.inspect_curves import first_minimum, low_q_verdict, sigma_against_scatter, sisters_agree

    table = recipe.asaxs or recipe.contrasts
    assert table is not None
    rows: list[MinimumRow] = []
    warnings: list[tuple[str, str]] = []
    for curve in curves:
        scatter = sigma_against_scatter(curve)
        if scatter.verdict in ("too small", "too large"):
            warnings.append(("sigma", scatter.message))
        low = low_q_verdict(curve, uniform_contrast=recipe.asaxs is not None)
        if low.verdict in ("aggregates", "interactions"):
            warnings.append((low.verdict, low.message))
        minimum = first_minimum(curve)
        if minimum is not None:
            where = {"q_inv_nm": minimum.q_inv_nm, "sigma_inv_nm": minimum.sigma_inv_nm}
            rows.append(MinimumRow(label=curve.label, energy_kev=curve.energy_kev, **where))
    same_scale = recipe.asaxs is not None and table.scale == "common"
    warnings += [(s.code, s.message) for s in sisters_agree(curves, same_scale=same_scale) if s.code != "q_unit"]
    return tuple(rows), warnings


def _against_tem(recipe: Recipe, minima: Sequence[MinimumRow], sizes: SizeDistribution | None) -> list[tuple[str, str]]:
    """Compare TEM with the sphere of the first minimum: a factor of 1.5 or more is no physics but a unit."""
    if sizes is None or not minima or recipe.asaxs is None:
        return []
    diameter = 2.0 * _FIRST_MINIMUM / float(np.median([m.q_inv_nm for m in minima]))
    if max(diameter / sizes.mean_nm, sizes.mean_nm / diameter) <= 1.5:
        return []
    text = (
        f"[tem] says {sizes.mean_nm:.3g} nm, the first minimum of the curves a sphere of {diameter:.3g} nm: "
        "look at the units of both, and at the curves"
    )
    return [("tem_against_minimum", text)]
