"""Does the elongation of a particle rest on the first points of its curve alone?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain
from nanostrata.domain.shape import CurveFigures
from nanostrata.models.beads import prepare_search, retrieve_beads
from nanostrata.models.shape_reading import aspect_ratio, second_moments

LONG = 0.25
"""Elongation (longer over shorter, less 1) from which it is asked where it comes from."""

KEPT = 0.5
"""Share of the elongation that the other points must show by themselves."""

_Q_RG_REST = 1.0
"""q Rg at which the rest begins at the latest: a size cannot be told from less."""

_LOOK, _TRIES = 2.0, 12
"""q Rg, Rg being that of all points, up to which the rest may begin, and how many beginnings are tried at most."""

_SITES, _MOVES_PER_SITE, _RUNS = 1000, 120, 3
_WEIGHT = 4.0
"""Looseness of the short searches; see ``LOOSENESS_WEIGHTS``: a strong one would hide an elongation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPoints(Domain):
    """What a short search finds with and without the first points.

    Attributes
    ----------
    number : how many the elongation rests on; 0 when it does not, or when there is none
    with_them, without : mean aspect ratio of a few short searches with all points, and without the first ``number``, or
        without as many as could be tried when it is 0
    tried : how many points the rest could do without
    """

    number: int
    with_them: float
    without: float
    tried: int


def first_points(
    curve: ScatteringCurve, figures: Callable[[int], CurveFigures], seed: np.random.SeedSequence, *,
    spread: float = 0.0, spread_shape: str = "gaussian", with_constant: bool = True,
) -> FirstPoints:  # fmt: skip
    r"""Ask whether a particle is long without the first points of its curve, too.

    A long particle shows in all of its curve: without the points up to :math:`q R_g = 1`, simulated spheroids of aspect
    ratio 2 and 3, also with sizes spread by 15 %, keep nine tenths of their elongation. What aggregates or attraction add
    is seen in the first points only: without them, the rest asks for no elongation. The smallest number of first points is
    looked for without which less than half of it is left.

    Parameters
    ----------
    curve : the points that a shape is to be sought for
    figures : p(r), Rg and D of the curve without its first n points
    seed : for the short searches, of about a thousand beads' places each
    spread, spread_shape, with_constant : see :func:`nanostrata.models.beads.prepare_search`
    """
    kept: dict[int, CurveFigures] = {}

    def read(n: int) -> CurveFigures:
        if n not in kept:
            kept[n] = figures(n)
        return kept[n]

    def aspect(n: int) -> float:
        f = read(n)
        reach = 1.15 * f.dmax_nm
        bead = reach / ((_SITES / (math.pi / 6.0 * math.sqrt(2.0))) ** (1.0 / 3.0) - 1.0)
        use = curve.q_inv_nm <= max(math.pi / bead, 12.0 / f.dmax_nm)
        use[:n] = False
        search = prepare_search(
            curve.q_inv_nm[use], curve.intensity[use], curve.sigma[use], dmax_nm=f.dmax_nm, rg_nm=f.rg_real_nm,
            i_zero=f.i_zero, bead_nm=bead, spread=spread, spread_shape=spread_shape, with_constant=with_constant,
        )  # fmt: skip
        moves = _MOVES_PER_SITE * len(search.sites)
        # the same random numbers for every n
        children = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key).spawn(_RUNS)
        models = [retrieve_beads(search, np.random.default_rng(c), moves, weight=_WEIGHT) for c in children]
        # by the mean moments: one run's prolate and another's oblate do not add up to a length
        return aspect_ratio(np.mean([second_moments(m) for m in models], axis=0))

    before = aspect(0)
    most = _most(curve, read) if _elongation(before) >= LONG else 0
    if most == 0:
        return FirstPoints(number=0, with_them=before, without=before, tried=0)
    limit = KEPT * _elongation(before)
    after = {most: aspect(most)}
    if _elongation(after[most]) >= limit:
        return FirstPoints(number=0, with_them=before, without=after[most], tried=most)
    low, high = 0, most  # low keeps the elongation, high loses it
    while high - low > 1:
        middle = (low + high) // 2
        after[middle] = aspect(middle)
        low, high = (low, middle) if _elongation(after[middle]) < limit else (middle, high)
    return FirstPoints(number=high, with_them=before, without=after[high], tried=most)


def _most(curve: ScatteringCurve, read: Callable[[int], CurveFigures]) -> int:
    """How many first points the rest can do without: it begins at q Rg of at most 1, Rg being that of the rest."""
    # what is left out may have raised Rg: with less of it, the rest may begin later
    last = int(np.searchsorted(curve.q_inv_nm, _LOOK / read(0).rg_real_nm))
    numbers = np.unique(np.linspace(1, max(last, 1), _TRIES).astype(int)).tolist()
    sound = [n for n in numbers if curve.q_inv_nm[n] * read(n).rg_real_nm <= _Q_RG_REST]
    return max(sound, default=0)


def _elongation(aspect: float) -> float:
    return max(aspect, 1.0 / aspect) - 1.0
