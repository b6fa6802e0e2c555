"""The posterior with everything linear integrated out: scales, constants, backgrounds and smooth deviations."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.kernels.collapse import collapsed_density
from nanostrata.models.graded_particle import GradedParticle
from nanostrata.models.nodes import interpolation_matrix
from nanostrata.models.posterior import Posterior, curve_slices, shape_modes


@dataclass(frozen=True, kw_only=True)
class CollapsedPosterior:
    r"""Density of the parameters in which the model is not linear, the others integrated out exactly.

    The integral is that of :func:`nanostrata.kernels.collapse.collapsed_density`; its priors are those of the posterior
    (the integral over the coefficients is a proper one). Curves enter through their normal equations on the posterior's
    ``nodes``, or on their own points where it has none.

    Attributes
    ----------
    posterior : whose parameters are meant
    anchor : (n_parameter,) what is held (sd = 0) has these values; the form there is subtracted from the data, which
        changes nothing but rounding
    kept : indices of the sampled parameters: the free ones that are not linear
    linear : indices of the coefficients in the order of the integral
    """

    posterior: Posterior
    anchor: FloatArray
    kept: np.ndarray = field(init=False)
    linear: np.ndarray = field(init=False)
    _terms: dict[str, FloatArray] = field(init=False, repr=False)
    _counts: np.ndarray = field(init=False, repr=False)
    _prior: tuple[FloatArray, FloatArray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        p = self.posterior
        n_profile, n_curve, n_template = len(p.family.names), len(p.scale_prior), len(p.templates)
        n_error, n_mode = len(p.particle.contrast_errors), p.shape_modes.shape[1]
        at_scale = n_profile + len(p.size_prior) + 2
        first_scale = at_scale + 1
        first_template = first_scale + n_curve
        first_error = first_template + n_template
        scales, templates = np.arange(first_scale, first_template), np.arange(first_template, first_error)
        modes = np.arange(first_error + n_error, first_error + n_error + n_mode)
        linear = np.concatenate([scales, modes, templates])
        free = p.free.copy()
        free[linear] = False
        object.__setattr__(self, "kept", np.flatnonzero(free))
        object.__setattr__(self, "linear", linear)
        index = self.particle.curve_index
        object.__setattr__(self, "_counts", np.bincount(index, minlength=n_curve))
        object.__setattr__(self, "_terms", self._normal_equations())
        # the coefficients' own priors are in the integral: of the rows only those of the kept parameters stay
        rows = np.flatnonzero(np.abs(p.prior_matrix[:, self.kept]).max(axis=1) > 0)
        object.__setattr__(self, "_prior", (p.prior_matrix[np.ix_(rows, self.kept)], p.prior_target[rows]))

    @property
    def particle(self) -> GradedParticle:
        """The particle at the points where the model is computed."""
        return self.posterior.particle if self.posterior.nodes is None else self.posterior.nodes

    def _normal_equations(self) -> dict[str, FloatArray]:
        p = self.posterior
        slices, n_curve = curve_slices(p), len(p.scale_prior)
        q = p.particle.q_inv_nm
        shared, particle = p.nodes is not None, self.particle
        node_q = [particle.q_inv_nm[particle.curve_index == i] for i in range(n_curve)]
        n = max(len(v) for v in node_q)
        form = self._form(self.anchor)
        gram, pull = np.zeros((n_curve, n, n)), np.zeros((n_curve, n))
        modes = np.zeros((n_curve, n, p.shape_modes.shape[1]))
        n_template = len(p.templates)
        template_pull = np.zeros((n_curve, n, n_template))
        template_gram, template_target, square = np.zeros((n_template, n_template)), np.zeros(n_template), 0.0
        prior_mean = p.template_matrix @ np.array([t.mean for t in p.templates]) if n_template else 0.0
        data = p.intensity - prior_mean
        low, high = q.min(), q.max()
        for i, s in enumerate(slices):
            m = len(node_q[i])
            carry = interpolation_matrix(node_q[i], q[s]) if shared else np.eye(m)
            b = carry / p.sigma[s, None]
            y = (data[s] - carry @ form[i, :m]) / p.sigma[s]
            t = p.template_matrix[s] / p.sigma[s, None]
            gram[i, :m, :m], pull[i, :m], template_pull[i, :m] = b.T @ b, b.T @ y, b.T @ t
            template_gram += t.T @ t
            template_target += t.T @ y
            square += float(y @ y)
            modes[i, :m] = shape_modes(node_q[i], p.shape_modes.shape[1], (float(low), float(high)))
        sd = np.concatenate(
            [[g.sd for g in p.scale_prior], np.full(modes.shape[2], p.shape_error), [t.sd for t in p.templates]]
        )
        return {
            "reference": form, "gram": gram, "pull": pull, "modes": modes, "template_pull": template_pull,
            "template_gram": template_gram, "template_target": template_target, "sd": sd, "square": np.array(square),
        }  # fmt: skip

    def _form(self, theta: FloatArray) -> FloatArray:
        """Model in data units at the nodes with all linear coefficients at 0, (n_curve, n_node), padded with 0."""
        p = self.posterior
        profile, size, density, log_scale, _, _ = p.split(theta)
        x, _ = p.family.composition(profile)
        e = self.particle.evaluate(x, size, (density[0], density[1]), contrast=p.contrast(theta))
        return self._rows(e.value + e.laue) * np.exp(p.log_scale0 + log_scale)[:, None]

    def _rows(self, values: FloatArray) -> FloatArray:
        """Values at all nodes as one row per curve; rows shorter than the longest end in zeros."""
        counts = self._counts
        if len(values) == len(counts) * counts[0]:
            return values.reshape(len(counts), -1)
        out = np.zeros((len(counts), counts.max()))
        for i, n in enumerate(counts):
            out[i, :n] = values[self.particle.curve_index == i]
        return out

    def _flat(self, rows: FloatArray) -> FloatArray:
        counts = self._counts
        if rows.size == counts.sum():
            return rows.ravel()
        return np.concatenate([rows[i, :n] for i, n in enumerate(counts)])

    def full(self, z: FloatArray) -> FloatArray:
        """All parameters, with the linear coefficients at their prior means."""
        theta = self.anchor.copy()
        theta[self.linear] = 0.0
        n = len(self.posterior.templates)
        theta[self.linear[len(self.linear) - n :]] = [t.mean for t in self.posterior.templates]
        theta[self.kept] = z
        return theta

    def log_density(self, z: FloatArray) -> tuple[float, FloatArray]:
        """ln of the density of the kept parameters up to a constant, and its gradient, (n_kept,)."""
        p = self.posterior
        theta = self.anchor.copy()
        theta[self.kept] = z
        profile, size, density, log_scale, _, _ = p.split(theta)
        x, dx = p.family.composition(profile)
        e = self.particle.evaluate(x, size, (density[0], density[1]), contrast=p.contrast(theta))
        unit = np.exp(p.log_scale0 + log_scale)[:, None]
        form = self._rows(e.value + e.laue) * unit
        value, slope, _, _ = self._integral(form)
        lever = self._flat(slope * unit)
        gradient = np.zeros(len(theta))
        a, b = len(profile), len(profile) + len(size)
        by_shell = lever @ e.grad_x
        if p.composition is not None:
            mean, by_mean = p.mean_composition(x)
            off = (mean - p.composition.mean) / p.composition.sd
            value -= 0.5 * off * off
            by_shell -= off / p.composition.sd * by_mean
        gradient[:a] = by_shell @ dx
        gradient[a:b] = lever @ e.grad_size
        gradient[b : b + 2] = lever @ e.grad_density
        gradient[b + 2] = float((slope * form).sum())
        end = len(theta) - p.shape_modes.shape[1]
        gradient[end - e.grad_contrast.shape[1] : end] = lever @ e.grad_contrast
        matrix, target = self._prior
        r = matrix @ z - target
        return value - 0.5 * float(r @ r), gradient[self.kept] - r @ matrix

    def _integral(self, form: FloatArray) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        t = self._terms
        n = len(t["sd"])
        slope, mean, factor = np.empty_like(form), np.empty(n), np.empty((n, n))
        value = collapsed_density(
            form, t["reference"], t["gram"], t["pull"], float(t["square"]), t["modes"], t["template_pull"], t["template_gram"],
            t["template_target"], t["sd"], slope, mean, factor,
        )  # fmt: skip
        return value, slope, mean, factor

    def complete(self, z: FloatArray, rng: np.random.Generator | None = None) -> FloatArray:
        """All parameters: the linear coefficients drawn from their Gaussian given z and the data, or its mean."""
        theta = self.full(z)
        _, _, mean, factor = self._integral(self._form(theta))
        noise = factor @ rng.standard_normal(len(mean)) if rng is not None else 0.0
        theta[self.linear] += mean + noise
        return theta
