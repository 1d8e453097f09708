"""Affine frames: their gradients, descriptors and orientations. [VLFeat's page, "Calculation in the image frame"]

The image of a frame A, T at canonical scale 1 is I(T + A p), smoothed by g_A: a Gaussian with the half axes of the
frame.  No level of the pyramid has that blur.  So the frame is sampled at a level of no more blur than its shorter half
axis, and the missing blur is added along its two axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..features import Float32, Float64, Index
from ..params import DescriptorParams, DetectorParams
from .descriptor import CELLS, pool
from .keypoints import Keypoints
from .octaves import INTENSITY_SCALE
from .orientation import BINS, histogram_peaks
from .tiles import Tile

__all__ = ["affine_descriptors", "affine_orientations", "affine_radius"]

_CUT = 4.0
"""Radius of the smoothing kernel, in its sigmas."""
_RIM = 12
"""Pixels around a patch that its interpolation depends on: the spline's response decays by 0.27 a pixel."""
_NOISE = 1e-9
"""Smaller gradients are rounding errors: neighbouring float32 levels differ by more."""
_ANGLES = 8
_EDGE = (CELLS + 1) / 2
"""Half the side of a descriptor, in cells."""


def affine_radius(longest: float, extent: float) -> float:
    """Return how many pixels around a frame a patch depends on.

    Parameters
    ----------
    longest : float
        The frame's longer half axis, in pixels.
    extent : float
        Half the side of the patch, in canonical units.
    """
    return (math.sqrt(2) * extent + _CUT) * longest + _RIM + 4


@dataclass(frozen=True, eq=False)
class _Patch:
    """Gradients around a frame.

    Attributes
    ----------
    position : (2, N) float64
        Positions of the samples, in the frame: in units of its half axes.
    gradient : (2, N) float64
        In the frame, J A; zero outside the image.
    """

    position: Float64
    gradient: Float64


def affine_descriptors(
    tile: Tile, keypoints: Keypoints, affine: Float32 | Float64, detector: DetectorParams, descriptor: DescriptorParams
) -> Float32:
    """Return the descriptors of affine frames; `compute_descriptors` is for similarities.

    Parameters
    ----------
    tile : Tile
    keypoints : Keypoints
        N of them, at levels of no more blur than the frames' shorter half axes.
    affine : (N, 2, 2) float32 or float64
        In octave pixels.
    detector, descriptor : DetectorParams, DescriptorParams

    Returns
    -------
    (N, 128) float32
    """
    sizes = (np.float32(size) * affine for size in descriptor.domain_sizes)
    return pool([_histograms(tile, keypoints, sized, detector, descriptor) for sized in sizes], descriptor)


def _histograms(
    tile: Tile, keypoints: Keypoints, affine: Float32 | Float64, detector: DetectorParams, descriptor: DescriptorParams
) -> Float32:
    """Return histograms (N, 128) before normalisation; zero where the gradient is below the norm threshold."""
    out = np.zeros((len(keypoints), CELLS * CELLS * _ANGLES), np.float32)
    m = descriptor.magnification
    for i, a in enumerate(affine.astype(np.float64)):
        patch = _patch(tile, keypoints, i, a, m * _EDGE, detector)
        histogram, weight = _descriptor(patch, m, descriptor.window_size)
        # The mean magnitude of the gradient, in octave pixels.
        if histogram.sum() / weight / math.sqrt(abs(np.linalg.det(a))) >= descriptor.norm_threshold:
            out[i] = histogram
    return out


def affine_orientations(
    tile: Tile, keypoints: Keypoints, affine: Float32 | Float64, detector: DetectorParams
) -> tuple[Index, Float32]:
    """Return the orientations of affine frames, relative to the frames; `assign_orientations` is for similarities.

    Parameters
    ----------
    affine : (N, 2, 2) float32 or float64
        In octave pixels.

    Returns
    -------
    index : (M,) intp
        Index of the frame; ascending.
    orientation : (M,) float32
        Radians by which to rotate the frame: A becomes A R(orientation).
    """
    if detector.upright:
        return np.arange(len(keypoints)), np.zeros(len(keypoints), np.float32)
    histograms = np.zeros((len(keypoints), BINS))
    window = detector.orientation_window
    for i, a in enumerate(affine.astype(np.float64)):
        patch = _patch(tile, keypoints, i, a, 3 * window, detector)
        u, v = patch.gradient
        weight = np.exp(-(patch.position**2).sum(axis=0) / (2 * window**2)) * np.hypot(u, v)
        weight *= (patch.position**2).sum(axis=0) <= (3 * window) ** 2
        # Angles y up, from -pi on; weights are split between the two nearest centres.
        place = (np.arctan2(-v, u) + np.pi) * (BINS / (2 * np.pi)) - 0.5
        low = np.floor(place)
        for part, b in ((1 - (place - low), low), (place - low, low + 1)):
            histograms[i] += np.bincount(b.astype(np.intp) % BINS, weight * part, BINS)
    return histogram_peaks(histograms, detector)


def _patch(
    tile: Tile, keypoints: Keypoints, i: int, affine: Float64, extent: float, detector: DetectorParams
) -> _Patch:
    """Return the gradients around keypoint `i`, within the square of half side `extent` in canonical units."""
    from scipy.ndimage import gaussian_filter1d  # type: ignore[import-untyped]

    axes, lengths, rotation = np.linalg.svd(affine)  # affine = axes diag(lengths) rotation
    sigma = detector.sigma_base * 2 ** (keypoints.level[i] / detector.scales_per_octave)
    missing = np.sqrt(np.maximum(0, 1 - (sigma / lengths) ** 2))
    # Samples a pixel apart along both axes.
    count = np.ceil((math.sqrt(2) * extent + _CUT * missing) * lengths).astype(np.intp) + 1
    along = np.meshgrid(*(np.arange(-n, n + 1) / length for n, length in zip(count, lengths, strict=True)))
    local = np.stack(along).reshape(2, -1)
    x, y = (axes * lengths) @ local + np.array([[keypoints.x[i]], [keypoints.y[i]]], np.float64)
    shape = along[0].shape
    values = _interpolated(tile, keypoints, i, x, y).reshape(shape)
    for axis, k in ((1, 0), (0, 1)):
        if missing[k] > 0:
            values = gaussian_filter1d(values, missing[k] * lengths[k], axis, mode="nearest", truncate=_CUT)
    down, right = np.gradient(values)
    down[np.abs(down) < _NOISE], right[np.abs(right) < _NOISE] = 0, 0
    region = keypoints.region[i]
    gradient = rotation.T @ np.stack([right.ravel() * lengths[0], down.ravel() * lengths[1]])
    gradient *= (x >= 0) & (x <= tile.regions.width[region] - 1) & (y >= 0) & (y <= tile.regions.height[region] - 1)
    position = rotation.T @ local
    near = (np.abs(position) <= extent).all(axis=0)
    return _Patch(position[:, near], gradient[:, near])


def _interpolated(tile: Tile, keypoints: Keypoints, i: int, x: Float64, y: Float64) -> Float64:
    """Interpolate the level of keypoint `i` at octave pixels, by a cubic spline; the border is replicated."""
    from scipy.ndimage import map_coordinates

    region = keypoints.region[i]
    bounds = []
    for where, size in ((y, tile.regions.height[region]), (x, tile.regions.width[region])):
        low, high = int(where.min()) - _RIM, int(where.max()) + _RIM + 2
        bounds.append((min(max(low, 0), int(size) - 1), max(min(high, int(size)), 1)))
    (top, bottom), (left, right) = bounds
    row, column = int(tile.regions.top[region]), int(tile.regions.left[region])
    level = tile.levels[keypoints.level[i], row + top : row + bottom, column + left : column + right] / INTENSITY_SCALE
    values: Float64 = map_coordinates(level.astype(np.float64), [y - top, x - left], order=3, mode="nearest")
    return values


def _descriptor(patch: _Patch, magnification: float, window_size: float) -> tuple[Float64, float]:
    """Return the histogram [y][x][orientation] of a patch, and the sum of its weights."""
    cells = patch.position / magnification
    window = np.exp(-(cells**2).sum(axis=0) / (2 * window_size**2))
    centres = np.arange(CELLS) - (CELLS - 1) / 2
    across, down = (np.maximum(0, 1 - np.abs(c - centres[:, None])) for c in cells)
    u, v = patch.gradient
    turn = np.arctan2(v, u) * (_ANGLES / (2 * np.pi)) - np.arange(_ANGLES)[:, None]
    hats = np.maximum(0, 1 - np.abs((turn + _ANGLES / 2) % _ANGLES - _ANGLES / 2))
    spatial = (down[:, None] * across * window).reshape(CELLS * CELLS, -1)
    histogram: Float64 = (spatial * np.hypot(u, v)) @ hats.T
    return histogram.ravel(), float(spatial.sum())
