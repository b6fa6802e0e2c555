"""Numbers with units and intervals, rounded by their uncertainty and never further."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "SUPERSCRIPT",
    "as_float",
    "decimals_for",
    "format_interval",
    "format_number",
    "format_quantity",
    "interval_of",
    "join_words",
    "shell_quantities",
]

UNKNOWN = "not determined"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def as_float(value: Any) -> float:
    """Number from JSON or CSV; nan for None, "", booleans and text that is no number."""
    if value is None or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def decimals_for(sigma: float) -> int:
    """Decimals to print for a standard deviation: two digits up to 3.54, one digit above.

    The rounding rule of the Particle Data Group: the three leading digits of sigma decide (100 to 354 two digits,
    355 to 949 one digit, 950 to 999 round up to 1000 and keep two). A negative answer means tens, hundreds, ...
    """
    if not math.isfinite(sigma) or sigma <= 0:
        return 3
    exponent = math.floor(math.log10(sigma))
    lead = round(sigma / 10.0 ** (exponent - 2))
    return 1 - exponent if lead <= 354 else -exponent


def format_number(value: float, decimals: int | None = None, *, digits: int = 3) -> str:
    """Number with a true minus sign; to ``decimals``, or to ``digits`` significant digits."""
    if not math.isfinite(value):
        return UNKNOWN if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if decimals is None:
        if value != 0 and not 1e-3 <= abs(value) < 1e6:
            mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
            return _minus(f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPT)}")
        magnitude = 0 if value == 0 else math.floor(math.log10(abs(value)))
        decimals = max(0, digits - 1 - magnitude)
    text = f"{round(value, decimals):.{max(decimals, 0)}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return _minus(text)


def format_interval(low: float, high: float, decimals: int | None = None) -> str:
    """``low to high`` with the same number of decimals."""
    return f"{format_number(low, decimals)} to {format_number(high, decimals)}"


def interval_of(quantity: Mapping[str, Any], level: int = 95) -> tuple[float, float]:
    """Interval of a scalar quantity, (nan, nan) when there is none."""
    pair = quantity.get(f"interval{level}")
    if not isinstance(pair, Sequence) or len(pair) != 2:
        return math.nan, math.nan
    return as_float(pair[0]), as_float(pair[1])


def format_quantity(quantity: object, unit: str = "", *, level: int = 95) -> str:
    """A quantity of summary.json as people read it: ``4.06 ± 0.05 nm (95 %: 3.96 to 4.16)``.

    Parameters
    ----------
    quantity : mapping or number
        ``{"value", "sigma", "interval68", "interval95"}``; anything but value may be missing. A bare number is printed
        to three significant digits, without a claim about its error.
    unit : str
        Printed after the number; "" for none.
    level : int
        Which interval, 68 or 95.

    Notes
    -----
    Rounded by sigma; without sigma by a quarter of the 95 % interval (half of the 68 % interval). A large or small
    number is written with one power of ten for the value, its sigma and its interval.
    """
    if not isinstance(quantity, Mapping):
        value = as_float(quantity)
        return UNKNOWN if math.isnan(value) else _with_unit(format_number(value), unit)
    value, sigma = as_float(quantity.get("value")), as_float(quantity.get("sigma"))
    low, high = interval_of(quantity, level)
    if math.isnan(value):
        if math.isnan(low) or math.isnan(high):
            return UNKNOWN
        return f"{_with_unit(format_interval(low, high, decimals_for((high - low) / 4)), unit)} ({level} %)"
    spread = sigma
    if not spread > 0 and high > low:
        spread = (high - low) / (4 if level == 95 else 2)
    power = _common_power(value, spread)
    scale = 10.0**power
    decimals = decimals_for(spread / scale) if spread > 0 else None
    text = format_number(value / scale, decimals)
    if sigma > 0:
        text += f" ± {format_number(sigma / scale, decimals)}"
    if power:
        text = f"({text}) × 10{str(power).translate(SUPERSCRIPT)}" if sigma > 0 else format_number(value)
    text = _with_unit(text, unit)
    if math.isfinite(low) and math.isfinite(high):
        text += f" ({level} %: {format_interval(low / scale, high / scale, decimals)})"
    return text


def shell_quantities(array: object) -> list[dict[str, Any]]:
    """Split a per-shell quantity (lists in each key) into one quantity per shell, inner to outer."""
    if not isinstance(array, Mapping) or not isinstance(array.get("value"), Sequence):
        return []
    count = len(array["value"])
    keys = [k for k, v in array.items() if isinstance(v, Sequence) and not isinstance(v, str) and len(v) == count]
    return [{k: array[k][i] for k in keys} for i in range(count)]


def join_words(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _common_power(value: float, spread: float) -> int:
    size = max(abs(value), spread if spread > 0 else 0.0)
    if size == 0 or 1e-3 <= size < 1e6:
        return 0
    return math.floor(math.log10(size))


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text


def _minus(text: str) -> str:
    return text.replace("-", "−")
