"""Pose priors of images in COLMAP's database, wherever a version keeps them."""

from __future__ import annotations

import math
import sqlite3
import struct
from typing import NamedTuple

from ..sqlite_file import insert
from .schema import CAMERA_SENSOR, Layout

__all__ = ["WGS84", "PosePrior", "add_pose_prior", "pose_prior"]

WGS84 = 0
"""Coordinate system of latitude, longitude (degrees) and altitude (metres)."""

_NANS = struct.pack("<9d", *[math.nan] * 9)


class PosePrior(NamedTuple):
    """The position of an image that is known before reconstruction.

    Attributes
    ----------
    position : (float, float, float)
        In the coordinate system.
    system : int
        COLMAP's number of the coordinate system.
    covariance : bytes
        Covariance of the position, nine float64, NaN where it is not known.
    gravity : bytes
        Direction of gravity in the camera, three float64, NaN where it is not known.
    """

    position: tuple[float, float, float]
    system: int = WGS84
    covariance: bytes = _NANS
    gravity: bytes = _NANS[:24]


def pose_prior(connection: sqlite3.Connection, layout: Layout, image: int) -> PosePrior | None:
    """Return the prior of an image; None if there is none with a position.

    COLMAP 3.8 does not store the coordinate system, and takes all positions for WGS 84.
    """
    if layout.priors is None:
        return None
    if layout.priors == "columns":
        query = "SELECT prior_tx, prior_ty, prior_tz FROM images WHERE image_id = ?"
        found = connection.execute(query, (image,)).fetchone()
        known = found is not None and all(isinstance(value, float) for value in found)
        return PosePrior(found) if known and all(map(math.isfinite, found)) else None
    key = "image_id = ?" if layout.priors == "image" else f"corr_sensor_type = {CAMERA_SENSOR} AND corr_data_id = ?"
    columns = (
        "position, coordinate_system, "
        f"{'position_covariance' if layout.covariance else 'NULL'}, {'gravity' if layout.gravity else 'NULL'}"
    )
    found = connection.execute(f"SELECT {columns} FROM pose_priors WHERE {key}", (image,)).fetchone()
    if found is None or not _packed(found[0], 24):
        return None
    x, y, z = struct.unpack("<3d", found[0])
    covariance, gravity = (
        data if _packed(data, len(unknown)) else unknown
        for data, unknown in zip(found[2:], (_NANS, _NANS[:24]), strict=True)
    )
    return PosePrior((x, y, z), found[1], covariance, gravity)


def _packed(data: object, size: int) -> bool:
    return isinstance(data, bytes) and len(data) == size


def add_pose_prior(connection: sqlite3.Connection, layout: Layout, image: int, camera: int, prior: PosePrior) -> None:
    """Store the prior of an image, as far as the version has a place for it."""
    if layout.priors == "columns":
        query = "UPDATE images SET prior_tx = ?, prior_ty = ?, prior_tz = ? WHERE image_id = ?"
        connection.execute(query, (*prior.position, image))
        return
    if layout.priors is None:
        return
    owner = {"image_id": image}
    if layout.priors == "data":
        owner = {"corr_data_id": image, "corr_sensor_id": camera, "corr_sensor_type": CAMERA_SENSOR}
    uncertain = {"position_covariance": prior.covariance} if layout.covariance else {}
    gravity = {"gravity": prior.gravity} if layout.gravity else {}
    packed = struct.pack("<3d", *prior.position)
    insert(connection, "pose_priors", **owner, position=packed, coordinate_system=prior.system, **uncertain, **gravity)
