"""The atlas: one tile with all small octaves, of one image or of a stack of images of one size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..features import Float32, Index, Mask
from ..params import DetectorParams
from .gaussian import BLOCK, whole_blocks
from .octaves import Octave, Seed, Shape
from .tiles import PADDING, Regions, Tile, extrapolate, view_of

__all__ = ["Atlas", "AtlasLayout", "atlas_layout"]

_ROUND_STRIDE = 256
"""Long rows are a multiple of this many samples: such rows were written in 0.6 of the time of others."""


class AtlasLayout(NamedTuple):
    """Where the octaves of a stack of images lie in the atlas.

    The images lie side by side.  Of each, the second octave lies below the first, and all others, one below the other,
    to the right of the second.  A pixel around each octave is free, for its linear continuation.

    Attributes
    ----------
    rows, columns : int
        Size of the buffer.
    image_columns : int
        Columns from one image to the next.
    core_start, core_stop : int
        Rows in which there are octaves.
    corners : list of (top, left)
        Corners of every octave of the first image.
    regions : Regions
        Octave after octave, and of each, image after image.
    region_of_block : (rows / BLOCK, columns / BLOCK) intp
        Region of every block of pixels; 0 where there is none.
    searched : ((core_stop - core_start) / 2, columns) bool
        Pairs of pixels above each other, from row `core_start` on, one of which may be an extremum.
    """

    rows: int
    columns: int
    image_columns: int
    core_start: int
    core_stop: int
    corners: list[tuple[int, int]]
    regions: Regions
    region_of_block: Index
    searched: Mask


@lru_cache(maxsize=64)
def atlas_layout(images: int, shapes: tuple[Shape, ...], halo: int, border: int) -> AtlasLayout:
    """Return the layout for the octaves of a stack of images.

    Parameters
    ----------
    images : int
    shapes : tuple of (octave, height, width)
    halo : int
        Rows above and below all octaves.
    border : int
        Pixels along the border of an octave in which there are no extrema.
    """
    heights, widths = ([whole_blocks(shape[axis] + 2) for shape in shapes] for axis in (1, 2))
    core_start, left = whole_blocks(halo), PADDING
    below = core_start + heights[0]
    corners = [(core_start, left), (below, left)][: len(shapes)]
    corners += [(below + sum(heights[2:k]), left + widths[1]) for k in range(2, len(shapes))]
    core_stop = max(top + height for (top, _), height in zip(corners, heights, strict=True))
    image_columns = max(left + width for (_, left), width in zip(corners, widths, strict=True))
    rows, columns = core_stop + core_start, images * image_columns
    if columns >= 4 * _ROUND_STRIDE:
        columns = -(-columns // _ROUND_STRIDE) * _ROUND_STRIDE
    places: list[tuple[int, ...]] = []
    region_of_block = np.zeros((rows // BLOCK, columns // BLOCK), np.intp)
    searched = np.zeros(((core_stop - core_start) // 2, columns), np.bool_)
    for (octave, height, width), (top, left) in zip(shapes, corners, strict=True):
        for image in range(images):
            x = left + image * image_columns
            blocks = slice(top // BLOCK, (top + height) // BLOCK + 1), slice(x // BLOCK, (x + width) // BLOCK + 1)
            region_of_block[blocks] = len(places)
            if min(height, width) > 2 * border:
                pairs = slice((top - core_start + border) // 2, (top - core_start + height - border + 1) // 2)
                searched[pairs, x + border : x + width - border] = True
            places.append((top, x, height, width, octave, image))
    regions = Regions(*np.array(places).T)
    return AtlasLayout(rows, columns, image_columns, core_start, core_stop, corners, regions, region_of_block, searched)


class Atlas(Tile):
    """All small octaves of a stack of images of one size.

    Parameters
    ----------
    seed : Seed
        Source of level 0 of the first octave.
    shapes : list of (octave, height, width)
    detector : DetectorParams
    layout : AtlasLayout
    memory : (size,) float32
        Holds the levels.
    """

    def __init__(
        self, seed: Seed, shapes: list[Shape], detector: DetectorParams, layout: AtlasLayout, memory: Float32
    ) -> None:
        levels = view_of(memory, (detector.scales_per_octave + 3, layout.rows, layout.columns))
        super().__init__(levels, layout.regions, layout.core_start, layout.core_stop)
        self._seed, self._shapes, self._detector, self._layout = seed, shapes, detector, layout
        self._without_borders: list[Float32] = []  # levels with a pixel around that is still to be extrapolated

    def compute_strips(self) -> Iterator[tuple[int, int]]:
        self._blur()
        return super().compute_strips()

    def _blur(self) -> None:
        """Compute all levels of one octave after the other; each gives the seed of the next."""
        seed, count, columns = self._seed, len(self._seed.pixels), self._layout.image_columns
        planes = self.levels[:, :, : count * columns]
        images = planes.reshape(*planes.shape[:2], count, columns).swapaxes(1, 2)
        self._without_borders.clear()
        for shape, (top, left) in zip(self._shapes, self._layout.corners, strict=True):
            octave, (_, height, width) = Octave.of(shape, seed, self._detector), shape
            inner = images[:, :, top : top + whole_blocks(height), left : left + whole_blocks(width)]
            around = images[:, :, top - 1 : top + height + 1, left - 1 : left + width + 1]
            if octave.blur_at_once(images, top, left):
                self._without_borders.append(around[:1])
            else:
                for level in range(len(images)):
                    octave.blur_rows(level, 0, whole_blocks(height), inner[level - 1], 0, inner[level])
                self._without_borders.append(around)
            seed = Seed(inner[-3, :, : height // 2 * 2 : 2, : width // 2 * 2 : 2].copy(), True)

    def region_at(self, row: Index, column: Index) -> Index:
        return self._layout.region_of_block[row // BLOCK, column // BLOCK]

    def mask_padding(self, marks: Mask, start: int) -> None:
        first = (start - self.core_start) // 2
        marks &= self._layout.searched[first : first + marks.shape[-2]]

    def extrapolate_borders(self, levels: slice = slice(None)) -> None:
        for around in self._without_borders:
            some = around[levels]
            if len(some):
                extrapolate(some[:, :, 1:-1])
                extrapolate(some.swapaxes(2, 3))
