"""Terms of the anomalous scattering: what does not depend on the resonant element's f', f'', and what does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, check_range, freeze, frozen_array
from nanostrata.domain.curve import ScatteringCurve
from nanostrata.errors import PhysicsError

Correction: TypeAlias = Literal["end_members", "none"]
"""How f', f'' of the other elements are treated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Positivity(Domain):
    """How often one inequality that the terms must obey is broken.

    Attributes
    ----------
    condition : the inequality
    broken : points at which the estimates break it
    beyond_two_sigma : points at which they do by more than two standard deviations
    points : all points
    """

    condition: str
    broken: int
    beyond_two_sigma: int
    points: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeparatedTerms(Domain):
    r"""The three terms of :math:`I(q,E) = |G|^2 I_0 + 2\,\mathrm{Re}(G H^*)\, I_{0R} + |H|^2 I_{RR}` at every q.

    With the other elements' factors constant, G = 1 and H = f' + i f'' of the resonant element.

    Attributes
    ----------
    element : the resonant element
    correction : "end_members": G and H hold f', f'' of the other elements, too; "none": they are ignored
    energies_kev, f_prime, f_double_prime : (n_energy,) of the curves, and the resonant element's factors there
    q_inv_nm : (n,) common grid
    terms : (n, 3) I_0, I_0R, I_RR in the unit of the curves (I_0R per electron, I_RR per electron squared)
    covariance : (n, 3, 3) of the terms at each q, errors of the scales included
    resonant_covariance : (n, n) of I_RR between the points
    condition : (n,) condition number of the equations, each term in units of the size that it has in a particle of the
        end member that is richest in the resonant element
    scale, scale_sigma : (n_energy,) factor by which each curve was found too high, and its standard deviation; 1 and 0
        where the scale was taken as exact
    resolution : standard deviation of I_RR, all points together, in units of its size in such a particle
    chi2 : weighted squares of the differences, with those of the scales from 1
    degrees_of_freedom : values at all energies minus three per point
    intensity_unit : of the curves
    """

    element: str
    correction: Correction
    energies_kev: FloatArray
    f_prime: FloatArray
    f_double_prime: FloatArray
    q_inv_nm: FloatArray
    terms: FloatArray
    covariance: FloatArray
    resonant_covariance: FloatArray
    condition: FloatArray
    scale: FloatArray
    scale_sigma: FloatArray
    resolution: float
    chi2: float
    degrees_of_freedom: int
    intensity_unit: str = "arb"

    def __post_init__(self) -> None:
        if self.correction not in ("end_members", "none"):
            raise PhysicsError(f'correction: expected "end_members" or "none", got {self.correction!r}')
        energies = frozen_array("energies_kev", self.energies_kev, positive=True)
        q = frozen_array("q_inv_nm", self.q_inv_nm, positive=True, increasing=True)
        freeze(self, "energies_kev", energies)
        freeze(self, "q_inv_nm", q)
        for name in ("f_prime", "f_double_prime", "scale", "scale_sigma"):
            freeze(self, name, frozen_array(name, getattr(self, name), length=len(energies)))
        n = len(q)
        for name, shape in (("terms", (n, 3)), ("covariance", (n, 3, 3)), ("resonant_covariance", (n, n))):
            a = frozen_array(name, getattr(self, name), ndim=len(shape))
            if a.shape != shape:
                raise PhysicsError(f"{name}: expected shape {shape}, got {a.shape}")
            freeze(self, name, a)
        freeze(self, "condition", frozen_array("condition", self.condition, positive=True, length=n))
        check_range("resolution", self.resolution, 0.0, np.finfo(np.float64).max)

    @property
    def sigma(self) -> FloatArray:
        """One standard deviation of the terms, (n, 3)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2)))

    @property
    def positivity(self) -> tuple[Positivity, Positivity, Positivity]:
        """Whether I_0 >= 0, I_RR >= 0 and I_0R^2 <= I_0 I_RR; nothing was done to make it so.

        The error of the third is that of I_0 I_RR - I_0R^2 to first order.
        """
        i0, cross, rr = self.terms.T
        slope = np.stack([rr, -2.0 * cross, i0], axis=1)
        schwarz = i0 * rr - cross**2
        error = np.sqrt(np.einsum("qi,qij,qj->q", slope, self.covariance, slope))
        rows = (
            ("I_0 >= 0", i0, self.sigma[:, 0]),
            ("I_RR >= 0", rr, self.sigma[:, 2]),
            ("I_0R^2 <= I_0 I_RR", schwarz, error),
        )
        first, second, third = (
            Positivity(
                condition=name, broken=int((v < 0).sum()), beyond_two_sigma=int((v < -2.0 * s).sum()), points=len(v)
            )
            for name, v, s in rows
        )
        return first, second, third

    @property
    def resonant_curve(self) -> ScatteringCurve:
        """I_RR: the scattering of the resonant element's atoms alone, as if each had one electron.

        Its errors are correlated from point to point (``resonant_covariance``).
        """
        return ScatteringCurve(
            q_inv_nm=self.q_inv_nm, intensity=self.terms[:, 2], sigma=self.sigma[:, 2],
            label=f"{self.element} alone", intensity_unit=self.intensity_unit,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairDistances(Domain):
    r"""Pair distances p(r) of a curve, :math:`I(q) = 4\pi \int_0^D p(r) \sin(qr)/(qr)\, dr`.

    Attributes
    ----------
    r_nm : (m,) from 0 to D; p is 0 at both ends
    p : (m,) per nm, in the unit of the curve
    covariance : (m, m) for the given D, the unknown smoothness included
    fit : (n,) curve of p at the points of the data
    chi2 : of the fit, with the correlations of the data
    smoothness : weight of the squared second differences that the evidence prefers
    at_limit : whether the evidence still rose at an end of the range of weights
    rg_nm, rg_sigma_nm : radius of gyration; nan where its square comes out negative, or I(0) below three standard
        deviations
    i_zero, i_zero_sigma : I(q = 0)
    """

    r_nm: FloatArray
    p: FloatArray
    covariance: FloatArray
    fit: FloatArray
    chi2: float
    smoothness: float
    at_limit: bool
    rg_nm: float
    rg_sigma_nm: float
    i_zero: float
    i_zero_sigma: float

    def __post_init__(self) -> None:
        r = frozen_array("r_nm", self.r_nm, nonnegative=True, increasing=True)
        freeze(self, "r_nm", r)
        freeze(self, "p", frozen_array("p", self.p, length=len(r)))
        freeze(self, "covariance", frozen_array("covariance", self.covariance, ndim=2, length=len(r)))
        freeze(self, "fit", frozen_array("fit", self.fit))

    @property
    def sigma(self) -> FloatArray:
        """One standard deviation of p, (m,)."""
        return np.asarray(np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeparationResult(Domain):
    """What a run says about the separation of terms: the terms, or why the energies cannot separate them.

    Attributes
    ----------
    terms : None where it was refused
    refusal : the reason; empty where it was not
    predicted : (n, 3) the terms that follow from the fitted profile, in the unit of ``terms``; (0, 3) when refused
    agreement_chi2, agreement_p : of I_RR against the prediction, with its full covariance; nan when refused
    pairs : pair distances of the resonant element's atoms; None when refused
    notes : what was subtracted, and the like
    """

    terms: SeparatedTerms | None
    refusal: str
    predicted: FloatArray
    agreement_chi2: float
    agreement_p: float
    pairs: PairDistances | None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        freeze(self, "predicted", frozen_array("predicted", self.predicted, ndim=2))
