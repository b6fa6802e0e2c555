"""Figures of the whole wide-angle pattern from particles of atoms: pattern with residuals, and pair distribution function."""

from __future__ import annotations

from nanostrata.interfaces.figure_style import BLUE, GREY, INK, VERMILLION, inches, legend_below, to_svg
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["pair_distribution", "whole_pattern"]


def whole_pattern(run: RunFolder) -> str | None:
    """Measured pattern, that of the particles, background, and residuals in sigma below."""
    table = run.table("waxs_whole_pattern", "fit")
    if table is None:
        return None
    figure, box = inches(8.8, 4.6, bottom=0.95, top=0.3, left=0.85)
    grid = figure.add_gridspec(2, 1, **box, height_ratios=[3.4, 1.0], hspace=0.07)
    axes = figure.add_subplot(grid[0, 0])
    q, y, fit, background = (table.floats(n) for n in ("q_inv_nm", "intensity", "fit", "background"))
    handles = axes.plot(q, y, ".", color=GREY, markersize=3.0, label="measured", rasterized=len(q) > 3000)
    handles += axes.plot(q, fit, color=VERMILLION, linewidth=1.3, label="particles of atoms")
    handles += axes.plot(q, background, color=INK, linewidth=1.0, linestyle="--", label="background")
    axes.set_ylabel("intensity")
    axes.tick_params(labelbottom=False)
    below = figure.add_subplot(grid[1, 0], sharex=axes)
    below.plot(q, table.floats("residual_sigma"), ".", color=GREY, markersize=2.4)
    below.axhline(0.0, color=INK, linewidth=0.7)
    below.set_ylabel("residual (σ)")
    below.set_xlabel("q (1/nm)")
    legend_below(figure, handles, columns=3)
    return to_svg(figure)


def pair_distribution(run: RunFolder) -> str | None:
    """G(r) of the measured pattern and of the particles, with their difference below."""
    table = run.table("waxs_pair_distribution", "g_model_inv_nm2")
    if table is None:
        return None
    figure, box = inches(8.8, 4.2, bottom=0.95, top=0.3, left=0.85)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    r, measured, model = (table.floats(n) for n in ("r_nm", "g_measured_inv_nm2", "g_model_inv_nm2"))
    shift = 1.15 * (float(min(measured.min(), model.min())) - float((measured - model).max()))
    handles = axes.plot(r, measured, ".", color=GREY, markersize=3.0, label="measured")
    handles += axes.plot(r, model, color=VERMILLION, linewidth=1.3, label="particles of atoms")
    handles += axes.plot(r, measured - model + shift, color=BLUE, linewidth=1.0, label="difference, moved down")
    axes.axhline(shift, color=INK, linewidth=0.6)
    axes.set_xlabel("distance r (nm)")
    axes.set_ylabel("G(r) (1/nm²)")
    legend_below(figure, handles, columns=3)
    return to_svg(figure)
