"""VisualSFM's binary ``.sift``.

Little endian: the int32s "SIFT", "V4.0", N, 5 and 128; N times the float32s x, y, colour, scale, orientation; N times
128 bytes; and the int32 that ends it, 0xff "EOF".  V5.0 has the colour of the pixel (packed), V4.0 zero.  The centre of
the first pixel is (0.5, 0.5), angles are y down, the bins are Lowe's, descriptors have norm 512, see
:mod:`siftcli.conventions`.  VisualSFM expects keypoints by decreasing scale, as SiftGPU writes them: if there are
more than it can match, it takes the first.
"""

from __future__ import annotations

import struct
from os import PathLike
from typing import BinaryIO

import numpy as np

from ..conventions import corner_origin, flip_bins, pixel_origin
from ..errors import FormatError, OutputError
from ..features import Features
from .files import Source, open_source, source_name, why_unreadable
from .values import as_bytes_512, finite_frames, require_finite

__all__ = ["decode", "encode"]

_HEADER = struct.Struct("<4s4siii")
_NAME = b"SIFT"
_VERSIONS = (b"V4.0", b"V5.0")
_END = b"\xffEOF"
_BLOCK = 1 << 20
_NUMBERS = {4: (0, 1, 2, 3), 5: (0, 1, 3, 4)}
"""Length of a location to its columns x, y, scale, orientation."""


def encode(features: Features, *, name: str | PathLike[str] = "<visualsfm>") -> bytes:
    """Encode features as a binary ``.sift`` file.

    Parameters
    ----------
    features : Features
        Keypoints are ordered by decreasing scale, those of equal scale as they are; descriptors are brought to norm
        512.
    name : path
        The file's name in messages.

    Raises
    ------
    OutputError
        If there are no descriptors, a number is not finite, or a descriptor negative.
    """
    require_finite(features, name)
    if features.descriptors is None:
        raise OutputError(name, "has no descriptors, which VisualSFM needs; compute them with sift describe")
    features = features.take(np.argsort(-features.scales, kind="stable"))
    assert features.descriptors is not None
    n = len(features)
    locations = np.zeros((n, 5), "<f4")
    locations[:, :2] = corner_origin(features.xy)
    locations[:, 3] = features.scales
    locations[:, 4] = features.orientations
    descriptors = flip_bins(as_bytes_512(features.descriptors, name))
    return _HEADER.pack(_NAME, _VERSIONS[0], n, 5, 128) + locations.tobytes() + descriptors.tobytes() + _END


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read a binary ``.sift`` file.

    Parameters
    ----------
    source : path, bytes or binary file
        The file; its colours are not kept.
    name : str, optional
        Its name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, is cut short or goes on, or a frame is not finite.
    """
    name = source_name(source, name)
    try:
        with open_source(source) as file:
            head = file.read(_HEADER.size)
            if not head.startswith(_NAME) or len(head) < _HEADER.size:
                raise FormatError(name, "does not begin with 'SIFT' and a header; this is not VisualSFM's binary file")
            _, version, n, numbers, length = _HEADER.unpack(head)
            if version not in _VERSIONS:
                raise FormatError(name, f"is of version {version.decode('latin-1')!a}; V4.0 and V5.0 are read")
            if n < 0 or numbers not in _NUMBERS or length != 128:
                raise FormatError(
                    name, f"has a header of {n} keypoints, {numbers} numbers and {length} bytes each; it is damaged"
                )
            size = n * (4 * numbers + length)
            data = _read(file, size + len(_END) + 1)
    except OSError as error:
        raise FormatError(name, why_unreadable(error)) from error
    # Some writers leave out the end marker.
    if len(data) != size and data[size:] != _END:
        raise FormatError(name, f"has {len(data)} bytes after its header instead of {size + len(_END)}; get it again")
    locations = np.frombuffer(data, "<f4", n * numbers).reshape(n, numbers)[:, _NUMBERS[numbers]]
    descriptors = np.frombuffer(data, np.uint8, n * length, 4 * n * numbers).reshape(n, length)
    finite_frames(locations, name)
    return Features(
        xy=pixel_origin(locations[:, :2]),
        scales=locations[:, 2].astype(np.float32),
        orientations=locations[:, 3].astype(np.float32),
        descriptors=flip_bins(descriptors),
    )


def _read(file: BinaryIO, size: int) -> bytes:
    """Read at most `size` bytes, in blocks, so that memory grows with the file only."""
    blocks = []
    while size > 0 and (block := file.read(min(size, _BLOCK))):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)
