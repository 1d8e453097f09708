"""NumPy's ``.npz``: the arrays of one image's features, by the names of the HDF5 layout.

The arrays are stored without compression; `image_size` is ``(width, height)``, and `parameters`, where there are any,
is JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..features import Features, ParameterValue
from .fields import NAMES, arrays_of, features_from, plain_parameters
from .files import Source, source_name
from .limits import parse_json
from .npz_archive import read_arrays, write_arrays
from .values import require_finite

__all__ = ["decode", "encode", "read_parameters"]

_PARAMETERS = "parameters"


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
        arrays[_PARAMETERS] = np.array(json.dumps(dict(features.parameters), sort_keys=True))
    return write_arrays(arrays)


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read an ``.npz`` archive.

    Parameters
    ----------
    source : path, bytes or binary file
        The archive.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If the archive cannot be read, lacks an array, or holds something else than features.
    """
    name = source_name(source, name)
    arrays = read_arrays(source, (*NAMES, _PARAMETERS), name)
    parameters = _parameters(arrays.pop(_PARAMETERS, None), name)
    return features_from(arrays, name, parameters=parameters)


def read_parameters(path: str | PathLike[str]) -> Mapping[str, ParameterValue] | None:
    """Return the recorded parameters of an archive, or None, without reading its arrays.

    Raises
    ------
    FormatError
        If they cannot be read.
    """
    return _parameters(read_arrays(path, (_PARAMETERS,)).get(_PARAMETERS), str(path))


def _parameters(text: npt.NDArray[Any] | None, name: str) -> dict[str, ParameterValue] | None:
    if text is None:
        return None
    if text.dtype.kind != "U" or text.shape != ():
        raise FormatError(name, "parameters is not JSON text; this is not a file of SIFT features")
    try:
        value = parse_json(str(text))
    except ValueError as error:
        raise FormatError(name, f"parameters is not JSON text ({error})") from error
    if not isinstance(value, dict):
        raise FormatError(name, "parameters is not a JSON object; this is not a file of SIFT features")
    return plain_parameters(value)
