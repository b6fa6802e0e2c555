"""Wide-angle scattering: its part of the summary, its sentences, its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.estimate import Quantity, gaussian_quantity, quantity
from nanostrata.domain.finding import Finding
from nanostrata.domain.waxs import AxisCandidate, LongAxis, VegardReading, WaxsFit
from nanostrata.io.text_out import write_csv

__all__ = ["waxs_findings", "waxs_summary", "waxs_warnings", "write_waxs"]

_OVERLAP = 0.4
"""Correlation of two widths above which they are named as overlapping."""


def _bounded(draws: FloatArray) -> Quantity | None:
    """Quantity of sizes; None where the peak is not wider than the instrument (a lower bound stands beside)."""
    finite = np.isfinite(draws)
    return quantity(draws) if finite.all() else None


def waxs_summary(fit: WaxsFit) -> dict[str, Any]:
    """``waxs`` of the summary."""
    sizes = fit.scherrer_nm()
    peaks = []
    for i, hkl in enumerate(fit.hkl):
        size = _bounded(sizes[:, i])
        peak: dict[str, Any] = {
            "hkl": hkl,
            "q_inv_nm": quantity(fit.q_inv_nm[:, i]),
            "fwhm_inv_nm": quantity(fit.fwhm_inv_nm[:, i]),
            "fwhm_observed_inv_nm": quantity(fit.fwhm_observed_inv_nm[:, i]),
            "instrument_fwhm_inv_nm": float(fit.instrument_fwhm_inv_nm[i]),
            "scherrer_nm": size,
            "scherrer_k": fit.scherrer_k,
            "height": quantity(fit.height[:, i]),
            "height_over_calculated": float(fit.height[:, i].mean() / fit.expected_height[i]),
            "own_width": fit.own_width[i],
        }
        if fit.members[i]:
            peak["together_with"] = list(fit.members[i])
        if size is None:
            peak["scherrer_lower_bound95_nm"] = float(np.quantile(sizes[:, i], 0.05))
        peaks.append(peak)
    out: dict[str, Any] = {f"{n}_nm": quantity(fit.lattice_nm[:, i]) for i, n in enumerate(fit.lattice_names)}
    out |= {
        "structure": fit.structure,
        "peaks": peaks,
        "shape": fit.shape,
        "positions": fit.positions,
        "chi2_reduced": fit.chi2_reduced,
        "sigma_factor": fit.sigma_factor,
        "overlaps": overlaps(fit),
        "notes": list(fit.notes),
    }
    if fit.vegard is not None:
        out["vegard"] = _vegard_summary(fit.vegard)
    if fit.long_axis is not None:
        out["long_axis"] = _axis_summary(fit.long_axis)
    else:
        out["long_axis"] = {"verdict": "not determined", "reasons": [fit.axis_note]}
    if fit.shape == "pseudo_voigt":
        out["lorentzian_share"] = quantity(fit.lorentzian)
    if fit.background_scales:
        out["background_files"] = [{"file": n, "scale": v, "sigma": s} for n, v, s in fit.background_scales]
    return out


def _vegard_summary(v: VegardReading) -> dict[str, Any]:
    out: dict[str, Any] = {f"shell_fraction_from_{n}": quantity(v.fraction[:, i]) for i, n in enumerate(v.names)}
    if v.mean_fraction is not None:
        out["mean_shell_fraction"] = v.mean_fraction
    if v.predicted is not None:
        out |= {f"predicted_from_{n}": float(v.predicted[i]) for i, n in enumerate(v.names)}
        assert v.mean_fraction is not None
        at_mean = v.ends_nm[0] + v.mean_fraction * (v.ends_nm[1] - v.ends_nm[0])
        at_peak = v.ends_nm[0] + v.predicted * (v.ends_nm[1] - v.ends_nm[0])
        out |= {f"{n}_excess_percent": float(100.0 * (at_peak[i] / at_mean[i] - 1.0)) for i, n in enumerate(v.names)}
    return out


def _vegard_finding(fit: WaxsFit) -> tuple[Finding, ...]:
    v = fit.vegard
    if v is None:
        return ()
    read = [
        f"{float(f.mean()):.2f} ± {float(f.std(ddof=1)):.2f} from {n}"
        for n, f in zip(v.names, v.fraction.T, strict=True)
    ]
    text = f"Read by Vegard's rule, the lattice constants of the peaks give a share of shell material x = {' and '.join(read)}"
    if v.predicted is None or v.mean_fraction is None:
        text += "; in a graded particle this is not the mean composition."
        return (Finding(text=text, grade="weak", numbers={}, improve="a composition profile ([asaxs])"),)
    off = (v.fraction.mean(axis=0) - v.predicted) / np.hypot(v.fraction.std(axis=0, ddof=1), 0.03)
    same = float(np.abs(off).max()) < 2.5
    told = " and ".join(f"{p:.2f} from {n}" for n, p in zip(v.names, v.predicted, strict=True))
    text += (
        "; in a graded particle this is not the mean composition. Peaks of the fitted profile's own particle "
        f"(mean x = {v.mean_fraction:.2f}) would be read as {told}: the measured peaks "
        f"{'agree with' if same else 'CONTRADICT'} the profile."
    )
    return (
        Finding(
            text=text, grade="moderate" if same else "weak",
            numbers={f"waxs.vegard.shell_fraction_from_{n}": float(f.mean()) for n, f in zip(v.names, v.fraction.T, strict=True)},
            improve="" if same else "the end members' lattice constants, strain (the rule knows none), the wavelength",
        ),
    )  # fmt: skip


def _shown(axis: LongAxis) -> AxisCandidate:
    """Explanation that stands for the verdict: the most probable of the right kind, round where no direction is told."""
    if axis.axis == "none":
        return next(c for c in axis.candidates if c.sense == "round")
    named = [
        c for c in axis.candidates if c.axis in axis.axis and (c.sense == "oblate") == axis.axis.startswith("flat")
    ]
    return named[0]


def _axis_summary(axis: LongAxis) -> dict[str, Any]:
    best = _shown(axis)
    out: dict[str, Any] = {
        "verdict": axis.verdict,
        "axis": axis.axis,
        "probability": axis.axis_probability,
        "diameter_nm": gaussian_quantity(best.diameter_nm, best.diameter_sigma_nm),
        "aspect_ratio": gaussian_quantity(best.aspect_ratio, best.aspect_sigma),
        "strain_percent": gaussian_quantity(best.strain_percent, best.strain_sigma_percent),
        "chi2_per_point": axis.chi2_per_point,
        "size_spread": axis.spread,
        "reasons": list(axis.reasons),
        "predicted_sizes": {"aspect_ratio": axis.aspect_ratio, "over_minor_diameter": axis.predicted},
        "candidates": [
            {
                "axis": c.axis, "sense": c.sense, "fault_kind": c.fault_kind, "probability": c.probability,
                "diameter_nm": c.diameter_nm, "aspect_ratio": c.aspect_ratio, "fault_probability": c.fault_probability,
                "strain_percent": c.strain_percent, "chi2": c.chi2,
            }
            for c in axis.candidates
        ],
    }  # fmt: skip
    if best.fault_kind != "none":
        out["fault_kind"] = best.fault_kind
        out["fault_probability"] = gaussian_quantity(best.fault_probability, best.fault_sigma)
    return out


def overlaps(fit: WaxsFit) -> list[dict[str, Any]]:
    """Pairs of peaks whose widths cannot be told apart well."""
    return [
        {"peaks": [fit.hkl[i], fit.hkl[j]], "correlation_of_widths": float(fit.correlation[i, j])}
        for i in range(len(fit.hkl))
        for j in range(i + 1, len(fit.hkl))
        if fit.own_width[i] and fit.own_width[j] and abs(fit.correlation[i, j]) > _OVERLAP
    ]


def waxs_warnings(fit: WaxsFit) -> list[dict[str, str]]:
    """Warnings of the stage."""
    return [{"code": code, "message": text, "stage": "waxs"} for code, text in fit.warnings]


def waxs_findings(fit: WaxsFit | None) -> tuple[Finding, ...]:
    """Sentences for the first page; none without the stage."""
    if fit is None:
        return ()
    named, numbers = [], {}
    for i, name in enumerate(fit.lattice_names):
        value, sigma = float(fit.lattice_nm[:, i].mean()), float(fit.lattice_nm[:, i].std(ddof=1))
        named.append(f"{name} = {value:.5f} ± {sigma:.1g} nm")
        numbers[f"waxs.{name}_nm"] = value
    lines = sum(fit.own_width)
    good = fit.converged and fit.chi2_reduced < 3.0
    return (
        *_axis_finding(fit),
        *_vegard_finding(fit),
        Finding(
            text=f"The wide-angle peaks are those of {fit.structure} with {', '.join(named)}, from {len(fit.hkl)} peaks "
            f"({lines} with a width of their own); an error of the wavelength or the zero of the angle is not in it.",
            grade="strong" if good and lines >= 3 else "moderate" if fit.converged else "not determined",
            numbers=numbers,
            improve="" if good else "errors of the points, or a peak shape that describes the pattern (waxs.shape)",
        ),
    )


def _axis_finding(fit: WaxsFit) -> tuple[Finding, ...]:
    axis = fit.long_axis
    if axis is None:
        return ()
    best, p = _shown(axis), next(iter(axis.axis_probability.values()))
    faults = best.fault_kind != "none" and best.fault_probability > 2.0 * best.fault_sigma
    extra = f", with {best.fault_kind} faults of {100 * best.fault_probability:.2g} % per layer" if faults else ""
    if axis.verdict == "not determined":
        text = f"The wide-angle peaks do not tell in which direction the particles are long (best {axis.axis}, {100 * p:.0f} %)."
    elif axis.axis == "none":
        text = (
            f"The wide-angle peaks are those of round particles of {best.diameter_nm:.2f} nm{extra} ({100 * p:.0f} %)."
        )
    else:
        kind = axis.axis if axis.axis.startswith("flat") else f"long along {axis.axis}"
        text = (
            f"The wide-angle peaks are those of particles that are {kind}, aspect ratio {best.aspect_ratio:.2f}"
            f"{extra} ({100 * p:.0f} %)."
        )
    return (
        Finding(
            text=text, grade=axis.verdict, numbers={"waxs.long_axis.probability": p},
            improve="" if axis.verdict == "strong" else "; ".join(axis.reasons) or "less noise, more reflections",
        ),
    )  # fmt: skip


def write_waxs(folder: Path, fit: WaxsFit) -> None:
    """Write ``waxs_pattern.csv`` and ``waxs_peaks.csv``."""
    residual = (fit.intensity - fit.fit) / fit.sigma
    write_csv(
        folder / "waxs_pattern.csv",
        ["q_inv_nm", "intensity", "sigma", "fit", "background", "residual_sigma", *(f"peak_{h.replace(' ', '_')}" for h in fit.hkl)],
        [
            [q, fit.intensity[i], fit.sigma[i], fit.fit[i], fit.background[i], residual[i], *fit.lines[:, i]]
            for i, q in enumerate(fit.curve_q)
        ],
    )  # fmt: skip
    sizes = fit.scherrer_nm()
    rows = []
    for i, hkl in enumerate(fit.hkl):
        low, high = np.quantile(sizes[:, i], [0.025, 0.975])
        middle = float(np.median(sizes[:, i]))
        rows.append(
            [hkl, " ".join(fit.members[i]), fit.q_inv_nm[:, i].mean(), fit.q_inv_nm[:, i].std(ddof=1),
             fit.fwhm_observed_inv_nm[:, i].mean(), fit.fwhm_observed_inv_nm[:, i].std(ddof=1), fit.instrument_fwhm_inv_nm[i],
             fit.fwhm_inv_nm[:, i].mean(), fit.fwhm_inv_nm[:, i].std(ddof=1),
             middle if np.isfinite(middle) else None, low if np.isfinite(low) else None, high if np.isfinite(high) else None,
             fit.scherrer_k, fit.height[:, i].mean(), fit.expected_height[i], "yes" if fit.own_width[i] else "no"]
        )  # fmt: skip
    write_csv(
        folder / "waxs_peaks.csv",
        ["hkl", "together_with", "q_inv_nm", "q_sigma", "fwhm_observed_inv_nm", "fwhm_observed_sigma", "instrument_fwhm_inv_nm",
         "fwhm_inv_nm", "fwhm_sigma", "scherrer_nm", "scherrer_lo95", "scherrer_hi95", "scherrer_k", "height", "calculated_height",
         "own_width"],
        rows,
    )  # fmt: skip
    if fit.long_axis is None:
        return
    axis = fit.long_axis
    write_csv(
        folder / "waxs_long_axis.csv",
        ["axis", "sense", "fault_kind", "probability", "diameter_nm", "aspect_ratio", "fault_probability", "strain_percent", "chi2"],
        [
            [c.axis, c.sense, c.fault_kind, c.probability, c.diameter_nm, c.aspect_ratio, c.fault_probability, c.strain_percent, c.chi2]
            for c in axis.candidates
        ],
    )  # fmt: skip
    write_csv(
        folder / "waxs_predicted_sizes.csv",
        ["hkl", *(f"long_along_{a}" for a in axis.predicted)],
        [[h, *(sizes[h] for sizes in axis.predicted.values())] for h in next(iter(axis.predicted.values()))],
    )
