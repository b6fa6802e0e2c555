"""Write numbers.csv with sasmodels: python tests/reference/sasmodels/make_numbers.py (needs the oracle dependencies).

sasmodels works in angstrom and 1e-6/angstrom^2 and returns 1/cm per volume fraction; here only real contrasts and
unit scale are asked, and the result is turned into |F|^2 in (1e-6/angstrom^2)^2 angstrom^6 by undoing its scale
(I = 1e-4 <|F|^2> / <V>).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

Q = np.array([0.005, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.45])
THIN = {"sld": [13.5, 13.4, 13.3, 12.9, 12.5]}


def rows() -> list[tuple[str, float, float]]:
    from sasmodels.core import load_model
    from sasmodels.direct_model import call_kernel

    out: list[tuple[str, float, float]] = []

    def run(case: str, name: str, volume: float, **pars: float) -> None:
        model = load_model(name, dtype="double")
        kernel = model.make_kernel([Q])
        value = call_kernel(kernel, {"scale": 1.0, "background": 0.0, **pars}, cutoff=0.0)
        out.extend((case, float(q), float(v * volume * 1e4)) for q, v in zip(Q, value, strict=True))

    sphere = 4 / 3 * np.pi
    run("sphere", "sphere", sphere * 19.5**3, radius=19.5, sld=13.5, sld_solvent=2.8)
    multi = {"radius": 3.9, "sld_core": 13.5, "sld_solvent": 2.8, "n": 4}
    for k in range(1, 5):
        multi |= {f"sld{k}": THIN["sld"][k], f"thickness{k}": 3.9}
    run("multishell", "core_multi_shell", sphere * 19.5**3, **multi)
    run(
        "prolate",
        "ellipsoid",
        sphere * 18.0**3 * 1.2,
        radius_polar=21.6,
        radius_equatorial=18.0,
        sld=13.5,
        sld_solvent=2.8,
    )
    run(
        "oblate",
        "ellipsoid",
        sphere * 20.0**3 * 0.7,
        radius_polar=14.0,
        radius_equatorial=20.0,
        sld=13.5,
        sld_solvent=2.8,
    )
    # Gaussian radius, 11 %, +-8 sigma; sasmodels divides by the mean volume
    mean, std = 19.5, 2.145
    volume = sphere * (mean**3 + 3 * mean * std**2)
    run(
        "polydisperse", "sphere", volume, radius=mean, sld=13.5, sld_solvent=2.8, radius_pd=std / mean, radius_pd_n=161,
        radius_pd_nsigma=8, radius_pd_type="gaussian",
    )  # fmt: skip
    return out


if __name__ == "__main__":
    import sasmodels

    path = Path(__file__).with_name("numbers.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(
            f"# sasmodels {sasmodels.__version__}, double precision, python tests/reference/sasmodels/make_numbers.py\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "q_inv_angstrom", "f2_1e-12_angstrom2"])
        writer.writerows([(c, f"{q:g}", f"{v:.12g}") for c, q, v in rows()])
