"""What is true of a simulated sample: distribution of particles, radial profile, measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from nanostrata.domain import Domain, FloatArray
from nanostrata.domain.base import freeze
from nanostrata.errors import PhysicsError, RecipeError
from nanostrata.kernels.fick import fick_profile

ProfileKind: TypeAlias = Literal["erf", "exponential", "linear", "homogeneous", "points", "shells", "fick"]
PROFILE_KINDS: tuple[str, ...] = get_args(ProfileKind)
"""Radial profiles that a truth can have."""

_NM2_PER_CM2 = 1e14

_INSIDE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class RadialTruth(Domain):
    r"""Composition x(s) at ellipsoidal radius s = 0 (centre) .. 1 (surface).

    Attributes
    ----------
    kind : one of

        - ``"exponential"``: :math:`x_{in} + (x_{out} - x_{in})\, e^{-(1 - s)/\lambda}` with ``inner``, ``outer`` and
          ``width`` = lambda;
        - ``"erf"``: :math:`x_{in} + (x_{out} - x_{in})\, \tfrac12 [1 + \mathrm{erf}((s - s_0)/w)]` with ``centre`` =
          s_0 and ``width`` = w;
        - ``"linear"``: from ``inner`` to ``outer``;
        - ``"homogeneous"``: ``outer`` everywhere;
        - ``"points"``: monotone cubic (PCHIP) through ``values`` at ``positions``;
        - ``"shells"``: steps, ``values`` of equispaced shells, inner to outer;
        - ``"fick"``: what has diffused into a sphere of ``inner`` after ``time_s`` seconds with ``diffusivity_cm2_s`` from a
          surface held at ``outer``, :math:`x_{in} + (x_{out} - x_{in})\, c(s, D t / R^2)`. It depends on the
          radius: every particle has its own, and a spheroid that of the sphere of its volume.

    radius_nm : of "fick", the volume-equivalent radius that the profile is for; set by :meth:`of_particle` and by
        :class:`Truth` (mean radius), not by the truth file
    """

    kind: ProfileKind
    inner: float = 0.0
    outer: float = 1.0
    width: float = 0.2
    centre: float = 0.7
    positions: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    diffusivity_cm2_s: float = 0.0
    time_s: float = 0.0
    radius_nm: float | None = None

    def __call__(self, s: FloatArray) -> FloatArray:
        """Shell fraction at s in 0..1."""
        s = np.asarray(s, dtype=np.float64)
        rise = self.outer - self.inner
        if self.kind == "fick":
            return np.asarray(self.inner + rise * fick_profile(s.ravel(), self._tau())[0].reshape(s.shape))
        if self.kind == "exponential":
            return np.asarray(self.inner + rise * np.exp(-(1.0 - s) / self.width))
        if self.kind == "erf":
            from scipy.special import erf

            return np.asarray(self.inner + rise * 0.5 * (1.0 + erf((s - self.centre) / self.width)))
        if self.kind == "linear":
            return np.asarray(self.inner + rise * s)
        if self.kind == "homogeneous":
            return np.full(s.shape, self.outer)
        if self.kind == "points":
            from scipy.interpolate import PchipInterpolator

            return np.asarray(PchipInterpolator(self.positions, self.values)(s))
        steps = np.array(self.values)
        index = np.ceil(s * len(steps) - 1e-9).astype(np.int64) - 1
        return np.asarray(steps[np.clip(index, 0, len(steps) - 1)])

    def _tau(self) -> float:
        if self.radius_nm is None:
            raise PhysicsError("truth.profile: a profile of kind 'fick' belongs to a radius; take of_particle()")
        return self.diffusivity_cm2_s * _NM2_PER_CM2 * self.time_s / self.radius_nm**2

    def of_particle(self, radius_nm: float, logit_shift: float = 0.0) -> ShiftedProfile:
        """Profile of a particle of this volume-equivalent radius, with its shift of log(x / (1 - x))."""
        base = replace(self, radius_nm=radius_nm) if self.kind == "fick" else self
        return ShiftedProfile(base=base, logit_shift=logit_shift)

    def shifted(self, logit_shift: float) -> ShiftedProfile:
        """Shift log(x / (1 - x)): x stays inside 0..1, and x = 1/2 moves by a quarter of the shift.

        Raises
        ------
        PhysicsError
            For a profile that depends on the particle's radius; :meth:`of_particle` is told it.
        """
        if self.kind == "fick":
            raise PhysicsError(
                "truth.profile: a profile of kind 'fick' differs from particle to particle; take of_particle(radius_nm, shift)"
            )
        return ShiftedProfile(base=self, logit_shift=logit_shift)

    def problems(self) -> list[str]:
        """What is wrong with this profile, one sentence each; empty when sound."""
        found = []
        if self.kind == "points" and (
            len(self.positions) < 2
            or len(self.positions) != len(self.values)
            or any(b <= a for a, b in zip(self.positions, self.positions[1:], strict=False))
            or abs(self.positions[0]) > 1e-9
            or abs(self.positions[-1] - 1.0) > 1e-9
        ):
            found.append(
                "truth.profile: kind 'points' needs as many values as positions, positions increasing from 0 to 1"
            )
            return found
        if self.kind == "shells" and not self.values:
            found.append("truth.shell_fraction: expected at least one number")
            return found
        if self.kind == "fick":
            found += [
                f"truth.profile.{key}: kind 'fick' needs a number above 0{hint}, got {value!r}"
                for key, value, hint in (
                    ("diffusivity_cm2_s", self.diffusivity_cm2_s, " (about 1e-17 cm^2/s for 2 nm in ten minutes)"),
                    ("time_s", self.time_s, ""),
                )
                if not (math.isfinite(value) and value > 0.0)
            ]
            found += [
                f"truth.profile.{key}: x must lie in 0..1, got {value:g}"
                for key, value in (("inner", self.inner), ("outer", self.outer))
                if not 0.0 <= value <= 1.0
            ]
            return found
        if self.diffusivity_cm2_s or self.time_s:
            found.append(f"truth.profile: diffusivity_cm2_s and time_s belong to kind 'fick', not to {self.kind!r}")
        if self.width <= 0.0:
            found.append(f"truth.profile.width: must be > 0, got {self.width:g}")
            return found
        x = self(np.linspace(0.0, 1.0, 501))
        if x.min() < -1e-9 or x.max() > 1.0 + 1e-9:
            found.append(
                f"truth.profile: x must lie in 0..1 from centre to surface, runs from {x.min():.3f} to {x.max():.3f}"
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftedProfile(Domain):
    """A profile of one particle of the ensemble."""

    base: RadialTruth
    logit_shift: float

    def __call__(self, s: FloatArray) -> FloatArray:
        """Shell fraction at s in 0..1."""
        x = self.base(s)
        if self.logit_shift == 0.0:
            return x
        # exactly 0 and 1 stay where they are
        odds = np.clip(x, _INSIDE**2, 1.0) / np.clip(1.0 - x, _INSIDE**2, 1.0) * math.exp(self.logit_shift)
        return np.where((x <= 0.0) | (x >= 1.0), x, odds / (1.0 + odds))


def shell_means(profile: RadialTruth | ShiftedProfile, shells: int, samples: int = 40) -> FloatArray:
    """Volume averages of x(s) over equispaced shells, inner to outer."""
    edges = np.linspace(0.0, 1.0, shells + 1)
    nodes, w = np.polynomial.legendre.leggauss(samples)
    s = 0.5 * (edges[:-1, None] + edges[1:, None]) + 0.5 * (edges[1:, None] - edges[:-1, None]) * nodes[None, :]
    weight = w[None, :] * s**2
    return np.asarray((profile(s) * weight).sum(axis=1) / weight.sum(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(Domain):
    r"""Everything that a simulated campaign is drawn from.

    Attributes
    ----------
    diameter_mean_nm, diameter_std_nm : number distribution of the volume-equivalent diameter
    sizes : "gaussian" or "lognormal"
    aspect_ratio, aspect_std : unique axis over the other two, and its spread
    profile : x(s)
    x_spread : spread of x between particles where x = 1/2 (a shift of log(x/(1-x)) with four times this deviation)
    particles : explicit particles in the scattering ensemble
    waxs_particles : so many of them, at most, that the wide-angle curve is made from
    points, q_min_inv_nm, q_max_inv_nm : grid of the ASAXS curves
    relative_noise, noise_q_inv_nm : sigma / I = relative_noise sqrt(1 + (q / noise_q)^2)
    scale_error : relative standard deviation of the beam normalisation, one draw per energy
    background : constant under every curve, as a fraction of the first curve's intensity at its smallest q
    fluorescence : further constant, same unit, where the absorption by elements whose K edge lies below is largest; at
        other energies in proportion to that absorption
    ligand_thickness_nm, ligand_electron_density_e_nm3 : shell of constant thickness round every particle, seen by the small-angle
        curves; thickness 0 = none
    volume_fraction : of particles in the sample; sets the absolute scale, 1/cm
    b_factor_nm2 : Debye-Waller factor B, nm^2
    displaced_medium : "body" or "sites"
    lattice : "graded" or "mean"
    saxs_points, saxs_q_range_inv_nm, waxs_points, waxs_q_range_inv_nm : grids of the other two curves
    waxs_two_theta_range_deg : range of the wide-angle curve as angles, in place of waxs_q_range_inv_nm
    waxs_instrument_sigma_inv_nm : Gaussian broadening of the wide-angle curve, one standard deviation
    waxs_counts : photons in the highest point of the wide-angle curve, for counting noise; 0 = noise as of the other curves
    waxs_background : constant under the wide-angle curve, as a share of the mean intensity of the particles there
    waxs_halo : broad peak of the medium: height in that unit, middle and full width in 1/nm
    fault_probability, fault_kind : stacking faults per close-packed layer, "growth" or "deformation"
    tem_particles, tem_reading_error_nm : size of the TEM list, and the error of each of its readings
    edx_error_percent : standard deviation of each EDX entry, atomic percent
    """

    diameter_mean_nm: float
    diameter_std_nm: float
    profile: RadialTruth
    sizes: Literal["gaussian", "lognormal"] = "gaussian"
    aspect_ratio: float = 1.0
    aspect_std: float = 0.0
    x_spread: float = 0.02
    particles: int = 200
    waxs_particles: int = 400
    points: int = 120
    q_min_inv_nm: float = 0.3
    q_max_inv_nm: float = 6.0
    relative_noise: float = 0.01
    noise_q_inv_nm: float = 3.0
    scale_error: float = 0.015
    background: float = 3e-5
    fluorescence: float = 6e-5
    ligand_thickness_nm: float = 0.0
    ligand_electron_density_e_nm3: float = 0.0
    volume_fraction: float = 1e-3
    b_factor_nm2: float = 0.008
    displaced_medium: Literal["body", "sites"] = "body"
    lattice: Literal["graded", "mean"] = "graded"
    tem_particles: int = 120
    tem_reading_error_nm: float = 0.1
    edx_error_percent: float = 1.2
    saxs_points: int = 160
    saxs_q_range_inv_nm: tuple[float, float] = field(default=(0.15, 8.0))
    waxs_points: int = 300
    waxs_q_range_inv_nm: tuple[float, float] = field(default=(10.0, 45.0))
    waxs_two_theta_range_deg: tuple[float, float] | None = None
    waxs_instrument_sigma_inv_nm: float = 0.0
    waxs_counts: float = 0.0
    waxs_background: float = 0.3
    waxs_halo: tuple[float, float, float] = field(default=(0.3, 13.5, 7.0))
    fault_probability: float = 0.0
    fault_kind: Literal["growth", "deformation"] = "growth"

    def __post_init__(self) -> None:
        problems = [*_number_problems(self), *self.profile.problems()]
        if problems:
            raise RecipeError(*problems)
        if self.profile.kind == "fick":
            # as it stands here it is the profile of the particle of mean diameter
            freeze(self, "profile", replace(self.profile, radius_nm=0.5 * self.diameter_mean_nm))


def _number_problems(t: Truth) -> list[str]:
    found: list[str] = []

    def between(key: str, low: float, high: float, hint: str = "") -> None:
        value = getattr(t, key)
        if not (math.isfinite(value) and low <= value <= high):
            found.append(f"truth.{key}: expected {low:g}..{high:g}, got {value!r}" + (f" ({hint})" if hint else ""))

    between("diameter_mean_nm", 1.0, 12.0, "explicit atoms: a larger particle would have too many")
    between("diameter_std_nm", 0.0, 0.3 * max(t.diameter_mean_nm, 1.0), "at most 30 % of the mean")
    between("aspect_ratio", 0.3, 4.0)
    between("aspect_std", 0.0, 0.5)
    between("x_spread", 0.0, 0.2)
    between("particles", 1, 20000)
    between("waxs_particles", 1, 20000)
    between("points", 5, 5000)
    between("relative_noise", 1e-6, 0.5)
    between("noise_q_inv_nm", 1e-3, 1e6)
    between("scale_error", 0.0, 0.3)
    between("background", 0.0, 1.0)
    between("fluorescence", 0.0, 1.0)
    between("ligand_thickness_nm", 0.0, 10.0)
    between("ligand_electron_density_e_nm3", 0.0, 10000.0)
    if (t.ligand_thickness_nm > 0.0) != (t.ligand_electron_density_e_nm3 > 0.0):
        found.append(
            "truth.ligand_thickness_nm, truth.ligand_electron_density_e_nm3: a ligand shell needs both above 0, got "
            f"{t.ligand_thickness_nm:g} nm and {t.ligand_electron_density_e_nm3:g} e/nm^3; give both or none"
        )
    between("volume_fraction", 1e-8, 0.5)
    between("b_factor_nm2", 0.0, 0.2, "1 angstrom^2 is 0.01 nm^2")
    between("saxs_points", 5, 5000)
    between("waxs_points", 5, 5000)
    between("waxs_instrument_sigma_inv_nm", 0.0, 3.0)
    between("waxs_counts", 0.0, 1e12, "0 = noise as of the other curves")
    between("waxs_background", 0.0, 1e4)
    between("fault_probability", 0.0, 1.0)
    height, middle, width = t.waxs_halo
    if not (height >= 0.0 and middle > 0.0 and width > 0.0 and math.isfinite(height + middle + width)):
        found.append(
            f"truth.waxs_halo: expected [height >= 0, middle in 1/nm, full width in 1/nm], got {list(t.waxs_halo)}"
        )
    angles = t.waxs_two_theta_range_deg
    if angles is not None and not 0.0 < angles[0] < angles[1] < 180.0:
        found.append(f"truth.waxs_two_theta_range_deg: expected 0 < smallest < largest < 180, got {list(angles)}")
    between("tem_particles", 2, 100000)
    between("tem_reading_error_nm", 0.0, 2.0)
    between("edx_error_percent", 1e-3, 20.0)
    ranges: Sequence[tuple[str, float, float]] = (
        ("q_min_inv_nm, q_max_inv_nm", t.q_min_inv_nm, t.q_max_inv_nm),
        ("saxs_q_range_inv_nm", *t.saxs_q_range_inv_nm),
        ("waxs_q_range_inv_nm", *t.waxs_q_range_inv_nm),
    )
    found += [
        f"truth.{name}: expected 0 < smallest < largest <= 100 1/nm, got {low:g} and {high:g}"
        for name, low, high in ranges
        if not 0.0 < low < high <= 100.0
    ]
    return found
