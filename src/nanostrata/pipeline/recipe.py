"""The project file: what to do, validated once, all problems at once. Attribute names are the keys of the file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from nanostrata.errors import RecipeError
from nanostrata.pipeline.recipe_atoms import Atoms, Shape, atoms_problems
from nanostrata.pipeline.recipe_curves import Asaxs, Contrasts, FactorFile, Saxs
from nanostrata.pipeline.recipe_plan import Plan
from nanostrata.pipeline.recipe_tables import (
    SUPPORTED_PROFILES,
    Edx,
    Growth,
    Materials,
    Particle,
    Sample,
    Table,
    Tem,
)  # fmt: skip
from nanostrata.pipeline.recipe_text import Location, TomlText, key_path, near_miss, sentences, toml_problem
from nanostrata.pipeline.recipe_waxs import Waxs

__all__ = [
    "NOT_BUILT_TABLES",
    "SUPPORTED_PROFILES",
    "Recipe",
    "load_recipe",
    "missing_files",
    "parse_recipe",
    "read_recipe",
    "read_toml",
]

NOT_BUILT_TABLES = {
    "reduction": "the reduction of detector frames",
}
"""Tables of the project file that this version refuses by name."""


class Recipe(Table):
    """A whole project file.

    Attributes
    ----------
    root : folder that the paths of the file are relative to
    file : the project file itself
    """

    sample: Sample = Sample()
    particle: Particle = Particle()
    materials: Materials | None = Field(default=None, description="the tables [materials.core] and [materials.shell]")
    asaxs: Asaxs | None = Field(default=None, description="a table with curves")
    contrasts: Contrasts | None = Field(default=None, description="a table with curves")
    saxs: Saxs | None = None
    waxs: Waxs | None = None
    tem: Tem | None = None
    edx: Edx | None = None
    growth: Growth | None = None
    shape: Shape | None = None
    atoms: Atoms | None = None
    plan: Plan | None = None
    root: Path = Field(default=Path(), exclude=True)
    file: Path = Field(default=Path("project.toml"), exclude=True)

    @model_validator(mode="after")
    def _whole(self) -> Recipe:
        problems = []
        alone = self.waxs is not None and self.asaxs is None and self.contrasts is None
        if (self.asaxs is None) == (self.contrasts is None) and not alone:
            problems.append("write exactly one of [asaxs] and [contrasts]")
        if self.waxs is not None and self.materials is None:
            problems.append("waxs: needs [materials.core], whose lattice says where the peaks are; add it")
        if self.asaxs is not None and self.materials is None:
            problems.append("materials: missing; [asaxs] needs [materials.core] (and [materials.shell])")
        if self.asaxs is not None and self.asaxs.edge is not None and self.materials is not None:
            problems += _edge_problems(self.asaxs.edge, self.materials)
        if self.contrasts is not None:
            problems += self._contrast_problems(self.contrasts)
        if self.particle.sizes == "tem" and (self.tem is None or self.tem.diameters is None):
            problems.append('particle.sizes: "tem" needs [tem] with diameters = "file.csv"')
        if self.particle.shells == "auto" and (
            self.particle.profile != "shells"
            or self.contrasts is not None
            or (self.materials and not self.materials.shell)
        ):
            problems.append(
                'particle.shells: "auto" averages over numbers of shells of a graded particle: it needs profile = "shells" and '
                "[materials.shell]; write a number"
            )
        if self.particle.size == "fixed" and self.tem is None:
            problems.append('particle.size: "fixed" takes the size from [tem], which is missing; add it or write "fit"')
        problems += option_problems(self)
        problems += atoms_problems(self)
        if self.edx is not None and self.materials is None:
            problems.append(
                "edx: needs [materials.core], which says what the elements belong to; add it or take [edx] out"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _contrast_problems(self, contrasts: Contrasts) -> list[str]:
        problems = []
        if self.particle.profile not in ("homogeneous", "core_shell"):
            problems.append(
                f'particle.profile: with [contrasts] write "homogeneous" or "core_shell", got {self.particle.profile!r}'
            )
        if self.particle.shape != "sphere":
            problems.append('particle.shape: with [contrasts] only "sphere" is built in this version')
        if self.particle.size == "fixed":
            problems.append('particle.size: with [contrasts] only "fit" is built in this version')
        problems += [
            f'contrasts.curves[{i}].background_files[{k}].scale: with [contrasts] "fit" is not built yet in this '
            "version; write a number"
            for i, c in enumerate(contrasts.curves)
            for k, b in enumerate(c.background_files)
            if b.scale == "fit"
        ]
        if self.particle.profile == "core_shell":
            problems += [
                f'contrasts.curves[{i}].shell: missing; profile = "core_shell" needs a number or "fit"'
                for i, c in enumerate(contrasts.curves)
                if c.shell is None
            ]
        return problems

    def digest(self) -> str:
        """Digest of everything that the file says about a run (not of the files that it names); a plan changes none."""
        return self.part_digest(*(name for name in type(self).model_fields if name != "plan"))

    def part_digest(self, *names: str) -> str:
        """Digest of some tables, for example ``part_digest("particle", "asaxs")``; the order does not matter."""
        dumped = self.model_dump(mode="json", include=set(names))
        return hashlib.sha256(json.dumps(dumped, sort_keys=True).encode()).hexdigest()

    def named_files(self) -> tuple[tuple[Location, str], ...]:
        """Every file that the recipe names: where it is named, and the name as written."""
        out: list[tuple[Location, str]] = []
        for name, table in (("asaxs", self.asaxs), ("contrasts", self.contrasts)):
            for i, c in enumerate(table.curves if table is not None else ()):
                out.append(((name, "curves", i, "file"), c.file))
                out += [
                    ((name, "curves", i, "background_files", k, "file"), b.file)
                    for k, b in enumerate(c.background_files)
                ]
        if self.asaxs is not None and isinstance(self.asaxs.factors, FactorFile):
            factors = self.asaxs.factors
            out.append((("asaxs", "factors", factors.key), factors.name))
        for part in ("core", "shell"):
            material = getattr(self.materials, part, None)
            if material is not None and material.lattice.cif:
                out.append((("materials", part, "lattice", "cif"), material.lattice.cif))
        if self.waxs is not None:
            out += [(("waxs", "background_files", i, "file"), b.file) for i, b in enumerate(self.waxs.background_files)]
            if self.waxs.standard is not None:
                out.append((("waxs", "standard", "file"), self.waxs.standard.file))
                if self.waxs.standard.lattice.cif:
                    out.append((("waxs", "standard", "lattice", "cif"), self.waxs.standard.lattice.cif))
        for table_name, key in (("saxs", "file"), ("waxs", "file"), ("tem", "diameters"), ("edx", "file")):
            file = getattr(getattr(self, table_name), key, None)
            if file:
                out.append(((table_name, key), file))
        return tuple(out)

    def files(self) -> list[str]:
        """Every file that the recipe names, as written, each once."""
        return list(dict.fromkeys(name for _, name in self.named_files()))


def option_problems(recipe: Recipe) -> list[str]:
    """What ligand shell and spread of composition do not go together with."""
    particle, problems = recipe.particle, []
    if recipe.asaxs is None:
        asked = {"ligand": particle.ligand is not None, "composition_spread": particle.composition_spread != 0.0}
        problems += [
            f"particle.{key}: needs [asaxs]; with [contrasts] it is not built in this version; take it out"
            for key, there in asked.items()
            if there
        ]
        return problems
    if particle.ligand is not None and recipe.asaxs.smearing != "none":
        problems.append(
            'particle.ligand: together with asaxs.smearing this is not built in this version; write smearing = "none"'
        )
    if particle.composition_spread != 0.0 and (recipe.materials is None or recipe.materials.shell is None):
        problems.append(
            "particle.composition_spread: needs [materials.shell]; particles of one material do not differ in composition"
        )
    return problems


def _edge_problems(edge: str, materials: Materials) -> list[str]:
    from nanostrata.tables.factors import parse_edge
    from nanostrata.tables.formulas import parse_formula

    formulas = [m.formula for m in (materials.core, materials.shell) if m is not None]
    elements = list(dict.fromkeys(e for f in formulas for e in parse_formula(f)))
    element = parse_edge(edge)[0]
    if element in elements:
        return []
    return [f"asaxs.edge: {element} is in neither material ({', '.join(elements)}); correct the edge or the formulas"]


def load_recipe(path: Path) -> Recipe:
    """Read and validate a project file.

    Raises
    ------
    RecipeError
        With every problem: file, line, key, what was expected, what came, what to do. Files that are named and do not
        exist are among the problems.
    """
    recipe, problems = read_recipe(path)
    if problems:
        raise RecipeError(*problems)
    return recipe


def read_recipe(path: Path) -> tuple[Recipe, list[str]]:
    """Read and validate a project file; files that are named and do not exist come back as sentences.

    Raises
    ------
    RecipeError
        With every problem of the file itself.
    """
    table, text = read_toml(path)
    recipe = parse_recipe(table, path=Path(path), text=text, check_files=False)
    return recipe, missing_files(recipe, TomlText(text))


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Return the tables of a project file and its text.

    Raises
    ------
    RecipeError
        When there is no such file, or it is not TOML in UTF-8; with the line.
    """
    path = Path(path)
    if path.is_dir():
        raise RecipeError(f"{path}: is a folder; give the project file in it, for example {path / 'project.toml'}")
    if not path.is_file():
        raise RecipeError(f"{path}: no such file; `nanostrata new DIR` writes a project file to start from")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RecipeError(f"{path}, line {line}: not UTF-8 text ({error.reason}); save the file as UTF-8") from None
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(toml_problem(path, text, error)) from None


def parse_recipe(table: dict[str, Any], *, path: Path, text: str = "", check_files: bool = True) -> Recipe:
    """Validate a parsed project file.

    Parameters
    ----------
    table : as :mod:`tomllib` gives it
    path : of the file, for messages and to resolve paths
    text : of the file, to find lines
    check_files : whether files that are named must exist

    Raises
    ------
    RecipeError
        With every problem.
    """
    lines = TomlText(text)
    problems = [
        f"{path}{lines.where((name,))}: [{name}]: {what} is not built yet in this version; take the table out"
        for name, what in NOT_BUILT_TABLES.items()
        if name in table
    ]
    if "truth" in table:
        problems.append(
            f"{path}{lines.where(('truth',))}: [truth] makes this a truth file: `nanostrata simulate {path} --out DIR` "
            "makes measurements and a project file from it"
        )
    known = {k: v for k, v in table.items() if k not in NOT_BUILT_TABLES and k != "truth"}
    problems += [
        f"{path}{lines.where((k,))}: {k}: this key is not known"
        for k in ("root", "file")
        if known.pop(k, None) is not None
    ]
    try:
        recipe = Recipe.model_validate({**known, "root": path.parent.resolve(), "file": path})
    except ValidationError as error:
        raise RecipeError(*problems, *sentences(path, lines, error, known, Recipe)) from None
    problems += missing_files(recipe, lines) if check_files else []
    if problems:
        raise RecipeError(*problems)
    return recipe


def missing_files(recipe: Recipe, lines: TomlText) -> list[str]:
    """Sentences on files that do not exist; curves may be missing where bad points are to be dropped."""
    table = recipe.asaxs or recipe.contrasts
    lenient = table is not None and table.on_bad_points == "drop"
    out = []
    for location, name in recipe.named_files():
        path = recipe.root / name
        if path.is_file() or (lenient and len(location) == 4 and location[1] == "curves"):
            continue
        what = "is a folder" if path.is_dir() else "does not exist"
        beside = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        out.append(
            f"{recipe.file}{lines.where(location)}: {key_path(location)}: the file {name} {what} in {recipe.root}"
            f"{near_miss(path.name, beside)}; paths are relative to the project file"
        )
    return out
