"""The parts of summary and tables about the crystal of the atoms: faults, surface, relaxation, strain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.relaxation import StrainProfile
from nanostrata.io.text_out import write_csv
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.recipe import Recipe

__all__ = ["crystal_part", "crystal_warnings", "write_strain"]


def crystal_part(ensemble: AtomEnsemble, recipe: Recipe, solid: SolidSolution | None) -> dict[str, Any]:
    """Return what is added to ``atoms``: ``crystal`` where it was asked for, ``relax`` and ``strain`` where atoms moved."""
    out: dict[str, Any] = {}
    w = ensemble.weights
    asked = recipe.atoms
    if asked is not None and asked.model_fields_set - {"particles", "relax", "bonds", "elastic"}:
        crystal: dict[str, Any] = {
            "lattice": asked.lattice,
            "termination": asked.termination,
            "min_bonds": asked.min_bonds,
        }
        if asked.facets is not None:
            crystal["facets"] = dict(asked.facets)
        if all("hexagonality" in p.info for p in ensemble.particles):
            crystal["fault_probability"] = asked.fault_probability
            crystal["fault_kind"] = asked.fault_kind
            crystal["faults_mean"] = float(w @ np.array([float(p.info["faults"]) for p in ensemble.particles]))
            crystal["hexagonality_mean"] = float(
                w @ np.array([float(p.info["hexagonality"]) for p in ensemble.particles])
            )
        out["crystal"] = crystal
    if ensemble.relaxation and solid is not None:
        out["relax"] = _relaxation(ensemble, recipe, solid)
    if ensemble.strain is not None:
        out["strain"] = _strain(ensemble.strain)
    return out


def _relaxation(ensemble: AtomEnsemble, recipe: Recipe, solid: SolidSolution) -> dict[str, Any]:
    from nanostrata.pipeline.crystal_run import given_force_field

    w, reports = ensemble.weights, ensemble.relaxation
    field = given_force_field(recipe, solid)
    first = reports[0]
    return {
        "method": first.method,
        "tolerance_nn": first.tolerance_nn,
        "max_force_nn": max(r.max_force_nn for r in reports),
        "energy_before_ev": float(w @ np.array([r.energy_before_ev for r in reports])),
        "energy_ev": float(w @ np.array([r.energy_ev for r in reports])),
        "mean_move_nm": float(w @ np.array([r.mean_move_nm for r in reports])),
        "largest_move_nm": max(r.largest_move_nm for r in reports),
        "radius_change_percent": float(100 * (w @ np.array([r.radius_change for r in reports]))),
        "full_share": float(w @ np.array([r.full_share for r in reports])),
        "bond_length_nm": dict(first.bond_length_nm),
        "bond_length_std_nm": dict(first.bond_length_std_nm),
        "bonds": [
            {
                "bond": name,
                "length_nm": b.length_nm,
                "alpha_n_m": b.alpha_n_m,
                "beta_n_m": b.beta_n_m,
                "source": b.source,
            }
            for name, b in (field.laws.items() if field is not None else ())
        ],
    }


def crystal_warnings(ensemble: AtomEnsemble | None) -> list[dict[str, str]]:
    """What a reader must know of the relaxation."""
    if ensemble is None or not ensemble.relaxation:
        return []
    vacant = sum(int(p.info.get("vacancies", 0)) for p in ensemble.particles)
    sites = sum(len(p) for p in ensemble.particles)
    if vacant < 0.01 * sites:
        return []
    return [
        {
            "code": "vacancies_soften",
            "message": f"{100 * vacant / sites:.0f} % of the lattice sites are empty, and no bonds lead to them: the relaxed model "
            "is softer there than the elastic constants say (one empty cation site in seven halves the bulk modulus), and its "
            "strain is an upper bound in the core",
            "stage": "atoms",
        }
    ]


def _strain(p: StrainProfile) -> dict[str, Any]:
    """Means over the atoms of the inner and of the outer half of the radius, and where strain is largest, per cent."""
    middle = 0.5 * (p.radius_fraction[1:] + p.radius_fraction[:-1])
    out: dict[str, Any] = {}
    for name, here in (("inner", middle < 0.5), ("outer", middle >= 0.5)):
        n = p.atoms[here].sum()
        out[f"{name}_dilation_percent"] = float(100 * (p.atoms[here] @ p.dilation[here]) / n) if n else None
    tangential = int(np.argmax(np.abs(p.tangential)))
    out["largest_tangential_percent"] = float(100 * p.tangential[tangential])
    out["largest_tangential_r_nm"] = float(p.radius_nm[tangential])
    out["lattice_spread_percent"] = float(
        100 * np.sqrt((p.atoms @ p.lattice_std_nm**2) / p.atoms.sum()) / float(p.atoms @ p.lattice_nm / p.atoms.sum())
    )
    return out


def write_strain(strain: StrainProfile, folder: Path) -> None:
    """Write ``strain.csv``: one row per bin of the radius, strains as fractions of 1."""
    names = (
        "radius_nm", "atoms", "lattice_nm", "lattice_std_nm", "vegard_nm", "dilation", "dilation_std", "radial", "radial_std",
        "tangential", "tangential_std",
    )  # fmt: skip
    columns = [getattr(strain, n).tolist() for n in names]
    edges = strain.radius_fraction.tolist()
    write_csv(
        folder / "strain.csv", ["s_inner", "s_outer", "r_nm", *names[1:]],
        [[a, b, *row] for a, b, row in zip(edges[:-1], edges[1:], zip(*columns, strict=True), strict=True)],
    )  # fmt: skip
