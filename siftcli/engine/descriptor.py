"""The descriptor: a histogram of gradients over 4 x 4 cells and 8 orientations. [Lowe04 §6; VLFeat's page]

The default samples gradients on a fixed grid in the keypoint's own frame.  Every keypoint is then the same few array
operations, and the spatial part of the histogram is one matrix product.

Its orientation bins need no angle.  A gradient is the sum of two vectors along the two nearest of eight directions, and
adds their lengths to these two bins.  Compared with weights that are linear in the angle [Lowe04 §6.1], the shares of
the bins differ by at most 0.011, and their sum is up to 8 % larger than the magnitude, half way between directions.
These lengths are piecewise linear in the gradient (x, y).  All such functions are sums of eight basis functions: x, y,
|x|, |y|, max(x, y), max(x, |y|), max(y, |x|) and max(|x|, |y|).  So the samples are summed over
the cells basis function by basis function, and a fixed 8 x 8 matrix turns the sums into bins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..conventions import quantise
from ..features import Float32, Index, Mask
from ..params import DescriptorParams
from .gradients import TINY
from .keypoints import Keypoints
from .octaves import INTENSITY_SCALE
from .tiles import Tile
from .workspace import scratch

__all__ = [
    "BASIS",
    "CELLS",
    "DIRECTIONS",
    "basis_to_bins",
    "compute_descriptors",
    "descriptor_radius",
    "fill_basis",
    "normalise",
    "pool",
    "quantised",
]

CELLS = 4
"""Cells along each axis."""
DIRECTIONS = 8
"""Orientation bins."""
BASIS = 8
"""Basis functions of the orientation bins."""
_EDGE = 2.5
"""Half the side of the grid, in cells: as far as the bilinear weights of the cells reach."""
_CHUNK = 64
"""Keypoints at a time, so that their samples stay in the L2 cache."""


def descriptor_radius(sigma: float, descriptor: DescriptorParams) -> float:
    """Return how many pixels around a keypoint of this sigma its descriptor depends on."""
    return 2**0.5 * _EDGE * descriptor.magnification * sigma * max(descriptor.domain_sizes) + 1


def compute_descriptors(
    tile: Tile, keypoints: Keypoints, angle: Float32, descriptor: DescriptorParams, *, lowe: bool = False
) -> Float32:
    """Return the descriptors of keypoints with orientations.

    Parameters
    ----------
    tile : Tile
    keypoints : Keypoints
        Those of one image do not influence those of others, not even by rounding.
    angle : (N,) float32
        Radians, y down.
    descriptor : DescriptorParams
    lowe : bool
        Sample pixels as Lowe's program does; see `pixel_histograms`.

    Returns
    -------
    (N, 128) float32
        Normalised, clamped and normalised again; see `normalise`.
    """
    sizes = (_with_size(tile, keypoints, size) for size in descriptor.domain_sizes)
    return pool([_histograms(tile, sized, angle, descriptor, lowe) for sized in sizes], descriptor)


def pool(histograms: list[Float32], descriptor: DescriptorParams) -> Float32:
    """Return the normalised descriptor of histograms of several domain sizes: the sum of their descriptors. [Dong15]

    Differs from [Dong15], which sums the histograms themselves, because that matches less.
    """
    if len(histograms) == 1:
        return normalise(histograms[0], descriptor)
    return normalise(np.sum([_clamped(one, descriptor.clamp) for one in histograms], axis=0), descriptor)


def _with_size(tile: Tile, keypoints: Keypoints, size: float) -> Keypoints:
    """Return keypoints with sigma times a domain size, at levels with as much more blur as the octave has."""
    highest = len(tile.levels) - 1
    shift = round((highest - 2) * math.log2(size))
    level = np.clip(keypoints.level + shift, np.minimum(keypoints.level, 1), highest)
    return replace(keypoints, level=level, sigma=keypoints.sigma * np.float32(size))


def _histograms(tile: Tile, keypoints: Keypoints, angle: Float32, descriptor: DescriptorParams, lowe: bool) -> Float32:
    """Return histograms (N, 128) before normalisation; zero where the gradient is below the norm threshold."""
    if descriptor.sampling == "pixels":
        from .lowe_descriptor import pixel_histograms  # few need it

        histograms = pixel_histograms(tile, keypoints, angle, descriptor, lowe=lowe)
        norms = histograms.sum(axis=1)
    else:
        histograms, norms = _grid_histograms(tile, keypoints, angle, descriptor)
    if descriptor.norm_threshold > 0:
        histograms[_mean_gradient(norms, keypoints, descriptor) < descriptor.norm_threshold] = 0
    return histograms


def quantised(descriptors: Float32, descriptor: DescriptorParams) -> npt.NDArray[np.uint8] | Float32:
    """Return descriptors in the dtype of `Features`: uint8, or float32 if the parameters say so."""
    return descriptors if descriptor.float_descriptors else quantise(descriptors)


def normalise(histograms: Float32, descriptor: DescriptorParams) -> Float32:
    """Scale histograms to L2 norm 1, clamp at 0.2, and scale to norm 1 again; zero stays zero. [Lowe04 §6.1]"""
    histograms = _clamped(histograms, descriptor.clamp)
    if descriptor.root_sift:
        histograms = np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), TINY))
    return histograms


def _clamped(histograms: Float32, limit: float) -> Float32:
    """Scale histograms to L2 norm 1, clamp them, and scale them again."""
    for clamp in (limit, None):
        norm = np.sqrt(np.einsum("ij,ij->i", histograms, histograms))
        histograms = histograms / np.maximum(norm, TINY)[:, None]
        if clamp is not None:
            np.maximum(histograms, 0, out=histograms)  # bins that are differences may be negative by rounding
            np.minimum(histograms, np.float32(clamp), out=histograms)
    return histograms


def _mean_gradient(norms: Float32, keypoints: Keypoints, descriptor: DescriptorParams) -> Float32:
    """Return the mean magnitude of the gradient in octave pixels, (N,), weighted as in the histogram.

    Samples outside the image count as zero.  `norms` are weighted sums over all samples of twice the gradient: that of
    the octave, or, on a grid, that of the keypoint's frame, where the unit of length is a cell.
    """
    cell = np.float32(descriptor.magnification) * keypoints.sigma
    weights = _cell_weights(descriptor.samples, descriptor.window_size).sum()
    if descriptor.sampling == "pixels":
        weights = (
            weights * (2 * _EDGE / descriptor.samples * cell) ** 2
        )  # the number of pixels, instead of that of samples
        cell = np.ones_like(cell)
    means: Float32 = norms / (2 * INTENSITY_SCALE * weights * cell)
    return means


# --- the grid


@lru_cache
def _grid(side: int) -> Float32:
    """Return the sample positions in cells, homogeneous: (3, side^2) of x, y, 1."""
    along = (np.arange(side) + 0.5) * (2 * _EDGE / side) - _EDGE
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.ones(side**2)]).astype(np.float32)


@lru_cache
def _cell_weights(side: int, window_size: float) -> Float32:
    """Return the weight of every sample in every cell, (side^2, 16): bilinear times Gaussian."""
    x, y, _ = _grid(side)
    centres = np.arange(CELLS) - (CELLS - 1) / 2
    wx, wy = (np.maximum(0, 1 - np.abs(v[:, None] - centres)) for v in (x, y))
    gauss = np.exp(-(x * x + y * y) / (2 * window_size**2))
    weights = wy[:, :, None] * wx[:, None, :] * gauss[:, None, None]
    return weights.reshape(len(x), CELLS * CELLS).astype(np.float32)


def _grid_histograms(
    tile: Tile, keypoints: Keypoints, angle: Float32, descriptor: DescriptorParams
) -> tuple[Float32, Float32]:
    """Return histograms (N, 128) before normalisation, and, if there is a norm threshold, sums (N,) of magnitudes."""
    region, regions = keypoints.region, tile.regions
    size = np.float32(descriptor.magnification) * keypoints.sigma
    cos, sin = np.cos(angle) * size, np.sin(angle) * size
    frames = np.array([cos, -sin, sin, cos]).reshape(2, 2, -1)
    # Positions are relative to the nearest pixel, so that indices are exact in float32.
    row, column = (np.rint(v).astype(np.intp) for v in (keypoints.y, keypoints.x))
    shift = np.array([keypoints.x - column, keypoints.y - row], np.float32)
    transform = np.concatenate([frames, shift[:, None]], axis=1)
    # The pixel above and left of the nearest one, the first that `_gradients` reads.
    pixel = tile.flat(region, keypoints.level, row, column) - tile.stride - 1
    # First and last pixel of the image, relative to the nearest pixel; and whether the grid exceeds them.
    low = np.array([-column, -row], np.float32)
    high = np.array([regions.width[region] - 1 - column, regions.height[region] - 1 - row], np.float32)
    extent = _EDGE * np.abs(frames).sum(axis=1) + 1
    exceeds = ((extent > -low) | (extent > high)).any(axis=0)

    weights = _cell_weights(descriptor.samples, descriptor.window_size)
    out = np.empty((len(keypoints), CELLS * CELLS * DIRECTIONS), np.float32)
    norms = np.zeros(len(keypoints), np.float32)
    for chunk in _chunks(regions.image[region], exceeds):
        limits = (low[:, chunk], high[:, chunk]) if exceeds[chunk[-1]] else None  # if any does, the last one does
        basis = _sampled_basis(tile, pixel[chunk], transform[..., chunk], _grid(descriptor.samples), limits)
        cells = basis @ weights
        out[chunk] = np.matmul(cells.reshape(BASIS, -1).T, basis_to_bins().T).reshape(len(chunk), -1)
        if descriptor.norm_threshold > 0:
            norms[chunk] = np.hypot(*basis[:2]) @ weights.sum(axis=1)
    return out, norms


def _chunks(image: Index, exceeds: Mask) -> Iterator[Index]:
    """Divide keypoints into chunks, each image as if it were alone: a product rounds by the number of its rows.

    Keypoints whose grid exceeds the image come last, so that most chunks do not have to test for it.
    """
    order = np.argsort(2 * image + exceeds, kind="stable")
    ends = (np.flatnonzero(np.diff(image[order])) + 1).tolist()
    for start, end in pairwise([0, *ends, len(order)]):
        one = order[start:end]
        count = -(-len(one) // _CHUNK)
        for i in range(count):  # of equal size: BLAS has another routine for a product of a single row
            yield one[len(one) * i // count : len(one) * (i + 1) // count]


def _sampled_basis(
    tile: Tile, first: Index, transform: Float32, grid: Float32, limits: tuple[Float32, Float32] | None
) -> Float32:
    """Return the basis functions of twice the gradients of one chunk, (BASIS, N, samples), in a buffer.

    Parameters
    ----------
    tile : Tile
    first : (N,) intp
        Index of the pixel above and left of the one nearest to each keypoint.
    transform : (2, 3, N) float32
        From cells to pixels (x, y), relative to the nearest pixel.
    grid : (3, samples) float32
        Homogeneous positions of the samples, in cells.
    limits : two (2, N) float32 arrays, or None
        First and last pixel (x, y) of the image, relative to the nearest pixel, if a grid exceeds the image.
    """
    n, samples = len(first), grid.shape[1]
    position, pixel = (scratch(name, 2, n, samples) for name in ("position", "pixel"))
    index = scratch("index", n, samples, dtype=np.intp)
    basis = scratch("basis", BASIS, n, samples)
    np.matmul(transform.swapaxes(1, 2).reshape(2 * n, 3), grid, out=position.reshape(2 * n, samples))
    np.rint(position, out=pixel)
    position -= pixel
    flat = np.multiply(pixel[1], np.float32(tile.stride), out=basis[0])
    flat += pixel[0]
    np.copyto(index, flat, casting="unsafe")
    index += first[:, None]
    gradient, rotated = basis[-2:], basis[:2]
    _gradients(tile, index, position, gradient, basis[:4])
    # In the keypoint's frame, by the transposed matrix of the frame.
    np.matmul(transform[:, :2].transpose(2, 1, 0), gradient.swapaxes(0, 1), out=rotated.swapaxes(0, 1))
    if limits is not None:
        low, high = limits
        inside = pixel >= low[..., None]
        inside &= pixel <= high[..., None]
        rotated *= np.logical_and(*inside)
    fill_basis(basis)
    return basis


def _gradients(tile: Tile, index: Index, offset: Float32, gradient: Float32, spare: Float32) -> None:
    """Compute twice the gradient at offsets from pixels, by Taylor's formula with the Hessian at the pixel.

    Seven samples around each pixel, against twelve for a bilinear gradient of the same quality.  The gradient of the
    nearest pixel, four samples, agrees visibly less with Lowe's files.

    Parameters
    ----------
    tile : Tile
    index : (N, samples) intp
        The pixel above and left of each.
    offset, gradient : (2, N, samples) float32
        x and y; `gradient` receives the result.
    spare : (4, N, samples) float32
        Overwritten.
    """
    flat, stride = tile.levels.reshape(-1), tile.stride

    def take(step: int, out: Float32) -> None:
        flat[step:].take(index, out=out, mode="wrap")

    corner, up, left, centre, right = 0, 1, stride, stride + 1, stride + 2
    down, opposite = up + 2 * stride, corner + 2 * stride + 2
    second, other = spare[:2], spare[2:4]
    for step, out in zip((left, up, right, down), spare, strict=True):
        take(step, out)
    np.subtract(other, second, out=gradient)
    second += other
    mixed, twice = other
    take(corner, mixed)
    take(opposite, twice)
    mixed += twice
    take(centre, twice)
    twice += twice
    second -= twice
    mixed -= twice
    mixed -= second[0]
    mixed -= second[1]
    second *= offset
    second += second
    gradient += second
    gradient += np.multiply(mixed, offset[::-1], out=second)


# --- orientation bins


def fill_basis(basis: npt.NDArray[np.floating[Any]]) -> None:
    """Compute all basis functions, (BASIS, ...), from x and y, which are the first two."""
    x, y, right, down = basis[:4]
    np.abs(basis[:2], out=basis[2:4])
    for a, b, out in zip((x, x, y, right), (y, down, right, down), basis[4:], strict=True):
        np.maximum(a, b, out=out)


@lru_cache
def basis_to_bins() -> Float32:
    """Return the matrix (DIRECTIONS, BASIS) from basis functions to bins; bin k is centred at the angle k pi / 4."""
    basis = np.empty((BASIS, DIRECTIONS))
    angle = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    basis[:2] = np.cos(angle), np.sin(angle)
    fill_basis(basis)
    return np.linalg.inv(basis).astype(np.float32)
