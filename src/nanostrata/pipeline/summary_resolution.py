"""What the measurements resolve: its part of the summary and its tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from nanostrata.domain.resolution import ProfileResolution
from nanostrata.io.text_out import write_csv


def resolution_summary(resolution: ProfileResolution, radius_nm: float) -> dict[str, Any]:
    """``profile.resolution``: combinations with their standard deviations, and the width seen at each radius."""
    return {
        "determined_combinations": resolution.determined,
        "eigen_sd": resolution.eigen_sd.tolist(),
        "eigen_profiles": resolution.eigen_profiles.tolist(),
        "averaging": resolution.averaging.tolist(),
        "radius_nm": (resolution.radius_fraction * radius_nm).tolist(),
        "layer_sd": resolution.layer_sd.tolist(),
        "width_nm": [None if math.isnan(w) else float(w * radius_nm) for w in resolution.width_fraction],
    }


def write_resolution(folder: Path, resolution: ProfileResolution, radius_nm: float) -> None:
    """Write ``eigen_profiles.csv`` and ``resolution.csv``."""
    n = len(resolution.eigen_sd)
    write_csv(
        folder / "eigen_profiles.csv",
        ["combination", "sd", *(f"shell_{k + 1}" for k in range(n))],
        [[i + 1, resolution.eigen_sd[i], *resolution.eigen_profiles[i]] for i in range(n)],
    )
    radius = resolution.radius_fraction * radius_nm
    write_csv(
        folder / "resolution.csv",
        ["r_nm", "sd", "width_nm", *(f"kernel_{k + 1}" for k in range(len(radius)))],
        [
            [radius[i], resolution.layer_sd[i], resolution.width_fraction[i] * radius_nm, *(row / radius_nm)]
            for i, row in enumerate(np.asarray(resolution.kernels))
        ],
    )
