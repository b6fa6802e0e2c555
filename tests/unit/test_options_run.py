"""Ligand shell and spread of composition: keys of the project file, and what a run says of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nanostrata.errors import RecipeError
from nanostrata.pipeline import options_run
from nanostrata.pipeline.recipe import Recipe, parse_recipe, read_toml

DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick" / "project.toml"
OLEATE = {"thickness_nm": 1.5, "formula": "C18H33O2", "density_g_cm3": 0.9}


def recipe(particle: dict[str, Any], **changes: dict[str, Any]) -> Recipe:
    table, text = read_toml(DEMO)
    table["particle"] |= particle
    for name, change in changes.items():
        table[name] |= change
    return parse_recipe(table, path=DEMO, text=text, check_files=False)


def problems(particle: dict[str, Any], **changes: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as caught:
        recipe(particle, **changes)
    return "\n".join(caught.value.problems)


def test_without_the_keys_there_is_nothing() -> None:
    plain = recipe({})
    assert options_run.ligand(plain) is None
    assert options_run.spread(plain) is None


def test_keys_become_the_model() -> None:
    made = options_run.ligand(
        recipe({"ligand": OLEATE | {"thickness_uncertainty_nm": 0.3, "density_uncertainty": 0.1}})
    )
    assert made is not None
    assert (made.thickness_nm, made.thickness_sd_nm, made.density_sd) == (1.5, 0.3, 0.1)
    assert (made.formula, made.density_g_cm3, made.electron_density_e_nm3) == ("C18H33O2", 0.9, None)
    fixed, fitted = recipe({"composition_spread": 0.05}), recipe({"composition_spread": "fit"})
    assert options_run.spread(fixed).width == 0.05  # type: ignore[union-attr]
    assert options_run.spread(fitted).width is None  # type: ignore[union-attr]


@pytest.mark.parametrize(("ligand", "said"), [
    ({"thickness_nm": 1.5}, "electron_density_e_nm3"),
    ({"formula": "C", "density_g_cm3": 1.0}, "thickness_nm"),
    (OLEATE | {"electron_density_e_nm3": 300.0}, "contradict"),
    (OLEATE | {"thickness_uncertainty_nm": 0.6}, "at most a third"),
    (OLEATE | {"formula": "Qq3"}, "Qq"),
    (OLEATE | {"thicknes": 1.0}, "thicknes"),
])  # fmt: skip
def test_wrong_ligands_are_refused(ligand: dict[str, Any], said: str) -> None:
    assert said in problems({"ligand": ligand})


def test_what_does_not_go_together_is_refused() -> None:
    assert "particle.ligand" in problems({"ligand": OLEATE}, asaxs={"smearing": "dq"})
    assert "0 to 0.2" in problems({"composition_spread": 0.5})
    assert "composition_spread" in problems({"composition_spread": "free"})
    table, text = read_toml(DEMO)
    table["particle"]["composition_spread"] = 0.05
    del table["materials"]["shell"], table["asaxs"]["edge"]
    with pytest.raises(RecipeError, match=r"needs \[materials.shell\]"):
        parse_recipe(table, path=DEMO, text=text, check_files=False)
    contrasts = {"curves": [{"file": "a", "core": 1.0, "medium": 6.4}]}
    with pytest.raises(RecipeError) as caught:
        parse_recipe(
            {"particle": {"profile": "homogeneous", "ligand": OLEATE, "composition_spread": 0.1}, "contrasts": contrasts},
            path=DEMO, check_files=False,
        )  # fmt: skip
    said = "\n".join(caught.value.problems)
    assert "particle.ligand: needs [asaxs]" in said
    assert "particle.composition_spread: needs [asaxs]" in said


@dataclass
class Fit:
    """As much of a fit as is looked at."""

    main: Any


def fit(**amplitudes: np.ndarray) -> Any:
    return Fit(SimpleNamespace(names=tuple(amplitudes), theta=np.stack(list(amplitudes.values()), axis=1)))


def test_the_summary_is_in_the_units_of_the_file() -> None:
    a = np.random.default_rng(1).standard_normal(4000)
    project = recipe({"ligand": OLEATE | {"thickness_uncertainty_nm": 0.3}, "composition_spread": "fit"})
    out = options_run.options_summary(
        project, fit(ligand_thickness=a, ligand_density=0.2 * a + 1, composition_spread=a)
    )
    assert out["ligand"]["thickness_nm"]["value"] == pytest.approx(1.5, abs=0.02)
    assert out["ligand"]["thickness_nm"]["sigma"] == pytest.approx(0.3, rel=0.05)
    assert out["ligand"]["density_g_cm3"]["value"] == pytest.approx(0.9 * 1.05, rel=0.01)
    # the prior of the spread is uniform from 0 to 0.2
    assert out["composition_spread"]["value"] == pytest.approx(0.1, abs=0.003)
    assert out["composition_spread"]["sigma"] == pytest.approx(0.2 / np.sqrt(12), rel=0.03)
    assert out["composition_spread"]["determined"] == "prior"


def test_a_spread_that_returns_its_prior_is_called_undetermined() -> None:
    a = np.random.default_rng(1).standard_normal(4000)
    project = recipe({"composition_spread": "fit"})
    (found,) = options_run.findings(project, fit(composition_spread=a))
    assert found.grade == "not determined"
    assert "do NOT determine" in found.text
    (found,) = options_run.findings(project, fit(composition_spread=0.2 * a))
    assert found.grade != "not determined"
    assert options_run.findings(recipe({"composition_spread": 0.05}), fit(x1=a)) == ()
    assert (
        options_run.options_summary(recipe({"composition_spread": 0.05}), fit(x1=a))["composition_spread"]["determined"]
        == "given"
    )


def test_a_ligand_about_which_nothing_is_learnt_is_called_so() -> None:
    a = np.random.default_rng(1).standard_normal(4000)
    project = recipe({"ligand": OLEATE})
    (same,) = options_run.findings(project, fit(ligand_thickness=a, ligand_density=a))
    assert same.grade == "not determined"
    (narrower,) = options_run.findings(project, fit(ligand_thickness=a, ligand_density=0.3 * a))
    assert "narrow its density" in narrower.text
