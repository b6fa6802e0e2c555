"""Separate the scattering of the resonant element from curves at several energies, without a model of the particle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray, frozen_array
from nanostrata.domain.separation import Correction, SeparatedTerms
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.models.separation import amplitude_factors, coefficients, common_grid, largest_share, solve, to_grid
from nanostrata.tables.factors import FactorTable, check_energies

__all__ = ["LARGEST_CONDITION", "LARGEST_RESOLUTION", "VERSION", "separate_terms"]

VERSION = "1"

LARGEST_RESOLUTION = 0.5
"""Refused above: a particle of nothing but the richer end member would show I_RR by less than two standard deviations."""

LARGEST_CONDITION = 1e6
"""Refused above, whatever the errors: factors themselves are not known to one part in a million."""


def separate_terms(
    curves: Sequence[ScatteringCurve],
    solid: SolidSolution,
    factors: FactorTable,
    element: str,
    *,
    scale_uncertainty: float | Sequence[float] = 0.0,
    correction: Correction = "end_members",
    q_inv_nm: ArrayLike | None = None,
) -> SeparatedTerms:
    r"""Terms of the anomalous scattering at every q, by weighted least squares over the energies.

    .. math:: I(q,E) = |G|^2 I_0 + 2\,\mathrm{Re}(G H^*)\, I_{0R} + |H|^2 I_{RR}

    With G = 1 and H = f' + i f'' of the resonant element this is Stuhrmann's
    :math:`I_0 + 2 f' I_{0R} + (f'^2 + f''^2) I_{RR}`. The correction "end_members" puts the other elements' f' and f''
    into G and H (`nanostrata.models.separation.amplitude_factors`).

    Parameters
    ----------
    curves : three or more energies, background subtracted, all on one scale, in one unit; their q grids may differ
    solid : end members and medium
    factors : table of f', f''
    element : the resonant element
    scale_uncertainty : one relative standard deviation of each curve's scale, independent of the others'; one for all or
        one per curve, 0 = exact
    correction : "end_members", or "none" for the classical form
    q_inv_nm : common grid; default the points of the coarsest curve that all curves cover (200 at most)

    Returns
    -------
    SeparatedTerms
        The estimates as they come out. Inequalities that they must obey are reported (``positivity``), not imposed.

    Assumes
    -------
    Centrosymmetric particles or orientation averages in which amplitudes are real; compositions on the line between the
    end members; a medium that is displaced homogeneously and is far from its own edges; no background left.

    Raises
    ------
    PhysicsError
        For fewer than three energies, curves in different units or without energy, energies too near an edge, and where
        the energies at these errors cannot separate the terms.

    References
    ----------
    Stuhrmann, Adv. Polym. Sci. 67, 123 (1985), doi:10.1007/BFb0016608.
    """
    energies, scales = _checked(curves, scale_uncertainty)
    check_energies(solid.elements, energies, factors)
    if q_inv_nm is None:
        grid = common_grid(curves)
    else:
        grid = frozen_array("q_inv_nm", q_inv_nm, positive=True, increasing=True)
    matrices = [to_grid(c, grid) for c in curves]
    values = np.stack([b @ c.intensity for b, c in zip(matrices, curves, strict=True)])
    covariances = [(b * c.sigma**2) @ b.T for b, c in zip(matrices, curves, strict=True)]
    g, h = amplitude_factors(solid, factors, element, energies, grid, correction)
    design = coefficients(g, h)
    share = largest_share(solid, factors, element, grid)
    relative = np.stack([np.ones(len(grid)), share, share**2], axis=1)
    condition = np.linalg.cond(design * relative[:, None, :])
    if not condition.max() < LARGEST_CONDITION:
        raise PhysicsError(_too_alike(element, energies, factors, float(condition.max())))
    solution = solve(design, values, covariances, scales, relative)
    # the mean over the energies, not one term, which may be lost in its errors
    level = np.abs(values).mean(axis=0)[:, None] * relative
    resonant = solution.covariance[:, 2, :, 2]
    resolution = _resolution(level[:, 2], resonant)
    if resolution > LARGEST_RESOLUTION:
        raise PhysicsError(
            _too_uncertain(element, energies, factors, condition, resolution, values, covariances, scales)
        )
    anomalous = np.array([factors.anomalous(element, e) for e in energies])
    n, at = len(grid), np.arange(len(grid))
    return SeparatedTerms(
        element=element, correction=correction, energies_kev=np.array(energies), f_prime=anomalous.real,
        f_double_prime=anomalous.imag, q_inv_nm=grid, terms=solution.terms, covariance=solution.covariance[at, :, at, :],
        resonant_covariance=resonant, condition=condition, scale=solution.scale, scale_sigma=solution.scale_sigma,
        resolution=resolution, chi2=solution.chi2, degrees_of_freedom=n * (len(curves) - 3),
        intensity_unit=curves[0].intensity_unit,
    )  # fmt: skip


def _checked(
    curves: Sequence[ScatteringCurve], scale_uncertainty: float | Sequence[float]
) -> tuple[list[float], FloatArray]:
    energies = [c.energy_kev for c in curves if c.energy_kev is not None]
    if len(energies) < len(curves):
        raise PhysicsError("curves: every curve needs its photon energy (energy_kev)")
    if len(set(energies)) < 3:
        raise PhysicsError(
            f"curves: three terms need three or more different energies, got {len(set(energies))}; measure at more energies"
        )
    units = sorted({c.intensity_unit for c in curves})
    if len(units) > 1:
        raise PhysicsError(f"curves: intensities in {' and '.join(units)}; bring all curves to one scale first")
    scales = np.atleast_1d(np.asarray(scale_uncertainty, dtype=np.float64))
    scales = np.full(len(curves), scales[0]) if len(scales) == 1 else scales
    scales = frozen_array("scale_uncertainty", scales, nonnegative=True, length=len(curves))
    if scales.max() > 0.5:
        raise PhysicsError(f"scale_uncertainty: expected relative standard deviations up to 0.5, got {scales.max():g}")
    return energies, scales


def _resolution(size: FloatArray, covariance: FloatArray) -> float:
    """Standard deviation of the factor k in I_RR = k size, by generalised least squares over all points."""
    return float(1.0 / np.sqrt(size @ np.linalg.solve(covariance, size)))


def _listed(element: str, energies: Sequence[float], factors: FactorTable) -> str:
    return ", ".join(f"{e:g} keV (f' = {factors.f_prime(element, e):.2f})" for e in energies)


def _too_alike(element: str, energies: Sequence[float], factors: FactorTable, condition: float) -> str:
    return (
        f"the energies cannot separate the terms: condition number {condition:.1e}, at most {LARGEST_CONDITION:.0e} is taken. "
        f"{element}: {_listed(element, energies, factors)}; add energies at which its factors differ more, nearer to the edge "
        "and far from it"
    )


def _too_uncertain(
    element: str, energies: Sequence[float], factors: FactorTable, condition: FloatArray, resolution: float,
    values: FloatArray, covariances: Sequence[FloatArray], scales: FloatArray,
) -> str:  # fmt: skip
    errors = np.sqrt([np.diagonal(c) for c in covariances]) / np.abs(values)
    return (
        f"the energies cannot separate the terms at these errors: with condition numbers of {condition.min():.0f} to "
        f"{condition.max():.0f}, {100 * np.median(errors):.2g} % per point (median) and scales known to "
        f"{100 * scales.max():.2g} %, I_RR of a particle of the end member richest in {element} would be known to "
        f"±{100 * resolution:.0f} % from all points together (at most {100 * LARGEST_RESOLUTION:.0f} % is accepted). "
        f"{_listed(element, energies, factors)}; measure longer, fix the scales better, or add energies at which the "
        "factors differ more"
    )
