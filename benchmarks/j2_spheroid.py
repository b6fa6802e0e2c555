"""J2: the job of J1 for a prolate spheroid of aspect ratio 1.2, averaged over orientations."""

from __future__ import annotations

import common as c
from j1_model import measure


def main() -> None:
    c.heading("J2 graded spheroid, aspect ratio 1.2: 4 energies x 120 q, 5 shells, sizes 11 %, complex contrast")
    times = measure(c.ASPECT)
    ours = times["nanostrata PairTable from x (with set-up)"]
    for peer in ("sasmodels plugin n=15, 5 sigma", "sasmodels core_multi_shell, scaled q"):
        print(c.verdict(f"sizes fixed, from x, against {peer}", times.get(peer, float("nan")) / ours, 1000))


if __name__ == "__main__":
    main()
