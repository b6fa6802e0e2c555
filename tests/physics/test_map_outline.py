"""Crystals cut to an occupancy map: the outline, what is cut to it, and what that scatters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, solid

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.shape import OccupancyMap
from nanostrata.errors import PhysicsError
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.crystal_plan import CrystalPlan
from nanostrata.models.ensemble import SizePlan, build_ensemble, plan_sizes
from nanostrata.models.ensemble_curves import form_of_the_others, predict
from nanostrata.models.map_outline import outline_of
from nanostrata.models.shell_curve import spheroid_curve

VOXEL = 0.12
TILT = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def tilted_spheroid(minor_nm: float, ratio: float, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> OccupancyMap:
    """Occupancy that falls from 1 to 0 through the surface of a spheroid, 0.5 on it."""
    n = 61
    axis = (np.arange(n) - n // 2) * VOXEL
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1) - np.array(shift)
    own = grid @ TILT.T
    s = np.sqrt(((own / np.array([minor_nm, minor_nm, minor_nm * ratio])) ** 2).sum(axis=-1))
    return OccupancyMap(occupancy=np.clip(0.5 + (1.0 - s) * minor_nm / 0.5, 0.0, 1.0), voxel_nm=VOXEL, cutoff=0.5)


@pytest.mark.parametrize("ratio", [1.5, 0.6])
def test_outline_is_the_turned_spheroid(ratio: float) -> None:
    outline = outline_of(tilted_spheroid(2.0, ratio, (0.2, -0.1, 0.3)))
    assert outline.volume_nm3 == pytest.approx(4 / 3 * np.pi * 8.0 * ratio, rel=5e-3)
    assert outline.aspect_ratio == pytest.approx(ratio, rel=0.01)
    assert np.linalg.det(outline.turn) == pytest.approx(1.0)
    assert abs(outline.turn[2] @ TILT[2]) == pytest.approx(1.0, abs=1e-4)
    # half of the size: radius fractions along any ray are those of the spheroid, whose surface is at 1
    body = outline.body(outline.volume_nm3 / 8.0)
    rng = np.random.default_rng(1)
    points = rng.uniform(-1.0, 1.0, (300, 3))
    expected = np.sqrt(((points / np.array([1.0, 1.0, ratio])) ** 2).sum(axis=1))
    used = expected < 1.2
    assert np.abs(body.radius_fraction(points[used]) - expected[used]).max() < 0.02
    assert body.reach_nm < 1.4 * max(1.0, ratio)


def test_atoms_have_volume_moments_and_curve_of_the_map() -> None:
    ratio, diameter = 1.4, 4.0
    outline = outline_of(tilted_spheroid(2.0, ratio))
    plan = plan_sizes(diameter, 0.0, 8, q_max_inv_nm=4.0)
    ensemble = build_ensemble(
        solid(), plan, mean_nm=diameter, std_nm=0.0, aspect_ratio=np.full(8, outline.aspect_ratio),
        shell_fraction=np.full((8, 5), 1.0), axis="001", crystal=CrystalPlan(outline=outline), seed=np.random.SeedSequence(2),
    )  # fmt: skip
    for p in ensemble.particles:
        assert p.info["diameter_nm"] == pytest.approx(diameter, rel=2e-3)
    aspects = [float(p.info["aspect_ratio"]) for p in ensemble.particles]
    assert np.mean(aspects) == pytest.approx(ratio, rel=0.03)
    q = np.linspace(0.2, 2.0, 20)
    # long axis along z of the crystal: the moments say so
    spread = np.mean([(p.positions_nm**2).mean(axis=0) for p in ensemble.particles], axis=0)
    assert spread[2] / spread[:2].mean() == pytest.approx(ratio**2, rel=0.06)
    atoms = particle_intensities(ensemble.particles, CHANTLER, [16.0], q, solid().medium.electron_density_e_nm3)[
        :, 0
    ].mean(axis=0)
    model = spheroid_curve(
        q, solid(), CHANTLER, 16.0, diameter_nm=diameter, aspect_ratio=ratio, shell_fraction=np.full(5, 1.0)
    )
    assert np.abs(atoms / model - 1.0).max() < 0.02


def test_composition_goes_with_the_share_of_the_way_to_the_surface() -> None:
    outline = outline_of(tilted_spheroid(2.0, 1.4))
    plan = plan_sizes(5.0, 0.0, 1, q_max_inv_nm=4.0)
    (particle,) = build_ensemble(
        solid(), plan, mean_nm=5.0, std_nm=0.0, aspect_ratio=np.array([1.4]), shell_fraction=np.array([[0, 0, 0, 0, 1.0]]),
        crystal=CrystalPlan(outline=outline), seed=np.random.SeedSequence(2),
    ).particles  # fmt: skip
    zinc = np.array(particle.symbols) == "Zn"
    s = particle.radius_fraction
    assert s[zinc].min() > 0.79
    # volume inside a homothetic surface goes as s cubed
    volume = particle.site_volume_nm3
    assert volume[s <= 0.8].sum() / volume.sum() == pytest.approx(0.8**3, abs=0.03)


def test_two_calls_build_the_same_atoms() -> None:
    outline = outline_of(tilted_spheroid(1.5, 1.2))
    plan = plan_sizes(3.0, 0.0, 2, q_max_inv_nm=4.0)
    one, two = (
        build_ensemble(
            solid(), plan, mean_nm=3.0, std_nm=0.0, aspect_ratio=np.ones(2), shell_fraction=np.full((2, 5), 0.5),
            crystal=CrystalPlan(outline=outline), seed=np.random.SeedSequence(5),
        )
        for _ in range(2)
    )  # fmt: skip
    for a, b in zip(one.particles, two.particles, strict=True):
        np.testing.assert_array_equal(a.positions_nm, b.positions_nm)


def test_a_map_without_anything_inside_is_refused() -> None:
    empty = OccupancyMap(occupancy=np.full((5, 5, 5), 0.1), voxel_nm=0.2, cutoff=0.5)
    with pytest.raises(PhysicsError, match="cutoff"):
        outline_of(empty)


def dumbbell() -> OccupancyMap:
    """Two balls that overlap: neither a spheroid nor convex."""
    n = 61
    axis = (np.arange(n) - n // 2) * VOXEL
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    depth = np.maximum(
        BALLS[0] - np.linalg.norm(grid - CENTRE, axis=-1), BALLS[1] - np.linalg.norm(grid + CENTRE, axis=-1)
    )
    return OccupancyMap(occupancy=np.clip(0.5 + depth / 0.5, 0.0, 1.0), voxel_nm=VOXEL, cutoff=0.5)


CENTRE, BALLS = np.array([0.9, 0.6, 0.5]), (1.6, 1.3)


def two_balls(q: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Curve (1 at q = 0), volume and radius of gyration of the two balls, from all pairs of points on a fine grid."""
    step, n = 0.08, 72
    axis = (np.arange(n) - (n - 1) / 2) * step
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    filled = (np.linalg.norm(grid - CENTRE, axis=-1) < BALLS[0]) | (np.linalg.norm(grid + CENTRE, axis=-1) < BALLS[1])
    pairs = np.rint(np.fft.irfftn(np.abs(np.fft.rfftn(filled, (2 * n,) * 3)) ** 2, (2 * n,) * 3))
    k = np.minimum(np.arange(2 * n), 2 * n - np.arange(2 * n)) ** 2
    squares = (k[:, None, None] + k[None, :, None] + k[None, None, :]).ravel()
    count = np.bincount(squares, weights=pairs.ravel())
    r = step * np.sqrt(np.flatnonzero(count))
    count = count[count != 0] / filled.sum() ** 2
    return np.sinc(np.outer(q, r) / np.pi) @ count, float(filled.sum() * step**3), float(np.sqrt(0.5 * count @ r**2))


def cut_to(shape: OccupancyMap, diameters: np.ndarray, seed: int) -> AtomEnsemble:
    n = len(diameters)
    plan = SizePlan(diameter_nm=diameters, weights=diameters**-6.0 / (diameters**-6.0).sum(), error=0.0)
    outline = outline_of(shape)
    return build_ensemble(
        solid(), plan, mean_nm=4.0, std_nm=0.3, aspect_ratio=np.full(n, outline.aspect_ratio),
        shell_fraction=np.full((n, 5), 1.0), axis="001", crystal=CrystalPlan(outline=outline), seed=np.random.SeedSequence(seed),
    )  # fmt: skip


def test_atoms_cut_to_two_balls_scatter_like_them() -> None:
    shape = dumbbell()
    outline = outline_of(shape)
    ensemble = cut_to(shape, np.full(4, 4.0), 3)
    q = np.linspace(0.2, 2.0, 16)
    medium = solid().medium.electron_density_e_nm3
    at = particle_intensities(ensemble.particles, CHANTLER, [16.0], q, medium, medium_model="points")[:, 0]
    scale = 4.0 / (6.0 * outline.volume_nm3 / np.pi) ** (1 / 3)
    curve, volume, rg = two_balls(q * scale)
    assert outline.volume_nm3 == pytest.approx(volume, rel=0.01)
    ratio = at.mean(axis=0) / curve
    assert np.abs(ratio / ratio[:4].mean() - 1.0).max() < 0.02
    # radius of gyration of the sites: x = 1 everywhere
    found = [
        np.sqrt(((p.positions_nm - p.positions_nm.mean(axis=0)) ** 2).sum(axis=1).mean()) for p in ensemble.particles
    ]
    assert np.mean(found) == pytest.approx(scale * rg, rel=0.015)


def test_medium_as_points_is_that_of_the_body_and_a_constant() -> None:
    """For a spheroid, whose body has a closed formula. The cut of the medium is as rough as that of the atoms."""
    plan = plan_sizes(4.0, 0.0, 12, q_max_inv_nm=4.5)
    ensemble = build_ensemble(
        solid(), plan, mean_nm=4.0, std_nm=0.0, aspect_ratio=np.full(12, 1.4), shell_fraction=np.tile(np.linspace(0, 1, 5), (12, 1)),
        seed=np.random.SeedSequence(2),
    )  # fmt: skip
    q, medium = np.linspace(0.2, 4.5, 44), solid().medium.electron_density_e_nm3
    body, points, sites = (
        particle_intensities(ensemble.particles, CHANTLER, [16.0], q, medium, medium_model=model).mean(axis=0)[0]
        for model in ("body", "points", "sites")
    )

    def left(other: np.ndarray) -> np.ndarray:
        columns = np.stack([other / body, body[-1] / body], axis=1)
        return columns @ np.linalg.lstsq(columns, np.ones(len(q)), rcond=None)[0] - 1.0

    assert points[0] == pytest.approx(body[0], rel=1e-4)
    assert np.abs(points / body - 1.0).max() < 0.06
    assert np.abs(left(points)).max() < 0.01
    assert np.abs(left(sites)).max() > 0.012  # the Gaussians of the sites damp the medium


@pytest.mark.slow
def test_error_of_few_particles_of_one_outline_is_what_other_particles_show() -> None:
    shape = dumbbell()
    diameters = np.repeat([3.0, 3.4, 3.8, 4.2], 2)
    q = np.linspace(0.5, 4.0, 40)
    curve = ScatteringCurve(
        q_inv_nm=q, intensity=np.ones_like(q), sigma=np.ones_like(q), energy_kev=16.0, label="curve"
    )
    one, two = (predict(cut_to(shape, diameters, seed), solid(), CHANTLER, [curve]) for seed in (1, 2))
    error = np.sqrt((one.patterns**2).sum(axis=1) + (two.patterns**2).sum(axis=1))
    z = (one.mean - two.mean) / error
    # the points hang together, so that z scatters more than that of 40 independent ones
    assert 0.3 < np.sqrt((z**2).mean()) < 2.0
    # held against plain spheroids, the form of the body would pass for an error
    wrong = predict(replace(cut_to(shape, diameters, 1), body="spheroid"), solid(), CHANTLER, [curve])
    relative = np.sqrt((one.patterns**2).sum(axis=1)) / one.mean
    blamed = np.sqrt((wrong.patterns**2).sum(axis=1)) / one.mean
    assert np.median(relative[q > 1.5]) < 0.5 * np.median(blamed[q > 1.5])


def test_form_of_bodies_of_one_outline_cancels() -> None:
    q = np.linspace(0.3, 4.0, 200)
    diameters = np.array([3.0, 3.5, 4.0, 4.5])
    shells = np.stack([d**6 * np.exp(-((q * d) ** 2) / 20.0) for d in diameters])
    atoms = shells * (1.0 + 0.3 * np.sin(np.outer(diameters, q)))
    factor = form_of_the_others(q, diameters, np.full(4, 0.25), atoms, shells)
    covered = np.outer(diameters, q) < 3.9 * q[-1]
    covered[-1] = diameters[-1] * q < 3.9 * q[-1]
    low = np.outer(diameters, q) > 1.1 * diameters[1] * q[0]
    assert np.abs(factor * shells / atoms - 1.0)[covered & low].max() < 2e-3
    assert form_of_the_others(q, diameters[:1], np.ones(1), atoms[:1], shells[:1]) == pytest.approx(1.0)


def test_even_cubes_scatter_in_a_medium_as_in_vacuum_but_for_a_factor() -> None:
    """One composition everywhere: the medium takes the same share away wherever the cut goes."""
    n, diameter = 4, 4.0
    plan = SizePlan(diameter_nm=np.full(n, diameter), weights=np.full(n, 1 / n), error=0.0)
    ensemble = build_ensemble(
        solid(), plan, mean_nm=diameter, std_nm=0.0, aspect_ratio=np.ones(n), shell_fraction=np.ones((n, 5)), axis="001",
        structure="zincblende", crystal=CrystalPlan(facets={"{100}": 1.0}), seed=np.random.SeedSequence(4),
    )  # fmt: skip
    assert ensemble.body == "facets"
    q = np.linspace(0.3, 2.6, 24)
    vacuum = particle_intensities(ensemble.particles, CHANTLER, [16.0], q, 0.0, medium_model=None)[:, 0].mean(axis=0)
    curve = ScatteringCurve(
        q_inv_nm=q, intensity=np.ones_like(q), sigma=np.ones_like(q), energy_kev=16.0, label="curve"
    )

    def off(e: AtomEnsemble) -> float:
        found = predict(e, solid(), CHANTLER, [curve]).mean / vacuum
        return float(np.abs(found / found[:4].mean() - 1.0).max())

    assert off(ensemble) < 0.03
    assert off(replace(ensemble, body="spheroid")) > 3.0 * off(ensemble)
