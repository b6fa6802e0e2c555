"""Build a particle of atoms from a composition profile."""

from __future__ import annotations

from nanostrata.models.lattice_particle import build_from_profile, build_particle

__all__ = ["build_from_profile", "build_particle"]
