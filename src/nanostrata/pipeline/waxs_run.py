"""Wide-angle scattering in a run: peaks, then the direction of elongation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.waxs import LongAxis, WaxsFit
from nanostrata.errors import PhysicsError
from nanostrata.models.crystal_cells import CrystalCell
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from nanostrata.domain import ScatteringCurve
    from nanostrata.domain.particle import ParticleDraws
    from nanostrata.pipeline.gather import Inputs
    from nanostrata.stages.judge_axis import AxisSettings
    from nanostrata.tables.factors import FactorTable

__all__ = ["fit_waxs"]

_MARGIN = 1.25
"""Reflections are computed this far beyond the range, so that lattices larger than the start have theirs too."""

B_FACTOR_NM2 = 0.01
"""Debye-Waller factor of the calculated heights, nm^2: usual for semiconductors at room temperature (0.5 to 2 A^2)."""

FEWEST_WIDTHS = 4
"""Fewer widths say nothing about a direction."""


def fit_waxs(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, particle: ParticleDraws | None, seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> WaxsFit:  # fmt: skip
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
    from nanostrata.pipeline.waxs_control import control_pattern, held_back, own_name
    from nanostrata.pipeline.waxs_standard import measured_width
    from nanostrata.pipeline.waxs_vegard import read_vegard
    from nanostrata.stages.fit_peaks import FWHM_PER_SIGMA, MeasuredBackground, PeakSettings, fit_peaks
    from nanostrata.stages.judge_axis import judge_axis
    from nanostrata.tables.factors import load_factors

    w, read = recipe.waxs, inputs.waxs
    assert w is not None
    assert read is not None
    stream, of_standard, of_vegard, _, _, of_control = np.random.SeedSequence(seed).spawn(12)[6:]
    x = mean_composition(inputs, solid, particle)
    structure, cell = start_cell(recipe, solid, x)
    energy = 20.0 if read.curve.energy_kev is None else read.curve.energy_kev
    sites, factors = sites_of(solid, cell, x), load_factors("chantler")
    lines = reflections(
        cell, sites, factors, energy, _MARGIN * float(read.curve.q_inv_nm[-1]), b_factor_nm2=B_FACTOR_NM2
    )
    instrument: Callable[[FloatArray], FloatArray] | None = None
    if w.instrument_sigma_inv_nm:
        stated = FWHM_PER_SIGMA * w.instrument_sigma_inv_nm
        instrument = lambda q: np.full(np.shape(q), stated)  # noqa: E731
    elif read.standard is not None:
        instrument = measured_width(recipe, read.standard, np.random.default_rng(of_standard))
    settings = PeakSettings(
        structure=structure, shape=w.shape, positions=w.positions,
        background_terms=None if w.background_terms == "auto" else int(w.background_terms),
        halos=w.halo_inv_nm, scherrer_k=w.scherrer_k,
    )  # fmt: skip
    backgrounds = [MeasuredBackground(name=name, values=values) for name, values in read.backgrounds]
    form = lattice_form(cell.vectors_nm)
    envelope = _lean(read.curve, sites, factors, energy)

    def peaks(lean: FloatArray) -> WaxsFit:
        return fit_peaks(
            read.curve, lines, form, settings, instrument=instrument, backgrounds=backgrounds, envelope=lean,
            rng=np.random.default_rng(stream),
        )  # fmt: skip

    fit = peaks(envelope)
    part = _size_part(fit)
    if instrument is None:
        fit = replace(fit, notes=(*fit.notes, _told(fit, peaks(np.ones_like(envelope)))))
    elif part < 0.98:
        # the instrument spreads what the sample scatters: only the sample's own width leans
        envelope = envelope**part
        fit = peaks(envelope)
    progress("reading the lattice constants")
    reading = read_vegard(
        fit, solid, particle, structure, recipe.particle.axis, factors, energy,
        lambda c: fit_peaks(
            c, lines, form, replace(settings, halos=()), envelope=_lean(c, sites, factors, energy),
            rng=np.random.default_rng(of_vegard),
        ),
        of_vegard,
    )  # fmt: skip
    fit = replace(fit, vegard=reading)
    if (why := _no_axis(fit)) != "":
        return replace(fit, axis_note=why)
    progress("comparing directions of elongation")
    known = _shape_known(inputs, particle, structure, w.halo_inv_nm)
    axis = judge_axis(
        read.curve, fit, lines, form, known, backgrounds=[b.values for b in backgrounds], envelope=envelope
    )
    if fit.vegard is not None and particle is not None:
        graded, named, own_shape = particle, axis.axis, own_name(particle, recipe.particle.axis)

        def control() -> LongAxis | None:
            curve = control_pattern(fit, solid, graded, structure, recipe.particle.axis, factors, energy, of_control)
            if curve is None:
                return None
            own = _lean(curve, sites, factors, energy) ** part if instrument is not None else envelope
            bare = fit_peaks(
                curve, lines, form, replace(settings, halos=()), instrument=instrument, envelope=own,
                rng=np.random.default_rng(of_control),
            )  # fmt: skip
            return judge_axis(
                curve, bare, lines, form, replace(known, halos=()), envelope=own, among=(named, own_shape)
            )

        progress("judging the profile's own particles, for comparison")
        axis = held_back(axis, own_shape, float(particle.aspect_ratio.mean()), control)
    return replace(fit, long_axis=axis)


def _lean(curve: ScatteringCurve, sites: list[dict[str, float]], factors: FactorTable, energy_kev: float) -> FloatArray:
    """Factor of all lines of small crystals."""
    from nanostrata.models.waxs_lines import content_of
    from nanostrata.models.waxs_pattern import envelope_of

    return envelope_of(curve.q_inv_nm, content_of(sites), factors, energy_kev, B_FACTOR_NM2)


def _size_part(fit: WaxsFit) -> float:
    """Share of the peaks' squared width that is not the instrument's."""
    own = np.array(fit.own_width)
    observed, rest = fit.fwhm_observed_inv_nm[:, own], fit.fwhm_inv_nm[:, own]
    return float(np.median((rest**2).mean(axis=0) / (observed**2).mean(axis=0)))


def _told(fit: WaxsFit, upright: WaxsFit) -> str:
    """What is left open when nobody says whose the widths are."""
    change = upright.lattice_nm.mean(axis=0) - fit.lattice_nm.mean(axis=0)
    shifts = ", ".join(f"{n} larger by {d:.2g} nm" for n, d in zip(fit.lattice_names, change, strict=True))
    return (
        f"widths are taken as those of small crystals, whose peaks lean to low q; were they the instrument's: {shifts}"
    )


def _no_axis(fit: WaxsFit) -> str:
    """Why the pattern cannot say anything about elongation; "" when it may."""
    if not fit.instrument_fwhm_inv_nm.any():
        return "without the instrument's width (waxs.instrument_sigma_inv_nm or waxs.standard) widths are no sizes"
    if fit.positions == "free":
        return 'positions = "free": the directions are compared with tied positions only'
    own = np.array(fit.own_width)
    if own.sum() < FEWEST_WIDTHS:
        return f"{own.sum()} peaks have a width of their own, at least {FEWEST_WIDTHS} are needed"
    if np.median(fit.fwhm_inv_nm[:, own]) < 0.5 * np.median(fit.instrument_fwhm_inv_nm):
        return "the peaks are hardly wider than the instrument"
    return ""


def _shape_known(
    inputs: Inputs, particle: ParticleDraws | None, structure: str, halos: tuple[tuple[float, float], ...]
) -> AxisSettings:
    """Spread of sizes and aspect ratio from the profile's fit, else from TEM."""
    from nanostrata.stages.judge_axis import AxisSettings

    spread, aspect = 0.1, None
    if particle is not None:
        spread = float((particle.diameter_std_nm / particle.diameter_mean_nm).mean())
        aspect = float(particle.aspect_ratio.mean())
    elif inputs.sizes is not None:
        spread = inputs.sizes.std_nm / inputs.sizes.mean_nm
        aspect = inputs.sizes.aspect_ratio
    return AxisSettings(structure=structure, spread=min(max(spread, 0.0), 0.3), aspect_ratio=aspect, halos=halos)


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
