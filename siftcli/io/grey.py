"""Grey levels and pixel grids as arrays: luma, ranges, raw samples, EXIF turns.  No Pillow here."""

from __future__ import annotations

from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..features import Image

__all__ = ["INVERSE_TURN", "inverted", "key_mask", "levels", "luma", "read_samples", "rescaled", "to_bytes", "turned"]

_Scalar = TypeVar("_Scalar", bound=np.generic)

_STRIP = 1 << 20
"""Pixels converted at a time."""


def luma(rgb: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> npt.NDArray[np.uint32]:
    """Compute 0.299 R + 0.587 G + 0.114 B, rounded. [ITU-R BT.601]

    Parameters
    ----------
    rgb : (..., 3) uint8 or uint16
        Any range.

    Returns
    -------
    (...) uint32
        In the range of the input.
    """
    r, g, b = (rgb[..., k].astype(np.uint32) for k in range(3))
    total = 19595 * r + 38470 * g + 7471 * b  # the weights times 65536; below 2^32
    total += np.uint32(0x8000)
    total >>= np.uint32(16)
    return total


def rescaled(values: npt.NDArray[Any], maximum: int, dtype: type[np.uint8] | type[np.uint16]) -> npt.NDArray[Any]:
    """Map 0 to `maximum` to the whole range of `dtype`, rounding; what is above `maximum` counts as `maximum`."""
    top = int(np.iinfo(dtype).max)
    if maximum == top:
        return values.astype(dtype)
    table = np.minimum((np.arange(top + 1, dtype=np.int64) * top + maximum // 2) // maximum, top).astype(dtype)
    return np.asarray(table[values])


def read_samples(stream: BinaryIO, width: int, height: int, bands: int, maximum: int) -> Image:
    """Read binary PGM (one band) or PPM (three) samples as grey.

    Parameters
    ----------
    stream : binary file
        At the first sample.
    width, height : int
        In pixels.
    bands : int
        1 or 3.
    maximum : int
        The sample that is white, 1 to 65535; above 255, samples are two bytes, the high one first.

    Returns
    -------
    (height, width) uint8 or uint16
        uint16 if `maximum` is above 255; white is 255 or 65535.

    Raises
    ------
    EOFError
        If there are too few.
    """
    wide = maximum > 255
    stored = np.dtype(">u2" if wide else np.uint8)
    wanted = np.uint16 if wide else np.uint8
    grey: npt.NDArray[Any] = np.empty((height, width), wanted)
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        rows = grey[top : top + step]
        size = rows.size * bands * stored.itemsize
        data = stream.read(size)
        if len(data) < size:
            raise EOFError(f"{width * top + len(data) // (bands * stored.itemsize)} of {grey.size} pixels")
        samples = rescaled(np.frombuffer(data, stored).reshape(*rows.shape, bands), maximum, wanted)
        rows[...] = samples[..., 0] if bands == 1 else luma(samples)
    return grey


def levels(values: Any) -> tuple[Image, str | None]:
    """Give grey levels without a fixed range one.

    Parameters
    ----------
    values : (H, W) float32, int32 or uint32
        Finite; floats may be overwritten.

    Returns
    -------
    image : (H, W) uint8, uint16 or float32
        Floats within [0, 1] are returned as they are.  Up to 255 means 8-bit levels, up to 65535 16-bit levels; what
        is negative, larger, or not above 2 (a black 8-bit image, but a common overshoot of [0, 1]) is stretched from
        its minimum and maximum to [0, 1].
    note : str or None
        What was done, in words.
    """
    low, high = values.min(), values.max()
    whole = values.dtype.kind != "f"
    what = f"has {'32-bit integer' if whole else 'float'} levels from {low:g} to {high:g}"
    if not whole and low >= 0 and high <= 1:
        return values, None
    if low >= 0 and 2 < high <= 65535:
        top = 255 if high <= 255 else 65535
        note = f"{what}, taken as {top.bit_length()}-bit (white is {top})"
        if whole:
            return (values.astype(np.uint8) if top == 255 else values.astype(np.uint16)), note
        values /= np.float32(top)
        return values, note
    note = f"{what}, stretched to the whole range from black to white"
    if whole:
        values = ((values.astype(np.float64) - float(low)) / max(float(high) - float(low), 1.0)).astype(np.float32)
        return values, note
    if float(high) - float(low) > np.finfo(np.float32).max:  # the difference must not overflow
        values *= np.float32(0.25)
        low, high = low * np.float32(0.25), high * np.float32(0.25)
    values -= low
    if high > low:
        values /= high - low
    return values, note


def to_bytes(grey: Image) -> npt.NDArray[np.uint8]:
    """Return grey with 8 bits, rounded; floats beyond 0 to 1 are cut off."""
    if grey.dtype == np.uint8:
        return cast("npt.NDArray[np.uint8]", grey)
    if grey.dtype == np.uint16:
        return ((grey.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def inverted(grey: Image) -> Image:
    """Swap black and white."""
    white = {"u1": 255, "u2": 65535}.get(grey.dtype.str[1:], 1)
    return cast("Image", np.subtract(white, grey, dtype=grey.dtype))


def key_mask(samples: npt.NDArray[Any], key: int | tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return False where a pixel has the one value, or colour, that stands for transparent."""
    if isinstance(key, int):
        return np.asarray(samples != key)
    return np.asarray((samples != np.array(key)).any(axis=-1))


INVERSE_TURN = {6: 8, 8: 6}
"""The EXIF orientation that undoes another; the others undo themselves."""


def turned(image: npt.NDArray[_Scalar], orientation: int) -> npt.NDArray[_Scalar]:
    """Turn stored pixels upright.

    Parameters
    ----------
    image : (H, W) array
        As stored.
    orientation : int
        Of EXIF, 1 to 8: where the first stored row and column are seen: 1 top and left, 2 top and right, 3 bottom and
        right, 4 bottom and left, 5 left and top, 6 right and top, 7 right and bottom, 8 left and bottom.
        [EXIF 2.3 §4.6.4]

    Returns
    -------
    (H, W) or (W, H) array
        Contiguous.
    """
    if orientation >= 5:
        image = image.T  # the first stored row becomes a column
    right = orientation in (2, 3, 6, 7)
    bottom = orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(image[:: -1 if bottom else 1, :: -1 if right else 1])
