"""Tables of a comparison: everything that the page draws, as CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.io.text_out import write_csv
from nanostrata.models.arrhenius import ZERO_CELSIUS_K, ArrheniusLine
from nanostrata.models.design_rules import RuleScore
from nanostrata.models.differences import Difference
from nanostrata.pipeline.compare_numbers import ArrheniusResult, Quantity
from nanostrata.pipeline.compare_read import ComparedRun, Number, number_of, split_array
from nanostrata.tables.literature_activation import LITERATURE

__all__ = ["TABLES", "write_tables"]

_INTERVALS = ("lo68", "hi68", "lo95", "hi95")
TABLES = (
    "samples", "profiles", "profile_bands", "differences", "diffusivities", "arrhenius_line", "activation_energies",
    "mismatch", "design_rules",
)  # fmt: skip
"""Names of the tables that a comparison may have."""


def write_tables(
    folder: Path,
    runs: Sequence[ComparedRun],
    found: Sequence[Quantity],
    compared: Sequence[Difference],
    arrhenius: ArrheniusResult,
    scores: Sequence[Sequence[RuleScore]],
) -> None:
    """Write the tables that have rows; remove those of an earlier comparison in the same folder."""
    for name in TABLES:
        (folder / f"{name}.csv").unlink(missing_ok=True)
    made = {
        "samples": _samples(runs, found),
        "profiles": _profiles(runs),
        "profile_bands": _bands(runs),
        "differences": _differences(found, compared),
        "diffusivities": _diffusivities(runs, arrhenius),
        "arrhenius_line": _line(arrhenius),
        "activation_energies": _energies(arrhenius),
        "mismatch": _mismatch(runs),
        "design_rules": _rules(runs, scores),
    }
    for name, (header, rows) in made.items():
        if rows:
            write_csv(folder / f"{name}.csv", header, rows)


Rows = tuple[list[str], list[list[Any]]]


def _spread(n: Number) -> list[Any]:
    return [n.value, n.sigma, n.low68, n.high68, n.low95, n.high95]


def _samples(runs: Sequence[ComparedRun], found: Sequence[Quantity]) -> Rows:
    rows = []
    for q in found:
        truths = q.truths or (math.nan,) * len(runs)
        for r, n, truth in zip(runs, q.values, truths, strict=True):
            if n is not None:
                rows.append([r.label, q.key, q.name, q.unit, *_spread(n), "yes" if q.informed else "no", truth])
    return ["sample", "key", "quantity", "unit", "value", "sigma", *_INTERVALS, "compared", "truth"], rows


def _profiles(runs: Sequence[ComparedRun]) -> Rows:
    rows = []
    for r in runs:
        edges = np.concatenate([[0.0], r.get("profile.edges_nm") or []])
        truth = r.truth.get("shell_fraction")
        known = truth if isinstance(truth, list) and len(truth) == len(r.shells) else [math.nan] * len(r.shells)
        for k, (n, by) in enumerate(zip(r.shells, r.informed_by, strict=True)):
            rows.append([r.label, k + 1, edges[k], edges[k + 1], *_spread(n), by, known[k]])
    return ["sample", "shell", "r_inner_nm", "r_outer_nm", "x", "sigma", *_INTERVALS, "informed_by", "truth"], rows


def _bands(runs: Sequence[ComparedRun]) -> Rows:
    rows = []
    for r in runs:
        b = r.bands
        if not b:
            continue
        truth = b.get("truth", np.full(len(b["r_nm"]), np.nan))
        family = str(r.get("profile.family", ""))
        for i, radius in enumerate(b["r_nm"]):
            depth = b["r_nm"][-1] - radius
            rows.append(
                [
                    r.label,
                    family,
                    radius,
                    depth,
                    *(b[n][i] for n in ("lo95", "lo68", "median", "hi68", "hi95")),
                    truth[i],
                ]
            )
    return ["sample", "family", "r_nm", "depth_nm", "lo95", "lo68", "median", "hi68", "hi95", "truth"], rows  # fmt: skip


def _differences(found: Sequence[Quantity], compared: Sequence[Difference]) -> Rows:
    names = {q.key: q for q in found}
    rows: list[list[Any]] = [
        [names[d.quantity].name, names[d.quantity].unit, d.first, d.second, "ln ratio" if d.ratio else "difference", d.difference, d.sigma,
         d.z, d.p, d.p_holm, "yes" if d.significant else "no"]
        for d in compared
    ]  # fmt: skip
    return [
        "quantity",
        "unit",
        "first",
        "second",
        "kind",
        "second_minus_first",
        "sigma",
        "z",
        "p",
        "p_holm",
        "differs",
    ], rows


def _diffusivities(runs: Sequence[ComparedRun], arrhenius: ArrheniusResult) -> Rows:
    entered = {p.label for p in arrhenius.points}
    rows = []
    for r in runs:
        temperature = r.temperature_c
        time = r.get("diffusion.time_s", r.get("growth.time_s", math.nan))
        main = r.number("diffusion.diffusivity_cm2_s")
        entries = [("first page", str(r.get("diffusion.definition", "")), main)]
        entries += [
            (str(a.get("name")), str(a.get("label", "")), number_of(a.get("diffusivity_cm2_s")))
            for a in r.get("diffusion.alternatives") or []
        ]
        for name, label, n in entries:
            if n is not None:
                used = "yes" if name == "first page" and r.label in entered else "no"
                inverse = 1e3 / (temperature + ZERO_CELSIUS_K)
                rows.append([r.label, name, label, temperature, inverse, time, *_spread(n), used])
    header = [
        "sample",
        "definition",
        "label",
        "temperature_c",
        "inverse_temperature_1000_k",
        "time_s",
        "diffusivity_cm2_s",
        "sigma",
    ]
    return [*header, *_INTERVALS, "in_line"], rows


def _line(arrhenius: ArrheniusResult) -> Rows:
    header = ["temperature_c", "inverse_temperature_1000_k", "diffusivity_cm2_s", *_INTERVALS]
    if not math.isfinite(arrhenius.line.activation_energy_kj_mol):
        return header, []
    inverse = np.array([1e3 / p.temperature_k for p in arrhenius.points])
    margin = 0.12 * np.ptp(inverse)
    grid = np.linspace(inverse.min() - margin, inverse.max() + margin, 61)
    celsius = 1e3 / grid - ZERO_CELSIUS_K
    narrow = arrhenius.line.diffusivity_cm2_s(celsius, 0.68)
    wide = arrhenius.line.diffusivity_cm2_s(celsius, 0.95)
    rows = [
        [celsius[i], grid[i], narrow[0, i], narrow[1, i], narrow[2, i], wide[1, i], wide[2, i]]
        for i in range(len(grid))
    ]
    return header, rows


def _energies(arrhenius: ArrheniusResult) -> Rows:
    header = ["kind", "name", "element", "activation_energy_kj_mol", "sigma", *_INTERVALS, "verdict", "as_printed", "temperature_low_c",
              "temperature_high_c", "d0_cm2_s", "source", "doubt"]  # fmt: skip
    rows: list[list[Any]] = []
    lines = [("this comparison", "first page", arrhenius.line)]
    lines += [("other definition", about["name"], l) for about, l in arrhenius.by_definition]
    for kind, name, line in lines:
        if math.isfinite(line.activation_energy_kj_mol):
            rows.append(
                [kind, name, "", *_energy(line), line.verdict, "", "", "", math.exp(line.log_d0), "", line.reason]
            )
    if rows:
        for e in LITERATURE:
            low, high = e.temperature_c or (math.nan, math.nan)
            rows.append(
                ["literature", e.host, e.element, e.activation_energy_kj_mol, *[math.nan] * 5, "", e.as_printed, low, high, e.d0_cm2_s,
                 e.source, e.doubt]
            )  # fmt: skip
    return header, rows


def _energy(line: ArrheniusLine) -> list[float]:
    return [line.activation_energy_kj_mol, line.sigma_kj_mol, *line.interval_kj_mol(0.68), *line.interval_kj_mol(0.95)]


def _mismatch(runs: Sequence[ComparedRun]) -> Rows:
    rows = []
    for r in runs:
        edges = r.get("profile.edges_nm") or []
        for entry in r.mismatch:
            for k, n in enumerate(split_array(entry.get("percent"))):
                if math.isfinite(n.value):
                    radius = edges[k] if k < len(edges) else math.nan
                    depth = edges[-1] - radius if edges else math.nan
                    rows.append(
                        [
                            r.label,
                            entry["direction"],
                            k + 1,
                            k + 2,
                            radius,
                            depth,
                            *_spread(n),
                            entry.get("abrupt_percent"),
                        ]
                    )
    header = [
        "sample",
        "direction",
        "inner_shell",
        "outer_shell",
        "radius_nm",
        "depth_nm",
        "percent",
        "sigma",
        *_INTERVALS,
        "abrupt_percent",
    ]
    return header, rows


def _rules(runs: Sequence[ComparedRun], scores: Sequence[Sequence[RuleScore]]) -> Rows:
    rows: list[list[Any]] = [
        [
            r.label,
            s.rule,
            s.value,
            s.low68,
            s.high68,
            s.low95,
            s.high95,
            s.limit,
            s.score,
            s.score_low95,
            s.score_high95,
            s.verdict,
            s.rests_on,
        ]
        for r, mine in zip(runs, scores, strict=True)
        for s in mine
    ]
    return [
        "sample",
        "rule",
        "value",
        *_INTERVALS,
        "limit",
        "score",
        "score_lo95",
        "score_hi95",
        "verdict",
        "rests_on",
    ], rows
