"""The table of the project file about the atoms: how many particles, on which crystal, and whether they are relaxed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from nanostrata.pipeline.recipe_tables import Table

if TYPE_CHECKING:
    from nanostrata.pipeline.recipe import Recipe

__all__ = ["Atoms", "BondTable", "ElasticPair", "ElasticTable", "atoms_problems"]

_PLANE = re.compile(r"[({]?\s*-?\d+(\s*[\s,]?\s*-?\d+){2}\s*[)}]?")


class BondTable(Table):
    """One entry of ``atoms.bonds``."""

    length_nm: float = Field(ge=0.1, le=0.5, description="a natural bond length in nm, 0.1 to 0.5")
    alpha_n_m: float = Field(gt=0, le=1000, description="a force constant of stretching in N/m, above 0")
    beta_n_m: float = Field(gt=0, le=1000, description="a force constant of bending in N/m, above 0")
    source: str = Field(default="project file", description="where the numbers are from")


class ElasticTable(Table):
    """``atoms.elastic.core`` or ``atoms.elastic.shell``."""

    c11_gpa: float = Field(gt=0, le=2000, description="an elastic constant in GPa, above 0")
    c12_gpa: float = Field(gt=-500, le=2000, description="an elastic constant in GPa")
    c44_gpa: float | None = Field(default=None, gt=0, le=2000, description="an elastic constant in GPa, above 0")
    c13_gpa: float | None = Field(default=None, gt=-500, le=2000, description="an elastic constant in GPa")
    c33_gpa: float | None = Field(default=None, gt=0, le=2000, description="an elastic constant in GPa, above 0")
    source: str = Field(default="project file", description="where the numbers are from")

    @model_validator(mode="after")
    def _complete(self) -> ElasticTable:
        hexagonal = (self.c13_gpa, self.c33_gpa)
        if any(v is not None for v in hexagonal) and (None in hexagonal or self.c44_gpa is None):
            raise ValueError("a hexagonal crystal needs c11_gpa, c12_gpa, c13_gpa, c33_gpa and c44_gpa")
        if self.c12_gpa >= self.c11_gpa:
            raise ValueError(
                f"c12_gpa = {self.c12_gpa:g} is not below c11_gpa = {self.c11_gpa:g}; no crystal like this is stable"
            )
        return self


class ElasticPair(Table):
    """``atoms.elastic``."""

    core: ElasticTable | None = Field(default=None, description="{ c11_gpa = ..., c12_gpa = ... }")
    shell: ElasticTable | None = Field(default=None, description="{ c11_gpa = ..., c12_gpa = ... }")


class Shape(Table):
    """``[shape]``."""

    runs: int | None = Field(
        default=None, ge=0, le=1000, description="a whole number from 2 to 1000; 0 leaves the stage out"
    )

    anisometry: Literal["any", "prolate", "oblate"] = Field(default="any", description='"any", "prolate" or "oblate"')
    density: Literal["even", "profile"] = Field(
        default="even", description='"even", or "profile": the fitted gradient is taken out of the curve first'
    )

    @field_validator("runs")
    @classmethod
    def _runs(cls, v: int | None) -> int | None:
        if v == 1:
            raise ValueError("expected at least 2 runs (an average needs two), or 0 to leave the stage out; got 1")
        return v


class Atoms(Table):
    """``[atoms]``."""

    particles: int = Field(default=20, ge=1, le=2000, description="a whole number from 1 to 2000")
    lattice: Literal["graded", "mean"] = Field(default="graded", description='"graded" or "mean"')
    body: Literal["spheroid", "map"] = Field(
        default="spheroid", description='"spheroid", or "map": the average shape without a model'
    )
    facets: dict[str, float] | None = Field(
        default=None, description='planes and relative distances, { "{100}" = 1.0, "{111}" = 1.1 }'
    )
    fault_probability: float = Field(
        default=0.0, ge=0, le=1, description="a probability per close-packed layer, 0 to 1"
    )
    fault_kind: Literal["growth", "deformation"] = Field(default="growth", description='"growth" or "deformation"')
    stacking: str | None = Field(default=None, description='a sequence of layers such as "ABCAB"')
    termination: Literal["any", "cation", "anion"] = Field(
        default="any", description='"any", "cation" or "anion": what lies outermost'
    )
    min_bonds: int = Field(default=2, ge=1, le=6, description="a whole number of bonds, 1 to 6")
    refine_weights: bool = Field(default=False, description="true or false")
    relax: Literal["none", "keating"] = Field(default="none", description='"none" or "keating"')
    bonds: dict[str, BondTable] | None = Field(
        default=None, description='{ "Ag-Se" = { length_nm = ..., alpha_n_m = ..., beta_n_m = ... } }'
    )
    elastic: ElasticPair | None = Field(
        default=None, description="{ core = { c11_gpa = ..., c12_gpa = ... }, shell = { ... } }"
    )

    @field_validator("facets")
    @classmethod
    def _planes(cls, v: dict[str, float] | None) -> dict[str, float] | None:
        for name, distance in (v or {}).items():
            if not _PLANE.fullmatch(name.strip()):
                raise ValueError(
                    f'expected planes such as "{{100}}" (all equivalent) or "(111)" (this one), got {name!r}'
                )
            if not distance > 0:
                raise ValueError(f"the distance of {name} must be above 0, got {distance:g}")
        return v

    @field_validator("stacking")
    @classmethod
    def _letters(cls, v: str | None) -> str | None:
        if v is not None and (
            len(v) < 2 or set(v) - set("ABC") or any(a == b for a, b in zip(v, v[1:] + v[0], strict=True))
        ):
            raise ValueError(f"expected letters A, B, C, neighbours different also where it repeats, got {v!r}")
        return v

    @model_validator(mode="after")
    def _together(self) -> Atoms:
        if self.stacking is not None and self.fault_probability > 0:
            raise ValueError("stacking and fault_probability contradict each other; write one of them")
        if "fault_kind" in self.model_fields_set and self.fault_probability == 0:
            raise ValueError("fault_kind needs fault_probability above 0; add it or take fault_kind out")
        if self.body == "map" and self.facets is not None:
            raise ValueError('facets and body = "map" contradict each other; write one of them')
        unused = [n for n in ("bonds", "elastic") if getattr(self, n) is not None]
        if self.relax == "none" and unused:
            raise ValueError(
                f'{" and ".join(unused)} given, but relax = "none"; write relax = "keating" or take them out'
            )
        return self


def atoms_problems(recipe: Recipe) -> list[str]:
    """Sentences on keys of ``[atoms]`` that make no sense with the rest of the project file."""
    atoms, materials = recipe.atoms, recipe.materials
    if atoms is None:
        return []
    problems = []
    if atoms.facets is not None and recipe.particle.shape != "sphere":
        problems.append(
            f'atoms.facets: they decide the shape of the particles of atoms, and particle.shape is "{recipe.particle.shape}"; '
            'write shape = "sphere" (fitted as the sphere of the same volume), or take facets out'
        )
    if atoms.body == "map" and recipe.shape is not None and recipe.shape.runs == 0:
        problems.append('atoms.body = "map": needs the stage shape, and [shape] has runs = 0; raise it or take it out')
    if materials is None:
        return problems
    from nanostrata.models.crystal_layers import LAYERED
    from nanostrata.models.lattice_cells import sublattice_count
    from nanostrata.models.valence_force_field import TETRAHEDRAL

    structure = recipe.particle.structure or materials.core.lattice.structure
    if structure is None:  # a CIF: known when it is read
        return problems
    if (atoms.fault_probability > 0 or atoms.stacking is not None) and structure not in LAYERED:
        key = "stacking" if atoms.stacking is not None else "fault_probability"
        problems.append(
            f"atoms.{key}: {structure} is not built of close-packed layers that can be stacked otherwise; faults are for "
            f"{', '.join(LAYERED)}"
        )
    if atoms.termination != "any" and sublattice_count(structure) == 1:
        problems.append(f'atoms.termination: {structure} has one kind of site; write "any"')
    if atoms.relax == "keating" and structure not in TETRAHEDRAL:
        problems.append(
            f'atoms.relax: "keating" is for crystals with four tetrahedral bonds at every site (wurtzite, zincblende, '
            f'diamond); {structure} is none: write relax = "none"'
        )
    if atoms.elastic is not None and atoms.elastic.shell is not None and materials.shell is None:
        problems.append("atoms.elastic.shell: there is no [materials.shell]; take it out")
    return problems
