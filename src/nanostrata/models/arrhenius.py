"""Activation energy of diffusion from diffusivities at several temperatures, with its interval and verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nanostrata.constants import GAS_CONSTANT_J_MOL_K
from nanostrata.domain.base import Domain, FloatArray, check_range, freeze, frozen_array
from nanostrata.errors import PhysicsError

ZERO_CELSIUS_K = 273.15
SCATTER_P = 0.05
"""Below this chance the samples scatter more than their errors allow, and the errors of the line are enlarged."""
_EQUAL_K = 1e-6  # temperatures closer than this are one temperature
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredDiffusivity(Domain):
    """Diffusivity of one sample.

    Attributes
    ----------
    label : name of the sample
    temperature_c : growth temperature, degrees C
    diffusivity_cm2_s : best value, cm^2/s, > 0
    log_sigma : one standard deviation of ln D of this sample alone; nan when no error is known
    draws_cm2_s : (n,) posterior draws, cm^2/s, > 0; empty when there are none
    """

    label: str
    temperature_c: float
    diffusivity_cm2_s: float
    log_sigma: float = math.nan
    draws_cm2_s: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        check_range(f"{self.label}: temperature_c", self.temperature_c, -273.149, 3000.0)
        if not (math.isfinite(self.diffusivity_cm2_s) and self.diffusivity_cm2_s > 0):
            raise PhysicsError(f"{self.label}: diffusivity_cm2_s must be > 0, got {self.diffusivity_cm2_s!r}")
        if self.log_sigma < 0:
            raise PhysicsError(f"{self.label}: log_sigma must be >= 0, got {self.log_sigma!r}")
        draws = frozen_array(f"{self.label}: draws_cm2_s", self.draws_cm2_s, positive=True)
        freeze(self, "draws_cm2_s", draws)

    @property
    def temperature_k(self) -> float:
        """Absolute temperature, K."""
        return self.temperature_c + ZERO_CELSIUS_K

    @property
    def spread(self) -> float:
        """Standard deviation of ln D: of the draws where there are any, else as stated."""
        return float(np.log(self.draws_cm2_s).std(ddof=1)) if len(self.draws_cm2_s) > 1 else self.log_sigma


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrheniusLine(Domain):
    """Line through ln D against 1/T.

    Attributes
    ----------
    labels : samples that the line rests on
    verdict : "determined" or "not determined"
    reason : why, in words
    log_d0, activation_energy_kj_mol : best values; nan when no line can be drawn
    covariance : (2, 2) of (ln D0, Ea in kJ/mol), scatter factor included; nan without errors
    draws : (n, 2) draws of (ln D0, Ea); empty where the interval is Gaussian
    chi2, degrees : misfit of the line and its degrees of freedom
    p : chance of a misfit this large; nan without degrees of freedom
    scatter_factor : by how much the errors were enlarged because the samples scatter too much (1: not at all)
    common_relative_error : relative error of D that all samples share, as given
    """

    labels: tuple[str, ...]
    verdict: str
    reason: str
    log_d0: float = math.nan
    activation_energy_kj_mol: float = math.nan
    covariance: FloatArray
    draws: FloatArray
    chi2: float = math.nan
    degrees: int = 0
    p: float = math.nan
    scatter_factor: float = 1.0
    common_relative_error: float = 0.0

    @property
    def sigma_kj_mol(self) -> float:
        """Standard deviation of the activation energy, kJ/mol; nan when no error is known."""
        return float(self.draws[:, 1].std(ddof=1)) if len(self.draws) else math.sqrt(self.covariance[1, 1])

    def interval_kj_mol(self, level: float = 0.95) -> tuple[float, float]:
        """Central interval of the activation energy; nan when no error is known."""
        return _interval(self.activation_energy_kj_mol, self.sigma_kj_mol, self.draws[:, 1], level)

    def log_d0_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Central interval of ln D0 (D0 in cm^2/s); nan when no error is known."""
        return _interval(self.log_d0, math.sqrt(self.covariance[0, 0]), self.draws[:, 0], level)

    def diffusivity_cm2_s(self, temperature_c: FloatArray, level: float = 0.68) -> FloatArray:
        """Return (3, n): the line's diffusivity and its interval at the given temperatures, cm^2/s."""
        design = _design(np.asarray(temperature_c, dtype=np.float64) + ZERO_CELSIUS_K)
        middle = design @ np.array([self.log_d0, self.activation_energy_kj_mol])
        if len(self.draws):
            low, high = np.quantile(self.draws @ design.T, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        else:
            half = _z(level) * np.sqrt(np.einsum("ij,jk,ik->i", design, self.covariance, design))
            low, high = middle - half, middle + half
        return np.asarray(np.exp(np.stack([middle, low, high])), dtype=np.float64)


def fit_arrhenius(
    samples: Sequence[MeasuredDiffusivity],
    *,
    common_relative_error: float = 0.0,
    rng: np.random.Generator | None = None,
) -> ArrheniusLine:
    r"""Activation energy and prefactor of a diffusivity known at several temperatures.

    .. math:: \ln D_i = \ln D_0 - \frac{E_a}{R T_i}, \qquad
              C_{ij} = s_i^2 \delta_{ij} + c^2, \qquad
              \hat\beta = (X^T C^{-1} X)^{-1} X^T C^{-1} \ln D

    Parameters
    ----------
    samples : at least two, at two or more temperatures, for a line
    common_relative_error : float
        c, a relative error of D that all samples share (the same clock, the same definition); it comes on top of the
        samples' own errors and moves all of them together, so it widens D0 and leaves Ea as it is.
    rng : Generator
        Needed when samples carry draws: pairs the draws of different samples at random (runs with the same seed would
        otherwise move together), and draws for those that state only a sigma.

    Returns
    -------
    ArrheniusLine
        Verdict "determined" when the 95 % interval of Ea excludes 0 and its half-width is below the value. With fewer
        than two temperatures or without errors "not determined", with the reason; what could not be computed is nan.

    Raises
    ------
    PhysicsError
        When the common error is negative or not finite, or draws come without a generator.

    Notes
    -----
    With draws of D the interval is that of the line through each set of draws (weights from their covariance), else it
    is Gaussian in ln D. When more than two samples scatter beyond their errors (p < 0.05), the errors are enlarged by
    sqrt(chi2 / degrees), and that is said.

    References
    ----------
    Aitken, Proc. R. Soc. Edinburgh 55, 42 (1936), for least squares with correlated errors.
    """
    if not (math.isfinite(common_relative_error) and common_relative_error >= 0):
        raise PhysicsError(f"common_relative_error: must be >= 0, got {common_relative_error!r}")
    labels = tuple(s.label for s in samples)
    temperature = np.array([s.temperature_k for s in samples])
    if len(samples) < 2:
        return _no_line(
            labels,
            "a single sample has a diffusivity at a known temperature"
            if labels
            else "no sample has one at a known temperature",
        )
    if np.ptp(temperature) < _EQUAL_K:
        return _no_line(labels, f"all samples grew at {samples[0].temperature_c:g} °C; a second temperature is needed")
    y = np.log([s.diffusivity_cm2_s for s in samples])
    spread = np.array([s.spread for s in samples])
    design = _design(temperature)
    unknown = [s.label for s, e in zip(samples, spread, strict=True) if not e > 0]
    if unknown:
        beta = np.linalg.lstsq(design, y, rcond=None)[0]
        return ArrheniusLine(
            labels=labels, verdict="not determined", log_d0=float(beta[0]), activation_energy_kj_mol=float(beta[1]),
            reason=f"no error of the diffusivity is known for {', '.join(unknown)}, so the interval is not known either",
            covariance=np.full((2, 2), np.nan), draws=np.empty((0, 2)), common_relative_error=common_relative_error,
        )  # fmt: skip
    covariance = np.diag(spread**2) + common_relative_error**2
    solve, beta_covariance = _gls(design, covariance)
    beta = solve @ y
    residual = y - design @ beta
    degrees = len(y) - 2
    chi2 = float(residual @ np.linalg.solve(covariance, residual)) if degrees else 0.0
    p = _chi2_sf(chi2, degrees) if degrees else math.nan
    factor = max(1.0, math.sqrt(chi2 / degrees)) if degrees and p < SCATTER_P else 1.0
    draws = np.empty((0, 2))
    if any(len(s.draws_cm2_s) > 1 for s in samples):
        if rng is None:
            raise PhysicsError("rng: a generator is needed to pair the draws of the samples")
        draws = _log_draws(samples, common_relative_error, rng) @ solve.T
        beta = draws.mean(axis=0)
        draws = beta + factor * (draws - beta)
    line = ArrheniusLine(
        labels=labels, verdict="not determined", reason="", log_d0=float(beta[0]), activation_energy_kj_mol=float(beta[1]),
        covariance=beta_covariance * factor**2, draws=draws, chi2=chi2, degrees=degrees, p=p, scatter_factor=factor,
        common_relative_error=common_relative_error,
    )  # fmt: skip
    return _judged(line)


def activation_verdict(value: float, low: float, high: float) -> tuple[str, str]:
    """Verdict on an activation energy from its 95 % interval, with the reason in words.

    "determined" when the interval excludes 0 and its half-width is below the value; else "not determined".
    """
    if not all(map(math.isfinite, (value, low, high))):
        return "not determined", "no interval is known"
    half = (high - low) / 2
    if low <= 0.0 <= high:
        return "not determined", "its 95 % interval includes 0"
    if half >= abs(value):
        return "not determined", "half of its 95 % interval is as large as the value"
    if value < 0:
        return "determined", "its 95 % interval lies below 0: the sample grown colder has the larger diffusivity"
    return "determined", "its 95 % interval excludes 0 and half of it is smaller than the value"


def log_sigma_of(value: float, sigma: float, low68: float, high68: float) -> float:
    """Standard deviation of ln D of a quantity: half of its 68 % interval in ln D, else sigma over value."""
    if math.isfinite(low68) and math.isfinite(high68) and 0 < low68 < high68:
        return math.log(high68 / low68) / 2
    return sigma / value if math.isfinite(sigma) and sigma > 0 < value else math.nan


def _judged(line: ArrheniusLine) -> ArrheniusLine:
    verdict, reason = activation_verdict(line.activation_energy_kj_mol, *line.interval_kj_mol(0.95))
    if line.scatter_factor > 1:
        reason += (
            f"; the samples scatter about one line by more than their errors (p = {line.p:.2g}), which were enlarged "
            f"{line.scatter_factor:.1f} times"
        )
    return replace(line, verdict=verdict, reason=reason)


def _no_line(labels: tuple[str, ...], reason: str) -> ArrheniusLine:
    return ArrheniusLine(
        labels=labels, verdict="not determined", reason=reason, covariance=np.full((2, 2), np.nan), draws=np.empty((0, 2))
    )  # fmt: skip


def _design(temperature_k: FloatArray) -> FloatArray:
    """Columns of ln D0 and of Ea in kJ/mol."""
    return np.stack([np.ones_like(temperature_k), -1e3 / (GAS_CONSTANT_J_MOL_K * temperature_k)], axis=1)


def _gls(design: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Matrix that turns ln D into the parameters, and the parameters' covariance; stable by whitening and QR."""
    lower = np.linalg.cholesky(covariance)
    white = np.linalg.solve(lower, design)
    q, r = np.linalg.qr(white)
    inverse = np.linalg.inv(r)
    return inverse @ q.T @ np.linalg.inv(lower), inverse @ inverse.T


def _log_draws(
    samples: Sequence[MeasuredDiffusivity], common_relative_error: float, rng: np.random.Generator
) -> FloatArray:
    """(n, samples) draws of ln D, independent between samples but for the common error."""
    n = max(4000, *(len(s.draws_cm2_s) for s in samples))
    columns = []
    for s in samples:
        if len(s.draws_cm2_s) > 1:
            # every draw equally often, in an order that has nothing to do with that of the other samples
            pick = np.concatenate([rng.permutation(len(s.draws_cm2_s)) for _ in range(-(-n // len(s.draws_cm2_s)))])
            columns.append(np.log(s.draws_cm2_s)[pick[:n]])
        else:
            columns.append(math.log(s.diffusivity_cm2_s) + s.log_sigma * rng.standard_normal(n))
    return np.stack(columns, axis=1) + common_relative_error * rng.standard_normal((n, 1))


def _interval(value: float, sigma: float, draws: FloatArray, level: float) -> tuple[float, float]:
    if len(draws):
        low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
        return float(low), float(high)
    return value - _z(level) * sigma, value + _z(level) * sigma


def _z(level: float) -> float:
    from scipy.special import ndtri

    return 1.0 if level == 0.68 else _Z95 if level == 0.95 else float(ndtri(0.5 + level / 2))


def _chi2_sf(chi2: float, degrees: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(degrees, chi2))
