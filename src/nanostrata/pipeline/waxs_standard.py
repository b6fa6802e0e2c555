"""The standard of ``[waxs]``: its lines, and the width of the instrument that its peaks show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.models.waxs_lines import LatticeForm, Line, lattice_form, reflections, sites_of

if TYPE_CHECKING:
    from nanostrata.domain import ScatteringCurve
    from nanostrata.pipeline.recipe import Recipe
    from nanostrata.pipeline.recipe_waxs import WaxsStandard

__all__ = ["measured_width", "standard_lines"]

_MARGIN = 1.25
"""Reflections are computed this far beyond the range, so that lattices larger than the start have theirs too."""


def standard_lines(
    given: WaxsStandard, root: Path, energy_kev: float, q_max_inv_nm: float
) -> tuple[list[Line], LatticeForm, str]:
    """Reflections of the standard, its lattice, and the name of its structure.

    Parameters
    ----------
    given : ``waxs.standard`` of the project file
    root : folder of the project file
    energy_kev : for f' and f''
    q_max_inv_nm : end of the pattern
    """
    from nanostrata.domain import Medium
    from nanostrata.models.crystal_cells import cell_from_cif, cell_of_structure
    from nanostrata.models.density import SolidSolution
    from nanostrata.models.materials import make_material
    from nanostrata.tables.factors import load_factors

    if given.lattice.cif is not None:
        text = (root / given.lattice.cif).read_text(encoding="utf-8", errors="replace")
        cell, name = cell_from_cif(text, key="waxs.standard.lattice.cif"), "cif"
        sites = [dict(o) for o in cell.occupants]
    else:
        name = str(given.lattice.structure)
        material = make_material(given.formula, name, given.lattice.a_nm, given.lattice.c_nm, key="waxs.standard")
        solid = SolidSolution(core=material, shell=None, medium=Medium(name="vacuum", electron_density_e_nm3=0.0))
        cell = cell_of_structure(solid, name, 0.0, material.site_volume_nm3)
        sites = sites_of(solid, cell, 0.0)
    lines = reflections(cell, sites, load_factors("chantler"), energy_kev, _MARGIN * q_max_inv_nm)
    return lines, lattice_form(cell.vectors_nm), name


def measured_width(
    recipe: Recipe, standard: ScatteringCurve, rng: np.random.Generator
) -> Callable[[FloatArray], FloatArray]:
    """Full width of the instrument against q: the squares of the standard's widths, a polynomial of at most second order."""
    from nanostrata.stages.fit_peaks import PeakSettings, fit_peaks

    assert recipe.waxs is not None
    assert recipe.waxs.standard is not None
    energy = 20.0 if standard.energy_kev is None else standard.energy_kev
    lines, form, name = standard_lines(recipe.waxs.standard, recipe.root, energy, float(standard.q_inv_nm[-1]))
    found = fit_peaks(standard, lines, form, PeakSettings(structure=name), rng=rng)
    own = np.array(found.own_width)
    q, width = found.q_inv_nm.mean(axis=0)[own], found.fwhm_observed_inv_nm[:, own]
    order = min(2, len(q) - 1)
    law = np.polynomial.Polynomial.fit(
        q, (width**2).mean(axis=0), order, w=1.0 / np.maximum((width**2).std(axis=0), 1e-12)
    )
    floor = 0.25 * float((width**2).mean(axis=0).min())
    # beyond the standard's own peaks its nearest width holds: a polynomial says nothing there
    return lambda at: np.sqrt(np.maximum(law(np.clip(at, q.min(), q.max())), floor))
