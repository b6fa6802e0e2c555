"""Relax particles of atoms and read the strain that is left in them."""

from __future__ import annotations

from nanostrata.models.ensemble import steps
from nanostrata.models.relaxation import relax_keating, relax_with_ase
from nanostrata.models.strain import strain_profile

__all__ = ["relax_keating", "relax_with_ase", "steps", "strain_profile"]
