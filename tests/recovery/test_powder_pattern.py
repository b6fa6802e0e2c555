"""A simulated powder pattern of faulted wurtzite particles of many sizes: strain, B, sizes and faults found again."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest

from nanostrata.domain import AtomicModel
from nanostrata.errors import PhysicsError
from nanostrata.models.atom_cloud import scattering
from nanostrata.models.powder import PowderLibrary, build_library, powder_basis
from nanostrata.stages.fit_powder import fit_powder
from nanostrata.tables.factors import load_factors

FACTORS = load_factors("chantler")
ENERGY = 16.0
Q = np.linspace(12.0, 48.0, 241)
A_NM, LAYER_NM = 0.40, 0.3275
TRUTH = {
    "strain": 0.006,
    "b_factor_nm2": 0.012,
    "diameter_median_nm": 3.6,
    "diameter_sigma": 0.12,
    "fault_probability": 0.12,
}


def faulted(diameter_nm: float, fault: float, rng: np.random.Generator) -> AtomicModel:
    """Sphere of ZnSe; each layer departs from the order ABAB with the given probability."""
    half = int(diameter_nm / 2 / LAYER_NM) + 3
    letters = [0, 1]
    for _ in range(2 * half):
        hexagonal, cubic = letters[-2], 3 - letters[-1] - letters[-2]
        letters.append(cubic if rng.random() < fault else hexagonal)
    n = int(diameter_nm / A_NM) + 2
    u, v = (g.ravel() for g in np.meshgrid(np.arange(-n, n + 1), np.arange(-n, n + 1)))
    shift = rng.random(3)
    points, names = [], []
    for k, letter in enumerate(letters):
        s, t = ((0.0, 0.0), (1 / 3, 2 / 3), (2 / 3, 1 / 3))[letter]
        x = A_NM * ((u + s + shift[0]) - (v + t + shift[1]) / 2)
        y = A_NM * (v + t + shift[1]) * math.sqrt(3) / 2
        for lift, name in ((0.0, "Zn"), (0.75, "Se")):
            p = np.column_stack([x, y, np.full(len(x), (k - half + lift + shift[2]) * LAYER_NM)])
            p = p[(p**2).sum(axis=1) < diameter_nm**2 / 4]
            points.append(p)
            names += [name] * len(p)
    positions = np.vstack(points)
    return AtomicModel(
        symbols=tuple(names), positions_nm=positions, radius_fraction=np.ones(len(positions)),
        site_volume_nm3=np.zeros(len(positions)), semi_axes_nm=(0.0, 0.0, 0.0),
    )  # fmt: skip


@lru_cache(maxsize=1)
def library() -> PowderLibrary:
    return build_library(
        faulted, np.arange(2.2, 5.7, 0.4), (0.0, 0.1, 0.25, 0.5), Q, copies=32, seed=np.random.SeedSequence(1)
    )  # fmt: skip


def simulated() -> tuple[np.ndarray, np.ndarray]:
    """Particles of their own, moved apart by the strain, not from the library; background and 1 % noise."""
    rng = np.random.default_rng(20)
    from dataclasses import replace

    models = []
    for _ in range(600):
        diameter = TRUTH["diameter_median_nm"] * math.exp(TRUTH["diameter_sigma"] * rng.standard_normal())
        m = faulted(diameter, TRUTH["fault_probability"], rng)
        models.append(replace(m, positions_nm=m.positions_nm * (1.0 + TRUTH["strain"])))
    clean = scattering(models, FACTORS, [ENERGY], Q, b_factor_nm2=TRUTH["b_factor_nm2"], thermal_diffuse=True)[0]
    clean = clean / clean.max()
    under = 0.3 - 0.1 * (Q - 30.0) / 18.0 + 0.05 * ((Q - 30.0) / 18.0) ** 2
    sigma = 0.01 * (clean + under)
    return clean + under + sigma * rng.standard_normal(len(Q)), sigma


@pytest.mark.slow
def test_parameters_of_a_simulated_pattern_are_found_again() -> None:
    intensity, sigma = simulated()
    found = fit_powder(library(), FACTORS, ENERGY, Q, intensity, sigma)
    print(
        {n: (float(v), float(s), TRUTH[n]) for n, v, s in zip(found.names, found.values, found.sigma, strict=True)},
        found.chi2_reduced,
    )
    assert not found.at_limit
    for name, allowed in (
        ("strain", 5e-4), ("b_factor_nm2", 0.003), ("diameter_median_nm", 0.3), ("diameter_sigma", 0.08), ("fault_probability", 0.04),
    ):  # fmt: skip
        value, spread = found[name]
        assert abs(value - TRUTH[name]) < allowed, name
        assert abs(value - TRUTH[name]) < 4.0 * spread, name
    assert 0.7 < found.chi2_reduced < 2.0
    # without faults the pattern is not explained
    without = fit_powder(library(), FACTORS, ENERGY, Q, intensity, sigma, fixed={"fault_probability": 0.0})
    assert without.chi2_reduced > 1.5 * found.chi2_reduced


def test_pattern_of_the_library_is_the_debye_sum() -> None:
    one = build_library(faulted, (2.0,), (0.3,), Q, copies=4, seed=np.random.SeedSequence(3))
    rng = np.random.default_rng(np.random.SeedSequence(3).spawn(1)[0])
    models = [faulted(2.0, 0.3, rng) for _ in range(4)]
    from dataclasses import replace

    moved = [replace(m, positions_nm=m.positions_nm * 1.01) for m in models]
    exact = scattering(moved, FACTORS, [ENERGY], Q, b_factor_nm2=0.01, thermal_diffuse=True)[0]
    electrons = sum(n * FACTORS.f0(e, np.zeros(1))[0] for m in models for e, n in m.counts.items()) / 4
    got = powder_basis(one, FACTORS, ENERGY, Q, (0.01, 0.01, 2.0, 0.1, 0.3))
    np.testing.assert_allclose(got * electrons, exact, rtol=2e-3)


def test_what_does_not_fit_together_is_named() -> None:
    small = build_library(faulted, (1.6, 1.8), (0.0,), Q, copies=4, seed=np.random.SeedSequence(1))
    ones = np.ones(len(Q))
    with pytest.raises(PhysicsError, match="three diameters"):
        fit_powder(small, FACTORS, ENERGY, Q, ones, ones)
    with pytest.raises(PhysicsError, match="outside the library"):
        fit_powder(
            small, FACTORS, ENERGY, Q + 5.0, ones, ones, fixed={"diameter_median_nm": 1.7, "diameter_sigma": 0.1}
        )
    with pytest.raises(PhysicsError, match="no parameter"):
        fit_powder(
            small, FACTORS, ENERGY, Q, ones, ones, fixed={"diameter_median_nm": 1.7, "diameter_sigma": 0.1, "size": 1.0}
        )
    with pytest.raises(PhysicsError, match="as many intensities"):
        fit_powder(small, FACTORS, ENERGY, Q, ones[1:], ones)
    with pytest.raises(PhysicsError, match=r"at most 0\.03"):
        powder_basis(small, FACTORS, ENERGY, Q, (0.05, 0.01, 1.7, 0.1, 0.0))
    with pytest.raises(PhysicsError, match="increasing"):
        build_library(faulted, (1.8, 1.6), (0.0,), Q, copies=4, seed=np.random.SeedSequence(1))
