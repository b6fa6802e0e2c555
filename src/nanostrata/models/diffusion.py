"""From compositions of shells to depth profiles and diffusivities; particles that each have their own diffusion time."""

from __future__ import annotations

import math

import numpy as np

from nanostrata.domain.base import FloatArray
from nanostrata.domain.diffusion import DefinedDiffusivity
from nanostrata.errors import PhysicsError
from nanostrata.kernels import sizes as size_kernels
from nanostrata.kernels.fick import fick_shell_means
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.density import SolidSolution
from nanostrata.models.graded_particle import LAUE_DEGREE, GradedParticle

CM2_PER_NM2 = 1e-14

OWN_SHELLS = 40
"""Shells of a particle with its own tau."""

_SLOPES = (-60.0, 20.0)
_SLOPE_STEP = 0.125
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


def diffusing_elements(solid: SolidSolution) -> tuple[str, ...]:
    """Elements of the shell material that the core material lacks, cations first.

    Raises
    ------
    PhysicsError
        When there is one material only, or the core has every element of the shell.
    """
    if solid.shell is None:
        raise PhysicsError("diffusion: there is one material only; give [materials.shell] to ask for a diffusivity")
    found = tuple(e for e in solid.elements if e in solid.shell.composition and e not in solid.core.composition)
    if not found:
        raise PhysicsError(
            f"diffusion: {solid.core.name} has every element of {solid.shell.name}, so none can be told to have come in; "
            "a diffusivity needs an element that only the shell material has"
        )
    return found


def number_density_nm3(
    solid: SolidSolution, element: str, x: FloatArray, density_core: FloatArray, density_shell: FloatArray
) -> FloatArray:
    r"""Atoms of an element per nm^3, :math:`n_e(x) / v(x)` with the relative densities of the end members.

    Parameters
    ----------
    x : (n_draw, n) composition of the shells
    density_core, density_shell : (n_draw,) relative change of density of the end members
    """
    factor = 1.0 + (1.0 - x) * density_core[:, None] + x * density_shell[:, None]
    return np.asarray(solid.elements_per_site(x)[element] / solid.site_volume_nm3(x) * factor)


def depth_fractions(shells: int) -> FloatArray:
    """Depth of the middle of equispaced shells over the radius, (n - k + 1/2) / n, inner to outer."""
    return (shells - np.arange(shells) - 0.5) / shells


def fit_exponential(depth: FloatArray, density: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    r"""Fit :math:`F = e^{C_1 + C_2 d}` to densities themselves, not to their logarithms (a density may be 0).

    .. math:: \min_{C_1, C_2} \sum_k \sigma_k^{-2} \left( F_k - e^{C_1 + C_2 d_k} \right)^2

    For a given C2 the best amplitude is a weighted mean, so C2 alone is searched: a grid, then golden sections.

    Parameters
    ----------
    depth : (n,) over the radius, 0..1
    density : (n_draw, n)
    sigma : (n,) standard deviation of each density, > 0

    Returns
    -------
    c1, c2 : (n_draw,)
        C2 for depth over the radius: divide by R. Both nan where the density is 0 throughout.
    at_limit : float
        Share of draws whose C2 lies at the end of the search, -60 or 20.

    Raises
    ------
    PhysicsError
        For fewer than two shells, or a sigma that is not above 0.
    """
    if len(depth) < 2:
        raise PhysicsError("diffusion: an exponential needs at least two shells; set particle.shells")
    if not np.all(sigma > 0):
        raise PhysicsError("diffusion: a shell's density has no spread over the draws, so it cannot be weighted")
    w = 1.0 / sigma**2
    grid = np.arange(_SLOPES[0], _SLOPES[1] + _SLOPE_STEP / 2, _SLOPE_STEP)
    weighted = density * w

    def gain(slope: FloatArray) -> FloatArray:
        """Fall of the sum of squares by an exponential of this slope, (n_draw,)."""
        e = np.exp(slope[:, None] * depth)
        return np.asarray((weighted * e).sum(1) ** 2 / (w * e**2).sum(1))

    e = np.exp(grid[:, None] * depth)
    first = np.argmax((weighted @ e.T) ** 2 / (w @ (e**2).T), axis=1)
    low, high = grid[np.maximum(first - 1, 0)], grid[np.minimum(first + 1, len(grid) - 1)]
    for _ in range(50):
        a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        better = gain(a) > gain(b)
        low, high = np.where(better, low, a), np.where(better, b, high)
    c2 = 0.5 * (low + high)
    e = np.exp(c2[:, None] * depth)
    amplitude = (weighted * e).sum(1) / (w * e**2).sum(1)
    empty = amplitude <= 0.0
    c1 = np.where(empty, np.nan, np.log(np.where(empty, 1.0, amplitude)))
    return c1, np.where(empty, np.nan, c2), float(np.mean((first == 0) | (first == len(grid) - 1)))


def defined_diffusivities(
    density: FloatArray, c1: FloatArray, c2_inv_nm: FloatArray, radius_nm: FloatArray, time_s: float
) -> tuple[DefinedDiffusivity, ...]:
    r"""Diffusivities by every named reading of "Fick's first law" for a density profile.

    With N the atoms of the element in the sphere, :math:`J = N / (4 \pi R^2 t)` the mean flux through its surface,
    :math:`F(d) = e^{C_1 + C_2 d}` the fit and :math:`F_k` the densities of the shells.

    Parameters
    ----------
    density : (n_draw, n) of equispaced shells, inner to outer
    c1, c2_inv_nm, radius_nm : (n_draw,)
    time_s : duration of the growth

    Returns
    -------
    tuple of DefinedDiffusivity
        cm^2/s; nan in draws where the gradient that a definition divides by is absent or points the other way.
    """
    n = density.shape[1]
    volume = np.diff((np.arange(n + 1) / n) ** 3)
    flux = radius_nm / (3.0 * time_s) * (density @ volume)
    falls = c2_inv_nm < 0.0
    steep = np.where(falls, -c2_inv_nm, np.nan)
    surface = np.exp(c1)
    fit = np.exp(c1[:, None] + c2_inv_nm[:, None] * depth_fractions(n) * radius_nm[:, None])
    centres = radius_nm * (n - 1) / n
    # second-order differences inside, one-sided ones at the ends
    slopes = np.gradient(fit, axis=1).mean(axis=1) * n / radius_nm if n > 1 else np.full(len(fit), np.nan)
    chord = (fit[:, -1] - fit[:, 0]) / centres if n > 1 else np.full(len(fit), np.nan)
    outer = density[:, -1]
    table = (
        ("A", "1/(C2^2 t)", "planar: all of the fit through the surface, its gradient there", 1.0 / (steep**2 * time_s)),
        ("B", "J/(|C2| F(0))", "mean flux over the fit's gradient at the surface", flux / (steep * surface)),
        ("B'", "J R/F(0)", "mean flux over the fit's surface value across the radius", flux * radius_nm / np.where(falls, surface, np.nan)),
        ("C", "J R/F_n", "our reading of the paper: mean flux over the outer shell's density across the radius", flux * radius_nm / _positive(outer)),
        ("D", "J/<dF/dr>", "mean flux over the mean of the fit's slopes at the shell centres (finite differences)", flux / _positive(slopes)),
        ("E", "J (R - R/n)/(F(d_n) - F(d_1))", "mean flux over the chord of the fit between the first and the last shell centre", flux / _positive(chord)),
        ("E'", "R/(|C2| t)", "planar flux of the fit over its surface value across the radius", radius_nm / (steep * time_s)),
        ("F", "R^2/(4 t)", "depth of diffusion 2 sqrt(D t) set equal to the radius; uses no composition", radius_nm**2 / (4.0 * time_s)),
    )  # fmt: skip
    return tuple(
        DefinedDiffusivity(name=name, formula=formula, label=label, diffusivity_cm2_s=value * CM2_PER_NM2)
        for name, formula, label, value in table
    )


def _positive(a: FloatArray) -> FloatArray:
    return np.where(a > 0.0, a, np.nan)


def diffusivity_cm2_s(tau: FloatArray, radius_nm: FloatArray, time_s: float) -> FloatArray:
    r"""Return :math:`D = \tau R^2 / t`."""
    return np.asarray(tau * radius_nm**2 / time_s * CM2_PER_NM2)


# ------------------------------------------------------------------------- particles with their own tau


def own_tau_excess(
    particle: GradedParticle, x_surface: float, tau: float, size: FloatArray, density: tuple[float, float]
) -> FloatArray:
    r"""Intensity of particles that each have their own tau, minus that of particles that all have the same.

    In the first ensemble a particle of radius R has :math:`\tau (\bar R / R)^2`, since D and t are the same for all, and
    its profile is resolved by 40 shells; in the second every particle has the shells of ``particle`` at tau. Both have
    the same sizes and the same mean aspect ratio. Added to the model of ``particle`` at these parameters, the result
    turns it into the first ensemble.

    Parameters
    ----------
    particle : prepared with the fractions of the Fick family
    x_surface, tau : of the profile; tau belongs to the mean radius
    size : mean and standard deviation of the diameter, nm, and the aspect ratio of spheroids
    density : relative change of density of core and shell

    Returns
    -------
    (p,) electrons squared per particle, at the data points of ``particle``

    Notes
    -----
    Smearing of the curves and the spread of aspect ratios are left out of the difference.
    """
    own_edges = np.arange(OWN_SHELLS + 1) / OWN_SHELLS
    common_edges = np.concatenate([[0.0], particle.fractions])
    common = x_surface * fick_shell_means(common_edges, tau)[0]
    mean, std = 0.5 * float(size[0]), 0.5 * float(size[1])
    nodes = size_kernels.radius_nodes(
        max(mean - 6.0 * std, 0.1 * mean), mean + 7.5 * std, std, float(particle.q_inv_nm.max())
    )
    weights = particle.density(nodes, float(size[0]), float(size[1]))
    weights = weights / weights.sum()
    aspect = float(size[2]) if len(size) > 2 else 1.0
    total = np.zeros(len(particle.q_inv_nm))
    for radius, weight in zip(nodes, weights, strict=True):
        if weight * (radius / mean) ** 6 < 1e-12:
            continue
        own = x_surface * fick_shell_means(own_edges, tau * (mean / radius) ** 2)[0]
        total += weight * _single(particle, own_edges[1:], own, radius, aspect, density)
        total -= weight * _single(particle, particle.fractions, common, radius, aspect, density)
    return total


def _single(
    particle: GradedParticle, fractions: FloatArray, x: FloatArray, radius: float, aspect: float, density: tuple[float, float]
) -> FloatArray:  # fmt: skip
    """Orientation average and Laue scattering of one particle, (p,) electrons squared."""
    q, at = np.unique(particle.q_inv_nm, return_inverse=True)
    v = particle.solid.site_volume_nm3(x)
    scale = (1.0 + (1.0 - x) * density[0] + x * density[1]) / v
    rho = ((1.0 - x) * particle.core[:, None] + x * particle.shell[:, None]) * scale - particle.medium[:, None]
    steps = rho - np.concatenate([rho[:, 1:], np.zeros((len(rho), 1))], axis=1)
    volume = 4.0 / 3.0 * math.pi * radius**3
    steps = steps * volume * fractions**3
    total = np.zeros(len(rho))
    stretch = size_kernels.stretch(particle.mu, aspect)
    for h, share in zip(stretch, particle.mu_weights, strict=True):
        phi = sphere_phi(radius * h * np.outer(q, fractions))
        total += share * np.abs((steps * phi[at]).sum(axis=1)) ** 2
    shares = np.diff(fractions**3, prepend=0.0) * volume
    return np.asarray(total + particle.laue_poly @ (np.vander(x, LAUE_DEGREE + 1).T @ shares))
