"""The tables of COLMAP's databases: what each version creates, and which of them a given file has.

The versions differ in a few places only, and every one of these can be told from the tables themselves:

* 3.8 keeps a position of an image in the table of images; later versions have a table of pose priors, which belong to
  an image (3.10 to 3.13) or to the data of a sensor (4.x);
* 3.12 and later have rigs and frames: every image is the data of one camera in one frame;
* 4.x tells the type of descriptors and leaves out the matrices that a pair lacks, where earlier versions have
  zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

__all__ = ["CAMERA_SENSOR", "MAX_IMAGES", "SIFT", "VERSIONS", "Layout", "columns_of", "create", "image_pair", "pair_id"]

MAX_IMAGES = 2**31 - 1
"""A pair of images is the number ``MAX_IMAGES * smaller id + larger id``."""

SIFT = 0
"""Type of SIFT descriptors, in versions that tell types."""

CAMERA_SENSOR = 0
"""Type of sensor that a camera is."""

_KEY = "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
_OF_IMAGE = "FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE"
_ARRAY = "rows INTEGER NOT NULL, cols INTEGER NOT NULL, data BLOB"
_POSE_38 = ", ".join(f"prior_{name} REAL" for name in ("qw", "qx", "qy", "qz", "tx", "ty", "tz"))
_PAIR = f"pair_id INTEGER PRIMARY KEY NOT NULL, {_ARRAY}"
_GEOMETRY = f"{_PAIR}, config INTEGER NOT NULL, F BLOB, E BLOB, H BLOB, qvec BLOB, tvec BLOB"


def _images(more: str = "") -> str:
    return (
        f"CREATE TABLE images (image_id {_KEY}, name TEXT NOT NULL UNIQUE, camera_id INTEGER NOT NULL{more}, "
        f"CONSTRAINT image_id_check CHECK(image_id >= 0 and image_id < {MAX_IMAGES}), "
        "FOREIGN KEY(camera_id) REFERENCES cameras(camera_id))"
    )


def _descriptors(typed: bool) -> str:
    kind = "type INTEGER NOT NULL, " if typed else ""
    return f"CREATE TABLE descriptors (image_id INTEGER PRIMARY KEY NOT NULL, {kind}{_ARRAY}, {_OF_IMAGE})"


_COMMON = (
    f"CREATE TABLE cameras (camera_id {_KEY}, model INTEGER NOT NULL, width INTEGER NOT NULL, "
    "height INTEGER NOT NULL, params BLOB, prior_focal_length INTEGER NOT NULL)",
    f"CREATE TABLE keypoints (image_id INTEGER PRIMARY KEY NOT NULL, {_ARRAY}, {_OF_IMAGE})",
    f"CREATE TABLE matches ({_PAIR})",
)
_INDEX = "CREATE UNIQUE INDEX index_name ON images(name)"
_RIGS = (
    f"CREATE TABLE rigs (rig_id {_KEY}, ref_sensor_id INTEGER NOT NULL, ref_sensor_type INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX rig_ref_sensor_assignment ON rigs(ref_sensor_id, ref_sensor_type)",
    "CREATE TABLE rig_sensors (rig_id INTEGER NOT NULL, sensor_id INTEGER NOT NULL, sensor_type INTEGER NOT NULL, "
    "sensor_from_rig BLOB, FOREIGN KEY(rig_id) REFERENCES rigs(rig_id) ON DELETE CASCADE)",
    "CREATE UNIQUE INDEX rig_sensor_assignment ON rig_sensors(sensor_id, sensor_type)",
    f"CREATE TABLE frames (frame_id {_KEY}, rig_id INTEGER NOT NULL, "
    "FOREIGN KEY(rig_id) REFERENCES rigs(rig_id) ON DELETE CASCADE)",
    "CREATE TABLE frame_data (frame_id INTEGER NOT NULL, data_id INTEGER NOT NULL, sensor_id INTEGER NOT NULL, "
    "sensor_type INTEGER NOT NULL, FOREIGN KEY(frame_id) REFERENCES frames(frame_id) ON DELETE CASCADE)",
    "CREATE UNIQUE INDEX frame_sensor_assignment ON frame_data(data_id, sensor_type)",
)
_PRIORS_OF_IMAGES = (
    "CREATE TABLE pose_priors (image_id INTEGER PRIMARY KEY NOT NULL, position BLOB, "
    f"coordinate_system INTEGER NOT NULL, position_covariance BLOB, {_OF_IMAGE})",
)
_PRIORS_OF_DATA = (
    "CREATE TABLE pose_priors (pose_prior_id INTEGER PRIMARY KEY NOT NULL, corr_data_id INTEGER NOT NULL, "
    "corr_sensor_id INTEGER NOT NULL, corr_sensor_type INTEGER NOT NULL, position BLOB, position_covariance BLOB, "
    "gravity BLOB, coordinate_system INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX pose_prior_data_assignment ON pose_priors(corr_data_id, corr_sensor_id, corr_sensor_type)",
)

VERSIONS: dict[str, tuple[int, tuple[str, ...]]] = {
    "3.8": (
        3800,
        (
            *_COMMON,
            _images(f", {_POSE_38}"),
            _INDEX,
            _descriptors(False),
            f"CREATE TABLE two_view_geometries ({_GEOMETRY})",
        ),
    ),
    "3.13": (
        3900,
        (
            *_COMMON,
            _images(),
            _INDEX,
            _descriptors(False),
            *_RIGS,
            *_PRIORS_OF_IMAGES,
            f"CREATE TABLE two_view_geometries ({_GEOMETRY})",
        ),
    ),
    "4.2": (
        4_020_100,
        (
            *_COMMON,
            _images(),
            _INDEX,
            _descriptors(True),
            *_RIGS,
            *_PRIORS_OF_DATA,
            f"CREATE TABLE two_view_geometries ({_GEOMETRY}, camera1 BLOB, camera2 BLOB)",
        ),
    ),
}
"""A version of COLMAP to the number that its databases have (``user_version``) and the statements that create one."""


def create(connection: sqlite3.Connection, version: str | None = None) -> None:
    """Create the tables of a version, by default of the newest."""
    number, statements = VERSIONS[version or list(VERSIONS)[-1]]
    for statement in statements:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {number}")


def columns_of(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return the columns of every table."""
    tables = [_text(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {t: {_text(r[0]) for r in connection.execute("SELECT name FROM pragma_table_info(?)", (t,))} for t in tables}


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


@dataclass(frozen=True)
class Layout:
    """Which of the differences between versions a database has.

    Attributes
    ----------
    typed : bool
        The type of descriptors is stored, and matrices that are not known are absent.
    rigs : bool
        There are rigs and frames.
    priors : "data", "image", "columns" or None
        Whether pose priors belong to the data of a sensor or to an image, or are columns of the images.
    covariance : bool
        Pose priors have a covariance.
    matched, verified : bool
        There is a table of matches, of two-view geometries.
    gravity : bool
        Pose priors have the direction of gravity.
    """

    typed: bool
    rigs: bool
    priors: str | None
    covariance: bool
    matched: bool
    verified: bool
    gravity: bool

    @property
    def pair_tables(self) -> tuple[str, ...]:
        """Those of the tables of pairs that there are."""
        found = {"matches": self.matched, "two_view_geometries": self.verified}
        return tuple(table for table, there in found.items() if there)

    @classmethod
    def of(cls, columns: dict[str, set[str]]) -> Layout:
        """Return the layout that tables and columns have."""
        prior = columns.get("pose_priors", set())
        kinds = {
            "data": "corr_data_id" in prior,
            "image": "image_id" in prior,
            "columns": "prior_tx" in columns.get("images", set()),
        }
        return cls(
            typed="type" in columns.get("descriptors", set()),
            rigs={"rigs", "frames", "frame_data"} <= set(columns),
            priors=next((kind for kind, there in kinds.items() if there), None),
            covariance="position_covariance" in prior,
            matched={"pair_id", "rows", "cols", "data"} <= columns.get("matches", set()),
            verified={"pair_id", "rows", "cols", "data", "config", "F", "E", "H"}
            <= columns.get("two_view_geometries", set()),
            gravity="gravity" in prior,
        )


def pair_id(a: int, b: int) -> int:
    """Return the number of a pair of images, whichever comes first."""
    return MAX_IMAGES * min(a, b) + max(a, b)


def image_pair(pair: int) -> tuple[int, int]:
    """Return the two images of a pair, the smaller number first."""
    return divmod(pair, MAX_IMAGES)
