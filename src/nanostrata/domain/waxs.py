"""Nouns of wide-angle scattering: peaks with widths and sizes, lattice constants, and what the widths say of the shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.domain.origin import Origin
from nanostrata.errors import PhysicsError

__all__ = ["AxisCandidate", "LongAxis", "VegardReading", "WaxsFit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WaxsFit(Domain):
    """Fitted peaks of one pattern; draws are from the fit's covariance with its sigma factor.

    Attributes
    ----------
    structure : name of the structure whose reflections were fitted, or "cif"
    lattice_names : of the constants ("a", "c")
    lattice_nm : (n_draws, n_constants)
    hkl : name of each peak's strongest reflection
    members : reflections too close to it to be told apart, which go with it in the calculated ratio
    q_inv_nm, fwhm_observed_inv_nm, height : (n_draws, n_peaks)
    fwhm_inv_nm : (n_draws, n_peaks) after correction for the instrument; 0 where the peak is not wider than it
    instrument_fwhm_inv_nm : (n_peaks,)
    own_width : per peak whether its width was free; otherwise it has that of a neighbour
    lorentzian : (n_draws,) the Lorentzian's share of the peaks
    correlation : (n_peaks, n_peaks) of the observed widths
    expected_height : (n_peaks,) calculated, scaled to the strongest found
    scherrer_k : constant of the stated sizes
    curve_q, intensity, sigma, fit, background : (n_q,) what was fitted
    lines : (n_peaks, n_q) each peak alone
    chi2_reduced : by the stated errors
    sigma_factor : by which all errors of the fit were enlarged (scatter and slow misfit of the residuals)
    background_terms : Chebyshev terms of the background
    background_scales : fitted scale of each measured background, and its standard deviation
    shape, positions : as asked for
    converged, notes, warnings : ``warnings`` are (code, sentence)
    long_axis : what the pattern says about elongation; None where that was not asked, ``axis_note`` says why
    vegard : composition read from the lattice constants, where there are two end members of this structure
    """

    structure: str
    lattice_names: tuple[str, ...]
    lattice_nm: FloatArray
    hkl: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    q_inv_nm: FloatArray
    fwhm_observed_inv_nm: FloatArray
    fwhm_inv_nm: FloatArray
    height: FloatArray
    instrument_fwhm_inv_nm: FloatArray
    own_width: tuple[bool, ...]
    lorentzian: FloatArray
    correlation: FloatArray
    expected_height: FloatArray
    scherrer_k: float
    curve_q: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    fit: FloatArray
    background: FloatArray
    lines: FloatArray
    chi2_reduced: float
    sigma_factor: float
    background_terms: int
    background_scales: tuple[tuple[str, float, float], ...]
    shape: str
    positions: str
    converged: bool
    notes: tuple[str, ...]
    warnings: tuple[tuple[str, str], ...]
    origin: Origin
    long_axis: LongAxis | None = None
    axis_note: str = ""
    vegard: VegardReading | None = None

    def __post_init__(self) -> None:
        n = len(self.hkl)
        for name in ("q_inv_nm", "fwhm_observed_inv_nm", "fwhm_inv_nm", "height"):
            a = frozen_array(name, getattr(self, name), ndim=2)
            if a.shape[1] != n:
                raise PhysicsError(f"{name}: expected one column for each of {n} peaks, got {a.shape[1]}")
            freeze(self, name, a)
        for name in ("instrument_fwhm_inv_nm", "expected_height"):
            freeze(self, name, frozen_array(name, getattr(self, name), length=n))
        freeze(self, "correlation", frozen_array("correlation", self.correlation, ndim=2, length=n))
        freeze(self, "lines", frozen_array("lines", self.lines, ndim=2, length=n))
        freeze(self, "lattice_nm", frozen_array("lattice_nm", self.lattice_nm, ndim=2, positive=True))
        freeze(self, "lorentzian", frozen_array("lorentzian", self.lorentzian))
        for name in ("curve_q", "intensity", "sigma", "fit", "background"):
            freeze(self, name, frozen_array(name, getattr(self, name), length=len(self.curve_q)))

    def scherrer_nm(self) -> FloatArray:
        """(n_draws, n_peaks) sizes 2 pi K / fwhm; inf where a draw is not wider than the instrument."""
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * np.pi * self.scherrer_k / self.fwhm_inv_nm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AxisCandidate(Domain):
    """One explanation of the widths.

    Attributes
    ----------
    axis : direction of the unique axis ("110"), or "none" for spheres
    sense : "round", "prolate" or "oblate"
    fault_kind : "growth", "deformation", or "none" where the crystal has no close-packed layers
    diameter_nm, aspect_ratio, fault_probability, strain_percent : best values with standard deviations; the diameter is that of
        the sphere of the mean particle's volume, the strain the relative standard deviation of the lattice constant
    chi2 : of the whole pattern, by the enlarged errors
    log_evidence : logarithm of prior times evidence
    probability : among all explanations
    """

    axis: str
    sense: str
    fault_kind: str
    diameter_nm: float
    diameter_sigma_nm: float
    aspect_ratio: float
    aspect_sigma: float
    fault_probability: float
    fault_sigma: float
    strain_percent: float
    strain_sigma_percent: float
    chi2: float
    log_evidence: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LongAxis(Domain):
    """What the pattern says about the direction of elongation.

    Attributes
    ----------
    verdict : "strong", "moderate", "weak" or "not determined"
    axis : the most probable: "[110]", "flat along [001]", or "none" for particles that are round or nearly so
    axis_probability : the same names -> probability, summed over explanations, largest first
    candidates : every explanation
    predicted : per axis, name of peak -> size over the minor diameter, averaged over equivalents
    aspect_ratio : for which ``predicted`` holds
    chi2_per_point : of the best candidate, with 2 % of the peaks in the errors
    spread : relative standard deviation of the diameter that was assumed
    reasons : sentences
    """

    verdict: str
    axis: str
    axis_probability: dict[str, float]
    candidates: tuple[AxisCandidate, ...]
    predicted: dict[str, dict[str, float]]
    aspect_ratio: float
    chi2_per_point: float
    spread: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VegardReading(Domain):
    """Share of shell material by Vegard's rule, from the lattice constants of the peaks.

    Attributes
    ----------
    names : of the constants
    fraction : (n_draws, n_constants) from each measured constant; may lie outside 0 to 1
    mean_fraction : of the profile's fit per shared site, or None
    predicted : (n_constants,) what the peaks of the profile's own particle give when they are read in the same way, or None
    ends_nm : (2, n_constants) constants of the end members
    """

    names: tuple[str, ...]
    fraction: FloatArray
    mean_fraction: float | None
    predicted: FloatArray | None
    ends_nm: FloatArray

    def __post_init__(self) -> None:
        freeze(self, "fraction", frozen_array("fraction", self.fraction, ndim=2))
        freeze(self, "ends_nm", frozen_array("ends_nm", self.ends_nm, ndim=2, length=2))
        if self.predicted is not None:
            freeze(self, "predicted", frozen_array("predicted", self.predicted, length=len(self.names)))
