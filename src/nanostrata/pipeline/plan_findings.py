"""What a plan says, in sentences: for the page, for the terminal and for plan.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from nanostrata.domain.plan import BeamtimePlan, EnergyPlan, Forecast, Lever, Ranking
from nanostrata.models.information import PlanSetup

__all__ = ["exposure", "findings", "joined_kev", "kev", "labels", "warnings"]

DATA, WEAK = 0.10, 0.20
"""Standard deviations of x up to which a shell rests on data, or weakly on data, as in a fit."""

_SMALL = 1.02


def kev(energy: float) -> str:
    """Energy as people write it: 9.63, 16."""
    return f"{energy:.4f}".rstrip("0").rstrip(".")


def joined_kev(energies: Iterable[float], joint: str = " + ") -> str:
    """Energies joined, with the unit once."""
    return joint.join(kev(float(e)) for e in energies) + " keV"


def exposure(value: float, unit: str) -> str:
    """Exposure to three digits with its unit."""
    return f"{value:.3g} {unit}"


def labels(forecast: Forecast) -> list[str]:
    """What each shell will rest on: "data", "weak" or "prior", from the answer without coupling between shells."""
    return ["data" if s < DATA else "weak" if s < WEAK else "prior" for s in forecast.sd]


def findings(plan: BeamtimePlan, setup: PlanSetup, unit: str) -> list[dict[str, str]]:
    """Sentences with the key of the part of the page that they belong to; ``unit`` is that of exposures."""
    return [
        {"about": "shells", "text": _resolved(plan, setup, unit)},
        {"about": "intervals", "text": _rests_on(plan.planned_independent)},
        {"about": "proposal", "text": _proposal(plan, unit)},
        {"about": "levers", "text": _helps(plan.levers)},
        *({"about": "assumptions", "text": text} for text in _ranked(plan.rankings)),
    ]


def _resolved(plan: BeamtimePlan, setup: PlanSetup, unit: str) -> str:
    sharp, rough = plan.planned_resolved.resolved(DATA), plan.planned_resolved.resolved(WEAK)
    radius = 0.5 * setup.guess.diameter_mean_nm
    said = f"The plan ({_plan(plan.planned, unit)}) "
    if not rough:
        return said + f"does not determine even the mean composition to ±{WEAK:.2f}."
    if sharp:
        shells = f"{sharp} shells" if sharp > 1 else "one shell"
        said += f"resolves {shells} of {radius / sharp:.2g} nm, each known to better than ±{DATA:.2f} in x"
        said += f"; {rough} shells of {radius / rough:.2g} nm to better than ±{WEAK:.2f}." if rough > sharp else "."
    else:
        shells = f"{rough} shells" if rough > 1 else "one shell"
        said += f"resolves {shells} of {radius / rough:.2g} nm, but only to ±{WEAK:.2f}."
    better = plan.proposed_resolved.resolved(DATA)
    if better > sharp:
        said += f" The proposal below resolves {better}."
    return said


def _plan(plan: EnergyPlan, unit: str) -> str:
    return f"{joined_kev(plan.energies_kev)}, {exposure(plan.total_s, unit)} in total"


def _rests_on(forecast: Forecast) -> str:
    found = labels(forecast)
    n = len(found)
    parts = []
    for label, text in (
        ("data", "rest on data"),
        ("weak", "rest weakly on data"),
        ("prior", "stay what the prior says"),
    ):
        which = [k + 1 for k, one in enumerate(found) if one == label]
        if which:
            verb = text if len(which) > 1 else text.replace("rest", "rests").replace("stay", "stays")
            parts.append(f"{_shells(which, n)} {verb}")
    said = "; ".join(parts)
    return f"Of {n} shells, counted from the centre, {said}." if n > 1 else f"{said[0].upper()}{said[1:]}."


def _shells(which: Sequence[int], n: int) -> str:
    if len(which) == n:
        return "all" if n > 1 else "the composition"
    if len(which) == 1:
        return f"shell {which[0]}"
    if which[-1] - which[0] == len(which) - 1 and len(which) > 2:
        return f"shells {which[0]} to {which[-1]}"
    return f"shells {', '.join(map(str, which[:-1]))} and {which[-1]}"


def _proposal(plan: BeamtimePlan, unit: str) -> str:
    a, b = plan.planned, plan.proposed
    if np.array_equal(a.energies_kev, b.energies_kev) and np.array_equal(a.exposure_s, b.exposure_s):
        return "No other choice of energies and exposures found is better than the plan by more than 2 %."
    parts = [
        f"{kev(e)} keV for {exposure(t, unit)}"
        for e, t in zip(plan.proposed.energies_kev, plan.proposed.exposure_s, strict=True)
    ]
    said = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    narrower = f"{100 * (1 - 1 / plan.gain):.0f} %" if plan.gain >= _SMALL else "less than 2 %"
    return f"Better: {said}. With the same total exposure the intervals are {narrower} narrower on average."


def _helps(levers: Sequence[Lever]) -> str:
    steps = [v for v in levers if v.kind == "step" and v.name != "energies"]
    useful = [v for v in steps if v.typical_gain >= _SMALL]
    if not useful:
        return "No single improvement narrows the intervals by more than 2 %."
    first = useful[0]
    said = f"Bottleneck: {first.name} ({first.change}: intervals {first.typical_gain:.2f} times narrower)"
    if len(useful) > 1:
        said += f", then {useful[1].name} ({useful[1].change}: {useful[1].typical_gain:.2f})"
    idle = [v.name for v in steps if v.typical_gain < _SMALL]
    return said + "." + (f" Less than 2 % each would come from {', '.join(idle)}." if idle else "")


def _ranked(rankings: Sequence[Ranking]) -> list[str]:
    out = []
    for known in (True, False):
        rows = [r for r in rankings if np.isfinite(r.composition_sd) == known]
        if rows:
            out.append(_ranking(rows, known))
    return out


def _ranking(rows: Sequence[Ranking], known: bool) -> str:
    with_edx = f"With the mean x known to ±{rows[0].composition_sd:.2g}" if known else "Without knowledge of the mean x"
    pairs = [tuple(sorted((float(e) for e in r.best.plan.energies_kev), reverse=True)) for r in rows]
    counted = sorted({p: pairs.count(p) for p in pairs}.items(), key=lambda item: -item[1])
    factors = [r.best.factor for r in rows]
    span = _span(min(factors), max(factors))
    if len(counted) == 1:
        choice = f"is {joined_kev(counted[0][0])} under every tried error of flux normalisation and densities"
    else:
        each = ", ".join(f"{joined_kev(p)} ({n} of {len(rows)})" for p, n in counted)
        choice = f"depends on the errors of flux normalisation and densities: {each}"
    worst = max(rows, key=lambda r: r.worst.factor).worst
    return (
        f"{with_edx}, the best pair of the planned energies {choice}. Its intervals are {span} those of all planned energies "
        f"at the same total exposure; those of {joined_kev(worst.plan.energies_kev)} are up to {worst.factor:.1f} times as wide."
    )


def _span(low: float, high: float) -> str:
    """Range of a factor in words: "9 to 13 % narrower than", "from 2 % narrower to 47 % wider than"."""
    a, b = round(100 * (1 - high)), round(100 * (1 - low))
    if a == b == 0:
        return "as wide as"
    if a >= 0:
        return f"{a} to {b} % narrower than" if a != b else f"{a} % narrower than"
    if b <= 0:
        return f"{-b} to {-a} % wider than" if a != b else f"{-a} % wider than"
    return f"from {b} % narrower to {-a} % wider than"


def warnings(plan: BeamtimePlan, setup: PlanSetup, f_primes: Sequence[tuple[str, float, float, float]]) -> list[str]:
    """What to keep in mind.

    Parameters
    ----------
    f_primes : (element, energy in keV, f' of the table that is used, f' of the other) at the proposed energies
    """
    out = []
    for element, energy, used, other in f_primes:
        if abs(used - other) > 0.3:
            out.append(
                f"at {kev(energy)} keV the tables disagree on f' of {element}: {used:.2f} and {other:.2f}; measure the absorption "
                "edge of the sample, or keep farther away from it"
            )
    energies = [float(e) for e in plan.proposed.energies_kev]
    twins = [(a, b) for i, b in enumerate(energies) for a in energies[:i] if _same_contrast(setup, a, b)]
    return out + [
        f"{kev(a)} and {kev(b)} keV have the same contrast: the second is a repeat, which helps because the errors of the flux "
        "normalisation are taken as independent"
        for a, b in twins
    ]


def _same_contrast(setup: PlanSetup, first: float, second: float) -> bool:
    return all(
        abs(setup.factors.anomalous(e, first) - setup.factors.anomalous(e, second)) < 0.3 for e in setup.solid.elements
    )
