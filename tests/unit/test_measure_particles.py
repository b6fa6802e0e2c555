"""Size statistics: by hand where a hand can do it, and what is said aloud."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nanostrata.domain import Origin
from nanostrata.errors import DataError, PhysicsError
from nanostrata.stages.measure_particles import size_distribution, stated_sizes


def test_without_reading_error_the_numbers_are_those_of_a_pocket_calculator() -> None:
    major, minor = np.array([4.0, 4.4, 5.0, 4.2]), np.array([3.6, 4.0, 4.1, 4.1])
    for shape, d in (
        ("sphere", np.sqrt(major * minor)),
        ("prolate", np.cbrt(major * minor**2)),
        ("oblate", np.cbrt(major**2 * minor)),
    ):
        r = size_distribution(major, minor, shape=shape)  # type: ignore[arg-type]
        np.testing.assert_allclose(r.diameters_nm, d, rtol=1e-5)
        assert r.mean_nm == pytest.approx(d.mean(), rel=1e-5)
        assert r.std_nm == pytest.approx(d.std(ddof=1), rel=1e-4)
        assert r.mean_sigma_nm == pytest.approx(d.std(ddof=1) / 2, rel=1e-3)
        assert r.std_sigma_nm == pytest.approx(d.std(ddof=1) / math.sqrt(6), rel=1e-4)
        assert r.n_counted == 4


def test_aspect_is_unique_axis_over_the_others() -> None:
    rng = np.random.default_rng(1)
    minor = rng.normal(4.0, 0.3, 200)
    major = 1.25 * minor
    prolate = size_distribution(major, minor, shape="prolate", reading_error_nm=0.02).aspect_ratio
    oblate = size_distribution(major, minor, shape="oblate", reading_error_nm=0.02).aspect_ratio
    assert prolate == pytest.approx(1.25, rel=2e-3)
    assert oblate == pytest.approx(1 / 1.25, rel=2e-3)


def test_one_diameter_per_particle_leaves_the_aspect_unknown_and_takes_off_the_whole_error() -> None:
    d = np.random.default_rng(2).normal(4.0, 0.5, 400)
    r = size_distribution(d, d, reading_error_nm=0.2)
    assert r.aspect_ratio is None
    assert r.aspect_sigma is None
    assert r.std_nm == pytest.approx(math.sqrt(d.var(ddof=1) - 0.04), rel=1e-9)
    assert size_distribution(d, reading_error_nm=0.2).std_nm == r.std_nm


def test_a_reading_error_that_explains_the_whole_spread_is_said_and_leaves_a_limit() -> None:
    d = np.random.default_rng(3).normal(4.0, 0.1, 100)
    r = size_distribution(d, reading_error_nm=0.3)
    assert any("explains the whole spread" in n for n in r.origin.notes)
    assert 0 < r.std_nm < 0.1
    assert r.std_sigma_nm > 0


def test_readings_that_differ_less_than_their_error_allows_are_noticed() -> None:
    rng = np.random.default_rng(4)
    d = rng.normal(4.0, 0.4, 300)
    pair = np.sort(d + rng.normal(0, 0.03, (2, 300)), axis=0)
    assert any("stated too large" in n for n in size_distribution(pair[1], pair[0], reading_error_nm=0.2).origin.notes)
    fine = size_distribution(pair[1], pair[0], reading_error_nm=0.03)
    assert not any("stated too large" in n for n in fine.origin.notes)


def test_notes_keep_those_of_the_file_and_say_projection_and_few() -> None:
    r = size_distribution(
        [4.0, 4.2], [3.0, 3.3], shape="prolate", origin=Origin(file="tem.csv", sha256="ab", notes=("left out",))
    )
    assert r.origin.file == "tem.csv"
    assert r.origin.notes[0] == "left out"
    text = " ".join(r.origin.notes)
    assert "projection" in text
    assert "only 2 particles" in text
    assert "sorting two readings makes is not corrected" in text


@pytest.mark.parametrize(
    ("major", "minor", "options", "word"),
    [
        ([4.0], [3.0], {}, "at least two particles"),
        ([4.0, 3.0], [3.0, 3.5], {}, "1 particle(s), first at index 1"),
        ([4.0, 3.0], [3.0, 3.0], {"reading_error_nm": -0.1}, "reading_error_nm"),
        ([4.0, 3.0], [3.0, 3.0], {"shape": "cube"}, "sphere, prolate or oblate"),
    ],
)
def test_refusals(major: list[float], minor: list[float], options: dict[str, object], word: str) -> None:
    with pytest.raises(DataError) as caught:
        size_distribution(major, minor, **options)  # type: ignore[arg-type]
    assert word in str(caught.value)


def test_impossible_axes_are_a_physics_error() -> None:
    with pytest.raises(PhysicsError, match="minor_nm"):
        size_distribution([4.0, 4.0], [3.0, -1.0])


def test_stated_numbers_with_particles() -> None:
    r = stated_sizes(4.1, 0.49, particles=120)
    assert (r.mean_nm, r.std_nm, r.n_counted) == (4.1, 0.49, 120)
    assert r.mean_sigma_nm == pytest.approx(0.49 / math.sqrt(120))
    assert r.std_sigma_nm == pytest.approx(0.49 / math.sqrt(238))
    assert r.aspect_ratio is None
    corrected = stated_sizes(4.1, 0.49, particles=120, reading_error_nm=0.1)
    assert corrected.std_nm == pytest.approx(math.sqrt(0.49**2 - 0.01))


def test_stated_numbers_without_particles_assume_aloud() -> None:
    r = stated_sizes(4.0, 0.4)
    assert r.mean_sigma_nm == pytest.approx(0.2)
    assert r.std_sigma_nm == pytest.approx(0.06, rel=0.02)
    assert r.n_counted == 0
    assert any("not stated" in n and "5 %" in n for n in r.origin.notes)


def test_stated_numbers_name_every_impossible_one() -> None:
    with pytest.raises(DataError) as caught:
        stated_sizes(-4.0, 0.0, particles=1, reading_error_nm=math.nan)
    assert len(caught.value.problems) == 4
    with pytest.raises(DataError, match="swapped"):
        stated_sizes(0.4, 4.0)
