"""Fit the profile again with every other table of f', f'', and with the measured f' moved within its error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.fit import Draws
from nanostrata.domain.table_changes import TableChanges
from nanostrata.errors import PhysicsError
from nanostrata.models.build_posterior import PriorKnowledge, build_posterior
from nanostrata.models.density import SolidSolution
from nanostrata.models.energy_consistency import Fitted, refit
from nanostrata.models.explore import best_point
from nanostrata.models.families import make_family
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.posterior import Posterior
from nanostrata.tables.factors import FactorTable, check_energies

VERSION = "1"

_NEAR_KEV = 0.02
"""A measured f' is moved within so much of one curve's energy: the energy error of the fit looks 0.5 eV to either side."""


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """What the fit of the profile was made with; see ``ProfileSettings``."""

    shells: int = 5
    profile: str = "shells"
    shape: Literal["sphere", "prolate", "oblate"] = "sphere"
    size_kind: Literal["gaussian", "lognormal", "tem"] = "gaussian"
    smoothness: bool = True
    smoothness_sd: float = 0.35
    smearing: str | float = "none"
    atomic_form_factors: bool = True
    laue: bool = True
    engine: str = "auto"


def compare_tables(
    curves: Sequence[ScatteringCurve],
    solid: SolidSolution,
    used: tuple[str, FactorTable],
    others: Mapping[str, FactorTable],
    known: PriorKnowledge,
    settings: TableSettings,
    *,
    start: Draws | None = None,
    sigma_factors: Sequence[float] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> TableChanges:
    r"""Best profile with each table, minus that with the table in use.

    The measured f' is known to :math:`\sigma(E)`, and how its errors at different energies go together is not. Two
    extremes are refitted: all move together, :math:`\delta_a = x(f' + \sigma) - x(f')`, and each on its own,
    :math:`\delta_b^2 = \sum_i \left(x(f' + \sigma_i) - x(f')\right)^2`. The larger one of each shell is returned.

    Parameters
    ----------
    curves : as for the fit of the profile, in the same order
    used, others : tables by name
    known : the same priors
    start : of the fitted profile: where every search begins, besides its own starts
    sigma_factors : by which the fit multiplied the stated sigma of each curve

    Returns
    -------
    TableChanges
        Tables that say nothing at one of the energies are left out, with the reason.

    Raises
    ------
    ConvergenceError
        When no start of the search reaches a finite minimum.
    """
    name, table = used
    factors = None if sigma_factors is None else list(sigma_factors)

    def build(with_table: FactorTable) -> Posterior:
        return _posterior(curves, solid, with_table, known, settings, factors)

    posterior = build(table)
    begin = [start.best] if start is not None and start.names == posterior.names else []
    given = refit(posterior, [best_point(posterior, extra=begin)])
    x = _shells(posterior, given, settings.shells)
    names, changes, chi2, left_out = [], [], [], []
    energies = [c.energy_kev for c in curves if c.energy_kev is not None]
    for other, candidate in others.items():
        try:
            check_energies(solid.elements, energies, candidate)
        except PhysicsError as error:
            left_out.append((other, error.problems[0]))
            continue
        progress(f"fitting with the table {other}")
        again = build(candidate)
        found = refit(again, [best_point(again, extra=[given.theta])])
        names.append(other)
        changes.append(_shells(again, found, settings.shells) - x)
        chi2.append(found.cost - given.cost)
    return TableChanges(
        used=name, names=tuple(names), changes=np.array(changes).reshape(len(names), settings.shells),
        chi2_changes=np.array(chi2), sigma=_own_error(build, table, energies, given, x, settings.shells),
        left_out=tuple(left_out),
    )  # fmt: skip


def _own_error(
    build: Callable[[FactorTable], Posterior], table: FactorTable, energies: Sequence[float], given: Fitted, x: FloatArray,
    shells: int,
) -> FloatArray:  # fmt: skip
    """Change of x by one standard deviation of the measured f', (n,); empty without one."""
    if not any(m.sigma_f_prime for m in table.measured):
        return np.zeros(0)

    def change(moved: FactorTable) -> FloatArray:
        posterior = build(moved)
        return _shells(posterior, refit(posterior, [given.theta]), shells) - x

    together = np.abs(change(with_moved_f_prime(table, None)))
    single = [change(with_moved_f_prime(table, e)) for e in dict.fromkeys(energies)]
    return np.asarray(np.maximum(together, np.sqrt(np.sum(np.square(single), axis=0))))


def with_moved_f_prime(table: FactorTable, energy_kev: float | None) -> FactorTable:
    """Return the table with every measured f' one standard deviation higher, everywhere or round one energy."""
    moved = []
    for m in table.measured:
        sigma = np.array(m.sigma_f_prime) if m.sigma_f_prime else np.zeros(len(m.energy_kev))
        e, f = np.array(m.energy_kev), np.array(m.f_prime)
        if energy_kev is not None and sigma.any():
            # points of their own at the window's ends: between far points the change would reach neighbours
            low, high = energy_kev - _NEAR_KEV, energy_kev + _NEAR_KEV
            ends = np.array([low - 1e-6, low, energy_kev, high, high + 1e-6])
            grid = np.unique(np.concatenate([e, ends[(ends > e[0]) & (ends < e[-1])]]))
            values = np.array([m.at(float(v)) for v in grid])
            sigma = np.where((grid >= low) & (grid <= high), np.interp(grid, e, sigma), 0.0)
            new = replace(
                m, energy_kev=tuple(grid.tolist()), f_prime=tuple((values.real + sigma).tolist()),
                f_double_prime=tuple(values.imag.tolist()), sigma_f_prime=tuple(np.interp(grid, e, m.sigma_f_prime).tolist()),
            )  # fmt: skip
        else:
            new = replace(m, f_prime=tuple((f + sigma).tolist()))
        moved.append(new)
    return replace(table, measured=tuple(moved))


def _posterior(
    curves: Sequence[ScatteringCurve], solid: SolidSolution, factors: FactorTable, known: PriorKnowledge,
    settings: TableSettings, sigma_factors: list[float] | None,
) -> Posterior:  # fmt: skip
    family = make_family(
        settings.profile, settings.shells, smoothness=settings.smoothness, smooth_sd=settings.smoothness_sd
    )
    sizes = known.sizes
    particle = prepare(
        curves, solid, factors, family.fractions, sizes=SizeRange.around(sizes), kind=settings.size_kind, shape=settings.shape,
        readings_nm=sizes.diameters_nm if len(sizes.diameters_nm) else None,
        aspect_spread=(sizes.aspect_std or 0.0) / (sizes.aspect_ratio or 1.0), smearing=settings.smearing,
        atomic_form_factors=settings.atomic_form_factors, laue=settings.laue and known.background != "none",
        errors=known.contrast_errors, engine=settings.engine,
    )  # fmt: skip
    return build_posterior(curves, particle, family, known, sigma_factors=sigma_factors)


def _shells(posterior: Posterior, fitted: Fitted, shells: int) -> FloatArray:
    """Return x of equispaced shells: volume averages of the family's own."""
    x, _ = posterior.family.composition(posterior.split(fitted.theta)[0])
    own = np.concatenate([[0.0], posterior.family.fractions])
    edges = np.linspace(0.0, 1.0, shells + 1)
    low, high = np.maximum(own[:-1, None], edges[None, :-1]), np.minimum(own[1:, None], edges[None, 1:])
    weight = np.where(high > low, high**3 - low**3, 0.0)
    return np.asarray(x @ (weight / weight.sum(axis=0)))
