"""Relax the atoms of a particle: Keating's valence force field, or any calculator of ASE."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nanostrata.constants import ELEMENTARY_CHARGE_C
from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.domain.base import IntArray
from nanostrata.domain.relaxation import Relaxation
from nanostrata.errors import ConvergenceError, PhysicsError
from nanostrata.kernels.keating import Engine
from nanostrata.models.valence_force_field import BOND_FACTOR, BondNetwork, ForceField, bond_network

__all__ = ["MAX_FORCE_NN", "relax_keating", "relax_with_ase"]

MAX_FORCE_NN = 1e-5
"""Largest force on an atom at which a relaxation stops, nN (6e-6 eV/angstrom): bonds are then within 1e-6 nm of rest."""

_STEPS = 20_000
EV_PER_UNIT = 1e-18 / ELEMENTARY_CHARGE_C
_EV_PER_ANGSTROM = 1e-9 * 1e-10 / ELEMENTARY_CHARGE_C
"""eV/angstrom in one nN."""


def relax_keating(
    model: AtomicModel,
    field: ForceField,
    *,
    max_force_nn: float = MAX_FORCE_NN,
    engine: Engine = "auto",
) -> tuple[AtomicModel, Relaxation]:
    """Move the atoms of a particle to the nearest minimum of Keating's energy.

    The minimiser is SciPy's L-BFGS-B, without bounds; it stops when no atom feels more than ``max_force_nn``. Atoms at the
    surface keep the bonds that they have: missing neighbours, ligands and charges exert no force. Vacant sites move with the
    mean of the atoms round them, and site volumes, radius fractions and shells stay as they were built.

    Parameters
    ----------
    model : tetrahedral particle that nanostrata built
    field : from :func:`nanostrata.models.valence_force_field.force_field`
    max_force_nn : nN
    engine : "auto", "numba" or "numpy"

    Returns
    -------
    model : with moved atoms; ``info`` gains ``relaxed``, ``relax_energy_ev`` and ``relax_max_force_nn``
    Relaxation

    Raises
    ------
    PhysicsError
        As :func:`nanostrata.models.valence_force_field.bond_network`.
    ConvergenceError
        When the force stays above the limit; ``best`` holds the model and the report.
    """
    from scipy.optimize import minimize

    network, index = bond_network(model, field)
    start = model.positions_nm[index]
    before, _ = network.energy_and_gradient(start, engine)

    def cost(flat: FloatArray) -> tuple[float, FloatArray]:
        energy, gradient = network.energy_and_gradient(flat.reshape(-1, 3), engine)
        return energy, gradient.ravel()

    # gtol limits each component; the energy itself must not stop the search before the forces do
    found = minimize(
        cost, start.ravel(), jac=True, method="L-BFGS-B",
        options={"maxcor": 20, "gtol": max_force_nn / np.sqrt(3.0), "ftol": 0.0, "maxiter": _STEPS, "maxfun": 2 * _STEPS},
    )  # fmt: skip
    positions = np.asarray(found.x).reshape(-1, 3)
    energy, gradient = network.energy_and_gradient(positions, engine)
    force = float(np.sqrt((gradient**2).sum(axis=1)).max(initial=0.0))
    report = _report(
        "keating", network, start, positions, before * EV_PER_UNIT, energy * EV_PER_UNIT, force, max_force_nn,
        int(found.nfev),
    )  # fmt: skip
    relaxed = _moved(model, index, positions, report)
    if force > max_force_nn:
        raise ConvergenceError(
            f"relax: after {found.nfev} evaluations an atom still feels {force:.2g} nN, more than {max_force_nn:.2g} nN "
            f"({found.message}); the start may be too far from a tetrahedral crystal",
            best=(relaxed, report),
        )
    return relaxed, report


def relax_with_ase(
    model: AtomicModel, calculator: Any, *, max_force_nn: float = 1e-2, steps: int = 1000
) -> tuple[AtomicModel, Relaxation]:
    """Relax with any calculator of ASE (EMT, LAMMPS, a machine-learned potential, ...).

    Parameters
    ----------
    model : particle; vacant sites are left out, and move with the atoms round them
    calculator : ase.calculators.calculator.Calculator
    max_force_nn : largest force that is left, nN; 1e-2 nN is 0.006 eV/angstrom
    steps : most steps of ASE's L-BFGS

    Raises
    ------
    ConvergenceError
        When the force stays above the limit; ``best`` holds the model and the report.
    """
    from ase import Atoms
    from ase.optimize import LBFGS

    symbols = np.array(model.symbols)
    index = np.flatnonzero(symbols != "X")
    if len(index) == 0:
        raise PhysicsError("relax: the particle has no atoms")
    atoms = Atoms(symbols[index].tolist(), positions=10.0 * model.positions_nm[index])
    atoms.calc = calculator
    before = float(atoms.get_potential_energy())
    search = LBFGS(atoms, logfile=None)
    search.run(fmax=max_force_nn * _EV_PER_ANGSTROM, steps=steps)
    force = float(np.sqrt((np.asarray(atoms.get_forces()) ** 2).sum(axis=1)).max()) / _EV_PER_ANGSTROM
    positions = np.asarray(atoms.get_positions()) / 10.0
    move = np.sqrt(((positions - model.positions_nm[index]) ** 2).sum(axis=1))
    report = Relaxation(
        method=type(calculator).__name__.lower(), energy_before_ev=before, energy_ev=float(atoms.get_potential_energy()),
        max_force_nn=force, tolerance_nn=max_force_nn, steps=int(search.get_number_of_steps()), atoms=len(index), bonds=0,
        full_share=0.0, largest_move_nm=float(move.max()), mean_move_nm=float(move.mean()),
        radius_change=_gyration_nm(positions) / _gyration_nm(model.positions_nm[index]) - 1.0,
    )  # fmt: skip
    relaxed = _moved(model, index, positions, report)
    if force > max_force_nn * (1.0 + 1e-9):
        raise ConvergenceError(
            f"relax: after {report.steps} steps an atom still feels {force:.2g} nN, more than {max_force_nn:.2g} nN",
            best=(relaxed, report),
        )
    return relaxed, report


# ------------------------------------------------------------------------------------------------------- inner


def _report(
    method: str, network: BondNetwork, start: FloatArray, end: FloatArray, before: float, after: float, force: float,
    tolerance: float, steps: int,
) -> Relaxation:  # fmt: skip
    length = np.sqrt((network.vectors_nm(end) ** 2).sum(axis=1))
    present = [(k, name) for k, name in enumerate(network.names) if (network.kind == k).any()]
    move = np.sqrt(((end - start) ** 2).sum(axis=1))
    return Relaxation(
        method=method, energy_before_ev=before, energy_ev=after, max_force_nn=force, tolerance_nn=tolerance, steps=steps,
        atoms=network.atoms, bonds=len(network.bonds), full_share=float((network.coordination == 4).mean()),
        largest_move_nm=float(move.max(initial=0.0)), mean_move_nm=float(move.mean()) if len(move) else 0.0,
        radius_change=_gyration_nm(end) / _gyration_nm(start) - 1.0,
        bond_length_nm={name: float(length[network.kind == k].mean()) for k, name in present},
        bond_length_std_nm={name: float(length[network.kind == k].std()) for k, name in present},
    )  # fmt: skip


def _gyration_nm(positions: FloatArray) -> float:
    return float(np.sqrt(((positions - positions.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _moved(model: AtomicModel, index: IntArray, positions: FloatArray, report: Relaxation) -> AtomicModel:
    """The particle with its atoms moved, and each vacant site by the mean of the atoms within bond length."""
    from scipy.spatial import cKDTree

    moved = np.array(model.positions_nm)
    moved[index] = positions
    empty = np.setdiff1d(np.arange(len(model)), index)
    if len(empty):
        step = positions - model.positions_nm[index]
        tree = cKDTree(model.positions_nm[index])
        reach = BOND_FACTOR * np.cbrt(model.site_volume_nm3[empty] * 2.0 * 3.0 * np.sqrt(3.0) / 16.0)
        for site, near in zip(empty, tree.query_ball_point(model.positions_nm[empty], reach), strict=True):
            if near:
                moved[site] += step[near].mean(axis=0)
    return replace(
        model,
        positions_nm=moved,
        info={
            **model.info,
            "relaxed": report.method,
            "relax_energy_ev": report.energy_ev,
            "relax_max_force_nn": report.max_force_nn,
        },
    )
