"""Results of the profile fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import Domain, FloatArray
from nanostrata.domain.resolution import ProfileResolution


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws(Domain):
    """Posterior draws of one family of profiles.

    Attributes
    ----------
    names : parameters
    theta : (n_draw, n_parameter)
    shell_fraction : (n_draw, n_shell) composition of the shells of the family
    best : (n_parameter,) of the highest density
    chi2 : weighted squares of the data at ``best`` (priors left out)
    chi2_total : with priors
    r_hat, effective : worst split R-hat and smallest effective sample size over all parameters
    """

    names: tuple[str, ...]
    theta: FloatArray
    shell_fraction: FloatArray
    best: FloatArray
    chi2: float
    chi2_total: float
    r_hat: float
    effective: float
    acceptance: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurveFit(Domain):
    """How one curve is described.

    Attributes
    ----------
    fit : (n,) model in data units at the best parameters
    residual_sigma : (n,) (measured - fit) / stated sigma
    chi2_reduced : with the stated sigma; per point
    predictive_p : posterior predictive probability of a chi2 as large as the measured one, with the enlarged sigma
        (Gelman, Meng & Stern 1996); nan before the draws are made
    runs_p : probability of so few runs of equal sign if the residuals were independent (Wald & Wolfowitz 1940)
    sigma_factor : by which the stated sigma was multiplied for the intervals
    scale, background : draws (n_draw,) of scale in data units per electron squared, and of the constant
    laue : Laue scattering predicted for this curve, data units
    """

    label: str
    energy_kev: float
    q_inv_nm: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    fit: FloatArray
    residual_sigma: FloatArray
    chi2_reduced: float
    runs_p: float
    sigma_factor: float
    scale: FloatArray
    background: FloatArray
    laue: float
    predictive_p: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeChoice(Domain):
    """One shape tried on the same data with the same model of composition."""

    shape: str
    chi2: float
    n_data: int
    aspect_ratio: float
    aspect_sigma: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProfileFit(Domain):
    """What the fit of all energies says about the particle.

    Attributes
    ----------
    family : name of the profile family of ``main``
    fractions : (n,) outer radii of the reported shells over the particle's
    main : posterior under the stated prior
    independent : posterior of equispaced shells without coupling between them, in which the common form of the curves is
        not trusted: what the verdicts rest on
    main_shells : (n_draw, n) x of the reported shells in ``main``
    homogeneous_chi2 : chi2 (data and nuisance priors) of the best constant x, with the wide model error of the verdicts
    shells_chi2 : the same of the best free shells, with the model error of ``main``
    table_shift : (n,) change of x when the other factor table is used
    refit_uniform, refit_gaussian : (n_refit, n) the paper's way
    bounds_touched : sentences
    resolution : which combinations of shells the measurements determine; None for one material
    """

    family: str
    shape: str
    fractions: FloatArray
    main: Draws
    independent: Draws
    main_shells: FloatArray
    curves: tuple[CurveFit, ...]
    shapes: tuple[ShapeChoice, ...]
    homogeneous_chi2: float
    homogeneous_x: float
    shells_chi2: float
    n_data: int
    chi2_p: float
    table_name: str
    other_table: str
    table_shift: FloatArray
    refit_uniform: FloatArray
    refit_gaussian: FloatArray
    refit_fixed: str
    supported: int
    informed_by: tuple[str, ...]
    independent_sd: FloatArray
    gradient: str
    gradient_numbers: Mapping[str, float]
    bounds_touched: tuple[str, ...]
    warnings: tuple[tuple[str, str], ...] = ()
    size_columns: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    notes: tuple[str, ...] = ()
    resolution: ProfileResolution | None = None
