"""The unit of q: declared, else stated in the file, else refused. Never guessed."""

from __future__ import annotations

import re

from nanostrata.errors import DataError

NM, ANGSTROM = "1/nm", "1/angstrom"
TO_INV_NM = {NM: 1.0, ANGSTROM: 10.0, "1/um": 1e-3, "1/pm": 1e3, "1/m": 1e-9, "1/cm": 1e-7}
"""Factor that turns a q in this unit into 1/nm."""

HOW = 'write q_unit = "1/nm" or q_unit = "1/angstrom" for this curve'

_SPELLINGS = {
    "nm": NM, "nanometer": NM, "nanometre": NM, "nanometers": NM, "nanometres": NM, "a": ANGSTROM, "å": ANGSTROM,
    "ang": ANGSTROM, "angstrom": ANGSTROM, "angstroms": ANGSTROM, "ångström": ANGSTROM, "ångstrom": ANGSTROM,
    "aa": ANGSTROM, "um": "1/um", "µm": "1/um", "μm": "1/um", "pm": "1/pm", "m": "1/m", "cm": "1/cm",
}  # fmt: skip
_LENGTH = r"(?P<len>nm|nanomet(?:er|re)s?|ångström|ångstrom|angstroms?|ang|aa|[aå]|[uµμ]m|pm|cm|m)"
_FORMS = (
    re.compile(rf"^1\s*/\s*\(?{_LENGTH}\)?$"),
    re.compile(rf"^{_LENGTH}\s*\^?\s*\{{?\(?\s*[-−–]\s*1\s*\)?\}}?$"),
    re.compile(rf"^{_LENGTH}\s*⁻¹$"),
    re.compile(rf"^inv(?:erse)?[_\s]*{_LENGTH}$"),
    re.compile(rf"^per[_\s]+{_LENGTH}$"),
)
_IN_TEXT = re.compile(
    r"(?:\b|_|^)(?:q|s|scattering[ _]vector|momentum[ _]transfer)(?:\s*|_)(?P<rest>"
    r"[\(\[\{<]\s*[^\)\]\}>]{1,24}[\)\]\}>]|_?inv(?:erse)?_[a-zå]+|\s*,?\s*(?:in\s+)?(?:1\s*/\s*[a-zµåÅ]+|[a-zµåÅ]+\s*\^?\s*\{?\(?[-−]1\)?\}?|[a-zµåÅ]+⁻¹))",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(
    r"(?<![a-z])(1\s*/\s*(?:nm|angstroms?|ang|å|a)(?![a-z])|(?:nm|angstroms?|ang|å|a)\s*\^?\s*\{?\(?[-−]\s*1\)?\}?(?!\d)|(?:nm|å|a)⁻¹|inv_(?:nm|angstrom|a)(?![a-z]))",
    re.IGNORECASE,
)


def parse_unit(text: str) -> str | None:
    """Return the canonical name ("1/nm", "1/angstrom", …) of one way to write it, or None."""
    plain = text.strip().strip("()[]{}<>").strip().lower().replace("ångstroem", "ångström")
    for form in _FORMS:
        match = form.match(plain)
        if match:
            return _SPELLINGS[match["len"]]
    return None


def unit_in_header(lines: list[str]) -> set[str]:
    """Return every unit of q that header lines state."""
    found: set[str] = set()
    for line in lines:
        for match in _IN_TEXT.finditer(line):
            unit = parse_unit(match["rest"].strip("_ ,").removeprefix("in ").strip())
            if unit:
                found.add(unit)
    if not found:
        for line in lines:
            found |= {u for m in _ANYWHERE.finditer(line) if (u := parse_unit(m.group(0)))}
    return found


def resolve(name: str, declared: str | None, stated: set[str], *, where: str = "header") -> tuple[float, str]:
    """Return the factor to 1/nm and the unit, or say why it is not known.

    Parameters
    ----------
    name : file, for messages
    declared : what the project file says, or None
    stated : units that the file itself states

    Raises
    ------
    DataError
        For an unknown declaration, a contradiction, or no statement at all.
    """
    unit = None
    if declared is not None:
        unit = parse_unit(declared)
        if unit is None:
            raise DataError(f"{name}: q_unit = {declared!r} is not understood; {HOW}")
    if len(stated) > 1:
        raise DataError(f"{name}: the {where} states several units of q ({', '.join(sorted(stated))}); correct it, or {HOW} and rename the column")
    if stated:
        there = next(iter(stated))
        if unit is not None and unit != there:
            raise DataError(f"{name}: q_unit = {declared!r} contradicts the {where}, which says {there}; correct one of them")
        unit = there
    if unit is None:
        raise DataError(f"{name}: the unit of q is not stated in the file and not declared; {HOW}")
    return TO_INV_NM[unit], unit
