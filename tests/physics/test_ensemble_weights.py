"""Weights of the particles: derivatives, the chi2 of the verification, and what other weights can mend and what not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import chi2 as law
from tests.recovery.campaign import CHANTLER, known, measure, solid

from nanostrata.domain import Composition, ScatteringCurve
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.weight_refinement import WeightRefinement
from nanostrata.kernels.predictive import predictive_chi2
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.models.ensemble_weights import (
    Misfit,
    ShareMisfit,
    SizeMisfit,
    curve_misfit,
    firmest_weights,
    held_weights,
)
from nanostrata.stages.refine_weights import refine_weights
from nanostrata.stages.verify import verify
from nanostrata.stages.verify_wide_angle import verify_wide_angle

X = np.array([0.1, 0.2, 0.4, 0.6, 0.9])
RNG = np.random.default_rng(4)


def some_misfits() -> list[Misfit]:
    m, n = 6, 25
    curves = RNG.uniform(0.5, 2.0, (m, n))
    sigma, bound, free = RNG.uniform(0.05, 0.1, n), 0.1 * RNG.normal(size=(n, 3)), RNG.normal(size=(n, 2))
    half = (np.arange(n) < 12).astype(float)
    counts = RNG.integers(20, 60, (m, 3)).astype(float)
    c = 0.01**2 * (np.eye(3) - 1 / 3)
    return [
        curve_misfit("one scale", n - 3, RNG.uniform(1, 2, n), sigma, np.ones((1, n)), curves, bound, free),
        curve_misfit("two", n - 2, RNG.uniform(1, 2, n), sigma, np.stack([half, 1 - half]), curves, bound),
        SizeMisfit(
            diameter_nm=RNG.uniform(3, 5, m), aspect_ratio=RNG.uniform(1, 1.4, m), mean=(4.1, 0.05), std=(0.5, 0.03),
            aspect=(1.2, 0.05),
        ),
        ShareMisfit(counts=counts, wanted=np.array([0.3, 0.4, 0.3]), inverse=np.linalg.pinv(c), dof=2),
    ]  # fmt: skip


@pytest.mark.parametrize("i", range(4))
def test_derivatives_are_those_of_differences_along_the_simplex(i: int) -> None:
    misfit = some_misfits()[i]
    w = RNG.dirichlet(np.full(6, 5.0))
    step = RNG.normal(size=6)
    step -= step.mean()
    h = 1e-6
    slope = (misfit.chi2(w + h * step)[0] - misfit.chi2(w - h * step)[0]) / (2 * h)
    assert misfit.chi2(w)[1] @ step == pytest.approx(slope, rel=1e-5)


def test_chi2_is_that_of_the_predictive_distribution() -> None:
    m, n = 5, 30
    data, sigma = RNG.uniform(1, 2, n), RNG.uniform(0.05, 0.2, n)
    particles, bound, free = RNG.uniform(0.5, 2, (m, n)), 0.2 * RNG.normal(size=(n, 4)), RNG.normal(size=(n, 2))
    w = RNG.dirichlet(np.ones(m))
    expected = predictive_chi2(data, sigma, np.zeros(n), np.column_stack([w @ particles, free]), bound)
    misfit = curve_misfit("c", expected.dof, data, sigma, np.ones((1, n)), particles, bound, free)
    assert misfit.chi2(w)[0] == pytest.approx(expected.chi2, rel=1e-9)


def test_held_firmly_they_stay_and_loosely_they_follow() -> None:
    d = np.linspace(3.0, 5.0, 9)
    given = np.full(9, 1 / 9)
    misfit = SizeMisfit(diameter_nm=d, aspect_ratio=np.ones(9), mean=(4.3, 0.02), std=None, aspect=None)
    assert held_weights([misfit], given, 1e7) == pytest.approx(given, abs=1e-4)
    # one moment: the answer is the exponential family, w = exp(b d), whatever finds it
    loose = held_weights([misfit], given, 1e-3)
    slope = np.diff(np.log(loose)) / np.diff(d)
    assert slope == pytest.approx(np.full(8, slope.mean()), rel=1e-3)
    assert loose @ d == pytest.approx(4.3, abs=1e-3)
    w, theta = firmest_weights([misfit], given, 0.05)
    # no more is moved than is needed: the mean comes to 1.96 sigma of the measurement
    assert 4.3 - w @ d == pytest.approx(1.96 * 0.02, abs=2e-3)
    assert 1.0 < theta < 1e5
    assert firmest_weights([misfit], w, 0.04)[1] == np.inf


@lru_cache
def built(mean_nm: float, std_nm: float, flat: bool = False) -> AtomEnsemble:
    plan = plan_sizes(mean_nm, std_nm, 40, q_max_inv_nm=4.5)
    x = np.full(5, 0.66) if flat else X
    n = len(plan.diameter_nm)
    return build_ensemble(
        solid(), plan, mean_nm=mean_nm, std_nm=std_nm, aspect_ratio=np.ones(n), shell_fraction=np.tile(x, (n, 1)),
        seed=np.random.SeedSequence(1),
    )  # fmt: skip


def refined(ensemble: AtomEnsemble, seed: int = 2) -> WeightRefinement:
    curves, prior = measure(X, 4.0, 0.4, seed=seed), known(4.0, 0.4, seed, None)
    found = verify(ensemble, solid(), CHANTLER, prior, curves, sizes=prior.sizes)
    out = refine_weights(ensemble, found, solid(), CHANTLER, prior, curves, sizes=prior.sizes)
    for name, chi2 in zip(out.names, out.chi2_before, strict=True):
        stated = next(d for d in found.data_sets if d.name == name)
        assert chi2 == pytest.approx(
            stated.chi2, rel=0.03, abs=1e-6
        )  # scales the corrections by its last but one scale
    return out


def test_a_true_ensemble_keeps_its_weights() -> None:
    out = refined(built(4.0, 0.4))
    assert not out.moved
    assert out.effective_share == 1.0
    assert "no weight was moved" in out.sentence
    np.testing.assert_array_equal(out.weights_after, out.weights_before)


def test_wrong_sizes_are_mended_and_the_change_is_told() -> None:
    out = refined(built(4.15, 0.5))
    assert min(out.p_before) < 1e-4
    assert not out.disagreeing
    assert min(out.p_after) >= 0.0499
    before, after = out.sizes["diameter_mean_nm"]
    assert before == pytest.approx(4.15, abs=0.02)
    assert after == pytest.approx(4.0, abs=0.06)
    assert out.sizes["diameter_std_nm"][1] == pytest.approx(0.4, abs=0.05)
    assert 0.5 < out.effective_share < 0.99
    assert "make every measurement agree" in out.sentence
    assert out.weights_after.sum() == pytest.approx(1.0)


def test_a_wrong_profile_is_not_rescued() -> None:
    """Particles without a gradient, at the same mean composition: no size distribution replaces it."""
    out = refined(built(4.0, 0.4, flat=True))
    assert "asaxs" in out.disagreeing
    assert out.sentence.startswith("NO weights of these particles make ASAXS agree")


def test_weights_that_cost_particles_or_other_data_are_warned_of() -> None:
    """Only the two largest of nine particles explain a mean of 4.9; a tight second measurement of 4 is then lost."""
    d = np.linspace(3.0, 5.0, 9)
    given = np.full(9, 1 / 9)

    def size(name: str, mean: float, sigma: float) -> SizeMisfit:
        return SizeMisfit(diameter_nm=d, aspect_ratio=np.ones(9), mean=(mean, sigma), std=None, aspect=None, name=name)

    def told(misfits: list[Misfit]) -> WeightRefinement:
        weights, theta = firmest_weights(misfits, given, 0.05)
        p = [[float(law.sf(m.chi2(w)[0], m.dof)) for m in misfits] for w in (given, weights)]
        return WeightRefinement(
            names=tuple(m.name for m in misfits), dof=tuple(m.dof for m in misfits), chi2_before=(0.0,) * len(misfits),
            chi2_after=(0.0,) * len(misfits), p_before=tuple(p[0]), p_after=tuple(p[1]), weights_before=given,
            weights_after=weights, held_by=theta, sizes={}, wanted_p=0.05,
        )  # fmt: skip

    few = told([size("saxs", 4.9, 0.005)])
    assert not few.disagreeing
    assert few.effective_share < 0.35
    assert [code for code, _ in few.warnings] == ["weights_of_few_particles"]
    assert "few particles" in few.sentence
    torn = told([size("saxs", 4.9, 0.005), size("tem", 4.0, 0.05)])
    assert "tem" in torn.lost
    assert "weights_against_data" in [code for code, _ in torn.warnings]
    assert "TEM agreed before and no longer does" in torn.sentence
    assert told([size("tem", 4.0, 0.05)]).warnings == ()


def test_shares_of_elements_pull_the_particles_that_have_them() -> None:
    plan = plan_sizes(3.0, 0.0, 6, q_max_inv_nm=4.0)
    x = np.array([0.2, 0.3, 0.4, 0.6, 0.7, 0.8])[:, None]
    ensemble = build_ensemble(
        solid(), plan, mean_nm=3.0, std_nm=0.0, aspect_ratio=np.ones(6), shell_fraction=x, shells=1,
        seed=np.random.SeedSequence(1),
    )  # fmt: skip
    names = tuple(sorted(ensemble.mean_counts))
    rich = ensemble.particles[5].counts
    share = np.array([rich[e] for e in names]) / sum(rich[e] for e in names)
    c = 0.01**2 * (np.eye(len(names)) - 1.0 / len(names))
    composition = Composition(elements=names, atomic_fraction=tuple(share), covariance=tuple(map(tuple, c)))
    prior = known(3.0, 0.3, 1, None)
    found = verify(ensemble, solid(), CHANTLER, prior, [], composition=composition)
    out = refine_weights(ensemble, found, solid(), CHANTLER, prior, [], composition=composition)
    before, after = out.sizes["mean_shell_fraction"]
    # particles so unlike leave the shares open by what chance may have picked: only the rest is asked of the weights
    assert out.moved
    assert after > before
    assert out.p_before[0] < 0.05 <= out.p_after[0] + 1e-4
    # each particle gains by what it has
    assert np.all(np.diff(out.weights_after) > 0)


def test_wide_angle_pattern_has_the_chi2_of_the_verification() -> None:
    ensemble = built(3.0, 0.25)
    q = np.linspace(10.0, 45.0, 150)
    at = particle_intensities(ensemble.particles, CHANTLER, [16.0], q, 0.0, medium_model=None)[:, 0]
    clean = ensemble.weights @ at * np.exp(-2 * 0.01 * (q / (4 * np.pi)) ** 2) + 0.2 * at.mean()
    sigma = 0.02 * clean
    curve = ScatteringCurve(
        q_inv_nm=q, intensity=clean + sigma * np.random.default_rng(1).normal(size=len(q)), sigma=sigma, energy_kev=16.0,
        label="waxs",
    )  # fmt: skip
    prior = known(3.0, 0.25, 1, None)
    small = verify(ensemble, solid(), CHANTLER, prior, [], sizes=prior.sizes)
    pattern = verify_wide_angle(ensemble, CHANTLER, curve)
    both = type(small)(data_sets=(*small.data_sets, pattern), notes=())
    out = refine_weights(ensemble, both, solid(), CHANTLER, prior, [], sizes=prior.sizes, waxs=curve)
    assert out.names == ("waxs", "tem")
    assert out.chi2_before[0] == pytest.approx(pattern.chi2, rel=2e-3)
