"""How alike two bead models are, and how one is moved onto the other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.shape import BeadModel

_REFINED = 6
_VOXELS_PER_BEAD = 3.0


def fineness(positions_nm: FloatArray) -> float:
    """Root mean square distance of a bead to the nearest other one, nm."""
    from scipy.spatial import cKDTree

    near = cKDTree(positions_nm).query(positions_nm, k=2)[0][:, 1]
    return float(np.sqrt((near**2).mean()))


def nsd(first: FloatArray, second: FloatArray) -> float:
    r"""Normalised spatial discrepancy of two sets of beads as they lie.

    .. math:: \rho^2 = \frac{1}{2}\Big[\frac{1}{N_1 d_2^2}\sum_i \min_j |s^1_i - s^2_j|^2
              + \frac{1}{N_2 d_1^2}\sum_j \min_i |s^2_j - s^1_i|^2\Big]

    d is the rms distance to the nearest other bead of the same set. 0: identical; above 1: systematically different.

    Parameters
    ----------
    first, second : (n, 3) nm

    References
    ----------
    Kozin & Svergun, J. Appl. Cryst. 34, 33 (2001).
    """
    from scipy.spatial import cKDTree

    one = (cKDTree(second).query(first)[0] ** 2).mean() / fineness(second) ** 2
    two = (cKDTree(first).query(second)[0] ** 2).mean() / fineness(first) ** 2
    return float(np.sqrt(0.5 * (one + two)))


@dataclass(frozen=True, slots=True)
class Overlay:
    """A motion ``p -> matrix p + shift`` and the discrepancy that it leaves."""

    matrix: FloatArray
    shift_nm: FloatArray
    nsd: float

    def moved(self, model: BeadModel) -> BeadModel:
        """Return the model after the motion; its curve stays what it was."""
        return replace(model, positions_nm=model.positions_nm @ self.matrix.T + self.shift_nm)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A model on its principal axes with a map of the squared distance to its nearest bead."""

    points: FloatArray
    axes: FloatArray
    centre: FloatArray
    table: FloatArray
    origin: float
    voxel: float
    square: float


def map_model(positions_nm: FloatArray, voxel_nm: float) -> Mapped:
    """Turn beads onto their principal axes (longest first) and tabulate the distance to the nearest one."""
    from scipy.spatial import cKDTree

    centre = positions_nm.mean(axis=0)
    centred = positions_nm - centre
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    if np.linalg.det(axes) < 0:
        axes = axes * np.array([1.0, 1.0, -1.0])
    points = np.ascontiguousarray(centred @ axes)
    reach = float(np.sqrt((points**2).sum(axis=1).max())) + 3.0 * voxel_nm
    half = int(np.ceil(reach / voxel_nm))
    axis = np.arange(-half, half + 1) * voxel_nm
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    distance = cKDTree(points).query(grid.reshape(-1, 3))[0]
    table = np.ascontiguousarray((distance**2).reshape(grid.shape[:3]))
    return Mapped(points, axes, centre, table, float(axis[0]), voxel_nm, fineness(points) ** 2)


def orientations(mirrored: bool) -> FloatArray:
    """The 24 rotations that turn a cube onto itself, and their mirror images when those are asked for, (n, 3, 3)."""
    out = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[np.arange(3), order] = signs
            if mirrored or np.linalg.det(matrix) > 0:
                out.append(matrix)
    return np.array(out)


def align(fixed: Mapped, moved: Mapped, *, mirrored: bool = True) -> Overlay:
    """Bring one mapped model onto another: principal axes in every order and sense, the best few refined.

    Parameters
    ----------
    fixed, moved : from :func:`map_model` with the same voxel
    mirrored : also try mirror images, which scatter alike

    Returns
    -------
    Overlay
        For positions as they were before mapping; its discrepancy is the exact one.
    """
    from nanostrata.kernels.bead_nsd import discrepancy, refine

    pair = (fixed.points, fixed.table, fixed.origin, moved.points, moved.table, moved.origin, fixed.voxel)
    square = (fixed.square, moved.square)
    starts, still, work = orientations(mirrored), np.zeros(6), np.zeros((3, 3))
    first = [discrepancy(*pair, start, still, *square, work) for start in starts]
    out, trial, best = np.zeros((3, 4)), np.zeros((3, 4)), np.inf
    for k in np.argsort(first, kind="stable")[:_REFINED]:
        value = refine(*pair, starts[k], *square, 0.25, 0.5 * float(np.sqrt(fixed.square)), trial)
        if value < best:
            best = value
            out[:] = trial
    inner = moved.points @ out[:, :3].T + out[:, 3]
    matrix = fixed.axes @ out[:, :3] @ moved.axes.T
    shift = fixed.axes @ out[:, 3] + fixed.centre - matrix @ moved.centre
    return Overlay(matrix, shift, nsd(fixed.points, inner))


def align_models(fixed: BeadModel, moved: BeadModel, *, mirrored: bool = True) -> Overlay:
    """Bring one model onto another; see :func:`align`."""
    voxel = min(fixed.bead_nm, moved.bead_nm) / _VOXELS_PER_BEAD
    return align(map_model(fixed.positions_nm, voxel), map_model(moved.positions_nm, voxel), mirrored=mirrored)
