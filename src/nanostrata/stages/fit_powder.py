"""Fit the whole powder pattern of particles of atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nanostrata.domain import Domain, FloatArray
from nanostrata.errors import ConvergenceError, PhysicsError
from nanostrata.models.powder import MOST_STRAIN, PARAMETERS, PowderLibrary, powder_basis
from nanostrata.tables.factors import FactorTable

VERSION = "1"

START: Mapping[str, float] = {"strain": 0.0, "b_factor_nm2": 0.01, "diameter_sigma": 0.12}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowderFit(Domain):
    """Parameters of a powder pattern with their intervals.

    Attributes
    ----------
    names : (n,) parameters that were free
    values, sigma : (n,) best values and one standard deviation each, scaled with chi2 where it exceeds 1
    interval95 : (n, 2) values -+ 1.96 sigma, cut at the limits of the parameter
    covariance : (n, n) of the noise and of the library together
    library_sigma : (n,) part of sigma that the library's own chance makes; more copies make it smaller
    at_limit : parameters whose best value lies on a limit: their interval is one-sided
    fixed : parameters that were held
    scale : electrons squared per electron -> measured unit
    background : (k,) Legendre coefficients over the range of q, then the scales of ``columns``
    chi2_reduced : of the residuals
    curve, background_curve : (n_q,) fitted pattern with and background without the particles
    """

    names: tuple[str, ...]
    values: FloatArray
    sigma: FloatArray
    interval95: FloatArray
    covariance: FloatArray
    library_sigma: FloatArray
    at_limit: tuple[str, ...]
    fixed: dict[str, float]
    scale: float
    background: FloatArray
    chi2_reduced: float
    curve: FloatArray
    background_curve: FloatArray

    def __getitem__(self, name: str) -> tuple[float, float]:
        """Value and standard deviation of a free parameter."""
        k = self.names.index(name)
        return float(self.values[k]), float(self.sigma[k])


def fit_powder(
    library: PowderLibrary,
    factors: FactorTable,
    energy_kev: float,
    q_inv_nm: FloatArray,
    intensity: FloatArray,
    sigma: FloatArray,
    *,
    background_degree: int = 3,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    columns: Sequence[FloatArray] = (),
    instrument_sigma_inv_nm: FloatArray | None = None,
    groups_differ_by: Literal["chance", "draws"] = "chance",
) -> PowderFit:
    r"""Fit strain, B, size distribution and fault probability; scale and background are solved for in each step.

    The covariance is that of the linearised model, with the linear coefficients projected out (Golub & Pereyra), and of the
    library, by the jackknife over its groups:

    .. math:: \Sigma = \max(1, \chi^2_\nu)\, (J^T J)^{-1}
              + \frac{G-1}{G} \sum_g (\theta_{-g} - \bar\theta)(\theta_{-g} - \bar\theta)^T

    Parameters
    ----------
    library : PowderLibrary
    factors : FactorTable
    energy_kev : float
    q_inv_nm, intensity, sigma : (n,)
        Measured pattern; intensity in any unit.
    background_degree : int
        Of the polynomial under the pattern.
    fixed : parameter -> value, optional
        See :data:`nanostrata.models.powder.PARAMETERS`; the fault probability is fixed where the library has one value.
    start : parameter -> value, optional
        First values.
    columns : of (n,) each
        Further backgrounds whose scales are solved for: measured ones, broad peaks of the medium.
    instrument_sigma_inv_nm : (n,), optional
        Standard deviation of the instrument's Gaussian at each q.
    groups_differ_by : "chance" or "draws"
        "draws": the groups of the library were built from different draws of what is not fitted (a composition profile). Their
        differences are then no chance that more copies take away: the second term is multiplied by G, the variance of one group.

    Assumes
    -------
    Particles scatter independently, vibrate isotropically with one B, and all have the same lattice constant.

    Fails when
    ----------
    PhysicsError: data that do not fit together or lie outside the library. ConvergenceError: the solver gives up.

    References
    ----------
    Golub & Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi:10.1137/0710036.
    """
    from scipy.optimize import least_squares

    q, y, s = (np.asarray(v, dtype=np.float64) for v in (q_inv_nm, intensity, sigma))
    held = {k: float(v) for k, v in (fixed or {}).items()}
    if len(library.fault_probability) == 1:
        held.setdefault("fault_probability", float(library.fault_probability[0]))
    _check(library, q, y, s, held, background_degree + len(columns), instrument_sigma_inv_nm)
    d = library.diameter_nm
    limits = {
        "strain": (-MOST_STRAIN, MOST_STRAIN),
        "b_factor_nm2": (0.0, 0.2),
        "diameter_median_nm": (float(d[0]), float(d[-1])),
        # a distribution narrower than half a step between the library's diameters is none that it can show
        "diameter_sigma": (max(0.02, 0.5 * float(np.median(np.diff(np.log(d))))) if len(d) > 1 else 0.02, 0.6),
        "fault_probability": (float(library.fault_probability[0]), float(library.fault_probability[-1])),
    }
    names = tuple(n for n in PARAMETERS if n not in held)
    low, high = (np.array([limits[n][k] for n in names]) for k in (0, 1))
    given_start = {**START, **(start or {})}
    first = np.clip([given_start.get(n, 0.5 * sum(limits[n])) for n in names], low, high)
    x = (2.0 * q - q.min() - q.max()) / (q.max() - q.min())
    under = np.polynomial.legendre.legvander(x, background_degree)
    if len(columns):
        under = np.column_stack([under, *columns])

    def table_of(p: FloatArray, left_out: int | None = None) -> FloatArray:
        given = held | dict(zip(names, p.tolist(), strict=True))
        pattern = powder_basis(
            library, factors, energy_kev, q, [given[n] for n in PARAMETERS], left_out, instrument_sigma_inv_nm
        )
        return np.column_stack([pattern, under])

    def rest(p: FloatArray, left_out: int | None = None) -> FloatArray:
        a = table_of(p, left_out) / s[:, None]
        return np.asarray(a @ np.linalg.lstsq(a, y / s, rcond=None)[0] - y / s)

    scales = np.maximum(0.1 * (high - low), 1e-4)
    found = least_squares(rest, first, bounds=(low, high), x_scale=scales)
    if not found.success:
        raise ConvergenceError(f"fit_powder: {found.message}", best=found.x)
    coefficients = np.linalg.lstsq(table_of(found.x) / s[:, None], y / s, rcond=None)[0]
    chi2 = float(2.0 * found.cost / max(len(y) - len(names) - len(coefficients), 1))
    # derivatives of the projected residual: the linear coefficients are free in them
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * max(1.0, chi2)
    others = np.array([
        least_squares(rest, found.x, bounds=(low, high), x_scale=scales, args=(g,)).x for g in range(len(library.pairs))
    ])  # fmt: skip
    away = others - others.mean(axis=0)
    chance = away.T @ away * (len(others) - 1) / len(others) * (len(others) if groups_differ_by == "draws" else 1)
    covariance = covariance + chance
    spread = np.sqrt(np.diag(covariance))
    interval = np.clip(
        np.stack([found.x - 1.96 * spread, found.x + 1.96 * spread], axis=1), low[:, None], high[:, None]
    )
    edge = 1e-3 * (high - low)
    table = table_of(found.x)
    return PowderFit(
        names=names,
        values=found.x,
        sigma=spread,
        interval95=interval,
        covariance=covariance,
        library_sigma=np.sqrt(np.diag(chance)),
        at_limit=tuple(
            n for n, v, a, b, e in zip(names, found.x, low, high, edge, strict=True) if v - a < e or b - v < e
        ),
        fixed=held,
        scale=float(coefficients[0]),
        background=np.asarray(coefficients[1:], dtype=np.float64),
        chi2_reduced=chi2,
        curve=table @ coefficients,
        background_curve=under @ coefficients[1:],
    )


def _check(
    library: PowderLibrary, q: FloatArray, y: FloatArray, s: FloatArray, held: Mapping[str, float], degree: int,
    instrument: FloatArray | None,
) -> None:  # fmt: skip
    problems = []
    if not len(q) == len(y) == len(s) or len(q) < degree + len(PARAMETERS) + 2:
        raise PhysicsError(
            f"pattern: expected as many intensities and errors as q, and more points than unknowns; got {len(q)}, {len(y)}, {len(s)}"
        )
    if not (np.isfinite(q).all() and np.isfinite(y).all() and np.isfinite(s).all() and s.min() > 0):
        problems.append("pattern: expected finite numbers and errors > 0")
    if instrument is not None and (np.shape(instrument) != q.shape or np.min(instrument) < 0):
        problems.append("instrument_sigma_inv_nm: expected one width >= 0 for each q")
    if (
        q.min() * (1.0 - MOST_STRAIN) < library.q_inv_nm[0] - 1e-9
        or q.max() * (1.0 + MOST_STRAIN) > library.q_inv_nm[-1] + 1e-9
    ):
        problems.append(
            f"q: {q.min():g} to {q.max():g} 1/nm lies outside the library ({library.q_inv_nm[0]:g} to {library.q_inv_nm[-1]:g}); "
            "build it for this pattern"
        )
    problems += [
        f"fixed: {k!r} is no parameter; expected one of {', '.join(PARAMETERS)}" for k in held if k not in PARAMETERS
    ]
    if len(library.diameter_nm) < 3 and not {"diameter_median_nm", "diameter_sigma"} <= set(held):
        problems.append(
            "library: a size distribution needs at least three diameters; build more, or fix mean and width"
        )
    if problems:
        raise PhysicsError(*problems)
