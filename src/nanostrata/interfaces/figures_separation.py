"""Figure of the separated terms and of the resonant atoms' pair distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import BLUE, INK, VERMILLION, inches, legend_below, to_svg
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["separation"]


def separation(run: RunFolder) -> str | None:
    """Three terms with errors and the model's; pair distances of the resonant atoms."""
    terms, pairs = run.table("separated_terms", "i_rr"), run.table("resonant_pair_distances", "p")
    if terms is None:
        return None
    figure, box = inches(8.8, 3.6, bottom=0.95, top=0.2, left=0.75)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.3)
    axes = figure.add_subplot(grid[0, 0])
    q = terms.floats("q_inv_nm")
    handles: list[Any] = []
    for name, label, colour in (
        ("i_0", "I₀ (all electrons)", BLUE),
        ("i_0r", "I₀ᵣ (product)", "#7a7a7a"),
        ("i_rr", "Iᵣᵣ (resonant atoms)", VERMILLION),
    ):
        y, sigma, model = terms.floats(name), terms.floats(f"{name}_sigma"), terms.floats(f"model_{name}")
        scale = np.nanmax(np.abs(model))
        good = y > 0
        handles.append(
            axes.errorbar(
                q[good],
                y[good] / scale,
                sigma[good] / scale,
                fmt="o",
                markersize=2.6,
                linewidth=0.7,
                color=colour,
                label=label,
            )
        )
        axes.plot(q, np.abs(model) / scale, color=INK, linewidth=1.0)
    axes.set_yscale("log")
    axes.set_ylim(1e-5, 3)
    axes.set_xlabel("q (1/nm)")
    axes.set_ylabel("term over the model's largest value")
    if pairs is not None:
        other = figure.add_subplot(grid[0, 1])
        r, p, sigma = (pairs.floats(n) for n in ("r_nm", "p", "sigma"))
        top = np.nanmax(np.abs(p)) or 1.0
        other.fill_between(r, (p - sigma) / top, (p + sigma) / top, color=VERMILLION, alpha=0.25, linewidth=0)
        other.plot(r, p / top, color=VERMILLION, linewidth=1.4)
        other.axhline(0, color=INK, linewidth=0.7)
        other.set_xlabel("distance (nm)")
        other.set_ylabel("p(r) of the resonant atoms, largest = 1")
    legend_below(figure, handles, columns=3)
    return to_svg(figure)
