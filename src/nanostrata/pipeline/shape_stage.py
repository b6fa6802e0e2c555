"""The stage ``shape`` of a run: which curve, for which spread of sizes, and what it is worth for a graded particle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain, FloatArray
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.sizes import SizeDistribution
from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.pool import make_pool
from nanostrata.pipeline.recipe import Recipe
from nanostrata.pipeline.shape_run import ShapeOutcome, ShapeRequest, find_shape
from nanostrata.pipeline.shape_tem import tem_part, write_tem
from nanostrata.tables.factors import FactorTable

RUNS = {"quick": 4, "standard": 12, "full": 20}
"""Runs on the data where the project file does not say; ``quick`` never makes more than its own."""

NOTICEABLE = 0.02
"""Relative error of Rg by uneven density that is told on the first page."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeStage(Domain):
    """What the stage found, or why it was left out.

    Attributes
    ----------
    outcome : None when left out
    left_out : the reason, "" when it ran
    label, energy_kev : of the curve used
    apparent_rg : (energy in keV, apparent over true Rg of the fitted graded particle) of every curve
    notes : what was decided, one sentence each
    evened : whether the fitted gradient was taken out of the curve
    tem : the size distribution of the project's [tem], to set beside the shape; None without
    """

    outcome: ShapeOutcome | None
    left_out: str = ""
    label: str = ""
    energy_kev: float = 0.0
    apparent_rg: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()
    evened: bool = False
    tem: SizeDistribution | None = None


def run_shape(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, factors: FactorTable, fit: ProfileFit, folder: Path, *, seed: int,
    preset: str, workers: int, fresh: bool, progress: Callable[[str], None],
) -> ShapeStage:  # fmt: skip
    """Retrieve the shape from the [saxs] curve, or from that at which core and shell look most alike.

    Parameters
    ----------
    fit : the fitted profile; its sizes give the spread and the error of it
    folder : single runs are kept there, so that an interrupted stage goes on
    """
    asked = None if recipe.shape is None else recipe.shape.runs
    runs = RUNS[preset] if asked is None else asked
    if asked == 0:
        return ShapeStage(outcome=None, left_out="[shape] has runs = 0")
    notes = []
    if preset == "quick" and runs > RUNS["quick"]:
        notes.append(
            f"{RUNS['quick']} runs instead of {runs}, and no checks on simulated particles: the preset is quick"
        )
        runs = RUNS["quick"]
    curve = _curve(inputs, solid, factors)
    kind = "lognormal" if recipe.particle.sizes == "lognormal" else "gaussian"
    from_profile = recipe.shape is not None and recipe.shape.density == "profile"
    if from_profile:
        from nanostrata.models.even_density import even_curve

        if curve.energy_kev is None:
            raise RecipeError('shape.density = "profile": the [saxs] curve has no energy; write saxs.energy_kev')
        curve, most = even_curve(curve, solid, factors, fit, kind=kind)
        notes.append(
            f"the uneven density of the fitted profile was taken out of the curve first: changes of up to {100 * most:.2g} %"
        )
    names, theta = fit.main.names, fit.main.theta
    relative = theta[:, names.index("diameter_std_nm")] / theta[:, names.index("diameter_mean_nm")]
    spread = round(float(relative.mean()), 4)
    notes.append(
        f"curve {curve.label}, spread of sizes {100 * spread:.3g} ± {100 * float(relative.std()):.2g} % from the fit of the profile"
    )
    request = ShapeRequest(
        spread=min(spread, 0.35), spread_error=min(float(relative.std() / relative.mean()), 0.5), runs=max(2, runs), preset=preset,
        seed=seed, spread_shape=kind, anisometry="any" if recipe.shape is None else recipe.shape.anisometry, naive=preset != "quick",
        outline_rule=recipe.particle.shape,
    )  # fmt: skip
    bias = apparent_radii(inputs, solid, factors, fit)
    try:
        with make_pool(workers) as pool:
            outcome = find_shape(curve, request, folder, pool, fresh=fresh, progress=progress)
    except RecipeError:
        raise
    except NanostrataError as error:
        return ShapeStage(
            outcome=None,
            left_out=error.problems[0],
            label=curve.label,
            apparent_rg=bias,
            notes=tuple(notes),
            evened=from_profile,
        )
    return ShapeStage(
        outcome=outcome,
        label=curve.label,
        energy_kev=float(curve.energy_kev or 0.0),
        apparent_rg=bias,
        notes=tuple(notes),
        evened=from_profile,
        tem=inputs.sizes,
    )


def _curve(inputs: Inputs, solid: SolidSolution, factors: FactorTable) -> ScatteringCurve:
    if inputs.saxs is not None:
        return replace(inputs.saxs, label=inputs.saxs.label or "saxs")
    known = [c for c in inputs.curves if c.energy_kev is not None]

    def unlike(c: ScatteringCurve) -> float:
        ends = solid.electron_density(np.array([0.0, 1.0]), factors, float(c.energy_kev or 0.0))
        medium = solid.medium.electron_density_e_nm3
        core, shell = ends - medium
        return float(abs(core - shell) / max(abs(core), abs(shell)))

    return min(known, key=unlike)


def apparent_radii(
    inputs: Inputs, solid: SolidSolution, factors: FactorTable, fit: ProfileFit
) -> tuple[tuple[float, float], ...]:
    r"""Apparent over true radius of gyration of the fitted particle at every energy.

    .. math:: R_{app}^2 = \frac{\sum_k \Delta\rho_k (r_k^5 - r_{k-1}^5)/5}{\sum_k \Delta\rho_k (r_k^3 - r_{k-1}^3)/3},
              \qquad R_{true}^2 = \tfrac{3}{5} R^2

    with the real parts of the excess densities: what a model of even density reads into a graded one.
    """
    x = fit.main_shells.mean(axis=0)
    edges = np.concatenate([[0.0], fit.fractions])
    fifth, third = np.diff(edges**5) / 5.0, np.diff(edges**3) / 3.0
    out = []
    for c in inputs.curves:
        if c.energy_kev is None:
            continue
        excess: FloatArray = (
            np.real(solid.electron_density(x, factors, c.energy_kev)) - solid.medium.electron_density_e_nm3
        )
        square = float(excess @ fifth) / float(excess @ third)
        out.append((float(c.energy_kev), float(np.sqrt(max(square, 0.0) / 0.6))))
    return tuple(out)


def _bias(stage: ShapeStage) -> float:
    """Apparent over true Rg at the energy used, minus 1; nan when the energy has no ASAXS curve."""
    found = [v for e, v in stage.apparent_rg if abs(e - stage.energy_kev) < 1e-3]
    return found[0] - 1.0 if found else float("nan")


def findings(stage: ShapeStage | None) -> tuple[Finding, ...]:
    """Return the sentences of the first page."""
    from nanostrata.pipeline.shape_write import shape_findings

    if stage is None:
        return ()
    if stage.outcome is None:
        return (
            Finding(
                text=f"No shape without a model: {stage.left_out.rstrip('.')}.", grade="not determined", numbers={}
            ),
        )
    out = [Finding(**f) for f in shape_findings(stage.outcome)]
    bias = _bias(stage)
    if abs(bias) > NOTICEABLE and not stage.evened:
        out.append(
            Finding(
                text=f"The shape takes the particle for even: at {stage.energy_kev:g} keV the fitted gradient makes its radius of gyration look "
                f"{100 * abs(bias):.1f} % {'larger' if bias > 0 else 'smaller'}.",
                grade="moderate", numbers={"shape.apparent_rg_bias": bias},
                improve="a [saxs] curve at the energy at which core and shell scatter alike",
            )
        )  # fmt: skip
    return tuple(out)


def summary_of(stage: ShapeStage) -> dict[str, Any]:
    """``shape`` of the summary."""
    from nanostrata.pipeline.shape_write import shape_part

    part: dict[str, Any] = {"left_out": stage.left_out} if stage.outcome is None else shape_part(stage.outcome)
    if stage.outcome is not None and stage.tem is not None:
        part["tem"] = tem_part(stage.outcome, stage.tem)
    part["curve"] = stage.label
    part["energy_kev"] = stage.energy_kev or None
    part["density"] = "profile" if stage.evened else "even"
    part["apparent_rg"] = [{"energy_kev": e, "over_true": v} for e, v in stage.apparent_rg]
    part["notes"] = [*stage.notes, *part.get("notes", [])]
    return part


def warnings_of(stage: ShapeStage) -> list[dict[str, str]]:
    """Warnings of the stage."""
    from nanostrata.pipeline.shape_write import shape_warnings

    return [] if stage.outcome is None else shape_warnings(stage.outcome)


def write_stage(stage: ShapeStage, run_dir: Path) -> None:
    """Write tables, map and bead models."""
    from nanostrata.pipeline.shape_write import files, tables

    if stage.outcome is not None:
        tables(stage.outcome, run_dir / "tables")
        write_tem(stage.tem, run_dir / "tables")
        files(stage.outcome, run_dir / "shape")
