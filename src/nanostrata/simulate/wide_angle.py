"""Measured curves with noise, and the wide-angle pattern of the particles: instrument, background, halo, counting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.constants import HC_KEV_NM
from nanostrata.domain import AtomicModel, FloatArray, ScatteringCurve
from nanostrata.domain.origin import Origin
from nanostrata.errors import PhysicsError
from nanostrata.models.atom_cloud import pair_sums
from nanostrata.simulate.truth import Truth

if TYPE_CHECKING:
    from nanostrata.models.waxs_lines import Line
    from nanostrata.tables.factors import FactorTable

__all__ = ["noisy", "standard_pattern", "waxs_grid", "waxs_truth", "wide_angle"]

_STANDARD_POINTS_PER_SIGMA = 3.0


def noisy(
    q: FloatArray, intensity: FloatArray, energy_kev: float, truth: Truth, rng: np.random.Generator, label: str
) -> ScatteringCurve:
    """Gaussian noise of the relative size that the truth states."""
    sigma = truth.relative_noise * np.sqrt(1.0 + (q / truth.noise_q_inv_nm) ** 2) * intensity
    return _curve(q, intensity + sigma * rng.standard_normal(len(q)), sigma, energy_kev, label)


def counted(
    q: FloatArray, intensity: FloatArray, energy_kev: float, counts: float, rng: np.random.Generator, label: str
) -> ScatteringCurve:
    """Poisson noise with this many photons expected in the highest point; sigma is the root of the counts, at least of 1."""
    unit = float(intensity.max()) / counts
    photons = rng.poisson(intensity / unit).astype(np.float64)
    return _curve(q, photons * unit, np.sqrt(np.maximum(photons, 1.0)) * unit, energy_kev, label)


def _curve(q: FloatArray, y: FloatArray, sigma: FloatArray, energy_kev: float, label: str) -> ScatteringCurve:
    return ScatteringCurve(
        q_inv_nm=q,
        intensity=y,
        sigma=sigma,
        energy_kev=energy_kev,
        label=label,
        intensity_unit="1/cm",
        origin=Origin(stage="simulate", notes=("simulated from explicit atoms",)),
    )


def waxs_grid(truth: Truth, energy_kev: float) -> FloatArray:
    """Equispaced q of the wide-angle curve, 1/nm.

    Raises
    ------
    PhysicsError
        When the curve would end beyond backscattering.
    """
    low, high = truth.waxs_q_range_inv_nm
    if truth.waxs_two_theta_range_deg is not None:
        low, high = (
            4.0 * math.pi * energy_kev / HC_KEV_NM * math.sin(0.5 * math.radians(a))
            for a in truth.waxs_two_theta_range_deg
        )
    if high * HC_KEV_NM / energy_kev / (4.0 * math.pi) >= 1.0:
        raise PhysicsError(
            f"waxs.energy_kev: q = {high:g} 1/nm lies beyond backscattering at {energy_kev:g} keV; lower "
            "truth.waxs_q_range_inv_nm"
        )
    return np.linspace(low, high, truth.waxs_points)


def wide_angle(
    truth: Truth,
    atoms: Sequence[AtomicModel],
    factors: FactorTable,
    energy_kev: float,
    unit: float,
    rng: np.random.Generator,
) -> ScatteringCurve:
    r"""Wide-angle curve of the first ``waxs_particles`` particles in vacuum.

    .. math:: I(q) = (I_{atoms} * G_\sigma)(q) + \langle I \rangle \big( b + h\, e^{-4 \ln 2 (q - q_h)^2 / w^2} \big)

    Parameters
    ----------
    truth : Truth
    atoms : all particles of the ensemble
    factors, energy_kev : of the scattering
    unit : electrons squared -> 1/cm
    rng : of the noise
    """
    q = waxs_grid(truth, energy_kev)
    # stratified draws are in random order, so the first ones are a fair sample; beyond 10 1/nm the displaced medium has
    # no intensity of its own left
    blur = truth.waxs_instrument_sigma_inv_nm
    step = float(q[1] - q[0])
    margin = int(4.0 * blur / step) + 1 if blur else 0
    wide = q[0] + step * np.arange(-margin, len(q) + margin)
    # q < 0 is mirrored: |q|
    sums = pair_sums(atoms[: truth.waxs_particles], np.abs(wide), medium_model=None)
    pure = unit * sums.intensity(factors, energy_kev, 0.0, truth.b_factor_nm2)
    if blur:
        kernel = np.exp(-0.5 * (step * np.arange(-margin, margin + 1) / blur) ** 2)
        pure = np.convolve(pure, kernel / kernel.sum(), mode="valid")
    height, middle, width = truth.waxs_halo
    halo = height * np.exp(-4.0 * math.log(2.0) * ((q - middle) / width) ** 2)
    seen = pure + float(pure.mean()) * (truth.waxs_background + halo)
    if truth.waxs_counts > 0.0:
        return counted(q, seen, energy_kev, truth.waxs_counts, rng, "waxs")
    return noisy(q, seen, energy_kev, truth, rng, "waxs")


def standard_pattern(
    lines: Sequence[Line],
    q_range_inv_nm: tuple[float, float],
    energy_kev: float,
    instrument_sigma_inv_nm: float,
    counts: float,
    rng: np.random.Generator,
) -> ScatteringCurve:
    """Pattern of a powder of large crystals: every line a Gaussian of the instrument, on a constant of 2 % of the highest.

    Parameters
    ----------
    lines : of the standard's crystal
    q_range_inv_nm : first and last point
    instrument_sigma_inv_nm : above 0
    counts : photons expected in the highest point

    Raises
    ------
    PhysicsError
        Without a width of the instrument, or without a line in the range.
    """
    if instrument_sigma_inv_nm <= 0.0:
        raise PhysicsError("waxs.standard: its peaks are the instrument's; state truth.waxs_instrument_sigma_inv_nm")
    low, high = q_range_inv_nm
    q = np.linspace(low, high, int((high - low) / instrument_sigma_inv_nm * _STANDARD_POINTS_PER_SIGMA) + 1)
    y = np.zeros(len(q))
    for line in lines:
        y += line.area * np.exp(-0.5 * ((q - line.q_inv_nm) / instrument_sigma_inv_nm) ** 2)
    if not y.max() > 0.0 or not any(low < line.q_inv_nm < high for line in lines):
        raise PhysicsError(f"waxs.standard: no reflection of it lies between q = {low:g} and {high:g} 1/nm")
    return counted(q, y + 0.02 * y.max(), energy_kev, counts, rng, "standard")


def waxs_truth(truth: Truth, atoms: Sequence[AtomicModel], curve: ScatteringCurve) -> dict[str, object]:
    """What is true of the particles of the wide-angle curve, as plain numbers.

    Lattice constants are those of the mean composition of each particle (by Vegard's rule), weighted with its sites; in a
    graded particle the peaks stand elsewhere. The size that widths are about is <D^4>/<D^3>.
    """
    seen = atoms[: truth.waxs_particles]
    d = np.array([float(m.info["diameter_nm"]) for m in seen])
    sites = np.array([float(m.info["sites"]) for m in seen])
    weight = sites / sites.sum()

    def mean(key: str) -> float:
        return round(float(weight @ np.array([float(m.info[key]) for m in seen])), 6)

    aspect = mean("aspect_ratio")
    first: Mapping[str, object] = seen[0].info
    out: dict[str, object] = {
        "structure": first["structure"],
        "energy_kev": curve.energy_kev,
        "particles": len(seen),
        "a_nm": mean("a_nm"),
        "c_nm": mean("c_nm"),
        "mean_shell_fraction": mean("shell_fraction"),
        "diameter_mean_nm": round(float(d.mean()), 5),
        "diameter_d4_over_d3_nm": round(float((d**4).sum() / (d**3).sum()), 5),
        "aspect_ratio": aspect,
        "long_axis": "none" if truth.aspect_ratio == 1.0 else f"{first['axis']}",
        "instrument_sigma_inv_nm": truth.waxs_instrument_sigma_inv_nm,
        "b_factor_nm2": truth.b_factor_nm2,
        "fault_probability": truth.fault_probability,
    }
    if truth.fault_probability > 0.0:
        out |= {"fault_kind": truth.fault_kind, "hexagonality": mean("hexagonality")}
    return out
