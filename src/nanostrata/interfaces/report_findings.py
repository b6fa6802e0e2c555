"""First screen of the report: the key numbers and the findings as graded sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.cite import mismatch_stated
from nanostrata.interfaces.formatting import (
    as_float,
    decimals_for,
    format_interval,
    format_number,
    format_quantity,
    interval_of,
    shell_quantities,
)
from nanostrata.interfaces.report_html import badge, grade_class
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["findings_html", "key_numbers", "tiles_html", "truth_note"]


def truth_note(quantity: Any, truth: Any) -> str:
    """``truth 4.10, inside the 95 % interval``, or outside; "" without a truth."""
    value = as_float(truth)
    if math.isnan(value):
        return ""
    sigma = as_float(quantity.get("sigma")) if isinstance(quantity, Mapping) else math.nan
    text = f"truth {format_number(value, decimals_for(sigma) if sigma > 0 else None)}"
    low, high = interval_of(quantity, 95) if isinstance(quantity, Mapping) else (math.nan, math.nan)
    if math.isnan(low) or math.isnan(high):
        return text
    return text + (": ✓ inside 95\u00a0%" if low <= value <= high else ": ✗ outside 95\u00a0%")


def key_numbers(run: RunFolder) -> list[tuple[str, str, list[str]]]:
    """Name, value and small print of the numbers that a reader looks for first."""
    tiles = []
    for name, key, unit, truth in (
        ("mean diameter", "particle.diameter_mean_nm", "nm", "diameter_mean_nm"),
        ("spread of diameters (sd)", "particle.diameter_std_nm", "nm", "diameter_std_nm"),
        ("mean share of shell material, x", "profile.mean_shell_fraction", "", "mean_shell_fraction"),
    ):
        quantity = run.get(key)
        if quantity is not None:
            tiles.append((name, *_value_and_notes(quantity, unit, run.truth(truth))))
    shells = shell_quantities(run.get("profile.shell_fraction"))
    if shells:
        truths = run.truth("shell_fraction")
        tiles.append(
            (
                "x of the outermost shell",
                *_value_and_notes(shells[-1], "", truths[-1] if isinstance(truths, list) and truths else None),
            )
        )
        supported = run.get("profile.supported_shells")
        if supported is not None:
            tiles.append(
                (
                    "shells that the data support",
                    f"{supported} of {len(shells)}",
                    [f"gradient: {run.get('profile.gradient', 'undecided')}"],
                )
            )
    for key, name in (
        ("core_radius_nm", "core radius"),
        ("outer_radius_nm", "outer radius"),
        ("radius_median_nm", "median radius"),
        ("lognormal_width", "log-normal width"),
    ):
        quantity = run.get(f"contrasts.parameters.{key}")
        if quantity is not None:
            tiles.append((name, *_value_and_notes(quantity, "nm" if key.endswith("_nm") else "", None)))
    tiles += _derived_tiles(run)
    chi2 = as_float(run.first("asaxs.chi2_reduced", "contrasts.chi2_reduced"))
    if chi2 > 0:
        count = len(run.first("asaxs.per_energy", "contrasts.per_curve") or [])
        notes = [f"{count} curves jointly"] if count > 1 else []
        verdict = run.get("contrasts.verdict")
        tiles.append(("reduced χ² of the fit", format_number(chi2), notes + ([str(verdict)] if verdict else [])))
    return tiles


def _derived_tiles(run: RunFolder) -> list[tuple[str, str, list[str]]]:
    """Diffusivity and largest step of the lattice, where the run has them."""
    tiles: list[tuple[str, str, list[str]]] = []
    number, verdict = run.get("diffusion.diffusivity_cm2_s"), str(run.get("diffusion.verdict") or "")
    if isinstance(number, Mapping):
        element = str(run.get("diffusion.element") or "")
        definition = str(run.get("diffusion.definition") or "definition not stated").partition(":")[0]
        name = f"diffusivity{f' of {element}' if element else ''} ({definition})"
        tiles.append((name, *_diffusivity(number, verdict, run.truth("diffusivity_cm2_s"))))
    for entry in mismatch_stated(run.summary):
        along = str(entry.get("direction", ""))
        where = "" if along == "cubic" else f" along {along}"
        largest = entry.get("maximum_supported_percent", entry["maximum_percent"])
        if largest is None:
            value, notes = "not determined", ["the data inform no two neighbouring shells"]
        else:
            value, notes = _value_and_notes(largest, "%", None)
        abrupt = entry.get("abrupt_percent")
        whole = as_float(abrupt.get("value") if isinstance(abrupt, Mapping) else abrupt)
        beside = [] if math.isnan(whole) else [f"abrupt interface: {format_number(whole, 1)} %"]
        tiles.append((f"largest lattice step{where}", value, notes + beside))
    return tiles


def _diffusivity(number: Mapping[str, Any], verdict: str, truth: Any) -> tuple[str, list[str]]:
    """Value and small print; a diffusivity that is not determined gets no value."""
    if verdict.startswith("not determined"):
        why = verdict.partition(":")[2].strip().replace("cm^2/s", "cm²/s")
        return "not determined", [why] if why else []
    low, high = interval_of(number, 95)
    known = not math.isnan(low) and not math.isnan(high)
    notes = [f"95\u00a0%: {format_number(low, digits=2)} to {format_number(high, digits=2)}"] if known else []
    note = truth_note(number, truth)
    return format_number(as_float(number.get("value")), digits=2) + " cm²/s", notes + ([note] if note else [])


def _value_and_notes(quantity: Any, unit: str, truth: Any) -> tuple[str, list[str]]:
    if not isinstance(quantity, Mapping):
        return format_quantity(quantity, unit), [t for t in (truth_note(quantity, truth),) if t]
    bare = {k: quantity.get(k) for k in ("value", "sigma")}
    low, high = interval_of(quantity, 95)
    sigma = as_float(quantity.get("sigma"))
    notes = (
        []
        if math.isnan(low) or math.isnan(high)
        else [f"95\u00a0%: {format_interval(low, high, decimals_for(sigma) if sigma > 0 else None)}"]
    )
    note = truth_note(quantity, truth)
    return format_quantity(bare, unit), notes + ([note] if note else [])


def tiles_html(run: RunFolder) -> str:
    """The key numbers as tiles."""
    items = []
    for name, value, notes in key_numbers(run):
        small = "".join(f'<dd class="more">{escape(n)}</dd>' for n in notes)
        items.append(f'<div class="tile"><dt>{escape(name)}</dt><dd>{escape(value)}</dd>{small}</div>')
    return f'<dl class="tiles">{"".join(items)}</dl>' if items else ""


def findings_html(run: RunFolder) -> str:
    """Every finding: grade, sentence, what it rests on, what would improve it."""
    findings = [f for f in run.get("findings", []) or [] if isinstance(f, Mapping)]
    if not findings:
        return "<p>This run states no findings.</p>"
    return f'<ul class="findings">{"".join(_finding(f) for f in findings)}</ul>'


def _finding(finding: Mapping[str, Any]) -> str:
    grade = str(finding.get("grade", "not determined"))
    sentence = _first(finding, "text", "sentence")
    improve = _first(finding, "improve")
    numbers = _numbers(finding.get("numbers"))
    asides = [f"<span><b>Rests on:</b> {escape(numbers)}</span>"] if numbers else []
    asides += [f"<span><b>What would improve it:</b> {escape(improve)}</span>"] if improve else []
    small = f'<p class="aside">{" ".join(asides)}</p>' if asides else ""
    body = f'<div>{badge(grade)}</div><div><p class="sentence">{escape(sentence)}</p>{small}</div>'
    return f'<li class="finding {grade_class(grade)}">{body}</li>'


def _first(finding: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        value = finding.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list) and value:
            return " ".join(str(v) for v in value)
    return ""


def _numbers(value: Any) -> str:
    """Numbers of a finding as one line: text stays, quantities are formatted."""
    if isinstance(value, Mapping):
        if "value" in value:
            return format_quantity(value)
        return "; ".join(f"{_readable(str(k))} {_numbers(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ("; " if any(isinstance(v, (str, Mapping)) for v in value) else ", ").join(_numbers(v) for v in value)
    if isinstance(value, bool) or value is None:
        return "" if value is None else ("yes" if value else "no")
    if isinstance(value, str):
        return value
    number = as_float(value)
    return f"{number:.0f}" if number == round(number) and abs(number) < 1e6 else format_number(number)


def _readable(key: str) -> str:
    """Key of the summary as words: ``profile.shell_fraction[4]`` becomes ``x of shell 5 =``."""
    last = key.rsplit(".", 1)[-1]
    shell = re.fullmatch(r"shell_fraction\[(\d+)\]", last)
    if shell:
        return f"x of shell {int(shell[1]) + 1} ="
    step = re.fullmatch(r"mismatch\.(\w+)\.maximum(_supported)?_percent", key)
    if step:
        return f"largest step{'' if step[1] == 'cubic' else f' along {step[1]}'} (%) ="
    chance = re.fullmatch(r"verification\.(\w+)\.p", key)
    if chance:
        return f"p of {chance[1].upper()} ="
    words = _WORDS.get(key) or _WORDS.get(last)
    return f"{words or last.replace('_inv_nm', ' (1/nm)').replace('_nm', ' (nm)').replace('_', ' ')} ="


_WORDS = {
    "delta_chi2": "Δχ²",
    "diffusivity_cm2_s": "D (cm²/s)",
    "p": "p",
    "chi2_reduced": "reduced χ²",
    "edx.mean_shell_fraction": "mean x by EDX",
    "mean_shell_fraction": "mean x",
    "tem.mean_nm": "mean diameter by TEM (nm)",
    "diameter_mean_nm": "mean diameter (nm)",
}
