"""Measured f' and f'' of the resonant element: from a file of factors, or from an absorption scan."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from nanostrata.domain import Origin
from nanostrata.errors import DataError, PhysicsError
from nanostrata.io.absorption import AbsorptionScan, read_absorption
from nanostrata.models.kramers_kronig import EdgeFactors, edge_factors
from nanostrata.pipeline.recipe import Recipe
from nanostrata.tables.factors import FactorTable, MeasuredFactors, load_factors

__all__ = ["EDGE_SHIFT_EV", "factor_warnings", "measured", "said_of", "scan_factors", "with_factors_of"]

EDGE_SHIFT_EV = 5.0
"""Edges move with the bonds of the absorber by some eV; a larger difference is rather an error of the energy scale."""

_TABLE_NAMES = {"chantler": "Chantler's table", "cromer-liberman": "the table of Cromer and Liberman"}


@lru_cache(maxsize=16)
def _from_scan(path: Path, sha256: str, edge: str, table: str) -> EdgeFactors:
    """Factors of one scan against one table; the digest is part of the key, since a file may change."""
    scan = read_absorption(path, edge)
    try:
        return edge_factors(scan.energy_ev, scan.mu, load_factors(table), scan.element, scan.shell)
    except PhysicsError as error:
        raise DataError(*(f"{path}: {p}" for p in error.problems)) from None


def scan_factors(recipe: Recipe, table: str) -> tuple[AbsorptionScan, EdgeFactors] | None:
    """Return the absorption scan of a project and its factors against one table; None without a scan.

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
    return scan, _from_scan(path, scan.origin.sha256, asaxs.edge, table)


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
    scan, f = found
    columns = (f.energy_ev * 1e-3, f.f_prime, f.f_double_prime, f.sigma_f_prime)
    factors = MeasuredFactors(scan.element, *(tuple(c.tolist()) for c in columns))
    o = scan.origin
    return factors, Origin(
        file=o.file, sha256=o.sha256, unit_read=o.unit_read, stage=o.stage, points_read=o.points_read,
        points_kept=o.points_kept, notes=(_note(scan, f, table),),
    )  # fmt: skip


def _note(scan: AbsorptionScan, f: EdgeFactors, table: str) -> str:
    return (
        f"f'' of {scan.element} is measured from {f.scan_ev[0]:.1f} to {f.scan_ev[1]:.1f} eV (absorption scan "
        f"{scan.origin.file}, {scan.how}), matched to {_TABLE_NAMES[table]} on both sides of the edge; f' is that table's plus the "
        f"Kramers-Kronig transform of the difference. The scan rises fastest at {f.measured_edge_ev:.1f} eV, the tabulated "
        f"{scan.element} {scan.shell} edge lies at {f.table_edge_ev:.1f} eV ({f.measured_edge_ev - f.table_edge_ev:+.1f} eV)"
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
        f"f' of {factors.element} from the scan: {', '.join(rows)} (one standard deviation: noise and the choice of the "
        "normalisation, not the energy scale nor the sample)"
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
    scan, f = found
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
            "this scan's energy scale? Compare with a foil. Nothing is shifted",
        )
    ]


def with_factors_of(recipe: Recipe, table: FactorTable) -> FactorTable:
    """Return a table in which the resonant element is measured, matched to this very table."""
    from nanostrata.tables.factors import with_measured

    found, _ = measured(recipe, table.table)
    return with_measured(
        table, found.element, found.energy_kev, found.f_prime, found.f_double_prime, found.sigma_f_prime
    )
