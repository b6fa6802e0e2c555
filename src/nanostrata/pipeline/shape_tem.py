"""The shape beside the micrographs: diameters of outlines that TEM would read off an ensemble of this shape, and those it read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.domain.sizes import SizeDistribution
from nanostrata.io.text_out import write_csv
from nanostrata.pipeline.shape_run import ShapeOutcome

_FEWEST_BINS, _MOST_BINS = 6, 30
_TABLE = "shape_tem_readings.csv"


def tem_part(outcome: ShapeOutcome, sizes: SizeDistribution) -> dict[str, Any] | None:
    """Return ``shape.tem``: what TEM found, and how far the outlines of the shape found here are from it.

    Parameters
    ----------
    outcome : the shape; None is returned where it was retrieved for equal sizes
    sizes : from [tem]
    """
    d = outcome.diameters
    if d is None:
        return None
    diameter = outcome.reading.diameter_nm
    relative = diameter["sigma"] / diameter["value"]
    out: dict[str, Any] = {
        "mean_nm": sizes.mean_nm, "mean_sigma_nm": sizes.mean_sigma_nm, "std_nm": sizes.std_nm,
        "std_sigma_nm": sizes.std_sigma_nm, "counted": sizes.n_counted, "readings": len(sizes.diameters_nm),
    }  # fmt: skip
    for name, mean in (("random", d.random_mean_nm), ("lying", d.lying_mean_nm)):
        sigma = math.hypot(relative * mean, sizes.mean_sigma_nm)
        out[f"outlines_{name}"] = {
            "mean_nm": mean, "mean_sigma_nm": relative * mean, "larger_by_nm": mean - sizes.mean_nm,
            "larger_by_sigma": (mean - sizes.mean_nm) / sigma if sigma > 0.0 else None,
        }  # fmt: skip
    return out


def reading_histogram(diameters_nm: FloatArray) -> tuple[IntArray, FloatArray]:
    """Counts and edges, as many bins as the root of the number of readings."""
    bins = int(np.clip(round(math.sqrt(len(diameters_nm))), _FEWEST_BINS, _MOST_BINS))
    counts, edges = np.histogram(diameters_nm, bins=bins)
    return np.asarray(counts, dtype=np.int64), np.asarray(edges)


def write_tem(sizes: SizeDistribution | None, tables: Path) -> None:
    """Write the histogram of the readings, where there are any."""
    if sizes is None or not len(sizes.diameters_nm):
        (tables / _TABLE).unlink(missing_ok=True)
        return
    counts, edges = reading_histogram(sizes.diameters_nm)
    density = counts / (counts.sum() * np.diff(edges))
    rows = zip(edges[:-1], edges[1:], counts, density, strict=True)
    write_csv(tables / _TABLE, ["from_nm", "to_nm", "readings", "density_per_nm"], rows)
