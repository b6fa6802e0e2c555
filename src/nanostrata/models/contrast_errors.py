"""What is not known exactly about the contrasts, as parameters of the fit: medium, stoichiometry, energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain import Material, ScatteringCurve
from nanostrata.domain.base import ComplexArray, Domain, FloatArray, check_range
from nanostrata.models.density import SolidSolution
from nanostrata.models.particle_options import (
    LIGAND_DENSITY,
    LIGAND_THICKNESS,
    SPREAD,
    CompositionSpread,
    Ligand,
)
from nanostrata.tables.factors import FactorTable
from nanostrata.tables.formulas import split_ions

_STEP_EV = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastErrors(Domain):
    """Standard deviations of what shifts the contrasts; 0 = known exactly, and no parameter of the fit.

    Attributes
    ----------
    medium_density : relative, of the medium's electron density
    core_cations, shell_cations : relative, of the number of cations per anion; the lattice, and so the volume, stays
    energy_ev : of the calibration of the photon energy, common to all curves, eV
    ligand : shell of other matter outside the particle, whose thickness and density are uncertain; None = none
    spread : composition that differs from particle to particle; None = all particles are alike
    """

    medium_density: float = 0.0
    core_cations: float = 0.0
    shell_cations: float = 0.0
    energy_ev: float = 0.0
    ligand: Ligand | None = None
    spread: CompositionSpread | None = None

    def __post_init__(self) -> None:
        check_range("medium_density", self.medium_density, 0.0, 0.3)
        check_range("core_cations", self.core_cations, 0.0, 0.5)
        check_range("shell_cations", self.shell_cations, 0.0, 0.5)
        check_range("energy_ev", self.energy_ev, 0.0, 20.0)

    @property
    def option_names(self) -> tuple[str, ...]:
        """Names of the parameters of ligand and spread; they act on the particle, not through the contrasts here."""
        names = []
        if self.ligand is not None and self.ligand.thickness_sd_nm > 0:
            names.append(LIGAND_THICKNESS)
        if self.ligand is not None and self.ligand.density_sd > 0:
            names.append(LIGAND_DENSITY)
        if self.spread is not None and self.spread.width is None:
            names.append(SPREAD)
        return tuple(names)


NO_ERRORS = ContrastErrors()


def numerators(
    curves: Sequence[ScatteringCurve], solid: SolidSolution, factors: FactorTable, with_q: bool, shift_ev: float = 0.0
) -> tuple[ComplexArray, ComplexArray]:
    """Scattering factor of one shared site of core and of shell at every data point, (p,) each, electrons.

    Parameters
    ----------
    with_q : use f0(q) instead of Z
    shift_ev : added to every photon energy
    """
    core, shell = [], []
    for c in curves:
        assert c.energy_kev is not None
        a, b = solid.numerators(factors, c.energy_kev + 1e-3 * shift_ev, c.q_inv_nm if with_q else None)
        core.append(np.broadcast_to(a, len(c)))
        shell.append(np.broadcast_to(b, len(c)))
    return np.concatenate(core).astype(np.complex128), np.concatenate(shell).astype(np.complex128)


def contrast_derivatives(
    curves: Sequence[ScatteringCurve], solid: SolidSolution, factors: FactorTable, errors: ContrastErrors, with_q: bool
) -> tuple[tuple[str, ...], ComplexArray, ComplexArray, FloatArray]:
    r"""Change of the contrasts by one standard deviation of each error that is not zero.

    The energy acts through :math:`f_c(E + \delta) - f_c(E) \approx \delta\, f_c'(E)` (central difference over
    1 eV): close to the edge f' is curved, and a shift of 3 eV at 29 eV below the edge is 5 % off the straight line.

    Returns
    -------
    names, and (p, n_error) arrays for core and shell (electrons per shared site) and medium (e/nm^3); the columns of
    ligand and spread are 0, see :class:`nanostrata.models.extended_particle.ExtendedParticle`
    """
    points = sum(len(c) for c in curves)
    nothing = np.zeros(points)
    names: list[str] = []
    core: list[ComplexArray] = []
    shell: list[ComplexArray] = []
    medium: list[FloatArray] = []
    if errors.medium_density > 0:
        names.append("medium_density")
        core.append(nothing.astype(np.complex128))
        shell.append(nothing.astype(np.complex128))
        medium.append(np.full(points, errors.medium_density * solid.medium.electron_density_e_nm3))
    members = ((errors.core_cations, solid.core, "core_cations"), (errors.shell_cations, solid.shell, "shell_cations"))
    for sd, member, name in members:
        if sd > 0 and member is not None:
            alone = replace(solid, core=_cations_only(member), shell=None)
            change = sd * numerators(curves, alone, factors, with_q)[0]
            names.append(name)
            core.append(change if member is solid.core else nothing.astype(np.complex128))
            shell.append(change if member is solid.shell else nothing.astype(np.complex128))
            medium.append(nothing)
    if errors.energy_ev > 0:
        above = numerators(curves, solid, factors, with_q, _STEP_EV)
        below = numerators(curves, solid, factors, with_q, -_STEP_EV)
        names.append("energy_shift")
        core.append(errors.energy_ev * (above[0] - below[0]) / (2 * _STEP_EV))
        shell.append(errors.energy_ev * (above[1] - below[1]) / (2 * _STEP_EV))
        medium.append(nothing)
    for name in errors.option_names:
        names.append(name)
        core.append(nothing.astype(np.complex128))
        shell.append(nothing.astype(np.complex128))
        medium.append(nothing)
    if not names:
        return (), np.zeros((points, 0), np.complex128), np.zeros((points, 0), np.complex128), np.zeros((points, 0))
    return tuple(names), np.stack(core, axis=1), np.stack(shell, axis=1), np.stack(medium, axis=1)


def _cations_only(material: Material) -> Material:
    cations, _ = split_ions(material.composition)
    # a metal has no anions: all of its atoms count
    return replace(material, composition=dict(cations or material.composition))
