"""Every way of summing pairs against the double sum as it is written: five elements, complex factors, two energies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nanostrata.domain import AtomicModel, Medium
from nanostrata.errors import PhysicsError
from nanostrata.kernels.debye import debye_brute_force
from nanostrata.kernels.find_lattice import find_lattice
from nanostrata.models.atom_cloud import pair_sums, particle_intensities, scattering
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.materials import make_material
from nanostrata.tables.factors import load_factors

FACTORS = load_factors("chantler")
ENERGIES = (9.63, 16.0)
ELEMENTS = ("Ag", "Cd", "In", "Se", "Zn")
MEDIUM = 283.3
Q = np.linspace(0.0, 45.0, 31)
B = {"Ag": 0.012, "Cd": 0.009, "In": 0.011, "Se": 0.006, "Zn": 0.008}


def _model(positions, symbols, volumes=None):
    positions = np.asarray(positions, dtype=float)
    radius = np.sqrt((positions**2).sum(axis=1))
    return AtomicModel(
        symbols=tuple(symbols),
        positions_nm=positions,
        radius_fraction=radius / radius.max(),
        site_volume_nm3=np.full(len(radius), 0.023) if volumes is None else volumes,
        semi_axes_nm=(0.0, 0.0, 0.0),
    )


def _cloud(seed=1, m=200):
    rng = np.random.default_rng(seed)
    return _model(rng.normal(size=(m, 3)) * 0.9, rng.choice([*ELEMENTS, "X"], m))


def _structure(name, diameter=2.3, seed=2, empty=0.1):
    """A sphere of a lattice, turned at random, with five elements and a few empty sites at random."""
    a = 0.57
    if name == "wurtzite":
        a, c = 0.41, 0.67
        cell = np.array([[a, 0, 0], [-a / 2, a * math.sqrt(3) / 2, 0], [0, 0, c]])
        basis = np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.375], [2 / 3, 1 / 3, 0.875]])
    else:
        cell = a * np.eye(3)
        face = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        other = {"zincblende": [[0.25] * 3], "rocksalt": [[0.5] * 3], "fcc": []}[name]
        basis = np.vstack([face, *(face + o for o in other)])
    return _cut(cell, basis, diameter, seed, empty)


def _cut(cell, basis, diameter, seed, empty):
    rng = np.random.default_rng(seed)
    n = int(diameter / np.sqrt((cell**2).sum(axis=1)).min()) + 2
    grid = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    points = ((grid + basis).reshape(-1, 3) - rng.random(3)) @ cell
    points = points[(points**2).sum(axis=1) < diameter**2 / 4]
    points = points[rng.random(len(points)) > empty]
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return _model(points @ turn, rng.choice(ELEMENTS, len(points)))


def _faulted(seed=3, layers=8, a=0.43, spacing=0.351, radius=1.2):
    """Close-packed double layers (cation, anion) in an order of A, B, C that neither zinc blende nor wurtzite has."""
    rng = np.random.default_rng(seed)
    order, place = "ABACABCBACBCABAC"[:layers], {"A": (0.0, 0.0), "B": (1 / 3, 2 / 3), "C": (2 / 3, 1 / 3)}
    n = int(radius / a) + 3
    u, v = (g.ravel() for g in np.meshgrid(np.arange(-n, n + 1), np.arange(-n, n + 1)))
    points = []
    for k, letter in enumerate(order):
        s, t = place[letter]
        x, y = a * ((u + s) - (v + t) / 2), a * (v + t) * math.sqrt(3) / 2
        points += [np.column_stack([x, y, np.full(len(x), (k - layers / 2 + h) * spacing)]) for h in (0.0, 0.75)]
    points = np.vstack(points)
    points = points[(points**2).sum(axis=1) < radius**2]
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return _model(points @ turn, rng.choice(ELEMENTS, len(points)))


def _exact(model, energy, medium, b):
    """Amplitude of every site as the docstring writes it, and the double sum."""
    v = model.site_volume_nm3[:, None]
    amplitudes = -medium * v * np.exp(-(Q**2) * v ** (2 / 3) / (4 * np.pi)) + 0j
    symbols = np.array(model.symbols)
    for e in ELEMENTS:
        f = FACTORS.f0(e, Q) + FACTORS.f_prime(e, energy) + 1j * FACTORS.f_double_prime(e, energy)
        amplitudes[symbols == e] += f * np.exp(-b[e] * (Q / (4 * np.pi)) ** 2)
    return debye_brute_force(model.positions_nm, amplitudes, Q)


CASES = {
    "random cloud": (_cloud, ("pairs",)),
    "zincblende": (lambda: _structure("zincblende"), ("lattice", "pairs")),
    "wurtzite": (lambda: _structure("wurtzite"), ("lattice", "pairs")),
    "rocksalt": (lambda: _structure("rocksalt"), ("lattice", "pairs")),
    "fcc": (lambda: _structure("fcc", 2.6), ("lattice", "pairs")),
    "stacking faults": (_faulted, ("lattice", "pairs")),
    "triclinic": (
        lambda: _cut(
            np.array([[0.31, 0.0, 0.0], [0.05, 0.35, 0.0], [-0.07, 0.04, 0.4]]),
            np.array([[0, 0, 0], [0.4, 0.3, 0.55]]), 2.6, 7, 0.3,
        ),
        ("lattice", "pairs"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize("name", CASES)
def test_every_path_equals_the_double_sum(name, engine):
    make, methods = CASES[name]
    model = make()
    for energy in ENERGIES:
        for medium in (0.0, MEDIUM):
            exact = _exact(model, energy, medium, B)
            for method in methods:
                got = scattering(model, FACTORS, [energy], Q, medium, B, engine=engine, method=method)[0]
                np.testing.assert_allclose(got, exact, rtol=1e-6, err_msg=f"{method}, {energy} keV, medium {medium}")


def test_counts_of_differences_are_whole_and_complete():
    model = _structure("wurtzite", 3.0)
    lattice = pair_sums([model], Q, medium_model=None, method="lattice")
    pairs = pair_sums([model], Q, medium_model=None, method="pairs")
    assert lattice.method == "lattice"
    assert pairs.method == "pairs"
    # at q = 0 every pair counts one: n_a n_b, to rounding
    n = lattice.counts
    np.testing.assert_allclose(lattice.pairs[:, :, 0], np.outer(n, n), rtol=1e-12)
    np.testing.assert_allclose(lattice.pairs, pairs.pairs, rtol=1e-7, atol=1e-5)


def test_many_site_volumes_take_weights_and_agree_with_the_double_sum():
    rng = np.random.default_rng(5)
    cloud = _cloud(5)
    model = _model(cloud.positions_nm, cloud.symbols, rng.uniform(0.021, 0.025, len(cloud)))
    exact = _exact(model, 9.63, MEDIUM, B)
    for engine in ("numba", "numpy"):
        np.testing.assert_allclose(scattering(model, FACTORS, [9.63], Q, MEDIUM, B, engine=engine)[0], exact, rtol=2e-6)
    with pytest.raises(PhysicsError, match="different volumes"):
        scattering(model, FACTORS, [9.63], Q, MEDIUM, B, method="lattice")


def test_few_site_volumes_are_kinds_of_their_own():
    rng = np.random.default_rng(6)
    cloud = _structure("zincblende")
    model = _model(cloud.positions_nm, cloud.symbols, rng.choice([0.0211, 0.0225, 0.0249], len(cloud)))
    exact = _exact(model, 9.63, MEDIUM, B)
    for method in ("lattice", "pairs"):
        got = scattering(model, FACTORS, [9.63], Q, MEDIUM, B, method=method)[0]
        np.testing.assert_allclose(got, exact, rtol=1e-6)


def test_atoms_off_their_sites_are_no_lattice():
    model = _structure("zincblende")
    rng = np.random.default_rng(8)
    moved = _model(model.positions_nm + rng.normal(size=(len(model), 3)) * 1e-5, model.symbols)
    with pytest.raises(PhysicsError, match="no lattice"):
        scattering(moved, FACTORS, [16.0], Q, method="lattice")
    strained = _model(model.positions_nm * (1.0 + 0.02 * model.radius_fraction[:, None] ** 2), model.symbols)
    assert find_lattice(strained.positions_nm, 1e-6) is None
    assert find_lattice(_cloud().positions_nm, 1e-6) is None
    # a homogeneous strain leaves a lattice
    sheared = model.positions_nm @ np.array([[1.0, 0.02, 0.0], [0.0, 0.99, 0.01], [0.0, 0.0, 1.03]])
    assert find_lattice(sheared, 1e-6) is not None


def test_large_particles_go_to_the_lattice_by_themselves_and_small_ones_do_not():
    big = _structure("zincblende", 8.0)
    big = _model(big.positions_nm, np.random.default_rng(4).choice(["Cd", "Se"], len(big)))
    q = np.linspace(0.5, 45.0, 12)
    found = pair_sums([big], q, medium_model=None)
    assert found.method == "lattice"
    pairs = pair_sums([big], q, medium_model=None, method="pairs")
    a = found.intensity(FACTORS, 9.63, 0.0)
    np.testing.assert_allclose(a, pairs.intensity(FACTORS, 9.63, 0.0), rtol=1e-6)
    assert pair_sums([_structure("zincblende", 3.0)], q, medium_model=None).method == "pairs"


def test_error_bound_holds_and_is_small():
    model = _structure("wurtzite")
    # the bound of single pairs is rigorous and wide; on the lattice it is narrow
    for method, most in (("lattice", 1e-6), ("pairs", 1e-4)):
        sums = pair_sums([model], Q, medium_model="sites", method=method)
        exact = _exact(model, 9.63, MEDIUM, dict.fromkeys(ELEMENTS, 0.0))
        got, bound = sums.intensity(FACTORS, 9.63, MEDIUM), sums.intensity_error(FACTORS, 9.63, MEDIUM)
        assert np.all(np.abs(got - exact) <= bound + 1e-11 * exact.max())
        assert np.all(bound <= most * exact)
        assert np.all(np.abs(got - exact) <= 1e-6 * exact)


def test_one_particle_at_a_time_and_all_together_are_the_same():
    models = [_cloud(11), _structure("zincblende"), _faulted()]
    weights = np.array([0.2, 0.5, 0.3])
    each = particle_intensities(models, FACTORS, ENERGIES, Q, MEDIUM, B, medium_model="sites")
    together = scattering(models, FACTORS, ENERGIES, Q, MEDIUM, B, weights=weights)
    np.testing.assert_allclose(np.tensordot(weights, each, axes=(0, 0)), together, rtol=1e-7)
    with pytest.raises(PhysicsError, match="weights"):
        scattering(models, FACTORS, ENERGIES, Q, MEDIUM, B, weights=np.array([1.0, 2.0]))


def test_independent_vibrations_take_nothing_from_the_self_scattering():
    model = _cloud(12)
    for energy in ENERGIES:
        sums = pair_sums([model], Q, medium_model=None)
        damped = sums.intensity(FACTORS, energy, 0.0, B)
        full = sums.intensity(FACTORS, energy, 0.0, B, thermal_diffuse=True)
        expected = np.zeros(len(Q))
        for symbol in model.symbols:
            if symbol != "X":
                f = FACTORS.f0(symbol, Q) + FACTORS.anomalous(symbol, energy)
                expected += np.abs(f) ** 2 * (1.0 - np.exp(-2.0 * B[symbol] * (Q / (4 * np.pi)) ** 2))
        np.testing.assert_allclose(full - damped, expected, rtol=1e-9, atol=1e-6)
    # the mean over drawn displacements: u of one axis has the variance B / 8 pi^2
    rng = np.random.default_rng(13)
    one = dict.fromkeys(ELEMENTS, 0.01)
    u = math.sqrt(0.01 / (8 * np.pi**2))
    drawn = [_model(model.positions_nm + u * rng.normal(size=(len(model), 3)), model.symbols) for _ in range(400)]
    mean = scattering(drawn, FACTORS, [16.0], Q[::5])[0]
    smooth = scattering(model, FACTORS, [16.0], Q[::5], b_factor_nm2=one, thermal_diffuse=True)[0]
    np.testing.assert_allclose(mean, smooth, rtol=0.02)


def test_a_missing_b_factor_is_named():
    with pytest.raises(PhysicsError, match="no value for Ag"):
        scattering(_cloud(), FACTORS, [16.0], Q, b_factor_nm2={"Zn": 0.01})


def test_graded_particle_of_the_builder_in_the_medium_at_q_zero():
    # SAXS joins WAXS: at q = 0 the amplitude is the excess of electrons over the medium that the volumes displace
    core = make_material("CdSe", "zincblende", 0.605, partner="CdS")
    shell = make_material("CdS", "zincblende", 0.5832, partner="CdSe")
    solid = SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=MEDIUM))
    for kind, method in (("mean", "lattice"), ("graded", "pairs")):
        model = build_particle(
            solid, semi_axes_nm=(1.5,) * 3, x_of_s=lambda s: 0.1 + 0.8 * s, rng=np.random.default_rng(3), lattice=kind
        )  # fmt: skip
        electrons = sum(
            n * (FACTORS.f0(e, np.zeros(1))[0] + FACTORS.anomalous(e, 12.5)) for e, n in model.counts.items()
        )
        excess = electrons - MEDIUM * model.site_volume_nm3.sum()
        got = scattering(model, FACTORS, [12.5], np.array([0.0, 40.0]), MEDIUM, method=method)[0, 0]
        assert got == pytest.approx(abs(excess) ** 2, rel=1e-9)
