"""From a project file, with data files or without, to what is planned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.plan import EnergyPlan
from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.pipeline.recipe import Recipe, missing_files, parse_recipe, read_toml
from nanostrata.pipeline.recipe_plan import Plan
from nanostrata.pipeline.recipe_text import TomlText

__all__ = ["PlanRequest", "load_plan"]


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """A project to plan for.

    Attributes
    ----------
    recipe : with one row of ``asaxs.curves`` for each planned energy where there are no data
    plan : its table ``[plan]``, or the defaults
    planned : energies and exposures
    measured : whether the data files are there
    """

    recipe: Recipe
    plan: Plan
    planned: EnergyPlan
    measured: bool


def load_plan(
    path: Path, *, energies: str | None = None, exposure: str | None = None, shells: int | None = None
) -> PlanRequest:
    """Read a project file for planning.

    Parameters
    ----------
    energies : keV, separated by commas, in place of the planned (or measured) ones
    exposure : seconds, one number for every energy or one for each, separated by commas
    shells : in place of ``particle.shells``

    Raises
    ------
    RecipeError
        With every problem of file and request.
    """
    path = Path(path)
    table, text = read_toml(path)
    lines = TomlText(text)
    problems: list[str] = []
    asked = _numbers("--energies", energies, "keV", problems)
    seconds = _numbers("--exposure", exposure, "s", problems)
    if "contrasts" in table:
        problems.append(
            f"{path}{lines.where(('contrasts',))}: [contrasts]: a plan chooses photon energies, and needs [materials] and "
            "X-rays; take the table out"
        )
    asaxs = table.get("asaxs", {})
    given = bool(isinstance(asaxs, Mapping) and asaxs.get("curves"))
    guess = _wanted(table, asked)
    if not given and "contrasts" not in table and isinstance(asaxs, Mapping):
        # placeholders: a file is named for each energy so that everything else is judged as in a run
        rows = [{"file": f"planned-{i}", "energy_kev": e, "q_unit": "1/nm"} for i, e in enumerate(guess or (10.0,))]
        table = {**table, "asaxs": {**asaxs, "curves": rows}}
    if shells is not None and not 1 <= shells <= 20:
        problems.append(f"--shells: expected 1 to 20, got {shells}")
    measured = given and _any_data(asaxs, path.parent)
    if not measured and "contrasts" not in table:
        written = isinstance(table.get("plan"), Mapping) and bool(table["plan"].get("energies_kev"))
        problems += _needed(table, path, lines, has_energies=bool(asked) or written or given)
    recipe = None
    try:
        recipe = parse_recipe(table, path=path, text=text, check_files=False)
    except NanostrataError as error:
        problems += [p for p in error.problems if not ("contrasts" in table and "[contrasts]" in p)]
    if recipe is None or recipe.asaxs is None:
        raise RecipeError(*dict.fromkeys(problems))
    plan = recipe.plan or Plan()
    lost = missing_files(recipe, lines)
    if not measured:
        lost = [p for p in lost if ": asaxs.curves[" not in p]
    problems += lost + _semantic(recipe, plan, path, lines)
    kev = asked or plan.energies_kev or _curve_energies(recipe, measured, problems)
    problems += _energy_problems(recipe, kev, "--energies" if asked else f"{path}: plan.energies_kev")
    chosen = _exposures(seconds, plan, kev, problems)
    if problems:
        raise RecipeError(*dict.fromkeys(problems))
    if shells is not None:
        particle = recipe.particle.model_copy(update={"shells": shells})
        recipe = recipe.model_copy(update={"particle": particle})
    return PlanRequest(
        recipe=recipe,
        plan=plan,
        planned=EnergyPlan(energies_kev=np.array(kev), exposure_s=np.array(chosen)),
        measured=measured,
    )


def _numbers(option: str, text: str | None, unit: str, problems: list[str]) -> tuple[float, ...] | None:
    if text is None:
        return None
    found = []
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            problems.append(f"{option}: expected numbers in {unit} separated by commas, got {part.strip()!r}")
            continue
        if not (math.isfinite(value) and value > 0):
            problems.append(f"{option}: expected {unit} above 0, got {part.strip()}")
        elif unit == "keV" and not 1 <= value <= 200:
            hint = f"; was eV meant? write {value / 1000:.6g}" if 1000 <= value <= 200000 else ""
            problems.append(f"{option}: expected 1 to 200 keV, got {part.strip()}{hint}")
        else:
            found.append(value)
    if unit == "keV" and len(set(found)) < len(found):
        problems.append(f"{option}: an energy stands there twice; give each once, with a longer exposure")
        found = list(dict.fromkeys(found))
    return tuple(found) or None


def _wanted(table: Mapping[str, Any], asked: tuple[float, ...] | None) -> tuple[float, ...]:
    """Energies for the placeholders: those asked for, or those of ``[plan]`` where they are energies at all."""
    plan = table.get("plan", {})
    given = plan.get("energies_kev", ()) if isinstance(plan, Mapping) else ()
    numbers = [
        float(e) for e in given if isinstance(e, int | float) and 1 <= e <= 200
    ] if isinstance(given, list | tuple) else []  # fmt: skip
    return asked or tuple(dict.fromkeys(numbers))


def _curve_energies(recipe: Recipe, measured: bool, problems: list[str]) -> tuple[float, ...]:
    """Energies of the project's curves, each once; those that only the files state are read there."""
    from nanostrata.pipeline.gather import energies, read_curves

    assert recipe.asaxs is not None
    stated = [c.energy_kev for c in recipe.asaxs.curves]
    if measured and None in stated:
        stated = list(energies(read_curves(recipe, problems, []).curves))
    return tuple(dict.fromkeys(e for e in stated if e is not None))


def _any_data(asaxs: Mapping[str, Any], folder: Path) -> bool:
    """Whether at least one curve of the file is there: then it is a measured project, and what lacks is a problem."""
    rows = asaxs.get("curves")
    names = [r.get("file") for r in rows if isinstance(r, Mapping)] if isinstance(rows, list | tuple) else []
    return any(isinstance(n, str) and (folder / n).is_file() for n in names)


def _needed(table: Mapping[str, Any], path: Path, lines: TomlText, *, has_energies: bool) -> list[str]:
    """What a plan without data cannot do without; judged before the values are, so that all is said at once."""
    at = f"{path}{lines.where(('plan',))}: "
    plan, asaxs = ({} if not isinstance(table.get(k), Mapping) else table[k] for k in ("plan", "asaxs"))
    found = []
    if "plan" not in table:
        found.append(f"{at}[plan]: missing; without data files it says what is planned and what the sample may be")
    if not has_energies:
        found.append(f"{at}plan.energies_kev: missing; write the planned photon energies, for example [16.0, 9.63]")
    if not {"shell_fraction", "profile"} & set(plan):
        found.append(
            f"{at}plan.shell_fraction: missing; write a guess of the profile, inner shell first, or "
            'profile = { kind = "erf", centre = 0.7 }'
        )
    if "q_range_inv_nm" not in plan and "q_range_inv_nm" not in asaxs:
        found.append(f"{at}plan.q_range_inv_nm: missing; write [low, high] in 1/nm, for example [0.5, 4.5]")
    if "tem" not in table:
        found.append(
            f"{path}: [tem]: missing; write mean_diameter_nm, std_diameter_nm and the number of particles that will be "
            "measured"
        )
    if asaxs.get("smearing") == "dq":
        found.append(
            f'{path}{lines.where(("asaxs", "smearing"))}: asaxs.smearing: "dq" needs measured curves; write "none" or a slit '
            "to plan without"
        )
    return found


def _semantic(recipe: Recipe, plan: Plan, path: Path, lines: TomlText) -> list[str]:
    found = []
    if recipe.materials is not None and recipe.materials.shell is None:
        found.append(f"{path}: [materials.shell]: missing; with one material there is no composition to plan for")
    if recipe.edx is not None and plan.mean_x_uncertainty is not None:
        found.append(
            f"{path}{lines.where(('plan', 'mean_x_uncertainty'))}: plan.mean_x_uncertainty: [edx] is there and says how well the "
            "mean x is known; take one of them out"
        )
    return found


def _energy_problems(recipe: Recipe, energies: tuple[float, ...], where: str) -> list[str]:
    """Energies at which no table means anything, and a stated flux that does not reach them."""
    from nanostrata.pipeline.gather import factor_tables, materials
    from nanostrata.tables.factors import check_energies

    found = []
    try:
        solid = materials(recipe)
        if solid is not None:
            check_energies(solid.elements, energies, factor_tables(recipe)[0])
    except NanostrataError as error:
        found += [p if p.startswith("materials") else f"{where}: {p}" for p in error.problems]
    except OSError:
        pass  # a file of factors that is missing was named before
    flux = recipe.plan.relative_flux if recipe.plan is not None else ()
    if flux:
        low, high = flux[0][0], flux[-1][0]
        outside = [f"{e:g}" for e in energies if not low <= e <= high]
        if outside:
            found.append(
                f"{recipe.file}: plan.relative_flux: covers {low:g} to {high:g} keV, {', '.join(outside)} keV is planned; "
                "give a wider table"
            )
    return found


def _exposures(
    seconds: tuple[float, ...] | None, plan: Plan, energies: tuple[float, ...], problems: list[str]
) -> tuple[float, ...]:
    """Seconds for each energy; a list of another length keeps its total, shared equally."""
    count = max(1, len(energies))
    if seconds is not None:
        if len(seconds) not in (1, count):
            problems.append(
                f"--exposure: {len(seconds)} exposures for {count} energies; give one for each, or one number"
            )
        return seconds if len(seconds) == count else (seconds[0],) * count
    if isinstance(plan.exposure_s, tuple):
        if len(plan.exposure_s) == count:
            return plan.exposure_s
        return (sum(plan.exposure_s) / count,) * count
    return (float(plan.exposure_s),) * count
