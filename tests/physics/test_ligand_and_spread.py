"""Ligand shell and spread of composition: against brute force over sizes, angles and particles, and against differences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, known, measure, solid

from nanostrata.domain import ScatteringCurve
from nanostrata.errors import RecipeError
from nanostrata.kernels.multishell import multishell_amplitude, sphere_phi
from nanostrata.kernels.outer_shell import outer_basis, outer_weights
from nanostrata.models.build_posterior import build_posterior
from nanostrata.models.collapsed import CollapsedPosterior
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.explore import best_point, resampled_fits
from nanostrata.models.extended_particle import ExtendedParticle
from nanostrata.models.families import make_family
from nanostrata.models.graded_particle import GradedParticle, SizeRange, prepare
from nanostrata.models.nodes import with_nodes
from nanostrata.models.particle_options import WIDEST_SPREAD, CompositionSpread, Ligand, spread_compositions
from nanostrata.models.posterior import Posterior

STORED = Path(__file__).parents[1] / "reference" / "posterior" / "without_options.json"
X = np.array([0.1, 0.15, 0.3, 0.6, 0.9])
SIZE = np.array([4.1, 0.45])
LIGAND = Ligand(thickness_nm=1.5, thickness_sd_nm=0.2, electron_density_e_nm3=330.0, density_sd=0.05)
FITTED = CompositionSpread()
REACH = SizeRange(mean_low=3.8, mean_high=4.4, std_low=0.3, std_high=0.6)


def curves(q: np.ndarray | None = None) -> list[ScatteringCurve]:
    q = np.linspace(0.3, 6.0, 60) if q is None else q
    one = np.ones(len(q))
    return [ScatteringCurve(q_inv_nm=q, intensity=one, sigma=one, energy_kev=e, label=f"{e}") for e in (16.0, 9.63)]


def particle(errors: ContrastErrors, shape: str = "sphere", engine: str = "auto", laue: bool = True) -> GradedParticle:
    return prepare(
        curves(), solid(), CHANTLER, np.arange(1, 6) / 5, sizes=REACH, shape=shape, errors=errors, engine=engine, laue=laue
    )  # fmt: skip


def brute_force(model: GradedParticle, x: np.ndarray, thickness: float, density: np.ndarray) -> np.ndarray:
    """Spheres one by one on a fine grid of sizes; the amplitude of shells with absolute edges, ligand outermost."""
    mean, std = 0.5 * SIZE
    radii = np.linspace(mean - 8 * std, mean + 8 * std, 801)
    radii = radii[radii > 0]
    number = np.exp(-0.5 * ((radii - mean) / std) ** 2)
    v = model.solid.site_volume_nm3(x)
    rho = ((1 - x) * model.core[:, None] + x * model.shell[:, None]) / v - model.medium[:, None]
    rho = np.concatenate([rho, (density - model.medium)[:, None]], axis=1)
    out = np.zeros(len(rho))
    for r, n in zip(radii, number / number.sum(), strict=True):
        edges = np.append(r * model.fractions, r + thickness)
        steps = (rho - np.append(rho[:, 1:], np.zeros((len(rho), 1)), axis=1)) * (4 / 3 * np.pi * edges**3)
        out += n * np.abs((steps * sphere_phi(model.q_inv_nm[:, None] * edges)).sum(axis=1)) ** 2
    return out


@pytest.mark.parametrize("thickness", [0.05, 0.7, 1.5, 3.0])
def test_addition_theorem(thickness: float) -> None:
    q, r = np.concatenate([[0.0, 1e-6, 1e-3], np.linspace(0.01, 8, 40)]), np.array([0.3, 1.0, 2.05, 4.0])
    w, _ = outer_weights(q, thickness)
    u = np.multiply.outer(r, q)
    got = w[0] * sphere_phi(u) + np.einsum("jq,jrq->rq", w[1:], outer_basis(q, r))
    outer = (r + thickness)[:, None]
    expected = (outer / r[:, None]) ** 3 * sphere_phi(outer * q) - sphere_phi(u)
    np.testing.assert_allclose(got, expected, atol=2e-14 * (1 + thickness / 0.3) ** 3)


def test_weights_change_with_thickness() -> None:
    q = np.concatenate([[0.0], np.linspace(0.1, 6, 30)])
    h = 1e-5
    difference = (outer_weights(q, 1.5 + h)[0] - outer_weights(q, 1.5 - h)[0]) / (2 * h)
    np.testing.assert_allclose(outer_weights(q, 1.5)[1], difference, atol=1e-8)


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_ligand_against_brute_force(engine: str) -> None:
    model = particle(ContrastErrors(ligand=LIGAND), engine=engine, laue=False)
    assert isinstance(model, ExtendedParticle)
    got = model.evaluate(X, SIZE, contrast=np.array([0.7, -1.2]))
    expected = brute_force(model, X, 1.5 + 0.7 * 0.2, np.full(len(model.medium), 330.0 * (1 - 1.2 * 0.05)))
    np.testing.assert_allclose(got.value, expected, rtol=1e-4)
    bare = particle(ContrastErrors(), laue=False).evaluate(X, SIZE)
    assert np.abs(got.value / bare.value - 1).max() > 0.1


def test_ligand_of_a_material_has_its_electrons_and_absorbs() -> None:
    # oleate: C18H33O2 of 0.9 g/cm^3 has 156 electrons in 281.45 g/mol
    ligand = Ligand(thickness_nm=1.0, formula="C18H33O2", density_g_cm3=0.9)
    density = ligand.electron_density(CHANTLER, 9.0)
    assert density.real == pytest.approx(0.9 * 602.214 / 281.45 * 157.0, rel=3e-3)
    assert 0 < density.imag < 0.01 * density.real
    # a heavy atom near its edge depends on the energy
    zinc = Ligand(thickness_nm=1.0, formula="ZnC36H66O4", density_g_cm3=1.1)
    change = zinc.electron_density(CHANTLER, 16.0) - zinc.electron_density(CHANTLER, 9.63)
    per_molecule = 1.1 * 602.214 / (65.38 + 36 * 12.011 + 66 * 1.008 + 4 * 15.999)
    steps = {e: CHANTLER.f_prime(e, 16.0) - CHANTLER.f_prime(e, 9.63) for e in ("Zn", "C", "H", "O")}
    expected = steps["Zn"] + 36 * steps["C"] + 66 * steps["H"] + 4 * steps["O"]
    assert change.real == pytest.approx(per_molecule * expected, rel=1e-3)
    assert abs(steps["Zn"]) > 0.9 * abs(expected)
    model = particle(ContrastErrors(ligand=zinc), laue=False)
    densities = np.repeat([zinc.electron_density(CHANTLER, e) for e in (16.0, 9.63)], 60)
    np.testing.assert_allclose(model.evaluate(X, SIZE).value, brute_force(model, X, 1.0, densities), rtol=1e-4)


def test_a_ligand_like_the_medium_is_invisible() -> None:
    medium = solid().medium.electron_density_e_nm3
    with_it = particle(ContrastErrors(ligand=Ligand(thickness_nm=1.5, electron_density_e_nm3=medium)))
    a, b = with_it.evaluate(X, SIZE), particle(ContrastErrors()).evaluate(X, SIZE)
    np.testing.assert_allclose(a.value, b.value, rtol=1e-11)
    np.testing.assert_allclose(a.grad_x, b.grad_x, rtol=1e-9, atol=1e-11 * np.abs(b.grad_x).max())


def test_a_ligand_like_the_particle_makes_it_larger() -> None:
    # narrow sizes, one composition, one energy: core and ligand of equal density are one sphere of radius R + T
    rho = complex(solid().electron_density(np.array([0.5]), CHANTLER, 9.63)[0])
    ligand = Ligand(thickness_nm=1.0, electron_density_e_nm3=rho.real)
    narrow = SizeRange(mean_low=3.9, mean_high=4.1, std_low=0.02, std_high=0.05)
    made = prepare(
        [curves()[1]], solid(), CHANTLER, np.ones(1), sizes=narrow, errors=ContrastErrors(ligand=ligand),
        atomic_form_factors=False, laue=False,
    )  # fmt: skip
    got = made.evaluate(np.array([0.5]), np.array([4.0, 0.02])).value
    radii = 2.0 + 0.01 * np.linspace(-6, 6, 121)
    n = np.exp(-0.5 * np.linspace(-6, 6, 121) ** 2)
    medium = solid().medium.electron_density_e_nm3
    one = [
        np.abs(multishell_amplitude(made.q_inv_nm, np.array([r, r + 1.0]), np.array([rho - medium, rho.real - medium])))
        ** 2
        for r in radii
    ]
    np.testing.assert_allclose(got, n @ np.array(one) / n.sum(), rtol=1e-5)


@pytest.mark.parametrize(("shape", "aspect"), [("prolate", 1.3), ("oblate", 0.75)])
def test_spheroid_with_ligand_against_a_spheroid_of_longer_axes(shape: str, aspect: float) -> None:
    # the model takes (1 + T/t)^3 for the volume along each direction: an approximation, of this size
    model = particle(ContrastErrors(ligand=Ligand(thickness_nm=1.5, electron_density_e_nm3=330.0)), shape, laue=False)
    got = model.evaluate(X, np.append(SIZE, aspect)).value
    mean, std = 0.5 * SIZE
    radii = np.linspace(mean - 7 * std, mean + 7 * std, 141)
    radii = radii[radii > 0]
    number = np.exp(-0.5 * ((radii - mean) / std) ** 2)
    mu, share = np.polynomial.legendre.leggauss(48)
    mu, share = 0.5 * (mu + 1), 0.5 * share
    v = solid().site_volume_nm3(X)
    rho = ((1 - X) * model.core[:, None] + X * model.shell[:, None]) / v - model.medium[:, None]
    steps = rho - np.append(rho[:, 1:], np.zeros((len(rho), 1)), axis=1)
    outside = 330.0 - model.medium
    expected = np.zeros(len(rho))
    for r, n in zip(radii, number / number.sum(), strict=True):
        a, c = r * aspect ** (-1 / 3), r * aspect ** (2 / 3)
        volume, larger = 4 / 3 * np.pi * r**3, 4 / 3 * np.pi * (a + 1.5) ** 2 * (c + 1.5)
        for m, w in zip(mu, share, strict=True):
            t = np.sqrt(a * a * (1 - m * m) + c * c * m * m)
            t_out = np.sqrt((a + 1.5) ** 2 * (1 - m * m) + (c + 1.5) ** 2 * m * m)
            f = (steps * volume * model.fractions**3 * sphere_phi(model.q_inv_nm[:, None] * t * model.fractions)).sum(1)
            f = f + outside * (larger * sphere_phi(model.q_inv_nm * t_out) - volume * sphere_phi(model.q_inv_nm * t))
            expected += n * w * np.abs(f) ** 2
    error = np.abs(got / expected - 1)
    print(shape, aspect, error.max(), error.mean(), error[:20])
    assert error.max() < 0.02


@pytest.mark.parametrize("width", [0.02, 0.05, 0.2])
def test_five_nodes_are_enough_and_the_mean_is_kept(width: float) -> None:
    x = np.array([1e-4, 0.02, 0.3, 0.5, 0.98])
    for count in (5, 41):
        w, own, _, _ = spread_compositions(x, width, count)
        np.testing.assert_allclose(w @ own, x, rtol=1e-10)
    few, many = spread_compositions(x, width, 5), spread_compositions(x, width, 41)
    # the variance is what the intensity sees: 5 nodes give it to 1 % up to the widest spread allowed
    few_var, many_var = few[0] @ (few[1] - x) ** 2, many[0] @ (many[1] - x) ** 2
    np.testing.assert_allclose(few_var[1:], many_var[1:], rtol=0.01)


def test_spread_is_the_standard_deviation_of_a_half() -> None:
    w, own, _, _ = spread_compositions(np.array([0.5]), 0.03, 41)
    assert np.sqrt(w @ (own[:, 0] - 0.5) ** 2) == pytest.approx(0.03, rel=0.01)


def test_derivatives_of_the_compositions() -> None:
    x, s, h = np.array([0.0, 0.01, 0.4, 0.95, 1.0]), 0.08, 1e-6
    _, _, by_x, by_s = spread_compositions(x, s)
    inside = np.clip(x, 1e-4, 1 - 1e-4)
    _, _, by_inside, _ = spread_compositions(inside, s)
    up, down = spread_compositions(inside + h, s)[1], spread_compositions(inside - h, s)[1]
    np.testing.assert_allclose(by_inside, (up - down) / (2 * h), rtol=2e-4)
    up, down = spread_compositions(x, s + h)[1], spread_compositions(x, s - h)[1]
    np.testing.assert_allclose(by_s, (up - down) / (2 * h), atol=2e-7)
    assert np.isfinite(by_x).all()


@pytest.mark.parametrize("width", [0.05, 0.2])
def test_spread_against_41_nodes_of_whole_ensembles(width: float) -> None:
    model = particle(ContrastErrors(spread=CompositionSpread(width=width), ligand=LIGAND))
    plain = particle(ContrastErrors(ligand=LIGAND))
    w, own, _, _ = spread_compositions(X, width, 41)
    runs = [plain.evaluate(one, SIZE) for one in own]
    expected = w @ np.array([e.value + e.laue for e in runs])
    got = model.evaluate(X, SIZE)
    mean = plain.evaluate(X, SIZE)
    effect = np.abs(expected - mean.value - mean.laue)
    error = np.abs(got.value + got.laue - expected)
    assert (error / expected).max() < 0.02 * (effect / expected).max()


def test_scattering_hardly_sees_the_spread() -> None:
    """Change of I at a spread of 0.05 and 0.2, largest over the curves: stated in the documentation."""
    plain = particle(ContrastErrors(), laue=False).evaluate(X, SIZE).value
    change = {}
    for width in (0.05, 0.2):
        model = particle(ContrastErrors(spread=CompositionSpread(width=width)), laue=False)
        change[width] = float(np.abs(model.evaluate(X, SIZE).value / plain - 1).max())
    print(change)
    assert 0 < change[0.05] < 1e-3
    # a variance: with the square of the width
    assert change[0.2] / change[0.05] == pytest.approx(16, rel=0.35)


ALL = ContrastErrors(medium_density=0.003, core_cations=0.05, energy_ev=0.5, ligand=LIGAND, spread=FITTED)


def build(shape: str = "sphere", engine: str = "auto", errors: ContrastErrors = ALL) -> tuple[Posterior, Posterior]:
    data = measure(X, 4.1, 0.45, seed=1)
    prior = known(4.1, 0.45, 1, 0.6)
    family = make_family("shells", 5)

    def make(some: list[ScatteringCurve]) -> GradedParticle:
        return prepare(
            some, solid(), CHANTLER, family.fractions, sizes=SizeRange.around(prior.sizes), shape=shape, errors=errors, engine=engine
        )  # fmt: skip

    plain = build_posterior(data, make(data), family, replace(prior, contrast_errors=errors))
    return plain, with_nodes(plain, data, make)


@pytest.mark.parametrize(("shape", "engine"), [("sphere", "numba"), ("sphere", "numpy"), ("prolate", "numba")])
def test_gradients_against_differences(shape: str, engine: str) -> None:
    p, _ = build(shape, engine)
    assert [n for n in p.names if n.startswith(("ligand", "comp"))] == [
        "ligand_thickness", "ligand_density", "composition_spread",
    ]  # fmt: skip
    theta = p.start(np.linspace(0.1, 0.8, 5))
    theta[-14:] += 0.3 * np.random.default_rng(2).standard_normal(14) * np.where(np.arange(14) < 6, 1.0, 0.03)
    if shape != "sphere":
        theta[p.names.index("aspect_ratio")] = 1.2
    value, gradient = p.log_density(theta)
    r, j = p.residuals(theta)
    assert value == pytest.approx(-0.5 * float(r @ r), rel=1e-12)
    assert np.abs(gradient + j.T @ r).max() < 1e-9 * np.abs(gradient).max()
    for position, k in enumerate(np.flatnonzero(p.free)):
        h = 1e-5 * max(abs(theta[k]), 0.01)
        up, down = theta.copy(), theta.copy()
        up[k] += h
        down[k] -= h
        slope = (p.residuals(up)[0] - p.residuals(down)[0]) / (2 * h)
        np.testing.assert_allclose(
            j[:, position], slope, rtol=1e-4, atol=2e-6 * np.abs(j[:, position]).max(), err_msg=p.names[k]
        )


@pytest.mark.slow
def test_collapsed_gradient_against_differences_and_nodes_carry_the_density() -> None:
    plain, fast = build()
    best = best_point(plain)
    both = [CollapsedPosterior(posterior=p, anchor=best) for p in (plain, fast)]
    assert fast.nodes is not None
    assert isinstance(fast.nodes, ExtendedParticle)
    z = best[both[0].kept] + 0.003 * np.random.default_rng(3).standard_normal(len(both[0].kept))
    values = [[c.log_density(at)[0] for at in (z, best[c.kept])] for c in both]
    assert np.diff(values[0])[0] == pytest.approx(np.diff(values[1])[0], abs=0.01)
    c = both[1]
    _, gradient = c.log_density(z)
    for k in range(len(z)):
        up, down = z.copy(), z.copy()
        up[k] += 1e-5
        down[k] -= 1e-5
        slope = (c.log_density(up)[0] - c.log_density(down)[0]) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=2e-3), plain.names[c.kept[k]]


@pytest.mark.parametrize("shape", ["sphere", "prolate"])
def test_without_options_all_numbers_are_those_of_before(shape: str) -> None:
    # stored before these options were built; equal to the last bit on the machine that wrote them
    stored = json.loads(STORED.read_text("utf-8"))[shape]
    plain, fast = build(shape, errors=ContrastErrors(medium_density=0.003, core_cations=0.05, energy_ev=0.5))
    theta = plain.start(np.linspace(0.1, 0.9, 5))
    if shape == "prolate":
        theta[plain.names.index("aspect_ratio")] = 1.2
    theta[-12:] += 0.01 * np.arange(12)
    value, gradient = plain.log_density(theta)
    assert value == pytest.approx(stored["log_density"], rel=1e-12)
    np.testing.assert_allclose(gradient, stored["gradient"], rtol=1e-9, atol=1e-12 * np.abs(gradient).max())
    c = CollapsedPosterior(posterior=fast, anchor=theta)
    value, gradient = c.log_density(theta[c.kept])
    assert value == pytest.approx(stored["collapsed"], rel=1e-9)
    np.testing.assert_allclose(gradient, stored["collapsed_gradient"], rtol=1e-6, atol=1e-8 * np.abs(gradient).max())


def test_both_engines_give_the_same_numbers() -> None:
    at = np.array([0.5, -0.3, 0.8, 0.4, -1.0, 0.2])
    fast, plain = (particle(ALL, engine=e).evaluate(X, SIZE, (0.01, -0.02), contrast=at) for e in ("numba", "numpy"))
    for name in ("value", "laue", "grad_x", "grad_size", "grad_density", "grad_contrast"):
        a, b = getattr(fast, name), getattr(plain, name)
        # by size: the NumPy engine takes central differences of the weights
        rtol = 1e-6 if name == "grad_size" else 1e-9
        np.testing.assert_allclose(a, b, rtol=rtol, atol=0.01 * rtol * np.abs(b).max(), err_msg=name)


def test_no_options_no_other_path() -> None:
    # the class that computes is the one of before, and held options of no effect agree with it
    assert type(particle(ContrastErrors(medium_density=0.002))) is GradedParticle
    nothing = particle(ContrastErrors(spread=CompositionSpread(width=0.0)))
    a, b = nothing.evaluate(X, SIZE), particle(ContrastErrors()).evaluate(X, SIZE)
    np.testing.assert_allclose(a.value, b.value, rtol=1e-12)


def test_refits_hold_the_ligand() -> None:
    # exact data of a particle with its ligand: the refits return the shells, and do not without what the ligand adds
    p, _ = build(errors=ContrastErrors(ligand=LIGAND))
    theta = p.start(X)
    theta[p.names.index("log_scale")] = 0.3
    model, _ = p.model(theta, gradient=False)
    exact = replace(p, intensity=model, sigma=1e-5 * model)
    gauss, _ = resampled_fits(exact, theta, 4, np.random.SeedSequence(1))
    assert np.abs(gauss - X).max() < 0.01
    without, _ = build(errors=ContrastErrors())
    at = without.start(X)
    at[without.names.index("log_scale")] = 0.3
    wrong, _ = resampled_fits(replace(without, intensity=model, sigma=1e-5 * model), at, 4, np.random.SeedSequence(1))
    assert np.abs(wrong - X).max() > 0.1


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(RecipeError, match="at most a third"):
        Ligand(thickness_nm=0.5, thickness_sd_nm=0.3, electron_density_e_nm3=300.0)
    with pytest.raises(RecipeError, match="either electron_density"):
        Ligand(thickness_nm=0.5, electron_density_e_nm3=300.0, formula="C", density_g_cm3=1.0)
    with pytest.raises(RecipeError, match="not built yet"):
        prepare(
            curves(), solid(), CHANTLER, np.ones(1), sizes=REACH, errors=ContrastErrors(ligand=LIGAND), smearing=0.1
        )
    with pytest.raises(RecipeError, match="one material"):
        prepare(
            curves(), replace(solid(), shell=None), CHANTLER, np.ones(1), sizes=REACH, errors=ContrastErrors(spread=FITTED)
        )  # fmt: skip
    assert FITTED.at(0.0)[0] == WIDEST_SPREAD / 2
