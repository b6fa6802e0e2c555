"""What follows from the profile: depth profile and diffusivity by every definition, and the steps of the lattice."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.figures_diffusion import interface_depths, mismatch_entries
from nanostrata.interfaces.formatting import (
    SUPERSCRIPT,
    as_float,
    format_quantity,
    interval_of,
    shell_quantities,
)
from nanostrata.interfaces.report_findings import truth_note
from nanostrata.interfaces.report_html import figure_html, html_table, number_or_dash, numbers_html
from nanostrata.interfaces.report_verification import sentences_of
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["diffusion_html", "mismatch_html"]

_PRETTY = (
    ("^2", "²"),
    ("C1", "C₁"),
    ("C2", "C₂"),
    ("_n", "ₙ"),
    ("_1", "₁"),
    ("chi2", "χ²"),
    (" - ", " − "),
    ("sqrt", "√"),
)

Figures = Mapping[str, str]
_D_UNIT = "cm²/s"


def diffusion_html(run: RunFolder, figures: Figures) -> str:
    """Verdict in words, depth profile with its fits, every definition of D."""
    if not isinstance(run.get("diffusion"), Mapping):
        return ""
    element = str(run.get("diffusion.element") or "the exchanged element")
    caption = (
        f"{escape(element)} atoms per nm³ against the depth below the surface of the mean particle, with what fits it. "
        "The exponential is the form that the method was published with; Fick's second law in a sphere is the physics "
        "of diffusion from a surface held at a fixed value."
    )
    if "prior" in (run.get("profile.informed_by") or []):
        caption += " On grey ground the profile rests on the prior, not on the data."
    parts = [
        _verdict(run, element),
        figure_html(run, figures, "depth_profile", caption),
        _fit_table(run),
        _definitions(run),
        _notes(run.get("diffusion.notes")),
    ]
    return "".join(parts)


def _pretty(text: str) -> str:
    """Formula or sentence with its powers and indices set as such."""
    for plain, set_well in _PRETTY:
        text = text.replace(plain, set_well)
    return re.sub(r"(\d)e([+-]?\d+)", lambda m: f"{m[1]} × 10{str(int(m[2])).translate(SUPERSCRIPT)}", text)


def _verdict(run: RunFolder, element: str) -> str:
    verdict = _pretty(str(run.get("diffusion.verdict") or ""))
    grown = [
        f"{value:g} {unit}"
        for value, unit in (
            (as_float(run.get("diffusion.time_s")), "s"),
            (as_float(run.get("diffusion.temperature_c")), "°C"),
        )
        if not math.isnan(value)
    ]
    after = f" after {' at '.join(grown)}" if grown else ""
    determined = verdict == "determined"
    number = run.get("diffusion.diffusivity_cm2_s")
    said = f"<b>Diffusivity of {escape(element + after)}:</b> {escape(verdict)}" if verdict else ""
    if determined:
        said += f", D = {escape(format_quantity(number, _D_UNIT))}"
    reasons = sentences_of(run.get("diffusion.fick.sentence"))
    why = "".join(f"<p>{escape(_pretty(s))}</p>" for s in reasons)
    kind = "pass" if determined else "open"
    sign = "✓" if determined else "○"
    line = (
        f'<p class="verdict {kind}"><span class="sign" aria-hidden="true">{sign}</span><span>{said}.</span></p>'
        if said
        else ""
    )
    truth = truth_note(number, run.truth("diffusivity_cm2_s"))
    return line + (f"<p>Of the simulation: {escape(truth)}.</p>" if truth else "") + why


def _fit_table(run: RunFolder) -> str:
    rows = [
        [name, escape(format_quantity(quantity, unit))]
        for name, key, unit in (
            ("exponential, C₁", "diffusion.depth_fit.c1", ""),
            ("exponential, C₂", "diffusion.depth_fit.c2_inv_nm", "1/nm"),
            ("Fick-2, share of shell material at the surface", "diffusion.fick.x_surface", ""),
            ("Fick-2, log₁₀ of D t / R²", "diffusion.fick.log10_tau", ""),
        )
        if (quantity := run.get(key)) is not None
    ]
    return html_table(["parameter of the fits", "value ± σ (95 %)"], rows) if rows else ""


def _definitions(run: RunFolder) -> str:
    first = run.get("diffusion.diffusivity_cm2_s")
    rows = []
    if first is not None:
        name = str(run.get("diffusion.definition") or "")
        short, _, rest = name.partition(":")
        rows.append(
            [f"<b>★ {escape(short)}</b>", "–", escape(_pretty(rest.strip())), _first(run, first)],
        )
    for entry in run.get("diffusion.alternatives") or []:
        if isinstance(entry, Mapping):
            formula = str(entry.get("formula") or "")
            rows.append(
                [
                    escape(str(entry.get("name", ""))),
                    f'<span class="formula">{escape(_pretty(formula))}</span>' if formula else "–",
                    escape(_pretty(str(entry.get("label") or ""))),
                    _value(entry.get("diffusivity_cm2_s"), entry),
                ]
            )
    if not rows:
        return ""
    text = (
        "<p>One profile gives different diffusivities by different definitions, so a number is compared only with one "
        "of the same definition. ★ marks the number of the first page. In the formulas J is the mean flux through the "
        "surface, F(d) = exp(C₁ + C₂ d) the exponential fit against the depth d, Fₙ the density of the outermost of n "
        "shells, R the radius and t the time.</p>"
    )
    headers = ["name", "formula", "what it is", "D, cm²/s (95 %)"]
    marked = [0] if first is not None else []
    table = html_table(headers, rows, marked=marked, classes={3: "nw"}, caption="Every definition of the diffusivity")
    return f"<h3>By definition</h3>{text}{table}"


def _first(run: RunFolder, quantity: Any) -> str:
    """Value of the first page; said to be no result where it is not determined."""
    if str(run.get("diffusion.verdict") or "").startswith("not determined"):
        return f'<span class="wrap"><b>not determined</b>; the fit gives {escape(format_quantity(quantity))}</span>'
    return f"<b>{_value(quantity, {})}</b>"


def _value(quantity: Any, entry: Mapping[str, Any]) -> str:
    if quantity is None:
        reason = escape("; ".join(["not determined", *sentences_of(entry.get("reason"))]))
        return f'<span class="wrap">{reason}</span>'
    return escape(format_quantity(quantity))


def _notes(notes: Any) -> str:
    items = "".join(f"<li>{escape(_pretty(n))}</li>" for n in sentences_of(notes))
    return f"<ul>{items}</ul>" if items else ""


def mismatch_html(run: RunFolder, figures: Figures) -> str:
    """Steps of the lattice against depth, largest step of each direction, the abrupt interface beside them."""
    entries = mismatch_entries(run)
    if not entries:
        return ""
    caption = (
        "Step of the lattice constant, (inner − outer) / inner, at its depth below the surface; positive where the outer "
        "lattice is the smaller one. From shell to shell the step depends on how many shells there are, from one crystal "
        "layer to the next it does not. The dashed line is the whole step of an abrupt interface."
    )
    if "prior" in (run.get("profile.informed_by") or []):
        caption += " On grey ground the profile rests on the prior, not on the data."
    parts = [
        figure_html(run, figures, "mismatch", caption),
        _largest(entries),
        _steps(run, entries),
        numbers_html(run, ("mismatch",)) if "mismatch" not in figures else "",
        _notes(list(dict.fromkeys(n for e in entries for n in sentences_of(e.get("notes"))))),
    ]
    return "".join(parts)


def _direction(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("direction", ""))
    return name if name == "cubic" else f"along {name}"


def _largest(entries: list[Mapping[str, Any]]) -> str:
    rows = []
    for entry in entries:
        where = escape(_direction(entry))
        abrupt = entry.get("abrupt_percent")
        abrupt = abrupt.get("value") if isinstance(abrupt, Mapping) else abrupt
        beside = number_or_dash(as_float(abrupt), 2)
        kinds = [("between neighbouring shells", entry.get("maximum_percent"))]
        kinds += [("the same, where the data inform both shells", entry.get("maximum_supported_percent"))]
        kinds += [
            (f"from layer to layer ({layer.get('planes')}), {layer.get('source')}", layer.get("maximum_percent"))
            for layer in entry.get("layers") or []
            if isinstance(layer, Mapping)
        ]
        for words, quantity in kinds:
            if quantity is not None:
                rows.append([where, escape(words), escape(format_quantity(quantity)), beside])
    headers = ["direction", "largest step", "% (95 %)", "abrupt interface (%)"]
    return html_table(headers, rows, numeric=(3,)) if rows else ""


def _steps(run: RunFolder, entries: list[Mapping[str, Any]]) -> str:
    steps = [shell_quantities(e.get("percent")) for e in entries]
    count = len(steps[0])
    if any(len(s) != count for s in steps):
        return ""
    depths = interface_depths(run, count)
    rows = []
    for k in reversed(range(count)):
        cells = [f"{k + 1} to {k + 2}", number_or_dash(depths[k], 2)]
        for each in steps:
            low, high = interval_of(each[k], 95)
            known = not math.isnan(low) and not math.isnan(high)
            cells.append(
                escape(format_quantity(each[k])) if known else number_or_dash(as_float(each[k].get("value")), 2)
            )
        rows.append(cells)
    headers = ["shells", "depth (nm)", *(f"{escape(_direction(e))}, % (95 %)" for e in entries)]
    caption = "Steps between neighbouring shells, from the surface inwards"
    return html_table(headers, rows, numeric=range(1, len(headers)), caption=caption)
