"""Files of a shape: summary, tables, map and bead models."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.estimate import gaussian_quantity
from nanostrata.domain.shape import BeadModel, CurveFigures, EnsembleDiameters
from nanostrata.io.bead_models import write_bead_cif, write_bead_pdb
from nanostrata.io.mrc import write_mrc
from nanostrata.io.text_out import write_csv, write_json
from nanostrata.pipeline.shape_compare import compared_part, write_compared
from nanostrata.pipeline.shape_run import ShapeOutcome
from nanostrata.pipeline.store import software
from nanostrata.stages.read_shape import ShapeReading, mean_nsd

_HISTOGRAM = 40
_PDB_BEADS = 99_999
_CHOICE = re.compile(
    r"two searches|points (?:beyond|from) q|\d+ neighbouring points|looseness is punished|(?:of|none of) \d+ simple bodies"
)


def write_shape(outcome: ShapeOutcome, folder: Path) -> dict[str, Any]:
    """Write the run folder of a shape and return its summary.

    ``summary.json``, ``tables/*.csv``, ``shape/average.mrc`` (occupancy), ``shape/occupancy.csv``, and under
    ``shape/beads`` every kept run, moved onto the reference, as mmCIF and PDB.
    """
    tables(outcome, folder / "tables")
    files(outcome, folder / "shape")
    write_compared(outcome, folder / "tables", folder / "shape")
    summary = summarise_shape(outcome)
    write_json(folder / "summary.json", summary)
    return summary


def summarise_shape(outcome: ShapeOutcome) -> dict[str, Any]:
    """Return the summary of ``nanostrata shape`` as plain JSON types."""
    curve, origin = outcome.curve, outcome.curve.origin
    versions = software()
    used = len(outcome.plan.q_inv_nm)
    return {
        "software": {
            "name": "nanostrata", "version": versions["nanostrata"],
            "libraries": {k: v for k, v in versions.items() if k not in ("nanostrata", "code")},
        },
        "seed": outcome.request.seed,
        "preset": outcome.request.preset,
        "sample": {"title": f"Shape from {curve.label or Path(origin.file).name}"},
        "inputs": [
            {
                "file": origin.file, "sha256": origin.sha256, "unit_read": origin.unit_read, "points_kept": used,
                "points_dropped": origin.points_read - used, "notes": list(origin.notes),
            }
        ],
        "shape": shape_part(outcome),
        "findings": shape_findings(outcome),
        "warnings": shape_warnings(outcome),
    }  # fmt: skip


def shape_part(outcome: ShapeOutcome) -> dict[str, Any]:
    """Return the part ``shape`` of a summary."""
    r, plan, figures = outcome.reading, outcome.plan, outcome.plan.figures
    occupancy = r.average.map
    counts, edges = np.histogram(r.cut_nm, bins=_HISTOGRAM)
    return {
        "spread": outcome.request.spread,
        "spread_shape": outcome.request.spread_shape,
        "anisometry": outcome.request.anisometry,
        "spread_relative_error": outcome.request.spread_error if outcome.request.spread > 0 else None,
        "rg_nm": r.rg_nm,
        "dmax_nm": gaussian_quantity(figures.dmax_nm, figures.dmax_sigma_nm),
        "diameter_nm": r.diameter_nm,
        "volume_nm3": r.volume_nm3,
        "aspect_ratio": r.aspect_ratio,
        "aspect_ratio_without_spread": r.naive,
        "axes_nm": r.axes_nm,
        "real": r.real,
        "verdict": r.verdict,
        "nsd_mean": mean_nsd(r.average),
        "families": [int((r.average.cluster == k).sum()) for k in range(int(r.average.cluster.max()) + 1)],
        "resolution_nm": r.average.resolution_nm,
        "bead_nm": plan.bead_nm,
        "q_range_inv_nm": [float(plan.q_inv_nm[0]), float(plan.q_inv_nm[-1])],
        "points": len(plan.q_inv_nm),
        "cutoff": occupancy.cutoff,
        "cutoff_calibrated": r.cutoff_calibrated,
        "size_at_cutoff_nm": float(np.interp(occupancy.cutoff, r.cutoffs, r.size_nm)),
        "size_against_cutoff": {"cutoff": r.cutoffs.tolist(), "diameter_nm": r.size_nm.tolist()},
        "diameter_histogram": {
            "edges_nm": edges.tolist(), "counts": counts.tolist(), "mean_nm": float(r.cut_nm.mean()),
            "std_nm": float(r.cut_nm.std()), "mode_nm": float(0.5 * (edges[counts.argmax()] + edges[counts.argmax() + 1])),
            "longest_over_shortest": float(r.cut_nm.max() / r.cut_nm.min()),
        },
        "ensemble_diameters": _ensemble(outcome.diameters),
        "before": _before(figures),
        "checks": {
            "ball_aspect_ratio": r.ball, "spheroid_in": r.found_in, "spheroid_out": r.found_out,
        },
        "runs": {"done": len(outcome.models), "kept": len(r.average.kept), "each": r.runs},
        "notes": list(plan.notes),
        **compared_part(outcome),
    }  # fmt: skip


def _ensemble(d: EnsembleDiameters | None) -> dict[str, Any] | None:
    if d is None:
        return None
    return {
        "line_cuts": {"mean_nm": d.line_cuts_mean_nm, "std_nm": d.line_cuts_std_nm},
        "outlines_random": {"mean_nm": d.random_mean_nm, "std_nm": d.random_std_nm, "major_over_minor": d.random_ratio},
        "outlines_lying": {"mean_nm": d.lying_mean_nm, "std_nm": d.lying_std_nm, "major_over_minor": d.lying_ratio},
        "rule": d.rule,
    }


def _before(f: CurveFigures) -> dict[str, Any]:
    guinier = None if math.isnan(f.rg_nm) else gaussian_quantity(f.rg_nm, f.rg_sigma_nm)
    return {
        "guinier_rg_nm": guinier,
        "guinier_points": [f.guinier_first, f.guinier_last] if f.guinier_last >= 0 else None,
        "guinier_note": f.guinier_note,
        "rg_from_pair_distances_nm": gaussian_quantity(f.rg_real_nm, f.rg_real_sigma_nm),
        "i_zero": gaussian_quantity(f.i_zero, f.i_zero_sigma),
        "porod_volume_nm3": gaussian_quantity(f.porod_volume_nm3, f.porod_volume_sigma_nm3),
        "chi2_reduced": f.chi2_reduced,
        "constant": f.constant,
    }


def shape_findings(outcome: ShapeOutcome) -> list[dict[str, Any]]:
    """Return the sentences, as plain types."""
    r = outcome.reading
    aspect = r.aspect_ratio
    width = aspect["interval95"][1] - aspect["interval95"][0]
    checked = r.ball is not None
    grade = "strong" if checked and width < 0.1 else "moderate" if width < 0.3 else "weak"
    several = int(r.average.cluster.max()) > 0
    return [
        {
            "text": r.real, "grade": "weak" if several else grade,
            "numbers": {"shape.aspect_ratio": aspect["value"], "shape.spread": outcome.request.spread},
            "improve": "" if checked else "run with --preset standard, which checks the method on simulated particles",
        },
        {
            "text": r.verdict, "grade": "weak" if several else "moderate",
            "numbers": {"shape.nsd_mean": mean_nsd(r.average)}, "improve": "",
        },
    ]  # fmt: skip


def is_choice(note: str) -> bool:
    """Whether a note says only what was chosen or found on the way: it is told on the page, and is no warning."""
    return _CHOICE.match(note) is not None and "the runs start from" not in note


def shape_warnings(outcome: ShapeOutcome) -> list[dict[str, str]]:
    """Return the warnings, as plain types."""
    from nanostrata.kernels._jit import numba_available

    worries = [n for n in outcome.plan.notes if not is_choice(n)]
    out = [{"code": "shape_note", "message": n, "stage": "shape"} for n in worries]
    if not numba_available():
        message = "numba is not in use: the beads were moved by plain Python, about a hundred times slower; same result"
        out.append({"code": "plain_engine", "message": message, "stage": "shape"})
    chi2 = float(np.median([m.chi2_reduced for m in outcome.models]))
    if chi2 > 2.0:
        message = (
            f"the beads explain the curve with a chi^2 of {chi2:.3g} per point: beads of {outcome.plan.bead_nm:.2g} nm "
            "are coarse against these errors (smaller ones: --preset full or --bead), the errors are stated too small, "
            "or the particles are not what the model assumes (one shape, even density, no interaction, the spread given)"
        )
        out.append({"code": "shape_misfit", "message": message, "stage": "shape"})
    return out


def tables(outcome: ShapeOutcome, folder: Path) -> None:
    """Write the tables of a shape."""
    r, plan, figures = outcome.reading, outcome.plan, outcome.plan.figures
    best = outcome.models[r.average.reference]
    naive: Mapping[float, float] = {}
    if outcome.naive and outcome.naive_plan is not None:
        naive = dict(zip(outcome.naive_plan.q_inv_nm.tolist(), outcome.naive[0].fit.tolist(), strict=True))
    write_csv(
        folder / "shape_curve.csv",
        ["q_inv_nm", "intensity", "sigma", "fit_pair_distances", "fit_beads", "fit_beads_without_spread"],
        (
            [q, i, s, p, b, naive.get(float(q))]
            for q, i, s, p, b in zip(plan.q_inv_nm, plan.intensity, plan.sigma, figures.fit, best.fit, strict=True)
        ),
    )
    write_csv(
        folder / "shape_pair_distances.csv", ["r_nm", "p", "p_sigma"],
        zip(figures.r_nm, figures.p, figures.p_sigma, strict=True),
    )  # fmt: skip
    header = list(r.runs[0])
    write_csv(folder / "shape_runs.csv", header, ([run[k] for k in header] for run in r.runs))
    write_csv(
        folder / "shape_size_against_cutoff.csv", ["cutoff", "diameter_nm"], zip(r.cutoffs, r.size_nm, strict=True)
    )
    counts, edges = np.histogram(r.cut_nm, bins=_HISTOGRAM)
    write_csv(
        folder / "shape_line_cuts.csv", ["from_nm", "to_nm", "cuts"], zip(edges[:-1], edges[1:], counts, strict=True)
    )
    d = outcome.diameters
    if d is None:
        (folder / "shape_diameters.csv").unlink(missing_ok=True)
    else:
        columns = ("diameter_nm", "line_cuts_per_nm", "outlines_random_per_nm", "outlines_lying_per_nm")
        curves = (d.grid_nm, d.line_cuts, d.outlines_random, d.outlines_lying)
        write_csv(folder / "shape_diameters.csv", columns, zip(*curves, strict=True))
    write_csv(
        folder / "shape_fsc.csv", ["q_inv_nm", "correlation"], zip(r.average.fsc_q_inv_nm, r.average.fsc, strict=True)
    )
    write_csv(folder / "shape_nsd.csv", [run["run"] for run in r.runs], r.average.nsd.tolist())
    write_csv(folder / "shape_aspect_draws.csv", ["aspect_ratio"], ([v] for v in r.aspect_draws))


def files(outcome: ShapeOutcome, folder: Path) -> None:
    """Write map and bead models."""
    r = outcome.reading
    occupancy = r.average.map
    write_mrc(folder / "average.mrc", occupancy.occupancy, occupancy.voxel_nm, label="nanostrata: occupancy, 0 to 1")
    axis = occupancy.axis_nm
    places = np.argwhere(occupancy.occupancy > 0.0)
    write_csv(
        folder / "occupancy.csv", ["x_nm", "y_nm", "z_nm", "occupancy"],
        ([axis[i], axis[j], axis[k], occupancy.occupancy[i, j, k]] for i, j, k in places),
    )  # fmt: skip
    _forget(folder / "beads", {m.label for m in r.average.models})
    for model in r.average.models:
        remarks = [f"run {model.label}, chi2 per point {model.chi2_reduced:.3f}, spread of sizes {model.spread:.3f}"]
        write_beads(folder / "beads" / model.label, model, remarks)
    share, positions = average_beads(r)
    write_beads(folder / "average", None, ["mean occupancy of the kept runs"], positions, share, outcome.plan.bead_nm)


def _forget(folder: Path, kept: set[str]) -> None:
    """Take away bead models of an earlier call that are not kept by this one."""
    for file in folder.glob("*") if folder.is_dir() else ():
        if file.stem not in kept and file.suffix in (".cif", ".pdb"):
            file.unlink(missing_ok=True)


def average_beads(r: ShapeReading) -> tuple[FloatArray, FloatArray]:
    """Occupancy at the sites of a close-packed lattice: those at and above the map's cut-off; and the sites, nm."""
    from scipy.ndimage import map_coordinates

    from nanostrata.kernels import bead_lattice

    occupancy, bead = r.average.map, r.average.models[0].bead_nm
    axis = occupancy.axis_nm
    sites = bead_lattice.positions(bead_lattice.lattice_sites(float(axis[-1]) / bead), bead)
    place = sites.T / occupancy.voxel_nm + len(axis) // 2
    share = map_coordinates(occupancy.occupancy, place, order=1, mode="constant")
    keep = share >= max(occupancy.cutoff, 1e-6)
    return share[keep], sites[keep]


def write_beads(
    stem: Path, model: BeadModel | None, remarks: list[str], positions_nm: FloatArray | None = None,
    share: FloatArray | None = None, bead_nm: float = 1.0,
) -> None:  # fmt: skip
    """Write a bead model (or positions with occupancies) as mmCIF, and as PDB where that format can count them."""
    if model is not None:
        positions_nm, bead_nm = model.positions_nm, model.bead_nm
    assert positions_nm is not None
    write_bead_cif(stem.with_suffix(".cif"), positions_nm, bead_nm, occupancy=share, name=stem.name, remarks=remarks)
    if len(positions_nm) <= _PDB_BEADS:
        write_bead_pdb(stem.with_suffix(".pdb"), positions_nm, bead_nm, occupancy=share, remarks=remarks)
