"""From a project file to domain objects: rows that are left out, names as written, entries and errors of every file."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from nanostrata.errors import DataError
from nanostrata.pipeline import gather
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.run import run_project

Q = np.linspace(0.3, 4.0, 80)
CORE_NM, OUTER_NM = 2.0, 3.0


def amplitude(radius_nm: float) -> np.ndarray:
    u = Q * radius_nm
    return 4 / 3 * np.pi * radius_nm**3 * 3 * (np.sin(u) - u * np.cos(u)) / u**3


def intensity(core: float, shell: float, medium: float) -> np.ndarray:
    """Core + shell spheres with 8 % spread of sizes, summed by brute force."""
    factors, total = np.linspace(0.7, 1.3, 61), np.zeros_like(Q)
    weights = np.exp(-0.5 * ((factors - 1) / 0.08) ** 2)
    for f, w in zip(factors, weights / weights.sum(), strict=True):
        inner, outer = amplitude(CORE_NM * f), amplitude(OUTER_NM * f)
        total += w * ((core - shell) * inner + (shell - medium) * outer) ** 2
    return total


def write_curve(path: Path, values: np.ndarray, sigma: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [Q, values, 0.01 * values + 1e-6 * values.max()] if sigma else [Q, values]
    np.savetxt(path, np.column_stack(columns), header="q(nm^-1) I" + (" sigma" if sigma else ""))


CONTRASTS = {"a.dat": (6.0, 1.0, 0.0), "b.dat": (6.0, 1.0, 6.0), "c.dat": (2.0, 5.0, 1.0)}


def contrast_project(folder: Path, more: str = "") -> Path:
    lines = [f'  {{ file = "{n}", core = {c}, shell = {s}, medium = {m} }},' for n, (c, s, m) in CONTRASTS.items()]
    for name, values in CONTRASTS.items():
        write_curve(folder / name, intensity(*values))
    text = '[particle]\nprofile = "core_shell"\n[contrasts]\n' + more + "curves = [\n" + "\n".join(lines) + "\n]\n"
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder / "project.toml"


def one_curve_project(folder: Path, row: str, after: str = "") -> Path:
    """A project of [contrasts] with one curve."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f'[particle]\nprofile = "homogeneous"\n[contrasts]\ncurves = [{{ core = 3.0, medium = 0.0, {row} }}]\n{after}'
    )
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder / "project.toml"


# ---- a curve that is left out -----------------------------------------------------------------------------------------
def test_each_kept_curve_keeps_its_own_contrasts_when_another_is_left_out(tmp_path: Path) -> None:
    project = contrast_project(tmp_path, 'on_bad_points = "drop"\n')
    (tmp_path / "b.dat").write_text("no curve at all\n", encoding="utf-8")
    summary = run_project(project, out=tmp_path / "run").summary
    # with the contrasts of another row the radii would be wrong and chi2 far from 1
    found = summary["contrasts"]["parameters"]
    assert found["core_radius_nm"]["value"] == pytest.approx(CORE_NM, rel=0.01)
    assert found["outer_radius_nm"]["value"] == pytest.approx(OUTER_NM, rel=0.01)
    assert summary["contrasts"]["chi2_reduced"] < 0.5
    assert [c["label"] for c in summary["contrasts"]["per_curve"]] == ["a.dat", "c.dat"]
    (left_out,) = [w["message"] for w in summary["warnings"] if w["code"] == "curve_left_out"]
    assert left_out.startswith("contrasts.curves[1] is left out, because it cannot be read: b.dat")
    assert left_out in summary["notes"]


def test_the_same_curve_stops_a_run_that_may_not_drop_it(tmp_path: Path) -> None:
    project = contrast_project(tmp_path)
    (tmp_path / "b.dat").write_text("no curve at all\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"b\.dat"):
        gather.read_inputs(load_recipe(project), None)


def test_rows_say_which_entries_the_curves_are(tmp_path: Path) -> None:
    project = contrast_project(tmp_path, 'on_bad_points = "drop"\n')
    (tmp_path / "a.dat").unlink()
    read = gather.read_inputs(load_recipe(project), None)
    assert read.rows == (1, 2)
    assert [c.label for c in read.curves] == ["b.dat", "c.dat"]
    assert len(read.left_out) == 1


def test_nothing_left_is_refused_with_the_reasons(tmp_path: Path) -> None:
    project = contrast_project(tmp_path, 'on_bad_points = "drop"\n')
    for name in CONTRASTS:
        (tmp_path / name).unlink()
    with pytest.raises(DataError) as caught:
        gather.read_inputs(load_recipe(project), None)
    assert caught.value.problems[0] == "no curve is left to fit"
    assert [f"contrasts.curves[{i}]" in p for i, p in enumerate(caught.value.problems[1:])] == [True] * 3


# ---- names as written -------------------------------------------------------------------------------------------------
def test_results_name_files_as_the_project_does_wherever_it_lies(tmp_path: Path) -> None:
    """Two copies of one project in different folders write the same summary, and no folder of the machine is in it."""
    summaries = []
    for place in ("here", "there/below"):
        folder = tmp_path / place
        write_curve(folder / "shared" / "a.dat", intensity(4.0, 4.0, 0.0))
        row = 'file = "../shared/a.dat"'
        tem = (
            '[tem]\ndiameters = "../shared/tem.csv"\nunit = "nm"\n[saxs]\nfile = "../shared/a.dat"\nenergy_kev = 10.0\n'
        )
        (folder / "shared" / "tem.csv").write_text("Label,Major,Minor\n" + "x,6.1,5.9\ny,6.6,6.2\nz,5.6,5.5\n" * 5)
        project = one_curve_project(folder / "project", row, tem)
        run_project(project, out=folder / "run", only=("read",))
        text = (folder / "run" / "summary.json").read_text(encoding="utf-8")
        assert str(tmp_path) not in text
        assert str(tmp_path) not in (folder / "run" / "tables" / "inputs.csv").read_text(encoding="utf-8")
        summaries.append(json.loads(text))
    assert summaries[0] == summaries[1]
    assert {i["file"] for i in summaries[0]["inputs"]} == {"../shared/a.dat", "../shared/tem.csv"}
    assert all(len(i["sha256"]) == 64 for i in summaries[0]["inputs"])
    assert any(n.endswith(": ../shared/tem.csv") for n in summaries[0]["notes"])


# ---- entry and relative_sigma of every curve file -----------------------------------------------------------------------
def write_entries(path: Path, curves: dict[str, np.ndarray], sigma: bool) -> None:
    with h5py.File(path, "w") as h5:
        for name, values in curves.items():
            entry = h5.create_group(name)
            entry.attrs.update({"NX_class": "NXentry", "canSAS_class": "SASentry", "version": "1.1"})
            entry["definition"] = "NXcanSAS"
            data = entry.create_group("sasdata")
            data.attrs.update({"NX_class": "NXdata", "canSAS_class": "SASdata", "signal": "I", "I_axes": "Q"})
            data.attrs["Q_indices"] = [0]
            data["Q"], data["I"] = Q, values
            data["Q"].attrs["units"], data["I"].attrs["units"] = "1/nm", "1/cm"
            if sigma:
                data["Idev"] = 0.02 * values
                data["I"].attrs["uncertainties"] = "Idev"


def test_a_background_may_be_one_of_several_entries(tmp_path: Path) -> None:
    sample, solvent, empty = intensity(4.0, 4.0, 0.0) + 30.0, np.full_like(Q, 20.0), np.full_like(Q, 5.0)
    write_entries(tmp_path / "all.h5", {"sample": sample, "solvent": solvent, "empty": empty}, sigma=True)
    row = 'file = "all.h5", entry = "sample", background_files = [{ file = "all.h5", entry = "solvent", scale = 0.5 }]'
    (curve,) = gather.read_inputs(load_recipe(one_curve_project(tmp_path, row)), None).curves
    assert curve.intensity == pytest.approx(sample - 10.0)
    assert curve.sigma == pytest.approx(np.hypot(0.02 * sample, 0.5 * 0.02 * solvent))


def test_a_background_without_errors_takes_its_own_relative_sigma(tmp_path: Path) -> None:
    sample, solvent = intensity(4.0, 4.0, 0.0) + 30.0, np.full_like(Q, 20.0)
    write_curve(tmp_path / "a.dat", sample)
    write_curve(tmp_path / "b.dat", solvent, sigma=False)
    row = 'file = "a.dat", background_files = [{ file = "b.dat"%s }]'
    with pytest.raises(DataError, match=r"b\.dat.*relative_sigma"):
        gather.read_inputs(load_recipe(one_curve_project(tmp_path, row % "")), None)
    (curve,) = gather.read_inputs(load_recipe(one_curve_project(tmp_path, row % ", relative_sigma = 0.1")), None).curves
    own = 0.01 * sample + 1e-6 * sample.max()
    assert curve.sigma == pytest.approx(np.hypot(own, 0.1 * solvent), rel=1e-4)


def test_saxs_honours_entry_and_relative_sigma(tmp_path: Path) -> None:
    first, second = intensity(4.0, 4.0, 0.0), intensity(2.0, 2.0, 0.0)
    write_entries(tmp_path / "all.h5", {"one": first, "two": second}, sigma=False)
    write_curve(tmp_path / "a.dat", first)
    saxs = '[saxs]\nfile = "all.h5"\nenergy_kev = 10.0\n'
    with pytest.raises(DataError, match="write entry"):
        gather.read_inputs(load_recipe(one_curve_project(tmp_path, 'file = "a.dat"', saxs)), None)
    saxs += 'entry = "two"\nrelative_sigma = 0.03\n'
    curve = gather.read_inputs(load_recipe(one_curve_project(tmp_path, 'file = "a.dat"', saxs)), None).saxs
    assert curve is not None
    assert curve.intensity == pytest.approx(second)
    assert curve.sigma == pytest.approx(0.03 * second)
