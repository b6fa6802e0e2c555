"""The separation of terms inside a run: agreement with the fitted profile, refusal as a result, tables."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.physics.test_separation import CHANTLER, ENERGIES, THICK, clean, paper_solid, true_terms
from tests.recovery.campaign import QUICK, known

from nanostrata.domain import ScatteringCurve
from nanostrata.models.pair_table import PairTable
from nanostrata.models.separation import predicted_terms
from nanostrata.pipeline.separation_run import findings, separation, separation_summary, write_separation
from nanostrata.stages.fit_profile import fit_profile

Q = np.linspace(0.5, 4.5, 61)


def test_terms_of_the_profile_are_those_of_single_particles() -> None:
    table = PairTable.build(Q, 5, 4.1, 0.49)
    found = predicted_terms(paper_solid(), CHANTLER, "Zn", table, THICK)
    # the sum over 29 sizes stops at 3.5 standard deviations, where the sixth power still has a few per mille
    np.testing.assert_allclose(found, true_terms(paper_solid(), Q), rtol=0.02)


def run(noise: float, scale_uncertainty: float) -> Any:
    rng = np.random.default_rng(3)
    solid, curves = paper_solid(), []
    for energy in ENERGIES:
        exact = 1e-9 * clean(solid, energy, Q)
        sigma = noise * exact
        curves.append(
            ScatteringCurve(
                q_inv_nm=Q,
                intensity=exact + sigma * rng.standard_normal(len(Q)),
                sigma=sigma,
                energy_kev=energy,
                label=f"{energy} keV",
            )
        )
    prior = replace(known(4.1, 0.49, 1, None), scale_uncertainty=scale_uncertainty, background="none", shape_error=0.0)
    fit = fit_profile(curves, solid, CHANTLER, None, prior, replace(QUICK, laue=False), seed=1)
    recipe = SimpleNamespace(
        asaxs=SimpleNamespace(
            edge="Zn K",
            factors="chantler",
            energy_resolution_ev=0.0,
            scale="common",
            scale_uncertainty=scale_uncertainty,
        ),
        particle=SimpleNamespace(sizes="gaussian"),
    )
    return separation(recipe, SimpleNamespace(curves=tuple(curves)), solid, fit)  # type: ignore[arg-type]


def test_a_sound_measurement_agrees_with_its_profile(tmp_path: Path) -> None:
    result = run(2e-4, 1e-4)
    assert result.terms is not None
    summary = separation_summary(result)
    assert summary["verdict"] == "agrees"
    assert summary["resolution"] < 0.2
    assert findings(result)[0].grade in ("strong", "moderate")
    write_separation(tmp_path, result)
    rows = np.genfromtxt(tmp_path / "separated_terms.csv", delimiter=",", names=True)
    np.testing.assert_allclose(rows["model_i_0"], rows["i_0"], rtol=0.05)
    assert (tmp_path / "resonant_pair_distances.csv").exists()


def test_ordinary_errors_are_refused_and_said(tmp_path: Path) -> None:
    result = run(0.01, 0.015)
    assert result.terms is None
    assert separation_summary(result)["verdict"] == "refused"
    assert "cannot be separated" in findings(result)[0].text
    write_separation(tmp_path, result)
    assert not list(tmp_path.iterdir())
    assert separation_summary(result)["reason"].count("%") >= 2


def test_two_energies_are_not_tried() -> None:
    recipe = SimpleNamespace(asaxs=SimpleNamespace(edge="Zn K"))
    inputs = SimpleNamespace(curves=[SimpleNamespace(energy_kev=9.0), SimpleNamespace(energy_kev=9.63)])
    assert separation(recipe, inputs, paper_solid(), None) is None  # type: ignore[arg-type]
    assert findings(None) == ()
