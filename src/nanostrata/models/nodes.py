"""A few q values that carry all curves: the model is smooth in q, so that its values there give those at every point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.models.graded_particle import GradedParticle
from nanostrata.models.posterior import Posterior

ACCURACY = 2e-3
"""Largest deviation of the model from its interpolation, in units of sigma of the point."""

_GROWTH, _MOST = 1.35, 200


def chebyshev_nodes(low: float, high: float, count: int) -> FloatArray:
    """Return Chebyshev's points of the second kind, ends included, increasing."""
    u = -np.cos(np.pi * np.arange(count) / (count - 1))
    return np.asarray(0.5 * (low + high) + 0.5 * (high - low) * u)


def interpolation_matrix(nodes: FloatArray, q: FloatArray) -> FloatArray:
    """Matrix from values at Chebyshev's points to values at q, (n_q, n_node).

    Barycentric form: Berrut & Trefethen, SIAM Rev. 46, 501 (2004), doi:10.1137/S0036144502417715.
    """
    sign = np.where(np.arange(len(nodes)) % 2 == 0, 1.0, -1.0)
    sign[[0, -1]] *= 0.5
    gap = q[:, None] - nodes
    exact = np.abs(gap) < 1e-13 * max(1.0, float(np.abs(nodes).max()))
    weight = sign / np.where(exact, 1.0, gap)
    out = weight / weight.sum(axis=1, keepdims=True)
    hit = exact.any(axis=1)
    out[hit] = exact[hit]
    return np.asarray(out)


def prepare_nodes(
    curves: Sequence[ScatteringCurve],
    sigma: FloatArray,
    particle: GradedParticle,
    prepare: Callable[[Sequence[ScatteringCurve]], GradedParticle],
    degree: int = 0,
) -> GradedParticle | None:
    """Return the particle at common nodes, as few as carry every curve to ``ACCURACY``; None where that saves nothing.

    Tried on compositions that rise, fall and alternate, at the middle and the ends of the sizes; each scaled to the data.

    Parameters
    ----------
    curves : in the order of ``particle``
    sigma : (p,) of all points
    prepare : makes the particle for other curves, all else being equal
    degree : of the smooth deviations that multiply the model; they ask for some more nodes
    """
    low, high = min(c.q_inv_nm[0] for c in curves), max(c.q_inv_nm[-1] for c in curves)
    points = max(len(c) for c in curves)
    s = particle.sizes
    # half waves of the largest particle's diameter over the range, and some for the fall-off
    count = int(np.ceil((high - low) * (s.mean_high + 3.0 * s.std_high) / np.pi)) + 12 + (degree + 1) // 2
    data = np.concatenate([c.intensity for c in curves])
    while count < min(points, _MOST):
        nodes = chebyshev_nodes(float(low), float(high), count)
        at_nodes = prepare([_on(c, nodes) for c in curves])
        if _worst(curves, data, sigma, particle, at_nodes, nodes) < ACCURACY:
            return at_nodes
        count = int(np.ceil(count * _GROWTH))
    return None


def with_nodes(
    posterior: Posterior,
    curves: Sequence[ScatteringCurve],
    prepare: Callable[[Sequence[ScatteringCurve]], GradedParticle],
) -> Posterior:
    """Return the posterior with the nodes that carry it; the parameters are those of :func:`prepare_nodes`."""
    return replace(
        posterior,
        nodes=prepare_nodes(curves, posterior.sigma, posterior.particle, prepare, posterior.shape_modes.shape[1]),
    )


def _on(curve: ScatteringCurve, nodes: FloatArray) -> ScatteringCurve:
    dq = None if curve.dq_inv_nm is None else np.interp(nodes, curve.q_inv_nm, curve.dq_inv_nm)
    ones = np.ones(len(nodes))
    return replace(curve, q_inv_nm=nodes, intensity=ones, sigma=ones, dq_inv_nm=dq)


def _worst(
    curves: Sequence[ScatteringCurve], data: FloatArray, sigma: FloatArray, particle: GradedParticle, at_nodes: GradedParticle,
    nodes: FloatArray,
) -> float:  # fmt: skip
    n, s = particle.n_shell, particle.sizes
    rise = np.linspace(0.02, 0.98, n)
    trials = [rise, rise[::-1], 0.5 + 0.45 * np.where(np.arange(n) % 2, 1.0, -1.0)]
    sizes = [
        (s.mean_low, s.std_low),
        (0.5 * (s.mean_low + s.mean_high), 0.5 * (s.std_low + s.std_high)),
        (s.mean_high, s.std_high),
    ]
    aspect = [] if particle.shape == "sphere" else [1.3 if particle.shape == "prolate" else 0.75]
    matrices = [interpolation_matrix(nodes, c.q_inv_nm) for c in curves]
    worst = 0.0
    for x in trials:
        for size in sizes:
            e = particle.evaluate(x, np.array([*size, *aspect]))
            f = at_nodes.evaluate(x, np.array([*size, *aspect]))
            exact, coarse = e.value + e.laue, (f.value + f.laue).reshape(len(curves), -1)
            for i, (matrix, row) in enumerate(zip(matrices, coarse, strict=True)):
                here = particle.curve_index == i
                one, y, s_here = exact[here], data[here], sigma[here]
                scale = abs(float(one @ (y / s_here**2) / (one @ (one / s_here**2))))
                worst = max(worst, float(np.max(np.abs(scale * (matrix @ row - one)) / s_here)))
    return worst
