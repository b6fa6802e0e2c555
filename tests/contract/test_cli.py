"""The command line: which commands there are, exit statuses, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nanostrata import __version__
from nanostrata.errors import DataError
from nanostrata.interfaces import console
from nanostrata.interfaces.batch import run_folders
from nanostrata.interfaces.cli import app
from nanostrata.pipeline import run as pipeline_run
from nanostrata.pipeline.recipe import load_recipe

COMMANDS = {
    "demo",
    "new",
    "plan",
    "check",
    "run",
    "compare",
    "simulate",
    "scatter",
    "shape",
    "report",
    "doctor",
    "cite",
}
DEMO = Path(str(files("nanostrata"))) / "data" / "demo" / "thin"
HEAVY = ("numpy", "scipy", "pydantic", "matplotlib", "h5py", "ase", "numba", "xraydb", "gemmi", "sasdata")
MAIN = "from nanostrata.interfaces.cli import main; main()"


def command(*argv: str, code: str = MAIN, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(str(files("nanostrata"))).parent),
        "PYTHONWARNINGS": "error",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, *argv], capture_output=True, text=True, env=env, encoding="utf-8",
        check=False, timeout=120,
    )  # fmt: skip


def test_help_lists_what_is_built_and_nothing_else() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    listed = result.stdout.split("Commands:")[1].split("\n")
    assert {line.split()[0] for line in listed if line.startswith("  ")} == COMMANDS


@pytest.mark.parametrize("name", ["reduce", "particles"])
def test_commands_that_are_not_built_are_not_registered(name: str) -> None:
    result = CliRunner().invoke(app, [name])
    assert result.exit_code == 2
    assert "No such command" in result.stderr


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"nanostrata {__version__}\n")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom nanostrata.interfaces.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert "LOADED []" in command("--help", code=code).stdout


def test_help_of_every_command_is_quick() -> None:
    """Quick is what loads little: no command may import what computes or draws before it is really run."""
    ours = [m for m in HEAVY if m != "pydantic"]  # typer itself loads pydantic for the options of a command
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom nanostrata.interfaces.cli import app\n"
        "done = [CliRunner().invoke(app, [name, '--help']).exit_code for name in sys.argv[1:]]\n"
        f"print('DONE', done, 'LOADED', [m for m in {ours!r} if m in sys.modules])"
    )
    said = command(*sorted(COMMANDS), code=code).stdout
    assert f"DONE {[0] * len(COMMANDS)} LOADED []" in said


# ---- check ---------------------------------------------------------------------------------------------------------
def test_check_prints_json_on_stdout_alone() -> None:
    result = CliRunner().invoke(app, ["check", str(DEMO / "project.toml"), "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [f["role"] for f in found["inputs"]] == ["asaxs"] * 4 + ["waxs", "saxs", "tem", "edx"]
    assert {f["unit_read"] for f in found["inputs"] if f["role"] == "asaxs"} == {"1/nm"}
    assert found["problems"] == []
    zinc = {r["energy_kev"]: r for r in found["factors"] if r["element"] == "Zn"}
    # f' of zinc below its edge from both tables, and the medium's density: the golden numbers of the method
    assert zinc[8.9]["chantler"][0] == pytest.approx(-2.207, abs=2e-3)
    assert zinc[8.9]["cromer_liberman"][0] == pytest.approx(-2.199, abs=2e-3)
    contrast = {r["energy_kev"]: r for r in found["contrast"]}
    assert contrast[16.0]["medium"] == pytest.approx(283.3, abs=0.1)
    assert contrast[16.0]["core_excess"][0] + contrast[16.0]["medium"] == pytest.approx(1348.8, abs=0.5)
    assert contrast[8.9]["shell_excess"][0] + contrast[8.9]["medium"] == pytest.approx(1339.5, abs=0.5)
    assert len(found["first_minimum"]) == 4


def test_check_prints_problems_as_json_too(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("[sample]\ntitel = 1\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "p.toml"), "--json"])
    assert result.exit_code == 2
    assert any("did you mean 'title'" in p for p in json.loads(result.stdout)["problems"])


def test_check_writes_nothing_unless_asked(tmp_path: Path) -> None:
    before = sorted(p.name for p in DEMO.iterdir())
    result = CliRunner().invoke(app, ["check", str(DEMO / "project.toml")])
    assert sorted(p.name for p in DEMO.iterdir()) == before
    assert "16.0000" in result.stdout
    CliRunner().invoke(app, ["check", str(DEMO / "project.toml"), "--out", str(tmp_path)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["check.html", "check_curves.svg", "check_factors.svg"]
    page = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert "asaxs_9630eV.dat" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_terminal_without_unicode_gets_ascii() -> None:
    result = command("check", str(DEMO / "project.toml"), PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert result.stdout.isascii()
    assert "50 deg C" in result.stdout
    assert "+-" in result.stdout
    assert "?" not in result.stdout


def test_a_closed_pipe_is_no_bug() -> None:
    code = f"{MAIN}"
    env = {**os.environ, "PYTHONPATH": str(Path(str(files("nanostrata"))).parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, "check", str(DEMO / "project.toml")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    _, stderr = process.communicate(timeout=120)
    assert b"This is a bug" not in stderr
    assert b"Traceback" not in stderr


# ---- run: the pipeline is replaced, what is looked at is the command --------------------------------------------------
@pytest.fixture
def projects(tmp_path: Path) -> list[Path]:
    out = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        out.append(tmp_path / name / "project.toml")
        out[-1].write_text("", encoding="utf-8")
    return out


def pretend(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Path], Any]) -> list[dict[str, Any]]:
    """Put ``answer`` in the place of the pipeline; return the list of the calls."""
    calls: list[dict[str, Any]] = []

    def run_project(path: Path, **options: Any) -> pipeline_run.RunResult:
        calls.append({"path": path, **options})
        options["progress"]("working")
        exit_code = answer(path)
        quantity = {"value": 4.0, "sigma": 0.1, "interval68": [3.9, 4.1], "interval95": [3.8, 4.2]}
        summary = {
            "sample": {"title": f"sample {path.parent.name}"}, "asaxs": {"chi2_reduced": float("nan")},
            "particle": {"diameter_mean_nm": quantity}, "profile": {"gradient": "resolved", "supported_shells": 2},
            "findings": [{"grade": "strong", "text": "ZnSe sits outside."}], "warnings": [{"code": "x", "message": "look here"}],
        }  # fmt: skip
        return pipeline_run.RunResult(run_dir=options["out"], summary=summary, exit_code=exit_code)

    monkeypatch.setattr(pipeline_run, "run_project", run_project)
    return calls


def test_run_hands_its_options_on(monkeypatch: pytest.MonkeyPatch, projects: list[Path], tmp_path: Path) -> None:
    calls = pretend(monkeypatch, lambda _: 0)
    argv = [
        "run",
        str(projects[0]),
        "--out",
        str(tmp_path / "o"),
        "--preset",
        "quick",
        "--only",
        "read",
        "--only",
        "profile",
    ]
    result = CliRunner().invoke(app, [*argv, "--seed", "7", "--workers", "2", "--fresh"])
    assert result.exit_code == 0, result.output
    (call,) = calls
    assert {k: call[k] for k in ("path", "out", "preset", "only", "seed", "workers", "fresh")} == {
        "path": projects[0], "out": tmp_path / "o", "preset": "quick", "only": ("read", "profile"), "seed": 7, "workers": 2,
        "fresh": True,
    }  # fmt: skip


def test_run_keeps_results_and_talk_apart(monkeypatch: pytest.MonkeyPatch, projects: list[Path]) -> None:
    pretend(monkeypatch, lambda _: 0)
    result = CliRunner().invoke(app, ["run", str(projects[0])])
    assert "[strong] ZnSe sits outside." in result.stdout
    assert "4.00 ± 0.10" in result.stdout
    assert "working" not in result.stdout
    assert "working" in result.stderr
    assert "warning: look here" in result.stderr


def test_run_prints_the_summary_as_json_alone(monkeypatch: pytest.MonkeyPatch, projects: list[Path]) -> None:
    pretend(monkeypatch, lambda _: 0)
    result = CliRunner().invoke(app, ["run", str(projects[0]), "--json"])
    summary = json.loads(result.stdout)
    assert summary["sample"]["title"] == "sample a"
    assert summary["asaxs"]["chi2_reduced"] is None
    many = json.loads(CliRunner().invoke(app, ["run", *map(str, projects), "--json"]).stdout)
    assert [s["sample"]["title"] for s in many] == ["sample a", "sample b"]


def test_many_projects_end_in_one_table_and_one_refusal_stops_none(
    monkeypatch: pytest.MonkeyPatch, projects: list[Path]
) -> None:
    def answer(path: Path) -> int:
        if path.parent.name == "a":
            raise DataError("a.dat, line 3: sigma is 0; give an error")
        return 0

    calls = pretend(monkeypatch, answer)
    result = CliRunner().invoke(app, ["run", *map(str, projects)])
    assert result.exit_code == 2
    assert [c["path"] for c in calls] == projects
    assert "a.dat, line 3" in result.stderr
    assert "sample b" in result.stdout
    assert "sample a" not in result.stdout


@pytest.mark.parametrize(("codes", "status"), [((0, 0), 0), ((0, 3), 3), ((3, 3), 3)])
def test_a_failed_verification_is_status_three(
    monkeypatch: pytest.MonkeyPatch, projects: list[Path], codes: tuple[int, int], status: int
) -> None:
    pretend(monkeypatch, lambda path: codes["ab".index(path.parent.name)])
    assert CliRunner().invoke(app, ["run", *map(str, projects)]).exit_code == status


def test_interruption_is_status_130(monkeypatch: pytest.MonkeyPatch, projects: list[Path]) -> None:
    def answer(_: Path) -> int:
        raise KeyboardInterrupt

    pretend(monkeypatch, answer)
    result = CliRunner().invoke(app, ["run", str(projects[0])])
    assert result.exit_code == 130
    assert "what was finished is kept" in result.stderr


def test_run_folders_are_never_shared(tmp_path: Path) -> None:
    projects = [tmp_path / "x" / "project.toml", tmp_path / "y" / "x.toml", tmp_path / "z" / "x" / "project.toml"]
    folders = run_folders(projects, tmp_path / "out")
    assert [f.name for f in folders] == ["x", "x-2", "x-3"]
    assert run_folders(projects[:1], tmp_path / "out") == [tmp_path / "out"]
    assert run_folders(projects[:1], None) == [tmp_path / "x" / "project.run"]


BUG = (
    "import nanostrata.pipeline.run as r\n"
    "def broken(path, *, out, **_):\n    out.mkdir(parents=True)\n    raise ZeroDivisionError('no such thing')\n"
    f"r.run_project = broken\n{MAIN}"
)


def test_a_bug_is_told_shortly_and_kept_in_the_log(tmp_path: Path) -> None:
    result = command("run", "p.toml", "--out", str(tmp_path / "run"), code=BUG)
    assert result.returncode == 1
    assert "This is a bug in nanostrata (ZeroDivisionError: no such thing)" in result.stderr
    assert "nanostrata doctor" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert "Traceback" in (tmp_path / "run" / "run.log").read_text(encoding="utf-8")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = command("--debug", "run", "p.toml", "--out", str(tmp_path / "run"), code=BUG)
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_what_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(DEMO / "project.toml"), "--out", str(tmp_path / "file" / "x")])
    assert result.exit_code == 2
    assert f"{tmp_path / 'file'}" in result.stderr


def contrast_project(folder: Path, radius_nm: float) -> Path:
    """A sphere with 10 % spread in a known contrast: the smallest project that the real pipeline runs."""
    import numpy as np

    q = np.linspace(0.3, 4.0, 50)
    radii = np.linspace(0.6, 1.4, 161) * radius_nm
    u = np.outer(q, radii)
    weight = np.exp(-0.5 * ((radii / radius_nm - 1) / 0.1) ** 2) * radii**6
    y = ((3 * (np.sin(u) - u * np.cos(u)) / u**3) ** 2 @ weight) / weight.sum()
    y = np.random.default_rng(2).normal(y, 0.02 * y)
    folder.mkdir()
    lines = [f"{a:.6g} {b:.6g} {0.02 * abs(b):.6g}" for a, b in zip(q, y, strict=True)]
    (folder / "sans.dat").write_text("\n".join(["q(nm^-1) I sigma", *lines]) + "\n", encoding="utf-8")
    (folder / "project.toml").write_text(
        '[particle]\nprofile = "homogeneous"\n[contrasts]\n'
        'curves = [{ file = "sans.dat", core = 5.0, medium = 6.4 }]\n',
        encoding="utf-8",
    )
    return folder / "project.toml"


def test_many_projects_give_the_answers_that_each_gives_alone(tmp_path: Path) -> None:
    """The real pipeline: summaries agree but for the path of the project, and the radius is the one put in."""
    projects = [contrast_project(tmp_path / n, r) for n, r in (("a", 2.0), ("b", 3.0))]
    for project in projects:
        assert CliRunner().invoke(app, ["check", str(project)]).exit_code == 0
    options = ["--json", "--preset", "quick"]
    many = json.loads(
        CliRunner().invoke(app, ["run", *map(str, projects), *options, "--out", str(tmp_path / "many")]).stdout
    )
    for project, radius, together in zip(projects, (2.0, 3.0), many, strict=True):
        result = CliRunner().invoke(app, ["run", str(project), *options, "--out", str(tmp_path / f"alone{radius:g}")])
        assert json.loads(result.stdout) == together
        diameter = together["particle"]["diameter_mean_nm"]
        assert diameter["interval95"][0] - 0.05 < 2 * radius < diameter["interval95"][1] + 0.05
    assert (tmp_path / "many" / "a" / "summary.json").is_file()
    assert (tmp_path / "many" / "b" / "report.html").is_file()


# ---- the other commands ----------------------------------------------------------------------------------------------
def test_new_writes_a_project_that_says_what_is_left_to_fill(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["new", str(tmp_path / "p")])
    assert result.exit_code == 0
    text = (tmp_path / "p" / "project.toml").read_text(encoding="utf-8")
    assert "TO FILL" in text
    refused = CliRunner().invoke(app, ["check", str(tmp_path / "p" / "project.toml")])
    assert refused.exit_code == 2
    assert "asaxs.curves: expected at least one" in refused.stderr


def test_new_knows_what_files_and_names_say(tmp_path: Path) -> None:
    """The bundled sample, from its files alone, becomes the curves, units and energies of its own project file."""
    result = CliRunner().invoke(app, ["new", str(tmp_path), "--from", str(DEMO)])
    assert result.exit_code == 0
    new, old = load_recipe(tmp_path / "project.toml"), load_recipe(DEMO / "project.toml")
    assert new.asaxs is not None
    assert old.asaxs is not None
    known = [[(Path(c.file).name, c.energy_kev, c.q_unit) for c in r.asaxs.curves] for r in (new, old)]
    assert sorted(known[0]) == sorted(known[1])
    assert new.saxs is not None
    assert new.saxs.energy_kev == 16.0
    assert CliRunner().invoke(app, ["check", str(tmp_path / "project.toml")]).exit_code == 0


def test_new_says_what_it_could_not_know(tmp_path: Path) -> None:
    (tmp_path / "curve.dat").write_text("0.1 5 0.1\n0.2 4 0.1\n0.3 3 0.1\n", encoding="utf-8")
    (tmp_path / "s_9.63keV.dat").write_text("q(A^-1) I s\n0.1 5 0.1\n0.2 4 0.1\n0.3 3 0.1\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["new", str(tmp_path / "p"), "--from", str(tmp_path)])
    assert "to fill: curve.dat: the unit of q is not stated" in result.stdout
    assert "to fill: curve.dat: the photon energy is not stated" in result.stdout
    text = (tmp_path / "p" / "project.toml").read_text(encoding="utf-8")
    assert '{ file = "../s_9.63keV.dat", energy_kev = 9.63, q_unit = "1/angstrom" }' in text
    assert "# TO FILL: curve.dat: the unit of q is not stated" in text


def test_the_example_truth_is_complete() -> None:
    import tomllib

    result = CliRunner().invoke(app, ["simulate", "--example"])
    assert result.exit_code == 0
    assert {"truth", "materials", "asaxs"} <= set(tomllib.loads(result.stdout))


def test_scatter_names_columns_as_typed(tmp_path: Path) -> None:
    """Two atoms: Debye's formula with f = f0(q) + f' + i f''; at q -> 0 the squared sum of Z + f'."""
    import xraydb

    (tmp_path / "zn2.xyz").write_text("2\n\nZn 0 0 0\nZn 0 0 2.5\n", encoding="utf-8")
    argv = [
        "scatter",
        str(tmp_path / "zn2.xyz"),
        "--energies",
        "16.0,9.630",
        "--q-min",
        "0",
        "--q-max",
        "1",
        "--points",
        "2",
    ]
    result = CliRunner().invoke(app, argv)
    assert result.exit_code == 0, result.output
    header, first = result.stdout.splitlines()[:2]
    assert header == "q_inv_nm,intensity_e2_16.0kev,intensity_e2_9.630kev"
    for value, ev in zip(first.split(",")[1:], (16000.0, 9630.0), strict=True):
        f = 30 + float(xraydb.f1_chantler("Zn", ev)) + 1j * float(xraydb.f2_chantler("Zn", ev))
        assert float(value) == pytest.approx(4 * abs(f) ** 2, rel=1e-5)


def test_doctor_says_that_all_is_well() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert __version__ in result.stdout


@pytest.mark.parametrize(
    ("text", "ascii_text"), [("4.06 ± 0.05 nm", "4.06 +- 0.05 nm"), ("ρ(Å⁻¹) − 50 °C", "rho(A-1) - 50 deg C")]
)
def test_signs_are_spelt_out_where_the_encoding_lacks_them(text: str, ascii_text: str) -> None:
    import io

    assert console.plain(text, io.TextIOWrapper(io.BytesIO(), encoding="ascii")) == ascii_text
    assert console.plain(text, io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == text
