"""The page of a shape: one offline file with a rotatable surface, rendered from the finished run folder only."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces import figures_shape
from nanostrata.interfaces.figure_style import style
from nanostrata.interfaces.formatting import format_number, format_quantity
from nanostrata.interfaces.report_html import badge, grade_class, html_table, numbers_html, page, section, template
from nanostrata.interfaces.report_sections import tables_html, warnings_html
from nanostrata.interfaces.run_folder import RunFolder, read_run_folder
from nanostrata.interfaces.viewer import script_json, viewer_library
from nanostrata.io.mrc import read_mrc
from nanostrata.io.text_out import write_text

__all__ = [
    "SHAPE_CAPTIONS",
    "before_table",
    "compared_table",
    "is_shape",
    "notes_list",
    "reading_table",
    "render_shape",
    "runs_table",
    "spread_table",
    "surface_viewer",
    "tem_table",
]

_VIEWER_EDGE = 46
"""Voxels per edge of the map inside the page; a finer one is thinned by whole steps."""


def is_shape(run_dir: Path | str) -> bool:
    """Whether a run folder was written by ``nanostrata shape``."""
    run = read_run_folder(run_dir)
    return "shape" in run.summary and "recipe" not in run.summary


def render_shape(run_dir: Path | str) -> Path:
    """Write ``report.html`` and ``figures/*.svg`` of a finished shape.

    Parameters
    ----------
    run_dir : folder as ``nanostrata shape`` writes it

    Returns
    -------
    Path
        ``report.html``: one file that asks for nothing outside itself.

    Raises
    ------
    DataError
        When the folder is no finished run or one of its files cannot be read.
    """
    run = read_run_folder(run_dir)
    occupancy, voxel_nm, _ = read_mrc(run.path / "shape" / "average.mrc")
    with style():
        drawn = {
            "shape_curve": figures_shape.curve_and_distances(run),
            "shape_runs": figures_shape.runs(run),
            "shape_cuts": figures_shape.cuts_and_size(run),
            "shape_sections": figures_shape.sections(run, occupancy, voxel_nm),
            "shape_compared": figures_shape.compared(run),
        }
    figures = {k: v for k, v in drawn.items() if v is not None}
    if "shape_compared" not in figures:
        (run.path / "figures" / "shape_compared.svg").unlink(missing_ok=True)
    for name, svg in figures.items():
        write_text(run.path / "figures" / f"{name}.svg", svg)
    target = run.path / "report.html"
    write_text(target, _html(run, figures, occupancy, voxel_nm))
    return target


def _html(run: RunFolder, figures: Mapping[str, str], occupancy: FloatArray, voxel_nm: float) -> str:
    s = run.summary["shape"]
    body_figure = _figures(run, figures)
    blocks = [
        ("findings", "Findings", _findings(run)),
        ("shape", "Shape", surface_viewer(occupancy, voxel_nm, float(s["cutoff"])) + body_figure["shape_sections"]),
        ("numbers-read", "What was read", reading_table(s) + body_figure["shape_cuts"]),
        ("spread", "With and without the spread of sizes", spread_table(s)),
        ("runs", "Runs", body_figure["shape_runs"] + runs_table(run)),
        ("curve", "Curve and pair distances", body_figure["shape_curve"] + before_table(s) + notes_list(s)),
        ("compared", "Beside other programs", body_figure["shape_compared"] + compared_table(s)),
        ("warnings", "Warnings", warnings_html(run)),
        ("numbers", "Numbers", tables_html(run)),
    ]
    shown = [b for b in blocks if b[2]]
    contents = "".join(f'<li><a href="#{ident}">{escape(title)}</a></li>' for ident, title, _ in shown)
    parts = "".join(section(run, ident, title, body, first=i == 0) for i, (ident, title, body) in enumerate(shown))
    runs = s["runs"]
    subtitle = (
        f"{runs['kept']} of {runs['done']} runs kept, beads of {format_number(s['bead_nm'])} nm, "
        f"spread of sizes {format_number(100 * s['spread'])} %"
        + (" (log-normal)" if s["spread"] and s.get("spread_shape") == "lognormal" else "")
    )
    body = f"""<div class="frame">
<nav class="contents" aria-label="Contents"><ol>{contents}</ol></nav>
<main>
<header class="title"><h1>{escape(run.title)}</h1><p class="subtitle">{escape(subtitle)}</p></header>
{parts}
<footer>nanostrata {escape(str(run.get("software.version", "")))}, seed {escape(str(run.get("seed")))}. This page works
offline and loads nothing.</footer>
</main>
</div>"""
    scripts = [template("report.js"), viewer_library(), template("shape.js")]
    return page(run.title, body, simulated=run.simulated, scripts=scripts, description=f"Shape of {run.title}")


SHAPE_CAPTIONS = {
    "shape_curve": (
        "Measured curve with the curve of the reference run and its residuals (crosses: sizes taken for equal), and "
        "pair distances of the particle of mean size with their "
        "95 % band; dotted: largest distance.", ("shape_curve", "shape_pair_distances"),
    ),
    "shape_runs": (
        "Aspect ratio of every run with the answer, the answer without the spread and what simulated balls are given; "
        "and how far each run lies from the others.", ("shape_runs", "shape_nsd"),
    ),
    "shape_cuts": (
        "Left: lengths of 10 000 random lines through the centre of the particle of mean size, from one half height of the "
        "occupancy to the other (bars), and the same for the ensemble, sizes spread as told (line). Right: volume-equivalent "
        "diameter against the cut-off of the occupancy.",
        ("shape_line_cuts", "shape_size_against_cutoff", "shape_diameters"),
    ),
    "shape_tem": (
        "Diameters read in TEM (grey, with their own reading error) and those that TEM would read off an ensemble of the "
        "average shape: outlines of its projections, axes of the ellipse of the same moments, turned into a diameter by the rule "
        "used for TEM, times the spread of sizes. The mean is found from the curve; the width is the spread that was put in, "
        "and the fit had it partly from TEM.", ("shape_diameters", "shape_tem_readings"),
    ),
    "shape_compared": (
        "Pair distances found here and by others, each divided by its area; bands 95 % where there are errors. In the "
        "sections: occupancy found here with its cut-off in blue, and the outline of the other beads, moved onto it.",
        ("shape_compared", "shape_compared_pair_distances"),
    ),
    "shape_sections": ("Sections through the middle of the occupancy map; the line is the cut-off. x is the longest axis.", ()),
}  # fmt: skip


def _figures(run: RunFolder, figures: Mapping[str, str]) -> dict[str, str]:
    out = dict.fromkeys(SHAPE_CAPTIONS, "")
    for name, svg in figures.items():
        caption, tables = SHAPE_CAPTIONS[name]
        source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
        out[name] = (
            f'<figure id="figure-{name}" class="wide"><div class="scroll"><img src="{source}" alt="{escape(caption)}">'
            f"</div><figcaption>{escape(caption)}</figcaption>{numbers_html(run, tables, name)}</figure>"
        )
    return out


def _findings(run: RunFolder) -> str:
    items = "".join(
        f'<li class="{grade_class(f["grade"])}">{badge(f["grade"])} {escape(f["text"])}'
        + (f' <span class="hint">To improve: {escape(f["improve"])}.</span>' if f.get("improve") else "")
        + "</li>"
        for f in run.summary.get("findings", ())
    )
    return f'<ol class="findings">{items}</ol>'


def reading_table(s: Mapping[str, Any]) -> str:
    """What was read of the average shape."""
    cuts = s["diameter_histogram"]
    rows = [
        ["Radius of gyration (nm)", escape(format_quantity(s["rg_nm"]))],
        ["Largest distance, from p(r) (nm)", escape(format_quantity(s["dmax_nm"]))],
        ["Volume-equivalent diameter of the beads (nm)", escape(format_quantity(s["diameter_nm"]))],
        [
            f"The same of the map at the cut-off {s['cutoff']:.2f} (nm)",
            f"{s['size_at_cutoff_nm']:.2f}" + ("" if s["cutoff_calibrated"] else " (cut-off not calibrated)"),
        ],
        ["Aspect ratio", escape(format_quantity(s["aspect_ratio"]))],
        *(
            [f"{name} axis (nm)", f"{v:.2f} ({low:.2f} to {high:.2f})"]
            for name, v, (low, high) in zip(
                ("Longest", "Middle", "Shortest"), s["axes_nm"]["value"], s["axes_nm"]["interval95"], strict=True
            )
        ),
        ["Line cuts: most frequent (nm)", f"{cuts['mode_nm']:.2f}"],
        ["Line cuts: mean and standard deviation (nm)", f"{cuts['mean_nm']:.2f}, {cuts['std_nm']:.2f}"],
        ["Line cuts: longest over shortest", f"{cuts['longest_over_shortest']:.2f}"],
        *_outline_rows(s),
        ["Resolution, FSC at 0.5 (nm)", f"{s['resolution_nm']:.2f}"],
    ]
    return html_table(["of the particle of mean size", "value (95 % interval)"], rows)


_RULES = {"sphere": "\u221a(M m)", "prolate": "(M m\u00b2)^(1/3)", "oblate": "(M\u00b2 m)^(1/3)"}
"""How the major axis M and the minor axis m of an outline become a diameter."""


def _outline_rows(s: Mapping[str, Any]) -> list[list[str]]:
    """Diameters that lines and outlines find in the ensemble."""
    found = s.get("ensemble_diameters")
    if not found:
        return []
    names = (
        ("line_cuts", "line cuts"),
        ("outlines_random", "outlines, turned at random"),
        ("outlines_lying", "outlines, lying"),
    )
    rows = []
    for key, name in names:
        d = found[key]
        ratio = f"; major over minor axis {d['major_over_minor']:.2f}" if "major_over_minor" in d else ""
        name = name if key == "line_cuts" else f"{_RULES[found['rule']]} of {name}"
        rows.append(
            [f"Ensemble, {name}: mean and standard deviation (nm)", f"{d['mean_nm']:.2f}, {d['std_nm']:.2f}{ratio}"]
        )
    return rows


def _signed(value: float, digits: int) -> str:
    """Number with its sign; none for what is rounded to zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0.0 else text.replace("-", "\u2212")


def tem_table(s: Mapping[str, Any]) -> str:
    """TEM's diameters beside those of the shape's outlines; "" without TEM."""
    tem, found = s.get("tem"), s.get("ensemble_diameters")
    if not tem or not found:
        return ""
    rows = [["read in TEM", f"{tem['mean_nm']:.2f} \u00b1 {tem['mean_sigma_nm']:.2f}", f"{tem['std_nm']:.2f}", "", ""]]
    for key, name in (("random", "shape, turned at random"), ("lying", "shape, lying on its side")):
        t, spread = tem[f"outlines_{key}"], found[f"outlines_{key}"]
        sigma = t["larger_by_sigma"]
        rows.append(
            [
                name, f"{t['mean_nm']:.2f} \u00b1 {t['mean_sigma_nm']:.2f}", f"{spread['std_nm']:.2f}",
                _signed(t["larger_by_nm"], 2),
                "–" if sigma is None else _signed(sigma, 1),
            ]
        )  # fmt: skip
    head = ["diameter", "mean (nm)", "standard deviation (nm)", "larger than TEM by (nm)", "in standard deviations"]
    return html_table(head, rows, numeric=range(1, 5))


def spread_table(s: Mapping[str, Any]) -> str:
    """With and without the spread of sizes, and the checks."""
    rows = [
        [
            f"sizes spread by {100 * s['spread']:.3g} %" if s["spread"] else "particles of one size",
            escape(format_quantity(s["aspect_ratio"])),
        ]
    ]
    if s.get("aspect_ratio_without_spread"):
        rows.append(["taken for particles of one size", escape(format_quantity(s["aspect_ratio_without_spread"]))])
    checks = s["checks"]
    if checks["ball_aspect_ratio"]:
        rows.append(["simulated balls, same spread and errors", escape(format_quantity(checks["ball_aspect_ratio"]))])
    if checks["spheroid_out"]:
        rows.append(
            [
                f"simulated spheroids of aspect ratio {checks['spheroid_in']:.2f}",
                escape(format_quantity(checks["spheroid_out"])),
            ]
        )
    return html_table(["Retrieved for", "aspect ratio (95 % interval)"], rows) + f"<p>{escape(s['real'])}</p>"


def runs_table(run: RunFolder) -> str:
    """One row per run."""
    rows = [
        [
            escape(str(r["run"])), f"{r['chi2_reduced']:.2f}", f"{r['aspect_ratio']:.2f}", f"{r['rg_nm']:.3f}",
            f"{r['diameter_nm']:.2f}", str(r["beads"]), f"{r['mean_nsd']:.2f}",
            ("reference" if r["reference"] else f"family {r['family'] + 1}") if r["kept"] else "left out",
        ]
        for r in run.summary["shape"]["runs"]["each"]
    ]  # fmt: skip
    head = ["run", "chi² per point", "aspect ratio", "Rg (nm)", "diameter (nm)", "beads", "mean NSD", "kept"]
    return html_table(head, rows, numeric=range(1, 7))


def compared_table(s: Mapping[str, Any]) -> str:
    """Ours and others' figures of one curve side by side; "" where nothing was compared."""
    if not s.get("compared"):
        return ""

    def cell(row: Mapping[str, Any], key: str, digits: int) -> str:
        value = row.get(key)
        return "–" if value is None else f"{value:.{digits}f}"

    rows = []
    for row in (*s["compared_here"], *s["compared"]):
        here = "file" not in row
        nsd = cell(row, "nsd_reference", 2) + ("" if row.get("nsd_mean") is None else f" ({row['nsd_mean']:.2f})")
        rows.append(
            [
                escape(f"here, {row['name']}" if here else str(row["name"])), cell(row, "rg_nm", 3),
                cell(row, "rg_from_pair_distances_nm" if here else "", 3), cell(row, "dmax_nm", 2), cell(row, "volume_nm3", 1),
                nsd, cell(row, "shared_volume", 2),
            ]
        )  # fmt: skip
    head = ["whose", "Rg (nm)", "Rg, p(r) (nm)", "largest (nm)", "volume (nm³)", "NSD", "in common"]
    words = (
        "Here, Rg and volume are of the beads and the largest distance is of p(r); of other beads it is that between two "
        "centres. NSD is to the reference run (mean over the kept runs in brackets); for scale, the runs here lie "
        f"{s['nsd_mean']:.2f} from each other. In common: volume of both over that of either."
    )
    if len(s["compared_here"]) > 1:
        words += (
            " Other programs take the particles for equal in size: theirs is to be set beside the row that does the same, "
            "not beside that of the particle of mean size."
        )
    notes = "".join(
        f"<li><b>{escape(str(c['name']))}</b>, {escape(', '.join(filter(None, (str(c['kind']), str(c['software'])))))}: "
        f"{escape('; '.join(map(str, c['notes'])))}.</li>"
        for c in s["compared"]
    )
    return html_table(head, rows, numeric=range(1, 7)) + f"<p>{escape(words)}</p><ul>{notes}</ul>"


def before_table(s: Mapping[str, Any]) -> str:
    """What the curve says before any bead."""
    b = s["before"]
    rows = [
        [
            "Rg by Guinier's law, as the ensemble scatters (nm)",
            escape(format_quantity(b["guinier_rg_nm"])) if b["guinier_rg_nm"] else "–",
        ],
        ["Rg from p(r), particle of mean size (nm)", escape(format_quantity(b["rg_from_pair_distances_nm"]))],
        ["Porod volume, as the ensemble scatters (nm³)", escape(format_quantity(b["porod_volume_nm3"]))],
        ["chi² per point of p(r)", f"{b['chi2_reduced']:.2f}"],
        ["q used (1/nm)", f"{s['q_range_inv_nm'][0]:.3g} to {s['q_range_inv_nm'][1]:.3g}, {s['points']} points"],
    ]
    note = f"<p>{escape(b['guinier_note'].capitalize())}.</p>" if b["guinier_note"] else ""
    return html_table(["before any bead", "value"], rows) + note


def notes_list(s: Mapping[str, Any]) -> str:
    """What was chosen on the way, one line each."""
    lines = "".join(f"<li>{escape(_sentence(str(n)))}</li>" for n in s.get("notes", ()))
    return f"<h3>What was chosen</h3><ul>{lines}</ul>" if lines else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def surface_viewer(occupancy: FloatArray, voxel_nm: float, cutoff: float) -> str:
    """Markup and data of the rotatable surface."""
    step = -(-occupancy.shape[0] // _VIEWER_EDGE)
    middle = occupancy.shape[0] // 2
    pick = np.arange(middle % step, occupancy.shape[0], step)
    thin = occupancy[np.ix_(pick, pick, pick)]
    data = {
        "n": len(pick), "voxel": voxel_nm * step * 10.0, "origin": (int(pick[0]) - middle) * voxel_nm * 10.0,
        "cutoff": cutoff, "values": np.round(100 * thin).astype(int).ravel().tolist(),
    }  # fmt: skip
    return f"""
<div class="viewer" id="shape-viewer">
  <div class="viewer-controls">
    <fieldset><legend>Surface</legend>
      <label class="cut-range">cut-off of the occupancy: <output id="shape-level">{cutoff:.2f}</output>
        <input type="range" id="shape-cutoff" min="5" max="95" value="{round(100 * cutoff)}" aria-label="Cut-off, per cent"></label>
      <label><input type="checkbox" id="shape-clear"> see through</label>
    </fieldset>
    <button type="button" id="shape-reset">Reset view</button>
  </div>
  <div class="viewer-stage" id="shape-stage" role="img"
    aria-label="Rotatable surface of the occupancy map at the cut-off of the slider">
    <p class="viewer-message" id="shape-message">The rotatable picture needs JavaScript and WebGL.
      The sections below show the same map.</p>
  </div>
  <p class="hint">Drag to rotate, scroll or pinch to zoom. Red, green and blue lines: 1 nm along x, y and z.</p>
  <script type="application/json" id="shape-data">{script_json(data)}</script>
</div>"""
