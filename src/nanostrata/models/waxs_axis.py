"""Whole wide-angle patterns of spheroids with faults and a spread of lattice: how well each explains the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.models.waxs_lines import LatticeForm, Line
from nanostrata.models.waxs_pattern import Pattern, heights
from nanostrata.models.waxs_profile import CANDIDATE_AXES, ProfileShape, line_profiles, stacking

__all__ = [
    "MODEL_ERROR",
    "ShapePattern",
    "Trial",
    "TrialFit",
    "fit_trial",
    "log_evidence",
    "trials_of",
    "with_model_error",
]

ASPECT_SD = 0.35
"""Prior of the logarithm of the aspect ratio: half a Gaussian of this standard deviation."""

FAULT_SD = 0.1
"""Prior of the fault probability per layer: half a Gaussian of this standard deviation."""

STRAIN_SD = 0.01
"""Prior of the relative spread of the lattice constant: half a Gaussian of this standard deviation."""

MODEL_ERROR = 0.02
"""No computed profile is better than this share of its height: facets, surfaces, the form of the size distribution."""

_START = {"prolate": 0.25, "oblate": -0.2}
_LIMITS = {"prolate": (0.0, 1.1), "oblate": (-1.1, 0.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One kind of shape with one kind of fault.

    Attributes
    ----------
    axis : direction of the unique axis, or "none"
    sense : "round", "prolate" or "oblate"
    fault_kind : "growth", "deformation", or "none" for crystals without close-packed layers
    prior : probability before the data
    """

    axis: str
    sense: str
    fault_kind: str
    prior: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFit:
    """Best values of one trial.

    Attributes
    ----------
    shape : with the best values
    diameter_nm : of the sphere of the mean volume
    parameters : of the lattice
    chi2 : of the pattern
    covariance : (k, k) of the parameters in ``names``, by the errors of the points
    names : "diameter" and "aspect" (their logarithms), "faults", "strain"
    log_prior : logarithm of the prior's density at the best values
    """

    shape: ProfileShape
    diameter_nm: float
    parameters: FloatArray
    chi2: float
    covariance: FloatArray
    names: tuple[str, ...]
    log_prior: float


@dataclass(frozen=True, kw_only=True)
class ShapePattern:
    """Lines of a pattern, ready to be computed for any shape.

    Attributes
    ----------
    pattern : data and background
    lines, group : see :func:`nanostrata.models.waxs_pattern.group_lines`
    form : lattice
    structure : for the faults
    instrument_sigma_inv_nm : (n_lines,)
    """

    pattern: Pattern
    lines: Sequence[Line]
    group: IntArray
    form: LatticeForm
    structure: str
    instrument_sigma_inv_nm: FloatArray

    def residual(self, shape: ProfileShape, diameter_nm: float, parameters: FloatArray) -> FloatArray:
        """Weighted residual with the best heights and background."""
        design = np.vstack([self._columns(shape, diameter_nm, parameters), self.pattern.basis]) * self.pattern.weight
        target = self.pattern.intensity * self.pattern.weight
        ortho, _ = np.linalg.qr((design / np.linalg.norm(design, axis=1, keepdims=True)).T)
        return np.asarray(target - ortho @ (ortho.T @ target))

    def _columns(self, shape: ProfileShape, diameter_nm: float, parameters: FloatArray) -> FloatArray:
        metric = np.array([line.metric for line in self.lines])
        q_lines = np.sqrt(metric @ parameters)
        vectors = self.form.vectors_at(self.form.lengths_of(parameters))
        dq, profiles = line_profiles(
            self.lines, q_lines, vectors, self.structure, shape, diameter_nm, self.instrument_sigma_inv_nm
        )
        area = heights(self.lines)
        columns = np.zeros((int(self.group.max()) + 1, len(self.pattern.q)))
        for i, g in enumerate(self.group):
            profile = np.interp(np.abs(self.pattern.q - q_lines[i]), dq, profiles[i], right=0.0)
            columns[g] += area[i] / area.max() * profile * self.pattern.envelope
        return columns


def with_model_error(pattern: Pattern, peaks: FloatArray) -> Pattern:
    """Add :data:`MODEL_ERROR` of the fitted peaks to the errors of the points."""
    n = pattern.points
    sigma = np.hypot(1.0 / pattern.weight[:n], MODEL_ERROR * np.abs(peaks))
    return replace(pattern, weight=np.concatenate([1.0 / sigma, pattern.weight[n:]]))


def trials_of(form: LatticeForm, structure: str) -> list[Trial]:
    """Round particles, prolate and oblate ones along every candidate axis, each with both kinds of stacking faults.

    A third of the prior weight is on round particles, a third on prolate ones (shared by the candidate axes), a third on
    oblate ones, which peaks of a powder can hardly tell from prolate ones along another axis.
    """
    axes = CANDIDATE_AXES[form.kind]
    shapes = [("none", "round", 1.0 / 3.0)]
    shapes += [(axis, sense, 1.0 / 3.0 / len(axes)) for sense in ("prolate", "oblate") for axis in axes]
    kinds = ("none",) if stacking(structure, form.vectors_nm) is None else ("growth", "deformation")
    return [
        Trial(axis=axis, sense=sense, fault_kind=kind, prior=weight / len(kinds))
        for axis, sense, weight in shapes
        for kind in kinds
    ]


def fit_trial(
    target: ShapePattern, trial: Trial, spread: float, diameter_nm: float, parameters: FloatArray
) -> TrialFit:
    """Fit size, lattice, aspect ratio, faults and spread of lattice of one trial to the whole pattern.

    Parameters
    ----------
    target : pattern and lines
    trial : which shape
    spread : relative standard deviation of the diameter
    diameter_nm, parameters : first values

    Notes
    -----
    The priors of aspect ratio, fault probability and spread of lattice are half Gaussians, see the constants of this module.
    """
    from scipy.optimize import least_squares

    names, start, low, high, sd = ["diameter"], [math.log(diameter_nm)], [-3.0], [6.0], [np.inf]
    if trial.sense != "round":
        names, start, sd = [*names, "aspect"], [*start, _START[trial.sense]], [*sd, ASPECT_SD]
        low, high = [*low, _LIMITS[trial.sense][0]], [*high, _LIMITS[trial.sense][1]]
    if trial.fault_kind != "none":
        names, start, sd = [*names, "faults"], [*start, 0.02], [*sd, FAULT_SD]
        low, high = [*low, 0.0], [*high, 0.45]
    names, start, low, high, sd = [*names, "strain"], [*start, 0.002], [*low, 0.0], [*high, 0.1], [*sd, STRAIN_SD]
    k = len(start)
    x0 = np.concatenate([start, np.zeros(len(parameters))])
    bounds = (
        np.concatenate([low, np.full(len(parameters), -0.2)]),
        np.concatenate([high, np.full(len(parameters), 0.2)]),
    )

    def shape_of(x: FloatArray) -> ProfileShape:
        value = dict(zip(names, x, strict=False))
        return ProfileShape(
            axis=trial.axis, aspect_ratio=math.exp(value.get("aspect", 0.0)), spread=spread,
            fault_kind="growth" if trial.fault_kind == "none" else trial.fault_kind,
            fault_probability=float(value.get("faults", 0.0)), strain=float(value["strain"]),
        )  # fmt: skip

    prior = 1.0 / np.array(sd)

    def residual(x: FloatArray) -> FloatArray:
        r = target.residual(shape_of(x), math.exp(x[0]), parameters * np.exp(x[k:]))
        return np.concatenate([r, prior * x[:k]])

    scale = np.concatenate([[*(0.1, 0.2, 0.05, 0.005)[: k - 1], 0.005], np.full(len(parameters), 0.005)])
    found = least_squares(residual, x0, bounds=bounds, x_scale=scale, diff_step=1e-4, max_nfev=40, ftol=1e-6, xtol=1e-6)
    steps = np.concatenate([[{"diameter": 0.01, "aspect": 0.03, "faults": 0.005, "strain": 0.001}[n] for n in names],
                            np.full(len(parameters), 2e-4)])  # fmt: skip
    # derivatives a step inside the bounds: on them (no faults, no strain, round) some vanish
    inside = np.clip(found.x, bounds[0] + 2.0 * steps, bounds[1] - 2.0 * steps)
    slopes = [
        (residual(inside + h * unit) - residual(inside - h * unit)) / (2.0 * h)
        for h, unit in zip(steps, np.eye(len(steps)), strict=True)
    ]
    jacobian = np.array(slopes)
    covariance = np.linalg.pinv(jacobian @ jacobian.T)[:k, :k]
    chi2 = float(np.sum(found.fun[: len(found.fun) - k] ** 2))
    density = sum(
        math.log(2.0 / (s * math.sqrt(2.0 * math.pi))) - 0.5 * (v / s) ** 2
        for v, s in zip(found.x[:k], sd, strict=True)
        if math.isfinite(s)
    )
    return TrialFit(
        shape=shape_of(found.x), diameter_nm=math.exp(found.x[0]), parameters=parameters * np.exp(found.x[k:]), chi2=chi2,
        covariance=covariance, names=tuple(names), log_prior=density,
    )  # fmt: skip


def log_evidence(fit: TrialFit, temper: float) -> float:
    """Logarithm of the evidence with errors enlarged by root temper, Laplace's approximation in shape and defects.

    Size and lattice have the same prior and nearly the same width in all trials and are left out. At a bound (no faults, no
    strain) half of the Gaussian is outside: the share inside is counted.
    """
    k = [i for i, n in enumerate(fit.names) if n != "diameter"]
    spread = np.sqrt(np.maximum(np.diag(fit.covariance)[k] * temper, 1e-12))
    widest = np.array([{"aspect": ASPECT_SD, "faults": FAULT_SD, "strain": STRAIN_SD}[fit.names[i]] for i in k])
    volume = float(np.sum(np.log(np.sqrt(2.0 * np.pi) * np.minimum(spread, widest)))) if k else 0.0
    return -0.5 * fit.chi2 / temper + fit.log_prior + volume
