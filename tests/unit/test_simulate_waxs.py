"""simulate writes [waxs]: axis, counting noise, instrument, halo, standard, faults, and what is true of the pattern."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from nanostrata.errors import RecipeError
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.simulate_run import example_truth, simulate_run
from nanostrata.pipeline.truth_file import load_truth

WAXS = "[waxs]\nenergy_kev = 16.0\n"
HC = 1.23984198


def truth_text(waxs: str = "", truth: str = "", *, drop: tuple[str, ...] = ()) -> str:
    text = example_truth().replace("particles = 400 ", "particles = 6 ")
    text = text.replace("points = 120", "points = 20\nsaxs_points = 20\nwaxs_particles = 4")
    for key in drop:
        text, n = re.subn(rf"(?m)^{key} .*\n", "", text)
        assert n == 1, key
    assert WAXS in text
    return text.replace(WAXS, WAXS + waxs) + truth


def made(folder: Path, name: str, *args: str, drop: tuple[str, ...] = (), seed: int = 1) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(truth_text(*args, drop=drop), encoding="utf-8")
    return simulate_run(path, folder / name, seed=seed).parent


def test_project_has_the_table_and_reads_its_own_pattern(tmp_path: Path) -> None:
    from nanostrata.pipeline import gather

    out = made(tmp_path, "a")
    recipe = load_recipe(out / "project.toml")
    assert recipe.waxs is not None
    assert recipe.waxs.file == "waxs.dat"
    assert recipe.waxs.instrument_sigma_inv_nm == 0.26
    assert recipe.waxs.halo_inv_nm == ((13.5, 7.0),)
    inputs = gather.read_inputs(recipe, gather.materials(recipe))
    assert inputs.waxs is not None
    assert len(inputs.waxs.curve.q_inv_nm) == 300


def test_without_the_table_the_project_has_none(tmp_path: Path) -> None:
    text = truth_text()
    text = re.sub(r"(?ms)^\[waxs\].*?(?=^\[)", "", text)
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    out = simulate_run(tmp_path / "t.toml", tmp_path / "out").parent
    assert "waxs" not in tomllib.loads((out / "project.toml").read_text(encoding="utf-8"))
    assert (out / "waxs.dat").is_file()


def test_photons_are_whole_numbers_with_the_spread_of_counting(tmp_path: Path) -> None:
    found = []
    for seed in (1, 2):
        text = truth_text("", "waxs_points = 2000\nwaxs_counts = 500\n", drop=("waxs_counts",))
        (tmp_path / "c.toml").write_text(
            text.replace("relative_noise = 0.01 ", "relative_noise = 1e-6 "), encoding="utf-8"
        )
        out = simulate_run(tmp_path / "c.toml", tmp_path / f"c{seed}", seed=seed).parent
        _, intensity, sigma = np.loadtxt(out / "waxs.dat", unpack=True)
        photons = (intensity / sigma) ** 2
        assert np.abs(photons - photons.round()).max() < 0.05
        assert photons.max() == pytest.approx(500, abs=120)
        found.append(photons)
    # neighbouring points expect nearly the same number: half the squared difference is the variance, which is the mean
    step = np.concatenate([np.diff(p)[::2] ** 2 / (p[1::2] + p[:-1:2]) for p in found])
    assert step.mean() == pytest.approx(1.0, abs=4.0 * math.sqrt(2.0 / len(step)))


def test_angles_give_the_range_of_q(tmp_path: Path) -> None:
    out = made(
        tmp_path, "angles", 'axis = "two_theta_deg"\n', "waxs_two_theta_range_deg = [8.0, 30.0]\nwaxs_points = 50\n"
    )
    two_theta, _, _ = np.loadtxt(out / "waxs.dat", unpack=True)
    assert two_theta[0] == pytest.approx(8.0, abs=1e-5)
    assert two_theta[-1] == pytest.approx(30.0, abs=1e-5)
    q = 4.0 * math.pi * np.sin(np.radians(two_theta / 2.0)) * 16.0 / HC
    np.testing.assert_allclose(np.diff(q), np.diff(q)[0], rtol=1e-3)


def test_background_and_halo_are_what_the_truth_says(tmp_path: Path) -> None:
    quiet = ("waxs_counts",)
    noise = "relative_noise = 1e-6\n"
    text = {}
    for name, extra in (
        ("none", "waxs_background = 0.0\nwaxs_halo = [0.0, 13.5, 7.0]\n"),
        ("both", "waxs_background = 0.5\nwaxs_halo = [0.25, 14.0, 6.0]\n"),
    ):
        t = truth_text("", extra, drop=(*quiet, "relative_noise")) + noise
        (tmp_path / f"{name}.toml").write_text(t, encoding="utf-8")
        out = simulate_run(tmp_path / f"{name}.toml", tmp_path / name).parent
        text[name] = np.loadtxt(out / "waxs.dat", unpack=True)
    q, bare, _ = text["none"]
    under = (text["both"][1] - bare) / bare.mean()
    expected = 0.5 + 0.25 * 0.5 ** (((q - 14.0) / 3.0) ** 2)
    np.testing.assert_allclose(under, expected, atol=2e-3)


def test_standard_is_measured_with_the_same_instrument(tmp_path: Path) -> None:
    standard = 'standard = { formula = "Ni", lattice = { structure = "fcc", a_nm = 0.3524 } }\n'
    out = made(tmp_path, "standard", standard)
    recipe = load_recipe(out / "project.toml")
    assert recipe.waxs is not None
    assert recipe.waxs.standard is not None
    assert recipe.waxs.instrument_sigma_inv_nm is None
    q, y, _ = np.loadtxt(out / "standard.dat", unpack=True)
    # 111 of nickel alone: its second moment is the instrument's
    line = 2.0 * math.pi * math.sqrt(3.0) / 0.3524
    near = np.abs(q - line) < 4.0 * 0.26
    height = y[near] - 0.02 / 1.02 * y.max()
    middle = (q[near] * height).sum() / height.sum()
    assert middle == pytest.approx(line, abs=0.02)
    assert math.sqrt((height * (q[near] - middle) ** 2).sum() / height.sum()) == pytest.approx(0.26, rel=0.06)
    # and the run measures that width
    from nanostrata.pipeline import gather
    from nanostrata.pipeline.waxs_standard import measured_width

    inputs = gather.read_inputs(recipe, gather.materials(recipe))
    assert inputs.waxs is not None
    assert inputs.waxs.standard is not None
    width = measured_width(recipe, inputs.waxs.standard, np.random.default_rng(1))(np.array([20.0, 35.0]))
    np.testing.assert_allclose(width, 0.26 * math.sqrt(8.0 * math.log(2.0)), rtol=0.03)


def test_truth_of_the_pattern_is_written(tmp_path: Path) -> None:
    out = made(tmp_path, "faults", "", 'fault_probability = 0.3\nfault_kind = "growth"\nlattice = "mean"\n')
    record = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    waxs = record["waxs"]
    assert waxs["particles"] == 4
    assert waxs["structure"] == "wurtzite"
    assert waxs["long_axis"] == "110"
    assert waxs["fault_probability"] == 0.3
    # growth faults of 0.3 per layer leave 0.7 of the layers hexagonal, in few layers of few particles only about that
    assert waxs["hexagonality"] == pytest.approx(0.7, abs=0.2)
    # Vegard: both constants are those of one composition
    x = waxs["mean_shell_fraction"]
    assert waxs["a_nm"] == pytest.approx(0.426 + x * (0.400 - 0.426), abs=2e-4)
    assert waxs["c_nm"] == pytest.approx(0.702 + x * (0.655 - 0.702), abs=4e-4)
    d = np.array([p["diameter_nm"] for p in record["particles"]])[:4]
    assert waxs["diameter_d4_over_d3_nm"] == pytest.approx((d**4).sum() / (d**3).sum(), abs=1e-4)


def test_faults_change_the_pattern_and_nothing_else_that_is_drawn(tmp_path: Path) -> None:
    plain = made(tmp_path, "plain")
    faulted = made(tmp_path, "faulted", "", "fault_probability = 0.3\n")
    a, b = (json.loads((p / "truth.json").read_text(encoding="utf-8")) for p in (plain, faulted))
    assert [p["diameter_drawn_nm"] for p in a["particles"]] == [p["diameter_drawn_nm"] for p in b["particles"]]
    assert a["waxs"]["fault_probability"] == 0.0
    first, second = (np.loadtxt(p / "waxs.dat", unpack=True)[1] for p in (plain, faulted))
    assert np.abs(first / first.mean() - second / second.mean()).max() > 0.1


@pytest.mark.parametrize(
    ("waxs", "truth", "says"),
    [
        ("background_files = []\n", "", "waxs.background_files: simulate makes"),
        ("", "waxs_two_theta_range_deg = [30.0, 8.0]\n", "waxs_two_theta_range_deg"),
        ("", "waxs_halo = [0.3, 13.5, 0.0]\n", "waxs_halo"),
        ("", "waxs_q_range_inv_nm = [10.0, 90.0]\nlattice = 'mean'\n", None),
        ("", "fault_probability = 1.5\n", "fault_probability"),
        ('standard = { formula = "Ni", file = "waxs.dat", lattice = { structure = "fcc", a_nm = 0.3524 } }\n', "", "another name"),
        ('standard = { formula = "Ni", axis = "q_inv_nm", lattice = { structure = "fcc", a_nm = 0.3524 } }\n', "", "take it out"),
        ('axis = "degrees"\n', "", "waxs.axis"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_built(
    tmp_path: Path, waxs: str, truth: str, says: str | None
) -> None:
    path = tmp_path / "t.toml"
    path.write_text(truth_text(waxs, truth), encoding="utf-8")
    if says is None:
        load_truth(path)
        return
    with pytest.raises(RecipeError, match=says):
        load_truth(path)


def test_beyond_backscattering_there_is_no_pattern(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    text = truth_text("", "waxs_q_range_inv_nm = [10.0, 95.0]\n").replace(WAXS, "[waxs]\nenergy_kev = 9.0\n")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="beyond backscattering"):
        load_truth(path)
