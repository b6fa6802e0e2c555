"""Which direction are the particles elongated in? Whole patterns of every candidate against the data, with a graded verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.waxs import AxisCandidate, LongAxis, WaxsFit
from nanostrata.kernels.statistics import slow_residuals
from nanostrata.models.waxs_axis import (
    ShapePattern,
    Trial,
    TrialFit,
    fit_trial,
    log_evidence,
    trials_of,
    with_model_error,
)  # fmt: skip
from nanostrata.models.waxs_lines import LatticeForm, Line
from nanostrata.models.waxs_pattern import group_lines, make_pattern
from nanostrata.models.waxs_profile import CANDIDATE_AXES, gaussian_k, predicted_sizes

__all__ = ["ROUND", "AxisSettings", "judge_axis"]

ROUND = 0.07
"""Particles within this of an aspect ratio of 1 count as round: no direction can be told of them."""

BAD_FIT = 4.0
"""Above this chi2 per point (errors with the model's own) no candidate describes the pattern: at most "weak" is said."""

SHOWN_ASPECT = 1.4


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisSettings:
    """What else is known.

    Attributes
    ----------
    structure : for the stacking faults
    spread : relative standard deviation of the diameter
    aspect_ratio : from other measurements, for the table of predicted sizes; None: 1.4
    halos : as in the fit of the peaks
    """

    structure: str
    spread: float = 0.1
    aspect_ratio: float | None = None
    halos: tuple[tuple[float, float], ...] = ()


def judge_axis(
    curve: ScatteringCurve,
    peaks: WaxsFit,
    lines: Sequence[Line],
    form: LatticeForm,
    settings: AxisSettings,
    *,
    backgrounds: Sequence[FloatArray] = (),
    envelope: FloatArray | None = None,
    spread_map: Callable[..., object] = map,
    among: Collection[str] = (),
) -> LongAxis:
    """Fit the whole pattern with round, prolate and oblate particles along every candidate axis, and grade the answer.

    Every candidate has its own size, lattice constants, stacking faults (of either kind) and spread of the lattice constant.
    The errors of the points hold 2 % of the peaks for what no such model knows, and are enlarged further until the best
    candidate fits.

    Parameters
    ----------
    curve : the pattern
    peaks : the fit of its peaks
    lines, form : reflections and lattice at the start
    settings : what else is known
    backgrounds, envelope : as for the fit of the peaks
    spread_map : like map, for the independent candidates
    among : names such as "[110]" or "flat along [001]"; given, only these and round particles are candidates

    Returns
    -------
    LongAxis
    """
    q = curve.q_inv_nm
    lattice = peaks.lattice_nm.mean(axis=0)
    start = (2.0 * np.pi / lattice) ** 2
    scale = float(np.mean(form.lengths_nm / lattice))
    width = float(np.median(peaks.fwhm_observed_inv_nm.mean(axis=0)))
    kept, group = group_lines(lines, scale, width, float(q[0]), float(q[-1]))
    pattern = make_pattern(curve, peaks.background_terms, backgrounds, settings.halos, envelope)
    instrument = np.interp([line.q_inv_nm * scale for line in kept], *_sorted(peaks)) / np.sqrt(8.0 * np.log(2.0))
    target = ShapePattern(
        pattern=with_model_error(pattern, peaks.fit - peaks.background), lines=kept, group=group, form=form,
        structure=settings.structure, instrument_sigma_inv_nm=instrument,
    )  # fmt: skip
    narrow = np.median(peaks.fwhm_inv_nm[:, np.array(peaks.own_width)])
    diameter = 2.0 * np.pi * gaussian_k(round(settings.spread, 3)) / max(float(narrow), 0.02 * width)
    trials = [t for t in trials_of(form, settings.structure) if not among or t.sense == "round" or _called(t) in among]
    fits: list[TrialFit] = list(
        spread_map(lambda t: fit_trial(target, t, settings.spread, diameter, start), trials)  # type: ignore[call-overload]
    )
    best = min(range(len(fits)), key=lambda i: fits[i].chi2)
    residual = target.residual(fits[best].shape, fits[best].diameter_nm, fits[best].parameters)[: len(q)]
    per_point = fits[best].chi2 / len(q)
    temper = max(1.0, per_point) * slow_residuals(residual)
    log = np.array([np.log(t.prior) + log_evidence(f, temper) for t, f in zip(trials, fits, strict=True)])
    probability = np.exp(log - log.max())
    probability /= probability.sum()
    return _verdict(trials, fits, log, probability, per_point, temper, kept, form, lattice, settings)


def _sorted(peaks: WaxsFit) -> tuple[FloatArray, FloatArray]:
    q = peaks.q_inv_nm.mean(axis=0)
    order = np.argsort(q)
    return q[order], peaks.instrument_fwhm_inv_nm[order]


def _verdict(
    trials: Sequence[Trial], fits: Sequence[TrialFit], log: FloatArray, probability: FloatArray, per_point: float,
    temper: float, lines: Sequence[Line], form: LatticeForm, lattice: FloatArray, settings: AxisSettings,
) -> LongAxis:  # fmt: skip
    summed: dict[str, float] = {}
    names = [_name(t, f) for t, f in zip(trials, fits, strict=True)]
    for name, p in zip(names, probability, strict=True):
        summed[name] = summed.get(name, 0.0) + float(p)
    summed = dict(sorted(summed.items(), key=lambda pair: -pair[1]))
    first = next(iter(summed))
    p = summed[first]
    grade = "strong" if p > 0.99 else "moderate" if p > 0.9 else "weak" if p > 0.6 else "not determined"
    reasons = []
    if per_point > BAD_FIT and grade in ("strong", "moderate"):
        grade = "weak"
        reasons.append(
            f"no candidate describes the pattern (chi2 {per_point:.2g} per point with the model's own errors): the grade is held at weak"
        )
    rivals = [f"{name} ({100 * v:.0f} %)" for name, v in list(summed.items())[1:4] if v > 0.01]
    if rivals:
        reasons.append(f"not ruled out: {', '.join(rivals)}")
    if form.kind == "hexagonal" and first in ("[110]", "[210]", "flat along [001]"):
        reasons.append(
            "an average over all directions sees an a-axis in three orientations: long along [110], long along [210] and flat along "
            "[001] differ in the shape of the peaks only, hardly in their widths; the grade is at most moderate"
        )
        grade = "moderate" if grade == "strong" else grade
    vectors = form.vectors_at(lattice)
    shown = settings.aspect_ratio if settings.aspect_ratio and settings.aspect_ratio > 1.02 else SHOWN_ASPECT
    predicted = {axis: predicted_sizes(lines, vectors, axis, shown) for axis in CANDIDATE_AXES[form.kind]}
    candidates = tuple(
        AxisCandidate(
            axis=t.axis, sense=t.sense, fault_kind=t.fault_kind, aspect_ratio=f.shape.aspect_ratio, diameter_nm=f.diameter_nm,
            diameter_sigma_nm=_sigma(f, "diameter", temper) * f.diameter_nm,
            aspect_sigma=_sigma(f, "aspect", temper) * f.shape.aspect_ratio,
            fault_probability=f.shape.fault_probability, fault_sigma=_sigma(f, "faults", temper),
            strain_percent=100.0 * f.shape.strain, strain_sigma_percent=100.0 * _sigma(f, "strain", temper),
            chi2=f.chi2 / temper, log_evidence=float(e), probability=float(v),
        )
        for t, f, e, v in sorted(zip(trials, fits, log, probability, strict=True), key=lambda row: -row[3])
    )  # fmt: skip
    return LongAxis(
        verdict=grade, axis=first, axis_probability=summed, candidates=candidates, predicted=predicted, aspect_ratio=float(shown),
        chi2_per_point=float(per_point), spread=settings.spread, reasons=tuple(reasons),
    )  # fmt: skip


def _sigma(fit: TrialFit, name: str, temper: float) -> float:
    if name not in fit.names:
        return 0.0
    k = fit.names.index(name)
    return float(np.sqrt(max(fit.covariance[k, k], 0.0) * temper))


def _name(trial: Trial, fit: TrialFit) -> str:
    """What the candidate says about the direction."""
    if trial.sense == "round" or abs(np.log(fit.shape.aspect_ratio)) < np.log1p(ROUND):
        return "none"
    return _called(trial)


def _called(trial: Trial) -> str:
    """Name of a direction."""
    return f"[{trial.axis}]" if trial.sense == "prolate" else f"flat along [{trial.axis}]"
