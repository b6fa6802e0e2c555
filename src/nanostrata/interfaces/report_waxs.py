"""Section on the wide-angle pattern: lattice constants, peaks, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nanostrata.interfaces.formatting import as_float, format_number, format_quantity
from nanostrata.interfaces.report_html import badge, figure_html, html_table, numbers_html
from nanostrata.interfaces.report_waxs_whole import whole_html
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
        + _vegard(found)
        + _axis(found)
        + whole_html(run, figures)
        + numbers_html(
            run,
            (
                "waxs_peaks",
                "waxs_pattern",
                "waxs_long_axis",
                "waxs_predicted_sizes",
                "waxs_whole_pattern",
                "waxs_pair_distribution",
            ),
        )
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
                _short(p.get("q_inv_nm")),
                _short(p.get("fwhm_observed_inv_nm")) if own else "as its neighbour",
                _short(p.get("fwhm_inv_nm")) if own else "–",
                (_short(size) if isinstance(size, Mapping) else f"above {format_number(bound, 1)}") if own else "–",
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


def _short(quantity: object) -> str:
    """Value and standard deviation alone."""
    if not isinstance(quantity, Mapping):
        return "–"
    return format_quantity({"value": quantity.get("value"), "sigma": quantity.get("sigma")})


def _below(quantity: object, unit: str = "") -> str:
    """Quantity that cannot be negative: an upper bound where it is not two standard deviations above 0."""
    if not isinstance(quantity, Mapping):
        return "–"
    value, sigma = as_float(quantity.get("value")), as_float(quantity.get("sigma"))
    if value > 2.0 * sigma:
        return _short(quantity) + (f" {unit}" if unit else "")
    return f"below {format_number(value + 2.0 * sigma, digits=2)}{f' {unit}' if unit else ''}"


def _vegard(found: Mapping[str, object]) -> str:
    v = found.get("vegard")
    if not isinstance(v, Mapping):
        return ""
    rows = [
        [
            f"<i>{n}</i>", _short(v[f"shell_fraction_from_{n}"]),
            format_number(as_float(v.get(f"predicted_from_{n}")), 2) if f"predicted_from_{n}" in v else "–",
            f"{format_number(as_float(v.get(f'{n}_excess_percent')), 2)} %" if f"{n}_excess_percent" in v else "–",
        ]
        for n in "abc"
        if f"shell_fraction_from_{n}" in v
    ]  # fmt: skip
    mean = as_float(v.get("mean_shell_fraction"))
    text = (
        "<h3>Composition from the lattice constants</h3><p>By Vegard's rule a lattice constant is a composition. In a graded particle "
        "the lattice constant of a peak is not that of the mean composition, so the peaks of the fitted profile's own particle were "
        "computed atom by atom and read in the same way."
    )
    text += f" Mean x of the profile: {format_number(mean, 3)}.</p>" if mean == mean else "</p>"
    headers = [
        "constant",
        "x read from the peaks",
        "x read from the profile's particle",
        "its constant over that of the mean x",
    ]
    return text + html_table(headers, rows, numeric=(1, 2, 3))


def _axis(found: Mapping[str, object]) -> str:
    axis = found.get("long_axis")
    if not isinstance(axis, Mapping):
        return ""
    title = "<h3>Are the particles long in one direction?</h3>"
    reasons = axis.get("reasons")
    why = (
        "".join(f"<p>{escape(str(r)[:1].upper() + str(r)[1:])}.</p>" for r in reasons)
        if isinstance(reasons, list)
        else ""
    )
    probability = axis.get("probability")
    if not isinstance(probability, Mapping):
        return f"{title}<p>Not determined.</p>{why}"
    lead = (
        f"<p>{badge(str(axis.get('verdict')))} Whole patterns of round, long and flat particles, each with stacking faults and a spread "
        f"of the lattice constant, were held against the data. Those that explain it best: mean diameter "
        f"{format_quantity(axis.get('diameter_nm'), 'nm')}, which is the true one of the sphere of the same volume, not a Scherrer size; "
        f"{_aspect(axis.get('aspect_ratio'))}; spread of the lattice constant {_below(axis.get('strain_percent'), '%')}"
    )
    if isinstance(axis.get("fault_probability"), Mapping):
        lead += f"; {escape(str(axis.get('fault_kind')))} faults per layer {_below(axis['fault_probability'])}"
    shown = [(str(k), as_float(v)) for k, v in probability.items() if as_float(v) > 5e-4][:7]
    rows = [
        [escape("round" if k == "none" else k if k.startswith("flat") else f"long along {k}"), f"{100 * v:.1f} %"]
        for k, v in shown
    ]
    table = html_table(["particles", "probability"], rows, caption="Which shape the peaks ask for", numeric=(1,))
    return f"{title}{lead}.</p>{table}{why}{_predicted(found, axis)}"


def _aspect(ratio: object) -> str:
    """Aspect ratio of the best particles; round ones have none, and no interval."""
    spread = isinstance(ratio, Mapping) and as_float(ratio.get("sigma")) > 0.0
    return f"aspect ratio {format_quantity(ratio)}" if spread else "round"


def _predicted(found: Mapping[str, object], axis: Mapping[str, object]) -> str:
    """Sizes of each reflection that long particles would show, beside those found."""
    predicted = axis.get("predicted_sizes")
    if not isinstance(predicted, Mapping) or not isinstance(predicted.get("over_minor_diameter"), Mapping):
        return ""
    by_axis: Mapping[str, Mapping[str, float]] = predicted["over_minor_diameter"]
    peaks = found.get("peaks")
    sizes = {
        str(p.get("hkl")): as_float(p["scherrer_nm"].get("value"))
        for p in (peaks if isinstance(peaks, list) else [])
        if isinstance(p, Mapping) and isinstance(p.get("scherrer_nm"), Mapping) and p.get("own_width")
    }
    rows = [
        [escape(h), format_number(size, 2), *(format_number(as_float(ratio.get(h)), 2) for ratio in by_axis.values())]
        for h, size in sizes.items()
        if all(h in ratio for ratio in by_axis.values())
    ]
    if not rows:
        return ""
    headers = ["reflection", "found (nm)", *(f"long along [{escape(a)}]" for a in by_axis)]
    caption = (
        f"Sizes that a particle of aspect ratio {as_float(predicted.get('aspect_ratio')):.2f} would show, over its minor diameter, "
        "averaged over equivalent planes"
    )
    return html_table(headers, rows, caption=caption, numeric=range(1, len(headers)))
