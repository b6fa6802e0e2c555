"""The solid solution: laws that hold for any pair, and pairs worked out by hand."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nanostrata.domain import Material, Medium
from nanostrata.errors import PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.models.materials import make_material
from nanostrata.tables.factors import load_factors

TABLE = load_factors("chantler")
TOLUENE = Medium(name="toluene", electron_density_e_nm3=283.33)
LATTICES = {
    "Ag2In4Se7": ("wurtzite", 0.426, 0.702),
    "ZnSe": ("wurtzite", 0.400, 0.655),
    "CdSe": ("zincblende", 0.6077, None),
    "CdS": ("zincblende", 0.5832, None),
    "ZnS": ("zincblende", 0.5409, None),
    "PbS": ("rocksalt", 0.5936, None),
    "InP": ("zincblende", 0.5869, None),
    "CuInS2": ("zincblende", 0.5523, None),
    "Pt": ("fcc", 0.3924, None),
    "Ni": ("fcc", 0.3524, None),
    "Co": ("hcp", 0.2507, 0.4069),
    "Si": ("diamond", 0.5431, None),
}
PAIRS = [
    ("Ag2In4Se7", "ZnSe"), ("CdSe", "CdS"), ("CdSe", "ZnS"), ("PbS", "CdS"), ("InP", "ZnS"), ("CuInS2", "ZnS"),
    ("Pt", "Ni"), ("Pt", "Co"),
]  # fmt: skip


def solid(core: str, shell: str | None = None) -> SolidSolution:
    first = make_material(core, *LATTICES[core], partner=shell)
    second = None if shell is None else make_material(shell, *LATTICES[shell], partner=core)
    return SolidSolution(core=first, shell=second, medium=TOLUENE)


SOLIDS = [solid(*pair) for pair in PAIRS]
pairs = pytest.mark.parametrize("one", SOLIDS, ids=["/".join(p) for p in PAIRS])
fractions = st.floats(0.0, 1.0)


# --- by hand


def test_cdse_cds_exchanges_anions() -> None:
    one = solid("CdSe", "CdS")
    counts = one.elements_per_site(0.25)
    assert {e: float(n) for e, n in counts.items()} == pytest.approx({"Cd": 1.0, "S": 0.25, "Se": 0.75})
    assert one.exchanged_elements == ("S", "Se")
    assert one.elements == ("Cd", "S", "Se")
    a = 0.6077 - 0.25 * (0.6077 - 0.5832)
    assert float(one.site_volume_nm3(0.25)) == pytest.approx(a**3 / 4, rel=1e-12)


def test_cdse_zns_exchanges_both() -> None:
    one = solid("CdSe", "ZnS")
    counts = one.elements_per_site(0.4)
    assert {e: float(n) for e, n in counts.items()} == pytest.approx({"Zn": 0.4, "Cd": 0.6, "S": 0.4, "Se": 0.6})
    assert set(one.exchanged_elements) == {"Zn", "Cd", "S", "Se"}


def test_pbs_cds_of_different_structures_takes_the_cube_root_of_the_volume() -> None:
    one = solid("PbS", "CdS")
    ends = [0.5936**3 / 4, 0.5832**3 / 4]
    assert float(one.site_volume_nm3(0.0)) == pytest.approx(ends[0], rel=1e-12)
    assert float(one.site_volume_nm3(1.0)) == pytest.approx(ends[1], rel=1e-12)
    assert float(one.site_volume_nm3(0.5)) == pytest.approx(((0.5936 + 0.5832) / 2) ** 3 / 4, rel=1e-12)
    assert set(one.mismatch_percent(0.0, 1.0)) == {"cubic"}
    assert one.mismatch_percent(0.0, 1.0)["cubic"] == pytest.approx(100 * (0.5936 - 0.5832) / 0.5936, rel=1e-9)


def test_wurtzite_zincblende_takes_the_cube_root_too() -> None:
    core = make_material("CdSe", "wurtzite", 0.4299, 0.7011, partner="ZnS")
    shell = make_material("ZnS", "zincblende", 0.5409, partner="CdSe")
    one = SolidSolution(core=core, shell=shell, medium=TOLUENE)
    roots = [np.cbrt(core.site_volume_nm3), np.cbrt(shell.site_volume_nm3)]
    assert float(one.site_volume_nm3(0.3)) == pytest.approx((0.7 * roots[0] + 0.3 * roots[1]) ** 3, rel=1e-12)
    mismatch = one.mismatch_percent(0.0, 1.0)
    assert mismatch["a"] == pytest.approx(mismatch["c"])
    assert mismatch["a"] == pytest.approx(100 * (roots[0] - roots[1]) / roots[0])


def test_cuins2_zns_mixes_three_cations() -> None:
    one = solid("CuInS2", "ZnS")
    counts = one.elements_per_site(0.5)
    assert {e: float(n) for e, n in counts.items()} == pytest.approx({"Cu": 0.25, "Zn": 0.5, "In": 0.25, "S": 1.0})
    cations, anions = one.sublattices(np.array(0.5))
    assert set(cations) == {"Cu", "Zn", "In"}
    assert set(anions) == {"S"}


def test_pt_ni_counts_atoms() -> None:
    one = solid("Pt", "Ni")
    assert float(one.elements_per_site(0.3)["Ni"]) == pytest.approx(0.3)
    assert len(one.sublattices(np.array(0.3))) == 1
    rho = complex(one.electron_density(0.3, TABLE, 20.0))
    f = [78 + TABLE.anomalous("Pt", 20.0), 28 + TABLE.anomalous("Ni", 20.0)]
    a = 0.7 * 0.3924 + 0.3 * 0.3524
    assert rho == pytest.approx((0.7 * f[0] + 0.3 * f[1]) * 4 / a**3, rel=1e-12)


def test_one_material() -> None:
    silicon = solid("Si")
    x = np.array([0.0, 0.5, 1.0])
    rho = silicon.electron_density(x, TABLE, 17.0)
    # 2.329 g/cm3 at 28.0855 g/mol: 699 electrons per nm^3; f' of Si at 17 keV is 0.08
    assert rho.real == pytest.approx(2.329 * 602.214 / 28.0855 * (14 + TABLE.f_prime("Si", 17.0)), rel=2e-4)
    assert np.ptp(rho.real) == 0.0
    assert silicon.exchanged_elements == ()
    assert silicon.elements == ("Si",)
    np.testing.assert_array_equal(silicon.site_volume_slope(x), 0.0)
    np.testing.assert_allclose(silicon.laue_per_site(x, TABLE, 17.0), 0.0, atol=1e-9)


def test_an_element_can_be_cation_here_and_anion_there() -> None:
    core = make_material("InSb", "zincblende", 0.6479, partner="CuSbS2")
    shell = make_material("CuSbS2", "zincblende", 0.55, partner="InSb")
    one = SolidSolution(core=core, shell=shell, medium=TOLUENE)
    cations, anions = one.sublattices(np.array(0.5))
    assert {e: float(n) for e, n in cations.items()} == pytest.approx({"Cu": 0.25, "In": 0.5, "Sb": 0.25})
    assert {e: float(n) for e, n in anions.items()} == pytest.approx({"S": 0.5, "Sb": 0.5})


# --- laws


@pairs
def test_end_members_are_met(one: SolidSolution) -> None:
    for x, material in ((0.0, one.core), (1.0, one.shell)):
        assert float(one.site_volume_nm3(x)) == pytest.approx(material.site_volume_nm3, rel=1e-12)
        counts = {e: float(n) for e, n in one.elements_per_site(x).items() if n > 0}
        assert counts == pytest.approx(dict(material.composition))


@settings(max_examples=40, deadline=None)
@given(x=fractions, which=st.integers(0, len(SOLIDS) - 1))
def test_core_and_shell_are_names_only(x: float, which: int) -> None:
    one = SOLIDS[which]
    other = SolidSolution(core=one.shell, shell=one.core, medium=TOLUENE)
    here = complex(one.electron_density(x, TABLE, 20.0))
    assert here == pytest.approx(complex(other.electron_density(1 - x, TABLE, 20.0)), rel=1e-10)
    assert float(one.laue_per_site(x, TABLE, 20.0)) == pytest.approx(
        float(other.laue_per_site(1 - x, TABLE, 20.0)), rel=1e-9, abs=1e-8
    )


@settings(max_examples=40, deadline=None)
@given(x=fractions, y=fractions, which=st.integers(0, len(SOLIDS) - 1))
def test_volume_runs_one_way_and_electrons_per_site_are_linear(x: float, y: float, which: int) -> None:
    one = SOLIDS[which]
    v0, v1, vx, vy = (float(one.site_volume_nm3(t)) for t in (0.0, 1.0, x, y))
    assert (vx - vy) * (x - y) * (v1 - v0) >= -1e-18
    assert min(v0, v1) * (1 - 1e-12) <= vx <= max(v0, v1) * (1 + 1e-12)
    electrons = [complex(one.electron_density(t, TABLE, 20.0)) * float(one.site_volume_nm3(t)) for t in (0.0, 1.0, x)]
    assert electrons[2] == pytest.approx((1 - x) * electrons[0] + x * electrons[1], rel=1e-10)


@pairs
def test_slope_of_the_volume(one: SolidSolution) -> None:
    x, step = np.linspace(0.1, 0.9, 9), 1e-5
    numeric = (one.site_volume_nm3(x + step) - one.site_volume_nm3(x - step)) / (2 * step)
    np.testing.assert_allclose(one.site_volume_slope(x), numeric, rtol=1e-7)


@settings(max_examples=40, deadline=None)
@given(
    x=fractions,
    volumes=st.lists(st.floats(0.01, 10.0), min_size=1, max_size=8),
    which=st.integers(0, len(SOLIDS) - 1),
)
def test_mean_fraction_of_a_homogeneous_particle_is_its_fraction(x: float, volumes: list[float], which: int) -> None:
    assert SOLIDS[which].mean_site_fraction(np.full(len(volumes), x), volumes) == pytest.approx(x, abs=1e-12)


@pairs
def test_mean_fraction_is_what_element_counts_say(one: SolidSolution) -> None:
    x, volumes = np.array([0.1, 0.5, 0.9]), np.array([1.0, 7.0, 19.0])
    sites = volumes / one.site_volume_nm3(x)
    element = one.exchanged_elements[0]
    counts = float((one.elements_per_site(x)[element] * sites).sum() / sites.sum())
    ends = [float(one.elements_per_site(t)[element]) for t in (0.0, 1.0)]
    assert one.mean_site_fraction(x, volumes) == pytest.approx((counts - ends[0]) / (ends[1] - ends[0]), rel=1e-10)


def test_factors_that_depend_on_q_meet_those_at_zero() -> None:
    one = SOLIDS[0]
    q = np.array([0.0, 10.0, 40.0])
    for with_q, at_zero in zip(one.numerators(TABLE, 9.63, q), one.numerators(TABLE, 9.63), strict=True):
        assert with_q.shape == (3,)
        assert at_zero.shape == (1,)
        assert with_q[0] == pytest.approx(at_zero[0], rel=1e-12)
        assert np.all(np.diff(with_q.real) < 0)
        assert np.ptp(with_q.imag) < 1e-12  # f'' does not depend on q


def test_solutions_survive_pickling() -> None:
    again = pickle.loads(pickle.dumps(SOLIDS[0]))
    assert complex(again.electron_density(0.4, TABLE, 9.63)) == complex(SOLIDS[0].electron_density(0.4, TABLE, 9.63))
    with pytest.raises(TypeError):
        again.core.composition["Zn"] = 1.0


# --- Laue scattering


@pairs
@pytest.mark.parametrize("x", [0.0, 0.35, 1.0])
def test_laue_scattering_against_scattering_of_drawn_sites(one: SolidSolution, x: float) -> None:
    """Diffuse scattering at random phases of sites that are filled by lot, minus that of the average lattice."""
    rng = np.random.default_rng(11)
    n_sites, n_draws = 400, 3000
    excess = np.zeros(n_draws)
    amplitude = np.zeros(n_draws, dtype=np.complex128)
    for occupation in one.sublattices(np.array(x)):
        names = [e for e, n in occupation.items() if n > 0]
        chance = np.array([float(occupation[e]) for e in names])
        chance = np.append(chance, max(0.0, 1.0 - chance.sum()))
        f = np.array([*(_z(e) + TABLE.anomalous(e, 9.63) for e in names), 0.0])
        drawn = f[rng.choice(len(f), size=(n_draws, n_sites), p=chance / chance.sum())]
        phase = np.exp(2j * np.pi * rng.random((n_draws, n_sites)))
        amplitude += ((drawn - chance @ f) * phase).sum(axis=1)
    excess = np.abs(amplitude) ** 2 / n_sites
    expected = float(one.laue_per_site(x, TABLE, 9.63))
    # |amplitude|^2 is exponentially distributed: its mean is known to expected / sqrt(n_draws)
    assert excess.mean() == pytest.approx(expected, abs=4 * expected / math.sqrt(n_draws) + 1e-8)


def _z(element: str) -> int:
    return {"Ag": 47, "In": 49, "Se": 34, "Zn": 30, "Cd": 48, "S": 16, "Pb": 82, "P": 15, "Cu": 29, "Pt": 78, "Ni": 28,
            "Co": 27}[element]  # fmt: skip


@pytest.mark.parametrize("pair", [("CdSe", "CdS"), ("CdSe", "ZnS"), ("PbS", "CdS"), ("Pt", "Ni")])
def test_pure_ordered_end_members_scatter_no_laue(pair: tuple[str, str]) -> None:
    one = solid(*pair)
    np.testing.assert_allclose(one.laue_per_site(np.array([0.0, 1.0]), TABLE, 9.63), 0.0, atol=1e-9)
    assert float(one.laue_per_site(0.5, TABLE, 9.63)) > 1.0


def test_laue_of_a_lattice_with_two_cation_sites() -> None:
    def member(name: str, composition: dict[str, float], sites: tuple[float, float]) -> Material:
        return Material(
            name=name, composition=composition, site_volume_nm3=0.048, structure="cif", lattice_nm=(0.576,) * 3,
            sublattice_sites=sites,
        )  # fmt: skip

    full = SolidSolution(core=member("Cu2Se", {"Cu": 2.0, "Se": 1.0}, (2.0, 1.0)), shell=None, medium=TOLUENE)
    assert float(full.laue_per_site(0.0, TABLE, 20.0)) == pytest.approx(0.0, abs=1e-9)
    short = SolidSolution(core=member("Cu1.8Se", {"Cu": 1.8, "Se": 1.0}, (2.0, 1.0)), shell=None, medium=TOLUENE)
    f = 29 + TABLE.anomalous("Cu", 20.0)
    assert float(short.laue_per_site(0.0, TABLE, 20.0)) == pytest.approx(2 * 0.9 * 0.1 * abs(f) ** 2, rel=1e-9)


def test_impossible_volume_is_refused() -> None:
    with pytest.raises(PhysicsError, match="site_volume_nm3"):
        Material(name="x", composition={"Zn": 1.0}, site_volume_nm3=0.0, structure="cif", lattice_nm=(1.0, 1.0, 1.0))
