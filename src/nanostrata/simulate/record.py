"""The truth of a simulated campaign, written down: every draw, and the means that an analysis can be held against."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nanostrata.domain import FloatArray
from nanostrata.simulate.campaign import Campaign, mean_counts
from nanostrata.simulate.truth import shell_means
from nanostrata.simulate.wide_angle import waxs_truth

_GRID_POINTS = 51
_NOTE = (
    "Simulated measurements of explicit atoms; nothing here was measured. Means named r6_weighted weigh each particle "
    "with the sixth power of its diameter, as scattering does; number_mean counts every particle once. shell_fraction "
    "is the volume average of x(s) over equispaced shells, inner to outer; mean_shell_fraction is averaged over "
    "lattice sites; element_counts are those of the particle of mean diameter. waxs holds what is true of the particles of "
    "the wide-angle pattern: a_nm and c_nm belong to their mean composition, and peaks of graded particles stand elsewhere."
)


def truth_record(campaign: Campaign, shells: int) -> dict[str, Any]:
    """Truth of a campaign as plain numbers.

    Parameters
    ----------
    campaign : Campaign
    shells : int
        Number of equispaced shells that ``shell_fraction`` is averaged over.

    Returns
    -------
    dict
        Top-level ``shell_fraction``, ``mean_shell_fraction`` and ``x_of_s`` are R^6-weighted (what scattering sees),
        ``diameter_mean_nm``, ``diameter_std_nm``, ``aspect_ratio`` number means; both kinds of mean stand in
        ``r6_weighted`` and ``number_mean``, every particle in ``particles``.
    """
    atoms = campaign.atoms
    d = np.array([float(m.info["diameter_nm"]) for m in atoms])
    aspect = np.array([float(m.info["aspect_ratio"]) for m in atoms])
    profiles = list(campaign.profiles)
    by_shell = np.array([shell_means(p, shells) for p in profiles])
    site_mean = np.array([float(m.info["shell_fraction"]) for m in atoms])
    s = np.linspace(0.0, 1.0, _GRID_POINTS)
    curves = np.array([p(s) for p in profiles])
    r6 = d**6 / (d**6).sum()
    flat = np.full(len(d), 1.0 / len(d))
    counts = mean_counts(atoms)
    # counts go with the volume: the mean over particles belongs to the particle of mean volume, not of mean diameter
    to_mean_particle = float(d.mean() ** 3 / (d**3).mean())
    return {
        "simulated": True,
        "note": _NOTE,
        "seed": campaign.seed,
        "diameter_mean_nm": _round(d.mean()),
        "diameter_std_nm": _round(d.std()),
        "aspect_ratio": _round(aspect.mean()),
        "shell_fraction": _rounded(r6 @ by_shell),
        "mean_shell_fraction": _round(r6 @ site_mean),
        "element_counts": {e: _round(n * to_mean_particle) for e, n in counts.items()},
        "x_of_s": {"s": _rounded(s), "x": _rounded(r6 @ curves)},
        "r6_weighted": _means(r6, d, aspect, by_shell, site_mean, campaign, s, curves),
        "number_mean": _means(flat, d, aspect, by_shell, site_mean, campaign, s, curves)
        | {"element_counts": {e: _round(n) for e, n in counts.items()}},
        "beam_normalisation": _rounded(campaign.scales),
        "background_inv_cm": [float(f"{v:.6g}") for v in campaign.backgrounds],
        "number_density_inv_nm3": float(f"{campaign.number_density_inv_nm3:.8g}"),
        "energies_kev": [c.energy_kev for c in campaign.asaxs],
        **_ligand(campaign),
        **({} if campaign.waxs is None else {"waxs": waxs_truth(campaign.truth, atoms, campaign.waxs)}),
        "displaced_medium": campaign.truth.displaced_medium,
        "lattice": campaign.truth.lattice,
        "nominal": {
            "diameter_mean_nm": campaign.truth.diameter_mean_nm,
            "diameter_std_nm": campaign.truth.diameter_std_nm,
            "aspect_ratio": campaign.truth.aspect_ratio,
            "shell_fraction": _rounded(shell_means(campaign.truth.profile, shells)),
        },
        "tem": {
            "diameter_mean_nm": _round(campaign.tem_draws[:, 0].mean()),
            "diameter_std_nm": _round(campaign.tem_draws[:, 0].std()),
            "aspect_ratio": _round(campaign.tem_draws[:, 1].mean()),
            "diameter_nm": _rounded(campaign.tem_draws[:, 0]),
        },
        "particles": [
            {
                "diameter_nm": _round(d[k]),
                "diameter_drawn_nm": _round(campaign.draws[k].diameter_nm),
                "aspect_ratio": _round(aspect[k]),
                "logit_shift": _round(campaign.draws[k].logit_shift),
                "shell_fraction": _rounded(by_shell[k]),
                "mean_shell_fraction": _round(site_mean[k]),
                "element_counts": m.counts,
                "vacancies": int(m.info["vacancies"]),
                "charge_e": float(m.info["charge_e"]),
            }
            for k, m in enumerate(atoms)
        ],
    }


def _ligand(campaign: Campaign) -> dict[str, Any]:
    t = campaign.truth
    if t.ligand_thickness_nm == 0.0:
        return {}
    return {
        "ligand": {"thickness_nm": t.ligand_thickness_nm, "electron_density_e_nm3": t.ligand_electron_density_e_nm3}
    }


def _means(
    w: FloatArray,
    d: FloatArray,
    aspect: FloatArray,
    by_shell: FloatArray,
    site_mean: FloatArray,
    campaign: Campaign,
    s: FloatArray,
    curves: FloatArray,
) -> dict[str, Any]:
    mean = float(w @ d)
    return {
        "diameter_mean_nm": _round(mean),
        "diameter_std_nm": _round(math.sqrt(float(w @ (d - mean) ** 2))),
        "aspect_ratio": _round(w @ aspect),
        "shell_fraction": _rounded(w @ by_shell),
        "mean_shell_fraction": _round(w @ site_mean),
        "charge_e": _round(w @ np.array([float(m.info["charge_e"]) for m in campaign.atoms])),
        "x_of_s": {"s": _rounded(s), "x": _rounded(w @ curves)},
    }


def _round(value: Any) -> float:
    return round(float(value), 5)


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 5) for v in values]
