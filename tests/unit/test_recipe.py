"""The project file: keys, lines, near misses, digests."""

from __future__ import annotations

import hashlib
import pickle
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import BaseModel

from nanostrata.errors import RecipeError
from nanostrata.pipeline.recipe import NOT_BUILT_TABLES, Recipe, load_recipe, parse_recipe, read_recipe
from nanostrata.pipeline.recipe_atoms import Atoms, BondTable, ElasticPair, ElasticTable, Shape
from nanostrata.pipeline.recipe_curves import (
    Asaxs,
    AsaxsCurve,
    BackgroundFile,
    ContrastCurveTable,
    Contrasts,
    FactorFile,
    Saxs,
    Slit,
)  # fmt: skip
from nanostrata.pipeline.recipe_plan import Plan, PlanFlux, PlanProfile
from nanostrata.pipeline.recipe_tables import (
    Edx,
    Growth,
    Lattice,
    LigandTable,
    Materials,
    MaterialTable,
    MediumTable,
    Particle,
    Sample,
    Tem,
)  # fmt: skip
from nanostrata.pipeline.recipe_text import TomlText
from nanostrata.pipeline.recipe_waxs import Waxs, WaxsBackground, WaxsStandard

DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick" / "project.toml"
TEXT = DEMO.read_text(encoding="utf-8")
DOCS = Path(__file__).parents[2] / "docs" / "project-file.md"


def problems_of(text: str) -> tuple[str, ...]:
    """Problems of a project file's text; files are not looked for."""
    with pytest.raises(RecipeError) as caught:
        parse_recipe(tomllib.loads(text), path=Path("project.toml"), text=text, check_files=False)
    return caught.value.problems


def parsed(text: str) -> Recipe:
    return parse_recipe(tomllib.loads(text), path=Path("project.toml"), text=text, check_files=False)


@pytest.mark.parametrize("sample", ["thin", "thick"])
def test_the_bundled_projects_load(sample: str) -> None:
    recipe = load_recipe(DEMO.parent.parent / sample / "project.toml")
    assert recipe.asaxs is not None
    assert [c.energy_kev for c in recipe.asaxs.curves] == [16.0, 9.63, 9.3, 8.9]
    assert recipe.materials is not None
    assert recipe.materials.core.lattice.a_nm == 0.426
    assert recipe.root == DEMO.parent.parent / sample


def test_defaults_are_those_of_the_documentation() -> None:
    recipe = parsed(
        '[contrasts]\ncurves = [{ file = "a", core = 1.0, medium = 6.4 }]\n[particle]\nprofile = "homogeneous"'
    )
    p, c = recipe.particle, recipe.contrasts
    assert c is not None
    assert (p.shells, p.shape, p.sizes, p.size, p.smoothness, p.smoothness_sd) == (
        5,
        "sphere",
        "gaussian",
        "fit",
        True,
        0.35,
    )
    assert (c.scale, c.scale_uncertainty, c.background, c.smearing, c.on_bad_points) == (
        "common",
        0.015,
        "constant",
        "none",
        "stop",
    )
    assert c.unit == "1e-6/angstrom^2"


def _pairs() -> Iterator[tuple[int, str]]:
    for number, line in enumerate(TEXT.splitlines(), start=1):
        if re.match(r"\w+ = [^\[{]", line) or re.match(r"(q_range_inv_nm|lattice) = ", line):
            yield number, line.split(" = ")[0]


@pytest.mark.parametrize(("number", "key"), list(_pairs()))
def test_a_wrong_value_is_reported_on_its_line(number: int, key: str) -> None:
    """Each value of the file in turn is made one that no key takes; exactly that line is named, with the key."""
    lines = TEXT.splitlines()
    lines[number - 1] = f"{key} = [[[true]]]"
    (said,) = problems_of("\n".join(lines))
    assert said.startswith(f"project.toml, line {number}: ")
    assert f".{key}: expected " in said


@pytest.mark.parametrize("index", range(4))
def test_curves_are_counted_from_zero_and_their_lines_found(index: int) -> None:
    line = next(i for i, text in enumerate(TEXT.splitlines(), start=1) if "energy_kev" in text) + index
    energy = (16.0, 9.63, 9.3, 8.9)[index]
    (said,) = problems_of(TEXT.replace(f"energy_kev = {energy}, q", f"energy_kev = {round(energy * 1000)}, q"))
    expected = f"expected keV, 1 to 200, got {round(energy * 1000)}: was eV meant? write {energy:g}"
    assert said == f"project.toml, line {line}: asaxs.curves[{index}].energy_kev: {expected}"


def test_lines_are_found_in_every_form_of_toml() -> None:
    text = '''# [not.a.table]
title = """first
[second] = "no key"
"""
a.b = { c = 1, "d e" = [ 2, # comment with ] and }
  { f = 'x = 1' } ] }
[t]
k = [
  1,
  [2, 3],
]
[[rows]]
v = 1
[[rows]]
v = 2
'''
    tomllib.loads(text)
    lines = TomlText(text)
    expected = {
        ("title",): 2, ("a", "b"): 5, ("a", "b", "c"): 5, ("a", "b", "d e", 1, "f"): 6, ("t",): 7, ("t", "k", 0): 9,
        ("t", "k", 1): 10, ("t", "k", 1, 1): 10, ("rows", 0, "v"): 13, ("rows", 1, "v"): 15,
    }  # fmt: skip
    assert {k: lines.line(k) for k in expected} == expected
    assert lines.line(("second",)) is None
    assert lines.line(("t", "missing")) == 7


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = TEXT.replace('"toluene"', '"tolune"').replace("a_nm = 0.426", "a_nm = 4.26").replace("[tem]", "[tme]")
    said = problems_of(text + "\n[reduction]\nfile = 'w'\n")
    assert len(said) == 4
    assert "[reduction]: the reduction of detector frames is not built yet" in said[0]
    assert [re.search(r": ([\w.]+):", s)[1] for s in said[1:]] == [
        "sample.medium",
        "materials.core.lattice.a_nm",
        "tme",
    ]


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("energy_kev = 9.63", "enrgy_kev = 9.63", "energy_kev"),
        ("reading_error_nm", "reading_eror_nm", "reading_error_nm"),
        ("[growth]", "[grwth]", "growth"),
        ('shape = "prolate"', 'shape = "prolat"', "prolate"),
        ('scale = "common"', 'scale = "comon"', "common"),
        ('background = "constant"', 'background = "constnt"', "constant"),
        ('factors = "chantler"', 'factors = "chandler"', "chantler"),
        ('medium = "toluene"', 'medium = "toluol"', "toluene"),
    ],
)
def test_near_misses_are_named(old: str, new: str, meant: str) -> None:
    assert old in TEXT
    assert f"did you mean {meant!r}" in "\n".join(problems_of(TEXT.replace(old, new)))


def test_what_the_contract_has_and_this_version_has_not_is_refused_by_name() -> None:
    for old, new in (
        ('diameters = "tem_diameters.csv"', 'image = "tem.png"\nnm_per_pixel = 0.1'),
        ('scale = "common"', 'scale = "absolute"'),
        ("[growth]", "[reduction]\nfile = 'w'\n[growth]"),
    ):
        assert old in TEXT
        said = problems_of(TEXT.replace(old, new))
        assert any("not built yet in this version" in s for s in said), (new, said)


@pytest.mark.parametrize("value", ['"0.01"', "true", "nan", "inf", "-0.01"])
def test_numbers_are_numbers(value: str) -> None:
    (said,) = problems_of(TEXT.replace("density_uncertainty = 0.01", f"density_uncertainty = {value}"))
    assert "materials.core.density_uncertainty: expected a relative standard deviation" in said


def test_whole_numbers_are_taken_where_a_number_is_expected() -> None:
    assert parsed(TEXT.replace("energy_kev = 16.0", "energy_kev = 16")) == parsed(TEXT)


def test_a_recipe_survives_pickling() -> None:
    recipe = load_recipe(DEMO)
    again = pickle.loads(pickle.dumps(recipe))
    assert again == recipe
    assert again.root == recipe.root
    assert again.digest() == recipe.digest()


def test_digests_follow_the_parts_and_nothing_else() -> None:
    plain, spaced = parsed(TEXT), parsed("# a comment\n\n" + TEXT.replace(" = ", "   =   "))
    assert plain.digest() == spaced.digest()
    other = parsed(TEXT.replace("shells = 5", "shells = 6"))
    assert other.digest() != plain.digest()
    assert other.part_digest("particle") != plain.part_digest("particle")
    assert other.part_digest("asaxs", "tem") == plain.part_digest("tem", "asaxs")
    # the same on every machine and in every process
    said = b'{"growth": {"temperature_c": 150.0, "time_s": 600.0}}'
    assert plain.part_digest("growth") == hashlib.sha256(said).hexdigest()


def test_missing_files_are_all_named_and_near_names_offered(tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "asaxs_16000ev.dat").write_text("", encoding="utf-8")
    _, said = read_recipe(tmp_path / "project.toml")
    assert len(said) == 8
    assert "asaxs.curves[0].file: the file asaxs_16000eV.dat does not exist" in said[0]
    assert "did you mean 'asaxs_16000ev.dat'" in said[0]
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "project.toml")
    assert caught.value.problems == tuple(said)


def test_dropping_bad_points_lets_curves_be_missing_but_no_other_file(tmp_path: Path) -> None:
    text = TEXT.replace('factors = "chantler"', 'factors = "chantler"\non_bad_points = "drop"')
    (tmp_path / "project.toml").write_text(text, encoding="utf-8")
    _, said = read_recipe(tmp_path / "project.toml")
    assert [re.search(r": ([\w.]+): the file", s)[1] for s in said] == [
        "saxs.file", "waxs.file", "tem.diameters", "edx.file",
    ]  # fmt: skip


def test_files_are_listed_once_in_the_order_of_use() -> None:
    names = load_recipe(DEMO).files()
    assert names[:2] == ["asaxs_16000eV.dat", "asaxs_9630eV.dat"]
    assert names[-4:] == ["saxs.dat", "waxs.dat", "tem_diameters.csv", "edx.csv"]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)


SECTIONS: dict[str, tuple[type[BaseModel], ...]] = {
    "`[sample]`": (Sample, MediumTable),
    "`[particle]`": (Particle,),
    "`[particle.ligand]`": (LigandTable,),
    "`[materials.core]`, `[materials.shell]`": (MaterialTable, Lattice),
    "`[asaxs]`": (Asaxs, AsaxsCurve, BackgroundFile, FactorFile, Slit),
    "`[saxs]`": (Saxs,),
    "`[waxs]`": (Waxs, WaxsBackground, WaxsStandard),
    "`[tem]`": (Tem,),
    "`[edx]`": (Edx,),
    "`[growth]`": (Growth,),
    "`[shape]`": (Shape,),
    "`[atoms]`": (Atoms, BondTable, ElasticPair, ElasticTable),
    "`[plan]`": (Plan, PlanFlux, PlanProfile),
    "Given contrasts": (Contrasts, ContrastCurveTable),
}
"""Heading of the documentation -> what it must name, all of it."""


def _section(title: str) -> str:
    text = DOCS.read_text(encoding="utf-8")
    (found,) = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def _rows(title: str) -> Iterator[tuple[list[str], str]]:
    """Keys and default of each row of the tables of a section."""
    for row in re.findall(r"^\| (`.*)\|$", _section(title), flags=re.MULTILINE):
        keys, default = row.split(" | ")[:2]
        yield re.findall(r"`([a-z_0-9]+)`", keys), default


def test_every_table_has_its_section() -> None:
    models = {m for models in SECTIONS.values() for m in models}
    tables = {m for field in Recipe.model_fields.values() if not field.exclude for m in _models(field.annotation)}
    assert tables - {Materials} <= models


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_is_documented_where_it_belongs(title: str) -> None:
    documented = set(re.findall(r"`([a-z_0-9]+)`", _section(title)))
    refused = {"image"}  # stands in the list of what is not built
    missing = {k for m in SECTIONS[title] for k in m.model_fields if k not in documented} - refused
    assert not missing


@pytest.mark.parametrize("title", SECTIONS)
def test_every_documented_key_is_one_with_its_default(title: str) -> None:
    models = SECTIONS[title]
    for keys, default in _rows(title):
        for key in keys:
            fields = [m.model_fields[key] for m in models if key in m.model_fields]
            assert fields, f"{title} does not know {key}"
            stated = re.fullmatch(r'"(.*)"|(true|false)|(-?[\d.]+)', default)
            if default == "needed":
                assert fields[0].is_required(), key
            elif stated is not None:
                assert fields[0].default == tomllib.loads(f"x = {default}")["x"], key
            elif default in ("none", "all", "from the file", "the core's", "the only one"):
                assert fields[0].default in (None, ()), key


def test_what_is_refused_by_name_is_listed() -> None:
    listed = _section("Not built in this version")
    assert all(f"`[{name}]`" in listed for name in (*NOT_BUILT_TABLES, "truth"))
    for name in re.findall(r"`\[([a-z]+)\]`;? ?", listed.split("`scale")[0]):
        (said,) = problems_of(TEXT + f"\n[{name}]\nx = 1\n")
        assert "not built yet" in said or "nanostrata simulate" in said


def test_contrasts_refuse_what_their_fit_would_ignore() -> None:
    text = """
        [particle]
        profile = "homogeneous"
        size = "fixed"
        [tem]
        mean_diameter_nm = 4.0
        std_diameter_nm = 0.4
        particles = 100
        [contrasts]
        curves = [{ file = "a", core = 1.0, medium = 6.4, background_files = [{ file = "b" }, { file = "c", scale = "fit" }] }]
    """
    said = problems_of(text)
    assert len(said) == 2
    assert "particle.size" in said[0]
    assert "contrasts.curves[0].background_files[1].scale" in said[1]
    assert parsed(text.replace('"fixed"', '"fit"').replace('scale = "fit"', "scale = 0.9")).contrasts is not None


def test_the_documentations_example_loads() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.S)
    assert len(examples) >= 2
    for text in examples:
        assert isinstance(parsed(text), Recipe)
