"""Say in graded sentences what was found, what it rests on, and what the data do not determine."""

from __future__ import annotations

import math

import numpy as np

from nanostrata.domain import Composition, SizeDistribution
from nanostrata.domain.base import FloatArray
from nanostrata.domain.finding import Finding
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.particle import ParticleDraws

VERSION = "1"


def _range(draws: FloatArray, digits: int) -> str:
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{draws.mean():.{digits}f} (95 %: {low:.{digits}f} to {high:.{digits}f})"


def explain(
    fit: ProfileFit,
    particle: ParticleDraws,
    *,
    core_name: str,
    shell_name: str,
    sizes: SizeDistribution,
    composition: Composition | None,
    composition_x: tuple[float, float] | None,
) -> tuple[Finding, ...]:
    """Return the findings of the first page, the most important first."""
    chi2 = float(np.average([c.chi2_reduced for c in fit.curves], weights=[len(c.fit) for c in fit.curves]))
    bad = chi2 > 3.0
    out = [_profile(fit, core_name, shell_name, bad), *_outer(fit, shell_name, bad), _description(fit, chi2)]
    out.append(_size(particle, sizes, bad))
    if composition_x is not None:
        out.append(_mean_composition(fit, particle, composition_x, shell_name))
    out.append(_shape(fit))
    if fit.family == "shells" and fit.gradient == "resolved":
        out.append(_steps(fit))
    return tuple(out)


def _p(p: float) -> str:
    return "p < 1e-15" if p < 1e-15 else f"p = {p:.2g}"


def _profile(fit: ProfileFit, core: str, shell: str, bad: bool) -> Finding:
    n = fit.gradient_numbers
    data = [i + 1 for i, l in enumerate(fit.informed_by) if l == "data"]
    prior = [i + 1 for i, l in enumerate(fit.informed_by) if l == "prior"]
    where = f"{fit.supported} of {len(fit.informed_by)} shells are supported by the data"
    centre = (
        f"; shell{'s' if len(prior) > 1 else ''} {_list(prior)} (from the centre) rest{'s' if len(prior) == 1 else ''} on the prior"
        if prior
        else ""
    )
    numbers = {"profile.supported_shells": float(fit.supported), "delta_chi2": n["delta_chi2"], "p": n["p"]}
    if fit.gradient == "resolved":
        grade = "strong" if n["p"] < 1e-6 and data and not bad else "moderate" if not bad else "weak"
        text = (
            f"The composition changes from the inside to the outside: a homogeneous particle is worse by chi2 {n['delta_chi2']:.0f} "
            f"({_p(n['p'])}). {where}{centre}."
        )
        return Finding(
            text=text, grade=grade, numbers=numbers, improve="a larger q range for the inner shells" if prior else ""
        )
    if fit.gradient == "absent":
        text = (
            f"No gradient: a homogeneous particle with x = {fit.homogeneous_x:.2f} of {shell} in {core} explains the data as well "
            f"({_p(n['p'])}), and a step of the outer shell beyond {n['step_low95']:+.2f} to {n['step_high95']:+.2f} is excluded (95 %)."
        )
        return Finding(text=text, grade="moderate" if not bad else "weak", numbers=numbers)
    text = (
        f"Whether the composition changes with the radius is not determined: free shells are better by chi2 {n['delta_chi2']:.1f} only "
        f"({_p(n['p'])}). {where}."
    )
    return Finding(
        text=text, grade="not determined", numbers=numbers,
        improve="an energy closer below the edge, a better beam normalisation, or smaller errors",
    )  # fmt: skip


def _list(numbers: list[int]) -> str:
    return (
        " and ".join([", ".join(str(n) for n in numbers[:-1]), str(numbers[-1])])
        if len(numbers) > 1
        else str(numbers[0])
    )


def _outer(fit: ProfileFit, shell: str, bad: bool) -> list[Finding]:
    out = []
    width = fit.fractions[0]
    for k in (-1, -2):
        if len(fit.informed_by) < 2 or len(fit.informed_by) + k < 0:
            continue
        draws = fit.main_shells[:, k]
        label = fit.informed_by[k]
        grade = {"data": "strong", "weak": "moderate", "prior": "not determined"}[label]
        if bad and grade != "not determined":
            grade = "weak"
        name = "outermost shell" if k == -1 else "second shell from outside"
        out.append(
            Finding(
                text=f"The {name} ({100 * width:.0f} % of the radius) holds x = {_range(draws, 2)} of {shell}.",
                grade=grade,
                numbers={f"profile.shell_fraction[{len(fit.informed_by) + k}]": float(draws.mean())},
                improve=""
                if label == "data"
                else "an energy closer to the edge, smaller errors, or a measured absorption spectrum",
            )
        )
    return out


def _description(fit: ProfileFit, chi2: float) -> Finding:
    runs = [c for c in fit.curves if c.runs_p < 0.01]
    rescaled = [c for c in fit.curves if c.sigma_factor > 1.0]
    numbers = {"asaxs.chi2_reduced": chi2}
    if chi2 > 3.0:
        return Finding(
            text=f"The model does NOT describe the curves: chi2 per point is {chi2:.3g}. Do not trust the numbers of this page.",
            grade="strong", numbers=numbers, improve="check background, q range, shape, and the stated sigmas with `nanostrata check`",
        )  # fmt: skip
    tail = (
        ""
        if not runs
        else f" The residuals of {len(runs)} of {len(fit.curves)} curves are not random (runs test p < 0.01)."
    )
    tail += (
        ""
        if not rescaled
        else f" The sigmas of {len(rescaled)} curves were enlarged to match the scatter before intervals were drawn."
    )
    return Finding(
        text=f"One structure describes {len(fit.curves)} curves at once: chi2 per point is {chi2:.2f}.{tail}",
        grade="strong" if not runs and chi2 < 1.3 else "moderate", numbers=numbers,
    )  # fmt: skip


def _size(particle: ParticleDraws, sizes: SizeDistribution, bad: bool) -> Finding:
    d = particle.diameter_mean_nm
    gap = abs(d.mean() - sizes.mean_nm)
    sigma = max(sizes.mean_sigma_nm, 1e-9)
    agrees = gap < 2.5 * sigma
    text = (
        f"Mean diameter {_range(d, 2)} nm with a spread of {particle.diameter_std_nm.mean():.2f} nm; TEM "
        f"({sizes.n_counted or 'no count of'} particles) says {sizes.mean_nm:.2f} ± {sizes.mean_sigma_nm:.2f} nm"
        + ("." if agrees else f": they differ by {gap / sigma:.1f} standard deviations.")
    )
    return Finding(
        text=text, grade=("strong" if agrees else "weak") if not bad else "weak",
        numbers={"particle.diameter_mean_nm": float(d.mean()), "tem.mean_nm": sizes.mean_nm},
        improve="" if agrees else "count more particles, or look for aggregates and ligands in one of the two methods",
    )  # fmt: skip


def _mean_composition(fit: ProfileFit, particle: ParticleDraws, edx: tuple[float, float], shell: str) -> Finding:
    x = particle.mean_fraction_sites
    gap = abs(x.mean() - edx[0]) / math.hypot(edx[1], 1e-6)
    agrees = gap < 2.5
    text = f"Mean content of {shell}, x = {_range(x, 3)} per site; EDX alone says {edx[0]:.3f} ± {edx[1]:.3f}" + (
        " and was used as a prior."
        if agrees
        else f", {gap:.1f} standard deviations away although it was used as a prior."
    )
    return Finding(
        text=text, grade="strong" if agrees else "weak",
        numbers={"profile.mean_shell_fraction": float(x.mean()), "edx.mean_shell_fraction": edx[0]},
        improve="" if agrees else "check the EDX standard, and whether free precursor was washed off",
    )  # fmt: skip


def _shape(fit: ProfileFit) -> Finding:
    by = {s.shape: s for s in fit.shapes}
    sphere = by.get("sphere")
    other = next((s for s in fit.shapes if s.shape != "sphere"), None)
    if sphere is None or other is None:
        return Finding(text="Only one shape was tried.", grade="not determined", numbers={})
    gain = sphere.chi2 - other.chi2
    numbers = {"delta_chi2": gain, "aspect_ratio": other.aspect_ratio}
    if gain > 12.0:
        text = (
            f"A {other.shape} spheroid of aspect ratio {other.aspect_ratio:.2f} ± {other.aspect_sigma:.2f} fits better than a sphere by chi2 "
            f"{gain:.0f}. A wider size distribution looks the same to small-angle scattering, so this rests on the TEM width."
        )
        return Finding(text=text, grade="moderate", numbers=numbers, improve="aspect ratios from TEM")
    text = (
        f"Small-angle scattering does not tell a sphere from a {other.shape} spheroid here (chi2 differs by {gain:.1f}; aspect ratio "
        f"{other.aspect_ratio:.2f} ± {other.aspect_sigma:.2f})."
    )
    return Finding(text=text, grade="not determined", numbers=numbers, improve="aspect ratios from TEM")


def _steps(fit: ProfileFit) -> Finding:
    return Finding(
        text="Shells of one composition each are steps; on a smooth gradient the outermost comes out somewhat high and the next "
        'somewhat low. Compare with profile = "smooth" or "erf".',
        grade="moderate", numbers={}, improve='run again with [particle] profile = "smooth"',
    )  # fmt: skip
