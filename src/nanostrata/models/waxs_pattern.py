"""A wide-angle pattern as lines on a background: grouping, first values by a scan, and the fit in two steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.peaks import FOUR_LN2, PeakModel, PeakSolution, fit_lines
from nanostrata.models.waxs_lines import LatticeForm, Line
from nanostrata.tables.factors import FactorTable

__all__ = [
    "Pattern",
    "PatternFit",
    "background_basis",
    "envelope_of",
    "fit_pattern",
    "group_lines",
    "make_pattern",
    "scan",
]

MERGE = 0.45
"""A weaker line nearer than this share of the full width to a stronger one goes with it, in the calculated ratio."""

WEAK_SHARE = 0.5
"""Lines of more than this share of their neighbour's area are merged only when nearly on top of it (a third of MERGE)."""

FAINT = 0.02
"""Lines below this share of the strongest are not fitted by themselves."""

SEEN = 8.0
"""A peak whose height is known to better than one part in this many has a width of its own."""

SCALE_PRIOR = (1.0, 0.5)
"""Mean and standard deviation of the scale of a measured background."""

LATTICE_SD = 0.03
"""Prior of each lattice constant: relative standard deviation round the first value."""

WIDTH_SD = 0.5
"""Prior of each width: standard deviation of its logarithm round the width that all peaks share in the first step."""


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """What is fitted: points, weights and the background's functions.

    Attributes
    ----------
    q, intensity, weight : (n,)
    basis : (n_functions, n)
    envelope : (n,) factor of all lines, see :func:`envelope_of`
    points : how many of the n are measured; the others are priors of background scales, at a q where there is no peak
    """

    q: FloatArray
    intensity: FloatArray
    weight: FloatArray
    basis: FloatArray
    envelope: FloatArray
    points: int


def make_pattern(
    curve: ScatteringCurve,
    terms: int,
    measured: Sequence[FloatArray],
    halos: Sequence[tuple[float, float]],
    envelope: FloatArray | None = None,
) -> Pattern:
    """Put together what is fitted; the scale of each measured background has the prior :data:`SCALE_PRIOR`."""
    q, n = curve.q_inv_nm, len(curve)
    mean, sd = SCALE_PRIOR
    basis = np.hstack(
        [background_basis(q, terms, measured, halos), np.zeros((terms + len(measured) + len(halos), len(measured)))]
    )
    for k, m in enumerate(measured):
        basis[terms + k, n + k] = 1.0 / max(float(np.max(np.abs(m))), 1e-300)
    far = 1e6 * q[-1] * (1.0 + np.arange(len(measured)))
    return Pattern(
        q=np.concatenate([q, far]), intensity=np.concatenate([curve.intensity, np.full(len(measured), mean)]),
        weight=np.concatenate([1.0 / curve.sigma, np.full(len(measured), 1.0 / sd)]), basis=basis, points=n,
        envelope=np.concatenate([np.ones(n) if envelope is None else envelope, np.ones(len(measured))]),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PatternFit:
    """Solution with the groups it belongs to.

    Attributes
    ----------
    lines : those fitted
    group : (n_lines,) peak that each line belongs to
    leader : (n_peaks,) its strongest line
    width_group : (n_peaks,)
    """

    lines: tuple[Line, ...]
    group: IntArray
    leader: IntArray
    width_group: IntArray
    model: PeakModel
    solution: PeakSolution


def background_basis(
    q: FloatArray, terms: int, measured: Sequence[FloatArray], halos: Sequence[tuple[float, float]]
) -> FloatArray:
    """Chebyshev polynomials, measured backgrounds and broad halos, each of order 1, as rows."""
    u = 2.0 * (q - q[0]) / (q[-1] - q[0]) - 1.0
    rows = [np.polynomial.chebyshev.chebval(u, np.eye(terms)[k]) for k in range(terms)]
    rows += [m / max(float(np.max(np.abs(m))), 1e-300) for m in measured]
    rows += [np.exp(-FOUR_LN2 * ((q - middle) / width) ** 2) for middle, width in halos]
    return np.array(rows)


def envelope_of(
    q: FloatArray, content: dict[str, float], factors: FactorTable, energy_kev: float, b_factor_nm2: float
) -> FloatArray:
    r"""Factor of all lines of small crystals, 1 in the middle of the range.

    .. math:: G(q) \propto \langle |f(q)|^2 \rangle\, e^{-2 B (q/4\pi)^2} / q

    In a powder pattern of small crystals q I(q) / f^2 is convolved with the size's profile, not I(q): broad peaks lean to low
    q. Without this factor lattice constants of 4 nm particles come out 0.3 to 0.5 % too large.

    Parameters
    ----------
    q : (n,) 1/nm
    content : element -> atoms
    """
    total = np.zeros(len(q))
    for element, n in content.items():
        total += n * np.abs(factors.f0(element, q) + factors.anomalous(element, energy_kev)) ** 2
    g = total * np.exp(-2.0 * b_factor_nm2 * (q / (4.0 * np.pi)) ** 2) / q
    return np.asarray(g / g[len(g) // 2])


def heights(lines: Sequence[Line]) -> FloatArray:
    """Calculated relative heights of lines of equal width."""
    return np.array([line.area for line in lines])


def scan(pattern: Pattern, lines: Sequence[Line], reach: float = 0.06, steps: int = 61) -> tuple[float, float]:
    """Scale of q and common full width with which the calculated lines describe the pattern best; no start is needed.

    Parameters
    ----------
    pattern : Pattern
    lines : all lines near the range
    reach : the scale runs from 1 - reach to 1 + reach
    steps : of the scale

    Returns
    -------
    scale, fwhm_inv_nm
    """
    n = pattern.points
    q, weight = pattern.q[:n], pattern.weight[:n]
    span = float(q[-1] - q[0])
    spacing = float(np.median(np.diff(q)))
    widths = np.geomspace(max(2.0 * spacing, 0.003 * span), 0.2 * span, 24)
    background = pattern.basis[:, :n] * weight
    target = pattern.intensity[:n] * weight
    ortho, _ = np.linalg.qr(background.T)
    target = target - ortho @ (ortho.T @ target)
    height, centre = heights(lines), np.array([line.q_inv_nm for line in lines])
    best = (-np.inf, 1.0, 1.0)
    for width in widths:
        step = min(2.0 * reach / (steps - 1), 0.25 * width / float(centre.max()))
        for scale in np.arange(1.0 - reach, 1.0 + reach + 0.5 * step, step):
            z = (q[:, None] - scale * centre) / width
            column = (np.exp(-FOUR_LN2 * z * z) @ height) * weight * pattern.envelope[:n]
            column = column - ortho @ (ortho.T @ column)
            along = float(column @ target)
            gain = along * abs(along) / max(float(column @ column), 1e-300)
            if gain > best[0]:
                best = (gain, float(scale), float(width))
    return best[1], best[2]


def group_lines(
    lines: Sequence[Line], scale: float, fwhm: float, low: float, high: float
) -> tuple[list[Line], IntArray]:
    """Lines in the range, and the peak that each belongs to; peaks are numbered in order of q.

    Lines up to one full width outside the range are kept when they go with a peak inside.
    """
    near = [line for line in lines if low - fwhm < scale * line.q_inv_nm < high + fwhm]
    if not near:
        return [], np.zeros(0, dtype=np.int64)
    area = heights(near)
    q = scale * np.array([line.q_inv_nm for line in near])
    leader = np.full(len(near), -1, dtype=np.int64)
    for i in np.argsort(-area):
        free = [j for j in range(len(near)) if leader[j] == j and abs(q[j] - q[i]) < MERGE * fwhm]
        free = [j for j in free if area[i] < WEAK_SHARE * area[j] or abs(q[j] - q[i]) < MERGE * fwhm / 3.0]
        leader[i] = min(free, key=lambda j: abs(q[j] - q[i])) if free else i
    top = area.max()
    kept = [
        i
        for i in range(len(near))
        if area[leader[i]] >= FAINT * top and low + 0.2 * fwhm < q[leader[i]] < high - 0.2 * fwhm
    ]
    order = {j: n for n, j in enumerate(sorted({int(leader[i]) for i in kept}))}
    return [near[i] for i in kept], np.array([order[int(leader[i])] for i in kept], dtype=np.int64)


def fit_pattern(
    pattern: Pattern,
    lines: Sequence[Line],
    group: IntArray,
    form: LatticeForm,
    scale: float,
    fwhm: float,
    *,
    lorentzian: bool = False,
    free_positions: bool = False,
) -> PatternFit:
    """Fit with one width for all peaks, then with a width of its own for every peak that is clearly seen.

    Raises
    ------
    PhysicsError
        When there are more parameters than points.
    """
    n_peaks = int(group.max()) + 1
    area = heights(lines)
    leader = np.array([max(np.flatnonzero(group == g), key=lambda i: area[i]) for g in range(n_peaks)], dtype=np.int64)
    share = area / area[leader[group]]
    metric = np.zeros((len(lines), 0)) if free_positions else np.array([line.metric for line in lines])
    if free_positions:
        # lines that go with a peak keep their distance from it: only leaders are fitted then
        lines, share, group, metric = [lines[i] for i in leader], np.ones(n_peaks), np.arange(n_peaks), metric[leader]
        leader = np.arange(n_peaks)
    parameters = form.parameters * scale**2
    start_positions = scale * np.array([line.q_inv_nm for line in lines]) if free_positions else parameters
    if len(start_positions) + n_peaks + len(pattern.basis) >= len(pattern.q):
        raise PhysicsError(f"waxs: {len(pattern.q)} points cannot fix {n_peaks} peaks; widen waxs.q_range_inv_nm")
    precision = np.zeros(len(start_positions)) if free_positions else (0.5 / (LATTICE_SD * parameters)) ** 2
    one = PeakModel(metric, np.zeros(len(lines), dtype=np.int64), group, share, pattern.basis, False, pattern.envelope)
    first = fit_lines(
        pattern.q, pattern.intensity, pattern.weight, one, np.append(start_positions, np.log(fwhm)),
        prior_mean=np.append(start_positions, 0.0), prior_precision=np.append(precision, 0.0),
    )  # fmt: skip
    n_pos = len(start_positions)
    at = slice(one.nonlinear, one.nonlinear + n_peaks)
    size, sigma = first.theta[at], np.sqrt(np.diag(first.covariance)[at])
    factor = np.sqrt(max(1.0, first.chi2 / max(1, len(pattern.q) - len(first.theta))))
    seen = size > SEEN * sigma * factor
    if not seen.any():
        seen[int(np.argmax(size / sigma))] = True
    clear = np.flatnonzero(seen)
    middle = np.array([lines[i].q_inv_nm for i in leader])
    width_group = np.array([int(np.argmin(np.abs(middle[clear] - middle[g]))) for g in range(n_peaks)], dtype=np.int64)
    model = PeakModel(metric, width_group[group], group, share, pattern.basis, lorentzian, pattern.envelope)
    log_width = float(first.theta[n_pos])
    start = np.concatenate([first.theta[:n_pos], np.full(len(clear), log_width), [-1.0] * lorentzian])
    mean = np.concatenate([start_positions, np.full(len(clear), log_width), [0.0] * lorentzian])
    spread = np.concatenate([precision, np.full(len(clear), WIDTH_SD**-2.0), [0.1] * lorentzian])
    solution = fit_lines(
        pattern.q, pattern.intensity, pattern.weight, model, start, prior_mean=mean, prior_precision=spread
    )
    return PatternFit(
        lines=tuple(lines), group=group, leader=leader, width_group=width_group, model=model, solution=solution
    )
