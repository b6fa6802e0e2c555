"""Kinds of points of particles of atoms, and the tables of their pair distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nanostrata.domain import AtomicModel, Domain, FloatArray
from nanostrata.domain.base import IntArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.debye import (
    PAIR_BIN_TIMES_Q,
    PAIR_MOMENTS,
    Engine,
    channel_pairs,
    n_channels,
    pair_moments,
    reach_nm,
    self_terms,
)
from nanostrata.kernels.find_lattice import find_lattice
from nanostrata.kernels.lattice_pairs import (
    LATTICE_BIN_TIMES_Q,
    LATTICE_MOMENTS,
    LatticeSites,
    lattice_moments,
    transform_shape,
    transforms,
)

MediumModel: TypeAlias = Literal["sites", "body"]
Method: TypeAlias = Literal["auto", "lattice", "pairs"]

VACANCY = "X"

MOST_VOLUMES = 8
"""Up to this many different site volumes every one is a kind of its own; more are interpolated between a few nodes."""

LATTICE_TOLERANCE = 2e-5
"""Largest distance of an atom from its lattice site, times q_max: below it the phase of a wave is right to 2e-5."""

_LATTICE_BYTES = 1 << 30
_PAIR_S, _VOXEL_S, _SEARCH_S = 1.8e-9, 2e-8, 0.02
"""Rough times of a pair, of a voxel in a transform and of the search for a lattice: they decide which way is taken."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns(Domain):
    """What the pair sums of some particles are split into: elements first, then units of displaced medium.

    Attributes
    ----------
    elements : (n_e,)
    site_size_nm2 : (n_k,) v^(2/3) of each pseudo element of the medium
    kinds : (n_c,) (element or "X", number of the volume) where every volume is exact; empty where they are interpolated
    spread : (n_c, n_e + n_k) how often a point of a kind counts in each column
    """

    elements: tuple[str, ...]
    site_size_nm2: FloatArray
    kinds: tuple[tuple[str, int], ...]
    spread: FloatArray

    @property
    def exact(self) -> bool:
        """Whether points fall into kinds; otherwise every site carries weights of its own."""
        return bool(self.kinds)


def choose_columns(models: Sequence[AtomicModel], medium_model: MediumModel | None, nodes: int) -> Columns:
    """Kinds of points that occur in any of the particles.

    Raises
    ------
    PhysicsError
        When no particle is given, or the medium is asked for by sites and volumes are missing.
    """
    if not models:
        raise PhysicsError("models: expected at least one particle, got none")
    elements = tuple(sorted({s for m in models for s in m.symbols} - {VACANCY}))
    if medium_model != "sites":
        eye = np.eye(len(elements))
        return Columns(elements=elements, site_size_nm2=np.empty(0), kinds=tuple((e, -1) for e in elements), spread=eye)
    if any(m.site_volume_nm3.sum() <= 0 for m in models):
        raise PhysicsError(
            "site_volume_nm3: all zero, but the displaced medium is asked for: give volumes or medium_model=None"
        )
    volumes = np.unique(np.concatenate([_rounded(m.site_volume_nm3) for m in models]))
    if len(volumes) > MOST_VOLUMES:
        return Columns(
            elements=elements, site_size_nm2=node_sizes(models, nodes), kinds=(), spread=np.empty((0, 0))
        )  # fmt: skip
    found: set[tuple[str, int]] = set()
    for m in models:
        number = np.searchsorted(volumes, _rounded(m.site_volume_nm3))
        rows = np.unique(np.stack([species_of(m, elements), number]), axis=1)
        found |= {(elements[e] if e >= 0 else VACANCY, int(k)) for e, k in rows.T}
    kinds = sorted(found)
    spread = np.zeros((len(kinds), len(elements) + len(volumes)))
    for row, (symbol, k) in enumerate(kinds):
        if symbol != VACANCY:
            spread[row, elements.index(symbol)] = 1.0
        spread[row, len(elements) + k] = volumes[k]
    return Columns(
        elements=elements, site_size_nm2=volumes ** (2.0 / 3.0), kinds=tuple(kinds), spread=spread
    )  # fmt: skip


def _rounded(volume_nm3: FloatArray) -> FloatArray:
    """Volumes to 1e-12 nm^3: what is left of rounding does not make two kinds of one."""
    return np.asarray(np.round(volume_nm3, 12))


def species_of(model: AtomicModel, elements: tuple[str, ...]) -> IntArray:
    """Number of each site's element, -1 for a vacancy."""
    names, where = np.unique(np.array(model.symbols), return_inverse=True)
    index = {name: k for k, name in enumerate(elements)} | {VACANCY: -1}
    return np.array([index[str(n)] for n in names], dtype=np.int64)[where]


def kinds_of(model: AtomicModel, columns: Columns) -> IntArray:
    """Number of each site's kind, -1 for a vacancy that displaces nothing."""
    species = species_of(model, columns.elements)
    if not len(columns.site_size_nm2):
        return species
    names = (*columns.elements, VACANCY)
    index = np.full((len(names), len(columns.site_size_nm2)), -1, dtype=np.int64)
    for k, (name, volume) in enumerate(columns.kinds):
        index[names.index(name), volume] = k
    volumes = columns.spread[:, len(columns.elements) :].max(axis=0)
    return np.asarray(index[species, np.searchsorted(volumes, _rounded(model.site_volume_nm3))])


def node_sizes(models: Sequence[AtomicModel], nodes: int) -> FloatArray:
    """Nodes of v^(2/3) between which the medium's Gaussian is interpolated."""
    low = min(float(m.site_volume_nm3.min()) for m in models) ** (2.0 / 3.0)
    high = max(float(m.site_volume_nm3.max()) for m in models) ** (2.0 / 3.0)
    if nodes < 2:
        return np.array([0.5 * (low + high)])
    # Chebyshev points keep the interpolation error even over the range of volumes
    k = np.arange(nodes)
    return np.asarray(0.5 * (low + high) - 0.5 * (high - low) * np.cos((2 * k + 1) * math.pi / (2 * nodes)))


def node_weights(model: AtomicModel, sizes: FloatArray) -> FloatArray:
    """Site volumes times Lagrange's basis polynomials in v^(2/3): (m, n_nodes)."""
    v = model.site_volume_nm3
    u = v ** (2.0 / 3.0)
    columns = np.empty((len(v), len(sizes)))
    for k, node in enumerate(sizes):
        factor = np.ones(len(v))
        for other in np.delete(sizes, k):
            factor *= (u - other) / (node - other)
        columns[:, k] = v * factor
    return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Bins of the pair distances of one method: width, number, moments kept in each."""

    width_nm: float
    number: int
    moments: int


def bins_of(models: Sequence[AtomicModel], q_max: float, width_nm: float | None = None) -> dict[str, Bins]:
    """Bins that hold the distances of every particle, for each method."""
    q = max(q_max, 1.0)
    reach = max((_diameter(m) for m in models), default=0.0)
    found = {}
    for name, width, moments in (
        ("pairs", width_nm if width_nm is not None else PAIR_BIN_TIMES_Q / q, PAIR_MOMENTS),
        ("lattice", LATTICE_BIN_TIMES_Q / q, LATTICE_MOMENTS),
    ):
        found[name] = Bins(width_nm=width, number=int(reach / width) + 2, moments=moments)
    return found


def _diameter(model: AtomicModel) -> float:
    """Upper bound of the distances between all sites, and between those that are filled."""
    filled = np.array([s != VACANCY for s in model.symbols], dtype=bool)
    return max(reach_nm(p) for p in (model.positions_nm, model.positions_nm[filled]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistanceTable:
    """Pair distances of one particle, split by columns.

    Attributes
    ----------
    moments : (n_channels, n_bins, n_moments), see :func:`nanostrata.kernels.debye.pair_moments`
    own : (n, n) pairs of every point with itself
    count : (n_bins,) pairs of all points
    method : "lattice" or "pairs"
    """

    moments: FloatArray
    own: FloatArray
    count: FloatArray
    method: str


def distance_table(
    model: AtomicModel, columns: Columns, bins: dict[str, Bins], *, method: Method, engine: Engine
) -> DistanceTable:
    """Tabulate the pair distances of one particle.

    Raises
    ------
    PhysicsError
        When the method is not known, or a lattice is asked for that there is not.
    """
    if method not in ("auto", "lattice", "pairs"):
        raise PhysicsError(f'method: expected "auto", "lattice" or "pairs", got {method!r}')
    pairs, lattice = bins["pairs"], bins["lattice"]
    n_e, n_k = len(columns.elements), len(columns.site_size_nm2)
    if not columns.exact:
        if method == "lattice":
            raise PhysicsError(
                f"method: on a lattice the sites may have {MOST_VOLUMES} different volumes at most; take "
                'method="pairs", or medium_model="body"'
            )
        species, weights = species_of(model, columns.elements), node_weights(model, columns.site_size_nm2)
        out, count = np.zeros((n_channels(n_e, n_k), pairs.number, pairs.moments)), np.zeros(pairs.number)
        pair_moments(model.positions_nm, species, weights, n_e, pairs.width_nm, out, count, engine=engine)
        return DistanceTable(moments=out, own=self_terms(species, weights, n_e), count=count, method="pairs")
    kinds = kinds_of(model, columns)
    counted = kinds >= 0
    positions, kinds, n_c = model.positions_nm[counted], kinds[counted], len(columns.kinds)
    sites = _lattice(positions, kinds, n_c, LATTICE_TOLERANCE * lattice.width_nm, method)
    used = pairs if sites is None else lattice
    table, count = np.zeros((n_channels(n_c, 0), used.number, used.moments)), np.zeros(used.number)
    if sites is not None:
        lattice_moments(sites, kinds, n_c, used.width_nm, table, engine=engine)
        count += table[:, :, 0].sum(axis=0)
    else:
        pair_moments(positions, kinds, np.empty((len(kinds), 0)), n_c, used.width_nm, table, count, engine=engine)
    number = np.bincount(kinds, minlength=n_c).astype(np.float64)
    return DistanceTable(
        moments=_contracted(table, columns.spread), own=columns.spread.T @ (number[:, None] * columns.spread), count=count,
        method="pairs" if sites is None else "lattice",
    )  # fmt: skip


def _lattice(
    positions: FloatArray, kinds: IntArray, n_kinds: int, tolerance_nm: float, method: Method
) -> LatticeSites | None:
    """Lattice of the points, where counting on it is wished and possible, or pays."""
    slow = 0.5 * len(positions) ** 2 * _PAIR_S
    if method == "pairs" or (method == "auto" and slow < 2.0 * _SEARCH_S):
        return None
    sites = find_lattice(positions, tolerance_nm)
    if method == "lattice":
        if sites is None:
            raise PhysicsError(
                f'method: the atoms sit on no lattice within {tolerance_nm:.1g} nm; take method="pairs" or "auto"'
            )
        return sites
    if sites is None:
        return None
    voxels = float(np.prod([float(n) for n in transform_shape(sites)]))
    forward, inverse = transforms(sites, kinds, n_kinds)
    if (forward + inverse) * voxels * _VOXEL_S > slow or (forward + 3) * voxels * 8 > _LATTICE_BYTES:
        return None
    return sites


def _contracted(table: FloatArray, spread: FloatArray) -> FloatArray:
    """From pairs of kinds to pairs of columns."""
    n_c, n = spread.shape
    if n_c == n and np.array_equal(spread, np.eye(n)):
        return table
    kinds = channel_pairs(n_c)
    share = np.empty((n * (n + 1) // 2, len(kinds)))
    for row, (k, m) in enumerate(channel_pairs(n)):
        for c, (a, b) in enumerate(kinds):
            value = spread[a, k] * spread[b, m] + spread[b, k] * spread[a, m]
            # a channel of two different columns holds both orders, one of equal columns only one
            share[row, c] = value * (0.5 if k == m else 1.0)
    return np.asarray(np.tensordot(share, table, axes=(1, 0)))
