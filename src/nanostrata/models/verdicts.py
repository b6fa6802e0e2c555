"""What the data determine: labels per shell, the gradient, runs of residuals, bounds touched."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.fit import CurveFit
from nanostrata.kernels.statistics import runs_p
from nanostrata.models.posterior import Posterior, curve_slices

LEVELS = ("data", "weak", "prior")


def informed_by(sd: FloatArray, smoothed: FloatArray, independent: FloatArray) -> tuple[str, ...]:
    """Label every shell by what its value rests on.

    Parameters
    ----------
    sd : (n,) posterior standard deviation of x under independent, uniform shells (prior sd 0.289)
    smoothed, independent : (draws, n) the two posteriors

    Returns
    -------
    tuple of "data" (sd < 0.10), "weak" (sd < 0.20) or "prior", one step lower where the two answers differ by more
    than the smoothed standard deviation.
    """
    gap = np.abs(smoothed.mean(axis=0) - independent.mean(axis=0))
    out = []
    for s, g, own in zip(sd, gap, smoothed.std(axis=0, ddof=1), strict=True):
        level = 0 if s < 0.10 else 1 if s < 0.20 else 2
        out.append(LEVELS[min(2, level + (1 if g > own else 0))])
    return tuple(out)


def gradient_verdict(flat_chi2: float, shells_chi2: float, independent: FloatArray) -> tuple[str, dict[str, float]]:
    """Decide whether the data show that the composition changes with the radius.

    "resolved": a homogeneous particle is worse than free shells at p < 0.01 (likelihood ratio, n - 1 degrees of
    freedom); the walls 0 <= x <= 1 only make this stricter. "absent": it is not worse (p > 0.05) *and* the data would
    have shown a step: the difference between the outer shell and the mean of the others is known to +-0.25 (95 %).
    Else "undecided".
    """
    from scipy.stats import chi2

    n = independent.shape[1]
    delta = max(0.0, flat_chi2 - shells_chi2)
    p = float(chi2.sf(delta, n - 1)) if n > 1 else 1.0
    volumes = np.diff((np.arange(n + 1) / n) ** 3)
    inner = independent[:, :-1] @ (volumes[:-1] / volumes[:-1].sum()) if n > 1 else independent[:, 0]
    step = independent[:, -1] - inner
    low, high = (float(v) for v in np.quantile(step, [0.025, 0.975]))
    verdict = "undecided"
    if p < 0.01:
        verdict = "resolved"
    elif p > 0.05 and high - low < 0.5:
        verdict = "absent"
    return verdict, {"delta_chi2": delta, "p": p, "step": float(step.mean()), "step_low95": low, "step_high95": high}


def touched_bounds(posterior: Posterior, best: FloatArray) -> tuple[str, ...]:
    """One sentence for every bound at which the best point lies."""
    out = []
    for name, value, low, high, free in zip(
        posterior.names, best, posterior.lower, posterior.upper, posterior.free, strict=True
    ):
        if not free or not math.isfinite(high - low):
            continue
        near = 1e-3 * (high - low)
        if value - low < near or high - value < near:
            out.append(f"{name} = {value:.4g} lies on its bound ({low:g} to {high:g})")
    return tuple(out)


PREDICTIVE_DRAWS = 100
"""Draws over which predictive probabilities are averaged."""


def predictive_p(posterior: Posterior, theta: FloatArray) -> FloatArray:
    r"""Posterior predictive probability of a chi2 of each curve at least as large as the measured one, (n_curve,).

    .. math:: p_c = \left\langle P\big(\chi^2_{n_c} \ge \chi^2_c(y, \theta)\big) \right\rangle_{\theta | y}

    Replicated data differ from the model of their draw by Gaussian errors, so that their chi2 needs no simulation. The
    data were used for the fit, so that p crowds towards 0.5 for a true model: far from 0 and 1, not uniform.

    Parameters
    ----------
    theta : (n_draw, n_parameter) posterior draws

    References
    ----------
    Gelman, Meng & Stern, Stat. Sinica 6, 733 (1996).
    """
    from scipy.stats import chi2

    slices = curve_slices(posterior)
    rows = theta[np.unique(np.linspace(0, len(theta) - 1, PREDICTIVE_DRAWS).astype(int))]
    out = np.zeros(len(slices))
    for row in rows:
        model, _ = posterior.model(row, gradient=False)
        r2 = ((model - posterior.intensity) / posterior.sigma) ** 2
        out += [chi2.sf(r2[s].sum(), s.stop - s.start) for s in slices]
    return out / len(rows)


def curve_fits(
    curves: Sequence[ScatteringCurve],
    posterior: Posterior,
    best: FloatArray,
    theta: FloatArray,
    sigma_factor: FloatArray,
    stated_sigma: FloatArray,
) -> tuple[CurveFit, ...]:
    """Describe the fit of every curve at the best point, with the draws of its scale and constant."""
    model, _ = posterior.model(best, gradient=False)
    residual = (posterior.intensity - model) / stated_sigma
    n_profile, n_size = len(posterior.family.names), len(posterior.size_prior)
    at = n_profile + n_size + 2
    laue = posterior.factor(best) * posterior.evaluate(best).laue
    predictive = predictive_p(posterior, theta)
    out = []
    for i, (c, s) in enumerate(zip(curves, curve_slices(posterior), strict=True)):
        name = f"constant_{i}"
        column = posterior.names.index(name) if name in posterior.names else None
        out.append(
            CurveFit(
                label=c.label,
                energy_kev=float(c.energy_kev or 0.0),
                q_inv_nm=c.q_inv_nm,
                intensity=c.intensity,
                sigma=c.sigma,
                fit=model[s],
                residual_sigma=residual[s],
                chi2_reduced=float(np.mean(residual[s] ** 2)),
                runs_p=runs_p(residual[s]),
                sigma_factor=float(sigma_factor[i]),
                scale=np.exp(posterior.log_scale0[i] + theta[:, at]) * (1.0 + theta[:, at + 1 + i]),
                background=np.zeros(len(theta)) if column is None else theta[:, column],
                laue=float(laue[s][0]),
                predictive_p=float(predictive[i]),
            )
        )
    return tuple(out)
