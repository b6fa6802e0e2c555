"""Hold an ensemble of atoms against a wide-angle pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import DataSet, VerifiedCurve, verdict_sentence
from nanostrata.errors import PhysicsError
from nanostrata.kernels.predictive import Predictive, predictive_chi2
from nanostrata.models.ensemble_pattern import (
    FORM_DEGREE,
    LATTICE_REACH,
    LOWEST_Q,
    background_degree,
    ensemble_pattern,
    pattern_errors,
    smooth_background,
)
from nanostrata.tables.factors import FactorTable

VERSION = "1"

LARGEST_B_NM2 = 0.06


def verify_wide_angle(
    ensemble: AtomEnsemble,
    factors: FactorTable,
    curve: ScatteringCurve,
    *,
    instrument_sigma_inv_nm: float = 0.0,
    backgrounds: Sequence[tuple[str, FloatArray]] = (),
) -> DataSet:
    r"""Compare the powder pattern of the atoms with a measured one.

    The pattern is the weighted sum of the exact orientation averages of all particles, blurred by the instrument. Free are
    its scale, a background (a polynomial with one degree for every 3.5 1/nm, and the scales of measured ones), one Debye-Waller factor

    .. math:: I(q) \to I(q)\, e^{-2 B (q/4\pi)^2}, \qquad 0 \le B \le 0.06\ \mathrm{nm}^2

    and one factor on all distances within 3 %, which is reported: it says how far the lattice constants as built are off.
    With priors: four smooth relative deviations of 1 %, and the error that so few particles make (what does not follow
    their size smoothly). :math:`\chi^2` then follows its law for a true ensemble, see
    :func:`nanostrata.kernels.predictive.predictive_chi2`.

    Parameters
    ----------
    ensemble : the atoms
    curve : with its energy; points below 6 1/nm are left to the small-angle curves
    instrument_sigma_inv_nm : Gaussian width of the instrument, one standard deviation
    backgrounds : (name, values on the curve's q) of measured backgrounds

    Returns
    -------
    DataSet
        Named "waxs"; ``numbers`` hold r_w, the factor on distances and B.

    Raises
    ------
    PhysicsError
        When the curve lacks its energy, or hardly a point is left above 6 1/nm.

    Notes
    -----
    The medium between the particles is smooth on these scales: its displaced volume scatters at small angles only. The
    background takes what is smooth, so only peaks and their feet are compared.
    """
    if curve.energy_kev is None:
        raise PhysicsError(f"{curve.label}: the energy is missing; write waxs.energy_kev")
    used = curve.q_inv_nm >= LOWEST_Q
    free_numbers = background_degree(curve.q_inv_nm[used]) + 4 + len(backgrounds)
    if used.sum() < 2 * free_numbers:
        raise PhysicsError(
            f"{curve.label}: {int(used.sum())} points above {LOWEST_Q:g} 1/nm; the comparison with atoms has {free_numbers} free "
            f"numbers and needs at least {2 * free_numbers} points"
        )
    q, data, sigma = curve.q_inv_nm[used], curve.intensity[used], curve.sigma[used]
    dense = ensemble_pattern(ensemble, factors, curve.energy_kev, q, instrument_sigma_inv_nm)
    smooth = smooth_background(q)
    measured = (
        np.stack([values[used] for _, values in backgrounds], axis=1) if len(backgrounds) else np.zeros((len(q), 0))
    )

    def compared(stretch: float, b_nm2: float) -> tuple[Predictive, FloatArray, FloatArray]:
        own = dense.at(q, stretch, b_nm2)
        mean = dense.weights @ own
        free = np.column_stack([mean, smooth * np.abs(data).mean(), measured])
        scale = 0.0
        for _ in range(2):  # the patterns with a prior are relative to the scale
            bound = pattern_errors(dense, own, mean, q, scale)
            result = predictive_chi2(data, sigma, np.zeros(len(q)), free, bound)
            scale = float(result.free[0])
        return result, mean, bound

    stretch, b_nm2 = _best(compared)
    result, mean, bound = compared(stretch, b_nm2)
    dof = result.dof - 2
    return _data_set(curve, q, data, sigma, result, mean, bound, dof, stretch, b_nm2, ensemble)


def _best(compared: object) -> tuple[float, float]:
    """Factor on distances and B with the smallest chi2: a grid, since peaks make many minima, then a search."""
    from scipy.optimize import minimize

    def cost(p: FloatArray) -> float:
        return float(compared(float(p[0]), float(p[1]))[0].chi2)  # type: ignore[operator]

    grid = [(s, b) for s in np.linspace(1.0 - LATTICE_REACH, 1.0 + LATTICE_REACH, 25) for b in (0.0, 0.012)]
    start = min(grid, key=lambda p: cost(np.array(p)))
    found = minimize(
        cost, np.array(start), method="Nelder-Mead",
        bounds=[(1.0 - LATTICE_REACH, 1.0 + LATTICE_REACH), (0.0, LARGEST_B_NM2)],
        options={"xatol": 1e-5, "fatol": 0.02, "initial_simplex": np.array(start) + np.array([[0, 0], [0.002, 0], [0, 0.004]])},
    )  # fmt: skip
    return float(found.x[0]), float(found.x[1])


def _data_set(
    curve: ScatteringCurve, q: FloatArray, data: FloatArray, sigma: FloatArray, result: Predictive, mean: FloatArray,
    bound: FloatArray, dof: int, stretch: float, b_nm2: float, ensemble: AtomEnsemble,
) -> DataSet:  # fmt: skip
    from scipy.stats import chi2 as law

    p = float(law.sf(result.chi2, dof))
    rest = (data - result.fit) / sigma
    peaks = result.free[0] * mean
    background = result.fit - peaks - bound @ result.bound
    r_w = float(np.sqrt(np.sum(rest**2) / np.sum(((data - background) / sigma) ** 2)))
    particles = bound[:, FORM_DEGREE:]
    error = np.sqrt((particles**2).sum(axis=1)) if particles.shape[1] else np.zeros(len(q))
    verified = VerifiedCurve(
        label=curve.label, energy_kev=float(curve.energy_kev or 0.0), q_inv_nm=q, intensity=data, sigma=sigma, atoms=result.fit,
        bare=peaks + background, model_error=error, chi2_reduced=float(np.mean(rest**2)),
    )  # fmt: skip
    size = f"{len(q)} points; R_w {100 * r_w:.1f} %; distances {100 * (stretch - 1.0):+.2f} %"
    corrections = sorted(
        ((f"smooth deviation {j + 1}", float(b)) for j, b in enumerate(result.bound[:FORM_DEGREE])),
        key=lambda item: -abs(item[1]),
    )
    return DataSet(
        name="waxs", chi2=result.chi2, dof=dof, p=p, curves=(verified,), corrections=tuple(corrections),
        sentence=verdict_sentence("WAXS", result.chi2, dof, p, size),
        numbers={
            "r_w": r_w, "distance_factor": stretch, "b_nm2": b_nm2, "scale": float(result.free[0]), "points": float(len(q)),
            "particles": float(len(ensemble)),
        },
    )  # fmt: skip
