"""Retrieve bead models from one curve: choose the points and the bead, then anneal, one run per task."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.domain.shape import BeadModel, CurveFigures
from nanostrata.errors import PhysicsError
from nanostrata.models.bead_refine import COOL, HOT, finer_sites, refine_beads
from nanostrata.models.beads import (
    ENOUGH,
    LOOSENESS_WEIGHTS,
    BeadSearch,
    prepare_search,
    retrieve_beads,
    strongest_looseness,
)
from nanostrata.models.named_bodies import NamedBody, cut_body, fit_named_bodies, sharp_body, told_bodies
from nanostrata.models.shape_figures import figures_of_curve
from nanostrata.models.shape_points import choose_points

VERSION = "5"
"""Part of every stored result; raised when the stage changes what it means."""

_SITES_PER_D3 = math.pi / 6.0 * math.sqrt(2.0)

_CUT = 0.6
"""Beads that a start is cut with, in units of those that follow: edges are drawn the better."""

_FEWEST_FIRST = 1500
"""Lattice sites of a first search at least: with half as many, a wrong length was found that the second one kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeEffort(Domain):
    """How much time to spend.

    Attributes
    ----------
    bead_share : bead diameter in units of pi / q_max
    most_sites : lattice sites at most, in the ball, or else near what a first search with larger beads found there;
        where that is not enough either, particles get larger beads and a shorter range of q
    moves_per_site : flips tried per site
    resampled, naive, checks : runs on resampled data, without the spread, and on simulated particles, as shares of the
        runs on the data
    """

    bead_share: float
    most_sites: int
    moves_per_site: int
    resampled: float
    naive: float
    checks: float


EFFORTS = {
    "quick": ShapeEffort(bead_share=1.0, most_sites=1500, moves_per_site=150, resampled=0.25, naive=0.25, checks=0.0),
    "standard": ShapeEffort(bead_share=0.8, most_sites=3000, moves_per_site=200, resampled=0.5, naive=0.5, checks=0.4),
    "full": ShapeEffort(bead_share=0.65, most_sites=6000, moves_per_site=400, resampled=1.0, naive=0.5, checks=0.5),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapePlan(Domain):
    """What all runs on one curve share.

    Attributes
    ----------
    q_inv_nm, intensity, sigma : (n_q,) the points used
    figures : what the curve says beforehand, with the spread of the sizes taken into account
    spread, spread_shape : relative standard deviation of the sizes, and which distribution
    bead_nm : diameter of a bead
    first_bead_nm : of a first search in the whole ball, whose beads are then refined near where they lie; 0 when one
        search does
    moves : flips tried in a run (its first search, if there are two)
    finer_moves : flips tried per site of the second search
    bodies : simple bodies fitted to the points, the best one first
    start : the one that runs on the data start from; None for a ball
    from_inv_nm : q below which points were left out because the elongation rests on them; 0 when none were
    looseness_weight : the strongest one that explains the curve as well as weaker ones
    misfit : chi^2 per point of the run that showed it, against errors that include the lattice's
    with_constant : whether a flat background is fitted
    anisometry : "prolate" or "oblate" where the other is not wanted
    notes : what was chosen and why, one sentence each
    """

    q_inv_nm: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    figures: CurveFigures
    spread: float
    bead_nm: float
    moves: int
    looseness_weight: float
    misfit: float
    with_constant: bool
    notes: tuple[str, ...]
    spread_shape: str = "gaussian"
    first_bead_nm: float = 0.0
    finer_moves: int = 100
    anisometry: str = "any"
    bodies: tuple[NamedBody, ...] = ()
    start: NamedBody | None = None
    from_inv_nm: float = 0.0

    def __post_init__(self) -> None:
        for name in ("q_inv_nm", "intensity", "sigma"):
            freeze(self, name, frozen_array(name, getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeTask(Domain):
    """One run: a curve to explain, and the random numbers to do it with.

    Attributes
    ----------
    plan : ShapePlan
    intensity : (n_q,) measured, resampled or simulated
    spread : of this run; resampled runs draw it
    seed : run folder's seed
    kind, index : which run it is; the random numbers depend on these three alone
    """

    plan: ShapePlan
    intensity: FloatArray
    spread: float
    seed: int
    kind: str
    index: int

    def __post_init__(self) -> None:
        freeze(self, "intensity", frozen_array("intensity", self.intensity, length=len(self.plan.q_inv_nm)))
        if self.kind not in KINDS:
            raise PhysicsError(f"kind: {self.kind!r} is not one of {', '.join(KINDS)}")

    @property
    def label(self) -> str:
        """Name for tables and files."""
        return f"{self.kind}-{self.index + 1:02d}"


_STARTED = ("data", "resampled", "naive")
"""Kinds of runs that may start from a simple body; those on simulated round particles start from a ball."""

KINDS = ("data", "resampled", "naive", "ball", "found")


def random_numbers(seed: int, kind: str, index: int, purpose: int = 0) -> np.random.Generator:
    """Generator of one run: the same whatever ran before it and on however many processes."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(KINDS.index(kind), index, purpose)))


def plan_shape(
    curve: ScatteringCurve, *, spread: float, effort: ShapeEffort, seed: int, bead_nm: float | None = None,
    with_constant: bool = True, spread_shape: str = "gaussian", anisometry: str = "any",
) -> ShapePlan:  # fmt: skip
    """Choose the points, read Rg, D_max and I(0), and choose the bead.

    Parameters
    ----------
    curve : background subtracted; the contrast within the particle should be as even as can be had
    spread : relative standard deviation of the particles' size
    effort : see :data:`EFFORTS`
    seed : of the run folder
    bead_nm : diameter of a bead; None chooses pi / q_max times the effort's share
    with_constant : fit a flat background
    spread_shape : "gaussian" or "lognormal"
    anisometry : "any", "prolate" or "oblate"

    Returns
    -------
    ShapePlan

    Assumes
    -------
    Particles alike in shape, random in orientation, without interaction; sizes Gaussian or log-normal with the given spread.

    Fails when
    ----------
    The curve is too short or shows no particle (PhysicsError).
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(100,)))
    points = choose_points(
        curve, rng, spread=spread, spread_shape=spread_shape, with_constant=with_constant,
        seed=np.random.SeedSequence(seed, spawn_key=(103,)),
    )  # fmt: skip
    notes = list(points.notes)
    wanted = bead_nm if bead_nm is not None else effort.bead_share * math.pi / float(points.curve.q_inv_nm[-1])
    share = effort.bead_share if bead_nm is None else 1.0
    reach = 1.15 * points.figures.dmax_nm
    # a long particle leaves most of its ball empty: larger beads find where it is, finer ones are tried there only
    two = wanted < _bead_for(reach, effort.most_sites)
    bead = _bead_for(reach, max(_FEWEST_FIRST, effort.most_sites // 2)) if two else wanted
    plan = ShapePlan(
        q_inv_nm=points.curve.q_inv_nm, intensity=points.curve.intensity, sigma=points.curve.sigma,
        figures=points.figures, spread=spread, bead_nm=bead, moves=0, looseness_weight=LOOSENESS_WEIGHTS[0], misfit=0.0,
        with_constant=with_constant, notes=(), spread_shape=spread_shape, anisometry=anisometry, finer_moves=effort.moves_per_site // 2,
    )  # fmt: skip
    first = _to_beads(plan, bead, share, effort, rng)
    seeds = np.random.SeedSequence(seed, spawn_key=(102,)).spawn(2)
    weight, reached, model = strongest_looseness(_search(first, first.intensity, spread), seeds[0], first.moves // 2)
    if two:
        sites = len(finer_sites(model, wanted))
        # a bead asked for is given; otherwise it grows until no more sites are needed than allowed
        fine = wanted * max(1.0, sites / effort.most_sites) ** (1.0 / 3.0) if bead_nm is None else wanted
        notes.append(
            f"two searches: beads of {bead:.3g} nm in a ball of {reach:.3g} nm, then beads of {fine:.3g} nm near those"
        )
        plan = replace(_to_beads(plan, fine, share, effort, rng), moves=first.moves, first_bead_nm=bead)
        weight, reached = _weight_of_finer(plan, model, weight, seeds[1])
    else:
        plan = first
    if len(plan.q_inv_nm) < len(points.curve):
        notes.append(f"points beyond q = {plan.q_inv_nm[-1]:.3g} 1/nm are left out: finer than the beads")
    if weight < LOOSENESS_WEIGHTS[0]:
        notes.append(
            f"looseness is punished {LOOSENESS_WEIGHTS[0] / weight:g} times less than at most: more would cost agreement"
        )
    volume = model.volume_nm3
    bodies = fit_named_bodies(
        plan.q_inv_nm, plan.intensity, plan.sigma, volume, spread=spread, spread_shape=spread_shape,
        with_constant=with_constant, reference=plan.figures.chi2_reduced,
    )  # fmt: skip
    start = sharp_body(bodies)
    notes.append(told_bodies(bodies, start))
    if reached > ENOUGH:
        notes.append(
            f"no shape of one density explains the curve within its errors (chi^2 per point {reached:.2g}, the errors of "
            "the lattice included)"
        )
    return replace(
        plan,
        looseness_weight=weight,
        misfit=reached,
        notes=tuple(notes),
        bodies=bodies,
        start=start,
        from_inv_nm=points.from_inv_nm,
    )


def _bead_for(reach_nm: float, sites: float) -> float:
    """Bead with which a ball holds so many sites."""
    return float(reach_nm / ((sites / _SITES_PER_D3) ** (1.0 / 3.0) - 1.0))


def _to_beads(
    plan: ShapePlan, bead_nm: float, share: float, effort: ShapeEffort, rng: np.random.Generator
) -> ShapePlan:
    """Leave out the points that are finer than the beads, and read the figures from the others."""
    use = plan.q_inv_nm <= max(share * math.pi / bead_nm, 12.0 / plan.figures.dmax_nm) * (1.0 + 1e-9)
    q, y, s = plan.q_inv_nm[use], plan.intensity[use], plan.sigma[use]
    figures = plan.figures
    if not use.all():
        figures = figures_of_curve(
            q, y, s, rng, spread=plan.spread, with_constant=plan.with_constant, resampled=40,
            spread_shape=plan.spread_shape,
        )  # fmt: skip
    sites = _SITES_PER_D3 * ((1.15 * figures.dmax_nm + bead_nm) / bead_nm) ** 3
    return replace(
        plan, q_inv_nm=q, intensity=y, sigma=s, figures=figures, bead_nm=bead_nm,
        moves=int(effort.moves_per_site * sites),
    )  # fmt: skip


def _weight_of_finer(
    plan: ShapePlan, model: BeadModel, weight: float, seed: np.random.SeedSequence
) -> tuple[float, float]:
    """Weaken the looseness that larger beads allowed while finer ones explain the curve better for it."""
    weights = [w for w in LOOSENESS_WEIGHTS if w <= weight][:3]
    tried = [
        _finer(plan, model, plan.intensity, plan.spread, np.random.default_rng(child), weight=w)[1]
        for w, child in zip(weights, seed.spawn(len(weights)), strict=True)
    ]
    k = next(i for i, c in enumerate(tried) if c <= (1.0 + math.sqrt(2.0 / len(plan.q_inv_nm))) * min(tried))
    return weights[k], tried[k]


def _search(plan: ShapePlan, intensity: FloatArray, spread: float) -> BeadSearch:
    """Search in the whole ball: the only one, or the first of two."""
    return prepare_search(
        plan.q_inv_nm, intensity, plan.sigma, dmax_nm=plan.figures.dmax_nm, rg_nm=plan.figures.rg_real_nm,
        i_zero=plan.figures.i_zero, bead_nm=plan.first_bead_nm or plan.bead_nm, spread=spread,
        with_constant=plan.with_constant, spread_shape=plan.spread_shape, anisometry=plan.anisometry,
    )  # fmt: skip


def _finer(
    plan: ShapePlan, model: BeadModel, intensity: FloatArray, spread: float, rng: np.random.Generator, *,
    weight: float, label: str = "", hot: float = HOT,
) -> tuple[BeadModel, float]:  # fmt: skip
    return refine_beads(
        model, plan.q_inv_nm, intensity, plan.sigma, rng, dmax_nm=plan.figures.dmax_nm, rg_nm=plan.figures.rg_real_nm,
        i_zero=plan.figures.i_zero, bead_nm=plan.bead_nm, moves_per_site=plan.finer_moves, weight=weight,
        spread=spread, spread_shape=plan.spread_shape, with_constant=plan.with_constant, label=label,
        anisometry=plan.anisometry, hot=hot,
    )  # fmt: skip


def retrieve_shape(task: ShapeTask) -> BeadModel:
    """Anneal one bead model: in the whole ball, and again with finer beads near the first ones when the plan has both.

    When the plan has a simple body to start from, runs on the data anneal its beads, from a low temperature.

    Parameters
    ----------
    task : ShapeTask

    Returns
    -------
    BeadModel

    Fails when
    ----------
    The particle holds fewer than 100 beads (PhysicsError).
    """
    plan = task.plan
    rng = random_numbers(task.seed, task.kind, task.index)
    if plan.start is not None and task.kind in _STARTED:
        model, hot = cut_body(plan.start, _CUT * plan.bead_nm, rng), COOL
    else:
        model = retrieve_beads(
            _search(plan, task.intensity, task.spread), rng, plan.moves, label=task.label, weight=plan.looseness_weight
        )
        if not plan.first_bead_nm:
            return model
        hot = HOT
    return _finer(
        plan, model, task.intensity, task.spread, rng, weight=plan.looseness_weight, label=task.label, hot=hot
    )[0]  # fmt: skip


def resampled_task(plan: ShapePlan, seed: int, index: int, spread_error: float) -> ShapeTask:
    """Return a run on the smooth curve plus new noise, with the spread drawn within its error.

    Parameters
    ----------
    plan, seed, index : see :class:`ShapeTask`
    spread_error : one standard deviation of the spread, as a share of it
    """
    rng = random_numbers(seed, "resampled", index, purpose=1)
    noise = plan.sigma * rng.standard_normal(len(plan.sigma))
    drawn = float(np.clip(plan.spread * (1.0 + spread_error * rng.standard_normal()), 0.0, 0.35))
    return ShapeTask(
        plan=plan, intensity=plan.figures.fit + noise, spread=drawn, seed=seed, kind="resampled", index=index
    )
