"""Which quantities differ between samples: differences with their errors, corrected for how many were looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nanostrata.domain.base import Domain
from nanostrata.errors import PhysicsError

LEVEL = 0.05
"""Chance of one false difference or more in the whole table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Domain):
    """One quantity in two samples.

    Attributes
    ----------
    quantity : key of the quantity
    first, second : labels of the samples
    difference : second minus first; for a ``ratio`` the difference of logarithms
    sigma : its standard deviation
    z : difference over sigma
    p : two-sided chance of a difference this large when there is none
    p_holm : the same, corrected for all differences of the table (Holm)
    ratio : whether logarithms were compared
    """

    quantity: str
    first: str
    second: str
    difference: float
    sigma: float
    z: float
    p: float
    p_holm: float = math.nan
    ratio: bool = False

    @property
    def significant(self) -> bool:
        """Whether it stands after the correction."""
        return self.p_holm < LEVEL


def difference(
    quantity: str, first: tuple[str, float, float], second: tuple[str, float, float], *, ratio: bool = False
) -> Difference:
    """Difference of two independent numbers with Gaussian errors.

    Parameters
    ----------
    quantity : key
    first, second : (label, value, sigma); with ``ratio`` value and sigma of the logarithm

    Raises
    ------
    PhysicsError
        When both sigmas are 0, or one is negative or not finite: nothing can be said about such a difference.
    """
    delta, sigma = second[1] - first[1], math.hypot(first[2], second[2])
    if not (math.isfinite(delta) and math.isfinite(sigma) and sigma > 0 and min(first[2], second[2]) >= 0):
        raise PhysicsError(f"{quantity}: a difference needs finite values and errors > 0, got {first} and {second}")
    z = delta / sigma
    return Difference(
        quantity=quantity, first=first[0], second=second[0], difference=delta, sigma=sigma, z=z,
        p=math.erfc(abs(z) / math.sqrt(2)), ratio=ratio,
    )  # fmt: skip


def corrected(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The same differences with ``p_holm`` for their number."""
    adjusted = holm([d.p for d in differences])
    return tuple(replace(d, p_holm=p) for d, p in zip(differences, adjusted, strict=True))


def holm(p: Sequence[float]) -> list[float]:
    r"""Step-down correction of p values: the chance of any false alarm among all of them.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min\{1, (m - j + 1)\, p_{(j)}\}

    Valid however the tests depend on each other.

    References
    ----------
    Holm, Scand. J. Statist. 6, 65 (1979).
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(1.0, (len(values) - np.arange(len(values))) * values[order])
    out = np.empty_like(values)
    out[order] = np.maximum.accumulate(steps) if len(values) else steps
    return [float(v) for v in out]
