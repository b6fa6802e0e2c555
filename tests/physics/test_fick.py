"""Diffusion into a sphere: known limits, a finite-volume calculation, two series against each other, mass balance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from nanostrata.kernels.fick import fick_content, fick_profile, fick_shell_means, fick_uptake

S = np.concatenate([[0.0, 1e-9, 1e-4], np.linspace(0.02, 1.0, 50)])
TAUS = (0.003, 0.01, 0.03, 0.05, 0.1, 0.3, 1.0)


@pytest.mark.parametrize("tau", TAUS)
def test_the_two_series_are_the_same_function(tau: float) -> None:
    for function in (fick_profile, fick_content):
        for modes, images in zip(function(S, tau, "modes"), function(S, tau, "images"), strict=True):
            np.testing.assert_allclose(modes, images, rtol=0, atol=1e-10 * max(1.0, abs(modes).max()))


def test_uptake_follows_crank_for_short_times_and_the_first_mode_for_long_ones() -> None:
    for tau in (1e-6, 1e-4, 1e-3, 1e-2):
        # what is left out are reflections at the centre, below exp(-1/tau)
        assert fick_uptake(tau) == pytest.approx(6 * math.sqrt(tau / math.pi) - 3 * tau, rel=1e-12)
    for tau in (0.4, 0.8):
        assert 1 - fick_uptake(tau) == pytest.approx(6 / math.pi**2 * math.exp(-(math.pi**2) * tau), rel=1e-5)
    assert fick_uptake(0.0) == 0.0
    assert fick_uptake(5.0) == pytest.approx(1.0, abs=1e-14)


def test_thin_layer_is_the_half_space() -> None:
    """Near a surface that is flat against the depth of diffusion, c = erfc(depth / (2 sqrt(tau))) (1 + depth)."""
    tau, depth = 1e-6, np.linspace(0.0, 5e-3, 20)
    c, _ = fick_profile(1 - depth, tau)
    exact = [math.erfc(d / (2 * math.sqrt(tau))) / (1 - d) for d in depth]
    np.testing.assert_allclose(c, exact, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("tau", [0.004, 0.045, 0.15, 0.45])
def test_finite_volumes_agree(tau: float) -> None:
    """Shell averages against 400 control volumes with the surface held at 1, integrated stiffly; nothing is shared."""
    n = 400
    edges = np.linspace(0.0, 1.0, n + 1)
    volume = np.diff(edges**3) / 3.0
    distance = np.full(n, 1.0 / n)
    distance[-1] = 0.5 / n  # from the last centre to the surface

    def rate(_: float, c: np.ndarray) -> np.ndarray:
        flux = edges[1:] ** 2 * (np.append(c[1:], 1.0) - c) / distance
        return np.diff(flux, prepend=0.0) / volume

    from scipy.sparse import diags

    band = diags([1.0, 1.0, 1.0], [-1, 0, 1], shape=(n, n))
    c = solve_ivp(rate, (0, tau), np.zeros(n), method="BDF", rtol=1e-8, atol=1e-10, jac_sparsity=band).y[:, -1]
    ten = (c * volume).reshape(10, -1).sum(1) / volume.reshape(10, -1).sum(1)
    means, _ = fick_shell_means(np.linspace(0, 1, 11), tau)
    # the grid's own error is of the order of (1/n)^2 / tau
    error = 2e-6 + 0.04 / (n * n * tau)
    np.testing.assert_allclose(means, ten, rtol=0, atol=error)
    assert fick_uptake(tau) == pytest.approx(3 * (c * volume).sum(), abs=error)


@pytest.mark.parametrize("tau", [0.002, 0.03, 0.2])
def test_shell_means_are_the_integral_of_the_profile(tau: float) -> None:
    edges = np.array([0.0, 0.3, 0.55, 0.9, 1.0])
    means, _ = fick_shell_means(edges, tau)
    for low, high, mean in zip(edges[:-1], edges[1:], means, strict=True):
        total = quad(lambda r: 3 * r * r * fick_profile(r, tau)[0][0], low, high, epsabs=1e-13, limit=200)[0]
        assert mean == pytest.approx(total / (high**3 - low**3), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("tau", [0.002, 0.03, 0.05, 0.2])
def test_mass_is_conserved(tau: float) -> None:
    edges = np.linspace(0, 1, 11)
    means, slopes = fick_shell_means(edges, tau)
    volume = np.diff(edges**3)
    assert means @ volume == pytest.approx(fick_uptake(tau), rel=1e-12)
    # what enters through the surface is what the profile's gradient there says
    h = 1e-6
    gradient = (1 - fick_profile(1 - h, tau)[0][0]) / h
    assert slopes @ volume == pytest.approx(3 * gradient, rel=1e-4)


@pytest.mark.parametrize("tau", [1e-4, 0.003, 0.0499, 0.0501, 0.4])
def test_derivatives_by_time(tau: float) -> None:
    h = 1e-5 * tau
    edges = np.linspace(0, 1, 11)
    for function, at in ((fick_profile, S), (fick_content, S), (fick_shell_means, edges)):
        slope = function(at, tau)[1]
        numeric = (function(at, tau + h, "images")[0] - function(at, tau - h, "images")[0]) / (2 * h)
        np.testing.assert_allclose(slope, numeric, atol=1e-6 * abs(slope).max())


def test_profile_obeys_the_diffusion_equation() -> None:
    s = np.linspace(0.1, 0.9, 9)
    h = 1e-3
    for tau in (0.02, 0.1):
        up, here, down = (fick_profile(s + d, tau)[0] * (s + d) for d in (h, 0.0, -h))
        # (s c) obeys the equation of a slab
        np.testing.assert_allclose(fick_profile(s, tau)[1] * s, (up - 2 * here + down) / h**2, atol=2e-4)


def test_at_the_start_and_what_is_refused() -> None:
    c, slope = fick_profile([0.0, 0.5, 1.0], 0.0)
    np.testing.assert_array_equal(c, [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(slope, 0.0)
    for s, tau in (([1.5], 0.1), ([-0.1], 0.1), ([0.5], -1.0), ([0.5], math.nan)):
        with pytest.raises(ValueError, match="expected"):
            fick_profile(s, tau)
    with pytest.raises(ValueError, match="method"):
        fick_profile([0.5], 0.1, "both")  # type: ignore[arg-type]
