"""Fisher information of the model of the fit: what curves that are not measured yet will tell about every shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray, IntArray
from nanostrata.domain.plan import NoiseLaw, PlanGuess
from nanostrata.errors import PhysicsError
from nanostrata.models.build_posterior import PriorKnowledge, build_posterior
from nanostrata.models.density import SolidSolution
from nanostrata.models.families import Shells
from nanostrata.models.fit_setup import FitSetup
from nanostrata.models.graded_particle import Shape, SizeKind
from nanostrata.models.plan_noise import counting_variance, fluorescence_e2
from nanostrata.models.posterior import Posterior, curve_slices
from nanostrata.tables.factors import FactorTable

__all__ = ["BOX_INFORMATION", "Information", "PlanSetup", "information", "planned_posterior"]

BOX_INFORMATION = 12.0
"""Information of a uniform prior on 0..1, taken as a Gaussian of the same variance."""


@dataclass(frozen=True, kw_only=True)
class PlanSetup:
    """Everything that a plan rests on but energies and exposures.

    Attributes
    ----------
    known : priors, as the fit gets them; only their widths matter
    shells : number of equispaced shells
    smooth_sd : the weak prior between neighbours; None = shells are independent
    dq_inv_nm : (n_q,) resolution where ``smearing`` is "dq"
    """

    solid: SolidSolution
    factors: FactorTable
    known: PriorKnowledge
    guess: PlanGuess
    noise: NoiseLaw
    q_inv_nm: FloatArray
    shells: int
    smooth_sd: float | None = None
    size_kind: SizeKind = "gaussian"
    shape: Shape = "sphere"
    smearing: str | float = "none"
    dq_inv_nm: FloatArray | None = None


@dataclass(frozen=True, kw_only=True)
class Information:
    r"""Sensitivities of curves and the priors, so that any exposures can be judged.

    Scale factor and constants of a curve belong to it alone. They are integrated out curve by curve,

    .. math:: K_c(t) = F_{ss} - F_{so} F_{oo}^{-1} F_{os}, \qquad
              \Sigma^{-1} = P + \sum_c K_c(t_c), \qquad F = J^T W(t) J + \text{own priors}

    and Sigma is the covariance of everything that the curves share; its first ``shells`` parameters are the compositions.

    Attributes
    ----------
    energies_kev : (n_curve,)
    shells : number of compositions
    by_shared, by_own : sensitivities of each curve's points, data units, (p, s) and (p, o)
    counting : variance of the points after one second; ``floor`` what stays, (p,)
    prior, own_prior : information of the priors, (s, s) and (o, o)
    """

    energies_kev: FloatArray
    shells: int
    by_shared: tuple[FloatArray, ...] = field(repr=False)
    by_own: tuple[FloatArray, ...] = field(repr=False)
    counting: tuple[FloatArray, ...] = field(repr=False)
    floor: tuple[FloatArray, ...] = field(repr=False)
    prior: FloatArray = field(repr=False)
    own_prior: tuple[FloatArray, ...] = field(repr=False)

    def of_curve(self, index: int, exposure_s: float) -> tuple[FloatArray, FloatArray]:
        """Information K of one curve (s, s), and its sensitivities with what only it knows taken out, (p, s)."""
        by_shared, by_own = self.by_shared[index], self.by_own[index]
        if exposure_s <= 0:
            return np.zeros((by_shared.shape[1],) * 2), by_shared
        weight = 1.0 / (self.counting[index] / exposure_s + self.floor[index])
        own = (by_own * weight[:, None]).T @ by_own + self.own_prior[index]
        cross = (by_own * weight[:, None]).T @ by_shared
        solved = np.linalg.solve(own, cross)
        left = by_shared - by_own @ solved
        total = (by_shared * weight[:, None]).T @ by_shared - cross.T @ solved
        return 0.5 * (total + total.T), left

    def total(self, exposure_s: FloatArray) -> FloatArray:
        """Inverse covariance of the shared parameters for exposures (n_curve,), without the walls."""
        out = self.prior.copy()
        for i, t in enumerate(exposure_s):
            if t > 0:
                out += self.of_curve(i, float(t))[0]
        return out

    def covariance(self, exposure_s: FloatArray, *, box: bool = False) -> FloatArray:
        """Covariance of the compositions, (shells, shells); ``box``: each wall pair as a Gaussian of its width.

        Raises
        ------
        PhysicsError
            Where curves and priors leave a combination of parameters without any information.
        """
        total = self.total(exposure_s)
        if box:
            total[: self.shells, : self.shells] += BOX_INFORMATION * np.eye(self.shells)
        return compositions(invert(total), self.shells)

    def select(self, indices: Sequence[int]) -> Information:
        """The same for some of the curves."""

        def some(parts: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
            return tuple(parts[i] for i in indices)

        return replace(
            self, energies_kev=self.energies_kev[list(indices)], by_shared=some(self.by_shared), by_own=some(self.by_own),
            counting=some(self.counting), floor=some(self.floor), own_prior=some(self.own_prior),
        )  # fmt: skip


def invert(total: FloatArray) -> FloatArray:
    """Inverse of information matrices (..., s, s), each scaled to a unit diagonal first."""
    root = np.sqrt(np.einsum("...ii->...i", total))
    if not np.all(root > 0):
        raise PhysicsError("plan: nothing is known of one of the parameters; add an energy, or state its prior")
    scaled = total / (root[..., :, None] * root[..., None, :])
    try:
        inverse = np.linalg.inv(scaled)
    except np.linalg.LinAlgError:
        inverse = np.full_like(scaled, np.nan)
    diagonal = np.einsum("...ii->...i", inverse)
    if not np.all(np.isfinite(diagonal) & (diagonal > 0)):
        raise PhysicsError(
            "plan: the curves cannot tell the parameters apart; plan at least two energies, or add [edx]"
        )
    return np.asarray(inverse / (root[..., :, None] * root[..., None, :]))


def compositions(covariance: FloatArray, shells: int) -> FloatArray:
    """Block of the compositions, symmetric."""
    block = covariance[..., :shells, :shells]
    return np.asarray(0.5 * (block + np.swapaxes(block, -1, -2)))


def information(setup: PlanSetup, energies_kev: Sequence[float]) -> Information:
    """Sensitivities at the guess for curves at these energies, with all nuisances and priors of the fit."""
    posterior, theta = planned_posterior(setup, energies_kev)
    _, jac = posterior.model(theta)
    _, prior_jac = posterior.prior_rows(theta)
    prior = prior_jac.T @ prior_jac
    owner = _owners(posterior)
    free = posterior.free.astype(bool)
    shared = np.flatnonzero(free & (owner < 0))
    noise_floor = setup.noise.floor
    parts = []
    for i, s in enumerate(curve_slices(posterior)):
        own = np.flatnonzero(free & (owner == i))
        signal = posterior.intensity[s] - posterior.template_matrix[s] @ posterior.split(theta)[5]
        floor = (noise_floor * signal) ** 2
        parts.append(
            (jac[s][:, shared], jac[s][:, own], posterior.sigma[s] ** 2 - floor, floor, prior[np.ix_(own, own)])
        )
    by_shared, by_own, counting, floors, own_prior = (tuple(column) for column in zip(*parts, strict=True))
    return Information(
        energies_kev=np.asarray(energies_kev, dtype=np.float64), shells=setup.shells, by_shared=by_shared, by_own=by_own,
        counting=counting, floor=floors, prior=prior[np.ix_(shared, shared)], own_prior=own_prior,
    )  # fmt: skip


def planned_posterior(
    setup: PlanSetup, energies_kev: Sequence[float], exposure_s: Sequence[float] | None = None
) -> tuple[Posterior, FloatArray]:
    """Posterior of curves without noise at these energies, as the fit would build it, and its parameters at the guess.

    Parameters
    ----------
    exposure_s : at each energy; default one second
    """
    family = Shells(n=setup.shells, smooth_sd=setup.smooth_sd)
    x = setup.guess.averages(setup.shells)
    size = np.array([setup.guess.diameter_mean_nm, setup.guess.diameter_std_nm])
    if setup.shape != "sphere":
        size = np.append(size, setup.guess.aspect_ratio)
    q, one = setup.q_inv_nm, np.ones(len(setup.q_inv_nm))
    blank = [
        ScatteringCurve(
            q_inv_nm=q, intensity=one, sigma=one, energy_kev=e, dq_inv_nm=setup.dq_inv_nm, label=f"{e:g} keV"
        )
        for e in energies_kev
    ]
    particle = FitSetup(
        curves=tuple(blank), solid=setup.solid, factors=setup.factors, known=setup.known, shape=setup.shape, size_kind=setup.size_kind,
        smearing=setup.smearing,
    ).particle(family)  # fmt: skip
    evaluation = particle.evaluate(x, size)
    volume = particle.mean_volume_nm3(size)
    sites = particle.shell_shares * volume / particle.site_volumes(x)[0]
    seconds = np.ones(len(blank)) if exposure_s is None else np.asarray(exposure_s, dtype=np.float64)
    curves, background = [], []
    for i, curve in enumerate(blank):
        signal = (evaluation.value + evaluation.laue)[particle.curve_index == i]
        besides = 0.0
        if setup.noise.fluorescence:
            besides = fluorescence_e2(
                setup.solid, x, sites, setup.factors, float(energies_kev[i]), setup.noise.detector_threshold
            )
        counting = counting_variance(setup.noise, q, float(energies_kev[i]), signal, besides, volume)
        sigma = np.sqrt(counting / seconds[i] + (setup.noise.floor * signal) ** 2)
        curves.append(replace(curve, intensity=signal + besides, sigma=sigma))
        background.append(besides)
    if setup.known.background == "none":
        # no constant is fitted: what is counted besides is subtracted, and only its noise stays
        curves = [replace(c, intensity=c.intensity - b) for c, b in zip(curves, background, strict=True)]
    edx = setup.known.composition
    if edx is not None:
        middle = setup.solid.mean_site_fraction(x, particle.shell_shares)
        edx = (middle, edx[1])
    known = replace(setup.known, composition=edx, subtract=())
    posterior = build_posterior(curves, particle, family, known)
    return posterior, _at_guess(posterior, x, size, background)


def _at_guess(posterior: Posterior, x: FloatArray, size: FloatArray, background: Sequence[float]) -> FloatArray:
    """Parameters at which the model is the curves themselves: electrons squared, so that every scale is 1."""
    theta = posterior.start(x)
    theta[len(x) : len(x) + len(size)] = size
    names = posterior.names
    if posterior.scale_free:
        theta[names.index("log_scale")] = -posterior.log_scale0[0]
    else:
        first = names.index("scale_0")
        theta[first : first + len(posterior.scale_prior)] = np.exp(-posterior.log_scale0) - 1.0
    for t in posterior.templates:
        theta[names.index(t.name)] = background[t.curve] if t.name.startswith("constant_") else 0.0
    return theta


def _owners(posterior: Posterior) -> IntArray:
    """Curve that each parameter belongs to; -1 for those that all curves share."""
    names = posterior.names
    owner = np.full(len(names), -1)
    first = names.index("scale_0")
    owner[first : first + len(posterior.scale_prior)] = np.arange(len(posterior.scale_prior))
    for t in posterior.templates:
        owner[names.index(t.name)] = t.curve
    return owner


def typical(variance: FloatArray) -> FloatArray:
    """Geometric mean of the standard deviations over the last axis."""
    return np.asarray(np.exp(0.5 * np.mean(np.log(variance), axis=-1)))
