"""Measured f' and f'' of the resonant element: from a file of factors, or from an absorption scan."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from nanostrata.domain import Origin
from nanostrata.domain.base import FloatArray
from nanostrata.errors import DataError, PhysicsError
from nanostrata.io.absorption import AbsorptionScan, read_absorption
from nanostrata.models.kramers_kronig import EdgeFactors, edge_factors
from nanostrata.pipeline.recipe import Recipe
from nanostrata.pipeline.recipe_curves import FactorFile
from nanostrata.tables.factors import TABLES, FactorTable, MeasuredFactors, load_factors

__all__ = ["EDGE_SHIFT_EV", "factor_warnings", "measured", "said_of", "scan_factors", "with_factors_of"]

EDGE_SHIFT_EV = 5.0
"""Edges move with the bonds of the absorber by some eV; a larger difference is rather an error of the energy scale."""

_TABLE_NAMES = {"chantler": "Chantler's table", "cromer-liberman": "the table of Cromer and Liberman"}


@lru_cache(maxsize=16)
def _from_scan(
    path: Path, sha256: str, edge: str, table: str, shift_ev: float, uncertainty_ev: float
) -> tuple[EdgeFactors, FloatArray]:
    """Factors of one scan against one table, and the error of f' with that of the energies in it.

    The digest is part of the key, since a file may change.
    """
    scan = read_absorption(path, edge)
    try:
        source = load_factors(table)
        f = edge_factors(scan.energy_ev + shift_ev, scan.mu, source, scan.element, scan.shell)
        of_energies = energy_error(scan, f, source, shift_ev, uncertainty_ev)
        sigma = np.sqrt(f.sigma_f_prime**2 + of_energies**2 + table_error(scan, f, table, shift_ev) ** 2)
        return f, np.asarray(sigma)
    except PhysicsError as error:
        raise DataError(*(f"{path}: {p}" for p in error.problems)) from None


def table_error(scan: AbsorptionScan, f: EdgeFactors, table: str, shift_ev: float) -> FloatArray:
    """Standard deviation of f' by what no scan tells, the table it is matched to: that of the two answers, (n,) electrons."""
    other = next(load_factors(name) for name in TABLES if name != table)
    again = edge_factors(scan.energy_ev + shift_ev, scan.mu, other, scan.element, scan.shell)
    return np.asarray(np.abs(np.interp(f.energy_ev, again.energy_ev, again.f_prime) - f.f_prime) / np.sqrt(2.0))


def energy_error(
    scan: AbsorptionScan, f: EdgeFactors, table: FactorTable, shift_ev: float, off_ev: float
) -> FloatArray:
    """Standard deviation of f' when the scan's energies are known to ``off_ev``, (n,) electrons.

    The scan is moved to either side and treated again; half of the difference. (The slope of f' would be nearly the same, but 0
    where f' turns round, and too small far from the edge, where the table's f'' stays in its place.)
    """
    if off_ev == 0:
        return np.zeros(len(f.energy_ev))
    moved = [
        edge_factors(scan.energy_ev + shift_ev + d, scan.mu, table, scan.element, scan.shell) for d in (off_ev, -off_ev)
    ]
    up, down = (np.interp(f.energy_ev, m.energy_ev, m.f_prime) for m in moved)
    return np.asarray(0.5 * np.abs(up - down))


def scan_factors(recipe: Recipe, table: str) -> tuple[AbsorptionScan, EdgeFactors, FloatArray] | None:
    """Return the absorption scan of a project, its factors against one table, and the error of f'; None without a scan.

    Raises
    ------
    DataError
        When the scan cannot be read or shows no edge.
    """
    asaxs = recipe.asaxs
    if asaxs is None or isinstance(asaxs.factors, str) or asaxs.factors.absorption is None:
        return None
    assert asaxs.edge is not None
    path = recipe.root / asaxs.factors.absorption
    scan = read_absorption(path, asaxs.edge)
    given = asaxs.factors
    found = _from_scan(path, scan.origin.sha256, asaxs.edge, table, given.energy_shift_ev, given.energy_uncertainty_ev)
    return scan, *found


def measured(recipe: Recipe, table: str) -> tuple[MeasuredFactors, Origin]:
    """Return the measured factors that ``asaxs.factors`` names, and where they come from.

    Parameters
    ----------
    table : "chantler" or "cromer-liberman"; an absorption scan is matched to it, a file of factors needs none

    Raises
    ------
    DataError
        With every problem of the file.
    """
    from nanostrata.io.factor_file import read_measured_factors

    asaxs = recipe.asaxs
    assert asaxs is not None
    assert not isinstance(asaxs.factors, str)
    assert asaxs.edge is not None
    found = scan_factors(recipe, table)
    if found is None:
        return read_measured_factors(recipe.root / asaxs.factors.name, asaxs.edge)
    scan, f, sigma = found
    columns = (f.energy_ev * 1e-3, f.f_prime, f.f_double_prime, sigma)
    factors = MeasuredFactors(scan.element, *(tuple(c.tolist()) for c in columns))
    o = scan.origin
    return factors, Origin(
        file=o.file, sha256=o.sha256, unit_read=o.unit_read, stage=o.stage, points_read=o.points_read,
        points_kept=o.points_kept, notes=(_note(scan, f, table, asaxs.factors),),
    )  # fmt: skip


def _note(scan: AbsorptionScan, f: EdgeFactors, table: str, given: FactorFile) -> str:
    shift = given.energy_shift_ev
    moved = f"; {shift:+g} eV were added to the energies of the scan first" if shift else ""
    return (
        f"f'' of {scan.element} is measured from {f.scan_ev[0]:.1f} to {f.scan_ev[1]:.1f} eV (absorption scan "
        f"{scan.origin.file}, {scan.how}), matched to {_TABLE_NAMES[table]} on both sides of the edge; f' is that table's plus the "
        f"Kramers-Kronig transform of the difference. The scan rises fastest at {f.measured_edge_ev:.1f} eV, the tabulated "
        f"{scan.element} {scan.shell} edge lies at {f.table_edge_ev:.1f} eV ({f.measured_edge_ev - f.table_edge_ev:+.1f} eV){moved}; "
        f"its energies are taken as known to {given.energy_uncertainty_ev:g} eV"
    )


def said_of(factors: MeasuredFactors, energies_kev: Sequence[float]) -> list[str]:
    """Return one sentence with f' and its standard deviation at each energy; none where that is not known."""
    rows = []
    for energy in dict.fromkeys(energies_kev):
        if not factors.energy_kev[0] <= energy <= factors.energy_kev[-1]:
            continue
        sigma = factors.sigma_at(energy)
        if sigma is not None:
            rows.append(f"{factors.at(energy).real:.3f} ± {sigma:.3f} at {energy:g} keV")
    if not rows:
        return []
    return [
        f"f' of {factors.element} from the scan: {', '.join(rows)} (one standard deviation: noise, the choice of the "
        "normalisation and of the table it is matched to, and the energies of the scan; not the quality of the sample)"
    ]


def factor_warnings(recipe: Recipe) -> list[tuple[str, str]]:
    """Return (code, sentence) when the measured edge lies far from the tabulated one.

    Raises
    ------
    DataError
        When the scan cannot be read.
    """
    found = scan_factors(recipe, "chantler")
    if found is None:
        return []
    scan, f, _ = found
    shift = f.measured_edge_ev - f.table_edge_ev
    if abs(shift) <= EDGE_SHIFT_EV:
        return []
    assert recipe.asaxs is not None
    assert not isinstance(recipe.asaxs.factors, str)
    return [
        (
            "edge_position",
            f"{recipe.asaxs.factors.name}: the {scan.element} {scan.shell} edge lies {shift:+.1f} eV from the tabulated one "
            f"({f.measured_edge_ev:.1f} against {f.table_edge_ev:.1f} eV), more than {EDGE_SHIFT_EV:g} eV: a shift by the bonds, or an error of "
            "this scan's energy scale? Compare with a foil; energy_shift_ev beside absorption adds to the scan's energies",
        )
    ]


def with_factors_of(recipe: Recipe, table: FactorTable) -> FactorTable:
    """Return a table in which the resonant element is measured, matched to this very table."""
    from nanostrata.tables.factors import with_measured

    found, _ = measured(recipe, table.table)
    return with_measured(
        table, found.element, found.energy_kev, found.f_prime, found.f_double_prime, found.sigma_f_prime
    )
