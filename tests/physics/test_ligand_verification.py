"""Atoms against curves of particles with a ligand shell, which the atoms do not carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, known, solid
from tests.recovery.test_ligand_recovery import measure

from nanostrata.kernels.multishell import multishell_amplitude
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.models.ligand_curve import ligand_excess
from nanostrata.models.particle_options import Ligand
from nanostrata.stages.verify import verify

X = np.array([0.02, 0.10, 0.30, 0.65, 0.95])
LIGAND = Ligand(thickness_nm=1.5, electron_density_e_nm3=330.0)


def test_excess_is_the_difference_of_two_particles() -> None:
    q = np.linspace(0.0, 5.0, 40)
    pair, medium = solid(), solid().medium.electron_density_e_nm3
    got = ligand_excess(q, pair, CHANTLER, 9.63, LIGAND, diameter_nm=4.1, shell_fraction=X)
    edges = 0.41 * np.arange(1, 6)
    core, shell = pair.numerators(CHANTLER, 9.63, q)
    rho = ((1 - X) * core[:, None] + X * shell[:, None]) / pair.site_volume_nm3(X) - medium
    expected = []
    for i, one in enumerate(q):
        bare = multishell_amplitude(np.array([one]), edges, rho[i])[0]
        dressed = multishell_amplitude(np.array([one]), np.append(edges, 3.55), np.append(rho[i], 330.0 - medium))[0]
        expected.append(abs(dressed) ** 2 - abs(bare) ** 2)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_spheroid_at_zero_angle_has_the_electrons_of_its_shell() -> None:
    pair, aspect, d = solid(), 1.4, 4.1
    across = 0.5 * d * aspect ** (-1 / 3)
    shell = 4 / 3 * np.pi * ((across + 1.5) ** 2 * (across * aspect + 1.5) - across**3 * aspect)
    electrons = shell * (330.0 - pair.medium.electron_density_e_nm3)
    x = np.array([0.5])
    core, other = pair.numerators(CHANTLER, 9.63, np.zeros(1))
    rho = (0.5 * core + 0.5 * other)[0] / pair.site_volume_nm3(x)[0] - pair.medium.electron_density_e_nm3
    excess = rho * np.pi / 6 * d**3
    got = ligand_excess(np.zeros(1), pair, CHANTLER, 9.63, LIGAND, diameter_nm=d, aspect_ratio=aspect, shell_fraction=x)
    assert got[0] == pytest.approx(abs(excess + electrons) ** 2 - abs(excess) ** 2, rel=1e-9)


def test_atoms_agree_with_curves_of_dressed_particles_only_when_dressed() -> None:
    plan = plan_sizes(4.1, 0.45, 20, q_max_inv_nm=4.5)
    n = len(plan.diameter_nm)
    ensemble = build_ensemble(
        solid(), plan, mean_nm=4.1, std_nm=0.45, aspect_ratio=np.ones(n), shell_fraction=np.tile(X, (n, 1)),
        seed=np.random.SeedSequence(1),
    )  # fmt: skip
    curves = measure(ContrastErrors(ligand=LIGAND), seed=3)
    prior = known(4.1, 0.45, 3, None)
    near = Ligand(thickness_nm=1.45, thickness_sd_nm=0.05, electron_density_e_nm3=328.0, density_sd=0.02)
    for option, verdict in ((ContrastErrors(), "fails"), (ContrastErrors(ligand=near), "agrees")):
        (found,) = verify(ensemble, solid(), CHANTLER, replace(prior, contrast_errors=option), curves).data_sets
        print(option.ligand, found.chi2, found.dof, found.p)
        assert found.verdict == verdict
