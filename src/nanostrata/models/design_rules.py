"""Scores of a shell by three rules of thumb for bright core/shell particles. They predict no quantum yield."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray
from nanostrata.errors import PhysicsError

FULL = 0.95
"""Share of the outermost monolayer from which on it is called full: what an interval can tell from 1."""
MISMATCH_PERCENT = 3.0
"""Largest mismatch between neighbours that relaxes with few defects."""
SEVERAL = 3.0
"""Monolayers from which on a gradient is called spread over several."""
SOURCE = "Yarema et al., Sci. Rep. 7, 11718 (2017), doi:10.1038/s41598-017-11996-2"
CAVEAT = (
    "These rules rest on two samples of one material, of which the one with the fuller outermost layer, the smaller "
    "mismatch and the wider gradient was the brighter: three properties that changed together. The scores rank designs "
    "by these rules; they predict no quantum yield."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScore(Domain):
    """One rule applied to one sample.

    Attributes
    ----------
    rule : "outer_layer_full", "mismatch_small" or "gradient_spread"
    value, low68, high68, low95, high95 : the quantity that the rule looks at (share, percent, monolayers)
    limit : value from which on the rule is met
    score, score_low95, score_high95 : 1 where the rule is met, smaller in proportion; nan where unknown
    verdict : "met", "not met" (the whole 95 % interval on one side) or "not determined"
    rests_on : which numbers, in words
    """

    rule: str
    value: float
    limit: float
    low68: float = math.nan
    high68: float = math.nan
    low95: float = math.nan
    high95: float = math.nan
    score: float
    score_low95: float = math.nan
    score_high95: float = math.nan
    verdict: str
    rests_on: str


Interval = tuple[float, float]
_UNKNOWN: Interval = (math.nan, math.nan)


def outer_layer_score(
    value: float, interval68: Interval = _UNKNOWN, interval95: Interval = _UNKNOWN, *, rests_on: str
) -> RuleScore:
    """Rule 1: the outermost monolayer consists of shell material. Score: its share, 1 from 0.95 on."""
    return _score("outer_layer_full", value, interval68, interval95, FULL, more_is_better=True, rests_on=rests_on)


def mismatch_score(
    maximum_percent: float, interval68: Interval = _UNKNOWN, interval95: Interval = _UNKNOWN, *, rests_on: str
) -> RuleScore:
    """Rule 2: neighbouring layers differ by less than about 3 %. Score: 3 % over the largest mismatch, at most 1."""
    return _score(
        "mismatch_small", abs(maximum_percent), _absolute(interval68), _absolute(interval95), MISMATCH_PERCENT,
        more_is_better=False, rests_on=rests_on,
    )  # fmt: skip


def gradient_score(monolayers: FloatArray | float, *, rests_on: str) -> RuleScore:
    """Rule 3: the composition changes over several monolayers. Score: their number over 3, at most 1.

    Parameters
    ----------
    monolayers : (n,) draws from :func:`gradient_width`, or one number where there are no draws
    """
    draws = np.atleast_1d(np.asarray(monolayers, dtype=np.float64))
    if len(draws) == 1:
        width68 = width95 = _UNKNOWN
    else:
        q = np.quantile(draws, [0.16, 0.84, 0.025, 0.975])
        width68, width95 = (float(q[0]), float(q[1])), (float(q[2]), float(q[3]))
    return _score(
        "gradient_spread", float(draws.mean()), width68, width95, SEVERAL, more_is_better=True, rests_on=rests_on
    )


def gradient_width(shell_fraction: FloatArray) -> FloatArray:
    r"""Over how many steps between neighbouring shells the composition changes.

    .. math:: N = \frac{\left(\sum_k |x_{k+1} - x_k|\right)^2}{\sum_k (x_{k+1} - x_k)^2}

    the number of equal steps with the same concentration of change: 1 for an abrupt interface, n - 1 for a straight
    line through n shells.

    Parameters
    ----------
    shell_fraction : (n_shell,) or (n_draws, n_shell) x, inner to outer

    Returns
    -------
    () or (n_draws,) number of steps; nan where nothing changes

    Raises
    ------
    PhysicsError
        With fewer than two shells.
    """
    x = np.asarray(shell_fraction, dtype=np.float64)
    if x.shape[-1] < 2:
        raise PhysicsError(f"shell_fraction: a gradient needs at least 2 shells, got {x.shape[-1]}")
    steps = np.abs(np.diff(x, axis=-1))
    square = (steps**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(square > 0, steps.sum(axis=-1) ** 2 / square, np.nan), dtype=np.float64)


def monolayer_nm(structure: str, a_nm: float, c_nm: float | None = None) -> float:
    """Thickness of a monolayer averaged over directions: the cube root of the volume of one cation-anion pair, nm.

    Raises
    ------
    PhysicsError
        For a structure without cation-anion pairs, or wurtzite without c.
    """
    if structure == "wurtzite" and c_nm is not None:
        volume = math.sqrt(3) / 2 * a_nm**2 * c_nm / 2
    elif structure in ("zincblende", "rocksalt"):
        volume = a_nm**3 / 4
    else:
        raise PhysicsError(
            f"structure: monolayers are known for wurtzite (with c), zincblende and rocksalt, got {structure!r}"
        )
    return float(volume ** (1 / 3))


def _absolute(interval: Interval) -> Interval:
    low, high = interval
    if low < 0 < high:
        return 0.0, max(-low, high)
    return (low, high) if not high < 0 else (-high, -low)


def _score(
    rule: str,
    value: float,
    interval68: Interval,
    interval95: Interval,
    limit: float,
    *,
    more_is_better: bool,
    rests_on: str,
) -> RuleScore:
    def of(v: float) -> float:
        if math.isnan(v):
            return math.nan
        if more_is_better:
            return min(1.0, max(0.0, v / limit))
        return 1.0 if v <= limit else limit / v

    low, high = interval95
    ends = sorted((of(low), of(high))) if math.isfinite(low) and math.isfinite(high) else [math.nan, math.nan]
    worst, best = (low, high) if more_is_better else (-high, -low)
    bound = limit if more_is_better else -limit
    verdict = "met" if worst >= bound else "not met" if best < bound else "not determined"
    return RuleScore(
        rule=rule, value=value, low68=interval68[0], high68=interval68[1], low95=low, high95=high, limit=limit,
        score=of(value), score_low95=ends[0], score_high95=ends[1], verdict=verdict, rests_on=rests_on,
    )  # fmt: skip
