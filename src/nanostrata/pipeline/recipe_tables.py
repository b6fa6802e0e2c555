"""Tables of the project file about the sample and what is known of it; attribute names are the keys of the file."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nanostrata.errors import NanostrataError
from nanostrata.pipeline.recipe_text import near_miss

__all__ = [
    "SUPPORTED_PROFILES", "Edx", "Growth", "Lattice", "LigandTable", "MaterialTable", "Materials", "MediumTable", "Particle",
    "Sample", "Table", "Tem",
]  # fmt: skip

SUPPORTED_PROFILES = ("shells", "homogeneous", "core_shell", "exponential", "erf", "smooth")
"""Values of ``particle.profile`` in this version."""

Structure: TypeAlias = Literal["wurtzite", "zincblende", "rocksalt", "diamond", "fcc", "bcc", "hcp"]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


class Table(BaseModel):
    """One table of the project file: frozen, and strict about keys and types."""

    # strict: a number in quotes is not a number; nothing is converted behind the user's back
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _frozen_lists(cls, data: Any) -> Any:
        return {k: _tuples(v) for k, v in data.items()} if isinstance(data, dict) else data


class MediumTable(Table):
    """``sample.medium`` as a table."""

    formula: str | None = Field(default=None, description='a formula such as "C7H8"')
    density_g_cm3: float | None = Field(default=None, gt=0, lt=30, description="a density in g/cm3, 0 to 30")
    electron_density_e_nm3: float | None = Field(
        default=None, ge=0, le=10000, description="a number of e/nm3, 0 to 10000"
    )

    @model_validator(mode="after")
    def _complete(self) -> MediumTable:
        if self.electron_density_e_nm3 is None and (self.formula is None or self.density_g_cm3 is None):
            raise ValueError("expected { formula = ..., density_g_cm3 = ... } or { electron_density_e_nm3 = ... }")
        if self.electron_density_e_nm3 is not None and self.formula is not None:
            raise ValueError("formula and electron_density_e_nm3 contradict each other; write one of them")
        return self


class Sample(Table):
    """``[sample]``."""

    title: str = Field(default="untitled sample", description="a text in quotes")
    medium: str | MediumTable = Field(
        default="vacuum",
        description='the name of a medium such as "toluene", or { formula = "C7H8", density_g_cm3 = 0.867 }, '
        "or { electron_density_e_nm3 = 283.3 }",
    )
    medium_density_uncertainty: float = Field(
        default=0.002, ge=0, le=0.3, description="a relative standard deviation of its electron density, 0 to 0.3"
    )

    @field_validator("medium")
    @classmethod
    def _known(cls, v: str | MediumTable) -> str | MediumTable:
        from nanostrata.tables.media import EMPTY, MEDIA

        if isinstance(v, str) and v.strip().lower() not in (*MEDIA, *EMPTY):
            raise ValueError(
                f"{v!r} is not a known medium{near_miss(v, (*MEDIA, *EMPTY))}; known are "
                f"{', '.join(sorted([*MEDIA, *EMPTY]))}; "
                'for another write { formula = "C7H8", density_g_cm3 = 0.867 } or { electron_density_e_nm3 = 283.3 }'
            )
        return v


class LigandTable(Table):
    """``[particle.ligand]``: a shell of constant thickness outside the inorganic particle."""

    thickness_nm: float = Field(ge=0.05, le=20, description="a thickness in nm, 0.05 to 20")
    thickness_uncertainty_nm: float = Field(
        default=0.1, ge=0, le=10, description="a standard deviation in nm, at most a third of thickness_nm"
    )
    formula: str | None = Field(default=None, description='a formula such as "C18H33O2"')
    density_g_cm3: float | None = Field(default=None, gt=0, lt=30, description="a density in g/cm3, 0 to 30")
    electron_density_e_nm3: float | None = Field(
        default=None, ge=0, le=10000, description="a number of e/nm3, 0 to 10000"
    )
    density_uncertainty: float = Field(
        default=0.05, ge=0, le=0.5, description="a relative standard deviation of the density, 0 to 0.5"
    )

    @model_validator(mode="after")
    def _complete(self) -> LigandTable:
        by_formula = self.formula is not None or self.density_g_cm3 is not None
        if by_formula and self.electron_density_e_nm3 is not None:
            raise ValueError("formula with density_g_cm3 and electron_density_e_nm3 contradict each other; write one")
        if self.electron_density_e_nm3 is None and (self.formula is None or self.density_g_cm3 is None):
            raise ValueError("expected formula with density_g_cm3, or electron_density_e_nm3")
        if 3.0 * self.thickness_uncertainty_nm > self.thickness_nm * (1.0 + 1e-9):
            raise ValueError(
                f"thickness_uncertainty_nm: expected at most a third of thickness_nm ({self.thickness_nm:g}), since the "
                f"Gaussian prior must leave the thickness above 0, got {self.thickness_uncertainty_nm:g}; write a smaller one"
            )
        return self

    @field_validator("formula")
    @classmethod
    def _formula(cls, v: str | None) -> str | None:
        from nanostrata.tables.formulas import parse_formula

        if v is not None:
            try:
                parse_formula(v)
            except NanostrataError as error:
                raise ValueError(error.problems[0]) from None
        return v


class Particle(Table):
    """``[particle]``."""

    shells: int | Literal["auto"] = Field(default=5, description='a whole number of shells, 1 to 20, or "auto"')
    shape: Literal["sphere", "prolate", "oblate"] = Field(
        default="sphere", description='"sphere", "prolate" or "oblate"'
    )
    axis: str = Field(
        default="001", description='a direction in quotes such as "110", or a plane normal such as "(100)"'
    )
    structure: Structure | None = Field(default=None, description=f"one of {', '.join(get_args(Structure))}")
    profile: str = Field(default="shells", description=f"one of {', '.join(SUPPORTED_PROFILES)}")
    sizes: Literal["gaussian", "lognormal", "tem"] = Field(
        default="gaussian", description='"gaussian", "lognormal" or "tem"'
    )
    size: Literal["fit", "fixed"] = Field(default="fit", description='"fit" or "fixed"')
    smoothness: bool = Field(default=True, description="true or false")
    smoothness_sd: float = Field(default=0.35, gt=0, le=10, description="a number above 0, up to 10")
    composition_spread: float | Literal["fit"] = Field(
        default=0.0, description='a standard deviation of x between particles where x = 1/2, 0 to 0.2, or "fit"'
    )
    ligand: LigandTable | None = Field(
        default=None,
        description="a table with thickness_nm and either formula with density_g_cm3 or electron_density_e_nm3",
    )

    @field_validator("shells")
    @classmethod
    def _shells(cls, v: int | str) -> int | str:
        if v != "auto" and not 1 <= int(v) <= 20:
            raise ValueError(f"expected 1 to 20 shells, got {v}")
        return v

    @field_validator("composition_spread")
    @classmethod
    def _spread(cls, v: float | str) -> float | str:
        if v != "fit" and not 0.0 <= float(v) <= 0.2:
            raise ValueError(f'expected a standard deviation of x, 0 to 0.2, or "fit", got {v:g}')
        return v

    @field_validator("profile")
    @classmethod
    def _profile(cls, v: str) -> str:
        if v in SUPPORTED_PROFILES:
            return v
        raise ValueError(
            f"expected one of {', '.join(SUPPORTED_PROFILES)}, got {v!r}{near_miss(v, SUPPORTED_PROFILES)}"
        )

    @field_validator("axis")
    @classmethod
    def _axis(cls, v: str) -> str:
        if not re.fullmatch(r"\s*-?\d(\s*-?\d){2,3}\s*|\(\s*-?\d(\s*-?\d){2,3}\s*\)", v):
            raise ValueError(
                f'expected a direction such as "110" or "001", or a plane normal such as "(100)", got {v!r}'
            )
        return v


class Lattice(Table):
    """``lattice`` of an end member."""

    structure: Structure | None = Field(default=None, description=f"one of {', '.join(get_args(Structure))}")
    a_nm: float | None = Field(default=None, description="a lattice constant in nm, 0.15 to 2")
    c_nm: float | None = Field(default=None, description="a lattice constant in nm, 0.15 to 2")
    cif: str | None = Field(default=None, description="the name of a CIF file")

    @field_validator("a_nm", "c_nm")
    @classmethod
    def _nm(cls, v: float | None) -> float | None:
        if v is not None and not 0.15 <= v <= 2.0:
            hint = f": was angstrom meant? write {v / 10:.6g}" if 2.0 < v < 20 else ""
            raise ValueError(f"expected a lattice constant in nm, 0.15 to 2, got {v:g}{hint}")
        return v

    @model_validator(mode="after")
    def _complete(self) -> Lattice:
        if self.cif is None and self.structure is None:
            raise ValueError('missing structure; write structure = "wurtzite" (with a_nm, c_nm) or cif = "file.cif"')
        if self.cif is not None and (self.structure, self.a_nm, self.c_nm) != (None, None, None):
            raise ValueError("cif and structure, a_nm, c_nm contradict each other; write one or the other")
        hexagonal = self.structure in ("wurtzite", "hcp")
        needed = () if self.cif is not None else ("a_nm", "c_nm") if hexagonal else ("a_nm",)
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(
                f"{' and '.join(missing)} missing; a {self.structure} lattice needs {' and '.join(needed)}, in nm"
            )
        if not hexagonal and self.c_nm is not None and self.c_nm != self.a_nm:
            raise ValueError(f"c_nm = {self.c_nm:g} given, but {self.structure} is cubic; take c_nm out")
        return self


class MaterialTable(Table):
    """``[materials.core]`` or ``[materials.shell]``."""

    formula: str = Field(description='a formula such as "ZnSe"')
    lattice: Lattice = Field(description='{ structure = "wurtzite", a_nm = 0.4, c_nm = 0.655 } or { cif = "file.cif" }')
    density_uncertainty: float = Field(
        default=0.01, ge=0, le=0.3, description="a relative standard deviation of the electron density, 0 to 0.3"
    )
    cation_uncertainty: float = Field(
        default=0.0, ge=0, le=0.5, description="a relative standard deviation of the cations per anion, 0 to 0.5"
    )

    @field_validator("formula")
    @classmethod
    def _formula(cls, v: str) -> str:
        from nanostrata.tables.formulas import parse_formula

        try:
            parse_formula(v)
        except NanostrataError as error:
            raise ValueError("\n".join(error.problems)) from None
        return v


class Materials(Table):
    """``[materials]``."""

    core: MaterialTable = Field(description="the table [materials.core] with formula and lattice")
    shell: MaterialTable | None = Field(default=None, description="a table with formula and lattice")


class Tem(Table):
    """``[tem]``."""

    diameters: str | None = Field(default=None, description="the name of a table with major_nm, minor_nm")
    reading_error_nm: float = Field(default=0.1, ge=0, le=10, description="one standard deviation in nm, 0 to 10")
    unit: Literal["nm", "px"] | None = Field(default=None, description='"nm" or "px"')
    nm_per_pixel: float | None = Field(default=None, gt=0, description="a number of nm, above 0")
    mean_diameter_nm: float | None = Field(default=None, gt=0, lt=1000, description="a diameter in nm, above 0")
    std_diameter_nm: float | None = Field(
        default=None, gt=0, lt=1000, description="a standard deviation in nm, above 0"
    )
    particles: int | None = Field(
        default=None, ge=2, description="the whole number of particles that were measured, at least 2"
    )
    image: str | None = Field(default=None, description="the name of a micrograph")

    @model_validator(mode="after")
    def _one_way(self) -> Tem:
        numbers = {n: getattr(self, n) for n in ("mean_diameter_nm", "std_diameter_nm", "particles")}
        if self.image is not None:
            raise ValueError(
                "image: reading micrographs is not built yet in this version; give diameters, or the three numbers"
            )
        if self.diameters is not None and any(v is not None for v in numbers.values()):
            raise ValueError("diameters and the three numbers are both given; write one of them")
        missing = [n for n, v in numbers.items() if v is None]
        if self.diameters is None and missing:
            raise ValueError(
                f'{", ".join(missing)} missing; write diameters = "file.csv", or mean_diameter_nm, std_diameter_nm '
                "and particles"
            )
        if self.std_diameter_nm and self.mean_diameter_nm and self.std_diameter_nm >= 0.6 * self.mean_diameter_nm:
            raise ValueError(
                f"std_diameter_nm = {self.std_diameter_nm:g} is {self.std_diameter_nm / self.mean_diameter_nm:.0%} "
                "of the mean; expected nm, below 60 %. Was per cent meant?"
            )
        return self


class Edx(Table):
    """``[edx]``."""

    file: str | None = Field(default=None, description="the name of a table element,atomic_percent,error")
    atomic_percent: dict[str, float] | None = Field(
        default=None, description="{ Ag = 4.4, ... }, numbers in atomic per cent"
    )
    error: float | None = Field(
        default=None, gt=0, le=50, description="one standard deviation in atomic per cent, above 0"
    )
    sensitivity_uncertainty: float = Field(
        default=0.0, ge=0, le=0.5, description="a relative standard deviation of each element's sensitivity, 0 to 0.5"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Edx:
        if (self.file is None) == (self.atomic_percent is None):
            raise ValueError("write either file or atomic_percent")
        if self.atomic_percent is not None and self.error is None:
            raise ValueError("error missing; atomic_percent needs error, one standard deviation in atomic per cent")
        return self


class Growth(Table):
    """``[growth]``: shown with the sample."""

    temperature_c: float = Field(gt=-273.15, lt=3000, description="a temperature in degrees C")
    time_s: float = Field(gt=0, description="a time in s, above 0")
