"""The equations of the separation of terms: coefficients, a common grid, and weighted least squares with scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.separation import Correction
from nanostrata.errors import PhysicsError
from nanostrata.kernels.multishell import pair_index
from nanostrata.models.density import SolidSolution
from nanostrata.models.pair_table import PairTable
from nanostrata.tables.factors import FactorTable

MOST_POINTS = 200
"""Points of the common grid: its covariance is a full matrix."""

_ALIKE = 1e-3


def _members(solid: SolidSolution) -> tuple[dict[str, float], dict[str, float]]:
    shell = solid.core if solid.shell is None else solid.shell
    return dict(solid.core.composition), dict(shell.composition)


def _thomson(solid: SolidSolution, factors: FactorTable, q_inv_nm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Electrons of one shared site of core and of shell above those of the medium that it displaces, (n,) each."""
    volumes = (solid.core.site_volume_nm3, (solid.core if solid.shell is None else solid.shell).site_volume_nm3)
    g = [
        sum(n * factors.f0(e, q_inv_nm) for e, n in member.items()) - solid.medium.electron_density_e_nm3 * v
        for member, v in zip(_members(solid), volumes, strict=True)
    ]
    return np.asarray(g[0]), np.asarray(g[1])


def amplitude_factors(
    solid: SolidSolution,
    factors: FactorTable,
    element: str,
    energies_kev: Sequence[float],
    q_inv_nm: FloatArray,
    correction: Correction = "end_members",
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return G and H of :math:`F(q,E) = G F_0 + H A_R`, complex, (n_energy, n_q) each.

    F_0 is the amplitude of all electrons above the medium without any anomalous part, A_R that of the resonant
    element's atoms. Every composition lies between two end members, so each other element's amplitude is
    :math:`A_j = a_j F_0 + b_j A_R`, with c, s the atoms per shared site of core and shell material and g their
    electrons above the medium,

    .. math:: a_j = \frac{c_j s_R - s_j c_R}{g_c s_R - g_s c_R}, \quad b_j = \frac{s_j g_c - c_j g_s}{g_c s_R - g_s c_R},

    .. math:: G = 1 + \sum_{j \ne R} (f'_j + i f''_j)\, a_j, \quad H = f'_R + i f''_R + \sum_{j \ne R} (f'_j + i f''_j)\, b_j

    For one material a_j = 0 and b_j = c_j / c_R. Without the correction G = 1 and H = f' + i f''.

    Raises
    ------
    PhysicsError
        When the element is in neither material, or in both in the same proportion to the contrast: then what is
        resonant cannot be told from what is not.
    """
    core, shell = _members(solid)
    c, s = core.get(element, 0.0), shell.get(element, 0.0)
    if c == 0.0 and s == 0.0:
        raise PhysicsError(f"resonant element {element}: expected one of {', '.join(solid.elements)}; name one of them")
    q = np.atleast_1d(np.asarray(q_inv_nm, dtype=np.float64))
    shape = (len(energies_kev), len(q))
    resonant = np.array([factors.anomalous(element, e) for e in energies_kev])
    g_total = np.ones(shape, dtype=np.complex128)
    h_total = np.repeat(resonant[:, None], len(q), axis=1)
    if correction == "none":
        return g_total, h_total
    g_core, g_shell = _thomson(solid, factors, q)
    det = g_core * s - g_shell * c
    if solid.shell is not None and np.any(np.abs(det) < _ALIKE * (np.abs(g_core * s) + np.abs(g_shell * c))):
        raise PhysicsError(
            f"{element} is in {solid.core.name} and {solid.shell.name} in the same proportion to the contrast; the other "
            'elements cannot be followed from it, so choose another resonant element, or correction "none"'
        )
    for other in solid.elements:
        if other == element:
            continue
        cj, sj = core.get(other, 0.0), shell.get(other, 0.0)
        if solid.shell is None:
            a, b = np.zeros(len(q)), np.full(len(q), cj / c)
        else:
            a, b = (cj * s - sj * c) / det, (sj * g_core - cj * g_shell) / det
        delta = np.array([factors.anomalous(other, e) for e in energies_kev])
        g_total += delta[:, None] * a
        h_total += delta[:, None] * b
    return g_total, h_total


def coefficients(g: np.ndarray, h: np.ndarray) -> FloatArray:
    """Coefficients |G|^2, 2 Re(G H*), |H|^2 of the three terms, (n_q, n_energy, 3)."""
    stacked = np.stack([np.abs(g) ** 2, 2.0 * (g * h.conj()).real, np.abs(h) ** 2], axis=-1)
    return np.asarray(np.swapaxes(stacked, 0, 1), dtype=np.float64)


def largest_share(solid: SolidSolution, factors: FactorTable, element: str, q_inv_nm: FloatArray) -> FloatArray:
    """Largest A_R / F_0 of the two end members, per electron, (n,): I_RR / I_0 of such a particle is its square.

    An end member that is matched by the medium is left out where the other is not.
    """
    g = _thomson(solid, factors, q_inv_nm)
    ratios = [
        m.get(element, 0.0) / np.maximum(np.abs(x), 1e-2 * np.maximum(np.abs(g[0]), np.abs(g[1])))
        for m, x in zip(_members(solid), g, strict=True)
    ]
    return np.asarray(np.maximum(*ratios))


def common_grid(curves: Sequence[ScatteringCurve]) -> FloatArray:
    """Points of the coarsest curve inside the range of all, every k-th where there are too many."""
    low, high = max(c.q_inv_nm[0] for c in curves), min(c.q_inv_nm[-1] for c in curves)
    inside = [c.q_inv_nm[(c.q_inv_nm >= low) & (c.q_inv_nm <= high)] for c in curves]
    grid = min(inside, key=len)
    if len(grid) < 4:
        raise PhysicsError(
            f"curves: they share only {max(0, len(grid))} points between {low:.4g} and {high:.4g} 1/nm, 4 are needed; "
            "give curves that overlap in q"
        )
    return np.asarray(grid[:: -(-len(grid) // MOST_POINTS)], dtype=np.float64)


def to_grid(curve: ScatteringCurve, grid: FloatArray) -> FloatArray:
    r"""Matrix B (n_grid, n) that takes a curve to the grid; its covariance there is :math:`B \sigma^2 B^T`.

    Each grid point gets the value of the weighted cubic through the curve's points in its cell (half way to both
    neighbours), or through the four nearest where the cell holds fewer: Lagrange's interpolation, the identity at the
    curve's own points.

    Raises
    ------
    PhysicsError
        When the grid leaves the curve's range, or the curve has fewer than 4 points.
    """
    q = curve.q_inv_nm
    if len(q) < 4 or grid[0] < q[0] * (1 - 1e-12) or grid[-1] > q[-1] * (1 + 1e-12):
        raise PhysicsError(
            f"q grid: {grid[0]:.4g} to {grid[-1]:.4g} 1/nm is asked for, curve {curve.label or curve.energy_kev} has "
            f"{len(q)} points from {q[0]:.4g} to {q[-1]:.4g} 1/nm (4 or more are needed); take a range that all curves cover"
        )
    middle = 0.5 * (grid[1:] + grid[:-1])
    lows, highs = np.concatenate([[grid[0]], middle]), np.concatenate([middle, [grid[-1]]])
    out = np.zeros((len(grid), len(q)))
    for i, (at, low, high) in enumerate(zip(grid, lows, highs, strict=True)):
        inside = np.flatnonzero((q >= low) & (q <= high))
        nearest = np.flatnonzero(np.isclose(q, at, rtol=1e-12, atol=0.0))
        if len(inside) <= 4 and len(nearest):
            out[i, nearest[0]] = 1.0
            continue
        if len(inside) < 4:
            first = int(np.clip(np.searchsorted(q, at) - 2, 0, len(q) - 4))
            inside = np.arange(first, first + 4)
        t = (q[inside] - at) / (q[inside[-1]] - q[inside[0]])
        weight = 1.0 / curve.sigma[inside]
        out[i, inside] = np.linalg.pinv(np.vander(t, 4, increasing=True) * weight[:, None])[0] * weight
    return out


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Terms by weighted least squares.

    Attributes
    ----------
    terms : (n, 3)
    covariance : (n, 3, n, 3)
    scale, scale_sigma : (n_energy,)
    chi2 : of data and scales
    """

    terms: FloatArray
    covariance: FloatArray
    scale: FloatArray
    scale_sigma: FloatArray
    chi2: float


def solve(
    design: FloatArray, values: FloatArray, covariances: Sequence[FloatArray], scale_sigma: FloatArray, size: FloatArray
) -> Solution:
    r"""Terms at every q and the scale of every energy, by linear least squares.

    .. math:: y_e(q) = \sum_t C_{et}(q)\, T_t(q)\, (1 + \epsilon_e) + \text{noise}, \qquad \epsilon_e \sim N(0, s_e^2)

    The product is linearised with the fitted intensities (the measured ones, with their noise, would pull all scales
    down). Weights are the variances at each point; covariances are those of this linear estimator under the full
    covariances of the values.

    Parameters
    ----------
    design : (n, n_energy, 3)
    values : (n_energy, n)
    covariances : (n, n) for each energy
    scale_sigma : (n_energy,) s; 0 = exact
    size : (n, 3) expected sizes of the terms, to balance the columns
    """
    n, n_energy, _ = design.shape
    y = values.T
    weight = np.stack([1.0 / np.diagonal(c) for c in covariances], axis=1)
    root = np.sqrt(weight)
    estimator = (
        size[:, :, None] * np.linalg.pinv(root[:, :, None] * design * size[:, None, :], rcond=1e-13) * root[:, None, :]
    )
    free = np.flatnonzero(scale_sigma > 0)
    prior = np.diag(1.0 / scale_sigma[free] ** 2)
    project = weight[:, :, None] * (np.eye(n_energy) - np.einsum("qet,qtf->qef", design, estimator))
    terms = np.einsum("qte,qe->qt", estimator, y)
    epsilon = np.zeros(n_energy)
    gain, spread = np.zeros((n, len(free), n_energy)), np.zeros((len(free), len(free)))
    for _ in range(3 if len(free) else 0):
        model = np.einsum("qet,qt->qe", design, terms)
        gain = model[:, free, None] * project[:, free, :]
        spread = np.linalg.inv(prior + np.einsum("qkl,ql->kl", gain[:, :, free], model[:, free]))
        epsilon[free] = spread @ np.einsum("qke,qe->k", gain, y)
        terms = np.einsum("qte,qe->qt", estimator, y - model * epsilon)
    model = np.einsum("qet,qt->qe", design, terms)
    modes = (estimator[:, :, free] * model[:, None, free]).reshape(3 * n, len(free))
    total = modes @ spread @ prior @ spread @ modes.T
    scale_cov = spread @ prior @ spread
    for e, cov in enumerate(covariances):
        pull = spread @ gain[:, :, e].T
        linear = -modes @ pull
        linear.reshape(n, 3, n)[np.arange(n), :, np.arange(n)] += estimator[:, :, e]
        total += linear @ cov @ linear.T
        scale_cov = scale_cov + pull @ cov @ pull.T
    sigma = np.zeros(n_energy)
    sigma[free] = np.sqrt(np.diagonal(scale_cov))
    residual = y - model * (1.0 + epsilon)
    chi2 = float((weight * residual**2).sum() + (epsilon[free] ** 2 / scale_sigma[free] ** 2).sum())
    return Solution(
        terms=terms, covariance=total.reshape(n, 3, n, 3), scale=1.0 + epsilon, scale_sigma=sigma, chi2=chi2
    )  # fmt: skip


def predicted_terms(
    solid: SolidSolution, factors: FactorTable, element: str, table: PairTable, shell_fraction: FloatArray
) -> FloatArray:
    r"""Terms of a particle of shells, averaged over its sizes, in electrons squared, (n_q, 3).

    .. math:: I_0 = \sum_{kl} T_{kl}\, g_k g_l, \quad I_{0R} = \sum_{kl} T_{kl}\, g_k n_l, \quad I_{RR} = \sum_{kl} T_{kl}\, n_k n_l

    with g the electrons per volume above the medium without any anomalous part and n the resonant atoms per volume.

    Parameters
    ----------
    table : pair table of the sizes and shape, on the q of interest
    shell_fraction : (n_shell,)
    """
    x = np.asarray(shell_fraction, dtype=np.float64)
    v = np.asarray(solid.site_volume_nm3(x), dtype=np.float64)
    per_site = solid.elements_per_site(x)
    electrons = sum(np.outer(factors.f0(e, table.q_inv_nm), n / v) for e, n in per_site.items())
    g = np.asarray(electrons) - solid.medium.electron_density_e_nm3
    n = np.broadcast_to(per_site[element] / v, g.shape)
    k, m = pair_index(len(x))
    t = table.table_t.T
    cross = 0.5 * (g[:, k] * n[:, m] + g[:, m] * n[:, k])
    return np.stack([(t * g[:, k] * g[:, m]).sum(1), (t * cross).sum(1), (t * n[:, k] * n[:, m]).sum(1)], axis=1)
