"""The whole method, read top to bottom."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanostrata.domain import AtomicModel, SizeDistribution
from nanostrata.domain.contrast_fit import ContrastFit
from nanostrata.domain.diffusion import Diffusion
from nanostrata.domain.energy_consistency import EnergyConsistency
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.mismatch import Mismatch
from nanostrata.domain.particle import ParticleDraws
from nanostrata.domain.profile_weights import ProfileWeights
from nanostrata.domain.separation import SeparationResult
from nanostrata.domain.table_changes import TableChanges
from nanostrata.domain.verification import Verification
from nanostrata.domain.waxs import WaxsFit
from nanostrata.domain.weight_refinement import WeightRefinement
from nanostrata.domain.whole_pattern import WholePattern
from nanostrata.errors import RecipeError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe
from nanostrata.pipeline.shape_stage import ShapeStage

log = logging.getLogger("nanostrata")

STAGES = ("read", "profile", "shape", "waxs", "atoms", "verify", "explain", "report")
"""Stages of this version, in order."""

STAGE_VERSION = "5"
"""Part of every key of the store: raised when a stage computes something else from the same input."""

PRESETS = {
    "quick": {"draws": 300, "warmup": 240, "chains": 4, "refits": 200},
    "standard": {"draws": 1000, "warmup": 500, "chains": 4, "refits": 200},
    "full": {"draws": 4000, "warmup": 1000, "chains": 4, "refits": 1000},
}
"""What each preset spends: posterior draws for each chain, adaptation, chains, refits of redrawn data."""


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Everything that one sample's run found; a field is None when its stage was not asked for or does not apply."""

    recipe: Recipe
    inputs: Inputs
    solid: SolidSolution | None
    sizes: SizeDistribution | None
    fit: ProfileFit | None
    contrasts: ContrastFit | None
    particle: ParticleDraws | None
    ensemble: AtomEnsemble | None
    verification: Verification | None
    refinement: WeightRefinement | None
    diffusion: Diffusion | None
    mismatch: Mismatch | None
    energies: EnergyConsistency | None
    separation: SeparationResult | None
    tables: TableChanges | None
    shape: ShapeStage | None
    waxs: WaxsFit | None
    whole: WholePattern | str | None
    weights: ProfileWeights | None
    findings: tuple[Finding, ...]
    seed: int
    preset: str

    @property
    def atoms(self) -> AtomicModel | None:
        """The particle nearest to the mean diameter."""
        return None if self.ensemble is None else self.ensemble.typical


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Where a run lies, its summary, and the exit status that it asks for."""

    run_dir: Path
    summary: dict[str, Any]
    exit_code: int


def reconstruct(
    recipe: Recipe,
    *,
    store: Any,
    seed: int,
    preset: str = "standard",
    only: Sequence[str] = (),
    workers: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> Reconstruction:
    """From measured files to a composition profile, verified particles of atoms and graded findings.

    Parameters
    ----------
    recipe : what to do
    store : keeps the result of every stage; a stage whose inputs did not change is not run again
    seed : all random numbers come from it
    preset : "quick", "standard" or "full"
    workers : processes for what is independent; the result does not depend on it
    only : stages to run; those before them are taken from the store, or run when it does not have them
    progress : told in words what goes on

    Raises
    ------
    NanostrataError
        When files, recipe or physics are wrong; the message carries all problems.
    """
    import numpy as np

    from nanostrata.pipeline import (
        atoms_run,
        crystal_run,
        derived_run,
        energies_run,
        families_run,
        gather,
        options_run,
        profile_run,
        separation_run,
        shape_stage,
        tables_run,
        waxs_run,
        waxs_summary,
        waxs_whole,
        waxs_whole_summary,
    )
    from nanostrata.pipeline.known import prior_knowledge, stated_or_guessed_sizes

    last = max((STAGES.index(s) for s in only), default=len(STAGES) - 1)
    step = _Steps(store, recipe, seed, preset)

    progress("reading")
    solid = gather.materials(recipe)
    crystal_run.check_crystal(recipe, solid)
    inputs = step("read", lambda: gather.read_inputs(recipe, solid))

    sizes, fit, contrasts, particle, ensemble, verification = inputs.sizes, None, None, None, None, None
    refinement: WeightRefinement | None = None
    diffusion: Diffusion | None = None
    mismatch: Mismatch | None = None
    energies: EnergyConsistency | None = None
    separation: SeparationResult | None = None
    tables: TableChanges | None = None
    waxs: WaxsFit | None = None
    whole: WholePattern | str | None = None
    shape: ShapeStage | None = None
    weights: ProfileWeights | None = None
    findings: tuple[Finding, ...] = ()
    if last >= STAGES.index("profile"):
        if recipe.contrasts is not None:
            contrasts = step("profile", lambda: profile_run.fit_given_contrasts(recipe, inputs, seed, progress))
        elif recipe.asaxs is not None:
            assert solid is not None
            sizes = stated_or_guessed_sizes(inputs)
            auto = recipe.particle.shells == "auto"
            spending = PRESETS[preset]
            compared = solid.shell is not None and (auto or (preset != "quick" and last >= STAGES.index("explain")))
            if compared:
                weights = step(
                    "families",
                    lambda: families_run.weigh(
                        recipe, inputs, solid, sizes, seed, workers, draws=spending["draws"] * spending["chains"] if auto else 0,
                        families=preset != "quick", progress=progress,
                    ),
                )  # fmt: skip
            fit = step(
                "profile",
                lambda: profile_run.fit_recipe(
                    recipe, inputs, solid, sizes, seed, spending, workers, progress, weights if auto else None
                ),
            )
            from nanostrata.stages.describe_particle import describe_particle

            particle = describe_particle(fit, solid)
    if last >= STAGES.index("shape") and fit is not None and solid is not None:
        progress("looking for the shape without a model")
        shape = step(
            "shape",
            lambda: shape_stage.run_shape(
                recipe, inputs, solid, gather.factor_tables(recipe)[0], fit, store.folder / "shape", seed=seed, preset=preset,
                workers=workers, fresh=store.fresh, progress=progress,
            ),
        )  # fmt: skip
    if last >= STAGES.index("waxs") and inputs.waxs is not None and solid is not None:
        progress("fitting the wide-angle peaks")
        peaks = waxs = step("waxs", lambda: waxs_run.fit_waxs(recipe, inputs, solid, particle, seed, progress))
        if waxs_whole.wanted(recipe, preset):
            whole = step(
                "waxs-whole",
                lambda: waxs_whole.fit_whole(recipe, inputs, solid, particle, peaks, seed, preset, progress),
            )
    if last >= STAGES.index("atoms") and fit is not None and solid is not None:
        progress("building particles of atoms")
        stream = np.random.SeedSequence(seed).spawn(5)[4]
        outline = None if shape is None or shape.outcome is None else shape.outcome.reading.average.map
        ensemble = step("atoms", lambda: atoms_run.build_atoms(recipe, inputs, solid, fit, stream, outline))
    if last >= STAGES.index("verify") and ensemble is not None and solid is not None and sizes is not None:
        progress("holding the atoms against every measurement")
        factors, known = gather.factor_tables(recipe)[0], prior_knowledge(recipe, inputs, sizes)
        if fit is not None:
            known = options_run.after_fit(known, recipe, fit)
        verification = step(
            "verify", lambda: atoms_run.verify_atoms(recipe, inputs, solid, factors, known, ensemble, waxs)
        )
        if recipe.atoms is not None and recipe.atoms.refine_weights:
            progress("refining the weights of the particles")
            refinement = step(
                "refine",
                lambda: atoms_run.refined_weights(recipe, inputs, solid, factors, known, ensemble, verification, waxs),
            )
    if last >= STAGES.index("explain"):
        if fit is not None and solid is not None and sizes is not None:
            energies = step(
                "energies", lambda: energies_run.consistency(recipe, inputs, solid, sizes, fit, seed, progress)
            )
            separation = step("separation", lambda: separation_run.separation(recipe, inputs, solid, fit))
            tables = step("tables", lambda: tables_run.table_changes(recipe, inputs, solid, sizes, fit, progress))
        if fit is not None and particle is not None and solid is not None and solid.shell is not None:
            mismatch = derived_run.mismatch(recipe, solid, fit, particle)
            if recipe.growth is not None and recipe.growth.time_s is not None and sizes is not None:
                diffusion = step(
                    "diffusion",
                    lambda: derived_run.diffusion(recipe, inputs, solid, sizes, fit, PRESETS[preset], seed, progress),
                )
        findings = _explain(recipe, inputs, fit, contrasts, particle, sizes)
        if energies is not None:
            told = energies_run.findings(energies)
            # with wrong energies nothing else on the page holds: first
            findings = (*told, *findings) if energies.exchanged or energies.others else (*findings, *told)
        findings += separation_run.findings(separation)
        findings += families_run.findings(weights)
        findings += options_run.findings(recipe, fit)
        if fit is not None:
            findings += tables_run.findings(tables, fit)
        findings += shape_stage.findings(shape)
        findings += waxs_summary.waxs_findings(waxs)
        findings += waxs_whole_summary.whole_findings(whole)
        findings += derived_run.findings(recipe, verification, diffusion, mismatch)
    return Reconstruction(
        recipe=recipe, inputs=inputs, solid=solid, sizes=sizes, fit=fit, contrasts=contrasts, particle=particle,
        ensemble=ensemble, verification=verification, refinement=refinement, diffusion=diffusion, mismatch=mismatch,
        energies=energies, separation=separation, tables=tables, weights=weights,
        waxs=waxs, whole=whole, shape=shape,
        findings=findings, seed=seed, preset=preset,
    )  # fmt: skip


class _Steps:
    """Runs a stage, or takes its stored result: same inputs, same recipe, same seed, same key."""

    def __init__(self, store: Any, recipe: Recipe, seed: int, preset: str) -> None:
        self.store, self.preset = store, preset
        # a later stage depends on all that earlier ones depend on, so the whole recipe and all files are in every key
        self.common = {"recipe": recipe.digest(), "seed": seed, "files": _digests(recipe)}

    def __call__(self, stage: str, compute: Callable[[], Any]) -> Any:
        parts = self.common if stage == "read" else {**self.common, "preset": self.preset}
        return self.store.step(stage, STAGE_VERSION, parts, compute)


def _digests(recipe: Recipe) -> dict[str, str]:
    import hashlib

    out = {}
    for name in recipe.files():
        path = recipe.root / name
        out[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
    return out


def _explain(
    recipe: Recipe, inputs: Inputs, fit: ProfileFit | None, contrasts: ContrastFit | None, particle: ParticleDraws | None,
    sizes: SizeDistribution | None,
) -> tuple[Finding, ...]:  # fmt: skip
    from nanostrata.stages.explain import explain
    from nanostrata.stages.explain_contrasts import explain_contrasts

    if contrasts is not None:
        return explain_contrasts(contrasts)
    if fit is None or particle is None or sizes is None or recipe.materials is None:
        return ()
    return explain(
        fit,
        particle,
        core_name=recipe.materials.core.formula,
        shell_name=recipe.materials.shell.formula
        if recipe.materials.shell is not None
        else recipe.materials.core.formula,
        sizes=sizes,
        composition=inputs.composition,
        composition_x=inputs.composition_x,
    )


def run_project(
    recipe_path: Path,
    *,
    out: Path | None = None,
    preset: str = "standard",
    only: tuple[str, ...] = (),
    seed: int = 1,
    workers: int = 1,
    fresh: bool = False,
    progress: Callable[[str], None] = lambda _: None,
    render: Callable[[Path], Any] | None = None,
) -> RunResult:
    """Run one project file and write its run folder.

    Parameters
    ----------
    recipe_path : the project file
    out : run folder; default: a folder named after the project file, with the ending ``.run``, beside it
    workers : of the pool; the result does not depend on it
    render : called with the finished run folder to render the report (the interfaces stand above the pipeline)

    Raises
    ------
    NanostrataError
        When something that was asked for cannot be done.
    """
    from nanostrata.pipeline.recipe import load_recipe
    from nanostrata.pipeline.store import Store
    from nanostrata.pipeline.write import write_run

    unknown = [s for s in only if s not in STAGES]
    if unknown:
        raise RecipeError(
            *[f"--only {s}: no such stage; there are {', '.join(STAGES)}" for s in unknown],
        )
    if preset not in PRESETS:
        raise RecipeError(f"--preset {preset}: no such preset; write quick, standard or full")
    recipe = load_recipe(recipe_path)
    run_dir = out if out is not None else recipe.root / f"{recipe.file.stem}.run"
    run_dir.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(run_dir / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        log.info("run of %s with seed %d, preset %s", recipe_path, seed, preset)
        store = Store(run_dir, fresh=fresh)
        result = reconstruct(
            recipe,
            store=store,
            seed=seed,
            preset=preset,
            only=only,
            workers=workers,
            progress=_both(progress),
        )
        summary = write_run(result, run_dir)
        store.prune()
        if not only or "report" in only:
            progress("writing the report")
            if render is not None:
                render(run_dir)
        log.info("done")
    finally:
        log.removeHandler(handler)
        handler.close()
    failed = result.verification is not None and not result.verification.passed
    return RunResult(run_dir=run_dir, summary=summary, exit_code=3 if failed else 0)


def _both(progress: Callable[[str], None]) -> Callable[[str], None]:
    def tell(text: str) -> None:
        log.info("%s", text)
        progress(text)

    return tell


__all__ = ["PRESETS", "STAGES", "Reconstruction", "RunResult", "reconstruct", "run_project"]
