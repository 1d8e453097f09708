"""OpenSfM's features, version 3: ``<image>.features.npz``.

`points` is ``x y size angle``: coordinates from the middle of the image, with half a pixel for the first, and twice the
scale, over the longer side of the image; degrees, y down.  `descriptors` are float32 of norm 1, with Lowe's bins, as
OpenSfM has OpenCV's SIFT.  `colors` are grey, for features have none.  Rows come by increasing scale, as OpenSfM sorts
them.  The frames of :mod:`siftcli.io.npz` are there as well, and are read: `points` are rounded, and OpenSfM does not
store the size of the image.
"""

from __future__ import annotations

from os import PathLike

import numpy as np

from ..conventions import flip_bins
from ..errors import FormatError, OutputError
from ..features import Features
from .fields import features_from
from .files import Source, source_name
from .npz_archive import read_arrays, write_arrays
from .values import as_floats, require_finite

__all__ = ["decode", "encode"]

_VERSION = "OPENSFM_FEATURES_VERSION"
_FRAMES = ("keypoints", "scales", "orientations", "image_size")
_GREY = 128


def encode(features: Features, *, name: str | PathLike[str] = "<opensfm>") -> bytes:
    """Encode features as OpenSfM's archive.

    Parameters
    ----------
    features : Features
        Keypoints are ordered by increasing scale; descriptors become floats of norm 1.
    name : path
        The file's name in messages.

    Raises
    ------
    OutputError
        If there are no descriptors, the size of the image is not known, or a number is not finite.
    """
    require_finite(features, name)
    if features.descriptors is None:
        raise OutputError(name, "has no descriptors, which OpenSfM needs; compute them with sift describe")
    if features.image_size is None:
        raise OutputError(name, "has no image size, which OpenSfM needs; give the folder of the images with --images")
    features = features.take(np.argsort(features.scales, kind="stable"))
    assert features.descriptors is not None
    size = np.array(features.image_size, np.float64)
    middle = (features.xy + 0.5 - size / 2) / size.max()
    diameters = 2 * features.scales.astype(np.float64) / size.max()
    degrees = np.degrees(features.orientations.astype(np.float64)) % 360
    nothing = np.zeros(0, np.float64)
    return write_arrays(
        {
            "points": np.column_stack((middle, diameters, degrees)).astype("<f4"),
            "descriptors": flip_bins(as_floats(features.descriptors, name)).astype("<f4"),
            "colors": np.full((len(features), 3), _GREY, np.uint8),
            "segmentations": nothing,
            "instances": nothing,
            "segmentation_labels": nothing,
            _VERSION: np.array(3),
            "keypoints": features.xy,
            "scales": features.scales,
            "orientations": features.orientations,
            "image_size": np.array(features.image_size, "<i4"),
        }
    )


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read the archive of features that `encode` made.

    Parameters
    ----------
    source : path, bytes or binary file
        The archive.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, is no archive of features, or OpenSfM's own, whose coordinates need the size of the image.
    """
    name = source_name(source, name)
    arrays = read_arrays(source, (*_FRAMES, "descriptors", _VERSION), name)
    if _VERSION not in arrays:
        raise FormatError(name, "is no file of OpenSfM's features; give --from npz if it holds NumPy arrays")
    if "keypoints" not in arrays or "image_size" not in arrays:
        raise FormatError(
            name, "has coordinates relative to the size of the image, which OpenSfM does not store; it is not read"
        )
    del arrays[_VERSION]
    if "descriptors" in arrays and arrays["descriptors"].shape[1:] == (128,):
        arrays["descriptors"] = flip_bins(arrays["descriptors"])
    return features_from(arrays, name)
