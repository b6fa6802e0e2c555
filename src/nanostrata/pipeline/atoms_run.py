"""From the posterior to particles of atoms, and from these back to every measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.shape import OccupancyMap
from nanostrata.domain.verification import Verification
from nanostrata.domain.waxs import WaxsFit
from nanostrata.domain.weight_refinement import WeightRefinement
from nanostrata.errors import PhysicsError
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.crystal_run import crystal_plan, outline_for, relax_ensemble
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe
from nanostrata.pipeline.recipe_atoms import Atoms
from nanostrata.tables.factors import FactorTable

_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


def build_atoms(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, fit: ProfileFit, seed: np.random.SeedSequence,
    shape: OccupancyMap | None = None,
) -> AtomEnsemble:  # fmt: skip
    """Build the ensemble: each particle has the size, aspect ratio and profile of another posterior draw.

    The particle nearest to the mean diameter comes first. Charges that whole numbers of atoms leave in a shell are balanced;
    where the project file asks for it the atoms are then relaxed, and everything later sees the relaxed ones.

    ``shape`` : the average shape without a model; with ``atoms.body = "map"`` all particles have it, scaled to their volumes
    """
    from nanostrata.stages.build_atoms import balance, build_ensemble, plan_sizes, steps

    names, theta = fit.main.names, fit.main.theta
    mean, std = theta[:, names.index("diameter_mean_nm")], theta[:, names.index("diameter_std_nm")]
    aspect = theta[:, names.index("aspect_ratio")] if "aspect_ratio" in names else np.ones(len(theta))
    count = (recipe.atoms or Atoms()).particles
    choice, build, exchange = seed.spawn(3)
    readings = None if inputs.sizes is None else inputs.sizes.diameters_nm
    plan = plan_sizes(
        float(mean.mean()), float(std.mean()), count, q_max_inv_nm=max(float(c.q_inv_nm[-1]) for c in inputs.curves),
        kind=recipe.particle.sizes, readings_nm=readings,
    )  # fmt: skip
    draw = np.random.default_rng(choice).permutation(len(theta))[:count]
    # the same place in the size distribution of the draw
    diameter = mean[draw] + (plan.diameter_nm - mean.mean()) * std[draw] / std.mean()
    nearest = int(np.argmin(np.abs(diameter - mean.mean())))
    order = np.array([nearest, *(i for i in range(count) if i != nearest)])
    plan = replace(plan, diameter_nm=plan.diameter_nm[order], weights=plan.weights[order])
    draw, diameter = draw[order], diameter[order]
    crystal = replace(crystal_plan(recipe, solid), outline=outline_for(recipe, shape))
    aspects = aspect[draw] if crystal.outline is None else np.full(count, crystal.outline.aspect_ratio)
    ensemble = build_ensemble(
        solid, plan, mean_nm=float(mean.mean()), std_nm=float(std.mean()), diameter_nm=diameter, aspect_ratio=aspects,
        shell_fraction=np.clip(fit.main.shell_fraction[draw], 0.0, 1.0), draw=draw,
        structure=recipe.particle.structure or solid.core.structure, axis=recipe.particle.axis,
        shells=len(fit.fractions), crystal=crystal, seed=build,
    )  # fmt: skip
    balanced = [
        balance(p, solid, np.random.default_rng(child), x_of_s=steps(x))
        for p, x, child in zip(ensemble.particles, ensemble.shell_fraction, exchange.spawn(count), strict=True)
    ]
    ensemble = replace(ensemble, particles=tuple(p for p, _ in balanced), balance=tuple(b for _, b in balanced))
    return relax_ensemble(ensemble, recipe, solid)


def verify_atoms(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, factors: FactorTable, known: PriorKnowledge, ensemble: AtomEnsemble,
    waxs: WaxsFit | None = None,
) -> Verification:  # fmt: skip
    """Hold the ensemble against everything that was measured, in the q range of the project file.

    ``waxs`` : the fitted peaks, for the instrument's width where a standard gave it
    """
    from nanostrata.stages.verify import verify

    assert recipe.asaxs is not None
    smearing: Any = recipe.asaxs.smearing
    found = verify(
        ensemble, solid, factors, known, inputs.curves, saxs=_within(recipe, inputs.saxs), sizes=inputs.sizes,
        composition=inputs.composition, smearing=smearing if isinstance(smearing, str) else smearing.slit_inv_nm,
    )  # fmt: skip
    return _with_wide_angle(found, recipe, inputs, factors, ensemble, waxs)


def refined_weights(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, factors: FactorTable, known: PriorKnowledge, ensemble: AtomEnsemble,
    verification: Verification, waxs: WaxsFit | None = None,
) -> WeightRefinement:  # fmt: skip
    """Move the weights of the particles until everything that was verified agrees; see :func:`verify_atoms`."""
    from nanostrata.stages.refine_weights import refine_weights

    assert recipe.asaxs is not None
    smearing: Any = recipe.asaxs.smearing
    return refine_weights(
        ensemble, verification, solid, factors, known, inputs.curves, saxs=_within(recipe, inputs.saxs), sizes=inputs.sizes,
        composition=inputs.composition, smearing=smearing if isinstance(smearing, str) else smearing.slit_inv_nm,
        waxs=None if inputs.waxs is None else inputs.waxs.curve, instrument_sigma_inv_nm=_instrument(recipe, waxs) or 0.0,
        backgrounds=() if inputs.waxs is None else inputs.waxs.backgrounds,
    )  # fmt: skip


def _instrument(recipe: Recipe, waxs: WaxsFit | None) -> float | None:
    """Width of the instrument, 1/nm: as stated, or from the standard; None where neither says it."""
    width = None if recipe.waxs is None else recipe.waxs.instrument_sigma_inv_nm
    if width is None and waxs is not None:
        width = float(np.mean(waxs.instrument_fwhm_inv_nm)) / _FWHM
    return width


def _with_wide_angle(
    found: Verification, recipe: Recipe, inputs: Inputs, factors: FactorTable, ensemble: AtomEnsemble, waxs: WaxsFit | None
) -> Verification:  # fmt: skip
    """Add the wide-angle pattern, or the reason why it was left out."""
    if inputs.waxs is None or recipe.waxs is None:
        return found
    from nanostrata.stages.verify_wide_angle import verify_wide_angle

    width = _instrument(recipe, waxs)
    try:
        pattern = verify_wide_angle(
            ensemble,
            factors,
            inputs.waxs.curve,
            instrument_sigma_inv_nm=width or 0.0,
            backgrounds=inputs.waxs.backgrounds,
        )
    except PhysicsError as error:
        return replace(found, notes=(*found.notes, f"WAXS was not compared with the atoms: {error.problems[0]}"))
    note = (
        "waxs: scale, background, one Debye-Waller factor and one factor on all distances "
        f"({100 * (pattern.numbers['distance_factor'] - 1.0):+.2f} %) are fitted"
    )
    note += (
        ""
        if width
        else "; the instrument counts as sharp (waxs.instrument_sigma_inv_nm or waxs.standard gives its width)"
    )
    return replace(found, data_sets=(*found.data_sets, pattern), notes=(*found.notes, note))


def _within(recipe: Recipe, curve: ScatteringCurve | None) -> ScatteringCurve | None:
    """The SAXS curve in the q range in which the project file trusts the model; None where nothing is left of it."""
    assert recipe.asaxs is not None
    if curve is None or curve.energy_kev is None:
        return None
    if recipe.asaxs.q_range_inv_nm is None:
        return curve
    low, high = recipe.asaxs.q_range_inv_nm
    inside = (curve.q_inv_nm >= low) & (curve.q_inv_nm <= high)
    if inside.sum() < 10:
        return None
    dq = None if curve.dq_inv_nm is None else curve.dq_inv_nm[inside]
    return replace(
        curve,
        q_inv_nm=curve.q_inv_nm[inside],
        intensity=curve.intensity[inside],
        sigma=curve.sigma[inside],
        dq_inv_nm=dq,
    )
