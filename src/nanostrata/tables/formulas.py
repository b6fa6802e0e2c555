"""Chemical formulas: element counts, and which elements are anions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from nanostrata.errors import RecipeError
from nanostrata.tables.elements import atomic_mass, atomic_number

__all__ = ["ANIONS", "atomic_mass", "parse_formula", "split_ions"]

ANIONS = frozenset({"C", "N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Sb", "Te", "I"})
"""Elements that are read as anions when a formula also holds another element."""

_EITHER = ("C", "P", "As", "Sb")
"""Anions of InP and GaSb, cations of CuSbS2 and Sb2Te3."""

_TOKEN = re.compile(r"([A-Z][a-z]?)|(\()|(\))|(\d+(?:\.\d+)?|\.\d+)|(\s+)")


def _unknown(formula: str, position: int) -> RecipeError:
    sign = formula[position]
    hint = "; symbols start with a capital letter" if sign.islower() else ""
    return RecipeError(
        f'formula {formula!r}: {sign!r} at place {position + 1} is not understood{hint}; write for example "Ag2In4Se7"'
    )


@lru_cache(maxsize=512)
def _parsed(formula: str) -> tuple[tuple[str, float], ...]:
    position = 0
    stacks: list[dict[str, float]] = [{}]
    last: dict[str, float] | None = None
    while position < len(formula):
        match = _TOKEN.match(formula, position)
        if not match:
            raise _unknown(formula, position)
        element, opening, closing, number, _ = match.groups()
        if element:
            _check_symbol(formula, element)
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
            if float(number) == 0.0:
                raise RecipeError(f"formula {formula!r}: a count of 0; leave the element out")
            for e, n in last.items():
                stacks[-1][e] += n * (float(number) - 1.0)
            last = None
        position = match.end()
    if len(stacks) != 1:
        raise RecipeError(f"formula {formula!r}: a bracket is not closed")
    if not stacks[0]:
        raise RecipeError(f'formula {formula!r}: no element found; write for example "ZnSe"')
    return tuple(stacks[0].items())


def _check_symbol(formula: str, element: str) -> None:
    try:
        atomic_number(element)
    except RecipeError as error:
        raise RecipeError(f"formula {formula!r}: {error}") from None


def parse_formula(formula: str) -> dict[str, float]:
    """Return element -> count of a formula such as "Ag2In4Se7" or "(Cd0.5Zn0.5)Se".

    Raises
    ------
    RecipeError
        When a symbol is not an element, a number follows no element or is 0, or the brackets do not match.

    Examples
    --------
    >>> parse_formula("(Cd0.5Zn0.5)2Se2")
    {'Cd': 1.0, 'Zn': 1.0, 'Se': 2.0}
    """
    return dict(_parsed(formula.strip()))


def split_ions(counts: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return cations and anions of one formula; two empty dicts when it has no anion (a metal, silicon).

    C, P, As and Sb can be either: they are anions (InP, GaAs) unless the numbers of cations and anions come out more
    alike with them as cations (CuSbS2, Sb2Te3). Judge a single formula, never the elements of two together.
    """
    plain = _assign(counts, frozenset())
    either = frozenset(e for e in _EITHER if e in counts)
    if either and len(counts) > 1:
        return min(plain, _assign(counts, either), key=_imbalance)  # the first, plain, where they are equal
    return plain


def _assign(counts: Mapping[str, float], moved: frozenset[str]) -> tuple[dict[str, float], dict[str, float]]:
    anions = {e: n for e, n in counts.items() if e in ANIONS and e not in moved}
    cations = {e: n for e, n in counts.items() if e not in anions}
    return (cations, anions) if cations and anions else ({}, {})


def _imbalance(ions: tuple[dict[str, float], dict[str, float]]) -> float:
    cations, anions = sum(ions[0].values()), sum(ions[1].values())
    return abs(math.log(cations / anions)) if cations and anions else math.inf
