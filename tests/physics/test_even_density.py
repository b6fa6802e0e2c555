"""The fitted gradient taken out of a curve: what is left is the curve of an even particle of the same outer form."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, solid
from tests.shapes import spheroid_curve as even_spheroid

from nanostrata.domain import ScatteringCurve
from nanostrata.errors import PhysicsError
from nanostrata.models.even_density import even_curve, graded_and_even

Q = np.linspace(0.2, 5.0, 120)
STEEP = np.array([0.0, 0.05, 0.3, 0.8, 1.0])


def fitted(x: np.ndarray, mean: float, std: float, aspect: float, draws: int = 30, spread: float = 0.0) -> Any:
    rng = np.random.default_rng(1)
    theta = np.tile([mean, std, aspect], (draws, 1)) * (1 + spread * rng.normal(size=(draws, 3)))
    main = SimpleNamespace(names=("diameter_mean_nm", "diameter_std_nm", "aspect_ratio"), theta=theta)
    return SimpleNamespace(main=main, main_shells=np.tile(x, (draws, 1)))


def measured(x: np.ndarray, energy: float, scale: float = 3e-7, constant: float = 0.02) -> ScatteringCurve:
    graded, _ = graded_and_even(
        Q, solid(), CHANTLER, energy, diameter_nm=4.0, diameter_std_nm=0.4, aspect_ratio=1.3, shell_fraction=x
    )
    y = scale * graded + constant
    return ScatteringCurve(q_inv_nm=Q, intensity=y, sigma=0.01 * y, energy_kev=energy, label="saxs")


def test_even_part_is_the_plain_spheroid() -> None:
    """Against a route that shares nothing with it, and against shells of one composition."""
    _, even = graded_and_even(
        Q, solid(), CHANTLER, 9.63, diameter_nm=4.0, diameter_std_nm=0.4, aspect_ratio=1.3, shell_fraction=STEEP
    )
    other = even_spheroid(Q, 2.0, 1.3, 0.1)
    np.testing.assert_allclose(even / even[0], other / other[0], rtol=2e-4, atol=1e-9)
    graded, same = graded_and_even(
        Q[:5],
        solid(),
        CHANTLER,
        16.0,
        diameter_nm=4.0,
        diameter_std_nm=0.4,
        aspect_ratio=1.3,
        shell_fraction=np.ones(5),
    )
    # ZnSe alone has no diffuse scattering: f'' makes it a little stronger, and f0(q) is small at small q
    ratio = graded / same
    assert 1.0 < ratio[0] < 1.01
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


@pytest.mark.parametrize("energy", [9.63, 16.0])
def test_what_is_left_is_the_even_curve(energy: float) -> None:
    curve = measured(STEEP, energy)
    out, most = even_curve(curve, solid(), CHANTLER, fitted(STEEP, 4.0, 0.4, 1.3))
    shape = even_spheroid(Q, 2.0, 1.3, 0.1)

    def misfit(y: np.ndarray) -> float:
        columns = np.stack([shape, np.ones(len(Q))], axis=1) / curve.sigma[:, None]
        coefficients = np.linalg.lstsq(columns, y / curve.sigma, rcond=None)[0]
        return float(np.sqrt(np.mean((columns @ coefficients - y / curve.sigma) ** 2)))

    assert misfit(curve.intensity) > 1.0  # in standard deviations of 1 %: the gradient is seen
    assert misfit(out.intensity) < 0.02
    assert most > 0.01
    np.testing.assert_allclose(out.sigma, curve.sigma)  # all draws alike: no doubt is added


def test_doubt_about_the_fit_goes_into_the_errors() -> None:
    curve = measured(STEEP, 9.63)
    sure, _ = even_curve(curve, solid(), CHANTLER, fitted(STEEP, 4.0, 0.4, 1.3))
    unsure, _ = even_curve(curve, solid(), CHANTLER, fitted(STEEP, 4.0, 0.4, 1.3, spread=0.03))
    assert np.all(unsure.sigma >= sure.sigma)
    assert np.median(unsure.sigma / sure.sigma) > 1.0


def test_an_energy_is_needed() -> None:
    curve = ScatteringCurve(q_inv_nm=Q, intensity=np.ones(len(Q)), sigma=np.ones(len(Q)), label="saxs")
    with pytest.raises(PhysicsError, match="energy"):
        even_curve(curve, solid(), CHANTLER, fitted(STEEP, 4.0, 0.4, 1.3))
