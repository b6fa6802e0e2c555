"""Liquids round the particles: formula and density."""

from __future__ import annotations

from typing import NamedTuple


class Liquid(NamedTuple):
    """One liquid: formula, mass density in g/cm^3, and the temperature in degrees C at which it holds."""

    formula: str
    density_g_cm3: float
    temperature_c: float


# Densities as in the table of physical constants of organic compounds of the CRC Handbook of Chemistry and Physics.
# Organic liquids expand by 1.0e-3 to 1.5e-3 per degree: 10 degrees are 1 % of the medium's density. Where that matters
# the project file takes { formula, density_g_cm3 }.
_LIQUIDS = {
    "toluene": Liquid("C7H8", 0.867, 20.0),
    "water": Liquid("H2O", 0.9970, 25.0),
    "heavy water": Liquid("D2O", 1.1044, 25.0),
    "hexane": Liquid("C6H14", 0.6606, 25.0),
    "heptane": Liquid("C7H16", 0.6795, 25.0),
    "octane": Liquid("C8H18", 0.6986, 25.0),
    "decane": Liquid("C10H22", 0.7266, 25.0),
    "cyclohexane": Liquid("C6H12", 0.7739, 25.0),
    "octadecene": Liquid("C18H36", 0.789, 20.0),
    "benzene": Liquid("C6H6", 0.8765, 20.0),
    "chlorobenzene": Liquid("C6H5Cl", 1.1058, 20.0),
    "chloroform": Liquid("CHCl3", 1.4788, 25.0),
    "dichloromethane": Liquid("CH2Cl2", 1.3266, 20.0),
    "tetrachloroethylene": Liquid("C2Cl4", 1.6230, 20.0),
    "tetrahydrofuran": Liquid("C4H8O", 0.8833, 25.0),
    "acetone": Liquid("C3H6O", 0.7845, 25.0),
    "acetonitrile": Liquid("C2H3N", 0.7857, 20.0),
    "ethanol": Liquid("C2H6O", 0.7893, 20.0),
    "methanol": Liquid("CH4O", 0.7914, 20.0),
    "isopropanol": Liquid("C3H8O", 0.7809, 25.0),
    "dimethylformamide": Liquid("C3H7NO", 0.9445, 25.0),
    "dimethyl sulfoxide": Liquid("C2H6OS", 1.1010, 25.0),
}

_ALSO = {
    "d2o": "heavy water", "h2o": "water", "n-hexane": "hexane", "n-heptane": "heptane", "n-octane": "octane",
    "1-octadecene": "octadecene", "dcm": "dichloromethane", "thf": "tetrahydrofuran",
    "2-propanol": "isopropanol", "dmf": "dimethylformamide", "dmso": "dimethyl sulfoxide",
}  # fmt: skip

MEDIA: dict[str, Liquid] = {**_LIQUIDS, **{also: _LIQUIDS[name] for also, name in _ALSO.items()}}
"""Known names, in small letters."""

EMPTY = ("vacuum", "air")
"""Media without electrons."""
