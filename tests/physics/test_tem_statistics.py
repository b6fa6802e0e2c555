"""Laws of size statistics: scale, order, the size of the sorting bias, and that the correction takes it off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nanostrata.domain import FloatArray
from nanostrata.stages.measure_particles import Shape, size_distribution

SHAPES: tuple[Shape, ...] = ("sphere", "prolate", "oblate")


def axes(diameter: FloatArray, aspect: FloatArray, shape: Shape) -> tuple[FloatArray, FloatArray]:
    """Longer and shorter axis of particles of this volume-equivalent diameter; aspect = longer over shorter."""
    if shape == "prolate":
        return diameter * aspect ** (2 / 3), diameter * aspect ** (-1 / 3)
    if shape == "oblate":
        return diameter * aspect ** (1 / 3), diameter * aspect ** (-2 / 3)
    return diameter * aspect**0.5, diameter * aspect**-0.5


def readings(rng: np.random.Generator, a: FloatArray, b: FloatArray, error: float) -> tuple[FloatArray, FloatArray]:
    """Two noisy readings a particle, sorted: what an observer writes down."""
    pair = np.sort([a + rng.normal(0, error, len(a)), b + rng.normal(0, error, len(b))], axis=0)
    return pair[1], pair[0]


def test_the_sorting_bias_is_as_large_as_stated_and_is_taken_off() -> None:
    # Round particles of 4 nm read with 0.1 nm: 3 % elongated, minor axis 0.06 nm small.
    rng = np.random.default_rng(1)
    d = rng.normal(4.0, 0.4, 20_000)
    major, minor = readings(rng, d, d, 0.1)
    assert np.mean(major / minor) == pytest.approx(1.029, abs=0.003)
    assert np.mean(minor - d) == pytest.approx(-0.1 / np.sqrt(np.pi), abs=0.002)
    raw = np.cbrt(major * minor**2).mean() - d.mean()
    assert raw == pytest.approx(-0.0188, abs=0.002)  # a third of the minor's loss
    r = size_distribution(major, minor, shape="prolate", reading_error_nm=0.1)
    assert r.aspect_ratio is not None
    assert r.aspect_sigma is not None
    assert r.aspect_ratio < 1.006
    assert r.aspect_ratio - 1 < 3 * r.aspect_sigma
    assert abs(r.mean_nm - d.mean()) < 0.003
    assert r.std_nm == pytest.approx(d.std(), rel=0.01)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("aspect", [1.0, 1.2])
def test_mean_and_aspect_are_unbiased_and_their_errors_right(shape: Shape, aspect: float) -> None:
    pulls, stds, aspects, aspect_sigmas = [], [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        d = rng.normal(4.1, 0.45, 120)
        major, minor = readings(rng, *axes(d, np.full(120, aspect), shape), 0.1)
        r = size_distribution(major, minor, shape=shape, reading_error_nm=0.1)
        assert r.aspect_ratio is not None
        assert r.aspect_sigma is not None
        pulls.append((r.mean_nm - 4.1) / r.mean_sigma_nm)
        stds.append((r.std_nm - 0.45) / r.std_sigma_nm)
        aspects.append(r.aspect_ratio)
        aspect_sigmas.append(r.aspect_sigma)
    assert abs(np.mean(pulls)) < 0.45  # 3.5 standard deviations of a mean of 60
    assert 0.7 < np.std(pulls) < 1.3
    assert abs(np.mean(stds)) < 0.5
    assert 0.7 < np.std(stds) < 1.4
    truth = 1 / aspect if shape == "oblate" else aspect
    off = np.abs(np.array(aspects) - truth)
    assert np.mean(aspects) == pytest.approx(truth, abs=0.006)
    assert np.mean(off < 2 * np.array(aspect_sigmas)) >= 0.88


def test_a_spread_of_aspect_ratios_does_not_spoil_their_mean() -> None:
    rng = np.random.default_rng(8)
    aspect = 1.15 + 0.06 * rng.normal(size=400).clip(-2, 2)
    a, b = axes(rng.normal(4.1, 0.45, 400), aspect, "prolate")
    r = size_distribution(*readings(rng, a, b, 0.1), shape="prolate", reading_error_nm=0.1)
    assert r.aspect_ratio is not None
    assert r.aspect_sigma is not None
    assert abs(r.aspect_ratio - aspect.mean()) < 3 * r.aspect_sigma
    assert r.aspect_sigma < 0.01


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(0.2, 20.0), seed=st.integers(0, 1000), shape=st.sampled_from(SHAPES))
def test_another_unit_of_length_changes_lengths_only(scale: float, seed: int, shape: Shape) -> None:
    rng = np.random.default_rng(seed)
    major, minor = readings(rng, *axes(rng.normal(4.0, 0.4, 30), np.full(30, 1.1), shape), 0.1)
    one = size_distribution(major, minor, shape=shape, reading_error_nm=0.1)
    other = size_distribution(scale * major, scale * minor, shape=shape, reading_error_nm=0.1 * scale)
    for name in ("mean_nm", "std_nm", "mean_sigma_nm", "std_sigma_nm"):
        assert getattr(other, name) == pytest.approx(scale * getattr(one, name), rel=1e-5)
    assert other.aspect_ratio == pytest.approx(one.aspect_ratio, rel=1e-5)
    assert other.aspect_sigma == pytest.approx(one.aspect_sigma, rel=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_the_particles_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    major, minor = readings(rng, *axes(rng.normal(4.0, 0.4, 25), np.full(25, 1.1), "prolate"), 0.1)
    at = rng.permutation(25)
    one = size_distribution(major, minor, shape="prolate", reading_error_nm=0.1)
    other = size_distribution(major[at], minor[at], shape="prolate", reading_error_nm=0.1)
    assert other.mean_nm == pytest.approx(one.mean_nm, rel=1e-9)
    assert other.aspect_ratio == pytest.approx(one.aspect_ratio, rel=1e-9)
    np.testing.assert_allclose(other.diameters_nm, one.diameters_nm[at], rtol=1e-9)


def test_more_particles_narrow_the_errors_as_the_square_root() -> None:
    rng = np.random.default_rng(11)
    major, minor = readings(rng, *axes(rng.normal(4.0, 0.4, 100), np.full(100, 1.2), "prolate"), 0.1)
    one = size_distribution(major, minor, shape="prolate", reading_error_nm=0.1)
    four = size_distribution(np.tile(major, 4), np.tile(minor, 4), shape="prolate", reading_error_nm=0.1)
    for name in ("mean_sigma_nm", "std_sigma_nm", "aspect_sigma"):
        assert getattr(four, name) == pytest.approx(getattr(one, name) / 2, rel=0.05)
    assert four.mean_nm == pytest.approx(one.mean_nm, rel=3e-4)
