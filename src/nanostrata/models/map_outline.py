"""The outline of an occupancy map as a body that crystals are cut to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import BoolArray, Domain, FloatArray, freeze, frozen_array
from nanostrata.domain.shape import OccupancyMap
from nanostrata.errors import PhysicsError
from nanostrata.models.crystal_body import InsideTest
from nanostrata.models.shape_reading import aspect_ratio, map_moments

__all__ = ["MapOutline", "outline_of"]

_FINE = 3
"""Points per voxel edge at which the volume is counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapOutline(Domain):
    """Surface of an occupancy map, turned so that its unique axis is z, for particles of any size.

    Attributes
    ----------
    occupancy : (n, n, n) on a cubic grid, axes x, y, z of the map
    voxel_nm : edge of a voxel
    cutoff : occupancy at the surface
    turn : (3, 3) rows are the particle's axes in the map's frame
    centre_nm : (3,) centre of mass of what lies inside, in the map's frame
    volume_nm3 : volume inside
    aspect_ratio : of the spheroid with the same second moments
    """

    occupancy: FloatArray
    voxel_nm: float
    cutoff: float
    turn: FloatArray
    centre_nm: FloatArray
    volume_nm3: float
    aspect_ratio: float

    def __post_init__(self) -> None:
        freeze(self, "occupancy", frozen_array("occupancy", self.occupancy, ndim=3, nonnegative=True))
        freeze(self, "turn", frozen_array("turn", self.turn, ndim=2))
        freeze(self, "centre_nm", frozen_array("centre_nm", self.centre_nm, length=3))

    def body(self, volume_nm3: float) -> InsideTest:
        """Return the outline scaled to a volume."""
        scale = (volume_nm3 / self.volume_nm3) ** (1.0 / 3.0)
        reach = 0.5 * np.sqrt(3.0) * len(self.occupancy) * self.voxel_nm

        def inside(points_nm: FloatArray) -> BoolArray:
            return self.holds(points_nm / scale)

        return InsideTest(inside=inside, reach_nm=float(min(self._reach(), reach)) * scale, volume_nm3=volume_nm3)

    def holds(self, points_nm: FloatArray) -> BoolArray:
        """Whether points (n, 3), in the particle's frame and the map's own size, lie inside."""
        from scipy.ndimage import map_coordinates

        at = (points_nm @ self.turn + self.centre_nm) / self.voxel_nm + len(self.occupancy) // 2
        return np.asarray(map_coordinates(self.occupancy, at.T, order=1, mode="constant") >= self.cutoff)

    def _reach(self) -> float:
        """Distance of the farthest voxel that has a part inside, and one voxel more."""
        n = len(self.occupancy)
        axis = (np.arange(n) - n // 2) * self.voxel_nm
        filled = np.argwhere(self.occupancy >= self.cutoff)
        return float(np.sqrt(((axis[filled] - self.centre_nm) ** 2).sum(axis=1)).max()) + 2.0 * self.voxel_nm


def outline_of(occupancy: OccupancyMap) -> MapOutline:
    """Outline of a map at its cut-off.

    The unique axis (the one whose length differs most from the others') becomes z. The map is read between voxels by linear
    interpolation, and the volume counted on a grid three times as fine.

    Raises
    ------
    PhysicsError
        When no voxel reaches the cut-off.
    """
    moments = map_moments(occupancy)
    axis = occupancy.axis_nm
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    points = grid[occupancy.occupancy >= occupancy.cutoff]
    centre = points.mean(axis=0)
    _, vectors = np.linalg.eigh((points - centre).T @ (points - centre))
    order = vectors.T[::-1]  # longest first
    unique = 0 if moments[0] * moments[2] >= moments[1] ** 2 else 2
    z = order[unique]
    x = order[2 - unique]
    turn = np.stack([x, np.cross(z, x), z])
    found = MapOutline(
        occupancy=occupancy.occupancy, voxel_nm=occupancy.voxel_nm, cutoff=occupancy.cutoff, turn=turn, centre_nm=centre,
        volume_nm3=1.0, aspect_ratio=aspect_ratio(moments),
    )  # fmt: skip
    steps = (np.arange(_FINE * (len(axis) + 2)) + 0.5) * occupancy.voxel_nm / _FINE
    steps -= steps.mean()
    count = 0
    for height in steps:  # slices: a fine grid of a large map would not fit into memory
        plane = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        count += int(found.holds(np.column_stack([plane, np.full(len(plane), height)])).sum())
    if count == 0:
        raise PhysicsError(f"cutoff: no point of the map reaches {occupancy.cutoff:g}")
    return MapOutline(
        occupancy=occupancy.occupancy, voxel_nm=occupancy.voxel_nm, cutoff=occupancy.cutoff, turn=turn, centre_nm=centre,
        volume_nm3=count * (occupancy.voxel_nm / _FINE) ** 3, aspect_ratio=found.aspect_ratio,
    )  # fmt: skip
