"""A plan states the intervals that fits of such data will have: twenty simulated measurements, fitted as a run does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nanostrata.domain.plan import NoiseLaw
from nanostrata.models.explore import best_point, draw
from nanostrata.models.families import Shells
from nanostrata.models.information import PlanSetup, information, planned_posterior
from nanostrata.models.plan_forecast import forecast
from nanostrata.stages.fit_profile import ProfileSettings
from tests.plan_setups import PAPER, THICK, measured, setup

FITS = 20
GRADED = np.array([0.05, 0.12, 0.30, 0.62, 0.93])
SAMPLER = ProfileSettings(draws=250, warmup=160, chains=2)


def centre(s: PlanSetup, x: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    steps, by_x = Shells(n=s.shells, smooth_sd=s.smooth_sd).prior_rows(x)
    return x - covariance @ (by_x.T @ steps)


def expected(s: PlanSetup, energies: tuple[float, ...], exposure: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Stated standard deviations with the walls, and without them."""
    x = s.guess.averages(s.shells)
    covariance = information(s, energies).covariance(np.array(exposure))
    found = forecast(x, covariance, centre=centre(s, x, covariance))
    return found.sd, found.linear_sd


@pytest.mark.slow
def test_walls_agree_with_the_sampler_of_the_fit() -> None:
    """Data without noise at the guess: the Gaussian cut off by the walls against Hamiltonian Monte Carlo."""
    s = setup(4, scale="common", noise=NoiseLaw(), smooth_sd=0.35, x=GRADED)
    posterior, theta = planned_posterior(s, PAPER)
    draws = draw(posterior, theta, replace(SAMPLER, draws=600, chains=4), np.random.SeedSequence(3))
    stated, linear = expected(s, PAPER, (1.0, 1.0, 1.0, 1.0))
    assert draws.r_hat < 1.03
    np.testing.assert_allclose(draws.shell_fraction.std(axis=0), stated, rtol=0.15)
    # the walls matter here: a test without them would be none
    assert (linear[:2] > 1.1 * stated[:2]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("s", "energies", "exposure"),
    [
        (setup(3, scale="common", noise=NoiseLaw(), x=THICK), (16.0, 9.63), (2.0, 2.0)),
        (setup(5, scale="common", noise=NoiseLaw(), x=GRADED, smooth_sd=0.35), PAPER, (1.0, 1.0, 1.0, 1.0)),
        (setup(3, scale="common", noise=NoiseLaw(), x=GRADED, edx=None), PAPER, (2.0, 1.0, 1.0, 1.0)),
    ],
    ids=["pair", "paper", "no-edx"],
)
def test_stated_intervals_are_those_of_simulated_fits(
    s: PlanSetup, energies: tuple[float, ...], exposure: tuple[float, ...]
) -> None:
    posterior, theta = planned_posterior(s, energies, exposure)
    widths = []
    for i in range(FITS):
        data = measured(posterior, theta, np.random.default_rng(100 + i))
        draws = draw(data, best_point(data), SAMPLER, np.random.SeedSequence(i))
        widths.append(draws.shell_fraction.std(axis=0))
    stated, _ = expected(s, energies, exposure)
    np.testing.assert_allclose(np.median(widths, axis=0), stated, rtol=0.25)


@pytest.mark.slow
def test_estimates_scatter_as_stated() -> None:
    """Where no wall is near, best points scatter with the stated deviation; sixty fits know it to 9 %."""
    s = setup(3, scale="common", noise=NoiseLaw(), x=THICK)
    posterior, theta = planned_posterior(s, (16.0, 9.63), (2.0, 2.0))
    stated, linear = expected(s, (16.0, 9.63), (2.0, 2.0))
    np.testing.assert_allclose(stated, linear, rtol=0.05)
    found = np.array([best_point(measured(posterior, theta, np.random.default_rng(500 + i)))[:3] for i in range(60)])
    np.testing.assert_allclose(found.std(axis=0, ddof=1), stated, rtol=0.25)
    assert (np.abs(found.mean(axis=0) - theta[:3]) < 4 * stated / np.sqrt(60)).all()
