"""Orientation-averaged scattering of points: exact pair sums by species, through a fine histogram of pair distances."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit, numba_available

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Engine: TypeAlias = Literal["auto", "numba", "numpy"]

BIN_TIMES_Q = 4e-3
"""Default bin width times largest q; with :func:`sharpened` a pair sum is then right to better than 5e-7."""

_ROWS_PER_BLOCK = 64
_Q_PER_BLOCK = 16
_compiled: dict[str, Any] = {}


def n_channels(n_species: int, n_weights: int) -> int:
    """Number of independent pair sums of ``n_species`` kinds of points that also carry ``n_weights`` weights each."""
    return n_species * (n_species + 1) // 2 + n_species * n_weights + n_weights * (n_weights + 1) // 2


def bins_for(positions_nm: FloatArray, bin_nm: float) -> int:
    """Bins that hold every pair distance: twice the largest distance from the middle is a safe upper bound."""
    if not len(positions_nm):
        return 2
    middle = 0.5 * (positions_nm.min(axis=0) + positions_nm.max(axis=0))
    reach = 2.0 * float(np.sqrt(((positions_nm - middle) ** 2).sum(axis=1).max()))
    return int(reach / bin_nm) + 3


def pair_histogram(
    positions_nm: FloatArray,
    species: IntArray,
    weights: FloatArray,
    n_species: int,
    bin_nm: float,
    out: FloatArray,
    *,
    engine: Engine = "auto",
) -> None:
    r"""Add the pair distances of one body to a histogram, split by species.

    A distance d between bins b and b + 1 gives its two neighbours the shares of a linear interpolation, so that the
    histogram stands for :math:`\sum \sin(q d)/(q d)`; what the interpolation blurs is undone by :func:`sharpened`.

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
        Width of the bins; bin b stands for the distance b * bin_nm.
    out : (n_bins, n_channels)
        Sums over unordered pairs are added here. Channels: species pairs (a <= b), species times weight, weight pairs
        (k <= l), in the order of :func:`pair_matrix`.
    engine : "auto", "numba" or "numpy"

    Raises
    ------
    ValueError
        When the histogram is too short for the body, or an engine is not known.

    References
    ----------
    Debye, Ann. Phys. 351, 809 (1915), doi:10.1002/andp.19153510606.
    """
    if out.shape[1] != n_channels(n_species, weights.shape[1]):
        raise ValueError(f"out: expected {n_channels(n_species, weights.shape[1])} channels, got {out.shape[1]}")
    if out.shape[0] < bins_for(positions_nm, bin_nm):
        raise ValueError(f"out: expected at least {bins_for(positions_nm, bin_nm)} bins, got {out.shape[0]}")
    if engine not in ("auto", "numba", "numpy"):
        raise ValueError(f"engine: expected auto, numba or numpy, got {engine!r}")
    if engine == "numpy" or (engine == "auto" and not numba_available()):
        _accumulate_numpy(positions_nm, species, weights, n_species, bin_nm, out)
        return
    if "accumulate" not in _compiled:
        _compiled["accumulate"] = jit()(_accumulate)
    _compiled["accumulate"](
        np.ascontiguousarray(positions_nm),
        np.ascontiguousarray(species),
        np.ascontiguousarray(weights),
        n_species,
        bin_nm,
        out,
    )


def _accumulate(pos: FloatArray, kind: IntArray, w: FloatArray, n_s: int, step: float, out: FloatArray) -> None:
    m, n_w = w.shape
    base_sw = n_s * (n_s + 1) // 2
    base_ww = base_sw + n_s * n_w
    inverse = 1.0 / step
    for i in range(m):
        xi, yi, zi, a = pos[i, 0], pos[i, 1], pos[i, 2], kind[i]
        for j in range(i + 1, m):
            dx, dy, dz = xi - pos[j, 0], yi - pos[j, 1], zi - pos[j, 2]
            t = np.sqrt(dx * dx + dy * dy + dz * dz) * inverse
            n = int(t)
            hi = t - n
            lo = 1.0 - hi
            b = kind[j]
            if a >= 0 and b >= 0:
                s, u = (a, b) if a <= b else (b, a)
                c = s * n_s - s * (s - 1) // 2 + u - s
                out[n, c] += lo
                out[n + 1, c] += hi
            for k in range(n_w):
                if a >= 0:
                    c = base_sw + a * n_w + k
                    out[n, c] += lo * w[j, k]
                    out[n + 1, c] += hi * w[j, k]
                if b >= 0:
                    c = base_sw + b * n_w + k
                    out[n, c] += lo * w[i, k]
                    out[n + 1, c] += hi * w[i, k]
            c = base_ww
            for k in range(n_w):
                for p in range(k, n_w):
                    v = w[i, k] * w[j, p]
                    if p > k:
                        v = 0.5 * (v + w[i, p] * w[j, k])
                    out[n, c] += lo * v
                    out[n + 1, c] += hi * v
                    c += 1


def _accumulate_numpy(pos: FloatArray, kind: IntArray, w: FloatArray, n_s: int, step: float, out: FloatArray) -> None:
    m, n_w = w.shape
    one_hot = np.zeros((m, n_s))
    one_hot[np.flatnonzero(kind >= 0), kind[kind >= 0]] = 1.0
    columns = np.hstack([one_hot, w])
    n_bins = len(out)
    for start in range(0, m, _ROWS_PER_BLOCK):
        rows = np.arange(start, min(start + _ROWS_PER_BLOCK, m))
        cols = np.arange(start, m)
        i, j = (x.ravel() for x in np.meshgrid(rows, cols, indexing="ij"))
        keep = j > i
        i, j = i[keep], j[keep]
        t = np.sqrt(((pos[i] - pos[j]) ** 2).sum(axis=1)) / step
        n = t.astype(np.int64)
        hi = t - n
        c = 0
        for a, b in _channel_pairs(n_s, n_w):
            v = columns[i, a] * columns[j, b]
            if a != b:
                # species and weight pairs (a, b) and (b, a) fall together; two weights are symmetrised to their mean
                other = columns[i, b] * columns[j, a]
                v = 0.5 * (v + other) if a >= n_s else v + other
            used = np.flatnonzero(v)
            out[:, c] += np.bincount(n[used], v[used] * (1.0 - hi[used]), minlength=n_bins)
            out[:, c] += np.bincount(n[used] + 1, v[used] * hi[used], minlength=n_bins)
            c += 1


def _channel_pairs(n_species: int, n_weights: int) -> list[tuple[int, int]]:
    first = [(a, b) for a in range(n_species) for b in range(a, n_species)]
    mixed = [(a, n_species + k) for a in range(n_species) for k in range(n_weights)]
    last = [(n_species + k, n_species + m) for k in range(n_weights) for m in range(k, n_weights)]
    return first + mixed + last


def self_terms(species: IntArray, weights: FloatArray, n_species: int) -> FloatArray:
    """Pairs of every point with itself, (n_species + k, n_species + k)."""
    one_hot = np.zeros((len(species), n_species))
    one_hot[np.flatnonzero(species >= 0), species[species >= 0]] = 1.0
    columns = np.hstack([one_hot, weights])
    return np.asarray(columns.T @ columns)


def sharpened(histogram: FloatArray) -> FloatArray:
    r"""Undo the mean error of linear binning.

    A point at the fraction h of a bin of width w adds :math:`\tfrac12 h (1 - h) w^2 g''` to the sum of a function g;
    the mean over h is :math:`w^2 g''/12`, and the second difference of the histogram takes it back.

    Parameters
    ----------
    histogram : (n_bins, ...)
        Linearly binned; the last bin is empty.
    """
    out = histogram * (7.0 / 6.0)
    out[1:] -= histogram[:-1] / 12.0
    out[:-1] -= histogram[1:] / 12.0
    # bin -1 would mirror bin 1 for an even function of the distance
    out[1] -= histogram[0] / 12.0
    return out


def pair_matrix(
    histogram: FloatArray, bin_nm: float, self_sum: FloatArray, n_species: int, q_inv_nm: FloatArray
) -> FloatArray:
    r"""Pair sums over all ordered pairs, self pairs included.

    .. math:: P_{ab}(q) = \sum_i \sum_j w_{ia} w_{jb} \frac{\sin q d_{ij}}{q d_{ij}}

    with w = 1 for a point of species a, and its weight for the columns after the species. The scattering of amplitudes
    f_a is then :math:`\sum_{ab} \mathrm{Re}(f_a^* P_{ab} f_b)`.

    Parameters
    ----------
    histogram : (n_bins, n_channels)
        From :func:`pair_histogram`.
    bin_nm : float
    self_sum : (n, n)
        From :func:`self_terms`, summed over the same bodies.
    n_species : int
    q_inv_nm : (n_q,)
        1/nm, >= 0.

    Returns
    -------
    (n, n, n_q) float
        n = n_species + number of weights; symmetric.
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    n = len(self_sum)
    sharp = sharpened(histogram)
    used = np.flatnonzero(sharp.any(axis=1))
    h = sharp[used]
    r = used * bin_nm
    sums = np.empty((len(q), histogram.shape[1]))
    for start in range(0, len(q), _Q_PER_BLOCK):
        part = slice(start, start + _Q_PER_BLOCK)
        # np.sinc is sin(pi x) / (pi x)
        sums[part] = np.sinc(q[part, None] * r[None, :] / np.pi) @ h
    out = np.empty((n, n, len(q)))
    for c, (a, b) in enumerate(_channel_pairs(n_species, n - n_species)):
        # unordered pairs of two kinds of species, and species times weight, already hold both orders
        factor = 1.0 if (a != b and a < n_species) else 2.0
        out[a, b] = factor * sums[:, c] + self_sum[a, b]
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
