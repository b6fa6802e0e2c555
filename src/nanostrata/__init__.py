"""nanostrata: the graded structure of core/shell nanocrystals from X-ray scattering, with honest intervals."""

from __future__ import annotations

__version__ = "0.1.0"
