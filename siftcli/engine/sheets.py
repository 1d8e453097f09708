"""Sheets: where the levels of octaves lie, a sheet at a time.

A *sheet* is a buffer of all levels of some rows.  A large octave passes through one sheet in bands of rows, so memory
does not grow with the image; all small octaves, of one image or of a stack of images of one size, lie in a single
sheet and are run once.  The later stages see a sheet and its *regions* (where each octave lies), never an octave: they
are the same for bands and for stacks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..features import Float32
from .gaussian import BLOCK, blocks
from .octaves import Index, Octave

__all__ = ["Bands", "Sheet", "band_shape", "continue_linearly", "cut", "within"]

STRIP = 220_000
"""Pixels of a strip: what the dense stages work on at a time.  Smaller ones cost more calls, larger ones the cache."""
BAND = 3 << 19
"""Pixels of a band, and its smallest number of rows."""
BAND_ROWS = 208


class Sheet:
    """A buffer of levels and the regions that lie in it.

    Attributes
    ----------
    levels : (scales_per_octave + 3, rows, stride) float32
        Gaussian levels, white is `WHITE`.
    table : (6, regions) intp
        What is known of every region, see `top` and the others.
    margin : int
        Buffer columns before the first region.
    top, left, height, width, octave, image : (regions,) int64
        Of every region: buffer row of its row 0 (negative where that row has left the buffer), buffer column of its
        column 0, size in octave pixels, octave index, index of the image in the stack.
    first, last : int
        Buffer rows in which extrema count for this sheet; the rows around them are there as context.
    unit : int
        Rows of an octave that are in one sheet in any case.  How many units there are makes no difference to features.
    """

    margin = 16
    unit = 1 << 40

    def __init__(self, levels: Float32, table: Index, first: int = 0, last: int = 0) -> None:
        self.levels, self.table = levels, table
        self.first, self.last = first, last
        self.top, self.left, self.height, self.width, self.octave, self.image = table

    @property
    def stride(self) -> int:
        """Samples from one row to the next."""
        return self.levels.shape[2]

    def flat(self, region: Index, level: Index | int, row: Index, column: Index) -> Index:
        """Return the index in `levels`, as one array, of octave pixels of a region."""
        return (level * self.levels.shape[1] + row + self.top[region]) * self.stride + column + self.left[region]

    def region(self, row: Index, column: Index) -> Index:
        """Return the region that these buffer pixels are in, if they are in any."""
        return np.zeros(len(row), np.intp)

    def strips(self) -> Iterator[tuple[int, int]]:
        """Ranges of buffer rows that cover `first` to `last`, computed as they are asked for."""
        step = max(1, round(STRIP / self.stride / BLOCK)) * BLOCK
        for start in range(self.first, self.last, step):
            stop = min(start + step, self.last)
            self.fill(stop + 2)
            yield start, stop
        self.fill(self.levels.shape[1])

    def fill(self, row: int) -> None:
        """Bring all levels up to this buffer row."""

    def leave_out(self, marks: npt.NDArray[np.bool_], start: int) -> None:
        """Take marks away that are far from being in a region, where there is much of that.

        Parameters
        ----------
        marks : (..., pairs, stride) bool
            Of pairs of rows, from buffer row `start` on.
        """

    def extrapolate(self, levels: slice = slice(None)) -> None:
        """Continue these levels of every region linearly by one pixel to every side.

        The central difference at the image's edge then is twice the one-sided one, as in Lowe's program, and no
        later stage has border code.
        """
        some = self.levels[levels]
        for top, left, height, width in zip(self.top, self.left, self.height, self.width, strict=True):
            around = some[:, :, left - 1 : left + width + 1]
            continue_linearly(around[:, max(top, 0) : top + height])
            for edge, inward in ((top - 1, 1), (top + height, -1)):
                if 0 <= edge < some.shape[1]:
                    around[:, edge] = 2 * around[:, edge + inward] - around[:, edge + 2 * inward]


def continue_linearly(values: Float32) -> None:
    """Set the first and the last along the last axis to what continues those between linearly."""
    last = values.shape[-1] - 1
    values[..., ::last] = 2 * values[..., 1 : -1 : last - 2] - values[..., 2 : -2 : last - 4]


def within(memory: Float32, shape: tuple[int, int, int]) -> Float32:
    """Return the array of this shape at the beginning of flat memory."""
    return memory[: math.prod(shape)].reshape(shape)


class Bands(Sheet):
    """Some rows of a large octave of one image, passing through a sheet in bands; fills the next octave's base.

    Parameters
    ----------
    octave : Octave
    image : int
        Index in the stack.
    halo : int
        Rows that later stages read above and below an extremum.
    rows : range
        First row of every band.
    unit : int
        Rows of the shortest band that this octave may be cut into.
    base : (height // 2, width // 2) float32
        The next octave's; every second pixel of the level of twice the blur is written to it.
    memory : (size,) float32
        The levels are kept in it.
    """

    def __init__(
        self, octave: Octave, image: int, halo: int, rows: range, unit: int, base: Float32, memory: Float32
    ) -> None:
        self._octave, self._base, self._rows, self.unit = octave, base, rows, unit
        self._halo, self._band = blocks(halo), rows.step
        self._stop = min(rows.stop, octave.height)
        self._ahead = _ahead(octave)
        self._done = [max(0, rows.start - self._halo - ahead) for ahead in self._ahead]
        levels = within(memory, band_shape(octave, halo, rows.step))
        table = np.array([[0], [self.margin], [octave.height], [octave.width], [octave.index], [image]])
        super().__init__(levels, table, self._ahead[0] + self._halo)

    def __iter__(self) -> Iterator[Sheet]:
        for start in self._rows:
            if start > self._rows.start:
                self._keep(start)
            self.top[0] = self.first - start
            self.last = self.first + min(self._band, self._stop - start)
            yield self

    def _keep(self, start: int) -> None:
        """Move what the band from row `start` on still needs to where it belongs."""
        for i, (level, done) in enumerate(zip(self.levels, self._done, strict=True)):
            # Windows look at the levels of extrema; the others serve the DoG and the chain alone.
            context = self._halo if 0 < i < len(self._done) - 2 else BLOCK
            first, last = self.first - context, self.first + done - start
            level[first:last] = level[first + self._band : last + self._band]

    def fill(self, row: int) -> None:
        octave, top = self._octave, int(self.top[0])
        goal = blocks(min(row, self.last + self._halo) - top)
        inner = self.levels[:, :, self.margin : self.margin + blocks(octave.width)]
        for level, ahead in enumerate(self._ahead):
            start, stop = self._done[level], min(goal + ahead, blocks(octave.height))
            if stop > start:
                previous = inner[None, level - 1, max(top, 0) :]
                octave.blur(level, start, stop, previous, max(-top, 0), inner[None, level, top + start : top + stop])
                self._done[level] = stop
                if level == len(self._ahead) - 3:  # the one of twice the blur of level 0
                    height, width = self._base.shape
                    start, stop = max(start, self._rows.start), min(stop, self._stop, 2 * height)
                    if stop > start:
                        even = inner[level, top + start : top + stop : 2, : 2 * width : 2]
                        self._base[start // 2 : start // 2 + len(even)] = even


def _ahead(octave: Octave) -> list[int]:
    """Return how far each level has to run ahead, and to begin earlier: by the reach of the kernels that follow."""
    ahead = [0]
    for op in octave.operators[:0:-1]:
        ahead.insert(0, ahead[0] + blocks(op.reach))
    return ahead


def band_shape(octave: Octave, halo: int, band: int) -> tuple[int, int, int]:
    """Return the shape of the levels for bands of so many rows."""
    rows = min(band, blocks(octave.height)) + 2 * (blocks(halo) + _ahead(octave)[0])
    # The left margin is the right one of the row before.
    return len(octave.operators), rows, Sheet.margin + blocks(octave.width + 1)


def cut(octave: Octave, workers: int) -> tuple[int, int]:
    """Return the rows of the bands of an octave, and of the shortest that they consist of."""
    pixels = octave.height * octave.width
    # An even number where it is worth sharing.
    count = max(1, min(2 * round(pixels / (2 * BAND)) or 2, octave.height // BAND_ROWS))
    unit = blocks(-(-octave.height // count))
    return unit * max(1, BAND // (unit * octave.width)) if workers == 1 else unit, unit
