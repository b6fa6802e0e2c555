"""Weights of particles that explain measurements and stay near those they were built with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nanostrata.domain import Composition, SizeDistribution
from nanostrata.domain.base import FloatArray
from nanostrata.domain.ensemble import AtomEnsemble
from nanostrata.models.ensemble_curves import PROJECTION_SIGMA, element_shares

FIRMEST, LOOSEST = 1e5, 1.0
"""Range of theta, in counted particles: weights that are held less firmly than by one particle mean nothing."""

_STEPS = 24
_HALVINGS = 10


class Misfit(Protocol):
    """Chi2 of one data set as a function of the weights."""

    @property
    def name(self) -> str:
        """Of the data set."""

    @property
    def dof(self) -> int:
        """Degrees of freedom."""

    def chi2(self, weights: FloatArray) -> tuple[float, FloatArray]:
        """Chi2, and its derivative by every weight (n,)."""


@dataclass(frozen=True, kw_only=True)
class CurveMisfit:
    r"""Curves whose scales are free.

    .. math:: \chi^2(w) = \min_a \Big| z - \sum_g a_g P_g w \Big|^2

    Attributes
    ----------
    target : (n,) z, the data over all errors, what else is free projected out
    particles : (g, n, m) P, the curve of every particle likewise; one group for each free scale
    """

    name: str
    dof: int
    target: FloatArray
    particles: FloatArray

    def chi2(self, weights: FloatArray) -> tuple[float, FloatArray]:
        """See :class:`Misfit`; the scales are at their best, so that they add nothing to the derivative."""
        columns = self.particles @ weights
        scale = np.linalg.lstsq(columns.T, self.target, rcond=None)[0]
        rest = self.target - scale @ columns
        return float(rest @ rest), -2.0 * np.einsum("g,gnm,n->m", scale, self.particles, rest)


def curve_misfit(
    name: str, dof: int, data: FloatArray, sigma: FloatArray, groups: FloatArray, particles: FloatArray, bound: FloatArray,
    free: FloatArray | None = None,
) -> CurveMisfit:  # fmt: skip
    r"""Whiten data and curves with :math:`\Sigma + B B^T` and project out what is free besides the scales.

    Parameters
    ----------
    data, sigma : (n,) less what is predicted besides the particles, and its standard deviation
    groups : (g, n) 1 where a scale applies, else 0
    particles : (m, n) curve of every particle
    bound : (n, k) patterns with a prior, each times its standard deviation
    free : (n, j) patterns without one
    """
    from scipy.linalg import cholesky, solve_triangular

    root = cholesky(np.diag(sigma**2) + bound @ bound.T, lower=True)

    def white(values: FloatArray) -> FloatArray:
        return np.asarray(solve_triangular(root, values, lower=True))

    target = white(data)
    curves = np.stack([white((particles * g).T) for g in groups])
    if free is not None and free.shape[1]:
        basis, _ = np.linalg.qr(white(free / np.linalg.norm(free, axis=0)))
        target = target - basis @ (basis.T @ target)
        curves = curves - basis @ (basis.T @ curves)
    return CurveMisfit(name=name, dof=dof, target=target, particles=curves)


@dataclass(frozen=True, kw_only=True)
class SizeMisfit:
    """Number mean and standard deviation of the diameter, and mean aspect ratio.

    Attributes
    ----------
    diameter_nm, aspect_ratio : (m,) of the particles as built
    mean, std, aspect : (value, sigma) measured; None: not compared
    """

    diameter_nm: FloatArray
    aspect_ratio: FloatArray
    mean: tuple[float, float]
    std: tuple[float, float] | None
    aspect: tuple[float, float] | None
    name: str = "tem"

    @property
    def dof(self) -> int:
        """Number of moments compared."""
        return 1 + (self.std is not None) + (self.aspect is not None)

    def chi2(self, weights: FloatArray) -> tuple[float, FloatArray]:
        """See :class:`Misfit`."""
        d = self.diameter_nm
        mean = float(weights @ d)
        square = (d - mean) ** 2
        terms = [(mean, d, self.mean)]
        if self.std is not None:
            std = float(np.sqrt(weights @ square))
            terms.append((std, square / (2.0 * max(std, 1e-9)), self.std))
        if self.aspect is not None:
            terms.append((float(weights @ self.aspect_ratio), self.aspect_ratio, self.aspect))
        chi2, slope = 0.0, np.zeros(len(weights))
        for value, by_weight, (wanted, sigma) in terms:
            z = (value - wanted) / sigma
            chi2 += z * z
            slope += 2.0 * z / sigma * by_weight
        return chi2, slope


@dataclass(frozen=True, kw_only=True)
class ShareMisfit:
    """Shares of elements.

    Attributes
    ----------
    counts : (m, k) atoms of each element in every particle
    wanted : (k,) measured shares
    inverse : (k, k) inverse of their covariance on what it determines
    """

    counts: FloatArray
    wanted: FloatArray
    inverse: FloatArray
    dof: int
    name: str = "edx"

    def chi2(self, weights: FloatArray) -> tuple[float, FloatArray]:
        """See :class:`Misfit`."""
        total = weights @ self.counts
        share = total / total.sum()
        rest = self.inverse @ (share - self.wanted)
        by_weight = (self.counts - share * self.counts.sum(axis=1, keepdims=True)) / total.sum()
        return float((share - self.wanted) @ rest), 2.0 * by_weight @ rest


def built_diameters_nm(ensemble: AtomEnsemble) -> FloatArray:
    """Volume-equivalent diameter of every particle as built, (m,)."""
    return np.array([float(p.info["diameter_nm"]) for p in ensemble.particles])


def size_misfit(ensemble: AtomEnsemble, sizes: SizeDistribution) -> SizeMisfit:
    """Mean, width and aspect ratio as built against the micrographs, which show projections."""
    return SizeMisfit(
        diameter_nm=built_diameters_nm(ensemble), aspect_ratio=ensemble.aspect_ratio,
        mean=(sizes.mean_nm, max(sizes.mean_sigma_nm, 1e-9)),
        std=(sizes.std_nm, max(sizes.std_sigma_nm, 1e-9)) if ensemble.diameter_std_nm > 0 and sizes.std_nm > 0 else None,
        aspect=None if sizes.aspect_ratio is None else (sizes.aspect_ratio, float(np.hypot(sizes.aspect_sigma or 0.0, PROJECTION_SIGMA))),
    )  # fmt: skip


def share_misfit(ensemble: AtomEnsemble, composition: Composition) -> ShareMisfit:
    """Element fractions of the atoms against EDX, with the covariance that closure to 100 % leaves."""
    counts, _, covariance = element_shares(ensemble, composition)
    values, vectors = np.linalg.eigh(covariance)
    used = values > 1e-10 * values.max()
    return ShareMisfit(
        counts=counts, wanted=np.array(composition.atomic_fraction), dof=int(used.sum()),
        inverse=(vectors[:, used] / values[used]) @ vectors[:, used].T,
    )  # fmt: skip


def held_weights(
    misfits: Sequence[Misfit], given: FloatArray, theta: float, start: FloatArray | None = None
) -> FloatArray:
    r"""Weights between the given ones and those that the data would like.

    .. math:: \min_w\ \tfrac12 \sum_d \chi^2_d(w) + \theta \sum_p w_p \ln\frac{w_p}{w^0_p}, \qquad \sum_p w_p = 1

    The second term is minus the logarithm of the probability of the weights when theta particles were counted and found in the
    shares w^0: theta says how many.

    Parameters
    ----------
    misfits : what is to be explained
    given : (m,) w^0
    start : (m,) weights where the search begins

    References
    ----------
    Hummer & Koefinger, J. Chem. Phys. 143, 243150 (2015), doi:10.1063/1.4937786.
    """
    from scipy.optimize import minimize

    def weights_of(g: FloatArray) -> FloatArray:
        w = given * np.exp(g - g.max())
        return np.asarray(w / w.sum())

    def cost(g: FloatArray) -> tuple[float, FloatArray]:
        w = weights_of(g)
        log = g - np.log(given @ np.exp(g - g.max())) - g.max()
        value, slope = theta * float(w @ log), theta * log
        for m in misfits:
            chi2, by_weight = m.chi2(w)
            value += 0.5 * chi2
            slope = slope + 0.5 * by_weight
        return value / theta, w * (slope - w @ slope) / theta

    first = np.zeros(len(given)) if start is None else np.log(np.maximum(start, 1e-300) / given)
    found = minimize(cost, first, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9})
    return weights_of(found.x)


def firmest_weights(misfits: Sequence[Misfit], given: FloatArray, wanted_p: float) -> tuple[FloatArray, float]:
    """Weights nearest to the given ones with which every data set has at least ``wanted_p``, and how firmly they are held.

    Returns
    -------
    weights, theta
        theta is infinite where the given weights do, and the smallest one tried where none do.
    """
    from scipy.stats import chi2 as law

    def agree(w: FloatArray) -> bool:
        return all(law.sf(m.chi2(w)[0], m.dof) >= wanted_p for m in misfits)

    if agree(given):
        return given, float("inf")
    firm, weights = FIRMEST, given
    for theta in np.geomspace(FIRMEST, LOOSEST, _STEPS):
        trial = held_weights(misfits, given, float(theta), weights)
        if agree(trial):
            break
        firm, weights = float(theta), trial
    else:
        return weights, LOOSEST
    loose, found = float(theta), trial
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(firm * loose))
        trial = held_weights(misfits, given, middle, found)
        if agree(trial):
            loose, found = middle, trial
        else:
            firm = middle
    return found, loose
