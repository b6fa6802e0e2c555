"""Measured nickel powder: file, kapton background, peaks, through the whole run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nanostrata.errors import DataError, RecipeError
from nanostrata.io.powder import estimated_sigma, read_powder
from nanostrata.pipeline.run import run_project

EXAMPLE = Path(__file__).parents[2] / "examples" / "nickel-powder"


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nickel")
    shutil.copytree(EXAMPLE, folder / "data")
    run_project(folder / "data" / "project.toml", out=folder / "run")
    return json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))


def test_lattice_constant_of_nickel(summary):
    a = summary["waxs"]["a_nm"]
    assert a["value"] == pytest.approx(0.3526, abs=0.0004)
    assert 0.0 < a["sigma"] < 0.0004
    assert [p["hkl"] for p in summary["waxs"]["peaks"]] == ["111", "200", "220", "311", "222", "400", "331"]
    assert "c_nm" not in summary["waxs"]


def test_what_is_not_known_is_said(summary):
    codes = {w["code"] for w in summary["warnings"]}
    assert "waxs_no_instrument" in codes
    assert summary["waxs"]["long_axis"]["verdict"] == "not determined"
    (kapton,) = summary["waxs"]["background_files"]
    assert kapton["file"] == "kapton.chi"
    assert abs(kapton["scale"] - 1.0) < 3 * 0.5


def test_angles_and_units_give_the_same_pattern(tmp_path):
    """The same points as two theta, q in 1/angstrom and q in 1/nm."""
    q = np.linspace(15.0, 45.0, 200)
    y = 100.0 + 50.0 * np.exp(-((q - 30.0) ** 2))
    energy = 16.0
    two_theta = 2.0 * np.degrees(np.arcsin(q * 1.239841984 / energy / (4.0 * np.pi)))
    for name, x in (("t", two_theta), ("a", q / 10.0), ("n", q)):
        np.savetxt(tmp_path / name, np.stack([x, y, np.sqrt(y)], axis=1))
    curves = [
        read_powder(tmp_path / name, axis=axis, energy_kev=energy)
        for name, axis in (("t", "two_theta_deg"), ("a", "q_inv_angstrom"), ("n", "q_inv_nm"))
    ]
    for c in curves:
        np.testing.assert_allclose(c.q_inv_nm, q, rtol=1e-9)
    assert curves[0].origin.unit_read == "two theta, degrees"


def test_a_header_that_contradicts_the_axis_stops(tmp_path):
    q = np.linspace(1.5, 4.5, 50)
    np.savetxt(tmp_path / "c.dat", np.stack([q, q + 1, q], axis=1), header="q(A^-1) I sigma")
    with pytest.raises(DataError, match="correct the axis"):
        read_powder(tmp_path / "c.dat", axis="q_inv_nm")
    with pytest.raises(DataError, match='axis = "q_inv_angstrom"'):
        read_powder(tmp_path / "c.dat", axis="two_theta_deg", energy_kev=16.0)
    np.savetxt(tmp_path / "t.dat", np.stack([10 * q, q + 1, q], axis=1), header="2theta I sigma")
    with pytest.raises(DataError, match='axis = "two_theta_deg"'):
        read_powder(tmp_path / "t.dat", axis="q_inv_nm")


def test_errors_are_estimated_from_the_scatter():
    """Mean of many patterns: one has a standard deviation of 6 %."""
    q = np.linspace(15.0, 45.0, 3000)
    y = 400.0 + 2000.0 * np.exp(-((q - 30.0) ** 2))
    found = []
    for seed in range(16):
        noisy = y + np.sqrt(3.0 * y) * np.random.default_rng(seed).standard_normal(len(q))
        sigma, gain = estimated_sigma(noisy, np.ones(len(q), dtype=bool))
        found.append(gain)
        assert (sigma > 0).all()
    assert np.mean(found) == pytest.approx(3.0, rel=0.05)


def test_too_few_reflections_are_refused(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "data")
    project = tmp_path / "data" / "project.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("[15.0, 79.0]", "[15.0, 32.0]"), encoding="utf-8")
    with pytest.raises(Exception, match="at least 2 are needed") as caught:
        run_project(project, out=tmp_path / "run")
    assert "111" in str(caught.value)


def test_no_materials_are_refused(tmp_path):
    (tmp_path / "project.toml").write_text('[waxs]\nfile = "w"\naxis = "q_inv_nm"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"materials\.core"):
        run_project(tmp_path / "project.toml")
