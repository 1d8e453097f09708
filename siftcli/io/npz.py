"""NumPy's ``.npz``: the arrays of one image's features, by the names of the HDF5 layout.

The arrays are stored without compression; `image_size` is ``(width, height)``, and `parameters`, where there are any,
is JSON text.  Reading takes compressed archives too, never unpickles, and allocates no more than the archive backs.
"""

from __future__ import annotations

import ast
import io
import json
import math
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from os import PathLike
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..features import Features, ParameterValue
from .fields import FIELDS, arrays_of, features_from, plain_parameters
from .files import Source, open_source, source_name, why_unreadable
from .values import require_finite

__all__ = ["decode", "encode", "read_parameters"]

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member, so that equal features give equal bytes."""

_ARRAYS = (*(f.name for f in FIELDS), "image_size")
_T = TypeVar("_T")

_LONGEST_HEADER = 10_000
_MAX_RATIO = 200
_FREE = 16 << 20
"""An array may be this many bytes, or `_MAX_RATIO` times what the archive holds of it."""


def encode(features: Features, *, name: str | PathLike[str] = "<npz>") -> bytes:
    """Encode features as an ``.npz`` archive.

    Raises
    ------
    OutputError
        If a frame is not finite.
    """
    require_finite(features, name)
    arrays = arrays_of(features)
    if features.parameters is not None:
        arrays["parameters"] = np.array(json.dumps(dict(features.parameters), sort_keys=True))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy", _DATE), "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return file.getvalue()


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read an ``.npz`` archive.

    Parameters
    ----------
    source : path, bytes or binary file
        A file that can be searched.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If the archive cannot be read, lacks an array, or holds something else than features.
    """
    return _read(source, source_name(source, name), _decode)


def read_parameters(path: str | PathLike[str]) -> Mapping[str, ParameterValue] | None:
    """Return the parameters of an archive, None where it does not tell, without reading its arrays.

    Raises
    ------
    FormatError
        If they cannot be read.
    """
    return _read(path, str(path), _decode_parameters)


def _read(source: Source, name: str, decoder: Callable[[zipfile.ZipFile, str], _T]) -> _T:
    """Read something of an archive."""
    try:
        with open_source(source) as file:
            stream = file if file.seekable() else io.BytesIO(file.read())
            with zipfile.ZipFile(stream) as archive:
                return decoder(archive, name)
    except OSError as error:
        raise FormatError(name, why_unreadable(error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as error:
        raise FormatError(name, f"is no whole .npz archive ({error}); get the file again") from error
    except (ValueError, RecursionError) as error:  # of the parameters' JSON
        raise FormatError(name, "is damaged; get the file again") from error


def _decode(archive: zipfile.ZipFile, name: str) -> Features:
    arrays = {key: array for key in _ARRAYS if (array := _array(archive, key, name)) is not None}
    return features_from(arrays, name, parameters=_decode_parameters(archive, name))


def _decode_parameters(archive: zipfile.ZipFile, name: str) -> dict[str, ParameterValue] | None:
    text = _array(archive, "parameters", name)
    if text is None:
        return None
    if text.dtype.kind != "U" or text.shape != ():
        raise FormatError(name, "parameters is not JSON text; the file is damaged")
    value = json.loads(str(text))
    if not isinstance(value, dict):
        raise FormatError(name, "parameters is not a JSON object; the file is damaged")
    return plain_parameters(value)


def _array(archive: zipfile.ZipFile, key: str, name: str) -> npt.NDArray[Any] | None:
    """Read one array, None if there is none; its header must promise exactly what the member holds."""
    try:
        info = archive.getinfo(f"{key}.npy")
    except KeyError:
        return None
    if info.file_size > max(_FREE, _MAX_RATIO * info.compress_size):
        raise FormatError(name, f"{key} expands more than {_MAX_RATIO}-fold; this is not a feature file")
    with archive.open(info) as member:
        dtype, by_column, shape = _header(member, key, name)
        data = member.read()
    expected = dtype.itemsize * math.prod(shape)
    if expected != len(data):
        raise FormatError(name, f"{key} promises {expected} bytes and has {len(data)}; get the file again")
    array = np.frombuffer(bytearray(data), dtype).reshape(shape, order="F" if by_column else "C")
    return np.ascontiguousarray(array) if array.ndim else array


def _header(member: IO[bytes], key: str, name: str) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    """Read what an array is: its dtype, whether it lies column by column, its shape. [NEP 1]"""
    start = member.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise FormatError(name, f"{key} is no array, or one of a newer version of NumPy's format")
    size = int.from_bytes(member.read(2 if start[6] == 1 else 4), "little")
    text = member.read(min(size, _LONGEST_HEADER))
    try:
        with warnings.catch_warnings():  # of odd escapes and old names of types
            warnings.simplefilter("ignore")
            header = ast.literal_eval(text.decode("latin-1"))
            descr, by_column, shape = (header[k] for k in ("descr", "fortran_order", "shape"))
            dtype = np.dtype(descr)
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise FormatError(name, f"{key} has a damaged header; get the file again") from error
    if dtype.hasobject or not isinstance(descr, str):
        raise FormatError(name, f"{key} holds Python objects or records, which are not read")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise FormatError(name, f"{key} has no shape; the file is damaged")
    return dtype, bool(by_column), shape
