"""Physical constants in nanostrata's base units (nm, keV, e), taken from :mod:`scipy.constants`."""

from __future__ import annotations

from typing import Final

from scipy import constants as _c

R_E_NM: Final[float] = _c.physical_constants["classical electron radius"][0] * 1e9
"""Classical electron radius, nm."""

HC_KEV_NM: Final[float] = _c.h * _c.c / _c.e * 1e-3 * 1e9
"""Planck constant times speed of light, keV nm: wavelength_nm = HC_KEV_NM / energy_kev."""

AVOGADRO: Final[float] = _c.N_A
"""Particles per mole."""

GAS_CONSTANT_J_MOL_K: Final[float] = _c.R
"""Molar gas constant, J/(mol K)."""

ELEMENTARY_CHARGE_C: Final[float] = _c.e
"""Elementary charge, C; also joule per electronvolt."""
