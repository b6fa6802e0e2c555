"""Absorption edges, from XrayDB (Elam, Ravel & Sieber 2002, doi:10.1016/S0969-806X(01)00227-4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from nanostrata.errors import PhysicsError, RecipeError
from nanostrata.tables.elements import atomic_number


@lru_cache(maxsize=256)
def edges_kev(element: str) -> tuple[tuple[str, float], ...]:
    """Return (shell, energy in keV) of every absorption edge of an element."""
    import xraydb

    atomic_number(element)
    found = xraydb.xray_edges("H" if element == "D" else element)
    return tuple((str(name), float(edge.energy) * 1e-3) for name, edge in found.items())


def nearest_edge(energy_kev: float, elements: Iterable[str]) -> tuple[str, str, float]:
    """Return (element, edge, energy minus edge in eV) of the absorption edge nearest to an energy.

    Raises
    ------
    PhysicsError
        When none of the elements has an edge (or none is given).
    """
    near = [(element, name, (energy_kev - edge) * 1e3) for element in elements for name, edge in edges_kev(element)]
    if not near:
        raise PhysicsError(f"nearest_edge: no edge to compare {energy_kev:g} keV with; give at least one element")
    return min(near, key=lambda item: abs(item[2]))


def parse_edge(text: str) -> tuple[str, str, float]:
    """Read "Zn K" or "Pb L3" and return element, shell and energy in keV.

    Raises
    ------
    RecipeError
        When it is not an element and a shell that the element has.
    """
    match = re.fullmatch(r"\s*([A-Z][a-z]?)[\s\-_]*([KLMN]\d?)\s*", text)
    if not match:
        raise RecipeError(f'asaxs.edge: {text!r} is not understood; write for example "Zn K" or "Pb L3"')
    element, shell = match.groups()
    try:
        known = dict(edges_kev(element))
    except RecipeError as error:
        raise RecipeError(f"asaxs.edge: {error}") from None
    if shell not in known:
        raise RecipeError(f"asaxs.edge: {element} has no edge {shell}; it has {', '.join(list(known)[:6])}")
    return element, shell, known[shell]
