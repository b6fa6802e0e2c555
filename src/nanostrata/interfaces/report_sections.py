"""Sections of the report below the first screen: profile, sizes, warnings, methods, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.cite import REFERENCES, software_of
from nanostrata.interfaces.figures_profile import INFORMED
from nanostrata.interfaces.formatting import (
    as_float,
    decimals_for,
    format_interval,
    format_number,
    format_quantity,
)
from nanostrata.interfaces.methods import methods_parts, methods_text, reference_text
from nanostrata.interfaces.report_findings import truth_note
from nanostrata.interfaces.report_html import (
    EMBED_LIMIT,
    cell,
    csv_uri,
    figure_html,
    html_table,
    number_or_dash,
    numbers_html,
)
from nanostrata.interfaces.report_tables import table_changes_section
from nanostrata.interfaces.run_folder import RunFolder, Table, libraries_of

__all__ = [
    "methods_html",
    "profile_html",
    "settings_html",
    "sizes_html",
    "tables_html",
    "warnings_html",
]

Figures = Mapping[str, str]


def profile_html(run: RunFolder, figures: Figures) -> str:
    """Profile, table of shells, the two kinds of error bars."""
    table = run.table("profile", "x")
    if table is None:
        return ""
    prior = [k for k, by in enumerate(table.text("informed_by"), 1) if by == "prior"]
    caption = (
        "Share x of shell material against the distance from the centre of a particle of mean diameter: best "
        "value per shell (line), 68 and 95 % of "
        "the posterior (bands) and what was assumed before the data were seen (grey hatching). The signs above "
        "say what informs each shell: "
        "● the data, ◐ the data weakly, ○ the prior."
    )
    if prior:
        caption += (
            f" On grey ground (shell {', '.join(map(str, prior))}, counted from the centre) the curve shows the "
            "prior, not a measurement."
        )
    if table.has("unsmoothed"):
        caption += (
            " On the right the same data without the smoothness prior: what only one of the two shows is not "
            "supported by the data."
        )
    if run.simulated:
        caption += " Black dashes: truth of the simulation; on the right its mean in each shell."
    parts = [figure_html(run, figures, "profile", caption)]
    said = any("smooth" in str(f.get("text", "")) for f in run.get("findings") or [] if isinstance(f, Mapping))
    if run.first("profile.family", "recipe.particle.profile") == "shells" and not said:
        parts.append(
            '<p class="note">Steps stand for a change that may be gradual. Where the composition changes '
            "smoothly, a step model tends to put the shell below the "
            'outermost a little low and the outermost a little high. <code>profile = "smooth"</code> or '
            '<code>"erf"</code> in the project file describes a '
            "gradual interface.</p>"
        )
    parts += [_shell_table(run, table), table_changes_section(run), _error_bars(run, figures)]
    return "".join(parts)


def _shell_table(run: RunFolder, table: Table) -> str:
    shift = run.get("profile.table_systematic")
    shifts = shift.get("value") if isinstance(shift, Mapping) else shift
    if isinstance(shifts, list) and all(v is None for v in shifts):
        shifts = None
    truth = table.has("truth")
    headers = ["shell", "from – to (nm)", "x", "95 %", "unsmoothed (95 %)", "informed by"]
    headers += (
        [f"with {escape(str(run.get('profile.table_systematic_table') or 'the other factor table'))}"]
        if isinstance(shifts, list)
        else []
    )
    headers += ["truth (✓ inside 95 %)"] if truth else []
    rows = []
    for k, row in enumerate(table.rows()):
        number = {n: as_float(v) for n, v in row.items()}
        decimals = decimals_for(number["sigma"])
        cells = [
            f"{escape(row['shell'])}{' (centre)' if k == 0 else ''}",
            f"{number['r_inner_nm']:.2f} – {number['r_outer_nm']:.2f}",
            format_quantity({"value": number["x"], "sigma": number["sigma"]}),
            format_interval(number.get("lo95", math.nan), number.get("hi95", math.nan), decimals),
            _bare(number),
            INFORMED.get(row.get("informed_by", ""), "–"),
        ]
        if isinstance(shifts, list):
            cells.append(_signed(as_float(shifts[k]) if k < len(shifts) else math.nan))
        if truth:
            interval = {
                "value": number["x"],
                "sigma": number["sigma"],
                "interval95": [number.get("lo95"), number.get("hi95")],
            }
            cells.append(_truth_mark(interval, row["truth"]))
        rows.append(cells)
    return html_table(headers, rows, caption="Shells from the centre outwards", numeric=(1, 2, 3, 4)) + numbers_html(
        run, ("profile",)
    )


def _truth_mark(interval: Mapping[str, Any], truth: str) -> str:
    """Truth with a tick or a cross: inside the 95 % interval or not."""
    note = truth_note(interval, truth).removeprefix("truth ")
    return note.replace(":", "").replace(" inside 95\u00a0%", "").replace(" outside 95\u00a0%", " outside")


def _bare(number: Mapping[str, float]) -> str:
    value, low, high = (number.get(n, math.nan) for n in ("unsmoothed", "unsmoothed_lo95", "unsmoothed_hi95"))
    if math.isnan(value):
        return "–"
    decimals = decimals_for((high - low) / 4) if high > low else 2
    return f"{format_number(value, decimals)} ({format_interval(low, high, decimals)})"


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else ("+" if value > 0 else "") + format_number(value, 3)


def _error_bars(run: RunFolder, figures: Figures) -> str:
    held = run.get("profile.refits.held")
    caption = (
        "Two kinds of error bars on the same shells. The posterior (left pair of each shell) carries the doubt "
        "about size, scale, background and end-member "
        "densities. Refits of data redrawn inside their error bars (right pair), the way of the original method, "
        "repeat only the noise of the points: with "
        "draws spread evenly inside the band their bars are shorter than with Gaussian draws. The intervals of "
        "this report are those of the posterior."
    )
    count = as_float(run.first("profile.refits.count", "asaxs.refits"))
    caption += f" {count:.0f} refits of each kind" if count > 0 else ""
    caption += (
        (
            f"; held fixed in them: {escape(', '.join(map(str, held)) if isinstance(held, list) else str(held))}."
            if held
            else "."
        )
        if count > 0
        else ""
    )
    figure = figure_html(run, figures, "error_bars", caption)
    return f"<h3>Two kinds of error bars</h3>{figure}" if figure else ""


def sizes_html(run: RunFolder, figures: Figures) -> str:
    """Size against TEM, composition against EDX."""
    size = figure_html(
        run,
        figures,
        "sizes",
        "Diameters: fitted distribution (line, 68 % band) against the micrographs (grey; ticks are single "
        "readings). A particle counts once.",
        wide=False,
    )
    edx = figure_html(
        run,
        figures,
        "composition",
        "Elements: measured percentage against the model with all that the fit knows.",
        wide=False,
    )
    return f'<div class="pair">{size}{edx}</div>{_composition_table(run)}' if size or edx else ""


def _composition_table(run: RunFolder) -> str:
    table = run.table("composition", "element", "model_percent")
    if table is None:
        return ""
    rows = []
    for row in table.rows():
        number = {n: as_float(v) for n, v in row.items()}
        low, high = number.get("model_lo68", math.nan), number.get("model_hi68", math.nan)
        half = (high - low) / 2
        measured = format_quantity(
            {"value": number.get("measured_percent"), "sigma": number.get("measured_sigma")}, "%"
        )
        model = format_quantity({"value": number["model_percent"], "sigma": half if half > 0 else None}, "%")
        off = (number["model_percent"] - number.get("measured_percent", math.nan)) / math.hypot(
            number.get("measured_sigma", math.nan), half
        )
        cells = [
            escape(row["element"]),
            measured if row.get("measured_percent") else "not measured",
            model,
            _signed_sigma(off),
        ]
        rows.append(cells + ([number_or_dash(number["truth_percent"], 1) + " %"] if table.has("truth_percent") else []))
    headers = ["element", "EDX", "model (± half of 68 %)", "model − EDX"] + (
        ["truth"] if table.has("truth_percent") else []
    )
    return html_table(headers, rows, numeric=range(1, len(headers)), caption="Element percentages") + numbers_html(
        run, ("composition",)
    )


def _signed_sigma(value: float) -> str:
    return "–" if math.isnan(value) else f"{'+' if value > 0 else ''}{format_number(value, 1)} σ"


def warnings_html(run: RunFolder) -> str:
    """Warnings, or the statement that there are none."""
    items = []
    for warning in run.get("warnings", []) or []:
        entry: Mapping[str, Any] = warning if isinstance(warning, Mapping) else {"message": str(warning)}
        where = " · ".join(escape(str(entry[k])) for k in ("stage", "code") if entry.get(k))
        items.append(f'<li>{escape(str(entry.get("message", "")))} <span class="where">{where}</span></li>')
    return f'<ul class="warnings">{"".join(items)}</ul>' if items else "<p>No warnings.</p>"


def methods_html(run: RunFolder) -> str:
    """Methods text to copy, with its references."""
    parts = methods_parts(run.summary)
    text = "".join(f"<p>{escape(p)}</p>" for p in parts.paragraphs)
    items = []
    for key in parts.references:
        line = escape(reference_text(key, run.summary))
        link = REFERENCES[key].link if key in REFERENCES else ""
        items.append(f"<li>{line}{f' <a href={chr(34)}{escape(link)}{chr(34)}>open</a>' if link else ''}</li>")
    copy = f'<pre id="methods-source" hidden>{escape(methods_text(run.summary))}</pre>'
    button = '<button type="button" data-copy="methods-source">Copy as Markdown</button>'
    return (
        f'<div class="methods">{text}<h3>References</h3><ol '
        f'class="references">{"".join(items)}</ol></div>{button}{copy}'
    )


def settings_html(run: RunFolder) -> str:
    """Seed, preset, versions and the project as the run understood it."""
    name, version = software_of(run.summary)
    rows = [["software", escape(f"{name} {version}")]]
    rows += [[k, cell(run.get(k))] for k in ("seed", "preset") if run.get(k) is not None]
    versions = libraries_of(run.summary)
    if versions:
        rows.append(["libraries", escape(", ".join(f"{k} {v}" for k, v in versions.items()))])
    stated = {"prior of the shares": run.get("profile.prior"), "sampler": run.get("profile.sampler")}
    rows += [
        [
            k,
            escape(
                ", ".join(f"{n} {format_number(as_float(x))}" for n, x in v.items())
                if isinstance(v, Mapping)
                else str(v)
            ),
        ]
        for k, v in stated.items()
        if v
    ]
    settings = run.recipe or {k: run.get(k) for k in ("sample", "materials", "growth") if run.get(k)}
    rows += [[f"<code>{escape(key)}</code>", escape(value)] for key, value in _flatten(settings)]
    return html_table(["setting", "value"], rows)


def _flatten(node: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Dotted keys of nested settings; lists of tables are numbered."""
    if isinstance(node, Mapping):
        return [pair for k, v in node.items() for pair in _flatten(v, f"{prefix}.{k}" if prefix else str(k))]
    if isinstance(node, list) and node and all(isinstance(v, Mapping) for v in node):
        return [pair for i, v in enumerate(node, 1) for pair in _flatten(v, f"{prefix}[{i}]")]
    if node is None or node in ([], ""):
        return []
    return [(prefix, ", ".join(map(str, node)) if isinstance(node, list) else str(node))]


def tables_html(run: RunFolder) -> str:
    """Every table of the run, embedded."""
    rows = []
    for name, raw in run.csv_bytes.items():
        table = run.tables.get(name)
        inside = (
            f'<a download="{escape(name)}.csv" href="{csv_uri(raw)}">save</a>'
            if len(raw) <= EMBED_LIMIT
            else "too large to embed; see the file"
        )
        columns = escape(", ".join(c for c in table.columns if table.has(c))) if table is not None else ""
        size = f"{len(raw) / 1000:.1f} kB"
        rows.append(
            [
                f'<a id="numbers-{escape(name)}" href="tables/{escape(name)}.csv">{escape(name)}.csv</a>',
                f"{len(table) if table is not None else 0}",
                size,
                columns,
                inside,
            ]
        )
    text = "<p>Each table lies beside this page in <code>tables/</code> and, as a copy, inside it.</p>"
    return text + html_table(["file", "rows", "size", "columns", "copy"], rows, numeric=(1, 2)) if rows else ""
