"""Lattice mismatch: by hand, against peers, and as posterior."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import brentq, curve_fit

from nanostrata.domain import Medium
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_cells import parse_direction, unit_cell
from nanostrata.models.materials import make_material
from nanostrata.models.mismatch import (
    abrupt_mismatch,
    directions,
    exponential_depth_fit,
    layer_spacing,
    pair_density,
    shell_fraction_of_density,
    step_mismatch,
)
from nanostrata.pipeline.summary_mismatch import mismatch_summary
from nanostrata.stages.derive_mismatch import derive_mismatch

VACUUM = Medium(name="vacuum", electron_density_e_nm3=0.0)
ZB = "zincblende"


def solid(core, shell=None) -> SolidSolution:
    first = make_material(*core, partner=shell[0] if shell else None)
    second = make_material(*shell, partner=core[0]) if shell else None
    return SolidSolution(core=first, shell=second, medium=VACUUM)


AGINSE = solid(("Ag2In4Se7", "wurtzite", 0.426, 0.702), ("ZnSe", "wurtzite", 0.400, 0.655))
PBCDS = solid(("PbS", "rocksalt", 0.5936), ("CdS", ZB, 0.5818))
INPZNS = solid(("InP", ZB, 0.5869), ("ZnS", ZB, 0.5409))


def test_steps_by_hand():
    """a = 0.426, 0.413, 0.400 nm at x = 0, 1/2, 1; c = 0.702, 0.6785, 0.655 nm."""
    a, c = step_mismatch(AGINSE, [0.0, 0.5, 1.0])
    np.testing.assert_allclose(a, [100 * 13 / 426, 100 * 13 / 413])
    np.testing.assert_allclose(c, [100 * 23.5 / 702, 100 * 23.5 / 678.5])
    assert directions(AGINSE) == ("a", "c")


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (INPZNS, 100 * (0.5869 - 0.5409) / 0.5869),
        # rock salt and zinc blende both have a^3 / 4 per pair: the cube roots compare as the constants
        (PBCDS, 100 * (0.5936 - 0.5818) / 0.5936),
        (solid(("Pt", "fcc", 0.3924), ("Ni", "fcc", 0.3524)), 100 * (0.3924 - 0.3524) / 0.3924),
    ],
)
def test_abrupt_interfaces_of_cubic_lattices(pair, expected):
    assert directions(pair) == ("cubic",)
    assert abrupt_mismatch(pair) == (pytest.approx(expected),)


def test_different_structures_compare_by_volume():
    """Wurtzite CdS on rock salt PbS, one structure for the whole particle."""
    pair = solid(("PbS", "rocksalt", 0.5936), ("CdS", "wurtzite", 0.4136, 0.6713))
    core, shell = 0.5936**3 / 4, np.sqrt(3) / 4 * 0.4136**2 * 0.6713
    expected = 100 * (core ** (1 / 3) - shell ** (1 / 3)) / core ** (1 / 3)
    assert abrupt_mismatch(pair) == (pytest.approx(expected),)
    half = 0.5 * (core ** (1 / 3) + shell ** (1 / 3))
    (steps,) = step_mismatch(pair, [0.0, 0.5])
    assert steps[0] == pytest.approx(100 * (core ** (1 / 3) - half) / core ** (1 / 3))
    # as wurtzite the same in both directions
    assert abrupt_mismatch(pair, "wurtzite") == (pytest.approx(expected), pytest.approx(expected))


def test_no_step_no_mismatch_and_signs():
    for m in step_mismatch(AGINSE, np.full((3, 5), 0.4)):
        np.testing.assert_array_equal(m, np.zeros((3, 4)))
    outward, inward = (step_mismatch(AGINSE, x)[0][0] for x in ([0.2, 0.8], [0.8, 0.2]))
    assert outward > 0 > inward
    # the same difference, divided by the other lattice constant
    assert outward * (0.426 - 0.2 * 0.026) == pytest.approx(-inward * (0.426 - 0.8 * 0.026))


LATTICES = {
    "wurtzite": (solid(("ZnSe", "wurtzite", 0.400, 0.655)), "(001)"),
    "hcp": (solid(("Co", "hcp", 0.2507, 0.4069)), "(001)"),
    "zincblende": (solid(("ZnS", ZB, 0.541)), "(111)"),
    "fcc": (solid(("Pt", "fcc", 0.3924)), "(111)"),
    "rocksalt": (solid(("PbS", "rocksalt", 0.5936)), "(100)"),
    "bcc": (solid(("Fe", "bcc", 0.2866)), "(110)"),
    "diamond": (solid(("Si", "diamond", 0.5431)), "(111)"),
}


@pytest.mark.parametrize("structure", LATTICES)
def test_layer_spacing_is_that_of_the_planes_of_the_lattice(structure):
    """Heights of the sites of one sublattice over the plane, counted in a block of cells."""
    pair, plane = LATTICES[structure]
    cell, basis, sublattice = unit_cell(pair, structure, 0.0, pair.core.site_volume_nm3)
    normal = parse_direction(cell, plane)
    grid = np.array([(i, j, k) for i in range(-2, 3) for j in range(-2, 3) for k in range(-2, 3)])
    # of diamond one of its two fcc halves: a double layer counts once
    sites = basis[:4] if structure == "diamond" else basis[sublattice == sublattice.max()]
    heights = np.unique(((grid[:, None, :] + sites) @ cell @ normal).round(9))
    spacing, planes = layer_spacing(pair, 0.0)
    assert np.diff(heights).min() == pytest.approx(spacing, rel=1e-6)
    assert plane in planes


def test_density_of_pairs_and_back():
    assert pair_density(AGINSE, [1.0])[0] == pytest.approx(22.04, abs=0.005)
    x = np.linspace(0, 1, 41)
    np.testing.assert_allclose(shell_fraction_of_density(AGINSE, pair_density(AGINSE, x)), x, atol=1e-12)
    peer = brentq(lambda t: t / AGINSE.site_volume_nm3(np.array([t]))[0] - 5.0, 0, 1, xtol=1e-14)
    assert shell_fraction_of_density(AGINSE, 5.0) == pytest.approx(peer, abs=1e-11)
    np.testing.assert_array_equal(shell_fraction_of_density(AGINSE, [22.5, 40.0, 0.0]), [1.0, 1.0, 0.0])


def test_exponential_fit_agrees_with_a_peer():
    rng = np.random.default_rng(3)
    depth = np.array([1.8, 1.4, 1.0, 0.6, 0.2])
    density = np.exp(2.5 - 2.0 * depth) * (1 + 0.1 * rng.normal(size=(7, 5)))
    density[0, :2] = 0.0
    sigma = np.array([0.3, 0.3, 0.4, 0.5, 0.6])
    c1, c2 = exponential_depth_fit(depth, density, sigma)
    for k in range(7):
        (p1, p2), _ = curve_fit(
            lambda d, a, b: np.exp(a + b * d), depth, density[k], p0=(2.0, -2.0), sigma=sigma, xtol=1e-12, ftol=1e-12
        )
        assert c1[k] == pytest.approx(p1, abs=2e-4)
        assert c2[k] == pytest.approx(p2, abs=2e-4)
    exact1, exact2 = exponential_depth_fit(depth, np.exp(1.2 - 3.3 * depth), sigma)
    assert exact1[0] == pytest.approx(1.2, abs=1e-4)
    assert exact2[0] == pytest.approx(-3.3, abs=1e-4)
    nothing, _ = exponential_depth_fit(depth, np.zeros(5), sigma)
    assert nothing[0] == -np.inf


EDGES = np.arange(1, 6) * 0.41


def _draws(n=400, seed=1):
    rng = np.random.default_rng(seed)
    return np.clip(np.array([0.02, 0.1, 0.3, 0.65, 0.95]) + 0.02 * rng.normal(size=(n, 5)), 0, 1)


def test_posterior_goes_through_draw_by_draw():
    x = _draws()
    m = derive_mismatch(AGINSE, x, EDGES)
    assert m.directions == ("a", "c")
    assert m.percent[0].shape == (400, 4)
    a = 0.426 - 0.026 * x
    np.testing.assert_allclose(m.percent[0], 100 * (a[:, :-1] - a[:, 1:]) / a[:, :-1])
    np.testing.assert_allclose(m.maximum_percent(0), np.abs(m.percent[0]).max(axis=1))
    entry = mismatch_summary(m)[0]
    # d m / d x ~ 100 * 0.026 / 0.41 for each of two independent shells
    assert entry["percent"]["sigma"][2] == pytest.approx(np.sqrt(2) * 0.02 * 2.6 / 0.414, rel=0.1)
    assert entry["percent"]["value"][2] == pytest.approx(100 * 0.026 * 0.35 / (0.426 - 0.026 * 0.3), rel=0.02)


def test_layers_of_the_fitted_profile():
    """A profile linear in depth: every layer steps by the same dx."""
    r = np.linspace(0.0, 2.05, 200)
    x = np.tile(r / 2.05, (3, 1))
    m = derive_mismatch(AGINSE, _draws(3), EDGES, profile=(r, x))
    layers = m.layers[0]
    assert layers.source == "fitted profile"
    assert layers.planes == "(001), c/2"
    assert 0.5 * 0.655 < layers.spacing_nm < 0.5 * 0.702
    assert layers.depth_nm[-1] == pytest.approx(0.5 * layers.spacing_nm)
    np.testing.assert_allclose(np.diff(layers.depth_nm), -layers.spacing_nm)
    assert layers.depth_nm[0] < 2.05 <= layers.depth_nm[0] + layers.spacing_nm
    at = 1 - layers.depth_nm / 2.05
    a = 0.426 - 0.026 * at
    np.testing.assert_allclose(layers.percent[0][0], 100 * (a[:-1] - a[1:]) / a[:-1], rtol=1e-9)


def test_layers_of_the_exponential():
    """An exponential in gives the exponential back: the profile at the layers is the one that was put in."""
    middle = 2.05 - (EDGES - 0.205)
    x = shell_fraction_of_density(AGINSE, np.exp(2.6 - 1.5 * middle))
    draws = np.tile(x, (4, 1)) * np.array([[1.0], [1.0], [1.0], [1.0 + 1e-9]])
    m = derive_mismatch(AGINSE, draws, EDGES)
    centre, surface = m.layers
    assert (centre.source, surface.source) == ("exponential", "exponential from the surface")
    for layers in (centre, surface):
        expected = step_mismatch(AGINSE, shell_fraction_of_density(AGINSE, np.exp(2.6 - 1.5 * layers.depth_nm)))
        np.testing.assert_allclose(layers.percent[0][0], expected[0], atol=2e-3)
        assert layers.beyond_share == 0.0
    assert surface.depth_nm[-1] == 0.0
    steep = derive_mismatch(AGINSE, np.clip(_draws() * 1.3, 0, 1), EDGES)
    assert steep.layers[1].beyond_share > 0.5


def test_only_informed_interfaces_count_as_supported():
    labels = ("prior", "prior", "weak", "data", "data")
    m = derive_mismatch(AGINSE, _draws(), EDGES, informed_by=labels)
    assert m.supported.tolist() == [False, False, True, True]
    np.testing.assert_array_equal(m.maximum_supported_percent(1), np.abs(m.percent[1][:, 2:]).max(axis=1))
    none = derive_mismatch(AGINSE, _draws(), EDGES, informed_by=("prior",) * 5)
    assert none.maximum_supported_percent(0) is None
    assert mismatch_summary(none)[0]["maximum_supported_percent"] is None
    assert derive_mismatch(AGINSE, _draws(), EDGES).maximum_supported_percent(0) is None


def test_summary_has_the_keys_and_is_json():
    r = np.linspace(0.0, 2.05, 50)
    m = derive_mismatch(AGINSE, _draws(), EDGES, profile=(r, np.tile(r / 2.05, (400, 1))))
    entries = mismatch_summary(m)
    assert [e["direction"] for e in entries] == ["a", "c"]
    for e in entries:
        assert len(e["percent"]["value"]) == len(e["percent"]["interval68"]) == 4
        assert (
            e["maximum_percent"]["interval95"][0]
            < e["maximum_percent"]["value"]
            < e["maximum_percent"]["interval95"][1]
        )
        assert len(e["layers"]) == 3
        for layers in e["layers"]:
            assert len(layers["percent"]["value"]) == len(layers["depth_nm"]) - 1
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
    assert entries[0]["abrupt_percent"]["value"] == pytest.approx(6.10, abs=0.005)
    assert len(mismatch_summary(derive_mismatch(INPZNS, _draws(), EDGES))) == 1


def test_one_shell_has_no_steps():
    m = derive_mismatch(AGINSE, _draws()[:, :1], [2.05])
    entry = mismatch_summary(m)[0]
    assert entry["percent"]["value"] == []
    assert entry["maximum_percent"]["value"] == 0.0
    assert entry["layers"] == []


def test_structures_that_differ_are_noted():
    assert len(derive_mismatch(AGINSE, _draws(), EDGES).notes) == 1
    assert "cube root" in derive_mismatch(PBCDS, _draws(), EDGES).notes[1]


def test_bad_input_is_refused():
    with pytest.raises(PhysicsError, match="one material only"):
        derive_mismatch(solid(("ZnSe", ZB, 0.567)), _draws(), EDGES)
    with pytest.raises(PhysicsError, match="two or more draws of 5 shells"):
        derive_mismatch(AGINSE, _draws()[0], EDGES)
    with pytest.raises(PhysicsError, match=r"must lie in 0\.\.1"):
        derive_mismatch(AGINSE, _draws() + 0.5, EDGES)
    with pytest.raises(PhysicsError, match="expected 5 labels"):
        derive_mismatch(AGINSE, _draws(), EDGES, informed_by=("data",))
    with pytest.raises(PhysicsError, match="increasing radii"):
        derive_mismatch(AGINSE, _draws(), EDGES, profile=([1.0, 0.5], np.zeros((400, 2))))
