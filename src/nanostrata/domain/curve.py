"""A measured or simulated scattering curve."""

from __future__ import annotations

from dataclasses import dataclass, field

from nanostrata.domain.base import Domain, FloatArray, check_range, freeze, frozen_array
from nanostrata.domain.origin import Origin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatteringCurve(Domain):
    """Scattered intensity of one sample at one photon energy (or one contrast).

    Attributes
    ----------
    q_inv_nm : (n,) scattering vector 4 pi sin(theta) / lambda, 1/nm, > 0, increasing
    intensity : (n,) in ``intensity_unit``
    sigma : (n,) one standard deviation of ``intensity``, > 0
    energy_kev : photon energy, keV; None for neutrons or a curve of unknown energy
    dq_inv_nm : (n,) one standard deviation of the resolution in q, 1/nm, >= 0; None if the file has none
    label : short name for tables and legends
    intensity_unit : "1/cm" or "arb"
    origin : where it came from

    Raises
    ------
    PhysicsError
        When a value is impossible (not finite, q not increasing, sigma not positive, energy outside 1..200 keV).
    """

    q_inv_nm: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    energy_kev: float | None = None
    dq_inv_nm: FloatArray | None = None
    label: str = ""
    intensity_unit: str = "arb"
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        q = frozen_array("q_inv_nm", self.q_inv_nm, positive=True, increasing=True)
        freeze(self, "q_inv_nm", q)
        freeze(self, "intensity", frozen_array("intensity", self.intensity, length=len(q)))
        freeze(self, "sigma", frozen_array("sigma", self.sigma, positive=True, length=len(q)))
        if self.energy_kev is not None:
            freeze(self, "energy_kev", check_range("energy_kev", self.energy_kev, 1.0, 200.0, hint="was eV meant?"))
        if self.dq_inv_nm is not None:
            freeze(self, "dq_inv_nm", frozen_array("dq_inv_nm", self.dq_inv_nm, nonnegative=True, length=len(q)))

    def __len__(self) -> int:
        return len(self.q_inv_nm)
