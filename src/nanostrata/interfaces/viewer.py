"""The rotatable particle: data and markup for 3Dmol.js, which is written into the page so that it works offline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from nanostrata.interfaces.figure_style import element_colours, shell_colours
from nanostrata.interfaces.run_folder import Particle

__all__ = ["script_json", "viewer_html", "viewer_library"]

# Drawn radius in angstrom: near half the bond length, so that neighbours touch and the cut face looks solid.
_RADIUS = {
    "Se": 1.18,
    "S": 1.05,
    "Te": 1.35,
    "O": 0.80,
    "P": 1.05,
    "As": 1.15,
    "Pb": 1.45,
    "In": 1.40,
    "Cd": 1.40,
    "Ag": 1.35,
}
_DEPTH_STEPS = 12


def viewer_library() -> str:
    """Source of 3Dmol.js for an inline script."""
    source = resources.files("nanostrata").joinpath("_vendor", "3Dmol-min.js").read_text(encoding="utf-8")
    return source.replace("</script", "<\\/script")


def script_json(value: object) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).replace("</", "<\\/")


def viewer_html(particle: Particle, shell_labels: Sequence[str] = ()) -> str:
    """Markup, controls and data of the viewer.

    Parameters
    ----------
    particle : atoms to show
    shell_labels : one label per shell, inner to outer, for the legend; used when their number fits
    """
    modes = _modes(particle, shell_labels)
    data = {
        "elements": sorted(set(particle.symbols)),
        "element": [sorted(set(particle.symbols)).index(s) for s in particle.symbols],
        "xyz": np.round(particle.positions_angstrom * 100).astype(int).ravel().tolist(),
        "radius": [_RADIUS.get(e, 1.25) for e in sorted(set(particle.symbols))],
        "modes": modes,
    }
    buttons = "".join(
        f'<label><input type="radio" name="colour-by" value="{escape(m)}"{" checked" if i == 0 else ""}> '
        f"{escape(mode['title'])}</label>"
        for i, (m, mode) in enumerate(modes.items())
    )
    return f"""
<div class="viewer" id="viewer">
  <div class="viewer-controls">
    <fieldset><legend>Colour by</legend>{buttons}</fieldset>
    <fieldset><legend>Cut</legend>
      <label><input type="checkbox" id="cut-half" checked> cut in half</label>
      <label class="cut-range">depth of the cut
        <input type="range" id="cut-depth" min="0" max="100" value="50" aria-label="Depth of the cut, per cent"></label>
    </fieldset>
    <button type="button" id="viewer-reset">Reset view</button>
  </div>
  <div class="viewer-stage" id="viewer-stage" role="img"
    aria-label="Rotatable three-dimensional picture of the particle, coloured as the legend says">
    <p class="viewer-message" id="viewer-message">The rotatable picture needs JavaScript and WebGL.
      The still picture below shows the same particle.</p>
  </div>
  <div class="viewer-legend" id="viewer-legend" aria-label="Legend; choose an entry to hide or show it"></div>
  <p class="hint">Drag to rotate, scroll or pinch to zoom. Choose a legend entry to hide or show its atoms.</p>
  <script type="application/json" id="particle-data">{script_json(data)}</script>
</div>"""


def _modes(particle: Particle, shell_labels: Sequence[str]) -> dict[str, Any]:
    """For each way of colouring: a class per atom, and colour and label per class."""
    names = sorted(set(particle.symbols))
    colours = element_colours(particle.symbols)
    counts = {n: particle.symbols.count(n) for n in names}
    modes: dict[str, Any] = {
        "element": {
            "title": "element",
            "of": [names.index(s) for s in particle.symbols],
            "classes": [{"colour": colours[n], "label": f"{n} ({counts[n]})"} for n in names],
        }
    }
    if particle.shell is not None:
        modes["shell"] = _shell_mode(particle.shell, shell_labels)
    if particle.depth_nm is not None:
        modes["depth"] = _depth_mode(particle.depth_nm)
    return modes


def _shell_mode(shell: Any, labels: Sequence[str]) -> Mapping[str, Any]:
    values, of = np.unique(shell, return_inverse=True)
    tints = shell_colours(len(values))
    named = list(labels) if len(labels) == len(values) else [f"shell {v}" for v in values]
    return {
        "title": "shell",
        "of": of.tolist(),
        "classes": [{"colour": c, "label": n} for c, n in zip(tints, named, strict=True)],
    }


def _depth_mode(depth_nm: Any) -> Mapping[str, Any]:
    deepest = max(float(depth_nm.max()), 1e-9)
    of = np.clip((depth_nm / deepest * _DEPTH_STEPS).astype(int), 0, _DEPTH_STEPS - 1)
    tints = shell_colours(_DEPTH_STEPS)[::-1]
    edges = np.linspace(0, deepest, _DEPTH_STEPS + 1)
    classes = [
        {"colour": c, "label": f"{a:.2f}–{b:.2f} nm"} for c, a, b in zip(tints, edges[:-1], edges[1:], strict=True)
    ]
    return {
        "title": "depth below the surface",
        "of": of.tolist(),
        "classes": classes,
        "ramp": ["surface", f"{deepest:.1f} nm deep"],
    }
