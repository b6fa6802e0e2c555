"""Diffusion of the exchanged element: its density against depth, and diffusivities by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, check_range, freeze, frozen_array
from nanostrata.domain.fit import Draws
from nanostrata.errors import PhysicsError

FICK_DEFINITION = (
    "spherical Fick-2: constant D, surface at a constant value since t = 0, every particle with its own tau = D t / R^2"
)
"""What the first-page number is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DefinedDiffusivity(Domain):
    """A diffusivity by one of the readings of Fick's laws.

    Attributes
    ----------
    name : "A", "B", "B'", "C", "D", "E", "E'" or "F"
    formula : in terms of J, F, C1, C2, R and t
    label : what it is, in words
    diffusivity_cm2_s : (n_draw,); nan where the gradient that it divides by is not there
    """

    name: str
    formula: str
    label: str
    diffusivity_cm2_s: FloatArray

    @property
    def share_defined(self) -> float:
        """Share of the draws in which it is a number."""
        return float(np.isfinite(self.diffusivity_cm2_s).mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FickFit(Domain):
    """The solution of Fick's second law in a sphere, fitted to the curves themselves.

    Attributes
    ----------
    draws : posterior, with "x_surface" and "log10_tau" (of the particle of mean radius) first among its names
    radius_nm : (n_draw,) mean radius
    diffusivity_cm2_s : (n_draw,) tau R^2 / t
    chi2 : squares of the data and of the nuisance priors at the best point
    shells_chi2, shells : the same for free, equispaced shells, and their number
    n_data : points
    p : probability of such a difference of chi2 if Fick's solution were true (likelihood ratio, shells - 2 degrees of
        freedom)
    log10_tau_bounds : flat prior
    chi2_at_bounds : rise of chi2 above the best point where log10(tau) is held at the lower and the upper bound
    common_tau_shift : best log10(tau) minus that of a model in which all particles share one tau
    correction_step : change of log10(tau) in the last step towards particles with their own tau; above 0.02 these steps
        have not come to rest
    """

    draws: Draws
    radius_nm: FloatArray
    diffusivity_cm2_s: FloatArray
    chi2: float
    shells_chi2: float
    shells: int
    n_data: int
    p: float
    log10_tau_bounds: tuple[float, float]
    chi2_at_bounds: tuple[float, float]
    common_tau_shift: float
    correction_step: float

    LIMIT = 3.84
    """A bound that raises chi2 by less is not excluded at 95 %."""

    P_DESCRIBES = 0.01
    """Below this p free shells are better."""

    def __post_init__(self) -> None:
        freeze(self, "radius_nm", frozen_array("radius_nm", self.radius_nm, positive=True))
        d = frozen_array("diffusivity_cm2_s", self.diffusivity_cm2_s, positive=True, length=len(self.radius_nm))
        freeze(self, "diffusivity_cm2_s", d)

    NEAR = 0.1
    """Distance of an interval's end from a bound of log10(tau), below which the bound has cut it."""

    SETTLED = 0.02
    """Largest last step of log10(tau) towards particles with their own tau."""

    @property
    def describes(self) -> bool:
        """Whether the curves are described as well as by free shells."""
        return self.p >= self.P_DESCRIBES

    @property
    def determination(self) -> str:
        """Return "both sides", "lower limit", "upper limit" or "none": what the data say of the size of D.

        A side is open where the bound of log10(tau) is not excluded, or where the 95 % interval comes near it.
        """
        log_tau = self.draws.theta[:, self.draws.names.index("log10_tau")]
        ends = np.quantile(log_tau, [0.025, 0.975])
        low, high = (
            rise < self.LIMIT or abs(float(end) - bound) < self.NEAR
            for rise, end, bound in zip(self.chi2_at_bounds, ends, self.log10_tau_bounds, strict=True)
        )
        return {(False, False): "both sides", (False, True): "lower limit", (True, False): "upper limit"}.get(
            (low, high), "none"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diffusion(Domain):
    """What the profile says about the diffusion that made it.

    Attributes
    ----------
    elements : elements of the shell material that the core lacks; the density is that of the first
    time_s, temperature_c : of the growth; temperature None = not stated
    depth_fraction : (n,) depth of the middle of each shell over the radius, inner to outer
    radius_nm : (n_draw,) mean radius in each draw of the profile
    density_nm3 : (n_draw, n) atoms of the element per nm^3
    c1, c2_inv_nm : (n_draw,) of F(depth) = exp(C1 + C2 depth); nan where no exponential fits
    at_limit : share of draws whose exponential is as steep (or as rising) as the search allows
    definitions : named diffusivities from the draws of the profile
    fick : the first-page number and the fit that it comes from
    """

    elements: tuple[str, ...]
    time_s: float
    temperature_c: float | None
    depth_fraction: FloatArray
    radius_nm: FloatArray
    density_nm3: FloatArray
    c1: FloatArray
    c2_inv_nm: FloatArray
    at_limit: float
    definitions: tuple[DefinedDiffusivity, ...]
    fick: FickFit

    def __post_init__(self) -> None:
        check_range("time_s", self.time_s, 1e-3, 1e9, hint="seconds")
        if not self.elements:
            raise PhysicsError("elements: at least one diffusing element is needed")
        depth = frozen_array("depth_fraction", self.depth_fraction, positive=True)
        radius = frozen_array("radius_nm", self.radius_nm, positive=True)
        density = frozen_array("density_nm3", self.density_nm3, ndim=2, length=len(radius))
        if density.shape[1] != len(depth):
            raise PhysicsError(f"density_nm3: expected {len(depth)} shells, got {density.shape[1]}")
        freeze(self, "depth_fraction", depth)
        freeze(self, "radius_nm", radius)
        freeze(self, "density_nm3", density)

    @property
    def diffusivity_cm2_s(self) -> FloatArray:
        """Draws of the first-page number, (n_draw,)."""
        return self.fick.diffusivity_cm2_s

    @property
    def depth_nm(self) -> FloatArray:
        """Depth of the middle of each shell in the particle of mean radius, (n,)."""
        return self.depth_fraction * float(self.radius_nm.mean())

    @property
    def verdict(self) -> str:
        """Return "determined", or "not determined" and why."""
        if not self.fick.describes:
            return "not determined: spherical Fick-2 does not describe the curves"
        side = self.fick.determination
        if self.fick.correction_step > self.fick.SETTLED:
            return "not determined: the spread of sizes is too wide to give every particle its own diffusion time"
        if side == "both sides":
            return "determined"
        if side == "none":
            return "not determined: the curves exclude neither end of the range that was searched"
        return f"not determined: only {'an' if side == 'upper limit' else 'a'} {side}, {self.limit_cm2_s:.2g} cm^2/s (95 %)"

    @property
    def limit_cm2_s(self) -> float | None:
        """One-sided 95 % limit under the flat prior of log10(tau); None where D has two sides, or none."""
        share = {"lower limit": 0.05, "upper limit": 0.95}.get(self.fick.determination)
        return None if share is None else float(np.quantile(self.fick.diffusivity_cm2_s, share))
