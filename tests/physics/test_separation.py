"""Separation of terms: exact where it must be, right on the weak contrast of Ag2In4Se7/ZnSe, honest about its errors."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from nanostrata.domain import Medium, ScatteringCurve
from nanostrata.domain.separation import SeparatedTerms
from nanostrata.errors import PhysicsError
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.density import SolidSolution
from nanostrata.models.indirect_transform import pair_distances
from nanostrata.models.materials import make_material
from nanostrata.models.separation import amplitude_factors, coefficients, solve, to_grid
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.stages.separate_terms import separate_terms
from nanostrata.tables.factors import FactorTable, MeasuredFactors, load_factors

CHANTLER = load_factors("chantler")
ENERGIES = (16.0, 9.63, 9.30, 8.90)
THICK = np.array([0.02, 0.10, 0.30, 0.65, 0.98])
Q = np.linspace(0.5, 4.5, 61)
DIAMETERS = np.linspace(4.1 - 3.5 * 0.49, 4.1 + 3.5 * 0.49, 29)
SHARES = np.exp(-0.5 * ((DIAMETERS - 4.1) / 0.49) ** 2)
SHARES = SHARES / SHARES.sum()


def paper_solid(medium: float = 283.33) -> SolidSolution:
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe")
    shell = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7")
    return SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=medium))


def amplitude(density: np.ndarray, diameter: float, q: np.ndarray) -> np.ndarray:
    """Fourier transform of equispaced shells of a density, by spheres."""
    fractions = np.arange(1, len(density) + 1) / len(density)
    steps = density - np.append(density[1:], 0.0)
    return np.pi / 6 * diameter**3 * (steps * fractions**3 * sphere_phi(0.5 * diameter * np.outer(q, fractions))).sum(1)


def atoms(solid: SolidSolution, x: np.ndarray, diameter: float, q: np.ndarray) -> dict[str, np.ndarray]:
    v = solid.site_volume_nm3(x)
    return {e: amplitude(n / v, diameter, q) for e, n in solid.elements_per_site(x).items()}


def true_terms(
    solid: SolidSolution, q: np.ndarray, element: str = "Zn", extra: dict[str, float] | None = None
) -> np.ndarray:
    """Element-resolved terms of the thick sample; ``extra`` = constant f' that belongs to the non-resonant amplitude."""
    total = np.zeros((len(q), 3))
    for d, share in zip(DIAMETERS, SHARES, strict=True):
        a = atoms(solid, THICK, d, q)
        f0 = sum((CHANTLER.f0(e, q) + (extra or {}).get(e, 0.0)) * a[e] for e in a)
        f0 = f0 - solid.medium.electron_density_e_nm3 * amplitude(np.ones(len(THICK)), d, q)
        total += share * np.stack([f0**2, f0 * a[element], a[element] ** 2], axis=1)
    return total


def clean(solid: SolidSolution, energy: float, q: np.ndarray, factors: FactorTable = CHANTLER) -> np.ndarray:
    return sum(
        s * spheroid_curve(q, solid, factors, energy, diameter_nm=d, shell_fraction=THICK, laue=False)
        for d, s in zip(DIAMETERS, SHARES, strict=True)
    )


@cache
def paper_curves() -> tuple[np.ndarray, ...]:
    return tuple(clean(paper_solid(), e, Q) for e in ENERGIES)


@cache
def paper_truth() -> np.ndarray:
    return true_terms(paper_solid(), Q)


def curve(energy: float, intensity: np.ndarray, noise: float, q: np.ndarray = Q, **more: object) -> ScatteringCurve:
    values = {"q_inv_nm": q, "intensity": intensity, "sigma": noise * np.abs(intensity), "energy_kev": energy, **more}
    return ScatteringCurve(**values)  # type: ignore[arg-type]


def exact_curves(noise: float = 1e-4) -> list[ScatteringCurve]:
    return [curve(e, i, noise) for e, i in zip(ENERGIES, paper_curves(), strict=True)]


def noisy_curves(seed: int, noise: float, scale: float) -> list[ScatteringCurve]:
    rng = np.random.default_rng(seed)
    out = []
    for e, i in zip(ENERGIES, paper_curves(), strict=True):
        drawn = i * (1 + scale * rng.standard_normal()) + noise * i * rng.standard_normal(len(Q))
        out.append(replace(curve(e, i, noise), intensity=drawn))
    return out


def constant_others(values: dict[str, float]) -> FactorTable:
    flat = [MeasuredFactors(element=e, energy_kev=(8.0, 17.0), f_prime=(f, f), f_double_prime=(0.0, 0.0))
            for e, f in values.items()]  # fmt: skip
    return replace(CHANTLER, measured=tuple(flat))


# --- exact where it must be


def test_exact_where_the_other_factors_are_constant_and_real() -> None:
    solid, others = paper_solid(), {"Ag": -0.4, "In": 0.3, "Se": -1.1}
    factors = constant_others(others)
    curves = [curve(e, clean(solid, e, Q, factors), 1e-3) for e in ENERGIES]
    found = separate_terms(curves, solid, factors, "Zn", correction="none")
    np.testing.assert_allclose(found.terms, true_terms(solid, Q, extra=others), rtol=1e-8)
    assert found.chi2 < 1e-12


def test_exact_with_three_energies_and_no_freedom_left() -> None:
    factors = constant_others({"Ag": 0.0, "In": 0.0, "Se": 0.0})
    solid = paper_solid()
    curves = [curve(e, clean(solid, e, Q, factors), 1e-3) for e in (16.0, 9.63, 8.90)]
    for correction in ("none", "end_members"):
        found = separate_terms(curves, solid, factors, "Zn", correction=correction)
        np.testing.assert_allclose(found.terms, true_terms(solid, Q), rtol=1e-8)
        assert found.degrees_of_freedom == 0


def test_correction_is_exact_without_a_medium() -> None:
    solid = paper_solid(medium=0.0)
    for element in ("Zn", "In"):
        g, h = amplitude_factors(solid, CHANTLER, element, ENERGIES, Q)
        a = atoms(solid, THICK, 4.1, Q)
        f0 = sum(CHANTLER.f0(e, Q) * a[e] for e in a)
        for i, energy in enumerate(ENERGIES):
            whole = sum((CHANTLER.f0(e, Q) + CHANTLER.anomalous(e, energy)) * a[e] for e in a)
            np.testing.assert_allclose(g[i] * f0 + h[i] * a[element], whole, rtol=1e-11)


def test_correction_of_one_material_is_exact_in_any_medium() -> None:
    zinc_selenide = paper_solid().shell
    assert zinc_selenide is not None
    solid = SolidSolution(core=zinc_selenide, shell=None, medium=paper_solid().medium)
    x = np.zeros(3)
    g, h = amplitude_factors(solid, CHANTLER, "Zn", ENERGIES, Q)
    a = atoms(solid, x, 4.1, Q)
    f0 = sum(CHANTLER.f0(e, Q) * a[e] for e in a) - 283.33 * amplitude(np.ones(3), 4.1, Q)
    for i, energy in enumerate(ENERGIES):
        intensity = spheroid_curve(Q, solid, CHANTLER, energy, diameter_nm=4.1, shell_fraction=x, laue=False)
        np.testing.assert_allclose(np.abs(g[i] * f0 + h[i] * a["Zn"]) ** 2, intensity, rtol=1e-10)


# --- the weak contrast of the paper


def test_the_classical_form_is_wrong_by_a_factor_of_three_to_six() -> None:
    found = separate_terms(exact_curves(), paper_solid(), CHANTLER, "Zn", correction="none")
    ratio = found.terms[:, 2] / paper_truth()[:, 2]
    assert 3.0 < np.median(ratio) < 6.0
    assert ratio[Q < 1.5].min() > 3.0
    assert found.chi2 / found.degrees_of_freedom > 30


def test_the_correction_brings_every_term_back() -> None:
    found = separate_terms(exact_curves(), paper_solid(), CHANTLER, "Zn")
    ratio = found.terms / paper_truth()
    assert np.abs(ratio[:, :2] - 1).max() < 1e-3
    assert np.abs(ratio[:, 2] - 1).max() < 0.01
    assert found.chi2 / found.degrees_of_freedom < 1e-3
    assert 300 < found.condition.min() < found.condition.max() < 1500
    assert [p.broken for p in found.positivity] == [0, 0, 0]


@pytest.mark.parametrize("scale", [0.0, 0.001])
def test_errors_cover_the_truth(scale: float) -> None:
    truth, inside, z, chi2 = paper_truth(), [], [], []
    for seed in range(20):
        found = separate_terms(noisy_curves(seed, 0.001, scale), paper_solid(), CHANTLER, "Zn", scale_uncertainty=scale)
        inside.append((np.abs(found.terms - truth) < 1.96 * found.sigma).mean(axis=0))
        pull = np.linalg.solve(found.resonant_covariance, truth[:, 2])
        z.append((pull @ found.terms[:, 2] - pull @ truth[:, 2]) / np.sqrt(pull @ truth[:, 2]))
        chi2.append(found.chi2)
    assert np.all(np.abs(np.mean(inside, axis=0) - 0.95) < (0.02 if scale == 0 else 0.08))
    # 20 draws of a unit normal: mean within 3.3 and spread within 3 of their standard deviations
    assert abs(np.mean(z)) < 0.75
    assert 0.5 < np.std(z) < 1.5
    assert abs(np.mean(chi2) / len(Q) - 1) < 0.15


def test_all_points_at_once_by_brute_force() -> None:
    """The same problem as one large system with the scales as further unknowns."""
    s, noise, n, m = 0.002, 0.002, len(Q), len(ENERGIES)
    curves = noisy_curves(5, noise, s)
    y = np.stack([c.intensity for c in curves])
    g, h = amplitude_factors(paper_solid(), CHANTLER, "Zn", ENERGIES, Q)
    design = coefficients(g, h)
    size = np.tile([1.0, 1 / 20, 1 / 400], (n, 1))
    found = solve(design, y, [np.diag(c.sigma**2) for c in curves], np.full(m, s), size)
    model = np.einsum("qet,qt->eq", design, found.terms)
    large = np.zeros((m * n + m, 3 * n + m))
    right = np.zeros(m * n + m)
    for e in range(m):
        for i in range(n):
            row = e * n + i
            large[row, 3 * i : 3 * i + 3] = design[i, e] / curves[e].sigma[i]
            large[row, 3 * n + e] = model[e, i] / curves[e].sigma[i]
            right[row] = y[e, i] / curves[e].sigma[i]
        large[m * n + e, 3 * n + e] = 1 / s
    norm = np.linalg.norm(large, axis=0)
    answer = np.linalg.lstsq(large / norm, right, rcond=None)[0] / norm
    cov = np.linalg.inv((large / norm).T @ (large / norm)) / np.outer(norm, norm)
    sigma = np.sqrt(np.diag(cov))
    # the last step of the linearisation is far below the errors
    assert np.abs((answer[: 3 * n] - found.terms.ravel()) / sigma[: 3 * n]).max() < 0.01
    assert np.abs((answer[3 * n :] + 1 - found.scale) / sigma[3 * n :]).max() < 0.01
    ratio = found.covariance.reshape(3 * n, 3 * n) / np.outer(sigma[: 3 * n], sigma[: 3 * n])
    np.testing.assert_allclose(ratio, cov[: 3 * n, : 3 * n] / np.outer(sigma[: 3 * n], sigma[: 3 * n]), atol=0.02)
    np.testing.assert_allclose(found.scale_sigma, sigma[3 * n :], rtol=0.02)


# --- different grids


def test_own_points_stay_as_they_are_and_cubics_are_exact() -> None:
    coarse, fine = curve(9.0, np.ones(len(Q)), 0.01), np.linspace(0.51, 4.4, 40)
    np.testing.assert_array_equal(to_grid(coarse, Q), np.eye(len(Q)))
    cubic = 1 + Q - 2 * Q**2 + 0.3 * Q**3
    want = 1 + fine - 2 * fine**2 + 0.3 * fine**3
    np.testing.assert_allclose(to_grid(coarse, fine) @ cubic, want, atol=1e-10)
    # many points in each cell: averaged, so that errors fall
    dense = curve(9.0, np.ones(2001), 0.01, np.linspace(0.4, 4.6, 2001))
    b = to_grid(dense, Q)
    assert np.sqrt(np.diag((b * dense.sigma**2) @ b.T))[1:-1].max() < 0.004


def test_curves_on_different_grids() -> None:
    solid, noise = paper_solid(), 0.001
    grids = [np.linspace(0.4 + 0.03 * i, 4.6 - 0.02 * i, 120 + 17 * i) for i in range(4)]
    exact = [curve(e, clean(solid, e, g), noise, g) for e, g in zip(ENERGIES, grids, strict=True)]
    found = separate_terms(exact, solid, CHANTLER, "Zn")
    assert found.q_inv_nm.min() >= 0.49
    assert found.q_inv_nm.max() <= 4.54
    truth = true_terms(solid, found.q_inv_nm)
    assert np.abs((found.terms - truth) / found.sigma).max() < 0.5


def test_errors_on_a_finer_grid_are_shared_between_its_points() -> None:
    solid, coarse, fine = paper_solid(), np.linspace(0.8, 1.7, 10), np.linspace(0.85, 1.65, 17)
    exact = [curve(e, clean(solid, e, coarse), 1e-4, coarse) for e in ENERGIES]
    rng = np.random.default_rng(2)
    draws = []
    for _ in range(300):
        drawn = [replace(c, intensity=c.intensity + c.sigma * rng.standard_normal(len(c))) for c in exact]
        draws.append(separate_terms(drawn, solid, CHANTLER, "Zn", q_inv_nm=fine).terms[:, 2])
    stated = separate_terms(exact, solid, CHANTLER, "Zn", q_inv_nm=fine).resonant_covariance
    scattered = np.cov(np.array(draws).T)
    np.testing.assert_allclose(np.diag(scattered) / np.diag(stated), 1.0, atol=0.3)
    scale = np.sqrt(np.outer(np.diag(stated), np.diag(stated)))
    # a correlation from 300 draws is good to 0.06
    np.testing.assert_allclose((scattered / scale)[8, 6:11], (stated / scale)[8, 6:11], atol=0.2)
    assert (stated / scale)[8, 7] > 0.4


# --- what is refused, and what is reported


def test_the_paper_s_own_errors_are_refused_with_the_reason() -> None:
    with pytest.raises(PhysicsError, match=r"cannot separate the terms at these errors.*1\.5 %.*16 keV"):
        separate_terms(noisy_curves(1, 0.01, 0.015), paper_solid(), CHANTLER, "Zn", scale_uncertainty=0.015)


def test_energies_that_are_alike_are_refused() -> None:
    flat = replace(
        CHANTLER,
        measured=(
            MeasuredFactors(element="Zn", energy_kev=(8.0, 17.0), f_prime=(-2.0, -2.0), f_double_prime=(0.5, 0.5)),
        ),
    )
    with pytest.raises(PhysicsError, match="condition number"):
        separate_terms(exact_curves(), paper_solid(), flat, "Zn", correction="none")


def test_impossible_requests_are_refused() -> None:
    curves, solid = exact_curves(), paper_solid()
    with pytest.raises(PhysicsError, match="three or more different energies, got 2"):
        separate_terms([curves[0], curves[1], curves[1]], solid, CHANTLER, "Zn")
    with pytest.raises(PhysicsError, match="needs its photon energy"):
        separate_terms([replace(curves[0], energy_kev=None), *curves[1:]], solid, CHANTLER, "Zn")
    with pytest.raises(PhysicsError, match="1/cm and arb"):
        separate_terms([replace(curves[0], intensity_unit="1/cm"), *curves[1:]], solid, CHANTLER, "Zn")
    with pytest.raises(PhysicsError, match="resonant element Cu"):
        separate_terms(curves, solid, CHANTLER, "Cu")
    with pytest.raises(PhysicsError, match="range that all curves cover"):
        separate_terms(curves, solid, CHANTLER, "Zn", q_inv_nm=np.linspace(0.3, 4.0, 20))
    with pytest.raises(PhysicsError, match="scale_uncertainty"):
        separate_terms(curves, solid, CHANTLER, "Zn", scale_uncertainty=[0.01, 0.01])
    far = curve(9.0, np.ones(20), 0.01, np.linspace(5.0, 6.0, 20))
    with pytest.raises(PhysicsError, match="overlap"):
        separate_terms([*curves[:3], far], solid, CHANTLER, "Zn")


def test_broken_inequalities_are_counted_and_left() -> None:
    found = separate_terms(exact_curves(), paper_solid(), CHANTLER, "Zn")
    terms = found.terms.copy()
    terms[3, 0] *= -1
    terms[7, 2] -= 1.5 * found.sigma[7, 2] + terms[7, 2]
    terms[9, 1] *= 10
    again = replace(found, terms=terms)
    i0, rr, schwarz = again.positivity
    assert (i0.broken, i0.beyond_two_sigma) == (1, 1)
    assert (rr.broken, rr.beyond_two_sigma) == (1, 0)
    assert schwarz.broken == 3
    np.testing.assert_array_equal(again.terms, terms)
    back = pickle.loads(pickle.dumps(again))
    assert isinstance(back, SeparatedTerms)
    np.testing.assert_array_equal(back.resonant_curve.intensity, terms[:, 2])
    with pytest.raises(PhysicsError, match="terms: expected shape"):
        replace(found, terms=terms[:, :2])


# --- pair distances


def test_pair_distances_of_a_ball() -> None:
    radius = 2.0
    volume = 4 / 3 * np.pi * radius**3
    exact = (volume * sphere_phi(Q * radius)) ** 2
    sigma = 0.01 * exact + 1e-4 * exact[0]
    noise = np.random.default_rng(3).standard_normal(len(Q))
    for largest in (4.0, 4.6):
        found = pair_distances(Q, exact + sigma * noise, sigma**2, largest)
        t = np.minimum(found.r_nm / (2 * radius), 1.0)
        want = volume * found.r_nm**2 * (1 - 1.5 * t + 0.5 * t**3)
        assert np.abs(found.p - want).max() < 0.05 * want.max()
        assert found.rg_nm == pytest.approx(np.sqrt(0.6) * radius, rel=0.01)
        assert found.i_zero == pytest.approx(volume**2, rel=0.02)
        assert 0.5 < found.chi2 / len(Q) < 1.6


def test_pair_distances_of_the_resonant_atoms() -> None:
    dense = np.linspace(1e-3, 0.02, 30)
    far = true_terms(paper_solid(), dense)[:, 2]
    slope, intercept = np.polyfit(dense**2, np.log(far), 1)
    gyration = np.sqrt(-3 * slope)
    found = separate_terms(noisy_curves(1, 0.0003, 0.0), paper_solid(), CHANTLER, "Zn")
    p = pair_distances(found.q_inv_nm, found.terms[:, 2], found.resonant_covariance, 4.1 + 3.5 * 0.49)
    assert abs(p.rg_nm - gyration) < 3 * p.rg_sigma_nm < 0.3
    assert abs(p.i_zero / np.exp(intercept) - 1) < 0.2
    # atoms of the outside are farther apart than those of a homogeneous particle
    whole = pair_distances(Q, paper_truth()[:, 0], (1e-3 * paper_truth()[:, 0]) ** 2, 4.1 + 3.5 * 0.49)
    assert p.rg_nm > whole.rg_nm + 2 * p.rg_sigma_nm


def test_pair_distances_refuse_what_cannot_be() -> None:
    with pytest.raises(PhysicsError, match="cannot be told"):
        pair_distances(Q, np.ones(len(Q)), np.ones(len(Q)), 100.0)
    with pytest.raises(PhysicsError, match="positive definite"):
        pair_distances(Q, np.ones(len(Q)), np.zeros(len(Q)), 4.0)
    weak = pair_distances(Q, np.random.default_rng(1).standard_normal(len(Q)), np.ones(len(Q)), 4.0)
    assert np.isnan(weak.rg_nm)
