"""The powder pattern of the atoms over the measured one."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import GREY, INK, VERMILLION, inches, legend_below, to_svg
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["wide_angle"]

_BAND = "#f0b27a"


def wide_angle(run: RunFolder) -> str | None:
    """Measured pattern and that of the atoms above, what is left in units of sigma below."""
    table = run.table("verification_curves", "q_inv_nm", "intensity", "sigma", "atoms")
    rows = table.where("data_set", "waxs") if table is not None else None
    if rows is None or not len(rows):
        return None
    figure, box = inches(8.8, 4.4, bottom=0.95, top=0.15, left=0.85)
    grid = figure.add_gridspec(2, 1, **box, height_ratios=[3.0, 1.0], hspace=0.07)
    axes = figure.add_subplot(grid[0, 0])
    q, y, sigma, atoms, error = (rows.floats(n) for n in ("q_inv_nm", "intensity", "sigma", "atoms", "model_error"))
    handles: list[Any] = axes.plot(q, y, ".", color=GREY, markersize=3.0, label="measured")
    handles += axes.plot(q, atoms, color=INK, linewidth=1.3, label="atoms, with a free smooth background")
    axes.set_ylabel("intensity")
    axes.tick_params(labelbottom=False)
    below = figure.add_subplot(grid[1, 0], sharex=axes)
    handles.append(
        below.fill_between(
            q, -error / sigma, error / sigma, color=_BAND, alpha=0.75, linewidth=0, label="error of so few particles"
        )
    )
    rest = (y - atoms) / sigma
    below.plot(q, rest, ".", color=VERMILLION, markersize=2.6)
    below.axhline(0.0, color=INK, linewidth=0.7)
    limit = 1.15 * max(3.0, float(np.nanmax(np.abs(rest))))
    below.set_ylim(-limit, limit)
    below.set_ylabel("residual (σ)")
    below.set_xlabel("q (1/nm)")
    legend_below(figure, handles, columns=3)
    return to_svg(figure)
