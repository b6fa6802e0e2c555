"""Activation energies of diffusion from the literature, with what is doubtful about each."""

from __future__ import annotations

from typing import NamedTuple

from scipy import constants


class LiteratureActivation(NamedTuple):
    """One published activation energy.

    Attributes
    ----------
    key : short name
    element : what diffuses
    host : in what
    activation_energy_kj_mol : as printed, or converted from eV
    as_printed : number and unit of the source
    temperature_c : range in which it was measured, degrees C; None when our source does not say
    d0_cm2_s : prefactor, cm^2/s; None when our source gives none
    source : where it stands
    doubt : what to keep in mind
    """

    key: str
    element: str
    host: str
    activation_energy_kj_mol: float
    as_printed: str
    temperature_c: tuple[float, float] | None
    d0_cm2_s: float | None
    source: str
    doubt: str


KJ_MOL_PER_EV: float = constants.e * constants.N_A / 1000
"""kJ/mol in one eV: the Faraday constant."""
PAPER = "Yarema et al., Sci. Rep. 7, 11718 (2017)"

LITERATURE: tuple[LiteratureActivation, ...] = (
    LiteratureActivation(
        "zn_paper", "Zn", "Ag-In-Se nanocrystals (the method's paper)", 3.3, "3.3 kJ/mol", (50.0, 150.0), 3.95e-17,
        PAPER,
        "two temperatures, printed without errors; D0 follows from the two printed diffusivities (3.25 kJ/mol unrounded). "
        "The printed text does not define the diffusivity, and other readings of it give up to 18 kJ/mol on like profiles.",
    ),
    LiteratureActivation(
        "zn_cigs_film", "Zn", "polycrystalline Cu-In-Ga-Se films", 119.6, "119.6 kJ/mol = 1.24 eV", (150.0, 200.0), None,
        f"as quoted by {PAPER}",
        "the source is probably Bastek et al., Appl. Phys. Lett. 101, 074105 (2012), which we have not read; micrometres of "
        "film with grain boundaries, not nanometres.",
    ),
    LiteratureActivation(
        "zn_cuinse2_bulk", "Zn", "bulk CuInSe2", 0.41 * KJ_MOL_PER_EV, "0.41 eV", (550.0, 700.0), None,
        "Benabdeslem et al., J. Cryst. Growth 274, 144 (2005), abstract",
        "read in the abstract only: D is 1e-11 to 1e-10 cm2/s at 550 to 700 °C, far above the growth temperatures here.",
    ),
    LiteratureActivation(
        "cd_znte_quoted", "Cd", "ZnTe/CdSe nanorods, as the paper quotes it", 20.0, "20 kJ/mol", None, None,
        f"as quoted by {PAPER}",
        "its likely source reports 24 kJ/mol (next line) and says that such heterostructures are alloys.",
    ),
    LiteratureActivation(
        "cd_znte_reported", "Cd", "ZnTe nanorods, as reported", 24.0, "24 kJ/mol", (20.0, 240.0), None,
        "Enright, Sarsito & Cossairt, Chem. Mater. (2016), doi:10.1021/acs.chemmater.6b04215, abstract",
        "read in the abstract only: the rate of cation exchange, not a diffusivity; most likely what the paper quotes as 20.",
    ),
    LiteratureActivation(
        "fe_cigs", "Fe", "Cu-In-Ga-Se films", 0.97 * KJ_MOL_PER_EV, "0.97 eV", None, 1.6e-4,
        "Stolwijk et al. (2010), abstract", "read in the abstract only: along grain boundaries, and another element.",
    ),
    LiteratureActivation(
        "rb_cigs_volume", "Rb", "Cu-In-Ga-Se, inside grains", 0.44 * KJ_MOL_PER_EV, "0.44 eV", None, 3.8e-8,
        "an abstract whose reference we have not confirmed", "another element; only the abstract was read.",
    ),
    LiteratureActivation(
        "rb_cigs_boundary", "Rb", "Cu-In-Ga-Se, along grain boundaries", 0.29 * KJ_MOL_PER_EV, "0.29 eV", None, 5.7e-9,
        "an abstract whose reference we have not confirmed", "another element; only the abstract was read.",
    ),
)  # fmt: skip
