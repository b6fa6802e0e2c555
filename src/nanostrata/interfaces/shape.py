"""The command ``shape``: ask for the runs, show the answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nanostrata.interfaces import console
from nanostrata.interfaces.formatting import format_quantity

__all__ = ["shape_curve"]


def shape_curve(curve: Path, *, as_json: bool = False, **request: Any) -> None:
    """Retrieve the shape, write the run folder with its page, and print the findings.

    Parameters
    ----------
    curve : file
    as_json : print the summary alone
    request : see :func:`nanostrata.pipeline.shape_run.shape_file`
    """
    from nanostrata.interfaces.shape_page import render_shape
    from nanostrata.pipeline.shape_run import shape_file

    folder, summary = shape_file(curve, progress=console.progress(), **request)
    page = render_shape(folder)
    if as_json:
        console.show_json(summary)
        return
    for entry in summary["warnings"]:
        console.warn(entry["message"])
    for finding in summary["findings"]:
        console.say(f"[{finding['grade']}] {finding['text']}")
    console.say()
    s = summary["shape"]
    rows = [
        [name, format_quantity(s[key])]
        for name, key in (
            ("Rg (nm)", "rg_nm"), ("largest distance (nm)", "dmax_nm"), ("diameter (nm)", "diameter_nm"),
            ("aspect ratio", "aspect_ratio"), ("aspect ratio, spread left out", "aspect_ratio_without_spread"),
        )
        if s[key]
    ]  # fmt: skip
    rows.append(["resolution (nm)", f"{s['resolution_nm']:.2f}"])
    rows.append(["runs kept", f"{s['runs']['kept']} of {s['runs']['done']}"])
    console.show_table(("shape", "value"), rows)
    if s.get("compared"):
        _show_compared(s)
    console.say(str(page))


def _show_compared(s: Mapping[str, Any]) -> None:
    """Print our figures and those of others side by side."""

    def cell(value: Any, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    rows = [
        [
            f"here, {row['name']}" if "file" not in row else f"{row['name']} ({row['software'] or row['kind']})",
            cell(row["rg_nm"], 3), cell(row["dmax_nm"], 2), cell(row["volume_nm3"], 2), cell(row.get("nsd_reference"), 2),
        ]
        for row in (*s["compared_here"], *s["compared"])
    ]  # fmt: skip
    console.say()
    console.show_table(("compared", "Rg (nm)", "Dmax (nm)", "volume (nm3)", "NSD"), rows)
    for entry in s["compared"]:
        console.say(f"{entry['name']}: {'; '.join(entry['notes'])}")
