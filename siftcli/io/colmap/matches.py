"""Matches of many pairs in COLMAP's database: the matches, and of verified pairs the two-view geometry.

Images that the database lacks are added with their keypoints and descriptors, see :mod:`siftcli.io.colmap.features`.
A pair that is there already is replaced, so writing twice changes nothing.  Models are brought to COLMAP's pixels,
where the centre of the first is (0.5, 0.5), and to the order of the images' numbers.

A pair that was verified without finding a model is stored as degenerate, without inliers, as COLMAP does it: its
mapper skips such pairs, and its matchers do not try them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path

import numpy as np

from ...errors import OutputError
from ...features import Features
from ...matches import Matches
from ..collection import check_name
from ..output import followed
from .camera import DatabaseOptions
from .features import DatabaseWriter, collection_reader
from .geometry import geometry_columns
from .matches_reader import MatchCollection
from .schema import pair_id

__all__ = ["MatchCollection", "check_names", "pairs_there", "write"]


def check_names(path: str | PathLike[str], names: Iterable[str]) -> None:
    """Raise OutputError if an image cannot be named in a database."""
    for name in names:
        check_name(path, name)


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
            for table in ("matches", "two_view_geometries"):
                if table not in self._layout.pair_tables:
                    raise OutputError(self._final, f"has no table {table!r} as COLMAP's; give another name")
                connection.execute(f"DELETE FROM {table} WHERE pair_id = ?", (pair,))
            rows, columns, data = _indices(matches, turned)
            self._insert("matches", pair_id=pair, rows=rows, cols=columns, data=data)
            if matches.inliers is not None:
                rows, columns, data = _indices(matches.only_inliers(), turned)
                geometry = geometry_columns(matches.model, turned, absent=self._layout.typed)
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
