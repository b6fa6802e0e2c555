"""The fast refits against scipy's bounded least squares on the same residuals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from nanostrata.kernels.refit import bounded_refits
from nanostrata.models.pair_table import PairTable

Q = np.linspace(0.3, 5.0, 40)
CORE = np.array([74.4 + 3.8j, 74.3 + 3.8j, 74.4 + 4.1j])
SHELL = np.array([63.7 + 4.2j, 57.3 + 1.3j, 60.8 + 1.5j])
POLY = np.array([-1.37576796e-05, 6.56315620e-04, -1.04269788e-02, 5.51641520e-02])
MEDIUM = 283.3
TRUTH = np.array([0.0, 0.10, 0.35, 0.70, 0.98])
N = 5


def _setup(with_scale: bool):
    table = PairTable.build(Q, N, 3.9, 0.43)
    true = table.composition_intensity(TRUTH, CORE, SHELL, POLY, MEDIUM).ravel()
    unit = 1.0 / true.max()
    sigma = 0.02 * true * unit + 1e-5
    rng = np.random.default_rng(5)
    data = true * unit + sigma * rng.standard_normal((3, len(true)))
    start = np.concatenate([np.full(N, 0.5), [1.0, 0.0, 0.0, 0.0] if with_scale else []])
    free = np.full(len(start) - N, np.inf)
    return table, unit, data, sigma, start, np.concatenate([np.zeros(N), -free]), np.concatenate([np.ones(N), free])


def _scipy(table, unit, data, sigma, start, low, high, with_scale, prior):
    def residuals(z):
        model = table.composition_intensity(z[:N].copy(), CORE, SHELL, POLY, MEDIUM) * unit
        if with_scale:
            model = z[N] * model + z[N + 1 :, None]
        return np.concatenate([(model.ravel() - data) / sigma, prior @ z[:N]])

    inside = np.clip(start, low + 1e-6, high - 1e-6)
    tight = {"xtol": 1e-11, "ftol": 1e-11, "max_nfev": 100, "gtol": 1e-10}
    return least_squares(residuals, inside, jac="2-point", bounds=(low, high), x_scale="jac", **tight)


@pytest.mark.parametrize("with_scale", [False, True])
@pytest.mark.parametrize("smooth", [0.0, 4.0])
def test_refits_end_in_a_minimum_that_scipy_confirms(with_scale: bool, smooth: float) -> None:
    table, unit, data, sigma, start, low, high = _setup(with_scale)
    prior = smooth * np.diff(np.eye(N), axis=0) if smooth else np.zeros((0, N))
    n_energy, points = len(CORE), data.shape[1]
    out, chi2 = np.empty((len(data), len(start))), np.empty(len(data))
    packed = np.ascontiguousarray(table.table_t.T)[None]
    evaluations = bounded_refits(
        data, sigma, start, low, high, POLY, np.polyder(POLY), np.repeat(CORE, len(Q)), np.repeat(SHELL, len(Q)),
        np.full(points, MEDIUM), 0.0, 0.0, np.tile(np.arange(len(Q)), n_energy), packed, np.full(points, unit),
        np.repeat(np.arange(n_energy), len(Q)), np.zeros(points), N, with_scale, with_scale, prior, 200, out, chi2,
    )  # fmt: skip
    assert len(data) <= evaluations < 200 * len(data)
    assert np.all((out >= low) & (out <= high))
    for row, mine, value in zip(data, out, chi2, strict=True):
        # one start may end in another minimum (the inner shells are nearly undetermined); from ours, scipy must stay
        theirs = _scipy(table, unit, row, sigma, mine, low, high, with_scale, prior)
        assert value == pytest.approx(2 * theirs.cost, rel=1e-5)
        np.testing.assert_allclose(mine[:N], theirs.x[:N], atol=5e-3)
        assert value < 2 * _scipy(table, unit, row, sigma, start, low, high, with_scale, prior).cost * 1.05
