"""``nanostrata check``: shows what was understood of a project, before any fit."""

from __future__ import annotations

import dataclasses
from html import escape
from pathlib import Path
from typing import Any

from nanostrata.interfaces import console
from nanostrata.pipeline.check_factors import TableSpread, factor_picture
from nanostrata.pipeline.check_run import CheckReport, inspect_project

__all__ = ["check_project", "report_json"]


def check_project(project: Path, *, out: Path | None = None, as_json: bool = False) -> int:
    """Show a project's files, factors, contrasts, warnings and problems.

    Parameters
    ----------
    project : the project file
    out : folder for ``check.html``, ``check_curves.svg`` and ``check_factors.svg``; nothing is written without it
    as_json : print JSON on stdout, nothing else

    Returns
    -------
    int
        0, or 2 when there is a problem that would stop a run.
    """
    report = inspect_project(project)
    if as_json:
        console.show_json(report_json(report))
    else:
        _show(report)
        for _, text in report.warnings:
            console.warn(text)
    if out is not None and report.recipe is not None:
        page = _write_page(report, out)
        console.progress()(f"wrote {page}")
    if report.problems:
        console.refuse(report.problems)
        return 2
    if not as_json:
        console.say(f"ready: nanostrata run {project}")
    return 0


def _show(report: CheckReport) -> None:
    if report.recipe is not None:
        console.say(report.recipe.sample.title + "\n")
        for title, columns, rows in _tables(report):
            console.show_table(columns, rows, title=title)
        for note in _notes(report):
            console.say(f"note: {note}")
        for row in report.spread:
            console.say(f"tables: {row.text}")


def report_json(report: CheckReport) -> dict[str, Any]:
    """Return everything of a check as plain JSON types; complex numbers as [real, imaginary]."""
    recipe = report.recipe
    return {
        "project_file": str(recipe.file) if recipe is not None else None,
        "title": recipe.sample.title if recipe is not None else None,
        "inputs": [dataclasses.asdict(f) for f in report.files],
        "factors": [_plain(dataclasses.asdict(f)) for f in report.factors],
        "contrast": [_plain(dataclasses.asdict(c)) for c in report.contrasts],
        "table_spread": [_spread_json(s) for s in report.spread],
        "first_minimum": [dataclasses.asdict(m) for m in report.minima],
        "tem": None if report.sizes is None else {"mean_nm": report.sizes.mean_nm, "std_nm": report.sizes.std_nm},
        "edx_mean_shell_fraction": report.mean_x,
        "notes": list(report.notes),
        "warnings": [{"code": c, "message": m, "stage": "read"} for c, m in report.warnings],
        "problems": list(report.problems),
    }


def _spread_json(s: TableSpread) -> dict[str, Any]:
    return {
        "energy_kev": s.energy_kev,
        "element": s.element,
        "f_prime": {name: value for name, value, _ in s.f_prime},
        "f_prime_sigma": {name: sigma for name, _, sigma in s.f_prime if sigma is not None},
        "shell_minus_core_e_nm3": dict(zip((name for name, _, _ in s.f_prime), s.step, strict=False)),
        "left_out": dict(s.left_out),
        "text": s.text,
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: [v.real, v.imag] if isinstance(v, complex) else v for k, v in row.items()}


def _tables(report: CheckReport) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, column names and rows of every table that has rows."""
    recipe = report.recipe
    if recipe is None:
        return []
    tables = [
        (
            "Files",
            ["role", "file", "energy (keV)", "unit of q", "q (1/nm)", "points", "dq"],
            [
                [
                    f.role,
                    _beside(f.file, recipe.root) + (f" : {f.entry}" if f.entry else ""),
                    "-" if f.energy_kev is None else f"{f.energy_kev:.4f}",
                    f.unit_read or "-",
                    "-" if f.q_min_inv_nm is None else f"{f.q_min_inv_nm:.4g} to {f.q_max_inv_nm:.4g}",
                    f"{f.points_kept} of {f.points_read}" if f.points_read else "-",
                    "yes" if f.resolution else "-",
                ]
                for f in report.files
            ],
        ),
        _factor_table(report),
        (
            f"Excess electron density against the medium ({report.contrasts[0].medium:.1f} e/nm3), real part"
            if report.contrasts
            else "",
            ["energy (keV)", "core (e/nm3)", "shell (e/nm3)", "shell / core"],
            [
                [f"{c.energy_kev:.4f}", f"{c.core_excess.real:.1f}"]
                + (
                    ["-", "-"]
                    if c.shell_excess is None
                    else [f"{c.shell_excess.real:.1f}", _ratio(c.shell_excess, c.core_excess)]
                )
                for c in report.contrasts
            ],
        ),
        (
            "First minimum of I q^4",
            ["curve", "energy (keV)", "q (1/nm)", "sigma (1/nm)"],
            [
                [
                    m.label,
                    "-" if m.energy_kev is None else f"{m.energy_kev:.4f}",
                    f"{m.q_inv_nm:.4f}",
                    f"{m.sigma_inv_nm:.4f}",
                ]
                for m in report.minima
            ],
        ),
        ("Contrasts as given", ["file", "core", "shell", "medium", "unit"], _given_contrasts(report)),
        ("TEM and EDX", ["quantity", "value"], _other_rows(report)),
    ]
    return [t for t in tables if t[2]]


def _factor_table(report: CheckReport) -> tuple[str, list[str], list[list[str]]]:
    """Title, column names and rows of the factors; a column for measured ones where there are any."""
    asaxs = report.recipe.asaxs if report.recipe is not None else None
    if asaxs is None:
        return "", [], []
    used = (
        asaxs.factors if isinstance(asaxs.factors, str) else f"{asaxs.factors.name} is used for its element, chantler"
    )
    names = ["chantler", "cromer_liberman"]
    if any(f.measured is not None for f in report.factors):
        names.append("measured")
    columns = [f"{sign} {n.replace('_', '-')}" for sign in ("f'", "f''") for n in names]
    rows = []
    for f in report.factors:
        values: list[complex | None] = [getattr(f, n) for n in names]
        cells = ["-" if v is None else f"{v.real:.3f}" for v in values]
        cells += ["-" if v is None else f"{v.imag:.3f}" for v in values]
        rows.append([f"{f.energy_kev:.4f}", f.element, *cells])
    return f"f' and f'' in electrons ({used} is used)", ["energy (keV)", "element", *columns], rows


def _notes(report: CheckReport) -> list[str]:
    """Notes of the project, then those of its files, each once with the files that it holds for."""
    assert report.recipe is not None
    files: dict[str, list[str]] = {}
    for f in report.files:
        for note in f.notes:
            if note not in report.notes:
                files.setdefault(note, []).append(_beside(f.file, report.recipe.root))
    return [*report.notes, *(f"{', '.join(names)}: {note}" for note, names in files.items())]


def _ratio(shell: complex, core: complex) -> str:
    return f"{shell.real / core.real:.4f}" if core.real else "-"


def _given_contrasts(report: CheckReport) -> list[list[str]]:
    table = report.recipe.contrasts if report.recipe is not None else None
    if table is None:
        return []
    return [
        [c.file, *("-" if v is None else str(v) for v in (c.core, c.shell, c.medium)), c.unit or table.unit]
        for c in table.curves
    ]


def _other_rows(report: CheckReport) -> list[list[str]]:
    rows = []
    if report.sizes is not None:
        s = report.sizes
        rows.append(["mean diameter (nm)", f"{s.mean_nm:.3f} ± {s.mean_sigma_nm:.3f}"])
        rows.append(["standard deviation of the diameter (nm)", f"{s.std_nm:.3f} ± {s.std_sigma_nm:.3f}"])
        if s.aspect_ratio is not None:
            rows.append(["aspect ratio", f"{s.aspect_ratio:.3f} ± {s.aspect_sigma or 0.0:.3f}"])
    if report.mean_x is not None:
        rows.append(["mean x from EDX", f"{report.mean_x[0]:.3f} ± {report.mean_x[1]:.3f}"])
    return rows


def _beside(file: str, root: Path) -> str:
    """Name of a file relative to the project's folder, where it lies in it."""
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def _factor_block(report: CheckReport, out: Path) -> list[tuple[str, str]]:
    """Write ``check_factors.svg``; return its part of the page, with a sentence for each energy."""
    import base64

    from nanostrata.interfaces.figures_factors import draw_factors
    from nanostrata.io.text_out import write_text

    assert report.recipe is not None
    curves = factor_picture(report.recipe, [s.energy_kev for s in report.spread])
    if curves is None:
        return []
    svg = draw_factors(curves)
    write_text(out / "check_factors.svg", svg)
    source = base64.b64encode(svg.encode()).decode("ascii")
    alt = f"f', f'' of {curves.element} and the excess electron densities against photon energy, for {', '.join(curves.names)}"
    figure = f'<figure class="wide"><img src="data:image/svg+xml;base64,{source}" alt="{escape(alt)}"></figure>'
    said = "".join(f"<li>{escape(s.text)}</li>" for s in report.spread)
    return [("Factors through the edge", f"{figure}<ul>{said}</ul>")]


def _write_page(report: CheckReport, out: Path) -> Path:
    """Write ``check.html`` (one file that loads nothing) and its picture."""
    import base64

    from nanostrata.interfaces.check_figures import draw_check
    from nanostrata.interfaces.report_html import html_table, page
    from nanostrata.io.text_out import write_text

    assert report.recipe is not None
    blocks: list[tuple[str, str]] = []
    for heading, items in (
        ("Problems", report.problems),
        ("Warnings", [m for _, m in report.warnings]),
        ("Notes", _notes(report)),
    ):
        if items:
            blocks.append((heading, f"<ul>{''.join(f'<li>{escape(i)}</li>' for i in items)}</ul>"))
    if report.curves:
        svg = draw_check(report.curves, report.minima)
        write_text(out / "check_curves.svg", svg)
        source = base64.b64encode(svg.encode()).decode("ascii")
        alt = "curves as read, intensity times q to the fourth power, and the first minimum against energy"
        blocks.append(
            ("Curves", f'<figure class="wide"><img src="data:image/svg+xml;base64,{source}" alt="{alt}"></figure>')
        )
    blocks += _factor_block(report, out)
    for title, columns, rows in _tables(report):
        cells = [[escape(c) for c in row] for row in rows]
        blocks.append((title, html_table([escape(c) for c in columns], cells)))
    contents = "".join(f'<li><a href="#part{i}">{escape(h)}</a></li>' for i, (h, _) in enumerate(blocks))
    sections = "".join(f'<section id="part{i}"><h2>{escape(h)}</h2>{b}</section>' for i, (h, b) in enumerate(blocks))
    simulated = "The data are simulated. " if (report.recipe.root / "truth.json").is_file() else ""
    title = escape(report.recipe.sample.title)
    body = (
        f'<div class="frame"><nav class="contents" aria-label="Contents"><ol>{contents}</ol></nav><main>'
        f'<header class="title"><h1>{title}</h1><p class="subtitle">{simulated}What was read; nothing is fitted.</p>'
        f"</header>{sections}</main></div>"
    )
    return write_text(out / "check.html", page(f"check: {title}", body, simulated=False))
