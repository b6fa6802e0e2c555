"""The radial composition profile."""

from __future__ import annotations

from dataclasses import dataclass

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import PhysicsError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShellProfile(Domain):
    """Composition of concentric shells of the particle of mean size.

    Attributes
    ----------
    edges_nm : (n,) volume-equivalent outer radius of each shell, nm, inner to outer
    shell_fraction : (n,) x of each shell: 0 = core material, 1 = shell material
    """

    edges_nm: FloatArray
    shell_fraction: FloatArray

    def __post_init__(self) -> None:
        e = frozen_array("edges_nm", self.edges_nm, positive=True, increasing=True)
        x = frozen_array("shell_fraction", self.shell_fraction, length=len(e))
        if x.size and (x.min() < -1e-9 or x.max() > 1 + 1e-9):
            raise PhysicsError(f"shell_fraction: must lie in 0..1, got {x.min():g}..{x.max():g}")
        freeze(self, "edges_nm", e)
        freeze(self, "shell_fraction", x)
