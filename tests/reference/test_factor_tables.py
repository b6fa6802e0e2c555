"""Factor tables against other people's numbers.

The Chantler and Cromer-Liberman numbers were computed with xraydb 4.5.8 and gemmi 0.7.5; f0 is compared with the
coefficients of International Tables C (1992) in gemmi, which are a fit of their own.
"""

import gemmi
import numpy as np
import pytest
import xraydb
from scipy import constants

from nanostrata.tables.chantler import gaps_kev, points
from nanostrata.tables.edges import edges_kev
from nanostrata.tables.elements import atomic_number
from nanostrata.tables.factors import load_factors

CHANTLER = load_factors("chantler")
CROMER = load_factors("cromer-liberman")
ENERGIES = (8.9, 9.3, 9.63, 16.0)
CROMER_F_PRIME = {
    "Zn": (-2.199, -2.885, -5.438, 0.225),
    "Se": (-0.994, -1.098, -1.190, -0.383),
    "Ag": (0.107, 0.073, 0.041, -0.699),
    "In": (0.127, 0.116, 0.099, -0.550),
}
CROMER_ZN_F_DOUBLE_PRIME = (0.565, 0.521, 0.489, 1.667)


@pytest.mark.parametrize("element", sorted(CROMER_F_PRIME))
def test_cromer_liberman(element: str) -> None:
    for energy, expected in zip(ENERGIES, CROMER_F_PRIME[element], strict=True):
        assert CROMER.f_prime(element, energy) == pytest.approx(expected, abs=6e-4)


def test_cromer_liberman_absorption_of_zinc() -> None:
    for energy, expected in zip(ENERGIES, CROMER_ZN_F_DOUBLE_PRIME, strict=True):
        assert CROMER.f_double_prime("Zn", energy) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("element", ["H", "C", "O", "S", "Ni", "Zn", "Se", "Ag", "Cd", "In", "Pt", "Pb", "U"])
def test_our_interpolation_is_xraydbs(element: str) -> None:
    rng = np.random.default_rng(atomic_number(element))
    for energy in rng.uniform(1.0, 60.0, 25):
        theirs = complex(
            float(xraydb.f1_chantler(element, energy * 1e3)), float(xraydb.f2_chantler(element, energy * 1e3))
        )
        assert CHANTLER.anomalous(element, float(energy)) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("element", sorted(CROMER_F_PRIME))
@pytest.mark.parametrize("energy", ENERGIES)
def test_the_tables_agree_away_from_edges(element: str, energy: float) -> None:
    both = CHANTLER.anomalous(element, energy), CROMER.anomalous(element, energy)
    assert abs(both[0].real - both[1].real) < 0.08
    assert abs(both[0].imag - both[1].imag) < 0.04


def test_no_line_is_drawn_across_the_zinc_edge() -> None:
    """A straight line from 9.602 to 9.6585 keV gives f' = -8.14 at 9.630 keV."""
    values = [t.f_prime("Zn", 9.63) for t in (CHANTLER, CROMER)]
    assert abs(values[0] - values[1]) < 0.05
    assert all(-5.6 < v < -5.3 for v in values)
    assert all(t.f_double_prime("Zn", 9.63) < 0.55 for t in (CHANTLER, CROMER))


def test_slope_below_the_edge() -> None:
    slope = (CROMER.f_prime("Zn", 9.64) - CROMER.f_prime("Zn", 9.62)) / 20.0
    assert slope == pytest.approx((-5.889 + 5.124) / 20.0, abs=1e-4)


@pytest.mark.parametrize(("element", "shell", "width_ev"), [("Zn", "K", 3.0), ("Cd", "K", 27.8), ("Pb", "L3", 15.8)])
def test_gaps_of_chantlers_table(element: str, shell: str, width_ev: float) -> None:
    low, high = {s: (a, b) for s, a, b in gaps_kev(element)}[shell]
    assert low < dict(edges_kev(element))[shell] < high
    assert (high - low) * 1e3 == pytest.approx(width_ev, abs=0.2)


def test_f0_of_hydrogen_is_that_of_its_orbital() -> None:
    bohr_nm = constants.physical_constants["Bohr radius"][0] * 1e9
    q = np.linspace(0.0, 60.0, 25)
    np.testing.assert_allclose(CHANTLER.f0("H", q), (1.0 + (q * bohr_nm / 2.0) ** 2) ** -2, atol=1e-3)


@pytest.mark.parametrize("element", ["C", "S", "Zn", "Se", "Ag", "In", "Pb"])
def test_f0_against_international_tables(element: str) -> None:
    q = np.linspace(0.0, 60.0, 25)
    s_squared = (q / 10.0 / (4.0 * np.pi)) ** 2
    theirs = np.array([gemmi.Element(element).it92.calculate_sf(float(v)) for v in s_squared])
    np.testing.assert_allclose(CHANTLER.f0(element, q), theirs, atol=0.006 * atomic_number(element))


def test_f0_is_z_at_zero_for_every_element() -> None:
    for z in range(1, 93):
        symbol = gemmi.Element(z).name
        assert CHANTLER.f0(symbol, 0.0)[0] == pytest.approx(z, rel=1e-15)


def test_chantlers_table_holds_every_element_up_to_uranium() -> None:
    for z in range(1, 93):
        energy, f_prime, f_double_prime = points(gemmi.Element(z).name)
        assert energy[0] < 100.0  # eV
        assert energy[-1] > 400e3
        assert np.isfinite(f_prime).all()
        assert np.all(f_double_prime >= 0)
        assert np.all(f_double_prime[(energy > 1e3) & (energy < 2e5)] > 0)


def test_f0_falls_with_q() -> None:
    values = CHANTLER.f0("Zn", np.linspace(0.0, 300.0, 200))
    assert np.all(np.diff(values) < 0)
    assert values[-1] > 0


def test_zinc_edge_energy() -> None:
    assert dict(edges_kev("Zn"))["K"] == pytest.approx(9.659, abs=5e-4)
