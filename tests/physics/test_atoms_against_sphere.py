"""Explicit atoms against independent routes: double sums, excess electrons, analytic spheres, orientations."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from nanostrata.domain import AtomicModel, Material, Medium
from nanostrata.errors import DataError, PhysicsError
from nanostrata.kernels.debye import debye_brute_force
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.atom_cloud import pair_sums, scattering
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_particle import build_particle
from nanostrata.tables.factors import load_factors

FACTORS = load_factors("chantler")
TOLUENE = Medium(name="toluene", electron_density_e_nm3=283.3)
MEDIUM = TOLUENE.electron_density_e_nm3
B_NM2 = 0.01


def _wurtzite(name, composition, a, c):
    volume = math.sqrt(3) / 4 * a * a * c
    return Material(
        name=name, composition=composition, site_volume_nm3=volume, structure="wurtzite", lattice_nm=(a, a, c)
    )


CORE = _wurtzite("Ag2In4Se7", {"Ag": 2 / 7, "In": 4 / 7, "Se": 1.0}, 0.426, 0.702)
ZNSE = _wurtzite("ZnSe", {"Zn": 1.0, "Se": 1.0}, 0.400, 0.655)
PAIR = SolidSolution(core=CORE, shell=ZNSE, medium=TOLUENE)
ONE = SolidSolution(core=ZNSE, shell=None, medium=TOLUENE)


def _gradient(s):
    return 0.02 + 0.9 * s**4


def _graded(semi_axes=(1.0, 1.0, 1.3), seed=1):
    return build_particle(PAIR, semi_axes_nm=semi_axes, x_of_s=_gradient, axis="110", rng=np.random.default_rng(seed))


def _amplitudes(model: AtomicModel, q, energy_kev, medium):
    """Amplitude of every site, written out element by element from the docstring's formula."""
    out = np.zeros((len(model), len(q)), dtype=complex)
    for k, (symbol, v) in enumerate(zip(model.symbols, model.site_volume_nm3, strict=True)):
        if symbol != "X":
            f = (
                FACTORS.f0(symbol, q)
                + FACTORS.f_prime(symbol, energy_kev)
                + 1j * FACTORS.f_double_prime(symbol, energy_kev)
            )
            out[k] = f * np.exp(-B_NM2 * (q / (4 * np.pi)) ** 2)
        out[k] -= medium * v * np.exp(-(q**2) * v ** (2 / 3) / (4 * np.pi))
    return out


@pytest.mark.parametrize("energy_kev", [16.0, 9.63])
@pytest.mark.parametrize("q_max", [6.0, 45.0])
def test_graded_particle_equals_the_double_sum(energy_kev, q_max):
    model = _graded()
    q = np.linspace(0.0, q_max, 40)
    exact = debye_brute_force(model.positions_nm, _amplitudes(model, q, energy_kev, MEDIUM), q)
    got = scattering(model, FACTORS, [energy_kev], q, MEDIUM, B_NM2)[0]
    np.testing.assert_allclose(got, exact, rtol=1e-6 if q_max < 10 else 5e-6)


def test_medium_changes_nothing_in_vacuum_and_vacancies_do_not_scatter():
    model = _graded()
    q = np.linspace(0.0, 20.0, 20)
    vacuum = scattering(model, FACTORS, [9.63], q, 0.0, B_NM2)[0]
    filled = [k for k, s in enumerate(model.symbols) if s != "X"]
    occupied = AtomicModel(
        symbols=tuple(model.symbols[k] for k in filled),
        positions_nm=model.positions_nm[filled],
        radius_fraction=model.radius_fraction[filled],
        site_volume_nm3=np.zeros(len(filled)),
        semi_axes_nm=(0.0, 0.0, 0.0),
    )
    assert "X" in model.symbols
    np.testing.assert_allclose(scattering(occupied, FACTORS, [9.63], q, 0.0, B_NM2)[0], vacuum, rtol=1e-12)


@pytest.mark.parametrize("medium_model", ["sites", "body"])
def test_forward_scattering_counts_the_excess_electrons(medium_model):
    model = _graded((1.8, 1.8, 2.2), seed=2)
    electrons = sum(n * (FACTORS.f0(e, np.zeros(1))[0] + FACTORS.anomalous(e, 9.63)) for e, n in model.counts.items())
    volume = 4 / 3 * math.pi * 1.8 * 1.8 * 2.2
    got = scattering(model, FACTORS, [9.63], np.array([0.0]), MEDIUM, medium_model=medium_model)[0, 0]
    assert math.sqrt(got) == pytest.approx(abs(electrons - MEDIUM * volume), rel=1e-3)
    # the same number from the densities of the solid solution alone
    s = (np.arange(4000) + 0.5) / 4000
    mean_density = (3 * s**2 * PAIR.electron_density(_gradient(s), FACTORS, 9.63)).mean()
    assert math.sqrt(got) == pytest.approx(abs(mean_density - MEDIUM) * volume, rel=2e-3)


def test_energies_change_only_the_anomalous_part():
    # no double counting: I(E) is quadratic in f' of one element, so three energies fix it and a fourth must agree
    model = _graded()
    q = np.array([0.5, 2.0, 4.0])
    sums = pair_sums([model], q)

    class Shifted:
        def __init__(self, shift):
            self.shift = shift

        def f0(self, element, q):
            return FACTORS.f0(element, q)

        def anomalous(self, element, energy_kev):
            return FACTORS.anomalous(element, energy_kev) + (self.shift if element == "Zn" else 0.0)

    at = np.array([sums.intensity(Shifted(t), 16.0, MEDIUM) for t in (-6.0, -3.0, 0.0, 2.0)])
    parabola = [np.polyval(np.polyfit([-6.0, -3.0, 0.0], at[:3, k], 2), 2.0) for k in range(3)]
    np.testing.assert_allclose(at[3], parabola, rtol=1e-9)


@pytest.mark.parametrize("semi_axes", [(1.2, 1.2, 1.2), (1.1, 1.1, 1.5), (1.4, 1.4, 1.0)])
def test_homogeneous_body_equals_the_numerical_orientation_average(semi_axes):
    model = _graded(semi_axes, seed=3)
    q = np.array([0.3, 1.5, 3.0, 5.0])
    got = scattering(model, FACTORS, [16.0], q, MEDIUM, B_NM2, medium_model="body")[0]
    atoms = _amplitudes(model, q, 16.0, 0.0)
    mu, w = np.polynomial.legendre.leggauss(40)
    phi = np.arange(72) * 2 * np.pi / 72
    sin = np.sqrt(1 - mu**2)
    volume = model.site_volume_nm3.sum()
    a, _, c = np.array(model.semi_axes_nm) * (volume / (4 / 3 * math.pi * np.prod(semi_axes))) ** (1 / 3)
    for k, x in enumerate(q):
        body = MEDIUM * volume * sphere_phi(x * np.sqrt(a * a * (1 - mu**2) + c * c * mu**2))
        total = 0.0
        for j in range(len(mu)):
            u = np.column_stack([sin[j] * np.cos(phi), sin[j] * np.sin(phi), np.full(len(phi), mu[j])])
            f = np.exp(1j * x * u @ model.positions_nm.T) @ atoms[:, k] - body[j]
            total += 0.5 * w[j] * (np.abs(f) ** 2).mean()
        assert got[k] == pytest.approx(total, rel=2e-6)


@lru_cache(maxsize=1)
def _sphere_ensemble():
    from scipy.special import ndtri

    n = 120
    diameters = 3.9 + 0.43 * ndtri((np.arange(n) + 0.5) / n)
    rng = np.random.default_rng(4)
    models = [build_particle(ONE, semi_axes_nm=(d / 2, d / 2, d / 2), x_of_s=np.zeros_like, rng=rng) for d in diameters]
    return models, diameters


def test_atoms_of_one_material_scatter_like_spheres():
    models, diameters = _sphere_ensemble()
    q = np.linspace(0.1, 4.0, 60)
    f = sum(FACTORS.f0(e, q) + FACTORS.anomalous(e, 16.0) for e in ("Zn", "Se"))
    v = ZNSE.site_volume_nm3
    volumes = math.pi / 6 * diameters**3
    phi = sphere_phi(q[:, None] * diameters[None, :] / 2)
    for medium_model, smear in (("body", 1.0), ("sites", np.exp(-(q**2) * (v / 2) ** (2 / 3) / (4 * np.pi)))):
        sums = pair_sums(models, q, medium_model=medium_model)
        got = sums.intensity(FACTORS, 16.0, MEDIUM)
        sphere = ((np.abs(f / v - MEDIUM * smear) ** 2)[:, None] * (volumes * phi) ** 2).mean(axis=1)
        # A lattice cut by a sphere has a rough surface, the tails of its Bragg peaks: a constant of some 1e-4 of I(0).
        # It is what a fit's free constant takes up; what is left must be below 0.5 %.
        weight = 1 / sphere**2
        constant = ((got - sphere) * weight).sum() / weight.sum()
        assert 1e-5 < constant / sphere[0] < 2e-4
        np.testing.assert_allclose(got, sphere + constant, rtol=5e-3)


def test_mean_amplitude_of_atoms_is_that_of_the_sphere():
    # the cross term with a body is <B sum f exp(iqr)>: no roughness in it, so no constant is needed here
    models, diameters = _sphere_ensemble()
    q = np.linspace(0.1, 4.0, 40)
    sums = pair_sums(models, q, medium_model="body")
    phi = sphere_phi(q[:, None] * diameters[None, :] / 2)
    atoms_per_volume = 1 / ZNSE.site_volume_nm3
    sphere = atoms_per_volume * ((math.pi / 6 * diameters**3) ** 2 * phi**2).mean(axis=1)
    for row in range(2):
        np.testing.assert_allclose(sums.body_cross[row], sphere, rtol=6e-3)


def test_both_forms_of_the_medium_differ_as_the_gaussians_say():
    models, _ = _sphere_ensemble()
    q = np.array([0.2, 1.0, 2.8, 3.3])
    body, sites = (scattering(models, FACTORS, [16.0], q, MEDIUM, medium_model=m)[0] for m in ("body", "sites"))
    f = sum(FACTORS.f0(e, q) + FACTORS.anomalous(e, 16.0) for e in ("Zn", "Se")) / ZNSE.site_volume_nm3
    damped = MEDIUM * np.exp(-(q**2) * (ZNSE.site_volume_nm3 / 2) ** (2 / 3) / (4 * np.pi))
    expected = np.abs(f - damped) ** 2 / np.abs(f - MEDIUM) ** 2 - 1
    # 0.02 % at 0.2 and 4 % at 3.3 1/nm; the surface roughness is not the same for both and takes up to a third of it
    np.testing.assert_allclose(sites / body - 1, expected, rtol=0.4, atol=1e-5)
    assert expected[3] > 0.03


def test_ensemble_is_the_mean_of_its_particles():
    models = [_graded(seed=k) for k in (5, 6, 7)]
    q = np.linspace(0.1, 6.0, 12)
    together = scattering(models, FACTORS, [9.63], q, MEDIUM)
    alone = np.mean([scattering(m, FACTORS, [9.63], q, MEDIUM) for m in models], axis=0)
    np.testing.assert_allclose(together, alone, rtol=1e-7)


def test_missing_volumes_and_shapes_are_refused():
    bare = replace(_graded(), site_volume_nm3=np.zeros(len(_graded())))
    q = np.array([1.0])
    with pytest.raises(PhysicsError, match="site_volume"):
        scattering(bare, FACTORS, [16.0], q, MEDIUM)
    with pytest.raises(PhysicsError, match="semi_axes"):
        scattering(replace(_graded(), semi_axes_nm=(0.0, 0.0, 0.0)), FACTORS, [16.0], q, MEDIUM, medium_model="body")
    with pytest.raises(PhysicsError, match="equal axes"):
        scattering(replace(_graded(), semi_axes_nm=(1.0, 1.1, 1.3)), FACTORS, [16.0], q, MEDIUM, medium_model="body")
    with pytest.raises(PhysicsError, match="at least one"):
        scattering([], FACTORS, [16.0], q, MEDIUM)


def test_structure_files_round_trip_and_reach_other_programs(tmp_path):
    import ase.io

    from nanostrata.io.structures import read_structure, write_extxyz

    model = _graded()
    q = np.linspace(0.1, 6.0, 10)
    expected = scattering(model, FACTORS, [9.63], q, MEDIUM)
    path = write_extxyz(tmp_path / "p.xyz", model, comment='a "graded" particle')
    again = read_structure(path)
    assert again.counts == model.counts
    np.testing.assert_allclose(scattering(again, FACTORS, [9.63], q, MEDIUM), expected, rtol=1e-4)
    atoms = ase.io.read(path)
    np.testing.assert_allclose(atoms.get_positions(), model.positions_nm * 10, atol=1e-6)
    ase.io.write(tmp_path / "p.pdb", atoms[[a.symbol != "X" for a in atoms]])
    foreign = read_structure(tmp_path / "p.pdb")
    vacuum = scattering(model, FACTORS, [9.63], q)
    np.testing.assert_allclose(scattering(foreign, FACTORS, [9.63], q), vacuum, rtol=2e-3)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.xyz", None, "no such file"),
        ("empty.xyz", "", "empty"),
        (
            "cut.xyz",
            "5\nProperties=species:S:1:pos:R:3:shell:I:1:radius_fraction:R:1:site_volume:R:1\nZn 0 0 0 1 0.0 22\n",
            "cut short",
        ),
        (
            "words.xyz",
            "1\nProperties=species:S:1:pos:R:3:shell:I:1:radius_fraction:R:1:site_volume:R:1\nZn a b c\n",
            "line 3",
        ),
        ("garbage.cif", "this is no structure\n", "garbage.cif"),
    ],
)
def test_bad_structure_files_are_refused_in_words(tmp_path, name, content, says):
    from nanostrata.io.structures import read_structure

    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        read_structure(tmp_path / name)
