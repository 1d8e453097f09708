"""The text that IPOL's ``sift_cli`` prints. [IPOL14]

A line is ``x y sigma theta``, six decimals, and 128 integers 0-255; x is the row, and angles and bins are IPOL's, see
:mod:`siftcli.conventions`.  Lines without a descriptor, and lines with the 36 bins of the orientation histogram
at the end (``-verb_keys``), are read as well.  Numbers are written so that every float32 comes back.
"""

from __future__ import annotations

from os import PathLike

import numpy as np

from ..conventions import ipol_angles, ipol_bins, library_bins, wrapped
from ..features import Features
from .files import Source
from .text.reader import Record, open_text
from .text.writer import EXACT, encode_records
from .values import as_bytes, require_finite

__all__ = ["decode", "encode"]

_TEMPLATE = " ".join([EXACT] * 4)
_NAMES = ("row", "column", "sigma", "theta")
_HISTOGRAM = 36
_VALUES = (4, 132, 132 + _HISTOGRAM)


def encode(features: Features, *, name: str | PathLike[str] = "<ipol>") -> bytes:
    """Encode features as IPOL's text.

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
    require_finite(features, name)
    frames = np.column_stack(
        (features.xy[:, ::-1].astype(np.float64), features.scales, ipol_angles(features.orientations))
    )
    descriptors = None if features.descriptors is None else ipol_bins(as_bytes(features.descriptors, name))
    return encode_records(_TEMPLATE, frames, descriptors)


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read IPOL's text.

    Parameters
    ----------
    source : path, bytes or binary file
        Plain, or compressed with gzip.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, or a line holds something else than frames, descriptors and histograms.
    """
    with open_text(source, "IPOL's text", name) as reader:
        values = len(reader.peek_line().split())
        if values not in (0, *_VALUES):
            reader.fail(f"begins with a line of {values} values instead of 4, 132 or 168; this is not IPOL's text")
        after = tuple(f"orientation histogram, bin {k}" for k in range(_HISTOGRAM * (values == _VALUES[-1])))
        record = Record(_NAMES, positive=(2,), integers=0 if values == 4 else 128, after=after, one_line=True)
        numbers, descriptors = reader.records(record)
    return Features(
        xy=np.ascontiguousarray(numbers[:, 1::-1].astype(np.float32)),
        scales=numbers[:, 2].astype(np.float32),
        orientations=wrapped(ipol_angles(numbers[:, 3])),
        descriptors=None if values == 4 else library_bins(descriptors),
    )
