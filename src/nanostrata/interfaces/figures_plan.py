"""Pictures of a plan: expected intervals, numbers of shells, energies, single improvements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import BLUE, GREEN, GREY, INK, PURPLE, VERMILLION, inches, legend_below, to_svg
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["energies", "intervals", "levers", "shells"]

PLANNED, PROPOSED = INK, BLUE
_PALE = "#f1f1f1"
_MOVED = (BLUE, VERMILLION, GREEN, PURPLE, GREY, INK)


def intervals(run: RunFolder) -> str | None:
    """Expected intervals of every shell, planned and proposed, on the guess."""
    planned, proposed = run.get("planned"), run.get("proposed")
    radius = 0.5 * float(run.get("assumptions.diameter_mean_nm.value"))
    x = np.array(planned["shell_fraction"]["value"])
    n = len(x)
    edges = np.linspace(0.0, radius, n + 1)
    figure, box = inches(8.8, 3.4, bottom=0.86, left=0.62)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    for k in range(n):
        if planned["informed_by"][k] == "prior":
            axes.axvspan(edges[k], edges[k + 1], color=_PALE, zorder=-5)
    guess = axes.stairs(x, edges, baseline=None, color=INK, linewidth=1.1, linestyle=(0, (4, 2)), label="guess")
    handles = [guess]
    width = edges[1] - edges[0]
    for answer, colour, shift, name in (
        (planned, PLANNED, -0.14, "planned"),
        (proposed, PROPOSED, 0.14, "proposed"),
    ):  # fmt: skip
        for k in range(n):
            at = 0.5 * (edges[k] + edges[k + 1]) + shift * width
            q = answer["shell_fraction"]
            for level, line in ((95, 1.3), (68, 5.0)):
                axes.plot([at, at], q[f"interval{level}"][k], color=colour, linewidth=line, solid_capstyle="butt")
        handles += axes.plot([], [], color=colour, linewidth=5.0, label=f"{name}: 68 %, thin 95 %", marker="")
    for edge in edges[1:-1]:
        axes.axvline(edge, color="#d9dcdf", linewidth=0.7, zorder=-3)
    axes.set_xlim(0.0, radius)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("distance from the centre (nm)")
    axes.set_ylabel("share x of shell material")
    legend_below(figure, handles, columns=3)
    return to_svg(figure)


def shells(run: RunFolder) -> str | None:
    """One bar per number of shells, cut into its shells; colour and number tell how well each is known."""
    from matplotlib.patches import Rectangle

    figure, box = inches(8.8, 3.6, bottom=0.5, left=0.62, top=0.35)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.1)
    for column, name in enumerate(("planned", "proposed")):
        axes = figure.add_subplot(grid[0, column])
        rows = run.get(name)["sigma_by_shells"]
        for row, sigmas in enumerate(rows):
            n = len(sigmas)
            for k, sigma in enumerate(sigmas):
                face, ink = _sigma_colour(sigma)
                axes.add_patch(
                    Rectangle((k / n, row - 0.42), 1 / n, 0.84, facecolor=face, edgecolor="white", linewidth=1.2)
                )
                if n <= 8:
                    text = f"{sigma:.3f}"[1:] if sigma < 0.0995 else f"{sigma:.2f}"[1:]
                    axes.text((k + 0.5) / n, row, text, ha="center", va="center", fontsize=7.2, color=ink)
        axes.set_xlim(0, 1)
        axes.set_ylim(len(rows) - 0.45, -0.55)
        axes.set_yticks(range(len(rows)), [str(len(s)) for s in rows] if column == 0 else [""] * len(rows))
        axes.tick_params(length=0)
        axes.set_title(name)
        axes.set_xlabel("distance from the centre over the radius")
        for spine in axes.spines.values():
            spine.set_visible(False)
        if column == 0:
            axes.set_ylabel("number of shells")
    return to_svg(figure)


def _sigma_colour(sigma: float) -> tuple[str, str]:
    """Fill and text colour: dark where x is known well, grey where it stays the prior."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if sigma >= 0.20:
        return "#e4e4e4", "#55595e"
    if sigma >= 0.10:
        return "#f6dfae", INK
    depth = np.clip((math.log(0.1) - math.log(sigma)) / math.log(10.0), 0.0, 1.0)
    return to_hex(colormaps["Blues"](0.45 + 0.5 * depth)), "white" if depth > 0.25 else INK


def energies(run: RunFolder) -> str | None:
    """What moving one energy of the proposal costs, the others and all exposures held."""
    table = run.table("exchange", "energy_kev")
    if table is None:
        return None
    e = table.floats("energy_kev")
    moved = [c for c in table.columns if c.startswith("moved_from_")]
    figure, box = inches(8.8, 3.2, bottom=0.86, left=0.75, top=0.42)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    axes.set_yscale("log")
    handles, tops = [], []
    edges = sorted(
        {(r["nearest_edge"], r["energy_kev"] - 1e-3 * r["edge_distance_ev"]) for r in run.get("energies")},
        key=lambda t: t[1],
    )
    inside = [(name, at) for name, at in edges if e[0] <= at <= e[-1]]
    for i, column in enumerate(moved):
        y = table.floats(column)
        colour = _MOVED[i % len(_MOVED)]
        own = float(run.get("proposed.energies_kev")[i])
        # a line across an edge would claim energies that may not be used
        parts = np.split(np.arange(len(e)), np.searchsorted(e, [at for _, at in inside]))
        for part in parts:
            axes.plot(e[part], y[part], color=colour, linewidth=1.5)
        name = f"{own:.4f}".rstrip("0").rstrip(".")
        handles += axes.plot(
            [own],
            [1.0],
            marker="o",
            markersize=8,
            color=colour,
            markeredgecolor="white",
            zorder=6,
            label=f"{name} keV, moved",
        )
        tops.append(float(np.nanmax(y)))
    planned = run.get("planned.energies_kev")
    handles += axes.plot(
        planned, [0.93] * len(planned), linestyle="", marker="^", color=INK, markersize=6, label="planned"
    )
    _energy_axis(axes, inside, min(max(1.25, *tops), 12.0))
    legend_below(figure, handles, columns=5)
    return to_svg(figure)


def _energy_axis(axes: Any, edges: Sequence[tuple[str, float]], top: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_ylim(0.88, 1.08 * top)
    for name, at in edges:
        axes.axvline(at, color="#9a9a9a", linewidth=0.9, linestyle=(0, (1, 2)), zorder=-2)
        axes.text(at, 1.09 * top, name, fontsize=8, color="#55595e", ha="center", va="bottom")
    axes.axhline(1.0, color="#9a9a9a", linewidth=0.8, zorder=-3)
    subs = (1.0, 2.0, 3.0, 5.0) if top > 3 else (1.0, 1.2, 1.5, 2.0, 2.5, 3.0)
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=subs))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.set_xlabel("photon energy (keV)")
    axes.set_ylabel("intervals, times\nthose of the proposal")
    axes.grid(axis="y", color="#ececec", linewidth=0.6)
    axes.set_axisbelow(True)


def levers(run: RunFolder) -> str | None:
    """Gain of every shell by every improvement: doubled or halved on the left, perfect on the right."""
    found = run.get("levers") or []
    names = list(dict.fromkeys(v["name"] for v in found))
    if not names:
        return None
    by = {(v["name"], v["kind"]): v for v in found}
    n = len(found[0]["gain"])
    figure, box = inches(8.8, 0.95 + 0.27 * len(names), bottom=0.45, left=1.85, top=0.4)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.08)
    for column, (kind, title) in enumerate((("step", "doubled, halved or added"), ("perfect", "perfect"))):
        axes = figure.add_subplot(grid[0, column])
        for row, name in enumerate(names):
            _lever_row(axes, row, by.get((name, kind)), n)
        axes.set_xlim(-0.5, n - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xticks(range(n), [str(k + 1) for k in range(n)])
        axes.set_yticks(range(len(names)), names if column == 0 else [""] * len(names))
        axes.tick_params(length=0)
        axes.set_title(title)
        axes.set_xlabel("shell, counted from the centre")
        for spine in axes.spines.values():
            spine.set_visible(False)
    return to_svg(figure)


def _lever_row(axes: Any, row: int, lever: Mapping[str, Any] | None, n: int) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex
    from matplotlib.patches import Rectangle

    for k in range(n):
        if lever is None:
            axes.text(k, row, "–", ha="center", va="center", fontsize=8, color="#9aa0a5")
            continue
        gain = float(lever["gain"][k])
        depth = float(np.clip(math.log(max(gain, 1.0)) / math.log(3.0), 0.0, 1.0))
        face = to_hex(colormaps["Greens"](0.85 * depth)) if gain > 1.015 else _PALE
        axes.add_patch(Rectangle((k - 0.48, row - 0.44), 0.96, 0.88, facecolor=face, edgecolor="none"))
        ink = "white" if depth > 0.65 else INK if gain > 1.015 else "#7a7f84"
        axes.text(
            k, row, f"{gain:.2f}" if gain < 9.95 else f"{gain:.0f}", ha="center", va="center", fontsize=8, color=ink
        )
