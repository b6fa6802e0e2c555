"""Retrieve bead models from one curve: choose the points and the bead, then anneal, one run per task."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.domain.shape import BeadModel, CurveFigures
from nanostrata.errors import PhysicsError
from nanostrata.models.beads import (
    ENOUGH,
    LOOSENESS_WEIGHTS,
    BeadSearch,
    prepare_search,
    retrieve_beads,
    strongest_looseness,
)
from nanostrata.models.shape_figures import Q_RG_USED, figures_of_curve, guinier, rough_size

VERSION = "2"
"""Part of every stored result; raised when the stage changes what it means."""

_SITES_PER_D3 = math.pi / 6.0 * math.sqrt(2.0)
_SEEN = 1.0
"""I over sigma, median of 9 points, below which the rest of a curve is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeEffort(Domain):
    """How much time to spend.

    Attributes
    ----------
    bead_share : bead diameter in units of pi / q_max
    most_sites : lattice sites at most; larger particles get larger beads and a shorter range of q
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
    moves : flips tried in a run
    looseness_weight : the strongest one that explains the curve as well as weaker ones
    misfit : chi^2 per point of the run that showed it, against errors that include the lattice's
    with_constant : whether a flat background is fitted
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


_MOST_POINTS = 300
"""A particle has some tens of independent numbers in its curve; more points than this cost time only."""

KINDS = ("data", "resampled", "naive", "ball", "found")


def random_numbers(seed: int, kind: str, index: int, purpose: int = 0) -> np.random.Generator:
    """Generator of one run: the same whatever ran before it and on however many processes."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(KINDS.index(kind), index, purpose)))


def plan_shape(
    curve: ScatteringCurve, *, spread: float, effort: ShapeEffort, seed: int, bead_nm: float | None = None,
    with_constant: bool = True, spread_shape: str = "gaussian",
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
    notes: list[str] = []
    curve, joined = _joined(curve)
    if joined > 1:
        notes.append(f"{joined} neighbouring points each are taken together: {len(curve)} are enough for a shape")
    ratio = curve.intensity / curve.sigma
    smooth = np.array([np.median(ratio[max(0, i - 4) : i + 5]) for i in range(len(ratio))])
    seen = np.flatnonzero(smooth >= _SEEN)  # the last one counts: deep minima on the way are part of the curve
    end = int(seen[-1]) + 1 if seen.size else len(curve)
    if end < len(curve):
        notes.append(
            f"points from q = {curve.q_inv_nm[end]:.3g} 1/nm on are left out: the intensity there is below its error"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(100,)))
    rg = guinier(curve.q_inv_nm, curve.intensity, curve.sigma)[0]
    size = rough_size(curve.q_inv_nm, curve.intensity, rg, spread, spread_shape)
    far = int(np.searchsorted(curve.q_inv_nm, Q_RG_USED / size))
    if far < end:
        end = far
        notes.append(f"points beyond q = {curve.q_inv_nm[end - 1]:.3g} 1/nm are left out: q Rg is over {Q_RG_USED:g}")
    first = figures_of_curve(
        curve.q_inv_nm[:end], curve.intensity[:end], curve.sigma[:end], rng, spread=spread,
        with_constant=with_constant, resampled=40, spread_shape=spread_shape,
    )  # fmt: skip
    begin = max(first.guinier_first, 0)
    if begin:
        notes.append(f"the first {begin} point(s) do not follow Guinier's law and are left out")
    if first.guinier_note and not begin:
        notes.append(first.guinier_note)
    q = curve.q_inv_nm[begin:end]
    bead = effort.bead_share * math.pi / float(q[-1]) if bead_nm is None else bead_nm
    reach = 1.15 * first.dmax_nm
    smallest = reach / ((effort.most_sites / _SITES_PER_D3) ** (1.0 / 3.0) - 1.0)
    if bead < smallest and bead_nm is None:
        bead = smallest
        notes.append(
            f"a bead of {bead:.3g} nm is used, so that the particle takes at most {effort.most_sites} of them; finer "
            "detail is not sought"
        )
    top = effort.bead_share * math.pi / bead if bead_nm is None else math.pi / bead
    use = q <= max(top, 12.0 / first.dmax_nm) * (1.0 + 1e-9)
    if not use.all():
        notes.append(f"points beyond q = {q[use][-1]:.3g} 1/nm are left out: finer than the beads")
    last = begin + int(use.sum())
    figures = first
    if begin or last < end:
        figures = figures_of_curve(
            curve.q_inv_nm[begin:last], curve.intensity[begin:last], curve.sigma[begin:last], rng, spread=spread,
            with_constant=with_constant, resampled=40, spread_shape=spread_shape,
        )  # fmt: skip
    sites = _SITES_PER_D3 * ((1.15 * figures.dmax_nm + bead) / bead) ** 3
    plan = ShapePlan(
        q_inv_nm=curve.q_inv_nm[begin:last], intensity=curve.intensity[begin:last], sigma=curve.sigma[begin:last],
        figures=figures, spread=spread, bead_nm=bead, moves=int(effort.moves_per_site * sites),
        looseness_weight=LOOSENESS_WEIGHTS[0], misfit=0.0, with_constant=with_constant, notes=(),
        spread_shape=spread_shape,
    )  # fmt: skip
    weight, reached = strongest_looseness(
        _search(plan, plan.intensity, spread), np.random.SeedSequence(seed, spawn_key=(102,)), plan.moves // 2
    )
    if weight < LOOSENESS_WEIGHTS[0]:
        notes.append(
            f"looseness is punished {LOOSENESS_WEIGHTS[0] / weight:g} times less than at most: more would cost agreement"
        )
    if reached > ENOUGH:
        notes.append(
            f"no shape of one density explains the curve within its errors (chi^2 per point {reached:.2g}, the errors of "
            "the lattice included)"
        )
    return replace(plan, looseness_weight=weight, misfit=reached, notes=tuple(notes))


def _joined(curve: ScatteringCurve) -> tuple[ScatteringCurve, int]:
    """Weighted means of neighbouring points, at most :data:`_MOST_POINTS` of them; and how many went into each."""
    size = -(-len(curve) // _MOST_POINTS)
    if size == 1:
        return curve, 1
    start = np.arange(0, len(curve), size)
    weight = curve.sigma**-2.0
    total = np.add.reduceat(weight, start)
    q = np.add.reduceat(weight * curve.q_inv_nm, start) / total
    intensity = np.add.reduceat(weight * curve.intensity, start) / total
    return replace(curve, q_inv_nm=q, intensity=intensity, sigma=total**-0.5, dq_inv_nm=None), size


def _search(plan: ShapePlan, intensity: FloatArray, spread: float) -> BeadSearch:
    return prepare_search(
        plan.q_inv_nm, intensity, plan.sigma, dmax_nm=plan.figures.dmax_nm, rg_nm=plan.figures.rg_real_nm,
        i_zero=plan.figures.i_zero, bead_nm=plan.bead_nm, spread=spread, with_constant=plan.with_constant,
        spread_shape=plan.spread_shape,
    )  # fmt: skip


def retrieve_shape(task: ShapeTask) -> BeadModel:
    """Anneal one bead model.

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
    return retrieve_beads(
        _search(plan, task.intensity, task.spread), random_numbers(task.seed, task.kind, task.index), plan.moves,
        label=task.label, weight=plan.looseness_weight,
    )  # fmt: skip


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
