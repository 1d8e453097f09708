"""Matches of many pairs in HDF5, in hloc's layout.

A group for each pair, ``<name a>/<name b>`` with ``-`` for each ``/`` in a name, and in it

* ``matches0`` (N_a,) int32: for each keypoint of a the index of its match in b, or -1;
* ``matching_scores0`` (N_a,) float32: ``1 - d^2 / 4`` for descriptors at distance d, which is hloc's score (their
  cosine, brought to 0 to 1); 0 where there is no match.

The layout has no place for a verdict: of matches that were verified, the inliers are written.  What it has no place for
is in attributes, which hloc does not read: of a group, ``name_a`` and ``name_b`` and, of verified pairs, ``matches``
(how many there were), ``model``, ``matrix`` and ``threshold``; of the file, ``format`` and ``version``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, OutputError
from ..matches import Matches, Model
from .collection import check_name
from .files import why_unreadable
from .hdf5_writer import create_hdf5

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]

__all__ = ["MatchCollection", "check_names", "group_name", "write"]

_FORMAT = "siftcli-matches"
_VERSION = 1
_LARGEST = 1 << 26
"""Keypoints that an image may have."""

_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, OverflowError, UnicodeError)
"""What h5py raises on damaged files."""


def group_name(name_a: str, name_b: str) -> str:
    """Return the place of a pair in the file."""
    return f"{name_a.replace('/', '-')}/{name_b.replace('/', '-')}"


def check_names(path: str | PathLike[str], names: Iterable[str]) -> None:
    """Raise OutputError if an image cannot be named in the file, or two would have the same name there."""
    taken: dict[str, str] = {}
    for name in names:
        place = check_name(path, name).replace("/", "-")
        if place in (".", ".."):
            raise OutputError(path, f"cannot hold an image named {name!r}")
        other = taken.setdefault(place, name)
        if other != name:
            raise OutputError(path, f"{other!r} and {name!r} would both be {place!r} in it; rename one of them")


def write(path: Path, pairs: Iterable[tuple[str, str, Matches]], *, overwrite: bool = False) -> None:
    """Write a file, all of it or nothing; equal input gives equal bytes.

    Parameters
    ----------
    path : Path
        The file.
    pairs : iterable of (str, str, Matches)
        With `sizes`.
    overwrite : bool
        Replace a file of that name.

    Raises
    ------
    OutputError
        If a name cannot be in the file, or it cannot be written.
    """
    with create_hdf5(path, overwrite=overwrite) as output:
        with output.writing() as file:
            file.attrs["format"], file.attrs["version"] = _FORMAT, _VERSION
        for name_a, name_b, matches in pairs:
            check_names(path, {name_a, name_b})
            place = group_name(name_a, name_b)
            with output.writing() as file:
                if place in file:
                    raise OutputError(path, f"the pair {name_a!r}, {name_b!r} is there already; give each pair once")
                _fill(file.create_group(place), name_a, name_b, matches)


def _fill(group: h5py.Group, name_a: str, name_b: str, matches: Matches) -> None:
    if matches.sizes is None:
        raise ValueError("matches have no sizes")
    kept = matches.only_inliers()
    partner = np.full(matches.sizes[0], -1, np.int32)
    partner[kept.indices[:, 0]] = kept.indices[:, 1]
    score = np.zeros(matches.sizes[0], np.float32)
    if kept.distances is not None:
        score[kept.indices[:, 0]] = np.maximum(1 - np.square(kept.distances) / 4, 0)
    # Most keypoints have no match, so this is small.
    packed: dict[str, Any] = {"compression": 1, "shuffle": True, "chunks": partner.shape} if len(partner) else {}
    group.create_dataset("matches0", data=partner, **packed)
    group.create_dataset("matching_scores0", data=score, **packed)
    group.attrs["name_a"], group.attrs["name_b"] = name_a, name_b
    if matches.inliers is not None:
        group.attrs["matches"] = len(matches)
    if matches.model is not None:
        group.attrs["model"] = matches.model.kind
        group.attrs["matrix"] = matches.model.matrix
        group.attrs["threshold"] = matches.model.threshold


class MatchCollection:
    """An open file of matches in hloc's layout, whoever wrote it; a context manager.

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
        import h5py

        self._path = str(path)
        try:
            with Path(path).open("rb"):  # for an error in plain words
                pass
            self._file = h5py.File(path, "r")
        except OSError as error:
            if error.errno is not None:
                raise FormatError(self._path, why_unreadable(error)) from error
            raise FormatError(self._path, "is not HDF5, or not a whole file") from error
        try:
            self._places = dict(self._walk())
        except _DAMAGE as error:
            self._file.close()
            raise self._damaged() from error
        except FormatError:
            self._file.close()
            raise
        self.pairs = tuple(self._places)

    def _walk(self) -> Iterator[tuple[tuple[str, str], Any]]:
        for first in self._file:
            outer = self._group(self._file, first)
            for second in outer:
                group = self._group(outer, second)
                if "matches0" not in group:
                    raise FormatError(self._path, f"'{first}/{second}' has no matches0; this is not a file of matches")
                names = (group.attrs.get("name_a", first), group.attrs.get("name_b", second))
                yield (str(names[0]), str(names[1])), group

    def _group(self, parent: Any, name: str) -> Any:
        import h5py

        if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
            raise FormatError(self._path, f"{name!r} is a link to another place or file; links are not followed")
        group = parent[name]
        if not isinstance(group, h5py.Group):
            raise FormatError(self._path, f"{name!r} is no group; this is not a file of matches in hloc's layout")
        return group

    def read(self, name_a: str, name_b: str) -> Matches:
        """Return the matches of a pair; distances follow from the scores.

        Raises
        ------
        KeyError
            If the file has no such pair.
        FormatError
            If a dataset has another shape or kind of numbers, or cannot be read.
        """
        group = self._places[name_a, name_b]
        try:
            partner = self._array(group, "matches0", "iu")
            score = self._array(group, "matching_scores0", "f") if "matching_scores0" in group else None
            model = self._model(group)
        except _DAMAGE as error:
            raise self._damaged() from error
        if len(partner) and (partner.min() < -1 or partner.max() >= 2**31):
            raise FormatError(self._path, f"{name_a}, {name_b}: has an index below -1 or beyond 32 bits")
        if score is not None and score.shape != partner.shape:
            raise FormatError(self._path, f"{name_a}, {name_b}: has {len(score)} scores for {len(partner)} keypoints")
        index = np.flatnonzero(partner >= 0)
        distances = None if score is None else 2 * np.sqrt(np.maximum(1 - score[index].astype(np.float64), 0))
        return Matches(
            indices=np.stack([index, partner[index]], axis=1).astype(np.int32),
            distances=distances,
            inliers=np.ones(len(index), bool) if "matches" in group.attrs else None,
            model=model,
        )

    def _array(self, group: Any, key: str, kinds: str) -> npt.NDArray[Any]:
        import h5py

        dataset = group[key]
        if not isinstance(group.get(key, getlink=True), h5py.HardLink) or not isinstance(dataset, h5py.Dataset):
            raise FormatError(self._path, f"{group.name}: {key} is no array of its own; it is not read")
        if dataset.external or dataset.is_virtual:
            raise FormatError(self._path, f"{group.name}: {key} is kept in another file, which is not read")
        if dataset.dtype.kind not in kinds or len(dataset.shape) != 1 or dataset.shape[0] > _LARGEST:
            raise FormatError(
                self._path, f"{group.name}: {key} is {dataset.dtype} of shape {dataset.shape}; it is no list of matches"
            )
        return np.asarray(dataset[()])

    def _model(self, group: Any) -> Model | None:
        if "model" not in group.attrs:
            return None
        matrix = np.asarray(group.attrs["matrix"], np.float64).reshape(3, 3)
        return Model(str(group.attrs["model"]), matrix, float(group.attrs["threshold"]))

    def _damaged(self) -> FormatError:
        return FormatError(self._path, "is damaged, or is no file of matches in hloc's layout")

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
