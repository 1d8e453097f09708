"""Octaves: their sizes, the seeds that they are blurred from, and their Gaussian levels. [Lowe04 §3; VLFeat's page]"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np

from ..features import Float32, Image
from ..params import DetectorParams
from .blur import blur_block_rows, blur_tiny, blur_with_edges, rows_read
from .gaussian import BLOCK, BandedFilter, decimated_filter, edge_index, gaussian_filter, whole_blocks
from .tuning import TUNING
from .workspace import scratch

__all__ = [
    "INTENSITY_SCALE",
    "Octave",
    "Seed",
    "Shape",
    "first_seed",
    "octave_shapes",
    "rows_around",
    "to_unit",
]

INTENSITY_SCALE = np.float32(1 << 14)
"""Gaussian levels store the intensity 1.0 as 2^14, so that the DoG as int16 settles most comparisons of neighbours.
A power of two: the scaling is exact."""
_GAIN = float(INTENSITY_SCALE) ** 0.5
"""Gain of the first blur along each axis."""
_SMOOTH_ENOUGH = 1.5
"""A level is computed from every second sample of the level before, of blur s, if ``s b / sqrt(s^2 + b^2)`` is at least
this, b being the blur to add.  The error is 4e-6 of full scale with three scales per octave; with 1.2, 2e-4."""
_MIN_SIDE = 12
"""Smallest side of an octave, as in Lowe's program."""
_TINY = 64
"""Octaves of at most this side are blurred by dense matrices, which are kept for every size."""

Shape = tuple[int, int, int]
"""Octave index, height and width."""


class Seed(NamedTuple):
    """Source of level 0 of an octave.

    Attributes
    ----------
    pixels : (images, rows, columns) array
        The images, perhaps upsampled; or samples of a Gaussian level, scaled by `INTENSITY_SCALE`.
    is_level : bool
        Whether they are samples of a Gaussian level, of the blur of level 0.
    """

    pixels: Image
    is_level: bool


def octave_shapes(height: int, width: int, detector: DetectorParams) -> list[Shape]:
    """Return `(octave, height, width)` of every octave of an image, finest first."""
    o = detector.first_octave
    for _ in range(o, 0):
        height, width = 2 * height - 2, 2 * width - 2
    height, width = height >> max(o, 0), width >> max(o, 0)
    shapes: list[Shape] = []
    while min(height, width) >= _MIN_SIDE and (detector.octaves is None or len(shapes) < detector.octaves):
        shapes.append((o, height, width))
        o, height, width = o + 1, height // 2, width // 2
    return shapes


def to_unit(pixels: Image) -> Float32:
    """Return pixels as float32 in [0, 1]; float32 is returned as it is."""
    if pixels.dtype == np.float32:
        return cast(Float32, pixels)
    return np.divide(pixels, np.float32(255 if pixels.dtype == np.uint8 else 65535))


# --- seeds


def first_seed(images: Image, detector: DetectorParams, allocate: Callable[..., Float32]) -> Seed:
    """Return the seed of the first octave.

    The blur of the standard variant upsamples by itself; the lowe variant doubles the image first.  Octaves that are
    skipped are blurred and decimated.
    """
    seed, lowe = Seed(images, False), detector.variant == "lowe"
    for skipped in range(max(detector.first_octave, 0)):
        missing = (3 if skipped else 4) * detector.sigma_base**2 - (0 if skipped else detector.sigma_input**2)
        gain = 1.0 if seed.is_level else _GAIN
        seed = Seed(_decimated(seed.pixels, max(missing, 0) ** 0.5, gain, lowe=lowe), True)
    if lowe and not seed.is_level:
        seed = Seed(_upsampled(images, -detector.first_octave, allocate), False)
    return seed


def _upsampled(images: Image, times: int, allocate: Callable[..., Float32]) -> Float32:
    """Double images `times` times: even samples are the originals, odd ones the means of their neighbours."""
    out, half = to_unit(images), np.float32(0.5)
    for i in range(times):
        a, (n, height, width) = out, out.shape
        out = allocate("seed" if i == times - 1 else f"seed {i}", n, 2 * height - 2, 2 * width - 2)
        out[:, ::2, ::2] = a[:, :-1, :-1]
        out[:, 1::2, ::2] = (a[:, :-1, :-1] + a[:, 1:, :-1]) * half
        out[:, ::2, 1::2] = (a[:, :-1, :-1] + a[:, :-1, 1:]) * half
        out[:, 1::2, 1::2] = (out[:, 1::2, ::2] + (a[:, :-1, 1:] + a[:, 1:, 1:]) * half) * half
    return out


def _decimated(images: Image, sigma: float, gain: float, *, lowe: bool) -> Float32:
    """Blur images, times `gain` for each axis, and keep every second sample of every second row."""
    banded = gaussian_filter(sigma, 1, lowe, gain)
    n, height, width = images.shape
    rows, columns = whole_blocks(height // 2), whole_blocks(width // 2)
    out = np.empty((n, rows, columns), np.float32)
    stop = (rows // BLOCK - 1) * banded.step + banded.right_support
    blur_block_rows(_rows(images, 0, -banded.left_support, stop, height), banded, out)
    return out[:, : height // 2, : width // 2]


# --- levels


@lru_cache(maxsize=256)
def _level_filters(octave: int, detector: DetectorParams, *, is_level: bool, large: bool) -> tuple[BandedFilter, ...]:
    """Return the filter of level 0 from the seed, and of every other level from the level before.

    Upper levels of a large octave read every second sample of the level before.  In small octaves, calls cost more than
    samples; and more of their pixels are near the border, where decimation deviates from Lowe's program.

    To blur every level from level 0 instead would save barriers; but the replicated border then differs from Lowe's at
    every level, which costs 2 % of his keypoints in small images.
    """
    lowe = detector.variant == "lowe"
    k = 2.0 ** (1 / detector.scales_per_octave)
    sigmas = [detector.sigma_base * k**i for i in range(detector.scales_per_octave + 2)]
    # The blur that level 0 still needs; none if the input is assumed to have more.
    assumed = sigmas[0] if is_level else detector.sigma_input * 2.0**-octave
    missing = max(0.0, sigmas[0] ** 2 - assumed**2) ** 0.5
    resample = 0 if is_level or lowe else min(octave, 0)
    filters = [gaussian_filter(missing, resample, lowe, 1.0 if is_level else _GAIN)]
    for sigma in sigmas:
        blur = sigma * (k * k - 1) ** 0.5
        decimate = large and not lowe and blur / k >= _SMOOTH_ENOUGH  # sigma^2 + blur^2 is (k sigma)^2
        filters.append(decimated_filter(blur, sigma) if decimate else gaussian_filter(blur, 0, lowe))
    return tuple(filters)


@lru_cache(maxsize=256)
def rows_around(shapes: tuple[Shape, ...], detector: DetectorParams, *, is_level: bool) -> int:
    """Return how many rows above and below small octaves `Octave.blur_at_once` reads; `is_level` is of their seed."""
    first, *others = (
        _level_filters(shape[0], detector, is_level=is_level or i > 0, large=False) for i, shape in enumerate(shapes)
    )
    return max(rows_read(banded) for banded in (*first, *(others[0] if others else ())))


@dataclass(frozen=True, eq=False)
class Octave:
    """One octave of a stack of images of one size.

    Attributes
    ----------
    index : int
        Octave pixels are ``2**index`` input pixels apart.
    height, width : int
        In octave pixels.
    seed : (images, rows, columns) array
        What level 0 is computed from; see `Seed`.
    filters : tuple of BandedFilter
        Filters for level 0 from the seed, and for every other level from the level before, or from every second
        sample of it.
    """

    index: int
    height: int
    width: int
    seed: Image
    filters: tuple[BandedFilter, ...]

    @classmethod
    def of(cls, shape: Shape, seed: Seed, detector: DetectorParams) -> Octave:
        """Return the octave of this shape."""
        index, height, width = shape
        large = height * width >= TUNING.small_octave
        filters = _level_filters(index, detector, is_level=seed.is_level, large=large)
        return cls(index, height, width, seed.pixels, filters)

    def blur_rows(self, level: int, start: int, stop: int, below: Float32, first: int, out: Float32) -> None:
        """Compute rows start to stop of a level, which are whole blocks.

        Parameters
        ----------
        level, start, stop : int
        below : (images, rows, whole_blocks(width)) float32
            The level before, from octave row `first` on.
        first : int
        out : (images, stop - start, whole_blocks(width)) float32
            Receives the result.
        """
        banded = self.filters[level]
        if banded.identity:  # the seed is level 0
            rows = self.seed[:, start : min(stop, self.height)]
            out[:, : rows.shape[1], : self.width] = to_unit(rows)
            return
        begin = start // BLOCK * banded.step - banded.left_support
        end = (stop // BLOCK - 1) * banded.step + banded.right_support
        if level == 0:
            alternate = banded.step < BLOCK
            rows = _rows(self.seed, 0, begin, end, self.seed.shape[1], alternate=alternate)
            blur_block_rows(rows, banded, out, alternate=alternate)
        else:
            take = _rows if banded.step == BLOCK else _every_second
            blur_block_rows(take(below[:, :, : self.width], first, begin, end, self.height), banded, out)

    def blur_at_once(self, levels: Float32, top: int, left: int) -> bool:
        """Compute all levels, and the pixel around all but level 0 that continues them linearly.

        Parameters
        ----------
        levels : (levels, images, rows, columns) float32
            Receives the result; with as many rows above and below the octave as `rows_around` returns.
        top, left : int
            Where the octave lies in `levels`.

        Returns
        -------
        bool
            False if nothing was computed, because `blur_rows` is faster, or rounds differently.
        """
        if self.filters[-1].step < BLOCK or self.filters[0].matrix.dtype != np.float32:
            return False
        height, width, around = self.height, self.width, max(map(rows_read, self.filters))

        def blur(source: Float32, level: int) -> None:
            rows = slice(top - 1, top - 1 + whole_blocks(height + 2))
            columns = slice(left - 1, left - 1 + whole_blocks(width + 2))
            blur_with_edges(source, around, self.filters[level], (height, width), levels[level, :, rows, columns])

        if self.filters[0].identity:
            levels[0, :, top : top + height, left : left + width] = to_unit(self.seed)[:, :height, :width]
        else:
            images, rows, columns = self.seed.shape
            source = scratch("source", images, rows + 2 * around, columns)
            source[:, around:-around] = to_unit(self.seed)
            blur(source, 0)
        if max(height, width) <= _TINY:
            blur_tiny(self.filters[1:], (height, width), levels[:, :, top - 1 : top + height + 1, left - 1 :])
        else:
            for level in range(1, len(levels)):
                blur(levels[level - 1, :, top - around : top + height + around, left : left + width], level)
        return True


def _rows(source: Image, first: int, start: int, stop: int, height: int, *, alternate: bool = False) -> Float32:
    """Return rows start to stop of images of `height` rows, border replicated; `source` begins at row `first`."""
    if start >= 0 and stop <= height:
        return to_unit(source[:, start - first : stop - first])
    return to_unit(source[:, edge_index(start, stop, height, alternate=alternate) - first])


def _every_second(level: Float32, first: int, start: int, stop: int, height: int) -> Float32:
    """Return every second sample of rows 2 start, 2 start + 2, ... of images of `height` rows, in a buffer.

    The border is replicated; `level` begins at row `first`.
    """
    width = level.shape[2]
    rows = _rows(level, first, 2 * start, 2 * stop - 1, height)[:, ::2]
    out: Float32 = scratch("second", *rows.shape[:2], width // 2 + 1)
    out[:, :, : (width + 1) // 2] = rows[:, :, ::2]
    out[:, :, width // 2] = rows[:, :, -1]
    return out
