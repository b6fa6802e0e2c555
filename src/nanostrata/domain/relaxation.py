"""What the relaxation of a particle of atoms did, and the strain that is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, IntArray, freeze, frozen_array

__all__ = ["Relaxation", "StrainProfile"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxation(Domain):
    """Report of one relaxation.

    Attributes
    ----------
    method : "keating", or the name of the calculator
    energy_before_ev, energy_ev : before and after; zero for Keating's model where no bond is strained
    max_force_nn : largest force on an atom that is left, nN
    tolerance_nn : the force at which it stops
    steps : evaluations of the energy
    atoms, bonds : numbers
    full_share : share of atoms with four bonds
    largest_move_nm, mean_move_nm : displacements
    radius_change : relative change of the radius of gyration of the atoms
    bond_length_nm, bond_length_std_nm : mean and standard deviation for each pair of elements, after
    """

    method: str
    energy_before_ev: float
    energy_ev: float
    max_force_nn: float
    tolerance_nn: float
    steps: int
    atoms: int
    bonds: int
    full_share: float
    largest_move_nm: float
    mean_move_nm: float
    radius_change: float
    bond_length_nm: Mapping[str, float] = field(default_factory=dict)
    bond_length_std_nm: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        freeze(self, "bond_length_nm", MappingProxyType(dict(self.bond_length_nm)))
        freeze(self, "bond_length_std_nm", MappingProxyType(dict(self.bond_length_std_nm)))

    def __reduce__(self) -> tuple[object, ...]:
        from nanostrata.domain.base import _rebuild

        values = {k: getattr(self, k) for k in self.__dataclass_fields__}
        values["bond_length_nm"] = dict(self.bond_length_nm)
        values["bond_length_std_nm"] = dict(self.bond_length_std_nm)
        return _rebuild, (type(self), values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StrainProfile(Domain):
    """Strain against the radius, over atoms with four bonds.

    Attributes
    ----------
    radius_fraction : (n + 1,) edges of the bins
    radius_nm : (n,) mean distance of the atoms from the centre
    atoms : (n,) atoms in each bin
    lattice_nm, lattice_std_nm : (n,) local lattice constant a of the ideal lattice, mean and standard deviation over atoms
    vegard_nm : (n,) that of the free material of the same composition
    dilation, radial, tangential : (n,) linear strain against the free material: mean over directions, along and across
        the radius
    dilation_std, radial_std, tangential_std : (n,) standard deviations over atoms
    """

    radius_fraction: FloatArray
    radius_nm: FloatArray
    atoms: IntArray
    lattice_nm: FloatArray
    lattice_std_nm: FloatArray
    vegard_nm: FloatArray
    dilation: FloatArray
    dilation_std: FloatArray
    radial: FloatArray
    radial_std: FloatArray
    tangential: FloatArray
    tangential_std: FloatArray

    def __post_init__(self) -> None:
        n = len(self.radius_nm)
        freeze(
            self,
            "radius_fraction",
            frozen_array("radius_fraction", self.radius_fraction, increasing=True, length=n + 1),
        )
        freeze(self, "atoms", frozen_array("atoms", self.atoms, dtype=np.int64, length=n))
        for name in (
            "radius_nm", "lattice_nm", "lattice_std_nm", "vegard_nm", "dilation", "dilation_std", "radial", "radial_std",
            "tangential", "tangential_std",
        ):  # fmt: skip
            freeze(self, name, frozen_array(name, getattr(self, name), length=n))
