"""Plan a beamtime: what energies, exposures and prior knowledge will tell about every shell, and a better choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.plan import BeamtimePlan, EnergyPlan, EnergySet, Forecast, Lever, Ranking, ResolvedShells
from nanostrata.errors import PhysicsError
from nanostrata.models.families import Shells
from nanostrata.models.information import Information, PlanSetup, information
from nanostrata.models.plan_design import best_sets, energy_set, exchange_curves, subsets
from nanostrata.models.plan_energies import candidate_energies
from nanostrata.models.plan_forecast import forecast
from nanostrata.models.plan_levers import ADDED_COMPOSITION_SD, improvements, with_density_sd, with_scale_sd
from nanostrata.tables.factors import check_energies

__all__ = ["VERSION", "Choice", "plan_beamtime"]

VERSION = "1"

MOST_SHELLS = 8
"""Numbers of shells that are tried."""

WORTH = 0.02
"""A further energy is proposed when it narrows the intervals by more than this share."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the proposal may choose from.

    Attributes
    ----------
    limits_kev : energies that the beamline reaches
    distance_ev : least distance to every edge of every element
    most : largest number of energies
    apart_kev : energies that are closer than this are one
    """

    limits_kev: tuple[float, float]
    distance_ev: float = 20.0
    most: int = 4
    apart_kev: float = 0.05


def plan_beamtime(
    setup: PlanSetup,
    judge: PlanSetup,
    planned: EnergyPlan,
    choice: Choice,
    *,
    seed: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> BeamtimePlan:
    """Judge a plan by the Fisher information of the model that the fit uses, and propose a better one.

    Parameters
    ----------
    setup : sample, priors, noise and q range, with the priors of the fit's main answer
    judge : the same with those of the fit's verdicts: no coupling between shells, and a wider error of the model. Number of
        shells and choice of energies rest on it
    planned : energies and exposures; the proposal has the same total exposure
    seed : of the draws inside the walls; the same for all numbers that are compared

    Raises
    ------
    PhysicsError
        For energies at which no table means anything, a single material, or a range without a usable energy.

    Notes
    -----
    Assumes that the sample is as guessed, that the model describes it but for the stated errors, and that the posterior is
    a Gaussian cut off by the walls of the box.
    """
    if setup.solid.shell is None:
        raise PhysicsError(
            "plan: needs two materials; with one there is no composition to plan for. Add [materials.shell]"
        )
    elements = setup.solid.elements
    check_energies(elements, [float(e) for e in planned.energies_kev], setup.factors)
    progress("choosing energies and exposures")
    grid = candidate_energies(
        choice.limits_kev, elements, setup.factors, distance_ev=choice.distance_ev,
        extra_kev=[float(e) for e in planned.energies_kev],
    )  # fmt: skip
    candidates = information(judge, [float(e) for e in grid])
    at_planned = information(judge, [float(e) for e in planned.energies_kev])
    whole = energy_set(at_planned, np.asarray(planned.exposure_s), np.ones(setup.shells))
    against = whole.sd
    sets, indices = _sets(candidates, planned.total_s, choice, against)
    k = _worth_it(sets)
    chosen, proposed = indices[k], sets[k].plan
    at = {float(e): i for i, e in enumerate(grid)}
    if sets[k].factor > 1.0 - WORTH and all(float(e) in at for e in planned.energies_kev):
        # as good as what was found: there is nothing to propose
        chosen, proposed = tuple(at[float(e)] for e in planned.energies_kev), planned
    progress("expected intervals")
    pairs = [_forecasts(s, planned, proposed, seed) for s in (setup, judge)]
    progress("number of shells")
    counts = [_forecasts(replace(judge, shells=n), planned, proposed, seed) for n in range(1, MOST_SHELLS + 1)]
    progress("which improvement helps most")
    levers = _levers(setup, planned, proposed, pairs[0], seed)
    progress("how the choice depends on flux normalisation and density")
    return BeamtimePlan(
        planned=planned,
        proposed=proposed,
        planned_forecast=pairs[0][0],
        proposed_forecast=pairs[0][1],
        planned_independent=pairs[1][0],
        proposed_independent=pairs[1][1],
        planned_resolved=ResolvedShells(forecasts=tuple(c[0] for c in counts)),
        proposed_resolved=ResolvedShells(forecasts=tuple(c[1] for c in counts)),
        levers=levers,
        sets=sets,
        subsets=_subsets(at_planned, planned),
        rankings=_rankings(judge, planned),
        candidates_kev=grid,
        exchange=exchange_curves(candidates, chosen, _in_order(candidates, chosen, proposed)),
    )


def _sets(
    candidates: Information, total_s: float, choice: Choice, against: FloatArray
) -> tuple[tuple[EnergySet, ...], list[tuple[int, ...]]]:
    """Best choice of each number of energies, and its indices by falling energy."""
    found, indices = [], []
    for chosen, seconds in best_sets(candidates, total_s, choice.most, apart_kev=choice.apart_kev):
        full = np.zeros(len(candidates.energies_kev))
        full[list(chosen)] = seconds
        found.append(energy_set(candidates, full, against))
        indices.append(tuple(sorted(chosen, key=lambda i: -candidates.energies_kev[i])))
    return tuple(found), indices


def _worth_it(sets: Sequence[EnergySet]) -> int:
    """Smallest number of energies beyond which nothing narrows the intervals by more than ``WORTH``."""
    best = min(s.factor for s in sets)
    return next(i for i, s in enumerate(sets) if s.factor <= best * (1.0 + WORTH))


def _in_order(candidates: Information, chosen: Sequence[int], plan: EnergyPlan) -> FloatArray:
    at = {float(e): float(t) for e, t in zip(plan.energies_kev, plan.exposure_s, strict=True)}
    return np.array([at[float(candidates.energies_kev[i])] for i in chosen])


def _forecasts(setup: PlanSetup, planned: EnergyPlan, proposed: EnergyPlan, seed: int) -> tuple[Forecast, Forecast]:
    return _forecast(setup, planned, seed), _forecast(setup, proposed, seed)


def _forecast(setup: PlanSetup, plan: EnergyPlan, seed: int) -> Forecast:
    """Expected answer; the smoothness prior is centred on no steps at all, and pulls the guess towards that."""
    x = setup.guess.averages(setup.shells)
    covariance = information(setup, [float(e) for e in plan.energies_kev]).covariance(plan.exposure_s)
    steps, by_x = Shells(n=setup.shells, smooth_sd=setup.smooth_sd).prior_rows(x)
    return forecast(x, covariance, centre=x - covariance @ (by_x.T @ steps), seed=seed)


def _levers(
    setup: PlanSetup, planned: EnergyPlan, proposed: EnergyPlan, base: tuple[Forecast, Forecast], seed: int
) -> tuple[Lever, ...]:
    energies = ", ".join(f"{e:.4f}".rstrip("0").rstrip(".") for e in proposed.energies_kev)
    said = f"{energies} keV as proposed, same total exposure"
    out = [Lever(name="energies", change=said, kind="step", gain=base[0].sd / base[1].sd)]
    for better in improvements(setup, planned):
        new = _forecast(better.setup, better.plan, seed)
        out.append(Lever(name=better.name, change=better.change, kind=better.kind, gain=base[0].sd / new.sd))
    return tuple(sorted(out, key=lambda v: -v.typical_gain))


def _subsets(at_planned: Information, planned: EnergyPlan) -> tuple[EnergySet, ...]:
    n = len(planned.energies_kev)
    if not 2 <= n <= MOST_SHELLS:
        return ()
    return subsets(at_planned, np.asarray(planned.exposure_s), range(1, min(n, 4)))


def _rankings(setup: PlanSetup, planned: EnergyPlan) -> tuple[Ranking, ...]:
    """Best and worst pair of the planned energies for three normalisations, three densities, with and without EDX."""
    if len(planned.energies_kev) < 3:
        return ()
    energies = [float(e) for e in planned.energies_kev]
    scale = setup.known.scale_uncertainty
    density = setup.solid.core.density_uncertainty or 0.01
    edx = setup.known.composition[1] if setup.known.composition is not None else ADDED_COMPOSITION_SD
    out = []
    for composition_sd in (edx, np.inf):
        known = replace(setup.known, composition=(0.5, composition_sd) if np.isfinite(composition_sd) else None)
        for density_sd in (0.0, density, 3.0 * density):
            for scale_sd in (scale / 3.0, scale, np.inf):
                changed = with_density_sd(with_scale_sd(replace(setup, known=known), scale_sd), density_sd, density_sd)
                found = information(changed, energies)
                pairs = subsets(found, np.asarray(planned.exposure_s), (2,))
                sd = energy_set(found, np.asarray(planned.exposure_s), np.ones(setup.shells)).sd
                out.append(
                    Ranking(
                        scale_sd=scale_sd, density_sd=density_sd, composition_sd=composition_sd, sd=sd, best=pairs[0], worst=pairs[-1]
                    )
                )  # fmt: skip
    return tuple(out)
