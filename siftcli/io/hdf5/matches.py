"""Matches of many pairs in HDF5, in hloc's layout.

A group for each pair, ``<name a>/<name b>`` with ``-`` for each ``/`` in a name, and in it

* ``matches0`` (N_a,) int32: for each keypoint of a the index of its match in b, or -1;
* ``matching_scores0`` (N_a,) float32: ``1 - d^2 / 4`` for descriptors at distance d, which is hloc's score (their
  cosine, brought to 0 to 1); 0 where there is no match.

The layout cannot mark inliers: of verified matches, only the inliers are written.  Other facts are in attributes, which
hloc does not read: of a group, ``name_a`` and ``name_b`` and, of verified pairs, ``matches`` (the number of all
matches), ``model``, ``matrix`` and ``threshold``; of the file, ``format`` and ``version``.  Text is of fixed length, in
UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import OutputError
from ...matches import Matches, digest_of
from ..names import check_name
from .matches_reader import MatchCollection
from .writer import create_hdf5

if TYPE_CHECKING:
    import h5py

    from ...features import Features

__all__ = ["MatchCollection", "check_names", "group_name", "pairs_there", "write"]

_FORMAT = "siftcli-matches"
_VERSION = 1


def group_name(name_a: str, name_b: str) -> str:
    """Return the place of a pair in the file."""
    return f"{name_a.replace('/', '-')}/{name_b.replace('/', '-')}"


def check_names(path: str | PathLike[str], names: Iterable[str]) -> None:
    """Raise OutputError if an image cannot be named in the file, or two would have the same name there."""
    taken: dict[str, str] = {}
    for name in names:
        place = check_name(path, name).replace("/", "-")
        other = taken.setdefault(place, name)
        if other != name:
            raise OutputError(path, f"{other!r} and {name!r} would both be {place!r} in it; rename one of them")


def write(
    path: Path,
    pairs: Iterable[tuple[str, str, Matches]],
    *,
    overwrite: bool = False,
    kept: Iterable[tuple[str, str]] = (),
) -> None:
    """Write a file atomically; equal input gives equal bytes.

    Parameters
    ----------
    path : Path
        The file.
    pairs : iterable of (str, str, Matches)
        With `sizes`.
    overwrite : bool
        Replace a file of that name.
    kept : iterable of (str, str)
        Pairs of that file that stay, as they are.

    Raises
    ------
    FormatError
        If `kept` names pairs and that file cannot be read.
    OutputError
        If a name cannot be in the file, or it cannot be written.
    """
    with create_hdf5(path, overwrite=overwrite) as output:
        with output.writing() as file:
            file.attrs["format"], file.attrs["version"] = np.bytes_(_FORMAT.encode()), _VERSION
        if kept := list(kept):
            with MatchCollection(path) as earlier:
                for names in kept:
                    with output.writing() as file:
                        earlier.copy(names, file)
        for name_a, name_b, matches in pairs:
            check_names(path, {name_a, name_b})
            place = group_name(name_a, name_b)
            with output.writing() as file:
                if place in file:
                    raise OutputError(path, f"the pair {name_a!r}, {name_b!r} is there already; give each pair once")
                _fill(file.create_group(place), name_a, name_b, matches)


def pairs_there(
    path: str | PathLike[str], names: Iterable[str], features: Callable[[str], Features]
) -> frozenset[tuple[str, str]]:
    """Return the pairs in a file that need not be matched again: those of images with the same features.

    Parameters
    ----------
    path : path
        The file.
    names : iterable of str
        The images that there are.
    features : callable
        Gives the features of an image by its name.

    Returns
    -------
    frozenset of (str, str)
        Each pair as it is in the file.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    known, digests = frozenset(names), {}
    there = set()
    with MatchCollection(path) as collection:
        for pair in collection.pairs:
            if not known.issuperset(pair):
                continue
            for name in pair:
                if name not in digests:
                    digests[name] = digest_of(features(name))
            origins = collection.origins(*pair)
            if tuple(origin.digest for origin in origins) == tuple(digests[name] for name in pair):
                there.add(pair)
    return frozenset(there)


def _fill(group: h5py.Group, name_a: str, name_b: str, matches: Matches) -> None:
    if matches.sizes is None:
        raise ValueError("matches have no sizes")
    kept = matches.only_inliers()
    partner = np.full(matches.sizes[0], -1, np.int32)
    partner[kept.indices[:, 0]] = kept.indices[:, 1]
    score = np.zeros(matches.sizes[0], np.float32)
    if kept.distances is not None:
        score[kept.indices[:, 0]] = np.maximum(1 - np.square(kept.distances) / 4, 0)
    # Most keypoints have no match, so these arrays compress well.
    packed: dict[str, Any] = {"compression": 1, "shuffle": True, "chunks": partner.shape} if len(partner) else {}
    group.create_dataset("matches0", data=partner, **packed)
    group.create_dataset("matching_scores0", data=score, **packed)
    # Text of fixed length: HDF5 stores that of variable length without a checksum, and readers refuse it.
    group.attrs["name_a"], group.attrs["name_b"] = np.bytes_(name_a.encode()), np.bytes_(name_b.encode())
    for side, origin in zip("ab", matches.origins or (), strict=False):
        if origin.size is not None:
            group.attrs[f"size_{side}"] = np.array(origin.size, np.int64)
        if origin.digest is not None:
            group.attrs[f"digest_{side}"] = np.bytes_(origin.digest.encode())
    if matches.inliers is not None:
        group.attrs["matches"] = len(matches)
    if matches.model is not None:
        group.attrs["model"] = np.bytes_(matches.model.kind.encode())
        group.attrs["matrix"] = matches.model.matrix
        group.attrs["threshold"] = matches.model.threshold
