"""Sections of the report below the first screen: profile, data, sizes, particle, shape, factors, inputs, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.cite import REFERENCES, software_of
from nanostrata.interfaces.figure_style import curve_styles
from nanostrata.interfaces.figures_profile import INFORMED
from nanostrata.interfaces.formatting import as_float, decimals_for, format_interval, format_number, format_quantity, shell_quantities
from nanostrata.interfaces.methods import methods_parts, methods_text, reference_text
from nanostrata.interfaces.report_findings import truth_note
from nanostrata.interfaces.report_html import EMBED_LIMIT, cell, csv_uri, figure_html, html_table, numbers_html
from nanostrata.interfaces.run_folder import RunFolder, Table
from nanostrata.interfaces.viewer import viewer_html

__all__ = [
    "data_html", "factors_html", "inputs_html", "methods_html", "particle_html", "profile_html", "settings_html", "shape_html",
    "sizes_html", "tables_html", "verification_html", "warnings_html",
]  # fmt: skip

Figures = Mapping[str, str]


def profile_html(run: RunFolder, figures: Figures) -> str:
    """Profile, table of shells, the two kinds of error bars."""
    table = run.table("profile", "x")
    if table is None:
        return ""
    prior = [k for k, by in enumerate(table.text("informed_by"), 1) if by == "prior"]
    caption = (
        "Share x of shell material against the distance from the centre of a particle of mean diameter: best value per shell (line), 68 and 95 % of "
        "the posterior (bands) and what was assumed before the data were seen (grey hatching). The signs above say what informs each shell: "
        "● the data, ◐ the data weakly, ○ the prior."
    )
    if prior:
        caption += f" On grey ground (shell {', '.join(map(str, prior))}, counted from the centre) the curve shows the prior, not a measurement."
    if table.has("unsmoothed"):
        caption += " On the right the same data without the smoothness prior: what only one of the two shows is not supported by the data."
    if run.simulated:
        caption += " Black dashes: truth of the simulation; on the right its mean in each shell."
    parts = [figure_html(run, figures, "profile", caption)]
    if run.get("recipe.particle.profile") == "shells":
        parts.append(
            '<p class="note">Steps stand for a change that may be gradual. Where the composition changes smoothly, a step model tends to put the shell below the '
            'outermost a little low and the outermost a little high. <code>profile = "smooth"</code> or <code>"erf"</code> in the project file describes a '
            "gradual interface.</p>"
        )
    parts += [_shell_table(run, table), _error_bars(run, figures)]
    return "".join(parts)


def _shell_table(run: RunFolder, table: Table) -> str:
    shift = run.get("profile.table_systematic")
    shifts = shift.get("value") if isinstance(shift, Mapping) else shift
    truth = table.has("truth")
    headers = ["shell", "from – to (nm)", "x", "95 %", "without smoothing, 95 %", "informed by"]
    headers += ["other factor table"] if isinstance(shifts, list) else []
    headers += ["truth"] if truth else []
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
            interval = {"value": number["x"], "sigma": number["sigma"], "interval95": [number.get("lo95"), number.get("hi95")]}
            cells.append(f'<span class="inside">{truth_note(interval, row["truth"]).removeprefix("truth ")}</span>')
        rows.append(cells)
    return html_table(headers, rows, caption="Shells from the centre outwards", numeric=(1, 2, 3)) + numbers_html(run, ("profile",))


def _bare(number: Mapping[str, float]) -> str:
    value, low, high = (number.get(n, math.nan) for n in ("unsmoothed", "unsmoothed_lo95", "unsmoothed_hi95"))
    if math.isnan(value):
        return "–"
    decimals = decimals_for((high - low) / 4) if high > low else 2
    return f"{format_number(value, decimals)} ({format_interval(low, high, decimals)})"


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else ("+" if value > 0 else "") + format_number(value, 3)


def _error_bars(run: RunFolder, figures: Figures) -> str:
    caption = (
        "Two kinds of error bars on the same shells. The posterior (left pair of each shell) carries the doubt about size, scale, background and end-member "
        "densities. Refits of data redrawn inside their error bars (right pair), the usual practice, repeat only the noise of the points: with "
        "draws spread evenly inside the band their bars are shorter than with Gaussian draws. The intervals of this report are those of the posterior."
    )
    figure = figure_html(run, figures, "error_bars", caption)
    return f"<h3>Two kinds of error bars</h3>{figure}" if figure else ""


def data_html(run: RunFolder, figures: Figures) -> str:
    """Curves, residuals, numbers per energy, I q^4, first minimum, contrast."""
    caption = (
        "Points with one standard deviation and the joint fit (dark line), shifted apart by the factors given. Below, the residuals of each curve in "
        "units of σ; the grey band is ± 1 σ, and a cross marks a point beyond the frame."
    )
    tall = figure_html(run, figures, "curves", caption)
    porod = figure_html(run, figures, "porod", "I q⁴, each curve divided by its largest value and stacked: the oscillation that carries the profile.")
    minimum = figure_html(
        run, figures, "first_minimum",
        "Where the first minimum lies. It moves with the energy when the shell differs from the core in the resonant element.", wide=False,
    )  # fmt: skip
    contrast = figure_html(
        run, figures, "contrast",
        "What tells the energies apart: change of the excess electron density from core material (x = 0) to shell material (x = 1).", wide=False,
    )  # fmt: skip
    pair = f'<div class="pair">{minimum}{contrast}</div>' if minimum or contrast else ""
    return tall + _energy_table(run) + porod + pair


def _energy_table(run: RunFolder) -> str:
    table = run.table("energies", "curve")
    if table is None:
        return ""
    styles = curve_styles(run)
    anomalous = table.has("f_prime")
    headers = ["curve", "points", "q (1/nm)", "χ² / point", "runs test p", "scale (68 %)", "background", "Laue, predicted"]
    headers += ["f′", "f″"] if anomalous else []
    rows = []
    for row in table.rows():
        number = {n: as_float(v) for n, v in row.items()}
        name = styles[row["curve"]].name if row["curve"] in styles else row["curve"]
        runs = number.get("runs_p", math.nan)
        cells = [
            escape(name),
            _plain(number.get("points", math.nan), 0),
            f"{_plain(number.get('q_min', math.nan))} – {_plain(number.get('q_max', math.nan))}",
            _plain(number.get("chi2_reduced", math.nan), 2),
            f"<b>{runs:.2g}: systematic</b>" if runs < 0.01 else _plain(runs, 2),
            _scale(number),
            _plain(number.get("background", math.nan)),
            _plain(number.get("background_laue", math.nan)),
        ]
        cells += [_plain(number.get("f_prime", math.nan), 3), _plain(number.get("f_double_prime", math.nan), 3)] if anomalous else []
        rows.append(cells)
    caption = "Each curve in the joint fit; a runs test below 0.01 means that residuals of one sign follow each other too long for noise"
    return html_table(headers, rows, caption=caption, numeric=range(1, len(headers))) + numbers_html(run, ("energies",))


def _plain(value: float, decimals: int | None = None) -> str:
    return "–" if math.isnan(value) else format_number(value, decimals)


def _scale(number: Mapping[str, float]) -> str:
    low, high = number.get("scale_lo68", math.nan), number.get("scale_hi68", math.nan)
    decimals = decimals_for((high - low) / 2) if high > low else None
    text = _plain(number.get("scale", math.nan), decimals)
    return text if math.isnan(low) else f"{text} ({format_interval(low, high, decimals)})"


def sizes_html(run: RunFolder, figures: Figures) -> str:
    """Size against TEM, composition against EDX."""
    size = figure_html(
        run, figures, "sizes",
        "Diameters: fitted distribution (line, 68 % band) against the micrographs (grey; ticks are single readings). A particle counts once.", wide=False,
    )  # fmt: skip
    edx = figure_html(run, figures, "composition", "Elements: measured percentage against the model with all that the fit knows.", wide=False)
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
        measured = format_quantity({"value": number.get("measured_percent"), "sigma": number.get("measured_sigma")}, "%")
        model = format_quantity({"value": number["model_percent"], "sigma": half if half > 0 else None}, "%")
        off = (number["model_percent"] - number.get("measured_percent", math.nan)) / math.hypot(number.get("measured_sigma", math.nan), half)
        cells = [escape(row["element"]), measured if row.get("measured_percent") else "not measured", model, _signed_sigma(off)]
        rows.append(cells + ([_plain(number["truth_percent"], 1) + " %"] if table.has("truth_percent") else []))
    headers = ["element", "EDX", "model (± half of 68 %)", "model − EDX"] + (["truth"] if table.has("truth_percent") else [])
    return html_table(headers, rows, numeric=range(1, len(headers)), caption="Element percentages") + numbers_html(run, ("composition",))


def _signed_sigma(value: float) -> str:
    return "–" if math.isnan(value) else f"{'+' if value > 0 else ''}{format_number(value, 1)} σ"


def particle_html(run: RunFolder, figures: Figures) -> str:
    """Rotatable particle, its still, atoms of each element."""
    counts = _count_table(run)
    if run.particle is None or not run.particle.symbols:
        return counts
    edges = run.get("profile.edges_nm")
    labels = []
    if isinstance(edges, list):
        bounds = [0.0, *(as_float(e.get("value") if isinstance(e, Mapping) else e) for e in edges)]
        labels = [f"shell {k}: {a:.2f}–{b:.2f} nm" for k, (a, b) in enumerate(zip(bounds[:-1], bounds[1:], strict=True), 1)]
    intro = (
        f"<p>One particle of {len(run.particle.symbols)} atoms built from the profile on the crystal lattice. Which site carries which element inside a shell is "
        "drawn at random: the picture shows one of many particles that fit equally well.</p>"
    )
    still = figure_html(run, figures, "particle", "The same particle as a still, seen along z: whole, and cut in half to show the inside.")
    files = '<p class="numbers">Atoms: <a href="structures/particle.xyz">structures/particle.xyz</a> (extended XYZ, ångström)</p>'
    return intro + viewer_html(run.particle, labels) + files + still + counts


def _count_table(run: RunFolder) -> str:
    counts = run.get("profile.element_counts")
    if not isinstance(counts, Mapping) or not counts:
        return ""
    built = run.get("atoms.counts")
    truths = run.truth("element_counts")
    rows = []
    for element, quantity in counts.items():
        cells = [escape(str(element)), format_quantity(quantity)]
        cells += [cell(built.get(element))] if isinstance(built, Mapping) else []
        cells += [truth_note(quantity, truths.get(element)).removeprefix("truth ") or "–"] if isinstance(truths, Mapping) else []
        rows.append(cells)
    headers = ["element", "atoms in the mean particle"]
    headers += ["in the particle shown"] if isinstance(built, Mapping) else []
    headers += ["truth"] if isinstance(truths, Mapping) else []
    return "<h3>Atoms of each element</h3>" + html_table(headers, rows, numeric=range(1, len(headers)))


def shape_html(run: RunFolder) -> str:
    """Sphere against spheroids on the same data."""
    table = run.table("shapes", "shape", "chi2")
    if table is None:
        return ""
    rows = []
    for row in table.rows():
        number = {n: as_float(v) for n, v in row.items()}
        low, high = number.get("aspect_lo95", math.nan), number.get("aspect_hi95", math.nan)
        aspect = _plain(number.get("aspect_ratio", math.nan), 2) + ("" if math.isnan(low) else f" ({format_interval(low, high, 2)})")
        rows.append([escape(row["shape"]), aspect, _plain(number["chi2"], 1), _plain(number.get("n_data", math.nan), 0), _plain(number.get("delta_chi2", math.nan), 1)])
    text = (
        "<p>The same data fitted with a sphere and with spheroids (unique axis over the other two: above 1 prolate, below 1 oblate). A difference in χ² "
        "of less than about 4 for one more parameter does not decide between shapes.</p>"
    )
    headers = ["shape", "aspect ratio (95 %)", "χ²", "points", "χ² above the best"]
    return text + html_table(headers, rows, numeric=range(1, 5)) + numbers_html(run, ("shapes",))


def factors_html(run: RunFolder) -> str:
    """f', f'' as used, beside the other table."""
    table = run.table("factors", "element", "f_prime")
    if table is None:
        return ""
    names = list(dict.fromkeys(table.text("table")))
    used = [t for t, u in zip(table.text("table"), table.text("used"), strict=True) if u.lower() in ("true", "1", "yes")]
    names.sort(key=lambda n: n not in used)
    cells: dict[tuple[str, str], dict[str, Mapping[str, str]]] = {}
    for row in table.rows():
        cells.setdefault((row["element"], row["energy_kev"]), {})[row["table"]] = row
    rows = []
    for (element, energy), by in cells.items():
        values = [_plain(as_float(by.get(n, {}).get(f)), 3) for f in ("f_prime", "f_double_prime") for n in names]
        rows.append([escape(element), f"{as_float(energy):.3f}", *values])
    headers = ["element", "keV", *(f"{f} {escape(n)}{' (used)' if n in used else ''}" for f in ("f′", "f″") for n in names)]
    text = "<p>Anomalous scattering factors in electrons per atom. What the other table would change in each shell stands in the table of shells.</p>"
    return text + html_table(headers, rows, numeric=range(1, len(headers))) + numbers_html(run, ("factors",))


def inputs_html(run: RunFolder) -> str:
    """What was read from which file."""
    table = run.table("inputs", "file")
    rows_in: list[Mapping[str, Any]] = list(table.rows()) if table is not None else [r for r in run.get("inputs", []) or [] if isinstance(r, Mapping)]
    rows = []
    for row in rows_in:
        read, kept = as_float(row.get("points_read")), as_float(row.get("points_kept"))
        dropped = "" if math.isnan(read) or math.isnan(kept) or read == kept else f" ({read - kept:.0f} left out)"
        digest = str(row.get("sha256") or "")
        notes = row.get("notes")
        rows.append(
            [
                f"<code>{cell(row.get('file'))}</code>",
                cell(row.get("role")),
                cell(row.get("unit_read")),
                "–" if math.isnan(kept) else f"{kept:.0f} of {_plain(read, 0)}{dropped}",
                cell("; ".join(map(str, notes)) if isinstance(notes, list) else notes),
                f'<code title="{escape(digest)}">{escape(digest[:10])}</code>' if digest else "–",
            ]
        )
    headers = ["file", "read as", "unit in the file", "points used", "what was done", "sha256"]
    return html_table(headers, rows, head_column=False) + numbers_html(run, ("inputs",)) if rows else ""


def warnings_html(run: RunFolder) -> str:
    """Warnings, or the statement that there are none."""
    items = []
    for warning in run.get("warnings", []) or []:
        entry: Mapping[str, Any] = warning if isinstance(warning, Mapping) else {"message": str(warning)}
        where = " · ".join(escape(str(entry[k])) for k in ("stage", "code") if entry.get(k))
        items.append(f'<li>{escape(str(entry.get("message", "")))} <span class="where">{where}</span></li>')
    return f'<ul class="warnings">{"".join(items)}</ul>' if items else "<p>No warnings.</p>"


def verification_html(run: RunFolder) -> str:
    """Verdicts of the verification, when it has run."""
    verification = run.get("verification")
    if not isinstance(verification, Mapping):
        return ""
    rows = [[escape(str(name)), _plain(as_float(v.get("chi2_reduced")), 2), cell(v.get("verdict"))] for name, v in verification.items() if isinstance(v, Mapping)]
    passed = verification.get("passed")
    verdict = "" if passed is None else f"<p><b>{'Passed' if passed else 'Failed: results are kept and marked'}.</b></p>"
    return verdict + (html_table(["data set", "reduced χ²", "verdict"], rows, numeric=(1,)) if rows else "")


def methods_html(run: RunFolder) -> str:
    """Methods text to copy, with its references."""
    parts = methods_parts(run.summary)
    text = "".join(f"<p>{escape(p)}</p>" for p in parts.paragraphs)
    items = []
    for key in parts.references:
        line = escape(reference_text(key, run.summary))
        link = REFERENCES[key].link if key in REFERENCES else ""
        items.append(f'<li>{line}{f" <a href={chr(34)}{escape(link)}{chr(34)}>open</a>" if link else ""}</li>')
    copy = f'<pre id="methods-source" hidden>{escape(methods_text(run.summary))}</pre>'
    button = '<button type="button" data-copy="methods-source">Copy as Markdown</button>'
    return f'<div class="methods">{text}<h3>References</h3><ol class="references">{"".join(items)}</ol></div>{button}{copy}'


def settings_html(run: RunFolder) -> str:
    """Seed, preset, versions and the project as the run understood it."""
    name, version = software_of(run.summary)
    rows = [["software", escape(f"{name} {version}")]]
    rows += [[k, cell(run.get(k))] for k in ("seed", "preset") if run.get(k) is not None]
    versions = run.get("versions")
    if isinstance(versions, Mapping):
        rows.append(["versions", escape(", ".join(f"{k} {v}" for k, v in versions.items()))])
    rows += [[f"<code>{escape(key)}</code>", escape(value)] for key, value in _flatten(run.recipe)]
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
        inside = f'<a download="{escape(name)}.csv" href="{csv_uri(raw)}">save</a>' if len(raw) <= EMBED_LIMIT else "too large to embed; see the file"
        columns = escape(", ".join(table.columns)) if table is not None else ""
        size = f"{len(raw) / 1000:.1f} kB"
        rows.append([f'<a id="numbers-{escape(name)}" href="tables/{escape(name)}.csv">{escape(name)}.csv</a>', f"{len(table) if table is not None else 0}", size, columns, inside])
    text = "<p>Each table lies beside this page in <code>tables/</code> and, as a copy, inside it.</p>"
    return text + html_table(["file", "rows", "size", "columns", "copy"], rows, numeric=(1, 2)) if rows else ""
