"""Wide-angle scattering in a run: the stage, its summary, its tables, its sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.estimate import Quantity, quantity
from nanostrata.domain.finding import Finding
from nanostrata.domain.waxs import WaxsFit
from nanostrata.errors import PhysicsError
from nanostrata.io.text_out import write_csv
from nanostrata.models.crystal_cells import CrystalCell
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from nanostrata.domain.particle import ParticleDraws
    from nanostrata.pipeline.gather import Inputs

__all__ = ["fit_waxs", "waxs_findings", "waxs_summary", "waxs_warnings", "write_waxs"]

_MARGIN = 1.25
"""Reflections are computed this far beyond the range, so that lattices larger than the start have theirs too."""

_OVERLAP = 0.4
"""Correlation of two widths above which they are named as overlapping."""


def fit_waxs(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, particle: ParticleDraws | None, seed: int
) -> WaxsFit:
    """Fit the peaks.

    Parameters
    ----------
    recipe : its table ``[waxs]``
    inputs : pattern, backgrounds, standard
    solid : materials
    particle : of the profile's fit, where there is one: its mean composition gives the starting lattice
    seed : of the draws
    """
    from nanostrata.models.waxs_lines import lattice_form, reflections, sites_of
    from nanostrata.stages.fit_peaks import FWHM_PER_SIGMA, MeasuredBackground, PeakSettings, fit_peaks
    from nanostrata.tables.factors import load_factors

    w, read = recipe.waxs, inputs.waxs
    assert w is not None
    assert read is not None
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(6)[5])
    x = mean_composition(inputs, solid, particle)
    structure, cell = start_cell(recipe, solid, x)
    energy = read.curve.energy_kev
    lines = reflections(
        cell, sites_of(solid, cell, x), load_factors("chantler"), 20.0 if energy is None else energy,
        _MARGIN * float(read.curve.q_inv_nm[-1]),
    )  # fmt: skip
    instrument: Callable[[FloatArray], FloatArray] | None = None
    if w.instrument_sigma_inv_nm:
        stated = FWHM_PER_SIGMA * w.instrument_sigma_inv_nm
        instrument = lambda q: np.full(np.shape(q), stated)  # noqa: E731
    settings = PeakSettings(
        structure=structure, shape=w.shape, positions=w.positions,
        background_terms=None if w.background_terms == "auto" else int(w.background_terms),
        halos=w.halo_inv_nm, scherrer_k=w.scherrer_k,
    )  # fmt: skip
    backgrounds = [MeasuredBackground(name=name, values=values) for name, values in read.backgrounds]
    return fit_peaks(
        read.curve,
        lines,
        lattice_form(cell.vectors_nm),
        settings,
        instrument=instrument,
        backgrounds=backgrounds,
        rng=rng,
    )


def mean_composition(inputs: Inputs, solid: SolidSolution, particle: ParticleDraws | None) -> float:
    """Share of shell material to start with: of the profile, else of EDX, else half."""
    if solid.shell is None:
        return 0.0
    if particle is not None:
        return float(particle.mean_fraction_sites.mean())
    return inputs.composition_x[0] if inputs.composition_x is not None else 0.5


def start_cell(recipe: Recipe, solid: SolidSolution, x: float) -> tuple[str, CrystalCell]:
    """Structure and starting cell: of ``waxs.structure``, else of the particle, else of the core."""
    from nanostrata.models.crystal_cells import cell_from_cif, cell_of_structure

    assert recipe.waxs is not None
    structure = recipe.waxs.structure or recipe.particle.structure or solid.core.structure
    if structure != "cif":
        return structure, cell_of_structure(solid, structure, x, float(solid.site_volume_nm3(np.array([x]))[0]))
    assert recipe.materials is not None
    name = recipe.materials.core.lattice.cif
    if name is None:
        raise PhysicsError("waxs.structure: the core's structure is none that reflections are known of; state it")
    text = (recipe.root / name).read_text(encoding="utf-8", errors="replace")
    return "cif", cell_from_cif(text, key="materials.core.lattice.cif")


def _bounded(draws: FloatArray) -> Quantity | None:
    """Quantity of sizes; None where the peak is not wider than the instrument (a lower bound stands beside)."""
    finite = np.isfinite(draws)
    return quantity(draws) if finite.all() else None


def waxs_summary(fit: WaxsFit) -> dict[str, Any]:
    """``waxs`` of the summary."""
    sizes = fit.scherrer_nm()
    peaks = []
    for i, hkl in enumerate(fit.hkl):
        size = _bounded(sizes[:, i])
        peak: dict[str, Any] = {
            "hkl": hkl,
            "q_inv_nm": quantity(fit.q_inv_nm[:, i]),
            "fwhm_inv_nm": quantity(fit.fwhm_inv_nm[:, i]),
            "fwhm_observed_inv_nm": quantity(fit.fwhm_observed_inv_nm[:, i]),
            "instrument_fwhm_inv_nm": float(fit.instrument_fwhm_inv_nm[i]),
            "scherrer_nm": size,
            "scherrer_k": fit.scherrer_k,
            "height": quantity(fit.height[:, i]),
            "height_over_calculated": float(fit.height[:, i].mean() / fit.expected_height[i]),
            "own_width": fit.own_width[i],
        }
        if fit.members[i]:
            peak["together_with"] = list(fit.members[i])
        if size is None:
            peak["scherrer_lower_bound95_nm"] = float(np.quantile(sizes[:, i], 0.05))
        peaks.append(peak)
    out: dict[str, Any] = {f"{n}_nm": quantity(fit.lattice_nm[:, i]) for i, n in enumerate(fit.lattice_names)}
    out |= {
        "structure": fit.structure,
        "peaks": peaks,
        "shape": fit.shape,
        "positions": fit.positions,
        "chi2_reduced": fit.chi2_reduced,
        "sigma_factor": fit.sigma_factor,
        "overlaps": overlaps(fit),
        "notes": list(fit.notes),
    }
    if fit.shape == "pseudo_voigt":
        out["lorentzian_share"] = quantity(fit.lorentzian)
    if fit.background_scales:
        out["background_files"] = [{"file": n, "scale": v, "sigma": s} for n, v, s in fit.background_scales]
    return out


def overlaps(fit: WaxsFit) -> list[dict[str, Any]]:
    """Pairs of peaks whose widths cannot be told apart well."""
    return [
        {"peaks": [fit.hkl[i], fit.hkl[j]], "correlation_of_widths": float(fit.correlation[i, j])}
        for i in range(len(fit.hkl))
        for j in range(i + 1, len(fit.hkl))
        if fit.own_width[i] and fit.own_width[j] and abs(fit.correlation[i, j]) > _OVERLAP
    ]


def waxs_warnings(fit: WaxsFit) -> list[dict[str, str]]:
    """Warnings of the stage."""
    return [{"code": code, "message": text, "stage": "waxs"} for code, text in fit.warnings]


def waxs_findings(fit: WaxsFit | None) -> tuple[Finding, ...]:
    """Sentences for the first page; none without the stage."""
    if fit is None:
        return ()
    named, numbers = [], {}
    for i, name in enumerate(fit.lattice_names):
        value, sigma = float(fit.lattice_nm[:, i].mean()), float(fit.lattice_nm[:, i].std(ddof=1))
        named.append(f"{name} = {value:.5f} ± {sigma:.1g} nm")
        numbers[f"waxs.{name}_nm"] = value
    lines = sum(fit.own_width)
    good = fit.converged and fit.chi2_reduced < 3.0
    return (
        Finding(
            text=f"The wide-angle peaks are those of {fit.structure} with {', '.join(named)}, from {len(fit.hkl)} peaks "
            f"({lines} with a width of their own); an error of the wavelength or the zero of the angle is not in it.",
            grade="strong" if good and lines >= 3 else "moderate" if fit.converged else "not determined",
            numbers=numbers,
            improve="" if good else "errors of the points, or a peak shape that describes the pattern (waxs.shape)",
        ),
    )


def write_waxs(folder: Path, fit: WaxsFit) -> None:
    """Write ``waxs_pattern.csv`` and ``waxs_peaks.csv``."""
    residual = (fit.intensity - fit.fit) / fit.sigma
    write_csv(
        folder / "waxs_pattern.csv",
        ["q_inv_nm", "intensity", "sigma", "fit", "background", "residual_sigma", *(f"peak_{h.replace(' ', '_')}" for h in fit.hkl)],
        [
            [q, fit.intensity[i], fit.sigma[i], fit.fit[i], fit.background[i], residual[i], *fit.lines[:, i]]
            for i, q in enumerate(fit.curve_q)
        ],
    )  # fmt: skip
    sizes = fit.scherrer_nm()
    rows = []
    for i, hkl in enumerate(fit.hkl):
        low, high = np.quantile(sizes[:, i], [0.025, 0.975])
        middle = float(np.median(sizes[:, i]))
        rows.append(
            [hkl, " ".join(fit.members[i]), fit.q_inv_nm[:, i].mean(), fit.q_inv_nm[:, i].std(ddof=1),
             fit.fwhm_observed_inv_nm[:, i].mean(), fit.fwhm_observed_inv_nm[:, i].std(ddof=1), fit.instrument_fwhm_inv_nm[i],
             fit.fwhm_inv_nm[:, i].mean(), fit.fwhm_inv_nm[:, i].std(ddof=1),
             middle if np.isfinite(middle) else None, low if np.isfinite(low) else None, high if np.isfinite(high) else None,
             fit.scherrer_k, fit.height[:, i].mean(), fit.expected_height[i], "yes" if fit.own_width[i] else "no"]
        )  # fmt: skip
    write_csv(
        folder / "waxs_peaks.csv",
        ["hkl", "together_with", "q_inv_nm", "q_sigma", "fwhm_observed_inv_nm", "fwhm_observed_sigma", "instrument_fwhm_inv_nm",
         "fwhm_inv_nm", "fwhm_sigma", "scherrer_nm", "scherrer_lo95", "scherrer_hi95", "scherrer_k", "height", "calculated_height",
         "own_width"],
        rows,
    )  # fmt: skip
