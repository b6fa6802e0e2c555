"""Size and aspect statistics of particles, from a micrograph or stated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nanostrata.domain.base import Domain, FloatArray, check_range, freeze, frozen_array
from nanostrata.domain.origin import Origin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizeDistribution(Domain):
    """Number distribution of the volume-equivalent sphere diameter, with what is known of it.

    Attributes
    ----------
    mean_nm, std_nm : number mean and standard deviation of the diameter, nm, corrected for the reading error
    mean_sigma_nm, std_sigma_nm : one standard deviation of each (counting and reading error)
    n_counted : particles counted (0: stated without a number)
    aspect_ratio, aspect_sigma : unique axis over the other two, corrected for the sorting bias; None if unknown
    aspect_std : spread of the aspect ratio from particle to particle; None if unknown
    diameters_nm : (n,) single readings, volume-equivalent; empty when only the numbers were given
    """

    mean_nm: float
    std_nm: float
    mean_sigma_nm: float
    std_sigma_nm: float
    n_counted: int = 0
    aspect_ratio: float | None = None
    aspect_sigma: float | None = None
    aspect_std: float | None = None
    diameters_nm: FloatArray = field(default_factory=lambda: np.empty(0))
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        check_range("mean_nm", self.mean_nm, 0.1, 1e4, hint="a diameter in nm is expected")
        check_range("std_nm", self.std_nm, 0.0, self.mean_nm, hint="larger than the mean")
        check_range("mean_sigma_nm", self.mean_sigma_nm, 0.0, self.mean_nm)
        check_range("std_sigma_nm", self.std_sigma_nm, 0.0, self.mean_nm)
        freeze(self, "diameters_nm", frozen_array("diameters_nm", self.diameters_nm, positive=True))
