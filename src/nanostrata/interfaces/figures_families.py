"""Which kind of profile the data ask for: probabilities, and the profiles that go with them."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    to_svg,
    truth_line,
)
from nanostrata.interfaces.run_folder import RunFolder, Table

__all__ = ["FAMILY_WORDS", "families"]

FAMILY_WORDS = {
    "homogeneous": "homogeneous",
    "core_shell": "abrupt",
    "exponential": "exponential",
    "erf": "error function",
    "smooth": "smooth",
}
_COLOURS = {
    "homogeneous": GREY,
    "core_shell": VERMILLION,
    "exponential": ORANGE,
    "erf": GREEN,
    "smooth": PURPLE,
    "shells": BLUE,
}
_SHOWN = 0.01


def families(run: RunFolder) -> str | None:
    """Probability of each family and number of shells (left), profiles of those not ruled out (right)."""
    kinds, numbers = run.table("families", "probability"), run.table("shell_numbers", "probability")
    profiles = run.table("family_profiles", "x")
    if profiles is None or (kinds is None and numbers is None):
        return None
    figure, box = inches(8.8, 3.9, bottom=0.95, top=0.35, left=1.3)
    grid = figure.add_gridspec(1, 2, **box, wspace=0.28, width_ratios=(1.0, 1.25))
    bars = [t for t in (kinds, numbers) if t is not None]
    left = grid[0, 0].subgridspec(len(bars), 1, hspace=0.45, height_ratios=[len(t) for t in bars])
    for i, table in enumerate(bars):
        _bars(
            figure.add_subplot(left[i]), table, "kind of profile" if table is kinds else "number of equispaced shells"
        )
    right = figure.add_subplot(grid[0, 1])
    handles = _profiles(right, profiles, bars[0])
    truth = run.table("profile_bands", "truth")
    if truth is not None:
        handles.append(truth_line(right, truth.floats("r_nm"), truth.floats("truth"), label="truth (simulated)"))
    legend_below(figure, handles, columns=3)
    return to_svg(figure)


def _word(model: str) -> str:
    return FAMILY_WORDS.get(model, model)


def _colour(family: str) -> str:
    return _COLOURS.get(family, INK)


def _bars(axes: Any, table: Table, title: str) -> None:
    p = table.floats("probability")
    y = np.arange(len(p))[::-1]
    axes.barh(y, p, color=[_colour(f) for f in table.text("family")], height=0.7)
    axes.set_yticks(y, [_word(m) for m in table.text("model")])
    axes.set_xlim(0, 1.16)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    for at, v in zip(y, p, strict=True):
        axes.text(
            v + 0.015, at, f"{100 * v:.0f} %" if v > 0.005 else "ruled out", va="center", fontsize=8, color=INK if v > 0.005 else GREY
        )  # fmt: skip
    axes.set_title(title, fontsize=9.5, loc="left")


def _profiles(axes: Any, table: Table, weights: Table) -> list[Any]:
    share = dict(zip(weights.text("model"), weights.floats("probability"), strict=True))
    family = dict(zip(weights.text("model"), weights.text("family"), strict=True))
    model, r = np.array(table.text("model")), table.floats("r_nm")
    x, low, high = (table.floats(n) for n in ("x", "lo68", "hi68"))
    handles = []
    for name in sorted((n for n in share if share[n] > _SHOWN), key=lambda n: -share[n]):
        at = model == name
        colour = _colour(family[name])
        axes.fill_between(r[at], low[at], high[at], color=colour, alpha=0.16, linewidth=0, step="mid")
        (line,) = axes.plot(
            r[at], x[at], color=colour, linewidth=1.0 + 1.6 * share[name], label=_word(name), drawstyle="steps-mid"
        )  # fmt: skip
        handles.append(line)
    axes.set_xlim(0, float(r.max()) * 1.01)
    axes.set_ylim(0, 1)
    axes.set_xlabel("distance from the centre (nm)")
    axes.set_ylabel("x, share of shell material")
    return handles
