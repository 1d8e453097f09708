"""COLMAP's database: keypoints and descriptors, with the images and cameras that they belong to.

Written through ``pycolmap`` (the extra ``colmap``), which knows the tables of its version; read with SQLite alone, by
the documented tables, so that a damaged file is an error and not a crash.  The centre of the first pixel is (0.5, 0.5),
angles are y down, the bins are Lowe's, see :mod:`siftcli.conventions`.

Images are found by name.  One that is absent gets a camera of its own, as COLMAP's feature extraction makes it: simple
radial, with a focal length of 1.2 times the longer side.  Features that are there already and equal are left alone,
with their matches; others are replaced, and their matches removed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..conventions import corner_origin, flip_bins
from ..errors import OutputError
from ..features import Features, ParameterValue
from .collection import check_name
from .colmap_db_reader import TABLES, connect, in_use, read_collection, schema
from .output import followed, output_error
from .values import as_bytes, require_finite

__all__ = ["DatabaseWriter", "open_collection", "read_collection"]

_MAX_IMAGES = 2**31 - 1
"""A pair of images is the number ``_MAX_IMAGES * smaller id + larger id``."""

_SIDE_FILES = ("-wal", "-shm", "-journal")


def open_collection(
    path: str | PathLike[str],
    *,
    parameters: Mapping[str, ParameterValue] | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> DatabaseWriter:
    """Open a database for writing, and make it if it is not there.

    Parameters
    ----------
    path : path
        A new one appears when it is closed.  One that exists is added to.
    parameters : mapping, optional
        Not kept: the format has no place for them.
    resume, overwrite : bool
        Either allows to add to one that exists.

    Raises
    ------
    OutputError
        If pycolmap is not installed, the database exists and neither is given, is in use, is not COLMAP's or of another
        version than pycolmap's, or cannot be written.
    """
    return DatabaseWriter(followed(path), add=resume or overwrite)


class DatabaseWriter:
    """Adds features to a database; a `CollectionWriter`.

    Parameters
    ----------
    path : Path
        The database.
    add : bool
        It may exist.
    """

    def __init__(self, path: Path, *, add: bool) -> None:
        self._pycolmap = _import(path)
        self._final = path
        self._closed = False
        if path.exists() and not add:
            raise OutputError(path, "exists already; use --overwrite to add to it, or another output name")
        self._fresh = not path.exists()
        self._path = path.with_name(path.name + ".tmp") if self._fresh else path
        if self._fresh:
            _remove(self._path)
            try:
                os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o666))  # for an error in plain words
            except OSError as error:
                raise output_error(path, error) from error
        else:
            self._check()
        try:
            self._database = _open(self._pycolmap, self._path)
            self._connection = connect(self._path, "rw")
        except (RuntimeError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def _check(self) -> None:
        """See that the database is one that pycolmap would make, and that nobody else is writing to it."""
        try:
            with TemporaryDirectory() as folder:
                sample = Path(folder, "sample.db")
                _open(self._pycolmap, sample).close()
                with closing(connect(sample, "ro")) as connection:
                    wanted, version = schema(connection), _version(connection)
            with closing(connect(self._path, "rw")) as connection:
                found, found_version = schema(connection), _version(connection)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except (sqlite3.Error, RuntimeError) as error:
            raise self._failed(error) from error
        if not set(TABLES) <= set(found):
            raise OutputError(self._path, "is no COLMAP database; give another name")
        if found != wanted:
            raise OutputError(
                self._path,
                f"is a database of COLMAP {found_version}, and the pycolmap installed is of {version}; "
                "install the pycolmap of that version, or let COLMAP convert the database",
            )

    def done(self) -> frozenset[str]:
        """Return nothing: a database does not tell with which parameters its features were made."""
        return frozenset()

    def add(self, name: str, features: Features) -> None:
        """Add the features of an image, which gets a camera if it is not there; equal ones are left alone.

        Raises
        ------
        OutputError
            If the image is not there and its size is not known, there are no descriptors, a number is not finite, or
            the database cannot be written.
        """
        check_name(self._final, name)
        label = f"{self._final}: {name}"
        require_finite(features, label)
        if features.descriptors is None:
            raise OutputError(label, "has no descriptors, which COLMAP needs; compute them with sift describe")
        descriptors = np.ascontiguousarray(flip_bins(as_bytes(features.descriptors, label)))
        keypoints = _keypoints(features)
        try:
            image = self._image(name)
            if image is not None and self._clear(image, keypoints, descriptors):
                return
            with self._pycolmap.DatabaseTransaction(self._database):
                if image is None:
                    if features.image_size is None:
                        raise OutputError(
                            label, "is not in the database, and its size is not known; give its folder with --images"
                        )
                    image = self._new_image(name, features.image_size)
                self._database.write_keypoints(image, keypoints)
                self._database.write_descriptors(image, self._typed(descriptors))
        except (RuntimeError, ValueError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def _image(self, name: str) -> int | None:
        row = self._connection.execute("SELECT image_id FROM images WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def _clear(self, image: int, keypoints: npt.NDArray[np.float32], descriptors: npt.NDArray[np.uint8]) -> bool:
        """Remove other features of an image, and their matches; true if it has just these."""
        connection = self._connection
        stored = [
            connection.execute(f"SELECT rows, cols, data FROM {table} WHERE image_id = ?", (image,)).fetchone()
            for table in ("keypoints", "descriptors")
        ]
        if stored == [(*keypoints.shape, keypoints.tobytes()), (*descriptors.shape, descriptors.tobytes())]:
            return True
        if any(stored):
            connection.execute("BEGIN IMMEDIATE")
            for table in ("keypoints", "descriptors"):
                connection.execute(f"DELETE FROM {table} WHERE image_id = ?", (image,))
            for table in ("matches", "two_view_geometries"):
                of_pair = f"DELETE FROM {table} WHERE pair_id / {_MAX_IMAGES} = ? OR pair_id % {_MAX_IMAGES} = ?"
                connection.execute(of_pair, (image, image))
            connection.execute("COMMIT")
        return False

    def _new_image(self, name: str, size: tuple[int, int]) -> int:
        """Make an image with a camera of its own and, where the version has them, its rig and frame."""
        pycolmap, database = self._pycolmap, self._database
        focal = 1.2 * max(size)
        camera = pycolmap.Camera(
            model="SIMPLE_RADIAL", width=size[0], height=size[1], params=[focal, size[0] / 2, size[1] / 2, 0]
        )
        camera.camera_id = database.write_camera(camera)
        image = pycolmap.Image(name=name, camera_id=camera.camera_id)
        image.image_id = database.write_image(image)
        if hasattr(database, "write_rig"):
            rig = pycolmap.Rig()
            rig.add_ref_sensor(camera.sensor_id)
            frame = pycolmap.Frame()
            frame.rig_id = database.write_rig(rig)
            frame.add_data_id(image.data_id)
            database.write_frame(frame)
        return int(image.image_id)

    def _typed(self, descriptors: npt.NDArray[np.uint8]) -> Any:
        pycolmap = self._pycolmap
        if not hasattr(pycolmap, "FeatureDescriptors"):  # versions that do not tell types
            return descriptors
        return pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, descriptors)

    def close(self) -> None:
        """Close the database; a new one gets its name."""
        if not self._close() or not self._fresh:
            return
        try:
            self._path.replace(self._final)
        except OSError as error:
            raise output_error(self._final, error) from error
        finally:
            _remove(self._path)

    def abort(self, *, keep: bool = True) -> None:
        """Close the database; a new one is removed, one that existed keeps what was added, whatever `keep`."""
        if self._close() and self._fresh:
            _remove(self._path)

    def _close(self) -> bool:
        """Close the connections; false if they are closed."""
        if self._closed:
            return False
        self._closed = True
        self._database.close()
        self._connection.close()
        return True

    def _failed(self, error: Exception) -> OutputError:
        words = " ".join(str(error).split())
        if in_use(error) if isinstance(error, sqlite3.Error) else "locked" in words:
            return OutputError(self._final, "is in use by another program; close it there and try again")
        if "not a database" in words or "malformed" in words:
            return OutputError(self._final, "is no COLMAP database, or a damaged one; give another name")
        return OutputError(self._final, f"cannot be written: {words[:160]}")

    def __enter__(self) -> DatabaseWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _import(path: Path) -> Any:
    try:
        import pycolmap
    except ImportError as error:
        raise OutputError(
            path, "cannot be written without pycolmap; install it: pip install 'siftcli[colmap]'"
        ) from error
    return pycolmap


def _open(pycolmap: Any, path: Path) -> Any:
    try:
        return pycolmap.Database.open(str(path))
    except TypeError:  # before 3.13, a method
        database = pycolmap.Database()
        database.open(str(path))
        return database


def _keypoints(features: Features) -> npt.NDArray[np.float32]:
    """Return COLMAP's rows: x, y, scale, orientation, or x, y and the affine shape."""
    xy = corner_origin(features.xy)
    if features.affine is not None:
        rows = np.column_stack((xy, features.affine.reshape(-1, 4)))
    else:
        rows = np.column_stack((xy, features.scales, features.orientations))
    return rows.astype(np.float32)


def _version(connection: sqlite3.Connection) -> str:
    number = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if number < 1_000_000:
        return f"{number / 1000:g}"
    return f"{number // 1_000_000}.{number // 10_000 % 100}.{number // 100 % 100}"


def _remove(path: Path) -> None:
    for suffix in ("", *_SIDE_FILES):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()
