"""A shell of constant thickness round particles of many sizes: exact in thickness, one table for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit
from nanostrata.kernels.multishell import shell_basis, sphere_phi

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

N_OUTER = 3
"""Functions of the radius that an outer shell of any thickness needs besides those of the particle."""


def outer_basis(q: FloatArray, radius: FloatArray) -> FloatArray:
    r"""Functions of the particle's radius that make up an outer shell of constant thickness.

    .. math:: e_1 = \frac{j_0(qR)}{R}, \qquad e_2 = \frac{j_0(qR)}{R^2}, \qquad e_3 = \frac{\cos qR}{R^3},
              \qquad j_0(u) = \frac{\sin u}{u}

    Parameters
    ----------
    q : (n_q,) 1/nm
    radius : (n_r,) radius of the particle without the shell, nm, > 0

    Returns
    -------
    (3, n_r, n_q) in 1/nm, 1/nm^2 and 1/nm^3
    """
    u = np.multiply.outer(radius, q)
    r = radius[:, None]
    j0 = np.sinc(u / np.pi)
    return np.stack([j0 / r, j0 / r**2, np.cos(u) / r**3])


def outer_weights(q: FloatArray, thickness: float) -> tuple[FloatArray, FloatArray]:
    r"""Coefficients of an outer shell of thickness T, and their derivatives by T.

    With :math:`\tau = qT` the addition theorems split the sphere of radius R + T exactly,

    .. math:: \Big(\frac{R+T}{R}\Big)^3 \Phi(q(R+T)) - \Phi(qR) = (\cos\tau - 1)\,\Phi(qR)
              + 3\,\frac{\sin\tau}{q}\, e_1 + 3T\,\frac{\sin\tau}{q}\, e_2 + T^3 \Phi(\tau)\, e_3,

    with :math:`e_j` of :func:`outer_basis`. At q = 0 it is the ratio of volumes, 3T/R + 3T^2/R^2 + T^3/R^3.

    Parameters
    ----------
    q : (p,) 1/nm, >= 0
    thickness : T, nm

    Returns
    -------
    two arrays (4, p)
        Coefficients of Phi (the sum of the particle's shells) and of e_1, e_2, e_3: 1, nm, nm^2, nm^3.
    """
    tau = q * thickness
    sine = thickness * np.sinc(tau / np.pi)  # sin(tau) / q, regular at q = 0
    cosine = np.cos(tau)
    flat = 3.0 * thickness * sine
    weights = np.stack([cosine - 1.0, 3.0 * sine, flat, thickness**3 * sphere_phi(np.abs(tau))])
    slopes = np.stack([-q * np.sin(tau), 3.0 * cosine, 3.0 * (sine + thickness * cosine), flat])
    return weights, slopes


def outer_pairs(n_shell: int) -> tuple[IntArray, IntArray]:
    """Return the pairs (k, l), k <= l, of n shells and the outer functions; those of the shells alone come first."""
    n = n_shell + N_OUTER
    k, m = np.triu_indices(n)
    order = np.argsort(m >= n_shell, kind="stable")
    return k[order].astype(np.int64), m[order].astype(np.int64)


def outer_table(q: FloatArray, nodes: FloatArray, fractions: FloatArray) -> FloatArray:
    """Products of the basis functions of shells and outer shell, off-diagonal ones doubled, (n_t, n_q, n_pair).

    Parameters
    ----------
    q : (n_q,) 1/nm
    nodes : (n_t,) radii, nm
    fractions : (n_shell,) outer radius of each shell over the particle's
    """
    basis = np.concatenate([shell_basis(np.multiply.outer(nodes, q), fractions), outer_basis(q, nodes)])
    k, m = outer_pairs(len(fractions))
    factor = np.where(k == m, 1.0, 2.0)[:, None, None]
    return np.ascontiguousarray(np.moveaxis(factor * basis[k] * basis[m], 0, -1))


@jit()
def pair_form(
    left: Any, right: Any, column: Any, tables: Any, d: Any, value: Any, half_slope: Any, grad_table: Any
) -> None:
    r"""Hermitian form of complex coefficients with a table of packed pairs, at every data point.

    .. math:: A = \sum_{i} T_i\, \mathrm{Re}(d_{k_i}^*\, d_{l_i}), \qquad y_k = \tfrac{1}{2}\, \partial A / \partial d_k^*

    Parameters
    ----------
    left, right : (n_pair,) k and l of each pair, k <= l
    column : (p,) row of the tables for each point
    tables : (m, c, n_pair) table and its derivatives, off-diagonal pairs doubled
    d : (p, n) complex
    value, half_slope, grad_table : (p,), (p, n) complex and (p, m - 1), overwritten; dA = 2 Re(y^* dd)
    """
    pairs = left.shape[0]
    for p in range(d.shape[0]):
        row = tables[0, column[p]]
        one = d[p]
        y = half_slope[p]
        for k in range(one.shape[0]):
            y[k] = 0.0
        for i in range(pairs):
            k = left[i]
            m = right[i]
            t = 0.5 * row[i]
            y[k] += t * one[m]
            y[m] += t * one[k]
        total = 0.0
        for k in range(one.shape[0]):
            total += one[k].real * y[k].real + one[k].imag * y[k].imag
        value[p] = total
        for a in range(1, tables.shape[0]):
            other = tables[a, column[p]]
            s = 0.0
            for i in range(pairs):
                k = left[i]
                m = right[i]
                s += other[i] * (one[k].real * one[m].real + one[k].imag * one[m].imag)
            grad_table[p, a - 1] = s


def pair_form_numpy(
    left: IntArray, right: IntArray, column: IntArray, tables: FloatArray, d: ComplexArray, value: FloatArray,
    half_slope: ComplexArray, grad_table: FloatArray,
) -> None:  # fmt: skip
    """NumPy twin of :func:`pair_form`; the same arguments and the same results."""
    rows = tables[:, column]
    products = (d[:, left].conj() * d[:, right]).real
    value[:] = np.einsum("pi,pi->p", rows[0], products)
    for a in range(1, len(tables)):
        grad_table[:, a - 1] = np.einsum("pi,pi->p", rows[a], products)
    half = 0.5 * rows[0]
    half_slope[:] = 0.0
    for i, (k, m) in enumerate(zip(left, right, strict=True)):
        half_slope[:, k] += half[:, i] * d[:, m]
        half_slope[:, m] += half[:, i] * d[:, k]


@jit()
def coefficients(
    x: Any, vol: Any, core: Any, shell: Any, medium: Any, d_core: float, d_shell: float, outside: Any, weights: Any, d: Any,
) -> None:  # fmt: skip
    r"""Fill d (p, n + 3): contrast of each shell and of the outer functions of a ligand, at every data point.

    .. math:: D_k = \Delta\rho_k + \Delta\rho_L w_0, \qquad D_{n+j} = \Delta\rho_L w_j

    x, vol (n,); core, shell, outside complex (p,); medium (p,); weights (4, p) of :func:`outer_weights`.
    """
    n = x.shape[0]
    for p in range(core.shape[0]):
        flat = outside[p] * weights[0, p]
        for k in range(n):
            bare = (core[p] + x[k] * (shell[p] - core[p])) / vol[k]
            d[p, k] = bare * (1.0 + (1.0 - x[k]) * d_core + x[k] * d_shell) - medium[p] + flat
        for j in range(3):
            d[p, n + j] = outside[p] * weights[1 + j, p]


def coefficients_numpy(
    x: FloatArray, vol: FloatArray, core: ComplexArray, shell: ComplexArray, medium: FloatArray, d_core: float, d_shell: float,
    outside: ComplexArray, weights: FloatArray, d: ComplexArray,
) -> None:  # fmt: skip
    """NumPy twin of :func:`coefficients`; the same arguments and the same results."""
    n = len(x)
    bare = ((1.0 - x) * core[:, None] + x * shell[:, None]) / vol
    d[:, :n] = bare * (1.0 + (1.0 - x) * d_core + x * d_shell) - medium[:, None] + (outside * weights[0])[:, None]
    d[:, n:] = outside[:, None] * weights[1:].T


@jit()
def chain_rule(
    x: Any, vol: Any, dvol: Any, core: Any, shell: Any, d_core: float, d_shell: float, outside: Any, density: Any, weights: Any,
    slopes: Any, by_core: Any, by_shell: Any, by_medium: Any, y: Any, grad_x: Any, grad_density: Any, grad_contrast: Any, grad_ligand: Any,
) -> None:  # fmt: skip
    """Derivatives of the form from y (p, n + 3) of :func:`pair_form`.

    ``density`` : (p,) complex density of the ligand; ``slopes`` (4, p) of :func:`outer_weights`; written are grad_x (p, n),
    grad_density (p, 2), grad_contrast (p, e) and grad_ligand (p, 2), by thickness and by relative density.
    """
    n = x.shape[0]
    for p in range(core.shape[0]):
        step = shell[p] - core[p]
        total = 0.0 * step
        core_sum = 0.0 * step
        shell_sum = 0.0 * step
        gc = 0.0
        gs = 0.0
        for k in range(n):
            yc = y[p, k].conjugate()
            scale = 1.0 + (1.0 - x[k]) * d_core + x[k] * d_shell
            bare = (core[p] + x[k] * step) / vol[k]
            slope = (step - bare * dvol[k]) / vol[k] * scale + bare * (d_shell - d_core)
            grad_x[p, k] = 2.0 * (yc * slope).real
            both = 2.0 * (yc * bare).real
            gc += (1.0 - x[k]) * both
            gs += x[k] * both
            total += yc
            core_sum += (1.0 - x[k]) * scale / vol[k] * yc
            shell_sum += x[k] * scale / vol[k] * yc
        grad_density[p, 0] = gc
        grad_density[p, 1] = gs
        by_outside = total * weights[0, p]
        by_thickness = total * slopes[0, p]
        for j in range(3):
            yc = y[p, n + j].conjugate()
            by_outside += yc * weights[1 + j, p]
            by_thickness += yc * slopes[1 + j, p]
        for e in range(by_core.shape[1]):
            grad_contrast[p, e] = 2.0 * (
                (by_core[p, e] * core_sum + by_shell[p, e] * shell_sum).real
                - by_medium[p, e] * (total + by_outside).real
            )
        grad_ligand[p, 0] = 2.0 * (by_thickness * outside[p]).real
        grad_ligand[p, 1] = 2.0 * (by_outside * density[p]).real


def chain_rule_numpy(
    x: FloatArray, vol: FloatArray, dvol: FloatArray, core: ComplexArray, shell: ComplexArray, d_core: float, d_shell: float,
    outside: ComplexArray, density: ComplexArray, weights: FloatArray, slopes: FloatArray, by_core: ComplexArray,
    by_shell: ComplexArray, by_medium: FloatArray, y: ComplexArray, grad_x: FloatArray, grad_density: FloatArray,
    grad_contrast: FloatArray, grad_ligand: FloatArray,
) -> None:  # fmt: skip
    """NumPy twin of :func:`chain_rule`; the same arguments and the same results."""
    n = len(x)
    conj = y[:, :n].conj()
    bare = ((1.0 - x) * core[:, None] + x * shell[:, None]) / vol
    scale = 1.0 + (1.0 - x) * d_core + x * d_shell
    slope = ((shell - core)[:, None] - bare * dvol) / vol * scale + bare * (d_shell - d_core)
    grad_x[:] = 2.0 * (conj * slope).real
    both = 2.0 * (conj * bare).real
    grad_density[:, 0], grad_density[:, 1] = both @ (1.0 - x), both @ x
    total = conj.sum(axis=1)
    by_outside = total * weights[0] + np.einsum("pj,jp->p", y[:, n:].conj(), weights[1:])
    by_thickness = total * slopes[0] + np.einsum("pj,jp->p", y[:, n:].conj(), slopes[1:])
    per_site = conj * (scale / vol)
    grad_contrast[:] = 2.0 * (
        (by_core * (per_site @ (1.0 - x))[:, None] + by_shell * (per_site @ x)[:, None]).real
        - by_medium * (total + by_outside).real[:, None]
    )
    grad_ligand[:, 0] = 2.0 * (by_thickness * outside).real
    grad_ligand[:, 1] = 2.0 * (by_outside * density).real
