"""Fit the radial composition profile to the curves of all energies at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.fit import CurveFit, Draws, ProfileFit, ShapeChoice
from nanostrata.domain.resolution import ProfileResolution
from nanostrata.errors import ConvergenceError
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.density import SolidSolution
from nanostrata.models.explore import best_point, draw, laplace_sd, local_maxima, resampled_fits
from nanostrata.models.families import Homogeneous, ProfileFamily, Shells, make_family, shell_averages
from nanostrata.models.fit_setup import FitSetup, enlarged_sigma, equispaced
from nanostrata.models.graded_particle import ASPECT_BOUNDS, Shape
from nanostrata.models.posterior import Posterior
from nanostrata.models.resolution import measure_resolution
from nanostrata.tables.factors import FactorTable

VERSION = "2"

WARY_SHAPE_ERROR, WARY_SHAPE_DEGREE = 0.02, 12
"""Model error of the verdicts: 2 % in each of 12 smooth deviations, about as many as the curves have half waves. At
energies that differ in contrast it costs nothing (the composition lies in the differences); where they do not, shells
would rest on the belief that the particles are ideal bodies to better than that."""


@dataclass(frozen=True, kw_only=True)
class ProfileSettings:
    """What the project file and the preset decide.

    Attributes
    ----------
    shells : number of reported, equispaced shells
    profile : family: "shells", "homogeneous", "core_shell", "erf", "smooth"
    smoothness, smoothness_sd : the weak prior between neighbours and its tau
    draws, warmup, chains : of the sampler
    refits : number of refits of redrawn data for each variant
    atomic_form_factors : f0(q) in place of Z
    """

    shells: int = 5
    profile: str = "shells"
    shape: Literal["sphere", "prolate", "oblate"] = "sphere"
    size_kind: Literal["gaussian", "lognormal", "tem"] = "gaussian"
    smoothness: bool = True
    smoothness_sd: float = 0.35
    smearing: str | float = "none"
    draws: int = 300
    warmup: int = 250
    chains: int = 4
    refits: int = 200
    atomic_form_factors: bool = True
    laue: bool = True
    engine: str = "auto"


def fit_profile(
    curves: Sequence[ScatteringCurve],
    solid: SolidSolution,
    factors: FactorTable,
    other_factors: FactorTable | None,
    known: PriorKnowledge,
    settings: ProfileSettings,
    *,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
    spread: Callable[[Callable[[Any], Draws], list[Any]], list[Draws]] | None = None,
) -> ProfileFit:
    """Joint posterior of the profile, the sizes and all nuisances.

    Parameters
    ----------
    curves : one per energy, sorted by the caller as they are to be shown
    factors, other_factors : the chosen table of f', f'' and the second opinion
    known : priors from TEM, EDX and the stated uncertainties
    seed : all random numbers come from it
    spread : maps a function over independent jobs, for example a pool's ``map``; the answer does not depend on it

    Returns
    -------
    ProfileFit
        With the posterior under the stated prior and, beside it, without coupling between shells; the homogeneous
        particle; other shapes; the other table; and the paper's resampled refits.

    Raises
    ------
    ConvergenceError
        When no start of the search reaches a finite minimum.

    Notes
    -----
    Assumes dilute, randomly oriented particles with the composition a function of r/R only.
    """
    seeds = np.random.SeedSequence(seed).spawn(4)
    family = make_family(
        settings.profile, settings.shells, smoothness=settings.smoothness, smooth_sd=settings.smoothness_sd
    )
    free_family = Shells(n=settings.shells, smooth_sd=None)

    setup = FitSetup(
        curves=tuple(curves), solid=solid, factors=factors, known=known, shape=settings.shape, size_kind=settings.size_kind,
        smearing=settings.smearing, atomic_form_factors=settings.atomic_form_factors, laue=settings.laue, engine=settings.engine,
    )  # fmt: skip

    def build(
        fam: ProfileFamily,
        table: FactorTable,
        shape: Shape,
        sigma: FloatArray | None = None,
        given: PriorKnowledge = known,
    ) -> Posterior:
        changed = replace(setup, factors=table, shape=shape, known=given)
        return changed.posterior(fam, None if sigma is None else list(sigma))

    progress("searching the best profile")
    first = build(free_family, factors, settings.shape)
    best_first = best_point(first)
    sigma_factor = enlarged_sigma(first, best_first)
    free = replace_sigma(first, sigma_factor)
    free_modes = local_maxima(free, extra=[best_first])
    free_best = free_modes[0]
    main_posterior, main_modes = free, free_modes
    if family != free_family:
        main_posterior = build(family, factors, settings.shape, sigma_factor)
        main_modes = local_maxima(main_posterior)
    main_best = main_modes[0]
    # what the verdicts rest on: shells that nothing couples, and a common form of the curves that is not trusted
    wary = replace(known, shape_error=WARY_SHAPE_ERROR, shape_degree=WARY_SHAPE_DEGREE)
    judge = build(free_family, factors, settings.shape, sigma_factor, wary)
    judge_modes = local_maxima(judge)
    judge_best = judge_modes[0]

    progress("sampling the posterior, with the smoothness prior and without")
    jobs = [
        (setup.on_nodes(main_posterior), main_modes, settings, seeds[0]),
        (setup.on_nodes(judge), judge_modes, settings, seeds[1]),
    ]
    sampled = spread(_draw, jobs) if spread is not None else [_draw(j) for j in jobs]
    main, independent = sampled

    progress("trying a homogeneous particle and other shapes")
    flat = build(Homogeneous(), factors, settings.shape, sigma_factor, wary)
    flat_best = best_point(flat)
    shapes = _shapes(build, free_family, factors, settings, sigma_factor, free_best, free)

    resolution = None
    if solid.shell is not None:
        progress("measuring what the data resolve")
        # deviations of the common form belong to the model error of the fit, not to the wider one of the verdicts
        named = zip(main.names, main.theta.mean(axis=0), strict=True)
        resolution = measure_resolution(
            lambda fam: build(fam, factors, settings.shape, sigma_factor, wary),
            shell_averages(main.shell_fraction, family.fractions, settings.shells).mean(axis=0),
            {name: float(v) for name, v in named if not name.startswith("shape_error")},
        )

    progress("using the other factor table")
    shift, other_name = np.full(settings.shells, np.nan), ""
    if other_factors is not None:
        other = build(family, other_factors, settings.shape, sigma_factor)
        other_best = best_point(other, extra=[main_best])
        shift = equispaced(other, other_best, settings.shells) - equispaced(main_posterior, main_best, settings.shells)
        other_name = other_factors.name

    progress("refitting redrawn data, the paper's way")
    refit_gauss, refit_uniform = resampled_fits(free, free_best, settings.refits, seeds[2])
    return _assemble(
        curves, settings, family, main_posterior, main_best, main, free, free_best, judge, judge_best, independent, flat, flat_best,
        shapes, shift, factors.name, other_name, refit_uniform, refit_gauss, sigma_factor, resolution,
    )  # fmt: skip


def _draw(job: tuple[Posterior, list[FloatArray], ProfileSettings, np.random.SeedSequence]) -> Draws:
    posterior, modes, settings, seed = job
    return draw(posterior, modes[0], settings, seed, modes[1:])


def replace_sigma(posterior: Posterior, factors: FloatArray) -> Posterior:
    """Multiply the stated sigma of each curve."""
    return replace(posterior, sigma=posterior.sigma * factors[posterior.particle.curve_index])


def _shapes(
    build: Any, family: ProfileFamily, factors: FactorTable, settings: ProfileSettings, sigma: FloatArray, known_best: FloatArray,
    known_posterior: Posterior,
) -> tuple[ShapeChoice, ...]:  # fmt: skip
    out = []
    for shape in dict.fromkeys(("sphere", settings.shape if settings.shape != "sphere" else "prolate")):
        if shape == settings.shape:
            posterior, best = known_posterior, known_best
        else:
            posterior = build(family, factors, shape, sigma)
            best = best_point(posterior)
        model, _ = posterior.model(best, gradient=False)
        chi2 = float(np.sum(((model - posterior.intensity) / posterior.sigma) ** 2))
        aspect, aspect_sd = 1.0, 0.0
        if shape != "sphere":
            at = posterior.names.index("aspect_ratio")
            aspect, aspect_sd = float(best[at]), float(laplace_sd(posterior, best)[at])
        out.append(ShapeChoice(shape=shape, chi2=chi2, n_data=len(model), aspect_ratio=aspect, aspect_sigma=aspect_sd))
    return tuple(out)


def _assemble(
    curves: Sequence[ScatteringCurve], settings: ProfileSettings, family: ProfileFamily, posterior: Posterior, best: FloatArray,
    main: Draws, free: Posterior, free_best: FloatArray, judge: Posterior, judge_best: FloatArray, independent: Draws,
    flat: Posterior, flat_best: FloatArray, shapes: tuple[ShapeChoice, ...], shift: FloatArray, table: str, other_table: str, refit_uniform: FloatArray,
    refit_gauss: FloatArray, sigma_factor: FloatArray, resolution: ProfileResolution | None,
) -> ProfileFit:  # fmt: skip
    from scipy.stats import chi2 as chi2_law

    from nanostrata.models.verdicts import curve_fits, gradient_verdict, informed_by, touched_bounds

    main_shells = shell_averages(main.shell_fraction, family.fractions, settings.shells)
    sd = independent.shell_fraction.std(axis=0, ddof=1)
    if settings.profile == "homogeneous":
        labels = ("data",) * settings.shells
        sd = np.full(settings.shells, float(main_shells[:, 0].std(ddof=1)))
    else:
        labels = informed_by(sd, main_shells, independent.shell_fraction)
    flat_chi2 = _cost(flat, flat_best)
    verdict, numbers = gradient_verdict(flat_chi2, _cost(judge, judge_best), independent.shell_fraction)
    model, _ = posterior.model(best, gradient=False)
    stated = posterior.sigma / sigma_factor[posterior.particle.curve_index]
    chi2_stated = float(np.sum(((model - posterior.intensity) / stated) ** 2))
    dof = max(1, len(model) - int(posterior.free.sum()))
    fits = curve_fits(curves, posterior, best, main.theta, sigma_factor, stated)
    warnings = _warnings(main, independent, chi2_stated, dof, shapes, fits)
    return ProfileFit(
        family=settings.profile, shape=settings.shape, fractions=np.arange(1, settings.shells + 1) / settings.shells, main=main,
        independent=independent, main_shells=main_shells, curves=fits, shapes=shapes, homogeneous_chi2=flat_chi2,
        homogeneous_x=float(flat_best[0]), shells_chi2=_cost(free, free_best), n_data=len(model),
        chi2_p=float(chi2_law.sf(chi2_stated, dof)), table_name=table, other_table=other_table, table_shift=shift,
        refit_uniform=refit_uniform, refit_gaussian=refit_gauss,
        refit_fixed="sizes, densities and relative scales held at their best values", supported=sum(label != "prior" for label in labels),
        informed_by=labels, independent_sd=sd, gradient=verdict, gradient_numbers=numbers,
        bounds_touched=touched_bounds(posterior, best), warnings=warnings, resolution=resolution,
    )  # fmt: skip


def _cost(posterior: Posterior, theta: FloatArray) -> float:
    r, _ = posterior.residuals(theta)
    return float(r @ r)


def _warnings(
    main: Draws, independent: Draws, chi2: float, dof: int, shapes: tuple[ShapeChoice, ...], fits: tuple[CurveFit, ...]
) -> tuple[tuple[str, str], ...]:
    out = []
    for name, d in (("main", main), ("independent", independent)):
        if d.r_hat > 1.05 or d.effective < 100:
            out.append(
                ("sampler", f"the {name} posterior is not fully explored (R-hat {d.r_hat:.2f}, effective draws {d.effective:.0f}); "
                 "use --preset standard or full")
            )  # fmt: skip
    if chi2 / dof > 3:
        out.append(
            ("bad_fit", f"the model does not describe the curves: chi2 per degree of freedom is {chi2 / dof:.3g}; "
             "do not trust the intervals")
        )  # fmt: skip
    for c in fits:
        if c.predictive_p < 0.005 or c.predictive_p > 0.995:
            much = "more" if c.predictive_p < 0.5 else "less"
            out.append(
                ("predictive_check", f"{c.label}: the points scatter {much} round the model than it predicts (posterior predictive "
                 f"p = {c.predictive_p:.2g}); {'look at its residuals' if much == 'more' else 'its stated sigmas are too large'}")
            )  # fmt: skip
    return tuple(out)


__all__ = [
    "ASPECT_BOUNDS",
    "VERSION",
    "ConvergenceError",
    "CurveFit",
    "ProfileSettings",
    "fit_profile",
    "shell_averages",
]
