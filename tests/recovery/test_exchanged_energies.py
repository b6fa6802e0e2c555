"""Two files exchanged: named where the data show it, said to be beyond them where they do not, never raised on sound sets."""

import json
import os
from dataclasses import replace
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nanostrata.domain.energy_consistency import Exchange
from nanostrata.models.contrast_errors import ContrastErrors
from nanostrata.models.energy_consistency import Energies, refit, try_exchanges
from nanostrata.models.explore import best_point
from nanostrata.models.families import ProfileFamily, make_family
from nanostrata.models.fit_setup import FitSetup
from nanostrata.pipeline import gather
from nanostrata.pipeline.fit_recipe import fit_setup
from nanostrata.pipeline.known import stated_or_guessed_sizes
from nanostrata.pipeline.pool import make_pool
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.simulate_run import simulate_run

from .campaign import CHANTLER, known, measure, site_mean, solid

SEEDS = range(1, 21)
PAIRS = tuple(combinations(range(4), 2))
BLIND = (2, 3)  # 9.30 and 8.90 keV: excess densities of core and shell that differ by 1 % only
SAMPLES = {
    "thin": (np.array([0.083, 0.090, 0.115, 0.20, 0.50]), 3.9, 0.43),
    "thick": (np.array([0.11, 0.155, 0.31, 0.63, 0.91]), 4.1, 0.49),
}
pytestmark = pytest.mark.slow


def tried(setup: FitSetup, family: ProfileFamily) -> tuple[tuple[Exchange, ...], float]:
    energies = Energies(
        curves=setup.curves, solid=setup.solid, factors=setup.factors, errors=setup.known.contrast_errors
    )
    p = setup.posterior(family)
    given = refit(p, [best_point(p)])
    return try_exchanges(energies, p, given, len(p.intensity) - int(p.free.sum()))


def from_model(sample: str, seed: int) -> tuple[FitSetup, ProfileFamily]:
    x, mean, std = SAMPLES[sample]
    prior = replace(
        known(mean, std, seed, site_mean(x)), contrast_errors=ContrastErrors(medium_density=0.002, energy_ev=0.5)
    )
    curves = tuple(measure(x, mean, std, seed))
    return FitSetup(curves=curves, solid=solid(), factors=CHANTLER, known=prior), make_family("shells", 5)


def from_atoms(sample: str, seed: int, folder: Path) -> tuple[FitSetup, ProfileFamily]:
    if not (folder / "truth.json").exists():
        simulate_run(Path(str(files("nanostrata") / "data" / "demo" / sample / "truth.toml")), folder, seed=seed)
    recipe = load_recipe(folder / "project.toml")
    sol = gather.materials(recipe)
    assert sol is not None
    inputs = gather.read_inputs(recipe, sol)
    sizes = stated_or_guessed_sizes(inputs)
    return fit_setup(recipe, inputs, sol, sizes), make_family(recipe.particle.profile, 5)


def one(job: tuple[str, str, int, str]) -> dict[str, Any]:
    """Verdicts on one measurement as labelled, and with each pair of files exchanged before it was judged."""
    kind, sample, seed, folder = job
    path = Path(folder) / "exchanged" / f"{kind}-{sample}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    if kind == "model":
        setup, family = from_model(sample, seed)
    else:
        setup, family = from_atoms(sample, seed, Path(folder) / sample / str(seed) / "data")
    out: dict[str, Any] = {}
    for pair in (None, *PAIRS):
        curves = setup.curves
        moved = list(curves)
        if pair is not None:
            a, b = pair
            moved[a] = replace(curves[a], energy_kev=curves[b].energy_kev)
            moved[b] = replace(curves[b], energy_kev=curves[a].energy_kev)
        exchanges, limit = tried(replace(setup, curves=tuple(moved)), family)
        called = sorted((e for e in exchanges if e.verdict == "exchanged"), key=lambda e: -e.gain)
        gain = max(e.gain for e in exchanges if pair is None or (e.first, e.second) == pair)
        out["none" if pair is None else str(pair)] = {
            "gain": gain, "margin": limit, "called": [[e.first, e.second] for e in called],
        }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(out), encoding="utf-8")
    return out


@pytest.mark.parametrize("kind", ["model", "atoms"])
@pytest.mark.parametrize("sample", ["thin", "thick"])
def test_exchanged_files_are_named_or_said_to_be_beyond_the_data(
    kind: str, sample: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = os.environ.get("NANOSTRATA_RECOVERY")
    folder = kept or str(tmp_path_factory.mktemp("recovery"))
    with make_pool(2) as pool:
        results = pool.map(one, [(kind, sample, seed, folder) for seed in SEEDS])
    alarms = sum(bool(r["none"]["called"]) for r in results)
    largest = max(r["none"]["gain"] for r in results)
    print(
        f"{sample} from {kind}: {alarms} false alarms in {len(results)}, largest gain of a wrong exchange {largest:.1f}"
    )
    for pair in PAIRS:
        rows = [r[str(pair)] for r in results]
        named = sum(bool(r["called"]) and r["called"][0] == list(pair) for r in rows)
        wrong = sum(bool(r["called"]) and r["called"][0] != list(pair) for r in rows)
        gains = [r["gain"] for r in rows]
        print(
            f"  {pair}: named {named} of {len(rows)}, another pair named {wrong}, gain {np.median(gains):.0f} ({min(gains):.0f} to {max(gains):.0f})"
        )
        assert wrong == 0, pair
        if pair != BLIND:
            assert named >= 19, pair
    assert alarms == 0
