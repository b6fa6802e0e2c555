"""A methods paragraph with this run's numbers, and the citations it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nanostrata.interfaces.cite import (
    REFERENCES,
    linear_lattices,
    references_used,
    software_of,
    software_reference,
)
from nanostrata.interfaces.formatting import as_float, format_number, format_quantity, join_words, shell_quantities
from nanostrata.interfaces.methods_atoms import atoms_words, diffusion_words, mismatch_words
from nanostrata.interfaces.methods_waxs import waxs_words
from nanostrata.interfaces.methods_writer import Writer

__all__ = ["MethodsText", "methods_parts", "methods_text", "reference_text"]

_PROFILES = {
    "shells": "{n} concentric shells of equal thickness that scale with the particle",
    "smooth": "a smooth composition profile, reported on {n} concentric shells",
    "homogeneous": "homogeneous particles",
    "core_shell": "a core and one shell",
    "exponential": "a composition profile that changes exponentially from the surface, reported on {n} shells",
    "erf": "a composition profile with one gradual (error-function) interface, reported on {n} shells",
}
_SIZES = {"gaussian": " Gaussian", "lognormal": " log-normal", "tem": " measured (TEM)"}
_BODIES = {"sphere": "spheres", "prolate": "prolate spheroids", "oblate": "oblate spheroids"}
_SCALES = {
    "common": "one scale for all energies, with a factor per energy known to {u}",
    "per_energy": "a free scale for each energy",
}
_BACKGROUNDS = {
    "constant": ", and a constant background for each energy",
    "constant+power": ", and a constant and a power-law background for each energy",
}
_COUNTS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class MethodsText:
    """Paragraphs and the numbered references they cite."""

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]  # keys; "nanostrata" for this software


def methods_parts(summary: Mapping[str, Any]) -> MethodsText:
    """Paragraphs and references of the methods text; only what this run did is said and cited."""
    writer = Writer(summary, frozenset({*references_used(summary), "nanostrata"}))
    sentences = (
        _data(writer),
        _model(writer),
        _fit(writer),
        _results(writer),
        waxs_words(writer),
        atoms_words(writer),
        [*diffusion_words(writer), *mismatch_words(writer)],
        _software(writer),
    )
    paragraphs = (" ".join(s for s in part if s) for part in sentences)
    return MethodsText(tuple(p for p in paragraphs if p), tuple(writer.order))


def methods_text(summary: Mapping[str, Any]) -> str:
    """Methods paragraphs and numbered references in Markdown, with this run's numbers.

    Parameters
    ----------
    summary : the content of summary.json. What it does not say is left out of the text, never guessed.
    """
    parts = methods_parts(summary)
    references = [f"{i}. {reference_text(k, summary)}" for i, k in enumerate(parts.references, 1)]
    return "\n\n".join([*parts.paragraphs, "References:", "\n".join(references)]) + "\n"


def reference_text(key: str, summary: Mapping[str, Any]) -> str:
    """Line of the reference list."""
    return (software_reference(summary) if key == "nanostrata" else REFERENCES[key]).as_text()


def _data(w: Writer) -> list[str]:
    curves = [e for e in w.first("asaxs.per_energy", "contrasts.per_curve") or [] if isinstance(e, Mapping)]
    sentences = ["The data of this run are simulated."] if w.get("simulated") else []
    if curves:
        energies = sorted(as_float(e.get("energy_kev")) for e in curves if as_float(e.get("energy_kev")) > 0)
        points = sum(int(as_float(e.get("points"))) for e in curves if as_float(e.get("points")) > 0)
        medium, edge = _medium(w.first("sample.medium", "recipe.sample.medium")), w.get("recipe.asaxs.edge")
        of = f" of particles in {medium}" if medium else ""
        if energies:
            what = f"Small-angle X-ray scattering{of} at {_plural(len(energies), 'photon energy', 'photon energies')}"
            what += f" ({join_words([f'{e:.3f}' for e in energies])} keV{f', {edge} edge' if edge else ''}) was"
        else:
            counted = _plural(len(curves), "scattering curve", "scattering curves")
            what = f"{counted[:1].upper()}{counted[1:]}{of} {'was' if len(curves) == 1 else 'were'}"
        jointly = " jointly" if len(curves) > 1 else ""
        sentences.append(f"{what} evaluated{jointly}{f': {points} points' if points else ''}{_q_range(w, curves)}.")
    return [*sentences, *_constraints(w)]


def _constraints(w: Writer) -> list[str]:
    sentences = []
    fitted = bool(w.first("asaxs.per_energy", "contrasts.per_curve")) or not isinstance(w.get("waxs"), Mapping)
    if isinstance(w.first("tem", "recipe.tem"), Mapping) and fitted:
        error, count = as_float(w.get("recipe.tem.reading_error_nm")), as_float(w.get("tem.particles"))
        known = [f"{count:.0f} particles"] if count > 0 else []
        known += [f"reading error {error:g} nm"] if error > 0 else []
        note = f" ({', '.join(known)})" if known else ""
        sentences.append(f"Diameters read from electron micrographs{note} gave the prior of the size distribution.")
    if isinstance(w.first("edx", "recipe.edx"), Mapping):
        sentences.append(
            "Element percentages from energy-dispersive X-ray spectroscopy gave a prior for the mean composition."
        )
    return sentences


def _q_range(w: Writer, curves: list[Mapping[str, Any]]) -> str:
    lows = [as_float(e.get("q_min")) for e in curves]
    highs = [as_float(e.get("q_max")) for e in curves]
    given = w.get("recipe.asaxs.q_range_inv_nm")
    if all(v > 0 for v in [*lows, *highs]):
        return f" from q = {min(lows):.3g} to {max(highs):.3g} nm⁻¹"
    if isinstance(given, (list, tuple)) and len(given) == 2:
        return f" from q = {as_float(given[0]):g} to {as_float(given[1]):g} nm⁻¹"
    return ""


def _medium(medium: Any) -> str:
    if isinstance(medium, Mapping):
        if "formula" in medium:
            return f"{medium['formula']} ({as_float(medium.get('density_g_cm3')):g} g/cm³)"
        return f"a medium of {as_float(medium.get('electron_density_e_nm3')):g} electrons/nm³"
    return str(medium) if medium else ""


def _model(w: Writer) -> list[str]:
    if isinstance(w.get("waxs"), Mapping) and not w.first("asaxs.per_energy", "contrasts.per_curve"):
        return []  # peaks alone: there is no model of the particle
    kind = str(w.first("profile.family", "recipe.particle.profile") or ("shells" if w.get("profile") else ""))
    shells = shell_quantities(w.get("profile.shell_fraction"))
    number = _count(len(shells)) if shells else w.get("recipe.particle.shells", "")
    sentences = []
    if kind in _PROFILES:
        sentences.append(f"The model is {_PROFILES[kind].format(n=number)}{w.cite('yarema2017')}.")
    sentences += _materials(w)
    sentences += _factors(w)
    size = _SIZES.get(str(w.get("recipe.particle.sizes", "")), "")
    shape = w.first("particle.shape", "recipe.particle.shape")
    if shape:
        sentences.append(
            f"The particles are {_BODIES.get(str(shape), str(shape))} with a{size} distribution of diameters."
        )
    return sentences


def _materials(w: Writer) -> list[str]:
    core, shell = w.get("recipe.materials.core"), w.get("recipe.materials.shell")
    if isinstance(core, Mapping) and isinstance(shell, Mapping):
        ends = (
            f"{core.get('formula')} (x = 0{_lattice(core)}) and {shell.get('formula')} (x = 1{_lattice(shell)}); "
            f"{_mixed(w)}"
        )
    elif w.get("materials.core") and w.get("materials.shell"):
        structure = w.get("materials.structure")
        ends = (
            f"{w.get('materials.core')} (x = 0) and {w.get('materials.shell')} (x = "
            f"1){f', {structure}' if structure else ''}"
        )
    else:
        return []
    sentences = [f"Each shell is a solid solution of {ends}."]
    doubt = as_float(w.get("recipe.materials.core.density_uncertainty"))
    if doubt > 0:
        text = (
            f"The electron densities of the end members are uncertain by {100 * doubt:g} % (one standard "
            "deviation), which is carried into every interval."
        )
        sentences.append(text)
    return sentences


def _lattice(material: Mapping[str, Any]) -> str:
    lattice = material.get("lattice")
    if not isinstance(lattice, Mapping) or "structure" not in lattice:
        return ""
    constants = ", ".join(f"{k[0]} = {as_float(lattice[k]):g} nm" for k in ("a_nm", "b_nm", "c_nm") if lattice.get(k))
    return f", {lattice['structure']}, {constants}" if constants else f", {lattice['structure']}"


def _mixed(w: Writer) -> str:
    if linear_lattices(w.summary):
        return f"lattice constants are linear in x (Vegard{w.cite('vegard1921', 'denton1991')})"
    return "the cube root of the volume per shared site is linear in x"


def _factors(w: Writer) -> list[str]:
    factors = w.first("asaxs.factors", "recipe.asaxs.factors")
    if factors is None:
        return []
    table, _, measured = str(factors).partition(" + measured ")
    if isinstance(factors, Mapping):  # no fit has told the name of the table
        table, measured = "chantler", str(w.get("recipe.asaxs.edge")).split()[0]
    known = _table_words(w, table)
    text = f"Scattering factors f′ and f″ are {f'those of {known}' if known else 'measured ones'}"
    text += f", for {measured} measured ones" if measured else ""
    width = as_float(w.get("recipe.asaxs.energy_resolution_ev"))
    sentences = [text + (f", averaged over an energy resolution of {width:g} eV." if width > 0 else ".")]
    other = _table_words(w, str(w.get("profile.table_systematic_table")).split(" + ")[0])
    if other:
        which = " for the other elements" if measured else ""
        sentences.append(f"The same fit with the factors of {other}{which} shows their influence.")
    form = w.cite("waasmaier1995")
    if form:
        sentences.append(
            "Where scattering is computed atom by atom, the form factors f0(q) are those of Waasmaier and "
            f"Kirfel{form}."
        )
    return sentences


def _table_words(w: Writer, table: str) -> str:
    if table == "chantler":
        return f"Chantler{w.cite('chantler1995')} as given by XrayDB{w.cite('xraydb')}"
    if table == "cromer-liberman":
        return f"Cromer and Liberman{w.cite('cromer1981')} as computed by gemmi{w.cite('gemmi2022')}"
    return ""


def _fit(w: Writer) -> list[str]:
    scale, background = w.get("recipe.asaxs.scale"), w.get("recipe.asaxs.background")
    doubt = as_float(w.get("recipe.asaxs.scale_uncertainty"))
    sentences = []
    if scale in _SCALES:
        text = _SCALES[str(scale)].format(u=f"{100 * doubt:g} %" if doubt > 0 else "its stated error")
        sentences.append(f"The fit has {text}{_BACKGROUNDS.get(str(background), '')}.")
    if w.get("profile") is not None:
        prior = w.get("profile.prior")
        stated = f"Prior of the shares x: {prior}. " if isinstance(prior, str) and prior else ""
        beside = (
            "The answer without coupling between shells is reported beside. " if w.get("profile.unsmoothed") else ""
        )
        sentences.append(f"{stated}{beside}Intervals are those of the posterior.")
    refits = as_float(w.first("profile.refits.count", "asaxs.refits"))
    if refits > 0:
        text = (
            f"For comparison {refits:.0f} refits of data redrawn inside the error bars (uniform and Gaussian) "
            "give mean and standard deviation"
        )
        sentences.append(f"{text}, as in the original method{w.cite('yarema2017')}.")
    return sentences


def _results(w: Writer) -> list[str]:
    sentences = []
    diameter, spread = w.get("particle.diameter_mean_nm"), w.get("particle.diameter_std_nm")
    if diameter is not None:
        text = f"The mean diameter is {format_quantity(diameter, 'nm')}"
        sentences.append(
            text
            + (
                f", its standard deviation among particles {format_quantity(spread, 'nm')}."
                if spread is not None
                else "."
            )
        )
    mean = w.get("profile.mean_shell_fraction")
    if mean is not None:
        sentences.append(f"The mean share of shell material per site is x = {format_quantity(mean)}.")
    shells = shell_quantities(w.get("profile.shell_fraction"))
    if shells:
        sentences.append(f"From the centre outwards x = {'; '.join(format_quantity(s) for s in shells)}.")
        prior = [str(k) for k, by in enumerate(w.get("profile.informed_by") or [], 1) if by == "prior"]
        if prior:
            many = len(prior) > 1
            sentences.append(
                f"Shell{'s' if many else ''} {join_words(prior)} (from the centre) rest{'' if many else 's'} on "
                "the prior, not on the data."
            )
    chi2 = as_float(w.first("asaxs.chi2_reduced", "contrasts.chi2_reduced"))
    if chi2 > 0:
        sentences.append(f"The reduced χ² of the fit is {format_number(chi2)}.")
    return sentences


def _software(w: Writer) -> list[str]:
    name, version = software_of(w.summary)
    ours, seed = w.cite("nanostrata"), w.get("seed")
    named = {
        "numpy2020": "NumPy",
        "scipy2020": "SciPy",
        "numba2015": "Numba",
        "ase2017": "ASE",
        "sasdata": "sasdata",
        "matplotlib2007": "Matplotlib",
        "3dmol2015": "3Dmol.js",
    }
    tools = [f"{label}{w.cite(key)}" for key, label in named.items() if key in w.allowed]
    sentences = [
        f"Computed with {name} {version}{ours}{f', seed {seed}' if seed is not None else ''}, which rests on "
        f"{join_words(tools)}."
    ]
    if "nxcansas" in w.allowed:
        sentences.append(f"Data and fits are kept in NXcanSAS form{w.cite('nxcansas')}.")
    if "trewhella2017" in w.allowed:
        text = "The tables follow the reporting guidelines for small-angle scattering"
        sentences.append(f"{text}{w.cite('trewhella2017')} where they apply to particles in solution.")
    return sentences


def _count(number: int) -> str:
    return _COUNTS[number] if number < len(_COUNTS) else str(number)


def _plural(count: int, one: str, many: str) -> str:
    return f"{_count(count)} {one if count == 1 else many}"
