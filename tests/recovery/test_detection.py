"""Which wrong atoms are found out by which measurement: expectations written down in docs/verification.md beforehand."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from nanostrata.domain.verification import Verification
from nanostrata.pipeline import gather
from nanostrata.pipeline.atoms_run import verify_atoms
from nanostrata.pipeline.known import prior_knowledge
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.simulate_run import simulate_run

from .wrong_atoms import CASES, ensemble

SETS = ("asaxs", "saxs", "tem", "edx")
EXPECTED = {  # 1: found out in at least 16 of 20, 0: in at most 1 of 20, None: not claimed
    "true": (0, 0, 0, 0),
    "gradient": (1, None, 0, 0),
    "homogeneous": (1, 1, 0, 0),
    "size": (1, 1, 1, 0),
    "aspect": (1, 1, 1, 0),
    "mean x": (None, 0, 0, 1),
}


def judge(seed: int, folder: Path, particles: int) -> dict[str, Verification]:
    """One simulated sample, and the verdicts on right and wrong atoms."""
    if not (folder / "truth.json").exists():
        simulate_run(Path(str(files("nanostrata") / "data" / "demo" / "thick" / "truth.toml")), folder, seed=seed)
    recipe = load_recipe(folder / "project.toml")
    solid = gather.materials(recipe)
    assert solid is not None
    inputs = gather.read_inputs(recipe, solid)
    assert inputs.sizes is not None
    known = prior_knowledge(recipe, inputs, inputs.sizes)
    factors, _ = gather.factor_tables(recipe)
    return {
        name: verify_atoms(recipe, inputs, solid, factors, known, ensemble(solid, wrong, seed, particles))
        for name, wrong in CASES.items()
    }


def found_out(verdicts: list[dict[str, Verification]]) -> dict[str, list[int]]:
    """How often each data set speaks against each case."""
    return {
        name: [sum(_set(v[name], s) for v in verdicts) for s in SETS] + [sum(not v[name].passed for v in verdicts)]
        for name in CASES
    }


def _set(v: Verification, name: str) -> bool:
    return next(d for d in v.data_sets if d.name == name).verdict == "fails"


@pytest.mark.slow
def test_detection_table(tmp_path: Path) -> None:
    table = found_out([judge(seed, tmp_path / str(seed), 60) for seed in range(1, 21)])
    for name, counts in table.items():
        print(f"{name:12s} {dict(zip((*SETS, 'any'), counts, strict=True))}")
    assert table["true"][-1] <= 1
    for name, expectation in EXPECTED.items():
        for data_set, wanted, count in zip(SETS, expectation, table[name], strict=False):
            if wanted is not None:
                assert count >= 16 if wanted else count <= 1, (name, data_set, count)


def test_one_sample_of_the_table(tmp_path: Path) -> None:
    verdicts = judge(1, tmp_path / "1", 20)
    assert verdicts["true"].passed
    assert not verdicts["homogeneous"].passed
    assert {"asaxs", "saxs"} <= {d.name for d in verdicts["size"].data_sets if d.verdict == "fails"}
    chi2 = {d.name: d.chi2_reduced for d in verdicts["true"].data_sets}
    assert 0.7 < chi2["asaxs"] < 1.3
    assert np.isfinite(list(chi2.values())).all()
