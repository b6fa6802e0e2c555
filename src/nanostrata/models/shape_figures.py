"""What a curve says before any bead is placed: Guinier's law, pair distances with their largest one, Porod volume."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain.base import FloatArray, frozen_array
from nanostrata.domain.shape import CurveFigures
from nanostrata.errors import PhysicsError
from nanostrata.kernels import bead_field

_GUINIER_END = 1.3
"""q Rg up to which Guinier's law is used."""

_GUINIER_START = 1.0
"""q Rg of the first point above which the range is too short to be relied on."""

_FEWEST = 6
_STEPS = 60
_MOST_STEPS = 200
_STEPS_PER_WAVE = 2.5
"""Steps of p(r) per half wave of the finest one measured."""

Q_RG_USED = 25.0
"""q Rg beyond which a curve tells nothing about size, p(r) and volume that it has not told before."""
_WEIGHTS = np.logspace(-12.0, 4.0, 49)
_CURVED = 3.0
"""Standard deviations of the quadratic term from which the logarithm is not straight."""


def guinier(q_inv_nm: FloatArray, intensity: FloatArray, sigma: FloatArray) -> tuple[float, float, int, int, str]:
    r"""Radius of gyration from :math:`\ln I = \ln I_0 - q^2 R_g^2/3`, and the range where that holds.

    Parameters
    ----------
    q_inv_nm, intensity, sigma : (n_q,)

    Returns
    -------
    rg, sigma (nm; nan when there is no range), first and last index (-1), and a sentence about what is wrong with the
    range ("" when nothing is). Points at the beginning are left out while the logarithm is curved.
    """
    best = (math.nan, math.nan, -1, -1, "no straight stretch of ln I against q^2 with q Rg below 1.3")
    for first in range(min(len(q_inv_nm) // 3, 40)):
        last, rg, rg_sigma, bend = _straight(q_inv_nm, intensity, sigma, first)
        if last < 0 or abs(bend) > _CURVED:
            continue
        start = q_inv_nm[first] * rg
        note = ""
        if start > _GUINIER_START:
            note = (
                f"the Guinier range is too short for this particle: it begins at q Rg = {start:.2f} (at most "
                f"{_GUINIER_START:g} is wanted, q below {_GUINIER_START / rg:.2g} 1/nm); measure to smaller q"
            )
        elif first > 0:
            note = f"the first {first} point(s) do not follow Guinier's law and are left out"
        return rg, rg_sigma, first, last, note
    return best


def _straight(q: FloatArray, y: FloatArray, s: FloatArray, first: int) -> tuple[int, float, float, float]:
    """Widest fit from ``first`` that ends below the limit: last index (-1), rg, its error, quadratic term over its error."""
    found = (-1, math.nan, math.nan, math.nan)
    for end in range(first + _FEWEST, len(q) + 1):
        part = slice(first, end)
        if (y[part] <= 2.0 * s[part]).any():
            break
        x, w = q[part] ** 2, y[part] / s[part]
        fit, cov = _line(x, np.log(y[part]), w, 1)
        if fit[1] >= 0.0:
            continue
        rg = math.sqrt(-3.0 * fit[1])
        if q[end - 1] * rg > _GUINIER_END and found[0] >= 0:
            break
        if q[end - 1] * rg <= _GUINIER_END or end == first + _FEWEST:
            curved, curved_cov = _line(x, np.log(y[part]), w, 2)
            bend = curved[2] / math.sqrt(curved_cov[2, 2])
            # Guinier's law itself bends by a few per cent at q Rg = 1.3: that much is allowed
            allowed = 0.03 * rg**4 / math.sqrt(curved_cov[2, 2])
            found = (end - 1, rg, 1.5 / rg * math.sqrt(cov[1, 1]), math.copysign(max(abs(bend) - allowed, 0.0), bend))
    return found


def _line(x: FloatArray, y: FloatArray, weight: FloatArray, degree: int) -> tuple[FloatArray, FloatArray]:
    columns = np.vander(x, degree + 1, increasing=True) * weight[:, None]
    cov = np.linalg.inv(columns.T @ columns)
    return np.asarray(cov @ (columns.T @ (y * weight))), np.asarray(cov, dtype=np.float64)


def figures_of_curve(
    q_inv_nm: ArrayLike, intensity: ArrayLike, sigma: ArrayLike, rng: np.random.Generator, *, spread: float = 0.0,
    with_constant: bool = True, resampled: int = 40, spread_shape: str = "gaussian",
) -> CurveFigures:  # fmt: skip
    r"""Guinier, p(r) of the particle of mean size and Porod volume, with errors from resampled data.

    .. math:: \langle I\rangle(q) = 4\pi \int_0^D p(r)\, \langle \lambda^6\, \mathrm{sinc}(\lambda q r) \rangle\, dr + b

    Points beyond q Rg of about 25 should be left out: they would ask for finer steps than are taken.
    p(r) is Gaussian around zero with independent second differences (p(0) = p(D) = 0); the strength of that prior and D
    are averaged over with their evidence. Resampled data are the fit plus noise of the stated size.

    Parameters
    ----------
    q_inv_nm, intensity, sigma : (n_q,)
    rng : for the resampled data
    spread : relative standard deviation of the particles' size; p(r) is then that of the particle of mean size
    spread_shape : "gaussian" or "lognormal"
    with_constant : a flat background is averaged over, as large as what the curve ends with
    resampled : sets of resampled data

    Raises
    ------
    PhysicsError
        When there are too few points, or the curve carries no sign of a particle.

    References
    ----------
    Guinier & Fournet, Small-angle scattering of X-rays, Wiley 1955; Hansen, J. Appl. Cryst. 33, 1415 (2000),
    doi:10.1107/S0021889800012930 (evidence).
    """
    q = frozen_array("q_inv_nm", q_inv_nm, positive=True, increasing=True)
    if len(q) < 20:
        raise PhysicsError(f"q_inv_nm: {len(q)} points; at least 20 are needed for a shape")
    y = frozen_array("intensity", intensity, length=len(q))
    s = frozen_array("sigma", sigma, length=len(q), positive=True)
    rg, rg_sigma, first, last, note = guinier(q, y, s)
    start = rough_size(q, y, rg, spread, spread_shape)
    # nothing larger than pi / q_min is seen by a curve that starts there
    top = min(7.0 * start, max(math.pi / float(q[0]), 2.0 * start))
    ladder = np.geomspace(1.6 * start, top, 28)
    # a constant and pairs at no distance look alike: it is held to the size of what the curve ends with
    constant_sd = float(np.abs(y[-max(len(y) // 10, 3) :]).mean()) if with_constant else 0.0
    tables = [_Distances(q, s, d, spread, constant_sd, spread_shape) for d in ladder]
    main = _answer(tables, y)
    noise = s * rng.standard_normal((resampled, len(q)))
    again = [_answer(tables, main.fit + e) for e in noise]

    def spread_of(name: str) -> FloatArray:
        return np.asarray(np.std([getattr(a, name) for a in again], axis=0, ddof=1))

    # p(r) of every resampled curve on the same distances
    r = np.linspace(0.0, main.r[-1], 81)
    p_draws = [np.interp(r, a.r, a.p, right=0.0) for a in again]
    volumes = [_porod_volume(q, f, a) for f, a in zip(main.fit + noise, again, strict=True)]
    return CurveFigures(
        rg_nm=rg, rg_sigma_nm=rg_sigma, guinier_first=first, guinier_last=last, guinier_note=note,
        i_zero=main.i_zero, i_zero_sigma=float(spread_of("i_zero")), r_nm=r,
        p=np.interp(r, main.r, main.p, right=0.0), p_sigma=np.std(p_draws, axis=0, ddof=1), dmax_nm=main.dmax,
        dmax_sigma_nm=float(math.hypot(float(spread_of("dmax")), main.dmax_sd)), rg_real_nm=main.rg,
        rg_real_sigma_nm=float(spread_of("rg")), fit=main.fit,
        chi2_reduced=float((((y - main.fit) / s) ** 2).mean()), porod_volume_nm3=_porod_volume(q, y, main),
        porod_volume_sigma_nm3=float(np.std(volumes, ddof=1)), constant=main.constant,
    )  # fmt: skip


def rough_size(q: FloatArray, y: FloatArray, rg: float, spread: float, spread_shape: str = "gaussian") -> float:
    """A first radius of gyration of the particle of mean size: Guinier's, else where I falls to a third."""
    if not math.isfinite(rg):
        top = float(np.median(y[:5]))
        below = np.flatnonzero(y < top / math.e)
        if top <= 0 or not below.size:
            raise PhysicsError(
                "intensity: it does not fall to a third of its first points anywhere: no particle is seen in this range of q"
            )
        rg = math.sqrt(3.0) / float(q[below[0]])
    lam, w = bead_field.relative_sizes(spread, shape=spread_shape)
    return rg * math.sqrt(float((w * lam**6).sum() / (w * lam**8).sum()))


class _Distances:
    """p(r) up to one D: what does not depend on the intensities is worked out once."""

    def __init__(
        self, q: FloatArray, s: FloatArray, d: float, spread: float, constant_sd: float, spread_shape: str
    ) -> None:
        self.d, self.s = d, s
        steps = int(np.clip(math.ceil(_STEPS_PER_WAVE * q[-1] * d / math.pi), _STEPS, _MOST_STEPS))
        self.r = np.linspace(0.0, d, steps + 1)
        self.step = d / steps
        inner = self.r[1:-1]
        lam, w = bead_field.relative_sizes(spread, shape=spread_shape)
        self.forward = float((w * lam**6).sum())
        self.matrix = 4.0 * math.pi * self.step * bead_field.pair_kernel(q, inner, 0.0, lam, w)
        white = self.matrix / s[:, None]
        # a constant of this standard deviation adds to the covariance: its inverse root shrinks one direction
        self.flat = (1.0 / s) / np.linalg.norm(1.0 / s)
        self.known = (constant_sd * float(np.linalg.norm(1.0 / s))) ** 2
        self.shrink = 1.0 - 1.0 / math.sqrt(1.0 + self.known)
        white = self.whiten(self.matrix)
        n = len(inner)
        second = -2.0 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)
        root = np.linalg.inv(second)  # p = root @ z with z independent
        self.eig, vec = np.linalg.eigh((white @ root).T @ (white @ root))
        self.eig = np.maximum(self.eig, 0.0)
        self.back = root @ vec
        self.white = white
        self.scale = self.eig.max()

    def whiten(self, columns: FloatArray) -> FloatArray:
        """Columns over the errors, the share along the constant shrunk."""
        over = columns / self.s[:, None]
        return np.asarray(over - self.shrink * np.outer(self.flat, self.flat @ over))

    def solve(self, y: FloatArray) -> tuple[float, FloatArray]:
        """Log evidence of this D and p averaged over the strength of the prior."""
        data = self.whiten(y[:, None])[:, 0]
        pull = self.back.T @ (self.white.T @ data)
        weights = _WEIGHTS[:, None] * self.scale
        level = 0.5 * np.log(weights / (weights + self.eig)).sum(axis=1)
        evidence = level + 0.5 * (pull**2 / (weights + self.eig)).sum(axis=1) - 0.5 * float(data @ data)
        top = float(evidence.max())
        chance = np.exp(evidence - top)
        z = (chance[:, None] * pull / (weights + self.eig)).sum(axis=0) / chance.sum()
        return top + math.log(chance.sum()), self.back @ z


@dataclass(frozen=True, slots=True)
class _Answer:
    """p(r) averaged over D, and what follows from it."""

    r: FloatArray
    p: FloatArray
    fit: FloatArray
    dmax: float
    dmax_sd: float
    rg: float
    i_zero: float
    constant: float


def _answer(tables: list[_Distances], y: FloatArray) -> _Answer:
    """Average over D with its evidence; distances up to the largest D that counts."""
    solved = [t.solve(y) for t in tables]
    evidence = np.array([e for e, _ in solved])
    chance = np.exp(evidence - evidence.max())
    chance /= chance.sum()
    counts = chance > 1e-4
    d = np.array([t.d for t in tables])
    r = np.linspace(0.0, float(d[counts].max()), 2 * _MOST_STEPS + 1)
    p, smooth = np.zeros(len(r)), np.zeros(len(y))
    for table, (_, inner), c, used in zip(tables, solved, chance, counts, strict=True):
        if used:
            p += c * np.interp(r, table.r, np.concatenate([[0.0], inner, [0.0]]), right=0.0)
            smooth += c * (table.matrix @ inner)
    first = tables[0]
    constant = first.known / (1.0 + first.known) * float(((y - smooth) / first.s**2).sum() / (1.0 / first.s**2).sum())
    zeroth, second = float(p.sum()), float((r**2 * p).sum())
    if zeroth <= 0.0 or second <= 0.0:
        raise PhysicsError("intensity: its pair distances do not add up to a particle; is the background too high?")
    mean = float(chance @ d)
    return _Answer(
        r=r, p=p, fit=smooth + constant, dmax=mean, dmax_sd=math.sqrt(float(chance @ (d - mean) ** 2)),
        rg=math.sqrt(0.5 * second / zeroth), i_zero=4.0 * math.pi * float(r[1]) * zeroth * first.forward,
        constant=constant,
    )  # fmt: skip


def _porod_volume(q: FloatArray, y: FloatArray, answer: _Answer) -> float:
    r"""Volume :math:`2\pi^2 I(0)/Q` with :math:`Q = \int q^2 (I - b)\,dq`, its two ends by p(r) and by K/q^4, nm^3."""
    scattered = q**2 * (y - answer.constant)
    inside = float(np.trapezoid(scattered, q))
    low = np.linspace(0.0, float(q[0]), 24)
    start = answer.i_zero * np.exp(-((low * answer.rg) ** 2) / 3.0)
    # continuous with the first points; the share of this end is small where the Guinier range was measured
    before = float(np.trapezoid(low**2 * start, low))
    tail = q > 0.67 * q[-1]
    beyond = float((scattered * q**2)[tail].mean() / q[-1])
    invariant = inside + before + max(beyond, 0.0)
    return 2.0 * math.pi**2 * answer.i_zero / invariant if invariant > 0.0 else math.nan
