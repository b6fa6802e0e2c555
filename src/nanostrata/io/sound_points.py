"""Which points of a curve can be used: range and masks first, then every defect, all of them reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nanostrata.domain import FloatArray
from nanostrata.io.raw_curve import RawCurve, places

__all__ = ["OnBadPoints", "SoundPoints", "sound_points"]

OnBadPoints = Literal["stop", "drop"]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundPoints:
    """The points that go on, in increasing q (1/nm)."""

    q_inv_nm: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    dq_inv_nm: FloatArray | None


def sound_points(
    raw: RawCurve,
    factor: float,
    *,
    q_range_inv_nm: Sequence[float] | None,
    mask_inv_nm: Sequence[Sequence[float]],
    on_bad_points: OnBadPoints,
    relative_sigma: float | None,
    problems: list[str],
    notes: list[str],
) -> SoundPoints | None:
    """Return what can be used, or None where a problem was found; problems and notes are appended.

    Points outside the range or inside a mask are not judged: they are not used.

    Parameters
    ----------
    raw : the columns as read
    factor : from the unit of q to 1/nm
    q_range_inv_nm, mask_inv_nm : limits included, 1/nm
    on_bad_points : "stop" makes every defect a problem, "drop" leaves the points out and says so
    relative_sigma : sigma over intensity, used only where the file has no usable sigma
    """
    before = len(problems)
    q = raw.q * factor
    use = _inside(raw, q, q_range_inv_nm, mask_inv_nm, problems, notes)
    sigma = _sigma(raw, use, relative_sigma, problems, notes)
    dq = _dq(raw, use, factor, notes)
    bad = _defects(raw, q, sigma, dq, use)
    for what, where in raw.unreadable:
        _report(raw, what, where, on_bad_points, problems, notes)
    for what, mask in bad:
        _report(raw, what, raw.place[mask].tolist(), on_bad_points, problems, notes)
        use = use & ~mask
    order = _ordered(raw, q, use, on_bad_points, problems, notes)
    if len(problems) > before:
        return None
    if order.size == 0:
        finite = q[np.isfinite(q)]
        span = f"; q of the file runs from {finite.min():.4g} to {finite.max():.4g} 1/nm" if finite.size else ""
        problems.append(f"{raw.file}: no usable point is left{span}; check q_range_inv_nm, mask_inv_nm and q_unit")
        return None
    assert sigma is not None
    negative = raw.place[order][raw.intensity[order] < 0]
    if negative.size:
        notes.append(
            f"{negative.size} of {order.size} points have a negative intensity "
            f"({places(negative.tolist(), raw.place_word)}); kept, as background subtraction gives such points"
        )
    return SoundPoints(
        q_inv_nm=q[order],
        intensity=raw.intensity[order],
        sigma=sigma[order],
        dq_inv_nm=None if dq is None else dq[order],
    )


def _pair(value: Sequence[float], what: str, file: str, problems: list[str]) -> tuple[float, float] | None:
    numbers = [float(v) for v in value] if not isinstance(value, str) else []
    if len(numbers) != 2 or not np.all(np.isfinite(numbers)) or not numbers[0] < numbers[1]:
        problems.append(f"{file}: {what} = {value!r}; two increasing numbers in 1/nm are expected, [low, high]")
        return None
    return numbers[0], numbers[1]


def _inside(
    raw: RawCurve,
    q: FloatArray,
    q_range: Sequence[float] | None,
    masks: Sequence[Sequence[float]],
    problems: list[str],
    notes: list[str],
) -> BoolArray:
    # A q that is not a number lies in no range; it stays, to be judged.
    use = np.ones(len(q), dtype=np.bool_)
    if q_range is not None and (limits := _pair(q_range, "q_range_inv_nm", raw.file, problems)):
        out = (q < limits[0]) | (q > limits[1])
        use &= ~out
        if out.any():
            notes.append(
                f"{int(out.sum())} of {len(q)} points lie outside q = {limits[0]:g} to {limits[1]:g} 1/nm, not used"
            )
    for mask in masks:
        if limits := _pair(mask, "mask_inv_nm", raw.file, problems):
            out = use & (q >= limits[0]) & (q <= limits[1])
            use &= ~out
            notes.append(f"mask {limits[0]:g} to {limits[1]:g} 1/nm leaves out {int(out.sum())} points")
    return use


def _sigma(
    raw: RawCurve, use: BoolArray, relative: float | None, problems: list[str], notes: list[str]
) -> FloatArray | None:
    given = raw.sigma
    missing = ""
    if given is None:
        missing = "there is no column of errors (sigma)"
    elif not np.any(np.isfinite(given[use])) and use.any():
        missing = "none of the errors (sigma) is a number"
    elif not np.any(given[use][np.isfinite(given[use])] != 0.0) and use.any():
        missing = "all errors (sigma) are zero"
    if relative is not None and not 0.0 < relative < 1.0:
        problems.append(
            f"{raw.file}: relative_sigma = {relative!r}; a number between 0 and 1 is expected, 0.02 for 2 %"
        )
        return None
    constant = False
    if not missing and given is not None:
        value = given[use & np.isfinite(given)]
        constant = bool(value.size >= 3 and np.all(value == value[0]))
    if missing and relative is None:
        problems.append(
            f"{raw.file}: {missing}, so nothing says how much each point counts; add one standard deviation of the "
            "intensity as third column, or state relative_sigma = 0.02 (2 % of the intensity) for this curve"
        )
        return None
    if relative is not None:
        if not missing and not constant:
            problems.append(
                f"{raw.file}: relative_sigma is stated, but the file has errors (sigma) of its own; "
                "leave relative_sigma out to go by the file"
            )
            return None
        why = missing or "all errors (sigma) in the file are equal"
        notes.append(f"{why}; sigma = {relative:g} times the intensity, as stated by relative_sigma")
        return relative * np.abs(raw.intensity)
    if constant and given is not None:
        notes.append(
            f"WARNING: sigma is the same ({value[0]:g}) for all {value.size} points; measured errors vary with q, so "
            "weights and intervals may be wrong"
        )
    return given


def _dq(raw: RawCurve, use: BoolArray, factor: float, notes: list[str]) -> FloatArray | None:
    if raw.dq is None:
        return None
    used = raw.dq[use]
    if used.size and not np.any(used[np.isfinite(used)] != 0.0):
        kind = "zero" if np.any(np.isfinite(used)) else "not a number"
        notes.append(f"the resolution of q (dq) is {kind} for every point and is not used")
        return None
    return raw.dq * factor


def _defects(
    raw: RawCurve, q: FloatArray, sigma: FloatArray | None, dq: FloatArray | None, use: BoolArray
) -> list[tuple[str, BoolArray]]:
    found = [
        ("q is not a finite number", ~np.isfinite(q)),
        ("q is zero or negative", np.isfinite(q) & (q <= 0)),
        ("the intensity is not a finite number", ~np.isfinite(raw.intensity)),
    ]
    if sigma is not None:
        found += [
            ("sigma is not a finite number", ~np.isfinite(sigma)),
            ("sigma is zero or negative", np.isfinite(sigma) & (sigma <= 0)),
        ]
    if dq is not None:
        found.append(("dq is negative or not a finite number", ~np.isfinite(dq) | (dq < 0)))
    return [(what, mask & use) for what, mask in found if np.any(mask & use)]


def _ordered(
    raw: RawCurve, q: FloatArray, use: BoolArray, on_bad: OnBadPoints, problems: list[str], notes: list[str]
) -> NDArray[np.intp]:
    """Indices of the usable points in increasing q, the first of equal ones."""
    index = np.flatnonzero(use)
    _, first = np.unique(q[index], return_index=True)
    repeated = np.setdiff1d(np.arange(index.size), first)
    if repeated.size:
        _report(raw, "q stands there before (duplicate)", raw.place[index[repeated]].tolist(), on_bad, problems, notes,
                kept="the first of equal q is kept")  # fmt: skip
    index = index[np.sort(first)]
    if index.size and np.any(behind := q[index] < np.maximum.accumulate(q[index])):
        where = places(raw.place[index[behind]].tolist(), raw.place_word)
        if on_bad == "stop":
            problems.append(
                f"{raw.file}, {where}: q is smaller than before; sort the file by q, "
                'or let on_bad_points = "drop" sort it'
            )
        else:
            notes.append(f"q does not increase at {where}; the points were sorted by q")
    return index[np.argsort(q[index], kind="stable")]


def _report(
    raw: RawCurve,
    what: str,
    where: Sequence[int],
    on_bad: OnBadPoints,
    problems: list[str],
    notes: list[str],
    *,
    kept: str = "",
) -> None:
    place = places(where, raw.place_word)
    if on_bad == "stop":
        problems.append(
            f"{raw.file}, {place}: {what}; correct the file, or leave such points out with "
            'on_bad_points = "drop" or q_range_inv_nm'
        )
    else:
        notes.append(
            f"{len(set(where))} point{'s' if len(set(where)) > 1 else ''} left out, {place}: {what}"
            + (f"; {kept}" if kept else "")
        )
