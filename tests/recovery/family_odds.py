"""Jobs of the tests of families: particles of a known kind of profile, measured by the model and weighed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.models.families import Transition
from nanostrata.models.fit_setup import FitSetup
from nanostrata.stages.weigh_profiles import WeighSettings, weigh_profiles
from tests.recovery.calibration import CHANTLER, TEM, sample_from_prior, solid

FINE = 40
"""Shells of the true particle: 0.05 nm each."""

WIDTH_NM = 0.4
PAIR = ("core_shell", "erf")


def _weighed(x: np.ndarray, seed: int, q_max: float, settings: WeighSettings) -> dict[str, Any]:
    measured = sample_from_prior(seed, x=x, q_max=q_max)
    setup = FitSetup(curves=tuple(measured.curves), solid=solid(), factors=CHANTLER, known=measured.known)
    w = weigh_profiles(setup, settings, seed=seed)
    return {
        "families": {m.label: [m.ln_z, m.ln_z_sigma, m.effective] for m in w.families},
        "numbers": {str(m.shells): [m.ln_z, m.ln_z_sigma, m.effective] for m in w.numbers},
    }


def clear_step(kind: str, q_max: float, seed: int) -> dict[str, Any]:
    """A core poor in shell material below a shell rich in it, with an abrupt interface or one of 0.4 nm."""
    rng = np.random.default_rng([23, seed])
    p = [rng.uniform(0.0, 0.3), rng.uniform(0.7, 1.0), rng.uniform(0.5, 0.85), WIDTH_NM / (0.5 * TEM.mean_nm)]
    family = Transition(n=FINE, kind=kind)  # type: ignore[arg-type]
    x, _ = family.composition(np.array(p[: len(family.names)]))
    return _weighed(x, seed, q_max, WeighSettings(families=PAIR, most_shells=0))


def from_prior(kind: str, q_max: float, seed: int) -> dict[str, Any]:
    """A profile drawn from the prior of its family."""
    rng = np.random.default_rng([29, seed])
    family = Transition(n=FINE, kind=kind)  # type: ignore[arg-type]
    x, _ = family.composition(rng.uniform(family.lower, family.upper))
    return _weighed(x, seed, q_max, WeighSettings(families=PAIR, most_shells=0))


def numbers(kind: str, q_max: float, seed: int) -> dict[str, Any]:
    """A smooth gradient, weighed for the number of equispaced shells."""
    assert kind == "erf"
    x, _ = Transition(n=FINE, kind="erf").composition(np.array([0.02, 0.98, 0.7, WIDTH_NM / (0.5 * TEM.mean_nm)]))
    return _weighed(x, seed, q_max, WeighSettings(families=()))


JOBS = {"clear_step": clear_step, "from_prior": from_prior, "numbers": numbers}


def kept(job: tuple[str, str, float, int, str]) -> dict[str, Any]:
    """Run one named job, or take its result from a folder where a run left it."""
    name, kind, q_max, seed, folder = job
    path = Path(folder) / f"families_{name}_{kind}_{q_max:g}" / f"{seed}.json"
    if path.is_file():
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return loaded
    out = JOBS[name](kind, q_max, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(out), encoding="utf-8")
    draft.replace(path)
    return out
