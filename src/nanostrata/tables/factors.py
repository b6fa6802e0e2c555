"""Atomic scattering factors f0(q), f', f'' of X-rays, from a table that is named in every result."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanostrata.errors import PhysicsError, RecipeError

FloatArray = NDArray[np.float64]

TABLES = {
    "chantler": "XrayDB, Chantler 1995 (doi:10.1063/1.555974)",
    "cromer-liberman": "gemmi, Cromer & Liberman 1981 (doi:10.1107/S0567739481000600)",
}
"""Names of the built-in tables and their sources."""

EDGE_GUARD_EV = 5.0
"""Closer to an edge than this no tabulated factor means anything: bonds and white lines decide there."""


@lru_cache(maxsize=4096)
def _tabulated(table: str, element: str, energy_kev: float) -> tuple[float, float]:
    """f' and f'' of one element at one energy, electrons."""
    ev = energy_kev * 1e3
    if table == "chantler":
        import xraydb

        return float(xraydb.f1_chantler(element, ev)), float(xraydb.f2_chantler(element, ev))
    import gemmi

    fp, fpp = gemmi.cromer_liberman(atomic_number(element), ev)
    return float(fp), float(fpp)


@lru_cache(maxsize=256)
def atomic_number(element: str) -> int:
    """Return Z of an element symbol.

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


@dataclass(frozen=True)
class FactorTable:
    """f', f'' at any energy from one named source, with optional measured replacements.

    Attributes
    ----------
    name : "chantler" or "cromer-liberman", with "+ measured X" where an element was replaced
    table : the built-in table underneath
    energy_resolution_ev : one standard deviation of the beam's energy distribution; f' and f'' are convolved with it
    measured : element -> (energy_kev, f_prime, f_double_prime) arrays
    """

    name: str
    table: str
    energy_resolution_ev: float = 0.0
    measured: Mapping[str, tuple[FloatArray, FloatArray, FloatArray]] = field(default_factory=dict, compare=False)

    def anomalous(self, element: str, energy_kev: float) -> complex:
        """f' + i f'' in electrons, averaged over the energy resolution."""
        width = self.energy_resolution_ev * 1e-3
        if width <= 0:
            return self._at(element, energy_kev)
        # 21 Gauss-Hermite nodes: exact for constants, 1e-4 e on the Chantler spline 30 eV below an edge
        z, w = np.polynomial.hermite_e.hermegauss(21)
        w = w / w.sum()
        return complex(sum(wi * self._at(element, energy_kev + float(zi) * width) for zi, wi in zip(z, w, strict=True)))

    def f_prime(self, element: str, energy_kev: float) -> float:
        """Real part f' (not Z + f'), electrons."""
        return self.anomalous(element, energy_kev).real

    def f_double_prime(self, element: str, energy_kev: float) -> float:
        """Imaginary part f'' >= 0, electrons."""
        return self.anomalous(element, energy_kev).imag

    def f0(self, element: str, q_inv_nm: FloatArray) -> FloatArray:
        r"""Thomson scattering factor f0(q) of the free atom, scaled so that f0(0) = Z exactly.

        .. math:: f_0(q) = Z\, f_{WK}(q) / f_{WK}(0), \quad q = 4\pi \sin\theta/\lambda

        Waasmaier & Kirfel 1995 (doi:10.1107/S0108767394013292); their sums give 29.991 for Zn at q = 0.
        """
        import xraydb

        q = np.atleast_1d(np.asarray(q_inv_nm, dtype=np.float64))
        s = q / 10.0 / (4.0 * math.pi)
        at_zero = float(np.asarray(xraydb.f0(element, 0.0)).ravel()[0])
        return np.asarray(xraydb.f0(element, s), dtype=np.float64) * (atomic_number(element) / at_zero)

    def _at(self, element: str, energy_kev: float) -> complex:
        if element in self.measured:
            energy, fp, fpp = self.measured[element]
            if not energy[0] <= energy_kev <= energy[-1]:
                raise PhysicsError(
                    f"{element}: measured factors cover {energy[0]:.4f} to {energy[-1]:.4f} keV, {energy_kev:.4f} keV is asked for "
                    "(the energy resolution widens the range); give a longer table"
                )
            from scipy.interpolate import PchipInterpolator

            return complex(
                float(PchipInterpolator(energy, fp)(energy_kev)), float(PchipInterpolator(energy, fpp)(energy_kev))
            )
        return complex(*_tabulated(self.table, element, float(energy_kev)))


def load_factors(source: str, energy_resolution_ev: float = 0.0) -> FactorTable:
    """Return a built-in table.

    Parameters
    ----------
    source : "chantler" or "cromer-liberman"
    energy_resolution_ev : one standard deviation, eV; 0 = off

    Raises
    ------
    RecipeError
        For another name.
    """
    if source not in TABLES:
        raise RecipeError(f'asaxs.factors: {source!r} is not a table; write "chantler" or "cromer-liberman"')
    if energy_resolution_ev < 0:
        raise RecipeError(f"asaxs.energy_resolution_ev: must be >= 0, got {energy_resolution_ev}")
    return FactorTable(name=source, table=source, energy_resolution_ev=energy_resolution_ev)


def with_measured(
    table: FactorTable, element: str, energy_kev: FloatArray, f_prime: FloatArray, f_double_prime: FloatArray
) -> FactorTable:
    """Replace one element by measured factors; monotone cubic interpolation, nothing outside their range."""
    energy = np.array(energy_kev, dtype=np.float64)
    if energy.ndim != 1 or len(energy) < 2 or np.any(np.diff(energy) <= 0):
        raise PhysicsError(f"{element}: energies of measured factors must increase; got {len(energy)} values")
    new = dict(table.measured)
    new[element] = (energy, np.array(f_prime, dtype=np.float64), np.array(f_double_prime, dtype=np.float64))
    return FactorTable(
        name=f"{table.name} + measured {element}", table=table.table,
        energy_resolution_ev=table.energy_resolution_ev, measured=new,
    )  # fmt: skip


@lru_cache(maxsize=256)
def _edges(element: str) -> tuple[tuple[str, float], ...]:
    import xraydb

    found: Mapping[str, Any] = xraydb.xray_edges(element)
    return tuple((name, float(e.energy) * 1e-3) for name, e in found.items())


def nearest_edge(energy_kev: float, elements: Iterable[str]) -> tuple[str, str, float]:
    """Return (element, edge, energy minus edge in eV) of the absorption edge nearest to an energy."""
    best = min(
        ((e, name, (energy_kev - edge) * 1e3) for e in elements for name, edge in _edges(e)), key=lambda item: abs(item[2])
    )
    return best


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
    atomic_number(element)
    known = dict(_edges(element))
    if shell not in known:
        raise RecipeError(f"asaxs.edge: {element} has no edge {shell}; it has {', '.join(list(known)[:6])}")
    return element, shell, known[shell]


def check_energies(elements: Iterable[str], energies_kev: Iterable[float], table: FactorTable) -> None:
    """Refuse energies within 5 eV of an edge of an element without measured factors.

    Raises
    ------
    PhysicsError
        Naming every such energy, the edge and the distance.
    """
    names = sorted(set(elements))
    problems = []
    for energy in energies_kev:
        for element in names:
            if element in table.measured:
                continue
            name, edge = min(_edges(element), key=lambda item: abs(item[1] - energy))
            distance = (energy - edge) * 1e3
            if abs(distance) < EDGE_GUARD_EV:
                problems.append(
                    f"{energy:.4f} keV lies {distance:+.1f} eV from the {element} {name} edge ({edge:.4f} keV): tables mean nothing "
                    f"within {EDGE_GUARD_EV:g} eV of an edge. Give measured factors of {element}, or leave this curve out"
                )
    if problems:
        raise PhysicsError(*problems)
