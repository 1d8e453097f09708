"""Matches of one pair as NumPy's ``.npz``: the attributes of :class:`siftcli.matches.Matches` by their names.

Attributes that are None are left out.  The model's arrays are ``model_kind`` (text), ``model_matrix``,
``model_threshold``, ``model_focal`` and ``model_pose``; those of the images are ``names`` (text), ``image_sizes``
(width and height) and ``digests`` of their features (text).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..matches import MODELS, Matches, Model, Origin
from .files import Source, source_name
from .npz_archive import read_arrays, write_arrays

__all__ = ["decode", "encode"]

_ARRAYS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "indices": (np.int32, (2,)),
    "distances": (np.float64, ()),
    "ratios": (np.float64, ()),
    "xy_a": (np.float32, (2,)),
    "xy_b": (np.float32, (2,)),
    "inliers": (np.bool_, ()),
}
"""Name to dtype and shape of a match's part."""

_MODEL = ("kind", "matrix", "threshold", "focal", "pose")
_KNOWN = (*_ARRAYS, "sizes", *(f"model_{key}" for key in _MODEL), "names", "image_sizes", "digests")


def encode(matches: Matches, names: tuple[str, str] | None = None) -> bytes:
    """Encode matches, and where given the names of the images, as an ``.npz`` archive."""
    arrays: dict[str, npt.NDArray[Any]] = {
        key: getattr(matches, key) for key in _ARRAYS if getattr(matches, key) is not None
    }
    if matches.sizes is not None:
        arrays["sizes"] = np.array(matches.sizes, np.int64)
    if matches.model is not None:
        for key in _MODEL:
            value = getattr(matches.model, key)
            if value is not None:
                arrays[f"model_{key}"] = np.asarray(value)
    if names is not None:
        matches = matches.named(*names)
    if matches.origins is not None:
        if all(origin.name is not None for origin in matches.origins):
            arrays["names"] = np.array([origin.name for origin in matches.origins])
        if all(origin.size is not None for origin in matches.origins):
            arrays["image_sizes"] = np.array([origin.size for origin in matches.origins], np.int64)
        if all(origin.digest is not None for origin in matches.origins):
            arrays["digests"] = np.array([origin.digest for origin in matches.origins])
    return write_arrays(arrays)


def decode(source: Source, *, name: str | None = None) -> Matches:
    """Read an ``.npz`` archive of matches.

    Parameters
    ----------
    source : path, bytes or binary file
        The archive.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, or holds something else than matches.
    """
    name = source_name(source, name)
    arrays = read_arrays(source, _KNOWN, name)
    if "indices" not in arrays:
        raise FormatError(name, "has no array 'indices'; this is not a file of matches")
    n = len(arrays["indices"]) if arrays["indices"].ndim else 0
    values: dict[str, Any] = {}
    for key, (dtype, tail) in _ARRAYS.items():
        if key in arrays:
            array = arrays[key]
            if array.shape != (n, *tail) or array.dtype.kind not in "biuf":
                raise FormatError(name, f"{key} is {array.dtype} of shape {array.shape}; this is not a file of matches")
            values[key] = _converted(array, key, dtype, name)
    found = Matches(**values, model=_model(arrays, name), sizes=_sizes(arrays, name))
    return replace(found, origins=_origins(arrays, name))


def _converted(array: npt.NDArray[Any], key: str, dtype: Any, name: str) -> npt.NDArray[Any]:
    """Convert numbers; raise FormatError for values that the type cannot hold or that no match can have."""
    if key == "indices":
        if array.dtype.kind not in "iu" or (array.size and (array.min() < 0 or array.max() >= 2**31)):
            raise FormatError(
                name, "has an index that is no whole number from 0 to 2^31; this is not a file of matches"
            )
    elif dtype is not np.bool_ and not np.isfinite(array).all():
        raise FormatError(name, f"{key} has a value that is not finite; leave those matches out")
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def _model(arrays: dict[str, npt.NDArray[Any]], name: str) -> Model | None:
    parts = {key[6:]: value for key, value in arrays.items() if key.startswith("model_")}
    if not parts:
        return None
    try:
        return Model(
            kind=_kind(parts["kind"]),
            matrix=_numbers(parts["matrix"]).reshape(3, 3),
            threshold=float(_numbers(parts["threshold"]).reshape(())),
            focal=float(_numbers(parts["focal"]).reshape(())) if "focal" in parts else None,
            pose=_numbers(parts["pose"]).reshape(3, 4) if "pose" in parts else None,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(name, f"has a model that is not whole, or none that is known ({error})") from error


def _kind(value: npt.NDArray[Any]) -> str:
    if value.dtype.kind != "U" or str(value) not in MODELS:
        raise ValueError(f"its kind is none of {', '.join(MODELS)}")
    return str(value)


def _numbers(value: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        raise ValueError("it has values that are no numbers")
    return value.astype(np.float64)


def _origins(arrays: dict[str, npt.NDArray[Any]], name: str) -> tuple[Origin, Origin] | None:
    """Return the names, sizes and digests of the images, as far as the archive has them."""
    told: list[list[Any]] = []
    for key, kinds, shape in (("names", "U", (2,)), ("image_sizes", "iu", (2, 2)), ("digests", "U", (2,))):
        array = arrays.get(key)
        if array is not None and (array.dtype.kind not in kinds or array.shape != shape):
            raise FormatError(name, f"{key} is {array.dtype} of shape {array.shape}; this is not a file of matches")
        told.append([None, None] if array is None else array.tolist())
    if not any(values[0] is not None for values in told):
        return None
    names, sizes, digests = told
    a, b = (Origin(names[i], None if sizes[i] is None else tuple(sizes[i]), digests[i]) for i in (0, 1))
    return a, b


def _sizes(arrays: dict[str, npt.NDArray[Any]], name: str) -> tuple[int, int] | None:
    if "sizes" not in arrays:
        return None
    sizes = arrays["sizes"]
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu":
        raise FormatError(name, "has sizes that are not two whole numbers; this is not a file of matches")
    return int(sizes[0]), int(sizes[1])
