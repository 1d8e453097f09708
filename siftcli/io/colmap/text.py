"""COLMAP's text: ``<image>.txt``, as its feature importer reads it.

A header ``N 128``; then a line for each keypoint, ``x y scale orientation`` and 128 integers 0-255, with one space
between, rounded to norm 512.  The centre of the first pixel is (0.5, 0.5), angles are y down, the bins are Lowe's, see
:mod:`siftcli.conventions`.
"""

from __future__ import annotations

from os import PathLike

import numpy as np

from ...conventions import corner_origin, flip_bins, pixel_origin
from ...errors import OutputError
from ...features import Features
from ..files import Source
from ..text.reader import Record, open_text
from ..text.writer import EXACT, encode_records
from ..values import as_bytes_512, require_finite

__all__ = ["decode", "encode"]

_TEMPLATE = " ".join([EXACT] * 4)
_NUMBERS = ("x", "y", "scale", "orientation")


def encode(features: Features, *, name: str | PathLike[str] = "<colmap>") -> bytes:
    """Encode features as COLMAP's text.

    Parameters
    ----------
    features : Features
        Descriptors are brought to norm 512.
    name : path
        The file's name in messages.

    Raises
    ------
    OutputError
        If there are no descriptors, a number is not finite, or a descriptor negative.
    """
    require_finite(features, name)
    if features.descriptors is None:
        raise OutputError(name, "has no descriptors, which COLMAP needs; compute them with sift describe")
    frames = np.column_stack((corner_origin(features.xy), features.scales, features.orientations))
    descriptors = flip_bins(as_bytes_512(features.descriptors, name))
    return encode_records(_TEMPLATE, frames, descriptors, header=b"%d 128\n" % len(features))


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read COLMAP's text.

    Parameters
    ----------
    source : path, bytes or binary file
        Plain, or compressed with gzip.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, is cut short, or a line holds something else; with the line.
    """
    with open_text(source, "COLMAP's text", name) as reader:
        count, length = reader.header()
        numbers, descriptors = reader.records(Record(_NUMBERS, positive=(2,), integers=length, one_line=True), count)
    return Features(
        xy=pixel_origin(numbers[:, :2]),
        scales=numbers[:, 2].astype(np.float32),
        orientations=numbers[:, 3].astype(np.float32),
        descriptors=flip_bins(descriptors) if length else None,
    )
