"""Sizes and particles that stand for a sample."""

import numpy as np
import pytest
from tests.recovery.campaign import solid

from nanostrata.errors import PhysicsError
from nanostrata.kernels.gauss_nodes import gauss_nodes
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.ensemble import build_ensemble, plan_sizes, steps


def test_gauss_nodes_of_a_gaussian_are_those_of_hermite() -> None:
    grid = np.linspace(-9, 9, 6001)
    nodes, weights = gauss_nodes(grid, np.exp(-0.5 * grid**2), 7)
    expected, w = np.polynomial.hermite_e.hermegauss(7)
    assert np.allclose(nodes, expected, atol=1e-9)
    assert np.allclose(weights, w / w.sum(), atol=1e-9)


@pytest.mark.parametrize(("std", "kind"), [(0.43, "gaussian"), (0.3, "lognormal"), (0.2, "gaussian")])
def test_few_sizes_stand_for_all(std: float, kind: str) -> None:
    mean = 3.9
    plan = plan_sizes(mean, std, 20, q_max_inv_nm=6.0, kind=kind)
    assert len(plan.diameter_nm) == 20
    assert plan.error < 1.5e-3
    # number means, which the choice of nodes for D^6 does not aim at
    m = float(plan.weights @ plan.diameter_nm)
    assert m == pytest.approx(mean, rel=1e-4)
    assert np.sqrt(plan.weights @ (plan.diameter_nm - m) ** 2) == pytest.approx(std, rel=1e-3)
    # against brute force over the distribution
    d = np.linspace(0.5, 9.0, 20001)
    if kind == "gaussian":
        n = np.exp(-0.5 * ((d - mean) / std) ** 2)
    else:
        s2 = np.log(1 + (std / mean) ** 2)
        n = np.exp(-0.5 * (np.log(d / mean) + s2 / 2) ** 2 / s2) / d
    q = np.linspace(0.3, 6.0, 40)
    brute = (n * d**6) @ sphere_phi(0.5 * np.outer(d, q)) ** 2 / n.sum()
    few = (plan.weights * plan.diameter_nm**6) @ sphere_phi(0.5 * np.outer(plan.diameter_nm, q)) ** 2
    assert np.abs(few / brute - 1).max() < 2e-3


def test_a_short_list_says_how_wrong_it_is() -> None:
    assert plan_sizes(3.9, 0.43, 2, q_max_inv_nm=6.0).error > 0.1
    assert plan_sizes(3.9, 0.0, 3, q_max_inv_nm=6.0).error == 0.0


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(PhysicsError, match="diameter"):
        plan_sizes(3.9, 3.0, 5, q_max_inv_nm=4.0)
    with pytest.raises(PhysicsError, match=r"atoms\.particles"):
        plan_sizes(3.9, 0.4, 0, q_max_inv_nm=4.0)
    with pytest.raises(PhysicsError, match="measured diameters"):
        plan_sizes(3.9, 0.4, 5, q_max_inv_nm=4.0, kind="tem")


def test_steps_are_the_shells() -> None:
    profile = steps(np.array([0.1, 0.5, 0.9]))
    assert profile(np.array([0.0, 0.2, 1 / 3, 0.34, 0.66, 0.67, 1.0])).tolist() == [0.1, 0.1, 0.1, 0.5, 0.5, 0.9, 0.9]


def test_quotas_hold_shell_by_shell_and_the_seed_decides() -> None:
    pair = solid()
    plan = plan_sizes(3.6, 0.3, 6, q_max_inv_nm=4.5)
    n = len(plan.diameter_nm)
    x = np.tile([0.1, 0.5, 0.9], (n, 1))

    def build(seed: int):
        return build_ensemble(
            pair, plan, mean_nm=3.6, std_nm=0.3, aspect_ratio=np.full(n, 1.2), shell_fraction=x, shells=3,
            seed=np.random.SeedSequence(seed),
        )  # fmt: skip

    ensemble = build(3)
    for particle in ensemble.particles:
        symbols = np.array(particle.symbols)
        for k, wanted in enumerate(x[0], start=1):
            here = (particle.shell_index == k) & (symbols != "Se")
            zinc = int(((symbols == "Zn") & here).sum())
            assert abs(zinc - wanted * here.sum()) <= 1.0
    again, other = build(3), build(4)
    assert ensemble.particles[0].symbols == again.particles[0].symbols
    assert ensemble.particles[0].symbols != other.particles[0].symbols
    assert ensemble.typical in ensemble.particles
