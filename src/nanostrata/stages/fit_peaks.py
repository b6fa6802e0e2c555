"""Fit the peaks of a wide-angle pattern: lattice constants, widths, Scherrer sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain, FloatArray
from nanostrata.domain.waxs import WaxsFit
from nanostrata.errors import PhysicsError
from nanostrata.kernels.peaks import background_of, lines_of
from nanostrata.kernels.statistics import slow_residuals
from nanostrata.models.waxs_lines import LatticeForm, Line
from nanostrata.models.waxs_pattern import (
    Pattern,
    PatternFit,
    fit_pattern,
    group_lines,
    heights,
    make_pattern,
    scan,
)  # fmt: skip

__all__ = ["FWHM_PER_SIGMA", "MeasuredBackground", "PeakSettings", "fit_peaks"]

FWHM_PER_SIGMA = float(np.sqrt(8.0 * np.log(2.0)))
MOST_TERMS = 8
DRAWS = 2000

POSITION_ERROR = 0.01
"""Error of every position for what a Gaussian or pseudo-Voigt does not know of real peaks, in full widths, the same for all peaks.

Simulated 4 nm particles of atoms, elongated or with stacking faults, give lattice constants that are off by up to 0.05 %.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredBackground(Domain):
    """Background on the pattern's q, with a scale to be fitted."""

    name: str
    values: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakSettings:
    """Choices of the fit.

    Attributes
    ----------
    structure : name for the record
    shape : "gaussian" or "pseudo_voigt"
    positions : "lattice" (tied through the lattice constants) or "free"
    background_terms : number of Chebyshev terms, None: as many as the pattern asks for
    halos : (middle, full width) of broad components of the medium, 1/nm
    scherrer_k : constant of the stated sizes
    """

    structure: str
    shape: str = "gaussian"
    positions: str = "lattice"
    background_terms: int | None = None
    halos: tuple[tuple[float, float], ...] = ()
    scherrer_k: float = 0.9


def fit_peaks(
    curve: ScatteringCurve,
    lines: Sequence[Line],
    form: LatticeForm,
    settings: PeakSettings,
    *,
    instrument: Callable[[FloatArray], FloatArray] | None = None,
    backgrounds: Sequence[MeasuredBackground] = (),
    envelope: FloatArray | None = None,
    rng: np.random.Generator,
) -> WaxsFit:
    """Fit all reflections in the range on a background that is linear in its coefficients.

    Parameters
    ----------
    curve : the pattern
    lines : reflections of the structure, beyond the range on both sides
    form : the starting lattice
    settings : choices
    instrument : q -> full width at half maximum of the instrument's peaks, 1/nm; None when it is not known
    backgrounds : measured ones, their scales are fitted
    envelope : (n_q,) factor of all lines, see :func:`nanostrata.models.waxs_pattern.envelope_of`; None: 1
    rng : of the draws

    Raises
    ------
    PhysicsError
        When fewer than two reflections lie in the range, or no peak stands out of the noise.

    Notes
    -----
    First values come from a scan of one scale of the lattice and one width, with calculated heights. The number of terms of
    the background is that of the smallest Bayesian information criterion, where none is stated. Errors are enlarged by the
    root of chi2 reduced where that is above 1, and by the correlation of neighbouring residuals.
    """
    q, high = curve.q_inv_nm, float(curve.q_inv_nm[-1])
    inside = [line for line in lines if q[0] < line.q_inv_nm < high]
    if len(inside) < 2:
        named = ", ".join(f"{line.hkl} at {line.q_inv_nm:.3g}" for line in lines[:6])
        raise PhysicsError(
            f"waxs: {len(inside)} reflection(s) of {settings.structure} between q = {q[0]:.4g} and {high:.4g} 1/nm, at "
            f"least 2 are needed ({named} 1/nm); widen waxs.q_range_inv_nm, or correct waxs.axis, waxs.energy_kev or the lattice"
        )
    fewest = 1 if backgrounds else 2
    choices = [settings.background_terms] if settings.background_terms else range(fewest, MOST_TERMS + 1)
    best: tuple[float, PatternFit, Pattern, int] | None = None
    scale = fwhm = 0.0
    for terms in choices:
        pattern = make_pattern(curve, terms, [b.values for b in backgrounds], settings.halos, envelope)
        if not scale:
            scale, fwhm = scan(pattern, lines)
        kept, group = group_lines(lines, scale, fwhm, float(q[0]), high)
        if not kept:
            continue
        found = fit_pattern(
            pattern, kept, group, form, scale, fwhm,
            lorentzian=settings.shape == "pseudo_voigt", free_positions=settings.positions == "free",
        )  # fmt: skip
        # errors of unknown size count in this criterion, not their stated values
        criterion = len(q) * np.log(found.solution.chi2) + len(found.solution.theta) * np.log(len(q))
        if best is None or criterion < best[0]:
            best = (criterion, found, pattern, terms)
    if best is None:
        raise PhysicsError(
            f"waxs: no reflection of {settings.structure} stands in the range; check the lattice constants"
        )
    return _result(curve, best[1], best[2], best[3], form, settings, instrument, backgrounds, rng)


def _result(
    curve: ScatteringCurve, found: PatternFit, pattern: Pattern, terms: int, form: LatticeForm, settings: PeakSettings,
    instrument: Callable[[FloatArray], FloatArray] | None, backgrounds: Sequence[MeasuredBackground],
    rng: np.random.Generator,
) -> WaxsFit:  # fmt: skip
    s, model = found.solution, found.model
    n_data, n_peaks = pattern.points, len(found.leader)
    chi2_reduced = s.chi2 / max(1, n_data - len(s.theta))
    residual = ((pattern.intensity - s.fit) * pattern.weight)[:n_data]
    factor = float(np.sqrt(max(1.0, chi2_reduced) * slow_residuals(residual)))
    covariance = 0.5 * (s.covariance + s.covariance.T) * factor**2
    draws = rng.multivariate_normal(s.theta, covariance, size=DRAWS, method="eigh")
    n_pos, n_wid = model.positions, model.widths
    if settings.positions == "free":
        position = draws[:, :n_pos]
        lattice, note, warnings = _lattice_from_positions(position, found, form)
    else:
        parameters = np.maximum(draws[:, :n_pos], 1e-6 * np.abs(s.theta[:n_pos]))
        position = np.sqrt(parameters @ np.array([found.lines[i].metric for i in found.leader]).T)
        lattice, note, warnings = form.lengths_of(parameters), "", []
    middle = position.mean(axis=0)
    observed = np.exp(draws[:, n_pos : n_pos + n_wid])[:, found.width_group]
    doubt = POSITION_ERROR * float(np.median(observed.mean(axis=0) / middle))
    lattice = lattice * (1.0 + doubt * rng.standard_normal(lattice.shape))
    width = np.zeros(n_peaks) if instrument is None else np.asarray(instrument(middle))
    lorentz = 1.0 / (1.0 + np.exp(-draws[:, n_pos + n_wid])) if model.lorentzian else np.zeros(len(draws))
    height = draws[:, model.nonlinear : model.nonlinear + n_peaks]
    correlation = np.corrcoef(observed.T) if n_peaks > 1 else np.ones((1, 1))
    expected = heights([found.lines[i] for i in found.leader])
    measured = np.argmax(s.theta[model.nonlinear : model.nonlinear + n_peaks])
    expected = expected * s.theta[model.nonlinear + measured] / expected[measured]
    scales = _scales(draws, model.nonlinear + n_peaks + terms, backgrounds)
    each = lines_of(pattern.q, model, s.theta)
    together = np.array([each[found.group == g].sum(axis=0) for g in range(n_peaks)])
    hkl = tuple(found.lines[i].hkl for i in found.leader)
    members = tuple(
        tuple(line.hkl for line, g in zip(found.lines, found.group, strict=True) if g == k and line.hkl != hkl[k])
        for k in range(n_peaks)
    )
    notes = [
        f"background: {terms} Chebyshev terms"
        + (", chosen by the pattern" if settings.background_terms is None else "")
    ]
    notes += [note] if note else []
    corrected = _without_instrument(observed, width, lorentz)
    warnings += _warnings(s.converged, chi2_reduced, scales, hkl, corrected, width, height)
    return WaxsFit(
        structure=settings.structure, lattice_names=form.names, lattice_nm=lattice, hkl=hkl, members=members,
        q_inv_nm=position, fwhm_observed_inv_nm=observed, fwhm_inv_nm=corrected, height=height,
        instrument_fwhm_inv_nm=width,
        own_width=tuple(bool(np.sum(found.width_group == g) == 1 or _leads(found, k)) for k, g in enumerate(found.width_group)),
        lorentzian=lorentz, correlation=np.atleast_2d(correlation), expected_height=expected,
        scherrer_k=settings.scherrer_k, curve_q=curve.q_inv_nm, intensity=curve.intensity, sigma=curve.sigma, fit=s.fit[:n_data],
        background=background_of(model, s.theta)[:n_data], lines=together[:, :n_data], chi2_reduced=float(chi2_reduced), sigma_factor=factor,
        background_terms=terms,
        background_scales=scales, shape=settings.shape, positions=settings.positions, converged=s.converged,
        notes=tuple(notes), warnings=tuple(warnings), origin=curve.origin,
    )  # fmt: skip


def _leads(found: PatternFit, peak: int) -> bool:
    """Whether the width of its group is this peak's own: the tallest of those that share it."""
    start = found.model.nonlinear
    sharing = np.flatnonzero(found.width_group == found.width_group[peak])
    return bool(sharing[np.argmax(found.solution.theta[start + sharing])] == peak)


def _without_instrument(observed: FloatArray, instrument: FloatArray, lorentz: FloatArray) -> FloatArray:
    """Widths without a Gaussian instrument: squares subtract for the Gaussian part, the Lorentzian part stays.

    With a Lorentzian's share eta the full width is taken as w_L / 2 + sqrt(w_L^2 / 4 + w_G^2), w_L = eta w
    (Whiting 1968, simplified), which is exact for both pure shapes.
    """
    part = lorentz[:, None] * observed
    gauss2 = observed * (observed - part) - instrument**2
    out = 0.5 * part + np.sqrt(np.maximum(0.25 * part**2 + np.maximum(gauss2, 0.0), 0.0))
    return np.where(gauss2 > 0.0, out, np.where(part > 0.0, part, 0.0))


def _lattice_from_positions(
    position: FloatArray, found: PatternFit, form: LatticeForm
) -> tuple[FloatArray, str, list[tuple[str, str]]]:
    """Lattice constants by generalised least squares of q^2 over the free positions."""
    metric = np.array([line.metric for line in found.lines])
    square = position**2
    spread = np.cov(square.T)
    weight = np.linalg.pinv(np.atleast_2d(spread))
    normal = metric.T @ weight @ metric
    parameters = np.maximum(square @ (np.linalg.solve(normal, metric.T @ weight)).T, 1e-9)
    off = square.mean(axis=0) - metric @ parameters.mean(axis=0)
    chi2, free = float(off @ weight @ off), len(found.lines) - len(form.names)
    note = f"lattice constants from free positions: chi2 {chi2:.3g} with {free} degrees of freedom"
    warnings = []
    if free > 0 and chi2 > 3.0 * free + 6.0:
        warnings.append(
            ("waxs_positions", f"the peaks' free positions do not belong to one lattice ({note.split(': ')[1]})")
        )
    return form.lengths_of(parameters), note, warnings


def _scales(
    draws: FloatArray, first: int, backgrounds: Sequence[MeasuredBackground]
) -> tuple[tuple[str, float, float], ...]:
    out = []
    for k, b in enumerate(backgrounds):
        values = draws[:, first + k] / max(float(np.max(np.abs(b.values))), 1e-300)
        out.append((b.name, float(values.mean()), float(values.std(ddof=1))))
    return tuple(out)


def _warnings(
    converged: bool, chi2_reduced: float, scales: tuple[tuple[str, float, float], ...], hkl: tuple[str, ...],
    corrected: FloatArray, instrument: FloatArray, height: FloatArray,
) -> list[tuple[str, str]]:  # fmt: skip
    out = []
    if not converged:
        out.append(("waxs_not_converged", "the fit of the peaks did not converge; its numbers are not final"))
    if chi2_reduced > 3.0:
        out.append(
            ("waxs_bad_fit", f"the peaks do not describe the pattern within its errors (chi2 reduced {chi2_reduced:.3g}); "
             "errors of the results were enlarged accordingly")
        )  # fmt: skip
    out += [
        (
            "waxs_background_scale",
            f"the fitted scale of the background {name} is {value:.3g}: a background cannot be negative",
        )
        for name, value, sigma in scales
        if value < -2.0 * sigma
    ]
    narrow = [h for h, w in zip(hkl, corrected.T, strict=True) if np.mean(w <= 0.0) > 0.16]
    if narrow:
        out.append(
            (
                "waxs_narrow",
                f"peaks {', '.join(narrow)} are not wider than the instrument: their sizes are lower bounds",
            )
        )
    negative = [h for h, a in zip(hkl, height.T, strict=True) if a.mean() < -2.0 * a.std()]
    if negative:
        out.append(
            (
                "waxs_negative",
                f"peaks {', '.join(negative)} came out negative: wrong structure, or a background too stiff",
            )
        )
    if not instrument.any():
        out.append(
            ("waxs_no_instrument", "no instrument width is stated (waxs.instrument_sigma_inv_nm or waxs.standard): sizes are "
             "lower bounds")
        )  # fmt: skip
    return out
