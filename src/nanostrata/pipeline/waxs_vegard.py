"""What the lattice constants of the peaks say of the composition, and what those of a graded particle would say.

The lattice constant of a peak is not that of the mean composition: in a graded particle the lattice changes from layer to layer,
and the peak stands where the planes that scatter in phase have their mean spacing. So the profile's own particle is built, its
pattern computed atom by atom and fitted like the measured one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.waxs import VegardReading, WaxsFit
from nanostrata.models.density import SolidSolution
from nanostrata.tables.factors import FactorTable

if TYPE_CHECKING:
    from nanostrata.domain.particle import ParticleDraws

__all__ = ["read_vegard"]

_PARTICLES = 4
_NOISE = 0.002
_LONGEST_NM = 9.0  # larger particles take too long for a look at their peaks


def read_vegard(
    fit: WaxsFit, solid: SolidSolution, particle: ParticleDraws | None, structure: str, axis: str, factors: FactorTable,
    energy_kev: float, refit: Callable[[ScatteringCurve], WaxsFit], stream: np.random.SeedSequence,
) -> VegardReading | None:  # fmt: skip
    """Compositions by Vegard's rule; None where there is one material, or a lattice constant that does not change.

    Parameters
    ----------
    fit : of the measured pattern
    solid : both end members, of one structure
    particle : of the profile's fit; without it only the plain reading is returned
    structure, axis : of the particles to build
    factors, energy_kev : of their pattern
    refit : fits a computed pattern as the measured one was fitted
    stream : of random numbers
    """
    if solid.shell is None or solid.shell.structure != solid.core.structure or structure != solid.core.structure:
        return None
    ends = np.array([[float(v[0]) for v in solid.lattice_nm(np.array([x]))] for x in (0.0, 1.0)])
    ends = ends[:, : len(fit.lattice_names)]
    if np.any(np.abs(ends[1] / ends[0] - 1.0) < 0.003):
        return None
    measured = (fit.lattice_nm - ends[0]) / (ends[1] - ends[0])
    predicted: FloatArray | None = None
    mean = None
    if particle is not None:
        mean = float(particle.mean_fraction_sites.mean())
        computed = _computed(fit, solid, particle, structure, axis, factors, energy_kev, refit, stream)
        if computed is not None:
            predicted = (computed - ends[0]) / (ends[1] - ends[0])
    return VegardReading(
        names=fit.lattice_names, fraction=measured, mean_fraction=mean, predicted=predicted, ends_nm=ends
    )  # fmt: skip


def _computed(
    fit: WaxsFit, solid: SolidSolution, particle: ParticleDraws, structure: str, axis: str, factors: FactorTable,
    energy_kev: float, refit: Callable[[ScatteringCurve], WaxsFit], stream: np.random.SeedSequence,
) -> FloatArray | None:  # fmt: skip
    """Lattice constants that the peaks of the profile's particle would give."""
    from nanostrata.models.atom_cloud import scattering
    from nanostrata.models.lattice_particle import build_from_profile

    aspect = float(particle.aspect_ratio.mean())
    if 2.0 * float(particle.profile.edges_nm[-1]) > _LONGEST_NM:
        return None
    built = [
        build_from_profile(solid, particle.profile, aspect, structure, axis, np.random.default_rng(s))
        for s in stream.spawn(_PARTICLES)
    ]
    q = fit.curve_q
    intensity = scattering(built, factors, [energy_kev], q, 0.0, 0.01)[0]
    sigma = _NOISE * np.sqrt(intensity * intensity.max())
    found = refit(ScatteringCurve(q_inv_nm=q, intensity=intensity, sigma=sigma, energy_kev=energy_kev))
    return np.asarray(found.lattice_nm.mean(axis=0))
