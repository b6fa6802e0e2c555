"""The outermost layer and what covers it: counted by hand, on slabs of known facets, and on built particles."""

from __future__ import annotations

import numpy as np
import pytest

from nanostrata.domain import AtomicModel, Medium
from nanostrata.errors import PhysicsError
from nanostrata.kernels.lattice_cut import block
from nanostrata.models.coverage import outermost_layer, shell_share, site_sublattices, surface_coverage
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_cells import parse_direction, unit_cell
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.materials import make_material

VACUUM = Medium(name="vacuum", electron_density_e_nm3=0.0)
ZB = "zincblende"


def solid(core, shell=None) -> SolidSolution:
    first = make_material(*core, partner=shell[0] if shell else None)
    second = make_material(*shell, partner=core[0]) if shell else None
    return SolidSolution(core=first, shell=second, medium=VACUUM)


AGINSE = solid(("Ag2In4Se7", "wurtzite", 0.426, 0.702), ("ZnSe", "wurtzite", 0.400, 0.655))
PBCDS = solid(("PbS", "rocksalt", 0.5936), ("CdS", "rocksalt", 0.54))
INPZNS = solid(("InP", ZB, 0.5869), ("ZnS", ZB, 0.5409))
CDSES = solid(("CdSe", "wurtzite", 0.430, 0.701), ("CdS", "wurtzite", 0.4136, 0.6713))
PTNI = solid(("Pt", "fcc", 0.3924), ("Ni", "fcc", 0.3524))


def hand_made(symbols, positions, volume, structure) -> AtomicModel:
    n = len(symbols)
    return AtomicModel(
        symbols=tuple(symbols),
        positions_nm=positions,
        radius_fraction=np.zeros(n),
        site_volume_nm3=np.full(n, volume),
        semi_axes_nm=(0.0, 0.0, 0.0),
        info={"structure": structure},
    )


def rock_salt_cube(n, a=0.58):
    """A cube of n^3 ions, cations at even places; lattice indices and positions."""
    index = np.array([(i, j, k) for i in range(n) for j in range(n) for k in range(n)])
    return index, 0.5 * a * index, a**3 / 8.0


def test_rock_salt_cube_counted_by_hand():
    index, positions, volume = rock_salt_cube(5)
    even = index.sum(axis=1) % 2 == 0
    face = ((index == 0) | (index == 4)).any(axis=1)
    symbols = np.where(even, np.where(face, "Cd", "Pb"), "S")
    at = np.flatnonzero(even & face)
    assert len(at) == 50  # 63 cations in all, 13 of them in the inner 3 x 3 x 3
    symbols[at[:10]] = "Pb"
    model = hand_made(symbols, positions, volume, "rocksalt")
    on = site_sublattices(model, PBCDS)
    np.testing.assert_array_equal(on == 0, even)
    np.testing.assert_array_equal(outermost_layer(model, on), face)
    (coverage,) = surface_coverage(model, PBCDS)
    assert coverage.sublattice == "cation"
    assert coverage.mean == pytest.approx(0.8)
    assert coverage.layer_sites.tolist() == [50]
    assert coverage.spread is None


FACETS = {
    "zincblende": ["(111)", "(-1 -1 -1)", "(100)", "(110)"],
    "rocksalt": ["(100)", "(111)", "(110)"],
    "wurtzite": ["(001)", "(0 0 -1)", "(100)", "(110)"],
    "fcc": ["(111)", "(100)", "(110)"],
    "bcc": ["(110)", "(100)"],
    "diamond": ["(111)", "(100)", "(110)"],
    "hcp": ["(001)", "(100)", "(110)"],
}
SLABS = {
    "zincblende": solid(("ZnS", ZB, 0.541)),
    "rocksalt": solid(("PbS", "rocksalt", 0.5936)),
    "wurtzite": solid(("ZnSe", "wurtzite", 0.400, 0.655)),
    "fcc": solid(("Pt", "fcc", 0.3924)),
    "bcc": solid(("Fe", "bcc", 0.2866)),
    "diamond": solid(("Si", "diamond", 0.5431)),
    "hcp": solid(("Co", "hcp", 0.2507, 0.4069)),
}


@pytest.mark.parametrize(("structure", "facet"), [(s, f) for s, fs in FACETS.items() for f in fs])
def test_slabs_have_the_topmost_layers_that_heights_say(structure, facet):
    """Slabs end on every plane in turn; only sites far from the rim are judged, by height alone."""
    material = SLABS[structure]
    volume = material.core.site_volume_nm3
    cell, basis, sublattice = unit_cell(material, structure, 0.0, volume)
    normal = parse_direction(cell, facet)
    positions = block(cell, basis, np.zeros(3), 2.6).reshape(-1, 3)
    on_all = np.tile(sublattice, len(positions) // len(sublattice))
    height = positions @ normal
    aside = np.sqrt(np.maximum((positions**2).sum(axis=1) - height**2, 0.0))
    # one plane of atoms, but the corrugated pair of (10-10): planes 0.289 a and 0.577 a apart in turn
    thick = 0.6 * material.core.lattice_nm[0] if (structure in ("wurtzite", "hcp") and facet == "(100)") else 0.05
    seen = set()
    for shift in np.linspace(0.0, 0.31, 9):
        keep = (np.abs(height - shift) < 0.75) & (aside < 2.0)
        h, on = height[keep], on_all[keep]
        n_sub = int(sublattice.max()) + 1
        names = np.array(["Zn", "Se"] if n_sub == 2 else ["Pt"])[on]
        model = hand_made(names, positions[keep], volume / n_sub, structure)
        outer = outermost_layer(model, on)
        middle = aside[keep] < 1.2
        for k in range(n_sub):
            here = on == k
            top, bottom = h[here].max(), h[here].min()
            expected = (h > top - thick) | (h < bottom + thick)
            np.testing.assert_array_equal(outer[here & middle], expected[here & middle])
            assert 0 < outer[here & middle].sum() < (here & middle).sum()
        seen.add((round(float(h[on == 0].max()), 3), round(float(h[on == on.max()].max()), 3)))
    assert len(seen) > 1


@pytest.mark.parametrize(
    "pair", [AGINSE, PBCDS, INPZNS, CDSES, PTNI], ids=["AgInSe", "PbCdS", "InPZnS", "CdSeS", "PtNi"]
)
def test_built_particles_have_one_layer_and_no_hole_inside(pair):
    """Also where a step stretches the graded lattice most."""
    for profile in (lambda s: s**3, lambda s: np.where(s > 0.6, 1.0, 0.0)):
        model = build_particle(
            pair, semi_axes_nm=(1.9, 1.9, 2.3), x_of_s=profile, axis="110", rng=np.random.default_rng(2)
        )
        on = site_sublattices(model, pair)
        outer = outermost_layer(model, on)
        below = (1.0 - model.radius_fraction) * 2.0
        assert below[outer].max() < 0.45
        assert outer[below < 0.05].all()
        # a shell of one cation layer, 1/3 nm: 1 - (1 - d/R)^3 of all sites
        assert outer[on == 0].mean() == pytest.approx(1 - (1 - 0.27 / 2.02) ** 3, abs=0.09)


def test_a_full_shell_covers_and_a_core_does_not():
    for profile, expected in ((np.ones_like, 1.0), (np.zeros_like, 0.0)):
        model = build_particle(AGINSE, semi_axes_nm=(1.6, 1.6, 1.6), x_of_s=profile, rng=np.random.default_rng(2))
        (coverage,) = surface_coverage(model, AGINSE)
        assert coverage.mean == expected
        assert coverage.mean_by_sites == expected


def test_vacancies_count_as_sites_and_not_as_atoms():
    models = [
        build_particle(AGINSE, semi_axes_nm=(2.0, 2.0, 2.0), x_of_s=lambda s: np.full_like(s, 0.6),
                       rng=np.random.default_rng(k)) for k in range(6)
    ]  # fmt: skip
    (coverage,) = surface_coverage(models, AGINSE)
    assert coverage.mean_by_sites == pytest.approx(0.6, abs=0.02)
    # 0.6 Zn for 0.4 * 6/7 other cations
    assert coverage.mean == pytest.approx(0.6 / (0.6 + 0.4 * 6 / 7), abs=0.02)
    assert 0.0 < coverage.spread < 0.05
    first = models[0]
    on = site_sublattices(first, AGINSE)
    symbols = np.array(first.symbols)
    np.testing.assert_array_equal(on == 1, symbols == "Se")
    layer = outermost_layer(first, on) & (on == 0)
    n = {e: int((symbols[layer] == e).sum()) for e in ("Zn", "Ag", "In", "X")}
    assert coverage.by_atoms[0] == n["Zn"] / (n["Zn"] + n["Ag"] + n["In"])
    assert coverage.by_sites[0] == n["Zn"] / sum(n.values())


def test_the_sublattice_that_differs_is_counted():
    rng = np.random.default_rng(1)
    anions = build_particle(CDSES, semi_axes_nm=(1.7, 1.7, 1.7), x_of_s=lambda s: s, rng=rng)
    assert [c.sublattice for c in surface_coverage(anions, CDSES)] == ["anion"]
    both = build_particle(INPZNS, semi_axes_nm=(1.7, 1.7, 1.7), x_of_s=lambda s: s, rng=rng)
    assert [c.sublattice for c in surface_coverage(both, INPZNS)] == ["cation", "anion"]
    metal = build_particle(PTNI, semi_axes_nm=(1.3, 1.3, 1.3), x_of_s=lambda s: s, rng=rng)
    assert [c.sublattice for c in surface_coverage(metal, PTNI)] == ["atom"]


def test_weights_weigh():
    rng = np.random.default_rng(1)
    models = [
        build_particle(AGINSE, semi_axes_nm=(1.4, 1.4, 1.4), x_of_s=p, rng=rng) for p in (np.ones_like, np.zeros_like)
    ]
    (coverage,) = surface_coverage(models, AGINSE, weights=[3.0, 1.0])
    assert coverage.mean == pytest.approx(0.75)
    # unbiased weighted variance: (3/4 * 1/16 + 1/4 * 9/16) / (1 - 10/16)
    assert coverage.spread == pytest.approx(np.sqrt(0.1875 / 0.375))


@pytest.mark.parametrize(
    ("counts", "core", "shell", "x"),
    [
        ({"Zn": 3, "Ag": 2, "In": 4, "X": 1}, {"Ag": 2 / 7, "In": 4 / 7, "X": 1 / 7}, {"Zn": 1.0}, 0.3),
        ({"Cd": 1, "Zn": 3}, {"Cd": 0.5, "Zn": 0.5}, {"Zn": 1.0}, 0.5),
        ({"Cd": 1, "Zn": 3}, {"Zn": 1.0}, {"Cd": 0.5, "Zn": 0.5}, 0.5),
        ({"Cd": 4, "Zn": 6}, {"Cd": 0.8, "Zn": 0.2}, {"Cd": 0.3, "Zn": 0.7}, 0.8),
    ],
)
def test_share_of_shell_material_from_counts(counts, core, shell, x):
    assert shell_share(counts, core, shell) == pytest.approx(x)


def test_what_cannot_be_judged_is_refused():
    model = build_particle(AGINSE, semi_axes_nm=(1.4, 1.4, 1.4), x_of_s=np.ones_like, rng=np.random.default_rng(1))
    bare = hand_made(model.symbols, model.positions_nm, 0.0, "wurtzite")
    with pytest.raises(PhysicsError, match="site volumes are missing"):
        surface_coverage(bare, AGINSE)
    with pytest.raises(PhysicsError, match="structure is 'not stated'"):
        surface_coverage(hand_made(model.symbols, model.positions_nm, 0.02, ""), AGINSE)
    with pytest.raises(PhysicsError, match="Se, Zn is in neither material"):
        surface_coverage(model, solid(("InP", ZB, 0.5869), ("GaP", ZB, 0.545)))
    with pytest.raises(PhysicsError, match="one material only"):
        surface_coverage(model, solid(("ZnSe", ZB, 0.567)))
    with pytest.raises(PhysicsError, match="at least one particle"):
        surface_coverage([], AGINSE)
