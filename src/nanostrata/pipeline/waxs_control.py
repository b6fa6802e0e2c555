"""What the judgement of the direction of elongation would say of the fitted profile's own particles, without faults.

A composition gradient bends the lattice; the peak shapes of the judgement know it only as a spread of the lattice constant. What they
make of a gradient alone is therefore no evidence for elongation or faults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.waxs import LongAxis, WaxsFit
from nanostrata.models.density import SolidSolution
from nanostrata.stages.judge_axis import ROUND
from nanostrata.tables.factors import FactorTable

if TYPE_CHECKING:
    from nanostrata.domain.particle import ParticleDraws

__all__ = ["control_pattern", "held_back", "own_name"]

_COPIES = 3
_LONGEST_NM = 9.0  # larger particles take too long for a look at their peaks


def control_pattern(
    fit: WaxsFit, solid: SolidSolution, particle: ParticleDraws, structure: str, axis: str, factors: FactorTable, energy_kev: float,
    stream: np.random.SeedSequence,
) -> ScatteringCurve | None:  # fmt: skip
    """Pattern of the profile's particles without faults, with the instrument and the errors of the measured peaks.

    Returns
    -------
    ScatteringCurve, or None where the particles are too large for it
    """
    from nanostrata.models.atom_cloud import scattering
    from nanostrata.models.lattice_particle import build_from_profile

    if 2.0 * float(particle.profile.edges_nm[-1]) > _LONGEST_NM:
        return None
    aspect = float(particle.aspect_ratio.mean())
    spread = float((particle.diameter_std_nm / particle.diameter_mean_nm).mean())
    nodes, shares = np.polynomial.hermite_e.hermegauss(5)
    built, weights = [], []
    for node, share in zip(nodes, shares, strict=True):
        size = max(1.0 + spread * float(node), 0.4)
        profile = replace(particle.profile, edges_nm=size * particle.profile.edges_nm)
        for child in stream.spawn(_COPIES):
            built.append(build_from_profile(solid, profile, aspect, structure, axis, np.random.default_rng(child)))
            weights.append(share / _COPIES)
    q = fit.curve_q
    at = fit.q_inv_nm.mean(axis=0)
    order = np.argsort(at)
    sigma = np.interp(q, at[order], fit.instrument_fwhm_inv_nm[order]) / np.sqrt(8.0 * np.log(2.0))
    nodes, shares = np.polynomial.hermite.hermgauss(7)
    points = np.abs(q[:, None] + np.sqrt(2.0) * sigma[:, None] * nodes)
    seen = scattering(built, factors, [energy_kev], points.ravel(), 0.0, 0.01, weights=np.array(weights))[0]
    intensity = seen.reshape(points.shape) @ (shares / np.sqrt(np.pi))
    peaks = fit.fit - fit.background
    errors = fit.sigma * float(np.ptp(intensity) / np.ptp(peaks))
    return ScatteringCurve(q_inv_nm=q, intensity=intensity, sigma=errors, energy_kev=energy_kev)


def own_name(particle: ParticleDraws, axis: str) -> str:
    """What a right judgement would call the profile's own particles."""
    aspect = float(particle.aspect_ratio.mean())
    if abs(np.log(aspect)) < np.log1p(ROUND):
        return "none"
    return f"[{axis}]" if aspect > 1.0 else f"flat along [{axis}]"


def held_back(found: LongAxis, own: str, aspect: float, judge: Callable[[], LongAxis | None]) -> LongAxis:
    """The verdict on the measured pattern, held at "weak" where particles that are only graded are misread.

    Parameters
    ----------
    found : of the measured pattern
    own, aspect : name and aspect ratio of the particles of :func:`control_pattern`
    judge : the judgement of :func:`control_pattern`; asked only where there is something to hold back
    """
    if found.verdict not in ("strong", "moderate"):
        return found
    control = judge()
    if control is None:
        return found
    name, probability = next(iter(control.axis_probability.items()))
    best = max(control.candidates, key=lambda c: c.probability)
    faulted = best.fault_kind != "none" and best.fault_probability > 2.0 * best.fault_sigma
    if name == own and not faulted:
        return found
    true = "round particles" if own == "none" else f"particles of aspect ratio {aspect:.2f}, {_words(own)},"
    faults = f", with {best.fault_kind} faults of {100.0 * best.fault_probability:.2g} % per layer" if faulted else ""
    return replace(
        found,
        verdict="weak",
        reasons=(
            *found.reasons,
            f"{true} of the fitted profile without faults would be read as {_words(name)}{faults} ({100.0 * probability:.0f} %), "
            "because these peak shapes know a gradient only as a spread of the lattice constant; the grade is held at weak, and the whole "
            "pattern from particles of atoms (waxs.whole_pattern) decides better",
        ),
    )


def _words(name: str) -> str:
    return "round" if name == "none" else name if name.startswith("flat") else f"long along {name}"
