"""Lattice mismatch along the radius of a particle."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import BoolArray, Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import PhysicsError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerMismatch(Domain):
    """Mismatch from one crystal layer to the next, for posterior draws of a profile.

    Attributes
    ----------
    source : which profile was read at the layers: "fitted profile" or "exponential"
    planes : which layers, for example "(001), c/2"
    spacing_nm : from layer to layer
    depth_nm : (m,) depth of the layers below the surface, inner to outer, the last one outermost
    percent : one (n_draw, m - 1) array for each direction; 100 (inner - outer) / inner
    beyond_share : share of draws in which the profile went beyond pure shell material at a layer and was set to it
    """

    source: str
    planes: str
    spacing_nm: float
    depth_nm: FloatArray
    percent: tuple[FloatArray, ...]
    beyond_share: float = 0.0

    def __post_init__(self) -> None:
        freeze(self, "depth_nm", frozen_array("depth_nm", self.depth_nm))
        freeze(self, "percent", tuple(frozen_array("percent", p, ndim=2) for p in self.percent))

    def maximum_percent(self, which: int) -> FloatArray:
        """Largest magnitude of each draw (n_draw,) along direction number ``which``; 0 for a single layer."""
        return _largest(self.percent[which])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mismatch(Domain):
    """Lattice mismatch 100 (inner - outer) / inner, percent, unrelaxed, for posterior draws.

    Attributes
    ----------
    directions : ("a", "c") for hexagonal lattices, else ("cubic",)
    percent : one (n_draw, n_shell - 1) array for each direction: between neighbouring shells, inner to outer
    abrupt_percent : of the two pure materials, for each direction
    supported : (n_shell - 1,) interfaces both shells of which the data inform; empty where that was not judged
    layers : the same from crystal layer to crystal layer
    notes : what was assumed
    """

    directions: tuple[str, ...]
    percent: tuple[FloatArray, ...]
    abrupt_percent: tuple[float, ...]
    supported: BoolArray = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    layers: tuple[LayerMismatch, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.directions) == len(self.percent) == len(self.abrupt_percent):
            raise PhysicsError("mismatch: expected one array and one abrupt value for each direction")
        freeze(self, "percent", tuple(frozen_array("percent", p, ndim=2) for p in self.percent))
        freeze(self, "supported", frozen_array("supported", self.supported, dtype=np.bool_))

    def maximum_percent(self, which: int) -> FloatArray:
        """Largest magnitude of each draw (n_draw,) along direction number ``which``; 0 for one shell."""
        return _largest(self.percent[which])

    def maximum_supported_percent(self, which: int) -> FloatArray | None:
        """The same over the interfaces that the data inform; None where there is none or it was not judged."""
        if not self.supported.any():
            return None
        return _largest(self.percent[which][:, self.supported])


def _largest(percent: FloatArray) -> FloatArray:
    return np.asarray(np.abs(percent).max(axis=1, initial=0.0))
