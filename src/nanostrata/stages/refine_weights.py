"""Move the weights of an ensemble of atoms until every measurement agrees, and say what that changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nanostrata.domain import Composition, ScatteringCurve, SizeDistribution
from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import DataSet, Verification
from nanostrata.domain.weight_refinement import WeightRefinement
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.density import SolidSolution
from nanostrata.models.ensemble_curves import alone, corrections_of, predict
from nanostrata.models.ensemble_pattern import LOWEST_Q, ensemble_pattern, pattern_errors, smooth_background
from nanostrata.models.ensemble_weights import (
    Misfit,
    built_diameters_nm,
    curve_misfit,
    firmest_weights,
    share_misfit,
    size_misfit,
)
from nanostrata.tables.factors import FactorTable

VERSION = "1"

WANTED_P = 0.05
"""Every data set is to reach it: well above the 0.01 below which one fails."""


def refine_weights(
    ensemble: AtomEnsemble,
    verification: Verification,
    solid: SolidSolution,
    factors: FactorTable,
    known: PriorKnowledge,
    curves: Sequence[ScatteringCurve],
    *,
    saxs: ScatteringCurve | None = None,
    sizes: SizeDistribution | None = None,
    composition: Composition | None = None,
    smearing: str | float = "none",
    waxs: ScatteringCurve | None = None,
    instrument_sigma_inv_nm: float = 0.0,
    backgrounds: Sequence[tuple[str, FloatArray]] = (),
) -> WeightRefinement:
    r"""Find the weights nearest to those as built with which every data set has p of at least 0.05.

    .. math:: \min_w\ \tfrac12 \sum_d \chi^2_d(w) + \theta \sum_p w_p \ln\frac{w_p}{w^0_p}

    with the largest :math:`\theta` that does. Each chi2 is that of the verification: same errors, same corrections and
    priors, at the scale, the factor on distances and the Debye-Waller factor found there.

    Parameters
    ----------
    ensemble, verification : the atoms, and what was found about them
    curves, saxs, sizes, composition, waxs, instrument_sigma_inv_nm, backgrounds : as for the verification; only what it has
        compared is used

    Returns
    -------
    WeightRefinement

    Notes
    -----
    Particles as they are can be counted differently, but not changed: a wrong structure or profile stays wrong. After the
    weights were fitted, p is no test any more.
    """
    by_name = {d.name: d for d in verification.data_sets}
    misfits: list[Misfit] = []
    if "asaxs" in by_name:
        misfits.append(_curves(by_name["asaxs"], ensemble, solid, factors, known, curves, smearing))
    if "saxs" in by_name and saxs is not None:
        misfits.append(_curves(by_name["saxs"], ensemble, solid, factors, alone(known), [saxs], smearing))
    if "waxs" in by_name and waxs is not None:
        misfits.append(_pattern(by_name["waxs"], ensemble, factors, waxs, instrument_sigma_inv_nm, backgrounds))
    if "tem" in by_name and sizes is not None:
        misfits.append(size_misfit(ensemble, sizes))
    if "edx" in by_name and composition is not None:
        misfits.append(share_misfit(ensemble, composition))
    weights, theta = firmest_weights(misfits, ensemble.weights, WANTED_P)
    return _told(ensemble, misfits, weights, theta)


def _told(
    ensemble: AtomEnsemble, misfits: Sequence[Misfit], weights: FloatArray, theta: float
) -> WeightRefinement:  # fmt: skip
    from scipy.stats import chi2 as law

    before, after = ([m.chi2(w)[0] for m in misfits] for w in (ensemble.weights, weights))
    p_before, p_after = (
        [float(law.sf(c, m.dof)) for c, m in zip(values, misfits, strict=True)] for values in (before, after)
    )
    ends = zip(_sizes_of(ensemble, ensemble.weights), _sizes_of(ensemble, weights), strict=True)
    names = ("diameter_mean_nm", "diameter_std_nm", "aspect_ratio", "mean_shell_fraction")
    return WeightRefinement(
        names=tuple(m.name for m in misfits), dof=tuple(m.dof for m in misfits), chi2_before=tuple(before),
        chi2_after=tuple(after), p_before=tuple(p_before), p_after=tuple(p_after), weights_before=ensemble.weights,
        weights_after=weights, held_by=theta, sizes=dict(zip(names, ends, strict=True)), wanted_p=WANTED_P,
    )  # fmt: skip


def _sizes_of(ensemble: AtomEnsemble, weights: FloatArray) -> tuple[float, float, float, float]:
    """Mean and standard deviation of the diameter, mean aspect ratio, and x over all sites."""
    d = built_diameters_nm(ensemble)
    mean = float(weights @ d)
    edges = np.linspace(0.0, 1.0, ensemble.shell_fraction.shape[1] + 1)
    x = ensemble.shell_fraction @ np.diff(edges**3)
    volume = weights * d**3
    return (
        mean,
        float(np.sqrt(weights @ (d - mean) ** 2)),
        float(weights @ ensemble.aspect_ratio),
        float(volume @ x / volume.sum()),
    )


def _curves(
    found: DataSet, ensemble: AtomEnsemble, solid: SolidSolution, factors: FactorTable, known: PriorKnowledge,
    curves: Sequence[ScatteringCurve], smearing: str | float,
) -> Misfit:  # fmt: skip
    p = predict(ensemble, solid, factors, curves, smearing=smearing, ligand=known.contrast_errors.ligand)
    index = np.repeat(np.arange(len(curves)), [len(c) for c in curves])
    data, sigma, q = (np.concatenate([getattr(c, n) for c in curves]) for n in ("intensity", "sigma", "q_inv_nm"))
    own_scale = known.scale == "per_energy"
    patterns, fixed = corrections_of(p, curves, index, q, found.numbers["scale"], known, own_scale)
    groups = np.array([index == i for i in range(len(curves))] if own_scale else [np.ones(len(q))], dtype=float)
    return curve_misfit(
        found.name, found.dof, data - fixed, sigma, groups, p.particles, np.stack([b for _, b in patterns], axis=1)
    )


def _pattern(
    found: DataSet, ensemble: AtomEnsemble, factors: FactorTable, curve: ScatteringCurve, blur: float,
    backgrounds: Sequence[tuple[str, FloatArray]],
) -> Misfit:  # fmt: skip
    used = curve.q_inv_nm >= LOWEST_Q
    q, data, sigma = curve.q_inv_nm[used], curve.intensity[used], curve.sigma[used]
    dense = ensemble_pattern(ensemble, factors, float(curve.energy_kev or 0.0), q, blur)
    own = dense.at(q, found.numbers["distance_factor"], found.numbers["b_nm2"])
    bound = pattern_errors(dense, own, dense.weights @ own, q, found.numbers["scale"])
    free = np.column_stack([smooth_background(q), *[values[used] for _, values in backgrounds]])
    return curve_misfit("waxs", found.dof, data, sigma, np.ones((1, len(q))), own, bound, free)
