"""Fluorescence of atoms: which share of the photons that they absorb come back as photons that a detector counts."""

from __future__ import annotations

from functools import lru_cache

from nanostrata.errors import PhysicsError

__all__ = ["counted_yield"]


@lru_cache(maxsize=16384)
def counted_yield(element: str, energy_kev: float, lowest_kev: float = 0.0) -> float:
    r"""Fluorescence photons of at least ``lowest_kev`` for each photon of ``energy_kev`` that an atom absorbs.

    .. math:: Y = \sum_s p_s\, \omega_s \sum_{l: E_l \ge E_{low}} w_{sl}, \qquad
              p_s = (1 - 1/J_s) \prod_{s': E_{s'} > E_s} 1/J_{s'}

    over the shells s whose edge lies below the energy, with edge jumps J, fluorescence yields omega and the shares w of the
    lines. Vacancies that move to other shells before they emit (Coster-Kronig, cascades) are left out.

    Parameters
    ----------
    element : symbol
    energy_kev : of the photons that are absorbed
    lowest_kev : threshold of the detector

    References
    ----------
    Jumps, yields and lines: Elam, Ravel & Sieber, Radiat. Phys. Chem. 63, 121 (2002),
    doi:10.1016/S0969-806X(01)00227-4, by XrayDB.

    Examples
    --------
    >>> round(counted_yield("Zn", 9.7), 2), counted_yield("Zn", 9.6, 5.0)
    (0.41, 0.0)
    """
    import xraydb

    if not energy_kev > 0:
        raise PhysicsError(f"energy_kev: expected a photon energy above 0 keV, got {energy_kev!r}")
    symbol = "H" if element == "D" else element
    excited = [(name, e) for name, e in xraydb.xray_edges(symbol).items() if e.energy < 1e3 * energy_kev]
    lines = xraydb.xray_lines(symbol)
    left, total = 1.0, 0.0
    for name, edge in sorted(excited, key=lambda item: -item[1].energy):
        jump = max(1.0, float(edge.jump_ratio))
        counted = sum(v.intensity for v in lines.values() if v.initial_level == name and v.energy >= 1e3 * lowest_kev)
        total += left * (1.0 - 1.0 / jump) * float(edge.fyield) * min(1.0, counted)
        left /= jump
    return float(total)
