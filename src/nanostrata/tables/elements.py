"""Element symbols: atomic numbers and masses, from gemmi."""

from __future__ import annotations

from functools import lru_cache

from nanostrata.errors import RecipeError


@lru_cache(maxsize=256)
def atomic_number(element: str) -> int:
    """Return Z of an element symbol (D, deuterium, counts as 1).

    Raises
    ------
    RecipeError
        For a symbol that is not an element.
    """
    import gemmi

    found = gemmi.Element(element)
    if found.atomic_number == 0 or found.name != element:
        raise RecipeError(f"{element!r} is not an element symbol; write for example Zn, Se, Cd")
    return int(found.atomic_number)


@lru_cache(maxsize=256)
def atomic_mass(element: str) -> float:
    """Return the standard atomic weight, g/mol.

    Raises
    ------
    RecipeError
        For a symbol that is not an element.
    """
    import gemmi

    atomic_number(element)
    return float(gemmi.Element(element).weight)
