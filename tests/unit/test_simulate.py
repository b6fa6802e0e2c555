"""simulate and scatter: files, truth, determinism, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import tomllib
from importlib.resources import files

import numpy as np
import pytest

from nanostrata.errors import RecipeError
from nanostrata.pipeline.scatter_run import scatter_file
from nanostrata.pipeline.simulate_run import example_truth, simulate_run
from nanostrata.pipeline.truth_file import load_truth
from nanostrata.simulate.campaign import draw_particles
from nanostrata.simulate.truth import RadialTruth, Truth, shell_means

SMALL = {
    "particles = 400 ": "particles = 12 ",
    "points = 120": "points = 30\nwaxs_particles = 3\nwaxs_points = 40\nsaxs_points = 30",
    "tem_particles = 120": "tem_particles = 40",
}


def _truth_text(changes=None) -> str:
    text = example_truth()
    for old, new in {**SMALL, **(changes or {})}.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def _write(folder, changes=None):
    path = folder / "truth.toml"
    path.write_text(_truth_text(changes), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    project = simulate_run(_write(folder), folder / "out", seed=3)
    return folder, project.parent


def test_folder_is_complete_and_says_simulated(made):
    _, out = made
    names = {p.name for p in out.iterdir()}
    curves = {f"asaxs_{e}eV.dat" for e in (16000, 9630, 9300, 8900)}
    assert names == curves | {"saxs.dat", "waxs.dat", "tem_diameters.csv", "edx.csv", "truth.json", "project.toml"}
    for path in out.iterdir():
        assert "simulated" in path.read_text(encoding="utf-8")[:400], path.name
    assert "# q(nm^-1) I sigma\n" in (out / "asaxs_9630eV.dat").read_text(encoding="utf-8")


def test_project_file_loads_and_its_files_are_there(made):
    from nanostrata.pipeline.recipe import load_recipe

    _, out = made
    recipe = load_recipe(out / "project.toml")
    assert [c.energy_kev for c in recipe.asaxs.curves] == [16.0, 9.63, 9.3, 8.9]
    assert recipe.particle.shape == "prolate"
    assert recipe.growth.temperature_c == 50
    assert "truth" not in tomllib.loads((out / "project.toml").read_text(encoding="utf-8"))


def test_truth_means_follow_from_the_draws(made):
    _, out = made
    truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    particles = truth["particles"]
    d = np.array([p["diameter_nm"] for p in particles])
    w = d**6 / (d**6).sum()
    shells = np.array([p["shell_fraction"] for p in particles])
    np.testing.assert_allclose(truth["shell_fraction"], w @ shells, atol=2e-5)
    np.testing.assert_allclose(truth["number_mean"]["shell_fraction"], shells.mean(axis=0), atol=2e-5)
    assert truth["diameter_mean_nm"] == pytest.approx(d.mean(), abs=2e-5)
    assert truth["r6_weighted"]["diameter_mean_nm"] == pytest.approx(w @ d, abs=2e-5)
    for p in particles:
        counts = p["element_counts"]
        # x per site is what was built: Zn per anion site
        anions = counts["Se"]
        assert counts["Zn"] / anions == pytest.approx(p["mean_shell_fraction"], abs=0.04)
        charge = 2 * counts["Zn"] + counts["Ag"] + 3 * counts["In"] - 2 * anions
        assert p["charge_e"] == charge
        assert p["diameter_nm"] == pytest.approx(p["diameter_drawn_nm"], rel=0.01)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(made, tmp_path):
    folder, out = made
    again = simulate_run(folder / "truth.toml", tmp_path / "again", seed=3).parent
    other = simulate_run(folder / "truth.toml", tmp_path / "other", seed=4).parent
    for path in out.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name
    assert (out / "asaxs_9630eV.dat").read_bytes() != (other / "asaxs_9630eV.dat").read_bytes()


def test_curves_are_on_the_absolute_scale_of_the_stated_volume_fraction(made):
    from scipy import constants

    _, out = made
    truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    q, intensity, sigma = np.loadtxt(out / "asaxs_16000eV.dat", unpack=True)
    d = np.array([p["diameter_nm"] for p in truth["particles"]])
    # by hand: N r_e^2 <(excess electrons)^2> exp(-q^2 Rg^2 / 3), core and shell some 1080 e/nm^3 above toluene
    r_e = constants.physical_constants["classical electron radius"][0] * 1e9
    number = 1e-3 / (math.pi / 6 * (d**3).mean())
    assert truth["number_density_inv_nm3"] == pytest.approx(number, rel=2e-3)
    guinier = np.exp(-(q[0] ** 2) * 0.6 * (d / 2) ** 2 / 3)
    expected = 1e7 * number * r_e**2 * ((1080 * math.pi / 6 * d**3) ** 2 * guinier).mean()
    assert intensity[0] / truth["beam_normalisation"][0] == pytest.approx(expected, rel=0.05)
    np.testing.assert_allclose(sigma / intensity, 0.01 * np.sqrt(1 + (q / 3) ** 2), rtol=0.1)


def test_noise_is_what_the_stated_sigma_says(tmp_path):
    # the same seed with a tenth of the noise draws the same numbers: their difference is 0.9 times the noise
    fine = {
        "points = 120": "points = 400\nwaxs_particles = 2\nwaxs_points = 20\nsaxs_points = 20",
        "particles = 400 ": "particles = 3 ",
    }
    first = simulate_run(_write(tmp_path, fine), tmp_path / "a", seed=1).parent
    quiet = {**fine, "relative_noise = 0.01 ": "relative_noise = 0.001 "}
    second = simulate_run(_write(tmp_path, quiet), tmp_path / "b", seed=1).parent
    _, i1, s1 = np.loadtxt(first / "asaxs_9630eV.dat", unpack=True)
    _, i2, _ = np.loadtxt(second / "asaxs_9630eV.dat", unpack=True)
    z = (i1 - i2) / (0.9 * s1)
    assert abs(z.mean()) < 4 / math.sqrt(len(z))
    assert z.std() == pytest.approx(1.0, abs=0.15)


def test_tem_and_edx_show_the_truth_within_their_errors(made):
    _, out = made
    truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    rows = [
        r for r in csv.reader((out / "tem_diameters.csv").read_text(encoding="utf-8").splitlines()) if r[0][0] != "#"
    ]
    assert rows[0] == ["major_nm", "minor_nm"]
    readings = np.array(rows[1:], dtype=float)
    assert readings.shape == (40, 2)
    assert np.all(readings[:, 0] >= readings[:, 1])
    volume_equivalent = np.cbrt(readings[:, 0] * readings[:, 1] ** 2)
    np.testing.assert_allclose(volume_equivalent, truth["tem"]["diameter_nm"], atol=0.4)
    table = [r for r in csv.reader((out / "edx.csv").read_text(encoding="utf-8").splitlines()) if r[0][0] != "#"]
    assert table[0] == ["element", "atomic_percent", "error"]
    edx = {r[0]: float(r[1]) for r in table[1:]}
    counts = truth["element_counts"]
    assert sum(edx.values()) == pytest.approx(100.0, abs=1e-3)
    for element, n in counts.items():
        assert edx[element] == pytest.approx(100 * n / sum(counts.values()), abs=5 * 1.2)


def test_wide_angle_curve_peaks_where_wurtzite_does(tmp_path):
    changes = {
        "points = 120": "points = 20\nwaxs_particles = 12\nwaxs_points = 250\nsaxs_points = 20\nb_factor_nm2 = 0.0",
        'profile = { kind = "exponential", inner = 0.08, outer = 0.79, width = 0.1595 }': "shell_fraction = [1.0]",
        "[waxs]\nenergy_kev = 16.0": '[waxs]\nenergy_kev = 16.0\naxis = "two_theta_deg"',
    }
    out = simulate_run(_write(tmp_path, changes), tmp_path / "out", seed=1).parent
    two_theta, intensity, _ = np.loadtxt(out / "waxs.dat", unpack=True)
    q = 4 * math.pi * np.sin(np.radians(two_theta / 2)) * 16.0 / 1.23984198
    # 110 of wurtzite ZnSe: 4 pi / a = 31.42 1/nm, well apart from its neighbours
    near = (q > 29.5) & (q < 33.0)
    assert q[near][np.argmax(intensity[near])] == pytest.approx(4 * math.pi / 0.400, rel=0.015)


def test_stratified_sizes_have_the_stated_moments():
    profile = RadialTruth(kind="homogeneous", outer=0.5)
    for kind in ("gaussian", "lognormal"):
        truth = Truth(diameter_mean_nm=4.0, diameter_std_nm=0.5, sizes=kind, profile=profile)
        draws = draw_particles(truth, 400, np.random.default_rng(1), stratified=True)
        d = np.array([x.diameter_nm for x in draws])
        assert d.mean() == pytest.approx(4.0, abs=3e-3)
        assert d.std() == pytest.approx(0.5, rel=0.02)
        assert abs(np.corrcoef(d[:-1], d[1:])[0, 1]) < 0.2
    assert ((d - 4) ** 3).mean() > 0.02  # lognormal: skewed to the right


@pytest.mark.parametrize(
    ("profile", "means"),
    [
        (RadialTruth(kind="linear", inner=0.0, outer=1.0), [0.375, 0.8035714]),
        (RadialTruth(kind="homogeneous", outer=0.4), [0.4, 0.4]),
        (RadialTruth(kind="shells", values=(0.2, 0.7)), [0.2, 0.7]),
        (RadialTruth(kind="points", positions=(0.0, 1.0), values=(0.0, 1.0)), [0.375, 0.8035714]),
    ],
)
def test_shell_means_are_volume_averages(profile, means):
    # <s> over a ball of radius 1/2 is 3/8; over the shell 1/2..1 it is (3/4)(1 - 1/16)/(1 - 1/8)
    np.testing.assert_allclose(shell_means(profile, 2), means, atol=1e-6)


def test_spread_keeps_x_inside_and_moves_the_middle():
    profile = RadialTruth(kind="linear", inner=0.0, outer=1.0)
    s = np.array([0.0, 0.5, 1.0])
    moved = profile.shifted(0.4)(s)
    assert moved[0] == 0.0
    assert moved[2] == 1.0
    assert moved[1] == pytest.approx(0.6, abs=0.002)


def test_all_problems_of_a_truth_file_come_at_once(tmp_path):
    path = _write(
        tmp_path,
        {
            "diameter_mean_nm = 3.9 ": "diameter_mean_nm = 39.0 ",
            "scale_error = 0.015 ": "scale_error = 15.0 ",
            "width = 0.1595 }": "width = -1.0 }",
            "energy_kev = 9.63": "energy_kev = 9630.0",
            'background = "constant"': 'background = "constant"\nsmearing = "dq"',
            "[tem]\n": "[tem]\nparticles = 5\n",
            'shape = "prolate"': 'shape = "cube"',
        },
    )
    with pytest.raises(RecipeError) as caught:
        simulate_run(path, tmp_path / "out")
    text = str(caught.value)
    for word in ("diameter_mean_nm", "scale_error", "profile.width", "9630", "smearing", "tem.particles", "shape"):
        assert word in text, word
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[truth]\n", "[truht]\n", "truth"),
        ("aspect_std", "aspect_sdt", "aspect_sdt"),
        ("x_spread", "shell_fraction = [0.1, 0.2]\nx_spread", "not both"),
        ("{ energy_kev = 16.0 }", '{ energy_kev = 16.0, file = "../x.dat" }', "plain file name"),
        ("{ energy_kev = 16.0 }", '{ energy_kev = 16.0, q_unit = "1/A" }', "q_unit"),
        ("{ energy_kev = 9.63 }", "{ energy_kev = 16.0 }", "same file"),
        ("outer = 0.79", "outer = 1.79", "0..1"),
        ("[tem]\nreading_error_nm = 0.1", "[tem]\nreading_error_nm = -0.1", "tem_reading_error_nm"),
    ],
)
def test_bad_truth_files_are_refused_in_words(tmp_path, old, new, says):
    path = _write(tmp_path, {old: new})
    with pytest.raises(RecipeError, match=says):
        load_truth(path)


def test_missing_or_broken_truth_file(tmp_path):
    with pytest.raises(RecipeError, match="--example"):
        simulate_run(tmp_path / "none.toml", tmp_path / "out")
    (tmp_path / "bad.toml").write_text("[truth\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="not a TOML file"):
        simulate_run(tmp_path / "bad.toml", tmp_path / "out")


@pytest.mark.parametrize("sample", ["thin", "thick"])
def test_shipped_demo_belongs_to_its_truth_file(sample):
    folder = files("nanostrata") / "data" / "demo" / sample
    record = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    text = (folder / "truth.toml").read_text(encoding="utf-8")
    truth = tomllib.loads(text)["truth"]
    assert record["seed"] == 1
    assert len(record["particles"]) == truth["particles"]
    assert record["diameter_mean_nm"] == pytest.approx(truth["diameter_mean_nm"], abs=0.01)
    assert record["diameter_std_nm"] == pytest.approx(truth["diameter_std_nm"], abs=0.01)
    # inside the box, so that bounds cannot make a fit look better than it is
    assert 0.01 < min(record["shell_fraction"]) < max(record["shell_fraction"]) < 0.99
    total = sum(len((folder / p.name).read_bytes()) for p in folder.iterdir() if p.is_file())
    assert total < 300_000


def test_scatter_writes_columns_named_as_typed(tmp_path):
    (tmp_path / "dimer.xyz").write_text("2\n\nZn 0 0 0\nSe 0 0 2.45\n", encoding="utf-8")
    out = scatter_file(tmp_path / "dimer.xyz", "16.0,9.63", q_min=0.0, q_max=40.0, points=5, out=tmp_path / "s.csv")
    rows = list(csv.reader(out.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["q_inv_nm", "intensity_e2_16.0kev", "intensity_e2_9.63kev"]
    from nanostrata.tables.factors import load_factors

    table = load_factors("chantler")
    q = np.array([float(r[0]) for r in rows[1:]])
    for column, energy in ((1, 16.0), (2, 9.63)):
        a, b = (table.f0(e, q) + table.anomalous(e, energy) for e in ("Zn", "Se"))
        exact = abs(a) ** 2 + abs(b) ** 2 + 2 * (a * b.conj()).real * np.sinc(q * 0.245 / np.pi)
        np.testing.assert_allclose([float(r[column]) for r in rows[1:]], exact, rtol=1e-6)


def test_scatter_refuses_in_words(tmp_path):
    (tmp_path / "dimer.xyz").write_text("2\n\nZn 0 0 0\nSe 0 0 2.45\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="--volume-per-site"):
        scatter_file(tmp_path / "dimer.xyz", "16.0", medium="toluene", points=3)
    assert "intensity" in scatter_file(tmp_path / "dimer.xyz", "16.0", medium="toluene", points=3, volume_per_site=0.02)
    with pytest.raises(RecipeError) as caught:
        scatter_file(tmp_path / "dimer.xyz", "9630,x", q_min=5, q_max=1, points=1, b_factor_nm2=5.0)
    assert len(caught.value.problems) == 5
    assert "was eV meant?" in str(caught.value)


def test_scatter_refuses_the_energies_that_run_refuses(tmp_path):
    """Zn K lies at 9.659 keV; the table says nothing there, and nothing else of the dimer is near."""
    (tmp_path / "dimer.xyz").write_text("2\n\nZn 0 0 0\nSe 0 0 2.45\n", encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        scatter_file(tmp_path / "dimer.xyz", "16.0,9.657,9.63,12.66", points=3)
    assert [p.split(" lies")[0] for p in caught.value.problems] == ["--energies: 9.6570 keV", "--energies: 12.6600 keV"]
    (tmp_path / "cd.xyz").write_text("2\n\nCd 0 0 0\nX 0 0 2.45\n", encoding="utf-8")
    assert "9.657kev" in scatter_file(tmp_path / "cd.xyz", "9.657", points=3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{ energy_kev = 9.63 }", "{ energy_kev = 9.657 }"),
        ("[tem]\n", "[saxs]\nenergy_kev = 9.657\n[tem]\n"),
        ("[waxs]\nenergy_kev = 16.0\n", "[waxs]\nenergy_kev = 9.657\n"),
    ],
)
def test_simulate_refuses_the_energies_that_run_refuses(tmp_path, old, new):
    with pytest.raises(RecipeError, match=r"9\.6570 keV lies .* Zn K edge"):
        simulate_run(_write(tmp_path, {old: new}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
