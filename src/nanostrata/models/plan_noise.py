"""Noise of a curve that is not measured yet: counting statistics, fluorescence, and a floor."""

from __future__ import annotations

import math

import numpy as np

from nanostrata.constants import HC_KEV_NM, R_E_NM
from nanostrata.domain.base import FloatArray
from nanostrata.domain.plan import FluxBudget, NoiseLaw
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.tables.factors import FactorTable
from nanostrata.tables.fluorescence import counted_yield

__all__ = ["counting_variance", "counts_per_s", "fluorescence_e2", "law_at", "relative_flux"]

_INV_CM_PER_INV_NM = 1e7
_CM_PER_MM = 0.1


def fluorescence_e2(
    solid: SolidSolution, x: FloatArray, sites: FloatArray, factors: FactorTable, energy_kev: float, threshold: float
) -> float:
    r"""Fluorescence that is counted, per particle, electrons squared; the same in all directions.

    .. math:: B = \frac{\lambda}{2 \pi r_e} \sum_j N_j\, f''_j(E)\, Y_j

    since an atom absorbs with :math:`\sigma = 2 r_e \lambda f''` and emits into 4 pi.

    Parameters
    ----------
    x, sites : (n,) composition and number of shared sites of each shell
    threshold : photons below this share of the beam's energy are not counted
    """
    total = 0.0
    for element, per_site in solid.elements_per_site(x).items():
        yield_ = counted_yield(element, energy_kev, threshold * energy_kev)
        if yield_ > 0:
            total += float(per_site @ sites) * factors.f_double_prime(element, energy_kev) * yield_
    return HC_KEV_NM / energy_kev * total / (2.0 * math.pi * R_E_NM)


def law_at(noise: NoiseLaw, q: FloatArray) -> FloatArray:
    """Relative counting noise at the reference exposure, (n_q,).

    Where it was given at single q, logarithms are interpolated; beyond the last q it grows with q^2, as counting does on
    a curve that falls with q^-4, and below the first one it stays.
    """
    if not len(noise.q_inv_nm):
        return np.asarray(noise.relative[0] * np.sqrt(1.0 + (q / noise.noise_q_inv_nm) ** 2))
    inside = np.exp(np.interp(q, noise.q_inv_nm, np.log(noise.relative)))
    return np.asarray(inside * np.maximum(q / noise.q_inv_nm[-1], 1.0) ** 2)


def relative_flux(noise: NoiseLaw, energy_kev: float) -> float:
    """Flux at an energy over that of the reference.

    Raises
    ------
    PhysicsError
        Outside the energies for which it was stated.
    """
    e = noise.flux_energies_kev
    if not len(e):
        return 1.0
    if not e[0] <= energy_kev <= e[-1]:
        raise PhysicsError(
            f"plan.relative_flux: covers {e[0]:g} to {e[-1]:g} keV, {energy_kev:g} keV is needed; give a wider table"
        )
    return float(np.interp(energy_kev, e, noise.flux_relative))


def counts_per_s(budget: FluxBudget, q: FloatArray, energy_kev: float, scattering_inv_cm: FloatArray) -> FloatArray:
    r"""Photons counted per second in the ring of each point.

    .. math:: \dot n = \Phi\, T\, d\, \frac{d\Sigma}{d\Omega}\, \frac{\lambda^2 q\, \Delta q}{2\pi}\, s\, \eta

    The solid angle of a ring is exactly that, for any angle and distance, with q = 4 pi sin(theta) / lambda.
    """
    width = np.gradient(q)
    solid_angle = (HC_KEV_NM / energy_kev) ** 2 * q * width / (2.0 * math.pi)
    share = budget.transmission * budget.ring_share * budget.efficiency
    return np.asarray(budget.photons_per_s * share * budget.thickness_mm * _CM_PER_MM * scattering_inv_cm * solid_angle)


def counting_variance(
    noise: NoiseLaw, q: FloatArray, energy_kev: float, signal_e2: FloatArray, background_e2: float, volume_nm3: float
) -> FloatArray:
    """Variance of every point by counting after one second at this energy, electrons^4 per particle.

    Parameters
    ----------
    signal_e2 : (n_q,) scattering of the particles
    background_e2 : counted besides, the same at all q
    volume_nm3 : mean volume of a particle
    """
    flux = relative_flux(noise, energy_kev)
    total = signal_e2 + background_e2
    if noise.flux is None:
        return np.asarray(law_at(noise, q) ** 2 * signal_e2 * total * noise.reference_exposure_s / flux)
    unit = _INV_CM_PER_INV_NM * noise.flux.volume_fraction / volume_nm3 * R_E_NM**2
    per_inv_cm = counts_per_s(noise.flux, q, energy_kev, np.ones(len(q))) * flux
    # the medium is measured alone for as long, and its counts are subtracted: they count twice
    return np.asarray((unit * total + 2.0 * noise.flux.medium_inv_cm) / per_inv_cm / unit**2)
