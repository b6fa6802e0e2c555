"""Reflections of a crystal in a range of q: where, how strong, in which directions; absences follow from the structure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, IntArray, freeze, frozen_array
from nanostrata.errors import PhysicsError
from nanostrata.models.crystal_cells import CrystalCell
from nanostrata.models.density import SolidSolution
from nanostrata.tables.factors import FactorTable

__all__ = ["LatticeForm", "Line", "content_of", "lattice_form", "reflections", "sites_of"]

ABSENT = 1e-6
"""Lines weaker than this share of the strongest are systematic absences (or as good as that)."""

_MOST_PLANES = 2_000_000
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatticeForm(Domain):
    """Which lattice constants are free.

    Attributes
    ----------
    kind : "cubic", "hexagonal", "tetragonal", "orthorhombic", or "scaled" (the cell of a CIF grows as a whole)
    names : of the constants, in nm
    lengths_nm : (n,) their values
    vectors_nm : (3, 3) rows are the lattice vectors at these values
    """

    kind: str
    names: tuple[str, ...]
    lengths_nm: FloatArray
    vectors_nm: FloatArray

    def __post_init__(self) -> None:
        freeze(self, "lengths_nm", frozen_array("lengths_nm", self.lengths_nm, positive=True, length=len(self.names)))
        freeze(self, "vectors_nm", frozen_array("vectors_nm", self.vectors_nm, ndim=2, length=3))

    @property
    def parameters(self) -> FloatArray:
        """The fit's parameters (2 pi / length)^2, 1/nm^2: q^2 is linear in them."""
        return np.asarray((2.0 * np.pi / self.lengths_nm) ** 2)

    def lengths_of(self, parameters: FloatArray) -> FloatArray:
        """Lattice constants from the fit's parameters, nm; any shape whose last axis is the parameters."""
        return np.asarray(2.0 * np.pi / np.sqrt(parameters))

    def metric_rows(self, hkl: IntArray) -> FloatArray:
        """(n, n_parameters) q^2 of each plane per parameter."""
        h, k, l = (hkl[:, i].astype(np.float64) for i in range(3))
        if self.kind == "cubic":
            return np.asarray((h * h + k * k + l * l)[:, None])
        if self.kind == "hexagonal":
            return np.stack([4.0 / 3.0 * (h * h + h * k + k * k), l * l], axis=1)
        if self.kind == "tetragonal":
            return np.stack([h * h + k * k, l * l], axis=1)
        if self.kind == "orthorhombic":
            return np.stack([h * h, k * k, l * l], axis=1)
        q = hkl @ np.linalg.inv(self.vectors_nm).T * 2.0 * np.pi
        return np.asarray((q * q).sum(axis=1)[:, None] / self.parameters[0])

    def vectors_at(self, lengths_nm: FloatArray) -> FloatArray:
        """(3, 3) lattice vectors with other constants."""
        ratio = np.asarray(lengths_nm) / self.lengths_nm
        by_row = {"cubic": [0, 0, 0], "scaled": [0, 0, 0], "hexagonal": [0, 0, 1], "tetragonal": [0, 0, 1],
                  "orthorhombic": [0, 1, 2]}[self.kind]  # fmt: skip
        return np.asarray(self.vectors_nm * ratio[by_row][:, None])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line(Domain):
    """One reflection with its equivalents.

    Attributes
    ----------
    hkl : name, for example "110"
    planes : (m, 3) all planes that reflect there, with their opposites
    weight : (m,) |F|^2 of each, electrons squared per cell
    metric : (n_parameters,) q^2 per parameter of the lattice
    q_inv_nm : at the starting lattice
    """

    hkl: str
    planes: IntArray
    weight: FloatArray
    metric: FloatArray
    q_inv_nm: float

    def __post_init__(self) -> None:
        freeze(self, "planes", frozen_array("planes", self.planes, ndim=2, dtype=np.int64))
        freeze(self, "weight", frozen_array("weight", self.weight, nonnegative=True, length=len(self.planes)))
        freeze(self, "metric", frozen_array("metric", self.metric))

    @property
    def area(self) -> float:
        """Relative area of the line in a powder pattern I(q) without polarisation: sum of |F|^2 over q^2."""
        return float(self.weight.sum()) / self.q_inv_nm**2


def lattice_form(vectors_nm: FloatArray) -> LatticeForm:
    """Tell the crystal system from the conventional cell, and with it which constants are free."""
    v = np.asarray(vectors_nm, dtype=np.float64)
    length = np.sqrt((v * v).sum(axis=1))
    cosine = (v @ v.T / np.outer(length, length))[[1, 0, 0], [2, 2, 1]]
    same = [abs(length[i] / length[j] - 1.0) < _TOLERANCE for i, j in ((0, 1), (0, 2))]
    right = bool(np.all(np.abs(cosine) < _TOLERANCE))
    kind: str
    names: tuple[str, ...]
    if right and all(same):
        kind, names, values = "cubic", ("a",), length[:1]
    elif right and same[0]:
        kind, names, values = "tetragonal", ("a", "c"), length[[0, 2]]
    elif right:
        kind, names, values = "orthorhombic", ("a", "b", "c"), length
    elif same[0] and np.all(np.abs(cosine - np.array([0.0, 0.0, -0.5])) < _TOLERANCE):
        kind, names, values = "hexagonal", ("a", "c"), length[[0, 2]]
    else:
        kind, names, values = "scaled", ("a",), length[:1]
    return LatticeForm(kind=kind, names=names, lengths_nm=values, vectors_nm=v)


def sites_of(solid: SolidSolution, cell: CrystalCell, x: float) -> list[dict[str, float]]:
    """Atoms of each element on each site of the cell at composition x."""
    if cell.occupants:
        return [dict(o) for o in cell.occupants]
    groups = solid.sublattices(np.array([x]))
    if len(groups) != cell.sublattices:
        raise PhysicsError(
            f"the structure {cell.structure} has {cell.sublattices} kind(s) of sites, the material has {len(groups)}; "
            "correct waxs.structure or materials.core.formula"
        )
    return [{e: float(n[0]) for e, n in groups[s].items()} for s in cell.sublattice]


def content_of(sites: list[dict[str, float]]) -> dict[str, float]:
    """Atoms of each element in the cell."""
    total: dict[str, float] = {}
    for site in sites:
        for element, n in site.items():
            total[element] = total.get(element, 0.0) + n
    return total


def reflections(
    cell: CrystalCell,
    sites: list[dict[str, float]],
    factors: FactorTable,
    energy_kev: float,
    q_max_inv_nm: float,
    *,
    b_factor_nm2: float = 0.01,
) -> list[Line]:
    r"""All lines up to q_max with their structure factors, in increasing q.

    .. math:: F_{hkl} = \sum_j f_j(q, E)\, e^{-B (q/4\pi)^2}\, e^{2\pi i (h x_j + k y_j + l z_j)}

    Lines whose planes have the same q whatever the lattice constants are (such as 333 and 511 of a cubic crystal) are one
    line, named after the strongest form.

    Raises
    ------
    PhysicsError
        When q_max would hold more planes than are worth looking at.
    """
    form = lattice_form(cell.vectors_nm)
    length = np.sqrt((cell.vectors_nm**2).sum(axis=1))
    top = np.ceil(q_max_inv_nm * length / (2.0 * np.pi)).astype(int)
    if float(np.prod(2.0 * top + 1.0)) > _MOST_PLANES:
        raise PhysicsError(f"waxs: too many reflections up to q = {q_max_inv_nm:.4g} 1/nm; set waxs.q_range_inv_nm")
    grid = np.array(list(itertools.product(*(range(-t, t + 1) for t in top))), dtype=np.int64)
    q_vectors = grid @ np.linalg.inv(cell.vectors_nm).T * 2.0 * np.pi
    q = np.sqrt((q_vectors**2).sum(axis=1))
    grid, q = grid[(q > 1e-9) & (q <= q_max_inv_nm)], q[(q > 1e-9) & (q <= q_max_inv_nm)]
    order = np.argsort(q, kind="stable")
    grid, q = grid[order], q[order]
    if not len(q):
        return []
    strength = _strength(cell, sites, factors, energy_kev, grid, q, b_factor_nm2)
    rows = np.round(form.metric_rows(grid), 6)
    families: dict[tuple[float, ...], list[int]] = {}
    for i, row in enumerate(rows):
        families.setdefault(tuple(row), []).append(i)
    lines = []
    for row, members in families.items():
        m = np.array(members)
        seen = strength[m] > ABSENT * strength.max()
        if seen.any():
            m = m[seen]
            lines.append(
                Line(hkl=_name(grid[m], strength[m]), planes=grid[m], weight=strength[m], metric=np.array(row),
                     q_inv_nm=float(q[m[0]]))
            )  # fmt: skip
    return sorted(lines, key=lambda line: line.q_inv_nm)


def _strength(
    cell: CrystalCell, sites: list[dict[str, float]], factors: FactorTable, energy_kev: float, grid: IntArray,
    q: FloatArray, b_factor_nm2: float,
) -> FloatArray:  # fmt: skip
    elements = sorted({e for site in sites for e in site})
    unique, back = np.unique(np.round(q, 9), return_inverse=True)
    damping = np.exp(-b_factor_nm2 * (q / (4.0 * np.pi)) ** 2)
    amplitude = np.zeros(len(q), dtype=np.complex128)
    phase = np.exp(2j * np.pi * (grid @ cell.basis.T))
    for element in elements:
        occupied = np.array([site.get(element, 0.0) for site in sites])
        f = factors.f0(element, unique)[back] + factors.anomalous(element, energy_kev)
        amplitude += f * damping * (phase @ occupied)
    return np.asarray(np.abs(amplitude) ** 2)


def _name(planes: IntArray, strength: FloatArray) -> str:
    """Name after the strongest plane with indices >= 0, the first in h, then k, then l."""
    pool = planes[strength >= 0.5 * strength.max()]  # Friedel pairs of polar crystals differ
    positive = pool[(pool >= 0).all(axis=1)]
    best = max(tuple(int(v) for v in p) for p in (positive if len(positive) else pool))
    spaced = any(abs(v) > 9 or v < 0 for v in best)
    return (" " if spaced else "").join(str(v) for v in best)
