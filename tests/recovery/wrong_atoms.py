"""Right and wrong ensembles for one simulated sample, and what the shell model expects of them beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.models.density import SolidSolution
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.simulate.truth import RadialTruth, shell_means
from nanostrata.tables.factors import FactorTable

MEAN_NM, STD_NM, ASPECT = 4.1, 0.49, 1.15
TRUE_PROFILE = RadialTruth(
    kind="points", positions=(0.0, 0.3, 0.5, 0.7, 0.85, 1.0), values=(0.10, 0.14, 0.29, 0.60, 0.88, 0.94)
)
MEAN_X = 0.699
"""Mean x per shared site of the true profile."""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One way to be wrong: what differs from the truth."""

    mean_nm: float = MEAN_NM
    aspect: float = ASPECT
    profile: Callable[[FloatArray], FloatArray] = TRUE_PROFILE


CASES = {
    "true": Wrong(),
    "gradient": Wrong(profile=RadialTruth(kind="linear", inner=0.545, outer=0.75)),
    "homogeneous": Wrong(profile=RadialTruth(kind="homogeneous", outer=MEAN_X)),
    "size": Wrong(mean_nm=1.05 * MEAN_NM),
    "aspect": Wrong(aspect=1.45),
    "mean x": Wrong(profile=lambda s: np.maximum(TRUE_PROFILE(s) - 0.15, 0.0)),
}


def ensemble(solid: SolidSolution, wrong: Wrong, seed: int, count: int) -> AtomEnsemble:
    """Atoms of one case, from another seed than the measurement."""
    plan = plan_sizes(wrong.mean_nm, STD_NM, count, q_max_inv_nm=4.5)
    n = len(plan.diameter_nm)
    x = mean_shells(wrong)
    return build_ensemble(
        solid, plan, mean_nm=wrong.mean_nm, std_nm=STD_NM, aspect_ratio=np.full(n, wrong.aspect), axis="110",
        shell_fraction=np.tile(x, (n, 1)), profiles=[wrong.profile] * n, seed=np.random.SeedSequence([seed, 77]),
    )  # fmt: skip


def mean_shells(wrong: Wrong, shells: int = 10) -> FloatArray:
    """Volume averages of the profile over equispaced shells."""
    if isinstance(wrong.profile, RadialTruth):
        return shell_means(wrong.profile, shells)
    s = (np.arange(40 * shells) + 0.5) / (40 * shells)
    x = wrong.profile(s).reshape(shells, 40)
    w = (s**2).reshape(shells, 40)
    return np.asarray((x * w).sum(axis=1) / w.sum(axis=1))


def shell_curves(
    solid: SolidSolution, factors: FactorTable, wrong: Wrong, q: FloatArray, energies: tuple[float, ...]
) -> FloatArray:
    """Size-averaged curves of the shell model, (n_energy, n_q); no atoms."""
    plan = plan_sizes(wrong.mean_nm, STD_NM, 20, q_max_inv_nm=4.5)
    x = mean_shells(wrong, 20)
    out = np.zeros((len(energies), len(q)))
    for d in np.unique(plan.diameter_nm):
        weight = plan.weights[plan.diameter_nm == d].sum()
        for k, e in enumerate(energies):
            out[k] += weight * spheroid_curve(
                q, solid, factors, e, diameter_nm=float(d), aspect_ratio=wrong.aspect, shell_fraction=x
            )
    return out
