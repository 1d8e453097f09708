"""The ascii files of VLFeat's ``sift``: ``.sift``, or ``.frame`` and ``.descr`` side by side.

A line of ``.sift`` is ``x y sigma theta`` and 128 integers 0-255, one of ``.frame`` the first four, one of ``.descr``
the integers; there is no header.  Affine frames are VLFeat's oriented ellipses [``vl_plotframe``]: ``x y a11 a21 a12
a22``, the columns of A, in which ``x y sigma theta`` is ``A = sigma R(theta)``.  Coordinates, angles and bins are the
library's.  Numbers are written so that every float32 comes back; VLFeat itself writes six digits.  Without descriptors,
``.sift`` has the lines of ``.frame``.
"""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..conventions import similarity_of
from ..errors import FormatError
from ..features import Features
from .files import Source
from .pairs import companion, write_pair
from .text.reader import Record, open_text
from .text.writer import EXACT, encode_records
from .values import as_bytes, require_finite

__all__ = ["decode", "encode", "read", "write"]

_CIRCLE = ("x", "y", "sigma", "theta")
_ELLIPSE = ("x", "y", "a11", "a21", "a12", "a22")
_RECORDS = {
    4: Record(_CIRCLE, positive=(2,), one_line=True),
    6: Record(_ELLIPSE, one_line=True),
    132: Record(_CIRCLE, positive=(2,), integers=128, one_line=True),
    134: Record(_ELLIPSE, integers=128, one_line=True),
}
"""Records by the number of values in a line."""
_DESCRIPTOR = Record((), integers=128, one_line=True)


def encode(features: Features, *, name: str | PathLike[str] = "<sift>") -> bytes:
    """Encode features as a ``.sift`` file.

    Parameters
    ----------
    features : Features
        Float descriptors are quantised.
    name : path
        The file's name in messages.

    Raises
    ------
    OutputError
        If a number is not finite, or a descriptor negative.
    """
    descriptors = None if features.descriptors is None else as_bytes(features.descriptors, name)
    return _encoded(features, descriptors, name)


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read a ``.sift`` or a ``.frame`` file.

    Parameters
    ----------
    source : path, bytes or binary file
        Plain, or compressed with gzip.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, or a line holds something else than 4 or 6 numbers, and 128 integers 0-255 or none.
    """
    with open_text(source, "VLFeat's text", name) as reader:
        values = len(reader.peek_line().split())
        if values and values not in _RECORDS:
            reader.fail(f"begins with a line of {values} values instead of 4, 6, 132 or 134; this is not VLFeat's text")
        record = _RECORDS[values or 132]
        numbers, descriptors = reader.records(record)
    return _features(numbers, descriptors if record.integers else None)


def write(path: str | PathLike[str], features: Features, *, overwrite: bool = False) -> None:
    """Write a ``.frame`` file and, where there are descriptors, the ``.descr`` file beside it.

    Parameters
    ----------
    path : path
        Path of either file.
    features : Features
        Float descriptors are quantised.
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    OutputError
        If a file exists or cannot be written, a number is not finite, or a descriptor negative.
    """
    descriptors = None
    if features.descriptors is not None:
        descriptors = encode_records("", np.empty((len(features), 0)), as_bytes(features.descriptors, path))
    write_pair(path, (".frame", _encoded(features, None, path)), (".descr", descriptors), overwrite=overwrite)


def read(path: str | PathLike[str]) -> Features:
    """Read a ``.frame`` file, and the ``.descr`` file beside it if there is one.

    Parameters
    ----------
    path : path
        Path of either file.

    Raises
    ------
    FormatError
        If a file cannot be read, or they are not of equal length.
    """
    features = decode(companion(path, ".frame"))
    beside = companion(path, ".descr")
    if not (beside.exists() or Path(path) == beside):
        return features.without_descriptors()
    with open_text(beside, "VLFeat's descriptors") as reader:
        _, descriptors = reader.records(_DESCRIPTOR)
    if len(descriptors) != len(features):
        raise FormatError(
            beside,
            f"has {len(descriptors)} descriptors for {len(features)} frames; the two files do not belong together",
        )
    return replace(features, descriptors=descriptors)


def _encoded(features: Features, descriptors: npt.NDArray[np.uint8] | None, name: str | PathLike[str]) -> bytes:
    """Return the lines of frames, with descriptors unless these are None."""
    require_finite(features, name)
    if features.affine is None:
        numbers = np.column_stack((features.xy.astype(np.float64), features.scales, features.orientations))
    else:
        columns = features.affine.transpose(0, 2, 1).reshape(-1, 4)
        numbers = np.column_stack((features.xy, columns)).astype(np.float64)
    return encode_records(" ".join([EXACT] * numbers.shape[1]), numbers, descriptors)


def _features(numbers: npt.NDArray[np.float64], descriptors: npt.NDArray[np.uint8] | None) -> Features:
    frames, affine = numbers.astype(np.float32), None
    if frames.shape[1] == 6:
        affine = np.ascontiguousarray(frames[:, 2:].reshape(-1, 2, 2).transpose(0, 2, 1))
        scales, orientations = similarity_of(affine)
    else:
        scales, orientations = frames[:, 2].copy(), frames[:, 3].copy()
    xy = np.ascontiguousarray(frames[:, :2])
    return Features(xy, scales, orientations, descriptors=descriptors, affine=affine)
