"""Particles of atoms: lattice, cut, trim, volume, composition, charge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial import cKDTree

from nanostrata.domain import Medium, ShellProfile
from nanostrata.errors import PhysicsError
from nanostrata.kernels.lattice_cut import share_out
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_cells import parse_direction, unit_cell
from nanostrata.models.materials import make_material
from nanostrata.stages.build_atoms import build_from_profile, build_particle

VACUUM = Medium(name="vacuum", electron_density_e_nm3=0.0)


def _solid(core, shell=None) -> SolidSolution:
    first = make_material(*core, partner=shell[0] if shell else None)
    second = make_material(*shell, partner=core[0]) if shell else None
    return SolidSolution(core=first, shell=second, medium=VACUUM)


AGINSE = ("Ag2In4Se7", "wurtzite", 0.426, 0.702)
ZNSE = ("ZnSe", "wurtzite", 0.400, 0.655)
PAIR = _solid(AGINSE, ZNSE)

LATTICES = {
    # coordination, shortest distance in units of a
    "wurtzite": (_solid(ZNSE), 4, 0.375 * 0.655 / 0.400),
    "zincblende": (_solid(("ZnSe", "zincblende", 0.5668)), 4, math.sqrt(3) / 4),
    "rocksalt": (_solid(("PbS", "rocksalt", 0.5936)), 6, 0.5),
    "diamond": (_solid(("Si", "diamond", 0.5431)), 4, math.sqrt(3) / 4),
    "fcc": (_solid(("Pt", "fcc", 0.3924)), 12, math.sqrt(0.5)),
    "bcc": (_solid(("Fe", "bcc", 0.2866)), 8, math.sqrt(3) / 2),
    "hcp": (_solid(("Co", "hcp", 0.2507, 0.4069)), 12, 1.0),
}


def _gradient(s):
    return 0.02 + 0.9 * s**4


@pytest.mark.parametrize("structure", LATTICES)
def test_inner_atoms_have_the_coordination_of_the_lattice(structure):
    solid, coordination, shortest = LATTICES[structure]
    model = build_particle(solid, semi_axes_nm=(1.5, 1.5, 1.5), x_of_s=np.zeros_like, rng=np.random.default_rng(1))
    a = float(model.info["a_nm"])
    assert a == pytest.approx(solid.core.lattice_nm[0], rel=1e-6)
    tree = cKDTree(model.positions_nm)
    inner = np.flatnonzero(model.radius_fraction < 0.6)
    # wurtzite away from the ideal c/a has one bond of another length, hcp two distances: 5 % covers both
    counts = [len(tree.query_ball_point(model.positions_nm[k], 1.06 * shortest * a)) - 1 for k in inner]
    assert set(counts) == {coordination}
    distances, _ = tree.query(model.positions_nm, k=2)
    assert distances[:, 1].min() == pytest.approx(shortest * a, rel=0.03)


def test_every_kept_atom_has_two_bonds():
    rng = np.random.default_rng(2)
    model = build_particle(LATTICES["zincblende"][0], semi_axes_nm=(1.8, 1.8, 1.8), x_of_s=np.zeros_like, rng=rng)
    bond = float(model.info["a_nm"]) * math.sqrt(3) / 4
    tree = cKDTree(model.positions_nm)
    bonds = [len(x) - 1 for x in tree.query_ball_point(model.positions_nm, 1.2 * bond)]
    assert min(bonds) >= 2


@pytest.mark.parametrize("x_of_s", [_gradient, lambda s: np.full_like(s, 0.3)])
def test_sites_take_the_volume_of_the_ellipsoid(x_of_s):
    rng = np.random.default_rng(3)
    diameters = []
    for _ in range(12):
        model = build_particle(PAIR, semi_axes_nm=(1.8, 1.8, 2.2), x_of_s=x_of_s, axis="110", rng=rng)
        # within one or two of the roughly 1250 sites
        diameters.append((6.0 * model.site_volume_nm3.sum() / math.pi) ** (1 / 3))
        assert model.info["diameter_nm"] == pytest.approx(diameters[-1])
    wanted = 2.0 * (1.8 * 1.8 * 2.2) ** (1 / 3)
    assert np.mean(diameters) == pytest.approx(wanted, rel=1e-3)
    assert np.std(diameters) < 3e-3 * wanted


def test_graded_lattice_has_vegards_density_at_every_radius():
    rng = np.random.default_rng(4)
    counted, expected = np.zeros(4), np.zeros(4)
    edges = np.array([0.0, 0.55, 0.75, 0.9, 1.0]) * 2.0
    for _ in range(60):
        model = build_particle(PAIR, semi_axes_nm=(2.0, 2.0, 2.0), x_of_s=_gradient, rng=rng)
        r = np.sqrt((model.positions_nm**2).sum(axis=1))
        counted += np.histogram(r, edges)[0]
    fine = np.linspace(0, 2.0, 20001)
    mid = 0.5 * (fine[1:] + fine[:-1])
    per_bin = 2.0 * 4 * math.pi * mid**2 * np.diff(fine) / PAIR.site_volume_nm3(_gradient(mid / 2.0))
    expected = 60 * np.histogram(mid, edges, weights=per_bin)[0]
    np.testing.assert_allclose(counted[:3], expected[:3], rtol=0.004)
    # trimming takes some sites from the last layer, which the cut makes good just outside
    assert counted[3] == pytest.approx(expected[3], rel=0.05)


def test_mean_lattice_is_one_undistorted_crystal():
    model = build_particle(
        PAIR, semi_axes_nm=(1.8, 1.8, 1.8), x_of_s=_gradient, rng=np.random.default_rng(5), lattice="mean"
    )
    assert np.ptp(model.site_volume_nm3) == 0.0
    d, _ = cKDTree(model.positions_nm).query(model.positions_nm, k=2)
    assert np.ptp(d[:, 1]) < 0.02 * d[:, 1].mean()


def test_composition_follows_the_profile_to_within_single_atoms():
    rng = np.random.default_rng(6)
    model = build_particle(PAIR, semi_axes_nm=(2.0, 2.0, 2.0), x_of_s=_gradient, axis="110", rng=rng)
    symbols = np.array(model.symbols)
    cation = symbols != "Se"
    x = _gradient(np.minimum(model.radius_fraction[cation], 1.0))
    for element, share in {"Zn": x, "Ag": (1 - x) * 2 / 7, "In": (1 - x) * 4 / 7, "X": (1 - x) / 7}.items():
        got = np.count_nonzero(symbols == element)
        assert abs(got - share.sum()) <= 1.0, element
    # and in the outer half alone: at most one atom of each kind per boundary, plus the bin that straddles it
    outer = cation & (model.radius_fraction > 0.8)
    wanted = _gradient(np.minimum(model.radius_fraction[outer], 1.0)).sum()
    assert np.count_nonzero(symbols[outer] == "Zn") == pytest.approx(wanted, abs=12)


def test_neighbours_are_random_within_the_quota():
    # the chance that a cation next to Zn is Zn is that of the alloy, not that of an ordered pattern
    rng = np.random.default_rng(7)
    same, pairs = 0, 0
    for _ in range(6):
        model = build_particle(PAIR, semi_axes_nm=(1.9, 1.9, 1.9), x_of_s=lambda s: np.full_like(s, 0.5), rng=rng)
        zinc = np.array([s == "Zn" for s in model.symbols])
        cation = np.array([s != "Se" for s in model.symbols])
        where = model.positions_nm[cation]
        kind = zinc[cation]
        near = cKDTree(where).query_pairs(0.45, output_type="ndarray")
        same += np.count_nonzero(kind[near[:, 0]] == kind[near[:, 1]])
        pairs += len(near)
    assert pairs > 10000
    assert same / pairs == pytest.approx(0.5, abs=0.03)


def test_charge_of_a_stoichiometric_mixture_is_that_of_its_surface():
    rng = np.random.default_rng(8)
    for _ in range(5):
        model = build_particle(PAIR, semi_axes_nm=(1.9, 1.9, 1.9), x_of_s=_gradient, rng=rng)
        symbols = np.array(model.symbols)
        excess = np.count_nonzero(symbols != "Se") - np.count_nonzero(symbols == "Se")
        # every cation site carries +2 on average (Zn; 2 Ag + 4 In + 1 vacancy on seven sites)
        assert model.info["charge_e"] == pytest.approx(2 * excess, abs=6)


def test_unique_axis_is_z_and_follows_the_lattice_direction():
    rng = np.random.default_rng(9)
    model = build_particle(_solid(ZNSE), semi_axes_nm=(1.4, 1.4, 2.4), x_of_s=np.zeros_like, axis="001", rng=rng)
    assert np.ptp(model.positions_nm[:, 2]) == pytest.approx(4.8, abs=0.6)
    assert np.ptp(model.positions_nm[:, 0]) == pytest.approx(2.8, abs=0.35)
    # along c the atoms of wurtzite lie in layers c/2 apart (two sublattices, 3/8 c shifted): along 110 they do not
    z = model.positions_nm[:, 2] / (0.655 / 2)
    assert abs(np.exp(2j * np.pi * z).mean()) > 0.7
    other = build_particle(_solid(ZNSE), semi_axes_nm=(1.4, 1.4, 2.4), x_of_s=np.zeros_like, axis="110", rng=rng)
    assert abs(np.exp(2j * np.pi * other.positions_nm[:, 2] / (0.655 / 2)).mean()) < 0.2


def test_directions_and_plane_normals():
    cell, _, _ = unit_cell(PAIR, "wurtzite", 1.0, float(PAIR.site_volume_nm3(1.0)))
    along = parse_direction(cell, "110")
    assert along @ cell[0] == pytest.approx(along @ cell[1])
    # the normal of (100) stands upright on b and c, the direction [100] does not
    normal = parse_direction(cell, "(100)")
    assert abs(normal @ cell[1]) < 1e-12
    assert abs(normal @ cell[2]) < 1e-12
    assert abs(parse_direction(cell, "[100]") @ cell[1]) > 0.1 * np.linalg.norm(cell[1])
    np.testing.assert_allclose(parse_direction(cell, "1-10"), parse_direction(cell, "1 -1 0"))


@pytest.mark.parametrize("axis", ["11", "abc", "000", "1 1", "1101"])
def test_unreadable_directions_are_refused(axis):
    with pytest.raises(PhysicsError, match="three integers"):
        parse_direction(np.eye(3), axis)


def test_step_profile_is_built_shell_by_shell():
    profile = ShellProfile(edges_nm=np.array([0.8, 1.4, 2.0]), shell_fraction=np.array([0.0, 0.2, 1.0]))
    model = build_from_profile(PAIR, profile, 1.2, None, "110", np.random.default_rng(10))
    symbols = np.array(model.symbols)
    assert model.semi_axes_nm[2] / model.semi_axes_nm[0] == pytest.approx(1.2)
    assert np.prod(model.semi_axes_nm) == pytest.approx(8.0)
    inner = symbols[model.radius_fraction < 0.38]
    outer = symbols[model.radius_fraction > 0.75]
    assert "Zn" not in inner
    assert set(outer) == {"Zn", "Se"}
    assert sorted(set(model.shell_index.tolist())) == [1, 2, 3]


def test_same_seed_same_particle():
    first, second, other = (
        build_particle(PAIR, semi_axes_nm=(1.5, 1.5, 1.5), x_of_s=_gradient, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert first.symbols == second.symbols
    np.testing.assert_array_equal(first.positions_nm, second.positions_nm)
    assert other.symbols != first.symbols


def test_impossible_requests_are_refused():
    rng = np.random.default_rng(11)
    with pytest.raises(PhysicsError, match=r"0\.\.1"):
        build_particle(PAIR, semi_axes_nm=(1.5, 1.5, 1.5), x_of_s=lambda s: 2 * s, rng=rng)
    with pytest.raises(PhysicsError, match="sublattice"):
        build_particle(PAIR, semi_axes_nm=(1.5, 1.5, 1.5), x_of_s=_gradient, structure="fcc", rng=rng)
    with pytest.raises(PhysicsError, match="perovskite"):
        build_particle(PAIR, semi_axes_nm=(1.5, 1.5, 1.5), x_of_s=_gradient, structure="perovskite", rng=rng)
    with pytest.raises(PhysicsError, match="unit cells"):
        build_particle(PAIR, semi_axes_nm=(0.1, 0.1, 0.1), x_of_s=_gradient, rng=rng)
    with pytest.raises(PhysicsError, match="rng"):
        build_from_profile(PAIR, ShellProfile(edges_nm=np.array([2.0]), shell_fraction=np.array([0.5])))


def test_quota_is_exact_and_never_negative():
    rng = np.random.default_rng(12)
    for _ in range(20):
        m = int(rng.integers(1, 400))
        p = rng.dirichlet(np.full(4, 0.3), size=m)
        kinds = share_out(p, rng.random(m), rng)
        counts = np.bincount(kinds, minlength=4)
        assert counts.sum() == m
        assert np.abs(counts - p.sum(axis=0)).max() <= 1.0 + 1e-9
