"""Sections on the data: curves and fit, factors, shapes, parameters of contrast fits, what was read from which file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import PurePath
from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import curve_styles
from nanostrata.interfaces.formatting import as_float, decimals_for, format_interval, format_number, format_quantity
from nanostrata.interfaces.report_html import cell, figure_html, html_table, number_or_dash, numbers_html
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["contrasts_html", "data_html", "factors_html", "inputs_html", "shape_html"]

Figures = Mapping[str, str]


def data_html(run: RunFolder, figures: Figures) -> str:
    """Curves, residuals, numbers per energy, I q^4, first minimum, contrast."""
    caption = (
        "Points with one standard deviation and the joint fit (dark line), shifted apart by the factors given. "
        "Below, the residuals of each curve in "
        "units of σ; the grey band is ± 1 σ, and a cross marks a point beyond the frame."
    )
    tall = figure_html(run, figures, "curves", caption)
    porod = figure_html(
        run,
        figures,
        "porod",
        "I q⁴, each curve divided by its largest value and stacked: the oscillation that carries the profile.",
    )
    minimum = figure_html(
        run,
        figures,
        "first_minimum",
        "Where the first minimum lies. It moves with the energy when the shell differs from the core in the "
        "resonant element.",
        wide=False,
    )
    contrast = figure_html(
        run,
        figures,
        "contrast",
        "What tells the energies apart: change of the excess electron density from core material (x = 0) to "
        "shell material (x = 1).",
        wide=False,
    )
    if "energies" in figures:
        minimum = ""  # shown beside the pure materials in the section on the energies
    pair = f'<div class="pair">{minimum}{contrast}</div>' if minimum or contrast else ""
    return tall + _energy_table(run) + porod + pair


def _energy_table(run: RunFolder) -> str:
    table = run.table("energies", "curve") or _curves_of_summary(run)
    if table is None:
        return ""
    styles = curve_styles(run)
    anomalous = table.has("f_prime")
    laue, q_known = table.has("background_laue"), table.has("q_min", "q_max")
    headers = [
        "curve",
        "points",
        *(["q (1/nm)"] if q_known else []),
        "χ² / point",
        "runs test p",
        "scale / mean (68 %)",
        "background",
    ]
    headers += ["Laue, predicted"] if laue else []
    headers += ["f′", "f″"] if anomalous else []
    rows = []
    scales = table.floats("scale")
    mean = float(np.nanmean(scales)) if np.isfinite(scales).any() else 1.0
    for row in table.rows():
        number = {n: as_float(v) for n, v in row.items()}
        name = styles[row["curve"]].name if row["curve"] in styles else row["curve"]
        runs = number.get("runs_p", math.nan)
        cells = [
            escape(name),
            number_or_dash(number.get("points", math.nan), 0),
            *([f"{number['q_min']:.3g} – {number['q_max']:.3g}"] if q_known else []),
            number_or_dash(number.get("chi2_reduced", math.nan), 2),
            f"<b>{runs:.2g}: systematic</b>" if runs < 0.01 else number_or_dash(runs, 2),
            _scale(number, mean),
            number_or_dash(number.get("background", math.nan)),
            *([number_or_dash(number["background_laue"])] if laue else []),
        ]
        cells += (
            [
                number_or_dash(number.get("f_prime", math.nan), 3),
                number_or_dash(number.get("f_double_prime", math.nan), 3),
            ]
            if anomalous
            else []
        )
        rows.append(cells)
    caption = (
        "Each curve in the joint fit; a runs test below 0.01 means that residuals of one sign follow each other "
        "too long for noise"
    )
    return html_table(headers, rows, caption=caption, numeric=range(1, len(headers))) + numbers_html(run, ("energies",))


def contrasts_html(run: RunFolder) -> str:
    """Radii and other parameters of a fit with explicit contrasts."""
    parameters = run.get("contrasts.parameters")
    if not isinstance(parameters, Mapping) or not parameters:
        return ""
    rows = [
        [escape(_parameter_words(str(k))), format_quantity(v, "nm" if str(k).endswith("_nm") else "")]
        for k, v in parameters.items()
    ]
    return html_table(["parameter", "value ± σ (95 %)"], rows, caption="Parameters of the joint fit")


def _parameter_words(name: str) -> str:
    return name.removesuffix("_nm").replace("_std", ", standard deviation").replace("_mean", ", mean").replace("_", " ")


def _curves_of_summary(run: RunFolder) -> Table | None:
    """Rows per curve from the summary, where a run has no energies.csv (explicit contrasts)."""
    rows = [r for r in run.get("contrasts.per_curve") or [] if isinstance(r, Mapping)]
    names = {
        "label": "curve",
        "points": "points",
        "chi2_reduced": "chi2_reduced",
        "runs_p": "runs_p",
        "scale": "scale",
        "background": "background",
    }

    def text(value: Any) -> str:
        value = value.get("value") if isinstance(value, Mapping) else value
        return "" if value is None else str(value)

    return (
        Table("energies", {new: tuple(text(r.get(old)) for r in rows) for old, new in names.items()}) if rows else None
    )


def _scale(number: Mapping[str, float], mean: float) -> str:
    """Scale of a curve over the mean scale of all: what the beam normalisation left."""
    number = {k: v / mean for k, v in number.items() if k.startswith("scale")}
    low, high = number.get("scale_lo68", math.nan), number.get("scale_hi68", math.nan)
    decimals = decimals_for((high - low) / 2) if high > low else None
    text = number_or_dash(number.get("scale", math.nan), decimals)
    return text if math.isnan(low) else f"{text} ({format_interval(low, high, decimals)})"


def _short_path(run: RunFolder, file: str) -> str:
    """Path of an input as the project file names it: relative to the project's folder."""
    project = run.get("project_file")
    if isinstance(project, str) and PurePath(file).is_relative_to(PurePath(project).parent):
        return PurePath(file).relative_to(PurePath(project).parent).as_posix()
    return file


def shape_html(run: RunFolder) -> str:
    """Sphere against spheroids on the same data."""
    table = run.table("shapes", "shape", "chi2")
    if table is None:
        return ""
    rows = []
    for row in table.rows():
        number = {n: as_float(v) for n, v in row.items()}
        low, high = number.get("aspect_lo95", math.nan), number.get("aspect_hi95", math.nan)
        aspect = number_or_dash(number.get("aspect_ratio", math.nan), 2) + (
            f" ({format_interval(low, high, 2)})" if high > low else ""
        )
        rows.append(
            [
                escape(row["shape"]),
                aspect,
                number_or_dash(number["chi2"], 1),
                number_or_dash(number.get("n_data", math.nan), 0),
                number_or_dash(number.get("delta_chi2", math.nan), 1),
            ]
        )
    text = (
        "<p>The same data fitted with a sphere and with spheroids (unique axis over the other two: above 1 "
        "prolate, below 1 oblate). A difference in χ² of less than about 10 for one more parameter does not decide "
        "between shapes; nor does a larger one where a wider size distribution would do the same.</p>"
    )
    truth = as_float(run.truth("aspect_ratio"))
    text += "" if math.isnan(truth) else f"<p>Truth of the simulation: mean aspect ratio {format_number(truth, 2)}.</p>"
    headers = ["shape", "aspect ratio (95 %)", "χ²", "points", "χ² above the best"]
    return text + html_table(headers, rows, numeric=range(1, 5)) + numbers_html(run, ("shapes",))


def factors_html(run: RunFolder) -> str:
    """f', f'' as used, beside the other table."""
    table = run.table("factors", "element", "f_prime")
    if table is None:
        return ""
    names = list(dict.fromkeys(table.text("table")))
    used = [
        t for t, u in zip(table.text("table"), table.text("used"), strict=True) if u.lower() in ("true", "1", "yes")
    ]
    names.sort(key=lambda n: n not in used)
    cells: dict[tuple[str, str], dict[str, Mapping[str, str]]] = {}
    for row in table.rows():
        cells.setdefault((row["element"], row["energy_kev"]), {})[row["table"]] = row
    rows = []
    order = list(dict.fromkeys(e for e, _ in cells))
    for (element, energy), by in sorted(cells.items(), key=lambda c: (order.index(c[0][0]), as_float(c[0][1]))):
        values = [
            number_or_dash(as_float(by.get(n, {}).get(f)), 3) for f in ("f_prime", "f_double_prime") for n in names
        ]
        rows.append([escape(element), f"{as_float(energy):.3f}", *values])
    headers = [
        "element",
        "keV",
        *(f"{f} {escape(n)}{' (used)' if n in used else ''}" for f in ("f′", "f″") for n in names),
    ]
    text = (
        "<p>Anomalous scattering factors in electrons per atom. What every other table would change in each shell "
        "stands below the table of shells.</p>"
    )
    return text + html_table(headers, rows, numeric=range(1, len(headers))) + numbers_html(run, ("factors",))


def inputs_html(run: RunFolder) -> str:
    """What was read from which file."""
    table = run.table("inputs", "file")
    rows_in: list[Mapping[str, Any]] = (
        list(table.rows()) if table is not None else [r for r in run.get("inputs", []) or [] if isinstance(r, Mapping)]
    )
    rows = []
    for row in rows_in:
        read, kept = as_float(row.get("points_read")), as_float(row.get("points_kept"))
        digest = str(row.get("sha256") or "")
        notes = row.get("notes")
        rows.append(
            [
                f"<code>{escape(_short_path(run, str(row.get('file') or '')))}</code>",
                cell(row.get("role")),
                cell(row.get("unit_read")),
                f"{kept:.0f} of {read:.0f}" if read > 0 and kept >= 0 else "–",
                cell("; ".join(map(str, notes)) if isinstance(notes, list) else notes),
                f'<code title="{escape(digest)}">{escape(digest[:10])}</code>' if digest else "–",
            ]
        )
    headers = ["file", "read as", "unit in the file", "points used", "what was done", "sha256"]
    said = " ".join(row[4] for row in rows)
    notes = "".join(f"<li>{escape(str(n))}</li>" for n in run.get("notes") or [] if escape(str(n)) not in said)
    table_text = (
        html_table(headers, rows, head_column=False, classes={0: "file", 3: "sha", 5: "sha"})
        + numbers_html(run, ("inputs",))
        if rows
        else ""
    )
    return table_text + (f"<h3>Notes</h3><ul>{notes}</ul>" if notes else "")
