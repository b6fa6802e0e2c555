"""Diffusivity against temperature, and activation energies beside those of the literature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nanostrata.constants import GAS_CONSTANT_J_MOL_K
from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.figure_style import GREY, INK, CurveStyle, inches, log_ticks, to_svg
from nanostrata.interfaces.figures_compare import marker_handles, sample_styles
from nanostrata.interfaces.run_folder import RunFolder, Table
from nanostrata.models.arrhenius import ZERO_CELSIUS_K

__all__ = ["activation_energies", "arrhenius"]

_LITERATURE_COLOUR = "#5a5a5a"


def arrhenius(run: RunFolder) -> str | None:
    """Diffusivities against inverse temperature, the line through them, and slopes of the literature."""
    table = run.table("diffusivities", "diffusivity_cm2_s", "inverse_temperature_1000_k")
    table = None if table is None else table.where("definition", "first page")
    table = None if table is None else _with_temperature(table)
    if table is None or not len(table):
        return None
    figure, box = inches(8.8, 4.3, bottom=0.55, top=0.62, left=0.85, right=2.55)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    axes.set_yscale("log")
    line = run.table("arrhenius_line", "diffusivity_cm2_s")
    if line is not None:
        _line(axes, line)
    styles = sample_styles(run)
    for row in table.rows():
        _point(axes, row, styles[row["sample"]])
    _limits(axes, table, line)
    if line is not None:
        _slopes(axes, run, line)
    axes.legend(
        handles=marker_handles(styles), loc="upper left", bbox_to_anchor=(1.03, 1.02), borderaxespad=0, labelspacing=0.7
    )
    _axes(axes)
    return to_svg(figure)


def _with_temperature(table: Table) -> Table:
    keep = np.flatnonzero(np.isfinite(table.floats("inverse_temperature_1000_k")))
    return Table(table.name, {k: tuple(v[i] for i in keep) for k, v in table.columns.items()})


def _line(axes: Any, line: Table) -> None:
    x = line.floats("inverse_temperature_1000_k")
    for level, alpha in ((95, 0.10), (68, 0.18)):
        low, high = line.floats(f"lo{level}"), line.floats(f"hi{level}")
        if np.isfinite(low).all():
            axes.fill_between(x, low, high, color=INK, alpha=alpha, linewidth=0)
    axes.plot(x, line.floats("diffusivity_cm2_s"), color=INK, linewidth=1.6)


def _point(axes: Any, row: Mapping[str, str], style: CurveStyle) -> None:
    n = {
        k: float(row[k]) if row.get(k) else math.nan
        for k in ("inverse_temperature_1000_k", "diffusivity_cm2_s", "lo68", "hi68", "lo95", "hi95")
    }
    x = n["inverse_temperature_1000_k"]
    for level, width in ((95, 1.3), (68, 4.0)):
        if n[f"lo{level}"] > 0:
            axes.plot(
                [x, x],
                [n[f"lo{level}"], n[f"hi{level}"]],
                color=style.colour,
                linewidth=width,
                solid_capstyle="butt",
                zorder=4,
            )
    axes.plot(
        x,
        n["diffusivity_cm2_s"],
        marker=style.marker,
        color=style.colour,
        markersize=9,
        markeredgecolor="white",
        zorder=5,
    )


def _limits(axes: Any, table: Table, line: Table | None) -> None:
    """Room for the samples and their errors, at least a factor of 6 high."""
    values = [table.floats(c) for c in ("diffusivity_cm2_s", "lo95", "hi95")]
    if line is not None:
        values += [line.floats("lo68"), line.floats("hi68")]
    flat = np.concatenate(values)
    flat = flat[np.isfinite(flat) & (flat > 0)]
    low, high = math.log10(flat.min()), math.log10(flat.max())
    pad = max(0.12 * (high - low), (math.log10(6) - (high - low)) / 2)
    axes.set_ylim(10 ** (low - pad), 10 ** (high + pad))
    x = table.floats("inverse_temperature_1000_k")
    margin = max(0.14 * float(np.ptp(x)), 0.05)
    axes.set_xlim(x.min() - margin, x.max() + margin)


def _slopes(axes: Any, run: RunFolder, line: Table) -> None:
    """Slopes of the literature through the middle of the line: only their steepness is theirs, not their height."""
    energies = run.table("activation_energies", "activation_energy_kj_mol")
    if energies is None:
        return
    x = line.floats("inverse_temperature_1000_k")
    middle = float(x.mean())
    height = float(np.exp(np.interp(middle, x, np.log(line.floats("diffusivity_cm2_s")))))
    left, right = axes.get_xlim()
    low = axes.get_ylim()[0]
    named = []
    for row in energies.where("kind", "literature").rows():
        if row["element"] not in ("Zn", "Cd") or "method's paper" in row["name"]:
            continue
        energy = float(row["activation_energy_kj_mol"])
        slope = -energy / GAS_CONSTANT_J_MOL_K
        ends = np.array([left, right])
        axes.plot(
            ends,
            height * np.exp(slope * (ends - middle)),
            color=_LITERATURE_COLOUR,
            linewidth=0.9,
            linestyle=(0, (4, 2)),
            zorder=1,
        )
        # named where it leaves the frame: through the floor, or at the right
        at = middle + math.log(low / height) / slope
        if at < right:
            axes.text(at, low, f" {_energy(energy)}", fontsize=8, color=_LITERATURE_COLOUR, va="bottom", ha="left")
        else:
            end = height * math.exp(slope * (right - middle))
            axes.text(right, end, f" {_energy(energy)}", fontsize=8, color=_LITERATURE_COLOUR, va="center", ha="left")
        named.append(f"{_energy(energy)}  {row['element']} in {_short(row['name'])}")
    text = "dashed: slopes of the\nliterature, in kJ/mol\n" + "\n".join(named)
    axes.text(
        1.06, 0.0, text, transform=axes.transAxes, fontsize=8, color=_LITERATURE_COLOUR, va="bottom", linespacing=1.45
    )


def _energy(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _short(host: str) -> str:
    return host.split(",")[0].removeprefix("polycrystalline ")


def _axes(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_ylim()
    if high / low < 30:
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_minor_locator(NullLocator())
        power = math.floor(math.log10(high))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v / 10.0**power:.3g}"))
        digits = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        axes.set_ylabel(f"diffusivity (10{digits} cm²/s)")
    else:
        log_ticks(axes.yaxis)
        axes.set_ylabel("diffusivity (cm²/s)")
    axes.set_xlabel("1000 / T (1/K)")
    top = axes.secondary_xaxis("top", functions=(_celsius, _inverse))
    left, right = axes.get_xlim()
    span = _celsius(np.array([right, left]))
    step = next(s for s in (5, 10, 20, 50, 100, 200, 500) if (span[1] - span[0]) / s <= 7)
    top.set_xticks(np.arange(math.ceil(span[0] / step) * step, span[1], step))
    top.set_xlabel("temperature (°C)")
    top.tick_params(labelsize=8.5)
    axes.grid(color="#ececec", linewidth=0.6)
    axes.set_axisbelow(True)


def _celsius(inverse: Any) -> FloatArray:
    return np.asarray(1e3 / np.maximum(np.asarray(inverse, dtype=np.float64), 1e-9) - ZERO_CELSIUS_K, dtype=np.float64)


def _inverse(celsius: Any) -> FloatArray:
    return np.asarray(1e3 / np.maximum(np.asarray(celsius, dtype=np.float64) + ZERO_CELSIUS_K, 1e-9), dtype=np.float64)


def activation_energies(run: RunFolder) -> str | None:
    """Activation energies: this comparison, other definitions of D, the literature."""
    table = run.table("activation_energies", "activation_energy_kj_mol")
    if table is None:
        return None
    rows = list(table.rows())
    figure, box = inches(8.8, 0.75 + 0.27 * len(rows), bottom=0.5, top=0.12, left=3.35)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    names = []
    for i, row in enumerate(rows):
        y = len(rows) - 1 - i
        n = {
            k: float(row[k]) if row.get(k) else math.nan
            for k in ("activation_energy_kj_mol", "lo68", "hi68", "lo95", "hi95")
        }
        kind = row["kind"]
        colour, marker, size = {
            "this comparison": (INK, "o", 9), "other definition": (GREY, "o", 6.5), "literature": (_LITERATURE_COLOUR, "D", 6),
        }[kind]  # fmt: skip
        for level, width in ((95, 1.3), (68, 4.0)):
            axes.plot([n[f"lo{level}"], n[f"hi{level}"]], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
        axes.plot(n["activation_energy_kj_mol"], y, marker=marker, color=colour, markersize=size, markeredgecolor="white" if kind != "literature" else colour,
                  markerfacecolor=colour if kind != "literature" else "white")  # fmt: skip
        names.append(_row_name(kind, row))
    axes.axvline(0, color="#9a9a9a", linewidth=0.8, zorder=-3)
    axes.set_yticks(range(len(rows)), names[::-1])
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("activation energy (kJ/mol)")
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    return to_svg(figure)


def _row_name(kind: str, row: Mapping[str, str]) -> str:
    if kind == "this comparison":
        return f"this comparison: {row['verdict']}"
    if kind == "other definition":
        return f"definition {row['name']}"
    return f"{row['element']} in {row['name']}"
