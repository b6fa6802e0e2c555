"""Crystals cut to an occupancy map: the outline, what is cut to it, and what that scatters."""

from __future__ import annotations

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, solid

from nanostrata.domain.shape import OccupancyMap
from nanostrata.errors import PhysicsError
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.crystal_plan import CrystalPlan
from nanostrata.models.ensemble import build_ensemble, plan_sizes
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
