"""The numbers of a comparison: differences between samples, activation energy, scores of the design rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from nanostrata.errors import PhysicsError
from nanostrata.models.arrhenius import ArrheniusLine, MeasuredDiffusivity, fit_arrhenius, log_sigma_of
from nanostrata.models.design_rules import (
    RuleScore,
    gradient_score,
    gradient_width,
    mismatch_score,
    monolayer_nm,
    outer_layer_score,
)
from nanostrata.models.differences import Difference, corrected, difference
from nanostrata.pipeline.compare_read import INFORMED, ComparedRun, Number, number_of

__all__ = [
    "NO_DIFFUSIVITY",
    "ArrheniusResult",
    "Quantity",
    "activation",
    "differences",
    "quantities",
    "rule_scores",
    "shell_layers_nm",
]


NO_DIFFUSIVITY = "has no diffusivity"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number that samples are compared by.

    Attributes
    ----------
    key : path in the summary
    name : what it is called
    unit : "" for a share
    values : one per run, None where a run does not have it
    ratio : compare logarithms
    informed : False where the data of at least one run do not inform it, so that it is shown but not tested
    weak : True where at least one run informs it weakly
    truths : known truth per run, nan for measured data
    """

    key: str
    name: str
    unit: str
    values: tuple[Number | None, ...]
    ratio: bool = False
    informed: bool = True
    weak: bool = False
    truths: tuple[float, ...] = ()


def quantities(runs: Sequence[ComparedRun]) -> list[Quantity]:
    """Every scalar that at least one run has, in the order in which it is shown."""
    out = [
        Quantity(key, name, unit, tuple(r.number(key) for r in runs), truths=_truths(runs, key.rsplit(".", 1)[-1]))
        for key, name, unit in (
            ("particle.diameter_mean_nm", "mean diameter", "nm"),
            ("particle.diameter_std_nm", "spread of diameters", "nm"),
            ("particle.aspect_ratio", "aspect ratio", ""),
            ("profile.mean_shell_fraction", "mean x per site", ""),
        )
    ]
    out += _shell_quantities(runs)
    key = "diffusion.diffusivity_cm2_s"
    out.append(Quantity(key, _diffusing(runs), "cm²/s", tuple(r.number(key) for r in runs), ratio=True))
    directions = dict.fromkeys(str(m["direction"]) for r in runs for m in r.mismatch)
    for d in directions:
        found = tuple(
            next((number_of(m.get("maximum_percent")) for m in r.mismatch if m["direction"] == d), None) for r in runs
        )
        out.append(Quantity(f"mismatch[{d}].maximum_percent", f"largest mismatch, {_direction(d)}", "%", found))
    out.append(
        Quantity("atoms.coverage", "coverage of the surface", "", tuple(r.number("atoms.coverage") for r in runs))
    )
    return [q for q in out if any(v is not None for v in q.values)]


def _direction(name: str) -> str:
    return "cubic lattice" if name == "cubic" else f"along {name}"


def _diffusing(runs: Sequence[ComparedRun]) -> str:
    elements = {str(e) for r in runs if (e := r.get("diffusion.element"))}
    return f"diffusivity of {elements.pop()}" if len(elements) == 1 else "diffusivity"


def _truths(runs: Sequence[ComparedRun], key: str) -> tuple[float, ...]:
    values = [r.truth.get(key) for r in runs]
    return tuple(float(v) if isinstance(v, int | float) else math.nan for v in values)


def _shell_quantities(runs: Sequence[ComparedRun]) -> list[Quantity]:
    """x of each shell from outside inwards; only the outermost where the runs have different numbers of shells."""
    counts = {len(r.shells) for r in runs if r.shells}
    if not counts:
        return []
    depth = range(1, (counts.pop() if len(counts) == 1 else 1) + 1)
    out = []
    for k in depth:
        values = tuple(r.shells[-k] if r.shells else None for r in runs)
        labels = [r.informed_by[-k] for r in runs if r.shells]
        truths = [r.truth.get("shell_fraction") for r in runs]
        known = tuple(
            float(t[-k]) if isinstance(t, list) and r.shells and len(t) == len(r.shells) else math.nan
            for t, r in zip(truths, runs, strict=True)
        )
        name = "x of the outermost shell" if k == 1 else f"x of shell {k} from outside"
        out.append(
            Quantity(
                f"profile.shell_fraction[-{k}]",
                name,
                "",
                values,
                informed=all(l in INFORMED for l in labels),
                weak="weak" in labels,
                truths=known,
            )
        )
    return out


def differences(runs: Sequence[ComparedRun], found: Sequence[Quantity]) -> tuple[Difference, ...]:
    """Every pair of samples in every quantity that has errors and that the data inform, corrected for their number."""
    out = []
    for q in found:
        if not q.informed:
            continue
        for i, j in combinations(range(len(runs)), 2):
            pair = [_gaussian(q, k) for k in (i, j)]
            if any(p is None for p in pair):
                continue
            (v1, s1), (v2, s2) = (p for p in pair if p is not None)
            if s1 + s2 > 0:
                out.append(difference(q.key, (runs[i].label, v1, s1), (runs[j].label, v2, s2), ratio=q.ratio))
    return corrected(out)


def _gaussian(q: Quantity, k: int) -> tuple[float, float] | None:
    """Value and sigma (of the logarithm for a ratio) of one run; None where either is unknown."""
    number = q.values[k]
    if number is None:
        return None
    if q.ratio:
        sigma = log_sigma_of(number.value, number.sigma, number.low68, number.high68)
        return (math.log(number.value), sigma) if number.value > 0 and math.isfinite(sigma) else None
    return (number.value, number.sigma) if math.isfinite(number.sigma) else None


@dataclass(frozen=True, slots=True)
class ArrheniusResult:
    """The line, what it rests on and what was left out.

    Attributes
    ----------
    line : fit of the first-page diffusivity
    points : what entered it
    left_out : (label, why)
    by_definition : name, formula, label of every other definition of D, with its own line
    element : what diffuses; "" where the runs do not say or disagree
    """

    line: ArrheniusLine
    points: tuple[MeasuredDiffusivity, ...]
    left_out: tuple[tuple[str, str], ...]
    by_definition: tuple[tuple[Mapping[str, str], ArrheniusLine], ...]
    element: str = ""


def activation(
    runs: Sequence[ComparedRun], *, common_relative_error: float, rng: np.random.Generator
) -> ArrheniusResult:
    """Activation energy from the diffusivities of the runs, by the first-page definition and by every other one."""
    points, left_out = [], []
    for r in runs:
        why = _cannot_enter(r)
        if why:
            left_out.append((r.label, why))
        else:
            points.append(_point(r, r.number("diffusion.diffusivity_cm2_s"), draws=True))
    chosen = [r for r in runs if not _cannot_enter(r)]
    line = fit_arrhenius(points, common_relative_error=common_relative_error, rng=rng)
    for key, word in (("element", "elements"), ("definition", "definitions")):
        values = sorted({str(r.get(f"diffusion.{key}")) for r in chosen})
        if len(values) > 1:
            reason = f"the diffusivities are of different {word} ({'; '.join(values)})"
            empty = fit_arrhenius([], common_relative_error=common_relative_error)
            return ArrheniusResult(replace(empty, reason=reason), tuple(points), tuple(left_out), ())
    unsure = [r.label for r in chosen if str(r.get("diffusion.verdict", "")).startswith("not")]
    if unsure:
        reason = f"the diffusivity itself is not determined in {', '.join(unsure)}; {line.reason}"
        line = replace(line, verdict="not determined", reason=reason)
    others = _by_definition(chosen, common_relative_error)
    element = str(chosen[0].get("diffusion.element") or "") if chosen else ""
    return ArrheniusResult(line, tuple(points), tuple(left_out), others, element)


def _cannot_enter(r: ComparedRun) -> str:
    number = r.number("diffusion.diffusivity_cm2_s")
    if number is None:
        return NO_DIFFUSIVITY
    if number.value <= 0:
        return "its diffusivity is not above 0"
    if math.isnan(r.temperature_c):
        return "has no growth temperature: give [growth] temperature_c and time_s in its project file"
    return ""


def _point(r: ComparedRun, number: Number | None, *, draws: bool) -> MeasuredDiffusivity:
    assert number is not None
    return MeasuredDiffusivity(
        label=r.label, temperature_c=r.temperature_c, diffusivity_cm2_s=number.value,
        log_sigma=log_sigma_of(number.value, number.sigma, number.low68, number.high68),
        draws_cm2_s=r.d_draws if draws and r.d_draws is not None else np.empty(0),
    )  # fmt: skip


def _by_definition(
    runs: Sequence[ComparedRun], common_relative_error: float
) -> tuple[tuple[Mapping[str, str], ArrheniusLine], ...]:
    """A line for every named alternative that all runs of the main line have."""
    table: dict[str, list[tuple[ComparedRun, Mapping[str, Any], Number]]] = {}
    for r in runs:
        for a in r.get("diffusion.alternatives") or []:
            number = number_of(a.get("diffusivity_cm2_s")) if isinstance(a, Mapping) else None
            if number is not None and number.value > 0:
                table.setdefault(str(a.get("name")), []).append((r, a, number))
    out = []
    for name, rows in table.items():
        if len(rows) < len(runs) or len(runs) < 2:
            continue
        points = [_point(r, number, draws=False) for r, _, number in rows]
        about = {"name": name, **{k: str(rows[0][1].get(k, "")) for k in ("formula", "label")}}
        out.append((about, fit_arrhenius(points, common_relative_error=common_relative_error)))
    return tuple(out)


def rule_scores(run: ComparedRun) -> list[RuleScore]:
    """Scores of one run by the design rules that it has the numbers for."""
    out = []
    coverage = run.number("atoms.coverage")
    if coverage is not None:
        out.append(_outer(coverage, "coverage of the surface by shell material"))
    elif run.shells and run.informed_by[-1] in INFORMED:
        thickness, layer = shell_layers_nm(run)
        said = (
            f" ({thickness:.2f} nm thick; a monolayer is {layer:.2f} nm)" if layer else f" ({thickness:.2f} nm thick)"
        )
        out.append(_outer(run.shells[-1], f"x of the outermost shell{said}"))
    largest = [(n, str(m["direction"])) for m in run.mismatch if (n := number_of(m.get("maximum_percent"))) is not None]
    if largest:
        number, direction = max(largest, key=lambda pair: abs(pair[0].value))
        out.append(
            mismatch_score(
                number.value,
                (number.low68, number.high68),
                (number.low95, number.high95),
                rests_on=f"largest mismatch between neighbouring shells, {_direction(direction)}",
            )
        )
    gradient = _gradient(run)
    return out + ([gradient] if gradient is not None else [])


def _outer(number: Number, rests_on: str) -> RuleScore:
    return outer_layer_score(
        number.value, (number.low68, number.high68), (number.low95, number.high95), rests_on=rests_on
    )


def _gradient(run: ComparedRun) -> RuleScore | None:
    """Width of the gradient over the shells that the data inform, counted from outside."""
    if run.get("profile.gradient") != "resolved" or not run.shells:
        return None
    informed = 0
    for label in reversed(run.informed_by):
        if label not in INFORMED:
            break
        informed += 1
    if informed < 3:
        return None
    x = run.x_draws if run.x_draws is not None else np.array([[s.value for s in run.shells]])
    thickness, layer = shell_layers_nm(run)
    steps = gradient_width(x[:, -informed:])
    steps = steps[np.isfinite(steps)]
    if not len(steps):
        return None
    unit = f"in monolayers of {layer:.2f} nm" if layer else f"in shells of {thickness:.2f} nm"
    return gradient_score(
        steps * (thickness / layer if layer else 1.0),
        rests_on=f"equal steps that concentrate the change as much, {unit}, over the {informed} outer shells that the data inform",
    )


def shell_layers_nm(run: ComparedRun) -> tuple[float, float | None]:
    """Thickness of a shell of the model, and of a monolayer (mean of the end members; None when not known), nm."""
    edges = run.get("profile.edges_nm")
    thickness = float(edges[-1]) / len(edges)
    found = []
    for material in ("core", "shell"):
        lattice = run.get(f"recipe.materials.{material}.lattice")
        if not isinstance(lattice, Mapping):
            continue
        a, c = lattice.get("a_nm"), lattice.get("c_nm")
        try:
            found.append(
                monolayer_nm(str(lattice.get("structure")), float(a or math.nan), None if c is None else float(c))
            )
        except PhysicsError:
            return thickness, None
    layer = float(np.mean(found)) if found else math.nan
    return thickness, layer if math.isfinite(layer) else None
