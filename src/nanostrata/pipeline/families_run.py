"""Which kind of profile the data ask for: the stage from a recipe, its sentences, its part of the summary and its tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import SizeDistribution
from nanostrata.domain.estimate import quantity
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.profile_weights import ProfileWeights, WeighedProfile, shares
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe

POSITIVE, STRONG = 3.0, 20.0
"""Odds between which the evidence counts as weak, and above which as strong (Kass & Raftery 1995,
doi:10.1080/01621459.1995.10476572)."""

CALLED = {
    "shells": "equispaced shells",
    "homogeneous": "a homogeneous particle",
    "core_shell": "an abrupt core and shell",
    "exponential": "an exponential",
    "erf": "an error function",
    "smooth": "a smooth profile",
}


def weigh(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, sizes: SizeDistribution, seed: int, workers: int, *,
    draws: int, families: bool, progress: Callable[[str], None],
) -> ProfileWeights:  # fmt: skip
    """Weigh numbers of shells and, if asked, families; ``draws`` of the numbers' mixture for ``particle.shells = "auto"``."""
    from nanostrata.pipeline.fit_recipe import fit_setup
    from nanostrata.pipeline.pool import make_pool
    from nanostrata.stages.weigh_profiles import FAMILIES, WeighSettings, weigh_profiles

    p, setup = recipe.particle, fit_setup(recipe, inputs, solid, sizes)
    settings = WeighSettings(
        shells=p.shells if isinstance(p.shells, int) else WeighSettings().shells, families=FAMILIES if families else (),
        smoothness=p.smoothness, smoothness_sd=p.smoothness_sd, draws=draws,
    )  # fmt: skip
    with make_pool(workers) as pool:
        return weigh_profiles(setup, settings, seed=seed, progress=progress, spread=pool.map)


def averaged(fit: ProfileFit, weights: ProfileWeights) -> ProfileFit:
    """Put the draws of all numbers of shells in place of those of the best one."""
    assert weights.draws is not None
    return replace(fit, main=weights.draws, main_shells=weights.draws.shell_fraction)


def findings(weights: ProfileWeights | None) -> tuple[Finding, ...]:
    """Return the sentences of the first page."""
    if weights is None:
        return ()
    out = []
    if weights.families:
        out.append(_families(weights.families))
    if weights.numbers:
        out.append(_numbers(weights.numbers))
    return tuple(out)


def odds_of_best(models: tuple[WeighedProfile, ...]) -> tuple[WeighedProfile, WeighedProfile, float]:
    """Return the best model, the second and how many times more probable the first is."""
    first, second = sorted(models, key=lambda w: -w.ln_z)[:2]
    return first, second, float(np.exp(min(first.ln_z - second.ln_z, 500.0)))


def _grade(odds: float) -> str:
    return "strong" if odds > STRONG else "moderate" if odds > POSITIVE else "not determined"


def _families(models: tuple[WeighedProfile, ...]) -> Finding:
    best, second, odds = odds_of_best(models)
    grade = _grade(odds)
    excluded = [w for w in models if best.ln_z - w.ln_z > np.log(STRONG)]
    left = [w for w in models if w not in excluded]
    if grade == "not determined":
        text = f"The data do NOT tell {_names(left)} apart: the best, {CALLED[best.family]}, is only {_odds(odds)} times as probable as the next."
    else:
        text = f"Of the kinds of profile tried, {CALLED[best.family]} is the most probable, {_odds(odds)} times as probable as {CALLED[second.family]}."
    if excluded:
        verb = "is" if len(excluded) == 1 else "are"
        text += f" {_names(excluded, cap=True)} {verb} ruled out (odds beyond {STRONG:.0f} to 1)."
    return Finding(
        text=text, grade=grade, numbers={"profile.families.odds_best_to_second": odds},
        improve="" if grade == "strong" else "a larger q_max and better statistics at high q: the shape of an interface lies there",
    )  # fmt: skip


def _numbers(models: tuple[WeighedProfile, ...]) -> Finding:
    best, _, odds = odds_of_best(models)
    p = shares(models)
    left = [w.shells for w in models if best.ln_z - w.ln_z <= np.log(STRONG)]
    listed = ", ".join(f"{w.shells}: {100 * v:.0f} %" for w, v in zip(models, p, strict=True) if w.shells in left)
    if odds > POSITIVE:
        text = f"The data ask for {best.shells} equispaced shells, {_odds(odds)} times as probable as the next number ({listed})."
    else:
        text = f"How many equispaced shells to use the data do NOT tell: {left[0]} to {left[-1]} serve about as well ({listed})."
    if left[0] > 1:
        fewer = "One shell is" if left[0] == 2 else f"Fewer than {left[0]} are"
        text += f" {fewer} ruled out."
    return Finding(text=text, grade=_grade(odds), numbers={"profile.shell_numbers.best": float(best.shells)})


def _names(models: list[WeighedProfile], *, cap: bool = False) -> str:
    words = [CALLED[w.family] for w in models]
    text = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return text[0].upper() + text[1:] if cap else text


def _odds(odds: float) -> str:
    return f"{odds:.1f}" if odds < 10 else f"{odds:.0f}" if odds < 1e4 else "over 10 000"


def families_summary(weights: ProfileWeights) -> dict[str, Any]:
    """Return the keys that are added to ``profile``."""
    out: dict[str, Any] = {}
    if weights.families:
        out["families"] = _rows(weights.families)
    if weights.numbers:
        out["shell_numbers"] = _rows(weights.numbers)
    return out


def _rows(models: tuple[WeighedProfile, ...]) -> list[dict[str, Any]]:
    top = max(w.ln_z for w in models)
    return [
        {
            "family": w.family, "shells": w.shells or None, "probability": float(p), "ln_z_below_best": top - w.ln_z,
            "ln_z_sigma": w.ln_z_sigma, "effective_draws": w.effective, "chi2": w.chi2,
            "parameters": {n: quantity(w.draws[:, i]) for i, n in enumerate(w.names)},
        }
        for w, p in zip(models, shares(models), strict=True)
    ]  # fmt: skip


def write_families(folder: Path, weights: ProfileWeights, radius_nm: float) -> None:
    """Write ``families.csv``, ``shell_numbers.csv`` and ``family_profiles.csv``."""
    from nanostrata.io.text_out import write_csv

    head = ["model", "family", "shells", "probability", "ln_z_below_best", "ln_z_sigma", "effective_draws", "chi2"]
    for name, models in (("families", weights.families), ("shell_numbers", weights.numbers)):
        if models:
            top = max(w.ln_z for w in models)
            rows = [
                [w.label, w.family, w.shells or "", float(p), top - w.ln_z, w.ln_z_sigma, w.effective, w.chi2]
                for w, p in zip(models, shares(models), strict=True)
            ]
            write_csv(folder / f"{name}.csv", head, rows)
    shown = weights.families or weights.numbers
    write_csv(
        folder / "family_profiles.csv",
        ["model", "r_nm", "x", "lo68", "hi68"],
        [
            [w.label, radius_nm * s, x, low, high]
            for w in shown
            for s, x, low, high in zip(weights.radius_fraction, w.profile, w.lower, w.upper, strict=True)
        ],
    )
