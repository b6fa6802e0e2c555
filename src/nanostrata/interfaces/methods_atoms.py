"""Methods text on what comes after the profile: atoms and their verification, diffusion, lattice mismatch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nanostrata.interfaces.cite import mismatch_stated
from nanostrata.interfaces.formatting import as_float, format_number, format_quantity, join_words
from nanostrata.interfaces.methods_writer import Writer

__all__ = ["atoms_words", "diffusion_words", "mismatch_words"]

_NAMES = {"asaxs": "ASAXS", "saxs": "SAXS", "waxs": "WAXS", "tem": "TEM", "edx": "EDX"}


def atoms_words(w: Writer) -> list[str]:
    """How the particles were built, and what the measurements say to them."""
    return [*_ensemble(w), *_crystal(w), *_relaxation(w), *_verification(w)]


def _ensemble(w: Writer) -> list[str]:
    count = as_float(w.get("atoms.particles"))
    if not count > 0:
        return []
    if count == 1:
        return ["One particle of atoms was built from the profile on the crystal lattice."]
    sentences = [
        f"{count:.0f} particles of atoms, each after another draw of the posterior, were built on the crystal lattice."
    ]
    error = as_float(w.get("atoms.quadrature_error"))
    if error >= 0:
        sentences.append(
            "Their diameters and weights are those of a Gauss quadrature of the size distribution times the sixth power of "
            f"the diameter{w.cite('golub1969')}; they stand for all sizes to {100 * error:.2g} % of the intensity."
        )
    if w.get("atoms.body") == "map":
        sentences.append("All have the outline of the average shape found without a model, scaled to their volumes.")
    exchange = w.get("atoms.exchange_unit")
    if isinstance(exchange, str) and exchange:
        sentences.append(exchange if exchange.endswith(".") else f"{exchange}.")
    coverage = w.get("atoms.coverage")
    if isinstance(coverage, Mapping) and not math.isnan(as_float(coverage.get("value"))):
        sentences.append(
            "In the outermost layer of atoms the share of shell material is "
            f"{format_quantity({k: coverage.get(k) for k in ('value', 'sigma')})} (spread between particles)."
        )
    return sentences


def _crystal(w: Writer) -> list[str]:
    """Facets, faults and surface, where they were asked for."""
    crystal = w.get("atoms.crystal")
    if not isinstance(crystal, Mapping):
        return []
    sentences = []
    facets = crystal.get("facets")
    if isinstance(facets, Mapping) and facets:
        named = join_words([f"{plane} at {format_number(as_float(d), 2)}" for plane, d in facets.items()])
        sentences.append(f"They are polyhedra of the fitted volume between the planes {named} (relative distances).")
    faults = as_float(crystal.get("faults_mean"))
    if faults >= 0:
        sentences.append(
            f"Close-packed layers carry {crystal.get('fault_kind')} faults with a probability of "
            f"{as_float(crystal.get('fault_probability')):.3g} each, {format_number(faults, 1)} per particle on average; the "
            f"share of hexagonal layers is {format_number(as_float(crystal.get('hexagonality_mean')), 2)}."
        )
    if crystal.get("termination") in ("cation", "anion"):
        sentences.append(f"The outermost atoms are {crystal['termination']}s everywhere.")
    return sentences


def _relaxation(w: Writer) -> list[str]:
    """Force field, its constants and their source, and what is left of the forces."""
    relax = w.get("atoms.relax")
    if not isinstance(relax, Mapping):
        return []
    laws = [b for b in relax.get("bonds") or [] if isinstance(b, Mapping)]
    named = "; ".join(
        f"{b.get('bond')} {as_float(b.get('length_nm')):.4f} nm, α = {as_float(b.get('alpha_n_m')):.1f}, β = "
        f"{as_float(b.get('beta_n_m')):.2f} N/m ({b.get('source')})"
        for b in laws
    )
    return [
        f"The atoms were relaxed in Keating's valence force field{w.cite('keating1966')} until no atom felt more than "
        f"{as_float(relax.get('tolerance_nn')):.0e} nN. Natural bond lengths are those of the end members' lattices, force "
        f"constants follow from elastic constants{w.cite('martin1970')} where they are not given: {named}. Coulomb forces, "
        "ligands and surface reconstruction are not modelled."
    ]


def _verification(w: Writer) -> list[str]:
    verification = w.get("verification")
    if not isinstance(verification, Mapping):
        return []
    sets = {k: v for k, v in verification.items() if isinstance(v, Mapping) and v.get("verdict") in ("agrees", "fails")}
    sentences = [
        "The scattering of the atoms themselves, averaged over all orientations (Debye"
        f"{w.cite('debye1915')}), and their sizes and composition were held against the measurements."
    ]
    if not sets:
        return sentences
    numbers = [
        f"{_NAMES.get(k, k)}: reduced χ² = {format_number(as_float(v.get('chi2_reduced')), 2)}, {_chance(v.get('p'))}"
        for k, v in sets.items()
    ]
    threshold = as_float(verification.get("threshold_p"))
    rule = f" (a data set fails below p = {threshold:g})" if threshold > 0 else ""
    failed = [_NAMES.get(k, k) for k, v in sets.items() if v["verdict"] == "fails"]
    verdict = (
        f"{join_words(failed)} speak{'s' if len(failed) == 1 else ''} against the atoms: the verification failed"
        if failed
        else "All of them agree with the atoms"
    )
    return [*sentences, f"{'; '.join(numbers)}{rule}.", f"{verdict}."]


def _chance(p: Any) -> str:
    value = as_float(p)
    if math.isnan(value):
        return "p not stated"
    return "p < 10⁻¹²" if value < 1e-12 else f"p = {format_number(value, digits=2)}"


def diffusion_words(w: Writer) -> list[str]:
    """Diffusivity with its definition, and whether it is determined."""
    number = w.get("diffusion.diffusivity_cm2_s")
    if not isinstance(number, Mapping):
        return []
    element = w.get("diffusion.element") or "the exchanged element"
    definition = str(w.get("diffusion.definition") or "")
    verdict = str(w.get("diffusion.verdict") or "").replace("cm^2/s", "cm²/s")
    grown = [
        f"{v:g} {unit}"
        for v, unit in ((as_float(w.get("diffusion.time_s")), "s"), (as_float(w.get("diffusion.temperature_c")), "°C"))
        if not math.isnan(v)
    ]
    after = f" after {' at '.join(grown)}" if grown else ""
    by = f" by the definition “{definition}”" if definition else ""
    solution = w.cite("crank1975")
    if verdict.startswith("not determined"):
        return [f"The diffusivity of {element}{after}{by}{solution} is {verdict}."]
    sentences = [f"The diffusivity of {element}{after}{by}{solution} is D = {format_quantity(number, 'cm²/s')}."]
    others = [a for a in w.get("diffusion.alternatives") or [] if isinstance(a, Mapping)]
    if others:
        sentences.append("Other definitions read other numbers off the same profile and are reported beside it.")
    return sentences


def mismatch_words(w: Writer) -> list[str]:
    """Largest steps of the lattice and the abrupt interface."""
    parts = []
    for entry in mismatch_stated(w.summary):
        name = str(entry.get("direction", ""))
        abrupt = entry.get("abrupt_percent")
        whole = as_float(abrupt.get("value") if isinstance(abrupt, Mapping) else abrupt)
        beside = "" if math.isnan(whole) else f", of an abrupt interface {format_number(whole, 1)} %"
        where = "" if name == "cubic" else f" along {name}"
        largest = entry.get("maximum_supported_percent", entry["maximum_percent"])
        stated = "not determined" if largest is None else format_quantity(largest, "%")
        parts.append(f"{stated}{where}{beside}")
    if not parts:
        return []
    cited = w.cite("vegard1921", "denton1991")
    judged = all("maximum_supported_percent" in e for e in mismatch_stated(w.summary))
    informed = " that the data inform" if judged else ""
    return [
        f"The lattice of free solid solutions follows from their composition{cited}; the largest step, "
        f"(inner − outer)/inner, between neighbouring shells{informed} is {'; '.join(parts)}."
    ]
