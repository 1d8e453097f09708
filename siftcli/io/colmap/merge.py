"""COLMAP databases into one: images with their cameras, frames, pose priors, features, matches and geometries.

A single database becomes one of another version, or of fewer images.  An image that several databases have is taken
once where its features are the same, with the matches of all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from os import PathLike
from typing import Any

import numpy as np

from ...errors import OutputError
from ..collection import check_name
from ..output import followed
from .camera import DatabaseOptions
from .features import DatabaseWriter
from .file import DatabaseReader, image_name
from .priors import add_pose_prior, pose_prior
from .schema import CAMERA_SENSOR, SIFT, Layout, image_pair, pair_id

__all__ = ["merge_databases", "name_filter"]

_TOLD = 3
"""Images that a message names."""


def name_filter(only: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Return a test of names: whether one matches a pattern of `only`, if there are any, and none of `exclude`."""
    return lambda name: (
        (not only or any(fnmatchcase(name, p) for p in only)) and not any(fnmatchcase(name, p) for p in exclude)
    )


def merge_databases(
    sources: Sequence[str | PathLike[str]],
    path: str | PathLike[str],
    keep: Callable[[str], bool] = lambda name: True,
    *,
    options: DatabaseOptions | None = None,
    overwrite: bool = False,
    on_image: Callable[[str, str, int], None] = lambda source, name, keypoints: None,
) -> None:
    """Copy databases into one.

    Parameters
    ----------
    sources : sequence of path
        Databases of any version.
    path : path
        The database to make, or, with `overwrite`, to add to.
    keep : callable
        Whether an image of this name is copied; others are left out with their matches.
    options : DatabaseOptions, optional
        The version of a new database; cameras are copied as they are.
    overwrite : bool
        The database may exist.
    on_image : callable, optional
        Called for every image with its source, its name and the number of its keypoints.

    Raises
    ------
    FormatError
        If a source cannot be read.
    OutputError
        If an image is in two databases with different features, or the database cannot be written.
    """
    merger = _Merger(followed(path), add=overwrite, options=options)
    with merger:
        for source in sources:
            with DatabaseReader(source) as reader, reader.reading():
                merger.add_database(reader, keep, on_image)


class _Merger(DatabaseWriter):
    """Adds whole databases to one."""

    def add_database(
        self, reader: DatabaseReader, keep: Callable[[str], bool], on_image: Callable[[str, str, int], None]
    ) -> None:
        """Add the images that are kept, and what belongs to them."""
        source = reader.connection
        layout = reader.layout
        with reader.reading():
            rows = source.execute("SELECT image_id, name, camera_id FROM images ORDER BY image_id").fetchall()
        images = [(i, image_name(name), camera) for i, name, camera in rows]
        images = [(i, check_name(self._final, name), camera) for i, name, camera in images if keep(name)]
        known = {name: there for _, name, _ in images if (there := self._image(name)) is not None}
        clashes = [name for i, name, _ in images if name in known and not self._same(source, i, known[name])]
        if clashes:
            more = f" and {len(clashes) - _TOLD} more" if len(clashes) > _TOLD else ""
            raise OutputError(
                self._final,
                f"{', '.join(clashes[:_TOLD])}{more}: {reader.path} has other features of "
                f"{'this image' if len(clashes) == 1 else 'these images'} than a database before it; "
                "leave them out of one with --exclude",
            )
        numbers: dict[int, int] = {}
        cameras: dict[int, int] = {}
        for i, name, camera in images:
            if name in known:
                numbers[i] = known[name]
                query = "SELECT camera_id FROM images WHERE image_id = ?"
                cameras[camera] = self._connection.execute(query, (known[name],)).fetchone()[0]
        with self._transaction():
            for i, name, camera in images:
                if i not in numbers:
                    self._copy_image(source, layout, i, name, camera, numbers, cameras)
                row = source.execute("SELECT rows FROM keypoints WHERE image_id = ?", (i,)).fetchone()
                on_image(reader.path, name, row[0] if row else 0)
            self._copy_frames(source, layout, numbers, cameras)
            self._copy_pairs(source, layout, numbers)
        reader.check_unchanged()

    def _same(self, source: sqlite3.Connection, image: int, there: int) -> bool:
        """Tell whether an image has the same features in both databases, or none in one of them."""
        for table in ("keypoints", "descriptors"):
            query = f"SELECT rows, cols, data FROM {table} WHERE image_id = ?"
            a, b = source.execute(query, (image,)).fetchone(), self._connection.execute(query, (there,)).fetchone()
            if a is not None and b is not None and a != b:
                return False
        return True

    def _copy_image(
        self,
        source: sqlite3.Connection,
        layout: Layout,
        image: int,
        name: str,
        camera: int,
        numbers: dict[int, int],
        cameras: dict[int, int],
    ) -> None:
        """Copy an image with its camera, pose prior and features."""
        number = self._insert("images", name=name, camera_id=self._copied_camera(source, camera, cameras))
        numbers[image] = number
        for table in ("keypoints", "descriptors"):
            kind = ", type" if layout.typed and table == "descriptors" else f", {SIFT}"
            query = f"SELECT rows, cols, data{kind} FROM {table} WHERE image_id = ?"
            row = source.execute(query, (image,)).fetchone()
            if row is not None:
                typed = {"type": row[3]} if self._layout.typed and table == "descriptors" else {}
                self._insert(table, image_id=number, rows=row[0], cols=row[1], data=row[2], **typed)
        prior = pose_prior(source, layout, image)
        if prior is not None:
            add_pose_prior(self._connection, self._layout, number, cameras[camera], prior)

    def _copied_camera(self, source: sqlite3.Connection, camera: int, cameras: dict[int, int]) -> int:
        """Return the number here of a camera of a source, which is copied when it is first needed."""
        if camera not in cameras:
            names = ("model", "width", "height", "params", "prior_focal_length")
            row = source.execute(f"SELECT {', '.join(names)} FROM cameras WHERE camera_id = ?", (camera,)).fetchone()
            if row is None:
                raise ValueError(f"there is no camera {camera}")
            cameras[camera] = self._insert("cameras", **dict(zip(names, row, strict=True)))
        return cameras[camera]

    def _copy_frames(
        self, source: sqlite3.Connection, layout: Layout, numbers: dict[int, int], cameras: dict[int, int]
    ) -> None:
        """Copy the rigs and frames of the images that were copied; make those that a source lacks."""
        if not self._layout.rigs:
            return
        query = "SELECT data_id FROM frame_data WHERE sensor_type = ?"
        framed = {data for (data,) in self._connection.execute(query, (CAMERA_SENSOR,))}
        left = {image: number for image, number in numbers.items() if number not in framed}
        if layout.rigs:
            rigs: dict[int, int] = {}
            frames: dict[int, int] = {}
            query = (
                "SELECT frame_id, rig_id, data_id, sensor_id FROM frame_data JOIN frames USING (frame_id) "
                "WHERE sensor_type = ? ORDER BY frame_id"
            )
            for frame, rig, data, sensor in source.execute(query, (CAMERA_SENSOR,)).fetchall():
                if data not in left:
                    continue
                if rig not in rigs:
                    rigs[rig] = self._copied_rig(source, rig, cameras)
                if frame not in frames:
                    frames[frame] = self._insert("frames", rig_id=rigs[rig])
                camera = self._copied_camera(source, sensor, cameras)
                values = {"data_id": left.pop(data), "sensor_id": camera, "sensor_type": CAMERA_SENSOR}
                self._insert("frame_data", frame_id=frames[frame], **values)
        for number in left.values():
            query = "SELECT camera_id FROM images WHERE image_id = ?"
            self._new_frame(number, self._connection.execute(query, (number,)).fetchone()[0])

    def _copied_rig(self, source: sqlite3.Connection, rig: int, cameras: dict[int, int]) -> int:
        """Return the number here of a rig of a source."""
        query = "SELECT ref_sensor_id, ref_sensor_type FROM rigs WHERE rig_id = ?"
        sensor, kind = source.execute(query, (rig,)).fetchone() or (0, None)
        if kind != CAMERA_SENSOR:
            raise ValueError(f"rig {rig} has no camera as its reference")
        camera = self._copied_camera(source, sensor, cameras)
        there = self._connection.execute(
            "SELECT rig_id FROM rigs WHERE ref_sensor_id = ? AND ref_sensor_type = ?", (camera, CAMERA_SENSOR)
        ).fetchone()
        if there:
            return int(there[0])
        copy = self._insert("rigs", ref_sensor_id=camera, ref_sensor_type=CAMERA_SENSOR)
        query = "SELECT sensor_id, sensor_type, sensor_from_rig FROM rig_sensors WHERE rig_id = ?"
        for other, other_kind, pose in source.execute(query, (rig,)).fetchall():
            number = self._copied_camera(source, other, cameras) if other_kind == CAMERA_SENSOR else other
            self._insert("rig_sensors", rig_id=copy, sensor_id=number, sensor_type=other_kind, sensor_from_rig=pose)
        return copy

    def _copy_pairs(self, source: sqlite3.Connection, layout: Layout, numbers: dict[int, int]) -> None:
        """Copy matches and geometries of pairs that are not there; a pair whose order changes is turned round."""
        geometry = ("config", "F", "E", "H", "qvec", "tvec")
        tables: list[tuple[str, tuple[str, ...]]] = []
        if layout.matched and self._layout.matched:
            tables.append(("matches", ()))
        if layout.verified and self._layout.verified:
            tables.append(("two_view_geometries", geometry))
        for table, more in tables:
            there = {pair for (pair,) in self._connection.execute(f"SELECT pair_id FROM {table}")}
            names = ("pair_id", "rows", "cols", "data", *more)
            with closing(source.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY pair_id")) as rows:
                for row in rows:
                    values: dict[str, Any] = dict(zip(names, row, strict=True))
                    a, b = (numbers.get(image) for image in image_pair(values["pair_id"]))
                    if a is None or b is None or pair_id(a, b) in there:
                        continue
                    values["pair_id"] = pair_id(a, b)
                    if a > b:
                        _turn(values)
                    if more and not layout.typed and self._layout.typed:
                        _leave_out_blanks(values)
                    if more and layout.typed and not self._layout.typed and values["rows"]:
                        _fill_blanks(values)
                    self._insert(table, **values)


def _turn(values: dict[str, Any]) -> None:
    """Turn the row of a pair round."""
    if values["data"]:
        values["data"] = np.frombuffer(values["data"], "<u4").reshape(-1, 2)[:, ::-1].tobytes()
    for key in ("F", "E", "H"):
        if values.get(key):
            matrix = np.frombuffer(values[key], "<f8").reshape(3, 3)
            if key == "H":
                matrix = np.linalg.inv(matrix) if np.isfinite(matrix).all() and np.linalg.det(matrix) else matrix
            else:
                matrix = matrix.T
            values[key] = matrix.astype("<f8").tobytes()
    if values.get("qvec") and values.get("tvec"):
        w, *vector = np.frombuffer(values["qvec"], "<f8")
        v, t = np.array(vector), np.frombuffer(values["tvec"], "<f8")
        turned = t + 2 * np.cross(-v, np.cross(-v, t) + w * t)  # the inverse rotation of t
        values["qvec"] = np.array([w, *-v], "<f8").tobytes()
        values["tvec"] = (-turned).astype("<f8").tobytes()


_SIZES = {"F": 72, "E": 72, "H": 72, "qvec": 32, "tvec": 24}


def _leave_out_blanks(values: dict[str, Any]) -> None:
    """Leave out matrices that are zero or not a number, as versions before 4 store those that a pair lacks."""
    for key in ("F", "E", "H"):
        if values[key]:
            matrix = np.frombuffer(values[key], "<f8")
            values[key] = values[key] if np.isfinite(matrix).all() and matrix.any() else None
    if values["tvec"] and not np.frombuffer(values["tvec"], "<f8").any():
        values["qvec"] = values["tvec"] = None


def _fill_blanks(values: dict[str, Any]) -> None:
    """Store zeros, and the identity, for what a pair lacks, as versions before 4 expect."""
    for key, size in _SIZES.items():
        if values[key] is None:
            values[key] = np.array([1, 0, 0, 0], "<f8").tobytes() if key == "qvec" else bytes(size)
