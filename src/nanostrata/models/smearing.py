"""The q values that a measured point averages over, and how much each counts."""

from __future__ import annotations

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import FloatArray
from nanostrata.errors import RecipeError

DQ_NODES = 11
SLIT_NODES = 24


def smearing_points(curve: ScatteringCurve, smearing: str | float) -> tuple[FloatArray, FloatArray] | None:
    r"""Return q values and weights for each point of a curve; None where nothing is smeared.

    .. math:: I_s(q) = \int I(|q + z\,\delta q|)\, \frac{e^{-z^2/2}}{\sqrt{2\pi}}\, dz
              \quad\text{or}\quad \frac{1}{L} \int_0^L I\big(\sqrt{q^2 + y^2}\big)\, dy

    by Gauss-Hermite and Gauss-Legendre quadrature.

    Parameters
    ----------
    curve : the measurement
    smearing : "none", "dq" (one standard deviation for each point, from the file) or the half-length L of a slit, 1/nm

    Returns
    -------
    tuple of (n_q, n_s) arrays, or None
        q (1/nm, >= 0) and weights; those of each point sum to 1.

    Raises
    ------
    RecipeError
        When dq is asked for and the curve has none.
    """
    if smearing == "none":
        return None
    q = curve.q_inv_nm
    if smearing == "dq":
        if curve.dq_inv_nm is None:
            raise RecipeError(f'{curve.label}: smearing = "dq" needs a fourth column dq')
        z, w = np.polynomial.hermite_e.hermegauss(DQ_NODES)
        spread = np.abs(q[:, None] + z * curve.dq_inv_nm[:, None])
    else:
        y, w = np.polynomial.legendre.leggauss(SLIT_NODES)
        spread = np.sqrt(q[:, None] ** 2 + (0.5 * (y + 1.0) * float(smearing)) ** 2)
    return spread, np.broadcast_to(w / w.sum(), spread.shape)
