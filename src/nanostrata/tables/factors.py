"""Atomic scattering factors f0(q), f', f'' of X-rays, from a table that is named in every result."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nanostrata.errors import PhysicsError, RecipeError
from nanostrata.tables.chantler import chantler, gaps_kev
from nanostrata.tables.edges import edges_kev, nearest_edge, parse_edge
from nanostrata.tables.elements import atomic_number

__all__ = [
    "EDGE_GUARD_EV",
    "TABLES",
    "FactorTable",
    "MeasuredFactors",
    "atomic_number",
    "check_energies",
    "load_factors",
    "nearest_edge",
    "parse_edge",
    "with_measured",
]

FloatArray = NDArray[np.float64]

TABLES = {
    "chantler": "XrayDB, Chantler 1995 (doi:10.1063/1.555974)",
    "cromer-liberman": "gemmi, Cromer & Liberman 1981 (doi:10.1107/S0567739481000600)",
}
"""Names of the built-in tables and their sources."""

EDGE_GUARD_EV = 5.0
"""Closer to an edge than this no tabulated factor means anything: bonds and white lines decide there."""

ENERGY_RANGE_KEV = (0.1, 400.0)
_REACH = 6.0  # standard deviations of the energy distribution that are integrated over


@lru_cache(maxsize=65536)
def _tabulated(table: str, element: str, energy_kev: float) -> complex:
    """Return f' + i f'' of one element at one energy, electrons."""
    low, high = ENERGY_RANGE_KEV
    if not low <= energy_kev <= high:
        hint = "; was eV meant?" if energy_kev > high else ""
        raise PhysicsError(f"energy_kev: expected {low:g} to {high:g} keV, got {energy_kev:g}{hint}")
    if table == "chantler":
        return chantler(element, energy_kev * 1e3)
    import gemmi

    z = atomic_number(element)
    if z > 92:
        raise PhysicsError(f"{element}: the Cromer-Liberman factors end at U")
    return complex(*gemmi.cromer_liberman(z, energy_kev * 1e3))


@lru_cache(maxsize=4096)
def _averaged(table: str, element: str, energy_kev: float, sigma_ev: float) -> complex:
    """Return f' + i f'' averaged over a Gaussian of energies.

    Gauss-Legendre panels one standard deviation wide, cut at the element's edges, where f'' steps and f' has a cusp;
    the weights are normalised, so that a constant stays the constant that it is.
    """
    width = sigma_ev * 1e-3
    low, high = energy_kev - _REACH * width, energy_kev + _REACH * width
    inside = [e for _, e in edges_kev(element) if low < e < high]
    cuts = np.unique(np.concatenate([np.linspace(low, high, int(2 * _REACH) + 1), inside]))
    y, w = np.polynomial.legendre.leggauss(6)
    half = 0.5 * np.diff(cuts)
    energies = (0.5 * (cuts[1:] + cuts[:-1])[:, None] + half[:, None] * y).ravel()
    weights = (half[:, None] * w).ravel() * np.exp(-0.5 * ((energies - energy_kev) / width) ** 2)
    values = np.array([_tabulated(table, element, float(e)) for e in energies])
    return complex(weights @ values / weights.sum())


@lru_cache(maxsize=1024)
def _thomson(element: str, q_inv_nm: bytes) -> FloatArray:
    """Return f0 at the q values in these bytes, read-only: curves share their q, and each energy asks again."""
    import xraydb

    symbol = "H" if element == "D" else element
    s_inv_angstrom = np.frombuffer(q_inv_nm) / 10.0 / (4.0 * math.pi)
    at_zero = float(np.asarray(xraydb.f0(symbol, 0.0)).ravel()[0])
    found = np.asarray(xraydb.f0(symbol, s_inv_angstrom), dtype=np.float64) * (atomic_number(element) / at_zero)
    found.setflags(write=False)
    return found


@dataclass(frozen=True)
class MeasuredFactors:
    """f' and f'' of one element as measured near its edge.

    Attributes
    ----------
    element : symbol
    energy_kev, f_prime, f_double_prime : energies (increasing, keV) and factors (electrons; f' without Z)
    sigma_f_prime : one standard deviation of each f', electrons; empty where it is not known

    Raises
    ------
    PhysicsError
        With every problem: lengths, order, values that are not finite, eV in place of keV, Z + f' in place of f',
        negative f''.
    """

    element: str
    energy_kev: tuple[float, ...]
    f_prime: tuple[float, ...]
    f_double_prime: tuple[float, ...]
    sigma_f_prime: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        at = f"measured factors of {self.element}"
        e, fp, fpp = (np.array(v, dtype=np.float64) for v in (self.energy_kev, self.f_prime, self.f_double_prime))
        problems = []
        if not len(e) == len(fp) == len(fpp) or len(e) < 2:
            raise PhysicsError(
                f"{at}: expected as many energies as f' and f'', at least 2; got {len(e)}, {len(fp)} and {len(fpp)}"
            )
        if not (np.isfinite(e).all() and np.isfinite(fp).all() and np.isfinite(fpp).all()):
            raise PhysicsError(f"{at}: there are values that are not finite; take those rows out")
        if self.sigma_f_prime and (len(self.sigma_f_prime) != len(e) or not min(self.sigma_f_prime) >= 0):
            problems.append(f"{at}: expected one standard deviation of f', >= 0, for each of the {len(e)} energies")
        if np.any(np.diff(e) <= 0):
            row = int(np.argmax(np.diff(e) <= 0)) + 2
            problems.append(f"{at}: energies must increase, row {row} does not; sort the rows and leave one per energy")
        if np.median(e) > ENERGY_RANGE_KEV[1]:
            problems.append(f"{at}: energies of {np.median(e):g} keV; was eV meant? divide by 1000")
        if fp.max() > 0.5 * atomic_number(self.element):
            problems.append(
                f"{at}: f' reaches {fp.max():g}; which looks like Z + f'; subtract Z = {atomic_number(self.element)}"
            )
        if fpp.min() < 0:
            problems.append(f"{at}: f'' is {fpp.min():g} somewhere; it must be >= 0 (the factor is Z + f' + i f'')")
        if problems:
            raise PhysicsError(*problems)

    def at(self, energy_kev: float) -> complex:
        """Return f' + i f'' by monotone cubic interpolation (no overshoot), nothing outside the range."""
        low, high = self.energy_kev[0], self.energy_kev[-1]
        if not low <= energy_kev <= high:
            raise PhysicsError(
                f"{self.element}: measured factors cover {low:.4f} to {high:.4f} keV, {energy_kev:.4f} keV is asked "
                "for; give a longer table, or leave this energy out"
            )
        real, imaginary = _interpolators(self)
        return complex(float(real(energy_kev)), float(imaginary(energy_kev)))

    def sigma_at(self, energy_kev: float) -> float | None:
        """Return the standard deviation of f', None where it is not known."""
        return float(np.interp(energy_kev, self.energy_kev, self.sigma_f_prime)) if self.sigma_f_prime else None


@lru_cache(maxsize=64)
def _interpolators(measured: MeasuredFactors) -> tuple[Any, Any]:
    from scipy.interpolate import PchipInterpolator

    return (
        PchipInterpolator(measured.energy_kev, measured.f_prime),
        PchipInterpolator(measured.energy_kev, measured.f_double_prime),
    )


@dataclass(frozen=True)
class FactorTable:
    """f', f'' at any energy from one named source, with optional measured replacements.

    The atomic factor is f0(q) + f' + i f''; f' is without Z.

    Attributes
    ----------
    name : "chantler" or "cromer-liberman", with "+ measured X" where an element was replaced
    table : the built-in table underneath
    energy_resolution_ev : one standard deviation of the beam's energy distribution, eV; tabulated f' and f'' are
        averaged over it. Measured factors are not: they were measured with such a beam and carry its resolution
    measured : measured elements

    Examples
    --------
    >>> table = load_factors("chantler")
    >>> round(table.f_prime("Zn", 9.63), 3)
    -5.462
    """

    name: str
    table: str
    energy_resolution_ev: float = 0.0
    measured: tuple[MeasuredFactors, ...] = ()

    def anomalous(self, element: str, energy_kev: float) -> complex:
        """Return f' + i f'' in electrons, averaged over the energy resolution.

        Raises
        ------
        PhysicsError
            For an element or an energy that the table (or the measurement) does not cover.
        """
        energy = float(energy_kev)
        for item in self.measured:
            if item.element == element:
                return item.at(energy)
        if self.energy_resolution_ev > 0:
            return _averaged(self.table, element, energy, float(self.energy_resolution_ev))
        return _tabulated(self.table, element, energy)

    def f_prime(self, element: str, energy_kev: float) -> float:
        """Real part f' (not Z + f'), electrons."""
        return self.anomalous(element, energy_kev).real

    def f_double_prime(self, element: str, energy_kev: float) -> float:
        """Imaginary part f'' >= 0, electrons."""
        return self.anomalous(element, energy_kev).imag

    def sigma_f_prime(self, element: str, energy_kev: float) -> float | None:
        """Standard deviation of a measured f', electrons; None for tabulated ones (tables state none)."""
        found = [m for m in self.measured if m.element == element]
        return found[0].sigma_at(float(energy_kev)) if found else None

    def f0(self, element: str, q_inv_nm: ArrayLike) -> FloatArray:
        r"""Thomson scattering factor f0(q) of the free neutral atom, scaled so that f0(0) = Z exactly.

        .. math:: f_0(q) = Z\, f_{WK}(q) / f_{WK}(0), \quad q = 4\pi \sin\theta/\lambda

        Waasmaier & Kirfel 1995 (doi:10.1107/S0108767394013292), fitted up to sin(theta)/lambda = 6/angstrom, that is
        q = 754/nm; their sums give 29.991 for Zn at q = 0.

        Parameters
        ----------
        q_inv_nm : (n,) scattering vector, 1/nm

        Returns
        -------
        (n,) electrons
        """
        return _thomson(element, np.atleast_1d(np.asarray(q_inv_nm, dtype=np.float64)).tobytes())


def load_factors(
    source: str | Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]], energy_resolution_ev: float = 0.0
) -> FactorTable:
    """Return a built-in table, or Chantler's with measured elements.

    Parameters
    ----------
    source : "chantler", "cromer-liberman", or measured factors: element -> (energy_kev, f_prime, f_double_prime)
    energy_resolution_ev : one standard deviation, eV; 0 = off

    Raises
    ------
    RecipeError
        For another name, or a resolution outside 0 to 50 eV.
    PhysicsError
        For impossible measured factors.
    """
    if not 0.0 <= energy_resolution_ev <= 50.0:
        raise RecipeError(
            f"asaxs.energy_resolution_ev: expected 0 to 50 eV (one standard deviation), got {energy_resolution_ev:g}"
        )
    if isinstance(source, str):
        if source not in TABLES:
            raise RecipeError(f'asaxs.factors: {source!r} is not a table; write "chantler" or "cromer-liberman"')
        return FactorTable(name=source, table=source, energy_resolution_ev=energy_resolution_ev)
    table = FactorTable(name="chantler", table="chantler", energy_resolution_ev=energy_resolution_ev)
    for element, (energy_kev, f_prime, f_double_prime) in source.items():
        table = with_measured(table, element, energy_kev, f_prime, f_double_prime)
    return table


def with_measured(
    table: FactorTable, element: str, energy_kev: ArrayLike, f_prime: ArrayLike, f_double_prime: ArrayLike,
    sigma_f_prime: ArrayLike = (),
) -> FactorTable:  # fmt: skip
    """Return a table in which one element has measured factors; see :class:`MeasuredFactors`.

    Raises
    ------
    PhysicsError
        For impossible factors, all problems at once.
    """
    columns = [
        tuple(np.asarray(v, dtype=np.float64).ravel().tolist())
        for v in (energy_kev, f_prime, f_double_prime, sigma_f_prime)
    ]
    new = MeasuredFactors(element, *columns)
    others = tuple(m for m in table.measured if m.element != element)
    measured = tuple(sorted((*others, new), key=lambda m: m.element))
    return FactorTable(
        name=f"{table.table} + measured {', '.join(m.element for m in measured)}",
        table=table.table,
        energy_resolution_ev=table.energy_resolution_ev,
        measured=measured,
    )


def check_energies(elements: Iterable[str], energies_kev: Iterable[float], table: FactorTable) -> None:
    """Refuse energies at which the table says nothing about one of the elements.

    These are energies within 5 eV of an edge, and, for Chantler's table, between the two table points that enclose an
    edge (3 eV apart at Zn K, 28 eV at Cd K): interpolation across an edge is off by up to half an electron. Elements
    with measured factors are judged by the range of the measurement only.

    Raises
    ------
    PhysicsError
        Naming every such energy, the edge, the distance and the way out.
    """
    names = sorted(set(elements))
    measured = {m.element: m for m in table.measured}
    problems = []
    for energy in energies_kev:
        for element in names:
            if element in measured:
                low, high = measured[element].energy_kev[0], measured[element].energy_kev[-1]
                if not low <= energy <= high:
                    problems.append(
                        f"{energy:.4f} keV lies outside the measured factors of {element} ({low:.4f} to {high:.4f} "
                        "keV): give a longer table, or leave this energy out"
                    )
                continue
            problems += _near_edges(element, energy, table.table)
    if problems:
        raise PhysicsError(*problems)


def _near_edges(element: str, energy_kev: float, table: str) -> list[str]:
    _, shell, distance = nearest_edge(energy_kev, (element,))
    edge = energy_kev - distance * 1e-3
    at = f"{energy_kev:.4f} keV lies {distance:+.1f} eV from the {element} {shell} edge ({edge:.4f} keV)"
    # 5.0000 eV counts as within: 9.654 - 9.659 is not -0.005 in binary
    if abs(distance) <= EDGE_GUARD_EV + 1e-6:
        return [
            f"{at}: tables mean nothing within {EDGE_GUARD_EV:g} eV of an edge. Give measured factors of {element}, or "
            "leave this energy out"
        ]
    if table == "chantler":
        for name, low, high in gaps_kev(element):
            if low < energy_kev < high:
                return [
                    f"{at}: Chantler's table has no point from {low:.4f} to {high:.4f} keV, across the {name} edge. "
                    f'Write factors = "cromer-liberman", give measured factors of {element}, or leave this energy out'
                ]
    return []
