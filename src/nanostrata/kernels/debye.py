r"""Orientation-averaged scattering of points: pair sums by species through moments of pair distances in coarse bins.

A bin keeps, for every pair of species, the sums of the first few powers of the distance from its middle. From them the sum
of any smooth function over all pairs follows by interpolation in the bin at as many Chebyshev points, so that bins may be
wide. The error per pair is bounded, see :func:`interpolation_error`.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit, numba_available

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Engine: TypeAlias = Literal["auto", "numba", "numpy"]

PAIR_MOMENTS = 4
"""Powers 0 .. 3 of the distance from the middle of the bin: four numbers are added at once."""

PAIR_BIN_TIMES_Q = 0.125
"""Default bin width times largest q: a pair is then right to better than 2e-7 / (q r)."""

_NUMPY_PAIRS = 1 << 18
_TABLE_ENTRIES = 1 << 19
_compiled: dict[str, Any] = {}


def n_channels(n_species: int, n_weights: int) -> int:
    """Number of independent pair sums of ``n_species`` kinds of points that also carry ``n_weights`` weights each."""
    n = n_species + n_weights
    return n * (n + 1) // 2


def channel_pairs(n: int) -> list[tuple[int, int]]:
    """Pairs a <= b of the channels, in their order."""
    return [(a, b) for a in range(n) for b in range(a, n)]


def reach_nm(positions_nm: FloatArray) -> float:
    """Upper bound of the distances between points: twice the largest one from the middle."""
    if not len(positions_nm):
        return 0.0
    middle = 0.5 * (positions_nm.min(axis=0) + positions_nm.max(axis=0))
    return 2.0 * float(np.sqrt(((positions_nm - middle) ** 2).sum(axis=1).max()))


def bins_for(positions_nm: FloatArray, bin_nm: float) -> int:
    """Bins that hold every pair distance."""
    return int(reach_nm(positions_nm) / bin_nm) + 2


def pair_moments(
    positions_nm: FloatArray,
    species: IntArray,
    weights: FloatArray,
    n_species: int,
    bin_nm: float,
    out: FloatArray,
    count: FloatArray,
    *,
    engine: Engine = "auto",
) -> None:
    r"""Add the moments of the pair distances of one body, split by species.

    .. math:: m_{ab}[n, k] \mathrel{+}= \sum_{i<j} w_{ia} w_{jb}\, \delta_{ij}^k, \qquad
              \delta = \frac{d_{ij}}{\Delta} - n - \tfrac12

    Points are taken species by species, so that the inner loop writes to one table that fits the fastest cache.

    Parameters
    ----------
    positions_nm : (m, 3)
        Points, nm.
    species : (m,) int
        Kind of each point, 0 .. n_species - 1; -1 for a point that carries weights only (a vacancy).
    weights : (m, k)
        Further amplitudes that every point carries (displaced medium); k may be 0.
    n_species : int
    bin_nm : float
        Width of the bins.
    out : (n_channels, n_bins, PAIR_MOMENTS)
        Sums over unordered pairs are added here; channels in the order of :func:`channel_pairs`, species before weights.
        Two different channels hold both orders, a with b and b with a.
    count : (n_bins,)
        The number of pairs of points of whatever kind is added here.
    engine : "auto", "numba" or "numpy"

    Raises
    ------
    ValueError
        When the tables are too short for the body, or an engine is not known.

    References
    ----------
    Debye, Ann. Phys. 351, 809 (1915), doi:10.1002/andp.19153510606.
    """
    wanted = n_channels(n_species, weights.shape[1])
    if out.shape[0] != wanted or out.shape[2] != PAIR_MOMENTS:
        raise ValueError(
            f"out: expected {wanted} channels of {PAIR_MOMENTS} moments, got {out.shape[0]} of {out.shape[2]}"
        )
    if min(out.shape[1], len(count)) < bins_for(positions_nm, bin_nm):
        raise ValueError(f"out: expected at least {bins_for(positions_nm, bin_nm)} bins, got {out.shape[1]}")
    if engine not in ("auto", "numba", "numpy"):
        raise ValueError(f"engine: expected auto, numba or numpy, got {engine!r}")
    compiled = engine == "numba" or (engine == "auto" and numba_available())
    order = np.argsort(species, kind="stable")
    kind = species[order]
    x, y, z = (np.ascontiguousarray(positions_nm[order, k], dtype=np.float64) for k in range(3))
    if weights.shape[1]:
        w = np.ascontiguousarray(weights[order], dtype=np.float64)
        if compiled:
            if "weighted" not in _compiled:
                _compiled["weighted"] = jit(fastmath={"contract"})(_weighted)
            _compiled["weighted"](x, y, z, kind, w, n_species, 1.0 / bin_nm, out, count)
        else:
            _weighted_numpy(x, y, z, kind, w, n_species, 1.0 / bin_nm, out, count)
        return
    starts = np.searchsorted(kind, np.arange(n_species + 1))
    before = out[:, :, 0].sum(axis=0)
    run: Any = _block_numpy
    if compiled:
        from nanostrata.kernels.pair_block import block as run
    for c, (a, b) in enumerate(channel_pairs(n_species)):
        run(x, y, z, starts[a], starts[a + 1], starts[b], starts[b + 1], a == b, 1.0 / bin_nm, out[c])
    count[: out.shape[1]] += out[:, :, 0].sum(axis=0) - before


def _weighted(
    x: FloatArray, y: FloatArray, z: FloatArray, kind: IntArray, w: FloatArray, n_s: int, inverse: float, out: FloatArray, count: FloatArray
) -> None:  # fmt: skip
    m, n_w = w.shape
    n_all = n_s + n_w
    power = np.empty(PAIR_MOMENTS)
    for i in range(m):
        a = kind[i]
        for j in range(i + 1, m):
            dx, dy, dz = x[i] - x[j], y[i] - y[j], z[i] - z[j]
            t = np.sqrt(dx * dx + dy * dy + dz * dz) * inverse
            n = int(t)
            d = t - (n + 0.5)
            count[n] += 1.0
            power[0] = 1.0
            for p in range(1, PAIR_MOMENTS):
                power[p] = power[p - 1] * d
            b = kind[j]  # points are sorted: a <= b
            if a >= 0:
                h = out[a * n_all - a * (a - 1) // 2 + b - a, n]
                for p in range(PAIR_MOMENTS):
                    h[p] += power[p]
            for k in range(n_w):
                if a >= 0:
                    h = out[a * n_all - a * (a - 1) // 2 + n_s + k - a, n]
                    for p in range(PAIR_MOMENTS):
                        h[p] += w[j, k] * power[p]
                if b >= 0:
                    h = out[b * n_all - b * (b - 1) // 2 + n_s + k - b, n]
                    for p in range(PAIR_MOMENTS):
                        h[p] += w[i, k] * power[p]
                s = n_s + k
                base = s * n_all - s * (s - 1) // 2 - s + n_s
                for l in range(k, n_w):
                    v = w[i, k] * w[j, l]
                    if l > k:
                        v += w[i, l] * w[j, k]
                    h = out[base + l, n]
                    for p in range(PAIR_MOMENTS):
                        h[p] += v * power[p]


def _block_numpy(
    x: FloatArray, y: FloatArray, z: FloatArray, a0: int, a1: int, b0: int, b1: int, same: bool, inverse: float, out: FloatArray
) -> None:  # fmt: skip
    n_bins = len(out)
    rows = max(1, _NUMPY_PAIRS // max(b1 - b0, 1))
    for start in range(a0, a1, rows):
        i = np.arange(start, min(start + rows, a1))
        t = np.sqrt((x[i, None] - x[b0:b1]) ** 2 + (y[i, None] - y[b0:b1]) ** 2 + (z[i, None] - z[b0:b1]) ** 2)
        t *= inverse
        flat = t[np.arange(b0, b1)[None, :] > i[:, None]] if same else t.ravel()
        n = flat.astype(np.int64)
        d = flat - (n + 0.5)
        value = np.ones(len(d))
        for p in range(PAIR_MOMENTS):
            out[:, p] += np.bincount(n, value, minlength=n_bins)
            value *= d


def _weighted_numpy(
    x: FloatArray, y: FloatArray, z: FloatArray, kind: IntArray, w: FloatArray, n_s: int, inverse: float, out: FloatArray, count: FloatArray
) -> None:  # fmt: skip
    m, n_w = w.shape
    columns = np.zeros((m, n_s + n_w))
    columns[np.flatnonzero(kind >= 0), kind[kind >= 0]] = 1.0
    columns[:, n_s:] = w
    rows = max(1, _NUMPY_PAIRS // max(m, 1))
    for start in range(0, m, rows):
        i, j = (
            v.ravel() for v in np.meshgrid(np.arange(start, min(start + rows, m)), np.arange(start, m), indexing="ij")
        )
        keep = j > i
        i, j = i[keep], j[keep]
        t = np.sqrt((x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2 + (z[i] - z[j]) ** 2) * inverse
        n = t.astype(np.int64)
        d = t - (n + 0.5)
        count += np.bincount(n, minlength=len(count))
        for c, (a, b) in enumerate(channel_pairs(n_s + n_w)):
            v = columns[i, a] * columns[j, b]
            if a != b:
                v = v + columns[i, b] * columns[j, a]
            used = np.flatnonzero(v)
            value = v[used]
            for p in range(PAIR_MOMENTS):
                out[c, :, p] += np.bincount(n[used], value, minlength=out.shape[1])
                value = value * d[used]


def self_terms(species: IntArray, weights: FloatArray, n_species: int) -> FloatArray:
    """Pairs of every point with itself, (n_species + k, n_species + k)."""
    one_hot = np.zeros((len(species), n_species))
    one_hot[np.flatnonzero(species >= 0), species[species >= 0]] = 1.0
    columns = np.hstack([one_hot, weights])
    return np.asarray(columns.T @ columns)


def sinc_sums(moments: FloatArray, bin_nm: float, q_inv_nm: FloatArray) -> FloatArray:
    r"""Sum of :math:`\sin(q d)/(q d)` over the pairs whose moments are given.

    Inside a bin the function is interpolated at as many Chebyshev points as there are moments, which say with what weight each
    point counts.

    Parameters
    ----------
    moments : (n, n_bins, n_moments)
        As from :func:`pair_moments`.
    bin_nm : float
    q_inv_nm : (n_q,)
        1/nm, >= 0.

    Returns
    -------
    (n, n_q) float
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    n, n_bins, k = moments.shape
    x = 0.5 * np.cos((2 * np.arange(k) + 1) * math.pi / (2 * k))
    w = np.ascontiguousarray(moments @ np.linalg.inv(np.vander(x, k, increasing=True))).reshape(n, -1)
    out = np.empty((n, len(q)))
    step = max(1, _TABLE_ENTRIES // max(n_bins * k, 1))
    fill: Any = _fill_numpy
    if numba_available():
        if "fill" not in _compiled:
            _compiled["fill"] = jit(fastmath={"contract"})(_fill)
        fill = _compiled["fill"]
    table = np.empty((min(step, len(q)), n_bins * k))
    for start in range(0, len(q), step):
        part = q[start : start + step]
        fill(part, x, bin_nm, table[: len(part)])
        out[:, start : start + step] = w @ table[: len(part)].T
    return out


def _fill(q: FloatArray, x: FloatArray, width: float, table: FloatArray) -> None:
    """sin(q r)/(q r) at the points (n + 1/2 + x) width: the waves of neighbouring bins by rotation, begun anew every so often."""
    k = x.size
    n_bins = table.shape[1] // k
    for a in range(q.size):
        phase = q[a] * width
        c_step, s_step = np.cos(phase), np.sin(phase)
        c_node, s_node = np.cos(phase * x), np.sin(phase * x)
        c, s = 1.0, 0.0
        for n in range(n_bins):
            if n % 32 == 0:
                c, s = np.cos(phase * (n + 0.5)), np.sin(phase * (n + 0.5))
            row = table[a, n * k : (n + 1) * k]
            if phase * (n + 1.0) > 0.02:
                for j in range(k):
                    row[j] = (s * c_node[j] + c * s_node[j]) / (phase * (n + 0.5 + x[j]))
            else:
                for j in range(k):
                    square = (phase * (n + 0.5 + x[j])) ** 2
                    row[j] = 1.0 - square / 6.0 + square * square / 120.0
            c, s = c * c_step - s * s_step, s * c_step + c * s_step


def _fill_numpy(q: FloatArray, x: FloatArray, width: float, table: FloatArray) -> None:
    r = ((np.arange(table.shape[1] // len(x))[:, None] + 0.5 + x) * width).ravel()
    table[:] = np.sinc(np.outer(q, r) / math.pi)


def interpolation_error(
    count: FloatArray, bin_nm: float, q_inv_nm: FloatArray, moments: int = PAIR_MOMENTS
) -> FloatArray:
    r"""Upper bound of the error that the bins make in a sum over pairs of unit amplitude.

    .. math:: \Big| \sum \frac{\sin q d}{q d} - \ldots \Big| \le \frac{(q \Delta)^K}{K!\, 2^{2K-1}}
              \sum_n c_n \min\Big(\frac1{K+1}, \frac{2}{q r_n}\Big)

    the remainder of Chebyshev interpolation with K moments, and the K-th derivative of sin(x)/x, :math:`\int_0^1 t^K
    \cos(x t + K\pi/2)\, dt`, bounded by the smaller of the two numbers.

    Parameters
    ----------
    count : (n_bins,)
        Pairs in each bin.
    bin_nm : float
    q_inv_nm : (n_q,)
    moments : int
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    factor = (q * bin_nm) ** moments / (math.factorial(moments) * 2.0 ** (2 * moments - 1))
    r = np.arange(len(count)) * bin_nm
    envelope = 1.0 / np.maximum(moments + 1.0, 0.5 * np.outer(q, r))
    return np.asarray(factor * (envelope @ count))


def pair_matrix(sums: FloatArray, self_sum: FloatArray) -> FloatArray:
    r"""Pair sums over all ordered pairs, self pairs included.

    .. math:: P_{ab}(q) = \sum_i \sum_j w_{ia} w_{jb} \frac{\sin q d_{ij}}{q d_{ij}}

    with w = 1 for a point of species a, and its weight for the columns after the species. The scattering of amplitudes
    f_a is then :math:`\sum_{ab} \mathrm{Re}(f_a^* P_{ab} f_b)`.

    Parameters
    ----------
    sums : (n_channels, n_q)
        From :func:`sinc_sums`, over unordered pairs.
    self_sum : (n, n)
        From :func:`self_terms`, summed over the same bodies.

    Returns
    -------
    (n, n, n_q) float
        n = number of species and weights; symmetric.
    """
    n = len(self_sum)
    out = np.empty((n, n, sums.shape[1]))
    for c, (a, b) in enumerate(channel_pairs(n)):
        # channels of two different columns already hold both orders
        out[a, b] = (2.0 if a == b else 1.0) * sums[c] + self_sum[a, b]
        out[b, a] = out[a, b]
    return out


def intensity_from_pairs(pairs: FloatArray, amplitudes: NDArray[np.complex128]) -> FloatArray:
    r"""Intensity :math:`\sum_{ab} \mathrm{Re}(f_a^* P_{ab} f_b)`.

    Parameters
    ----------
    pairs : (n, n, n_q)
        From :func:`pair_matrix`.
    amplitudes : (n, n_q) complex
        Amplitude of each species and of a unit of each weight, electrons.

    Returns
    -------
    (n_q,) float
        Electrons squared.
    """
    return np.asarray(np.einsum("aq,abq,bq->q", amplitudes.conj(), pairs, amplitudes, optimize=True).real)


def debye_brute_force(positions_nm: FloatArray, amplitudes: NDArray[np.complex128], q_inv_nm: FloatArray) -> FloatArray:
    r"""Debye's double sum as it is written, point by point: slow, without bins, for checking.

    .. math:: I(q) = \sum_{ij} \mathrm{Re}(f_i^* f_j) \frac{\sin q d_{ij}}{q d_{ij}}

    Parameters
    ----------
    positions_nm : (m, 3)
    amplitudes : (m, n_q) complex
    q_inv_nm : (n_q,)
    """
    total = np.zeros(len(q_inv_nm))
    for i in range(len(positions_nm)):
        d = np.sqrt(((positions_nm - positions_nm[i]) ** 2).sum(axis=1))
        s = np.sinc(d[:, None] * np.asarray(q_inv_nm)[None, :] / np.pi)
        total += (amplitudes[i].conj()[None, :] * amplitudes * s).real.sum(axis=0)
    return total
