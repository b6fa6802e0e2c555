"""Ab initio shape of one spheroid: one bead model, and one map of DENSS where its program is given.

python benchmarks/j4_shape.py [PATH/TO/denss]

The same curve file for both: a spheroid of semi-axes 1.8, 1.8 and 2.34 nm, 240 points to 6 1/nm, 1 % noise and a floor of
2e-5 of the forward intensity. Aspect ratio and Rg are those of second moments; of a map, over its positive density. DENSS
(GPL) is only ever run as a program of its own: it needs numpy < 2.4, hence an environment of its own.
"""

# ruff: noqa: E402 - the settings of threads must stand before numpy is imported

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

ASPECT, DIAMETER_NM = 1.3, 2.0 * (1.8 * 1.8 * 2.34) ** (1.0 / 3.0)
RG_NM = float(np.sqrt((2 * 1.8**2 + 2.34**2) / 5.0))
SEEDS = (1, 2, 3)


def main(denss: str | None) -> None:
    """Print one line per run."""
    from nanostrata.domain import ScatteringCurve
    from nanostrata.models import shape_reading as reading
    from nanostrata.models.shape_check import spheroid_intensity
    from nanostrata.stages.retrieve_shape import EFFORTS, ShapeTask, plan_shape, retrieve_shape

    q = np.linspace(0.05, 6.0, 240)
    exact = spheroid_intensity(q, DIAMETER_NM, ASPECT)
    sigma = 0.01 * exact + 2e-5
    intensity = exact + sigma * np.random.default_rng(4).standard_normal(len(q))
    curve = ScatteringCurve(q_inv_nm=q, intensity=intensity, sigma=sigma, label="spheroid")
    print(f"truth: aspect {ASPECT}, Rg {RG_NM:.3f} nm")
    for preset in ("quick", "standard"):
        for seed in (0, *SEEDS):
            begin = time.process_time()
            plan = plan_shape(curve, spread=0.0, effort=EFFORTS[preset], seed=seed)
            planned = time.process_time()
            model = retrieve_shape(
                ShapeTask(plan=plan, intensity=plan.intensity, spread=0.0, seed=seed, kind="data", index=0)
            )
            done = time.process_time()
            moments = reading.second_moments(model)
            note = " (with compilation)" if seed == 0 else ""
            print(
                f"nanostrata {preset}, seed {seed}: p(r) and plan {planned - begin:.1f} s CPU, one shape {done - planned:.2f} s CPU; "
                f"aspect {reading.aspect_ratio(moments):.3f}, Rg {np.sqrt(moments.sum()):.3f} nm{note}"
            )
    if denss is None:
        print("DENSS: NOT MEASURED (give the path of its program)")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spheroid.dat"
        np.savetxt(file, np.column_stack([q, intensity, sigma]))
        for mode, seeds in (("FAST", SEEDS), ("SLOW", SEEDS[:2])):
            for seed in seeds:
                _denss(denss, file, mode, seed)


def _denss(program: str, file: Path, mode: str, seed: int) -> None:
    from nanostrata.io.mrc import read_mrc

    out = file.with_name(f"{mode}_{seed}")
    command = [
        program,
        "-f",
        str(file),
        "-u",
        "nm",
        "-m",
        mode,
        "-d",
        "46.8",
        "--seed",
        str(seed),
        "-o",
        str(out),
        "--plot_off",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    maps = sorted(file.parent.rglob(f"{out.name}.mrc"))
    if ended.returncode or not maps:
        print(f"DENSS {mode}, seed {seed}: FAILED ({ended.stderr.strip().splitlines()[-1:]})")
        return
    density, voxel_nm, _ = read_mrc(maps[0])
    weight = np.clip(density, 0.0, None)
    place = np.indices(density.shape).reshape(3, -1) * voxel_nm
    w = weight.ravel() / weight.sum()
    centred = place - (place @ w)[:, None]
    moments = np.linalg.eigvalsh((centred * w) @ centred.T)[::-1]
    a, b, c = np.sqrt(5.0 * moments)
    aspect = a / np.sqrt(b * c) if a * c >= b * b else c / np.sqrt(a * b)
    print(f"DENSS {mode}, seed {seed}: {cpu:.1f} s CPU; aspect {aspect:.3f}, Rg {np.sqrt(moments.sum()):.3f} nm")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
