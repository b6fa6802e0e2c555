"""What a plan of a beamtime is made of: noise, a guess of the sample, energies with exposures, and what they will tell."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, check_range, freeze, frozen_array
from nanostrata.errors import PhysicsError

__all__ = [
    "BeamtimePlan", "EnergyPlan", "EnergySet", "FluxBudget", "Forecast", "Lever", "NoiseLaw", "PlanGuess", "Ranking",
    "ResolvedShells",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxBudget(Domain):
    """What a beamline and a sample make of each other; together they give the counts of every point.

    Attributes
    ----------
    photons_per_s : on the sample
    volume_fraction : of particles in the medium
    thickness_mm, transmission : of the sample in the beam
    ring_share : share of every ring round the beam that the detector covers
    efficiency : share of the photons on the detector that are counted
    medium_inv_cm : scattering of medium and container, 1/cm per steradian, flat; measured alone for as long as the sample
    """

    photons_per_s: float
    volume_fraction: float
    thickness_mm: float = 1.0
    transmission: float = 0.5
    ring_share: float = 0.9
    efficiency: float = 1.0
    medium_inv_cm: float = 0.02

    def __post_init__(self) -> None:
        check_range("photons_per_s", self.photons_per_s, 1.0, 1e20)
        check_range("volume_fraction", self.volume_fraction, 1e-9, 0.5)
        check_range("thickness_mm", self.thickness_mm, 1e-3, 100.0)
        for name in ("transmission", "ring_share", "efficiency"):
            check_range(name, getattr(self, name), 1e-6, 1.0)
        check_range("medium_inv_cm", self.medium_inv_cm, 0.0, 1e6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoiseLaw(Domain):
    r"""Noise of a point against q, energy and exposure.

    .. math:: \sigma^2 = \epsilon^2(q)\, I\,(I + B)\, \frac{t_{ref}}{t\,\phi(E)} + (\text{floor} \cdot I)^2,
              \qquad \epsilon(q) = \epsilon_0 \sqrt{1 + (q/q_n)^2}

    with I the scattering of the particles, B what is counted besides (fluorescence), and phi the flux relative to that of
    the reference: counting statistics, and a part that no exposure removes.

    Attributes
    ----------
    relative : eps_0 at the reference exposure, or (n,) values of eps at ``q_inv_nm``
    q_inv_nm : (n,) where ``relative`` is given; empty: the formula
    reference_exposure_s : of ``relative``
    noise_q_inv_nm : q_n; infinite = the same relative noise everywhere
    floor : relative, of every point by itself (flat field), whatever the exposure
    flux : in place of ``relative``, from which it is computed
    flux_energies_kev, flux_relative : relative flux against energy, straight lines between; empty = 1
    fluorescence : whether photons from atoms that absorb are counted with the scattered ones
    detector_threshold : photons below this share of the beam's energy are not counted
    """

    relative: FloatArray = field(default_factory=lambda: np.array([0.01]))
    q_inv_nm: FloatArray = field(default_factory=lambda: np.empty(0))
    reference_exposure_s: float = 1.0
    noise_q_inv_nm: float = 3.0
    floor: float = 0.002
    flux: FluxBudget | None = None
    flux_energies_kev: FloatArray = field(default_factory=lambda: np.empty(0))
    flux_relative: FloatArray = field(default_factory=lambda: np.empty(0))
    fluorescence: bool = True
    detector_threshold: float = 0.8

    def __post_init__(self) -> None:
        freeze(self, "q_inv_nm", frozen_array("q_inv_nm", self.q_inv_nm, positive=True, increasing=True))
        freeze(
            self, "relative", frozen_array("relative", self.relative, positive=True, length=max(1, len(self.q_inv_nm)))
        )
        check_range("reference_exposure_s", self.reference_exposure_s, 1e-9, 1e9)
        if not self.noise_q_inv_nm > 0:
            raise PhysicsError(f"noise_q_inv_nm: {self.noise_q_inv_nm!r} is not above 0")
        check_range("floor", self.floor, 0.0, 1.0)
        energies = frozen_array("flux_energies_kev", self.flux_energies_kev, positive=True, increasing=True)
        freeze(self, "flux_energies_kev", energies)
        freeze(
            self,
            "flux_relative",
            frozen_array("flux_relative", self.flux_relative, positive=True, length=len(energies)),
        )
        check_range("detector_threshold", self.detector_threshold, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanGuess(Domain):
    """The sample as it is expected to be.

    Attributes
    ----------
    shell_fraction : (m,) x of equispaced shells, fine or coarse; averaged over volume where other shells are planned
    diameter_mean_nm, diameter_std_nm : number mean and standard deviation of the volume-equivalent diameter
    aspect_ratio : unique axis over the other two
    """

    shell_fraction: FloatArray
    diameter_mean_nm: float
    diameter_std_nm: float
    aspect_ratio: float = 1.0

    def __post_init__(self) -> None:
        x = frozen_array("shell_fraction", self.shell_fraction)
        if not len(x) or x.min() < 0 or x.max() > 1:
            raise PhysicsError("shell_fraction: expected at least one number, all between 0 and 1")
        freeze(self, "shell_fraction", x)
        check_range("diameter_mean_nm", self.diameter_mean_nm, 0.1, 1e4)
        check_range("diameter_std_nm", self.diameter_std_nm, 0.0, self.diameter_mean_nm)
        check_range("aspect_ratio", self.aspect_ratio, 0.2, 5.0)

    def averages(self, shells: int) -> FloatArray:
        """Volume averages over ``shells`` equispaced shells, inner to outer."""
        own = np.arange(len(self.shell_fraction) + 1) / len(self.shell_fraction)
        wanted = np.arange(shells + 1) / shells
        low = np.maximum(own[:-1, None], wanted[None, :-1])
        high = np.minimum(own[1:, None], wanted[None, 1:])
        weight = np.where(high > low, high**3 - low**3, 0.0)
        return np.asarray(self.shell_fraction @ (weight / weight.sum(axis=0)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyPlan(Domain):
    """Photon energies, all different, and how long to measure at each."""

    energies_kev: FloatArray
    exposure_s: FloatArray

    def __post_init__(self) -> None:
        e = frozen_array("energies_kev", self.energies_kev, positive=True)
        if not len(e) or len(np.unique(e)) < len(e):
            raise PhysicsError("energies_kev: expected at least one energy, and each only once")
        freeze(self, "energies_kev", e)
        freeze(self, "exposure_s", frozen_array("exposure_s", self.exposure_s, positive=True, length=len(e)))

    @property
    def total_s(self) -> float:
        """Exposure at all energies together."""
        return float(self.exposure_s.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast(Domain):
    """What is expected for equispaced shells, inner to outer, when the sample is as guessed.

    Attributes
    ----------
    shell_fraction : (n,) guess
    sd : (n,) standard deviation of the posterior, walls 0 <= x <= 1 included
    linear_sd : (n,) without the walls: what data and priors alone would leave
    interval68, interval95 : (n, 2) central intervals of the posterior
    """

    shell_fraction: FloatArray
    sd: FloatArray
    linear_sd: FloatArray
    interval68: FloatArray
    interval95: FloatArray

    @property
    def typical_sd(self) -> float:
        """Geometric mean of ``sd`` over the shells."""
        return float(np.exp(np.mean(np.log(self.sd))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResolvedShells(Domain):
    """Expected standard deviations for each number of shells, without coupling between them."""

    forecasts: tuple[Forecast, ...]

    def resolved(self, limit: float) -> int:
        """Largest number of shells that are all known better than ``limit``, as are all smaller numbers; 0 = not even one."""
        found = 0
        for f in self.forecasts:
            if f.sd.max() >= limit:
                break
            found = len(f.sd)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lever(Domain):
    """One improvement alone, and by which factor each shell's interval narrows.

    Attributes
    ----------
    name : what is improved
    change : to what, in words
    kind : "step" (doubled, halved, added) or "perfect"
    gain : (n,) standard deviation of the plan over that with the improvement
    """

    name: str
    change: str
    kind: str
    gain: FloatArray

    @property
    def typical_gain(self) -> float:
        """Geometric mean over the shells."""
        return float(np.exp(np.mean(np.log(self.gain))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergySet(Domain):
    """A choice of energies with its exposures.

    Attributes
    ----------
    plan : energies and exposures
    sd : (n,) of the shells, without coupling
    factor : typical standard deviation over that of the plan that it is compared with; below 1 is better
    shell_factor : (n,) the same for each shell
    """

    plan: EnergyPlan
    sd: FloatArray
    factor: float
    shell_factor: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking(Domain):
    """Which of the planned energies are the best under one assumption on flux normalisation and density.

    Attributes
    ----------
    scale_sd, density_sd : relative standard deviations; ``scale_sd`` infinite = free
    composition_sd : of the mean x that is known besides (EDX); infinite = not known
    sd : (n,) of the whole plan
    best, worst : pairs of the planned energies with equal exposures of the same total
    """

    scale_sd: float
    density_sd: float
    composition_sd: float
    sd: FloatArray
    best: EnergySet
    worst: EnergySet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeamtimePlan(Domain):
    """The answer.

    Attributes
    ----------
    planned, proposed : energies and exposures of the same total
    planned_forecast, proposed_forecast : under the priors of the fit
    planned_independent, proposed_independent : without coupling between shells
    planned_resolved, proposed_resolved : by number of shells
    levers : single improvements of the plan, best first
    sets : the best choice of 1, 2, 3, ... energies; the proposal is one of them
    subsets : choices from the planned energies, best first, factor against all of them
    rankings : how the choice depends on flux normalisation and density
    candidates_kev : (m,) energies that were tried
    exchange : (k, m) typical standard deviation over that of the proposal when its energy k is moved to a candidate
    """

    planned: EnergyPlan
    proposed: EnergyPlan
    planned_forecast: Forecast
    proposed_forecast: Forecast
    planned_independent: Forecast
    proposed_independent: Forecast
    planned_resolved: ResolvedShells
    proposed_resolved: ResolvedShells
    levers: tuple[Lever, ...]
    sets: tuple[EnergySet, ...]
    subsets: tuple[EnergySet, ...]
    rankings: tuple[Ranking, ...]
    candidates_kev: FloatArray
    exchange: FloatArray

    @property
    def gain(self) -> float:
        """Typical standard deviation of the plan over that of the proposal, under the priors of the fit."""
        return self.planned_forecast.typical_sd / self.proposed_forecast.typical_sd
