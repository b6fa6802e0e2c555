"""Noun of a whole wide-angle pattern explained by particles of atoms."""

from __future__ import annotations

from dataclasses import dataclass

from nanostrata.domain.base import Domain, FloatArray, freeze, frozen_array
from nanostrata.errors import PhysicsError

__all__ = ["WholePattern"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholePattern(Domain):
    """Particles of the fitted profile, cut from a crystal with faults, held against a whole pattern.

    Attributes
    ----------
    structure : of the crystal without faults
    names : of the parameters that were free
    draws : (n_draws, n_names) from their covariance, inside their limits
    at_limit : parameters whose best value lies on a limit
    library_sigma : (n_names,) part of each standard deviation that the library's chance and the profile's doubt make
    lattice_names : of the constants ("a", "c")
    lattice_nm : (n_draws, n_constants) of the particles' mean composition
    vegard_misfit : (n_draws,) relative difference to Vegard's rule at the profile's composition, with that composition's error
    diameter_mean_nm, diameter_std_nm : (n_draws,) of the number distribution of volume-equivalent diameters
    cubic_share : (n_draws,) share of layers whose two neighbours differ (0 in wurtzite, 1 in zinc blende); empty without layers
    models : (name, chi2 by the stated errors) of every explanation of the stacking that was fitted
    stacking_verdict : "faults", "mixture", "none" or "not determined"
    stacking_sentence : the verdict in words
    chi2_reduced : by the stated errors
    energy_kev, aspect_ratio, copies, profile_draws : what was built, and how often
    curve_q, intensity, sigma, fit, background : (n_q,)
    r_nm, g_measured, g_model : (n_r,) pair distribution functions, 1/nm^2
    q_range_inv_nm : of the transform
    notes : sentences
    """

    structure: str
    names: tuple[str, ...]
    draws: FloatArray
    at_limit: tuple[str, ...]
    library_sigma: FloatArray
    lattice_names: tuple[str, ...]
    lattice_nm: FloatArray
    vegard_misfit: FloatArray
    diameter_mean_nm: FloatArray
    diameter_std_nm: FloatArray
    cubic_share: FloatArray
    models: tuple[tuple[str, float], ...]
    stacking_verdict: str
    stacking_sentence: str
    chi2_reduced: float
    energy_kev: float
    aspect_ratio: float
    copies: int
    profile_draws: bool
    curve_q: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    fit: FloatArray
    background: FloatArray
    r_nm: FloatArray
    g_measured: FloatArray
    g_model: FloatArray
    q_range_inv_nm: tuple[float, float]
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        freeze(self, "draws", frozen_array("draws", self.draws, ndim=2))
        if self.draws.shape[1] != len(self.names):
            raise PhysicsError(f"draws: expected one column for each of {self.names}, got {self.draws.shape[1]}")
        freeze(self, "lattice_nm", frozen_array("lattice_nm", self.lattice_nm, ndim=2, positive=True))
        for name in ("vegard_misfit", "diameter_mean_nm", "diameter_std_nm"):
            freeze(self, name, frozen_array(name, getattr(self, name), length=len(self.draws)))
        for name in ("library_sigma", "cubic_share"):
            freeze(self, name, frozen_array(name, getattr(self, name)))
        for name in ("curve_q", "intensity", "sigma", "fit", "background"):
            freeze(self, name, frozen_array(name, getattr(self, name), length=len(self.curve_q)))
        for name in ("r_nm", "g_measured", "g_model"):
            freeze(self, name, frozen_array(name, getattr(self, name), length=len(self.r_nm)))
