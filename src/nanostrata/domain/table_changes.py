"""What other tables of f', f'' make of the same measurement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import PhysicsError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableChanges(Domain):
    """Change of the composition of each shell when another table of f', f'' is used.

    Attributes
    ----------
    used : name of the table that the profile was fitted with
    names : of the other tables
    changes : (n_table, n) change of x per shell, inner to outer: best fit with that table minus best fit with ``used``
    chi2_changes : (n_table,) change of chi2 (data and priors); below 0 where that table describes the data better
    sigma : (n,) change of x by one standard deviation of the measured f'; empty where the table states none
    left_out : (name, reason) of tables that say nothing at one of the energies
    """

    used: str
    names: tuple[str, ...]
    changes: FloatArray
    chi2_changes: FloatArray
    sigma: FloatArray
    left_out: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        changes = frozen_array("changes", self.changes, ndim=2)
        if len(changes) != len(self.names):
            raise PhysicsError(f"changes: expected one row for each of {len(self.names)} tables, got {len(changes)}")
        freeze(self, "changes", changes)
        freeze(self, "chi2_changes", frozen_array("chi2_changes", self.chi2_changes, length=len(self.names)))
        freeze(self, "sigma", frozen_array("sigma", self.sigma, nonnegative=True))

    @property
    def largest(self) -> FloatArray:
        """Largest absolute change of each shell over all tables, (n,); zeros without another table."""
        if not self.names:
            return np.zeros(self.changes.shape[1])
        return np.asarray(np.abs(self.changes).max(axis=0))
