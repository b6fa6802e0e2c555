"""Do the intervals and verdicts say what they promise? Particles from the prior, measured by the model, and inferred."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from nanostrata.pipeline.pool import make_pool

from .calibration import QUANTITIES, RANKED, kept

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Results of n seeds of a named job; kept in the folder of ``NANOSTRATA_RECOVERY``, if that is set."""
    folder = os.environ.get("NANOSTRATA_RECOVERY") or str(tmp_path_factory.mktemp("calibration"))

    def of(name: str, count: int) -> list[dict[str, Any]]:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with make_pool(2) as pool:
            return pool.map(kept, [(name, seed, folder) for seed in range(count)])

    return of


def test_intervals_cover_and_ranks_are_uniform(results: Any) -> None:
    rows = results("calibrate", 1000)
    in68, in95 = np.array([r["in68"] for r in rows]), np.array([r["in95"] for r in rows])
    ranks = np.array([r["rank"] for r in rows])
    p = []
    for k, name in enumerate(QUANTITIES):
        counts = np.histogram(ranks[:, k], bins=20, range=(-0.5, RANKED + 0.5))[0]
        expected = len(rows) / 20
        p.append(float(chi2.sf(((counts - expected) ** 2 / expected).sum(), 19)))
        print(
            f"{name}: 68 % covers {in68[:, k].mean():.3f}, 95 % covers {in95[:, k].mean():.3f}, ranks p = {p[-1]:.3f}"
        )
    print("R-hat above 1.05 in", sum(r["r_hat"] > 1.05 for r in rows))
    assert np.all((in68.mean(axis=0) >= 0.62) & (in68.mean(axis=0) <= 0.74))
    assert np.all((in95.mean(axis=0) >= 0.92) & (in95.mean(axis=0) <= 0.98))
    # Holm: the smallest of m p values is held against 0.01 / m, the next against 0.01 / (m - 1), ...
    ordered = np.sort(p)
    assert np.all(ordered > 0.01 / (len(p) - np.arange(len(p))))


def test_intervals_are_as_sharp_as_a_long_run(results: Any) -> None:
    ours = np.array([r["sd"] for r in results("calibrate", 10)])
    long = np.array([r["sd"] for r in results("long_run", 10)])
    ratio = np.median(ours / long, axis=0)
    print("median sd over that of the long run", dict(zip(QUANTITIES, ratio.round(3).tolist(), strict=True)))
    assert np.all(np.abs(ratio - 1) < 0.15)
    everything = np.array([r["sd"] for r in results("calibrate", 1000)])
    print("median sd", dict(zip(QUANTITIES, np.median(everything, axis=0).round(4).tolist(), strict=True)))
    assert np.median(everything[:, 4]) < 0.25 / np.sqrt(12.0)


@pytest.mark.parametrize(
    ("name", "count", "low", "high"), [("homogeneous", 100, 0, 5), ("thick_shell", 40, 32, 40), ("abrupt", 40, 36, 40)]
)
def test_gradient_is_resolved_where_there_is_one(results: Any, name: str, count: int, low: int, high: int) -> None:
    verdicts = [r["gradient"] for r in results(name, count)]
    resolved = verdicts.count("resolved")
    print(
        f"{name}: {resolved} of {count} resolved, {verdicts.count('absent')} absent, {verdicts.count('undecided')} undecided"
    )
    assert low <= resolved <= high


def test_inner_shells_are_not_claimed_far_from_the_edge(results: Any) -> None:
    rows = results("far", 20)
    ratio = np.array([r["ratio"] for r in rows])
    print("median sd over that of the prior", np.median(ratio, axis=0).round(2), "smallest", ratio.min(axis=0).round(2))
    assert not any("data" in r["informed_by"][:3] for r in rows)
    assert np.all(np.median(ratio[:, :3], axis=0) >= 0.7)


def test_sixty_samples_of_atoms_are_covered(results: Any) -> None:
    rows = results("from_atoms", 60)
    truth, value, sigma = (np.array([r[k] for r in rows]) for k in ("truth", "value", "sigma"))
    low, high = np.moveaxis(np.array([r["interval68"] for r in rows]), -1, 0)
    share = ((low <= truth) & (truth <= high)).mean(axis=0)
    bias = ((value - truth) / sigma).mean(axis=0)
    for name, s, b in zip(QUANTITIES, share, bias, strict=True):
        print(f"{name}: 68 % covers {s:.2f}, bias {b:+.2f} sigma")
    assert np.all((share >= 0.50) & (share <= 0.84))
