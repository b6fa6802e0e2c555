"""Pieces of HTML that every page shares: escaping, tables, figures with their numbers, badges, the page itself."""

from __future__ import annotations

import base64
import math
import urllib.parse
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from nanostrata.interfaces.figures import FIGURES
from nanostrata.interfaces.formatting import format_number
from nanostrata.interfaces.run_folder import RunFolder

__all__ = [
    "SIMULATED",
    "badge",
    "figure_html",
    "html_table",
    "number_or_dash",
    "numbers_html",
    "page",
    "section",
    "template",
]

SIMULATED = "Simulated data: the truth is drawn beside every result"
EMBED_LIMIT = 1_000_000  # bytes of one table inside the page; a larger one stays a file beside it
_LINK_LIMIT = (
    120_000  # a table up to this size is repeated at every figure; a larger one is embedded once, under "Numbers"
)
_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src "
    "data:; worker-src blob:"
)
_GRADES = {"strong": ("strong", 3), "moderate": ("moderate", 2), "weak": ("weak", 1), "not determined": ("none", 0)}


def template(name: str) -> str:
    """A file of ``templates/``."""
    return resources.files("nanostrata.interfaces").joinpath("templates", name).read_text(encoding="utf-8")


def badge(grade: str) -> str:
    """Grade of a finding: bars like those of a signal, and the word."""
    _, level = _GRADES.get(grade, ("none", 0))
    bars = "".join(
        f'<rect x="{1 + 7 * i}" y="{10 - 4 * i}" width="5" height="{5 + 4 * i}" rx="1" '
        f'fill="{"currentColor" if i < level else "none"}" '
        f'stroke="currentColor" stroke-width="1.2"/>'
        for i in range(3)
    )
    return f'<span class="badge"><svg viewBox="0 0 22 17" aria-hidden="true">{bars}</svg>{escape(grade)}</span>'


def grade_class(grade: str) -> str:
    """CSS class of a grade."""
    return f"grade-{_GRADES.get(grade, ('none', 0))[0]}"


def html_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    numeric: Sequence[int] = (),
    head_column: bool = True,
    classes: Mapping[int, str] | None = None,
    marked: Sequence[int] = (),
) -> str:
    """Table from cells that are already HTML; numeric columns are set flush right, ``marked`` rows stand out."""

    def css(i: int) -> str:
        names = [*(["n"] if i in numeric else []), *([classes[i]] if classes and i in classes else [])]
        return f' class="{" ".join(names)}"' if names else ""

    head = "".join(f'<th scope="col"{css(i)}>{h}</th>' for i, h in enumerate(headers))
    body = []
    for k, row in enumerate(rows):
        cells = "".join(
            f'<th scope="row"{css(i)}>{c}</th>' if i == 0 and head_column else f"<td{css(i)}>{c}</td>"
            for i, c in enumerate(row)
        )
        body.append(f"<tr{' class=marked' if k in marked else ''}>{cells}</tr>")
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        "<div "
        f'class="tablewrap"><table>{title}<thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def csv_link(run: RunFolder, name: str, text: str) -> str:
    """Link to a table inside the page: a data: address, or the place where it is embedded."""
    raw = run.csv_bytes[name]
    if len(raw) > _LINK_LIMIT:
        return f'<a href="#numbers-{escape(name)}">{text}</a>'
    return f'<a download="{escape(name)}.csv" href="{csv_uri(raw)}">{text}</a>'


def csv_uri(raw: bytes) -> str:
    """data: address of a CSV file."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(raw).decode("ascii")


def numbers_html(run: RunFolder, tables: Sequence[str], figure: str = "") -> str:
    """Where the numbers of a plot are: the file beside the report, and the copy inside it."""
    links = [
        f'<a href="tables/{urllib.parse.quote(name)}.csv">tables/{escape(name)}.csv</a> '
        f"({csv_link(run, name, 'copy inside this page')})"
        for name in tables
        if name in run.csv_bytes
    ]
    if figure:
        links.append(f'picture: <a href="figures/{figure}.svg">figures/{figure}.svg</a>')
    return f'<p class="numbers">{"Numbers: " if tables else ""}{" · ".join(links)}</p>' if links else ""


def figure_html(run: RunFolder, figures: Mapping[str, str], name: str, caption: str, *, wide: bool = True) -> str:
    """A figure with its caption and its numbers; "" when the run lacks it. The caption is HTML."""
    svg = figures.get(name)
    if svg is None:
        return ""
    spec = FIGURES[name]
    alt = spec.alt + (
        "; the truth of the simulation is drawn in black dashes" if run.simulated and name in _WITH_TRUTH else ""
    )
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
    return (
        f'<figure id="figure-{name}" class="{"wide" if wide else "half"}"><div class="scroll"><img src="{source}" '
        f'alt="{escape(alt)}"></div>'
        f"<figcaption>{caption}</figcaption>{numbers_html(run, spec.tables, name)}</figure>"
    )


_WITH_TRUTH = frozenset({"profile", "error_bars", "sizes", "composition"})


def section(run: RunFolder, ident: str, title: str, body: str, *, first: bool = False) -> str:
    """A section with its heading, marked when the data are simulated; "" when it would be empty."""
    if not body:
        return ""
    tag = f'<span class="tag-sim">{SIMULATED}</span>' if run.simulated else ""
    return f'<section id="{ident}"{" class=first" if first else ""}><h2>{escape(title)} {tag}</h2>{body}</section>'


def page(
    title: str, body: str, *, simulated: bool, scripts: Sequence[str] = (), description: str = "", alert: str = ""
) -> str:
    """A complete page, with a red ``alert`` on top. The content policy forbids every request to anywhere."""
    loud = f'<div class="alert" role="alert">{escape(alert)}</div>' if alert else ""
    banner = f'<div class="banner" role="note">{SIMULATED} (black, dashed)</div>' if simulated else ""
    margin = (
        "@media print "
        f'{{ @page {{ @top-center {{ content: "{SIMULATED}"; font: bold 8.5pt sans-serif; color: #6b4a00; }} }} }}'
        if simulated
        else ""
    )
    code = "".join(f"<script>{s}</script>\n" for s in scripts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{escape(description or title)}">
<title>{escape(title)}</title>
<style>
{template("report.css")}{margin}
</style>
</head>
<body{"" if simulated else ' class="measured"'}>
<a class="skip" href="#findings">Skip to the findings</a>
{loud}{banner}
{body}
{code}</body>
</html>
"""


def cell(value: Any) -> str:
    """Escaped text of a table cell; an en dash for nothing."""
    text = "" if value is None else str(value)
    return escape(text) if text else "–"


def number_or_dash(value: float, decimals: int | None = None) -> str:
    """Number of a table cell; an en dash for nothing."""
    return "–" if math.isnan(value) else format_number(value, decimals)
