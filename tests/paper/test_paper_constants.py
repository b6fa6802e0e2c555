"""Numbers printed in the paper, and the golden tables of factors and densities (Chantler, computed with xraydb 4.5.8)."""

import numpy as np
import pytest

from nanostrata.models.density import SolidSolution
from nanostrata.models.materials import load_medium, make_material
from nanostrata.tables.factors import load_factors

FACTORS = {
    8.9: {"Zn": (-2.207, 0.566), "Se": (-1.004, 0.950), "Ag": (0.043, 3.606), "In": (0.086, 4.256)},
    9.3: {"Zn": (-2.894, 0.521), "Se": (-1.100, 0.871), "Ag": (0.023, 3.332), "In": (0.088, 3.931)},
    9.63: {"Zn": (-5.462, 0.515), "Se": (-1.191, 0.814), "Ag": (-0.006, 3.130), "In": (0.072, 3.692)},
    16.0: {"Zn": (0.172, 1.659), "Se": (-0.459, 2.557), "Ag": (-0.751, 1.279), "In": (-0.608, 1.518)},
}
DENSITIES = {  # x: v in nm^3, n_Zn in 1/nm^3, rho in e/nm^3 at 16, 9.63, 9.30, 8.90 keV
    0.0: (0.055164, 0.0, 1348.8, 1346.5, 1348.4, 1350.3),
    0.25: (0.052598, 4.753, 1363.8, 1331.7, 1345.9, 1351.0),
    0.5: (0.050113, 9.977, 1378.1, 1313.3, 1340.9, 1349.7),
    0.75: (0.047707, 15.721, 1391.5, 1290.8, 1333.2, 1346.0),
    1.0: (0.045380, 22.036, 1404.0, 1263.7, 1322.3, 1339.5),
}


@pytest.fixture(scope="module")
def solid() -> SolidSolution:
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe")
    shell = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7")
    return SolidSolution(core=core, shell=shell, medium=load_medium("toluene"))


@pytest.mark.parametrize("energy", sorted(FACTORS))
@pytest.mark.parametrize("element", ["Zn", "Se", "Ag", "In"])
def test_chantler_factors(energy: float, element: str) -> None:
    table = load_factors("chantler")
    expected = FACTORS[energy][element]
    assert table.f_prime(element, energy) == pytest.approx(expected[0], abs=6e-4)
    assert table.f_double_prime(element, energy) == pytest.approx(expected[1], abs=6e-4)


def test_cromer_liberman_near_the_edge_agrees_and_no_table_draws_a_line_across_it() -> None:
    chantler, cl = load_factors("chantler"), load_factors("cromer-liberman")
    assert cl.f_prime("Zn", 9.63) == pytest.approx(-5.438, abs=2e-3)
    assert cl.f_double_prime("Zn", 9.63) == pytest.approx(0.489, abs=2e-3)
    # a straight line through the cusp would give -8.14
    assert abs(chantler.f_prime("Zn", 9.63) - cl.f_prime("Zn", 9.63)) < 0.05


@pytest.mark.parametrize("x", sorted(DENSITIES))
def test_density_table(solid: SolidSolution, x: float) -> None:
    v, n_zn, *rho = DENSITIES[x]
    table = load_factors("chantler")
    assert float(solid.site_volume_nm3(x)) == pytest.approx(v, rel=2e-4)
    assert float(solid.elements_per_site(x)["Zn"] / solid.site_volume_nm3(x)) == pytest.approx(n_zn, rel=2e-4)
    for energy, expected in zip((16.0, 9.63, 9.3, 8.9), rho, strict=True):
        assert complex(solid.electron_density(x, table, energy)).real == pytest.approx(expected, rel=2e-4)


def test_zinc_density_of_znse(solid: SolidSolution) -> None:
    assert float(1.0 / solid.site_volume_nm3(1.0)) == pytest.approx(22.04, abs=0.005)


def test_mismatch_of_the_abrupt_interface(solid: SolidSolution) -> None:
    mismatch = solid.mismatch_percent(0.0, 1.0)
    assert mismatch["a"] == pytest.approx(6.10, abs=0.005)
    assert mismatch["c"] == pytest.approx(6.70, abs=0.005)


def test_contrast_flips_between_16_and_9_3_kev(solid: SolidSolution) -> None:
    """The shell is denser than the core by 4.1 % at 16 keV, lighter by 6.1 % at 9.63 and by 0.8 % at 8.90 keV."""
    table = load_factors("chantler")
    for energy, percent in ((16.0, 4.1), (9.63, -6.1), (8.9, -0.8)):
        core, shell = solid.electron_density(np.array([0.0, 1.0]), table, energy).real
        assert 100 * (shell / core - 1) == pytest.approx(percent, abs=0.1)


def test_core_and_shell_look_most_alike_at_8_9_kev(solid: SolidSolution) -> None:
    """Excess densities over toluene: within 1.3 % at 8.90 keV, 5.3 % apart at 16 keV."""
    table = load_factors("chantler")
    apart = {}
    for energy in (8.9, 9.3, 9.63, 16.0):
        core, shell = solid.electron_density(np.array([0.0, 1.0]), table, energy).real - 283.33
        apart[energy] = 100 * abs(shell / core - 1)
    assert min(apart, key=apart.__getitem__) == 8.9
    assert apart[8.9] < 1.3
    assert apart[16.0] == pytest.approx(5.3, abs=0.2)


def test_vegard_is_linear_in_the_lattice_constants_not_in_the_volume(solid: SolidSolution) -> None:
    ends = solid.site_volume_nm3(np.array([0.0, 1.0]))
    assert 100 * (ends.mean() / float(solid.site_volume_nm3(0.5)) - 1) == pytest.approx(0.32, abs=0.01)


def test_seven_zinc_take_the_place_of_two_silver_four_indium_and_a_vacancy(solid: SolidSolution) -> None:
    core, shell = solid.elements_per_site(0.0), solid.elements_per_site(1.0)
    charge = {"Ag": 1, "In": 3, "Zn": 2, "Se": -2}
    for counts in (core, shell):
        assert sum(charge[e] * float(n) for e, n in counts.items()) == pytest.approx(0.0, abs=1e-12)
    assert 7 * float(core["Ag"]) == pytest.approx(2)
    assert 7 * float(core["In"]) == pytest.approx(4)
    assert 7 * float(shell["Zn"]) == pytest.approx(7)
    assert float(core["Se"]) == float(shell["Se"]) == 1.0


def test_toluene() -> None:
    assert load_medium("toluene").electron_density_e_nm3 == pytest.approx(283.33, rel=1e-4)


def test_mean_fraction_is_per_site(solid: SolidSolution) -> None:
    volumes = np.diff((np.arange(6) / 5) ** 3)
    x = np.array([0.02, 0.10, 0.30, 0.65, 0.98])
    per_site, per_volume = solid.mean_site_fraction(x, volumes), float(volumes @ x)
    assert 0.005 < per_site - per_volume < 0.05
    assert solid.mean_site_fraction(np.full(5, 0.4), volumes) == pytest.approx(0.4, rel=1e-12)


def test_laue_scattering_against_random_occupation(solid: SolidSolution) -> None:
    rng = np.random.default_rng(5)
    table = load_factors("chantler")
    x, energy, n = 0.4, 9.63, 400_000
    names = ["Zn", "Ag", "In", ""]
    chance = [x, (1 - x) * 2 / 7, (1 - x) * 4 / 7, (1 - x) / 7]
    z = {"Zn": 30, "Ag": 47, "In": 49}
    f = np.array([z[e] + table.anomalous(e, energy) if e else 0.0 for e in names])
    drawn = f[rng.choice(4, n, p=chance)]
    brute = float(np.mean(np.abs(drawn) ** 2) - abs(np.mean(drawn)) ** 2)
    assert float(solid.laue_per_site(x, table, energy)) == pytest.approx(brute, rel=0.01)
    assert float(solid.laue_per_site(1.0, table, energy)) == pytest.approx(0.0, abs=1e-9)
    assert float(solid.laue_per_site(0.0, table, energy)) > 100  # the core itself is disordered
