"""Activation energy: golden numbers, generalised least squares against other routes, draws, verdicts, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import constants, stats

from nanostrata.errors import PhysicsError
from nanostrata.models.arrhenius import (
    ArrheniusLine,
    MeasuredDiffusivity,
    activation_verdict,
    fit_arrhenius,
    log_sigma_of,
)

R = constants.R / 1000  # kJ/(mol K)


def sample(
    temperature_c: float, d: float, log_sigma: float = math.nan, draws: np.ndarray | None = None
) -> MeasuredDiffusivity:
    return MeasuredDiffusivity(
        label=f"{temperature_c:g}", temperature_c=temperature_c, diffusivity_cm2_s=d, log_sigma=log_sigma,
        draws_cm2_s=np.empty(0) if draws is None else draws,
    )  # fmt: skip


def made(
    temperatures: list[float], ea: float, d0: float, errors: list[float], noise: list[float]
) -> list[MeasuredDiffusivity]:
    return [
        sample(t, d0 * math.exp(-ea / (R * (t + 273.15)) + n), e)
        for t, e, n in zip(temperatures, errors, noise, strict=True)
    ]


# ---- two temperatures ----------------------------------------------------------------------------------------------
def test_two_points_are_met_exactly() -> None:
    line = fit_arrhenius([sample(150, 1.57e-17), sample(50, 1.18e-17)])
    by_hand = R * math.log(1.57 / 1.18) / (1 / 323.15 - 1 / 423.15)
    assert line.activation_energy_kj_mol == pytest.approx(by_hand, rel=1e-10)
    assert line.diffusivity_cm2_s(np.array([50.0, 150.0]))[0] == pytest.approx([1.18e-17, 1.57e-17], rel=1e-10)


def test_without_errors_there_is_a_value_and_no_interval() -> None:
    line = fit_arrhenius([sample(150, 1.57e-17), sample(50, 1.18e-17)])
    assert line.verdict == "not determined"
    assert "no error" in line.reason
    assert "150" in line.reason
    assert all(map(math.isnan, line.interval_kj_mol()))


def test_twenty_percent_errors_do_not_determine_it() -> None:
    line = fit_arrhenius([sample(150, 1.57e-17, 0.2), sample(50, 1.18e-17, 0.2)])
    sigma = R * math.hypot(0.2, 0.2) / (1 / 323.15 - 1 / 423.15)
    assert line.sigma_kj_mol == pytest.approx(sigma, rel=1e-10)
    assert line.interval_kj_mol() == pytest.approx((3.2466 - 1.95996 * sigma, 3.2466 + 1.95996 * sigma), abs=2e-4)
    assert line.verdict == "not determined"
    assert "includes 0" in line.reason


def test_five_percent_errors_determine_it() -> None:
    assert fit_arrhenius([sample(150, 1.57e-17, 0.05), sample(50, 1.18e-17, 0.05)]).verdict == "determined"


def test_order_of_the_samples_does_not_matter() -> None:
    points = made([50, 90, 150], 20, 1e-14, [0.1, 0.2, 0.05], [0.03, -0.1, 0.02])
    a, b = fit_arrhenius(points), fit_arrhenius(points[::-1])
    assert a.activation_energy_kj_mol == pytest.approx(b.activation_energy_kj_mol, rel=1e-10)
    assert a.covariance == pytest.approx(b.covariance, rel=1e-8)


# ---- generalised least squares against other routes ----------------------------------------------------------------
def test_three_points_against_weighted_least_squares() -> None:
    points = made([50, 100, 150, 200], 20, 1e-14, [0.1, 0.2, 0.05, 0.15], [0.05, -0.1, 0.02, 0.1])
    t = np.array([p.temperature_k for p in points])
    y = np.log([p.diffusivity_cm2_s for p in points])
    w = 1 / np.array([p.log_sigma for p in points])
    design = np.stack([np.ones(4), -1 / (R * t)], axis=1)
    beta = np.linalg.lstsq(design * w[:, None], y * w, rcond=None)[0]
    line = fit_arrhenius(points)
    assert (line.log_d0, line.activation_energy_kj_mol) == pytest.approx(tuple(beta), rel=1e-9)
    assert line.covariance == pytest.approx(np.linalg.inv(design.T @ (design * w[:, None] ** 2)), rel=1e-7)
    residual = (y - design @ beta) * w
    assert line.chi2 == pytest.approx(float(residual @ residual), rel=1e-8)
    assert line.p == pytest.approx(stats.chi2.sf(line.chi2, 2), rel=1e-10)


def test_equal_errors_give_the_ordinary_regression_of_scipy() -> None:
    points = made([50, 80, 120, 150], 15, 1e-15, [0.1] * 4, [0.08, -0.05, -0.06, 0.03])
    inverse = [1 / p.temperature_k for p in points]
    reference = stats.linregress(inverse, np.log([p.diffusivity_cm2_s for p in points]))
    line = fit_arrhenius(points)
    assert line.activation_energy_kj_mol == pytest.approx(-R * reference.slope, rel=1e-9)
    assert line.log_d0 == pytest.approx(reference.intercept, rel=1e-9)


def test_a_common_error_widens_d0_and_leaves_the_energy() -> None:
    points = made([50, 100, 150], 20, 1e-14, [0.1, 0.2, 0.05], [0.05, -0.1, 0.02])
    alone, shared = fit_arrhenius(points), fit_arrhenius(points, common_relative_error=0.3)
    assert shared.activation_energy_kj_mol == pytest.approx(alone.activation_energy_kj_mol, rel=1e-8)
    assert shared.sigma_kj_mol == pytest.approx(alone.sigma_kj_mol, rel=1e-8)
    assert shared.covariance[0, 0] == pytest.approx(alone.covariance[0, 0] + 0.09, rel=1e-8)


@pytest.mark.parametrize("common", [0.0, 0.25])
def test_covariance_against_monte_carlo(common: float) -> None:
    rng = np.random.default_rng(3)
    temperatures, errors = [50.0, 90.0, 150.0], [0.08, 0.15, 0.06]
    found = []
    for _ in range(3000):
        noise = np.array(errors) * rng.standard_normal(3) + common * rng.standard_normal()
        line = fit_arrhenius(made(temperatures, 25, 1e-13, errors, list(noise)), common_relative_error=common)
        found.append([line.log_d0, line.activation_energy_kj_mol])
    stated = fit_arrhenius(made(temperatures, 25, 1e-13, errors, [0, 0, 0]), common_relative_error=common).covariance
    drawn = np.cov(np.array(found).T)
    assert np.mean(found, axis=0) == pytest.approx([math.log(1e-13), 25], abs=0.1)
    assert drawn == pytest.approx(stated, rel=0.09)  # 3000 draws: a variance is known to 2.6 %


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    errors = [0.1, 0.1, 0.1, 0.1]
    inside = 0
    for _ in range(600):
        line = fit_arrhenius(made([50, 80, 120, 150], 25, 1e-13, errors, list(0.1 * rng.standard_normal(4))))
        low, high = line.interval_kj_mol()
        inside += low <= 25 <= high
    # errors are enlarged where chance scatters the points, so the interval is never too short; binomial 3 sigma
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 600) < inside / 600 < 0.985


def test_samples_that_scatter_too_much_get_larger_errors() -> None:
    noise = [0.5, -0.5, 0.5, -0.5]
    calm = fit_arrhenius(made([50, 80, 120, 150], 25, 1e-13, [0.5] * 4, noise))
    wild = fit_arrhenius(made([50, 80, 120, 150], 25, 1e-13, [0.05] * 4, noise))
    assert calm.scatter_factor == 1.0
    assert wild.scatter_factor == pytest.approx(math.sqrt(wild.chi2 / 2))
    assert wild.scatter_factor > 5
    assert "scatter" in wild.reason
    assert wild.sigma_kj_mol == pytest.approx(calm.sigma_kj_mol * math.sqrt(calm.chi2 / 2), rel=1e-6)


# ---- draws ---------------------------------------------------------------------------------------------------------
def gaussian_draws(d: float, sigma: float, seed: int, n: int = 4000) -> np.ndarray:
    return d * np.exp(sigma * np.random.default_rng(seed).standard_normal(n))


def test_draws_give_the_same_as_their_gaussian_errors() -> None:
    points = [
        sample(t, d, draws=gaussian_draws(d, 0.1, seed)) for t, d, seed in ((50, 1.18e-17, 1), (150, 1.57e-17, 2))
    ]
    drawn = fit_arrhenius(points, rng=np.random.default_rng(0))
    plain = fit_arrhenius([sample(50, 1.18e-17, 0.1), sample(150, 1.57e-17, 0.1)])
    assert drawn.activation_energy_kj_mol == pytest.approx(plain.activation_energy_kj_mol, abs=0.15)
    assert drawn.sigma_kj_mol == pytest.approx(plain.sigma_kj_mol, rel=0.05)
    assert drawn.interval_kj_mol() == pytest.approx(plain.interval_kj_mol(), abs=0.25)


def test_draws_of_runs_with_one_seed_are_not_paired_as_they_come() -> None:
    """The same random numbers in both runs would make the ratio of the diffusivities look exact."""
    same = gaussian_draws(1.0, 0.1, 1)
    points = [sample(50, 1.18e-17, draws=1.18e-17 * same), sample(150, 1.57e-17, draws=1.57e-17 * same)]
    line = fit_arrhenius(points, rng=np.random.default_rng(0))
    assert line.sigma_kj_mol == pytest.approx(R * 0.1 * math.sqrt(2) / (1 / 323.15 - 1 / 423.15), rel=0.06)


def test_skewed_draws_give_a_skewed_interval() -> None:
    skew = 1e-17 * (0.2 + np.random.default_rng(5).gamma(1.0, 1.0, 4000))
    line = fit_arrhenius([sample(50, 1e-17, draws=skew), sample(150, 9e-17, 0.01)], rng=np.random.default_rng(0))
    slope = R / (1 / 323.15 - 1 / 423.15)
    expected = [slope * math.log(9e-17 / q) for q in np.quantile(skew, [0.975, 0.025])]
    assert line.interval_kj_mol() == pytest.approx(tuple(expected), abs=0.15)
    gaussian = line.activation_energy_kj_mol + 1.96 * line.sigma_kj_mol * np.array([-1, 1])
    assert abs(np.array(expected) - gaussian).max() > 0.3  # the draws say something that a sigma does not


def test_draws_need_a_generator() -> None:
    with pytest.raises(PhysicsError, match="generator"):
        fit_arrhenius([sample(50, 1e-17, draws=gaussian_draws(1e-17, 0.1, 1)), sample(150, 2e-17, 0.1)])


# ---- what cannot be done -------------------------------------------------------------------------------------------
def test_one_sample_is_said() -> None:
    line = fit_arrhenius([sample(50, 1e-17, 0.1)])
    assert line.verdict == "not determined"
    assert "single sample" in line.reason
    assert math.isnan(line.activation_energy_kj_mol)


def test_no_sample_is_said() -> None:
    assert "no sample" in fit_arrhenius([]).reason


def test_one_temperature_is_said() -> None:
    line = fit_arrhenius([sample(50, 1e-17, 0.1), sample(50, 2e-17, 0.1)])
    assert (line.verdict, math.isnan(line.activation_energy_kj_mol)) == ("not determined", True)
    assert "second temperature" in line.reason


def test_two_samples_at_one_of_two_temperatures_are_averaged() -> None:
    line = fit_arrhenius([sample(50, 1e-17, 0.1), sample(50, 4e-17, 0.1), sample(150, 8e-17, 0.1)])
    expected = R * math.log(8 / 2) / (1 / 323.15 - 1 / 423.15)
    assert line.activation_energy_kj_mol == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (10, 4, 16, "determined"), (10, -1, 21, "not determined"), (10, 0.0, 20, "not determined"), (10, 1, 25, "not determined"),
        (-10, -16, -4, "determined"), (math.nan, 1, 2, "not determined"), (3, math.nan, math.nan, "not determined"),
    ],
)  # fmt: skip
def test_verdicts(value: float, low: float, high: float, verdict: str) -> None:
    assert activation_verdict(value, low, high)[0] == verdict


def test_negative_energy_is_called_what_it_is() -> None:
    assert "colder" in activation_verdict(-10, -16, -4)[1]


@pytest.mark.parametrize("d", [0.0, -1e-17, math.nan, math.inf])
def test_impossible_diffusivities_are_refused(d: float) -> None:
    with pytest.raises(PhysicsError, match="diffusivity_cm2_s"):
        sample(50, d)


def test_impossible_draws_temperatures_and_errors_are_refused() -> None:
    with pytest.raises(PhysicsError, match="draws"):
        sample(50, 1e-17, draws=np.array([1e-17, -1e-18]))
    with pytest.raises(PhysicsError, match="temperature_c"):
        sample(-300, 1e-17)
    with pytest.raises(PhysicsError, match="log_sigma"):
        sample(50, 1e-17, -0.1)
    with pytest.raises(PhysicsError, match="common_relative_error"):
        fit_arrhenius([sample(50, 1e-17, 0.1), sample(150, 2e-17, 0.1)], common_relative_error=-0.1)


def test_error_of_the_logarithm() -> None:
    assert log_sigma_of(1.0, 0.1, 0.9, 1.1) == pytest.approx(0.5 * math.log(1.1 / 0.9))
    assert log_sigma_of(1.0, 0.1, math.nan, math.nan) == pytest.approx(0.1)
    assert log_sigma_of(1.0, 2.0, -1.0, 3.0) == pytest.approx(2.0)
    assert math.isnan(log_sigma_of(1.0, math.nan, math.nan, math.nan))


def test_band_of_the_line_is_that_of_the_samples_at_their_temperatures() -> None:
    line = fit_arrhenius([sample(50, 1e-17, 0.1), sample(150, 3e-17, 0.2)])
    middle, low, high = line.diffusivity_cm2_s(np.array([50.0, 150.0]), 0.68)
    assert np.log(high / middle) == pytest.approx([0.1, 0.2], rel=1e-6)
    assert np.log(middle / low) == pytest.approx([0.1, 0.2], rel=1e-6)


def test_line_survives_pickling() -> None:
    import pickle

    line = fit_arrhenius([sample(50, 1e-17, 0.1), sample(150, 3e-17, 0.2)])
    again: ArrheniusLine = pickle.loads(pickle.dumps(line))
    assert again.activation_energy_kj_mol == line.activation_energy_kj_mol
