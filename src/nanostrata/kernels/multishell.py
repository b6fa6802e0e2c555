"""Concentric homogeneous shells: amplitudes, pair tables over sizes, and the quadratic form in the contrasts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_SERIES_BELOW = 0.3


def sphere_phi(u: FloatArray) -> FloatArray:
    r"""Normalised amplitude of a homogeneous sphere.

    .. math:: \Phi(u) = 3 (\sin u - u \cos u) / u^3, \qquad \Phi(0) = 1

    Parameters
    ----------
    u : any shape
        q times radius, >= 0.

    Returns
    -------
    same shape
        Below u = 0.3 a series replaces the ratio (cancellation); relative error < 1e-13.

    References
    ----------
    Rayleigh, Proc. R. Soc. Lond. A 84, 25 (1910), doi:10.1098/rspa.1910.0054.
    """
    u = np.asarray(u, dtype=np.float64)
    u2 = u * u
    series = 1.0 - u2 / 10.0 * (1.0 - u2 / 28.0 * (1.0 - u2 / 54.0 * (1.0 - u2 / 88.0 * (1.0 - u2 / 130.0))))
    safe = np.where(u < _SERIES_BELOW, 1.0, u)
    ratio = 3.0 * (np.sin(safe) - safe * np.cos(safe)) / safe**3
    return np.where(u < _SERIES_BELOW, series, ratio)


def multishell_amplitude(q: FloatArray, edges: FloatArray, contrast: ComplexArray) -> ComplexArray:
    r"""Scattering amplitude of concentric homogeneous shells.

    .. math:: F(q) = \sum_k (\Delta\rho_k - \Delta\rho_{k+1})\, \tfrac{4}{3}\pi r_k^3\, \Phi(q r_k),
              \qquad \Delta\rho_{n+1} = 0

    Parameters
    ----------
    q : (n_q,) float
        Scattering vector, 1/nm, >= 0.
    edges : (n_shell,) float
        Outer radius of each shell, nm, increasing.
    contrast : (n_shell,) complex
        Electron density of each shell minus that of the medium, e/nm^3.

    Returns
    -------
    (n_q,) complex
        Amplitude, electrons. F(0) is the number of excess electrons.

    Notes
    -----
    Assumes sharp, centred, spherical shells and the Born approximation.

    References
    ----------
    Feigin & Svergun, Structure Analysis by Small-Angle X-Ray and Neutron Scattering, Plenum 1987.

    Examples
    --------
    >>> multishell_amplitude(np.array([0.0]), np.array([1.0]), np.array([1.0 + 0j])).real.round(4)
    array([4.1888])
    """
    q = np.atleast_1d(np.asarray(q, dtype=np.float64))
    edges = np.asarray(edges, dtype=np.float64)
    contrast = np.asarray(contrast, dtype=np.complex128)
    steps = contrast - np.append(contrast[1:], 0.0)
    volumes = 4.0 / 3.0 * np.pi * edges**3
    return np.asarray(sphere_phi(q[:, None] * edges[None, :]) @ (steps * volumes))


def shell_basis(u: FloatArray, fractions: FloatArray) -> FloatArray:
    r"""Amplitude of each single shell of unit contrast, over the particle's volume.

    .. math:: h_k(u) = f_k^3 \Phi(u f_k) - f_{k-1}^3 \Phi(u f_{k-1}), \qquad f_0 = 0

    Parameters
    ----------
    u : any shape
        q times the particle's (effective) radius.
    fractions : (n_shell,) float
        Outer radius of each shell over the particle's, increasing; the last is 1.

    Returns
    -------
    (n_shell, *u.shape) float
        h_k; the sum over k is Phi(u).
    """
    u = np.asarray(u, dtype=np.float64)
    full = np.stack([f**3 * sphere_phi(u * f) for f in fractions])
    return np.diff(full, axis=0, prepend=np.zeros_like(full[:1]))


def pair_index(n_shell: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the upper-triangle index (k, l) with k <= l of the packed shell pairs."""
    k, m = np.triu_indices(n_shell)
    return k.astype(np.int64), m.astype(np.int64)


def pair_products(basis: FloatArray) -> FloatArray:
    """Products h_k h_l of packed pairs, off-diagonal ones doubled.

    Parameters
    ----------
    basis : (n_shell, ...) float

    Returns
    -------
    (n_pair, ...) float
    """
    k, m = pair_index(len(basis))
    factor = np.where(k == m, 1.0, 2.0).reshape((-1,) + (1,) * (basis.ndim - 1))
    return np.asarray(factor * basis[k] * basis[m])


def size_table(
    q: FloatArray, nodes: FloatArray, fractions: FloatArray, spread: tuple[FloatArray, FloatArray] | None = None
) -> FloatArray:
    r"""Pair products on every node of effective radius: the part of the model that no parameter touches.

    .. math:: T_{i,j,kl} = \langle h_k(q t_i)\, h_l(q t_i) \rangle_{q \text{ around } q_j}

    Parameters
    ----------
    q : (n_q,) float
        1/nm.
    nodes : (n_t,) float
        Effective radii t, nm. For a spheroid t = R (1 + (b^2 - 1) mu^2)^(1/2).
    fractions : (n_shell,) float
        Outer radius of each shell over the particle's.
    spread : ((n_q, n_s), (n_q, n_s)), optional
        Smearing: the q values that contribute to each point and their weights (rows sum to 1).

    Returns
    -------
    (n_t, n_q, n_pair) float
    """
    if spread is None:
        return _table(np.multiply.outer(nodes, q), fractions)
    values, weights = spread
    table = np.zeros((len(nodes), len(q), len(fractions) * (len(fractions) + 1) // 2))
    for s in range(values.shape[1]):
        table += weights[None, :, s, None] * _table(np.multiply.outer(nodes, values[:, s]), fractions)
    return table


def _table(u: FloatArray, fractions: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.moveaxis(pair_products(shell_basis(u, fractions)), 0, -1))


@jit(fastmath={"reassoc", "contract"})
def form_and_gradient(
    x: Any, vol: Any, dvol: Any, core: Any, shell: Any, medium: Any, d_core: float, d_shell: float, column: Any, tables: Any,
    by_core: Any, by_shell: Any, by_medium: Any,
    value: Any, grad_x: Any, grad_table: Any, grad_density: Any, grad_contrast: Any,
) -> None:  # fmt: skip
    r"""Quadratic form in the contrasts, and its derivatives, at every data point.

    .. math::
        \Delta\rho_k = (1+\delta_k)\frac{(1-x_k) f_c + x_k f_s}{v(x_k)} - \rho_m, \quad
        \delta_k = (1-x_k)\delta_c + x_k\delta_s, \quad
        A = \sum_{k \le l} T_{kl}\, \mathrm{Re}(\Delta\rho_k^* \Delta\rho_l)

    Arrays: x, vol, dvol (n,); core, shell complex (p,); medium (p,); column (p,) row of the tables for each point;
    tables (m, c, n_pair): first the table, then its derivatives with respect to m - 1 size parameters; by_core, by_shell
    complex and by_medium (p, e): derivatives of core, shell and medium by e further parameters. Results are written into
    value (p,), grad_x (p, n), grad_table (p, m - 1), grad_density (p, 2), grad_contrast (p, e).
    """
    n = x.shape[0]
    m = tables.shape[0]
    pairs = tables.shape[2]
    re = np.empty(n)
    im = np.empty(n)
    bare_re = np.empty(n)
    bare_im = np.empty(n)
    yre = np.empty(n)
    yim = np.empty(n)
    product = np.empty(pairs)
    inverse = np.empty(n)
    scale = np.empty(n)
    for k in range(n):
        inverse[k] = 1.0 / vol[k]
        scale[k] = 1.0 + (1.0 - x[k]) * d_core + x[k] * d_shell
    for p in range(core.shape[0]):
        row = tables[0, column[p]]
        step_re = shell[p].real - core[p].real
        step_im = shell[p].imag - core[p].imag
        for k in range(n):
            bare_re[k] = (core[p].real + x[k] * step_re) * inverse[k]
            bare_im[k] = (core[p].imag + x[k] * step_im) * inverse[k]
            re[k] = bare_re[k] * scale[k] - medium[p]
            im[k] = bare_im[k] * scale[k]
            yre[k] = 0.0
            yim[k] = 0.0
        i = 0
        for k in range(n):
            yre[k] += row[i] * re[k]
            yim[k] += row[i] * im[k]
            product[i] = re[k] * re[k] + im[k] * im[k]
            i += 1
            sum_re = 0.0
            sum_im = 0.0
            for l in range(k + 1, n):
                t = 0.5 * row[i]
                sum_re += t * re[l]
                sum_im += t * im[l]
                yre[l] += t * re[k]
                yim[l] += t * im[k]
                product[i] = re[k] * re[l] + im[k] * im[l]
                i += 1
            yre[k] += sum_re
            yim[k] += sum_im
        total = 0.0
        gc = 0.0
        gs = 0.0
        core_re = 0.0
        core_im = 0.0
        shell_re = 0.0
        shell_im = 0.0
        medium_re = 0.0
        for k in range(n):
            total += re[k] * yre[k] + im[k] * yim[k]
            slope_re = (step_re - bare_re[k] * dvol[k]) * inverse[k] * scale[k] + bare_re[k] * (d_shell - d_core)
            slope_im = (step_im - bare_im[k] * dvol[k]) * inverse[k] * scale[k] + bare_im[k] * (d_shell - d_core)
            grad_x[p, k] = 2.0 * (yre[k] * slope_re + yim[k] * slope_im)
            both = 2.0 * (yre[k] * bare_re[k] + yim[k] * bare_im[k])
            gc += (1.0 - x[k]) * both
            gs += x[k] * both
            per_site = inverse[k] * scale[k]
            core_re += (1.0 - x[k]) * per_site * yre[k]
            core_im += (1.0 - x[k]) * per_site * yim[k]
            shell_re += x[k] * per_site * yre[k]
            shell_im += x[k] * per_site * yim[k]
            medium_re += yre[k]
        for e in range(by_core.shape[1]):
            grad_contrast[p, e] = 2.0 * (
                by_core[p, e].real * core_re
                + by_core[p, e].imag * core_im
                + by_shell[p, e].real * shell_re
                + by_shell[p, e].imag * shell_im
                - by_medium[p, e] * medium_re
            )
        value[p] = total
        grad_density[p, 0] = gc
        grad_density[p, 1] = gs
        for a in range(1, m):
            other = tables[a, column[p]]
            d = 0.0
            for i in range(pairs):
                d += other[i] * product[i]
            grad_table[p, a - 1] = d


def form_and_gradient_numpy(
    x: FloatArray, vol: FloatArray, dvol: FloatArray, core: ComplexArray, shell: ComplexArray, medium: FloatArray,
    d_core: float, d_shell: float, column: NDArray[np.int64], tables: FloatArray,
    by_core: ComplexArray, by_shell: ComplexArray, by_medium: FloatArray,
    value: FloatArray, grad_x: FloatArray, grad_table: FloatArray, grad_density: FloatArray, grad_contrast: FloatArray,
) -> None:  # fmt: skip
    """NumPy twin of :func:`form_and_gradient`; the same arguments and the same results."""
    k, m = pair_index(len(x))
    bare = ((1.0 - x) * core[:, None] + x * shell[:, None]) / vol
    scale = 1.0 + (1.0 - x) * d_core + x * d_shell
    rho = bare * scale - medium[:, None]
    products = (rho[:, k].conj() * rho[:, m]).real
    rows = tables[:, column]
    value[:] = np.einsum("pi,pi->p", rows[0], products)
    for a in range(1, len(tables)):
        grad_table[:, a - 1] = np.einsum("pi,pi->p", rows[a], products)
    full = np.zeros((len(core), len(x), len(x)))
    full[:, k, m] += 0.5 * rows[0]
    full[:, m, k] += 0.5 * rows[0]
    y = np.einsum("pkl,pl->pk", full, rho)
    slope = ((shell - core)[:, None] - bare * dvol) / vol * scale + bare * (d_shell - d_core)
    grad_x[:] = 2.0 * (y.conj() * slope).real
    both = 2.0 * (y.conj() * bare).real
    grad_density[:, 0] = both @ (1.0 - x)
    grad_density[:, 1] = both @ x
    per_site = y * (scale / vol)
    grad_contrast[:] = 2.0 * (
        (by_core.conj() * (per_site @ (1.0 - x))[:, None]).real
        + (by_shell.conj() * (per_site @ x)[:, None]).real
        - by_medium * y.real.sum(axis=1)[:, None]
    )
