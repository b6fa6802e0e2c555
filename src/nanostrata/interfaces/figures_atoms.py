"""Figures of the atoms: their curves over the measured points, and the particles of the ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.figure_style import (
    BLUE,
    GREY,
    INK,
    VERMILLION,
    CurveStyle,
    curve_styles,
    inches,
    legend_below,
    log_ticks,
    spare_style,
    to_svg,
)
from nanostrata.interfaces.figures_curves import one_curve, q_ticks, residual_strip, shifts
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["ensemble", "typical_row", "verification"]

_BAND = "#f0b27a"


def verification(run: RunFolder) -> str | None:
    """Curves of the atoms over the measured points, and for each curve the residuals in units of sigma."""
    table = run.table("verification_curves", "q_inv_nm", "intensity", "sigma", "atoms")
    if table is None:
        return None
    parts = _curves(run, table)
    styles = {key: look for key, (look, _) in parts.items()}
    if not parts:
        return None
    everything = _joined(table, parts)
    strip, main, foot = 0.74, 3.3, 0.95
    height = main + strip * len(parts) + foot + 0.25
    figure, box = inches(8.8, height, bottom=foot, top=0.15, left=0.75, right=1.55)
    grid = figure.add_gridspec(1 + len(parts), 1, **box, height_ratios=[main] + [strip] * len(parts), hspace=0.1)
    axes = figure.add_subplot(grid[0])
    shift = shifts(everything, styles)
    for key, (look, rows) in parts.items():
        one_curve(axes, rows, look, shift[key])
    axes.set_xscale("log")
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.set_ylabel(f"intensity, shifted ({run.get('asaxs.intensity_unit') or 'unit of the files'})")
    shell, last = False, axes
    for i, (look, rows) in enumerate(parts.values()):
        last = figure.add_subplot(grid[i + 1], sharex=axes)
        shell |= _strip(last, rows, look, run)
    for each in figure.axes[:-1]:
        each.tick_params(labelbottom=False, which="both")
    q_ticks(last, table.floats("q_inv_nm"))
    last.set_xlabel("q (1/nm)")
    middle = (figure.axes[1].get_position().y1 + last.get_position().y0) / 2
    figure.text(0.2 / 8.8, middle, "(data − atoms) / σ", rotation=90, rotation_mode="anchor", ha="center", va="center")
    legend_below(figure, _handles(table, shell), columns=3)
    return to_svg(figure)


def _curves(run: RunFolder, table: Table) -> dict[str, tuple[CurveStyle, Table]]:
    """Rows of every verified curve, ASAXS by energy first, each with its style; ``fit`` is the curve of the atoms."""
    known = curve_styles(run)
    sets = list(dict.fromkeys(zip(table.text("data_set"), table.text("curve"), strict=True)))
    sets = [pair for pair in sets if pair[0] != "waxs"]  # a figure of its own
    order = {label: i for i, label in enumerate(known)}
    sets.sort(key=lambda pair: (pair[0] != "asaxs", order.get(pair[1], len(order))))
    parts: dict[str, tuple[CurveStyle, Table]] = {}
    for data_set, label in sets:
        rows = table.where("data_set", data_set).where("curve", label)
        look = known.get(label) if data_set == "asaxs" else None
        if look is None:
            look = replace(spare_style(len(known) + sum(k not in known for k in parts)), name=label)
        key = label if data_set == "asaxs" else f"{data_set} {label}"
        residual = (rows.floats("intensity") - rows.floats("atoms")) / rows.floats("sigma")
        columns = dict(rows.columns) | {
            "fit": rows.text("atoms"),
            "residual_sigma": tuple(f"{v:.8g}" for v in residual),
            "curve": (key,) * len(rows),
        }
        parts[key] = (look, Table("verification_curves", columns))
    return parts


def _joined(table: Table, parts: Mapping[str, tuple[CurveStyle, Table]]) -> Table:
    names = [*table.columns, "fit", "residual_sigma"]
    return Table(
        table.name, {n: tuple(v for _, rows in parts.values() for v in rows.text(n)) for n in dict.fromkeys(names)}
    )


def _strip(axes: Any, rows: Table, look: CurveStyle, run: RunFolder) -> bool:
    """Residuals, the error of the atoms' curve and, where it is known, the shell model; says whether it was drawn."""
    residual_strip(axes, rows, look)
    low, high = axes.get_ylim()
    q, atoms, sigma = (rows.floats(n) for n in ("q_inv_nm", "atoms", "sigma"))
    if rows.has("model_error"):
        band = rows.floats("model_error") / sigma
        axes.fill_between(q, -band, band, color=_BAND, alpha=0.75, linewidth=0, zorder=-2)
    shell = _shell_model(run, rows.text("curve")[0], q)
    if shell is not None:
        axes.plot(q, (shell - atoms) / sigma, color=INK, linewidth=1.1, linestyle=(0, (4, 1.5)))
    axes.set_ylim(low, high)
    chi2 = _chi2_of(run, rows)
    if chi2 is not None:
        axes.texts[-1].set_y(0.68)
        axes.text(1.012, 0.26, f"χ² / point {chi2:.2f}", transform=axes.transAxes, va="center", fontsize=8.5)
    return shell is not None


def _shell_model(run: RunFolder, curve: str, q: FloatArray) -> FloatArray | None:
    """Fit of the shell model at the points of an ASAXS curve; None where it was not fitted there."""
    table = run.table("curves", "q_inv_nm", "fit")
    rows = table.where("curve", curve) if table is not None else None
    if rows is None or not len(rows):
        return None
    there, fit = rows.floats("q_inv_nm"), rows.floats("fit")
    place = {f"{x:.6g}": y for x, y in zip(there, fit, strict=True)}
    found = np.array([place.get(f"{x:.6g}", np.nan) for x in q])
    return found if np.isfinite(found).any() else None


def _chi2_of(run: RunFolder, rows: Table) -> float | None:
    label = rows.text("curve")[0]
    data_set = rows.text("data_set")[0]
    for entry in run.get(f"verification.{data_set}.per_curve") or []:
        if isinstance(entry, Mapping) and entry.get("label") in (label, label.removeprefix(f"{data_set} ")):
            value = entry.get("chi2_reduced")
            return float(value) if isinstance(value, (int, float)) else None
    return None


def _handles(table: Table, shell: bool) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], linestyle="none", marker="o", markerfacecolor="white", color=GREY, label="measured (± 1 σ)"),
        Line2D([], [], color=INK, linewidth=1.1, label="atoms"),
    ]
    if shell:
        handles.append(
            Line2D([], [], color=INK, linewidth=1.1, linestyle=(0, (4, 1.5)), label="shell model − atoms (below)")
        )
    handles.append(Patch(color="#ececec", label="± 1 σ of the data"))
    if table.has("model_error"):
        handles.append(Patch(color=_BAND, alpha=0.75, label="± 1 σ of the atoms' curve"))
    return handles


def ensemble(run: RunFolder) -> str | None:
    """Aspect ratio and charge of every particle against its diameter; the area is the number it stands for."""
    table = run.table("ensemble", "diameter_nm", "weight")
    if table is None or not table.has("aspect_ratio"):
        return None
    charge = table.has("charge_e")
    figure, box = inches(8.8, 3.0, bottom=0.95, top=0.15, left=0.62)
    grid = figure.add_gridspec(1, 2 if charge else 1, **box, wspace=0.2)
    diameter, weight = table.floats("diameter_nm"), table.floats("weight")
    area = 260 * weight / np.nanmax(weight) + 4
    shown = typical_row(run)
    handles: list[Any] = []
    for i, (name, words) in enumerate((("aspect_ratio", "aspect ratio"), ("charge_e", "charge (e)"))):
        if name == "charge_e" and not charge:
            continue
        axes = figure.add_subplot(grid[0, i])
        y = table.floats(name)
        if name == "charge_e":
            axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=-1)
        dots = axes.scatter(diameter, y, s=area, color=BLUE, alpha=0.55, edgecolors="white", linewidths=0.8)
        dots.set_label("one particle; area = how many it stands for")
        look = {"marker": "o", "linestyle": "none", "markerfacecolor": "none", "color": VERMILLION}
        if shown is not None:
            axes.plot(diameter[shown], y[shown], markersize=21, markeredgewidth=1.8, **look)
            axes.plot([], [], markersize=11, markeredgewidth=1.8, label="the particle shown above", **look)
        axes.set_xlabel("diameter (nm)")
        axes.set_ylabel(words)
        axes.margins(0.12, 0.2)
        handles = [dots, *(line for line in axes.lines if line.get_label() == "the particle shown above")]
    legend_below(figure, handles, columns=2)
    return to_svg(figure)


def typical_row(run: RunFolder) -> int | None:
    """Row of ensemble.csv that holds the particle shown: the one with its numbers of atoms; None when none or many do."""
    table, counts = run.table("ensemble", "diameter_nm"), run.get("atoms.counts")
    if table is None or not isinstance(counts, Mapping) or not counts:
        return None
    names = [str(e) for e in counts if str(e) in table.columns]
    if not names:
        return None
    same = np.all([table.floats(e) == float(counts[e]) for e in names], axis=0)
    where = np.flatnonzero(same)
    return int(where[0]) if len(where) == 1 else None
