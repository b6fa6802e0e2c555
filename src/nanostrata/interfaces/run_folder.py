"""What a report reads of a finished run: summary.json, tables/*.csv, structures/particle.xyz. Nothing is computed."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.errors import DataError
from nanostrata.interfaces.formatting import as_float

__all__ = ["Particle", "RunFolder", "Table", "first_of", "libraries_of", "look_up", "read_run_folder"]


def look_up(summary: Mapping[str, Any], dotted: str, default: Any = None) -> Any:
    """Value of the summary under a dotted path, e.g. ``"particle.diameter_mean_nm"``."""
    node: Any = summary
    for part in dotted.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return default
        node = node[part]
    return node


def first_of(summary: Mapping[str, Any], *dotted: str) -> Any:
    """First value that is there and not empty under one of the paths, else None."""
    for path in dotted:
        value = look_up(summary, path)
        if value not in (None, "", {}, []):
            return value
    return None


def libraries_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """Versions of the libraries of the run, without those that were not installed."""
    found = first_of(summary, "software.libraries", "versions")
    items = found.items() if isinstance(found, Mapping) else ()
    return {str(k): str(v) for k, v in items if v and v != "not installed"}


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV table, kept as text; an empty cell means unknown."""

    name: str
    columns: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def has(self, *names: str) -> bool:
        """Whether every column is there and holds at least one value."""
        return all(any(self.columns.get(n, ())) for n in names)

    def text(self, name: str) -> tuple[str, ...]:
        """Column as text; empty strings when the column is missing."""
        return self.columns.get(name, ("",) * len(self))

    def floats(self, name: str) -> FloatArray:
        """Column as numbers; nan where the cell is empty or the column is missing."""
        return np.array([as_float(v) for v in self.text(name)], dtype=np.float64)

    def where(self, name: str, value: str) -> Table:
        """Rows whose cell in ``name`` is ``value``."""
        keep = [i for i, v in enumerate(self.text(name)) if v == value]
        return Table(self.name, {k: tuple(v[i] for i in keep) for k, v in self.columns.items()})

    def rows(self) -> list[dict[str, str]]:
        """One dictionary per row."""
        return [dict(zip(self.columns, cells, strict=True)) for cells in zip(*self.columns.values(), strict=True)]


@dataclass(frozen=True, slots=True)
class Particle:
    """Atoms to show.

    Attributes
    ----------
    symbols : (m,) elements; vacancies are left out
    positions_angstrom : (m, 3), centred on the atoms' mean
    shell : (m,) shell index as written in the file, or None
    depth_nm : (m,) distance to the surface, nm, or None
    info : entries of the comment line, as text
    """

    symbols: tuple[str, ...]
    positions_angstrom: FloatArray
    shell: IntArray | None = None
    depth_nm: FloatArray | None = None
    info: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A finished run, read into memory."""

    path: Path
    summary: Mapping[str, Any]
    tables: Mapping[str, Table]
    particle: Particle | None = None
    csv_bytes: Mapping[str, bytes] = field(default_factory=dict)

    def table(self, name: str, *columns: str) -> Table | None:
        """A table if it is there, has rows and holds values in the columns asked for."""
        table = self.tables.get(name)
        return table if table is not None and len(table) and table.has(*columns) else None

    def get(self, dotted: str, default: Any = None) -> Any:
        """Value of the summary under a dotted path, e.g. ``"particle.diameter_mean_nm"``."""
        return look_up(self.summary, dotted, default)

    def first(self, *dotted: str) -> Any:
        """First value that is there and not empty under one of the paths, else None."""
        return first_of(self.summary, *dotted)

    @property
    def simulated(self) -> bool:
        """Whether the data were made by the simulator."""
        return bool(self.summary.get("simulated"))

    @property
    def title(self) -> str:
        """Title of the sample."""
        return str(self.first("sample.title", "title", "recipe.sample.title") or self.path.name)

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The project file as the run understood it; empty when the summary does not carry it."""
        value = self.summary.get("recipe")
        return value if isinstance(value, Mapping) else {}

    def truth(self, dotted: str) -> Any:
        """Known truth of simulated data, or None."""
        return self.get(f"truth.{dotted}")


def read_run_folder(run_dir: Path | str) -> RunFolder:
    """Read a finished run.

    Raises
    ------
    DataError
        When there is no summary.json, it is not valid JSON, or a table is ragged; the message names every such file.
    """
    path = Path(run_dir)
    problems: list[str] = []
    summary = _read_summary(path, problems)
    tables: dict[str, Table] = {}
    raw: dict[str, bytes] = {}
    for file in sorted((path / "tables").glob("*.csv")):
        raw[file.stem] = file.read_bytes()
        table = _parse_table(file, raw[file.stem], problems)
        if table is not None:
            tables[file.stem] = table
    particle = _read_particle(path / "structures" / "particle.xyz", problems)
    if problems:
        raise DataError(*problems)
    if summary.get("simulated") and "truth" not in summary:
        summary = {**summary, **_read_truth(path, summary)}
    return RunFolder(path=path, summary=summary, tables=tables, particle=particle, csv_bytes=raw)


def _read_summary(path: Path, problems: list[str]) -> dict[str, Any]:
    file = path / "summary.json"
    if not file.is_file():
        problems.append(f"{path}: expected a finished run with summary.json, found none; run `nanostrata run` first")
        return {}
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: expected JSON, {error}; run the project again with --fresh")
        return {}
    if not isinstance(summary, dict):
        problems.append(
            f"{file}: expected a JSON object, got {type(summary).__name__}; run the project again with --fresh"
        )
        return {}
    return summary


def _read_truth(path: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """truth.json of the run folder, or the one that the simulator wrote beside the project file."""
    places = [path / "truth.json"]
    if isinstance(summary.get("project_file"), str):
        places.append(Path(summary["project_file"]).parent / "truth.json")
    for file in places:
        if file.is_file():
            return {"truth": json.loads(file.read_text(encoding="utf-8"))}
    return {}


def _parse_table(file: Path, raw: bytes, problems: list[str]) -> Table | None:
    lines = list(csv.reader(raw.decode("utf-8-sig").splitlines()))
    if not lines:
        return None
    header, body = lines[0], [row for row in lines[1:] if row]
    ragged = [i + 2 for i, row in enumerate(body) if len(row) != len(header)]
    if ragged:
        problems.append(
            f"{file}, line {ragged[0]}: expected {len(header)} cells as in the header; run the project again"
        )
        return None
    columns = zip(*body, strict=True) if body else ((),) * len(header)
    return Table(file.stem, dict(zip(header, (tuple(c) for c in columns), strict=True)))


def _read_particle(file: Path, problems: list[str]) -> Particle | None:
    """Extended XYZ: the Properties entry of the comment line names the columns."""
    if not file.is_file():
        return None
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        count = int(lines[0])
        entries = dict(token.split("=", 1) for token in shlex.split(lines[1]) if "=" in token)
        layout = _xyz_layout(entries)
        rows = [line.split() for line in lines[2 : 2 + count]]
        if len(rows) != count:
            raise ValueError(f"{count} atoms announced, {len(rows)} found")
        return _particle(rows, layout, entries)
    except (ValueError, IndexError, KeyError) as error:
        problems.append(
            f"{file}: expected extended XYZ (count, comment with Properties=..., one line per atom), {error}"
        )
        return None


def _xyz_layout(entries: Mapping[str, str]) -> dict[str, int]:
    layout: dict[str, int] = {}
    parts = entries.get("Properties", "species:S:1:pos:R:3").split(":")
    start = 0
    for name, _kind, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        layout[name] = start
        start += int(width)
    return layout


def _particle(rows: Sequence[Sequence[str]], layout: Mapping[str, int], entries: Mapping[str, str]) -> Particle:
    first, pos = layout["species"], layout["pos"]
    rows = [r for r in rows if r[first] != "X"]
    xyz = np.array([[float(v) for v in r[pos : pos + 3]] for r in rows], dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(xyz).all():
        raise ValueError("a position is not finite")
    shell = depth = None
    if "shell" in layout:
        shell = np.array([int(float(r[layout["shell"]])) for r in rows], dtype=np.int64)
    if "depth_nm" in layout:
        depth = np.array([float(r[layout["depth_nm"]]) for r in rows], dtype=np.float64)
    elif "radius_fraction" in layout:
        depth = _depth(xyz, np.array([float(r[layout["radius_fraction"]]) for r in rows], dtype=np.float64))
    if depth is not None and not np.isfinite(depth).all():
        depth = None
    centre = xyz.mean(axis=0) if len(xyz) else np.zeros(3)
    return Particle(tuple(r[first] for r in rows), xyz - centre, shell, depth, entries)


def _depth(xyz_angstrom: FloatArray, fraction: FloatArray) -> FloatArray:
    """Way from an atom to the surface along its radius, nm: R(direction) = r / s, so depth = r (1 - s) / s."""
    radius = np.linalg.norm(xyz_angstrom, axis=1) / 10
    away = fraction > 1e-6
    surface = np.where(away, radius / np.where(away, fraction, 1.0), np.nan)
    surface = np.where(away, surface, np.nanmin(surface) if away.any() else 0.0)
    return np.asarray(np.maximum(surface * (1 - fraction), 0.0), dtype=np.float64)
