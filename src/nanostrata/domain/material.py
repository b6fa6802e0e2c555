"""Materials: what a unit of matter contains and the volume that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from nanostrata.domain.base import Domain, check_range, freeze

Structure: TypeAlias = Literal["wurtzite", "zincblende", "rocksalt", "diamond", "fcc", "bcc", "hcp", "cif"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material(Domain):
    """An end member: composition per shared site and lattice.

    The *shared site* is what both end members have in common and what x counts: one anion (or one cation when only
    anions differ; one atom for metals). ``composition`` is atoms per shared site, so vacancies are simply absent.

    Attributes
    ----------
    name : formula as the user wrote it
    composition : element -> atoms per shared site
    site_volume_nm3 : volume per shared site, nm^3
    structure : lattice type
    lattice_nm : (a, b, c) lattice constants, nm
    density_uncertainty : one relative standard deviation of the electron density
    sublattice_sites : cation and anion sites per shared site; (1, 1) in wurtzite, zinc blende and rock salt; a lattice
        of one kind of site uses the first number only
    """

    name: str
    composition: Mapping[str, float]
    site_volume_nm3: float
    structure: str
    lattice_nm: tuple[float, float, float]
    density_uncertainty: float = 0.01
    sublattice_sites: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        freeze(self, "composition", MappingProxyType(dict(self.composition)))
        freeze(self, "sublattice_sites", (float(self.sublattice_sites[0]), float(self.sublattice_sites[1])))
        check_range("site_volume_nm3", self.site_volume_nm3, 1e-3, 10.0, hint="a lattice constant in nm is expected")
        check_range("density_uncertainty", self.density_uncertainty, 0.0, 0.5)

    def __reduce__(self) -> tuple[object, ...]:
        from nanostrata.domain.base import _rebuild

        values = {n: getattr(self, n) for n in self.__dataclass_fields__}
        values["composition"] = dict(self.composition)
        return _rebuild, (type(self), values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium(Domain):
    """The liquid (or vacuum) round the particles; its electrons are taken far from any edge.

    Attributes
    ----------
    name : as the user wrote it
    electron_density_e_nm3 : real electron density, e/nm^3 (toluene 283.3)
    """

    name: str
    electron_density_e_nm3: float

    def __post_init__(self) -> None:
        check_range("electron_density_e_nm3", self.electron_density_e_nm3, 0.0, 10000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition(Domain):
    """Measured element composition (EDX), with the covariance that closure to 100 % implies.

    Attributes
    ----------
    elements : symbols
    atomic_fraction : sums to 1
    covariance : (n, n) nested tuples, covariance of ``atomic_fraction``
    """

    elements: tuple[str, ...]
    atomic_fraction: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    origin: object = field(default=None)
