"""Every other table of f', f'' on the same data: the step of a run, its sentence and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import SizeDistribution
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.table_changes import TableChanges
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe


def table_changes(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, sizes: SizeDistribution, fit: ProfileFit,
    progress: Callable[[str], None],
) -> TableChanges:  # fmt: skip
    """Fit again with each other table, from the fitted profile on."""
    from nanostrata.pipeline.check_factors import available_tables
    from nanostrata.pipeline.fit_recipe import family_of, fit_setup
    from nanostrata.stages.compare_tables import compare_tables

    setup = fit_setup(recipe, inputs, solid, sizes)
    (used, chosen), *others = available_tables(recipe, setup.factors).items()
    return compare_tables(
        replace(setup, factors=chosen), family_of(recipe, fit), used, dict(others), shells=len(fit.fractions),
        start=fit.main, sigma_factors=[c.sigma_factor for c in fit.curves], progress=progress,
    )  # fmt: skip


def summary_of(changes: TableChanges) -> dict[str, Any]:
    """Return the keys that are added to ``profile``."""
    out: dict[str, Any] = {
        "table_used": changes.used,
        "table_changes": {n: row.tolist() for n, row in zip(changes.names, changes.changes, strict=True)},
        "table_chi2_changes": dict(zip(changes.names, changes.chi2_changes.tolist(), strict=True)),
        "table_left_out": dict(changes.left_out),
    }
    if len(changes.sigma):
        out["table_sigma"] = changes.sigma.tolist()
    return out


def findings(changes: TableChanges | None, fit: ProfileFit) -> tuple[Finding, ...]:
    """Say it on the first page where a table moves a shell by more than its own standard deviation."""
    if changes is None or not changes.names:
        return ()
    sd = fit.main_shells.std(axis=0, ddof=1)
    ratio = np.abs(changes.changes) / np.maximum(sd, 1e-6)
    row, shell = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    if ratio[row, shell] <= 1.0:
        return ()
    return (
        Finding(
            text=f"The table of f', f'' matters here: with {changes.names[row]} in place of {changes.used} x of shell {int(shell) + 1} "
            f"changes by {changes.changes[row, shell]:+.3f}, more than its standard deviation of {sd[shell]:.3f}.",
            grade="moderate",
            numbers={f"profile.table_changes.{changes.names[row]}[{int(shell)}]": float(changes.changes[row, shell])},
            improve='a measured absorption scan of the sample: factors = { absorption = "scan.xdi" }',
        ),
    )  # fmt: skip


def write_tables(folder: Path, changes: TableChanges) -> None:
    """Write ``table_changes.csv``: one row per table and shell."""
    from nanostrata.io.text_out import write_csv

    rows: list[list[Any]] = []
    for name, change, chi2 in zip(changes.names, changes.changes, changes.chi2_changes, strict=True):
        rows += [[changes.used, name, k + 1, float(v), float(chi2)] for k, v in enumerate(change)]
    write_csv(folder / "table_changes.csv", ["table_used", "table", "shell", "change_of_x", "chi2_change"], rows)
