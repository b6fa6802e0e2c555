"""Compiled weights of the size distribution against the plain formulas, and their derivatives against differences."""

import numpy as np
import pytest

from nanostrata.kernels import sizes
from nanostrata.kernels.size_weights import gaussian_weights, lognormal_weights

NODES = np.linspace(0.2, 4.5, 60)
MU, MU_WEIGHTS = sizes.orientation_nodes(16)
KINDS = {
    "gaussian": (gaussian_weights, sizes.gaussian_density),
    "lognormal": (lognormal_weights, sizes.lognormal_density),
}


def plain(kind: str, mean: float, std: float, aspect: float) -> np.ndarray:
    h = sizes.stretch(MU, aspect)
    return sizes.node_weights(NODES, KINDS[kind][1](NODES[:, None] / h, mean, std), h, MU_WEIGHTS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1.95, 0.215, 1.15), (2.0, 0.6, 0.7), (1.2, 0.5, 2.0), (1.0, 0.6, 1.0)])
def test_weights_and_derivatives(kind: str, size: tuple[float, float, float]) -> None:
    out = np.empty((4, len(NODES)))
    KINDS[kind][0](NODES, MU, MU_WEIGHTS, *size, out)
    expected = plain(kind, *size)
    assert np.abs(out[0] - expected).max() < 1e-12 * expected.max()
    for i in range(3):
        h = 1e-5
        up, down = list(size), list(size)
        up[i] += h
        down[i] -= h
        slope = (plain(kind, *up) - plain(kind, *down)) / (2 * h)
        # by aspect ratio a sphere has no slope: only rounding is left there
        assert np.abs(out[i + 1] - slope).max() < 1e-7 * np.abs(slope).max() + 1e-8 * expected.max()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sphere_needs_no_aspect_row(kind: str) -> None:
    three, four = np.empty((3, len(NODES))), np.empty((4, len(NODES)))
    one = np.ones(1)
    KINDS[kind][0](NODES, 0.0 * one, one, 1.9, 0.3, 1.0, three)
    KINDS[kind][0](NODES, 0.0 * one, one, 1.9, 0.3, 1.0, four)
    assert np.array_equal(three, four[:3])
