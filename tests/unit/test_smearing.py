"""Smearing against integrals that are known, and both models that use it against each other."""

from __future__ import annotations

import numpy as np
import pytest

from nanostrata.domain import ScatteringCurve, SizeDistribution
from nanostrata.errors import RecipeError
from nanostrata.models.core_shell import intensities, smearing_grid
from nanostrata.models.density import make_solid_solution
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.materials import load_medium
from nanostrata.models.smearing import smearing_points
from nanostrata.pipeline.recipe_tables import Lattice, MaterialTable
from nanostrata.tables.factors import load_factors

Q = np.linspace(0.3, 4.0, 40)


def curve(q: np.ndarray = Q, dq: np.ndarray | None = None) -> ScatteringCurve:
    return ScatteringCurve(
        q_inv_nm=q, intensity=np.ones_like(q), sigma=np.ones_like(q), dq_inv_nm=dq, energy_kev=16.0, label="c"
    )


def guinier(q: np.ndarray) -> np.ndarray:
    return np.exp(-0.8 * q**2)


def test_dq_smears_a_guinier_curve_as_the_gaussian_integral_says() -> None:
    dq = 0.02 + 0.01 * Q
    points = smearing_points(curve(dq=dq), "dq")
    assert points is not None
    q, weights = points
    width = 1 + 2 * 0.8 * dq**2
    # the integral over all z, so the few points where q - z dq < 0 matters are out of it
    far = Q > 6 * dq
    exact = np.exp(-0.8 * Q**2 / width) / np.sqrt(width)
    assert (guinier(q) * weights).sum(axis=1)[far] == pytest.approx(exact[far], rel=1e-10)
    assert far.sum() > 30


def test_a_slit_smears_as_a_fine_sum() -> None:
    points = smearing_points(curve(), 0.7)
    assert points is not None
    q, weights = points
    y = (np.arange(20000) + 0.5) / 20000 * 0.7
    fine = guinier(np.sqrt(Q[:, None] ** 2 + y**2)).mean(axis=1)
    assert (guinier(q) * weights).sum(axis=1) == pytest.approx(fine, rel=1e-8)


def test_no_smearing_and_no_dq() -> None:
    assert smearing_points(curve(), "none") is None
    assert smearing_grid(curve(), "none").q.tolist() == Q[:, None].tolist()
    with pytest.raises(RecipeError, match=r"c: smearing = .* needs a fourth column"):
        smearing_points(curve(), "dq")


@pytest.mark.parametrize("smearing", ["none", "dq", 0.4])
def test_graded_and_core_shell_particles_smear_alike(smearing: str | float) -> None:
    """A particle of core material only is a homogeneous sphere for both models, whatever the resolution."""
    table = MaterialTable(formula="ZnSe", lattice=Lattice(structure="wurtzite", a_nm=0.400, c_nm=0.655))
    solid = make_solid_solution(table, None, load_medium("toluene"))
    factors = load_factors("chantler")
    measured = curve(dq=0.02 + 0.03 * Q)
    sizes = SizeDistribution(mean_nm=4.0, std_nm=0.4, mean_sigma_nm=0.04, std_sigma_nm=0.04)
    particle = prepare(
        [measured], solid, factors, np.array([0.5, 1.0]), sizes=SizeRange.around(sizes), smearing=smearing,
        atomic_form_factors=False, laue=False,
    )  # fmt: skip
    graded = particle.evaluate(np.zeros(2), np.array([4.0, 0.4])).value
    rho = complex(np.asarray(solid.electron_density(np.array([0.0]), factors, 16.0))[0])
    excess = abs(rho - solid.medium.electron_density_e_nm3)
    grid = smearing_grid(measured, smearing)
    (plain,) = intensities([grid], [(excess, 0.0)], (2.0, 0.2, 0.0), "gaussian")
    assert graded == pytest.approx(plain, rel=2e-4)
