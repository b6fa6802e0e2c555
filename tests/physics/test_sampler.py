"""The sampler on densities whose moments are known."""

import numpy as np
import pytest

from nanostrata.kernels.hmc import effective_size, sample, split_r_hat
from nanostrata.kernels.statistics import runs_p


def test_truncated_gaussian_has_its_exact_moments() -> None:
    # independent coordinates: uniform-like (sd 3 in a unit box), half Gaussian, narrow Gaussian
    sd, centre = np.array([3.0, 0.4, 0.02]), np.array([0.5, 0.0, 0.3])

    def density(z: np.ndarray) -> tuple[float, np.ndarray]:
        d = (z - centre) / sd
        return -0.5 * float(d @ d), -d / sd

    low, high = np.zeros(3), np.ones(3)
    chains = np.stack(
        [
            sample(density, np.full(3, 0.3), np.diag([0.08, 0.06, 0.0004]), low, high, draws=3000, warmup=300,
                   rng=np.random.default_rng(seed)).draws
            for seed in (1, 2)
        ]
    )  # fmt: skip
    draws = chains.reshape(-1, 3)
    grid = np.linspace(0, 1, 20001)
    for k in range(3):
        w = np.exp(-0.5 * ((grid - centre[k]) / sd[k]) ** 2)
        mean = np.average(grid, weights=w)
        spread = np.sqrt(np.average((grid - mean) ** 2, weights=w))
        error = spread / np.sqrt(effective_size(chains)[k])
        assert abs(draws[:, k].mean() - mean) < 4 * error
        assert draws[:, k].std() == pytest.approx(spread, rel=0.06)
    assert split_r_hat(chains).max() < 1.02


def test_correlated_gaussian_against_the_walls() -> None:
    covariance = np.array([[0.04, -0.039], [-0.039, 0.04]])
    precision = np.linalg.inv(covariance)
    centre = np.array([0.5, 0.5])

    def density(z: np.ndarray) -> tuple[float, np.ndarray]:
        d = z - centre
        return -0.5 * float(d @ precision @ d), -(precision @ d)

    chain = sample(
        density, centre, covariance, np.zeros(2), np.ones(2), draws=4000, warmup=300, rng=np.random.default_rng(3)
    )
    grid = np.linspace(0.00125, 0.99875, 400)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    d = np.stack([x - 0.5, y - 0.5], -1)
    w = np.exp(-0.5 * np.einsum("...i,ij,...j", d, precision, d))
    assert chain.draws[:, 0].std() == pytest.approx(np.sqrt(np.average((x - 0.5) ** 2, weights=w)), rel=0.06)
    assert np.corrcoef(chain.draws.T)[0, 1] < -0.95


def test_r_hat_sees_chains_that_disagree() -> None:
    rng = np.random.default_rng(1)
    chains = rng.standard_normal((2, 500, 1))
    assert split_r_hat(chains)[0] < 1.02
    chains[1] += 1.0
    assert split_r_hat(chains)[0] > 1.1


def test_effective_size_of_an_autoregressive_chain() -> None:
    rng = np.random.default_rng(7)
    a, n = 0.9, 40_000
    x = np.zeros(n)
    e = rng.standard_normal(n)
    for i in range(1, n):
        x[i] = a * x[i - 1] + e[i]
    assert effective_size(x.reshape(1, n, 1))[0] == pytest.approx(n * (1 - a) / (1 + a), rel=0.15)


def test_runs() -> None:
    rng = np.random.default_rng(2)
    random = [runs_p(rng.standard_normal(120)) for _ in range(400)]
    assert 0.002 < np.mean(np.array(random) < 0.01) < 0.03
    assert runs_p(np.sin(np.linspace(0, 12, 120))) < 1e-6
