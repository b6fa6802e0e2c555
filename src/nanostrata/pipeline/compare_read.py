"""Read finished runs for a comparison: what each holds, and a clear word when it cannot be compared."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import Domain, FloatArray
from nanostrata.errors import DataError, RecipeError

__all__ = ["ComparedRun", "Number", "number_of", "read_runs", "split_array"]

INFORMED = ("data", "weak")


@dataclass(frozen=True, slots=True)
class Number:
    """A quantity of a summary: nan where something is not stated."""

    value: float
    sigma: float = math.nan
    low68: float = math.nan
    high68: float = math.nan
    low95: float = math.nan
    high95: float = math.nan

    def as_quantity(self) -> dict[str, Any]:
        """The quantity as the summary writes it."""
        return {
            "value": self.value, "sigma": self.sigma,
            "interval68": [self.low68, self.high68], "interval95": [self.low95, self.high95],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedRun(Domain):
    """One finished run.

    Attributes
    ----------
    label : short name, unique among the runs
    path : run folder
    summary : summary.json
    bands : columns of tables/profile_bands.csv; empty when the run has none
    x_draws : (n_draws, n_shell) posterior draws of x, or None
    d_draws : (n,) draws of the diffusivity, cm^2/s, or None
    truth : what is known of simulated data; empty for measured ones
    """

    label: str
    path: Path
    summary: Mapping[str, Any]
    bands: Mapping[str, FloatArray]
    x_draws: FloatArray | None
    d_draws: FloatArray | None
    truth: Mapping[str, Any]

    def get(self, dotted: str, default: Any = None) -> Any:
        """Value of the summary under a dotted path."""
        node: Any = self.summary
        for part in dotted.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return default
            node = node[part]
        return node

    def number(self, dotted: str) -> Number | None:
        """A scalar quantity, or None when the run does not have it."""
        return number_of(self.get(dotted))

    @property
    def shells(self) -> list[Number]:
        """x of each shell, inner to outer; empty without a profile."""
        return split_array(self.get("profile.shell_fraction"))

    @property
    def informed_by(self) -> list[str]:
        """Label of each shell: data, weak or prior."""
        labels = self.get("profile.informed_by") or []
        return [str(l) for l in labels] if len(labels) == len(self.shells) else ["prior"] * len(self.shells)

    @property
    def mismatch(self) -> list[Mapping[str, Any]]:
        """Entries of the mismatch, one per direction."""
        return [m for m in self.get("mismatch") or [] if isinstance(m, Mapping)]

    @property
    def materials(self) -> tuple[str, str, str] | None:
        """Core, shell and structure; None where the run has no materials."""
        m = self.get("materials")
        if not isinstance(m, Mapping):
            return None
        return str(m.get("core")), str(m.get("shell")), str(m.get("structure"))

    @property
    def temperature_c(self) -> float:
        """Growth temperature, degrees C; nan when the run does not state it."""
        found = (self.get("diffusion.temperature_c"), self.get("growth.temperature_c"))
        return next((float(t) for t in found if isinstance(t, int | float) and not isinstance(t, bool)), math.nan)

    @property
    def chi2(self) -> float:
        """Reduced chi2 of the fit; nan when the run states none."""
        value = self.get("asaxs.chi2_reduced", self.get("contrasts.chi2_reduced"))
        return float(value) if isinstance(value, int | float) else math.nan

    @property
    def missing(self) -> list[str]:
        """Parts of a comparison that this run does not have, by name."""
        have = {
            "mean diameter": self.number("particle.diameter_mean_nm"),
            "composition profile": self.shells or None,
            "growth temperature and time": self.get("growth"),
            "diffusivity": self.number("diffusion.diffusivity_cm2_s"),
            "lattice mismatch": self.mismatch or None,
            "coverage of the surface": self.number("atoms.coverage"),
        }
        return [name for name, value in have.items() if value is None]


def number_of(quantity: Any) -> Number | None:
    """Quantity of a summary as numbers, or None when there is no finite value."""
    if not isinstance(quantity, Mapping):
        return None
    value = _float(quantity.get("value"))
    if not math.isfinite(value):
        return None
    pairs = [quantity.get(k) for k in ("interval68", "interval95")]
    ends = [_float(v) for p in pairs for v in (p if isinstance(p, Sequence) and len(p) == 2 else (None, None))]
    return Number(value, _float(quantity.get("sigma")), *ends)


def read_runs(folders: Sequence[Path]) -> list[ComparedRun]:
    """Read the runs to compare.

    Raises
    ------
    RecipeError
        When no run or one run twice is given, or the runs are of different materials.
    DataError
        When a folder holds no finished run, an unreadable one, or one that an older version wrote in another layout.
        All problems of all folders are named at once.
    """
    if not folders:
        raise RecipeError(
            "compare: needs at least one finished run; give run folders, e.g. `nanostrata compare A.run B.run`"
        )
    paths = [Path(f) for f in folders]
    if len({p.resolve() for p in paths}) < len(paths):
        raise RecipeError("compare: a run is given twice; give each once")
    problems: list[str] = []
    summaries = [_summary(p, problems) for p in paths]
    if problems:
        raise DataError(*problems)
    labels = _labels([_title(s, p) for s, p in zip(summaries, paths, strict=True)], paths)
    runs = [_run(p, s, l, problems) for p, s, l in zip(paths, summaries, labels, strict=True)]
    if problems:
        raise DataError(*problems)
    _same_materials(runs)
    return runs


def _run(path: Path, summary: Mapping[str, Any], label: str, problems: list[str]) -> ComparedRun:
    x_draws, d_draws = _draws(path / "results.h5", problems)
    if x_draws is not None and x_draws.shape[1] != len(split_array(_at(summary, "profile.shell_fraction"))):
        problems.append(
            f"{path / 'results.h5'}: its draws have {x_draws.shape[1]} shells, summary.json another number; {_AGAIN}"
        )
    return ComparedRun(
        label=label, path=path, summary=summary, bands=_bands(path / "tables" / "profile_bands.csv", problems),
        x_draws=x_draws, d_draws=d_draws, truth=_truth(path, summary, problems),
    )  # fmt: skip


_AGAIN = "run the project again with --fresh"


def _summary(path: Path, problems: list[str]) -> dict[str, Any]:
    file = path / "summary.json"
    if (path / "comparison.json").is_file():
        problems.append(f"{path}: is a comparison, not a run; give the run folders that it compares")
        return {}
    if not file.is_file():
        what = "is a file" if path.is_file() else "no such folder" if not path.exists() else "there is none"
        hint = "give the folder of a finished run" if path.is_file() else "run `nanostrata run` first"
        problems.append(f"{path}: expected a finished run with summary.json, {what}; {hint}")
        return {}
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: expected JSON, {error}; {_AGAIN}")
        return {}
    if not isinstance(summary, dict):
        problems.append(f"{file}: expected a JSON object, got {type(summary).__name__}; {_AGAIN}")
        return {}
    problems.extend(_layout_problems(file, summary))
    return summary


def _layout_problems(file: Path, summary: Mapping[str, Any]) -> list[str]:
    """What shows that another version of nanostrata wrote this summary."""
    software = summary.get("software")
    if not isinstance(software, Mapping) or "version" not in software:
        return [f"{file}: software.version is missing: not a run of this program, or one of an older layout; {_AGAIN}"]
    wrong = []
    for key in (
        "particle.diameter_mean_nm", "particle.diameter_std_nm", "particle.aspect_ratio", "profile.shell_fraction",
        "profile.mean_shell_fraction", "diffusion.diffusivity_cm2_s", "atoms.coverage",
    ):  # fmt: skip
        value = _at(summary, key)
        if value is not None and not (isinstance(value, Mapping) and "value" in value):
            wrong.append(f"{key} is {type(value).__name__}, expected a number with value, sigma and intervals")
    x, edges = _at(summary, "profile.shell_fraction"), _at(summary, "profile.edges_nm")
    if isinstance(x, Mapping) and "value" in x:
        shells = x["value"]
        if not isinstance(shells, list) or not shells or not isinstance(edges, list) or len(edges) != len(shells):
            wrong.append("profile.edges_nm and profile.shell_fraction do not have one number per shell")
    mismatch = summary.get("mismatch")
    if mismatch is not None and not (
        isinstance(mismatch, list) and all(isinstance(m, Mapping) and "direction" in m for m in mismatch)
    ):
        wrong.append("mismatch is not a list with one entry per direction")
    if not wrong:
        return []
    return [f"{file}: {'; '.join(wrong)}: version {software['version']} wrote an older layout; {_AGAIN}"]


def _at(summary: Mapping[str, Any], dotted: str) -> Any:
    node: Any = summary
    for part in dotted.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _title(summary: Mapping[str, Any], path: Path) -> str:
    title = str(_at(summary, "sample.title") or path.name)
    # the summary and the page say on their own that data are simulated
    return title.removesuffix(" (simulated)") if summary.get("simulated") else title


def _labels(titles: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Titles; where two are equal, with the folder that tells them apart."""
    out = []
    for title, path in zip(titles, paths, strict=True):
        if titles.count(title) > 1:
            place = path.resolve()
            title = f"{title} ({place.parent.name}/{place.name})"
        out.append(title)
    return out if len(set(out)) == len(out) else [f"{t} [{i}]" for i, t in enumerate(out, 1)]


def _same_materials(runs: Sequence[ComparedRun]) -> None:
    found: dict[tuple[str, str, str] | None, list[str]] = {}
    for run in runs:
        found.setdefault(run.materials, []).append(str(run.path))
    if len(found) > 1:
        said = "; ".join(
            f"{', '.join(paths)}: {'no materials' if m is None else f'{m[0]} / {m[1]}, {m[2]}'}"
            for m, paths in found.items()
        )
        raise RecipeError(
            f"compare: the runs are of different materials ({said}); a share of shell material, a diffusivity or a mismatch "
            "means something else in each; compare runs of the same core, shell and structure"
        )


def _bands(file: Path, problems: list[str]) -> dict[str, FloatArray]:
    if not file.is_file():
        return {}
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
        names = ("r_nm", "lo95", "lo68", "median", "hi68", "hi95")
        columns = {n: np.array([_float(r[n]) for r in rows]) for n in names}
        if rows and "truth" in rows[0]:
            columns["truth"] = np.array([_float(r["truth"]) for r in rows])
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: expected columns r_nm, lo95, lo68, median, hi68, hi95 ({error!r}); {_AGAIN}")
        return {}
    return columns


def _draws(file: Path, problems: list[str]) -> tuple[FloatArray | None, FloatArray | None]:
    if not file.is_file():
        return None, None
    import h5py

    out: list[FloatArray | None] = []
    try:
        with h5py.File(file, "r") as h5:
            for name, ndim in (("profile/shell_fraction_draws", 2), ("diffusion/diffusivity_cm2_s", 1)):
                data = h5.get(f"process/{name}")
                draws = None if data is None else np.asarray(data[()], dtype=np.float64)
                if draws is not None and (draws.ndim != ndim or not np.isfinite(draws).all()):
                    problems.append(f"{file}, process/{name}: expected {ndim} dimension(s) of finite numbers; {_AGAIN}")
                    draws = None
                out.append(draws)
    except (OSError, ValueError, TypeError) as error:
        problems.append(f"{file}: cannot be read as HDF5 ({error}); {_AGAIN}")
        return None, None
    return out[0], out[1]


def _truth(path: Path, summary: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    file = path / "truth.json"
    if not summary.get("simulated") or not file.is_file():
        return {}
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: expected JSON, {error}; {_AGAIN}")
        return {}
    return loaded if isinstance(loaded, dict) else {}


def split_array(array: Any) -> list[Number]:
    """One number per entry of an array quantity; empty when it is none, nan where an entry is."""
    if not isinstance(array, Mapping) or not isinstance(array.get("value"), list):
        return []
    out = []
    for i, value in enumerate(array["value"]):
        one: dict[str, Any] = {"value": value}
        for key in ("sigma", "interval68", "interval95"):
            rows = array.get(key)
            one[key] = rows[i] if isinstance(rows, list) and i < len(rows) else None
        out.append(number_of(one) or Number(math.nan))
    return out


def _float(value: Any) -> float:
    if value is None or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
