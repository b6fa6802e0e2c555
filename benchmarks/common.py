"""The frozen job of J1 to J3, its reference, the peers' models, the clock and the printed table.

Import this module before numpy: it holds the linear algebra at one thread, and sends compiled code to a new folder, so
that every run pays for its compilations and prints them.
"""
# ruff: noqa: E402 - the settings below must stand before numpy is imported

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import atexit
import importlib.metadata
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import spherical_jn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "src"))

_compiled = tempfile.mkdtemp(prefix="nanostrata-bench-")
atexit.register(shutil.rmtree, _compiled, ignore_errors=True)
os.environ.update(NUMBA_CACHE_DIR=_compiled, SAS_DLL_PATH=_compiled, SAS_OPENCL="none")

# ---- the job: a sphere of 3.9 nm and 11 %, Ag2In4Se7 core, ZnSe shell, in toluene, four energies at the Zn K edge
ENERGY_KEV = np.array([16.0, 9.63, 9.30, 8.90])
CORE = np.array([74.407521 + 3.790220j, 74.277053 + 3.817957j, 74.385499 + 4.069701j, 74.485847 + 4.411916j])
SHELL = np.array([63.712858 + 4.216436j, 57.346330 + 1.329301j, 60.006170 + 1.391931j, 60.788051 + 1.515593j])
"""Z + f' + i f'' summed over one site (Chantler), electrons: frozen here so that every tool computes the same."""
VOLUME_POLY = np.array([-1.37576796e-05, 6.56315620e-04, -1.04269788e-02, 5.51641520e-02])
"""Volume per site against x, nm^3, highest power first."""
MEDIUM = 283.33435926728504
X = np.array([0.05, 0.12, 0.35, 0.70, 0.93])
N_SHELL = 5
EDGES = np.arange(1, 6) / 5
DIAMETER, DIAMETER_STD = 3.9, 0.43
RADIUS, STD = DIAMETER / 2, DIAMETER_STD / 2
Q = np.linspace(0.1, 5.0, 120)
ASPECT = 1.2
GOAL_ERROR = 1e-4


def contrast(x: np.ndarray) -> np.ndarray:
    """(n_energy, n_shell) complex contrast against the medium, e/nm^3."""
    return (np.outer(CORE, 1 - x) + np.outer(SHELL, x)) / np.polyval(VOLUME_POLY, x) - MEDIUM


def reference(aspect: float = 1.0) -> np.ndarray:
    """801 radii over +-9 standard deviations, 64 orientations, Bessel functions of scipy; shares nothing with us."""
    r = np.linspace(RADIUS - 9 * STD, RADIUS + 9 * STD, 801)
    n = np.exp(-0.5 * ((r - RADIUS) / STD) ** 2)
    n[r <= 0] = 0.0
    n /= n.sum()
    mu, w = np.polynomial.legendre.leggauss(64) if aspect != 1.0 else (np.zeros(1), np.ones(1))
    steps = contrast(X)
    steps = steps - np.append(steps[:, 1:], np.zeros((len(steps), 1)), axis=1)
    total = np.zeros((len(CORE), len(Q)))
    weights = n * (4 / 3 * np.pi * np.abs(r) ** 3) ** 2
    for m, wm in zip(mu, w / w.sum(), strict=True):
        polar, equatorial = aspect ** (2 / 3), aspect ** (-1 / 3)
        u = np.multiply.outer(Q, np.abs(r) * np.sqrt(polar**2 * m * m + equatorial**2 * (1 - m * m)))
        basis = np.stack([f**3 * 3 * spherical_jn(1, f * u) / (f * u) for f in EDGES], axis=-1)
        for e in range(len(CORE)):
            total[e] += wm * (np.abs(basis @ steps[e]) ** 2 @ weights)
    return total


# ---- NumPy as a user would write it, with the fewest nodes that keep the error below 1e-4
def numpy_nodes(aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Effective radii and weights: Gauss-Hermite (10 or 11) times Gauss-Legendre (1 or 5)."""
    z, w = np.polynomial.hermite_e.hermegauss(10 if aspect == 1.0 else 11)
    r, w = RADIUS + STD * z, w / w.sum()
    weights = w * (4 / 3 * np.pi * r**3) ** 2
    if aspect == 1.0:
        return r, weights
    mu, v = np.polynomial.legendre.leggauss(5)
    mu, v = 0.5 * (mu + 1), 0.5 * v
    h = aspect ** (-1 / 3) * np.sqrt(1 + (aspect**2 - 1) * mu**2)
    return np.multiply.outer(r, h).ravel(), np.multiply.outer(weights, v).ravel()


def numpy_basis(radii: np.ndarray) -> np.ndarray:
    """(n_radii, n_q, n_shell) amplitudes of spheres up to each shell's edge over the particle's volume."""
    u = radii[:, None, None] * Q[None, :, None] * EDGES
    return 3 * (np.sin(u) - u * np.cos(u)) / u**3 * EDGES**3


def numpy_sum(basis: np.ndarray, weights: np.ndarray, c: np.ndarray) -> np.ndarray:
    """(n_energy, n_q) from the basis: one real matrix product for real and imaginary parts together."""
    steps = c - np.append(c[:, 1:], np.zeros((len(c), 1)), axis=1)
    both = np.concatenate([steps.real, steps.imag])
    f2 = (basis.reshape(-1, N_SHELL) @ both.T) ** 2
    summed = weights @ f2.reshape(len(weights), -1)
    summed = summed.reshape(len(Q), 2, len(c)).sum(1)
    return summed.T


# ---- sasmodels
@dataclass
class SasPlugin:
    """Our plugin in sasmodels: radius_pd with 15 points over 5 standard deviations; complex = two real evaluations."""

    aspect: float = 1.0
    compile_s: float = 0.0
    kernel: object = field(init=False)

    def __post_init__(self) -> None:
        from sasmodels.core import load_model

        file = "sasmodels_graded_sphere.py" if self.aspect == 1.0 else "sasmodels_graded_spheroid.py"
        start = time.perf_counter()
        model = load_model(str(HERE / file), dtype="double", platform="dll")
        self.kernel = model.make_kernel([Q])
        self.compile_s = time.perf_counter() - start

    def real(self, values: np.ndarray) -> np.ndarray:
        from sasmodels.direct_model import call_kernel

        size = {"radius": RADIUS, "radius_pd": STD / RADIUS, "radius_pd_n": 15, "radius_pd_nsigma": 5}
        pars = {"scale": 1.0, "background": 0.0, **size, **{f"d{k + 1}": v for k, v in enumerate(values)}}
        if self.aspect != 1.0:
            pars["aspect"] = self.aspect
        return call_kernel(self.kernel, pars)

    def __call__(self, c: np.ndarray) -> np.ndarray:
        return np.stack([self.real(row.real) + self.real(row.imag) for row in c])


@dataclass
class SasScaledQ:
    """sasmodels' own core_multi_shell, once per contrast: a particle t times as large is the same at t times q."""

    aspect: float = 1.0
    kernel: object = field(init=False)

    def __post_init__(self) -> None:
        from sasmodels.core import load_model

        self.radii, self.weights = numpy_nodes(self.aspect)
        model = load_model("core_multi_shell", dtype="double", platform="dll")
        self.kernel = model.make_kernel([np.multiply.outer(self.radii / RADIUS, Q).ravel()])
        # it divides by the volume, and by 1e4 for its units
        self.back = 1e4 / (4 / 3 * np.pi * RADIUS**3)

    def real(self, values: np.ndarray) -> np.ndarray:
        from sasmodels.direct_model import call_kernel

        shells = {f"sld{k}": values[k] for k in range(1, N_SHELL)}
        sizes = {f"thickness{k}": RADIUS / N_SHELL for k in range(1, N_SHELL)}
        pars = {"scale": 1.0, "background": 0.0, "sld_core": values[0], "radius": RADIUS / N_SHELL, "sld_solvent": 0.0}
        result = call_kernel(self.kernel, {**pars, "n": N_SHELL - 1, **shells, **sizes})
        return self.back * (self.weights @ result.reshape(len(self.weights), len(Q)))

    def __call__(self, c: np.ndarray) -> np.ndarray:
        return np.stack([self.real(row.real) + self.real(row.imag) for row in c])


# ---- ours
def our_particle(shape: str) -> object:
    """A GradedParticle for the same job: sizes free, derivatives included."""
    from nanostrata.domain import Medium, ScatteringCurve
    from nanostrata.models.density import SolidSolution
    from nanostrata.models.graded_particle import SizeRange, prepare
    from nanostrata.models.materials import make_material
    from nanostrata.tables.factors import load_factors

    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe")
    shell = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7")
    solid = SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=MEDIUM))
    curves = [
        ScatteringCurve(
            label=f"{e:g}", q_inv_nm=Q, intensity=np.ones(len(Q)), sigma=np.ones(len(Q)), energy_kev=float(e)
        )
        for e in ENERGY_KEV
    ]
    sizes = SizeRange(mean_low=3.6, mean_high=4.2, std_low=0.3, std_high=0.6)
    return prepare(
        curves, solid, load_factors("chantler"), EDGES, sizes=sizes, shape=shape, atomic_form_factors=False, laue=False
    )  # fmt: skip


# ---- clock and table
def cpu_us(function: Callable[[], object], repetitions: int = 7, least_s: float = 0.03) -> float:
    """Median process CPU time of one call, microseconds; each repetition lasts at least ``least_s``."""
    function()
    count, spent = 1, 0.0
    while True:
        start = time.process_time()
        for _ in range(count):
            function()
        spent = time.process_time() - start
        if spent >= least_s:
            break
        count = max(2 * count, int(1.2 * count * least_s / spent) if spent > 0 else 0)
    times = [spent / count]
    for _ in range(repetitions - 1):
        start = time.process_time()
        for _ in range(count):
            function()
        times.append((time.process_time() - start) / count)
    return 1e6 * statistics.median(times)


def error(result: np.ndarray, expected: np.ndarray) -> float:
    """Largest relative deviation over all q and energies."""
    return float(np.max(np.abs(result / expected - 1.0)))


def once_s(function: Callable[[], object]) -> float:
    """Process CPU time of one first call, seconds: compilation, table building."""
    start = time.process_time()
    function()
    return time.process_time() - start


def say_missing(what: str, why: ImportError) -> None:
    """A peer that is not there is said, not skipped silently."""
    print(f"NOT MEASURED: {what}: {why}")


def versions(*names: str) -> str:
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} MISSING")
    return ", ".join(found)


def heading(title: str) -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"\n## {title}")
    print(f"Python {platform.python_version()}, {versions('numpy', 'scipy', 'numba', 'sasmodels', 'lmfit', 'bumps')}")
    print(f"{platform.machine()} {os.cpu_count()} CPUs, load {load:.1f}; process CPU time, median, one thread\n")


def print_table(header: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(r[i]) for r in [header, *rows]) for i in range(len(header))]
    for i, row in enumerate([header, *rows]):
        cells = [c.ljust(w) if j == 0 else c.rjust(w) for j, (c, w) in enumerate(zip(row, widths, strict=True))]
        print("| " + " | ".join(cells) + " |")
        if i == 0:
            print("|" + "|".join("-" * (w + 2) if j == 0 else "-" * (w + 1) + ":" for j, w in enumerate(widths)) + "|")


def verdict(what: str, ratio: float, goal: float) -> str:
    """Goal met, missed, or failed (below a third of the goal)."""
    if not np.isfinite(ratio):
        return f"{what}: NOT MEASURED (peer missing or its error too large), goal >= {goal:.0f}x"
    word = "met" if ratio >= goal else "MISSED" if ratio >= goal / 3 else "FAILED (below a third)"
    return f"{what}: {ratio:.0f}x, goal >= {goal:.0f}x: {word}"
