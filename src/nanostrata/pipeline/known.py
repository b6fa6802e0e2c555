"""What is known besides the curves, from the recipe and what was read: the priors of the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import SizeDistribution
from nanostrata.domain.origin import Origin
from nanostrata.errors import RecipeError
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from nanostrata.pipeline.gather import Inputs


def prior_knowledge(recipe: Recipe, inputs: Inputs, sizes: SizeDistribution) -> PriorKnowledge:
    """Return what is known besides the ASAXS curves: sizes, mean composition, scales and backgrounds."""
    from nanostrata.models.contrast_errors import ContrastErrors
    from nanostrata.pipeline.options_run import ligand, spread

    assert recipe.asaxs is not None
    assert recipe.materials is not None
    core, shell = recipe.materials.core, recipe.materials.shell
    return PriorKnowledge(
        sizes=sizes,
        size_fixed=recipe.particle.size == "fixed",
        composition=inputs.composition_x,
        scale=recipe.asaxs.scale,
        scale_uncertainty=recipe.asaxs.scale_uncertainty,
        background=recipe.asaxs.background,
        contrast_errors=ContrastErrors(
            medium_density=recipe.sample.medium_density_uncertainty,
            core_cations=core.cation_uncertainty,
            shell_cations=0.0 if shell is None else shell.cation_uncertainty,
            energy_ev=recipe.asaxs.energy_uncertainty_ev,
            ligand=ligand(recipe),
            spread=spread(recipe),
        ),
        subtract=inputs.subtract,
    )


def stated_or_guessed_sizes(inputs: Inputs) -> SizeDistribution:
    """Return the TEM sizes, or a wide prior from the curves when there is no TEM.

    Raises
    ------
    RecipeError
        When no curve shows a size either.
    """
    if inputs.sizes is not None:
        return inputs.sizes
    from nanostrata.stages.inspect_curves import first_minimum

    found = [m.q_inv_nm for c in inputs.curves if (m := first_minimum(c)) is not None]
    if not found:
        raise RecipeError(
            "[tem] is missing and no curve shows a first minimum: the size is not determined. Add [tem] with "
            "mean_diameter_nm, std_diameter_nm and particles"
        )
    diameter = 2.0 * 4.4934 / float(np.median(found))
    return SizeDistribution(
        mean_nm=diameter, std_nm=0.12 * diameter, mean_sigma_nm=0.05 * diameter, std_sigma_nm=0.04 * diameter,
        origin=Origin(notes=("no [tem]: the size prior was taken from the first minimum, with a wide error",)),
    )  # fmt: skip
