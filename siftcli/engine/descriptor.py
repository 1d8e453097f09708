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
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..conventions import quantise
from ..features import Float32
from ..params import DescriptorParams
from .gradients import TINY
from .grid_samples import ROWS, grid, sampled_gradients
from .keypoints import Keypoints
from .octaves import INTENSITY_SCALE
from .tiles import Tile

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


def descriptor_radius(sigma: float, descriptor: DescriptorParams) -> float:
    """Return how many pixels around a keypoint of this sigma its descriptor depends on."""
    return 2**0.5 * _EDGE * descriptor.magnification * sigma * max(descriptor.domain_sizes) + 1


def compute_descriptors(
    tile: Tile,
    keypoints: Keypoints,
    angle: Float32,
    descriptor: DescriptorParams,
    *,
    affine: Float32 | None = None,
    lowe: bool = False,
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
    affine : (2, 2, N) float32, optional
        Frames in octave pixels, instead of sigmas and angles; see `affine_shape`.
    lowe : bool
        Sample pixels as Lowe's program does; see `pixel_histograms`.

    Returns
    -------
    (N, 128) float32
        Normalised, clamped and normalised again; see `normalise`.
    """
    if descriptor.sampling == "pixels" and affine is None:
        return normalise(_pixel_histograms(tile, keypoints, angle, descriptor, lowe), descriptor)
    histograms, (cos, sin) = [], (np.cos(angle), np.sin(angle))
    rotation = np.array([cos, -sin, sin, cos]).reshape(2, 2, -1)
    for size in descriptor.domain_sizes:
        sized, magnification = _with_size(tile, keypoints, size), np.float32(descriptor.magnification)
        frames = (
            rotation * (magnification * sized.sigma) if affine is None else affine * (magnification * np.float32(size))
        )
        histograms.append(_histograms(tile, sized, frames, descriptor, None if affine is None else ROWS))
    return pool(histograms, descriptor)


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


def _pixel_histograms(
    tile: Tile, keypoints: Keypoints, angle: Float32, descriptor: DescriptorParams, lowe: bool
) -> Float32:
    """Return histograms (N, 128) before normalisation, of every pixel; zero below the norm threshold."""
    from .lowe_descriptor import pixel_histograms  # few need it

    histograms = pixel_histograms(tile, keypoints, angle, descriptor, lowe=lowe)
    if descriptor.norm_threshold > 0:
        histograms[_mean_gradient(histograms.sum(axis=1), keypoints, descriptor) < descriptor.norm_threshold] = 0
    return histograms


def _histograms(
    tile: Tile, keypoints: Keypoints, frames: Float32, descriptor: DescriptorParams, rows: int | None
) -> Float32:
    """Return histograms (N, 128) before normalisation, of a grid; zero below the norm threshold."""
    histograms, norms = _grid_histograms(tile, keypoints, frames, descriptor, rows)
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
def _cell_weights(side: int, window_size: float) -> Float32:
    """Return the weight of every sample in every cell, (side^2, 16): bilinear times Gaussian."""
    x, y, _ = grid(side, _EDGE)
    centres = np.arange(CELLS) - (CELLS - 1) / 2
    wx, wy = (np.maximum(0, 1 - np.abs(v[:, None] - centres)) for v in (x, y))
    gauss = np.exp(-(x * x + y * y) / (2 * window_size**2))
    weights = wy[:, :, None] * wx[:, None, :] * gauss[:, None, None]
    return weights.reshape(len(x), CELLS * CELLS).astype(np.float32)


def _grid_histograms(
    tile: Tile, keypoints: Keypoints, frames: Float32, descriptor: DescriptorParams, rows: int | None
) -> tuple[Float32, Float32]:
    """Return histograms (N, 128) before normalisation, and, if there is a norm threshold, sums (N,) of magnitudes."""
    weights = _cell_weights(descriptor.samples, descriptor.window_size)
    out = np.empty((len(keypoints), CELLS * CELLS * DIRECTIONS), np.float32)
    norms = np.zeros(len(keypoints), np.float32)
    for chunk, basis in sampled_gradients(tile, keypoints, frames, descriptor.samples, _EDGE, rows):
        fill_basis(basis)
        cells = basis @ weights
        out[chunk] = np.matmul(cells.reshape(BASIS, -1).T, basis_to_bins().T).reshape(len(chunk), -1)
        if descriptor.norm_threshold > 0:
            norms[chunk] = np.hypot(*basis[:2]) @ weights.sum(axis=1)
    return out, norms


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
