"""Families of radial profiles: a few parameters to the composition of every shell, with derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.errors import RecipeError
from nanostrata.kernels.fick import fick_shell_means, fick_uptake

UNIFORM_SD = 1.0 / np.sqrt(12.0)
"""Standard deviation of the uniform prior on 0..1."""


class ProfileFamily(Protocol):
    """What the fit asks of a family."""

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each parameter."""

    @property
    def fractions(self) -> FloatArray:
        """Outer radius of each shell over the particle's, (n_shell,)."""

    @property
    def lower(self) -> FloatArray:
        """Lower bounds, (n_parameter,)."""

    @property
    def upper(self) -> FloatArray:
        """Upper bounds, (n_parameter,)."""

    def composition(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return x of each shell (n_shell,) and its derivatives (n_shell, n_parameter)."""

    def prior_rows(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Prior as residuals (m,), linear in p and 0 at 0, and their derivatives; the bounds are uniform priors."""

    def starts(self, mean: float) -> list[FloatArray]:
        """Starting points of the search, given a guess of the mean composition."""


@dataclass(frozen=True, kw_only=True)
class Shells:
    r"""Equispaced shells, each with its own x in 0..1.

    The optional smoothness prior is Gaussian in the steps between neighbours,

    .. math:: p(x) \propto \exp\Big(-\tfrac{1}{2}\sum_k \big((x_{k+1}-x_k)/\tau_k\big)^2\Big) \quad\text{inside } [0,1]^n,
              \qquad \tau_k = \tau \sqrt{r_k / r_{n-1}}

    at the boundary r_k of two shells: a composition that is smooth in space has no slope in the centre of a sphere, so
    that its steps grow with the radius. The root is weaker than the linear growth of a smooth field: with that one,
    a wrong core lattice pushed the truth of the centre out of its interval.

    Attributes
    ----------
    n : number of shells
    smooth_sd : tau, the standard deviation of the outermost step; None = shells are independent
    curvature_sd : if given, the prior is on second differences instead (the "smooth" family)
    """

    n: int
    smooth_sd: float | None = 0.35
    curvature_sd: float | None = None

    @property
    def names(self) -> tuple[str, ...]:  # noqa: D102
        return tuple(f"x{k + 1}" for k in range(self.n))

    @property
    def fractions(self) -> FloatArray:  # noqa: D102
        return np.arange(1, self.n + 1) / self.n

    @property
    def lower(self) -> FloatArray:  # noqa: D102
        return np.zeros(self.n)

    @property
    def upper(self) -> FloatArray:  # noqa: D102
        return np.ones(self.n)

    def composition(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        return p, _identity(self.n)

    def prior_rows(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        rows = [np.zeros((0, self.n))]
        if self.smooth_sd is not None and self.n > 1:
            tau = self.smooth_sd * np.sqrt(np.arange(1, self.n) / (self.n - 1))
            rows.append(np.diff(np.eye(self.n), axis=0) / tau[:, None])
        if self.curvature_sd is not None and self.n > 2:
            rows.append(np.diff(np.eye(self.n), n=2, axis=0) / self.curvature_sd)
        d = np.concatenate(rows)
        return np.asarray(d @ p), d

    def starts(self, mean: float) -> list[FloatArray]:  # noqa: D102
        flat = np.full(self.n, np.clip(mean, 0.05, 0.95))
        rise = np.clip(flat + np.linspace(-0.45, 0.35, self.n), 0.03, 0.97)
        fall = np.clip(flat - np.linspace(-0.45, 0.35, self.n), 0.03, 0.97)
        return [flat, rise, fall]


@dataclass(frozen=True, kw_only=True)
class Homogeneous:
    """One composition for the whole particle."""

    @property
    def names(self) -> tuple[str, ...]:  # noqa: D102
        return ("x",)

    @property
    def fractions(self) -> FloatArray:  # noqa: D102
        return np.ones(1)

    @property
    def lower(self) -> FloatArray:  # noqa: D102
        return np.zeros(1)

    @property
    def upper(self) -> FloatArray:  # noqa: D102
        return np.ones(1)

    def composition(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        return p, np.ones((1, 1))

    def prior_rows(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        return np.zeros(0), np.zeros((0, 1))

    def starts(self, mean: float) -> list[FloatArray]:  # noqa: D102
        return [np.array([np.clip(mean, 0.05, 0.95)]), np.array([0.2]), np.array([0.8])]


@dataclass(frozen=True, kw_only=True)
class Transition:
    r"""From x_in to x_out at s0 = r/R: abrupt ("core_shell") or an error function of width w ("erf").

    .. math:: x(s) = x_{in} + (x_{out} - x_{in})\, \tfrac{1}{2}\left[1 + \mathrm{erf}\frac{s - s_0}{\sqrt{2} w}\right]

    averaged over the volume of each of ``n`` thin shells, so that the result is smooth in s0 also for a sharp step.
    """

    n: int
    kind: Literal["core_shell", "erf"] = "erf"

    @property
    def names(self) -> tuple[str, ...]:  # noqa: D102
        return ("x_in", "x_out", "s0") + (("w",) if self.kind == "erf" else ())

    @property
    def fractions(self) -> FloatArray:  # noqa: D102
        return np.arange(1, self.n + 1) / self.n

    @property
    def lower(self) -> FloatArray:  # noqa: D102
        return np.array([0.0, 0.0, 0.1, 0.02][: len(self.names)])

    @property
    def upper(self) -> FloatArray:  # noqa: D102
        return np.array([1.0, 1.0, 1.2, 0.6][: len(self.names)])

    def composition(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        edges = np.arange(self.n + 1) / self.n
        cubes = np.diff(edges**3)
        if self.kind == "core_shell":
            # the cumulative of a step is piecewise cubic
            outside = 1.0 - np.diff(np.minimum(edges, p[2]) ** 3) / cubes
            slopes = [-np.diff(np.where(edges > p[2], 3.0 * p[2] ** 2, 0.0)) / cubes]
        else:
            total, by_place, by_width = _smooth_step_moments(edges, float(p[2]), float(p[3]))
            outside = 3.0 * np.diff(total) / cubes
            slopes = [3.0 * np.diff(by_place) / cubes, 3.0 * np.diff(by_width) / cubes]
        change = p[1] - p[0]
        return p[0] + change * outside, np.column_stack([1.0 - outside, outside, *(change * s for s in slopes)])

    def prior_rows(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        return np.zeros(0), np.zeros((0, len(p)))

    def starts(self, mean: float) -> list[FloatArray]:  # noqa: D102
        tail = [0.15][: len(self.names) - 3]
        return [np.array([0.1, 0.8, s0, *tail]) for s0 in (0.6, 0.85)] + [np.array([0.5, 0.5, 0.7, *tail])]


def _smooth_step_moments(s: FloatArray, place: float, width: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Antiderivative of :math:`s^2 \Phi((s - m)/w)` and its derivatives by m and w; Phi is the normal distribution.

    By parts, with :math:`u = (s - m)/w` and the incomplete moments of the Gaussian phi,
    :math:`\int u\phi = -\phi,\ \int u^2\phi = \Phi - u\phi,\ \int u^3\phi = -(u^2 + 2)\phi`.
    """
    from scipy.special import ndtr

    u = (s - place) / width
    below, bell = ndtr(u), np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi)
    second = below - u * bell
    third = -(u * u + 2.0) * bell
    cube = place**3 * below - 3.0 * place**2 * width * bell + 3.0 * place * width**2 * second + width**3 * third
    by_place = -(place**2 * below - 2.0 * place * width * bell + width**2 * second)
    by_width = -(-(place**2) * bell + 2.0 * place * width * second + width**2 * third)
    return (s**3 * below - cube) / 3.0, by_place, by_width


@dataclass(frozen=True, kw_only=True)
class Exponential:
    r"""A change of composition that dies away from the surface inwards over the length lambda (in units of R).

    .. math:: x(s) = x_{in} + (x_{out} - x_{in})\, e^{-(1 - s)/\lambda}, \qquad s = r/R

    averaged over the volume of each of ``n`` shells. The prior is flat inside the bounds: x_in and x_out in 0..1, lambda in
    0.02..1. Below, the change lies within less than a tenth of a monolayer of a 4 nm particle; above, the profile is
    nearly linear and longer lengths look alike.
    """

    n: int

    @property
    def names(self) -> tuple[str, ...]:  # noqa: D102
        return ("x_in", "x_out", "decay")

    @property
    def fractions(self) -> FloatArray:  # noqa: D102
        return np.arange(1, self.n + 1) / self.n

    @property
    def lower(self) -> FloatArray:  # noqa: D102
        return np.array([0.0, 0.0, 0.02])

    @property
    def upper(self) -> FloatArray:  # noqa: D102
        return np.ones(3)

    def composition(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        s, scale = np.arange(self.n + 1) / self.n, float(p[2])
        decay = scale * np.exp((s - 1.0) / scale)
        square = decay * (s**2 - 2.0 * scale * s + 2.0 * scale**2)
        cube = decay * (s**3 - 3.0 * scale * s**2 + 6.0 * scale**2 * s - 6.0 * scale**3)
        weight = 3.0 / np.diff(s**3)
        share, slope = weight * np.diff(square), weight * np.diff(square - cube) / scale**2
        return p[0] + (p[1] - p[0]) * share, np.column_stack([1.0 - share, share, (p[1] - p[0]) * slope])

    def prior_rows(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        return np.zeros(0), np.zeros((0, len(p)))

    def starts(self, mean: float) -> list[FloatArray]:  # noqa: D102
        return [np.array([0.1, 0.8, 0.15]), np.array([0.1, 0.9, 0.5]), np.array([0.8, 0.2, 0.2])]


@dataclass(frozen=True, kw_only=True)
class Fick:
    r"""Diffusion into a sphere that was core material, from a surface held at x_surface since the start.

    .. math:: x(s) = x_{surface}\, c(s, \tau), \qquad \tau = D t / R^2

    averaged over the volume of each of ``n`` shells, with c the solution of :mod:`nanostrata.kernels.fick`. Nothing couples
    the shells, and the prior is flat in x_surface and in log10(tau) inside the bounds, so an interval of tau that reaches a
    bound depends on it.

    Attributes
    ----------
    n : number of shells
    log10_tau : bounds. At -4 the depth sqrt(D t) is a hundredth of the radius, less than a tenth of a monolayer of a
        4 nm particle; at 0 the centre is within 1e-4 of the surface. Beyond either, curves do not change.
    guesses : log10(tau) where the search starts
    """

    n: int
    log10_tau: tuple[float, float] = (-4.0, 0.0)
    guesses: tuple[float, ...] = (-2.3, -1.3, -0.5)

    @property
    def names(self) -> tuple[str, ...]:  # noqa: D102
        return ("x_surface", "log10_tau")

    @property
    def fractions(self) -> FloatArray:  # noqa: D102
        return np.arange(1, self.n + 1) / self.n

    @property
    def lower(self) -> FloatArray:  # noqa: D102
        return np.array([0.0, self.log10_tau[0]])

    @property
    def upper(self) -> FloatArray:  # noqa: D102
        return np.array([1.0, self.log10_tau[1]])

    def composition(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        edges = np.arange(self.n + 1) / self.n
        tau = 10.0 ** float(p[1])
        means, slopes = fick_shell_means(edges, tau)
        return p[0] * means, np.column_stack([means, p[0] * slopes * tau * np.log(10.0)])

    def prior_rows(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: D102
        return np.zeros(0), np.zeros((0, len(p)))

    def starts(self, mean: float) -> list[FloatArray]:  # noqa: D102
        low, high = self.log10_tau
        return [
            np.array([np.clip(mean / fick_uptake(10.0**g), 0.05, 0.95), g])
            for g in dict.fromkeys(float(np.clip(g, low, high)) for g in self.guesses)
        ]


def shell_averages(x: FloatArray, fractions: FloatArray, shells: int) -> FloatArray:
    """Volume averages over equispaced shells of a profile given on other shells, (n, m) -> (n, shells)."""
    edges = np.concatenate([[0.0], fractions])
    target = np.linspace(0.0, 1.0, shells + 1)
    low = np.maximum(edges[:-1, None], target[None, :-1])
    high = np.minimum(edges[1:, None], target[None, 1:])
    weight = np.where(high > low, high**3 - low**3, 0.0)
    return np.asarray(x @ (weight / weight.sum(axis=0)))


@lru_cache
def _identity(n: int) -> FloatArray:
    return np.eye(n)


def make_family(profile: str, shells: int, *, smoothness: bool = True, smooth_sd: float = 0.35) -> ProfileFamily:
    """Return the family that a project file names.

    Raises
    ------
    RecipeError
        For a name that is not known.
    """
    fine = shells * max(2, round(10 / shells)) if shells < 10 else shells
    if profile == "shells":
        return Shells(n=shells, smooth_sd=smooth_sd if smoothness else None)
    if profile == "homogeneous":
        return Homogeneous()
    if profile in ("core_shell", "erf"):
        return Transition(n=fine, kind="core_shell" if profile == "core_shell" else "erf")
    if profile == "exponential":
        return Exponential(n=fine)
    if profile == "fick":
        # for the diffusivity; it is no choice of the project file
        return Fick(n=fine)
    if profile == "smooth":
        return Shells(n=fine, smooth_sd=smooth_sd * np.sqrt(shells / fine), curvature_sd=0.5 * shells / fine)
    raise RecipeError(
        f"particle.profile: {profile!r} is not known; write shells, homogeneous, core_shell, exponential, erf or smooth"
    )
