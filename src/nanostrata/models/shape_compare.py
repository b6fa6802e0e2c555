"""A bead model of another hand beside ours: its own figures, and how alike the two are once they lie on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.shape import BeadModel, ShapeAverage
from nanostrata.errors import PhysicsError
from nanostrata.models.shape_align import align, map_model
from nanostrata.models.shape_average import VOXELS_PER_BEAD, bead_density

MOST_BEADS = 30_000
_BLOCK = 1000
_SMOOTH = 1.0 / 3.0
"""Standard deviation, in beads, over which the pair distances of a lattice are smoothed: else they show its shells."""

_SAME_UNIT = 2.5
"""Largest ratio of two radii of gyration of one particle at which a unit of length is still recognised."""


def unit_that_fits(rg_in_file: float, rg_nm: float) -> str | None:
    """Tell the unit of length, "angstrom" or "nm", in which a radius of gyration is that of our particle.

    The two are a factor of ten apart and the particle is the same, so that only one can be meant: that in which the
    two agree to a factor of 2.5. None when neither does.

    Parameters
    ----------
    rg_in_file : in the unit of the file
    rg_nm : ours
    """
    found = [u for u, nm in (("angstrom", 0.1), ("nm", 1.0)) if 1 / _SAME_UNIT < rg_in_file * nm / rg_nm < _SAME_UNIT]
    return found[0] if found else None


def rg_of_points(positions: FloatArray) -> float:
    """Radius of gyration of equal points, in their unit."""
    return float(np.sqrt(((positions - positions.mean(axis=0)) ** 2).sum(axis=1).mean()))


def pair_distances_of_beads(
    positions_nm: FloatArray, bead_nm: float, points: int = 201
) -> tuple[FloatArray, FloatArray, float]:
    """Pair distances of a bead model, of area 1, and the largest distance between two centres.

    The distances between centres are counted in narrow bins and smoothed with a Gaussian of a third of a bead.

    Parameters
    ----------
    positions_nm : (n, 3)
    bead_nm : diameter of a bead
    points : of the curve

    Returns
    -------
    r (points,), nm; p (points,), 1/nm; largest distance, nm

    Raises
    ------
    PhysicsError
        For more than 30 000 beads, whose pairs would take minutes to count.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.spatial.distance import cdist

    n = len(positions_nm)
    if n > MOST_BEADS:
        raise PhysicsError(f"positions_nm: {n} beads; the pairs of at most {MOST_BEADS} are counted")
    blocks = [positions_nm[i : i + _BLOCK] for i in range(0, n, _BLOCK)]
    largest = max(float(cdist(a, b).max()) for i, a in enumerate(blocks) for b in blocks[i:])
    r = np.linspace(0.0, largest + 1.5 * bead_nm, points)
    step = float(r[1])
    edges = np.concatenate([[0.0], r + 0.5 * step])
    count = np.zeros(points)
    for i, a in enumerate(blocks):
        for j, b in enumerate(blocks[i:]):
            weight = 1.0 if j == 0 else 2.0  # a block with itself holds every pair twice already
            count += weight * np.histogram(cdist(a, b), bins=edges)[0]
    count[0] -= n  # no pair of a bead with itself
    p = gaussian_filter1d(count, _SMOOTH * bead_nm / step, mode="constant")
    return np.asarray(r), np.asarray(p / (p.sum() * step)), largest


@dataclass(frozen=True, slots=True, eq=False)
class BeadComparison:
    """How alike another model and ours are.

    Attributes
    ----------
    positions_nm : (n, 3) the other model, moved onto our average
    nsd : (n_kept,) its discrepancy to each of our kept runs, each at its own best overlay
    nsd_reference : to our reference run
    shared_volume : volume in common over volume of both together, ours at its cut-off
    density : (m, m, m) of the moved model on the grid of our map, 1 inside
    """

    positions_nm: FloatArray
    nsd: FloatArray
    nsd_reference: float
    shared_volume: float
    density: FloatArray


def compare_beads(average: ShapeAverage, positions_nm: FloatArray, bead_nm: float) -> BeadComparison:
    """Move a bead model onto our average by the aligner of our own runs, and measure how alike they are.

    Parameters
    ----------
    average : our runs; the model is moved onto the reference run
    positions_nm, bead_nm : the other model, nm

    Returns
    -------
    BeadComparison
    """
    models: Sequence[BeadModel] = average.models
    voxel = min(bead_nm, models[0].bead_nm) / VOXELS_PER_BEAD
    other = map_model(positions_nm, voxel)
    overlays = [align(map_model(m.positions_nm, voxel), other) for m in models]
    here = int(np.flatnonzero(average.kept == average.reference)[0])
    best = overlays[here]
    moved = positions_nm @ best.matrix.T + best.shift_nm
    density = bead_density(moved, bead_nm, average.map.axis_nm)
    theirs, ours = density >= 0.5, average.map.occupancy >= average.map.cutoff
    both = int((theirs | ours).sum())
    return BeadComparison(
        positions_nm=moved, nsd=np.array([o.nsd for o in overlays]), nsd_reference=best.nsd,
        shared_volume=float((theirs & ours).sum() / both) if both else 0.0, density=density,
    )  # fmt: skip
