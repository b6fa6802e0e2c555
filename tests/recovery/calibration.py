"""Particles drawn from the prior, measured by the model, and inferred: do the intervals say what they promise?"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nanostrata.domain import ScatteringCurve, SizeDistribution
from nanostrata.domain.fit import ProfileFit
from nanostrata.kernels.hmc import sample
from nanostrata.models.build_posterior import PriorKnowledge, build_posterior
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.explore import draw, laplace_covariance, local_maxima
from nanostrata.models.families import Shells, make_family
from nanostrata.models.graded_particle import GradedParticle, SizeRange, prepare
from nanostrata.models.nodes import with_nodes
from nanostrata.models.posterior import SHAPE_DEGREE, Posterior
from nanostrata.pipeline.run import run_project
from nanostrata.pipeline.simulate_run import simulate_run
from nanostrata.stages.fit_profile import fit_profile

from .campaign import CHANTLER, ENERGIES, QUICK, solid

TEM = SizeDistribution(mean_nm=4.1, std_nm=0.49, mean_sigma_nm=0.045, std_sigma_nm=0.032, n_counted=120)
ERRORS = ContrastErrors(medium_density=0.002, energy_ev=0.5)
EDX_SIGMA = 0.02
RANKED = 99
"""Draws kept of each posterior: the truth has one of 100 ranks among them."""

SETTINGS = replace(QUICK, draws=400, warmup=240, chains=4)
QUANTITIES = ("x1", "x2", "x3", "x4", "x5", "diameter", "width", "mean x")


@dataclass(frozen=True)
class Sample:
    """Measured curves, what is known besides them, and the truth of ``QUANTITIES``."""

    curves: list[ScatteringCurve]
    known: PriorKnowledge
    truth: np.ndarray


def prior_profile(rng: np.random.Generator, family: Shells) -> np.ndarray:
    """Draw from the prior of the shells by rejection from the box."""
    while True:
        x = rng.uniform(size=family.n)
        r, _ = family.prior_rows(x)
        if rng.uniform() < np.exp(-0.5 * float(r @ r)):
            return x


def _particle(curves: list[ScatteringCurve], known: PriorKnowledge, family: Any) -> GradedParticle:
    return prepare(
        curves, solid(), CHANTLER, family.fractions, sizes=SizeRange.around(known.sizes), errors=known.contrast_errors
    )


def sample_from_prior(
    seed: int, *, x: np.ndarray | None = None, noise: float = 0.01, q_max: float = 4.5,
    energies: tuple[float, ...] = ENERGIES, shape_error: float = 0.007,
) -> Sample:  # fmt: skip
    """Everything that the posterior has a prior for is drawn from it; ``x`` instead of the profile's prior, if given."""
    rng = np.random.default_rng([7, seed])
    family = make_family("shells", 5 if x is None else len(x))
    assert isinstance(family, Shells)
    x = prior_profile(rng, family) if x is None else np.asarray(x, dtype=float)
    q = np.linspace(0.5, q_max, 120)
    one = np.ones(len(q))
    curves = [ScatteringCurve(q_inv_nm=q, intensity=one, sigma=one, energy_kev=e, label=f"{e} keV") for e in energies]
    known = PriorKnowledge(sizes=TEM, contrast_errors=ERRORS, shape_error=shape_error)
    particle = _particle(curves, known, family)
    size = np.array([rng.normal(TEM.mean_nm, TEM.mean_sigma_nm), rng.normal(TEM.std_nm, TEM.std_sigma_nm)])
    density = 0.01 * rng.standard_normal(2)
    contrast = rng.standard_normal(len(particle.contrast_errors))
    e = particle.evaluate(x, size, (density[0], density[1]), contrast=contrast)
    ideal = 1e-9 * (e.value + e.laue)
    u = 2.0 * (q - q[0]) / (q[-1] - q[0]) - 1.0
    modes = np.polynomial.legendre.legvander(u, SHAPE_DEGREE)[:, 1:] @ (shape_error * rng.standard_normal(SHAPE_DEGREE))
    measured = []
    for i, c in enumerate(curves):
        part = ideal[particle.curve_index == i]
        clean = (
            part * (1.0 + known.scale_uncertainty * rng.standard_normal() + modes)
            + 0.05 * part[-1] * rng.standard_normal()
        )
        sigma = noise * part * np.sqrt(1 + 0.3 * (q / 3) ** 4)
        measured.append(replace(c, intensity=clean + sigma * rng.standard_normal(len(q)), sigma=sigma))
    volumes = np.diff(family.fractions**3, prepend=0.0)
    mean = solid().mean_site_fraction(x, volumes)
    known = replace(known, composition=(mean + EDX_SIGMA * rng.standard_normal(), EDX_SIGMA))
    return Sample(curves=measured, known=known, truth=np.array([*x, *size, mean]))


def posterior_of(sample: Sample, family: Any) -> tuple[Posterior, list[np.ndarray]]:
    """The posterior as the fit builds it, on nodes, and its maxima."""
    particle = _particle(sample.curves, sample.known, family)
    p = build_posterior(sample.curves, particle, family, sample.known)
    modes = local_maxima(p)
    return with_nodes(p, sample.curves, lambda c: _particle(list(c), sample.known, family)), modes


def infer(sample: Sample, seed: int, settings: Any = SETTINGS) -> tuple[np.ndarray, float]:
    """Draws of ``QUANTITIES``, (n_draw, 8), and R-hat."""
    p, modes = posterior_of(sample, make_family("shells", 5))
    d = draw(p, modes[0], settings, np.random.SeedSequence([11, seed]), modes[1:])
    means = np.array([p.mean_composition(s)[0] for s in d.shell_fraction])
    at = d.names.index("diameter_mean_nm")
    return np.column_stack([d.shell_fraction, d.theta[:, at : at + 2], means]), d.r_hat


def calibrate(seed: int) -> dict[str, Any]:
    """Rank of the truth, whether it is covered, and the standard deviations, for one draw from the prior."""
    measured = sample_from_prior(seed)
    draws, r_hat = infer(measured, seed)
    thinned = draws[np.linspace(0, len(draws) - 1, RANKED).astype(int)]
    low, lower, upper, high = np.quantile(draws, [0.025, 0.16, 0.84, 0.975], axis=0)
    t = measured.truth
    return {
        "seed": seed,
        "rank": (thinned < t).sum(axis=0).tolist(),
        "in68": ((lower <= t) & (t <= upper)).tolist(),
        "in95": ((low <= t) & (t <= high)).tolist(),
        "sd": draws.std(axis=0, ddof=1).tolist(),
        "r_hat": r_hat,
    }


THICK = (0.02, 0.10, 0.30, 0.65, 0.98)
ABRUPT = (0.05, 0.05, 0.05, 0.05, 0.95)
FAR = (13.6, 14.4, 15.2, 16.0)
VERDICTS = replace(QUICK, draws=200, warmup=160, chains=2, refits=2)


def _fit(sample: Sample, seed: int) -> ProfileFit:
    return fit_profile(sample.curves, solid(), CHANTLER, None, sample.known, VERDICTS, seed=seed)


def _judged(x: Sequence[float], seed: int) -> dict[str, Any]:
    f = _fit(sample_from_prior(seed, x=np.asarray(x)), seed)
    return {"gradient": f.gradient, "informed_by": f.informed_by, **f.gradient_numbers}


def homogeneous(seed: int) -> dict[str, Any]:
    """Verdict on a particle of one composition, 0.1 to 0.9."""
    return _judged([0.1 + 0.8 * np.random.default_rng([3, seed]).uniform()] * 5, seed)


def thick(seed: int) -> dict[str, Any]:
    """Verdict on a gradient like that of a thick shell."""
    return _judged(THICK, seed)


def abrupt(seed: int) -> dict[str, Any]:
    """Verdict on a core without and a shell with the element."""
    return _judged(ABRUPT, seed)


def far(seed: int) -> dict[str, Any]:
    """Energies far above every edge and no EDX: labels, and standard deviations over that of the prior."""
    measured = sample_from_prior(seed, energies=FAR)
    f = _fit(replace(measured, known=replace(measured.known, composition=None)), seed)
    return {"informed_by": f.informed_by, "ratio": (f.independent_sd * np.sqrt(12.0)).tolist()}


def long_run(seed: int) -> dict[str, Any]:
    """Standard deviations by another route: all parameters sampled jointly on the data's own points, for long."""
    p, modes = posterior_of(sample_from_prior(seed), make_family("shells", 5))
    p = replace(p, nodes=None)
    free, best = p.free, modes[0]

    def density(z: np.ndarray) -> tuple[float, np.ndarray]:
        theta = best.copy()
        theta[free] = z
        return p.log_density(theta)

    low, high = p.lower[free], p.upper[free]
    margin = 1e-3 * np.where(np.isfinite(high - low), high - low, 1.0)
    chains = []
    cov = laplace_covariance(p, best)
    for k in range(2):
        rng = np.random.default_rng([13, seed, k])
        pilot = sample(
            density, np.clip(best[free], low + margin, high - margin), cov, low, high, draws=400, warmup=300, rng=rng
        )
        chains.append(
            sample(density, pilot.draws[-1], np.cov(pilot.draws.T), low, high, draws=2500, warmup=200, rng=rng).draws
        )
    z = np.concatenate(chains)
    x = z[:, :5]
    means = np.array([p.mean_composition(row)[0] for row in x])
    return {"sd": [*x.std(axis=0, ddof=1), *z[:, 5:7].std(axis=0, ddof=1), means.std(ddof=1)]}


def from_atoms(seed: int) -> dict[str, Any]:
    """A profile drawn from the prior, particles of explicit atoms, and the whole run of the measured files."""
    rng = np.random.default_rng([17, seed])
    family = make_family("shells", 5)
    assert isinstance(family, Shells)
    x = prior_profile(rng, family)
    source = files("nanostrata") / "data" / "demo" / "thick" / "truth.toml"
    lines = source.read_text(encoding="utf-8").splitlines()
    drawn = {
        "profile": f"shell_fraction = {[round(float(v), 4) for v in x]}",
        "diameter_mean_nm": f"diameter_mean_nm = {rng.normal(4.1, 0.15):.4f}",
        "diameter_std_nm": f"diameter_std_nm = {rng.normal(0.45, 0.03):.4f}",
        "aspect_ratio": f"aspect_ratio = {rng.uniform(1.05, 1.3):.4f}",
    }
    truth_at = lines.index("[truth]")
    for i in range(truth_at, len(lines)):
        lines[i] = drawn.get(lines[i].split("=")[0].strip(), lines[i])
    kept_at = os.environ.get("NANOSTRATA_RECOVERY")
    with TemporaryDirectory() if kept_at is None else nullcontext(f"{kept_at}/atoms/{seed}") as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        project = Path(folder) / "truth.toml"
        project.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if not (Path(folder) / "data" / "truth.json").exists():
            simulate_run(project, Path(folder) / "data", seed=seed)
        summary = run_project(
            Path(folder) / "data" / "project.toml",
            out=Path(folder) / "run",
            preset="quick",
            only=("profile",),
            seed=seed,
        ).summary
        truth = json.loads((Path(folder) / "data" / "truth.json").read_text(encoding="utf-8"))
    profile, particle = summary["profile"], summary["particle"]
    true = [*truth["shell_fraction"], truth["diameter_mean_nm"], truth["diameter_std_nm"], truth["mean_shell_fraction"]]
    scalars = (particle["diameter_mean_nm"], particle["diameter_std_nm"], profile["mean_shell_fraction"])

    def row(key: str) -> list[Any]:
        return [*profile["shell_fraction"][key], *(q[key] for q in scalars)]

    return {"truth": true, **{k: row(k) for k in ("value", "sigma", "interval68", "interval95")}}


JOBS = {
    "calibrate": calibrate, "homogeneous": homogeneous, "thick_shell": thick, "abrupt": abrupt, "far": far, "long_run": long_run, "from_atoms": from_atoms,
}  # fmt: skip


def kept(job: tuple[str, int, str]) -> dict[str, Any]:
    """Run one named job, or take its result from the folder of ``NANOSTRATA_RECOVERY`` where a run left it."""
    name, seed, folder = job
    path = Path(folder) / name / f"{seed}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        result = JOBS[name](seed)
        path.with_suffix(".part").write_text(json.dumps(result), encoding="utf-8")
        os.replace(path.with_suffix(".part"), path)
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
