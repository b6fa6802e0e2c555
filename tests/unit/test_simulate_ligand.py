"""Simulated particles of atoms with a ligand shell: against the exact interference of atoms with a spherical shell."""

from __future__ import annotations

import numpy as np
import pytest
from tests.recovery.campaign import CHANTLER, solid

from nanostrata.constants import R_E_NM
from nanostrata.errors import RecipeError
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.simulate.campaign import simulate
from nanostrata.simulate.record import truth_record
from nanostrata.simulate.truth import RadialTruth, Truth


def truth(thickness: float, density: float) -> Truth:
    return Truth(
        diameter_mean_nm=3.6, diameter_std_nm=0.3, profile=RadialTruth(kind="shells", values=(0.1, 0.5, 0.9)), particles=6,
        points=30, q_max_inv_nm=4.0, scale_error=0.0, background=0.0, fluorescence=0.0, relative_noise=1e-6, x_spread=0.0,
        tem_particles=5, ligand_thickness_nm=thickness, ligand_electron_density_e_nm3=density,
    )  # fmt: skip


def test_ligand_adds_what_atoms_and_a_spherical_shell_give() -> None:
    pair, energy, medium = solid(), 9.63, solid().medium.electron_density_e_nm3
    bare = simulate(truth(0.0, 0.0), pair, CHANTLER, [energy], seed=3)
    dressed = simulate(truth(1.5, 330.0), pair, CHANTLER, [energy], seed=3)
    q = bare.asaxs[0].q_inv_nm
    unit = 1e7 * bare.number_density_inv_nm3 * R_E_NM**2
    got = (dressed.asaxs[0].intensity - bare.asaxs[0].intensity) / unit
    # a shell round the centre scatters the same along all directions: only the mean amplitude of the atoms interferes
    expected = np.zeros(len(q))
    damping = np.exp(-bare.truth.b_factor_nm2 * (q / (4 * np.pi)) ** 2)
    for model in bare.atoms:
        radius = 0.5 * float(model.info["diameter_nm"])
        distance = np.linalg.norm(model.positions_nm, axis=1)
        symbols = np.asarray(model.symbols)
        inside = np.zeros(len(q), dtype=np.complex128)
        for element in set(model.symbols) - {"X"}:
            f = CHANTLER.f0(element, q) + CHANTLER.anomalous(element, energy)
            u = np.multiply.outer(q, distance[symbols == element])
            inside += f * damping * np.sinc(u / np.pi).sum(axis=1)
        volume, whole = 4 / 3 * np.pi * radius**3, 4 / 3 * np.pi * (radius + 1.5) ** 3
        inside -= medium * volume * sphere_phi(q * radius)
        shell = (330.0 - medium) * (whole * sphere_phi(q * (radius + 1.5)) - volume * sphere_phi(q * radius))
        expected += 2 * (inside.conj() * shell).real + shell**2
    expected /= len(bare.atoms)
    whole_curve = bare.asaxs[0].intensity / unit
    print(np.abs(got - expected).max() / expected.max(), (np.abs(got - expected) / whole_curve).max())
    assert np.abs(got - expected).max() < 0.01 * expected.max()
    assert expected.max() > 0.1 * whole_curve.max()
    assert truth_record(dressed, 3)["ligand"] == {"thickness_nm": 1.5, "electron_density_e_nm3": 330.0}
    assert "ligand" not in truth_record(bare, 3)


def test_half_a_ligand_is_refused() -> None:
    with pytest.raises(RecipeError, match="needs both above 0"):
        truth(1.5, 0.0)
