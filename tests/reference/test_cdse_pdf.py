"""Pair distribution functions of the Debye sums against measured ones of CdSe."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from nanostrata.domain import AtomicModel
from nanostrata.errors import PhysicsError
from nanostrata.io.structures import read_structure
from nanostrata.kernels.pair_distribution import sine_transform
from nanostrata.models.atom_cloud import pair_sums
from nanostrata.models.atom_pdf import (
    PdfFit,
    correlated_motion,
    fit_pdf,
    near_pairs,
    pair_distribution,
    structure_function,
)
from nanostrata.models.pdf_reading import bond_length_nm, envelope_diameter_nm
from nanostrata.tables.factors import load_factors

HERE = Path(__file__).with_name("cdse_pdf")
FACTORS = load_factors("chantler")
Q = np.linspace(0.0, 260.0, 1301)
Q_MIN = 10.0
"""The other curves of the set were measured from 10 1/nm; the cluster's file does not say."""

CENTRES = ((2 / 3, 1 / 3, 0.1875), (0.0, 0.0, 0.0))
"""Of the wurtzite cuts: on a bond, and in a channel."""


def curve(name: str) -> tuple[np.ndarray, np.ndarray]:
    table = np.loadtxt(HERE / f"{name}.gr")
    return table[:, 0] / 10.0, table[:, 1] * 100.0


def wurtzite_cut(atoms: int, centre: tuple[float, float, float]) -> AtomicModel:
    """Sphere of wurtzite CdSe (a 4.3, c 7.0 angstrom) with about so many atoms."""
    a, c = 0.43, 0.70
    cell = np.array([[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, c]])
    basis = np.array([[2 / 3, 1 / 3, 0], [1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.375], [1 / 3, 2 / 3, 0.875]])
    grid = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    points = ((grid + basis - np.array(centre)) @ cell).reshape(-1, 3)
    names = np.tile(["Cd", "Cd", "Se", "Se"], len(grid))
    radius = np.sqrt((points**2).sum(axis=1))
    limits = np.arange(0.6, 1.1, 0.0025)
    limit = limits[np.argmin([abs(np.count_nonzero(radius < x) - atoms) for x in limits])]
    kept = radius < limit
    return AtomicModel(
        symbols=tuple(names[kept].tolist()), positions_nm=points[kept], radius_fraction=radius[kept],
        site_volume_nm3=np.zeros(int(kept.sum())), semi_axes_nm=(0.0, 0.0, 0.0),
    )  # fmt: skip


def fitted(model: AtomicModel, *, together: bool) -> PdfFit:
    r, g = curve("cluster")
    inside = (r >= 0.2 - 1e-9) & (r <= 1.2 + 1e-9)
    sums = pair_sums([model], Q, medium_model=None)
    near = near_pairs(model, 2.0) if together else None
    return fit_pdf(sums, FACTORS, r[inside], g[inside], q_min=Q_MIN, q_max_range=(140.0, 250.0), near=near)


@lru_cache(maxsize=2)
def cluster_fit(together: bool = True) -> PdfFit:
    return fitted(read_structure(HERE / "cluster.xyz"), together=together)


def beyond_the_bond(fit: PdfFit) -> float:
    """R_w from 3 to 12 angstrom of a fit from 2 on."""
    r, g = curve("cluster")
    inside = (r >= 0.2 - 1e-9) & (r <= 1.2 + 1e-9)
    far = r[inside] > 0.3
    g = g[inside]
    return float(np.sqrt((((g - fit.curve)[far]) ** 2).sum() / (g[far] ** 2).sum()))


@pytest.mark.slow
def test_cluster_of_known_atoms_explains_its_measured_distribution() -> None:
    found = cluster_fit(together=False)
    assert found.r_w < 0.35
    assert 0.005 < found.b_factor_nm2 < 0.03
    # what is left is the bond, blurred like the far distances: atoms that are bonded move together
    assert beyond_the_bond(found) < 0.25
    better = cluster_fit()
    assert better.r_w < 0.2
    # at most as stiff as the bond is long, and not so stiff that it does not vibrate
    assert 0.3 < better.delta2_nm2 / 0.262**2 < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("centre", CENTRES)
def test_wurtzite_cut_of_the_same_size_is_worse_by_a_wide_margin(centre: tuple[float, float, float]) -> None:
    """Both with bonds that are stiffer than far pairs, and all else free for each; the bond itself, which both have, cannot decide."""
    other = fitted(wurtzite_cut(91, centre), together=True)
    assert cluster_fit().r_w < 0.5 * other.r_w
    blurred = fitted(wurtzite_cut(91, centre), together=False)
    # one B for all pairs leaves an error at the bond that is common to both, and larger than what tells them apart
    assert cluster_fit(together=False).r_w < 0.8 * blurred.r_w
    assert beyond_the_bond(cluster_fit(together=False)) < 0.6 * beyond_the_bond(blurred)


def test_correlated_motion_is_what_explicit_pairs_give() -> None:
    """Against a sum over all pairs with a width of its own for each."""
    model = wurtzite_cut(30, (0.0, 0.0, 0.0))
    q, b, delta2, n = np.linspace(0.0, 250.0, 251), 0.02, 0.04, len(model)
    f = np.array([FACTORS.f0(e, q) for e in model.symbols])
    expected = np.zeros(len(q))
    for i in range(n):
        for j in range(n):
            if i != j:
                d = float(np.linalg.norm(model.positions_nm[i] - model.positions_nm[j]))
                width = b * max(0.0, 1.0 - delta2 / d**2) / (8.0 * np.pi**2)
                expected += f[i] * f[j] * np.sin(q * d) / d * np.exp(-width * q * q)
    expected /= n * f.mean(axis=0) ** 2
    plain = structure_function(pair_sums([model], q, medium_model=None), FACTORS, None, b)
    near = near_pairs(model, 3.0, bin_nm=1e-7)
    found = plain + correlated_motion(near, FACTORS, q)(b, delta2)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    assert near.count.sum() == n * (n - 1) / 2
    assert np.abs(correlated_motion(near, FACTORS, q)(b, 0.0)).max() < 1e-12
    # what is far is hardly changed: pairs up to 1.2 nm are enough there
    short = correlated_motion(near_pairs(model, 0.8), FACTORS, q)(b, delta2)
    assert np.abs(short - correlated_motion(near, FACTORS, q)(b, delta2)).max() < 0.02 * np.abs(expected).max()
    with pytest.raises(PhysicsError, match="no two atoms"):
        near_pairs(model, 0.1)


@pytest.mark.parametrize(("name", "bond", "diameter"), [("CdSe-2", 0.2614, 2.0), ("CdSe-4", 0.2623, 3.2)])
def test_measured_nanocrystals_have_the_known_bond_and_about_the_known_size(
    name: str, bond: float, diameter: float
) -> None:
    r, g = curve(name)
    assert bond_length_nm(r, g, q_min=10.0, q_max=190.0) == pytest.approx(bond, abs=0.0005)
    assert envelope_diameter_nm(r, g, curve("CdSe-bulk")[1]) == pytest.approx(diameter, abs=0.3)


def test_distribution_of_two_atoms_is_one_peak_at_their_distance() -> None:
    model = AtomicModel(
        symbols=("Cd", "Se"), positions_nm=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.2614]]),
        radius_fraction=np.ones(2), site_volume_nm3=np.zeros(2), semi_axes_nm=(0.0, 0.0, 0.0),
    )  # fmt: skip
    sums = pair_sums([model], Q, medium_model=None)
    r = np.linspace(0.2, 0.33, 131)
    g = pair_distribution(sums, FACTORS, r, b_factor_nm2=0.005, q_min=10.0, q_max=190.0)
    assert bond_length_nm(r, g, q_min=10.0, q_max=190.0, window_nm=(0.21, 0.32)) == pytest.approx(0.2614, abs=2e-5)
    # F(q) in closed form: q (2 f_1 f_2 / (2 <f>^2)) sin(q d)/(q d) exp(-2 B (q/4 pi)^2)
    f = [FACTORS.f0(e, Q) for e in ("Cd", "Se")]
    expected = (
        f[0] * f[1] / (0.5 * (f[0] + f[1])) ** 2 * np.sin(Q * 0.2614) / 0.2614 * np.exp(-0.01 * (Q / (4 * np.pi)) ** 2)
    )
    np.testing.assert_allclose(structure_function(sums, FACTORS, None, 0.005), expected, atol=1e-8)


def test_area_under_the_radial_distribution_counts_the_neighbours() -> None:
    # all q: r G(r) of one distance is a Gaussian whose area is the number of neighbours of an atom
    d, b, q = 0.26, 0.02, np.linspace(0.0, 400.0, 8001)
    f = np.sin(q * d) / d * np.exp(-2 * b * (q / (4 * np.pi)) ** 2)
    r = np.linspace(0.05, 0.5, 2001)
    g = sine_transform(q, f, r)
    # integral of r G(r) dr = neighbours per atom: 1 for a pair
    assert np.sum(r * g) * (r[1] - r[0]) == pytest.approx(1.0, rel=2e-3)
    assert r[np.argmax(g)] == pytest.approx(d, abs=0.001)
    np.testing.assert_allclose(sine_transform(q, f, r, damping=2.0), g * np.exp(-2.0 * r**2), rtol=1e-12)


def test_medium_and_short_windows_are_refused() -> None:
    model = wurtzite_cut(30, (0.0, 0.0, 0.0))
    filled = AtomicModel(
        symbols=model.symbols, positions_nm=model.positions_nm, radius_fraction=model.radius_fraction,
        site_volume_nm3=np.full(len(model), 0.02), semi_axes_nm=(0.0, 0.0, 0.0),
    )  # fmt: skip
    with pytest.raises(PhysicsError, match="medium_model=None"):
        structure_function(pair_sums([filled], Q, medium_model="sites"), FACTORS)
    r, g = curve("CdSe-2")
    with pytest.raises(PhysicsError, match="holds 2 points"):
        bond_length_nm(r, g, q_min=10.0, q_max=190.0, window_nm=(0.26, 0.263))
