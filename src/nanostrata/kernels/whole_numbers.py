"""Whole numbers near given ones: quotas by largest remainder, and all ways to change counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]


def largest_remainder(wanted: FloatArray) -> IntArray:
    """Whole numbers nearest to ``wanted`` with its (whole) sum: floors, then one more for the largest remainders.

    Examples
    --------
    >>> largest_remainder(np.array([3.9, 2.6, 5.2, 1.3])).tolist()
    [4, 3, 5, 1]
    """
    total = round(float(wanted.sum()))
    counts = np.floor(wanted + 1e-9).astype(np.int64)
    rest = np.argsort(-(wanted - counts), kind="stable")
    counts[rest[: total - int(counts.sum())]] += 1
    return counts


def exchanges(counts: list[int], moved: int) -> Iterator[tuple[int, ...]]:
    """All changes of ``counts`` that take ``moved`` in all from some entries and give them to others; none goes below 0.

    Examples
    --------
    >>> sorted(exchanges([1, 0, 2], 1))
    [(-1, 0, 1), (-1, 1, 0), (0, 1, -1), (1, 0, -1)]
    """

    def grow(i: int, more: int, less: int) -> Iterator[tuple[int, ...]]:
        if i == len(counts):
            if more == less == 0:
                yield ()
            return
        for d in range(-min(counts[i], less), more + 1):
            for rest in grow(i + 1, more - max(d, 0), less - max(-d, 0)):
                yield (d, *rest)

    return grow(0, moved, moved)
