"""The particles of the report: the typical one to rotate, its numbers, and the ensemble that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from itertools import pairwise
from typing import Any

from nanostrata.interfaces.figures_atoms import typical_row
from nanostrata.interfaces.formatting import as_float, format_number, format_quantity, shell_quantities
from nanostrata.interfaces.report_findings import truth_note
from nanostrata.interfaces.report_html import cell, figure_html, html_table, number_or_dash, numbers_html
from nanostrata.interfaces.report_verification import sentences_of
from nanostrata.interfaces.run_folder import RunFolder
from nanostrata.interfaces.viewer import viewer_html

__all__ = ["particle_html"]

Figures = Mapping[str, str]


def particle_html(run: RunFolder, figures: Figures) -> str:
    """Rotatable particle, its still, its numbers, atoms of each element, the ensemble."""
    parts = [_viewer(run, figures), _numbers(run), _count_table(run), _shell_table(run), _ensemble(run, figures)]
    return "".join(parts)


def _viewer(run: RunFolder, figures: Figures) -> str:
    particle = run.particle
    if particle is None or not particle.symbols:
        return ""
    edges = run.get("profile.edges_nm")
    labels = []
    diameter = as_float(particle.info.get("nanostrata_diameter_nm"))
    if isinstance(edges, list) and edges:
        bounds = [0.0, *(as_float(e.get("value") if isinstance(e, Mapping) else e) for e in edges)]
        scale = diameter / (2 * bounds[-1]) if diameter > 0 and bounds[-1] > 0 else 1.0
        labels = [f"shell {k}: {a * scale:.2f}–{b * scale:.2f} nm" for k, (a, b) in enumerate(pairwise(bounds), 1)]
    many = as_float(run.get("atoms.particles"))
    which = (
        f"Of {many:.0f} particles that were built, the one nearest to the mean diameter"
        if many > 1
        else "One particle built from the profile on the crystal lattice"
    )
    size = f", {format_number(diameter, 2)} nm across" if diameter > 0 else ""
    intro = (
        f"<p>{which}: {len(particle.symbols)} atoms{size}. Which site carries which element inside a shell is drawn at "
        "random: the picture shows one of many particles that fit equally well. “Cut in half” takes the half in front "
        "away.</p>"
    )
    still = figure_html(
        run,
        figures,
        "particle",
        "The same particle as a still, seen along z: whole, and cut in half to show the inside.",
    )
    files = (
        '<p class="numbers">Atoms: <a href="structures/particle.xyz">structures/particle.xyz</a> (extended XYZ, '
        "ångström) · "
        'still picture: <a href="figures/particle.svg">figures/particle.svg</a></p>'
    )
    return intro + viewer_html(particle, labels) + files + still


def _numbers(run: RunFolder) -> str:
    """Charge, coverage and exchange unit, as far as the run states them."""
    rows = []
    charge, mean = as_float(run.get("atoms.charge_e")), as_float(run.get("atoms.charge_mean_e"))
    if not math.isnan(charge):
        among = f"; mean over the ensemble {_signed(mean, 1)} e" if not math.isnan(mean) else ""
        rows.append(["charge of the particle shown", escape(f"{_signed(charge, 0)} e{among}")])
    coverage = run.get("atoms.coverage")
    if isinstance(coverage, Mapping) and not math.isnan(as_float(coverage.get("value"))):
        rows.append(["share of shell material in the outermost layer", _coverage(run, coverage)])
    elif isinstance(coverage, (int, float)) and not isinstance(coverage, bool):
        rows.append(["share of shell material in the outermost layer", escape(format_number(float(coverage)))])
    exchange = sentences_of(run.get("atoms.exchange_unit"))
    if exchange:
        rows.append(["exchange unit", escape(" ".join(exchange))])
    balance = _balance(run.get("atoms.charge_balance"))
    if balance:
        rows.append(["charge balance", "<br>".join(escape(b) for b in balance)])
    return "<h3>Charge and surface</h3>" + html_table(["quantity", "value"], rows) if rows else ""


def _coverage(run: RunFolder, coverage: Mapping[str, Any]) -> str:
    """Coverage of the layer, and which layer and spread it is where the run says so."""
    layer = str(run.get("atoms.coverage_layer") or "")
    if not layer:
        return f"<b>{escape(format_quantity(coverage))}</b>"
    by_sites = as_float(run.get("atoms.coverage_by_sites"))
    text = f"of the outermost {layer}s; ± is the spread from particle to particle"
    text += f"; counting empty sites, too: {format_number(by_sites)}" if not math.isnan(by_sites) else ""
    bare = {k: coverage.get(k) for k in ("value", "sigma")}
    return f"<b>{escape(format_quantity(bare))}</b> {escape(text)}"


def _balance(value: Any) -> list[str]:
    """Where the charge of a particle comes from, and what was said about it."""
    sentences = sentences_of(value)
    if not isinstance(value, Mapping):
        return sentences
    named = (
        ("surface_excess_e", "from unequal numbers of cation and anion sites, which ligands would balance"),
        ("formula_e", "from formulas that are not neutral"),
        ("residue_e", "from whole numbers of atoms"),
    )
    parts = [(as_float(value.get(key)), words) for key, words in named]
    known = [f"{_signed(v, 0)} e {words}" for v, words in parts if not math.isnan(v)]
    charge, changed = as_float(value.get("charge_e")), as_float(value.get("changed_sites"))
    if math.isnan(charge) or not known:
        return sentences
    text = f"First particle of the ensemble: {_signed(charge, 0)} e in all; {', '.join(known)}."
    if changed > 0:
        text += f" {changed:.0f} site{'s' if changed != 1 else ''} had to change to balance it."
    return [text, *(f"{s[:1].upper()}{s[1:]}." for s in sentences)]


def _signed(value: float, decimals: int) -> str:
    return ("+" if value > 0 else "") + format_number(value, decimals)


def _count_table(run: RunFolder) -> str:
    counts = run.get("profile.element_counts")
    counts = counts if isinstance(counts, Mapping) else {}
    built, mean = run.get("atoms.counts"), run.get("atoms.counts_mean")
    built = built if isinstance(built, Mapping) else {}
    mean = mean if isinstance(mean, Mapping) else {}
    truths = run.truth("element_counts")
    elements = list(dict.fromkeys(map(str, [*counts, *mean, *built])))
    if not elements:
        return ""
    headers = ["element"]
    headers += ["atoms in the mean particle, by the fit"] if counts else []
    headers += ["mean of the ensemble"] if mean else []
    headers += ["in the particle shown"] if built else []
    headers += ["truth"] if isinstance(truths, Mapping) else []
    rows = []
    for element in elements:
        quantity = counts.get(element)
        cells = [escape(element)]
        cells += [escape(format_quantity(quantity))] if counts else []
        cells += [number_or_dash(as_float(mean.get(element)), 1)] if mean else []
        cells += [cell(built.get(element))] if built else []
        if isinstance(truths, Mapping):
            cells.append(truth_note(quantity, truths.get(element)).removeprefix("truth ") or "–")
        rows.append(cells)
    note = (
        '<p class="note">The mean particle has the mean diameter. The mean of the ensemble runs over all sizes and is '
        "larger, because the number of atoms grows with the cube of the diameter.</p>"
        if counts and mean
        else ""
    )
    return "<h3>Atoms of each element</h3>" + html_table(headers, rows, numeric=range(1, len(headers))) + note


def _shell_table(run: RunFolder) -> str:
    """x of each shell as built beside the fit."""
    fitted = shell_quantities(run.get("profile.shell_fraction"))
    mean, shown = run.get("atoms.shell_fraction_mean"), run.get("atoms.shell_fraction")
    columns = [(w, v) for w, v in (("mean of the ensemble", mean), ("in the particle shown", shown)) if _numeric(v)]
    columns = [(w, v) for w, v in columns if len(v) == len(fitted)]
    if not fitted or not columns:
        return ""
    rows = [
        [f"{k + 1}{' (centre)' if k == 0 else ''}", escape(format_quantity(q))]
        + [number_or_dash(as_float(v[k]), 2) for _, v in columns]
        for k, q in enumerate(fitted)
    ]
    text = (
        "<p>Every particle of the ensemble follows another draw of the posterior, and an inner shell has few sites: "
        "single particles differ from the fit as far as the sample does."
    )
    if any(as_float(x) > 1 for _, v in columns for x in v):
        text += " A value above 1 comes from a shell that holds more cations than anions."
    text += "</p>"
    headers = ["shell", "x by the fit", *(w for w, _ in columns)]
    table = html_table(headers, rows, numeric=range(1, len(headers)), caption="x as built, sites counted")
    return f"<h3>Composition of the shells as built</h3>{text}{table}"


def _numeric(value: Any) -> bool:
    return isinstance(value, list) and any(not math.isnan(as_float(v)) for v in value)


def _ensemble(run: RunFolder, figures: Figures) -> str:
    table = run.table("ensemble", "diameter_nm", "weight")
    if table is None:
        return ""
    mean, std = as_float(run.get("atoms.diameter_mean_nm")), as_float(run.get("atoms.diameter_std_nm"))
    error = as_float(run.get("atoms.quadrature_error"))
    text = (
        f"{len(table)} particle{'s' if len(table) != 1 else ''} stand for all sizes of the sample, each with its weight"
    )
    text += f": mean diameter {format_number(mean)} nm, standard deviation {format_number(std)} nm" if mean > 0 else ""
    text += f". This choice of sizes changes a sphere's curve by at most {100 * error:.2g} %" if error > 0 else ""
    if run.get("atoms.body") == "map":
        text += (
            ". All have the outline of the average shape found without a model, scaled to their volumes: what this shape does "
            "not know (its elongation within the errors, edges finer than a bead) they do not know either"
        )
    figure = figure_html(
        run,
        figures,
        "ensemble",
        "The particles of the ensemble: aspect ratio and charge against the diameter. The area of a dot is its weight, "
        "the share of the sample's particles that it stands for.",
    )
    listed = f"<details><summary>All {len(table)} particles</summary>{_particles(run)}</details>"
    numbers = "" if figure else numbers_html(run, ("ensemble",))
    return f"<h3>The ensemble</h3><p>{escape(text)}.</p>{figure}{numbers}{listed}"


def _particles(run: RunFolder) -> str:
    table = run.tables["ensemble"]
    known = {
        "particle": ("particle", 0),
        "weight": ("weight (%)", 3),
        "diameter_nm": ("diameter (nm)", 2),
        "aspect_ratio": ("aspect ratio", 3),
        "charge_e": ("charge (e)", 0),
        "posterior_draw": ("posterior draw", 0),
    }
    names = [n for n in known if table.has(n)] + [n for n in table.columns if n not in known and table.has(n)]
    shown = typical_row(run)
    rows = []
    for k, row in enumerate(table.rows()):
        cells = []
        for name in names:
            value = as_float(row[name]) * (100 if name == "weight" else 1)
            text = _signed(value, 0) if name == "charge_e" else number_or_dash(value, known.get(name, ("", 0))[1])
            cells.append(text + (" (shown above)" if name == names[0] and k == shown else ""))
        rows.append(cells)
    headers = [known[n][0] if n in known else escape(n) for n in names]
    return html_table(headers, rows, numeric=range(1, len(names)), marked=[] if shown is None else [shown])
