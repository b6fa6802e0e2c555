"""Posterior draws of the numbers of a particle."""

from __future__ import annotations

from dataclasses import dataclass

from nanostrata.domain.base import Domain, FloatArray
from nanostrata.domain.profile import ShellProfile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ParticleDraws(Domain):
    """Posterior draws of what follows from the profile, one entry per draw.

    Attributes
    ----------
    diameter_mean_nm, diameter_std_nm, aspect_ratio : (n,)
    mean_fraction_sites, mean_fraction_volume : (n,) mean x per shared site, and per volume
    elements : symbols, and their counts (n, m) in the particle of mean diameter
    profile : best profile of the particle of mean diameter, on the reported shells
    band_radius_nm, band_x : radial grid (g,) and x there (n, g)
    """

    diameter_mean_nm: FloatArray
    diameter_std_nm: FloatArray
    aspect_ratio: FloatArray
    mean_fraction_sites: FloatArray
    mean_fraction_volume: FloatArray
    elements: tuple[str, ...]
    element_counts: FloatArray
    profile: ShellProfile
    band_radius_nm: FloatArray
    band_x: FloatArray
