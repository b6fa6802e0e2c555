"""Charge of built particles: split by origin, residue removed by the fewest changes; by hand and by brute force."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from nanostrata.domain import AtomicModel, Medium
from nanostrata.errors import PhysicsError
from nanostrata.kernels.whole_numbers import exchanges, largest_remainder
from nanostrata.models.charge_balance import balance
from nanostrata.models.coverage import site_sublattices
from nanostrata.models.density import SolidSolution
from nanostrata.models.lattice_particle import build_particle
from nanostrata.models.materials import make_material

VACUUM = Medium(name="vacuum", electron_density_e_nm3=0.0)
ZB = "zincblende"
STATE = {"Ag": 1, "Cu": 1, "Zn": 2, "Cd": 2, "Pb": 2, "In": 3, "S": -2, "Se": -2, "P": -3, "X": 0}


def solid(core, shell=None) -> SolidSolution:
    first = make_material(*core, partner=shell[0] if shell else None)
    second = make_material(*shell, partner=core[0]) if shell else None
    return SolidSolution(core=first, shell=second, medium=VACUUM)


SYSTEMS = {
    "AgInSe/ZnSe": solid(("Ag2In4Se7", "wurtzite", 0.426, 0.702), ("ZnSe", "wurtzite", 0.400, 0.655)),
    "CuInS2/ZnS": solid(("CuInS2", ZB, 0.5523), ("ZnS", ZB, 0.5409)),
    "CdSe/CdS": solid(("CdSe", "wurtzite", 0.430, 0.701), ("CdS", "wurtzite", 0.4136, 0.6713)),
    "CdSe/ZnSe": solid(("CdSe", "wurtzite", 0.430, 0.701), ("ZnSe", "wurtzite", 0.400, 0.655)),
    "PbS/CdS": solid(("PbS", "rocksalt", 0.5936), ("CdS", ZB, 0.5818)),
    "InP/ZnS": solid(("InP", ZB, 0.5869), ("ZnS", ZB, 0.5409)),
}
WHOLE = [n for n in SYSTEMS if n != "InP/ZnS"]


def gradient(s):
    return np.asarray(s) ** 3


def built(name, seed=0, profile=gradient):
    return build_particle(
        SYSTEMS[name],
        semi_axes_nm=(1.9, 1.9, 2.2),
        x_of_s=profile,
        axis="110",
        rng=np.random.default_rng(seed),
    )


def charge(symbols):
    return sum(STATE[s] for s in symbols)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("seed", range(4))
def test_only_the_surface_keeps_a_charge(name, seed):
    """What is left is 2 e for each cation site more than anions, in the particle and in every shell."""
    model = built(name, seed)
    balanced, report = balance(model, SYSTEMS[name], np.random.default_rng(seed), x_of_s=gradient)
    on = site_sublattices(model, SYSTEMS[name])
    symbols = np.array(balanced.symbols)
    assert charge(symbols) == 2 * (int((on == 0).sum()) - int((on == 1).sum()))
    assert report.charge_e == charge(symbols) == balanced.info["charge_e"]
    assert report.charge_before_e == charge(model.symbols)
    assert report.surface_excess_e == report.charge_e
    assert report.residue_e == 0.0
    assert report.formula_e == 0.0
    for shell in report.shells:
        here = model.shell_index == shell.index
        assert charge(symbols[here]) == 2 * (int((on[here] == 0).sum()) - int((on[here] == 1).sum()))
        assert shell.residue_e == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_two_mixed_sublattices_leave_less_than_half_a_charge(seed):
    """InP/ZnS: the mean charge of a cation site is 3 - x, so that zero cannot be hit by whole atoms."""
    model = built("InP/ZnS", seed)
    balanced, report = balance(model, SYSTEMS["InP/ZnS"], np.random.default_rng(seed), x_of_s=gradient)
    on = site_sublattices(model, SYSTEMS["InP/ZnS"])
    x = gradient(np.minimum(model.radius_fraction, 1.0))
    expected = (3 - x[on == 0]).sum() - (3 - x[on == 1]).sum()
    assert report.surface_excess_e == pytest.approx(expected, abs=1e-6)
    assert abs(charge(balanced.symbols) - expected) <= 0.5
    assert abs(report.residue_e) <= 0.5
    assert report.charge_e == pytest.approx(report.surface_excess_e + report.residue_e)
    assert report.formula_e == 0.0


@pytest.mark.parametrize("name", SYSTEMS)
def test_composition_stays_and_nothing_moves(name):
    model = built(name, 3)
    balanced, report = balance(model, SYSTEMS[name], np.random.default_rng(1), x_of_s=gradient)
    np.testing.assert_array_equal(balanced.positions_nm, model.positions_nm)
    on = site_sublattices(model, SYSTEMS[name])
    np.testing.assert_array_equal(site_sublattices(balanced, SYSTEMS[name]), on)
    assert report.changed_sites == sum(a != b for a, b in zip(model.symbols, balanced.symbols, strict=True))
    mixed = {"CdSe/CdS": [1], "InP/ZnS": [0, 1]}.get(name, [0])
    errors = []
    for shell in report.shells:
        n = sum(list(shell.sites.values())[k] for k in mixed)
        errors.append(n * (shell.x_achieved - shell.x_wanted))
        # quotas of 24 sites run across the borders of shells: a few atoms of a shell may sit in the next one
        assert abs(errors[-1]) <= 4.0
        assert sum(shell.sites.values()) == int((model.shell_index == shell.index).sum())
        for sublattice, quota in shell.quota.items():
            assert sum(quota.values()) == shell.sites[sublattice] == sum(shell.counts[sublattice].values())
    # over all shells the composition is kept to an atom or two, and one site in a hundred was changed at most
    # (the quota of the builder keeps the whole to one atom; a shell that must change x does so by one)
    assert abs(sum(errors)) <= 2.0
    for e in STATE:
        assert abs(model.symbols.count(e) - balanced.symbols.count(e)) <= 6
    assert report.changed_sites <= 0.01 * len(model)


def test_a_hand_made_shell():
    """13 cation sites of Ag2In4Se7: quota 3.71, 7.43, 1.86; 4 + 7 x 3 + 0 = 25 is one short of 26: one change mends it."""
    core = SYSTEMS["AgInSe/ZnSe"].core
    alone = SolidSolution(core=core, shell=None, medium=VACUUM)
    assert largest_remainder(np.array([13 * 2 / 7, 13 * 4 / 7, 13 / 7])).tolist() == [4, 7, 2]
    big = build_particle(alone, semi_axes_nm=(2.0, 2.0, 2.0), x_of_s=np.zeros_like, rng=np.random.default_rng(1))
    on = site_sublattices(big, alone)
    pick = np.concatenate([np.flatnonzero(on == 0)[:13], np.flatnonzero(on == 1)[:13]])
    symbols = ["Ag"] * 4 + ["In"] * 7 + ["X"] * 2 + ["Se"] * 13
    # the neighbours that tell the sublattice of vacancies come from the whole crystal, the others from their element
    everything = np.array(big.symbols)
    shell = np.full(len(big), 2)
    everything[pick] = symbols
    shell[pick] = 1
    model = AtomicModel(
        symbols=tuple(everything), positions_nm=big.positions_nm, radius_fraction=big.radius_fraction,
        site_volume_nm3=big.site_volume_nm3, semi_axes_nm=big.semi_axes_nm, shell_index=shell, info=dict(big.info),
    )  # fmt: skip
    _, report = balance(model, alone, np.random.default_rng(1))
    first = report.shells[0]
    assert first.sites == {"cation": 13, "anion": 13}
    assert first.residue_before_e == -1.0
    assert first.residue_e == 0.0
    assert first.site_excess_e == 0.0
    # one changed site brings +1 only as Ag in a vacancy: (5, 7, 1)
    assert first.counts["cation"] == {"Ag": 5, "In": 7, "X": 1}
    assert first.quota["cation"] == {"Ag": 4, "In": 7, "X": 2}


@pytest.mark.parametrize("seed", range(6))
def test_no_way_with_fewer_changes_exists(seed):
    """Brute force over all whole-number compositions of each shell: no neutral one is reached by fewer changed sites."""
    pair = SYSTEMS["AgInSe/ZnSe"]
    model = built("AgInSe/ZnSe", seed)
    _, report = balance(model, pair, np.random.default_rng(seed), x_of_s=gradient)
    on = site_sublattices(model, pair)
    species = ("Ag", "In", "X", "Zn")
    z = np.array([STATE[e] for e in species])
    least_in_all = 0
    for shell in report.shells:
        here = (model.shell_index == shell.index) & (on == 0)
        names = np.array(model.symbols)[here]
        start = np.array([(names == e).sum() for e in species])
        end = np.array([shell.counts["cation"][e] for e in species])
        assert start.sum() == end.sum() == here.sum()
        ways = [np.array(d) for d in itertools.product(range(-4, 5), repeat=4) if sum(d) == 0]
        neutral = [d for d in ways if (start + d).min() >= 0 and z @ (start + d) == 2 * here.sum()]
        least = min(int(np.abs(d).sum()) // 2 for d in neutral)
        assert int(np.abs(end - start).sum()) // 2 == least
        least_in_all += least
    assert report.changed_sites == least_in_all


def test_a_random_particle_is_balanced_too():
    """Species thrown independently leave tens of charges; many steps are needed."""
    pair = SYSTEMS["AgInSe/ZnSe"]
    model = built("AgInSe/ZnSe", 1)
    rng = np.random.default_rng(5)
    on = site_sublattices(model, pair)
    x = gradient(np.minimum(model.radius_fraction, 1.0))
    symbols = np.array(model.symbols)
    for i in np.flatnonzero(on == 0):
        symbols[i] = rng.choice(
            ["Zn", "Ag", "In", "X"], p=[x[i], (1 - x[i]) * 2 / 7, (1 - x[i]) * 4 / 7, (1 - x[i]) / 7]
        )
    loose = replace(model, symbols=tuple(symbols))
    balanced, report = balance(loose, pair, rng, x_of_s=gradient)
    assert max(abs(s.residue_before_e) for s in report.shells) > 3
    assert charge(balanced.symbols) == 2 * (int((on == 0).sum()) - int((on == 1).sum()))
    assert report.residue_e == 0.0


def test_changes_of_counts_are_all_there_are():
    """Against brute force: all integer vectors of sum 0 and given size that leave no count below 0."""
    counts, moved = [2, 0, 5, 1], 3
    everything = itertools.product(range(-3, 4), repeat=4)
    expected = {
        d
        for d in everything
        if sum(d) == 0 and sum(map(abs, d)) == 2 * moved and all(n + e >= 0 for n, e in zip(counts, d, strict=True))
    }
    found = list(exchanges(counts, moved))
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_large_residues_go_towards_the_wanted_composition():
    """All vacancies of one shell filled with In: a residue of tens of e goes with the vacancies coming back."""
    pair = SYSTEMS["AgInSe/ZnSe"]
    model = built("AgInSe/ZnSe", 1)
    symbols = np.array(model.symbols)
    full = np.where((symbols == "X") & (model.shell_index == 4), "In", symbols)
    spoiled = replace(model, symbols=tuple(full))
    balanced, report = balance(spoiled, pair, np.random.default_rng(1), x_of_s=gradient)
    shell = report.shells[3]
    assert shell.residue_before_e > 30
    assert shell.residue_e == 0.0
    wanted = shell.quota["cation"]["X"]
    assert abs(shell.counts["cation"]["X"] - wanted) <= 4
    assert report.residue_e == 0.0
    assert balanced.counts["In"] < spoiled.counts["In"]


def test_small_shells_are_named():
    """The innermost of five shells of a 3.9 nm particle holds about five cation sites: fewer than 7."""
    pair = SYSTEMS["AgInSe/ZnSe"]
    model = build_particle(pair, semi_axes_nm=(1.95, 1.95, 1.95), x_of_s=gradient, rng=np.random.default_rng(1))
    _, report = balance(model, pair, np.random.default_rng(1), x_of_s=gradient)
    on = site_sublattices(model, pair)
    n = int(((model.shell_index == 1) & (on == 0)).sum())
    assert 0 < n < 7
    text = f"shell 1 holds fewer cation sites than one exchange unit ({n} of 7): its composition is not meaningful"
    assert report.shells[0].message == f"{text} beyond steps of 1/{n}"
    assert report.shells[0].message in report.messages
    assert report.shells[0].exchange_units == pytest.approx(n / 7)
    assert all(not s.message for s in report.shells[1:])
    outer = int(((model.shell_index == 5) & (on == 0)).sum())
    assert report.shells[4].exchange_units == pytest.approx(outer / 7)


def test_balanced_stays_as_it_is_and_seeds_decide():
    pair = SYSTEMS["CuInS2/ZnS"]
    model = built("CuInS2/ZnS", 2)
    first, report = balance(model, pair, np.random.default_rng(7), x_of_s=gradient)
    again, same = balance(model, pair, np.random.default_rng(7), x_of_s=gradient)
    assert first.symbols == again.symbols
    assert report.changed_sites == same.changed_sites > 0
    twice, nothing = balance(first, pair, np.random.default_rng(8), x_of_s=gradient)
    assert nothing.changed_sites == 0
    assert twice.symbols == first.symbols


def test_without_a_profile_the_counted_composition_is_kept():
    pair = SYSTEMS["AgInSe/ZnSe"]
    balanced, report = balance(built("AgInSe/ZnSe", 2), pair, np.random.default_rng(7))
    assert report.residue_e == 0.0
    for shell in report.shells:
        assert shell.x_achieved == pytest.approx(shell.x_wanted, abs=1e-9)
    assert balanced.info["surface_excess_e"] == report.surface_excess_e


def test_metals_have_nothing_to_balance():
    pair = solid(("Pt", "fcc", 0.3924), ("Ni", "fcc", 0.3524))
    model = build_particle(pair, semi_axes_nm=(1.4, 1.4, 1.4), x_of_s=gradient, rng=np.random.default_rng(1))
    balanced, report = balance(model, pair, np.random.default_rng(1), x_of_s=gradient)
    assert balanced.symbols == model.symbols
    assert (report.charge_e, report.surface_excess_e, report.residue_e, report.changed_sites) == (0.0, 0.0, 0.0, 0)
    assert any("no ions" in m for m in report.messages)
    assert math.isfinite(report.shells[-1].x_achieved)


def test_a_cation_rich_core_keeps_its_charge_and_says_so():
    """AgIn2Se3 carries +1/3 e for each anion: half of it counted on the cation, half on the anion sites."""
    pair = solid(("AgIn2Se3", ZB, 0.60), ("ZnSe", ZB, 0.567))
    model = build_particle(pair, semi_axes_nm=(1.7, 1.7, 1.7), x_of_s=np.zeros_like, rng=np.random.default_rng(1))
    balanced, report = balance(model, pair, np.random.default_rng(1), x_of_s=np.zeros_like)
    on = site_sublattices(model, pair)
    c, a = int((on == 0).sum()), int((on == 1).sum())
    assert report.formula_e == pytest.approx((c + a) / 6)
    assert report.surface_excess_e == pytest.approx(0.5 * (c - a) * (7 / 3 + 2))
    assert charge(balanced.symbols) == pytest.approx(7 / 3 * c - 2 * a, abs=0.5)
    assert any("not neutral" in m for m in report.messages)


def test_what_cannot_be_balanced_is_refused():
    pair = SYSTEMS["AgInSe/ZnSe"]
    model = built("AgInSe/ZnSe")
    with pytest.raises(PhysicsError, match="no shell indices"):
        balance(replace(model, shell_index=np.empty(0, dtype=np.int64)), pair, np.random.default_rng(1))
    with pytest.raises(PhysicsError, match="x_of_s: expected"):
        balance(model, pair, np.random.default_rng(1), x_of_s=lambda s: s + 2.0)
    with pytest.raises(PhysicsError, match="positive state"):
        balance(model, pair, np.random.default_rng(1), oxidation={"Zn": -2})
