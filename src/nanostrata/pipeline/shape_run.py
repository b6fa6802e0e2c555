"""The command ``shape``: one curve in, many runs, one average shape and its numbers out; resumable run by run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain
from nanostrata.domain.shape import BeadModel, EnsembleDiameters, ShapeComparison
from nanostrata.errors import RecipeError
from nanostrata.kernels.bead_field import SPREAD_SHAPES
from nanostrata.models import shape_reading as reading
from nanostrata.models.beads import ANISOMETRIES
from nanostrata.models.shape_check import like_measured, spheroid_intensity
from nanostrata.models.shape_outline import ensemble_diameters
from nanostrata.models.shape_points import points_from
from nanostrata.pipeline.pool import Pool, make_pool
from nanostrata.pipeline.store import Store
from nanostrata.stages.read_shape import ShapeReading, read_shape
from nanostrata.stages.retrieve_shape import (
    EFFORTS,
    VERSION,
    ShapeEffort,
    ShapePlan,
    ShapeTask,
    plan_shape,
    random_numbers,
    resampled_task,
    retrieve_shape,
)

SPREAD_ERROR = 0.065
"""Error of a spread counted on 120 particles, as a share of it: 1 / sqrt(2 (n - 1))."""

_FEWEST_EXTRA = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeRequest(Domain):
    """What was asked for; everything that a result depends on besides the curve.

    Attributes
    ----------
    spread, spread_error : relative standard deviation of the sizes, and its own error as a share of it
    runs : runs on the data, in all
    preset : "quick", "standard" or "full"
    seed : all random numbers come from it
    bead_nm : diameter of a bead; None chooses it
    with_constant : fit a flat background
    spread_shape : distribution of the sizes, "gaussian" or "lognormal"
    anisometry : "prolate" or "oblate" where the other is not wanted, else "any"
    naive : make runs without the spread, too
    outline_rule : "sphere", "prolate" or "oblate": how the axes of an outline become a diameter, as in TEM readings
    """

    spread: float
    spread_error: float
    runs: int
    preset: str
    seed: int
    bead_nm: float | None = None
    with_constant: bool = True
    spread_shape: str = "gaussian"
    anisometry: str = "any"
    naive: bool = True
    outline_rule: Literal["sphere", "prolate", "oblate"] = "sphere"

    @property
    def effort(self) -> ShapeEffort:
        """Settings of the preset."""
        return EFFORTS[self.preset]

    def number_of(self, share: float) -> int:
        """Number of runs of a kind that is a share of those on the data: 0, or enough for a scatter."""
        return max(_FEWEST_EXTRA, round(share * self.runs)) if share > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeOutcome(Domain):
    """Everything that was found about one curve.

    ``compared``: what others found, where that was asked for; ``diameters``: those in the ensemble, where sizes differ.
    """

    curve: ScatteringCurve
    request: ShapeRequest
    plan: ShapePlan
    naive_plan: ShapePlan | None
    models: tuple[BeadModel, ...]
    naive: tuple[BeadModel, ...]
    reading: ShapeReading
    compared: tuple[ShapeComparison, ...] = ()
    diameters: EnsembleDiameters | None = None


def shape_file(
    path: Path, *, q_unit: str | None = None, spread: float = 0.0, spread_error: float = SPREAD_ERROR, runs: int = 20,
    out: Path | None = None, preset: str = "standard", seed: int = 1, workers: int = 1, fresh: bool = False,
    bead_nm: float | None = None, with_constant: bool = True, relative_sigma: float | None = None,
    q_min: float | None = None, q_max: float | None = None, progress: Callable[[str], None] | None = None,
    spread_shape: str = "gaussian", anisometry: str = "any", compare: Sequence[Path] = (), compare_unit: str | None = None,
) -> tuple[Path, dict[str, Any]]:  # fmt: skip
    """Ab initio shape of the particles behind one curve.

    Parameters
    ----------
    path : any curve file that ``check`` reads
    q_unit : "1/nm" or "1/angstrom"; needed where the file does not say
    spread, spread_error : see :class:`ShapeRequest`
    runs : runs on the data in all; those that an earlier call finished are taken, the rest is added
    out : run folder; default the name of the curve with ``.shape``
    preset, seed, bead_nm, with_constant : see :class:`ShapeRequest`
    workers : processes; the answer does not depend on it
    fresh : ignore what is stored
    relative_sigma : error over intensity, for a file without errors
    q_min, q_max : range to use, 1/nm; None: as the data allow
    progress : told one line at a time
    spread_shape : distribution of the sizes, "gaussian" or "lognormal"
    anisometry : see :class:`ShapeRequest`
    compare : GNOM files and bead models of other programs to set beside the answer
    compare_unit : "angstrom" or "nm", unit of length of those files; None: that in which the particle is as large

    Returns
    -------
    run folder, summary

    Raises
    ------
    RecipeError
        With every problem of the request at once.
    DataError, PhysicsError
        When the curve cannot be read or shows no particle.
    """
    from nanostrata.io.curves import read_curve
    from nanostrata.pipeline.shape_compare import check_units, compare_shape, read_compared
    from nanostrata.pipeline.shape_write import write_shape

    _check_request(spread, spread_error, runs, preset, workers, bead_nm, spread_shape, anisometry)
    tell = progress or (lambda _: None)
    window = None if q_min is None and q_max is None else (q_min or 0.0, q_max if q_max is not None else 1e6)
    curve = read_curve(path, q_unit=q_unit, relative_sigma=relative_sigma, q_range_inv_nm=window)
    others = read_compared(compare, compare_unit)
    folder = Path(out) if out is not None else Path(path).with_suffix(".shape")
    if folder.exists() and not folder.is_dir():
        raise RecipeError(f"--out {folder}: is a file; give a folder, which is made when it is missing")
    request = ShapeRequest(
        spread=spread, spread_error=spread_error, runs=runs, preset=preset, seed=seed, bead_nm=bead_nm,
        with_constant=with_constant, spread_shape=spread_shape, anisometry=anisometry,
    )  # fmt: skip
    with make_pool(workers) as pool:
        outcome = find_shape(
            curve, request, folder, pool, fresh=fresh, progress=tell,
            on_plan=lambda plan: check_units(others, compare_unit, plan),
        )  # fmt: skip
    if others:
        tell("comparing with what others found")
        outcome = replace(outcome, compared=compare_shape(outcome, others, compare_unit))
    return folder, write_shape(outcome, folder)


def _check_request(
    spread: float,
    spread_error: float,
    runs: int,
    preset: str,
    workers: int,
    bead_nm: float | None,
    spread_shape: str,
    anisometry: str,
) -> None:
    problems = []
    if not 0.0 <= spread <= 0.35:
        problems.append(
            f"--spread: expected the relative standard deviation of the size, 0 to 0.35 (0.12 for 12 %), got {spread:g}"
        )
    if not 0.0 <= spread_error <= 0.5:
        problems.append(f"--spread-error: expected a share of the spread, 0 to 0.5, got {spread_error:g}")
    if not 2 <= runs <= 1000:
        problems.append(f"--runs: expected 2 to 1000, got {runs}; an average needs at least 2")
    if preset not in EFFORTS:
        problems.append(f"--preset: expected {', '.join(EFFORTS)}, got {preset!r}")
    if spread_shape not in SPREAD_SHAPES:
        problems.append(f"--spread-shape: expected {' or '.join(SPREAD_SHAPES)}, got {spread_shape!r}")
    if anisometry not in ANISOMETRIES:
        problems.append(f"--anisometry: expected {', '.join(ANISOMETRIES)}, got {anisometry!r}")
    if workers < 1:
        problems.append(f"--workers {workers}: at least 1 is expected")
    if bead_nm is not None and not 0.05 <= bead_nm <= 100.0:
        problems.append(f"--bead: expected a diameter of 0.05 to 100 nm, got {bead_nm:g}")
    if problems:
        raise RecipeError(*problems)


def find_shape(
    curve: ScatteringCurve, request: ShapeRequest, folder: Path, pool: Pool, *, fresh: bool = False,
    progress: Callable[[str], None] = lambda _: None, on_plan: Callable[[ShapePlan], None] = lambda _: None,
) -> ShapeOutcome:  # fmt: skip
    """Run what is not stored yet and read the shape; see :func:`shape_file`.

    Every run is kept in ``folder`` by the process that made it, as soon as it is done: an interruption loses only the
    runs under way. ``on_plan`` is told of the plan before the first run and may refuse it.
    """
    runner = _Runner(folder, request, pool, fresh, progress, _digest(curve))
    progress("reading Rg, p(r) and the largest distance")
    plan = runner.plan(curve, request.spread)
    on_plan(plan)
    # the same points, or what was left out would count as an effect of the spread
    rest = points_from(curve, plan.from_inv_nm)
    naive_plan = runner.plan(rest, 0.0) if request.spread > 0.0 and request.naive else None
    seed = request.seed
    tasks = [_data_task(plan, seed, "data", i, plan.intensity) for i in range(request.runs)]
    tasks += [
        resampled_task(plan, seed, i, request.spread_error) for i in range(request.number_of(request.effort.resampled))
    ]
    if naive_plan is not None:
        tasks += [
            _data_task(naive_plan, seed, "naive", i, naive_plan.intensity)
            for i in range(request.number_of(request.effort.naive))
        ]
    done = runner.run(tasks, "runs")
    models = [m for t, m in zip(tasks, done, strict=True) if t.kind == "data"]
    aspect = float(np.mean([reading.aspect_ratio(reading.second_moments(m)) for m in models]))
    # rounded, so that a few more runs on the data find the checks of the earlier ones in the store
    aspect = round(aspect, 2)
    diameter = round(float(np.mean([reading.volume_diameter(m.volume_nm3) for m in models])), 2)
    checks = _check_tasks(plan, request, aspect, diameter)
    checked = runner.run(checks, "checks on simulated particles") if checks else []
    progress("overlaying and averaging the runs")

    def of(kind: str) -> list[BeadModel]:
        return [m for t, m in zip([*tasks, *checks], [*done, *checked], strict=True) if t.kind == kind]

    found = read_shape(
        models, resampled=of("resampled"), naive=of("naive"), balls=of("ball"), found=of("found"),
        found_aspect=aspect if checks else None, found_diameter_nm=diameter if checks else None, spread=request.spread,
        rng=np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(101,))),
        start="" if plan.start is None else plan.start.name,
    )  # fmt: skip
    return ShapeOutcome(
        curve=curve, request=request, plan=plan, naive_plan=naive_plan, models=tuple(models), naive=tuple(of("naive")),
        reading=found, diameters=None if request.spread <= 0.0 else ensemble_diameters(
            found.average.map, found.cut_nm, request.spread, request.spread_shape, request.outline_rule
        ),
    )  # fmt: skip


def _data_task(plan: ShapePlan, seed: int, kind: str, index: int, intensity: Any) -> ShapeTask:
    return ShapeTask(plan=plan, intensity=intensity, spread=plan.spread, seed=seed, kind=kind, index=index)


def _check_tasks(plan: ShapePlan, request: ShapeRequest, aspect: float, diameter_nm: float) -> list[ShapeTask]:
    """Balls, and spheroids as found, of the same volume, with the spread, the points and the errors of the data."""
    out = []
    for kind, shape in (("ball", 1.0), ("found", aspect)):
        exact = spheroid_intensity(plan.q_inv_nm, diameter_nm, shape, plan.spread, plan.spread_shape)
        for i in range(request.number_of(request.effort.checks)):
            rng = random_numbers(request.seed, kind, i, purpose=1)
            intensity, _ = like_measured(exact, plan.intensity - plan.figures.constant, plan.sigma, rng)
            out.append(_data_task(plan, request.seed, kind, i, intensity))
    return out


def _digest(curve: ScatteringCurve) -> str:
    import hashlib

    parts = (curve.q_inv_nm, curve.intensity, curve.sigma)
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A run and where it is kept; travels to a worker."""

    folder: Path
    fresh: bool
    key: dict[str, Any]
    task: ShapeTask


def _do(job: _Job) -> BeadModel:
    store = Store(job.folder, fresh=job.fresh)
    return store.step("shape-run", VERSION, job.key, lambda: retrieve_shape(job.task))


class _Runner:
    """Runs tasks on a pool; what is stored is not run again."""

    def __init__(
        self, folder: Path, request: ShapeRequest, pool: Pool, fresh: bool, progress: Callable[[str], None], digest: str
    ) -> None:
        self.folder, self.request, self.pool, self.fresh, self.progress = folder, request, pool, fresh, progress
        self.settings = {
            "curve": digest, "preset": request.preset, "seed": request.seed, "bead": request.bead_nm,
            "constant": request.with_constant, "spread shape": request.spread_shape,
            "anisometry": request.anisometry,
        }  # fmt: skip

    def plan(self, curve: ScatteringCurve, spread: float) -> ShapePlan:
        """Choose points and bead; stored."""
        r = self.request

        def compute() -> ShapePlan:
            return plan_shape(
                curve,
                spread=spread,
                effort=r.effort,
                seed=r.seed,
                bead_nm=r.bead_nm,
                with_constant=r.with_constant,
                spread_shape=r.spread_shape,
                anisometry=r.anisometry,
            )

        return Store(self.folder, fresh=self.fresh).step(
            "shape-plan", VERSION, {**self.settings, "spread": spread}, compute
        )

    def run(self, tasks: Sequence[ShapeTask], what: str) -> list[BeadModel]:
        """Return the model of every task, in order."""
        jobs = [_Job(self.folder, self.fresh, self._key(t), t) for t in tasks]
        store = Store(self.folder, fresh=self.fresh)
        stored = 0 if self.fresh else sum(store.finished("shape-run", VERSION, j.key) for j in jobs)
        self.progress(f"{len(jobs)} {what}" + (f", {stored} of them done before" if stored else ""))
        return self.pool.map(_do, jobs, lambda done, of: self.progress(f"{what}: {done} of {of} done"))

    def _key(self, task: ShapeTask) -> dict[str, Any]:
        import hashlib

        return {
            **self.settings, "plan spread": task.plan.spread, "spread": task.spread, "kind": task.kind,
            "index": task.index, "intensity": hashlib.sha256(task.intensity.tobytes()).hexdigest(),
        }  # fmt: skip
