"""Which values of an image are black and white: the one place where pixels meet the engine's [0, 1].

The engine takes uint8 as 0-255, uint16 as 0-65535 and floats as 0-1.  :func:`graded` brings an array of any real type
to one of these.  Black and white are, in this order:

1. what the user says: ``(MIN, MAX)``, or "full" for the whole range of the type;
2. what the file states (PNG sBIT, TIFF MinSampleValue and MaxSampleValue, the depth of JPEG 2000, AVIF, HEIC and PNM);
3. the whole range of 8-bit integers and of unsigned 16-bit ones; [0, 1] for floats that lie in it;
4. for other types, which have no customary range, a guess, with a warning: the smallest of 8, 10, 12, 14 and 16 bits
   that holds all values; the range of the type if integers use at least half of it; else the minimum and the maximum.

Pixels that are masked do not count in 4, and values beyond black and white are cut off.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import Image

__all__ = ["Levels", "Range", "Stated", "check_levels", "graded", "rescaled", "type_range"]

Range: TypeAlias = tuple[float, float]
"""The values of black and of white."""

Levels: TypeAlias = str | Range
"""Levels option: "auto", "full", or the values of black and white."""

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and sensors deliver."""
_OVERSHOOT = 2.0
"""Up to here, floats look like [0, 1] after resampling or sharpening, not like levels of 8 bits."""
_STRIP = 1 << 20
"""Pixels converted at a time."""


class Stated(NamedTuple):
    """The range that a file states.

    Attributes
    ----------
    low, high : float
        Black and white.
    source : str
        Where the file says so.
    optional : bool
        Whether values beyond it are no fault: PNG's sBIT is stated of samples that are scaled up as well.
    """

    low: float
    high: float
    source: str
    optional: bool = False


def check_levels(levels: Any) -> Levels:
    """Return levels as `graded` takes them.

    Parameters
    ----------
    levels : str or pair of numbers
        "auto", "full", "MIN,MAX" or (MIN, MAX).

    Raises
    ------
    ParameterError
        If it is none of these, or MIN is not below MAX.
    """
    if levels in ("auto", "full"):
        return cast("str", levels)
    try:
        parts = levels.split(",") if isinstance(levels, str) else levels
        low, high = (float(part) for part in parts)
    except (TypeError, ValueError):
        raise ParameterError("levels", f"must be auto, full, or MIN,MAX such as 0,4095, not {levels!r}") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise ParameterError("levels", f"MIN must be below MAX, and both finite, not {low:g},{high:g}")
    return low, high


def type_range(dtype: np.dtype[Any]) -> Range:
    """Return the smallest and the largest value of integers, and 0 and 1 for floats and booleans."""
    if dtype.kind not in "iu":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def graded(
    values: npt.NDArray[Any],
    levels: Levels = "auto",
    *,
    full: Range | None = None,
    stated: Stated | None = None,
    visible: npt.NDArray[np.bool_] | None = None,
) -> tuple[Image, str | None]:
    """Bring grey values of any real type to one that the engine takes.

    Parameters
    ----------
    values : (H, W) array of bool, int, uint or float
        Values of any size and byte order; finite where visible.  Not changed.
    levels : "auto", "full" or (low, high)
    full : (low, high), optional
        The whole range, where the type of the array is wider than that of the file.
    stated : Stated, optional
        The range that the file states.
    visible : (H, W) bool, optional
        Where the pixels count; the others become black where they are not finite.

    Returns
    -------
    image : (H, W) uint8, uint16 or float32
        Integers where this loses nothing.
    note : str or None
        Message about the range.

    Raises
    ------
    ValueError
        If a visible value is not finite.
    """
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
        full = (0.0, 1.0)
    low, high = _extremes(values, visible)
    if not np.isfinite((low, high)).all():
        raise ValueError("pixels that are NaN or infinite")
    whole = type_range(values.dtype) if full is None else full
    if not isinstance(levels, str):
        return _scaled(values, levels, short=False), None
    if levels == "full":
        return _scaled(values, whole), None
    note = None
    if stated is not None:
        if stated.low <= low and high <= stated.high:
            return _scaled(values, (stated.low, stated.high)), None
        if not stated.optional:
            note = f"has levels from {low:g} to {high:g}, beyond those that its {stated.source} states; that is ignored"
    if full is None:
        whole, guess = _customary(values.dtype, low, high)
        note = note or guess
    return _scaled(values, whole), note


def rescaled(values: npt.NDArray[Any], maximum: int, dtype: type[np.uint8] | type[np.uint16]) -> npt.NDArray[Any]:
    """Map 0 to `maximum` to the whole range of `dtype`, rounding; what is above `maximum` counts as `maximum`."""
    top = int(np.iinfo(dtype).max)
    if maximum == top:
        return values.astype(dtype)
    table = np.minimum((np.arange(top + 1, dtype=np.int64) * top + maximum // 2) // maximum, top).astype(dtype)
    return np.asarray(table[values])


def _extremes(values: npt.NDArray[Any], visible: npt.NDArray[np.bool_] | None) -> Range:
    """Return the smallest and the largest visible value; 0 and 0 if there is none."""
    if not values.size or (visible is not None and not visible.any()):
        return 0.0, 0.0
    if visible is None:
        return float(values.min()), float(values.max())
    least, most = _infinities(values.dtype)
    return float(values.min(where=visible, initial=most)), float(values.max(where=visible, initial=least))


def _infinities(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    if dtype.kind == "f":
        return -np.inf, np.inf
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _customary(dtype: np.dtype[Any], low: float, high: float) -> tuple[Range, str | None]:
    """Return the range of values of which nothing is stated, and what to say of it."""
    whole, bits = type_range(dtype), 8 * dtype.itemsize
    if dtype.kind == "f":
        if low >= 0 and high <= 1:
            return whole, None
        what = f"has float levels from {low:g} to {high:g}"
    elif bits == 8:
        return whole, None
    elif dtype.kind == "u" and bits == 16:
        depth = _depth(high)
        if depth > 14 or high <= 0:
            return whole, None
        white = (1 << depth) - 1
        return (
            whole,
            f"uses only levels up to {high:g} of 65535; if white is {white}, say so with --levels 0,{white}",
        )
    else:
        what = f"has {bits}-bit integer levels from {low:g} to {high:g}"
    if low >= 0 and _OVERSHOOT < high <= 65535:
        depth = _depth(high - 1 if dtype.kind == "f" else high)  # floats of few bits round white up
        white = (1 << depth) - 1
        return (0.0, float(white)), f"{what}, taken as {depth}-bit (white is {white}); --levels sets another range"
    if dtype.kind != "f" and high - low >= 2.0 ** (bits - 1):
        return whole, None
    note = f"{what}, stretched to the whole range from black to white; --levels sets another one"
    return (low, high if high > low else low + 1), note


def _depth(high: float) -> int:
    return next((depth for depth in _DEPTHS if high < 1 << depth), _DEPTHS[-1])


def _scaled(values: npt.NDArray[Any], range: Range, *, short: bool = True) -> Image:
    """Map black and white to the ends of a type that the engine takes; `short` keeps 8 bits within 8 bits."""
    low, high = map(float, range)
    dtype, kind = values.dtype, values.dtype.kind
    if kind == "f":
        if (low, high) == (0, 1) and dtype.itemsize == 4 and dtype.isnative and _within(values):
            return cast("Image", values)
        return _unit(values, low, high)
    exact: Any = {255.0: np.uint8, 65535.0: np.uint16}.get(high - low)
    if exact is not None and low.is_integer():
        if dtype == exact and low == 0:
            return cast("Image", values.astype(exact, copy=False))  # to this machine's byte order
        return _shifted(values, int(low), int(high), exact)
    if kind == "u" and dtype.itemsize <= 2 and low == 0 and high.is_integer() and high < 65535:
        return cast("Image", rescaled(values, int(high), np.uint8 if short and dtype.itemsize == 1 else np.uint16))
    return _unit(values, low, high)


def _within(values: npt.NDArray[Any]) -> bool:
    return not values.size or bool(values.min() >= 0 and values.max() <= 1)


def _strips(values: npt.NDArray[Any]) -> list[slice]:
    rows, columns = values.shape
    step = max(1, _STRIP // max(1, columns))
    return [slice(top, top + step) for top in range(0, rows, step)]


def _shifted(values: npt.NDArray[Any], low: int, high: int, dtype: Any) -> Image:
    """Subtract black from integers, of which those between black and white fit the result."""
    least, most = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
    bounds = max(low, int(least)), min(high, int(most))
    grey: npt.NDArray[Any] = np.empty(values.shape, dtype)
    for rows in _strips(values):
        # Modulo the size of the result, which the difference does not exceed.
        grey[rows] = values[rows].clip(*bounds).astype(dtype) - np.asarray(low % (int(np.iinfo(dtype).max) + 1), dtype)
    return cast("Image", grey)


def _unit(values: npt.NDArray[Any], low: float, high: float) -> Image:
    """Map black and white to 0 and 1."""
    grey = np.empty(values.shape, np.float32)
    for rows in _strips(values):
        # Halves, so that the difference of the largest floats does not overflow.
        part = values[rows].astype(np.float64) * 0.5
        part -= low * 0.5
        part /= high * 0.5 - low * 0.5
        grey[rows] = np.nan_to_num(part, copy=False, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    return grey
