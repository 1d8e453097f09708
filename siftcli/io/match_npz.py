"""Matches of one pair as NumPy's ``.npz``: the attributes of :class:`siftcli.matches.Matches` by their names.

What is None is left out.  The model's are ``model_kind`` (text), ``model_matrix``, ``model_threshold``,
``model_focal`` and ``model_pose``; the images' names are ``names`` (text).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..matches import Matches, Model
from .files import Source, open_source, source_name, why_unreadable

__all__ = ["decode", "encode"]

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member, so that equal matches give equal bytes."""

_LARGEST = 1 << 30
"""Bytes that the arrays of a file may take."""

_ARRAYS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "indices": (np.int32, (2,)),
    "distances": (np.float64, ()),
    "ratios": (np.float64, ()),
    "xy_a": (np.float32, (2,)),
    "xy_b": (np.float32, (2,)),
    "inliers": (np.bool_, ()),
}
"""Name to dtype and shape of a match's part."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, RuntimeError, SyntaxError)


def encode(matches: Matches, names: tuple[str, str] | None = None) -> bytes:
    """Encode matches, and where given the names of the images, as an ``.npz`` archive."""
    arrays: dict[str, npt.NDArray[Any]] = {
        key: getattr(matches, key) for key in _ARRAYS if getattr(matches, key) is not None
    }
    if matches.sizes is not None:
        arrays["sizes"] = np.array(matches.sizes, np.int64)
    if matches.model is not None:
        for key in ("kind", "matrix", "threshold", "focal", "pose"):
            value = getattr(matches.model, key)
            if value is not None:
                arrays[f"model_{key}"] = np.asarray(value)
    if names is not None:
        arrays["names"] = np.array(names)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy", _DATE), "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return file.getvalue()


def decode(source: Source, *, name: str | None = None) -> Matches:
    """Read an ``.npz`` archive of matches.

    Parameters
    ----------
    source : path, bytes or binary file
        A file that can be searched.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, or holds something else than matches.
    """
    name = source_name(source, name)
    try:
        with open_source(source) as file:
            with zipfile.ZipFile(file) as archive:
                if sum(info.file_size for info in archive.infolist()) > _LARGEST:
                    raise FormatError(name, "is too large for a file of matches")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
    except OSError as error:
        raise FormatError(name, why_unreadable(error)) from error
    except _DAMAGE as error:
        raise FormatError(name, "is no whole .npz archive of arrays; get the file again") from error
    if "indices" not in arrays:
        raise FormatError(name, "has no array 'indices'; this is not a file of matches")
    n = len(arrays["indices"]) if arrays["indices"].ndim else 0
    values = {}
    for key, (dtype, tail) in _ARRAYS.items():
        if key in arrays:
            array = arrays[key]
            if array.shape != (n, *tail) or array.dtype.kind not in "biuf":
                raise FormatError(name, f"{key} is {array.dtype} of shape {array.shape}; this is not a file of matches")
            values[key] = array.astype(dtype)
    if n and values["indices"].min() < 0:
        raise FormatError(name, "has an index below 0; the file is damaged")
    return Matches(**values, model=_model(arrays, name), sizes=_sizes(arrays, name))


def _model(arrays: dict[str, npt.NDArray[Any]], name: str) -> Model | None:
    parts = {key[6:]: value for key, value in arrays.items() if key.startswith("model_")}
    if not parts:
        return None
    try:
        return Model(
            kind=str(parts["kind"]),
            matrix=parts["matrix"].astype(np.float64).reshape(3, 3),
            threshold=float(parts["threshold"]),
            focal=float(parts["focal"]) if "focal" in parts else None,
            pose=parts["pose"].astype(np.float64).reshape(3, 4) if "pose" in parts else None,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(name, "has a model that is not whole; the file is damaged") from error


def _sizes(arrays: dict[str, npt.NDArray[Any]], name: str) -> tuple[int, int] | None:
    if "sizes" not in arrays:
        return None
    sizes = arrays["sizes"]
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu":
        raise FormatError(name, "has sizes that are not two whole numbers; the file is damaged")
    return int(sizes[0]), int(sizes[1])
