"""``nanostrata plan``: what a planned beamtime will tell, and a better plan, in words and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nanostrata.interfaces import console
from nanostrata.interfaces.formatting import decimals_for, format_interval, format_number

__all__ = ["energy_text", "exposure_unit", "interval_text", "plan_command", "ranking_rows", "show_plan"]

INFORMED = {"data": "data", "weak": "data, weakly", "prior": "the prior"}


def plan_command(
    project: Path,
    *,
    energies: str | None,
    exposure: str | None,
    shells: int | None,
    out: Path,
    as_json: bool = False,
) -> Path:
    """Plan a beamtime, write the page, print the answer.

    Parameters
    ----------
    energies, exposure, shells : as typed; they replace what the project file says
    out : folder of the answer
    as_json : print plan.json in place of words and tables

    Returns
    -------
    Path
        The page.
    """
    from nanostrata.interfaces.plan_page import render_plan
    from nanostrata.pipeline.plan_run import plan_project

    console.state.quiet |= as_json
    result = plan_project(
        project,
        out,
        energies=energies,
        exposure=exposure,
        shells=shells,
        progress=console.progress(),
        render=render_plan,
    )
    assert result.page is not None
    if as_json:
        console.show_json(result.summary)
    else:
        show_plan(result.summary)
        console.say(str(result.page))
    return result.page


def show_plan(summary: Mapping[str, Any]) -> None:
    """Print warnings to stderr; findings and tables to stdout."""
    for warning in summary["warnings"]:
        console.warn(str(warning["message"]))
    console.say(f"{summary['title']}\n")
    for finding in summary["findings"]:
        console.say(f"- {finding['text']}")
    console.say()
    console.show_table(
        ["shell", "guessed x", "planned: 68 %", "rests on", "proposed: 68 %", "rests on"], _shells(summary),
        title="Expected intervals of x, inner shell first",
    )  # fmt: skip
    element, unit = summary["edge_element"], exposure_unit(summary)
    console.show_table(
        ["energy (keV)", f"planned ({unit})", f"proposed ({unit})", "nearest edge", f"f' of {element}" if element else "f'"],
        _energies(summary), title="Energies",
    )  # fmt: skip
    console.show_table(
        ["improvement of the plan", "to", "gain", "gain of each shell"],
        [[v["name"], v["change"], f"{v['typical_gain']:.2f}", "  ".join(f"{g:.2f}" for g in v["gain"])] for v in summary["levers"]],
        title="What one improvement alone would give: intervals narrower by this factor",
    )  # fmt: skip
    for title, columns, rows in ranking_rows(summary):
        console.show_table(columns, rows, title=title)
    for note in summary["notes"]:
        console.say(f"note: {note}")


def interval_text(interval: Sequence[float]) -> str:
    """Interval rounded by its half-width."""
    return format_interval(interval[0], interval[1], max(1, min(3, decimals_for(0.5 * (interval[1] - interval[0])))))


def energy_text(energies: Sequence[float], joint: str = " + ") -> str:
    """Energies as people write them, joined."""
    return joint.join(f"{e:.4f}".rstrip("0").rstrip(".") for e in energies)


def exposure_unit(summary: Mapping[str, Any]) -> str:
    """Unit of exposures for the head of a column."""
    return "s" if summary["exposure_unit"] == "s" else "× measured"


def _shells(summary: Mapping[str, Any]) -> list[list[str]]:
    planned, proposed = summary["planned"], summary["proposed"]
    return [
        [
            str(k + 1), format_number(x, 2), interval_text(planned["shell_fraction"]["interval68"][k]),
            INFORMED[planned["informed_by"][k]], interval_text(proposed["shell_fraction"]["interval68"][k]),
            INFORMED[proposed["informed_by"][k]],
        ]
        for k, x in enumerate(planned["shell_fraction"]["value"])
    ]  # fmt: skip


def _energies(summary: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for r in summary["energies"]:
        element = summary["edge_element"] or r["nearest_edge"].split()[0]
        f = r["f_prime"].get(element)
        rows.append(
            [
                energy_text([r["energy_kev"]]),
                *("-" if r[k] is None else f"{r[k]:.3g}" for k in ("planned_exposure_s", "proposed_exposure_s")),
                f"{r['nearest_edge']} {r['edge_distance_ev']:+.0f} eV",
                "-" if f is None else format_number(f, 2),
            ]
        )
    return rows


def ranking_rows(summary: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, columns and rows of each table of best pairs: densities down, flux normalisation across."""
    out = []
    rows = summary["rankings"]
    for known in dict.fromkeys(r["mean_x_uncertainty"] for r in rows):
        here = [r for r in rows if r["mean_x_uncertainty"] == known]
        scales = list(dict.fromkeys(r["scale_uncertainty"] for r in here))
        cells = {(r["density_uncertainty"], r["scale_uncertainty"]): r["best_pair"] for r in here}
        body = [
            [
                _percent(d) if d else "known",
                *(f"{energy_text(cells[d, s]['energies_kev'])} ({cells[d, s]['factor']:.2f})" for s in scales),
            ]
            for d in dict.fromkeys(r["density_uncertainty"] for r in here)
        ]
        said = "the mean x is not known" if known is None else f"the mean x is known to ±{known:.2g}"
        title = (
            f"Best pair of the planned energies where {said} (its intervals over those of all planned energies, same total "
            "exposure)"
        )
        columns = ["densities", *(f"flux {'free' if s is None else _percent(s)}" for s in scales)]
        out.append((title, columns, body))
    return out


def _percent(share: float) -> str:
    return f"{format_number(100 * share, digits=2)} %" if math.isfinite(share) else "free"
