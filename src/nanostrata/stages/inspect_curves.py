"""Looking at curves before any fit: are the errors right, is low q sound, do the energies belong together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nanostrata.domain import FloatArray, IntArray, ScatteringCurve
from nanostrata.errors import DataError
from nanostrata.kernels.curve_features import guinier_knee, mean_log_ratio, porod_minimum
from nanostrata.kernels.local_polynomial import scatter_ratio, weighted_polynomial

__all__ = [
    "VERSION",
    "FirstMinimum",
    "IntensityRatio",
    "LowQ",
    "ScatterCheck",
    "SisterProblem",
    "first_minimum",
    "intensity_ratio",
    "low_q_verdict",
    "sigma_against_scatter",
    "sisters_agree",
]

VERSION = "1"
SigmaVerdict: TypeAlias = Literal["consistent", "too small", "too large", "not judged"]
LowQVerdict: TypeAlias = Literal["sound", "aggregates", "interactions", "not judged"]
_TENFOLD = (7.0, 14.0)  # a ratio of two positions in q that speaks of 1/nm against 1/angstrom
_OTHER_SCALE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatterCheck:
    """Local scatter of a curve over its stated sigma (1: right), the tolerance of that ratio, and a sentence."""

    ratio: float
    tolerance: float
    verdict: SigmaVerdict
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LowQ:
    """Verdict on low q: the lowest sound q and the radius of gyration above it (nan where not judged)."""

    verdict: LowQVerdict
    q_min_inv_nm: float
    rg_nm: float
    rg_sigma_nm: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstMinimum:
    """Position of the first minimum of I q^4 and its standard deviation."""

    q_inv_nm: float
    sigma_inv_nm: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SisterProblem:
    """A curve that does not fit to the others; ``proposed_q_unit`` is "" where the unit is not the question."""

    code: Literal["q_unit", "intensity_scale"]
    label: str
    file: str
    proposed_q_unit: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensityRatio:
    """Ratio of the intensities of two curves at low q."""

    ratio: float
    sigma: float
    q_range_inv_nm: tuple[float, float]
    message: str


def sigma_against_scatter(curve: ScatteringCurve) -> ScatterCheck:
    """Compare the stated sigma with how much neighbouring points really scatter.

    Differences of neighbouring points that are zero for any locally smooth curve, in units of what the stated sigma
    predicts; the ratio is their median size over that of a unit normal deviate, so that a
    minority of outliers or of sharp minima does not count. The order of the difference starts at 3 and rises until the
    ratio no longer falls, up to 7: then what is left is scatter, not the form factor's oscillation.

    Returns
    -------
    ScatterCheck
        "not judged" with fewer than 20 points or where the ratio still falls at order 7 (points too coarse).

    Notes
    -----
    **Assumes** errors that are independent from point to point. Smoothed or oversampled data scatter less than their
    sigma; the sentence says so. The relative standard deviation of the ratio is about 1.7/sqrt(n) (by
    simulation).

    References
    ----------
    von Neumann, Kent, Bellinson & Hart, Ann. Math. Stat. 12, 153 (1941), for successive differences.
    """
    name, n = _name(curve), len(curve)
    if n < 20:
        message = f"{name}: {n} points are too few to test the stated errors against the scatter (20 are needed)"
        return ScatterCheck(ratio=math.nan, tolerance=math.nan, verdict="not judged", message=message)
    tolerance = max(0.25, 2.5 * 1.7 / math.sqrt(n))
    ratios = [scatter_ratio(curve.q_inv_nm, curve.intensity, curve.sigma, order) for order in range(3, 8)]
    settled = next((i for i in range(4) if ratios[i] <= 1.05 * ratios[i + 1]), None)
    if settled is None:
        message = (
            f"{name}: the points are too coarse for the curve's features to tell scatter from structure, so the stated "
            f"errors were not tested (scatter at most {ratios[-1]:.2g} times sigma)"
        )
        return ScatterCheck(ratio=ratios[-1], tolerance=tolerance, verdict="not judged", message=message)
    ratio = ratios[settled]
    if ratio > 1.0 + tolerance:
        verdict: SigmaVerdict = "too small"
        what = f"the stated errors look too small by a factor {ratio:.2g}: intervals from them would be too narrow"
    elif ratio < 1.0 / (1.0 + tolerance):
        verdict = "too large"
        times = f"by a factor {1 / ratio:.2g}" if ratio > 0 else "without any scatter"
        what = (
            f"the stated errors look too large {times}, or the points were smoothed or rebinned and are not independent"
        )
    else:
        verdict, what = "consistent", "the stated errors agree with the scatter"
    message = f"{name}: neighbouring points scatter by {ratio:.2f} times the stated sigma; {what}"
    return ScatterCheck(ratio=ratio, tolerance=tolerance, verdict=verdict, message=message)


def low_q_verdict(curve: ScatteringCurve, *, uniform_contrast: bool = True) -> LowQ:
    r"""Judge whether low q shows single particles: compare it with Guinier's law continued from higher q.

    ln I is a parabola in :math:`q^2` over 0.35 to 1.25 of the knee of :math:`q^2 I` (within 0.2 % for spheres of any
    spread); points below that lie on its continuation when the particles are alone. Above it: aggregates (or large
    foreign particles). Below it, or intensity rising with q: interactions, a beam stop's shadow, or a background
    over-subtracted; also when the first minimum stands at :math:`R_g q_{min} < 2.9`, while a sphere has 3.5 and a
    hollow sphere 3.1: then repulsion has flattened all of Guinier's range.

    Parameters
    ----------
    curve : of one energy or contrast
    uniform_contrast : False where core and shell differ by much or in sign (neutron contrasts), so that the product of
        radius of gyration and first minimum means nothing and is not tested

    Returns
    -------
    LowQ
        ``q_min_inv_nm`` is the lowest q that can be used; the curve's first point when nothing is wrong.

    Notes
    -----
    **Assumes** one kind of compact particle. Weak repulsion that only scales the whole of Guinier's range looks like a
    smaller radius of gyration and is not seen.

    References
    ----------
    Guinier & Fournet, Small-Angle Scattering of X-Rays, Wiley 1955.
    """
    name = _name(curve)
    q, y, sigma = curve.q_inv_nm, curve.intensity, curve.sigma
    knee = guinier_knee(q, y, sigma)
    if knee is None:
        return _not_judged(curve, f"{name}: no knee of q^2 I inside the range, so low q cannot be judged")
    # Where the range starts late, the upper part of what there is must judge the lower.
    low = max(0.35 * knee, float(q[0]) + 0.3 * (1.25 * knee - float(q[0])))
    reference = (q >= low) & (q <= 1.25 * knee) & (y > 3.0 * sigma)
    below = np.flatnonzero((q < low) & (y > 0)).astype(np.int64)
    if np.count_nonzero(reference) < 6 or len(below) < 2 or q[0] > 0.75 * knee:
        start = f"the range starts at {q[0]:.3g} 1/nm, too close to the knee of q^2 I at {knee:.3g} 1/nm"
        return _not_judged(curve, f"{name}: {start}, so low q cannot be judged")
    check = sigma_against_scatter(curve)
    s = sigma / y * (max(check.ratio, 1.0) if check.verdict == "too small" else 1.0)
    u = (q / knee) ** 2
    c, covariance = weighted_polynomial(u[reference], np.log(y[reference]), s[reference], 2)
    design = np.vander(u[below], 3, increasing=True)
    deviation = np.log(y[below]) - design @ c
    error = design @ covariance @ design.T + np.diag(s[below] ** 2)
    slope_at = np.array([0.0, 1.0, 2.0 * float(u[reference][0])])
    rises = float(slope_at @ c) > 3.0 * math.sqrt(float(slope_at @ covariance @ slope_at))
    # A parabola through a peak of I falls below any points to its left: those are then no upturn.
    worst = 0.0 if rises else _worst_run(deviation, error)
    q_min = _first_sound(q, below, deviation, error) if worst != 0 else float(q[0])
    sound = (q >= q_min) & (q <= 1.25 * knee) & (y > 0)
    c, covariance = weighted_polynomial(u[sound], np.log(y[sound]), s[sound], 2)
    rg = 0.0 if rises else math.sqrt(3.0 * max(-float(c[1]), 0.0)) / knee
    rg_sigma = 1.5 * math.sqrt(float(covariance[1, 1])) / (knee**2 * rg) if rg > 0 else math.nan
    return _low_q_sentence(curve, worst, rg, rg_sigma, q_min, knee, uniform_contrast)


def first_minimum(curve: ScatteringCurve) -> FirstMinimum | None:
    """Find the first minimum of I q^4 and its standard deviation; None where none stands out of the errors.

    In anomalous scattering its shift with the energy shows where the resonant element sits, before any fit
    (Lechner et al. 2014, 10.1021/cm502521q). I q^4 has a minimum also where a spread of sizes has turned that of I
    into a shoulder. Compare a model by giving the model's intensities to this same function.
    """
    found = porod_minimum(curve.q_inv_nm, curve.intensity, curve.sigma)
    if found is None:
        return None
    q, sigma = found
    message = f"{_name(curve)}: first minimum of I q^4 at {q:.4g} +- {sigma:.2g} 1/nm"
    return FirstMinimum(q_inv_nm=q, sigma_inv_nm=sigma, message=message)


def sisters_agree(curves: Sequence[ScatteringCurve], *, same_scale: bool = True) -> tuple[SisterProblem, ...]:
    """Find curves of one sample whose q or intensity is of another scale than that of the others.

    The knee of q^2 I (else the first minimum, else both ends of the q range) is compared with the median of the other
    curves. A factor of about 10 speaks of a unit of q read wrongly.

    Parameters
    ----------
    curves : of one sample at several energies
    same_scale : also report intensities off by more than a factor 3; False where contrasts differ by design

    Returns
    -------
    tuple of SisterProblem
        Empty when all agree. With two curves, or as many on each side, nobody can know which is wrong: all are named.
    """
    if len(curves) < 2:
        return ()
    problems = []
    for i, curve in enumerate(curves):
        others = [c for j, c in enumerate(curves) if j != i]
        ratios = np.array([_q_ratio(curve, other) for other in others])
        far = (np.maximum(ratios, 1.0 / ratios) >= _TENFOLD[0]) & (np.maximum(ratios, 1.0 / ratios) <= _TENFOLD[1])
        if 2 * np.count_nonzero(far) > len(others):
            problems.append(
                _unit_problem(curve, float(np.median(ratios[far])), certain=bool(len(others) > 1 and far.all()))
            )
    if problems or not same_scale:
        return tuple(problems)
    for i, curve in enumerate(curves):
        found = [_log_ratio(curve, c) for j, c in enumerate(curves) if j != i]
        logs = [v[0] for v in found if v is not None]
        if logs and abs(float(np.median(logs))) > math.log(_OTHER_SCALE):
            problems.append(_scale_problem(curve, math.exp(float(np.median(logs)))))
    return tuple(problems)


def intensity_ratio(
    curve: ScatteringCurve, reference: ScatteringCurve, *, q_max_inv_nm: float | None = None
) -> IntensityRatio:
    """Ratio of two curves' intensities at low q, the weighted mean over the points that both cover.

    Parameters
    ----------
    curve, reference : two energies of one sample; ln I of the reference is interpolated to the points of the curve
    q_max_inv_nm : upper end; default the knee of q^2 I of the reference, else a third of the way up in ln q

    Raises
    ------
    DataError
        When the two share fewer than two points with positive intensity in that range.
    """
    if q_max_inv_nm is None:
        knee = guinier_knee(reference.q_inv_nm, reference.intensity, reference.sigma)
        q0, q1 = float(reference.q_inv_nm[0]), float(reference.q_inv_nm[-1])
        q_max_inv_nm = knee if knee is not None else q0 * (q1 / q0) ** (1.0 / 3.0)
    found = _log_ratio(curve, reference, q_max_inv_nm)
    if found is None:
        raise DataError(
            f"{_name(curve)} and {_name(reference)} share fewer than two points of positive intensity up to "
            f"{q_max_inv_nm:.3g} 1/nm; give another q_max_inv_nm or check the units of q"
        )
    log_ratio, sigma, q_range = found
    ratio = math.exp(log_ratio)
    message = (
        f"{_name(curve)}: {ratio:.4g} +- {ratio * sigma:.2g} times the intensity of {_name(reference)} "
        f"({q_range[0]:.3g} to {q_range[1]:.3g} 1/nm)"
    )
    return IntensityRatio(ratio=ratio, sigma=ratio * sigma, q_range_inv_nm=q_range, message=message)


# ------------------------------------------------------------------------------------------------------- inner


def _name(curve: ScatteringCurve) -> str:
    name = curve.label or curve.origin.file
    return name or (f"{curve.energy_kev:g} keV" if curve.energy_kev is not None else "curve")


def _not_judged(curve: ScatteringCurve, message: str) -> LowQ:
    return LowQ(
        verdict="not judged",
        q_min_inv_nm=float(curve.q_inv_nm[0]),
        rg_nm=math.nan,
        rg_sigma_nm=math.nan,
        message=message,
    )


def _worst_run(deviation: FloatArray, error: FloatArray) -> float:
    """Mean deviation of the m lowest points that stands out most, m >= 2; 0 when none exceeds 4 sigma and 3 %."""
    best, at = 4.0, 0.0
    for m in range(2, len(deviation) + 1):
        mean = float(deviation[:m].mean())
        z = abs(mean) / math.sqrt(float(error[:m, :m].sum())) * m
        if z > best and abs(mean) > 0.03:
            best, at = z, mean
    return at


def _first_sound(q: FloatArray, below: IntArray, deviation: FloatArray, error: FloatArray) -> float:
    """Lowest q above which running means of three points stay on the continuation."""
    for i in range(len(below) - 1, -1, -1):
        run = slice(max(i - 2, 0), i + 1)
        mean = float(deviation[run].mean())
        m = run.stop - run.start
        if abs(mean) > 0.02 and abs(mean) * m > 2.5 * math.sqrt(float(error[run, run].sum())):
            return float(q[int(below[i]) + 1])
    return float(q[int(below[0])])


def _low_q_sentence(
    curve: ScatteringCurve, worst: float, rg: float, rg_sigma: float, q_min: float, knee: float, uniform: bool
) -> LowQ:
    name = _name(curve)
    minimum = porod_minimum(curve.q_inv_nm, curve.intensity, curve.sigma) if uniform else None
    product = rg * minimum[0] if minimum is not None else math.nan
    flattened = rg == 0.0 or (minimum is not None and (rg + 2.0 * rg_sigma) * minimum[0] < 2.9)
    verdict: LowQVerdict = "sound"
    message = f"{name}: low q follows Guinier's law from {q_min:.3g} 1/nm, radius of gyration {rg:.3g} nm"
    if worst > 0:
        verdict = "aggregates"
        message = (
            f"{name}: below {q_min:.3g} 1/nm the intensity lies {100 * math.expm1(worst):.0f} % above Guinier's law "
            f"continued: aggregates or larger particles; use q from {q_min:.3g} 1/nm"
        )
    elif worst < 0 or flattened:
        verdict = "interactions"
        if flattened and worst >= 0:
            q_min = max(q_min, 1.25 * knee)
            how = "the intensity rises with q at low q"
            if rg > 0:
                how = f"low q is too flat for the first minimum (Rg q_min = {product:.2g}, a sphere has 3.5)"
        else:
            lack = -100.0 * math.expm1(worst)
            how = f"below {q_min:.3g} 1/nm the intensity lies {lack:.0f} % below Guinier's law continued"
        message = (
            f"{name}: {how}: interactions between particles, the beam stop's shadow, or too much background subtracted "
            f"(a contrast near its matching point does the same); use q from {q_min:.3g} 1/nm, or dilute"
        )
    return LowQ(verdict=verdict, q_min_inv_nm=q_min, rg_nm=rg, rg_sigma_nm=rg_sigma, message=message)


def _q_ratio(curve: ScatteringCurve, other: ScatteringCurve) -> float:
    """Ratio of the positions in q of the same feature of both, or of their ranges."""
    a, b = ((c.q_inv_nm, c.intensity, c.sigma) for c in (curve, other))
    knees = guinier_knee(*a), guinier_knee(*b)
    if knees[0] is not None and knees[1] is not None:
        return knees[0] / knees[1]
    minima = porod_minimum(*a), porod_minimum(*b)
    if minima[0] is not None and minima[1] is not None:
        return minima[0][0] / minima[1][0]
    ends = [float(curve.q_inv_nm[i] / other.q_inv_nm[i]) for i in (0, -1)]
    agree = max(ends) / min(ends) < 2.0
    return math.sqrt(ends[0] * ends[1]) if agree else 1.0


def _unit_problem(curve: ScatteringCurve, ratio: float, *, certain: bool) -> SisterProblem:
    unit = "1/nm" if ratio > 1 else "1/angstrom"
    read = f" (read as {curve.origin.unit_read})" if curve.origin.unit_read else ""
    doubt = "" if certain else "; which of the curves is wrong cannot be known from here"
    message = (
        f"{curve.origin.file or _name(curve)}: q{read} is about {ratio:.2g} times that of the other curves of this "
        f'sample; if this is the wrong one, write q_unit = "{unit}" for it{doubt}'
    )
    return SisterProblem(
        code="q_unit", label=curve.label, file=curve.origin.file, proposed_q_unit=unit, message=message
    )


def _scale_problem(curve: ScatteringCurve, ratio: float) -> SisterProblem:
    message = (
        f"{curve.origin.file or _name(curve)}: intensities are about {ratio:.2g} times those of the other curves where "
        'they overlap; put all on one scale, or write scale = "per_energy"'
    )
    return SisterProblem(
        code="intensity_scale", label=curve.label, file=curve.origin.file, proposed_q_unit="", message=message
    )


def _log_ratio(
    curve: ScatteringCurve, reference: ScatteringCurve, q_max: float = math.inf
) -> tuple[float, float, tuple[float, float]] | None:
    a, b = ((c.q_inv_nm, c.intensity, c.sigma) for c in (curve, reference))
    return mean_log_ratio(*a, *b, q_max)
