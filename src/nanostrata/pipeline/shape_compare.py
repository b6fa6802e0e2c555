"""``nanostrata shape --compare``: results of other programs for the same curve, read before the runs and compared after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.shape import ShapeComparison
from nanostrata.errors import DataError, RecipeError
from nanostrata.io.bead_models import BeadFile, read_bead_file, write_bead_cif, write_bead_pdb
from nanostrata.io.gnom import GnomFile, is_gnom, read_gnom
from nanostrata.io.mrc import write_mrc
from nanostrata.io.raw_curve import file_digest
from nanostrata.io.text_out import write_csv
from nanostrata.models.shape_compare import (
    MOST_BEADS,
    compare_beads,
    pair_distances_of_beads,
    rg_of_points,
    unit_that_fits,
)
from nanostrata.pipeline.shape_run import ShapeOutcome
from nanostrata.stages.retrieve_shape import ShapePlan

_NM = {"angstrom": 0.1, "nm": 1.0}
_STATED_OFF = 0.03
"""Relative difference of a stated radius of gyration to that of the beads from which it is told."""


def read_compared(files: Sequence[Path], unit: str | None) -> tuple[GnomFile | BeadFile, ...]:
    """Read every file to compare with, and name every problem at once.

    Parameters
    ----------
    files : GNOM output or bead models
    unit : "angstrom", "nm" or None, as given on the command line

    Raises
    ------
    RecipeError
        When the unit is not one of the two, or a GNOM file holds no p(r) of whole particles.
    DataError
        When a file cannot be read.
    """
    problems: list[str] = []
    out: list[GnomFile | BeadFile] = []
    if unit is not None and unit not in _NM:
        raise RecipeError(f"--compare-unit: expected {' or '.join(_NM)}, got {unit!r}")
    for file in files:
        try:
            head, _ = file_digest(Path(file), str(file))
            found: GnomFile | BeadFile = read_gnom(file) if is_gnom(head) else read_bead_file(Path(file))
        except DataError as error:
            problems.extend(error.problems)
            continue
        if isinstance(found, GnomFile) and not len(found.r):
            problems.append(
                f'{file}: holds "{found.kind}"; expected p(r) of whole particles (job 0); it can be given as CURVE only'
            )
        if isinstance(found, BeadFile) and len(found.positions) > MOST_BEADS:
            problems.append(f"{file}: {len(found.positions)} beads; at most {MOST_BEADS} are compared")
        out.append(found)
    if problems:
        raise DataError(*problems)
    return tuple(out)


def check_units(others: Sequence[GnomFile | BeadFile], unit: str | None, plan: ShapePlan) -> None:
    """Refuse, before any run, files that cannot be of the same particle; see :func:`compare_shape`."""
    for other in others:
        _unit(other, unit, plan)


def compare_shape(
    outcome: ShapeOutcome, others: Sequence[GnomFile | BeadFile], unit: str | None
) -> tuple[ShapeComparison, ...]:
    """Bring what others found to nm and set it beside ours.

    Parameters
    ----------
    outcome : our shape
    others : from :func:`read_compared`
    unit : unit of length of the files; None: the one in which the particle is as large as ours, told in a note

    Raises
    ------
    DataError
        When no unit makes a particle as large as ours.
    """
    out: list[ShapeComparison] = []
    for other in others:
        name = _unique(Path(other.file).stem, [c.name for c in out])
        chosen, note = _unit(other, unit, outcome.plan)
        if isinstance(other, GnomFile):
            out.append(_distances(other.scaled(_NM[chosen]), name, chosen, note))
        else:
            out.append(_beads(outcome, other.scaled(_NM[chosen]), name, chosen, note))
    return tuple(out)


def _unit(other: GnomFile | BeadFile, given: str | None, plan: ShapePlan) -> tuple[str, str]:
    if given is not None:
        return given, f"lengths read in {given}, as given"
    rg = other.rg_of_table if isinstance(other, GnomFile) else rg_of_points(other.positions)
    ours_nm = plan.figures.rg_real_nm
    found = unit_that_fits(rg, ours_nm)
    if found is None:
        raise DataError(
            f"{other.file}: its radius of gyration is {rg:.4g}, that of p(r) here {ours_nm:.3g} nm: read in angstrom or in "
            "nm, the two are not of one particle; give the file of the same curve, or --compare-unit to compare all the same"
        )
    share = rg * _NM[found] / ours_nm
    return found, f"lengths read in {found}: in that unit its radius of gyration is {share:.2f} of that of p(r) here"


def _unique(stem: str, taken: Sequence[str]) -> str:
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}-{count}"
    return name


def _distances(found: GnomFile, name: str, unit: str, note: str) -> ShapeComparison:
    area = float(0.5 * (found.p[1:] + found.p[:-1]) @ np.diff(found.r))
    stated = found.rg if not math.isnan(found.rg) else found.rg_of_table
    residual = (found.intensity - found.fit) / found.sigma
    notes = [note]
    if math.isnan(found.rg):
        notes.append("no radius of gyration stated; it is that of the table of p(r)")
    if not math.isnan(found.estimate):
        notes.append(f"the program rates its solution {found.estimate:.2f} of 1")
    return ShapeComparison(
        name=name, file=found.file, sha256=found.sha256, kind="pair distances", software=f"GNOM {found.version}".strip(),
        unit_read=unit, r_nm=found.r, p=found.p / area, p_sigma=np.abs(found.p_sigma) / area, rg_nm=stated,
        rg_sigma_nm=found.rg_sigma, dmax_nm=float(found.r[-1]), volume_nm3=math.nan,
        chi2_reduced=float((residual**2).mean()), nsd=np.empty(0), nsd_reference=math.nan, shared_volume=math.nan,
        positions_nm=np.empty((0, 3)), bead_nm=math.nan, density=np.empty((0, 0, 0)), notes=tuple(notes),
    )  # fmt: skip


def _beads(outcome: ShapeOutcome, found: BeadFile, name: str, unit: str, note: str) -> ShapeComparison:
    r, p, largest = pair_distances_of_beads(found.positions, found.bead)
    compared = compare_beads(outcome.reading.average, found.positions, found.bead)
    rg = rg_of_points(found.positions)
    notes = [note]
    if not found.bead_stated:
        notes.append(f"no size of a bead stated; taken is the distance of neighbours, {found.bead:.3g} nm")
    if found.rg > 0.0 and abs(found.rg / rg - 1.0) > _STATED_OFF:
        notes.append(f"its header says a radius of gyration of {found.rg:.3g} nm, its beads have {rg:.3g} nm")
    if np.ptp(found.occupancy) > 1e-6:
        notes.append("its beads have different occupancies (an average); every one counts alike here")
    return ShapeComparison(
        name=name, file=found.file, sha256=file_digest(Path(found.file), found.file)[1], kind="bead model",
        software=found.software, unit_read=unit, r_nm=r, p=p, p_sigma=np.zeros(len(r)), rg_nm=rg, rg_sigma_nm=math.nan,
        dmax_nm=largest, volume_nm3=float(len(found.positions) * found.bead**3 / math.sqrt(2.0)), chi2_reduced=math.nan,
        nsd=compared.nsd, nsd_reference=compared.nsd_reference, shared_volume=compared.shared_volume,
        positions_nm=compared.positions_nm, bead_nm=found.bead, density=compared.density, notes=tuple(notes),
    )  # fmt: skip


def compared_part(outcome: ShapeOutcome) -> dict[str, Any]:
    """Return ``compared`` and ``compared_here`` of ``shape`` in the summary; empty without comparison."""
    if not outcome.compared:
        return {}
    return {"compared": [_entry(c) for c in outcome.compared], "compared_here": ours(outcome)}


def _entry(c: ShapeComparison) -> dict[str, Any]:
    return {
        "name": c.name, "file": c.file, "sha256": c.sha256, "kind": c.kind, "software": c.software, "unit_read": c.unit_read,
        "rg_nm": c.rg_nm, "rg_sigma_nm": _or_none(c.rg_sigma_nm), "dmax_nm": c.dmax_nm,
        "volume_nm3": _or_none(c.volume_nm3), "chi2_reduced": _or_none(c.chi2_reduced),
        "beads": len(c.positions_nm) or None, "bead_nm": _or_none(c.bead_nm), "nsd_reference": _or_none(c.nsd_reference),
        "nsd_mean": float(c.nsd.mean()) if len(c.nsd) else None, "shared_volume": _or_none(c.shared_volume),
        "notes": list(c.notes),
    }  # fmt: skip


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def ours(outcome: ShapeOutcome) -> list[dict[str, Any]]:
    """Our own rows of the comparison: the particle of mean size, and the same curve with the sizes taken for equal."""
    r, figures = outcome.reading, outcome.plan.figures
    name = "particle of mean size" if outcome.request.spread > 0 else "particle"
    rows = [
        {
            "name": name, "rg_nm": r.rg_nm["value"], "rg_from_pair_distances_nm": figures.rg_real_nm,
            "dmax_nm": figures.dmax_nm, "volume_nm3": r.volume_nm3["value"],
        }
    ]  # fmt: skip
    if outcome.naive_plan is not None and outcome.naive:
        plain = outcome.naive_plan.figures
        square = [
            float(((m.positions_nm - m.positions_nm.mean(axis=0)) ** 2).sum(axis=1).mean()) for m in outcome.naive
        ]
        rows.append(
            {
                "name": "sizes taken for equal", "rg_nm": float(np.mean(np.sqrt(square))),
                "rg_from_pair_distances_nm": plain.rg_real_nm, "dmax_nm": plain.dmax_nm,
                "volume_nm3": float(np.mean([m.volume_nm3 for m in outcome.naive])),
            }
        )  # fmt: skip
    return rows


def write_compared(outcome: ShapeOutcome, tables: Path, folder: Path) -> None:
    """Write tables, and the other bead models as they lie on ours; what an earlier call compared with is taken away.

    Parameters
    ----------
    outcome : our shape with its comparisons
    tables : folder of tables
    folder : ``shape`` of the run folder
    """
    names = ("shape_compared", "shape_compared_pair_distances")
    place = folder / "compared"
    for old in (*(tables / f"{n}.csv" for n in names), *(place.glob("*") if place.is_dir() else ())):
        old.unlink(missing_ok=True)
    if place.is_dir():
        place.rmdir()
    if not outcome.compared:
        return
    columns = (
        "name", "kind", "software", "rg_nm", "dmax_nm", "volume_nm3", "chi2_reduced", "nsd_reference", "nsd_mean",
        "shared_volume", "file",
    )  # fmt: skip
    rows = [
        *({"kind": "this run", "software": "nanostrata", **row} for row in ours(outcome)),
        *(_entry(c) for c in outcome.compared),
    ]
    write_csv(tables / f"{names[0]}.csv", columns, ([row.get(k) for k in columns] for row in rows))
    write_csv(
        tables / f"{names[1]}.csv",
        ["name", "r_nm", "p_per_nm", "p_sigma_per_nm"],
        (row for name, r, p, s in _curves(outcome) for row in zip([name] * len(r), r, p, s, strict=True)),
    )
    label = "nanostrata: beads of another program, moved onto the average"
    for c in outcome.compared:
        if not len(c.positions_nm):
            continue
        remarks = [f"{c.file}, moved onto the average of this run"]
        write_bead_cif(place / f"{c.name}.cif", c.positions_nm, c.bead_nm, name=c.name, remarks=remarks)
        write_bead_pdb(place / f"{c.name}.pdb", c.positions_nm, c.bead_nm, remarks=remarks)
        write_mrc(place / f"{c.name}.mrc", c.density, outcome.reading.average.map.voxel_nm, label=label)


def _curves(outcome: ShapeOutcome) -> list[tuple[str, Any, Any, Any]]:
    """Name, r, p and its error, all of area 1: ours first."""
    plans = [outcome.plan, *([outcome.naive_plan] if outcome.naive_plan is not None and outcome.naive else [])]
    out: list[tuple[str, Any, Any, Any]] = []
    for row, plan in zip(ours(outcome), plans, strict=True):
        f = plan.figures
        area = float(0.5 * (f.p[1:] + f.p[:-1]) @ np.diff(f.r_nm))
        out.append((str(row["name"]), f.r_nm, f.p / area, f.p_sigma / area))
    return out + [(c.name, c.r_nm, c.p, c.p_sigma) for c in outcome.compared]
