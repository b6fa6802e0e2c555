"""Chantler's table of f' and f'' between its points, from XrayDB.

XrayDB fetches and decodes the whole element for every energy (2 ms). Here the points of an element are fetched once
and interpolated in the same way, which the energy resolution needs (dozens of energies for each one asked for).
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanostrata.errors import PhysicsError
from nanostrata.tables.edges import edges_kev
from nanostrata.tables.elements import atomic_number

FloatArray = NDArray[np.float64]

SIDE_POINTS = 3
"""Table points on either side of an energy that its cubic spline runs through (XrayDB's choice)."""


@lru_cache(maxsize=128)
def points(element: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the table's energies (eV), f' and f'' (electrons) of one element.

    Raises
    ------
    PhysicsError
        When the table does not hold the element (it ends at uranium).
    """
    import xraydb

    if atomic_number(element) > 92:
        raise PhysicsError(f"{element}: Chantler's table ends at U")
    symbol = "H" if element == "D" else element
    row = xraydb.get_xraydb().get_cache("Chantler", column="element", value=symbol)[0]
    energy, f_prime, f_double_prime = (
        np.array(json.loads(text), dtype=np.float64) for text in (row.energy, row.f1, row.f2)
    )
    # Cs has two energies twice, at 11 and 13 eV
    first = np.concatenate([[True], np.diff(energy) > 0])
    return energy[first], f_prime[first], f_double_prime[first]


@lru_cache(maxsize=1024)
def _piece(element: str, index: int) -> Any:
    """Cubic spline (not-a-knot) through the points round table interval ``index``."""
    from scipy.interpolate import CubicSpline

    energy, f_prime, _ = points(element)
    window = slice(max(0, index - SIDE_POINTS), index + SIDE_POINTS + 1)
    return CubicSpline(energy[window], f_prime[window])


def chantler(element: str, energy_ev: float) -> complex:
    """Return f' + i f'' at one energy: cubic spline through the nearest points for f', log-log line for f''.

    Raises
    ------
    PhysicsError
        When the energy is outside the table.
    """
    energy, _, f_double_prime = points(element)
    if not energy[0] <= energy_ev <= energy[-1]:
        raise PhysicsError(
            f"{element}: Chantler's table covers {energy[0] * 1e-3:.3g} to {energy[-1] * 1e-3:.3g} keV, "
            f"{energy_ev * 1e-3:g} keV is asked for"
        )
    index = min(int(np.searchsorted(energy, energy_ev, side="right")) - 1, len(energy) - 2)
    share = math.log(energy_ev / energy[index]) / math.log(energy[index + 1] / energy[index])
    low, high = f_double_prime[index], f_double_prime[index + 1]
    f2 = low ** (1.0 - share) * high**share  # 0 where the table has 0, below an element's first edge
    return complex(float(_piece(element, index)(energy_ev)), float(f2))


@lru_cache(maxsize=128)
def gaps_kev(element: str) -> tuple[tuple[str, float, float], ...]:
    """Return (shell, low, high) for each edge: the two table points between which it lies, keV.

    Between them both f' and f'' are interpolated across the edge, which says nothing about either side. The gap is
    3 eV wide at the Zn K edge, 28 eV at Cd K and 230 eV at Pb K.
    """
    energy = points(element)[0] * 1e-3
    found = []
    for shell, edge in edges_kev(element):
        above = int(np.searchsorted(energy, edge))
        if 0 < above < len(energy):
            found.append((shell, float(energy[above - 1]), float(energy[above])))
    return tuple(found)
