"""Peaks: the kernel against brute force, reflections and line profiles against known numbers and atom-by-atom scattering."""

import numpy as np
import pytest
from tests.waxs_particles import solid_of, waxs_intensity, waxs_particles

from nanostrata.domain import ScatteringCurve
from nanostrata.kernels import peaks
from nanostrata.kernels.statistics import slow_residuals
from nanostrata.models.crystal_cells import cell_of_structure
from nanostrata.models.waxs_lines import content_of, lattice_form, reflections, sites_of
from nanostrata.models.waxs_pattern import envelope_of
from nanostrata.models.waxs_profile import (
    ProfileShape,
    chord,
    fault_decay,
    gaussian_k,
    line_profiles,
    plane_normals,
    predicted_sizes,
)
from nanostrata.stages.fit_peaks import PeakSettings, fit_peaks
from nanostrata.stages.judge_axis import AxisSettings, judge_axis
from nanostrata.tables.factors import load_factors

FACTORS = load_factors("chantler")


def crystal(formula="ZnSe", structure="wurtzite", a_nm=0.400, c_nm=0.655, q_max=56.0):
    solid = solid_of(formula, structure, a_nm, c_nm)
    cell = cell_of_structure(solid, structure, 0.0, solid.core.site_volume_nm3)
    sites = sites_of(solid, cell, 0.0)
    return cell, sites, reflections(cell, sites, FACTORS, 16.0, q_max)


def model_of(q, lorentzian, tied):
    rng = np.random.default_rng(3)
    if tied:
        metric = np.array([[4.0 / 3.0, 0.0], [0.0, 4.0], [4.0 / 3.0, 1.0], [4.0, 0.0]])
        start = np.array([246.7, 92.0])
        return peaks.PeakModel(metric, np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]), np.array([1.0, 1.0, 1.0, 0.4]),
                               np.stack([np.ones(len(q)), q]), lorentzian, np.exp(-0.01 * q)), start  # fmt: skip
    index = np.arange(3)
    return peaks.PeakModel(np.zeros((3, 0)), index, index, np.ones(3), np.stack([np.ones(len(q)), q]), lorentzian,
                           np.ones(len(q))), np.array([18.0, 20.0, 31.0]) + 0.1 * rng.standard_normal(3)  # fmt: skip


@pytest.mark.parametrize("lorentzian", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_fit_is_that_of_all_parameters_at_once(lorentzian, tied):
    """Variable projection ends where scipy ends with heights and background among the parameters; covariances agree."""
    from scipy.optimize import least_squares

    q = np.linspace(14.0, 40.0, 260)
    model, start = model_of(q, lorentzian, tied)
    rng = np.random.default_rng(11)
    widths = np.log(np.full(model.widths, 1.6))
    truth = np.concatenate([start, widths, [-0.5] * lorentzian, 50.0 + 20.0 * np.arange(model.linear - 2), [5.0, 0.1]])
    y = peaks.curve_of(q, model, truth)
    sigma = np.sqrt(y)
    y = y + sigma * rng.standard_normal(len(q))
    first = np.concatenate([start * (1.0 if tied else 1.003), widths + 0.1, [-1.0] * lorentzian])
    found = peaks.fit_lines(q, y, 1.0 / sigma, model, first)
    assert found.converged
    other = least_squares(
        lambda t: (y - peaks.curve_of(q, model, t)) / sigma, truth, x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-12
    )
    assert found.chi2 == pytest.approx(2.0 * other.cost, abs=1e-3)
    error = np.sqrt(np.diag(found.covariance))
    assert np.abs((found.theta - other.x) / error).max() < 0.03
    numeric = np.linalg.inv(other.jac.T @ other.jac)
    np.testing.assert_allclose(error, np.sqrt(np.diag(numeric)), rtol=0.02)
    np.testing.assert_allclose(found.fit, peaks.curve_of(q, model, found.theta), rtol=1e-9)


@pytest.mark.parametrize("lorentzian", [False, True])
def test_compiled_twin_agrees_with_numpy(lorentzian):
    q = np.linspace(14.0, 40.0, 260)
    model, start = model_of(q, lorentzian, True)
    y = 100.0 + 50.0 * np.exp(-(((q - 18.2) / 1.1) ** 2)) + 30.0 * np.exp(-(((q - 20.4) / 1.2) ** 2))
    first = np.concatenate([start, np.log(np.full(model.widths, 1.6)), [-1.0] * lorentzian])
    n = model.nonlinear
    weight = np.full(len(q), 0.1)
    prior, precision = first.copy(), np.full(n, 0.01)
    found = peaks.fit_lines(q, y, weight, model, first, prior_mean=prior, prior_precision=precision)
    theta = np.concatenate([first, np.zeros(model.linear)])
    again, _, chi2, *_ = peaks._fit_reference(q, y, weight, model, theta, prior, precision, 200)
    assert found.chi2 == pytest.approx(chi2, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(found.theta[:n], again[:n], rtol=1e-4)


def test_derivatives_are_those_of_differences():
    q = np.linspace(14.0, 40.0, 260)
    model, start = model_of(q, True, True)
    theta = np.concatenate([start, np.log([1.5, 1.7, 1.9]), [-0.4], np.zeros(model.linear)])
    y = 100.0 + 50.0 * np.exp(-(((q - 18.2) / 1.1) ** 2))
    jacobian, _ = peaks.evaluate_reference(q, y, np.ones(len(q)), model, theta)
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-6 * max(1.0, abs(theta[k]))
        numeric = (peaks.curve_of(q, model, theta + step) - peaks.curve_of(q, model, theta - step)) / (2.0 * step[k])
        np.testing.assert_allclose(jacobian[k], numeric, rtol=1e-5, atol=1e-6 * np.abs(numeric).max() + 1e-9)


def test_reflections_of_wurtzite_stand_where_they_must():
    """Positions of ZnSe (4.00, 6.55 angstrom) in 1/angstrom; 001 and 003 are absent."""
    _, _, lines = crystal()
    at = {line.hkl: line.q_inv_nm / 10.0 for line in lines}
    for hkl, q in {
        "100": 1.814,
        "002": 1.919,
        "101": 2.052,
        "102": 2.640,
        "110": 3.142,
        "103": 3.402,
        "112": 3.681,
    }.items():
        assert at[hkl] == pytest.approx(q, abs=6e-4)
    assert "001" not in at
    assert "003" not in at


@pytest.mark.parametrize(
    ("formula", "structure", "a", "present", "absent"),
    [
        ("ZnSe", "zincblende", 0.567, {"111", "220", "311"}, {"100", "110", "210"}),
        ("PbSe", "rocksalt", 0.613, {"111", "200", "220"}, {"100", "110"}),
        ("Ni", "fcc", 0.352, {"111", "200", "220", "311", "222"}, {"100", "110", "210"}),
        ("Fe", "bcc", 0.287, {"110", "200", "211"}, {"100", "111", "210"}),
        ("Si", "diamond", 0.543, {"111", "220", "311", "400"}, {"200", "222"}),
    ],
)
def test_absences_follow_from_the_structure(formula, structure, a, present, absent):
    names = {line.hkl for line in crystal(formula, structure, a, None, 75.0)[2]}
    assert present <= names
    assert not absent & names


def test_structure_factors_agree_with_gemmi():
    """|F|^2 of wurtzite against gemmi's own calculation, f' and f'' and Debye-Waller factors off in both."""
    import gemmi

    cell, sites, _ = crystal()

    class Plain:
        f0 = staticmethod(lambda e, q: FACTORS.f0(e, q))
        anomalous = staticmethod(lambda e, energy: 0.0)

    ours = reflections(cell, sites, Plain(), 16.0, 45.0, b_factor_nm2=0.0)
    small = gemmi.SmallStructure()
    small.cell = gemmi.UnitCell(4.0, 4.0, 6.55, 90, 90, 120)
    small.spacegroup_hm = "P 1"
    for place, occupants in zip(cell.basis, sites, strict=True):
        site = gemmi.SmallStructure.Site()
        site.label = next(iter(occupants))
        site.element = gemmi.Element(site.label)
        site.fract = gemmi.Fractional(*place)
        site.occ = 1.0
        small.add_site(site)
    small.determine_and_set_spacegroup("n")
    calculator = gemmi.StructureFactorCalculatorX(small.cell)
    theirs = {
        line.hkl: sum(
            abs(calculator.calculate_sf_from_small_structure(small, [int(v) for v in p])) ** 2 for p in line.planes
        )
        for line in ours
    }
    top = max(theirs.values())
    for line in ours:
        assert line.weight.sum() / top == pytest.approx(theirs[line.hkl] / top, abs=5e-3)


def test_predicted_sizes_are_the_known_ones():
    """A prolate particle, long along one [110]: sizes over the minor diameter, averaged over equivalents."""
    cell, _, lines = crystal()
    found = predicted_sizes(lines, cell.vectors_nm, "110", 1.4)
    for hkl, size in {"110": 1.18, "100": 1.17, "112": 1.11, "103": 1.04, "002": 1.00}.items():
        assert found[hkl] == pytest.approx(size, abs=5e-3)
    assert found["110"] / found["103"] == pytest.approx(1.13, abs=6e-3)
    longer = predicted_sizes(lines, cell.vectors_nm, "110", 1.5)
    assert longer["110"] / longer["103"] == pytest.approx(1.17, abs=5e-3)


def test_chord_against_rays():
    """The chord through the centre, by where a ray leaves the spheroid."""
    rng = np.random.default_rng(2)
    n = rng.standard_normal((50, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    u = np.array([0.6, 0.0, 0.8])
    b = 1.7
    minor = b ** (-1 / 3)
    t = np.linspace(0.0, 2.0, 200_001)
    for k in range(5):
        along = n[k] @ u
        inside = (t / 2) ** 2 * ((1 - along**2) / (minor / 2) ** 2 + along**2 / (b * minor / 2) ** 2) <= 1
        assert 2.0 * 0.5 * t[inside][-1] == pytest.approx(chord(n[k : k + 1], u, b)[0], abs=1e-4)


def half_width(x, y):
    i = int(np.argmax(y < 0.5 * y[0]))
    return 2.0 * np.interp(0.5 * y[0], [y[i], y[i - 1]], [x[i], x[i - 1]])


def test_sphere_has_its_scherrer_constants():
    """K = 1.107 on the full width and 4/3 on the integral breadth; 0.9 is 19 % low; <D^4>/<D^3> with a spread."""
    _, _, lines = crystal()
    dq, p = line_profiles(lines[:1], np.array([18.0]), np.eye(3), "cif", ProfileShape(spread=0.0), 4.0)
    assert half_width(dq, p[0]) * 4.0 / (2 * np.pi) == pytest.approx(1.107, abs=2e-3)
    assert 4.0 / (2 * np.pi) / p[0, 0] == pytest.approx(4.0 / 3.0, rel=1e-4)
    assert 1.0 - 0.9 / 1.107 == pytest.approx(0.19, abs=0.005)
    s = 0.12
    dq, p = line_profiles(lines[:1], np.array([18.0]), np.eye(3), "cif", ProfileShape(spread=s), 4.0)
    moments = (1 + 6 * s**2 + 3 * s**4) / (1 + 3 * s**2)
    assert 4.0 / (2 * np.pi) / p[0, 0] == pytest.approx(4.0 / 3.0 / moments, rel=1e-3)
    assert 1.0 < gaussian_k(0.0) < 1.107


def test_profile_against_the_integral_over_a_sphere():
    """|FT of a sphere|^2 summed over the plane through the reflection: the profile along one direction."""
    diameter = 4.0
    dq, p = line_profiles(crystal()[2][:1], np.array([18.0]), np.eye(3), "cif", ProfileShape(spread=0.0), diameter)
    across = np.linspace(0.0, 120.0, 240_001)
    for at in (0.0, 0.5, 1.0, 1.5):
        u = np.sqrt(across**2 + at**2) * diameter / 2
        u[u == 0] = 1e-9
        square = (3 * (np.sin(u) - u * np.cos(u)) / u**3) ** 2
        value = np.trapezoid(square * 2 * np.pi * across, across) * np.pi * diameter**3 / 6 / (2 * np.pi) ** 3
        assert np.interp(at, dq, p[0]) == pytest.approx(value, rel=3e-3)


@pytest.mark.parametrize("kind", ["growth", "deformation"])
@pytest.mark.parametrize("structure", ["wurtzite", "fcc"])
def test_loss_of_order_at_faults_against_random_stacks(structure, kind):
    """Correlation of layers in made stacks: positions A, B, C by the rules of each kind of fault."""
    p, layers, rng = 0.06, 400_000, np.random.default_rng(5)
    fault = rng.random(layers) < p
    if structure == "wurtzite":
        sense = (-1) ** np.arange(layers)
        # growth: a cubic step inserted, the order goes on from there; deformation: one step of the other sense
        step = sense * np.cumprod(np.where(fault, -1, 1)) if kind == "growth" else np.where(fault, -sense, sense)
        planes = np.array([[1, 0, 2], [1, 0, 1], [1, 1, 2]])
    else:
        step = np.cumprod(np.where(fault, -1, 1)) if kind == "growth" else np.where(fault, -1, 1)
        planes = np.array([[-1, 1, 1], [2, 0, 0], [2, -2, 0]])
    phase = 2 * np.pi / 3 * np.cumsum(step)
    kappa = fault_decay(structure, planes, kind, p)
    assert kappa[2] == 0.0
    wave = np.exp(1j * phase)
    lags = np.arange(0, 41, 2)
    c = np.array([abs(np.mean(wave[m:] * np.conj(wave[: layers - m]))) if m else 1.0 for m in lags])
    if structure == "wurtzite":
        # l even and odd: the part of the correlation that alternates with the layers and the part that does not
        lags = np.arange(0, 41)
        full = np.array([np.mean(wave[m:] * np.conj(wave[: layers - m])) if m else 1.0 for m in lags]).real
        for column, sign in ((0, 1.0), (1, -1.0)):
            part = sign ** lags[:-1] * 0.5 * (full[:-1] + sign * full[1:] * np.exp(kappa[column]))
            amplitude = np.abs(np.convolve(part, [0.25, 0.5, 0.25], "valid"))
            slope = np.polyfit(lags[1:15], np.log(amplitude[:14]), 1)[0]
            assert -slope == pytest.approx(kappa[column], rel=0.12)
    else:
        slope = np.polyfit(lags[1:12], np.log(c[1:12]), 1)[0]
        assert -slope == pytest.approx(kappa[0], rel=0.12)


def test_white_residuals_are_not_inflated():
    rng = np.random.default_rng(1)
    assert slow_residuals(rng.standard_normal(2000)) < 1.3
    assert slow_residuals(np.convolve(rng.standard_normal(2000), np.ones(10) / 10, "same")) > 5.0


def pattern(seed, noise=0.01, **shape):
    q = np.arange(14.0, 45.0, 0.05)
    intensity = waxs_intensity(waxs_particles(6, std_nm=0.4, diameter_nm=4.0, seed=seed, **shape), q)
    intensity = intensity + 0.6 * intensity.max() * np.exp(-q / 12.0) + 0.05 * intensity.max()
    sigma = np.sqrt(intensity * intensity.max()) * noise
    rng = np.random.default_rng([seed, 9])
    return ScatteringCurve(
        q_inv_nm=q, intensity=intensity + sigma * rng.standard_normal(len(q)), sigma=sigma, energy_kev=16.0
    )


def judged(curve):
    cell, sites, lines = crystal()
    form, rng = lattice_form(cell.vectors_nm), np.random.default_rng(4)
    envelope = envelope_of(curve.q_inv_nm, content_of(sites), FACTORS, 16.0, 0.01)
    fit = fit_peaks(curve, lines, form, PeakSettings(structure="wurtzite"), envelope=envelope, rng=rng)
    return fit, judge_axis(curve, fit, lines, form, AxisSettings(structure="wurtzite"), envelope=envelope)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "allowed"),
    [
        ({}, {"none"}),
        ({"elongation": "001", "aspect_ratio": 1.4}, {"[001]"}),
        ({"elongation": "110", "aspect_ratio": 1.4}, {"[110]"}),
        ({"fault_probability": 0.1}, {"none"}),
    ],
)
def test_no_strong_verdict_for_a_wrong_axis(shape, allowed):
    """Particles of atoms, exact scattering; lattice constants and the true diameter come back."""
    fit, axis = judged(pattern(21, **shape))
    assert axis.verdict != "strong" or axis.axis in allowed
    a, c = fit.lattice_nm.mean(axis=0)
    assert a == pytest.approx(0.400, rel=1.2e-3)
    assert c == pytest.approx(0.655, rel=1.2e-3)
    assert axis.candidates[0].diameter_nm == pytest.approx(4.0, rel=0.06)
    if "aspect_ratio" in shape:
        assert axis.candidates[0].aspect_ratio == pytest.approx(1.4, abs=0.2)


def test_normals_of_hexagonal_planes():
    """The normal of (110) is the direct direction [110]; that of (100) is [210]."""
    cell, *_ = crystal()
    v = cell.vectors_nm
    for plane, direction in (((1, 1, 0), (1, 1, 0)), ((1, 0, 0), (2, 1, 0)), ((0, 0, 2), (0, 0, 1))):
        d = np.array(direction) @ v
        np.testing.assert_allclose(plane_normals(np.array([plane]), v)[0], d / np.linalg.norm(d), atol=1e-12)
