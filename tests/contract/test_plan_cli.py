"""``nanostrata plan``: exit statuses, what goes where, one offline page, all problems at once."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nanostrata.interfaces import console
from nanostrata.interfaces.cli import app

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plan-zinc-selenide" / "project.toml"
DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thick"


@pytest.fixture(autouse=True)
def _loud() -> None:
    console.state.quiet = False


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The example with three shells, planned once: its folder and what was printed."""
    out = tmp_path_factory.mktemp("plan") / "answer"
    result = CliRunner().invoke(app, ["plan", str(EXAMPLE), "--shells", "3", "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    return out, result.stdout


def refused(text: str, folder: Path, *more: str) -> str:
    """Exit status 2 and everything that is said."""
    project = folder / "project.toml"
    project.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["plan", str(project), "--out", str(folder / "out"), *more])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not (folder / "out").exists()
    return result.stderr


def test_answer_is_in_words_and_tables(answered: tuple[Path, str]) -> None:
    out, said = answered
    assert "resolves 3 shells" in said
    assert "Bottleneck: " in said
    assert said.rstrip().endswith(str(out / "plan.html"))
    for title in (
        "Expected intervals",
        "Energies",
        "What one improvement alone would give",
        "Best pair of the planned energies",
    ):
        assert title in said
    found = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    for finding in found["findings"]:
        assert finding["text"] in said


def test_summary_holds_together(answered: tuple[Path, str]) -> None:
    found = json.loads((answered[0] / "plan.json").read_text(encoding="utf-8"))
    planned, proposed = found["planned"], found["proposed"]
    assert planned["energies_kev"] == [16.0, 9.63, 9.3, 8.9]
    assert sum(proposed["exposure_s"]) == pytest.approx(planned["total_exposure_s"])
    assert found["gain"] > 1.05
    # the proposal is one far energy and one next to the edge of zinc, at the least distance
    far, near = proposed["energies_kev"]
    assert far > 13.0
    assert near == pytest.approx(9.6590 - 0.029, abs=0.002)
    for answer in (planned, proposed):
        q = answer["shell_fraction"]
        assert len(q["value"]) == len(q["sigma"]) == len(q["interval68"]) == 3
        for (a, b), (c, d), sigma in zip(q["interval68"], q["interval95"], q["sigma"], strict=True):
            assert 0 <= c < a < b < d <= 1
            assert 0.5 * (b - a) == pytest.approx(sigma, rel=0.2)
    best = found["subsets"][0]
    assert best["energies_kev"] == [16.0, 9.63]
    assert best["factor"] < 0.95
    steps = [v for v in found["levers"] if v["kind"] == "step" and v["name"] != "energies"]
    assert found["bottleneck"]["gain"] == max(v["typical_gain"] for v in steps)
    assert len(found["rankings"]) == 18
    near_edge = next(r for r in found["energies"] if r["energy_kev"] == 9.63)
    assert near_edge["nearest_edge"] == "Zn K"
    assert near_edge["f_prime"]["Zn"] == pytest.approx(-5.46, abs=0.05)


def test_page_is_one_offline_file_with_every_figure(answered: tuple[Path, str]) -> None:
    page = (answered[0] / "plan.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:|#|tables/|figures/)[^"]*"', page)
    assert "http:" not in page
    assert "https:" not in page
    for name in ("plan_intervals", "plan_shells", "plan_energies", "plan_levers"):
        svg = (answered[0] / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert svg.startswith("<svg")
        assert f'id="figure-{name}"' in page
    for name in ("intervals", "resolved", "levers", "energy_sets", "subsets", "exchange", "rankings"):
        assert (answered[0] / "tables" / f"{name}.csv").read_text(encoding="utf-8").count("\n") > 1


def test_json_is_alone_on_stdout_and_energies_replace_the_plan(tmp_path: Path, answered: tuple[Path, str]) -> None:
    args = [
        "plan",
        str(EXAMPLE),
        "--shells",
        "3",
        "--energies",
        "16.0,9.63",
        "--exposure",
        "2",
        "--out",
        str(tmp_path / "o"),
        "--json",
    ]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert found["planned"]["energies_kev"] == [16.0, 9.63]
    assert found["planned"]["exposure_s"] == [2.0, 2.0]
    assert found["rankings"] == []
    # two energies in place of four, the same four seconds: what the first answer promised for this pair
    before = json.loads((answered[0] / "plan.json").read_text(encoding="utf-8"))
    promised = next(s for s in before["subsets"] if s["energies_kev"] == [16.0, 9.63])
    ratio = [
        a / b
        for a, b in zip(
            found["planned"]["without_coupling"]["sigma_without_walls"],
            before["planned"]["without_coupling"]["sigma_without_walls"],
            strict=True,
        )
    ]
    assert ratio == pytest.approx(promised["shell_factor"], rel=0.02)
    assert json.loads((tmp_path / "o" / "plan.json").read_text(encoding="utf-8")) == found


@pytest.mark.slow
def test_same_request_gives_the_same_answer(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        result = CliRunner().invoke(
            app, ["plan", str(EXAMPLE), "--shells", "2", "--energies", "16,9.63", "--out", str(tmp_path / name)]
        )
        assert result.exit_code == 0
        texts.append((tmp_path / name / "plan.json").read_bytes() + (tmp_path / name / "plan.html").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.slow
def test_measured_project_gives_its_own_q_noise_and_guess(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["plan", str(DEMO / "project.toml"), "--shells", "3", "--out", str(tmp_path), "--json"]
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["measured"] is True
    assert found["exposure_unit"] == "measured exposures"
    assert found["planned"]["energies_kev"] == [16.0, 9.63, 9.3, 8.9]
    assert found["assumptions"]["points"] == 83
    assert found["assumptions"]["noise"]["relative_at_q_min"] == pytest.approx(0.0101, rel=0.05)
    # truth of the three shells from that of the five
    x, sigma = found["planned"]["shell_fraction"]["value"], found["planned"]["shell_fraction"]["sigma"]
    five = json.loads((DEMO / "truth.json").read_text(encoding="utf-8"))["shell_fraction"]
    assert x[2] == pytest.approx(five[4], abs=0.12)
    assert all(0.005 < s < 0.1 for s in sigma)


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = """
[materials.core]
formula = "Ag2In4Se7"
lattice = { structure = "wurtzite", a_nm = 0.426, c_nm = 0.702 }
[materials.shell]
formula = "ZnSe"
lattice = { structure = "wurtzite", a_nm = 0.400, c_nm = 0.655 }
[asaxs]
smearing = "dq"
[plan]
energies_kev = [16000, 9.63]
relative_nois = 0.01
shell_fraction = [0.1, 1.2]
"""
    said = refused(text, tmp_path, "--exposure", "1,x", "--shells", "30")
    for word in (
        "8 problems", "--exposure: expected numbers in s", "--shells: expected 1 to 20", "plan.q_range_inv_nm: missing", "[tem]: missing",
        'smearing: "dq" needs measured curves', "write 16", "did you mean 'relative_noise'", "plan.shell_fraction: expected numbers from 0 to 1",
    ):  # fmt: skip
        assert word in said, word


@pytest.mark.parametrize(
    ("changes", "more", "word"),
    [
        ({"energies_kev = [16.0, 9.63, 9.30, 8.90]": "energies_kev = [16.0, 9.657]"}, (), "tables mean nothing within 5 eV"),
        ({"energies_kev = [16.0, 9.63, 9.30, 8.90]": "energies_kev = [16.0, 16.0]"}, (), "stands there twice"),
        ({}, ("--energies", "16,9.66"), "--energies: 9.6600 keV lies +1.0 eV from the Zn K edge"),
        ({}, ("--exposure", "1,2"), "2 exposures for 4 energies"),
        ({"exposure_s = 1.0": "exposure_s = -1.0"}, (), "seconds above 0"),
        ({"relative_noise = 0.01": "relative_noise = 0.01\nflux = { photons_per_s = 1e12, volume_fraction = 1e-3 }"}, (), "both given"),
        ({"shell_fraction =": "profile = { kind = \"erf\" }\nshell_fraction ="}, (), "shell_fraction and profile are both given"),
        ({"relative_noise = 0.01": "relative_noise = 0.01\nrelative_flux = [[9.0, 1.0], [10.0, 0.5]]"}, (), "covers 9 to 10 keV"),
        ({"mean_x_uncertainty": "[edx]\natomic_percent = { Ag = 4.4, In = 8.8, Se = 51.0, Zn = 35.8 }\nerror = 1.5\n[growth]\ntemperature_c = 150\ntime_s"},
         (), "this key is not known"),
        ({"[materials.shell]": "[unknown]"}, (), "unknown"),
        ({"energy_range_kev = [8.5, 17.0]": "energy_range_kev = [17.0, 8.5]"}, (), "low < high"),
        ({"[asaxs]": "[contrasts]\nx = 1\n[asaxs]"}, (), "a plan chooses photon energies"),
    ],
)  # fmt: skip
def test_bad_plans_are_refused(tmp_path: Path, changes: dict[str, str], more: tuple[str, ...], word: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    assert word in refused(text, tmp_path, *more)


def test_files_that_are_lost_are_named_when_others_are_there(tmp_path: Path) -> None:
    for name in ("project.toml", "asaxs_16000eV.dat", "tem_diameters.csv", "edx.csv", "saxs.dat", "waxs.dat"):
        shutil.copy(DEMO / name, tmp_path / name)
    result = CliRunner().invoke(app, ["plan", str(tmp_path / "project.toml"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr.count("does not exist") == 3


def test_a_run_accepts_the_table_and_is_not_changed_by_it(tmp_path: Path) -> None:
    from nanostrata.pipeline.recipe import parse_recipe

    def parsed(extra: dict[str, Any]) -> Any:
        import tomllib

        table = tomllib.loads((DEMO / "project.toml").read_text(encoding="utf-8"))
        return parse_recipe({**table, **extra}, path=DEMO / "project.toml")

    with_plan = parsed({"plan": {"energies_kev": [16.0, 9.63], "shell_fraction": [0.1, 0.9]}})
    assert with_plan.plan.energies_kev == (16.0, 9.63)
    assert with_plan.digest() == parsed({}).digest()


def test_out_may_not_be_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}", encoding="utf-8")
    result = CliRunner().invoke(app, ["plan", str(EXAMPLE), "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds a run" in result.stderr


@pytest.mark.slow
def test_a_plan_that_is_good_already_is_left_alone(tmp_path: Path) -> None:
    args = ["plan", str(EXAMPLE), "--energies", "17,9.63", "--exposure", "1.99,2.01", "--out", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["proposed"] == found["planned"]
    assert found["gain"] == 1.0
    assert any(f["text"].startswith("No other choice") for f in found["findings"])


OTHER = """
[sample]
medium = "hexane"
[particle]
shells = 2
shape = "oblate"
[materials.core]
formula = "PbS"
lattice = { structure = "rocksalt", a_nm = 0.5936 }
[materials.shell]
formula = "CdS"
lattice = { structure = "zincblende", a_nm = 0.5832 }
[asaxs]
edge = "Pb L3"
scale = "per_energy"
background = "constant+power"
[tem]
mean_diameter_nm = 6.0
std_diameter_nm = 0.6
particles = 200
[plan]
energies_kev = [12.5, 12.9, 13.0]
exposure_s = [10, 20, 30]
q_range_inv_nm = [0.3, 3.5]
flux = { photons_per_s = 1e11, volume_fraction = 1e-4 }
relative_flux = [[10.0, 1.2], [13.0, 1.0], [15.0, 0.6]]
edge_distance_ev = 40
profile = { kind = "exponential", inner = 0.0, outer = 1.0, width = 0.2 }
"""


@pytest.mark.slow
def test_other_materials_edges_shapes_and_a_flux_budget(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(OTHER, encoding="utf-8")
    result = CliRunner().invoke(app, ["plan", str(tmp_path / "p.toml"), "--out", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["assumptions"]["noise"]["photons_per_s"] == 1e11
    # the flux was stated from 10 to 15 keV, and the range is 10 % round the edge inside that
    assert found["assumptions"]["energy_range_kev"] == pytest.approx([0.9 * 13.035, 1.1 * 13.035], rel=1e-3)
    for row in found["energies"]:
        if row["proposed_exposure_s"] is not None:
            assert abs(row["edge_distance_ev"]) >= 40 - 1e-3
    assert sum(found["proposed"]["exposure_s"]) == pytest.approx(60.0)
    first = next(v for v in found["levers"] if v["kind"] == "step")
    assert first["name"] == "EDX"
