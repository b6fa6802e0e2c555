"""Several finished runs side by side: what the command shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nanostrata.interfaces import console
from nanostrata.interfaces.formatting import format_quantity, shell_quantities

__all__ = ["compare_folders", "show_comparison"]

_COLUMNS = (
    "sample",
    "grown",
    "diameter (nm)",
    "mean x",
    "x outermost",
    "D (cm²/s)",
    "coverage",
    "largest mismatch (%)",
)


def compare_folders(
    runs: Sequence[Path], *, out: Path, common_relative_error: float = 0.0, as_json: bool = False
) -> Path:
    """Compare finished runs, write the page, print the result.

    Parameters
    ----------
    runs : run folders
    out : folder of the comparison
    common_relative_error : relative error of the diffusivity that all samples share
    as_json : print comparison.json instead of sentences and a table

    Returns
    -------
    Path
        The page.
    """
    from nanostrata.interfaces.compare_page import render_compare
    from nanostrata.pipeline.compare import compare_runs

    result = compare_runs(runs, out, common_relative_error=common_relative_error, render=render_compare)
    assert result.page is not None
    if as_json:
        console.show_json(result.summary)
    else:
        show_comparison(result.summary)
        console.say(str(result.page))
    return result.page


def show_comparison(summary: Mapping[str, Any]) -> None:
    """Print the warnings to stderr; findings and a table of the samples to stdout."""
    for warning in summary["warnings"]:
        console.warn(str(warning["message"]))
    if summary["simulated"]:
        console.say("Simulated data.")
    for finding in summary["findings"]:
        console.say(f"[{finding['grade']}] {finding['text']}")
    console.say()
    console.show_table(_COLUMNS, [_row(s) for s in summary["samples"]])


def _row(sample: Mapping[str, Any]) -> list[str]:
    growth = sample.get("growth")
    shells = shell_quantities(sample["profile"].get("shell_fraction"))
    return [
        str(sample["label"]),
        f"{growth['temperature_c']:g} °C, {growth['time_s']:g} s" if growth else "-",
        _short((sample.get("particle") or {}).get("diameter_mean_nm")),
        _short(sample["profile"].get("mean_shell_fraction")),
        _short(shells[-1] if shells else None),
        _short((sample.get("diffusion") or {}).get("diffusivity_cm2_s")),
        _short(sample.get("coverage")),
        _mismatch(sample.get("mismatch") or []),
    ]


def _mismatch(entries: Sequence[Mapping[str, Any]]) -> str:
    shown = [f"{m['direction']} {_short(m.get('maximum_percent'))}" for m in entries if m.get("maximum_percent")]
    return ", ".join(shown) or "-"


def _short(quantity: Any) -> str:
    if not quantity or quantity.get("value") is None:
        return "-"
    return format_quantity({"value": quantity["value"], "sigma": quantity.get("sigma")})
