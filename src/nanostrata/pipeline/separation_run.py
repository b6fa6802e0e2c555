"""The separation of terms in a run: what is subtracted, the sentence, and the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.estimate import gaussian_quantity
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.separation import SeparationResult
from nanostrata.errors import PhysicsError
from nanostrata.io.text_out import write_csv
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.gather import Inputs
from nanostrata.pipeline.recipe import Recipe

_FEWEST = 3
_LARGEST = 4.0
"""D of the pair distances: mean diameter of the fit and this many standard deviations, times the longer axis."""


def separation(recipe: Recipe, inputs: Inputs, solid: SolidSolution, fit: ProfileFit) -> SeparationResult | None:
    """Separate the resonant element's scattering from the curves; None with fewer than three energies or without edge."""
    from scipy.stats import chi2

    from nanostrata.models.indirect_transform import pair_distances
    from nanostrata.models.pair_table import PairTable
    from nanostrata.models.separation import predicted_terms
    from nanostrata.pipeline.gather import factor_tables
    from nanostrata.stages.separate_terms import separate_terms
    from nanostrata.tables.factors import parse_edge

    asaxs = recipe.asaxs
    if asaxs is None or asaxs.edge is None or len({c.energy_kev for c in inputs.curves}) < _FEWEST:
        return None
    element, factors = parse_edge(asaxs.edge)[0], factor_tables(recipe)[0]
    curves, scale = _net(inputs, fit)
    uncertainty = 0.3 if asaxs.scale == "per_energy" else asaxs.scale_uncertainty
    notes = (
        "fitted constants, backgrounds and Laue scattering subtracted, their errors added in quadrature",
        f"one scale for all energies, each known to {100 * uncertainty:.2g} %",
    )
    try:
        terms = separate_terms(curves, solid, factors, element, scale_uncertainty=uncertainty)
    except PhysicsError as error:
        return SeparationResult(
            terms=None, refusal=error.problems[0], predicted=np.zeros((0, 3)), agreement_chi2=np.nan, agreement_p=np.nan,
            pairs=None, notes=notes,
        )  # fmt: skip
    mean = dict(zip(fit.main.names, fit.main.theta.mean(axis=0), strict=True))
    aspect = float(mean.get("aspect_ratio", 1.0))
    table = PairTable.build(
        terms.q_inv_nm, len(fit.fractions), float(mean["diameter_mean_nm"]), float(mean["diameter_std_nm"]),
        kind="lognormal" if recipe.particle.sizes == "lognormal" else "gaussian", aspect_ratio=aspect,
    )  # fmt: skip
    predicted = scale * predicted_terms(solid, factors, element, table, fit.main_shells.mean(axis=0))
    off = terms.terms[:, 2] - predicted[:, 2]
    total = float(off @ np.linalg.solve(terms.resonant_covariance, off))
    longest = float(mean["diameter_mean_nm"] + _LARGEST * mean["diameter_std_nm"]) * max(aspect, 1 / aspect) ** (2 / 3)
    largest = min(longest, 2.0 * np.pi / float(terms.q_inv_nm[0]))
    pairs = pair_distances(terms.q_inv_nm, terms.terms[:, 2], terms.resonant_covariance, largest)
    return SeparationResult(
        terms=terms, refusal="", predicted=predicted, agreement_chi2=total, agreement_p=float(chi2.sf(total, len(off))),
        pairs=pairs, notes=notes,
    )  # fmt: skip


def _net(inputs: Inputs, fit: ProfileFit) -> tuple[list[ScatteringCurve], float]:
    """Curves without their constants and Laue scattering, and the mean scale, data units per electron squared."""
    out = []
    for curve, found in zip(inputs.curves, fit.curves, strict=True):
        flat = float(found.background.mean()) + found.laue
        sigma = np.hypot(curve.sigma * found.sigma_factor, found.background.std(ddof=1))
        out.append(replace(curve, intensity=curve.intensity - flat, sigma=sigma))
    return out, float(np.mean([c.scale.mean() for c in fit.curves]))


def findings(result: SeparationResult | None) -> tuple[Finding, ...]:
    """One sentence; none where nothing was tried."""
    if result is None:
        return ()
    t = result.terms
    if t is None:
        return (
            Finding(
                text="The resonant element's own curve cannot be separated from these data without a model of the particle: "
                + result.refusal.split(". ")[0].split(": ", 1)[-1] + ".",
                grade="not determined",
                numbers={},
                improve="longer exposures, a steadier flux monitor, or energies at which f' differs more",
            ),
        )  # fmt: skip
    agrees = result.agreement_p > 0.01
    return (
        Finding(
            text=f"The curve of the {t.element} atoms alone, separated without a model, {'agrees with' if agrees else 'CONTRADICTS'} "
            f"the fitted profile (chi2 {result.agreement_chi2:.0f} on {len(t.q_inv_nm)} points, p = {result.agreement_p:.2g}).",
            grade="strong" if agrees and t.resolution < 0.1 else "moderate",
            numbers={"separation.agreement_p": result.agreement_p, "separation.resolution": t.resolution},
        ),
    )


def separation_summary(result: SeparationResult) -> dict[str, Any]:
    """``separation`` of the summary."""
    t = result.terms
    if t is None:
        return {"verdict": "refused", "reason": result.refusal, "notes": list(result.notes)}
    rg = None
    if result.pairs is not None and np.isfinite(result.pairs.rg_nm):
        rg = gaussian_quantity(result.pairs.rg_nm, result.pairs.rg_sigma_nm)
    return {
        "verdict": "agrees" if result.agreement_p > 0.01 else "contradicts the profile",
        "element": t.element,
        "condition": [float(t.condition.min()), float(t.condition.max())],
        "resolution": t.resolution,
        "agreement_chi2": result.agreement_chi2,
        "agreement_p": result.agreement_p,
        "positivity": [
            {"condition": p.condition, "points": p.points, "broken": p.broken, "beyond_two_sigma": p.beyond_two_sigma}
            for p in t.positivity
        ],
        "rg_nm": rg,
        "notes": list(result.notes),
    }


def write_separation(folder: Path, result: SeparationResult) -> None:
    """Write ``separated_terms.csv`` and ``resonant_pair_distances.csv``, where there is something to write."""
    t = result.terms
    if t is None:
        return
    write_csv(
        folder / "separated_terms.csv",
        ["q_inv_nm", "i_0", "i_0_sigma", "i_0r", "i_0r_sigma", "i_rr", "i_rr_sigma", "condition", "model_i_0", "model_i_0r", "model_i_rr"],
        [
            [q, *(v for pair in zip(t.terms[i], t.sigma[i], strict=True) for v in pair), t.condition[i], *result.predicted[i]]
            for i, q in enumerate(t.q_inv_nm)
        ],
    )  # fmt: skip
    if result.pairs is not None:
        p = result.pairs
        write_csv(
            folder / "resonant_pair_distances.csv",
            ["r_nm", "p", "sigma"],
            [list(row) for row in zip(p.r_nm, p.p, p.sigma, strict=True)],
        )
