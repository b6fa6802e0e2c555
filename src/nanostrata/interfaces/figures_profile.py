"""Figures of the answer: profile, the two kinds of error bars, composition against EDX, sizes against TEM."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    VERMILLION,
    inches,
    legend_below,
    stepped,
    to_svg,
    truth_line,
)
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["INFORMED", "composition", "draw_profile", "error_bars", "profile", "sizes"]

INFORMED = {"data": "● data", "weak": "◐ weak", "prior": "○ prior"}


def profile(run: RunFolder) -> str | None:
    """The profile with its bands and prior; beside it the answer without smoothing."""
    table = run.table("profile", "r_outer_nm", "x")
    if table is None:
        return None
    figure, box = inches(8.8, 4.3, bottom=1.0, top=0.45)
    bare = table.has("unsmoothed")
    grid = figure.add_gridspec(1, 2 if bare else 1, **box, wspace=0.07, **({"width_ratios": [1.45, 1]} if bare else {}))
    axes = figure.add_subplot(grid[0, 0])
    handles = draw_profile(axes, run, table)
    axes.set_title("Answer, with a weak smoothness prior", pad=16)
    axes.set_ylabel("share of shell material, x")
    if bare:
        right = figure.add_subplot(grid[0, 1], sharey=axes)
        handles += _draw_unsmoothed(right, table)
        right.set_title("Without the smoothness prior", pad=16)
        right.tick_params(labelleft=False)
    legend_below(figure, handles, columns=4)
    return to_svg(figure)


def draw_profile(axes: Any, run: RunFolder, table: Table, *, strip: bool = True) -> list[Any]:
    """Bands, step profile, prior and truth in one pair of axes; returns the legend's handles."""
    inner, outer, x = table.floats("r_inner_nm"), table.floats("r_outer_nm"), table.floats("x")
    edges = np.append(inner[:1], outer)
    handles = []
    bands = run.table("profile_bands", "r_nm", "median")
    if bands is not None and bands.has("prior_lo68", "prior_hi68"):
        handles.append(
            axes.fill_between(
                bands.floats("r_nm"),
                bands.floats("prior_lo68"),
                bands.floats("prior_hi68"),
                facecolor="none",
                edgecolor="#a8a8a8",
                hatch="////",
                linewidth=0,
                label="prior, 68 %",
            )
        )
    steps = run.first("profile.family", "recipe.particle.profile") in ("shells", "core_shell", "homogeneous")
    handles += _draw_bands(axes, bands, table, edges, steps=steps)
    handles.append(axes.stairs(x, edges, baseline=None, color=BLUE, linewidth=2, label="best x per shell"))
    handles += _draw_truth(axes, bands, table, edges)
    _shade_prior(axes, table, edges)
    if strip:
        _informed_strip(axes, table, edges)
    _profile_axes(axes, edges)
    return handles


def _draw_bands(axes: Any, bands: Table | None, table: Table, edges: FloatArray, *, steps: bool) -> list[Any]:
    handles = []
    for level, alpha in ((95, 0.20), (68, 0.38)):
        label = f"posterior, {level} %"
        if bands is not None and not (steps and table.has(f"lo{level}", f"hi{level}")):
            r, low, high = bands.floats("r_nm"), bands.floats(f"lo{level}"), bands.floats(f"hi{level}")
            drawn = "mid" if stepped(low) else None
            band = axes.fill_between(r, low, high, step=drawn, color=BLUE, alpha=alpha, linewidth=0, label=label)
            handles.append(band)
        elif table.has(f"lo{level}", f"hi{level}"):
            low, high = table.floats(f"lo{level}"), table.floats(f"hi{level}")
            handles.append(
                axes.stairs(high, edges, baseline=low, fill=True, color=BLUE, alpha=alpha, linewidth=0, label=label)
            )
    return handles[::-1]


def _draw_truth(axes: Any, bands: Table | None, table: Table, edges: FloatArray) -> list[Any]:
    if bands is not None and bands.has("truth"):
        return [truth_line(axes, bands.floats("r_nm"), bands.floats("truth"), label="truth (simulated)")]
    if table.has("truth"):
        return [
            truth_line(
                axes, edges, np.append(table.floats("truth"), np.nan), drawstyle="steps-post", label="truth (simulated)"
            )
        ]
    return []


def _draw_unsmoothed(axes: Any, table: Table) -> list[Any]:
    edges = np.append(table.floats("r_inner_nm")[:1], table.floats("r_outer_nm"))
    value = table.floats("unsmoothed")
    for level, alpha in ((95, 0.20), (68, 0.40)):
        low, high = table.floats(f"unsmoothed_lo{level}"), table.floats(f"unsmoothed_hi{level}")
        axes.stairs(high, edges, baseline=low, fill=True, color=VERMILLION, alpha=alpha, linewidth=0)
    handle = axes.stairs(
        value, edges, baseline=None, color=VERMILLION, linewidth=2, label="without smoothing (68, 95 %)"
    )
    if table.has("truth"):
        truth_line(axes, edges, np.append(table.floats("truth"), np.nan), drawstyle="steps-post")
    _shade_prior(axes, table, edges)
    _informed_strip(axes, table, edges, words=False)
    _profile_axes(axes, edges)
    return [handle]


def _shade_prior(axes: Any, table: Table, edges: FloatArray) -> None:
    """Grey ground under every shell that the data do not inform."""
    for k, by in enumerate(table.text("informed_by")):
        if by == "prior":
            axes.axvspan(edges[k], edges[k + 1], color="#e9e9e9", zorder=-5, linewidth=0)


def _informed_strip(axes: Any, table: Table, edges: FloatArray, words: bool = True) -> None:
    narrow = len(edges) > 8 or not words
    for k, by in enumerate(table.text("informed_by")):
        label = INFORMED.get(by, "")
        axes.text(
            (edges[k] + edges[k + 1]) / 2,
            1.025,
            label[:1] if narrow else label,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=INK if by == "data" else "#5a5a5a",
        )


def _profile_axes(axes: Any, edges: FloatArray) -> None:
    for edge in edges[1:-1]:
        axes.axvline(edge, color="#d0d0d0", linewidth=0.6, zorder=-4)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("distance from the centre, r (nm)")


def error_bars(run: RunFolder) -> str | None:
    """Both kinds of error bars, shell by shell."""
    table = run.table("profile", "x")
    if table is None or not table.has("refit_gaussian_mean"):
        return None
    figure, box = inches(8.8, 3.5, bottom=0.95, top=0.15)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    place = np.arange(1, len(table) + 1, dtype=float)
    handles = [_posterior_bars(axes, place - 0.27, table, "", BLUE, "o", "posterior (68, 95 %)")]
    if table.has("unsmoothed"):
        handles.append(
            _posterior_bars(axes, place - 0.09, table, "unsmoothed_", VERMILLION, "s", "posterior without smoothing")
        )
    for shift, kind, drawn, colour, marker in (
        (0.09, "uniform", "uniform", GREEN, "^"),
        (0.27, "gaussian", "Gaussian", PURPLE, "D"),
    ):
        handles.append(
            axes.errorbar(
                place + shift,
                table.floats(f"refit_{kind}_mean"),
                table.floats(f"refit_{kind}_sd"),
                fmt=marker,
                color=colour,
                markersize=5,
                capsize=3,
                label=f"refits, {drawn} draws (mean ± sd)",
            )
        )
    if table.has("truth"):
        truth = table.floats("truth")
        lines = axes.hlines(
            truth,
            place - 0.42,
            place + 0.42,
            color="black",
            linewidth=1.3,
            linestyle=(0, (4, 2)),
            label="truth (simulated)",
        )
        handles.append(lines)
    for k, by in enumerate(table.text("informed_by")):
        if by == "prior":
            axes.axvspan(k + 0.5, k + 1.5, color="#efefef", zorder=-5, linewidth=0)
    names = [f"shell {k}\n{INFORMED.get(by, '')}" for k, by in enumerate(table.text("informed_by"), 1)]
    axes.set_xticks(place, names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(0.5, len(table) + 0.5)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("share of shell material, x")
    legend_below(figure, handles, columns=3)
    return to_svg(figure)


def _posterior_bars(
    axes: Any, place: FloatArray, table: Table, prefix: str, colour: str, marker: str, label: str
) -> Any:
    value = table.floats("x") if not prefix else table.floats("unsmoothed")
    for level, width in ((95, 1.2), (68, 3.6)):
        axes.vlines(
            place, table.floats(f"{prefix}lo{level}"), table.floats(f"{prefix}hi{level}"), color=colour, linewidth=width
        )
    (points,) = axes.plot(
        place,
        value,
        linestyle="none",
        marker=marker,
        color=colour,
        markeredgecolor="white",
        markersize=6.5,
        label=label,
    )
    return points


def composition(run: RunFolder) -> str | None:
    """Element percentages: measured by EDX against the model."""
    table = run.table("composition", "element", "model_percent")
    if table is None:
        return None
    figure, box = inches(4.3, 3.3, bottom=0.95, top=0.15, left=0.55)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    place = np.arange(len(table), dtype=float)
    handles = []
    if table.has("measured_percent"):
        handles.append(
            axes.errorbar(
                place - 0.16,
                table.floats("measured_percent"),
                table.floats("measured_sigma"),
                fmt="s",
                color=INK,
                markerfacecolor="white",
                capsize=4,
                markersize=6,
                label="EDX (± 1 σ)",
            )
        )
    model = table.floats("model_percent")
    spread = np.abs(np.vstack([model - table.floats("model_lo68"), table.floats("model_hi68") - model]))
    handles.append(
        axes.errorbar(
            place + 0.16,
            model,
            spread if np.isfinite(spread).all() else None,
            fmt="o",
            color=BLUE,
            capsize=4,
            markersize=6,
            label="model (68 %)",
        )
    )
    if table.has("truth_percent"):
        handles.append(
            axes.hlines(
                table.floats("truth_percent"),
                place - 0.38,
                place + 0.38,
                color="black",
                linewidth=1.3,
                linestyle=(0, (4, 2)),
                label="truth (simulated)",
            )
        )
    axes.set_xticks(place, table.text("element"))
    axes.set_xlim(-0.6, len(table) - 0.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("atoms (%)")
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    legend_below(figure, handles, columns=2)
    return to_svg(figure)


def sizes(run: RunFolder) -> str | None:
    """Fitted distribution of diameters against the TEM histogram."""
    table = run.table("size", "diameter_nm", "fit")
    if table is None:
        return None
    figure, box = inches(4.3, 3.3, bottom=0.95, top=0.15, left=0.55)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    diameter, fit = table.floats("diameter_nm"), table.floats("fit")
    readings = run.table("tem_readings", "diameter_nm")
    handles = []
    if table.has("tem"):
        label = f"TEM, {len(readings)} particles" if readings is not None else "TEM"
        handles.append(
            axes.fill_between(diameter, table.floats("tem"), step="mid", color="#d3d3d3", linewidth=0, label=label)
        )
    if readings is not None:
        axes.plot(
            readings.floats("diameter_nm"),
            np.zeros(len(readings)),
            "|",
            color=GREY,
            markersize=7,
            alpha=0.6,
            clip_on=False,
        )
    if table.has("lo68", "hi68"):
        axes.fill_between(diameter, table.floats("lo68"), table.floats("hi68"), color=BLUE, alpha=0.3, linewidth=0)
    handles += axes.plot(diameter, fit, color=BLUE, linewidth=1.8, label="fit (68 %)")
    truth = run.truth("diameter_mean_nm")
    if isinstance(truth, (int, float)):
        handles.append(
            axes.axvline(truth, color="black", linewidth=1.3, linestyle=(0, (4, 2)), label="true mean (simulated)")
        )
    axes.set_xlim(diameter.min(), diameter.max())
    axes.set_ylim(bottom=0)
    axes.set_xlabel("diameter (nm)")
    axes.set_ylabel("number density (1/nm)")
    legend_below(figure, handles, columns=2)
    return to_svg(figure)
