r"""Whole powder pattern of an ensemble of particles: sizes, faults, lattice constant, heat and background, by Debye sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import AtomicModel, Domain, FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.models.atom_cloud import pair_sums

if TYPE_CHECKING:
    from nanostrata.tables.factors import FactorTable

__all__ = ["GROUPS", "PARAMETERS", "PowderLibrary", "build_library", "mean_atom", "powder_basis"]

PARAMETERS = ("strain", "b_factor_nm2", "diameter_median_nm", "diameter_sigma", "fault_probability")
"""Non-linear parameters, in their order: relative change of all lengths, B, median of the log-normal number distribution of
diameters, its logarithmic width, and probability of a stacking fault."""

MOST_STRAIN = 0.03

GROUPS = 4
"""Parts of a library whose differences tell its own error."""

_NODES = 7
"""Gauss-Hermite nodes of the instrument's Gaussian; they reach 3.75 standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowderLibrary(Domain):
    """Pair sums of particles of several diameters and fault probabilities.

    Attributes
    ----------
    diameter_nm : (n_d,) increasing
    fault_probability : (n_p,) increasing; one value where faults are no question
    elements : (n_e,)
    q_inv_nm : (n_q,) equispaced, and beyond the measured range by MOST_STRAIN
    pairs : (n_g, n_p, n_d, n_e, n_e, n_q) per particle, self pairs left out, in groups of particles that tell how much chance
        there is in the library
    counts : (n_g, n_p, n_d, n_e) atoms per particle
    """

    diameter_nm: FloatArray
    fault_probability: FloatArray
    elements: tuple[str, ...]
    q_inv_nm: FloatArray
    pairs: FloatArray
    counts: FloatArray


def build_library(
    build: Callable[[float, float, np.random.Generator], AtomicModel],
    diameter_nm: Sequence[float],
    fault_probability: Sequence[float],
    q_inv_nm: FloatArray,
    *,
    copies: int,
    seed: np.random.SeedSequence,
    groups: int = GROUPS,
    margin_inv_nm: float = 0.0,
) -> PowderLibrary:
    """Sum the pairs of ``copies`` particles for every diameter and fault probability.

    Parameters
    ----------
    build : (diameter_nm, fault_probability, generator) -> particle
        Called ``copies`` times in a row for each pair of values; the k-th copy belongs to group k modulo ``groups``.
    diameter_nm, fault_probability : increasing
    q_inv_nm : (n,)
        Of the measurement, 1/nm; the library covers a little more.
    copies : int
        Particles with other centres and other faults that are averaged. Few layers make few faults: what chance leaves of
        their number in the library is part of the error of a fit, and falls with the root of the copies.
    seed : numpy.random.SeedSequence
    groups : int
        Parts whose differences tell the library's own error.
    margin_inv_nm : float
        By which the library covers more on both sides; four standard deviations of the instrument where it blurs.

    Raises
    ------
    PhysicsError
        When a list is empty or does not increase, or ``copies`` is below the number of groups.
    """
    sizes, faults = np.asarray(diameter_nm, dtype=np.float64), np.asarray(fault_probability, dtype=np.float64)
    for name, values in (("diameter_nm", sizes), ("fault_probability", faults)):
        if not len(values) or np.any(np.diff(values) <= 0):
            raise PhysicsError(f"{name}: expected increasing values, got {values.tolist()}")
    if copies < groups:
        raise PhysicsError(f"copies: expected at least {groups}, got {copies}")
    low = max(float(np.min(q_inv_nm)) - margin_inv_nm, 0.0) * (1.0 - MOST_STRAIN)
    high = (float(np.max(q_inv_nm)) + margin_inv_nm) * (1.0 + MOST_STRAIN)
    # twenty points per ripple of the largest particle
    q = np.linspace(low, high, max(int((high - low) * sizes[-1] * 20.0 / (2.0 * math.pi)), 50))
    streams = iter(seed.spawn(len(faults) * len(sizes)))
    particles = {}
    for p, fault in enumerate(faults):
        for d, size in enumerate(sizes):
            rng = np.random.default_rng(next(streams))
            particles[p, d] = [build(float(size), float(fault), rng) for _ in range(copies)]
    elements = tuple(sorted({s for models in particles.values() for m in models for s in m.symbols} - {"X"}))
    n_e = len(elements)
    pairs = np.zeros((groups, len(faults), len(sizes), n_e, n_e, len(q)))
    counts = np.zeros((groups, len(faults), len(sizes), n_e))
    for (p, d), models in particles.items():
        for g in range(groups):
            sums = pair_sums(models[g::groups], q, medium_model=None)
            rows = [elements.index(e) for e in sums.elements]
            counts[g, p, d, rows] = sums.counts
            pairs[g, p, d][np.ix_(rows, rows)] = sums.pairs - np.diag(sums.counts)[:, :, None]
    return PowderLibrary(
        diameter_nm=sizes, fault_probability=faults, elements=elements, q_inv_nm=q, pairs=pairs, counts=counts
    )


def powder_basis(
    library: PowderLibrary,
    factors: FactorTable,
    energy_kev: float,
    q_inv_nm: FloatArray,
    p: Sequence[float] | FloatArray,
    left_out: int | None = None,
    instrument_sigma_inv_nm: FloatArray | None = None,
) -> FloatArray:
    r"""Pattern per electron of scattering atoms, for a set of non-linear parameters.

    .. math:: I(q) = \sum_d w_d \Big[ \sum_j |f_j|^2 + e^{-2B(q/4\pi)^2} \sum_{ab} \mathrm{Re}(f_a^* f_b)\, S_{ab}(q(1+\epsilon)) \Big]
              \Big/ \sum_d w_d \sum_j Z_j

    Lengths that grow by the strain move the pattern of pairs to smaller q; f stays at the true q. Vibrations are
    independent, so that the scattering of each atom with itself is not damped. Sizes have a log-normal number
    distribution; pair sums are linear in the fault probability between its values.

    Parameters
    ----------
    library : PowderLibrary
    factors : FactorTable
    energy_kev : float
    q_inv_nm : (n_q,)
    p : (5,)
        In the order of :data:`PARAMETERS`.
    left_out : int, optional
        Group of the library that is not used.
    instrument_sigma_inv_nm : (n_q,), optional
        Standard deviation of the instrument's Gaussian at each q.

    Returns
    -------
    (n_q,) float

    Raises
    ------
    PhysicsError
        When the strain is larger than the library covers.
    """
    strain, b, median, width, fault = (float(v) for v in p)
    if abs(strain) > MOST_STRAIN:
        raise PhysicsError(
            f"strain: expected at most {MOST_STRAIN:g}, got {strain:g}; build the particles nearer to the data"
        )
    if instrument_sigma_inv_nm is not None:
        nodes, share = np.polynomial.hermite.hermgauss(_NODES)
        at = np.asarray(q_inv_nm)[:, None] + math.sqrt(2.0) * np.asarray(instrument_sigma_inv_nm)[:, None] * nodes
        sharp = powder_basis(library, factors, energy_kev, np.abs(at).ravel(), p, left_out)
        return np.asarray(sharp.reshape(at.shape) @ (share / math.sqrt(math.pi)))
    q = np.asarray(q_inv_nm, dtype=np.float64)
    f = np.array([factors.f0(e, q) + factors.anomalous(e, energy_kev) for e in library.elements])
    groups = [g for g in range(len(library.pairs)) if g != left_out]
    node = _node_weights(library, median, width, fault) / len(groups)
    n_e = len(library.elements)
    counts = sum(node @ library.counts[g].reshape(len(node), -1) for g in groups)
    mixed = sum(node @ library.pairs[g].reshape(len(node), -1) for g in groups).reshape(n_e, n_e, -1)
    from scipy.interpolate import CubicSpline

    moved = CubicSpline(library.q_inv_nm, mixed, axis=2)(q * (1.0 + strain))
    coherent = np.einsum("aq,abq,bq->q", f.conj(), moved, f, optimize=True).real
    electrons = float(counts @ np.array([factors.f0(e, np.zeros(1))[0] for e in library.elements]))
    return np.asarray((counts @ np.abs(f) ** 2 + np.exp(-2.0 * b * (q / (4.0 * math.pi)) ** 2) * coherent) / electrons)


def _fault_weights(nodes: FloatArray, fault: float) -> FloatArray:
    """Shares of the library's fault probabilities, linear between neighbours."""
    return np.array([np.interp(fault, nodes, row) for row in np.eye(len(nodes))])


def mean_atom(
    library: PowderLibrary,
    factors: FactorTable,
    energy_kev: float,
    q_inv_nm: FloatArray,
    p: Sequence[float] | FloatArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Electrons per atom, :math:`\langle |f|^2 \rangle` and :math:`|\langle f \rangle|^2` of the particles of :func:`powder_basis`."""
    _, _, median, width, fault = (float(v) for v in p)
    node = _node_weights(library, median, width, fault)
    counts = sum(node @ group.reshape(len(node), -1) for group in library.counts)
    share = np.asarray(counts / np.sum(counts), dtype=np.float64)
    q = np.asarray(q_inv_nm, dtype=np.float64)
    f = np.array([factors.f0(e, q) + factors.anomalous(e, energy_kev) for e in library.elements])
    electrons = float(share @ np.array([factors.f0(e, np.zeros(1))[0] for e in library.elements]))
    return electrons, np.asarray(share @ np.abs(f) ** 2), np.asarray(np.abs(share @ f) ** 2)


def _node_weights(library: PowderLibrary, median: float, width: float, fault: float) -> FloatArray:
    """Weight of each pair of fault probability and diameter, flat."""
    weight = np.exp(-0.5 * (np.log(library.diameter_nm / median) / width) ** 2) / library.diameter_nm
    # trapezoids over the diameters of the library
    if len(weight) > 1:
        weight = weight * np.gradient(library.diameter_nm)
    return np.outer(_fault_weights(library.fault_probability, fault), weight).ravel()
