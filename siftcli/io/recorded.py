"""Parameters recorded in feature files: read them, follow them, and refuse features that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from ..errors import FormatError
from ..features import Features, ParameterValue
from .formats import format_for
from .npz import read_parameters
from .registry import collection_reader

__all__ = ["check_comparable", "check_size", "parameters_of", "recorded_orientation"]

_Path = str | PathLike[str]
_Parameters = Mapping[str, ParameterValue] | None


def parameters_of(path: _Path, format: str | None = None) -> _Parameters:
    """Return the parameters that a feature file records, or None, without reading its arrays.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    chosen = format_for(path, format, reading=True)
    if "parameters" not in chosen.holds:
        return None
    if not chosen.many:
        return read_parameters(path)
    with collection_reader(path, chosen.name) as collection:
        return collection.parameters


def recorded_orientation(parameters: _Parameters, path: _Path, asked: bool) -> bool:
    """Tell whether to turn an image upright so that the keypoints of a file fit it.

    Parameters
    ----------
    parameters : mapping or None
        What the file records.
    path : path
        The file, for messages.
    asked : bool
        Whether the user asked for it; decides if the file records nothing.

    Raises
    ------
    FormatError
        If the user asked for it and the keypoints were found on the stored pixel grid.
    """
    recorded = (parameters or {}).get("exif_orientation")
    if not isinstance(recorded, bool):
        return asked
    if asked and not recorded:
        raise FormatError(path, "has keypoints on the stored pixel grid; leave out --exif-orientation")
    return recorded


def check_size(features: Features, path: _Path, image: str, size: tuple[int, int]) -> None:
    """Raise FormatError if features are of an image of another size.

    Parameters
    ----------
    features : Features
        From a file.
    path : path
        The file, for messages.
    image : str
        The image that they are used with.
    size : (width, height)
        Size of that image.
    """
    told = features.image_size
    if told is None or told == size:
        return
    turned = "; turned by its EXIF orientation, it may fit" if told == size[::-1] else ""
    raise FormatError(
        path,
        f"is of an image of {told[0]} x {told[1]} pixels, and {image} has {size[0]} x {size[1]}{turned}; name the "
        "image that the keypoints were found in",
    )


def check_comparable(a: _Parameters, b: _Parameters, path_a: _Path, path_b: _Path, metric: str) -> None:
    """Raise FormatError if descriptors cannot be compared: one is RootSIFT and the other not, or would be twice.

    Parameters
    ----------
    a, b : mapping or None
        What the files record.
    path_a, path_b : path
        The files, for messages.
    metric : str
        "root" takes the RootSIFT form of both.
    """
    forms: list[Any] = [None if p is None else p.get("root_sift") for p in (a, b)]
    if metric == "root":
        for form, path in zip(forms, (path_a, path_b), strict=True):
            if form is True:
                raise FormatError(path, "has RootSIFT descriptors already; match them with --metric l2")
    elif None not in forms and forms[0] != forms[1]:
        root, plain = (path_a, path_b) if forms[0] else (path_b, path_a)
        raise FormatError(root, f"has RootSIFT descriptors, and {plain} has not; describe one of them again")
