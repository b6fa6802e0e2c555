"""Plain text files that others can read: curves as columns, small tables, TOML."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import FloatArray, ScatteringCurve


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text with LF; the file appears under its name only when complete. Missing folders are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name of its own: two processes may write the same file
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def write_curve(path: Path, curve: ScatteringCurve, *, comments: Sequence[str] = ()) -> Path:
    """Write q (1/nm), intensity and sigma as columns under comments and the header ``# q(nm^-1) I sigma``."""
    return write_columns(path, (curve.q_inv_nm, curve.intensity, curve.sigma), "q(nm^-1) I sigma", comments=comments)


def write_columns(
    path: Path, columns: tuple[FloatArray, FloatArray, FloatArray], header: str, *, comments: Sequence[str] = ()
) -> Path:
    """Write an axis, intensity and sigma as columns under comment lines, the last of which is the header."""
    lines = [f"# {c}" for c in comments] + [f"# {header}"]
    lines += [f"{q:.6f} {i:.6e} {s:.4e}" for q, i, s in zip(*columns, strict=True)]
    return write_text(path, "\n".join(lines) + "\n")


def write_table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], *, comments: Sequence[str] = ()
) -> Path:
    """Write a CSV table with comment lines in front of its header row."""
    lines = [f"# {c}" for c in comments] + [",".join(header)]
    lines += [",".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row) for row in rows]
    return write_text(path, "\n".join(lines) + "\n")


def write_json(path: Path, value: Mapping[str, Any]) -> Path:
    """Write JSON, one top-level key per line (and one particle per line), so that it is small and can be read."""
    parts = []
    for key, entry in value.items():
        if isinstance(entry, list) and entry and isinstance(entry[0], dict):
            rows = ",\n".join("  " + json.dumps(r, ensure_ascii=False) for r in entry)
            parts.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(entry, ensure_ascii=False)}")
    return write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def toml_text(tables: Mapping[str, Any]) -> str:
    """Return TOML of nested mappings: one table per mapping of the first two levels, deeper ones inline.

    Raises
    ------
    TypeError
        For a value that TOML has no type for (None included).
    """
    lines: list[str] = []
    for name, table in tables.items():
        plain = {k: v for k, v in table.items() if not _is_subtable(name, v)}
        if plain or not table:
            lines += [f"[{name}]", *(f"{_key(k)} = {_value(v)}" for k, v in plain.items()), ""]
        for key, value in table.items():
            if _is_subtable(name, value):
                lines += [f"[{name}.{_key(key)}]", *(f"{_key(k)} = {_value(v)}" for k, v in value.items()), ""]
    return "\n".join(lines)


def _is_subtable(name: str, value: Any) -> bool:
    # end members are tables of their own; everything else that is small reads better on one line
    return name == "materials" and isinstance(value, Mapping)


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if bare else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Sequence):
        if value and all(isinstance(v, Mapping) for v in value):
            return "[\n" + "".join(f"  {_value(v)},\n" for v in value) + "]"
        return "[" + ", ".join(_value(v) for v in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}: {value!r}")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; None and NaN become empty cells."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(v) for v in row])
    write_text(path, buffer.getvalue())


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return f"{float(value):.9g}" if math.isfinite(value) else ""
    return value
