"""Hold an ensemble of atoms against every measurement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nanostrata.domain import Composition, ScatteringCurve, SizeDistribution
from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.domain.verification import DataSet, Verification, VerifiedCurve, verdict_sentence
from nanostrata.errors import PhysicsError
from nanostrata.kernels.predictive import Predictive, predictive_chi2
from nanostrata.models.build_posterior import PriorKnowledge
from nanostrata.models.density import SolidSolution
from nanostrata.models.ensemble_curves import alone, corrections_of, element_shares, predict
from nanostrata.models.ensemble_weights import share_misfit, size_misfit
from nanostrata.tables.factors import FactorTable

VERSION = "1"


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
        found.append(_curves("saxs", ensemble, solid, factors, alone(known), [saxs], smearing, b_factor_nm2, notes))
    if sizes is not None:
        found.append(_tem(ensemble, sizes))
    if composition is not None:
        found.append(_edx(ensemble, composition))
    if not found:
        raise PhysicsError("verify: there is no measurement to compare the atoms with")
    return Verification(data_sets=tuple(found), notes=tuple(notes))


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
        patterns, fixed = corrections_of(p, curves, index, q, scale, known, own_scale)
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


def _tem(ensemble: AtomEnsemble, sizes: SizeDistribution) -> DataSet:
    """Mean, width and aspect ratio as built against the micrographs."""
    from scipy.stats import chi2 as law

    misfit = size_misfit(ensemble, sizes)
    w, built = ensemble.weights, misfit.diameter_nm
    mean = float(w @ built)
    numbers = {"atoms.diameter_mean_nm": mean, "tem.diameter_mean_nm": sizes.mean_nm}
    if misfit.std is not None:
        std = float(np.sqrt(w @ (built - mean) ** 2))
        numbers |= {"atoms.diameter_std_nm": std, "tem.diameter_std_nm": sizes.std_nm}
    if sizes.aspect_ratio is not None:
        numbers |= {"atoms.aspect_ratio": float(w @ ensemble.aspect_ratio), "tem.aspect_ratio": sizes.aspect_ratio}
    chi2, dof = misfit.chi2(w)[0], misfit.dof
    p = float(law.sf(chi2, dof))
    return DataSet(
        name="tem", chi2=chi2, dof=dof, p=p, numbers=numbers,
        sentence=verdict_sentence("TEM", chi2, dof, p, f"mean {mean:.2f} nm against {sizes.mean_nm:.2f} ± {sizes.mean_sigma_nm:.2f} nm"),
    )  # fmt: skip


def _edx(ensemble: AtomEnsemble, composition: Composition) -> DataSet:
    """Element fractions of the atoms against EDX, with the covariance that closure to 100 % leaves."""
    from scipy.stats import chi2 as law

    names = composition.elements
    _, share, covariance = element_shares(ensemble, composition)
    rest = share - np.array(composition.atomic_fraction)
    misfit = share_misfit(ensemble, composition)
    chi2, dof = misfit.chi2(ensemble.weights)[0], misfit.dof
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
