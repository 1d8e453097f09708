"""Checks and conversions of values: finite frames, descriptors as bytes or floats."""

from __future__ import annotations

from os import PathLike
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..conventions import dequantise, quantise, quantise_512
from ..errors import FormatError, OutputError
from ..features import Features, Float32

__all__ = ["as_bytes", "as_bytes_512", "as_floats", "finite_frames", "require_finite"]

UInt8 = npt.NDArray[np.uint8]


def require_finite(features: Features, name: str | PathLike[str]) -> None:
    """Raise OutputError, naming the keypoint, if a coordinate, scale or orientation is not finite."""
    good = np.isfinite(features.xy).all(axis=1) & np.isfinite(features.scales) & np.isfinite(features.orientations)
    if features.affine is not None:
        good &= np.isfinite(features.affine).all(axis=(1, 2))
    _require(good, "a coordinate, scale or orientation that is not finite", name)
    if features.descriptors is not None and features.descriptors.dtype != np.uint8:
        _require(np.isfinite(features.descriptors).all(axis=1), "a descriptor that is not finite", name)


def finite_frames(frames: Float32, name: str) -> None:
    """Raise FormatError, naming the keypoint, if a number read from a file is not finite, or a scale below zero.

    Parameters
    ----------
    frames : (N, 4) float32
        The scale is the third number.
    name : str
        The file, for messages.
    """
    bad = ~np.isfinite(frames).all(axis=1) | ~(frames[:, 2] >= 0)
    if bad.any():
        raise FormatError(
            name,
            f"keypoint {int(bad.argmax()) + 1} has a frame that is not finite, or a scale below zero; leave it out",
        )


def as_bytes(descriptors: UInt8 | Float32, name: str | PathLike[str]) -> UInt8:
    """Return descriptors as bytes: floats are quantised.

    Raises
    ------
    OutputError
        If one is below zero or not a number.
    """
    if descriptors.dtype == np.uint8:
        return cast(UInt8, descriptors)
    _require((descriptors >= 0).all(axis=1), "a descriptor with a value below 0 or not a number", name)
    return quantise(cast(Float32, descriptors))


def as_bytes_512(descriptors: UInt8 | Float32, name: str | PathLike[str]) -> UInt8:
    """Return descriptors as bytes of norm 512, see `quantise_512`.

    Raises
    ------
    OutputError
        If one is below zero or not a number.
    """
    if descriptors.dtype != np.uint8:
        _require((descriptors >= 0).all(axis=1), "a descriptor with a value below 0 or not a number", name)
    return quantise_512(descriptors)


def as_floats(descriptors: UInt8 | Float32, name: str | PathLike[str]) -> Float32:
    """Return descriptors as floats: bytes become unit-norm.

    Raises
    ------
    OutputError
        If one is not finite.
    """
    if descriptors.dtype == np.uint8:
        return dequantise(cast(UInt8, descriptors))
    _require(np.isfinite(descriptors).all(axis=1), "a descriptor that is not finite", name)
    return cast(Float32, descriptors)


def _require(good: Any, what: str, name: str | PathLike[str]) -> None:
    if not good.all():
        raise OutputError(name, f"keypoint {int(good.argmin()) + 1} has {what}; leave it out")
