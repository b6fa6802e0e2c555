"""Fit the profile of a recipe: the composition of shells, or radii where contrasts are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nanostrata.domain import SizeDistribution
from nanostrata.domain.contrast_fit import ContrastFit
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.profile_weights import ProfileWeights
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline import families_run
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe


def fit_recipe(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, sizes: SizeDistribution, seed: int, spending: dict[str, int],
    workers: int, progress: Callable[[str], None], weights: ProfileWeights | None = None,
) -> ProfileFit:  # fmt: skip
    """Fit the profile; with ``weights`` (``particle.shells = "auto"``) averaged over the number of shells.

    ``spending`` : draws, warmup, chains, refits
    """
    from nanostrata.pipeline import gather
    from nanostrata.pipeline.known import prior_knowledge
    from nanostrata.stages.fit_profile import ProfileSettings, fit_profile
    from nanostrata.tables.factors import check_energies

    assert recipe.asaxs is not None
    chosen, other = gather.factor_tables(recipe)
    check_energies(solid.elements, gather.energies(inputs.curves), chosen)
    if other is not None:
        try:
            check_energies(solid.elements, gather.energies(inputs.curves), other)
        except PhysicsError as error:
            progress(f"no second opinion on f', f'': {error.problems[0]}")
            other = None
    known = prior_knowledge(recipe, inputs, sizes)
    smearing: Any = recipe.asaxs.smearing
    settings = ProfileSettings(
        shells=weights.best_number if weights is not None else int(recipe.particle.shells),
        profile="homogeneous" if solid.shell is None else recipe.particle.profile,
        shape=recipe.particle.shape,
        size_kind=recipe.particle.sizes,
        smoothness=recipe.particle.smoothness,
        smoothness_sd=recipe.particle.smoothness_sd,
        smearing=smearing if isinstance(smearing, str) else smearing.slit_inv_nm,
        **spending,  # type: ignore[arg-type]
    )
    from nanostrata.pipeline.pool import make_pool

    with make_pool(workers) as pool:
        fit = fit_profile(
            inputs.curves, solid, chosen, other, known, settings, seed=seed, progress=progress, spread=pool.map
        )
    return fit if weights is None else families_run.averaged(fit, weights)


def fit_given_contrasts(recipe: Recipe, inputs: Inputs, seed: int, progress: Callable[[str], None]) -> ContrastFit:
    """Fit radii where the contrasts are given."""
    from nanostrata.models.core_shell import ContrastCurve
    from nanostrata.stages.fit_contrasts import ContrastSettings, fit_contrasts

    table = recipe.contrasts
    assert table is not None

    def value(v: Any) -> float | None:
        return None if v is None or v == "fit" else float(v)

    given = [table.curves[row] for row in inputs.rows]
    curves = [
        ContrastCurve(curve=c, core=value(e.core), shell=value(e.shell), medium=value(e.medium))
        for c, e in zip(inputs.curves, given, strict=True)
    ]
    smearing: Any = table.smearing
    settings = ContrastSettings(
        core_shell=recipe.particle.profile == "core_shell",
        size_kind=recipe.particle.sizes,
        scale=table.scale,
        scale_uncertainty=table.scale_uncertainty,
        background="none" if table.background == "none" else "constant",
        smearing=smearing if isinstance(smearing, str) else smearing.slit_inv_nm,
    )
    return fit_contrasts(curves, settings, inputs.sizes, seed=seed, progress=progress)
