"""Tables of the atoms and of what the measurements say to them."""

from __future__ import annotations

from pathlib import Path

from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import Verification
from nanostrata.domain.weight_refinement import WeightRefinement
from nanostrata.errors import PhysicsError
from nanostrata.io.text_out import write_csv
from nanostrata.models.density import SolidSolution


def write_ensemble(ensemble: AtomEnsemble, folder: Path) -> None:
    """Write ``ensemble.csv``: one row per particle."""
    elements = sorted({e for p in ensemble.particles for e in p.counts})
    rows = []
    for i, p in enumerate(ensemble.particles):
        counts = p.counts
        rows.append(
            [i + 1, float(ensemble.weights[i]), float(p.info["diameter_nm"]), float(ensemble.aspect_ratio[i]),
             float(p.info["charge_e"]), int(ensemble.draw[i]), *[counts.get(e, 0) for e in elements]]
        )  # fmt: skip
    write_csv(
        folder / "ensemble.csv",
        ["particle", "weight", "diameter_nm", "aspect_ratio", "charge_e", "posterior_draw", *elements], rows,
    )  # fmt: skip


def write_particles(ensemble: AtomEnsemble, solid: SolidSolution | None, folder: Path, *, title: str) -> None:
    """Write all particles as extended XYZ, the first (nearest to the mean diameter) in other formats too."""
    from nanostrata.io.structures import write_extxyz, write_structures
    from nanostrata.models.exchange import element_states

    try:
        states = element_states(solid) if solid is not None else {}
    except PhysicsError:  # an element that is cation here and anion there has no one charge
        states = {}
    write_structures(folder, ensemble.particles, oxidation=states or None, weights=ensemble.weights, title=title)
    write_extxyz(folder / "particle.xyz", ensemble.typical, comment=title)


def write_verification(v: Verification, folder: Path) -> None:
    """Write ``verification.csv`` (one row per data set) and ``verification_curves.csv`` (one row per point)."""
    write_csv(
        folder / "verification.csv", ["data_set", "chi2", "degrees_of_freedom", "chi2_reduced", "p", "verdict", "sentence"],
        [[d.name, d.chi2, d.dof, d.chi2_reduced, d.p, d.verdict, d.sentence] for d in v.data_sets],
    )  # fmt: skip
    rows = [
        [d.name, c.label, c.energy_kev, *values]
        for d in v.data_sets
        for c in d.curves
        for values in zip(c.q_inv_nm, c.intensity, c.sigma, c.atoms, c.bare, c.model_error, strict=True)
    ]
    write_csv(
        folder / "verification_curves.csv",
        ["data_set", "curve", "energy_kev", "q_inv_nm", "intensity", "sigma", "atoms", "atoms_scale_only", "model_error"], rows,
    )  # fmt: skip


def write_weights(r: WeightRefinement, folder: Path) -> None:
    """Write ``refined_weights.csv``: one row per particle, in the order of ``ensemble.csv``."""
    rows = [
        [i + 1, float(a), float(b), float(b / a)]
        for i, (a, b) in enumerate(zip(r.weights_before, r.weights_after, strict=True))
    ]
    write_csv(folder / "refined_weights.csv", ["particle", "weight", "refined_weight", "ratio"], rows)
