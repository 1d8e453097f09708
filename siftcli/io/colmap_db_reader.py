"""Reading COLMAP's database, see :mod:`siftcli.io.colmap_db`: with SQLite alone, by the documented tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..conventions import flip_bins, pixel_origin, similarity_of, wrapped
from ..errors import FormatError
from ..features import Features, ParameterValue
from .files import why_unreadable

__all__ = ["TABLES", "DatabaseCollection", "connect", "in_use", "read_collection", "schema"]

TABLES = {
    "images": {"image_id", "name", "camera_id"},
    "cameras": {"camera_id", "width", "height"},
    "keypoints": {"image_id", "rows", "cols", "data"},
    "descriptors": {"image_id", "rows", "cols", "data"},
}
"""What is read, and its columns; all versions have them."""

_SIFT = 0
"""The type of SIFT descriptors, in versions that tell types."""

_BUSY = 2.0
"""Seconds to wait for another program."""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open an existing database; `mode` is "ro" or "rw"."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY)
    connection.isolation_level = None
    connection.text_factory = bytes
    return connection


def schema(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return the columns of every table."""
    tables = [row[0].decode() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        t: {r[0].decode() for r in connection.execute("SELECT name FROM pragma_table_info(?)", (t,))} for t in tables
    }


def in_use(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def read_collection(path: str | PathLike[str]) -> DatabaseCollection:
    """Open a database for reading.

    Raises
    ------
    FormatError
        If it cannot be read, is in use, or is not COLMAP's.
    """
    return DatabaseCollection(path)


class DatabaseCollection:
    """An open database; a `Collection` of the images that have keypoints.

    Attributes
    ----------
    names : tuple of str
        The images, sorted.
    parameters : None
        Which a database does not tell.
    """

    parameters: Mapping[str, ParameterValue] | None = None

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = str(path)
        try:
            with Path(path).open("rb"):  # for an error in plain words
                pass
        except OSError as error:
            raise FormatError(self._path, why_unreadable(error)) from error
        try:
            self._connection = connect(Path(path), "ro")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        try:
            tables = schema(self._connection)
            for table, columns in TABLES.items():
                if not columns <= tables.get(table, set()):
                    raise FormatError(self._path, f"is no COLMAP database: it has no table {table!r} as COLMAP's")
            self._typed = "type" in tables["descriptors"]
            rows = self._connection.execute(
                "SELECT images.name, images.image_id, cameras.width, cameras.height FROM images "
                "JOIN keypoints USING (image_id) LEFT JOIN cameras USING (camera_id)"
            )
            self._images = {name.decode(): (i, width, height) for name, i, width, height in rows}
        except (sqlite3.Error, UnicodeDecodeError, AttributeError) as error:
            self._connection.close()
            raise self._failed(error) from error
        except FormatError:
            self._connection.close()
            raise
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
        image, width, height = self._images[name]
        try:
            keypoints = self._blob("keypoints", "<f4", (2, 4, 6), image, name)
            descriptors = self._blob("descriptors", "|u1", (128,), image, name)
        except sqlite3.Error as error:
            raise self._failed(error) from error
        assert keypoints is not None
        if descriptors is not None and len(descriptors) != len(keypoints):
            raise FormatError(
                self._path, f"{name}: has {len(descriptors)} descriptors for {len(keypoints)} keypoints; it is damaged"
            )
        if not np.isfinite(keypoints).all():
            raise FormatError(self._path, f"{name}: has a keypoint that is not finite; the database is damaged")
        known = all(isinstance(side, int) and side > 0 for side in (width, height))
        return _features(keypoints, descriptors, (width, height) if known else None)

    def _blob(self, table: str, dtype: str, widths: tuple[int, ...], image: int, name: str) -> npt.NDArray[Any] | None:
        typed = "type" if table == "descriptors" and self._typed else str(_SIFT)
        query = f"SELECT rows, cols, data, {typed} FROM {table} WHERE image_id = ?"
        row = self._connection.execute(query, (image,)).fetchone()
        if row is None:
            return None
        rows, columns, data, kind = row
        if kind != _SIFT:
            raise FormatError(self._path, f"{name}: has descriptors of type {kind}, which are not SIFT's")
        data = b"" if data is None else data
        if not isinstance(rows, int) or not isinstance(data, bytes) or rows < 0 or (rows and columns not in widths):
            raise FormatError(self._path, f"{name}: has {table} of {rows} rows and {columns} columns; it is damaged")
        if len(data) != rows * (columns if rows else 0) * np.dtype(dtype).itemsize:
            raise FormatError(self._path, f"{name}: has {len(data)} bytes of {table} for {rows} rows; it is damaged")
        return np.frombuffer(data, dtype).reshape(rows, columns if rows else widths[-1])

    def _failed(self, error: Exception) -> FormatError:
        if isinstance(error, sqlite3.Error) and in_use(error):
            return FormatError(self._path, "is in use by another program; close it there and try again")
        return FormatError(self._path, f"is no COLMAP database, or a damaged one ({str(error)[:100]})")

    def __iter__(self) -> Iterator[tuple[str, Features]]:
        for name in self.names:
            yield name, self.read(name)

    def __enter__(self) -> DatabaseCollection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def _features(
    keypoints: npt.NDArray[np.float32], descriptors: npt.NDArray[np.uint8] | None, size: tuple[int, int] | None
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
    )
