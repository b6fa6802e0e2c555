"""Front page of several samples: key numbers in one table, profiles side by side, links to the reports."""

from __future__ import annotations

import base64
import os
import urllib.parse
from collections.abc import Sequence
from html import escape
from pathlib import Path

from nanostrata.interfaces.figure_style import inches, legend_below, style, to_svg
from nanostrata.interfaces.figures_profile import draw_profile
from nanostrata.interfaces.report_findings import findings_html, key_numbers
from nanostrata.interfaces.report_html import html_table, page, section
from nanostrata.interfaces.report_verification import verdict_html
from nanostrata.interfaces.run_folder import RunFolder, read_run_folder
from nanostrata.io.text_out import write_text

__all__ = ["render_index"]


def render_index(
    out_dir: Path | str, run_dirs: Sequence[Path | str], *, title: str = "Samples", comparison: Path | None = None
) -> Path:
    """Write ``index.html``, the front page of several finished runs.

    Parameters
    ----------
    out_dir : folder of the page
    run_dirs : finished runs, in the order in which they are shown
    title : heading of the page
    comparison : page of the comparison, linked under the heading

    Raises
    ------
    DataError
        When one of the folders is no finished run.
    """
    out = Path(out_dir)
    runs = [read_run_folder(d) for d in run_dirs]
    simulated = any(r.simulated for r in runs)
    links = [urllib.parse.quote(os.path.relpath(r.path / "report.html", out).replace(os.sep, "/")) for r in runs]
    cards = "".join(_card(r, link) for r, link in zip(runs, links, strict=True))
    lead = next((r for r in runs if r.simulated), runs[0] if runs else None)
    body = (
        f'<div class="single"><header class="title"><h1>{escape(title)}</h1><p class="subtitle">{len(runs)} '
        "samples</p></header>"
    )
    if comparison is not None:
        link = urllib.parse.quote(os.path.relpath(comparison, out).replace(os.sep, "/"))
        body += (
            f'<p><a href="{link}">Comparison: what differs, activation energy, lattice mismatch, design rules</a></p>'
        )
    if lead is not None:
        body += section(lead, "findings", "Side by side", _table(runs, links) + _profiles(runs), first=True)
        body += section(lead, "samples", "Findings of each sample", f'<ul class="cards">{cards}</ul>')
    target = out / "index.html"
    return write_text(target, page(title, body + "</div>", simulated=simulated))


def _table(runs: Sequence[RunFolder], links: Sequence[str]) -> str:
    numbers = [{name: (value, notes) for name, value, notes in key_numbers(r)} for r in runs]
    names = list(dict.fromkeys(name for each in numbers for name in each))
    rows = []
    for name in names:
        cells = []
        for each in numbers:
            value, notes = each.get(name, ("–", []))
            cells.append(f"<b>{escape(value)}</b>{''.join(f'<br>{escape(n)}' for n in notes)}")
        rows.append([escape(name), *cells])
    rows.append(["report", *(f'<a href="{link}">open</a>' for link in links)])
    headers = ["", *(f'<a href="{link}">{escape(r.title)}</a>' for r, link in zip(runs, links, strict=True))]
    return html_table(headers, rows)


def _profiles(runs: Sequence[RunFolder]) -> str:
    """All profiles in one picture on common axes."""
    shown = [(r, t) for r in runs if (t := r.table("profile", "x")) is not None]
    if not shown:
        return ""
    with style():
        columns = min(len(shown), 3)
        lines = -(-len(shown) // columns)
        figure, box = inches(8.8, 3.1 * lines + 0.75, bottom=1.0, top=0.45)
        grid = figure.add_gridspec(lines, columns, **box, wspace=0.08, hspace=0.45)
        reach = max(float(t.floats("r_outer_nm").max()) for _, t in shown)
        handles: dict[str, object] = {}
        for i, (run, table) in enumerate(shown):
            axes = figure.add_subplot(grid[i // columns, i % columns])
            for handle in draw_profile(axes, run, table):
                handles.setdefault(handle.get_label(), handle)
            axes.set_xlim(0, reach)
            axes.set_title(run.title, pad=16)
            if i % columns:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel("share of shell material, x")
        legend_below(figure, list(handles.values()), columns=3)
        svg = to_svg(figure)
    alt = f"Composition profiles of {len(shown)} samples side by side on the same axes"
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
    caption = (
        "Profiles on common axes. Bands are 68 and 95 % of the posterior; on grey ground the curve shows the "
        "prior, not a measurement."
    )
    return (
        f'<figure class="wide"><div class="scroll"><img src="{source}" '
        f'alt="{alt}"></div><figcaption>{caption}</figcaption></figure>'
    )


def _card(run: RunFolder, link: str) -> str:
    return (
        f'<li><h3><a href="{link}">{escape(run.title)}</a></h3>{verdict_html(run, link=False)}{findings_html(run)}</li>'
    )
