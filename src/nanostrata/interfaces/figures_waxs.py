"""Figure of the wide-angle pattern: points, fit, background, every peak, residuals."""

from __future__ import annotations

from typing import Any

from nanostrata.interfaces.figure_style import BLUE, GREY, INK, VERMILLION, inches, legend_below, to_svg
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["waxs"]


def waxs(run: RunFolder) -> str | None:
    """Pattern with fit above, residuals in sigma below; reflections named on top."""
    pattern, peaks = run.table("waxs_pattern", "fit"), run.table("waxs_peaks", "q_inv_nm")
    if pattern is None or peaks is None:
        return None
    figure, box = inches(8.8, 5.0, bottom=0.95, top=0.5, left=0.85)
    grid = figure.add_gridspec(2, 1, **box, height_ratios=[3.4, 1.0], hspace=0.07)
    axes = figure.add_subplot(grid[0, 0])
    q, y, fit, background = (pattern.floats(n) for n in ("q_inv_nm", "intensity", "fit", "background"))
    handles: list[Any] = [
        axes.plot(q, y, ".", color=GREY, markersize=3.0, label="measured", rasterized=len(q) > 3000)[0]
    ]
    hkl = peaks.text("hkl")
    for name in hkl:
        line = pattern.floats(f"peak_{name.replace(' ', '_')}")
        axes.fill_between(q, background, background + line, color=BLUE, alpha=0.18, linewidth=0)
    handles += axes.plot(q, fit, color=VERMILLION, linewidth=1.3, label="fit")
    handles += axes.plot(q, background, color=INK, linewidth=1.0, linestyle="--", label="background")
    low, high = float(min(y.min(), background.min())), float(y.max())
    span = high - low or 1.0
    axes.set_ylim(low - 0.04 * span, high + 0.16 * span)
    last = -1e9
    level = 0
    for name, at, ordered in sorted(
        zip(hkl, peaks.floats("q_inv_nm"), peaks.text("own_width"), strict=True), key=lambda p: p[1]
    ):
        level = (level + 1) % 3 if at - last < 0.035 * (q[-1] - q[0]) else 0
        last = at
        axes.plot([at, at], [high + 0.01 * span, high + 0.04 * span], color=INK, linewidth=0.8)
        axes.annotate(
            name, (at, high + (0.045 + 0.042 * level) * span), ha="center", va="bottom", fontsize=8,
            color=INK if ordered == "yes" else GREY,
        )  # fmt: skip
    axes.set_ylabel("intensity")
    axes.tick_params(labelbottom=False)
    below = figure.add_subplot(grid[1, 0], sharex=axes)
    below.plot(q, pattern.floats("residual_sigma"), ".", color=GREY, markersize=2.4)
    below.axhline(0.0, color=INK, linewidth=0.7)
    below.set_ylabel("residual (σ)")
    below.set_xlabel("q (1/nm)")
    legend_below(figure, handles, columns=3)
    return to_svg(figure)
