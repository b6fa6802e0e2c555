"""The parts of the summary about atoms: what was built, and what the measurements say to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.domain import AtomicModel
from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import THRESHOLD_P, Verification
from nanostrata.models.density import SolidSolution


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
        "counts_mean": ensemble.mean_counts,
        "charge_mean_e": float(w @ np.array([float(p.info["charge_e"]) for p in ensemble.particles])),
        "diameter_mean_nm": mean,
        "diameter_std_nm": float(np.sqrt(w @ (diameter - mean) ** 2)),
        "weights": w.tolist(),
        "diameters_nm": diameter.tolist(),
        "draws": ensemble.draw.tolist(),
        "quadrature_error": ensemble.quadrature_error,
    }
    if all(a is not None for a in achieved):
        # sites of a shell grow with the particle: the mean is over sites, as EDX sees it
        x = np.stack([a for a in achieved if a is not None])
        volume = w * diameter**3
        out["shell_fraction_mean"] = (volume @ np.nan_to_num(x) / volume.sum()).tolist()
    return out


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
