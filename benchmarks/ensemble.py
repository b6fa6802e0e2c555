"""Scattering of an ensemble of atoms: 20 particles of 4 nm, five elements, four energies, q to 6 1/nm.

Accuracy: one particle against the double sum over all pairs at three q.
"""

from __future__ import annotations

import time

import numpy as np

from nanostrata.domain import Medium
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.density import SolidSolution
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.models.materials import make_material
from nanostrata.tables.factors import load_factors

ENERGIES = (16.0, 9.63, 9.30, 8.90)
Q = np.linspace(0.3, 6.0, 120)


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


def main() -> None:
    factors = load_factors("chantler")
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnS")
    shell = make_material("ZnS", "wurtzite", 0.382, 0.626, partner="Ag2In4Se7")
    solid = SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=283.33))
    start = time.perf_counter()
    plan = plan_sizes(4.0, 0.44, 20, q_max_inv_nm=6.0)
    n = len(plan.diameter_nm)
    x = np.tile([0.1, 0.15, 0.3, 0.6, 0.9], (n, 1))
    ensemble = build_ensemble(
        solid, plan, mean_nm=4.0, std_nm=0.44, aspect_ratio=np.full(n, 1.15), shell_fraction=x, axis="110",
        seed=np.random.SeedSequence(1),
    )  # fmt: skip
    built = time.perf_counter() - start
    medium = solid.medium.electron_density_e_nm3
    start = time.perf_counter()
    particle_intensities(ensemble.particles[:1], factors, ENERGIES, Q, medium)
    first = time.perf_counter() - start
    times = {}
    for kind in ("body", "sites"):
        start = time.perf_counter()
        particle_intensities(ensemble.particles, factors, ENERGIES, Q, medium, medium_model=kind)
        times[kind] = time.perf_counter() - start
    few = np.array([0.5, 2.0, 6.0])
    model = ensemble.particles[0]
    got = particle_intensities([model], factors, [9.63], few, 0.0, medium_model="body")[0, 0]
    error = float(np.max(np.abs(got / double_sum(model, factors, 9.63, few) - 1)))
    elements = sorted({s for p in ensemble.particles for s in p.symbols} - {"X"})
    sizes = [len(p) for p in ensemble.particles]
    print(
        f"ensemble of {n} particles, {min(sizes)} to {max(sizes)} sites, elements {', '.join(elements)}, {len(ENERGIES)} energies x {len(Q)} q"
    )
    print(f"  set-up: building {built:.2f} s, first call (tables, compilation) {first:.2f} s")
    print(f"  displaced medium as a body {times['body']:.2f} s, by sites {times['sites']:.2f} s (goal: 5 s)")
    print(f"  error against the double sum over all pairs: {error:.1e}")


if __name__ == "__main__":
    main()
