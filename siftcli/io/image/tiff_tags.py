"""Tags of a TIFF: types, ranges, no-data values, and embedded JPEGs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ..levels import Stated
from .jpeg import decoder_warning
from .opened import Array, Mask

__all__ = [
    "BANDS",
    "CMYK",
    "COMPRESSION",
    "DNG_VERSION",
    "FLOAT",
    "MASK",
    "NO_DATA",
    "ORIENTATION",
    "PALETTE",
    "PHOTOMETRIC",
    "PLANAR",
    "REDUCED",
    "RGB",
    "SAMPLE_FORMAT",
    "SIGNED",
    "SIZES",
    "SMALL_TAGS",
    "STARTS",
    "SUBFILE_TYPE",
    "TILE_HEIGHT",
    "TILE_WIDTH",
    "UNSIGNED",
    "UNSUPPORTED",
    "WHITE_IS_ZERO",
    "YCBCR",
    "Tags",
    "bits_of",
    "both",
    "first",
    "is_data",
    "no_data_value",
    "stated_range",
    "strip_damage",
]

SUBFILE_TYPE, WIDTH, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION = 254, 256, 258, 259, 262, 274
BANDS, PLANAR, TILE_WIDTH, TILE_HEIGHT, SAMPLE_FORMAT = 277, 284, 322, 323, 339
LIMITS = ((280, 340), (281, 341))
"""MinSampleValue and SMinSampleValue; MaxSampleValue and SMaxSampleValue."""
JPEG_TABLES = 347
STARTS, SIZES, TILE_STARTS, TILE_SIZES = 273, 279, 324, 325
"""Tags. [TIFF 6.0]"""
NO_DATA, DNG_VERSION = 42113, 50706
"""Tags of GDAL and of DNG."""
REDUCED, MASK = 1, 4
"""Bits of the subfile type."""
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
"""Sample formats."""
WHITE_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 2, 3, 5, 6
"""Photometric interpretations."""
JPEG, DEFLATE = 7, (8, 32946)
"""Compressions."""
UNSUPPORTED = "not configured"
"""Message of libtiff about a compression that it does not support."""
_BLOCK = 1 << 20
"""Bytes that are inflated at a time."""
SMALL_TAGS = (COMPRESSION, ORIENTATION, JPEG_TABLES, *(tag for pair in LIMITS for tag in pair))

Tags = Mapping[int, Any]


def first(tags: Tags, tag: int, default: Any) -> Any:
    value = tags.get(tag, default)
    return value[0] if isinstance(value, tuple) and value else value


def bits_of(tags: Tags) -> int:
    return int(max(tags.get(BITS) or (1,)))


def stated_range(tags: Tags, bits: int) -> Stated | None:
    """Return the range that a file of more than 8 bits states."""
    low, high = (tags.get(typed, tags.get(tag)) for tag, typed in LIMITS)
    if high is None or bits <= 8:
        return None
    try:
        least, most = (float(np.min(low)) if low is not None else 0.0), float(np.max(high))
    except (TypeError, ValueError):
        return None
    return Stated(least, most, "MaxSampleValue") if least < most and np.isfinite((least, most)).all() else None


def no_data_value(text: Any) -> float | None:
    """Return the value that stands for no data; NaN is one."""
    try:
        return float(str(text).strip("\0 \n"))
    except ValueError:
        return None


def is_data(values: Array, nothing: float | None) -> Mask | None:
    """Return where one of the bands differs from the value that stands for no data."""
    if nothing is None:
        return None
    if nothing != nothing:
        found = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    elif values.dtype.kind == "f":
        found = values == values.dtype.type(nothing)
    else:
        limits = np.iinfo(values.dtype)
        held = nothing.is_integer() and limits.min <= nothing <= limits.max
        found = values == int(nothing) if held else np.zeros(values.shape, bool)
    return np.asarray(~(found if found.ndim == 2 else found.all(axis=-1)))


def both(*masks: Mask | None) -> Mask | None:
    given = [mask for mask in masks if mask is not None]
    kept = np.logical_and.reduce(given) if given else None
    return None if kept is None or kept.all() else kept


def strip_damage(stream: BinaryIO, tags: Tags) -> tuple[str, ...]:
    """Ask libjpeg about the JPEGs in a TIFF, and compare the checksums of deflated data, which libtiff does not."""
    compression = first(tags, COMPRESSION, 1)
    if compression != JPEG and compression not in DEFLATE:
        return ()
    tables = bytes(tags.get(JPEG_TABLES) or b"")[:-2]
    starts, sizes = (tags.get(a, tags.get(b, ())) for a, b in ((TILE_STARTS, STARTS), (TILE_SIZES, SIZES)))
    for start, size in zip(starts, sizes, strict=False):
        stream.seek(start)
        data = stream.read(size)
        jpeg = tables + data[2:] if tables else data
        warning = decoder_warning(jpeg) if compression == JPEG else _zlib_warning(data)
        if warning is not None:
            return (warning,)
    return ()


def _zlib_warning(data: bytes) -> str | None:
    """Return what zlib says of deflated data, None if it is complete and has the checksum that it should have."""
    inflate = zlib.decompressobj()
    try:
        while data and not inflate.eof:
            inflate.decompress(data, _BLOCK)
            data = inflate.unconsumed_tail
    except zlib.error as error:
        return str(error).partition(": ")[2] or str(error)
    return None if inflate.eof else "incomplete deflated data"
