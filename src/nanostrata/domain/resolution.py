"""What the measurements resolve of a radial profile, before any prior."""

from __future__ import annotations

from dataclasses import dataclass

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProfileResolution(Domain):
    """Combinations of shells that the measurements determine, and how sharply they see each radius.

    Attributes
    ----------
    eigen_profiles : (n, n) one combination of the reported shells per row, of length 1, best determined first
    eigen_sd : (n,) standard deviation of each combination from the measurements alone; a uniform prior has 0.289
    averaging : (n, n) each row says of which shells' truth the estimate of one shell is made (rows of the identity where
        the data decide alone)
    radius_fraction : (m,) middle of m thin layers over the particle's radius
    kernels : (m, m) the same for thin layers, per unit of r/R
    layer_sd : (m,) standard deviation of x in each layer, given data and prior
    width_fraction : (m,) full width at half maximum of each kernel over the radius; nan where the layer is not seen
    """

    eigen_profiles: FloatArray
    eigen_sd: FloatArray
    averaging: FloatArray
    radius_fraction: FloatArray
    kernels: FloatArray
    layer_sd: FloatArray
    width_fraction: FloatArray

    def __post_init__(self) -> None:
        n = len(self.eigen_sd)
        freeze(self, "eigen_sd", frozen_array("eigen_sd", self.eigen_sd, positive=True))
        freeze(self, "eigen_profiles", frozen_array("eigen_profiles", self.eigen_profiles, ndim=2, length=n))
        freeze(self, "averaging", frozen_array("averaging", self.averaging, ndim=2, length=n))
        m = len(self.radius_fraction)
        freeze(self, "radius_fraction", frozen_array("radius_fraction", self.radius_fraction, increasing=True))
        freeze(self, "kernels", frozen_array("kernels", self.kernels, ndim=2, length=m))
        freeze(self, "layer_sd", frozen_array("layer_sd", self.layer_sd, positive=True, length=m))

    @property
    def determined(self) -> int:
        """Number of combinations known to better than 0.10 from the measurements alone."""
        return int((self.eigen_sd < 0.10).sum())
