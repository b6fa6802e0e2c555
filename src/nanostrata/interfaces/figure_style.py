"""One look for every figure: colours that colour-blind readers can tell apart, small reproducible SVG, no pyplot."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.interfaces.formatting import SUPERSCRIPT

if TYPE_CHECKING:
    from nanostrata.interfaces.run_folder import RunFolder

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PURPLE",
    "VERMILLION",
    "CurveStyle",
    "curve_styles",
    "element_colours",
    "inches",
    "legend_below",
    "log_ticks",
    "shell_colours",
    "spare_style",
    "stepped",
    "style",
    "to_svg",
    "truth_line",
]

# Okabe & Ito's palette (jfly.uni-koeln.de/color), without its yellow, which is too pale on white.
INK, BLUE, GREEN, VERMILLION, PURPLE, SKY, ORANGE = (
    "#1a1a1a",
    "#0072B2",
    "#009E73",
    "#D55E00",
    "#B5548E",
    "#56B4E9",
    "#E69F00",
)
GREY = "#8a8a8a"
_CURVES = (BLUE, GREEN, VERMILLION, PURPLE, SKY, ORANGE, INK, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nanostrata",
    "font.family": "DejaVu Sans",  # measured with a wide font, shown in the reader's own (narrower) one
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "text.color": INK,
    "text.parse_math": False,
    "path.simplify": True,
}
# Fixed colours of frequent elements: anions light and neutral, cations far apart in lightness and hue.
_ELEMENTS = {
    "Se": "#C8C8C8",
    "S": "#E3D9B0",
    "Te": "#9A9A9A",
    "O": "#DDDDDD",
    "P": "#D7C7A8",
    "As": "#B0B7A0",
    "Zn": "#0072B2",
    "Cd": "#56B4E9",
    "Hg": "#6C6C9C",
    "Ag": "#E69F00",
    "In": "#7B1F4B",
    "Cu": "#B85A2A",
    "Ga": "#CC79A7",
    "Pb": "#3B3B3B",
    "Pt": "#7F8FA6",
    "Ni": "#009E73",
    "Au": "#F0C419",
    "Fe": "#A0522D",
    "Si": "#C9B18F",
    "Mn": "#8E44AD",
}
_SPARE = ("#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")


@dataclass(frozen=True, slots=True)
class CurveStyle:
    """How one curve looks in every figure: colour, marker (never colour alone) and name."""

    colour: str
    marker: str
    name: str


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib settings of the report, restored afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(_RC):
        yield


def to_svg(figure: Any) -> str:
    """SVG text of a figure: the same bytes for the same figure; text stays text, in the reader's system font."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = svg.replace("'DejaVu Sans'", _FONTS).replace("DejaVu Sans", _FONTS)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)


def inches(width: float, height: float, **margins: float) -> tuple[Any, dict[str, float]]:
    """Figure and its margins: left, right, bottom, top in inches become fractions for ``add_gridspec``."""
    from matplotlib.figure import Figure

    given = {"left": 0.62, "right": 0.12, "bottom": 0.5, "top": 0.3} | margins
    figure = Figure(figsize=(width, height))
    return figure, {
        "left": given["left"] / width,
        "right": 1 - given["right"] / width,
        "bottom": given["bottom"] / height,
        "top": 1 - given["top"] / height,
    }


def legend_below(figure: Any, handles: Sequence[Any], labels: Sequence[str] | None = None, columns: int = 4) -> None:
    """One legend for the whole figure, at its foot."""
    names = labels if labels is not None else [h.get_label() for h in handles]
    figure.legend(
        handles, names, loc="lower center", ncol=columns, columnspacing=1.6, handlelength=1.8, borderaxespad=0.2
    )


def log_ticks(axis: Any) -> None:
    """Powers of ten with Unicode superscripts (mathtext would be drawn glyph by glyph)."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, numticks=8))
    axis.set_major_formatter(
        FuncFormatter(lambda v, _: f"10{str(round(math.log10(v))).translate(SUPERSCRIPT)}" if v > 0 else "")
    )
    axis.set_minor_formatter(NullFormatter())


def stepped(values: FloatArray) -> bool:
    """Whether a sampled curve is constant piece by piece: most of its values repeat the one before."""
    return len(values) > 2 and float(np.mean(np.diff(values) == 0)) > 0.5


def truth_line(axes: Any, x: Any, y: Any, **more: Any) -> Any:
    """Known truth of simulated data: always black and dashed."""
    (line,) = axes.plot(x, y, color="black", linewidth=1.3, linestyle=(0, (4, 2)), **more)
    return line


def curve_styles(run: RunFolder) -> dict[str, CurveStyle]:
    """Style of each curve by its label; ordered by photon energy, the same in every figure and table."""
    for name in ("curves", "energies"):
        table = run.table(name, "curve")
        if table is not None:
            break
    else:
        return {}
    energy = dict(zip(table.text("curve"), table.floats("energy_kev"), strict=True))
    order = sorted(energy, key=lambda c: (math.isnan(energy[c]), energy[c] if not math.isnan(energy[c]) else 0.0))
    styles = {}
    for i, curve in enumerate(order):
        kev = energy[curve]
        name = curve if math.isnan(kev) else f"{kev:.3f} keV"
        if sum(energy[c] == kev for c in order) > 1:
            name = f"{name}, {curve}"
        styles[curve] = CurveStyle(_CURVES[i % len(_CURVES)], _MARKERS[i % len(_MARKERS)], name)
    return styles


def spare_style(number: int) -> CurveStyle:
    """Style number ``number`` (from 0) of the order that ``curve_styles`` uses, without a name."""
    return CurveStyle(_CURVES[number % len(_CURVES)], _MARKERS[number % len(_MARKERS)], "")


def element_colours(elements: Sequence[str]) -> dict[str, str]:
    """A colour for each element, never the same twice in one particle."""
    chosen: dict[str, str] = {}
    spare = [c for c in _SPARE if c not in {_ELEMENTS.get(e) for e in elements}]
    for element in sorted(set(elements)):
        chosen[element] = _ELEMENTS.get(element) or (spare.pop(0) if spare else _grey(len(chosen)))
    return chosen


def shell_colours(count: int) -> list[str]:
    """Dark inside to light outside: the cividis map, readable without colour."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(c) for c in colormaps["cividis"](np.linspace(0.05, 0.97, max(count, 1)))]


def energy_colour(styles: Mapping[str, CurveStyle], energies: Mapping[str, float], energy_kev: float) -> str:
    """Colour of the curve measured at an energy."""
    for curve, kev in energies.items():
        if math.isclose(kev, energy_kev, rel_tol=1e-6):
            return styles[curve].colour
    return GREY


def _grey(i: int) -> str:
    level = 60 + 37 * (i % 5)
    return f"#{level:02x}{level:02x}{level:02x}"
