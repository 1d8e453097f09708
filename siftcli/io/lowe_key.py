"""Lowe's ``.key`` files, plain or compressed (``.key.gz``, as Bundler has them).

The format
----------
A header ``N 128``.  Per keypoint one line ``row col sigma orientation`` as ``%.2f %.2f %.2f %.3f``, then 128 integers
0-255 on seven lines of 20, 20, 20, 20, 20, 20 and 8, each integer preceded by one space; no trailing blanks, LF, and a
final newline.  Programs that read these files count on the seven lines.  Orientations are y up and the bins of a
descriptor run the other way round than in the library, see :mod:`siftcli.conventions`; the first pixel's centre is at
(0, 0) in both.

Features without descriptors are written with the header ``N 0`` and frame lines only.  That is an extension of this
package, which other programs do not read.

A file is read by tokens, wherever its lines break, in blocks of bounded size, so that memory grows with the contents of
the file, whatever its header promises.
"""

from __future__ import annotations

from os import PathLike

import numpy as np

from ..conventions import flip_angles, flip_bins
from ..features import Features
from .files import Source
from .text.writer import compress as gzipped
from .text.writer import encode_records
from .values import as_bytes, require_finite

__all__ = ["encode_key", "read_key"]

_LINES = (20, 20, 20, 20, 20, 20, 8)
_FRAME = "%.2f %.2f %.2f %.3f"
_NUMBERS = ("row", "column", "sigma", "orientation")

_TINY = np.finfo(np.float32).tiny


def encode_key(features: Features, *, compress: bool = False, name: str | PathLike[str] = "<key>") -> bytes:
    """Encode features as a ``.key`` file.

    Parameters
    ----------
    features : Features
        Float descriptors are quantised (see :func:`siftcli.conventions.quantise`).  Without descriptors, the frames
        alone are written, under the header ``N 0``.
    compress : bool
        Compress with gzip, without a time stamp.
    name : path
        The file's name in error messages.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    OutputError
        If a number is not finite, or a descriptor negative: the format cannot hold it.
    """
    require_finite(features, name)
    frames = np.column_stack(
        (
            features.xy[:, ::-1].astype(np.float64),
            features.scales,
            flip_angles(features.orientations) + np.float32(0),  # no -0.000 for an angle that is exactly zero
        )
    )
    descriptors = None if features.descriptors is None else flip_bins(as_bytes(features.descriptors, name))
    header = b"%d %d\n" % (len(features), 0 if descriptors is None else 128)
    data = encode_records(_FRAME, frames, descriptors, lines=_LINES, header=header)
    return gzipped(data) if compress else data


def read_key(source: Source, *, name: str | None = None) -> Features:
    """Read a ``.key`` file, plain or compressed with gzip.

    Parameters
    ----------
    source : path, bytes or binary file
        The file; gzip is recognised by its first bytes, not by its name.
    name : str, optional
        The file's name in error messages.

    Returns
    -------
    Features
        With uint8 descriptors, or None if the header says 0 instead of 128; without scores, octaves and levels.
        Angles are what the file says, negated and not wrapped: 3.142 becomes -3.142.  An angle printed as ``-0.000``
        keeps its sign as the smallest normal float32, so that it is printed the same again.

    Raises
    ------
    FormatError
        If the file cannot be read, is cut short, or holds something else than its header promises, numbers, and
        descriptor values 0-255; with the line.
    """
    from .text.reader import Record, open_text

    with open_text(source, "a Lowe key file", name) as reader:
        count, length = reader.header()
        numbers, descriptors = reader.records(Record(_NUMBERS, positive=(2,), integers=length), count)
    frames = numbers.astype(np.float32)
    angles = flip_angles(frames[:, 3]) + np.float32(0)
    angles[(frames[:, 3] == 0) & np.signbit(frames[:, 3])] = _TINY
    return Features(
        xy=np.ascontiguousarray(frames[:, 1::-1]),
        scales=frames[:, 2].copy(),
        orientations=angles,
        descriptors=flip_bins(descriptors) if length else None,
    )
