"""Nouns of wide-angle scattering: peaks with widths and sizes, lattice constants, and what the widths say of the shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.domain.origin import Origin
from nanostrata.errors import PhysicsError

__all__ = ["AxisCandidate", "LongAxis", "WaxsFit"]


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
    background_scales : fitted scale of each measured background, and its standard deviation
    shape, positions : as asked for
    converged, notes, warnings : ``warnings`` are (code, sentence)
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
    background_scales: tuple[tuple[str, float, float], ...]
    shape: str
    positions: str
    converged: bool
    notes: tuple[str, ...]
    warnings: tuple[tuple[str, str], ...]
    origin: Origin

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
    faults, strain : whether stacking faults and a spread of the lattice constant are part of it
    aspect_ratio, diameter_nm, fault_probability, strain_percent : best values (1 and 0 where not part of it)
    chi2 : of the whole pattern, by the enlarged errors
    log_evidence : logarithm of the evidence
    probability : among all explanations, with equal prior weight for each axis
    """

    axis: str
    faults: bool
    strain: bool
    aspect_ratio: float
    diameter_nm: float
    fault_probability: float
    strain_percent: float
    chi2: float
    log_evidence: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LongAxis(Domain):
    """What the pattern says about the direction of elongation.

    Attributes
    ----------
    verdict : "strong", "moderate", "weak" or "not determined"
    axis : the most probable ("none" for a particle without long axis)
    axis_probability : per axis, summed over its explanations
    candidates : every explanation
    predicted : per axis, name of peak -> size over the minor diameter, averaged over equivalents
    aspect_ratio : for which ``predicted`` holds
    reasons : sentences
    """

    verdict: str
    axis: str
    axis_probability: dict[str, float]
    candidates: tuple[AxisCandidate, ...]
    predicted: dict[str, dict[str, float]]
    aspect_ratio: float
    reasons: tuple[str, ...]
