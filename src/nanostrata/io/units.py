"""Which unit is q in: declared, else stated in the file, else refused. Never guessed from the numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "StatedUnit",
    "canonical_q_unit",
    "header_intensity_unit",
    "header_q_unit",
    "intensity_factor",
    "length_nm",
    "q_factor",
    "resolve_q_unit",
]

# 1/unit times this is 1/nm. Written as powers of ten, so that a conversion adds no rounding of its own.
_PER_NM: Final[dict[str, float]] = {
    "nm": 1.0,
    "angstrom": 10.0,
    "pm": 1000.0,
    "um": 1e-3,
    "mm": 1e-6,
    "cm": 1e-7,
    "m": 1e-9,
}

_WORDS: Final[dict[str, str]] = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), "nm"),
    **dict.fromkeys(("å", "ang", "angs", "angstrom", "angstroms", "angström", "ångstrom", "ångström"), "angstrom"),
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometre"), "um"),
    **dict.fromkeys(("meter", "metre"), "m"),
}
# Here the case decides: "a" is a lattice constant, "M" is molar.
_EXACT_WORDS: Final[dict[str, str]] = {
    "A": "angstrom",
    "AA": "angstrom",
    "pm": "pm",
    "um": "um",
    "μm": "um",
    "mm": "mm",
    "cm": "cm",
    "m": "m",
}

_HOW: Final[str] = 'write q_unit = "1/nm" or q_unit = "1/angstrom" for this curve'


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedUnit:
    """What a file says about the unit of q.

    Attributes
    ----------
    names : the units understood, canonical ("1/nm"); none when the file says nothing or nothing understandable
    where : place of each of ``names`` in the file
    text : what stands there when it was not understood
    """

    names: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    text: str = ""


def _plain(text: str) -> str:
    # NFKC makes one sign of the two Angstrom signs and plain digits of superscripts.
    s = unicodedata.normalize("NFKC", text)
    s = re.sub("[\u2212\u2010\u2011\u2012\u2013\u2014]", "-", s).replace("**", "^").replace("\u2044", "/")
    return re.sub(r"[\\${}]|mathrm|\\rm\b", "", s)


def _length_word(word: str) -> str | None:
    return _EXACT_WORDS.get(word) or _WORDS.get(word.lower())


_WHOLE = tuple(
    re.compile(p)
    for p in (
        r"1?/(?P<w>[^\W\d_]+)",
        r"(?P<w>[^\W\d_]+)\^?-1",
        r"(?i:inverse|inv|per|reciprocal)[_.-]*(?P<w>[^\W\d_]+)",
    )
)


def _per_length(text: str) -> str | None:
    s = re.sub(r"[\s()\[\]]", "", _plain(text))
    for pattern in _WHOLE:
        match = pattern.fullmatch(s)
        if match and (word := _length_word(match["w"])):
            return word
    return None


def canonical_q_unit(text: str) -> str | None:
    """Return "1/nm", "1/angstrom", … for any of their usual spellings; None for what is none.

    Examples
    --------
    >>> [canonical_q_unit(t) for t in ("nm^-1", "1/A", "Å⁻¹", "inv_nm", "furlong")]
    ['1/nm', '1/angstrom', '1/angstrom', '1/nm', None]
    """
    word = _per_length(text)
    return f"1/{word}" if word else None


def q_factor(unit: str) -> float:
    """Return the factor from a canonical unit of q to 1/nm."""
    return _PER_NM[unit.removeprefix("1/")]


def length_nm(value: float, unit: str) -> float | None:
    """Return a length (a wavelength) in nm; None for a unit that is not understood."""
    word = _length_word(_plain(unit).strip())
    return value / _PER_NM[word] if word else None


def intensity_factor(text: str) -> tuple[float, str]:
    """Return the factor to the unit that intensities are kept in, and that unit ("1/cm", or "arb" for all others).

    "1/cm/sr" is the same as "1/cm".
    """
    s = re.sub(r"[\s*·]*(?:/?\(?sr\)?(?:\^?-1)?)$", "", _plain(text).strip())
    word = _per_length(s)
    if word is None:
        return 1.0, "arb"
    return (1.0 if word == "cm" else _PER_NM[word] / _PER_NM["cm"]), "1/cm"


# ---- units inside header lines -------------------------------------------------------------------------------------
_W = r"(?P<w>(?i:nanomet(?:er|re)s?|nm|[aå]ngstr[oö]ms?|angs?|å)|AA|A)(?![^\W_])"
_MINUS_ONE = r"\s?(?:\)|\])?(?:\^\s*\(?\s*)?-\s?1(?![\d.])"
_FORMS = (
    r"(?<![\d.^])1\s*/\s*\(?\s*" + _W,
    r"(?<![^\W_])" + _W + _MINUS_ONE,
    r"(?<![^\W_])(?i:inverse|inv|per|reciprocal)[\s._-]*" + _W,
)
_AFTER_Q = tuple(re.compile(r"(?<![^\W_])[qQ]\|?[\s_(\[,;/:=\"'|]*(?:in\s+)?" + f) for f in _FORMS)
_ANYWHERE = tuple(re.compile(f) for f in _FORMS)
_CM = re.compile(
    r"(?<![\d.^])1\s*/\s*\(?\s*cm(?![^\W_])|(?<![^\W_])cm" + _MINUS_ONE + r"|(?i:inv|per)[\s._-]*cm(?![^\W_])"
)


def header_q_unit(header: Sequence[tuple[int, str]]) -> StatedUnit:
    """Find the unit of q in header lines.

    A unit right behind the name q decides. Only where no line has one, a reciprocal length anywhere in the header is
    taken, except a bare "A" outside brackets ("sample A-1" is no unit).

    Parameters
    ----------
    header : line number and text of each header line
    """
    found = [(u, n) for n, line in header for u in _matches(_AFTER_Q, _plain(line), bare=True)]
    if not found:
        found = [(u, n) for n, line in header for u in _matches(_ANYWHERE, _plain(line), bare=False)]
    first: dict[str, int] = {}
    for unit, n in found:
        first.setdefault(unit, n)
    return StatedUnit(names=tuple(first), where=tuple(f"header line {n}" for n in first.values()))


def _matches(patterns: Sequence[re.Pattern[str]], line: str, *, bare: bool) -> list[str]:
    found = []
    for pattern in patterns:
        for match in pattern.finditer(line):
            word = _length_word(match["w"])
            if word is None:
                continue
            bracketed = (match.start() > 0 and line[match.start() - 1] in "([") or match[0].startswith("1")
            if match["w"] == "A" and not (bare or bracketed or "^" in match[0]):
                continue
            found.append((match.start(), f"1/{word}"))
    return [u for _, u in sorted(found)]


def header_intensity_unit(header: Sequence[tuple[int, str]]) -> tuple[str, str]:
    """Return ("1/cm", place) where a header line names it, else ("arb", "")."""
    for n, line in header:
        if _CM.search(_plain(line)):
            return "1/cm", f"header line {n}"
    return "arb", ""


# ---- declared against stated ---------------------------------------------------------------------------------------
def resolve_q_unit(
    declared: str | None, stated: StatedUnit, file: str, span: str, problems: list[str], notes: list[str]
) -> str | None:
    """Decide the unit of q, or note the problem and return None.

    Parameters
    ----------
    declared : what the user wrote, or None
    stated : what the file says
    file : name for messages
    span : the numbers in the q column, for messages ("0.0055 to 0.4")
    problems, notes : sentences are appended
    """
    unit = canonical_q_unit(declared) if declared is not None else None
    if declared is not None and unit is None:
        problems.append(f"{file}: q_unit = {declared!r} is not a unit of q; {_HOW}")
        return None
    places = ", ".join(f"{u} ({w})" for u, w in zip(stated.names, stated.where, strict=True))
    if unit is None:
        if len(stated.names) == 1:
            unit = stated.names[0]
            source = stated.where[0]
        else:
            if stated.names:
                problems.append(f"{file}: the file names more than one unit of q: {places}; {_HOW}")
            elif stated.text:
                problems.append(f"{file}: the unit of q is {stated.text}, which is no unit of q; {_HOW}")
            else:
                problems.append(f"{file}: the unit of q is not stated in the file (q runs from {span}); {_HOW}")
            return None
    else:
        source = "declared"
        if stated.names and unit not in stated.names:
            problems.append(
                f'{file}: q_unit = "{unit}" is declared, but the file says {places}; correct the one that is wrong, or '
                "leave q_unit out to go by the file"
            )
            return None
        if len(stated.names) > 1:
            notes.append(f"the file names {places}; the declared {unit} is used")
        elif stated.text:
            notes.append(f"the file gives the unit of q as {stated.text}; the declared {unit} is used")
        elif stated.names:
            source = f"declared, and {stated.where[0]}"
    factor = q_factor(unit)
    notes.append(f"q is in {unit} ({source})" + ("" if factor == 1.0 else f"; multiplied by {factor:g} to 1/nm"))
    return unit
