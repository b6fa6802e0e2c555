"""Find the lattice on which points sit, if they sit on one: also close-packed layers with stacking faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels.lattice_pairs import LatticeSites

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

MOST_OFFSETS = 12
"""A basis of more sites than this is no lattice worth counting on."""

_SAMPLE = 32
_NEIGHBOURS = 220
_LOOSE = 0.03
_SHARE = 0.6
_PLANES = 12
_ROUNDS = 3


def find_lattice(positions_nm: FloatArray, tolerance_nm: float) -> LatticeSites | None:
    """Lattice and basis of points, some sites of which may be empty.

    Vectors that lead from most points in the middle to another point are translations. Of the shortest of them three that
    span the smallest cell are taken, refined by least squares over all points, and kept if every point lies within the
    tolerance of a site. Where this fails, stacked layers are tried: two translations within a plane, and planes whose
    heights repeat with a period.

    Parameters
    ----------
    positions_nm : (m, 3)
    tolerance_nm : float
        Largest distance of a point from its site.

    Returns
    -------
    LatticeSites or None
        None when no lattice with at most :data:`MOST_OFFSETS` basis sites holds all points.
    """
    if len(positions_nm) < 50:
        return None
    for share in (_SHARE, 0.95):
        vectors = _translations(positions_nm, tolerance_nm, share)
        cell = _smallest_cell(vectors)
        if cell is not None:
            found = _on_cell(positions_nm, cell, tolerance_nm)
            if found is not None:
                return found
        for cell in _layer_cells(positions_nm, vectors):
            found = _on_cell(positions_nm, cell, tolerance_nm)
            if found is not None:
                return found
    return None


def _translations(positions: FloatArray, tolerance: float, share: float) -> FloatArray:
    """Vectors from most of the points in the middle to another point, shortest first."""
    from scipy.spatial import cKDTree

    tree = cKDTree(positions)
    middle = 0.5 * (positions.min(axis=0) + positions.max(axis=0))
    sample = tree.query(middle, k=min(_SAMPLE, len(positions)))[1]
    k = min(_NEIGHBOURS, len(positions))
    near = tree.query(positions[sample], k=k)[1]
    vectors = positions[near] - positions[sample][:, None, :]
    every = cKDTree(vectors.reshape(-1, 3))
    first = vectors[: max(3, len(sample) // 8)].reshape(-1, 3)
    hits = every.query_ball_point(first, r=2.0 * np.sqrt(3.0) * tolerance, return_length=True)
    good = first[hits >= share * len(sample)]
    length = np.sqrt((good**2).sum(axis=1))
    order = np.argsort(length, kind="stable")
    good = good[order[length[order] > 0.05]][:300]
    apart = np.abs(good[:, None, :] - good[None, :, :]).max(axis=2) > 10.0 * tolerance
    # the first of those that are the same vector
    return np.asarray(good[[i for i in range(len(good)) if apart[i, :i].all()]][:60])


def _smallest_cell(vectors: FloatArray) -> FloatArray | None:
    """Three of the shortest vectors that span the smallest volume."""
    few = vectors[:16]
    length = np.sqrt((few**2).sum(axis=1))
    best, smallest = None, np.inf
    crosses = np.cross(few[:, None, :], few[None, :, :]) if len(few) else few
    for i in range(len(few)):
        for j in range(i + 1, len(few) - 1):
            volume = np.abs(few[j + 1 :] @ crosses[i, j])
            volume[volume < 0.05 * length[i] * length[j] * length[j + 1 :]] = np.inf
            k = int(np.argmin(volume))
            if volume[k] < 0.999 * smallest:
                best, smallest = np.array([few[i], few[j], few[j + 1 + k]]), float(volume[k])
    return best


def _on_cell(positions: FloatArray, cell: FloatArray, tolerance: float) -> LatticeSites | None:
    """Assign every point to a cell and a basis site, and refine both until the points are met."""
    middle = 0.5 * (positions.min(axis=0) + positions.max(axis=0))
    origin = positions[np.argmin(((positions - middle) ** 2).sum(axis=1))]
    centred = positions - origin
    # far points tell wrongly which cell they are in until the cell is right: go outwards in steps
    radius = np.sqrt((centred**2).sum(axis=1))
    offsets = np.empty((0, 3))
    for reach in (0.35 * radius.max(), 0.65 * radius.max(), radius.max()):
        here = centred[radius <= reach]
        for _ in range(_ROUNDS):
            assigned = _assign(here @ np.linalg.inv(cell), offsets @ np.linalg.inv(cell))
            if assigned is None:
                return None
            index, number, n_offsets = assigned
            # least squares: position = index . cell + offset
            design = np.zeros((len(here), 3 + n_offsets))
            design[:, :3] = index
            design[np.arange(len(here)), 3 + number] = 1.0
            if np.linalg.matrix_rank(index - index.mean(axis=0)) < 3:
                return None
            solved = np.linalg.lstsq(design.T @ design, design.T @ here, rcond=None)[0]
            cell, offsets = solved[:3], solved[3:]
            off = np.sqrt(((design @ solved - here) ** 2).sum(axis=1)).max()
            if off <= tolerance:
                break
    if off > tolerance:
        return None
    low = index.min(axis=0)
    return LatticeSites(
        cell_nm=cell, offsets_nm=offsets, index=(index - low).astype(np.int64), offset=number, deviation_nm=float(off)
    )


def _assign(fraction: FloatArray, offsets: FloatArray) -> tuple[FloatArray, IntArray, int] | None:
    """Cell and basis site of points in units of the cell; basis sites that are missing are added."""
    number = np.full(len(fraction), -1, dtype=np.int64)
    index = np.zeros_like(fraction)
    known = list(offsets)
    k = 0
    while True:
        rest = np.flatnonzero(number < 0)
        if not len(rest):
            return index, number, len(known)
        if k == len(known):
            if len(known) >= MOST_OFFSETS:
                return None
            known.append(fraction[rest[0]] - np.floor(fraction[rest[0]] + _LOOSE))
        away = fraction[rest] - known[k]
        cells = np.round(away)
        near = np.abs(away - cells).max(axis=1) < _LOOSE
        number[rest[near]] = k
        index[rest[near]] = cells[near]
        k += 1


def _layer_cells(positions: FloatArray, vectors: FloatArray) -> Iterator[FloatArray]:
    """Cells of stacked layers: two translations within a plane, a third one from the heights of the planes."""
    tried: list[FloatArray] = []
    for i in range(min(len(vectors), 8)):
        for j in range(i + 1, min(len(vectors), 8)):
            normal = np.cross(vectors[i], vectors[j])
            area = float(np.sqrt(normal @ normal))
            if area < 0.3 * float(np.sqrt((vectors[i] @ vectors[i]) * (vectors[j] @ vectors[j]))):
                continue
            normal /= area
            if any(abs(normal @ u) > 0.999 for u in tried):
                continue
            tried.append(normal)
            if len(tried) > _PLANES:
                return
            spacing = _period(positions @ normal)
            if spacing is not None:
                yield from _finer(positions, vectors[i], vectors[j], spacing * normal)


def _period(heights: FloatArray) -> float | None:
    """Smallest distance with which the heights of planes repeat, for at most four planes in a period."""
    level = np.sort(heights)
    starts = np.flatnonzero(np.diff(level, prepend=-np.inf) > 0.01)
    planes = np.array([part.mean() for part in np.split(level, starts[1:])])
    if not 6 <= len(planes) <= len(heights) // 8:
        return None
    for step in range(1, 5):
        gaps = planes[step:] - planes[:-step]
        if np.ptp(gaps) < 0.02 * gaps.mean():
            # over the whole stack, for the best value
            whole = (len(planes) - 1) // step
            return float((planes[whole * step] - planes[0]) / whole)
    return None


def _finer(positions: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray) -> Iterator[FloatArray]:
    """Cells of the layers: with the three places A, B, C of close packing as one basis site, then with as many as there are."""
    if abs(abs(a @ b) / np.sqrt((a @ a) * (b @ b)) - 0.5) < 0.01 and abs((a @ a) / (b @ b) - 1.0) < 0.01:
        second = b if a @ b < 0 else b - a
        third = (a + 2.0 * second) / 3.0
        yield np.array([third, second, c])
    yield np.array([a, b, c])
