"""All figures of a report: what is drawn, from which table, and what it says in words for those who cannot see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nanostrata.interfaces import (
    figures_atoms,
    figures_curves,
    figures_diffusion,
    figures_energies,
    figures_families,
    figures_profile,
    figures_resolution,
    figures_separation,
    figures_shape,
    figures_strain,
    figures_waxs,
    figures_waxs_whole,
    figures_wide_angle,
)
from nanostrata.interfaces.figure_style import style
from nanostrata.interfaces.run_folder import RunFolder

__all__ = ["FIGURES", "FigureSpec", "draw_figures"]


@dataclass(frozen=True, slots=True)
class FigureSpec:
    """One figure.

    Attributes
    ----------
    name : file name without ``.svg``
    alt : what the figure shows, in one sentence
    tables : the tables that hold its numbers
    draw : run -> SVG text, or None when the run lacks what it needs
    """

    name: str
    alt: str
    tables: tuple[str, ...]
    draw: Callable[[RunFolder], str | None]


FIGURES: dict[str, FigureSpec] = {
    spec.name: spec
    for spec in (
        FigureSpec(
            "profile",
            "Share of shell material against distance from the centre, with 68 and 95 % bands, the prior and the "
            "answer without smoothing",
            ("profile", "profile_bands"),
            figures_profile.profile,
        ),
        FigureSpec(
            "resolution",
            "Combinations of shells that the measurements fix, and the averaging kernels of five radii with their widths",
            ("eigen_profiles", "resolution"),
            figures_resolution.resolution,
        ),
        FigureSpec(
            "families",
            "Probability of every kind of profile and number of shells, and the profiles of those not ruled out",
            ("families", "shell_numbers", "family_profiles"),
            figures_families.families,
        ),
        FigureSpec(
            "separation",
            "The three terms of the anomalous scattering, separated without a model, with those of the fitted profile; pair "
            "distances of the resonant atoms",
            ("separated_terms", "resonant_pair_distances"),
            figures_separation.separation,
        ),
        FigureSpec(
            "error_bars",
            "Both kinds of error bars for each shell: posterior intervals beside mean and standard deviation of refits",
            ("profile",),
            figures_profile.error_bars,
        ),
        FigureSpec(
            "curves",
            "Scattering curves of all energies on logarithmic axes with their fits, and residuals in units of "
            "sigma below",
            ("curves",),
            figures_curves.curves,
        ),
        FigureSpec(
            "porod",
            "Intensity times q to the fourth power against q, measured and fitted, stacked by energy",
            ("curves",),
            figures_curves.porod,
        ),
        FigureSpec(
            "first_minimum",
            "Position of the first minimum of the curves at each photon energy, measured and of the model",
            ("first_minimum",),
            figures_curves.first_minimum,
        ),
        FigureSpec(
            "energies",
            "First minimum of the curves at each photon energy beside those of the model and of core and shell material "
            "alone, and each curve over what the other energies predict for it",
            ("energy_consistency", "left_out_curves"),
            figures_energies.energies,
        ),
        FigureSpec(
            "contrast",
            "Change of the excess electron density from core to shell material, one line per photon energy",
            ("contrast",),
            figures_curves.contrast,
        ),
        FigureSpec(
            "sizes",
            "Distribution of particle diameters: fit against the TEM histogram",
            ("size", "tem_readings"),
            figures_profile.sizes,
        ),
        FigureSpec(
            "composition",
            "Percentage of each element: EDX against the model",
            ("composition",),
            figures_profile.composition,
        ),
        FigureSpec(
            "waxs",
            "Wide-angle pattern with fit, background and every peak alone, reflections named, and residuals in units of sigma",
            ("waxs_pattern", "waxs_peaks"),
            figures_waxs.waxs,
        ),
        FigureSpec(
            "waxs_whole_pattern",
            "Wide-angle pattern with that of particles of atoms and the background, and residuals in units of sigma",
            ("waxs_whole_pattern",),
            figures_waxs_whole.whole_pattern,
        ),
        FigureSpec(
            "waxs_pair_distribution",
            "Pair distribution function of the measured pattern and of particles of atoms, with their difference",
            ("waxs_pair_distribution",),
            figures_waxs_whole.pair_distribution,
        ),
        FigureSpec(
            "particle",
            "One particle built from the profile, atom by atom, whole and cut in half",
            (),
            figures_curves.particle,
        ),
        FigureSpec(
            "shape_sections",
            "Sections through the middle of the occupancy map of the shape found without a model",
            (),
            figures_shape.map_sections,
        ),
        FigureSpec(
            "shape_cuts",
            "Lengths of random lines through the centre, and size against the cut-off of the occupancy",
            ("shape_line_cuts", "shape_size_against_cutoff", "shape_diameters"),
            figures_shape.cuts_and_size,
        ),
        FigureSpec(
            "shape_tem",
            "Diameters read in TEM beside those of outlines of the shape found",
            ("shape_diameters", "shape_tem_readings"),
            figures_shape.beside_tem,
        ),
        FigureSpec(
            "shape_runs",
            "Aspect ratio of every run with the answer, and how far each run lies from the others",
            ("shape_runs", "shape_nsd"),
            figures_shape.runs,
        ),
        FigureSpec(
            "shape_curve",
            "Curve with that of the beads, and pair distances with their band",
            ("shape_curve", "shape_pair_distances"),
            figures_shape.curve_and_distances,
        ),
        FigureSpec(
            "verification",
            "Measured curves with those of the atoms, and below the residuals of each curve in units of sigma with the "
            "error of the atoms' curve and the shell model",
            ("verification_curves",),
            figures_atoms.verification,
        ),
        FigureSpec(
            "verification_waxs",
            "Measured wide-angle pattern and that of the ensemble of atoms, with what is left of it in units of sigma",
            ("verification_curves",),
            figures_wide_angle.wide_angle,
        ),
        FigureSpec(
            "ensemble",
            "Aspect ratio and charge of each built particle against its diameter; the area of a dot tells how many "
            "particles of the sample it stands for",
            ("ensemble",),
            figures_atoms.ensemble,
        ),
        FigureSpec(
            "strain",
            "Local lattice constant of the relaxed particles against the distance from the centre, beside Vegard's rule, and "
            "strain along and across the radius",
            ("strain",),
            figures_strain.strain,
        ),
        FigureSpec(
            "depth_profile",
            "Number density of the exchanged element against the depth below the surface, with 68 and 95 % bands and "
            "the fits by an exponential and by Fick's second law in a sphere",
            ("depth_profile",),
            figures_diffusion.depth_profile,
        ),
        FigureSpec(
            "mismatch",
            "Step of the lattice constant at each depth, from shell to shell and from crystal layer to crystal layer, "
            "with intervals, beside the step of an abrupt interface",
            ("mismatch",),
            figures_diffusion.lattice_steps,
        ),
    )
}


def draw_figures(run: RunFolder) -> dict[str, str]:
    """SVG text of every figure that this run has the numbers for, by name."""
    with style():
        drawn = {name: spec.draw(run) for name, spec in FIGURES.items()}
    return {name: svg for name, svg in drawn.items() if svg is not None}
