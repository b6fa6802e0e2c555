"""From a covariance to the intervals that a sampled fit will state: the walls 0 <= x <= 1 cut the Gaussian off."""

from __future__ import annotations

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.plan import Forecast
from nanostrata.kernels.truncated_gaussian import sample_truncated

__all__ = ["forecast"]

CHAINS, WARMUP, SWEEPS = 1500, 12, 12


def forecast(
    shell_fraction: FloatArray, covariance: FloatArray, *, centre: FloatArray | None = None, seed: int = 1
) -> Forecast:
    """Expected intervals of shells whose truth is ``shell_fraction``, for data that lie where they are expected.

    The same seed for two covariances gives draws that correspond, so that ratios are known better than each number.

    Parameters
    ----------
    covariance : (n, n) without the walls
    centre : (n,) of the Gaussian without the walls; default the truth
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    n = len(shell_fraction)
    draws = sample_truncated(
        shell_fraction if centre is None else centre,
        covariance,
        np.zeros(n),
        np.ones(n),
        chains=CHAINS,
        warmup=WARMUP,
        sweeps=SWEEPS,
        rng=rng,
    )
    low95, low68, high68, high95 = np.quantile(draws, [0.025, 0.16, 0.84, 0.975], axis=0)
    return Forecast(
        shell_fraction=shell_fraction,
        sd=draws.std(axis=0),
        linear_sd=np.sqrt(np.diag(covariance)),
        interval68=np.column_stack([low68, high68]),
        interval95=np.column_stack([low95, high95]),
    )
