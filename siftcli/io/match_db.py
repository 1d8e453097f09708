"""Matches of many pairs in COLMAP's database: the matches, and of verified pairs the two-view geometry.

Images that the database has not got are added with their keypoints and descriptors, see
:mod:`siftcli.io.colmap_db`.  A pair that is there already is replaced, so writing twice changes nothing.  Models are
brought to COLMAP's pixels, where the centre of the first is (0.5, 0.5), and to the order of the images' numbers.

A pair that was verified without finding a model is stored as degenerate, without inliers, as COLMAP does it: its
mapper passes over such pairs, and its matchers do not try them again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ..conventions import corner_origin
from ..errors import FormatError, OutputError
from ..features import Features
from ..matches import Matches, Model
from .collection import check_name
from .colmap_camera import DatabaseOptions
from .colmap_db import DatabaseWriter
from .colmap_db_reader import TABLES, blob_array, collection_reader, image_name
from .colmap_schema import Layout, columns_of, image_pair, pair_id
from .output import followed
from .sqlite_file import SqliteReader

__all__ = ["MatchCollection", "check_names", "pairs_there", "write"]

_DEGENERATE = 1
_CONFIGURATIONS = {"essential": (2, "E"), "fundamental": (3, "F"), "homography": (6, "H"), "similarity": (6, "H")}
"""Kind of a model to the number of COLMAP's configuration of two views, and the matrix there.

2 is calibrated, 3 uncalibrated, 6 planar or panoramic.
"""

_KINDS = {2: ("essential", "E"), 3: ("fundamental", "F"), 4: ("homography", "H"), 5: ("homography", "H")} | {
    6: ("homography", "H"),
    9: ("essential", "E"),
}
"""COLMAP's configuration to the kind of its model: 4 is planar, 5 panoramic, 9 calibrated with a rig."""

_THRESHOLD = 4.0
"""Pixels of error that an inlier may have: COLMAP's default, for a database does not tell it."""

_SHIFT = np.eye(3)
_SHIFT[:2, 2] = corner_origin(np.zeros(2))
_BACK = np.linalg.inv(_SHIFT)


def check_names(path: str | PathLike[str], names: Iterable[str]) -> None:
    """Raise OutputError if an image cannot be named in a database."""
    for name in names:
        check_name(path, name)


# --- writing


def write(
    path: Path,
    pairs: Iterable[tuple[str, str, Matches]],
    features: Callable[[str], Features] | None = None,
    *,
    overwrite: bool = False,
    database: DatabaseOptions | None = None,
) -> None:
    """Add matches to a database, which is made if it is not there.

    Parameters
    ----------
    path : Path
        The database.
    pairs : iterable of (str, str, Matches)
        Where they have `sizes`, images must have just so many keypoints.
    features : callable, optional
        Gives the features of an image by its name.  Without it, all images must be in the database.
    overwrite : bool
        Allows to add to one that exists.
    database : DatabaseOptions, optional
        The version of a new one, and how cameras are made.

    Raises
    ------
    OutputError
        If an image is missing or has other keypoints, or the database cannot be written.
    """
    known: set[str] = set()
    writer = _MatchWriter(followed(path), add=overwrite, options=database)
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
        sizes = matches.sizes or (None, None)
        least = matches.indices.max(axis=0, initial=-1) + 1
        with self._transaction() as connection:
            a, b = (
                self._image_with(name, size, int(some))
                for name, size, some in zip((name_a, name_b), sizes, least, strict=True)
            )
            pair, turned = pair_id(a, b), a > b
            for table, there in (("matches", self._layout.matched), ("two_view_geometries", self._layout.verified)):
                if not there:
                    raise OutputError(self._final, f"has no table {table!r} as COLMAP's; give another name")
                connection.execute(f"DELETE FROM {table} WHERE pair_id = ?", (pair,))
            rows, columns, data = _indices(matches, turned)
            self._insert("matches", pair_id=pair, rows=rows, cols=columns, data=data)
            if matches.inliers is not None:
                rows, columns, data = _indices(matches.only_inliers(), turned)
                geometry = _geometry(matches.model, turned, absent=self._layout.typed)
                self._insert("two_view_geometries", pair_id=pair, rows=rows, cols=columns, data=data, **geometry)

    def _image_with(self, name: str, size: int | None, least: int) -> int:
        """Return the number of an image, which must have so many keypoints, or, where that is not known, at least."""
        image = self._image(name)
        if image is None:
            raise OutputError(self._final, f"has no image named {name!r}; add its features with sift convert first")
        found = self._connection.execute("SELECT rows FROM keypoints WHERE image_id = ?", (image,)).fetchone()
        count = 0 if found is None else found[0]
        if count < least if size is None else count != size:
            wanted = f"at least {least}" if size is None else size
            raise OutputError(
                self._final,
                f"{name}: has {count or 'no'} keypoints there, and {wanted} were matched; match those of the database",
            )
        return image


def _indices(matches: Matches, turned: bool) -> tuple[int, int, bytes]:
    indices = np.ascontiguousarray(matches.indices[:, ::-1] if turned else matches.indices)
    return len(indices), 2, indices.astype("<u4").tobytes()


def pairs_there(
    path: str | PathLike[str], names: Iterable[str], features: Callable[[str], Features] | None, *, verified: bool
) -> frozenset[tuple[str, str]]:
    """Return the pairs that need not be matched again: those in a database, of images with the same features there.

    Parameters
    ----------
    path : path
        The database.
    names : iterable of str
        The images that are to be matched.
    features : callable or None
        Gives the features of an image by its name; None where the database itself has them.
    verified : bool
        Count pairs with a two-view geometry only.

    Returns
    -------
    frozenset of (str, str)
        Each pair both ways round.

    Raises
    ------
    FormatError
        If the database cannot be read.
    """
    with MatchCollection(path) as collection:
        found = collection.verified() if verified else frozenset(collection.pairs)
    wanted = {name for pair in found for name in pair} & set(names)
    if features is not None and wanted:
        with collection_reader(path) as stored:
            wanted = {name for name in wanted & set(stored.names) if stored.holds(name, features(name))}
    kept = [pair for pair in found if wanted.issuperset(pair)]
    return frozenset(kept) | frozenset((b, a) for a, b in kept)


def _geometry(model: Model | None, turned: bool, absent: bool) -> dict[str, object]:
    """Return the configuration and the matrices of a pair; those that it has not got are absent, or zero."""
    blank = {} if absent or model is None else {key: bytes(72) for key in "FEH"}
    pose: dict[str, object] = {"qvec": _packed((1, 0, 0, 0)), "tvec": bytes(24)} if blank else {}
    if model is None:
        return {"config": _DEGENERATE}
    config, key = _CONFIGURATIONS[model.kind]
    if model.pose is not None:
        rotation, translation = model.pose[:, :3], model.pose[:, 3]
        if turned:
            rotation, translation = rotation.T, -rotation.T @ translation
        pose = {"qvec": _packed(_quaternion(rotation)), "tvec": _packed(translation)}
    return {"config": config, **blank, key: _packed(_colmap_matrix(model, turned)), **pose}


def _packed(values: npt.ArrayLike) -> bytes:
    return np.ascontiguousarray(values, "<f8").tobytes()


def _colmap_matrix(model: Model, turned: bool) -> npt.NDArray[np.float64]:
    """Return a model's matrix for points in COLMAP's pixels; an essential matrix is about none."""
    if model.kind == "essential":
        return model.matrix.T if turned else model.matrix
    if model.kind == "fundamental":
        matrix = _BACK.T @ model.matrix @ _BACK
        return matrix.T if turned else matrix
    matrix = _SHIFT @ model.matrix @ _BACK
    return np.linalg.inv(matrix) if turned else matrix


def _quaternion(rotation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the unit quaternion (w, x, y, z) of a rotation: the eigenvector of Bar-Itzhack's matrix."""
    r = rotation
    trace = np.trace(r)
    skew = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    k = np.empty((4, 4))
    k[0, 0], k[0, 1:], k[1:, 0] = trace, skew, skew
    k[1:, 1:] = r + r.T - trace * np.eye(3)
    _, vectors = np.linalg.eigh(k / 3)
    q = vectors[:, -1]
    return q if q[0] >= 0 else -q


# --- reading


class MatchCollection:
    """The matches in a database; a context manager.

    Attributes
    ----------
    pairs : tuple of (str, str)
        Names of the images of each pair that has matches or a geometry, in the order of their numbers.

    Raises
    ------
    FormatError
        If it cannot be read, or is no database of COLMAP.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = str(path)
        self._reader = SqliteReader(path)
        self._connection = self._reader.connection
        try:
            columns = columns_of(self._connection)
            if not TABLES["images"] <= columns.get("images", set()):
                raise FormatError(self._path, "is no COLMAP database: it has no table 'images' as COLMAP's")
            self._layout = Layout.of(columns)
            self._names = {
                i: image_name(name) for i, name in self._connection.execute("SELECT image_id, name FROM images")
            }
            self._sizes = dict(self._connection.execute("SELECT image_id, rows FROM keypoints").fetchall())
            found: set[int] = set()
            for table, there in (("matches", self._layout.matched), ("two_view_geometries", self._layout.verified)):
                if there:
                    found |= {pair for (pair,) in self._connection.execute(f"SELECT pair_id FROM {table}")}
            self._pairs = {self._named(pair): pair for pair in sorted(found)}
        except (sqlite3.Error, ValueError) as error:
            self._connection.close()
            raise self._reader.failed(error) from error
        except FormatError:
            self._connection.close()
            raise
        self.pairs = tuple(self._pairs)

    def _named(self, pair: int) -> tuple[str, str]:
        images = image_pair(pair)
        if not all(image in self._names for image in images):
            raise FormatError(self._path, f"has matches of image {images[0]} with {images[1]}, and no such images")
        return self._names[images[0]], self._names[images[1]]

    def verified(self) -> frozenset[tuple[str, str]]:
        """Return the pairs that have a two-view geometry, also one without inliers."""
        if not self._layout.verified:
            return frozenset()
        found = self._connection.execute("SELECT pair_id FROM two_view_geometries")
        return frozenset(self._named(pair) for (pair,) in found)

    def read(self, name_a: str, name_b: str) -> Matches:
        """Return the matches of a pair, either way round, with its inliers and model where it is verified.

        Inliers that are not among the matches, as guided matching finds them, are added to these.

        Raises
        ------
        KeyError
            If there is no such pair.
        FormatError
            If they are not what COLMAP stores, or cannot be read.
        """
        turned = (name_a, name_b) not in self._pairs
        pair = self._pairs[(name_b, name_a) if turned else (name_a, name_b)]
        what = f"{name_a}, {name_b}: has matches"
        try:
            matched = self._row("matches", "rows, cols, data", pair, self._layout.matched)
            found = self._row("two_view_geometries", "rows, cols, data, config, F, E, H", pair, self._layout.verified)
        except sqlite3.Error as error:
            raise self._reader.failed(error) from error
        self._reader.check_unchanged()
        sizes = tuple(self._sizes.get(image) for image in image_pair(pair))
        indices = np.zeros((0, 2), np.int32) if matched is None else self._checked(matched[:3], sizes, what)
        inliers = model = None
        if found is not None:
            kept = self._checked(found[:3], sizes, f"{what} that are inliers")
            codes = [i[:, 0].astype(np.int64) << 32 | i[:, 1] for i in (indices, kept)]
            indices = np.concatenate([indices, kept[~np.isin(codes[1], codes[0])]])
            inliers = np.isin(indices[:, 0].astype(np.int64) << 32 | indices[:, 1], codes[1])
            model = _model(found[3], dict(zip("FEH", found[4:], strict=True)), turned)
        if turned:
            indices, sizes = indices[:, ::-1], sizes[::-1]
        order = np.lexsort((indices[:, 1], indices[:, 0]))
        return Matches(
            np.ascontiguousarray(indices[order]),
            inliers=None if inliers is None else inliers[order],
            model=model,
            sizes=None if None in sizes else sizes,  # type: ignore[arg-type]
        )

    def _row(self, table: str, columns: str, pair: int, there: bool) -> tuple[object, ...] | None:
        if not there:
            return None
        row: tuple[object, ...] | None = self._connection.execute(
            f"SELECT {columns} FROM {table} WHERE pair_id = ?", (pair,)
        ).fetchone()
        return row

    def _checked(self, row: tuple[object, ...], sizes: tuple[int | None, ...], what: str) -> npt.NDArray[np.int32]:
        """Return indices, which must be of keypoints that there are."""
        rows, columns, data = row
        indices = blob_array(rows, columns, data, "<u4", (2,), what, self._path)
        limits = [2**31 - 1 if not isinstance(size, int) else size for size in sizes]
        if len(indices) and (indices >= limits).any():
            raise FormatError(self._path, f"{what} of keypoints that are not there; the database is damaged")
        return indices.astype(np.int32)

    def __iter__(self) -> Iterator[tuple[str, str, Matches]]:
        for a, b in self.pairs:
            yield a, b, self.read(a, b)

    def __enter__(self) -> MatchCollection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def _model(config: object, blobs: dict[str, object], turned: bool) -> Model | None:
    """Return the model of a configuration, in the library's pixels; None where there is none."""
    kind, key = _KINDS.get(config, ("", ""))  # type: ignore[call-overload]
    blob = blobs.get(key)
    if not isinstance(blob, bytes) or len(blob) != 72:
        return None
    matrix = np.frombuffer(blob, "<f8").reshape(3, 3)
    if not np.isfinite(matrix).all() or not matrix.any():
        return None
    if kind == "fundamental":
        matrix = _SHIFT.T @ matrix @ _SHIFT
        matrix = matrix / np.linalg.norm(matrix)
    elif kind == "homography":
        if turned:
            with np.errstate(all="ignore"):
                if not np.linalg.det(matrix):
                    return None
            matrix = np.linalg.inv(matrix)
        matrix = _BACK @ matrix @ _SHIFT
        return Model(kind, matrix / matrix[2, 2] if matrix[2, 2] else matrix, _THRESHOLD)
    return Model(kind, matrix.T if turned else matrix.copy(), _THRESHOLD)
