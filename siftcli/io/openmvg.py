"""OpenMVG's and AliceVision's regions: ``.feat`` (text) and ``.desc`` (binary) side by side.

A line of ``.feat`` is ``x y scale orientation``; ``.desc`` is a count (uint64, little endian) and 128 bytes for each
keypoint.  Coordinates, angles and bins are the library's.  Numbers are written so that every float32 comes back.
OpenMVG's later programs find the type of the regions in ``image_describer.json`` of the same folder, as its own
extraction leaves it there.
"""

from __future__ import annotations

import json
import struct
from os import PathLike
from pathlib import Path

import numpy as np

from ..errors import FormatError
from ..features import Features
from .files import why_unreadable
from .output import atomic_write
from .pairs import companion, write_pair
from .text.reader import Record, open_text
from .text.writer import EXACT, encode_records
from .values import as_bytes, require_finite

__all__ = ["read", "write"]

_TEMPLATE = " ".join([EXACT] * 4)
_RECORD = Record(("x", "y", "scale", "orientation"), positive=(2,), one_line=True)
_COUNT = struct.Struct("<Q")

_DESCRIBER = "image_describer.json"
_PARAMS = {
    "first_octave": 0,
    "num_octaves": 6,
    "num_scales": 3,
    "edge_threshold": 10.0,
    "peak_threshold": 0.04,
    "root_sift": True,
}
"""OpenMVG's own defaults, with which it would extract the images that have no regions."""


def _polymorphic(number: int, name: str, data: object) -> dict[str, object]:
    """Return an object as the library cereal stores a pointer to a derived class, at its first use."""
    return {
        "polymorphic_id": (1 << 31) + number,
        "polymorphic_name": name,
        "ptr_wrapper": {"valid": 1, "data": data},
    }


def write(path: str | PathLike[str], features: Features, *, overwrite: bool = False, describer: bool = True) -> None:
    """Write a ``.feat`` file and, where there are descriptors, the ``.desc`` file beside it.

    Parameters
    ----------
    path : path
        Path of either file.
    features : Features
        Float descriptors are quantised.
    overwrite : bool
        Replace files that exist.
    describer : bool
        Write ``image_describer.json`` beside descriptors, if it is not in the folder.

    Raises
    ------
    OutputError
        If a file exists or cannot be written, a number is not finite, or a descriptor negative.
    """
    require_finite(features, path)
    frames = np.column_stack((features.xy.astype(np.float64), features.scales, features.orientations))
    descriptors = None
    if features.descriptors is not None:
        descriptors = _COUNT.pack(len(features)) + as_bytes(features.descriptors, path).tobytes()
    write_pair(path, (".feat", encode_records(_TEMPLATE, frames)), (".desc", descriptors), overwrite=overwrite)
    beside = Path(path).with_name(_DESCRIBER)
    if describer and descriptors is not None and not beside.exists():
        document = {
            "image_describer": _polymorphic(1, "SIFT_Image_describer", {"params": _PARAMS, "bOrientation": True}),
            "regions_type": _polymorphic(2, "SIFT_Regions", {"value0": [], "value1": []}),
        }
        # Another process may write it at the same time, with the same contents.
        atomic_write(beside, (json.dumps(document, indent=4) + "\n").encode(), overwrite=True)


def read(path: str | PathLike[str]) -> Features:
    """Read a ``.feat`` file, and the ``.desc`` file beside it if there is one.

    Parameters
    ----------
    path : path
        Path of either file.

    Raises
    ------
    FormatError
        If a file cannot be read, or they do not belong together.
    """
    with open_text(companion(path, ".feat"), "OpenMVG's .feat file") as reader:
        numbers, _ = reader.records(_RECORD)
    frames = numbers.astype(np.float32)
    beside = companion(path, ".desc")
    descriptors = _descriptors(beside, len(frames)) if beside.exists() or Path(path) == beside else None
    return Features(
        xy=np.ascontiguousarray(frames[:, :2]),
        scales=frames[:, 2].copy(),
        orientations=frames[:, 3].copy(),
        descriptors=descriptors,
    )


def _descriptors(path: Path, n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        with path.open("rb") as file:
            head = file.read(_COUNT.size)
            data = file.read(128 * n + 1)
    except OSError as error:
        raise FormatError(path, why_unreadable(error)) from error
    count = _COUNT.unpack(head)[0] if len(head) == _COUNT.size else 0
    if len(head) < _COUNT.size or count != n:
        raise FormatError(path, f"has {count} descriptors for {n} frames; the two files do not belong together")
    if len(data) != 128 * n:
        raise FormatError(path, f"does not hold the {n} descriptors of 128 bytes that it promises; get it again")
    return np.frombuffer(data, np.uint8).reshape(n, 128).copy()
