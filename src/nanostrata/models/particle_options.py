"""What a particle may have besides its shells: a ligand shell, and a composition that differs between particles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from nanostrata.constants import AVOGADRO
from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import ComplexArray, Domain, FloatArray, check_range
from nanostrata.errors import RecipeError
from nanostrata.kernels.composition_spread import shifted_compositions
from nanostrata.tables.elements import atomic_mass, atomic_number
from nanostrata.tables.factors import FactorTable
from nanostrata.tables.formulas import parse_formula

WIDEST_SPREAD = 0.2
"""Largest spread of x between particles (where x = 1/2): the prior of a fitted spread is uniform from 0 to this."""

SPREAD_NODES = 5
"""Gauss-Hermite nodes of the spread."""

LIGAND_THICKNESS, LIGAND_DENSITY, SPREAD = "ligand_thickness", "ligand_density", "composition_spread"
"""Names of the parameters of the fit, each with a standard normal prior."""

_CM3_IN_NM3 = 1e21
_NEAREST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ligand(Domain):
    r"""Shell of constant thickness outside the particle, of one density; the same for all sizes.

    Either ``electron_density_e_nm3`` is given, or formula and mass density, from which

    .. math:: \rho(E) = \frac{\rho_m N_A}{M} \sum_j n_j\, (Z_j + f_j'(E) + i f_j''(E)).

    As for the medium, which it replaces, the electrons are spread out evenly: no f0(q).

    Attributes
    ----------
    thickness_nm, thickness_sd_nm : Gaussian prior; sd 0 = known exactly, else at most a third of the thickness
    electron_density_e_nm3 : real electron density, or None
    formula, density_g_cm3 : or these two
    density_sd : relative standard deviation of the density
    """

    thickness_nm: float
    thickness_sd_nm: float = 0.0
    electron_density_e_nm3: float | None = None
    formula: str | None = None
    density_g_cm3: float | None = None
    density_sd: float = 0.0

    def __post_init__(self) -> None:
        check_range("thickness_nm", self.thickness_nm, 0.05, 20.0, hint="a thickness in nm is expected")
        check_range("thickness_sd_nm", self.thickness_sd_nm, 0.0, 10.0)
        check_range("density_sd", self.density_sd, 0.0, 0.5)
        by_number, by_formula = self.electron_density_e_nm3 is not None, self.formula is not None
        if by_number == by_formula or by_formula != (self.density_g_cm3 is not None):
            raise RecipeError(
                "particle.ligand: expected either electron_density_e_nm3 or formula with density_g_cm3, got "
                + ("both" if by_number else "neither, or one of the two without the other")
                + "; write one of them"
            )
        if 3.0 * self.thickness_sd_nm > self.thickness_nm * (1.0 + 1e-9):
            raise RecipeError(
                f"particle.ligand.thickness_uncertainty_nm: expected at most a third of thickness_nm ({self.thickness_nm:g}), "
                f"since a Gaussian prior must leave the thickness above 0, got {self.thickness_sd_nm:g}; write a smaller one"
            )
        if self.formula is not None:
            parse_formula(self.formula)

    def electron_density(self, factors: FactorTable, energy_kev: float) -> complex:
        """Complex electron density, e/nm^3."""
        if self.electron_density_e_nm3 is not None:
            return complex(self.electron_density_e_nm3)
        assert self.formula is not None
        assert self.density_g_cm3 is not None
        counts = parse_formula(self.formula)
        mass = sum(n * atomic_mass(e) for e, n in counts.items())
        electrons = sum(n * (atomic_number(e) + factors.anomalous(e, energy_kev)) for e, n in counts.items())
        return complex(self.density_g_cm3 * AVOGADRO / (mass * _CM3_IN_NM3) * electrons)

    def thicker(self) -> Ligand | None:
        """Return the ligand with one standard deviation more of thickness; None where the thickness is held."""
        return (
            replace(self, thickness_nm=self.thickness_nm + self.thickness_sd_nm) if self.thickness_sd_nm > 0 else None
        )

    def denser(self) -> Ligand | None:
        """Return the ligand with one standard deviation more of density; None where the density is held."""
        return self.scaled(1.0 + self.density_sd) if self.density_sd > 0 else None

    def scaled(self, factor: float) -> Ligand:
        """Return the ligand with this multiple of its density."""
        if self.electron_density_e_nm3 is not None:
            return replace(self, electron_density_e_nm3=factor * self.electron_density_e_nm3)
        assert self.density_g_cm3 is not None
        return replace(self, density_g_cm3=factor * self.density_g_cm3)

    def at_points(self, curves: Sequence[ScatteringCurve], factors: FactorTable) -> ComplexArray:
        """Complex electron density at every data point, (p,)."""
        values = [self.electron_density(factors, c.energy_kev or 0.0) for c in curves]
        return np.repeat(np.array(values, dtype=np.complex128), [len(c) for c in curves])


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionSpread(Domain):
    r"""Particles that differ in how far the exchange went.

    One standard normal t per particle shifts every shell, :math:`\mathrm{logit}\, x_k(t) = b_k + 4 s t`: s is the standard
    deviation of x where x = 1/2, and 0 < x < 1 holds for every t.

    Attributes
    ----------
    width : s, held fixed; None = fitted, with a prior that is uniform from 0 to ``WIDEST_SPREAD``
    """

    width: float | None = None

    def __post_init__(self) -> None:
        if self.width is not None:
            check_range("composition_spread", self.width, 0.0, WIDEST_SPREAD)

    def at(self, amplitude: float) -> tuple[float, float]:
        r"""Return s and its derivative for a standard normal amplitude: :math:`s = s_{max} \Phi(a)` where it is fitted."""
        if self.width is not None:
            return self.width, 0.0
        density = math.exp(-0.5 * amplitude * amplitude) / math.sqrt(2.0 * math.pi)
        return WIDEST_SPREAD * 0.5 * math.erfc(-amplitude / math.sqrt(2.0)), WIDEST_SPREAD * density


@lru_cache(maxsize=8)
def _hermite(count: int) -> tuple[FloatArray, FloatArray]:
    t, w = np.polynomial.hermite_e.hermegauss(count)
    return t, w / w.sum()


def spread_compositions(
    x: FloatArray, spread: float, count: int = SPREAD_NODES
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    r"""Compositions of the particles of an ensemble whose mean is x in every shell.

    The b_k are those for which the mean over t is :math:`x_k`.

    Parameters
    ----------
    x : (n_shell,) ensemble mean
    spread : s
    count : Gauss-Hermite nodes in t

    Returns
    -------
    weights (count,), compositions (count, n_shell), and their derivatives by x_k and by s
    """
    t, w = _hermite(count)
    mean = np.clip(np.asarray(x, dtype=np.float64), _NEAREST, 1.0 - _NEAREST)
    own, by_x = np.empty((count, len(mean))), np.empty((count, len(mean)))
    by_s = np.repeat(4.0 * t[:, None], len(mean), axis=1)
    shifted_compositions(mean, 4.0 * spread * t, w, own, by_x, by_s)
    return w, own, by_x, by_s
