"""Section on the resonant element's own scattering, separated without a model of the particle."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nanostrata.interfaces.formatting import as_float, format_number, format_quantity
from nanostrata.interfaces.report_html import figure_html, numbers_html
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["separation_html"]


def separation_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Words and figure, or the reason why there is none; empty when nothing was tried."""
    found = run.get("separation")
    if not isinstance(found, Mapping):
        return ""
    what = (
        "<p>Three terms make up the scattering at every q: that of all electrons, that of the resonant element's atoms alone, and "
        "their product. With enough energies they can be separated point by point, without any model of the particle (Stuhrmann).</p>"
    )
    if found.get("verdict") == "refused":
        return what + f"<p><strong>Here they cannot.</strong> {escape(str(found.get('reason', '')))}.</p>"
    element = escape(str(found.get("element", "")))
    words = (
        f"<p>The curve of the {element} atoms alone {escape(str(found.get('verdict')))} "
        f"{'with ' if found.get('verdict') == 'agrees' else ''}the fitted profile: "
        f"χ² {format_number(as_float(found.get('agreement_chi2')), digits=3)}, p = {format_number(as_float(found.get('agreement_p')), digits=2)}. "
    )
    rg = found.get("rg_nm")
    if isinstance(rg, Mapping):
        words += f"Their radius of gyration is {format_quantity(rg)} nm. "
    broken = [p for p in found.get("positivity", []) if isinstance(p, Mapping) and p.get("beyond_two_sigma", 0)]
    for p in broken:
        words += f"{escape(str(p['condition']))} is broken beyond two sigma at {p['beyond_two_sigma']} of {p['points']} points. "
    caption = (
        f"Left: the three terms with one standard deviation, and what the fitted profile says (dark lines). Right: distances between "
        f"pairs of {element} atoms with 68 % band."
    )
    return (
        what
        + words
        + "</p>"
        + figure_html(run, figures, "separation", caption)
        + numbers_html(run, ("separated_terms", "resonant_pair_distances"))
    )
