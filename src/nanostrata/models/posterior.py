"""The posterior of a graded particle: measured curves, priors, and their residuals with derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.models.families import ProfileFamily
from nanostrata.models.graded_particle import ASPECT_BOUNDS, GradedParticle


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
    density of core and shell, ln of the common scale, one relative factor per curve, one coefficient per template.

    .. math:: I_c(q) = e^{\lambda + \epsilon_c}\,[A_c(q) + L_c(x)] + \sum_m b_m T_m(q), \qquad
              -2\ln p = \sum r^2 + \text{const}

    Attributes
    ----------
    intensity, sigma : (p,) data, all curves one after the other
    scale_prior : one per curve, for epsilon_c
    composition_mean, composition_sd : prior of the mean x per shared site (EDX); sd None = no prior
    size_prior : for each size parameter; sd = None-like large numbers are written as np.inf
    log_scale0 : ln of the scale at which lambda = 0
    shape_error : prior standard deviation of each of the smooth relative deviations m_j(q), common to all curves, by
        which particles of atoms with a spread of shapes differ from the ideal body; 0 = none
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
    log_scale0: float = 0.0
    shape_error: float = 0.0
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
        object.__setattr__(self, "shape_modes", shape_modes(self.particle.q_inv_nm, self.shape_error > 0))
        n_modes = self.shape_modes.shape[1]
        s = self.particle.sizes
        size_low, size_high = [s.mean_low, s.std_low], [s.mean_high, s.std_high]
        if self.particle.shape != "sphere":
            low, high = ASPECT_BOUNDS[self.particle.shape]
            size_low.append(low)
            size_high.append(high)
        open_end = np.full(1 + n_curve + len(self.templates) + n_modes, np.inf)
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
            *(f"shape_error_{j + 1}" for j in range(self.shape_modes.shape[1])),
        )

    def split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float, FloatArray, FloatArray]:
        """Return profile, size, density, log scale, factors and template coefficients (the shape modes come after)."""
        a = len(self.family.names)
        b = a + len(self.size_prior)
        c = b + 2
        d = c + 1 + len(self.scale_prior)
        return theta[:a], theta[a:b], theta[b:c], float(theta[c]), theta[c + 1 : d], theta[d : d + len(self.templates)]

    def modes(self, theta: FloatArray) -> FloatArray:
        """Relative deviation of the intensity from the ideal body at every point, 1 + sum_j c_j m_j(q)."""
        n = self.shape_modes.shape[1]
        return 1.0 + self.shape_modes @ theta[len(theta) - n :] if n else np.ones(len(self.shape_modes))

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
                np.zeros(self.shape_modes.shape[1]),
            ]
        )

    def model(self, theta: FloatArray, *, gradient: bool = True) -> tuple[FloatArray, FloatArray]:
        """Model in data units (p,) and its derivatives (p, n_parameter)."""
        profile, size, density, log_scale, factors, coefficients = self.split(theta)
        x, dx = self.family.composition(profile)
        e = self.particle.evaluate(x, size, (density[0], density[1]))
        index = self.particle.curve_index
        scale = np.exp(self.log_scale0 + log_scale + factors)[index]
        ideal = scale * (e.value + e.laue)
        scale = scale * self.modes(theta)
        form = scale * (e.value + e.laue)
        total = form + self.template_matrix @ coefficients
        if not gradient:
            return total, np.zeros((0, 0))
        a, b = len(profile), len(profile) + len(size)
        jac = np.empty((len(total), len(theta)))
        jac[:, :a] = scale[:, None] * (e.grad_x @ dx)
        jac[:, a:b] = scale[:, None] * e.grad_size
        jac[:, b : b + 2] = scale[:, None] * e.grad_density
        jac[:, b + 2] = form
        per_curve = jac[:, b + 3 : b + 3 + len(factors)]
        per_curve[:] = 0.0
        per_curve[np.arange(len(total)), index] = form
        first_mode = b + 3 + len(factors) + len(coefficients)
        jac[:, b + 3 + len(factors) : first_mode] = self.template_matrix
        jac[:, first_mode:] = ideal[:, None] * self.shape_modes
        return total, jac

    def mean_composition(self, x: FloatArray) -> tuple[float, FloatArray]:
        r"""Mean x per shared site and its derivatives, sum(V x / v) / sum(V / v)."""
        volumes = np.diff(self.particle.fractions**3, prepend=0.0)
        v = self.particle.solid.site_volume_nm3(x)
        dv = self.particle.solid.site_volume_slope(x)
        sites = volumes / v
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
        profile, size, density, log_scale, factors, coefficients = self.split(theta)
        x, dx = self.family.composition(profile)
        e = self.particle.evaluate(x, size, (density[0], density[1]))
        modes = self.modes(theta)
        ideal = np.exp(self.log_scale0 + log_scale + factors)[self.particle.curve_index] * (e.value + e.laue)
        r = (modes * ideal + self.template_matrix @ coefficients - self.intensity) / self.sigma
        r_prior, j_prior = self.prior_rows(theta)
        # r^T J block by block: the Jacobian itself is not needed, and filling it would take half of the time
        weight = r / self.sigma
        by_ideal = weight * ideal
        by_form = by_ideal * modes
        lever = by_form / (e.value + e.laue)
        a, b = len(profile), len(profile) + len(size)
        gradient = r_prior @ j_prior
        gradient[:a] += (lever @ e.grad_x) @ dx
        gradient[a:b] += lever @ e.grad_size
        gradient[b : b + 2] += lever @ e.grad_density
        gradient[b + 2] += by_form.sum()
        gradient[b + 3 : b + 3 + len(factors)] += np.bincount(self.particle.curve_index, by_form, len(factors))
        last = b + 3 + len(factors) + len(coefficients)
        gradient[b + 3 + len(factors) : last] += weight @ self.template_matrix
        gradient[last:] += by_ideal @ self.shape_modes
        return -0.5 * float(r @ r + r_prior @ r_prior), -gradient[self.free]


SHAPE_MODES = 4
"""Number of smooth deviations: Legendre polynomials of degree 1 to 4 in q over the measured range."""


def shape_modes(q: FloatArray, used: bool) -> FloatArray:
    """Smooth deviations at every point, (p, SHAPE_MODES), of the order of 1; no columns when they are not used."""
    if not used:
        return np.zeros((len(q), 0))
    u = 2.0 * (q - q.min()) / (q.max() - q.min()) - 1.0
    return np.asarray(np.polynomial.legendre.legvander(u, SHAPE_MODES)[:, 1:])


def solve_linear(posterior: Posterior, theta: FloatArray) -> FloatArray:
    """Set the common scale and the templates to their weighted least-squares values for the given profile and sizes."""
    profile, size, density, _, factors, _ = posterior.split(theta)
    x, _ = posterior.family.composition(profile)
    e = posterior.particle.evaluate(x, size, (density[0], density[1]))
    form = np.exp(posterior.log_scale0 + factors)[posterior.particle.curve_index] * (e.value + e.laue)
    design = np.concatenate([form[:, None], posterior.template_matrix], axis=1) / posterior.sigma[:, None]
    target = posterior.intensity / posterior.sigma
    sd = np.array([t.sd for t in posterior.templates])
    mean = np.array([t.mean for t in posterior.templates])
    prior = np.concatenate([np.zeros((len(sd), 1)), np.diag(1.0 / sd)], axis=1) if len(sd) else np.zeros((0, 1))
    solution = np.linalg.lstsq(
        np.concatenate([design, prior]), np.concatenate([target, mean / sd if len(sd) else mean]), rcond=None
    )[0]
    out = theta.copy()
    at = len(profile) + len(size) + 2
    out[at] = np.log(max(solution[0], 1e-6))
    first = at + 1 + len(factors)
    out[first : first + len(posterior.templates)] = solution[1:]
    return out


def curve_slices(posterior: Posterior) -> Sequence[slice]:
    """Return where each curve's points lie in the concatenated arrays."""
    counts = np.bincount(posterior.particle.curve_index, minlength=len(posterior.scale_prior))
    ends = np.cumsum(counts)
    return [slice(int(e - n), int(e)) for e, n in zip(ends, counts, strict=True)]
