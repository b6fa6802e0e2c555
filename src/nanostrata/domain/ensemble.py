"""Several particles of atoms that stand for a sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nanostrata.domain.atoms import AtomicModel
from nanostrata.domain.base import Domain, FloatArray, IntArray, freeze, frozen_array
from nanostrata.domain.charge import BalanceReport
from nanostrata.domain.relaxation import Relaxation, StrainProfile
from nanostrata.errors import PhysicsError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtomEnsemble(Domain):
    """Particles whose weighted sum stands for all sizes of a sample.

    Attributes
    ----------
    particles : one or more
    weights : (n,) number of particles that each one stands for, as a share; they sum to 1
    diameter_nm, aspect_ratio : (n,) as planned
    shell_fraction : (n, n_shell) composition of each particle, inner to outer
    draw : (n,) posterior draw that each particle was built from, -1 for none
    diameter_mean_nm, diameter_std_nm, aspect_mean : of the number distribution that the ensemble stands for
    quadrature_error : largest relative error of a sphere's curve that this choice of sizes makes
    balance : charge report of each particle; empty where charges were left as they came
    relaxation : report of each particle; empty where atoms stand on the lattice
    strain : radial profile of strain over all particles after relaxation, or None
    body : "spheroid", "facets" or "map": what the particles are cut to; all of the latter two have one outline
    """

    particles: tuple[AtomicModel, ...]
    weights: FloatArray
    diameter_nm: FloatArray
    aspect_ratio: FloatArray
    shell_fraction: FloatArray
    draw: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    diameter_mean_nm: float
    diameter_std_nm: float
    aspect_mean: float
    quadrature_error: float
    balance: tuple[BalanceReport, ...] = ()
    relaxation: tuple[Relaxation, ...] = ()
    strain: StrainProfile | None = None
    body: Literal["spheroid", "facets", "map"] = "spheroid"

    def __post_init__(self) -> None:
        n = len(self.particles)
        if n == 0:
            raise PhysicsError("particles: an ensemble holds at least one particle")
        freeze(self, "weights", frozen_array("weights", self.weights, positive=True, length=n))
        if abs(float(self.weights.sum()) - 1.0) > 1e-9:
            raise PhysicsError(f"weights: must sum to 1, sum to {float(self.weights.sum()):g}")
        freeze(self, "diameter_nm", frozen_array("diameter_nm", self.diameter_nm, positive=True, length=n))
        freeze(self, "aspect_ratio", frozen_array("aspect_ratio", self.aspect_ratio, positive=True, length=n))
        freeze(self, "shell_fraction", frozen_array("shell_fraction", self.shell_fraction, ndim=2, length=n))
        freeze(self, "draw", frozen_array("draw", self.draw, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.particles)

    @property
    def mean_counts(self) -> dict[str, float]:
        """Number mean of the atoms of each element per particle."""
        counts = [p.counts for p in self.particles]
        names = sorted({e for c in counts for e in c})
        return {e: float(self.weights @ np.array([c.get(e, 0) for c in counts], dtype=float)) for e in names}

    @property
    def typical(self) -> AtomicModel:
        """The particle nearest to the mean diameter."""
        return self.particles[int(np.argmin(np.abs(self.diameter_nm - self.diameter_mean_nm)))]
