"""Energies held against each other: algebra against direct formulas, injected faults, exchanged files, left-out curves."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import chi2 as chi2_law
from tests.recovery.campaign import CHANTLER, known, measure, site_mean, solid

from nanostrata.domain import ScatteringCurve
from nanostrata.kernels.curve_features import porod_minimum, porod_minimum_near
from nanostrata.models.build_posterior import PriorKnowledge, build_posterior
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.energy_consistency import (
    Energies,
    _interval,
    draw_locally,
    margin,
    refit,
    try_shifts,
)
from nanostrata.models.energy_scales import (
    WIDE,
    OwnScales,
    _contrasts,
    first_minima,
    own_scales,
    predict_left_out,
    with_wide_scales,
    without_curve,
)
from nanostrata.models.explore import best_point, draw
from nanostrata.models.families import make_family
from nanostrata.models.fit_setup import FitSetup
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.posterior import Gaussian, Posterior, curve_slices
from nanostrata.stages.judge_energies import judge_energies

THICK = np.array([0.11, 0.155, 0.31, 0.63, 0.91])
ERRORS = ContrastErrors(medium_density=0.002, energy_ev=0.5)


def campaign(seed: int, x: np.ndarray = THICK, **more: Any) -> tuple[list[ScatteringCurve], PriorKnowledge]:
    return measure(x, 4.1, 0.47, seed, **more), replace(known(4.1, 0.47, seed, site_mean(x)), contrast_errors=ERRORS)


def particle_of(curves: list[ScatteringCurve], prior: PriorKnowledge) -> Any:
    return prepare(
        curves, solid(), CHANTLER, make_family("shells", 5).fractions, sizes=SizeRange.around(prior.sizes),
        errors=prior.contrast_errors,
    )  # fmt: skip


def posterior_of(curves: list[ScatteringCurve], prior: PriorKnowledge) -> Posterior:
    return build_posterior(curves, particle_of(curves, prior), make_family("shells", 5), prior)


def judge(curves: list[ScatteringCurve], prior: PriorKnowledge) -> Any:
    setup = FitSetup(curves=tuple(curves), solid=solid(), factors=CHANTLER, known=prior)
    return judge_energies(setup, make_family("shells", 5), seed=3)


def exchanged(curves: list[ScatteringCurve], a: int, b: int) -> list[ScatteringCurve]:
    out = list(curves)
    out[a] = replace(curves[a], energy_kev=curves[b].energy_kev)
    out[b] = replace(curves[b], energy_kev=curves[a].energy_kev)
    return out


def energies_of(curves: list[ScatteringCurve]) -> Energies:
    return Energies(curves=tuple(curves), solid=solid(), factors=CHANTLER, errors=ERRORS)


@pytest.fixture(scope="module")
def sound() -> Any:
    curves, prior = campaign(1)
    return curves, prior, judge(curves, prior)


def test_relabelled_particle_is_the_one_prepared_for_these_energies() -> None:
    curves, prior = campaign(1)
    curves[1] = replace(
        curves[1], q_inv_nm=curves[1].q_inv_nm[::2], intensity=curves[1].intensity[::2], sigma=curves[1].sigma[::2]
    )
    moved = [replace(c, energy_kev=e) for c, e in zip(curves, (9.63, 16.0, 8.9, 9.5), strict=True)]
    fresh = particle_of(moved, prior)
    changed = energies_of(curves).relabelled(posterior_of(curves, prior), (9.63, 16.0, 8.9, 9.5)).particle
    size, contrast = np.array([4.0, 0.45]), np.array([0.7, -1.2])
    a = fresh.evaluate(THICK, size, (0.01, -0.005), contrast=contrast)
    b = changed.evaluate(THICK, size, (0.01, -0.005), contrast=contrast)
    for name in ("value", "laue", "grad_x", "grad_size", "grad_density", "grad_contrast"):
        np.testing.assert_allclose(getattr(b, name), getattr(a, name), rtol=1e-12, atol=1e-9, err_msg=name)


def test_other_energies_stay_on_their_side_of_every_edge() -> None:
    curves, _ = campaign(1)
    energies = energies_of(curves)  # 16.0, 9.63, 9.30, 8.90 keV; Zn K at 9.659, Se K at 12.658
    assert energies.possible((16.0, 9.60, 9.3, 8.9))
    assert not energies.possible((16.0, 9.656, 9.3, 8.9))  # within 5 eV of the edge
    assert not energies.possible((16.0, 9.70, 9.3, 8.9))  # above it
    assert not energies.possible((12.0, 9.63, 9.3, 8.9))  # below Se K


def test_contrasts_between_curves_are_orthonormal_and_blind_to_a_common_change() -> None:
    for n in (2, 3, 7):
        q = _contrasts(n)
        np.testing.assert_allclose(q @ q.T, np.eye(n - 1), atol=1e-14)
        np.testing.assert_allclose(q.sum(axis=1), 0.0, atol=1e-14)


def test_scales_of_a_gaussian_are_those_of_generalised_least_squares() -> None:
    rng = np.random.default_rng(2)
    n, stated = 4, 0.015
    root = 0.012 * rng.standard_normal((n - 1, n - 1))
    covariance, m = root @ root.T + 1e-5 * np.eye(n - 1), 0.02 * rng.standard_normal(n - 1)
    own = OwnScales(basis=_contrasts(n), information=np.linalg.inv(covariance), pull=np.linalg.solve(covariance, m))
    v = covariance + stated**2 * np.eye(n - 1)
    test = own.test(stated)
    assert test.chi2 == pytest.approx(m @ np.linalg.solve(v, m), rel=1e-10)
    assert test.p == pytest.approx(chi2_law.sf(test.chi2, 3))
    estimate, error, z = own.against(stated)
    for c in range(n):
        # one curve with a shift of its own in the contrasts: least squares with the covariance of all
        column = own.basis[:, c]
        weight = column @ np.linalg.solve(v, column)
        assert estimate[c] == pytest.approx(column @ np.linalg.solve(v, m) / weight, rel=1e-9)
        assert z[c] == pytest.approx(estimate[c] * np.sqrt(weight), rel=1e-9)
        assert error[c] == pytest.approx(np.sqrt(max(1 / weight - stated**2, 0.0)), rel=1e-6)
    # the largest of the single tests never exceeds the joint one
    assert (z**2).max() <= test.chi2 * (1 + 1e-9)
    for s, share in ((test.consistent_from, 0.95), (test.consistent_to, 0.05), (test.likely, 0.5)):
        if 0 < s < np.inf:
            assert m @ np.linalg.solve(covariance + s**2 * np.eye(3), m) == pytest.approx(
                chi2_law.ppf(share, 3), rel=1e-6
            )


def test_draws_with_wide_scales_give_back_what_the_data_say() -> None:
    curves, prior = campaign(4)
    p = posterior_of(curves, prior)
    stated = prior.scale_uncertainty
    wide = with_wide_scales(p)
    at = refit(wide, [best_point(p)])
    own = own_scales(wide, draw_locally(wide, at.theta, 4000, np.random.default_rng(1)))
    estimate, error, _ = own.against(stated)
    # the same by another route: one curve's prior wide, the others' as stated, and the curvature at the best point
    for c in range(4):
        sd = [stated] * 4
        sd[c] = WIDE
        one = replace(p, scale_prior=tuple(Gaussian(mean=0.0, sd=s) for s in sd))
        found = refit(one, [at.theta])
        _, j = one.residuals(found.theta)
        covariance = np.linalg.inv(j.T @ j)
        k = int(np.flatnonzero(np.flatnonzero(one.free) == one.names.index(f"scale_{c}"))[0])
        total = np.sqrt(covariance[k, k])
        assert estimate[c] == pytest.approx(found.theta[one.names.index(f"scale_{c}")], abs=0.35 * total)
        assert error[c] == pytest.approx(total, rel=0.2)


def test_sound_energies_are_left_alone(sound: Any) -> None:
    _, _, found = sound
    assert not found.exchanged
    assert found.best_kev == ()
    assert not found.others
    assert not found.unpredicted
    assert found.scales.verdict == "consistent"
    assert all(abs(r.scale_z) < 3.5 for r in found.rows)
    assert found.shift.low95_ev < 0 < found.shift.high95_ev
    for r in found.rows:
        assert abs(r.minima.measured - r.minima.predicted) < 4 * r.minima.measured_sigma
        assert r.minima.predicted_low95 <= r.minima.predicted <= r.minima.predicted_high95


def test_a_wrong_scale_is_found_with_its_size_and_said_to_contradict_what_is_stated() -> None:
    curves, prior = campaign(1)
    off = 0.10
    curves[2] = replace(curves[2], intensity=curves[2].intensity * (1 + off), sigma=curves[2].sigma * (1 + off))
    found = judge(curves, prior)
    row = found.rows[2]
    assert abs(row.scale - off) < 4 * np.hypot(row.scale_sigma, prior.scale_uncertainty)
    assert row.scale_z == max(r.scale_z for r in found.rows)
    assert row.scale_z > 4
    assert found.scales.verdict == "stated too small"
    assert found.scales.consistent_from > prior.scale_uncertainty
    # a scale is no error of form: the others still predict the curve
    assert not found.unpredicted


def test_scales_of_their_own_have_nothing_to_contradict() -> None:
    curves, prior = campaign(1)
    found = judge(curves, replace(prior, scale="per_energy"))
    assert found.scales is None
    assert all(np.isnan(r.scale_z) for r in found.rows)
    assert not found.exchanged


def test_left_out_curve_is_judged_up_to_its_scale_only(sound: Any) -> None:
    curves, prior, found = sound
    scaled = list(curves)
    scaled[1] = replace(curves[1], intensity=1.7 * curves[1].intensity, sigma=1.7 * curves[1].sigma)
    p = posterior_of(scaled, prior)
    blind = without_curve(p, 1)
    at = refit(blind, [best_point(blind)])
    draws = draw_locally(blind, at.theta, 64, np.random.default_rng(1))
    out = predict_left_out(p, 1, draws, 1.0, curve_slices(p)[1])
    assert out.chi2 == pytest.approx(found.rows[1].left_out.chi2, abs=4.0)
    bent = list(curves)
    form = 1 + 0.04 * np.sin(2.0 * curves[1].q_inv_nm)
    bent[1] = replace(curves[1], intensity=curves[1].intensity * form, sigma=curves[1].sigma * form)
    bad = judge(bent, prior)
    assert [r.energy_kev for r in bad.unpredicted] == [9.63]


def test_the_curve_that_is_left_out_does_not_matter_for_its_prediction() -> None:
    curves, prior = campaign(2)
    p = posterior_of(curves, prior)
    noise = replace(curves[3], intensity=curves[3].intensity * 1.3 + 0.2 * curves[3].intensity[0])
    q = replace(
        p,
        intensity=np.where(
            p.particle.curve_index == 3, np.concatenate([c.intensity for c in [*curves[:3], noise]]), p.intensity
        ),
    )
    a = refit(without_curve(p, 3), [best_point(p)])
    b = refit(without_curve(q, 3), [best_point(p)])
    shells = slice(0, 7)
    np.testing.assert_allclose(a.theta[shells], b.theta[shells], atol=2e-3)


def test_first_minima_of_many_curves_are_those_of_each(sound: Any) -> None:
    curves, prior, _ = sound
    p = posterior_of(curves, prior)
    best = best_point(p)
    draws = [best, *draw_locally(p, best, 6, np.random.default_rng(5))]
    models = np.stack([p.model(t, gradient=False)[0] for t in draws])
    for c, s in zip(curves, curve_slices(p), strict=True):
        one_by_one = [porod_minimum(c.q_inv_nm, m, c.sigma) for m in models[:, s]]
        for value, alone in zip(first_minima(c.q_inv_nm, models[:, s], c.sigma), one_by_one, strict=True):
            assert alone is not None
            assert value == pytest.approx(alone[0], rel=5e-5)


def test_measured_minimum_has_an_honest_error_and_does_not_depend_on_where_the_search_begins() -> None:
    curves, prior = campaign(1)
    p = posterior_of(curves, prior)
    clean = p.model(best_point(p), gradient=False)[0][curve_slices(p)[1]]
    q, sigma, rng = curves[1].q_inv_nm, curves[1].sigma, np.random.default_rng(1)
    fine = np.linspace(1.9, 2.4, 50001)
    true = float(fine[np.argmin(CubicSpline(q, clean * q**4)(fine))])
    pulls = []
    for _ in range(150):
        noisy = clean + sigma * rng.standard_normal(len(q))
        found = porod_minimum(q, noisy, sigma)
        assert found is not None
        pulls.append((found[0] - true) / found[1])
        for start in (2.05, 2.2):
            again = porod_minimum_near(q, noisy, sigma, start)
            assert again is not None
            assert abs(again[0] - found[0]) < 0.2 * found[1]
    assert abs(np.mean(pulls)) < 0.4
    assert 0.8 < np.std(pulls) < 1.2


def test_pure_materials_have_the_minimum_of_a_homogeneous_sphere_at_every_energy() -> None:
    curves, prior = campaign(1, noise=0.003)
    curves = [replace(c, intensity=c.intensity) for c in curves]
    found = judge(curves, replace(prior, background="none"))
    cores = np.array([r.minima.pure_core for r in found.rows])
    shells = np.array([r.minima.pure_shell for r in found.rows])
    # one contrast for the whole sphere: the form is the same at all energies and for both materials
    assert np.ptp(np.concatenate([cores, shells])) < 0.004
    # which the graded particle's is not
    assert np.ptp([r.minima.predicted for r in found.rows]) > 0.015


@pytest.mark.parametrize("pair", [(0, 1), (1, 2)])
def test_exchanged_files_are_named_and_gains_change_their_sign(sound: Any, pair: tuple[int, int]) -> None:
    curves, prior, right = sound
    wrong = judge(exchanged(curves, *pair), prior)
    assert wrong.best_kev == (16.0, 9.63, 9.3, 8.9)
    assert (wrong.exchanged[0].first, wrong.exchanged[0].second) == pair
    assert wrong.exchanged[0].gain > wrong.margin
    there = next(e.gain for e in right.exchanges if (e.first, e.second) == pair)
    # the same two fits, only the question is turned round
    assert wrong.exchanged[0].gain == pytest.approx(-there, abs=1.0)


def test_three_files_in_a_circle_are_put_right(sound: Any) -> None:
    curves, prior, _ = sound
    moved = [replace(c, energy_kev=curves[k].energy_kev) for c, k in zip(curves, (1, 2, 0, 3), strict=True)]
    found = judge(moved, prior)
    assert found.exchanged
    assert found.best_kev == (16.0, 9.63, 9.3, 8.9)
    assert found.mixed_up == (0, 1, 2)


def test_curves_of_one_contrast_cannot_be_told_apart() -> None:
    curves, prior = campaign(3, np.full(5, 0.5), energies=(9.0, 8.9, 8.8))
    found = judge(curves, prior)
    assert [e.verdict for e in found.exchanges] == ["cannot be told"] * 3


def test_two_curves_of_the_same_energy_are_the_same_exchanged() -> None:
    curves, prior = campaign(3, energies=(16.0, 9.63, 9.63))
    gains = {(e.first, e.second): e.gain for e in judge(curves, prior).exchanges}
    assert abs(gains[(1, 2)]) < 0.01
    assert gains[(0, 1)] < -17


def test_errors_too_small_for_every_labelling_do_not_raise_alarms() -> None:
    for seed in (20, 21):
        curves, prior = campaign(seed)
        found = judge([replace(c, sigma=c.sigma / 4) for c in curves], prior)
        assert not found.exchanged
        assert not found.others


def test_a_mistyped_energy_is_found() -> None:
    curves, prior = campaign(1)
    wrong = [replace(c, energy_kev=9.36) if c.energy_kev == 9.63 else c for c in curves]
    found = judge(wrong, prior)
    assert found.others[0].row == 1
    assert found.others[0].energy_kev > 9.5
    assert found.others[0].gain > found.label_margin


def test_a_common_shift_of_the_energies_is_recovered_where_the_data_know_it() -> None:
    curves, prior = campaign(6, noise=0.002, energies=(16.008, 9.638, 9.308, 8.908))
    shifted = [replace(c, energy_kev=round(float(c.energy_kev or 0) - 0.008, 3)) for c in curves]
    p = posterior_of(shifted, prior)
    given = refit(p, [best_point(p)])
    found = try_shifts(energies_of(shifted), p, given, len(p.intensity) - int(p.free.sum()))
    assert found is not None
    assert found.low95_ev < 8.0 < found.high95_ev
    assert found.high95_ev - found.low95_ev < 16.0
    assert found.shift_ev[-1] == 20.0  # 30 eV more would put 9.63 keV beyond the edge


def test_interval_of_a_parabola() -> None:
    shift = np.array([-20.0, -10.0, -4.0, 0.0, 4.0, 10.0, 20.0])
    found = _interval(shift, 100.0 + ((shift - 1.5) / 3.0) ** 2)
    assert found.value_ev == pytest.approx(1.5, abs=0.05)
    assert (found.low68_ev, found.high68_ev) == pytest.approx((-1.5, 4.5), abs=0.05)
    assert (found.low95_ev, found.high95_ev) == pytest.approx((-4.38, 7.38), abs=0.05)
    assert not found.open_low
    assert _interval(shift, 0.01 * (shift - 30.0) ** 2).open_high


def test_margin_is_that_of_a_likelihood_ratio_over_all_alternatives() -> None:
    assert np.exp(margin(6) / 2) == pytest.approx(6 / 1e-3)
    assert margin(1) == pytest.approx(2 * np.log(1000))


def test_single_curve_is_judged_without_others() -> None:
    curves, prior = campaign(1)
    found = judge(curves[:1], prior)
    assert found.rows[0].left_out is None
    assert found.scales is None
    assert found.exchanges == ()
    assert found.shift is None
    assert np.isfinite(found.rows[0].minima.measured)


@pytest.mark.slow
def test_left_out_prediction_is_that_of_the_full_sampler() -> None:
    curves, prior = campaign(1)
    p = posterior_of(curves, prior)
    for row in range(4):
        blind = without_curve(p, row)
        at = refit(blind, [best_point(p)])
        local = draw_locally(blind, at.theta, 64, np.random.default_rng(1))
        settings = Sampler()
        full = draw(blind, at.theta, settings, np.random.SeedSequence(1))
        assert full.r_hat < 1.1
        pick = full.theta[np.linspace(0, len(full.theta) - 1, 64).astype(int)]
        a, b = (predict_left_out(p, row, t, 1.0, curve_slices(p)[row]) for t in (local, pick))
        print(
            f"{curves[row].energy_kev} keV: chi2 {a.chi2:.1f} and {b.chi2:.1f}, spread {a.spread:.2f} and {b.spread:.2f}"
        )
        assert a.chi2 == pytest.approx(b.chi2, abs=2.0)
        assert a.spread == pytest.approx(b.spread, rel=0.3)


class Sampler:
    draws = 400
    warmup = 300
    chains = 4
