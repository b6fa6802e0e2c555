"""The solid solution between two end members: volume, elements, electron density and Laue scattering against x."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import Material, Medium
from nanostrata.domain.base import ComplexArray, Domain, FloatArray
from nanostrata.errors import NanostrataError, RecipeError
from nanostrata.models.materials import HEXAGONAL, from_recipe
from nanostrata.tables.elements import atomic_number
from nanostrata.tables.factors import FactorTable
from nanostrata.tables.formulas import split_ions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SolidSolution(Domain):
    r"""Mixture of core (x = 0) and shell material (x = 1) on a common lattice, in a medium.

    .. math:: \rho(x, E) = \frac{(1 - x) f_{core}(E) + x f_{shell}(E)}{v(x)}

    with f the sum of Z + f' + i f'' over the atoms of one shared site and v(x) the volume of that site: lattice
    constants linear in x (Vegard) where both end members have the same structure, else the cube root of the volume
    linear in x. A single material (shell None) does not depend on x.

    Attributes
    ----------
    core, shell : end members; shell None = one material
    medium : what the particles float in
    """

    core: Material
    shell: Material | None
    medium: Medium

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements of both end members, cations first, then by atomic number."""
        members = (self.core,) if self.shell is None else (self.core, self.shell)
        names = {e for m in members for e in m.composition}
        # judged member by member: Sb is a cation in CuSbS2 and an anion in InSb
        anions = {e for m in members for e in split_ions(m.composition)[1]}
        return tuple(sorted(names, key=lambda e: (e in anions, atomic_number(e))))

    @property
    def exchanged_elements(self) -> tuple[str, ...]:
        """Elements whose number per site depends on x."""
        if self.shell is None:
            return ()
        core, shell = self.core.composition, self.shell.composition
        return tuple(e for e in self.elements if abs(core.get(e, 0.0) - shell.get(e, 0.0)) > 1e-12)

    @property
    def _linear_lattice(self) -> bool:
        return self.shell is not None and self.shell.structure == self.core.structure != "cif"

    def lattice_nm(self, x: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Lattice constants a and c against x, nm (c = a for cubic lattices); needs one structure for both."""
        x = np.asarray(x, dtype=np.float64)
        a0, _, c0 = self.core.lattice_nm
        if self.shell is None:
            return np.full(x.shape, a0), np.full(x.shape, c0)
        if not self._linear_lattice:
            factor = np.cbrt(self.site_volume_nm3(x) / self.core.site_volume_nm3)
            return a0 * factor, c0 * factor
        a1, _, c1 = self.shell.lattice_nm
        return a0 + (a1 - a0) * x, c0 + (c1 - c0) * x

    def site_volume_nm3(self, x: ArrayLike) -> FloatArray:
        """Volume per shared site, nm^3."""
        x = np.asarray(x, dtype=np.float64)
        if self.shell is None:
            return np.full(x.shape, self.core.site_volume_nm3)
        if self._linear_lattice:
            a, c = self.lattice_nm(x)
            a0, _, c0 = self.core.lattice_nm
            return np.asarray(self.core.site_volume_nm3 * (a / a0) ** 2 * (c / c0))
        return np.asarray(self._cube_root(x) ** 3)

    def _cube_root(self, x: FloatArray) -> FloatArray:
        assert self.shell is not None
        low, high = np.cbrt(self.core.site_volume_nm3), np.cbrt(self.shell.site_volume_nm3)
        return np.asarray(low + (high - low) * x)

    def site_volume_slope(self, x: ArrayLike) -> FloatArray:
        """Derivative of the volume per site by x, nm^3."""
        x = np.asarray(x, dtype=np.float64)
        if self.shell is None:
            return np.zeros(x.shape)
        if self._linear_lattice:
            a, c = self.lattice_nm(x)
            a0, _, c0 = self.core.lattice_nm
            a1, _, c1 = self.shell.lattice_nm
            v0 = self.core.site_volume_nm3 / (a0 * a0 * c0)
            return np.asarray(v0 * (2 * a * (a1 - a0) * c + a * a * (c1 - c0)))
        step = np.cbrt(self.shell.site_volume_nm3) - np.cbrt(self.core.site_volume_nm3)
        return np.asarray(3 * self._cube_root(x) ** 2 * step)

    def elements_per_site(self, x: ArrayLike) -> dict[str, FloatArray]:
        """Atoms of each element per shared site."""
        x = np.asarray(x, dtype=np.float64)
        shell = self.core.composition if self.shell is None else self.shell.composition
        return {e: (1 - x) * self.core.composition.get(e, 0.0) + x * shell.get(e, 0.0) for e in self.elements}

    def numerators(
        self, factors: FactorTable, energy_kev: float, q_inv_nm: FloatArray | None = None
    ) -> tuple[ComplexArray, ComplexArray]:
        """Scattering factor of one shared site of core and of shell material, electrons.

        Parameters
        ----------
        q_inv_nm : (n,) use f0(q); None uses Z

        Returns
        -------
        two arrays (n,), or (1,) without q
        """
        shell = self.core if self.shell is None else self.shell
        q = None if q_inv_nm is None else np.atleast_1d(np.asarray(q_inv_nm, dtype=np.float64))
        out = []
        for material in (self.core, shell):
            total = np.zeros(1 if q is None else len(q), dtype=np.complex128)
            for element, n in material.composition.items():
                thomson = atomic_number(element) if q is None else factors.f0(element, q)
                total += n * (thomson + factors.anomalous(element, energy_kev))
            out.append(total)
        return out[0], out[1]

    def electron_density(self, x: ArrayLike, factors: FactorTable, energy_kev: float) -> ComplexArray:
        """Complex electron density at q = 0, e/nm^3."""
        x = np.asarray(x, dtype=np.float64)
        core, shell = self.numerators(factors, energy_kev)
        return np.asarray(((1 - x) * core[0] + x * shell[0]) / self.site_volume_nm3(x))

    def sublattices(self, x: ArrayLike) -> tuple[dict[str, FloatArray], ...]:
        """Atoms of each element on each sublattice, per shared site: cations and anions, or one dict of all atoms.

        What is missing to the number of sites (1, or ``Material.sublattice_sites``) is vacant.
        """
        x = np.asarray(x, dtype=np.float64)
        members = [(self.core, np.ones(x.shape))]
        if self.shell is not None:
            members = [(self.core, 1.0 - x), (self.shell, x)]
        groups: tuple[dict[str, FloatArray], ...] = ({}, {})
        for material, share in members:
            cations, anions = split_ions(material.composition)
            for group, ions in zip(groups, (cations or material.composition, anions), strict=True):
                for element, n in ions.items():
                    group[element] = group.get(element, np.zeros(x.shape)) + n * share
        first, second = ({e: g[e] for e in self.elements if e in g} for g in groups)
        return (first, second) if second else (first,)

    def _sites(self, x: FloatArray, which: int) -> FloatArray:
        """Sites of a sublattice per shared site."""
        core = self.core.sublattice_sites[which]
        shell = core if self.shell is None else self.shell.sublattice_sites[which]
        return np.asarray((1.0 - x) * core + x * shell)

    def laue_per_site(
        self, x: ArrayLike, factors: FactorTable, energy_kev: float, q_inv_nm: FloatArray | None = None
    ) -> FloatArray:
        r"""Laue (monotonic diffuse) scattering of the random alloy per shared site, electrons squared.

        .. math:: L = \sum_{\text{sublattices}} m \left( \langle |f|^2 \rangle - |\langle f \rangle|^2 \right)

        with m the sites of a sublattice per shared site (1 in wurtzite, zinc blende, rock salt and metals), vacancies
        as f = 0, random occupation of each sublattice and no correlation between them (Warren, X-Ray Diffraction,
        1969, chapter 12). Without q the factors are those at q = 0; with q (n,) a last axis is added along which L
        falls with the square of f0(q), by 8 % up to 4.5 1/nm. Ordered end members (chalcopyrite) are counted as
        disordered: an upper bound.
        """
        x = np.asarray(x, dtype=np.float64)
        if q_inv_nm is not None:
            x = x[..., None] + np.zeros(len(q_inv_nm))
        total = np.zeros(x.shape)
        for which, occupation in enumerate(self.sublattices(x)):
            square, mean = np.zeros(x.shape), np.zeros(x.shape, dtype=np.complex128)
            for element, n in occupation.items():
                thomson = atomic_number(element) if q_inv_nm is None else factors.f0(element, q_inv_nm)
                f = thomson + factors.anomalous(element, energy_kev)
                square = square + n * np.abs(f) ** 2
                mean = mean + n * f
            total = total + square - np.abs(mean) ** 2 / self._sites(x, which)
        return total

    def mean_site_fraction(self, x: ArrayLike, volumes: ArrayLike) -> float:
        r"""Mean x per shared site, :math:`\sum V x / v \,/\, \sum V / v`: what EDX and element counts see."""
        x = np.asarray(x, dtype=np.float64)
        sites = np.asarray(volumes, dtype=np.float64) / self.site_volume_nm3(x)
        return float((sites * x).sum() / sites.sum())

    def mismatch_percent(self, x_inner: float, x_outer: float) -> dict[str, float]:
        """Lattice mismatch (inner - outer) / inner along "a" and "c", or "cubic", in percent."""
        a, c = self.lattice_nm(np.array([x_inner, x_outer]))
        if self.core.structure in HEXAGONAL:
            return {"a": 100 * float((a[0] - a[1]) / a[0]), "c": 100 * float((c[0] - c[1]) / c[0])}
        return {"cubic": 100 * float((a[0] - a[1]) / a[0])}


def site_volume_polynomial(solid: SolidSolution) -> FloatArray:
    """Volume per shared site against x as a cubic, nm^3, highest power first.

    Exact, not a fit: lattice constants, or the cube root of the volume, are linear in x.
    """
    x = np.array([0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0])
    return np.asarray(np.linalg.solve(np.vander(x), solid.site_volume_nm3(x)))


def make_solid_solution(core: Any, shell: Any | None, medium: Medium, *, root: Path = Path()) -> SolidSolution:
    """Return the solid solution that ``[materials]`` describes.

    Parameters
    ----------
    core, shell : tables with formula, lattice (structure, a_nm, c_nm or cif) and density_uncertainty; shell may be None
    root : folder that CIF paths are relative to

    Raises
    ------
    RecipeError
        With the problems of both end members.
    """
    problems: list[str] = []
    made: list[Material | None] = []
    for part, partner, key in ((core, shell, "materials.core"), (shell, core, "materials.shell")):
        if part is None:
            made.append(None)
            continue
        try:
            made.append(from_recipe(part, partner, root, key))
        except NanostrataError as error:
            problems += [p for p in error.problems if p not in problems]
    if problems:
        raise RecipeError(*problems)
    first, second = made
    assert first is not None
    if second is not None and _same(first, second):
        raise RecipeError("materials: core and shell are the same; leave [materials.shell] out for one material")
    return SolidSolution(core=first, shell=second, medium=medium)


def _same(first: Material, second: Material) -> bool:
    return math.isclose(first.site_volume_nm3, second.site_volume_nm3) and dict(first.composition) == dict(
        second.composition
    )
