"""The graded particle: compositions of shells, a size distribution and a shape, to I(q, E) and its derivatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nanostrata.domain import ScatteringCurve, SizeDistribution
from nanostrata.domain.base import ComplexArray, FloatArray, IntArray
from nanostrata.errors import RecipeError
from nanostrata.kernels import sizes as size_kernels
from nanostrata.kernels._jit import numba_available
from nanostrata.kernels.multishell import form_and_gradient, form_and_gradient_numpy, size_table
from nanostrata.kernels.size_weights import gaussian_weights, lognormal_weights
from nanostrata.models.contrast_errors import NO_ERRORS, ContrastErrors, contrast_derivatives, numerators
from nanostrata.models.density import SolidSolution, site_volume_polynomial
from nanostrata.models.evaluation import Evaluation
from nanostrata.models.smearing import smearing_points
from nanostrata.tables.factors import FactorTable

SizeKind = Literal["gaussian", "lognormal", "tem"]
Shape = Literal["sphere", "prolate", "oblate"]

ASPECT_BOUNDS = {"sphere": (1.0, 1.0), "prolate": (1.0, 3.0), "oblate": (0.33, 1.0)}
"""Unique axis over the other two, allowed range by shape."""

LAUE_DEGREE = 5
_EXPONENTS = np.arange(LAUE_DEGREE, 0, -1.0)[:, None]


@dataclass(frozen=True, kw_only=True)
class SizeRange:
    """Where mean and standard deviation of the diameter may go, nm; the table of the model covers it."""

    mean_low: float
    mean_high: float
    std_low: float
    std_high: float

    @classmethod
    def around(cls, sizes: SizeDistribution) -> SizeRange:
        """Six standard deviations of the TEM prior, and at least a factor 1.5 in width."""
        mean_reach = max(6 * sizes.mean_sigma_nm, 0.1 * sizes.mean_nm)
        std_reach = max(6 * sizes.std_sigma_nm, 0.33 * sizes.std_nm)
        return cls(
            mean_low=max(0.3 * sizes.mean_nm, sizes.mean_nm - mean_reach),
            mean_high=sizes.mean_nm + mean_reach,
            std_low=max(0.25 * sizes.std_nm, sizes.std_nm - std_reach, 0.01 * sizes.mean_nm),
            std_high=min(sizes.std_nm + std_reach, 0.6 * sizes.mean_nm),
        )


@dataclass(frozen=True, kw_only=True)
class GradedParticle:
    r"""Model of a set of curves, prepared once.

    For fixed sizes and shape the intensity is a quadratic form in the contrasts,

    .. math:: I(q, E) = \sum_{kl} \Delta\rho_k^*(E)\, M_{kl}(q)\, \Delta\rho_l(E), \qquad
              M_{kl}(q) = \sum_i W_i\, T_{i,kl}(q)

    T depends on nothing that is fitted; only the weights W depend on mean diameter, width and aspect ratio.

    Attributes
    ----------
    q_inv_nm, curve_index : (p,) all data points and the curve that each belongs to
    core, shell : (p,) complex electrons per shared site of the two end members
    medium : (p,) electron density of the medium, e/nm^3
    aspect_spread : relative standard deviation of the particles' aspect ratios
    shell_shares : (n_shell,) volume of each shell over the particle's
    volume_poly : volume per shared site against x, nm^3, highest power first
    contrast_errors : names of what is not known exactly about contrasts, each with one amplitude in standard deviations
    by_core, by_shell, by_medium : (p, n_contrast) change of ``core``, ``shell`` and ``medium`` by one standard deviation
    """

    solid: SolidSolution
    fractions: FloatArray
    kind: SizeKind
    shape: Shape
    sizes: SizeRange
    q_inv_nm: FloatArray
    curve_index: IntArray
    core: ComplexArray
    shell: ComplexArray
    medium: FloatArray
    laue_poly: FloatArray
    column: IntArray
    nodes: FloatArray
    table: FloatArray = field(repr=False)
    mu: FloatArray
    mu_weights: FloatArray
    scores: FloatArray
    shell_shares: FloatArray
    volume_poly: tuple[float, float, float, float]
    contrast_errors: tuple[str, ...]
    by_core: ComplexArray = field(repr=False)
    by_shell: ComplexArray = field(repr=False)
    by_medium: FloatArray = field(repr=False)
    aspect_spread: float = 0.0
    engine: str = "numba"

    @property
    def n_shell(self) -> int:
        """Number of shells."""
        return len(self.fractions)

    @property
    def size_names(self) -> tuple[str, ...]:
        """Names of the size parameters."""
        return ("diameter_mean_nm", "diameter_std_nm") + (() if self.shape == "sphere" else ("aspect_ratio",))

    def density(self, r: FloatArray, mean_nm: float, std_nm: float) -> FloatArray:
        """Number density of the volume-equivalent *radius* r (1/nm); mean and std are those of the diameter."""
        return size_kernels.number_density(self.kind, r, 0.5 * mean_nm, 0.5 * std_nm, self.scores)

    def weights(self, mean_nm: float, std_nm: float, aspect: float = 1.0) -> FloatArray:
        """Weights of the nodes, (n_t,) nm^6."""
        total = np.zeros(len(self.nodes))
        for stretch, share in self._aspects():
            h = size_kernels.stretch(self.mu, aspect * stretch)
            density = self.density(self.nodes[:, None] / h, mean_nm, std_nm)
            total += share * size_kernels.node_weights(self.nodes, density, h, self.mu_weights)
        return total

    def _aspects(self) -> list[tuple[float, float]]:
        """Factors of the mean aspect ratio and their shares: a log-normal spread by three Gauss-Hermite nodes."""
        if self.aspect_spread == 0.0 or self.shape == "sphere":
            return [(1.0, 1.0)]
        reach = math.sqrt(3.0) * self.aspect_spread
        return [(math.exp(-reach), 1.0 / 6.0), (1.0, 2.0 / 3.0), (math.exp(reach), 1.0 / 6.0)]

    def weights_and_slopes(self, size: FloatArray) -> FloatArray:
        """Weights of the nodes and their derivatives by the size parameters, (1 + n_size, n_t)."""
        if self.engine == "numba" and self.kind != "tem":
            rows = np.zeros((1 + len(size), len(self.nodes)))
            one = np.empty_like(rows)
            fill = gaussian_weights if self.kind == "gaussian" else lognormal_weights
            aspect = float(size[2]) if len(size) > 2 else 1.0
            for stretch, share in self._aspects():
                fill(
                    self.nodes, self.mu, self.mu_weights, 0.5 * float(size[0]), 0.5 * float(size[1]), aspect * stretch, one
                )  # fmt: skip
                one[3:] *= stretch
                rows += share * one
            rows[1:3] *= 0.5  # the parameters are diameters
            return rows
        stack = [self.weights(*size)]
        for i in range(len(size)):
            # the weights are smooth: a central difference is exact to 1e-8
            h = 1e-4 * max(size[i], 0.1)
            up, down = size.copy(), size.copy()
            up[i] += h
            down[i] -= h
            stack.append((self.weights(*up) - self.weights(*down)) / (2 * h))
        return np.stack(stack)

    def tables(self, size: FloatArray) -> FloatArray:
        """Pair table averaged over sizes and its derivatives by the size parameters, (1 + n_size, columns, n_pair)."""
        rows = self.weights_and_slopes(size)
        # nodes that no particle reaches cost as much as the others
        used = np.flatnonzero(rows[0] > 1e-15 * rows[0].max())
        part = slice(int(used[0]), int(used[-1]) + 1)
        flat = rows[:, part] @ self.table[part].reshape(part.stop - part.start, -1)
        return flat.reshape(len(rows), *self.table.shape[1:])

    def contrasts(self, amplitudes: FloatArray | None) -> tuple[ComplexArray, ComplexArray, FloatArray]:
        """Electrons per shared site of core and of shell, and e/nm^3 of the medium, at every point with these errors."""
        if amplitudes is None or len(self.contrast_errors) == 0:
            return self.core, self.shell, self.medium
        return (
            self.core + self.by_core @ amplitudes,
            self.shell + self.by_shell @ amplitudes,
            self.medium + self.by_medium @ amplitudes,
        )

    def site_volumes(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Volume per shared site (n_shell,) and its derivative by x, nm^3: the solid's, as a cubic."""
        a, b, c, d = self.volume_poly
        return ((a * x + b) * x + c) * x + d, (3.0 * a * x + 2.0 * b) * x + c

    def mean_volume_nm3(self, size: FloatArray) -> float:
        """Number mean of the particle's volume, nm^3 (exact for the Gaussian, to second moments for the others)."""
        mean, std = 0.5 * size[0], 0.5 * size[1]
        return float(4.0 / 3.0 * math.pi * (mean**3 + 3.0 * mean * std**2))

    def form(
        self, x: FloatArray, density: tuple[float, float], tables: FloatArray, contrast: FloatArray | None
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """Quadratic form in the contrasts without Laue scattering; derivatives by x, size, density, contrast errors."""
        p, n = len(self.q_inv_nm), self.n_shell
        value, gx, gt, gd = np.empty(p), np.empty((p, n)), np.empty((p, len(tables) - 1)), np.empty((p, 2))
        ge = np.empty((p, len(self.contrast_errors)))
        core, shell, medium = self.contrasts(contrast)
        vol, dvol = self.site_volumes(x)
        compute = form_and_gradient if self.engine == "numba" else form_and_gradient_numpy
        compute(
            np.ascontiguousarray(x), vol, dvol, core, shell, medium, float(density[0]), float(density[1]), self.column, tables,
            self.by_core, self.by_shell, self.by_medium, value, gx, gt, gd, ge,
        )  # fmt: skip
        return value, gx, gt, gd, ge

    def evaluate(
        self,
        x: FloatArray,
        size: FloatArray,
        density: tuple[float, float] = (0.0, 0.0),
        tables: FloatArray | None = None,
        contrast: FloatArray | None = None,
    ) -> Evaluation:
        """Model and derivatives at every data point.

        Parameters
        ----------
        x : (n_shell,) composition of each shell
        size : (2 or 3,) mean and standard deviation of the diameter, nm; aspect ratio for spheroids
        density : relative change of the electron density of core and shell material
        tables : the result of :meth:`tables` for this size, when it is known already
        contrast : (n_contrast,) amplitudes of ``contrast_errors``; default 0. They act on the form, not on the Laue
            scattering, which they change by a per cent of itself
        """
        if tables is None:
            tables = self.tables(size)
        n = self.n_shell
        value, gx, gt, gd, ge = self.form(x, density, tables, contrast)
        shares = self.shell_shares * self.mean_volume_nm3(size)
        powers = np.ones((LAUE_DEGREE + 1, n))
        for i in range(LAUE_DEGREE - 1, -1, -1):
            np.multiply(powers[i + 1], x, out=powers[i])
        slopes = np.zeros_like(powers)
        slopes[:-1] = powers[1:] * _EXPONENTS
        laue = self.laue_poly @ (powers @ shares)
        gx += self.laue_poly @ (slopes * shares)
        mean, std = float(size[0]), float(size[1])
        volume = mean**3 + 3 * mean * std**2
        gt[:, 0] += laue * ((3 * mean**2 + 3 * std**2) / volume)
        gt[:, 1] += laue * (6 * mean * std / volume)
        return Evaluation(value=value, laue=laue, grad_x=gx, grad_size=gt, grad_density=gd, grad_contrast=ge)


def prepare(
    curves: Sequence[ScatteringCurve],
    solid: SolidSolution,
    factors: FactorTable,
    fractions: FloatArray,
    *,
    sizes: SizeRange,
    kind: SizeKind = "gaussian",
    shape: Shape = "sphere",
    readings_nm: FloatArray | None = None,
    aspect_spread: float = 0.0,
    smearing: str | float = "none",
    atomic_form_factors: bool = True,
    laue: bool = True,
    errors: ContrastErrors = NO_ERRORS,
    engine: str = "auto",
) -> GradedParticle:
    """Tabulate everything that the fit does not change.

    Parameters
    ----------
    curves : measured curves; each needs its energy
    fractions : (n_shell,) outer radii of the shells over the particle's
    sizes : range of sizes that the table must cover
    readings_nm : diameters for ``kind = "tem"``
    aspect_spread : relative standard deviation of the aspect ratio from particle to particle (TEM), held fixed
    smearing : "none", "dq" (each curve's own dq) or the half-length of a slit, 1/nm
    atomic_form_factors : use f0(q) + f' + i f'' instead of Z + f' + i f'' (the golden tables use Z)
    laue : include the Laue scattering of the random alloy
    errors : what is not known exactly about contrasts; each becomes a parameter

    Raises
    ------
    RecipeError
        When a curve lacks its energy, or dq is asked for and a curve has none.
    """
    problems = [f"{c.label}: the energy is missing; write energy_kev" for c in curves if c.energy_kev is None]
    if smearing == "dq":
        problems += [f'{c.label}: smearing = "dq" needs a fourth column dq' for c in curves if c.dq_inv_nm is None]
    if kind == "tem" and (readings_nm is None or len(readings_nm) < 10):
        problems.append(
            'particle.sizes: "tem" needs at least 10 measured diameters; give tem.diameters or write "gaussian"'
        )
    if problems:
        raise RecipeError(*problems)
    reach = math.exp(math.sqrt(3.0) * aspect_spread) if shape != "sphere" else 1.0
    aspects = (ASPECT_BOUNDS[shape][0] / reach, ASPECT_BOUNDS[shape][1] * reach)
    stretches = [float(s) for a in aspects for s in size_kernels.stretch(np.array([0.0, 1.0]), a)]
    nodes = _nodes(sizes, kind, min(stretches), max(stretches), max(float(c.q_inv_nm[-1]) for c in curves))
    columns, table = _tabulate(curves, nodes, fractions, smearing)
    core, shell = numerators(curves, solid, factors, atomic_form_factors)
    names, by_core, by_shell, by_medium = contrast_derivatives(curves, solid, factors, errors, atomic_form_factors)
    mu, w = size_kernels.orientation_nodes(1 if shape == "sphere" else 32)
    if engine == "auto":
        engine = "numba" if numba_available() else "numpy"
    particle = GradedParticle(
        solid=solid,
        fractions=np.asarray(fractions, dtype=np.float64),
        kind=kind,
        shape=shape,
        sizes=sizes,
        q_inv_nm=np.concatenate([c.q_inv_nm for c in curves]),
        curve_index=np.repeat(np.arange(len(curves)), [len(c) for c in curves]),
        core=core,
        shell=shell,
        medium=np.full(len(core), solid.medium.electron_density_e_nm3),
        laue_poly=laue_polynomials(curves, solid, factors, laue, atomic_form_factors),
        column=columns,
        nodes=nodes,
        table=table,
        mu=mu,
        mu_weights=w,
        scores=_scores(readings_nm),
        shell_shares=np.diff(np.asarray(fractions, dtype=np.float64) ** 3, prepend=0.0),
        volume_poly=tuple(float(c) for c in site_volume_polynomial(solid)),  # type: ignore[arg-type]
        contrast_errors=names,
        by_core=by_core,
        by_shell=by_shell,
        by_medium=by_medium,
        aspect_spread=aspect_spread,
        engine=engine,
    )
    if errors.ligand is None and errors.spread is None:
        return particle
    from nanostrata.models.extended_particle import extend  # a kind of this particle: it imports this module

    return extend(particle, curves, factors, errors, smearing)


def _nodes(sizes: SizeRange, kind: str, h_low: float, h_high: float, q_max: float) -> FloatArray:
    # the intensity weighs with r^6: the upper end needs 7.5 sigma (Gaussian) or the log-normal's own tail
    mean, std = 0.5 * sizes.mean_high, 0.5 * sizes.std_high
    if kind == "lognormal":
        median, s = size_kernels.lognormal_parameters(mean, std)
        high = median * math.exp(6.0 * s * s + 5.5 * s)
        low_median, low_s = size_kernels.lognormal_parameters(0.5 * sizes.mean_low, std)
        low = low_median * math.exp(-5.5 * low_s)
    else:
        high = mean + 7.5 * std
        low = 0.5 * sizes.mean_low - 7.5 * std
    return size_kernels.radius_nodes(low * h_low, high * h_high, 0.5 * sizes.std_low * h_low, q_max)


def _scores(readings: FloatArray | None) -> FloatArray:
    if readings is None or len(readings) < 2:
        return np.zeros(1)
    return np.asarray((readings - readings.mean()) / readings.std())


def _tabulate(
    curves: Sequence[ScatteringCurve], nodes: FloatArray, fractions: FloatArray, smearing: str | float
) -> tuple[IntArray, FloatArray]:
    """One table for each distinct q grid; curves on the same grid share it."""
    grids: dict[bytes, int] = {}
    tables: list[FloatArray] = []
    columns: list[IntArray] = []
    offset = 0
    for curve in curves:
        spread = smearing_points(curve, smearing)
        key = curve.q_inv_nm.tobytes() + (b"" if spread is None else spread[0].tobytes())
        if key not in grids:
            grids[key] = offset
            tables.append(size_table(curve.q_inv_nm, nodes, fractions, spread))
            offset += len(curve)
        columns.append(grids[key] + np.arange(len(curve)))
    return np.concatenate(columns), np.concatenate(tables, axis=1)


def laue_polynomials(
    curves: Sequence[ScatteringCurve], solid: SolidSolution, factors: FactorTable, laue: bool, with_q: bool
) -> FloatArray:
    """Laue scattering per volume against x as a polynomial for each data point, electrons squared per nm^3."""
    grid = np.linspace(0.0, 1.0, 41)
    volume = solid.site_volume_nm3(grid)[:, None]
    rows = [np.zeros((0, LAUE_DEGREE + 1))]
    for c in curves:
        assert c.energy_kev is not None
        if not laue:
            rows.append(np.zeros((len(c), LAUE_DEGREE + 1)))
            continue
        values = (
            solid.laue_per_site(grid, factors, c.energy_kev, c.q_inv_nm)
            if with_q
            else solid.laue_per_site(grid, factors, c.energy_kev)[:, None]
        )
        rows.append(np.broadcast_to(np.polyfit(grid, values / volume, LAUE_DEGREE).T, (len(c), LAUE_DEGREE + 1)))
    return np.concatenate(rows)
