"""Charge of a built particle: what the rounding of its composition leaves over is removed, what its surface has is told."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.domain.base import BoolArray, IntArray
from nanostrata.domain.charge import BalanceReport, Counts, ShellBalance
from nanostrata.errors import PhysicsError
from nanostrata.kernels.whole_numbers import exchanges, largest_remainder
from nanostrata.models.coverage import shell_share, site_contents, site_sublattices
from nanostrata.models.density import SolidSolution
from nanostrata.models.exchange import ExchangeScheme, exchange_scheme, member_states
from nanostrata.models.lattice_particle import Profile, StrArray

__all__ = ["BalanceReport", "ShellBalance", "balance"]

_TINY = 1e-9
_CLOSE = 1e-6

_SEARCHED = 15.0
"""Largest residue for which all ways to remove it are searched, e."""


def balance(
    model: AtomicModel,
    solid: SolidSolution,
    rng: np.random.Generator,
    *,
    x_of_s: Profile | None = None,
    oxidation: Mapping[str, int] | None = None,
) -> tuple[AtomicModel, BalanceReport]:
    r"""Remove the charge that rounding to whole atoms left, shell by shell, and report what charge remains.

    With :math:`q_c(x) > 0` and :math:`q_a(x) < 0` the charges of the cations and of the anions of one shared site in the
    material of composition x, and sums over the cation sites c and the anion sites a of a shell (divided by their number
    per shared site where that is not one), its charge is

    .. math:: \sum z = \underbrace{\tfrac12 \Bigl[\sum_c (q_c - q_a) - \sum_a (q_c - q_a)\Bigr]}_{\text{site excess}}
              + \underbrace{\tfrac12 \Bigl[\sum_c (q_c + q_a) + \sum_a (q_c + q_a)\Bigr]}_{\text{formula}}
              + \text{residue}

    The site excess, 2 e for each cation site more than anion sites in a II-VI material, belongs to where the crystal ends.
    Real particles compensate it by ligands, which are not modelled, so it is reported and kept. The formula part is zero
    for neutral formulas, and is kept where the user's formula says otherwise. The residue is an artefact of whole numbers:
    13 cation sites cannot hold 2/7 Ag, 4/7 In and 1/7 vacancy. Shell by shell, inner to outer, the fewest sites are changed
    that bring the running residue nearest to zero (an atom into a vacancy, or one cation for another); among equal choices
    the one that leaves x as it was built, then the one that brings all species closest to what is wanted, what inner
    shells lack or have too much carried outwards. Which atoms of a species are changed is random. No site moves or is lost.

    Parameters
    ----------
    model : particle that was built from ``solid``, with shell indices
    solid : end members
    rng : which sites are changed
    x_of_s : wanted shell fraction at radius fraction 0..1, as for ``build_particle``; without it the composition counted in
        each shell is the wanted one
    oxidation : element -> oxidation state in place of the usual one

    Returns
    -------
    model : with the changed species; ``info`` gains ``charge_residue_e`` and ``surface_excess_e``
    report : BalanceReport

    Raises
    ------
    PhysicsError
        Without shell indices, or for an element without oxidation state.

    Notes
    -----
    The residue that is left is 0 where all mean charges are whole (Ag-In-Se/ZnSe, CuInS2/ZnS, CdSe/CdS, PbS/CdS), and below
    1/2 e for InP/ZnS, where the mean charge of a cation site is 3 - x. Metals have no charge and come back as they are.
    """
    if len(model.shell_index) != len(model):
        raise PhysicsError("balance: the particle has no shell indices; build it with nanostrata")
    on = site_sublattices(model, solid)
    contents = site_contents(solid)
    states = member_states(solid.core, oxidation)
    if solid.shell is not None:
        states |= member_states(solid.shell, oxidation)
    symbols = np.array(model.symbols)
    wanted_x = _wanted_x(model, contents, symbols, on, x_of_s)
    scheme, messages = _scheme(solid, oxidation)
    ledger = _Ledger(contents=contents, states=states, sites_per_shared=solid.core.sublattice_sites, scheme=scheme)
    before = symbols.copy()
    shells: list[ShellBalance] = []
    carry = [np.zeros(len(_species(c))) for c in contents]
    running = 0.0
    for index in range(1, int(model.shell_index.max()) + 1):
        here = model.shell_index == index
        if not here.any():
            continue
        wanted, start = ledger.wanted(wanted_x[here], on[here]), _count(contents, before[here], on[here])
        residue_before = ledger.charge(start) - ledger.charge(wanted)
        goal = [w + c for w, c in zip(wanted, carry, strict=True)]
        counts = ledger.nearest(start, wanted, goal, running)
        _assign(symbols, here, on, start, counts, contents, rng)
        residue = ledger.charge(counts) - ledger.charge(wanted)
        running += residue
        carry = [g - n for g, n in zip(goal, counts, strict=True)]
        shells.append(ledger.shell(index, wanted, counts, residue_before, residue, wanted_x[here], on[here]))
    report = BalanceReport(
        shells=tuple(shells),
        changed_sites=int((symbols != before).sum()),
        charge_before_e=_clean(sum(s.charge_e - s.residue_e + s.residue_before_e for s in shells)),
        charge_e=_clean(sum(s.charge_e for s in shells)),
        surface_excess_e=_clean(sum(s.site_excess_e for s in shells)),
        formula_e=_clean(sum(s.formula_e for s in shells)),
        residue_before_e=_clean(sum(s.residue_before_e for s in shells)),
        residue_e=_clean(sum(s.residue_e for s in shells)),
        messages=(*messages, *(s.message for s in shells if s.message)),
    )
    return _rebuilt(model, symbols, report), report


# ------------------------------------------------------------------------------------------------------- inner


def _clean(value: float) -> float:
    """Without the rounding of sums over sites, and without a negative zero."""
    return round(float(value), 9) + 0.0


_Contents = tuple[tuple[str, dict[str, float], dict[str, float]], ...]


@dataclass(frozen=True, kw_only=True)
class _Ledger:
    """Counts, charges and choices of one shell."""

    contents: _Contents
    states: Mapping[tuple[str, str], int]
    sites_per_shared: tuple[float, float]
    scheme: ExchangeScheme | None

    def z(self, k: int) -> FloatArray:
        """Oxidation states of the species of sublattice k."""
        name = self.contents[k][0]
        return np.array([self.states.get((name, e), 0) for e in _species(self.contents[k])], dtype=np.float64)

    def wanted(self, x: FloatArray, on: IntArray) -> list[FloatArray]:
        """Mean number of each species of each sublattice."""
        out = []
        for k, (_, core, shell) in enumerate(self.contents):
            here = x[on == k]
            species = _species(self.contents[k])
            a = np.array([core.get(e, 0.0) for e in species])
            b = np.array([shell.get(e, 0.0) for e in species])
            out.append(a * (len(here) - here.sum()) + b * here.sum())
        return out

    def charge(self, counts: list[FloatArray] | list[IntArray]) -> float:
        """Sum of the oxidation states."""
        return float(sum(self.z(k) @ n for k, n in enumerate(counts)))

    def nearest(
        self, start: list[IntArray], wanted: list[FloatArray], goal: list[FloatArray], running: float
    ) -> list[IntArray]:
        """Counts with the smallest running residue, by the fewest changed sites, then the same x, then nearest to the goal."""
        off = running + self.charge(start) - self.charge(wanted)
        kinds = [self._kinds(k, start[k], wanted[k]) for k in range(len(start))]
        start, off = self._lowered(start, goal, kinds, off)
        gains = [abs(a - b) for z in kinds for a in z.values() for b in z.values() if a != b]
        if not gains:
            return start
        step = math.gcd(*gains)
        least = abs(off - step * round(off / step))
        if abs(off) - least < _CLOSE:
            return start
        best: tuple[float, float, float] = (abs(off), 0.0, 0.0)
        found = start
        for moved in range(max(1, math.ceil((abs(off) - least) / max(gains) - _CLOSE)), sum(map(sum, start)) + 1):
            for parts in _parts(moved, len(start)):
                tables = [self._changes(k, m, start[k], kinds[k], goal[k]) for k, m in enumerate(parts)]
                for choice in itertools.product(*(t.items() for t in tables)):
                    residue = abs(off + sum(c[0] for c in choice))
                    score = (round(residue, 6), sum(c[1][0] for c in choice), sum(c[1][1] for c in choice))
                    if score[0] < best[0] - _CLOSE or (found is not start and score < best):
                        best, found = score, [n + c[1][2] for n, c in zip(start, choice, strict=True)]
            # one site more can only help while the residue is not the least that whole charges allow
            if best[0] <= least + _CLOSE:
                break
        return found

    def _lowered(
        self, start: list[IntArray], goal: list[FloatArray], kinds: list[dict[int, int]], off: float
    ) -> tuple[list[IntArray], float]:
        """Bring a large residue down, one site at a time: the change that comes nearest to the goal."""
        counts = [n.copy() for n in start]
        while abs(off) > _SEARCHED:
            ways = [
                (counts[k][j] - goal[k][j] - counts[k][i] + goal[k][i], k, i, j)
                for k, states in enumerate(kinds)
                for i, j in itertools.permutations(states, 2)
                if counts[k][i] > 0 and (states[j] - states[i]) * off < 0
            ]
            if not ways:
                break
            _, k, i, j = min(ways)
            counts[k][i] -= 1
            counts[k][j] += 1
            off += kinds[k][j] - kinds[k][i]
        return counts, off

    def _kinds(self, k: int, counts: IntArray, wanted: FloatArray) -> dict[int, int]:
        """Species of sublattice k that the shell has or should have, with their states."""
        z = self.z(k)
        return {i: int(z[i]) for i in range(len(z)) if wanted[i] > _TINY or counts[i] > 0}

    def _changes(
        self, k: int, moved: int, counts: IntArray, kinds: Mapping[int, int], goal: FloatArray
    ) -> dict[int, tuple[float, float, IntArray]]:
        """For each charge that ``moved`` changed sites can bring: change of x, distance of all species from the goal, change."""
        _, core, shell = self.contents[k]
        species = _species(self.contents[k])
        total, x_start = int(counts.sum()), math.nan
        if core != shell and total:
            x_start = shell_share(dict(zip(species, counts.tolist(), strict=True)), core, shell)
        out: dict[int, tuple[float, float, IntArray]] = {}
        for change in exchanges([int(counts[i]) for i in kinds], moved):
            delta = np.zeros(len(species), dtype=np.int64)
            delta[list(kinds)] = change
            new = counts + delta
            off_x = 0.0
            if not math.isnan(x_start):
                off_x = total * abs(shell_share(dict(zip(species, new.tolist(), strict=True)), core, shell) - x_start)
            score = (round(off_x, 6), round(float(((new - goal) ** 2).sum()), 6))
            gained = sum(z * d for z, d in zip(kinds.values(), change, strict=True))
            if gained not in out or score < out[gained][:2]:
                out[gained] = (*score, delta)
        return out

    def shell(
        self, index: int, wanted: list[FloatArray], counts: list[IntArray], before: float, residue: float,
        x: FloatArray, on: IntArray,
    ) -> ShellBalance:  # fmt: skip
        """Write the record of a shell."""
        names = [c[0] for c in self.contents]
        sites = {name: int(n.sum()) for name, n in zip(names, counts, strict=True)}
        formula = self._formula(x, on)
        units, message = self._units(index, sites)
        return ShellBalance(
            index=index,
            sites=sites,
            x_wanted=self._x_wanted(x, on),
            x_achieved=_x_of_counts(self.contents, counts),
            quota=self._named([largest_remainder(w) for w in wanted]),
            counts=self._named(counts),
            charge_e=self.charge(counts),
            site_excess_e=_clean(self.charge(wanted) - formula),
            formula_e=_clean(formula),
            residue_before_e=_clean(before),
            residue_e=_clean(residue),
            exchange_units=units,
            message=message,
        )

    def _formula(self, x: FloatArray, on: IntArray) -> float:
        """Charge of the materials as their formulas say, half of it on the sites of each sublattice."""
        if len(self.contents) < 2:
            return 0.0
        ends = np.zeros(2)
        for k, (_, *members) in enumerate(self.contents):
            for end, content in enumerate(members):
                held = np.array([content.get(e, 0.0) for e in _species(self.contents[k])])
                ends[end] += self.sites_per_shared[k] * float(self.z(k) @ held)
        ends[np.abs(ends) < _TINY] = 0.0
        share = np.array([1.0 / m for m in self.sites_per_shared])[on]
        return float(0.5 * (share * ((1.0 - x) * ends[0] + x * ends[1])).sum())

    def _units(self, index: int, sites: Mapping[str, int]) -> tuple[float | None, str]:
        if self.scheme is None:
            return None, ""
        need = self.scheme.unit.sites_entering
        name = min(need, key=lambda s: sites[s] / need[s])
        n, m = sites[name], need[name]
        if n >= m:
            return n / m, ""
        return n / m, (
            f"shell {index} holds fewer {name} sites than one exchange unit ({n} of {m}): its composition is not "
            f"meaningful beyond steps of 1/{n}"
            if n
            else f"shell {index} holds no {name} site: it has no composition"
        )

    def _x_wanted(self, x: FloatArray, on: IntArray) -> float:
        mixed = np.isin(on, [k for k, (_, core, shell) in enumerate(self.contents) if core != shell])
        return float(x[mixed].mean()) if mixed.any() else math.nan

    def _named(self, counts: list[IntArray]) -> Counts:
        return {
            c[0]: {e: int(v) for e, v in zip(_species(c), n, strict=True)}
            for c, n in zip(self.contents, counts, strict=True)
        }


def _parts(moved: int, n: int) -> list[tuple[int, ...]]:
    """Ways to share changed sites among one or two sublattices."""
    return [(moved,)] if n == 1 else [(m, moved - m) for m in range(moved + 1)]


def _species(content: tuple[str, dict[str, float], dict[str, float]]) -> tuple[str, ...]:
    _, core, shell = content
    return tuple(dict.fromkeys((*core, *shell)))


def _wanted_x(
    model: AtomicModel,
    contents: _Contents,
    symbols: StrArray,
    on: IntArray,
    x_of_s: Profile | None,
) -> FloatArray:
    """Wanted shell fraction at each site."""
    if x_of_s is not None:
        x = np.asarray(x_of_s(np.minimum(model.radius_fraction, 1.0)), dtype=np.float64)
        if x.shape != (len(model),) or not np.isfinite(x).all() or x.min() < -_TINY or x.max() > 1.0 + _TINY:
            raise PhysicsError(f"x_of_s: expected {len(model)} values in 0..1")
        return np.clip(x, 0.0, 1.0)
    x = np.zeros(len(model))
    for index in np.unique(model.shell_index):
        here = model.shell_index == index
        share = _x_of_counts(contents, _count(contents, symbols[here], on[here]))
        x[here] = 0.0 if math.isnan(share) else min(max(share, 0.0), 1.0)
    return x


def _count(contents: _Contents, symbols: StrArray, on: IntArray) -> list[IntArray]:
    """Sites of each species of each sublattice."""
    return [
        np.array([np.count_nonzero(symbols[on == k] == e) for e in _species(c)], dtype=np.int64)
        for k, c in enumerate(contents)
    ]


def _x_of_counts(contents: _Contents, counts: list[IntArray]) -> float:
    """Share of shell material on the sublattices that differ; nan without such sites."""
    total, sites = 0.0, 0
    for content, n in zip(contents, counts, strict=True):
        _, core, shell = content
        if core != shell and n.sum():
            share = shell_share(dict(zip(_species(content), n.tolist(), strict=True)), core, shell)
            total, sites = total + share * int(n.sum()), sites + int(n.sum())
    return total / sites if sites else math.nan


def _scheme(solid: SolidSolution, oxidation: Mapping[str, int] | None) -> tuple[ExchangeScheme | None, tuple[str, ...]]:
    if solid.shell is None:
        return None, ("there is one material only: no exchange unit",)
    try:
        scheme = exchange_scheme(solid, oxidation)
    except PhysicsError as error:
        return None, error.problems
    return scheme, (scheme.message,) if scheme.message else ()


def _assign(
    symbols: StrArray, here: BoolArray, on: IntArray, start: list[IntArray], counts: list[IntArray],
    contents: _Contents, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Change species in place: random sites of those with too many get those with too few."""
    for k, content in enumerate(contents):
        change = counts[k] - start[k]
        free: list[int] = []
        missing: list[str] = []
        for species, d in zip(_species(content), change.tolist(), strict=True):
            if d < 0:
                sites = np.flatnonzero(here & (on == k) & (symbols == species))
                free += rng.choice(sites, size=-d, replace=False).tolist()
            missing += [species] * max(d, 0)
        if free:
            symbols[rng.permutation(np.array(free))] = missing


def _rebuilt(model: AtomicModel, symbols: StrArray, report: BalanceReport) -> AtomicModel:
    info = dict(model.info) | {
        "charge_e": report.charge_e,
        "charge_residue_e": report.residue_e,
        "surface_excess_e": report.surface_excess_e,
        "vacancies": int(np.count_nonzero(symbols == "X")),
    }
    return replace(model, symbols=tuple(symbols.tolist()), info=info)
