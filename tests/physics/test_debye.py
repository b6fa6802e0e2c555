"""The binned pair sums against Debye's double sum as it is written, and the laws that any such sum obeys."""

from __future__ import annotations

import numpy as np
import pytest

from nanostrata.kernels import debye

N_SPECIES = 3


def _cloud(seed: int, m: int = 220):
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(m, 3)) * 1.1
    species = rng.integers(-1, N_SPECIES, m)
    weights = rng.uniform(0.02, 0.03, (m, 2))
    return positions, species, weights


def _amplitudes(q):
    f = np.array([30 - 5.5 + 0.5j, 47 + 3.6j, 34 - 1.2 + 0.8j, -200.0, -90.0])[:, None]
    width = np.array([0.001, 0.0012, 0.0008, 0.006, 0.007])[:, None]
    return f * np.exp(-(q**2) * width)


def _per_point(species, weights, amplitudes):
    out = weights @ amplitudes[N_SPECIES:]
    for s in range(N_SPECIES):
        out[species == s] += amplitudes[s]
    return out


def _binned(positions, species, weights, q, engine="auto", step=None):
    step = step or debye.PAIR_BIN_TIMES_Q / q.max()
    n_bins = debye.bins_for(positions, step)
    table = np.zeros((debye.n_channels(N_SPECIES, weights.shape[1]), n_bins, debye.PAIR_MOMENTS))
    count = np.zeros(n_bins)
    debye.pair_moments(positions, species, weights, N_SPECIES, step, table, count, engine=engine)
    return debye.pair_matrix(debye.sinc_sums(table, step, q), debye.self_terms(species, weights, N_SPECIES))


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize("q_max", [6.0, 50.0])
def test_binned_sum_equals_the_double_sum(engine, q_max):
    positions, species, weights = _cloud(1)
    q = np.linspace(0.0, q_max, 61)
    amplitudes = _amplitudes(q)
    binned = debye.intensity_from_pairs(_binned(positions, species, weights, q, engine), amplitudes)
    exact = debye.debye_brute_force(positions, _per_point(species, weights, amplitudes), q)
    np.testing.assert_allclose(binned, exact, rtol=1e-6)


def test_engines_fill_the_same_tables():
    positions, species, weights = _cloud(2)
    q = np.linspace(0.0, 20.0, 30)
    np.testing.assert_allclose(
        _binned(positions, species, weights, q, "numba"),
        _binned(positions, species, weights, q, "numpy"),
        rtol=1e-10,
        atol=1e-9,
    )


def test_double_sum_equals_the_average_over_orientations():
    # independent route: no pair distance at all, |amplitude|^2 over many directions of q
    positions, species, weights = _cloud(3, m=40)
    q = np.array([0.7, 2.0, 4.0])
    amplitudes = _per_point(species, weights, _amplitudes(q))
    mu, w = np.polynomial.legendre.leggauss(60)
    phi = np.arange(120) * 2 * np.pi / 120
    sin = np.sqrt(1 - mu**2)
    direction = np.stack(
        [sin[:, None] * np.cos(phi), sin[:, None] * np.sin(phi), np.repeat(mu[:, None], 120, axis=1)], axis=-1
    ).reshape(-1, 3)
    weight = np.repeat(w / 240, 120)
    for k, x in enumerate(q):
        total = np.exp(1j * x * direction @ positions.T) @ amplitudes[:, k]
        averaged = (weight * np.abs(total) ** 2).sum()
        assert averaged == pytest.approx(debye.debye_brute_force(positions, amplitudes[:, [k]], q[[k]])[0], rel=1e-9)


def test_sum_knows_neither_rotation_nor_order():
    positions, species, weights = _cloud(4)
    rng = np.random.default_rng(5)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(len(positions))
    q = np.linspace(0.0, 6.0, 25)
    first = debye.intensity_from_pairs(_binned(positions, species, weights, q), _amplitudes(q))
    moved = _binned((positions @ rotation.T + 3.0)[order], species[order], weights[order], q)
    np.testing.assert_allclose(debye.intensity_from_pairs(moved, _amplitudes(q)), first, rtol=2e-6)


def test_at_q_zero_all_points_add_up():
    positions, species, weights = _cloud(6)
    q = np.zeros(1)
    pairs = _binned(positions, species, weights, q, step=1e-3)
    total = _per_point(species, weights, _amplitudes(q))[:, 0].sum()
    assert debye.intensity_from_pairs(pairs, _amplitudes(q))[0] == pytest.approx(abs(total) ** 2, rel=1e-12)


def test_far_beyond_all_distances_only_self_terms_stay():
    # two points 1 nm apart: I = 2 f^2 (1 + sin(q)/q)
    positions = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    species, weights = np.array([0, 0]), np.empty((2, 0))
    q = np.array([0.0, np.pi, 3.5 * np.pi])
    step = debye.PAIR_BIN_TIMES_Q / q.max()
    table, count = np.zeros((1, debye.bins_for(positions, step), debye.PAIR_MOMENTS)), np.zeros(200)
    debye.pair_moments(positions, species, weights, 1, step, table, count)
    pairs = debye.pair_matrix(debye.sinc_sums(table, step, q), debye.self_terms(species, weights, 1))
    np.testing.assert_allclose(pairs[0, 0], 2.0 * (1.0 + np.sinc(q / np.pi)), rtol=1e-7)


@pytest.mark.parametrize("width", [0.2, 0.5, 1.0])
def test_error_of_the_bins_stays_below_its_bound(width):
    # points of unit amplitude, bins made wide on purpose: the error must be seen, and must lie below the bound
    positions, species, _ = _cloud(8, m=150)
    species = np.abs(species)
    q = np.linspace(1.0, 30.0, 59)
    step = width / q.max()
    none = np.empty((len(species), 0))
    n_bins = debye.bins_for(positions, step)
    table, count = np.zeros((debye.n_channels(N_SPECIES, 0), n_bins, debye.PAIR_MOMENTS)), np.zeros(n_bins)
    debye.pair_moments(positions, species, none, N_SPECIES, step, table, count)
    assert count.sum() == len(species) * (len(species) - 1) / 2
    pairs = debye.pair_matrix(debye.sinc_sums(table, step, q), debye.self_terms(species, none, N_SPECIES))
    ones = np.ones((N_SPECIES, len(q)), dtype=complex)
    exact = debye.debye_brute_force(positions, np.ones((len(species), len(q)), dtype=complex), q)
    error = np.abs(debye.intensity_from_pairs(pairs, ones) - exact)
    bound = 2.0 * debye.interpolation_error(count, step, q)
    rounding = 1e-12 * exact
    assert np.all(error <= bound + rounding)
    if width > 0.9:
        assert error[-1] > 1e-3 * bound[-1]


def test_short_or_misshapen_tables_are_refused():
    positions, species, weights = _cloud(7)
    channels = debye.n_channels(N_SPECIES, 2)
    for shape, message in (((channels, 5, 4), "bins"), ((3, 9000, 4), "channels"), ((channels, 9000, 8), "moments")):
        with pytest.raises(ValueError, match=message):
            debye.pair_moments(positions, species, weights, N_SPECIES, 1e-3, np.zeros(shape), np.zeros(9000))
    with pytest.raises(ValueError, match="engine"):
        debye.pair_moments(
            positions, species, weights, N_SPECIES, 1.0, np.zeros((channels, 900, 4)), np.zeros(900), engine="cuda"
        )
