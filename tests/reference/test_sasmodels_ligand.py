"""Particles with a ligand shell of constant thickness against stored numbers of sasmodels."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from nanostrata.kernels import sizes
from nanostrata.kernels.outer_shell import outer_pairs, outer_table, outer_weights, pair_form_numpy

HERE = Path(__file__).with_name("sasmodels")
FILE = HERE / "ligand_numbers.csv"


def _stored(case: str) -> tuple[np.ndarray, np.ndarray]:
    with FILE.open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(line for line in file if not line.startswith("#")) if r["case"] == case]
    assert rows
    return np.array([float(r["q_inv_angstrom"]) for r in rows]), np.array(
        [float(r["f2_1e-12_angstrom2"]) for r in rows]
    )


def _intensity(q: np.ndarray, nodes: np.ndarray, weights: np.ndarray, shells: np.ndarray) -> np.ndarray:
    """Mean over the nodes by the table of shells and outer functions; ligand 15 thick and 0.5 above the solvent."""
    n = len(shells)
    table = np.tensordot(weights, outer_table(q, nodes, np.arange(1, n + 1) / n), axes=1)[None]
    w, _ = outer_weights(q, 15.0)
    d = np.concatenate([shells - 2.8 + 0.5 * w[0][:, None], 0.5 * w[1:].T], axis=1).astype(np.complex128)
    value, y, slopes = np.empty(len(q)), np.empty(d.shape, dtype=np.complex128), np.empty((len(q), 0))
    pair_form_numpy(*outer_pairs(n), np.arange(len(q)), table, d, value, y, slopes)
    return value


def test_five_shells_and_a_ligand() -> None:
    q, expected = _stored("five_shells")
    volume = 4 / 3 * np.pi * 19.5**3
    got = _intensity(q, np.array([19.5]), np.array([volume**2]), np.array([13.5, 13.4, 13.3, 12.9, 12.5]))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_spread_of_sizes_under_a_ligand_of_one_thickness() -> None:
    q, expected = _stored("sizes")
    mean, std = 20.5, 2.255
    nodes = sizes.radius_nodes(mean - 8 * std, mean + 9 * std, std, q[-1])
    one = np.ones(1)
    weights = sizes.node_weights(nodes, sizes.gaussian_density(nodes[:, None], mean, std), one, one)
    np.testing.assert_allclose(_intensity(q, nodes, weights, np.array([13.5])), expected, rtol=1e-5)


@pytest.mark.oracle
def test_stored_numbers_are_those_of_the_installed_sasmodels() -> None:
    spec = importlib.util.spec_from_file_location("make_ligand_numbers", HERE / "make_ligand_numbers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = [line.split(",") for line in FILE.read_text("utf-8").splitlines()[2:]]
    fresh = module.rows()
    assert [(c, f"{q:g}") for c, q, _ in fresh] == [(c, q) for c, q, _ in lines]
    np.testing.assert_allclose([v for *_, v in fresh], [float(v) for *_, v in lines], rtol=1e-6)
