"""The points of a sheet, divided among workers.

Extrema are not spread evenly over an image, so what one worker finds, others help to describe.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .localize import Points
from .octaves import Index
from .sheets import Sheet

__all__ = ["Share"]

_BLOCK = 1024
"""Points that are given orientations and descriptors at a time, about: what one leaves behind is still in the cache."""
_GROUP = 256
"""Points of an image, at most, that are in one block in any case."""


class Share(NamedTuple):
    """The points of a sheet, in blocks that are done together, by whichever worker.

    Attributes
    ----------
    memory, shape, table
        See `ScaleSpace.attached`.
    points : Points
        Group after group.
    group : (N,) intp
        Points of one image that are done together in any case.
    ends : list of int
        Where each block ends.
    """

    memory: int
    shape: tuple[int, ...]
    table: Index
    points: Points
    group: Index
    ends: list[int]

    @classmethod
    def of(cls, sheet: Sheet, memory: int, points: Points, workers: int) -> tuple[Share, int]:
        """Return the points of a sheet and the number of their blocks."""
        order, group = _groups(sheet.image[points.region] + points.scan[:, 0] // sheet.unit)
        ends = _blocks(np.cumsum(np.bincount(group)), workers)
        return cls(memory, sheet.levels.shape, sheet.table, points.take(order), group, ends), len(ends)

    def block(self, i: int) -> tuple[Points, Index]:
        """Return the points of a block and their groups."""
        some = slice(self.ends[i - 1] if i else 0, self.ends[i])
        return self.points.take(some), self.group[some]


def _groups(image: Index) -> tuple[Index, Index]:
    """Divide points: those of an image, or a unit of it, the same way whoever takes them, and whatever others.

    Returns
    -------
    order : (N,) intp
        The points, group after group.
    group : (N,) intp
        Ascending.
    """
    order = np.argsort(image, kind="stable")
    counts = np.bincount(image)
    image = image[order]
    place = np.arange(len(image)) - (np.cumsum(counts) - counts)[image]
    parts = -(-counts // _GROUP)
    group = (np.cumsum(parts) - parts)[image] + place * parts[image] // np.maximum(counts[image], 1)
    return order, group


def _blocks(ends: Index, workers: int) -> list[int]:
    """Return where blocks of groups end: large ones first, small ones last, so that all workers are done at once."""
    blocks, done = [], 0
    while len(ends) and done < ends[-1]:
        size = min(_BLOCK, (int(ends[-1]) - done) // workers)
        done = int(ends[np.searchsorted(ends, done + max(size, 1))])
        blocks.append(done)
    return blocks
