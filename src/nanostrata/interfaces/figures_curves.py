"""Figures of the data: curves, residuals, I q^4, first minimum, contrast; and a still of the particle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.figure_style import (
    INK,
    CurveStyle,
    curve_styles,
    element_colours,
    energy_colour,
    inches,
    legend_below,
    log_ticks,
    to_svg,
)
from nanostrata.interfaces.formatting import SUPERSCRIPT
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = [
    "POINTS_DRAWN",
    "contrast",
    "curves",
    "first_minimum",
    "one_curve",
    "particle",
    "porod",
    "q_ticks",
    "residual_strip",
    "shifts",
]

POINTS_DRAWN = 300  # per curve; a longer curve is thinned for drawing only, its table keeps every point


def curves(run: RunFolder) -> str | None:
    """Every curve with its fit, shifted apart, and under it the residuals in units of sigma."""
    table = run.table("curves", "q_inv_nm", "intensity")
    if table is None:
        return None
    styles = curve_styles(run)
    shown = [c for c in styles if table.has("residual_sigma")]
    strip, main = 0.52, 3.5
    height = main + strip * len(shown) + 0.75
    figure, box = inches(8.8, height, bottom=0.5, top=0.15, left=0.75, right=1.55)
    grid = figure.add_gridspec(1 + len(shown), 1, **box, height_ratios=[main] + [strip] * len(shown), hspace=0.08)
    axes = figure.add_subplot(grid[0])
    shift = shifts(table, styles)
    for curve, look in styles.items():
        one_curve(axes, table.where("curve", curve), look, shift[curve])
    axes.set_xscale("log")
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.set_ylabel(f"intensity, shifted ({run.get('asaxs.intensity_unit') or 'unit of the files'})")
    last = axes
    for i, curve in enumerate(shown):
        last = figure.add_subplot(grid[i + 1], sharex=axes)
        residual_strip(last, table.where("curve", curve), styles[curve])
    for each in figure.axes[:-1]:
        each.tick_params(labelbottom=False, which="both")
    q_ticks(last, table.floats("q_inv_nm"))
    last.set_xlabel("q (1/nm)")
    if shown:
        middle = (figure.axes[1].get_position().y1 + last.get_position().y0) / 2
        figure.text(0.2 / 8.8, middle, "residual / σ", rotation=90, rotation_mode="anchor", ha="center", va="center")
    return to_svg(figure)


def shifts(table: Table, styles: Mapping[str, CurveStyle]) -> dict[str, float]:
    """Powers of ten (square roots of ten for many curves) that put each curve above the one before."""
    step = 1.0 if len(styles) <= 5 else 0.5
    shift: dict[str, float] = {}
    below: tuple[FloatArray, FloatArray] | None = None
    for curve in styles:
        rows = table.where("curve", curve)
        q, value = rows.floats("q_inv_nm"), rows.floats("fit")
        value = np.where(np.isfinite(value), value, rows.floats("intensity"))
        power = 0.0
        good = value > 0
        if below is not None and good.any():
            ratio = np.interp(q[good], *below) / value[good]
            power = max(0.0, math.ceil(math.log10(float(ratio.max()) * 1.6) / step) * step)
        shift[curve] = 10.0**power
        if good.any():
            below = (q[good], value[good] * shift[curve])
    return shift


def _thin(table: Table) -> Any:
    step = max(1, math.ceil(len(table) / POINTS_DRAWN))
    return slice(None, None, step)


def one_curve(axes: Any, rows: Table, look: CurveStyle, factor: float) -> None:
    """Points with error bars, the fit as a dark line, and the name at its end."""
    q, value, sigma, fit = (rows.floats(n) for n in ("q_inv_nm", "intensity", "sigma", "fit"))
    keep = _thin(rows)
    low = np.maximum(value - sigma, np.abs(value) * 1e-3)
    axes.vlines(
        q[keep], low[keep] * factor, (value + sigma)[keep] * factor, color=look.colour, linewidth=0.7, alpha=0.6
    )
    axes.plot(
        q[keep],
        value[keep] * factor,
        linestyle="none",
        marker=look.marker,
        markersize=3.2,
        markerfacecolor="white",
        markeredgecolor=look.colour,
        markeredgewidth=0.8,
    )
    axes.plot(q, fit * factor, color=INK, linewidth=1.1)
    positive = np.flatnonzero(value > 0)
    if positive.size:
        end = fit[positive[-1]] if np.isfinite(fit[positive[-1]]) and fit[positive[-1]] > 0 else value[positive[-1]]
        times = (
            ""
            if factor == 1
            else f"  × {factor:.3g}"
            if factor < 1000
            else f"  × 10{str(round(math.log10(factor))).translate(SUPERSCRIPT)}"
        )
        axes.annotate(
            f"{look.name}{times}",
            (q[-1], end * factor),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=look.colour,
            fontsize=9,
            fontweight="bold",
            annotation_clip=False,
        )


def residual_strip(axes: Any, rows: Table, look: CurveStyle) -> None:
    """Residuals of one curve in units of sigma; a cross marks a point beyond the frame."""
    q, residual = rows.floats("q_inv_nm"), rows.floats("residual_sigma")
    keep = _thin(rows)
    limit = max(3.5, min(8.0, 1.1 * float(np.nanmax(np.abs(residual))) if np.isfinite(residual).any() else 3.5))
    axes.axhspan(-1, 1, color="#ececec", linewidth=0, zorder=-3)
    axes.axhline(0, color="#999999", linewidth=0.7)
    inside = np.clip(residual, -limit, limit)
    axes.plot(q[keep], inside[keep], linestyle="none", marker=look.marker, markersize=2.4, color=look.colour)
    beyond = np.abs(residual) > limit
    axes.plot(q[beyond], inside[beyond], linestyle="none", marker="x", markersize=6, color=INK)
    axes.set_ylim(-limit * 1.08, limit * 1.08)
    axes.set_yticks([-3, 0, 3])
    axes.text(1.012, 0.5, look.name, transform=axes.transAxes, va="center", color=look.colour, fontsize=8.5)


def q_ticks(axes: Any, q: FloatArray) -> None:
    """Round numbers on a logarithmic q axis."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    steps = [m * 10.0**e for e in range(-4, 4) for m in (1, 2, 3, 5)]
    inside = [t for t in steps if np.nanmin(q) * 0.999 <= t <= np.nanmax(q) * 1.001]
    if len(inside) > 9:
        inside = [t for t in inside if f"{t:e}"[0] in "1"]
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def porod(run: RunFolder) -> str | None:
    """I q^4, each curve scaled to its own largest value and stacked: the oscillation that carries the profile."""
    table = run.table("curves", "q_inv_nm", "intensity")
    if table is None:
        return None
    figure, box = inches(8.8, 3.4, bottom=0.5, top=0.15, right=1.55)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    ends = []
    below: tuple[FloatArray, FloatArray] | None = None
    for curve, look in curve_styles(run).items():
        rows = table.where("curve", curve)
        q, value, fit = (rows.floats(n) for n in ("q_inv_nm", "intensity", "fit"))
        keep = _thin(rows)
        unit = float(np.nanmax(np.where(np.isfinite(fit), fit, value) * q**4)) or 1.0
        solid = np.where(np.isfinite(fit), fit, value) * q**4 / unit
        base = 0.0 if below is None else max(0.35, float(np.max(np.interp(q, *below) - solid)) + 0.1)
        below = (q, base + solid)
        axes.plot(
            q[keep],
            base + (value * q**4 / unit)[keep],
            linestyle="none",
            marker=look.marker,
            markersize=3,
            markerfacecolor="white",
            markeredgecolor=look.colour,
            markeredgewidth=0.8,
        )
        axes.plot(q, base + fit * q**4 / unit, color=INK, linewidth=1.1)
        ends.append((float(base + solid[-1]), look.name, look.colour))
    axes.set_ylim(bottom=0)
    _label_ends(axes, ends, 0.06 * axes.get_ylim()[1], float(np.nanmax(table.floats("q_inv_nm"))))
    axes.set_xlabel("q (1/nm)")
    axes.set_ylabel("I q⁴ / its maximum, stacked")
    return to_svg(figure)


def first_minimum(run: RunFolder) -> str | None:
    """Position of the first minimum against photon energy: measured and of the model."""
    table = run.table("first_minimum", "energy_kev", "q_min_inv_nm")
    if table is None:
        return None
    figure, box = inches(4.3, 3.2, bottom=0.85, top=0.15)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    energy, measured, sigma = (table.floats(n) for n in ("energy_kev", "q_min_inv_nm", "sigma_inv_nm"))
    place = np.argsort(np.argsort(energy)).astype(float)  # energies lie 30 eV to 7 keV apart: one place each
    handles = [
        axes.errorbar(
            place,
            measured,
            np.nan_to_num(sigma),
            fmt="o",
            color=INK,
            markerfacecolor="white",
            capsize=4,
            label="measured (± 1 σ)",
        )
    ]
    styles = curve_styles(run)
    kev = _energies(run)
    for x, y, s, e in zip(place, measured, np.nan_to_num(sigma), energy, strict=True):
        axes.errorbar([x], [y], [s], fmt="o", color=energy_colour(styles, kev, e), capsize=4, markersize=6)
    if table.has("model_q_min_inv_nm"):
        handles += axes.plot(
            place,
            table.floats("model_q_min_inv_nm"),
            linestyle="none",
            marker="_",
            markersize=22,
            markeredgewidth=2,
            color="#555555",
            label="model",
        )
    axes.set_xticks(place, [f"{e:g}" for e in energy])
    axes.set_xlim(-0.5, len(place) - 0.5)
    axes.margins(y=0.2)
    axes.set_xlabel("photon energy (keV), not to scale")
    axes.set_ylabel("first minimum, q (1/nm)")
    legend_below(figure, handles, columns=2)
    return to_svg(figure)


def contrast(run: RunFolder) -> str | None:
    """How the excess electron density changes from core to shell material at each energy."""
    table = run.table("contrast", "x", "excess_density_real_e_nm3")
    if table is None:
        return None
    figure, box = inches(4.3, 3.2, bottom=0.5, top=0.15, left=0.66, right=0.95)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    styles, kev = curve_styles(run), _energies(run)
    ends = []
    for text in dict.fromkeys(table.text("energy_kev")):
        rows = table.where("energy_kev", text)
        x, rho = rows.floats("x"), rows.floats("excess_density_real_e_nm3")
        energy = float(rows.floats("energy_kev")[0])
        change = 100 * (rho / rho[0] - 1)
        colour = energy_colour(styles, kev, energy)
        axes.plot(x, change, color=colour)
        ends.append((float(change[-1]), f"{energy:.3f} keV", colour))
    axes.axhline(0, color="#bbbbbb", linewidth=0.7, zorder=-1)
    low, high = axes.get_ylim()
    _label_ends(axes, ends, 0.06 * (high - low))
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of shell material, x")
    axes.set_ylabel("change of excess density (%)")
    return to_svg(figure)


def _label_ends(axes: Any, ends: list[tuple[float, str, str]], gap: float, x: float = 1.0) -> None:
    """Names at the right end of lines, pushed apart so that none overlap."""
    place = -math.inf
    for y, name, colour in sorted(ends):
        place = max(y, place + gap)
        axes.annotate(
            name,
            (x, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8.5,
            fontweight="bold",
            annotation_clip=False,
        )


def _energies(run: RunFolder) -> dict[str, float]:
    table = run.table("energies", "curve") or run.table("curves", "curve")
    if table is None:
        return {}
    known = set(curve_styles(run))
    return {c: float(e) for c, e in zip(table.text("curve"), table.floats("energy_kev"), strict=True) if c in known}


def particle(run: RunFolder) -> str | None:
    """Still of the particle, whole and cut in half: for print and for browsers without WebGL."""
    atoms = run.particle
    if atoms is None or not len(atoms.symbols):
        return None
    figure, box = inches(8.8, 4.4, left=0.1, bottom=0.45, top=0.3, right=0.1)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.02)
    colours = element_colours(atoms.symbols)
    xyz = atoms.positions_angstrom / 10
    reach = float(np.abs(xyz).max()) * 1.08
    tint = np.array([colours[s] for s in atoms.symbols])
    for column, (title, keep) in enumerate((("whole", np.full(len(xyz), True)), ("cut in half", xyz[:, 2] <= 0))):
        axes = figure.add_subplot(grid[0, column])
        order = np.flatnonzero(keep)[np.argsort(xyz[keep, 2], kind="stable")]
        order = order[xyz[order, 2] > (-0.25 if title != "whole" else 0.0) * reach]  # what lies behind is hidden anyway
        size = (0.235 / (2 * reach) * 3.55 * 72) ** 2
        axes.scatter(xyz[order, 0], xyz[order, 1], s=size, c=tint[order], edgecolors="#333333", linewidths=0.35)
        axes.set_title(title, loc="center")
        axes.set_aspect("equal")
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
        axes.axis("off")
        if column == 1:
            axes.plot([reach - 1.05, reach - 0.05], [-reach * 0.97] * 2, color=INK, linewidth=2, solid_capstyle="butt")
            axes.text(reach - 0.55, -reach * 0.94, "1 nm", ha="center", va="bottom", fontsize=8.5)
    dots = [
        figure.axes[0].plot(
            [], [], "o", color=c, markeredgecolor="#333333", markeredgewidth=0.4, markersize=7, label=e
        )[0]
        for e, c in colours.items()
    ]
    legend_below(figure, dots, columns=len(dots))
    return to_svg(figure)
