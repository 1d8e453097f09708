"""Gaussian filters as banded matrices, and the two passes that apply them.

A block of 16 output samples is a banded matrix times the input samples that it depends on.  A pass along one axis is
therefore a single ``matmul`` over overlapping strided views, at the speed of BLAS.  "Upsample, then blur" and "blur,
then decimate" have the same form: each is one :class:`BandedFilter`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from ..features import Float64, Index

Floats = npt.NDArray[np.floating]

__all__ = [
    "BLOCK",
    "BandedFilter",
    "blur_columns",
    "blur_rows",
    "decimated_filter",
    "edge_index",
    "gaussian_filter",
    "kernel",
    "strided_view",
    "whole_blocks",
]

BLOCK = 16
"""Output samples of one application of the matrix.  Along rows, products of 8 columns do not fill the vector registers,
and products of 32 multiply more zeros."""

_SMALL_PRODUCT = 10**6
"""Most multiplications of a product for which OpenBLAS does not copy its factors first (with AVX-512)."""


def whole_blocks(n: int) -> int:
    """Round up to a multiple of `BLOCK`."""
    return -(-n // BLOCK) * BLOCK


def kernel(sigma: float) -> Float64:
    """Return the taps of a Gaussian, about 4 sigma to each side; a single 1 if sigma is 0.

    The taps are divided by their sum over one sample too many, as in Lowe's program.  The gain is 1e-5 too small, which
    decides on some keypoints at the contrast threshold.
    """
    if sigma <= 0:
        return np.ones(1)
    radius = max(3, int(8 * sigma + 1)) // 2
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 2) / sigma) ** 2)
    return weights[:-1] / weights.sum()


@dataclass(frozen=True, eq=False)
class BandedFilter:
    """A resampling blur of one axis: ``out[B j + i] = sum_k matrix[i, k] in[step j - left_support + k]``.

    Attributes
    ----------
    matrix : (B, K) float32 or float64
        B output samples from K input samples; its dtype is that of the arithmetic.
    step : int
        Input samples from one block to the next; B for a plain blur.
    left_support : int
        Input samples that a block needs before its own first.
    """

    matrix: Floats
    step: int
    left_support: int

    @cached_property
    def transposed(self) -> Floats:
        """The transposed matrix, contiguous: `matmul` takes twice the time with a transposed view."""
        return np.ascontiguousarray(self.matrix.T)

    @cached_property
    def half_block(self) -> Floats:
        """The matrix of the first half of the output samples: it has fewer zeros, which pays down columns."""
        return self.matrix[: BLOCK // 2, : self.matrix.shape[1] - self.step // 2]

    @property
    def identity(self) -> bool:
        """True if the output equals the input."""
        return self.step == self.matrix.shape[1] == BLOCK and self.matrix[0, 0] == 1

    @property
    def right_support(self) -> int:
        """Input samples that a block needs from its own first on."""
        return self.matrix.shape[1] - self.left_support

    @property
    def radius(self) -> int:
        """Samples beyond a block that the output depends on, in output samples."""
        return (self.right_support - self.step) * BLOCK // self.step


@lru_cache(maxsize=256)
def gaussian_filter(sigma: float, octave: int = 0, double: bool = False, gain: float = 1.0) -> BandedFilter:
    """Return the filter from samples of spacing 1 to samples of spacing ``2**octave``, blurred by `sigma`.

    Parameters
    ----------
    sigma : float
        In samples of the finer of the two grids.
    octave : int
        Negative, down to -3: upsample linearly by ``2**-octave``, then blur.  Positive: blur, then decimate by
        ``2**octave``.  Zero: blur.
    double : bool
        Compute in float64, which comes closest to the values of Lowe's program.
    gain : float
        Factor of the output, a power of 2.
    """
    taps = kernel(sigma) * gain
    radius = len(taps) // 2
    up, down = 2 ** max(-octave, 0), 2 ** max(octave, 0)
    # The blur on the fine grid; column 0 is sample -radius.
    fine = np.zeros((BLOCK, (BLOCK - 1) * down + 2 * radius + 1))
    for i in range(BLOCK):
        fine[i, i * down : i * down + len(taps)] = taps
    # Linear interpolation from the coarse grid to the fine one; column 0 is coarse sample -left_support.
    left_support = -(-radius // up)
    position = (np.arange(fine.shape[1]) - radius) / up + left_support
    width = math.ceil(position[-1]) + 1
    interpolate = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(width)))
    matrix = (fine @ interpolate).astype(np.float64 if double else np.float32)
    return BandedFilter(matrix, BLOCK * down // up, left_support)


@lru_cache(maxsize=256)
def decimated_filter(sigma: float, input_sigma: float) -> BandedFilter:
    """Return the filter that blurs by `sigma` and reads only every second sample of an input that is smooth.

    Least squares fit the weights, separately for even and odd outputs: for a Gaussian of `input_sigma` around any
    sample, they give what the full kernel gives.

    Parameters
    ----------
    sigma : float
        In samples of the output.
    input_sigma : float
        Blur that the input has already, in the same unit.
    """
    taps = kernel(sigma)
    radius = len(taps) // 2
    left_support, reach = -(-radius // 2), radius + math.ceil(4 * input_sigma)
    centres = np.arange(-reach, reach + 1)[:, None]

    def gaussians(at: Index) -> Float64:
        return np.exp(-0.5 * ((at - centres) / input_sigma) ** 2)

    matrix = np.zeros((BLOCK, BLOCK // 2 + 2 * left_support))
    for odd in (0, 1):
        inputs = 2 * np.arange(odd - left_support, left_support + 1)
        blurred = gaussians(odd + np.arange(-radius, radius + 1)) @ taps
        weights = np.linalg.lstsq(gaussians(inputs), blurred, rcond=None)[0]
        weights *= taps.sum() / weights.sum()
        for i in range(BLOCK // 2):
            matrix[2 * i + odd, i + odd : i + odd + len(weights)] = weights
    return BandedFilter(matrix.astype(np.float32), BLOCK // 2, left_support)


@lru_cache(maxsize=1024)
def edge_index(start: int, stop: int, size: int, *, alternate: bool) -> Index:
    """Return the samples that stand for start to stop of an axis of `size` samples; beyond its ends, the edge repeats.

    With `alternate`, for filters that upsample, the last two samples repeat in turn: the doubled image ends between
    them, and their interpolation comes closest to repeating its last sample.
    """
    index = np.arange(start, stop)
    if alternate:
        index[index >= size] = size - 1 - (index[index >= size] - (size - 1)) % 2
    return np.minimum(np.maximum(index, 0), size - 1)


def strided_view(source: Floats, shape: tuple[int, ...], strides: tuple[int, ...]) -> Floats:
    """Return `as_strided`; of a contiguous array by the constructor, which is 2 microseconds faster."""
    if source.flags.c_contiguous:
        return np.ndarray(shape, source.dtype, source, 0, strides)
    return as_strided(source, shape, strides)


def blur_columns(source: Floats, banded: BandedFilter, out: Floats) -> None:
    """Filter a stack of images down their columns.

    Parameters
    ----------
    source : (images, rows, W) array
        Begins `left_support` rows before the first block and ends where the last block's support does; samples of a
        row are adjacent in memory.
    banded : BandedFilter
    out : (images, blocks * BLOCK, W) array
        Receives the result.
    """
    (n, rows, width), (image, row, sample) = out.shape, source.strides
    matrix, step = banded.half_block, banded.step // 2
    samples, taps = matrix.shape
    windows = strided_view(source, (n, rows // samples, taps, width), (image, step * row, row, sample))
    parts = out.reshape(n, rows // samples, samples, width)
    # Several products of equal width where one would be too large.
    count = -(-width // max(1, _SMALL_PRODUCT // matrix.size))
    wide = -(-width // count // 64) * 64
    for left in range(0, width, wide):
        np.matmul(matrix, windows[..., left : left + wide], out=parts[..., left : left + wide])


def blur_rows(source: Floats, banded: BandedFilter, out: Floats) -> None:
    """Filter a stack of images along their rows.

    Parameters
    ----------
    source : (images, blocks * BLOCK, columns) array
        Begins `left_support` columns before the first block and ends where the last block's support does; samples of a
        row are adjacent in memory.
    banded : BandedFilter
    out : (images, blocks * BLOCK, blocks * BLOCK) array
        Receives the result.
    """
    # One product for each block of rows: otherwise the rounding of a row could depend on the number of rows.
    (n, rows, columns), (image, row, sample) = out.shape, source.strides
    shape = (n, rows // BLOCK, columns // BLOCK, BLOCK, banded.matrix.shape[1])
    windows = strided_view(source, shape, (image, BLOCK * row, banded.step * sample, row, sample))
    products = out.reshape(n, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).swapaxes(2, 3)
    np.matmul(windows, banded.transposed, out=products)
