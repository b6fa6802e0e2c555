"""Time of the evidence of 1 to 6 shells, and of all families, beside how well ln Z is known.

python benchmarks/evidence.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Weigh one simulated particle: four energies, 120 points each; first with compilation, then twice without."""
    from tests.recovery.calibration import CHANTLER, THICK, sample_from_prior, solid

    from nanostrata.models.fit_setup import FitSetup
    from nanostrata.pipeline.pool import make_pool
    from nanostrata.stages.weigh_profiles import FAMILIES, WeighSettings, weigh_profiles

    measured = sample_from_prior(0, x=np.array(THICK))
    setup = FitSetup(curves=tuple(measured.curves), solid=solid(), factors=CHANTLER, known=measured.known)
    for what, families in (("1 to 6 shells", ()), ("1 to 6 shells and five families", FAMILIES)):
        settings = WeighSettings(families=families)
        for workers in (1, 1, 2):
            begin, cpu = time.perf_counter(), time.process_time()
            with make_pool(workers) as pool:
                w = weigh_profiles(setup, settings, seed=1, spread=pool.map)
            worst = max(m.ln_z_sigma for m in w.numbers)
            print(
                f"{what}, {workers} process{'es' if workers > 1 else ''}: {time.perf_counter() - begin:.1f} s wall, "
                f"{time.process_time() - cpu:.1f} s CPU of this process; ln Z known to {worst:.3f}"
            )


if __name__ == "__main__":
    main()
