"""Usual oxidation states of elements, as cations and as anions."""

from __future__ import annotations

from collections.abc import Mapping

from nanostrata.errors import PhysicsError
from nanostrata.tables.formulas import split_ions

__all__ = ["ANION_STATES", "CATION_STATES", "ion_text", "oxidation_states", "usual_state"]

CATION_STATES: Mapping[str, int] = {
    "H": 1, "Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1, "Cu": 1, "Ag": 1, "Au": 1, "Tl": 1,
    "Be": 2, "Mg": 2, "Ca": 2, "Sr": 2, "Ba": 2, "Mn": 2, "Fe": 2, "Co": 2, "Ni": 2, "Zn": 2, "Cd": 2, "Hg": 2,
    "Pb": 2, "Pd": 2, "Pt": 2, "Eu": 3, "Gd": 3, "Er": 3, "Yb": 3, "Lu": 3,
    "B": 3, "Al": 3, "Ga": 3, "In": 3, "Sc": 3, "Y": 3, "La": 3, "Cr": 3, "Bi": 3, "As": 3, "Sb": 3,
    "C": 4, "Si": 4, "Ge": 4, "Sn": 4, "Ti": 4, "Zr": 4, "Hf": 4, "P": 5,
}  # fmt: skip
"""State of an element that is the cation of a compound. Several elements have others (Fe 3, Sn 2, Cu 2): give them."""

ANION_STATES: Mapping[str, int] = {
    "C": -4, "N": -3, "P": -3, "As": -3, "Sb": -3, "O": -2, "S": -2, "Se": -2, "Te": -2,
    "F": -1, "Cl": -1, "Br": -1, "I": -1,
}  # fmt: skip
"""State of an element that is the anion of a compound."""

_SUPERSCRIPT = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")


def usual_state(element: str, *, anion: bool) -> int | None:
    """Oxidation state of an element as cation or as anion; None where the table has none."""
    return (ANION_STATES if anion else CATION_STATES).get(element)


def oxidation_states(
    composition: Mapping[str, float], given: Mapping[str, int] | None = None
) -> tuple[dict[str, int], dict[str, int]]:
    """Oxidation states of the cations and of the anions of one formula.

    Parameters
    ----------
    composition : element -> atoms
    given : element -> state, in place of the table's

    Returns
    -------
    two dicts; both empty where the formula has no ions (metals, silicon)

    Raises
    ------
    PhysicsError
        When the table has no state for an element and none is given, or a cation is given a negative state.

    Examples
    --------
    >>> oxidation_states({"Ag": 2, "In": 4, "Se": 7})
    ({'Ag': 1, 'In': 3}, {'Se': -2})
    """
    given = given or {}
    out: list[dict[str, int]] = []
    problems: list[str] = []
    for ions, anion in zip(split_ions(composition), (False, True), strict=True):
        states: dict[str, int] = {}
        for element in ions:
            state = given.get(element, usual_state(element, anion=anion))
            if state is None:
                problems.append(
                    f"oxidation: the table has no state of {element} as {'an anion' if anion else 'a cation'}; "
                    f"give one, for example {{{element!r}: {-2 if anion else 2}}}"
                )
            elif (state < 0) is not anion:
                problems.append(
                    f"oxidation: {element} is {'an anion' if anion else 'a cation'} of this formula, "
                    f"expected a {'negative' if anion else 'positive'} state, got {state:+d}"
                )
            else:
                states[element] = state
        out.append(states)
    if problems:
        raise PhysicsError(*problems)
    return out[0], out[1]


def ion_text(element: str, state: int | None) -> str:
    """Return the ion in print: "Zn²⁺", "Ag⁺", "Se²⁻"; the bare symbol without a state.

    Examples
    --------
    >>> ion_text("In", 3)
    'In³⁺'
    """
    if not state:
        return element
    number = str(abs(state)) if abs(state) > 1 else ""
    return element + (number + ("+" if state > 0 else "-")).translate(_SUPERSCRIPT)
