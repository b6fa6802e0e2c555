"""The mismatch part of the summary."""

from __future__ import annotations

from typing import Any

from nanostrata.domain.estimate import gaussian_quantity, quantity
from nanostrata.domain.mismatch import LayerMismatch, Mismatch

__all__ = ["mismatch_summary"]


def mismatch_summary(m: Mismatch) -> list[dict[str, Any]]:
    """Return one entry for each direction, with the contract's keys, as plain JSON types.

    Keys
    ----
    direction : "a", "c" or "cubic"
    percent : 100 (inner - outer) / inner between neighbouring shells, inner to outer
    maximum_percent : largest magnitude of it
    maximum_supported_percent : the same over interfaces that the data inform; None where there is none or it was not judged
    abrupt_percent : of the pure materials; exact for the given lattice constants
    layers : the same from crystal layer to crystal layer: source, planes, spacing_nm, depth_nm (inner to outer), percent,
        maximum_percent, beyond_share (draws in which the extrapolated profile was set to pure shell material)
    notes : what was assumed
    """
    out: list[dict[str, Any]] = []
    for which, direction in enumerate(m.directions):
        supported = m.maximum_supported_percent(which)
        out.append(
            {
                "direction": direction,
                "percent": quantity(m.percent[which]),
                "maximum_percent": quantity(m.maximum_percent(which)),
                "maximum_supported_percent": None if supported is None else quantity(supported),
                "abrupt_percent": gaussian_quantity(m.abrupt_percent[which], 0.0),
                "layers": [_layers(layers, which) for layers in m.layers],
                "notes": list(m.notes),
            }
        )
    return out


def _layers(layers: LayerMismatch, which: int) -> dict[str, Any]:
    return {
        "source": layers.source,
        "planes": layers.planes,
        "spacing_nm": layers.spacing_nm,
        "depth_nm": layers.depth_nm.tolist(),
        "percent": quantity(layers.percent[which]),
        "maximum_percent": quantity(layers.maximum_percent(which)),
        "beyond_share": layers.beyond_share,
    }
