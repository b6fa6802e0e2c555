"""J5: orientation-averaged scattering of atoms, zinc blende, five elements, 500 q from 1 to 50 1/nm, no thermal factor.

Peer: DebyeCalculator (Apache-2.0) with torch on the CPU, one thread, its fast "grid" sum in single precision and the same
with double precision. It returns half the Debye intensity; the factor is taken out. Errors: at five of the q against the double
sum over all pairs, up to 8 nm; the peer at 12 nm against ours. Both sides use the peer's form factors, so that only the
sums differ.
"""

from __future__ import annotations

import resource
import time

import common as c
import numpy as np

A_NM = 0.5668
Q = np.arange(1.0, 50.95, 0.1)
ELEMENTS = ("Zn", "Cd", "Ag", "In")


def particle(diameter_nm: float, displacement_nm: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Sphere of zinc blende, cations of four elements at random, Se anions."""
    rng = np.random.default_rng(5)
    n = int(diameter_nm / A_NM / 2) + 2
    grid = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    parts, names = [], []
    for base in ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)):
        for lift, kinds in ((0.0, ELEMENTS), (0.25, ("Se",))):
            p = (grid + np.array(base) + lift - 0.1) * A_NM
            p = p[(p**2).sum(axis=1) < diameter_nm**2 / 4]
            parts.append(p)
            names.append(rng.choice(kinds, len(p)))
    points = np.vstack(parts)
    return np.concatenate(names), points + displacement_nm * rng.normal(size=points.shape)


def ours(symbols: np.ndarray, points: np.ndarray, method: str):
    from nanostrata.domain import AtomicModel
    from nanostrata.models.atom_cloud import pair_sums

    model = AtomicModel(
        symbols=tuple(symbols.tolist()), positions_nm=points, radius_fraction=np.ones(len(points)),
        site_volume_nm3=np.full(len(points), A_NM**3 / 8), semi_axes_nm=(0.0, 0.0, 0.0),
    )  # fmt: skip
    return lambda: pair_sums([model], Q, medium_model=None, method=method)


def intensity(sums, factors: dict[str, np.ndarray]) -> np.ndarray:
    from nanostrata.kernels.debye import intensity_from_pairs

    return intensity_from_pairs(sums.pairs, np.array([factors[e] for e in sums.elements]).astype(complex))


def double_sum(
    symbols: np.ndarray, points: np.ndarray, factors: dict[str, np.ndarray], where: np.ndarray
) -> np.ndarray:
    """Every pair, in blocks of rows; distances in double precision."""
    out = np.zeros(len(where))
    f = np.array([factors[e] for e in ("Zn", "Cd", "Ag", "In", "Se")])[:, where]
    kind = np.array([("Zn", "Cd", "Ag", "In", "Se").index(s) for s in symbols])
    order = np.argsort(kind, kind="stable")
    kind, points = kind[order], points[order]
    starts = np.searchsorted(kind, np.arange(6))
    for start in range(0, len(points), 64):
        rows = slice(start, min(start + 64, len(points)))
        d = np.sqrt(((points[rows, None, :] - points[None]) ** 2).sum(axis=2))
        for i, q in enumerate(Q[where]):
            x = q * d
            s = np.where(x > 0.0, np.sin(x) / np.where(x > 0.0, x, 1.0), 1.0)
            by_kind = np.add.reduceat(s, starts[:-1], axis=1)
            out[i] += float(f[kind[rows], i] @ (by_kind @ f[:, i]))
    return out


def peer(symbols: np.ndarray, points: np.ndarray, double: bool):
    import torch
    from debyecalculator import DebyeCalculator

    torch.set_num_threads(1)
    calculator = DebyeCalculator(
        qmin=0.1, qmax=5.095, qstep=0.01, biso=0.0, device="cpu", num_threads=1,
        dtype=torch.float64 if double else torch.float32,
    )  # fmt: skip
    structure = (symbols.tolist(), points * 10.0)
    return calculator, lambda: np.asarray(calculator.iq(structure, keep_on_device=False)[1], dtype=float) * 2.0


def clocked(function, repetitions: int) -> tuple[object, float]:
    best, result = np.inf, None
    for _ in range(repetitions):
        start = time.process_time()
        result = function()
        best = min(best, time.process_time() - start)
    return result, best


def rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    c.heading("J5 Debye scattering of atoms, 500 q")
    print(c.versions("DebyeCalculator", "torch"))
    set_up = {}
    few, points = particle(2.0)
    for method in ("pairs", "lattice"):
        set_up[method] = c.once_s(ours(few, points, method))
    print(
        f"set-up (imports, compilation) of ours: pairs {set_up['pairs']:.2f} s, lattice {set_up['lattice']:.2f} s; "
        f"peak memory then {rss_mb():.0f} MB\n"
    )
    try:
        calculator, first = peer(few, points, False)
        print(f"set-up of DebyeCalculator (first call): {c.once_s(first):.2f} s\n")
        table = calculator.FORM_FACTOR_COEF
        factors = {e: np.asarray(calculator.form_factor_func(table[e]), dtype=float).ravel() for e in (*ELEMENTS, "Se")}
    except ImportError as error:
        c.say_missing("DebyeCalculator", error)
        from nanostrata.tables.factors import load_factors

        calculator = None
        factors = {e: load_factors("chantler").f0(e, Q) for e in (*ELEMENTS, "Se")}
    where = np.linspace(0, len(Q) - 1, 5).astype(int)
    rows, ratios = [], []
    for label, diameter, moved, goal in (
        ("4 nm on lattice", 4.0, 0.0, None),
        ("8 nm on lattice", 8.0, 0.0, 25.0),
        ("8 nm off lattice", 8.0, 0.003, 12.0),
        ("12 nm on lattice", 12.0, 0.0, 100.0),
        ("20 nm on lattice", 20.0, 0.0, None),
    ):
        symbols, points = particle(diameter, moved)
        before = rss_mb()
        sums, own = clocked(ours(symbols, points, "auto"), 5 if diameter < 12 else 3)
        memory = rss_mb()
        got = intensity(sums, factors)
        exact = double_sum(symbols, points, factors, where) if diameter <= 8.0 else None
        error = np.nan if exact is None else float(np.max(np.abs(got[where] / exact - 1.0)))
        print(f"{label} done", flush=True)
        rows.append(
            [
                f"{label}, N = {len(points)}",
                f"nanostrata, {sums.method}",
                f"{own:.3f}",
                f"{error:.1e}",
                f"{memory:.0f} ({before:.0f})",
                "1",
            ]
        )
        if calculator is None or diameter > 12:
            continue
        best = np.inf
        for double in (False, True):
            _, run = peer(symbols, points, double)
            theirs, spent = clocked(run, 3 if diameter < 8 else 1)
            reference = got[where] if exact is None else exact
            wrong = float(np.max(np.abs(theirs[: len(Q)][where] / reference - 1.0)))
            rows.append(
                [
                    "",
                    f"DebyeCalculator grid, {'f64' if double else 'f32'}",
                    f"{spent:.3f}",
                    f"{wrong:.1e}",
                    f"{rss_mb():.0f}",
                    f"{spent / own:.0f}",
                ]
            )
            if wrong < c.GOAL_ERROR:
                best = min(best, spent)
        if goal is not None:
            ratios.append(c.verdict(label, best / own if np.isfinite(best) else np.nan, goal))
    c.print_table(["job", "tool", "cpu s", "max rel error", "peak MB (before)", "time / ours"], rows)
    print(
        "\nerrors at 12 nm are against ours; at 20 nm no independent answer is computed. Ratios: to the fastest run of the peer\nwith an error below 1e-4.\n"
    )
    for line in ratios:
        print(line)


if __name__ == "__main__":
    main()
