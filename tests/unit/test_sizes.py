"""Number densities of the radius: one function for all kinds."""

from __future__ import annotations

import numpy as np
import pytest

from nanostrata.kernels.sizes import number_density

SCORES = np.random.default_rng(2).gamma(3.0, size=60)
SCORES = (SCORES - SCORES.mean()) / SCORES.std()


@pytest.mark.parametrize("kind", ["gaussian", "lognormal", "tem"])
def test_a_density_has_the_mean_and_width_that_are_asked_for(kind: str) -> None:
    r = np.linspace(1e-4, 8.0, 40001)
    density = number_density(kind, r, 2.0, 0.24, SCORES)
    moments = [np.trapezoid(density * r**k, r) for k in range(3)]
    assert moments[0] == pytest.approx(1.0, abs=1e-6)
    assert moments[1] == pytest.approx(2.0, abs=1e-5)
    assert np.sqrt(moments[2] - moments[1] ** 2) == pytest.approx(0.24, abs=1e-5)


def test_the_kinds_differ_in_shape() -> None:
    r = np.linspace(1.0, 3.0, 201)
    shapes = [number_density(kind, r, 2.0, 0.24, SCORES) for kind in ("gaussian", "lognormal", "tem")]
    assert min(np.abs(a - b).max() for a, b in ((shapes[0], shapes[1]), (shapes[1], shapes[2]))) > 0.05


@pytest.mark.parametrize("kind", ["tem", "gausian"])
def test_no_other_kind_is_taken_in_place_of_one_that_cannot_be(kind: str) -> None:
    with pytest.raises(ValueError, match="is expected"):
        number_density(kind, np.array([2.0]), 2.0, 0.2)
