"""How the particles of an ensemble are cut: on which crystal, to which body, with which faults and surface."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from nanostrata.domain import AtomicModel
from nanostrata.domain.base import Domain, freeze
from nanostrata.models.crystal_body import Body, Spheroid, polyhedron
from nanostrata.models.crystal_builder import Faults, Termination, build_crystal
from nanostrata.models.crystal_cells import CrystalCell, cell_of_structure
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_particle import LatticeKind, Occupation, Profile, build_particle
from nanostrata.models.map_outline import MapOutline

__all__ = ["CrystalPlan", "build_planned"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrystalPlan(Domain):
    """What is asked of the crystal beside size, aspect ratio and composition.

    Attributes
    ----------
    cell : of a CIF; None for a named structure
    facets : planes -> relative distance from the centre, see :func:`nanostrata.models.crystal_body.polyhedron`; empty for
        spheroids
    outline : surface of an occupancy map in place of spheroid and facets; or None
    faults : or None
    termination, min_bonds, lattice : see :func:`nanostrata.models.crystal_builder.build_crystal`
    """

    cell: CrystalCell | None = None
    facets: Mapping[str, float] = field(default_factory=dict)
    outline: MapOutline | None = None
    faults: Faults | None = None
    termination: Termination = "any"
    min_bonds: int = 2
    lattice: LatticeKind = "graded"

    def __post_init__(self) -> None:
        freeze(self, "facets", MappingProxyType(dict(self.facets)))

    def __reduce__(self) -> tuple[object, ...]:
        from nanostrata.domain.base import _rebuild

        values: dict[str, Any] = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return _rebuild, (type(self), values | {"facets": dict(self.facets)})

    @property
    def body(self) -> Literal["spheroid", "facets", "map"]:
        """What the particles are cut to."""
        if self.facets:
            return "facets"
        return "spheroid" if self.outline is None else "map"

    @property
    def plain(self) -> bool:
        """A spheroid of a named structure without faults, trimmed as usual."""
        special = self.cell is not None or self.facets or self.faults is not None or self.outline is not None
        return not special and self.termination == "any" and self.min_bonds == 2


def build_planned(
    solid: SolidSolution,
    plan: CrystalPlan,
    *,
    diameter_nm: float,
    aspect_ratio: float,
    x_of_s: Profile,
    structure: str | None,
    axis: str,
    rng: np.random.Generator,
    shells: int,
    occupation: Occupation,
    quota_shells: int | None,
) -> AtomicModel:
    """Build one particle of given volume-equivalent diameter; with facets or an outline the aspect ratio is theirs.

    Raises
    ------
    PhysicsError
        As :func:`nanostrata.models.crystal_builder.build_crystal` and
        :func:`nanostrata.models.crystal_body.polyhedron`.
    """
    minor = 0.5 * diameter_nm * aspect_ratio ** (-1.0 / 3.0)
    axes = (minor, minor, minor * aspect_ratio)
    if plan.plain:
        return build_particle(
            solid, semi_axes_nm=axes, x_of_s=x_of_s, structure=structure, axis=axis, rng=rng, lattice=plan.lattice,
            shells=shells, occupation=occupation, quota_shells=quota_shells,
        )  # fmt: skip
    body: Body = Spheroid(semi_axes_nm=axes)
    if plan.facets:
        # only directions of planes are taken from this cell, so its size does not matter
        cell = plan.cell or cell_of_structure(solid, structure or solid.core.structure, 0.5, 1.0)
        body = polyhedron(cell, axis, plan.facets).scaled_to(math.pi / 6.0 * diameter_nm**3)
    elif plan.outline is not None:
        body = plan.outline.body(math.pi / 6.0 * diameter_nm**3)
    return build_crystal(
        solid, body=body, x_of_s=x_of_s, cell=plan.cell, structure=structure, axis=axis, rng=rng, lattice=plan.lattice,
        faults=plan.faults, termination=plan.termination, min_bonds=plan.min_bonds, shells=shells, occupation=occupation,
        quota_shells=quota_shells,
    )  # fmt: skip
