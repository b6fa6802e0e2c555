"""The report's table of what another table of f', f'' would change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nanostrata.interfaces.report_data import _table_changes

PROFILE: dict[str, Any] = {
    "profile.table_used": "measured, zn.xdi",
    "profile.table_changes": {"chantler": [0.0213, -0.0048], "cromer-liberman": [0.0301, 0.0]},
    "profile.table_chi2_changes": {"chantler": 1.26, "cromer-liberman": -0.7},
    "profile.table_sigma": [0.0021, 0.0017],
    "profile.shell_fraction": {"value": [0.1, 0.9], "sigma": [0.0311, 0.0402]},
    "profile.table_left_out": {"other <table>": "9.6560 keV lies -3.0 eV from the Zn K edge"},
}


def page(**changes: Any) -> str:
    values = {**PROFILE, **changes}
    run: Any = SimpleNamespace(get=values.get, csv_bytes={"table_changes": b""})
    return _table_changes(run)


def test_every_table_has_its_row_beside_both_uncertainties() -> None:
    text = page()
    assert "in place of measured, zn.xdi" in text
    for cell in (
        "chantler",
        "+0.021",
        "-0.005",
        "cromer-liberman",
        "+0.030",
        "+0.000",
        "1.3",
        "± 0.002",
        "± 0.031",
        "± 0.040",
    ):
        assert cell in text, cell
    assert "shell 2" in text
    assert "shell 3" not in text
    assert "other &lt;table&gt;: 9.6560 keV lies" in text
    assert "tables/table_changes.csv" in text


def test_a_tabulated_factor_has_no_row_of_its_own_uncertainty() -> None:
    text = page(**{"profile.table_sigma": None, "profile.table_left_out": {}})
    assert "1 σ of the measured" not in text
    assert "Not fitted" not in text
    assert "posterior σ" in text


def test_runs_without_the_numbers_show_nothing() -> None:
    assert page(**{"profile.table_changes": None}) == ""
    assert page(**{"profile.table_changes": {}}) == ""
