"""Finished runs side by side: what differs, the activation energy, the scores; JSON, tables and a page."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.constants import GAS_CONSTANT_J_MOL_K
from nanostrata.errors import RecipeError
from nanostrata.io.text_out import write_text
from nanostrata.models.arrhenius import ArrheniusLine
from nanostrata.models.design_rules import CAVEAT, SOURCE, RuleScore
from nanostrata.models.differences import LEVEL, Difference
from nanostrata.pipeline.compare_findings import BAD_CHI2, findings
from nanostrata.pipeline.compare_numbers import (
    NO_DIFFUSIVITY,
    ArrheniusResult,
    Quantity,
    activation,
    differences,
    quantities,
    rule_scores,
    shell_layers_nm,
)
from nanostrata.pipeline.compare_read import ComparedRun, read_runs
from nanostrata.pipeline.compare_tables import write_tables
from nanostrata.tables.literature_activation import LITERATURE

__all__ = ["CompareResult", "compare_runs"]


@dataclass(frozen=True, slots=True)
class CompareResult:
    """A finished comparison.

    Attributes
    ----------
    out_dir : folder with comparison.json, tables/*.csv and, when a renderer was given, compare.html
    summary : what comparison.json holds
    page : compare.html, or None
    """

    out_dir: Path
    summary: dict[str, Any]
    page: Path | None


def compare_runs(
    run_dirs: Sequence[Path],
    out: Path,
    *,
    common_relative_error: float = 0.0,
    seed: int = 1,
    render: Callable[[Path], Path] | None = None,
) -> CompareResult:
    """Compare finished runs and write the comparison.

    Parameters
    ----------
    run_dirs : run folders, in the order in which they are shown; one is enough to be shown, two to be compared
    out : folder of the comparison; made when it is missing
    common_relative_error : relative error of D that all samples share (see :func:`fit_arrhenius`)
    seed : pairs the draws of the samples' diffusivities
    render : writes the page of a finished comparison folder and returns its path

    Raises
    ------
    RecipeError
        When no run or one run twice is given, the materials differ, or ``out`` cannot be the folder.
    DataError
        When a folder is no finished run, or one of an older layout.
    """
    runs = read_runs(run_dirs)
    _check_out(out, runs)
    if not (math.isfinite(common_relative_error) and common_relative_error >= 0):
        raise RecipeError(
            f"--common-error: expected a relative error >= 0, got {common_relative_error:g}; 0.05 means 5 %"
        )
    found = quantities(runs)
    compared = differences(runs, found)
    arrhenius = activation(runs, common_relative_error=common_relative_error, rng=np.random.default_rng(seed))
    scores = [rule_scores(r) for r in runs]
    summary = _plain(_summary(runs, found, compared, arrhenius, scores, seed=seed, out=out))
    out.mkdir(parents=True, exist_ok=True)
    write_tables(out / "tables", runs, found, compared, arrhenius, scores)
    write_text(out / "comparison.json", json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return CompareResult(out, summary, None if render is None else render(out))


def _check_out(out: Path, runs: Sequence[ComparedRun]) -> None:
    if out.exists() and not out.is_dir():
        raise RecipeError(f"--out {out}: is a file; give a folder, which is made when it is missing")
    if any(out.resolve() == r.path.resolve() for r in runs) or (out / "summary.json").is_file():
        raise RecipeError(
            f"--out {out}: is a run folder, whose tables would be mixed with those of the comparison; give another"
        )


def _summary(
    runs: Sequence[ComparedRun],
    found: Sequence[Quantity],
    compared: Sequence[Difference],
    arrhenius: ArrheniusResult,
    scores: Sequence[Sequence[RuleScore]],
    *,
    seed: int,
    out: Path,
) -> dict[str, Any]:
    from nanostrata import __version__

    names = {q.key: q for q in found}
    said = findings(runs, found, compared, arrhenius, scores)
    return {
        "software": {"name": "nanostrata", "version": __version__},
        "seed": seed,
        "simulated": any(r.get("simulated") for r in runs),
        "samples": [_sample(r, s, out) for r, s in zip(runs, scores, strict=True)],
        "activation_energy_kj_mol": _activation_energy(arrhenius.line),
        "arrhenius": _arrhenius(arrhenius),
        "differences": [
            {**asdict(d), "name": names[d.quantity].name, "unit": names[d.quantity].unit, "significant": d.significant} for d in compared
        ],
        "differences_how": (
            f"Two-sided test of a difference of two independent Gaussian numbers, corrected for all {len(compared)} comparisons by "
            f"Holm's method at {LEVEL:g}; diffusivities by their logarithms. Errors that all samples share (factor table, end-member "
            "densities) are counted in each, which makes the test careful where they cancel."
        ),
        "design_rules": {"caveat": CAVEAT, "source": SOURCE},
        "findings": [{"text": f.text, "grade": f.grade, "numbers": dict(f.numbers), "improve": f.improve} for f in said],
        "warnings": _warnings(runs, arrhenius),
    }  # fmt: skip


def _sample(r: ComparedRun, scores: Sequence[RuleScore], out: Path) -> dict[str, Any]:
    kept = {
        k: r.summary[k]
        for k in ("sample", "materials", "growth", "particle", "diffusion", "mismatch", "preset", "seed")
        if k in r.summary
    }
    profile = r.get("profile") or {}
    report = r.path / "report.html"
    return {
        "label": r.label,
        "run": _relative(r.path, out),
        "report": _relative(report, out) if report.is_file() else None,
        "version": r.get("software.version"),
        "simulated": bool(r.get("simulated")),
        **kept,
        "profile": {
            k: profile[k]
            for k in ("family", "edges_nm", "shell_fraction", "mean_shell_fraction", "informed_by", "supported_shells", "gradient")
            if k in profile
        },
        "coverage": r.get("atoms.coverage"),
        "chi2_reduced": r.chi2,
        "verification_passed": r.get("verification.passed"),
        "design_rules": [asdict(s) for s in scores],
        "missing": r.missing,
    }  # fmt: skip


def _activation_energy(line: ArrheniusLine) -> dict[str, Any]:
    return {
        "value": line.activation_energy_kj_mol,
        "sigma": line.sigma_kj_mol,
        "interval68": list(line.interval_kj_mol(0.68)),
        "interval95": list(line.interval_kj_mol(0.95)),
        "verdict": line.verdict,
        "reason": line.reason,
    }


def _arrhenius(a: ArrheniusResult) -> dict[str, Any]:
    line = a.line
    temperatures = [p.temperature_k for p in a.points]
    return {
        "verdict": line.verdict,
        "reason": line.reason,
        "samples": list(line.labels),
        "d0_cm2_s": {
            "value": math.exp(line.log_d0),
            "sigma": None,
            "log_sigma": float(line.draws[:, 0].std(ddof=1)) if len(line.draws) else math.sqrt(line.covariance[0, 0]),
            "interval68": [math.exp(v) for v in line.log_d0_interval(0.68)],
            "interval95": [math.exp(v) for v in line.log_d0_interval(0.95)],
        },
        "covariance_log_d0_ea": line.covariance.tolist(),
        "chi2": line.chi2,
        "degrees_of_freedom": line.degrees,
        "p": line.p,
        "scatter_factor": line.scatter_factor,
        "common_relative_error": line.common_relative_error,
        "interval_from": "draws of the diffusivities" if len(line.draws) else "Gaussian errors of ln D",
        "points": [
            {"label": p.label, "temperature_c": p.temperature_c, "diffusivity_cm2_s": p.diffusivity_cm2_s, "log_sigma": p.spread}
            for p in a.points
        ],
        "left_out": [{"label": label, "why": why} for label, why in a.left_out],
        "thermal_energy_kj_mol": [1e-3 * GAS_CONSTANT_J_MOL_K * t for t in (min(temperatures), max(temperatures))] if temperatures else None,
        "by_definition": [{**about, "activation_energy_kj_mol": _activation_energy(l)} for about, l in a.by_definition],
        "literature": [e._asdict() for e in LITERATURE],
    }  # fmt: skip


def _warnings(runs: Sequence[ComparedRun], arrhenius: ArrheniusResult) -> list[dict[str, str]]:
    out = [
        ("arrhenius_left_out", f"{label} does not enter the activation energy: {why}.")
        for label, why in arrhenius.left_out
        if why != NO_DIFFUSIVITY
    ]
    for r in runs:
        if r.chi2 > BAD_CHI2:
            out.append(
                (
                    "bad_fit",
                    f"{r.label}: the model does not describe its curves (chi2 per point {r.chi2:.3g}); do not trust its numbers.",
                )
            )
        if r.get("verification.passed") is False:
            out.append(("not_verified", f"{r.label}: its verification failed; its numbers are shown as they are."))
        if r.mismatch and r.shells:
            thickness, layer = shell_layers_nm(r)
            if layer and not 0.7 <= thickness / layer <= 1.5:
                out.append(
                    ("shell_is_no_monolayer", f"{r.label}: its shells are {thickness:.2f} nm thick and a monolayer {layer:.2f} nm: a mismatch "
                     "between neighbouring shells is not one between neighbouring monolayers.")
                )  # fmt: skip
    for key, word in (
        ("recipe.materials", "materials, lattice constants or density errors"),
        ("profile.family", "models of the profile"),
        ("preset", "presets"),
        ("software.version", "versions"),
    ):
        if len({json.dumps(r.get(key), sort_keys=True) for r in runs}) > 1:
            out.append(
                (
                    f"different_{key.rsplit('.', 1)[-1]}",
                    f"The runs used different {word}; part of a difference may come from that.",
                )
            )
    if len({bool(r.get("simulated")) for r in runs}) > 1:
        out.append(("simulated_and_measured", "Some of the samples are simulated and some are measured."))
    return [{"code": code, "message": message, "stage": "compare"} for code, message in out]


def _relative(path: Path, out: Path) -> str:
    try:
        return os.path.relpath(path.resolve(), out.resolve()).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.resolve().as_posix()


def _plain(value: Any) -> Any:
    """JSON types; numbers that JSON does not have become null."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
