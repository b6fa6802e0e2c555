"""Hold an ensemble of atoms against every measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import Composition, ScatteringCurve, SizeDistribution
from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import DataSet, Verification, VerifiedCurve, verdict_sentence
from nanostrata.errors import PhysicsError
from nanostrata.kernels.predictive import Predictive, predictive_chi2
from nanostrata.models.atom_cloud import particle_intensities
from nanostrata.models.build_posterior import PriorKnowledge, nuisance_templates
from nanostrata.models.density import SolidSolution
from nanostrata.models.ligand_curve import ligand_excess
from nanostrata.models.particle_options import Ligand
from nanostrata.models.posterior import shape_modes
from nanostrata.models.shell_curve import spheroid_curve
from nanostrata.models.smearing import smearing_points
from nanostrata.tables.factors import FactorTable

VERSION = "1"

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
    mean : (n,) electrons squared, all curves one after the other
    patterns : (n, m) error patterns of the mean, one for each particle; their squares add up to its variance
    laue : (n_curve,) Laue scattering of the mean composition, electrons squared
    ligand : (n, k) change of the mean by one standard deviation of thickness and density of the ligand shell
    """

    mean: FloatArray
    patterns: FloatArray
    laue: FloatArray
    ligand: FloatArray


def verify(
    ensemble: AtomEnsemble,
    solid: SolidSolution,
    factors: FactorTable,
    known: PriorKnowledge,
    curves: Sequence[ScatteringCurve],
    *,
    saxs: ScatteringCurve | None = None,
    sizes: SizeDistribution | None = None,
    composition: Composition | None = None,
    smearing: str | float = "none",
    b_factor_nm2: float = 0.0,
) -> Verification:
    r"""Compare the atoms with ASAXS at all energies, SAXS, TEM sizes and EDX.

    For curves the prediction is the weighted sum of the exact orientation averages of all particles, times a free common
    scale. It may be corrected within stated priors: a factor per energy (``known.scale_uncertainty``), the constant and
    the measured backgrounds of each curve, four smooth relative deviations common to all energies
    (0.5 %: the spread of shapes that few particles cannot show; none where ``known.shape_error`` is 0), and the statistical error of the
    ensemble itself. The corrections are marginalised, so that

    .. math:: \chi^2 = r^T (\Sigma + B B^T)^{-1} r

    follows the law of chi2 for a true ensemble. The error of the ensemble, estimated from how its particles differ from
    their own shell model, carries the surface (where the lattice is cut) and the choice of sites; the Laue scattering
    of the alloy is in the atoms themselves.

    Parameters
    ----------
    ensemble : the atoms
    known : priors of scale, background and shape error, as for the fit
    curves : ASAXS, each with its energy
    saxs : one more curve with a scale of its own; needs its energy
    sizes : from TEM; mean, width and aspect ratio are compared (the aspect ratio with 0.05 for projection)
    composition : from EDX; all element fractions with their covariance
    b_factor_nm2 : Debye-Waller factor of the atoms

    Returns
    -------
    Verification

    Raises
    ------
    PhysicsError
        When there is nothing to compare with, or a curve lacks its energy.

    Notes
    -----
    Where the atoms were built from a fit to the same data, the test is cautious: the fit has already used up some of
    the freedom, so that p comes out too high, never too low.
    """
    notes = [
        f"{len(ensemble)} particles of {len(np.unique(ensemble.diameter_nm.round(6)))} diameters, weighted so that they stand "
        f"for all sizes to {100 * ensemble.quadrature_error:.2g} % of the intensity"
        if ensemble.quadrature_error > 0
        else f"{len(ensemble)} particles of one diameter"
    ]
    found: list[DataSet] = []
    missing = [c.label for c in (*curves, *([saxs] if saxs is not None else [])) if c.energy_kev is None]
    if missing:
        raise PhysicsError(*[f"{label}: the energy is missing; write energy_kev" for label in missing])
    if curves:
        found.append(_curves("asaxs", ensemble, solid, factors, known, curves, smearing, b_factor_nm2, notes))
    if saxs is not None:
        alone = PriorKnowledge(
            sizes=known.sizes, scale_uncertainty=0.0, background=known.background, shape_error=known.shape_error,
            contrast_errors=known.contrast_errors,
        )  # fmt: skip
        found.append(_curves("saxs", ensemble, solid, factors, alone, [saxs], smearing, b_factor_nm2, notes))
    if sizes is not None:
        found.append(_tem(ensemble, sizes))
    if composition is not None:
        found.append(_edx(ensemble, composition))
    if not found:
        raise PhysicsError("verify: there is no measurement to compare the atoms with")
    return Verification(data_sets=tuple(found), notes=tuple(notes))


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

    Atoms carry no ligand: what it adds to the curve of each particle is that of the shell model.
    """
    points = [smearing_points(c, smearing) for c in curves]
    wanted = [c.q_inv_nm if p is None else p[0].ravel() for c, p in zip(curves, points, strict=True)]
    q = np.unique(np.concatenate(wanted))
    dense = q if len(q) <= _MOST_Q else np.linspace(q[0], q[-1], _MOST_Q)
    energies = sorted({float(c.energy_kev or 0.0) for c in curves})
    medium = solid.medium.electron_density_e_nm3
    atoms = particle_intensities(ensemble.particles, factors, energies, dense, medium, b_factor_nm2)
    x = ensemble.weights @ ensemble.shell_fraction
    shells = np.empty_like(atoms)
    for d in np.unique(ensemble.diameter_nm):
        here = ensemble.diameter_nm == d
        for k, e in enumerate(energies):
            shells[here, k] = spheroid_curve(
                dense, solid, factors, e, diameter_nm=float(d), aspect_ratio=ensemble.aspect_mean, shell_fraction=x
            )
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
        mean=(w * own).sum(axis=0), patterns=patterns.T, laue=mean_volume * np.array(per_volume),
        ligand=np.stack(moved, axis=1) if moved else np.zeros((own.shape[1], 0)),
    )  # fmt: skip


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


def _curves(
    name: str, ensemble: AtomEnsemble, solid: SolidSolution, factors: FactorTable, known: PriorKnowledge,
    curves: Sequence[ScatteringCurve], smearing: str | float, b_factor_nm2: float, notes: list[str],
) -> DataSet:  # fmt: skip
    from scipy.stats import chi2 as law

    p = predict(
        ensemble,
        solid,
        factors,
        curves,
        smearing=smearing,
        b_factor_nm2=b_factor_nm2,
        ligand=known.contrast_errors.ligand,
    )
    index = np.repeat(np.arange(len(curves)), [len(c) for c in curves])
    data = np.concatenate([c.intensity for c in curves])
    sigma = np.concatenate([c.sigma for c in curves])
    q = np.concatenate([c.q_inv_nm for c in curves])
    scale = float(np.sum(p.mean * data / sigma**2) / np.sum(p.mean**2 / sigma**2))
    if scale <= 0:
        scale = float(np.median(np.abs(data)) / np.median(p.mean))
    own_scale = known.scale == "per_energy"
    free = (
        np.stack([np.where(index == i, p.mean, 0.0) for i in range(len(curves))], axis=1)
        if own_scale
        else p.mean[:, None]
    )
    result: Predictive | None = None
    patterns: list[tuple[str, FloatArray]] = []
    fixed = np.zeros(len(data))
    for _ in range(2):  # the corrections are relative to the scale: once more with the better one
        patterns, fixed = _corrections(p, curves, index, q, scale, known, own_scale)
        result = predictive_chi2(data, sigma, fixed, free, np.stack([b for _, b in patterns], axis=1))
        scale = float(np.mean(result.free)) if own_scale else float(result.free[0])
    assert result is not None
    error = abs(scale) * np.sqrt((p.patterns**2).sum(axis=1)) if p.patterns.shape[1] else np.zeros(len(data))
    chance = float(law.sf(result.chi2, result.dof))
    verified = []
    for i, c in enumerate(curves):
        here = index == i
        rest = (c.intensity - result.fit[here]) / c.sigma
        verified.append(
            VerifiedCurve(
                label=c.label, energy_kev=float(c.energy_kev or 0.0), q_inv_nm=c.q_inv_nm, intensity=c.intensity, sigma=c.sigma,
                atoms=result.fit[here], bare=(free @ result.free)[here], model_error=error[here],
                chi2_reduced=float(np.mean(rest**2)),
            )
        )  # fmt: skip
    relative = error / np.abs(result.fit)
    notes.append(
        f"{name}: the atoms' curve is known to {100 * float(np.median(relative)):.2g} % (median over q; up to "
        f"{100 * float(relative.max()):.2g} %), because the particles are {len(ensemble)} and each is cut from its lattice at another place"
        if p.patterns.shape[1]
        else f"{name}: one particle does not tell how far chance moves its curve; the verdict takes its curve as exact"
    )
    corrections = sorted(
        ((n, float(b)) for (n, _), b in zip(patterns, result.bound, strict=True) if not n.startswith("particle")),
        key=lambda item: -abs(item[1]),
    )
    return DataSet(
        name=name, chi2=result.chi2, dof=result.dof, p=chance, curves=tuple(verified), corrections=tuple(corrections),
        sentence=verdict_sentence(name.upper(), result.chi2, result.dof, chance, f"{len(curves)} curve{'s' if len(curves) > 1 else ''}, {len(data)} points"),
        numbers={"scale": scale, "points": float(len(data))},
    )  # fmt: skip


def _corrections(
    p: Prediction, curves: Sequence[ScatteringCurve], index: IntArray, q: FloatArray, scale: float, known: PriorKnowledge, own_scale: bool
) -> tuple[list[tuple[str, FloatArray]], FloatArray]:  # fmt: skip
    """Patterns of all corrections times their prior standard deviations, and the sum of their prior means."""
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


def _tem(ensemble: AtomEnsemble, sizes: SizeDistribution) -> DataSet:
    """Mean, width and aspect ratio as built against the micrographs."""
    from scipy.stats import chi2 as law

    w = ensemble.weights
    built = np.array([float(p.info["diameter_nm"]) for p in ensemble.particles])
    mean = float(w @ built)
    std = float(np.sqrt(w @ (built - mean) ** 2))
    aspect = float(w @ ensemble.aspect_ratio)
    numbers = {"atoms.diameter_mean_nm": mean, "tem.diameter_mean_nm": sizes.mean_nm}
    z = [(mean - sizes.mean_nm) / max(sizes.mean_sigma_nm, 1e-9)]
    if ensemble.diameter_std_nm > 0 and sizes.std_nm > 0:
        z.append((std - sizes.std_nm) / max(sizes.std_sigma_nm, 1e-9))
        numbers |= {"atoms.diameter_std_nm": std, "tem.diameter_std_nm": sizes.std_nm}
    if sizes.aspect_ratio is not None:
        z.append((aspect - sizes.aspect_ratio) / float(np.hypot(sizes.aspect_sigma or 0.0, PROJECTION_SIGMA)))
        numbers |= {"atoms.aspect_ratio": aspect, "tem.aspect_ratio": sizes.aspect_ratio}
    chi2 = float(np.sum(np.square(z)))
    p = float(law.sf(chi2, len(z)))
    return DataSet(
        name="tem", chi2=chi2, dof=len(z), p=p, numbers=numbers,
        sentence=verdict_sentence("TEM", chi2, len(z), p, f"mean {mean:.2f} nm against {sizes.mean_nm:.2f} ± {sizes.mean_sigma_nm:.2f} nm"),
    )  # fmt: skip


def _edx(ensemble: AtomEnsemble, composition: Composition) -> DataSet:
    """Element fractions of the atoms against EDX, with the covariance that closure to 100 % leaves."""
    from scipy.stats import chi2 as law

    names = composition.elements
    counts = np.array([[p.counts.get(e, 0) for e in names] for p in ensemble.particles], dtype=float)
    w = ensemble.weights
    total = w @ counts
    share = total / total.sum()
    # delta method for a ratio of sums: how far chance moves the shares of so few particles
    n = len(ensemble)
    spread = w[:, None] * (counts - share * counts.sum(axis=1, keepdims=True)) / total.sum()
    covariance = np.array(composition.covariance) + (spread.T @ spread * n / (n - 1) if n > 1 else 0.0)
    rest = share - np.array(composition.atomic_fraction)
    values, vectors = np.linalg.eigh(covariance)
    used = values > 1e-10 * values.max()
    chi2 = float(np.sum((vectors[:, used].T @ rest) ** 2 / values[used]))
    dof = int(used.sum())
    p = float(law.sf(chi2, dof))
    worst = int(np.argmax(np.abs(rest) / np.sqrt(np.diag(covariance))))
    return DataSet(
        name="edx", chi2=chi2, dof=dof, p=p,
        numbers={f"atoms.{e}": float(s) for e, s in zip(names, share, strict=True)}
        | {f"edx.{e}": float(f) for e, f in zip(names, composition.atomic_fraction, strict=True)},
        sentence=verdict_sentence(
            "EDX", chi2, dof, p,
            f"furthest off: {names[worst]} {100 * share[worst]:.1f} against {100 * composition.atomic_fraction[worst]:.1f} at.%",
        ),
    )  # fmt: skip
