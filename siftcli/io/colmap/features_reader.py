"""Reading the features in COLMAP's database from the tables that all versions have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ...conventions import corner_origin, flip_bins, pixel_origin, similarity_of, wrapped
from ...errors import FormatError
from ...features import Camera, Features, ParameterValue
from ..values import as_bytes_512
from .file import DatabaseReader, blob_array, image_name
from .priors import WGS84, pose_prior
from .schema import SIFT

__all__ = ["DatabaseCollection", "collection_reader", "descriptor_rows", "keypoint_rows", "stored_rows"]


def collection_reader(path: str | PathLike[str]) -> DatabaseCollection:
    """Open a database for reading.

    Raises
    ------
    FormatError
        If it cannot be read, is in use, or is not COLMAP's.
    """
    return DatabaseCollection(path)


class DatabaseCollection(DatabaseReader):
    """An open database; a `Collection` of the images that have keypoints.

    Attributes
    ----------
    names : tuple of str
        The images, sorted.
    parameters : None
        A database does not tell them.
    layout : Layout
        Layout of its tables.
    """

    parameters: Mapping[str, ParameterValue] | None = None

    def _begin(self) -> None:
        query = "SELECT images.name, images.image_id FROM images JOIN keypoints USING (image_id)"
        self._images = {image_name(name): image for name, image in self.connection.execute(query)}
        focal = {"params", "prior_focal_length"} <= self.columns["cameras"]
        self._camera_query = (
            f"SELECT width, height, {'params, prior_focal_length' if focal else 'NULL, 0'} FROM images "
            "JOIN cameras USING (camera_id) WHERE image_id = ?"
        )
        self.names = tuple(sorted(self._images))

    def read(self, name: str) -> Features:
        """Return the features of an image.

        Raises
        ------
        KeyError
            If there is none of that name.
        FormatError
            If they are not what COLMAP stores, or cannot be read.
        """
        image = self._images[name]
        with self.reading():
            keypoints = self._blob("keypoints", "<f4", (2, 4, 6), image, name)
            descriptors = self._blob("descriptors", "|u1", (128,), image, name)
            size, focal = self._camera(image)
            position = self._position(image)
        self.check_unchanged()
        assert keypoints is not None
        if descriptors is not None and len(descriptors) != len(keypoints):
            raise FormatError(
                self.path, f"{name}: has {len(descriptors)} descriptors for {len(keypoints)} keypoints; it is damaged"
            )
        if not np.isfinite(keypoints).all():
            raise FormatError(self.path, f"{name}: has a keypoint that is not finite; the database is damaged")
        camera = None if focal is None and position is None else Camera(focal=focal, position=position)
        return _features(keypoints, descriptors, size, camera)

    def holds(self, name: str, features: Features) -> bool:
        """Tell whether an image has just these features, as they would be written."""
        if features.descriptors is None:
            return False
        wanted = [stored_rows(keypoint_rows(features)), stored_rows(descriptor_rows(features, name))]
        image = (self._images[name],)
        with self.reading():
            found = [
                self.connection.execute(f"SELECT rows, cols, data FROM {table} WHERE image_id = ?", image).fetchone()
                for table in ("keypoints", "descriptors")
            ]
        return found == wanted

    def _camera(self, image: int) -> tuple[tuple[int, int] | None, float | None]:
        """Return the size of an image and the focal length that was known before reconstruction."""
        row = self.connection.execute(self._camera_query, (image,)).fetchone() or (None, None, None, 0)
        width, height, params, prior = row
        focal = None
        if prior and isinstance(params, bytes) and len(params) >= 8:
            value = float(np.frombuffer(params, "<f8", 1)[0])
            focal = value if 0 < value < np.inf else None
        if isinstance(width, int) and isinstance(height, int) and 0 < width < 2**31 and 0 < height < 2**31:
            return (width, height), focal
        return None, focal

    def _position(self, image: int) -> tuple[float, float, float] | None:
        """Return the position of an image where it is latitude, longitude and altitude."""
        prior = pose_prior(self.connection, self.layout, image)
        if prior is None or prior.system != WGS84:
            return None
        latitude, longitude, _ = prior.position
        return prior.position if abs(latitude) <= 90 and abs(longitude) <= 180 else None

    def _blob(self, table: str, dtype: str, widths: tuple[int, ...], image: int, name: str) -> npt.NDArray[Any] | None:
        typed = "type" if table == "descriptors" and self.layout.typed else str(SIFT)
        query = f"SELECT rows, cols, data, {typed} FROM {table} WHERE image_id = ?"
        row = self.connection.execute(query, (image,)).fetchone()
        if row is None:
            return None
        if row[3] != SIFT:
            raise FormatError(self.path, f"{name}: has descriptors of type {row[3]}, which are not SIFT's")
        return blob_array(row[0], row[1], row[2], dtype, widths, f"{name}: has {table}", self.path)

    def __iter__(self) -> Iterator[tuple[str, Features]]:
        for name in self.names:
            yield name, self.read(name)


def keypoint_rows(features: Features) -> npt.NDArray[np.float32]:
    """Return COLMAP's rows: x, y, scale, orientation, or x, y and the affine shape."""
    xy = corner_origin(features.xy)
    if features.affine is not None:
        rows = np.column_stack((xy, features.affine.reshape(-1, 4)))
    else:
        rows = np.column_stack((xy, features.scales, features.orientations))
    return rows.astype("<f4")


def descriptor_rows(features: Features, label: str) -> npt.NDArray[np.uint8]:
    """Return COLMAP's rows of descriptors; OutputError, by the label, for a value that cannot be."""
    assert features.descriptors is not None
    return np.ascontiguousarray(flip_bins(as_bytes_512(features.descriptors, label)))


def stored_rows(array: npt.NDArray[np.generic]) -> tuple[int, int, bytes]:
    """Return an array as COLMAP stores it: rows, columns, bytes."""
    return (*array.shape, array.tobytes())


def _features(
    keypoints: npt.NDArray[np.float32],
    descriptors: npt.NDArray[np.uint8] | None,
    size: tuple[int, int] | None,
    camera: Camera | None,
) -> Features:
    """Turn COLMAP's rows into the library's; keypoints that are points alone have scale 1, as COLMAP takes them."""
    n, columns = keypoints.shape
    affine = None
    if columns == 6:
        affine = keypoints[:, 2:].reshape(n, 2, 2)
        scales, orientations = similarity_of(affine)
        skew = np.abs(affine[:, 0, 0] - affine[:, 1, 1]) + np.abs(affine[:, 0, 1] + affine[:, 1, 0])
        if (skew <= 1e-5 * scales).all():
            affine = None
    elif columns == 4:
        scales, orientations = np.abs(keypoints[:, 2]), wrapped(keypoints[:, 3])
    else:
        scales, orientations = np.ones(n, np.float32), np.zeros(n, np.float32)
    return Features(
        xy=pixel_origin(keypoints[:, :2]),
        scales=scales,
        orientations=orientations,
        descriptors=None if descriptors is None else flip_bins(descriptors),
        image_size=size,
        affine=None if affine is None else affine.copy(),
        camera=camera,
    )
