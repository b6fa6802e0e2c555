"""How the scattering of atoms changes with the photon energy, against the shell model: what ASAXS lives on.

The ratio of two energies is free of what the cut of the lattice does to both of them alike.
"""

from __future__ import annotations

import numpy as np

from nanostrata.domain import Medium
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.density import SolidSolution
from nanostrata.models.ensemble import steps
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.materials import make_material
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.tables.factors import load_factors

FACTORS = load_factors("chantler")
ENERGIES = (16.0, 9.63, 9.30, 8.90)
Q = np.array([0.1, 0.5, 0.9, 1.3, 1.6])
X = np.array([0.02, 0.1, 0.3, 0.65, 0.98])
SOLID = SolidSolution(
    core=make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe"),
    shell=make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7"),
    medium=Medium(name="toluene", electron_density_e_nm3=283.33),
)


def ratios(curves: np.ndarray) -> np.ndarray:
    """I(q, E) / I(q, 16 keV) of (n_energy, n_q)."""
    return curves[1:] / curves[0]


def test_ratio_of_two_energies_is_that_of_the_shell_model() -> None:
    models = [
        build_particle(
            SOLID, semi_axes_nm=(2.1,) * 3, x_of_s=steps(X), rng=np.random.default_rng(seed), quota_shells=len(X)
        )
        for seed in range(16)
    ]
    shells = np.array([
        spheroid_curve(Q, SOLID, FACTORS, e, diameter_nm=4.2, shell_fraction=X, laue=False) for e in ENERGIES
    ])  # fmt: skip
    expected = ratios(shells)
    assert np.ptp(expected) > 0.1  # the energies do tell core from shell
    for medium_model in ("body", "sites"):
        each = particle_intensities(
            models, FACTORS, ENERGIES, Q, SOLID.medium.electron_density_e_nm3, medium_model=medium_model
        )  # fmt: skip
        got = ratios(each.mean(axis=0))
        scatter = np.array([ratios(one) for one in each]).std(axis=0) / np.sqrt(len(models))
        np.testing.assert_array_less(np.abs(got - expected), 4.0 * scatter + 0.001)
