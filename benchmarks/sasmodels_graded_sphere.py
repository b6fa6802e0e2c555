"""sasmodels plugin: sphere of five shells of equal thickness, contrasts given against the solvent.

Written for the benchmark, so that sasmodels is compared at its best: one radius to average over, no per-shell logic.
"""

import numpy as np

name = "graded_sphere"
title = "Sphere of five equal shells"
description = "Amplitude is a sum of five homogeneous spheres"
category = "shape:sphere"

parameters = [["radius", "nm", 2.0, [0, np.inf], "volume", "outer radius"]] + [
    [f"d{k}", "e/nm^3", 1000.0, [-np.inf, np.inf], "", f"contrast of shell {k}"] for k in range(1, 6)
]
source = ["lib/sas_3j1x_x.c"]

form_volume = "return 1.0;"  # the number average itself, not divided by the mean volume

Iq = """
    const double d[6] = {d1, d2, d3, d4, d5, 0.0};
    double f = 0.0;
    for (int k = 0; k < 5; k++) {
        const double r = 0.2 * (k + 1) * radius;
        f += (d[k] - d[k + 1]) * r * r * r * sas_3j1x_x(q * r);
    }
    f *= M_4PI_3;
    return f * f;
"""
