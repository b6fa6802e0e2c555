"""Keating's valence force field for tetrahedral crystals: which bond has which length and stiffness, and which atoms bond."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

import numpy as np

from nanostrata.domain import AtomicModel, Material
from nanostrata.domain.base import Domain, FloatArray, IntArray, check_range, freeze, frozen_array
from nanostrata.errors import PhysicsError
from nanostrata.kernels.keating import Engine, bond_vectors, keating, to_atoms
from nanostrata.models.density import SolidSolution
from nanostrata.tables.bond_stiffness import ELASTIC, ElasticConstants, force_constants, tetrahedral_length_nm
from nanostrata.tables.formulas import split_ions

__all__ = ["TETRAHEDRAL", "BondLaw", "BondNetwork", "ForceField", "bond_network", "force_field", "natural_length_nm"]

TETRAHEDRAL = ("wurtzite", "zincblende", "diamond", "cif")
"""Structures that may have four tetrahedral bonds at every site; of a CIF the bonds are counted."""

BOND_FACTOR = 1.3
"""Atoms closer than this times the tetrahedral bond length are bonded; the next ones of the other kind lie at 1.67."""

_PER_SHARED_SITE = {"diamond": 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class BondLaw(Domain):
    """Natural length and force constants of one kind of bond.

    Attributes
    ----------
    length_nm : nm
    alpha_n_m, beta_n_m : stretching and bending, N/m
    source : where they are from
    """

    length_nm: float
    alpha_n_m: float
    beta_n_m: float
    source: str = "given"

    def __post_init__(self) -> None:
        check_range("length_nm", self.length_nm, 0.1, 0.5, hint="a bond length in nm is expected")
        check_range("alpha_n_m", self.alpha_n_m, 0.1, 1000.0, hint="N/m is expected")
        check_range("beta_n_m", self.beta_n_m, 0.001, 1000.0, hint="N/m is expected")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForceField(Domain):
    """Bond laws by pair of elements.

    Attributes
    ----------
    laws : "cation-anion" ("Zn-Se"; "Si-Si" where there are no ions) -> BondLaw
    cations, anions : elements; the same in crystals of one kind of site
    """

    laws: Mapping[str, BondLaw]
    cations: tuple[str, ...]
    anions: tuple[str, ...]

    def __post_init__(self) -> None:
        freeze(self, "laws", MappingProxyType(dict(self.laws)))

    def __reduce__(self) -> tuple[object, ...]:
        from nanostrata.domain.base import _rebuild

        return _rebuild, (type(self), {"laws": dict(self.laws), "cations": self.cations, "anions": self.anions})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BondNetwork(Domain):
    """Bonds and angles between atoms, and their constants.

    Attributes
    ----------
    atoms : number of atoms
    bonds : (n_b, 2) atom numbers, cation first
    shift_nm : (n_b, 3) lattice vector by which the second atom is moved; empty for particles
    kind : (n_b,) number of the bond's law in ``names``
    names : pairs of elements
    length_nm, alpha_n_m : (n_b,)
    angles, beta_n_m : (n_a, 4), (n_a,), see :func:`nanostrata.kernels.keating.keating`
    """

    atoms: int
    bonds: IntArray
    shift_nm: FloatArray
    kind: IntArray
    names: tuple[str, ...]
    length_nm: FloatArray
    alpha_n_m: FloatArray
    angles: IntArray
    beta_n_m: FloatArray

    def __post_init__(self) -> None:
        freeze(self, "bonds", frozen_array("bonds", self.bonds, ndim=2, dtype=np.int64))
        freeze(self, "shift_nm", frozen_array("shift_nm", self.shift_nm, ndim=2))
        freeze(self, "angles", frozen_array("angles", self.angles, ndim=2, dtype=np.int64))

    @property
    def coordination(self) -> IntArray:
        """Bonds of each atom."""
        return np.bincount(self.bonds.ravel(), minlength=self.atoms).astype(np.int64)

    def vectors_nm(self, positions_nm: FloatArray) -> FloatArray:
        """Bond vectors, from cation to anion."""
        return bond_vectors(positions_nm, self.bonds, self.shift_nm if len(self.shift_nm) else None)

    def energy_and_gradient(self, positions_nm: FloatArray, engine: Engine = "auto") -> tuple[float, FloatArray]:
        """Energy, 1e-18 J, and its gradient by the positions, nN; forces are minus the gradient."""
        energy, by_bond = keating(
            self.vectors_nm(positions_nm), self.length_nm, self.alpha_n_m, self.angles, self.beta_n_m, engine=engine
        )
        return energy, to_atoms(by_bond, self.bonds, self.atoms)


def natural_length_nm(material: Material) -> float:
    """Bond length of the ideal tetrahedral lattice with the material's volume per cation-anion pair, nm."""
    pair = material.site_volume_nm3 * _PER_SHARED_SITE.get(material.structure, 1.0 / material.sublattice_sites[1])
    return tetrahedral_length_nm(pair)


def force_field(
    solid: SolidSolution,
    *,
    elastic: Mapping[str, ElasticConstants] | None = None,
    bonds: Mapping[str, BondLaw] | None = None,
) -> ForceField:
    """Bond laws for every pair of a cation and an anion that can meet in a solid solution.

    A law that is given counts. Else the length is that of the end member which the pair belongs to, from its lattice in the
    project file (so that the relaxed end members have the volume of Vegard's rule), and the force constants follow from its
    elastic constants by :func:`nanostrata.tables.bond_stiffness.force_constants`: those given for the end member, for all of
    its bonds alike, or the table's for the pair. A pair of both end members takes the mean of the two.

    Parameters
    ----------
    solid : SolidSolution
    elastic : "core", "shell" -> ElasticConstants (their ``length_nm`` is not used)
    bonds : "Ag-Se" -> BondLaw

    Raises
    ------
    PhysicsError
        For a lattice that is not tetrahedral, a given bond that cannot occur, and pairs without parameters, all by name.
    """
    members = [("core", solid.core)] + ([("shell", solid.shell)] if solid.shell is not None else [])
    for part, material in members:
        if material.structure not in TETRAHEDRAL:
            raise PhysicsError(
                f'atoms.relax: "keating" is for crystals with four tetrahedral bonds at every site; {material.name} ({part}) '
                f'is {material.structure}: write relax = "none"'
            )
    ions = [split_ions(m.composition) for _, m in members]
    cations = tuple(dict.fromkeys(e for c, _ in ions for e in c))
    anions = tuple(dict.fromkeys(e for _, a in ions for e in a))
    if not any(a for _, a in ions):
        cations = anions = tuple(dict.fromkeys(e for _, m in members for e in m.composition))
    known = [f"{c}-{a}" for c in cations for a in anions]
    given = {_ordered(name, cations, anions, known): law for name, law in (bonds or {}).items()}
    laws: dict[str, BondLaw] = {}
    missing: list[str] = []
    for name in dict.fromkeys(_ordered(n, cations, anions, known) for n in known):
        if name in given:
            laws[name] = given[name]
            continue
        found = [law for part, m in members if (law := _law_of(name, m, (elastic or {}).get(part), cations is anions))]
        if not found:
            missing.append(name)
            continue
        laws[name] = found[0] if len(found) == 1 else _mean(found)
    if missing:
        raise PhysicsError(
            f"atoms.relax: no length and force constants for the bond{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"known are {', '.join(ELASTIC)}. Give the elastic constants of the material as atoms.elastic.core or "
            'atoms.elastic.shell = { c11_gpa, c12_gpa, ... }, or the bond itself in atoms.bonds = { "Ag-Se" = { length_nm, '
            'alpha_n_m, beta_n_m } }, or write relax = "none"'
        )
    return ForceField(laws=laws, cations=cations, anions=anions)


def bond_network(model: AtomicModel, field: ForceField) -> tuple[BondNetwork, IntArray]:
    """Bonds and angles of a particle that nanostrata built.

    Parameters
    ----------
    model : with site volumes
    field : from :func:`force_field`

    Returns
    -------
    network : of the atoms, vacancies left out
    index : (n,) site of each atom

    Raises
    ------
    PhysicsError
        Without site volumes, for an atom with more than four bonds, or a bond without parameters.
    """
    from scipy.spatial import cKDTree

    if not model.site_volume_nm3.all():
        raise PhysicsError("relax: site volumes are missing; only particles that nanostrata built can be relaxed")
    if str(model.info.get("structure")) not in TETRAHEDRAL:
        raise PhysicsError(
            f'relax: "keating" is for tetrahedral crystals ({", ".join(TETRAHEDRAL)}), not for {model.info.get("structure")}'
        )
    symbols = np.array(model.symbols)
    index = np.flatnonzero(symbols != "X")
    strange = sorted(set(symbols[index].tolist()) - {*field.cations, *field.anions})
    if strange:
        raise PhysicsError(f"relax: {', '.join(strange)} is in neither material of the force field")
    positions = model.positions_nm[index]
    local = np.cbrt(model.site_volume_nm3[index] * 2.0 * 3.0 * np.sqrt(3.0) / 16.0)
    reach = BOND_FACTOR * float(local.max())
    pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray").astype(np.int64)
    gap = np.sqrt(((positions[pairs[:, 0]] - positions[pairs[:, 1]]) ** 2).sum(axis=1))
    pairs = pairs[gap < BOND_FACTOR * 0.5 * (local[pairs[:, 0]] + local[pairs[:, 1]])]
    if field.cations != field.anions:
        # an element that is a cation of one material and an anion of the other may bond with both
        first = np.isin(symbols[index], field.cations)
        second = np.isin(symbols[index], field.anions)
        forward = first[pairs[:, 0]] & second[pairs[:, 1]]
        backward = first[pairs[:, 1]] & second[pairs[:, 0]]
        pairs = np.where((backward & ~forward)[:, None], pairs[:, ::-1], pairs)[forward | backward]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return make_network(symbols[index].tolist(), pairs[order], np.empty((0, 3)), field), index


def make_network(symbols: Iterable[str], bonds: IntArray, shift_nm: FloatArray, field: ForceField) -> BondNetwork:
    """Network of given bonds; the bending constant of two different bonds is the geometric mean of theirs.

    Raises
    ------
    PhysicsError
        For an atom with more than four bonds, or a bond without parameters.
    """
    elements = list(symbols)
    names = tuple(field.laws)
    number = {name: k for k, name in enumerate(names)} | {
        "-".join(reversed(n.split("-"))): k for k, n in enumerate(names)
    }
    kind = np.empty(len(bonds), dtype=np.int64)
    for k, (a, b) in enumerate(bonds):
        name = f"{elements[a]}-{elements[b]}"
        if name not in number:
            raise PhysicsError(f"relax: {name} are bonded in the particle, but the force field has no such bond")
        kind[k] = number[name]
    laws = [field.laws[n] for n in names]
    length = np.array([law.length_nm for law in laws])[kind]
    alpha = np.array([law.alpha_n_m for law in laws])[kind]
    beta = np.array([law.beta_n_m for law in laws])[kind]
    at: list[list[tuple[int, int]]] = [[] for _ in elements]
    for k, (a, b) in enumerate(bonds):
        at[a].append((k, 1))
        at[b].append((k, -1))
    crowded = [i for i, own in enumerate(at) if len(own) > 4]
    if crowded:
        raise PhysicsError(
            f"relax: {elements[crowded[0]]} has {len(at[crowded[0]])} bonds, {len(crowded)} atoms have more than four; "
            'the crystal is not tetrahedral: write relax = "none"'
        )
    angles = [(a, s, b, t) for own in at for (a, s), (b, t) in combinations(own, 2)]
    table = np.array(angles, dtype=np.int64).reshape(-1, 4)
    return BondNetwork(
        atoms=len(elements), bonds=bonds, shift_nm=shift_nm, kind=kind, names=names, length_nm=length, alpha_n_m=alpha,
        angles=table, beta_n_m=np.sqrt(beta[table[:, 0]] * beta[table[:, 2]]),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- inner


def _ordered(name: str, cations: tuple[str, ...], anions: tuple[str, ...], known: Iterable[str]) -> str:
    parts = [p.strip() for p in name.split("-")]
    for trial in (parts, parts[::-1]):
        if len(trial) == 2 and trial[0] in cations and trial[1] in anions:
            return "-".join(sorted(trial)) if cations == anions else "-".join(trial)
    raise PhysicsError(f"atoms.bonds: {name!r} cannot occur in these materials; expected one of {', '.join(known)}")


def _law_of(name: str, material: Material, elastic: ElasticConstants | None, one_kind: bool) -> BondLaw | None:
    """Law of a pair from one end member; None where it is not a pair of this material, or nothing is known of it."""
    cations, anions = split_ions(material.composition)
    if one_kind:
        cations = anions = dict(material.composition)
    first, second = name.split("-")
    if first not in cations or second not in anions:
        return None
    constants = elastic or ELASTIC.get(name) or ELASTIC.get(f"{second}-{first}")
    if constants is None:
        return None
    length = natural_length_nm(material)
    # stiffness belongs to the crystal that it was measured on; without one of its own, to this material's length
    own = length if elastic is not None else constants.length_nm
    alpha, beta = force_constants(
        ElasticConstants(
            c11_gpa=constants.c11_gpa, c12_gpa=constants.c12_gpa, c44_gpa=constants.c44_gpa, c13_gpa=constants.c13_gpa,
            c33_gpa=constants.c33_gpa, length_nm=own, source=constants.source,
        )
    )  # fmt: skip
    return BondLaw(length_nm=length, alpha_n_m=alpha, beta_n_m=beta, source=f"elastic constants, {constants.source}")


def _mean(laws: list[BondLaw]) -> BondLaw:
    n = len(laws)
    sources = dict.fromkeys(law.source for law in laws)
    return BondLaw(
        length_nm=sum(law.length_nm for law in laws) / n,
        alpha_n_m=sum(law.alpha_n_m for law in laws) / n,
        beta_n_m=sum(law.beta_n_m for law in laws) / n,
        source="mean over both end members; " + "; ".join(sources),
    )
