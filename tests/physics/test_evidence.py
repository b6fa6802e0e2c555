"""Evidence against closed forms, brute force and nested sampling."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from tests.recovery.calibration import THICK, posterior_of, sample_from_prior

from nanostrata.errors import PhysicsError
from nanostrata.models.collapsed import CollapsedPosterior
from nanostrata.models.evidence import (
    comparable,
    evidence,
    integrate,
    log_prior_constant,
    log_prior_volume,
    probabilities,
)
from nanostrata.models.families import Homogeneous, Shells, Transition, make_family


def test_gaussian_in_an_open_box() -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((8, 8))
    cov = a @ a.T + np.eye(8)
    inverse = np.linalg.inv(cov)
    open_end = np.full(8, np.inf)
    out = integrate(
        lambda z: (-0.5 * float(z @ inverse @ z), -inverse @ z), [np.zeros(8)], cov, -open_end, open_end,
        np.random.SeedSequence(2),
    )  # fmt: skip
    exact = 0.5 * (8 * np.log(2 * np.pi) + np.linalg.slogdet(cov)[1])
    assert out.ln_z_sigma < 0.05
    assert out.ln_z == pytest.approx(exact, abs=4 * out.ln_z_sigma)


def test_gaussian_cut_by_its_box() -> None:
    low, high = np.array([0.0, -1.0, 0.5]), np.array([3.0, 0.2, 4.0])
    out = integrate(
        lambda z: (-0.5 * float(z @ z), -z),
        [np.array([0.0, 0.0, 0.5])],
        np.eye(3),
        low,
        high,
        np.random.SeedSequence(3),
    )
    exact = 1.5 * np.log(2 * np.pi) + np.log(norm.cdf(high) - norm.cdf(low)).sum()
    assert out.ln_z == pytest.approx(exact, abs=4 * out.ln_z_sigma)


@pytest.mark.parametrize("family", [Shells(n=2), Shells(n=5), Shells(n=4, smooth_sd=0.2, curvature_sd=0.3)])
def test_volume_of_the_shell_prior_against_random_points(family: Shells) -> None:
    x = np.random.default_rng(4).uniform(size=(400_000, family.n))
    rows = family.prior_rows(np.zeros(family.n))[1]
    p = np.exp(-0.5 * np.sum((x @ rows.T) ** 2, axis=1))
    error = p.std() / p.mean() / np.sqrt(len(p))
    assert log_prior_volume(family) == pytest.approx(np.log(p.mean()), abs=4 * error)


def test_volume_of_boxes() -> None:
    assert log_prior_volume(Shells(n=6, smooth_sd=None)) == pytest.approx(0.0, abs=1e-12)
    assert log_prior_volume(Homogeneous()) == 0.0
    assert log_prior_volume(Transition(n=10)) == pytest.approx(np.log(1.1 * 0.58))


def test_probabilities_add_up() -> None:
    p = probabilities(np.array([-1000.0, -1000.0 + np.log(3.0)]))
    assert p == pytest.approx([0.25, 0.75])


def test_density_is_that_of_the_data_in_every_family() -> None:
    # brute force: the data are Gaussian round the model at the prior mean, with a covariance of noise and linear part
    measured = sample_from_prior(0, x=np.array(THICK))
    reference, _ = posterior_of(measured, make_family("shells", 5))
    offsets = []
    for name in ("homogeneous", "shells", "erf"):
        p, modes = posterior_of(measured, make_family(name, 5))
        p = comparable(p, reference)
        c = CollapsedPosterior(posterior=p, anchor=modes[0])
        theta = c.full(modes[0][c.kept])
        mean, jac = p.model(theta)
        columns = jac[:, c.linear] * c._terms["sd"]
        cov = np.diag(p.sigma**2) + columns @ columns.T
        rows = p.prior_rows(theta)[0]
        linear_prior = np.abs(p.prior_matrix[:, c.linear]).max(axis=1) > 0
        prior = rows[np.append(~linear_prior, True)]
        direct = multivariate_normal(mean, cov).logpdf(p.intensity) - 0.5 * float(prior @ prior)
        offsets.append(c.log_density(modes[0][c.kept])[0] - direct)
    assert np.ptp(offsets) < 0.05


def test_other_data_are_refused() -> None:
    one, _ = posterior_of(sample_from_prior(0), make_family("homogeneous", 1))
    two, _ = posterior_of(sample_from_prior(1), make_family("homogeneous", 1))
    with pytest.raises(PhysicsError, match="same data"):
        comparable(one, two)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["homogeneous", "erf"])
def test_against_nested_sampling(name: str) -> None:
    dynesty = pytest.importorskip("dynesty")

    p, modes = posterior_of(sample_from_prior(0, x=np.array(THICK)), make_family(name, 5))
    out = evidence(p, modes, np.random.SeedSequence(5))
    c = CollapsedPosterior(posterior=p, anchor=modes[0])
    # nested sampling needs a finite box: 12 standard deviations of our draws where ours is open
    mean = out.weights @ out.points
    sd = np.sqrt(out.weights @ (out.points - mean) ** 2)
    low = np.maximum(p.lower[c.kept], mean - 12 * sd)
    high = np.minimum(p.upper[c.kept], mean + 12 * sd)
    sampler = dynesty.NestedSampler(
        lambda z: c.log_density(z)[0], lambda u: low + u * (high - low), len(low), nlive=400, sample="rslice",
        rstate=np.random.default_rng(6),
    )  # fmt: skip
    sampler.run_nested(print_progress=False, dlogz=0.1)
    got = sampler.results.logz[-1] + np.log(high - low).sum() + log_prior_constant(p)
    error = np.hypot(sampler.results.logzerr[-1], out.ln_z_sigma)
    assert out.ln_z == pytest.approx(got, abs=4 * error)
