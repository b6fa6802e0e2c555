"""Unit cells that particles are cut from, their sublattices, and directions in them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import FloatArray
from nanostrata.domain.base import IntArray
from nanostrata.errors import PhysicsError

if TYPE_CHECKING:
    from nanostrata.models.density import SolidSolution

_FCC = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
_HEX_A = ((1 / 3, 2 / 3, 0.0), (2 / 3, 1 / 3, 0.5))
_U = 0.375
_IDEAL_C_OVER_A = math.sqrt(8.0 / 3.0)


def _shift(sites: tuple[tuple[float, ...], ...], by: tuple[float, float, float]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(a + b for a, b in zip(s, by, strict=True)) for s in sites)


# per structure: sites of sublattice 0 (cations, or all atoms of a metal), sites of sublattice 1, hexagonal?
_STRUCTURES: dict[str, tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...], bool]] = {
    "wurtzite": (_HEX_A, _shift(_HEX_A, (0.0, 0.0, _U)), True),
    "zincblende": (_FCC, _shift(_FCC, (0.25, 0.25, 0.25)), False),
    "rocksalt": (_FCC, _shift(_FCC, (0.5, 0.5, 0.5)), False),
    "diamond": (_FCC + _shift(_FCC, (0.25, 0.25, 0.25)), (), False),
    "fcc": (_FCC, (), False),
    "bcc": (((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), (), False),
    "hcp": (((1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75)), (), True),
}

BUILDABLE = tuple(_STRUCTURES)
"""Structures that particles can be cut from."""


def sublattice_count(structure: str) -> int:
    """Return 2 for the lattices of compounds, 1 for one kind of site."""
    return 2 if _STRUCTURES[structure][1] else 1


def unit_cell(
    solid: SolidSolution, structure: str, x: float, volume_per_site_nm3: float
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Conventional cell at composition x, scaled to a given volume per shared site.

    Parameters
    ----------
    solid : SolidSolution
    structure : str
        One of :data:`BUILDABLE`.
    x : float
        Shell fraction; decides c/a between end members of this hexagonal structure (ideal where neither has it).
    volume_per_site_nm3 : float

    Returns
    -------
    cell : (3, 3)
        Rows are the lattice vectors, nm.
    basis : (n, 3)
        Fractional coordinates.
    sublattice : (n,) int
        0: cations (or all atoms of a metal), 1: anions.

    Raises
    ------
    PhysicsError
        When the structure is not one of :data:`BUILDABLE`.
    """
    if structure not in _STRUCTURES:
        raise PhysicsError(
            f"structure: atoms can be placed on {', '.join(BUILDABLE)}; got {structure!r}: set particle.structure"
        )
    first, second, hexagonal = _STRUCTURES[structure]
    volume = volume_per_site_nm3 * len(first)
    if hexagonal:
        ratio = _c_over_a(solid, structure, x)
        a = (volume / (math.sqrt(3.0) / 2.0 * ratio)) ** (1.0 / 3.0)
        cell = np.array([[a, 0.0, 0.0], [-0.5 * a, math.sqrt(3.0) / 2.0 * a, 0.0], [0.0, 0.0, ratio * a]])
    else:
        cell = np.eye(3) * volume ** (1.0 / 3.0)
    basis = np.array(first + second, dtype=np.float64)
    return cell, basis, np.array([0] * len(first) + [1] * len(second), dtype=np.int64)


def _c_over_a(solid: SolidSolution, structure: str, x: float) -> float:
    members = [(solid.core, 1.0 - x)] + ([(solid.shell, x)] if solid.shell is not None else [])
    known = [(m.lattice_nm, share) for m, share in members if m.structure == structure]
    if not known:
        return _IDEAL_C_OVER_A
    total = sum(share for _, share in known)
    if total <= 0.0:
        known, total = [(lattice, 1.0) for lattice, _ in known], float(len(known))
    a = sum(lattice[0] * share for lattice, share in known) / total
    c = sum(lattice[2] * share for lattice, share in known) / total
    return float(c / a)


def parse_direction(cell_nm: FloatArray, axis: str) -> FloatArray:
    """Unit vector of a direct-lattice direction "110", "[1 -1 0]", or of the normal of a plane "(100)".

    Raises
    ------
    PhysicsError
        When three integers, not all zero, cannot be read.
    """
    text = axis.strip()
    plane = text.startswith("(") and text.endswith(")")
    numbers = re.findall(r"-?\d+" if re.search(r"[\s,]", text.strip("[]() ")) else r"-?\d", text)
    index = np.array([int(n) for n in numbers], dtype=np.float64)
    if len(index) != 3 or not index.any():
        raise PhysicsError(
            f'axis: expected three integers such as "110", "1 -1 0" or "(100)" for a plane normal, got {axis!r}'
        )
    vector = np.linalg.inv(cell_nm) @ index if plane else index @ cell_nm
    return np.asarray(vector / np.linalg.norm(vector))
