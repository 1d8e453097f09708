"""COLMAP's database: keypoints and descriptors, with the images and cameras that they belong to.

Written and read with SQLite alone.  A new database has the tables of the newest version or of the one that is asked
for; one that exists is written by the tables that it has.  The centre of the first pixel is (0.5, 0.5), angles are y
down, the bins are Lowe's, descriptors have norm 512, see :mod:`siftcli.conventions`.

Images are found by name.  One that is absent gets a camera by its metadata or, without these, as COLMAP makes one:
simple radial, with a focal length of 1.2 times the longer side.  Features that are there already and equal are left
alone, with their matches; others are replaced, and their matches removed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from os import PathLike
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ...errors import OutputError
from ...features import Features, ParameterValue
from ..collection import check_name
from ..output import atomic_path, followed
from ..run_lock import RunLock
from ..sqlite_file import check_writable, connect_for_writing, insert, why_full, why_not_written
from ..values import require_finite
from .camera import DatabaseOptions, camera_row
from .camera_table import CameraTable
from .features_reader import collection_reader, descriptor_rows, keypoint_rows, stored_rows
from .file import TABLES
from .priors import PosePrior, add_pose_prior
from .schema import CAMERA_SENSOR, MAX_IMAGES, SIFT, Layout, columns_of, create

__all__ = ["DatabaseWriter", "collection_reader", "collection_writer"]


def collection_writer(
    path: str | PathLike[str],
    *,
    parameters: Mapping[str, ParameterValue] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    database: DatabaseOptions | None = None,
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
    database : DatabaseOptions, optional
        The version of a new one, and how cameras are made.

    Raises
    ------
    OutputError
        If the database exists and neither is given, is in use, is not COLMAP's, or cannot be written.
    """
    return DatabaseWriter(followed(path), add=resume or overwrite, options=database)


class DatabaseWriter:
    """Adds features to a database; a `CollectionWriter`.

    Parameters
    ----------
    path : Path
        The database.
    add : bool
        It may exist.
    options : DatabaseOptions, optional
        The version of a new one, and how cameras are made.
    """

    def __init__(self, path: Path, *, add: bool, options: DatabaseOptions | None = None) -> None:
        self._final = path
        self._options = options or DatabaseOptions()
        self._stack = ExitStack()
        self._closed = False
        with ExitStack() as stack:
            stack.enter_context(RunLock(path, join=True))
            self._fresh = not path.exists()
            if not self._fresh and not add:
                raise OutputError(path, "exists already; use --overwrite to add to it, or another output name")
            if not self._fresh:
                check_writable(path)
            self._path = stack.enter_context(atomic_path(path, sync=True)) if self._fresh else path
            with self._told():
                self._connection = connect_for_writing(self._path)
                stack.callback(self._connection.close)
                if self._fresh:  # nobody sees it before it is whole, so it needs no log on disk
                    self._connection.execute("PRAGMA journal_mode = MEMORY")
                    self._connection.execute("PRAGMA synchronous = OFF")
                    create(self._connection, self._options.version)
                columns = columns_of(self._connection)
            if not all(wanted <= columns.get(table, set()) for table, wanted in TABLES.items()):
                raise OutputError(path, "is no COLMAP database; give another name")
            self._layout = Layout.of(columns)
            self._cameras = CameraTable(self._connection, self._options.sharing)
            self._stack = stack.pop_all()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what SQLite says as an error in plain words."""
        try:
            yield
        except sqlite3.Error as error:
            raise why_not_written(self._final, error) from why_full(error)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Make the changes of the block, all of them or none."""
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk ends the transaction by itself
                    self._connection.execute("ROLLBACK")
                raise

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
        descriptors = descriptor_rows(features, label)
        keypoints = keypoint_rows(features)
        with self._transaction():
            image = self._image(name)
            if image is None:
                image = self._new_image(name, features, label)
            elif not self._clear(image, keypoints, descriptors):
                return
            kind = {"type": SIFT} if self._layout.typed else {}
            for table, array, more in (("keypoints", keypoints, {}), ("descriptors", descriptors, kind)):
                rows, columns, data = stored_rows(array)
                self._insert(table, image_id=image, rows=rows, cols=columns, data=data, **more)

    def _image(self, name: str) -> int | None:
        row = self._connection.execute("SELECT image_id FROM images WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def _clear(self, image: int, keypoints: npt.NDArray[np.float32], descriptors: npt.NDArray[np.uint8]) -> bool:
        """Remove other features of an image, and their matches; false if it has just these."""
        connection = self._connection
        stored = [
            connection.execute(f"SELECT rows, cols, data FROM {table} WHERE image_id = ?", (image,)).fetchone()
            for table in ("keypoints", "descriptors")
        ]
        if stored == [stored_rows(keypoints), stored_rows(descriptors)]:
            return False
        for table in ("keypoints", "descriptors"):
            connection.execute(f"DELETE FROM {table} WHERE image_id = ?", (image,))
        for table in self._layout.pair_tables:
            of_pair = f"DELETE FROM {table} WHERE pair_id / {MAX_IMAGES} = ? OR pair_id % {MAX_IMAGES} = ?"
            connection.execute(of_pair, (image, image))
        return True

    def _new_image(self, name: str, features: Features, label: str) -> int:
        """Make an image with its camera and, where the version has them, its rig, frame and pose prior."""
        if features.image_size is None:
            raise OutputError(label, "is not in the database, and its size is not known; give its folder with --images")
        row = camera_row(self._options, features.camera, features.image_size)
        camera = self._cameras.number(name, features.camera, row, label)
        image = self._insert("images", name=name, camera_id=camera)
        if self._layout.rigs:
            self._new_frame(image, camera)
        position = None if features.camera is None else features.camera.position
        if position is not None and np.isfinite(position).all():
            add_pose_prior(self._connection, self._layout, image, camera, PosePrior(position))
        return image

    def _insert(self, table: str, **values: object) -> int:
        return insert(self._connection, table, **values)

    def _new_frame(self, image: int, camera: int) -> None:
        """Make the frame of an image, in a rig of its camera alone."""
        query = "SELECT rig_id FROM rigs WHERE ref_sensor_id = ? AND ref_sensor_type = ?"
        found = self._connection.execute(query, (camera, CAMERA_SENSOR)).fetchone()
        rig = found[0] if found else self._insert("rigs", ref_sensor_id=camera, ref_sensor_type=CAMERA_SENSOR)
        frame = self._insert("frames", rig_id=rig)
        self._insert("frame_data", frame_id=frame, data_id=image, sensor_id=camera, sensor_type=CAMERA_SENSOR)

    def close(self) -> None:
        """Close the database; a new one gets its name."""
        self._end(None)

    def abort(self, *, keep: bool = True) -> None:
        """Close the database; a new one is removed, one that existed keeps what was added, whatever `keep`."""
        with suppress(_Aborted):
            self._end(_Aborted())

    def _end(self, error: BaseException | None) -> None:
        if self._closed:
            return
        self._closed = True
        with self._told():
            self._connection.close()
        self._stack.__exit__(type(error) if error else None, error, None)
        if error is not None:
            raise error

    def __enter__(self) -> DatabaseWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class _Aborted(Exception):
    """A new database is not to be published."""
