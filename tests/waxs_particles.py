"""Simulated particles for tests of WAXS: elongated along a direction or not, with stacking faults or without."""

import numpy as np

from nanostrata.domain import Medium
from nanostrata.models.crystal_body import Spheroid
from nanostrata.models.crystal_builder import Faults, build_crystal
from nanostrata.models.density import SolidSolution
from nanostrata.models.materials import make_material

VACUUM = Medium(name="vacuum", electron_density_e_nm3=0.0)


def solid_of(formula="ZnSe", structure="wurtzite", a_nm=0.400, c_nm=0.655, shell=None):
    """One material, or core and shell with ``shell = (formula, structure, a_nm, c_nm)``."""
    cubic = structure in ("zincblende", "rocksalt", "diamond", "fcc", "bcc")
    core = make_material(formula, structure, a_nm, None if cubic else c_nm, partner=shell[0] if shell else None)
    other = make_material(*shell, partner=formula) if shell else None
    return SolidSolution(core=core, shell=other, medium=VACUUM)


def waxs_particle(
    solid=None,
    *,
    diameter_nm=4.0,
    elongation="001",
    aspect_ratio=1.0,
    fault_probability=0.0,
    fault_kind="growth",
    x_of_s=np.zeros_like,
    seed=0,
):
    """One particle whose volume-equivalent diameter is given.

    ``elongation`` is the direct-lattice direction of the unique axis ("110", "001", ...); with ``aspect_ratio`` 1 it only
    turns the particle. ``fault_probability`` is per close-packed layer ([001] of wurtzite, [111] of zinc blende).
    """
    minor = 0.5 * diameter_nm * aspect_ratio ** (-1.0 / 3.0)
    return build_crystal(
        solid or solid_of(),
        body=Spheroid(semi_axes_nm=(minor, minor, minor * aspect_ratio)),
        x_of_s=x_of_s,
        axis=elongation,
        rng=np.random.default_rng(seed),
        lattice="mean",
        faults=Faults(probability=fault_probability, kind=fault_kind) if fault_probability > 0.0 else None,
    )


def waxs_particles(count, *, std_nm=0.0, diameter_nm=4.0, seed=0, **keys):
    """Several particles, each with its own size (Gaussian), centre and faults."""
    rng = np.random.default_rng([seed, 1])
    sizes = np.clip(diameter_nm + std_nm * rng.standard_normal(count), 0.5 * diameter_nm, 1.5 * diameter_nm)
    return [waxs_particle(diameter_nm=float(d), seed=seed * 100_003 + k, **keys) for k, d in enumerate(sizes)]


def waxs_intensity(particles, q_inv_nm, *, energy_kev=16.0, b_factor_nm2=0.01, table="chantler"):
    """Mean exact powder pattern of the particles in vacuum, electrons squared."""
    from nanostrata.models.atom_cloud import scattering
    from nanostrata.tables.factors import load_factors

    return scattering(particles, load_factors(table), [energy_kev], q_inv_nm, 0.0, b_factor_nm2)[0]
