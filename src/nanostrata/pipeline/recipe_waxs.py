"""``[waxs]`` of the project file; attribute names are the keys of the file."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from nanostrata.pipeline.recipe_curves import Energy, Entry, Masks, QRange, RelativeSigma, _energy, _ordered
from nanostrata.pipeline.recipe_tables import Lattice, Structure, Table

__all__ = ["Waxs", "WaxsBackground", "WaxsStandard"]

Axis: TypeAlias = Literal["two_theta_deg", "q_inv_nm", "q_inv_angstrom"]


class WaxsBackground(Table):
    """One measured background of the pattern."""

    file: str = Field(description="the name of a file, in quotes")
    scale: float | Literal["fit"] = Field(default="fit", description='a number, or "fit"')
    axis: Axis | None = Field(default=None, description='"two_theta_deg", "q_inv_nm" or "q_inv_angstrom"')
    relative_sigma: RelativeSigma = None


class WaxsStandard(Table):
    """Pattern of a powder of large crystals: its widths are those of the instrument."""

    file: str = Field(description="the name of a file, in quotes")
    formula: str = Field(description='a formula such as "LaB6"')
    lattice: Lattice = Field(description='{ structure = "fcc", a_nm = 0.3524 } or { cif = "file.cif" }')
    axis: Axis | None = Field(default=None, description='"two_theta_deg", "q_inv_nm" or "q_inv_angstrom"')
    energy_kev: Energy = None
    q_range_inv_nm: QRange = None

    _check = field_validator("energy_kev")(_energy)


class Waxs(Table):
    """``[waxs]``."""

    file: str = Field(description="the name of a file, in quotes")
    axis: Axis = Field(description='"two_theta_deg", "q_inv_nm" or "q_inv_angstrom"')
    energy_kev: Energy = None
    entry: Entry = None
    q_range_inv_nm: QRange = None
    mask_inv_nm: Masks = ()
    relative_sigma: RelativeSigma = None
    on_bad_points: Literal["stop", "drop"] = Field(default="stop", description='"stop" or "drop"')
    structure: Structure | None = Field(default=None, description="the name of a structure")
    shape: Literal["gaussian", "pseudo_voigt"] = Field(default="gaussian", description='"gaussian" or "pseudo_voigt"')
    positions: Literal["lattice", "free"] = Field(default="lattice", description='"lattice" or "free"')
    instrument_sigma_inv_nm: float | None = Field(
        default=None, ge=0, le=20, description="one standard deviation of the instrument's peaks in 1/nm, 0 to 20"
    )
    standard: WaxsStandard | None = Field(default=None, description="{ file = ..., formula = ..., lattice = ... }")
    background_terms: int | Literal["auto"] = Field(default="auto", description='"auto" or a whole number from 1 to 12')
    background_files: tuple[WaxsBackground, ...] = Field(default=(), description="[{ file = ..., scale = ... }, ...]")
    halo_inv_nm: tuple[tuple[float, float], ...] = Field(
        default=(), description="pairs [middle, full width] in 1/nm, for example [[13.5, 7.0]]"
    )
    scherrer_k: float = Field(default=0.9, gt=0.3, lt=2, description="a number, 0.3 to 2")
    whole_pattern: bool | None = Field(default=None, description="true or false; left out: with preset full")

    _check_energy = field_validator("energy_kev")(_energy)

    @field_validator("q_range_inv_nm", "mask_inv_nm")
    @classmethod
    def _ranges(cls, v: Any) -> Any:
        return _ordered(v)

    @field_validator("background_terms")
    @classmethod
    def _terms(cls, v: int | str) -> int | str:
        if isinstance(v, int) and not 1 <= v <= 12:
            raise ValueError(f'expected "auto" or 1 to 12, got {v}')
        return v

    @field_validator("halo_inv_nm")
    @classmethod
    def _halo(cls, v: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if any(not (middle > 0 and width > 0) for middle, width in v):
            raise ValueError("expected pairs [middle, full width] in 1/nm, both above 0")
        return v

    @model_validator(mode="after")
    def _whole(self) -> Waxs:
        if self.axis == "two_theta_deg" and self.energy_kev is None:
            raise ValueError("energy_kev missing; two theta needs the photon energy (12.3984 / wavelength in angstrom)")
        if self.instrument_sigma_inv_nm is not None and self.standard is not None:
            raise ValueError("instrument_sigma_inv_nm and standard contradict each other; write one of them")
        return self
