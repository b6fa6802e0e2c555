"""The pair table against brute-force sums over radii and orientations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import spherical_jn

from nanostrata.errors import PhysicsError
from nanostrata.kernels import pair_table as kernels
from nanostrata.models.pair_table import PairTable

Q = np.linspace(0.3, 5.0, 24)
CONTRAST = np.array([[1068, 1066, 1050, 1030, 1010], [1040, 1020, 960, 900, 860.0]]) + 1j * np.array(
    [[32, 31, 25, 18, 12], [30, 22, 15, 9, 5.0]]
)
FRACTIONS = np.arange(1, 6) / 5


def _amplitude(u: np.ndarray, volume: float | np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """Shell by shell from Bessel functions, independent of the package."""
    total = np.zeros(u.shape, dtype=complex)
    for f, step in zip(FRACTIONS, contrast - np.append(contrast[1:], 0), strict=True):
        total += step * volume * f**3 * 3 * spherical_jn(1, u * f) / (u * f)
    return total


def _brute(mean_nm: float, std_nm: float, b: float, density: str = "gaussian") -> np.ndarray:
    mean, std = mean_nm / 2, std_nm / 2
    if density == "gaussian":
        r = np.linspace(max(mean - 9 * std, 1e-3), mean + 9 * std, 801)
        n = np.exp(-0.5 * ((r - mean) / std) ** 2)
        n /= np.trapezoid(n, r)
        step = np.full(len(r), r[1] - r[0])
    else:
        s = np.sqrt(np.log1p((std / mean) ** 2))
        z = np.linspace(-9, 9 + 6 * s, 1201)
        r = mean * np.exp(-0.5 * s * s + s * z)
        n = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        step = np.full(len(r), z[1] - z[0])
    volume = 4 / 3 * np.pi * r**3
    mu, w = np.polynomial.legendre.leggauss(40)
    mu, w = 0.5 * (mu + 1), 0.5 * w
    out = np.zeros((len(CONTRAST), len(Q)))
    equatorial, polar = b ** (-1 / 3), b ** (2 / 3)
    for m, wm in zip(mu, w, strict=True):
        u = np.multiply.outer(Q, r * np.sqrt(equatorial**2 * (1 - m * m) + polar**2 * m * m))
        for e, c in enumerate(CONTRAST):
            out[e] += wm * (np.abs(_amplitude(u, volume, c)) ** 2 @ (n * step))
    return out


@pytest.mark.parametrize("std_nm", [0.1, 0.43, 0.9])
def test_spheres_equal_the_sum_over_radii(std_nm: float) -> None:
    table = PairTable.build(Q, 5, 3.9, std_nm)
    np.testing.assert_allclose(table.intensity(CONTRAST), _brute(3.9, std_nm, 1.0), rtol=1e-4)


@pytest.mark.parametrize("aspect", [0.5, 1.2, 2.0])
def test_spheroids_equal_the_sum_over_radii_and_orientations(aspect: float) -> None:
    table = PairTable.build(Q, 5, 3.9, 0.43, aspect_ratio=aspect)
    np.testing.assert_allclose(table.intensity(CONTRAST), _brute(3.9, 0.43, aspect), rtol=1e-4)


def test_lognormal_equals_the_sum_over_radii() -> None:
    table = PairTable.build(Q, FRACTIONS, 3.9, 0.6, kind="lognormal")
    np.testing.assert_allclose(table.intensity(CONTRAST), _brute(3.9, 0.6, 1.0, "lognormal"), rtol=1e-4)


@pytest.mark.parametrize("std_nm", [0.0, 0.43])
def test_aspect_one_through_the_orientations_is_the_sphere(std_nm: float) -> None:
    sphere = PairTable.build(Q, 5, 3.9, std_nm)
    # the next number above 1 takes the path with orientations
    nearly = PairTable.build(Q, 5, 3.9, std_nm, aspect_ratio=float(np.nextafter(1.0, 2.0)))
    a, b = nearly.intensity(CONTRAST), sphere.intensity(CONTRAST)
    # one size has minima where the amplitude cancels: there 1e-12 of the value means more digits than u = q R has
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-17 * b.max() if std_nm else 1e-15 * b.max())


def test_one_size_is_the_square_of_the_amplitude() -> None:
    table = PairTable.build(Q, 5, 3.9, 0.0)
    expected = np.stack([np.abs(_amplitude(Q * 1.95, 4 / 3 * np.pi * 1.95**3, c)) ** 2 for c in CONTRAST])
    np.testing.assert_allclose(table.intensity(CONTRAST), expected, rtol=1e-9)


@pytest.mark.parametrize("n_shell", [1, 2, 5, 8])
def test_engines_agree(n_shell: int) -> None:
    rng = np.random.default_rng(n_shell)
    contrast = rng.normal(1000, 100, (3, n_shell)) + 1j * rng.normal(20, 5, (3, n_shell))
    built = [PairTable.build(Q, n_shell, 3.9, 0.43, engine=e) for e in ("numba", "numpy")]
    a, b = (t.intensity(contrast) for t in built)
    np.testing.assert_allclose(a, b, rtol=1e-12)
    x = rng.uniform(0, 1, n_shell)
    core, shell = np.array([80 - 2 + 4j, 78 + 2j]), np.array([64 - 6 + 1j, 62 + 2j])
    mixture = (x, core, shell, np.array([1e-4, 2e-4, -0.01, 0.055]), 283.3)
    contrasts = [t.composition_contrast(*mixture) for t in built]
    np.testing.assert_allclose(contrasts[0], contrasts[1], rtol=1e-12)
    fused = [t.composition_intensity(*mixture) for t in built]
    np.testing.assert_allclose(fused[0], fused[1], rtol=1e-11)
    np.testing.assert_allclose(fused[0], built[1].intensity(contrasts[1]), rtol=1e-11)


def test_kernel_overwrites_what_is_there() -> None:
    out = np.full((1, 2), np.nan)
    kernels.quadratic_form(np.array([[1.0, 2.0]]), np.array([[3 + 4j]]), out)
    np.testing.assert_allclose(out, [[25.0, 50.0]])


def test_all_senseless_arguments_are_named() -> None:
    with pytest.raises(PhysicsError) as error:
        PairTable.build([-1.0], [0.5, 0.4], -3.9, np.nan, aspect_ratio=0.0, kind="square")  # type: ignore[arg-type]
    text = str(error.value)
    for name in ("q_inv_nm", "shells", "diameter_mean_nm", "diameter_std_nm", "aspect_ratio", "kind"):
        assert name in text
    with pytest.raises(PhysicsError, match="one value per shell"):
        PairTable.build(Q, 5, 3.9, 0.43).intensity(np.ones((2, 4)))
