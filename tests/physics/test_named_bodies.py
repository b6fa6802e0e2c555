"""Simple bodies: their curves against the autocorrelation of voxels, and which of them explain a curve."""

import numpy as np
import pytest
from tests.shapes import body_curve, spheroid_curve, with_noise

from nanostrata.errors import PhysicsError
from nanostrata.models.named_bodies import (
    WITH_ASPECT,
    NamedBody,
    body_intensity,
    cut_body,
    fit_named_bodies,
    sharp_body,
    told_bodies,
)

X = np.linspace(0.05, 9.0, 40)
A = 0.375 ** (1 / 3)
INSIDE = {
    "cube": (lambda x, y, z: np.maximum(np.maximum(abs(x), abs(y)), abs(z)) <= 0.5, 1.0, 1.0),
    "octahedron": (lambda x, y, z: abs(x) + abs(y) + abs(z) <= 0.75 ** (1 / 3), 1.83, 1.0),
    "tetrahedron": (
        lambda x, y, z: (x - y + z <= A) & (x + y - z <= A) & (y + z - x <= A) & (-x - y - z <= A), 2.0 * A, 1.0,
    ),
    "cylinder": (
        lambda x, y, z: (x * x + y * y <= (4 * np.pi) ** (-2 / 3)) & (abs(z) <= 2 * (4 * np.pi) ** (-1 / 3)), 1.74, 2.0,
    ),
    "square prism": (
        lambda x, y, z: (np.maximum(abs(x), abs(y)) <= 0.5 * 2 ** (-1 / 3)) & (abs(z) <= 2 ** (-1 / 3)), 1.59, 2.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_curves_by_the_autocorrelation_of_voxels(name):
    inside, size, aspect = INSIDE[name]
    mine = body_intensity(name, X, aspect)
    # voxels make a body a little too large or small: that much is let go, by the volume that fits best
    errors = [
        np.abs(mine - body_curve(X * scale, inside, 1.02 * size, steps=72)).max()
        for scale in np.linspace(0.984, 1.016, 9)
    ]
    assert min(errors) < 4e-3
    assert mine[0] == pytest.approx(1.0, abs=2e-3)
    assert mine[-1] < 0.05


def test_tails_fall_as_porod_says():
    """Averaged over the oscillations x^4 P goes to 2 pi S for volume 1."""
    x = np.linspace(14.0, 20.0, 241)
    for name, surface in (("cube", 6.0), ("octahedron", 5.7191), ("tetrahedron", 7.2056)):
        found = (x**4 * body_intensity(name, x)).mean() / (2 * np.pi * surface)
        assert found == pytest.approx(1.0, abs=0.12), name


def test_spheroid_and_ball_by_the_other_code():
    q = X / (4 / 3 * np.pi * 8) ** (1 / 3)
    np.testing.assert_allclose(body_intensity("spheroid", X, 1.7), spheroid_curve(q, 2.0, 1.7, 0.0), atol=1e-6)
    np.testing.assert_allclose(body_intensity("ball", X), spheroid_curve(q, 2.0, 1.0, 0.0), atol=1e-9)


@pytest.mark.parametrize(
    "name, aspect, spread", [("tetrahedron", 1.0, 0.0), ("cube", 1.0, 0.05), ("spheroid", 1.6, 0.0)]
)
def test_the_body_behind_a_curve_is_named_with_its_volume(name, aspect, spread):
    from nanostrata.kernels.bead_field import relative_sizes

    q, volume = np.linspace(0.3, 6.0, 150), 33.0
    lam, w = relative_sizes(spread)
    exact = sum(
        wi * m**6 * body_intensity(name, m * q * volume ** (1 / 3), aspect) for m, wi in zip(lam, w, strict=True)
    )
    y, s = with_noise(exact / (w * lam**6).sum(), 4)
    found = fit_named_bodies(q, y, s, 36.0, spread=spread)
    assert (found[0].name, found[0].explains) == (name, True)
    assert found[0].volume_nm3 == pytest.approx(volume, rel=0.01)
    assert found[0].aspect == pytest.approx(aspect, rel=0.02)
    assert not any(b.explains for b in found if b.name not in (name, *WITH_ASPECT))
    start = sharp_body(found)
    if name == "spheroid":
        assert start is None
        return
    assert start is not None
    assert start.name == name
    assert f"the runs start from the {name}" in told_bodies(found, start)


def test_no_body_explains_two_balls_side_by_side():
    q = np.linspace(0.3, 6.0, 150)
    y, s = with_noise(
        body_curve(q, lambda x, y, z: (x * x + y * y + (abs(z) - 1.25) ** 2) <= 1.7**2, 5.95, steps=64), 4
    )
    found = fit_named_bodies(q, y, s, 38.0)
    assert not any(b.explains for b in found)
    assert sharp_body(found) is None
    assert "none of 7 simple bodies" in told_bodies(found, None)


@pytest.mark.parametrize(
    "name, aspect", [("cube", 1.0), ("octahedron", 1.0), ("tetrahedron", 1.0), ("cylinder", 2.0), ("square prism", 0.5)]
)
def test_beads_cut_from_a_body_scatter_like_it(name, aspect):
    from nanostrata.models.beads import ensemble_curve

    model = cut_body(NamedBody(name=name, aspect=aspect, volume_nm3=33.0, chi2=1.0), 0.35, np.random.default_rng(0))
    assert model.volume_nm3 == pytest.approx(33.0, rel=0.01)
    moments = np.linalg.eigvalsh(np.cov(model.positions_nm.T))
    if name in ("cube", "octahedron", "tetrahedron"):
        assert moments.max() / moments.min() < 1.08
    q = np.linspace(0.1, 2.0, 20)
    exact = body_intensity(name, q * model.volume_nm3 ** (1 / 3), aspect)
    np.testing.assert_allclose(ensemble_curve(q, model.positions_nm, 0.35), exact, atol=0.02)


def test_unknown_and_round_bodies_are_refused():
    with pytest.raises(PhysicsError, match="is not one of"):
        body_intensity("egg", X)
    with pytest.raises(PhysicsError, match="with edges"):
        cut_body(NamedBody(name="ball", aspect=1.0, volume_nm3=1.0, chi2=1.0), 0.2, np.random.default_rng(0))


def test_the_verdict_says_that_agreement_comes_from_the_start():
    from nanostrata.stages.read_shape import read_shape

    cube = NamedBody(name="cube", aspect=1.0, volume_nm3=33.0, chi2=1.0)
    models = [cut_body(cube, 0.5, np.random.default_rng(k)) for k in range(3)]

    def verdict(start):
        return read_shape(
            models, resampled=[], naive=[], balls=[], found=[], found_aspect=None, found_diameter_nm=None, spread=0.0,
            rng=np.random.default_rng(0), start=start,
        ).verdict  # fmt: skip

    assert "started from a cube" in verdict("cube")
    assert "does not show that no other shape" in verdict("cube")
    assert "started" not in verdict("")
