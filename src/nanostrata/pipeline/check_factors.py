"""f', f'' and the contrast against the energy, all tables side by side, and how far the tables are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import Domain, FloatArray
from nanostrata.errors import NanostrataError, PhysicsError
from nanostrata.models.density import SolidSolution
from nanostrata.pipeline import gather
from nanostrata.pipeline.recipe import Recipe
from nanostrata.tables.edges import edges_kev, nearest_edge, parse_edge
from nanostrata.tables.factors import TABLES, FactorTable, check_energies, load_factors

__all__ = [
    "FactorCurves", "TableCurve", "TableSpread", "available_tables", "factor_curves", "factor_picture", "table_spread",
]  # fmt: skip

_ZOOM_EV = 110.0
_WHOLE_POINTS, _ZOOM_POINTS = 240, 141
_MARGIN = 0.03
_SMEARED_REACH = 25.0
"""Standard deviations of the beam's energy beyond which an edge is not felt (0.001 electrons): the plain table is drawn
there, which is 70 times as fast."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableCurve(Domain):
    """One table over a range of energies.

    Attributes
    ----------
    energy_kev : (n,) keV
    f_prime, f_double_prime : (n,) of the resonant element, electrons
    sigma_f_prime : (n,) one standard deviation, electrons; empty for tables, which state none
    core_excess, shell_excess : (n,) real part of the electron density minus the medium's, e/nm^3; shell empty with one
        material
    """

    energy_kev: FloatArray
    f_prime: FloatArray
    f_double_prime: FloatArray
    sigma_f_prime: FloatArray
    core_excess: FloatArray
    shell_excess: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FactorCurves(Domain):
    """What the picture of ``check`` shows.

    Attributes
    ----------
    element, shell, edge_kev : the resonant edge
    energies_kev : of the measured curves
    names : of the tables; the first is the one that is used
    whole, zoom : for each table, over all measured energies and round the edge
    """

    element: str
    shell: str
    edge_kev: float
    energies_kev: tuple[float, ...]
    names: tuple[str, ...]
    whole: tuple[TableCurve, ...]
    zoom: tuple[TableCurve, ...]


@dataclass(frozen=True, kw_only=True)
class TableSpread:
    """How far the tables are apart at one energy.

    Attributes
    ----------
    f_prime : (name of the table, f' of the resonant element, its standard deviation or None), electrons
    step : for each table the excess density of the shell minus that of the core, e/nm^3; empty with one material
    left_out : (name, reason) of tables that say nothing at this energy
    """

    energy_kev: float
    element: str
    f_prime: tuple[tuple[str, float, float | None], ...]
    step: tuple[float, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def range_f_prime(self) -> float:
        """Largest minus smallest f', electrons."""
        values = [v for _, v, _ in self.f_prime]
        return max(values) - min(values) if values else float("nan")

    @property
    def range_step(self) -> float:
        """Largest minus smallest contrast between shell and core, e/nm^3."""
        return max(self.step) - min(self.step) if self.step else float("nan")

    @property
    def text(self) -> str:
        """One sentence."""
        values = ", ".join(f"{v:.3f}{'' if s is None else f' ± {s:.3f}'} ({name})" for name, v, s in self.f_prime)
        at = f"{self.energy_kev:.4f} keV: f' of {self.element} is {values}"
        gone = "".join(f"; {name} says nothing here" for name, _ in self.left_out)
        if len(self.f_prime) < 2:
            return f"{at}{gone}."
        out = f"{at}{gone}: {self.range_f_prime:.3f} electrons apart"
        if self.step:
            mean = float(np.mean(self.step))
            share = f" ({100 * self.range_step / abs(mean):.2g} %)" if abs(mean) > 1.0 else ""
            out += f", so that shell minus core is {mean:.1f} e/nm3 give or take {0.5 * self.range_step:.1f}{share}"
        return out + "."


def factor_picture(recipe: Recipe, energies_kev: Sequence[float]) -> FactorCurves | None:
    """Return what the picture shows; None without energies, or where the project's own problems stand in the way."""
    if recipe.asaxs is None or not energies_kev:
        return None
    try:
        solid, chosen = gather.materials(recipe), gather.factor_tables(recipe)[0]
    except NanostrataError:
        return None  # named among the problems of the check
    return None if solid is None else factor_curves(recipe, solid, chosen, energies_kev)


def available_tables(recipe: Recipe, chosen: FactorTable) -> dict[str, FactorTable]:
    """Return every table that can describe this project, by name; the chosen one first.

    Parameters
    ----------
    chosen : the table of the project; where it has measured factors, its name tells the file
    """
    assert recipe.asaxs is not None
    out = {name_of(recipe, chosen): chosen}
    for name in TABLES:
        if chosen.measured or name != chosen.table:
            out[name] = load_factors(name, energy_resolution_ev=chosen.energy_resolution_ev)
    return out


def name_of(recipe: Recipe, chosen: FactorTable) -> str:
    """Name of the table that the project chose, as shown."""
    from pathlib import PurePath

    asaxs = recipe.asaxs
    if asaxs is None or isinstance(asaxs.factors, str) or not chosen.measured:
        return chosen.name
    return f"measured, {PurePath(asaxs.factors.name).name}"


def table_spread(
    recipe: Recipe, solid: SolidSolution, chosen: FactorTable, energies_kev: Sequence[float]
) -> tuple[TableSpread, ...]:
    """Compare all tables at each measured energy."""
    tables = available_tables(recipe, chosen)
    element = resonant_edge(recipe, solid, energies_kev)[0]
    out = []
    for kev in sorted(energies_kev):
        found, step, gone = [], [], []
        for name, table in tables.items():
            try:
                check_energies(solid.elements, [kev], table)
            except PhysicsError as error:
                gone.append((name, error.problems[0]))
                continue
            found.append((name, table.f_prime(element, kev), table.sigma_f_prime(element, kev)))
            core, shell = solid.electron_density(np.array([0.0, 1.0]), table, kev).real
            step.append(float(shell - core))
        out.append(
            TableSpread(
                energy_kev=kev, element=element, f_prime=tuple(found), left_out=tuple(gone),
                step=tuple(step) if solid.shell is not None else (),
            )
        )  # fmt: skip
    return tuple(out)


def resonant_edge(recipe: Recipe, solid: SolidSolution, energies_kev: Sequence[float]) -> tuple[str, str, float]:
    """Return element, shell and energy (keV) of ``asaxs.edge``, or of the edge nearest to any measured energy."""
    assert recipe.asaxs is not None
    if recipe.asaxs.edge is not None:
        return parse_edge(recipe.asaxs.edge)
    near = [(nearest_edge(kev, solid.elements), kev) for kev in energies_kev]
    (element, shell, away), kev = min(near, key=lambda item: abs(item[0][2]))
    return element, shell, kev - 1e-3 * away


def factor_curves(
    recipe: Recipe, solid: SolidSolution, chosen: FactorTable, energies_kev: Sequence[float]
) -> FactorCurves:
    """Return f', f'' and excess densities of every table through the edge and over all measured energies."""
    element, shell, edge = resonant_edge(recipe, solid, energies_kev)
    tables = available_tables(recipe, chosen)
    low = min(min(energies_kev), edge - 1e-3 * _ZOOM_EV) * (1.0 - _MARGIN)
    high = max(max(energies_kev), edge + 1e-3 * _ZOOM_EV) * (1.0 + _MARGIN)
    near = [e + 1e-3 * d for el in solid.elements for _, e in edges_kev(el) for d in (-30, -10, -3, -1, 1, 3, 10, 30)]
    whole = np.unique([*np.linspace(low, high, _WHOLE_POINTS), *(e for e in near if low < e < high)])
    side = np.linspace(-1.0, 1.0, _ZOOM_POINTS)
    # denser towards the edge, where everything happens
    zoom = edge + 1e-3 * _ZOOM_EV * np.sign(side) * np.abs(side) ** 1.6
    return FactorCurves(
        element=element, shell=shell, edge_kev=edge, energies_kev=tuple(sorted(energies_kev)), names=tuple(tables),
        whole=tuple(_curve(solid, t, element, whole) for t in tables.values()),
        zoom=tuple(_curve(solid, t, element, zoom) for t in tables.values()),
    )  # fmt: skip


def _curve(solid: SolidSolution, table: FactorTable, element: str, energy_kev: FloatArray) -> TableCurve:
    own = [m for m in table.measured if m.element == element]
    inside = energy_kev
    if own:
        # a measurement may have finer points than the grid, such as a white line
        points = np.array(own[0].energy_kev)
        inside = np.unique([*energy_kev, *points[(points > energy_kev[0]) & (points < energy_kev[-1])]])
        inside = inside[(inside >= points[0]) & (inside <= points[-1])]
    plain = replace(table, energy_resolution_ev=0.0)
    tabulated = set(solid.elements) - {m.element for m in table.measured}
    edges = np.array([e for el in tabulated for _, e in edges_kev(el)])
    reach = 1e-3 * _SMEARED_REACH * table.energy_resolution_ev
    factors, densities, sigmas = [], [], []
    for kev in (float(e) for e in inside):
        used = table if np.any(np.abs(edges - kev) < reach) else plain
        factors.append(used.anomalous(element, kev))
        densities.append(solid.electron_density(np.array([0.0, 1.0]), used, kev).real)
        sigmas.append(used.sigma_f_prime(element, kev))
    f, rho = np.array(factors), np.array(densities) - solid.medium.electron_density_e_nm3
    return TableCurve(
        energy_kev=inside, f_prime=f.real.copy(), f_double_prime=f.imag.copy(),
        sigma_f_prime=np.array([s for s in sigmas if s is not None]),
        core_excess=rho[:, 0].copy(), shell_excess=rho[:, 1].copy() if solid.shell is not None else np.zeros(0),
    )  # fmt: skip
