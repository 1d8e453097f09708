"""The Gaussian pyramid of a stack of images, cut into tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..features import Float32, Image
from ..params import DetectorParams
from .atlas import Atlas, atlas_layout
from .octaves import Octave, Seed, first_seed, octave_shapes, rows_around
from .tiles import RowTile, Tile, row_tile_shape, rows_per_tile
from .tuning import TUNING
from .workspace import scratch, shared_copy, shared_scratch, shared_view

__all__ = ["ATLAS", "Pyramid", "TileSpec", "Wave"]


class TileSpec(NamedTuple):
    """Names a tile of a pyramid.

    Attributes
    ----------
    octave : int
        Index among the large octaves, finest first; -1 for the atlas.
    image : int
    lane : int
        Which buffer the tile passes through, one for each worker.
    start : int
        First octave row of the core.
    """

    octave: int
    image: int
    lane: int
    start: int


ATLAS = TileSpec(-1, 0, 0, 0)


class Wave(NamedTuple):
    """Tiles that may be computed at the same time, when all waves before are described.

    Attributes
    ----------
    tiles : list of TileSpec
        Row tiles, one for each lane.
    then : TileSpec or None
        The atlas, behind the last wave of several lanes: it needs all row tiles to be computed, but not described.
    """

    tiles: list[TileSpec]
    then: TileSpec | None = None


class _LargeOctave(NamedTuple):
    """An octave that is cut into row tiles, and the seed of the next octave, which they write."""

    octave: Octave
    next_seed: Float32
    tile_rows: int

    def lanes(self, count: int) -> list[range]:
        """Divide the first rows of all tiles into runs of consecutive ones, one for each lane."""
        rows, tiles = self.tile_rows, -(-self.octave.height // self.tile_rows)
        each = -(-tiles // count)
        ends = [min(each * lane, tiles) for lane in range(count + 1)]
        return [range(rows * ends[lane], min(rows * ends[lane + 1], self.octave.height), rows) for lane in range(count)]


class Pyramid:
    """The Gaussian pyramid of a stack of images of one size.

    It is made of row tiles, for octaves from `Tuning.small_octave` pixels on, and an atlas of all smaller octaves.  A
    tile is valid until the next one of its lane is computed; with a single lane, the atlas uses the same memory.

    With several lanes, all buffers are in shared memory, and a pyramid is pickled as the values that it is made of: a
    worker that unpickles it has the same tiles.  The levels do not depend on the number of lanes.

    Parameters
    ----------
    seed : Seed
        Source of level 0 of the first octave; with several lanes, in shared memory.
    size : (images, height, width)
        Size of the stack.
    detector : DetectorParams
    halo : int
        Rows that later stages read above and below an extremum.
    lanes : int
        How many workers compute tiles at the same time.
    """

    def __init__(
        self, seed: Seed, size: tuple[int, int, int], detector: DetectorParams, halo: int, lanes: int = 1
    ) -> None:
        self._arguments = seed, size, detector, halo, lanes
        self._detector, self._halo, self._lanes = detector, halo, lanes
        allocate: Callable[..., Float32] = scratch if lanes == 1 else shared_scratch
        count, height, width = size
        shapes = octave_shapes(height, width, detector)
        self._large: list[_LargeOctave] = []
        tile_size = 0
        for index, height, width in shapes:
            if height * width < TUNING.small_octave * (TUNING.after_large if self._large else 1):
                break
            octave = Octave.of((index, height, width), seed, detector)
            rows = rows_per_tile(octave)
            tile_size = max(tile_size, math.prod(row_tile_shape(octave, halo, rows)))
            next_seed = allocate(f"seed of octave {index + 1}", count, height // 2, width // 2)
            seed = Seed(next_seed, True)
            self._large.append(_LargeOctave(octave, next_seed, rows))
        self._small, self._small_seed = shapes[len(self._large) :], seed
        atlas_size = 0
        if self._small:
            small = tuple(self._small)
            around = max(halo, rows_around(small, detector, is_level=seed.is_level))
            self._layout = atlas_layout(count, small, around, detector.border)
            atlas_size = (detector.scales_per_octave + 3) * self._layout.rows * self._layout.columns
        # Samples outside all regions are read, with weight zero: new buffers hold zeros, used ones finite values.
        if lanes == 1:
            self._lane_memory = allocate("levels", 1, max(tile_size, atlas_size))
            self._atlas_memory = self._lane_memory[0]
        else:
            self._lane_memory = allocate("levels", lanes, tile_size)
            self._atlas_memory = allocate("atlas", atlas_size)
        self._held = allocate("held", lanes, 3)

    @classmethod
    def of(cls, images: Image, detector: DetectorParams, halo: int, lanes: int = 1) -> Pyramid:
        """Return the pyramid of a stack of images, (N, H, W)."""
        seed, (count, height, width) = Seed(images, False), images.shape
        if octave_shapes(height, width, detector):
            seed = first_seed(images, detector, scratch if lanes == 1 else shared_scratch)
            if lanes > 1:
                seed = seed._replace(pixels=shared_copy("seed", seed.pixels))
        pyramid = cls(seed, (count, height, width), detector, halo, lanes)
        pyramid._held[:] = np.nan
        return pyramid

    def __reduce__(self) -> tuple[Any, ...]:
        seed, *others = self._arguments
        return _over_shared_memory, (seed.pixels.shape, seed.pixels.dtype.str, seed.is_level, *others)

    def waves(self) -> Iterator[Wave]:
        """Yield all tiles, finest octave first."""
        waves = []
        for octave, large in enumerate(self._large):
            lanes = large.lanes(self._lanes)
            for image in range(len(large.next_seed)):
                for step in range(max(map(len, lanes))):
                    starts = [(lane, starts[step]) for lane, starts in enumerate(lanes) if step < len(starts)]
                    waves.append(Wave([TileSpec(octave, image, lane, start) for lane, start in starts]))
        if self._small:
            if self._lanes == 1 or not waves:
                waves.append(Wave([ATLAS]))
            else:
                waves[-1] = waves[-1]._replace(then=ATLAS)
        yield from waves

    def tile(self, spec: TileSpec) -> Tile:
        """Return a tile: to be computed, or as it is in memory."""
        if spec == ATLAS:
            return Atlas(self._small_seed, self._small, self._detector, self._layout, self._atlas_memory)
        octave, next_seed, _ = large = self._large[spec.octave]
        one = replace(octave, seed=octave.seed[spec.image : spec.image + 1])
        lane, memory, held = large.lanes(self._lanes)[spec.lane], self._lane_memory[spec.lane], self._held[spec.lane]
        return RowTile(one, spec.image, spec.start, lane, self._halo, next_seed[spec.image], memory, held)

    def tiles(self) -> Iterator[Tile]:
        """Yield all tiles, computed, finest octave first; each is valid until the next one."""
        specs = [spec for wave in self.waves() for spec in (*wave.tiles, wave.then) if spec is not None]
        for spec in specs:
            tile = self.tile(spec)
            tile.compute()
            yield tile


def _over_shared_memory(shape: tuple[int, ...], dtype: str, is_level: bool, *arguments: Any) -> Pyramid:
    """Return a pyramid whose seed is in shared memory."""
    return Pyramid(Seed(shared_view("seed", shape, dtype), is_level), *arguments)
