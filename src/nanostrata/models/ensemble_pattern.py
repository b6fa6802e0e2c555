"""Powder pattern of an ensemble of atoms near wide-angle peaks, and how well so few particles know it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.posterior import shape_modes
from nanostrata.tables.factors import FactorTable

FORM_DEGREE, FORM_ERROR = 4, 0.01
"""Smooth relative deviations with a prior: elements that vibrate differently, absorption."""

LATTICE_REACH = 0.03
"""How far a common factor on all distances is looked for."""

BACKGROUND_WAVE_INV_NM = 3.5
"""The free background, a polynomial in q, has one degree for each such stretch: it follows the halo of a liquid (full width
4 1/nm and more), Compton and thermal diffuse scattering, but not the peaks of particles above 2 nm."""

_DEGREES = (3, 14)

LOWEST_Q = 6.0
"""In 1/nm: what lies below is left to the small-angle curves."""

_STEP_IN_WAVES = 12.0


@dataclass(frozen=True, kw_only=True)
class EnsemblePattern:
    """Curves of the particles on an even grid, without thermal motion.

    Attributes
    ----------
    q : (n_q,) even grid, 1/nm
    particles : (m, n_q) electrons squared
    weights, diameters, atoms : (m,) of each particle
    blur : one standard deviation of the instrument, 1/nm
    """

    q: FloatArray
    particles: FloatArray
    weights: FloatArray
    diameters: FloatArray
    atoms: FloatArray
    blur: float

    def at(self, q: FloatArray, stretch: float, b_nm2: float) -> FloatArray:
        """Every particle at q, (n, n_q), with all distances times ``stretch``, vibrating, as the instrument sees it."""
        from scipy.interpolate import CubicSpline
        from scipy.ndimage import gaussian_filter1d

        step = self.q[1] - self.q[0]
        own = self.particles * np.exp(-2.0 * b_nm2 * (self.q / (4.0 * np.pi)) ** 2)
        if stretch != 1.0:
            own = CubicSpline(self.q, own, axis=1)(np.clip(self.q * stretch, self.q[0], self.q[-1]))
        if self.blur > 0:
            own = gaussian_filter1d(own, self.blur / step, axis=1, mode="nearest")
        return np.asarray(CubicSpline(self.q, own, axis=1)(q))


def ensemble_pattern(
    ensemble: AtomEnsemble, factors: FactorTable, energy_kev: float, q: FloatArray, blur: float
) -> EnsemblePattern:  # fmt: skip
    """Sum up every particle on a grid that is fine enough for its size, the blur and the search of the lattice.

    Parameters
    ----------
    q : (n_q,) points of the measurement, 1/nm
    blur : Gaussian width of the instrument, 1/nm
    """
    largest = max(float(np.ptp(p.positions_nm, axis=0).max()) for p in ensemble.particles)
    step = min(2.0 * np.pi / (largest * _STEP_IN_WAVES), blur / 2.0 if blur > 0 else np.inf)
    low = max(0.5 * LOWEST_Q, q[0] * (1.0 - LATTICE_REACH) - 5.0 * blur)
    high = q[-1] * (1.0 + LATTICE_REACH) + 5.0 * blur
    grid = np.linspace(low, high, int(np.ceil((high - low) / step)) + 1)
    particles = particle_intensities(ensemble.particles, factors, [energy_kev], grid, 0.0, medium_model=None)[:, 0]
    return EnsemblePattern(
        q=grid, particles=particles, weights=ensemble.weights, diameters=ensemble.diameter_nm,
        atoms=np.array([float(len(p.symbols)) for p in ensemble.particles]), blur=blur,
    )  # fmt: skip


def pattern_errors(
    dense: EnsemblePattern, own: FloatArray, mean: FloatArray, q: FloatArray, scale: float
) -> FloatArray:
    """Patterns with a prior, each times its standard deviation, data units, (n_q, n_pattern)."""
    out = [FORM_ERROR * scale * mean * mode for mode in shape_modes(q, FORM_DEGREE).T]
    count = len(own)
    degree = min(3, count // 5)
    if count > degree + 1:
        # what does not follow the size smoothly is chance: where the lattice is cut, which sites are taken, the draw
        u = (dense.diameters - dense.diameters.mean()) / max(float(np.ptp(dense.diameters)), 1e-9)
        basis, _ = np.linalg.qr(np.vander(u, degree + 1) * np.sqrt(dense.weights)[:, None])
        per_atom = own / dense.atoms[:, None] * np.sqrt(dense.weights)[:, None]
        rest = (per_atom - basis @ (basis.T @ per_atom)) * np.sqrt(dense.weights)[:, None] * dense.atoms[:, None]
        out += list(scale * np.sqrt(count / (count - degree - 1.0)) * rest)
    return np.stack(out, axis=1)


def background_degree(q: FloatArray) -> int:
    """Degree of the free background over these points."""
    return int(np.clip(round(float(np.ptp(q)) / BACKGROUND_WAVE_INV_NM), *_DEGREES)) if len(q) else 0


def smooth_background(q: FloatArray) -> FloatArray:
    """Polynomials of the free background, (n_q, degree + 1)."""
    return np.column_stack([np.ones(len(q)), shape_modes(q, background_degree(q))])
