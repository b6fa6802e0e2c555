"""Many bead models, one answer: who agrees, their overlay, the occupancy map, and how far the detail can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.domain.shape import BeadModel, OccupancyMap, ShapeAverage
from nanostrata.errors import PhysicsError
from nanostrata.models.shape_align import Mapped, align, map_model

VOXELS_PER_BEAD = 3.0
_BLUR = 0.45
"""Standard deviation of a bead's cloud in units of the bead: the lattice inside a particle is then smooth to 0.5 %."""

_OUTLIER = 2.0
"""Standard deviations above the mean from which a model counts as not one of the others."""

_FAMILY = 1.3
_SAME = 0.7
"""Models are of one family while their mean discrepancy is below so many times that of nearest neighbours, and always
below the second number: two lattices laid through the same body differ by 0.4 to 0.6."""


def bead_density(positions_nm: FloatArray, bead_nm: float, axis_nm: FloatArray) -> FloatArray:
    r"""Sum of Gaussian clouds on a cubic grid, 1 inside a filled lattice.

    .. math:: g(\mathbf r) = \frac{d^3/\sqrt 2}{(2\pi)^{3/2}\sigma^3}\sum_i e^{-|\mathbf r - \mathbf r_i|^2/2\sigma^2}, \quad \sigma = 0.45\,d

    Returns
    -------
    (n, n, n)
    """
    sigma = _BLUR * bead_nm
    one = np.exp(-0.5 * ((axis_nm[:, None] - positions_nm.T[:, None, :]) / sigma) ** 2)
    n, beads = len(axis_nm), len(positions_nm)
    plane = (one[1][:, None, :] * one[2][None, :, :]).reshape(n * n, beads)
    norm = bead_nm**3 / np.sqrt(2.0) / ((2.0 * np.pi) ** 1.5 * sigma**3)
    return np.asarray(norm * (one[0] @ plane.T).reshape(n, n, n))


def grid_axis(models: Sequence[BeadModel], voxel_nm: float) -> FloatArray:
    """Axis of a cubic grid around the origin that holds all models and two beads of margin."""
    reach = max(float(np.sqrt((m.positions_nm**2).sum(axis=1).max())) for m in models) + 2.0 * models[0].bead_nm
    half = int(np.ceil(reach / voxel_nm))
    return np.asarray(np.arange(-half, half + 1) * voxel_nm, dtype=np.float64)


def filled_voxels(model: BeadModel, axis_nm: FloatArray) -> FloatArray:
    """Which voxels a model fills, as 0 and 1: the densest ones, as many as its volume holds."""
    density = bead_density(model.positions_nm, model.bead_nm, axis_nm)
    wanted = round(model.volume_nm3 / float(axis_nm[1] - axis_nm[0]) ** 3)
    level = np.partition(density.ravel(), -wanted)[-wanted]
    return np.asarray((density >= level).astype(np.float64))


def discrepancies(
    models: Sequence[BeadModel], *, mirrored: bool = True, progress: Callable[[int, int], None] | None = None
) -> tuple[FloatArray, list[Mapped]]:
    """NSD of every pair after overlay, (n, n), and the mapped models."""
    voxel = min(m.bead_nm for m in models) / VOXELS_PER_BEAD
    mapped = [map_model(m.positions_nm, voxel) for m in models]
    out = np.zeros((len(models), len(models)))
    pairs = [(i, j) for i in range(len(models)) for j in range(i)]
    for done, (i, j) in enumerate(pairs, start=1):
        out[i, j] = out[j, i] = align(mapped[i], mapped[j], mirrored=mirrored).nsd
        if progress is not None and (done % len(models) == 0 or done == len(pairs)):
            progress(done, len(pairs))
    return out, mapped


def families(nsd: FloatArray) -> IntArray:
    """Families of models by average linkage, 0 the largest; all are one while no gap shows."""
    n = len(nsd)
    if n < 3:
        return np.zeros(n, dtype=np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    nearest = np.median(np.where(np.eye(n, dtype=bool), np.inf, nsd).min(axis=1))
    found = fcluster(linkage(squareform(nsd, checks=False), "average"), max(_FAMILY * nearest, _SAME), "distance")
    names, count = np.unique(found, return_counts=True)
    order = {name: rank for rank, name in enumerate(names[np.argsort(-count, kind="stable")])}
    return np.array([order[f] for f in found], dtype=np.int64)


def average_models(
    models: Sequence[BeadModel], *, mirrored: bool = True, cutoff: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> ShapeAverage:  # fmt: skip
    """Overlay models on the one nearest to all others, leave out those that are not like the others, and average.

    Parameters
    ----------
    models : at least 2 runs of the same curve
    mirrored : mirror images count as the same (they scatter alike)
    cutoff : occupancy at which a voxel counts as particle
    progress : told (pairs done, pairs in all)

    Returns
    -------
    ShapeAverage

    References
    ----------
    Volkov & Svergun, J. Appl. Cryst. 36, 860 (2003), for the selection by mean NSD.
    """
    if len(models) < 2:
        raise PhysicsError(f"models: {len(models)} given; an average needs at least 2 runs")
    nsd, mapped = discrepancies(models, mirrored=mirrored, progress=progress)
    n = len(models)
    mean = nsd.sum(axis=1) / (n - 1)
    limit = mean.mean() + _OUTLIER * mean.std(ddof=1 if n > 2 else 0)
    kept = np.flatnonzero(mean <= limit + 1e-12)
    reference = int(np.argmin(mean))
    moved = []
    for i in kept.tolist():
        if i == reference:
            centre = models[i].positions_nm.mean(axis=0)
            moved.append(replace(models[i], positions_nm=models[i].positions_nm - centre))
        else:
            over = align(mapped[reference], mapped[i], mirrored=mirrored).moved(models[i])
            moved.append(replace(over, positions_nm=over.positions_nm - mapped[reference].centre))
    # the reference on its principal axes: x the longest
    turn = mapped[reference].axes
    moved = [replace(m, positions_nm=m.positions_nm @ turn) for m in moved]
    voxel = models[0].bead_nm / VOXELS_PER_BEAD
    axis = grid_axis(moved, voxel)
    occupancy = np.mean([filled_voxels(m, axis) for m in moved], axis=0)
    fsc_q, fsc, resolution = shell_correlation(moved, axis)
    return ShapeAverage(
        models=tuple(moved), kept=kept, reference=reference, nsd=nsd, cluster=families(nsd[np.ix_(kept, kept)]),
        map=OccupancyMap(occupancy=occupancy, voxel_nm=voxel, cutoff=cutoff), resolution_nm=resolution,
        fsc_q_inv_nm=fsc_q, fsc=fsc,
    )  # fmt: skip


def shell_correlation(models: Sequence[BeadModel], axis_nm: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    r"""Mean Fourier shell correlation over all pairs of models, and the resolution where it falls to 0.5.

    .. math:: C_{ab}(q) = \frac{\mathrm{Re}\sum_{\mathbf q \in q} F_a F_b^*}{\sqrt{\sum |F_a|^2 \sum |F_b|^2}}, \qquad d = 2\pi/q_{0.5}

    Returns
    -------
    q (1/nm), mean correlation, resolution (nm): the bead's diameter where the correlation stays above 0.5
    """
    voxel = float(axis_nm[1] - axis_nm[0])
    size = 2 * len(axis_nm)
    frequency = 2.0 * np.pi * np.fft.fftfreq(size, voxel)
    half = 2.0 * np.pi * np.fft.rfftfreq(size, voxel)
    radius = np.sqrt(
        frequency[:, None, None] ** 2 + frequency[None, :, None] ** 2 + half[None, None, :] ** 2
    ).ravel()  # fmt: skip
    step = 2.0 * np.pi / (voxel * size)
    shell = np.round(radius / step).astype(np.int64)
    bead = models[0].bead_nm
    last = int(2.0 * np.pi / bead / step)  # finer detail than a bead is none
    order = np.argsort(shell, kind="stable")
    edges = np.searchsorted(shell[order], np.arange(1, last + 2))
    used = order[edges[0] : edges[-1]]
    spectra = np.stack(
        [
            np.fft.rfftn(bead_density(m.positions_nm, m.bead_nm, axis_nm), s=(size,) * 3, axes=(0, 1, 2)).ravel()[used]
            for m in models
        ]
    )
    edges = edges - edges[0]
    pair = np.triu_indices(len(models), 1)
    product = np.empty((last, len(models), len(models)))
    for k in range(last):
        part = spectra[:, edges[k] : edges[k + 1]]
        product[k] = (part @ part.conj().T).real
    # shells are taken together over one zone of the particle: in the minima of its own scattering, one shell holds nothing
    diameter = 2.0 * max(float(np.sqrt((m.positions_nm**2).sum(axis=1).max())) for m in models)
    half_width = max(1, round(np.pi / diameter / step))
    out = np.ones(last)
    for k in range(last):
        joined = product[max(0, k - half_width) : k + half_width + 1].sum(axis=0)
        norm = np.sqrt(np.diagonal(joined))
        out[k] = (joined / np.outer(norm, norm))[pair].mean()
    q = np.asarray(step * np.arange(1, last + 1), dtype=np.float64)
    below = np.flatnonzero(out < 0.5)
    if not below.size:
        return q, out, bead
    k = int(below[0])
    if k == 0:
        return q, out, float(2.0 * np.pi / q[0])
    cross = q[k - 1] + (out[k - 1] - 0.5) / (out[k - 1] - out[k]) * step
    return q, out, float(2.0 * np.pi / cross)
