"""Which wrong crystals a wide-angle pattern finds out: expectations written down in docs/verification.md beforehand."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import DataSet
from nanostrata.io.powder import read_powder
from nanostrata.models.crystal_builder import Faults
from nanostrata.models.crystal_plan import CrystalPlan
from nanostrata.models.density import SolidSolution
from nanostrata.models.ensemble import build_ensemble, plan_sizes
from nanostrata.pipeline import gather
from nanostrata.pipeline.recipe import load_recipe
from nanostrata.pipeline.simulate_run import simulate_run
from nanostrata.stages.verify_wide_angle import verify_wide_angle

from .wrong_atoms import ASPECT, CASES, MEAN_NM, STD_NM, Wrong, mean_shells

CRYSTALS: dict[str, dict[str, Any]] = {
    "true": {"aspect_spread": 0.05},
    "zinc blende": {"structure": "zincblende"},
    "faults 0.15": {"crystal": CrystalPlan(faults=Faults(probability=0.15))},
    "1.45 along 001": {"axis": "001", "aspect": 1.45},
    "1.45 along 110": {"aspect": 1.45},
    "5 % too large": {"mean_nm": 1.05 * MEAN_NM},
    "homogeneous": {"wrong": CASES["homogeneous"]},
    "gradient": {"wrong": CASES["gradient"]},
}
EXPECTED = {  # 1: found out in at least 16 of 20, 0: in at most 1 of 20, None: not claimed
    "true": 0,
    "zinc blende": 1,
    "faults 0.15": 1,
    "1.45 along 001": 1,
    "1.45 along 110": None,
    "5 % too large": None,
    "homogeneous": 1,
    "gradient": None,
}


def crystals(
    solid: SolidSolution, seed: int, count: int, *, wrong: Wrong = CASES["true"], axis: str = "110", aspect: float = ASPECT,
    aspect_spread: float = 0.0, mean_nm: float = MEAN_NM, structure: str | None = None, crystal: CrystalPlan | None = None,
) -> AtomEnsemble:  # fmt: skip
    """Particles of one case, from another seed than the measurement."""
    plan = plan_sizes(mean_nm, STD_NM, count, q_max_inv_nm=4.5)
    n = len(plan.diameter_nm)
    rng = np.random.default_rng([seed, 5])
    return build_ensemble(
        solid, plan, mean_nm=mean_nm, std_nm=STD_NM, aspect_ratio=aspect * np.exp(aspect_spread * rng.standard_normal(n)), axis=axis, structure=structure,
        crystal=crystal, shell_fraction=np.tile(mean_shells(wrong), (n, 1)), profiles=[wrong.profile] * n,
        seed=np.random.SeedSequence([seed, 78]),
    )  # fmt: skip


def judge(seed: int, folder: Path, count: int, names: tuple[str, ...] = tuple(CRYSTALS)) -> dict[str, DataSet]:
    """One simulated pattern (2 % of the intensity and more at the end), and the verdicts on right and wrong crystals."""
    if not (folder / "truth.json").exists():
        truth = (files("nanostrata") / "data" / "demo" / "thick" / "truth.toml").read_text(encoding="utf-8")
        start, rest = truth.split("curves = [", 1)
        truth = start + "curves = [{ energy_kev = 16.0 }]" + rest[rest.index("\n") :]
        truth = truth.replace("points = 120", "points = 20").replace("noise_q_inv_nm = 3.0", "noise_q_inv_nm = 20.0")
        # the table is about a perfect instrument and noise in proportion to the intensity
        truth = re.sub(r"(?m)^(instrument_sigma_inv_nm|waxs_counts) .*\n", "", truth)
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / f"truth_{seed}.toml").write_text(truth, encoding="utf-8")
        simulate_run(folder.parent / f"truth_{seed}.toml", folder, seed=seed)
    recipe = load_recipe(folder / "project.toml")
    solid = gather.materials(recipe)
    assert solid is not None
    factors, _ = gather.factor_tables(recipe)
    curve = read_powder(folder / "waxs.dat", axis="q_inv_nm", energy_kev=16.0)
    return {n: verify_wide_angle(crystals(solid, seed, count, **CRYSTALS[n]), factors, curve) for n in names}


@pytest.mark.slow
def test_detection_table(tmp_path: Path) -> None:
    verdicts = [judge(seed, tmp_path / str(seed), 60) for seed in range(1, 21)]
    for name, wanted in EXPECTED.items():
        count = sum(v[name].verdict == "fails" for v in verdicts)
        print(f"{name}: {count} of 20; p", np.sort([v[name].p for v in verdicts]).round(4).tolist())
        if wanted is not None:
            assert count >= 16 if wanted else count <= 1, (name, count)


def test_one_pattern_of_the_table(tmp_path: Path) -> None:
    verdicts = judge(1, tmp_path / "1", 20, ("true", "zinc blende"))
    true, other = verdicts["true"], verdicts["zinc blende"]
    assert true.verdict == "agrees"
    assert other.verdict == "fails"
    assert other.numbers["r_w"] > 3 * true.numbers["r_w"]
    assert true.numbers["distance_factor"] == pytest.approx(1.0, abs=0.003)
    assert "R_w" in true.sentence
