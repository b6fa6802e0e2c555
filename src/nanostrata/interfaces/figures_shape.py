"""Figures of a shape: curve and p(r), runs, line cuts, size against cut-off, sections through the map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    inches,
    legend_below,
    log_ticks,
    to_svg,
)  # fmt: skip
from nanostrata.interfaces.run_folder import RunFolder
from nanostrata.io.mrc import read_mrc

__all__ = [
    "MAP",
    "beside_tem",
    "compared",
    "curve_and_distances",
    "cuts_and_size",
    "has_map",
    "map_sections",
    "runs",
    "sections",
]

MAP = ("shape", "average.mrc")


def has_map(run: RunFolder) -> bool:
    """Whether the run has an occupancy map."""
    return isinstance(run.get("shape.runs"), Mapping) and run.path.joinpath(*MAP).is_file()


def map_sections(run: RunFolder) -> str | None:
    """Sections through the run's own occupancy map."""
    if not has_map(run):
        return None
    occupancy, voxel_nm, _ = read_mrc(run.path.joinpath(*MAP))
    return sections(run, occupancy, voxel_nm)


def curve_and_distances(run: RunFolder) -> str | None:
    """The curve with the fit of the beads, and p(r)."""
    table, distances = run.table("shape_curve", "q_inv_nm"), run.table("shape_pair_distances", "r_nm")
    if table is None or distances is None:
        return None
    figure, box = inches(8.8, 4.0, bottom=0.55, top=0.25, left=0.75, right=0.2)
    halves = figure.add_gridspec(1, 2, **box, wspace=0.28, width_ratios=[1.3, 1])
    left, below = halves[0].subgridspec(2, 1, height_ratios=[3.2, 1], hspace=0.08).subplots(sharex=True)
    right = figure.add_subplot(halves[1])
    q, measured, sigma = (table.floats(c) for c in ("q_inv_nm", "intensity", "sigma"))
    left.errorbar(q, measured, sigma, fmt="o", ms=2.4, lw=0.6, color="#b5b5b5", label="measured", zorder=1)
    drawn = (
        [("fit_beads_without_spread", VERMILLION, "--", "beads, one size")]
        if table.has("fit_beads_without_spread")
        else []
    )
    for column, colour, dash, name in (*drawn, ("fit_beads", BLUE, "-", "beads")):
        fit = table.floats(column)
        left.plot(q, fit, dash, color=colour, lw=1.4, label=name, zorder=3)
        below.plot(q, (measured - fit) / sigma, "o" if dash == "-" else "x", ms=2.2, mew=0.7, color=colour, lw=0)
    below.axhline(0.0, color=INK, lw=0.6)
    reach = float(np.nanmax(np.abs((measured - table.floats("fit_beads")) / sigma)))
    below.set_ylim(-1.15 * reach, 1.15 * reach)
    below.set_ylabel("residual / \u03c3")
    left.set_yscale("log")
    log_ticks(left.yaxis)
    left.tick_params(labelbottom=False)
    below.set_xlabel("q (1/nm)")
    left.set_ylabel("intensity (unit of the file)")
    left.legend()
    figure.align_ylabels([left, below])
    r, p, s = (distances.floats(c) for c in ("r_nm", "p", "p_sigma"))
    right.fill_between(r, p - 2 * s, p + 2 * s, color=BLUE, alpha=0.25, lw=0)
    right.plot(r, p, color=BLUE, lw=1.5)
    right.axhline(0.0, color=INK, lw=0.6)
    right.axvline(_value(run, "shape.dmax_nm"), color=GREY, lw=1, ls=":")
    right.set_xlabel("distance (nm)")
    right.set_ylabel("p(r), 95 % band")
    return to_svg(figure)


def runs(run: RunFolder) -> str | None:
    """Aspect ratio of every run beside what simulated particles are given, and the discrepancy of every run."""
    table = run.table("shape_runs", "aspect_ratio", "mean_nsd")
    if table is None:
        return None
    figure, box = inches(8.8, 3.0, bottom=0.55, top=0.25, left=0.75, right=0.2)
    left, right = figure.add_gridspec(1, 2, **box, wspace=0.28).subplots()
    kept = np.array([v == "True" for v in table.text("kept")])
    aspect, nsd = table.floats("aspect_ratio"), table.floats("mean_nsd")
    index = np.arange(1, len(aspect) + 1)
    for which, marker, name in ((kept, "o", "run, kept"), (~kept, "x", "run, left out")):
        if which.any():
            left.plot(index[which], aspect[which], marker, color=BLUE, ms=4, label=name)
            right.plot(index[which], nsd[which], marker, color=BLUE, ms=4)
    shown = (
        ("shape.aspect_ratio", BLUE, "answer"),
        ("shape.aspect_ratio_without_spread", VERMILLION, "spread left out"),
        ("shape.checks.ball_aspect_ratio", GREEN, "simulated balls"),
    )
    for key, colour, name in shown:
        quantity = run.get(key)
        if quantity:
            low, high = quantity["interval95"]
            left.axhspan(low, high, color=colour, alpha=0.15, lw=0)
            left.axhline(quantity["value"], color=colour, lw=1.2, label=name)
    left.axhline(1.0, color=INK, lw=0.6)
    left.set_xlabel("run")
    left.set_ylabel("aspect ratio, bands 95 %")
    left.legend(ncol=2)
    right.set_xlabel("run")
    right.set_ylabel("mean NSD to the other runs")
    right.set_ylim(0, max(1.0, 1.1 * float(nsd.max())))
    for axis in (left, right):
        axis.xaxis.get_major_locator().set_params(integer=True)
    return to_svg(figure)


def cuts_and_size(run: RunFolder) -> str | None:
    """Histogram of the line cuts, and size against cut-off."""
    cuts = run.table("shape_line_cuts", "cuts")
    size = run.table("shape_size_against_cutoff", "diameter_nm")
    if cuts is None or size is None:
        return None
    figure, box = inches(8.8, 3.0, bottom=0.55, top=0.25, left=0.75, right=0.2)
    left, right = figure.add_gridspec(1, 2, **box, wspace=0.28).subplots()
    low, high, count = (cuts.floats(c) for c in ("from_nm", "to_nm", "cuts"))
    left.bar(
        low, count / (count.sum() * (high - low)), high - low, align="edge", color=BLUE, alpha=0.6, label="one particle"
    )
    ensemble = run.table("shape_diameters", "line_cuts_per_nm")
    if ensemble is not None:
        left.plot(
            ensemble.floats("diameter_nm"),
            ensemble.floats("line_cuts_per_nm"),
            color=INK,
            lw=1.3,
            label="times the sizes",
        )
        left.legend()
    left.set_xlabel("length of a random line (nm)")
    left.set_ylabel("share of lines per nm")
    right.plot(size.floats("cutoff"), size.floats("diameter_nm"), "o-", color=BLUE, ms=3)
    calibrated = run.get("shape.cutoff_calibrated")
    right.axvline(
        float(run.get("shape.cutoff")), color=VERMILLION, lw=1.2,
        label="cut-off from simulated particles" if calibrated else "cut-off, not calibrated",
    )  # fmt: skip
    right.set_xlabel("cut-off of the occupancy")
    right.set_ylabel("volume-equivalent diameter (nm)")
    right.legend()
    return to_svg(figure)


def beside_tem(run: RunFolder) -> str | None:
    """Diameters that TEM read, and those that it would read off an ensemble of the shape found."""
    ours = run.table("shape_diameters", "outlines_random_per_nm")
    tem = run.get("shape.tem")
    if ours is None or not tem:
        return None
    figure, box = inches(8.8, 3.2, bottom=0.55, top=0.25, left=0.75, right=0.2)
    axis = figure.add_gridspec(1, 1, **box).subplots()
    readings = run.table("shape_tem_readings", "density_per_nm")
    grid = ours.floats("diameter_nm")
    if readings is not None:
        low, high = readings.floats("from_nm"), readings.floats("to_nm")
        axis.bar(
            low, readings.floats("density_per_nm"), high - low, align="edge", color="#c9c9c9", edgecolor="white",
            label=f"TEM, {tem['readings']} particles",
        )  # fmt: skip
    else:
        z = (grid - tem["mean_nm"]) / tem["std_nm"]
        stated = np.exp(-0.5 * z * z) / (np.sqrt(2 * np.pi) * tem["std_nm"])
        axis.fill_between(grid, stated, color="#c9c9c9", lw=0, label="TEM, mean and spread as stated")
    axis.plot(grid, ours.floats("outlines_random_per_nm"), color=BLUE, lw=1.6, label="shape, turned at random")
    axis.plot(
        grid, ours.floats("outlines_lying_per_nm"), "--", color=VERMILLION, lw=1.4, label="shape, lying on its side"
    )
    axis.set_xlabel("volume-equivalent diameter from an outline (nm)")
    axis.set_ylabel("share of particles per nm")
    axis.set_ylim(bottom=0)
    axis.legend()
    return to_svg(figure)


def sections(run: RunFolder, occupancy: FloatArray, voxel_nm: float) -> str:
    """Three sections of the map through the centre, with the cut-off drawn as a line."""
    figure, box = inches(8.8, 3.1, bottom=0.5, top=0.25, left=0.6, right=0.75)
    axes = figure.add_gridspec(1, 3, **box, wspace=0.3).subplots()
    image: Any = None
    cutoff = float(run.get("shape.cutoff"))
    for k, (axis, labels) in enumerate(zip(axes, (("x", "y"), ("x", "z"), ("y", "z")), strict=True)):
        image = _plane(axis, occupancy, voxel_nm, 2 - k, labels, cutoff, VERMILLION)
    figure.colorbar(image, ax=list(axes), label="occupancy", fraction=0.02, pad=0.02)
    return to_svg(figure)


_OTHERS = (VERMILLION, GREEN, PURPLE, ORANGE, INK)
_DASHES = ("-", "--", "-.", ":")


def compared(run: RunFolder) -> str | None:
    """Pair distances of others on ours, all of one area; where they have beads, their outline on our map."""
    table = run.table("shape_compared_pair_distances", "r_nm", "p_per_nm")
    others = [str(c["name"]) for c in run.get("shape.compared", ())]
    if table is None or not others:
        return None
    look = {name: (_OTHERS[i % len(_OTHERS)], _DASHES[i % len(_DASHES)]) for i, name in enumerate(others)}
    maps = {n: run.path / "shape" / "compared" / f"{n}.mrc" for n in others}
    maps = {n: file for n, file in maps.items() if file.is_file()}
    figure, box = inches(8.8, 3.7, bottom=0.8, top=0.25, left=0.75, right=0.2)
    if maps:
        left, *rest = figure.add_gridspec(1, 3, **box, wspace=0.32, width_ratios=[1.5, 1, 1]).subplots()
    else:
        left, rest = figure.add_gridspec(1, 1, **box).subplots(), []
    names = list(dict.fromkeys(table.text("name")))
    ours = [n for n in names if n not in look]
    for i, name in enumerate(names):
        part = table.where("name", name)
        r, p, s = (part.floats(c) for c in ("r_nm", "p_per_nm", "p_sigma_per_nm"))
        if name in look:
            colour, dash = look[name]
            left.plot(r, p, dash, color=colour, lw=1.3, label=name)
        else:
            colour = BLUE if name == ours[0] else GREY
            left.plot(r, p, color=colour, lw=1.7 if i == 0 else 1.2, label=f"here: {name}")
        if s.any():
            left.fill_between(r, p - 2 * s, p + 2 * s, color=colour, alpha=0.15, lw=0)
    left.axhline(0.0, color=INK, lw=0.6)
    left.set_xlabel("distance (nm)")
    left.set_ylabel("p(r), area 1 (1/nm)")
    if maps:
        occupancy, voxel_nm, _ = read_mrc(run.path.joinpath(*MAP))
        read = {n: read_mrc(file)[0] for n, file in maps.items()}
        for axis, across, labels in zip(rest, (2, 1), (("x", "y"), ("x", "z")), strict=True):
            _plane(axis, occupancy, voxel_nm, across, labels, float(run.get("shape.cutoff")), BLUE)
            for name, density in read.items():
                line = np.arange(-(len(density) // 2), len(density) // 2 + 1) * voxel_nm
                plane = np.take(density, len(density) // 2, axis=across).T
                axis.contour(
                    line, line, plane, levels=[0.5], colors=[look[name][0]], linestyles=look[name][1], linewidths=1.2
                )
    legend_below(figure, left.get_lines()[: len(names)])
    return to_svg(figure)


def _plane(
    axis: Any, occupancy: FloatArray, voxel_nm: float, across: int, labels: tuple[str, str], cutoff: float, colour: str
) -> Any:
    """Draw the section of a map across an axis, with the cut-off as a line."""
    n = occupancy.shape[0]
    reach = (n // 2) * voxel_nm
    plane = np.take(occupancy, n // 2, axis=across).T
    extent = (-reach - voxel_nm / 2, reach + voxel_nm / 2) * 2
    image = axis.imshow(plane, origin="lower", extent=extent, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    line = np.arange(-(n // 2), n // 2 + 1) * voxel_nm
    axis.contour(line, line, plane, levels=[cutoff], colors=[colour], linewidths=1.2)
    axis.set_xlabel(f"{labels[0]} (nm)")
    axis.set_ylabel(f"{labels[1]} (nm)")
    return image


def _value(run: RunFolder, key: str) -> float:
    quantity = run.get(key)
    return float(quantity["value"]) if quantity else float("nan")
