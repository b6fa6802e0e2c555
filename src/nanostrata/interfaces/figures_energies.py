"""Figure of whether the energies belong together: first minimum against energy, and each curve against the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    curve_styles,
    inches,
    legend_below,
    to_svg,
)
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["energies"]


def energies(run: RunFolder) -> str | None:
    """First minimum at each energy, measured, predicted and of the pure materials; curves over their predictions."""
    table = run.table("energy_consistency", "curve", "energy_kev", "first_minimum_inv_nm")
    if table is None or len(table) < 2:
        return None
    curves = run.table("left_out_curves", "curve", "q_inv_nm", "predicted")
    rows = len(table)
    height = max(3.6, 0.62 * rows + 1.3)
    figure, box = inches(8.8, height, bottom=0.85, top=0.3, left=0.66)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.24)
    axes = figure.add_subplot(grid[0, 0])
    handles = _minima(axes, run, table)
    if curves is not None:
        handles += _left_out(figure, grid[0, 1], run, table, curves)
    legend_below(figure, handles, columns=3)
    return to_svg(figure)


def _minima(axes: Any, run: RunFolder, table: Table) -> list[Any]:
    energy = table.floats("energy_kev")
    place = np.argsort(np.argsort(energy, kind="stable"), kind="stable").astype(float)
    order = np.argsort(place)
    measured, sigma = table.floats("first_minimum_inv_nm"), table.floats("first_minimum_sigma")
    predicted = table.floats("predicted_inv_nm")
    low, high = table.floats("predicted_low95"), table.floats("predicted_high95")
    handles = []
    for column, colour, dashes, words in (
        ("pure_core_inv_nm", GREY, (0, (6, 2)), "core material alone"),
        ("pure_shell_inv_nm", ORANGE, (0, (2, 1.5)), "shell material alone"),
    ):
        value = table.floats(column)[order]
        if np.isfinite(value).any():
            handles += axes.plot(place[order], value, color=colour, linestyle=dashes, linewidth=1.6, label=words)
    if np.isfinite(predicted).any():
        axes.fill_between(place[order], low[order], high[order], color=BLUE, alpha=0.25, linewidth=0)
        handles += axes.plot(place[order], predicted[order], color=BLUE, linewidth=1.6, label="model (95 %)")
    styles = curve_styles(run)
    for x, y, s, name in zip(place, measured, np.nan_to_num(sigma), table.text("curve"), strict=True):
        look = styles.get(name)
        axes.errorbar(
            [x], [y], [s], fmt=look.marker if look else "o", color=look.colour if look else INK, capsize=4, markersize=6
        )
    handles.append(
        axes.errorbar([], [], [], fmt="o", color=INK, markerfacecolor="white", capsize=4, label="measured (± 1 σ)")
    )
    axes.set_xticks(place[order], [f"{e:g}" for e in energy[order]])
    axes.set_xlim(-0.5, len(place) - 0.5)
    axes.margins(y=0.15)
    axes.set_title("first minimum of I q⁴")
    axes.set_xlabel("photon energy (keV), not to scale")
    axes.set_ylabel("q (1/nm)")
    return handles


def _left_out(figure: Any, place: Any, run: RunFolder, table: Table, curves: Table) -> list[Any]:
    """One strip per curve: measured over what the other energies predict, with the band of the prediction."""
    energy, names = table.floats("energy_kev"), table.text("curve")
    order = np.argsort(energy, kind="stable")[::-1]
    strips = place.subgridspec(len(order), 1, hspace=0.12)
    styles = curve_styles(run)
    label = np.array(curves.text("curve"))
    q, data, sigma, fit = (curves.floats(n) for n in ("q_inv_nm", "intensity", "sigma", "predicted"))
    low, high = curves.floats("predicted_low95"), curves.floats("predicted_high95")
    reach = np.nanquantile(np.abs(data / fit - 1.0) + sigma / np.abs(fit), 0.97) * 100.0
    band = None
    for row, k in enumerate(order):
        here = label == names[k]
        axes = figure.add_subplot(strips[row, 0])
        look = styles.get(names[k])
        colour = look.colour if look else INK
        x, unit = q[here], fit[here]
        band = axes.fill_between(
            x, 100 * (low[here] / unit - 1), 100 * (high[here] / unit - 1), color=BLUE, alpha=0.25, linewidth=0,
            label="prediction of the others (95 %)",
        )  # fmt: skip
        axes.axhline(0, color="#777777", linewidth=0.8)
        axes.plot(x, 100 * (data[here] / unit - 1), linestyle="none", marker=".", markersize=3.5, color=colour)
        axes.set_ylim(-reach, reach)
        axes.text(
            0.01, 0.97, look.name if look else names[k], transform=axes.transAxes, va="top", fontsize=8, color=colour
        )
        axes.tick_params(labelbottom=row == len(order) - 1)
        if row == 0:
            axes.set_title("curve over its prediction − 1 (%)")
        if row == len(order) - 1:
            axes.set_xlabel("q (1/nm)")
    return [band] if band is not None else []
