"""Liquids round the particles."""

from __future__ import annotations

# name -> formula, density in g/cm3 at 20 to 25 degrees C (handbook values, CRC Handbook of Chemistry and Physics)
MEDIA: dict[str, tuple[str, float]] = {
    "toluene": ("C7H8", 0.867),
    "water": ("H2O", 0.9970),
    # D2O has the electrons of H2O; 1.1044 g/cm3 at 20.028 g/mol turned into the mass density of as many H2O
    "heavy water": ("H2O", 1.1044 * 18.015 / 20.028),
    "hexane": ("C6H14", 0.6606),
    "heptane": ("C7H16", 0.6795),
    "octane": ("C8H18", 0.6986),
    "cyclohexane": ("C6H12", 0.7739),
    "decane": ("C10H22", 0.7266),
    "octadecene": ("C18H36", 0.789),
    "benzene": ("C6H6", 0.8765),
    "chloroform": ("CHCl3", 1.4788),
    "dichloromethane": ("CH2Cl2", 1.3266),
    "tetrachloroethylene": ("C2Cl4", 1.6230),
    "tetrahydrofuran": ("C4H8O", 0.8833),
    "acetone": ("C3H6O", 0.7845),
    "ethanol": ("C2H6O", 0.7893),
    "methanol": ("CH4O", 0.7914),
    "isopropanol": ("C3H8O", 0.7809),
    "dimethylformamide": ("C3H7NO", 0.9445),
    "dimethyl sulfoxide": ("C2H6OS", 1.1010),
}
"""Known names."""

EMPTY = ("vacuum", "air")
"""Media without electrons."""
