"""Inputs of ``sift draw``: images in colour, their features and their matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from ..api import describe
from ..draw.picture import Picture as Pixels
from ..errors import FormatError, PlanError
from ..features import Features
from ..io.files import STDIN
from ..io.formats import format_of_suffix
from ..io.names import stem
from ..io.recorded import parameters_of, recorded_orientation
from .one_image import Opened, Reading, coloured, features_of, open_image
from .streams import say

if TYPE_CHECKING:
    from ..io.collection import Collection

__all__ = [
    "Picture",
    "extracted",
    "folder_of",
    "names_of",
    "read_picture",
    "read_pictures",
    "read_their_features",
    "sorted_files",
]

_OUTSIDE = 1.0
"""Pixels by which keypoints may lie outside the image, by another program's convention or rounding."""


@dataclass(frozen=True, eq=False)
class Picture(Opened):
    """An image in grey and in colour, and its features.

    Attributes
    ----------
    rgb : PIL.Image.Image
    features : Features or None
        None until they are read or extracted.
    """

    rgb: Pixels
    features: Features | None = None


def folder_of(files: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the folder whose images are to be drawn, and the file of their features; None where there is none.

    Raises
    ------
    PlanError
        If there is something else beside them.
    """
    folders = [file for file in files if file != STDIN and Path(file).is_dir() and format_of_suffix(file) is None]
    if not folders:
        return None, None
    others = [file for file in files if file != folders[0]]
    if len(folders) > 1 or len(others) > 1 or (others and not _holds_many(others[0])):
        raise PlanError(f"{folders[0]}: is a folder; name it alone, or with one file of the features of its images")
    return folders[0], others[0] if others else None


def sorted_files(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell images from feature files, by the suffix.

    Raises
    ------
    PlanError
        Unless there are one or two images, and no more feature files than images.
    """
    images = [file for file in files if file == STDIN or format_of_suffix(file) is None]
    features = [file for file in files if file not in images]
    if not images:
        raise PlanError(f"{files[0]}: is a feature file; name its image too" if files else "no input: name an image")
    if len(images) > 2:
        raise PlanError(
            f"{images[2]}: there are two images already; a picture shows one, or the matches of two; to draw many, "
            "give their folder"
        )
    if len(features) > len(images):
        raise PlanError(f"{features[-1]}: there are more feature files than images; name its image too")
    if images == [STDIN, STDIN]:
        raise PlanError("'-' (standard input) can be one of the two images only")
    return images, features


def read_pictures(images: Sequence[str], features: Sequence[str], reading: Reading) -> list[Picture]:
    """Read images, and their features where there are files of them; one file may hold those of both."""
    readings = [_as_found(features[min(i, len(features) - 1)], reading) if features else reading for i in (0, 1)]
    pictures = [read_picture(path, how) for path, how in zip(images, readings, strict=False)]
    for i, picture in enumerate(pictures):
        if features:
            path = features[min(i, len(features) - 1)]
            if i and len(features) == 1 and not _holds_many(path):
                break  # of the first image only
            pictures[i] = replace(picture, features=read_their_features(path, picture, quiet=reading.quiet))
    return pictures


def _as_found(path: str, reading: Reading) -> Reading:
    """Turn the image as it was when the features in a file were found, where the file tells."""
    upright = recorded_orientation(parameters_of(path), path, reading.images.exif_orientation)
    return replace(reading, images=reading.images._replace(exif_orientation=upright))


def extracted(picture: Picture, reading: Reading, *, descriptors: bool = True) -> Picture:
    """Return a picture with features, and with descriptors where wanted; what is missing is computed."""
    features = picture.features
    if features is None:
        features = features_of(picture.image, reading, descriptors=descriptors)
    elif descriptors and features.descriptors is None:
        chosen = {**asdict(reading.parameters.detector), **asdict(reading.parameters.descriptor)}
        features = describe(picture.image.pixels, features, **chosen)
    return replace(picture, features=features)


def read_picture(path: str, reading: Reading) -> Picture:
    """Read an image, in grey and in colour."""
    opened = open_image(path, reading)
    rgb = coloured(opened, reading.images.exif_orientation)
    return Picture(path, opened.name, opened.source, opened.image, rgb)


def _holds_many(path: str) -> bool:
    found = format_of_suffix(path)
    return found is not None and found.many


def read_their_features(path: str, picture: Picture, *, quiet: bool) -> Features:
    """Read the features of a picture from a file; a file of many images is searched for it."""
    from ..io.registry import collection_reader

    with collection_reader(path) as collection:
        features = collection.read(_named(collection, path, picture, quiet))
    if features.image_size not in (None, picture.rgb.size):
        width, height = features.image_size or (0, 0)
        raise FormatError(
            path,
            f"is of an image of {width} x {height} pixels, and {picture.path} has {picture.rgb.width} x "
            f"{picture.rgb.height}; give the features of this image",
        )
    width, height = picture.rgb.size
    low, high = -_OUTSIDE, np.array([width - 1, height - 1]) + _OUTSIDE
    if ((features.xy < low) | (features.xy > high)).any():
        raise FormatError(
            path,
            f"has keypoints outside the {width} x {height} pixels of {picture.path}; give the features of this image",
        )
    return features


def _named(collection: Collection, path: str, picture: Picture, quiet: bool) -> str:
    """Find an image in a file of the features of many."""
    found = next((name for name in names_of(picture) if name in collection.names), None)
    if len(collection.names) == 1:
        if found is None and _holds_many(path) and not quiet:
            say(f"warning: {path}: the features are of {collection.names[0]!r} and are taken for {picture.path}")
        return collection.names[0]
    if found is None:
        raise FormatError(path, f"holds no image {picture.name!r}; sift info lists what it holds")
    return found


def names_of(picture: Picture) -> list[str]:
    """Return the names that a file of many images may have for a picture: ends of its path, with or without suffix."""
    parts = Path(picture.path).parts
    paths = [PurePath(*parts[start:]) for start in range(len(parts))]
    return [name for path in paths for name in (path.as_posix(), stem(path.as_posix()))]
