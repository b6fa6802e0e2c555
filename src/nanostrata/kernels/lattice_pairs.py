"""Differences between all sites of a lattice at once: correlation of occupancies by fast Fourier transforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit, numba_available
from nanostrata.kernels.debye import Engine, channel_pairs

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

LATTICE_MOMENTS = 8
"""Powers of the distance from the middle of a bin that :func:`lattice_moments` adds."""

LATTICE_BIN_TIMES_Q = 1.0
"""Default bin width times largest q: a pair is then right to better than 2e-9 / (q r)."""

_SAME_NM = 1e-7
_SURELY_WHOLE = 0.2
_compiled: dict[str, Any] = {}


@dataclass(frozen=True)
class LatticeSites:
    """Points on a lattice with a basis.

    Attributes
    ----------
    cell_nm : (3, 3) rows are the vectors of the lattice, nm
    offsets_nm : (n_o, 3) positions of the basis sites
    index : (m, 3) cell of each point, >= 0
    offset : (m,) basis site of each point
    deviation_nm : largest distance of a point from its site
    """

    cell_nm: FloatArray
    offsets_nm: FloatArray
    index: IntArray
    offset: IntArray
    deviation_nm: float


def transform_shape(sites: LatticeSites) -> tuple[int, int, int]:
    """Box in which the differences of all cells fit without wrapping round."""
    from scipy.fft import next_fast_len

    spans = sites.index.max(axis=0) + 1
    i, j, k = (int(next_fast_len(int(2 * n - 1), real=True)) for n in spans)
    return i, j, k


def transforms(sites: LatticeSites, kinds: IntArray, n_kinds: int) -> tuple[int, int]:
    """Number of forward and of inverse transforms that :func:`lattice_moments` will make."""
    layers = _layers(sites, kinds, n_kinds)
    return len(layers), sum(len(_groups(sites, layers, a, b)) for a, b in channel_pairs(n_kinds))


def lattice_moments(
    sites: LatticeSites, kinds: IntArray, n_kinds: int, bin_nm: float, out: FloatArray, *, engine: Engine = "auto"
) -> None:
    r"""Add the moments of all pair distances, as :func:`nanostrata.kernels.debye.pair_moments` does for any points.

    How often two kinds of points a and b differ by n cells and by the vector from basis site s to t is the correlation

    .. math:: c(n) = \sum_m o_{as}(m)\, o_{bt}(m + n)

    of occupancies 0 or 1: a whole number, found exactly by rounding a Fourier transform. Pairs of basis sites with the same
    vector between them are added before the inverse transform.

    Parameters
    ----------
    sites : LatticeSites
    kinds : (m,) int
        Kind of each point; -1 leaves it out.
    n_kinds : int
    bin_nm : float
    out : (n_channels, n_bins, n_moments)
        Sums over unordered pairs are added here.
    engine : "auto", "numba" or "numpy"
    """
    shape = transform_shape(sites)
    layers = _layers(sites, kinds, n_kinds)
    compiled = engine == "numba" or (engine == "auto" and numba_available())
    add: Any = _differences_numpy
    if compiled:
        if "differences" not in _compiled:
            _compiled["differences"] = jit(fastmath={"contract"})(_differences)
        add = _compiled["differences"]
    groups = [
        (c, vector, members, a, b)
        for c, (a, b) in enumerate(channel_pairs(n_kinds))
        for vector, members in _groups(sites, layers, a, b)
    ]
    # single precision is half the work; what it leaves of whole numbers tells whether it was enough
    rest = groups
    for precision in (np.float32, np.float64):
        waves = _waves(sites, layers, shape, precision)
        missed = []
        for group in rest:
            c, vector, members, a, b = group
            found = _correlation(waves, members, a, b, shape)
            whole = np.rint(found)
            if precision is np.float32 and float(np.abs(found - whole).max()) > _SURELY_WHOLE:
                missed.append(group)
                continue
            # pairs of one kind come in both orders unless each vector was taken for its opposite too
            factor = 0.5 if a == b and np.abs(vector).max() < _SAME_NM else 1.0
            add(whole, sites.cell_nm, vector, factor, 1.0 / bin_nm, out[c])
        rest = missed
        if not rest:
            return


def _waves(
    sites: LatticeSites, layers: dict[tuple[int, int], IntArray], shape: tuple[int, int, int], precision: type
) -> dict[tuple[int, int], Any]:
    """Fourier transforms of the occupancies."""
    from scipy.fft import rfftn

    found = {}
    for layer, where in layers.items():
        occupied: Any = np.zeros(shape, dtype=precision)
        occupied[tuple(sites.index[where].T)] = 1.0
        found[layer] = rfftn(occupied)
    return found


def _correlation(
    waves: dict[tuple[int, int], Any], members: list[tuple[int, int]], a: int, b: int, shape: tuple[int, int, int]
) -> Any:
    from scipy.fft import irfftn

    total: Any = None
    for s, t in members:
        product = waves[a, s].conj()
        product *= waves[b, t]
        total = product if total is None else total + product
    return irfftn(total, s=shape, overwrite_x=True)


def _layers(sites: LatticeSites, kinds: IntArray, n_kinds: int) -> dict[tuple[int, int], IntArray]:
    """Points of each kind on each basis site."""
    found = {}
    for kind in range(n_kinds):
        for offset in range(len(sites.offsets_nm)):
            where = np.flatnonzero((kinds == kind) & (sites.offset == offset))
            if len(where):
                found[kind, offset] = where
    return found


def _groups(
    sites: LatticeSites, layers: dict[tuple[int, int], IntArray], a: int, b: int
) -> list[tuple[FloatArray, list[tuple[int, int]]]]:
    """Pairs of basis sites (s of kind a, t of kind b) by the vector between them."""
    groups: list[tuple[FloatArray, list[tuple[int, int]]]] = []
    for s in (o for kind, o in layers if kind == a):
        for t in (o for kind, o in layers if kind == b):
            if a == b and t < s:  # the pairs of (s, t) again
                continue
            vector = sites.offsets_nm[t] - sites.offsets_nm[s]
            for known, members in groups:
                if np.abs(known - vector).max() < _SAME_NM:
                    members.append((s, t))
                    break
                if a == b and np.abs(known + vector).max() < _SAME_NM:
                    members.append((t, s))
                    break
            else:
                groups.append((vector, [(s, t)]))
    return groups


def _differences(
    found: FloatArray, cell: FloatArray, vector: FloatArray, factor: float, inverse: float, out: FloatArray
) -> None:
    n1, n2, n3 = found.shape
    for i in range(n1):
        u = i if 2 * i <= n1 else i - n1
        for j in range(n2):
            v = j if 2 * j <= n2 else j - n2
            x0 = u * cell[0, 0] + v * cell[1, 0] + vector[0]
            y0 = u * cell[0, 1] + v * cell[1, 1] + vector[1]
            z0 = u * cell[0, 2] + v * cell[1, 2] + vector[2]
            for k in range(n3):
                many = found[i, j, k]
                if many < 0.5:
                    continue
                w = k if 2 * k <= n3 else k - n3
                x, y, z = x0 + w * cell[2, 0], y0 + w * cell[2, 1], z0 + w * cell[2, 2]
                t = np.sqrt(x * x + y * y + z * z) * inverse
                if t < 1e-9:  # a point and itself
                    continue
                n = int(t)
                d = t - (n + 0.5)
                value = factor * np.float64(many)
                h = out[n]
                for p in range(h.size):
                    h[p] += value
                    value *= d


def _differences_numpy(
    found: FloatArray, cell: FloatArray, vector: FloatArray, factor: float, inverse: float, out: FloatArray
) -> None:
    where = np.nonzero(found >= 0.5)
    steps = np.stack([np.where(2 * w <= n, w, w - n) for w, n in zip(where, found.shape, strict=True)], axis=1)
    t = np.sqrt(((steps @ cell + vector) ** 2).sum(axis=1)) * inverse
    value = factor * found[where].astype(np.float64)
    apart = t >= 1e-9
    t, value = t[apart], value[apart]
    n = t.astype(np.int64)
    d = t - (n + 0.5)
    for p in range(out.shape[1]):
        out[:, p] += np.bincount(n, value, minlength=len(out))
        value = value * d
