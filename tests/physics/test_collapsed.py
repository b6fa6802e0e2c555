"""The posterior without its linear coefficients: against the joint density, against differences, and drawn from."""

from dataclasses import replace

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, QUICK, known, measure, solid

from nanostrata.domain import ScatteringCurve
from nanostrata.kernels.hmc import effective_size, sample
from nanostrata.models.build_posterior import build_posterior
from nanostrata.models.collapsed import CollapsedPosterior
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.explore import best_point, draw
from nanostrata.models.families import make_family
from nanostrata.models.graded_particle import GradedParticle, SizeRange, prepare
from nanostrata.models.nodes import ACCURACY, chebyshev_nodes, interpolation_matrix, with_nodes
from nanostrata.models.posterior import Posterior

X = np.array([0.1, 0.15, 0.3, 0.6, 0.9])
ERRORS = ContrastErrors(medium_density=0.003, core_cations=0.05, energy_ev=0.5)


def build(
    shape: str = "sphere",
    scale: str = "common",
    engine: str = "auto",
    uneven: bool = False,
    background: str = "constant",
) -> tuple[Posterior, Posterior]:
    """The same posterior on its own points and on nodes."""
    curves = measure(X, 4.1, 0.45, seed=1)
    if uneven:
        curves = [
            replace(c, q_inv_nm=c.q_inv_nm[i:], intensity=c.intensity[i:], sigma=c.sigma[i:])
            for i, c in enumerate(curves)
        ]
    prior = replace(known(4.1, 0.45, 1, 0.6), scale=scale, background=background)
    family = make_family("shells", 5)

    def make(some: list[ScatteringCurve]) -> GradedParticle:
        return prepare(
            some, solid(), CHANTLER, family.fractions, sizes=SizeRange.around(prior.sizes), shape=shape, errors=ERRORS,
            engine=engine,
        )  # fmt: skip

    plain = build_posterior(curves, make(curves), family, prior)
    return plain, with_nodes(plain, curves, make)


def near(c: CollapsedPosterior, best: np.ndarray, seed: int) -> np.ndarray:
    return best[c.kept] + 0.003 * np.random.default_rng(seed).standard_normal(len(c.kept))


@pytest.mark.parametrize(("shape", "scale", "uneven", "background"), [
    ("sphere", "common", False, "constant"), ("prolate", "common", False, "constant"), ("sphere", "per_energy", False, "constant"),
    ("sphere", "common", True, "none"), ("sphere", "common", True, "constant+power"),
])  # fmt: skip
def test_integral_is_that_of_the_joint_density(shape: str, scale: str, uneven: bool, background: str) -> None:
    # ln p(z) = ln p(z, b) - ln p(b | z) for every b, and the last is Gaussian
    p, _ = build(shape, scale, uneven=uneven, background=background)
    best = best_point(p)
    c = CollapsedPosterior(posterior=p, anchor=best)
    sd = c._terms["sd"]
    used = sd > 0
    for seed in range(3):
        z = near(c, best, seed)
        _, _, mean, factor = c._integral(c._form(c.full(z)))
        theta = c.complete(z, np.random.default_rng(seed))
        b = theta[c.linear] - c.full(z)[c.linear]
        f = factor[np.ix_(used, used)]
        scaled = np.linalg.solve(f, (b - mean)[used])
        conditional = -0.5 * float(scaled @ scaled) - float(np.linalg.slogdet(f)[1])
        prior = float(np.log(sd[used]).sum())
        joint = p.log_density(theta)[0]
        assert c.log_density(z)[0] == pytest.approx(joint - conditional - prior, abs=1e-6)


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_gradient_against_differences(engine: str) -> None:
    for p in build(engine=engine):
        best = best_point(p)
        c = CollapsedPosterior(posterior=p, anchor=best)
        z = near(c, best, 1)
        _, gradient = c.log_density(z)
        for k in range(len(z)):
            h = 1e-5
            up, down = z.copy(), z.copy()
            up[k] += h
            down[k] -= h
            slope = (c.log_density(up)[0] - c.log_density(down)[0]) / (2 * h)
            assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-3), p.names[c.kept[k]]


def test_nodes_carry_the_density() -> None:
    plain, fast = build(uneven=True)
    assert fast.nodes is not None
    assert len(fast.nodes.q_inv_nm) < 0.4 * len(plain.particle.q_inv_nm)
    best = best_point(plain)
    a, b = CollapsedPosterior(posterior=plain, anchor=best), CollapsedPosterior(posterior=fast, anchor=best)
    # many sigma away and close by: differences of the density between points are what counts
    points = [best[a.kept], *(near(a, best, s) for s in range(4))]
    far = best[a.kept].copy()
    far[:5] = [0.5, 0.5, 0.5, 0.5, 0.7]
    values = np.array([(a.log_density(z)[0], b.log_density(z)[0]) for z in [*points, far]])
    assert np.ptp(values[:, 0]) > 100
    assert np.abs(np.diff(values - values[0], axis=1)).max() < 2e-6 * np.ptp(values[:, 0]) + 3 * ACCURACY


def test_interpolation_is_exact_for_polynomials_and_at_the_nodes() -> None:
    nodes = chebyshev_nodes(0.5, 4.5, 12)
    q = np.concatenate([np.linspace(0.5, 4.5, 31), nodes])
    carry = interpolation_matrix(nodes, q)
    error = carry @ (nodes**11 - 3 * nodes**4) - (q**11 - 3 * q**4)
    assert np.abs(error).max() < 1e-13 * 4.5**11
    assert np.abs(carry[31:] - np.eye(12)).max() < 1e-12


def test_draws_are_those_of_the_joint_density() -> None:
    plain, fast = build()
    best = best_point(plain)
    ours = draw(fast, best, replace(QUICK, draws=800, warmup=200, chains=2), np.random.SeedSequence(1))
    free = plain.free

    def joint(z: np.ndarray) -> tuple[float, np.ndarray]:
        theta = best.copy()
        theta[free] = z
        return plain.log_density(theta)

    cov = np.cov(ours.theta[:, free].T)
    chains = np.stack([
        sample(joint, np.clip(best[free], plain.lower[free] + 1e-3, plain.upper[free] - 1e-3), cov, plain.lower[free],
               plain.upper[free], draws=800, warmup=150, rng=np.random.default_rng(s)).draws
        for s in (1, 2)
    ])  # fmt: skip
    size = effective_size(chains)
    flat = chains.reshape(-1, chains.shape[2])
    names = [n for n, f in zip(plain.names, free, strict=True) if f]
    for k, name in enumerate(names):
        column = ours.theta[:, free][:, k]
        error = flat[:, k].std() * np.sqrt(1 / size[k] + 1 / max(ours.effective, 200))
        assert abs(column.mean() - flat[:, k].mean()) < 4.5 * error, name
        assert column.std() == pytest.approx(flat[:, k].std(), rel=0.2), name


def test_energy_shift_moves_the_factors_of_the_resonant_element() -> None:
    curves = measure(X, 4.1, 0.45, seed=1)
    p = prepare(
        curves, solid(), CHANTLER, np.arange(1, 6) / 5, sizes=SizeRange.around(known(4.1, 0.45, 1, 0.6).sizes),
        errors=ContrastErrors(energy_ev=1.0), atomic_form_factors=False,
    )  # fmt: skip
    assert p.contrast_errors == ("energy_shift",)
    core, shell, _ = p.contrasts(np.array([1.0]))
    near_edge = p.curve_index == 1
    # per anion of ZnSe: one Zn and one Se; 1 eV higher at 9.63 keV
    expected = sum(CHANTLER.anomalous(e, 9.631) - CHANTLER.anomalous(e, 9.63) for e in ("Zn", "Se"))
    assert (shell - p.shell)[near_edge][0] == pytest.approx(expected, rel=0.05)
    assert abs((core - p.core)[near_edge][0]) < 0.03 * abs(expected)
