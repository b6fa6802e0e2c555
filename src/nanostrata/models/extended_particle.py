"""The graded particle with a ligand shell outside, or with a composition that differs from particle to particle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import ComplexArray, FloatArray, IntArray
from nanostrata.errors import RecipeError
from nanostrata.kernels.outer_shell import (
    chain_rule,
    chain_rule_numpy,
    coefficients,
    coefficients_numpy,
    outer_pairs,
    outer_table,
    outer_weights,
    pair_form,
    pair_form_numpy,
)
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.evaluation import Evaluation
from nanostrata.models.graded_particle import GradedParticle
from nanostrata.models.particle_options import (
    LIGAND_DENSITY,
    LIGAND_THICKNESS,
    SPREAD,
    CompositionSpread,
    Ligand,
    spread_compositions,
)
from nanostrata.tables.factors import FactorTable


@dataclass(frozen=True, kw_only=True)
class ExtendedParticle(GradedParticle):
    r"""Model of a set of curves with what a particle may have besides its shells.

    A ligand shell of constant thickness T does not scale with the particle, but its amplitude is a sum of a few
    functions of the radius with coefficients that depend on T only (:func:`nanostrata.kernels.outer_shell.outer_weights`).
    The intensity stays a quadratic form,

    .. math:: I = \sum_{ab} D_a^* M_{ab} D_b, \qquad
              D_k = \Delta\rho_k + \Delta\rho_L (\cos qT - 1), \quad D_{n+j} = \Delta\rho_L\, w_j(q, T),

    with one table for all T. With a spread of composition it is the mean of such forms over the particles.

    Spheroids: seen along a direction the body with its ligand is taken as the sphere of the effective radius t + T (the
    support function of the parallel body, exact) and the volume (1 + T/t)^3 V.

    Attributes
    ----------
    ligand, spread : None = without
    ligand_density : (p,) complex electron density of the ligand at every point, e/nm^3
    left, right : indices of the pairs of ``table``; those of the shells alone come first
    """

    ligand: Ligand | None
    spread: CompositionSpread | None
    ligand_density: ComplexArray = field(repr=False)
    left: IntArray = field(repr=False)
    right: IntArray = field(repr=False)

    def amplitude(self, name: str, contrast: FloatArray | None) -> float:
        """Amplitude of a parameter of the options, in standard deviations; 0 where it is held."""
        if contrast is None or name not in self.contrast_errors:
            return 0.0
        return float(contrast[self.contrast_errors.index(name)])

    def ligand_state(self, contrast: FloatArray | None) -> tuple[float, float]:
        """Thickness (nm) and relative change of the density of the ligand at these amplitudes."""
        assert self.ligand is not None
        thickness = self.ligand.thickness_nm + self.ligand.thickness_sd_nm * self.amplitude(LIGAND_THICKNESS, contrast)
        return thickness, self.ligand.density_sd * self.amplitude(LIGAND_DENSITY, contrast)

    def shells_alone(
        self, x: FloatArray, density: tuple[float, float], tables: FloatArray, contrast: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        """Tables of the shells without ligand, and the form of the particle of mean composition without it, (p,)."""
        n_pair = self.n_shell * (self.n_shell + 1) // 2
        own = np.ascontiguousarray(tables[:, :, :n_pair])
        return own, super().form(x, density, own, contrast)[0]

    def form(  # noqa: D102
        self, x: FloatArray, density: tuple[float, float], tables: FloatArray, contrast: FloatArray | None
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        if self.ligand is None:
            return super().form(x, density, tables, contrast)
        p, n = len(self.q_inv_nm), self.n_shell
        core, shell, medium = self.contrasts(contrast)
        vol, dvol = self.site_volumes(x)
        thickness, change = self.ligand_state(contrast)
        outside = self.ligand_density * (1.0 + change) - medium
        weights, slopes = outer_weights(self.q_inv_nm, thickness)
        d, y = np.empty((p, n + 3), dtype=np.complex128), np.empty((p, n + 3), dtype=np.complex128)
        value, gx, gt, gd = np.empty(p), np.empty((p, n)), np.empty((p, len(tables) - 1)), np.empty((p, 2))
        ge, gl = np.empty((p, len(self.contrast_errors))), np.empty((p, 2))
        x = np.ascontiguousarray(x)
        ends = float(density[0]), float(density[1])
        fast = self.engine == "numba"
        (coefficients if fast else coefficients_numpy)(x, vol, core, shell, medium, *ends, outside, weights, d)
        (pair_form if fast else pair_form_numpy)(self.left, self.right, self.column, tables, d, value, y, gt)
        (chain_rule if fast else chain_rule_numpy)(
            x, vol, dvol, core, shell, *ends, outside, self.ligand_density, weights, slopes, self.by_core, self.by_shell,
            self.by_medium, y, gx, gd, ge, gl,
        )  # fmt: skip
        names = self.contrast_errors
        if LIGAND_THICKNESS in names:
            ge[:, names.index(LIGAND_THICKNESS)] = self.ligand.thickness_sd_nm * gl[:, 0]
        if LIGAND_DENSITY in names:
            ge[:, names.index(LIGAND_DENSITY)] = self.ligand.density_sd * gl[:, 1]
        return value, gx, gt, gd, ge

    def evaluate(  # noqa: D102
        self,
        x: FloatArray,
        size: FloatArray,
        density: tuple[float, float] = (0.0, 0.0),
        tables: FloatArray | None = None,
        contrast: FloatArray | None = None,
    ) -> Evaluation:
        if tables is None:
            tables = self.tables(size)
        if self.spread is None:
            return super().evaluate(x, size, density, tables, contrast)
        width, by_amplitude = self.spread.at(self.amplitude(SPREAD, contrast))
        shares, own, by_x, by_width = spread_compositions(x, width)
        value, laue, gx, gt, gd, ge = (0.0,) * 6
        for share, one, dx, ds in zip(shares, own, by_x, by_width, strict=True):
            e = super().evaluate(one, size, density, tables, contrast)
            errors = e.grad_contrast
            if SPREAD in self.contrast_errors:
                errors[:, self.contrast_errors.index(SPREAD)] = e.grad_x @ (ds * by_amplitude)
            value = value + share * e.value
            laue = laue + share * e.laue
            gx = gx + share * (e.grad_x * dx)
            gt = gt + share * e.grad_size
            gd = gd + share * e.grad_density
            ge = ge + share * errors
        return Evaluation(
            value=np.asarray(value), laue=np.asarray(laue), grad_x=np.asarray(gx), grad_size=np.asarray(gt),
            grad_density=np.asarray(gd), grad_contrast=np.asarray(ge),
        )  # fmt: skip


def extend(
    particle: GradedParticle, curves: Sequence[ScatteringCurve], factors: FactorTable, errors: ContrastErrors, smearing: str | float
) -> ExtendedParticle:  # fmt: skip
    """Return the particle with the ligand and the spread of ``errors``.

    Raises
    ------
    RecipeError
        For a ligand shell together with smearing, and for a spread of one material.
    """
    problems = []
    if errors.ligand is not None and smearing != "none":
        problems.append(
            'particle.ligand: together with asaxs.smearing this is not built yet in this version; write smearing = "none"'
        )
    if errors.spread is not None and particle.solid.shell is None:
        problems.append("particle.composition_spread: a particle of one material has no composition that could differ")
    if problems:
        raise RecipeError(*problems)
    own = {f.name: getattr(particle, f.name) for f in fields(GradedParticle)}
    left, right = outer_pairs(particle.n_shell)
    density = np.zeros(0, dtype=np.complex128)
    if errors.ligand is not None:
        own["table"] = _table(particle, curves)
        density = errors.ligand.at_points(curves, factors)
    return ExtendedParticle(
        **own, ligand=errors.ligand, spread=errors.spread, ligand_density=density, left=left, right=right
    )


def _table(particle: GradedParticle, curves: Sequence[ScatteringCurve]) -> FloatArray:
    """Extended pair table with the columns that the particle has given to the curves' points."""
    q = np.empty(particle.table.shape[1])
    q[particle.column] = np.concatenate([c.q_inv_nm for c in curves])
    return outer_table(q, particle.nodes, particle.fractions)
