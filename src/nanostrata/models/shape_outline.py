"""What a microscope would see of a shape: the outlines of its projections, and their diameters as TEM readings give them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.shape import EnsembleDiameters, OccupancyMap
from nanostrata.errors import PhysicsError

_DIRECTIONS = 3000
_VIEWS = 400
_GRID = 240
_REACH = 4.0
"""Standard deviations of the sizes beyond the smallest and the largest diameter to which the densities are drawn."""


def even_directions(count: int) -> FloatArray:
    """Directions spread evenly over the sphere, on a spiral of golden angles, (count, 3)."""
    z = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    flat = np.sqrt(1.0 - z * z)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1)


def surface_points(occupancy: OccupancyMap, count: int = _DIRECTIONS) -> FloatArray:
    """Points on the surface at the cut-off: the outermost ones along rays from the centre of what lies within, nm.

    Parameters
    ----------
    occupancy : OccupancyMap
    count : rays, spread evenly

    Returns
    -------
    (count, 3) around that centre

    Raises
    ------
    PhysicsError
        When no voxel reaches the cut-off.
    """
    from scipy.ndimage import map_coordinates

    axis, values, cutoff = occupancy.axis_nm, occupancy.occupancy, occupancy.cutoff
    inside = np.argwhere(values >= cutoff)
    if not len(inside):
        raise PhysicsError(f"cutoff: no voxel of the map reaches {cutoff:g}")
    centre = axis[0] + inside.mean(axis=0) * occupancy.voxel_nm
    u = even_directions(count)
    step = 0.25 * occupancy.voxel_nm
    reach = float(np.sqrt(((axis[0] + inside * occupancy.voxel_nm - centre) ** 2).sum(axis=1).max()))
    t = np.asarray(np.arange(0.0, reach + 2.0 * occupancy.voxel_nm, step))
    place = (centre[:, None, None] + u.T[:, :, None] * t) / occupancy.voxel_nm + len(axis) // 2
    line = map_coordinates(values, place, order=1, mode="constant")
    last = line.shape[1] - 1 - (line >= cutoff)[:, ::-1].argmax(axis=1)
    rows = np.arange(count)
    high, low = line[rows, last], line[rows, np.minimum(last + 1, line.shape[1] - 1)]
    share = np.where(high > low, (high - cutoff) / np.where(high > low, high - low, 1.0), 0.0)
    return np.asarray(u * (t[last] + share * step)[:, None])


def outline_axes(points_nm: FloatArray, views: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Major and minor axis of the ellipse with the second moments of a body's outline, for each direction of view.

    The outline is the convex one: a dent in the silhouette is not seen.

    Parameters
    ----------
    points_nm : (n, 3) of the surface
    views : (m, 3) unit vectors

    Returns
    -------
    major, minor : (m,) full lengths, nm
    """
    from scipy.spatial import ConvexHull

    major, minor = np.empty(len(views)), np.empty(len(views))
    for k, view in enumerate(views):
        start = np.eye(3)[np.argmin(np.abs(view))]
        first = np.cross(view, start)
        first /= np.sqrt(first @ first)
        flat = points_nm @ np.stack([first, np.cross(view, first)], axis=1)
        corner = flat[ConvexHull(flat).vertices]  # anticlockwise
        nxt = np.roll(corner, -1, axis=0)
        cross = corner[:, 0] * nxt[:, 1] - nxt[:, 0] * corner[:, 1]
        area = 0.5 * cross.sum()
        centre = (cross[:, None] * (corner + nxt)).sum(axis=0) / (6.0 * area)
        second = np.einsum("i,ij,ik->jk", cross, corner, corner) + np.einsum("i,ij,ik->jk", cross, nxt, nxt)
        mixed = np.einsum("i,ij,ik->jk", cross, corner, nxt)
        moment = (2.0 * second + mixed + mixed.T) / (24.0 * area) - np.outer(centre, centre)
        low, high = np.linalg.eigvalsh(moment)
        major[k], minor[k] = 4.0 * np.sqrt(high), 4.0 * np.sqrt(low)
    return major, minor


def reading_diameter(major: FloatArray, minor: FloatArray, shape: Literal["sphere", "prolate", "oblate"]) -> FloatArray:
    """Diameter of the ball of the same volume, as a TEM reading of an outline is turned into one.

    prolate (M m^2)^(1/3), oblate (M^2 m)^(1/3), sphere sqrt(M m).
    """
    if shape == "prolate":
        return np.asarray(np.cbrt(major * minor**2))
    if shape == "oblate":
        return np.asarray(np.cbrt(major**2 * minor))
    return np.asarray(np.sqrt(major * minor))


def lying_views(points_nm: FloatArray, count: int) -> FloatArray:
    """Directions from which a particle that lies on a flat support is seen.

    A long particle lies on its side and may be turned about its longest axis; a flat one is seen along its shortest.

    Parameters
    ----------
    points_nm : (n, 3) of the surface, around its centre
    count : how many
    """
    lengths, axes = np.linalg.eigh(points_nm.T @ points_nm)
    short, middle, long = np.sqrt(lengths)
    if long * short >= middle * middle:
        angle = np.pi * (np.arange(count) + 0.5) / count
        return np.asarray(np.outer(np.cos(angle), axes[:, 0]) + np.outer(np.sin(angle), axes[:, 1]))
    return np.asarray(np.repeat(axes[:, :1].T, count, axis=0))


def ensemble_density(
    grid_nm: FloatArray, lengths_nm: FloatArray, spread: float, spread_shape: str = "gaussian"
) -> FloatArray:
    r"""Density of :math:`\lambda d` for the lengths d of one particle and sizes :math:`\lambda` of mean 1, 1/nm.

    .. math:: g(x) = \frac1n\sum_i \frac1{d_i} f_\lambda(x/d_i)

    Parameters
    ----------
    grid_nm : (g,) where
    lengths_nm : (n,) equally frequent
    spread, spread_shape : standard deviation of the sizes, > 0, and their distribution, "gaussian" or "lognormal"
    """
    ratio = grid_nm[:, None] / lengths_nm
    if spread_shape == "lognormal":
        u = np.sqrt(np.log1p(spread * spread))
        z = np.log(ratio) / u + 0.5 * u
        density = np.exp(-0.5 * z * z) / (np.sqrt(2.0 * np.pi) * u * ratio)
    else:
        density = np.exp(-0.5 * ((ratio - 1.0) / spread) ** 2) / (np.sqrt(2.0 * np.pi) * spread)
    return np.asarray((density / lengths_nm).mean(axis=1))


def ensemble_diameters(
    occupancy: OccupancyMap, cuts_nm: FloatArray, spread: float, spread_shape: str,
    rule: Literal["sphere", "prolate", "oblate"],
) -> EnsembleDiameters:  # fmt: skip
    """Diameters that lines and outlines find in an ensemble of particles of this shape.

    Parameters
    ----------
    occupancy : of the particle of mean size; its surface is that at the cut-off
    cuts_nm : (n,) lengths of lines through it
    spread, spread_shape : relative standard deviation of the sizes, > 0, and their distribution
    rule : how an outline's axes become a diameter
    """
    points = surface_points(occupancy)
    random = outline_axes(points, even_directions(_VIEWS))
    lying = outline_axes(points, lying_views(points, _VIEWS // 10))
    lengths = (cuts_nm, reading_diameter(*random, rule), reading_diameter(*lying, rule))
    low, high = min(x.min() for x in lengths), max(x.max() for x in lengths)
    grid = np.linspace(max(low * (1.0 - _REACH * spread), 0.02 * low), high * (1.0 + _REACH * spread), _GRID)
    curves = [ensemble_density(grid, x, spread, spread_shape) for x in lengths]
    # of a product of independent factors, one of mean 1
    mean = [float(x.mean()) for x in lengths]
    std = [float(np.sqrt(x.var() * (1.0 + spread**2) + (spread * x.mean()) ** 2)) for x in lengths]
    return EnsembleDiameters(
        grid_nm=grid, line_cuts=curves[0], outlines_random=curves[1], outlines_lying=curves[2],
        line_cuts_mean_nm=mean[0], line_cuts_std_nm=std[0], random_mean_nm=mean[1], random_std_nm=std[1],
        random_ratio=float((random[0] / random[1]).mean()), lying_mean_nm=mean[2], lying_std_nm=std[2],
        lying_ratio=float((lying[0] / lying[1]).mean()), rule=rule,
    )  # fmt: skip
