"""Fit the profile again with every other table of f', f'', and with the measured f' moved within its error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.fit import Draws
from nanostrata.domain.table_changes import TableChanges
from nanostrata.errors import PhysicsError
from nanostrata.models.energy_consistency import Fitted, refit
from nanostrata.models.explore import best_point
from nanostrata.models.families import ProfileFamily
from nanostrata.models.fit_setup import FitSetup, equispaced
from nanostrata.models.posterior import Posterior
from nanostrata.tables.factors import FactorTable, check_energies

VERSION = "1"

_NEAR_KEV = 0.02
"""A measured f' is moved within so much of one curve's energy: the energy error of the fit looks 0.5 eV to either side."""


def compare_tables(
    setup: FitSetup,
    family: ProfileFamily,
    used: str,
    others: Mapping[str, FactorTable],
    *,
    shells: int,
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
    setup, family : as for the fit of the profile
    used : name of the setup's table
    others : tables by name
    shells : number of equispaced shells that are reported
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

    def build(table: FactorTable) -> Posterior:
        return replace(setup, factors=table).posterior(family, sigma_factors)

    posterior = build(setup.factors)
    begin = [start.best] if start is not None and start.names == posterior.names else []
    given = refit(posterior, [best_point(posterior, extra=begin)])
    x = equispaced(posterior, given.theta, shells)
    names, changes, chi2, left_out = [], [], [], []
    energies = [c.energy_kev for c in setup.curves if c.energy_kev is not None]
    for other, candidate in others.items():
        try:
            check_energies(setup.solid.elements, energies, candidate)
        except PhysicsError as error:
            left_out.append((other, error.problems[0]))
            continue
        progress(f"fitting with the table {other}")
        again = build(candidate)
        found = refit(again, [best_point(again, extra=[given.theta])])
        names.append(other)
        changes.append(equispaced(again, found.theta, shells) - x)
        chi2.append(found.cost - given.cost)
    return TableChanges(
        used=used, names=tuple(names), changes=np.array(changes).reshape(len(names), shells),
        chi2_changes=np.array(chi2), sigma=_own_error(build, setup.factors, energies, given, x, shells),
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
        return equispaced(posterior, refit(posterior, [given.theta]).theta, shells) - x

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
