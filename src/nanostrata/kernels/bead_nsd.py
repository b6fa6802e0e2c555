"""Overlay of two sets of beads: look-ups in maps of the squared distance to the nearest bead, and a search over motions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nanostrata.kernels._jit import jit


@jit()
def _map_value(table: Any, origin: float, voxel: float, x: float, y: float, z: float) -> float:
    """Squared distance to the nearest bead by trilinear interpolation; outside, the way to the box is added."""
    n = table.shape[0]
    low, high = 0.0, n - 1.000001
    extra = 0.0
    u, v, w = (x - origin) / voxel, (y - origin) / voxel, (z - origin) / voxel
    for value in (u, v, w):
        if value < low:
            extra += (low - value) * voxel
        elif value > high:
            extra += (value - high) * voxel
    u, v, w = min(max(u, low), high), min(max(v, low), high), min(max(w, low), high)
    i, j, k = int(u), int(v), int(w)
    a, b, c = u - i, v - j, w - k
    inside = 0.0
    for p in range(2):
        fa = a if p else 1.0 - a
        for q in range(2):
            fb = b if q else 1.0 - b
            inside += fa * fb * ((1.0 - c) * table[i + p, j + q, k] + c * table[i + p, j + q, k + 1])
    if extra > 0.0:
        away = math.sqrt(inside) + extra
        return away * away
    return inside


@jit()
def _rotation(turn: Any, out: Any) -> None:
    """Matrix of a rotation vector (axis times angle), by Rodrigues' formula."""
    x, y, z = turn[0], turn[1], turn[2]
    angle = math.sqrt(x * x + y * y + z * z)
    s = math.sin(angle) / angle if angle > 1e-12 else 1.0
    c = (1.0 - math.cos(angle)) / (angle * angle) if angle > 1e-12 else 0.5
    cos = math.cos(angle)
    out[0, 0], out[0, 1], out[0, 2] = cos + c * x * x, c * x * y - s * z, c * x * z + s * y
    out[1, 0], out[1, 1], out[1, 2] = c * x * y + s * z, cos + c * y * y, c * y * z - s * x
    out[2, 0], out[2, 1], out[2, 2] = c * x * z - s * y, c * y * z + s * x, cos + c * z * z


@jit()
def discrepancy(
    fixed: Any, fixed_map: Any, fixed_origin: float, moved: Any, moved_map: Any, moved_origin: float, voxel: float,
    start: Any, motion: Any, fixed_d2: float, moved_d2: float, work: Any,
) -> float:  # fmt: skip
    """Squared discrepancy with the moved beads at ``R start p + t``; ``motion`` is the rotation vector of R, then t."""
    _rotation(motion, work)
    total = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                total[i, j] += work[i, k] * start[k, j]
    tx, ty, tz = motion[3], motion[4], motion[5]
    one = 0.0
    for p in range(moved.shape[0]):
        a, b, c = moved[p, 0], moved[p, 1], moved[p, 2]
        x = total[0, 0] * a + total[0, 1] * b + total[0, 2] * c + tx
        y = total[1, 0] * a + total[1, 1] * b + total[1, 2] * c + ty
        z = total[2, 0] * a + total[2, 1] * b + total[2, 2] * c + tz
        one += _map_value(fixed_map, fixed_origin, voxel, x, y, z)
    two = 0.0
    for p in range(fixed.shape[0]):
        a, b, c = fixed[p, 0] - tx, fixed[p, 1] - ty, fixed[p, 2] - tz
        x = total[0, 0] * a + total[1, 0] * b + total[2, 0] * c
        y = total[0, 1] * a + total[1, 1] * b + total[2, 1] * c
        z = total[0, 2] * a + total[1, 2] * b + total[2, 2] * c
        two += _map_value(moved_map, moved_origin, voxel, x, y, z)
    return float(0.5 * (one / (moved.shape[0] * fixed_d2) + two / (fixed.shape[0] * moved_d2)))


@jit()
def refine(
    fixed: Any, fixed_map: Any, fixed_origin: float, moved: Any, moved_map: Any, moved_origin: float, voxel: float,
    start: Any, fixed_d2: float, moved_d2: float, turn: float, shift: float, out: Any,
) -> float:  # fmt: skip
    r"""Search the motion that brings one set of beads onto another, from one orientation.

    .. math:: \rho^2 = \frac{1}{2}\Big[\frac{1}{N_1 d_2^2}\sum_i \min_j |s^1_i - s^2_j|^2
              + \frac{1}{N_2 d_1^2}\sum_j \min_i |s^2_j - s^1_i|^2\Big]

    Steps along each of the six directions are halved when none of them helps.

    Parameters
    ----------
    fixed, moved : (n, 3) beads around their means
    fixed_map, moved_map : (m, m, m) squared distance to the nearest bead; voxel (0, 0, 0) at ``origin`` on each axis
    voxel : edge, the same for both
    start : (3, 3) orthogonal matrix; a negative determinant is the mirror image
    fixed_d2, moved_d2 : mean squared distance to the nearest other bead of each set
    turn, shift : first steps, rad and nm
    out : (3, 4) filled with the matrix and the translation

    Returns
    -------
    float
        rho^2 by the maps (the exact one differs by the interpolation).
    """
    work = np.zeros((3, 3))
    motion, trial = np.zeros(6), np.zeros(6)
    now = 1e300
    a, b = turn, shift
    while a > 0.02 * turn:
        better = False
        for step in range(12):
            trial[:] = motion
            if now < 1e300:  # the first value is that of the start itself
                size = a if step < 6 else b
                trial[step // 2] += size if step % 2 else -size
            value = discrepancy(
                fixed, fixed_map, fixed_origin, moved, moved_map, moved_origin, voxel, start, trial, fixed_d2, moved_d2,
                work,
            )  # fmt: skip
            if value < now - 1e-9:
                now = value
                motion[:] = trial
                better = True
        if not better:
            a *= 0.5
            b *= 0.5
    _rotation(motion, work)
    for i in range(3):
        for j in range(3):
            out[i, j] = work[i, 0] * start[0, j] + work[i, 1] * start[1, j] + work[i, 2] * start[2, j]
        out[i, 3] = motion[3 + i]
    return float(now)
