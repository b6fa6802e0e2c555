"""The whole wide-angle pattern from particles of atoms: lattice, true size, stacking faults and displacement at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.waxs import WaxsFit
from nanostrata.domain.whole_pattern import WholePattern
from nanostrata.errors import ConvergenceError
from nanostrata.models.density import SolidSolution
from nanostrata.models.powder import PowderLibrary, build_library, mean_atom, powder_basis

if TYPE_CHECKING:
    from nanostrata.domain import AtomicModel
    from nanostrata.domain.particle import ParticleDraws
    from nanostrata.models.crystal_cells import CrystalCell
    from nanostrata.pipeline.gather import Inputs
    from nanostrata.pipeline.recipe import Recipe
    from nanostrata.stages.fit_powder import PowderFit
    from nanostrata.tables.factors import FactorTable

__all__ = ["fit_whole", "wanted"]

COPIES = {"quick": 16, "standard": 16, "full": 32}
"""Particles for each diameter and fault probability."""

GROUPS = 8
FAULTS = (0.0, 0.08, 0.2, 0.5, 1.0)
"""Growth faults per layer of the library, from the parent to the other stacking."""

LARGEST_NM = 6.5
"""Particles of a larger mean diameter are not computed: pairs grow with its sixth power."""

DRAWS = 2000
TOLD_APART = 9.0
"""Difference of chi2, over the chi2 per degree of freedom of the better, at which one explanation is preferred."""

_STEP = 0.09
_BELOW, _ABOVE = 0.55, 1.6
_MOST_DEGREE = 5
_R_STEP_NM = 0.005


def wanted(recipe: Recipe, preset: str) -> bool:
    """Whether the whole pattern is fitted: where the recipe says so, else with the preset "full"."""
    if recipe.waxs is None:
        return False
    return preset == "full" if recipe.waxs.whole_pattern is None else recipe.waxs.whole_pattern


def fit_whole(
    recipe: Recipe, inputs: Inputs, solid: SolidSolution, particle: ParticleDraws | None, peaks: WaxsFit, seed: int, preset: str,
    progress: Callable[[str], None] = lambda _: None,
) -> WholePattern | str:  # fmt: skip
    """Build particles of many sizes and fault probabilities and fit the pattern with them.

    Parameters
    ----------
    recipe : its table ``[waxs]``
    inputs : pattern and backgrounds
    solid : materials
    particle : of the profile's fit; without it the particles are homogeneous and round
    peaks : the fit of the peaks: background terms and the instrument's width
    seed, preset : of the random numbers, and of the number of particles

    Returns
    -------
    WholePattern, or why there is none
    """
    from nanostrata.models.crystal_layers import LAYERED
    from nanostrata.pipeline.waxs_run import mean_composition, start_cell
    from nanostrata.stages.fit_powder import fit_powder
    from nanostrata.tables.factors import load_factors

    w, read = recipe.waxs, inputs.waxs
    assert w is not None
    assert read is not None
    diameter, spread, aspect = _known(inputs, particle, peaks)
    if diameter > LARGEST_NM:
        return f"particles of {diameter:.3g} nm: their pairs are not summed for a fit of the whole pattern (up to {LARGEST_NM:g} nm)"
    stream, of_draws = np.random.SeedSequence(seed).spawn(11)[9:]
    rng = np.random.default_rng(of_draws)
    x = mean_composition(inputs, solid, particle)
    structure, cell = start_cell(recipe, solid, x)
    energy = 20.0 if read.curve.energy_kev is None else read.curve.energy_kev
    factors = load_factors("chantler")
    layered = structure in LAYERED
    q = read.curve.q_inv_nm
    instrument = _instrument(peaks, q)
    sizes = diameter * np.exp(np.arange(np.log(_BELOW), np.log(_ABOVE), _STEP))
    copies = COPIES[preset]
    constants = _lattice_to_build(cell, peaks)
    progress(f"building {len(sizes) * copies * (len(FAULTS) if layered else 1)} particles for the whole pattern")
    library = build_library(
        _builder(recipe, solid, particle, structure, cell, x, aspect, float(constants[0]), copies, rng),
        sizes, FAULTS if layered else (0.0,), q, copies=copies, seed=stream, groups=GROUPS,
        margin_inv_nm=0.0 if instrument is None else 4.0 * float(instrument.max()),
    )  # fmt: skip
    progress("fitting the whole pattern")
    under = [b for _, b in read.backgrounds]
    under += [np.exp(-4.0 * np.log(2.0) * ((q - middle) / width) ** 2) for middle, width in w.halo_inv_nm]
    degree = min(max(peaks.background_terms - 1, 1), _MOST_DEGREE)
    start = {"diameter_median_nm": diameter, "diameter_sigma": max(spread, 0.06), "fault_probability": 0.05}

    def fit(of: PowderLibrary, **held: float) -> PowderFit:
        return fit_powder(
            of, factors, energy, q, read.curve.intensity, read.curve.sigma, background_degree=degree, fixed=held, start=start,
            columns=under, instrument_sigma_inv_nm=instrument, groups_differ_by="chance" if particle is None else "draws",
        )  # fmt: skip

    ends = replace(
        library, fault_probability=library.fault_probability[[0, -1]], pairs=library.pairs[:, [0, -1]],
        counts=library.counts[:, [0, -1]],
    )  # fmt: skip
    try:
        found = fit(library)
        # parent and other stacking alone: shares of two kinds of particles
        mixture = fit(ends) if layered else found
        plain = fit(library, fault_probability=0.0) if layered else found
    except ConvergenceError as error:
        return str(error)
    tried = {"growth faults": found, "two kinds of particles": mixture, "no faults": plain}
    models = [
        (name, _chi2(f, read.curve.sigma, read.curve.intensity))
        for name, f in tried.items()
        if layered or name == "no faults"
    ]
    verdict, sentence, chosen = _stacking(models, structure, found.chi2_reduced)
    shown = mixture if chosen == "two kinds of particles" else found
    return _result(
        shown, ends if shown is not found else library, factors, energy, inputs, particle, solid, structure, cell, constants, x, aspect,
        copies, tuple(models), verdict, sentence, layered, instrument, rng,
    )  # fmt: skip


def _known(inputs: Inputs, particle: ParticleDraws | None, peaks: WaxsFit) -> tuple[float, float, float]:
    """Diameter to start from, relative spread, aspect ratio."""
    if particle is not None:
        mean = float(particle.diameter_mean_nm.mean())
        return mean, float(particle.diameter_std_nm.mean()) / mean, float(particle.aspect_ratio.mean())
    aspect = 1.0
    if inputs.sizes is not None:
        aspect = inputs.sizes.aspect_ratio if inputs.sizes.aspect_ratio is not None else 1.0
        return inputs.sizes.mean_nm, inputs.sizes.std_nm / inputs.sizes.mean_nm, aspect
    if peaks.long_axis is not None:
        best = max(peaks.long_axis.candidates, key=lambda c: c.probability)
        return best.diameter_nm, peaks.long_axis.spread, 1.0
    sizes = peaks.scherrer_nm()[:, np.array(peaks.own_width)]
    # a sphere has 1.107 in place of the stated constant
    return 1.107 / peaks.scherrer_k * float(np.median(sizes[np.isfinite(sizes)])), 0.1, aspect


def _lattice_to_build(cell: CrystalCell, peaks: WaxsFit) -> FloatArray:
    """Lattice constants of the library: the materials' own, or those of the peaks where these are 2 % away."""
    from nanostrata.models.waxs_lines import lattice_form

    own, seen = lattice_form(cell.vectors_nm).lengths_nm, peaks.lattice_nm.mean(axis=0)
    return own if len(own) != len(seen) or abs(float(seen[0] / own[0]) - 1.0) < 0.02 else seen


def _instrument(peaks: WaxsFit, q: FloatArray) -> FloatArray | None:
    if not peaks.instrument_fwhm_inv_nm.any():
        return None
    at = peaks.q_inv_nm.mean(axis=0)
    order = np.argsort(at)
    return np.asarray(np.interp(q, at[order], peaks.instrument_fwhm_inv_nm[order]) / np.sqrt(8.0 * np.log(2.0)))


def _builder(
    recipe: Recipe, solid: SolidSolution, particle: ParticleDraws | None, structure: str, cell: CrystalCell, x: float, aspect: float,
    a_nm: float, copies: int, rng: np.random.Generator,
) -> Callable[[float, float, np.random.Generator], AtomicModel]:  # fmt: skip
    """Builder of the library; each group of copies has a profile of its own from the posterior.

    All particles are brought to one lattice constant of their mean composition, so that the strain is relative to that.
    """
    from nanostrata.models.crystal_body import Spheroid
    from nanostrata.models.crystal_builder import Faults, build_crystal

    order = itertools.cycle(range(copies))
    profiles: list[tuple[FloatArray, FloatArray]]
    if particle is None:
        profiles = [(np.array([0.0, 1.0]), np.full(2, x))] * GROUPS
    else:
        grid = particle.band_radius_nm / particle.band_radius_nm[-1]
        rows = rng.choice(len(particle.band_x), GROUPS, replace=len(particle.band_x) < GROUPS)
        profiles = [(grid, np.clip(particle.band_x[k], 0.0, 1.0)) for k in rows]

    def build(diameter_nm: float, fault: float, stream: np.random.Generator) -> AtomicModel:
        s, values = profiles[next(order) % GROUPS]
        minor = 0.5 * diameter_nm * aspect ** (-1.0 / 3.0)
        model = build_crystal(
            solid, body=Spheroid(semi_axes_nm=(minor, minor, minor * aspect)), x_of_s=lambda t: np.interp(t, s, values),
            cell=cell if structure == "cif" else None, structure=None if structure == "cif" else structure,
            axis=recipe.particle.axis, rng=stream, occupation="random",
            faults=Faults(probability=fault) if fault > 0.0 else None,
        )  # fmt: skip
        return replace(model, positions_nm=model.positions_nm * (a_nm / float(model.info["a_nm"])))

    return build


def _chi2(found: PowderFit, sigma: FloatArray, y: FloatArray) -> float:
    return float(np.sum(((found.curve - y) / sigma) ** 2))


def _stacking(models: list[tuple[str, float]], structure: str, chi2_reduced: float) -> tuple[str, str, str]:
    """What the pattern says about the order of layers: verdict, sentence, explanation that stands.

    ``chi2_reduced`` is that of the first of the models.
    """
    if len(models) == 1:
        return "none", f"{structure} has no close-packed layers that could be stacked in another order", models[0][0]
    # errors that the best explanation finds too small count as larger
    best_reduced = chi2_reduced * min(c for _, c in models) / models[0][1]
    chi2 = {name: c / max(1.0, best_reduced) for name, c in models}
    faults, mixture, none = (chi2[n] for n in ("growth faults", "two kinds of particles", "no faults"))
    best = "growth faults" if faults <= mixture else "two kinds of particles"
    other = (
        "zinc blende"
        if structure in ("wurtzite",)
        else "wurtzite"
        if structure == "zincblende"
        else "the other stacking"
    )
    if none - min(faults, mixture) < TOLD_APART:
        return "none", f"the pattern does not ask for layers of another stacking than {structure}", "growth faults"
    if abs(faults - mixture) < TOLD_APART:
        return (
            "not determined",
            f"layers of another stacking are there, but faults inside the particles and a mixture of particles of {structure} and of "
            f"{other} explain the pattern alike (chi2 differs by {abs(faults - mixture):.1f})",
            "growth faults",
        )
    if best == "growth faults":
        return (
            "faults",
            f"the layers are faulted inside the particles; a mixture of particles of {structure} and of {other} is worse by chi2 "
            f"{mixture - faults:.0f}",
            best,
        )
    return (
        "mixture",
        f"particles of {structure} and of {other} stand side by side; faults inside the particles are worse by chi2 {faults - mixture:.0f}",
        best,
    )


def _result(
    found: PowderFit, library: PowderLibrary, factors: FactorTable, energy: float, inputs: Inputs, particle: ParticleDraws | None,
    solid: SolidSolution, structure: str, cell: CrystalCell, constants: FloatArray, x: float, aspect: float, copies: int,
    models: tuple[tuple[str, float], ...], verdict: str, sentence: str, layered: bool, instrument: FloatArray | None,
    rng: np.random.Generator,
) -> WholePattern:  # fmt: skip
    from nanostrata.models.waxs_lines import lattice_form

    assert inputs.waxs is not None
    curve = inputs.waxs.curve
    draws = rng.multivariate_normal(
        found.values, 0.5 * (found.covariance + found.covariance.T), size=DRAWS, method="eigh"
    )
    draws = np.clip(draws, *_limits(found, library))
    of = {n: draws[:, k] for k, n in enumerate(found.names)} | {k: np.full(DRAWS, v) for k, v in found.fixed.items()}
    form = lattice_form(cell.vectors_nm)
    grown = 1.0 + of["strain"]
    # the particles keep the ratio of their own constants
    lattice = grown[:, None] * constants[0] * form.lengths_nm / form.lengths_nm[0]
    shares = np.full(DRAWS, x)
    if particle is not None:
        shares = rng.choice(particle.mean_fraction_sites, DRAWS)
    rule = np.asarray(solid.site_volume_nm3(np.clip(shares, 0.0, 1.0))) ** (1.0 / 3.0)
    at = float(solid.site_volume_nm3(np.array([x]))[0]) ** (1.0 / 3.0)
    misfit = lattice[:, 0] / form.lengths_nm[0] * at / rule - 1.0
    mean = grown * of["diameter_median_nm"] * np.exp(0.5 * of["diameter_sigma"] ** 2)
    std = mean * np.sqrt(np.expm1(of["diameter_sigma"] ** 2))
    cubic = np.empty(0)
    if layered:
        cubic = of["fault_probability"] if structure in ("wurtzite", "hcp") else 1.0 - of["fault_probability"]
    best = [
        dict(zip(found.names, found.values.tolist(), strict=True)).get(n, found.fixed.get(n, 0.0)) for n in _names()
    ]
    r, measured, model, notes = _pair_function(
        found, library, factors, energy, curve.q_inv_nm, curve.intensity, best, instrument
    )
    if particle is None:
        notes = (*notes, "without a composition profile the particles are homogeneous")
    if instrument is None:
        notes = (*notes, "the instrument's width is not known: the diameter is a lower bound")
    return WholePattern(
        structure=structure, names=found.names, draws=draws, at_limit=found.at_limit, library_sigma=found.library_sigma,
        lattice_names=form.names, lattice_nm=lattice, vegard_misfit=misfit, diameter_mean_nm=mean, diameter_std_nm=std, cubic_share=cubic,
        models=models, stacking_verdict=verdict, stacking_sentence=sentence, chi2_reduced=found.chi2_reduced, energy_kev=energy,
        aspect_ratio=aspect, copies=copies, profile_draws=particle is not None, curve_q=curve.q_inv_nm, intensity=curve.intensity,
        sigma=curve.sigma, fit=found.curve, background=found.background_curve, r_nm=r, g_measured=measured, g_model=model,
        q_range_inv_nm=(float(curve.q_inv_nm[0]), float(curve.q_inv_nm[-1])), notes=notes,
    )  # fmt: skip


def _names() -> tuple[str, ...]:
    from nanostrata.models.powder import PARAMETERS

    return PARAMETERS


def _limits(found: PowderFit, library: PowderLibrary) -> tuple[FloatArray, FloatArray]:
    low = {
        "b_factor_nm2": 0.0,
        "diameter_median_nm": library.diameter_nm[0],
        "diameter_sigma": 1e-3,
        "fault_probability": 0.0,
    }
    high = {"diameter_median_nm": library.diameter_nm[-1], "fault_probability": float(library.fault_probability[-1])}
    return (
        np.array([low.get(n, -np.inf) for n in found.names], dtype=np.float64),
        np.array([high.get(n, np.inf) for n in found.names], dtype=np.float64),
    )


def _pair_function(
    found: PowderFit, library: PowderLibrary, factors: FactorTable, energy: float, q: FloatArray, y: FloatArray, best: list[float],
    instrument: FloatArray | None,
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[str, ...]]:  # fmt: skip
    """G(r) of the measured pattern without its background, and of the fitted particles cut off alike."""
    from nanostrata.kernels.pair_distribution import sine_transform

    steps = np.diff(q)
    if steps.max() > 5.0 * np.median(steps):
        return np.empty(0), np.empty(0), np.empty(0), ("no G(r): the pattern has gaps",)
    r = np.arange(0.1, 1.2 * best[2] * np.exp(best[3]), _R_STEP_NM)
    electrons, squared, mean_squared = mean_atom(library, factors, energy, q, best)
    both = []
    for pattern in (
        (y - found.background_curve) / found.scale,
        powder_basis(library, factors, energy, q, best, None, instrument),
    ):
        reduced = q * (electrons * pattern - squared) / mean_squared
        both.append(sine_transform(q, reduced, r))
    return r, both[0], both[1], ()
