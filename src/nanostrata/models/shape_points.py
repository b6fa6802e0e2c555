"""Which points of a curve a shape is sought for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain, FloatArray
from nanostrata.domain.shape import CurveFigures
from nanostrata.models.shape_figures import Q_RG_USED, figures_of_curve, guinier, rough_size
from nanostrata.models.shape_first import FirstPoints, first_points

_SEEN = 1.0
"""I over sigma, median of 9 points, below which the rest of a curve is left out."""

_MOST_POINTS = 300
"""A particle has some tens of independent numbers in its curve; more points than this cost time only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapePoints(Domain):
    """The part of a curve that a shape is sought for.

    Attributes
    ----------
    curve : the points used, neighbours taken together where there are too many
    figures : what they say beforehand
    notes : what was left out and why, one sentence each
    from_inv_nm : q below which points were left out because the elongation rests on them; 0 when none were
    """

    curve: ScatteringCurve
    figures: CurveFigures
    notes: tuple[str, ...]
    from_inv_nm: float = 0.0


def choose_points(
    curve: ScatteringCurve, rng: np.random.Generator, *, spread: float, spread_shape: str = "gaussian",
    with_constant: bool = True, seed: np.random.SeedSequence,
) -> ShapePoints:  # fmt: skip
    """Leave out what a curve's ends tell of other things than the shape.

    Parameters
    ----------
    curve : background subtracted
    rng : for resampled data
    spread, spread_shape : relative standard deviation of the particles' size, and which distribution
    with_constant : whether a flat background is there
    seed : for the short searches that ask what the first points do
    """
    notes: list[str] = []
    curve, joined = joined_points(curve)
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
    rg = guinier(curve.q_inv_nm, curve.intensity, curve.sigma)[0]
    size = rough_size(curve.q_inv_nm, curve.intensity, rg, spread, spread_shape)
    far = int(np.searchsorted(curve.q_inv_nm, Q_RG_USED / size))
    if far < end:
        end = far
        notes.append(f"points beyond q = {curve.q_inv_nm[end - 1]:.3g} 1/nm are left out: q Rg is over {Q_RG_USED:g}")

    def figures(begin: int) -> CurveFigures:
        return figures_of_curve(
            curve.q_inv_nm[begin:end], curve.intensity[begin:end], curve.sigma[begin:end], rng, spread=spread,
            with_constant=with_constant, resampled=40, spread_shape=spread_shape,
        )  # fmt: skip

    found = figures(0)
    begin = max(found.guinier_first, 0)
    if begin:
        notes.append(f"the first {begin} point(s) do not follow Guinier's law and are left out")
        found = figures(begin)
    limit = 0.0
    first = first_points(
        part_of(curve, begin, end), lambda n: found if n == 0 else figures(begin + n), seed, spread=spread,
        spread_shape=spread_shape, with_constant=with_constant,
    )  # fmt: skip
    if first.number:
        rest = figures(begin + first.number)
        notes.append(_resting(first, found, rest, curve.q_inv_nm[begin : begin + first.number], joined))
        begin, found = begin + first.number, rest
        limit = 0.5 * float(curve.q_inv_nm[begin - 1] + curve.q_inv_nm[begin])
    elif found.guinier_note and not begin:
        notes.append(found.guinier_note)
    return ShapePoints(curve=part_of(curve, begin, end), figures=found, notes=tuple(notes), from_inv_nm=limit)


def _resting(first: FirstPoints, before: CurveFigures, after: CurveFigures, q_inv_nm: FloatArray, joined: int) -> str:
    """Say which points were left out and what the answer is with them."""
    many = f"{len(q_inv_nm)} point(s)" + (f", each of {joined} measured ones," if joined > 1 else "")
    return (
        f"the elongation rests on the first {many} at q = {', '.join(f'{q:.3g}' for q in q_inv_nm)} 1/nm alone, and they "
        f"are left out: with them a short search finds an aspect ratio of {first.with_them:.2f} (Rg {before.rg_real_nm:.3g} nm, "
        f"largest distance {before.dmax_nm:.3g} nm), without them {first.without:.2f} (Rg {after.rg_real_nm:.3g} nm, largest "
        f"distance {after.dmax_nm:.3g} nm). Aggregates or attraction raise first points like this; a particle that is "
        "long itself shows it in the other points, too"
    )


def part_of(curve: ScatteringCurve, begin: int, end: int) -> ScatteringCurve:
    """Points ``begin`` to ``end`` of a curve."""
    part = slice(begin, end)
    return replace(
        curve, q_inv_nm=curve.q_inv_nm[part], intensity=curve.intensity[part], sigma=curve.sigma[part],
        dq_inv_nm=None,
    )  # fmt: skip


def points_from(curve: ScatteringCurve, q_inv_nm: float) -> ScatteringCurve:
    """Points of a curve from a q on; the curve itself for 0."""
    return curve if q_inv_nm <= 0.0 else part_of(curve, int(np.searchsorted(curve.q_inv_nm, q_inv_nm)), len(curve))


def joined_points(curve: ScatteringCurve) -> tuple[ScatteringCurve, int]:
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
