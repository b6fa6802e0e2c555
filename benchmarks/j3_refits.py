"""J3: the fit of 5 compositions and 15 refits on resampled data (16 fits), sizes and scale held, x in 0..1.

lmfit pays much for its bounds (a change of variables), so lmfit and ours stand a second time without bounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import common as c
import numpy as np

START = np.full(c.N_SHELL, 0.5)
N_FIT = 16
FREE = ", no bounds"


class Data:
    """2 % noise and a floor of 1e-5 of the maximum; row 0 is the measurement, the rest is redrawn inside its errors."""

    def __init__(self) -> None:
        true = c.reference()
        self.unit = 1.0 / true.max()
        self.sigma = 0.02 * true * self.unit + 1e-5
        rng = np.random.default_rng(20170519)
        measured = true * self.unit + self.sigma * rng.standard_normal(true.shape)
        redrawn = measured + self.sigma * rng.standard_normal((N_FIT - 1, *true.shape))
        self.rows = np.concatenate([measured[None], redrawn])
        self.weight = self.unit / self.sigma
        self.target = self.rows / self.sigma

    def chi2(self, x: np.ndarray, row: int, exact: Callable[[np.ndarray], np.ndarray]) -> float:
        """Every tool's answer judged with one accurate model."""
        return float(np.sum((exact(x) * self.weight - self.target[row]) ** 2))


def fit_lmfit(data: Data, model: Callable[[np.ndarray], np.ndarray], reach: float = 0.0) -> tuple[np.ndarray, int]:
    """Bounds -reach and 1 + reach; infinite = none."""
    import lmfit

    out, calls = [], 0
    for target in data.target:
        pars = lmfit.Parameters()
        pars.add_many(*((f"x{k}", 0.5, True, -reach, 1.0 + reach) for k in range(c.N_SHELL)))

        def residual(p: lmfit.Parameters, target: np.ndarray = target) -> np.ndarray:
            x = np.array([p[f"x{k}"].value for k in range(c.N_SHELL)])
            return (model(x) * data.weight - target).ravel()

        result = lmfit.minimize(residual, pars, method="leastsq")
        calls += result.nfev
        out.append([result.params[f"x{k}"].value for k in range(c.N_SHELL)])
    return np.array(out), calls


def fit_scipy(data: Data, model: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, int]:
    from scipy.optimize import least_squares

    calls = 0

    def counted(x: np.ndarray, target: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return (model(x) * data.weight - target).ravel()

    out = [least_squares(counted, START, bounds=(0.0, 1.0), args=(target,)).x for target in data.target]
    return np.array(out), calls


def fit_bumps(data: Data, model: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, int]:
    from bumps.fitters import fit
    from bumps.names import FitProblem, Parameter

    calls = 0

    class Curves:
        """The least that bumps asks of a fitness: parameters, residuals, their sum."""

        name = "curves"

        def __init__(self, target: np.ndarray) -> None:
            self.target = target
            self.x = [Parameter(0.5, name=f"x{k}", limits=(0, 1)).range(0, 1) for k in range(c.N_SHELL)]

        def parameters(self) -> dict[str, Parameter]:
            return {p.name: p for p in self.x}

        def update(self) -> None:
            pass

        def numpoints(self) -> int:
            return self.target.size

        def residuals(self) -> np.ndarray:
            nonlocal calls
            calls += 1
            x = np.array([p.value for p in self.x])
            return (model(x) * data.weight - self.target).ravel()

        def nllf(self) -> float:
            return 0.5 * float(np.sum(self.residuals() ** 2))

    out = []
    for target in data.target:
        curves = Curves(target)
        fit(FitProblem(curves), method="lm", verbose=False)
        out.append([p.value for p in curves.x])
    return np.array(out), calls


class Ours:
    """kernels.refit.bounded_refits on the pair table; the table is built outside and its time is printed."""

    def __init__(self, data: Data, table_t: np.ndarray) -> None:
        self.n_q, self.n_energy = len(c.Q), len(c.CORE)
        self.sigma = data.sigma.ravel()
        self.factor = np.full(self.sigma.shape, data.unit)
        self.packed = np.ascontiguousarray(table_t.T)[None]

    def __call__(self, rows: np.ndarray, reach: float = 0.0) -> tuple[np.ndarray, int]:
        from nanostrata.kernels.refit import bounded_refits

        count, points = len(rows), len(self.sigma)
        lower, upper = np.full(c.N_SHELL, -reach), np.full(c.N_SHELL, 1.0 + reach)
        out, chi2 = np.empty((count, c.N_SHELL)), np.empty(count)
        calls = bounded_refits(
            rows.reshape(count, -1), self.sigma, START, lower, upper, c.VOLUME_POLY,
            np.polyder(c.VOLUME_POLY), np.repeat(c.CORE, self.n_q), np.repeat(c.SHELL, self.n_q),
            np.full(points, c.MEDIUM), 0.0, 0.0, np.tile(np.arange(self.n_q), self.n_energy), self.packed, self.factor,
            np.repeat(np.arange(self.n_energy), self.n_q), np.zeros(points), c.N_SHELL, False, False,
            np.zeros((0, c.N_SHELL)), 60, out, chi2,
        )  # fmt: skip
        return out, calls


def main() -> None:
    c.heading("J3 fit of 5 compositions + 15 refits (16 fits), 4 x 120 points, 2 % noise")
    from nanostrata.models.pair_table import PairTable

    data = Data()
    table = PairTable.build(c.Q, c.N_SHELL, c.DIAMETER, c.DIAMETER_STD)
    exact = lambda x: table.composition_intensity(x, c.CORE, c.SHELL, c.VOLUME_POLY, c.MEDIUM)  # noqa: E731
    radii, weights = c.numpy_nodes(1.0)
    direct = lambda x: c.numpy_sum(c.numpy_basis(radii), weights, c.contrast(x))  # noqa: E731
    basis = c.numpy_basis(radii)
    kept = lambda x: c.numpy_sum(basis, weights, c.contrast(x))  # noqa: E731

    jobs: list[tuple[str, Callable[[], tuple[np.ndarray, int]], int, str]] = []
    try:
        import lmfit  # noqa: F401

        jobs.append(("lmfit leastsq + NumPy model", lambda: fit_lmfit(data, direct), 5, ""))
        jobs.append(("lmfit leastsq + NumPy, amplitudes kept", lambda: fit_lmfit(data, kept), 5, ""))
        jobs.append(
            ("lmfit leastsq + nanostrata PairTable", lambda: fit_lmfit(data, exact), 5, "our model, their solver")
        )
        jobs.append((f"lmfit leastsq + NumPy model{FREE}", lambda: fit_lmfit(data, direct, np.inf), 5, ""))
    except ImportError as why:
        c.say_missing("lmfit", why)
    jobs.append(("scipy least_squares + NumPy model", lambda: fit_scipy(data, direct), 3, ""))
    try:
        import bumps  # noqa: F401

        plugin = c.SasPlugin()
        sas = lambda x: plugin(c.contrast(x))  # noqa: E731
        jobs.append(("bumps lm + sasmodels plugin", lambda: fit_bumps(data, sas), 1, "complex contrast, one run"))
    except ImportError as why:
        c.say_missing("bumps or sasmodels", why)

    results = []
    for name, job, repetitions, note in jobs:
        times = []
        for _ in range(repetitions):
            start = time.process_time()
            x, calls = job()
            times.append(time.process_time() - start)
        results.append((name, float(np.median(times)), calls, x, note))

    ours = Ours(data, table.table_t)
    jit_s = c.once_s(lambda: ours(data.rows))
    seconds = 1e-6 * c.cpu_us(lambda: ours(data.rows))
    x, calls = ours(data.rows)
    build_ms = 1e-3 * c.cpu_us(lambda: PairTable.build(c.Q, c.N_SHELL, c.DIAMETER, c.DIAMETER_STD))
    results.append(("nanostrata bounded_refits", seconds, calls, x, f"table {build_ms:.2f} ms, JIT {jit_s:.2f} s"))

    free_s = 1e-6 * c.cpu_us(lambda: ours(data.rows, np.inf))
    results.append((f"nanostrata bounded_refits{FREE}", free_s, *ours(data.rows, np.inf)[::-1], ""))

    chi2 = np.array([[data.chi2(row, i, exact) for i, row in enumerate(r[3])] for r in results])
    free = np.array([r[0].endswith(FREE) for r in results])
    best = np.where(free[:, None], chi2[free].min(0), chi2[~free].min(0))
    excess = (chi2 - best).max(1)
    above = (chi2 - best > 0.1).sum(1)
    by_name = {r[0]: r[1] for r in results}
    lmfit_s = by_name.get("lmfit leastsq + NumPy model", float("nan"))
    c.print_table(
        [
            "tool",
            "cpu ms (16 fits)",
            "model calls",
            "worst chi2 excess",
            "fits > 0.1 above",
            "x faster than lmfit",
            "set-up, notes",
        ],
        [
            [name, f"{s * 1e3:.2f}", str(calls), f"{excess[i]:.2g}", str(above[i]), f"{lmfit_s / s:.1f}", note]
            for i, (name, s, calls, _, note) in enumerate(results)
        ],
    )
    print("\nworst chi2 excess: largest chi2 above the best that any tool with these bounds reached for that data set.")
    print("A tool that ends above has stopped at another local minimum, or early; all start from x = 0.5.")
    print("first fit x: " + "; ".join(f"{r[0].split(' ')[0]} {np.round(r[3][0], 3).tolist()}" for r in results))
    print(f"spread of the refits (ours): {np.round(x[1:].std(0), 3).tolist()}; truth {c.X.tolist()}")
    rng = np.random.default_rng(7)
    many = data.rows[0] + data.sigma * rng.standard_normal((10_000, *data.sigma.shape))
    print(f"10 000 refits: {c.once_s(lambda: ours(many)):.2f} s cpu on one core")
    print("JIT: process CPU time of the first call, nothing compiled before; never part of the times")
    print(c.verdict("16 fits against lmfit + NumPy", lmfit_s / seconds, 200))
    free_ratio = by_name.get(f"lmfit leastsq + NumPy model{FREE}", float("nan")) / free_s
    print(c.verdict("16 fits without bounds against lmfit + NumPy without bounds", free_ratio, 200))
    with_table = lmfit_s / (seconds + 1e-3 * build_ms)
    bumps_ratio = by_name.get("bumps lm + sasmodels plugin", float("nan")) / seconds
    print(f"with the building of the table counted: {with_table:.0f}x lmfit")
    print(f"against bumps lm + sasmodels plugin (table not counted): {bumps_ratio:.0f}x")


if __name__ == "__main__":
    main()
