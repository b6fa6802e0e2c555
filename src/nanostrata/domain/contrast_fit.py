"""Result of a fit with explicit contrasts."""

from __future__ import annotations

from dataclasses import dataclass

from nanostrata.domain.base import Domain, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastCurveFit(Domain):
    """How one curve is described; residuals in stated sigmas."""

    label: str
    q_inv_nm: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    fit: FloatArray
    residual_sigma: FloatArray
    chi2_reduced: float
    runs_p: float
    scale: float
    background: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastFit(Domain):
    """Result: names and values, covariance (rescaled by chi2_reduced where that exceeds 1), draws, and the curves."""

    names: tuple[str, ...]
    values: FloatArray
    covariance: FloatArray
    draws: FloatArray
    core_shell: bool
    size_kind: str
    chi2_reduced: float
    n_data: int
    curves: tuple[ContrastCurveFit, ...]
    bounds_touched: tuple[str, ...]
    warnings: tuple[tuple[str, str], ...]
