"""Measurements drawn from the shell model itself, for fast recovery tests (tests from atoms are in make test-all)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nanostrata.domain import Medium, ScatteringCurve, SizeDistribution
from nanostrata.domain.fit import ProfileFit
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.density import SolidSolution
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.materials import make_material
from nanostrata.stages.fit_profile import ProfileSettings, fit_profile
from nanostrata.tables.factors import load_factors

CHANTLER = load_factors("chantler")
ENERGIES = (16.0, 9.63, 9.30, 8.90)
QUICK = ProfileSettings(draws=150, warmup=120, chains=2, refits=10)


def solid(core_lattice: tuple[float, float] = (0.426, 0.702)) -> SolidSolution:
    core = make_material("Ag2In4Se7", "wurtzite", *core_lattice, partner="ZnSe")
    shell = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7")
    return SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=283.33))


def measure(
    x: np.ndarray, diameter: float, std: float, seed: int, *, noise: float = 0.01, q_max: float = 4.5,
    truth: SolidSolution | None = None, energies: tuple[float, ...] = ENERGIES,
) -> list[ScatteringCurve]:  # fmt: skip
    """Curves of a particle with the given shells, with noise, beam normalisation errors and a constant."""
    rng = np.random.default_rng(seed)
    q = np.linspace(0.5, q_max, 120)
    one = np.ones(len(q))
    curves = [ScatteringCurve(q_inv_nm=q, intensity=one, sigma=one, energy_kev=e, label=f"{e} keV") for e in energies]
    reach = SizeRange(mean_low=diameter - 0.3, mean_high=diameter + 0.3, std_low=0.7 * std, std_high=1.4 * std)
    model = prepare(curves, truth or solid(), CHANTLER, np.arange(1, len(x) + 1) / len(x), sizes=reach)
    e = model.evaluate(np.asarray(x, dtype=float), np.array([diameter, std]))
    out = []
    for i, c in enumerate(curves):
        clean = (e.value + e.laue)[model.curve_index == i] * 1e-9 * np.exp(0.015 * rng.standard_normal())
        clean = clean + 0.02 * clean[-1]
        sigma = noise * clean * np.sqrt(1 + (q / 3) ** 4 * 0.3)
        out.append(replace(c, intensity=clean + sigma * rng.standard_normal(len(q)), sigma=sigma))
    return out


def known(diameter: float, std: float, seed: int, composition: float | None) -> PriorKnowledge:
    """TEM and EDX with their own errors."""
    rng = np.random.default_rng(1000 + seed)
    sizes = SizeDistribution(
        mean_nm=diameter + 0.04 * rng.standard_normal(), std_nm=std + 0.03 * rng.standard_normal(), mean_sigma_nm=0.04,
        std_sigma_nm=0.03, n_counted=120,
    )  # fmt: skip
    edx = None if composition is None else (composition + 0.02 * rng.standard_normal(), 0.02)
    return PriorKnowledge(sizes=sizes, composition=edx)


def fit(
    curves: list[ScatteringCurve], prior: PriorKnowledge, settings: ProfileSettings = QUICK, seed: int = 1
) -> ProfileFit:
    return fit_profile(curves, solid(), CHANTLER, None, prior, settings, seed=seed)


def site_mean(x: np.ndarray) -> float:
    return solid().mean_site_fraction(x, np.diff((np.arange(len(x) + 1) / len(x)) ** 3))


def inside95(fit_result: ProfileFit, x: np.ndarray) -> np.ndarray:
    low, high = np.quantile(fit_result.main_shells, [0.025, 0.975], axis=0)
    return (low <= x) & (x <= high)
