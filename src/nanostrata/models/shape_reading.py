"""What is read from a shape: principal axes and aspect ratio, line cuts, size against cut-off."""

from __future__ import annotations

import numpy as np

from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.domain.shape import BeadModel, OccupancyMap
from nanostrata.errors import PhysicsError

CUTS = 10_000


def second_moments(model: BeadModel) -> FloatArray:
    """Second moments of a bead model along its principal axes, largest first, nm^2.

    Beads are points that sample an even body: averaged over where the lattice lies, their moments are the body's.
    """
    p = model.positions_nm - model.positions_nm.mean(axis=0)
    return np.asarray(np.linalg.eigvalsh(p.T @ p / len(p))[::-1])


def radius_of_gyration(model: BeadModel) -> float:
    """Radius of gyration of the body that a bead model samples, nm."""
    return float(np.sqrt(second_moments(model).sum()))


def aspect_ratio(moments: FloatArray) -> float:
    r"""Aspect ratio of the spheroid with these second moments: unique axis over the mean of the other two.

    Semi-axes are :math:`a_i = \sqrt{5 m_i}`; the unique one is the one farther from the middle one. Above 1 prolate,
    below 1 oblate.

    Parameters
    ----------
    moments : (3,) largest first, nm^2
    """
    a, b, c = np.sqrt(5.0 * np.asarray(moments))
    return float(a / np.sqrt(b * c)) if a * c >= b * b else float(c / np.sqrt(a * b))


def map_moments(occupancy: OccupancyMap, *, weighted: bool = False) -> FloatArray:
    """Second moments of an occupancy map along its principal axes, largest first, nm^2.

    Parameters
    ----------
    occupancy : OccupancyMap
    weighted : every voxel by its occupancy; otherwise those at and above the cut-off alike
    """
    weight = occupancy.occupancy if weighted else (occupancy.occupancy >= occupancy.cutoff).astype(np.float64)
    total = float(weight.sum())
    if total <= 0.0:
        raise PhysicsError(f"cutoff: no voxel of the map reaches {occupancy.cutoff:g}")
    axis = occupancy.axis_nm
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    w = weight.ravel() / total
    centred = grid - w @ grid
    moments = np.linalg.eigvalsh((centred * w[:, None]).T @ centred)[::-1]
    return np.asarray(moments + occupancy.voxel_nm**2 / 12.0)


def volume_diameter(volume_nm3: float) -> float:
    """Diameter of the ball of this volume, nm."""
    return float((6.0 * volume_nm3 / np.pi) ** (1.0 / 3.0))


def size_against_cutoff(occupancy: OccupancyMap, cutoffs: FloatArray) -> FloatArray:
    """Volume-equivalent diameter of what lies at and above each cut-off, nm; 0 where nothing does."""
    values = np.sort(occupancy.occupancy.ravel())
    # occupancies are shares of a whole number of models: a rounding error must not move a step
    count = len(values) - np.searchsorted(values, np.asarray(cutoffs) - 1e-9)
    return np.asarray([volume_diameter(float(c) * occupancy.voxel_nm**3) for c in count])


def calibrated_cutoff(occupancy: OccupancyMap, diameter_nm: float) -> float:
    """Cut-off at which a map has this volume-equivalent diameter; steps between models are interpolated."""
    cutoffs = np.linspace(0.01, 0.99, 197)
    size = size_against_cutoff(occupancy, cutoffs)
    return float(np.interp(-diameter_nm, -size, cutoffs))


def line_cuts(occupancy: OccupancyMap, rng: np.random.Generator, cuts: int = CUTS) -> tuple[FloatArray, FloatArray]:
    """Diameters along random directions through the centre of mass, at half of the largest occupancy on the line.

    Parameters
    ----------
    occupancy : OccupancyMap
    rng : for the directions, uniform on the sphere
    cuts : how many

    Returns
    -------
    diameters (cuts,) between the two outermost half-height points, nm; directions (cuts, 3)
    """
    from scipy.ndimage import map_coordinates

    u = rng.standard_normal((cuts, 3))
    u /= np.sqrt((u * u).sum(axis=1))[:, None]
    axis, values = occupancy.axis_nm, occupancy.occupancy
    total = values.sum()
    centre = np.array([(values.sum(axis=tuple({0, 1, 2} - {k})) @ axis) / total for k in range(3)])
    step = 0.25 * occupancy.voxel_nm
    reach = axis[-1] - float(np.abs(centre).max())
    t = np.asarray(np.arange(-int(reach / step), int(reach / step) + 1) * step, dtype=np.float64)
    out = np.empty(cuts)
    for first in range(0, cuts, 1000):
        part = u[first : first + 1000]
        place = (centre[:, None, None] + part.T[:, :, None] * t) / occupancy.voxel_nm + len(axis) // 2
        line = map_coordinates(values, place, order=1, mode="constant")
        line = line / line.max(axis=1)[:, None]
        over = line >= 0.5
        left, right = over.argmax(axis=1), line.shape[1] - 1 - over[:, ::-1].argmax(axis=1)
        rows = np.arange(len(part))
        out[first : first + 1000] = _crossing(line, t, rows, right, 1) - _crossing(line, t, rows, left, -1)
    return out, u


def _crossing(line: FloatArray, t: FloatArray, rows: IntArray, index: IntArray, sign: int) -> FloatArray:
    """Place between a point above half height and its outer neighbour below where the line is at half."""
    outer = np.clip(index + sign, 0, len(t) - 1)
    high, low = line[rows, index], line[rows, outer]
    share = np.where(high > low, (high - 0.5) / np.where(high > low, high - low, 1.0), 0.0)
    return np.asarray(t[index] + sign * share * (t[1] - t[0]))
