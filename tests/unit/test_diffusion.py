"""Depth profiles, named diffusivities, Fick's profile as a family, and particles that each have their own tau."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, ENERGIES, QUICK, fit, known, measure, solid

from nanostrata.domain import Medium, ScatteringCurve
from nanostrata.domain.diffusion import Diffusion
from nanostrata.errors import PhysicsError, RecipeError
from nanostrata.kernels.fick import fick_profile, fick_shell_means
from nanostrata.models.build_posterior import build_posterior
from nanostrata.models.density import SolidSolution
from nanostrata.models.diffusion import (
    defined_diffusivities,
    depth_fractions,
    diffusing_elements,
    fit_exponential,
    number_density_nm3,
    own_tau_excess,
)
from nanostrata.models.explore import best_point
from nanostrata.models.families import Fick, Shells, make_family
from nanostrata.models.fit_setup import FitSetup
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.materials import make_material
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.pipeline.store_format import read_entry, write_entry
from nanostrata.pipeline.summary_diffusion import diffusion_summary
from nanostrata.simulate.campaign import simulate
from nanostrata.simulate.truth import RadialTruth, Truth, shell_means
from nanostrata.stages.derive_diffusion import DiffusionSettings, derive_diffusion

SHORT = DiffusionSettings(draws=60, warmup=60, chains=2)


def pair(core: str, shell: str, structure: str = "zincblende", a: float = 0.6) -> SolidSolution:
    medium = Medium(name="toluene", electron_density_e_nm3=283.33)
    make = lambda one, other: make_material(one, structure, a, partner=other)  # noqa: E731
    return SolidSolution(core=make(core, shell), shell=make(shell, core), medium=medium)


# ------------------------------------------------------------------------------------------------ depth profile


@pytest.mark.parametrize(
    ("core", "shell", "structure", "found"),
    [
        ("PbS", "CdS", "rocksalt", ("Cd",)),
        ("CdSe", "CdS", "zincblende", ("S",)),
        ("CdSe", "ZnS", "zincblende", ("Zn", "S")),
        ("CdSe", "Zn0.5Cd0.5Se", "zincblende", ("Zn",)),
        ("Au", "Ag", "fcc", ("Ag",)),
    ],
)
def test_what_diffuses_is_what_the_core_lacks(core, shell, structure, found):
    assert diffusing_elements(pair(core, shell, structure, 0.408 if structure == "fcc" else 0.6)) == found


def test_nothing_that_diffuses_is_refused():
    with pytest.raises(PhysicsError, match="has every element of CdSe"):
        diffusing_elements(pair("Cd0.5Zn0.5Se", "CdSe"))
    one = solid()
    with pytest.raises(PhysicsError, match="one material"):
        diffusing_elements(SolidSolution(core=one.core, shell=None, medium=one.medium))


def test_density_of_zinc_in_zinc_selenide():
    assert diffusing_elements(solid()) == ("Zn",)
    x = np.array([[0.0, 0.5, 1.0]])
    zero, one = np.zeros(1), np.full(1, 0.01)
    np.testing.assert_allclose(number_density_nm3(solid(), "Zn", x, zero, zero), [[0.0, 9.977, 22.036]], atol=1e-3)
    np.testing.assert_allclose(number_density_nm3(solid(), "Zn", x, zero, one)[0, 2], 1.01 * 22.036, atol=1e-3)


def test_exponential_is_the_least_squares_one():
    from scipy.optimize import least_squares

    rng = np.random.default_rng(4)
    depth = depth_fractions(5)
    np.testing.assert_allclose(depth, [0.9, 0.7, 0.5, 0.3, 0.1])
    density = np.maximum(np.exp(3.0 - 4.0 * depth) + rng.normal(0, 1.0, (20, 5)), 0.0)
    assert (density == 0.0).any()  # no logarithm could be taken
    sigma = np.array([3.0, 2.0, 2.0, 1.0, 0.5])
    c1, c2, at_limit = fit_exponential(depth, density, sigma)
    assert at_limit == 0.0
    for row, a, b in zip(density, c1, c2, strict=True):
        best = least_squares(lambda p, row=row: (np.exp(p[0] + p[1] * depth) - row) / sigma, [3.0, -4.0], xtol=1e-14)
        # the best of two searches: the local one may stop early
        cost = 0.5 * np.sum(((np.exp(a + b * depth) - row) / sigma) ** 2)
        assert cost <= best.cost * (1 + 1e-9)
        np.testing.assert_allclose([a, b], best.x, rtol=1e-3)


def test_exact_exponentials_come_back_and_extremes_are_told():
    depth = depth_fractions(8)
    slopes = np.array([-20.0, -3.3, 0.0, 2.0])
    c1, c2, at_limit = fit_exponential(depth, np.exp(2.5 + slopes[:, None] * depth), np.full(8, 0.7))
    np.testing.assert_allclose(c1, 2.5, rtol=1e-6)
    np.testing.assert_allclose(c2, slopes, atol=1e-5)
    assert at_limit == 0.0
    only_outer = np.array([[0.0, 0.0, 0.0, 0.0, 9.0], [0.0] * 5])
    c1, c2, at_limit = fit_exponential(depth_fractions(5), only_outer, np.ones(5))
    assert c2[0] == pytest.approx(-60.0, abs=0.2)
    assert at_limit == 1.0
    assert np.isnan(c1[1])
    with pytest.raises(PhysicsError, match="two shells"):
        fit_exponential(np.array([0.5]), np.ones((3, 1)), np.ones(1))
    with pytest.raises(PhysicsError, match="no spread"):
        fit_exponential(depth, np.ones((3, 8)), np.array([1.0] * 7 + [0.0]))


# ------------------------------------------------------------------------------------------------- definitions


def by_name(density, c1, c2, radius, time_s=600.0):
    found = defined_diffusivities(
        np.atleast_2d(density), np.atleast_1d(c1), np.atleast_1d(c2), np.atleast_1d(radius), time_s
    )
    return {d.name: d.diffusivity_cm2_s[0] for d in found}


def test_a_homogeneous_particle_gives_c_whatever_its_diffusivity():
    for value in (3.0, 20.0):
        found = by_name(np.full(5, value), np.log(value), 0.0, 2.0)
        assert found["C"] == pytest.approx(2.0**2 / (3 * 600) * 1e-14)
        assert found["F"] == pytest.approx(2.0**2 / (4 * 600) * 1e-14)
        for name in ("A", "B", "B'", "D", "E", "E'"):
            assert np.isnan(found[name]), name


def test_definitions_by_hand_on_an_exact_exponential():
    radius, time_s, c1, c2 = 2.0, 600.0, 3.0, -1.5
    depth = 2.0 * np.array([0.9, 0.7, 0.5, 0.3, 0.1])
    density = np.exp(c1 + c2 * depth)
    found = by_name(density, c1, c2, radius)
    atoms = 4 / 3 * np.pi * 8.0 * (np.array([1, 7, 19, 37, 61]) / 125) @ density
    flux = atoms / (4 * np.pi * 4.0 * time_s)  # nm^-2 s^-1
    expected = {
        "A": 1 / (c2**2 * time_s),
        "B": flux / (1.5 * np.exp(c1)),
        "B'": flux * radius / np.exp(c1),
        "C": atoms / (4 * np.pi * radius * time_s * density[-1]),
        "D": flux / np.mean(np.gradient(density, 0.4)),
        "E": flux * 1.6 / (density[-1] - density[0]),
        "E'": radius / (1.5 * time_s),
        "F": 4.0 / (4 * time_s),
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(1e-14 * value), name
    # a diffusivity knows no unit of the density, and goes with the square of the size
    tenfold = by_name(10 * density, c1 + np.log(10), c2, radius)
    double = by_name(density, c1, c2 / 2, 2 * radius)
    for name, value in found.items():
        assert tenfold[name] == pytest.approx(value), name
        assert double[name] == pytest.approx(4 * value), name


# ------------------------------------------------------------------------------------------------------ family


@pytest.mark.parametrize("log_tau", [-3.9, -2.0, -1.31, -1.29, -0.2])
def test_family_is_the_average_of_the_solution_with_its_slopes(log_tau):
    family = make_family("fick", 5)
    assert isinstance(family, Fick)
    p = np.array([0.8, log_tau])
    x, jac = family.composition(p)
    np.testing.assert_allclose(x, 0.8 * fick_shell_means(np.linspace(0, 1, 11), 10**log_tau)[0])
    for i in range(2):
        step = np.zeros(2)
        step[i] = 1e-6
        numeric = (family.composition(p + step)[0] - family.composition(p - step)[0]) / 2e-6
        np.testing.assert_allclose(jac[:, i], numeric, atol=1e-8)


def test_family_starts_inside_its_bounds_without_a_prior():
    for family in (Fick(n=10), Fick(n=10, log10_tau=(-0.001, 0.0), guesses=(-0.0005,))):
        for mean in (0.05, 0.5, 0.95):
            starts = family.starts(mean)
            assert len(starts) == len(family.guesses)
            for p in starts:
                assert np.all((p >= family.lower) & (p <= family.upper))
        assert family.prior_rows(starts[0])[0].shape == (0,)


# ------------------------------------------------------------------------------------------------- own tau


def particle(shape="sphere", std=0.44):
    q = np.linspace(0.5, 4.5, 40)
    one = np.ones(len(q))
    curves = [ScatteringCurve(q_inv_nm=q, intensity=one, sigma=one, energy_kev=e, label=str(e)) for e in ENERGIES[:2]]
    reach = SizeRange(mean_low=3.7, mean_high=4.3, std_low=0.7 * std, std_high=1.4 * std)
    return prepare(curves, solid(), CHANTLER, Fick(n=10).fractions, sizes=reach, shape=shape)


@pytest.mark.parametrize(("shape", "aspect"), [("sphere", 1.0), ("prolate", 1.2)])
def test_own_tau_against_particles_summed_one_by_one(shape, aspect):
    """Model of the fit plus excess = sum over sizes of another routine, each size with its own profile."""
    model = particle(shape)
    x_surface, tau = 0.9, 0.06
    size = np.array([4.0, 0.44] + ([aspect] if shape != "sphere" else []))
    e = model.evaluate(x_surface * fick_shell_means(np.linspace(0, 1, 11), tau)[0], size, (0.0, 0.0))
    total = e.value + e.laue + own_tau_excess(model, x_surface, tau, size, (0.0, 0.0))
    z, w = np.polynomial.hermite_e.hermegauss(31)
    q = np.linspace(0.5, 4.5, 40)
    for i, energy in enumerate(ENERGIES[:2]):
        direct = np.zeros(40)
        for zi, wi in zip(z, w / w.sum(), strict=True):
            d = 4.0 + 0.44 * zi
            if d < 1.0 or wi < 1e-14:
                continue
            x = x_surface * fick_shell_means(np.linspace(0, 1, 41), tau * (4.0 / d) ** 2)[0]
            direct += wi * spheroid_curve(
                q, solid(), CHANTLER, energy, diameter_nm=d, aspect_ratio=aspect, shell_fraction=x
            )
        np.testing.assert_allclose(total[model.curve_index == i], direct, rtol=3e-4)


def test_own_tau_is_the_common_one_without_a_spread_and_after_a_long_time():
    narrow = particle(std=0.02)
    e = narrow.evaluate(np.full(10, 0.9), np.array([4.0, 0.02]))
    for tau in (0.05, 0.2):
        # what is left is the step from ten shells to forty
        rest = own_tau_excess(narrow, 0.9, tau, np.array([4.0, 0.02]), (0.0, 0.0))
        before_minimum = narrow.q_inv_nm < 1.8
        assert abs(rest / e.value)[before_minimum].max() < 2e-3
        wide_rest = own_tau_excess(particle(), 0.9, tau, np.array([4.0, 0.44]), (0.0, 0.0))
        assert abs(rest)[before_minimum].max() < 0.1 * abs(wide_rest)[before_minimum].max()
    wide = particle()
    full = own_tau_excess(wide, 0.9, 1.0, np.array([4.0, 0.44]), (0.01, -0.01))
    assert abs(full / wide.evaluate(np.full(10, 0.9), np.array([4.0, 0.44])).value).max() < 1e-3


# --------------------------------------------------------------------------------------------- the stage


def diffused(x_surface, tau, seed):
    """Curves of spheres summed one by one, each with its own diffusion time, with noise."""
    rng = np.random.default_rng(seed)
    q = np.linspace(0.5, 4.5, 60)
    z, w = np.polynomial.hermite_e.hermegauss(31)
    out = []
    for energy in ENERGIES:
        clean = np.zeros(len(q))
        for zi, wi in zip(z, w / w.sum(), strict=True):
            d = 4.0 + 0.44 * zi
            if d > 1.0 and wi > 1e-13:
                x = x_surface * fick_shell_means(np.linspace(0, 1, 41), tau * (4.0 / d) ** 2)[0]
                clean += wi * spheroid_curve(q, solid(), CHANTLER, energy, diameter_nm=d, shell_fraction=x)
        clean *= 1e-9 * np.exp(0.015 * rng.standard_normal())
        sigma = 0.01 * clean * np.sqrt(1 + (q / 3) ** 2)
        intensity = clean + sigma * rng.standard_normal(len(q))
        out.append(ScatteringCurve(q_inv_nm=q, intensity=intensity, sigma=sigma, energy_kev=energy, label=f"{energy}"))
    return out


@pytest.fixture(scope="module")
def derived():
    curves, prior = diffused(0.9, 0.06, 3), known(4.0, 0.44, 3, None)
    profile = fit(curves, prior, replace(QUICK, draws=60, warmup=60, refits=2))
    args = (FitSetup(curves=tuple(curves), solid=solid(), factors=CHANTLER, known=prior), profile, SHORT)
    return args, derive_diffusion(*args, growth_time_s=600.0, temperature_c=150.0, seed=5)


def test_stage_says_what_it_found(derived):
    (_, profile, _), d = derived
    assert d.verdict == "determined"
    assert d.elements == ("Zn",)
    assert d.density_nm3.shape == (len(profile.main.theta), 5)
    np.testing.assert_allclose(d.radius_nm, 0.5 * profile.main.theta[:, profile.main.names.index("diameter_mean_nm")])
    f = d.fick
    tau = 10 ** f.draws.theta[:, f.draws.names.index("log10_tau")]
    np.testing.assert_allclose(d.diffusivity_cm2_s, 1e-14 * tau * f.radius_nm**2 / 600)
    assert f.describes
    low, high = np.quantile(tau, [0.025, 0.975])
    assert low < 0.06 < high
    # one tau for all particles would be read off too large
    assert -0.2 < f.common_tau_shift < -0.03
    assert min(f.chi2_at_bounds) > 50
    assert f.correction_step < 2e-3


def test_summary_has_the_agreed_keys_and_is_json(derived):
    _, d = derived
    s = json.loads(json.dumps(diffusion_summary(d), allow_nan=False))
    for q in (s["diffusivity_cm2_s"], s["depth_fit"]["c1"], s["depth_fit"]["c2_inv_nm"]):
        assert set(q) == {"value", "sigma", "interval68", "interval95"}
    assert [a["name"] for a in s["alternatives"]] == ["A", "B", "B'", "C", "D", "E", "E'", "F"]
    assert s["alternatives"][3]["label"].startswith("our reading of the paper")
    assert s["alternatives"][3]["diffusivity_cm2_s"]["value"] > 0
    assert (s["element"], s["time_s"], s["temperature_c"]) == ("Zn", 600.0, 150.0)
    assert "Fick-2" in s["definition"]
    assert len(s["depth_profile"]["number_density_nm3"]["interval68"]) == 5
    assert s["depth_fit"]["c2_inv_nm"]["value"] < 0


def test_same_seed_same_draws_and_another_seed_others(derived):
    args, d = derived
    again = derive_diffusion(*args, growth_time_s=600.0, temperature_c=None, seed=5)
    np.testing.assert_array_equal(again.diffusivity_cm2_s, d.diffusivity_cm2_s)
    assert again.temperature_c is None
    # half of the time: twice the diffusivity, nothing else
    half = derive_diffusion(*args, growth_time_s=300.0, temperature_c=150.0, seed=5)
    np.testing.assert_allclose(half.diffusivity_cm2_s, 2 * d.diffusivity_cm2_s)


def test_stage_refuses_in_words(derived):
    (setup, profile, settings), _ = derived
    with pytest.raises(PhysicsError, match=r"growth\.time_s"):
        derive_diffusion(setup, profile, settings, growth_time_s=0.0, temperature_c=150.0, seed=1)
    fewer = replace(setup, curves=setup.curves[:3])
    with pytest.raises(PhysicsError, match="same curves"):
        derive_diffusion(fewer, profile, settings, growth_time_s=600.0, temperature_c=150.0, seed=1)
    one = replace(setup, solid=replace(setup.solid, shell=None))
    with pytest.raises(PhysicsError, match="one material"):
        derive_diffusion(one, profile, settings, growth_time_s=600.0, temperature_c=150.0, seed=1)


def test_result_is_stored_and_copied_whole(derived):
    _, d = derived
    stream = io.BytesIO()
    write_entry(stream, d)
    stream.seek(0)
    for copy in (read_entry(stream), pickle.loads(pickle.dumps(d))):
        assert isinstance(copy, Diffusion)
        assert diffusion_summary(copy) == diffusion_summary(d)


def test_verdicts(derived):
    _, d = derived

    def verdict(**changes):
        return replace(d, fick=replace(d.fick, **changes))

    only_low = verdict(chi2_at_bounds=(30.0, 1.0))
    assert only_low.verdict.startswith("not determined: only a lower limit")
    assert only_low.limit_cm2_s == pytest.approx(np.quantile(d.diffusivity_cm2_s, 0.05))
    only_high = verdict(chi2_at_bounds=(3.0, 30.0))
    assert only_high.verdict.startswith("not determined: only an upper limit")
    assert only_high.limit_cm2_s == pytest.approx(np.quantile(d.diffusivity_cm2_s, 0.95))
    # chi2 alone may just exclude a bound that still cuts the interval
    near = d.fick.draws.theta.copy()
    near[:, d.fick.draws.names.index("log10_tau")] += 1.16
    assert "only a lower limit" in verdict(draws=replace(d.fick.draws, theta=near)).verdict
    assert "neither end" in verdict(chi2_at_bounds=(1.0, 1.0)).verdict
    assert "own diffusion time" in verdict(correction_step=0.1).verdict
    wrong = verdict(p=1e-4)
    assert wrong.verdict == "not determined: spherical Fick-2 does not describe the curves"
    assert "without a meaning" in diffusion_summary(wrong)["fick"]["sentence"]
    flat = replace(d, definitions=tuple(replace(a, diffusivity_cm2_s=np.full(4, np.nan)) for a in d.definitions))
    entry = diffusion_summary(flat)["alternatives"][0]
    assert entry["diffusivity_cm2_s"] is None
    assert "100 % of the draws" in entry["reason"]


def test_a_profile_that_no_diffusion_makes_is_told(derived):
    """Shell material inside, core material outside: free shells follow, Fick's solution cannot."""
    (_, profile, _), _ = derived
    full, prior = measure(np.array([0.9, 0.9, 0.8, 0.3, 0.1]), 4.0, 0.44, seed=6), known(4.0, 0.44, 6, None)
    curves = [replace(c, q_inv_nm=c.q_inv_nm[::2], intensity=c.intensity[::2], sigma=c.sigma[::2]) for c in full]
    free = Shells(n=5, smooth_sd=None)
    model = prepare(curves, solid(), CHANTLER, free.fractions, sizes=SizeRange.around(prior.sizes))
    posterior = build_posterior(curves, model, free, prior, sigma_factors=[c.sigma_factor for c in profile.curves])
    residuals, _ = posterior.residuals(best_point(posterior))
    other = replace(profile, shells_chi2=float(residuals @ residuals))
    setup = FitSetup(curves=tuple(curves), solid=solid(), factors=CHANTLER, known=prior)
    d = derive_diffusion(setup, other, SHORT, growth_time_s=600.0, temperature_c=50.0, seed=1)
    assert d.fick.chi2 > other.shells_chi2 + 100
    assert not d.fick.describes
    assert d.verdict.startswith("not determined: spherical Fick-2 does not describe")


# ------------------------------------------------------------------------------------------------- simulation

FICK = RadialTruth(kind="fick", diffusivity_cm2_s=1e-17, time_s=600.0, outer=0.9, inner=0.05)


def test_every_simulated_particle_has_its_own_profile():
    truth = Truth(diameter_mean_nm=3.0, diameter_std_nm=0.4, profile=FICK, x_spread=0.0, particles=6, points=5)
    campaign = simulate(truth, solid(), CHANTLER, ENERGIES[:1], seed=2)
    s = np.linspace(0.0, 1.0, 9)
    for one, drawn in zip(campaign.profiles, campaign.draws, strict=True):
        tau = 1e-17 * 1e14 * 600 / (drawn.diameter_nm / 2) ** 2
        np.testing.assert_allclose(one(s), 0.05 + 0.85 * fick_profile(s, tau)[0])
    built = np.array([float(m.info["shell_fraction"]) for m in campaign.atoms])
    diameters = np.array([d.diameter_nm for d in campaign.draws])
    # smaller particles fill up first
    assert np.corrcoef(built, diameters)[0, 1] < -0.9
    np.testing.assert_allclose(built, [shell_means(p, 1)[0] for p in campaign.profiles], atol=0.03)


def test_nominal_profile_is_that_of_the_mean_size_and_shifts_are_kept():
    truth = Truth(diameter_mean_nm=3.0, diameter_std_nm=0.4, profile=FICK)
    assert truth.profile.radius_nm == 1.5
    np.testing.assert_array_equal(truth.profile([0.2, 1.0]), FICK.of_particle(1.5)(np.array([0.2, 1.0])))
    with pytest.raises(PhysicsError, match="of_particle"):
        FICK.shifted(0.1)
    with pytest.raises(PhysicsError, match="of_particle"):
        FICK(np.array([0.5]))
    plain = RadialTruth(kind="linear")
    grid = np.linspace(0, 1, 5)
    np.testing.assert_array_equal(plain.of_particle(2.0, 0.3)(grid), plain.shifted(0.3)(grid))


def test_bad_fick_truths_are_refused_in_words():
    for changes, word in (
        ({"time_s": 0.0}, "time_s"),
        ({"diffusivity_cm2_s": -1.0}, "diffusivity_cm2_s"),
        ({"outer": 1.2}, "outer"),
        ({"kind": "linear"}, "belong to kind 'fick'"),
    ):
        with pytest.raises(RecipeError, match=word):
            Truth(diameter_mean_nm=3.0, diameter_std_nm=0.4, profile=replace(FICK, **changes))


def test_truth_file_takes_the_kind_and_states_no_default_of_its_own(tmp_path):
    import dataclasses

    from nanostrata.pipeline import truth_file

    text = truth_file.example_truth()
    line = next(l for l in text.splitlines() if l.startswith("profile = {"))
    fick = 'profile = { kind = "fick", diffusivity_cm2_s = 1e-17, time_s = 600, outer = 0.9, inner = 0.05 }'
    path = tmp_path / "truth.toml"
    path.write_text(text.replace(line, fick), encoding="utf-8")
    assert truth_file.load_truth(path).truth.profile == replace(FICK, radius_nm=1.95)
    path.write_text(text.replace(line, fick.replace("inner", "radius_nm")), encoding="utf-8")
    with pytest.raises(RecipeError, match="radius_nm"):
        truth_file.load_truth(path)
    for table, source in ((truth_file.TruthTable, Truth), (truth_file.ProfileTable, RadialTruth)):
        for f in dataclasses.fields(source):
            if f.name in ("profile", "radius_nm"):
                continue
            entry = table.model_fields[f.name]
            assert entry.is_required() == (f.default is dataclasses.MISSING), f.name
            if not entry.is_required():
                assert entry.default == f.default, f.name
