"""Averages and what is read from them, against ellipsoids in closed form."""

import numpy as np
import pytest
from tests.physics.test_shape_align import body, ellipsoid, random_rotation, turned

from nanostrata.domain.shape import OccupancyMap
from nanostrata.models.beads import ensemble_curve
from nanostrata.models.shape_average import average_models, bead_density, families, filled_voxels
from nanostrata.models.shape_reading import (
    aspect_ratio,
    calibrated_cutoff,
    line_cuts,
    map_moments,
    radius_of_gyration,
    second_moments,
    size_against_cutoff,
)

AXES = np.array([2.4, 1.8, 1.3])


@pytest.fixture(scope="module")
def soft_ellipsoid():
    """Occupancy 1 inside, falling over 0.3 nm to half at the surface of an ellipsoid and on to 0."""
    voxel = 0.1
    axis = np.arange(-32, 33) * voxel
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    s = np.sqrt((x / AXES[0]) ** 2 + (y / AXES[1]) ** 2 + (z / AXES[2]) ** 2)
    occupancy = np.clip(0.5 + (1 - s) * 4.0, 0.0, 1.0)
    return OccupancyMap(occupancy=occupancy, voxel_nm=voxel, cutoff=0.5)


def test_line_cuts_of_an_ellipsoid(soft_ellipsoid):
    diameter, u = line_cuts(soft_ellipsoid, np.random.default_rng(0), 2000)
    exact = 2 / np.sqrt(((u / AXES) ** 2).sum(axis=1))
    assert np.abs(diameter - exact).max() < 0.5 * soft_ellipsoid.voxel_nm
    assert np.abs(diameter - exact).mean() < 0.1 * soft_ellipsoid.voxel_nm


def test_directions_are_even_on_the_sphere(soft_ellipsoid):
    _, u = line_cuts(soft_ellipsoid, np.random.default_rng(1), 10_000)
    # second moments of even directions are 1/3; sd of the mean of cos^2 is sqrt(4/45/10000) = 0.003
    np.testing.assert_allclose(u.T @ u / len(u), np.eye(3) / 3, atol=0.012)


def test_moments_and_size_of_an_ellipsoid(soft_ellipsoid):
    np.testing.assert_allclose(np.sqrt(5 * map_moments(soft_ellipsoid)), AXES, rtol=0.01)
    diameter = 2 * np.prod(AXES) ** (1 / 3)
    assert size_against_cutoff(soft_ellipsoid, np.array([0.5]))[0] == pytest.approx(diameter, rel=0.005)
    assert calibrated_cutoff(soft_ellipsoid, diameter) == pytest.approx(0.5, abs=0.03)
    # at another cut-off the surface lies where 0.5 + 4 (1 - s) crosses it
    assert size_against_cutoff(soft_ellipsoid, np.array([0.1]))[0] == pytest.approx(1.1 * diameter, rel=0.01)


def test_aspect_ratio_names_the_unique_axis():
    assert aspect_ratio(np.array([1.4**2, 1, 1])) == pytest.approx(1.4)
    assert aspect_ratio(np.array([1, 1, 0.6**2])) == pytest.approx(0.6)
    assert aspect_ratio(np.ones(3)) == 1.0


def test_radius_of_gyration_is_that_of_the_curve():
    model = body(ellipsoid, bead=0.6)
    q = 0.05
    fall = 1 - ensemble_curve(np.array([q]), model.positions_nm, 0.6)[0]
    assert radius_of_gyration(model) == pytest.approx(np.sqrt(3 * fall) / q, rel=2e-3)
    fine = body(lambda x, y, z: x**2 + y**2 + z**2 < 4.0, bead=0.4)
    ball = (3 * fine.volume_nm3 / (4 * np.pi)) ** (2 / 3) / 5
    assert second_moments(fine) == pytest.approx(np.full(3, ball), rel=0.05)


def test_density_is_one_inside_and_adds_up_to_the_volume():
    model = body(ellipsoid, bead=0.5)
    axis = np.arange(-24, 25) * (0.5 / 3)
    density = bead_density(model.positions_nm, 0.5, axis)
    assert density.sum() * (0.5 / 3) ** 3 == pytest.approx(model.volume_nm3, rel=1e-3)
    assert density[24, 24, 24] == pytest.approx(1.0, abs=0.03)
    filled = filled_voxels(model, axis)
    assert filled.sum() * (0.5 / 3) ** 3 == pytest.approx(model.volume_nm3, rel=2e-3)


def test_average_of_turned_copies_is_the_body_and_a_stranger_is_left_out():
    models = [turned(body(ellipsoid, seed=k), random_rotation(k)) for k in range(6)]
    stranger = turned(body(lambda x, y, z: (np.hypot(x, y) < 0.8) & (np.abs(z) < 3.3), seed=9), random_rotation(9))
    average = average_models([*models, stranger])
    assert list(average.kept) == [0, 1, 2, 3, 4, 5]
    assert set(average.cluster) == {0}
    np.testing.assert_allclose(np.sqrt(5 * map_moments(average.map)), AXES, rtol=0.05)
    assert average.resolution_nm < 1.0
    assert average.nsd[:6, :6].max() < average.nsd[6, :6].min()
    # x is the longest axis of the average
    occupancy, axis = average.map.occupancy, average.map.axis_nm
    along = [(occupancy.sum(axis=tuple({0, 1, 2} - {k})) @ axis**2) for k in range(3)]
    assert along[0] > along[1] > along[2]


def test_families_split_only_at_a_gap():
    near = 0.5 * (1 - np.eye(4))
    assert set(families(near)) == {0}
    two = np.block([[near, np.full((4, 2), 1.4)], [np.full((2, 4), 1.4), 0.5 * (1 - np.eye(2))]])
    assert list(families(two)) == [0, 0, 0, 0, 1, 1]
