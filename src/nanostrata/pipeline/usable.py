"""What stops a project whose files could all be read: energies, edges, resolution and units that do not match."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nanostrata.domain import ScatteringCurve
from nanostrata.errors import DataError, NanostrataError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.propose import energy_from_name
from nanostrata.pipeline.recipe import Recipe

__all__ = ["curve_energies", "unusable"]


def unusable(recipe: Recipe, solid: SolidSolution | None, curves: Sequence[ScatteringCurve]) -> list[str]:
    """Return a sentence for everything that keeps readable curves from being fitted together.

    Parameters
    ----------
    recipe : the project
    solid : its materials, None where only contrasts are given
    curves : those that could be read

    Returns
    -------
    list of str
        Energies that nobody states, energies within 5 eV of an edge, a resolution that is asked for and not there, a
        curve whose q is of another unit than that of its sisters.
    """
    from nanostrata.stages.inspect_curves import sisters_agree

    table = recipe.asaxs or recipe.contrasts
    problems: list[str] = []
    if recipe.asaxs is not None:
        energies, problems = curve_energies(recipe, curves)
        if solid is not None:
            problems += _near_edges(recipe, solid, energies)
    if table is not None and table.smearing == "dq":
        problems += [
            f'{c.origin.file}: smearing = "dq" needs a fourth column dq; add it, or write smearing = "none"'
            for c in curves
            if c.dq_inv_nm is None
        ]
    return problems + [s.message for s in sisters_agree(curves, same_scale=False) if s.code == "q_unit"]


def curve_energies(recipe: Recipe, curves: Sequence[ScatteringCurve]) -> tuple[list[float], list[str]]:
    """Return the different energies of ``asaxs.curves``, and a sentence for each curve whose energy nobody states."""
    assert recipe.asaxs is not None
    read = {(c.origin.file, c.origin.entry): c.energy_kev for c in curves}
    found: list[float] = []
    problems: list[str] = []
    for i, entry in enumerate(recipe.asaxs.curves):
        if entry.energy_kev is not None:
            found.append(entry.energy_kev)
            continue
        # several entries of one file may lack energies; each of them is named by its own row of the project file
        same = [v for (name, which), v in read.items() if name == entry.file and entry.entry in (None, which)]
        known = [v for v in same if v is not None]
        found += known[:1]
        if same and not known:
            named = energy_from_name(Path(entry.file).name)
            value = f"{named:g} (from the file's name?)" if named is not None else "the photon energy in keV"
            problems.append(
                f"{recipe.file}: asaxs.curves[{i}].energy_kev: missing, and {entry.file} does not state a photon "
                f"energy; write energy_kev = {value}"
            )
    return list(dict.fromkeys(found)), problems


def _near_edges(recipe: Recipe, solid: SolidSolution, energies: Sequence[float]) -> list[str]:
    from nanostrata.pipeline.gather import factor_tables
    from nanostrata.tables.factors import check_energies

    try:
        check_energies(solid.elements, energies, factor_tables(recipe)[0])
    except DataError:
        return []  # what is wrong with a file of factors was said when it was read
    except NanostrataError as error:
        return [f"{recipe.file}: asaxs.curves: {p}" for p in error.problems]
    return []
