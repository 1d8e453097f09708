"""Facts in the headers of files that decoders do not hand on: depths, significant bits, sizes."""

from __future__ import annotations

import struct
from typing import BinaryIO

__all__ = ["avif_depth", "jpeg2000_depth", "jpeg_frame", "png_significant_bits"]

_START = 1 << 16
"""Bytes in which headers have to end."""


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


def jpeg2000_depth(stream: BinaryIO) -> int | None:
    """Return the largest number of bits of a component of JPEG 2000, from its SIZ marker. [ISO 15444-1 §A.5.1]"""
    head = _start(stream)
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(head):
        return None
    components = struct.unpack_from(">H", head, at + 40)[0]
    return max(((ssiz & 0x7F) + 1 for ssiz in head[at + 42 : at + 42 + 3 * components : 3]), default=None)


def avif_depth(stream: BinaryIO) -> int:
    """Return the bits of an AVIF file's first image, from its codec configuration. [AV1 in ISOBMFF §2.3.3]"""
    head = _start(stream)
    at = head.find(b"av1C")
    if at < 0 or at + 7 > len(head) or not head[at + 6] & 0x40:
        return 8
    return 12 if head[at + 6] & 0x20 else 10


def jpeg_frame(stream: BinaryIO) -> tuple[int, int, int] | None:
    """Return bits, width and height of a JPEG from its start of frame; None if there is none. [ISO 10918-1 §B.2.2]"""
    stream.seek(2)
    while len(head := stream.read(4)) == 4 and head[0] == 0xFF:
        marker, length = head[1], struct.unpack(">H", head[2:])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = stream.read(5)
            if len(frame) < 5:
                return None
            bits, height, width = struct.unpack(">BHH", frame)
            return bits, width, height
        stream.seek(length - 2, 1)
    return None
