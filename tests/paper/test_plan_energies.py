"""The paper's four energies, judged: 16.0 and 9.63 keV are what the others only share time with.

Thick profile, q 0.5 to 4.5 1/nm, 120 points of 1 % noise each, three shells, all nuisances of the fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plan_setups import PAPER, setup

from nanostrata.domain.plan import EnergySet
from nanostrata.models.information import PlanSetup, information
from nanostrata.models.plan_design import best_sets, energy_set, subsets

FAR_NEAR, TWO_BELOW, NO_NEAR = (16.0, 9.63), (9.63, 8.9), (9.3, 8.9)


def pairs(s: PlanSetup) -> dict[tuple[float, ...], EnergySet]:
    """Every pair at the same total exposure, against all four."""
    found = subsets(information(s, PAPER), np.ones(4), (2,))
    return {tuple(p.plan.energies_kev): p for p in found}


def linear(s: PlanSetup, chosen: tuple[float, ...]) -> np.ndarray:
    """Standard deviations without any wall, at a total exposure of four seconds."""
    found = information(s, chosen).covariance(np.full(len(chosen), 4.0 / len(chosen)))
    return np.sqrt(np.diag(found))


def typical(sd: np.ndarray) -> float:
    return float(np.exp(np.log(sd).mean()))


@pytest.mark.parametrize("scale", ["per_energy", "common"])
@pytest.mark.parametrize("density_sd", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("wary", [False, True])
def test_with_edx_the_pair_far_and_near_beats_all_four_by_a_tenth(scale: str, density_sd: float, wary: bool) -> None:
    s = setup(3, edx=0.02, scale=scale, density_sd=density_sd)
    if wary:
        s = replace(s, known=replace(s.known, shape_error=0.02, shape_degree=12))
    found = pairs(s)
    assert min(found, key=lambda p: found[p].factor) == FAR_NEAR
    assert 1.07 < 1.0 / found[FAR_NEAR].factor < 1.13
    assert found[TWO_BELOW].factor > 1.05
    assert (found[NO_NEAR].shell_factor[:2] > 3.0).all()
    # the same without the walls
    four = linear(s, PAPER)
    assert 1.07 < typical(four) / typical(linear(s, FAR_NEAR)) < 1.13
    assert (linear(s, NO_NEAR)[:2] / four[:2] > 3.0).all()


def test_without_edx_it_holds_where_densities_are_known_and_the_model_is_exact() -> None:
    s = setup(3, edx=None, density_sd=0.0, shape_error=0.0)
    s = replace(
        s, known=replace(s.known, contrast_errors=replace(s.known.contrast_errors, medium_density=0.0, energy_ev=0.0))
    )
    four = linear(s, PAPER)
    assert 1.07 < typical(four) / typical(linear(s, FAR_NEAR)) < 1.15
    assert typical(linear(s, TWO_BELOW)) > 1.3 * typical(four)
    assert (linear(s, NO_NEAR)[:2] / four[:2] > 3.0).all()


def test_without_edx_and_with_uncertain_densities_four_energies_are_better() -> None:
    """With free scales two curves cannot tell a wrong density from a wrong mean composition; four can a little."""
    s = setup(3, edx=None, density_sd=0.01)
    assert typical(linear(s, FAR_NEAR)) > 1.3 * typical(linear(s, PAPER))
    common = setup(3, edx=None, density_sd=0.01, scale="common")
    assert typical(linear(common, FAR_NEAR)) == pytest.approx(typical(linear(common, PAPER)), rel=0.03)


def test_five_shells_are_more_than_these_data_tell() -> None:
    """Orders of the earlier linearised count: the centre of five shells is not determined, the outermost is."""
    five = linear(setup(5), PAPER)
    assert five[0] > 2.0
    assert five[-1] < 0.1
    assert (linear(setup(3), PAPER) < 0.05).all()


def test_the_pair_is_found_among_the_four_and_near_it_on_a_grid() -> None:
    s = setup(3, scale="common")
    found = information(s, PAPER)
    chosen, seconds = best_sets(found, 4.0, 4, apart_kev=0.02)[1]
    assert {float(found.energies_kev[i]) for i in chosen} == set(FAR_NEAR)
    # about the same time at both
    assert 0.4 < seconds[0] / 4.0 < 0.6
    best = energy_set(found, np.array([2.0, 2.0, 0.0, 0.0]), energy_set(found, np.ones(4), np.ones(3)).sd)
    assert best.factor < 0.93
