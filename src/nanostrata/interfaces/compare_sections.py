"""Sections of the page of a comparison: findings, profiles, sizes, diffusion, mismatch, design rules, differences."""

from __future__ import annotations

import base64
import math
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from nanostrata.interfaces import figures_arrhenius, figures_compare
from nanostrata.interfaces.formatting import as_float, decimals_for, format_interval, format_number, format_quantity
from nanostrata.interfaces.report_findings import findings_html as findings_list
from nanostrata.interfaces.report_html import html_table, number_or_dash, numbers_html
from nanostrata.interfaces.run_folder import RunFolder

__all__ = [
    "FIGURES", "differences_html", "diffusion_html", "findings_html", "mismatch_html", "profiles_html", "quantities_html",
    "rules_html", "samples_html",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Figure:
    """What a figure shows in words, its tables, and who draws it."""

    alt: str
    tables: tuple[str, ...]
    draw: Callable[[RunFolder], str | None]
    wide: bool = True


FIGURES = {
    "profiles": _Figure(
        "Composition profiles of all samples over each other with 68 and 95 % bands, against the radius and against "
        "the depth below the surface",
        ("profiles", "profile_bands"), figures_compare.profiles,
    ),
    "quantities": _Figure(
        "Size and composition of each sample with 68 and 95 % intervals, one panel per number", ("samples",), figures_compare.quantities
    ),
    "arrhenius": _Figure(
        "Diffusivity of each sample against inverse temperature with its interval, the line through them with its band, "
        "and slopes of published activation energies",
        ("diffusivities", "arrhenius_line"), figures_arrhenius.arrhenius,
    ),
    "activation_energies": _Figure(
        "Activation energy of this comparison with its interval, of other definitions of the diffusivity, and of the literature",
        ("activation_energies",), figures_arrhenius.activation_energies,
    ),
    "mismatch": _Figure(
        "Lattice mismatch between neighbouring shells of each sample, with the mismatch of an abrupt interface",
        ("mismatch",), figures_compare.mismatch,
    ),
    "design_rules": _Figure(
        "What each of three design rules looks at, per sample with intervals; the side on which the rule is met is shaded",
        ("design_rules",), figures_compare.design_rules,
    ),
}  # fmt: skip
_WORDS = {
    "activation_energy_kj_mol": "activation energy (kJ/mol)",
    "low95": "95 % from",
    "high95": "to",
    "p_holm": "corrected p",
}


def _figure(run: RunFolder, figures: Mapping[str, str], name: str, caption: str) -> str:
    if name not in figures:
        return ""
    spec = FIGURES[name]
    source = "data:image/svg+xml;base64," + base64.b64encode(figures[name].encode()).decode("ascii")
    return (
        f'<figure id="figure-{name}" class="wide"><div class="scroll"><img src="{source}" alt="{escape(spec.alt)}"></div>'
        f"<figcaption>{caption}</figcaption>{numbers_html(run, spec.tables, name)}</figure>"
    )


def findings_html(run: RunFolder) -> str:
    """Findings with the keys of their numbers in words."""
    worded = [
        {
            **f,
            "numbers": {
                _WORDS.get(k, k.replace("p_holm: ", "corrected p of ")): v for k, v in (f.get("numbers") or {}).items()
            },
        }
        for f in run.get("findings") or []
    ]
    return findings_list(
        RunFolder(path=run.path, summary={**run.summary, "findings": worded}, tables=run.tables)
    ) + _tiles(run)


def _tiles(run: RunFolder) -> str:
    """Key numbers: one tile per quantity of the first page, one line per sample."""
    table = run.table("samples", "key", "value")
    items = []
    keys = (
        "profile.shell_fraction[-1]",
        "profile.mean_shell_fraction",
        "particle.diameter_mean_nm",
        "diffusion.diffusivity_cm2_s",
        "atoms.coverage",
    )
    styles = figures_compare.sample_styles(run)
    for key in keys:
        part = None if table is None else table.where("key", key)
        if part is None or not len(part):
            continue
        unit = part.text("unit")[0]
        lines = "".join(
            f'<dd style="font-size:1rem"><span aria-hidden="true" style="color:{styles[r["sample"]].colour}">■</span> '
            f"{escape(format_quantity({'value': r['value'], 'sigma': r['sigma']}, unit))}</dd>"
            f'<dd class="more">{escape(r["sample"])}</dd>'
            for r in part.rows()
        )
        items.append(f'<div class="tile"><dt>{escape(part.text("quantity")[0])}</dt>{lines}</div>')
    energy = run.get("activation_energy_kj_mol") or {}
    if not math.isnan(as_float(energy.get("value"))):
        items.append(
            f'<div class="tile"><dt>activation energy of diffusion</dt><dd>{escape(str(energy.get("verdict")))}</dd>'
            f'<dd class="more">{escape(format_quantity(energy, "kJ/mol"))}</dd></div>'
        )
    return f'<dl class="tiles">{"".join(items)}</dl>' if items else ""


def profiles_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Profiles over each other."""
    caption = (
        "Share x of shell material in particles of mean diameter: best value per shell (line), 68 and 95 % of the posterior "
        "(bands). Dotted and pale: shells that the data do not inform; there the curve shows the prior, which the samples share. "
        "Left seen from the centre, right from the surface, where samples of different size can be laid over each other."
    )
    return _figure(run, figures, "profiles", caption + _truth(run))


def _truth(run: RunFolder) -> str:
    return " Black dashes: truth of the simulation." if run.simulated else ""


def quantities_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Sizes and compositions, drawn and in a table."""
    caption = "One panel per number: value (sign), 68 % (thick) and 95 % (thin)." + _truth(run)
    return _figure(run, figures, "quantities", caption) + _quantity_table(run)


def _quantity_table(run: RunFolder) -> str:
    table = run.table("samples", "key", "value")
    if table is None:
        return ""
    labels = list(figures_compare.sample_styles(run))
    rows = []
    for key in dict.fromkeys(table.text("key")):
        part = {r["sample"]: r for r in table.where("key", key).rows()}
        one = next(iter(part.values()))
        name = one["quantity"] + (" *" if one["compared"] == "no" else "")
        rows.append([escape(name), *(_with_interval(part.get(label), one["unit"]) for label in labels)])
    note = (
        '<p class="hint">* not informed by the data of at least one sample, and so not compared</p>'
        if "no" in table.text("compared")
        else ""
    )
    return (
        html_table(["", *map(escape, labels)], rows, caption="Every number, with 95 % intervals")
        + note
        + numbers_html(run, ("samples",))
    )


def _with_interval(row: Mapping[str, str] | None, unit: str) -> str:
    if row is None:
        return "–"
    quantity = {"value": row["value"], "sigma": row["sigma"], "interval95": [row["lo95"], row["hi95"]]}
    return escape(format_quantity(quantity, unit))


def diffusion_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Diffusivities, the line through them, activation energies."""
    if run.table("diffusivities", "diffusivity_cm2_s") is None:
        return ""
    fit = run.get("arrhenius") or {}
    caption = (
        "Diffusivities of the first-page definition with 68 % (thick) and 95 % (thin) and the line ln D = ln D₀ − E<sub>a</sub>/RT "
        "through them with its bands. Dashed: slopes of published activation energies in kJ/mol, drawn through the middle of the "
        "line; only their steepness is taken from the literature, not their height."
    )
    energies = (
        "Activation energies: this comparison, the same profiles with other definitions of the diffusivity (grey), and published "
        "values (open diamonds, printed without errors)."
    )
    verdict = (
        f'<p class="note"><b>Activation energy: {escape(str(fit.get("verdict")))}.</b> {escape(_capital(str(fit.get("reason"))))}. Interval from '
        f"{escape(str(fit.get('interval_from')))}; relative error shared by all samples: {format_number(as_float(fit.get('common_relative_error')), 2)}.</p>"
    )
    left = "".join(f"<li>{escape(str(l['label']))}: {escape(str(l['why']))}</li>" for l in fit.get("left_out") or [])
    left = f"<p>Not in the line:</p><ul>{left}</ul>" if left else ""
    return (
        verdict + _figure(run, figures, "arrhenius", caption) + left + _diffusivity_table(run)
        + _figure(run, figures, "activation_energies", energies) + _literature_table(run)
    )  # fmt: skip


def _diffusivity_table(run: RunFolder) -> str:
    table = run.table("diffusivities", "diffusivity_cm2_s")
    if table is None:
        return ""
    rows = []
    for r in table.rows():
        quantity = {"value": r["diffusivity_cm2_s"], "sigma": r["sigma"], "interval95": [r["lo95"], r["hi95"]]}
        label = ": ".join(v for v in (r["definition"], r["label"]) if v)
        rows.append([escape(r["sample"]), escape(label), number_or_dash(as_float(r["temperature_c"]), 0), number_or_dash(as_float(r["time_s"]), 0),
                     escape(format_quantity(quantity, "cm²/s"))])  # fmt: skip
    headers = ["sample", "definition", "°C", "s", "diffusivity (95 %)"]
    return html_table(headers, rows, numeric=(2, 3), caption="Diffusivities by every named definition") + numbers_html(
        run, ("diffusivities",)
    )


def _literature_table(run: RunFolder) -> str:
    table = run.table("activation_energies", "activation_energy_kj_mol")
    if table is None:
        return ""
    rows = [
        [f"{escape(r['element'])} in {escape(r['name'])}", escape(r["as_printed"]), number_or_dash(as_float(r["activation_energy_kj_mol"]), 1),
         escape(r["source"]), escape(r["doubt"])]
        for r in table.where("kind", "literature").rows()
    ]  # fmt: skip
    return html_table(
        ["diffusion of", "as printed", "kJ/mol", "source", "what to keep in mind"],
        rows,
        numeric=(2,),
        caption="Published values",
    ).replace('<th scope="row">', '<th scope="row" style="white-space:normal">')


def mismatch_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Mismatch between neighbouring shells."""
    caption = (
        "Mismatch of the lattices of neighbouring shells, from the profile and a linear change of the lattice constants: value, 68 % "
        "(thick) and 95 % (thin). Real particles share the strain between shells; this is the unrelaxed mismatch."
    )
    return _figure(run, figures, "mismatch", caption)


def rules_html(run: RunFolder, figures: Mapping[str, str]) -> str:
    """Scores of the design rules, with what they cannot say."""
    table = run.table("design_rules", "rule", "value")
    if table is None:
        return ""
    labels = list(figures_compare.sample_styles(run))
    rows = []
    for rule in dict.fromkeys(table.text("rule")):
        part = {r["sample"]: r for r in table.where("rule", rule).rows()}
        grounds = "; ".join(dict.fromkeys(r["rests_on"] for r in part.values()))
        rows.append(
            [
                f'{escape(_RULES[rule])}<br><span class="hint">{escape(grounds)}</span>',
                *(_score(part.get(label)) for label in labels),
            ]
        )
    caveat = f'<p class="note">{escape(str(run.get("design_rules.caveat")))} Source: {escape(str(run.get("design_rules.source")))}.</p>'
    caption = "What each rule looks at, with 68 % (thick) and 95 % (thin); on the shaded side the rule is met."
    scores = html_table(
        ["rule", *map(escape, labels)], rows, caption="Verdict, value and score (1: met) with 95 % intervals"
    )
    scores = scores.replace('<th scope="row">', '<th scope="row" style="white-space:normal;width:40%">')
    return caveat + _figure(run, figures, "design_rules", caption) + scores + numbers_html(run, ("design_rules",))


def _score(row: Mapping[str, str] | None) -> str:
    if row is None:
        return "–"
    n = {k: as_float(v) for k, v in row.items()}
    known = n["hi95"] > n["lo95"]
    decimals = decimals_for((n["hi95"] - n["lo95"]) / 4) if known else 2
    value = format_number(n["value"], decimals) + (
        f" ({format_interval(n['lo95'], n['hi95'], decimals)})" if known else ""
    )
    score = format_number(n["score"], 2) + (
        f" ({format_interval(n['score_lo95'], n['score_hi95'], 2)})" if known else ""
    )
    return f"<b>{escape(row['verdict'])}</b><br>{value}<br>score {score}"


_RULES = {
    "outer_layer_full": "outermost layer full (at least 0.95)",
    "mismatch_small": "mismatch between neighbours below 3 %",
    "gradient_spread": "gradient over 3 layers or more",
}


def differences_html(run: RunFolder) -> str:
    """Every difference that was tested."""
    table = run.table("differences", "z")
    if table is None:
        return ""
    pairs = list(dict.fromkeys(zip(table.text("first"), table.text("second"), strict=True)))
    rows = []
    for r in table.rows():
        n = {k: as_float(r[k]) for k in ("second_minus_first", "sigma", "z", "p_holm")}
        what = escape(r["quantity"]) + (
            " (ln ratio)" if r["kind"] == "ln ratio" else f" ({escape(r['unit'])})" if r["unit"] else ""
        )
        p = "< 1e-15" if n["p_holm"] < 1e-15 else f"{n['p_holm']:.2g}"
        cells = [what, escape(f"{r['second']} − {r['first']}")] if len(pairs) > 1 else [what]
        rows.append([*cells, format_quantity({"value": n["second_minus_first"], "sigma": n["sigma"]}), format_number(n["z"], 1), p,
                     "<b>yes</b>" if r["differs"] == "yes" else "no"])  # fmt: skip
    headers = ["quantity", *(["samples"] if len(pairs) > 1 else []), "difference", "in σ", "corrected p", "differs"]
    caption = "" if len(pairs) > 1 else f"{pairs[0][1]} minus {pairs[0][0]}"
    shown = html_table(headers, rows, numeric=range(len(headers) - 4, len(headers) - 1), caption=caption)
    return f"<p>{escape(str(run.get('differences_how')))}</p>" + shown + numbers_html(run, ("differences",))


def samples_html(run: RunFolder) -> str:
    """The runs that were compared."""
    rows = []
    for s in run.get("samples") or []:
        growth = s.get("growth") or {}
        grown = (
            f"{as_float(growth.get('temperature_c')):g} °C, {as_float(growth.get('time_s')):g} s"
            if growth
            else "not stated"
        )
        report = s.get("report")
        link = f'<a href="{urllib.parse.quote(report)}">report</a>' if report else "no report"
        shells = (s.get("profile") or {}).get("supported_shells")
        count = len((s.get("profile") or {}).get("edges_nm") or [])
        rows.append([escape(str(s["label"])), escape(grown), f"{shells} of {count}" if shells is not None else "–",
                     number_or_dash(as_float(s.get("chi2_reduced")), 2), escape(str(s.get("preset") or "–")), f"seed {escape(str(s.get('seed', '–')))}",
                     escape(", ".join(s.get("missing") or []) or "nothing"), link])  # fmt: skip
    headers = ["sample", "grown", "shells supported", "reduced χ²", "preset", "seed", "missing", ""]
    return html_table(headers, rows, numeric=(3,))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
