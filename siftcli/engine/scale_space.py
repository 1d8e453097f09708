"""The Gaussian scale space, a sheet at a time. [Lowe04 §3; VLFeat's page, "Scale space"]

A *sheet* is a buffer of all levels of some rows.  A large octave passes through one sheet in bands of rows, so memory
does not grow with the image; all small octaves, of one image or of a stack of images of one size, lie in a single
sheet and are run once.  The later stages see a sheet and its *regions* (where each octave lies), never an octave: they
are the same for bands and for stacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ..features import Float32, Image
from ..params import DetectorParams
from .gaussian import BLOCK, Operator, blur_columns, blur_rows, chain, operator, widening
from .scratch import scratch, shared_scratch

__all__ = ["WHITE", "Index", "Octave", "ScaleSpace", "Sheet", "octave_shapes", "to_unit"]

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
STRIP = 220_000
"""Pixels of a strip: what the dense stages work on at a time.  Smaller ones cost more calls, larger ones the cache."""
BAND = 3 << 19
"""Pixels of a band, and its smallest number of rows."""
BAND_ROWS = 208
PAGE = 1 << 14
"""Samples of the largest pages that are usual, and more: what workers share begins with a page."""
_TINY = 64
"""Octaves of at most so many pixels a side are blurred by whole matrices, which are made once for every size."""
SMALL = 130_000
"""Octaves of fewer pixels are small: they share a sheet, and all samples count for their levels."""
_OTHERS = 4
"""So many times as large, octaves share that sheet that come after one with a sheet of its own: what is computed twice
between bands, or by two workers, is a larger part of them."""


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


def to_unit(pixels: Image) -> Float32:
    """Return pixels as float32 in [0, 1]; float32 is returned as it is."""
    if pixels.dtype == np.float32:
        return cast(Float32, pixels)
    return np.divide(pixels, np.float32(255 if pixels.dtype == np.uint8 else 65535))


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
    rows, columns = _blocks(height // 2), _blocks(width // 2)
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
        half[:, :, right:] = half[:, :, _beyond(right, half.shape[2], right, alternate=True)]
    else:
        half[:, :, right:] = half[:, :, right - 1 : right]
    if dtype == out.dtype:
        blur_rows(half, op, out)
    else:
        whole = scratch("whole", *out.shape, dtype=dtype)
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
        large = height * width >= SMALL
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
    def tiny(self) -> bool:
        """Whether `blur_whole` takes less time."""
        return max(self.height, self.width) <= _TINY and self.operators[0].matrix.dtype == np.float32

    def blur_whole(self, levels: Float32) -> None:
        """Compute all levels (level, image, row, column) but the first from the first, at once."""
        count, n, height, width = levels.shape
        down, across = (chain(self.operators[1:], size) for size in (height, width))
        half = scratch("half", n, count - 1, height, width)
        np.matmul(down.reshape(-1, height), levels[0], out=half.reshape(n, -1, width))
        np.matmul(half, across.swapaxes(1, 2), out=levels[1:].swapaxes(0, 1))


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

    def extrapolate(self, levels: slice = slice(None)) -> None:
        """Continue these levels of every region linearly by one pixel to every side.

        The central difference at the image's edge then is twice the one-sided one, as in Lowe's program, and no
        later stage has border code.
        """
        some = self.levels[levels]
        for top, left, height, width in zip(self.top, self.left, self.height, self.width, strict=True):
            around = some[:, :, left - 1 : left + width + 1]
            _continue(around[:, max(top, 0) : top + height])
            for edge, inward in ((top - 1, 1), (top + height, -1)):
                if 0 <= edge < some.shape[1]:
                    around[:, edge] = 2 * around[:, edge + inward] - around[:, edge + 2 * inward]


def _continue(values: Float32) -> None:
    """Set the first and the last along the last axis to what continues those between linearly."""
    last = values.shape[-1] - 1
    values[..., ::last] = 2 * values[..., 1 : -1 : last - 2] - values[..., 2 : -2 : last - 4]


def _within(memory: Float32, shape: tuple[int, int, int]) -> Float32:
    """Return the array of this shape at the beginning of flat memory."""
    return memory[: math.prod(shape)].reshape(shape)


class _Bands(Sheet):
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
        self._halo, self._band = _blocks(halo), rows.step
        self._stop = min(rows.stop, octave.height)
        self._ahead = _ahead(octave)
        self._done = [max(0, rows.start - self._halo - ahead) for ahead in self._ahead]
        levels = _within(memory, _band_shape(octave, halo, rows.step))
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
        goal = _blocks(min(row, self.last + self._halo) - top)
        inner = self.levels[:, :, self.margin : self.margin + _blocks(octave.width)]
        for level, ahead in enumerate(self._ahead):
            start, stop = self._done[level], min(goal + ahead, _blocks(octave.height))
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
        ahead.insert(0, ahead[0] + _blocks(op.reach))
    return ahead


def _band_shape(octave: Octave, halo: int, band: int) -> tuple[int, int, int]:
    """Return the shape of the levels for bands of so many rows."""
    rows = min(band, _blocks(octave.height)) + 2 * (_blocks(halo) + _ahead(octave)[0])
    # The left margin is the right one of the row before.
    return len(octave.operators), rows, Sheet.margin + _blocks(octave.width + 1)


class _Layout(NamedTuple):
    """How the octaves of a stack of images lie in a sheet.

    The images lie side by side.  Of each, the second octave lies below the first, and all others to the right of the
    second, below each other.  Around each octave, there is a pixel for `extrapolate`.

    Attributes
    ----------
    rows, columns : int
        Of the sheet.
    first, last : int
        Rows in which there are octaves.
    corners : list of (top, left)
        Of every octave of the first image.
    table : (6, regions) intp
        Octave after octave, and of each, image after image; see `Sheet`.
    tiles : (rows / BLOCK, columns / BLOCK) intp
        The region of every block of pixels, where there is one.
    """

    rows: int
    columns: int
    first: int
    last: int
    corners: list[tuple[int, int]]
    table: Index
    tiles: Index


@lru_cache(maxsize=64)
def _layout(images: int, shapes: tuple[tuple[int, int, int], ...], halo: int) -> _Layout:
    """Return the layout for octaves `(octave, height, width)` of so many images, with a halo above and below."""
    heights, widths = ([_blocks(shape[axis] + 2) for shape in shapes] for axis in (1, 2))
    first, left = _blocks(halo), Sheet.margin
    below = first + heights[0]
    corners = [(first, left), (below, left)][: len(shapes)]
    corners += [(below + sum(heights[2:k]), left + widths[1]) for k in range(2, len(shapes))]
    last = max(top + height for (top, _), height in zip(corners, heights, strict=True))
    cell = max(left + width for (_, left), width in zip(corners, widths, strict=True))
    rows, columns = last + first, images * cell
    table: list[tuple[int, ...]] = []
    tiles = np.zeros((rows // BLOCK, columns // BLOCK), np.intp)
    for (octave, height, width), (top, left) in zip(shapes, corners, strict=True):
        for image in range(images):
            x = left + image * cell
            tiles[top // BLOCK : (top + height) // BLOCK + 1, x // BLOCK : (x + width) // BLOCK + 1] = len(table)
            table.append((top, x, height, width, octave, image))
    return _Layout(rows, columns, first, last, corners, np.array(table).T, tiles)


class _Stack(Sheet):
    """All small octaves of a stack of images of one size.

    Parameters
    ----------
    source : (images, rows, columns) array
        The images, or the base of the first octave.
    shapes : list of (octave, height, width)
    detector : DetectorParams
    base : bool
        Whether `source` is a base.
    layout : _Layout
    memory : (size,) float32
        The levels are kept in it.
    """

    def __init__(
        self,
        source: Image,
        shapes: list[tuple[int, int, int]],
        detector: DetectorParams,
        base: bool,
        layout: _Layout,
        memory: Float32,
    ) -> None:
        levels = _within(memory, (detector.scales_per_octave + 3, layout.rows, layout.columns))
        super().__init__(levels, layout.table, layout.first, layout.last)
        images = levels.reshape(*levels.shape[:2], len(source), -1).swapaxes(1, 2)
        self._tiles, self._around = layout.tiles, list[Float32]()
        for shape, (top, left) in zip(shapes, layout.corners, strict=True):
            octave = Octave.of(source, shape, detector, base=base)
            height, width = octave.height, octave.width
            inner = images[:, :, top : top + _blocks(height), left : left + _blocks(width)]
            for level in range(1 if octave.tiny else len(levels)):
                octave.blur(level, 0, _blocks(height), inner[level - 1], 0, inner[level])
            if octave.tiny:
                octave.blur_whole(inner[:, :, :height, :width])
            source, base = inner[-3, :, : height // 2 * 2 : 2, : width // 2 * 2 : 2].copy(), True
            self._around.append(images[:, :, top - 1 : top + height + 1, left - 1 : left + width + 1])

    def region(self, row: Index, column: Index) -> Index:
        return self._tiles[row // BLOCK, column // BLOCK]

    def extrapolate(self, levels: slice = slice(None)) -> None:
        for around in self._around:
            _continue(around[levels, :, 1:-1])
            _continue(around[levels].swapaxes(2, 3))


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
        source, base = images, False
        for skipped in range(max(detector.first_octave, 0) if shapes else 0):
            lacking = (3 if skipped else 4) * detector.sigma_base**2 - (0 if skipped else detector.sigma_input**2)
            gain = 1.0 if base else _GAIN
            source, base = _halved(source, max(lacking, 0) ** 0.5, gain, lowe=detector.variant == "lowe"), True
        allocate: Callable[..., Float32] = shared_scratch if workers > 1 else scratch
        if shapes and detector.variant == "lowe" and not base:
            source = _doubled(images, -detector.first_octave, allocate)
        self._large: list[tuple[Octave, Float32, int, int]] = []
        sizes = [0]
        for shape in shapes:
            _, height, width = shape
            if height * width < (_OTHERS * SMALL if self._large else SMALL):
                break
            octave = Octave.of(source, shape, detector, base=base)
            unit = _blocks(-(-height // _band_count(octave)))
            band = unit * max(1, BAND // (unit * width)) if workers == 1 else unit
            sizes.append(math.prod(_band_shape(octave, halo, band)))
            source, base = allocate(f"base {octave.index}", len(images), height // 2, width // 2), True
            self._large.append((octave, source, band, unit))
        self._rest, self._small = (source, base), shapes[len(self._large) :]
        stack = 0
        if self._small:
            self._layout = _layout(len(images), tuple(self._small), halo)
            stack = (detector.scales_per_octave + 3) * self._layout.rows * self._layout.columns
        # What lies outside every region is read too (with weight zero), so it has to be finite: both give zeros.
        if workers == 1:
            memory = allocate("levels", max(*sizes, stack))
            self._memory = [memory, memory]
        else:
            each = -(-max(sizes) // PAGE) * PAGE
            self._memory = [*allocate("levels", workers, each), allocate("stack", stack)]

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
                    yield from _Bands(one, image, self._halo, rows, unit, target, memory)
                yield from [None] * (each - len(rows))

    def stack(self) -> Sheet:
        """Return the sheet of all small octaves."""
        source, over_base = self._rest
        return _Stack(source, self._small, self._detector, over_base, self._layout, self._memory[-1])

    def attached(self, memory: int, shape: tuple[int, ...], table: Index) -> Sheet:
        """Return a sheet of another worker, or, if `memory` is the number of workers, that of the small octaves.

        Parameters
        ----------
        shape, table
            Its `levels.shape` and its table.
        """
        return Sheet(_within(self._memory[memory], cast(tuple[int, int, int], shape)), table)


def _band_count(octave: Octave) -> int:
    """Bands of an octave: an even number where it is worth sharing."""
    pixels = octave.height * octave.width
    return max(1, min(2 * round(pixels / (2 * BAND)) or 2, octave.height // BAND_ROWS))
