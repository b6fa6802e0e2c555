"""The report's table of other factor tables."""

from __future__ import annotations

from typing import Any, cast

from nanostrata.interfaces.report_tables import table_changes_section
from nanostrata.interfaces.run_folder import RunFolder


class Summary:
    """As much of a run folder as the section asks for."""

    def __init__(self, **profile: Any) -> None:
        self.profile = profile
        self.csv_bytes = {"table_changes": b""}

    def get(self, key: str) -> Any:
        return self.profile.get(key.removeprefix("profile."))


def section(**profile: Any) -> str:
    return table_changes_section(cast(RunFolder, Summary(**profile)))


def test_every_table_has_its_row_with_signs_and_chi2() -> None:
    html = section(
        table_used="measured, a<b.xdi", table_changes={"chantler": [0.0123, -0.004]}, table_chi2_changes={"chantler": -0.88},
        table_sigma=[0.001, 0.002], table_left_out={},
    )  # fmt: skip
    for text in ("measured, a&lt;b.xdi", "shell 2", "+0.012", "\u22120.004", "\u22120.9", "± 0.002", "measured f′"):
        assert text in html
    assert "a<b" not in html


def test_the_changes_stand_beside_the_uncertainty_of_x() -> None:
    given: dict[str, Any] = {
        "table_used": "chantler",
        "table_changes": {"cromer-liberman": [0.01, 0.0]},
        "table_left_out": {},
    }
    html = section(**given, shell_fraction={"value": [0.1, 0.9], "sigma": [0.0311, 0.0402]})
    for text in ("standard deviation of x", "± 0.031", "± 0.040", "tables/table_changes.csv"):
        assert text in html
    assert "standard deviation of x" not in section(**given)
    assert "standard deviation of x" not in section(**given, shell_fraction={"sigma": [0.1, 0.2, 0.3]})


def test_a_table_that_is_left_out_is_named_with_its_reason() -> None:
    html = section(table_used="x", table_changes={}, table_left_out={"chantler": "no point across the edge"})
    assert "chantler is left out: no point across the edge" in html
    assert "<table" not in html


def test_runs_without_such_a_step_show_nothing() -> None:
    assert section() == ""
    assert section(table_used="chantler", table_changes={}, table_left_out={}) == ""
