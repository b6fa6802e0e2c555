"""A methods paragraph with this run's numbers, and the citations it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nanostrata.interfaces.cite import REFERENCES, references_used, software_of, software_reference
from nanostrata.interfaces.formatting import as_float, format_number, format_quantity, join_words, shell_quantities

__all__ = ["MethodsText", "methods_parts", "methods_text"]

_PROFILES = {
    "shells": "{n} concentric shells of equal thickness that scale with the particle",
    "smooth": "a smooth composition profile over {n} concentric shells",
    "homogeneous": "homogeneous particles",
    "core_shell": "a core and one shell",
    "exponential": "a composition profile that decays exponentially from the surface, sampled on {n} shells",
    "erf": "a composition profile with one gradual (error-function) interface, sampled on {n} shells",
}
_SIZES = {"gaussian": "Gaussian", "lognormal": "log-normal", "tem": "TEM"}
_SCALES = {
    "common": "one scale for all energies, with a factor per energy known to {u}",
    "per_energy": "a free scale for each energy",
    "absolute": "the absolute scale of the data, known to {u}",
}


@dataclass(frozen=True, slots=True)
class MethodsText:
    """Paragraphs and the numbered references they cite."""

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]  # keys; "nanostrata" for this software


@dataclass(slots=True)
class _Writer:
    summary: Mapping[str, Any]
    allowed: frozenset[str]
    order: list[str] = field(default_factory=list)

    def cite(self, *keys: str) -> str:
        """`` [1,2]`` for those of the keys that this run used; "" for none."""
        numbers = []
        for key in keys:
            if key not in self.allowed:
                continue
            if key not in self.order:
                self.order.append(key)
            numbers.append(str(self.order.index(key) + 1))
        return f" [{','.join(numbers)}]" if numbers else ""

    def get(self, dotted: str, default: Any = None) -> Any:
        """Value under a dotted path of the summary."""
        node: Any = self.summary
        for part in dotted.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return default
            node = node[part]
        return node


def methods_parts(summary: Mapping[str, Any]) -> MethodsText:
    """Paragraphs and references of the methods text; only what this run did is said and cited."""
    writer = _Writer(summary, frozenset({*references_used(summary), "nanostrata"}))
    paragraphs = tuple(" ".join(s for s in part if s) for part in (_data(writer), _model(writer), _fit(writer), _results(writer), _software(writer)))
    return MethodsText(tuple(p for p in paragraphs if p), tuple(writer.order))


def methods_text(summary: Mapping[str, Any]) -> str:
    """Methods paragraphs and numbered references in Markdown, with this run's numbers."""
    parts = methods_parts(summary)
    references = [f"{i}. {reference_text(k, summary)}" for i, k in enumerate(parts.references, 1)]
    return "\n\n".join([*parts.paragraphs, "References:", "\n".join(references)]) + "\n"


def reference_text(key: str, summary: Mapping[str, Any]) -> str:
    """Line of the reference list."""
    return (software_reference(summary) if key == "nanostrata" else REFERENCES[key]).as_text()


def _data(w: _Writer) -> list[str]:
    per_energy = [e for e in w.get("asaxs.per_energy", []) or [] if isinstance(e, Mapping)]
    energies = sorted(as_float(e.get("energy_kev")) for e in per_energy if as_float(e.get("energy_kev")) > 0)
    points = sum(int(as_float(e.get("points"))) for e in per_energy if as_float(e.get("points")) > 0)
    edge, medium = w.get("recipe.asaxs.edge"), _medium(w.get("recipe.sample.medium"))
    sentences = ["The data of this run are simulated."] if w.get("simulated") else []
    of = f" of particles in {medium}" if medium else ""
    if energies:
        what = f"Small-angle X-ray scattering{of} at {_plural(len(energies), 'photon energy', 'photon energies')}"
        what += f" ({join_words([f'{e:.3f}' for e in energies])} keV{f', {edge} edge' if edge else ''}) was"
    else:
        curves = _plural(len(per_energy), "scattering curve", "scattering curves")
        what = f"{curves[:1].upper()}{curves[1:]}{of} {'was' if len(per_energy) == 1 else 'were'}"
    if per_energy:
        jointly = " jointly" if len(per_energy) > 1 else ""
        sentences.append(f"{what} evaluated{jointly}{f': {points} points' if points else ''}{_q_range(w, per_energy)}.")
    tem = w.get("recipe.tem")
    if isinstance(tem, Mapping):
        error = as_float(tem.get("reading_error_nm"))
        sentences.append("Diameters read from electron micrographs" + (f" (reading error {error:g} nm)" if error > 0 else "") + " gave the prior of the size distribution.")
    if isinstance(w.get("recipe.edx"), Mapping):
        sentences.append("Element percentages from energy-dispersive X-ray spectroscopy gave a prior for the mean composition.")
    return sentences


def _q_range(w: _Writer, per_energy: list[Mapping[str, Any]]) -> str:
    lows = [as_float(e.get("q_min")) for e in per_energy]
    highs = [as_float(e.get("q_max")) for e in per_energy]
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


def _model(w: _Writer) -> list[str]:
    kind = str(w.get("recipe.particle.profile", "shells" if w.get("profile") else ""))
    shells = _count(len(shell_quantities(w.get("profile.shell_fraction")))) or w.get("recipe.particle.shells", "")
    sentences = []
    if kind in _PROFILES:
        cite = w.cite("yarema2017") if kind != "homogeneous" else ""
        sentences.append(f"The model is {_PROFILES[kind].format(n=shells)}{cite}.")
    core, shell = w.get("recipe.materials.core"), w.get("recipe.materials.shell")
    if isinstance(core, Mapping) and isinstance(shell, Mapping):
        sentences.append(f"Each shell is a solid solution of {core.get('formula')} (x = 0{_lattice(core)}) and {shell.get('formula')} (x = 1{_lattice(shell)}); "
                         f"{_vegard(core, shell)}.")  # fmt: skip
        doubt = as_float(core.get("density_uncertainty"))
        if doubt > 0:
            sentences.append(f"The electron densities of the end members are uncertain by {100 * doubt:g} % (one standard deviation), which is carried into every interval.")
    sentences += _factors(w)
    size = _SIZES.get(str(w.get("recipe.particle.sizes", "")))
    shape = w.get("recipe.particle.shape")
    if size and shape:
        bodies = {"sphere": "spheres", "prolate": "prolate spheroids", "oblate": "oblate spheroids"}.get(str(shape), str(shape))
        sentences.append(f"The particles are {bodies} with a {size} distribution of diameters.")
    return sentences


def _lattice(material: Mapping[str, Any]) -> str:
    lattice = material.get("lattice")
    if not isinstance(lattice, Mapping) or "structure" not in lattice:
        return ""
    constants = ", ".join(f"{k[0]} = {as_float(lattice[k]):g} nm" for k in ("a_nm", "b_nm", "c_nm") if lattice.get(k))
    return f", {lattice['structure']}, {constants}" if constants else f", {lattice['structure']}"


def _vegard(core: Mapping[str, Any], shell: Mapping[str, Any]) -> str:
    first, second = (m.get("lattice") for m in (core, shell))
    same = isinstance(first, Mapping) and isinstance(second, Mapping) and first.get("structure") == second.get("structure")
    return "lattice constants are linear in x (Vegard)" if same else "the cube root of the volume per shared site is linear in x"


def _factors(w: _Writer) -> list[str]:
    asaxs = w.get("recipe.asaxs")
    if not isinstance(asaxs, Mapping):
        return []
    factors = asaxs.get("factors", "chantler")
    names = {
        "chantler": f"Chantler{w.cite('chantler1995')} as given by XrayDB{w.cite('xraydb')}",
        "cromer-liberman": f"Cromer and Liberman{w.cite('cromer1981')} as computed by gemmi{w.cite('gemmi2022')}",
    }
    if isinstance(factors, str) and factors in names:
        text = f"Scattering factors f′ and f″ are those of {names.pop(factors)}"
    else:
        text = "Scattering factors f′ and f″ are measured ones"
    width = as_float(asaxs.get("energy_resolution_ev"))
    if width > 0:
        text += f", averaged over an energy resolution of {width:g} eV"
    sentences = [text + "."]
    if w.get("profile.table_systematic") is not None and isinstance(factors, str) and len(names) == 1:
        sentences.append(f"The same fit with the factors of {next(iter(names.values()))} shows their influence.")
    if w.cite("waasmaier1995"):
        sentences.append(f"Where scattering is computed atom by atom, the form factors f0(q) are those of Waasmaier and Kirfel{w.cite('waasmaier1995')}.")
    return sentences


def _fit(w: _Writer) -> list[str]:
    scale, background = w.get("recipe.asaxs.scale"), w.get("recipe.asaxs.background")
    doubt = as_float(w.get("recipe.asaxs.scale_uncertainty"))
    sentences = []
    if scale in _SCALES:
        text = _SCALES[str(scale)].format(u=f"{100 * doubt:g} %" if doubt > 0 else "its stated error")
        extra = {"constant": ", and a constant background for each energy", "constant+power": ", and a constant and a power-law background for each energy"}
        sentences.append(f"The fit has {text}{extra.get(str(background), '')}.")
    if w.get("profile") is not None:
        prior = "a weak prior for smooth profiles was used, and the answer without it is reported beside"
        if w.get("profile.smoothness") in (False, "none", 0):
            prior = "no smoothness was assumed"
        sentences.append(f"Shares x lie between 0 and 1; {prior}. Intervals are those of the posterior.")
    refits = as_float(w.get("asaxs.refits"))
    if refits > 0:
        sentences.append(f"For comparison {refits:.0f} refits of data redrawn inside the error bars (uniform and Gaussian) give mean and standard deviation as in the original method{w.cite('yarema2017')}.")
    return sentences


def _results(w: _Writer) -> list[str]:
    sentences = []
    diameter, spread = w.get("particle.diameter_mean_nm"), w.get("particle.diameter_std_nm")
    if diameter is not None:
        text = f"The mean diameter is {format_quantity(diameter, 'nm')}"
        sentences.append(text + (f", its standard deviation among particles {format_quantity(spread, 'nm')}." if spread is not None else "."))
    mean = w.get("profile.mean_shell_fraction")
    if mean is not None:
        sentences.append(f"The mean share of shell material per site is x = {format_quantity(mean)}.")
    shells = shell_quantities(w.get("profile.shell_fraction"))
    if shells:
        sentences.append(f"From the centre outwards x = {'; '.join(format_quantity(s) for s in shells)}.")
    chi2 = as_float(w.get("asaxs.chi2_reduced"))
    if chi2 > 0:
        sentences.append(f"The reduced χ² of the joint fit is {format_number(chi2)}.")
    return sentences


def _software(w: _Writer) -> list[str]:
    name, version = software_of(w.summary)
    ours = w.cite("nanostrata")
    tools = [f"{label}{w.cite(key)}" for key, label in (("numpy2020", "NumPy"), ("scipy2020", "SciPy"), ("numba2015", "Numba"), ("ase2017", "ASE"),
                                                         ("sasdata", "sasdata"), ("matplotlib2007", "Matplotlib"), ("3dmol2015", "3Dmol.js")) if key in w.allowed]  # fmt: skip
    seed = w.get("seed")
    text = f"Computed with {name} {version}{ours}{f', seed {seed}' if seed is not None else ''}, which rests on {join_words(tools)}."
    sentences = [text]
    if "nxcansas" in w.allowed:
        sentences.append(f"Data and fits are kept in NXcanSAS form{w.cite('nxcansas')}.")
    if "trewhella2017" in w.allowed:
        sentences.append(f"The tables follow the reporting guidelines for small-angle scattering{w.cite('trewhella2017')} where they apply to particles in solution.")
    return sentences


def _count(number: int) -> str:
    words = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    return words[number] if number < len(words) else str(number)


def _plural(count: int, one: str, many: str) -> str:
    return f"{_count(count)} {one if count == 1 else many}"
