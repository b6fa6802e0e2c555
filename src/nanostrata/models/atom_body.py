"""Cross terms of atoms with a homogeneous body of the displaced medium."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nanostrata.domain import AtomicModel, FloatArray
from nanostrata.errors import PhysicsError
from nanostrata.kernels.multishell import sphere_phi
from nanostrata.models.atom_columns import species_of

_MU_NODES = 48
_MAX_ORDER = 40
_SMALL_COEFFICIENT = 1e-7
_BIN_TIMES_Q = 8e-3
"""Width of the radial bins times q: one radius per atom, linear shares to two bins, error below 1e-6."""


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
    n_bins = max(int(float(np.sqrt((m.positions_nm**2).sum(axis=1)).max()) / step) for m in models) + 3
    cross = np.zeros((len(models), len(elements), len(q)))
    for k in range(max(len(c) for c in coefficients)):
        radial = _signed_bessel(2 * k, q, step, n_bins)
        for i, c in enumerate(coefficients):
            if k < len(c):
                cross[i] += c[k] * (_angular_histogram(models[i], elements, 2 * k, step, n_bins) @ radial)
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


def _signed_bessel(order: int, q: FloatArray, step: float, n_bins: int) -> FloatArray:
    """i^l j_l(q r) on the radial grid, l even: (n_bins, n_q)."""
    from scipy.special import spherical_jn

    sign = 1.0 if order % 4 == 0 else -1.0
    return np.asarray(sign * spherical_jn(order, step * np.arange(n_bins)[:, None] * q[None, :]))


def _angular_histogram(
    model: AtomicModel, elements: tuple[str, ...], order: int, step: float, n_bins: int
) -> FloatArray:
    """Sum of P_l(cos theta) of each element's atoms by distance from the centre, linear binning: (n_e, n_bins)."""
    from scipy.special import eval_legendre

    r = np.sqrt((model.positions_nm**2).sum(axis=1))
    cos = np.divide(model.positions_nm[:, 2], r, out=np.zeros(len(r)), where=r > 0)
    p = np.asarray(eval_legendre(order, cos))
    t = r / step
    n = t.astype(np.int64)
    species = species_of(model, elements)
    out = np.empty((len(elements), n_bins))
    for row in range(len(elements)):
        here = species == row
        high = t[here] - n[here]
        out[row] = np.bincount(n[here], p[here] * (1.0 - high), minlength=n_bins)
        out[row] += np.bincount(n[here] + 1, p[here] * high, minlength=n_bins)
    return _sharpened(out.T).T


def _sharpened(histogram: FloatArray) -> FloatArray:
    r"""Undo the mean error of linear binning, :math:`w^2 g''/12`, by the second difference of the histogram."""
    out = histogram * (7.0 / 6.0)
    out[1:] -= histogram[:-1] / 12.0
    out[:-1] -= histogram[1:] / 12.0
    # bin -1 would mirror bin 1 for an even function of the distance
    out[1] -= histogram[0] / 12.0
    return out
