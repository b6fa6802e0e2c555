"""The page of a comparison: one offline file, rendered from the finished comparison folder only."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from nanostrata.errors import DataError
from nanostrata.interfaces import compare_sections as parts
from nanostrata.interfaces.figure_style import style
from nanostrata.interfaces.report_html import page, section, template
from nanostrata.interfaces.report_sections import tables_html, warnings_html
from nanostrata.interfaces.run_folder import RunFolder, Table
from nanostrata.io.text_out import write_text

__all__ = ["read_comparison", "render_compare"]


def render_compare(out_dir: Path | str) -> Path:
    """Write ``compare.html`` and ``figures/*.svg`` of a finished comparison.

    Parameters
    ----------
    out_dir : folder with comparison.json and tables/*.csv, as :func:`nanostrata.pipeline.compare.compare_runs` writes them

    Returns
    -------
    Path
        ``compare.html``: one file that asks for nothing outside itself.

    Raises
    ------
    DataError
        When the folder holds no comparison.
    """
    run = read_comparison(out_dir)
    with style():
        drawn = {name: f.draw(run) for name, f in parts.FIGURES.items()}
    figures = {name: svg for name, svg in drawn.items() if svg is not None}
    for name in parts.FIGURES:
        file = run.path / "figures" / f"{name}.svg"
        if name in figures:
            write_text(file, figures[name])
        else:
            file.unlink(missing_ok=True)  # of an earlier comparison in the same folder
    target = run.path / "compare.html"
    write_text(target, _html(run, figures))
    return target


def read_comparison(out_dir: Path | str) -> RunFolder:
    """Read comparison.json and tables/*.csv."""
    path = Path(out_dir)
    file = path / "comparison.json"
    if not file.is_file():
        raise DataError(
            f"{path}: expected a comparison with comparison.json, found none; run `nanostrata compare` first"
        )
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected JSON, {error}; run `nanostrata compare` again") from error
    raw = {f.stem: f.read_bytes() for f in sorted((path / "tables").glob("*.csv"))}
    tables = {name: _table(name, content) for name, content in raw.items()}
    return RunFolder(path=path, summary=summary, tables=tables, csv_bytes=raw)


def _table(name: str, content: bytes) -> Table:
    header, *rows = list(csv.reader(content.decode("utf-8").splitlines()))
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    return Table(name, dict(zip(header, (tuple(c) for c in columns), strict=True)))


def _html(run: RunFolder, figures: Mapping[str, str]) -> str:
    blocks = [
        ("findings", "Findings", parts.findings_html(run)),
        ("profiles", "Composition profiles", parts.profiles_html(run, figures)),
        ("quantities", "Size and composition", parts.quantities_html(run, figures)),
        ("diffusion", "Diffusion", parts.diffusion_html(run, figures)),
        ("mismatch", "Lattice mismatch", parts.mismatch_html(run, figures)),
        ("rules", "Design rules", parts.rules_html(run, figures)),
        ("differences", "All differences", parts.differences_html(run)),
        ("samples", "Samples", parts.samples_html(run)),
        ("warnings", "Warnings", warnings_html(run)),
        ("numbers", "Numbers", tables_html(run)),
    ]
    shown = [b for b in blocks if b[2]]
    contents = "".join(f'<li><a href="#{ident}">{escape(title)}</a></li>' for ident, title, _ in shown)
    sections = "".join(section(run, ident, title, body, first=i == 0) for i, (ident, title, body) in enumerate(shown))
    samples = run.get("samples") or []
    title = "Comparison of samples" if len(samples) > 1 else "One sample"
    version = run.get("software.version", "")
    body = f"""<div class="frame">
<nav class="contents" aria-label="Contents"><ol>{contents}</ol></nav>
<main>
<header class="title"><h1>{escape(title)}</h1><p class="subtitle">{escape(_subtitle(samples))}</p></header>
{sections}
<footer>nanostrata {escape(str(version))}, seed {escape(str(run.get("seed")))}. This page works offline and loads nothing.</footer>
</main>
</div>"""
    return page(
        title, body, simulated=run.simulated, scripts=[template("report.js")], description="Samples side by side"
    )


def _subtitle(samples: list[Mapping[str, Any]]) -> str:
    first = samples[0].get("materials") if samples else None
    named = f"{first.get('core')} / {first.get('shell')}" if isinstance(first, Mapping) and first.get("shell") else ""
    return " · ".join(p for p in (named, ", ".join(str(s.get("label")) for s in samples)) if p)
