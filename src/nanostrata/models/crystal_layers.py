"""Sites of crystals made of close-packed layers in any sequence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nanostrata.domain.base import BoolArray, FloatArray, IntArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.stacking import stacking_sequence
from nanostrata.models.crystal_cells import CrystalCell

if TYPE_CHECKING:
    from nanostrata.models.crystal_builder import Faults

__all__ = ["LAYERED", "faulted_sites"]

LAYERED = ("wurtzite", "zincblende", "diamond", "fcc", "hcp")
"""Structures made of close-packed layers, along [001] of the hexagonal and [111] of the cubic ones."""


def faulted_sites(
    cell: CrystalCell, origin: FloatArray, reach_nm: float, faults: Faults, rng: np.random.Generator
) -> tuple[FloatArray, IntArray, IntArray, IntArray, BoolArray]:
    """Sites of all layers that a sphere round the origin can touch, in a sequence with faults.

    A layer holds one atom per in-plane cell, or an anion above each cation (the second site of diamond likewise): the bond
    along the layer normal has the length that it has in the parent, and all others follow from the spacing of layers, so
    that every atom has its four (or twelve) neighbours whatever the sequence.

    Parameters
    ----------
    cell : of one of :data:`LAYERED`
    origin : (3,) fractional coordinates of the particle's centre in the parent
    reach_nm : radius of the sphere
    faults : probability and kind, or a sequence
    rng : numpy.random.Generator

    Returns
    -------
    positions : (n, 3) nm from the centre, in the Cartesian frame of the cell
    site : (n,) basis site that this one is of the same kind as
    layer : (n,) number of the layer, from 0
    letters : (layers,) position of each layer, 0 = A
    faulted : (layers,) whether the step to a layer was faulted
    """
    if cell.structure not in LAYERED:
        raise PhysicsError(
            f"faults: {cell.structure} is not made of close-packed layers that can be stacked in another order; faults are "
            f"built in {', '.join(LAYERED)}"
        )
    plane, step, up, bond, cubic = _geometry(cell)
    height = float(up @ up) ** 0.5
    normal = up / height
    centre = (origin - cell.basis[0]) @ cell.vectors_nm
    along = float(centre @ normal)
    low = math.floor((along - reach_nm - height) / height)
    # whole periods of both parents below the particle: without faults the sites are those of the parent
    low -= low % 6
    high = math.ceil((along + reach_nm) / height)
    count = high - low + 1
    letters, faulted = _letters(count, faults, cubic, rng)
    # in-plane cells that cover the sphere's disc, whatever the offset of the layer
    flat = centre - along * normal
    span = math.ceil((reach_nm + 2.0 * float(np.linalg.norm(plane[0]))) / (_row_distance(plane))) + 1
    inverse = np.linalg.pinv(plane)
    middle = np.round(flat @ inverse)
    grid = np.stack(
        np.meshgrid(np.arange(-span, span + 1) + middle[0], np.arange(-span, span + 1) + middle[1], indexing="ij"), -1
    ).reshape(-1, 2)
    sheet = grid @ plane
    sites = [(0, np.zeros(3))]
    if bond is not None:
        sites.append((int(len(cell.basis) // 2), bond))
    parts: list[FloatArray] = []
    kinds: list[IntArray] = []
    layers: list[IntArray] = []
    for k in range(count):
        base = sheet + float(letters[k]) * step + (low + k) * height * normal
        for kind, shift in sites:
            place = base + shift - centre
            near = (place**2).sum(axis=1) <= reach_nm**2
            parts.append(place[near])
            kinds.append(np.full(int(near.sum()), kind, dtype=np.int64))
            layers.append(np.full(int(near.sum()), k, dtype=np.int64))
    return np.concatenate(parts), np.concatenate(kinds), np.concatenate(layers), letters, faulted


def _row_distance(plane: FloatArray) -> float:
    """Smaller distance between the lattice rows of a plane, nm."""
    area = float(np.linalg.norm(np.cross(plane[0], plane[1])))
    return area / max(float(np.linalg.norm(plane[0])), float(np.linalg.norm(plane[1])))


def _letters(count: int, faults: Faults, cubic: bool, rng: np.random.Generator) -> tuple[IntArray, BoolArray]:
    if faults.sequence is not None:
        word = (faults.sequence * (count // len(faults.sequence) + 1))[:count]
        return np.array(["ABC".index(c) for c in word], dtype=np.int64), np.zeros(count, dtype=bool)
    return stacking_sequence(count, "cubic" if cubic else "hexagonal", faults.probability, faults.kind, rng)


def _geometry(cell: CrystalCell) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | None, bool]:
    """In-plane vectors (2, 3), in-plane step from A to B, vector between layers, bond along the normal, cubic."""
    two = cell.structure in ("wurtzite", "zincblende", "diamond")
    v: Any = cell.vectors_nm
    if cell.structure in ("wurtzite", "hcp"):
        step = (v[0] - v[1]) / 3.0
        bond = (cell.basis[2] - cell.basis[0]) @ v if two else None
        return v[:2].copy(), step, v[2] / 2.0, bond, False
    a = float(v[0, 0])
    plane = np.array([[a / 2, -a / 2, 0.0], [0.0, a / 2, -a / 2]])
    up = np.full(3, a / 3.0)
    step = np.array([a / 2, a / 2, 0.0]) - up
    return plane, step, up, np.full(3, a / 4.0) if two else None, True
