"""Graded sentences for a fit with explicit contrasts."""

from __future__ import annotations

import math

import numpy as np

from nanostrata.domain.contrast_fit import ContrastFit
from nanostrata.domain.finding import Finding

VERSION = "1"


def explain_contrasts(fit: ContrastFit) -> tuple[Finding, ...]:
    """Return the findings of the first page."""
    bad = fit.chi2_reduced > 3.0
    sd = np.sqrt(np.diag(fit.covariance))
    value = dict(zip(fit.names, fit.values, strict=True))
    error = dict(zip(fit.names, sd, strict=True))
    what = "core + shell spheres" if fit.core_shell else "homogeneous spheres"
    curves = f"{len(fit.curves)} curves at once" if len(fit.curves) > 1 else "the curve"
    out = []
    if bad:
        out.append(
            Finding(
                text=f"BAD FIT: dilute {what} do NOT describe {curves}: chi2 per degree of freedom is {fit.chi2_reduced:.3g}. "
                "The numbers below are not to be trusted.",
                grade="strong",
                numbers={"chi2_reduced": fit.chi2_reduced},
                improve="dilute the sample (interactions), state the resolution (smearing), check the sigmas, or another shape",
            )
        )
    else:
        out.append(
            Finding(
                text=f"Dilute {what} describe {curves}: chi2 per degree of freedom is {fit.chi2_reduced:.2f}.",
                grade="strong" if fit.chi2_reduced < 1.5 else "moderate",
                numbers={"chi2_reduced": fit.chi2_reduced},
            )
        )

    def grade(relative: float) -> str:
        if bad:
            return "weak"
        return (
            "strong"
            if relative < 0.03
            else "moderate"
            if relative < 0.15
            else "weak"
            if relative < 0.5
            else "not determined"
        )

    r, dr = value["radius_mean_nm"], error["radius_mean_nm"]
    s, ds = value["radius_std_nm"], error["radius_std_nm"]
    if fit.size_kind == "lognormal":
        s2 = math.log1p((s / r) ** 2)
        text = f"Median radius {r * math.exp(-0.5 * s2):.3f} ± {dr:.3f} nm with a logarithmic width of {math.sqrt(s2):.3f} ± {ds / r:.3f}."
    else:
        text = f"Mean outer radius {r:.3f} ± {dr:.3f} nm with a standard deviation of {s:.3f} ± {ds:.3f} nm."
    out.append(Finding(text=text, grade=grade(dr / r), numbers={"radius_mean_nm": float(r)}))
    if fit.core_shell:
        t, dt = value["shell_thickness_nm"], error["shell_thickness_nm"]
        out.append(
            Finding(
                text=f"Core radius {r - t:.3f} nm and shell thickness {t:.3f} ± {dt:.3f} nm (for the particle of mean radius).",
                grade=grade(dt / t),
                numbers={"shell_thickness_nm": float(t)},
            )
        )
    return tuple(out)
