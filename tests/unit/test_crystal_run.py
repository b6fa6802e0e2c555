"""What [atoms] asks of the crystal: keys and refusals, the ensemble that is built, relaxed, written and reported."""

import csv
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from report_fixture import write_run_folder
from tests.waxs_particles import solid_of

from nanostrata.errors import RecipeError
from nanostrata.interfaces.figure_style import style
from nanostrata.interfaces.figures import FIGURES
from nanostrata.interfaces.figures_strain import strain
from nanostrata.interfaces.methods import methods_text
from nanostrata.interfaces.report_strain import strain_html
from nanostrata.interfaces.run_folder import read_run_folder
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.pipeline.crystal_run import check_crystal, crystal_plan, relax_ensemble
from nanostrata.pipeline.gather import materials
from nanostrata.pipeline.recipe import Recipe, parse_recipe
from nanostrata.pipeline.store_format import read_entry, write_entry
from nanostrata.pipeline.summary_crystal import crystal_part, crystal_warnings, write_strain

DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick" / "project.toml"
CADMIUM = {
    "core": {"formula": "CdSe", "lattice": {"structure": "wurtzite", "a_nm": 0.4299, "c_nm": 0.7010}},
    "shell": {"formula": "ZnSe", "lattice": {"structure": "wurtzite", "a_nm": 0.400, "c_nm": 0.655}},
}
ELASTIC = {"core": {"c11_gpa": 60.0, "c12_gpa": 40.0, "source": "a guess"}}


def recipe_of(atoms: dict, *, materials: dict | None = None, particle: dict | None = None) -> Recipe:
    table = tomllib.loads(DEMO.read_text(encoding="utf-8"))
    table["particle"]["shape"] = "sphere"
    table["atoms"] = atoms
    if materials is not None:
        table["materials"] = materials
    table["particle"] |= particle or {}
    return parse_recipe(table, path=DEMO, check_files=False)


def ensemble_of(recipe: Recipe, count: int = 3):
    solid = materials(recipe)
    plan = plan_sizes(2.6, 0.2, count, q_max_inv_nm=4.5)
    x = np.tile([0.0, 0.1, 0.3, 0.6, 0.95], (count, 1))
    return solid, build_ensemble(
        solid, plan, mean_nm=2.6, std_nm=0.2, aspect_ratio=np.ones(count), shell_fraction=x,
        structure=recipe.particle.structure or solid.core.structure, axis=recipe.particle.axis,
        crystal=crystal_plan(recipe, solid), seed=np.random.SeedSequence(5),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("atoms", "more", "message"),
    [
        ({"relax": "keating"}, {"particle": {"structure": "rocksalt"}}, r"atoms\.relax: .*rocksalt is none"),
        ({"fault_probability": 0.1}, {"particle": {"structure": "rocksalt"}}, r"atoms\.fault_probability: rocksalt"),
        ({"stacking": "AB"}, {"particle": {"structure": "rocksalt"}}, r"atoms\.stacking: rocksalt"),
        ({"facets": {"{100}": 1.0}}, {"particle": {"shape": "prolate"}}, r"atoms\.facets: .*prolate"),
        ({"facets": {"top": 1.0}}, {}, r"facets: expected planes"),
        ({"facets": {"{100}": -1.0}}, {}, r"must be above 0"),
        ({"fault_kind": "growth"}, {}, r"fault_kind needs fault_probability"),
        ({"stacking": "ABA"}, {}, r"neighbours different"),
        ({"stacking": "AB", "fault_probability": 0.1}, {}, "contradict"),
        ({"elastic": ELASTIC}, {}, r'elastic given, but relax = "none"'),
        ({"relax": "keating", "elastic": {"core": {"c11_gpa": 40.0, "c12_gpa": 60.0}}}, {}, "is not below"),
        (
            {"relax": "keating", "elastic": {"core": {"c11_gpa": 70.0, "c12_gpa": 40.0, "c13_gpa": 40.0}}},
            {},
            "hexagonal",
        ),
        ({"termination": "cations"}, {}, "termination"),
        ({"relax": "kaeting"}, {}, "relax"),
    ],
)
def test_what_makes_no_sense_is_refused_in_the_file(atoms, more, message):
    with pytest.raises(RecipeError, match=message):
        recipe_of(atoms, **more)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        ({"relax": "keating"}, r"Ag-Se, In-Se"),
        ({"relax": "keating", "elastic": ELASTIC, "bonds": {"Cu-Se": {"length_nm": 0.24, "alpha_n_m": 30.0, "beta_n_m": 3.0}}},
         "Cu-Se' cannot occur"),
        ({"facets": {"(100)": 1.0}}, r"atoms\.facets: 1 plane"),
    ],
)  # fmt: skip
def test_what_needs_the_materials_is_refused_before_the_fit(atoms, message):
    recipe = recipe_of(atoms)
    with pytest.raises(RecipeError, match=message):
        check_crystal(recipe, materials(recipe))


def test_nothing_is_asked_where_nothing_stands():
    recipe = recipe_of({"particles": 3})
    check_crystal(recipe, materials(recipe))
    solid, ensemble = ensemble_of(recipe)
    assert crystal_plan(recipe, solid).plain
    assert relax_ensemble(ensemble, recipe, solid) is ensemble
    assert crystal_part(ensemble, recipe, solid) == {}
    assert crystal_warnings(ensemble) == []


def test_an_ensemble_of_faulted_polyhedra():
    recipe = recipe_of(
        {"facets": {"{100}": 1.0, "{001}": 1.2}, "fault_probability": 0.3, "termination": "cation", "min_bonds": 1}
    )
    check_crystal(recipe, materials(recipe))
    solid, ensemble = ensemble_of(recipe)
    part = crystal_part(ensemble, recipe, solid)["crystal"]
    assert part["facets"] == {"{100}": 1.0, "{001}": 1.2}
    assert part["faults_mean"] > 0
    assert 0 < part["hexagonality_mean"] < 1
    for particle, diameter in zip(ensemble.particles, ensemble.diameter_nm, strict=True):
        assert float(particle.info["charge_e"]) > 0
        assert float(particle.info["diameter_nm"]) == pytest.approx(diameter, rel=0.03)


def test_relaxed_particles_are_stored_written_and_told(tmp_path):
    recipe = recipe_of({"relax": "keating"}, materials=CADMIUM)
    check_crystal(recipe, materials(recipe))
    solid, ensemble = ensemble_of(recipe)
    relaxed = relax_ensemble(ensemble, recipe, solid)
    assert len(relaxed.relaxation) == 3
    # the same atoms, moved
    for before, after in zip(ensemble.particles, relaxed.particles, strict=True):
        assert after.symbols == before.symbols
        assert 0.001 < np.abs(after.positions_nm - before.positions_nm).max() < 0.1
        assert after.info["relaxed"] == "keating"
    # a run that is resumed finds them as they were
    path = tmp_path / "entry"
    with path.open("wb") as stream:
        write_entry(stream, relaxed)
    with path.open("rb") as stream:
        again = read_entry(stream)
    np.testing.assert_array_equal(again.particles[0].positions_nm, relaxed.particles[0].positions_nm)
    assert dict(again.relaxation[0].bond_length_nm) == dict(relaxed.relaxation[0].bond_length_nm)
    part = crystal_part(relaxed, recipe, solid)
    assert json.loads(json.dumps(part, allow_nan=False)) == part
    assert part["relax"]["max_force_nn"] <= part["relax"]["tolerance_nn"]
    assert part["relax"]["energy_ev"] < part["relax"]["energy_before_ev"]
    assert {b["bond"] for b in part["relax"]["bonds"]} == {"Cd-Se", "Zn-Se"}
    assert part["strain"]["inner_dilation_percent"] < 0 < part["strain"]["largest_tangential_percent"]
    assert crystal_warnings(relaxed) == []
    write_strain(relaxed.strain, tmp_path)
    with (tmp_path / "strain.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(int(r["atoms"]) for r in rows) == int(relaxed.strain.atoms.sum())
    # the core is pressed together, and nothing else is wider than the shell's tangential tension
    assert float(rows[0]["lattice_nm"]) < float(rows[0]["vegard_nm"])


def test_empty_sites_are_warned_of():
    recipe = recipe_of({"relax": "keating", "elastic": ELASTIC})
    solid, ensemble = ensemble_of(recipe, 1)
    (warning,) = crystal_warnings(relax_ensemble(ensemble, recipe, solid))
    assert warning["code"] == "vacancies_soften"
    assert re.match(r"\d % of the lattice sites are empty", warning["message"])


def test_the_same_seed_relaxes_to_the_same_bytes():
    recipe = recipe_of({"relax": "keating"}, materials=CADMIUM)
    solid, ensemble = ensemble_of(recipe, 1)
    first, second = (relax_ensemble(ensemble, recipe, solid).particles[0].positions_nm for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_report_shows_strain_where_atoms_moved(tmp_path):
    recipe = recipe_of({"relax": "keating"}, materials=CADMIUM)
    solid, ensemble = ensemble_of(recipe, 1)
    relaxed = relax_ensemble(ensemble, recipe, solid)
    folder = write_run_folder(tmp_path / "run")
    assert strain_html(read_run_folder(folder), {}) == ""
    assert strain(read_run_folder(folder)) is None
    write_strain(relaxed.strain, folder / "tables")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["atoms"] |= crystal_part(relaxed, recipe, solid)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    run = read_run_folder(folder)
    with style():
        svg = strain(run)
    assert svg is not None
    assert "Vegard" in svg
    html = strain_html(run, {"strain": svg})
    assert "Cd-Se" in html
    assert "narrower in the inner half" in html
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", html, flags=re.S).lower()
    assert FIGURES["strain"].tables == ("strain",)
    text = methods_text(summary)
    assert "Keating's valence force field" in text
    assert "Effect of invariance requirements" in text


def test_one_material_is_its_own_reference():
    """Without a gradient nothing is strained, and the profile says so."""
    table = {"core": {"formula": "ZnSe", "lattice": {"structure": "zincblende", "a_nm": 0.5668}}}
    recipe = recipe_of({"relax": "keating"}, materials=table)
    solid = solid_of("ZnSe", "zincblende", 0.5668)
    plan = plan_sizes(2.6, 0.0, 1, q_max_inv_nm=4.5)
    ensemble = build_ensemble(
        solid, plan, mean_nm=2.6, std_nm=0.0, aspect_ratio=np.ones(1), shell_fraction=np.zeros((1, 5)),
        structure="zincblende", seed=np.random.SeedSequence(1),
    )  # fmt: skip
    relaxed = relax_ensemble(ensemble, recipe, solid)
    assert relaxed.relaxation[0].energy_ev < 1e-5
    assert np.abs(relaxed.strain.dilation).max() < 1e-4
    np.testing.assert_allclose(relaxed.strain.lattice_nm, relaxed.strain.vegard_nm, rtol=1e-4)
