"""Write numbers.csv with gemmi: python tests/reference/gemmi/make_form_factors.py.

Form factors of International Tables C (1992), that is Cromer & Mann's four Gaussians, with f' and f'' of Cromer & Liberman,
and with them the double sum over all pairs of a small cluster of five elements, written out here in plain Python loops.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

ELEMENTS = ("Ag", "Cd", "In", "Se", "Zn")
Q_INV_NM = (0.0, 0.5, 2.0, 5.0, 10.0, 17.0, 20.0, 30.0, 40.0, 50.0)
ENERGIES_KEV = (9.30, 16.0)
EDGE_NM = 0.29


def cluster() -> list[tuple[str, float, float, float]]:
    """27 atoms of a slightly sheared cube, elements in turn."""
    atoms = []
    for i in range(3):
        for j in range(3):
            for k in range(3):
                symbol = ELEMENTS[(i + 2 * j + 3 * k) % 5]
                atoms.append((symbol, EDGE_NM * (i + 0.1 * j), EDGE_NM * (j - 0.05 * k), EDGE_NM * 1.03 * k))
    return atoms


def rows() -> list[tuple[str, str, float, float]]:
    """(what, at, q, value)."""
    import gemmi

    out: list[tuple[str, str, float, float]] = []
    factor: dict[tuple[str, float], float] = {}
    for symbol in ELEMENTS:
        element = gemmi.Element(symbol)
        for q in Q_INV_NM:
            # gemmi takes (sin(theta)/lambda)^2 in 1/angstrom^2
            factor[symbol, q] = float(element.it92.calculate_sf((q / 10.0 / (4.0 * math.pi)) ** 2))
            out.append(("f0", symbol, q, factor[symbol, q]))
    atoms = cluster()
    for energy in ENERGIES_KEV:
        anomalous = {s: complex(*gemmi.cromer_liberman(gemmi.Element(s).atomic_number, energy * 1e3)) for s in ELEMENTS}
        for q in Q_INV_NM:
            total = 0.0
            for a, x1, y1, z1 in atoms:
                for b, x2, y2, z2 in atoms:
                    d = q * math.dist((x1, y1, z1), (x2, y2, z2))
                    f, g = factor[a, q] + anomalous[a], factor[b, q] + anomalous[b]
                    total += (f * g.conjugate()).real * (math.sin(d) / d if d > 0.0 else 1.0)
            out.append(("intensity", f"{energy:g}", q, total))
    return out


def main() -> None:
    import gemmi

    with Path(__file__).with_name("numbers.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"# gemmi {gemmi.__version__}; python tests/reference/gemmi/make_form_factors.py\n")
        writer = csv.writer(stream)
        writer.writerow(["what", "at", "q_inv_nm", "value"])
        writer.writerows((what, at, f"{q:g}", f"{value:.8g}") for what, at, q, value in rows())


if __name__ == "__main__":
    main()
