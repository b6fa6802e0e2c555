"""From measured element percentages to a composition with its covariance, and to the mean x between two end members."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from nanostrata.domain import Composition, FloatArray, Origin
from nanostrata.errors import DataError, PhysicsError

__all__ = ["VERSION", "MeanShellFraction", "Solid", "composition", "element_ratio", "mean_shell_fraction"]

VERSION = "1"
_ROUNDING_PERCENT = 0.5
_OFF_LINE_P = 0.05
_X_SEARCH = (-0.5, 1.5)


class Solid(Protocol):
    """What is needed of a solid solution: atoms per shared site, linear in x."""

    def elements_per_site(self, x: ArrayLike) -> Mapping[str, FloatArray]:
        """Element -> atoms per shared site at x."""
        ...


class MeanShellFraction(NamedTuple):
    """Mean x over the shared sites, its standard deviation, and what was assumed or found."""

    value: float
    sigma: float
    notes: tuple[str, ...]


def composition(
    elements: Collection[str],
    atomic_percent: ArrayLike,
    error: ArrayLike,
    *,
    expected_elements: Collection[str] = (),
    origin: Origin | None = None,
) -> Composition:
    r"""Close measured atomic percentages to fractions that sum to one, with the covariance that closure implies.

    .. math:: f_i = p_i / S, \quad S = \sum_j p_j, \qquad
              C = J\,\mathrm{diag}(\sigma^2)\,J^T, \quad J = (1 - f\,1^T) / S

    (1 the unit matrix). The rows of C sum to zero: the fractions cannot all be too large.

    Parameters
    ----------
    elements : (n,) symbols
    atomic_percent : (n,) atomic per cent as measured, >= 0
    error : (n,) one standard deviation of each, independent, atomic per cent, > 0
    expected_elements : elements of the materials. Others (solvent, ligands, grid) are left out; lacking ones are
        unknown, not zero: the rest is closed without them. Left empty, all elements are kept.
    origin : of the table; its notes are kept

    Returns
    -------
    Composition
        ``origin.notes`` says what was renormalised, left out, or is lacking.

    Raises
    ------
    DataError
        When fewer than two elements of the materials are in the table, or all are zero.

    References
    ----------
    Aitchison, The Statistical Analysis of Compositional Data, Chapman & Hall 1986.
    """
    names = tuple(elements)
    p, e = np.asarray(atomic_percent, dtype=float), np.asarray(error, dtype=float)
    if not len(names) == len(p) == len(e):
        raise DataError(f"EDX: {len(names)} elements, {len(p)} values, {len(e)} errors; expected as many of each")
    notes: list[str] = []
    total = float(p.sum())
    if abs(total - 100.0) > _ROUNDING_PERCENT:
        notes.append(f"EDX: the percentages sum to {total:.4g}, not to 100; they were renormalised")
    if expected_elements:
        keep = np.array([n in expected_elements for n in names], dtype=bool)
        foreign = [f"{n} {v:.3g} %" for n, v, k in zip(names, p, keep, strict=True) if not k]
        lacking = sorted(set(expected_elements) - set(names))
        if foreign:
            notes.append(
                f"EDX: {', '.join(foreign)} belong to neither material (solvent, ligands, support?) and were left out; "
                "the others were renormalised"
            )
        if lacking:
            notes.append(
                f"EDX: {', '.join(lacking)} of the materials is not in the table: taken as unknown, not as zero; only "
                "the ratios of the others are used"
            )
        names, p, e = tuple(n for n, k in zip(names, keep, strict=True) if k), p[keep], e[keep]
    if len(names) < 2 or p.sum() <= 0:
        raise DataError(
            f"EDX: {len(names)} element(s) of the materials with a sum of {p.sum():g} %; a composition needs at least "
            f"two, of: {', '.join(sorted(expected_elements)) or 'any'}"
        )
    fraction, covariance = _close(p, np.diag(e**2))
    before = origin or Origin()
    return Composition(
        elements=names,
        atomic_fraction=tuple(float(v) for v in fraction),
        covariance=tuple(tuple(float(v) for v in row) for row in covariance),
        origin=Origin(
            file=before.file,
            sha256=before.sha256,
            unit_read=before.unit_read,
            stage=f"measure_composition {VERSION}",
            notes=(*before.notes, *notes),
        ),
    )


def element_ratio(measured: Composition, numerator: str, denominator: str) -> tuple[float, float]:
    """Ratio of two elements and its standard deviation, closure's covariance included.

    Raises
    ------
    DataError
        When an element is not in the composition, or the denominator is zero.
    """
    for symbol in (numerator, denominator):
        if symbol not in measured.elements:
            raise DataError(f"EDX: no {symbol} in the table; it has {', '.join(measured.elements)}")
    i, j = measured.elements.index(numerator), measured.elements.index(denominator)
    a, b = measured.atomic_fraction[i], measured.atomic_fraction[j]
    if b <= 0:
        raise DataError(f"EDX: {denominator} is zero; the ratio {numerator}:{denominator} is not defined")
    c = np.array(measured.covariance)
    gradient = np.array([1.0 / b, -a / b**2])
    variance = gradient @ c[np.ix_([i, j], [i, j])] @ gradient
    return a / b, math.sqrt(max(float(variance), 0.0))


def mean_shell_fraction(
    measured: Composition,
    solid: Solid,
    *,
    elements: Literal["all", "exchanged"] = "all",
    stoichiometry_error: float = 0.0,
) -> MeanShellFraction:
    r"""Mean x over the shared sites from element fractions.

    The solid has :math:`n_i(x) = a_i + (b_i - a_i) x` atoms of element i per shared site, so that a particle of mean
    x (over sites) has exactly the fractions :math:`n_i(x) / \sum_j n_j(x)`, however x varies inside. x minimises

    .. math:: \chi^2 = (f - f(x))^T C^{+} (f - f(x))

    with the covariance C of closure, plus :math:`J\,\mathrm{diag}((\epsilon n_i)^2)\,J^T` for end members whose
    stoichiometry is only known to the relative error :math:`\epsilon`.

    Real cores need not lie on the line between the end members: the core of Ag2In4Se7 dots was measured as Ag 19.8,
    In 31.5, Se 48.7 (10.1038/s41598-017-11996-2), a cation excess of 17 % over the formula. Each way through the
    elements then gives another x: Zn against Se stays right when the excess is real (surface cations), Zn against the
    other cations when the anion is measured wrongly. Nothing in the table decides between them. So ``"all"`` weighs
    all elements, and where chi2 says that the composition is off the line (p < 0.05), sigma is multiplied by
    sqrt(chi2 / degrees of freedom), the x of the exchanged elements alone is stated beside it, and a note says so.

    Parameters
    ----------
    measured : element fractions with covariance
    solid : gives atoms per shared site, linear in x
    elements : "all", or "exchanged": only those whose number changes with x (blind to excess or deficit of the others)
    stoichiometry_error : relative standard deviation of each element's number in the end members

    Returns
    -------
    MeanShellFraction
        ``(value, sigma, notes)``. The value is not clipped: it may lie outside 0..1 by its error, which a note says.

    Raises
    ------
    DataError
        When fewer than two of the solid's elements are in the composition, or their ratios do not change with x.
    PhysicsError
        When the solid has one material only.
    """
    a = {k: float(np.asarray(v).ravel()[0]) for k, v in solid.elements_per_site(np.array([0.0])).items()}
    b = {k: float(np.asarray(v).ravel()[0]) for k, v in solid.elements_per_site(np.array([1.0])).items()}
    exchanged = [k for k in a if abs(b[k] - a[k]) > 1e-9]
    if not exchanged:
        raise PhysicsError("one material only: no element count depends on x, so EDX cannot tell x")
    if elements not in ("all", "exchanged"):
        raise DataError(f"elements: expected 'all' or 'exchanged', got {elements!r}")
    notes: list[str] = []
    foreign = [k for k in measured.elements if k not in a]
    if foreign:
        notes.append(f"EDX: {', '.join(foreign)} is in neither material and was left out; the others were renormalised")
    x, sigma, chi2, dof, used = _fit_x(measured, a, b, exchanged if elements == "exchanged" else a, stoichiometry_error)
    if dof > 0:
        from scipy.stats import chi2 as chi2_distribution

        if float(chi2_distribution.sf(chi2, dof)) < _OFF_LINE_P:
            factor = math.sqrt(chi2 / dof)
            sigma *= factor
            notes.append(
                f"EDX: the composition is not a mixture of the two end members within its errors (chi2 {chi2:.1f} for "
                f"{dof} degree(s) of freedom; {_largest_misfit(measured, a, b, x, used)}); sigma of x was multiplied "
                f"by {factor:.2f}. Check the formulas of the materials against the measured core"
            )
            notes += _other_way(measured, a, b, exchanged, used, stoichiometry_error)
    beyond = max(-x, x - 1.0)
    if beyond > 1e-6:
        why = "its errors allow that" if beyond < 2.0 * sigma else "check the formulas of the materials and the errors"
        notes.append(f"EDX: mean x comes out as {x:.3f} +- {sigma:.3f}, outside 0..1, where no mixture lies; {why}")
    return MeanShellFraction(x, sigma, tuple(notes))


# ------------------------------------------------------------------------------------------------------- inner


def _close(p: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fractions p / sum(p) and their covariance."""
    total = p.sum()
    f = p / total
    j = (np.eye(len(p)) - np.outer(f, np.ones(len(p)))) / total
    return f, j @ covariance @ j.T


def _fit_x(
    measured: Composition,
    a: Mapping[str, float],
    b: Mapping[str, float],
    wanted: Collection[str],
    stoichiometry_error: float,
) -> tuple[float, float, float, int, tuple[str, ...]]:
    """Generalised least squares: x, sigma, chi2, degrees of freedom, elements used."""
    used = tuple(k for k in measured.elements if k in wanted)
    at = [measured.elements.index(k) for k in used]
    n0, slope = np.array([a[k] for k in used]), np.array([b[k] - a[k] for k in used])
    f0 = np.array(measured.atomic_fraction)[at]
    # The direction of the fractions does not change with x where both end members have the same ratios.
    parallel = len(used) < 2 or np.linalg.matrix_rank(np.stack([n0, n0 + slope]), tol=1e-9) < 2
    if parallel or f0.sum() <= 0:
        raise DataError(
            f"EDX: the elements {', '.join(used) or '(none)'} do not tell x: their ratios are the same in both "
            f"materials (or nothing was found of them); the materials have {', '.join(a)}"
        )
    f, c = _close(f0, np.array(measured.covariance)[np.ix_(at, at)])

    def weight_at(x: float) -> FloatArray:
        n = n0 + slope * x
        extra = _close(n, np.diag((stoichiometry_error * n) ** 2))[1]
        return np.asarray(np.linalg.pinv(c + extra, rcond=1e-10, hermitian=True))

    # Atoms per site must not go below zero by more than an error; x far outside 0..1 is a wrong material anyway.
    grid = np.linspace(*_X_SEARCH, 401)
    totals = n0.sum() + slope.sum() * grid
    grid = grid[totals > 0.05 * max(n0.sum(), (n0 + slope).sum())]
    w = weight_at(0.5)
    residual = [f - (n0 + slope * x) / (n0.sum() + slope.sum() * x) for x in grid]
    x = float(grid[int(np.argmin([r @ w @ r for r in residual]))])
    low, high = float(grid[0]), float(grid[-1])
    for _ in range(30):
        w = weight_at(min(max(x, 0.0), 1.0))
        total = n0.sum() + slope.sum() * x
        model = (n0 + slope * x) / total
        derivative = (slope - model * slope.sum()) / total
        step = float(derivative @ w @ (f - model)) / float(derivative @ w @ derivative)
        x = min(max(x + step, low), high)
        if abs(step) < 1e-10:
            break
    r = f - (n0 + slope * x) / (n0.sum() + slope.sum() * x)
    sigma = 1.0 / math.sqrt(float(derivative @ w @ derivative))
    return x, sigma, float(r @ w @ r), len(used) - 2, used


def _largest_misfit(
    measured: Composition, a: Mapping[str, float], b: Mapping[str, float], x: float, used: tuple[str, ...]
) -> str:
    f = np.array([measured.atomic_fraction[measured.elements.index(k)] for k in used])
    f = 100.0 * f / f.sum()
    n = np.array([a[k] + (b[k] - a[k]) * x for k in used])
    n = 100.0 * n / n.sum()
    i = int(np.argmax(np.abs(f - n)))
    return f"largest misfit: {used[i]} measured {f[i]:.1f} %, mixture {n[i]:.1f} %"


def _other_way(
    measured: Composition,
    a: Mapping[str, float],
    b: Mapping[str, float],
    exchanged: list[str],
    used: tuple[str, ...],
    stoichiometry_error: float,
) -> list[str]:
    """Say what x the exchanged elements alone give, where that is another set and tells x."""
    if set(used) <= set(exchanged):
        return []
    try:
        x, sigma, *_ = _fit_x(measured, a, b, exchanged, stoichiometry_error)
    except DataError:
        return []
    names = ", ".join(k for k in measured.elements if k in exchanged)
    return [f"EDX: the exchanged elements alone ({names}) give mean x = {x:.3f} +- {sigma:.3f}"]
