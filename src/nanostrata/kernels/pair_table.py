"""The quadratic form in the contrasts on a table that is already averaged over sizes and orientations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanostrata.kernels._jit import jit
from nanostrata.kernels.multishell import pair_index

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@jit(fastmath={"contract"})
def quadratic_form(table_t: Any, contrast: Any, out: Any) -> None:
    r"""Intensity of every energy from the packed pair table.

    .. math:: I(E, q) = \sum_{k \le l} T_{kl}(q)\, \mathrm{Re}(d_k^*(E)\, d_l(E))

    Parameters
    ----------
    table_t : (n_pair, n_q) float, C-contiguous, off-diagonal pairs doubled, nm^6
    contrast : (n_energy, n_shell) complex, e/nm^3
    out : (n_energy, n_q) float, overwritten, e^2
    """
    n_pair, n_q = table_t.shape
    n_energy, n = contrast.shape
    c = np.empty(n_pair)
    single = n_pair % 5
    for e in range(n_energy):
        i = 0
        for k in range(n):
            for m in range(k, n):
                c[i] = contrast[e, k].real * contrast[e, m].real + contrast[e, k].imag * contrast[e, m].imag
                i += 1
        row = out[e]
        for q in range(n_q):
            row[q] = 0.0
        # the loop over q is the innermost one: contiguous and without a sum to carry, so it vectorises. Five pairs at
        # a time write the row a fifth as often; five shells have 15 pairs
        for j in range(single):
            one, t = c[j], table_t[j]
            for q in range(n_q):
                row[q] += one * t[q]
        for j in range(single, n_pair, 5):
            c0, c1, c2, c3, c4 = c[j], c[j + 1], c[j + 2], c[j + 3], c[j + 4]
            t0, t1, t2, t3, t4 = table_t[j], table_t[j + 1], table_t[j + 2], table_t[j + 3], table_t[j + 4]
            for q in range(n_q):
                row[q] += c0 * t0[q] + c1 * t1[q] + c2 * t2[q] + c3 * t3[q] + c4 * t4[q]


def quadratic_form_numpy(table_t: FloatArray, contrast: ComplexArray, out: FloatArray) -> None:
    """NumPy twin of :func:`quadratic_form`; the same arguments and the same results."""
    k, m = pair_index(contrast.shape[1])
    np.matmul((contrast[:, k].conj() * contrast[:, m]).real, table_t, out=out)


@jit()
def mixture_contrast(x: Any, volume_poly: Any, core: Any, shell: Any, medium: float, out: Any) -> None:
    r"""Contrast of each shell of a solid solution at every energy.

    .. math:: d_k(E) = \frac{(1 - x_k) f_{core}(E) + x_k f_{shell}(E)}{v(x_k)} - \rho_m

    Parameters
    ----------
    x : (n_shell,) float
    volume_poly : (degree + 1,) float, v(x) in nm^3, highest power first
    core, shell : (n_energy,) complex, electrons per shared site
    medium : electron density of the medium, e/nm^3
    out : (n_energy, n_shell) complex, overwritten, e/nm^3
    """
    for k in range(x.shape[0]):
        v = 0.0
        for c in range(volume_poly.shape[0]):
            v = v * x[k] + volume_poly[c]
        b = x[k] / v
        a = 1.0 / v - b
        for e in range(core.shape[0]):
            out[e, k] = a * core[e] + b * shell[e] - medium


def mixture_contrast_numpy(
    x: FloatArray, volume_poly: FloatArray, core: ComplexArray, shell: ComplexArray, medium: float, out: ComplexArray
) -> None:
    """NumPy twin of :func:`mixture_contrast`; the same arguments and the same results."""
    out[:] = (np.outer(core, 1.0 - x) + np.outer(shell, x)) / np.polyval(volume_poly, x) - medium


@jit()
def mixture_form(table_t: Any, x: Any, volume_poly: Any, core: Any, shell: Any, medium: float, out: Any) -> None:
    """:func:`mixture_contrast`, then :func:`quadratic_form`, in one call: the crossing from Python costs as much."""
    contrast = np.empty((core.shape[0], x.shape[0]), dtype=np.complex128)
    mixture_contrast(x, volume_poly, core, shell, medium, contrast)
    quadratic_form(table_t, contrast, out)


def mixture_form_numpy(
    table_t: FloatArray, x: FloatArray, volume_poly: FloatArray, core: ComplexArray, shell: ComplexArray, medium: float,
    out: FloatArray,
) -> None:  # fmt: skip
    """NumPy twin of :func:`mixture_form`; the same arguments and the same results."""
    contrast = np.empty((len(core), len(x)), dtype=np.complex128)
    mixture_contrast_numpy(x, volume_poly, core, shell, medium, contrast)
    quadratic_form_numpy(table_t, contrast, out)
