"""Judge whether the curves of all energies belong together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.energy_consistency import EnergyConsistency, EnergyRow, FirstMinima, LeftOut, ScaleTest
from nanostrata.domain.fit import Draws
from nanostrata.kernels.curve_features import porod_minimum
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.energy_consistency import (
    Energies,
    Fitted,
    best_order,
    draw_locally,
    refit,
    try_exchanges,
    try_labels,
    try_shifts,
)
from nanostrata.models.energy_scales import (
    first_minima,
    own_scales,
    predict_left_out,
    with_wide_scales,
    without_curve,
)
from nanostrata.models.explore import best_point
from nanostrata.models.families import ProfileFamily
from nanostrata.models.fit_setup import FitSetup
from nanostrata.models.posterior import Posterior, curve_slices

VERSION = "1"

_DRAWS = 400
_FORMS = 64
_MINIMA = 50


def judge_energies(
    setup: FitSetup,
    family: ProfileFamily,
    *,
    start: Draws | None = None,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> EnergyConsistency:
    """Scales, first minima, left-out curves, exchanged files and the common energy, from one model of the particle.

    Parameters
    ----------
    setup, family : as for the fit of the profile
    start : of the fitted profile, if there is one: where the search begins besides its own starts
    seed : all random numbers come from it

    Returns
    -------
    EnergyConsistency

    Raises
    ------
    RecipeError
        When a curve lacks its energy.
    ConvergenceError
        When no start of the search reaches a finite minimum.

    Notes
    -----
    Posteriors that are needed beside the fit's are Gaussians with the curvature at their best points, cut off by the walls of the
    compositions: short of a sampler, and close to it where the data are informative. Errors of the wrong size, but right relative
    to each other, are found from the fits and taken out. An exchange is a change of labels only: each curve keeps its own points,
    errors and added terms.
    """
    progress("holding every energy against the others")
    curves, known = setup.curves, setup.known
    energies = Energies(
        curves=curves, solid=setup.solid, factors=setup.factors, errors=known.contrast_errors, with_q=setup.atomic_form_factors,
        laue=setup.laue and known.background != "none",
    )  # fmt: skip
    posterior = setup.posterior(family)
    begin = [start.best] if start is not None and start.names == posterior.names else []
    given = refit(posterior, [best_point(posterior, extra=begin)])
    dof = max(1, len(posterior.intensity) - int(posterior.free.sum()))
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2 + len(curves))]
    several = len(curves) > 1
    scales, per_curve = _scales(posterior, given, known, streams[0])
    left_out = [_left_out(posterior, given, i, streams[2 + i]) if several else None for i in range(len(curves))]
    minima = _minima(curves, posterior, given, streams[1])
    exchanges, margin = try_exchanges(energies, posterior, given, dof)
    others, label_margin, reach = try_labels(energies, posterior, given, dof) if several else ((), math.nan, 0.0)
    rows = [
        EnergyRow(
            label=c.label, file=c.origin.file, energy_kev=float(c.energy_kev or math.nan), scale=s[0], scale_sigma=s[1], scale_z=s[2], constant=s[3],
            constant_sigma=s[4], constant_share=s[3] / _end(c), minima=m, left_out=o,
        )
        for c, s, m, o in zip(curves, per_curve, minima, left_out, strict=True)
    ]  # fmt: skip
    return EnergyConsistency(
        rows=tuple(rows), scales=scales, exchanges=exchanges,
        best_kev=best_order(energies, posterior, given, dof, exchanges), margin=margin, others=others, label_margin=label_margin,
        label_reach_kev=reach, shift=try_shifts(energies, posterior, given, dof) if several else None,
    )  # fmt: skip


def _end(curve: ScatteringCurve) -> float:
    """Intensity at the end of the curve, from which constants are told apart."""
    return float(np.median(np.abs(curve.intensity[-max(3, len(curve) // 10) :])))


def _scales(
    posterior: Posterior, given: Fitted, known: PriorKnowledge, rng: np.random.Generator
) -> tuple[ScaleTest | None, list[tuple[float, float, float, float, float]]]:
    """Test of the scales, and per curve: scale, its error, z, constant, its error."""
    n = len(posterior.scale_prior)
    wide = with_wide_scales(posterior) if n > 1 else posterior
    if not posterior.scale_free:
        wide = posterior  # free scales of their own: nothing is stated, and the fit's scales are the data's
    found = refit(wide, [given.theta])
    draws = draw_locally(wide, found.theta, _DRAWS, rng)
    constants = []
    for i in range(n):
        name = f"constant_{i}"
        column = draws[:, posterior.names.index(name)] if name in posterior.names else np.full(2, math.nan)
        constants.append((float(column.mean()), float(column.std(ddof=1))))
    if n < 2 or not posterior.scale_free:
        return None, [(math.nan, math.nan, math.nan, *c) for c in constants]
    own = own_scales(wide, draws)
    estimate, error, z = own.against(known.scale_uncertainty)
    rows = [(float(estimate[i]), float(error[i]), float(z[i]), *constants[i]) for i in range(n)]
    return own.test(known.scale_uncertainty), rows


def _left_out(posterior: Posterior, given: Fitted, row: int, rng: np.random.Generator) -> LeftOut:
    from scipy.stats import chi2

    slices = curve_slices(posterior)
    blind = without_curve(posterior, row)
    found = refit(blind, [given.theta])
    used = len(posterior.intensity) - (slices[row].stop - slices[row].start)
    dof = max(1, used - int(posterior.free.sum()))
    factor = math.sqrt(found.data / dof) if chi2.sf(found.data, dof) < 0.01 else 1.0
    if factor > 1.0:
        blind = replace(blind, sigma=blind.sigma * factor)
        found = refit(blind, [found.theta])
    draws = draw_locally(blind, found.theta, _FORMS, rng)
    return predict_left_out(posterior, row, draws, factor, slices[row])


def _minima(
    curves: Sequence[ScatteringCurve], posterior: Posterior, given: Fitted, rng: np.random.Generator
) -> list[FirstMinima]:
    draws = draw_locally(posterior, given.theta, _MINIMA, rng)
    pure = [_pure(posterior, given.theta, x) for x in (0.0, 1.0)]
    models = np.stack([posterior.model(t, gradient=False)[0] for t in (given.theta, *draws)])
    out = []
    for c, s in zip(curves, curve_slices(posterior), strict=True):
        data = porod_minimum(c.q_inv_nm, c.intensity, c.sigma)
        found = first_minima(c.q_inv_nm, models[:, s], c.sigma)
        ends = [first_minima(c.q_inv_nm, m[None, s], c.sigma)[0] for m in pure]
        seen = found[1:][np.isfinite(found[1:])]
        low, high = np.quantile(seen, [0.025, 0.975]) if len(seen) > 10 else (math.nan, math.nan)
        measured, sigma = data if data is not None else (math.nan, math.nan)
        out.append(
            FirstMinima(
                measured=measured, measured_sigma=sigma, predicted=float(found[0]), predicted_low95=float(low),
                predicted_high95=float(high), pure_core=float(ends[0]),
                pure_shell=float(ends[1]) if posterior.particle.solid.shell is not None else math.nan,
            )
        )  # fmt: skip
    return out


def _pure(posterior: Posterior, theta: FloatArray, x: float) -> FloatArray:
    """The same particle made of one end member, with the same scales, additions and deviations of form."""
    _, size, density, _, _, coefficients = posterior.split(theta)
    shells = np.full(posterior.particle.n_shell, x)
    e = posterior.particle.evaluate(shells, size, (density[0], density[1]), contrast=posterior.contrast(theta))
    return np.asarray(posterior.factor(theta) * (e.value + e.laue) + posterior.template_matrix @ coefficients)
