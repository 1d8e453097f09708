"""Separable blur of images, in three ways: blocks over a padded source, edge-aware blocks, and dense matrices.

`blur_block_rows` filters whole blocks of rows of a large image, whose borders are copied around it first.  Small images
are filtered at once: `blur_with_edges` gives every block a matrix of its own, which replicates the border, and
`blur_tiny` multiplies by one dense matrix for each level.  Both also compute the pixel around the image that continues
it linearly, so that no border has to be copied or extrapolated.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..features import Float32, Float64
from .gaussian import BLOCK, BandedFilter, blur_columns, blur_rows, edge_index, strided_view, whole_blocks
from .workspace import scratch

__all__ = ["blur_block_rows", "blur_tiny", "blur_with_edges", "rows_read"]

_HALF = BLOCK // 2
"""Output rows of a block down columns; see `BandedFilter.half_block`."""
_ROWS = 64
"""Rows of one product along rows: a balance of cache misses in wide buffers and the number of products."""
_EXTRA = 3
"""Additional inputs of an edge-aware block: its outputs begin one sample earlier, and extrapolation reads two more."""


def blur_block_rows(rows: Float32, banded: BandedFilter, out: Float32, *, alternate: bool = False) -> None:
    """Filter whole blocks of rows both ways.

    Parameters
    ----------
    rows : (images, R, width) float32
        All rows that the blocks depend on.
    banded : BandedFilter
    out : (images, blocks * BLOCK, whole_blocks(width)) float32
        Receives the result.
    alternate : bool
        How the right border is replicated; see `edge_index`.
    """
    dtype = banded.matrix.dtype
    n, height, width = out.shape
    shape = (n, height, banded.left_support + width // BLOCK * banded.step + banded.right_support)
    half = scratch("half", *shape, dtype=dtype)
    left, right = banded.left_support, banded.left_support + rows.shape[2]
    blur_columns(rows.astype(dtype, copy=False), banded, half[:, :, left:right])
    half[:, :, :left] = half[:, :, left : left + 1]
    if alternate:
        half[:, :, right:] = half[:, :, edge_index(right, half.shape[2], right, alternate=True)]
    else:
        half[:, :, right:] = half[:, :, right - 1 : right]
    if dtype == out.dtype:
        blur_rows(half, banded, out)
    else:
        double = scratch("double", *out.shape, dtype=dtype)
        blur_rows(half, banded, double)
        out[:] = double


def rows_read(banded: BandedFilter) -> int:
    """Return how many rows above and below its source `blur_with_edges` reads; their values have to be finite."""
    return banded.matrix.shape[1] + _EXTRA


def blur_with_edges(source: Float32, around: int, banded: BandedFilter, size: tuple[int, int], out: Float32) -> None:
    """Blur a stack of images both ways, and continue them linearly by one pixel on every side.

    Parameters
    ----------
    source : (n, around + rows + around, columns) float32
        With at least `rows_read` rows of finite values above and below; samples of a row are adjacent in memory.
    around : int
    banded : BandedFilter
    size : (height, width)
        Size of the blurred images.
    out : (n, whole_blocks(height + 2), whole_blocks(width + 2)) float32
        Receives the result.
    """
    n, rows, columns = source.shape
    down, across = _edge_filters(banded, rows - 2 * around, size[0], _HALF), _edge_filters(banded, columns, size[1])
    (tall, _, taps), (wide, margin, _) = down.shape, across.shape
    support, height = banded.left_support + _EXTRA, tall * _HALF
    memory = scratch("halves", margin + n * height * columns + margin)  # the first and last windows exceed the rows
    half = memory[margin:-margin].reshape(n, height, columns)
    image, row, sample = source.strides
    steps = image, banded.step * _HALF // BLOCK * row, row, sample
    windows = strided_view(source[:, around - support :], (n, tall, taps, columns), steps)
    np.matmul(down, windows, out=half.reshape(n, tall, _HALF, columns))
    (image, row, _), (image_out, row_out, _) = half.strides, out.strides
    for start, count, some in ((0, height // _ROWS, _ROWS), (height // _ROWS * _ROWS, 1, height % _ROWS)):
        if count * some:
            shape, offset = (n, count, wide, some, margin), (margin - support) * sample + start * row
            strides = image, some * row, banded.step * sample, row, sample
            windows = np.ndarray(shape, np.float32, memory, offset, strides)
            strides = image_out, some * row_out, BLOCK * sample, row_out, sample
            np.matmul(windows, across, out=strided_view(out[:, start:], (n, count, wide, some, BLOCK), strides))


@lru_cache(maxsize=128)
def _edge_filters(banded: BandedFilter, inputs: int, outputs: int, block: int = BLOCK) -> Float32:
    """Return the matrix of every block of an axis that begins one sample before the image and ends one behind it.

    Returns
    -------
    (blocks, block, taps) float32, or (blocks, taps, block) for blocks of `BLOCK` samples, which lie along rows
    """
    step, count = banded.step * block // BLOCK, whole_blocks(outputs + 2) // block
    # All blocks that are far from the ends have the same matrix.
    special = (banded.matrix.shape[1] + _EXTRA) // step + 1
    unit = BLOCK // block
    same = max(0, count - 2 * special - unit) // unit * unit
    few = _short_axis_filters(banded, inputs - same * step, outputs - same * block, block)
    every = np.arange(count)
    return few[np.maximum(np.minimum(every, special), every - same)]


@lru_cache(maxsize=1024)
def _short_axis_filters(banded: BandedFilter, inputs: int, outputs: int, block: int) -> Float32:
    """Compute the matrix of every block of a short axis; shapes as of `_edge_filters`."""
    step, count = banded.step * block // BLOCK, whole_blocks(outputs + 2) // block
    taps, support = banded.matrix.shape[1] - banded.step + step + _EXTRA, banded.left_support + _EXTRA
    every = np.zeros((count * block, max((count - 1) * step + taps, support + inputs)))
    every[: outputs + 2, support : support + inputs] = _filtered(banded, np.eye(inputs), outputs)
    matrices = np.array([every[i * block :, i * step :][:block, :taps] for i in range(count)], np.float32)
    return matrices if block < BLOCK else np.ascontiguousarray(matrices.swapaxes(1, 2))


def _filtered(banded: BandedFilter, source: Float64, outputs: int) -> Float64:
    """Filter the columns of a matrix (inputs, W) and continue them linearly at both ends: (outputs + 2, W)."""
    whole, upsamples = whole_blocks(outputs), banded.step < BLOCK
    stop = (whole // BLOCK - 1) * banded.step + banded.right_support
    rows = edge_index(-banded.left_support, stop, len(source), alternate=upsamples)
    out = np.empty((1, whole, source.shape[1]))
    blur_columns(source[None, rows], banded, out)
    a = out[0, :outputs]
    return np.concatenate([2 * a[:1] - a[1:2], a, 2 * a[-1:] - a[-2:-1]])


def blur_tiny(filters: tuple[BandedFilter, ...], size: tuple[int, int], levels: Float32) -> None:
    """Compute all further levels of a stack of tiny images from level 0, by one dense matrix for each level and axis.

    Parameters
    ----------
    filters : tuple of BandedFilter
        Filters for every level but the first, from the level before.
    size : (height, width)
        Size of an image.
    levels : (1 + len(filters), n, 1 + height + 1, 1 + whole_blocks(width) or more) float32
        Level 0 without, the others with a pixel around; finite values in the columns behind.
    """
    (height, width), n = size, levels.shape[1]
    down, across = _dense_filters(filters, height, False), _dense_filters(filters, width, True)
    columns = across.shape[1]  # whole vector registers
    half = scratch("halves", n, len(filters), height + 2, columns)
    np.matmul(down.reshape(-1, height), levels[0, :, 1:-1, 1 : 1 + columns], out=half.reshape(n, -1, columns))
    np.matmul(half, across, out=levels[1:, :, :, : width + 2].swapaxes(0, 1))


@lru_cache(maxsize=256)
def _dense_filters(filters: tuple[BandedFilter, ...], size: int, transposed: bool) -> Float32:
    """Return the matrices of the first filter, of the first two one after the other, and so on.

    Returns
    -------
    (filters, size + 2, size) float32, or (filters, whole_blocks(size), size + 2), padded with zeros
    """
    matrix, matrices = np.eye(size), []
    for banded in filters:
        matrices.append(_filtered(banded, matrix, size))
        matrix = matrices[-1][1:-1]
    if not transposed:
        return np.array(matrices, np.float32)
    padding = (0, 0), (0, whole_blocks(size) - size), (0, 0)
    return np.pad(np.array(matrices, np.float32).swapaxes(1, 2), padding)
