"""The page of a plan: one offline file, rendered from the finished folder only."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from nanostrata.errors import DataError
from nanostrata.interfaces import figures_plan
from nanostrata.interfaces.figure_style import style
from nanostrata.interfaces.formatting import format_number
from nanostrata.interfaces.plan import INFORMED, energy_text, exposure_unit, interval_text, ranking_rows
from nanostrata.interfaces.report_html import html_table, numbers_html, page, section, template
from nanostrata.interfaces.report_sections import tables_html
from nanostrata.interfaces.run_folder import RunFolder, Table
from nanostrata.io.text_out import write_text

__all__ = ["read_plan", "render_plan"]


@dataclass(frozen=True, slots=True)
class _Figure:
    """What a figure shows in words, its tables, and who draws it."""

    alt: str
    tables: tuple[str, ...]
    draw: Callable[[RunFolder], str | None]


FIGURES = {
    "plan_intervals": _Figure(
        "Expected 68 and 95 % intervals of the share of shell material in every shell, planned and proposed, on the guessed profile",
        ("intervals",), figures_plan.intervals,
    ),
    "plan_shells": _Figure(
        "For one to eight shells, the expected standard deviation of every shell, planned and proposed", ("resolved",), figures_plan.shells
    ),
    "plan_energies": _Figure(
        "How much wider the intervals become when one energy of the proposal is moved, against the photon energy, with absorption edges",
        ("exchange",), figures_plan.energies,
    ),
    "plan_levers": _Figure(
        "Factor by which every shell's interval narrows for each single improvement, doubled or halved and perfect", ("levers",),
        figures_plan.levers,
    ),
}  # fmt: skip


def render_plan(out_dir: Path | str) -> Path:
    """Write ``plan.html`` and ``figures/*.svg`` of a finished plan.

    Raises
    ------
    DataError
        When the folder holds no plan.
    """
    run = read_plan(out_dir)
    with style():
        drawn = {name: f.draw(run) for name, f in FIGURES.items()}
    figures = {name: svg for name, svg in drawn.items() if svg is not None}
    for name, svg in figures.items():
        write_text(run.path / "figures" / f"{name}.svg", svg)
    return write_text(run.path / "plan.html", _html(run, figures))


def read_plan(out_dir: Path | str) -> RunFolder:
    """Read plan.json and tables/*.csv."""
    path = Path(out_dir)
    file = path / "plan.json"
    if not file.is_file():
        raise DataError(f"{path}: expected a plan with plan.json, found none; run `nanostrata plan` first")
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected JSON, {error}; run `nanostrata plan` again") from error
    raw = {f.stem: f.read_bytes() for f in sorted((path / "tables").glob("*.csv"))}
    return RunFolder(path=path, summary=summary, tables={n: _table(n, c) for n, c in raw.items()}, csv_bytes=raw)


def _table(name: str, content: bytes) -> Table:
    header, *rows = list(csv.reader(content.decode("utf-8").splitlines()))
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    return Table(name, dict(zip(header, (tuple(c) for c in columns), strict=True)))


def _html(run: RunFolder, figures: Mapping[str, str]) -> str:
    blocks = [
        ("findings", "The answer", _answer(run)),
        ("intervals", "Expected intervals", _intervals(run, figures)),
        ("shells", "How many shells", _shells(run, figures)),
        ("energies", "Energies and exposures", _energies(run, figures)),
        ("levers", "What would help most", _levers(run, figures)),
        ("assumptions", "Flux normalisation and densities", _rankings(run)),
        ("basis", "What this rests on", _basis(run)),
        ("numbers", "Numbers", tables_html(run)),
    ]
    shown = [b for b in blocks if b[2]]
    contents = "".join(f'<li><a href="#{ident}">{escape(title)}</a></li>' for ident, title, _ in shown)
    sections = "".join(section(run, ident, title, body, first=i == 0) for i, (ident, title, body) in enumerate(shown))
    m = run.get("materials")
    title = f"Plan: {run.get('title')}"
    body = f"""<div class="frame">
<nav class="contents" aria-label="Contents"><ol>{contents}</ol></nav>
<main>
<header class="title"><h1>{escape(title)}</h1><p class="subtitle">{escape(f"{m['core']} / {m['shell']} in {m['medium']}")} ·
{"guess from measured curves" if run.get("measured") else "before any measurement"}</p></header>
{sections}
<footer>nanostrata {escape(str(run.get("software.version")))}, seed {run.get("seed")}. This page works offline and loads nothing.</footer>
</main>
</div>"""
    return page(
        title, body, simulated=False, scripts=[template("report.js")], description="What a planned beamtime will tell"
    )


def _figure(run: RunFolder, figures: Mapping[str, str], name: str, caption: str) -> str:
    if name not in figures:
        return ""
    source = "data:image/svg+xml;base64," + base64.b64encode(figures[name].encode()).decode("ascii")
    return (
        f'<figure id="figure-{name}" class="wide"><div class="scroll"><img src="{source}" alt="{escape(FIGURES[name].alt)}"></div>'
        f"<figcaption>{caption}</figcaption>{numbers_html(run, FIGURES[name].tables, name)}</figure>"
    )


def _said(run: RunFolder, about: str) -> list[str]:
    return [str(f["text"]) for f in run.get("findings") if f["about"] == about]


def _answer(run: RunFolder) -> str:
    planned, proposed = run.get("planned"), run.get("proposed")
    neck = run.get("bottleneck")
    gain = float(run.get("gain"))
    tiles = [
        ("shells to ±0.10 as planned", str(planned["resolved_shells"]["below_0.10"]), f"proposed: {proposed['resolved_shells']['below_0.10']}"),
        ("planned", _plan_text(planned), f"{planned['total_exposure_s']:.3g} {run.get('exposure_unit')} in total"),
        ("proposed", _plan_text(proposed), " + ".join(f"{t:.3g}" for t in proposed["exposure_s"]) + f" {run.get('exposure_unit')}"),
        ("intervals of the proposal", f"{100 * (1 - 1 / gain):.0f} % narrower" if gain >= 1.02 else "as planned", "on average, same total exposure"),
    ]  # fmt: skip
    if neck:
        tiles.append(("bottleneck", neck["name"], f"{neck['change']}: × {neck['gain']:.2f}"))
    shown = "".join(
        f'<div class="tile"><dt>{escape(a)}</dt><dd style="white-space:normal">{escape(b)}</dd><dd class="more">{escape(c)}</dd></div>'
        for a, b, c in tiles
    )
    items = "".join(
        f'<li class="finding grade-moderate" style="grid-template-columns:1fr"><p class="sentence">{escape(f["text"])}</p></li>'
        for f in run.get("findings")
        if f["about"] in ("shells", "proposal", "levers")
    )
    warned = "".join(f"<li>{escape(w['message'])}</li>" for w in run.get("warnings"))
    alarm = f'<ul class="warnings">{warned}</ul>' if warned else ""
    return f'<dl class="tiles">{shown}</dl><ul class="findings">{items}</ul>{alarm}'


def _plan_text(answer: Mapping[str, Any]) -> str:
    return f"{energy_text(answer['energies_kev'])} keV"


def _intervals(run: RunFolder, figures: Mapping[str, str]) -> str:
    planned, proposed = run.get("planned"), run.get("proposed")
    rows = []
    for k, x in enumerate(planned["shell_fraction"]["value"]):
        cells = [str(k + 1), format_number(x, 2)]
        for answer in (planned, proposed):
            sigma = answer["without_coupling"]["sigma"][k]
            cells += [
                interval_text(answer["shell_fraction"]["interval68"][k]),
                f"±{format_number(sigma, 2 if sigma >= 0.0995 else 3)}",
                INFORMED[answer["informed_by"][k]],
            ]
        rows.append([escape(c) for c in cells])
    table = html_table(
        ["shell", "guessed x", "planned: 68 %", "without coupling", "rests on", "proposed: 68 %", "without coupling", "rests on"], rows,
        numeric=(1, 2, 3, 5, 6),
    )  # fmt: skip
    caption = (
        "Intervals that a fit will state when the sample is as guessed (dashes): thick 68 %, thin 95 %, with the walls 0 and 1. "
        "On grey ground the planned data leave a shell to the prior. The smoothness prior pulls towards no steps, so that an interval "
        "need not be centred on the guess."
    )
    return (
        f"<p>{escape(' '.join(_said(run, 'intervals')))}</p>" + _figure(run, figures, "plan_intervals", caption) + table
        + '<p class="note">“Without coupling” is the answer without the smoothness prior and with a wider model error; from it a '
        "shell is said to rest on data (below 0.10), weakly (below 0.20) or on the prior, as in the report of a fit.</p>"
    )  # fmt: skip


def _shells(run: RunFolder, figures: Mapping[str, str]) -> str:
    caption = (
        "Expected standard deviation of x when the particle is cut into one to eight shells, without coupling: blue below 0.10, "
        "yellow below 0.20, grey what stays the prior (which alone has 0.29)."
    )
    return _figure(run, figures, "plan_shells", caption)


def _energies(run: RunFolder, figures: Mapping[str, str]) -> str:
    rows = []
    element, unit = run.get("edge_element"), exposure_unit(run.summary)
    for r in run.get("energies"):
        shown = element or r["nearest_edge"].split()[0]
        rows.append(
            [
                energy_text([r["energy_kev"]]),
                *("–" if r[k] is None else f"{r[k]:.3g}" for k in ("planned_exposure_s", "proposed_exposure_s")),
                escape(f"{r['nearest_edge']}, {r['edge_distance_ev']:+.0f} eV".replace("-", "−")),
                f"{format_number(r['f_prime'][shown], 2)} ({format_number(r['f_prime_other_table'][shown], 2)})",
                format_number(r["core_excess_e_nm3"], 0), format_number(r["shell_excess_e_nm3"], 0),
            ]
        )  # fmt: skip
    head = f"f′ of {element}" if element else "f′ of that element"
    table = html_table(
        ["energy (keV)", f"planned ({unit})", f"proposed ({unit})", "nearest edge", f"{head} (other table)", "core (e/nm³)", "shell (e/nm³)"], rows,
        numeric=(1, 2, 4, 5, 6), caption="Excess densities against the medium. Close to an edge the tables of f′ disagree.",
    )  # fmt: skip
    caption = (
        "Typical interval when one energy of the proposal is moved to another place and everything else is held. Triangles: "
        "planned energies. Dotted: absorption edges; energies closer to one than "
        f"{run.get('assumptions.edge_distance_ev'):g} eV are not tried."
    )
    return (
        _figure(run, figures, "plan_energies", caption) + table
        + _sets(run, "energy_sets", "The best choice of each number of energies, against the plan")
        + _subsets(run)
    )  # fmt: skip


def _sets(run: RunFolder, key: str, caption: str, most: int = 99) -> str:
    found = run.get(key) or []
    if not found:
        return ""
    n = len(found[0]["shell_factor"])
    rows = [
        [
            energy_text(s["energies_kev"]), " + ".join(f"{t:.3g}" for t in s["exposure_s"]), f"{s['factor']:.2f}",
            *(f"{f:.2f}" for f in s["shell_factor"]),
        ]
        for s in found[:most]
    ]  # fmt: skip
    heads = [
        "energies (keV)",
        f"exposures ({exposure_unit(run.summary)})",
        "intervals ×",
        *(f"shell {k + 1}" for k in range(n)),
    ]
    return html_table(
        heads,
        rows,
        numeric=range(2, 3 + n),
        caption=f"{caption}: typical interval, and that of each shell; without coupling, the walls as a Gaussian, as the search compares them.",
    )


def _subsets(run: RunFolder) -> str:
    table = _sets(run, "subsets", "Choices among the planned energies with equal exposures, against all of them")
    return f"<details><summary>Choices among the planned energies</summary>{table}</details>" if table else ""


def _levers(run: RunFolder, figures: Mapping[str, str]) -> str:
    caption = (
        "Factor by which the interval of each shell narrows when one thing alone improves. A longer q range has more points, "
        "with the spacing of the last ones and the noise of the stated law."
    )
    rows = [[escape(v["name"]), escape(v["change"]), f"{v['typical_gain']:.2f}"] for v in run.get("levers")]
    table = html_table(["improvement", "to", "intervals ÷"], rows, numeric=(2,))
    return (
        _figure(run, figures, "plan_levers", caption)
        + f"<details><summary>Improvements in words</summary>{table}</details>"
    )  # fmt: skip


def _rankings(run: RunFolder) -> str:
    said = "".join(f"<p>{escape(t)}</p>" for t in _said(run, "assumptions"))
    tables = "".join(
        html_table([escape(c) for c in columns], [[escape(c) for c in row] for row in rows], caption=f"{title}.")
        for title, columns, rows in ranking_rows(run.summary)
    )
    return said + tables


def _basis(run: RunFolder) -> str:
    rows = [[escape(a), escape(b)] for a, b in _assumptions(run.get("assumptions"))]
    notes = "".join(f"<li>{escape(n)}</li>" for n in run.get("notes"))
    return (
        "<p>Fisher information of the model of the fit at the guess: with all its nuisances and priors, but one guess of the sample, no "
        "error of the model beyond those listed, and independent noise of the points. The posterior is taken as a Gaussian cut "
        "off by the walls.</p>" + html_table(["quantity", "assumed"], rows) + (f"<ul>{notes}</ul>" if notes else "")
    )  # fmt: skip


def _assumptions(a: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    noise, density = a["noise"], a["density_uncertainty"]
    if "photons_per_s" in noise:
        counting = f"{noise['photons_per_s']:.3g} photons/s on a volume fraction of {noise['volume_fraction']:.2g}"
    else:
        counting = (
            f"{100 * noise['relative_at_q_min']:.2g} % at the smallest, {100 * noise['relative_at_q_max']:.2g} % at the largest q after "
            f"{noise['reference_exposure_s']:g} s, falling with the root of the exposure"
        )
    glow = "none"
    if noise["fluorescence"]:
        glow = f"computed; photons below {100 * noise['detector_threshold']:.0f} % of the beam's energy are not counted"
    return [
        ("q", f"{a['q_range_inv_nm'][0]:.3g} to {a['q_range_inv_nm'][1]:.3g} 1/nm, {a['points']} points"),
        ("counting noise of a point", counting),
        ("noise that stays", f"{100 * noise['floor']:.2g} % of each point"),
        ("fluorescence", glow),
        ("diameter", f"{a['diameter_mean_nm']['value']:.3g} ± {a['diameter_mean_nm']['sigma']:.2g} nm, spread {a['diameter_std_nm']['value']:.2g} ± "
                     f"{a['diameter_std_nm']['sigma']:.2g} nm ({a['shape']})"),
        ("flux normalisation", "free at each energy" if a["scale_uncertainty"] is None else f"{100 * a['scale_uncertainty']:.2g} % at each energy"),
        ("background", a["background"]),
        ("mean x (EDX)", "not known" if a["mean_x_uncertainty"] is None else f"±{a['mean_x_uncertainty']:.2g}"),
        ("densities of core and shell", f"{100 * density['core']:.2g} and {100 * density['shell']:.2g} %"),
        ("density of the medium", f"{100 * a['medium_density_uncertainty']:.2g} %"),
        ("energy", f"calibrated to {a['energy_uncertainty_ev']:.2g} eV, bandwidth {a['energy_resolution_ev']:.2g} eV (standard deviations)"),
        ("f′, f″", a["factors"]),
        ("smoothness between shells", "none" if a["smoothness_sd"] is None else f"steps of {a['smoothness_sd']:.2g}, in the main answer only"),
        ("energies to choose from", f"{a['energy_range_kev'][0]:.4g} to {a['energy_range_kev'][1]:.4g} keV, {a['edge_distance_ev']:g} eV from every edge"),
    ]  # fmt: skip
