"""Read matches of many pairs from HDF5 in the layout of :mod:`siftcli.io.hdf5.matches`, by any program."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...matches import MODELS, Matches, Model, Origin
from .file import attributes_of, child, damage_named, links_of, open_hdf5, read_array

if TYPE_CHECKING:
    import h5py

__all__ = ["MatchCollection"]


class MatchCollection:
    """An open file of matches; a context manager.

    Attributes
    ----------
    pairs : tuple of (str, str)
        The names of the images, as the file has them.

    Raises
    ------
    FormatError
        If it cannot be read, or holds something else.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = str(path)
        self._file = open_hdf5(path)
        try:
            with damage_named(self._path):
                self._places = dict(self._walk())
        except FormatError:
            self._file.close()
            raise
        self.pairs = tuple(self._places)

    def _walk(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Yield the names of every pair, and its place."""
        seen: set[Any] = set()
        for first in links_of(self._file, self._path):
            if not first.is_group or first.place in seen:
                raise FormatError(self._path, f"{first.name!r} is no group of its own; this is not a file of matches")
            seen.add(first.place)
            outer = child(self._file, first)
            for second in links_of(outer, self._path, f"{first.name}/"):
                where = f"{first.name}/{second.name}"
                if not second.is_group or second.place in seen:
                    raise FormatError(self._path, f"{where!r} is no group of its own; this is not a file of matches")
                seen.add(second.place)
                group = child(outer, second)
                if "matches0" not in group:
                    raise FormatError(self._path, f"{where!r} has no matches0; this is not a file of matches")
                yield self._names(group, first.name, second.name), where

    @staticmethod
    def _names(group: h5py.Group, first: str, second: str) -> tuple[str, str]:
        """Return the images' names: from attributes, or from the groups, which have dashes for slashes."""
        if "name_a" not in group.attrs:
            return first, second
        told = attributes_of(group)
        a, b = (told.get(key, name) for key, name in (("name_a", first), ("name_b", second)))
        return str(a), str(b)

    def read(self, name_a: str, name_b: str) -> Matches:
        """Return the matches of a pair; distances follow from the scores.

        Raises
        ------
        KeyError
            If the file has no such pair.
        FormatError
            If a dataset has another shape or kind of numbers, or cannot be read.
        """
        where = self._places[name_a, name_b]
        with damage_named(self._path, where):
            group = self._file[where.encode("utf-8", "surrogateescape")]
            links_of(group, self._path, f"{where}/")  # refuses links to other files
            partner = self._array(group, "matches0", "iu", where)
            score = self._array(group, "matching_scores0", "f", where) if "matching_scores0" in group else None
            told = attributes_of(group)
        if len(partner) and (partner.min() < -1 or partner.max() >= 2**31):
            raise FormatError(self._path, f"{where}: has an index below -1 or beyond 32 bits")
        if score is not None and score.shape != partner.shape:
            raise FormatError(self._path, f"{where}: has {len(score)} scores for {len(partner)} keypoints")
        index = np.flatnonzero(partner >= 0)
        distances = None
        if score is not None:
            if not np.isfinite(score[index]).all():
                raise FormatError(self._path, f"{where}: has a score that is not finite; leave those matches out")
            distances = 2 * np.sqrt(np.maximum(1 - score[index].astype(np.float64), 0))
        return Matches(
            indices=np.stack([index, partner[index]], axis=1).astype(np.int32),
            distances=distances,
            inliers=np.ones(len(index), bool) if "matches" in told else None,
            model=self._model(told, where),
            origins=(_origin(told, "a", name_a), _origin(told, "b", name_b)),
        )

    def count_verified(self) -> int:
        """Return how many pairs have inliers of a model; FormatError if the file is damaged."""
        with damage_named(self._path):
            groups = (self._file[where.encode("utf-8", "surrogateescape")] for where in self._places.values())
            return sum("model" in group.attrs for group in groups)

    def origins(self, name_a: str, name_b: str) -> tuple[Origin, Origin]:
        """Return what the file tells about the images of a pair; KeyError and FormatError as `read`."""
        where = self._places[name_a, name_b]
        with damage_named(self._path, where):
            told = attributes_of(self._file[where.encode("utf-8", "surrogateescape")])
        return _origin(told, "a", name_a), _origin(told, "b", name_b)

    def copy(self, pair: tuple[str, str], to: h5py.File) -> None:
        """Copy a pair to another file, as it is; KeyError and FormatError as `read`."""
        self.read(*pair)  # nothing damaged is copied
        place = self._places[pair].encode("utf-8", "surrogateescape")
        self._file.copy(self._file[place], to.require_group(place.rpartition(b"/")[0]), place.rpartition(b"/")[2])

    def _array(self, group: h5py.Group, key: str, kinds: str, where: str) -> npt.NDArray[Any]:
        array = read_array(group, key, self._path, where)
        if array.dtype.kind not in kinds or array.ndim != 1:
            raise FormatError(
                self._path, f"{where}: {key} is {array.dtype} of shape {array.shape}; it is no list of matches"
            )
        return array

    def _model(self, told: dict[str, Any], where: str) -> Model | None:
        if "model" not in told:
            return None
        kind, matrix, threshold = (told.get(key) for key in ("model", "matrix", "threshold"))
        matrix = np.asarray(matrix)
        good = kind in MODELS and matrix.dtype.kind in "fiu" and matrix.shape == (3, 3) and np.isfinite(matrix).all()
        if not good or not isinstance(threshold, float | int | np.number) or not np.isfinite(threshold):
            raise FormatError(self._path, f"{where}: has a model that is not whole, or of an unknown kind")
        return Model(str(kind), matrix.astype(np.float64), float(threshold))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[tuple[str, str, Matches]]:
        for name_a, name_b in self.pairs:
            yield name_a, name_b, self.read(name_a, name_b)

    def __enter__(self) -> MatchCollection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _origin(told: dict[str, Any], side: str, name: str) -> Origin:
    """Return what the attributes of a pair record about one of its images, at least the name."""
    size, digest = np.asarray(told.get(f"size_{side}", ())), told.get(f"digest_{side}")
    known = size.shape == (2,) and size.dtype.kind in "iu" and (size > 0).all()
    return Origin(name, (int(size[0]), int(size[1])) if known else None, digest if isinstance(digest, str) else None)
