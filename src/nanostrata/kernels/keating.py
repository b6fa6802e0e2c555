"""Keating's energy of tetrahedral bonds and its gradient: compiled, and a NumPy reference."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit, numba_available

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Engine: TypeAlias = Literal["auto", "numba", "numpy"]

_compiled: dict[str, Any] = {}


def bond_vectors(positions_nm: FloatArray, bonds: IntArray, shift_nm: FloatArray | None = None) -> FloatArray:
    """Vectors from the first to the second atom of each bond, nm.

    Parameters
    ----------
    positions_nm : (n, 3)
    bonds : (n_b, 2) atom numbers
    shift_nm : (n_b, 3) lattice vector that the second atom is moved by (periodic crystals), optional
    """
    v = positions_nm[bonds[:, 1]] - positions_nm[bonds[:, 0]]
    return np.asarray(v if shift_nm is None else v + shift_nm)


def keating(
    vectors_nm: FloatArray,
    length_nm: FloatArray,
    alpha: FloatArray,
    angles: IntArray,
    beta: FloatArray,
    *,
    engine: Engine = "auto",
) -> tuple[float, FloatArray]:
    r"""Keating's energy, and its gradient by the bond vectors.

    .. math:: E = \sum_{bonds} \frac{3 \alpha}{8 d^2} (r \cdot r - d^2)^2
              + \sum_{angles} \frac{3 \beta}{8 d d'} \left(r \cdot r' + \frac{d d'}{3}\right)^2

    with each bond and each angle counted once (written as a sum over atoms and their bonds, where every bond comes up
    twice, the first factor is 3/16). All bonds at their lengths and all angles tetrahedral give E = 0.

    Parameters
    ----------
    vectors_nm : (n_b, 3)
        Bond vectors, see :func:`bond_vectors`.
    length_nm, alpha : (n_b,)
        Natural length d, nm, and force constant of stretching, N/m.
    angles : (n_a, 4) int
        Bond, its sign, other bond, its sign: a sign of 1 where the bond starts at the atom of the angle, -1 where it ends
        there.
    beta : (n_a,)
        Force constant of bending, N/m.
    engine : "auto", "numba" or "numpy"

    Returns
    -------
    energy : float
        N/m nm^2 = 1e-18 J.
    gradient : (n_b, 3)
        Derivative of the energy by each bond vector, nN.

    References
    ----------
    Keating, Phys. Rev. 145, 637 (1966), doi:10.1103/PhysRev.145.637; Martin, Phys. Rev. B 1, 4005 (1970),
    doi:10.1103/PhysRevB.1.4005.
    """
    if engine not in ("auto", "numba", "numpy"):
        raise ValueError(f"engine: expected auto, numba or numpy, got {engine!r}")
    if engine == "numpy" or (engine == "auto" and not numba_available()):
        return _numpy(vectors_nm, length_nm, alpha, angles, beta)
    if "keating" not in _compiled:
        _compiled["keating"] = jit(_loops)
    gradient = np.zeros_like(vectors_nm)
    energy = _compiled["keating"](vectors_nm, length_nm, alpha, angles, beta, gradient)
    return float(energy), gradient


def to_atoms(gradient: FloatArray, bonds: IntArray, atoms: int) -> FloatArray:
    """Gradient by the positions of the atoms, (n, 3), from that by the bond vectors."""
    out = np.empty((atoms, 3))
    for k in range(3):
        g = gradient[:, k]
        out[:, k] = np.bincount(bonds[:, 1], g, atoms) - np.bincount(bonds[:, 0], g, atoms)
    return out


def _numpy(
    v: FloatArray, d: FloatArray, alpha: FloatArray, angles: IntArray, beta: FloatArray
) -> tuple[float, FloatArray]:
    stretch = (v * v).sum(axis=1) - d * d
    stiff = 3.0 * alpha / (8.0 * d * d)
    energy = float((stiff * stretch**2).sum())
    gradient = (4.0 * stiff * stretch)[:, None] * v
    if len(angles):
        a, b = angles[:, 0], angles[:, 2]
        sign = (angles[:, 1] * angles[:, 3]).astype(np.float64)
        dd = d[a] * d[b]
        bend = sign * (v[a] * v[b]).sum(axis=1) + dd / 3.0
        soft = 3.0 * beta / (8.0 * dd)
        energy += float((soft * bend**2).sum())
        push = (2.0 * soft * bend * sign)[:, None]
        np.add.at(gradient, a, push * v[b])
        np.add.at(gradient, b, push * v[a])
    return energy, gradient


def _loops(v: Any, d: Any, alpha: Any, angles: Any, beta: Any, gradient: Any) -> float:
    energy = 0.0
    for k in range(len(v)):
        stretch = v[k, 0] * v[k, 0] + v[k, 1] * v[k, 1] + v[k, 2] * v[k, 2] - d[k] * d[k]
        stiff = 3.0 * alpha[k] / (8.0 * d[k] * d[k])
        energy += stiff * stretch * stretch
        for c in range(3):
            gradient[k, c] += 4.0 * stiff * stretch * v[k, c]
    for m in range(len(angles)):
        a, b = angles[m, 0], angles[m, 2]
        sign = float(angles[m, 1] * angles[m, 3])
        dd = d[a] * d[b]
        bend = sign * (v[a, 0] * v[b, 0] + v[a, 1] * v[b, 1] + v[a, 2] * v[b, 2]) + dd / 3.0
        soft = 3.0 * beta[m] / (8.0 * dd)
        energy += soft * bend * bend
        push = 2.0 * soft * bend * sign
        for c in range(3):
            gradient[a, c] += push * v[b, c]
            gradient[b, c] += push * v[a, c]
    return energy
