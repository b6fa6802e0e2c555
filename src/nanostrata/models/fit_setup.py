"""All that a posterior of any profile family is built from: curves, materials and what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.models.build_posterior import PriorKnowledge, build_posterior
from nanostrata.models.density import SolidSolution
from nanostrata.models.families import ProfileFamily, shell_averages
from nanostrata.models.graded_particle import GradedParticle, Shape, SizeKind, SizeRange, prepare
from nanostrata.models.nodes import with_nodes
from nanostrata.models.posterior import Posterior, curve_slices
from nanostrata.tables.factors import FactorTable


@dataclass(frozen=True, kw_only=True)
class FitSetup:
    """What stays the same when only the family of the profile changes.

    Attributes
    ----------
    curves : one per energy
    factors : f', f''
    known : priors of sizes, composition, scales, backgrounds, contrasts
    shape, size_kind, smearing, atomic_form_factors, laue, engine : as for the fit of the profile
    """

    curves: tuple[ScatteringCurve, ...]
    solid: SolidSolution
    factors: FactorTable
    known: PriorKnowledge
    shape: Shape = "sphere"
    size_kind: SizeKind = "gaussian"
    smearing: str | float = "none"
    atomic_form_factors: bool = True
    laue: bool = True
    engine: str = "auto"

    def particle(self, family: ProfileFamily, curves: Sequence[ScatteringCurve] | None = None) -> GradedParticle:
        """Return the graded particle with the shells of the family; other curves only for their q."""
        sizes = self.known.sizes
        return prepare(
            self.curves if curves is None else curves, self.solid, self.factors, family.fractions,
            sizes=SizeRange.around(sizes), kind=self.size_kind, shape=self.shape,
            readings_nm=sizes.diameters_nm if len(sizes.diameters_nm) else None,
            aspect_spread=(sizes.aspect_std or 0.0) / (sizes.aspect_ratio or 1.0), smearing=self.smearing,
            atomic_form_factors=self.atomic_form_factors, laue=self.laue and self.known.background != "none",
            errors=self.known.contrast_errors, engine=self.engine,
        )  # fmt: skip

    def posterior(self, family: ProfileFamily, sigma_factors: Sequence[float] | None = None) -> Posterior:
        """Return the posterior of a family; stated sigmas of each curve are multiplied by ``sigma_factors``."""
        return build_posterior(self.curves, self.particle(family), family, self.known, sigma_factors=sigma_factors)

    def on_nodes(self, posterior: Posterior) -> Posterior:
        """Return the same posterior, evaluated at the few q that carry all curves."""
        return with_nodes(posterior, self.curves, lambda curves: self.particle(posterior.family, curves))


def equispaced(posterior: Posterior, theta: FloatArray, shells: int) -> FloatArray:
    """Return x of equispaced shells at these parameters: volume averages of the family's own, (shells,)."""
    x, _ = posterior.family.composition(posterior.split(theta)[0])
    return np.asarray(shell_averages(x[None], posterior.family.fractions, shells)[0])


def enlarged_sigma(posterior: Posterior, best: FloatArray) -> FloatArray:
    """Return the factor on each curve's sigma: sqrt(chi2 per degree of freedom) where p < 0.01, else 1."""
    from scipy.stats import chi2

    model, _ = posterior.model(best, gradient=False)
    r2 = ((model - posterior.intensity) / posterior.sigma) ** 2
    used = len(best) / len(posterior.scale_prior)
    out = []
    for s in curve_slices(posterior):
        dof = max(1.0, (s.stop - s.start) - used)
        total = float(r2[s].sum())
        out.append(np.sqrt(total / dof) if chi2.sf(total, dof) < 0.01 else 1.0)
    return np.array(out)
