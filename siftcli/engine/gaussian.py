"""Gaussian blur as a matrix product.

A block of output samples is a small banded matrix times the inputs that it needs, so a whole pass is one ``matmul``
over overlapping strided views, which runs at the speed of sgemm.  The same form holds for "upsample, then blur"
and "blur, then keep every second sample": each is one :class:`Operator`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

Floats = npt.NDArray[np.floating]

__all__ = ["BLOCK", "Operator", "blocks", "blur_columns", "blur_rows", "kernel", "operator", "view", "widening"]

BLOCK = 16
"""Output samples of an operator.  Along rows, a product of 8 columns does not fill the processor's vectors, and one of
32 costs more per sample."""

_SMALL = 10**6
"""Multiplications of a product that OpenBLAS does without copying the factors first, on processors with AVX-512."""


def blocks(n: int) -> int:
    """Round up to whole blocks."""
    return -(-n // BLOCK) * BLOCK


def kernel(sigma: float) -> npt.NDArray[np.float64]:
    """Return the taps of a Gaussian, about 4 sigma to each side.

    They are divided by the sum over one tap too many, as in Lowe's program: the gain is short by about 1e-5, which
    decides on some keypoints at the contrast threshold.

    Parameters
    ----------
    sigma : float
        In samples; 0 gives the identity.
    """
    if sigma <= 0:
        return np.ones(1)
    radius = max(3, int(8 * sigma + 1)) // 2
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 2) / sigma) ** 2)
    return weights[:-1] / weights.sum()


@dataclass(frozen=True, eq=False)
class Operator:
    """A resampling blur of one axis: ``out[B j + i] = sum_k matrix[i, k] in[step j - before + k]``.

    Attributes
    ----------
    matrix : (B, K) float32 or float64
        B output samples from K input samples; its dtype is that of the arithmetic.
    step : int
        Input samples from one block to the next; B for a plain blur.
    before : int
        Input samples that a block needs before its own first.
    """

    matrix: Floats
    step: int
    before: int

    @cached_property
    def transposed(self) -> Floats:
        """The matrix for samples along rows, contiguous: a transposed view costs twice the time."""
        return np.ascontiguousarray(self.matrix.T)

    @cached_property
    def upper(self) -> Floats:
        """The matrix of the first half of the output samples: its band is fuller, which pays down columns."""
        return self.matrix[: BLOCK // 2, : self.matrix.shape[1] - self.step // 2]

    @property
    def identity(self) -> bool:
        """Whether the output is the input."""
        return self.step == self.matrix.shape[1] == BLOCK and self.matrix[0, 0] == 1

    @property
    def after(self) -> int:
        """Input samples that a block needs from its own first on."""
        return self.matrix.shape[1] - self.before

    @property
    def reach(self) -> int:
        """How far beyond a block the input is needed, in output samples."""
        return (self.after - self.step) * BLOCK // self.step


@lru_cache(maxsize=256)
def operator(sigma: float, octave: int = 0, double: bool = False, gain: float = 1.0) -> Operator:
    """Return the operator from samples of spacing 1 to samples of spacing ``2**octave``, blurred by `sigma`.

    Parameters
    ----------
    sigma : float
        In samples of the finer of the two grids.
    octave : int
        Negative, down to -3: upsample linearly by ``2**-octave``, then blur.  Positive: blur, then keep every
        ``2**octave``-th sample.  Zero: blur.
    double : bool
        Compute in double precision, which comes nearest to the numbers of Lowe's program.
    gain : float
        What the output of one axis is multiplied by, a power of 2.
    """
    taps = kernel(sigma) * gain
    radius = len(taps) // 2
    up, down = 2 ** max(-octave, 0), 2 ** max(octave, 0)
    # Blur on the fine grid, from index -radius on.
    fine = np.zeros((BLOCK, (BLOCK - 1) * down + 2 * radius + 1))
    for i in range(BLOCK):
        fine[i, i * down : i * down + len(taps)] = taps
    # Linear interpolation of the fine grid from the coarse one, from index -before on.
    before = -(-radius // up)
    position = (np.arange(fine.shape[1]) - radius) / up + before
    width = math.ceil(position[-1]) + 1
    interpolate = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(width)))
    matrix = (fine @ interpolate).astype(np.float64 if double else np.float32)
    return Operator(matrix, BLOCK * down // up, before)


@lru_cache(maxsize=256)
def widening(sigma: float, smooth: float) -> Operator:
    """Return the operator from every second sample to all, blurred by `sigma`, for inputs that are smooth already.

    Those are sums of Gaussians.  The weights are the ones that give, for a Gaussian around any sample, what all samples
    would, as nearly as least squares can.

    Parameters
    ----------
    sigma : float
        In samples of the output.
    smooth : float
        The blur of the input, in the same.
    """
    taps = kernel(sigma)
    radius = len(taps) // 2
    before, reach = -(-radius // 2), radius + math.ceil(4 * smooth)
    around = np.arange(-reach, reach + 1)[:, None]

    def values(at: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Of the Gaussians around all places, at these."""
        return np.exp(-0.5 * ((at - around) / smooth) ** 2)

    matrix = np.zeros((BLOCK, BLOCK // 2 + 2 * before))
    for odd in (0, 1):
        seconds = 2 * np.arange(odd - before, before + 1)
        blurred = values(odd + np.arange(-radius, radius + 1)) @ taps
        weights = np.linalg.lstsq(values(seconds), blurred, rcond=None)[0]
        weights *= taps.sum() / weights.sum()
        for i in range(BLOCK // 2):
            matrix[2 * i + odd, i + odd : i + odd + len(weights)] = weights
    return Operator(matrix.astype(np.float32), BLOCK // 2, before)


def view(source: Floats, shape: tuple[int, ...], strides: tuple[int, ...]) -> Floats:
    """Return `as_strided`, which takes 2 us longer than an array over a contiguous one."""
    if source.flags.c_contiguous:
        return np.ndarray(shape, source.dtype, source, 0, strides)
    return as_strided(source, shape, strides)


def blur_columns(source: Floats, op: Operator, out: Floats) -> None:
    """Apply an operator down the columns of a stack of images.

    Parameters
    ----------
    source : (images, rows, W) array
        From `op.before` rows before the first block to what the last block needs; neighbours in a row adjoin.
    op : Operator
    out : (images, blocks * BLOCK, W) array
        Written.
    """
    (n, rows, width), (image, row, sample) = out.shape, source.strides
    matrix, step = op.upper, op.step // 2
    samples, needed = matrix.shape
    windows = view(source, (n, rows // samples, needed, width), (image, step * row, row, sample))
    parts = out.reshape(n, rows // samples, samples, width)
    # Several products of about the same width where one would be too large.
    count = -(-width // max(1, _SMALL // matrix.size))
    wide = -(-width // count // 64) * 64
    for left in range(0, width, wide):
        np.matmul(matrix, windows[..., left : left + wide], out=parts[..., left : left + wide])


def blur_rows(source: Floats, op: Operator, out: Floats) -> None:
    """Apply an operator along the rows of a stack of images.

    Parameters
    ----------
    source : (images, blocks * BLOCK, columns) array
        From `op.before` columns before the first block to what the last block needs; neighbours in a row adjoin.
    op : Operator
    out : (images, blocks * BLOCK, blocks * BLOCK) array
        Written.
    """
    # Products of one block of rows each: with more, the rounding of a row could depend on how many are done at once.
    (n, rows, columns), (image, row, sample) = out.shape, source.strides
    shape = (n, rows // BLOCK, columns // BLOCK, BLOCK, op.matrix.shape[1])
    windows = view(source, shape, (image, BLOCK * row, op.step * sample, row, sample))
    np.matmul(windows, op.transposed, out=out.reshape(n, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).swapaxes(2, 3))
