"""Bead models: the intensity, its average over sizes and the annealing, each against an independent route."""

import numpy as np
import pytest
from tests.shapes import spheroid_curve, with_noise

from nanostrata.errors import PhysicsError
from nanostrata.kernels import bead_anneal, bead_field, bead_lattice
from nanostrata.models.beads import ensemble_curve, prepare_search, retrieve_beads

Q = np.linspace(0.3, 6.0, 60)


@pytest.fixture
def blob():
    """A lumpy set of beads: a random walk on the lattice."""
    rng = np.random.default_rng(5)
    sites = bead_lattice.lattice_sites(4.0)
    contacts = bead_lattice.contact_table(sites)
    inside = {0}
    while len(inside) < 120:
        i = rng.choice(list(inside))
        j = int(contacts[i, rng.integers(12)])
        if j >= 0:
            inside.add(j)
    filled = np.zeros(len(sites), dtype=np.int64)
    filled[list(inside)] = 1
    return sites, filled


def test_lattice_is_close_packed():
    sites = bead_lattice.lattice_sites(6.0)
    contacts = bead_lattice.contact_table(sites)
    assert (contacts[0] >= 0).all()
    n = ((sites[contacts[0]] - sites[0]) ** 2).sum(axis=1)
    assert (n == 2).all()  # nearest neighbours are at squared lattice distance 1
    assert bead_lattice.AROUND_WEIGHT.tolist() == [5] * 18 + [3] * 24
    # tension of a plane in each direction: cut bonds per area, by direct sum
    u = np.random.default_rng(0).normal(size=(2000, 3))
    u /= np.linalg.norm(u, axis=1)[:, None]
    wide = np.abs(u @ bead_lattice.AROUND.T) @ bead_lattice.AROUND_WEIGHT
    narrow = np.abs(u @ bead_lattice.CONTACTS.T).sum(axis=1)
    assert np.ptp(wide) / wide.mean() < 0.06 < 0.2 < np.ptp(narrow) / narrow.mean()
    # sites fill space with one per d^3 / sqrt(2): count in a large ball, surface error below 3 %
    assert len(sites) * bead_lattice.cell_volume(1.0) == pytest.approx(4 / 3 * np.pi * 6.0**3, rel=0.03)


def test_intensity_equals_the_direct_double_sum(blob):
    sites, filled = blob
    bead = 0.5
    p = bead_lattice.positions(sites[filled == 1], bead)
    direct = bead_field.debye_beads(Q, p, 0.0) / len(p) ** 2
    np.testing.assert_allclose(ensemble_curve(Q, p, bead), direct, rtol=1e-6)


def test_size_average_equals_41_scaled_double_sums(blob):
    sites, filled = blob
    bead, spread = 0.5, 0.12
    p = bead_lattice.positions(sites[filled == 1], bead)
    radius = bead_lattice.equal_volume_radius(bead)
    lam, w = bead_field.relative_sizes(spread, 41)
    assert len(lam) == 41
    scaled = sum(
        wi * m**6 * bead_field.debye_beads(m * Q, p, 0.0) for m, wi in zip(lam, w, strict=True)
    ) / len(p) ** 2  # fmt: skip
    np.testing.assert_allclose(ensemble_curve(Q, p, bead, spread), scaled, rtol=1e-6)
    # beads with an extent: their form belongs inside the average
    n = np.arange(1 + round(((p[:, None] - p[None]) ** 2).sum(axis=2).max() / bead**2))
    kernel = bead_field.pair_kernel(Q, bead * np.sqrt(n), radius, lam, w)
    pairs = np.bincount(np.round(((p[:, None] - p[None]) ** 2).sum(axis=2) / bead**2).astype(int).ravel())
    balls = sum(wi * m**6 * bead_field.debye_beads(m * Q, p, radius) for m, wi in zip(lam, w, strict=True))
    np.testing.assert_allclose(kernel @ pairs, balls, rtol=1e-6)
    # a particle m times larger made of beads m times larger is the same thing
    larger = bead_field.debye_beads(Q, 1.2 * p, 1.2 * radius)
    np.testing.assert_allclose(larger, bead_field.debye_beads(1.2 * Q, p, radius), rtol=1e-10)


def test_sites_within_a_body_scatter_as_the_body():
    """Averaged over where the lattice lies, beads without extent have neither the Rg nor the intensity of a wider body."""
    rng, bead, radius = np.random.default_rng(0), 0.42, 2.0
    low = np.linspace(0.2, 1.0, 9)
    exact = spheroid_curve(low, radius, 1.0, 0.0)
    found, rg2 = [], []
    for _ in range(40):
        p = bead_lattice.positions(bead_lattice.lattice_sites(6.5) + rng.uniform(-1, 1, 3), bead)
        p = p[(p**2).sum(axis=1) <= radius**2]
        found.append(ensemble_curve(low, p, bead))
        rg2.append(p.var(axis=0).sum())
    error = np.abs(np.mean(found, axis=0) / exact - 1).max()
    assert error < 3e-3
    assert np.sqrt(np.mean(rg2) / (0.6 * radius**2)) == pytest.approx(1.0, abs=1e-3)
    # balls of the volume of a cell at the same sites: what the same body would be taken for
    balls = bead_field.sphere_form(low * bead_lattice.equal_volume_radius(bead)) ** 2
    assert np.abs(np.mean(found, axis=0) * balls / exact - 1).max() > 3 * error


def test_size_average_needs_no_more_than_41_sizes():
    r = np.linspace(0.0, 6.0, 40)
    few = bead_field.pair_kernel(Q, r, 0.28, *bead_field.relative_sizes(0.12, 41))
    many = bead_field.pair_kernel(Q, r, 0.28, *bead_field.relative_sizes(0.12, 1201, 8.0))
    assert np.abs(few - many).max() < 2e-5 * np.abs(many).max()


def test_log_normal_sizes_by_scipy_and_in_closed_form():
    from scipy.integrate import quad
    from scipy.stats import lognorm

    for spread in (0.05, 0.15, 0.3):
        u2 = np.log1p(spread**2)
        lam, w = bead_field.relative_sizes(spread, shape="lognormal")
        # moments of a log-normal of mean 1: <lambda^k> = exp(k (k - 1) u^2 / 2)
        for k in (1, 2, 6, 8):
            assert w @ lam**k == pytest.approx(np.exp(0.5 * k * (k - 1) * u2), rel=2e-4)
    law = lognorm(np.sqrt(np.log1p(0.15**2)), scale=np.exp(-0.5 * np.log1p(0.15**2)))
    kernel = bead_field.pair_kernel(
        Q, np.array([0.0, 1.3, 4.0]), 0.0, *bead_field.relative_sizes(0.15, shape="lognormal")
    )
    for k, q in ((5, Q[5]), (40, Q[40])):
        for j, r in ((0, 0.0), (1, 1.3), (2, 4.0)):
            exact = quad(lambda x, q=q, r=r: law.pdf(x) * x**6 * np.sinc(x * q * r / np.pi), 0.2, 4.0, limit=400)[0]
            assert kernel[k, j] == pytest.approx(exact, abs=1e-5)
    with pytest.raises(ValueError, match="gaussian, lognormal"):
        bead_field.relative_sizes(0.1, shape="flat")


def test_few_numbers_give_the_direct_sum_to_1e_6(blob):
    sites, filled = blob
    bead, spread = 0.5, 0.12
    sizes, weights = bead_field.relative_sizes(spread)
    n_max = int(2 * (sites**2).sum(axis=1).max()) + 1
    kernel = bead_field.pair_kernel(Q, bead * np.sqrt(np.arange(n_max + 1.0)), 0.0, sizes, weights)
    p = bead_lattice.positions(sites[filled == 1], bead)
    exact = ensemble_curve(Q, p, bead, spread) * len(p) ** 2
    error = 0.02 * exact  # as in the annealing: rows over the errors
    basis, values = bead_field.few_numbers(kernel / error[:, None])
    assert values.shape[1] < 26
    _, total = bead_anneal.field_of(sites, values, filled)
    np.testing.assert_allclose((basis @ total) * error, exact, rtol=1e-6)


def test_moves_keep_field_lists_and_connection_right():
    curve = spheroid_curve(Q, 2.0, 1.3, 0.0)
    y, s = with_noise(curve, 3)
    search = prepare_search(Q, y, s, dmax_nm=4.8, rg_nm=1.6, i_zero=1.0, bead_nm=0.6)
    sites, contacts = search.sites, bead_lattice.contact_table(search.sites)
    pieces = bead_lattice.local_pieces()
    rng = np.random.default_rng(0)
    filled = ((sites**2).sum(axis=1) < 18).astype(np.int64)
    field, total = bead_anneal.field_of(sites, search.values, filled)
    edge_list, place, edges = bead_anneal.surface_of(filled, contacts)
    around = bead_lattice.contact_table(sites, bead_lattice.AROUND)
    share = bead_lattice.AROUND_WEIGHT / bead_lattice.AROUND_WEIGHT.sum()
    touching = bead_anneal.filled_share(filled, around, share)
    room = [np.zeros(len(sites), dtype=np.int64) for _ in range(2)]
    counters = np.array([filled.sum(), edges, 0])
    before = filled.copy()
    for _ in range(5):  # hot and without penalty, so that loose ends are tried
        bead_anneal.move_beads(
            sites, contacts, pieces, search.values, search.target, search.square, 1 / len(Q), around, share,
            filled, field, total, touching, edge_list, place, *room, counters, 0.0, 50.0, rng.random((800, 2)), 10, len(sites), 0.2,
        )  # fmt: skip
        field2, total2 = bead_anneal.field_of(sites, search.values, filled)
        np.testing.assert_allclose(field, field2, atol=1e-8 * np.abs(field2).max())
        np.testing.assert_allclose(total, total2, atol=1e-8 * np.abs(total2).max())
        listed2, _, edges2 = bead_anneal.surface_of(filled, contacts)
        assert set(edge_list[: counters[1]]) == set(listed2[:edges2])
        np.testing.assert_allclose(touching, bead_anneal.filled_share(filled, around, share), atol=1e-12)
        assert counters[0] == filled.sum()
        # one piece, by another route
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        index = np.cumsum(filled) - 1
        i, k = np.nonzero((contacts >= 0) & (filled[:, None] == 1) & (filled[contacts] == 1))
        graph = coo_matrix((np.ones(len(i)), (index[i], index[contacts[i, k]])), shape=(filled.sum(),) * 2)
        assert connected_components(graph)[0] == 1
    assert (before != filled).sum() > 50


def test_plain_engine_gives_the_same_beads():
    y, s = with_noise(spheroid_curve(Q, 2.0, 1.3, 0.0), 3)
    search = prepare_search(Q, y, s, dmax_nm=4.8, rg_nm=1.6, i_zero=1.0, bead_nm=0.8)
    compiled = np.zeros((len(search.sites), search.values.shape[1]))
    plain = compiled.copy()
    for i, sign in ((0, 1.0), (7, 1.0), (0, -1.0)):
        bead_anneal._add_rows(compiled, search.values, search.sites, i, sign)
        bead_anneal._add_rows_plain(plain, search.values, search.sites, i, sign)
    np.testing.assert_allclose(compiled, plain, atol=1e-12 * np.abs(plain).max())


def test_same_seed_same_beads_and_the_curve_is_explained():
    y, s = with_noise(spheroid_curve(Q, 2.0, 1.3, 0.0), 3)
    search = prepare_search(Q, y, s, dmax_nm=4.8, rg_nm=1.6, i_zero=1.0, bead_nm=0.6)
    one, two = (retrieve_beads(search, np.random.default_rng(4), 60000) for _ in range(2))
    np.testing.assert_array_equal(one.positions_nm, two.positions_nm)
    assert one.chi2_reduced < 3.0
    # chi^2 of the fit as handed out, by hand
    by_hand = (((y - one.fit) / s) ** 2).mean()
    assert one.chi2_reduced == pytest.approx(by_hand)


def test_beads_too_large_are_refused():
    with pytest.raises(PhysicsError, match="beads of 2 nm leave"):
        prepare_search(Q, np.ones(60), np.ones(60), dmax_nm=4.0, rg_nm=1.5, i_zero=1.0, bead_nm=2.0)


@pytest.mark.slow
def test_a_hollow_ball_is_given_its_hole():
    from tests.shapes import ball_amplitude

    from nanostrata.models.beads import ENOUGH, LOOSENESS_WEIGHTS, strongest_looseness

    q = np.linspace(0.15, 2.8, 120)
    outer, inner = 6.0, 4.2
    exact = (outer**3 * ball_amplitude(q * outer) - inner**3 * ball_amplitude(q * inner)) ** 2
    y, s = with_noise(exact / (outer**3 - inner**3) ** 2, 2)
    rg = np.sqrt(0.6 * (outer**5 - inner**5) / (outer**3 - inner**3))
    search = prepare_search(q, y, s, dmax_nm=12.0, rg_nm=rg, i_zero=1.0, bead_nm=1.2)
    weight, reached, _ = strongest_looseness(search, np.random.SeedSequence(1), 100_000)
    assert weight < LOOSENESS_WEIGHTS[0]  # the usual weight would close the hole
    assert reached < 2 * ENOUGH
    radius = np.sqrt(
        (retrieve_beads(search, np.random.default_rng(0), 200_000, weight=weight).positions_nm ** 2).sum(1)
    )
    # share of the sites that are filled: next to none near the middle, most in the wall
    cell = bead_lattice.cell_volume(1.2)
    middle = (radius < 3.0).sum() * cell / (4 / 3 * np.pi * 3.0**3)
    wall = ((radius > 4.6) & (radius < 5.6)).sum() * cell / (4 / 3 * np.pi * (5.6**3 - 4.6**3))
    assert middle < 0.1
    assert wall > 0.6
