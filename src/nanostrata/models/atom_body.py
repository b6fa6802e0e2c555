"""Cross terms of atoms with a homogeneous body of the displaced medium."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.domain.base import IntArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.atom_columns import species_of

_MU_NODES = 48
_MAX_ORDER = 40
_SMALL_COEFFICIENT = 1e-7
_BIN_TIMES_Q = 1.0
_NODES = 8
"""Width of the radial bins times q, and Chebyshev points in each: as in the pair sums, an atom is right to 1e-9."""


def body_terms(
    models: Sequence[AtomicModel], elements: tuple[str, ...], q: FloatArray
) -> tuple[FloatArray, FloatArray]:
    r"""Terms of homogeneous spheroids, unique axis z: < |V B|^2 > (n_model, n_q) and cross terms (n_model, n_e, n_q).

    The amplitude B of a body depends on the polar angle only, so that with its Legendre coefficients b_l(q)
    :math:`\langle B e^{i q r} \rangle = \sum_l b_l(q)\, i^l j_l(q r) P_l(\cos\theta_r)`, exact for all directions.
    A body takes the volume of the sites that its trimmed particle really has, in the shape of the cutting spheroid.
    """
    from scipy.special import eval_legendre

    mu, w = np.polynomial.legendre.leggauss(_MU_NODES)
    polynomials = [np.asarray(eval_legendre(order, mu)) for order in range(0, _MAX_ORDER + 1, 2)]
    coefficients, squared = [], np.empty((len(models), len(q)))
    for i, model in enumerate(models):
        body = _body_amplitude(model, q, mu)
        coefficients.append(_even_coefficients(body, polynomials, w))
        squared[i] = 0.5 * (body**2) @ w
    step = _BIN_TIMES_Q / max(float(q.max()), 1.0)
    n_bins = max(int(float(np.sqrt((m.positions_nm**2).sum(axis=1)).max()) / step) for m in models) + 1
    places = [_radial_places(m, elements, step, n_bins) for m in models]
    cross = np.zeros((len(models), len(elements), len(q)))
    for k in range(max(len(c) for c in coefficients)):
        radial = _signed_bessel(2 * k, q, step, n_bins)
        for i, c in enumerate(coefficients):
            if k < len(c):
                index, weight, cos = places[i]
                p = np.asarray(eval_legendre(2 * k, cos))
                size = len(elements) * n_bins * _NODES
                sums = np.bincount(index.ravel(), (weight * p[:, None]).ravel(), minlength=size)
                cross[i] += c[k] * (sums.reshape(len(elements), -1) @ radial)
    return squared, cross


def _body_amplitude(model: AtomicModel, q: FloatArray, mu: FloatArray) -> FloatArray:
    a, b, c = model.semi_axes_nm
    volume = float(model.site_volume_nm3.sum())
    if min(a, b, c) <= 0.0 or volume <= 0.0:
        raise PhysicsError(
            "semi_axes_nm, site_volume_nm3: a homogeneous body needs the particle's semi-axes and its volume"
        )
    if abs(a - b) > 1e-9 * a:
        raise PhysicsError(f"semi_axes_nm: a homogeneous body needs two equal axes (A = B), got {model.semi_axes_nm}")
    stretch = (volume / (4.0 / 3.0 * math.pi * a * a * c)) ** (1.0 / 3.0)
    a, c = a * stretch, c * stretch
    return volume * sphere_phi(q[:, None] * np.sqrt(a * a + (c * c - a * a) * mu**2)[None, :])


def _even_coefficients(body: FloatArray, polynomials: Sequence[FloatArray], w: FloatArray) -> list[FloatArray]:
    found: list[FloatArray] = []
    top = float(np.abs(body).max())
    for k, p in enumerate(polynomials):
        found.append(np.asarray((2 * k + 0.5) * (body * p) @ w))
        if np.abs(found[-1]).max() < _SMALL_COEFFICIENT * top:
            return found
    return found


def _points() -> FloatArray:
    return np.asarray(0.5 * np.cos((2 * np.arange(_NODES) + 1) * math.pi / (2 * _NODES)))


def _signed_bessel(order: int, q: FloatArray, step: float, n_bins: int) -> FloatArray:
    """i^l j_l(q r) at the points of all bins, l even: (n_bins * _NODES, n_q)."""
    from scipy.special import spherical_jn

    sign = 1.0 if order % 4 == 0 else -1.0
    r = ((np.arange(n_bins)[:, None] + 0.5 + _points()) * step).ravel()
    return np.asarray(sign * spherical_jn(order, r[:, None] * q[None, :]))


def _radial_places(
    model: AtomicModel, elements: tuple[str, ...], step: float, n_bins: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Where each atom counts (m, _NODES) among (element, bin, point), with what weight (m, _NODES), and its cos(theta)."""
    species = species_of(model, elements)
    filled = species >= 0
    points = model.positions_nm[filled]
    r = np.sqrt((points**2).sum(axis=1))
    cos = np.divide(points[:, 2], r, out=np.zeros(len(r)), where=r > 0)
    t = r / step
    n = np.minimum(t.astype(np.int64), n_bins - 1)
    powers = np.vander(t - (n + 0.5), _NODES, increasing=True)
    weight = powers @ np.linalg.inv(np.vander(_points(), _NODES, increasing=True))
    first = (species[filled] * n_bins + n) * _NODES
    return first[:, None] + np.arange(_NODES), weight, cos
