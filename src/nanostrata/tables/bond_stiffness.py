"""Elastic constants of tetrahedral compounds, and what Keating's model makes of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nanostrata.errors import PhysicsError

__all__ = [
    "ELASTIC", "MARTIN_1970", "ElasticConstants", "cubic_constants", "force_constants", "tetrahedral_length_nm",
]  # fmt: skip

_BERLINCOURT = "Berlincourt, Jaffe & Shiozawa, Phys. Rev. 129, 1009 (1963)"
_XRAYUTILITIES = "xrayutilities, Kriegner, Wintersberger & Stangl, J. Appl. Cryst. 46, 1162 (2013)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticConstants:
    """Elastic stiffness of a crystal, GPa; c13 and c33 are given for hexagonal ones only.

    Attributes
    ----------
    length_nm : bond length, from the volume per pair as in the ideal tetrahedral lattice
    source : where the numbers are from
    """

    c11_gpa: float
    c12_gpa: float
    c44_gpa: float
    c13_gpa: float | None = None
    c33_gpa: float | None = None
    length_nm: float
    source: str

    @property
    def hexagonal(self) -> bool:
        """Whether c13 and c33 are given."""
        return self.c13_gpa is not None

    @property
    def bulk_gpa(self) -> float:
        """Bulk modulus (Voigt mean)."""
        if self.c13_gpa is None or self.c33_gpa is None:
            return (self.c11_gpa + 2.0 * self.c12_gpa) / 3.0
        return (2.0 * (self.c11_gpa + self.c12_gpa) + 4.0 * self.c13_gpa + self.c33_gpa) / 9.0

    @property
    def shear_gpa(self) -> float:
        """Shear modulus (Voigt mean)."""
        if self.c13_gpa is None or self.c33_gpa is None:
            return (self.c11_gpa - self.c12_gpa + 3.0 * self.c44_gpa) / 5.0
        c66 = 0.5 * (self.c11_gpa - self.c12_gpa)
        axial = 2.0 * self.c11_gpa + self.c33_gpa - self.c12_gpa - 2.0 * self.c13_gpa
        return (axial + 3.0 * (2.0 * self.c44_gpa + c66)) / 15.0


def tetrahedral_length_nm(volume_per_pair_nm3: float) -> float:
    r"""Bond length of the ideal tetrahedral lattice, :math:`v = 16 d^3 / (3 \sqrt 3)` per cation-anion pair."""
    return float((3.0 * math.sqrt(3.0) * volume_per_pair_nm3 / 16.0) ** (1.0 / 3.0))


def _cubic(a_nm: float) -> float:
    return tetrahedral_length_nm(a_nm**3 / 4.0)


def _hexagonal(a_nm: float, c_nm: float) -> float:
    return tetrahedral_length_nm(math.sqrt(3.0) / 4.0 * a_nm * a_nm * c_nm)


def _zb(a_nm: float, c11: float, c12: float, c44: float, source: str) -> ElasticConstants:
    return ElasticConstants(c11_gpa=c11, c12_gpa=c12, c44_gpa=c44, length_nm=_cubic(a_nm), source=source)


def _wz(
    lattice: tuple[float, float], c11: float, c12: float, c13: float, c33: float, c44: float, source: str
) -> ElasticConstants:
    return ElasticConstants(
        c11_gpa=c11, c12_gpa=c12, c13_gpa=c13, c33_gpa=c33, c44_gpa=c44, length_nm=_hexagonal(*lattice), source=source
    )


ELASTIC: Mapping[str, ElasticConstants] = {
    "Zn-S": _zb(0.54093, 104.6, 65.3, 46.13, _BERLINCOURT),
    "Zn-Se": _zb(0.5668, 81.0, 48.8, 44.1, _BERLINCOURT),
    "Zn-Te": _zb(0.6101, 71.3, 40.7, 31.2, _BERLINCOURT),
    "Cd-Te": _zb(0.6481, 53.51, 36.81, 19.94, _BERLINCOURT),
    "In-P": _zb(0.58687, 101.1, 56.1, 45.6, _XRAYUTILITIES),
    "In-As": _zb(0.60583, 83.4, 45.4, 39.5, _XRAYUTILITIES),
    "Ga-As": _zb(0.565325, 119.0, 53.4, 59.6, _XRAYUTILITIES),
    "Si-Si": _zb(0.543104, 165.77, 63.93, 79.62, _XRAYUTILITIES),
    "Ge-Ge": _zb(0.565785, 128.5, 48.3, 66.8, _XRAYUTILITIES),
    "Cd-S": _wz((0.4136, 0.6713), 90.7, 58.1, 51.0, 93.8, 15.04, _BERLINCOURT),
    "Cd-Se": _wz((0.4299, 0.7010), 74.1, 45.2, 39.3, 83.6, 13.17, _BERLINCOURT),
}
"""Measured elastic constants by bond, at room temperature. What is not here must be given in the project file."""

MARTIN_1970: Mapping[str, tuple[float, float]] = {
    "Zn-S": (44.92, 4.78), "Zn-Se": (35.24, 4.23), "Zn-Te": (31.35, 4.45), "Cd-Te": (29.02, 2.43),
}  # fmt: skip
"""alpha and beta, N/m, of Martin, Phys. Rev. B 1, 4005 (1970), which hold beside Coulomb forces between the ions.

For comparison only: without these forces they make the crystal several per cent too stiff against pressure."""


def force_constants(elastic: ElasticConstants) -> tuple[float, float]:
    r"""Force constants alpha and beta, N/m, with which Keating's model has the measured stiffness.

    Cubic, from C11 and C12 (Martin's relations without Coulomb forces):

    .. math:: \beta = \frac{d}{\sqrt 3} (C_{11} - C_{12}), \qquad \alpha = \frac{d}{\sqrt 3} (C_{11} + 3 C_{12})

    Hexagonal, from the Voigt means of bulk modulus B and shear modulus G, which do not depend on how the tetrahedra are
    stacked but for internal strain:

    .. math:: 3 \alpha + \beta = 4 \sqrt 3\, d B, \qquad
              \beta + \frac{3 \alpha \beta}{\alpha + \beta} = \frac{5 d}{\sqrt 3} G

    Parameters
    ----------
    elastic : ElasticConstants

    Raises
    ------
    PhysicsError
        When a force constant would not be positive.

    References
    ----------
    Martin, Phys. Rev. B 1, 4005 (1970), doi:10.1103/PhysRevB.1.4005.
    """
    # GPa nm = N/m
    scale = elastic.length_nm / math.sqrt(3.0)
    if not elastic.hexagonal:
        beta = scale * (elastic.c11_gpa - elastic.c12_gpa)
        alpha = scale * (elastic.c11_gpa + 3.0 * elastic.c12_gpa)
    else:
        total, shear = 12.0 * scale * elastic.bulk_gpa, 5.0 * scale * elastic.shear_gpa
        # with alpha = (total - beta) / 3 the second relation is beta^2 - (4 total - 2 shear) beta + total shear = 0; the
        # smaller root is the one with beta < alpha
        half = 2.0 * total - shear
        root = half * half - total * shear
        beta = half - math.sqrt(root) if root >= 0.0 else -1.0
        alpha = (total - beta) / 3.0
    if not (alpha > 0.0 and beta > 0.0):
        raise PhysicsError(
            f"elastic constants: C11 = {elastic.c11_gpa:g}, C12 = {elastic.c12_gpa:g}, C44 = {elastic.c44_gpa:g} GPa give "
            f"force constants alpha = {alpha:.3g}, beta = {beta:.3g} N/m, which must be positive"
        )
    return alpha, beta


def cubic_constants(alpha: float, beta: float, length_nm: float) -> tuple[float, float, float]:
    r"""C11, C12 and C44 of zinc blende in Keating's model, GPa.

    .. math:: C_{11} = \frac{\sqrt 3}{4 d} (\alpha + 3 \beta), \quad C_{12} = \frac{\sqrt 3}{4 d} (\alpha - \beta), \quad
              C_{44} = \frac{\sqrt 3}{d} \frac{\alpha \beta}{\alpha + \beta}

    C44 with the internal strain relaxed, Kleinman's parameter being (alpha - beta) / (alpha + beta).
    """
    unit = math.sqrt(3.0) / (4.0 * length_nm)
    return unit * (alpha + 3.0 * beta), unit * (alpha - beta), 4.0 * unit * alpha * beta / (alpha + beta)
