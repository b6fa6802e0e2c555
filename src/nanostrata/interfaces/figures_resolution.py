"""What the measurements resolve: combinations of shells, and how sharply each radius is seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import BLUE, GREY, INK, VERMILLION, inches, legend_below, to_svg
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["resolution"]

_SHOWN = 5
_KERNELS = 5


def resolution(run: RunFolder) -> str | None:
    """Combinations of shells with what they are known to (left); averaging kernels and their width (right)."""
    combinations, layers = run.table("eigen_profiles", "sd"), run.table("resolution", "r_nm", "width_nm")
    if combinations is None or layers is None:
        return None
    count = min(_SHOWN, len(combinations))
    figure, box = inches(8.8, 3.9, bottom=0.95, top=0.35, left=0.3, right=0.7)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.42)
    left = grid[0, 0].subgridspec(count, 1, hspace=0.25)
    for i in range(count):
        _combination(figure.add_subplot(left[i]), combinations, i, last=i == count - 1)
    axes = figure.add_subplot(grid[0, 1])
    handles = _kernels(axes, layers)
    legend_below(figure, handles, columns=3)
    return to_svg(figure)


def _combination(axes: Any, table: Table, i: int, *, last: bool) -> None:
    names = [c for c in table.columns if c.startswith("shell_")]
    weights = np.array([table.floats(n)[i] for n in names])
    sd = float(table.floats("sd")[i])
    colour = BLUE if sd < 0.10 else "#7fb2d9" if sd < 0.20 else "#bdbdbd"
    axes.bar(np.arange(1, len(weights) + 1), weights, color=colour, width=0.72)
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([])
    axes.set_xticks(np.arange(1, len(weights) + 1), [str(k + 1) for k in range(len(weights))] if last else [])
    axes.set_xlim(0.4, len(weights) + 0.6)
    text = f"± {sd:.2g}" if sd < 0.2887 else "not seen"
    axes.text(1.015, 0.5, text, transform=axes.transAxes, va="center", fontsize=8.5, color=INK if sd < 0.2 else GREY)
    if last:
        axes.set_xlabel("shell, from the centre")
    if i == 0:
        axes.set_title("combinations of shells, best known first", fontsize=9.5, loc="left")


def _kernels(axes: Any, table: Table) -> list[Any]:
    from matplotlib.lines import Line2D

    r, width = table.floats("r_nm"), table.floats("width_nm")
    at = np.unique(np.linspace(0, len(r) - 1, _KERNELS).round().astype(int))
    for k in at:
        kernel = np.array([table.floats(f"kernel_{j + 1}")[k] for j in range(len(r))])
        seen = np.isfinite(width[k])
        (line,) = axes.plot(
            r, kernel, linewidth=1.4, color=BLUE if seen else "#bdbdbd", alpha=0.45 + 0.55 * k / (len(r) - 1)
        )
        axes.plot([r[k]], [kernel[k]], marker="o", markersize=4, color=line.get_color(), linestyle="none")
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.set_xlabel("distance from the centre (nm)")
    axes.set_ylabel("averaging kernel (1/nm)")
    twin = axes.twinx()
    twin.plot(r, width, color=VERMILLION, linewidth=1.2, linestyle=(0, (4, 1.5)))
    top = np.nanmax(width) if np.isfinite(width).any() else 1.0
    twin.set_ylim(0, 1.35 * top)
    twin.set_ylabel("width of the kernel (nm)", color=VERMILLION)
    twin.tick_params(axis="y", labelcolor=VERMILLION)
    twin.spines["right"].set_visible(True)
    axes.set_title("how sharply each radius is seen", fontsize=9.5, loc="left")
    return [
        Line2D([], [], color=BLUE, linewidth=1.4, marker="o", markersize=4, label="kernel of the marked radius"),
        Line2D([], [], color="#bdbdbd", linewidth=1.4, marker="o", markersize=4, label="radius that is not seen"),
        Line2D([], [], color=VERMILLION, linewidth=1.2, linestyle=(0, (4, 1.5)), label="full width at half maximum"),
    ]
