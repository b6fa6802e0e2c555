"""Laws and golden numbers of the multi-shell model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nanostrata.kernels import sizes
from nanostrata.kernels.multishell import (
    form_and_gradient,
    form_and_gradient_numpy,
    multishell_amplitude,
    shell_basis,
    size_table,
    sphere_phi,
)

Q = np.linspace(0.05, 6.0, 60)


def test_series_and_ratio_meet() -> None:
    u = np.array([0.2999999, 0.3000001])
    a = sphere_phi(u)
    assert abs(a[0] - a[1] - 2e-7 * 0.3 / 5) < 2e-10  # the slope is -u/5
    u = np.linspace(1e-4, 0.2999, 50)
    # independent route: integral of 3 s^2 sin(us)/(us) over the unit ball
    s, w = np.polynomial.legendre.leggauss(40)
    s, w = 0.5 * (s + 1), 0.5 * w
    brute = (3 * s**2 * np.sinc(np.outer(u, s) / np.pi)) @ w
    np.testing.assert_allclose(sphere_phi(u), brute, rtol=1e-13)


def test_equal_shells_scatter_like_one_sphere() -> None:
    one = multishell_amplitude(Q, np.array([2.0]), np.array([1065.0 + 3j]))
    five = multishell_amplitude(Q, np.linspace(0.4, 2.0, 5), np.full(5, 1065.0 + 3j))
    np.testing.assert_allclose(five, one, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-500, 1500), min_size=1, max_size=7), st.floats(0.5, 20))
def test_forward_amplitude_is_the_number_of_excess_electrons(contrast: list[float], radius: float) -> None:
    n = len(contrast)
    edges = np.arange(1, n + 1) / n * radius
    volumes = 4 / 3 * np.pi * np.diff(edges**3, prepend=0)
    f0 = multishell_amplitude(np.array([0.0]), edges, np.array(contrast, dtype=complex))[0]
    assert f0.real == pytest.approx(float(volumes @ np.array(contrast)), rel=1e-12, abs=1e-6)


def test_amplitude_equals_the_direct_radial_integral() -> None:
    edges = np.array([0.39, 0.78, 1.17, 1.56, 1.95])
    contrast = np.array([1066, 1065, 1040, 1055, 1020.0]) + 1j * np.array([30, 28, 20, 11, 5.0])
    s, w = np.polynomial.legendre.leggauss(60)
    total = np.zeros(len(Q), dtype=complex)
    for low, high, c in zip(np.append(0, edges[:-1]), edges, contrast, strict=True):
        r = 0.5 * (high - low) * (s + 1) + low
        total += c * 0.5 * (high - low) * (4 * np.pi * r**2 * np.sinc(np.outer(Q, r) / np.pi)) @ w
    np.testing.assert_allclose(multishell_amplitude(Q, edges, contrast), total, rtol=1e-10, atol=1e-8)


def _quadratic(aspect: float, mean: float, std: float) -> np.ndarray:
    mu, wm = sizes.orientation_nodes(40)
    h = sizes.stretch(mu, aspect)
    nodes = sizes.radius_nodes((mean - 8 * std) * h.min(), (mean + 9 * std) * h.max(), std * min(h.min(), 1), Q[-1])
    weights = sizes.node_weights(nodes, sizes.gaussian_density(nodes[:, None] / h, mean, std), h, wm)
    fractions = np.arange(1, 6) / 5
    table = size_table(Q, nodes, fractions)
    return np.einsum("i,ijp->jp", weights, table)


def _form(table: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    k, m = np.triu_indices(len(contrast))
    return table @ (contrast[k].conj() * contrast[m]).real


CONTRAST = np.array([1066, 1060, 1050, 1035, 990.0]) + 1j * np.array([30, 28, 20, 11, 5.0])


def test_aspect_one_equals_the_sphere() -> None:
    mu, wm = np.array([0.5]), np.array([1.0])
    nodes = sizes.radius_nodes(0.2, 4.2, 0.215, Q[-1])
    density = sizes.gaussian_density(nodes[:, None], 1.95, 0.215)
    sphere = sizes.node_weights(nodes, density, np.array([1.0]), wm)
    mu, wm = sizes.orientation_nodes(32)
    spheroid = sizes.node_weights(
        nodes, sizes.gaussian_density(nodes[:, None] / sizes.stretch(mu, 1.0), 1.95, 0.215), sizes.stretch(mu, 1.0), wm
    )
    np.testing.assert_allclose(spheroid, sphere, rtol=1e-12)


def test_size_average_against_a_wide_fine_reference() -> None:
    r = np.linspace(1.95 - 9 * 0.215, 1.95 + 9 * 0.215, 801)
    density = np.exp(-0.5 * ((r - 1.95) / 0.215) ** 2)
    density /= density.sum()
    fractions = np.arange(1, 6) / 5
    reference = sum(
        d * np.abs(multishell_amplitude(Q, x * fractions, CONTRAST)) ** 2
        for d, x in zip(density, r, strict=True)
        if x > 0
    )
    np.testing.assert_allclose(_form(_quadratic(1.0, 1.95, 0.215), CONTRAST), reference, rtol=1e-6)


@pytest.mark.parametrize("aspect", [0.6, 1.2, 1.6])
def test_spheroid_average_against_explicit_orientations(aspect: float) -> None:
    mean, std = 1.95, 0.215
    r = np.linspace(mean - 8 * std, mean + 8.5 * std, 241)
    density = np.exp(-0.5 * ((r - mean) / std) ** 2)
    density /= density.sum()
    mu, w = np.polynomial.legendre.leggauss(40)
    mu, w = 0.5 * (mu + 1), 0.5 * w
    fractions = np.arange(1, 6) / 5
    total = np.zeros(len(Q))
    for d, x in zip(density, r, strict=True):
        minor = x * aspect ** (-1 / 3)
        for m, wm in zip(mu, w, strict=True):
            reff = minor * np.sqrt(1 + (aspect**2 - 1) * m * m)
            amp = multishell_amplitude(Q, reff * fractions, CONTRAST) * (x / reff) ** 3
            total += d * wm * np.abs(amp) ** 2
    np.testing.assert_allclose(_form(_quadratic(aspect, mean, std), CONTRAST), total, rtol=1e-4)


@pytest.mark.parametrize("kind", ["gaussian", "lognormal", "sampled"])
def test_densities_have_their_moments(kind: str) -> None:
    r = np.linspace(1e-4, 12, 40001)
    scores = np.random.default_rng(3).standard_normal(200)
    scores = (scores - scores.mean()) / scores.std()
    n = {
        "gaussian": lambda: sizes.gaussian_density(r, 2.0, 0.2),
        "lognormal": lambda: sizes.lognormal_density(r, 2.0, 0.2),
        "sampled": lambda: sizes.sampled_density(r, 2.0, 0.2, scores),
    }[kind]()
    norm = np.trapezoid(n, r)
    mean = np.trapezoid(n * r, r) / norm
    assert norm == pytest.approx(1.0, abs=1e-6)
    assert mean == pytest.approx(2.0, abs=1e-6)
    assert np.sqrt(np.trapezoid(n * (r - mean) ** 2, r)) == pytest.approx(0.2, abs=1e-5)


def _call(function, x, d_core=0.0, d_shell=0.0, amplitudes=(0.0, 0.0, 0.0)):
    rng = np.random.default_rng(1)
    points, n = 25, 5
    core = rng.uniform(70, 80, points) + 1j * rng.uniform(1, 4, points)
    shell = rng.uniform(55, 65, points) + 1j * rng.uniform(1, 3, points)
    medium = np.full(points, 283.3)
    tables = rng.uniform(0, 1, (3, points, 15))
    vol, dvol = 0.0552 - 0.0098 * x + 0.0003 * x**2, -0.0098 + 0.0006 * x
    change = rng.uniform(-1, 1, (5, points, 3))
    by_core, by_shell, by_medium = change[0] + 1j * change[1], change[2] + 1j * change[3], change[4]
    core = core + by_core @ np.asarray(amplitudes)
    shell = shell + by_shell @ np.asarray(amplitudes)
    medium = medium + by_medium @ np.asarray(amplitudes)
    out = tuple(np.empty(points) if k is None else np.empty((points, k)) for k in (None, n, 2, 2, 3))
    function(
        x, vol, dvol, core, shell, medium, d_core, d_shell, np.arange(points), tables, by_core, by_shell, by_medium, *out
    )  # fmt: skip
    return out


def test_engines_agree() -> None:
    x = np.array([0.02, 0.1, 0.3, 0.65, 0.98])
    for a, b in zip(
        _call(form_and_gradient, x, 0.01, -0.02), _call(form_and_gradient_numpy, x, 0.01, -0.02), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-6)


def test_gradient_equals_finite_differences() -> None:
    x = np.array([0.12, 0.2, 0.3, 0.65, 0.9])
    _, gx, _, gd, ge = _call(form_and_gradient, x, 0.01, -0.02)
    h = 1e-6
    for k in range(5):
        up, down = x.copy(), x.copy()
        up[k] += h
        down[k] -= h
        numeric = (_call(form_and_gradient, up, 0.01, -0.02)[0] - _call(form_and_gradient, down, 0.01, -0.02)[0]) / (
            2 * h
        )
        np.testing.assert_allclose(gx[:, k], numeric, rtol=1e-6, atol=1e-2)
    for k, (a, b) in enumerate([(h, 0), (0, h)]):
        numeric = (
            _call(form_and_gradient, x, 0.01 + a, -0.02 + b)[0] - _call(form_and_gradient, x, 0.01 - a, -0.02 - b)[0]
        ) / (2 * h)
        np.testing.assert_allclose(gd[:, k], numeric, rtol=1e-6, atol=1e-2)
    for k in range(3):
        step = 1e-4 * np.eye(3)[k]
        up, down = (_call(form_and_gradient, x, 0.01, -0.02, a)[0] for a in (step, -step))
        np.testing.assert_allclose(ge[:, k], (up - down) / 2e-4, rtol=1e-6, atol=1e-2)


def test_shell_amplitudes_add_up_to_the_sphere() -> None:
    u = np.linspace(0, 20, 200)
    np.testing.assert_allclose(shell_basis(u, np.arange(1, 8) / 7).sum(0), sphere_phi(u), atol=1e-14)
