"""What the data resolve: against the response of refits to a change of one shell, and against known limits."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, known, measure, solid

from nanostrata.domain.base import FloatArray
from nanostrata.models.build_posterior import build_posterior
from nanostrata.models.explore import best_point
from nanostrata.models.families import UNIFORM_SD, Shells
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.posterior import Posterior
from nanostrata.models.resolution import (
    averaging_matrix,
    eigen_profiles,
    full_widths,
    layered_prior,
    measure_resolution,
    profile_information,
    uniform_prior,
)

X = np.array([0.3, 0.4, 0.5, 0.6, 0.7])


@dataclass(frozen=True, kw_only=True)
class Pulled(Shells):
    """Deviations of shells from X under independent Gaussians of the uniform prior's width: that of the averaging matrix."""

    def composition(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        return X + p, np.eye(self.n)

    def prior_rows(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        rows = np.eye(self.n) / UNIFORM_SD
        return rows @ p, rows

    def starts(self, mean: float) -> list[FloatArray]:
        return [np.zeros(self.n)]

    @property
    def lower(self) -> FloatArray:
        return np.full(self.n, -3.0)

    @property
    def upper(self) -> FloatArray:
        return np.full(self.n, 4.0)


def build(family: Shells, energies: tuple[float, ...] = (16.0, 9.63, 9.30, 8.90), q_max: float = 4.5) -> Posterior:
    curves = measure(X, 4.1, 0.45, seed=1, energies=energies, q_max=q_max)
    prior = known(4.1, 0.45, 1, 0.55)
    particle = prepare(curves, solid(), CHANTLER, family.fractions, sizes=SizeRange.around(prior.sizes))
    return build_posterior(curves, particle, family, prior)


def test_averaging_rows_are_the_response_of_a_refit() -> None:
    # noise-free curves of two profiles that differ a little in one shell: how far does each estimate move?
    p = build(Pulled(n=5, smooth_sd=None))
    theta = p.start(np.zeros(5))
    without_edx = replace(p, composition=None)
    expected, _ = averaging_matrix(profile_information(without_edx, theta), uniform_prior(5))
    for k in range(5):
        moved = []
        for sign in (1.0, -1.0):
            truth = theta.copy()
            truth[k] += 0.01 * sign
            changed = replace(without_edx, intensity=p.model(truth, gradient=False)[0])
            moved.append(best_point(changed, extra=[truth])[:5])
        np.testing.assert_allclose((moved[0] - moved[1]) / 0.02, expected[:, k], atol=0.01)
    # EDX is information, too: it makes the estimate of the whole more its own
    averaging, _ = averaging_matrix(profile_information(p, theta), uniform_prior(5))
    assert np.trace(averaging) > np.trace(expected)


def test_covariance_is_that_of_the_linear_posterior() -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((6, 4))
    information, prior = a.T @ a, uniform_prior(4)
    averaging, covariance = averaging_matrix(information, prior)
    np.testing.assert_allclose(covariance, np.linalg.inv(information + np.linalg.inv(prior)), rtol=1e-9)
    np.testing.assert_allclose(averaging, covariance @ information, rtol=1e-9)
    rows, sd = eigen_profiles(information)
    np.testing.assert_allclose(rows @ information @ rows.T, np.diag(1 / sd**2), atol=1e-9)
    assert np.all(np.diff(sd) > 0)


def test_width_of_a_known_kernel() -> None:
    middle = (np.arange(40) + 0.5) / 40
    kernels = np.exp(-0.5 * ((middle[:, None] - middle) / 0.08) ** 2)
    widths = full_widths(kernels, middle, np.full(40, 0.1))
    assert widths[20] == pytest.approx(2.3548 * 0.08, rel=0.02)
    assert np.isnan(full_widths(kernels, middle, np.full(40, 0.25))).all()
    assert np.allclose(np.diag(layered_prior(middle)), 1 / 12)


def test_larger_q_sees_more_finely_and_fewer_energies_less() -> None:
    def result(**more: object) -> object:
        return measure_resolution(lambda family: build(family, **more), X, {})  # type: ignore[arg-type]

    usual, wide, single = result(), result(q_max=8.0), result(energies=(16.0,))
    assert np.nanmedian(wide.width_fraction) < 0.9 * np.nanmedian(usual.width_fraction)
    # about the classical pi / q_max
    assert 0.4 < np.nanmedian(usual.width_fraction) * 2.05 / (np.pi / 4.5) < 1.4
    assert single.determined < usual.determined < 5
    assert np.isnan(single.width_fraction).sum() > np.isnan(usual.width_fraction).sum()
