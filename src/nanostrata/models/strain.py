"""Local strain of tetrahedral crystals, from the four neighbours of each atom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.domain.base import BoolArray
from nanostrata.domain.relaxation import StrainProfile
from nanostrata.errors import PhysicsError
from nanostrata.models.valence_force_field import BondNetwork, ForceField, bond_network

if TYPE_CHECKING:
    from nanostrata.domain.base import IntArray

__all__ = ["local_strain", "strain_profile"]

_TETRAHEDRON = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]) / np.sqrt(3.0)
_PER_LENGTH = {"wurtzite": np.sqrt(8.0 / 3.0)}
"""Lattice constant a over bond length of the ideal lattice; 4/sqrt(3) in cubic ones."""


def local_strain(positions_nm: FloatArray, network: BondNetwork, length_nm: FloatArray) -> tuple[BoolArray, FloatArray]:
    r"""Strain tensor of each atom with four bonds.

    The deformation gradient that takes the ideal tetrahedron u to the bonds v, by least squares, is

    .. math:: F = \Big(\sum_i v_i u_i^T\Big) \Big(\sum_i u_i u_i^T\Big)^{-1} = \frac{3}{4 d^2} \sum_i v_i u_i^T

    and the strain is that of the left stretch, :math:`\varepsilon = (F F^T)^{1/2} - 1`. It depends neither on how the
    tetrahedron is turned nor on which of its corners is which, and not on a shift of the atom between its neighbours
    (internal strain).

    Parameters
    ----------
    positions_nm : (n, 3)
    network : bonds between them
    length_nm : (n,) bond length d of the unstrained crystal at each atom

    Returns
    -------
    full : (n,) whether an atom has four bonds
    strain : (m, 3, 3) of those that have, in their order

    References
    ----------
    Pryor, Kim, Wang, Williamson & Zunger, J. Appl. Phys. 83, 2548 (1998), doi:10.1063/1.366631 (strain from tetrahedra).
    """
    full = np.asarray(network.coordination == 4)
    v = network.vectors_nm(positions_nm)
    centre = np.concatenate([network.bonds[:, 0], network.bonds[:, 1]])
    arms = np.concatenate([v, -v])
    order = np.argsort(centre, kind="stable")
    arms = arms[order][full[centre[order]]].reshape(-1, 4, 3)
    gradient = np.einsum("nki,kj->nij", arms, _TETRAHEDRON) * (0.75 / length_nm[full])[:, None, None]
    # (F F^T)^(1/2) by its eigenvectors
    square, axes = np.linalg.eigh(np.einsum("nij,nkj->nik", gradient, gradient))
    stretch = np.einsum("nij,nj,nkj->nik", axes, np.sqrt(np.maximum(square, 0.0)), axes)
    return full, stretch - np.eye(3)


def strain_profile(
    models: AtomicModel | Sequence[AtomicModel],
    field: ForceField,
    *,
    bins: int = 10,
    unstrained: Sequence[FloatArray] | None = None,
) -> StrainProfile:
    """Radial profile of strain over the atoms of one or more particles, against the free material of the same composition.

    Parameters
    ----------
    models : particles, relaxed or not
    field : tells which atoms are bonded
    bins : number of bins of equal width in the radius fraction
    unstrained : for each particle (sites,) volume per pair of the free material, nm^3; default twice the site volumes,
        which is Vegard's rule for particles built with ``lattice = "graded"``

    Raises
    ------
    PhysicsError
        When no atom has four bonds, or a particle of one mean lattice comes without ``unstrained``.
    """
    particles = [models] if isinstance(models, AtomicModel) else list(models)
    rows: list[FloatArray] = []
    structure = str(particles[0].info.get("structure"))
    for k, model in enumerate(particles):
        if unstrained is None and model.info.get("lattice") == "mean":
            raise PhysicsError(
                'strain: a particle built with lattice = "mean" does not carry the volumes of its compositions; give unstrained'
            )
        network, index = bond_network(model, field)
        volume = 2.0 * model.site_volume_nm3 if unstrained is None else np.asarray(unstrained[k])
        length = np.cbrt(volume[index] * 3.0 * np.sqrt(3.0) / 16.0)
        rows.append(_rows(model, index, network, length))
    table = np.concatenate(rows)
    if not len(table):
        raise PhysicsError("strain: no atom of the particle has four bonds")
    per_length = _PER_LENGTH.get(structure, 4.0 / np.sqrt(3.0))
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.digitize(table[:, 0], edges) - 1, 0, bins - 1)
    used = np.unique(place)
    # empty bins near the centre join their outer neighbour
    kept = np.concatenate([[0.0], edges[used[1:]] if len(used) > 1 else [], [1.0]])
    groups = [table[place == b] for b in used]
    mean = np.array([g.mean(axis=0) for g in groups])
    spread = np.array([g.std(axis=0) for g in groups])
    return StrainProfile(
        radius_fraction=kept, radius_nm=mean[:, 1], atoms=np.array([len(g) for g in groups]),
        lattice_nm=mean[:, 5] * per_length, lattice_std_nm=spread[:, 5] * per_length, vegard_nm=mean[:, 6] * per_length,
        dilation=mean[:, 2], dilation_std=spread[:, 2], radial=mean[:, 3], radial_std=spread[:, 3],
        tangential=mean[:, 4], tangential_std=spread[:, 4],
    )  # fmt: skip


def _rows(model: AtomicModel, index: IntArray, network: BondNetwork, length: FloatArray) -> FloatArray:
    """Per atom with four bonds: radius fraction, radius, dilation, radial and tangential strain, bond lengths now and free."""
    positions = model.positions_nm[index]
    full, strain = local_strain(positions, network, length)
    r = np.sqrt((positions[full] ** 2).sum(axis=1))
    unit = positions[full] / np.maximum(r, 1e-9)[:, None]
    radial = np.einsum("ni,nij,nj->n", unit, strain, unit)
    trace = np.trace(strain, axis1=1, axis2=2)
    stretched = np.cbrt(np.linalg.det(strain + np.eye(3)))
    return np.column_stack(
        [
            model.radius_fraction[index][full], r, stretched - 1.0, radial, 0.5 * (trace - radial),
            length[full] * stretched, length[full],
        ]
    )  # fmt: skip
