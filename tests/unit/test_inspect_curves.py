"""What is said of curves before a fit, on simulated spheres of known size, noise and faults."""

from __future__ import annotations

import numpy as np
import pytest

from nanostrata.domain import FloatArray, Origin, ScatteringCurve
from nanostrata.errors import DataError
from nanostrata.stages.inspect_curves import (
    first_minimum,
    intensity_ratio,
    low_q_verdict,
    sigma_against_scatter,
    sisters_agree,
)

LINEAR = np.linspace(0.1, 4.5, 160)
LOGARITHMIC = np.geomspace(0.05, 5.0, 100)
BEAMLINE = np.linspace(0.5, 4.5, 81)


def spheres(q: FloatArray, radius: float = 2.0, spread: float = 0.22) -> FloatArray:
    """Intensity of spheres, Gaussian numbers of radius, nm; 1 for q = 0 at the mean radius."""
    r = np.linspace(max(radius - 6 * spread, 0.01), radius + 6 * spread, 301)
    w = np.exp(-0.5 * ((r - radius) / spread) ** 2)
    u = np.outer(q, r)
    amplitude = (r / radius) ** 3 * 3 * (np.sin(u) - u * np.cos(u)) / u**3
    return np.asarray(amplitude**2 @ (w / w.sum()))


def hard_spheres(q: FloatArray, radius: float, phi: float) -> FloatArray:
    """Percus-Yevick structure factor (Wertheim, Phys. Rev. Lett. 10, 321 (1963))."""
    a, b = (1 + 2 * phi) ** 2 / (1 - phi) ** 4, -6 * phi * (1 + phi / 2) ** 2 / (1 - phi) ** 4
    k = 2 * q * radius
    r = np.linspace(0, 1, 4001)
    c = a + b * r + phi * a / 2 * r**3  # minus the direct correlation function inside the core
    kernel = r * np.sin(np.outer(k, r)) / k[:, None]
    y = c * kernel
    integral = (y.sum(axis=1) - 0.5 * (y[:, 0] + y[:, -1])) * (r[1] - r[0])
    return np.asarray(1 / (1 + 24 * phi * integral))


def measured(
    q: FloatArray,
    intensity: FloatArray,
    seed: int,
    *,
    relative: float = 0.01,
    stated: float = 1.0,
    energy_kev: float | None = None,
    file: str = "",
    unit: str = "",
) -> ScatteringCurve:
    """Noise of ``relative`` and a floor; the stated sigma is ``stated`` times the true one."""
    sigma = relative * intensity + 3e-6 * intensity.max()
    noisy = intensity + np.random.default_rng(seed).normal(size=len(q)) * sigma
    return ScatteringCurve(
        q_inv_nm=q,
        intensity=noisy,
        sigma=stated * sigma,
        energy_kev=energy_kev,
        label=file,
        origin=Origin(file=file, unit_read=unit),
    )


# ------------------------------------------------------------------------------------------ sigma against scatter


@pytest.mark.parametrize("q", [LINEAR, LOGARITHMIC, BEAMLINE], ids=["linear", "logarithmic", "beamline"])
@pytest.mark.parametrize("spread", [0.05, 0.22])
def test_right_sigma_gives_ratio_one_in_spite_of_oscillations(q: FloatArray, spread: float) -> None:
    checks = [sigma_against_scatter(measured(q, spheres(q, spread=spread), seed)) for seed in range(30)]
    assert np.mean([c.ratio for c in checks]) == pytest.approx(1.0, abs=0.08)
    assert sum(c.verdict == "consistent" for c in checks) >= 27


@pytest.mark.parametrize(("stated", "verdict"), [(0.4, "too small"), (2.5, "too large")])
def test_wrong_sigma_is_found_with_its_factor(stated: float, verdict: str) -> None:
    checks = [sigma_against_scatter(measured(LINEAR, spheres(LINEAR), s, stated=stated)) for s in range(20)]
    assert all(c.verdict == verdict for c in checks)
    assert np.mean([c.ratio for c in checks]) == pytest.approx(1 / stated, rel=0.08)
    assert verdict in checks[0].message


def test_outliers_do_not_make_sigma_wrong() -> None:
    curve = measured(LINEAR, spheres(LINEAR), 3)
    y = curve.intensity.copy()
    y[[20, 70, 120]] *= 3
    hit = ScatteringCurve(q_inv_nm=curve.q_inv_nm, intensity=y, sigma=curve.sigma)
    assert sigma_against_scatter(hit).verdict == "consistent"


def test_negative_intensities_are_part_of_the_noise() -> None:
    curve = measured(LINEAR, spheres(LINEAR) + 0.0, 5, relative=0.0)
    wide = ScatteringCurve(
        q_inv_nm=LINEAR,
        intensity=spheres(LINEAR) + np.random.default_rng(1).normal(size=160) * 1e-3,
        sigma=np.full(160, 1e-3),
    )
    assert wide.intensity.min() < 0
    assert sigma_against_scatter(wide).verdict == "consistent"
    assert sigma_against_scatter(curve).verdict == "consistent"


def test_too_few_or_too_coarse_points_are_not_judged() -> None:
    few = sigma_against_scatter(measured(BEAMLINE[:15], spheres(BEAMLINE[:15]), 1))
    assert few.verdict == "not judged"
    assert np.isnan(few.ratio)
    swings = 2 + np.cos(2 * np.pi * np.arange(81) / 7)  # seven points a period, errors far below what that resolves
    coarse = sigma_against_scatter(ScatteringCurve(q_inv_nm=BEAMLINE, intensity=swings, sigma=np.full(81, 1e-5)))
    assert coarse.verdict == "not judged"
    assert "too coarse" in coarse.message


# ------------------------------------------------------------------------------------------ low q


@pytest.mark.parametrize("q", [LINEAR, LOGARITHMIC, BEAMLINE], ids=["linear", "logarithmic", "beamline"])
def test_single_particles_are_sound_and_give_their_radius_of_gyration(q: FloatArray) -> None:
    # <R^8>/<R^6> of the Gaussian, by numbers
    r = np.linspace(0.68, 3.32, 2001)
    w = np.exp(-0.5 * ((r - 2) / 0.22) ** 2)
    rg = np.sqrt(0.6 * np.sum(w * r**8) / np.sum(w * r**6))
    found = [low_q_verdict(measured(q, spheres(q), seed)) for seed in range(20)]
    assert sum(f.verdict == "sound" for f in found) >= 19
    assert np.mean([f.rg_nm for f in found]) == pytest.approx(rg, rel=0.03)
    assert all(f.q_min_inv_nm == q[0] for f in found if f.verdict == "sound")


@pytest.mark.parametrize("q", [LINEAR, LOGARITHMIC], ids=["linear", "logarithmic"])
def test_aggregates_are_found_and_the_proposed_range_leaves_them_out(q: FloatArray) -> None:
    large = 0.4 * spheres(q, 12.0, 3.0) / spheres(np.array([1e-3]), 12.0, 3.0)
    found = [low_q_verdict(measured(q, spheres(q) + large, seed)) for seed in range(15)]
    assert all(f.verdict == "aggregates" for f in found)
    for f in found:
        excess = (large / spheres(q))[q >= f.q_min_inv_nm]
        assert excess.max() < 0.08
        assert f.q_min_inv_nm < 0.45
        assert f"use q from {f.q_min_inv_nm:.3g} 1/nm" in f.message


@pytest.mark.parametrize(("reach", "phi"), [(2.0, 0.1), (2.0, 0.2), (4.0, 0.1)])
def test_repulsion_is_found(reach: float, phi: float) -> None:
    intensity = spheres(LINEAR) * hard_spheres(LINEAR, reach, phi)
    found = [low_q_verdict(measured(LINEAR, intensity, seed)) for seed in range(10)]
    assert all(f.verdict == "interactions" for f in found)
    assert all(f.q_min_inv_nm > LINEAR[0] for f in found)


def test_low_q_that_is_not_there_is_not_judged() -> None:
    q = np.linspace(1.2, 4.5, 80)
    r = low_q_verdict(measured(q, spheres(q), 1))
    assert r.verdict == "not judged"
    assert r.q_min_inv_nm == q[0]


# ------------------------------------------------------------------------------------------ first minimum


@pytest.mark.parametrize("q", [LINEAR, LOGARITHMIC, BEAMLINE], ids=["linear", "logarithmic", "beamline"])
@pytest.mark.parametrize("spread", [0.1, 0.25])
def test_first_minimum_lies_where_the_noiseless_curve_has_it(q: FloatArray, spread: float) -> None:
    fine = np.linspace(1.5, 3.0, 3001)
    truth = fine[np.argmin(spheres(fine, spread=spread) * fine**4)]
    found = [first_minimum(measured(q, spheres(q, spread=spread), seed)) for seed in range(20)]
    pulls = np.array([(f.q_inv_nm - truth) / f.sigma_inv_nm for f in found if f is not None])
    assert len(pulls) == 20
    assert np.sqrt(np.mean(pulls**2)) < 1.6
    assert np.mean([f.q_inv_nm for f in found if f is not None]) == pytest.approx(truth, rel=0.005)


def test_first_minimum_of_a_single_size_is_where_tan_x_is_x() -> None:
    q = np.linspace(0.1, 4.5, 400)
    f = first_minimum(measured(q, spheres(q, spread=0.005), 1, relative=1e-3))
    assert f is not None
    assert f.q_inv_nm == pytest.approx(4.4934 / 2.0, rel=2e-3)


def test_no_minimum_is_none() -> None:
    guinier = np.exp(-((LINEAR * 1.6) ** 2) / 3)
    assert first_minimum(measured(LINEAR[:40], guinier[:40], 1)) is None
    q = LINEAR[LINEAR < 1.6]
    assert first_minimum(measured(q, spheres(q), 1)) is None
    assert first_minimum(measured(LINEAR, LINEAR**-3, 2)) is None


# ------------------------------------------------------------------------------------------ sisters


def family(units: tuple[float, ...] = (1, 1, 1, 1), scales: tuple[float, ...] = (1, 1, 1, 1)) -> list[ScatteringCurve]:
    curves = []
    for i, (u, s) in enumerate(zip(units, scales, strict=True)):
        curves.append(measured(BEAMLINE, spheres(BEAMLINE, 2.0 + 0.01 * i), i, file=f"e{i}.dat", unit="1/nm"))
        c = curves[-1]
        curves[-1] = ScatteringCurve(
            q_inv_nm=u * c.q_inv_nm, intensity=s * c.intensity, sigma=s * c.sigma, label=c.label, origin=c.origin
        )
    return curves


def test_sisters_of_one_sample_agree() -> None:
    assert sisters_agree(family(scales=(1, 1.1, 0.9, 1))) == ()
    assert sisters_agree(family()[:1]) == ()


@pytest.mark.parametrize(("factor", "unit"), [(10.0, "1/nm"), (0.1, "1/angstrom")])
def test_a_wrong_unit_of_q_is_named_with_its_file_and_the_right_one(factor: float, unit: str) -> None:
    (problem,) = sisters_agree(family(units=(1, 1, factor, 1)))
    assert problem.code == "q_unit"
    assert problem.file == "e2.dat"
    assert problem.proposed_q_unit == unit
    assert f'q_unit = "{unit}"' in problem.message
    assert "cannot be known" not in problem.message


def test_two_that_disagree_are_both_named() -> None:
    found = sisters_agree(family(units=(1, 10, 1, 1))[:2])
    assert {p.file for p in found} == {"e0.dat", "e1.dat"}
    assert all("cannot be known" in p.message for p in found)


def test_another_range_of_the_same_sample_is_no_wrong_unit() -> None:
    q = np.geomspace(0.05, 1.6, 120)  # a second detector distance: another range, the same knee
    curves = [*family(), measured(q, spheres(q), 9, file="far.dat", unit="1/nm")]
    assert sisters_agree(curves) == ()


def test_ranges_decide_where_curves_have_no_features() -> None:
    power = [measured(f * BEAMLINE, BEAMLINE**-4, i, file=f"p{i}") for i, f in enumerate((1.0, 1.0, 10.0))]
    (problem,) = sisters_agree(power)
    assert problem.file == "p2"


def test_another_scale_of_intensity_is_named_unless_contrasts_differ() -> None:
    curves = family(scales=(1, 1, 1, 50.0))
    (problem,) = sisters_agree(curves)
    assert (problem.code, problem.file) == ("intensity_scale", "e3.dat")
    assert 45 < float(problem.message.split("about ")[1].split(" times")[0]) < 55
    assert sisters_agree(curves, same_scale=False) == ()


def test_ratio_of_intensities_is_that_of_the_contrasts() -> None:
    a = measured(LINEAR, 1.3 * spheres(LINEAR), 1)
    other = np.linspace(0.12, 4.0, 97)
    for reference in (measured(LINEAR, spheres(LINEAR), 2), measured(other, spheres(other), 3)):
        r = intensity_ratio(a, reference)
        assert abs(r.ratio - 1.3) < 4 * r.sigma + 0.002
        assert 0 < r.sigma < 0.01
        assert r.q_range_inv_nm[1] < 1.3
    with pytest.raises(DataError, match="units of q"):
        intensity_ratio(a, measured(10 * LINEAR + 5, spheres(LINEAR), 2))


def test_messages_name_the_curve_by_what_is_known() -> None:
    named = measured(BEAMLINE, spheres(BEAMLINE), 1, energy_kev=9.63)
    assert sigma_against_scatter(named).message.startswith("9.63 keV:")
    assert low_q_verdict(measured(BEAMLINE, spheres(BEAMLINE), 1, file="a.dat")).message.startswith("a.dat:")
