"""Sentences of the methods text on wide-angle peaks."""

from __future__ import annotations

from collections.abc import Mapping

from nanostrata.interfaces.formatting import as_float, format_quantity, join_words
from nanostrata.interfaces.methods_writer import Writer

__all__ = ["waxs_words"]


def waxs_words(w: Writer) -> list[str]:
    """How the peaks were fitted, lattice constants, and what was said of the shape."""
    found = w.get("waxs")
    if not isinstance(found, Mapping):
        return []
    peaks = [p for p in found.get("peaks") or [] if isinstance(p, Mapping)]
    shape = "pseudo-Voigt" if found.get("shape") == "pseudo_voigt" else "Gaussian"
    tied = "through the lattice constants" if found.get("positions") == "lattice" else "not at all (free positions)"
    constants = join_words(
        [f"{n} = {format_quantity(found[f'{n}_nm'], 'nm')}" for n in "abc" if isinstance(found.get(f"{n}_nm"), Mapping)]
    )
    names = join_words([str(p.get("hkl")) for p in peaks])
    sentences = [
        f"Wide-angle reflections {names} of {found.get('structure')} were fitted with {shape} peaks on a smooth background; heights and "
        f"background follow exactly from the other parameters{w.cite('golub1973')}, positions are tied {tied}.",
        f"This gives {constants}.",
    ]
    width = max((as_float(p.get("instrument_fwhm_inv_nm")) for p in peaks), default=0.0)
    k = as_float(peaks[0].get("scherrer_k")) if peaks else 0.9
    sentences.append(
        f"Scherrer sizes are 2πK over the full width with K = {k:g}"
        + (
            f", after subtraction of the instrument's width (up to {width:.2f} nm⁻¹) in squares."
            if width > 0
            else "; the instrument's width is not known, so that they are lower bounds."
        )
    )
    axis = found.get("long_axis")
    if isinstance(axis, Mapping) and isinstance(axis.get("probability"), Mapping):
        first, p = next(iter(axis["probability"].items()))
        what = (
            "round particles"
            if first == "none"
            else f"particles {first if first.startswith('flat') else 'long along ' + first}"
        )
        sentences.append(
            "Whole patterns of round, prolate and oblate particles with stacking faults and a spread of the lattice constant were "
            f"compared by evidence: {what} have a probability of {100 * as_float(p):.0f} % (verdict: {axis.get('verdict')}); the mean "
            f"diameter of the best of them is {format_quantity(axis.get('diameter_nm'), 'nm')}."
        )
    whole = found.get("whole_pattern")
    if isinstance(whole, Mapping) and "not_computed" not in whole:
        sentences.append(
            f"The whole pattern was fitted with exact sums over the pairs of explicit atoms{w.cite('debye1915')} of particles "
            + (
                "with composition profiles drawn from the posterior"
                if whole.get("profile_draws")
                else "of one composition"
            )
            + f", of many sizes and probabilities of stacking faults, {whole.get('particles_per_size')} of each: mean diameter "
            f"{format_quantity(whole.get('diameter_mean_nm'), 'nm')}, reduced χ² {as_float(whole.get('chi2_reduced')):.2f}."
        )
    return sentences
