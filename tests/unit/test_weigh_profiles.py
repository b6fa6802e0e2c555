"""Weighing of families and numbers of shells: what comes out, and that workers do not matter."""

from typing import Any

import numpy as np
import pytest
from tests.recovery.calibration import CHANTLER, THICK, sample_from_prior, solid

from nanostrata.domain.profile_weights import ProfileWeights, shares
from nanostrata.errors import RecipeError
from nanostrata.models.families import shell_averages
from nanostrata.models.fit_setup import FitSetup
from nanostrata.pipeline.families_run import families_summary, findings, odds_of_best
from nanostrata.stages.weigh_profiles import WeighSettings, weigh_profiles

SETTINGS = WeighSettings(families=("core_shell",), most_shells=3, draws=200)


@pytest.fixture(scope="module")
def setup() -> FitSetup:
    measured = sample_from_prior(3, x=np.array(THICK))
    return FitSetup(curves=tuple(measured.curves), solid=solid(), factors=CHANTLER, known=measured.known)


@pytest.fixture(scope="module")
def weights(setup: FitSetup) -> ProfileWeights:
    return weigh_profiles(setup, SETTINGS, seed=1)


def test_every_model_is_there(weights: ProfileWeights) -> None:
    assert [w.label for w in weights.families] == ["5 shells", "core_shell"]
    assert [w.label for w in weights.numbers] == ["1 shell", "2 shells", "3 shells"]
    assert shares(weights.numbers).sum() == pytest.approx(1.0)
    assert all(w.ln_z_sigma < 0.1 for w in weights.numbers)


def test_homogeneous_particle_is_ruled_out(weights: ProfileWeights) -> None:
    one, _, three = weights.numbers
    assert three.ln_z - one.ln_z > 100
    assert one.chi2 > three.chi2 + 200
    assert weights.best_number == 3


def test_mixture_has_the_shells_of_the_best_number(weights: ProfileWeights) -> None:
    d = weights.draws
    assert d is not None
    assert d.names[:4] == ("x1", "x2", "x3", "diameter_mean_nm")
    assert d.shell_fraction.shape == (200, 3)
    best = weights.numbers[2]
    assert d.shell_fraction.mean(axis=0) == pytest.approx(
        best.draws.mean(axis=0), abs=5 * best.draws.std(axis=0).max() / np.sqrt(200)
    )


def test_profiles_are_those_of_the_parameters(weights: ProfileWeights) -> None:
    best = weights.numbers[2]
    inner = weights.radius_fraction < 1 / 3
    assert best.profile[inner] == pytest.approx(best.draws[:, 0].mean(), abs=0.01)
    assert np.all(best.lower <= best.upper)


def test_order_and_company_do_not_matter(setup: FitSetup, weights: ProfileWeights) -> None:
    def backwards(function: Any, jobs: list[Any]) -> list[Any]:
        return [function(j) for j in jobs[::-1]][::-1]

    again = weigh_profiles(setup, WeighSettings(families=(), most_shells=3), seed=1, spread=backwards)
    # the errors are those of the same most flexible profile, the random numbers those of the model's name
    assert [w.ln_z for w in again.numbers] == [w.ln_z for w in weights.numbers]
    assert again.families == ()


def test_sentences_and_summary_agree(weights: ProfileWeights) -> None:
    kinds, numbers = findings(weights)
    best, _, odds = odds_of_best(weights.families)
    assert kinds.numbers["profile.families.odds_best_to_second"] == pytest.approx(odds)
    assert (kinds.grade == "not determined") == (odds <= 3)
    assert "The data ask for 3 equispaced shells" in numbers.text
    assert "Fewer than 3 are ruled out." in numbers.text
    rows = families_summary(weights)
    assert [r["shells"] for r in rows["shell_numbers"]] == [1, 2, 3]
    assert min(r["ln_z_below_best"] for r in rows["families"]) == 0.0
    row = next(r for r in rows["families"] if (r["shells"] or r["family"]) in (best.shells or best.family, best.family))
    assert row["ln_z_below_best"] == 0.0


def test_averages_over_shells() -> None:
    x = np.array([[0.2, 0.8]])
    assert shell_averages(x, np.array([0.5, 1.0]), 2) == pytest.approx(x)
    assert shell_averages(x, np.array([0.5, 1.0]), 1) == pytest.approx(0.2 / 8 + 0.8 * 7 / 8)


def test_unknown_family_is_named(setup: FitSetup) -> None:
    with pytest.raises(RecipeError, match="sigmoid"):
        weigh_profiles(setup, WeighSettings(families=("sigmoid",), most_shells=0), seed=1)
