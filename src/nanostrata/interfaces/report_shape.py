"""Section of the report: the shape found without a model."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from nanostrata.interfaces.figures_shape import MAP, has_map
from nanostrata.interfaces.formatting import as_float
from nanostrata.interfaces.report_html import figure_html, html_table
from nanostrata.interfaces.run_folder import RunFolder
from nanostrata.interfaces.shape_page import (
    SHAPE_CAPTIONS,
    before_table,
    notes_list,
    reading_table,
    runs_table,
    spread_table,
    surface_viewer,
    tem_table,
)
from nanostrata.io.mrc import read_mrc

__all__ = ["shape_section"]


def shape_section(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Surface, what was read, checks and runs; or why the stage was left out."""
    s = run.get("shape")
    if not isinstance(s, Mapping):
        return ""
    if s.get("left_out"):
        return f"<p>The shape without a model was left out: {escape(str(s['left_out']))}.</p>"
    if not has_map(run):
        return ""
    occupancy, voxel_nm, _ = read_mrc(run.path.joinpath(*MAP))
    words = (
        f"<p>Beads were moved until they explained the curve <b>{escape(str(s.get('curve')))}</b> alone. No form was put in, and "
        "nothing of the fit but the spread of the sizes. The particle is taken for even inside.</p>"
    )
    return "".join(
        [
            words,
            surface_viewer(occupancy, voxel_nm, float(s["cutoff"])),
            figure_html(run, figures, "shape_sections", SHAPE_CAPTIONS["shape_sections"][0]),
            reading_table(s),
            figure_html(run, figures, "shape_cuts", SHAPE_CAPTIONS["shape_cuts"][0]),
            _beside_tem(run, figures, s),
            "<h3>How much of it is real?</h3>",
            spread_table(s),
            _uneven(s),
            figure_html(run, figures, "shape_runs", SHAPE_CAPTIONS["shape_runs"][0]),
            runs_table(run),
            figure_html(run, figures, "shape_curve", SHAPE_CAPTIONS["shape_curve"][0]),
            before_table(s),
            notes_list(s),
        ]
    )


def _beside_tem(run: RunFolder, figures: Mapping[str, str], s: Mapping[str, Any]) -> str:
    table = tem_table(s)
    if not table:
        return ""
    return "<h3>Beside TEM</h3>" + figure_html(run, figures, "shape_tem", SHAPE_CAPTIONS["shape_tem"][0]) + table


def _uneven(s: Mapping[str, Any]) -> str:
    """What the fitted gradient would make of the radius of gyration at each energy."""
    rows = []
    for r in s.get("apparent_rg", ()):
        off = 100.0 * (as_float(r.get("over_true")) - 1.0)
        here = as_float(r.get("energy_kev")) == as_float(s.get("energy_kev"))
        text = f"{off:+.1f} %".replace("-", "\u2212")
        rows.append([f"{as_float(r.get('energy_kev')):g} keV" + (" (used)" if here else ""), text])
    if not rows:
        return ""
    caption = "Radius of gyration that the fitted gradient would show at each energy, against that of its outer form"
    return html_table(["energy", "apparent Rg"], rows, caption=caption, numeric=(1,))
