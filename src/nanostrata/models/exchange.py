"""Which ions must change places when core material becomes shell material, charge and sites kept."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from nanostrata.domain import Material
from nanostrata.domain.base import Domain
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.tables.formulas import split_ions
from nanostrata.tables.oxidation import ion_text, oxidation_states

__all__ = [
    "VACANCY",
    "ExchangeScheme",
    "ExchangeUnit",
    "IonCount",
    "element_states",
    "exchange_scheme",
    "member_states",
]

VACANCY = "X"
"""Symbol of an empty site."""

MOVE_SITES = 12
"""Largest number of sites of the smaller moves that are searched."""

_LARGEST_DENOMINATOR = 1000
_RATIO_TOLERANCE = 1e-9

Amounts: TypeAlias = dict[tuple[str, str], Fraction]
"""Atoms (and vacancies) per shared site by sublattice and symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IonCount(Domain):
    """A number of equal ions, or of vacancies, on one sublattice.

    Attributes
    ----------
    symbol : element, or "X" for a vacancy
    sublattice : "cation", "anion", or "atom" where there are no ions
    count : whole number > 0
    state : oxidation state; 0 for vacancies and where there are no ions
    """

    symbol: str
    sublattice: str
    count: int
    state: int

    def text(self) -> str:
        """Return for example "7 Zn²⁺" or "1 vacancy"."""
        if self.symbol == VACANCY:
            kind = "" if self.sublattice == "cation" else f"{self.sublattice} "
            return f"{self.count} {kind}vacanc{'y' if self.count == 1 else 'ies'}"
        return f"{self.count} {ion_text(self.symbol, self.state)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeUnit(Domain):
    """Ions that enter for ions that leave when core material becomes shell material.

    Attributes
    ----------
    entering, leaving : ions (and vacancies) by sublattice
    ionic : the materials have ions, so that charge means something
    """

    entering: tuple[IonCount, ...]
    leaving: tuple[IonCount, ...]
    ionic: bool

    @property
    def charge_entering(self) -> int:
        """Charge of what enters, elementary charges."""
        return sum(i.count * i.state for i in self.entering)

    @property
    def charge_leaving(self) -> int:
        """Charge of what leaves, elementary charges."""
        return sum(i.count * i.state for i in self.leaving)

    @property
    def sites_entering(self) -> dict[str, int]:
        """Sites of each sublattice that the entering ions and vacancies take."""
        return _sites(self.entering)

    @property
    def sites_leaving(self) -> dict[str, int]:
        """Sites of each sublattice that the leaving ions and vacancies give up."""
        return _sites(self.leaving)

    @property
    def vacancies_entering(self) -> int:
        """Vacancies that are made."""
        return sum(i.count for i in self.entering if i.symbol == VACANCY)

    @property
    def vacancies_leaving(self) -> int:
        """Vacancies that are filled."""
        return sum(i.count for i in self.leaving if i.symbol == VACANCY)

    @property
    def charge_neutral(self) -> bool:
        """Both sides carry the same charge."""
        return self.charge_entering == self.charge_leaving

    @property
    def site_neutral(self) -> bool:
        """Both sides take the same sites on each sublattice."""
        return self.sites_entering == self.sites_leaving

    def formula(self) -> str:
        """Return for example "7 Zn²⁺ ↔ 2 Ag⁺ + 4 In³⁺ + 1 vacancy"."""
        return " ↔ ".join(" + ".join(i.text() for i in side) for side in (self.entering, self.leaving))

    def sentence(self) -> str:
        """Say in words what changes places, with charge and sites."""
        sites = " and ".join(f"{n} {s} site{'s' if n > 1 else ''}" for s, n in self.sites_entering.items())
        if not self.ionic:
            return f"{self.formula()}: {sites} on each side; no ions, so no charge"
        if self.charge_neutral:
            charge = f"{self.charge_entering:+d}" if self.charge_entering else "0"
            return f"{self.formula()}: charge {charge} and {sites} on each side"
        return (
            f"{self.formula()}: {sites} on each side, but charge {self.charge_entering:+d} enters for "
            f"{self.charge_leaving:+d}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeScheme(Domain):
    """The exchange between two end members.

    Attributes
    ----------
    core, shell : formulas
    unit : smallest whole-number exchange that turns core material into shell material
    shared_sites : shared sites (anions, or cations) that one unit turns from core into shell material
    moves : smallest exchanges of the same ions, each neutral in charge and sites, that only together make the unit; empty
        where the unit itself is the smallest
    charge_per_site : charge of core and shell material per shared site as their formulas say, elementary charges; 0 for
        neutral materials
    message : what is wrong with the charges, or why there are none; empty where both materials are neutral
    """

    core: str
    shell: str
    unit: ExchangeUnit
    shared_sites: float
    moves: tuple[ExchangeUnit, ...]
    charge_per_site: tuple[float, float]
    message: str

    @property
    def neutral(self) -> bool:
        """Both materials have ions, and neither carries a net charge."""
        return self.unit.ionic and not any(self.charge_per_site)

    def sentence(self) -> str:
        """Say in words what the exchange is, its smaller parts, and what is wrong, if anything."""
        text = f"From {self.core} to {self.shell}: {self.unit.sentence()}."
        if self.moves:
            text += " Smaller neutral moves: " + "; ".join(m.formula() for m in self.moves) + "."
        return text + (f" {self.message}" if self.message else "")


def exchange_scheme(solid: SolidSolution, oxidation: Mapping[str, int] | None = None) -> ExchangeScheme:
    r"""Find the smallest exchange of ions between core and shell material.

    With :math:`n_{es}` atoms of species e on sublattice s per shared site, vacancies counted as a species of charge 0,
    shell minus core is :math:`d_{es}`, and the unit is :math:`N d` with N the smallest number that makes all entries
    whole without a common divisor. Its sites balance on each sublattice because both materials have the same sites; its
    charge balances because (and only if) both materials have the same charge per site. Smaller moves are the minimal
    whole-number solutions of the same balance with the same ions (none is a sum of others), searched up to
    :data:`MOVE_SITES` sites.

    Parameters
    ----------
    solid : two end members
    oxidation : element -> oxidation state, in place of the usual one

    Returns
    -------
    ExchangeScheme

    Raises
    ------
    PhysicsError
        For one material only, an element without a state, amounts that are no ratio of whole numbers up to 1000, or end
        members with different sites on a sublattice.

    Notes
    -----
    A material that is not neutral with these states (a cation-rich core, or a state that the usual table has wrong) is
    not repaired: ``message`` says so, and ``unit.charge_neutral`` is False where the two sides then differ.

    Examples
    --------
    For Ag2In4Se7 and ZnSe the unit is 7 Zn²⁺ ↔ 2 Ag⁺ + 4 In³⁺ + 1 vacancy, and the smaller moves are
    2 Zn²⁺ ↔ 1 Ag⁺ + 1 In³⁺ and 3 Zn²⁺ ↔ 2 In³⁺ + 1 vacancy.
    """
    if solid.shell is None:
        raise PhysicsError("exchange: there is one material only; nothing is exchanged")
    core, shell = _amounts(solid.core), _amounts(solid.shell)
    _same_sites(solid.core, solid.shell)
    states = member_states(solid.core, oxidation) | member_states(solid.shell, oxidation)
    order = {e: k for k, e in enumerate((*solid.elements, VACANCY))}
    keys = sorted({*core, *shell}, key=lambda k: (("cation", "anion", "atom").index(k[0]), order[k[1]]))
    change = {k: shell.get(k, Fraction(0)) - core.get(k, Fraction(0)) for k in keys}
    change = {k: v for k, v in change.items() if v}
    if not change:
        raise PhysicsError(
            f"exchange: {solid.core.name} and {solid.shell.name} have the same atoms; nothing is exchanged"
        )
    shared = math.lcm(*(v.denominator for v in change.values()))
    divisor = math.gcd(*(int(v * shared) for v in change.values()))
    whole = {k: int(v * shared) // divisor for k, v in change.items()}
    ionic = "atom" not in {k[0] for k in keys}
    unit = _unit({k: v for k, v in whole.items() if v > 0}, {k: -v for k, v in whole.items() if v < 0}, states, ionic)
    charges = (_charge(core, states), _charge(shell, states))
    return ExchangeScheme(
        core=solid.core.name,
        shell=solid.shell.name,
        unit=unit,
        shared_sites=shared / divisor,
        moves=tuple(m for m in _moves(unit, ionic) if m != unit),
        charge_per_site=(float(charges[0]), float(charges[1])),
        message=_message(solid, states, charges, ionic),
    )


def member_states(material: Material, oxidation: Mapping[str, int] | None = None) -> dict[tuple[str, str], int]:
    """Oxidation states of one material by sublattice and symbol, the vacancy's 0 included; all 0 without ions."""
    cations, anions = oxidation_states(material.composition, oxidation)
    if not anions:
        return {("atom", e): 0 for e in (*material.composition, VACANCY)}
    out = {("cation", e): n for e, n in cations.items()} | {("anion", e): n for e, n in anions.items()}
    return out | {("cation", VACANCY): 0, ("anion", VACANCY): 0}


def element_states(solid: SolidSolution, oxidation: Mapping[str, int] | None = None) -> dict[str, int]:
    """Oxidation state of each element, for files that want one charge per element; empty without ions.

    Raises
    ------
    PhysicsError
        For an element that is a cation in one material and an anion in the other.
    """
    out: dict[str, int] = {}
    for material in (solid.core, *([solid.shell] if solid.shell is not None else [])):
        for (sublattice, element), state in member_states(material, oxidation).items():
            if element == VACANCY or sublattice == "atom":
                continue
            if out.setdefault(element, state) != state:
                raise PhysicsError(
                    f"oxidation: {element} is {out[element]:+d} in one material and {state:+d} in the other"
                )
    return out


# ------------------------------------------------------------------------------------------------------- inner


def _amounts(material: Material) -> Amounts:
    """Atoms and vacancies per shared site as fractions."""
    cations, anions = split_ions(material.composition)
    groups = {"cation": cations, "anion": anions} if anions else {"atom": dict(material.composition)}
    out: Amounts = {}
    for (name, group), sites in zip(groups.items(), material.sublattice_sites, strict=False):
        for element, n in group.items():
            out[name, element] = _ratio(n, material.name, element)
        vacant = _ratio(sites, material.name, "sites") - sum(out[name, e] for e in group)
        if vacant < 0:
            raise PhysicsError(
                f"exchange: {material.name} has {float(sites - vacant):.4g} {name}s for {sites:.4g} {name} sites; "
                "there is no lattice to exchange them on"
            )
        if vacant:
            out[name, VACANCY] = vacant
    return out


def _ratio(value: float, name: str, what: str) -> Fraction:
    ratio = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(float(ratio) - value) > _RATIO_TOLERANCE:
        raise PhysicsError(
            f"exchange: {what} of {name}, {value:.9g} for each shared site, is no ratio of whole numbers up to "
            f"{_LARGEST_DENOMINATOR}; round the formula"
        )
    return ratio


def _same_sites(core: Material, shell: Material) -> None:
    if not all(math.isclose(a, b) for a, b in zip(core.sublattice_sites, shell.sublattice_sites, strict=True)):
        raise PhysicsError(
            f"exchange: {core.name} has {core.sublattice_sites} cation and anion sites for each shared site and {shell.name} "
            f"{shell.sublattice_sites}; ions cannot be exchanged site by site"
        )


def _charge(amounts: Amounts, states: Mapping[tuple[str, str], int]) -> Fraction:
    return sum((n * states[k] for k, n in amounts.items()), Fraction(0))


def _sites(ions: Sequence[IonCount]) -> dict[str, int]:
    out: dict[str, int] = defaultdict(int)
    for i in ions:
        out[i.sublattice] += i.count
    return dict(out)


def _unit(
    entering: Mapping[tuple[str, str], int],
    leaving: Mapping[tuple[str, str], int],
    states: Mapping[tuple[str, str], int],
    ionic: bool,
) -> ExchangeUnit:
    sides = [
        tuple(IonCount(symbol=k[1], sublattice=k[0], count=n, state=states[k]) for k, n in side.items() if n)
        for side in (entering, leaving)
    ]
    return ExchangeUnit(entering=sides[0], leaving=sides[1], ionic=ionic)


def _moves(unit: ExchangeUnit, ionic: bool) -> list[ExchangeUnit]:
    """Minimal balanced exchanges of the ions of a unit, the smallest first."""
    table: dict[tuple[tuple[tuple[str, int], ...], int], list[tuple[int, ...]]] = defaultdict(list)
    for counts in _choices(len(unit.entering), MOVE_SITES):
        table[_balance(unit.entering, counts)].append(counts)
    found = [
        (enter, leave)
        for leave in _choices(len(unit.leaving), MOVE_SITES)
        for enter in table.get(_balance(unit.leaving, leave), [])
    ]
    found.sort(key=lambda m: (sum(m[0]), m))
    kept: list[tuple[int, ...]] = []
    for enter, leave in found:
        both = enter + leave
        if not any(all(a <= b for a, b in zip(old, both, strict=True)) for old in kept):
            kept.append(both)
    states = {(i.sublattice, i.symbol): i.state for i in (*unit.entering, *unit.leaving)}
    n = len(unit.entering)
    out = []
    for both in kept:
        enter_by = {(i.sublattice, i.symbol): k for i, k in zip(unit.entering, both[:n], strict=True)}
        leave_by = {(i.sublattice, i.symbol): k for i, k in zip(unit.leaving, both[n:], strict=True)}
        out.append(_unit(enter_by, leave_by, states, ionic))
    return out


def _choices(kinds: int, most: int) -> Iterator[tuple[int, ...]]:
    """All counts of several kinds that sum to 1..most."""

    def grow(left: int, room: int) -> Iterator[tuple[int, ...]]:
        if left == 0:
            yield ()
            return
        for n in range(room + 1):
            for rest in grow(left - 1, room - n):
                yield (n, *rest)

    return (c for c in grow(kinds, most) if any(c))


def _balance(ions: Sequence[IonCount], counts: Sequence[int]) -> tuple[tuple[tuple[str, int], ...], int]:
    sites: dict[str, int] = defaultdict(int)
    for i, n in zip(ions, counts, strict=True):
        if n:
            sites[i.sublattice] += n
    return tuple(sorted(sites.items())), sum(i.state * n for i, n in zip(ions, counts, strict=True))


def _message(
    solid: SolidSolution, states: Mapping[tuple[str, str], int], charges: tuple[Fraction, Fraction], ionic: bool
) -> str:
    assert solid.shell is not None
    if not ionic:
        return f"{solid.core.name} and {solid.shell.name} have no ions: sites are balanced, charge is not assigned."
    said = []
    for material, charge in zip((solid.core, solid.shell), charges, strict=True):
        if charge:
            ions = ", ".join(
                ion_text(e, states[s, e])
                for s, group in zip(("cation", "anion"), split_ions(material.composition), strict=True)
                for e in group
            )
            said.append(
                f"{material.name} is not neutral with {ions}: {float(charge):+.3g} for each shared site. Its atoms are "
                "kept as the formula says; check the formula, or give other oxidation states."
            )
    return " ".join(said)
