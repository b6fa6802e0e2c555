"""What a recipe and its files say about the fit of a profile."""

from __future__ import annotations

from nanostrata.domain import SizeDistribution
from nanostrata.domain.fit import ProfileFit
from nanostrata.models.density import SolidSolution
from nanostrata.models.families import ProfileFamily, make_family
from nanostrata.models.fit_setup import FitSetup
from nanostrata.pipeline import gather
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.known import prior_knowledge
from nanostrata.pipeline.recipe import Recipe


def fit_setup(recipe: Recipe, inputs: Inputs, solid: SolidSolution, sizes: SizeDistribution) -> FitSetup:
    """Return curves, materials, priors and the chosen table of a recipe with ``[asaxs]``."""
    assert recipe.asaxs is not None
    smearing = recipe.asaxs.smearing
    return FitSetup(
        curves=tuple(inputs.curves), solid=solid, factors=gather.factor_tables(recipe)[0],
        known=prior_knowledge(recipe, inputs, sizes), shape=recipe.particle.shape, size_kind=recipe.particle.sizes,
        smearing=smearing if isinstance(smearing, str) else smearing.slit_inv_nm,
    )  # fmt: skip


def family_of(recipe: Recipe, fit: ProfileFit) -> ProfileFamily:
    """Return the family that the profile was fitted with."""
    p = recipe.particle
    return make_family(fit.family, len(fit.fractions), smoothness=p.smoothness, smooth_sd=p.smoothness_sd)
