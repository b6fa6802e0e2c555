"""Ligand shell and spread of composition: from the recipe to the model, and from the fit to summary and findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nanostrata.domain.estimate import quantity
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from nanostrata.models.build_posterior import PriorKnowledge
    from nanostrata.models.particle_options import CompositionSpread, Ligand

RETURNED_PRIOR = 0.8
"""A fitted spread whose standard deviation is more than this share of its prior's is not determined by the data."""

UNIFORM = 1.0 / np.sqrt(12.0)


def ligand(recipe: Recipe) -> Ligand | None:
    """Return the ligand shell of ``[particle.ligand]``; None without the table."""
    from nanostrata.models.particle_options import Ligand

    given = recipe.particle.ligand
    if given is None:
        return None
    return Ligand(
        thickness_nm=given.thickness_nm, thickness_sd_nm=given.thickness_uncertainty_nm, formula=given.formula,
        electron_density_e_nm3=given.electron_density_e_nm3, density_g_cm3=given.density_g_cm3, density_sd=given.density_uncertainty,
    )  # fmt: skip


def spread(recipe: Recipe) -> CompositionSpread | None:
    """Return the spread of composition that the project file asks for; None where all particles are alike."""
    from nanostrata.models.particle_options import CompositionSpread

    given = recipe.particle.composition_spread
    if given == "fit":
        return CompositionSpread()
    return None if given == 0.0 else CompositionSpread(width=float(given))


def _amplitude(fit: ProfileFit, name: str) -> np.ndarray:
    """Draws of a parameter in standard deviations of its prior; zeros where it is held."""
    draws = fit.main
    return draws.theta[:, draws.names.index(name)] if name in draws.names else np.zeros(len(draws.theta))


def thickness_draws(recipe: Recipe, fit: ProfileFit) -> np.ndarray:
    """Draws of the ligand shell's thickness, nm."""
    from nanostrata.models.particle_options import LIGAND_THICKNESS

    given = recipe.particle.ligand
    assert given is not None
    return np.asarray(given.thickness_nm + given.thickness_uncertainty_nm * _amplitude(fit, LIGAND_THICKNESS))


def density_draws(recipe: Recipe, fit: ProfileFit) -> np.ndarray:
    """Draws of the ligand's density over the stated one."""
    from nanostrata.models.particle_options import LIGAND_DENSITY

    given = recipe.particle.ligand
    assert given is not None
    return np.asarray(1.0 + given.density_uncertainty * _amplitude(fit, LIGAND_DENSITY))


def spread_draws(recipe: Recipe, fit: ProfileFit) -> np.ndarray:
    """Draws of the spread of x between particles where x = 1/2."""
    from nanostrata.models.particle_options import SPREAD, CompositionSpread

    model = spread(recipe) or CompositionSpread(width=0.0)
    return np.array([model.at(float(a))[0] for a in _amplitude(fit, SPREAD)])


def after_fit(known: PriorKnowledge, recipe: Recipe, fit: ProfileFit) -> PriorKnowledge:
    """Return what is known with the ligand as the fit left it, for what is compared with the curves later."""
    stated = known.contrast_errors.ligand
    if stated is None:
        return known
    thickness, relative = thickness_draws(recipe, fit), density_draws(recipe, fit)
    # a fit that leaves hardly any ligand still leaves one that can be drawn
    mean = max(float(thickness.mean()), 0.05)
    fitted = replace(
        stated.scaled(float(relative.mean())), thickness_nm=mean, thickness_sd_nm=min(float(thickness.std(ddof=1)), mean / 3.0),
        density_sd=float(relative.std(ddof=1) / relative.mean()),
    )  # fmt: skip
    return replace(known, contrast_errors=replace(known.contrast_errors, ligand=fitted))


def options_summary(recipe: Recipe, fit: ProfileFit) -> dict[str, Any]:
    """Return the keys that the options add to ``profile``; none without options."""
    out: dict[str, Any] = {}
    if recipe.particle.ligand is not None:
        given = recipe.particle.ligand
        relative = density_draws(recipe, fit)
        out["ligand"] = {"thickness_nm": quantity(thickness_draws(recipe, fit)), "relative_density": quantity(relative)}
        stated = given.electron_density_e_nm3
        if stated is not None:
            out["ligand"]["electron_density_e_nm3"] = quantity(stated * relative)
        elif given.density_g_cm3 is not None:
            out["ligand"]["density_g_cm3"] = quantity(given.density_g_cm3 * relative)
    if spread(recipe) is not None:
        draws = spread_draws(recipe, fit)
        out["composition_spread"] = quantity(draws) | {"determined": _determined(recipe, draws)}
    return out


def _determined(recipe: Recipe, draws: np.ndarray) -> str:
    from nanostrata.models.particle_options import WIDEST_SPREAD

    if recipe.particle.composition_spread != "fit":
        return "given"
    return "prior" if draws.std(ddof=1) > RETURNED_PRIOR * WIDEST_SPREAD * UNIFORM else "data"


def findings(recipe: Recipe, fit: ProfileFit | None) -> tuple[Finding, ...]:
    """Sentences on the options that the project file asks for."""
    if fit is None:
        return ()
    out = []
    if recipe.particle.ligand is not None:
        out.append(_ligand(recipe, fit))
    if recipe.particle.composition_spread == "fit":
        out.append(_spread(recipe, fit))
    return tuple(out)


def _ligand(recipe: Recipe, fit: ProfileFit) -> Finding:
    given = recipe.particle.ligand
    assert given is not None
    thickness, relative = thickness_draws(recipe, fit), density_draws(recipe, fit)
    t, d = float(thickness.mean()), float(relative.mean())
    narrowed = [
        name
        for name, draws, prior in (
            ("thickness", thickness, given.thickness_uncertainty_nm),
            ("density", relative, given.density_uncertainty),
        )
        if prior > 0 and draws.std(ddof=1) < RETURNED_PRIOR * prior
    ]
    learnt = (
        f"the data narrow its {' and '.join(narrowed)}" if narrowed else "the data say no more about it than was stated"
    )
    low, high = np.quantile(thickness, [0.025, 0.975])
    return Finding(
        text=f"The profile allows for a ligand shell of {t:.2f} nm (95 %: {low:.2f} to {high:.2f}) with {100 * d:.0f} % of its stated "
        f"density; {learnt}.",
        grade="moderate" if narrowed else "not determined",
        numbers={"profile.ligand.thickness_nm": t, "profile.ligand.relative_density": d},
        improve="" if narrowed else "a curve in a second solvent, which changes the contrast of the ligand",
    )


def _spread(recipe: Recipe, fit: ProfileFit) -> Finding:
    draws = spread_draws(recipe, fit)
    value = float(draws.mean())
    low, high = np.quantile(draws, [0.025, 0.975])
    if _determined(recipe, draws) == "prior":
        text = (
            "How much the particles differ in composition the data do NOT determine: a fitted spread of x returns its prior "
            f"(95 %: {low:.3f} to {high:.3f}, prior 0 to 0.2)."
        )
        grade = "not determined"
    else:
        text = f"The particles differ in composition by {value:.3f} (95 %: {low:.3f} to {high:.3f}; spread of x where x = 1/2)."
        grade = "weak"
    return Finding(
        text=text, grade=grade, numbers={"profile.composition_spread": value},
        improve="EDX of single particles: scattering sees the mean composition, and its spread only in the square of a small contrast",
    )  # fmt: skip
