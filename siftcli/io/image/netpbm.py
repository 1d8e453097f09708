"""PBM, PGM, PPM and PFM: Pillow reads their headers a byte at a time and reduces their deep colour to 8 bits."""

from __future__ import annotations

import re
from functools import partial
from typing import BinaryIO

import numpy as np

from ...errors import ImageError
from ..grey import grey_and_alpha
from .opened import Array, Decoded, Opened

__all__ = ["opened"]

_START = 1 << 16
"""Bytes in which the header has to end."""
_STRIP = 1 << 20
"""Pixels converted at a time."""
_GAP = rb"(?:\s|#[^\r\n]*+[\r\n])++"
_NUMBER = rb"(-?\d{1,10})"
_HEADERS = {
    2: re.compile(rb"P[14]" + (_GAP + _NUMBER) * 2 + rb"\s?"),
    3: re.compile(rb"P[2356]" + (_GAP + _NUMBER) * 3 + rb"\s?"),
}
"""By how many numbers there are: width, height and, but for bitmaps, the value of white."""
_FLOATS = re.compile(rb"P[fF]" + (_GAP + _NUMBER) * 2 + _GAP + rb"([^\s#]{1,40})\s")
_COMMENT = re.compile(rb"#[^\r\n]*")


def opened(stream: BinaryIO, name: str) -> Opened:
    """Open a PNM file.

    Raises
    ------
    ImageError
        If the header is damaged or longer than 64 KB.
    """
    stream.seek(0)
    head = stream.read(_START)
    if head[1:2] in b"fF":
        return _floats(stream, head, name)
    variant = int(head[1:2])
    found = _HEADERS[2 if variant in (1, 4) else 3].match(head)
    if found is None:
        raise _damaged_header(head, name)
    width, height, *rest = map(int, found.groups())
    maximum = rest[0] if rest else 1
    if min(width, height) < 1:
        raise ImageError(name, "has no pixels, or a damaged header; get the file again")
    if not 1 <= maximum <= 65535:
        raise ImageError(name, f"has a damaged header: white must be 1 to 65535, not {maximum}; get the file again")
    bands = 3 if variant in (3, 6) else 1
    read = _plain if variant < 4 else _bitmap if variant == 4 else _binary
    decode = partial(_decode, partial(read, stream, found.end(), width, height, bands, maximum), maximum, variant)
    return Opened(width, height, float(width) * height * (3 if variant >= 4 else 64 * bands), decode)


def _damaged_header(head: bytes, name: str) -> ImageError:
    if len(head) == _START:
        return ImageError(name, "has no whole header in its first 64 KB; remove the comments there")
    return ImageError(name, "has a damaged header; get the file again")


def _floats(stream: BinaryIO, head: bytes, name: str) -> Opened:
    """Open a PFM file: rows from the bottom up, in the byte order that the sign of its scale tells."""
    found = _FLOATS.match(head)
    if found is None:
        raise _damaged_header(head, name)
    width, height, bands = int(found[1]), int(found[2]), 3 if head[1:2] == b"F" else 1
    if min(width, height) < 1:
        raise ImageError(name, "has no pixels, or a damaged header; get the file again")
    stored = np.dtype("<f4" if float(found[3]) < 0 else ">f4")

    def decode() -> Decoded:
        stream.seek(found.end())
        size = width * height * bands
        data = stream.read(4 * size)
        if len(data) < 4 * size:
            raise EOFError(f"{len(data) // (4 * bands)} of {width * height} pixels")
        rows = np.frombuffer(data, stored).astype(np.float32).reshape(height, width, bands)[::-1]
        return Decoded(grey_and_alpha(rows, alpha=-1)[0])

    return Opened(width, height, float(width) * height * bands * 16, decode)


def _decode(read: partial[Array], maximum: int, variant: int) -> Decoded:
    full = None if maximum in (255, 65535) else (0.0, float(maximum))
    return Decoded(read(), full=full, white_is_zero=variant in (1, 4))


def _binary(stream: BinaryIO, start: int, width: int, height: int, bands: int, maximum: int) -> Array:
    """Read samples of one byte, or of two, the high one first."""
    stream.seek(start)
    stored = np.dtype(np.uint8 if maximum < 256 else ">u2")
    grey: Array = np.empty((height, width), stored.newbyteorder("="))
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        rows = grey[top : top + step]
        size = rows.size * bands * stored.itemsize
        data = stream.read(size)
        if len(data) < size:
            raise EOFError(f"{width * top + len(data) // (bands * stored.itemsize)} of {grey.size} pixels")
        rows[...] = grey_and_alpha(np.frombuffer(data, stored).reshape(*rows.shape, bands), alpha=-1)[0]
    return grey


def _bitmap(stream: BinaryIO, start: int, width: int, height: int, bands: int, maximum: int) -> Array:
    """Read rows of bits, the highest first, each row from a byte of its own."""
    stream.seek(start)
    each = -(-width // 8)
    data = stream.read(each * height)
    if len(data) < each * height:
        raise EOFError(f"{len(data) // each} of {height} rows")
    return np.unpackbits(np.frombuffer(data, np.uint8).reshape(height, each), axis=1, count=width)


def _plain(stream: BinaryIO, start: int, width: int, height: int, bands: int, maximum: int) -> Array:
    """Read samples as decimal numbers, of which those of bitmaps need no space between them."""
    count = width * height * bands
    stream.seek(start)
    data = _COMMENT.sub(b" ", stream.read(12 * count + _START))
    tokens = data.split()
    if maximum == 1 and any(len(token) > 1 for token in tokens):
        tokens = [bytes((digit,)) for digit in b"".join(tokens)]
    if len(tokens) < count:
        raise EOFError(f"{len(tokens) // bands} of {width * height} pixels, or more comments than pixels")
    tokens = tokens[:count]
    if not all(token.isdigit() and len(token) < 6 for token in tokens):
        raise ValueError("a sample is no number")
    samples = np.array(tokens).astype(np.int64).clip(0, maximum).astype(np.uint8 if maximum < 256 else np.uint16)
    return grey_and_alpha(samples.reshape(height, width, bands), alpha=-1)[0]
