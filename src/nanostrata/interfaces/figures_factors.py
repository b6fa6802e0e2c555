"""f', f'' and the contrast through the edge, all tables in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    inches,
    legend_below,
    style,
    to_svg,
)
from nanostrata.pipeline.check_factors import FactorCurves, TableCurve

__all__ = ["draw_factors"]

# the chosen table lies below as a broad line, so that the others stay visible where they agree with it
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linewidth": 2.6, "alpha": 0.75, "solid_capstyle": "round"},
    {"color": VERMILLION, "linewidth": 1.2, "linestyle": (0, (5, 1.5))},
    {"color": GREEN, "linewidth": 1.2, "linestyle": (0, (1.2, 1.2))},
    {"color": ORANGE, "linewidth": 1.2, "linestyle": (0, (5, 1.5, 1, 1.5))},
)
_SPACE = 0.06
"""Least distance of two labels, in widths of the panel."""


def draw_factors(curves: FactorCurves) -> str:
    """Return the picture as SVG text.

    Parameters
    ----------
    curves : every table over all measured energies (left) and round the edge (right); the first is the one in use
    """
    two = len(curves.whole[0].shell_excess) > 0
    with style():
        figure, box = inches(10.6, 8.3, left=0.78, right=0.66, top=0.62, bottom=1.0)
        grid = figure.add_gridspec(3, 2, **box, wspace=0.2, hspace=0.16, height_ratios=(1.0, 1.0, 1.1))
        handles: list[Any] = []
        for column, tables in enumerate((curves.whole, curves.zoom)):
            top: Any = None
            for row, what in enumerate(("f_prime", "f_double_prime", "excess")):
                axes = figure.add_subplot(grid[row, column], sharex=top)
                top = top or axes
                lines = [_line(axes, t, what, i) for i, t in enumerate(tables)]
                handles = handles or lines
                _energies(axes, curves, (tables[0].energy_kev[0], tables[0].energy_kev[-1]), named=row == 0)
                if row < 2:
                    axes.tick_params(labelbottom=False)
                if column == 0:
                    axes.set_ylabel(
                        (f"f′ of {curves.element} (e)", f"f″ of {curves.element} (e)", "excess density (e/nm³)")[row]
                    )
                if what == "excess" and two:
                    _members(axes, tables[0])
            top.set_xlim(tables[0].energy_kev[0], tables[0].energy_kev[-1])
            axes.set_xlabel("photon energy (keV)")
            where = "all measured energies" if column == 0 else f"through the {curves.element} {curves.shell} edge"
            top.set_title(where, pad=18)
        names = [f"{n} (used)" if i == 0 else n for i, n in enumerate(curves.names)]
        legend_below(figure, handles, names, columns=4)
        note = "grey lines: measured energies; dotted: the tabulated edge"
        note += "; lower panels: core thin, shell thick" if two else ""
        band = (
            "; band: ± one standard deviation of the measured f′"
            if any(len(t.sigma_f_prime) for t in curves.zoom)
            else ""
        )
        figure.text(0.5, 0.36 / 8.3, note + band, ha="center", va="bottom", fontsize=8.0, color="#555555")
        return to_svg(figure)


def _line(axes: Any, table: TableCurve, what: str, i: int) -> Any:
    look = _LOOKS[i % len(_LOOKS)]
    order = {"zorder": 2 + i}
    if what != "excess":
        y = getattr(table, what)
        (line,) = axes.plot(table.energy_kev, y, **look, **order)
        if what == "f_prime" and len(table.sigma_f_prime) == len(y):
            s = table.sigma_f_prime
            axes.fill_between(table.energy_kev, y - s, y + s, color=look["color"], alpha=0.25, linewidth=0, zorder=1)
        return line
    thin = look | {"linewidth": 0.6 * look["linewidth"]}
    (line,) = axes.plot(table.energy_kev, table.core_excess, **thin, **order)
    if len(table.shell_excess):
        (line,) = axes.plot(table.energy_kev, table.shell_excess, **look, **order)
    return line


def _energies(axes: Any, curves: FactorCurves, within: tuple[float, float], *, named: bool) -> None:
    """Mark the measured energies and the edge; names above the top panel, moved apart where they would touch."""
    axes.axvline(curves.edge_kev, color=INK, linewidth=0.7, linestyle=(0, (1, 2)), zorder=0)
    low, high = within
    shown = [e for e in curves.energies_kev if low <= e <= high]
    for kev in shown:
        axes.axvline(kev, color=GREY, linewidth=0.9, alpha=0.7, zorder=0)
    if not named:
        return
    places = _apart([(e - low) / (high - low) for e in shown])
    for kev, at in zip(shown, places, strict=True):
        axes.annotate(
            f"{kev:.6g}", xy=((kev - low) / (high - low), 1.0), xytext=(at, 1.045), xycoords="axes fraction",
            textcoords="axes fraction", ha="center", va="bottom", fontsize=8.0, color="#555555",
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _apart(places: Sequence[float]) -> list[float]:
    """Move labels apart to a common least distance, keeping their order and centring each crowd."""
    out = sorted(places)
    for _ in range(60):
        for i in range(len(out) - 1):
            short = _SPACE - (out[i + 1] - out[i])
            if short > 1e-6:
                out[i] -= 0.5 * short
                out[i + 1] += 0.5 * short
    shift = max(0.0, 0.0 - (out[0] if out else 0.0))
    return [v + shift for v in out]


def _members(axes: Any, table: TableCurve) -> None:
    """Names at the right end of the two bundles of lines."""
    core, shell = float(table.core_excess[-1]), float(table.shell_excess[-1])
    low, high = axes.get_ylim()
    gap = 0.07 * (high - low)
    if abs(shell - core) < gap:
        middle, sign = 0.5 * (core + shell), 1.0 if shell >= core else -1.0
        core, shell = middle - 0.5 * sign * gap, middle + 0.5 * sign * gap
    at = float(np.asarray(table.energy_kev)[-1])
    for name, y in (("core", core), ("shell", shell)):
        axes.annotate(name, xy=(at, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)
