"""Figures of a comparison: samples over each other, with their intervals; each from the tables beside the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.figure_style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    CurveStyle,
    inches,
    legend_below,
    to_svg,
    truth_line,
)
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["design_rules", "dots", "forest", "marker_handles", "mismatch", "profiles", "quantities", "sample_styles"]

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_GAP = 0.36  # inches between the rows of a forest
SHELLS_SHOWN = 2  # outer shells that get a panel of their own
_DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))


def sample_styles(run: RunFolder) -> dict[str, CurveStyle]:
    """Colour and marker of each sample, the same in every figure."""
    labels = [str(s.get("label")) for s in run.get("samples") or []]
    return {l: CurveStyle(_COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)], l) for i, l in enumerate(labels)}


def profiles(run: RunFolder) -> str | None:
    """Profiles over each other: against the radius, and against the depth below the surface."""
    table = run.table("profiles", "x", "r_outer_nm")
    if table is None:
        return None
    rows = -(-len(sample_styles(run)) // 2) + run.simulated
    figure, box = inches(8.8, 3.75 + 0.2 * rows, bottom=0.62 + 0.2 * rows, top=0.35)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.08)
    handles: list[Any] = []
    for column, depth in enumerate((False, True)):
        axes = figure.add_subplot(grid[0, column])
        drawn = [
            h
            for i, (label, style) in enumerate(sample_styles(run).items())
            for h in _profile(
                axes, run, table.where("sample", label), style, depth=depth, dash=_DASHES[i % len(_DASHES)]
            )
        ]
        handles = handles or drawn
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlim(left=0)
        axes.set_xlabel("depth below the surface (nm)" if depth else "distance from the centre, r (nm)")
        axes.set_title("Seen from the surface" if depth else "Seen from the centre")
        if depth:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("share of shell material, x")
        axes.grid(axis="y", color="#ececec", linewidth=0.6)
        axes.set_axisbelow(True)
    unique = {h.get_label(): h for h in handles}
    legend_below(figure, list(unique.values()), columns=2)
    return to_svg(figure)


def _profile(axes: Any, run: RunFolder, table: Table, style: CurveStyle, *, depth: bool, dash: Any) -> list[Any]:
    if not len(table):
        return []
    edges = np.append(table.floats("r_inner_nm")[:1], table.floats("r_outer_nm"))
    reach = edges[-1]
    at = reach - edges if depth else edges
    informed = np.array([by in ("data", "weak") for by in table.text("informed_by")])
    bands = run.table("profile_bands", "r_nm")
    bands = None if bands is None else bands.where("sample", style.name)
    smooth = (
        bands is not None and len(bands) > 0 and bands.text("family")[0] not in ("shells", "core_shell", "homogeneous")
    )
    if smooth and bands is not None:
        _smooth(axes, bands, edges, informed, style, dash, depth=depth)
    else:
        _steps(axes, table, at, informed, style, dash)
    handles = [_line_handle(style, dash)]
    if bands is not None and bands.has("truth"):
        place = bands.floats("depth_nm") if depth else bands.floats("r_nm")
        handles.append(truth_line(axes, place, bands.floats("truth"), label="truth (simulated)"))
    return handles


def _smooth(
    axes: Any, bands: Table, edges: FloatArray, informed: Any, style: CurveStyle, dash: Any, *, depth: bool
) -> None:
    """Bands and curve shell by shell; where the data do not inform the shell they are paler and dotted."""
    radius = bands.floats("r_nm")
    place = bands.floats("depth_nm") if depth else radius
    shell = np.clip(np.searchsorted(edges, radius, side="right") - 1, 0, len(informed) - 1)
    known = informed[shell]
    starts = [0, *(np.flatnonzero(np.diff(known)) + 1), len(radius)]
    for a, b in pairwise(starts):
        part = slice(a, min(b + 1, len(radius)))  # up to the first point of the next stretch, so that no gap is left
        pale = 1.0 if known[a] else 0.4
        for level, alpha in ((95, 0.13), (68, 0.27)):
            low, high = bands.floats(f"lo{level}")[part], bands.floats(f"hi{level}")[part]
            axes.fill_between(place[part], low, high, color=style.colour, alpha=alpha * pale, linewidth=0)
        axes.plot(
            place[part], bands.floats("median")[part], color=style.colour, linewidth=2.2 if known[a] else 1.2,
            linestyle=dash if known[a] else (0, (1, 2)),
        )  # fmt: skip


def _steps(axes: Any, table: Table, at: FloatArray, informed: Any, style: CurveStyle, dash: Any) -> None:
    """Bands and steps; shells that the data do not inform are paler and dotted."""
    x = table.floats("x")
    for k in range(len(table)):
        pale = 1.0 if informed[k] else 0.4
        ends = at[k : k + 2]
        for level, alpha in ((95, 0.13), (68, 0.27)):
            low, high = (float(table.floats(f"{end}{level}")[k]) for end in ("lo", "hi"))
            if math.isfinite(low) and math.isfinite(high):
                axes.fill_between(ends, low, high, color=style.colour, alpha=alpha * pale, linewidth=0)
        axes.plot(
            ends,
            [x[k], x[k]],
            color=style.colour,
            linewidth=2.2 if informed[k] else 1.2,
            linestyle=dash if informed[k] else (0, (1, 2)),
        )
        if k:
            axes.plot([at[k], at[k]], [x[k - 1], x[k]], color=style.colour, linewidth=0.9, alpha=0.7)


def _line_handle(style: CurveStyle, dash: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=style.colour, linestyle=dash, linewidth=2.2, label=style.name)


def marker_handles(styles: Mapping[str, CurveStyle]) -> list[Any]:
    """Legend entries of the samples."""
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [], [], color=s.colour, marker=s.marker, markersize=7, markeredgecolor="white", linewidth=2.2, label=s.name
        )
        for s in styles.values()
    ]


def quantities(run: RunFolder) -> str | None:
    """Size and composition: one panel per number, one row per sample."""
    table = run.table("samples", "key", "value")
    if table is None:
        return None
    wanted = [k for k in dict.fromkeys(table.text("key")) if _in_panels(k)]
    if not wanted:
        return None
    panels = [(table.where("key", k), _title(table.where("key", k))) for k in wanted]
    return forest(run, panels)


def _in_panels(key: str) -> bool:
    if key.startswith("profile.shell_fraction[-"):
        return int(key.split("[-")[1].rstrip("]")) <= SHELLS_SHOWN
    return key.startswith(("particle.", "profile.", "atoms."))


def _title(table: Table) -> str:
    name, unit = table.text("quantity")[0], table.text("unit")[0]
    return f"{name} ({unit})" if unit else name


def forest(
    run: RunFolder,
    panels: Sequence[tuple[Table, str]],
    *,
    decorate: Callable[[Any, int], Any] | None = None,
    columns: int = 0,
) -> str:
    """Panels of dots with their 68 and 95 % intervals, one row per sample."""
    from matplotlib.lines import Line2D

    styles = sample_styles(run)
    columns = columns or (len(panels) if len(panels) < 4 else 4 if len(panels) > 6 else 3)
    lines = -(-len(panels) // columns)
    height = 0.42 + _GAP * max(2, len(styles))
    figure, box = inches(
        8.8, lines * (height + 0.62) + 0.75, bottom=0.72 + 0.22 * (len(styles) > 2), top=0.32, left=0.2
    )
    grid = figure.add_gridspec(lines, columns, **box, wspace=0.14, hspace=0.8 / height)
    truth = False
    for i, (table, title) in enumerate(panels):
        axes = figure.add_subplot(grid[i // columns, i % columns])
        truth |= dots(axes, table, styles)
        axes.set_title(title)
        if decorate is not None:
            decorate(axes, i)
    handles = marker_handles(styles)
    if truth:
        handles.append(Line2D([], [], color="black", linestyle=(0, (4, 2)), linewidth=1.3, label="truth (simulated)"))
    legend_below(figure, handles, columns=3 if len(styles) < 3 else 2)
    return to_svg(figure)


def dots(axes: Any, table: Table, styles: Mapping[str, CurveStyle]) -> bool:
    """Dots of a table with columns sample, value, lo68, ...; returns whether a truth was drawn."""
    rows = {label: len(styles) - 1 - i for i, label in enumerate(styles)}
    known = False
    for row in table.rows():
        style = styles[row["sample"]]
        y = rows[row["sample"]]
        n = {
            k: float(v) if v else math.nan
            for k, v in row.items()
            if k in ("value", "lo68", "hi68", "lo95", "hi95", "truth")
        }
        for level, width in ((95, 1.3), (68, 4.0)):
            axes.plot(
                [n[f"lo{level}"], n[f"hi{level}"]], [y, y], color=style.colour, linewidth=width, solid_capstyle="butt"
            )
        axes.plot(n["value"], y, marker=style.marker, color=style.colour, markersize=7.5, markeredgecolor="white")
        if math.isfinite(n.get("truth", math.nan)):
            truth_line(axes, [n["truth"], n["truth"]], [y - 0.33, y + 0.33])
            known = True
    axes.set_ylim(-0.6, len(styles) - 0.4)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.12)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    return known


def mismatch(run: RunFolder) -> str | None:
    """Mismatch between neighbouring shells, one panel per direction."""
    table = run.table("mismatch", "percent")
    if table is None:
        return None
    directions = list(dict.fromkeys(table.text("direction")))
    styles = sample_styles(run)
    figure, box = inches(8.8 if len(directions) > 1 else 5.0, 3.6, bottom=0.95, top=0.35)
    grid = figure.add_gridspec(1, len(directions), **box, wspace=0.09)
    first = None
    for i, direction in enumerate(directions):
        axes = figure.add_subplot(grid[0, i], sharey=first)
        first = first or axes
        part = table.where("direction", direction)
        for j, (label, style) in enumerate(styles.items()):
            _mismatch_of(
                axes,
                part.where("sample", label),
                style,
                _DASHES[j % len(_DASHES)],
                shift=0.012 * (j - (len(styles) - 1) / 2),
            )
        abrupt = part.floats("abrupt_percent")
        if np.isfinite(abrupt).any():
            axes.axhline(np.nanmax(abrupt), color=INK, linewidth=1, linestyle=(0, (1, 2)))
            axes.text(0.02, np.nanmax(abrupt), f"abrupt interface, {np.nanmax(abrupt):.1f} %", fontsize=8, va="bottom",
                      transform=axes.get_yaxis_transform())  # fmt: skip
        axes.axhline(3.0, color="#9a9a9a", linewidth=0.9)
        axes.text(
            0.02,
            3.0,
            "rule: below about 3 %",
            fontsize=8,
            va="bottom",
            color="#5a5a5a",
            transform=axes.get_yaxis_transform(),
        )
        axes.axhline(0.0, color="#d0d0d0", linewidth=0.7, zorder=-3)
        axes.set_title("cubic lattice" if direction == "cubic" else f"along {direction}")
        axes.set_xlabel("distance of the boundary from the centre (nm)")
        axes.set_xlim(left=0)
        if i:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("mismatch, (inner − outer)/inner (%)")
    if first is not None:
        low, high = first.get_ylim()
        first.set_ylim(min(low, -0.3), high + 0.09 * (high - low))
    legend_below(figure, marker_handles(styles), columns=2)
    return to_svg(figure)


def _mismatch_of(axes: Any, table: Table, style: CurveStyle, dash: Any, shift: float) -> None:
    if not len(table):
        return
    radius = table.floats("radius_nm") + shift
    for level, width in ((95, 1.2), (68, 3.4)):
        axes.vlines(radius, table.floats(f"lo{level}"), table.floats(f"hi{level}"), color=style.colour, linewidth=width)
    axes.plot(radius, table.floats("percent"), color=style.colour, linewidth=1.1, linestyle=dash, alpha=0.8)
    axes.plot(
        radius,
        table.floats("percent"),
        linestyle="none",
        marker=style.marker,
        color=style.colour,
        markersize=7,
        markeredgecolor="white",
    )


_RULE_TITLES = {
    "outer_layer_full": "1. outermost layer full (share)",
    "mismatch_small": "2. largest mismatch (%)",
    "gradient_spread": "3. width of the gradient (layers)",
}


def design_rules(run: RunFolder) -> str | None:
    """What each rule looks at, per sample; the side on which the rule is met is shaded."""
    table = run.table("design_rules", "rule", "value")
    if table is None:
        return None
    rules = [r for r in _RULE_TITLES if len(table.where("rule", r))]
    panels = [(table.where("rule", r), _RULE_TITLES[r]) for r in rules]

    def limit(axes: Any, i: int) -> None:
        part = panels[i][0]
        at = part.floats("limit")[0]
        low, high = axes.get_xlim()
        low, high = min(low, 0.0 if rules[i] != "gradient_spread" else 1.0), max(high, at * 1.25)
        if rules[i] == "outer_layer_full":
            high = 1.03
        better = (low, at) if rules[i] == "mismatch_small" else (at, high)
        axes.axvspan(*better, color="#e3efe8", zorder=-6, linewidth=0)
        axes.axvline(at, color="#4d6b5a", linewidth=1)
        axes.text(
            sum(better) / 2,
            1.0,
            "met",
            fontsize=8,
            color="#2f5140",
            ha="center",
            va="top",
            transform=axes.get_xaxis_transform(),
        )
        axes.set_xlim(low, high)

    return forest(run, panels, decorate=limit)
