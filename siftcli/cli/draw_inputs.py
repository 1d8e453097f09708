"""What ``sift draw`` reads: images in colour, their features, their matches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..api import describe, detect, match
from ..batch.inputs import STDIN, PlanError
from ..draw.picture import Picture as Pixels
from ..draw.picture import read_rgb
from ..errors import FormatError, ParameterError
from ..features import Features
from ..io.formats import format_of_suffix
from ..io.image import read_image
from ..io.image_kinds import ImageReading
from ..io.names import stem
from ..matches import Matches
from .streams import read_stdin, say

if TYPE_CHECKING:
    from ..io.collection import Collection

__all__ = [
    "Picture",
    "Reading",
    "extracted",
    "match_pictures",
    "read_match_file",
    "read_pictures",
    "sorted_files",
]


@dataclass(frozen=True)
class Reading:
    """How images are read.

    Attributes
    ----------
    preset : str
        For features that are extracted.
    images : ImageReading
    threads : int
    quiet : bool
        Pass over warnings.
    """

    preset: str
    images: ImageReading
    threads: int
    quiet: bool


@dataclass(frozen=True, eq=False)
class Picture:
    """An image and its features.

    Attributes
    ----------
    path : str
        As the user wrote it.
    name : str
        Its last part.
    image : PIL.Image.Image
        RGB.
    grey : (H, W) array
    mask : (H, W) bool or None
        False where the image is transparent.
    features : Features or None
        None until they are read or extracted.
    """

    path: str
    name: str
    image: Pixels
    grey: npt.NDArray[np.generic]
    mask: npt.NDArray[np.bool_] | None
    features: Features | None = None


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
        raise PlanError(f"{images[2]}: there are two images already; a picture shows one, or the matches of two")
    if len(features) > len(images):
        raise PlanError(f"{features[-1]}: there is no image that these features could be of")
    if images == [STDIN, STDIN]:
        raise PlanError("'-' (standard input) can be one of the two images only")
    return images, features


def read_pictures(images: Sequence[str], features: Sequence[str], reading: Reading) -> list[Picture]:
    """Read images, and their features where there are files of them; one file may hold those of both."""
    pictures = [_picture(path, reading) for path in images]
    for i, picture in enumerate(pictures):
        if features:
            path = features[min(i, len(features) - 1)]
            if i and len(features) == 1 and not _holds_many(path):
                break  # of the first image only
            pictures[i] = replace(picture, features=_features(path, picture, reading))
    return pictures


def extracted(picture: Picture, reading: Reading, *, descriptors: bool = True) -> Picture:
    """Return a picture with features, and if so wanted with descriptors; what is missing is computed."""
    features = picture.features
    if features is None:
        mask, threads = picture.mask, reading.threads
        features = detect(picture.grey, reading.preset, descriptors=descriptors, mask=mask, threads=threads)
    elif descriptors and features.descriptors is None:
        features = describe(picture.grey, features, reading.preset)
    return replace(picture, features=features)


def _picture(path: str, reading: Reading) -> Picture:
    source = read_stdin() if path == STDIN else path
    name = "stdin" if path == STDIN else PurePath(path).name
    loaded = read_image(
        source,
        name="<stdin>" if path == STDIN else path,
        **reading.images._asdict(),
    )
    if not reading.quiet:
        for warning in loaded.warnings:
            say(f"warning: {loaded.name}: {warning}")
    rgb = read_rgb(source, loaded.pixels, exif_orientation=reading.images.exif_orientation)
    return Picture(path, name, rgb, loaded.pixels, loaded.mask)


def _holds_many(path: str) -> bool:
    found = format_of_suffix(path)
    return found is not None and found.many


def _features(path: str, picture: Picture, reading: Reading) -> Features:
    from ..io.registry import read_collection

    with read_collection(path) as collection:
        features = collection.read(_named(collection, path, picture))
    if features.image_size not in (None, picture.image.size) and not reading.quiet:
        width, height = features.image_size or (0, 0)
        say(
            f"warning: {path}: is of an image of {width} x {height} pixels, and {picture.path} has "
            f"{picture.image.width} x {picture.image.height}"
        )
    return features


def _named(collection: Collection, path: str, picture: Picture) -> str:
    """Find an image in a file of the features of many."""
    if len(collection.names) == 1:
        return collection.names[0]
    found = next((name for name in _names(picture) if name in collection.names), None)
    if found is None:
        raise FormatError(path, f"holds no image {picture.name!r}; sift info lists what it holds")
    return found


def _names(picture: Picture) -> list[str]:
    """What a file of many images may call a picture: its path or the last parts of it, with or without the suffix."""
    parts = Path(picture.path).parts
    paths = [PurePath(*parts[start:]) for start in range(len(parts))]
    return [name for path in paths for name in (path.as_posix(), stem(path.as_posix()))]


# --- matches


def read_match_file(path: str, pictures: Sequence[Picture]) -> Matches:
    """Read the matches of two images; in a file of many pairs they are found by the images' names."""
    from ..io.matches import match_format_for, read_matches

    if not match_format_for(path).many:
        return read_matches(path)
    try:
        return read_matches(path)  # the only pair
    except FormatError:
        for names in product(*map(_names, pictures)):
            with suppress(FormatError):
                return read_matches(path, names=(names[0], names[1]))
        raise


def match_pictures(a: Picture, b: Picture, verify: str | None, reading: Reading) -> Matches:
    """Match two pictures that have descriptors, and verify the matches where that is possible here."""
    assert a.features is not None
    assert b.features is not None
    try:
        return match(a.features, b.features, threads=reading.threads, verify=verify)
    except ParameterError as error:
        if error.name != "verify":
            raise
        if not reading.quiet:
            say(f"warning: the matches are not verified: --verify {verify} {error.reason}")
        return match(a.features, b.features, threads=reading.threads)
