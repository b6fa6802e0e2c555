"""Tables of the project file about curves; attribute names are the keys of the file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from nanostrata.errors import NanostrataError
from nanostrata.pipeline.recipe_tables import Table

__all__ = [
    "Asaxs", "AsaxsCurve", "BackgroundFile", "ContrastCurveTable", "Contrasts", "FactorFile", "Saxs", "Slit",
]  # fmt: skip

Energy: TypeAlias = Annotated[float | None, Field(description="a photon energy in keV, 1 to 200")]


def _known_unit(v: str | None) -> str | None:
    from nanostrata.io.units import canonical_q_unit

    if v is not None and canonical_q_unit(v) is None:
        raise ValueError(f'expected "1/nm" or "1/angstrom", got {v!r}')
    return v


QUnit: TypeAlias = Annotated[str | None, Field(description='"1/nm" or "1/angstrom"'), AfterValidator(_known_unit)]
Entry: TypeAlias = Annotated[str | int | None, Field(description="the name or number of an entry of the file")]
RelativeSigma: TypeAlias = Annotated[float | None, Field(gt=0, lt=1, description="a number between 0 and 1")]
QRange: TypeAlias = Annotated[
    tuple[float, float] | None, Field(description="[low, high] in 1/nm with 0 <= low < high, two numbers")
]
Masks: TypeAlias = Annotated[
    tuple[tuple[float, float], ...], Field(description="pairs of numbers in 1/nm, for example [[1.9, 2.1]]")
]


class BackgroundFile(Table):
    """One measured background of a curve."""

    file: str = Field(description="the name of a file, in quotes")
    scale: float | Literal["fit"] = Field(default=1.0, description='a number, or "fit"')
    transmission: float | None = Field(default=None, gt=0, le=1.5, description="a number above 0, up to 1.5")
    q_unit: QUnit = None
    entry: Entry = None
    relative_sigma: RelativeSigma = None


class _CurveBase(Table):
    file: str = Field(description="the name of a file, in quotes")
    q_unit: QUnit = None
    entry: Entry = None
    q_range_inv_nm: QRange = None
    mask_inv_nm: Masks = ()
    background_files: tuple[BackgroundFile, ...] = Field(default=(), description="[{ file = ..., scale = ... }, ...]")
    relative_sigma: RelativeSigma = None

    @field_validator("q_range_inv_nm", "mask_inv_nm")
    @classmethod
    def _ranges(cls, v: Any) -> Any:
        return _ordered(v)


def _ordered(v: Any) -> Any:
    """Check a range or several: low < high."""
    for pair in (v,) if v and not isinstance(v[0], tuple) else v or ():
        if not 0 <= pair[0] < pair[1]:
            raise ValueError(f"expected [low, high] in 1/nm with 0 <= low < high, got [{pair[0]:g}, {pair[1]:g}]")
    return v


def _energy(v: float | None) -> float | None:
    if v is not None and 1000 <= v <= 200000:
        raise ValueError(f"expected keV, 1 to 200, got {v:g}: was eV meant? write {v / 1000:.6g}")
    if v is not None and not 1 <= v <= 200:
        raise ValueError(f"expected a photon energy in keV, 1 to 200, got {v:g}")
    return v


class AsaxsCurve(_CurveBase):
    """One row of ``asaxs.curves``."""

    energy_kev: Energy = None

    _check = field_validator("energy_kev")(_energy)


class Slit(Table):
    """``smearing = { slit_inv_nm = ... }``: half-length of a long slit."""

    slit_inv_nm: float = Field(gt=0, le=100, description="the half-length of the slit in 1/nm, above 0")


class _CurveTable(Table):
    scale: Literal["common", "per_energy", "absolute"] = Field(default="common", description='"common" or "per_energy"')
    scale_uncertainty: float = Field(
        default=0.015, gt=0, le=1, description="a relative standard deviation, above 0, up to 1"
    )
    q_range_inv_nm: QRange = None
    mask_inv_nm: Masks = ()
    smearing: Literal["none", "dq"] | Slit = Field(default="none", description='"none", "dq" or { slit_inv_nm = ... }')
    on_bad_points: Literal["stop", "drop"] = Field(default="stop", description='"stop" or "drop"')

    @field_validator("scale")
    @classmethod
    def _relative(cls, v: str) -> str:
        if v == "absolute":
            raise ValueError('"absolute" is not built yet in this version; write "common" (one scale, fitted)')
        return v

    @field_validator("q_range_inv_nm", "mask_inv_nm")
    @classmethod
    def _ranges(cls, v: Any) -> Any:
        return _ordered(v)


def _refuse_same_curve(curves: tuple[Any, ...]) -> None:
    seen: dict[Any, int] = {}
    for i, c in enumerate(curves):
        first = seen.setdefault((c.file, c.entry), i)
        if first != i:
            raise ValueError(
                f"entries {first} and {i} name the same file {c.file!r}{f' ({c.entry})' if c.entry else ''}; "
                "take one out"
            )


class FactorFile(Table):
    """``factors = { file = ... }`` or ``{ absorption = ... }``: measured factors of the element of ``edge``."""

    file: str | None = Field(default=None, description="the name of a table energy, f', f'', in quotes")
    absorption: str | None = Field(default=None, description="the name of an absorption scan, in quotes")
    energy_shift_ev: float = Field(default=0.0, ge=-100, le=100, description="a number of eV, -100 to 100")
    energy_uncertainty_ev: float = Field(default=0.5, ge=0, le=20, description="one standard deviation in eV, 0 to 20")

    @model_validator(mode="after")
    def _one(self) -> FactorFile:
        if (self.file is None) == (self.absorption is None):
            raise ValueError(
                'write either { file = "f1f2.dat" } (energy, f\', f\'\') or { absorption = "zn_edge.xdi" }'
            )
        of_scans = [k for k in ("energy_shift_ev", "energy_uncertainty_ev") if k in self.model_fields_set]
        if self.file is not None and of_scans:
            raise ValueError(
                f"{' and '.join(of_scans)} belongs to an absorption scan; correct the energies in {self.file} itself"
            )
        return self

    @property
    def name(self) -> str:
        """The file, of whichever kind."""
        return str(self.file if self.file is not None else self.absorption)

    @property
    def key(self) -> str:
        """The key that names it: file or absorption."""
        return "file" if self.file is not None else "absorption"


class Asaxs(_CurveTable):
    """``[asaxs]``."""

    edge: str | None = Field(default=None, description='an absorption edge such as "Zn K" or "Pb L3"')
    factors: Literal["chantler", "cromer-liberman"] | FactorFile = Field(
        default="chantler",
        description='"chantler", "cromer-liberman", { file = "f1f2.dat" } or { absorption = "zn_edge.xdi" }',
    )
    energy_resolution_ev: float = Field(default=0.0, ge=0, le=50, description="one standard deviation in eV, 0 to 50")
    energy_uncertainty_ev: float = Field(
        default=0.5, ge=0, le=20, description="one standard deviation of the energy calibration in eV, 0 to 20"
    )
    background: Literal["none", "constant", "constant+power"] = Field(
        default="constant", description='"none", "constant" or "constant+power"'
    )
    curves: tuple[AsaxsCurve, ...] = Field(
        min_length=1, description='at least one { file = ..., energy_kev = ..., q_unit = "1/nm" }'
    )

    @field_validator("edge")
    @classmethod
    def _edge(cls, v: str | None) -> str | None:
        from nanostrata.tables.factors import parse_edge

        try:
            if v is not None:
                parse_edge(v)
        except NanostrataError as error:
            raise ValueError("\n".join(p.removeprefix("asaxs.edge: ") for p in error.problems)) from None
        return v

    @field_validator("curves")
    @classmethod
    def _different(cls, v: tuple[AsaxsCurve, ...]) -> tuple[AsaxsCurve, ...]:
        _refuse_same_curve(v)
        return v

    @model_validator(mode="after")
    def _whose_factors(self) -> Asaxs:
        if isinstance(self.factors, FactorFile) and self.edge is None:
            raise ValueError('edge missing; factors from a file are those of its element: write edge = "Zn K"')
        return self


class ContrastCurveTable(_CurveBase):
    """One row of ``contrasts.curves``: scattering-length densities, or "fit"."""

    core: float | Literal["fit"] = Field(description='a number, or "fit"')
    shell: float | Literal["fit"] | None = Field(default=None, description='a number, or "fit"')
    medium: float | Literal["fit"] = Field(description='a number, or "fit"')
    unit: Literal["1e-6/angstrom^2", "e/nm3"] | None = Field(default=None, description='"1e-6/angstrom^2" or "e/nm3"')


class Contrasts(_CurveTable):
    """``[contrasts]``."""

    unit: Literal["1e-6/angstrom^2", "e/nm3"] = Field(
        default="1e-6/angstrom^2", description='"1e-6/angstrom^2" or "e/nm3"'
    )
    background: Literal["none", "constant"] = Field(default="constant", description='"none" or "constant"')
    curves: tuple[ContrastCurveTable, ...] = Field(
        min_length=1, description='at least one { file = ..., q_unit = "1/nm", core = ..., shell = ..., medium = ... }'
    )

    @model_validator(mode="after")
    def _one_unit(self) -> Contrasts:
        if len({c.unit or self.unit for c in self.curves}) > 1:
            raise ValueError("the curves use different units of contrast; give all in one unit")
        _refuse_same_curve(self.curves)
        return self


class Saxs(Table):
    """``[saxs]``."""

    file: str = Field(description="the name of a file, in quotes")
    energy_kev: Energy = None
    q_unit: QUnit = None
    entry: Entry = None
    relative_sigma: RelativeSigma = None

    _check = field_validator("energy_kev")(_energy)
