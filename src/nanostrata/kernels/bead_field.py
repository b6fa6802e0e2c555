"""Scattering of equal beads that sit on lattice sites, averaged over the sizes of the particles, in few numbers per pair."""

from __future__ import annotations

import numpy as np

from nanostrata.kernels.sizes import FloatArray


def sphere_form(u: FloatArray) -> FloatArray:
    r"""Normalised amplitude of a ball, :math:`3(\sin u - u \cos u)/u^3`; a series below u = 0.05 avoids cancellation."""
    u = np.asarray(u, dtype=np.float64)
    safe = np.where(u > 0.05, u, 1.0)
    near = 1.0 - u * u / 10.0 + u**4 / 280.0
    return np.where(u > 0.05, 3.0 * (np.sin(safe) - safe * np.cos(safe)) / safe**3, near)


SPREAD_SHAPES = ("gaussian", "lognormal")
"""Number distributions of the size that the average over an ensemble knows."""


def relative_sizes(
    spread: float, nodes: int = 41, width: float = 5.0, shape: str = "gaussian"
) -> tuple[FloatArray, FloatArray]:
    r"""Sizes :math:`\lambda = D/\langle D\rangle` of an ensemble and their number weights.

    .. math:: \lambda = 1 + s z \ \ \text{(Gaussian)}, \qquad
              \lambda = e^{u z - u^2/2},\ u^2 = \ln(1 + s^2) \ \ \text{(log-normal)}

    with z standard normal, on equal steps; mean 1 and standard deviation s either way; weights sum to 1. The Gaussian is
    cut where it would reach zero. The log-normal reaches six more widths u upwards: scattering goes as the sixth power.

    Parameters
    ----------
    spread : relative standard deviation, >= 0; 0 is one size
    nodes, width : number of sizes, and how many standard deviations they reach to either side
    shape : "gaussian" or "lognormal", of the numbers of particles
    """
    if shape not in SPREAD_SHAPES:
        raise ValueError(f"shape: one of {', '.join(SPREAD_SHAPES)} is expected, got {shape!r}")
    if spread <= 0.0:
        return np.ones(1), np.ones(1)
    if shape == "lognormal":
        u = float(np.sqrt(np.log1p(spread * spread)))
        z = np.linspace(-width, width + 6.0 * u, nodes)
        w = np.exp(-0.5 * z * z)
        return np.exp(u * z - 0.5 * u * u), w / w.sum()
    reach = min(width, 0.98 / spread)
    z = np.linspace(-reach, reach, nodes)
    w = np.exp(-0.5 * z * z)
    return 1.0 + spread * z, w / w.sum()


def pair_kernel(
    q_inv_nm: FloatArray, r_nm: FloatArray, bead_radius_nm: float, sizes: FloatArray, weights: FloatArray
) -> FloatArray:
    r"""Contribution of a pair of beads at a distance to the scattering of the ensemble.

    .. math:: S_k(r) = \sum_m w_m \lambda_m^6\, f(\lambda_m q_k)^2\, \frac{\sin(\lambda_m q_k r)}{\lambda_m q_k r}

    so that :math:`\langle I\rangle(q_k) = \sum_{ij} S_k(r_{ij}) = \sum_m w_m \lambda_m^6 I_0(\lambda_m q_k)`: the shape is
    that of the particle with lambda = 1. The form factor f of a bead is that of a ball and scales with the particle.

    Parameters
    ----------
    q_inv_nm : (n_q,)
    r_nm : (n_r,) distances, >= 0
    bead_radius_nm : radius of a bead, nm
    sizes, weights : (m,) lambda and number weights; see :func:`relative_sizes`

    Returns
    -------
    (n_q, n_r), 1 for q = 0 and one size
    """
    out = np.zeros((len(q_inv_nm), len(r_nm)))
    for lam, w in zip(sizes, weights, strict=True):
        form = sphere_form(lam * q_inv_nm * bead_radius_nm)
        out += (w * lam**6) * (form * form)[:, None] * np.sinc(np.outer(lam * q_inv_nm, r_nm) / np.pi)
    return out


def few_numbers(kernel: FloatArray, tolerance: float = 1e-7) -> tuple[FloatArray, FloatArray]:
    r"""Write a kernel as :math:`S_k(r) = \sum_m U_{km} V_m(r)` with orthonormal columns of U and as few terms as will do.

    On a limited range of q a distance is told from another by few numbers: about q_max D / pi, and a few more for the
    digits. With the kernel divided by the errors of the data, the squared norm of the coefficients is chi^2.

    Parameters
    ----------
    kernel : (n_q, n_r), rows divided by the errors of the data
    tolerance : share of the largest singular value below which terms are left out

    Returns
    -------
    U (n_q, rank), V (n_r, rank)
    """
    u, s, vt = np.linalg.svd(kernel, full_matrices=False)
    rank = max(1, int((s > tolerance * s[0]).sum()))
    return np.ascontiguousarray(u[:, :rank]), np.ascontiguousarray((s[:rank, None] * vt[:rank]).T)


def pair_counts(sites: np.ndarray, n_max: int) -> FloatArray:
    """How many ordered pairs (self included) lie at each squared lattice distance, (n_max + 1,)."""
    out = np.zeros(n_max + 1)
    for i in range(len(sites)):
        n = ((sites[i:] - sites[i]) ** 2).sum(axis=1) // 2
        out += 2.0 * np.bincount(n, minlength=n_max + 1)
    out[0] -= len(sites)
    return out


def debye_beads(q_inv_nm: FloatArray, positions_nm: FloatArray, bead_radius_nm: float) -> FloatArray:
    r"""Direct double sum :math:`f(q)^2 \sum_{ij} \sin(q r_{ij})/(q r_{ij})` over beads of one size; the oracle, O(n_q N^2)."""
    out = np.zeros(len(q_inv_nm))
    for p in positions_nm:
        r = np.sqrt(((positions_nm - p) ** 2).sum(axis=1))
        out += np.sinc(np.outer(q_inv_nm, r) / np.pi).sum(axis=1)
    return np.asarray(out * sphere_form(q_inv_nm * bead_radius_nm) ** 2)
