"""Measurements of particles of explicit atoms, drawn one by one: no shell model is used here, but for a ligand shell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.constants import R_E_NM
from nanostrata.domain import AtomicModel, Domain, FloatArray, ScatteringCurve
from nanostrata.errors import PhysicsError
from nanostrata.models.atom_cloud import pair_sums
from nanostrata.models.crystal_body import Spheroid
from nanostrata.models.crystal_builder import Faults, build_crystal
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.ligand_curve import ligand_excess
from nanostrata.models.particle_options import Ligand
from nanostrata.simulate.truth import ShiftedProfile, Truth, shell_means
from nanostrata.simulate.wide_angle import noisy, wide_angle

if TYPE_CHECKING:
    from nanostrata.models.density import SolidSolution
    from nanostrata.tables.factors import FactorTable

_INV_CM_PER_INV_NM = 1e7
_SMALLEST = 0.4
_LIGAND_SHELLS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draw(Domain):
    """One particle of the ensemble, as it was drawn."""

    diameter_nm: float
    aspect_ratio: float
    logit_shift: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaign(Domain):
    """All measurements of one simulated sample, and what they were made from.

    Attributes
    ----------
    truth : Truth
    draws, atoms : one per particle of the scattering ensemble
    asaxs : one curve per energy, 1/cm
    saxs, waxs : further curves, or None
    tem_major_nm, tem_minor_nm : (n,) readings with their error, sorted into larger and smaller
    tem_draws : (n, 2) true diameter and aspect ratio of the particles in the micrograph
    edx : element -> (measured atomic percent, standard deviation)
    scales : factor of the beam normalisation that each ASAXS curve was multiplied with
    backgrounds : constant added to each ASAXS curve, 1/cm
    number_density_inv_nm3 : particles per volume, nm^-3: I [1/cm] = 1e7 N r_e^2 I [e^2]
    seed : int
    """

    truth: Truth
    draws: tuple[Draw, ...]
    atoms: tuple[AtomicModel, ...]
    asaxs: tuple[ScatteringCurve, ...]
    saxs: ScatteringCurve | None
    waxs: ScatteringCurve | None
    tem_major_nm: FloatArray
    tem_minor_nm: FloatArray
    tem_draws: FloatArray
    edx: Mapping[str, tuple[float, float]]
    scales: tuple[float, ...]
    backgrounds: tuple[float, ...]
    number_density_inv_nm3: float
    seed: int

    @property
    def profiles(self) -> tuple[ShiftedProfile, ...]:
        """Profile of each particle of the scattering ensemble."""
        return tuple(self.truth.profile.of_particle(0.5 * d.diameter_nm, d.logit_shift) for d in self.draws)


def simulate(
    truth: Truth,
    solid: SolidSolution,
    factors: FactorTable,
    energies_kev: Sequence[float],
    *,
    seed: int,
    axis: str = "001",
    structure: str | None = None,
    saxs_energy_kev: float | None = None,
    waxs_energy_kev: float | None = None,
) -> Campaign:
    r"""Draw particles, build them of atoms, and measure them.

    Every particle is a crystal of its own (size, aspect ratio, profile, centre, arrangement). The curves are the exact
    orientation averages of these atoms, times beam normalisation errors, plus a constant, plus Gaussian noise of

    .. math:: \sigma / I = \epsilon \sqrt{1 + (q / q_n)^2}

    Parameters
    ----------
    truth : Truth
    solid : SolidSolution
    factors : FactorTable
    energies_kev : sequence of float
        ASAXS energies.
    seed : int
        Same seed, same campaign, whatever the number of workers: each particle has its own generator.
    axis, structure
        As in :func:`nanostrata.models.lattice_particle.build_particle`.
    saxs_energy_kev, waxs_energy_kev : float, optional
        Left out: no such curve.

    Returns
    -------
    Campaign

    Notes
    -----
    Diameters of the scattering ensemble are stratified (one per quantile slice), because a sample holds 10^12 particles
    and a few hundred independent draws would not show its tails; aspect ratios and profiles are independent draws. The
    particles of the micrograph are other, independent draws of the same distribution, lying flat. A ligand shell is a
    homogeneous body; its interference with the atoms is that with the particle's own shells (smooth, not atomic).
    """
    streams = np.random.SeedSequence(seed).spawn(6)
    draws = draw_particles(truth, truth.particles, np.random.default_rng(streams[0]), stratified=True)
    atoms = build_ensemble(truth, draws, solid, streams[1], axis=axis, structure=structure)
    q = np.linspace(truth.q_min_inv_nm, truth.q_max_inv_nm, truth.points)
    q_saxs = np.geomspace(*truth.saxs_q_range_inv_nm, truth.saxs_points) if saxs_energy_kev else np.empty(0)
    sums = pair_sums(atoms, np.concatenate([q, q_saxs]), medium_model=truth.displaced_medium)
    volume = float(np.mean([m.site_volume_nm3.sum() for m in atoms]))
    density = truth.volume_fraction / volume
    unit = _INV_CM_PER_INV_NM * density * R_E_NM**2
    medium = solid.medium.electron_density_e_nm3
    every_q = np.concatenate([q, q_saxs])

    def small_angle(energy_kev: float) -> FloatArray:
        seen = sums.intensity(factors, energy_kev, medium, truth.b_factor_nm2)
        return unit * (
            seen
            if truth.ligand_thickness_nm == 0.0
            else seen + _ligand(truth, atoms, draws, solid, factors, energy_kev, every_q)
        )

    clean = [small_angle(e) for e in energies_kev]
    level = float(clean[0][0])
    rng = np.random.default_rng(streams[2])
    scales = 1.0 + truth.scale_error * rng.standard_normal(len(clean))
    counts = mean_counts(atoms)
    constants = level * (truth.background + truth.fluorescence * _fluorescence(counts, factors, energies_kev))
    noise = np.random.default_rng(streams[3])
    asaxs = tuple(
        noisy(q, k * i[: len(q)] + b, e, truth, noise, f"{e:g} keV")
        for e, i, k, b in zip(energies_kev, clean, scales, constants, strict=True)
    )
    saxs = waxs = None
    if saxs_energy_kev is not None:
        pure = small_angle(saxs_energy_kev)[len(q) :]
        saxs = noisy(q_saxs, pure + level * truth.background, saxs_energy_kev, truth, noise, "saxs")
    if waxs_energy_kev is not None:
        waxs = wide_angle(truth, atoms, factors, waxs_energy_kev, unit, noise)
    micrograph = np.random.default_rng(streams[4])
    tem_draws, major, minor = _micrograph(truth, micrograph)
    return Campaign(
        truth=truth,
        draws=draws,
        atoms=atoms,
        asaxs=asaxs,
        saxs=saxs,
        waxs=waxs,
        tem_major_nm=major,
        tem_minor_nm=minor,
        tem_draws=tem_draws,
        edx=_edx(counts, truth, np.random.default_rng(streams[5])),
        scales=tuple(float(v) for v in scales),
        backgrounds=tuple(float(v) for v in constants),
        number_density_inv_nm3=density,
        seed=seed,
    )


def draw_particles(truth: Truth, n: int, rng: np.random.Generator, *, stratified: bool) -> tuple[Draw, ...]:
    """Draw diameters (within 4 sigma and above 40 % of the mean), aspect ratios and profile shifts of n particles."""
    from scipy.special import ndtri

    u = (rng.permutation(n) + rng.random(n)) / n if stratified else rng.random(n)
    u = np.clip(u, 3.2e-5, 1.0 - 3.2e-5)
    z = np.asarray(ndtri(u))
    if truth.sizes == "lognormal":
        s2 = math.log(1.0 + (truth.diameter_std_nm / truth.diameter_mean_nm) ** 2)
        diameter = truth.diameter_mean_nm * np.exp(math.sqrt(s2) * z - 0.5 * s2)
    else:
        diameter = truth.diameter_mean_nm + truth.diameter_std_nm * z
    low = _SMALLEST * truth.diameter_mean_nm
    while np.any(diameter < low):
        bad = diameter < low
        diameter[bad] = truth.diameter_mean_nm + truth.diameter_std_nm * rng.standard_normal(int(bad.sum()))
    # the logarithm keeps aspect ratios positive; to first order its deviation is the relative one
    aspect = truth.aspect_ratio * np.exp(truth.aspect_std / truth.aspect_ratio * np.clip(rng.standard_normal(n), -4, 4))
    shift = 4.0 * truth.x_spread * rng.standard_normal(n)
    return tuple(
        Draw(diameter_nm=float(d), aspect_ratio=float(a), logit_shift=float(t))
        for d, a, t in zip(diameter, aspect, shift, strict=True)
    )


def build_ensemble(
    truth: Truth,
    draws: Sequence[Draw],
    solid: SolidSolution,
    stream: np.random.SeedSequence,
    *,
    axis: str,
    structure: str | None,
) -> tuple[AtomicModel, ...]:
    """Atoms of every drawn particle, each with its own generator."""
    built = []
    for draw, child in zip(draws, stream.spawn(len(draws)), strict=True):
        minor = 0.5 * draw.diameter_nm * draw.aspect_ratio ** (-1.0 / 3.0)
        semi_axes, profile = (
            (minor, minor, minor * draw.aspect_ratio),
            truth.profile.of_particle(0.5 * draw.diameter_nm, draw.logit_shift),
        )
        rng = np.random.default_rng(child)
        if truth.fault_probability > 0.0:
            built.append(
                build_crystal(
                    solid, body=Spheroid(semi_axes_nm=semi_axes), x_of_s=profile, structure=structure, axis=axis, rng=rng,
                    lattice=truth.lattice, occupation="random",
                    faults=Faults(probability=truth.fault_probability, kind=truth.fault_kind),
                )
            )  # fmt: skip
            continue
        built.append(
            build_particle(
                solid, semi_axes_nm=semi_axes, x_of_s=profile, structure=structure, axis=axis, rng=rng, lattice=truth.lattice,
                occupation="random",
            )
        )  # fmt: skip
    return tuple(built)


def _ligand(
    truth: Truth, atoms: Sequence[AtomicModel], draws: Sequence[Draw], solid: SolidSolution, factors: FactorTable, energy_kev: float,
    q: FloatArray,
) -> FloatArray:  # fmt: skip
    """What the ligand shells add per particle, (n_q,) electrons squared; inside, each is taken as a body of ten shells."""
    ligand = Ligand(thickness_nm=truth.ligand_thickness_nm, electron_density_e_nm3=truth.ligand_electron_density_e_nm3)
    total = np.zeros(len(q))
    for model, draw in zip(atoms, draws, strict=True):
        total += ligand_excess(
            q, solid, factors, energy_kev, ligand, diameter_nm=float(model.info["diameter_nm"]),
            aspect_ratio=draw.aspect_ratio,
            shell_fraction=shell_means(truth.profile.of_particle(0.5 * draw.diameter_nm, draw.logit_shift), _LIGAND_SHELLS),
        )  # fmt: skip
    return total / len(atoms)


def mean_counts(atoms: Sequence[AtomicModel]) -> dict[str, float]:
    """Number mean of the atoms of each element per particle."""
    counts = [m.counts for m in atoms]
    return {e: float(np.mean([c.get(e, 0) for c in counts])) for e in sorted({e for c in counts for e in c})}


def _fluorescence(counts: Mapping[str, float], factors: FactorTable, energies_kev: Sequence[float]) -> FloatArray:
    """Absorption by elements whose K edge lies below the energy, largest = 1."""
    from nanostrata.tables.factors import parse_edge

    absorbed = np.zeros(len(energies_kev))
    for element, n in counts.items():
        edge = parse_edge(f"{element} K")[2]
        for k, energy in enumerate(energies_kev):
            if energy > edge:
                absorbed[k] += n * factors.f_double_prime(element, energy)
    return absorbed / absorbed.max() if absorbed.max() > 0 else absorbed


def _micrograph(truth: Truth, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Particles lying flat: the unique axis and one of the others are seen, each read with an error, then sorted."""
    draws = draw_particles(truth, truth.tem_particles, rng, stratified=False)
    d = np.array([x.diameter_nm for x in draws])
    b = np.array([x.aspect_ratio for x in draws])
    across = d * b ** (-1.0 / 3.0)
    seen = np.column_stack([across * b, across]) + truth.tem_reading_error_nm * rng.standard_normal((len(d), 2))
    if seen.min() <= 0:
        raise PhysicsError("truth.tem_reading_error_nm: so large that a reading came out negative; give a smaller one")
    return np.column_stack([d, b]), seen.max(axis=1), seen.min(axis=1)


def _edx(counts: Mapping[str, float], truth: Truth, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Atomic percent with independent errors, renormalised to 100 as the instrument does."""
    names = list(counts)
    n = np.array([counts[e] for e in names])
    percent = 100.0 * n / n.sum()
    read = np.maximum(percent + truth.edx_error_percent * rng.standard_normal(len(names)), 0.0)
    read *= 100.0 / read.sum()
    return {e: (float(v), truth.edx_error_percent) for e, v in zip(names, read, strict=True)}
