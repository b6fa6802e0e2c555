"""The paper's sample and beamtime as a setup of a plan, and measurements simulated from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nanostrata.domain import Medium, SizeDistribution
from nanostrata.domain.plan import NoiseLaw, PlanGuess
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.density import SolidSolution
from nanostrata.models.information import PlanSetup
from nanostrata.models.materials import make_material
from nanostrata.models.posterior import Posterior
from nanostrata.tables.factors import load_factors

CHANTLER = load_factors("chantler")
PAPER = (16.0, 9.63, 9.30, 8.90)
THICK = np.array([0.0, 0.20, 0.35, 0.50, 0.98])
FLAT = NoiseLaw(noise_q_inv_nm=np.inf, floor=0.0, fluorescence=False)
"""1 % of every point after one second, and nothing else."""


def solid(density_sd: float = 0.01) -> SolidSolution:
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe", density_uncertainty=density_sd)
    shell = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7", density_uncertainty=density_sd)
    return SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=283.33))


def setup(
    shells: int = 3, *, edx: float | None = 0.02, scale: str = "per_energy", density_sd: float = 0.01, x: np.ndarray = THICK,
    noise: NoiseLaw = FLAT, smooth_sd: float | None = None, q_max: float = 4.5, **known: Any,
) -> PlanSetup:  # fmt: skip
    """Thick shell, q from 0.5 1/nm, 120 points, TEM of 120 particles, all nuisances of the fit."""
    sizes = SizeDistribution(mean_nm=4.1, std_nm=0.49, mean_sigma_nm=0.045, std_sigma_nm=0.032, n_counted=120)
    prior = PriorKnowledge(
        sizes=sizes, scale=scale, composition=None if edx is None else (0.5, edx),
        contrast_errors=ContrastErrors(medium_density=0.002, energy_ev=0.5), **known,
    )  # fmt: skip
    guess = PlanGuess(shell_fraction=x, diameter_mean_nm=4.1, diameter_std_nm=0.49)
    return PlanSetup(
        solid=solid(density_sd), factors=CHANTLER, known=prior, guess=guess, noise=noise, q_inv_nm=np.linspace(0.5, q_max, 120),
        shells=shells, smooth_sd=smooth_sd,
    )  # fmt: skip


def measured(posterior: Posterior, theta: np.ndarray, rng: np.random.Generator) -> Posterior:
    """Data of the sample at theta: nuisances drawn from their priors, readings of TEM and EDX with their errors, noise."""
    names = posterior.names
    truth = theta.copy()
    for name, prior in zip(("density_core", "density_shell"), posterior.density_prior, strict=True):
        truth[names.index(name)] += prior.sd * rng.standard_normal()
    for i, prior in enumerate(posterior.scale_prior):
        # a free scale may be anything: 1.5 % is as good as another
        truth[names.index(f"scale_{i}")] += min(prior.sd, 0.015) * rng.standard_normal()
    for name in posterior.particle.contrast_errors:
        truth[names.index(name)] += rng.standard_normal()
    for i in range(posterior.shape_modes.shape[1]):
        truth[names.index(f"shape_error_{i + 1}")] += posterior.shape_error * rng.standard_normal()
    clean, _ = posterior.model(truth, gradient=False)
    n = len(posterior.family.names)
    sizes = tuple(
        replace(g, mean=theta[n + i] + g.sd * rng.standard_normal()) for i, g in enumerate(posterior.size_prior)
    )
    edx = posterior.composition
    if edx is not None:
        edx = replace(edx, mean=edx.mean + edx.sd * rng.standard_normal())
    data = clean + posterior.sigma * rng.standard_normal(len(clean))
    return replace(posterior, intensity=data, size_prior=sizes, composition=edx)
