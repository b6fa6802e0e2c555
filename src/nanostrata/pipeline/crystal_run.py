"""What ``[atoms]`` asks of the crystal: its plan, its force field, its relaxation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.shape import OccupancyMap
from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.models.crystal_plan import CrystalPlan
from nanostrata.models.density import SolidSolution
from nanostrata.models.map_outline import MapOutline
from nanostrata.models.valence_force_field import BondLaw, ForceField, force_field
from nanostrata.pipeline.recipe import Recipe
from nanostrata.pipeline.recipe_atoms import Atoms, ElasticTable
from nanostrata.tables.bond_stiffness import ElasticConstants

__all__ = ["check_crystal", "crystal_plan", "given_force_field", "outline_for", "relax_ensemble"]


def crystal_plan(recipe: Recipe, solid: SolidSolution) -> CrystalPlan:
    """Return what the particles are cut from and to, but for the outline of a map.

    Raises
    ------
    RecipeError, PhysicsError
        For a CIF without cell, symmetry or atoms, and faults that make no sense.
    """
    from nanostrata.models.crystal_builder import Faults
    from nanostrata.models.crystal_cells import cell_from_cif

    atoms = recipe.atoms or Atoms()
    faults = None
    if atoms.stacking is not None or atoms.fault_probability > 0:
        faults = Faults(probability=atoms.fault_probability, kind=atoms.fault_kind, sequence=atoms.stacking)
    cell = None
    if recipe.particle.structure is None and solid.core.structure == "cif":
        assert recipe.materials is not None
        name = recipe.materials.core.lattice.cif
        assert name is not None
        text = (recipe.root / name).read_text(encoding="utf-8", errors="replace")
        cell = cell_from_cif(text, key="materials.core.lattice.cif")
    return CrystalPlan(
        cell=cell, facets=atoms.facets or {}, faults=faults, termination=atoms.termination, min_bonds=atoms.min_bonds,
        lattice=atoms.lattice,
    )  # fmt: skip


def outline_for(recipe: Recipe, shape: OccupancyMap | None) -> MapOutline | None:
    """Return the outline that the atoms are cut to; None where they are cut to a body of their own.

    Raises
    ------
    RecipeError
        When it is asked for and the stage ``shape`` left none.
    """
    if recipe.atoms is None or recipe.atoms.body != "map":
        return None
    from nanostrata.models.map_outline import outline_of

    if shape is None:
        raise RecipeError(
            'atoms.body = "map": the stage shape found no shape for this curve; write body = "spheroid", or run with '
            "--only shape to see why"
        )
    return outline_of(shape)


def given_force_field(recipe: Recipe, solid: SolidSolution) -> ForceField | None:
    """Return the force field of the relaxation; None where none is asked for.

    Raises
    ------
    PhysicsError
        For bonds without parameters, by name, and lattices that are not tetrahedral.
    """
    atoms = recipe.atoms
    if atoms is None or atoms.relax == "none":
        return None
    elastic: dict[str, ElasticConstants] = {}
    if atoms.elastic is not None:
        for part in ("core", "shell"):
            table: ElasticTable | None = getattr(atoms.elastic, part)
            if table is not None:
                elastic[part] = _constants(table)
    bonds = {
        name: BondLaw(length_nm=b.length_nm, alpha_n_m=b.alpha_n_m, beta_n_m=b.beta_n_m, source=b.source)
        for name, b in (atoms.bonds or {}).items()
    }
    return force_field(solid, elastic=elastic, bonds=bonds)


def _constants(table: ElasticTable) -> ElasticConstants:
    # the bond length is the material's own, and C44 of a cubic crystal is not used: the model has its own
    return ElasticConstants(
        c11_gpa=table.c11_gpa, c12_gpa=table.c12_gpa, c44_gpa=table.c44_gpa or 0.0, c13_gpa=table.c13_gpa,
        c33_gpa=table.c33_gpa, length_nm=0.25, source=table.source,
    )  # fmt: skip


def check_crystal(recipe: Recipe, solid: SolidSolution | None) -> None:
    """Refuse what ``[atoms]`` asks for and cannot be built, before anything is fitted.

    Raises
    ------
    RecipeError
        With every problem.
    """
    if solid is None or recipe.atoms is None:
        return
    from nanostrata.models.crystal_body import polyhedron
    from nanostrata.models.crystal_cells import cell_of_structure
    from nanostrata.models.crystal_layers import LAYERED

    problems: list[str] = []
    try:
        plan = crystal_plan(recipe, solid)
        if plan.cell is not None and plan.faults is not None:
            problems.append(
                f"atoms.fault_probability: the lattice of {solid.core.name} is that of a CIF; faults are for {', '.join(LAYERED)}"
            )
        if plan.facets:
            structure = recipe.particle.structure or solid.core.structure
            polyhedron(plan.cell or cell_of_structure(solid, structure, 0.5, 1.0), recipe.particle.axis, plan.facets)
    except NanostrataError as error:
        problems += [p if "." in p.split(":")[0] else f"atoms.{p}" for p in error.problems]
    try:
        given_force_field(recipe, solid)
    except NanostrataError as error:
        problems += error.problems
    if problems:
        raise RecipeError(*problems)


def relax_ensemble(
    ensemble: AtomEnsemble, recipe: Recipe, solid: SolidSolution, progress: Callable[[str], None] = lambda _: None
) -> AtomEnsemble:
    """Relax every particle where the project file asks for it, and read the strain that is left.

    Raises
    ------
    ConvergenceError, PhysicsError
        As :func:`nanostrata.models.relaxation.relax_keating`.
    """
    field = given_force_field(recipe, solid)
    if field is None:
        return ensemble
    from nanostrata.stages.relax_atoms import relax_keating, steps, strain_profile

    progress("relaxing the atoms")
    done = [relax_keating(p, field) for p in ensemble.particles]
    particles = tuple(p for p, _ in done)
    free: list[FloatArray] = []
    for particle, x in zip(particles, ensemble.shell_fraction, strict=True):
        at = steps(x)(np.minimum(particle.radius_fraction, 1.0))
        # per pair of a cation and an anion; the diamond lattice has two atoms in that volume
        pair = 2.0 if particle.info.get("structure") == "diamond" else 1.0
        free.append(np.asarray(pair * solid.site_volume_nm3(at)))
    return replace(
        ensemble,
        particles=particles,
        relaxation=tuple(r for _, r in done),
        strain=strain_profile(particles, field, unstrained=free),
    )
