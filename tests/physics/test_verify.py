"""The statistics of the verification: chi2 follows its law, and what is allowed for is allowed for once."""

import numpy as np
import pytest
from scipy import stats
from tests.recovery.campaign import CHANTLER, known, measure, solid

from nanostrata.domain import Composition
from nanostrata.errors import PhysicsError
from nanostrata.kernels.predictive import predictive_chi2
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.models.ensemble_curves import predict
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.stages.verify import verify

RNG = np.random.default_rng(0)


def test_chi2_is_that_of_the_whole_covariance() -> None:
    n = 30
    sigma, fixed, a, b = RNG.uniform(0.5, 2, n), RNG.normal(size=n), RNG.normal(size=(n, 1)), RNG.normal(size=(n, 4))
    y = RNG.normal(size=n) * 3
    got = predictive_chi2(y, sigma, fixed, a, b)
    c = np.diag(sigma**2) + b @ b.T
    inverse = np.linalg.inv(c)
    best = np.linalg.solve(a.T @ inverse @ a, a.T @ inverse @ (y - fixed))
    r = y - fixed - a @ best
    assert got.chi2 == pytest.approx(float(r @ inverse @ r), rel=1e-9)
    assert got.free == pytest.approx(best, rel=1e-9)
    assert got.dof == n - 1


def test_p_values_of_a_true_prediction_are_uniform() -> None:
    n = 40
    rng = np.random.default_rng(5)
    sigma, a, b = rng.uniform(0.5, 2, n), np.linspace(1, 2, n)[:, None], rng.normal(size=(n, 3))
    p = []
    for _ in range(400):
        y = 5 * a[:, 0] + b @ rng.normal(size=3) + sigma * rng.normal(size=n)
        got = predictive_chi2(y, sigma, np.zeros(n), a, b)
        p.append(stats.chi2.sf(got.chi2, got.dof))
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_atoms_predict_the_shell_model_where_it_is_exact_and_know_their_error() -> None:
    pair = solid()
    plan = plan_sizes(4.0, 0.4, 20, q_max_inv_nm=4.5)
    n = len(plan.diameter_nm)
    x = np.array([0.1, 0.2, 0.4, 0.6, 0.9])
    ensemble = build_ensemble(
        pair, plan, mean_nm=4.0, std_nm=0.4, aspect_ratio=np.ones(n), shell_fraction=np.tile(x, (n, 1)),
        seed=np.random.SeedSequence(1),
    )  # fmt: skip
    curves = measure(x, 4.0, 0.4, seed=2)
    p = predict(ensemble, pair, CHANTLER, curves)
    q = curves[0].q_inv_nm
    model = sum(
        w * spheroid_curve(q, pair, CHANTLER, 16.0, diameter_nm=float(d), shell_fraction=x)
        for d, w in zip(plan.diameter_nm, plan.weights, strict=True)
    )
    low = q < 1.5
    assert np.abs(p.mean[: len(q)][low] / model[low] - 1).max() < 3e-3
    # the stated error of the ensemble against the scatter of independent ensembles
    others = [
        predict(
            build_ensemble(
                pair, plan, mean_nm=4.0, std_nm=0.4, aspect_ratio=np.ones(n), shell_fraction=np.tile(x, (n, 1)),
                seed=np.random.SeedSequence(seed),
            ),
            pair, CHANTLER, curves[:1],
        ).mean
        for seed in range(2, 12)
    ]  # fmt: skip
    scatter = np.std(others, axis=0, ddof=1)
    stated = np.sqrt((p.patterns[: len(q)] ** 2).sum(axis=1))
    high = q > 1.5
    assert 0.5 < np.median(stated[high] / scatter[high]) < 2.0
    v = verify(ensemble, pair, CHANTLER, known(4.0, 0.4, 2, None), curves, sizes=known(4.0, 0.4, 2, None).sizes)
    assert {d.name: d.verdict for d in v.data_sets} == {"asaxs": "agrees", "tem": "agrees"}


def test_edx_counts_closure_as_one_degree_less() -> None:
    pair = solid()
    plan = plan_sizes(3.0, 0.0, 4, q_max_inv_nm=4.0)
    ensemble = build_ensemble(
        pair, plan, mean_nm=3.0, std_nm=0.0, aspect_ratio=np.ones(4), shell_fraction=np.full((4, 1), 0.5), shells=1,
        seed=np.random.SeedSequence(1),
    )  # fmt: skip
    counts = ensemble.mean_counts
    names = tuple(sorted(counts))
    share = np.array([counts[e] for e in names]) / sum(counts.values())
    n = len(names)
    close = np.eye(n) - 1.0 / n
    c = 0.01**2 * close @ close.T
    composition = Composition(elements=names, atomic_fraction=tuple(share), covariance=tuple(map(tuple, c)))
    off = share + 0.04 * np.array([1.0, -1.0, 0.0, 0.0])
    wrong = Composition(elements=names, atomic_fraction=tuple(off), covariance=tuple(map(tuple, c)))
    prior = known(3.0, 0.3, 1, None)
    good, bad = (verify(ensemble, pair, CHANTLER, prior, [], composition=k).data_sets[0] for k in (composition, wrong))
    assert good.dof == 3
    assert good.chi2 < 1e-6
    assert bad.verdict == "fails"
    assert bad.chi2 == pytest.approx(2 * (0.04 / 0.01) ** 2, rel=0.1)


def test_nothing_to_compare_with_is_refused() -> None:
    pair = solid()
    plan = plan_sizes(3.0, 0.0, 1, q_max_inv_nm=4.0)
    ensemble = build_ensemble(
        pair, plan, mean_nm=3.0, std_nm=0.0, aspect_ratio=np.ones(1), shell_fraction=np.full((1, 1), 0.5), shells=1,
        seed=np.random.SeedSequence(1),
    )  # fmt: skip
    with pytest.raises(PhysicsError, match="no measurement"):
        verify(ensemble, pair, CHANTLER, known(3.0, 0.3, 1, None), [])
