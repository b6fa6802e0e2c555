"""Do the odds of families and numbers of shells keep what they promise?"""

import os
from typing import Any

import numpy as np
import pytest

from nanostrata.pipeline.pool import make_pool

from .family_odds import PAIR, kept

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Results of n seeds of a named job; kept in the folder of ``NANOSTRATA_RECOVERY``, if that is set."""
    folder = os.environ.get("NANOSTRATA_RECOVERY") or str(tmp_path_factory.mktemp("families"))

    def of(name: str, kind: str, q_max: float, count: int) -> list[dict[str, Any]]:
        with make_pool(2) as pool:
            return pool.map(kept, [(name, kind, q_max, seed, folder) for seed in range(count)])

    return of


def ln_odds_of_erf(rows: list[dict[str, Any]]) -> np.ndarray:
    return np.array([r["families"]["erf"][0] - r["families"]["core_shell"][0] for r in rows])


@pytest.mark.parametrize("kind", PAIR)
def test_right_interface_is_found_with_a_long_curve(results: Any, kind: str) -> None:
    odds = ln_odds_of_erf(results("clear_step", kind, 8.0, 20))
    right = odds > 0 if kind == "erf" else odds < 0
    print(f"{kind} at 8 1/nm: right {right.sum()} of 20; ln odds of erf", np.sort(odds).round(1).tolist())
    assert right.sum() >= 16


@pytest.mark.parametrize("kind", PAIR)
def test_wrong_interface_is_never_claimed_with_a_short_curve(results: Any, kind: str) -> None:
    odds = ln_odds_of_erf(results("clear_step", kind, 4.5, 20))
    wrong = odds if kind == "core_shell" else -odds
    print(f"{kind} at 4.5 1/nm: ln odds of erf", np.sort(odds).round(1).tolist())
    assert wrong.max() < np.log(20.0)


def test_stated_odds_come_true(results: Any) -> None:
    odds = np.concatenate([ln_odds_of_erf(results("from_prior", kind, 4.5, 40)) for kind in PAIR])
    erf = np.repeat([False, True], 40)
    p = 1.0 / (1.0 + np.exp(-odds))
    print(
        "mean probability of erf where it is true", p[erf].mean().round(3), "where it is not", p[~erf].mean().round(3)
    )
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        part = (p >= low) & (p <= high)
        print(f"stated {low} to {high}: {part.sum()} draws, mean {p[part].mean():.2f}, true {erf[part].mean():.2f}")
    # the number of truths against the sum of stated probabilities, over all draws and among doubtful ones
    for part in (np.ones(80, dtype=bool), (p > 0.2) & (p < 0.8)):
        if part.sum() < 10:
            continue
        excess = erf[part].sum() - p[part].sum()
        assert abs(excess) < 3.0 * np.sqrt((p[part] * (1.0 - p[part])).sum())
    # the log score of calibrated probabilities has a known mean and variance
    p_true = np.where(erf, p, 1.0 - p)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    variance = p * (1 - p) * np.log(p / (1 - p)) ** 2
    assert abs((-np.log(p_true) - entropy).sum()) < 3.0 * np.sqrt(variance.sum())


def test_number_of_shells(results: Any) -> None:
    short, long = results("numbers", "erf", 4.5, 10), results("numbers", "erf", 8.0, 10)
    best = []
    for row in short:
        ln_z = {int(n): v[0] for n, v in row["numbers"].items()}
        best.append(max(ln_z, key=lambda n: ln_z[n]))
        total = sum(np.exp(v - max(ln_z.values())) for v in ln_z.values())
        print("4.5 1/nm:", {n: round(float(np.exp(v - max(ln_z.values())) / total), 3) for n, v in ln_z.items()})
    # the odds of one measurement scatter by some two units of ln Z: a statement about the middle of ten
    assert sum(b in (3, 4) for b in best) >= 8
    below = []
    for row in long:
        ln_z = {int(n): v[0] for n, v in row["numbers"].items()}
        below.append(max(ln_z.values()) - ln_z[3])
    print("8 1/nm: three shells lie below the best by", np.sort(below).round(1).tolist())
    assert np.median(below) >= 5.0
    assert min(below) > 0.0
