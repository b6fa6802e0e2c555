"""Particles of explicit atoms: orientation-averaged scattering at any energy from pair sums that know none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from nanostrata.domain import AtomicModel, Domain, FloatArray
from nanostrata.domain.base import ComplexArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.debye import (
    Engine,
    intensity_from_pairs,
    interpolation_error,
    n_channels,
    pair_matrix,
    sinc_sums,
)
from nanostrata.models.atom_body import body_terms
from nanostrata.models.atom_columns import (
    VACANCY,
    Columns,
    MediumModel,
    Method,
    bins_of,
    choose_columns,
    distance_table,
)

if TYPE_CHECKING:
    from nanostrata.tables.factors import FactorTable

__all__ = ["VACANCY", "MediumModel", "Method", "PairSums", "pair_sums", "particle_intensities", "scattering"]

BFactor = float | Mapping[str, float]
"""Debye-Waller factor B of all atoms, nm^2, or of each element."""

_STACK_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairSums(Domain):
    """Pair sums of one particle or the mean over an ensemble: all geometry, no energy.

    Attributes
    ----------
    elements : (n_e,) species of the first rows
    site_size_nm2 : (n_k,) v^(2/3) of the pseudo elements of the displaced medium, the rows after the elements
    q_inv_nm : (n_q,)
    pairs : (n_e + n_k, n_e + n_k, n_q) per particle, ordered pairs and self pairs
    body_squared : (n_q,) < |V B(q)|^2 > of the homogeneous body, nm^6; empty when not asked for
    body_cross : (n_e, n_q) < V B(q) sum_i exp(i q r_i) > per element, nm^3; empty when not asked for
    counts : (n_e,) atoms of each element per particle
    unit_error : (n_q,) upper bound of the error of the pair sums of points of unit amplitude, per particle
    method : "lattice", "pairs", or how many particles went which way
    """

    elements: tuple[str, ...]
    site_size_nm2: FloatArray
    q_inv_nm: FloatArray
    pairs: FloatArray
    body_squared: FloatArray
    body_cross: FloatArray
    counts: FloatArray = field(default_factory=lambda: np.empty(0))
    unit_error: FloatArray = field(default_factory=lambda: np.empty(0))
    method: str = ""

    def intensity(
        self,
        factors: FactorTable,
        energy_kev: float,
        medium_e_nm3: float,
        b_factor_nm2: BFactor = 0.0,
        *,
        thermal_diffuse: bool = False,
    ) -> FloatArray:
        r"""Orientation-averaged intensity in the medium.

        .. math:: I(q) = \Big\langle \Big| \sum_j (f_0 + f' + i f'')_j\, e^{-B_j (q/4\pi)^2} e^{i q r_j}
                  - \rho_m \sum_j v_j e^{-q^2 v_j^{2/3}/4\pi} e^{i q r_j} \Big|^2 \Big\rangle

        (displaced medium by sites; with a body, the second sum is rho_m times the body's amplitude).

        Parameters
        ----------
        factors : FactorTable
        energy_kev : float
        medium_e_nm3 : float
            Electron density of the medium, e/nm^3; 0 for vacuum.
        b_factor_nm2 : float, or element -> float
            Debye-Waller factor B = 8 pi^2 <u^2>, nm^2.
        thermal_diffuse : bool
            Add what atoms that vibrate independently scatter besides, :math:`\sum_j |f_j|^2 (1 - e^{-2 B_j (q/4\pi)^2})`:
            an atom and itself are never displaced against each other.

        Returns
        -------
        (n_q,) float
            Electrons squared per particle.

        References
        ----------
        Fraser, MacRae & Suzuki, J. Appl. Cryst. 11, 693 (1978), doi:10.1107/S0021889878014296 (displaced solvent).
        """
        q = self.q_inv_nm
        n_e = len(self.elements)
        amplitudes = _amplitudes(
            self.elements, self.site_size_nm2, q, factors, energy_kev, medium_e_nm3, b_factor_nm2
        )  # fmt: skip
        total = intensity_from_pairs(self.pairs, amplitudes)
        if len(self.body_squared):
            cross = (amplitudes[:n_e].real * self.body_cross).sum(axis=0)
            total = total - 2.0 * medium_e_nm3 * cross + medium_e_nm3**2 * self.body_squared
        if thermal_diffuse:
            bare = _amplitudes(self.elements, np.empty(0), q, factors, energy_kev, 0.0, 0.0)
            total = total + self.counts @ (np.abs(bare) ** 2 - np.abs(amplitudes[:n_e]) ** 2)
        return total

    def intensity_error(self, factors: FactorTable, energy_kev: float, medium_e_nm3: float) -> FloatArray:
        """Upper bound of the error that the bins of the distances make in the intensity, (n_q,) electrons squared.

        Every pair of points is taken at the largest amplitude of any point; the error that is really made is smaller by
        orders of magnitude.
        """
        bare = _amplitudes(self.elements, self.site_size_nm2, self.q_inv_nm, factors, energy_kev, medium_e_nm3, 0.0)
        n_e = len(self.elements)
        largest = np.abs(bare[:n_e]).max(axis=0)
        if n_e < len(bare):
            largest = largest + np.abs(bare[n_e:]).max(axis=0) * float(self.site_size_nm2.max()) ** 1.5
        return np.asarray(largest**2 * self.unit_error)


def pair_sums(
    models: Sequence[AtomicModel],
    q_inv_nm: FloatArray,
    *,
    medium_model: MediumModel | None = "sites",
    nodes: int = 3,
    bin_nm: float | None = None,
    engine: Engine = "auto",
    method: Method = "auto",
    weights: FloatArray | None = None,
) -> PairSums:
    """Mean pair sums of an ensemble of particles (all particles share one table of distances, transformed once).

    Parameters
    ----------
    models : sequence of AtomicModel
    q_inv_nm : (n_q,)
    medium_model : "sites", "body" or None
        How the displaced medium is written: a Gaussian per lattice site, a homogeneous body of the cutting spheroid's
        shape, or no medium at all.
    nodes : int
        The Gaussian of a site depends on its volume; where sites have more than a few different volumes it is
        interpolated between this many (3: better than 1e-6 of the intensity for volumes that differ by 20 %).
    bin_nm : float, optional
        Width of the bins where every pair is summed for itself; default 0.2 / q_max.
    engine : "auto", "numba" or "numpy"
    method : "auto", "lattice" or "pairs"
        "lattice": all differences of sites are counted at once by Fourier transforms, for atoms that sit on a lattice.
        "pairs": every pair for itself. "auto" takes the faster one.
    weights : (n_models,), optional
        Number of particles that each one stands for; default all alike.

    Raises
    ------
    PhysicsError
        When no particle is given, a site volume is missing, a body is asked of an ellipsoid with three unequal axes,
        weights do not fit, or ``method="lattice"`` is asked of atoms that sit on none.
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    columns = choose_columns(models, medium_model, nodes)
    share = _shares(weights, len(models))
    bins = bins_of(models, float(q.max()), bin_nm)
    n = len(columns.elements) + len(columns.site_size_nm2)
    own = np.zeros((n, n))
    tables: dict[str, list[FloatArray]] = {}
    used = []
    for model, w in zip(models, share, strict=True):
        part = distance_table(model, columns, bins, method=method, engine=engine)
        part.moments[...] *= w
        if part.method in tables:
            tables[part.method][0] += part.moments
            tables[part.method][1] += w * part.count
        else:
            tables[part.method] = [part.moments, w * part.count]
        own += w * part.own
        used.append(part.method)
    sums, error = np.zeros((n_channels(n, 0), len(q))), np.zeros(len(q))
    for name, (moments, count) in tables.items():
        sums += sinc_sums(moments, bins[name].width_nm, q)
        error += 2.0 * interpolation_error(count, bins[name].width_nm, q, bins[name].moments)
    squared, cross = np.empty(0), np.empty((0, 0))
    if medium_model == "body":
        terms = body_terms(models, columns.elements, q)
        squared, cross = share @ terms[0], np.tensordot(share, terms[1], axes=(0, 0))
    return PairSums(
        elements=columns.elements,
        site_size_nm2=columns.site_size_nm2,
        q_inv_nm=q,
        pairs=pair_matrix(sums, own),
        body_squared=squared,
        body_cross=cross,
        counts=_counts(models, share, columns),
        unit_error=error,
        method=_method(used),
    )


def _shares(weights: FloatArray | None, n: int) -> FloatArray:
    if weights is None:
        return np.full(n, 1.0 / max(n, 1))
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not (np.isfinite(w).all() and w.min() >= 0 and w.sum() > 0):
        raise PhysicsError(f"weights: expected {n} numbers >= 0, one for each particle")
    return np.asarray(w / w.sum())


def _counts(models: Sequence[AtomicModel], share: FloatArray, columns: Columns) -> FloatArray:
    found = [m.counts for m in models]
    return np.array([sum(w * c.get(e, 0) for w, c in zip(share, found, strict=True)) for e in columns.elements])


def _method(used: Sequence[str]) -> str:
    names = sorted(set(used))
    return names[0] if len(names) == 1 else ", ".join(f"{used.count(n)} x {n}" for n in names)


def particle_intensities(
    models: Sequence[AtomicModel],
    factors: FactorTable,
    energies_kev: Sequence[float],
    q_inv_nm: FloatArray,
    medium_e_nm3: float,
    b_factor_nm2: BFactor = 0.0,
    *,
    medium_model: MediumModel | Literal["points"] | None = "body",
    engine: Engine = "auto",
    method: Method = "auto",
) -> FloatArray:
    """Orientation-averaged scattering of each particle by itself, (n_model, n_energy, n_q) electrons squared.

    As :func:`scattering`, whose mean over the particles it gives; what does not depend on the particle is tabulated
    once. As many particles at a time as keep memory bounded.

    ``medium_model = "points"`` is for bodies of any form at small angles: every site takes its volume of medium away as a
    point. Below the first reflection the sites of a lattice in a body scatter like the body (Poisson's sum over the
    lattice, of which only the term at 0 reaches there), but for the roughness of the cut.
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    points = medium_model == "points"
    columns = choose_columns(models, "sites" if medium_model == "points" else medium_model, 1 if points else 3)
    n_e, n = len(columns.elements), len(columns.elements) + len(columns.site_size_nm2)
    sizes = np.zeros_like(columns.site_size_nm2) if points else columns.site_size_nm2
    body = body_terms(models, columns.elements, q) if medium_model == "body" else None
    amplitudes = [_amplitudes(columns.elements, sizes, q, factors, e, medium_e_nm3, b_factor_nm2) for e in energies_kev]
    bins = bins_of(models, float(q.max()))
    rows = n_channels(n, 0)
    stack = max(1, _STACK_BYTES // (rows * 8 * max(b.number * b.moments for b in bins.values())))
    out = np.empty((len(models), len(energies_kev), len(q)))
    for start in range(0, len(models), stack):
        part = [
            distance_table(m, columns, bins, method=method, engine=engine) for m in models[start : start + stack]
        ]  # fmt: skip
        sums = np.empty((len(part), rows, len(q)))
        for name, b in bins.items():
            here = [i for i, t in enumerate(part) if t.method == name]
            if here:
                found = sinc_sums(np.concatenate([part[i].moments for i in here]), b.width_nm, q)
                sums[here] = found.reshape(len(here), rows, len(q))
        for i, table in enumerate(part, start=start):
            pairs = pair_matrix(sums[i - start], table.own)
            for k, amplitude in enumerate(amplitudes):
                out[i, k] = intensity_from_pairs(pairs, amplitude)
                if body is not None:
                    cross = (amplitude[:n_e].real * body[1][i]).sum(axis=0)
                    out[i, k] += medium_e_nm3**2 * body[0][i] - 2.0 * medium_e_nm3 * cross
    return out


def _amplitudes(
    elements: tuple[str, ...], size_nm2: FloatArray, q: FloatArray, factors: FactorTable, energy_kev: float, medium_e_nm3: float,
    b_factor_nm2: BFactor,
) -> ComplexArray:  # fmt: skip
    """Amplitude of each column: atoms with their Debye-Waller factor, then a unit of displaced medium of each size."""
    out = np.zeros((len(elements) + len(size_nm2), len(q)), dtype=np.complex128)
    for row, element in enumerate(elements):
        damping = np.exp(-b_of(b_factor_nm2, element) * (q / (4.0 * math.pi)) ** 2)
        out[row] = (factors.f0(element, q) + factors.anomalous(element, energy_kev)) * damping
    for row, size in enumerate(size_nm2):
        out[len(elements) + row] = -medium_e_nm3 * np.exp(-(q**2) * size / (4.0 * math.pi))
    return out


def b_of(b_factor_nm2: BFactor, element: str) -> float:
    """Debye-Waller factor B of one element.

    Raises
    ------
    PhysicsError
        When factors are given by element and this one is missing.
    """
    if not isinstance(b_factor_nm2, Mapping):
        return float(b_factor_nm2)
    if element not in b_factor_nm2:
        raise PhysicsError(f"b_factor_nm2: no value for {element}; give one for every element of the particle")
    return float(b_factor_nm2[element])


def scattering(
    model: AtomicModel | Sequence[AtomicModel],
    factors: FactorTable,
    energies_kev: Sequence[float],
    q_inv_nm: FloatArray,
    medium_e_nm3: float = 0.0,
    b_factor_nm2: BFactor = 0.0,
    *,
    medium_model: MediumModel = "sites",
    engine: Engine = "auto",
    method: Method = "auto",
    weights: FloatArray | None = None,
    thermal_diffuse: bool = False,
) -> FloatArray:
    """Orientation-averaged scattering of atoms at several energies.

    Parameters
    ----------
    model : AtomicModel or sequence of them
        For several particles the mean per particle is returned.
    factors : FactorTable
    energies_kev : sequence of float
    q_inv_nm : (n_q,)
        1/nm, >= 0, SAXS to WAXS.
    medium_e_nm3 : float
        Electron density of the medium; 0 for vacuum.
    b_factor_nm2 : float, or element -> float
        Debye-Waller factor B, nm^2; amplitudes are multiplied by exp(-B (q / 4 pi)^2).
    medium_model : "sites" or "body"
    engine : "auto", "numba" or "numpy"
    method : "auto", "lattice" or "pairs"
    weights : (n_models,), optional
        Number of particles that each one stands for.
    thermal_diffuse : bool
        Add the scattering that independent vibrations take from the pairs, see :meth:`PairSums.intensity`; without it the
        Debye-Waller factor also multiplies the scattering of each atom with itself.

    Returns
    -------
    (n_energy, n_q) float
        Electrons squared.

    Raises
    ------
    PhysicsError
        See :func:`pair_sums`.

    Notes
    -----
    What the bins of the distances add to the error is bounded by :meth:`PairSums.intensity_error`.
    """
    models = [model] if isinstance(model, AtomicModel) else list(model)
    sums = pair_sums(
        models, q_inv_nm, medium_model=medium_model if medium_e_nm3 else None, engine=engine, method=method, weights=weights
    )  # fmt: skip
    return np.array([
        sums.intensity(factors, e, medium_e_nm3, b_factor_nm2, thermal_diffuse=thermal_diffuse) for e in energies_kev
    ])  # fmt: skip
