"""From the posterior of the profile to the numbers of the particle: sizes, mean composition, element counts."""

from __future__ import annotations

import numpy as np

from nanostrata.domain import ShellProfile
from nanostrata.domain.fit import ProfileFit
from nanostrata.domain.particle import ParticleDraws
from nanostrata.models.density import SolidSolution

VERSION = "1"


def describe_particle(fit: ProfileFit, solid: SolidSolution) -> ParticleDraws:
    """Carry every posterior draw to the particle's numbers.

    Counts are those of the particle of mean diameter, N_e = sum_k V_k (1 + delta_k) n_e(x_k) / v(x_k).
    """
    names = fit.main.names
    theta = fit.main.theta
    x = fit.main.shell_fraction
    diameter = theta[:, names.index("diameter_mean_nm")]
    std = theta[:, names.index("diameter_std_nm")]
    aspect = theta[:, names.index("aspect_ratio")] if "aspect_ratio" in names else np.ones(len(theta))
    edges = np.arange(1, x.shape[1] + 1) / x.shape[1]
    share = np.diff(edges**3, prepend=0.0)
    v = solid.site_volume_nm3(x)
    density = 1.0 + (1.0 - x) * theta[:, [names.index("density_core")]] + x * theta[:, [names.index("density_shell")]]
    sites = np.pi / 6.0 * diameter[:, None] ** 3 * share * density / v
    per_site = solid.elements_per_site(x)
    elements = tuple(per_site)
    counts = np.stack([(sites * per_site[e]).sum(axis=1) for e in elements], axis=1)
    grid = np.linspace(0.0, 1.0, 101)
    index = np.minimum((grid * x.shape[1]).astype(int), x.shape[1] - 1)
    radius = 0.5 * float(diameter.mean())
    return ParticleDraws(
        diameter_mean_nm=diameter,
        diameter_std_nm=std,
        aspect_ratio=aspect,
        mean_fraction_sites=(share / v * x).sum(1) / (share / v).sum(1),
        mean_fraction_volume=x @ share,
        elements=elements,
        element_counts=counts,
        profile=ShellProfile(edges_nm=radius * fit.fractions, shell_fraction=np.clip(fit.main_shells.mean(0), 0, 1)),
        band_radius_nm=radius * grid,
        band_x=x[:, index],
    )
