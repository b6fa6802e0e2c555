"""Write ligand_numbers.csv with sasmodels: python tests/reference/sasmodels/make_ligand_numbers.py (needs the oracle dependencies).

Shells with a ligand outside (core_multi_shell), of one size and with a spread of the inorganic radius at constant ligand
thickness. Units and scale as in make_numbers.py.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

Q = np.array([0.005, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.45])
SLD = (13.5, 13.4, 13.3, 12.9, 12.5)
LIGAND, SOLVENT = 3.3, 2.8
THICKNESS = 15.0
MEAN, STD = 20.5, 2.255


def rows() -> list[tuple[str, float, float]]:
    from sasmodels.core import load_model
    from sasmodels.direct_model import call_kernel

    out: list[tuple[str, float, float]] = []
    sphere = 4 / 3 * np.pi

    def run(case: str, volume: float, **pars: float | str) -> None:
        kernel = load_model("core_multi_shell", dtype="double").make_kernel([Q])
        value = call_kernel(kernel, {"scale": 1.0, "background": 0.0, "sld_solvent": SOLVENT, **pars}, cutoff=0.0)
        out.extend((case, float(q), float(v * volume * 1e4)) for q, v in zip(Q, value, strict=True))

    shells: dict[str, float] = {"radius": 3.9, "sld_core": SLD[0], "n": 5}
    for k in range(1, 5):
        shells |= {f"sld{k}": SLD[k], f"thickness{k}": 3.9}
    run("five_shells", sphere * (19.5 + THICKNESS) ** 3, **shells, sld5=LIGAND, thickness5=THICKNESS)
    # the form volume is that of the whole body, ligand included
    mean = MEAN + THICKNESS
    run(
        "sizes", sphere * (mean**3 + 3 * mean * STD**2), radius=MEAN, sld_core=SLD[0], n=1, sld1=LIGAND, thickness1=THICKNESS,
        radius_pd=STD / MEAN, radius_pd_n=161, radius_pd_nsigma=8, radius_pd_type="gaussian",
    )  # fmt: skip
    return out


if __name__ == "__main__":
    import sasmodels

    path = Path(__file__).with_name("ligand_numbers.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(
            f"# sasmodels {sasmodels.__version__}, double precision, python tests/reference/sasmodels/make_ligand_numbers.py\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "q_inv_angstrom", "f2_1e-12_angstrom2"])
        writer.writerows([(c, f"{q:g}", f"{v:.12g}") for c, q, v in rows()])
