"""A particle of atoms: lattice, cut, trim, grade, share out the elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nanostrata.domain import AtomicModel, FloatArray, ShellProfile
from nanostrata.domain.base import IntArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.lattice_cut import block, bond_offsets, share_out, trim
from nanostrata.models.lattice_cells import parse_direction, sublattice_count, unit_cell
from nanostrata.tables.oxidation import usual_state

if TYPE_CHECKING:
    from nanostrata.models.density import SolidSolution

Profile: TypeAlias = Callable[[FloatArray], FloatArray]
StrArray: TypeAlias = NDArray[np.str_]
BoolArray: TypeAlias = NDArray[np.bool_]
LatticeKind: TypeAlias = Literal["graded", "mean"]
Occupation: TypeAlias = Literal["quota", "random"]

GRID = np.linspace(0.0, 1.0, 1001)
MARGIN = 1.12
_CUTS = 4


def build_particle(
    solid: SolidSolution,
    *,
    semi_axes_nm: tuple[float, float, float],
    x_of_s: Profile,
    structure: str | None = None,
    axis: str = "001",
    rng: np.random.Generator,
    centre_jitter: bool = True,
    lattice: LatticeKind = "graded",
    shells: int = 5,
    occupation: Occupation = "quota",
    quota_shells: int | None = None,
) -> AtomicModel:
    r"""Build one particle, ellipsoid (A, B, C) with C along the given lattice direction.

    The lattice of one structure is cut so that, after sites with fewer than two bonds are dropped, the number of
    lattice sites is that of the ellipsoid, :math:`N = \int dV / v(x)` per sublattice. With ``lattice = "graded"`` each
    homothetic layer is then moved radially until a site at s takes the volume v(x(s)) of the solid solution there,

    .. math:: s_0^3 = \int_0^s 3 t^2 \frac{v_0}{v(x(t))}\, dt, \qquad v_0^{-1} = \int_0^1 \frac{3 t^2}{v(x(t))}\, dt

    (s before is s_0): the local density is that of Vegard's rule everywhere, as in an unstrained layer. With
    ``"mean"`` the lattice of the mean composition stays as it is (fully coherent, unrelaxed).

    Parameters
    ----------
    solid : SolidSolution
    semi_axes_nm : (A, B, C)
        nm; C is the unique axis, and z in the coordinates that come back.
    x_of_s : callable
        Shell fraction (0..1) at ellipsoidal radius s in 0..1.
    structure : str, optional
        "wurtzite", "zincblende", "rocksalt", "diamond", "fcc", "bcc" or "hcp"; default the core's.
    axis : str
        Direct-lattice direction [uvw] of the unique axis, "110"; "(100)" means the normal of that plane.
    rng : numpy.random.Generator
        Centre, and which atom sits on which site.
    centre_jitter : bool
        A centre anywhere in the cell; False puts it on the first basis site.
    lattice : "graded" or "mean"
    shells : int
        Number of equispaced shells for ``shell_index``.
    occupation : "quota" or "random"
        "quota": every radial bin holds its share of each element to within one atom (largest remainder), at random
        places inside the bin. "random": every site for itself, as in a random alloy; numbers then fluctuate from
        particle to particle. Quotas in thin bins take away part of the alloy's Laue scattering at small q.
    quota_shells : int, optional
        Quotas hold for this many equispaced shells of one composition each; left out: for bins of 24 sites, which
        follow any profile.

    Returns
    -------
    AtomicModel
        Vacant sites are kept with the symbol "X". ``info`` holds ``diameter_nm`` (6 N_pairs v / pi)^(1/3) as achieved,
        ``aspect_ratio``, ``charge_e``, ``shell_fraction`` (share of shell material by sites, as built), ``structure``,
        ``axis``, ``a_nm``, ``c_nm``, ``sites`` and ``vacancies``, and ``charge_unknown`` with the elements that have no
        usual oxidation state and count as 0 in ``charge_e``, if there are any.

    Raises
    ------
    PhysicsError
        x outside 0..1, an unknown structure or direction, or more atoms per formula than the sublattice has sites.

    Notes
    -----
    Assumes one crystal without faults. Fails when the particle is smaller than about one unit cell.
    """
    a, b, c = (float(v) for v in semi_axes_nm)
    if min(a, b, c) <= 0.0:
        raise PhysicsError(f"semi_axes_nm: must be > 0, got {semi_axes_nm}")
    x_grid = checked_fractions(x_of_s(GRID))
    outer, v0, x_mean = radial_map(solid, x_grid, lattice)
    name = structure or solid.core.structure
    cell, basis, sublattice = unit_cell(solid, name, x_mean, v0)
    directions = particle_frame(cell, axis)
    origin = rng.random(3) if centre_jitter else basis[0]
    reach = max(a, b, c) * MARGIN
    positions = block(cell, basis, origin, reach)
    positions = positions @ directions.T
    s0 = np.sqrt(((positions / np.array([a, b, c])) ** 2).sum(axis=-1))
    n_sub = int(sublattice.max()) + 1
    wanted = n_sub * 4.0 / 3.0 * math.pi * a * b * c / v0
    inside = _cut(s0, bond_offsets(cell, basis), wanted)
    flat = np.flatnonzero(inside)
    if len(flat) < 8:
        raise PhysicsError(
            f"semi_axes_nm: {semi_axes_nm} holds only {len(flat)} sites; a particle of several unit cells is needed"
        )
    s0_in = s0.ravel()[flat]
    s = np.where(s0_in <= 1.0, np.interp(s0_in, outer, GRID), 1.0 + (s0_in - 1.0) * slope_outside(outer))
    stretch = np.divide(s, s0_in, out=np.ones_like(s), where=s0_in > 1e-12)
    placed = positions.reshape(-1, 3)[flat] * stretch[:, None]
    x_site = checked_fractions(x_of_s(np.minimum(s, 1.0)))
    # in the unrelaxed lattice every site takes the same volume; in the graded one that of its own composition
    v_site = solid.site_volume_nm3(x_site) if lattice == "graded" else np.full(len(s), v0)
    on = sublattice[flat % len(basis)]
    symbols = _occupy(solid, x_site, np.minimum(s, 1.0), on, name, rng, occupation, quota_shells)
    volume = v_site / n_sub
    charge, unknown = formal_charge(symbols, on)
    return AtomicModel(
        symbols=tuple(symbols),
        positions_nm=placed,
        radius_fraction=s,
        site_volume_nm3=volume,
        semi_axes_nm=(a, b, c),
        shell_index=np.minimum(np.ceil(np.minimum(s, 1.0) * shells), shells).clip(min=1).astype(np.int64),
        info={
            "diameter_nm": float((6.0 * volume.sum() / math.pi) ** (1.0 / 3.0)),
            "aspect_ratio": float(c / math.sqrt(a * b)),
            "charge_e": float(charge),
            "shell_fraction": float(x_site.mean()),
            "structure": name,
            "axis": axis,
            "lattice": lattice,
            "a_nm": float(np.linalg.norm(cell[0])),
            "c_nm": float(np.linalg.norm(cell[2])),
            "sites": len(symbols),
            "vacancies": int(np.count_nonzero(symbols == "X")),
            **({"charge_unknown": " ".join(unknown)} if unknown else {}),
        },
    )


def build_from_profile(
    solid: SolidSolution,
    profile: ShellProfile,
    aspect_ratio: float = 1.0,
    structure: str | None = None,
    axis: str = "001",
    rng: np.random.Generator | None = None,
) -> AtomicModel:
    """Build the particle that a fitted profile describes, shell by shell.

    Parameters
    ----------
    solid : SolidSolution
    profile : ShellProfile
        Volume-equivalent outer radii and x of each shell.
    aspect_ratio : float
        Unique axis over the other two.
    structure, axis
        As in :func:`build_particle`.
    rng : numpy.random.Generator
        Required.

    Raises
    ------
    PhysicsError
        Without a generator, or as :func:`build_particle`.
    """
    if rng is None:
        raise PhysicsError("rng: a numpy.random.Generator is needed (no random numbers from hidden state)")
    radius = float(profile.edges_nm[-1])
    edges = profile.edges_nm / radius
    x = np.clip(profile.shell_fraction, 0.0, 1.0)

    def steps(s: FloatArray) -> FloatArray:
        return np.asarray(x[np.minimum(np.searchsorted(edges, s - 1e-12), len(x) - 1)])

    minor = radius * aspect_ratio ** (-1.0 / 3.0)
    return build_particle(
        solid,
        semi_axes_nm=(minor, minor, minor * aspect_ratio),
        x_of_s=steps,
        structure=structure,
        axis=axis,
        rng=rng,
        shells=len(x),
        quota_shells=len(x) if np.allclose(edges, np.arange(1, len(x) + 1) / len(x)) else None,
    )


def checked_fractions(x: FloatArray) -> FloatArray:
    """Return shell fractions as floats.

    Raises
    ------
    PhysicsError
        When one lies outside 0..1.
    """
    x = np.asarray(x, dtype=np.float64)
    if not np.all(np.isfinite(x)) or x.min() < -1e-9 or x.max() > 1.0 + 1e-9:
        raise PhysicsError(f"x_of_s: must lie in 0..1, got {x.min():g}..{x.max():g}")
    return np.clip(x, 0.0, 1.0)


def radial_map(solid: SolidSolution, x: FloatArray, lattice: str) -> tuple[FloatArray, float, float]:
    """Radius fraction before the move as a function of GRID, volume per shared site, site-mean composition."""
    per_volume = 1.0 / solid.site_volume_nm3(x)
    # midpoint rule in s^3: exact for constant x, and steps fall on grid lines
    cubes = np.diff(GRID**3)
    sites = cubes * 0.5 * (per_volume[1:] + per_volume[:-1])
    x_mean = float((sites * 0.5 * (x[1:] + x[:-1])).sum() / sites.sum())
    if lattice == "mean":
        return GRID, float(solid.site_volume_nm3(np.array([x_mean]))[0]), x_mean
    if lattice != "graded":
        raise PhysicsError(f'lattice: expected "graded" or "mean", got {lattice!r}')
    total = float(sites.sum())
    before = np.concatenate([[0.0], np.cumsum(sites) / total]) ** (1.0 / 3.0)
    return before, 1.0 / total, x_mean


def slope_outside(before: FloatArray) -> float:
    """Stretch of sites outside the body: that of its outermost layer."""
    return float((GRID[-1] - GRID[-2]) / (before[-1] - before[-2]))


def particle_frame(cell: FloatArray, axis: str) -> FloatArray:
    """Rotation whose rows are the particle's x, y and z (unique axis) in lattice coordinates."""
    z = parse_direction(cell, axis)
    helper = cell[2] if abs(z @ cell[2]) < 0.9 * np.linalg.norm(cell[2]) else cell[0]
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.array([x, np.cross(z, x), z])


def _cut(s0: FloatArray, bonds: list[IntArray], wanted: float) -> BoolArray:
    """Sites kept: the cutting radius is adjusted until the number that survives trimming is the one wanted."""
    limit, best, gap = 1.0, None, math.inf
    for _ in range(_CUTS):
        kept = trim(s0 <= limit, bonds)
        n = int(kept.sum())
        if abs(n - wanted) < gap:
            best, gap = kept, abs(n - wanted)
        if n == 0 or gap < 1.0:
            break
        limit = min(limit * (wanted / n) ** (1.0 / 3.0), MARGIN)
    assert best is not None
    return best


def _occupy(
    solid: SolidSolution, x: FloatArray, s: FloatArray, on: IntArray, structure: str, rng: np.random.Generator,
    occupation: str, quota_shells: int | None,
) -> StrArray:  # fmt: skip
    symbols = np.full(len(x), "X", dtype="<U2")
    for index, shares in enumerate(groups_of(solid, x, structure, sublattice_count(structure))):
        here = np.flatnonzero(on == index)
        own = {e: np.broadcast_to(n, x.shape)[here] for e, n in shares.items()}
        symbols[here] = filled(own, s[here], structure, rng, occupation, quota_shells)
    return symbols


def groups_of(
    solid: SolidSolution, x: FloatArray, structure: str, sublattices: int
) -> tuple[Mapping[str, FloatArray], ...]:
    """Return atoms per site of each sublattice; refuse a structure with another number of sublattices."""
    groups = solid.sublattices(x)
    if len(groups) != sublattices:
        raise PhysicsError(
            f"structure: {structure} has {sublattices} sublattice(s), but {solid.core.name} fills {len(groups)}: set "
            "particle.structure to a lattice of the same kind"
        )
    return groups


def filled(
    shares: Mapping[str, FloatArray], s: FloatArray, structure: str, rng: np.random.Generator, occupation: str,
    quota_shells: int | None,
) -> StrArray:  # fmt: skip
    """Element on each of sites that are filled alike, "X" where it stays empty.

    Parameters
    ----------
    shares : element -> (n,) atoms per site
    s : (n,) radius fraction of each site
    structure : for the message when more atoms than sites are asked for
    """
    members = tuple(shares)
    share = np.column_stack([shares[e] for e in members])
    vacant = 1.0 - share.sum(axis=1)
    if vacant.min() < -1e-6:
        most = f"{share.sum(axis=1).max():.3f} atoms of {', '.join(members)} per site of their sublattice"
        raise PhysicsError(
            f"composition: {most}, and {structure} has one such site per anion: choose another structure or another formula"
        )
    table = np.column_stack([share, np.maximum(vacant, 0.0)])
    table = table / table.sum(axis=1, keepdims=True)
    names: StrArray = np.array([*members, "X"], dtype="<U2")
    return np.asarray(names[choose_species(table, s, rng, occupation, quota_shells)])


def choose_species(
    probability: FloatArray, s: FloatArray, rng: np.random.Generator, occupation: str, quota_shells: int | None
) -> IntArray:
    """Species of each site of one sublattice, as column numbers of ``probability``; see :func:`build_particle`."""
    if occupation == "random":
        drawn = rng.random(len(s))[:, None] > np.cumsum(probability, axis=1)
        return np.asarray(np.minimum(drawn.sum(axis=1), probability.shape[1] - 1))
    if occupation != "quota":
        raise PhysicsError(f'occupation: expected "quota" or "random", got {occupation!r}')
    if quota_shells is None:
        return share_out(probability, s, rng)
    out = np.empty(len(s), dtype=np.int64)
    shell = np.clip(np.ceil(s * quota_shells - 1e-9), 1, quota_shells)
    for k in np.unique(shell):
        here = np.flatnonzero(shell == k)
        out[here] = share_out(probability[here], s[here], rng, per_bin=len(here))
    return out


def formal_charge(symbols: StrArray, on: IntArray) -> tuple[int, tuple[str, ...]]:
    """Sum of the usual oxidation states, and the elements without one; 0 for a body of one kind of site (metals)."""
    total, unknown = 0, []
    for sublattice in range(int(on.max()) + 1 if len(on) and on.max() > 0 else 0):
        names, n = np.unique(symbols[on == sublattice], return_counts=True)
        for name, count in zip(names, n, strict=True):
            state = 0 if name == "X" else usual_state(str(name), anion=sublattice == 1)
            if state is None:
                unknown.append(str(name))
            total += (state or 0) * int(count)
    return total, tuple(unknown)
