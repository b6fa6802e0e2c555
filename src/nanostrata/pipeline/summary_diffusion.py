"""The part of the summary about diffusion."""

from __future__ import annotations

from typing import Any

import numpy as np

from nanostrata.domain.diffusion import FICK_DEFINITION, DefinedDiffusivity, Diffusion
from nanostrata.domain.estimate import quantity

_NEEDED = 0.975
"""A definition that has a number in a smaller share of the draws has no 95 % interval."""


def diffusion_summary(d: Diffusion) -> dict[str, Any]:
    """Return ``diffusion``: the first-page number, how far it is determined, and every other definition beside it."""
    f = d.fick
    columns = f.draws.names
    x_surface = f.draws.theta[:, columns.index("x_surface")]
    log_tau = f.draws.theta[:, columns.index("log10_tau")]
    fitted = np.isfinite(d.c1)
    return {
        "diffusivity_cm2_s": quantity(d.diffusivity_cm2_s),
        "definition": FICK_DEFINITION,
        "verdict": d.verdict,
        "limit_cm2_s": d.limit_cm2_s,
        "element": d.elements[0],
        "elements": list(d.elements),
        "time_s": d.time_s,
        "temperature_c": d.temperature_c,
        "fick": {
            "log10_diffusivity_cm2_s": quantity(np.log10(d.diffusivity_cm2_s)),
            "x_surface": quantity(x_surface),
            "log10_tau": quantity(log_tau),
            "radius_nm": quantity(f.radius_nm),
            "log10_tau_bounds": list(f.log10_tau_bounds),
            "chi2_rise_at_bounds": list(f.chi2_at_bounds),
            "determination": f.determination,
            "describes": f.describes,
            "chi2": f.chi2,
            "chi2_free_shells": f.shells_chi2,
            "free_shells": f.shells,
            "n_data": f.n_data,
            "p": f.p,
            "sentence": _sentence(d),
            "common_tau_shift_log10": f.common_tau_shift,
            "correction_step_log10": f.correction_step,
            "r_hat": f.draws.r_hat,
            "effective_draws": f.draws.effective,
        },
        "depth_profile": {
            "depth_nm": d.depth_nm.tolist(),
            "number_density_nm3": quantity(d.density_nm3),
        },
        "depth_fit": {
            "c1": quantity(d.c1[fitted]) if fitted.sum() > 1 else None,
            "c2_inv_nm": quantity(d.c2_inv_nm[fitted]) if fitted.sum() > 1 else None,
            "share_at_limit": d.at_limit,
        },
        "alternatives": [_alternative(a) for a in d.definitions],
        "notes": [
            "C becomes R^2/(3 t) for every homogeneous particle, whatever its diffusivity is.",
            "The alternatives read a flux and a gradient off one profile; none of them solves the diffusion equation.",
        ],
    }


def _sentence(d: Diffusion) -> str:
    f = d.fick
    than = (
        f"chi2 {f.chi2:.0f} against {f.shells_chi2:.0f} of {f.shells} free shells on {f.n_data} points, p = {f.p:.2g}"
    )
    if f.describes:
        return f"Spherical Fick-2 describes the curves as well as free shells do ({than})."
    return (
        f"Spherical Fick-2 does not describe the curves ({than}); its diffusivity is a number without a meaning here."
    )


def _alternative(a: DefinedDiffusivity) -> dict[str, Any]:
    good = a.diffusivity_cm2_s[np.isfinite(a.diffusivity_cm2_s)]
    out: dict[str, Any] = {"name": a.name, "formula": a.formula, "label": a.label}
    if a.share_defined >= _NEEDED and len(good) > 1:
        return out | {"diffusivity_cm2_s": quantity(good)}
    share = 100.0 * (1.0 - a.share_defined)
    return out | {
        "diffusivity_cm2_s": None,
        "reason": f"in {share:.0f} % of the draws the density does not fall towards the centre as this definition needs",
    }
