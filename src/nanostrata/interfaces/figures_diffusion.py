"""Figures of what follows from the profile: density against depth with its fits, and the steps of the lattice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    inches,
    legend_below,
    stepped,
    to_svg,
    truth_line,
)
from nanostrata.interfaces.formatting import as_float, interval_of, shell_quantities
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["depth_profile", "interface_depths", "lattice_steps", "mismatch_entries"]

_CONTINUOUS = 16  # a depth profile with fewer rows holds one per shell and is drawn as points
_FITS = (("fick", VERMILLION, "-", "spherical Fick-2"), ("exponential", GREEN, (0, (5, 2)), "exponential"))


def depth_profile(run: RunFolder) -> str | None:
    """Number density of the exchanged element against depth, its bands, and the fits."""
    table = run.table("depth_profile", "depth_nm", "density_inv_nm3")
    if table is None:
        return None
    figure, box = inches(8.8, 4.1, bottom=0.95, top=0.3)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0, 0])
    order = np.argsort(table.floats("depth_nm"), kind="stable")
    depth = table.floats("depth_nm")[order]
    handles = _points(axes, table, order) if len(table) < _CONTINUOUS else _bands(axes, table, order)
    for name, colour, dashes, words in _FITS:
        if table.has(name):
            handles += axes.plot(
                depth, table.floats(name)[order], color=colour, linestyle=dashes, linewidth=1.8, label=words
            )
    if table.has("truth"):
        handles.append(truth_line(axes, depth, table.floats("truth")[order], label="truth (simulated)"))
    radius = _radius(run)
    _shade_prior(axes, run)
    axes.set_xlim(0, radius if radius > 0 else float(np.nanmax(depth)))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("depth below the surface (nm)")
    axes.set_ylabel(f"{run.get('diffusion.element') or 'exchanged element'} (atoms/nm³)")
    axes.text(0.0, 1.02, "surface", transform=axes.transAxes, ha="left", va="bottom", fontsize=8.5, color="#5a5a5a")
    if radius > 0:
        axes.text(1.0, 1.02, "centre", transform=axes.transAxes, ha="right", va="bottom", fontsize=8.5, color="#5a5a5a")
    legend_below(figure, handles, columns=4)
    return to_svg(figure)


def _bands(axes: Any, table: Table, order: Any) -> list[Any]:
    depth = table.floats("depth_nm")[order]
    steps = stepped(table.floats("density_inv_nm3")[order])
    handles = []
    for level, alpha in ((95, 0.20), (68, 0.38)):
        low, high = table.floats(f"low{level}")[order], table.floats(f"high{level}")[order]
        if np.isfinite(low).any():
            label = f"posterior, {level} %"
            band = axes.fill_between(
                depth, low, high, step="mid" if steps else None, color=BLUE, alpha=alpha, linewidth=0, label=label
            )
            handles.append(band)
    value = table.floats("density_inv_nm3")[order]
    drawn = "steps-mid" if steps else "default"
    return [*handles[::-1], *axes.plot(depth, value, color=BLUE, linewidth=2, drawstyle=drawn, label="profile")]


def _points(axes: Any, table: Table, order: Any) -> list[Any]:
    depth = table.floats("depth_nm")[order]
    for level, width in ((95, 1.3), (68, 4.0)):
        low, high = table.floats(f"low{level}")[order], table.floats(f"high{level}")[order]
        axes.vlines(depth, low, high, color=BLUE, linewidth=width)
    return list(
        axes.plot(
            depth,
            table.floats("density_inv_nm3")[order],
            linestyle="none",
            marker="o",
            color=BLUE,
            markeredgecolor="white",
            markersize=8,
            label="shells (68, 95 %)",
        )
    )


def _edges(run: RunFolder) -> list[float]:
    """Outer radii of the shells, inner to outer; empty where the run does not state them."""
    edges = run.get("profile.edges_nm")
    if isinstance(edges, Mapping):
        edges = edges.get("value")
    if not isinstance(edges, list):
        return []
    return [as_float(e.get("value") if isinstance(e, Mapping) else e) for e in edges]


def _radius(run: RunFolder) -> float:
    edges = _edges(run)
    return edges[-1] if edges else math.nan


def _prior_shells(run: RunFolder) -> list[int]:
    by = run.get("profile.informed_by")
    return [k for k, word in enumerate(by) if word == "prior"] if isinstance(by, list) else []


def _shade_prior(axes: Any, run: RunFolder) -> None:
    """Grey ground where the profile rests on the prior."""
    edges = [0.0, *_edges(run)]
    for k in _prior_shells(run):
        if k + 1 < len(edges):
            axes.axvspan(edges[-1] - edges[k + 1], edges[-1] - edges[k], color="#e9e9e9", zorder=-5, linewidth=0)


def mismatch_entries(run: RunFolder) -> list[Mapping[str, Any]]:
    """One entry per direction that states its steps."""
    entries = run.get("mismatch")
    rows = entries if isinstance(entries, list) else []
    return [e for e in rows if isinstance(e, Mapping) and shell_quantities(e.get("percent"))]


def interface_depths(run: RunFolder, count: int) -> list[float]:
    """Depth of the interfaces between ``count + 1`` shells, inner to outer; nan where the run does not tell."""
    edges = _edges(run)
    return [edges[-1] - e for e in edges[:-1]] if len(edges) == count + 1 else [math.nan] * count


def lattice_steps(run: RunFolder) -> str | None:
    """Step of the lattice constant at every interface between shells and from layer to layer, beside the abrupt one."""
    entries = mismatch_entries(run)
    if not entries or any(math.isnan(d) for e in entries for d in interface_depths(run, _count(e))):
        return None
    lines = -(-(2 + max(len(e.get("layers") or ()) for e in entries)) // 3)
    figure, box = inches(8.8, 3.6 + 0.2 * lines, bottom=0.62 + 0.2 * lines, top=0.35)
    grid = figure.add_gridspec(1, len(entries), **box, wspace=0.08)
    handles: dict[str, Any] = {}
    top = 0.0
    for i, entry in enumerate(entries):
        axes = figure.add_subplot(grid[0, i])
        for handle in [*_layers(axes, entry), *_steps(axes, run, entry), *_abrupt(axes, entry)]:
            handles.setdefault(handle.get_label(), handle)
        _shade_prior(axes, run)
        axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=-1)
        axes.set_xlim(0, _radius(run))
        axes.set_title(_direction(entry))
        axes.set_xlabel("depth below the surface (nm)")
        axes.tick_params(labelleft=i == 0)
        if i == 0:
            axes.set_ylabel("step of the lattice constant (%)")
        top = max(top, axes.get_ylim()[1])
    low = min(a.get_ylim()[0] for a in figure.axes)
    for axes in figure.axes:
        axes.set_ylim(low, top * 1.04)
    legend_below(figure, list(handles.values()), columns=3)
    return to_svg(figure)


def _count(entry: Mapping[str, Any]) -> int:
    return len(shell_quantities(entry.get("percent")))


def _direction(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("direction", ""))
    return "cubic lattice constant" if name == "cubic" else f"along {name}"


def _steps(axes: Any, run: RunFolder, entry: Mapping[str, Any]) -> list[Any]:
    steps = shell_quantities(entry.get("percent"))
    depth = interface_depths(run, len(steps))
    for level, width in ((95, 1.3), (68, 4.0)):
        pairs = [interval_of(s, level) for s in steps]
        axes.vlines(depth, [p[0] for p in pairs], [p[1] for p in pairs], color=BLUE, linewidth=width)
    return list(
        axes.plot(
            depth,
            [as_float(s.get("value")) for s in steps],
            linestyle="none",
            marker="o",
            color=BLUE,
            markeredgecolor="white",
            markersize=8,
            label="from shell to shell (68, 95 %)",
        )
    )


def _layers(axes: Any, entry: Mapping[str, Any]) -> list[Any]:
    """Steps from one crystal layer to the next: the fitted profile with its 68 % band, the extrapolations as lines."""
    layers = entry.get("layers")
    looks = {
        "fitted profile": (GREEN, "-"),
        "exponential": (ORANGE, (0, (5, 2))),
        "exponential from the surface": (GREY, (0, (1, 1.5))),
    }
    handles = []
    for layer in layers if isinstance(layers, Sequence) else ():
        if not isinstance(layer, Mapping):
            continue
        source = str(layer.get("source", ""))
        steps, places = shell_quantities(layer.get("percent")), layer.get("depth_nm")
        if source not in looks or not isinstance(places, list) or len(places) != len(steps) + 1 or not steps:
            continue
        depth = [(as_float(a) + as_float(b)) / 2 for a, b in pairwise(places)]
        colour, dashes = looks[source]
        if source == "fitted profile":
            pairs = [interval_of(s, 68) for s in steps]
            axes.fill_between(depth, [p[0] for p in pairs], [p[1] for p in pairs], color=colour, alpha=0.2, linewidth=0)
        value = [as_float(s.get("value")) for s in steps]
        label = f"from layer to layer, {source}"
        handles += axes.plot(
            depth, value, color=colour, linestyle=dashes, marker=".", markersize=5, linewidth=1.3, label=label
        )
    return handles


def _abrupt(axes: Any, entry: Mapping[str, Any]) -> list[Any]:
    abrupt = entry.get("abrupt_percent")
    value = as_float(abrupt.get("value") if isinstance(abrupt, Mapping) else abrupt)
    if math.isnan(value):
        return []
    line = axes.axhline(value, color=INK, linewidth=1.4, linestyle=(0, (8, 2)), label="abrupt interface, one step")
    axes.annotate(
        f"{value:.1f} %".replace("-", "−"),
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(-3, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8.5,
        fontweight="bold",
    )
    return [line]
