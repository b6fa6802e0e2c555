"""The data's own relative scales against a stated uncertainty, a curve against the others, and its first minimum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.energy_consistency import LeftOut, ScaleTest, ScaleVerdict
from nanostrata.kernels.curve_features import porod_minimum, porod_minimum_near
from nanostrata.kernels.predictive import predictive_chi2
from nanostrata.models.posterior import Gaussian, Posterior

WIDE = 0.3
"""Prior standard deviation of the relative scales where the data are asked for their own opinion."""

_BLIND = 1e8


def with_wide_scales(posterior: Posterior) -> Posterior:
    """Return the posterior with scales that are hardly known beforehand."""
    return replace(posterior, scale_prior=tuple(Gaussian(mean=0.0, sd=WIDE) for _ in posterior.scale_prior))


def without_curve(posterior: Posterior, row: int) -> Posterior:
    """Return the posterior that does not see one curve: its errors are beyond all bounds."""
    blind = posterior.particle.curve_index == row
    return replace(posterior, sigma=np.where(blind, _BLIND * posterior.sigma, posterior.sigma))


@dataclass(frozen=True, kw_only=True)
class OwnScales:
    """Relative scales as the data have them.

    Attributes
    ----------
    basis : (n - 1, n) contrasts between curves: orthonormal rows, orthogonal to a change of all scales together
    information : (n - 1, n - 1) inverse covariance of the contrasts from the data, other nuisances integrated out
    pull : (n - 1,) information times the estimate
    """

    basis: FloatArray
    information: FloatArray
    pull: FloatArray

    def against(self, stated: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        r"""Scale of each curve, the others' at their stated uncertainty: estimate, its error, and z, (n,) each.

        With V = covariance of the estimate + stated^2 on the contrasts, :math:`\hat\epsilon_c = (Q^T V^{-1} m)_c / (Q^T
        V^{-1} Q)_{cc}` is the scale that curve c alone would need, and :math:`z_c` the same over the root of the
        denominator: the test of one observation against all others (Baarda 1968).
        """
        n = self.basis.shape[1]
        shrink = np.linalg.inv(np.eye(n - 1) + stated**2 * self.information)
        weight = self.basis.T @ (self.information @ shrink) @ self.basis
        top = self.basis.T @ (shrink @ self.pull)
        strength = np.diag(weight).copy()
        known = strength > 1.0 / WIDE**2
        safe = np.where(known, strength, 1.0)
        estimate = np.where(known, top / safe, np.nan)
        total = np.where(known, 1.0 / np.sqrt(safe), np.nan)
        own = np.sqrt(np.maximum(total**2 - stated**2, 0.0))
        return estimate, own, estimate / total

    def test(self, stated: float) -> ScaleTest:
        r"""Joint test of the stated uncertainty s, and the uncertainties that would pass it.

        In the eigenvectors of the information, :math:`\chi^2(s) = \sum_i m_i^2 / (1/\lambda_i + s^2)`, with as many
        degrees of freedom as there are combinations that the data know better than ``WIDE``.
        """
        from scipy.optimize import brentq
        from scipy.stats import chi2 as law

        value, vectors = np.linalg.eigh(self.information)
        known = value > 1.0 / WIDE**2
        lam, b = value[known], (vectors.T @ self.pull)[known]
        dof = int(known.sum())
        if dof == 0:
            return ScaleTest(
                stated=stated, chi2=0.0, dof=0, p=1.0, consistent_from=0.0, consistent_to=np.inf, likely=np.nan,
                verdict="not judged",
            )  # fmt: skip

        def chi2(s: float) -> float:
            return float(np.sum(b * b / lam / (1.0 + s * s * lam)))

        def reaching(target: float) -> float:
            if chi2(0.0) <= target:
                return 0.0
            return float(brentq(lambda s: chi2(s) - target, 0.0, 100.0)) if chi2(100.0) < target else float(np.inf)

        p = float(law.sf(chi2(stated), dof))
        verdict: ScaleVerdict = "stated too small" if p < 0.01 else "consistent"
        return ScaleTest(
            stated=stated, chi2=chi2(stated), dof=dof, p=p, consistent_from=reaching(float(law.ppf(0.95, dof))),
            consistent_to=reaching(float(law.ppf(0.05, dof))), likely=reaching(float(law.ppf(0.5, dof))), verdict=verdict,
        )  # fmt: skip


def own_scales(posterior: Posterior, draws: FloatArray) -> OwnScales:
    """Turn draws of the posterior with wide scales into what the data alone say about the contrasts of the scales."""
    n = len(posterior.scale_prior)
    at = posterior.names.index("scale_0")
    log_scale = np.log(np.maximum(1.0 + draws[:, at : at + n], 1e-6))
    basis = _contrasts(n)
    d = log_scale @ basis.T
    precision = np.linalg.inv(np.atleast_2d(np.cov(d.T)))
    # Hartlap et al., A&A 464, 399 (2007): the inverse of a covariance from few draws is too large
    precision *= (len(d) - n - 1) / (len(d) - 1)
    value, vectors = np.linalg.eigh(precision - np.eye(n - 1) / WIDE**2)
    information = (vectors * np.maximum(value, 0.0)) @ vectors.T
    return OwnScales(basis=basis, information=information, pull=precision @ d.mean(axis=0))


def _contrasts(n: int) -> FloatArray:
    """Orthonormal rows orthogonal to ones (Helmert), (n - 1, n)."""
    rows = np.zeros((n - 1, n))
    for k in range(1, n):
        rows[k - 1, :k] = 1.0
        rows[k - 1, k] = -k
        rows[k - 1] /= np.sqrt(k * (k + 1.0))
    return rows


def predict_left_out(posterior: Posterior, row: int, draws: FloatArray, sigma_factor: float, points: slice) -> LeftOut:
    """Hold one curve against what the others say about it, up to its scale and the terms added to it.

    Parameters
    ----------
    posterior : with the stated errors
    draws : (n_draw, n_parameter) of the posterior that does not see the curve
    sigma_factor : on the stated errors of the curve
    points : where the curve's points lie
    """
    from scipy.stats import chi2 as law

    forms = np.stack([_form(posterior, t, points) for t in draws])
    mean = forms.mean(axis=0)
    data, sigma = posterior.intensity[points], sigma_factor * posterior.sigma[points]
    weight = mean / sigma**2
    unit = float(data @ weight / (mean @ weight))
    # the scale is free: only the form of the draws differs
    forms = forms * ((forms @ weight)[:, None] ** -1.0) * float(mean @ weight)
    patterns = unit * (forms - mean).T / np.sqrt(len(forms) - 1.0)
    templates = [t for t in posterior.templates if t.curve == row]
    fixed = sum((t.mean * t.values for t in templates), np.zeros(len(data)))
    added = [t.sd * t.values for t in templates]
    bound = np.column_stack([patterns, *added]) if added else patterns
    found = predictive_chi2(data, sigma, fixed, mean[:, None], bound)
    first = patterns.shape[1]
    centre = fixed + found.free[0] * mean
    for k, column in enumerate(added):
        centre = centre + found.bound[first + k] * column
    # the band without the measurement's own pull on the patterns: the free terms at their best, the form as the others have it
    spread = np.sqrt((patterns**2).sum(axis=1))
    return LeftOut(
        chi2=found.chi2, dof=found.dof, p=float(law.sf(found.chi2, found.dof)), sigma_factor=sigma_factor, fit=centre,
        low95=centre - 1.96 * spread, high95=centre + 1.96 * spread, spread=float(np.sqrt(np.mean((spread / sigma) ** 2))),
    )  # fmt: skip


def _form(posterior: Posterior, theta: FloatArray, points: slice) -> FloatArray:
    """The particle's curve with the common deviations of form, without the curve's own factor and additions."""
    e = posterior.evaluate(theta)
    n = posterior.shape_modes.shape[1]
    relative = 1.0 + (posterior.shape_modes[points] @ theta[len(theta) - n :] if n else 0.0)
    return np.asarray((e.value + e.laue)[points] * relative)


def first_minima(q: FloatArray, curves: FloatArray, sigma: FloatArray) -> FloatArray:
    """First minimum of I q^4 of many similar model curves, (k, n) -> (k,) 1/nm; nan where there is none.

    The estimator is that of the data; the first curve is searched, the others near its minimum.
    """
    found = porod_minimum(q, curves[0], sigma)
    out = np.full(len(curves), np.nan)
    if found is not None:
        for i, curve in enumerate(curves):
            near = porod_minimum_near(q, curve, sigma, found[0])
            out[i] = np.nan if near is None else near[0]
    return out
