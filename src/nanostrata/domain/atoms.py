"""A particle made of atoms."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, IntArray, freeze, frozen_array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtomicModel(Domain):
    """Atoms of one particle, on lattice sites, vacancies included.

    Attributes
    ----------
    symbols : (m,) element of each site; "X" marks a vacancy of the shared or mixed sublattice
    positions_nm : (m, 3) nm, centred on the particle
    radius_fraction : (m,) ellipsoidal radius s = r / R(direction), 0 in the centre, 1 on the surface
    site_volume_nm3 : (m,) volume of medium that the site displaces, nm^3; the sum is the particle's volume
    semi_axes_nm : (A, B, C) of the cutting spheroid, nm
    shell_index : (m,) shell of each site, 1 = innermost; empty where unknown
    sublattice : (m,) 0 = cation, 1 = anion site; empty where elements and neighbours tell it (named structures)
    """

    symbols: tuple[str, ...]
    positions_nm: FloatArray
    radius_fraction: FloatArray
    site_volume_nm3: FloatArray
    semi_axes_nm: tuple[float, float, float]
    shell_index: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    sublattice: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    info: dict[str, float | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        m = len(self.symbols)
        freeze(self, "positions_nm", frozen_array("positions_nm", self.positions_nm, ndim=2, length=m))
        freeze(self, "radius_fraction", frozen_array("radius_fraction", self.radius_fraction, length=m))
        freeze(
            self, "site_volume_nm3", frozen_array("site_volume_nm3", self.site_volume_nm3, nonnegative=True, length=m)
        )
        freeze(self, "shell_index", frozen_array("shell_index", self.shell_index, dtype=np.int64))
        freeze(self, "sublattice", frozen_array("sublattice", self.sublattice, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def counts(self) -> dict[str, int]:
        """Atoms of each element; vacancies left out."""
        names, n = np.unique(np.array(self.symbols), return_counts=True)
        return {str(k): int(v) for k, v in zip(names, n, strict=True) if k != "X"}
