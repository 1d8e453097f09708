"""Which pairs of a collection's images to match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, PlanError
from ..io.files import Source
from ..io.match_list import read_pairs

__all__ = ["Pairs", "exhaustive", "from_list", "nearest_pairs", "sequential"]

_MOST = 50_000_000


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images, in the order of the output.

    Attributes
    ----------
    names : tuple of str
        Names of the images.
    index : (P, 2) int32
        Into the names.
    notes : tuple of str
        Messages for the user, one line each.
    """

    names: tuple[str, ...]
    index: npt.NDArray[np.int32]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: int) -> tuple[str, str]:
        a, b = self.index[key].tolist()
        return self.names[a], self.names[b]

    def used(self) -> list[str]:
        """The names that are in a pair."""
        return [self.names[i] for i in np.unique(self.index).tolist()]

    def schedule(self, tile: int) -> npt.NDArray[np.intp]:
        """Order the pairs so that those which come together are of few images.

        Parameters
        ----------
        tile : int
            A tile of so many images beside so many others is finished before the next is begun.

        Returns
        -------
        (P,) intp
            Into the pairs.
        """
        a, b = self.index.T
        return np.lexsort((b, a, b // tile, a // tile))


def exhaustive(names: Sequence[str]) -> Pairs:
    """Pair every image with every other one.

    Raises
    ------
    PlanError
        If those are more than 50 million pairs.
    """
    n = len(names)
    if n * (n - 1) // 2 > _MOST:
        raise PlanError(f"--exhaustive: {n} images have {n * (n - 1) // 2:,} pairs; use --retrieve or --sequential")
    return Pairs(tuple(names), np.stack(np.triu_indices(n, 1), axis=1).astype(np.int32))


def sequential(names: Sequence[str], following: int) -> Pairs:
    """Pair every image with so many that follow it, in the order of their names.

    Raises
    ------
    PlanError
        If `following` is below 1.
    """
    if following < 1:
        raise PlanError(f"--sequential: must be at least 1, not {following}")
    n = len(names)
    steps = np.arange(1, min(following, max(n - 1, 0)) + 1)
    first = np.repeat(np.arange(n), len(steps))
    second = first + np.tile(steps, n)
    index = np.stack([first, second], axis=1)[second < n]
    return Pairs(tuple(names), index.astype(np.int32))


def nearest_pairs(names: Sequence[str], neighbours: npt.NDArray[np.intp]) -> Pairs:
    """Pair every image with its neighbours, each pair once.

    Parameters
    ----------
    names : sequence of str
        N images.
    neighbours : (N, K) intp
        For every image, the indices of others.
    """
    first = np.repeat(np.arange(len(names)), neighbours.shape[1])
    index = np.sort(np.stack([first, neighbours.ravel()], axis=1), axis=1)
    return Pairs(tuple(names), np.unique(index, axis=0).astype(np.int32).reshape(-1, 2))


def from_list(names: Sequence[str], source: Source, *, name: str | None = None) -> Pairs:
    """Pair the images that a list names, see :mod:`siftcli.io.match_list`.

    A pair that is listed again, either way round, counts once.  Names of images that are not there stay: that is for
    the matching to report.

    Parameters
    ----------
    names : sequence of str
        The images that there are.
    source : path, bytes or binary file
        The list.
    name : str, optional
        The list's name in messages.

    Raises
    ------
    PlanError
        If the list cannot be read, has no pairs, or pairs an image with itself.
    """
    try:
        listed = read_pairs(source, name=name)
    except FormatError as error:
        raise PlanError(f"--pairs: {error}") from error
    if not listed:
        raise PlanError("--pairs: the list has no pairs")
    place = {name: i for i, name in enumerate(names)}
    pairs: dict[tuple[int, int], tuple[int, int]] = {}
    for a, b in listed:
        if a == b:
            raise PlanError(f"--pairs: the list pairs {a!r} with itself; remove that line")
        i, j = (place.setdefault(n, len(place)) for n in (a, b))
        pairs.setdefault((min(i, j), max(i, j)), (i, j))
    again = len(listed) - len(pairs)
    notes = (f"{again} of {len(listed)} listed pairs are there twice, and count once",) if again else ()
    return Pairs(tuple(place), np.array(list(pairs.values()), np.int32), notes)
