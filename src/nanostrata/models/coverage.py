"""Which sites of a particle make its outermost layer, and how much of that layer is shell material."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.domain.base import BoolArray, Domain, IntArray, freeze, frozen_array
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_cells import BUILDABLE, sublattice_count
from nanostrata.tables.formulas import split_ions

__all__ = ["Coverage", "outermost_layer", "shell_share", "site_contents", "site_sublattices", "surface_coverage"]

VACANCY = "X"

# Lengths in units of the cube root of the volume per shared site (ideal c/a for hexagonal lattices); a neighbour is within
# the factor of its ideal length, half-way to the next distance, so that graded lattices strained by 10 % are read right.
_CUBE_ROOT_4 = 4.0 ** (1.0 / 3.0)
_BOND = {
    "wurtzite": (math.sqrt(3.0) / 4.0 * _CUBE_ROOT_4, 4),
    "zincblende": (math.sqrt(3.0) / 4.0 * _CUBE_ROOT_4, 4),
    "rocksalt": (0.5 * _CUBE_ROOT_4, 6),
}
"""Distance from cation to anion, and number of such neighbours."""
_BOND_REACH = 1.25

_CLOSE = (math.sqrt(0.5) * _CUBE_ROOT_4 * 1.18, 12, 2)
_LAYER = {
    **dict.fromkeys(("wurtzite", "zincblende", "rocksalt", "fcc", "hcp"), _CLOSE),
    "bcc": (math.sqrt(3.0) / 2.0 * 2.0 ** (1.0 / 3.0) * 1.35, 14, 2),
    "diamond": (math.sqrt(3.0) / 4.0 * 2.0 * 1.25, 4, 1),
}
"""Reach to the neighbours on the same sublattice, their number, and how many must be missing in the outermost layer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coverage(Domain):
    """Share of shell material in the outermost layer of one sublattice, over particles.

    Attributes
    ----------
    sublattice : "cation", "anion", or "atom" for lattices of one kind of site
    by_atoms : (n,) for each particle: atoms of shell material over all atoms of the layer
    by_sites : (n,) the same over sites, vacancies included: the x of the layer
    layer_sites : (n,) sites of the layer
    weights : (n,) number of particles that each one stands for; they sum to 1
    """

    sublattice: str
    by_atoms: FloatArray
    by_sites: FloatArray
    layer_sites: IntArray
    weights: FloatArray

    def __post_init__(self) -> None:
        n = len(self.by_atoms)
        freeze(self, "by_atoms", frozen_array("by_atoms", self.by_atoms))
        freeze(self, "by_sites", frozen_array("by_sites", self.by_sites, length=n))
        freeze(self, "layer_sites", frozen_array("layer_sites", self.layer_sites, dtype=np.int64, length=n))
        freeze(self, "weights", frozen_array("weights", self.weights, positive=True, length=n))

    @property
    def mean(self) -> float:
        """Weighted mean of ``by_atoms``."""
        return float(self.weights @ self.by_atoms)

    @property
    def mean_by_sites(self) -> float:
        """Weighted mean of ``by_sites``."""
        return float(self.weights @ self.by_sites)

    @property
    def spread(self) -> float | None:
        """Standard deviation of ``by_atoms`` from particle to particle; None for one particle."""
        if len(self.by_atoms) < 2:
            return None
        variance = float(self.weights @ (self.by_atoms - self.mean) ** 2)
        return math.sqrt(variance / (1.0 - float(self.weights @ self.weights)))


def surface_coverage(
    models: AtomicModel | Sequence[AtomicModel], solid: SolidSolution, weights: ArrayLike | None = None
) -> tuple[Coverage, ...]:
    """Count shell material in the outermost layer of each sublattice on which the end members differ.

    Parameters
    ----------
    models : particles that were built from ``solid``
    solid : two end members
    weights : (n,) number of particles that each one stands for; default all the same

    Returns
    -------
    tuple of Coverage
        Cations before anions; one entry for each sublattice that differs.

    Raises
    ------
    PhysicsError
        For one material only, no particle, or particles without site volumes or structure.

    Notes
    -----
    See :func:`outermost_layer` for which sites are counted. Where an element is in both materials its atoms cannot be told
    apart; x of the layer is then taken from the other elements (see :func:`shell_share`) and turned into atoms.
    """
    if solid.shell is None:
        raise PhysicsError("coverage: there is one material only; no shell material can cover it")
    particles = (models,) if isinstance(models, AtomicModel) else tuple(models)
    if not particles:
        raise PhysicsError("coverage: expected at least one particle, got none")
    w = np.ones(len(particles)) if weights is None else np.asarray(weights, dtype=np.float64)
    w = frozen_array("weights", w, positive=True, length=len(particles))
    contents = site_contents(solid)
    rows: dict[int, list[tuple[float, float, int]]] = {
        k: [] for k, (_, core, shell) in enumerate(contents) if core != shell
    }
    for particle in particles:
        on = site_sublattices(particle, solid)
        outer = outermost_layer(particle, on)
        symbols = np.array(particle.symbols)
        for k, found in rows.items():
            _, core, shell = contents[k]
            names, n = np.unique(symbols[outer & (on == k)], return_counts=True)
            found.append(_layer_share(dict(zip(names.tolist(), n.tolist(), strict=True)), core, shell))
    return tuple(
        Coverage(
            sublattice=contents[k][0],
            by_atoms=np.array([f[0] for f in found]),
            by_sites=np.array([f[1] for f in found]),
            layer_sites=np.array([f[2] for f in found]),
            weights=w / w.sum(),
        )
        for k, found in rows.items()
    )


def outermost_layer(model: AtomicModel, on: IntArray) -> BoolArray:
    """Tell for each site whether it is in the outermost layer of its own sublattice.

    A site is in the outermost layer when at least two of its twelve nearest sites *of the same sublattice* are missing from
    the particle, or one of its bonds to the other sublattice ends on no site. The first rule holds whether the facet ends on
    cations or on anions: the outermost cations lack three of twelve on a (111) or (0001) facet, four on (100), five on
    (110), and those below lack none, or one below (110). On (10-10) of wurtzite the corrugated pair of planes is one layer.
    Vacancies are sites: they neither make their neighbours a surface nor hide them. In bcc fourteen neighbours are
    counted, in diamond four (one missing is enough).

    Parameters
    ----------
    model : particle with site volumes and ``info["structure"]``
    on : (m,) sublattice of each site, from :func:`site_sublattices`

    Returns
    -------
    (m,) bool
    """
    structure, unit = _structure(model), _unit_length(model)
    pairs, distance = _neighbours(model, unit, _LAYER[structure][0])
    same = on[pairs[:, 0]] == on[pairs[:, 1]]
    reach, full, least = _LAYER[structure]
    outer = np.asarray(full - _count(pairs[same & (distance < reach)], len(model)) >= least)
    if structure in _BOND:
        length, bonds = _BOND[structure]
        outer |= _count(pairs[~same & (distance < length * _BOND_REACH)], len(model)) < bonds
    return outer


def site_sublattices(model: AtomicModel, solid: SolidSolution) -> IntArray:
    """Sublattice of each site: 0 cations (or all atoms where there are no ions), 1 anions.

    The particle carries it, or an element tells it where it is a cation, or an anion, of both materials. For vacancies (and Sb between CuSbS2 and InSb)
    the sites at bond length decide: they are of the other sublattice.

    Raises
    ------
    PhysicsError
        When an atom is of neither material, or a vacancy has no neighbour that tells.
    """
    if len(model) and len(model.sublattice) == len(model):
        return np.array(model.sublattice)
    structure = _structure(model)
    if sublattice_count(structure) == 1:
        return np.zeros(len(model), dtype=np.int64)
    contents = site_contents(solid)
    cations, anions = ({e for part in contents[k][1:] for e in part if e != VACANCY} for k in (0, 1))
    strange = sorted(set(model.symbols) - cations - anions - {VACANCY})
    if strange:
        raise PhysicsError(f"atoms: {', '.join(strange)} is in neither material of this solid solution")
    code = dict.fromkeys(cations, 0) | dict.fromkeys(anions, 1) | dict.fromkeys(cations & anions | {VACANCY}, -1)
    on = np.array([code[s] for s in model.symbols], dtype=np.int64)
    if (on < 0).any():
        reach = _BOND[structure][0] * _BOND_REACH
        pairs, distance = _neighbours(model, _unit_length(model), reach)
        bonded = pairs[distance < reach]
        both = np.concatenate([bonded, bonded[:, ::-1]])
        while (on < 0).any():
            votes = np.zeros((len(model), 2))
            told = both[on[both[:, 1]] >= 0]
            np.add.at(votes, (told[:, 0], 1 - on[told[:, 1]]), 1.0)
            new = (on < 0) & (votes[:, 0] != votes[:, 1])
            if not new.any():
                raise PhysicsError(f"atoms: {int((on < 0).sum())} sites have no neighbour that tells their sublattice")
            on = np.where(new, votes.argmax(axis=1), on)
    return on


def site_contents(solid: SolidSolution) -> tuple[tuple[str, dict[str, float], dict[str, float]], ...]:
    """Name of each sublattice, and what one site of it holds in core and in shell material, vacancies "X" included.

    One material comes back as both.
    """
    members = []
    for material in (solid.core, solid.shell or solid.core):
        cations, anions = split_ions(material.composition)
        groups = (cations, anions) if anions else (dict(material.composition),)
        per_site = []
        for group, sites in zip(groups, material.sublattice_sites, strict=False):
            share = {e: n / sites for e, n in group.items()}
            vacant = 1.0 - sum(share.values())
            per_site.append(share | ({VACANCY: vacant} if vacant > 1e-9 else {}))
        members.append(per_site)
    names = ("cation", "anion") if len(members[0]) == 2 else ("atom",)
    return tuple((n, c, s) for n, c, s in zip(names, *members, strict=True))


def shell_share(counts: Mapping[str, float], core: Mapping[str, float], shell: Mapping[str, float]) -> float:
    """Share x of shell material among the sites of one sublattice, from counts.

    Elements of the shell material alone are counted if there are any (x = Zn over all sites); else those of the core
    material alone; else x is the least-squares mixture of the two contents.

    Parameters
    ----------
    counts : symbol ("X" included) -> number of sites, whole or mean
    core, shell : content per site from :func:`site_contents`
    """
    total = sum(counts.values())
    if total == 0:
        raise PhysicsError("there are no sites to count")
    for own, other, inverse in ((shell, core, False), (core, shell, True)):
        alone = [e for e in own if e != VACANCY and e not in other]
        if alone:
            x = sum(counts.get(e, 0) for e in alone) / (total * sum(own[e] for e in alone))
            return 1.0 - x if inverse else x
    names = sorted({*core, *shell})
    c = np.array([core.get(e, 0.0) for e in names])
    d = np.array([shell.get(e, 0.0) for e in names]) - c
    n = np.array([counts.get(e, 0) for e in names]) / total
    return float(d @ (n - c) / (d @ d))


# ------------------------------------------------------------------------------------------------------- inner


def _layer_share(
    counts: Mapping[str, int], core: Mapping[str, float], shell: Mapping[str, float]
) -> tuple[float, float, int]:
    """Shell material by atoms and by sites, and the number of sites."""
    total = sum(counts.values())
    atoms = total - counts.get(VACANCY, 0)
    if atoms == 0:
        raise PhysicsError("the outermost layer holds no atoms; the particle is too small to have a surface layer")
    x = shell_share(counts, core, shell)
    if (set(core) & set(shell)) - {VACANCY}:
        filled = [1.0 - part.get(VACANCY, 0.0) for part in (core, shell)]
        return x * filled[1] / ((1.0 - x) * filled[0] + x * filled[1]), x, total
    return sum(counts.get(e, 0) for e in shell if e != VACANCY) / atoms, x, total


def _structure(model: AtomicModel) -> str:
    structure = str(model.info.get("structure", ""))
    if structure not in BUILDABLE:
        raise PhysicsError(
            f"atoms: the particle's structure is {structure or 'not stated'!r}; expected one of {', '.join(BUILDABLE)} in "
            'info["structure"], as a particle that nanostrata built has it'
        )
    return structure


def _unit_length(model: AtomicModel) -> FloatArray:
    """Cube root of the volume per shared site at each site, nm."""
    if not model.site_volume_nm3.all():
        raise PhysicsError(
            "atoms: site volumes are missing; neighbours cannot be told (use a particle that nanostrata built)"
        )
    return np.asarray(np.cbrt(model.site_volume_nm3 * sublattice_count(_structure(model))))


def _neighbours(model: AtomicModel, unit: FloatArray, reach: float) -> tuple[IntArray, FloatArray]:
    """Pairs of sites, and their distance in units of the local cube root of the volume per shared site."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(model.positions_nm).query_pairs(reach * float(unit.max()), output_type="ndarray").astype(np.int64)
    gap = model.positions_nm[pairs[:, 0]] - model.positions_nm[pairs[:, 1]]
    length = np.sqrt((gap**2).sum(axis=1))
    return pairs, length / (0.5 * (unit[pairs[:, 0]] + unit[pairs[:, 1]]))


def _count(pairs: IntArray, n: int) -> IntArray:
    return np.bincount(pairs.ravel(), minlength=n).astype(np.int64)
