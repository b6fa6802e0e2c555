"""Core + shell (or homogeneous) spheres with explicit contrasts: neutrons, or X-rays with given densities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.kernels import sizes as size_kernels
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.smearing import smearing_points


@dataclass(frozen=True, kw_only=True)
class ContrastCurve:
    """One curve and its contrasts, each a number or None when it is fitted.

    Attributes
    ----------
    curve : the measurement
    core, shell, medium : scattering-length density in 1e-6/angstrom^2, or electrons per nm^3; None = fitted
    """

    curve: ScatteringCurve
    core: float | None
    shell: float | None
    medium: float | None


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Points at which a curve's model is computed, and the weights that average them to the measured points."""

    q: FloatArray
    weights: FloatArray


def smearing_grid(curve: ScatteringCurve, smearing: str | float) -> Grid:
    """Grid (n_q, n_s) of q values and weights: none, Gaussian dq of the file, or a slit of given half-length."""
    points = smearing_points(curve, smearing)
    if points is None:
        return Grid(q=curve.q_inv_nm[:, None], weights=np.ones((len(curve), 1)))
    return Grid(q=points[0], weights=points[1])


def nodes_for(kind: str, mean: float, std: float, q_max: float) -> FloatArray:
    """Radii that carry the intensity, which weighs with r^6, to 1e-5."""
    if kind == "lognormal":
        median, s = size_kernels.lognormal_parameters(mean, std)
        low, high = median * math.exp(-5.0 * s), median * math.exp(6.0 * s * s + 5.0 * s)
    else:
        low, high = mean - 7.0 * std, mean + 7.5 * std
    return size_kernels.radius_nodes(low, high, std, q_max)


def pair_averages(
    q: FloatArray, radius_mean: float, radius_std: float, thickness: float, kind: str, scores: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Size averages of core^2, 2 core shell and shell^2 amplitudes of unit contrast.

    .. math:: F = \Delta\rho_{core} V_c \Phi(q f R) + \Delta\rho_{shell}\,[V_o \Phi(q R) - V_c \Phi(q f R)],
              \quad f = 1 - t / \langle R \rangle

    Core and shell scale with the particle, as the equispaced shells do.

    Parameters
    ----------
    q : any shape, 1/nm
    radius_mean, radius_std : number mean and standard deviation of the outer radius, nm
    thickness : of the shell of the particle of mean radius, nm; 0 = homogeneous spheres
    """
    flat = np.ravel(q)
    nodes = nodes_for(kind, radius_mean, radius_std, float(flat.max()))
    weight = size_kernels.number_density(kind, nodes, radius_mean, radius_std, scores) * (nodes[1] - nodes[0])
    outer = 4 / 3 * np.pi * nodes**3 * sphere_phi(np.multiply.outer(flat, nodes))
    if thickness == 0:
        cc = (outer**2) @ weight
        zero = np.zeros_like(cc)
        return cc.reshape(q.shape), zero.reshape(q.shape), zero.reshape(q.shape)
    core_nodes = nodes * max(0.0, 1.0 - thickness / radius_mean)
    inner = 4 / 3 * np.pi * core_nodes**3 * sphere_phi(np.multiply.outer(flat, core_nodes))
    shell = outer - inner
    return (
        ((inner**2) @ weight).reshape(q.shape),
        (2 * (inner * shell) @ weight).reshape(q.shape),
        ((shell**2) @ weight).reshape(q.shape),
    )


def intensities(
    grids: Sequence[Grid], contrasts: Sequence[tuple[float, float]], geometry: tuple[float, float, float], kind: str,
    scores: FloatArray | None = None,
) -> list[FloatArray]:  # fmt: skip
    """Smeared intensity of every curve, (contrast unit)^2 nm^6.

    Parameters
    ----------
    contrasts : (core - medium, shell - medium) for each curve
    geometry : outer radius mean, standard deviation, shell thickness of the mean particle, nm
    """
    cache: dict[bytes, tuple[FloatArray, FloatArray, FloatArray]] = {}
    out = []
    for grid, (core, shell) in zip(grids, contrasts, strict=True):
        key = grid.q.tobytes()
        if key not in cache:
            cache[key] = pair_averages(grid.q, *geometry, kind, scores)
        cc, cs, ss = cache[key]
        out.append(np.asarray(((core * core * cc + core * shell * cs + shell * shell * ss) * grid.weights).sum(axis=1)))
    return out
