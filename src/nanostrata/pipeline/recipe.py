"""The project file: what to do, validated once, all problems at once."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from nanostrata.errors import RecipeError

SUPPORTED_PROFILES = ("shells", "homogeneous", "core_shell", "erf", "smooth")
NOT_BUILT_TABLES = {"waxs": "WAXS", "shape": "the ab initio shape"}
"""Tables of the project file that this version refuses by name."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class MediumTable(_Table):
    """``sample.medium`` as a table."""

    formula: str | None = None
    density_g_cm3: float | None = Field(default=None, gt=0)
    electron_density_e_nm3: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _complete(self) -> MediumTable:
        if self.electron_density_e_nm3 is None and (self.formula is None or self.density_g_cm3 is None):
            raise ValueError("write { formula = ..., density_g_cm3 = ... } or { electron_density_e_nm3 = ... }")
        return self


class Sample(_Table):
    """``[sample]``."""

    title: str = "untitled sample"
    medium: str | MediumTable = "vacuum"


class Particle(_Table):
    """``[particle]``."""

    shells: int | Literal["auto"] = 5
    shape: Literal["sphere", "prolate", "oblate"] = "sphere"
    axis: str = "001"
    structure: str | None = None
    profile: str = "shells"
    sizes: Literal["gaussian", "lognormal", "tem"] = "gaussian"
    size: Literal["fit", "fixed"] = "fit"
    smoothness: bool = True
    smoothness_sd: float = Field(default=0.35, gt=0)

    @field_validator("shells")
    @classmethod
    def _shells(cls, v: int | str) -> int | str:
        if v == "auto":
            raise ValueError('"auto" is not built in this version; write a number, for example 5')
        if not 1 <= int(v) <= 20:
            raise ValueError(f"expected 1 to 20 shells, got {v}")
        return v

    @field_validator("profile")
    @classmethod
    def _profile(cls, v: str) -> str:
        if v == "exponential":
            raise ValueError('"exponential" is not built in this version; write "erf" or "smooth"')
        if v not in SUPPORTED_PROFILES:
            raise ValueError(f"expected one of {', '.join(SUPPORTED_PROFILES)}, got {v!r}")
        return v

    @field_validator("axis")
    @classmethod
    def _axis(cls, v: str) -> str:
        if not re.fullmatch(r"\(?\s*-?\d\s*-?\d\s*-?\d\s*(-?\d\s*)?\)?", v):
            raise ValueError(f'expected a direction such as "110" or "001", or a plane normal such as "(100)", got {v!r}')
        return v


class Lattice(_Table):
    """``lattice`` of an end member."""

    structure: Literal["wurtzite", "zincblende", "rocksalt", "diamond", "fcc", "bcc", "hcp"] | None = None
    a_nm: float | None = None
    b_nm: float | None = None
    c_nm: float | None = None
    cif: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Lattice:
        if self.cif is None and self.structure is None:
            raise ValueError('write structure = "wurtzite" (with a_nm, c_nm) or cif = "file.cif"')
        if self.cif is not None and (self.structure is not None or self.a_nm is not None):
            raise ValueError("cif and structure contradict each other; write one of them")
        return self


class MaterialTable(_Table):
    """``[materials.core]`` or ``[materials.shell]``."""

    formula: str
    lattice: Lattice
    density_uncertainty: float = Field(default=0.01, ge=0, le=0.3)


class Materials(_Table):
    """``[materials]``."""

    core: MaterialTable
    shell: MaterialTable | None = None


class BackgroundFile(_Table):
    """One measured background of a curve."""

    file: str
    scale: float | Literal["fit"] = 1.0
    transmission: float | None = Field(default=None, gt=0, le=1.5)
    q_unit: str | None = None


class _CurveBase(_Table):
    file: str
    q_unit: str | None = None
    entry: str | int | None = None
    q_range_inv_nm: tuple[float, float] | None = None
    mask_inv_nm: tuple[tuple[float, float], ...] = ()
    background_files: tuple[BackgroundFile, ...] = ()
    relative_sigma: float | None = Field(default=None, gt=0, lt=1)

    @field_validator("q_range_inv_nm")
    @classmethod
    def _range(cls, v: tuple[float, float] | None) -> tuple[float, float] | None:
        return _ordered(v)


def _ordered(v: tuple[float, float] | None) -> tuple[float, float] | None:
    if v is not None and not 0 <= v[0] < v[1]:
        raise ValueError(f"expected [low, high] with 0 <= low < high in 1/nm, got [{v[0]:g}, {v[1]:g}]")
    return v


def _energy(v: float | None) -> float | None:
    if v is None:
        return v
    if v > 200:
        raise ValueError(f"expected keV, got {v:g}: was eV meant? write {v / 1000:g}")
    if v < 1:
        raise ValueError(f"expected 1 to 200 keV, got {v:g}")
    return v


class AsaxsCurve(_CurveBase):
    """One row of ``asaxs.curves``."""

    energy_kev: float | None = None

    _check = field_validator("energy_kev")(_energy)


class Slit(_Table):
    """``smearing = { slit_inv_nm = ... }``: half-length of a long slit."""

    slit_inv_nm: float = Field(gt=0)


class _CurveTable(_Table):
    scale_uncertainty: float = Field(default=0.015, gt=0, le=1)
    q_range_inv_nm: tuple[float, float] | None = None
    mask_inv_nm: tuple[tuple[float, float], ...] = ()
    smearing: Literal["none", "dq"] | Slit = "none"
    on_bad_points: Literal["stop", "drop"] = "stop"

    @field_validator("q_range_inv_nm")
    @classmethod
    def _range(cls, v: tuple[float, float] | None) -> tuple[float, float] | None:
        return _ordered(v)


class Asaxs(_CurveTable):
    """``[asaxs]``."""

    edge: str | None = None
    factors: Literal["chantler", "cromer-liberman"] = "chantler"
    energy_resolution_ev: float = Field(default=0.0, ge=0, le=100)
    scale: Literal["common", "per_energy", "absolute"] = "common"
    background: Literal["none", "constant", "constant+power"] = "constant"
    curves: tuple[AsaxsCurve, ...] = Field(min_length=1)

    @field_validator("factors", mode="before")
    @classmethod
    def _factors(cls, v: Any) -> Any:
        if isinstance(v, dict):
            raise ValueError('factors from files are not built in this version; write "chantler" or "cromer-liberman"')
        return v


class ContrastCurveTable(_CurveBase):
    """One row of ``contrasts.curves``: scattering-length densities in 1e-6/angstrom^2 (or e/nm3), or "fit"."""

    core: float | Literal["fit"]
    shell: float | Literal["fit"] | None = None
    medium: float | Literal["fit"]
    unit: Literal["1e-6/angstrom^2", "e/nm3"] | None = None


class Contrasts(_CurveTable):
    """``[contrasts]``."""

    unit: Literal["1e-6/angstrom^2", "e/nm3"] = "1e-6/angstrom^2"
    scale: Literal["common", "per_energy", "absolute"] = "common"
    background: Literal["none", "constant"] = "constant"
    curves: tuple[ContrastCurveTable, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_unit(self) -> Contrasts:
        units = {c.unit or self.unit for c in self.curves}
        if len(units) > 1:
            raise ValueError("the curves use different units of contrast; give all in one unit")
        return self


class Saxs(_Table):
    """``[saxs]``."""

    file: str
    energy_kev: float | None = None
    q_unit: str | None = None

    _check = field_validator("energy_kev")(_energy)


class Tem(_Table):
    """``[tem]``."""

    diameters: str | None = None
    reading_error_nm: float = Field(default=0.1, ge=0)
    unit: Literal["nm", "px"] | None = None
    nm_per_pixel: float | None = Field(default=None, gt=0)
    mean_diameter_nm: float | None = Field(default=None, gt=0, lt=1000)
    std_diameter_nm: float | None = Field(default=None, gt=0)
    particles: int | None = Field(default=None, ge=1)
    image: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Tem:
        if self.image is not None:
            raise ValueError("image: reading micrographs is not built in this version; give diameters, or the three numbers")
        if self.diameters is None and (self.mean_diameter_nm is None or self.std_diameter_nm is None):
            raise ValueError("write diameters = \"file.csv\", or mean_diameter_nm, std_diameter_nm and particles")
        if self.diameters is not None and self.mean_diameter_nm is not None:
            raise ValueError("diameters and mean_diameter_nm are both given; write one of them")
        return self


class Edx(_Table):
    """``[edx]``."""

    file: str | None = None
    atomic_percent: dict[str, float] | None = None
    error: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> Edx:
        if (self.file is None) == (self.atomic_percent is None):
            raise ValueError("write either file or atomic_percent")
        if self.atomic_percent is not None and self.error is None:
            raise ValueError("atomic_percent needs error, one standard deviation in atomic percent")
        return self


class Growth(_Table):
    """``[growth]``: shown with the sample."""

    temperature_c: float = Field(gt=-273.15)
    time_s: float = Field(gt=0)


class Atoms(_Table):
    """``[atoms]``."""

    particles: int = Field(default=1, ge=1)

    @field_validator("particles")
    @classmethod
    def _one(cls, v: int) -> int:
        if v != 1:
            raise ValueError("ensembles of particles are not built in this version; write 1 or leave [atoms] out")
        return v


class Recipe(_Table):
    """A whole project file."""

    sample: Sample = Sample()
    particle: Particle = Particle()
    materials: Materials | None = None
    asaxs: Asaxs | None = None
    contrasts: Contrasts | None = None
    saxs: Saxs | None = None
    tem: Tem | None = None
    edx: Edx | None = None
    growth: Growth | None = None
    atoms: Atoms | None = None
    root: Path = Field(default=Path(), exclude=True)
    file: Path = Field(default=Path("project.toml"), exclude=True)
    _nothing: None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _whole(self) -> Recipe:
        problems = []
        if (self.asaxs is None) == (self.contrasts is None):
            problems.append("write exactly one of [asaxs] and [contrasts]")
        if self.asaxs is not None and self.materials is None:
            problems.append("[asaxs] needs [materials.core] (and [materials.shell])")
        if self.contrasts is not None and self.particle.profile not in ("homogeneous", "core_shell"):
            problems.append('particle.profile: with [contrasts] write "homogeneous" or "core_shell"')
        if self.contrasts is not None and self.particle.shape != "sphere":
            problems.append('particle.shape: with [contrasts] only "sphere" is built in this version')
        if self.contrasts is not None and self.particle.profile == "core_shell" and any(c.shell is None for c in self.contrasts.curves):
            problems.append('contrasts.curves: every curve needs shell (a number or "fit") for profile = "core_shell"')
        if self.particle.sizes == "tem" and (self.tem is None or self.tem.diameters is None):
            problems.append('particle.sizes: "tem" needs [tem] diameters')
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def digest(self) -> str:
        """Digest of everything that the file says (not of the files that it names)."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    def files(self) -> list[str]:
        """Every file that the recipe names, as written."""
        out: list[str] = []
        table = self.asaxs or self.contrasts
        for c in table.curves if table is not None else ():
            out += [c.file, *(b.file for b in c.background_files)]
        for part in (self.materials.core, self.materials.shell) if self.materials else ():
            if part is not None and part.lattice.cif:
                out.append(part.lattice.cif)
        out += [t for t in (self.saxs and self.saxs.file, self.tem and self.tem.diameters, self.edx and self.edx.file) if t]
        return list(dict.fromkeys(out))


def load_recipe(path: Path) -> Recipe:
    """Read and validate a project file.

    Raises
    ------
    RecipeError
        With every problem: key, line, what was expected, what came, what to do.
    """
    path = Path(path)
    if path.is_dir():
        raise RecipeError(f"{path}: is a folder; give the project file in it, for example {path / 'project.toml'}")
    if not path.is_file():
        raise RecipeError(f"{path}: no such file; `nanostrata new DIR` writes a project file to start from")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from None
    return parse_recipe(table, path=path, text=text)


def parse_recipe(table: dict[str, Any], *, path: Path, text: str = "", check_files: bool = True) -> Recipe:
    """Validate a parsed project file; see :func:`load_recipe`."""
    problems = [
        f"{path}{_line(text, (name,))}: [{name}]: {what} is not built in this version; take the table out (it is never ignored silently)"
        for name, what in NOT_BUILT_TABLES.items()
        if name in table
    ]
    known = {k: v for k, v in table.items() if k not in NOT_BUILT_TABLES}
    for name in ("root", "file"):
        if name in known:
            problems.append(f"{path}: {name}: this key is not known")
            known.pop(name)
    try:
        recipe = Recipe.model_validate({**known, "root": path.parent.resolve(), "file": path})
    except ValidationError as error:
        problems += [_sentence(path, text, e, Recipe) for e in error.errors()]
        raise RecipeError(*problems) from None
    if check_files:
        problems += [
            f"{path}: the file {name} does not exist in {recipe.root}; paths are relative to the project file"
            for name in recipe.files()
            if not (recipe.root / name).is_file()
        ]
    if problems:
        raise RecipeError(*problems)
    return recipe


def _sentence(path: Path, text: str, error: Any, model: type[BaseModel]) -> str:
    location = tuple(p for p in error["loc"] if not (isinstance(p, str) and (p.startswith(("function-", "literal[", "constrained", "tagged")) or p in ("MediumTable", "Slit", "str", "float", "int"))))  # fmt: skip
    key = _key(location)
    where = f"{path}{_line(text, location)}: {key}: " if key else f"{path}: "
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), _field_names(model, location[:-1]), n=1)
        return where + "this key is not known" + (f"; did you mean {close[0]!r}?" if close else "; see the list of keys in docs/project-file.md")
    if error["type"] == "missing":
        return where + "missing; this key is needed"
    if error["type"] == "value_error":
        return where + message
    shown = repr(given) if not isinstance(given, dict | list) or len(repr(given)) < 60 else type(given).__name__
    return where + f"{message[0].lower()}{message[1:]}, got {shown}"


def _key(location: tuple[Any, ...]) -> str:
    out = ""
    for part in location:
        out += f"[{part}]" if isinstance(part, int) else (f".{part}" if out else str(part))
    return out


def _field_names(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Names of the keys of the table at a location, found by following annotations."""
    current: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        following: list[type[BaseModel]] = []
        for m in current:
            if part in m.model_fields:
                following += _models(m.model_fields[part].annotation)
        current = following
    return [n for m in current for n in m.model_fields if n not in ("root", "file") or m is not Recipe]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in getattr(annotation, "__args__", ()) for m in _models(a)]


def _line(text: str, location: tuple[Any, ...]) -> str:
    """Return ", line N" where the key can be found in the text."""
    if not text or not location:
        return ""
    names = [p for p in location if isinstance(p, str)]
    index = next((p for p in location if isinstance(p, int)), None)
    lines = text.splitlines()
    start = 0
    if names:
        header = re.compile(rf"^\s*\[+\s*{re.escape(names[0])}(\.|\s*\]|$)")
        start = next((i for i, line in enumerate(lines) if header.match(line)), 0)
        if len(names) > 1:
            exact = re.compile(rf"^\s*\[+\s*{re.escape(names[0])}\.{re.escape(names[1])}\s*\]")
            start = next((i for i, line in enumerate(lines) if exact.match(line)), start)
    if index is not None:
        rows = [i for i, line in enumerate(lines) if i >= start and re.search(r"\bfile\s*=", line)]
        if index < len(rows):
            return f", line {rows[index] + 1}"
    for name in reversed(names[1:] or names):
        pattern = re.compile(rf"(^|[\s{{,.]){re.escape(name)}\s*=")
        for i in range(start, len(lines)):
            if pattern.search(lines[i]):
                return f", line {i + 1}"
    return f", line {start + 1}" if names and start else ""
