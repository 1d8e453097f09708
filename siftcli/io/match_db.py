"""Matches of many pairs in COLMAP's database: the matches, and of verified pairs the two-view geometry.

Images that the database has not got are added with their keypoints and descriptors, see
:mod:`siftcli.io.colmap_db`.  A pair that is there already is replaced, so writing twice changes nothing.  Models are
brought to COLMAP's pixels, where the centre of the first is (0.5, 0.5).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..conventions import corner_origin
from ..errors import OutputError
from ..features import Features
from ..matches import Matches, Model
from .collection import check_name
from .colmap_db import DatabaseWriter

__all__ = ["check_names", "write"]

_CONFIGURATIONS = {
    "homography": ("PLANAR_OR_PANORAMIC", "H"),
    "similarity": ("PLANAR_OR_PANORAMIC", "H"),
    "fundamental": ("UNCALIBRATED", "F"),
    "essential": ("CALIBRATED", "E"),
}
"""Kind of a model to COLMAP's configuration of two views, and the name of the matrix there."""


def check_names(path: str | PathLike[str], names: Iterable[str]) -> None:
    """Raise OutputError if an image cannot be named in a database, or none can be written, for want of pycolmap."""
    if find_spec("pycolmap") is None:
        raise OutputError(path, "cannot be written without pycolmap; install it: pip install 'siftcli[colmap]'")
    for name in names:
        check_name(path, name)


def write(
    path: Path,
    pairs: Iterable[tuple[str, str, Matches]],
    features: Callable[[str], Features] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Add matches to a database, which is made if it is not there.

    Parameters
    ----------
    path : Path
        The database.
    pairs : iterable of (str, str, Matches)
        With `sizes`.
    features : callable, optional
        Gives the features of an image by its name.  Without it, all images must be in the database.
    overwrite : bool
        Allows to add to one that exists.

    Raises
    ------
    OutputError
        If pycolmap is not installed, an image is missing or has other keypoints, or the database cannot be written.
    """
    known: set[str] = set()
    writer = _MatchWriter(path, add=overwrite)
    with writer:
        for name_a, name_b, matches in pairs:
            for name in (name_a, name_b):
                if features is not None and name not in known:
                    writer.add(name, features(name))
                known.add(name)
            writer.add_matches(name_a, name_b, matches)


class _MatchWriter(DatabaseWriter):
    """Adds matches to a database as well."""

    def add_matches(self, name_a: str, name_b: str, matches: Matches) -> None:
        """Add the matches of a pair, in place of those that are there."""
        if matches.sizes is None:
            raise ValueError("matches have no sizes")
        images = [self._image_with(name, size) for name, size in zip((name_a, name_b), matches.sizes, strict=True)]
        database = self._database
        try:
            with self._pycolmap.DatabaseTransaction(database):
                if database.exists_matches(*images):
                    database.delete_matches(*images)
                if database.exists_two_view_geometry(*images):
                    database.delete_two_view_geometry(*images)
                database.write_matches(*images, matches.indices.astype(np.uint32))
                if matches.inliers is not None:
                    database.write_two_view_geometry(*images, self._geometry(matches))
        except (RuntimeError, ValueError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def _image_with(self, name: str, size: int) -> int:
        """Return the number of an image, which must have so many keypoints."""
        image = self._image(name)
        if image is None:
            raise OutputError(self._final, f"has no image named {name!r}; add its features with sift convert first")
        found = self._connection.execute("SELECT rows FROM keypoints WHERE image_id = ?", (image,)).fetchone()
        if found is None or found[0] != size:
            count = "no" if found is None else found[0]
            raise OutputError(
                self._final,
                f"{name}: has {count} keypoints there, and {size} were matched; match those of the database",
            )
        return image

    def _geometry(self, matches: Matches) -> Any:
        pycolmap = self._pycolmap
        geometry = pycolmap.TwoViewGeometry()
        geometry.inlier_matches = matches.only_inliers().indices.astype(np.uint32)
        if matches.model is None:
            geometry.config = pycolmap.TwoViewGeometryConfiguration.DEGENERATE
            return geometry
        configuration, matrix = _CONFIGURATIONS[matches.model.kind]
        geometry.config = getattr(pycolmap.TwoViewGeometryConfiguration, configuration)
        setattr(geometry, matrix, _colmap_matrix(matches.model))
        return geometry


def _colmap_matrix(model: Model) -> Any:
    """Return a model's matrix for points in COLMAP's pixels; an essential matrix is about none."""
    shift = np.eye(3)
    shift[:2, 2] = corner_origin(np.zeros(2))
    if model.kind == "essential":
        return model.matrix
    if model.kind == "fundamental":
        back = np.linalg.inv(shift)
        return back.T @ model.matrix @ back
    return shift @ model.matrix @ np.linalg.inv(shift)
