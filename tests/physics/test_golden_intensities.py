"""Golden intensities of the equispaced multi-shell model (Chantler factors, Z in place of f0(q), toluene 0.28333 e/A^3)."""

import numpy as np
import pytest

from nanostrata.domain import Medium, ScatteringCurve
from nanostrata.kernels.multishell import multishell_amplitude
from nanostrata.models.density import SolidSolution
from nanostrata.models.graded_particle import SizeRange, prepare
from nanostrata.models.materials import make_material
from nanostrata.tables.factors import load_factors

Q = 10 * np.array([0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.45])
X = {"thin": (0, 0, 0, 0.12, 0.50), "thick": (0, 0.20, 0.35, 0.50, 0.98)}
SIZE = {"thin": (1.95, 0.215), "thick": (2.05, 0.245)}  # radius: mean, standard deviation, nm
GOLDEN = {  # electrons squared
    ("thin", 16.0, "mono"): "9.3482e8 5.0396e8 1.518e8 1.2654e7 2.6413e6 8.5744e6 23658 1.3619e6",
    ("thin", 16.0, "poly"): "1.0791e9 5.3249e8 1.3959e8 1.3347e7 6.4584e6 6.7001e6 1.1548e6 1.0418e6",
    ("thin", 9.63, "mono"): "8.7248e8 4.7389e8 1.4557e8 1.3192e7 1.9866e6 7.5695e6 7033.1 1.122e6",
    ("thin", 9.63, "poly"): "1.0074e9 5.0143e8 1.343e8 1.343e7 5.545e6 5.9846e6 9.9271e5 8.8387e5",
    ("thin", 9.30, "mono"): "8.9922e8 4.8694e8 1.484e8 1.3011e7 2.2423e6 7.9814e6 12637 1.2178e6",
    ("thin", 9.30, "poly"): "1.0382e9 5.1494e8 1.3673e8 1.3426e7 5.9123e6 6.2793e6 1.0578e6 9.4737e5",
    ("thin", 8.90, "mono"): "9.0921e8 4.9196e8 1.4962e8 1.3003e7 2.3205e6 8.118e6 14502 1.2478e6",
    ("thin", 8.90, "poly"): "1.0497e9 5.2017e8 1.3781e8 1.3468e7 6.0316e6 6.3788e6 1.079e6 9.6772e5",
    ("thick", 16.0, "mono"): "1.2892e9 6.4672e8 1.6385e8 6.4295e6 7.5921e6 1.0609e7 7.1746e5 2.0748e6",
    ("thick", 16.0, "poly"): "1.518e9 6.7921e8 1.4489e8 1.156e7 1.0946e7 7.2107e6 1.6503e6 1.1584e6",
    ("thick", 9.63, "mono"): "1.078e9 5.4827e8 1.4442e8 7.1859e6 5.031e6 8.2085e6 4.4406e5 1.525e6",
    ("thick", 9.63, "poly"): "1.2701e9 5.7756e8 1.2853e8 1.0562e7 8.0291e6 5.6107e6 1.2138e6 8.5821e5",
    ("thick", 9.30, "mono"): "1.1627e9 5.8794e8 1.5238e8 6.8994e6 6.008e6 9.1519e6 5.4718e5 1.7387e6",
    ("thick", 9.30, "poly"): "1.3696e9 6.1856e8 1.3525e8 1.0954e7 9.157e6 6.2388e6 1.3828e6 9.7474e5",
    ("thick", 8.90, "mono"): "1.1895e9 6.0061e8 1.5501e8 6.8459e6 6.3043e6 9.4418e6 5.7851e5 1.8039e6",
    ("thick", 8.90, "poly"): "1.401e9 6.3168e8 1.3749e8 1.1103e7 9.5027e6 6.4325e6 1.4346e6 1.0104e6",
}
CHANTLER = load_factors("chantler")


def _solid() -> SolidSolution:
    core = make_material("Ag2In4Se7", "wurtzite", 0.426, 0.702, partner="ZnSe")
    shell = make_material("ZnSe", "wurtzite", 0.400, 0.655, partner="Ag2In4Se7")
    return SolidSolution(core=core, shell=shell, medium=Medium(name="toluene", electron_density_e_nm3=283.33))


SOLID = _solid()


@pytest.mark.parametrize(("sample", "energy"), [(s, e) for s, e, kind in GOLDEN if kind == "mono"])
def test_monodisperse(sample: str, energy: float) -> None:
    edges = SIZE[sample][0] * np.arange(1, 6) / 5
    contrast = SOLID.electron_density(np.array(X[sample]), CHANTLER, energy) - SOLID.medium.electron_density_e_nm3
    got = np.abs(multishell_amplitude(Q, edges, contrast)) ** 2
    expected = np.array([float(v) for v in GOLDEN[sample, energy, "mono"].split()])
    np.testing.assert_allclose(got, expected, rtol=1e-4)


def _model(sample: str, energies: tuple[float, ...], q: np.ndarray, shape: str = "sphere", **options: object):
    mean, std = (2 * v for v in SIZE[sample])
    one = np.ones(len(q))
    curves = [ScatteringCurve(q_inv_nm=q, intensity=one, sigma=one, energy_kev=e, label=str(e)) for e in energies]
    reach = SizeRange(mean_low=mean - 0.3, mean_high=mean + 0.3, std_low=0.7 * std, std_high=1.4 * std)
    options = {"atomic_form_factors": False, "laue": False, **options}
    return prepare(curves, SOLID, CHANTLER, np.arange(1, 6) / 5, sizes=reach, shape=shape, **options), np.array(
        [mean, std]
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(("sample", "energy"), [(s, e) for s, e, kind in GOLDEN if kind == "poly"])
def test_polydisperse(sample: str, energy: float) -> None:
    model, size = _model(sample, (energy,), Q)
    got = model.evaluate(np.array(X[sample], dtype=float), size).value
    expected = np.array([float(v) for v in GOLDEN[sample, energy, "poly"].split()])
    np.testing.assert_allclose(got, expected, rtol=1e-3)  # the golden grid ends at 4 sigma


@pytest.mark.parametrize("sample", ["thin", "thick"])
def test_size_integration_against_a_nine_sigma_reference(sample: str) -> None:
    q = np.linspace(0.3, 6.0, 80)
    model, size = _model(sample, (9.63,), q)
    got = model.evaluate(np.array(X[sample], dtype=float), size).value
    mean, std = SIZE[sample]
    r = np.linspace(max(1e-3, mean - 9 * std), mean + 9 * std, 1601)
    weight = np.exp(-0.5 * ((r - mean) / std) ** 2)
    contrast = SOLID.electron_density(np.array(X[sample]), CHANTLER, 9.63) - SOLID.medium.electron_density_e_nm3
    reference = sum(
        w * np.abs(multishell_amplitude(q, x * np.arange(1, 6) / 5, contrast)) ** 2
        for w, x in zip(weight, r, strict=True)
    )
    np.testing.assert_allclose(got, reference / weight.sum(), rtol=1e-4)


def test_uniform_prolate() -> None:
    q, expected = np.array([0.5, 1.0, 2.0, 3.0]), [8.1171e8, 4.4743e8, 1.6881e7, 6.5788e6]
    mu, w = np.polynomial.legendre.leggauss(40)
    mu, w = 0.5 * (mu + 1), 0.5 * w
    contrast = SOLID.electron_density(np.zeros(1), CHANTLER, 16.0) - SOLID.medium.electron_density_e_nm3
    total = np.zeros(4)
    for m, wm in zip(mu, w, strict=True):
        reff = 1.8 * np.sqrt(1 + (1.2**2 - 1) * m * m)
        volume_ratio = 1.2 * (1.8 / reff) ** 3
        total += wm * np.abs(volume_ratio * multishell_amplitude(q, np.array([reff]), contrast)) ** 2
    np.testing.assert_allclose(total, expected, rtol=1e-4)


def test_forward_intensity_is_the_square_of_the_excess_electrons() -> None:
    q = np.array([0.001, 0.002])
    mean, std = 4.1, 0.02
    one = np.ones(2)
    curve = ScatteringCurve(q_inv_nm=q, intensity=one, sigma=one, energy_kev=9.3, label="x")
    reach = SizeRange(mean_low=4.0, mean_high=4.2, std_low=0.02, std_high=0.03)
    model = prepare([curve], SOLID, CHANTLER, np.arange(1, 6) / 5, sizes=reach, atomic_form_factors=False, laue=False)
    x = np.array(X["thick"], dtype=float)
    got = model.evaluate(x, np.array([mean, std])).value[0]
    volumes = 4 / 3 * np.pi * (mean / 2) ** 3 * np.diff((np.arange(6) / 5) ** 3)
    contrast = SOLID.electron_density(x, CHANTLER, 9.3) - SOLID.medium.electron_density_e_nm3
    moment = 1 + 15 * (std / mean) ** 2  # <R^6> / <R>^6 to second order
    assert got == pytest.approx(abs(contrast @ volumes) ** 2 * moment, rel=2e-5)


def test_derivatives_by_sizes_equal_finite_differences() -> None:
    q = np.linspace(0.5, 4.5, 30)
    model, size = _model("thin", (9.63, 16.0), q, shape="prolate")
    x = np.array([0.1, 0.2, 0.3, 0.5, 0.8])
    point = np.array([*size, 1.3])
    e = model.evaluate(x, point)
    for i, h in enumerate((1e-4, 1e-4, 1e-4)):
        up, down = point.copy(), point.copy()
        up[i] += h
        down[i] -= h
        numeric = (model.evaluate(x, up).value - model.evaluate(x, down).value) / (2 * h)
        np.testing.assert_allclose(e.grad_size[:, i], numeric, rtol=1e-5, atol=1e-6 * np.abs(numeric).max())


def test_engines_give_the_same_intensity() -> None:
    q = np.linspace(0.5, 4.5, 30)
    x = np.array([0.1, 0.2, 0.3, 0.5, 0.8])
    a, size = _model("thin", (9.63,), q, engine="numba")
    b, _ = _model("thin", (9.63,), q, engine="numpy")
    np.testing.assert_allclose(a.evaluate(x, size).value, b.evaluate(x, size).value, rtol=1e-12)
