"""Say in graded sentences what differs between samples, what does not, and what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nanostrata.constants import GAS_CONSTANT_J_MOL_K
from nanostrata.domain.finding import Finding
from nanostrata.models.arrhenius import ZERO_CELSIUS_K, ArrheniusLine
from nanostrata.models.design_rules import CAVEAT, RuleScore
from nanostrata.models.differences import LEVEL, Difference
from nanostrata.pipeline.compare_numbers import ArrheniusResult, Quantity
from nanostrata.pipeline.compare_read import ComparedRun, Number
from nanostrata.tables.literature_activation import LITERATURE

__all__ = ["findings"]

BAD_CHI2 = 3.0
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_RULES = {
    "outer_layer_full": "outermost layer full",
    "mismatch_small": "mismatch between neighbours below 3 %",
    "gradient_spread": "gradient over several monolayers",
}


def findings(
    runs: Sequence[ComparedRun],
    found: Sequence[Quantity],
    compared: Sequence[Difference],
    arrhenius: ArrheniusResult,
    scores: Sequence[Sequence[RuleScore]],
) -> list[Finding]:
    """Return the findings of the page, the most important first."""
    if len(runs) == 1:
        text = f"There is one sample, {runs[0].label}: nothing to compare it with. Its numbers are shown below."
        alone = Finding(text=text, grade="not determined", numbers={}, improve="give two or more run folders")
        return [alone, *_rules(runs, scores), *_missing(runs)]
    ordered = sorted(found, key=_importance)
    main = [q for q in ordered if _importance(q) < _SECONDARY]
    differing = [f for q in main if (f := _differs(runs, q, compared)) is not None]
    differing += _also(runs, ordered[len(main) :], compared)
    tail = [*_alike(runs, ordered, compared), *_rules(runs, scores), *_missing(runs)]
    return [*_activation(arrhenius)[:1], *differing, *_activation(arrhenius)[1:], *tail]


_SECONDARY = 5


def _importance(q: Quantity) -> int:
    """Order on the page: composition, diffusivity, strain and surface, then the deeper shells, then sizes."""
    order = (
        "profile.shell_fraction[-1]", "profile.mean_shell_fraction", "diffusion.", "mismatch", "atoms.coverage",
        "profile.", "particle.",
    )  # fmt: skip
    return next(i for i, start in enumerate(order) if q.key.startswith(start))


def _differs(runs: Sequence[ComparedRun], q: Quantity, compared: Sequence[Difference]) -> Finding | None:
    """One finding for a quantity in which at least two samples differ."""
    mine = [d for d in compared if d.quantity == q.key]
    differing = [d for d in mine if d.significant]
    if not differing:
        return None
    value = {r.label: number(v, q.unit) for r, v in zip(runs, q.values, strict=True) if v is not None}
    if len(runs) == 2:
        (d,) = differing
        high, low = (d.second, d.first) if d.difference > 0 else (d.first, d.second)
        text = (
            f"{_capital(q.name)} is larger in {high} than in {low}: {value[high]} against {value[low]}, {_size(d, q)} "
            f"({abs(d.z):.1f} standard deviations; {_p(d.p_holm)} after correction for {len(compared)} comparisons)."
        )
    else:
        d = max(differing, key=lambda d: abs(d.z))
        text = (
            f"{_capital(q.name)} differs in {len(differing)} of {len(mine)} pairs of samples, most between {d.first}, {value[d.first]}, and "
            f"{d.second}, {value[d.second]}: {abs(d.z):.1f} standard deviations, {_p(d.p_holm)} after correction for {len(compared)} "
            f"comparisons.{_not_between(mine)}"
        )
    grade = "strong" if min(d.p_holm for d in differing) < 1e-3 else "moderate"
    improve = ""
    if q.weak and grade == "strong":
        grade, improve = "moderate", "an energy closer to the edge or smaller errors: the data inform this shell weakly"
    bad = _untrusted(runs, q)
    if bad:
        grade, improve = "weak", f"a model that describes the data of {_join(bad)}"
    return Finding(text=text, grade=grade, numbers=_numbers(differing), improve=improve)


def _also(runs: Sequence[ComparedRun], found: Sequence[Quantity], compared: Sequence[Difference]) -> list[Finding]:
    """One finding for all that differs in the deeper shells and in the sizes."""
    single = [(q, f) for q in found if (f := _differs(runs, q, compared)) is not None]
    if len(single) < 2:
        return [f for _, f in single]
    parts = []
    for q, _ in single:
        largest = max((d for d in compared if d.quantity == q.key), key=lambda d: abs(d.z))
        value = {r.label: number(v, q.unit) for r, v in zip(runs, q.values, strict=True) if v is not None}
        parts.append(
            f"{q.name} ({value[largest.first]} in {largest.first}, {value[largest.second]} in {largest.second}: {abs(largest.z):.1f} σ)"
        )
    order = ("strong", "moderate", "weak")
    return [
        Finding(
            text=f"Different, too, by the same test: {'; '.join(parts)}.",
            grade=max((f.grade for _, f in single), key=order.index),
            numbers={f"p_holm: {q.name}": min(d.p_holm for d in compared if d.quantity == q.key) for q, _ in single},
            improve=next((f.improve for _, f in single if f.improve), ""),
        )
    ]


def _not_between(mine: Sequence[Difference]) -> str:
    same = [d for d in mine if not d.significant]
    if not same:
        return ""
    if len(same) > 2:
        return f" In {len(same)} pairs no difference was found."
    return f" No difference was found between {_join([f'{d.first} and {d.second}' for d in same], 'nor between')}."


def _numbers(differing: Sequence[Difference]) -> dict[str, float]:
    """The largest difference of a quantity, and in how many pairs there is one."""
    d = max(differing, key=lambda d: abs(d.z))
    numbers = {"difference": d.difference, "sigma": d.sigma, "p_holm": d.p_holm}
    return numbers if len(differing) == 1 else numbers | {"pairs": float(len(differing))}


def _size(d: Difference, q: Quantity) -> str:
    if q.ratio:
        low, high = math.exp(abs(d.difference) - d.sigma), math.exp(abs(d.difference) + d.sigma)
        return f"a ratio of {math.exp(abs(d.difference)):.3g}, 68 %: {low:.3g} to {high:.3g}"
    return f"a difference of {number(Number(abs(d.difference), d.sigma), q.unit)}"


def _untrusted(runs: Sequence[ComparedRun], q: Quantity) -> list[str]:
    out = [r.label for r in runs if r.chi2 > BAD_CHI2 or r.get("verification.passed") is False]
    if q.key.startswith("diffusion."):
        out += [r.label for r in runs if str(r.get("diffusion.verdict", "")).startswith("not")]
    return list(dict.fromkeys(out))


def _alike(runs: Sequence[ComparedRun], found: Sequence[Quantity], compared: Sequence[Difference]) -> list[Finding]:
    """What was compared without a difference, with what would have been seen; what could not be compared."""
    out = []
    parts = []
    for q in found:
        mine = [d for d in compared if d.quantity == q.key]
        if mine and not any(d.significant for d in mine):
            widest = max(d.sigma for d in mine)
            seen = f"a factor of {math.exp(1.96 * widest):.3g}" if q.ratio else _bare(1.96 * widest, q.unit)
            parts.append(f"{q.name} ({seen})")
    if parts:
        text = (
            f"No difference between the samples was found in {_join(parts)}; in brackets what a single comparison could "
            f"have missed ({100 * (1 - LEVEL):.0f} %)."
        )
        out.append(Finding(text=text, grade="not determined", numbers={}, improve="smaller errors"))
    prior = [q.name for q in found if not q.informed]
    if prior:
        text = (
            f"Not compared, because the data of at least one sample do not inform it: {_join(prior)}. What is drawn there "
            "is mostly the prior, which the samples share."
        )
        out.append(Finding(text=text, grade="not determined", numbers={}, improve="a larger q range, smaller errors"))
    counts = {len(r.shells) for r in runs if r.shells}
    if len(counts) > 1:
        text = (
            f"The samples have {_join([str(c) for c in sorted(counts)])} shells: their shells are not compared one by one, and "
            "the outermost ones differ in thickness."
        )
        out.append(
            Finding(text=text, grade="not determined", numbers={}, improve="the same [particle] shells in every run")
        )
    return out


def _activation(a: ArrheniusResult) -> list[Finding]:
    line = a.line
    if not a.points:
        return []
    value, (low, high) = line.activation_energy_kj_mol, line.interval_kj_mol(0.95)
    temperatures = sorted({p.temperature_c for p in a.points})
    improve = f"{'a third temperature' if len(temperatures) < 3 else 'more temperatures'}, and smaller errors of the diffusivities"
    if not math.isfinite(value):
        text = f"No activation energy: {line.reason}."
        return [Finding(text=text, grade="not determined", numbers={}, improve="samples grown at other temperatures")]
    at = f"{len(a.points)} samples at {_join([f'{t:g}' for t in temperatures])} °C"
    numbers = {"activation_energy_kj_mol": value}
    if math.isfinite(low):
        best = f"{number(Number(value, line.sigma_kj_mol), 'kJ/mol')} (95 %: {_range(low, high, line.sigma_kj_mol)})"
        numbers |= {"low95": low, "high95": high}
    else:
        best = f"{value:.3g} kJ/mol"
    if line.verdict == "determined":
        text = f"Activation energy of diffusion from {at}: {best}."
        grade = "moderate" if line.degrees == 0 or line.scatter_factor > 1 else "strong"
        if line.degrees == 0:
            text += " Two temperatures fix a line and do not test it."
    else:
        text = f"The activation energy is not determined by {at}: {line.reason}. Best value {best}."
        grade = "not determined"
    if line.scatter_factor > 1 and line.verdict == "determined":
        text += f" The samples scatter about one line by more than their errors (p = {line.p:.2g}); the errors were enlarged."
    out = [Finding(text=text + _thermal(value, temperatures), grade=grade, numbers=numbers, improve=improve)]
    other = _against_literature(line) if a.element == "Zn" else None
    return [*out, *([other] if other else []), *_definitions(a)]


def _thermal(value: float, temperatures: Sequence[float]) -> str:
    low, high = (1e-3 * GAS_CONSTANT_J_MOL_K * (t + ZERO_CELSIUS_K) for t in (temperatures[0], temperatures[-1]))
    if abs(value) > 2 * high:
        return ""
    return (
        f" It is of the order of RT ({low:.1f} to {high:.1f} kJ/mol here): a growth that stops when the supply ends gives such "
        "a value as well as a low barrier does."
    )


def _against_literature(line: ArrheniusLine) -> Finding | None:
    low, high = line.interval_kj_mol(0.95)
    if not math.isfinite(low):
        return None
    film = next(e for e in LITERATURE if e.key == "zn_cigs_film")
    bulk = next(e for e in LITERATURE if e.key == "zn_cuinse2_bulk")
    told = [
        f"{e.activation_energy_kj_mol:.1f} kJ/mol in {e.host}"
        for e in (film, bulk)
        if not low <= e.activation_energy_kj_mol <= high
    ]
    if not told:
        return None
    side = "below" if high < bulk.activation_energy_kj_mol else "apart from"
    text = (
        f"The 95 % interval lies {side} what the literature gives for Zn: {_join(told)}. Those are other hosts, longer ways "
        "and other temperatures."
    )
    return Finding(
        text=text, grade="weak", numbers={"low95": low, "high95": high}, improve="see the doubts beside each value"
    )


def _definitions(a: ArrheniusResult) -> list[Finding]:
    lines = [(about, l) for about, l in a.by_definition if math.isfinite(l.activation_energy_kj_mol)]
    if not lines:
        return []
    lines.sort(key=lambda pair: pair[1].activation_energy_kj_mol)
    (first, lo), (last, hi) = lines[0], lines[-1]
    text = (
        f"The answer depends on how a diffusivity is defined: {len(lines)} other definitions give from "
        f"{lo.activation_energy_kj_mol:.3g} ({first['name']}) to {hi.activation_energy_kj_mol:.3g} kJ/mol ({last['name']}) from the "
        "same profiles."
    )
    numbers = {str(about["name"]): l.activation_energy_kj_mol for about, l in lines}
    return [
        Finding(
            text=text, grade="moderate", numbers=numbers, improve="samples grown for different times at one temperature"
        )
    ]


def _rules(runs: Sequence[ComparedRun], scores: Sequence[Sequence[RuleScore]]) -> list[Finding]:
    said = []
    for rule, words in _RULES.items():
        verdicts = {r.label: s.verdict for r, mine in zip(runs, scores, strict=True) for s in mine if s.rule == rule}
        if len(verdicts) > 3:
            counts = [(v, list(verdicts.values()).count(v)) for v in ("met", "not met", "not determined")]
            said.append(f"{words}: {', '.join(f'{v} in {n}' for v, n in counts if n)} of {len(verdicts)} samples")
        elif verdicts:
            said.append(f"{words}: {', '.join(f'{v} in {label}' for label, v in verdicts.items())}")
    if not said:
        return []
    text = f"Design rules: {'; '.join(said)}. {CAVEAT}"
    return [Finding(text=text, grade="weak", numbers={}, improve="more samples with measured quantum yields")]


def _missing(runs: Sequence[ComparedRun]) -> list[Finding]:
    parts = [f"{r.label} has no {_join(r.missing, 'or')}" for r in runs if r.missing]
    if not parts:
        return []
    text = f"Missing: {'; '.join(parts)}. It is left out, not guessed."
    return [
        Finding(
            text=text, grade="not determined", numbers={}, improve="run the project again with what these parts need"
        )
    ]


def number(n: Number, unit: str = "") -> str:
    """``0.965 ± 0.024``, ``(1.57 ± 0.10) × 10⁻¹⁷ cm²/s``: two digits of sigma."""
    tail = f" {unit}" if unit else ""
    power = 0 if n.value == 0 or 1e-3 <= abs(n.value) < 1e5 else math.floor(math.log10(abs(n.value)))
    value, sigma = n.value / 10.0**power, n.sigma / 10.0**power
    ten = f" × 10{str(power).translate(_SUPERSCRIPT)}" if power else ""
    if not (math.isfinite(sigma) and sigma > 0):
        return f"{value:.3g}{ten}{tail}".replace("-", "−")
    digits = max(0, 1 - math.floor(math.log10(sigma)))
    text = f"{value:.{digits}f} ± {sigma:.{digits}f}"
    return (f"({text}){ten}" if power else text).replace("-", "−") + tail


def _bare(value: float, unit: str) -> str:
    return f"{value:.2g}{' ' + unit if unit else ''}"


def _range(low: float, high: float, sigma: float) -> str:
    digits = max(0, 1 - math.floor(math.log10(sigma))) if sigma > 0 else 2
    return f"{low:.{digits}f} to {high:.{digits}f}".replace("-", "−")


def _p(p: float) -> str:
    return "p < 1e-15" if p < 1e-15 else f"p = {p:.2g}"


def _capital(text: str) -> str:
    return text if text.startswith("x ") else text[0].upper() + text[1:]


def _join(words: Sequence[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
