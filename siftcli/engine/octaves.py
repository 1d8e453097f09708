"""Octaves: where their pixels come from, and how their levels are made. [Lowe04 §3; VLFeat's page, "Scale space"]"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt

from ..features import Float32, Image
from ..params import DetectorParams
from .gaussian import BLOCK, Operator, blocks, blur_columns, blur_rows, operator, widening
from .scratch import scratch
from .whole import beyond, blur_tiny, blur_whole, rows_around

__all__ = ["WHITE", "Index", "Octave", "first_source", "is_small", "octave_shapes", "surroundings", "to_unit"]

Index = npt.NDArray[np.intp]

WHITE = np.float32(1 << 14)
"""What the levels have where the image has 1: so much that whole numbers tell the DoG of pixels well enough for most
comparisons, and a power of 2, so that nothing is rounded otherwise."""
_GAIN = float(WHITE) ** 0.5
"""Of the blur along each axis, from an image to its first levels."""
_SMOOTH = 1.5
"""A level comes from every second sample of the one before if ``s b / (s^2 + b^2)^1/2`` is at least this, of the blur s
that is there and the blur b that comes.  Of white, 4e-6 is missed then, with three scales per octave; 2e-4 with 1.2."""
MIN_SIDE = 12
"""Octaves have at least this many pixels a side, as in Lowe's program."""
SMALL = 130_000
"""Octaves of fewer pixels are small: all samples count for their levels, and they share a sheet."""
_TINY = 64
"""Octaves of at most so many pixels a side are blurred by whole matrices, which are made once for every size."""


def octave_shapes(height: int, width: int, detector: DetectorParams) -> list[tuple[int, int, int]]:
    """Return `(octave, height, width)` of every octave of an image, finest first."""
    o = detector.first_octave
    for _ in range(o, 0):
        height, width = 2 * height - 2, 2 * width - 2
    height, width = height >> max(o, 0), width >> max(o, 0)
    shapes: list[tuple[int, int, int]] = []
    while min(height, width) >= MIN_SIDE and (detector.octaves is None or len(shapes) < detector.octaves):
        shapes.append((o, height, width))
        o, height, width = o + 1, height // 2, width // 2
    return shapes


def is_small(height: int, width: int, times: int = 1) -> bool:
    """Tell whether an octave has fewer than `SMALL` pixels, so many times."""
    return height * width < times * SMALL


def to_unit(pixels: Image) -> Float32:
    """Return pixels as float32 in [0, 1]; float32 is returned as it is."""
    if pixels.dtype == np.float32:
        return cast(Float32, pixels)
    return np.divide(pixels, np.float32(255 if pixels.dtype == np.uint8 else 65535))


def _rows(source: Image, first: int, start: int, stop: int, height: int, *, alternate: bool = False) -> Float32:
    """Rows start to stop of images of `height` rows, border included; `source[:, 0]` is row `first`."""
    if start >= 0 and stop <= height:
        return to_unit(source[:, start - first : stop - first])
    return to_unit(source[:, beyond(start, stop, height, alternate=alternate) - first])


def _every_second(level: Float32, first: int, start: int, stop: int, height: int) -> Float32:
    """Every second sample of rows 2 start, 2 start + 2, ... of images of `height` rows, border included; a buffer.

    `level[:, 0]` is row `first`.  Beyond the last of an even number of rows or columns lies what is in that one.
    """
    width = level.shape[2]
    rows = _rows(level, first, 2 * start, 2 * stop - 1, height)[:, ::2]
    out: Float32 = scratch("second", *rows.shape[:2], width // 2 + 1)
    out[:, :, : (width + 1) // 2] = rows[:, :, ::2]
    out[:, :, width // 2] = rows[:, :, -1]
    return out


@lru_cache(maxsize=256)
def _operators(octave: int, detector: DetectorParams, *, base: bool, large: bool) -> tuple[Operator, ...]:
    """Return the operators of an octave's levels: of level 0 from the base or the image, of each from the one before.

    Those of a large octave take every second sample of what is smooth.  In a small one, calls cost more than samples,
    and more of it is border, which then differs a little from Lowe's.

    Blurring every level from the octave's base instead would save barriers, but the replicated border then differs
    from Lowe's at every level, which costs 2 % of his keypoints in small images.
    """
    lowe = detector.variant == "lowe"
    k = 2.0 ** (1 / detector.scales_per_octave)
    sigma = [detector.sigma_base * k**i for i in range(detector.scales_per_octave + 2)]
    # What level 0 still lacks. An input that is blurred more than that is taken as it is.
    assumed = sigma[0] if base else detector.sigma_input * 2.0**-octave
    lacking = max(0.0, sigma[0] ** 2 - assumed**2) ** 0.5
    up = 0 if base or lowe else min(octave, 0)
    operators = [operator(lacking, up, lowe, 1.0 if base else _GAIN)]
    for s in sigma:
        blur = s * (k * k - 1) ** 0.5
        smooth = large and not lowe and blur / k >= _SMOOTH  # s^2 + blur^2 is (k s)^2
        operators.append(widening(blur, s) if smooth else operator(blur, 0, lowe))
    return tuple(operators)


@lru_cache(maxsize=256)
def surroundings(shapes: tuple[tuple[int, int, int], ...], detector: DetectorParams, *, base: bool) -> int:
    """Return how many rows above and below small octaves `Octave.blur_whole` reads; the first has a base, or not."""
    first, *others = (_operators(shape[0], detector, base=base or i > 0, large=False) for i, shape in enumerate(shapes))
    return max(rows_around(op) for op in (*first, *(others[0] if others else ())))


def _doubled(images: Image, times: int, allocate: Callable[..., Float32]) -> Float32:
    """Return images at twice the size, so often: even samples are the originals, the others lie between."""
    out, half = to_unit(images), np.float32(0.5)
    for i in range(times):
        a, (n, height, width) = out, out.shape
        # Where workers share it, all of them write the same values to it.
        out = allocate(f"doubled {i}", n, 2 * height - 2, 2 * width - 2)
        out[:, ::2, ::2] = a[:, :-1, :-1]
        out[:, 1::2, ::2] = (a[:, :-1, :-1] + a[:, 1:, :-1]) * half
        out[:, ::2, 1::2] = (a[:, :-1, :-1] + a[:, :-1, 1:]) * half
        out[:, 1::2, 1::2] = (out[:, 1::2, ::2] + (a[:, :-1, 1:] + a[:, 1:, 1:]) * half) * half
    return out


def _halved(images: Image, sigma: float, gain: float, *, lowe: bool) -> Float32:
    """Return images blurred by sigma, every second sample of every second row, times `gain` for each axis."""
    op = operator(sigma, 1, lowe, gain)
    n, height, width = images.shape
    rows, columns = blocks(height // 2), blocks(width // 2)
    out = np.empty((n, rows, columns), np.float32)
    _blur(_rows(images, 0, -op.before, (rows // BLOCK - 1) * op.step + op.after, height), op, out)
    return out[:, : height // 2, : width // 2]


def _blur(rows: Float32, op: Operator, out: Float32, *, alternate: bool = False) -> None:
    """Blur whole blocks both ways; the left and right border is replicated."""
    dtype = op.matrix.dtype
    n, height, width = out.shape
    shape = (n, height, op.before + width // BLOCK * op.step + op.after)
    half = scratch("half", *shape, dtype=dtype)
    left, right = op.before, op.before + rows.shape[2]
    blur_columns(rows.astype(dtype, copy=False), op, half[:, :, left:right])
    half[:, :, :left] = half[:, :, left : left + 1]
    if alternate:
        half[:, :, right:] = half[:, :, beyond(right, half.shape[2], right, alternate=True)]
    else:
        half[:, :, right:] = half[:, :, right - 1 : right]
    if dtype == out.dtype:
        blur_rows(half, op, out)
    else:
        whole = scratch("whole", *out.shape, dtype=dtype)
        blur_rows(half, op, whole)
        out[:] = whole


def first_source(images: Image, detector: DetectorParams, allocate: Callable[..., Float32]) -> tuple[Image, bool]:
    """Return what the first octave is blurred from, images or a base, and whether it is a base."""
    source, base, lowe = images, False, detector.variant == "lowe"
    for skipped in range(max(detector.first_octave, 0)):
        lacking = (3 if skipped else 4) * detector.sigma_base**2 - (0 if skipped else detector.sigma_input**2)
        source, base = _halved(source, max(lacking, 0) ** 0.5, 1.0 if base else _GAIN, lowe=lowe), True
    return (_doubled(images, -detector.first_octave, allocate) if lowe and not base else source), base


@dataclass(frozen=True, eq=False)
class Octave:
    """One octave of a stack of images of one size: where its pixels come from and how its levels are made.

    Attributes
    ----------
    index : int
        Octave pixels are ``2**index`` input pixels apart.
    height, width : int
        In octave pixels.
    source : (images, rows, columns) array
        What level 0 is blurred from: the images, or the octave's base.
    operators : tuple of Operator
        Of level 0 from the source, of every other level from the one before, or from every second sample of it.
    """

    index: int
    height: int
    width: int
    source: Image
    operators: tuple[Operator, ...]

    @classmethod
    def of(cls, source: Image, shape: tuple[int, int, int], detector: DetectorParams, *, base: bool) -> Octave:
        """Return the octave `shape` over its base, or over the images themselves, which the lowe variant doubles."""
        index, height, width = shape
        large = not is_small(height, width)
        return cls(index, height, width, source, _operators(index, detector, base=base, large=large))

    def blur(self, level: int, start: int, stop: int, previous: Float32, first: int, out: Float32) -> None:
        """Compute rows start to stop of a level, whole blocks, into `out`, (images, stop - start, whole blocks).

        `previous` holds the level before, from octave row `first` on.
        """
        op = self.operators[level]
        if op.identity:  # level 0 is the base itself
            rows = self.source[:, start : min(stop, self.height)]
            out[:, : rows.shape[1], : self.width] = to_unit(rows)
            return
        begin = start // BLOCK * op.step - op.before
        end = (stop // BLOCK - 1) * op.step + op.after
        if level == 0:
            alternate = op.step < BLOCK
            rows = _rows(self.source, 0, begin, end, self.source.shape[1], alternate=alternate)
            _blur(rows, op, out, alternate=alternate)
        else:
            take = _rows if op.step == BLOCK else _every_second
            _blur(take(previous[:, :, : self.width], first, begin, end, self.height), op, out)

    @property
    def whole(self) -> bool:
        """Whether `blur_whole` takes less time than `blur`, and its rounding makes no difference."""
        return self.operators[-1].step == BLOCK and self.operators[0].matrix.dtype == np.float32

    def blur_whole(self, levels: Float32, top: int, left: int) -> None:
        """Compute all levels, and a pixel around all but the first, which continues them linearly.

        Parameters
        ----------
        levels : (levels, images, rows, columns) float32
        top, left : int
            Where the octave lies in them; with as many rows above and below as `rows_around` its operators.
        """
        height, width, around = self.height, self.width, max(map(rows_around, self.operators))

        def blur(source: Float32, level: int) -> None:
            out = levels[level, :, top - 1 : top - 1 + blocks(height + 2), left - 1 : left - 1 + blocks(width + 2)]
            blur_whole(source, around, self.operators[level], (height, width), out)

        if self.operators[0].identity:
            levels[0, :, top : top + height, left : left + width] = to_unit(self.source)[:, :height, :width]
        else:
            images, rows, columns = self.source.shape
            source = scratch("source", images, rows + 2 * around, columns)
            source[:, around:-around] = to_unit(self.source)
            blur(source, 0)
        if max(height, width) <= _TINY:
            blur_tiny(self.operators[1:], (height, width), levels[:, :, top - 1 : top + height + 1, left - 1 :])
        else:
            for level in range(1, len(levels)):
                blur(levels[level - 1, :, top - around : top + height + around, left : left + width], level)
