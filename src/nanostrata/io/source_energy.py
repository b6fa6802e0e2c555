"""Photon energy from what a file says about its source; wavelengths of neutrons are noted, never converted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nanostrata.constants import HC_KEV_NM
from nanostrata.io.units import length_nm

__all__ = ["FileEnergy", "check_energy", "photon_energy"]

_EV = {"kev": 1.0, "ev": 1e-3, "mev": None, "gev": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEnergy:
    """Photon energy stated in a file, or why there is none."""

    kev: float | None = None
    uncertainty_ev: float = 0.0
    source: str = ""
    notes: tuple[str, ...] = ()


def _half_last_digit(text: str) -> float:
    """Half of the last printed digit: 0.05 for "6.1"."""
    match = re.fullmatch(r"[+-]?(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?", text)
    if match is None:
        return 0.0
    return float(0.5 * 10.0 ** (int(match[3] or 0) - len(match[2])))


def photon_energy(probe: str, kind: str, value: str, unit: str, where: str) -> FileEnergy:
    """Turn a stated wavelength or energy into a photon energy.

    E = h c / wavelength. Only for X-rays: with another or an unknown probe the number is kept in a note.

    Parameters
    ----------
    probe : what the file says about the radiation ("" if nothing)
    kind : "wavelength" or "energy"
    value, unit : as printed
    where : place in the file, for messages
    """
    value, unit = value.strip(), unit.strip()
    said = f"{kind} {value} {unit}".strip()
    try:
        number = float(value)
    except ValueError:
        return FileEnergy(notes=(f"{where}: {kind} {value!r} is not a number and is not used",))
    if not math.isfinite(number) or number <= 0:
        return FileEnergy(notes=(f"{where}: {said} is not possible and is not used",))
    lower = probe.lower()
    if "neutron" in lower:
        return FileEnergy(notes=(f"neutrons ({probe.strip()}), {said}: no photon energy",))
    if not re.search(r"x.?ray|synchrotron", lower):
        told = f"radiation {probe.strip()!r}" if probe.strip() else "a radiation that the file does not name"
        return FileEnergy(notes=(f"the file states {said} for {told}; it is not used, state energy_kev for X-rays",))
    digit = _half_last_digit(value) / number
    if kind == "wavelength":
        nm = length_nm(number, unit)
        kev = HC_KEV_NM / nm if nm else None
    else:
        factor = _EV.get(unit.lower())
        kev = number * factor if factor else None
    if kev is None:
        return FileEnergy(notes=(f"{where}: the unit of {said} is not understood; it is not used, state energy_kev",))
    return FileEnergy(kev=kev, uncertainty_ev=kev * 1e3 * digit, source=f"{said} in the file")


def check_energy(
    declared: float | None, stated: FileEnergy, file: str, problems: list[str], notes: list[str]
) -> float | None:
    """Decide the photon energy in keV; problems and notes are appended.

    A declared energy must agree with the file's within 0.5 eV, or within what the file's printed digits can tell.
    """
    if declared is None:
        if stated.kev is None:
            return None
        if not 1.0 <= stated.kev <= 200.0:
            problems.append(f"{file}: {stated.source} is {stated.kev:g} keV, outside 1 to 200 keV; state energy_kev")
            return None
        notes.append(f"photon energy {stated.kev:.6g} keV from {stated.source}")
        if stated.uncertainty_ev > 0.5:
            notes.append(
                f"the digits of {stated.source} give the energy only to {stated.uncertainty_ev:.2g} eV; "
                "state energy_kev where f' and f'' matter"
            )
        return stated.kev
    if isinstance(declared, bool) or not math.isfinite(declared) or declared <= 0:
        problems.append(f"{file}: energy_kev = {declared!r}; a photon energy in keV is expected, 1 to 200")
        return None
    if declared > 200.0:
        hint = f"; was eV meant? write energy_kev = {declared / 1e3:g}" if declared >= 1000.0 else ""
        problems.append(f"{file}: energy_kev = {declared:g} is outside 1 to 200 keV{hint}")
        return None
    if declared < 1.0:
        problems.append(f"{file}: energy_kev = {declared:g} is outside 1 to 200 keV; was a wavelength or MeV meant?")
        return None
    if stated.kev is not None:
        difference = abs(stated.kev - declared) * 1e3
        if difference > max(0.5, stated.uncertainty_ev):
            problems.append(
                f"{file}: energy_kev = {declared:g} is declared, but {stated.source} is {stated.kev:.6g} keV "
                f"({difference:.3g} eV apart); correct the one that is wrong, or leave energy_kev out to go by the file"
            )
            return None
        notes.append(f"energy_kev = {declared:g} agrees with {stated.source} ({stated.kev:.6g} keV)")
    return float(declared)
