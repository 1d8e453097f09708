"""The arrays of features by their names in HDF5 and NPZ files, and the checks when they are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..features import Camera, Features, ParameterValue
from .units import recognised

__all__ = ["FIELDS", "NAMES", "Field", "arrays_of", "features_from", "plain_parameters"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Field:
    """One array.

    Attributes
    ----------
    name : str
        In files.
    attribute : str
        Attribute of `Features`.
    dtype : str
        In files and in `Features`.
    tail : tuple of int
        The shape after the first axis, which is the keypoint's.
    """

    name: str
    attribute: str
    dtype: str
    tail: tuple[int, ...] = ()


FIELDS = (
    Field("keypoints", "xy", "<f4", (2,)),
    Field("scales", "scales", "<f4"),
    Field("orientations", "orientations", "<f4"),
    Field("affine", "affine", "<f4", (2, 2)),
    Field("scores", "scores", "<f4"),
    Field("octaves", "octaves", "<i2"),
    Field("levels", "levels", "<i2"),
    Field("sources", "sources", "<i4"),
    Field("diverged", "diverged", "|u1"),
    Field("descriptors", "descriptors", "|u1", (128,)),
)
"""Arrays of features with their types; descriptors may also be ``<f4``."""

NAMES = (*(f.name for f in FIELDS), "image_size", "camera", "camera_name")
"""Names of all arrays in files.

`camera` is float64: focal length in pixels, latitude and longitude in degrees, altitude in metres, NaN where not
known; `camera_name` is UTF-8 in bytes.
"""

_LONGEST_NAME = 1000
_REQUIRED = ("keypoints", "scales", "orientations")
_LARGEST_SIDE = 2**31 - 1


def arrays_of(features: Features) -> dict[str, Array]:
    """Return the arrays that features have, `image_size` included, by their names in files."""
    arrays = {f.name: getattr(features, f.attribute) for f in FIELDS if getattr(features, f.attribute) is not None}
    if features.image_size is not None:
        arrays["image_size"] = np.array(features.image_size, "<i4")
    if features.camera is not None:
        focal, position = features.camera.focal, features.camera.position or (np.nan,) * 3
        arrays["camera"] = np.array((np.nan if focal is None else focal, *position), "<f8")
        arrays["camera_name"] = np.frombuffer(features.camera.name.encode(errors="replace"), np.uint8)
    return arrays


def features_from(
    arrays: Mapping[str, Array], path: str, *, where: str = "", parameters: Mapping[str, ParameterValue] | None = None
) -> Features:
    """Make features of arrays that were read from a file.

    Parameters
    ----------
    arrays : mapping of str to array
        By their names in files; `keypoints`, `scales` and `orientations` at least.  Numbers of other sizes than those
        of `FIELDS` are converted; others are refused.
    path : str
        The file, for messages.
    where : str
        The place in it, for messages.
    parameters : mapping, optional
        With which the features were computed.

    Raises
    ------
    FormatError
        If an array is missing, or has another shape or kind of numbers, or a frame is not finite.
    """
    place = f"{where}: " if where else ""
    for name in _REQUIRED:
        if name not in arrays:
            raise FormatError(path, f"{place}has no {name}; this is not a file of SIFT features, or not a whole one")
    n = len(arrays["keypoints"]) if arrays["keypoints"].ndim else 0
    values: dict[str, Any] = {}
    for f in FIELDS:
        if f.name in arrays:
            check_array(f.name, arrays[f.name].shape, arrays[f.name].dtype, path, place, (n, *f.tail))
            convert = recognised if f.name == "descriptors" else partial(_converted, f)
            values[f.attribute] = convert(arrays[f.name], path, place)
    for name in ("xy", "scales", "orientations", "affine"):
        if name in values and not np.isfinite(values[name]).all():
            bad = int(np.argwhere(~np.isfinite(values[name]))[0, 0])
            raise FormatError(path, f"{place}keypoint {bad + 1} has a frame that is not finite; leave it out")
    if (values["scales"] < 0).any():
        raise FormatError(
            path, f"{place}keypoint {int((values['scales'] < 0).argmax()) + 1} has a scale below zero; leave it out"
        )
    values["image_size"] = _image_size(arrays.get("image_size"), path, place)
    return Features(**values, camera=_camera(arrays, path, place), parameters=parameters)


def check_array(
    name: str, shape: tuple[int, ...], dtype: np.dtype[Any], path: str, place: str, wanted: tuple[int | None, ...]
) -> None:
    """Raise FormatError if an array has not the wanted shape, None for any length, or does not hold numbers."""
    if len(shape) != len(wanted) or any(w is not None and s != w for s, w in zip(shape, wanted, strict=True)):
        told = "(" + ", ".join("N" if w is None else str(w) for w in wanted) + ("," if len(wanted) == 1 else "") + ")"
        raise FormatError(
            path, f"{place}{name} has shape {shape} instead of {told}; this is not a file of SIFT features"
        )
    if dtype.kind not in "fiu":
        raise FormatError(path, f"{place}{name} holds {dtype} instead of numbers; this is not a file of SIFT features")


def _converted(field: Field, array: Array, path: str, place: str) -> Array:
    dtype = np.dtype(field.dtype)
    if array.dtype == dtype:
        return array
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if array.dtype.kind == "f" or (array.size and (array.min() < limits.min or array.max() > limits.max)):
            raise FormatError(
                path, f"{place}{field.name} holds {array.dtype} instead of whole numbers {limits.min} to {limits.max}"
            )
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused later
        return array.astype(dtype)


def _image_size(array: Array | None, path: str, place: str) -> tuple[int, int] | None:
    if array is None:
        return None
    check_array("image_size", array.shape, array.dtype, path, place, (2,))
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise FormatError(path, f"{place}image_size {array.tolist()} is not in whole pixels")
    width, height = (int(side) for side in array.tolist())
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise FormatError(path, f"{place}image_size {width} x {height} cannot be; leave it out")
    return width, height


def _camera(arrays: Mapping[str, Array], path: str, place: str) -> Camera | None:
    if "camera" not in arrays:
        return None
    check_array("camera", arrays["camera"].shape, arrays["camera"].dtype, path, place, (4,))
    name = arrays.get("camera_name", np.zeros(0, np.uint8))
    check_array("camera_name", name.shape, name.dtype, path, place, (None,))
    if name.dtype != np.uint8 or len(name) > _LONGEST_NAME:
        raise FormatError(path, f"{place}camera_name is no text of at most {_LONGEST_NAME} bytes; the file is damaged")
    focal, latitude, longitude, altitude = arrays["camera"].astype(np.float64).tolist()
    there = abs(latitude) <= 90 and abs(longitude) <= 180
    return Camera(
        name.tobytes().decode(errors="replace"),
        focal if 0 < focal < np.inf else None,
        (latitude, longitude, altitude) if there else None,
    )


def plain_parameters(
    parameters: Mapping[str, Any] | None, skip: Collection[str] = ()
) -> dict[str, ParameterValue] | None:
    """Return the attributes that a parameter may be (None, bool, number, text), or None if there are none."""
    if parameters is None:
        return None
    plain: dict[str, ParameterValue] = {}
    for key, value in parameters.items():
        value = value.item() if isinstance(value, np.generic) else value
        if key not in skip and (value is None or isinstance(value, (bool, int, float, str))):
            plain[key] = value
    return plain or None
