"""``sift draw --matches``: the matches of a file, checked against the images and features that they are drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import PurePath

import numpy as np

from ..errors import FormatError
from ..io.files import STDIN
from ..io.names import stem
from ..matches import Matches, digest_of
from .draw_inputs import Picture, names_of

__all__ = ["read_match_file", "require_features_for_indices", "require_matched_features", "with_stored_features"]

_ROUNDED = 0.05
"""Pixels by which the formats of features may round positions."""


def read_match_file(path: str, pictures: Sequence[Picture], pair: tuple[str, str] | None = None) -> Matches:
    """Read the matches of two pictures, from the first to the second, whatever their order in the file.

    Parameters
    ----------
    path : str
        Matches of one pair or of many; in a file of many, the names of the images select the pair.
    pictures : sequence of Picture
        Two.
    pair : (str, str), optional
        Names of the images in the file, if they differ.

    Raises
    ------
    FormatError
        If the file holds no such pair, or tells that it is of other images.
    """
    from ..io.matches import match_format_for, read_matches

    if pair is not None and match_format_for(path, reading=True).many:
        return _oriented(path, _of_pair(path, pair), pictures, known=True)
    if not match_format_for(path, reading=True).many:
        return _oriented(path, read_matches(path), pictures, known=pair is not None)
    try:
        return _oriented(path, read_matches(path), pictures)  # the only pair
    except FormatError:
        for names in product(*map(names_of, pictures)):
            with suppress(FormatError):
                return _oriented(path, _of_pair(path, names), pictures, known=True)
        raise


def _of_pair(path: str, names: Sequence[str]) -> Matches:
    """Read a pair of a file of many, which may have it in the other order."""
    from ..io.matches import read_matches

    a, b = names
    try:
        return read_matches(path, names=(a, b))
    except FormatError:
        with suppress(FormatError):
            return read_matches(path, names=(b, a)).swapped()
        raise


def _oriented(path: str, matches: Matches, pictures: Sequence[Picture], *, known: bool = False) -> Matches:
    """Return matches from the first picture to the second; refuse those of other images.

    `known` says that the names fit, and in this order.
    """
    if matches.origins is None:
        return matches
    ends = matches.origins

    def fits(order: tuple[int, int], *, names: bool) -> bool:
        return all(
            (not names or _same_name(origin.name, pictures[k])) and origin.size in (None, pictures[k].rgb.size)
            for origin, k in zip(ends, order, strict=True)
        )

    if fits((0, 1), names=not known):
        return matches
    if not known and all(origin.name for origin in ends) and fits((1, 0), names=True):
        return matches.swapped()
    for origin, picture in zip(ends, pictures, strict=True):
        fitting = known or _same_name(origin.name, picture)
        if fitting and origin.size not in (None, picture.rgb.size):
            width, height = origin.size or (0, 0)
            raise FormatError(
                path,
                f"is of an image {origin.name!r} of {width} x {height} pixels, and {picture.path} has "
                f"{picture.rgb.width} x {picture.rgb.height}; give the image that was matched",
            )
    names = " and ".join(repr(origin.name) for origin in ends)
    told = " ".join(str(origin.name) for origin in ends)
    raise FormatError(
        path,
        f"is of {names}, not of {pictures[0].name!r} and {pictures[1].name!r}; give those images, or if they have "
        f"other names now: --pair {told}",
    )


def _same_name(name: str | None, picture: Picture) -> bool:
    """Tell whether a file's name of an image may be this picture's: that of its file, with or without the suffix."""
    if name is None or picture.path == STDIN:
        return True
    last = PurePath(name).name
    return last in (picture.name, stem(picture.name)) or stem(last) == stem(picture.name)


def with_stored_features(path: str, matches: Matches, pictures: Sequence[Picture]) -> list[Picture]:
    """Return the pictures with the features of a database that holds both features and matches."""
    from ..io.matches import match_format_for
    from ..io.registry import collection_reader

    if not match_format_for(path, reading=True).database or matches.origins is None:
        return list(pictures)
    with collection_reader(path) as collection:
        return [
            replace(picture, features=collection.read(str(origin.name)))
            if picture.features is None and origin.name in collection.names
            else picture
            for picture, origin in zip(pictures, matches.origins, strict=True)
        ]


def require_matched_features(path: str, matches: Matches, pictures: Sequence[Picture], given: Sequence[bool]) -> None:
    """Refuse features that are not those which matches are of.

    Parameters
    ----------
    path : str
        The match file.
    matches : Matches
    pictures : sequence of Picture
        Two, with or without features.
    given : sequence of bool
        Whether the features of each were read from a file.

    Raises
    ------
    FormatError
        If there is such a picture.
    """
    for side, (picture, read) in enumerate(zip(pictures, given, strict=True)):
        features, index = picture.features, matches.indices[:, side]
        if features is None or not len(matches):
            continue
        xy = (matches.xy_a, matches.xy_b)[side]
        digest = None if matches.origins is None else matches.origins[side].digest
        if xy is not None:
            same = int(index.max()) < len(features) and bool(np.abs(features.xy[index] - xy).max() <= _ROUNDED)
        else:
            same = digest is None or digest == digest_of(features)
        if not same:
            what = "in the feature file that was given" if read else "that sift draw finds"
            raise FormatError(
                path, f"is not of the keypoints of {picture.path} {what}; give the feature file that was matched"
            )


def require_features_for_indices(path: str, matches: Matches, pictures: Sequence[Picture]) -> None:
    """Refuse matches by index alone where nothing tells which features they are of."""
    if matches.xy_a is not None and matches.xy_b is not None:
        return
    for side, picture in enumerate(pictures):
        if picture.features is None and (matches.origins is None or matches.origins[side].digest is None):
            raise FormatError(
                path, f"has indices of keypoints alone; give the feature file of {picture.path} that was matched too"
            )
