"""Elastic constants of a crystal in Keating's model, with the atoms of the cell free to follow."""

from __future__ import annotations

from itertools import product

import numpy as np

from nanostrata.domain import FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.keating import keating, to_atoms
from nanostrata.models.valence_force_field import BondNetwork, ForceField, make_network

__all__ = ["crystal_network", "elastic_tensor"]

_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_STEP = 1e-5


def crystal_network(
    cell_nm: FloatArray, fractional: FloatArray, symbols: list[str], field: ForceField, reach_nm: float
) -> BondNetwork:
    """Bonds of an endless crystal: atoms of one cell, and the lattice vectors to their neighbours.

    Parameters
    ----------
    cell_nm : (3, 3) rows are the lattice vectors
    fractional : (n, 3) positions in the cell
    symbols : (n,) elements
    field : bond laws
    reach_nm : atoms of a cation and an anion (of any two where there are no ions) closer than this are bonded
    """
    positions = fractional @ cell_nm
    bonds, shifts = [], []
    one_kind = field.cations == field.anions
    for i, j in product(range(len(positions)), repeat=2):
        if not one_kind and not (symbols[i] in field.cations and symbols[j] in field.anions):
            continue
        for n in product((-1, 0, 1), repeat=3):
            shift = np.array(n, dtype=np.float64) @ cell_nm
            d = float(np.linalg.norm(positions[j] + shift - positions[i]))
            if 1e-9 < d < reach_nm and (not one_kind or i < j or (i == j and n < (0, 0, 0))):
                bonds.append((i, j))
                shifts.append(shift)
    return make_network(symbols, np.array(bonds, dtype=np.int64), np.array(shifts), field)


def elastic_tensor(
    cell_nm: FloatArray, positions_nm: FloatArray, network: BondNetwork, *, relaxed: bool = True
) -> FloatArray:
    r"""Elastic constants of an unstressed crystal, Voigt order (xx, yy, zz, yz, xz, xy).

    .. math:: C = \frac{1}{V} \left( \frac{\partial^2 E}{\partial \eta^2}
              - \Lambda\, H^{-1} \Lambda^T \right), \qquad
              \Lambda = \frac{\partial^2 E}{\partial \eta\, \partial u}, \quad H = \frac{\partial^2 E}{\partial u^2}

    where the second part lets the atoms of the cell follow the strain (internal strain); all derivatives are central
    differences of the exact gradient.

    Parameters
    ----------
    cell_nm, positions_nm : lattice vectors and atoms at rest
    network : of :func:`crystal_network`
    relaxed : False leaves the internal strain out

    Returns
    -------
    (6, 6) GPa

    Raises
    ------
    PhysicsError
        When the crystal is not at rest.
    """
    volume = abs(float(np.linalg.det(cell_nm)))
    n = network.atoms

    def gradients(strain: FloatArray, move: FloatArray) -> tuple[FloatArray, FloatArray]:
        tensor = np.zeros((3, 3))
        for k, (i, j) in enumerate(_VOIGT):
            tensor[i, j] = tensor[j, i] = strain[k] * (1.0 if i == j else 0.5)
        v0 = network.vectors_nm(positions_nm)
        v = v0 @ (np.eye(3) + tensor) + (move[network.bonds[:, 1]] - move[network.bonds[:, 0]])
        _, g = keating(v, network.length_nm, network.alpha_n_m, network.angles, network.beta_n_m, engine="numpy")
        virial = g.T @ v0
        by_strain = np.array([0.5 * (virial[i, j] + virial[j, i]) for i, j in _VOIGT])
        return by_strain, to_atoms(g, network.bonds, n).ravel()

    still = gradients(np.zeros(6), np.zeros((n, 3)))
    if max(np.abs(still[0]).max() / volume, 10.0 * np.abs(still[1]).max()) > 1e-3:
        raise PhysicsError("elastic constants: the crystal is strained or its atoms are not at rest; relax it first")
    c = np.zeros((6, 6))
    coupling = np.zeros((6, 3 * n))
    for k in range(6):
        e = np.zeros(6)
        e[k] = _STEP
        up, down = gradients(e, np.zeros((n, 3))), gradients(-e, np.zeros((n, 3)))
        c[k] = (up[0] - down[0]) / (2.0 * _STEP)
        coupling[k] = (up[1] - down[1]) / (2.0 * _STEP)
    if relaxed:
        hessian = np.zeros((3 * n, 3 * n))
        step = _STEP * float(network.length_nm.mean())
        for k in range(3 * n):
            u = np.zeros(3 * n)
            u[k] = step
            up, down = gradients(np.zeros(6), u.reshape(n, 3)), gradients(np.zeros(6), -u.reshape(n, 3))
            hessian[k] = (up[1] - down[1]) / (2.0 * step)
        # three translations cost nothing
        c = c - coupling @ np.linalg.pinv(0.5 * (hessian + hessian.T), rcond=1e-6) @ coupling.T
    return np.asarray(0.5 * (c + c.T) / volume)
