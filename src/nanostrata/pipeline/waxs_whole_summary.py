"""Whole wide-angle pattern: its part of the summary, its sentences, its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.estimate import quantity
from nanostrata.domain.finding import Finding
from nanostrata.domain.whole_pattern import WholePattern
from nanostrata.io.text_out import write_csv

__all__ = ["whole_findings", "whole_summary", "write_whole"]

BAD_FIT = 3.0
"""Reduced chi2 above which the particles are said not to describe the pattern."""


def whole_summary(whole: WholePattern | str | None) -> dict[str, Any]:
    """``waxs.whole_pattern`` of the summary; empty when it was not asked for."""
    if whole is None:
        return {}
    if isinstance(whole, str):
        return {"whole_pattern": {"not_computed": whole}}
    of = {n: whole.draws[:, k] for k, n in enumerate(whole.names)}
    out: dict[str, Any] = {f"{n}_nm": quantity(whole.lattice_nm[:, k]) for k, n in enumerate(whole.lattice_names)}
    out |= {
        "vegard_misfit_percent": quantity(100.0 * whole.vegard_misfit),
        "diameter_mean_nm": quantity(whole.diameter_mean_nm),
        "diameter_std_nm": quantity(whole.diameter_std_nm),
        "b_factor_nm2": quantity(of["b_factor_nm2"]),
    }
    if len(whole.cubic_share):
        out["cubic_layers"] = quantity(whole.cubic_share)
        if "fault_probability" in of:
            out["fault_probability"] = quantity(of["fault_probability"])
    out |= {
        "structure": whole.structure,
        "stacking": {
            "verdict": whole.stacking_verdict,
            "sentence": whole.stacking_sentence,
            "chi2": [{"model": name, "chi2": value} for name, value in whole.models],
        },
        "chi2_reduced": whole.chi2_reduced,
        "at_limit": list(whole.at_limit),
        "library_sigma": dict(zip(whole.names, map(float, whole.library_sigma), strict=True)),
        "particles_per_size": whole.copies,
        "profile_draws": whole.profile_draws,
        "aspect_ratio": whole.aspect_ratio,
        "r_w_pair_distribution": _r_w(whole),
        "notes": list(whole.notes),
    }
    return {"whole_pattern": out}


def _r_w(whole: WholePattern) -> float | None:
    """sqrt(sum (G_measured - G_model)^2 / sum G_measured^2) beyond half of the shortest distance that two atoms have."""
    if not len(whole.r_nm):
        return None
    far = whole.r_nm > 0.15
    g = whole.g_measured[far]
    return float(np.sqrt(np.sum((g - whole.g_model[far]) ** 2) / np.sum(g**2)))


def whole_findings(whole: WholePattern | str | None) -> tuple[Finding, ...]:
    """One sentence for the first page."""
    if whole is None:
        return ()
    if isinstance(whole, str):
        return (
            Finding(
                text=f"The whole wide-angle pattern was not fitted: {whole}.",
                grade="not determined",
                numbers={},
                improve="",
            ),
        )
    mean, sigma = float(whole.diameter_mean_nm.mean()), float(whole.diameter_mean_nm.std(ddof=1))
    # no faults is the end of their range and an answer like any other
    ends = [n for n in whole.at_limit if n != "fault_probability"]
    described = whole.chi2_reduced < BAD_FIT and not ends
    constants = ", ".join(
        f"{n} = {whole.lattice_nm[:, k].mean():.5f} ± {whole.lattice_nm[:, k].std(ddof=1):.1g} nm"
        for k, n in enumerate(whole.lattice_names)
    )
    text = (
        f"Particles of atoms {'with the fitted profile' if whole.profile_draws else 'of one composition'} "
        f"{'explain' if described else 'do NOT explain'} the whole wide-angle pattern (reduced "
        f"chi2 {whole.chi2_reduced:.2g}): {constants}{' at the mean composition' if whole.profile_draws else ''}, mean diameter {mean:.2f} ± {sigma:.2f} nm"
    )
    if len(whole.cubic_share):
        text += f"; {_cubic(whole)}; {whole.stacking_sentence}"
    return (
        Finding(
            text=text + ".", grade="strong" if described and whole.chi2_reduced < 1.5 else "moderate" if described else "weak",
            numbers={"waxs.whole_pattern.diameter_mean_nm": mean},
            improve="" if described else "facets, another aspect ratio, errors of the background; parameters at a limit: "
            + (", ".join(ends) or "none"),
        ),
    )  # fmt: skip


def _cubic(whole: WholePattern) -> str:
    low, high = np.quantile(whole.cubic_share, [0.025, 0.975])
    if low <= 1e-3:
        return f"share of cubic layers below {100 * high:.2g} %"
    if high >= 1.0 - 1e-3:
        return f"share of cubic layers above {100 * low:.2g} %"
    return f"share of cubic layers {100 * low:.2g} to {100 * high:.2g} %"


def write_whole(folder: Path, whole: WholePattern) -> None:
    """Write ``waxs_whole_pattern.csv`` and ``waxs_pair_distribution.csv``."""
    residual = (whole.intensity - whole.fit) / whole.sigma
    write_csv(
        folder / "waxs_whole_pattern.csv",
        ["q_inv_nm", "intensity", "sigma", "fit", "background", "residual_sigma"],
        zip(whole.curve_q, whole.intensity, whole.sigma, whole.fit, whole.background, residual, strict=True),
    )
    if len(whole.r_nm):
        write_csv(
            folder / "waxs_pair_distribution.csv",
            ["r_nm", "g_measured_inv_nm2", "g_model_inv_nm2", "difference"],
            zip(whole.r_nm, whole.g_measured, whole.g_model, whole.g_measured - whole.g_model, strict=True),
        )
