"""Chemical formulas: element counts, masses, which elements are anions, oxidation states."""

from __future__ import annotations

import re
from functools import lru_cache

from nanostrata.errors import RecipeError
from nanostrata.tables.factors import atomic_number

ANIONS = frozenset({"N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Sb", "Te", "I"})
"""Elements that are read as anions when a formula also holds another element."""

OXIDATION = {
    "O": -2, "S": -2, "Se": -2, "Te": -2, "N": -3, "P": -3, "As": -3, "Sb": -3, "F": -1, "Cl": -1, "Br": -1, "I": -1,
    "Ag": 1, "Cu": 1, "Li": 1, "Na": 1, "K": 1, "Cs": 1, "Zn": 2, "Cd": 2, "Hg": 2, "Pb": 2, "Sn": 2, "Mg": 2, "Ca": 2,
    "Sr": 2, "Ba": 2, "Mn": 2, "Fe": 2, "Co": 2, "Ni": 2, "Al": 3, "Ga": 3, "In": 3, "Ge": 4, "Si": 4,
}  # fmt: skip
"""Common oxidation states in binary and ternary semiconductors."""

_TOKEN = re.compile(r"([A-Z][a-z]?)|(\()|(\))|(\d+(?:\.\d+)?)|(\s+)")


@lru_cache(maxsize=512)
def _parsed(formula: str) -> tuple[tuple[str, float], ...]:
    position = 0
    stacks: list[dict[str, float]] = [{}]
    last: dict[str, float] | None = None
    while position < len(formula):
        match = _TOKEN.match(formula, position)
        if not match:
            raise RecipeError(f'formula {formula!r}: {formula[position]!r} is not understood; write for example "Ag2In4Se7"')
        element, opening, closing, number, _ = match.groups()
        if element:
            atomic_number(element)
            last = {element: 1.0}
            stacks[-1][element] = stacks[-1].get(element, 0.0) + 1.0
        elif opening:
            stacks.append({})
            last = None
        elif closing:
            if len(stacks) == 1:
                raise RecipeError(f"formula {formula!r}: a bracket closes that was not opened")
            last = stacks.pop()
            for e, n in last.items():
                stacks[-1][e] = stacks[-1].get(e, 0.0) + n
        elif number:
            if last is None:
                raise RecipeError(f"formula {formula!r}: the number {number} follows no element")
            for e, n in last.items():
                stacks[-1][e] += n * (float(number) - 1.0)
            last = None
        position = match.end()
    if len(stacks) != 1:
        raise RecipeError(f"formula {formula!r}: a bracket is not closed")
    counts = {e: n for e, n in stacks[0].items() if n > 0}
    if not counts:
        raise RecipeError(f'formula {formula!r}: no element found; write for example "ZnSe"')
    return tuple(counts.items())


def parse_formula(formula: str) -> dict[str, float]:
    """Return element -> count of a formula such as "Ag2In4Se7" or "Cd0.5Zn0.5(Se)".

    Raises
    ------
    RecipeError
        When a symbol is not an element or the brackets do not match.
    """
    return dict(_parsed(formula.strip()))


@lru_cache(maxsize=256)
def atomic_mass(element: str) -> float:
    """Return the standard atomic weight, g/mol."""
    import gemmi

    return float(gemmi.Element(element).weight)


def split_ions(counts: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return cations and anions; a formula without an anion (a metal, silicon) has no cations either: all are "metal"."""
    anions = {e: n for e, n in counts.items() if e in ANIONS}
    cations = {e: n for e, n in counts.items() if e not in ANIONS}
    return (cations, anions) if cations and anions else ({}, {})
