"""Section of the report: whether the curves of all energies belong together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.formatting import as_float, format_interval, format_number, interval_of, join_words
from nanostrata.interfaces.report_html import figure_html, html_table, number_or_dash, numbers_html
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["energies_html"]

Figures = Mapping[str, str]
_DOUBTFUL_Z, _DOUBTFUL_P = 3.0, 0.01


def energies_html(run: RunFolder, figures: Figures) -> str:
    """Figure, one row per energy, and in words: scales, exchanged files, energy calibration."""
    found = run.get("asaxs.consistency")
    rows = found.get("per_energy") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(rows, list) or len(rows) < 2:
        return ""
    caption = (
        "Left: the first minimum of I q⁴, read off the data without a model, beside that of the fit and those of particles of the "
        "same size made of one material; it moves with the energy when the composition changes with the radius. Right: each curve "
        "over what the <em>other</em> energies predict for it, up to its scale and constant."
    )
    tables = ("energy_consistency", "left_out_curves", "energy_exchanges", "energy_shift")
    return (
        figure_html(run, figures, "energies", caption)
        + _table([r for r in rows if isinstance(r, Mapping)])
        + _exchanges(found)
        + _scale(found.get("scale"))
        + _shift(found.get("energy_shift_ev"))
        + numbers_html(run, tables)
    )


def _table(rows: list[Mapping[str, Any]]) -> str:
    body = []
    for r in rows:
        z, p = as_float(r.get("scale_z")), as_float(r.get("p"))
        minimum = r.get("first_minimum_inv_nm")
        minimum = minimum if isinstance(minimum, Mapping) else {}
        body.append(
            [
                escape(f"{as_float(r.get('energy_kev')):g} keV"),
                escape(str(r.get("file") or r.get("label") or "")),
                _percent(as_float(r.get("scale")), as_float(r.get("scale_sigma"))),
                f"<b>{number_or_dash(z, 1)}</b>" if abs(z) > _DOUBTFUL_Z else number_or_dash(z, 1),
                _percent(as_float(r.get("constant_share")), math.nan),
                number_or_dash(as_float(r.get("left_out_chi2_reduced")), 2),
                f"<b>{format_number(p, digits=2)}</b>" if p < _DOUBTFUL_P else number_or_dash(p, 2),
                _plus_minus(as_float(minimum.get("measured")), as_float(minimum.get("measured_sigma"))),
                number_or_dash(as_float(minimum.get("predicted")), 3),
            ]
        )
    headers = [
        "energy", "file", "scale beyond the common one (%)", "z", "constant, % of the end of the curve", "left out: χ² / d.o.f.",
        "p", "first minimum (1/nm)", "model",
    ]  # fmt: skip
    caption = (
        "Scale: what this curve alone asks for, the others at their stated uncertainty; z counts both errors. Left out: the "
        "curve against the prediction from all others"
    )
    return html_table(headers, body, caption=caption, numeric=range(2, len(headers)))


def _percent(value: float, sigma: float) -> str:
    if math.isnan(value):
        return "–"
    return format_number(100 * value, 1) + ("" if math.isnan(sigma) else f" ± {format_number(100 * sigma, 1)}")


def _plus_minus(value: float, sigma: float) -> str:
    if math.isnan(value):
        return "–"
    return format_number(value, 3) + ("" if math.isnan(sigma) else f" ± {format_number(sigma, 3)}")


def _exchanges(found: Mapping[str, Any]) -> str:
    pairs = [e for e in found.get("exchanges") or [] if isinstance(e, Mapping)]
    if not pairs:
        return ""
    margin = format_number(as_float(found.get("margin")), 1)
    kinds: dict[str, list[str]] = {"exchanged": [], "suspected": [], "as labelled": [], "cannot be told": []}
    needed = [e.get("energies_kev") for e in found.get("exchanged") or [] if isinstance(e, Mapping)]
    for e in pairs:
        keV = [f"{as_float(v):g}" for v in e.get("energies_kev") or []]
        text = f"{' and '.join(keV)} keV (χ² {_signed(as_float(e.get('gain')))})"
        kind = str(e.get("verdict"))
        kind = "suspected" if kind == "exchanged" and e.get("energies_kev") not in needed else kind
        kinds.setdefault(kind, []).append(escape(text))
    said = []
    if kinds["exchanged"]:
        said.append(f"<b>These look exchanged: {join_words(kinds['exchanged'])}.</b>")
    if kinds["suspected"]:
        said.append(f"These gain too, but no longer once the others are put right: {join_words(kinds['suspected'])}.")
    if kinds["as labelled"]:
        said.append(f"Right as labelled, by more than that: {join_words(kinds['as labelled'])}.")
    if kinds["cannot be told"]:
        said.append(f"<b>Could not be seen either way: {join_words(kinds['cannot be told'])}.</b>")
    best, rows = found.get("best_kev") or [], found.get("per_energy") or []
    if len(best) == len(rows) and kinds["exchanged"]:
        order = [
            f"{escape(str(r.get('file') or r.get('label')))} as {as_float(e):g} keV"
            for r, e in zip(rows, best, strict=True)
            if abs(as_float(r.get("energy_kev")) - as_float(e)) > 1e-9
        ]
        said.append(f"The fit is best with {join_words(order)}.")
    others = [o for o in found.get("other_labels") or [] if isinstance(o, Mapping) and not kinds["exchanged"]]
    said += [
        f"<b>{escape(str(o.get('file') or o.get('label')))} fits better as {as_float(o.get('energy_kev')):.5g} keV, by χ² "
        f"{format_number(as_float(o.get('gain')), 0)}.</b>"
        for o in others
    ]
    return (
        "<h3>Files exchanged?</h3><p>Every pair of energies was exchanged and everything fitted again. In brackets, by how much "
        f"the exchange lowers χ²; a verdict in either direction needs {margin}, so that a sound set is called exchanged at most "
        f"once in a thousand. {' '.join(said)}</p>"
    )


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + format_number(value, 0)


def _scale(scale: Any) -> str:
    if not isinstance(scale, Mapping):
        return ""
    stated, p = as_float(scale.get("stated")), as_float(scale.get("p"))
    dof = as_float(scale.get("degrees_of_freedom"))
    if not dof > 0:
        return "<h3>Relative scales</h3><p>The data do not know the relative scales better than 30 %.</p>"
    low, high = as_float(scale.get("consistent_from")), as_float(scale.get("consistent_to"))
    top = f" to {format_number(100 * high, 1)}" if high > 0 else " or more"
    verdict = "agree with" if scale.get("verdict") == "consistent" else "<b>contradict</b>"
    return (
        f"<h3>Relative scales</h3><p>The scales that the curves ask for {verdict} the stated uncertainty of {format_number(100 * stated, 1)} %: "
        f"χ² {format_number(as_float(scale.get('chi2')), 1)} for {dof:.0f} combinations, p = {format_number(p, digits=2)}. "
        f"Uncertainties of {format_number(100 * low, 1)}{top} % would be consistent (90 %).</p>"
    )


def _shift(shift: Any) -> str:
    if not isinstance(shift, Mapping):
        return ""
    low, high = interval_of(shift)
    ends = [w for w, k in (("below", "open_low"), ("above", "open_high")) if shift.get(k)]
    more = f" The interval is open {' and '.join(ends)}: no larger shift was tried." if ends else ""
    return (
        "<h3>Energy calibration</h3><p>A common shift of all photon energies, everything else fitted again: "
        f"{format_number(as_float(shift.get('value')), 0)} eV fits best, {format_interval(low, high, 0)} eV would pass (95 %).{more}</p>"
    )
