"""Search for the beads that explain a curve: set-up, annealing, and the curve of a given set of beads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain.base import Domain, FloatArray, IntArray, check_range, frozen_array
from nanostrata.domain.shape import BeadModel
from nanostrata.errors import PhysicsError
from nanostrata.kernels import bead_field, bead_lattice

LOOSENESS_WEIGHTS = (16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
"""Weights of the mean empty share around a bead, times the diameter of the search ball over that of a bead, against chi^2
per point. The strongest one that explains the curve as well as weaker ones do is taken: a strong one keeps noise from
making the surface rough and the inside a sponge, but it also closes holes and rounds ends that are real."""

ENOUGH = 1.5
"""Chi^2 per point, against errors that include the lattice's, at which a curve counts as explained."""

LATTICE_SHARE = 0.5
"""Share of the roughness of a random cut that counts as error: beads that are searched for fit better than a random cut."""

_NO_EXTENT = 0.0
"""Radius of a bead in the pair kernel. Sites are points that sample an even body: averaged over where the lattice lies, the
sum over the sites within a body is the body's own amplitude. A ball at each of them would smear its surface once more and
add 3/5 of the ball's squared radius to Rg^2 (0.6 % of Rg for beads of 0.42 nm in a particle of 4 nm)."""

ANYWHERE = 0.1
"""Share of the flips tried at any site, so that a hole can begin inside."""

ANISOMETRIES = ("any", "prolate", "oblate")
_SIDES = {"any": 0.0, "prolate": 100.0, "oblate": -100.0}
"""Weight, against chi^2 per point, of the squared relative difference of the two moments that should be alike: 1 where they
differ by a tenth of their mean. So a body of three different axes, which can pass for either, is neither."""

_STEPS = 60
_HOT, _COLD = 1.0, 0.2
"""First temperature in units of chi^2 per point; last one in units of one over the number of points."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeadSearch(Domain):
    """Everything that the annealing of one curve needs; made by :func:`prepare_search`.

    Attributes
    ----------
    q_inv_nm, intensity, sigma : (n_q,) the points used, with their stated errors
    bead_nm : distance of neighbouring sites
    radius_nm : of the ball in which beads may sit
    spread, spread_shape : relative standard deviation of the sizes, and which distribution
    lattice_sigma : (n_q,) what beads of this size cannot draw, added to the errors in quadrature
    with_constant : whether a flat background is fitted with the scale
    start_radius_nm : radius of the ball of beads at the start
    sites : (n, 3) integer coordinates
    values : (n_max + 1, rank) contribution of a pair by squared lattice distance; see ``few_numbers``
    basis : (n_q, rank) from coefficients to the curve over the errors
    target : (rank,) the data in that basis
    square : sum of squares of the data over the errors
    anisometry : "prolate" or "oblate" where the other is not wanted, "any" to leave it open
    """

    q_inv_nm: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    bead_nm: float
    radius_nm: float
    spread: float
    lattice_sigma: FloatArray
    with_constant: bool
    start_radius_nm: float
    sites: IntArray
    values: FloatArray
    basis: FloatArray
    target: FloatArray
    square: float
    spread_shape: str = "gaussian"
    anisometry: str = "any"


def ensemble_curve(
    q_inv_nm: ArrayLike,
    positions_nm: ArrayLike,
    bead_nm: float,
    spread: float = 0.0,
    *,
    sizes: int = 41,
    spread_shape: str = "gaussian",
) -> FloatArray:
    r"""Scattering of an ensemble of similar particles made of beads, over n_beads^2.

    .. math:: \langle I\rangle(q) = \sum_{ij} S_q(r_{ij})

    Distances are gathered exactly when the beads sit on a common lattice and pair by pair otherwise.

    Parameters
    ----------
    q_inv_nm : (n_q,) 1/nm
    positions_nm : (n, 3)
    bead_nm : nearest-neighbour distance; a bead scatters as a point, the beads together as the even body that they sample
    spread : relative standard deviation of the size
    sizes : number of sizes of the average
    spread_shape : "gaussian" or "lognormal"

    Returns
    -------
    (n_q,) 1 for q = 0 and no spread
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    p = np.asarray(positions_nm, dtype=np.float64)
    lam, weight = bead_field.relative_sizes(spread, sizes, shape=spread_shape)
    square = np.concatenate([((p[i:] - p[i]) ** 2).sum(axis=1) for i in range(len(p))])
    scaled, count = np.unique(np.round(square / bead_nm**2, 7), return_counts=True)
    pairs = 2.0 * count
    pairs[0] -= len(p)  # a bead with itself is met once
    kernel = bead_field.pair_kernel(q, bead_nm * np.sqrt(scaled), _NO_EXTENT, lam, weight)
    return np.asarray(kernel @ pairs / len(p) ** 2)


def lattice_roughness(
    q_inv_nm: FloatArray, rg_nm: float, bead_nm: float, spread: float, draws: int = 24, spread_shape: str = "gaussian"
) -> FloatArray:
    """How far a ball cut from the lattice scatters unlike a smooth ball of its volume, rms over places of the centre.

    Parameters
    ----------
    q_inv_nm : (n_q,)
    rg_nm : radius of gyration of the ball
    bead_nm, spread, spread_shape : see :func:`ensemble_curve`
    draws : places of the centre; fixed ones, so that the same data give the same errors

    Returns
    -------
    (n_q,) in units of the forward intensity
    """
    radius = float(np.sqrt(5.0 / 3.0) * rg_nm)
    rng = np.random.default_rng(20140)
    lam, weight = bead_field.relative_sizes(spread, shape=spread_shape)
    around = bead_lattice.lattice_sites(radius / bead_nm + 2.0)
    n_max = int(4.0 * (radius / bead_nm + 1.0) ** 2) + 1
    kernel = bead_field.pair_kernel(q_inv_nm, bead_nm * np.sqrt(np.arange(n_max + 1.0)), _NO_EXTENT, lam, weight)
    forward = float((weight * lam**6).sum())
    total = np.zeros(len(q_inv_nm))
    for _ in range(draws):
        place = bead_lattice.positions(around + rng.uniform(-1.0, 1.0, 3), bead_nm)
        cut = around[(place**2).sum(axis=1) <= radius**2]
        smooth = (3.0 * len(cut) * bead_lattice.cell_volume(bead_nm) / (4.0 * np.pi)) ** (1.0 / 3.0)
        exact = sum(
            w * m**6 * bead_field.sphere_form(m * q_inv_nm * smooth) ** 2 for m, w in zip(lam, weight, strict=True)
        )
        total += (kernel @ bead_field.pair_counts(cut, n_max) / len(cut) ** 2 - exact) ** 2
    return np.asarray(np.sqrt(total / draws) / forward)


@lru_cache(maxsize=16)
def _roughness(q_inv_nm: bytes, rg_nm: float, bead_nm: float, spread: float, spread_shape: str) -> FloatArray:
    """Remember :func:`lattice_roughness`: all runs on one curve ask for the same."""
    return lattice_roughness(np.frombuffer(q_inv_nm), rg_nm, bead_nm, spread, spread_shape=spread_shape)


def prepare_search(
    q_inv_nm: ArrayLike, intensity: ArrayLike, sigma: ArrayLike, *, dmax_nm: float, rg_nm: float, i_zero: float,
    bead_nm: float, spread: float = 0.0, with_constant: bool = True, margin: float = 1.15,
    spread_shape: str = "gaussian", sites: IntArray | None = None, anisometry: str = "any",
) -> BeadSearch:  # fmt: skip
    """Lay out the lattice and bring the data into the few numbers that the annealing compares.

    Parameters
    ----------
    q_inv_nm, intensity, sigma : (n_q,) the points to explain
    dmax_nm, rg_nm : of the particle of mean size
    i_zero : forward intensity
    bead_nm : distance of neighbouring sites
    spread, spread_shape : relative standard deviation of the particles' size, "gaussian" or "lognormal"
    with_constant : fit a flat background
    margin : diameter of the search ball over dmax_nm; one bead is added
    sites : (n, 3) integer coordinates of the places where beads may sit; None takes all in the search ball
    anisometry : "any", "prolate" or "oblate"

    Raises
    ------
    PhysicsError
        When the beads are too large for the particle (fewer than 100 sites) or a number is impossible.
    """
    q = frozen_array("q_inv_nm", q_inv_nm, positive=True, increasing=True)
    y = frozen_array("intensity", intensity, length=len(q))
    s = frozen_array("sigma", sigma, length=len(q), positive=True)
    check_range("spread", spread, 0.0, 0.35, hint="a relative standard deviation is meant, 0.12 for 12 %")
    check_range("rg_nm", rg_nm, 1e-3, dmax_nm)
    radius = 0.5 * (margin * dmax_nm + bead_nm)
    if sites is None:
        sites = bead_lattice.lattice_sites(radius / bead_nm)
    if len(sites) < 100:
        raise PhysicsError(
            f"bead_nm: beads of {bead_nm:g} nm leave {len(sites)} places in a ball of {2 * radius:.3g} nm; at least "
            "100 are needed: the curve must reach further in q, or smaller beads must be asked for"
        )
    roughness = i_zero * _roughness(q.tobytes(), float(rg_nm), bead_nm, spread, spread_shape)
    error = np.hypot(s, LATTICE_SHARE * roughness)
    n_max = int(2 * (sites**2).sum(axis=1).max()) + 1
    lam, weight = bead_field.relative_sizes(spread, shape=spread_shape)
    kernel = bead_field.pair_kernel(q, bead_nm * np.sqrt(np.arange(n_max + 1.0)), _NO_EXTENT, lam, weight)
    white, data = kernel / error[:, None], y / error
    if with_constant:
        # what a constant can take up is taken out of both: it is then always at its best
        flat = 1.0 / error / np.linalg.norm(1.0 / error)
        white = white - np.outer(flat, flat @ white)
        data = data - flat * (flat @ data)
    basis, values = bead_field.few_numbers(white)
    return BeadSearch(
        q_inv_nm=q, intensity=y, sigma=s, bead_nm=bead_nm, radius_nm=radius, spread=spread,
        lattice_sigma=np.asarray(LATTICE_SHARE * roughness), with_constant=with_constant,
        start_radius_nm=float(min(np.sqrt(5.0 / 3.0) * rg_nm, radius)), sites=sites, values=values, basis=basis,
        target=basis.T @ data, square=float(data @ data),
        spread_shape=spread_shape, anisometry=anisometry,
    )  # fmt: skip


def retrieve_beads(
    search: BeadSearch, rng: np.random.Generator, moves: int, *, label: str = "", weight: float = LOOSENESS_WEIGHTS[0]
) -> BeadModel:
    r"""Anneal one set of beads from a ball.

    .. math:: F = \chi^2/n + \alpha\,\langle 1 - t_i \rangle, \qquad T_k = T_0 (T_1/T_0)^{k/(K-1)}

    t_i is the filled share of the 42 places around a bead. Scale and constant are at their best at every move; beads stay
    in one piece. The last temperature is a fifth of one point's share of chi^2.

    Parameters
    ----------
    search : BeadSearch
    rng : all random numbers come from it
    moves : flips tried
    label : carried by the model
    weight : alpha over the diameter of the search ball in beads; see :data:`LOOSENESS_WEIGHTS`

    Returns
    -------
    BeadModel
        Its chi^2 is against the stated errors of the data, without the share of the lattice.
    """
    place_nm = bead_lattice.positions(search.sites, search.bead_nm)
    filled = ((place_nm**2).sum(axis=1) <= search.start_radius_nm**2).astype(np.int64)
    return anneal(search, filled, rng, moves, label=label, weight=weight, hot=_HOT)


def anneal(
    search: BeadSearch, filled: IntArray, rng: np.random.Generator, moves: int, *, label: str, weight: float, hot: float
) -> BeadModel:
    """Anneal from given beads; see :func:`retrieve_beads`.

    Parameters
    ----------
    search, rng, moves, label, weight : see :func:`retrieve_beads`
    filled : (n,) 1 where a bead sits at the start
    hot : first temperature, in units of chi^2 per point
    """
    from nanostrata.kernels import bead_anneal

    sites, n, filled = search.sites, len(search.sites), filled.copy()
    alpha = weight * 2.0 * search.radius_nm / search.bead_nm
    contacts, pieces = bead_lattice.contact_table(sites), bead_lattice.local_pieces()
    field, total = bead_anneal.field_of(sites, search.values, filled)
    edge_list, place, edges = bead_anneal.surface_of(filled, contacts)
    around = bead_lattice.contact_table(sites, bead_lattice.AROUND)
    share = bead_lattice.AROUND_WEIGHT / bead_lattice.AROUND_WEIGHT.sum()
    touching = bead_anneal.filled_share(filled, around, share)
    seen, stack = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    counters = np.array([filled.sum(), edges, 0], dtype=np.int64)
    points = len(search.q_inv_nm)
    cold = min(_COLD / points, 0.1 * hot)
    for k in range(_STEPS):
        bead_anneal.move_beads(
            sites, contacts, pieces, search.values, search.target, search.square, 1.0 / points, around, share,
            filled, field, total, touching, edge_list, place, seen, stack, counters, alpha,
            hot * (cold / hot) ** (k / (_STEPS - 1)), rng.random((max(moves // _STEPS, 1), 2)), 10, n, ANYWHERE,
            _SIDES[search.anisometry],
        )  # fmt: skip
    inside = filled.astype(bool)
    place_nm = bead_lattice.positions(sites, search.bead_nm)
    return describe_beads(search, place_nm[inside], label=label, looseness=float((1.0 - touching[inside]).mean()))


def describe_beads(
    search: BeadSearch, positions_nm: FloatArray, *, label: str = "", looseness: float = 0.0
) -> BeadModel:
    """Centre a set of beads and fit scale and constant to the data of a search, with its errors."""
    model = ensemble_curve(
        search.q_inv_nm, positions_nm, search.bead_nm, search.spread, spread_shape=search.spread_shape
    )
    error = np.hypot(search.sigma, search.lattice_sigma)
    columns = [model / error] + ([1.0 / error] if search.with_constant else [])
    found = np.linalg.lstsq(np.stack(columns, axis=1), search.intensity / error, rcond=None)[0]
    constant = float(found[1]) if search.with_constant else 0.0
    fit = found[0] * model + constant
    return BeadModel(
        positions_nm=positions_nm - positions_nm.mean(axis=0), bead_nm=search.bead_nm,
        chi2_reduced=float((((search.intensity - fit) / search.sigma) ** 2).mean()), scale=float(found[0]),
        constant=constant, fit=fit, spread=search.spread, looseness=looseness, label=label,
    )  # fmt: skip


def misfit(search: BeadSearch, model: BeadModel) -> float:
    """Chi^2 per point of a model against the errors of the data and of the lattice together."""
    error = np.hypot(search.sigma, search.lattice_sigma)
    return float((((search.intensity - model.fit) / error) ** 2).mean())


def strongest_looseness(search: BeadSearch, seed: np.random.SeedSequence, moves: int) -> tuple[float, float, BeadModel]:
    r"""Find the strongest weight of looseness that costs no agreement with the curve, by one run for each weight.

    .. math:: \chi^2_\alpha \le \chi^2_{best}\,(1 + \sqrt{2/n})

    A misfit within one standard deviation of the best one's is as good: chi^2 of n points scatters by that much.

    Parameters
    ----------
    search : BeadSearch
    seed : for the runs
    moves : flips tried in each

    Returns
    -------
    weight, the chi^2 per point reached with it, and the beads of that run
    """
    deviation = float(np.sqrt(2.0 / len(search.q_inv_nm)))
    tried: list[float] = []
    models: list[BeadModel] = []
    for weight, child in zip(LOOSENESS_WEIGHTS, seed.spawn(len(LOOSENESS_WEIGHTS)), strict=True):
        models.append(retrieve_beads(search, np.random.default_rng(child), moves, weight=weight))
        tried.append(misfit(search, models[-1]))
        # explained, and the last two weaker ones did not help: weaker ones still would only fit noise
        if len(tried) > 2 and tried[-3] <= ENOUGH and min(tried[-2:]) > tried[-3] * (1.0 - deviation):
            break
    k = next(i for i, c in enumerate(tried) if c <= (1.0 + deviation) * min(tried))
    return LOOSENESS_WEIGHTS[k], tried[k], models[k]
