"""The ascii files of VLFeat's ``sift``: ``.sift``, or ``.frame`` and ``.descr`` side by side.

A line of ``.sift`` is ``x y sigma theta`` and 128 integers 0-255, one of ``.frame`` the first four, one of ``.descr``
the integers; there is no header.  Coordinates, angles and bins are the library's.  Numbers are written so that every
float32 comes back; VLFeat itself writes six digits.  Without descriptors, ``.sift`` has the lines of ``.frame``.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..features import Features
from .files import Source
from .pairs import companion, write_pair
from .text.reader import Record, open_text
from .text.writer import EXACT, encode_records
from .values import as_bytes, require_finite

__all__ = ["decode", "encode", "read", "write"]

_TEMPLATE = " ".join([EXACT] * 4)
_FRAME = Record(("x", "y", "sigma", "theta"), positive=(2,), one_line=True)
_WHOLE = Record(("x", "y", "sigma", "theta"), positive=(2,), integers=128, one_line=True)
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
    return encode_records(_TEMPLATE, _frames(features, name), descriptors)


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
        If it cannot be read, or a line holds something else than 4 numbers, or 4 numbers and 128 integers 0-255.
    """
    with open_text(source, "VLFeat's text", name) as reader:
        values = len(reader.peek_line().split())
        if values not in (0, 4, 132):
            reader.fail(f"begins with a line of {values} values instead of 4 or 132; this is not VLFeat's text")
        numbers, descriptors = reader.records(_FRAME if values == 4 else _WHOLE)
    return _features(numbers, None if values == 4 else descriptors)


def write(path: str | PathLike[str], features: Features, *, overwrite: bool = False) -> None:
    """Write a ``.frame`` file and, where there are descriptors, the ``.descr`` file beside it.

    Parameters
    ----------
    path : path
        Of either file.
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
    frames = encode_records(_TEMPLATE, _frames(features, path))
    write_pair(path, (".frame", frames), (".descr", descriptors), overwrite=overwrite)


def read(path: str | PathLike[str]) -> Features:
    """Read a ``.frame`` file, and the ``.descr`` file beside it if there is one.

    Parameters
    ----------
    path : path
        Of either file.

    Raises
    ------
    FormatError
        If a file cannot be read, or they are not of equal length.
    """
    features = decode(companion(path, ".frame"))
    beside = companion(path, ".descr")
    if not (beside.exists() or Path(path) == beside):
        return Features(features.xy, features.scales, features.orientations)
    with open_text(beside, "VLFeat's descriptors") as reader:
        _, descriptors = reader.records(_DESCRIPTOR)
    if len(descriptors) != len(features):
        raise FormatError(
            beside,
            f"has {len(descriptors)} descriptors for {len(features)} frames; the two files do not belong together",
        )
    return Features(features.xy, features.scales, features.orientations, descriptors=descriptors)


def _frames(features: Features, name: str | PathLike[str]) -> npt.NDArray[np.float64]:
    require_finite(features, name)
    return np.column_stack((features.xy.astype(np.float64), features.scales, features.orientations))


def _features(numbers: npt.NDArray[np.float64], descriptors: npt.NDArray[np.uint8] | None) -> Features:
    frames = numbers.astype(np.float32)
    return Features(
        xy=np.ascontiguousarray(frames[:, :2]),
        scales=frames[:, 2].copy(),
        orientations=frames[:, 3].copy(),
        descriptors=descriptors,
    )
