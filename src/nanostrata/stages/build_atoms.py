"""Build particles of atoms from composition profiles."""

from __future__ import annotations

from nanostrata.models.charge_balance import balance
from nanostrata.models.ensemble import build_ensemble, plan_sizes, steps
from nanostrata.models.lattice_particle import build_from_profile, build_particle

__all__ = ["balance", "build_ensemble", "build_from_profile", "build_particle", "plan_sizes", "steps"]
