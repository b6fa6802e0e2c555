"""Fit core + shell or homogeneous spheres to curves with explicit contrasts (neutrons, or one X-ray curve)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import SizeDistribution
from nanostrata.domain.base import FloatArray
from nanostrata.domain.contrast_fit import ContrastCurveFit, ContrastFit
from nanostrata.errors import ConvergenceError
from nanostrata.kernels.statistics import runs_p
from nanostrata.models.core_shell import ContrastCurve, intensities, smearing_grid

VERSION = "1"
FREE_SD = 1e3


@dataclass(frozen=True, kw_only=True)
class ContrastSettings:
    """What the project file decides.

    Attributes
    ----------
    core_shell : a core and a shell of its own thickness (that of the mean particle; both scale with size); else homogeneous
    size_kind : "gaussian", "lognormal" or "tem"
    scale : "common" (one scale, with a factor per curve under scale_uncertainty), "per_energy" or "absolute"
    background : "none" or "constant"
    """

    core_shell: bool
    size_kind: str = "gaussian"
    scale: str = "common"
    scale_uncertainty: float = 0.02
    background: str = "constant"
    smearing: str | float = "none"
    draws: int = 2000


def _ratio(form: FloatArray, curve: ContrastCurve) -> float:
    """Weighted ratio of measured to modelled intensity of one curve."""
    weight = form / curve.curve.sigma**2
    return float((weight @ curve.curve.intensity) / (weight @ form))


class _Problem:
    """Residuals of all curves for geometry and fitted contrasts; scales and constants are solved for inside."""

    def __init__(
        self, curves: Sequence[ContrastCurve], settings: ContrastSettings, sizes: SizeDistribution | None
    ) -> None:
        self.curves, self.settings, self.sizes = curves, settings, sizes
        self.grids = [smearing_grid(c.curve, settings.smearing) for c in curves]
        readings = None if sizes is None else sizes.diameters_nm
        self.scores = None
        if settings.size_kind == "tem" and readings is not None and len(readings) > 1:
            self.scores = (readings - readings.mean()) / readings.std()
        self.names = ["radius_mean_nm", "radius_std_nm"] + (["shell_thickness_nm"] if settings.core_shell else [])
        for i, c in enumerate(curves):
            roles = [("core", c.core), ("medium", c.medium)] + ([("shell", c.shell)] if settings.core_shell else [])
            self.names += [f"{role}_{i}" for role, value in roles if value is None]
        self.n_geometry = 3 if settings.core_shell else 2

    def contrasts(self, theta: FloatArray) -> list[tuple[float, float]]:
        """Return (core - medium, shell - medium) of each curve."""
        out = []
        for i, c in enumerate(self.curves):
            get = {
                role: theta[self.names.index(f"{role}_{i}")] if value is None else value
                for role, value in (("core", c.core), ("medium", c.medium), ("shell", c.shell))
                if value is not None or f"{role}_{i}" in self.names
            }
            medium = get["medium"]
            out.append((get["core"] - medium, get.get("shell", medium) - medium))
        return out

    def linear(self, theta: FloatArray) -> tuple[list[FloatArray], FloatArray, FloatArray]:
        """Models with the best scales and constants; rows of the prior on the factors; the solved coefficients."""
        s = self.settings
        g = (theta[0], theta[1], theta[2] if s.core_shell else 0.0)
        forms = intensities(self.grids, self.contrasts(theta), g, s.size_kind, self.scores)
        n = len(forms)
        common = s.scale != "per_energy"
        columns = (1 if common else 0) + (0 if n == 1 and common else n) + (n if s.background != "none" else 0)
        if not common:
            columns = n + (n if s.background != "none" else 0)
        norm = float(np.mean([_ratio(f, c) for f, c in zip(forms, self.curves, strict=True)]))
        rows, target, prior = [], [], []
        for i, (f, c) in enumerate(zip(forms, self.curves, strict=True)):
            block = np.zeros((len(f), columns))
            at = 0
            if common:
                block[:, 0] = norm * f
                at = 1
                if n > 1:
                    # a factor 1 + e_i to first order round the common scale
                    block[:, 1 + i] = norm * f
                    at = 1 + n
            else:
                block[:, i] = norm * f
                at = n
            if s.background != "none":
                block[:, at + i] = 1.0
            rows.append(block / c.curve.sigma[:, None])
            target.append(c.curve.intensity / c.curve.sigma)
        if common and n > 1:
            extra = np.zeros((n, columns))
            extra[np.arange(n), 1 + np.arange(n)] = 1.0 / s.scale_uncertainty
            rows.append(extra)
            target.append(np.zeros(n))
        design, aim = np.concatenate(rows), np.concatenate(target)
        solution = np.linalg.lstsq(design, aim, rcond=None)[0]
        if common and n > 1:
            prior = list(solution[1 : 1 + n] / s.scale_uncertainty)
        models = [b @ solution * c.curve.sigma for b, c in zip(rows, self.curves, strict=False)]
        scales = norm * (solution[0] + (solution[1 : 1 + n] if n > 1 else 0.0) if common else solution[:n])
        constants = solution[-n:] if s.background != "none" else np.zeros(n)
        return models, np.asarray(prior), np.stack([np.broadcast_to(scales, n), constants])

    def residuals(self, theta: FloatArray) -> FloatArray:
        """Data, scale factors, TEM prior."""
        models, prior, _ = self.linear(theta)
        r = [(m - c.curve.intensity) / c.curve.sigma for m, c in zip(models, self.curves, strict=True)]
        if self.sizes is not None:
            d = self.sizes
            r.append(
                np.array([(2 * theta[0] - d.mean_nm) / d.mean_sigma_nm, (2 * theta[1] - d.std_nm) / d.std_sigma_nm])
            )
        return np.concatenate([*r, prior])


def fit_contrasts(
    curves: Sequence[ContrastCurve],
    settings: ContrastSettings,
    sizes: SizeDistribution | None,
    *,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> ContrastFit:
    """Joint fit of all contrasts with one geometry; scales and constants are solved exactly at every step.

    Parameters
    ----------
    curves : each with its contrasts; None marks a fitted one
    sizes : TEM prior, or None
    seed : for the draws

    Raises
    ------
    ConvergenceError
        When no start converges.

    Notes
    -----
    Assumes dilute spheres. Fails when particles interact or cluster: then chi2 is bad and said to be.
    """
    from scipy.optimize import least_squares

    problem = _Problem(curves, settings, sizes)
    q_min = min(float(c.curve.q_inv_nm[0]) for c in curves)
    q_max = max(float(c.curve.q_inv_nm[-1]) for c in curves)
    r_low, r_high = 0.3 / q_max, 6.0 / q_min
    low = (
        [r_low, 0.005 * r_low]
        + ([0.02] if settings.core_shell else [])
        + [-30.0] * (len(problem.names) - problem.n_geometry)
    )
    high = (
        [r_high, r_high]
        + ([r_high] if settings.core_shell else [])
        + [30.0] * (len(problem.names) - problem.n_geometry)
    )
    if any(n.split("_")[0] in ("core", "shell", "medium") and abs(v) > 30 for n, v in _given(curves)):
        low[problem.n_geometry :] = [-3000.0] * (len(low) - problem.n_geometry)
        high[problem.n_geometry :] = [3000.0] * (len(high) - problem.n_geometry)
    progress("fitting radii and contrasts")
    best = None
    for start in _starts(problem, sizes, r_low, r_high):
        inside = np.clip(start, np.array(low) + 1e-6, np.array(high) - 1e-6)
        result = least_squares(
            problem.residuals, inside, bounds=(low, high), x_scale=np.maximum(np.abs(inside), 0.1), max_nfev=80
        )
        if np.isfinite(result.cost) and (best is None or result.cost < best.cost):
            best = result
    if best is None:
        raise ConvergenceError("the fit of the contrasts did not converge from any start")
    return _result(problem, settings, best, np.array(low), np.array(high), seed)


def _given(curves: Sequence[ContrastCurve]) -> list[tuple[str, float]]:
    return [
        (n, v) for c in curves for n, v in (("core", c.core), ("shell", c.shell), ("medium", c.medium)) if v is not None
    ]


def _starts(problem: _Problem, sizes: SizeDistribution | None, r_low: float, r_high: float) -> list[FloatArray]:
    """Core radii from the Guinier region, TEM, and a logarithmic scan that keeps the three best."""
    radii = [float(r) for r in np.geomspace(max(r_low * 2, r_high / 200), r_high * 0.5, 24)]
    if sizes is not None:
        radii = [0.5 * sizes.mean_nm, *radii]
    free = [_guess(n) for n in problem.names[problem.n_geometry :]]
    scored = []
    for r in radii:
        for width in (0.1, 0.25):
            shell = [[0.15 * r], [0.5 * r]] if problem.n_geometry == 3 else [[]]
            for t in shell:
                theta = np.array([r, width * r, *t, *free])
                scored.append((float(np.sum(problem.residuals(theta) ** 2)), theta))
    scored.sort(key=lambda item: item[0])
    return [theta for _, theta in scored[:4]]


def _guess(name: str) -> float:
    return {"core": 3.0, "shell": 1.0, "medium": 0.0}[name.split("_")[0]]


def _result(
    problem: _Problem, settings: ContrastSettings, best: object, low: FloatArray, high: FloatArray, seed: int
) -> ContrastFit:
    theta: FloatArray = np.asarray(best.x)  # type: ignore[attr-defined]
    jac: FloatArray = np.asarray(best.jac)  # type: ignore[attr-defined]
    models, _, linear = problem.linear(theta)
    fits = []
    n_data = 0
    chi2 = 0.0
    for i, (m, c) in enumerate(zip(models, problem.curves, strict=True)):
        r = (c.curve.intensity - m) / c.curve.sigma
        n_data += len(r)
        chi2 += float(r @ r)
        fits.append(
            ContrastCurveFit(
                label=c.curve.label,
                q_inv_nm=c.curve.q_inv_nm,
                intensity=c.curve.intensity,
                sigma=c.curve.sigma,
                fit=m,
                residual_sigma=r,
                chi2_reduced=float(np.mean(r**2)),
                runs_p=runs_p(r),
                scale=float(linear[0, i]),
                background=float(linear[1, i]),
            )
        )
    dof = max(1, n_data - len(theta) - int(np.count_nonzero(linear)))
    reduced = chi2 / dof
    covariance: FloatArray = np.asarray(np.linalg.pinv(jac.T @ jac) * max(1.0, reduced), dtype=np.float64)
    rng = np.random.default_rng(seed)
    draws = np.clip(rng.multivariate_normal(theta, covariance, settings.draws, method="eigh"), low, high)
    near = 1e-4 * (high - low)
    touched = tuple(
        f"{n} = {v:.4g} lies on its bound ({a:.4g} to {b:.4g})"
        for n, v, a, b, t in zip(problem.names, theta, low, high, near, strict=True)
        if v - a < t * 0.01 or b - v < t
    )
    warnings = []
    if reduced > 3.0:
        warnings.append(
            ("bad_fit", f"dilute {'core + shell' if settings.core_shell else 'homogeneous'} spheres do not describe the curves: chi2 per "
             f"degree of freedom is {reduced:.3g}. The radii below are not to be trusted: interactions, resolution, another shape "
             "or wrong sigmas may be the reason")
        )  # fmt: skip
    return ContrastFit(
        names=tuple(problem.names), values=theta, covariance=covariance, draws=draws, core_shell=settings.core_shell,
        size_kind=settings.size_kind, chi2_reduced=reduced, n_data=n_data, curves=tuple(fits), bounds_touched=touched,
        warnings=tuple(warnings),
    )  # fmt: skip
