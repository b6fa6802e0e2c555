"""Strain of the relaxed particles against the radius, beside Vegard's rule."""

from __future__ import annotations

from typing import Any

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.figure_style import BLUE, GREEN, INK, VERMILLION, inches, legend_below, to_svg
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["strain"]


def strain(run: RunFolder) -> str | None:
    """Local lattice constant with its spread over atoms and Vegard's (left); strain along and across the radius (right)."""
    table = run.table("strain", "r_nm", "lattice_nm", "vegard_nm", "dilation")
    if table is None:
        return None
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    r = table.floats("r_nm")
    figure, box = inches(8.8, 3.7, bottom=0.95, top=0.35, left=0.75, right=0.2)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.3)
    left, right = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    lattice, spread = table.floats("lattice_nm"), table.floats("lattice_std_nm")
    left.fill_between(r, lattice - spread, lattice + spread, color=BLUE, alpha=0.18, linewidth=0)
    left.plot(r, lattice, color=BLUE, marker="o", markersize=3.5)
    left.plot(r, table.floats("vegard_nm"), color=INK, linewidth=1.1, linestyle=(0, (4, 1.5)))
    left.set_ylabel("local lattice constant (nm)")
    left.set_title("lattice", fontsize=9.5, loc="left")
    for name, colour, marker in (("radial", VERMILLION, "s"), ("tangential", GREEN, "^"), ("dilation", BLUE, "o")):
        _strain(right, r, 100 * table.floats(name), 100 * table.floats(f"{name}_std"), colour, marker)
    right.axhline(0, color=INK, linewidth=0.7)
    right.set_ylabel("strain against the free material (%)")
    right.set_title("strain", fontsize=9.5, loc="left")
    for axes in (left, right):
        axes.set_xlabel("distance from the centre (nm)")
        axes.set_xlim(0, float(r.max()) * 1.05)
    handles: list[Any] = [
        Line2D([], [], color=BLUE, marker="o", markersize=3.5, label="relaxed: lattice, mean strain"),
        Line2D([], [], color=INK, linewidth=1.1, linestyle=(0, (4, 1.5)), label="Vegard's rule"),
        Line2D([], [], color=VERMILLION, marker="s", markersize=3.5, label="along the radius"),
        Line2D([], [], color=GREEN, marker="^", markersize=3.5, label="across the radius"),
        Patch(color=BLUE, alpha=0.18, label="± 1 standard deviation over atoms"),
    ]
    legend_below(figure, handles, columns=3)
    return to_svg(figure)


def _strain(axes: Any, r: FloatArray, mean: FloatArray, spread: FloatArray, colour: str, marker: str) -> None:
    axes.fill_between(r, mean - spread, mean + spread, color=colour, alpha=0.10, linewidth=0)
    axes.plot(r, mean, color=colour, marker=marker, markersize=3.5)
