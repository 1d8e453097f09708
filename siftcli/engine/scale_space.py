"""The Gaussian scale space, a sheet at a time. [Lowe04 §3; VLFeat's page, "Scale space"]

A *sheet* is a buffer of all levels of some rows.  A large octave passes through one sheet in bands of rows, so memory
does not grow with the image; all small octaves, of one image or of a stack of images of one size, lie below each
other in a single sheet and are run once.  The later stages see a sheet and its *regions* (which rows belong to which
octave), never an octave: they are the same for bands and for stacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..features import Float32, Image
from ..params import DetectorParams
from .gaussian import BLOCK, Operator, blur_columns, blur_rows, operator
from .scratch import scratch

__all__ = ["Index", "Octave", "Sheet", "octave_shapes", "sheets", "to_unit"]

Index = npt.NDArray[np.intp]

MIN_SIDE = 12
"""Octaves have at least this many pixels a side, as in Lowe's program."""
STRIP = 1 << 16
"""Pixels of a strip: what the dense stages work on while it is in the L2 cache."""
BAND = 1 << 21
"""Pixels of a band, and its smallest number of rows."""
BAND_ROWS = 256
SMALL = 130_000
"""Octaves of fewer pixels share a sheet."""


def octave_shapes(height: int, width: int, detector: DetectorParams) -> list[tuple[int, int, int]]:
    """Return `(octave, height, width)` of every octave of an image, finest first."""
    o = detector.first_octave
    if o < 0:
        height, width = (height - 1) << -o, (width - 1) << -o
    else:
        height, width = height >> o, width >> o
    shapes: list[tuple[int, int, int]] = []
    while min(height, width) >= MIN_SIDE and (detector.octaves is None or len(shapes) < detector.octaves):
        shapes.append((o, height, width))
        o, height, width = o + 1, height // 2, width // 2
    return shapes


def to_unit(pixels: Image) -> Float32:
    """Return pixels as float32 in [0, 1]; float32 is returned as it is."""
    if pixels.dtype == np.float32:
        return pixels  # type: ignore[return-value]
    return pixels / np.float32(np.iinfo(pixels.dtype).max)


@lru_cache(maxsize=1024)
def _beyond(start: int, stop: int, size: int, *, alternate: bool) -> Index:
    """Return the samples that stand for start to stop of an axis: its own, and beyond its ends the border's.

    The doubled image ends between the last two samples.  Repeating these two in turn beyond the end is what,
    interpolated, comes closest to replicating that.
    """
    index = np.arange(start, stop)
    if alternate:
        index[index >= size] = size - 1 - (index[index >= size] - (size - 1)) % 2
    return np.minimum(np.maximum(index, 0), size - 1)


def _rows(source: Image, first: int, start: int, stop: int, height: int, *, alternate: bool = False) -> Float32:
    """Rows start to stop of images of `height` rows, border included; `source[:, 0]` is row `first`."""
    if start >= 0 and stop <= height:
        return to_unit(source[:, start - first : stop - first])
    return to_unit(source[:, _beyond(start, stop, height, alternate=alternate) - first])


def _operators(octave: int, detector: DetectorParams, *, base: bool) -> tuple[Operator, ...]:
    """Return the operators of an octave's levels: of level 0 from the base or the image, of each from the one before.

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
    return (operator(lacking, up, lowe), *(operator(s * (k * k - 1) ** 0.5, 0, lowe) for s in sigma))


def _doubled(images: Image, times: int) -> Float32:
    """Return images at twice the size, so often: even samples are the originals, the others lie between."""
    out, half = to_unit(images), np.float32(0.5)
    for _ in range(times):
        a, (n, height, width) = out, out.shape
        out = np.empty((n, 2 * height - 2, 2 * width - 2), np.float32)
        out[:, ::2, ::2] = a[:, :-1, :-1]
        out[:, 1::2, ::2] = (a[:, :-1, :-1] + a[:, 1:, :-1]) * half
        out[:, ::2, 1::2] = (a[:, :-1, :-1] + a[:, :-1, 1:]) * half
        out[:, 1::2, 1::2] = (out[:, 1::2, ::2] + (a[:, :-1, 1:] + a[:, 1:, 1:]) * half) * half
    return out


def _halved(images: Image, sigma: float, *, lowe: bool) -> Float32:
    """Return images blurred by sigma, every second sample of every second row."""
    op = operator(sigma, 1, lowe)
    n, height, width = images.shape
    rows, columns = _blocks(height // 2), _blocks(width // 2)
    out = np.empty((n, rows, columns), np.float32)
    _blur(_rows(images, 0, -op.before, (rows // BLOCK - 1) * op.step + op.after, height), op, out)
    return out[:, : height // 2, : width // 2]


def _blur(rows: Float32, op: Operator, out: Float32) -> None:
    """Blur whole blocks both ways; the left and right border is replicated."""
    dtype = op.matrix.dtype
    n, height, width = out.shape
    shape = (n, height, op.before + width // BLOCK * op.step + op.after)
    half = scratch("half", *shape) if dtype == np.float32 else np.empty(shape, dtype)
    left, right = op.before, op.before + rows.shape[2]
    blur_columns(rows.astype(dtype, copy=False), op, half[:, :, left:right])
    half[:, :, :left] = half[:, :, left : left + 1]
    if op.step < BLOCK:
        half[:, :, right:] = half[:, :, _beyond(right, half.shape[2], right, alternate=True)]
    else:
        half[:, :, right:] = half[:, :, right - 1 : right]
    if dtype == out.dtype:
        blur_rows(half, op, out)
    else:
        whole = np.empty(out.shape, dtype)
        blur_rows(half, op, whole)
        out[:] = whole


def _blocks(n: int) -> int:
    """Round up to whole blocks."""
    return -(-n // BLOCK) * BLOCK


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
        Of level 0 from the source, of every other level from the one before.
    """

    index: int
    height: int
    width: int
    source: Image
    operators: tuple[Operator, ...]

    @classmethod
    def of(cls, source: Image, shape: tuple[int, int, int], detector: DetectorParams, *, base: bool) -> Octave:
        """Return the octave `shape` over its base, or over the images themselves."""
        index, height, width = shape
        if detector.variant == "lowe" and not base:
            source = _doubled(source, -min(index, 0))
        return cls(index, height, width, source, _operators(index, detector, base=base))

    def blur(self, level: int, start: int, stop: int, previous: Float32, first: int, out: Float32) -> None:
        """Compute rows start to stop of a level, whole blocks, into `out`, (images, stop - start, whole blocks).

        `previous` holds the level before, from octave row `first` on.
        """
        op = self.operators[level]
        if op.identity:  # level 0 is the base itself
            out[:, :, : self.width] = _rows(self.source, 0, start, stop, self.height)
            return
        if level:
            source, height = previous[:, :, : self.width], self.height
        else:
            source, first, height = self.source, 0, self.source.shape[1]
        begin = start // BLOCK * op.step - op.before
        end = (stop // BLOCK - 1) * op.step + op.after
        _blur(_rows(source, first, begin, end, height, alternate=op.step < BLOCK), op, out)


class Sheet:
    """A buffer of levels and the regions that lie in it.

    Attributes
    ----------
    levels : (scales_per_octave + 3, rows, stride) float32
        Gaussian levels; octave column x is buffer column ``x + margin``.
    margin : int
        Buffer column of octave column 0.
    top, height, width, octave, image : (regions,) int64
        Of every region: buffer row of its row 0 (negative where that row has left the buffer), size in octave
        pixels, octave index, index of the image in the stack.
    first, last : int
        Buffer rows in which extrema count for this sheet; the rows around them are there as context.
    """

    margin = 16

    def __init__(self, levels: Float32, regions: list[tuple[Octave, int, int]], first: int, last: int) -> None:
        self.levels = levels
        self.first, self.last = first, last
        table = [(top, octave.height, octave.width, octave.index, image) for octave, image, top in regions]
        self.top, self.height, self.width, self.octave, self.image = np.array(table).T.copy()

    @property
    def stride(self) -> int:
        """Samples from one row to the next."""
        return self.levels.shape[2]

    def flat(self, region: Index, level: Index | int, row: Index, column: Index) -> Index:
        """Return the index in `levels`, as one array, of octave pixels of a region."""
        return (level * self.levels.shape[1] + row + self.top[region]) * self.stride + column + self.margin

    def strips(self) -> Iterator[tuple[int, int]]:
        """Ranges of buffer rows that cover `first` to `last`, computed as they are asked for."""
        step = max(BLOCK, STRIP // self.stride // BLOCK * BLOCK)
        for start in range(self.first, self.last, step):
            stop = min(start + step, self.last)
            self.fill(stop + 2)
            yield start, stop
        self.fill(self.levels.shape[1])

    def fill(self, row: int) -> None:
        """Bring all levels up to this buffer row."""

    def extrapolate(self) -> None:
        """Continue every region linearly by one pixel to every side.

        The central difference at the image's edge then is twice the one-sided one, as in Lowe's program, and no
        later stage has border code.
        """
        for top, height, width in zip(self.top, self.height, self.width, strict=True):
            rows = self.levels[:, max(top, 0) : top + height]
            left, right = self.margin, self.margin + width
            rows[:, :, left - 1] = 2 * rows[:, :, left] - rows[:, :, left + 1]
            rows[:, :, right] = 2 * rows[:, :, right - 1] - rows[:, :, right - 2]
            for edge, inward in ((top - 1, 1), (top + height, -1)):
                if 0 <= edge < self.levels.shape[1]:
                    near, far = self.levels[:, edge + inward], self.levels[:, edge + 2 * inward]
                    self.levels[:, edge] = 2 * near - far


def _buffer(levels: int, rows: int, width: int) -> Float32:
    # What lies outside every region is read too (with weight zero), so it has to be finite.
    return scratch("levels", levels, rows, _blocks(width) + 2 * Sheet.margin)


def _buffer(levels: int, rows: int, width: int) -> Float32:
    # What lies outside every region is read too (with weight zero), so it has to be finite.
    return scratch("levels", levels, rows, _blocks(width) + 2 * Sheet.margin)


class _Bands(Sheet):
    """A large octave of one image, passing through its sheet in bands of rows; fills the next octave's base."""

    def __init__(self, octave: Octave, image: int, halo: int, base: Float32) -> None:
        self._octave, self._base = octave, base
        self._halo = _blocks(halo)
        self._band = _blocks(max(BAND_ROWS, BAND // octave.width))
        # A level has to run ahead of the next one by the reach of that one's kernel.
        self._reach = [_blocks(op.after - BLOCK) if i else 0 for i, op in enumerate(octave.operators)]
        self._done = [0] * len(octave.operators)
        rows = min(self._band, _blocks(octave.height)) + 2 * self._halo + sum(self._reach)
        levels = _buffer(len(octave.operators), rows, octave.width)
        super().__init__(levels, [(octave, image, self._halo)], self._halo, 0)
        self._place(0)

    def _place(self, start: int) -> None:
        self.top[0] = self._halo - start
        self.last = self._halo + min(self._band, self._octave.height - start)

    def __iter__(self) -> Iterator[Sheet]:
        for start in range(0, self._octave.height, self._band):
            if start:
                self.levels[:, : -self._band] = self.levels[:, self._band :]
                self._place(start)
            yield self

    def fill(self, row: int) -> None:
        octave, top = self._octave, int(self.top[0])
        end = _blocks(octave.height)
        goal = min(_blocks(min(row, self.last + self._halo) - top), end)
        goals = []
        for reach in reversed(self._reach):
            goals.append(goal)
            goal = min(goal + reach, end)
        inner = self.levels[:, :, self.margin : self.margin + _blocks(octave.width)]
        for level, goal in enumerate(reversed(goals)):
            start = self._done[level]
            if goal > start:
                previous = inner[None, level - 1, max(top, 0) :]
                octave.blur(level, start, goal, previous, max(-top, 0), inner[None, level, top + start : top + goal])
                self._done[level] = goal
                if level == len(goals) - 3:  # has twice the blur of level 0
                    goal = min(goal, 2 * len(self._base))
                    self._base[start // 2 : goal // 2] = inner[level, top + start : top + goal : 2][
                        :, : 2 * self._base.shape[1] : 2
                    ]


def _stack(source: Image, shapes: list[tuple[int, int, int]], detector: DetectorParams, halo: int, base: bool) -> Sheet:
    """Return the sheet of all octaves `shapes` of a stack of images, the first of them over `source`."""
    halo = _blocks(halo)
    count = detector.scales_per_octave + 3
    # One pixel around a region is its continuation, see `extrapolate`.
    pitches = [_blocks(height + 2) for _, height, _ in shapes]
    rows = len(source) * sum(pitches)
    levels = _buffer(count, rows + 2 * halo, shapes[0][2])
    regions, top = [], halo
    for shape, pitch in zip(shapes, pitches, strict=True):
        octave = Octave.of(source, shape, detector, base=base)
        regions += [(octave, image, top + image * pitch) for image in range(len(source))]
        block = levels[:, top : top + len(source) * pitch].reshape(count, len(source), pitch, -1)
        inner = block[:, :, : _blocks(octave.height), Sheet.margin : Sheet.margin + _blocks(octave.width)]
        for level in range(count):
            octave.blur(level, 0, _blocks(octave.height), inner[level - 1], 0, inner[level])
        source, base = inner[-3, :, : octave.height // 2 * 2 : 2, : octave.width // 2 * 2 : 2].copy(), True
        top += len(source) * pitch
    return Sheet(levels, regions, halo, top)


def sheets(images: Image, detector: DetectorParams, halo: int) -> Iterator[Sheet]:
    """Pass the scale space of a stack of images by, finest octave first.

    A sheet is only good until the next one is asked for.

    Parameters
    ----------
    images : (images, H, W) array
        Of one size.
    detector : DetectorParams
    halo : int
        Rows that the later stages read above and below an extremum.

    Yields
    ------
    Sheet
    """
    shapes = octave_shapes(*images.shape[1:], detector)
    source, base = images, False
    for octave in range(max(detector.first_octave, 0) if shapes else 0):
        lacking = (3 if octave else 4) * detector.sigma_base**2 - (0 if octave else detector.sigma_input**2)
        source, base = _halved(source, max(lacking, 0) ** 0.5, lowe=detector.variant == "lowe"), True
    for i, (_, height, width) in enumerate(shapes):
        if height * width < SMALL:
            yield _stack(source, shapes[i:], detector, halo, base)
            return
        octave = Octave.of(source, shapes[i], detector, base=base)
        source, base = np.empty((len(images), height // 2, width // 2), np.float32), True
        for image, target in enumerate(source):
            yield from _Bands(replace(octave, source=octave.source[image : image + 1]), image, halo, target)
