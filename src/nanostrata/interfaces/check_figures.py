"""The curves before any fit: log-log, I q^4, and the first minimum against the energy, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nanostrata.domain import ScatteringCurve
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
    style,
    to_svg,
)  # fmt: skip
from nanostrata.pipeline.check_run import MinimumRow

__all__ = ["draw_check"]

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, INK, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def draw_check(curves: Sequence[ScatteringCurve], minima: Sequence[MinimumRow]) -> str:
    """Return the picture as SVG text.

    Parameters
    ----------
    curves : as read, q in 1/nm
    minima : first minima of I q^4; the third panel is drawn where at least two curves have an energy and a minimum
    """
    third = [m for m in minima if m.energy_kev is not None]
    panels = 3 if len(third) > 1 else 2
    with style():
        figure, box = inches(3.6 * panels + 0.4, 4.0, bottom=0.5 + 0.22 * (1 + len(curves) // 5), left=0.75)
        grid = figure.add_gridspec(1, panels, **box, wspace=0.32)
        left, middle = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
        handles = [_curve(left, middle, c, i) for i, c in enumerate(curves)]
        for axes, name in ((left, "I (unit of the files)"), (middle, "I q\u2074 (arbitrary, same for all)")):
            axes.set_xlabel("q (1/nm)")
            axes.set_ylabel(name)
        left.set_xscale("log")
        left.set_yscale("log")
        log_ticks(left.yaxis)
        _plain_ticks(left.xaxis)
        left.set_title("as read")
        middle.set_title("I q\u2074")
        if panels == 3:
            _minima(figure.add_subplot(grid[2]), third)
        legend_below(figure, handles, columns=5)
        return to_svg(figure)


def _curve(left: Any, middle: Any, curve: ScatteringCurve, i: int) -> Any:
    look = {
        "color": _COLOURS[i % len(_COLOURS)],
        "marker": _MARKERS[i % len(_MARKERS)],
        "markersize": 2.4,
        "linewidth": 0.7,
    }
    q, y, sigma = curve.q_inv_nm, curve.intensity, curve.sigma
    keep = np.unique(np.linspace(0, len(q) - 1, min(len(q), 400)).astype(int))  # thinned for drawing only
    positive = keep[y[keep] > 0]
    (line,) = left.plot(q[positive], y[positive], label=curve.label, **look)
    low = np.maximum(y[positive] - sigma[positive], 1e-3 * y[positive])
    left.vlines(q[positive], low, y[positive] + sigma[positive], color=look["color"], linewidth=0.5)
    middle.plot(q[keep], y[keep] * q[keep] ** 4, **look)
    return line


def _plain_ticks(axis: Any) -> None:
    """Numbers as 0.5, 1, 2 on a logarithmic axis that spans little more than a decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axis.set_minor_formatter(NullFormatter())


def _minima(axes: Any, rows: Sequence[MinimumRow]) -> None:
    axes.errorbar(
        [m.energy_kev for m in rows], [m.q_inv_nm for m in rows], yerr=[m.sigma_inv_nm for m in rows],
        fmt="o", color=INK, markersize=4, linewidth=1,
    )  # fmt: skip
    axes.set_xlabel("energy (keV)")
    axes.set_ylabel("q of the first minimum (1/nm)")
    axes.set_title("first minimum of I q\u2074")
    axes.margins(0.15)
