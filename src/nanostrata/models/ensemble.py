"""Choose and build the particles of atoms that stand for a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, IntArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.errors import PhysicsError
from nanostrata.kernels import sizes as size_kernels
from nanostrata.kernels.gauss_nodes import gauss_nodes
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.crystal_plan import CrystalPlan, build_planned
from nanostrata.models.density import SolidSolution

QUADRATURE_GOAL = 1e-3
"""Relative error of a sphere's curve that the choice of sizes may make."""

Profile = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizePlan(Domain):
    """Diameters to build, how many particles of the sample each stands for, and the error that this makes.

    Attributes
    ----------
    diameter_nm, weights : (n,) diameters, and number weights that sum to 1
    error : largest relative error of the size-averaged curve of a homogeneous sphere up to q_max
    """

    diameter_nm: FloatArray
    weights: FloatArray
    error: float


def plan_sizes(
    mean_nm: float,
    std_nm: float,
    count: int,
    *,
    q_max_inv_nm: float,
    kind: str = "gaussian",
    readings_nm: FloatArray | None = None,
) -> SizePlan:
    r"""Choose diameters for which a weighted sum of few curves is the average over all sizes.

    The intensity weighs with D^6, so the nodes are those of Gauss quadrature for :math:`N(D) D^6`; as many different
    diameters are used as the curve up to q_max needs, and each is built several times in proportion to its weight.

    Parameters
    ----------
    mean_nm, std_nm : number mean and standard deviation of the volume-equivalent diameter
    count : number of particles
    q_max_inv_nm : largest q that the curves reach
    kind : "gaussian", "lognormal" or "tem" (the shape of ``readings_nm``)

    Raises
    ------
    PhysicsError
        When mean, width or count make no distribution.
    """
    if not (mean_nm > 0 and 0 <= std_nm <= 0.6 * mean_nm):
        raise PhysicsError(
            f"diameter: expected a mean > 0 and a width of 0 to 0.6 of it, got {mean_nm:g}, {std_nm:g} nm"
        )
    if count < 1:
        raise PhysicsError(f"atoms.particles: expected at least 1, got {count}")
    if std_nm < 1e-6 * mean_nm:
        return SizePlan(diameter_nm=np.full(count, mean_nm), weights=np.full(count, 1.0 / count), error=0.0)
    low, high = max(mean_nm - 6.0 * std_nm, 0.25 * mean_nm), mean_nm + 8.0 * std_nm
    if kind == "lognormal":
        median, s = size_kernels.lognormal_parameters(mean_nm, std_nm)
        low, high = max(median * math.exp(-6.0 * s), 0.25 * mean_nm), median * math.exp(6.0 * s * s + 6.0 * s)
    grid = np.linspace(low, high, 4001)
    density = _density(grid, mean_nm, std_nm, kind, readings_nm)
    heavy = density * grid**6
    q = np.linspace(0.0, q_max_inv_nm, 200)
    form = sphere_phi(0.5 * np.outer(grid, q)) ** 2
    exact = heavy @ form / heavy.sum()
    nodes, share, error = grid[:0], grid[:0], math.inf
    for m in range(1, min(count, 40) + 1):
        trial, weights = gauss_nodes(grid, heavy, m)
        wrong = float(np.max(np.abs(weights @ sphere_phi(0.5 * np.outer(trial, q)) ** 2 / exact - 1.0)))
        if wrong < error:
            nodes, share, error = trial, weights, wrong
        if error < QUADRATURE_GOAL:
            break
    copies = _copies(share, count)
    number = share / nodes**6
    number /= number.sum()
    return SizePlan(
        diameter_nm=np.repeat(nodes, copies), weights=np.repeat(number / copies, copies), error=error
    )  # fmt: skip


def _density(d: FloatArray, mean: float, std: float, kind: str, readings: FloatArray | None) -> FloatArray:
    if kind == "lognormal":
        return size_kernels.lognormal_density(d, mean, std)
    if kind == "tem":
        if readings is None or len(readings) < 2:
            raise PhysicsError('particle.sizes: "tem" needs the measured diameters')
        return size_kernels.sampled_density(d, mean, std, (readings - readings.mean()) / readings.std())
    return size_kernels.gaussian_density(d, mean, std)


def _copies(share: FloatArray, count: int) -> IntArray:
    """At least one particle of each diameter, the others by largest remainder of their weight in the intensity."""
    spare = count - len(share)
    wanted = share * spare
    copies = 1 + np.floor(wanted).astype(np.int64)
    rest = np.argsort(-(wanted - np.floor(wanted)), kind="stable")
    copies[rest[: count - int(copies.sum())]] += 1
    return copies


def steps(shell_fraction: FloatArray) -> Profile:
    """Composition against r/R of equispaced shells of one composition each."""
    x = np.clip(shell_fraction, 0.0, 1.0)

    def profile(s: FloatArray) -> FloatArray:
        return np.asarray(x[np.clip(np.ceil(np.asarray(s) * len(x) - 1e-9).astype(np.int64) - 1, 0, len(x) - 1)])

    return profile


def build_ensemble(
    solid: SolidSolution,
    plan: SizePlan,
    *,
    mean_nm: float,
    std_nm: float,
    aspect_ratio: FloatArray,
    shell_fraction: FloatArray,
    profiles: Sequence[Profile] | None = None,
    diameter_nm: FloatArray | None = None,
    draw: IntArray | None = None,
    structure: str | None = None,
    axis: str = "001",
    shells: int = 5,
    crystal: CrystalPlan | None = None,
    seed: np.random.SeedSequence,
) -> AtomEnsemble:
    """Build the planned particles; each has its own generator, so that the result does not depend on the order.

    Parameters
    ----------
    plan : from :func:`plan_sizes`
    mean_nm, std_nm : of the distribution that the plan stands for
    aspect_ratio, shell_fraction : (n,) and (n, n_shell), one row for each particle
    profiles : x(r/R) of each particle instead of the steps of ``shell_fraction``
    draw : posterior draw of each particle, kept for the record
    diameter_nm : (n,) built diameters where they differ from the plan's (a posterior draw moves them)
    shells : number of equispaced shells by which atoms are labelled
    crystal : facets, faults, surface, a crystal of a CIF; None for spheroids cut from a named structure

    Raises
    ------
    PhysicsError
        As :func:`nanostrata.models.crystal_plan.build_planned`.
    """
    diameters = plan.diameter_nm if diameter_nm is None else diameter_nm
    built = []
    for i, child in enumerate(seed.spawn(len(diameters))):
        built.append(
            build_planned(
                solid,
                crystal or CrystalPlan(),
                diameter_nm=float(diameters[i]),
                aspect_ratio=float(aspect_ratio[i]),
                x_of_s=steps(shell_fraction[i]) if profiles is None else profiles[i],
                structure=structure,
                axis=axis,
                rng=np.random.default_rng(child),
                shells=shells,
                occupation="quota" if profiles is None else "random",
                quota_shells=None if profiles is not None else shell_fraction.shape[1],
            )
        )
    return AtomEnsemble(
        particles=tuple(built),
        weights=plan.weights,
        diameter_nm=diameters,
        aspect_ratio=aspect_ratio,
        shell_fraction=shell_fraction,
        draw=np.full(len(built), -1) if draw is None else draw,
        diameter_mean_nm=mean_nm,
        diameter_std_nm=std_nm,
        aspect_mean=float(np.mean(aspect_ratio)),
        quadrature_error=plan.error,
        body=(crystal or CrystalPlan()).body,
    )
