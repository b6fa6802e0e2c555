"""Outlines of projections against those of spheroids, which are known."""

import numpy as np
import pytest

from nanostrata.domain.shape import OccupancyMap
from nanostrata.models.shape_outline import even_directions, lying_views, outline_axes, reading_diameter, surface_points


def spheroid_map(aspect, radius=2.0, voxel=0.17, shift=(0.0, 0.0, 0.0), axis=0):
    """Occupancy of a spheroid whose edge is a ramp of two voxels, 0.5 at its surface; unique axis x."""
    half = np.full(3, radius * aspect ** (-1 / 3))
    half[axis] *= aspect
    n = int(np.ceil(1.4 * half.max() / voxel))
    line = np.arange(-n, n + 1) * voxel
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1) - np.asarray(shift)
    scaled = np.sqrt(((grid / half) ** 2).sum(axis=-1))
    gradient = np.sqrt(((grid / half**2) ** 2).sum(axis=-1))
    distance = np.where(gradient > 0, scaled * (scaled - 1) / np.where(gradient > 0, gradient, 1), -radius)
    return OccupancyMap(occupancy=np.clip(0.5 - distance / (2 * voxel), 0, 1), voxel_nm=voxel, cutoff=0.5), half


@pytest.mark.parametrize("aspect", [1.0, 1.4, 0.7])
def test_outlines_are_those_of_the_spheroid(aspect):
    occupancy, half = spheroid_map(aspect, shift=(0.05, -0.03, 0.08))
    points = surface_points(occupancy)
    views = even_directions(60)
    major, minor = outline_axes(points, views)
    # projection along a direction at angle theta to the unique axis: half axes b and sqrt(a^2 sin^2 + b^2 cos^2)
    a, b = half[0], half[1]
    other = np.sqrt(a**2 * (1 - views[:, 0] ** 2) + b**2 * views[:, 0] ** 2)
    np.testing.assert_allclose(major, 2 * np.maximum(other, b), rtol=8e-3)
    np.testing.assert_allclose(minor, 2 * np.minimum(other, b), rtol=8e-3)


def test_directions_are_even():
    u = even_directions(2000)
    np.testing.assert_allclose((u * u).sum(axis=1), 1.0)
    np.testing.assert_allclose(u.T @ u / len(u), np.eye(3) / 3, atol=1e-3)


def test_a_long_particle_lies_on_its_side_and_a_flat_one_on_its_face():
    long, half = spheroid_map(1.4)
    points = surface_points(long)
    major, minor = outline_axes(points, lying_views(points, 12))
    np.testing.assert_allclose(major, 2 * half[0], rtol=8e-3)
    np.testing.assert_allclose(minor, 2 * half[1], rtol=8e-3)
    # as TEM turns such readings into a diameter, it is that of the volume
    np.testing.assert_allclose(reading_diameter(major, minor, "prolate"), 4.0, rtol=8e-3)
    flat, half = spheroid_map(0.7, axis=2)
    points = surface_points(flat)
    major, minor = outline_axes(points, lying_views(points, 3))
    np.testing.assert_allclose([*major, *minor], 2 * half[0], rtol=8e-3)


def test_readings_become_diameters_by_the_rule_of_the_shape():
    m, n = np.array([6.0]), np.array([4.0])
    assert reading_diameter(m, n, "sphere") == pytest.approx(np.sqrt(24))
    assert reading_diameter(m, n, "prolate") == pytest.approx(96 ** (1 / 3))
    assert reading_diameter(m, n, "oblate") == pytest.approx(144 ** (1 / 3))
