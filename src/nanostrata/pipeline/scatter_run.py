"""The command ``scatter``: atoms in a file, scattering at any energy out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import AtomicModel
from nanostrata.errors import NanostrataError, PhysicsError, RecipeError

if TYPE_CHECKING:
    from nanostrata.models.atom_cloud import PairSums

MAX_SITES = 200_000
"""Beyond this the sum over pairs takes minutes; atoms on a lattice need no pairs."""

MAX_LATTICE_SITES = 2_000_000
MAX_GRADED_SITES = 50_000
"""Where the displaced volume differs from site to site, every pair costs ten times as much."""


def scatter_file(
    structure: Path,
    energies: str,
    *,
    q_min: float = 0.1,
    q_max: float = 50.0,
    points: int = 500,
    medium: str = "none",
    b_factor_nm2: float | str = 0.0,
    volume_per_site: float | None = None,
    out: Path | None = None,
    factors: str = "chantler",
    thermal_diffuse: bool = False,
    tell: Callable[[str], None] | None = None,
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
    b_factor_nm2 : float or str
        Debye-Waller factor B, nm^2; "Cd=0.012,Se=0.009" for each element by itself.
    volume_per_site : float, optional
        Volume of medium that each atom displaces, nm^3; overrides what the file carries.
    out : Path, optional
        CSV file; without it the text is returned.
    factors : str
        "chantler" or "cromer-liberman".
    thermal_diffuse : bool
        Add the scattering that independent vibrations take from the pairs of atoms.
    tell : callable, optional
        Is told how the pairs were summed, and how large the error may be.

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
    from nanostrata.models.atom_cloud import pair_sums
    from nanostrata.tables.factors import check_energies, load_factors

    problems: list[str] = []
    typed = [e.strip() for e in energies.split(",")]
    kev = [_energy(e, problems) for e in typed]
    if not (0.0 <= q_min < q_max <= 500.0):
        problems.append(f"--q-min, --q-max: expected 0 <= q_min < q_max <= 500 (1/nm), got {q_min:g} and {q_max:g}")
    if not 1 < points <= 100000:
        problems.append(f"--points: expected 2 to 100000, got {points}")
    b_factor = _b_factor(b_factor_nm2, problems)
    if volume_per_site is not None and not 1e-3 <= volume_per_site <= 1.0:
        problems.append(f"--volume-per-site: expected 0.001 to 1 nm^3, got {volume_per_site:g}")
    density = _medium(medium, problems)
    if problems:
        raise RecipeError(*problems)
    model = read_structure(Path(structure))
    if volume_per_site is not None:
        model = replace(model, site_volume_nm3=np.full(len(model), volume_per_site))
    _check(model, structure, density, b_factor)
    table = load_factors(factors)
    try:
        check_energies(model.counts, kev, table)
    except PhysicsError as error:
        raise RecipeError(*(f"--energies: {p}" for p in error.problems)) from None
    q = np.linspace(q_min, q_max, points)
    try:
        sums = pair_sums(
            [model], q, medium_model="sites" if density else None,
            method="lattice" if len(model) > MAX_SITES else "auto",
        )  # fmt: skip
    except PhysicsError as error:
        raise RecipeError(
            f"{structure}: {len(model)} sites; more than {MAX_SITES} can only be summed on a lattice, and "
            + "; ".join(error.problems)
        ) from None
    intensity = [sums.intensity(table, e, density, b_factor, thermal_diffuse=thermal_diffuse) for e in kev]
    if tell is not None:
        tell(
            _how(
                sums,
                len(model),
                max(
                    float(np.max(sums.intensity_error(table, e, density) / np.abs(i)))
                    for e, i in zip(kev, intensity, strict=True)
                ),
            )
        )
    lines = [",".join(["q_inv_nm", *(f"intensity_e2_{e}kev" for e in typed)])]
    lines += [
        ",".join([f"{x:.10g}", *(f"{v:.8e}" for v in row)]) for x, row in zip(q, np.transpose(intensity), strict=True)
    ]
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


def _b_factor(given: float | str, problems: list[str]) -> float | dict[str, float]:
    """One number, or "Cd=0.012,Se=0.009"."""
    text = str(given)
    found: dict[str, float] = {}
    for part in text.split(","):
        name, sign, number = part.partition("=") if "=" in text else ("", "=", part)
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not sign or not 0.0 <= value <= 1.0:
            problems.append(
                f'--b-factor: expected 0 to 1 nm^2 (1 angstrom^2 is 0.01 nm^2), or "Cd=0.012,Se=0.009", got {part.strip()!r}'
            )
            return 0.0
        found[name.strip()] = value
    return found if "=" in text else found[""]


def _how(sums: PairSums, sites: int, error: float) -> str:
    way = {
        "lattice": f"{sites} sites on a lattice: all differences counted by Fourier transforms",
        "pairs": f"{sites} sites: every pair summed",
    }[sums.method]
    return f"{way}; relative error of the intensity at most {error:.1g}"


def _check(model: AtomicModel, structure: Path, density: float, b_factor: float | dict[str, float]) -> None:
    if len(model) > MAX_LATTICE_SITES:
        raise RecipeError(f"{structure}: {len(model)} sites; scatter takes at most {MAX_LATTICE_SITES}")
    if density > 0.0 and model.site_volume_nm3.sum() <= 0.0:
        raise RecipeError(
            f"{structure}: the file does not say how much medium each atom displaces; give --volume-per-site NM3 "
            "(particle volume over number of atoms), or --medium none"
        )
    graded = density > 0.0 and len(np.unique(model.site_volume_nm3.round(12))) > 8
    if graded and len(model) > MAX_GRADED_SITES:
        raise RecipeError(
            f"{structure}: {len(model)} sites of different volumes; in a medium at most {MAX_GRADED_SITES} of them can be "
            "summed; give --volume-per-site NM3, or --medium none"
        )
    missing = sorted(set(model.counts) - set(b_factor)) if isinstance(b_factor, dict) else []
    if missing:
        raise RecipeError(f"--b-factor: no value for {', '.join(missing)}; give one for every element, or one number")
