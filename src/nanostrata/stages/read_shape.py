"""Read the shape: axes and aspect ratio with intervals, line cuts, size against a calibrated cut-off, what is real."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nanostrata.domain.base import Domain, FloatArray
from nanostrata.domain.shape import BeadModel, ShapeAverage
from nanostrata.models import shape_reading as reading
from nanostrata.models.shape_average import average_models

CUTOFFS = np.round(np.arange(0.05, 0.96, 0.05), 2)
_UNIQUE_NSD, _DOUBTFUL_NSD = 0.7, 0.9
"""Mean NSD of the kept runs up to which the shape counts as one, and from which it counts as not found."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeReading(Domain):
    """Numbers read from the runs; quantities are dicts with value, sigma, interval68, interval95.

    Attributes
    ----------
    average : the runs overlaid, its map at the cut-off used
    aspect_ratio, rg_nm, diameter_nm, volume_nm3 : quantities of the particle of mean size
    axes_nm : quantity of three full lengths of the ellipsoid with the same second moments, longest first
    aspect_draws : (n,) aspect ratios whose scatter is the interval
    cutoff_calibrated : whether the cut-off comes from simulated particles
    cutoffs, size_nm : (m,) volume-equivalent diameter against cut-off
    cut_nm : (10000,) diameters of random line cuts
    runs : one dict per run
    naive : quantity of the aspect ratio with the spread left out of account; None without spread
    ball : quantity of the aspect ratio that simulated balls of this size, spread and noise are given; None without checks
    balls, ball_elongation : how many there were, and the largest elongation among them
    found_in, found_out : aspect ratio put into simulated spheroids, and quantity of what came back; None without checks
    real, elongation : how much of an elongation is real, and the verdict on ambiguity: one sentence each
    """

    average: ShapeAverage
    aspect_ratio: dict[str, Any]
    rg_nm: dict[str, Any]
    diameter_nm: dict[str, Any]
    volume_nm3: dict[str, Any]
    axes_nm: dict[str, Any]
    aspect_draws: FloatArray
    cutoff_calibrated: bool
    cutoffs: FloatArray
    size_nm: FloatArray
    cut_nm: FloatArray
    runs: list[dict[str, Any]]
    naive: dict[str, Any] | None
    ball: dict[str, Any] | None
    balls: int
    ball_elongation: float
    found_in: float | None
    found_out: dict[str, Any] | None
    real: str
    verdict: str


def read_shape(
    models: Sequence[BeadModel], *, resampled: Sequence[BeadModel], naive: Sequence[BeadModel],
    balls: Sequence[BeadModel], found: Sequence[BeadModel], found_aspect: float | None,
    found_diameter_nm: float | None, spread: float, rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None, start: str = "",
) -> ShapeReading:  # fmt: skip
    """Average runs and read the shape from them.

    Parameters
    ----------
    models : runs on the measured curve, at least 2
    resampled : runs on resampled curves; their scatter is the interval (without them that of ``models``)
    naive : runs that take the sizes for equal
    balls, found : runs on simulated balls and on simulated spheroids of the aspect ratio found
    found_aspect, found_diameter_nm : of those spheroids
    spread : relative standard deviation of the sizes
    rng : for the line cuts
    progress : told (pairs overlaid, pairs in all)
    start : simple body that the runs started from; "" for a ball

    Returns
    -------
    ShapeReading

    Assumes
    -------
    All runs are of the same curve, and the particle is of even density: a core that scatters unlike its shell shifts the
    second moments.

    Fails when
    ----------
    Fewer than 2 runs are given (PhysicsError).
    """
    average = average_models(models, progress=progress)
    calibrated = len(found) >= 2 and found_diameter_nm is not None
    if calibrated and found_diameter_nm is not None:
        check = average_models(found)
        cutoff = reading.calibrated_cutoff(check.map, found_diameter_nm)
        average = replace(average, map=replace(average.map, cutoff=float(np.clip(cutoff, 0.05, 0.95))))
    kept = [models[i] for i in average.kept]
    sample = list(resampled) if len(resampled) >= 3 else kept
    own = np.array([_numbers(m) for m in kept])
    drawn = np.array([_numbers(m) for m in sample])
    # the centre is that of the runs on the data, the scatter that of the resampled ones
    draws = own.mean(axis=0) + drawn - drawn.mean(axis=0)
    aspect, rg, diameter, *axes = (_around(float(own[:, k].mean()), drawn[:, k]) for k in range(drawn.shape[1]))
    volume = _around(math.pi / 6.0 * float((own[:, 2] ** 3).mean()), math.pi / 6.0 * drawn[:, 2] ** 3)
    cut_nm, _ = reading.line_cuts(average.map, rng)
    found_out = _quantity([_numbers(m)[0] for m in found])
    out = ShapeReading(
        average=average, aspect_ratio=aspect, rg_nm=rg,
        diameter_nm=diameter, volume_nm3=volume,
        axes_nm={k: [a[k] for a in axes] for k in aspect}, aspect_draws=draws[:, 0], cutoff_calibrated=calibrated, cutoffs=CUTOFFS,
        size_nm=reading.size_against_cutoff(average.map, CUTOFFS), cut_nm=cut_nm, runs=_runs(models, average),
        naive=_quantity([_numbers(m)[0] for m in naive]), ball=_quantity([_numbers(m)[0] for m in balls]),
        balls=len(balls), ball_elongation=max((elongation(_numbers(m)[0]) for m in balls), default=0.0),
        found_in=found_aspect if found_out is not None else None, found_out=found_out, real="", verdict="",
    )  # fmt: skip
    return replace(out, real=_how_real(out, spread), verdict=_ambiguity(out, start))


def _numbers(model: BeadModel) -> tuple[float, ...]:
    """Aspect ratio, radius of gyration, volume-equivalent diameter, three lengths of the like ellipsoid."""
    moments = reading.second_moments(model)
    lengths = 2.0 * np.sqrt(5.0 * moments)
    return (
        reading.aspect_ratio(moments), float(np.sqrt(moments.sum())), reading.volume_diameter(model.volume_nm3),
        *(float(v) for v in lengths),
    )  # fmt: skip


def _around(value: float, draws: FloatArray) -> dict[str, Any]:
    """A value with the scatter of a few draws; few of them say little about their own scatter, hence Student's t."""
    from scipy.stats import t

    sigma = float(np.std(draws, ddof=1))
    half = [float(t.ppf(p, len(draws) - 1)) * sigma for p in (0.84, 0.975)]
    return {
        "value": value, "sigma": sigma, "interval68": [value - half[0], value + half[0]],
        "interval95": [value - half[1], value + half[1]],
    }  # fmt: skip


def _quantity(values: Sequence[float]) -> dict[str, Any] | None:
    return _around(float(np.mean(values)), np.asarray(values)) if len(values) >= 2 else None


def _runs(models: Sequence[BeadModel], average: ShapeAverage) -> list[dict[str, Any]]:
    n = len(models)
    family = {int(i): int(c) for i, c in zip(average.kept, average.cluster, strict=True)}
    out = []
    for i, model in enumerate(models):
        aspect, rg, diameter, *_ = _numbers(model)
        out.append(
            {
                "run": model.label, "chi2_reduced": model.chi2_reduced, "aspect_ratio": aspect, "rg_nm": rg,
                "diameter_nm": diameter, "beads": len(model), "mean_nsd": float(average.nsd[i].sum() / (n - 1)),
                "kept": i in family, "family": family.get(i), "reference": i == average.reference,
            }
        )  # fmt: skip
    return out


def elongation(aspect: float) -> float:
    """Longer over shorter, less 1, whatever the unique axis: 0.25 for 1.25 and for 0.8."""
    return max(aspect, 1.0 / aspect) - 1.0


def _how_real(r: ShapeReading, spread: float) -> str:
    """Say how much of the elongation is left when the spread and what a ball would be given are taken off."""
    aware = elongation(r.aspect_ratio["value"])
    low, high = r.aspect_ratio["interval95"]
    text = f"The aspect ratio is {r.aspect_ratio['value']:.2f} (95 %: {low:.2f} to {high:.2f})"
    if spread > 0 and r.naive is not None:
        text += (
            f" for sizes spread by {100 * spread:.3g} %; taken for particles of one size, the same curve gives "
            f"{r.naive['value']:.2f}"
        )
        less = elongation(r.naive["value"]) - aware
        if less > 0.02:
            text += f", so that {100 * less:.0f} of {100 * (aware + less):.0f} % elongation come from the spread"
    if r.ball is None:
        return text + ". No simulated balls were run: what the method gives a ball at these errors is not known here."
    limit = r.ball_elongation
    text += (
        f". The most elongated of {r.balls} simulated balls of this size, spread and noise comes out at "
        f"{100 * limit:.0f} %"
    )
    inside = low < 1.0 < high
    if aware <= limit or inside:
        return text + ": this elongation cannot be told from none."
    if r.naive is None and spread == 0:
        return text + (
            f": an elongation of {100 * aware:.0f} % is real if all particles are of one size; a spread of sizes would "
            "look alike (give --spread)."
        )
    return text + f": an elongation of {100 * aware:.0f} % is real."


def _ambiguity(r: ShapeReading, start: str) -> str:
    """One sentence on whether the runs found one shape."""
    nsd = mean_nsd(r.average)
    count = len(set(r.average.cluster.tolist()))
    shares = [int((r.average.cluster == k).sum()) for k in range(count)]
    if count > 1:
        return (
            f"The runs fall into {count} families ({', '.join(map(str, shares))} runs) that explain the curve alike: the "
            "shape is not unique, and the average mixes them."
        )
    if start:
        return (
            f"All runs started from a {start}, the simplest body that explains the curve, and stayed near it (mean NSD "
            f"{nsd:.2f}): that they agree does not show that no other shape explains it."
        )
    sides = np.sign(np.log([x["aspect_ratio"] for x in r.runs if x["kept"]]))
    if abs(sides.sum()) < len(sides) and elongation(r.aspect_ratio["value"]) > 0.05:
        return "Some runs are prolate and some oblate: the curve does not tell which."
    if nsd > _DOUBTFUL_NSD:
        return f"The runs disagree (mean NSD {nsd:.2f}): no shape can be read beyond its size."
    if nsd > _UNIQUE_NSD:
        return f"The runs agree in outline (mean NSD {nsd:.2f}), not in detail."
    return f"All runs found one shape (mean NSD {nsd:.2f}); mirror images scatter alike and are not told apart."


def mean_nsd(average: ShapeAverage) -> float:
    """Mean discrepancy over the pairs of kept runs."""
    part = average.nsd[np.ix_(average.kept, average.kept)]
    n = len(part)
    return float(part.sum() / (n * (n - 1))) if n > 1 else 0.0
