"""Files of ``[waxs]``: the pattern, its measured backgrounds, and the standard for the instrument's width."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nanostrata.domain import ScatteringCurve
from nanostrata.domain.base import Domain, FloatArray
from nanostrata.errors import DataError, NanostrataError

if TYPE_CHECKING:
    from nanostrata.pipeline.recipe import Recipe

__all__ = ["WaxsInput", "read_waxs"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WaxsInput(Domain):
    """What was read.

    Attributes
    ----------
    curve : the pattern, backgrounds of stated scale subtracted, errors carried
    backgrounds : (name, values on the pattern's q) of those whose scale is fitted
    standard : pattern of the standard, or None
    """

    curve: ScatteringCurve
    backgrounds: tuple[tuple[str, FloatArray], ...] = ()
    standard: ScatteringCurve | None = None


def read_waxs(recipe: Recipe, problems: list[str], notes: list[str]) -> WaxsInput | None:
    """Read the files of ``[waxs]``; problems and notes are appended. None without that table, or with problems."""
    from nanostrata.io.powder import read_powder

    w = recipe.waxs
    if w is None:
        return None
    before = len(problems)
    curve = standard = None
    backgrounds: list[tuple[str, FloatArray]] = []
    try:
        curve = read_powder(
            recipe.root / w.file, axis=w.axis, energy_kev=w.energy_kev, entry=w.entry, q_range_inv_nm=w.q_range_inv_nm,
            mask_inv_nm=w.mask_inv_nm, on_bad_points=w.on_bad_points, relative_sigma=w.relative_sigma,
        )  # fmt: skip
    except NanostrataError as error:
        problems += error.problems
    for b in w.background_files if curve is not None else ():
        assert curve is not None
        try:
            curve, values = _background(recipe, curve, b, notes)
        except NanostrataError as error:
            problems += error.problems
            continue
        if values is not None:
            backgrounds.append((b.file, values))
    if w.standard is not None:
        s = w.standard
        try:
            standard = read_powder(
                recipe.root / s.file, axis=s.axis or w.axis, energy_kev=s.energy_kev or w.energy_kev,
                q_range_inv_nm=s.q_range_inv_nm, on_bad_points=w.on_bad_points, label="standard",
            )  # fmt: skip
        except NanostrataError as error:
            problems += error.problems
    if len(problems) > before or curve is None:
        return None
    from nanostrata.pipeline.gather import _origin_as_written

    curve = replace(curve, origin=_origin_as_written(curve.origin, recipe))
    if standard is not None:
        standard = replace(standard, origin=_origin_as_written(standard.origin, recipe))
    return WaxsInput(curve=curve, backgrounds=tuple(backgrounds), standard=standard)


def _background(
    recipe: Recipe, curve: ScatteringCurve, b: object, notes: list[str]
) -> tuple[ScatteringCurve, FloatArray | None]:
    from nanostrata.io.powder import read_powder
    from nanostrata.pipeline.recipe_waxs import WaxsBackground

    assert isinstance(b, WaxsBackground)
    assert recipe.waxs is not None
    spacing = float(np.median(np.diff(curve.q_inv_nm)))
    low, high = float(curve.q_inv_nm[0]), float(curve.q_inv_nm[-1])
    other = read_powder(
        recipe.root / b.file, axis=b.axis or recipe.waxs.axis, energy_kev=recipe.waxs.energy_kev,
        q_range_inv_nm=(max(0.0, low - 3.0 * spacing), high + 3.0 * spacing), on_bad_points=recipe.waxs.on_bad_points,
        relative_sigma=b.relative_sigma, label=b.file,
    )  # fmt: skip
    if other.q_inv_nm[0] > low + 2.0 * spacing or other.q_inv_nm[-1] < high - 2.0 * spacing:
        raise DataError(
            f"{b.file}: the background covers q = {other.q_inv_nm[0]:.4g} to {other.q_inv_nm[-1]:.4g} 1/nm, the pattern "
            f"{recipe.waxs.file} needs {low:.4g} to {high:.4g}; set waxs.q_range_inv_nm"
        )
    values = np.interp(curve.q_inv_nm, other.q_inv_nm, other.intensity)
    errors = np.interp(curve.q_inv_nm, other.q_inv_nm, other.sigma)
    if b.scale == "fit":
        notes.append(f"{recipe.waxs.file}: the scale of the background {b.file} is fitted (1 ± 0.5 as prior)")
        return curve, values
    factor = float(b.scale)
    notes.append(f"{recipe.waxs.file}: {factor:g} times the background {b.file} subtracted, its errors carried")
    return replace(
        curve, intensity=curve.intensity - factor * values, sigma=np.hypot(curve.sigma, factor * errors)
    ), None
