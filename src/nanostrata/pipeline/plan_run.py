"""The command ``plan``: from a project file to what a beamtime will tell, and a better plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nanostrata.domain import ScatteringCurve, SizeDistribution
from nanostrata.domain.base import FloatArray
from nanostrata.domain.plan import FluxBudget, NoiseLaw, PlanGuess
from nanostrata.errors import DataError, NanostrataError, RecipeError
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.density import SolidSolution
from nanostrata.models.information import PlanSetup
from nanostrata.pipeline.plan_load import PlanRequest, load_plan
from nanostrata.pipeline.recipe_plan import Plan
from nanostrata.stages.plan_beamtime import Choice

if TYPE_CHECKING:
    from nanostrata.pipeline.gather import Inputs

__all__ = ["PlanResult", "PlannedSample", "plan_project"]

DEFAULT_NOISE = 0.01
"""Relative noise of a point where neither file nor data say anything."""


@dataclass(frozen=True, kw_only=True)
class PlannedSample:
    """What a plan rests on.

    Attributes
    ----------
    setup, judge : with the priors of the fit's main answer, and with those of its verdicts
    notes : sentences on what was assumed or taken from data
    """

    setup: PlanSetup
    judge: PlanSetup
    choice: Choice
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """Where the answer lies, and its summary; ``page`` is None where nothing rendered it."""

    out: Path
    summary: dict[str, Any]
    page: Path | None


def plan_project(
    project: Path,
    out: Path,
    *,
    energies: str | None = None,
    exposure: str | None = None,
    shells: int | None = None,
    seed: int = 1,
    progress: Callable[[str], None] = lambda _: None,
    render: Callable[[Path], Path] | None = None,
) -> PlanResult:
    """Plan a beamtime and write plan.json, tables and page.

    Parameters
    ----------
    out : folder of the answer; made when it is missing
    energies, exposure, shells : as typed on the command line; they replace what the project file says
    render : writes the page of a finished folder and returns its path

    Raises
    ------
    RecipeError, DataError
        With every problem of file, request and data.
    """
    from nanostrata.io.text_out import write_text
    from nanostrata.pipeline.plan_summary import plan_summary, write_plan_tables
    from nanostrata.stages.plan_beamtime import plan_beamtime

    request = load_plan(project, energies=energies, exposure=exposure, shells=shells)
    _check_out(out)
    sample = planned_sample(request, progress)
    try:
        found = plan_beamtime(sample.setup, sample.judge, request.planned, sample.choice, seed=seed, progress=progress)
    except NanostrataError as error:
        raise RecipeError(*(f"{project}: {p}" for p in error.problems)) from None
    summary = plan_summary(request, sample, found, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    write_plan_tables(out / "tables", summary, found)
    write_text(out / "plan.json", json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return PlanResult(out=out, summary=summary, page=None if render is None else render(out))


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise RecipeError(f"--out {out}: is a file; give a folder, which is made when it is missing")
    if (out / "summary.json").is_file() or (out / "comparison.json").is_file():
        raise RecipeError(
            f"--out {out}: holds a run or a comparison, whose tables would be mixed with those of the plan; give another"
        )


def planned_sample(request: PlanRequest, progress: Callable[[str], None] = lambda _: None) -> PlannedSample:
    """Turn a request into the setup of the plan: priors as in the fit, noise, q and a guess of the sample."""
    from nanostrata.pipeline import gather
    from nanostrata.pipeline.known import prior_knowledge, stated_or_guessed_sizes

    recipe, plan = request.recipe, request.plan
    assert recipe.asaxs is not None
    solid = gather.materials(recipe)
    assert solid is not None
    factors, _ = gather.factor_tables(recipe)
    notes: list[str] = []
    if request.measured:
        inputs = gather.read_inputs(recipe, solid)
        sizes = stated_or_guessed_sizes(inputs)
    else:
        inputs = _without_curves(request, solid, notes)
        assert inputs.sizes is not None
        sizes = inputs.sizes
    known = prior_knowledge(recipe, inputs, sizes)
    if known.composition is None and plan.mean_x_uncertainty is not None:
        known = replace(known, composition=(0.5, plan.mean_x_uncertainty))
    if any(known.subtract):
        notes.append("fitted backgrounds are left out: a plan knows of constants only")
    shells = recipe.particle.shells
    if shells == "auto":
        shells = 5
        notes.append(
            'planned for 5 shells: particle.shells = "auto" decides once there are data (--shells for another number)'
        )
    particle = recipe.particle
    if particle.profile != "shells":
        notes.append(f'planned for free shells, whatever particle.profile = "{particle.profile}" will assume')
    q, dq, noise = _measurement(plan, recipe.asaxs.q_range_inv_nm, inputs.curves, notes)
    slit = recipe.asaxs.smearing
    setup = PlanSetup(
        solid=solid, factors=factors, known=replace(known, subtract=()), noise=noise, q_inv_nm=q, shells=shells,
        guess=PlanGuess(shell_fraction=np.full(1, 0.5), diameter_mean_nm=sizes.mean_nm, diameter_std_nm=sizes.std_nm),
        smooth_sd=particle.smoothness_sd if particle.smoothness else None, size_kind=particle.sizes, shape=particle.shape,
        smearing=slit if isinstance(slit, str) else slit.slit_inv_nm, dq_inv_nm=dq,
    )  # fmt: skip
    setup = replace(setup, guess=_guess(request, setup, inputs, sizes, known, notes, progress))
    return PlannedSample(setup=setup, judge=_judge(setup), choice=_choice(request), notes=tuple(notes))


def _judge(setup: PlanSetup) -> PlanSetup:
    from nanostrata.stages.fit_profile import WARY_SHAPE_DEGREE, WARY_SHAPE_ERROR

    wary = replace(setup.known, shape_error=WARY_SHAPE_ERROR, shape_degree=WARY_SHAPE_DEGREE)
    return replace(setup, known=wary, smooth_sd=None)


def _without_curves(request: PlanRequest, solid: SolidSolution, notes: list[str]) -> Inputs:
    """What is known without data: TEM numbers and EDX, as a run would read them."""
    from nanostrata.pipeline import gather

    problems: list[str] = []
    sizes = gather.read_sizes(request.recipe, problems, notes)
    composition, mean_x = gather.read_composition(request.recipe, solid, problems, notes)
    if problems:
        raise DataError(*problems)
    return gather.Inputs(
        curves=(), rows=(), left_out=(), subtract=(), saxs=None, factors=None, sizes=sizes, composition=composition,
        composition_x=mean_x, notes=(),
    )  # fmt: skip


def _measurement(
    plan: Plan, fallback: tuple[float, float] | None, curves: tuple[ScatteringCurve, ...], notes: list[str]
) -> tuple[FloatArray, FloatArray | None, NoiseLaw]:
    """Points, their resolution and the noise law: as stated, else as measured."""
    energies = np.array([pair[0] for pair in plan.relative_flux])
    flux_relative = np.array([pair[1] for pair in plan.relative_flux])
    flat = isinstance(plan.noise_q_inv_nm, str)
    law = NoiseLaw(
        relative=np.array([plan.relative_noise or DEFAULT_NOISE]), reference_exposure_s=plan.reference_exposure_s,
        noise_q_inv_nm=np.inf if flat else float(plan.noise_q_inv_nm), floor=plan.noise_floor,
        flux=None if plan.flux is None else FluxBudget(**plan.flux.model_dump()), flux_energies_kev=energies,
        flux_relative=flux_relative, fluorescence=plan.fluorescence, detector_threshold=plan.detector_threshold,
    )  # fmt: skip
    if not curves:
        limits = plan.q_range_inv_nm or fallback
        assert limits is not None
        return np.linspace(*limits, plan.points), None, law
    longest = max(curves, key=len)
    q = longest.q_inv_nm
    if plan.q_range_inv_nm is not None:
        q = q[(q >= plan.q_range_inv_nm[0]) & (q <= plan.q_range_inv_nm[1])]
        if len(q) < 10:
            raise RecipeError(
                f"plan.q_range_inv_nm: {len(q)} measured points lie in it, at least 10 are needed; the curves cover "
                f"{longest.q_inv_nm[0]:.3g} to {longest.q_inv_nm[-1]:.3g} 1/nm"
            )
    dq = None if longest.dq_inv_nm is None else np.interp(q, longest.q_inv_nm, longest.dq_inv_nm)
    notes.append(f"q is that of the curve {longest.label} ({len(q)} points)")
    if plan.flux is not None or plan.relative_noise is not None:
        return q, dq, law
    logs = [np.interp(q, c.q_inv_nm, np.log(c.sigma / np.maximum(np.abs(c.intensity), c.sigma))) for c in curves]
    notes.append(
        f"the noise is the mean of the {len(curves)} measured curves, taken as counting noise after one measured exposure "
        "(plan.reference_exposure_s says how long that was)"
    )
    return q, dq, replace(law, relative=np.exp(np.mean(logs, axis=0)), q_inv_nm=q, floor=0.0)


def _guess(
    request: PlanRequest, setup: PlanSetup, inputs: Inputs, sizes: SizeDistribution, known: PriorKnowledge, notes: list[str],
    progress: Callable[[str], None],
) -> PlanGuess:  # fmt: skip
    """The sample as the file guesses it, else the best profile of the measured curves."""
    stated = request.plan.guess(0.5 * sizes.mean_nm)
    aspect = sizes.aspect_ratio if setup.shape != "sphere" and sizes.aspect_ratio else None
    if aspect is None:
        aspect = {"sphere": 1.0, "prolate": 1.2, "oblate": 0.8}[setup.shape]
    if stated is not None:
        return PlanGuess(
            shell_fraction=np.array(stated), diameter_mean_nm=sizes.mean_nm, diameter_std_nm=sizes.std_nm, aspect_ratio=aspect
        )  # fmt: skip
    from nanostrata.models.explore import best_point
    from nanostrata.models.families import Shells
    from nanostrata.models.fit_setup import FitSetup

    progress("fitting the measured curves for a guess")
    family = Shells(n=setup.shells, smooth_sd=setup.smooth_sd or 0.35)
    fitted = FitSetup(
        curves=tuple(inputs.curves), solid=setup.solid, factors=setup.factors, known=replace(known, subtract=inputs.subtract),
        shape=setup.shape, size_kind=setup.size_kind, smearing=setup.smearing,
    )  # fmt: skip
    posterior = fitted.posterior(family)
    profile, size, *_ = posterior.split(best_point(posterior))
    notes.append("the sample is guessed to be what fits the measured curves best")
    return PlanGuess(
        shell_fraction=np.clip(profile, 0.0, 1.0), diameter_mean_nm=float(size[0]), diameter_std_nm=float(size[1]),
        aspect_ratio=float(size[2]) if len(size) > 2 else 1.0,
    )  # fmt: skip


def _choice(request: PlanRequest) -> Choice:
    """Limits of the beamline as stated, else from the planned energies to 10 % round the edge."""
    plan, asaxs = request.plan, request.recipe.asaxs
    limits = plan.energy_range_kev
    if limits is None:
        from nanostrata.tables.factors import parse_edge

        low, high = float(request.planned.energies_kev.min()), float(request.planned.energies_kev.max())
        if asaxs is not None and asaxs.edge is not None:
            edge = parse_edge(asaxs.edge)[2]
            low, high = min(low, 0.9 * edge), max(high, 1.1 * edge)
        limits = (low, high) if high > low else (0.9 * low, 1.1 * high)
    if plan.relative_flux:
        limits = (max(limits[0], plan.relative_flux[0][0]), min(limits[1], plan.relative_flux[-1][0]))
    return Choice(limits_kev=limits, distance_ev=plan.edge_distance_ev, most=plan.max_energies)
