"""Photon energies that may be planned: inside the beamline's range, and far enough from every edge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.tables.edges import edges_kev
from nanostrata.tables.factors import FactorTable, check_energies

__all__ = ["candidate_energies", "too_close"]

_GROWTH = 1.6
_COARSE_KEV = 0.4


def too_close(energy_kev: float, elements: Iterable[str], distance_ev: float) -> str:
    """Sentence on the nearest edge that is closer than ``distance_ev``; "" where there is none."""
    near = [
        (abs(energy_kev - edge) * 1e3, f"{element} {shell}", edge)
        for element in elements
        for shell, edge in edges_kev(element)
    ]
    gap, name, edge = min(near)
    if gap >= distance_ev - 1e-6:
        return ""
    return f"{energy_kev:g} keV lies {gap:.1f} eV from the {name} edge ({edge:.4f} keV); at least {distance_ev:g} eV are asked for"


def candidate_energies(
    limits_kev: tuple[float, float],
    elements: Sequence[str],
    factors: FactorTable,
    *,
    distance_ev: float,
    extra_kev: Iterable[float] = (),
) -> FloatArray:
    """Energies to choose from, increasing, keV: dense near edges, where f' changes, and coarse far from them.

    From every edge of every element steps away grow by 1.6, beginning at ``distance_ev``, up to 0.4 keV.

    Parameters
    ----------
    extra_kev : further energies; those that are too close to an edge are left out, too

    Raises
    ------
    PhysicsError
        When no energy is left.
    """
    low, high = limits_kev
    steps = [distance_ev * 1e-3]
    while steps[-1] < _COARSE_KEV:
        steps.append(steps[-1] * _GROWTH)
    found = {round(float(e), 4) for e in np.arange(low, high + 1e-9, min(_COARSE_KEV, (high - low) / 4 or 1.0))}
    found |= {round(low, 4), round(high, 4)}
    for element in elements:
        for _, edge in edges_kev(element):
            # to whole eV, away from the edge
            found |= {math.floor(1e3 * (edge - step) + 1e-6) / 1e3 for step in steps}
            found |= {math.ceil(1e3 * (edge + step) - 1e-6) / 1e3 for step in steps}
    found |= {float(e) for e in extra_kev}
    good = [e for e in sorted(found) if low - 1e-9 <= e <= high + 1e-9 and not too_close(e, elements, distance_ev)]
    good = [e for e in good if _tabulated(e, elements, factors)]
    if not good:
        raise PhysicsError(
            f"plan.energy_range_kev: between {low:g} and {high:g} keV every energy is closer than {distance_ev:g} eV to an "
            "edge; widen the range or lower plan.edge_distance_ev"
        )
    return np.array(good)


def _tabulated(energy_kev: float, elements: Sequence[str], factors: FactorTable) -> bool:
    try:
        check_energies(elements, [energy_kev], factors)
    except PhysicsError:
        return False
    return True
