"""The posterior of a graded particle: measured curves, priors, and their residuals with derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.models.evaluation import Evaluation
from nanostrata.models.families import ProfileFamily
from nanostrata.models.graded_particle import ASPECT_BOUNDS, GradedParticle

SHAPE_DEGREE = 8
"""Number of smooth deviations of real particles from the ideal body, common to all curves, unless said otherwise."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A curve of known form and unknown height that is added to one measured curve (constant, power law, background).

    Attributes
    ----------
    name : for tables
    curve : index of the curve that it belongs to
    values : (points of that curve,) its form, in data units
    mean, sd : Gaussian prior of its coefficient
    """

    name: str
    curve: int
    values: FloatArray
    mean: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """A Gaussian prior on one named parameter; sd = 0 holds the parameter fixed at the mean."""

    mean: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class Posterior:
    r"""Residuals of data and priors for a parameter vector.

    The parameters are, in this order: the profile's, mean diameter, standard deviation (and aspect ratio), relative
    density of core and shell, ln of the common scale, one relative change of it per curve, one coefficient per template,
    the amplitudes of the particle's ``contrast_errors``, and those of the smooth deviations m_j(q).

    .. math:: I_c(q) = s_c e^{\lambda}\,[A_c(q) + L_c(x)]\,\Big(1 + \epsilon_c + \sum_j c_j m_j(q)\Big)
              + \sum_m b_m T_m(q), \qquad -2\ln p = \sum r^2 + \text{const}

    Given the others, the model is linear in all of epsilon, b and c; :mod:`nanostrata.models.collapsed` integrates over
    them.

    Attributes
    ----------
    intensity, sigma : (p,) data, all curves one after the other
    scale_prior : one per curve, for epsilon_c
    composition_mean, composition_sd : prior of the mean x per shared site (EDX); sd None = no prior
    size_prior : for each size parameter; sd = None-like large numbers are written as np.inf
    log_scale0 : (n_curve,) ln s_c, the scales at which lambda and all epsilon are 0
    scale_free : whether lambda is a parameter; not where every curve has a free scale of its own
    nodes : the same particle at few q values that carry all curves, see :mod:`nanostrata.models.nodes`; None = none
    shape_error : prior standard deviation of each of the smooth relative deviations m_j(q), common to all curves, by
        which particles of atoms with a spread of shapes differ from the ideal body; 0 = none
    shape_degree : number of these deviations
    """

    particle: GradedParticle
    family: ProfileFamily
    intensity: FloatArray
    sigma: FloatArray
    size_prior: tuple[Gaussian, ...]
    density_prior: tuple[Gaussian, Gaussian]
    scale_prior: tuple[Gaussian, ...]
    templates: tuple[Template, ...] = ()
    composition: Gaussian | None = None
    log_scale0: FloatArray
    scale_free: bool = True
    nodes: GradedParticle | None = field(default=None, repr=False)
    shape_error: float = 0.0
    shape_degree: int = SHAPE_DEGREE
    shape_modes: FloatArray = field(init=False, repr=False)
    template_matrix: FloatArray = field(init=False, repr=False)
    lower: FloatArray = field(init=False)
    upper: FloatArray = field(init=False)
    free: FloatArray = field(init=False)
    prior_matrix: FloatArray = field(init=False, repr=False)
    prior_target: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix = np.zeros((len(self.intensity), len(self.templates)))
        for i, t in enumerate(self.templates):
            matrix[self.particle.curve_index == t.curve, i] = t.values
        object.__setattr__(self, "template_matrix", matrix)
        n_curve = len(self.scale_prior)
        degree = self.shape_degree if self.shape_error > 0 else 0
        object.__setattr__(self, "shape_modes", shape_modes(self.particle.q_inv_nm, degree))
        n_modes = self.shape_modes.shape[1]
        s = self.particle.sizes
        size_low, size_high = [s.mean_low, s.std_low], [s.mean_high, s.std_high]
        if self.particle.shape != "sphere":
            low, high = ASPECT_BOUNDS[self.particle.shape]
            size_low.append(low)
            size_high.append(high)
        n_error = len(self.particle.contrast_errors)
        open_end = np.full(1 + n_curve + len(self.templates) + n_error + n_modes, np.inf)
        object.__setattr__(
            self, "lower", np.concatenate([self.family.lower, size_low, [-0.5, -0.5], -open_end]).astype(float)
        )
        object.__setattr__(
            self, "upper", np.concatenate([self.family.upper, size_high, [0.5, 0.5], open_end]).astype(float)
        )
        fixed = [g.sd == 0 for g in (*self.size_prior, *self.density_prior)]
        free = np.ones(len(self.lower), dtype=bool)
        start = len(self.family.names)
        free[start : start + len(fixed)] = ~np.array(fixed)
        free[start + len(fixed)] = self.scale_free
        free[start + len(fixed) + 1 : start + len(fixed) + 1 + n_curve] = [g.sd > 0 for g in self.scale_prior]
        object.__setattr__(self, "free", free)
        matrix, target = self._linear_priors()
        object.__setattr__(self, "prior_matrix", matrix)
        object.__setattr__(self, "prior_target", target)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every parameter."""
        return (
            *self.family.names,
            *self.particle.size_names,
            "density_core",
            "density_shell",
            "log_scale",
            *(f"scale_{i}" for i in range(len(self.scale_prior))),
            *(t.name for t in self.templates),
            *self.particle.contrast_errors,
            *(f"shape_error_{j + 1}" for j in range(self.shape_modes.shape[1])),
        )

    def split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float, FloatArray, FloatArray]:
        """Return profile, size, density, log scale, factors and template coefficients.

        The amplitudes of the contrast errors (:meth:`contrast`) and of the shape modes come after.
        """
        a = len(self.family.names)
        b = a + len(self.size_prior)
        c = b + 2
        d = c + 1 + len(self.scale_prior)
        return theta[:a], theta[a:b], theta[b:c], float(theta[c]), theta[c + 1 : d], theta[d : d + len(self.templates)]

    def contrast(self, theta: FloatArray) -> FloatArray:
        """Amplitudes of the contrast errors, (n_contrast,)."""
        end = len(theta) - self.shape_modes.shape[1]
        return theta[end - len(self.particle.contrast_errors) : end]

    def factor(self, theta: FloatArray) -> FloatArray:
        r"""Data units per electron squared at every point, :math:`s_c e^\lambda (1 + \epsilon_c + \sum_j c_j m_j(q))`."""
        _, _, _, log_scale, factors, _ = self.split(theta)
        return self._unit(log_scale) * self._relative(theta, factors)

    def evaluate(self, theta: FloatArray) -> Evaluation:
        """Model in electrons squared, with derivatives."""
        profile, size, density, _, _, _ = self.split(theta)
        x, _ = self.family.composition(profile)
        return self.particle.evaluate(x, size, (density[0], density[1]), contrast=self.contrast(theta))

    def _unit(self, log_scale: float) -> FloatArray:
        return np.asarray(np.exp(self.log_scale0 + log_scale)[self.particle.curve_index])

    def _relative(self, theta: FloatArray, factors: FloatArray) -> FloatArray:
        n = self.shape_modes.shape[1]
        relative = 1.0 + factors[self.particle.curve_index]
        return np.asarray(relative + self.shape_modes @ theta[len(theta) - n :] if n else relative)

    def start(self, profile: FloatArray) -> FloatArray:
        """Prior means round a starting profile; scale and templates are solved for later."""
        return np.concatenate(
            [
                profile,
                [g.mean for g in self.size_prior],
                [g.mean for g in self.density_prior],
                [0.0],
                [g.mean for g in self.scale_prior],
                [t.mean for t in self.templates],
                np.zeros(len(self.particle.contrast_errors) + self.shape_modes.shape[1]),
            ]
        )

    def model(self, theta: FloatArray, *, gradient: bool = True) -> tuple[FloatArray, FloatArray]:
        """Model in data units (p,) and its derivatives (p, n_parameter)."""
        profile, size, _, log_scale, factors, coefficients = self.split(theta)
        _, dx = self.family.composition(profile)
        e = self.evaluate(theta)
        index = self.particle.curve_index
        ideal = self._unit(log_scale) * (e.value + e.laue)
        relative = self._relative(theta, factors)
        form = ideal * relative
        total = form + self.template_matrix @ coefficients
        if not gradient:
            return total, np.zeros((0, 0))
        scale = (self._unit(log_scale) * relative)[:, None]
        a, b = len(profile), len(profile) + len(size)
        jac = np.zeros((len(total), len(theta)))
        jac[:, :a] = scale * (e.grad_x @ dx)
        jac[:, a:b] = scale * e.grad_size
        jac[:, b : b + 2] = scale * e.grad_density
        jac[:, b + 2] = form
        jac[np.arange(len(total)), b + 3 + index] = ideal
        first_error = b + 3 + len(factors) + len(coefficients)
        first_mode = first_error + e.grad_contrast.shape[1]
        jac[:, b + 3 + len(factors) : first_error] = self.template_matrix
        jac[:, first_error:first_mode] = scale * e.grad_contrast
        jac[:, first_mode:] = ideal[:, None] * self.shape_modes
        return total, jac

    def mean_composition(self, x: FloatArray) -> tuple[float, FloatArray]:
        r"""Mean x per shared site and its derivatives, sum(V x / v) / sum(V / v)."""
        v, dv = self.particle.site_volumes(x)
        sites = self.particle.shell_shares / v
        total = sites.sum()
        mean = float(sites @ x / total)
        return mean, sites / total * (1.0 - (x - mean) * dv / v)

    def prior_rows(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Priors as residuals (m,) and their derivatives (m, n_parameter)."""
        r, jac = self.prior_matrix @ theta - self.prior_target, self.prior_matrix
        if self.composition is None:
            return r, jac
        a = len(self.family.names)
        x, dx = self.family.composition(theta[:a])
        mean, slope = self.mean_composition(x)
        row = np.zeros((1, len(theta)))
        row[0, :a] = slope @ dx / self.composition.sd
        return np.append(r, (mean - self.composition.mean) / self.composition.sd), np.concatenate([jac, row])

    def _linear_priors(self) -> tuple[FloatArray, FloatArray]:
        """All priors but that of the mean composition are linear: rows and targets, r = A theta - b."""
        a, n = len(self.family.names), len(self.lower)
        _, j = self.family.prior_rows(np.zeros(a))
        rows, target = [np.pad(j, ((0, 0), (0, n - a)))], [np.zeros(len(j))]
        scalar = [*self.size_prior, *self.density_prior, None, *self.scale_prior]
        scalar += [Gaussian(mean=t.mean, sd=t.sd) for t in self.templates]
        scalar += [Gaussian(mean=0.0, sd=1.0)] * len(self.particle.contrast_errors)
        scalar += [Gaussian(mean=0.0, sd=self.shape_error)] * self.shape_modes.shape[1]
        for i, g in enumerate(scalar, start=a):
            if g is not None and 0 < g.sd < np.inf:
                row = np.zeros((1, n))
                row[0, i] = 1.0 / g.sd
                rows.append(row)
                target.append(np.array([g.mean / g.sd]))
        return np.concatenate(rows), np.concatenate(target)

    def residuals(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """All residuals, data first, then priors, and their derivatives by the *free* parameters."""
        model, jac = self.model(theta)
        r_prior, j_prior = self.prior_rows(theta)
        r = np.concatenate([(model - self.intensity) / self.sigma, r_prior])
        j = np.concatenate([jac / self.sigma[:, None], j_prior])
        return r, j[:, self.free]

    def log_density(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """ln of the posterior density up to a constant, and its gradient by the free parameters."""
        profile, size, _, log_scale, factors, coefficients = self.split(theta)
        _, dx = self.family.composition(profile)
        e = self.evaluate(theta)
        ideal = self._unit(log_scale) * (e.value + e.laue)
        relative = self._relative(theta, factors)
        r = (relative * ideal + self.template_matrix @ coefficients - self.intensity) / self.sigma
        r_prior, j_prior = self.prior_rows(theta)
        # r^T J block by block: the Jacobian itself is not needed, and filling it would take half of the time
        weight = r / self.sigma
        by_ideal = weight * ideal
        by_form = by_ideal * relative
        lever = by_form / (e.value + e.laue)
        a, b = len(profile), len(profile) + len(size)
        gradient = r_prior @ j_prior
        gradient[:a] += (lever @ e.grad_x) @ dx
        gradient[a:b] += lever @ e.grad_size
        gradient[b : b + 2] += lever @ e.grad_density
        gradient[b + 2] += by_form.sum()
        gradient[b + 3 : b + 3 + len(factors)] += np.bincount(self.particle.curve_index, by_ideal, len(factors))
        first_error = b + 3 + len(factors) + len(coefficients)
        first_mode = first_error + e.grad_contrast.shape[1]
        gradient[b + 3 + len(factors) : first_error] += weight @ self.template_matrix
        gradient[first_error:first_mode] += lever @ e.grad_contrast
        gradient[first_mode:] += by_ideal @ self.shape_modes
        return -0.5 * float(r @ r + r_prior @ r_prior), -gradient[self.free]


def shape_modes(q: FloatArray, degree: int, limits: tuple[float, float] | None = None) -> FloatArray:
    """Smooth deviations at every point, (p, degree): Legendre polynomials of degree 1 and more in q.

    ``limits`` : q range over which the polynomials are those of -1..1; default that of the points
    """
    if degree == 0:
        return np.zeros((len(q), 0))
    low, high = limits if limits is not None else (float(q.min()), float(q.max()))
    u = 2.0 * (q - low) / (high - low) - 1.0
    return np.asarray(np.polynomial.legendre.legvander(u, degree)[:, 1:])


def solve_linear(posterior: Posterior, theta: FloatArray) -> FloatArray:
    """Set the common scale and the templates to their weighted least-squares values for the given profile and sizes."""
    profile, size, _, _, factors, _ = posterior.split(theta)
    e = posterior.evaluate(theta)
    index = posterior.particle.curve_index
    form = (np.exp(posterior.log_scale0) * (1.0 + factors))[index] * (e.value + e.laue)
    columns = form[:, None] if posterior.scale_free else form[:, None] * (index[:, None] == np.arange(len(factors)))
    design = np.concatenate([columns, posterior.template_matrix], axis=1) / posterior.sigma[:, None]
    target = posterior.intensity / posterior.sigma
    sd = np.array([t.sd for t in posterior.templates])
    mean = np.array([t.mean for t in posterior.templates])
    prior = (
        np.concatenate([np.zeros((len(sd), columns.shape[1])), np.diag(1.0 / sd)], axis=1)
        if len(sd)
        else np.zeros((0, columns.shape[1]))
    )
    solution = np.linalg.lstsq(
        np.concatenate([design, prior]), np.concatenate([target, mean / sd if len(sd) else mean]), rcond=None
    )[0]
    out = theta.copy()
    at = len(profile) + len(size) + 2
    first = at + 1 + len(factors)
    if posterior.scale_free:
        out[at] = np.log(max(solution[0], 1e-6))
    else:
        out[at + 1 : first] = (1.0 + factors) * solution[: len(factors)] - 1.0
    out[first : first + len(posterior.templates)] = solution[columns.shape[1] :]
    return out


def curve_slices(posterior: Posterior) -> Sequence[slice]:
    """Return where each curve's points lie in the concatenated arrays."""
    counts = np.bincount(posterior.particle.curve_index, minlength=len(posterior.scale_prior))
    ends = np.cumsum(counts)
    return [slice(int(e - n), int(e)) for e, n in zip(ends, counts, strict=True)]
