"""Facts in the headers of files that decoders do not hand on: depths, significant bits, sizes."""

from __future__ import annotations

import struct
from typing import BinaryIO

__all__ = ["avif_depth", "gif_frames", "jpeg2000_frame", "jpeg_frame", "png_significant_bits"]

_START = 1 << 16
"""Bytes in which headers have to end."""
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_JPEG_SCAN = frozenset((0xD9, 0xDA))
"""Markers: starts of a frame; those without a length; the end of the header."""
_MOST_SEGMENTS, _MOST_EXIF = 4096, 16
_GIF_IMAGE, _GIF_EXTENSION, _GIF_END = 0x2C, 0x21, 0x3B
_MOST_EXTENSIONS = 1 << 20
"""Bytes between two images of a GIF that are looked at."""


def _start(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read(_START)


def png_significant_bits(stream: BinaryIO) -> int | None:
    """Return the largest number of significant bits that a PNG states, None without that. [PNG 3 §11.3.2.7]"""
    head = _start(stream)
    at = 8
    while at + 8 <= len(head):
        length, kind = struct.unpack_from(">I4s", head, at)
        if kind == b"IDAT":
            return None
        if kind == b"sBIT" and at + 8 + length <= len(head):
            return max(head[at + 8 : at + 8 + length], default=None)
        at += 12 + length
    return None


def jpeg2000_frame(stream: BinaryIO) -> tuple[int, int, int] | None:
    """Return the bits of the deepest component, width and height from the SIZ marker. [ISO 15444-1 §A.5.1]"""
    head = _start(stream)
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(head):
        return None
    right, bottom, left, top = struct.unpack_from(">4I", head, at + 8)
    components = struct.unpack_from(">H", head, at + 40)[0]
    bits = max(((ssiz & 0x7F) + 1 for ssiz in head[at + 42 : at + 42 + 3 * components : 3]), default=8)
    return bits, right - left, bottom - top


def avif_depth(stream: BinaryIO) -> int:
    """Return the bits of an AVIF file's first image, from its codec configuration. [AV1 in ISOBMFF §2.3.3]"""
    head = _start(stream)
    at = head.find(b"av1C")
    if at < 0 or at + 7 > len(head) or not head[at + 6] & 0x40:
        return 8
    return 12 if head[at + 6] & 0x20 else 10


def gif_frames(stream: BinaryIO) -> int:
    """Return how many images a GIF has, 2 for more; Pillow joins its comments one by one. [GIF89a §12]

    Raises
    ------
    ValueError
        If there is more than a header before the first image.
    """
    stream.seek(0)
    data = stream.read()
    frames, at = 0, 13 + _table(data[10:11])
    limit = at + _MOST_EXTENSIONS
    while at < min(limit, len(data)) and frames < 2:
        kind = data[at]
        if kind == _GIF_END:
            break
        if kind == _GIF_IMAGE:
            frames += 1
            at += 11 + _table(data[at + 9 : at + 10])
        else:
            at += 2 if kind == _GIF_EXTENSION else 1
        if kind in (_GIF_IMAGE, _GIF_EXTENSION):
            while at < len(data) and data[at]:
                at += 1 + data[at]
            at += 1
        if kind == _GIF_IMAGE:
            limit = at + _MOST_EXTENSIONS
    if not frames and at >= limit:
        raise ValueError("more than 1 MB of comments before the first image")
    return frames


def _table(flags: bytes) -> int:
    """Return the bytes of a GIF's table of colours."""
    return 6 << (flags[0] & 7) if flags and flags[0] & 0x80 else 0


def jpeg_frame(stream: BinaryIO) -> tuple[int, int, int] | None:
    """Return bits, width and height of a JPEG from its start of frame; None if there is none. [ISO 10918-1 §B.2.2]

    Raises
    ------
    ValueError
        If the header is of a length that Pillow takes minutes for: it joins EXIF segments one by one.
    """
    stream.seek(2)
    fill = segments = exif = 0
    while len(marker := stream.read(2)) == 2:
        if marker[0] != 0xFF or marker[1] in (0, 0xFF):
            fill += 1
            stream.seek(-1, 1)
        elif marker[1] in _JPEG_SCAN:
            break
        elif marker[1] not in _JPEG_ALONE:
            segments += 1
            length, start = struct.unpack(">H6s", stream.read(8).ljust(8, b"\0"))
            if marker[1] in _JPEG_FRAMES:
                bits, height, width = struct.unpack(">BHH", start[:5])
                return bits, width, height
            exif += start == b"Exif\0\0"
            stream.seek(length - 8, 1)
        if fill > _START or segments > _MOST_SEGMENTS or exif > _MOST_EXIF:
            raise ValueError("a header without an end")
    return None
