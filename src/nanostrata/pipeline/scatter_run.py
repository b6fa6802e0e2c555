"""The command ``scatter``: atoms in a file, scattering at any energy out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nanostrata.domain import AtomicModel
from nanostrata.errors import NanostrataError, PhysicsError, RecipeError

MAX_SITES = 60000
"""Beyond this the double sum takes minutes."""


def scatter_file(
    structure: Path,
    energies: str,
    *,
    q_min: float = 0.1,
    q_max: float = 50.0,
    points: int = 500,
    medium: str = "none",
    b_factor_nm2: float = 0.0,
    volume_per_site: float | None = None,
    out: Path | None = None,
    factors: str = "chantler",
) -> Path | str:
    """Orientation-averaged scattering of an atomistic model.

    Parameters
    ----------
    structure : Path
        Our extended XYZ (carries the displaced volumes) or any file that ASE reads.
    energies : str
        keV, separated by commas, "16.0,9.63"; repeated as typed in the column names.
    q_min, q_max : float
        1/nm.
    points : int
        Equispaced.
    medium : str
        Known name ("toluene"), or "none" for vacuum.
    b_factor_nm2 : float
        Debye-Waller factor B, nm^2.
    volume_per_site : float, optional
        Volume of medium that each atom displaces, nm^3; overrides what the file carries.
    out : Path, optional
        CSV file; without it the text is returned.
    factors : str
        "chantler" or "cromer-liberman".

    Returns
    -------
    Path or str
        Columns ``q_inv_nm`` and one ``intensity_e2_<E>kev`` per energy, electrons squared.

    Raises
    ------
    RecipeError
        With every problem of the request at once; energies within 5 eV of an edge of the structure are refused.
    DataError
        When the structure cannot be read.
    """
    from nanostrata.io.structures import read_structure
    from nanostrata.io.text_out import write_text
    from nanostrata.models.atom_cloud import scattering
    from nanostrata.tables.factors import check_energies, load_factors

    problems: list[str] = []
    typed = [e.strip() for e in energies.split(",")]
    kev = [_energy(e, problems) for e in typed]
    if not (0.0 <= q_min < q_max <= 500.0):
        problems.append(f"--q-min, --q-max: expected 0 <= q_min < q_max <= 500 (1/nm), got {q_min:g} and {q_max:g}")
    if not 1 < points <= 100000:
        problems.append(f"--points: expected 2 to 100000, got {points}")
    if not 0.0 <= b_factor_nm2 <= 1.0:
        problems.append(f"--b-factor: expected 0 to 1 nm^2 (1 angstrom^2 is 0.01 nm^2), got {b_factor_nm2:g}")
    if volume_per_site is not None and not 1e-3 <= volume_per_site <= 1.0:
        problems.append(f"--volume-per-site: expected 0.001 to 1 nm^3, got {volume_per_site:g}")
    density = _medium(medium, problems)
    if problems:
        raise RecipeError(*problems)
    model = read_structure(Path(structure))
    if volume_per_site is not None:
        model = replace(model, site_volume_nm3=np.full(len(model), volume_per_site))
    _check(model, structure, density)
    table = load_factors(factors)
    try:
        check_energies(model.counts, kev, table)
    except PhysicsError as error:
        raise RecipeError(*(f"--energies: {p}" for p in error.problems)) from None
    q = np.linspace(q_min, q_max, points)
    intensity = scattering(model, table, kev, q, density, b_factor_nm2)
    lines = [",".join(["q_inv_nm", *(f"intensity_e2_{e}kev" for e in typed)])]
    lines += [",".join([f"{x:.10g}", *(f"{v:.8e}" for v in row)]) for x, row in zip(q, intensity.T, strict=True)]
    text = "\n".join(lines) + "\n"
    return write_text(Path(out), text) if out is not None else text


def _energy(typed: str, problems: list[str]) -> float:
    try:
        value = float(typed)
    except ValueError:
        problems.append(f"--energies: expected numbers in keV separated by commas, got {typed!r}")
        return 0.0
    if not 1.0 <= value <= 200.0:
        problems.append(
            f"--energies: expected 1 to 200 keV, got {typed}" + ("; was eV meant?" if value > 200.0 else "")
        )
    return value


def _medium(name: str, problems: list[str]) -> float:
    from nanostrata.models.materials import load_medium

    if name.strip().lower() == "none":
        return 0.0
    try:
        return load_medium(name).electron_density_e_nm3
    except NanostrataError as error:
        problems += [f"--medium: {p}" for p in error.problems]
        return 0.0


def _check(model: AtomicModel, structure: Path, density: float) -> None:
    if len(model) > MAX_SITES:
        raise RecipeError(f"{structure}: {len(model)} sites; scatter sums over all pairs and takes at most {MAX_SITES}")
    if density > 0.0 and model.site_volume_nm3.sum() <= 0.0:
        raise RecipeError(
            f"{structure}: the file does not say how much medium each atom displaces; give --volume-per-site NM3 "
            "(particle volume over number of atoms), or --medium none"
        )
