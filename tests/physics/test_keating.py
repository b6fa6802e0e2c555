"""Keating's model against its own gradient, closed formulas of elasticity, and Eshelby's misfitting sphere."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from tests.waxs_particles import solid_of, waxs_particle

from nanostrata.errors import ConvergenceError, PhysicsError
from nanostrata.models.bulk_elasticity import crystal_network, elastic_tensor
from nanostrata.models.crystal_body import Spheroid
from nanostrata.models.crystal_builder import build_crystal
from nanostrata.models.relaxation import relax_keating, relax_with_ase
from nanostrata.models.strain import local_strain, strain_profile
from nanostrata.models.valence_force_field import BondLaw, ForceField, bond_network, force_field
from nanostrata.tables.bond_stiffness import (
    ELASTIC,
    MARTIN_1970,
    cubic_constants,
    force_constants,
    tetrahedral_length_nm,
)

LENGTH = 0.2454
ZINCBLENDE = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * 4 * LENGTH / math.sqrt(3)
ZINCBLENDE_ATOMS = np.array([[0, 0, 0], [0.25, 0.25, 0.25]])


def one_law(alpha, beta, length=LENGTH):
    law = BondLaw(length_nm=length, alpha_n_m=alpha, beta_n_m=beta)
    return ForceField(laws={"Zn-Se": law}, cations=("Zn",), anions=("Se",))


def cadmium_zinc(alpha, beta, cadmium, zinc):
    laws = {
        "Cd-Se": BondLaw(length_nm=cadmium, alpha_n_m=alpha, beta_n_m=beta),
        "Zn-Se": BondLaw(length_nm=zinc, alpha_n_m=alpha, beta_n_m=beta),
    }
    return ForceField(laws=laws, cations=("Cd", "Zn"), anions=("Se",))


def wurtzite_cell():
    a = math.sqrt(8 / 3) * LENGTH
    cell = np.array([[a, 0, 0], [-a / 2, a * math.sqrt(3) / 2, 0], [0, 0, math.sqrt(8 / 3) * a]])
    cations = [(1 / 3, 2 / 3, 0.0), (2 / 3, 1 / 3, 0.5)]
    return cell, np.array(cations + [(x, y, z + 0.375) for x, y, z in cations])


CORE_SHELL = solid_of("CdSe", "wurtzite", 0.4299, 0.7010, shell=("CdS", "wurtzite", 0.4136, 0.6713))


def graded(s):
    return 0.05 + 0.9 * s**3


@pytest.fixture(scope="module")
def particle():
    return build_crystal(
        CORE_SHELL, body=Spheroid(semi_axes_nm=(1.2, 1.2, 1.6)), x_of_s=graded, rng=np.random.default_rng(5)
    )


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_forces_are_the_slope_of_the_energy(particle, engine):
    network, index = bond_network(particle, force_field(CORE_SHELL))
    rng = np.random.default_rng(2)
    at = particle.positions_nm[index] + 0.01 * rng.standard_normal((len(index), 3))
    _, gradient = network.energy_and_gradient(at, engine)
    step = 1e-5
    for atom, axis in zip(rng.integers(len(at), size=25), rng.integers(3, size=25), strict=True):
        up, down = at.copy(), at.copy()
        up[atom, axis] += step
        down[atom, axis] -= step
        slope = (network.energy_and_gradient(up, engine)[0] - network.energy_and_gradient(down, engine)[0]) / (2 * step)
        assert gradient[atom, axis] == pytest.approx(slope, rel=1e-6, abs=1e-6 * np.abs(gradient).max())


def test_both_engines_agree_and_nothing_depends_on_where_the_particle_is(particle):
    network, index = bond_network(particle, force_field(CORE_SHELL))
    at = particle.positions_nm[index] + 0.01 * np.random.default_rng(3).standard_normal((len(index), 3))
    energy, gradient = network.energy_and_gradient(at, "numba")
    other, again = network.energy_and_gradient(at, "numpy")
    assert other == pytest.approx(energy, rel=1e-12)
    np.testing.assert_allclose(again, gradient, rtol=1e-9, atol=1e-12)
    turn = Rotation.from_rotvec([0.4, -1.1, 0.3]).as_matrix()
    turned, twisted = network.energy_and_gradient(at @ turn.T + [0.3, -0.2, 1.0], "numba")
    assert turned == pytest.approx(energy, rel=1e-12)
    np.testing.assert_allclose(twisted, gradient @ turn.T, atol=1e-10)
    # neither a net force nor a net torque
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(np.cross(at, gradient).sum(axis=0), 0, atol=1e-10)


@pytest.mark.parametrize(("alpha", "beta"), [(35.24, 4.23), (44.92, 4.78), (20.0, 20.0), (48.5, 13.81)])
def test_zinc_blende_has_the_elastic_constants_of_the_closed_formulas(alpha, beta):
    network = crystal_network(ZINCBLENDE, ZINCBLENDE_ATOMS, ["Zn", "Se"], one_law(alpha, beta), 1.3 * LENGTH)
    found = elastic_tensor(ZINCBLENDE, ZINCBLENDE_ATOMS @ ZINCBLENDE, network)
    c11, c12, c44 = cubic_constants(alpha, beta, LENGTH)
    expected = np.zeros((6, 6))
    expected[:3, :3] = c12
    expected[range(3), range(3)] = c11
    expected[range(3, 6), range(3, 6)] = c44
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * c11)
    # without internal strain C44 is larger: sqrt(3)/4d (alpha + beta)
    stiff = elastic_tensor(ZINCBLENDE, ZINCBLENDE_ATOMS @ ZINCBLENDE, network, relaxed=False)
    assert stiff[3, 3] == pytest.approx(math.sqrt(3) / (4 * LENGTH) * (alpha + beta), rel=1e-5)


@pytest.mark.parametrize(("alpha", "beta"), [(32.22, 4.56), (31.3, 3.13)])
def test_wurtzite_is_the_laminate_of_its_two_kinds_of_layers(alpha, beta):
    """Layers of cubic material turned by 60 degrees by turns: in-plane shear makes opposite shears across the layers."""
    cell, fractional = wurtzite_cell()
    network = crystal_network(cell, fractional, ["Zn", "Zn", "Se", "Se"], one_law(alpha, beta), 1.3 * LENGTH)
    found = elastic_tensor(cell, fractional @ cell, network)
    c11, c12, c44 = cubic_constants(alpha, beta, LENGTH)
    trigonal14 = math.sqrt(2) / 6 * (c11 - c12 - 2 * c44)
    across = (c11 - c12 + c44) / 3
    given_up = trigonal14**2 / across
    expected = {
        (0, 0): (c11 + c12 + 2 * c44) / 2 - given_up,
        (0, 1): (c11 + 5 * c12 - 2 * c44) / 6 + given_up,
        (0, 2): (c11 + 2 * c12 - 2 * c44) / 3,
        (2, 2): (c11 + 2 * c12 + 4 * c44) / 3,
        (3, 3): across,
        (5, 5): (c11 - c12 + 4 * c44) / 6 - given_up,
    }
    for place, value in expected.items():
        assert found[place] == pytest.approx(value, rel=1e-4), place
    assert found[4, 4] == pytest.approx(found[3, 3], rel=1e-6)


@pytest.mark.parametrize("pair", ["Zn-S", "Zn-Se", "Zn-Te", "Cd-Te", "In-P", "Si-Si"])
def test_force_constants_give_back_what_was_measured(pair):
    measured = ELASTIC[pair]
    c11, c12, _ = cubic_constants(*force_constants(measured), measured.length_nm)
    assert (c11, c12) == (pytest.approx(measured.c11_gpa), pytest.approx(measured.c12_gpa))


@pytest.mark.parametrize("pair", ["Cd-S", "Cd-Se"])
def test_hexagonal_force_constants_give_back_both_moduli(pair):
    measured = ELASTIC[pair]
    c11, c12, c44 = cubic_constants(*force_constants(measured), measured.length_nm)
    assert (c11 + 2 * c12) / 3 == pytest.approx(measured.bulk_gpa)
    assert (c11 - c12 + 3 * c44) / 5 == pytest.approx(measured.shear_gpa)


@pytest.mark.parametrize("pair", ["Cd-S", "Cd-Se"])
def test_all_five_constants_of_wurtzite_come_near_those_measured(pair):
    """Two force constants, taken from two means; the other three constants are predictions."""
    measured = ELASTIC[pair]
    cell, fractional = wurtzite_cell()
    cell = cell * measured.length_nm / LENGTH
    law = one_law(*force_constants(measured), measured.length_nm)
    network = crystal_network(cell, fractional, ["Zn", "Zn", "Se", "Se"], law, 1.3 * measured.length_nm)
    found = elastic_tensor(cell, fractional @ cell, network)
    assert found[0, 0] == pytest.approx(measured.c11_gpa, rel=0.02)
    assert found[0, 1] == pytest.approx(measured.c12_gpa, rel=0.03)
    assert found[0, 2] == pytest.approx(measured.c13_gpa, rel=0.05)
    assert found[2, 2] == pytest.approx(measured.c33_gpa, rel=0.07)
    assert found[3, 3] == pytest.approx(measured.c44_gpa, rel=0.05)


def test_vacancies_make_the_crystal_soft():
    """One empty cation site in seven takes about half of the bulk modulus: the warning of a run says so."""
    from scipy.spatial import cKDTree

    from nanostrata.models.valence_force_field import make_network

    alpha, beta = force_constants(ELASTIC["Zn-Se"])
    edge = 2 * 4 * LENGTH / math.sqrt(3)
    cubic = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    cells = np.array(list(itertools.product(range(2), repeat=3)))
    cations = (cubic[None] + cells[:, None]).reshape(-1, 3) / 2
    found = []
    for seed, count in ((0, 27), (1, 28), (2, 27), (3, 28)):
        kept = np.random.default_rng(seed).permutation(32)[:count]
        at = np.concatenate([cations[kept], cations + 0.125]) % 1.0 * edge
        pairs = cKDTree(at, boxsize=edge).query_pairs(1.3 * LENGTH, output_type="ndarray").astype(np.int64)
        pairs.sort(axis=1)
        gap = at[pairs[:, 1]] - at[pairs[:, 0]]
        network = make_network(["Zn"] * count + ["Se"] * 32, pairs, -np.round(gap / edge) * edge, one_law(alpha, beta))
        c = elastic_tensor(np.eye(3) * edge, at, network)
        found.append(c[:3, :3].sum() / 9)
    assert np.mean(found) / ELASTIC["Zn-Se"].bulk_gpa == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("pair", MARTIN_1970)
def test_martins_constants_and_ours_describe_the_same_crystal(pair):
    """Martin's alpha and beta hold beside Coulomb forces; with those, S C0 taken from C11 - C12, they give C11 + 2 C12."""
    alpha, beta = MARTIN_1970[pair]
    measured = ELASTIC[pair]
    unit = math.sqrt(3) / measured.length_nm
    coulomb = (measured.c11_gpa - measured.c12_gpa - unit * beta) / 0.053
    bulk = unit / 4 * (3 * alpha + beta) - 0.355 * coulomb
    assert coulomb > 0
    assert bulk == pytest.approx(measured.c11_gpa + 2 * measured.c12_gpa, rel=0.02)


def test_an_isotropic_misfitting_core_is_strained_as_by_elasticity():
    """alpha = beta makes zinc blende isotropic; the core of another length in a sphere is Lame's problem."""
    misfit, stiffness = 0.005, 30.0
    radius, share = 4.0, 0.55
    solid = solid_of("CdSe", "zincblende", 0.5668, shell=("ZnSe", "zincblende", 0.5669))
    particle = build_crystal(
        solid, body=Spheroid(semi_axes_nm=(radius,) * 3), x_of_s=lambda s: np.where(s < share, 0.0, 1.0),
        rng=np.random.default_rng(4), lattice="mean",
    )  # fmt: skip
    free = tetrahedral_length_nm(float(particle.site_volume_nm3[0]) * 2)
    field = cadmium_zinc(stiffness, stiffness, free * (1 + misfit), free)
    relaxed, report = relax_keating(particle, field)
    assert report.max_force_nn <= report.tolerance_nn
    c11, c12, c44 = cubic_constants(stiffness, stiffness, free)
    bulk, shear = (c11 + 2 * c12) / 3, c44
    assert 2 * c44 == pytest.approx(c11 - c12)
    core, outer = share * radius, float(particle.info["diameter_nm"]) / 2
    c = 3 * bulk * misfit * core**3 / (3 * bulk + 4 * shear)
    b = 4 * shear * c / (3 * bulk * outer**3)
    volume = np.full(len(particle), 16 * free**3 / (3 * math.sqrt(3)))
    profile = strain_profile(relaxed, field, bins=16, unstrained=[volume])
    # half a bond away from the interface and from the free surface
    inside = profile.radius_nm < core - 0.3
    outside = (profile.radius_nm > core + 0.3) & (profile.radius_nm < outer - 0.5)
    assert inside.sum() > 3
    assert outside.sum() > 3
    np.testing.assert_allclose(profile.dilation[inside], b + c / core**3, rtol=0.02)
    r = profile.radius_nm[outside]
    np.testing.assert_allclose(profile.radial[outside], b - 2 * c / r**3, atol=0.03 * misfit)
    np.testing.assert_allclose(profile.tangential[outside], b + c / r**3, atol=0.03 * misfit)


def test_a_random_alloy_keeps_vegards_rule():
    """64 atoms of Cd(x)Zn(1-x)Se in a box that finds its size: linear between the ends to a hundredth of the mismatch."""
    cadmium, zinc = 0.2631, 0.2454
    cubic = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    cells = np.array(list(itertools.product(range(2), repeat=3)))
    cations = (cubic[None] + cells[:, None]).reshape(-1, 3) / 2
    fractional = np.concatenate([cations, cations + 0.125])
    rng = np.random.default_rng(8)
    ratio = []
    for share in (0.25, 0.5, 0.75):
        length = share * cadmium + (1 - share) * zinc
        box = np.eye(3) * 8 * length / math.sqrt(3)
        n = round(32 * share)
        symbols = list(rng.permutation(["Cd"] * n + ["Zn"] * (32 - n))) + ["Se"] * 32
        network = crystal_network(box, fractional, symbols, cadmium_zinc(31.0, 4.0, cadmium, zinc), 1.3 * length)
        start = fractional @ box

        def cost(flat, network=network, start=start):
            # the last variable stretches the box; atoms move in the unstretched one
            scale, move = 1 + flat[-1], flat[:-1].reshape(-1, 3)
            vectors = scale * network.vectors_nm(start + move)
            from nanostrata.kernels.keating import keating, to_atoms

            energy, g = keating(
                vectors, network.length_nm, network.alpha_n_m, network.angles, network.beta_n_m, engine="numpy"
            )
            by_scale = (g * network.vectors_nm(start + move)).sum()
            return energy, np.append(scale * to_atoms(g, network.bonds, network.atoms).ravel(), by_scale)

        found = minimize(cost, np.zeros(3 * 64 + 1), jac=True, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 0.0})
        ratio.append(found.x[-1] * length / (cadmium - zinc))
    # cells of this size scatter a little with the arrangement
    assert np.abs(ratio).max() < 0.02


def test_a_homogeneous_particle_finds_its_lattice_again():
    solid = solid_of("ZnSe", "zincblende", 0.5668)
    ideal = waxs_particle(solid, diameter_nm=3.0)
    field = force_field(solid)
    rng = np.random.default_rng(6)
    from dataclasses import replace

    shaken = replace(ideal, positions_nm=ideal.positions_nm + 0.01 * rng.standard_normal((len(ideal), 3)))
    relaxed, report = relax_keating(shaken, field)
    assert report.energy_before_ev > 10
    assert report.energy_ev < 1e-5
    assert report.bond_length_nm["Zn-Se"] == pytest.approx(tetrahedral_length_nm(0.5668**3 / 4), rel=1e-5)
    assert report.bond_length_std_nm["Zn-Se"] < 1e-5
    network, index = bond_network(relaxed, field)
    _, strain = local_strain(relaxed.positions_nm[index], network, np.full(len(index), LENGTH))
    assert np.abs(strain - strain[0]).max() < 1e-3


def test_order_of_the_atoms_does_not_matter(particle):
    from dataclasses import replace

    field = force_field(CORE_SHELL)
    order = np.random.default_rng(9).permutation(len(particle))
    other = replace(
        particle,
        symbols=tuple(np.array(particle.symbols)[order]), positions_nm=particle.positions_nm[order],
        radius_fraction=particle.radius_fraction[order], site_volume_nm3=particle.site_volume_nm3[order],
        shell_index=particle.shell_index[order],
    )  # fmt: skip
    first, a = relax_keating(particle, field, max_force_nn=1e-7)
    second, b = relax_keating(other, field, max_force_nn=1e-7)
    assert b.energy_ev == pytest.approx(a.energy_ev, rel=1e-9)
    np.testing.assert_allclose(second.positions_nm, first.positions_nm[order], atol=2e-5)


def test_a_known_strain_is_read_from_the_atoms():
    solid = solid_of("ZnSe", "zincblende", 0.5668)
    ideal = waxs_particle(solid, diameter_nm=3.0)
    network, index = bond_network(ideal, force_field(solid))
    strain = np.array([[0.01, 0.004, 0.0], [0.004, -0.02, 0.003], [0.0, 0.003, 0.015]])
    turn = Rotation.from_rotvec([0.1, 0.5, -0.2]).as_matrix()
    at = ideal.positions_nm[index] @ ((np.eye(3) + strain) @ turn).T
    full, found = local_strain(at, network, np.full(len(index), tetrahedral_length_nm(0.5668**3 / 4)))
    assert full.sum() > 300
    np.testing.assert_allclose(found, np.broadcast_to(strain, found.shape), atol=1e-9)
    # a shift of one sublattice against the other is no strain
    shifted = at + np.where(np.array(ideal.symbols)[index] == "Zn", 0.005, 0.0)[:, None]
    np.testing.assert_allclose(
        local_strain(shifted, network, np.full(len(index), tetrahedral_length_nm(0.5668**3 / 4)))[1], found, atol=1e-9
    )


def test_vacancies_move_with_their_neighbours():
    solid = solid_of("Ag2In4Se7", "wurtzite", 0.426, 0.702, shell=("ZnSe", "wurtzite", 0.400, 0.655))
    given = {
        name: BondLaw(length_nm=length, alpha_n_m=28.0, beta_n_m=3.0, source="test")
        for name, length in (("Ag-Se", 0.264), ("In-Se", 0.259))
    }
    particle = build_crystal(
        solid, body=Spheroid(semi_axes_nm=(1.6,) * 3), x_of_s=graded, rng=np.random.default_rng(5)
    )  # fmt: skip
    relaxed, report = relax_keating(particle, force_field(solid, bonds=given))
    empty = np.array(particle.symbols) == "X"
    assert empty.sum() > 10
    moved = np.sqrt(((relaxed.positions_nm - particle.positions_nm) ** 2).sum(axis=1))
    assert moved[empty].max() < 0.1
    assert (moved[empty] > 0).mean() > 0.9
    assert report.bond_length_nm["Ag-Se"] > report.bond_length_nm["In-Se"] > report.bond_length_nm["Zn-Se"]


def test_scattering_of_relaxed_atoms_is_the_plain_debye_sum(particle):
    """Relaxed atoms stand on no lattice: whatever shortcut is taken for lattices must not be taken for them."""
    from nanostrata.kernels.debye import debye_brute_force
    from nanostrata.models.atom_cloud import scattering
    from nanostrata.tables.factors import load_factors

    relaxed, _ = relax_keating(particle, force_field(CORE_SHELL))
    factors = load_factors("chantler")
    q = np.array([0.3, 1.7, 4.5, 17.0, 26.0, 33.0])
    amplitudes = np.array([factors.f0(s, q) + factors.anomalous(s, 16.0) for s in relaxed.symbols])
    exact = np.array([debye_brute_force(relaxed.positions_nm, amplitudes[:, [k]], q[[k]])[0] for k in range(len(q))])
    np.testing.assert_allclose(scattering(relaxed, factors, [16.0], q)[0], exact, rtol=2e-6)
    # and strain is seen in the peaks, where the particle on its lattice scatters otherwise
    unrelaxed = scattering(particle, factors, [16.0], q)[0]
    assert np.abs(unrelaxed[3:] / exact[3:] - 1).max() > 0.02


def test_missing_bonds_are_named():
    solid = solid_of("Ag2In4Se7", "wurtzite", 0.426, 0.702, shell=("ZnSe", "wurtzite", 0.400, 0.655))
    with pytest.raises(PhysicsError, match=r"bonds Ag-Se, In-Se; known are .*atoms\.elastic\.core"):
        force_field(solid)
    with pytest.raises(PhysicsError, match=r"atoms\.bonds: 'Cu-Se' cannot occur"):
        force_field(solid, bonds={"Cu-Se": BondLaw(length_nm=0.24, alpha_n_m=30.0, beta_n_m=3.0)})


def test_elastic_constants_of_a_material_serve_all_its_bonds():
    solid = solid_of("Ag2In4Se7", "wurtzite", 0.426, 0.702, shell=("ZnSe", "wurtzite", 0.400, 0.655))
    field = force_field(solid, elastic={"core": ELASTIC["Cd-Se"]})
    assert set(field.laws) == {"Ag-Se", "In-Se", "Zn-Se"}
    assert field.laws["Ag-Se"].length_nm == pytest.approx(tetrahedral_length_nm(solid.core.site_volume_nm3))
    assert field.laws["Ag-Se"].alpha_n_m == field.laws["In-Se"].alpha_n_m


def test_rock_salt_is_refused():
    with pytest.raises(PhysicsError, match=r"PbS \(core\) is rocksalt"):
        force_field(solid_of("PbS", "rocksalt", 0.5936))


def test_a_search_that_is_cut_short_says_so(particle, monkeypatch):
    import nanostrata.models.relaxation as module

    monkeypatch.setattr(module, "_STEPS", 3)
    with pytest.raises(ConvergenceError, match="still feels") as caught:
        relax_keating(particle, force_field(CORE_SHELL))
    assert caught.value.best[1].max_force_nn > 1e-5


def test_any_calculator_of_ase_relaxes():
    """Platinum with the effective-medium potential: free surfaces pull the bonds together."""
    from ase.calculators.emt import EMT

    platinum = waxs_particle(solid_of("Pt", "fcc", 0.3924), diameter_nm=1.6)
    relaxed, report = relax_with_ase(platinum, EMT(), max_force_nn=0.05)
    assert report.energy_ev < report.energy_before_ev
    assert report.max_force_nn <= 0.05
    assert report.method == "emt"
    assert (relaxed.positions_nm**2).sum() < (platinum.positions_nm**2).sum()
