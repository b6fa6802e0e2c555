"""Bodies that crystals are cut to: spheroids, polyhedra of lattice planes, and any body that can tell inside from outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import PhysicsError
from nanostrata.models.crystal_cells import CrystalCell, equivalent_planes
from nanostrata.models.lattice_cells import parse_direction

__all__ = ["Body", "InsideTest", "Polyhedron", "Spheroid", "polyhedron"]

_RAY_STEPS = 128
_BISECTIONS = 24


class Body(Protocol):
    """What a crystal is cut to. All methods take points in the particle's frame, nm, unique axis z, centre 0."""

    @property
    def reach_nm(self) -> float:
        """Radius of a sphere round 0 that holds the body."""
        ...

    @property
    def volume_nm3(self) -> float:
        """Volume."""
        ...

    def radius_fraction(self, points_nm: FloatArray) -> FloatArray:
        """0 in the centre, 1 on the surface, and proportional to the distance from the centre along any ray."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spheroid(Domain):
    """Ellipsoid with semi-axes (A, B, C), nm; C along z."""

    semi_axes_nm: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.semi_axes_nm) <= 0.0:
            raise PhysicsError(f"semi_axes_nm: must be > 0, got {self.semi_axes_nm}")

    @property
    def reach_nm(self) -> float:
        """Longest semi-axis."""
        return float(max(self.semi_axes_nm))

    @property
    def volume_nm3(self) -> float:
        """Volume."""
        a, b, c = self.semi_axes_nm
        return 4.0 / 3.0 * math.pi * a * b * c

    def radius_fraction(self, points_nm: FloatArray) -> FloatArray:
        """See :class:`Body`."""
        return np.asarray(np.sqrt(((points_nm / np.array(self.semi_axes_nm)) ** 2).sum(axis=-1)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Polyhedron(Domain):
    """Convex body between planes.

    Attributes
    ----------
    normals : (n, 3) unit vectors outwards, in the particle's frame
    distances_nm : (n,) of the planes from the centre, > 0
    """

    normals: FloatArray
    distances_nm: FloatArray

    def __post_init__(self) -> None:
        freeze(self, "normals", frozen_array("normals", self.normals, ndim=2))
        n = len(self.normals)
        freeze(
            self, "distances_nm", frozen_array("distances_nm", self.distances_nm, positive=True, length=n)
        )  # fmt: skip
        if n < 4:
            raise PhysicsError(f"facets: {n} plane(s) close no body; at least four are needed")
        self.vertices_nm()

    def vertices_nm(self) -> FloatArray:
        """Corners of the body, nm.

        Raises
        ------
        PhysicsError
            When the planes leave the body open.
        """
        from scipy.spatial import HalfspaceIntersection, QhullError

        # of an open body Qhull gives corners at infinity; a pyramid round the origin that the normals cannot span is open
        message = "facets: the planes leave the body open in some direction; add planes on the other side"
        half = np.column_stack([self.normals, -self.distances_nm])
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                corners = np.asarray(HalfspaceIntersection(half, np.zeros(3)).intersections)
        except QhullError:
            raise PhysicsError(message) from None
        if not np.isfinite(corners).all() or np.abs(corners).max() > 1e4 * float(self.distances_nm.max()):
            raise PhysicsError(message)
        return corners

    @property
    def reach_nm(self) -> float:
        """Distance of the farthest corner."""
        return float(np.sqrt((self.vertices_nm() ** 2).sum(axis=1)).max())

    @property
    def volume_nm3(self) -> float:
        """Volume."""
        from scipy.spatial import ConvexHull

        return float(ConvexHull(self.vertices_nm()).volume)

    def radius_fraction(self, points_nm: FloatArray) -> FloatArray:
        """See :class:`Body`."""
        out = np.full(points_nm.shape[:-1], -np.inf)
        for normal, distance in zip(self.normals, self.distances_nm, strict=True):
            np.maximum(out, points_nm @ (normal / distance), out=out)
        return out

    def scaled_to(self, volume_nm3: float) -> Polyhedron:
        """Return the same shape with another volume."""
        factor = (volume_nm3 / self.volume_nm3) ** (1.0 / 3.0)
        return Polyhedron(normals=self.normals, distances_nm=self.distances_nm * factor)


def polyhedron(cell: CrystalCell, axis: str, facets: Mapping[str, float]) -> Polyhedron:
    """Body between lattice planes.

    Parameters
    ----------
    cell : whose planes are meant
    axis : direct-lattice direction that becomes z, see :func:`nanostrata.models.lattice_particle.build_particle`
    facets : planes -> distance from the centre, nm (or any unit, to be scaled)
        "{111}" or "111": all planes that the symmetry of the lattice makes equivalent; "(111)": this plane alone, so that
        polar faces may differ.

    Raises
    ------
    PhysicsError
        When planes cannot be read, or leave the body open.
    """
    from nanostrata.models.lattice_particle import particle_frame

    turn = particle_frame(cell.vectors_nm, axis)
    normals: list[FloatArray] = []
    distances: list[float] = []
    for text, distance in facets.items():
        word = text.strip()
        single = word.startswith("(") and word.endswith(")")
        # read as a plane normal first: its message says what is wrong
        parse_direction(cell.vectors_nm, f"({word.strip('{}() ')})")
        index = _integers(word)
        planes = [index] if single else equivalent_planes(cell.vectors_nm, index)
        for plane in planes:
            normal = np.linalg.inv(cell.vectors_nm) @ np.array(plane, dtype=np.float64)
            normals.append(turn @ (normal / np.linalg.norm(normal)))
            distances.append(float(distance))
    return Polyhedron(normals=np.array(normals), distances_nm=np.array(distances))


def _integers(text: str) -> tuple[int, int, int]:
    import re

    inner = text.strip("{}()[] ")
    numbers = re.findall(r"-?\d+" if re.search(r"[\s,]", inner) else r"-?\d", inner)
    h, k, l = (int(n) for n in numbers)
    return h, k, l


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InsideTest(Domain):
    """Any body that can tell for points whether they lie inside, for example an occupancy map above its cut-off.

    The surface along a ray from the centre is its outermost crossing; points that are not inside count as outside even
    below it. Steps along a ray are ``reach_nm`` / 128: thinner walls may be missed.

    Attributes
    ----------
    inside : (n, 3) points, nm -> (n,) bool
    reach_nm : radius of a sphere round 0 that holds the body
    volume_nm3 : its volume
    """

    inside: Callable[[FloatArray], np.ndarray]
    reach_nm: float
    volume_nm3: float

    def __post_init__(self) -> None:
        if not (self.reach_nm > 0.0 and self.volume_nm3 > 0.0):
            raise PhysicsError(
                f"body: reach and volume must be > 0, got {self.reach_nm:g} nm and {self.volume_nm3:g} nm^3"
            )

    def radius_fraction(self, points_nm: FloatArray) -> FloatArray:
        """See :class:`Body`."""
        shape = points_nm.shape[:-1]
        points = points_nm.reshape(-1, 3)
        r = np.sqrt((points**2).sum(axis=1))
        unit = points / np.maximum(r, 1e-12)[:, None]
        unit[r < 1e-12] = (0.0, 0.0, 1.0)
        steps = (np.arange(_RAY_STEPS) + 1) * self.reach_nm / _RAY_STEPS
        low = np.zeros(len(points))
        for t in steps:
            low = np.where(self.inside(unit * t), t, low)
        high = low + self.reach_nm / _RAY_STEPS
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            within = self.inside(unit * middle[:, None])
            low, high = np.where(within, middle, low), np.where(within, high, middle)
        fraction = np.divide(r, low, out=np.full(len(r), np.inf), where=low > 1e-9)
        hollow = (fraction < 1.0) & ~self.inside(points)
        return np.asarray(np.where(hollow, np.inf, fraction).reshape(shape))
