"""Particles of explicit atoms: orientation-averaged scattering at any energy, exact to the histogram's bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from nanostrata.domain import AtomicModel, Domain, FloatArray
from nanostrata.domain.base import IntArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.debye import (
    BIN_TIMES_Q,
    Engine,
    bins_for,
    intensity_from_pairs,
    n_channels,
    pair_histogram,
    pair_matrix,
    self_terms,
    sharpened,
)
from nanostrata.kernels.multishell import sphere_phi

if TYPE_CHECKING:
    from nanostrata.tables.factors import FactorTable

MediumModel: TypeAlias = Literal["sites", "body"]

VACANCY = "X"
_MU_NODES = 48
_MAX_ORDER = 40
_SMALL_COEFFICIENT = 1e-7


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
    """

    elements: tuple[str, ...]
    site_size_nm2: FloatArray
    q_inv_nm: FloatArray
    pairs: FloatArray
    body_squared: FloatArray
    body_cross: FloatArray

    def intensity(
        self, factors: FactorTable, energy_kev: float, medium_e_nm3: float, b_factor_nm2: float = 0.0
    ) -> FloatArray:
        r"""Orientation-averaged intensity in the medium.

        .. math:: I(q) = \Big\langle \Big| \sum_j (f_0 + f' + i f'')_j\, e^{-B (q/4\pi)^2} e^{i q r_j}
                  - \rho_m \sum_j v_j e^{-q^2 v_j^{2/3}/4\pi} e^{i q r_j} \Big|^2 \Big\rangle

        (displaced medium by sites; with a body, the second sum is rho_m times the body's amplitude).

        Parameters
        ----------
        factors : FactorTable
        energy_kev : float
        medium_e_nm3 : float
            Electron density of the medium, e/nm^3; 0 for vacuum.
        b_factor_nm2 : float
            Debye-Waller factor B = 8 pi^2 <u^2>, nm^2.

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
        damping = np.exp(-b_factor_nm2 * (q / (4.0 * math.pi)) ** 2)
        amplitudes = np.zeros((len(self.pairs), len(q)), dtype=np.complex128)
        for row, element in enumerate(self.elements):
            amplitudes[row] = (factors.f0(element, q) + factors.anomalous(element, energy_kev)) * damping
        for row, size in enumerate(self.site_size_nm2):
            amplitudes[n_e + row] = -medium_e_nm3 * np.exp(-(q**2) * size / (4.0 * math.pi))
        total = intensity_from_pairs(self.pairs, amplitudes)
        if len(self.body_squared):
            cross = (amplitudes[:n_e].real * self.body_cross).sum(axis=0)
            total = total - 2.0 * medium_e_nm3 * cross + medium_e_nm3**2 * self.body_squared
        return total


def pair_sums(
    models: Sequence[AtomicModel],
    q_inv_nm: FloatArray,
    *,
    medium_model: MediumModel | None = "sites",
    nodes: int = 3,
    bin_nm: float | None = None,
    engine: Engine = "auto",
) -> PairSums:
    """Mean pair sums of an ensemble of particles (all particles share one histogram, transformed once).

    Parameters
    ----------
    models : sequence of AtomicModel
    q_inv_nm : (n_q,)
    medium_model : "sites", "body" or None
        How the displaced medium is written: a Gaussian per lattice site, a homogeneous body of the cutting spheroid's
        shape, or no medium at all.
    nodes : int
        The Gaussian of a site depends on its volume; it is interpolated between this many volumes (3: better than
        1e-6 of the intensity for volumes that differ by 20 %).
    bin_nm : float, optional
        Histogram bin; default 4e-3 / q_max.
    engine : "auto", "numba" or "numpy"

    Raises
    ------
    PhysicsError
        When no particle is given, a site volume is missing, or a body is asked of an ellipsoid with three unequal axes.
    """
    if not models:
        raise PhysicsError("models: expected at least one particle, got none")
    q = np.asarray(q_inv_nm, dtype=np.float64)
    elements = tuple(sorted({s for m in models for s in m.symbols} - {VACANCY}))
    if medium_model == "sites" and any(m.site_volume_nm3.sum() <= 0 for m in models):
        raise PhysicsError(
            "site_volume_nm3: all zero, but the displaced medium is asked for: give volumes or medium_model=None"
        )
    sizes = _node_sizes(models, nodes) if medium_model == "sites" else np.empty(0)
    step = bin_nm if bin_nm is not None else BIN_TIMES_Q / max(float(q.max()), 1.0)
    n_bins = max(bins_for(m.positions_nm, step) for m in models)
    histogram = np.zeros((n_bins, n_channels(len(elements), len(sizes))))
    own = np.zeros((len(elements) + len(sizes),) * 2)
    for model in models:
        species = _species(model, elements)
        weights = _node_weights(model, sizes)
        pair_histogram(model.positions_nm, species, weights, len(elements), step, histogram, engine=engine)
        own += self_terms(species, weights, len(elements))
    squared, cross = np.empty(0), np.empty((0, 0))
    if medium_model == "body":
        terms = _body_terms(models, elements, q)
        squared, cross = terms[0].mean(axis=0), terms[1].mean(axis=0)
    return PairSums(
        elements=elements,
        site_size_nm2=sizes,
        q_inv_nm=q,
        pairs=pair_matrix(histogram, step, own, len(elements), q) / len(models),
        body_squared=squared,
        body_cross=cross,
    )


def particle_intensities(
    models: Sequence[AtomicModel],
    factors: FactorTable,
    energies_kev: Sequence[float],
    q_inv_nm: FloatArray,
    medium_e_nm3: float,
    b_factor_nm2: float = 0.0,
    *,
    medium_model: MediumModel = "body",
    engine: Engine = "auto",
) -> FloatArray:
    """Orientation-averaged scattering of each particle by itself, (n_model, n_energy, n_q) electrons squared.

    As :func:`scattering`, whose mean over the particles it gives; what does not depend on the particle is tabulated
    once. One particle after the other, so that memory does not grow with their number.
    """
    q = np.asarray(q_inv_nm, dtype=np.float64)
    elements = tuple(sorted({s for m in models for s in m.symbols} - {VACANCY}))
    body = _body_terms(models, elements, q) if medium_model == "body" else None
    f0 = {e: np.asarray(factors.f0(e, q)) for e in elements}
    damping = np.exp(-b_factor_nm2 * (q / (4.0 * math.pi)) ** 2)
    bare = {
        energy: np.array([(f0[e] + factors.anomalous(e, energy)) * damping for e in elements])
        for energy in energies_kev
    }
    out = np.empty((len(models), len(energies_kev), len(q)))
    for i, model in enumerate(models):
        sums = pair_sums([model], q, medium_model=None if body is not None else medium_model, engine=engine)
        rows = [elements.index(e) for e in sums.elements]
        medium = -medium_e_nm3 * np.exp(-np.outer(sums.site_size_nm2, q**2) / (4.0 * math.pi))
        for k, energy in enumerate(energies_kev):
            amplitudes = np.concatenate([bare[energy][rows], medium.astype(np.complex128)])
            out[i, k] = intensity_from_pairs(sums.pairs, amplitudes)
            if body is not None:
                cross = (bare[energy].real * body[1][i]).sum(axis=0)
                out[i, k] += medium_e_nm3**2 * body[0][i] - 2.0 * medium_e_nm3 * cross
    return out


def scattering(
    model: AtomicModel | Sequence[AtomicModel],
    factors: FactorTable,
    energies_kev: Sequence[float],
    q_inv_nm: FloatArray,
    medium_e_nm3: float = 0.0,
    b_factor_nm2: float = 0.0,
    *,
    medium_model: MediumModel = "sites",
    engine: Engine = "auto",
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
    b_factor_nm2 : float
        Debye-Waller factor B, nm^2; amplitudes are multiplied by exp(-B (q / 4 pi)^2).
    medium_model : "sites" or "body"
    engine : "auto", "numba" or "numpy"

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
    Relative error of the binned pair sums below 1e-6. The Debye-Waller factor also multiplies the scattering of each
    atom with itself, so thermal diffuse scattering is left out.
    """
    models = [model] if isinstance(model, AtomicModel) else list(model)
    sums = pair_sums(models, q_inv_nm, medium_model=medium_model if medium_e_nm3 else None, engine=engine)
    return np.array([sums.intensity(factors, e, medium_e_nm3, b_factor_nm2) for e in energies_kev])


def _species(model: AtomicModel, elements: tuple[str, ...]) -> IntArray:
    index = {name: k for k, name in enumerate(elements)} | {VACANCY: -1}
    return np.array([index[s] for s in model.symbols], dtype=np.int64)


def _node_sizes(models: Sequence[AtomicModel], nodes: int) -> FloatArray:
    low = min(float(m.site_volume_nm3.min()) for m in models) ** (2.0 / 3.0)
    high = max(float(m.site_volume_nm3.max()) for m in models) ** (2.0 / 3.0)
    if nodes < 2 or high - low < 1e-9 * high:
        return np.array([0.5 * (low + high)])
    # Chebyshev points keep the interpolation error even over the range of volumes
    k = np.arange(nodes)
    return np.asarray(0.5 * (low + high) - 0.5 * (high - low) * np.cos((2 * k + 1) * math.pi / (2 * nodes)))


def _node_weights(model: AtomicModel, sizes: FloatArray) -> FloatArray:
    """Site volumes times Lagrange's basis polynomials in v^(2/3): (m, n_nodes)."""
    v = model.site_volume_nm3
    u = v ** (2.0 / 3.0)
    columns = np.empty((len(v), len(sizes)))
    for k, node in enumerate(sizes):
        factor = np.ones(len(v))
        for other in np.delete(sizes, k):
            factor *= (u - other) / (node - other)
        columns[:, k] = v * factor
    return columns


def _body_terms(
    models: Sequence[AtomicModel], elements: tuple[str, ...], q: FloatArray
) -> tuple[FloatArray, FloatArray]:
    r"""Terms of homogeneous spheroids, unique axis z: < |V B|^2 > (n_model, n_q) and cross terms (n_model, n_e, n_q).

    The amplitude B of a body depends on the polar angle only, so that with its Legendre coefficients b_l(q)
    :math:`\langle B e^{i q r} \rangle = \sum_l b_l(q)\, i^l j_l(q r) P_l(\cos\theta_r)`, exact for all directions.
    A body takes the volume of the sites that its trimmed particle really has, in the shape of the cutting spheroid.
    """
    from scipy.special import eval_legendre

    mu, w = np.polynomial.legendre.leggauss(_MU_NODES)
    polynomials = [np.asarray(eval_legendre(order, mu)) for order in range(0, _MAX_ORDER + 1, 2)]
    coefficients, squared = [], np.empty((len(models), len(q)))
    for i, model in enumerate(models):
        body = _body_amplitude(model, q, mu)
        coefficients.append(_even_coefficients(body, polynomials, w))
        squared[i] = 0.5 * (body**2) @ w
    # one radius per atom, not pairs: twice the bin is as good
    step = 2.0 * BIN_TIMES_Q / max(float(q.max()), 1.0)
    n_bins = max(int(float(np.sqrt((m.positions_nm**2).sum(axis=1)).max()) / step) for m in models) + 3
    cross = np.zeros((len(models), len(elements), len(q)))
    for k in range(max(len(c) for c in coefficients)):
        radial = _signed_bessel(2 * k, q, step, n_bins)
        for i, c in enumerate(coefficients):
            if k < len(c):
                cross[i] += c[k] * (_angular_histogram(models[i], elements, 2 * k, step, n_bins) @ radial)
    return squared, cross


def _body_amplitude(model: AtomicModel, q: FloatArray, mu: FloatArray) -> FloatArray:
    a, b, c = model.semi_axes_nm
    volume = float(model.site_volume_nm3.sum())
    if min(a, b, c) <= 0.0 or volume <= 0.0:
        raise PhysicsError(
            "semi_axes_nm, site_volume_nm3: a homogeneous body needs the particle's semi-axes and its volume"
        )
    if abs(a - b) > 1e-9 * a:
        raise PhysicsError(f"semi_axes_nm: a homogeneous body needs two equal axes (A = B), got {model.semi_axes_nm}")
    stretch = (volume / (4.0 / 3.0 * math.pi * a * a * c)) ** (1.0 / 3.0)
    a, c = a * stretch, c * stretch
    return volume * sphere_phi(q[:, None] * np.sqrt(a * a + (c * c - a * a) * mu**2)[None, :])


def _even_coefficients(body: FloatArray, polynomials: Sequence[FloatArray], w: FloatArray) -> list[FloatArray]:
    found: list[FloatArray] = []
    top = float(np.abs(body).max())
    for k, p in enumerate(polynomials):
        found.append(np.asarray((2 * k + 0.5) * (body * p) @ w))
        if np.abs(found[-1]).max() < _SMALL_COEFFICIENT * top:
            return found
    return found


def _signed_bessel(order: int, q: FloatArray, step: float, n_bins: int) -> FloatArray:
    """i^l j_l(q r) on the radial grid, l even: (n_bins, n_q)."""
    from scipy.special import spherical_jn

    sign = 1.0 if order % 4 == 0 else -1.0
    return np.asarray(sign * spherical_jn(order, step * np.arange(n_bins)[:, None] * q[None, :]))


def _angular_histogram(
    model: AtomicModel, elements: tuple[str, ...], order: int, step: float, n_bins: int
) -> FloatArray:
    """Sum of P_l(cos theta) of each element's atoms by distance from the centre, linear binning: (n_e, n_bins)."""
    from scipy.special import eval_legendre

    r = np.sqrt((model.positions_nm**2).sum(axis=1))
    cos = np.divide(model.positions_nm[:, 2], r, out=np.zeros(len(r)), where=r > 0)
    p = np.asarray(eval_legendre(order, cos))
    t = r / step
    n = t.astype(np.int64)
    species = _species(model, elements)
    out = np.empty((len(elements), n_bins))
    for row in range(len(elements)):
        here = species == row
        high = t[here] - n[here]
        out[row] = np.bincount(n[here], p[here] * (1.0 - high), minlength=n_bins)
        out[row] += np.bincount(n[here] + 1, p[here] * high, minlength=n_bins)
    return sharpened(out.T).T
