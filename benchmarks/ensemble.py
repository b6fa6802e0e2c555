"""Scattering of ensembles of atoms, 4 nm, five elements, four energies: 20 particles to 6 1/nm, 100 particles to 50 1/nm.

Process CPU time. Accuracy: one particle against the double sum over all pairs at a few q.
"""

from __future__ import annotations

import time

import numpy as np

from nanostrata.domain import Medium
from nanostrata.models.atom_cloud import particle_intensities, scattering
from nanostrata.models.density import SolidSolution
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.models.materials import make_material
from nanostrata.tables.factors import load_factors

ENERGIES = (16.0, 9.63, 9.30, 8.90)
Q = np.linspace(0.3, 6.0, 120)
Q_WIDE = np.concatenate([Q, np.linspace(6.1, 50.0, 440)])


def double_sum(model, factors, energy: float, q: np.ndarray) -> np.ndarray:
    """All pairs, in vacuum."""
    symbols = np.array(model.symbols)
    real = symbols != "X"
    r = np.linalg.norm(model.positions_nm[real][:, None] - model.positions_nm[real][None], axis=2)
    out = []
    for value in q:
        f = np.empty(real.sum(), dtype=complex)
        for e in set(symbols[real]):
            f[symbols[real] == e] = factors.f0(e, np.array([value]))[0] + factors.anomalous(e, energy)
        out.append(float((np.outer(f, f.conj()).real * np.sinc(value * r / np.pi)).sum()))
    return np.array(out)


def ensemble(solid: SolidSolution, count: int, q_max: float):
    plan = plan_sizes(4.0, 0.44, count, q_max_inv_nm=q_max)
    n = len(plan.diameter_nm)
    x = np.tile([0.1, 0.15, 0.3, 0.6, 0.9], (n, 1))
    return build_ensemble(
        solid, plan, mean_nm=4.0, std_nm=0.44, aspect_ratio=np.full(n, 1.15), shell_fraction=x, axis="110",
        seed=np.random.SeedSequence(1),
    )  # fmt: skip


def timed(function) -> tuple[object, float]:
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def main() -> None:
    factors = load_factors("chantler")
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnS")
    shell = make_material("ZnS", "wurtzite", 0.382, 0.626, partner="Ag2In4Se7")
    solid = SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=283.33))
    medium = solid.medium.electron_density_e_nm3
    first = None
    for count, q, goal in ((20, Q, 5), (100, Q_WIDE, 20)):
        group, built = timed(lambda count=count, q=q: ensemble(solid, count, min(float(q[-1]), 6.0)))
        if first is None:
            _, first = timed(lambda g=group, q=q: scattering(g.particles[:1], factors, ENERGIES, q, medium))
        sizes = [len(p) for p in group.particles]
        elements = sorted({s for p in group.particles for s in p.symbols} - {"X"})
        print(
            f"{len(group)} particles, {min(sizes)} to {max(sizes)} sites, elements {', '.join(elements)}, "
            f"{len(ENERGIES)} energies x {len(q)} q to {q[-1]:g} 1/nm"
        )
        print(f"  set-up: building {built:.2f} s, first call (tables, compilation) {first:.2f} s; cpu time")
        for kind in ("body", "sites"):
            _, each = timed(
                lambda g=group, q=q, kind=kind: particle_intensities(
                    g.particles, factors, ENERGIES, q, medium, medium_model=kind
                )
            )
            _, mean = timed(
                lambda g=group, q=q, kind=kind: scattering(
                    g.particles, factors, ENERGIES, q, medium, medium_model=kind, weights=g.weights
                )
            )
            print(
                f"  displaced medium by {kind}: each particle {each:.2f} s, mean of the ensemble {mean:.2f} s (goal: {goal} s)"
            )
        few = np.array([0.5, 2.0, 6.0] if q is Q else [0.5, 6.0, 20.0, 50.0])
        model = group.particles[0]
        got = scattering(model, factors, [9.63], few)[0]
        error = float(np.max(np.abs(got / double_sum(model, factors, 9.63, few) - 1)))
        print(f"  error against the double sum over all pairs: {error:.1e}")


if __name__ == "__main__":
    main()
