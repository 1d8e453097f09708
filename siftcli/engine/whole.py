"""Blur of octaves that are small enough to be done whole.

Every block of outputs has a matrix of its own, which knows what is beyond the ends of the axis.  So a pass is a single
product, no border has to be copied, and one more output at either end, which continues the others linearly, costs
nothing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..features import Float32
from .gaussian import BLOCK, Operator, blocks, blur_columns, view
from .scratch import scratch

__all__ = ["beyond", "blur_tiny", "blur_whole", "rows_around"]

_DOWN = BLOCK // 2
"""Outputs of a block down columns; see `Operator.upper`."""
_ROWS = 64
"""Rows of a product along rows: with more, neighbours in a row of a wide sheet are far apart in time, with fewer there
are more products."""
_LEAD = 3
"""Inputs more than a block has: its outputs begin one earlier, and one that continues others needs those of the two
before."""


@lru_cache(maxsize=1024)
def beyond(start: int, stop: int, size: int, *, alternate: bool) -> npt.NDArray[np.intp]:
    """Return the samples that stand for start to stop of an axis: its own, and beyond its ends the border's.

    The doubled image ends between the last two samples.  Repeating these two in turn beyond the end is what,
    interpolated, comes closest to replicating that.
    """
    index = np.arange(start, stop)
    if alternate:
        index[index >= size] = size - 1 - (index[index >= size] - (size - 1)) % 2
    return np.minimum(np.maximum(index, 0), size - 1)


def rows_around(op: Operator) -> int:
    """Return how many rows above and below its source `blur_whole` reads.  They only have to be finite."""
    return op.matrix.shape[1] + _LEAD


def blur_whole(source: Float32, around: int, op: Operator, size: tuple[int, int], out: Float32) -> None:
    """Blur a stack of images both ways, to one more pixel on every side.

    Parameters
    ----------
    source : (n, around + rows + around, columns) float32
        With at least `rows_around` rows of anything above and below each image; neighbours in a row adjoin.
    around : int
    op : Operator
    size : (height, width)
        Of the blurred images.
    out : (n, blocks(height + 2), blocks(width + 2)) float32
        Written.
    """
    n, rows, columns = source.shape
    down, across = _matrices(op, rows - 2 * around, size[0], _DOWN), _matrices(op, columns, size[1], BLOCK)
    (tall, _, taps), (wide, margin, _) = down.shape, across.shape
    before, height = op.before + _LEAD, tall * _DOWN
    memory = scratch("halves", margin + n * height * columns + margin)  # the first and last windows lead out of it
    half = memory[margin:-margin].reshape(n, height, columns)
    image, row, sample = source.strides
    steps = image, op.step * _DOWN // BLOCK * row, row, sample
    windows = view(source[:, around - before :], (n, tall, taps, columns), steps)
    np.matmul(down, windows, out=half.reshape(n, tall, _DOWN, columns))
    (image, row, _), (image_out, row_out, _) = half.strides, out.strides
    for start, count, some in ((0, height // _ROWS, _ROWS), (height // _ROWS * _ROWS, 1, height % _ROWS)):
        if count * some:
            shape, offset = (n, count, wide, some, margin), (margin - before) * sample + start * row
            strides = image, some * row, op.step * sample, row, sample
            windows = np.ndarray(shape, np.float32, memory, offset, strides)
            strides = image_out, some * row_out, BLOCK * sample, row_out, sample
            np.matmul(windows, across, out=view(out[:, start:], (n, count, wide, some, BLOCK), strides))


@lru_cache(maxsize=128)
def _matrices(op: Operator, inputs: int, outputs: int, block: int) -> Float32:
    """Return the matrices of all blocks of an axis, from the output before the first to the one behind the last.

    Returns
    -------
    (blocks, block, taps) float32, or (blocks, taps, block) for whole blocks, which are for samples along rows
    """
    step, count = op.step * block // BLOCK, blocks(outputs + 2) // block
    # Between the ends of a long axis, all are the same.
    special = (op.matrix.shape[1] + _LEAD) // step + 1
    unit = BLOCK // block
    same = max(0, count - 2 * special - unit) // unit * unit
    few = _few_matrices(op, inputs - same * step, outputs - same * block, block)
    every = np.arange(count)
    return few[np.maximum(np.minimum(every, special), every - same)]


@lru_cache(maxsize=1024)
def _few_matrices(op: Operator, inputs: int, outputs: int, block: int) -> Float32:
    """Return the matrices of all blocks of a short axis."""
    step, count = op.step * block // BLOCK, blocks(outputs + 2) // block
    taps, before = op.matrix.shape[1] - op.step + step + _LEAD, op.before + _LEAD
    every = np.zeros((count * block, max((count - 1) * step + taps, before + inputs)))
    every[: outputs + 2, before : before + inputs] = _continued(op, np.eye(inputs), outputs)
    matrices = np.array([every[i * block :, i * step :][:block, :taps] for i in range(count)], np.float32)
    return matrices if block < BLOCK else np.ascontiguousarray(matrices.swapaxes(1, 2))


def _continued(op: Operator, source: npt.NDArray[np.float64], outputs: int) -> npt.NDArray[np.float64]:
    """Return what an operator makes of the columns of a matrix, (inputs, W): (outputs + 2, W), continued linearly."""
    whole = blocks(outputs)
    rows = beyond(-op.before, (whole // BLOCK - 1) * op.step + op.after, len(source), alternate=op.step < BLOCK)
    out = np.empty((1, whole, source.shape[1]))
    blur_columns(source[None, rows], op, out)
    a = out[0, :outputs]
    return np.concatenate([2 * a[:1] - a[1:2], a, 2 * a[-1:] - a[-2:-1]])


def blur_tiny(operators: tuple[Operator, ...], size: tuple[int, int], levels: Float32) -> None:
    """Blur the first level of a stack of tiny images to all others, at once.

    Parameters
    ----------
    operators : tuple of Operator
        Of every level but the first from the one before.
    size : (height, width)
        Of an image.
    levels : (1 + len(operators), n, 1 + height + 1, 1 + blocks(width) or more) float32
        One more pixel on every side, in all levels but the first; and columns of anything finite.
    """
    (height, width), n = size, levels.shape[1]
    down, across = _chain(operators, height, False), _chain(operators, width, True)
    columns = across.shape[1]  # more than there are fill the vectors of the processor
    half = scratch("halves", n, len(operators), height + 2, columns)
    np.matmul(down.reshape(-1, height), levels[0, :, 1:-1, 1 : 1 + columns], out=half.reshape(n, -1, columns))
    np.matmul(half, across, out=levels[1:, :, :, : width + 2].swapaxes(0, 1))


@lru_cache(maxsize=256)
def _chain(operators: tuple[Operator, ...], size: int, transposed: bool) -> Float32:
    """Return the matrices of the first blur, the first two, and so on.

    Returns
    -------
    (operators, size + 2, size) float32, or (operators, blocks(size), size + 2), of zeros from the size on
    """
    matrix, matrices = np.eye(size), []
    for op in operators:
        matrices.append(_continued(op, matrix, size))
        matrix = matrices[-1][1:-1]
    if not transposed:
        return np.array(matrices, np.float32)
    return np.pad(np.array(matrices, np.float32).swapaxes(1, 2), ((0, 0), (0, blocks(size) - size), (0, 0)))
