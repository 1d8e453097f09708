"""Recognise the unit of descriptors in a file by their values, and convert them to a unit of `Features`.

`Features` has bytes (uint8, ``floor(512 d)``) or floats of unit norm.  Other programs write the bytes as floats
(OpenCV), as wider integers (NumPy's default), or floats of norm 512 that are no whole numbers.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from ..conventions import descriptor_norms, descriptor_unit
from ..errors import FormatError, SiftWarning
from ..features import Float32

__all__ = ["recognised"]


def recognised(
    descriptors: npt.NDArray[Any], path: str, place: str = "", *, usual: float = 1
) -> npt.NDArray[np.uint8] | Float32:
    """Return descriptors in a unit of `Features`; warn where they were in another one.

    Parameters
    ----------
    descriptors : (N, 128) array
        Integers of any width, or floats.
    path : str
        The file, for messages.
    place : str
        The place in it, with a colon and a blank at its end, for messages.
    usual : float
        The norm that floats of the format have; 512 means that such floats give no warning.

    Raises
    ------
    FormatError
        If a value is not finite or below zero, or they are neither whole numbers from 0 to 255 nor of norm 1 or 512.
    """
    if descriptors.dtype == np.uint8:
        return descriptors
    if descriptors.dtype.kind in "iu":
        if descriptors.size and (descriptors.min() < 0 or descriptors.max() > 255):
            raise FormatError(path, f"{place}descriptors holds {descriptors.dtype} instead of whole numbers 0 to 255")
        return descriptors.astype(np.uint8)
    good = np.isfinite(descriptors).all(axis=1)
    _require(good, path, place, "that is not finite")
    _require((descriptors >= 0).all(axis=1), path, place, "with a value below zero, which SIFT has not")
    with np.errstate(over="ignore"):
        floats = descriptors.astype(np.float32)
    unit = descriptor_unit(floats)
    if unit is None:
        norms = descriptor_norms(floats)
        norms = norms[norms > 0]
        raise FormatError(
            path,
            f"{place}has descriptors of norm {norms.min():.4g} to {norms.max():.4g}; SIFT descriptors are of norm 1 or "
            "512, so divide each by its norm",
        )
    if unit == 1:
        return floats
    whole = (floats == np.floor(floats)).all() and floats.max(initial=0) <= 255
    took = "bytes" if whole else "512 times descriptors of norm 1"
    if usual != unit:
        warnings.warn(
            f"{path}: {place}descriptors of norm 512 as floats were taken for {took}", SiftWarning, stacklevel=2
        )
    return floats.astype(np.uint8) if whole else floats / np.float32(512)


def _require(good: Any, path: str, place: str, what: str) -> None:
    if not good.all():
        raise FormatError(path, f"{place}keypoint {int(good.argmin()) + 1} has a descriptor {what}; leave it out")
