"""Tiles: buffers of Gaussian levels, and where the octaves of the images lie in them.

A :class:`Tile` hides how pixels are stored.  All later stages see its levels and its regions, each of which is one
octave of one image, and work on flat arrays of keypoints that carry their region.  There are two kinds: a
:class:`RowTile` holds some rows of a large octave, with a halo above and below; an :class:`~.atlas.Atlas` holds all
small octaves of one or several images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..features import Float32, Index, Mask
from .gaussian import BLOCK, whole_blocks
from .octaves import Octave
from .tuning import TUNING

__all__ = ["PADDING", "Regions", "RowTile", "Tile", "extrapolate", "row_tile_shape", "rows_per_tile", "view_of"]

PADDING = 16
"""Columns of a buffer before its first region."""


class Regions(NamedTuple):
    """Where octaves lie in the buffer of a tile, as arrays of one length.

    Attributes
    ----------
    top, left : (R,) intp
        Buffer row and column of the octave's first pixel; `top` is negative if the tile begins below that row.
    height, width : (R,) intp
        In octave pixels.
    octave : (R,) intp
        Octave pixels are ``2**octave`` input pixels apart.
    image : (R,) intp
        Index of the image.
    """

    top: Index
    left: Index
    height: Index
    width: Index
    octave: Index
    image: Index


class Tile:
    """Gaussian levels in a buffer, and the regions in it.

    Attributes
    ----------
    levels : (scales_per_octave + 3, rows, stride) float32
        Scaled by `INTENSITY_SCALE`.
    regions : Regions
    core_start, core_stop : int
        Buffer rows whose extrema belong to this tile; the rows around them are its halo.
    """

    def __init__(self, levels: Float32, regions: Regions, core_start: int, core_stop: int) -> None:
        self.levels, self.regions = levels, regions
        self.core_start, self.core_stop = core_start, core_stop

    @property
    def stride(self) -> int:
        """Samples from one row to the next."""
        return self.levels.shape[2]

    def flat(self, region: Index, level: Index | int, row: Index, column: Index) -> Index:
        """Return the indices of octave pixels of a region in the flattened `levels`."""
        regions = self.regions
        buffer_row = level * self.levels.shape[1] + row + regions.top[region]
        return buffer_row * self.stride + column + regions.left[region]

    def region_at(self, row: Index, column: Index) -> Index:
        """Return the region of buffer pixels; any region where there is none."""
        return np.zeros(len(row), np.intp)

    def strips(self) -> Iterator[tuple[int, int]]:
        """Yield first and last buffer row (exclusive) of strips that cover the core and fit the cache."""
        step = max(1, round(TUNING.strip_pixels / self.stride / BLOCK)) * BLOCK
        for start in range(self.core_start, self.core_stop, step):
            yield start, min(start + step, self.core_stop)

    def compute_strips(self) -> Iterator[tuple[int, int]]:
        """Compute the levels, and yield each of the `strips` while it is in the cache."""
        for start, stop in self.strips():
            self.compute_rows(stop + 2)
            yield start, stop
        self.compute_rows(self.levels.shape[1])

    def compute(self) -> None:
        """Compute all levels."""
        for _ in self.compute_strips():
            pass

    def compute_rows(self, stop: int) -> None:
        """Compute the rows of all levels before buffer row `stop` that have not been computed."""

    def mask_padding(self, marks: Mask, start: int) -> None:
        """Clear marks outside all regions, if much of the buffer is.

        Parameters
        ----------
        marks : (..., pairs, stride) bool
            Marks of pairs of rows, from buffer row `start` on.
        start : int
        """

    def extrapolate_borders(self, levels: slice = slice(None)) -> None:
        """Continue these levels of every region linearly, by one pixel on every side.

        Central differences at the border then are twice the one-sided ones, as in Lowe's program, and no later stage
        has code for borders.
        """
        some, regions = self.levels[levels], self.regions
        for top, left, height, width in zip(*regions[:4], strict=True):
            around = some[:, :, left - 1 : left + width + 1]
            extrapolate(around[:, max(top, 0) : top + height])
            for edge, inward in ((top - 1, 1), (top + height, -1)):
                if 0 <= edge < some.shape[1]:
                    around[:, edge] = 2 * around[:, edge + inward] - around[:, edge + 2 * inward]


def extrapolate(values: Float32) -> None:
    """Extrapolate linearly: replace the first and the last sample along the last axis."""
    last = values.shape[-1] - 1
    values[..., ::last] = 2 * values[..., 1 : -1 : last - 2] - values[..., 2 : -2 : last - 4]


def view_of(memory: Float32, shape: tuple[int, int, int]) -> Float32:
    """Return the array of this shape at the beginning of flat memory."""
    return memory[: math.prod(shape)].reshape(shape)


class RowTile(Tile):
    """Some rows of a large octave of one image, with a halo above and below.

    Consecutive row tiles of one lane use one buffer in turn.  A tile moves the rows that it shares with the one before
    it, if the buffer holds that one, and computes the others; it computes all if the buffer holds anything else.

    Parameters
    ----------
    octave : Octave
    image : int
        Index of the image.
    start : int
        First octave row of the core.
    lane : range
        First core rows of all tiles of the lane.
    halo : int
        Rows that later stages read above and below an extremum.
    next_seed : (height // 2, width // 2) float32
        Seed of the next octave; receives every second pixel of the level that has twice the blur of level 0.
    memory : (size,) float32
        Holds the levels.
    held : (3,) float32
        Names the tile that `memory` holds: octave, image and first row; nan for none.
    """

    def __init__(
        self,
        octave: Octave,
        image: int,
        start: int,
        lane: range,
        halo: int,
        next_seed: Float32,
        memory: Float32,
        held: Float32,
    ) -> None:
        self._octave, self._start, self._lane, self._next_seed = octave, start, lane, next_seed
        self._halo, self._leads, self._held = whole_blocks(halo), _leads(octave), held
        self._name = octave.index, image, start
        core_start = self._leads[0] + self._halo
        core_rows = min(lane.step, min(lane.stop, octave.height) - start)
        place = (core_start - start, PADDING, octave.height, octave.width, octave.index, image)
        regions = Regions(*(np.array([value]) for value in place))
        levels = view_of(memory, row_tile_shape(octave, halo, lane.step))
        super().__init__(levels, regions, core_start, core_start + core_rows)
        self._done: list[int] = []  # octave rows that each level has

    def compute_strips(self) -> Iterator[tuple[int, int]]:
        octave, image, start = self._name
        follows = self._held.tolist() == [octave, image, start - self._lane.step]
        self._held[:] = np.nan  # a worker that is killed leaves rows that nobody may use
        if follows:
            self._move_shared_rows()
        else:
            self._done = [max(0, start - self._halo - lead) for lead in self._leads]
        yield from super().compute_strips()
        self._held[:] = self._name

    def _move_shared_rows(self) -> None:
        """Move the rows that are also in the tile before this one to where they belong here."""
        step, height = self._lane.step, whole_blocks(self._octave.height)
        computed = min(self.levels.shape[1], self.core_start + step + self._halo)  # of the tile before, buffer rows
        goal = whole_blocks(computed - (self.core_start - (self._start - step)))
        self._done = [min(goal + lead, height) for lead in self._leads]
        for i, (level, done) in enumerate(zip(self.levels, self._done, strict=True)):
            # Keypoints are described in all levels but the first, which serves the DoG and the blur alone.
            context = self._halo if i else BLOCK
            first, last = self.core_start - context, self.core_start + done - self._start
            level[first:last] = level[first + step : last + step]

    def compute_rows(self, stop: int) -> None:
        octave, top = self._octave, self.core_start - self._start
        goal = whole_blocks(min(stop, self.core_stop + self._halo) - top)
        inner = self.levels[:, :, PADDING : PADDING + whole_blocks(octave.width)]
        for level, lead in enumerate(self._leads):
            start, stop = self._done[level], min(goal + lead, whole_blocks(octave.height))
            if stop > start:
                below = inner[None, level - 1, max(top, 0) :]
                octave.blur_rows(level, start, stop, below, max(-top, 0), inner[None, level, top + start : top + stop])
                self._done[level] = stop
                if level == len(self._leads) - 3:
                    self._decimate(inner[level], start, stop)

    def _decimate(self, level: Float32, start: int, stop: int) -> None:
        """Write every second pixel of octave rows start to stop to the seed of the next octave."""
        height, width = self._next_seed.shape
        start, stop = max(start, self._lane.start), min(stop, self._lane.stop, 2 * height)
        if stop > start:
            top = self.core_start - self._start
            even = level[top + start : top + stop : 2, : 2 * width : 2]
            self._next_seed[start // 2 : start // 2 + len(even)] = even


def _leads(octave: Octave) -> list[int]:
    """Return how many rows each level is computed ahead of the last one: the radii of the filters that follow."""
    leads = [0]
    for banded in octave.filters[:0:-1]:
        leads.insert(0, leads[0] + whole_blocks(banded.radius))
    return leads


def row_tile_shape(octave: Octave, halo: int, core_rows: int) -> tuple[int, int, int]:
    """Return the shape of the levels of a row tile."""
    rows = min(core_rows, whole_blocks(octave.height)) + 2 * (whole_blocks(halo) + _leads(octave)[0])
    # The padding on the right of a row is that on the left of the next one.
    return len(octave.filters), rows, PADDING + whole_blocks(octave.width + 1)


def rows_per_tile(octave: Octave) -> int:
    """Return the core rows of the row tiles of an octave; they do not depend on the number of workers."""
    pixels = octave.height * octave.width
    # An even number of tiles, for two workers.
    count = 2 * round(pixels / (2 * TUNING.tile_pixels)) or 2
    count = max(1, min(count, octave.height // TUNING.tile_rows))
    return whole_blocks(-(-octave.height // count))
