"""COLMAP's database: keypoints and descriptors, with the images and cameras that they belong to.

Written and read with SQLite alone.  A new database has the tables of the newest version or of the one that is asked
for; one that exists is written by the tables that it has.  The centre of the first pixel is (0.5, 0.5), angles are y
down, the bins are Lowe's, descriptors have norm 512, see :mod:`siftcli.conventions`.

Images are found by name.  One that is absent gets a camera by its metadata or, without these, as COLMAP makes one:
simple radial, with a focal length of 1.2 times the longer side.  Features that are there already and equal are left
alone, with their matches; others are replaced, and their matches removed.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from os import PathLike
from pathlib import Path, PurePosixPath
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ..errors import OutputError
from ..features import Camera, Features, ParameterValue
from .collection import check_name
from .colmap_camera import CameraRow, DatabaseOptions, camera_row
from .colmap_db_reader import TABLES, collection_reader, descriptor_rows, keypoint_rows, stored_rows
from .colmap_schema import CAMERA_SENSOR, MAX_IMAGES, SIFT, Layout, columns_of, create
from .output import atomic_path, followed
from .run_lock import RunLock
from .sqlite_file import check_writable, connect_for_writing, why_full, why_not_written
from .values import require_finite

__all__ = ["DatabaseWriter", "collection_reader", "collection_writer"]

_WGS84 = 0
_NANS = struct.pack("<9d", *[np.nan] * 9)


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
        self._shared: dict[object, int] = {}
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
        with self._transaction() as connection:
            image = self._image(name)
            if image is None:
                image = self._new_image(name, features, label)
            elif not self._clear(image, keypoints, descriptors):
                return
            connection.execute("INSERT INTO keypoints VALUES (?, ?, ?, ?)", (image, *stored_rows(keypoints)))
            kind = (SIFT,) if self._layout.typed else ()
            marks = ", ".join("?" * (4 + len(kind)))
            columns = "image_id, type, rows, cols, data" if kind else "image_id, rows, cols, data"
            connection.execute(
                f"INSERT INTO descriptors ({columns}) VALUES ({marks})", (image, *kind, *stored_rows(descriptors))
            )

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
        for table, there in (("matches", self._layout.matched), ("two_view_geometries", self._layout.verified)):
            if there:
                of_pair = f"DELETE FROM {table} WHERE pair_id / {MAX_IMAGES} = ? OR pair_id % {MAX_IMAGES} = ?"
                connection.execute(of_pair, (image, image))
        return True

    def _new_image(self, name: str, features: Features, label: str) -> int:
        """Make an image with its camera and, where the version has them, its rig, frame and pose prior."""
        if features.image_size is None:
            raise OutputError(label, "is not in the database, and its size is not known; give its folder with --images")
        row = camera_row(self._options, features.camera, features.image_size)
        camera = self._camera(name, features.camera, row, label)
        image = self._insert("images", name=name, camera_id=camera)
        if self._layout.rigs:
            self._new_frame(image, camera)
        position = None if features.camera is None else features.camera.position
        if position is not None and np.isfinite(position).all():
            self._new_prior(image, camera, position)
        return image

    def _insert(self, table: str, **values: object) -> int:
        """Insert a row; return its number."""
        marks = ", ".join("?" * len(values))
        query = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
        return int(self._connection.execute(query, tuple(values.values())).lastrowid or 0)

    def _camera(self, name: str, told: Camera | None, row: CameraRow, label: str) -> int:
        """Return the number of an image's camera, which is made unless the image shares one."""
        key = self._sharing_key(name, told, row)
        if key is not None and key not in self._shared:
            found = self._existing_camera(key, row)
            if found is not None:
                self._shared[key] = found
        if key is None or key not in self._shared:
            camera = self._insert(
                "cameras",
                model=row.model,
                width=row.width,
                height=row.height,
                params=row.params,
                prior_focal_length=int(row.prior),
            )
            if key is None:
                return camera
            self._shared[key] = camera
        camera = self._shared[key]
        size = self._connection.execute("SELECT width, height FROM cameras WHERE camera_id = ?", (camera,)).fetchone()
        if size != (row.width, row.height):
            raise OutputError(
                label,
                f"has {row.width} x {row.height} pixels, and the camera that it shares {size[0]} x {size[1]}; "
                "use --camera image, or leave it out",
            )
        return camera

    def _sharing_key(self, name: str, told: Camera | None, row: CameraRow) -> object:
        """Return what images of one camera have in common; None for a camera of its own."""
        if self._options.sharing == "single":
            return "single"
        if self._options.sharing == "folder":
            return PurePosixPath(name).parent
        named = told is not None and told.name and told.focal is not None
        return (told.name, row) if self._options.sharing == "auto" and told is not None and named else None

    def _existing_camera(self, key: object, row: CameraRow) -> int | None:
        """Return a camera of an earlier run that an image shares: of all, of its folder, or with equal parameters."""
        if isinstance(key, PurePosixPath):
            query = "SELECT name, camera_id FROM images ORDER BY image_id"
            names = ((os.fsdecode(n), c) for n, c in self._connection.execute(query) if isinstance(n, bytes))
            return next((camera for n, camera in names if PurePosixPath(n).parent == key), None)
        if key == "single":
            found = self._connection.execute("SELECT camera_id FROM images ORDER BY image_id LIMIT 1").fetchone()
        else:
            taken = set(self._shared.values())
            query = (
                "SELECT camera_id FROM cameras WHERE model = ? AND width = ? AND height = ? AND params = ? "
                "AND prior_focal_length = ?"
            )
            values = (row.model, row.width, row.height, row.params, int(row.prior))
            found = next((c for c in self._connection.execute(query, values) if c[0] not in taken), None)
        return None if found is None else int(found[0])

    def _new_frame(self, image: int, camera: int) -> None:
        """Make the frame of an image, in a rig of its camera alone."""
        query = "SELECT rig_id FROM rigs WHERE ref_sensor_id = ? AND ref_sensor_type = ?"
        found = self._connection.execute(query, (camera, CAMERA_SENSOR)).fetchone()
        rig = found[0] if found else self._insert("rigs", ref_sensor_id=camera, ref_sensor_type=CAMERA_SENSOR)
        frame = self._insert("frames", rig_id=rig)
        self._insert("frame_data", frame_id=frame, data_id=image, sensor_id=camera, sensor_type=CAMERA_SENSOR)

    def _new_prior(self, image: int, camera: int, position: tuple[float, float, float], system: int = _WGS84) -> None:
        """Keep the position of an image, without its uncertainty."""
        packed = struct.pack("<3d", *position)
        covariance = {"position_covariance": _NANS} if self._layout.covariance else {}
        if self._layout.priors == "columns":
            query = "UPDATE images SET prior_tx = ?, prior_ty = ?, prior_tz = ? WHERE image_id = ?"
            self._connection.execute(query, (*position, image))
        elif self._layout.priors == "image":
            self._insert("pose_priors", image_id=image, position=packed, coordinate_system=system, **covariance)
        elif self._layout.priors == "data":
            sensor = {"corr_data_id": image, "corr_sensor_id": camera, "corr_sensor_type": CAMERA_SENSOR}
            self._insert(
                "pose_priors", **sensor, position=packed, gravity=_NANS[:24], coordinate_system=system, **covariance
            )

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
