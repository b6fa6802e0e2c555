"""Fisher information of a plan: against the posterior itself, differences, exhaustive search and hand-made counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.plan_setups import CHANTLER, FLAT, PAPER, THICK, measured, setup, solid

from nanostrata.constants import HC_KEV_NM, R_E_NM
from nanostrata.domain.plan import EnergyPlan, FluxBudget, NoiseLaw, PlanGuess
from nanostrata.errors import PhysicsError
from nanostrata.models.explore import best_point
from nanostrata.models.information import information, planned_posterior
from nanostrata.models.plan_design import best_exposures, best_sets, energy_set, exchange_curves, measure, subsets
from nanostrata.models.plan_energies import candidate_energies
from nanostrata.models.plan_levers import extended, improvements
from nanostrata.models.plan_noise import counting_variance, counts_per_s, fluorescence_e2, law_at
from nanostrata.tables.edges import edges_kev
from nanostrata.tables.factors import load_factors, with_measured
from nanostrata.tables.fluorescence import counted_yield


# ---- the same model as the fit's ------------------------------------------------------------------------------------
@pytest.mark.parametrize("scale", ["common", "per_energy"])
@pytest.mark.parametrize("smooth_sd", [None, 0.35])
def test_covariance_is_that_of_the_whole_posterior(scale: str, smooth_sd: float | None) -> None:
    """Curve by curve with their own parameters taken out, or all at once: the same covariance."""
    s = setup(4, scale=scale, smooth_sd=smooth_sd, noise=replace(FLAT, floor=0.004))
    exposure = np.array([0.5, 2.0, 1.0, 3.0])
    posterior, theta = planned_posterior(s, PAPER, list(exposure))
    _, jac = posterior.residuals(theta)
    whole = np.linalg.inv(jac.T @ jac)[:4, :4]
    np.testing.assert_allclose(information(s, PAPER).covariance(exposure), whole, rtol=1e-5)


def test_guess_is_the_best_point_of_its_own_curves() -> None:
    s = setup(3, x=np.array([0.2, 0.4, 0.8]))
    posterior, theta = planned_posterior(s, PAPER)
    model, _ = posterior.model(theta, gradient=False)
    np.testing.assert_allclose(model, posterior.intensity, rtol=1e-12)
    found = best_point(posterior)
    np.testing.assert_allclose(found[:3], [0.2, 0.4, 0.8], atol=2e-3)


def test_unused_energies_tell_nothing_and_more_exposure_never_hurts() -> None:
    found = information(setup(3), PAPER)
    three = information(setup(3), PAPER[:3])
    np.testing.assert_allclose(
        found.covariance(np.array([1.0, 1.0, 1.0, 0.0])), three.covariance(np.ones(3)), rtol=1e-6
    )
    sds = [np.sqrt(np.diag(found.covariance(np.full(4, t)))) for t in (0.1, 1.0, 10.0, 1e4)]
    assert all((b < a).all() for a, b in pairwise(sds))


def test_what_cannot_be_told_is_said() -> None:
    s = setup(3, edx=None)
    with pytest.raises(PhysicsError, match="plan"):
        information(s, PAPER).covariance(np.zeros(4))


def test_simulated_data_follow_the_model() -> None:
    """The simulation of the recovery test: chi2 of the best point is that of as many points as there are."""
    s = setup(3, scale="common")
    posterior, theta = planned_posterior(s, (16.0, 9.63))
    data = measured(posterior, theta, np.random.default_rng(7))
    r, _ = data.residuals(best_point(data))
    assert 180 < float(r @ r) < 310


# ---- design ---------------------------------------------------------------------------------------------------------
def test_slope_of_the_measure_against_differences() -> None:
    found = information(setup(3, noise=NoiseLaw()), PAPER)
    t = np.array([1.0, 0.5, 2.0, 0.7])
    _, slope = measure(found, t)
    for i in range(4):
        h = 1e-5
        up, down = t.copy(), t.copy()
        up[i] += h
        down[i] -= h
        assert slope[i] == pytest.approx((measure(found, up)[0] - measure(found, down)[0]) / (2 * h), rel=1e-5)


def test_best_split_is_that_of_a_plain_search() -> None:
    found = information(setup(5, scale="common"), (16.0, 9.63))
    shares = np.linspace(0.02, 0.98, 193)
    values = [measure(found, np.array([4 * a, 4 * (1 - a)]))[0] for a in shares]
    best = best_exposures(found, 4.0)
    assert best.sum() == pytest.approx(4.0)
    assert best[0] == pytest.approx(4 * shares[int(np.argmin(values))], abs=0.1)
    assert measure(found, best)[0] <= min(values) + 1e-4


def test_best_split_tells_the_same_per_second_at_every_energy() -> None:
    """Kiefer's equivalence: at the optimum no second is better spent elsewhere among the used energies."""
    found = information(setup(3, edx=None, scale="common"), (16.0, 13.5, 9.63))
    best = best_exposures(found, 6.0)
    _, slope = measure(found, best)
    used = best > 0.05 * 6.0
    assert np.ptp(slope[used]) < 0.03 * abs(slope[used].mean())
    assert (slope[~used] > slope[used].mean() - 1e-9).all()


def test_best_pair_is_that_of_an_exhaustive_search() -> None:
    grid = [8.7, 9.0, 9.3, 9.55, 9.63, 10.5, 12.0, 14.0, 16.0]
    found = information(setup(3, scale="common", noise=NoiseLaw()), grid)
    every = {}
    for i in range(len(grid)):
        for k in range(i):
            t = np.zeros(len(grid))
            t[[i, k]] = 2.0
            every[k, i] = measure(found, t)[0]
    chosen, seconds = best_sets(found, 4.0, 2, apart_kev=0.02)[1]
    assert tuple(sorted(chosen)) == min(every, key=lambda p: every[p])
    assert seconds.sum() == pytest.approx(4.0)


def test_sets_subsets_and_exchanges_agree_with_each_other() -> None:
    found = information(setup(3), PAPER)
    against = energy_set(found, np.ones(4), np.ones(3)).sd
    every = subsets(found, np.ones(4), (2, 3, 4))
    assert len(every) == 6 + 4 + 1
    assert [s.factor for s in every] == sorted(s.factor for s in every)
    whole = next(s for s in every if len(s.plan.energies_kev) == 4)
    assert whole.factor == pytest.approx(1.0)
    np.testing.assert_allclose(whole.shell_factor, 1.0)
    np.testing.assert_allclose(whole.sd, against)
    moved = exchange_curves(found, (0, 1), np.array([2.0, 2.0]))
    assert moved[0, 0] == pytest.approx(1.0)
    assert moved[1, 1] == pytest.approx(1.0)
    pair = {tuple(s.plan.energies_kev): s.factor for s in every}
    assert moved[1, 3] == pytest.approx(pair[16.0, 8.9] / pair[16.0, 9.63])


def test_energies_that_are_one_are_not_chosen_together() -> None:
    found = information(setup(3, edx=None, scale="common"), [15.97, 15.98, 15.99, 16.0, 9.63])
    for chosen, _ in best_sets(found, 4.0, 4, apart_kev=0.05):
        e = np.sort(found.energies_kev[list(chosen)])
        assert len(e) < 2 or np.diff(e).min() > 0.05


# ---- energies -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("distance", [5.0, 29.0, 100.0])
def test_candidates_keep_away_from_every_edge_of_every_element(distance: float) -> None:
    elements = solid().elements
    grid = candidate_energies((8.5, 17.0), elements, CHANTLER, distance_ev=distance, extra_kev=(9.63, 9.66, 12.66))
    edges = np.array([e for element in elements for _, e in edges_kev(element)])
    assert 1e3 * np.abs(grid[:, None] - edges).min() >= distance - 1e-3
    assert grid.min() >= 8.5
    assert grid.max() <= 17.0
    assert (9.63 in grid) == (distance <= 29.0)
    assert 9.66 not in grid
    # close to the edge of zinc the grid is as fine as the distance asks for
    assert np.diff(grid[(grid < 9.659)])[-1] <= 1e-3 * distance


def test_a_range_without_a_usable_energy_is_refused() -> None:
    with pytest.raises(PhysicsError, match="energy_range_kev"):
        candidate_energies((9.65, 9.67), solid().elements, CHANTLER, distance_ev=20.0)


def test_bandwidth_acts_through_the_average_of_the_factors() -> None:
    """Against factors of zinc that were averaged here, by plain sums over the beam's energies."""
    sharp = setup(3)
    broad = replace(sharp, factors=load_factors("chantler", energy_resolution_ev=8.0))
    offset = np.linspace(-5.0, 5.0, 2001)
    weight = np.exp(-0.5 * offset**2)
    weight /= weight.sum()
    at = 9.639 + np.array([-0.002, -0.0005, 0.0, 0.0005, 0.002])
    mean = np.array([weight @ [CHANTLER.anomalous("Zn", float(e + 0.008 * o)) for o in offset] for e in at])
    far = np.array([CHANTLER.anomalous("Zn", e) for e in (15.99, 16.0, 16.01)])
    energies = np.concatenate([at, [15.99, 16.0, 16.01]])
    values = np.concatenate([mean, far])
    by_hand = replace(sharp, factors=with_measured(CHANTLER, "Zn", energies, values.real, values.imag))
    sds = [np.sqrt(np.diag(information(s, (16.0, 9.639)).covariance(np.ones(2)))) for s in (sharp, broad, by_hand)]
    np.testing.assert_allclose(sds[1], sds[2], rtol=2e-3)
    assert np.abs(sds[1] / sds[0] - 1).max() > 0.005
    away = [np.diag(information(s, (16.0, 9.0)).covariance(np.ones(2))) for s in (sharp, broad)]
    np.testing.assert_allclose(away[0], away[1], rtol=1e-3)


# ---- noise ----------------------------------------------------------------------------------------------------------
def test_noise_law_is_the_stated_formula() -> None:
    q = np.array([0.5, 3.0, 6.0])
    law = NoiseLaw(relative=np.array([0.02]), noise_q_inv_nm=3.0, reference_exposure_s=5.0)
    np.testing.assert_allclose(law_at(law, q), 0.02 * np.sqrt(1 + (q / 3) ** 2))
    signal = np.array([1e9, 1e7, 1e6])
    variance = counting_variance(law, q, 10.0, signal, 5e6, 30.0)
    np.testing.assert_allclose(variance, 5.0 * law_at(law, q) ** 2 * signal * (signal + 5e6))


def test_exposure_and_floor_enter_the_curves_as_stated() -> None:
    s = setup(3, noise=replace(FLAT, floor=0.003))
    for t in (0.25, 1.0, 9.0):
        posterior, _ = planned_posterior(s, PAPER, [t] * 4)
        np.testing.assert_allclose(posterior.sigma / posterior.intensity, np.hypot(0.01 / np.sqrt(t), 0.003), rtol=1e-9)


def test_counts_of_a_ring_are_those_of_its_pixels() -> None:
    """A flat detector of small pixels, summed: the formula of the ring holds at wide angles, too."""
    energy, distance_mm, pixel_mm = 9.63, 150.0, 0.25
    wavelength = HC_KEV_NM / energy
    centre = (np.arange(-700, 700) + 0.5) * pixel_mm
    x, y = np.meshgrid(centre, centre)
    radius = np.hypot(x, y)
    angle = np.arctan2(radius, distance_mm)
    solid_angle = pixel_mm**2 / distance_mm**2 * np.cos(angle) ** 3
    q = 4 * np.pi / wavelength * np.sin(0.5 * angle)
    points = np.arange(5.0, 25.0, 1.0)
    summed = np.array([solid_angle[(q > p - 0.5) & (q <= p + 0.5)].sum() for p in points])
    budget = FluxBudget(photons_per_s=1e10, volume_fraction=1e-3, thickness_mm=2.0, transmission=0.25, ring_share=0.5)
    counts = counts_per_s(budget, points, energy, np.full(len(points), 3.0))
    expected = 1e10 * 0.25 * 0.5 * 0.2 * 3.0 * summed
    np.testing.assert_allclose(counts, expected, rtol=0.01)


def test_flux_budget_gives_poisson_noise_of_its_counts() -> None:
    budget = FluxBudget(photons_per_s=1e12, volume_fraction=1e-3, medium_inv_cm=0.0)
    q = np.linspace(0.5, 4.5, 50)
    signal = 1e9 * q**-4
    volume = 36.0
    variance = counting_variance(NoiseLaw(flux=budget), q, 9.0, signal, 0.0, volume)
    inv_cm = 1e7 * 1e-3 / volume * R_E_NM**2 * signal
    np.testing.assert_allclose(signal**2 / variance, counts_per_s(budget, q, 9.0, inv_cm), rtol=1e-9)
    more = counting_variance(NoiseLaw(flux=replace(budget, photons_per_s=4e12)), q, 9.0, signal, 0.0, volume)
    np.testing.assert_allclose(more, variance / 4)
    half = NoiseLaw(flux=budget, flux_energies_kev=np.array([8.0, 10.0]), flux_relative=np.array([1.0, 0.0 + 1e-9]))
    np.testing.assert_allclose(counting_variance(half, q, 9.0, signal, 0.0, volume), 2 * variance, rtol=1e-6)
    with pytest.raises(PhysicsError, match="relative_flux"):
        counting_variance(half, q, 16.0, signal, 0.0, volume)


def test_a_measured_law_is_kept_and_continued() -> None:
    q = np.linspace(0.5, 4.0, 30)
    law = NoiseLaw(relative=0.01 * q, q_inv_nm=q)
    np.testing.assert_allclose(law_at(law, q), 0.01 * q)
    np.testing.assert_allclose(law_at(law, np.array([0.2, 8.0])), [0.005, 0.04 * 4])


# ---- fluorescence ---------------------------------------------------------------------------------------------------
def test_fluorescence_begins_at_the_edge_and_the_detector_rejects_soft_lines() -> None:
    assert counted_yield("Zn", 9.655, 5.0) == 0.0
    # share of K absorption 1 - 1/7.543, yield 0.469: tables of Elam, Ravel and Sieber
    assert counted_yield("Zn", 9.70, 5.0) == pytest.approx((1 - 1 / 7.543) * 0.469, rel=0.01)
    # K alpha lines of zinc lie at 8.64 and 8.62 keV: above them only K beta, 13 % of the photons, are left
    assert counted_yield("Zn", 9.70, 9.0) == pytest.approx(0.13 * counted_yield("Zn", 9.70, 5.0), rel=0.05)
    assert counted_yield("Zn", 16.0, 12.8) == 0.0
    # lead above its L edges: all three shells shine
    assert counted_yield("Pb", 16.2, 8.0) > counted_yield("Pb", 14.0, 8.0) > 0.1


def test_fluorescence_of_a_particle_by_another_route() -> None:
    """From photons absorbed per atom (2 r_e lambda f''), emitted into 4 pi, over the scattering of one electron."""
    s, x, sites = solid(), np.array([0.2, 0.9]), np.array([300.0, 450.0])
    zinc, selenium = float(x @ sites), float(sites.sum())
    energy = 12.70
    wavelength = HC_KEV_NM / energy
    per_atom = {e: 2 * R_E_NM * wavelength * CHANTLER.f_double_prime(e, energy) for e in ("Zn", "Se")}
    photons = zinc * per_atom["Zn"] * counted_yield("Zn", energy, 2.0) + selenium * per_atom["Se"] * counted_yield(
        "Se", energy, 2.0
    )
    others = {e: n * float((1 - x) @ sites) for e, n in (("Ag", 2 / 7), ("In", 4 / 7))}
    photons += sum(
        n * 2 * R_E_NM * wavelength * CHANTLER.f_double_prime(e, energy) * counted_yield(e, energy, 2.0)
        for e, n in others.items()
    )
    found = fluorescence_e2(s, x, sites, CHANTLER, energy, 2.0 / energy)
    assert found == pytest.approx(photons / (4 * np.pi) / R_E_NM**2, rel=1e-6)


def test_just_above_an_edge_fluorescence_costs_more_than_the_contrast_brings() -> None:
    quiet, loud = (setup(3, noise=replace(FLAT, fluorescence=f)) for f in (False, True))
    below, above = (16.0, 9.63), (16.0, 9.688)
    sd = {
        (name, e): np.sqrt(np.diag(information(s, e).covariance(np.ones(2)))).mean()
        for name, s in (("quiet", quiet), ("loud", loud))
        for e in (below, above)
    }
    assert sd["loud", below] == pytest.approx(sd["quiet", below])
    assert sd["quiet", above] < 1.1 * sd["quiet", below]
    assert sd["loud", above] > 1.2 * sd["loud", below]


# ---- improvements ---------------------------------------------------------------------------------------------------
def test_improvements_never_widen_an_interval() -> None:
    s = setup(3, scale="common", noise=NoiseLaw(), smooth_sd=0.35)
    plan = EnergyPlan(energies_kev=np.array(PAPER), exposure_s=np.ones(4))
    base = np.sqrt(np.diag(information(s, PAPER).covariance(plan.exposure_s)))
    names = {}
    for better in improvements(s, plan):
        new = information(better.setup, PAPER).covariance(better.plan.exposure_s)
        gain = base / np.sqrt(np.diag(new))
        assert (gain > 1.0 - 1e-6).all(), better.name
        names[better.name, better.kind] = float(gain.mean())
    assert {n for n, _ in names} >= {"exposure", "q range", "flux normalisation", "EDX", "TEM", "densities"}
    for name in ("EDX", "TEM", "densities", "flux normalisation", "exposure"):
        assert names[name, "perfect"] >= names[name, "step"] - 1e-9


def test_a_longer_q_range_keeps_its_points_and_their_spacing() -> None:
    q = np.linspace(0.5, 4.5, 81)
    longer = extended(q, 2.0)
    np.testing.assert_array_equal(longer[:81], q)
    np.testing.assert_allclose(np.diff(longer), 0.05, rtol=1e-9)
    assert longer[-1] == pytest.approx(9.0)


def test_guess_is_averaged_over_volume() -> None:
    guess = PlanGuess(shell_fraction=THICK, diameter_mean_nm=4.1, diameter_std_nm=0.49)
    volume = np.diff(np.linspace(0, 1, 6) ** 3)
    assert guess.averages(1) == pytest.approx([volume @ THICK])
    np.testing.assert_allclose(guess.averages(5), THICK)
    fine = PlanGuess(shell_fraction=np.repeat(THICK, 12), diameter_mean_nm=4.1, diameter_std_nm=0.49)
    for n in (2, 3, 7):
        np.testing.assert_allclose(fine.averages(n), guess.averages(n), rtol=1e-12)
    with pytest.raises(PhysicsError, match="between 0 and 1"):
        PlanGuess(shell_fraction=np.array([0.2, 1.2]), diameter_mean_nm=4.1, diameter_std_nm=0.49)
