r"""Peaks on a background that is linear in its coefficients: fit by variable projection, with derivatives and covariance.

.. math:: I(q) = \sum_m c_m B_m(q) + \sum_g A_g \sum_{l \in g} s_l\, G(q)\, p(q; q_l, w_g, \eta)

with p a Gaussian or pseudo-Voigt of height 1 and G a slowly varying envelope. The heights A and coefficients c follow exactly from the other parameters
(Golub & Pereyra 1973, doi:10.1137/0710036; the step is Kaufman's, doi:10.1007/BF01932995), so that only positions,
widths and the share of the Lorentzian are searched for.

Parameters stand in this order: positions (one per line, or the n_cell elements of the reciprocal metric that give all of
them by q_l = sqrt(metric_l . p)), logarithms of the full widths at half maximum (one per width group), logit of the
Lorentzian's share (where it is free), heights (one per amplitude group), coefficients of the background.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import numba_available

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FOUR_LN2 = 4.0 * math.log(2.0)
REACH = 3.0
"""A Gaussian is left out beyond this many full widths from its middle, where it is below 2e-11 of its height."""

ENOUGH = 1e-8
"""The fit ends when a step lowers the sum of squares by less than this share."""

LARGEST_STEP = 0.7
"""Of the logarithm of a width; far more than any position moves."""


class PeakModel(NamedTuple):
    """What lines there are and what they share.

    Attributes
    ----------
    metric : (n_lines, n_cell) q_l^2 for each element of the reciprocal metric; n_cell = 0 leaves every position free
    width_group, amplitude_group : (n_lines,) numbered from 0
    share : (n_lines,) height relative to the group's
    basis : (n_coefficients, n_q) the background's functions
    lorentzian : whether the Lorentzian's share is free
    envelope : (n_q,) factor of all lines
    """

    metric: FloatArray
    width_group: IntArray
    amplitude_group: IntArray
    share: FloatArray
    basis: FloatArray
    lorentzian: bool
    envelope: FloatArray

    @property
    def positions(self) -> int:
        """Number of parameters that give the positions."""
        return int(self.metric.shape[1]) if self.metric.shape[1] else len(self.share)

    @property
    def widths(self) -> int:
        """Number of width groups."""
        return int(self.width_group.max()) + 1

    @property
    def nonlinear(self) -> int:
        """Number of parameters that are searched for."""
        return self.positions + self.widths + int(self.lorentzian)

    @property
    def linear(self) -> int:
        """Number of heights and coefficients."""
        return int(self.amplitude_group.max()) + 1 + len(self.basis)


class PeakSolution(NamedTuple):
    """Parameters, their covariance by the stated errors, and the fitted curve."""

    theta: FloatArray
    covariance: FloatArray
    chi2: float
    fit: FloatArray
    iterations: int
    converged: bool


def _line_values(model: PeakModel, theta: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    n = model.positions
    position = np.sqrt(model.metric @ theta[:n]) if model.metric.shape[1] else theta[:n]
    width = np.exp(theta[n : n + model.widths])[model.width_group]
    mixing = 1.0 / (1.0 + math.exp(-theta[n + model.widths])) if model.lorentzian else 0.0
    return position, width, mixing


def evaluate_reference(
    q: FloatArray, y: FloatArray, weight: FloatArray, model: PeakModel, theta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return weighted derivatives (n_parameters, n_q) and residual; the linear parameters in ``theta`` are renewed.

    Vectorised NumPy: the reference of the compiled twin, and its stand-in where numba is not installed.
    """
    n_pos, n_wid, n_non = model.positions, model.widths, model.nonlinear
    groups = int(model.amplitude_group.max()) + 1
    position, width, mixing = _line_values(model, theta)
    z = (q - position[:, None]) / width[:, None]
    gauss, lorentz = np.exp(-FOUR_LN2 * z * z), 1.0 / (1.0 + 4.0 * z * z)
    profile = (1.0 - mixing) * gauss + mixing * lorentz
    slope = (1.0 - mixing) * -2.0 * FOUR_LN2 * z * gauss + mixing * -8.0 * z * lorentz * lorentz  # d profile / dz
    on_lines = weight * model.envelope
    jacobian = np.zeros((n_non + model.linear, len(q)))
    np.add.at(jacobian, n_non + model.amplitude_group, model.share[:, None] * profile * on_lines)
    jacobian[n_non + groups :] = model.basis * weight
    linear = jacobian[n_non:]
    normal = linear @ linear.T
    theta[n_non:] = _solve(normal, linear @ (weight * y))
    height = theta[n_non + model.amplitude_group] * model.share
    by_position = -(height / width)[:, None] * slope * on_lines
    if model.metric.shape[1]:
        jacobian[:n_pos] = (model.metric / (2.0 * position[:, None])).T @ by_position
    else:
        jacobian[:n_pos] = by_position
    np.add.at(jacobian, n_pos + model.width_group, -height[:, None] * z * slope * on_lines)
    if model.lorentzian:
        jacobian[n_pos + n_wid] = mixing * (1.0 - mixing) * (height @ (lorentz - gauss)) * on_lines
    return jacobian, weight * y - theta[n_non:] @ linear


def _solve(normal: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with unit diagonal and a trace of damping, so that a peak without data gets height 0 instead of an error."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    scaled = normal * scale[:, None] * scale + 1e-14 * np.eye(len(right))
    return np.asarray(scale * np.linalg.solve(scaled, scale * right))


def _fit_reference(q: FloatArray, y: FloatArray, weight: FloatArray, model: PeakModel, theta: FloatArray,
                   mean: FloatArray, precision: FloatArray, iterations: int) -> tuple[Any, ...]:  # fmt: skip
    n = model.nonlinear
    jacobian, residual = evaluate_reference(q, y, weight, model, theta)
    off = np.zeros(len(theta))
    off[:n] = theta[:n] - mean
    spread = np.concatenate([precision, np.zeros(model.linear)])
    cost = float(residual @ residual + spread @ off**2)
    damping, converged, count = 1e-3, False, 0
    while count < iterations:
        count += 1
        normal = jacobian @ jacobian.T + np.diag(spread)
        gradient = jacobian @ residual - spread * off
        accepted = False
        while damping < 1e12:
            damped = normal + np.diag(damping * np.concatenate([np.diag(normal)[:n], np.zeros(model.linear)]))
            step = _solve(damped, gradient)
            if damping < 1e-2 and step @ gradient <= ENOUGH * (1.0 + cost):
                converged = True  # nothing is left to gain
                break
            trial = theta.copy()
            trial[:n] += np.clip(step[:n], -LARGEST_STEP, LARGEST_STEP)
            if not _possible(model, trial):
                damping *= 8.0
                continue
            new_jacobian, new_residual = evaluate_reference(q, y, weight, model, trial)
            off[:n] = trial[:n] - mean
            new_cost = float(new_residual @ new_residual + spread @ off**2)
            if new_cost <= cost:
                accepted = True
                break
            damping *= 8.0
        if not accepted:
            off[:n] = theta[:n] - mean
            converged = converged or damping >= 1e12
            break
        gain = cost - new_cost
        theta, jacobian, residual, cost = trial, new_jacobian, new_residual, new_cost
        damping = max(damping * 0.1, 1e-12)
        if gain <= ENOUGH * (1.0 + cost):
            converged = True
            break
    return (
        theta,
        jacobian @ jacobian.T + np.diag(spread),
        float(residual @ residual),
        y - residual / weight,
        count,
        converged,
    )


def _possible(model: PeakModel, theta: FloatArray) -> bool:
    if not np.isfinite(theta).all() or np.any(np.abs(theta[model.positions : model.nonlinear]) > 25.0):
        return False
    return bool(np.all(model.metric @ theta[: model.positions] > 0.0)) if model.metric.shape[1] else True


def fit_lines(
    q: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    model: PeakModel,
    start: FloatArray,
    *,
    prior_mean: FloatArray | None = None,
    prior_precision: FloatArray | None = None,
    iterations: int = 200,
) -> PeakSolution:
    """Fit heights, positions and widths by Levenberg-Marquardt steps with projected linear parameters.

    Parameters
    ----------
    q, y : (n_q,) increasing abscissa, and data
    weight : (n_q,) one over the standard deviation
    model : lines and what they share
    start : (n_nonlinear,) first guess of positions (or metric), logarithms of widths, logit of the Lorentzian's share
    prior_mean, prior_precision : (n_nonlinear,) Gaussian prior of these; precision 0 (the default) is none
    iterations : at most

    Returns
    -------
    PeakSolution
        ``covariance`` is the inverse of the normal matrix of all parameters (stated errors; not rescaled by chi2).

    Examples
    --------
    >>> q = np.linspace(0.0, 10.0, 101)
    >>> y = 3.0 * np.exp(-FOUR_LN2 * ((q - 5.0) / 1.5) ** 2) + 0.5
    >>> one = np.zeros(1, dtype=np.int64)
    >>> model = PeakModel(np.zeros((1, 0)), one, one, np.ones(1), np.ones((1, 101)), False, np.ones(101))
    >>> found = fit_lines(q, y, np.ones(101), model, np.array([4.6, np.log(1.0)]))
    >>> [round(float(v), 6) for v in (found.theta[0], np.exp(found.theta[1]), found.theta[2], found.theta[3])]
    [5.0, 1.5, 3.0, 0.5]
    """
    n = model.nonlinear
    theta = np.concatenate([np.asarray(start, dtype=np.float64)[:n], np.zeros(model.linear)])
    mean = np.zeros(n) if prior_mean is None else np.asarray(prior_mean, dtype=np.float64)
    precision = np.zeros(n) if prior_precision is None else np.asarray(prior_precision, dtype=np.float64)
    q, y, weight = (np.ascontiguousarray(a, dtype=np.float64) for a in (q, y, weight))
    if numba_available():
        from nanostrata.kernels.peaks_compiled import fit_compiled

        theta, normal, chi2, curve, count, converged = fit_compiled(
            q, y, weight, np.ascontiguousarray(model.metric), model.width_group, model.amplitude_group, model.share,
            np.ascontiguousarray(model.basis), model.lorentzian, model.envelope, theta, mean, precision, iterations,
        )  # fmt: skip
    else:
        theta, normal, chi2, curve, count, converged = _fit_reference(
            q, y, weight, model, theta, mean, precision, iterations
        )
    scale = 1.0 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    outer = scale[:, None] * scale
    scaled = normal * outer
    scaled.flat[:: len(theta) + 1] += 1e-14
    covariance = np.linalg.inv(scaled) * outer
    return PeakSolution(theta, covariance, float(chi2), curve, int(count), bool(converged))


def curve_of(q: FloatArray, model: PeakModel, theta: FloatArray) -> FloatArray:
    """Model curve of all parameters, on the q of ``model.basis``."""
    return np.asarray(lines_of(q, model, theta).sum(axis=0) + background_of(model, theta))


def background_of(model: PeakModel, theta: FloatArray) -> FloatArray:
    """Background of all parameters, on the q of ``model.basis``."""
    return np.asarray(theta[model.nonlinear + int(model.amplitude_group.max()) + 1 :] @ model.basis)


def lines_of(q: FloatArray, model: PeakModel, theta: FloatArray) -> FloatArray:
    """(n_lines, n_q) every line alone."""
    position, width, mixing = _line_values(model, theta)
    z = (q - position[:, None]) / width[:, None]
    profile = (1.0 - mixing) * np.exp(-FOUR_LN2 * z * z) + mixing / (1.0 + 4.0 * z * z)
    return np.asarray(
        (theta[model.nonlinear + model.amplitude_group] * model.share)[:, None] * profile * model.envelope
    )
