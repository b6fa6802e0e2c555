"""Part of the section on wide angles: the whole pattern from particles of atoms."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nanostrata.interfaces.formatting import as_float, format_number, format_quantity
from nanostrata.interfaces.report_html import figure_html, html_table
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["whole_html"]

_TITLE = "<h3>The whole pattern from particles of atoms</h3>"


def whole_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Words, table and figures; one sentence when the whole pattern was not fitted, nothing without wide angles."""
    waxs = run.get("waxs")
    found = waxs.get("whole_pattern") if isinstance(waxs, Mapping) else None
    if not isinstance(waxs, Mapping):
        return ""
    if not isinstance(found, Mapping):
        return (
            "<p>Left out here: the whole pattern from particles of atoms, which have the gradient in them (preset full, or "
            "<code>waxs.whole_pattern = true</code>).</p>"
        )
    if "not_computed" in found:
        return f"{_TITLE}<p>Not computed: {escape(str(found['not_computed']))}.</p>"
    chi2 = as_float(found.get("chi2_reduced"))
    words = (
        f"<p>Particles of {escape(str(found.get('structure')))} were built of atoms"
        + (" with profiles drawn from the posterior" if found.get("profile_draws") else ", homogeneous,")
        + f" (aspect ratio {as_float(found.get('aspect_ratio')):.2f}, {found.get('particles_per_size')} for each size and number of faults), "
        "their pairs summed exactly, and size distribution, lattice, displacement and faults fitted to all points at once. Reduced χ² "
        f"{format_number(chi2)}. Here a width is no Scherrer size: gradient, faults, sizes and instrument are all in the sum.</p>"
    )
    rows = [
        [f"<i>{n}</i> of the mean composition", format_quantity(found[f"{n}_nm"], "nm")]
        for n in "abc"
        if f"{n}_nm" in found
    ]
    rows += [
        [label, format_quantity(found[key], unit)]
        for label, key, unit in (
            ("lattice over Vegard's rule, less 1", "vegard_misfit_percent", "%"),
            ("mean diameter", "diameter_mean_nm", "nm"),
            ("spread of the diameter", "diameter_std_nm", "nm"),
            ("displacement <i>B</i>", "b_factor_nm2", "nm²"),
        )
        if isinstance(found.get(key), Mapping)
    ]
    share = found.get("cubic_layers")
    if isinstance(share, Mapping):
        rows.append(["share of cubic layers", _share(share)])
    table = html_table(["quantity", "value"], rows, caption="What the whole pattern says", numeric=(1,))
    stacking = found.get("stacking")
    said = str(stacking.get("sentence")) if isinstance(stacking, Mapping) else ""
    text = f"<p>Stacking: {escape(said)}.</p>" if said else ""
    limits = found.get("at_limit")
    if isinstance(limits, list) and limits:
        text += (
            f"<p>At the end of their range: {escape(', '.join(map(str, limits)))}; their intervals are one-sided.</p>"
        )
    notes = found.get("notes")
    text += (
        "".join(f"<p>{escape(str(n)[:1].upper() + str(n)[1:])}.</p>" for n in notes) if isinstance(notes, list) else ""
    )
    pattern = (
        "Measured pattern and that of the particles; dashed: background (with what the medium and independent vibrations add). Below: "
        "residuals in units of the stated σ."
    )
    pairs = (
        "Pair distribution function of the measured pattern without its background, and of the particles cut off at the same q. Each "
        "maximum is a distance that many pairs of atoms have; G(r) dies out where the particles end."
    )
    return (
        _TITLE
        + words
        + table
        + text
        + figure_html(run, figures, "waxs_whole_pattern", pattern)
        + figure_html(run, figures, "waxs_pair_distribution", pairs)
    )


def _share(share: Mapping[str, object]) -> str:
    """Share of layers in percent; a bound where an end of the interval lies at 0 or 1."""
    interval = share.get("interval95")
    low, high = (as_float(v) for v in interval) if isinstance(interval, list) else (float("nan"), float("nan"))
    if low <= 1e-3:
        return f"below {format_number(100 * high, 2)} %"
    if high >= 1.0 - 1e-3:
        return f"above {format_number(100 * low, 2)} %"
    return f"{format_number(100 * as_float(share.get('value')), 2)} % (95 %: {format_number(100 * low, 2)} to {format_number(100 * high, 2)})"
