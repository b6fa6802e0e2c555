"""How probable each family of profiles, and each number of shells, is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.domain.fit import Draws
from nanostrata.errors import PhysicsError
from nanostrata.kernels.statistics import probabilities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeighedProfile(Domain):
    """One family of profiles and what the data say for it.

    Attributes
    ----------
    family : name
    shells : number of shells; 0 where the profile is a function of the radius
    ln_z, ln_z_sigma : evidence up to the constant that all models on the same data share, and its standard error
    effective : effective number of the weighed draws behind it
    chi2 : of the data at the best point
    names : parameters of the profile
    draws : (n_draw, n_parameter) of them, equally weighted
    profile : (n_radius,) posterior mean of x
    lower, upper : (n_radius,) 68 % band
    """

    family: str
    shells: int
    ln_z: float
    ln_z_sigma: float
    effective: float
    chi2: float
    names: tuple[str, ...]
    draws: FloatArray
    profile: FloatArray
    lower: FloatArray
    upper: FloatArray

    def __post_init__(self) -> None:
        draws = frozen_array("draws", self.draws, ndim=2)
        if draws.shape[1] != len(self.names):
            raise PhysicsError(f"draws: expected a column for each of {', '.join(self.names)}, got {draws.shape[1]}")
        freeze(self, "draws", draws)
        for name in ("profile", "lower", "upper"):
            freeze(self, name, frozen_array(name, getattr(self, name)))

    @property
    def label(self) -> str:
        """Name for tables: "3 shells", "erf"."""
        return f"{self.shells} shell{'s' if self.shells > 1 else ''}" if self.shells else self.family


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProfileWeights(Domain):
    """Families and numbers of shells, each set with equal probabilities before the data.

    Attributes
    ----------
    families : one each; empty when only numbers were asked for
    numbers : 1, 2, ... equispaced shells
    radius_fraction : (n_radius,) r/R at which the profiles are given
    sigma_factors : by which the stated sigma of each curve was multiplied, the same for all
    draws : of the numbers of shells in proportion to their probability, on the shells of the most probable one; None when
        not asked for
    """

    families: tuple[WeighedProfile, ...]
    numbers: tuple[WeighedProfile, ...]
    radius_fraction: FloatArray
    sigma_factors: FloatArray
    draws: Draws | None = None

    def __post_init__(self) -> None:
        if not self.numbers and not self.families:
            raise PhysicsError("profile weights: expected at least one family or number of shells, got none")
        freeze(self, "radius_fraction", frozen_array("radius_fraction", self.radius_fraction))
        freeze(self, "sigma_factors", frozen_array("sigma_factors", self.sigma_factors, nonnegative=True))

    @property
    def best_number(self) -> int:
        """Number of shells with the largest probability."""
        return self.numbers[int(np.argmax([w.ln_z for w in self.numbers]))].shells

    @property
    def best_family(self) -> WeighedProfile:
        """Family with the largest probability."""
        return self.families[int(np.argmax([w.ln_z for w in self.families]))]


def shares(models: tuple[WeighedProfile, ...]) -> FloatArray:
    """Return the probability of each model where all are equally probable beforehand; they add up to 1."""
    return probabilities(np.array([w.ln_z for w in models]))
