"""Section of the report: which kind of profile, and how many shells, the data ask for."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.figures_families import FAMILY_WORDS
from nanostrata.interfaces.formatting import as_float, format_number, format_quantity
from nanostrata.interfaces.report_html import figure_html, html_table
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["families_html"]

_PARAMETERS = {
    "x": "x",
    "x_in": "x inside",
    "x_out": "x outside",
    "s0": "place (r/R)",
    "w": "width σ (r/R)",
    "decay": "decay length (r/R)",
}
_OFTEN = 0.5


def families_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Words, figure and one row per model; empty when nothing was weighed."""
    kinds, numbers = run.get("profile.families"), run.get("profile.shell_numbers")
    if not isinstance(kinds, list) and not isinstance(numbers, list):
        return ""
    words = (
        "<p>Every kind of profile was given the same probability beforehand; what the data make of it is its evidence: the "
        "probability of the measured curves with all its parameters, the sizes, densities and scales integrated out. A kind with "
        "more parameters does not win by bending further.</p>"
    )
    caption = (
        "Left: probability of each kind of profile and of each number of equispaced shells. Right: mean profile and 68 % band of "
        "every kind that is not ruled out; a thicker line is more probable."
    )
    parts = [words, figure_html(run, figures, "families", caption)]
    for title, rows in (("Kinds of profile", kinds), ("Number of shells", numbers)):
        if isinstance(rows, list):
            parts.append(_table(title, [r for r in rows if isinstance(r, Mapping)]))
    rough = [
        r for kind in (kinds, numbers) if isinstance(kind, list) for r in kind if as_float(r.get("ln_z_sigma")) > _OFTEN
    ]
    if any(as_float(r.get("ln_z_below_best")) < 10 for r in rough):
        parts.append(
            '<p class="note">An evidence above is known to no better than half a unit of ln Z: its odds are rough.</p>'
        )
    return "".join(parts)


def _table(title: str, rows: list[Mapping[str, Any]]) -> str:
    body = []
    for r in rows:
        count = r.get("shells")
        name = f"{count} shell{'s' if count != 1 else ''}" if count else FAMILY_WORDS.get(str(r.get("family")), "")
        p, below = as_float(r.get("probability")), as_float(r.get("ln_z_below_best"))
        found = r.get("parameters")
        said = ""
        if not count and isinstance(found, Mapping):
            said = ", ".join(
                f"{_PARAMETERS.get(str(n), escape(str(n)))} {format_quantity(q)}"
                for n, q in found.items()
                if n in _PARAMETERS
            )
        body.append(
            [
                escape(name),
                f"{100 * p:.1f} %" if p > 0.0005 else "&lt; 0.05 %",
                "best" if below == 0 else f"−{format_number(below, digits=3)} ± {as_float(r.get('ln_z_sigma')):.2f}",
                format_number(as_float(r.get("chi2")), digits=4),
                said or "–",
            ]
        )
    headers = ["model", "probability", "ln evidence against the best", "χ² of its best fit", "parameters"]
    if not any(row[-1] != "–" for row in body):
        headers, body = headers[:-1], [row[:-1] for row in body]
    return html_table(headers, body, caption=title, numeric=(1, 2, 3))
