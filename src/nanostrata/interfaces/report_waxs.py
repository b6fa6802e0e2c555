"""Section on the wide-angle pattern: lattice constants, peaks, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nanostrata.interfaces.formatting import as_float, format_number, format_quantity
from nanostrata.interfaces.report_html import figure_html, html_table, numbers_html
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["waxs_html"]


def waxs_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Words, figure and table; empty when the stage did not run."""
    found = run.get("waxs")
    if not isinstance(found, Mapping):
        return ""
    constants = ", ".join(
        f"<i>{n}</i> = {format_quantity(found[f'{n}_nm'], 'nm')}"
        for n in "abc"
        if isinstance(found.get(f"{n}_nm"), Mapping)
    )
    factor = as_float(found.get("sigma_factor"))
    words = (
        f"<p>Reflections of {escape(str(found.get('structure')))}: {constants}. Reduced χ² "
        f"{format_number(as_float(found.get('chi2_reduced')))}"
        + (f"; all errors of this section are enlarged by {format_number(factor, 1)}, because the pattern scatters or bends "
           "more than its stated errors" if factor > 1.05 else "")
        + ". An error of the wavelength or of the angle's zero is not in these numbers.</p>"
    )  # fmt: skip
    caption = (
        "Measured pattern, fit, and background; shaded: every peak alone. Names in grey: peaks too faint for a width of their own. "
        "Below: residuals in units of the stated σ."
    )
    return (
        words
        + figure_html(run, figures, "waxs", caption)
        + _peaks(found)
        + numbers_html(run, ("waxs_peaks", "waxs_pattern"))
    )


def _peaks(found: Mapping[str, object]) -> str:
    rows = []
    peaks = found.get("peaks")
    listed = [p for p in peaks if isinstance(p, Mapping)] if isinstance(peaks, list) else []
    for p in listed:
        size = p.get("scherrer_nm")
        bound = as_float(p.get("scherrer_lower_bound95_nm"))
        own = bool(p.get("own_width"))
        together = p.get("together_with")
        name = escape(str(p.get("hkl"))) + (
            f" (with {escape(', '.join(map(str, together)))})" if isinstance(together, list) else ""
        )
        rows.append(
            [
                name,
                format_quantity(p.get("q_inv_nm")),
                format_quantity(p.get("fwhm_observed_inv_nm")) if own else "as its neighbour",
                format_quantity(p.get("fwhm_inv_nm")) if own else "–",
                (format_quantity(size) if isinstance(size, Mapping) else f"above {format_number(bound, 1)}")
                if own
                else "–",
                format_number(as_float(p.get("height_over_calculated")), 2),
            ]
        )
    k = as_float(listed[0].get("scherrer_k")) if listed else 0.9
    headers = ["reflection", "q (1/nm)", "full width (1/nm)", "without instrument", f"Scherrer size, K = {k:g} (nm)",
               "height over calculated"]  # fmt: skip
    pairs = found.get("overlaps")
    text = ""
    if isinstance(pairs, list) and pairs:
        said = "; ".join(
            f"{escape(' and '.join(map(str, p['peaks'])))} ({format_number(as_float(p['correlation_of_widths']), 2)})"
            for p in pairs
            if isinstance(p, Mapping)
        )
        text = f"<p>Overlapping peaks share their widths' errors; correlations: {said}.</p>"
    return html_table(headers, rows, caption="Peaks", numeric=(1, 2, 3, 4, 5)) + text
