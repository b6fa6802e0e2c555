"""The report of a run: one offline page, figures, methods text, rendered from the finished run folder only."""

from __future__ import annotations

from html import escape
from pathlib import Path

from nanostrata.interfaces import report_data as data
from nanostrata.interfaces import report_sections as parts
from nanostrata.interfaces.cite import software_of
from nanostrata.interfaces.figures import draw_figures
from nanostrata.interfaces.figures_shape import has_map
from nanostrata.interfaces.methods import methods_text
from nanostrata.interfaces.report_diffusion import diffusion_html, mismatch_html
from nanostrata.interfaces.report_energies import energies_html
from nanostrata.interfaces.report_families import families_html
from nanostrata.interfaces.report_findings import findings_html, tiles_html
from nanostrata.interfaces.report_html import page, section, template
from nanostrata.interfaces.report_index import render_index
from nanostrata.interfaces.report_particles import particle_html
from nanostrata.interfaces.report_resolution import resolution_html
from nanostrata.interfaces.report_separation import separation_html
from nanostrata.interfaces.report_shape import shape_section
from nanostrata.interfaces.report_strain import strain_html
from nanostrata.interfaces.report_verification import alert_text, verdict_html, verification_html
from nanostrata.interfaces.report_waxs import waxs_html
from nanostrata.interfaces.run_folder import RunFolder, read_run_folder
from nanostrata.interfaces.viewer import viewer_library
from nanostrata.io.text_out import write_text

__all__ = ["render_index", "render_report"]


def render_report(run_dir: Path | str) -> Path:
    """Write ``report.html``, ``figures/*.svg`` and ``methods.md`` of a finished run.

    Parameters
    ----------
    run_dir : folder with ``summary.json``, and what there is of ``tables/*.csv`` and ``structures/particle.xyz``; a
        part of the report whose table is absent is left out

    Returns
    -------
    Path
        ``report.html``: one file that asks for nothing outside itself.

    Raises
    ------
    DataError
        When the folder is no finished run or one of its files cannot be read.

    Notes
    -----
    The same folder gives the same bytes. Files appear under their names only when they are complete.
    """
    run = read_run_folder(run_dir)
    figures = draw_figures(run)
    for name, svg in figures.items():
        write_text(run.path / "figures" / f"{name}.svg", svg)
    write_text(run.path / "methods.md", methods_text(run.summary))
    target = run.path / "report.html"
    write_text(target, _html(run, figures))
    return target


def _html(run: RunFolder, figures: dict[str, str]) -> str:
    blocks = [
        ("findings", "Findings", verdict_html(run) + findings_html(run) + tiles_html(run)),
        ("profile", "Composition profile", parts.profile_html(run, figures)),
        ("resolution", "What the data resolve", resolution_html(run, figures)),
        ("families", "Which kind of profile?", families_html(run, figures)),
        ("data", "Curves and fit", data.data_html(run, figures)),
        ("energies", "Do the energies belong together?", energies_html(run, figures)),
        ("radii", "Radii and contrasts", data.contrasts_html(run)),
        ("separation", "The resonant element alone", separation_html(run, figures)),
        ("sizes", "Size and composition", parts.sizes_html(run, figures)),
        ("spheroid", "Sphere or spheroid", data.shape_html(run)),
        ("shape", "The shape without a model", shape_section(run, figures)),
        ("waxs", "Wide-angle peaks", waxs_html(run, figures)),
        ("particle", "The particles", particle_html(run, figures)),
        ("strain", "Relaxed atoms and strain", strain_html(run, figures)),
        ("verification", "Do the atoms answer to the data?", verification_html(run, figures)),
        ("diffusion", "Depth profile and diffusion", diffusion_html(run, figures)),
        ("mismatch", "Lattice mismatch", mismatch_html(run, figures)),
        ("factors", "f′ and f″", data.factors_html(run)),
        ("warnings", "Warnings", parts.warnings_html(run)),
        ("inputs", "What was read", data.inputs_html(run)),
        ("methods", "Methods text", parts.methods_html(run)),
        ("settings", "Settings", parts.settings_html(run)),
        ("numbers", "Numbers", parts.tables_html(run)),
    ]
    shown = [(ident, title, body) for ident, title, body in blocks if body]
    contents = "".join(f'<li><a href="#{ident}">{escape(title)}</a></li>' for ident, title, _ in shown)
    sections = "".join(section(run, ident, title, body, first=i == 0) for i, (ident, title, body) in enumerate(shown))
    name, version = software_of(run.summary)
    maker = f"{name} {version}, seed {run.get('seed', 'not stated')}"
    body = f"""<div class="frame">
<nav class="contents" aria-label="Contents"><ol>{contents}</ol></nav>
<main>
<header class="title"><h1>{escape(run.title)}</h1><p class="subtitle">{escape(_subtitle(run))}</p></header>
{sections}
<footer>{escape(maker)}. This page works offline and loads nothing.</footer>
</main>
</div>"""
    surface = has_map(run)
    scripts = [viewer_library()] if surface or (run.particle is not None and run.particle.symbols) else []
    return page(
        run.title,
        body,
        simulated=run.simulated,
        scripts=[*scripts, template("report.js"), *([template("shape.js")] if surface else [])],
        description=f"Report on {run.title}",
        alert=alert_text(run),
    )


def _subtitle(run: RunFolder) -> str:
    """Materials, medium and number of curves, as far as the run says them."""
    materials = [run.first(f"materials.{m}", f"recipe.materials.{m}.formula") for m in ("core", "shell")]
    named = " / ".join(str(m) for m in materials if m)
    medium = run.first("sample.medium", "recipe.sample.medium")
    inside = f"in {medium}" if isinstance(medium, str) else ""
    count = len(run.first("asaxs.per_energy", "contrasts.per_curve") or [])
    edge = run.get("recipe.asaxs.edge")
    curves = f"{count} curve{'s' if count != 1 else ''}{f' at the {edge} edge' if edge else ''}" if count else ""
    return " · ".join(p for p in (f"{named} {inside}".strip(), curves) if p)
