"""Unit cells of any crystal, as particles are cut from them: sites, their sublattice, and what may sit on them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, IntArray, freeze, frozen_array
from nanostrata.errors import PhysicsError
from nanostrata.models.cif_material import SAME_SITE_NM, read_small_structure
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_cells import unit_cell
from nanostrata.tables.formulas import split_ions

__all__ = ["CrystalCell", "cell_from_cif", "cell_of_structure", "equivalent_planes"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrystalCell(Domain):
    """A unit cell.

    Attributes
    ----------
    structure : name, or "cif"
    vectors_nm : (3, 3) rows are the lattice vectors
    basis : (n, 3) fractional coordinates
    sublattice : (n,) 0: cations (or all atoms where there are no ions), 1: anions
    occupants : per site element -> share, of the core material; empty where every site of a sublattice holds the
        sublattice's mean content (named structures)
    """

    structure: str
    vectors_nm: FloatArray
    basis: FloatArray
    sublattice: IntArray
    occupants: tuple[Mapping[str, float], ...] = ()

    def __post_init__(self) -> None:
        freeze(self, "vectors_nm", frozen_array("vectors_nm", self.vectors_nm, ndim=2, length=3))
        freeze(self, "basis", frozen_array("basis", self.basis, ndim=2))
        n = len(self.basis)
        freeze(self, "sublattice", frozen_array("sublattice", self.sublattice, dtype=np.int64, length=n))
        freeze(self, "occupants", tuple(MappingProxyType(dict(o)) for o in self.occupants))
        if self.occupants and len(self.occupants) != n:
            raise PhysicsError(f"occupants: expected one for each of {n} sites, got {len(self.occupants)}")

    def __reduce__(self) -> tuple[object, ...]:
        from nanostrata.domain.base import _rebuild

        values = {k: getattr(self, k) for k in self.__dataclass_fields__}
        values["occupants"] = tuple(dict(o) for o in self.occupants)
        return _rebuild, (type(self), values)

    @property
    def volume_nm3(self) -> float:
        """Volume of the cell."""
        return float(abs(np.linalg.det(self.vectors_nm)))

    @property
    def sublattices(self) -> int:
        """Number of sublattices, 1 or 2."""
        return int(self.sublattice.max()) + 1

    def scaled(self, factor: float) -> CrystalCell:
        """Return the cell with all lengths multiplied by a factor."""
        return CrystalCell(
            structure=self.structure, vectors_nm=self.vectors_nm * factor, basis=self.basis,
            sublattice=self.sublattice, occupants=self.occupants,
        )  # fmt: skip


def cell_of_structure(solid: SolidSolution, structure: str, x: float, volume_per_site_nm3: float) -> CrystalCell:
    """Return the cell of a named structure, see :func:`nanostrata.models.lattice_cells.unit_cell`."""
    vectors, basis, sublattice = unit_cell(solid, structure, x, volume_per_site_nm3)
    return CrystalCell(structure=structure, vectors_nm=vectors, basis=basis, sublattice=sublattice)


def cell_from_cif(text: str, *, key: str = "cif") -> CrystalCell:
    """Return the cell of a CIF, symmetry unfolded, each different position once.

    Parameters
    ----------
    text : content of the file
    key : place in the project file, for messages

    Raises
    ------
    RecipeError
        When the CIF holds no cell, no symmetry or no atoms.
    PhysicsError
        When a position is more than full.

    Notes
    -----
    Elements that share a position are its occupants in the shares of the file; what is missing to 1 is vacant. Which
    elements are cations is judged by the content of the cell.
    """
    small = read_small_structure(text, key)
    vectors = np.array(small.cell.orth.mat.tolist()).T / 10.0
    places: list[FloatArray] = []
    occupants: list[dict[str, float]] = []
    for site in small.get_all_unit_cell_sites():
        place = np.array(site.fract.tolist()) % 1.0
        k = _find(places, place, vectors)
        if k is None:
            places.append(place)
            occupants.append({})
            k = len(places) - 1
        occupants[k][site.element.name] = occupants[k].get(site.element.name, 0.0) + float(site.occ)
    over = [sum(o.values()) for o in occupants]
    if max(over) > 1.0 + 1e-3:
        crowded = occupants[int(np.argmax(over))]
        raise PhysicsError(f"{key}: a site holds {max(over):.3f} atoms ({', '.join(crowded)}); correct the occupancies")
    content: dict[str, float] = {}
    for o in occupants:
        for element, share in o.items():
            content[element] = content.get(element, 0.0) + share
    anions = split_ions(content)[1]
    on = [1 if sum(s for e, s in o.items() if e in anions) > 0.5 * sum(o.values()) else 0 for o in occupants]
    mixed = [o for o in occupants if 0 < len(set(o) & set(anions)) < len(o)]
    if mixed:
        raise PhysicsError(f"{key}: {', '.join(mixed[0])} share a site; cations and anions cannot be told apart there")
    return CrystalCell(
        structure="cif", vectors_nm=vectors, basis=np.array(places), sublattice=np.array(on), occupants=tuple(occupants)
    )


def _find(places: Sequence[FloatArray], place: FloatArray, vectors: FloatArray) -> int | None:
    if not places:
        return None
    apart = np.array(places) - place
    apart -= np.round(apart)
    distance = np.linalg.norm(apart @ vectors, axis=1)
    k = int(np.argmin(distance))
    return k if distance[k] < SAME_SITE_NM else None


def equivalent_planes(vectors_nm: FloatArray, hkl: Sequence[int]) -> list[tuple[int, int, int]]:
    """Planes equivalent to (hkl) by the symmetry of the lattice (its holohedry, which holds the inversion).

    Parameters
    ----------
    vectors_nm : (3, 3) rows are the lattice vectors of a conventional or a reduced cell
    hkl : three integers, not all zero

    Returns
    -------
    list of (h, k, l), sorted

    Notes
    -----
    The symmetry operations of a lattice are the whole-number matrices with determinant 1 or -1 that leave its metric
    unchanged; for conventional cells their elements are -1, 0 or 1. A crystal may have fewer: (111) and (-1-1-1) of zinc
    blende end on different species, and are both in the list.

    Examples
    --------
    >>> len(equivalent_planes(np.eye(3), (1, 1, 1)))
    8
    """
    metric = vectors_nm @ vectors_nm.T
    rows = np.array([r for r in itertools.product((-1, 0, 1), repeat=3) if any(r)])
    length = np.einsum("ij,jk,ik->i", rows, metric, rows)
    tolerance = 1e-4 * float(np.trace(metric))
    choices = [rows[np.abs(length - metric[i, i]) < tolerance] for i in range(3)]
    found: set[tuple[int, int, int]] = set()
    index = np.asarray(hkl, dtype=np.int64)
    for a, b, c in itertools.product(*choices):
        m = np.array([a, b, c])
        if abs(round(float(np.linalg.det(m)))) == 1 and np.allclose(m @ metric @ m.T, metric, atol=tolerance):
            h, k, l = (int(v) for v in m @ index)
            found.add((h, k, l))
    return sorted(found)
