"""The table ``[plan]`` of the project file: what is planned for a beamtime; attribute names are the keys of the file."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from nanostrata.pipeline.recipe_tables import Table

__all__ = ["Plan", "PlanFlux", "PlanProfile"]

Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1, description="a number from 0 to 1")]


class PlanProfile(Table):
    """``plan.profile``: a guess as a curve x(r/R)."""

    kind: Literal["exponential", "erf", "linear", "homogeneous", "points", "fick"] = Field(
        description='"exponential", "erf", "linear", "homogeneous", "points" or "fick"'
    )
    inner: Fraction = 0.0
    outer: Fraction = 1.0
    width: float = Field(default=0.2, gt=0, description="a share of the radius, above 0")
    centre: float = Field(default=0.7, description="a share of the radius")
    positions: tuple[float, ...] = Field(default=(), description="shares of the radius from 0 to 1, increasing")
    values: tuple[Fraction, ...] = Field(default=(), description="as many numbers from 0 to 1 as positions")
    diffusivity_cm2_s: float = Field(default=0.0, ge=0, description="a diffusivity in cm2/s")
    time_s: float = Field(default=0.0, ge=0, description="a time in s")

    @model_validator(mode="after")
    def _sound(self) -> PlanProfile:
        from nanostrata.simulate.truth import RadialTruth

        problems = RadialTruth(**self.model_dump()).problems()
        if problems:
            raise ValueError("\n".join(p.removeprefix("truth.profile").lstrip(".: ") for p in problems))
        return self


class PlanFlux(Table):
    """``plan.flux``: what gives the counts of every point."""

    photons_per_s: float = Field(ge=1, le=1e20, description="photons per second on the sample, 1 to 1e20")
    volume_fraction: float = Field(ge=1e-9, le=0.5, description="the particles' share of the volume, up to 0.5")
    thickness_mm: float = Field(default=1.0, ge=1e-3, le=100, description="a thickness in mm, 0.001 to 100")
    transmission: float = Field(default=0.5, gt=0, le=1, description="a number above 0, up to 1")
    ring_share: float = Field(default=0.9, gt=0, le=1, description="a number above 0, up to 1")
    efficiency: float = Field(default=1.0, gt=0, le=1, description="a number above 0, up to 1")
    medium_inv_cm: float = Field(default=0.02, ge=0, description="scattering of medium and container in 1/cm")


class Plan(Table):
    """``[plan]``."""

    energies_kev: tuple[float, ...] | None = Field(
        default=None, min_length=1, description="photon energies in keV, 1 to 200, for example [16.0, 9.63]"
    )
    exposure_s: float | tuple[float, ...] = Field(
        default=1.0, description="seconds above 0: one number for every energy, or a list with one for each"
    )
    q_range_inv_nm: tuple[float, float] | None = Field(
        default=None, description="[low, high] in 1/nm with 0 < low < high, two numbers"
    )
    points: int = Field(default=120, ge=10, le=5000, description="a whole number of points, 10 to 5000")
    relative_noise: float | None = Field(
        default=None, gt=0, lt=1, description="sigma over intensity of a point, between 0 and 1"
    )
    reference_exposure_s: float = Field(default=1.0, gt=0, description="seconds above 0")
    noise_q_inv_nm: float | Literal["flat"] = Field(default=3.0, description='a q in 1/nm above 0, or "flat"')
    noise_floor: float = Field(default=0.002, ge=0, lt=1, description="a relative error of each point, 0 to 1")
    flux: PlanFlux | None = Field(default=None, description="{ photons_per_s = ..., volume_fraction = ... }")
    relative_flux: tuple[tuple[float, float], ...] = Field(
        default=(), description="pairs [energy in keV, flux over that of the reference], energies increasing"
    )
    fluorescence: bool = Field(default=True, description="true or false")
    detector_threshold: Fraction = 0.8
    shell_fraction: tuple[Fraction, ...] | None = Field(
        default=None, min_length=1, description="numbers from 0 to 1, inner shell first"
    )
    profile: PlanProfile | None = Field(default=None, description='a table such as { kind = "erf", centre = 0.7 }')
    mean_x_uncertainty: float | None = Field(
        default=None, gt=0, le=0.5, description="one standard deviation of the mean x that EDX will give, above 0"
    )
    energy_range_kev: tuple[float, float] | None = Field(
        default=None, description="[low, high] in keV with low < high, two numbers from 1 to 200"
    )
    edge_distance_ev: float = Field(default=20.0, ge=5, le=2000, description="a distance in eV, 5 to 2000")
    max_energies: int = Field(default=4, ge=1, le=6, description="a whole number from 1 to 6")

    @field_validator("energies_kev", "energy_range_kev")
    @classmethod
    def _kev(cls, v: tuple[float, ...] | None) -> tuple[float, ...] | None:
        for e in v or ():
            if not 1 <= e <= 200:
                hint = f": was eV meant? write {e / 1000:.6g}" if 1000 <= e <= 200000 else ""
                raise ValueError(f"expected photon energies in keV, 1 to 200, got {e:g}{hint}")
        return v

    @model_validator(mode="after")
    def _whole(self) -> Plan:
        problems = list(self._number_problems())
        if self.shell_fraction is not None and self.profile is not None:
            problems.append("shell_fraction and profile are both given; write one of them")
        if self.flux is not None and self.relative_noise is not None:
            problems.append(
                "flux and relative_noise are both given; write one of them, the noise follows from the flux"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _number_problems(self) -> list[str]:
        found = []
        exposures = self.exposure_s if isinstance(self.exposure_s, tuple) else (self.exposure_s,)
        if not exposures or min(exposures) <= 0:
            found.append(f"exposure_s: expected seconds above 0, got {self.exposure_s!r}")
        e = self.energies_kev
        if e is not None and len(set(e)) < len(e):
            found.append("energies_kev: an energy stands there twice; write each once, with a longer exposure_s")
        if isinstance(self.exposure_s, tuple) and e is not None and len(self.exposure_s) != len(e):
            found.append(
                f"exposure_s: {len(self.exposure_s)} exposures for {len(e)} energies; write one for each, or one number"
            )
        for name in ("q_range_inv_nm", "energy_range_kev"):
            pair = getattr(self, name)
            if pair is not None and not 0 < pair[0] < pair[1]:
                found.append(f"{name}: expected [low, high] with 0 < low < high, got [{pair[0]:g}, {pair[1]:g}]")
        if not isinstance(self.noise_q_inv_nm, str) and self.noise_q_inv_nm <= 0:
            found.append(f'noise_q_inv_nm: expected a q above 0, or "flat", got {self.noise_q_inv_nm:g}')
        pairs = self.relative_flux
        rising = all(b[0] > a[0] for a, b in zip(pairs, pairs[1:], strict=False))  # noqa: RUF007
        if not rising or any(p[1] <= 0 for p in pairs):
            found.append("relative_flux: energies must increase, and every flux be above 0")
        return found

    def guess(self, radius_nm: float) -> tuple[float, ...] | None:
        """Guessed x of shells, inner to outer: those given, or 120 thin ones along the profile; None when none is given."""
        if self.shell_fraction is not None or self.profile is None:
            return self.shell_fraction
        import numpy as np

        from nanostrata.simulate.truth import RadialTruth

        s = (np.arange(120) + 0.5) / 120
        x = RadialTruth(**self.profile.model_dump()).of_particle(radius_nm)(s)
        return tuple(float(v) for v in np.clip(x, 0.0, 1.0))
