"""The density that is sampled against its residuals, and its gradient against differences."""

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, known, measure, solid

from nanostrata.models.build_posterior import build_posterior
from nanostrata.models.families import make_family
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.posterior import Posterior

X = np.array([0.1, 0.15, 0.3, 0.6, 0.9])


def build(shape: str, kind: str, engine: str, profile: str = "shells") -> Posterior:
    curves = measure(X, 4.1, 0.45, seed=1)
    prior = known(4.1, 0.45, 1, 0.6)
    family = make_family(profile, 5)
    particle = prepare(
        curves, solid(), CHANTLER, family.fractions, sizes=SizeRange.around(prior.sizes), kind=kind, shape=shape, engine=engine
    )  # fmt: skip
    return build_posterior(curves, particle, family, prior)


def somewhere(p: Posterior) -> np.ndarray:
    rng = np.random.default_rng(5)
    theta = p.start(np.linspace(0.1, 0.8, len(p.family.names)))
    theta[-len(p.templates) - 8 :] += 0.01 * rng.standard_normal(len(p.templates) + 8)
    if p.particle.shape != "sphere":
        theta[p.names.index("aspect_ratio")] = 1.2
    return theta


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize(("shape", "kind"), [("sphere", "gaussian"), ("prolate", "gaussian"), ("sphere", "lognormal")])
def test_density_and_gradient_are_those_of_the_residuals(shape: str, kind: str, engine: str) -> None:
    p = build(shape, kind, engine)
    theta = somewhere(p)
    value, gradient = p.log_density(theta)
    r, j = p.residuals(theta)
    assert value == pytest.approx(-0.5 * float(r @ r), rel=1e-12)
    assert np.abs(gradient + j.T @ r).max() < 1e-9 * np.abs(gradient).max()


@pytest.mark.parametrize("profile", ["shells", "smooth", "erf"])
def test_gradient_against_differences(profile: str) -> None:
    p = build("prolate", "gaussian", "numba", profile)
    theta = somewhere(p) if profile != "erf" else p.start(np.array([0.1, 0.8, 0.7, 0.15]))
    theta[p.names.index("aspect_ratio")] = 1.2
    _, gradient = p.log_density(theta)
    free = np.flatnonzero(p.free)
    for position, k in enumerate(free):
        h = 1e-5 * max(abs(theta[k]), 0.01)
        up, down = theta.copy(), theta.copy()
        up[k] += h
        down[k] -= h
        slope = (p.log_density(up)[0] - p.log_density(down)[0]) / (2 * h)
        assert gradient[position] == pytest.approx(slope, rel=2e-4, abs=1e-5 * np.abs(gradient).max()), p.names[k]
