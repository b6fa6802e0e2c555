"""Laue scattering of particles of atoms: a random alloy has all of it, thin quotas take some of it away."""

import numpy as np
from tests.recovery.campaign import CHANTLER, solid

from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.shell_curve import spheroid_curve

Q = np.linspace(0.5, 4.5, 41)
ENERGY = 9.3


def excess(occupation: str, count: int) -> np.ndarray:
    """Mean intensity of random alloys over that of the shell model with its Laue term, minus that of pure ZnSe, in e^2."""
    x, d = 0.3, 3.6
    pair = solid()

    def mean(fraction: float) -> np.ndarray:
        models = [
            build_particle(
                pair, semi_axes_nm=(d / 2, d / 2, d / 2), x_of_s=lambda s: np.full_like(s, fraction),
                rng=np.random.default_rng(seed), occupation=occupation,
            )
            for seed in range(count)
        ]  # fmt: skip
        return particle_intensities(models, CHANTLER, [ENERGY], Q, pair.medium.electron_density_e_nm3)[:, 0].mean(
            axis=0
        )

    def model(fraction: float) -> np.ndarray:
        return spheroid_curve(Q, pair, CHANTLER, ENERGY, diameter_nm=d, shell_fraction=np.array([fraction]))

    alloy, pure = mean(x) - model(x), mean(1.0) - model(1.0)
    return (
        (alloy - pure)
        / pair.laue_per_site(np.array([x]), CHANTLER, ENERGY)[0]
        / (np.pi / 6 * d**3 / pair.site_volume_nm3(x))
    )


def test_a_random_alloy_has_the_laue_scattering_of_warren() -> None:
    # in units of the Laue scattering: what vacancies at the surface add, flat in q; standard error of a mean about 0.05
    rest = excess("random", 150)
    low, high = rest[20:30].mean(), rest[30:].mean()
    assert abs(low) < 0.3
    assert abs(high) < 0.3
    assert abs(high - low) < 0.15


def test_each_site_for_itself_gives_numbers_that_fluctuate_binomially() -> None:
    pair, x = solid(), 0.4
    zinc, sites = [], []
    for seed in range(60):
        model = build_particle(
            pair, semi_axes_nm=(1.5, 1.5, 1.5), x_of_s=lambda s: np.full_like(s, x), rng=np.random.default_rng(seed),
            occupation="random", centre_jitter=False,
        )  # fmt: skip
        symbols = np.array(model.symbols)
        zinc.append((symbols == "Zn").sum())
        sites.append((symbols != "Se").sum())
    n = sites[0]
    assert abs(np.mean(zinc) / n - x) < 4 * np.sqrt(x * (1 - x) / n / 60)
    assert 0.6 < np.std(zinc) / np.sqrt(n * x * (1 - x)) < 1.45
