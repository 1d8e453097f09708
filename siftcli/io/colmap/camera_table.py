"""The table of cameras in COLMAP's database: which images share a camera."""

from __future__ import annotations

import os
import sqlite3
from pathlib import PurePosixPath

from ...errors import OutputError
from ...features import Camera
from ..sqlite_file import insert
from .camera import CameraRow, Sharing

__all__ = ["CameraTable"]


class CameraTable:
    """The cameras of a database that is written.

    Parameters
    ----------
    connection : sqlite3.Connection
        The database.
    sharing : "auto", "single", "folder" or "image"
        As in `DatabaseOptions`.
    """

    def __init__(self, connection: sqlite3.Connection, sharing: Sharing) -> None:
        self._connection = connection
        self._sharing = sharing
        self._shared: dict[object, int] = {}

    def number(self, name: str, told: Camera | None, row: CameraRow, label: str) -> int:
        """Return the number of an image's camera, which is made unless the image shares one."""
        key = self._sharing_key(name, told, row)
        if key is not None and key not in self._shared:
            found = self._existing_camera(key, row)
            if found is not None:
                self._shared[key] = found
        if key is None or key not in self._shared:
            camera = insert(
                self._connection,
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
        if self._sharing == "single":
            return "single"
        if self._sharing == "folder":
            return PurePosixPath(name).parent
        named = told is not None and told.name and told.focal is not None
        return (told.name, row) if self._sharing == "auto" and told is not None and named else None

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
