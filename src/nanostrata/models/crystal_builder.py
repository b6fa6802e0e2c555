"""A particle of any crystal, cut to any body, with stacking faults and a chosen termination where asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.domain.base import Domain, IntArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.lattice_cut import block
from nanostrata.kernels.stacking import FaultKind, hexagonal_layers
from nanostrata.models.bond_graph import BondGraph, bond_reach, bonds_between
from nanostrata.models.crystal_body import Body
from nanostrata.models.crystal_cells import CrystalCell, cell_of_structure
from nanostrata.models.crystal_layers import faulted_sites
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_particle import (
    GRID,
    MARGIN,
    BoolArray,
    LatticeKind,
    Occupation,
    Profile,
    StrArray,
    checked_fractions,
    filled,
    formal_charge,
    groups_of,
    particle_frame,
    radial_map,
    slope_outside,
)

__all__ = ["Faults", "Termination", "build_crystal"]

Termination: TypeAlias = Literal["any", "cation", "anion"]

_CUTS = 4
_INNER: dict[str, int] = {"cation": 1, "anion": 0}
"""Sublattice that must not lie outermost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults(Domain):
    """Stacking faults of close-packed layers.

    Attributes
    ----------
    probability : per step from one layer to the next, 0..1
    kind : "growth" or "deformation", see :func:`nanostrata.kernels.stacking.stacking_sequence`
    sequence : explicit letters in place of random faults, "ABCABAB…"; repeated or cut to the layers of the particle
    """

    probability: float = 0.0
    kind: FaultKind = "growth"
    sequence: str | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise PhysicsError(f"faults: a probability lies in 0..1, got {self.probability:g}")
        if self.kind not in ("growth", "deformation"):
            raise PhysicsError(f'faults: expected "growth" or "deformation", got {self.kind!r}')
        if self.sequence is not None:
            word = self.sequence
            if len(word) < 2 or set(word) - set("ABC"):
                raise PhysicsError(f"faults: a stacking sequence is written with A, B and C, got {word!r}")
            if any(a == b for a, b in zip(word, word[1:] + word[0], strict=True)):
                raise PhysicsError(
                    f"faults: neighbouring layers of {word!r} (repeated without end) have the same position"
                )


def build_crystal(
    solid: SolidSolution,
    *,
    body: Body,
    x_of_s: Profile,
    cell: CrystalCell | None = None,
    structure: str | None = None,
    axis: str = "001",
    rng: np.random.Generator,
    centre_jitter: bool = True,
    lattice: LatticeKind = "graded",
    faults: Faults | None = None,
    termination: Termination = "any",
    min_bonds: int = 2,
    shells: int = 5,
    occupation: Occupation = "quota",
    quota_shells: int | None = None,
) -> AtomicModel:
    r"""Build one particle of any crystal.

    For a spheroid of a named structure without faults the result is that of
    :func:`nanostrata.models.lattice_particle.build_particle`, site by site, where the lattice, its grading and the sharing
    out of the elements are told.

    Parameters
    ----------
    solid : SolidSolution
    body : Body
        In the particle's frame: z is the unique axis, see ``axis``.
    x_of_s : callable
        Shell fraction (0..1) at radius fraction s in 0..1.
    cell : CrystalCell, optional
        The core's cell, from a CIF; scaled as a whole to the volume per shared site of the mean composition. Shell material
        enters all sites of a sublattice alike, the core's own order on the other share of them is kept.
    structure : str, optional
        Named structure where no cell is given; default the core's.
    axis : str
        Direct-lattice direction [uvw] that becomes z, or "(hkl)" for the normal of a plane.
    rng : numpy.random.Generator
        Centre, faults, and which atom sits on which site.
    centre_jitter : bool
        A centre anywhere in the cell; False puts it on the first basis site.
    lattice : "graded" or "mean"
        As in ``build_particle``; for other bodies than ellipsoids along the rays from the centre.
    faults : Faults, optional
        Close-packed layers along [111] (zincblende, diamond, fcc) or [001] (wurtzite, hcp).
    termination : "any", "cation" or "anion"
        "cation": every anion has all its bonds; the cations that it takes are added, even where they have one bond only, and
        others are left out. So cations lie outermost everywhere, in excess. "anion" the other way round. In real particles
        ligands bind to such sites, which are not modelled.
    min_bonds : int
        Sites with fewer bonds are dropped, again and again until there are none (before a termination adds some). Three of
        four may leave nothing of a tetrahedral crystal: edges between facets always have sites with two.
    shells, occupation, quota_shells
        As in ``build_particle``.

    Returns
    -------
    AtomicModel
        ``info`` as from ``build_particle``, and with faults ``stacking`` (letters of the layers in the particle),
        ``faults`` (faulted steps between them) and ``hexagonality`` (share of layers whose neighbours have the same
        position: 1 in wurtzite, 0 in zinc blende). ``semi_axes_nm`` of other bodies than spheroids are those of the
        spheroid round z with the same volume and the same ratio of second moments.

    Raises
    ------
    PhysicsError
        x outside 0..1, an unknown structure or direction, faults in a structure without close-packed layers, a termination
        of a crystal with one kind of site, a demand on bonds that leaves nothing, or more atoms than sites.
    """
    x_grid = checked_fractions(x_of_s(GRID))
    outer, v0, x_mean = radial_map(solid, x_grid, lattice)
    cell = _scaled_cell(solid, cell, structure or solid.core.structure, x_mean, v0)
    if termination not in ("any", "cation", "anion"):
        raise PhysicsError(f'termination: expected "any", "cation" or "anion", got {termination!r}')
    if termination != "any" and cell.sublattices == 1:
        raise PhysicsError(f"termination: {cell.structure} has one kind of site; no species can face outwards")
    turn = particle_frame(cell.vectors_nm, axis)
    origin = rng.random(3) if centre_jitter else np.asarray(cell.basis[0])
    reaches = bond_reach(cell)
    # a termination may add sites one bond further out
    reach = body.reach_nm * MARGIN + (0.0 if termination == "any" else float(reaches.max()))
    notes: dict[str, float | int | str] = {}
    layer_of = None
    if faults is None:
        points = block(cell.vectors_nm, cell.basis, origin, reach).reshape(-1, 3)
        site = np.tile(np.arange(len(cell.basis)), len(points) // len(cell.basis))
    else:
        points, site, layer_of, letters, faulted = faulted_sites(cell, origin, reach, faults, rng)
    points = points @ turn.T
    s0 = body.radius_fraction(points)
    near = np.flatnonzero(s0 <= MARGIN) if termination == "any" else np.arange(len(points))
    on = cell.sublattice[site]
    graph = bonds_between(points[near], on[near], reaches[site[near]])
    wanted = body.volume_nm3 * len(cell.basis) / cell.volume_nm3
    kept = _cut(s0[near], graph, wanted, min_bonds, termination, on[near])
    flat = near[kept]
    if len(flat) < 8:
        raise PhysicsError(
            f"body: {body.volume_nm3:.3g} nm^3 holds only {len(flat)} sites after trimming (min_bonds {min_bonds}, termination "
            f"{termination}); a particle of several unit cells is needed"
        )
    s0_in = np.where(np.isfinite(s0[flat]), s0[flat], 1.0)
    s = np.where(s0_in <= 1.0, np.interp(s0_in, outer, GRID), 1.0 + (s0_in - 1.0) * slope_outside(outer))
    stretch = np.divide(s, s0_in, out=np.ones_like(s), where=s0_in > 1e-12)
    placed = points[flat] * stretch[:, None]
    x_site = checked_fractions(x_of_s(np.minimum(s, 1.0)))
    v_site = solid.site_volume_nm3(x_site) if lattice == "graded" else np.full(len(s), v0)
    symbols = _occupy(solid, cell, x_site, np.minimum(s, 1.0), site[flat], rng, occupation, quota_shells)
    per_site = float(len(cell.basis)) * v0 / cell.volume_nm3
    volume = v_site / per_site
    charge, unknown = formal_charge(symbols, on[flat])
    if layer_of is not None:
        notes = _stacking_notes(layer_of[flat], letters, faulted)
    axes = _semi_axes(body, placed)
    return AtomicModel(
        symbols=tuple(symbols),
        positions_nm=placed,
        radius_fraction=s,
        site_volume_nm3=volume,
        semi_axes_nm=axes,
        shell_index=np.minimum(np.ceil(np.minimum(s, 1.0) * shells), shells).clip(min=1).astype(np.int64),
        # the neighbours of a vacancy tell its sublattice in named structures only
        sublattice=on[flat] if cell.structure == "cif" else np.empty(0, dtype=np.int64),
        info={
            "diameter_nm": float((6.0 * volume.sum() / math.pi) ** (1.0 / 3.0)),
            "aspect_ratio": float(axes[2] / math.sqrt(axes[0] * axes[1])),
            "charge_e": float(charge),
            "shell_fraction": float(x_site.mean()),
            "structure": cell.structure,
            "axis": axis,
            "lattice": lattice,
            "a_nm": float(np.linalg.norm(cell.vectors_nm[0])),
            "c_nm": float(np.linalg.norm(cell.vectors_nm[2])),
            "sites": len(symbols),
            "vacancies": int(np.count_nonzero(symbols == "X")),
            **({"termination": termination} if termination != "any" else {}),
            **({"min_bonds": min_bonds} if min_bonds != 2 else {}),
            **notes,
            **({"charge_unknown": " ".join(unknown)} if unknown else {}),
        },
    )


# ------------------------------------------------------------------------------------------------------- inner


def _scaled_cell(
    solid: SolidSolution, cell: CrystalCell | None, structure: str, x_mean: float, v0: float
) -> CrystalCell:
    if cell is None:
        return cell_of_structure(solid, structure, x_mean, v0)
    # shared sites of the cell: its positions of the shared sublattice, whose number per shared site is 1 there
    per_shared = sum(solid.core.sublattice_sites[: cell.sublattices])
    return cell.scaled((v0 * len(cell.basis) / per_shared / cell.volume_nm3) ** (1.0 / 3.0))


def _cut(
    s0: FloatArray, graph: BondGraph, wanted: float, min_bonds: int, termination: Termination, on: IntArray
) -> BoolArray:
    """Sites kept: the cutting radius is adjusted until the number that survives trimming is the one wanted."""
    limit, gap = 1.0, math.inf
    best = np.zeros(len(s0), dtype=bool)
    inner = _INNER.get(termination)
    for _ in range(_CUTS):
        kept = graph.trimmed(s0 <= limit, min_bonds)
        if inner is not None:
            core = kept & (on == inner)
            kept = core | graph.neighbours(core)
        n = int(kept.sum())
        if abs(n - wanted) < gap:
            best, gap = kept, abs(n - wanted)
        if n == 0 or gap < 1.0:
            break
        limit = min(limit * (wanted / n) ** (1.0 / 3.0), MARGIN)
    return best


def _occupy(
    solid: SolidSolution, cell: CrystalCell, x: FloatArray, s: FloatArray, site: IntArray, rng: np.random.Generator,
    occupation: str, quota_shells: int | None,
) -> StrArray:  # fmt: skip
    groups = groups_of(solid, x, cell.structure, cell.sublattices)
    symbols = np.full(len(x), "X", dtype="<U2")
    for kind, sublattice, core in _site_kinds(cell):
        here = np.flatnonzero(kind[site])
        if len(here) == 0:
            continue
        shares = {e: np.broadcast_to(n, x.shape)[here] for e, n in groups[sublattice].items()}
        if core is not None:
            shares = _ordered(solid, sublattice, core, x[here])
        symbols[here] = filled(shares, s[here], cell.structure, rng, occupation, quota_shells)
    return symbols


def _site_kinds(cell: CrystalCell) -> list[tuple[BoolArray, int, dict[str, float] | None]]:
    """Basis sites that are filled alike: mask over the basis, sublattice, and the core's own occupants (CIF only)."""
    if not cell.occupants:
        return [(cell.sublattice == k, k, None) for k in range(cell.sublattices)]
    kinds: dict[tuple[int, tuple[tuple[str, float], ...]], list[int]] = {}
    for k, (on, content) in enumerate(zip(cell.sublattice, cell.occupants, strict=True)):
        kinds.setdefault((int(on), tuple(sorted(content.items()))), []).append(k)
    out: list[tuple[BoolArray, int, dict[str, float] | None]] = []
    for (on, items), members in sorted(kinds.items()):
        mask = np.zeros(len(cell.basis), dtype=bool)
        mask[members] = True
        out.append((mask, on, dict(items)))
    return out


def _ordered(solid: SolidSolution, sublattice: int, core: dict[str, float], x: FloatArray) -> dict[str, FloatArray]:
    """Occupants of a site of a CIF: the core's own, and shell material on the share x of all sites of the sublattice."""
    if solid.shell is None:
        return {e: np.full(len(x), n) for e, n in core.items()}
    shell_only = SolidSolution(core=solid.shell, shell=None, medium=solid.medium).sublattices(np.zeros(1))[sublattice]
    sites = solid.shell.sublattice_sites[sublattice]
    members = dict.fromkeys([*core, *shell_only])
    return {
        e: (1.0 - x) * core.get(e, 0.0) + x * (float(shell_only[e][0]) / sites if e in shell_only else 0.0)
        for e in members
    }


def _stacking_notes(layer: IntArray, letters: IntArray, faulted: BoolArray) -> dict[str, float | int | str]:
    low, high = int(layer.min()), int(layer.max())
    inside = letters[low : high + 1]
    hexagonal = hexagonal_layers(inside) if len(inside) > 2 else np.zeros(0, dtype=bool)
    return {
        "stacking": "".join("ABC"[k] for k in inside),
        "faults": int(faulted[low + 1 : high + 1].sum()),
        "hexagonality": float(hexagonal.mean()) if len(hexagonal) else 0.0,
    }


def _semi_axes(body: Body, placed: FloatArray) -> tuple[float, float, float]:
    own = getattr(body, "semi_axes_nm", None)
    if own is not None:
        return float(own[0]), float(own[1]), float(own[2])
    moment = ((placed - placed.mean(axis=0)) ** 2).mean(axis=0)
    aspect = math.sqrt(2.0 * float(moment[2]) / float(moment[0] + moment[1]))
    minor = (3.0 * body.volume_nm3 / (4.0 * math.pi * aspect)) ** (1.0 / 3.0)
    return minor, minor, minor * aspect
