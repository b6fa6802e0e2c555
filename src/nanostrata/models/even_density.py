"""What a curve would be if the particles' density were even: the fitted profile taken out of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.fit import ProfileFit
from nanostrata.errors import PhysicsError
from nanostrata.kernels import sizes as size_kernels
from nanostrata.kernels.bead_field import relative_sizes
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.density import SolidSolution
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.tables.factors import FactorTable

__all__ = ["even_curve", "graded_and_even"]

_DRAWS = 40
_SIZES = 21
_ORIENTATIONS = 48


def graded_and_even(
    q_inv_nm: FloatArray, solid: SolidSolution, factors: FactorTable, energy_kev: float, *, diameter_nm: float,
    diameter_std_nm: float, aspect_ratio: float, shell_fraction: FloatArray, kind: str = "gaussian",
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    r"""Size-averaged curves of a graded spheroid, as it scatters, and of one of its mean density, electrons squared.

    .. math:: I_{even}(q) = \sum_m w_m V_m^2\, \overline{\Delta\rho}^2 \int_0^1 \Phi(q R_m h_\mu)^2 d\mu

    with the volume mean of the real parts of the excess densities at q = 0. The graded curve has f0(q) and the Laue scattering
    of the alloy, the even one has neither.

    Parameters
    ----------
    q_inv_nm : (n_q,)
    diameter_nm, diameter_std_nm : number mean and standard deviation of the volume-equivalent diameter
    shell_fraction : (n,) inner to outer, equispaced shells
    kind : "gaussian" or "lognormal", of the numbers
    """
    q, x = np.asarray(q_inv_nm, dtype=np.float64), np.asarray(shell_fraction, dtype=np.float64)
    shares = np.diff((np.arange(len(x) + 1) / len(x)) ** 3)
    excess = np.real(solid.electron_density(x, factors, energy_kev)) - solid.medium.electron_density_e_nm3
    mean = float(shares @ excess)
    mu, weights = size_kernels.orientation_nodes(1 if aspect_ratio == 1.0 else _ORIENTATIONS)
    stretch = size_kernels.stretch(mu, aspect_ratio)
    graded, even = np.zeros(len(q)), np.zeros(len(q))
    for size, number in zip(*relative_sizes(diameter_std_nm / diameter_nm, _SIZES, shape=kind), strict=True):
        d = float(size * diameter_nm)
        graded += number * spheroid_curve(
            q, solid, factors, energy_kev, diameter_nm=d, aspect_ratio=aspect_ratio, shell_fraction=x
        )
        form = sphere_phi(0.5 * d * np.outer(q, stretch)) ** 2 @ weights
        even += number * (np.pi / 6.0 * d**3 * mean) ** 2 * form
    return graded, even


def even_curve(
    curve: ScatteringCurve, solid: SolidSolution, factors: FactorTable, fit: ProfileFit, *, kind: str = "gaussian"
) -> tuple[ScatteringCurve, float]:
    r"""Take the fitted unevenness of the density out of a curve.

    .. math:: I \to I + a\,(I_{even} - I_{graded})

    a is the scale between the fitted particle's curve and the measured one (with a constant, least squares). The mean over
    posterior draws is added; their scatter goes into sigma.

    Parameters
    ----------
    curve : with its energy
    fit : the fitted profile; its sizes, aspect ratio and compositions are drawn
    kind : of the size distribution

    Returns
    -------
    the curve of even particles of the same outer form, and the largest change over the curve's own value, median of 9 points

    Raises
    ------
    PhysicsError
        When the curve lacks its energy.

    Notes
    -----
    The change is that of the fitted spheroid; for another outer form it is right to first order in the unevenness.
    """
    if curve.energy_kev is None:
        raise PhysicsError(f'{curve.label}: the energy is missing; shape.density = "profile" needs it')
    names, theta = fit.main.names, fit.main.theta
    chosen = np.unique(np.linspace(0, len(theta) - 1, _DRAWS).astype(int))

    def of(name: str, otherwise: float) -> FloatArray:
        return theta[chosen, names.index(name)] if name in names else np.full(len(chosen), otherwise)

    design_weight = 1.0 / curve.sigma
    changes = []
    rows = zip(of("diameter_mean_nm", np.nan), of("diameter_std_nm", np.nan), of("aspect_ratio", 1.0), fit.main_shells[chosen], strict=True)  # fmt: skip
    for mean, std, aspect, x in rows:
        graded, even = graded_and_even(
            curve.q_inv_nm, solid, factors, curve.energy_kev, diameter_nm=float(mean), diameter_std_nm=float(std),
            aspect_ratio=float(aspect), shell_fraction=np.clip(x, 0.0, 1.0), kind=kind,
        )  # fmt: skip
        columns = np.stack([graded, np.ones(len(graded))], axis=1) * design_weight[:, None]
        length = np.linalg.norm(columns, axis=0)
        scale = np.linalg.lstsq(columns / length, curve.intensity * design_weight, rcond=None)[0] / length
        changes.append(scale[0] * (even - graded))
    change = np.mean(changes, axis=0)
    scatter = np.std(changes, axis=0, ddof=1) if len(changes) > 1 else np.zeros(len(change))
    relative = np.abs(change / np.where(curve.intensity != 0.0, curve.intensity, np.inf))
    smooth = [float(np.median(relative[max(0, i - 4) : i + 5])) for i in range(len(relative))]
    changed = replace(curve, intensity=curve.intensity + change, sigma=np.hypot(curve.sigma, scatter))
    return changed, max(smooth)
