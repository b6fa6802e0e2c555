"""Gauss quadrature for a density that is known on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def gauss_nodes(grid: FloatArray, density: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    r"""Nodes and weights with :math:`\sum_i w_i p(t_i) = \int p(t) f(t) dt` for every polynomial of degree < 2 count.

    Parameters
    ----------
    grid : (n,) equidistant
    density : (n,) f >= 0 on the grid; the result is normalised to sum(w) = 1
    count : number of nodes, well below n

    Returns
    -------
    nodes, weights : (count,)

    References
    ----------
    Golub & Welsch, Math. Comp. 23, 221 (1969), doi:10.1090/S0025-5718-69-99647-1; recurrence by Stieltjes' procedure.
    """
    f = density / density.sum()
    centre = float(f @ grid)
    width = float(np.sqrt(f @ (grid - centre) ** 2))
    t = (grid - centre) / width
    diagonal, off = np.empty(count), np.empty(count)
    previous, current, norm_before = np.zeros_like(t), np.ones_like(t), 1.0
    for k in range(count):
        norm = float(f @ current**2)
        diagonal[k] = float(f @ (t * current**2)) / norm
        off[k] = norm / norm_before if k else 0.0
        previous, current = current, (t - diagonal[k]) * current - off[k] * previous
        norm_before = norm
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(np.sqrt(off[1:]), 1) + np.diag(np.sqrt(off[1:]), -1))
    return centre + width * values, vectors[0] ** 2
