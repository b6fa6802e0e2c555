"""The parts of the summary about atoms: what was built, and what the measurements say to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.domain import AtomicModel
from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import THRESHOLD_P, Verification
from nanostrata.domain.weight_refinement import WeightRefinement
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.recipe import Recipe


def atoms_part(ensemble: AtomEnsemble, solid: SolidSolution | None) -> dict[str, Any]:
    """Return ``atoms``: number means over the ensemble, and the particle nearest to the mean diameter."""
    typical = ensemble.typical
    w = ensemble.weights
    achieved = [_achieved(p, solid) for p in ensemble.particles]
    diameter = np.array([float(p.info["diameter_nm"]) for p in ensemble.particles])
    mean = float(w @ diameter)
    out: dict[str, Any] = {
        "counts": typical.counts,
        "charge_e": typical.info.get("charge_e"),
        "shell_fraction": _achieved_list(_achieved(typical, solid)),
        "particles": len(ensemble),
        "body": ensemble.body,
        "counts_mean": ensemble.mean_counts,
        "charge_mean_e": float(w @ np.array([float(p.info["charge_e"]) for p in ensemble.particles])),
        "diameter_mean_nm": mean,
        "diameter_std_nm": float(np.sqrt(w @ (diameter - mean) ** 2)),
        "weights": w.tolist(),
        "diameters_nm": diameter.tolist(),
        "draws": ensemble.draw.tolist(),
        "quadrature_error": ensemble.quadrature_error,
    }
    out |= _charge(ensemble, solid) | _coverage(ensemble, solid)
    if all(a is not None for a in achieved):
        # sites of a shell grow with the particle: the mean is over sites, as EDX sees it
        x = np.stack([a for a in achieved if a is not None])
        volume = w * diameter**3
        out["shell_fraction_mean"] = (volume @ np.nan_to_num(x) / volume.sum()).tolist()
    return out


def _charge(ensemble: AtomEnsemble, solid: SolidSolution | None) -> dict[str, Any]:
    """Exchange unit in words, and the charge of the first particle, split by where it comes from."""
    from nanostrata.errors import PhysicsError
    from nanostrata.models.exchange import exchange_scheme

    out: dict[str, Any] = {}
    if solid is not None and solid.shell is not None:
        try:
            out["exchange_unit"] = exchange_scheme(solid).sentence()
        except PhysicsError as error:
            out["exchange_unit"] = "; ".join(error.problems)
    if ensemble.balance:
        first = ensemble.balance[0]
        out["charge_balance"] = {
            "charge_e": first.charge_e,
            "surface_excess_e": first.surface_excess_e,
            "formula_e": first.formula_e,
            "residue_e": first.residue_e,
            "changed_sites": first.changed_sites,
            "messages": list(first.messages),
            "shells": [
                {
                    "shell": b.index,
                    "sites": dict(b.sites),
                    "x_wanted": b.x_wanted,
                    "x_achieved": b.x_achieved,
                    "charge_e": b.charge_e,
                    "exchange_units": b.exchange_units,
                    "message": b.message,
                }
                for b in first.shells
            ],
        }
    return out


def _coverage(ensemble: AtomEnsemble, solid: SolidSolution | None) -> dict[str, Any]:
    """Share of the outermost layer that is shell material; sigma and intervals are the spread between particles."""
    from nanostrata.domain.estimate import gaussian_quantity
    from nanostrata.models.coverage import surface_coverage

    if solid is None or solid.shell is None:
        return {}
    if any(p.info.get("structure") == "cif" for p in ensemble.particles):
        return {
            "coverage_message": "the outermost layer is counted in named structures only, not in the crystal of a CIF"
        }
    layers = surface_coverage(ensemble.particles, solid, ensemble.weights)
    if not layers:
        return {}
    first = layers[0]
    # a share: the Gaussian of its spread ends at 0 and 1
    coverage = gaussian_quantity(first.mean, first.spread or 0.0)
    for key in ("interval68", "interval95"):
        coverage[key] = [min(max(float(v), 0.0), 1.0) for v in coverage[key]]
    return {
        "coverage": coverage,
        "coverage_layer": first.sublattice,
        "coverage_by_sites": first.mean_by_sites,
    }


def verification_part(v: Verification) -> dict[str, Any]:
    """Return ``verification``: one entry per data set, the overall verdict, and what was allowed for."""
    out: dict[str, Any] = {"passed": v.passed, "threshold_p": THRESHOLD_P, "notes": list(v.notes)}
    for d in v.data_sets:
        out[d.name] = {
            "chi2_reduced": d.chi2_reduced,
            "chi2": d.chi2,
            "degrees_of_freedom": d.dof,
            "p": d.p,
            "verdict": d.verdict,
            "sentence": d.sentence,
            "numbers": dict(d.numbers),
            "corrections": [{"name": n, "in_prior_sigma": s} for n, s in d.corrections[:6]],
            "per_curve": [{"label": c.label, "energy_kev": c.energy_kev, "chi2_reduced": c.chi2_reduced} for c in d.curves],
        }  # fmt: skip
    return out


def map_warnings(recipe: Recipe, ensemble: AtomEnsemble, solid: SolidSolution | None) -> list[dict[str, str]]:
    """Return a warning where atoms of a graded particle are cut to the shape of an even one."""
    from_profile = recipe.shape is not None and recipe.shape.density == "profile"
    if ensemble.body != "map" or from_profile or solid is None or solid.shell is None:
        return []
    return [
        {
            "code": "map_of_even_density",
            "message": "the atoms are cut to a shape that was looked for as if the particles were even; they are not, and the shape carries "
            'the difference. Write density = "profile" under [shape]',
            "stage": "atoms",
        }
    ]


def refinement_part(r: WeightRefinement) -> dict[str, Any]:
    """Return ``verification.weights``: what other weights of the same particles change."""
    rows = zip(r.names, r.dof, r.chi2_before, r.chi2_after, r.p_before, r.p_after, strict=True)
    return {
        "sentence": r.sentence,
        "moved": r.moved,
        "effective_share": r.effective_share,
        "counted_particles": r.held_by if r.moved else None,
        "wanted_p": r.wanted_p,
        "disagreeing": list(r.disagreeing),
        "lost": list(r.lost),
        "effective_particles": r.effective_share * len(r.weights_after),
        "data_sets": [
            {"name": n, "degrees_of_freedom": dof, "chi2_before": a, "chi2_after": b, "p_before": pa, "p_after": pb}
            for n, dof, a, b, pa, pb in rows
        ],
        "sizes": {name: {"before": a, "after": b} for name, (a, b) in r.sizes.items()},
    }


def _achieved_list(x: FloatArray | None) -> list[float | None] | None:
    return None if x is None else [None if np.isnan(v) else float(v) for v in x]


def _achieved(atoms: AtomicModel, solid: SolidSolution | None) -> FloatArray | None:
    """Share of shell material among the sites of each shell; None where it cannot be counted, nan in an empty shell."""
    if solid is None or solid.shell is None or not len(atoms.shell_index):
        return None
    only_shell = [e for e in solid.shell.composition if e not in solid.core.composition]
    if not only_shell:
        return None
    element = only_shell[0]
    symbols = np.array(atoms.symbols)
    sublattices = len(solid.sublattices(np.array([0.5])))
    out = []
    for k in range(1, int(atoms.shell_index.max()) + 1):
        here = atoms.shell_index == k
        sites = here.sum() / sublattices
        out.append(
            float((symbols[here] == element).sum() / solid.shell.composition[element] / sites) if sites else np.nan
        )
    return np.array(out)
