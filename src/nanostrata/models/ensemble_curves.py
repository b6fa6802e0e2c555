"""Curves that an ensemble of atoms predicts, and by how much they may be corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import Composition, ScatteringCurve
from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.build_posterior import PriorKnowledge, nuisance_templates
from nanostrata.models.density import SolidSolution
from nanostrata.models.ligand_curve import ligand_excess
from nanostrata.models.particle_options import Ligand
from nanostrata.models.posterior import shape_modes
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.models.smearing import smearing_points
from nanostrata.tables.factors import FactorTable

PROJECTION_SIGMA = 0.05
"""Standard deviation of an aspect ratio from TEM as a statement about the body: micrographs show projections."""

_MOST_Q = 400


FORM_DEGREE, FORM_ERROR = 4, 0.005
"""Number of smooth deviations of the sample from the built particles, and the size of each: both are made of atoms, so
fewer and smaller than in the fit."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Curves of the ensemble and how far a few particles may be off.

    Attributes
    ----------
    particles : (m, n) curve of each particle, electrons squared, all curves one after the other
    mean : (n,) their mean by number
    patterns : (n, m) error patterns of the mean, one for each particle; their squares add up to its variance
    laue : (n_curve,) Laue scattering of the mean composition, electrons squared
    ligand : (n, k) change of the mean by one standard deviation of thickness and density of the ligand shell
    """

    particles: FloatArray
    mean: FloatArray
    patterns: FloatArray
    laue: FloatArray
    ligand: FloatArray


def predict(
    ensemble: AtomEnsemble,
    solid: SolidSolution,
    factors: FactorTable,
    curves: Sequence[ScatteringCurve],
    *,
    smearing: str | float = "none",
    b_factor_nm2: float = 0.0,
    ligand: Ligand | None = None,
) -> Prediction:
    r"""Curves of the ensemble at the measured points, and the error that so few particles make.

    The intensity of particle p is compared with the shell model of its own size and the ensemble's mean composition and
    aspect ratio, :math:`\delta = I_p / I_p^{shell} - 1`. What all particles share (the surface of cut crystals) is part of
    the prediction; how they differ is its error, :math:`e_p = w_p I_p^{shell} (\delta_p - \bar\delta) \sqrt{n/(n-1)}`.
    Where all particles have one outline that is no spheroid, the shell model is first given the form that the other
    particles show, see :func:`form_of_the_others`.

    Atoms carry no ligand: what it adds to the curve of each particle is that of the shell model.
    """
    points = [smearing_points(c, smearing) for c in curves]
    wanted = [c.q_inv_nm if p is None else p[0].ravel() for c, p in zip(curves, points, strict=True)]
    q = np.unique(np.concatenate(wanted))
    dense = q if len(q) <= _MOST_Q else np.linspace(q[0], q[-1], _MOST_Q)
    energies = sorted({float(c.energy_kev or 0.0) for c in curves})
    medium = solid.medium.electron_density_e_nm3
    atoms = particle_intensities(
        ensemble.particles, factors, energies, dense, medium, b_factor_nm2,
        medium_model="body" if ensemble.body == "spheroid" else "points",
    )  # fmt: skip
    x = ensemble.weights @ ensemble.shell_fraction
    shells = np.empty_like(atoms)
    for d in np.unique(ensemble.diameter_nm):
        here = ensemble.diameter_nm == d
        for k, e in enumerate(energies):
            shells[here, k] = spheroid_curve(
                dense, solid, factors, e, diameter_nm=float(d), aspect_ratio=ensemble.aspect_mean, shell_fraction=x
            )
    if ensemble.body != "spheroid":
        for k in range(len(energies)):
            shells[:, k] *= form_of_the_others(dense, ensemble.diameter_nm, ensemble.weights, atoms[:, k], shells[:, k])
    changes: list[FloatArray] = []
    if ligand is not None:
        extra, changes = _ligand(ensemble, solid, factors, energies, dense, x, ligand)
        atoms, shells = atoms + extra, shells + extra
    rows_atoms, rows_shells = [], []
    for c, p in zip(curves, points, strict=True):
        k = energies.index(float(c.energy_kev or 0.0))
        rows_atoms.append(_at(dense, atoms[:, k], c.q_inv_nm, p))
        rows_shells.append(_at(dense, shells[:, k], c.q_inv_nm, p))
    own, shell = np.concatenate(rows_atoms, axis=1), np.concatenate(rows_shells, axis=1)
    w = ensemble.weights[:, None]
    shared = (w * (own - shell)).sum(axis=0) / (w * shell).sum(axis=0)
    n = len(ensemble)
    patterns = w * (own - shell * (1.0 + shared)) * np.sqrt(n / (n - 1)) if n > 1 else np.zeros((0, own.shape[1]))
    mean_volume = float(ensemble.weights @ np.array([p.site_volume_nm3.sum() for p in ensemble.particles]))
    per_volume = [
        float(solid.laue_per_site(x, factors, float(c.energy_kev or 0.0)).mean() / solid.site_volume_nm3(x).mean()) for c in curves
    ]  # fmt: skip
    moved = [
        np.concatenate([
            _at(dense, change[None, energies.index(float(c.energy_kev or 0.0))], c.q_inv_nm, p)[0]
            for c, p in zip(curves, points, strict=True)
        ])
        for change in changes
    ]  # fmt: skip
    return Prediction(
        particles=own, mean=(w * own).sum(axis=0), patterns=patterns.T, laue=mean_volume * np.array(per_volume),
        ligand=np.stack(moved, axis=1) if moved else np.zeros((own.shape[1], 0)),
    )  # fmt: skip


def form_of_the_others(
    q: FloatArray, diameter_nm: FloatArray, weights: FloatArray, atoms: FloatArray, shells: FloatArray
) -> FloatArray:
    r"""Curve of a body over that of the spheroid, as a function of :math:`x = qD`, from all particles but one each.

    .. math:: c_p(q) = \frac{\sum_{j \ne p} w_j I_j(q D_p / D_j)}{\sum_{j \ne p} w_j I_j^{shell}(q D_p / D_j)}

    Bodies of one outline scatter alike on this scale. Leaving the particle itself out, its own accidents stay in the
    difference. Beyond what the others reach, the last value is kept: the error there comes out too large.

    Parameters
    ----------
    q : (n_q,) increasing
    diameter_nm, weights : (n,)
    atoms, shells : (n, n_q) curves of the particles, and of spheroids of their size

    Returns
    -------
    (n, n_q) factor on the curve of each spheroid; 1 for a single particle
    """
    n = len(diameter_nm)
    if n == 1:
        return np.ones_like(shells)
    x = np.linspace(q[0] * diameter_nm.min(), q[-1] * diameter_nm.max(), 4 * len(q))
    tops, bottoms = (
        np.array(
            [
                w * np.interp(x, q * d, row, left=0.0, right=0.0)
                for w, d, row in zip(weights, diameter_nm, rows, strict=True)
            ]
        )
        for rows in (atoms, shells)
    )
    out = np.empty_like(shells)
    for p, d in enumerate(diameter_nm):
        top, bottom = np.delete(tops, p, axis=0).sum(axis=0), np.delete(bottoms, p, axis=0).sum(axis=0)
        seen = bottom > 0.0
        out[p] = np.interp(q * d, x[seen], top[seen] / bottom[seen])
    return out


def _ligand(
    ensemble: AtomEnsemble, solid: SolidSolution, factors: FactorTable, energies: Sequence[float], q: FloatArray, x: FloatArray,
    ligand: Ligand,
) -> tuple[FloatArray, list[FloatArray]]:  # fmt: skip
    """What the ligand adds to each particle (n, n_energy, n_q), and the change of its mean by one standard deviation."""

    def added(one: Ligand) -> FloatArray:
        out = np.empty((len(ensemble), len(energies), len(q)))
        for d in np.unique(ensemble.diameter_nm):
            here = ensemble.diameter_nm == d
            for k, e in enumerate(energies):
                out[here, k] = ligand_excess(
                    q, solid, factors, e, one, diameter_nm=float(d), aspect_ratio=ensemble.aspect_mean, shell_fraction=x
                )
        return out

    extra = added(ligand)
    mean = np.tensordot(ensemble.weights, extra, axes=1)
    changes = [
        np.tensordot(ensemble.weights, added(one), axes=1) - mean
        for one in (ligand.thicker(), ligand.denser())
        if one is not None
    ]
    return extra, changes


def _at(
    dense: FloatArray, values: FloatArray, q: FloatArray, spread: tuple[FloatArray, FloatArray] | None
) -> FloatArray:
    """Values (m, n_dense) at the points of a curve, smeared where asked for."""
    if spread is None and np.isin(q, dense).all():
        return np.asarray(values[:, np.searchsorted(dense, q)])
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(dense, values, axis=1)
    if spread is None:
        return np.asarray(spline(q))
    return np.asarray((spline(spread[0].ravel()).reshape(len(values), *spread[0].shape) * spread[1]).sum(axis=2))


def corrections_of(
    p: Prediction, curves: Sequence[ScatteringCurve], index: IntArray, q: FloatArray, scale: float, known: PriorKnowledge, own_scale: bool
) -> tuple[list[tuple[str, FloatArray]], FloatArray]:  # fmt: skip
    """Patterns of all corrections times their prior standard deviations, and the sum of their prior means.

    Parameters
    ----------
    index : (n,) which curve each point belongs to
    scale : electrons squared -> data units
    own_scale : every curve has a free scale, so that none has a prior
    """
    form = scale * p.mean
    out: list[tuple[str, FloatArray]] = []
    fixed = np.zeros(len(form))
    for i, c in enumerate(curves):
        here = index == i
        if known.scale_uncertainty > 0 and len(curves) > 1 and not own_scale:
            out.append((f"scale of {c.label}", np.where(here, known.scale_uncertainty * form, 0.0)))
        for t in nuisance_templates(i, c, known, scale * float(p.laue[i])):
            values = np.zeros(len(form))
            values[here] = t.values
            fixed += t.mean * values
            out.append((f"{t.name.rsplit('_', 1)[0]} of {c.label}", t.sd * values))
    for j, mode in enumerate(shape_modes(q, FORM_DEGREE if known.shape_error > 0 else 0).T):
        out.append((f"shape error {j + 1}", FORM_ERROR * form * mode))
    out += [(f"ligand {j + 1}", scale * change) for j, change in enumerate(p.ligand.T)]
    out += [(f"particle {j + 1}", scale * pattern) for j, pattern in enumerate(p.patterns.T)]
    if not out:
        out.append(("none", np.zeros(len(form))))
    return out, fixed


def alone(known: PriorKnowledge) -> PriorKnowledge:
    """Priors for a curve with a scale of its own."""
    return PriorKnowledge(
        sizes=known.sizes, scale_uncertainty=0.0, background=known.background, shape_error=known.shape_error,
        contrast_errors=known.contrast_errors,
    )  # fmt: skip


def element_shares(ensemble: AtomEnsemble, composition: Composition) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Atoms of the measured elements in every particle (m, k), their shares (k,), and the covariance of the comparison (k, k).

    The covariance is that of the measurement and of so few particles (delta method for a ratio of sums).
    """
    counts = np.array([[p.counts.get(e, 0) for e in composition.elements] for p in ensemble.particles], dtype=float)
    w = ensemble.weights
    total = w @ counts
    share = total / total.sum()
    n = len(ensemble)
    spread = w[:, None] * (counts - share * counts.sum(axis=1, keepdims=True)) / total.sum()
    covariance = np.array(composition.covariance) + (spread.T @ spread * n / (n - 1) if n > 1 else 0.0)
    return counts, share, covariance
