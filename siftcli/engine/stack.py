"""The sheet of all small octaves, of one image or of a stack of images of one size."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..features import Float32, Image
from ..params import DetectorParams
from .gaussian import BLOCK, blocks
from .octaves import Index, Octave
from .sheets import Sheet, continue_linearly, within

__all__ = ["Layout", "Stack", "layout_of"]

_KILOBYTE = 256
"""Samples.  Long rows of a whole number of them are written in 0.6 of the time of others; why was not found out."""


class Layout(NamedTuple):
    """How the octaves of a stack of images lie in a sheet.

    The images lie side by side.  Of each, the second octave lies below the first, and all others to the right of the
    second, below each other.  Around each octave, there is a pixel for `extrapolate`.

    Attributes
    ----------
    rows, columns : int
        Of the sheet.
    cell : int
        Columns of an image.
    first, last : int
        Rows in which there are octaves.
    corners : list of (top, left)
        Of every octave of the first image.
    table : (6, regions) intp
        Octave after octave, and of each, image after image; see `Sheet`.
    tiles : (rows / BLOCK, columns / BLOCK) intp
        The region of every block of pixels, where there is one.
    inside : ((last - first) / 2, columns) bool
        Pairs of pixels above each other, from row `first` on, one or both of which may be extrema.
    """

    rows: int
    columns: int
    cell: int
    first: int
    last: int
    corners: list[tuple[int, int]]
    table: Index
    tiles: Index
    inside: npt.NDArray[np.bool_]


@lru_cache(maxsize=64)
def layout_of(images: int, shapes: tuple[tuple[int, int, int], ...], halo: int, border: int) -> Layout:
    """Return the layout for octaves `(octave, height, width)` of so many images, with a halo above and below.

    Within `border` pixels of the end of an octave, there are no extrema.
    """
    heights, widths = ([blocks(shape[axis] + 2) for shape in shapes] for axis in (1, 2))
    first, left = blocks(halo), Sheet.margin
    below = first + heights[0]
    corners = [(first, left), (below, left)][: len(shapes)]
    corners += [(below + sum(heights[2:k]), left + widths[1]) for k in range(2, len(shapes))]
    last = max(top + height for (top, _), height in zip(corners, heights, strict=True))
    cell = max(left + width for (_, left), width in zip(corners, widths, strict=True))
    rows, columns = last + first, images * cell
    if columns >= 4 * _KILOBYTE:
        columns = -(-columns // _KILOBYTE) * _KILOBYTE
    table: list[tuple[int, ...]] = []
    tiles = np.zeros((rows // BLOCK, columns // BLOCK), np.intp)
    inside = np.zeros(((last - first) // 2, columns), np.bool_)
    for (octave, height, width), (top, left) in zip(shapes, corners, strict=True):
        for image in range(images):
            x = left + image * cell
            tiles[top // BLOCK : (top + height) // BLOCK + 1, x // BLOCK : (x + width) // BLOCK + 1] = len(table)
            if min(height, width) > 2 * border:
                pairs = slice((top - first + border) // 2, (top - first + height - border + 1) // 2)
                inside[pairs, x + border : x + width - border] = True
            table.append((top, x, height, width, octave, image))
    return Layout(rows, columns, cell, first, last, corners, np.array(table).T, tiles, inside)


class Stack(Sheet):
    """All small octaves of a stack of images of one size.

    Parameters
    ----------
    source : (images, rows, columns) array
        The images, or the base of the first octave.
    shapes : list of (octave, height, width)
    detector : DetectorParams
    base : bool
        Whether `source` is a base.
    layout : Layout
    memory : (size,) float32
        The levels are kept in it.
    """

    def __init__(
        self,
        source: Image,
        shapes: list[tuple[int, int, int]],
        detector: DetectorParams,
        base: bool,
        layout: Layout,
        memory: Float32,
    ) -> None:
        levels = within(memory, (detector.scales_per_octave + 3, layout.rows, layout.columns))
        super().__init__(levels, layout.table, layout.first, layout.last)
        count, cell = len(source), layout.cell
        images = levels[:, :, : count * cell].reshape(*levels.shape[:2], count, cell).swapaxes(1, 2)
        self._tiles, self._inside = layout.tiles, layout.inside
        self._around: list[Float32] = []  # of the levels that are not continued yet
        for shape, (top, left) in zip(shapes, layout.corners, strict=True):
            octave = Octave.of(source, shape, detector, base=base)
            height, width = octave.height, octave.width
            inner = images[:, :, top : top + blocks(height), left : left + blocks(width)]
            around = images[:, :, top - 1 : top + height + 1, left - 1 : left + width + 1]
            if octave.whole:
                octave.blur_whole(images, top, left)
                self._around.append(around[:1])
            else:
                for level in range(len(levels)):
                    octave.blur(level, 0, blocks(height), inner[level - 1], 0, inner[level])
                self._around.append(around)
            source, base = inner[-3, :, : height // 2 * 2 : 2, : width // 2 * 2 : 2].copy(), True

    def region(self, row: Index, column: Index) -> Index:
        return self._tiles[row // BLOCK, column // BLOCK]

    def leave_out(self, marks: npt.NDArray[np.bool_], start: int) -> None:
        first = (start - self.first) // 2
        marks &= self._inside[first : first + marks.shape[-2]]

    def extrapolate(self, levels: slice = slice(None)) -> None:
        for around in self._around:
            some = around[levels]
            if len(some):
                continue_linearly(some[:, :, 1:-1])
                continue_linearly(some.swapaxes(2, 3))
