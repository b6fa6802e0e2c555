"""The multi-shell kernel against stored numbers of sasmodels (see sasmodels/make_numbers.py)."""

import csv
from pathlib import Path

import numpy as np
import pytest

from nanostrata.kernels import sizes
from nanostrata.kernels.multishell import multishell_amplitude, size_table

FILE = Path(__file__).with_name("sasmodels") / "numbers.csv"


def _stored(case: str) -> tuple[np.ndarray, np.ndarray]:
    with FILE.open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(line for line in file if not line.startswith("#")) if r["case"] == case]
    assert rows
    return np.array([float(r["q_inv_angstrom"]) for r in rows]), np.array(
        [float(r["f2_1e-12_angstrom2"]) for r in rows]
    )


def test_sphere() -> None:
    q, expected = _stored("sphere")
    got = np.abs(multishell_amplitude(q, np.array([19.5]), np.array([13.5 - 2.8 + 0j]))) ** 2
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_multishell() -> None:
    q, expected = _stored("multishell")
    contrast = np.array([13.5, 13.4, 13.3, 12.9, 12.5]) - 2.8 + 0j
    got = np.abs(multishell_amplitude(q, 3.9 * np.arange(1, 6), contrast)) ** 2
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize(("case", "polar", "equatorial"), [("prolate", 21.6, 18.0), ("oblate", 14.0, 20.0)])
def test_spheroid(case: str, polar: float, equatorial: float) -> None:
    q, expected = _stored(case)
    mu, w = sizes.orientation_nodes(60)
    radius = (polar * equatorial**2) ** (1 / 3)
    t = radius * sizes.stretch(mu, polar / equatorial)
    amplitude = 10.7 * 4 / 3 * np.pi * radius**3 * np.sqrt(size_table(q, t, np.ones(1))[:, :, 0])
    np.testing.assert_allclose(w @ amplitude**2, expected, rtol=1e-5)


def test_polydisperse_sphere() -> None:
    q, expected = _stored("polydisperse")
    mean, std = 19.5, 2.145
    nodes = sizes.radius_nodes(mean - 8 * std, mean + 9 * std, std, q[-1])
    one = np.ones(1)
    weights = sizes.node_weights(nodes, sizes.gaussian_density(nodes[:, None], mean, std), one, one)
    got = 10.7**2 * (weights @ size_table(q, nodes, one)[:, :, 0])
    np.testing.assert_allclose(got, expected, rtol=1e-5)
