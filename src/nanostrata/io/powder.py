"""Wide-angle patterns: columns against two theta or q, with errors of the file or estimated from the scatter of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nanostrata.constants import HC_KEV_NM
from nanostrata.domain import FloatArray, Origin, ScatteringCurve
from nanostrata.errors import DataError
from nanostrata.io.curves import _read
from nanostrata.io.raw_curve import RawCurve
from nanostrata.io.sound_points import OnBadPoints, sound_points
from nanostrata.io.source_energy import check_energy
from nanostrata.io.units import q_factor

__all__ = ["AXES", "estimated_sigma", "read_powder"]

AXES = ("two_theta_deg", "q_inv_nm", "q_inv_angstrom")
_UNITS = {"q_inv_nm": "1/nm", "q_inv_angstrom": "1/angstrom"}
_FEWEST = 20


def read_powder(
    path: str | Path,
    *,
    axis: str,
    energy_kev: float | None = None,
    entry: str | int | None = None,
    q_range_inv_nm: Sequence[float] | None = None,
    mask_inv_nm: Sequence[Sequence[float]] = (),
    on_bad_points: OnBadPoints = "stop",
    relative_sigma: float | None = None,
    label: str = "WAXS",
) -> ScatteringCurve:
    """Read one wide-angle pattern.

    Parameters
    ----------
    path : text columns (axis, intensity, sigma), or a canSAS or NXcanSAS file with q
    axis : one of :data:`AXES`: what the first column is
    energy_kev : photon energy, keV; needed for two theta
    entry : name, title or number (from 1) of the curve in a file that holds several
    q_range_inv_nm : [low, high], 1/nm; points outside are not used and not judged
    mask_inv_nm : ranges [low, high], 1/nm, to leave out
    on_bad_points : "stop" refuses a file with defects; "drop" leaves the points out and goes on
    relative_sigma : sigma over intensity, for a file without errors; without it they are estimated, and that is said
    label : short name

    Returns
    -------
    ScatteringCurve
        q in 1/nm, increasing.

    Raises
    ------
    DataError
        With every problem of the file.
    """
    file = str(path)
    raw, stated_energy, digest = _read(Path(path), file, entry)
    angle = axis == "two_theta_deg"
    problems = [p for p in raw.problems if not (angle and "not an angle" in p)]
    problems = [p.replace("convert it", 'write axis = "two_theta_deg"') for p in problems]
    notes = list(raw.notes) + list(stated_energy.notes)
    energy = check_energy(energy_kev, stated_energy, file, problems, notes)
    stated = raw.stated_unit
    if angle and stated.names:
        problems.append(
            f'{file}: {stated.where[0]} says that the first column is q in {stated.names[0]}, but axis = "two_theta_deg"; '
            f'write axis = "q_inv_{"angstrom" if stated.names[0] == "1/angstrom" else "nm"}"'
        )
    elif not angle and any(name != _UNITS[axis] for name in stated.names):
        wrong = next(i for i, name in enumerate(stated.names) if name != _UNITS[axis])
        problems.append(
            f"{file}: {stated.where[wrong]} says that q is in {stated.names[wrong]}, but axis = {axis!r} says "
            f"{_UNITS[axis]}; correct the axis"
        )
    if angle and energy is None:
        problems.append(
            f"{file}: two theta needs the wavelength; write waxs.energy_kev (12.3984 / wavelength in angstrom)"
        )
    if problems:
        raise DataError(*problems)
    converted, unit = (_from_angle(raw, energy, file, notes), "two theta, degrees") if angle else (raw, _UNITS[axis])
    factor = 1.0 if angle else q_factor(_UNITS[axis])
    if not angle and factor != 1.0:
        notes.append(f"q read in {unit}, converted to 1/nm")
    _check_reach(converted.q * factor, axis, file, problems)
    if relative_sigma is None and (converted.sigma is None or not np.any(np.nan_to_num(converted.sigma) != 0.0)):
        converted = replace(
            converted, sigma=_estimate(converted, converted.q * factor, q_range_inv_nm, file, problems, notes)
        )
    points = sound_points(
        converted, factor, q_range_inv_nm=q_range_inv_nm, mask_inv_nm=mask_inv_nm, on_bad_points=on_bad_points,
        relative_sigma=relative_sigma, problems=problems, notes=notes,
    )  # fmt: skip
    if points is not None and len(points.q_inv_nm) < _FEWEST:
        problems.append(
            f"{file}: {len(points.q_inv_nm)} usable points, peaks need at least {_FEWEST}; check waxs.axis and "
            "waxs.q_range_inv_nm"
        )
    if problems or points is None:
        raise DataError(*problems)
    return ScatteringCurve(
        q_inv_nm=points.q_inv_nm, intensity=points.intensity, sigma=points.sigma, energy_kev=energy, label=label,
        intensity_unit=raw.intensity_unit,
        origin=Origin(
            file=file, sha256=digest, entry=raw.entry, unit_read=unit, stage="read", notes=tuple(notes),
            points_read=len(raw.q), points_kept=len(points.q_inv_nm),
        ),
    )  # fmt: skip


def _from_angle(raw: RawCurve, energy: float | None, file: str, notes: list[str]) -> RawCurve:
    assert energy is not None
    finite = raw.q[np.isfinite(raw.q)]
    if finite.size and (finite.min() < 0.0 or finite.max() >= 180.0):
        raise DataError(
            f"{file}: two theta runs from {finite.min():.4g} to {finite.max():.4g}; degrees between 0 and 180 are expected"
        )
    wavelength = HC_KEV_NM / energy
    notes.append(f"two theta in degrees converted to q with the wavelength {wavelength:.6g} nm ({energy:g} keV)")
    return replace(raw, q=4.0 * math.pi / wavelength * np.sin(0.5 * np.radians(raw.q)), dq=None)


def _check_reach(q: FloatArray, axis: str, file: str, problems: list[str]) -> None:
    """Reflections of any crystal lie between about 5 and 300 1/nm; a file that ends below holds none."""
    top = float(np.nanmax(q)) if np.isfinite(q).any() else 0.0
    if top < 8.0:
        hint = ' was axis = "q_inv_angstrom" meant?' if axis == "q_inv_nm" else ""
        problems.append(
            f"{file}: the pattern ends at q = {top:.3g} 1/nm (spacings above {2 * math.pi / max(top, 1e-9):.2g} nm), where "
            f"no reflection of a crystal lies; check waxs.axis and waxs.energy_kev.{hint}"
        )


def _estimate(
    raw: RawCurve, q: FloatArray, limits: Sequence[float] | None, file: str, problems: list[str], notes: list[str]
) -> FloatArray:
    use = np.isfinite(raw.intensity) & np.isfinite(q)
    if limits is not None:
        use &= (q >= limits[0]) & (q <= limits[1])
    if use.sum() < _FEWEST:
        problems.append(
            f"{file}: no errors in the file, and too few points to estimate them; state relative_sigma = 0.02"
        )
        return np.full(len(q), np.nan)
    sigma, gain = estimated_sigma(raw.intensity, use)
    notes.append(
        f"no errors in the file: sigma = sqrt({gain:.4g} x intensity), estimated from the scatter of neighbouring points; "
        "points that were interpolated or smoothed scatter less than they are wrong, so intervals are too narrow then"
    )
    return sigma


def estimated_sigma(intensity: FloatArray, use: FloatArray | np.ndarray) -> tuple[FloatArray, float]:
    """Errors like those of counting, sigma^2 = gain x intensity, the gain from third differences of neighbouring points.

    Parameters
    ----------
    intensity : (n,)
    use : (n,) bool, points that count

    Returns
    -------
    sigma : (n,) positive everywhere
    gain : float
    """
    y = intensity[use]
    floor = max(float(np.median(y[y > 0])) * 1e-3, 1e-300) if np.any(y > 0) else 1e-300
    middle = np.maximum(0.25 * (y[:-3] + y[1:-2] + y[2:-1] + y[3:]), floor)
    third = (y[3:] - 3.0 * y[2:-1] + 3.0 * y[1:-2] - y[:-3]) / np.sqrt(20.0 * middle)
    # the median is deaf to the few points where a sharp peak bends more than the noise
    gain = float((np.median(np.abs(third)) / 0.6745) ** 2)
    gain = max(gain, 1e-12 * float(middle.mean()))
    return np.sqrt(gain * np.maximum(intensity, floor)), gain
