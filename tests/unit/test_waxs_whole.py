"""The whole pattern from particles of atoms: library, instrument, verdict on the stacking, and its words."""

from __future__ import annotations

import dataclasses
import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from tests.waxs_particles import waxs_intensity, waxs_particle, waxs_particles

from nanostrata.errors import PhysicsError
from nanostrata.models.powder import PowderLibrary, build_library, mean_atom, powder_basis
from nanostrata.pipeline import waxs_whole
from nanostrata.pipeline.recipe import Recipe, load_recipe
from nanostrata.pipeline.waxs_whole import _stacking, fit_whole, wanted
from nanostrata.pipeline.waxs_whole_summary import whole_findings, whole_summary, write_whole
from nanostrata.stages.fit_powder import fit_powder
from nanostrata.tables.factors import load_factors

FACTORS = load_factors("chantler")
Q = np.linspace(12.0, 45.0, 221)
SIGMA_Q = 0.3


def build(diameter: float, fault: float, rng: np.random.Generator):
    return waxs_particle(diameter_nm=diameter, fault_probability=fault, seed=int(rng.integers(1 << 40)))


@pytest.fixture(scope="module")
def library() -> PowderLibrary:
    return build_library(
        build, (1.8, 2.0, 2.2), (0.0, 0.3), Q, copies=8, seed=np.random.SeedSequence(4), groups=4, margin_inv_nm=4 * SIGMA_Q
    )  # fmt: skip


def test_instrument_is_a_convolution(library: PowderLibrary) -> None:
    p = (0.002, 0.01, 2.0, 0.1, 0.1)
    blurred = powder_basis(library, FACTORS, 16.0, Q, p, None, np.full(len(Q), SIGMA_Q))
    step = 0.01
    fine = np.arange(Q[0] - 4 * SIGMA_Q, Q[-1] + 4 * SIGMA_Q, step)
    sharp = powder_basis(library, FACTORS, 16.0, fine, p)
    for k in (0, 57, 110, 220):
        weight = np.exp(-0.5 * ((fine - Q[k]) / SIGMA_Q) ** 2)
        assert blurred[k] == pytest.approx(float(weight @ sharp / weight.sum()), rel=2e-4)
    assert np.abs(blurred / powder_basis(library, FACTORS, 16.0, Q, p) - 1.0).max() > 0.02


def test_copies_go_to_the_groups_in_turn() -> None:
    seen: list[int] = []

    def counted(diameter: float, fault: float, rng: np.random.Generator):
        seen.append(len(seen))
        model = build(diameter, fault, rng)
        # particles of odd number are of selenium alone
        return dataclasses.replace(model, symbols=("Se",) * len(model.symbols)) if len(seen) % 2 == 0 else model

    made = build_library(counted, (1.6,), (0.0,), Q, copies=6, seed=np.random.SeedSequence(1), groups=2)
    zinc = made.elements.index("Zn")
    assert made.counts[0, 0, 0, zinc] > 0
    assert made.counts[1, 0, 0, zinc] == 0
    with pytest.raises(PhysicsError, match="at least 7"):
        build_library(counted, (1.6,), (0.0,), Q, copies=6, seed=np.random.SeedSequence(1), groups=7)


def test_mean_atom_of_zinc_selenide(library: PowderLibrary) -> None:
    electrons, squared, mean = mean_atom(library, FACTORS, 16.0, Q, (0.0, 0.01, 2.0, 0.1, 0.0))
    f = [FACTORS.f0(e, Q) + FACTORS.anomalous(e, 16.0) for e in ("Zn", "Se")]
    assert electrons == pytest.approx(32.0, abs=0.3)
    np.testing.assert_allclose(squared, 0.5 * (abs(f[0]) ** 2 + abs(f[1]) ** 2), rtol=0.02)
    np.testing.assert_allclose(mean, abs(0.5 * (f[0] + f[1])) ** 2, rtol=0.02)


def test_columns_and_draws_of_the_library(library: PowderLibrary) -> None:
    truth = (0.003, 0.01, 2.0, 0.12, 0.12)
    halo = np.exp(-4.0 * math.log(2.0) * ((Q - 13.5) / 7.0) ** 2)
    blur = np.full(len(Q), SIGMA_Q)
    y = powder_basis(library, FACTORS, 16.0, Q, truth, None, blur)
    clean = y / y.max() + 0.2 + 0.3 * halo
    sigma = 0.004 * np.sqrt(clean)
    data = clean + sigma * np.random.default_rng(2).standard_normal(len(Q))
    held = {"diameter_median_nm": 2.0, "diameter_sigma": 0.12}
    keys = {"fixed": held, "columns": [halo], "instrument_sigma_inv_nm": blur, "background_degree": 1}
    one = fit_powder(library, FACTORS, 16.0, Q, data, sigma, **keys)
    assert one["strain"][0] == pytest.approx(0.003, abs=4e-4)
    assert one["fault_probability"][0] == pytest.approx(0.12, abs=0.02)
    assert one.background[-1] == pytest.approx(0.3, abs=0.02)
    many = fit_powder(library, FACTORS, 16.0, Q, data, sigma, groups_differ_by="draws", **keys)
    np.testing.assert_allclose(many.values, one.values, rtol=1e-9)
    np.testing.assert_allclose(many.library_sigma, 2.0 * one.library_sigma, rtol=1e-9)  # root of four groups
    sharp = fit_powder(library, FACTORS, 16.0, Q, data, sigma, **{**keys, "instrument_sigma_inv_nm": None})
    assert sharp.chi2_reduced > 1.5 * one.chi2_reduced
    with pytest.raises(PhysicsError, match="one width"):
        fit_powder(library, FACTORS, 16.0, Q, data, sigma, **{**keys, "instrument_sigma_inv_nm": blur[1:]})


def test_growth_faults_make_so_many_layers_of_the_other_kind() -> None:
    made = [float(m.info["hexagonality"]) for m in waxs_particles(150, diameter_nm=3.0, fault_probability=0.3, seed=3)]
    # a particle has nine layers
    assert np.mean(made) == pytest.approx(0.7, abs=4.0 * np.std(made) / math.sqrt(len(made)))


@pytest.mark.parametrize(
    ("chi2", "verdict"),
    [
        ((300.0, 301.0, 306.0), "none"),
        ((300.0, 305.0, 400.0), "not determined"),
        ((300.0, 340.0, 400.0), "faults"),
        ((340.0, 300.0, 400.0), "mixture"),
    ],
)
def test_stacking_is_told_only_where_it_can_be(chi2: tuple[float, float, float], verdict: str) -> None:
    names = ("growth faults", "two kinds of particles", "no faults")
    models = list(zip(names, chi2, strict=True))
    assert _stacking(models, "wurtzite", 1.0)[0] == verdict
    # errors that are too small for their scatter count as larger
    assert _stacking(models, "wurtzite", 100.0)[0] == "none"


PROJECT = """
[sample]
title = "zinc selenide"
medium = "toluene"
[materials.core]
formula = "ZnSe"
lattice = {{ structure = "wurtzite", a_nm = 0.400, c_nm = 0.655 }}
[waxs]
file = "waxs.dat"
axis = "q_inv_nm"
energy_kev = 16.0
instrument_sigma_inv_nm = {sigma}
{extra}
"""


BLUR = 0.25


@lru_cache(maxsize=4)
def exact(diameter: float = 2.4, faults: tuple[float, ...] = (0.25,)) -> tuple[np.ndarray, float]:
    """Photons of particles that are a little larger in lattice than stated, blurred, and their share of cubic layers.

    As many particles with each of the fault probabilities.
    """
    step = 0.05
    fine = np.arange(Q[0] - 1.5, Q[-1] + 1.5, step)
    models = [
        m
        for k, fault in enumerate(faults)
        for m in waxs_particles(
            120 // len(faults), diameter_nm=diameter, std_nm=0.1 * diameter, fault_probability=fault, seed=11 + k
        )
    ]
    models = [dataclasses.replace(m, positions_nm=m.positions_nm * 1.004) for m in models]
    kernel = np.exp(-0.5 * (np.arange(-30, 31) * step / BLUR) ** 2)
    y = np.interp(Q, fine, np.convolve(waxs_intensity(models, fine), kernel / kernel.sum(), mode="same"))
    size = [len(m.symbols) for m in models]
    cubic = np.average([1.0 - float(m.info.get("hexagonality", 1.0)) for m in models], weights=size)
    return np.asarray(20000.0 * (y / y.max() + 0.3)), float(cubic)


def project(folder: Path, extra: str = "", diameter: float = 2.4, faults: tuple[float, ...] = (0.25,)) -> Recipe:
    """A pattern of its own particles, counted."""
    photons = np.random.default_rng(5).poisson(exact(diameter, faults)[0]).astype(float)
    rows = "\n".join(f"{a:.6f} {b:.6f} {math.sqrt(b):.6f}" for a, b in zip(Q, photons, strict=True))
    (folder / "waxs.dat").write_text(f"# q(nm^-1) I sigma\n{rows}\n", encoding="utf-8")
    (folder / "project.toml").write_text(PROJECT.format(sigma=BLUR, extra=extra), encoding="utf-8")
    return load_recipe(folder / "project.toml")


def test_it_is_done_where_it_is_asked_for_or_with_full(tmp_path: Path) -> None:
    plain = project(tmp_path)
    assert [wanted(plain, p) for p in ("quick", "standard", "full")] == [False, False, True]
    assert wanted(project(tmp_path, "whole_pattern = true"), "quick")
    assert not wanted(project(tmp_path, "whole_pattern = false"), "full")


@pytest.mark.slow
def test_pattern_of_faulted_particles_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nanostrata.pipeline import gather, waxs_run

    monkeypatch.setattr(waxs_whole, "COPIES", {"quick": 16})
    recipe = project(tmp_path, "whole_pattern = true")
    solid = gather.materials(recipe)
    assert solid is not None
    inputs = gather.read_inputs(recipe, solid)
    peaks = waxs_run.fit_waxs(recipe, inputs, solid, None, 1)
    found = fit_whole(recipe, inputs, solid, None, peaks, 1, "quick")
    assert not isinstance(found, str)
    part = whole_summary(found)["whole_pattern"]
    for key, true in (
        ("a_nm", 0.400 * 1.004),
        ("c_nm", 0.655 * 1.004),
        ("fault_probability", 0.25),
        ("diameter_mean_nm", 2.4),
    ):
        q = part[key]
        assert abs(q["value"] - true) < 4.0 * q["sigma"], (key, q)
    assert part["a_nm"]["sigma"] < 0.002 * 0.4
    assert part["fault_probability"]["sigma"] < 0.08
    assert part["cubic_layers"]["value"] == part["fault_probability"]["value"]
    assert part["vegard_misfit_percent"]["value"] == pytest.approx(0.4, abs=0.15)
    assert part["chi2_reduced"] < 1.6
    assert part["stacking"]["verdict"] in ("faults", "not determined")
    assert part["r_w_pair_distribution"] < 0.1
    sentence = whole_findings(found)[0]
    assert sentence.grade in ("strong", "moderate")
    assert "explain the whole wide-angle pattern" in sentence.text
    write_whole(tmp_path, found)
    table = np.genfromtxt(tmp_path / "waxs_pair_distribution.csv", delimiter=",", names=True)
    # the shortest distance is the bond of the lattice that is a little larger than stated
    near = table["r_nm"] < 0.32
    peak = table["r_nm"][near][np.argmax(table["g_measured_inv_nm2"][near])]
    assert peak == pytest.approx(0.375 * 0.655 * 1.004, abs=0.015)
    json.dumps([float(v) for v in found.library_sigma])
    again = fit_whole(recipe, inputs, solid, None, peaks, 1, "quick")
    assert not isinstance(again, str)
    np.testing.assert_array_equal(again.draws, found.draws)


@pytest.mark.slow
@pytest.mark.parametrize(("faults", "right"), [((0.0, 1.0), "mixture"), ((0.5,), "faults")])
def test_mixtures_and_faults_are_not_taken_for_each_other(
    tmp_path: Path, faults: tuple[float, ...], right: str
) -> None:
    """Wurtzite and zinc blende side by side, or stacked at random: half of the layers are cubic in both."""
    from nanostrata.pipeline import gather, waxs_run

    recipe = project(tmp_path, "whole_pattern = true", 3.4, faults)
    solid = gather.materials(recipe)
    assert solid is not None
    inputs = gather.read_inputs(recipe, solid)
    peaks = waxs_run.fit_waxs(recipe, inputs, solid, None, 1)
    found = fit_whole(recipe, inputs, solid, None, peaks, 1, "quick")
    assert not isinstance(found, str)
    print(
        right,
        found.models,
        found.stacking_sentence,
        found.cubic_share.mean(),
        found.cubic_share.std(),
        found.chi2_reduced,
    )
    assert found.stacking_verdict in (right, "not determined")
    true = exact(3.4, faults)[1]
    assert true == pytest.approx(0.5, abs=0.05)
    assert abs(found.cubic_share.mean() - true) < 3.0 * found.cubic_share.std()
    assert found.cubic_share.std() < 0.1


def test_large_particles_are_refused_in_words(tmp_path: Path) -> None:
    from nanostrata.domain import SizeDistribution
    from nanostrata.pipeline import gather, waxs_run

    recipe = project(tmp_path, "whole_pattern = true")
    solid = gather.materials(recipe)
    assert solid is not None
    inputs = gather.read_inputs(recipe, solid)
    peaks = waxs_run.fit_waxs(recipe, inputs, solid, None, 1)
    fields = {f.name for f in dataclasses.fields(SizeDistribution)}
    assert {"mean_nm", "std_nm", "aspect_ratio"} <= fields
    large = dataclasses.replace(peaks, long_axis=None, fwhm_inv_nm=0.2 * np.ones_like(peaks.fwhm_inv_nm))
    found = fit_whole(recipe, inputs, solid, None, large, 1, "quick")
    assert isinstance(found, str)
    assert "6.5 nm" in found
    assert whole_summary(found) == {"whole_pattern": {"not_computed": found}}
    assert whole_findings(found)[0].grade == "not determined"
