"""The Gaussian scale space, a sheet at a time, for one worker or several."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

from ..features import Float32, Image
from ..params import DetectorParams
from .octaves import Index, Octave, first_source, is_small, octave_shapes, surroundings
from .scratch import scratch, shared_scratch
from .sheets import Bands, Sheet, band_shape, cut, within
from .stack import Stack, layout_of

__all__ = ["ScaleSpace"]

_OTHERS = 4
"""So many times as large, octaves share that sheet that come after one with a sheet of its own: what is computed twice
between bands, or by two workers, is a larger part of them."""


class ScaleSpace:
    """The scale space of a stack of images of one size, as sheets, finest octave first.

    Several workers, each in a process or thread of its own, may share one.  Together their sheets are those of a
    single worker, to the bit, for the bands are the same whoever computes them.

    Parameters
    ----------
    images : (images, H, W) array
    detector : DetectorParams
    halo : int
        Rows that the later stages read above and below an extremum.
    workers : int
        How many share the work; every one of them has to take its `sheets`, at the same pace.
    """

    def __init__(self, images: Image, detector: DetectorParams, halo: int, workers: int = 1) -> None:
        self._detector, self._halo, self._workers = detector, halo, workers
        shapes = octave_shapes(images.shape[1], images.shape[2], detector)
        allocate: Callable[..., Float32] = shared_scratch if workers > 1 else scratch
        source, base = first_source(images, detector, allocate) if shapes else (images, False)
        self._large: list[tuple[Octave, Float32, int, int]] = []
        sizes = [0]
        for shape in shapes:
            _, height, width = shape
            if is_small(height, width, _OTHERS if self._large else 1):
                break
            octave = Octave.of(source, shape, detector, base=base)
            band, unit = cut(octave, workers)
            sizes.append(math.prod(band_shape(octave, halo, band)))
            source, base = allocate(f"base {octave.index}", len(images), height // 2, width // 2), True
            self._large.append((octave, source, band, unit))
        self._rest, self._small = (source, base), shapes[len(self._large) :]
        stack = 0
        if self._small:
            small = tuple(self._small)
            around = max(halo, surroundings(small, detector, base=base))
            self._layout = layout_of(len(images), small, around, detector.border)
            stack = (detector.scales_per_octave + 3) * self._layout.rows * self._layout.columns
        # What lies outside every region is read too (with weight zero), so it has to be finite: both give zeros.
        if workers == 1:
            memory = allocate("levels", max(*sizes, stack))
            self._memory = [memory, memory]
        else:
            self._memory = [*allocate("levels", workers, max(sizes)), allocate("stack", stack)]

    def sheets(self) -> Iterator[Sheet]:
        """Pass all sheets by; a sheet is good until the next one is asked for."""
        for sheet, last in self.sheets_of(0):
            if sheet is not None:
                yield sheet
            if last:
                yield self.stack()

    def sheets_of(self, worker: int) -> Iterator[tuple[Sheet | None, bool]]:
        """Pass the sheets of large octaves by that are one worker's, and None where only others have one.

        A sheet is good until the next one is asked for.  That, all workers have to do at once: the next sheet may
        need what the others did for this one.

        Yields
        ------
        sheet : Sheet or None
        last : bool
            Whether small octaves are left: once the sheets of all workers are filled, `stack` has them.
        """
        turns = sum(len(base) * self._each(octave, band) for octave, base, band, _ in self._large)
        if turns == 0 and self._small:
            yield None, True
        for turn, sheet in enumerate(self._bands_of(worker), 1):
            yield sheet, turn == turns and bool(self._small)

    def _each(self, octave: Octave, band: int) -> int:
        """Return how many bands of an octave each worker has, at most."""
        return -(-octave.height // (band * self._workers))

    def _bands_of(self, worker: int) -> Iterator[Sheet | None]:
        memory = self._memory[worker]
        large = list(self._large)
        if self._workers == 1:
            self._large.clear()  # so that large bases are let go of as soon as they have served
        while large:
            octave, base, band, unit = large.pop(0)
            count, each = -(-octave.height // band), self._each(octave, band)
            rows = range(band * min(each * worker, count), min(band * each * (worker + 1), octave.height), band)
            for image, target in enumerate(base):
                one = replace(octave, source=octave.source[image : image + 1])
                if len(rows):
                    yield from Bands(one, image, self._halo, rows, unit, target, memory)
                yield from [None] * (each - len(rows))

    def stack(self) -> Sheet:
        """Return the sheet of all small octaves."""
        source, over_base = self._rest
        return Stack(source, self._small, self._detector, over_base, self._layout, self._memory[-1])

    def attached(self, memory: int, shape: tuple[int, ...], table: Index) -> Sheet:
        """Return a sheet of another worker, or, if `memory` is the number of workers, that of the small octaves.

        Parameters
        ----------
        shape, table
            Its `levels.shape` and its table.
        """
        return Sheet(within(self._memory[memory], cast(tuple[int, int, int], shape)), table)
