"""Simulated wide-angle patterns whose truth is known: lattice, widths, direction, composition, and the whole pattern."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.waxs import WaxsFit
from nanostrata.interfaces.report import render_report
from nanostrata.models.crystal_cells import cell_of_structure
from nanostrata.models.waxs_lines import lattice_form, reflections, sites_of
from nanostrata.models.waxs_pattern import envelope_of
from nanostrata.models.waxs_profile import gaussian_k
from nanostrata.pipeline.run import run_project
from nanostrata.pipeline.simulate_run import simulate_run
from nanostrata.stages.fit_peaks import FWHM_PER_SIGMA, PeakSettings, fit_peaks
from nanostrata.tables.factors import load_factors
from tests.waxs_particles import solid_of, waxs_intensity, waxs_particles

FACTORS = load_factors("chantler")
Q = np.linspace(10.0, 45.0, 351)
MEAN_NM, STD_NM, BLUR = 4.0, 0.4, 0.26
A_NM, C_NM = 0.400, 0.655


def truth_file(sample: str, **changes: str) -> str:
    """The demo's truth, keys of [truth] or their lines replaced; "" takes a line out."""
    text = (files("nanostrata") / "data" / "demo" / sample / "truth.toml").read_text(encoding="utf-8")
    head, own = text.split("[truth]\n")
    for key, line in changes.items():
        own, n = re.subn(rf"(?m)^{key} = .*\n", f"{line}\n" if line else "", own)
        if n == 0:
            own += f"{line}\n"
    return f"{head}[truth]\n{own}"


# ------------------------------------------------------------------------------------------ widths and lattice constants
@lru_cache(maxsize=1)
def exact() -> np.ndarray:
    """Pattern of 200 round particles of zinc selenide, seen by the instrument."""
    step = float(Q[1] - Q[0])
    wide = Q[0] + step * np.arange(-12, len(Q) + 12)
    pure = waxs_intensity(waxs_particles(200, diameter_nm=MEAN_NM, std_nm=STD_NM, seed=7), wide)
    kernel = np.exp(-0.5 * (step * np.arange(-12, 13) / BLUR) ** 2)
    return np.convolve(pure, kernel / kernel.sum(), mode="valid")


def curve_of(photons: np.ndarray, sigma: np.ndarray) -> ScatteringCurve:
    return ScatteringCurve(q_inv_nm=Q, intensity=photons, sigma=sigma, energy_kev=16.0, label="waxs")


def fitted(curve: ScatteringCurve, seed: int) -> WaxsFit:
    """Peaks with the instrument's width taken off, as the stage does."""
    solid = solid_of()
    cell = cell_of_structure(solid, "wurtzite", 0.0, float(solid.site_volume_nm3(np.zeros(1))[0]))
    sites = sites_of(solid, cell, 0.0)
    lines = reflections(cell, sites, FACTORS, 16.0, 1.25 * Q[-1])
    part = 1.0 - (BLUR * FWHM_PER_SIGMA / 1.75) ** 2
    lean = envelope_of(Q, {"Zn": 2.0, "Se": 2.0}, FACTORS, 16.0, 0.01) ** part
    return fit_peaks(
        curve, lines, lattice_form(cell.vectors_nm), PeakSettings(structure="wurtzite"), envelope=lean,
        instrument=lambda q: np.full(np.shape(q), BLUR * FWHM_PER_SIGMA), rng=np.random.default_rng(seed),
    )  # fmt: skip


@pytest.fixture(scope="module")
def draws() -> tuple[WaxsFit, list[WaxsFit]]:
    """Fit of the pattern with hardly any noise, and of twenty countings of 40000 photons in the highest point."""
    clean = 40000.0 * (exact() / exact().max() + 0.3) / 1.3
    few = fitted(curve_of(clean, np.sqrt(clean)), 0)
    many = []
    for seed in range(1, 21):
        photons = np.random.default_rng(seed).poisson(clean).astype(float)
        many.append(fitted(curve_of(photons, np.sqrt(np.maximum(photons, 1.0))), seed))
    return few, many


@pytest.mark.slow
def test_intervals_of_the_widths_hold_what_no_noise_gives(draws: tuple[WaxsFit, list[WaxsFit]]) -> None:
    few, many = draws
    at = few.fwhm_inv_nm.mean(axis=0)
    inside68 = inside95 = total = 0
    for k, hkl in enumerate(few.hkl):
        if not few.own_width[k]:
            continue
        for one in many:
            if hkl not in one.hkl or not one.own_width[one.hkl.index(hkl)]:
                continue
            w = one.fwhm_inv_nm[:, one.hkl.index(hkl)]
            low95, low68, high68, high95 = np.quantile(w, [0.025, 0.16, 0.84, 0.975])
            total += 1
            inside68 += low68 <= at[k] <= high68
            inside95 += low95 <= at[k] <= high95
    print(f"widths: {inside68} of {total} in 68 %, {inside95} in 95 %")
    assert total >= 100
    # the errors hold the misfit of a Gaussian to the true profile, too (WaxsFit.sigma_factor, about 2 here), which is the same in
    # all draws: the intervals are wider than the noise alone asks for, and may not be narrower
    assert inside68 / total >= 0.60
    assert inside95 / total >= 0.90


@pytest.mark.slow
def test_widths_are_those_of_the_theory_of_spheres(draws: tuple[WaxsFit, list[WaxsFit]]) -> None:
    few, _ = draws
    # the mean diameter is that of the sphere of the mean volume, the width that of the best Gaussian: gaussian_k knows both
    mean = MEAN_NM * (1.0 + 3.0 * (STD_NM / MEAN_NM) ** 2) ** (1.0 / 3.0)
    expected = 2.0 * np.pi * gaussian_k(STD_NM / MEAN_NM) / mean
    ratio = {h: few.fwhm_inv_nm[:, k].mean() / expected for k, h in enumerate(few.hkl) if few.own_width[k]}
    print({h: round(float(v), 3) for h, v in ratio.items()})
    # strong lines with nothing in a fifth of their width; the others share their feet with neighbours
    for h in ("100", "110", "103"):
        assert ratio[h] == pytest.approx(1.0, abs=0.03), h
    assert all(0.85 < v < 1.15 for v in ratio.values())
    # and the Scherrer sizes that are printed, with K = 0.9, are those of the theory: 0.9 / K of the diameter
    sizes = few.scherrer_nm().mean(axis=0)
    assert sizes[few.hkl.index("110")] == pytest.approx(mean * 0.9 / gaussian_k(STD_NM / MEAN_NM), rel=0.03)


@pytest.mark.slow
def test_intervals_hold_the_lattice_constants(draws: tuple[WaxsFit, list[WaxsFit]]) -> None:
    for k, true in enumerate((A_NM, C_NM)):
        inside = 0
        for one in draws[1]:
            low, high = np.quantile(one.lattice_nm[:, k], [0.025, 0.975])
            inside += low <= true <= high
        print(f"{'ac'[k]}: {inside} of 20 in 95 %")
        assert inside >= 17


# ------------------------------------------------------------------------------------------------------ through simulate
def simulated(folder: Path, text: str, seed: int) -> tuple[Path, dict[str, Any]]:
    """Project of the pattern and the materials alone, and the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth.toml").write_text(text, encoding="utf-8")
    project = simulate_run(folder / "truth.toml", folder / "data", seed=seed)
    kept = project.read_text(encoding="utf-8")
    for table in ("asaxs", "saxs", "tem", "edx", "growth"):
        kept = re.sub(rf"(?ms)^\[{table}\].*?(?=^\[|\Z)", "", kept)
    project.write_text(kept, encoding="utf-8")
    return project, json.loads((folder / "data" / "truth.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["001", "110"])
def test_direction_of_elongation_through_simulate_and_run(tmp_path: Path, axis: str) -> None:
    text = truth_file(
        "thin", profile="shell_fraction = [1.0]", aspect_ratio="aspect_ratio = 1.4", particles="particles = 120",
        diameter_mean_nm="diameter_mean_nm = 4.0", diameter_std_nm="diameter_std_nm = 0.4",
    ).replace('axis = "110"', f'axis = "{axis}"')  # fmt: skip
    project, truth = simulated(tmp_path, text, 2)
    summary = run_project(project, out=tmp_path / "run", preset="quick").summary
    assert truth["waxs"]["long_axis"] == axis
    found = summary["waxs"]["long_axis"]
    print(found["verdict"], found["axis"], found["probability"])
    # what no average over directions tells apart may be named together, nothing else with more than "weak"
    alike = {"001": {"[001]"}, "110": {"[110]", "[210]", "flat along [001]"}}[axis]
    assert found["verdict"] in ("weak", "not determined") or found["axis"] in alike
    if axis == "001":
        assert found["verdict"] in ("strong", "moderate")
        assert found["aspect_ratio"]["value"] == pytest.approx(1.4, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["thin", "thick"])
def test_vegard_on_a_peak_is_not_the_mean_composition(tmp_path: Path, sample: str) -> None:
    project, truth = simulated(tmp_path, truth_file(sample), 3)
    summary = run_project(project, out=tmp_path / "run", preset="quick").summary
    waxs, true = summary["waxs"], truth["waxs"]
    for name, at, step in (("a", true["a_nm"], 0.026), ("c", true["c_nm"], 0.047)):
        excess = 100.0 * (waxs[f"{name}_nm"]["value"] / at - 1.0)
        read = waxs["vegard"][f"shell_fraction_from_{name}"]["value"]
        print(
            f"{sample} {name}: {excess:.2f} % above the mean composition's, read as x = {read:.3f}, true {true['mean_shell_fraction']:.3f}"
        )
        assert 0.5 < excess < 1.8
        assert read == pytest.approx(true["mean_shell_fraction"] - excess / 100.0 * at / step, abs=0.03)
        assert read < true["mean_shell_fraction"] - 0.08
    said = [f["text"] for f in summary["findings"] if "Vegard" in f["text"]]
    assert len(said) == 1
    assert "in a graded particle this is not the mean composition" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["thin", "thick"])
def test_whole_pattern_finds_the_truth_of_a_graded_particle(tmp_path: Path, sample: str) -> None:
    text = truth_file(sample).replace("[waxs]\n", "[waxs]\nwhole_pattern = true\n")
    (tmp_path / "truth.toml").write_text(text, encoding="utf-8")
    project = simulate_run(tmp_path / "truth.toml", tmp_path / "data", seed=4)
    summary = run_project(project, out=tmp_path / "run", preset="quick", only=("waxs",)).summary
    truth = json.loads((tmp_path / "data" / "truth.json").read_text(encoding="utf-8"))
    whole, peaks = summary["waxs"]["whole_pattern"], summary["waxs"]
    for key, true in (
        ("a_nm", truth["waxs"]["a_nm"]), ("c_nm", truth["waxs"]["c_nm"]), ("diameter_mean_nm", truth["diameter_mean_nm"]),
        ("diameter_std_nm", truth["diameter_std_nm"]),
    ):  # fmt: skip
        q = whole[key]
        print(f"{sample} {key}: {q['value']:.5f} ± {q['sigma']:.5f}, true {true:.5f}")
        assert abs(q["value"] - true) < 3.0 * q["sigma"], key
    # no faults are there, and the peaks alone stand elsewhere
    assert whole["cubic_layers"]["interval95"][1] < 0.02
    assert whole["stacking"]["verdict"] == "none"
    assert whole["chi2_reduced"] < 1.5
    assert abs(peaks["a_nm"]["value"] - truth["waxs"]["a_nm"]) > 5.0 * whole["a_nm"]["sigma"]
    # and the reader sees it
    render_report(tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for name in ("waxs_whole_pattern", "waxs_pair_distribution"):
        assert (tmp_path / "run" / "tables" / f"{name}.csv").is_file()
        assert f'id="figure-{name}"' in page, name
        assert (
            len(list(ET.fromstring((tmp_path / "run" / "figures" / f"{name}.svg").read_text(encoding="utf-8")).iter()))
            > 30
        )
    assert "The whole pattern from particles of atoms" in page


@pytest.mark.slow
def test_faults_strain_and_size_of_faulted_particles(tmp_path: Path) -> None:
    text = truth_file(
        "thin", profile="shell_fraction = [1.0]", aspect_ratio="aspect_ratio = 1.0", aspect_std="aspect_std = 0.0",
        particles="particles = 300", diameter_mean_nm="diameter_mean_nm = 3.6", diameter_std_nm="diameter_std_nm = 0.4",
        fault_probability="fault_probability = 0.15",
    )  # fmt: skip
    project, truth = simulated(tmp_path, text.replace("[waxs]\n", "[waxs]\nwhole_pattern = true\n"), 5)
    # the project states lattice constants that are 0.5 % too small: the fit has to find that strain
    stated = project.read_text(encoding="utf-8").replace(
        "a_nm = 0.4, c_nm = 0.655", f"a_nm = {A_NM * 0.995:.5f}, c_nm = {C_NM * 0.995:.5f}"
    )
    stated = re.sub(r"(?ms)^\[materials.core\].*?(?=^\[)", "", stated).replace("[materials.shell]", "[materials.core]")
    project.write_text(stated, encoding="utf-8")
    whole = run_project(project, out=tmp_path / "run", preset="standard").summary["waxs"]["whole_pattern"]
    for key, true in (
        ("a_nm", 0.4), ("c_nm", 0.655), ("vegard_misfit_percent", 100.0 * (1.0 / 0.995 - 1.0)), ("diameter_mean_nm", truth["diameter_mean_nm"]),
        ("fault_probability", 1.0 - truth["waxs"]["hexagonality"]),
    ):  # fmt: skip
        q = whole[key]
        print(f"{key}: {q['value']:.5f} ± {q['sigma']:.5f}, true {true:.5f}")
        assert abs(q["value"] - true) < 3.0 * q["sigma"], key
    assert whole["fault_probability"]["sigma"] < 0.05
    assert whole["stacking"]["verdict"] in ("faults", "not determined")
