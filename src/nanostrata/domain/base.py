"""What every domain object shares: frozen, checked once when made, also after pickling."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nanostrata.errors import PhysicsError

FloatArray: TypeAlias = NDArray[np.float64]
ComplexArray: TypeAlias = NDArray[np.complex128]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


class Domain:
    """Base of the frozen nouns: pickling and copying rebuild through the constructor, so checks run again."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        names = [f.name for f in dataclasses.fields(self) if f.init]  # type: ignore[arg-type]
        return _rebuild, (type(self), {n: getattr(self, n) for n in names})


def _rebuild(cls: type[Any], values: dict[str, Any]) -> Any:
    return cls(**values)


def freeze(instance: object, name: str, value: object) -> None:
    """Set a field of a frozen dataclass while its ``__post_init__`` runs."""
    object.__setattr__(instance, name, value)


def frozen_array(
    name: str,
    value: ArrayLike,
    *,
    ndim: int = 1,
    dtype: Any = np.float64,
    positive: bool = False,
    nonnegative: bool = False,
    increasing: bool = False,
    length: int | None = None,
) -> NDArray[Any]:
    """Copy to a read-only array of the given type and check it.

    Raises
    ------
    PhysicsError
        With the field's name, what was expected and what came.
    """
    a = np.array(value, dtype=dtype, copy=True, order="C")
    if a.ndim != ndim:
        raise PhysicsError(f"{name}: expected {ndim} dimension(s), got shape {a.shape}")
    if length is not None and len(a) != length:
        raise PhysicsError(f"{name}: expected {length} values, got {len(a)}")
    if a.dtype.kind in "fc":
        bad = np.flatnonzero(~np.isfinite(a.ravel()))
        if bad.size:
            raise PhysicsError(f"{name}: not finite at index {bad[0]} ({a.ravel()[bad[0]]})")
    if positive and a.size and a.min() <= 0:
        raise PhysicsError(f"{name}: must be > 0, smallest is {a.min():g}")
    if nonnegative and a.size and a.min() < 0:
        raise PhysicsError(f"{name}: must be >= 0, smallest is {a.min():g}")
    if increasing and a.size > 1 and np.any(np.diff(a) <= 0):
        raise PhysicsError(f"{name}: must increase, does not at index {int(np.argmax(np.diff(a) <= 0)) + 1}")
    a.setflags(write=False)
    return a


def check_range(name: str, value: float, low: float, high: float, *, hint: str = "") -> float:
    """Check that a scalar is finite and in [low, high]; the hint is added to the message."""
    if not math.isfinite(value) or not low <= value <= high:
        raise PhysicsError(f"{name}: {value!r} is outside {low:g}..{high:g}" + (f" ({hint})" if hint else ""))
    return float(value)
