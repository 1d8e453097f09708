"""Reading the matches and two-view geometries in COLMAP's database, see :mod:`siftcli.io.colmap.matches`."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...matches import Matches
from .file import DatabaseReader, blob_array, image_name
from .geometry import stored_model
from .schema import image_pair

__all__ = ["MatchCollection"]


class MatchCollection(DatabaseReader):
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
        super().__init__(path, ("images",))

    def _begin(self) -> None:
        self._names = {i: image_name(name) for i, name in self.connection.execute("SELECT image_id, name FROM images")}
        self._sizes = dict(self.connection.execute("SELECT image_id, rows FROM keypoints").fetchall())
        found: set[int] = set()
        for table in self.layout.pair_tables:
            found |= {pair for (pair,) in self.connection.execute(f"SELECT pair_id FROM {table}")}
        self._pairs = {self._named(pair): pair for pair in sorted(found)}
        self.pairs = tuple(self._pairs)

    def _named(self, pair: int) -> tuple[str, str]:
        images = image_pair(pair)
        if not all(image in self._names for image in images):
            raise FormatError(self.path, f"has matches of image {images[0]} with {images[1]}, and no such images")
        return self._names[images[0]], self._names[images[1]]

    def verified(self) -> frozenset[tuple[str, str]]:
        """Return the pairs that have a two-view geometry, also one without inliers."""
        if not self.layout.verified:
            return frozenset()
        found = self.connection.execute("SELECT pair_id FROM two_view_geometries")
        return frozenset(self._named(pair) for (pair,) in found)

    def count_verified(self) -> int:
        """Return how many pairs have inliers of a model."""
        if not self.layout.verified:
            return 0
        query = "SELECT COUNT(*) FROM two_view_geometries WHERE rows > 0"
        return int(self.connection.execute(query).fetchone()[0])

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
        with self.reading():
            matched = self._row("matches", "rows, cols, data", pair)
            found = self._row("two_view_geometries", "rows, cols, data, config, F, E, H", pair)
        self.check_unchanged()
        sizes = tuple(self._sizes.get(image) for image in image_pair(pair))
        indices = np.zeros((0, 2), np.int32) if matched is None else self._checked(matched[:3], sizes, what)
        inliers = model = None
        if found is not None:
            kept = self._checked(found[:3], sizes, f"{what} that are inliers")
            codes = [i[:, 0].astype(np.int64) << 32 | i[:, 1] for i in (indices, kept)]
            indices = np.concatenate([indices, kept[~np.isin(codes[1], codes[0])]])
            inliers = np.isin(indices[:, 0].astype(np.int64) << 32 | indices[:, 1], codes[1])
            model = stored_model(found[3], dict(zip("FEH", found[4:], strict=True)), turned)
        if turned:
            indices, sizes = indices[:, ::-1], sizes[::-1]
        order = np.lexsort((indices[:, 1], indices[:, 0]))
        return Matches(
            np.ascontiguousarray(indices[order]),
            inliers=None if inliers is None else inliers[order],
            model=model,
            sizes=None if None in sizes else sizes,  # type: ignore[arg-type]
        )

    def _row(self, table: str, columns: str, pair: int) -> tuple[object, ...] | None:
        if table not in self.layout.pair_tables:
            return None
        row: tuple[object, ...] | None = self.connection.execute(
            f"SELECT {columns} FROM {table} WHERE pair_id = ?", (pair,)
        ).fetchone()
        return row

    def _checked(self, row: tuple[object, ...], sizes: tuple[int | None, ...], what: str) -> npt.NDArray[np.int32]:
        """Return indices, which must be of keypoints that there are."""
        rows, columns, data = row
        indices = blob_array(rows, columns, data, "<u4", (2,), what, self.path)
        limits = [2**31 - 1 if not isinstance(size, int) else size for size in sizes]
        if len(indices) and (indices >= limits).any():
            raise FormatError(self.path, f"{what} of keypoints that are not there; the database is damaged")
        return indices.astype(np.int32)

    def __iter__(self) -> Iterator[tuple[str, str, Matches]]:
        for a, b in self.pairs:
            yield a, b, self.read(a, b)
